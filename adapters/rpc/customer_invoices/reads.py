"""CustomerInvoiceService's reads: one invoice from the log, lists from the read model."""

from __future__ import annotations

from adapters.invoices.customer_invoices import message, sealed_on
from adapters.invoices.drawing import drawn_for
from adapters.rpc import shapes
from adapters.rpc.calls import Call
from adapters.rpc.customer_invoices.asks import number
from adapters.rpc.listing import listed, page
from adapters.rpc.sealing import PersonalQueries
from adapters.rpc.shapes import count, optional, text
from adapters.rpc.shows import day, money, stamp
from fulfilment.v1 import customer_invoices_pb2 as pb
from ledger.nouns import orders
from ledger.terms.money import Money
from projections.customer_invoices import ListedCustomerInvoice, list_customer_invoices


class CustomerInvoiceQueries(PersonalQueries):
    """CustomerInvoiceService but for its commands."""

    async def GetCustomerInvoice(
        self, request: pb.GetCustomerInvoiceRequest, call: Call
    ) -> pb.GetCustomerInvoiceResponse:
        order_id, named = shapes.order_id(request.order_id), number(request.number)
        tenant = await self.tenant(call)
        entry, position = await self.entry(tenant, orders.stream(order_id), request.at_least)
        invoice = orders.invoice_of(orders.known(entry.state, order_id), named)
        found = message(invoice, await self.unsealed(tenant, call, orders.stream(order_id), *sealed_on(invoice)))
        pdf = await drawn_for(call.caller.name, found) if request.with_pdf else b""
        return pb.GetCustomerInvoiceResponse(invoice=found, pdf=pdf, position=position)

    async def ListCustomerInvoices(
        self, request: pb.ListCustomerInvoicesRequest, call: Call
    ) -> pb.ListCustomerInvoicesResponse:
        answer = await list_customer_invoices(
            await self.where(request, call),
            page(request),
            optional(shapes.order_id, request.order_id, "order_id"),
            count(request.year, "year", most=9999),
            text(request.number.strip(), "number", 100),
        )
        return listed(pb.ListCustomerInvoicesResponse, "invoices", answer, _row)


def _row(each: ListedCustomerInvoice) -> pb.CustomerInvoice:
    note = pb.CreditNote(number=each.credit_note, dated=day(each.credited_on), reason=each.because)
    return pb.CustomerInvoice(
        number=each.number,
        order_id=each.order_id,
        dated=day(each.dated),
        left_at=stamp(each.left_at),
        total=money(Money(each.total_minor, each.currency)),
        parcel=each.parcel,
        credit_note=note if each.credit_note else None,
    )
