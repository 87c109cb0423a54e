"""Stock against what was agreed: feeds that go stale, and alerts at every crossing of a threshold (DOMAIN 3).

Alerts are decided in one place for every command: ``watching`` wraps its decision, looks at each stock
stream that it touches as it will be with the new facts, and adds the alerts for staff and shops. It also records
which orders wait for stock, which follows from their facts, in the streams of the stock that they wait for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import reduce
from typing import Any

from msgspec.structs import replace

from ledger.decisions.order_stock import Item, barred_of, waits_of
from ledger.facts import Change, changes_of
from ledger.nouns import orders, policies, stock, suppliers
from ledger.nouns.orders import (
    HoldPlaced,
    HoldReason,
    Order,
    OrderFact,
    OrderPlaced,
    UnitsBackordered,
)
from ledger.nouns.policies import Policy, policy_at
from ledger.nouns.stock import (
    Alert,
    AlertEnded,
    BackInStock,
    Feed,
    FeedRecorded,
    Oversold,
    ReservationCommitted,
    ReservationConsumed,
    ReservationExpired,
    ReservationExtended,
    ReservationReleased,
    ReservationStatus,
    SoldOut,
    Stock,
    StockAwaited,
    StockCorrected,
    StockFact,
    StockLow,
    StockReserved,
    StockRunningOut,
    WaitEnded,
)
from ledger.view import Decide, View

# --- feeds ----------------------------------------------------------------------------------------


def record_feed(view: View, supplier_id: str, sku: str, feed: Feed, now: datetime) -> list[Change]:
    """The supplier's newest figure; when it goes stale is agreed in the terms in force now."""
    view.need(stock.stream(supplier_id, sku), suppliers.stream(supplier_id), policies.stream())
    own, supplier = stock.find(view, supplier_id, sku), suppliers.known(suppliers.find(view, supplier_id), supplier_id)
    agreement = supplier.agreement_at(now)
    stale_at = agreement.feed_by(feed.as_of) if agreement else None
    facts = stock.record_feed(own, supplier_id, sku, feed, now, stale_at, offered=sku in supplier.offers)
    if facts and isinstance(facts[0], FeedRecorded):
        # The figure may be stale already when it arrives.
        facts += stock.go_stale(own, supplier_id, sku, stale_at, policy_at(policies.find(view), now), now)
    return changes_of(stock.stream(supplier_id, sku), facts)


# --- alerts ---------------------------------------------------------------------------------------


def watching(decide: Decide, now: datetime) -> Decide:
    """The decision, with the alerts that its facts give rise to."""
    return lambda view: watched(view, decide(view), now)


def watched(view: View, changes: Sequence[Change], now: datetime) -> Sequence[Change]:
    """The changes, with the alerts of each stock stream that they touch."""
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
    policy = policy_at(policies.find(view), now)
    alerts: list[Change] = []
    for stream, facts in touched.items():
        own = stock.find(view, facts[0].supplier_id, facts[0].sku)
        if own is None or not _stays_plentiful(own, facts, policy):
            alerts += changes_of(stream, _alerts(own, facts, policy, now))
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
            fact: StockFact = StockAwaited(supplier_id, sku, order_id, units, now, after.placed.placed_at, kept)
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
        elif isinstance(fact, UnitsBackordered) or (isinstance(fact, HoldPlaced) and fact.hold.reason in _WAITING):
            return True
    return False


def _waited(order: Order) -> bool:
    return bool(order.unreserved) or _wait(order.holds)


def _wait(holds: Sequence[orders.Hold]) -> bool:
    return not _WAITING.isdisjoint([hold.reason for hold in holds])


# --- alerts ---------------------------------------------------------------------------------------

_TAKES_NOTHING = frozenset(
    {ReservationCommitted, ReservationConsumed, ReservationReleased, ReservationExpired, ReservationExtended}
)
"""Facts that do not reduce the available units."""


_COUNT_ANEW = frozenset({FeedRecorded, StockCorrected})
"""Facts that need every reservation to be counted again."""


def _stays_plentiful(own: Stock, facts: Sequence[StockFact], policy: Policy) -> bool:
    """Whether no threshold can be near. Usually that is so; to be fast, only bounds are compared."""
    if own.low or own.running_out or own.sold_out:
        return False
    taken = 0
    for fact in facts:
        if type(fact) is StockReserved:
            taken += fact.units
        elif type(fact) not in _TAKES_NOTHING:
            return False
    left, most_demand = own.available - taken, own.demand_kept + own.held + taken
    lasts = left * policy.demand_window_days > policy.cover_days * most_demand
    return left > 0 and left >= _threshold(own, policy) and lasts


def _threshold(own: Stock, policy: Policy) -> int:
    return policy.low_stock_units if own.low_threshold is None else own.low_threshold


def _alerts(own: Stock | None, facts: Sequence[StockFact], policy: Policy, now: datetime) -> list[StockFact]:
    supplier_id, sku = facts[0].supplier_id, facts[0].sku
    after = _after(own, facts)
    if after.feed is None:
        return []
    alerts = _crossings(after, supplier_id, sku, policy, now)
    if (shortfall := after.shortfall) > after.oversold:
        affected = _affected(_after(own, facts, whole=True))
        alerts.insert(0, Oversold(supplier_id, sku, shortfall, affected, now))
    return alerts


def _after(own: Stock | None, facts: Sequence[StockFact], whole: bool = False) -> Stock:
    """A copy of the stock with the facts applied; unless whole, only with the reservations that they name."""
    present = own or Stock()
    kept = present.reservations
    if not whole and _COUNT_ANEW.isdisjoint(map(type, facts)):
        kept = {name: kept[name] for fact in facts if (name := getattr(fact, "reservation_id", "")) in kept}
    after = replace(
        present,
        reservations={name: replace(reservation) for name, reservation in kept.items()},
        waiting=present.waiting.copy(),
        since=present.since.copy(),
        shipped=present.shipped.copy(),
        returned=present.returned.copy(),
        demand=present.demand.copy(),
    )
    for fact in facts:
        after = stock.evolve(after, fact)
    return after


def _affected(after: Stock) -> tuple[str, ...]:
    """The orders that cannot be served any more: those committed last, as many as the shortfall takes."""
    owed = [
        (each.committed_at, reservation_id, each.units)
        for reservation_id, each in after.reservations.items()
        if each.status is ReservationStatus.COMMITTED and each.committed_at is not None and not each.in_feed
    ]
    affected, missing = [], after.shortfall
    for _, reservation_id, units in sorted(owed, reverse=True):
        if missing <= 0:
            break
        affected.append(reservation_id)
        missing -= units
    return tuple(affected)


def _crossings(after: Stock, supplier_id: str, sku: str, policy: Policy, now: datetime) -> list[StockFact]:
    """Each threshold that was crossed since its last alert; crossing back resets it."""
    available, threshold = after.available, _threshold(after, policy)
    facts: list[StockFact] = []
    is_low = threshold > 0 and available < threshold
    if is_low and not after.low:
        facts.append(StockLow(supplier_id, sku, available, threshold, now))
    elif after.low and not is_low:
        facts.append(AlertEnded(supplier_id, sku, Alert.LOW, available, now))
    # Sold out replaces the alert of running out.
    if available > 0 or after.running_out:
        window, cover = policy.demand_window_days, policy.cover_days
        demand = after.demand_of(window, now.toordinal())
        ends_soon = demand > 0 and available * window <= cover * demand
        if ends_soon and not after.running_out:
            facts.append(StockRunningOut(supplier_id, sku, available, demand, window, cover, now))
        elif after.running_out and not ends_soon:
            facts.append(AlertEnded(supplier_id, sku, Alert.RUNNING_OUT, available, now))
    if available <= 0 and not after.sold_out:
        facts.append(SoldOut(supplier_id, sku, now))
    elif after.sold_out and available > 0:
        facts.append(BackInStock(supplier_id, sku, available, now))
    return facts
