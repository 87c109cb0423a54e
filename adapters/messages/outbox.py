"""The outbox's task: asks for messages that are due, hands them to a sender, records what came of it.

Any number of processes may run it; one at a time works for a tenant, under a lock of the database.
A message's own facts are read from the log right before it is handed over, whatever the read model
shows, so nothing is sent twice knowingly. After a crash between the hand-over and the record of it,
the sender recognises the message by its id.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from psycopg import AsyncConnection
from psycopg_pool import PoolTimeout

from adapters.database.locks import tried
from adapters.every_tenant import AT_ONCE, REST, EveryTenant, soonest
from adapters.mail.mails import NotTaken
from adapters.messages.envelope import Envelope, Erased, together
from adapters.messages.letters import Letters
from adapters.messages.senders import Sender
from adapters.messages.unreached import Unreached
from adapters.tenants import Tenant, Tenants
from ledger.decisions import notices, relevance
from ledger.decisions.notices import Notice
from ledger.engine.commands import Command, Receipt, own_command
from ledger.engine.sealing import Unreadable
from ledger.engine.trouble import is_trouble
from ledger.nouns import messages, policies
from ledger.nouns.messages import Message
from ledger.nouns.policies import Policy, policy_at
from ledger.refusals import Exhausted, Refusal, RequestReused, Shown, Unavailable
from ledger.view import Decide, View
from projections import PROJECTIONS, outbox
from projections.machine.database import HOLDER
from projections.machine.reads import state_now
from projections.machine.status import statuses

log = logging.getLogger("fulfilment.outbox")

ACTOR = "outbox"
TICK_SECONDS = 1.0
MOST_AT_ONCE = 500
"""Messages a tick."""
_TURN_SECONDS = 2.0
"""After which a tick begins no more hand-overs, so that other tenants get their turn."""
_SENDING_SECONDS = 30.0
"""How long a sender may take before it is taken to have failed."""
_LOOK_AGAIN_SECONDS = 900.0
"""After no message was needed although a clock runs out soon."""
_WAIT_SECONDS = 15.0
"""After which it looks again whether a message that was not to be sent yet is to be sent now."""
_RECORD_PAUSES_SECONDS = (0.1, 0.5, 2.0, 5.0, 15.0)
_TROUBLE = (PoolTimeout, Exhausted, Unavailable)

_HELD_UP_SECONDS = 60.0
"""A turn is much shorter: a process that leads for so long has stopped."""
_LOCK_SEED = 0x0B0C5E
"""Its own: the read model of messages has a lock of the same name."""


class _Handled(NamedTuple):
    """A message that was handled lately, which the read model may not show yet."""

    notice: Notice
    position: int
    again_at: float
    """Not before then, in the time of the event loop."""
    in_line: bool = False
    """Whether it only waits for an earlier one of its thread, with which it is looked at."""


Thread = list[Notice]
"""Messages to the same people about one object, which keep their order."""


class _Work(NamedTuple):
    """A tenant's outbox while this process leads it."""

    tenant: Tenant
    policy: Policy
    now: datetime
    handled: dict[str, _Handled]
    position: int
    """Of the read model of messages."""


class _Outcome(NamedTuple):
    """What came of a message, and how it is recorded."""

    word: str
    decide: Decide


class HeldUp(Shown):
    """No messages are sent: the process that leads has stopped and keeps its lock."""

    def __init__(self, who: str) -> None:
        super().__init__(f"no messages are sent: {who}")


async def held_up(connection: AsyncConnection[Any], schema: str) -> str:
    """Which session has led a tenant's outbox for too long; empty if none."""
    cursor = await connection.execute(HOLDER, _lock_of(schema))
    found = await cursor.fetchone()
    if found is None or found[1] is None or found[1].total_seconds() < _HELD_UP_SECONDS:
        return ""
    return f"{found[0]} has held the outbox for {found[1].total_seconds():.0f} s"


def _lock_of(schema: str) -> tuple[str, int]:
    return f"{schema}/outbox", _LOCK_SEED


class Outbox:
    """Hands the messages of all tenants to one sender."""

    def __init__(self, tenants: Tenants, letters: Letters, sender: Sender) -> None:
        self._tenants = tenants
        self._letters = letters
        self._sender = sender
        self._handled: dict[str, dict[str, _Handled]] = {}
        self._unreached = Unreached(letters)

    async def run(self) -> None:
        """Ticks for every tenant until it is cancelled."""
        await EveryTenant(self._tenants.control, log, self._turn, TICK_SECONDS, rest=self._rest).run()

    async def _turn(self, name: str) -> timedelta:
        tenant = await self._tenants.find(name)
        clock = asyncio.get_running_loop().time
        began = clock()
        more = await self.tick(tenant, datetime.now(UTC)) >= self._sender.at_once
        if more and tenant.ledger.waiting:
            # The ledger's commands, for which customers wait, get the same time.
            await asyncio.sleep(clock() - began)
        return AT_ONCE if more else timedelta(seconds=TICK_SECONDS)

    async def _rest(self, name: str) -> timedelta:
        return await self.rest(await self._tenants.find(name), datetime.now(UTC))

    async def rest(self, tenant: Tenant, now: datetime) -> timedelta:
        """How long nothing will be due if nothing is written."""
        handled = self._handled.get(tenant.name, {})
        terms = await self._letters.policies(tenant.log)
        async with self._tenants.pool.connection() as connection:

            async def due(later: datetime) -> list[Notice]:
                policy = policy_at(terms, later)
                return [
                    *await outbox.unasked(connection, tenant.schema, policy, later, list(handled), 1),
                    *await outbox.due_by_time(connection, tenant.schema, policy, later, list(handled), 1),
                    *await outbox.open_threads(connection, tenant.schema, later, list(handled), [], 1),
                ]

            return min(await soonest(due, now), *(_until(each.again_at) for each in handled.values()), REST)

    async def tick(self, tenant: Tenant, now: datetime) -> int:
        """Does what is due by now, if no other process does; returns for how many messages it did something."""
        if not await self._has_work(tenant, now):
            return 0
        async with self._leading(tenant) as connection:
            if connection is None:
                return 0
            work = await self._begin(tenant, now)
            due = [
                *await self._unasked(connection, work),
                *await self._due_by_time(connection, work),
            ]
            await self._ask(work, due)
            await self._unreached.look(connection, tenant, work.position, now)
            return await self._deliver_all(connection, work, await self._threads(connection, work, due))

    async def _has_work(self, tenant: Tenant, now: datetime) -> bool:
        """Whether there may be something to do: mostly there is not, and then nobody needs to lead."""
        if self._handled.get(tenant.name):
            return True
        async with self._tenants.watchers.connection() as connection:
            policy = policy_at(await state_now(connection, tenant.schema, policies.NOUN, policies.stream()), now)
            look = await outbox.look(connection, tenant.schema, policy, now)
        return look.has_due or not self._unreached.has_followed(tenant, look)

    async def _threads(self, connection: AsyncConnection[Any], work: _Work, due: Sequence[Notice]) -> list[Thread]:
        """All that is open of each thread with something to do, also what the read model does not show yet."""
        clock = asyncio.get_running_loop().time()
        known = list(work.handled.keys() - {notice.message_id for notice in due})
        wanted = {_thread_of(notice) for notice in due}
        open_ones = await outbox.open_threads(
            connection, work.tenant.schema, work.now, known, list(wanted), MOST_AT_ONCE
        )
        wanted |= {_thread_of(notice) for notice in open_ones}
        lately = [each.notice for each in work.handled.values() if _thread_of(each.notice) in wanted]
        threads: dict[str, dict[str, Notice]] = {}
        for notice in sorted((*open_ones, *lately), key=lambda each: (each.caused_at, each.cause)):
            handled = work.handled.get(notice.message_id)
            if handled is None or handled.in_line or handled.again_at <= clock:
                threads.setdefault(_thread_of(notice), {})[notice.message_id] = notice
        return [list(thread.values()) for thread in threads.values()]

    async def _deliver_all(self, connection: AsyncConnection[Any], work: _Work, threads: Sequence[Thread]) -> int:
        """Hands messages over while its turn lasts; returns how many it handled."""
        clock = asyncio.get_running_loop().time
        done, turn_ends_at = 0, clock() + _TURN_SECONDS
        while done < len(threads) and clock() < turn_ends_at:
            await connection.execute("SELECT 1")  # fails if the lock is lost with the connection
            chunk = threads[done : done + self._sender.at_once]
            named = [(each.message_id, each.about) for thread in chunk for each in thread]
            view = await self._letters.present(work.tenant.log, named)
            ended = await asyncio.gather(*(self._deliver(work, view, each) for each in chunk), return_exceptions=True)
            # All of them have ended before the lock is released.
            for thread, trouble in zip(chunk, ended, strict=True):
                if trouble is not None:
                    self._set_aside(work, thread, trouble)
            done += len(chunk)
        for notice in (each for thread in threads[done:] for each in thread):
            work.handled.pop(notice.message_id, None)  # though asked for, it is still to be handed over
        return sum(map(len, threads[:done]))

    @asynccontextmanager
    async def _leading(self, tenant: Tenant) -> AsyncIterator[AsyncConnection[Any] | None]:
        """A connection that holds the tenant's outbox; None while another process does."""
        # Slow senders take their time, in which this connection only holds the lock.
        async with tried(self._tenants.pool, *_lock_of(tenant.schema)) as lock:
            if not lock.is_held and (who := await held_up(lock.connection, tenant.schema)):
                raise HeldUp(who)
            yield lock.connection if lock.is_held else None

    async def _begin(self, tenant: Tenant, now: datetime) -> _Work:
        policy = policy_at(await self._letters.policies(tenant.log), now)
        standing = await statuses(self._tenants.watchers, tenant.schema, PROJECTIONS)
        position = next(each.position for each in standing if each.name == outbox.OUTBOX.name)
        clock = asyncio.get_running_loop().time()
        before = self._handled.get(tenant.name, {})
        handled = {k: each for k, each in before.items() if position < each.position or clock < each.again_at}
        self._handled[tenant.name] = handled
        return _Work(tenant, policy, now, handled, position)

    # --- asking ---

    async def _unasked(self, connection: AsyncConnection[Any], work: _Work) -> list[Notice]:
        return await outbox.unasked(
            connection, work.tenant.schema, work.policy, work.now, list(work.handled), MOST_AT_ONCE
        )

    async def _due_by_time(self, connection: AsyncConnection[Any], work: _Work) -> list[Notice]:
        """The messages that are still true; the others are not even asked for."""
        found = await outbox.due_by_time(
            connection, work.tenant.schema, work.policy, work.now, list(work.handled), MOST_AT_ONCE
        )
        view = await self._letters.present(work.tenant.log, [(each.message_id, each.about) for each in found])
        wanted = []
        for notice in found:
            try:
                if notices.ask(view, notice, self._letters.newest, work.now):
                    wanted.append(notice)
                else:
                    self._remember(work, notice, 0, _LOOK_AGAIN_SECONDS)
            except Exception as error:  # noqa: BLE001 - the other messages are asked for
                self._set_aside(work, [notice], error)
        return wanted

    async def _ask(self, work: _Work, due: Sequence[Notice]) -> None:
        answers = await work.tenant.ledger.execute_many([self._asking(work, notice) for notice in due])
        for notice, answer in zip(due, answers, strict=True):
            if isinstance(answer, Receipt):
                self._remember(work, notice, answer.position)
            else:
                self._remember(work, notice, 0, _LOOK_AGAIN_SECONDS)

    def _asking(self, work: _Work, notice: Notice) -> Command:
        newest, now = self._letters.newest, work.now
        streams = tuple(notices.streams_of(notice.message_id, notice.about))
        # A new request id each time; the decision ensures that nothing is asked for twice.
        request = f"ask:{notice.message_id}:{now.isoformat()}"
        return own_command(request, ACTOR, lambda view: notices.ask(view, notice, newest, now), streams)

    def _remember(
        self, work: _Work, notice: Notice, position: int, seconds: float = 0.0, *, in_line: bool = False
    ) -> None:
        again_at = asyncio.get_running_loop().time() + seconds
        work.handled[notice.message_id] = _Handled(notice, position, again_at, in_line)

    def _set_aside(self, work: _Work, thread: Thread, error: BaseException) -> None:
        """Skips messages that fail, so that the others go on; raises errors that concern all of them."""
        if not isinstance(error, Exception) or is_trouble(error) or isinstance(error, _TROUBLE):
            raise error
        for notice in thread:
            message_id, tenant = notice.message_id, work.tenant.name
            log.error("message %s of %s failed and is tried later", message_id, tenant, exc_info=error)
            self._remember(work, notice, 0, _LOOK_AGAIN_SECONDS)

    # --- sending ---

    async def _deliver(self, work: _Work, view: View, thread: Thread) -> None:
        """Hands over what is due of a thread, as far as the log still wants it to be, and records what came of it."""
        open_ones = []
        for notice in thread:
            message = messages.find(view, notice.message_id)
            if message is None or message.next_at is None:
                self._remember(work, notice, await work.tenant.log.head())
                continue
            # A message that time alone made due holds its own reason.
            kind, about = message.asked.kind, message.asked.about
            if because := relevance.obsolete(view, kind, about, work.policy):
                await self._end(work, view, [message], _cancelled(message, because, work.now))
            elif relevance.waits(view, kind, about):
                self._remember(work, notice, 0, _WAIT_SECONDS)  # and what comes after it need not wait
            else:
                open_ones.append(message)
        mail = messages.next_mail(open_ones, work.now)
        for message in open_ones:
            if mail:
                work.handled.pop(message.message_id, None)
            elif messages.is_due(message, work.now):
                # An earlier one is to be tried again first. Those that wait for it take no turn from others.
                self._remember(work, _notice_of(message), 0, _WAIT_SECONDS, in_line=True)
        if mail:
            await self._hand_over(work, view, mail)

    async def _hand_over(self, work: _Work, view: View, mail: Sequence[Message]) -> None:
        """Writes these messages into one mail and records what the sender answered; what cannot be written ends."""
        written: dict[str, Envelope] = {}
        for message in mail:
            try:
                written[message.message_id] = await self._letters.write(work.tenant.log, view, message.asked)
            except Erased:
                await self._end(work, view, [message], _cancelled(message, "person_erased", work.now))
            except (KeyError, Unreadable):
                await self._end(
                    work, view, [message], self._failed([message], NotTaken(_UNWRITABLE, lasting=True), work)
                )
            except Exception as mistake:
                if is_trouble(mistake):
                    raise
                log.exception("message %s cannot be written", message.message_id)
                # The others wait until it is tried again.
                return await self._end(work, view, [message], self._failed([message], NotTaken("sender_failed"), work))
        said = [message for message in mail if message.message_id in written]
        if not said:
            return None
        letter = together(list(written.values())) if len(said) > 1 else written[said[0].message_id]
        letter = self._letters.addressed(letter, work.tenant.name, said, work.now)
        return await self._end(work, view, said, await self._outcome(work, said, letter))

    async def _outcome(self, work: _Work, said: Sequence[Message], letter: Envelope) -> _Outcome:
        """What is to be recorded once the sender has answered."""
        try:
            reference = await self._sent(work.tenant.name, letter)
        except NotTaken as refused:
            return self._failed(said, refused, work, letter.mail_id)
        except TimeoutError:
            return self._failed(said, NotTaken("timeout"), work, letter.mail_id)
        except Exception as mistake:
            if is_trouble(mistake):
                raise
            log.exception("message %s failed", letter.message_id)
            return self._failed(said, NotTaken("sender_failed"), work, letter.mail_id)
        ids, channel, now = _ids(said), self._sender.channel, work.now
        return _Outcome("sent", lambda view: notices.sent(view, ids, channel, reference, now, letter.mail_id))

    def _failed(self, said: Sequence[Message], why: NotTaken, work: _Work, mail_id: str = "") -> _Outcome:
        ids, now = _ids(said), work.now
        log.warning("message %s was not taken by %s: %s", ", ".join(ids), self._sender.channel, why.error)
        error, lasting, answer = why.error, why.lasting, why.answer
        return _Outcome("failed", lambda view: notices.failed(view, ids, error, lasting, now, answer, mail_id))

    async def _end(self, work: _Work, view: View, said: Sequence[Message], outcome: _Outcome) -> None:
        """Records what came of a mail, of all its messages or of none."""
        streams = tuple(messages.stream(each.message_id) for each in said)
        # The request id contains the version, so one version is handled once.
        request = f"{outcome.word}:{said[0].message_id}:{view.entry(streams[0]).version}"
        answer = await self._record(work, own_command(request, ACTOR, outcome.decide, streams))
        for message in said:
            if isinstance(answer, Receipt):
                self._remember(work, _notice_of(message), answer.position)
            elif isinstance(answer, RequestReused):
                # The hand-over cannot be recorded, so it must not be repeated.
                self._remember(work, _notice_of(message), 0, _LOOK_AGAIN_SECONDS)

    async def _sent(self, tenant: str, letter: Envelope) -> str:
        async with asyncio.timeout(_SENDING_SECONDS):
            return await self._sender.hand_over(tenant, letter)

    async def _record(self, work: _Work, command: Command) -> Receipt | Refusal:
        """What has happened must be recorded: while the ledger cannot answer, it is asked again."""
        for pause in (*_RECORD_PAUSES_SECONDS, None):
            try:
                return await work.tenant.ledger.execute(command)
            except (Exhausted, Unavailable):
                if pause is None:
                    raise
                await asyncio.sleep(pause)
            except Refusal as refusal:
                # A person cancelled it or asked for it at this very moment.
                log.info("request %s was refused: %s", command.request_id, refusal.reason)
                return refusal
        raise AssertionError("the last attempt answers or raises")


def _until(again_at: float) -> timedelta:
    """How long until then, in the time of the event loop."""
    return timedelta(seconds=max(again_at - asyncio.get_running_loop().time(), TICK_SECONDS))


_UNWRITABLE = "cannot_be_written"


def _ids(said: Sequence[Message]) -> list[str]:
    return [message.message_id for message in said]


def _cancelled(message: Message, because: str, now: datetime) -> _Outcome:
    return _Outcome("cancelled", lambda view: notices.cancel(view, message.message_id, because, notices.LEDGER, now))


def _thread_of(notice: Notice) -> str:
    return messages.thread_of(notice.kind.audience, notice.about)


def _notice_of(message: Message) -> Notice:
    asked = message.asked
    return Notice(asked.message_id, asked.kind, asked.about, asked.caused_at, asked.cause)
