"""What a command means for stock beside what was asked: who waits for it, who is served by it, which alerts it raises.

``watching`` wraps the decision of every command. From its facts follow which orders begin or cease to wait for stock.
Units that come in go to the orders that wait for them, in the same decision and so before any newer order can ask.
Then each touched stock is looked at as it will be, for its alerts (DOMAIN 3).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial, reduce
from typing import Any

from ledger.decisions.ahead import Ahead
from ledger.decisions.confirmation import serve_waiting
from ledger.decisions.order_stock import Item, barred_of, need_for, waits_of
from ledger.decisions.stock_alerts import alerts_of
from ledger.facts import Change, changes_of
from ledger.nouns import orders, policies, stock
from ledger.nouns.orders import HoldPlaced, HoldReason, Order, OrderFact, OrderPlaced, UnitsBackordered
from ledger.nouns.orders.supplier_orders import ShipmentVoided
from ledger.nouns.policies import policy_at
from ledger.nouns.stock import (
    BufferSet,
    FeedFresh,
    FeedRecorded,
    ReservationExpired,
    ReservationReleased,
    Restocked,
    Stock,
    StockAwaited,
    StockCorrected,
    StockFact,
    WaitEnded,
)
from ledger.refusals import Refusal
from ledger.view import Broken, Decide, Miss, View

MOST_SERVED = 20
"""How many waiting orders one command looks at. The clock serves the others; until then their units are kept."""


def watching(decide: Decide, now: datetime) -> Decide:
    """The decision, with all that its facts mean for stock."""
    return partial(_decided, decide, now)


def _decided(decide: Decide, now: datetime, view: View) -> Sequence[Change]:
    return watched(view, decide(view), now)


def watched(view: View, changes: Sequence[Change], now: datetime) -> Sequence[Change]:
    """The changes, with all that they mean for stock."""
    touched: defaultdict[str, list[Any]] = defaultdict(list)
    of_orders: defaultdict[str, list[Any]] = defaultdict(list)
    for stream, fact in changes:
        if stream.startswith("stock-"):
            touched[stream].append(fact)
        elif stream.startswith("order-"):
            of_orders[stream].append(fact)
    for stream, facts in of_orders.items():
        if waits := _waits(view, stream, facts, now):
            changes = [*changes, *waits]
            for stock_of, fact in waits:
                touched[stock_of].append(fact)
    if not touched:
        return changes
    owns: dict[str, Stock | None] = {stream: view.state(stream) for stream in touched}
    afters = {
        stream: stock.after(own, touched[stream])
        for stream, own in owns.items()
        if own is not None and own.waiting and any(_may_fill(own, fact) for fact in touched[stream])
    }
    fuller = [stream for stream, after in afters.items() if _fills(owns[stream], after)]
    if fuller:
        served = _serve(view, changes, fuller, now)
        changes = [*changes, *served]
        for stream, fact in served:
            if stream.startswith("stock-"):
                touched[stream].append(fact)
                owns.setdefault(stream, view.state(stream))
                afters.pop(stream, None)
    policy = policy_at(policies.find(view), now)
    alerts: list[Change] = []
    for stream, facts in touched.items():
        alerts += changes_of(stream, alerts_of(owns[stream], facts, policy, now, afters.get(stream)))
    return [*changes, *alerts] if alerts else changes


# --- who waits ------------------------------------------------------------------------------------

_WAITING = frozenset({HoldReason.OUT_OF_STOCK, HoldReason.INCOMPLETE, HoldReason.OTHER})


def _waits(view: View, stream: str, facts: Sequence[OrderFact], now: datetime) -> list[Change]:
    """What the facts of an order change about its waiting for stock; usually nothing."""
    order_id = stream.removeprefix(orders.stream(""))
    before = None if isinstance(facts[0], OrderPlaced) else orders.find(view, order_id)
    if not _begins_to_wait(facts) and (before is None or not _waited(before)):
        return []
    after = reduce(orders.evolve, facts, before)
    assert after is not None, "it has facts"
    (chosen, named), waits = barred_of(after), waits_of(after)
    barred, wanted = chosen.keys() | named.keys(), {**chosen, **named, **waits}
    items = dict.fromkeys([*(_awaited_by(before) if before else ()), *wanted])
    view.need(*(stock.stream(*item) for item in items))
    changes: list[Change] = []
    for item in items:
        own, units = stock.find(view, *item) or Stock(), wanted.get(item, 0)
        # A missing first feed does not stop an order; only a supplier that is not approved does.
        if own.waiting.get(order_id, 0) == units or (units and not own.tracked and item not in barred):
            continue
        supplier_id, sku = item
        if units:
            kept = units if item in chosen and order_id not in own.waiting and units <= own.available else 0
            fact: StockFact = StockAwaited(
                supplier_id=supplier_id,
                sku=sku,
                order_id=order_id,
                units=units,
                at=now,
                since=after.placed.placed_at,
                kept=kept,
            )
        else:
            fact = WaitEnded(supplier_id, sku, order_id, now)
        changes.append((stock.stream(*item), fact))
    return changes


def _awaited_by(order: Order) -> list[Item]:
    chosen, named = barred_of(order)
    return [*chosen, *named, *waits_of(order)]


def _begins_to_wait(facts: Sequence[OrderFact]) -> bool:
    for fact in facts:
        if isinstance(fact, OrderPlaced):
            if _wait(fact.holds):
                return True
        elif isinstance(fact, UnitsBackordered | ShipmentVoided) or (
            isinstance(fact, HoldPlaced) and fact.hold.reason in _WAITING
        ):
            return True
    return False


def _waited(order: Order) -> bool:
    return bool(order.unreserved) or _wait(order.holds)


def _wait(holds: Sequence[orders.Hold]) -> bool:
    return not _WAITING.isdisjoint([hold.reason for hold in holds])


# --- who is served --------------------------------------------------------------------------------

_FILL = frozenset(
    {
        FeedRecorded,
        StockCorrected,
        BufferSet,
        FeedFresh,
        Restocked,
        ReservationReleased,
        ReservationExpired,
        WaitEnded,
    }
)
"""Facts that can bring units, or leave them to others who wait."""


def _fills(own: Stock | None, after: Stock) -> bool:
    """Whether somebody who waits can have more: there are more units, or fewer that others wait for."""
    if own is None or not after.waiting or after.free <= 0:
        return False
    return after.free > own.free or after.awaited < own.awaited


def _may_fill(own: Stock, fact: StockFact) -> bool:
    return fact.order_id in own.waiting if type(fact) is StockAwaited else type(fact) in _FILL


def _serve(view: View, changes: Sequence[Change], streams: Iterable[str], now: datetime) -> list[Change]:
    """Serves the orders that wait for these stocks, the oldest first, and whom that leaves units in turn.

    What several of them miss is asked for together, so that the number of loads does not grow with theirs.
    """
    ahead, queue = Ahead(view), dict.fromkeys(streams)
    ahead.add(changes)
    _need_lines(ahead, queue)
    served: list[Change] = []
    tried: set[str] = set()
    missing: dict[str, None] = {}
    while queue and len(tried) < MOST_SERVED:
        stream = next(iter(queue))
        order_id = next((each for each in _in_reach(ahead.state(stream)) if each not in tried), None)
        if order_id is None:
            del queue[stream]
            continue
        tried.add(order_id)
        try:
            more = _serve_one(ahead, order_id, now)
        except Miss as miss:
            missing |= dict.fromkeys(miss.streams)
            continue
        ahead.add(more)
        served += more
        queue |= dict.fromkeys(touched for touched, _ in more if touched.startswith("stock-"))
    if missing:
        raise Miss(missing)
    return served


def _serve_one(view: View, order_id: str, now: datetime) -> list[Change]:
    """What an order gets now. Whatever is wrong with it must not stop somebody else's command."""
    found = view.find(orders.stream(order_id))
    if found is not None and type(found.state) is Broken:
        return []
    try:
        changes = serve_waiting(view, order_id, now)
    except Refusal:
        return []
    facts: list[Any] = [fact for stream, fact in changes if stream == orders.stream(order_id)]
    return [*changes, *(_waits(view, orders.stream(order_id), facts, now) if facts else ())]


def _in_reach(own: Stock) -> Iterator[str]:
    """The orders for which a unit is left after those that waited before them, the oldest first."""
    left = own.free
    for order_id, units in own.waiting.items():
        if left <= 0:
            return
        yield order_id
        left -= units


def _need_lines(view: View, streams: Iterable[str]) -> None:
    """Loads the first orders that wait for these stocks, and then the stocks and suppliers of all their lines."""
    order_ids = {each: None for stream in streams for each in _in_reach(view.state(stream))}
    first = [*order_ids][:MOST_SERVED]
    view.need(*map(orders.stream, first))
    lines = [
        line
        for order_id in first
        if (order := getattr(view.find(orders.stream(order_id)), "state", None)) is not None
        and type(order) is not Broken
        for line in order.lines.values()
    ]
    need_for(view, lines)
