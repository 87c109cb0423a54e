"""Facts of supplier invoices."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from ledger.facts import Fact, LineNo, Told, Units, Value


class SupplierChargeKind(StrEnum):
    """What a supplier asks for beside its goods."""

    FREIGHT = "freight"
    PACKING = "packing"
    TAX = "tax"
    DUTY = "duty"
    DISCOUNT = "discount"
    """Taken off: its amount is below zero."""
    OTHER = "other"


class InvoiceCharge(Value, frozen=True):
    """An amount beside the goods, in the currency of the invoice."""

    kind: SupplierChargeKind
    amount_minor: int


class InvoiceLine(Value, frozen=True):
    """Units of a supplier order, as the supplier names them."""

    supplier_order_id: str
    """As it was written; it may name none that there is."""
    units: int
    amount_minor: int
    """Of all units together."""
    line_no: LineNo = LineNo(0)
    """Of the order; 0 where the line is found by its SKU."""
    sku: str = ""
    """Ours or the supplier's own."""


class OfInvoice(Fact, frozen=True, tag=""):
    """A fact about one invoice."""

    supplier_id: str
    number: str
    """The supplier's own, once a supplier."""


class SupplierInvoiceRecorded(OfInvoice, frozen=True, tag="supplier_invoice.recorded"):
    """An invoice came; its total is what its lines and charges come to."""

    currency: str
    dated: date
    lines: tuple[InvoiceLine, ...]
    at: datetime
    """When it came."""
    charges: tuple[InvoiceCharge, ...] = ()
    pay_by: date | None = None


class Differs(StrEnum):
    """In what an invoice differs from what was ordered and shipped."""

    PRICE = "price"
    """Its units cost less, or nobody agreed on a price."""
    QUANTITY = "quantity"
    """So many have not left."""
    UNKNOWN = "unknown"
    """The supplier was never given such a line."""
    DOUBLE = "double"
    """They are on another invoice."""
    CHARGE = "charge"
    """More is asked beside the goods than the policy lets pass."""


class Difference(Value, frozen=True):
    """What is asked too much, and why."""

    kind: Differs
    amount_minor: int
    """Of the invoice, that nobody owes."""
    units: int = 0
    expected_minor: int | None = None
    """What was agreed for units that cost too much; None where nothing was."""
    ordered: int = 0
    """Units of the line that the supplier was given."""
    shipped: int = 0
    """And that have left."""
    invoices: tuple[str, ...] = ()
    """The other invoices that the units are on."""


class LineMatch(Value, frozen=True):
    """What was found for a line of an invoice."""

    index: int
    """Of the line, from 0."""
    units: Units = {}
    """Those that it may be paid for, by line of the order."""
    cost_minor: int = 0
    """What they cost by the supplier's offer, in the currency of the invoice."""
    waiting: Units = {}
    """Those that have not left, or are on another invoice."""
    differences: tuple[Difference, ...] = ()
    costs_apart: dict[str, int] = {}
    """What its units cost by offers, by currency, where the line could not be compared with all of it: some have no
    offer, or one in another currency than the invoice's."""

    @property
    def not_left(self) -> Units:
        """Those of the waiting that are on no other invoice."""
        doubled = sum(each.units for each in self.differences if each.kind is Differs.DOUBLE)
        return {line_no: units - doubled for line_no, units in self.waiting.items() if units > doubled}


class SupplierInvoiceMatched(OfInvoice, frozen=True, tag="supplier_invoice.matched"):
    """Lines were compared with what was ordered, at which cost, and what has left; those not named are as before."""

    matches: tuple[LineMatch, ...]
    at: datetime
    charges_over_minor: int = 0
    """What its charges come to beyond what the policy lets pass."""


class SupplierInvoiceApproved(OfInvoice, frozen=True, tag="supplier_invoice.approved"):
    """Somebody agreed to pay it as it is."""

    by: str
    at: datetime
    because: Told = ""


class SupplierInvoiceDisputed(OfInvoice, frozen=True, tag="supplier_invoice.disputed"):
    """Somebody does not agree to pay it; the supplier gets a message with its differences."""

    by: str
    at: datetime
    because: Told = ""
    differed_minor: int = 0
    """What was asked too much then; 0 if it is about something else than that."""
    answer_by: datetime | None = None
    """By when the supplier is to answer, by its agreement."""


class SupplierCreditNoteRecorded(OfInvoice, frozen=True, tag="supplier_invoice.credited"):
    """The supplier takes a part of it back, or all of it."""

    credit_note: str
    """Its number."""
    amount_minor: int
    at: datetime


class SupplierInvoicePaid(OfInvoice, frozen=True, tag="supplier_invoice.paid"):
    """Money went to the supplier for it: a part of what is open, or all of it."""

    payment_id: str
    amount_minor: int
    at: datetime
    unapproved: str = ""
    """What the invoice was, if nobody had agreed to pay it."""

    @property
    def warnings(self) -> tuple[str, ...]:
        if not self.unapproved:
            return ()
        return (f"invoice {self.number} of {self.supplier_id} was {self.unapproved} and nobody had approved it",)


class SupplierPaymentReturned(OfInvoice, frozen=True, tag="supplier_invoice.payment_returned"):
    """The money of a payment came back, or it was recorded by mistake: what it paid is open again."""

    payment_id: str
    at: datetime
    because: Told = ""


SupplierInvoiceFact = (
    SupplierInvoiceRecorded
    | SupplierInvoiceMatched
    | SupplierInvoiceApproved
    | SupplierInvoiceDisputed
    | SupplierCreditNoteRecorded
    | SupplierInvoicePaid
    | SupplierPaymentReturned
)
