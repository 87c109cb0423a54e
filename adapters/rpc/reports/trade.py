"""How the trade does."""

from __future__ import annotations

from datetime import UTC, datetime

from adapters.rpc import shapes, shows
from adapters.rpc.listing import listed, page, period
from adapters.rpc.reading import Context, Reader
from adapters.rpc.shapes import carrier, optional, plain_id, sku
from fulfilment.v1 import common_pb2, trade_pb2
from projections import trade
from projections.machine.reads import FIRST

_read_group = shapes.enum(trade_pb2.TradeGroup, trade.GroupBy, unspecified=trade.GroupBy.EVERYTHING)


class TradeQueries(Reader):
    async def ReviewTrade(
        self, request: trade_pb2.ReviewTradeRequest, context: Context
    ) -> trade_pb2.ReviewTradeResponse:
        group_by, about = _read_group(request.group_by, "group_by"), _about(request)
        answer = await trade.review(await self.where(request, context), page(request), group_by, about)
        return listed(trade_pb2.ReviewTradeResponse, "rows", answer, _figures)


def _about(request: trade_pb2.ReviewTradeRequest) -> trade.About:
    since, until = period(request)
    now = datetime.now(UTC)
    return trade.About(
        since or FIRST,
        min(until or now, now),
        optional(plain_id, request.supplier_id, "supplier_id"),
        optional(sku, request.sku, "sku"),
        optional(carrier, request.carrier, "carrier"),
        optional(plain_id, request.channel, "channel"),
    )


def _figures(each: trade.Figures) -> trade_pb2.TradeFigures:
    costs = [
        trade_pb2.AfterSalesCost(
            liable=shows.party(one.liable) if one.liable else common_pb2.PARTY_UNSPECIFIED,
            amount=common_pb2.Money(amount_minor=one.amount_minor, currency=one.currency),
        )
        for one in each.costs
    ]
    return trade_pb2.TradeFigures(**{**each._asdict(), "costs": costs})
