"""Customs: whether goods cross a border, and what must be known of them before they do (DOMAIN 4)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from ledger.decisions.docket import after_facts
from ledger.facts import LineNo
from ledger.nouns import orders, suppliers
from ledger.nouns.orders import (
    LEDGER,
    CustomsDataCompleted,
    Hold,
    HoldReason,
    HoldReleased,
    Line,
    Order,
    OrderFact,
    supplier_orders,
)
from ledger.nouns.suppliers import Supplier
from ledger.refusals import Forbidden
from ledger.terms.customs_territories import territory, territory_of
from ledger.terms.money import Money
from ledger.terms.places import COUNTRIES, Destination
from ledger.view import View

HS_CODE = re.compile(r"\d{6,12}", re.ASCII)
"""Six digits are international; countries add up to six of their own."""


class Border(StrEnum):
    """What lies between a supplier and the customer."""

    NONE = "none"
    CROSSED = "crossed"
    UNKNOWN = "unknown"
    """The country of one of them is not known."""


def border(supplier: Supplier | None, destination: Destination, warehouse: str = "") -> Border:
    """Between a supplier's warehouse, where one is named, and an address."""
    origin = _territory_of(supplier, warehouse)
    if not (origin and destination.country):
        return Border.UNKNOWN
    return Border.NONE if origin == territory_of(destination) else Border.CROSSED


def _territory_of(supplier: Supplier | None, warehouse: str) -> str:
    """Where goods leave from; empty if that is not known."""
    return territory(*supplier.place_of(warehouse)) if supplier is not None else ""


# --- refusals -------------------------------------------------------------------------------------


class CustomsDataMissing(Forbidden, reason="CUSTOMS_DATA_MISSING"):
    says = "{of} lacks what customs asks for: {missing}; complete it with OrderService.CompleteCustomsData"
    of: str
    missing: Sequence[str]


class DeclaredTotalDiffers(Forbidden, reason="DECLARED_TOTAL_DIFFERS"):
    says = "{declared} declared, the lines add up to {lines}"
    declared: Money
    lines: Money

    def figures(self) -> Mapping[str, object]:
        return {**super().figures(), "declared_currency": self.declared.currency}


# --- what is missing ------------------------------------------------------------------------------


def missing_data(order: Order, line_numbers: Collection[LineNo]) -> tuple[str, ...]:
    """What customs asks for and these lines lack, as field paths."""
    return _of_lines(order, _lacking_by_line(order, line_numbers), line_numbers)


class _Lacks(NamedTuple):
    """What a line lacks."""

    place: int
    """Of the line in its order."""
    names: Sequence[str]


def _of_lines(order: Order, lacking: Mapping[LineNo, _Lacks], line_numbers: Iterable[LineNo]) -> tuple[str, ...]:
    """As field paths, in the order of the lines."""
    missing = [] if order.incoterm is not None else ["incoterm"]
    for place, names in sorted(lacking[line_no] for line_no in line_numbers if line_no in lacking):
        missing += [f"lines[{place}].{name}" for name in names]
    return tuple(missing)


def _lacking_by_line(order: Order, line_numbers: Collection[LineNo]) -> dict[LineNo, _Lacks]:
    return {
        line_no: _Lacks(place, lacking)
        for place, (line_no, line) in enumerate(order.lines.items())
        if line_no in line_numbers and (lacking := _lacking(line))
    }


_ASKED = ("title", "hs_code", "origin", "weight_grams", "unit_price_minor")
"""What customs asks of a line, in the order in which _lacking looks at it."""


def _lacking(line: Line) -> list[str]:
    known_data = (
        line.title,
        HS_CODE.fullmatch(line.hs_code),
        line.origin in COUNTRIES,
        line.weight_grams,
        line.customs_value_minor,
    )
    return [] if all(known_data) else [name for name, known in zip(_ASKED, known_data, strict=True) if not known]


def missing_for(view: View, order: Order, at: datetime) -> dict[str, tuple[str, ...]]:
    """What is missing by supplier order; before confirmation, under an empty id, of all that is still open."""
    if order.confirmed_at is None:
        lines = _from_abroad(view, order, at)
        fields = missing_data(order, lines) if lines else ()
        return {"": fields} if fields else {}
    left = {
        each.supplier_order_id: supplier_orders.left_to_ship(each)
        for each in order.supplier_orders.values()
        if each.unshipped and _crosses(view, each.supplier_id, each.warehouse, order.destination_of(each))
    }
    lacking = _lacking_by_line(order, order.lines) if left else {}
    missing = {scope: _of_lines(order, lacking, lines) for scope, lines in left.items()}
    return {scope: fields for scope, fields in missing.items() if fields}


class CustomsStatus(NamedTuple):
    """Where a part of an order stands with customs."""

    supplier_order_id: str
    """Empty for units that no supplier order has."""
    supplier_id: str
    from_country: str
    to_country: str
    border: Border
    missing: tuple[str, ...]
    from_territory: str
    """The customs territories; empty where the country is not known."""
    to_territory: str


def standings(order: Order, found: Mapping[str, Supplier], at: datetime) -> list[CustomsStatus]:
    """Of every supplier order, and by supplier of what no supplier order has yet; found are the known suppliers."""
    parts = [
        (each.supplier_order_id, each.supplier_id, each.warehouse, set(each.shares), order.destination_of(each))
        for each in order.supplier_orders.values()
    ]
    loose: dict[tuple[str, str], set[LineNo]] = {}
    for line_no in order.in_bucket("open"):
        line = order.lines[line_no]
        loose.setdefault((line.supplier_id, _house(found.get(line.supplier_id), line, at)), set()).add(line_no)
    parts += [("", *sender, lines, order.destination) for sender, lines in loose.items()]
    return [
        _standing(order, (part_id, supplier_id), found.get(supplier_id), warehouse, lines, place)
        for part_id, supplier_id, warehouse, lines, place in parts
    ]


def _standing(
    order: Order,
    part: tuple[str, str],
    supplier: Supplier | None,
    warehouse: str,
    lines: Collection[LineNo],
    place: Destination,
) -> CustomsStatus:
    lies_between = border(supplier, place, warehouse)
    return CustomsStatus(
        *part,
        supplier.country_of(warehouse) if supplier is not None else "",
        place.country,
        lies_between,
        missing_data(order, lines) if lies_between is Border.CROSSED else (),
        _territory_of(supplier, warehouse),
        territory_of(place),
    )


def _from_abroad(view: View, order: Order, at: datetime) -> set[LineNo]:
    """The open lines that come from behind a border, as far as their suppliers are known."""
    if not order.destination.country:
        return set()
    named = {line.supplier_id for line in order.lines.values()}
    senders = {supplier_id: suppliers.find(view, supplier_id) for supplier_id in named if supplier_id}
    housed = {name: found for name, found in senders.items() if found is not None and found.master.warehouses}
    place = order.destination
    abroad = {name for name, each in senders.items() if name in housed or border(each, place) is Border.CROSSED}
    if not abroad:
        return set()
    lines = {n for n in order.in_bucket("open") if order.lines[n].supplier_id in abroad}
    return lines - {n for n in lines if _leaves_at_home(order, order.lines[n], housed, at)} if housed else lines


def _leaves_at_home(order: Order, line: Line, housed: Mapping[str, Supplier], at: datetime) -> bool:
    """Whether it is of a supplier with several warehouses, and leaves from one that is on this side of the border."""
    supplier = housed.get(line.supplier_id)
    between = border(supplier, order.destination, _house(supplier, line, at))
    return supplier is not None and between is not Border.CROSSED


def _house(supplier: Supplier | None, line: Line, at: datetime) -> str:
    """The warehouse that a line would leave from."""
    if supplier is None or not supplier.master.warehouses:
        return ""
    offer = supplier.offer_at(line.sku, at)
    return offer.warehouse if offer is not None else ""


def _crosses(view: View, supplier_id: str, warehouse: str, destination: Destination) -> bool:
    return border(suppliers.find(view, supplier_id), destination, warehouse) is Border.CROSSED


def require_data(order: Order, supplier_order_id: str, supplier: Supplier | None) -> None:
    """Nothing is sent across a border without what customs asks for."""
    supplier_order = order.supplier_order(supplier_order_id)
    if border(supplier, order.destination_of(supplier_order), supplier_order.warehouse) is Border.CROSSED:
        lines = supplier_orders.left_to_ship(supplier_order)
        if missing := missing_data(order, lines):
            raise CustomsDataMissing(f"supplier order {supplier_order_id}", missing)


# --- the hold -------------------------------------------------------------------------------------


def reconsider(view: View, order: Order, at: datetime) -> list[OrderFact]:
    """Updates the ledger's holds for customs data to what is missing now, or ends them."""
    view.need(*(suppliers.stream(supplier_id) for supplier_id in involved(order)))
    missing = missing_for(view, order, at)
    over = [hold for hold in order.holds if _is_the_ledgers(hold) and hold.supplier_order_id not in missing]
    facts = orders.end_holds(order, over, at)
    holds = [
        Hold(HoldReason.CUSTOMS_DATA, LEDGER, at, missing=fields, supplier_order_id=scope)
        for scope, fields in missing.items()
    ]
    return [*facts, *orders.place_holds(after_facts(order, facts), holds)] if holds else facts


def reconsider_if_held(view: View, order: Order, at: datetime) -> list[OrderFact]:
    """Updates existing holds after a change of the order: cancelled units need no customs data."""
    return reconsider(view, order, at) if any(map(_is_the_ledgers, order.holds)) else []


def require_data_to_release(view: View, order: Order, released: Iterable[OrderFact], at: datetime) -> None:
    """A hold for customs data cannot be released while the data is missing."""
    if any(isinstance(fact, HoldReleased) and fact.owner == LEDGER for fact in released):
        for scope, missing in missing_for(view, order, at).items():
            raise CustomsDataMissing(f"supplier order {scope}" if scope else f"order {order.order_id}", missing)


def _is_the_ledgers(hold: Hold) -> bool:
    """Whether it is a hold for customs data that the ledger placed and releases itself."""
    return hold.reason is HoldReason.CUSTOMS_DATA and hold.owner == LEDGER


def involved(order: Order) -> dict[str, None]:
    """Every supplier that the order names or that has a supplier order."""
    given = (each.supplier_id for each in order.supplier_orders.values())
    return dict.fromkeys(name for name in (*(line.supplier_id for line in order.lines.values()), *given) if name)


# --- completing -----------------------------------------------------------------------------------


def complete(order: Order, completed: CustomsDataCompleted, declared_total: Money | None) -> list[OrderFact]:
    """Adds customs data, at any time before the order is closed. Known data records nothing.

    A declared total that differs from the sum of all lines without cancelled units is refused.
    """
    if order.header is orders.Header.CANCELLED:
        raise orders.OrderClosed(order.order_id, order.header)
    for line in completed.lines:
        if line.line_no not in order.lines:
            raise supplier_orders.UnknownLine(f"order {order.order_id}", line.line_no)
    after = after_facts(order, [completed])
    orders.require_total(order, after)
    total = total_of(after)
    if declared_total is not None and declared_total != total:
        raise DeclaredTotalDiffers(declared_total, total)
    return [] if after == order else [completed]


def total_of(order: Order) -> Money:
    """What all units that are not cancelled are worth to customs."""
    wanted = {line_no: buckets.total - buckets.cancelled for line_no, buckets in order.buckets.items()}
    worth = sum(order.lines[line_no].customs_worth_minor(units) for line_no, units in wanted.items())
    return Money(worth, order.currency)
