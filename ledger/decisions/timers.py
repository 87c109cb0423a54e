"""What time does: noticing deadlines, holds and windows that ran out (DOMAIN 3, 4, 6)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from ledger.decisions.docket import order_changes
from ledger.facts import Change, changes_of
from ledger.nouns import (
    claims,
    inquiries,
    orders,
    parcels,
    policies,
    recoveries,
    stock,
    suppliers,
)
from ledger.nouns.orders import breaches
from ledger.nouns.policies import policy_at
from ledger.terms.clocks import Clock
from ledger.terms.rates import Rate
from ledger.view import View


def miss_deadline(view: View, order_id: str, object_id: str, clock: Clock, now: datetime) -> list[Change]:
    """Notice that one of an order's clocks ran out. Nothing to notice records nothing."""
    return order_changes(order_id, breaches.miss_deadline(orders.find(view, order_id), object_id, clock, now))


def complete_order(view: View, order_id: str, now: datetime) -> list[Change]:
    """Notice that the return window closed. Nothing to notice records nothing."""
    order = orders.find(view, order_id)
    delivered_at = order.delivered_at if order else None
    closes_at = None
    if order is not None and delivered_at is not None:
        closes_at = delivered_at + timedelta(days=order.placed.return_window_days)
    return order_changes(order_id, orders.complete(order, closes_at, now))


def expire_reservation(view: View, supplier_id: str, sku: str, reservation_id: str, now: datetime) -> list[Change]:
    """Notice that a hold ran out. Nothing to notice records nothing."""
    facts = stock.expire(stock.find(view, supplier_id, sku), supplier_id, sku, reservation_id, now)
    return changes_of(stock.stream(supplier_id, sku), facts)


def miss_first_scan(view: View, carrier: str, number: str, epoch: int, now: datetime) -> list[Change]:
    """Notice that a carrier never scanned a parcel in time. Nothing to notice records nothing."""
    facts = parcels.miss_first_scan(parcels.find(view, carrier, number), epoch, now)
    return changes_of(parcels.stream(carrier, number), facts)


def suspect_loss(view: View, carrier: str, number: str, epoch: int, now: datetime) -> list[Change]:
    """Notice that nobody has seen a parcel for long. Nothing to notice records nothing."""
    after_days = policy_at(policies.find(view), now).suspected_lost_after_days
    facts = parcels.suspect_loss(parcels.find(view, carrier, number), epoch, after_days, now)
    return changes_of(parcels.stream(carrier, number), facts)


def miss_answer(view: View, recovery_id: str, now: datetime) -> list[Change]:
    """Notice that a supplier did not answer what is asked of it. Nothing to notice records nothing."""
    facts = recoveries.miss_answer(recoveries.find(view, recovery_id), now)
    return changes_of(recoveries.stream(recovery_id), facts)


def become_eligible(view: View, recovery_id: str, now: datetime) -> list[Change]:
    """Notice that a claim can be filed from now on. Nothing to notice records nothing."""
    facts = claims.become_eligible(recoveries.find(view, recovery_id), now)
    return changes_of(recoveries.stream(recovery_id), facts)


def bar_claim(view: View, recovery_id: str, now: datetime) -> list[Change]:
    """Notice that a claim can be filed no more. Nothing to notice records nothing."""
    return changes_of(recoveries.stream(recovery_id), claims.bar(recoveries.find(view, recovery_id), now))


def miss_inquiry_answer(view: View, inquiry_id: str, now: datetime) -> list[Change]:
    """Notice that a question was not answered in time. Nothing to notice records nothing."""
    return changes_of(inquiries.stream(inquiry_id), inquiries.miss_answer(inquiries.find(view, inquiry_id), now))


def notice_rates(view: View, supplier_id: str, rates: Sequence[Rate], now: datetime) -> list[Change]:
    """Notice rates that crossed their targets, as a read model saw them. Nothing to notice records nothing."""
    supplier, policy = suppliers.find(view, supplier_id), policy_at(policies.find(view), now)
    return changes_of(suppliers.stream(supplier_id), suppliers.notice_rates(supplier, rates, policy, now))
