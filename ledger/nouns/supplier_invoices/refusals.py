"""What can be wrong about an invoice."""

from __future__ import annotations

from ledger.nouns.supplier_invoices.state import InvoiceStatus
from ledger.refusals import AlreadyExists, Forbidden, NotFound
from ledger.terms.money import Money


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
