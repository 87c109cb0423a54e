"""Cash on delivery: what the carrier of each parcel collects at the door (DOMAIN 1)."""

from __future__ import annotations

from itertools import takewhile

from ledger.facts import LineNo, Units
from ledger.nouns.orders.balance import (
    ON_DELIVERY,
    amounts,
    captures_voided,
    charges_minor,
    due_minor,
    of_kind,
    paid_by_word,
)
from ledger.nouns.orders.payments import PaymentKind
from ledger.nouns.orders.state import Order
from ledger.nouns.orders.supplier_orders import SupplierOrder


def collect_minor(order: Order, supplier_order_id: str, by_line: Units) -> int:
    """What the carrier of a parcel with these units of a supplier order is to collect.

    The charges, less what was paid before, are with the first supplier order; the last parcel collects all that is
    left. So the parcels together collect what is due, and the parcels of a supplier order what its instruction said.
    """
    if not order.money.on_delivery or paid_by_word(order):
        return 0
    others = [each for each in order.supplier_orders.values() if each.supplier_order_id != supplier_order_id]
    own = order.supplier_orders[supplier_order_id]
    paid = amounts(order, PaymentKind.CAPTURED) - amounts_on_delivery(order) - captures_voided(order)
    left = max(due_minor(order) - paid - sum(each.collect_minor for each in order.shipments), 0)
    if not any(each.unshipped for each in others) and sum(by_line.values()) == own.unshipped and not _loose(order):
        return left
    worth = sum(order.lines[n].worth_minor(units, _before(order, own, n)) for n, units in by_line.items())
    if _is_first(order, own):
        worth += charges_minor(order) - paid
    return max(min(worth, left), 0)


def amounts_on_delivery(order: Order) -> int:
    """What payments tell that carriers collected."""
    told = (each for each in of_kind(order, PaymentKind.CAPTURED) if each.method == ON_DELIVERY)
    return sum(each.amount.amount_minor for each in told)


def _loose(order: Order) -> int:
    """Units that no supplier order has."""
    in_supplier_orders = sum(each.count("backordered") for each in order.supplier_orders.values())
    return order.units("open") + order.units("backordered") - in_supplier_orders


def _before(order: Order, own: SupplierOrder, line_no: LineNo) -> int:
    """How many units of a line come before those of a supplier order: cancelled, gone, or of an earlier one."""
    buckets = order.buckets[line_no]
    gone = buckets.total - buckets.open - buckets.backordered - buckets.assigned
    earlier = takewhile(lambda each: each.supplier_order_id != own.supplier_order_id, order.supplier_orders.values())
    return gone + sum(each.shares[line_no].unshipped for each in earlier if line_no in each.shares)


def _is_first(order: Order, own: SupplierOrder) -> bool:
    """Whether it is the first that sends anything, and none of its parcels has left."""
    live = next((each for each in order.supplier_orders.values() if not each.came_to_nothing), None)
    return live is own and not own.count("shipped")


def to_collect_minor(order: Order, supplier_order_id: str) -> int:
    """What all parcels of a supplier order collect: those that left, and those that are still to."""
    gone = sum(each.collect_minor for each in order.shipments if each.supplier_order_id == supplier_order_id)
    return gone + left_to_collect_minor(order, supplier_order_id)


def left_to_collect_minor(order: Order, supplier_order_id: str) -> int:
    """What the parcels of a supplier order that have yet to leave are to collect."""
    own = order.supplier_orders[supplier_order_id]
    units = {line_no: share.unshipped for line_no, share in own.shares.items() if share.unshipped}
    return collect_minor(order, supplier_order_id, units) if units else 0
