"""StockUpService's reads: one stock-up from the log, lists and figures from read models."""

from __future__ import annotations

from datetime import UTC, datetime

from adapters.rpc import own, shapes
from adapters.rpc.calls import Call
from adapters.rpc.faults import require
from adapters.rpc.listing import any_of, listed, page
from adapters.rpc.queries import Queries
from adapters.rpc.shapes import count, instant, optional, plain_id
from adapters.rpc.shows import number_of, stamp
from fulfilment.v1 import stock_ups_pb2 as pb
from ledger.nouns import stock_ups
from ledger.nouns.stock_ups import StockUpState
from ledger.view import Folded
from projections import stock_levels
from projections.stock_levels import ProposedUnits
from projections.stock_ups import ListedStockUp, list_stock_ups, row_of

_state = number_of(pb.StockUpState)
_read_state = shapes.enum(pb.StockUpState, StockUpState)
_AS_NOW, _MOST_GROWTH = 10_000, 1_000_000


class StockUpQueries(Queries):
    """StockUpService but for its commands."""

    async def ProposeStockUps(self, request: pb.ProposeStockUpsRequest, call: Call) -> pb.ProposeStockUpsResponse:
        now, until = datetime.now(UTC), instant(request, "until")
        require(until is not None and until > now, "until", "is required, later than now")
        growth = request.growth_basis_points if request.HasField("growth_basis_points") else _AS_NOW
        growth = count(growth, "growth_basis_points", 1, _MOST_GROWTH)
        supplier_id = plain_id(request.supplier_id, "supplier_id")
        wanted, where = page(request), await self.where(request, call)
        await self.require_supplier(supplier_id, call)
        answer = await stock_levels.propose(
            where,
            wanted,
            now,
            until or now,
            growth,
            supplier_id,
            optional(shapes.sku, request.sku, "sku"),
        )
        return listed(pb.ProposeStockUpsResponse, "proposals", answer, _proposal)

    async def GetStockUp(self, request: pb.GetStockUpRequest, call: Call) -> pb.GetStockUpResponse:
        stock_up_id = plain_id(request.stock_up_id, "stock_up_id")
        stream = stock_ups.stream(stock_up_id)
        entry, position = await self.entry(await self.tenant(call), stream, request.at_least)
        own.require(Folded({stream: entry}), request, call)
        found = _shown(row_of(stock_ups.known(entry.state, stock_up_id)))
        found.version = entry.version
        return pb.GetStockUpResponse(stock_up=found, position=position)

    async def ListStockUps(self, request: pb.ListStockUpsRequest, call: Call) -> pb.ListStockUpsResponse:
        answer = await list_stock_ups(
            await self.where(request, call),
            page(request),
            own.supplier_asked(optional(plain_id, request.supplier_id, "supplier_id"), call),
            optional(shapes.sku, request.sku, "sku"),
            any_of(_read_state, request.states, "states"),
        )
        return listed(pb.ListStockUpsResponse, "stock_ups", answer, _shown)


def _proposal(each: ProposedUnits) -> pb.StockUpProposal:
    return pb.StockUpProposal(**each._asdict())


def _shown(each: ListedStockUp) -> pb.StockUp:
    instants = ("until", "asked_at", "answer_by", "answered_at", "since", "shown_at")
    return pb.StockUp(
        **{**each._asdict(), "state": _state(each.state), **{name: stamp(getattr(each, name)) for name in instants}}
    )
