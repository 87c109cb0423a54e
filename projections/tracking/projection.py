"""How orders and parcels become the rows of where things are."""

from __future__ import annotations

from msgspec.structs import replace

from ledger.facts import LineNo
from ledger.nouns import orders, parcels
from ledger.nouns.orders import Order
from ledger.nouns.orders.supplier_orders import SupplierOrder
from ledger.nouns.parcels import Content, Parcel
from projections.machine.histories import OrderHistory
from projections.machine.projection import From, projection
from projections.tracking.facets import facets, is_late
from projections.tracking.rows import (
    FACETS,
    HOLDS,
    LAST_MILES,
    ORDERS,
    PARCELS,
    Details,
    KeptOrder,
    LastMile,
    OrderHold,
    TrackedHold,
    TrackedLine,
    TrackedParcel,
    TrackedSupplierOrder,
)


def _order(history: OrderHistory) -> list[KeptOrder]:
    order, placed = history.order, history.order.placed
    details = Details(
        confirmed_at=order.confirmed_at,
        promised_day=order.promised_day,
        lines=tuple(_line(order, line_no) for line_no in order.lines),
        supplier_orders=tuple(_supplier_order(each) for each in order.supplier_orders.values()),
        holds=tuple(TrackedHold(each.reason, each.at, each.missing, each.supplier_order_id) for each in order.holds),
        country=order.destination.country,
        tags=order.remarks.tags,
        is_late=history.cached(is_late),
        reship_of=placed.reship_of,
        original_order_id=placed.original_order_id,
        unsent_by=orders.unsent_by(order),
        erased_at=order.erased_at,
    )
    row = KeptOrder(
        order_id=placed.order_id,
        channel=placed.channel,
        status=history.header,
        placed_at=placed.placed_at,
        promised_by=order.promised_by,
        delivered_at=history.delivered_at,
        details=details,
    )
    return [row]


def _line(order: Order, line_no: LineNo) -> TrackedLine:
    line = order.lines[line_no]
    return TrackedLine(line_no, line.sku, line.supplier_id, order.buckets[line_no])


def _supplier_order(each: SupplierOrder) -> TrackedSupplierOrder:
    unshipped, shipped = each.unshipped, each.count("shipped")
    return TrackedSupplierOrder(
        supplier_order_id=each.supplier_order_id,
        supplier_id=each.supplier_id,
        status=each.stage,
        units=unshipped + shipped + sum(each.count(what) for what in ("rejected", "cancelled", "rerouted")),
        unshipped=unshipped,
        shipped=shipped,
        delivered=each.delivered,
        sent_at=each.sent_at,
        acknowledged_at=each.acknowledged_at,
        packed_at=each.packed_at,
        dispatch_by=each.dispatch_by,
        dispatched_at=each.dispatched_at,
        stopped_since=each.stopped_since,
    )


def _holds(history: OrderHistory) -> list[OrderHold]:
    order_id = history.order.order_id
    return [OrderHold(order_id, *hold.key, hold.at, replace(hold, note=None)) for hold in history.order.holds]


def _parcels(parcel: Parcel) -> list[TrackedParcel]:
    """One row for each supplier order that has something in it; a number of a last mile is no parcel of its own."""
    return [_parcel(use, each) for use in _own_uses(parcel) for each in _contents(use)]


def _own_uses(parcel: Parcel) -> list[Parcel]:
    return [use for use in parcels.uses(parcel) if use.last_mile_of is None]


def _last_miles(parcel: Parcel) -> list[LastMile]:
    return [
        LastMile(number, carrier, use.carrier, use.number, use.epoch)
        for use in _own_uses(parcel)
        for carrier, number in dict.fromkeys(each[:2] for each in use.last_miles)
    ]


def _contents(parcel: Parcel) -> tuple[Content, ...]:
    return parcel.contents or (Content("", "", parcel.by_line),)


def _parcel(parcel: Parcel, content: Content) -> TrackedParcel:
    scan = parcel.checkpoints[-1] if parcel.checkpoints else None
    held = parcel.customs_hold
    return TrackedParcel(
        number=parcel.number,
        carrier=parcel.carrier,
        epoch=parcel.epoch,
        order_id=content.order_id,
        supplier_order_id=content.supplier_order_id,
        supplier_id=parcel.supplier_id,
        status=parcel.status,
        country=parcel.country,
        lines=content.by_line,
        registered_at=parcel.registered_at,
        promised_by=content.promised_by,
        promised_day=content.promised_day,
        first_scan_at=parcel.first_scan_at,
        delivered_at=parcel.delivered_at,
        scan_at=scan.at if scan else None,
        scan_status=scan.status if scan else None,
        scan_city=scan.city if scan else "",
        scan_country=scan.country if scan else "",
        customs_held_since=held.since if held else None,
        customs_asks=held.asks if held else None,
        customs_answer_by=held.answer_by if held else None,
        estimated_by=parcel.estimated_by,
        last_miles=tuple(each[:2] for each in parcel.last_miles),
        customs_asks_of=held.asks_of if held else None,
    )


TRACKING = projection(
    "tracking",
    15,
    From(orders.NOUN, ORDERS, _order, compared=False),
    From(parcels.NOUN, PARCELS, _parcels),
    From(parcels.NOUN, LAST_MILES, _last_miles),
    From(orders.NOUN, HOLDS, _holds),
    From(orders.NOUN, FACETS, facets),
)
