"""What must always hold of an order and of a stock, whatever happened: each fault as a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ledger.nouns.orders import Order, Shipment, left_minor, owed_minor, refunded_beyond_minor, standing_minor
from ledger.nouns.orders.supplier_orders import SupplierOrder
from ledger.nouns.stock import ReservationStatus, Stock

StockOf = Callable[[str, str], Stock | None]
"""The stock of a supplier's SKU."""

_PLACES = ("shipped", "delivered", "lost", "returned")


def order_faults(order: Order) -> Iterator[str]:
    """Every unit of every line is in exactly one bucket and with at most one supplier; money adds up."""
    for line_no in order.lines:
        yield from _line_faults(order, line_no)
    for each in order.supplier_orders.values():
        if each.delivered != (arrived := _arrived(each, order.shipments)):
            yield f"supplier order {each.supplier_order_id} has {each.delivered} units delivered, its parcels {arrived}"
    yield from _money_faults(order)


def _line_faults(order: Order, line_no: Any) -> Iterator[str]:
    line, buckets = f"line {line_no}", order.buckets[line_no]
    ordered = order.lines[line_no].quantity
    shares = [each.shares[line_no] for each in order.supplier_orders.values() if line_no in each.shares]
    for each in (buckets, *shares):
        if min(getattr(each, name) for name in each.__struct_fields__) < 0:
            yield f"{line} has a count below zero: {each}"
    if buckets.total != ordered:
        yield f"{line} has {ordered} units ordered and {buckets.total} in its buckets: {buckets}"
    if (given := sum(share.unshipped + share.shipped for share in shares)) > ordered:
        yield f"{line} has {ordered} units, and suppliers were given {given}"
    in_shares = {
        "assigned": (buckets.assigned, sum(share.pending + share.accepted for share in shares)),
        "backordered": (buckets.backordered, sum(share.backordered for share in shares)),
        "sent": (sum(getattr(buckets, place) for place in _PLACES), sum(share.shipped for share in shares)),
    }
    for place in _PLACES:
        in_parcels = sum(each.by_line.get(line_no, 0) for each in order.shipments if each.bucket == place)
        in_shares[f"{place} by parcel"] = (getattr(buckets, place), in_parcels)
    for name, (here, there) in in_shares.items():
        if here != there:
            yield f"{line} has {here} units {name}, and its supplier orders and parcels {there}"
    if buckets.cancelled < (cancelled := sum(share.cancelled for share in shares)):
        yield f"{line} has {buckets.cancelled} units cancelled, and suppliers {cancelled}"


def _money_faults(order: Order) -> Iterator[str]:
    """No unit is in two cases, none comes back that was not delivered, no more is refunded than was paid."""
    after_sales = order.after_sales
    for line_no, line in order.lines.items():
        buckets = order.buckets[line_no]
        limits = {
            "units in cases": (after_sales.kept(line_no, "another reason"), buckets.sent),
            "units inspected": (after_sales.inspected(line_no), buckets.returned),
            "units coming back": (after_sales.coming_back(line_no), buckets.delivered),
            "refunded": (
                after_sales.refunded_minor(line_no),
                line.amount_minor + refunded_beyond_minor(order, line_no),
            ),
        }
        for name, (value, most) in limits.items():
            if not 0 <= value <= most:
                yield f"line {line_no} has {value} {name}, of at most {most}"
    owed, left = owed_minor(order), left_minor(order)
    granted = after_sales.booked_minor - after_sales.paid_back_minor
    if owed != 0 and not 0 < owed + granted <= left:
        yield f"more is owed than is left: {owed} and {granted} granted, of {left}"
    if (standing := standing_minor(order.money.debts)) != owed and not order.placed.historical:
        yield f"{owed} is owed, and its parts that have a clock come to {standing}"


def _arrived(supplier_order: SupplierOrder, shipments: Iterable[Shipment]) -> int:
    return sum(
        sum(each.by_line.values())
        for each in shipments
        if each.bucket == "delivered" and each.supplier_order_id == supplier_order.supplier_order_id
    )


def reservation_faults(order: Order, stock_of: StockOf) -> Iterator[str]:
    """No more is reserved for an order than it has to ship."""
    for (supplier_id, sku), left in to_ship(order).items():
        state = stock_of(supplier_id, sku) if supplier_id and sku else None
        if state is not None and order.order_id in state.reservations:
            reserved = state.reservations[order.order_id].units
            if not 0 < reserved <= left:
                yield f"{reserved} of {sku} reserved for {order.order_id}, {left} to ship"


def to_ship(order: Order) -> dict[tuple[str, str], int]:
    """Units that have not left, by supplier and SKU."""
    unshipped: dict[tuple[str, str], int] = {}
    for each in order.supplier_orders.values():
        for line_no, share in each.shares.items():
            item = (each.supplier_id, order.lines[line_no].sku)
            unshipped[item] = unshipped.get(item, 0) + share.unshipped
    for line_no, own in order.lines.items():
        item = (own.supplier_id, own.sku)
        open_units = order.buckets[line_no].open if order.confirmed_at is None else 0
        unshipped[item] = unshipped.get(item, 0) + open_units
    return unshipped


def stock_faults(state: Stock) -> Iterator[str]:
    """The counters are what a recount gives."""
    live = state.reservations.values()
    if any(each.units <= 0 for each in live):
        yield "a reservation is of no units"
    held = sum(each.units for each in live if each.status is ReservationStatus.HELD)
    if state.held != held:
        yield f"{state.held} units are held, and reservations hold {held}"
    committed = sum(each.units for each in live if each.status is ReservationStatus.COMMITTED and not each.in_feed)
    if state.committed < committed:
        yield f"{state.committed} units are committed, and reservations commit {committed}"
    if state.awaited != sum(state.waiting.values()) or any(count <= 0 for count in state.waiting.values()):
        yield f"{state.awaited} units are awaited, by orders {dict(state.waiting)}"
    if not 0 <= state.kept <= max(min(state.awaited, state.free), 0):
        yield f"{state.kept} units are kept for orders that wait for {state.awaited}, of {state.free} free"
