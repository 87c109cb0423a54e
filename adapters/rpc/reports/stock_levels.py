"""What suppliers have, how it moved, and what can be sold."""

from __future__ import annotations

from datetime import UTC, datetime

from adapters.rpc import shapes
from adapters.rpc.faults import require
from adapters.rpc.listing import any_of, listed, page
from adapters.rpc.reading import Context, Reader
from adapters.rpc.shapes import optional, plain_id
from adapters.rpc.shows import number_of, stamp
from fulfilment.v1 import stock_levels_pb2
from ledger.nouns.stock import Alert
from projections import stock_levels

_alert = number_of(stock_levels_pb2.StockAlert)
_read_alert = shapes.enum(stock_levels_pb2.StockAlert, Alert)
_LISTED = {
    stock_levels_pb2.LISTING_FILTER_UNSPECIFIED: None,
    stock_levels_pb2.LISTING_FILTER_LISTED: True,
    stock_levels_pb2.LISTING_FILTER_DELISTED: False,
}


class StockLevelQueries(Reader):
    async def ListStockLevels(
        self, request: stock_levels_pb2.ListStockLevelsRequest, context: Context
    ) -> stock_levels_pb2.ListStockLevelsResponse:
        answer = await stock_levels.list_levels(
            await self.where(request, context),
            page(request),
            datetime.now(UTC),
            optional(plain_id, request.supplier_id, "supplier_id"),
            optional(shapes.sku, request.sku, "sku"),
            any_of(_read_alert, request.alerts, "alerts"),
        )
        return listed(stock_levels_pb2.ListStockLevelsResponse, "levels", answer, _level)

    async def ListStockMovements(
        self, request: stock_levels_pb2.ListStockMovementsRequest, context: Context
    ) -> stock_levels_pb2.ListStockMovementsResponse:
        item = shapes.plain_id(request.supplier_id, "supplier_id"), shapes.sku(request.sku, "sku")
        answer = await stock_levels.list_movements(await self.where(request, context), page(request), *item)
        return listed(stock_levels_pb2.ListStockMovementsResponse, "movements", answer, _movement)

    async def ListListings(
        self, request: stock_levels_pb2.ListListingsRequest, context: Context
    ) -> stock_levels_pb2.ListListingsResponse:
        require(request.filter in _LISTED, "filter", f"{request.filter} is not known")
        where = await self.where(request, context)
        answer = await stock_levels.list_listings(
            where, page(request), optional(shapes.sku, request.sku, "sku"), _LISTED[request.filter]
        )
        return listed(stock_levels_pb2.ListListingsResponse, "listings", answer, _listing)


def _level(level: stock_levels.Level) -> stock_levels_pb2.StockLevelReport:
    instants = {name: stamp(getattr(level, name)) for name in ("as_of", "stale_at", "stale_since")}
    alerts = [_alert(alert) for alert in level.alerts]
    return stock_levels_pb2.StockLevelReport(**{**level._asdict(), **instants, "alerts": alerts})


def _movement(movement: stock_levels.StockMovement) -> stock_levels_pb2.StockMovement:
    return stock_levels_pb2.StockMovement(
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


def _listing(each: stock_levels.Listing) -> stock_levels_pb2.Listing:
    return stock_levels_pb2.Listing(**each._asdict())
