"""The task that reads returned mail: bounces in a mailbox fail the messages that they are about.

Any number of processes may run it; one at a time reads a mailbox, under a lock of the database. A mailbox is only read,
so a reading that is broken off, or done again by another process, does no harm.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

from psycopg import AsyncConnection

from adapters.database.locks import Lock, tried
from adapters.mail.bounces import Bounce, read_bounce
from adapters.mail.mailboxes import NoMailbox, ReportsMailbox, host_of, reports_at
from adapters.tenants import Tenant, Tenants
from ledger.decisions import notices
from ledger.engine.commands import Command, own_command
from ledger.engine.trouble import in_short
from ledger.nouns import messages
from ledger.refusals import Exhausted, Unavailable
from projections import outbox
from projections.outbox import Mailed, MessageState

log = logging.getLogger("fulfilment.bounces")

ACTOR = "bounces"
_LONGEST_PAUSE_SECONDS = 3600.0
_MOST_OPEN = 10_000
"""Bounces whose message is not known, or not yet; a mailbox may be another's as well."""
_MOST_AT_ONCE = 500
"""Messages that are recorded as bounced together."""
_LOCK_SEED = 0xB0C4CE

T = TypeVar("T")


class ReturnedMail:
    """Reads one mailbox for all tenants."""

    def __init__(self, tenants: Tenants, mailbox: ReportsMailbox) -> None:
        self._tenants = tenants
        self._mailbox = mailbox
        self._seen: set[str] = set()
        """Mails of the mailbox that were read."""
        self._open: dict[str, Bounce] = {}
        """Bounces that are not recorded yet, by their reports."""

    async def run(self) -> None:
        """Reads until it is cancelled; less and less often while that fails."""
        failures = 0
        while True:
            try:
                await self.turn()
                if failures:
                    log.info("the mailbox %s is read again", host_of(self._mailbox.address))
                failures = 0
            except Exception as error:  # noqa: BLE001 - any error is logged and tried again
                failures += 1
                _report(error, self._pause(failures))
            await asyncio.sleep(self._pause(failures))

    def _pause(self, failures: int) -> float:
        every = self._mailbox.every_seconds
        return min(every * 2.0 ** min(failures, 20), max(every, _LONGEST_PAUSE_SECONDS))

    async def turn(self) -> int:
        """Reads what is new, if no other process does, and records it; returns how many messages bounced."""
        async with tried(self._tenants.pool, self._mailbox.address, _LOCK_SEED, patience="10min") as (
            connection,
            reads,
        ):
            if not reads:
                return 0
            found, trouble = await _in_a_thread(self._read)
            self._open.update((bounce.report, bounce) for bounce in found)
            while len(self._open) > _MOST_OPEN:
                del self._open[next(iter(self._open))]
            recorded = 0
            for each in await self._tenants.control.list_tenants() if self._open else ():
                recorded += await self._record(connection, await self._tenants.find(each.name))
        if trouble is not None:
            raise trouble
        return recorded

    def _read(self) -> tuple[list[Bounce], NoMailbox | None]:
        """The new bounces as far as they could be read, and what ended it."""
        address, password, _, ca_file = self._mailbox
        found: list[Bounce] = []
        try:
            for raw in reports_at(address, password, self._seen, ca_file):
                found += filter(None, [read_bounce(raw)])
        except NoMailbox as trouble:
            return found, trouble
        return found, None

    async def _record(self, connection: AsyncConnection[Any], tenant: Tenant) -> int:
        """Records what is open about mails of this tenant."""
        by_mail = {bounce.mail_id: bounce for bounce in self._open.values()}
        mailed = await outbox.mailed(connection, tenant.schema, list(by_mail))
        sent = [each for each in mailed if each.state is MessageState.SENT]
        sent, more = sent[:_MOST_AT_ONCE], sent[_MOST_AT_ONCE:]
        now = datetime.now(UTC)
        answers = await tenant.ledger.execute_many([_bounced(each, by_mail[each.mail_id], now) for each in sent])
        later = {
            each.mail_id
            for each, answer in zip(sent, answers, strict=True)
            if isinstance(answer, Exhausted | Unavailable)
        }
        later |= {each.mail_id for each in more}
        # What was handed over but is not recorded as sent yet is looked for again.
        done = {each.mail_id for each in mailed if each.state not in _UNDER_WAY} - later
        for report in [report for report, bounce in self._open.items() if bounce.mail_id in done]:
            del self._open[report]
        if sent:
            log.info("%d messages of %s came back", len(sent), tenant.name)
        return len(sent)

    def _reading(self) -> AbstractAsyncContextManager[Lock]:
        """The lock of the mailbox, which another process may hold."""
        return tried(self._tenants.pool, self._mailbox.address, _LOCK_SEED, patience="10min")


_UNDER_WAY = (MessageState.ASKED, MessageState.FAILED)


def _bounced(mailed: Mailed, bounce: Bounce, now: datetime) -> Command:
    message_id, at = mailed.message_id, min(bounce.at or now, now)
    return own_command(
        f"bounced:{bounce.report}:{message_id}",
        ACTOR,
        lambda view: notices.bounced(view, message_id, bounce.mail_id, bounce.status, bounce.answer, at),
        (messages.stream(message_id),),
    )


def _report(error: Exception, pause_seconds: float) -> None:
    again = f"it is tried again in {pause_seconds:.0f} s"
    if isinstance(error, NoMailbox):
        log.warning("%s; %s", error, again)
    else:
        log.error("reading returned mail failed: %s; %s", in_short(error), again, exc_info=error)


async def _in_a_thread(work: Callable[[], T]) -> T:
    """What blocking work returns. Whoever is cancelled meanwhile waits for nothing: the work is left to end alone."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def give(result: Any, error: BaseException | None) -> None:
        if not answer.done():
            answer.set_result(result) if error is None else answer.set_exception(error)

    def run() -> None:
        result: Any = None
        trouble: BaseException | None = None
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            trouble = error
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(give, result, trouble)

    # No process waits for a daemon to end.
    threading.Thread(target=run, name="returned mail", daemon=True).start()
    return await answer
