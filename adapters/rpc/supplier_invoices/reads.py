"""SupplierInvoiceService's reads: one invoice from the log, lists from the read model."""

from __future__ import annotations

from datetime import UTC, datetime

from adapters.rpc import shapes
from adapters.rpc.calls import Call
from adapters.rpc.listing import any_of, due_until, listed, page
from adapters.rpc.queries import Queries
from adapters.rpc.shapes import optional, plain_id
from adapters.rpc.supplier_invoices import shows
from adapters.rpc.supplier_invoices.asks import number
from fulfilment.v1 import supplier_invoices_pb2 as pb
from ledger.nouns import supplier_invoices
from ledger.nouns.supplier_invoices import InvoiceStatus
from projections.supplier_invoices import list_invoices

_read_status = shapes.enum(pb.SupplierInvoiceStatus, InvoiceStatus)


class SupplierInvoiceQueries(Queries):
    """SupplierInvoiceService but for its commands."""

    async def GetSupplierInvoice(
        self, request: pb.GetSupplierInvoiceRequest, call: Call
    ) -> pb.GetSupplierInvoiceResponse:
        named = plain_id(request.supplier_id, "supplier_id"), number(request.number)
        stream = supplier_invoices.stream(*named)
        entry, position = await self.entry(await self.tenant(call), stream, request.at_least)
        invoice = shows.invoice(supplier_invoices.known(entry.state, *named), entry.version)
        return pb.GetSupplierInvoiceResponse(invoice=invoice, position=position)

    async def ListSupplierInvoices(
        self, request: pb.ListSupplierInvoicesRequest, call: Call
    ) -> pb.ListSupplierInvoicesResponse:
        until = due_until(request, datetime.now(UTC))
        answer = await list_invoices(
            await self.where(request, call),
            page(request),
            optional(plain_id, request.supplier_id, "supplier_id"),
            any_of(_read_status, request.statuses, "statuses"),
            until.date() if until else None,
        )
        return listed(pb.ListSupplierInvoicesResponse, "invoices", answer, shows.row)
