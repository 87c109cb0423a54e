"""What each fact makes of an invoice."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from msgspec.structs import replace

from ledger.nouns.supplier_invoices.facts import (
    LineMatch,
    SupplierCreditNoteRecorded,
    SupplierInvoiceApproved,
    SupplierInvoiceDisputed,
    SupplierInvoiceFact,
    SupplierInvoiceMatched,
    SupplierInvoicePaid,
    SupplierInvoiceRecorded,
    SupplierPaymentReturned,
)
from ledger.nouns.supplier_invoices.state import SupplierInvoice
from ledger.view import noun


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
