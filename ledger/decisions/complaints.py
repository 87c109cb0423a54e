"""What a customer can complain of: the units that a reason is about, and until when (DOMAIN 5)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from ledger.facts import LineNo, Units, plus
from ledger.nouns import cases
from ledger.nouns.cases import CaseOpened, Reason
from ledger.nouns.orders import Order, after_sales


def present(order: Order, reason: Reason) -> Units:
    """The units that are where a reason says, in cases or not."""
    found: Units = {}
    for bucket in reason.buckets:
        found = plus(found, order.in_bucket(bucket))
    return found


def arrived_at(order: Order, by_line: Iterable[LineNo]) -> datetime | None:
    """When the last delivered parcel with such units arrived."""
    arrivals = _arrivals(order)
    return max((arrivals[line_no] for line_no in by_line if line_no in arrivals), default=None)


def _arrivals(order: Order) -> dict[LineNo, datetime]:
    """When the last delivered parcel with units of each line arrived."""
    arrivals: dict[LineNo, datetime] = {}
    for shipment in order.shipments:
        if (at := shipment.delivered_at) is not None:
            for line_no in shipment.by_line:
                arrivals[line_no] = max(at, arrivals.get(line_no, at))
    return arrivals


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
    arrivals = _arrivals(order) if reason.is_the_customers else {}
    late = {n for n, at in arrivals.items() if now > _window_closes_at(order, at)}
    return {n: units for n, units in free.items() if units and n not in late}
