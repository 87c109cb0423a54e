"""The clock: finds what has run out and sends ordinary commands that notice it.

Any number of processes may run it. A decision that finds nothing to notice records nothing, and the
request ids derive from what ran out, so each thing is noticed exactly once.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple

from psycopg import AsyncConnection

from adapters.every_tenant import REST, EveryTenant, soonest
from adapters.messages.senders import FileSender
from adapters.people.retention import Expiring
from adapters.tenants import Tenant, Tenants
from ledger.decisions import (
    stock_watch,
    timers,
)
from ledger.decisions.timers import Timer
from ledger.engine.commands import Command, Receipt, own_command
from ledger.engine.sealing import Sealer
from ledger.facts import Change
from ledger.nouns import policies, suppliers
from ledger.refusals import Exhausted, ProjectionBehind, RequestReused, Unavailable
from ledger.view import View
from projections import obligations, stock_levels
from projections.machine.reads import Where
from projections.machine.status import statuses
from projections.supplier_performance import reviewing
from projections.supplier_performance.reviewing import Crossing

log = logging.getLogger("fulfilment.clock")

ACTOR = "clock"
TICK_SECONDS = 1.0
WATCH_SECONDS = 60.0
"""How often is looked at rates, and for what was kept for long enough: both move slowly, and looking takes a moment."""
MOST_AT_ONCE = 500
_ASK_AGAIN_SECONDS = 60.0
"""After a decision that noticed nothing although the up-to-date read model lists it as due."""


class _Asked(NamedTuple):
    """A timer that the ledger was asked to notice and that is still in the read model."""

    attempt: int
    position: int
    """Once the read model has come so far, it knows what came of it."""
    again_at: float


class Clocks:
    """The clocks of all tenants."""

    def __init__(self, tenants: Tenants, files: FileSender | None = None, sealer: Sealer | None = None) -> None:
        self._tenants = tenants
        self._expiring = Expiring(files, sealer)
        self._asked: dict[str, dict[Timer, _Asked]] = {}

    async def run(self) -> None:
        """Ticks, watches and erases until it is cancelled."""
        control = self._tenants.control
        await asyncio.gather(
            EveryTenant(control, log, self._tick, TICK_SECONDS, rest=self._rest).run(),
            EveryTenant(control, log, self._watch, WATCH_SECONDS).run(),
            EveryTenant(control, log, self._expire, WATCH_SECONDS).run(),
        )

    async def _tick(self, name: str) -> timedelta:
        await self.tick(await self._tenants.find(name), datetime.now(UTC))
        return timedelta(seconds=TICK_SECONDS)

    async def _rest(self, name: str) -> timedelta:
        return await self.rest(await self._tenants.find(name), datetime.now(UTC))

    async def rest(self, tenant: Tenant, now: datetime) -> timedelta:
        """How long nothing will run out if nothing is written."""
        if asked := self._asked.get(tenant.name):
            soon = min(each.again_at for each in asked.values()) - asyncio.get_running_loop().time()
            return timedelta(seconds=max(soon, TICK_SECONDS))
        async with self._tenants.pool.connection() as connection:
            return await soonest(lambda later: _due(connection, tenant, later, 1), now)

    async def _watch(self, name: str) -> timedelta:
        await self.watch(await self._tenants.find(name), datetime.now(UTC))
        return REST  # what time alone moves there, it moves by days

    async def _expire(self, name: str) -> timedelta:
        await self.expire(await self._tenants.find(name), datetime.now(UTC))
        return REST  # what time alone moves there, it moves by days

    async def tick(self, tenant: Tenant, now: datetime) -> int:
        """Asks the ledger to notice what has run out by now; returns how many things were noticed."""
        before = self._asked.get(tenant.name, {})
        # Before what is found: a later position could seem to have what came of it.
        position = await self._position(tenant) if before else 0
        async with self._tenants.watchers.connection() as connection:
            found = await _due(connection, tenant, now, MOST_AT_ONCE)
        kept = {due: before[due] for due in found if due in before}
        clock = asyncio.get_running_loop().time()
        wanted = [due for due in found if due not in kept or _is_stale(kept[due], position, clock)]
        attempts = [kept[due].attempt + 1 if due in kept else 0 for due in wanted]
        commands = [_command(due, attempt, now) for due, attempt in zip(wanted, attempts, strict=True)]
        answers = await tenant.ledger.execute_many(commands)
        for due, attempt, answer in zip(wanted, attempts, answers, strict=True):
            if isinstance(answer, Receipt):
                kept[due] = _Asked(attempt, answer.position, clock + _ASK_AGAIN_SECONDS)
            elif isinstance(answer, RequestReused):
                kept[due] = _Asked(attempt, 0, clock)  # the next attempt has another id
            elif not isinstance(answer, Exhausted | Unavailable):
                # The ledger has logged it; every second would be too often.
                kept[due] = _Asked(attempt, 0, clock + _ASK_AGAIN_SECONDS)
        self._asked[tenant.name] = kept
        return len(wanted)

    async def _position(self, tenant: Tenant) -> int:
        """To which the read models go that show what is due."""
        standing = await statuses(self._tenants.watchers, tenant.schema, [obligations.SLA, stock_levels.STOCK_LEVELS])
        return min(each.position for each in standing)

    async def expire(self, tenant: Tenant, now: datetime) -> int:
        """Erases what has been kept for as long as the policy says; returns of how many orders and suppliers."""
        return await self._expiring.tick(tenant, now)

    async def watch(self, tenant: Tenant, now: datetime) -> int:
        """Asks the ledger to notice the rates that crossed their targets; returns of how many suppliers."""
        try:
            found = await reviewing.crossings(Where(self._tenants.pool, tenant.schema), now)
        except ProjectionBehind:
            return 0  # it has no tables yet
        crossed = found.rows[:MOST_AT_ONCE]
        await tenant.ledger.execute_many([_notice(each, found.position, now) for each in crossed])
        return len(crossed)


async def _due(connection: AsyncConnection[Any], tenant: Tenant, now: datetime, most: int) -> list[Timer]:
    found = await obligations.due(connection, tenant.schema, now, most)
    return found + await stock_levels.due(connection, tenant.schema, now, most)


def _notice(crossing: Crossing, position: int, now: datetime) -> Command:
    """The command that notices what was seen: two processes that see the same send the same."""
    seen = ",".join(f"{rate.name}={rate.numerator}/{rate.denominator}" for rate in crossing.rates)
    digest = sha256(f"{crossing.supplier_id}:{seen}:{position}".encode()).hexdigest()
    streams = (suppliers.stream(crossing.supplier_id), policies.stream())

    def decide(view: View) -> list[Change]:
        view.need(*streams)
        return timers.notice_rates(view, crossing.supplier_id, crossing.rates, now)

    return own_command(f"rates:{digest}", ACTOR, decide, streams)


def _is_stale(asked: _Asked, position: int, clock: float) -> bool:
    return position >= asked.position and clock >= asked.again_at


def _command(timer: Timer, attempt: int, now: datetime) -> Command:
    def decide(view: View) -> list[Change]:
        return timer.notice(view, now)

    return own_command(timer.request(attempt), ACTOR, stock_watch.watching(decide, now), (timer.stream,))
