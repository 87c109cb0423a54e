"""How the trade does."""

from __future__ import annotations

from datetime import datetime

from adapters.rpc import shapes, shows
from adapters.rpc.calls import Call
from adapters.rpc.listing import listed, page
from adapters.rpc.queries import Queries
from adapters.rpc.shapes import carrier, optional, plain_id, sku
from adapters.rpc.windows import WindowAsked, asked_window
from fulfilment.v1 import common_pb2
from fulfilment.v1 import trade_pb2 as pb
from projections import trade
from projections.machine.reads import FIRST

_read_group = shapes.enum(pb.TradeGroup, trade.GroupBy, unspecified=trade.GroupBy.EVERYTHING)


class TradeQueries(Queries):
    async def ReviewTrade(self, request: pb.ReviewTradeRequest, call: Call) -> pb.ReviewTradeResponse:
        now = call.now
        window = asked_window(request, now=now)
        group_by, about = _read_group(request.group_by, "group_by"), _about(request, window, now)
        answer = await trade.review(await self.where(request, call), page(request), group_by, about)
        return listed(pb.ReviewTradeResponse, "rows", answer, _figures, window)


def _about(request: pb.ReviewTradeRequest, window: WindowAsked, now: datetime) -> trade.TradeFilter:
    return trade.TradeFilter(
        since=window.since or FIRST,
        until=min(window.until or now, now),
        supplier_id=optional(plain_id, request.supplier_id, "supplier_id"),
        sku=optional(sku, request.sku, "sku"),
        carrier=optional(carrier, request.carrier, "carrier"),
        channel=optional(plain_id, request.channel, "channel"),
        time_zone=window.time_zone,
    )


def _figures(each: trade.Figures) -> pb.TradeFigures:
    costs = [
        pb.AfterSalesCost(
            liable=shows.party(one.liable) if one.liable else common_pb2.PARTY_UNSPECIFIED,
            amount=common_pb2.Money(amount_minor=one.amount_minor, currency=one.currency),
        )
        for one in each.costs
    ]
    return pb.TradeFigures(**{**each._asdict(), "costs": costs})
