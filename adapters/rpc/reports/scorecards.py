"""How suppliers do: their rates, ranked, over time, and what they counted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from adapters.rpc import shapes, shows
from adapters.rpc.calls import Call
from adapters.rpc.faults import require
from adapters.rpc.listing import listed, page
from adapters.rpc.queries import Queries
from adapters.rpc.shapes import optional, optional_enum, plain_id
from adapters.rpc.shows import stamp
from adapters.rpc.windows import WindowAsked, asked_window
from fulfilment.v1 import rates_pb2
from fulfilment.v1 import scorecards_pb2 as pb
from ledger.refusals import Malformed
from ledger.terms.rates import RateName, RateStatus, is_at_most, is_strict
from ledger.terms.time_zones import zone
from projections.supplier_performance import counted, scorecards, trends, windows

_STATUSES = {each: shows.rate_status(each) for each in RateStatus}
_read_rate_name = shapes.enum(rates_pb2.RateName, RateName)
_read_step = shapes.enum(pb.TrendStep, trends.TrendStep)
_IN_NUMERATOR = {
    pb.CASE_FILTER_UNSPECIFIED: None,
    pb.CASE_FILTER_IN_NUMERATOR: True,
    pb.CASE_FILTER_NOT_IN_NUMERATOR: False,
}


class ScorecardQueries(Queries):
    async def GetRates(self, request: pb.GetRatesRequest, call: Call) -> pb.GetRatesResponse:
        place, (asked, window) = await self.where(request, call), _window(request, call)
        supplier_id = optional(plain_id, request.supplier_id, "supplier_id")
        await self.require_supplier(supplier_id, call)
        answer = await scorecards.get_rates(place, supplier_id, window)
        return pb.GetRatesResponse(
            scorecard=_scorecard(answer.rows[0]), position=answer.position, window=asked.answered(answer.extent)
        )

    async def ListRates(self, request: pb.ListRatesRequest, call: Call) -> pb.ListRatesResponse:
        place, (asked, window) = await self.where(request, call), _window(request, call)
        answer = await scorecards.list_rates(place, page(request), window)
        return listed(pb.ListRatesResponse, "scorecards", answer, _scorecard, asked)

    async def RankSuppliers(self, request: pb.RankSuppliersRequest, call: Call) -> pb.RankSuppliersResponse:
        place, (asked, window) = await self.where(request, call), _window(request, call)
        limit, by = shapes.count(request.limit, "limit") or None, optional_enum(_read_rate_name, request.by, "by")
        ranking = await scorecards.rank(place, window, by)
        return pb.RankSuppliersResponse(
            supplier_ids=ranking.supplier_ids[:limit],
            columns=[_column(each, limit) for each in ranking.columns],
            position=ranking.position,
            window=_of_one(asked, window, by).answered(ranking.extent),
        )

    async def GetTrend(self, request: pb.GetTrendRequest, call: Call) -> pb.GetTrendResponse:
        name, step = _read_rate_name(request.name, "name"), _read_step(request.step, "step")
        now = shapes.instant(request.period, "period.now") or call.now
        asked = asked_window(request.period, ("period.since", "period.until"), "period.named", now)
        since, until, _ = asked
        if since is None or until is None:
            raise Malformed(("period", "needs since and a later until"))
        parts = (until - since) / timedelta(days=7 if step is trends.TrendStep.WEEK else 28)
        require(parts <= trends.MOST_STEPS - 2, "period", f"has more than {trends.MOST_STEPS} parts")
        supplier_id = optional(plain_id, request.supplier_id, "supplier_id")
        where = await self.where(request, call)
        await self.require_supplier(supplier_id, call)
        answer = await trends.get_trend(
            where,
            supplier_id,
            name,
            since,
            until,
            step,
            now,
            zone(asked.time_zone),
        )
        return pb.GetTrendResponse(
            rates=[shows.rate(each) for each in answer.rows],
            position=answer.position,
            window=asked.answered(answer.extent),
        )

    async def ListRateCases(self, request: pb.ListRateCasesRequest, call: Call) -> pb.ListRateCasesResponse:
        require(request.filter in _IN_NUMERATOR, "filter", f"{request.filter} is not known")
        name, (asked, window) = _read_rate_name(request.name, "name"), _window(request, call)
        wanted, supplier_id = page(request), optional(plain_id, request.supplier_id, "supplier_id")
        where = await self.where(request, call)
        await self.require_supplier(supplier_id, call)
        answer = await counted.list_cases(
            where,
            wanted,
            name,
            supplier_id,
            window,
            _IN_NUMERATOR[request.filter],
        )
        return listed(pb.ListRateCasesResponse, "cases", answer, _case, _of_one(asked, window, name))


def _scorecard(card: scorecards.Scorecard) -> pb.Scorecard:
    return pb.Scorecard(supplier_id=card.supplier_id, rates=[shows.rate(each) for each in card.rates])


def _column(column: scorecards.RateColumn, limit: int | None) -> pb.RateColumn:
    targets = [each for each in column.targets[:limit] if each is not None]
    return pb.RateColumn(
        name=shows.rate_name(column.name),
        since=stamp(column.since),
        until=stamp(column.until),
        numerators=column.numerators[:limit],
        denominators=column.denominators[:limit],
        target_basis_points=targets,
        target_is_most=is_at_most(column.name),
        target_is_strict=is_strict(column.name),
        statuses=[_STATUSES[each] for each in column.statuses[:limit]],
    )


def _window(request: Any, call: Call) -> tuple[WindowAsked, windows.Window]:
    """The window as it is asked for, and as rates take it, of which each has one of its own where none is."""
    now = shapes.instant(request.window, "window.now") or call.now
    asked = asked_window(request.window, ("window.since", "window.until"), "window.named", now)
    since, until, _ = asked
    if since is not None:
        require(since < (until or now), "window.since", "is not before the window's end")
    return asked, windows.Window(now, since, until)


def _of_one(asked: WindowAsked, window: windows.Window, name: RateName | None) -> WindowAsked:
    """The window of one rate, which is its own as far as none is asked for."""
    if name is None:
        return asked
    since, until = window.of(name)
    return asked._replace(since=since, until=until)


def _case(each: counted.CountedCase) -> pb.RateCase:
    return pb.RateCase(
        object_id=each.object_id,
        order_id=each.order_id,
        at=stamp(each.at),
        happened_at=stamp(each.happened_at),
        in_numerator=each.in_numerator,
    )
