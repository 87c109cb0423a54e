"""Supplier invoices: what a supplier asks for its goods, what of it is right, and what became of it (DOMAIN 2).

An invoice is a stream of its own. Which units it may be paid for is found in ``decisions.invoice_matching``, and
counted over all invoices of the supplier in the orders' streams; here stands what came of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from enum import StrEnum
from itertools import chain
from typing import assert_never

from msgspec.structs import replace

from ledger.facts import Fact, LineNo, Told, Units, Value, same_text
from ledger.refusals import AlreadyExists, Forbidden, NotFound
from ledger.terms.money import Money
from ledger.view import View, noun


def stream(supplier_id: str, number: str) -> str:
    """Every supplier counts its own invoices; a number may have slashes, an id of a supplier has none."""
    return f"supplier_invoice-{supplier_id}/{number}"


def find(view: View, supplier_id: str, number: str) -> SupplierInvoice | None:
    found: SupplierInvoice | None = view.state(stream(supplier_id, number))
    return found


# --- facts ----------------------------------------------------------------------------------------


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

# --- state ----------------------------------------------------------------------------------------


class InvoiceStatus(StrEnum):
    """How far an invoice is; always derived."""

    MATCHED = "matched"
    """What it asks is owed, within the tolerance."""
    DIFFERS = "differs"
    """It asks for more; somebody has to approve or dispute it."""
    APPROVED = "approved"
    DISPUTED = "disputed"
    CREDITED = "credited"
    """All of it was taken back."""
    PAID = "paid"
    """Nothing of it is open."""


class SupplierInvoice(Value, frozen=True):
    """An invoice, folded from its facts. Amounts are in minor units of its currency."""

    recorded: SupplierInvoiceRecorded
    matches: tuple[LineMatch, ...] = ()
    """Of each of its lines, in their order."""
    charges_over_minor: int = 0
    compared: bool = False
    """Not yet in the moment in which it is recorded."""
    ruling: SupplierInvoiceApproved | SupplierInvoiceDisputed | None = None
    """What was decided last, by its own time."""
    credit_notes: tuple[SupplierCreditNoteRecorded, ...] = ()
    payments: tuple[SupplierInvoicePaid, ...] = ()
    returned: dict[str, datetime] = {}
    """Payments that came back, by their ids, and when."""
    agreed_over_minor: int = 0
    """What it asked too much when somebody agreed to pay it."""
    exceeds_since: datetime | None = None
    """Since when it asks more than that, as where goods turn out not to have left; None where it does not."""

    @property
    def supplier_id(self) -> str:
        return self.recorded.supplier_id

    @property
    def number(self) -> str:
        return self.recorded.number

    @property
    def currency(self) -> str:
        return self.recorded.currency

    @property
    def charges_minor(self) -> int:
        return sum(charge.amount_minor for charge in self.recorded.charges)

    @property
    def total_minor(self) -> int:
        return sum(line.amount_minor for line in self.recorded.lines) + self.charges_minor

    @property
    def credited_minor(self) -> int:
        return sum(note.amount_minor for note in self.credit_notes)

    @property
    def paid_minor(self) -> int:
        return sum(payment.amount_minor for payment in self.payments if payment.payment_id not in self.returned)

    @property
    def open_minor(self) -> int:
        """What is neither taken back nor paid; below zero if it was paid before it was taken back."""
        return self.total_minor - self.credited_minor - self.paid_minor

    @property
    def differences(self) -> list[Difference]:
        found = [each for match in self.matches for each in match.differences]
        if self.charges_over_minor:
            found.append(Difference(Differs.CHARGE, self.charges_over_minor))
        return found

    @property
    def over_minor(self) -> int:
        """What it asks beyond what is owed and was not taken back; a discount makes up for prices above the agreed."""
        over = sum(each.amount_minor for each in self.differences) + min(self.charges_minor, 0)
        return max(over - self.credited_minor, 0)

    @property
    def is_void(self) -> bool:
        """All of it was taken back, so that its units may stand on another invoice."""
        return self.credited_minor >= self.total_minor

    @property
    def is_approved(self) -> bool:
        """Somebody agreed to all that it asks now."""
        return isinstance(self.ruling, SupplierInvoiceApproved) and self.over_minor <= self.agreed_over_minor

    @property
    def dispute(self) -> SupplierInvoiceDisputed | None:
        """A dispute that stands; one about what it asked too much ends once it asks no more."""
        ruling = self.ruling
        if not isinstance(ruling, SupplierInvoiceDisputed) or (ruling.differed_minor and not self.over_minor):
            return None
        return ruling

    @property
    def status(self) -> InvoiceStatus:
        if self.is_void:
            return InvoiceStatus.CREDITED
        if self.open_minor <= 0:
            return InvoiceStatus.PAID
        if self.dispute is not None:
            return InvoiceStatus.DISPUTED
        if self.is_approved:
            return InvoiceStatus.APPROVED
        return InvoiceStatus.DIFFERS if self.over_minor else InvoiceStatus.MATCHED

    @property
    def is_accepted(self) -> bool:
        """What it asks is what is owed for its units."""
        return self.is_approved or (self.compared and self.dispute is None and not self.over_minor)

    @property
    def cost_minor(self) -> int:
        """What the units that it may be paid for cost by the supplier's offers."""
        return sum(match.cost_minor for match in self.matches)

    def taken(self, supplier_order_id: str) -> Units:
        """Units of a supplier order that no other invoice may be paid for."""
        approved = self.is_approved
        return self._counted(supplier_order_id, lambda match: (match.units, match.not_left if approved else {}))

    def waiting(self, supplier_order_id: str) -> Units:
        """Units of a supplier order that are looked at again when more of it have left."""
        return self._counted(supplier_order_id, lambda match: (match.waiting,))

    def _counted(self, supplier_order_id: str, which: Callable[[LineMatch], Iterable[Units]]) -> Units:
        """Units of all lines that name a supplier order; none of an invoice that was taken back."""
        units: Units = {}
        for line, match in () if self.is_void else zip(self.recorded.lines, self.matches, strict=True):
            if line.supplier_order_id == supplier_order_id:
                for line_no, count in chain.from_iterable(by_line.items() for by_line in which(match)):
                    units[line_no] = units.get(line_no, 0) + count
        return units

    @property
    def supplier_order_ids(self) -> list[str]:
        """Those that it names, each once."""
        return list(dict.fromkeys(line.supplier_order_id for line in self.recorded.lines if line.supplier_order_id))

    def money(self, amount_minor: int) -> Money:
        return Money(amount_minor, self.currency)


def evolve(invoice: SupplierInvoice | None, fact: SupplierInvoiceFact) -> SupplierInvoice:
    if isinstance(fact, SupplierInvoiceRecorded):
        return SupplierInvoice(fact, tuple(LineMatch(index) for index in range(len(fact.lines))))
    assert invoice is not None, "the first fact of an invoice is that it came"
    match fact:
        case SupplierInvoiceMatched(matches=matches):
            found = {match.index: match for match in matches}
            matched = tuple(found.get(match.index, match) for match in invoice.matches)
            after = replace(invoice, matches=matched, charges_over_minor=fact.charges_over_minor, compared=True)
            return _exceeding(after, fact.at)
        case SupplierInvoiceApproved() | SupplierInvoiceDisputed():
            if invoice.ruling is not None and fact.at < invoice.ruling.at:
                return invoice
            return replace(invoice, ruling=fact, agreed_over_minor=invoice.over_minor, exceeds_since=None)
        case SupplierCreditNoteRecorded():
            return _exceeding(replace(invoice, credit_notes=(*invoice.credit_notes, fact)), fact.at)
        case SupplierInvoicePaid():
            return replace(invoice, payments=(*invoice.payments, fact))
        case SupplierPaymentReturned(payment_id=payment_id, at=at):
            return replace(invoice, returned={**invoice.returned, payment_id: at})
        case _:
            assert_never(fact)


def _exceeding(invoice: SupplierInvoice, at: datetime) -> SupplierInvoice:
    """Since when it asks more than somebody agreed to."""
    exceeds = isinstance(invoice.ruling, SupplierInvoiceApproved) and not invoice.is_approved
    return replace(invoice, exceeds_since=(invoice.exceeds_since or at) if exceeds else None)


NOUN = noun("supplier_invoice", SupplierInvoiceFact, evolve)


# --- refusals -------------------------------------------------------------------------------------


class UnknownSupplierInvoice(NotFound, reason="UNKNOWN_SUPPLIER_INVOICE"):
    says = "there is no invoice {number} of {supplier_id}; use SupplierInvoiceService.RecordSupplierInvoice"
    supplier_id: str
    number: str


class SupplierInvoiceRecordedDifferently(AlreadyExists, reason="SUPPLIER_INVOICE_RECORDED_DIFFERENTLY"):
    says = "invoice {number} of {supplier_id} was recorded already with other content"
    supplier_id: str
    number: str


class InvoiceInOtherCurrency(Forbidden, reason="INVOICE_IN_OTHER_CURRENCY"):
    says = "invoice {number} of {supplier_id} is in {currency}, not {sent}"
    supplier_id: str
    number: str
    currency: str
    sent: str


class SupplierInvoiceOver(Forbidden, reason="SUPPLIER_INVOICE_OVER"):
    says = "invoice {number} of {supplier_id} is {status}: nothing of it is open"
    supplier_id: str
    number: str
    status: InvoiceStatus


class MoreThanOpen(Forbidden, reason="MORE_THAN_OPEN"):
    says = "{paid} paid for invoice {number} of {supplier_id}, of which {open} is open"
    supplier_id: str
    number: str
    open: Money
    paid: Money


class MoreThanInvoiced(Forbidden, reason="MORE_THAN_INVOICED"):
    says = (
        "{amount} taken back of invoice {number} of {supplier_id}: it is of {total}, {credited} was taken back before"
    )
    supplier_id: str
    number: str
    total: Money
    credited: Money
    amount: Money


class SupplierPaymentDiffers(AlreadyExists, reason="SUPPLIER_PAYMENT_DIFFERS"):
    says = "payment {payment_id} for invoice {number} of {supplier_id} was recorded already as {recorded}"
    supplier_id: str
    number: str
    payment_id: str
    recorded: Money


class UnknownSupplierPayment(NotFound, reason="UNKNOWN_SUPPLIER_PAYMENT"):
    says = "there is no payment {payment_id} for invoice {number} of {supplier_id}"
    supplier_id: str
    number: str
    payment_id: str


class SupplierCreditNoteDiffers(AlreadyExists, reason="SUPPLIER_CREDIT_NOTE_DIFFERS"):
    says = "credit note {credit_note} for invoice {number} of {supplier_id} was recorded already as {recorded}"
    supplier_id: str
    number: str
    credit_note: str
    recorded: Money


# --- decisions ------------------------------------------------------------------------------------


def known(invoice: SupplierInvoice | None, supplier_id: str, number: str) -> SupplierInvoice:
    if invoice is None:
        raise UnknownSupplierInvoice(supplier_id, number)
    return invoice


def record(invoice: SupplierInvoice | None, recorded: SupplierInvoiceRecorded) -> Sequence[SupplierInvoiceFact]:
    """An invoice came. The same again, whenever it came, records nothing."""
    if invoice is None:
        return [recorded]
    if replace(recorded, at=invoice.recorded.at) != invoice.recorded:
        raise SupplierInvoiceRecordedDifferently(recorded.supplier_id, recorded.number)
    return []


def approve(invoice: SupplierInvoice, by: str, because: Told, at: datetime) -> Sequence[SupplierInvoiceFact]:
    """Agree to pay it as it is, also after a dispute, or where it asks more by now. Approving what is approved records
    nothing.
    """
    if invoice.is_approved:
        return []
    if invoice.is_void:
        raise SupplierInvoiceOver(invoice.supplier_id, invoice.number, invoice.status)
    return [SupplierInvoiceApproved(invoice.supplier_id, invoice.number, by, at, because)]


def dispute(
    invoice: SupplierInvoice, by: str, because: Told, answer_by: datetime | None, at: datetime
) -> Sequence[SupplierInvoiceFact]:
    """Do not agree to it, also after it was approved. The same dispute again records nothing."""
    if invoice.dispute is not None and same_text(invoice.dispute.because, because):
        return []
    if invoice.open_minor <= 0:
        raise SupplierInvoiceOver(invoice.supplier_id, invoice.number, invoice.status)
    over = invoice.over_minor
    return [SupplierInvoiceDisputed(invoice.supplier_id, invoice.number, by, at, because, over, answer_by)]


def credit(invoice: SupplierInvoice, credit_note: str, amount: Money, at: datetime) -> Sequence[SupplierInvoiceFact]:
    """The supplier takes back a part, paid or not, in all no more than the whole. Repeating it records nothing."""
    _require_currency(invoice, amount)
    earlier = next((note for note in invoice.credit_notes if note.credit_note == credit_note), None)
    if earlier is not None:
        if earlier.amount_minor != amount.amount_minor:
            recorded = invoice.money(earlier.amount_minor)
            raise SupplierCreditNoteDiffers(invoice.supplier_id, invoice.number, credit_note, recorded)
        return []
    if invoice.credited_minor + amount.amount_minor > invoice.total_minor:
        total, credited = invoice.money(invoice.total_minor), invoice.money(invoice.credited_minor)
        raise MoreThanInvoiced(invoice.supplier_id, invoice.number, total, credited, amount)
    return [SupplierCreditNoteRecorded(invoice.supplier_id, invoice.number, credit_note, amount.amount_minor, at)]


def pay(invoice: SupplierInvoice, payment_id: str, amount: Money, at: datetime) -> Sequence[SupplierInvoiceFact]:
    """Money went out for it, never more than is open. The same again records nothing.

    That nobody had agreed to it is recorded with it: the money is gone whether it should be or not.
    """
    _require_currency(invoice, amount)
    earlier = next((payment for payment in invoice.payments if payment.payment_id == payment_id), None)
    if earlier is not None:
        if earlier.amount_minor != amount.amount_minor:
            recorded = invoice.money(earlier.amount_minor)
            raise SupplierPaymentDiffers(invoice.supplier_id, invoice.number, payment_id, recorded)
        return []
    if amount.amount_minor > invoice.open_minor:
        open_ = invoice.money(max(invoice.open_minor, 0))
        raise MoreThanOpen(invoice.supplier_id, invoice.number, open_, amount)
    unapproved = "" if invoice.is_accepted else "disputed" if invoice.dispute else "not matched"
    return [SupplierInvoicePaid(invoice.supplier_id, invoice.number, payment_id, amount.amount_minor, at, unapproved)]


def return_payment(
    invoice: SupplierInvoice, payment_id: str, because: Told, at: datetime
) -> Sequence[SupplierInvoiceFact]:
    """A payment came back. Twice is once; who pays anew names another payment."""
    if all(payment.payment_id != payment_id for payment in invoice.payments):
        raise UnknownSupplierPayment(invoice.supplier_id, invoice.number, payment_id)
    if payment_id in invoice.returned:
        return []
    return [SupplierPaymentReturned(invoice.supplier_id, invoice.number, payment_id, at, because)]


def _require_currency(invoice: SupplierInvoice, amount: Money) -> None:
    if amount.currency != invoice.currency:
        raise InvoiceInOtherCurrency(invoice.supplier_id, invoice.number, invoice.currency, amount.currency)
