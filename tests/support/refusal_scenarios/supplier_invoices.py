"""What invoices of suppliers are refused for."""

from __future__ import annotations

from typing import Any

from tests.support.refusal_scenarios.about import Scenario, Scenarios, as_it_is, beyond
from tests.support.trading import Fields, Trade, eur, fresh


def invoiced(trade: Trade) -> Fields:
    """An invoice of 2.00 EUR, as requests name it."""
    invoice = {"supplier_id": "acme", "number": fresh()}
    trade.send("RecordSupplierInvoice", **invoice)
    return invoice


def of_invoice(*before: str, **more: Any) -> Scenario:
    """About an invoice to which these commands were given before."""

    def about(trade: Trade) -> Fields:
        invoice = invoiced(trade)
        for rpc in before:
            trade.send(rpc, **invoice)
        return {**invoice, **more}

    return about


SUPPLIER_INVOICES: Scenarios = {
    "RecordSupplierInvoice": {
        "UNKNOWN_SUPPLIER": as_it_is,
        "SUPPLIER_INVOICE_RECORDED_DIFFERENTLY": of_invoice(dated="2026-04-01"),
    },
    "MatchSupplierInvoice": {"UNKNOWN_SUPPLIER_INVOICE": as_it_is},
    "ApproveSupplierInvoice": {
        "UNKNOWN_SUPPLIER_INVOICE": as_it_is,
        "SUPPLIER_INVOICE_OVER": of_invoice("RecordSupplierCreditNote"),
    },
    "DisputeSupplierInvoice": {
        "UNKNOWN_SUPPLIER_INVOICE": as_it_is,
        "SUPPLIER_INVOICE_OVER": of_invoice("RecordSupplierPayment"),
    },
    "RecordSupplierCreditNote": {
        "UNKNOWN_SUPPLIER_INVOICE": as_it_is,
        "INVOICE_IN_OTHER_CURRENCY": of_invoice(amount=eur(1, "USD")),
        "MORE_THAN_INVOICED": of_invoice(amount=eur(201)),
        "SUPPLIER_CREDIT_NOTE_DIFFERS": of_invoice("RecordSupplierCreditNote", amount=eur(1)),
    },
    "RecordSupplierPayment": {
        "UNKNOWN_SUPPLIER_INVOICE": as_it_is,
        "INVOICE_IN_OTHER_CURRENCY": of_invoice(amount=eur(1, "USD")),
        "MORE_THAN_OPEN": of_invoice(amount=eur(201)),
        "SUPPLIER_PAYMENT_DIFFERS": of_invoice("RecordSupplierPayment", amount=eur(1)),
    },
    "ReturnSupplierPayment": {
        "UNKNOWN_SUPPLIER_INVOICE": as_it_is,
        "UNKNOWN_SUPPLIER_PAYMENT": of_invoice(),
    },
    "GetSupplierInvoice": {"UNKNOWN_SUPPLIER_INVOICE": as_it_is, "BEYOND_THE_LOG": beyond},
    "ListSupplierInvoices": {"PROJECTION_BEHIND": as_it_is, "BEYOND_THE_LOG": beyond},
}
