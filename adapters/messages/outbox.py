"""The outbox: asks for the messages that are due, hands each to a sender, and records what came of it.

Any number of processes may run it; one at a time works for a tenant, under a lock of the database. Right before a
message is handed over its own stream is read from the log, whatever the read model shows, so nothing is knowingly sent
twice. After a crash between the hand-over and its record a message is handed over once more, under the same id, by
which a sender can recognise it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import AsyncConnection

from adapters.database.locks import tried
from adapters.every_tenant import AT_ONCE, REST, EveryTenant, soonest
from adapters.messages.handing_over import HandingOver
from adapters.messages.letters import Letters
from adapters.messages.outbox_work import ACTOR, LOOK_AGAIN_SECONDS, HandledMessage, OutboxWork, Thread
from adapters.messages.senders import Sender
from adapters.messages.unreached import Unreached
from adapters.tenants import Tenant, Tenants
from ledger.decisions import notices
from ledger.decisions.notices import Notice
from ledger.engine.commands import Command, Receipt, own_command
from ledger.nouns import messages, policies
from ledger.nouns.policies import policy_at
from ledger.refusals import Shown
from projections import PROJECTIONS, outbox
from projections.machine.database import HOLDER
from projections.machine.reads import state_now
from projections.machine.status import statuses

log = logging.getLogger("fulfilment.outbox")

TICK_SECONDS = 1.0
MOST_AT_ONCE = 500
"""Messages a tick."""
_TURN_SECONDS = 2.0
"""After which a tick begins no more hand-overs, so that other tenants get their turn."""
_HELD_UP_SECONDS = 60.0
"""A turn is much shorter: a process that leads for so long has stopped."""
_LOCK_SEED = 0x0B0C5E
"""Its own: the read model of messages has a lock of the same name."""


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
        self._handing_over = HandingOver(letters, sender)
        self._handled: dict[str, dict[str, HandledMessage]] = {}
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

    async def _threads(self, connection: AsyncConnection[Any], work: OutboxWork, due: Sequence[Notice]) -> list[Thread]:
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

    async def _deliver_all(self, connection: AsyncConnection[Any], work: OutboxWork, threads: Sequence[Thread]) -> int:
        """Hands messages over while its turn lasts; returns how many it handled."""
        clock = asyncio.get_running_loop().time
        done, turn_ends_at = 0, clock() + _TURN_SECONDS
        while done < len(threads) and clock() < turn_ends_at:
            await connection.execute("SELECT 1")  # fails if the lock is lost with the connection
            chunk = threads[done : done + self._sender.at_once]
            named = [(each.message_id, each.about) for thread in chunk for each in thread]
            view = await self._letters.present(work.tenant.log, named)
            handed = [self._handing_over.deliver(work, view, each) for each in chunk]
            ended = await asyncio.gather(*handed, return_exceptions=True)
            # All of them have ended before the lock is released.
            for thread, trouble in zip(chunk, ended, strict=True):
                if trouble is not None:
                    work.set_aside(thread, trouble)
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

    async def _begin(self, tenant: Tenant, now: datetime) -> OutboxWork:
        policy = policy_at(await self._letters.policies(tenant.log), now)
        standing = await statuses(self._tenants.watchers, tenant.schema, PROJECTIONS)
        position = next(each.position for each in standing if each.name == outbox.OUTBOX.name)
        clock = asyncio.get_running_loop().time()
        before = self._handled.get(tenant.name, {})
        handled = {k: each for k, each in before.items() if position < each.position or clock < each.again_at}
        self._handled[tenant.name] = handled
        return OutboxWork(tenant, policy, now, handled, position)

    # --- asking ---

    async def _unasked(self, connection: AsyncConnection[Any], work: OutboxWork) -> list[Notice]:
        return await outbox.unasked(
            connection, work.tenant.schema, work.policy, work.now, list(work.handled), MOST_AT_ONCE
        )

    async def _due_by_time(self, connection: AsyncConnection[Any], work: OutboxWork) -> list[Notice]:
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
                    work.remember(notice, 0, LOOK_AGAIN_SECONDS)
            except Exception as error:  # noqa: BLE001 - the other messages are asked for
                work.set_aside([notice], error)
        return wanted

    async def _ask(self, work: OutboxWork, due: Sequence[Notice]) -> None:
        answers = await work.tenant.ledger.execute_many([self._asking(work, notice) for notice in due])
        for notice, answer in zip(due, answers, strict=True):
            if isinstance(answer, Receipt):
                work.remember(notice, answer.position)
            else:
                work.remember(notice, 0, LOOK_AGAIN_SECONDS)

    def _asking(self, work: OutboxWork, notice: Notice) -> Command:
        newest, now = self._letters.newest, work.now
        streams = tuple(notices.streams_of(notice.message_id, notice.about))
        # A new request id each time; the decision ensures that nothing is asked for twice.
        request = f"ask:{notice.message_id}:{now.isoformat()}"
        return own_command(request, ACTOR, lambda view: notices.ask(view, notice, newest, now), streams)


def _until(again_at: float) -> timedelta:
    """How long until then, in the time of the event loop."""
    return timedelta(seconds=max(again_at - asyncio.get_running_loop().time(), TICK_SECONDS))


def _thread_of(notice: Notice) -> str:
    return messages.thread_of(notice.kind.audience, notice.about)
