"""OrderService's reads."""

from __future__ import annotations

from adapters.invoices.drawing import drawn_for
from adapters.rpc import shapes
from adapters.rpc.calls import Call
from adapters.rpc.orders import invoices, shows
from adapters.rpc.orders.under_way import parcels_of
from adapters.rpc.sealing import PersonalQueries, content_of
from adapters.rpc.shows import money
from adapters.tenants import Tenant
from fulfilment.v1 import orders_pb2 as pb
from fulfilment.v1 import shipping_pb2
from ledger.decisions import customs, invoice
from ledger.engine.sealing import placed
from ledger.facts import order_of
from ledger.nouns import orders, policies, suppliers
from ledger.nouns.policies import policy_at


class OrderQueries(PersonalQueries):
    """OrderService's reads."""

    async def GetOrder(self, request: pb.GetOrderRequest, call: Call) -> pb.GetOrderResponse:
        tenant = await self.tenant(call)
        order_id = shapes.order_id(request.order_id)
        order, version, position = await self._order(tenant, order_id, request.at_least)
        under_way = await parcels_of(tenant, order)
        if not request.with_personal_data:
            found = shows.order(order, version, None, parcels=under_way)
            return pb.GetOrderResponse(order=found, position=position)
        # The note was sealed with what the shop sent; a later address or customer comes without it.
        first = order.placed
        unsealed = await self.unsealed(
            tenant,
            call,
            orders.stream(order_id),
            (first.customer, placed(first.sealed_for or order_id, "customer")),
            (order.customer, placed(order.sealed_for, "customer")),
            *((hold.note, placed(order_id, "note")) for hold in order.holds),
            *((each.customer, placed(each.sealed_for, "customer")) for _, _, each in shows.kept(order)),
            *((each.note, placed(order_id, "note")) for each in order.remarks.notes),
        )
        note = unsealed.get(first.customer.key_id, {}).get("note", "") if first.customer else ""
        found = shows.order(order, version, content_of(order.customer, unsealed), note, unsealed, under_way)
        return pb.GetOrderResponse(order=found, position=position)

    async def GetCustoms(self, request: shipping_pb2.GetCustomsRequest, call: Call) -> shipping_pb2.GetCustomsResponse:
        tenant = await self.tenant(call)
        order_id = shapes.order_id(request.order_id)
        order, _, position = await self._order(tenant, order_id, request.at_least)
        streams = {supplier_id: suppliers.stream(supplier_id) for supplier_id in customs.involved(order)}
        entries, _ = await self.entries(tenant, list(streams.values()), 0)
        found = {name: entry.state for name, entry in zip(streams, entries, strict=True) if entry.state is not None}
        return shipping_pb2.GetCustomsResponse(
            incoterm=shows.incoterm(order.incoterm),
            total=money(customs.total_of(order)),
            states=[shows.customs_state(each) for each in customs.standings(order, found, call.now)],
            position=position,
        )

    async def GetCommercialInvoice(
        self, request: shipping_pb2.GetCommercialInvoiceRequest, call: Call
    ) -> shipping_pb2.GetCommercialInvoiceResponse:
        tenant = await self.tenant(call)
        supplier_order_id = shapes.supplier_order_id(request.supplier_order_id)
        parcel = shapes.parcel(request) if request.carrier or request.tracking_number else None
        order, _, position = await self._order(tenant, order_of(supplier_order_id), request.at_least)
        supplier_id = order.supplier_order(supplier_order_id).supplier_id
        stream = suppliers.stream(supplier_id)
        (supplier, terms), _ = await self.entries(tenant, [stream, policies.stream()], 0)
        sender = suppliers.known(supplier.state, supplier_id)
        bill = invoice.draw_up(order, supplier_order_id, sender, policy_at(terms.state, call.now).seller, parcel)
        buyer, address = bill.ship_to, sender.master.return_address
        people = await self.unsealed(
            tenant,
            call,
            orders.stream(order.order_id),
            (buyer.customer, placed(buyer.sealed_for, "customer")),
            (address, placed(stream, "return_address")),
        )
        message = invoices.message(bill, content_of(buyer.customer, people), content_of(address, people))
        pdf = await drawn_for(call.caller.name, message) if request.with_pdf else b""
        return shipping_pb2.GetCommercialInvoiceResponse(invoice=message, pdf=pdf, position=position)

    async def _order(self, tenant: Tenant, order_id: str, at_least: int) -> tuple[orders.Order, int, int]:
        """The order, its version, and the position that it was read at."""
        entry, position = await self.entry(tenant, orders.stream(order_id), at_least)
        return orders.known(entry.state, order_id), entry.version, position
