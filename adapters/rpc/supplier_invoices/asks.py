"""SupplierInvoiceService's commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from adapters.rpc import shapes
from adapters.rpc.commands import Ask, Edge, Reader, Readers
from adapters.rpc.faults import fault, require
from adapters.rpc.sealing import sealed_text
from adapters.rpc.shapes import count, enum, happened, optional, plain_id, text
from fulfilment.v1 import supplier_invoices_pb2 as pb
from ledger.decisions import invoice_matching
from ledger.engine.sealing import PersonKey
from ledger.facts import Change, LineNo, Told
from ledger.nouns import policies, supplier_invoices, suppliers
from ledger.nouns.supplier_invoices import InvoiceCharge, InvoiceLine, SupplierChargeKind, SupplierInvoiceRecorded
from ledger.terms.money import MOST_MINOR

_MOST_LINES, _MOST_CHARGES = 1000, 50

_charge_kind = enum(pb.SupplierChargeKind, SupplierChargeKind, unspecified=SupplierChargeKind.OTHER)


def record_supplier_invoice(request: pb.RecordSupplierInvoiceRequest, edge: Edge) -> Ask:
    require(len(request.lines) <= _MOST_LINES, "lines", f"{len(request.lines)} lines, {_MOST_LINES} at most")
    require(len(request.charges) <= _MOST_CHARGES, "charges", f"more than {_MOST_CHARGES}")
    recorded = SupplierInvoiceRecorded(
        supplier_id=plain_id(request.supplier_id, "supplier_id"),
        number=number(request.number),
        currency=shapes.currency(request.currency, "currency"),
        dated=_day(request.dated, "dated"),
        lines=tuple(_line(each, f"lines[{index}]") for index, each in enumerate(request.lines)),
        at=happened(request, edge.now),
        charges=tuple(_charge(each, f"charges[{index}]") for index, each in enumerate(request.charges)),
        pay_by=shapes.day(request.pay_by, "pay_by"),
    )
    _require_total(request, recorded)
    return Ask(
        lambda view: invoice_matching.record(view, recorded, edge.now), tuple(invoice_matching.streams_of(recorded))
    )


def number(value: str, field: str = "number") -> str:
    """The supplier's own, as it wrote it but for spaces at its ends."""
    number = value.strip()
    require(number != "" and number.isprintable(), field, "is required: 1 to 100 printable characters")
    return text(number, field, 100)


def _day(value: str, field: str) -> date:
    day = shapes.day(value, field)
    require(day is not None, field, "is required: a day such as 2026-03-31")
    return day or date.min


def _line(line: pb.SupplierInvoiceLine, field: str) -> InvoiceLine:
    units = count(line.units, f"{field}.units", 1)
    if line.HasField("amount_minor"):
        require(not line.unit_price_minor, f"{field}.unit_price_minor", "follows from amount_minor; leave one out")
        amount = shapes.minor(line.amount_minor, f"{field}.amount_minor")
    else:
        amount = units * shapes.minor(line.unit_price_minor, f"{field}.unit_price_minor")
    return InvoiceLine(
        text(line.supplier_order_id.strip(), f"{field}.supplier_order_id", 320),
        units,
        amount,
        LineNo(count(line.line_no, f"{field}.line_no")),
        optional(shapes.sku, line.sku, f"{field}.sku"),
    )


def _charge(charge: pb.SupplierInvoiceCharge, field: str) -> InvoiceCharge:
    kind, amount = _charge_kind(charge.kind, f"{field}.kind"), charge.amount_minor
    if kind is SupplierChargeKind.DISCOUNT:
        return InvoiceCharge(kind, -shapes.minor(-amount, f"{field}.amount_minor", 1))
    return InvoiceCharge(kind, shapes.minor(amount, f"{field}.amount_minor"))


def _require_total(request: pb.RecordSupplierInvoiceRequest, recorded: SupplierInvoiceRecorded) -> None:
    """All of it comes to something, and to what stands below it."""
    total = sum(line.amount_minor for line in recorded.lines) + sum(each.amount_minor for each in recorded.charges)
    require(total >= 1, "lines", f"with the charges they come to {total} minor units, 1 at least")
    require(total <= MOST_MINOR, "lines", f"with the charges they come to {total} minor units, {MOST_MINOR} at most")
    if request.HasField("total_minor") and request.total_minor != total:
        fault("total_minor", f"is {request.total_minor}, and the lines and charges come to {total}")


def _reason(request: Any, edge: Edge, *, required: bool = False) -> tuple[Told, Sequence[PersonKey]]:
    """Why, as somebody wrote it; it is sealed for the supplier."""
    written = text(request.reason, "reason", 200, required=required)
    stream = supplier_invoices.stream(request.supplier_id, number(request.number))
    return sealed_text(edge.sealer, written, suppliers.stream(request.supplier_id), stream)


def _of_invoice(
    request: Any, decide: Callable[..., list[Change]], *arguments: object, keys: Sequence[PersonKey] = ()
) -> Ask:
    """About the invoice that the request names."""
    supplier_id, named = plain_id(request.supplier_id, "supplier_id"), number(request.number)
    streams = (supplier_invoices.stream(supplier_id, named), policies.stream())
    return Ask(lambda view: decide(view, supplier_id, named, *arguments), streams, keys)


def match_supplier_invoice(request: pb.MatchSupplierInvoiceRequest, edge: Edge) -> Ask:
    return _of_invoice(request, invoice_matching.match_again, edge.now)


def approve_supplier_invoice(request: pb.ApproveSupplierInvoiceRequest, edge: Edge) -> Ask:
    (because, keys), at = _reason(request, edge), happened(request, edge.now)
    return _of_invoice(request, invoice_matching.approve, edge.actor, because, at, edge.now, keys=keys)


def dispute_supplier_invoice(request: pb.DisputeSupplierInvoiceRequest, edge: Edge) -> Ask:
    (because, keys), at = _reason(request, edge, required=True), happened(request, edge.now)
    return _of_invoice(request, invoice_matching.dispute, edge.actor, because, at, edge.now, keys=keys)


def record_supplier_credit_note(request: pb.RecordSupplierCreditNoteRequest, edge: Edge) -> Ask:
    credit_note, amount = number(request.credit_note, "credit_note"), shapes.money(request.amount, "amount", 1)
    return _of_invoice(request, invoice_matching.credit, credit_note, amount, happened(request, edge.now), edge.now)


def record_supplier_payment(request: pb.RecordSupplierPaymentRequest, edge: Edge) -> Ask:
    payment_id, amount = plain_id(request.payment_id, "payment_id"), shapes.money(request.amount, "amount", 1)
    return _of_invoice(request, invoice_matching.pay, payment_id, amount, happened(request, edge.now), edge.now)


def return_supplier_payment(request: pb.ReturnSupplierPaymentRequest, edge: Edge) -> Ask:
    payment_id, (because, keys) = plain_id(request.payment_id, "payment_id"), _reason(request, edge)
    at = happened(request, edge.now)
    return _of_invoice(request, invoice_matching.return_payment, payment_id, because, at, edge.now, keys=keys)


READERS: Readers = {
    pb.RecordSupplierInvoiceRequest: Reader(record_supplier_invoice),
    pb.MatchSupplierInvoiceRequest: Reader(match_supplier_invoice),
    pb.ApproveSupplierInvoiceRequest: Reader(approve_supplier_invoice),
    pb.DisputeSupplierInvoiceRequest: Reader(dispute_supplier_invoice),
    pb.RecordSupplierCreditNoteRequest: Reader(record_supplier_credit_note),
    pb.RecordSupplierPaymentRequest: Reader(record_supplier_payment),
    pb.ReturnSupplierPaymentRequest: Reader(return_supplier_payment),
}
