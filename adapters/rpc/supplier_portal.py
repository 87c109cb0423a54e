"""SupplierPortalService: supplier orders as their suppliers see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.rpc import own, shapes
from adapters.rpc.calls import Call
from adapters.rpc.listing import any_of, listed, page
from adapters.rpc.orders import shows
from adapters.rpc.orders.money import collected
from adapters.rpc.orders.under_way import parcels_of
from adapters.rpc.reports.tracking import tracked_supplier_order
from adapters.rpc.sealing import PersonalQueries, content_of
from adapters.rpc.shapes import optional, plain_id
from adapters.rpc.shows import stamp
from adapters.tenants import Tenant
from fulfilment.v1 import supplier_orders_pb2
from fulfilment.v1 import supplier_portal_pb2 as pb
from ledger.engine.sealing import placed
from ledger.facts import LineNo, order_of
from ledger.nouns import orders
from ledger.nouns.orders import Order
from ledger.nouns.orders.supplier_orders import Stage, SupplierOrder, UnknownSupplierOrder
from ledger.view import Folded
from projections import tracking
from projections.machine.reads import Answer

_read_stage = shapes.enum(supplier_orders_pb2.SupplierOrderStatus, Stage)
_TOLD = tuple(stage for stage in Stage if stage is not Stage.DRAFT)
_ENDED = (Stage.REJECTED, Stage.CANCELLED)
"""Nothing of it is to be sent any more, or was."""


class SupplierPortalQueries(PersonalQueries):
    """SupplierPortalService."""

    async def ListSupplierOrders(
        self, request: pb.ListSupplierOrdersRequest, call: Call
    ) -> pb.ListSupplierOrdersResponse:
        read = optional if own.is_supplier(call) else lambda shape, *named: shape(*named)
        supplier_id = own.supplier_asked(read(plain_id, request.supplier_id, "supplier_id"), call)
        stages = [each for each in any_of(_read_stage, request.statuses, "statuses") or _TOLD if each in _TOLD]
        about = tracking.OrderFilter(supplier_id=supplier_id, stages=stages)
        wanted, where = page(request), await self.where(request, call)
        if not own.is_supplier(call):
            await self.require_supplier(supplier_id, call)
        answer = await tracking.list_orders(where, wanted, about)
        rows = [
            each
            for order in answer.rows
            for each in order.details.supplier_orders
            if each.supplier_id == supplier_id and each.status in stages
        ]
        shown = Answer(rows, answer.position, answer.next_page_token)
        return listed(pb.ListSupplierOrdersResponse, "supplier_orders", shown, tracked_supplier_order)

    async def GetSupplierOrder(self, request: pb.GetSupplierOrderRequest, call: Call) -> pb.GetSupplierOrderResponse:
        supplier_order_id = shapes.supplier_order_id(request.supplier_order_id)
        tenant, stream = await self.tenant(call), orders.stream(order_of(supplier_order_id))
        entry, position = await self.entry(tenant, stream, request.at_least)
        own.require(Folded({stream: entry}), request, call)
        order: Order | None = entry.state
        found = order.supplier_orders.get(supplier_order_id) if order is not None else None
        if order is None or found is None or found.stage is Stage.DRAFT:
            raise UnknownSupplierOrder(supplier_order_id)
        shown = _shown(order, found)
        shipments = shows.shipments(order, await parcels_of(tenant, order))
        shown.shipments.extend(each for each in shipments if each.supplier_order_id == supplier_order_id)
        person = await self._person(tenant, order, found, call) if request.with_personal_data else {}
        if found.stage not in _ENDED and not await self._is_over_for(found, call):
            shown.ship_to.CopyFrom(shows.address(order.destination_of(found), person))
        shown.name, shown.phone, shown.note = (person.get(name, "") for name in ("name", "phone", "note"))
        return pb.GetSupplierOrderResponse(supplier_order=shown, position=position)

    async def _is_over_for(self, found: SupplierOrder, call: Call) -> bool:
        """Whether a supplier that asks as of a moment has nothing to send any more, so that it need not know where."""
        if not own.is_supplier(call) or call.as_of is None:
            return False
        entry, _ = await self.entry(
            await self.tenants.find(call.tenant), orders.stream(order_of(found.supplier_order_id))
        )
        return entry.state.supplier_orders[found.supplier_order_id].stage in _ENDED

    async def _person(self, tenant: Tenant, order: Order, found: SupplierOrder, call: Call) -> Mapping[str, Any]:
        """Who gets it, and the note that came with the order; nothing once nothing is to be sent."""
        first, to = order.placed, order.ship_to_of(found.supplier_order_id)
        sealed = (
            (to.customer, placed(to.sealed_for, "customer")),
            (first.customer, placed(first.sealed_for or order.order_id, "customer")),
        )
        stream = orders.stream(order.order_id)
        unsealed = await self.unsealed(tenant, call, stream, *(sealed if found.stage not in _ENDED else ()))
        person, note = content_of(to.customer, unsealed) or {}, content_of(first.customer, unsealed) or {}
        return {**person, "note": note.get("note", "")}


def _shown(order: Order, each: SupplierOrder) -> pb.DispatchOrder:
    """Without prices, and without what others have of the order."""
    again = each.asked_again
    return pb.DispatchOrder(
        supplier_order_id=each.supplier_order_id,
        supplier_id=each.supplier_id,
        status=shows.supplier_order_status(each.stage),
        lines=[_line(order, each, line_no) for line_no in each.shares],
        sent_at=stamp(each.sent_at),
        acknowledge_by=stamp(each.acknowledge_by),
        acknowledged_at=stamp(each.acknowledged_at),
        dispatch_by=stamp(each.dispatch_by),
        dispatched_at=stamp(each.dispatched_at),
        clocks_stopped_since=stamp(each.stopped_since),
        cancel_answer_by=stamp(shows.cancel_answer_by(each)),
        asked_again_at=stamp(again.at) if again else None,
        acknowledged_again_at=stamp(again.acknowledged_at) if again else None,
        packing=each.instructed_packing,
        packed_with=each.packed_with,
        warehouse=each.warehouse,
        shipping_service=each.shipping.code if each.shipping else "",
        carriers=each.shipping.carriers if each.shipping else (),
        to_collect=collected(orders.to_collect_minor(order, each.supplier_order_id), order)
        if order.money.on_delivery
        else None,
        gift=order.placed.gift,
        priority=shows.priority_of(order.placed.priority),
        time_zone=each.time_zone,
    )


def _line(order: Order, each: SupplierOrder, line_no: LineNo) -> pb.DispatchLine:
    line, share = order.lines[line_no], each.shares[line_no]
    return pb.DispatchLine(
        line_no=line_no,
        sku=line.sku,
        title=line.title,
        article_code=each.article_codes.get(line_no, ""),
        units=shows.share(line_no, share),
        cancel_asked=each.cancel_asked.get(line_no, 0),
    )
