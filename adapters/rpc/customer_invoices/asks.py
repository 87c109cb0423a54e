"""CustomerInvoiceService's commands."""

from __future__ import annotations

from adapters.rpc import shapes
from adapters.rpc.buyers import invoice_wish
from adapters.rpc.commands import Ask, Edge, Reader, Readers
from adapters.rpc.faults import require
from adapters.rpc.sealing import sealed_text
from adapters.rpc.shapes import happened, text
from fulfilment.v1 import customer_invoices_pb2 as pb
from ledger.decisions import customer_invoices
from ledger.nouns import orders, policies


def number(value: str) -> str:
    require(value.strip() != "", "number", "is required")
    return text(value.strip(), "number", 100)


def request_customer_invoice(request: pb.RequestCustomerInvoiceRequest, edge: Edge) -> Ask:
    order_id, at = shapes.order_id(request.order_id), happened(request, edge.now)
    wish, keys = invoice_wish(request.wish, "wish", order_id, edge)
    asked = orders.InvoiceRequested(order_id, wish, edge.actor, at)
    return Ask(
        lambda view: customer_invoices.request(view, asked, edge.now),
        (orders.stream(order_id), policies.stream()),
        keys,
    )


def issue_credit_note(request: pb.IssueCreditNoteRequest, edge: Edge) -> Ask:
    order_id, named, at = shapes.order_id(request.order_id), number(request.number), happened(request, edge.now)
    written, by = text(request.reason, "reason", 200, required=True), edge.actor
    because, keys = sealed_text(edge.sealer, written, orders.anchor(order_id), orders.stream(order_id))
    return Ask(
        lambda view: customer_invoices.credit(view, order_id, named, because, by, at, edge.now),
        (orders.stream(order_id), policies.stream()),
        keys,
    )


READERS: Readers = {
    pb.RequestCustomerInvoiceRequest: Reader(request_customer_invoice),
    pb.IssueCreditNoteRequest: Reader(issue_credit_note),
}
