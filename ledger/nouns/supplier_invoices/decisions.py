"""An invoice is recorded, ruled on, credited and paid."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from ledger.facts import Told, same_text
from ledger.nouns.supplier_invoices.facts import (
    SupplierCreditNoteRecorded,
    SupplierInvoiceApproved,
    SupplierInvoiceDisputed,
    SupplierInvoiceFact,
    SupplierInvoicePaid,
    SupplierInvoiceRecorded,
    SupplierPaymentReturned,
)
from ledger.nouns.supplier_invoices.refusals import (
    InvoiceInOtherCurrency,
    MoreThanInvoiced,
    MoreThanOpen,
    SupplierCreditNoteDiffers,
    SupplierInvoiceOver,
    SupplierInvoiceRecordedDifferently,
    SupplierPaymentDiffers,
    UnknownSupplierInvoice,
    UnknownSupplierPayment,
)
from ledger.nouns.supplier_invoices.state import SupplierInvoice
from ledger.terms.money import Money


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
    return [
        SupplierInvoiceDisputed(
            supplier_id=invoice.supplier_id,
            number=invoice.number,
            by=by,
            at=at,
            because=because,
            differed_minor=over,
            answer_by=answer_by,
        )
    ]


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
