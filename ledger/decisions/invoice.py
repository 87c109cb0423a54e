"""Commercial invoices: the papers for customs when goods cross a border (DOMAIN 4)."""

from __future__ import annotations

from datetime import datetime
from functools import reduce
from typing import NamedTuple

from ledger.decisions import customs
from ledger.facts import Units, plus
from ledger.nouns.orders import Line, Order, Shipment
from ledger.nouns.orders.supplier_orders import ShipTo, Stage, SupplierOrder
from ledger.nouns.policies import Seller
from ledger.nouns.suppliers import Supplier
from ledger.refusals import Forbidden, NotFound
from ledger.terms.money import Money
from ledger.terms.shipping import Incoterm


class CommercialLine(NamedTuple):
    """Units of one order line."""

    line: Line
    units: int

    @property
    def weight_grams(self) -> int:
        return self.line.weight_grams * self.units

    @property
    def value_minor(self) -> int:
        return self.line.customs_worth_minor(self.units)


class Invoice(NamedTuple):
    """A commercial invoice as data, without the people on it."""

    supplier_order_id: str
    number: str
    """The supplier order's id, and the tracking number if it is for one parcel."""
    issued_at: datetime
    order: Order
    supplier: Supplier
    seller: Seller | None
    incoterm: Incoterm
    lines: tuple[CommercialLine, ...]
    shipments: tuple[Shipment, ...]
    ship_to: ShipTo
    """Who buys: where this goes, which need not be where the order goes now."""

    @property
    def units(self) -> int:
        return sum(line.units for line in self.lines)

    @property
    def weight_grams(self) -> int:
        return sum(line.weight_grams for line in self.lines)

    @property
    def total(self) -> Money:
        """The sum of the lines, as customs demands."""
        return Money(sum(line.value_minor for line in self.lines), self.order.currency)


class NothingToInvoice(Forbidden, reason="NOTHING_TO_INVOICE"):
    says = "supplier order {supplier_order_id} is {stage}; it sends no unit that an invoice could name"
    supplier_order_id: str
    stage: Stage


class NotItsParcel(NotFound, reason="NOT_ITS_PARCEL"):
    says = "supplier order {supplier_order_id} has no parcel {number} of {carrier}"
    supplier_order_id: str
    carrier: str
    number: str


def draw_up(
    order: Order,
    supplier_order_id: str,
    supplier: Supplier,
    seller: Seller | None,
    parcel: tuple[str, str] | None = None,
) -> Invoice:
    """The invoice of a supplier order, or of one of its parcels by carrier and number.

    It lists no rejected or cancelled units. While customs data are missing, it is refused.
    """
    supplier_order = order.supplier_order(supplier_order_id)
    shipments = tuple(
        each
        for each in order.shipments
        if each.supplier_order_id == supplier_order_id and parcel in (None, (each.carrier, each.number))
    )
    if parcel is not None and not shipments:
        raise NotItsParcel(supplier_order_id, *parcel)
    units = _sent(supplier_order)
    if parcel is not None:
        # Of a number that was used again, the last use.
        shipments = tuple(each for each in shipments if each.epoch == shipments[-1].epoch)
        units = reduce(plus, (each.by_line for each in shipments))
    if not units:
        raise NothingToInvoice(supplier_order_id, supplier_order.stage)
    missing = customs.missing_data(order, units)
    if missing or order.incoterm is None:
        raise customs.CustomsDataMissing(f"supplier order {supplier_order_id}", missing)
    drawn_at = supplier_order.sent_at or supplier_order.drafted_at
    return Invoice(
        supplier_order_id=supplier_order_id,
        number=supplier_order_id if parcel is None else f"{supplier_order_id}-{parcel[1]}",
        issued_at=drawn_at if parcel is None else shipments[-1].shipped_at,
        order=order,
        supplier=supplier,
        seller=seller,
        incoterm=order.incoterm,
        lines=tuple(CommercialLine(order.lines[line_no], units[line_no]) for line_no in sorted(units)),
        shipments=shipments,
        ship_to=order.ship_to_of(supplier_order_id, None if parcel is None else shipments[-1]),
    )


def _sent(supplier_order: SupplierOrder) -> Units:
    """What it has sent or is to send."""
    units = {line_no: share.unshipped + share.shipped for line_no, share in supplier_order.shares.items()}
    return {line_no: count for line_no, count in units.items() if count}
