"""What lies in a parcel, as its supplier tells it, against what it was to send (DOMAIN 1, 4).

What left is recorded, whatever should have left. Units that a supplier order still had to send move; it may also have
found some that it had rejected, while nobody else was given them. All others change no count of the order: nobody owes
for them, and they are somebody's work.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from ledger.facts import LineNo, Units
from ledger.nouns.orders.state import Order, Shipment
from ledger.nouns.orders.supplier_orders import (
    LineShare,
    NothingToShip,
    Oddity,
    SupplierOrder,
    UnknownLine,
    left_to_ship,
)


class Told(NamedTuple):
    """What a supplier says is in a parcel; nothing named means all that is left to ship."""

    by_line: Units = {}
    by_sku: dict[str, int] = {}
    """By SKU or by its own article code, where it does not know lines."""


class Load(NamedTuple):
    """What of that is new."""

    owed: Units = {}
    """Units that it was to send."""
    over: Units = {}
    """More of a line than that."""
    unordered: dict[str, int] = {}
    """SKUs that it was not given."""
    oddities: tuple[Oddity, ...] = ()


def loaded(order: Order, supplier_order: SupplierOrder, carrier: str, number: str, told: Told, at: datetime) -> Load:
    """What is told of a parcel, without what is known of it. A parcel may be told line by line.

    The same units of the same moment are the same again. Units of another moment are further ones, unless no so many
    are left: then they are told again.
    """
    which = (supplier_order.supplier_order_id, carrier, number)
    known = [each for each in order.shipments if (each.supplier_order_id, each.carrier, each.number) == which]
    if not (told.by_line or told.by_sku):
        all_left = left_to_ship(supplier_order)
        if not all_left and not known:
            raise NothingToShip(supplier_order.supplier_order_id, supplier_order.stage)
        return Load(all_left)
    left = _left(order, supplier_order)
    owed: Units = {}
    over: Units = {}
    unordered: dict[str, int] = {}
    for lines, sku, units in _items(order, supplier_order, told):
        fitting = sum(left.get(n, 0) for n in lines)
        new = _new(units, lines, sku, known, fitting, at) if known else units
        for line_no in lines:
            if count := min(new, left.get(line_no, 0)):
                owed[line_no] = owed.get(line_no, 0) + count
                left[line_no] -= count
                new -= count
        if new and lines:
            over[lines[-1]] = over.get(lines[-1], 0) + new
        elif new:
            unordered[sku] = new
    return Load(owed, over, unordered, tuple(dict.fromkeys(_oddities(supplier_order, owed, over, unordered))))


def _left(order: Order, supplier_order: SupplierOrder) -> Units:
    """What it can send of each line: what it has to, and what it dropped and nobody else was given."""
    left: Units = {}
    for line_no, share in supplier_order.shares.items():
        dropped = share.rejected + share.rerouted
        left[line_no] = share.unshipped + (min(dropped, order.buckets[line_no].open) if dropped else 0)
    return left


def _items(order: Order, supplier_order: SupplierOrder, told: Told) -> Iterator[tuple[Sequence[LineNo], str, int]]:
    """What is told, each with the lines that it may be: those of a SKU, or none of them."""
    for line_no, units in told.by_line.items():
        if line_no not in order.lines:
            raise UnknownLine(f"order {order.order_id}", line_no)
        yield (line_no,), "", units
    lines: defaultdict[str | None, list[LineNo]] = defaultdict(list)
    for line_no in supplier_order.shares if told.by_sku else ():
        for name in {order.lines[line_no].sku, supplier_order.article_codes.get(line_no)}:
            lines[name].append(line_no)
    for sku, units in told.by_sku.items():
        yield lines[sku], sku, units


def _new(units: int, lines: Sequence[LineNo], sku: str, known: Sequence[Shipment], fitting: int, at: datetime) -> int:
    """How many of the units are not known already."""

    def count(shipments: Sequence[Shipment]) -> int:
        if not lines:
            return sum(each.unordered.get(sku, 0) for each in shipments)
        return sum(each.by_line.get(n, 0) + each.over.get(n, 0) for each in shipments for n in lines)

    new = max(units - count([each for each in known if each.shipped_at == at]), 0)
    return new if new <= fitting else max(units - count(known), 0)


def _oddities(supplier_order: SupplierOrder, owed: Units, over: Units, unordered: dict[str, int]) -> Iterator[Oddity]:
    """Why it should not have sent some of it."""
    shares = supplier_order.shares
    if any(units > shares[n].unshipped for n, units in owed.items()):
        yield Oddity.GIVEN_UP
    for line_no, units in over.items():
        share = shares.get(line_no, LineShare())
        if share.cancelled:
            yield Oddity.CANCELLED
        if units > share.cancelled and share.rejected + share.rerouted:
            yield Oddity.GIVEN_UP
        if units > share.cancelled + share.rejected + share.rerouted:
            yield Oddity.OVER
    if unordered:
        yield Oddity.UNORDERED
