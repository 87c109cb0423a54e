"""Whether the suppliers of an order's lines may be given their units, whoever named them (DOMAIN 2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from ledger.facts import LineNo, Units
from ledger.nouns import suppliers
from ledger.nouns.offers import holding
from ledger.nouns.orders import Line, Order
from ledger.nouns.suppliers import Standing, Supplier
from ledger.refusals import Forbidden, Refusal
from ledger.terms.money import TotalTooLarge, largest_total
from ledger.view import View

# --- refusals -------------------------------------------------------------------------------------


class NotOfferedNow(Forbidden, reason="NOT_OFFERED_NOW"):
    says = "line {line_no}: supplier {supplier_id} does not offer {sku} now; correct the offer or the line"
    line_no: int
    supplier_id: str
    sku: str


class DestinationNotServed(Forbidden, reason="DESTINATION_NOT_SERVED"):
    says = "line {line_no}: supplier {supplier_id} does not ship {sku} to {country} {region}"
    line_no: int
    supplier_id: str
    sku: str
    country: str
    region: str

    def sentence(self) -> str:
        return super().sentence().rstrip()


class BelowMinimum(Forbidden, reason="BELOW_MINIMUM"):
    says = "line {line_no}: supplier {supplier_id} takes {minimum} of {sku} at least, not {units}"
    line_no: int
    supplier_id: str
    sku: str
    units: int
    minimum: int


# --- decisions ------------------------------------------------------------------------------------

Unusable = Mapping[LineNo, tuple[int, str]]
"""Units of lines whose supplier may not be given them, and why."""


def unusable_suppliers(view: View, order: Order, open_units: Units, at: datetime) -> Unusable:
    """Open units of lines whose supplier is not approved, or cannot have them by what it offers."""
    unusable: dict[LineNo, tuple[int, str]] = {}
    for line_no, units in open_units.items():
        line = order.lines[line_no]
        if line.supplier_id:
            supplier = suppliers.find(view, line.supplier_id)
            if supplier is None or supplier.standing is not Standing.APPROVED:
                unusable[line_no] = (units, "supplier is not approved")
            elif (supplier.offers or supplier.refused) and (
                refusal := _misfit(supplier, order, line, open_units, at)
            ) is not None:
                unusable[line_no] = (units, _in_a_hold(refusal))
    return unusable


def require_usable(view: View, order: Order, lines: Iterable[LineNo], at: datetime) -> None:
    """The suppliers of these lines may be given their open units."""
    open_units = order.in_bucket("open")
    for line_no in lines:
        line = order.lines[line_no]
        supplier = suppliers.require_approved(suppliers.find(view, line.supplier_id), line.supplier_id)
        if (supplier.offers or supplier.refused) and (
            refusal := _misfit(supplier, order, line, open_units, at)
        ) is not None:
            raise refusal


def _misfit(supplier: Supplier, order: Order, line: Line, open_units: Units, at: datetime) -> Refusal | None:
    """Why the supplier cannot have the line's units; of a SKU that it never offered nothing is known against it."""
    if supplier.refused and not supplier.serves(place := order.destination, line.sku):
        return DestinationNotServed(line.line_no, line.supplier_id, line.sku, place.country, place.region)
    listed = supplier.offers.get(line.sku) if supplier.offers else None
    if listed is None:
        return None
    offer, line_no, units = holding(listed, at), line.line_no, open_units[line.line_no]
    if offer is None:
        return NotOfferedNow(line_no, line.supplier_id, line.sku)
    if (total := offer.too_dear(units)) is not None:
        return TotalTooLarge(f"line {line_no} at supplier {line.supplier_id}", total, largest_total(total.currency))
    if units < offer.minimum_quantity and (wanted := _of_item(order, line, open_units)) < offer.minimum_quantity:
        return BelowMinimum(line_no, line.supplier_id, line.sku, wanted, offer.minimum_quantity)
    return None


def _of_item(order: Order, line: Line, open_units: Units) -> int:
    """Open units of the same SKU at the same supplier, in whatever lines."""
    item, lines = (line.supplier_id, line.sku), order.lines
    return sum([units for n, units in open_units.items() if (lines[n].supplier_id, lines[n].sku) == item])


def _in_a_hold(refusal: Refusal) -> str:
    """A hold names the line and the supplier beside it."""
    if isinstance(refusal, TotalTooLarge):
        return f"{refusal.total} is too much to owe for it; correct the offer, then release the hold"
    return refusal.message.partition(": ")[2]
