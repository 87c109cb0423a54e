"""Cancelling units: at once if no supplier knows of them, otherwise by asking the supplier (DOMAIN 1)."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime

from ledger.decisions import customs
from ledger.decisions.docket import Docket, order_in, settled
from ledger.decisions.order_stock import Item, give_back, items_of
from ledger.decisions.rerouting import Cause, place_anew, wait_for_person
from ledger.facts import Change, LineNo, Units, order_of
from ledger.nouns import orders, stock
from ledger.nouns.orders import Order, supplier_orders
from ledger.nouns.orders.supplier_orders import SupplierOrder, Wish
from ledger.view import View


def cancel(
    view: View, order_id: str, by_line: Units, by: str, because: str, at: datetime, now: datetime
) -> list[Change]:
    """Cancel units, or all that can still be cancelled if none are named.

    Units that no supplier knows of are cancelled at once; for the others the supplier is asked.
    """
    order = order_in(view, order_id)
    orders.require_placed(order, at)
    if order.header is orders.Header.CANCELLED:
        return []
    if not order.lines and not by_line:
        return settled(view, order, [orders.UnitsCancelled(order_id, {}, by, because, at)], now)
    loose, live = cancellable(order)
    wanted = by_line or _all_of(loose, live)
    if not wanted:
        if any(each.cancel_asked for each, _ in live):
            return []
        raise orders.NothingToCancel(order_id)
    docket = Docket(order)
    freed = cancel_units(view, docket, wanted, (loose, live), Wish(by, because), at)
    return [*docket.settled(view, now), *give_back(view, docket.order, freed, now)]


def stop_all(view: View, docket: Docket, wish: Wish, at: datetime, now: datetime) -> list[Change]:
    """Cancel all that has not left, as far as nobody was asked to yet; what that means for the stock."""
    parts = cancellable(docket.order)
    if not (wanted := _all_of(*parts)):
        return []
    freed = cancel_units(view, docket, wanted, parts, wish, at)
    return give_back(view, docket.order, freed, now)


def cancel_units(
    view: View, docket: Docket, wanted: Units, parts: tuple[Units, _Shares], wish: Wish, at: datetime
) -> list[Item]:
    """At once where no supplier knows of them, and by asking the others; whose stock is free then."""
    order, by, because = docket.order, wish.by, wish.because
    at_once, asked = _spread(order, wanted, *parts)
    if at_once:
        docket.add([orders.UnitsCancelled(order.order_id, at_once, by, because, at)])
    freed = list(items_of(order, "", at_once))
    for supplier_order, units in asked:
        docket.add(supplier_orders.ask_to_cancel(supplier_order, units, by, because, at))
        if supplier_order.sent_at is None:
            freed += items_of(order, supplier_order.supplier_id, units)
    docket.add(customs.reconsider_if_held(view, docket.order, at))
    freed = list(dict.fromkeys(freed))
    view.need(*(stock.stream(*item) for item in freed))
    docket.add(wait_for_person(docket.order, (), at))
    return freed


_Shares = list[tuple[SupplierOrder, Units]]
"""Units by the supplier order that they are in."""


def cancellable(order: Order) -> tuple[Units, _Shares]:
    """Units that no supplier order has, by line, and those of supplier orders, drafts first."""
    live = sorted(
        (each for each in order.supplier_orders.values() if each.unshipped), key=lambda each: each.sent_at is not None
    )
    waiting = Counter[LineNo]()
    for each in live:
        waiting.update({line_no: share.backordered for line_no, share in each.shares.items() if share.backordered})
    loose = {n: left for n, b in order.buckets.items() if (left := b.open + b.backordered - waiting[n])}
    return loose, [(each, supplier_orders.cancellable(each)) for each in live]


def _all_of(loose: Units, live: _Shares) -> Units:
    everything = dict(loose)
    for _, units in live:
        for line_no, count in units.items():
            everything[line_no] = everything.get(line_no, 0) + count
    return everything


def _spread(order: Order, wanted: Units, loose: Units, live: _Shares) -> tuple[Units, _Shares]:
    """Which units are cancelled at once, and which supplier orders are asked for how many."""
    at_once: Units = {}
    asked: _Shares = [(each, {}) for each, _ in live]
    holders: defaultdict[LineNo, list[tuple[Units, int]]] = defaultdict(list)
    for (_, share), (_, can) in zip(asked, live, strict=True):
        for line_no, units in can.items():
            holders[line_no].append((share, units))
    for line_no, count in wanted.items():
        if line_no not in order.lines:
            raise supplier_orders.UnknownLine(f"order {order.order_id}", line_no)
        left = count
        if taken := min(left, loose.get(line_no, 0)):
            at_once[line_no] = taken
            left -= taken
        for share, units in holders[line_no]:
            if taken := min(left, units):
                share[line_no] = taken
                left -= taken
        if left:
            raise orders.CannotCancel(line_no, asked=count, left=count - left)
    return at_once, [(each, share) for each, share in asked if share]


def answer_cancel(
    view: View, supplier_order_id: str, agreed: bool, because: str, at: datetime, now: datetime
) -> list[Change]:
    """The supplier's answer to a cancel request; agreed units release their stock, and are rerouted if wished."""
    order = order_in(view, order_of(supplier_order_id))
    supplier_order = order.supplier_order(supplier_order_id)
    orders.require_placed(order, at)
    docket = Docket(order, supplier_orders.answer_cancel(supplier_order, agreed, because, at))
    units = supplier_order.cancel_asked if agreed else {}
    items = items_of(order, supplier_order.supplier_id, units)
    view.need(*(stock.stream(*item) for item in items))
    released = give_back(view, docket.order, items, now)
    wish = supplier_order.reroute_wish
    if not (agreed and supplier_order.reroute_asked and wish):
        docket.add(customs.reconsider_if_held(view, docket.order, at))
        return [*docket.settled(view, now), *released]
    cause = Cause(supplier_order, wish.by, wish.because, wish.to)
    reserved = place_anew(view, docket, supplier_order.reroute_asked, cause, at, now)
    return [*docket.settled(view, now), *released, *reserved]
