"""The clock: finds what has run out and sends ordinary commands that notice it.

Any number of processes may run it. A decision that finds nothing to notice records nothing, and the
request ids derive from what ran out, so each thing is noticed exactly once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple, assert_never

from adapters.every_tenant import EveryTenant
from adapters.tenants import Tenant, Tenants
from ledger.decisions import (
    after_sales,
    intake,
    rerouting,
    stock_alerts,
    timers,
)
from ledger.engine.executor import Command, Receipt, own_command
from ledger.facts import Change
from ledger.nouns import cases, inquiries, orders, parcels, policies, recoveries, stock, suppliers
from ledger.refusals import Exhausted, ProjectionBehind, RequestReused, Unavailable
from ledger.terms.clocks import Clock
from ledger.view import View
from projections import PROJECTIONS, reviewing, sla, stock_levels
from projections.machine.reads import Where
from projections.machine.status import statuses
from projections.reviewing import Crossing
from projections.sla import Due, Timer

log = logging.getLogger("fulfilment.clock")

ACTOR = "clock"
TICK_SECONDS = 1.0
WATCH_SECONDS = 60.0
"""How often all rates are looked at: they move slowly, and looking takes a moment."""
MOST_AT_ONCE = 500
_ASK_AGAIN_SECONDS = 60.0
"""After a decision that noticed nothing although the read model, up to date, says that it is due."""


class _Asked(NamedTuple):
    """What was asked of the ledger lately and is still in the read model."""

    attempt: int
    position: int
    """Once the read model has come so far, it knows what came of it."""
    again_at: float


class Clocks:
    """The clocks of all tenants."""

    def __init__(self, tenants: Tenants) -> None:
        self._tenants = tenants
        self._asked: dict[str, dict[Due, _Asked]] = {}

    async def run(self) -> None:
        """Ticks and watches until it is cancelled."""
        await asyncio.gather(self._repeat(self.tick, TICK_SECONDS), self._repeat(self.watch, WATCH_SECONDS))

    async def _repeat(self, work: Callable[[Tenant, datetime], Awaitable[int]], seconds: float) -> None:
        async def once(name: str) -> bool:
            await work(await self._tenants.find(name), datetime.now(UTC))
            return False

        await EveryTenant(self._tenants.control, log, once, seconds).run()

    async def tick(self, tenant: Tenant, now: datetime) -> int:
        """Asks the ledger to notice what has run out by now; returns for how many things it did."""
        standing = await statuses(self._tenants.pool, tenant.schema, PROJECTIONS)
        positions = {each.name: each.position for each in standing}
        position = min(positions["sla"], positions["stock_levels"])
        async with self._tenants.pool.connection() as connection:
            found = await sla.due(connection, tenant.schema, now, MOST_AT_ONCE)
            found += await stock_levels.due(connection, tenant.schema, now, MOST_AT_ONCE)
        before = self._asked.get(tenant.name, {})
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
                # The ledger has told of it; asked every second it would tell of little else.
                kept[due] = _Asked(attempt, 0, clock + _ASK_AGAIN_SECONDS)
        self._asked[tenant.name] = kept
        return len(wanted)

    async def watch(self, tenant: Tenant, now: datetime) -> int:
        """Asks the ledger to notice the rates that crossed their targets; returns of how many suppliers."""
        try:
            found = await reviewing.crossings(Where(self._tenants.pool, tenant.schema), now)
        except ProjectionBehind:
            return 0  # it has no tables yet
        crossed = found.rows[:MOST_AT_ONCE]
        await tenant.ledger.execute_many([_notice(each, found.position, now) for each in crossed])
        return len(crossed)


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


def _command(due: Due, attempt: int, now: datetime) -> Command:
    request = f"{due.timer}:{'/'.join(due.names)}:{due.due.isoformat()}:{attempt}"
    decide, stream = _decision(due.timer, due.names, now)
    return own_command(request, ACTOR, stock_alerts.watching(decide, now), (stream,))


def _decision(timer: Timer, names: Sequence[str], now: datetime) -> tuple[Callable[[View], list[Change]], str]:
    """What notices it, and the stream that it is about."""
    match timer:
        case Timer.ACKNOWLEDGE | Timer.DISPATCH | Timer.DELIVERY:
            order_id, object_id = names
            clock = Clock(timer.value)
            return lambda view: timers.miss_deadline(view, order_id, object_id, clock, now), orders.stream(order_id)
        case Timer.RETURN_WINDOW:
            (order_id,) = names
            return lambda view: timers.complete_order(view, order_id, now), orders.stream(order_id)
        case Timer.FIRST_SCAN:
            carrier, number, epoch = names
            stream = parcels.stream(carrier, number)
            return lambda view: timers.miss_first_scan(view, carrier, number, int(epoch), now), stream
        case Timer.ANSWER:
            (inquiry_id,) = names
            return lambda view: timers.miss_inquiry_answer(view, inquiry_id, now), inquiries.stream(inquiry_id)
        case Timer.LOSS:
            carrier, number, epoch = names
            stream = parcels.stream(carrier, number)
            return lambda view: timers.suspect_loss(view, carrier, number, int(epoch), now), stream
        case Timer.FIRST_ANSWER:
            (case_id,) = names
            return lambda view: after_sales.miss_first_answer(view, case_id, now), cases.stream(case_id)
        case Timer.RESHIP:
            (case_id,) = names
            return lambda view: after_sales.follow_reship(view, case_id, now), cases.stream(case_id)
        case Timer.RESERVATION:
            supplier_id, sku, held_for = names
            stream = stock.stream(supplier_id, sku)
            return lambda view: timers.expire_reservation(view, supplier_id, sku, held_for, now), stream
        case Timer.CLAIM_FILING:
            (recovery_id,) = names
            return lambda view: timers.bar_claim(view, recovery_id, now), recoveries.stream(recovery_id)
        case Timer.RECOVERY_ANSWER:
            (recovery_id,) = names
            return lambda view: timers.miss_answer(view, recovery_id, now), recoveries.stream(recovery_id)
        case Timer.CLAIM_ELIGIBLE:
            (recovery_id,) = names
            return lambda view: timers.become_eligible(view, recovery_id, now), recoveries.stream(recovery_id)
        case Timer.FEED:
            supplier_id, sku = names
            stream = stock.stream(supplier_id, sku)
            return lambda view: stock_alerts.notice_stale_feed(view, supplier_id, sku, now), stream
        case Timer.REROUTE:
            order_id, supplier_order_id, late = names
            missed = Clock(late)
            stream = orders.stream(order_id)
            return lambda view: rerouting.reroute_overdue(view, order_id, supplier_order_id, missed, now), stream
        case Timer.WAITING:
            order_id, _ = names
            return lambda view: intake.serve_waiting(view, order_id, now), orders.stream(order_id)
        case _:
            assert_never(timer)
