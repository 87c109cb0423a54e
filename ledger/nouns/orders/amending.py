"""Decisions on what a shop changes of an order that it has sold (DOMAIN 1, Amending)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from ledger.facts import LineNo, Units, Value, minus, plus
from ledger.nouns.orders.details import since_placing
from ledger.nouns.orders.facts import OrderAmended
from ledger.nouns.orders.lines import Line
from ledger.nouns.orders.payments import Charge
from ledger.nouns.orders.refusals import LineIsOfAnotherSku, OrderClosed
from ledger.nouns.orders.state import Header, Order
from ledger.nouns.orders.supplier_orders import UnknownLine


class Wanted(Value, frozen=True):
    """The order as its source has it now: all lines with the units that are wanted, all charges."""

    lines: tuple[Line, ...]
    charges: tuple[Charge, ...]
    at: datetime
    version: int = 0
    """Of the order at its source, higher with each change; 0 where the source counts none."""


class Amendment(Value, frozen=True):
    """The difference between what an order is and what is wanted now."""

    fact: OrderAmended | None = None
    """None where nothing differs but units that are to be cancelled."""
    fewer: Units = {}
    """Units to cancel, by line."""


def amend(order: Order, wanted: Wanted) -> Amendment:
    """What has to change. A state that is older than one that is known is only recorded.

    By its source's count if both have one, else by its time. What is wanted already changes nothing.
    """
    if _is_outdated(order, wanted):
        return Amendment(OrderAmended(order.order_id, wanted.at, wanted.version, outdated=True))
    lines: list[Line] = []
    added, fewer, present = Units(), Units(), wanted_units(order)
    for line in _all_lines(order, wanted.lines):
        left = present.get(line.line_no, 0)
        if line.quantity > left:
            added[line.line_no] = line.quantity - left
        elif line.quantity < left:
            fewer[line.line_no] = left - line.quantity
        if (changed := _changed(order, line, left)) is not None:
            lines.append(changed)
    charges = wanted.charges if wanted.charges != order.money.charges else None
    if (added or fewer or lines or charges is not None) and order.header in _CLOSED:
        raise OrderClosed(order.order_id, order.header)
    if not (lines or charges is not None or wanted.version > order.money.version):
        return Amendment(fewer=fewer)
    fact = OrderAmended(order.order_id, wanted.at, wanted.version, tuple(lines), added, charges)
    return Amendment(since_placing(order, fact), fewer)


_CLOSED = (Header.CANCELLED, Header.COMPLETED)


def _is_outdated(order: Order, wanted: Wanted) -> bool:
    known = order.money
    if wanted.version and known.version:
        return wanted.version < known.version
    return known.amended_at is not None and wanted.at < known.amended_at


def _all_lines(order: Order, lines: Iterable[Line]) -> list[Line]:
    """The wanted lines, and those that nobody wants any more with no units."""
    wanted = {line.line_no: line for line in lines}
    bundles = {line.part_of.line_no for line in order.lines.values() if line.part_of is not None}
    for line in wanted.values():
        known = order.lines.get(line.line_no)
        if known is not None and line.sku not in ("", known.sku):
            raise LineIsOfAnotherSku(line.line_no, known.sku, line.sku)
        if line.substitute_for and line.substitute_for not in order.lines.keys() | bundles:
            raise UnknownLine(f"order {order.order_id}", line.substitute_for)
    gone = [replace(line, quantity=0, total_minor=0) for n, line in order.lines.items() if n not in wanted]
    return [*wanted.values(), *gone]


def wanted_units(order: Order) -> Units:
    """Units that are wanted, by line: neither cancelled nor asked to be."""
    asked = Units()
    for each in order.supplier_orders.values():
        if each.cancel_asked:
            asked = plus(asked, minus(each.cancel_asked, each.reroute_asked))
    return {n: buckets.total - buckets.cancelled - asked.get(n, 0) for n, buckets in order.buckets.items()}


def wanted_minor(order: Order, line_no: LineNo, wanted: int) -> int:
    """What so many wanted units of a line cost together."""
    return order.lines[line_no].worth_minor(wanted, order.buckets[line_no].total - wanted)


def _price_minor(order: Order, line: Line) -> int:
    """What the units of a line that are not cancelled cost."""
    buckets = order.buckets[line.line_no]
    return line.worth_minor(buckets.total - buckets.cancelled, buckets.cancelled)


def _changed(order: Order, line: Line, left: int) -> Line | None:
    """The line as it is to be, its quantity counting all units that were ever ordered; None if it is so already.

    left is how many of its units were wanted so far.
    """
    line_no = line.line_no
    present = order.lines.get(line_no)
    if present is None:
        return line if line.quantity else None
    # What it costs counts units that somebody asked to be cancelled: they cost it until their supplier gives them up.
    if line.quantity == left and line.amount_minor == _price_minor(order, present):
        return None
    quantity = order.buckets[line_no].total + max(line.quantity - left, 0)
    return replace(
        present,
        quantity=quantity,
        unit_price_minor=line.unit_price_minor,
        title=line.title or present.title,
        total_minor=line.amount_minor,
        given_up=quantity - line.quantity,
    )
