"""Invoices for the customer (发票): asked for, drawn up for what has left, cancelled by credit notes (DOMAIN 1).

An invoice is a copy of what held when it was drawn up. Nothing that happens to the order later changes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import assert_never

from msgspec.structs import replace

from ledger.facts import Fact, LineNo, Sealed, Told, Value
from ledger.nouns.orders.payments import Charge
from ledger.nouns.orders.supplier_orders import ShipTo
from ledger.nouns.policies import Seller
from ledger.terms.money import round_half_up

# --- facts ----------------------------------------------------------------------------------------


class InvoiceWish(Value, frozen=True):
    """That the customer wants an invoice, and how."""

    buyer: Sealed | None = None
    """Whom it is made out to, as far as that is not the customer: name, tax id, address."""
    digest: str = ""
    """Keyed hash of the buyer: recognises the same again without its content."""
    included_tax_basis_points: int = 0
    """The tax that the prices contain, as the shop says; 0 where they contain none, or it did not say."""


class InvoicedLine(Value, frozen=True):
    """Units of a line, and what they cost together."""

    line_no: LineNo
    sku: str
    title: str
    units: int
    amount_minor: int


class InvoiceRequested(Fact, frozen=True, tag="order.invoice_requested"):
    """The customer wants an invoice, or wants it otherwise: what has left and stands on none is put on one."""

    order_id: str
    wish: InvoiceWish
    by: str
    at: datetime


class InvoiceIssued(Fact, frozen=True, tag="order.invoice_issued"):
    """An invoice was drawn up; number and date are those that stand on it."""

    order_id: str
    number: str
    dated: date
    """The day on which it was drawn up, where the seller is."""
    seller: Seller
    currency: str
    lines: tuple[InvoicedLine, ...]
    ship_to: ShipTo
    """The customer, and where the goods went."""
    left_at: datetime
    """When the goods left, the last of them."""
    at: datetime
    charges: tuple[Charge, ...] = ()
    """The parts of the order's charges that stand on this invoice."""
    wish: InvoiceWish = InvoiceWish()
    parcel: tuple[str, str, int] | None = None
    """Carrier, number and epoch of the parcel that it goes with; None where it was asked for later."""

    @property
    def total_minor(self) -> int:
        amounts = (each.amount_minor for part in (self.lines, self.charges) for each in part)
        return sum(amounts)

    @property
    def included_tax_minor(self) -> int:
        """The tax that is contained in the total."""
        rate = self.wish.included_tax_basis_points
        return round_half_up(self.total_minor * rate, 10_000 + rate)


class InvoiceNotIssued(Fact, frozen=True, tag="order.invoice_not_issued"):
    """Goods left without the invoice that was asked for: the policy names no seller with a tax id."""

    order_id: str
    at: datetime

    @property
    def warnings(self) -> tuple[str, ...]:
        return (
            "no invoice was drawn up: the policy names no seller with a tax id; RequestCustomerInvoice makes up for it",
        )


class InvoiceCredited(Fact, frozen=True, tag="order.invoice_credited"):
    """A credit note cancels an invoice, all of it."""

    order_id: str
    invoice: str
    """The number of the invoice."""
    number: str
    """The number of the credit note."""
    dated: date
    because: Told
    by: str
    at: datetime


class InvoiceCustomerCopied(Fact, frozen=True, tag="order.invoice_customer_copied"):
    """Name and address were sealed once more for the invoices that show them: they stay when the customer goes."""

    order_id: str
    copied: str
    """The key id of what they were copied from."""
    customer: Sealed
    at: datetime


CustomerInvoiceFact = InvoiceRequested | InvoiceIssued | InvoiceNotIssued | InvoiceCredited | InvoiceCustomerCopied

# --- state ----------------------------------------------------------------------------------------


class CustomerInvoice(Value, frozen=True):
    """An invoice, and the credit note that cancelled it."""

    issued: InvoiceIssued
    credited: InvoiceCredited | None = None


class Invoicing(Value, frozen=True):
    """What is known of an order's invoices."""

    wish: InvoiceWish | None = None
    """None while nobody asked for one."""
    invoices: Mapping[str, CustomerInvoice] = {}
    """By number, as they were drawn up."""
    not_issued: bool = False
    """Whether goods have left, last, without the invoice that was asked for."""

    copies: frozenset[str] = frozenset()
    """The key ids of customers that were sealed for invoices alone."""

    @property
    def uncopied(self) -> dict[str, ShipTo]:
        """Customers on invoices that were sealed for the order, by key id."""
        places = [each.issued.ship_to for each in self.invoices.values()]
        keys = {each.customer.key_id: each for each in places if each.customer is not None}
        return {key_id: each for key_id, each in keys.items() if key_id not in self.copies}

    @property
    def standing(self) -> Iterable[InvoiceIssued]:
        """Those that no credit note cancelled."""
        return (each.issued for each in self.invoices.values() if each.credited is None)


def invoiced(invoicing: Invoicing, fact: CustomerInvoiceFact) -> Invoicing:
    match fact:
        case InvoiceRequested(wish=wish):
            return replace(invoicing, wish=wish)
        case InvoiceIssued(number=number):
            invoices = {**invoicing.invoices, number: CustomerInvoice(fact)}
            return replace(invoicing, invoices=invoices, not_issued=False)
        case InvoiceNotIssued():
            return replace(invoicing, not_issued=True)
        case InvoiceCredited(invoice=number):
            cancelled = replace(invoicing.invoices[number], credited=fact)
            return replace(invoicing, invoices={**invoicing.invoices, number: cancelled})
        case InvoiceCustomerCopied():
            return _copied(invoicing, fact)
        case _:
            assert_never(fact)


def _copied(invoicing: Invoicing, fact: InvoiceCustomerCopied) -> Invoicing:
    found = {
        number: replace(each, issued=replace(each.issued, ship_to=_ship_to(each.issued.ship_to, fact)))
        for number, each in invoicing.invoices.items()
        if each.issued.ship_to.customer is not None and each.issued.ship_to.customer.key_id == fact.copied
    }
    copies = invoicing.copies | {fact.customer.key_id}
    return replace(invoicing, invoices={**invoicing.invoices, **found}, copies=copies)


def _ship_to(ship_to: ShipTo, fact: InvoiceCustomerCopied) -> ShipTo:
    return replace(ship_to, customer=fact.customer, sealed_for=fact.order_id)


def renumbered(invoicing: Invoicing, parcel: tuple[str, str, int], right: tuple[str, str, int]) -> Invoicing:
    """Invoices that go with a parcel whose number was wrong go with it under the right one."""
    found = {
        number: replace(each, issued=replace(each.issued, parcel=right))
        for number, each in invoicing.invoices.items()
        if each.issued.parcel == parcel
    }
    return replace(invoicing, invoices={**invoicing.invoices, **found}) if found else invoicing
