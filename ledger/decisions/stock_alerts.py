"""Stock against what was agreed: feeds that go stale, and alerts at every crossing of a threshold (DOMAIN 3).

Alerts are decided in one place for every command, from each stock stream that it touches as it will be with the new
facts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ledger.decisions import spelling, stocking_up
from ledger.facts import Change, changes_of
from ledger.nouns import policies, stock, suppliers
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
    StockFact,
    StockLow,
    StockReserved,
    StockRunningOut,
)
from ledger.view import View

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
    changes = changes_of(stock.stream(supplier_id, sku), facts)
    if own is not None and own.secured and facts and isinstance(facts[0], FeedRecorded):
        changes += stocking_up.after_feed(view, own, supplier_id, sku, feed, now)
    return changes if own is not None and own.tracked else [*changes, *spelling.spell(view, sku, now)]


# --- alerts ---------------------------------------------------------------------------------------


def alerts_of(
    own: Stock | None, facts: Sequence[StockFact], policy: Policy, now: datetime, after: Stock | None = None
) -> list[StockFact]:
    """The alerts that facts of one stock stream give rise to; usually none. ``after`` is the stock with them."""
    return [] if own is not None and _stays_plentiful(own, facts, policy) else _alerts(own, facts, policy, now, after)


_TAKES_NOTHING = frozenset(
    {ReservationCommitted, ReservationConsumed, ReservationReleased, ReservationExpired, ReservationExtended}
)
"""Facts that do not reduce the available units."""


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


def _alerts(
    own: Stock | None, facts: Sequence[StockFact], policy: Policy, now: datetime, after: Stock | None
) -> list[StockFact]:
    supplier_id, sku = facts[0].supplier_id, facts[0].sku
    after = after or stock.after(own, facts)
    if after.feed is None:
        return []
    alerts = _crossings(after, supplier_id, sku, policy, now)
    if (shortfall := after.shortfall) > after.oversold:
        affected = _affected(stock.after(own, facts, whole=True))
        alerts.insert(0, Oversold(supplier_id, sku, shortfall, affected, now))
    elif own is not None and own.oversold and not shortfall:
        alerts.append(AlertEnded(supplier_id, sku, Alert.OVERSOLD, after.available, now))
    return alerts


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
            facts.append(
                StockRunningOut(
                    supplier_id=supplier_id,
                    sku=sku,
                    available=available,
                    demand=demand,
                    window_days=window,
                    cover_days=cover,
                    at=now,
                )
            )
        elif after.running_out and not ends_soon:
            facts.append(AlertEnded(supplier_id, sku, Alert.RUNNING_OUT, available, now))
    if available <= 0 and not after.sold_out:
        facts.append(SoldOut(supplier_id, sku, now))
    elif after.sold_out and available > 0:
        facts.append(BackInStock(supplier_id, sku, available, now))
    return facts
