"""Cancelling: at once where no supplier knows, otherwise by asking it (DOMAIN 1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from ledger import customs, orders, supplier_orders
from ledger.allotment import give_back, items_of
from ledger.orders import Order, OrderFact
from ledger.rerouting import Cause, place_anew, wait_for_person
from ledger.supplier_orders import SupplierOrder
from ledger.values import Change, Units, order_of, stock_stream
from ledger.view import View, after_facts, order_changes, order_in, settled


def cancel(
    view: View, order_id: str, by_line: Units, by: str, because: str, at: datetime, now: datetime
) -> list[Change]:
    """Cancel units, or all that can still be cancelled if none are named.

    Units that no supplier knows of are cancelled at once; for the others the supplier is asked.
    """
    order = order_in(view, order_id)
    if order.header is orders.Header.CANCELLED:
        return []
    if not order.lines and not by_line:
        return order_changes(order_id, [orders.UnitsCancelled(order_id, {}, by, because, at)])
    loose, shares = _cancellable(order)
    wanted = by_line or _all_of(loose, shares)
    if not wanted:
        if any(each.cancel_asked for each in shares):
            return []
        raise orders.NothingToCancel(order_id)
    facts: list[OrderFact] = []
    at_once, asked = _spread(order, wanted, loose, shares)
    if at_once:
        facts.append(orders.UnitsCancelled(order_id, at_once, by, because, at))
    freed = list(items_of(order, "", at_once))
    for supplier_order, units in asked:
        facts += supplier_orders.ask_to_cancel(supplier_order, units, by, because, at)
        if supplier_order.sent_at is None:
            freed += items_of(order, supplier_order.supplier_id, units)
    facts += customs.reconsider_if_held(view, order, facts, at)
    freed = list(dict.fromkeys(freed))
    view.need(*(stock_stream(*item) for item in freed))
    after = after_facts(order, facts)
    if held := wait_for_person(after, (), at):
        facts += held
        after = after_facts(after, held)
    return [*settled(order, facts, now, after), *give_back(view, after, freed, now)]


def _cancellable(order: Order) -> tuple[Units, list[SupplierOrder]]:
    """Units that no supplier order has, by line, and the supplier orders with unshipped units, drafts first."""
    live = sorted(
        (each for each in order.supplier_orders.values() if each.unshipped), key=lambda each: each.sent_at is not None
    )
    loose: Units = {}
    for line_no, buckets in order.buckets.items():
        waiting = sum(each.shares[line_no].backordered for each in live if line_no in each.shares)
        if left := buckets.open + buckets.backordered - waiting:
            loose[line_no] = left
    return loose, live


def _all_of(loose: Units, live: Iterable[SupplierOrder]) -> Units:
    everything = dict(loose)
    for each in live:
        for line_no, units in supplier_orders.cancellable(each).items():
            everything[line_no] = everything.get(line_no, 0) + units
    return everything


def _spread(
    order: Order, wanted: Units, loose: Units, live: Sequence[SupplierOrder]
) -> tuple[Units, list[tuple[SupplierOrder, Units]]]:
    """Which units are cancelled at once, and which supplier orders are asked for how many."""
    at_once: Units = {}
    asked: list[tuple[SupplierOrder, Units]] = [(each, {}) for each in live]
    cancellable = [supplier_orders.cancellable(each) for each in live]
    for line_no, units in wanted.items():
        if line_no not in order.lines:
            raise supplier_orders.UnknownLine(f"order {order.order_id}", line_no)
        left = units
        if taken := min(left, loose.get(line_no, 0)):
            at_once[line_no] = taken
            left -= taken
        for (_, share), can in zip(asked, cancellable, strict=True):
            if taken := min(left, can.get(line_no, 0)):
                share[line_no] = taken
                left -= taken
        if left:
            raise orders.CannotCancel(line_no, asked=units, left=units - left)
    return at_once, [(each, share) for each, share in asked if share]


def answer_cancel(
    view: View, supplier_order_id: str, agreed: bool, because: str, at: datetime, now: datetime
) -> list[Change]:
    """The supplier's answer to a cancel request; agreed units give their stock back, and go on if they are to."""
    order = order_in(view, order_of(supplier_order_id))
    supplier_order = order.supplier_order(supplier_order_id)
    facts: list[OrderFact] = [*supplier_orders.answer_cancel(supplier_order, agreed, because, at)]
    units = supplier_order.cancel_asked if agreed else {}
    items = items_of(order, supplier_order.supplier_id, units)
    view.need(*(stock_stream(*item) for item in items))
    after = after_facts(order, facts)
    released = give_back(view, after, items, now)
    wish = supplier_order.reroute_wish
    if not (agreed and supplier_order.reroute_asked and wish):
        facts += customs.reconsider_if_held(view, order, facts, at)
        return [*settled(order, facts, now), *released]
    cause = Cause(supplier_order, wish.by, wish.because, wish.to)
    placed = place_anew(view, after, supplier_order.reroute_asked, cause, at, now)
    return [*settled(order, [*facts, *placed.facts], now), *released, *placed.reserved]
