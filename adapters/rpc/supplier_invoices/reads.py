"""SupplierInvoiceService's reads: one invoice from the log, lists from the read model."""

from __future__ import annotations

from adapters.rpc import shapes
from adapters.rpc.calls import Call
from adapters.rpc.listing import any_of, due_until, listed, page
from adapters.rpc.sealing import PersonalQueries
from adapters.rpc.shapes import optional, plain_id
from adapters.rpc.supplier_invoices import shows
from adapters.rpc.supplier_invoices.asks import number
from fulfilment.v1 import supplier_invoices_pb2 as pb
from ledger.nouns import supplier_invoices
from ledger.nouns.supplier_invoices import InvoiceStatus
from projections.supplier_invoices import list_invoices

_read_status = shapes.enum(pb.SupplierInvoiceStatus, InvoiceStatus)


class SupplierInvoiceQueries(PersonalQueries):
    """SupplierInvoiceService but for its commands."""

    async def GetSupplierInvoice(
        self, request: pb.GetSupplierInvoiceRequest, call: Call
    ) -> pb.GetSupplierInvoiceResponse:
        named = plain_id(request.supplier_id, "supplier_id"), number(request.number)
        tenant, stream = await self.tenant(call), supplier_invoices.stream(*named)
        entry, position = await self.entry(tenant, stream, request.at_least)
        state = supplier_invoices.known(entry.state, *named)
        because = state.ruling.because if state.ruling else ""
        reason = await self.text_of(tenant, call, because, stream, request.with_personal_data)
        invoice = shows.invoice(state, entry.version, reason)
        return pb.GetSupplierInvoiceResponse(invoice=invoice, position=position)

    async def ListSupplierInvoices(
        self, request: pb.ListSupplierInvoicesRequest, call: Call
    ) -> pb.ListSupplierInvoicesResponse:
        until = due_until(request, call.now)
        answer = await list_invoices(
            await self.where(request, call),
            page(request),
            optional(plain_id, request.supplier_id, "supplier_id"),
            any_of(_read_status, request.statuses, "statuses"),
            until.date() if until else None,
        )
        return listed(pb.ListSupplierInvoicesResponse, "invoices", answer, shows.row)
