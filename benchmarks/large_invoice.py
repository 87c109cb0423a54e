"""Commands about an invoice of a supplier that names each of 50 lines of a supplier order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import NamedTuple

from ledger.decisions import invoice_matching
from ledger.facts import Change, LineNo
from ledger.nouns.supplier_invoices import InvoiceLine, SupplierInvoiceRecorded
from ledger.terms.money import Money
from ledger.view import View

Decide = Callable[[View, datetime], Sequence[Change]]


class InvoiceCommand(NamedTuple):
    """One that is measured, of a supplier order that has left."""

    name: str
    before: Sequence[Decide]
    """What happened to the invoice before."""
    decide: Decide
    facts: int


def commands(supplier_order_id: str, lines: Iterable[LineNo], units: int) -> Iterator[InvoiceCommand]:
    """All of them; so many units of each line were sent."""
    numbers = list(lines)
    record = records(supplier_order_id, numbers, units)
    dear = records(supplier_order_id, numbers, units, unit_price_minor=900)
    total = Money(900 * units * len(numbers), "EUR")
    yield InvoiceCommand("RecordSupplierInvoice", [], record, 3)
    yield InvoiceCommand("RecordSupplierInvoice, all double", [record], records(supplier_order_id, numbers, 1, "I2"), 3)
    yield InvoiceCommand("MatchSupplierInvoice", [record], _about(invoice_matching.match_again), 0)
    yield InvoiceCommand("ApproveSupplierInvoice", [dear], _at(invoice_matching.approve, "mia", ""), 1)
    yield InvoiceCommand("DisputeSupplierInvoice", [dear], _at(invoice_matching.dispute, "mia", "too dear"), 1)
    yield InvoiceCommand("RecordSupplierCreditNote, all", [dear], _at(invoice_matching.credit, "C1", total), 2)
    paid = _at(invoice_matching.pay, "T1", total)
    yield InvoiceCommand("RecordSupplierPayment", [dear], paid, 1)
    yield InvoiceCommand("ReturnSupplierPayment", [dear, paid], _at(invoice_matching.return_payment, "T1", ""), 1)


def records(
    supplier_order_id: str, lines: Iterable[LineNo], units: int, number: str = "I1", unit_price_minor: int = 300
) -> Decide:
    billed = tuple(InvoiceLine(supplier_order_id, units, units * unit_price_minor, line_no) for line_no in lines)
    return lambda view, now: invoice_matching.record(
        view, SupplierInvoiceRecorded("acme", number, "EUR", date(2026, 3, 31), billed, now), now
    )


def _about(decide: Callable[..., Sequence[Change]], *arguments: object) -> Decide:
    return lambda view, now: decide(view, "acme", "I1", *arguments, now)


def _at(decide: Callable[..., Sequence[Change]], *arguments: object) -> Decide:
    return lambda view, now: decide(view, "acme", "I1", *arguments, now, now)
