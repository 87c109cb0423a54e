"""Decisions on the delivery of an order: sent, received, reviewed, completed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from ledger.nouns.orders import supplier_orders
from ledger.nouns.orders.facts import OrderCompleted, OrderFact, OrderReviewed, ReceiptConfirmed, UnitsDelivered
from ledger.nouns.orders.holds import holds_on
from ledger.nouns.orders.refusals import NotDispatched, OrderOnHold, ReceivedTooEarly, ReviewDiffers
from ledger.nouns.orders.state import Order, Shipment
from ledger.nouns.orders.supplier_orders import SupplierOrderSent, merged_spans


def send(order: Order, supplier_order_id: str, sent: SupplierOrderSent) -> Sequence[OrderFact]:
    """The dispatch instruction went out. Sending twice records nothing."""
    supplier_order = order.supplier_order(supplier_order_id)
    if supplier_order.sent_at is not None:
        return []
    if holds := holds_on(order, supplier_order_id):
        raise OrderOnHold(order.order_id, sorted({hold.reason for hold in holds}))
    if supplier_order.came_to_nothing:
        raise supplier_orders.NothingToShip(supplier_order_id, supplier_order.stage)
    stopping = order.stops_on(supplier_order_id)
    if not stopping:
        return [sent]
    # It may be recorded after a hold that began later.
    return [sent, *supplier_orders.recompute_clocks(supplier_orders.evolve(supplier_order, sent), stopping, sent.at)]


def ready_since(order: Order, supplier_order_id: str) -> datetime | None:
    """Since when a draft could have been sent; None if it is none, if a hold stands, or if nobody is to send it."""
    each = order.supplier_orders.get(supplier_order_id)
    if each is None or each.send_by is None or each.sent_at is not None or not each.unshipped:
        return None
    if holds_on(order, supplier_order_id):
        return None
    spans = merged_spans(order.stops_on(supplier_order_id), each.drafted_at, None)
    ends = [end for _, end in spans if end is not None]
    return max(ends, default=each.drafted_at)


def confirm_receipt(order: Order, by: str, at: datetime, returned: Sequence[Shipment] = ()) -> Sequence[OrderFact]:
    """The customer, or the carrier for it, has all that was dispatched and not returned. Repeating it records nothing.

    After a dispute, or for a later parcel, a receipt can be confirmed again.
    """
    if not order.shipments:
        raise NotDispatched(order.order_id, order.header)
    if at < order.placed.placed_at:
        raise ReceivedTooEarly(order.order_id, at, order.placed.placed_at)
    back = {each.parcel for each in returned}
    arrived: list[OrderFact] = [
        UnitsDelivered(order.order_id, each.carrier, each.number, each.epoch, order.in_parcel(each), at)
        for each in order.parcels
        if each.bucket != "delivered" and each.parcel not in back
    ]
    if order.receipt_confirmed_at is not None and not arrived:
        return []
    return [*arrived, ReceiptConfirmed(order.order_id, by, at)]


def is_confirmed_received(order: Order, shipment: Shipment) -> bool:
    """Whether a receipt was confirmed after the units had arrived."""
    delivered_at, confirmed_at = shipment.delivered_at, order.receipt_confirmed_at
    return delivered_at is not None and confirmed_at is not None and delivered_at <= confirmed_at


def review(order: Order, review_id: str, score: int, at: datetime) -> Sequence[OrderFact]:
    """The customer's stars. The same review again records nothing."""
    for each in order.reviews:
        if each.review_id == review_id:
            if each.score != score:
                raise ReviewDiffers(review_id, each.score)
            return []
    return [OrderReviewed(order.order_id, review_id, score, at)]


def complete(order: Order | None, now: datetime) -> Sequence[OrderFact]:
    """Records that the return window closed with no case open, if it did."""
    closes_at = window_closes_at(order, order.delivered_at) if order is not None else None
    if order is None or closes_at is None or now < closes_at:
        return []
    cases_left_at = [share.left_at for share in order.after_sales.cases.values() if share.left_at is not None]
    return [OrderCompleted(order.order_id, max([closes_at, *cases_left_at]))]


def window_closes_at(order: Order, delivered_at: datetime | None) -> datetime | None:
    """When the return window closes and completes the order; None while a case is open, and once it is completed."""
    if delivered_at is None or order.completed_at is not None or order.after_sales.open_cases:
        return None
    return delivered_at + timedelta(days=order.placed.return_window_days)
