"""Where things are: orders, parcels and holds."""

from __future__ import annotations

from adapters.rpc import shapes, shows
from adapters.rpc.calls import Call
from adapters.rpc.faults import require
from adapters.rpc.listing import any_of, listed, listed_in_turns, page
from adapters.rpc.queries import Queries
from adapters.rpc.shapes import optional, plain_id
from adapters.rpc.shows import line_units, number_of, stamp
from adapters.rpc.windows import WindowAsked, asked_window
from fulfilment.v1 import orders_pb2, supplier_orders_pb2
from fulfilment.v1 import tracking_pb2 as pb
from ledger.nouns.orders import Header, HoldReason
from ledger.nouns.orders.supplier_orders import Stage
from projections import tracking

_order_status = number_of(orders_pb2.OrderStatus)
_supplier_order_status = number_of(supplier_orders_pb2.SupplierOrderStatus)
_hold_reason = number_of(orders_pb2.HoldReason)
_read_stage = shapes.enum(supplier_orders_pb2.SupplierOrderStatus, Stage)
_read_header = shapes.enum(orders_pb2.OrderStatus, Header)
_read_hold_reason = shapes.enum(orders_pb2.HoldReason, HoldReason)


class TrackingQueries(Queries):
    async def GetTracking(self, request: pb.GetTrackingRequest, call: Call) -> pb.GetTrackingResponse:
        order_id = shapes.order_id(request.order_id)
        answer = await tracking.get_order(await self.where(request, call), order_id)
        return pb.GetTrackingResponse(order=tracked_order(answer.rows[0]), position=answer.position)

    async def FindParcels(self, request: pb.FindParcelsRequest, call: Call) -> pb.FindParcelsResponse:
        number = shapes.tracking_number(request.tracking_number)
        carrier = optional(shapes.carrier, request.carrier, "carrier")
        answer = await tracking.find_parcels(await self.where(request, call), number, carrier)
        parcels = [_parcel(each) for each in answer.rows]
        return pb.FindParcelsResponse(parcels=parcels, position=answer.position)

    async def ListOrders(self, request: pb.ListOrdersRequest, call: Call) -> pb.ListOrdersResponse:
        window, wanted = asked_window(request, ("placed_since", "placed_until"), now=call.now), page(request)
        about = _filter(request, window)
        if request.HasField("changed_after"):
            require(request.changed_after >= 0, "changed_after", f"{request.changed_after} is below 0")
            wanted = wanted._replace(changed_after=request.changed_after)
        answer = await tracking.list_orders(await self.where(request, call), wanted, about)
        if answer.changes is None:
            return await listed_in_turns(pb.ListOrdersResponse, "orders", answer, tracked_order, window)
        response = await listed_in_turns(pb.ListOrdersResponse, "orders", answer, tracked_order)
        response.changed_until = answer.changes.until
        return response

    async def ListHolds(self, request: pb.ListHoldsRequest, call: Call) -> pb.ListHoldsResponse:
        answer = await tracking.list_holds(
            await self.where(request, call),
            page(request),
            any_of(_read_hold_reason, request.reasons, "reasons"),
            shapes.text(request.owner, "owner", 100),
        )
        return listed(pb.ListHoldsResponse, "holds", answer, _order_hold)


def _filter(request: pb.ListOrdersRequest, window: WindowAsked) -> tracking.OrderFilter:
    country = shapes.country(request.country, "country", [])
    stages = any_of(_read_stage, request.supplier_order_statuses, "supplier_order_statuses")
    return tracking.OrderFilter(
        statuses=any_of(_read_header, request.statuses, "statuses"),
        channel=optional(plain_id, request.channel, "channel"),
        since=window.since,
        until=window.until,
        sku=optional(shapes.sku, request.sku, "sku"),
        supplier_id=optional(plain_id, request.supplier_id, "supplier_id"),
        stages=stages,
        country=country,
        tags=shapes.tags(request.tags, "tags"),
        late=request.late,
    )


def tracked_order(order: tracking.TrackedOrder) -> pb.TrackedOrder:
    return pb.TrackedOrder(
        order_id=order.order_id,
        channel=order.channel,
        status=_order_status(order.status),
        placed_at=stamp(order.placed_at),
        confirmed_at=stamp(order.details.confirmed_at),
        promised_by=stamp(order.promised_by),
        promised_day=shows.day(order.details.promised_day),
        expected_by=stamp(order.expected_by),
        delivered_at=stamp(order.delivered_at),
        lines=[_line(each) for each in order.details.lines],
        supplier_orders=[tracked_supplier_order(each) for each in order.details.supplier_orders],
        holds=[_hold(each) for each in order.details.holds],
        parcels=[_parcel(each) for each in order.parcels],
        country=order.details.country,
        tags=order.details.tags,
        late=order.details.is_late,
        reship_of=order.details.reship_of,
        original_order_id=order.details.original_order_id,
        erased_at=stamp(order.details.erased_at),
    )


def _line(line: tracking.TrackedLine) -> pb.TrackedLine:
    counts = {name: getattr(line.units, name) for name in line.units.__struct_fields__}
    units = orders_pb2.Buckets(**counts)
    return pb.TrackedLine(line_no=line.line_no, sku=line.sku, supplier_id=line.supplier_id, units=units)


def tracked_supplier_order(each: tracking.TrackedSupplierOrder) -> pb.TrackedSupplierOrder:
    return pb.TrackedSupplierOrder(
        supplier_order_id=each.supplier_order_id,
        supplier_id=each.supplier_id,
        status=_supplier_order_status(each.status),
        units=each.units,
        unshipped=each.unshipped,
        shipped=each.shipped,
        delivered=each.delivered,
        sent_at=stamp(each.sent_at),
        acknowledged_at=stamp(each.acknowledged_at),
        packed_at=stamp(each.packed_at),
        dispatch_by=stamp(each.dispatch_by),
        dispatched_at=stamp(each.dispatched_at),
        clocks_stopped_since=stamp(each.stopped_since),
    )


def _hold(hold: tracking.TrackedHold) -> pb.TrackedHold:
    return pb.TrackedHold(
        reason=_hold_reason(hold.reason),
        at=stamp(hold.at),
        missing=hold.missing,
        supplier_order_id=hold.supplier_order_id,
    )


def _parcel(parcel: tracking.TrackedParcel) -> pb.TrackedParcel:
    return pb.TrackedParcel(
        carrier=parcel.carrier,
        tracking_number=parcel.number,
        epoch=parcel.epoch,
        status=shows.parcel_status(parcel.status),
        order_id=parcel.order_id,
        supplier_order_id=parcel.supplier_order_id,
        supplier_id=parcel.supplier_id,
        country=parcel.country,
        lines=line_units(parcel.lines),
        registered_at=stamp(parcel.registered_at),
        first_scan_at=stamp(parcel.first_scan_at),
        promised_by=stamp(parcel.promised_by),
        promised_day=shows.day(parcel.promised_day),
        expected_by=stamp(parcel.expected_by),
        delivered_at=stamp(parcel.delivered_at),
        last_scan=_scan(parcel.last_scan),
        customs_hold=shows.customs_hold(parcel.customs_hold) if parcel.customs_hold is not None else None,
        last_miles=map(shows.carrier_number, parcel.last_miles),
        estimated_by=stamp(parcel.estimated_by),
    )


def _scan(scan: tracking.LastScan | None) -> pb.LastScan | None:
    if scan is None:
        return None
    status = shows.parcel_status(scan.status)
    return pb.LastScan(at=stamp(scan.at), status=status, city=scan.city, country=scan.country)


def _order_hold(each: tracking.OrderHold) -> pb.OrderHold:
    return pb.OrderHold(order_id=each.order_id, hold=shows.hold(each.hold))
