"""What is still kept of an order's customer, and since when it counts (retention)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from ledger.nouns.orders.debts import standing_minor
from ledger.nouns.orders.facts import OrderFact, PersonalDataAdded
from ledger.nouns.orders.state import Order
from ledger.terms.retention import PersonalKind, Retention


def channel_of(order_id: str) -> str:
    return order_id.partition("/")[0]


def over_since(order: Order) -> datetime | None:
    """Since when nothing is to come of it: the last news of goods, money, cases, or of its customer; None while it is
    open, or money is owed to its customer."""
    left_at = [share.left_at for share in order.after_sales.cases.values()]
    if not _may_be_over(order) or not order.header.is_over or order.after_sales.open_cases:
        return None
    debts = order.money.debts
    if standing_minor(debts):
        return None
    paid_at = [debt.ended_at for debt in debts]
    ends = [order.completed_at, order.given_up_at, order.payment_at, order.written_at, *left_at, *paid_at]
    return max((at for at in ends if at is not None), default=order.placed.at)


def _may_be_over(order: Order) -> bool:
    """Quick to tell, and true of few orders that are not."""
    return bool(order.completed_at or order.cancelled_at) or any(each.ended_at for each in order.shipments)


def counted_from(order: Order, over: datetime, *, from_shipment: bool) -> datetime:
    """When its periods begin."""
    sent_at = max((each.shipped_at for each in order.shipments if each.by_line), default=None)
    if not from_shipment or sent_at is None:
        return over
    return max(sent_at, order.written_at or sent_at)


def kept_since(order: Order, over: datetime) -> list[PersonalKind]:
    """The kinds that an order that is over since then may still have: what came up after one was erased is new."""
    there = [PersonalKind.CUSTOMER, PersonalKind.TEXTS, PersonalKind.LETTERS]
    there += [PersonalKind.DELIVERY] if order.shipments else []
    there += [PersonalKind.EVIDENCE] if order.after_sales.cases else []
    there += [PersonalKind.INVOICE] if order.invoicing.wish is not None or order.invoicing.invoices else []
    return [kind for kind in there if kind not in order.expired or order.expired[kind] < over]


def due_kinds(order: Order, retention: Retention, since: datetime, now: datetime) -> list[PersonalKind]:
    """What has been kept for long enough, of an order that is over, whose periods began then."""
    over = over_since(order)
    return [
        kind
        for kind in (kept_since(order, over) if over is not None and over <= now else ())
        if (end := retention.ends_at(since, kind)) is not None and end <= now
    ]


def added(order: Order, kinds: Iterable[PersonalKind], now: datetime) -> list[OrderFact]:
    """Something of these kinds was just sealed about it. Of an order that is over, that keeps it for a time again.

    What carriers tell late does only if nothing else would have it erased.
    """
    last_erased = max(order.expired.values(), default=None)
    if set(kinds) <= {PersonalKind.DELIVERY}:
        is_new = last_erased is not None and (order.written_at is None or order.written_at <= last_erased)
    else:
        is_new = last_erased is not None or over_since(order) is not None
    return [PersonalDataAdded(order.order_id, now)] if is_new else []
