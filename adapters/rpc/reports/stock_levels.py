"""What suppliers have, how it moved, and what can be sold."""

from __future__ import annotations

from adapters.rpc import shapes
from adapters.rpc.calls import Call
from adapters.rpc.faults import require
from adapters.rpc.listing import any_of, listed, page
from adapters.rpc.queries import Queries
from adapters.rpc.shapes import optional, plain_id
from adapters.rpc.shows import number_of, stamp
from fulfilment.v1 import stock_levels_pb2 as pb
from ledger.nouns.stock import Alert
from projections import stock_levels

_alert = number_of(pb.StockAlert)
_read_alert = shapes.enum(pb.StockAlert, Alert)
_LISTED = {
    pb.LISTING_FILTER_UNSPECIFIED: None,
    pb.LISTING_FILTER_LISTED: True,
    pb.LISTING_FILTER_DELISTED: False,
}


class StockLevelQueries(Queries):
    async def ListStockLevels(self, request: pb.ListStockLevelsRequest, call: Call) -> pb.ListStockLevelsResponse:
        answer = await stock_levels.list_levels(
            await self.where(request, call),
            page(request),
            call.now,
            optional(plain_id, request.supplier_id, "supplier_id"),
            shapes.stored_skus(request.sku, "sku") if request.sku else (),
            any_of(_read_alert, request.alerts, "alerts"),
        )
        return listed(pb.ListStockLevelsResponse, "levels", answer, _level)

    async def ListStockMovements(
        self, request: pb.ListStockMovementsRequest, call: Call
    ) -> pb.ListStockMovementsResponse:
        item = shapes.plain_id(request.supplier_id, "supplier_id"), shapes.stored_skus(request.sku, "sku")
        wanted, where = page(request), await self.where(request, call)
        await self.require_supplier(item[0], call)
        answer = await stock_levels.list_movements(where, wanted, *item)
        return listed(pb.ListStockMovementsResponse, "movements", answer, _movement)

    async def ListListings(self, request: pb.ListListingsRequest, call: Call) -> pb.ListListingsResponse:
        require(request.filter in _LISTED, "filter", f"{request.filter} is not known")
        where = await self.where(request, call)
        answer = await stock_levels.list_listings(
            where, page(request), call.now, optional(shapes.sku, request.sku, "sku"), _LISTED[request.filter]
        )
        return listed(pb.ListListingsResponse, "listings", answer, _listing)


def _level(level: stock_levels.Level) -> pb.StockLevelReport:
    instants = {name: stamp(getattr(level, name)) for name in ("as_of", "stale_at", "stale_since")}
    alerts = [_alert(alert) for alert in level.alerts]
    return pb.StockLevelReport(**{**level._asdict(), **instants, "alerts": alerts})


def _movement(movement: stock_levels.StockMovement) -> pb.StockMovement:
    return pb.StockMovement(
        position=movement.position,
        what=movement.what,
        units=movement.units,
        delta=movement.delta,
        available=movement.available,
        reservation_id=movement.reservation_id,
        order_id=movement.order_id,
        reason=movement.because,
        at=stamp(movement.at),
    )


def _listing(each: stock_levels.ListingAnswer) -> pb.Listing:
    return pb.Listing(**each._asdict() | {"since": stamp(each.since)})
