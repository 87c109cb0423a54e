"""Stock for an order: holding, committing, consuming and giving back what its lines need (DOMAIN 3)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from ledger.facts import Change, LineNo, Units, changes_of, minus
from ledger.nouns import policies, stock, suppliers
from ledger.nouns.choice import Against
from ledger.nouns.orders import (
    LEDGER,
    Hold,
    HoldReason,
    Line,
    Order,
    Shipment,
    supplier_orders,
)
from ledger.nouns.policies import policy_at
from ledger.nouns.stock import Stock
from ledger.view import View

Item = tuple[str, str]
"""A supplier's id and its SKU: what one stock stream is about."""


def demand_of(lines: Iterable[Line], units: Mapping[LineNo, int]) -> dict[Item, Units]:
    """What is wanted of each supplier's SKU, line by line; lines without a supplier or SKU want nothing yet."""
    demand: defaultdict[Item, Units] = defaultdict(dict)
    for line in lines:
        wanted = units.get(line.line_no, 0)
        if wanted and line.supplier_id and line.sku:
            demand[line.supplier_id, line.sku][line.line_no] = wanted
    return demand


def need_for(view: View, lines: Iterable[Line]) -> None:
    """Loads the suppliers and the stock of these lines."""
    streams = {stream: None for line in lines if line.supplier_id for stream in _streams_of(line)}
    view.need(*streams)


def _streams_of(line: Line) -> tuple[str, ...]:
    supplier = suppliers.stream(line.supplier_id)
    return (supplier, stock.stream(line.supplier_id, line.sku)) if line.sku else (supplier,)


class Allotment:
    """Stock for one order, decided for all its lines together: facts if it suffices, otherwise what lacks."""

    def __init__(self, view: View, order_id: str, cart_id: str, now: datetime, expires_at: datetime) -> None:
        self.view, self.order_id, self.cart_id = view, order_id, cart_id
        self.now, self.expires_at = now, expires_at
        self.changes: list[Change] = []
        self.surplus: list[Change] = []
        """What the order holds beyond what it wants; to be given back also when something lacks."""
        self.lacking: dict[Item, tuple[int, int]] = {}
        """For each item that lacks: units asked and units available."""

    def out_of_stock(self) -> list[tuple[str, str, int, int]]:
        """What lacks, as the refusal ``OutOfStock`` names it."""
        return [(*item, *figures) for item, figures in self.lacking.items()]

    def take(self, item: Item, units: int, commit: bool) -> None:
        """Hold or commit units; this replaces what the order or its cart holds already."""
        own = stock.find(self.view, *item)
        if own is not None and own.feed is not None:
            self._take(own, item, units, commit)

    def add(self, item: Item, more: int) -> None:
        """Commit more units than the order has already."""
        own = stock.find(self.view, *item)
        if own is not None and own.feed is not None:
            kept = own.reservations.get(self.order_id)
            self._take(own, item, more + (kept.units if kept else 0), commit=True)

    def _take(self, own: Stock, item: Item, units: int, commit: bool) -> None:
        supplier_id, sku = item
        stream, kept = stock.stream(supplier_id, sku), own.reservations.get(self.order_id)
        if kept is not None and kept.units == units and self._stands(own, units, commit):
            if commit and kept.status is stock.ReservationStatus.HELD:
                self.changes.append((stream, stock.ReservationCommitted(*item, self.order_id, self.now)))
            return
        if kept is not None and kept.units > units:
            surplus = stock.ReservationReleased(*item, self.order_id, kept.units - units, self.now)
            self.surplus.append((stream, surplus))
        given_back = [self.order_id] if kept is not None else []
        cart = own.reservations.get(self.cart_id)
        # Only held units can belong to a cart; committed ones belong to another order.
        if cart is not None and cart is not kept and cart.status is stock.ReservationStatus.HELD:
            given_back.append(self.cart_id)
        available = own.available_to(self.order_id) + sum([stock.freed_by(own.reservations[r]) for r in given_back])
        if units and available < units:
            self.lacking[item] = (units, max(available, 0))
            return
        for reservation_id in given_back:
            released = own.reservations[reservation_id].units
            self.changes.append((stream, stock.ReservationReleased(*item, reservation_id, released, self.now)))
        if not units:
            return
        reserved = stock.StockReserved(supplier_id, sku, self.order_id, units, self.expires_at, self.now)
        self.changes.append((stream, reserved))
        if commit:
            self.changes.append((stream, stock.ReservationCommitted(supplier_id, sku, self.order_id, self.now)))

    def reserved(self) -> list[Change]:
        """All lines are reserved together, or none of them."""
        return self.surplus if self.lacking else self.changes

    def _stands(self, own: Stock, units: int, commit: bool) -> bool:
        if commit:
            return stock.can_commit(own, self.order_id, units, self.now)
        return self.now < own.reservations[self.order_id].expires_at


def within_reach(own: Stock | None, reservation_ids: Sequence[str], claimed: int) -> int | None:
    """Units that can be promised beside those that these reservations have and claimed ones; None if there is no feed.

    A new reservation replaces the old ones, so their units are within reach as well. The first reservation is the
    order's own; one that waits comes after those alone that waited before it.
    """
    if own is None or own.feed is None:
        return None
    order_id, *_ = reservation_ids
    units = own.available_to(order_id) - claimed
    for reservation_id in reservation_ids:
        reservation = own.reservations.get(reservation_id)
        if reservation is not None and reservation.status is stock.ReservationStatus.HELD:
            units += reservation.units
        elif reservation is not None:
            # A committed reservation is enlarged by releasing it and reserving anew. Units that left the feed's figure
            # since are not freed by that, so they are not within reach a second time.
            units -= reservation.units - stock.freed_by(reservation)
    return max(units, 0)


def enlarge(view: View, order_id: str, more: Mapping[Item, int], now: datetime) -> list[Change]:
    """Commit units beside those that a confirmed order has of the same items; they are within reach."""
    allotment = Allotment(view, order_id, "", now, now)
    for item, units in more.items():
        allotment.add(item, units)
    assert not allotment.lacking, "whoever enlarges has seen that the units are there"
    return allotment.changes


def allot(
    view: View, order_id: str, demand: Mapping[Item, Units], now: datetime, commit: bool, cart_id: str = ""
) -> Allotment:
    minutes = policy_at(policies.find(view), now).reservation_minutes
    allotment = Allotment(view, order_id, cart_id, now, now + timedelta(minutes=minutes))
    for item, by_line in demand.items():
        allotment.take(item, sum(by_line.values()), commit)
    return allotment


def reserve_late(view: View, order: Order, now: datetime) -> tuple[list[Change], dict[str, Units]]:
    """Reserve for a confirmed order what it waits for, as far as stock suffices; and how many, by supplier and line."""
    by_item = _waiting_by_item(order)
    view.need(*(stock.stream(*item) for item in by_item))
    wanted = _unshipped(order)
    allotment = Allotment(view, order.order_id, "", now, now)
    served: dict[str, Units] = {}
    for item, by_line in by_item.items():
        own = stock.find(view, *item)
        present = own.reservations.get(order.order_id) if own else None
        units, freed = (present.units, stock.freed_by(present)) if present else (0, 0)
        total = max(units, min(wanted[item], own.available_to(order.order_id) + freed) if own and own.tracked else 0)
        if total > units:
            allotment.take(item, total, commit=True)
        lacking = wanted[item] - total
        # Lines are served in their order.
        for line_no, count in reversed(by_line.items()):
            left = min(count, lacking)
            lacking -= left
            if left < count:
                served.setdefault(item[0], {})[line_no] = count - left
    return allotment.reserved(), served


def waits_of(order: Order) -> dict[Item, int]:
    """Units that an order waits for, by supplier and SKU: before the confirmation all that it wants of what lacks."""
    hold, waits = order.hold(HoldReason.OUT_OF_STOCK, LEDGER), defaultdict[Item, int](int)
    if order.confirmed_at is not None:
        _add(waits, {item: sum(by_line.values()) for item, by_line in _waiting_by_item(order).items()})
    elif hold is not None:
        _add(waits, _wanted_of(order, hold))
    if hold is not None:
        _add(waits, could_serve(order, hold, Against.OUT_OF_STOCK))
    return waits


def barred_of(order: Order) -> tuple[dict[Item, int], dict[Item, int]]:
    """Units that wait for suppliers to be approved: suppliers that the ledger chose, and those that the shop named."""
    chosen: dict[Item, int] = {}
    for reason in (HoldReason.INCOMPLETE, HoldReason.OUT_OF_STOCK):
        if (hold := order.hold(reason, LEDGER)) is not None:
            chosen |= could_serve(order, hold, Against.NOT_APPROVED)
    named = order.hold(HoldReason.OTHER, LEDGER) if order.confirmed_at is None else None
    return chosen, _wanted_of(order, named) if named else {}


def _wanted_of(order: Order, hold: Hold) -> dict[Item, int]:
    """All that an order wants of the items whose lines the hold names: they are reserved together."""
    wanted = items_of(order, "", order.in_bucket("open"))
    return {item: wanted[item] for item in items_of(order, "", hold.lacking) if item in wanted}


def could_serve(order: Order, hold: Hold, *against: Against) -> dict[Item, int]:
    """Suppliers that only lacked stock for units without a supplier, and for how many units."""
    wanted: defaultdict[str, int] = defaultdict(int)
    for line_no, units in order.in_bucket("open").items():
        if order.confirmed_at is not None or not order.lines[line_no].supplier_id:
            wanted[order.lines[line_no].sku] += units
    return {
        (each.supplier_id, choice.sku): wanted[choice.sku]
        for choice in hold.choices
        for each in choice.considered
        if each.against in against
        and choice.sku in wanted
        and each.cost is not None
        and wanted[choice.sku] >= each.minimum_quantity
    }


def _waiting_by_item(order: Order) -> dict[Item, Units]:
    """Units that wait for stock, by the supplier and SKU that is to ship them."""
    by_item: defaultdict[Item, Units] = defaultdict(dict)
    for (supplier_id, line_no), units in sorted(order.waiting_at_suppliers().items()):
        if supplier_id:
            by_item[supplier_id, order.lines[line_no].sku][line_no] = units
    return by_item


def give_back(view: View, after: Order, items: Iterable[Item], now: datetime) -> list[Change]:
    """Release what the order reserved of these items beyond what it still has to ship of them.

    Backordered units have no reservation, so they release nothing.
    """
    changes: list[Change] = []
    order_id, wanted = after.order_id, _unshipped(after)
    for item in items:
        own = stock.find(view, *item)
        reservation = own.reservations.get(order_id) if own else None
        surplus = reservation.units - wanted[item] if reservation else 0
        if surplus > 0:
            changes.append((stock.stream(*item), stock.ReservationReleased(*item, order_id, surplus, now)))
    return changes


def _unshipped(order: Order) -> defaultdict[Item, int]:
    """Units still to be shipped of each item, without those that a supplier rejected."""
    totals: defaultdict[Item, int] = defaultdict(int)
    for each in order.supplier_orders.values():
        _add(totals, items_of(order, each.supplier_id, supplier_orders.left_to_ship(each)))
    if order.confirmed_at is None:
        _add(totals, items_of(order, "", order.in_bucket("open")))
    return totals


def items_of(order: Order, supplier_id: str, by_line: Units) -> dict[Item, int]:
    totals: defaultdict[Item, int] = defaultdict(int)
    for line_no, units in by_line.items():
        line = order.lines[line_no]
        item = (supplier_id or line.supplier_id, line.sku)
        if all(item):
            totals[item] += units
    return totals


def consume(view: View, order: Order, supplier_id: str, by_line: Units, at: datetime) -> list[Change]:
    """Consumes the reservations of units that left; units without a reservation are skipped."""
    changes: list[Change] = []
    for item, units in items_of(order, supplier_id, by_line).items():
        own = stock.find(view, *item)
        reservation = own.reservations.get(order.order_id) if own else None
        if reservation is not None:
            facts = stock.consume(own, *item, order.order_id, min(units, reservation.units), at)
            changes += changes_of(stock.stream(*item), facts)
    return changes


def streams_of(order: Order, shipment: Shipment) -> list[str]:
    """The stock of what is in a parcel."""
    supplier_id = order.supplier_orders[shipment.supplier_order_id].supplier_id
    return [stock.stream(*item) for item in items_of(order, supplier_id, shipment.by_line)]


def without_reservation(view: View, order: Order, supplier_id: str, by_line: Units) -> Units:
    """Units that leave without a reservation, those of the last lines; stock that no feed tells of has none."""
    lacking: Units = {}
    by_line = {line_no: units for line_no, units in by_line.items() if line_no in order.lines}
    reserved = {
        item: own.reservations[order.order_id].units if own and order.order_id in own.reservations else 0
        for item in items_of(order, supplier_id, by_line)
        for own in (stock.find(view, *item),)
    }
    for line_no, units in by_line.items():
        item = (supplier_id, order.lines[line_no].sku)
        covered = min(units, reserved.get(item, 0))
        if covered:
            reserved[item] -= covered
        if covered < units:
            lacking[line_no] = units - covered
    return lacking


def restore(view: View, order: Order, shipment: Shipment, at: datetime) -> list[Change]:
    """Promises units to the order again that had not left."""
    changes: list[Change] = []
    supplier_id = order.supplier_orders[shipment.supplier_order_id].supplier_id
    for item, units in items_of(order, supplier_id, minus(shipment.by_line, shipment.unreserved)).items():
        own = stock.find(view, *item)
        facts = stock.restore(own, *item, order.order_id, units, shipment.shipped_at, at)
        changes += changes_of(stock.stream(*item), facts)
    return changes


def _add(totals: defaultdict[Item, int], more: Mapping[Item, int]) -> None:
    for item, units in more.items():
        totals[item] += units


def reserve(
    view: View, reservation_id: str, wanted: Mapping[Item, int], hold_for: timedelta | None, now: datetime
) -> list[Change]:
    """Hold stock for a checkout, all items together or none; by default as long as the policy says."""
    view.need(*(stock.stream(*item) for item in wanted))
    expires_at = now + (hold_for or timedelta(minutes=policy_at(policies.find(view), now).reservation_minutes))
    changes: list[Change] = []
    lacking: list[tuple[str, str, int, int]] = []
    for item, units in wanted.items():
        try:
            facts = stock.reserve(stock.find(view, *item), *item, reservation_id, units, expires_at, now)
        except stock.OutOfStock as refusal:
            lacking += refusal.lacking
        else:
            changes += changes_of(stock.stream(*item), facts)
    if lacking:
        raise stock.OutOfStock(lacking)
    return changes
