"""What a customer can complain of: the units that a reason is about, and until when (DOMAIN 5)."""

from __future__ import annotations

from datetime import datetime, timedelta

from ledger.facts import Units, plus
from ledger.nouns import cases
from ledger.nouns.cases import CaseOpened, Reason
from ledger.nouns.orders import Order, after_sales


def present(order: Order, reason: Reason) -> Units:
    """The units that are where a reason says, in cases or not."""
    found: Units = {}
    for bucket in reason.buckets:
        found = plus(found, order.in_bucket(bucket))
    return found


def arrived_at(order: Order, by_line: Units) -> datetime | None:
    """When the last delivered parcel with such units arrived."""
    arrived = [
        shipment.delivered_at
        for shipment in order.shipments
        if shipment.delivered_at is not None and any(line_no in shipment.by_line for line_no in by_line)
    ]
    return max(arrived, default=None)


def require_reason(order: Order, opened: CaseOpened) -> None:
    """Refuses what is not late, and what the customer only changed its mind about once the window has closed."""
    if opened.reason is Reason.LATE and (order.promised_by is None or opened.at <= order.promised_by):
        raise cases.NotLate(order.order_id, order.promised_by, order.promised_day)
    if opened.reason.is_the_customers and opened.delivered_at is not None:
        closed_at = _window_closes_at(order, opened.delivered_at)
        if opened.at > closed_at:
            raise cases.OutsideReturnWindow(order.order_id, closed_at)


def _window_closes_at(order: Order, delivered_at: datetime) -> datetime:
    return delivered_at + timedelta(days=order.placed.return_window_days)


def reportable(order: Order, now: datetime) -> dict[Reason, Units]:
    """By reason, the units that a case could be opened for now; reasons without any are left out."""
    return {reason: units for reason in Reason if (units := _free(order, reason, now))}


def _free(order: Order, reason: Reason, now: datetime) -> Units:
    if reason is Reason.LATE and (order.promised_by is None or now <= order.promised_by):
        return {}
    there, sent = present(order, reason), order.sent
    arrived = reason.about_arrived_units
    free = {n: after_sales.free(order.after_sales, n, reason, arrived, there, sent) for n in there}
    return {n: units for n, units in free.items() if units and _is_in_time(order, reason, {n: units}, now)}


def _is_in_time(order: Order, reason: Reason, by_line: Units, now: datetime) -> bool:
    delivered_at = arrived_at(order, by_line) if reason.is_the_customers else None
    return delivered_at is None or now <= _window_closes_at(order, delivered_at)
