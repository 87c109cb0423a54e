"""ReportService: what the read models answer, as the contract shows it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from adapters.rpc import answers, shapes
from adapters.rpc.answers import line_units, stamp
from adapters.rpc.server import Context, deadline_of, tenant_name, where
from adapters.tenants import Tenants
from fulfilment.v1 import (
    common_pb2,
    obligations_pb2,
    orders_pb2,
    rates_pb2,
    scorecards_pb2,
    statements_pb2,
    stock_levels_pb2,
    supplier_reviews_pb2,
    suppliers_pb2,
    totals_pb2,
    tracking_pb2,
    trade_pb2,
)
from ledger.nouns.orders import Header, HoldReason
from ledger.nouns.reviews import ProposalState
from ledger.nouns.stock import Alert
from ledger.nouns.suppliers import Standing
from ledger.refusals import Malformed
from ledger.terms.clocks import Clock, ClockState
from ledger.terms.rates import (
    RateName,
    RateStatus,
    is_at_most,
    is_strict,
)
from projections import reviewing, scorecards, sla, statements, stock_levels, supplier_performance, tracking, trade
from projections.machine.reads import FIRST, Where

E = TypeVar("E", bound=StrEnum)


_order_status = shapes.number_of(orders_pb2.OrderStatus)
_supplier_order_status = shapes.number_of(orders_pb2.SupplierOrderStatus)
_hold_reason = shapes.number_of(orders_pb2.HoldReason)
_clock = shapes.number_of(obligations_pb2.ObligationClock)
_state = shapes.number_of(obligations_pb2.ObligationState)
_STATUSES = {each: answers.rate_status(each) for each in RateStatus}
_statement_kind = shapes.number_of(statements_pb2.StatementKind)
_read_header = shapes.enum(orders_pb2.OrderStatus, Header)
_read_hold_reason = shapes.enum(orders_pb2.HoldReason, HoldReason)
_read_clock = shapes.enum(obligations_pb2.ObligationClock, Clock)
_read_state = shapes.enum(obligations_pb2.ObligationState, ClockState, unspecified=ClockState.OPEN)
_read_rate_name = shapes.enum(rates_pb2.RateName, RateName)
_read_step = shapes.enum(scorecards_pb2.TrendStep, scorecards.Step)
_read_group = shapes.enum(trade_pb2.TradeGroup, trade.GroupBy, unspecified=trade.GroupBy.EVERYTHING)
_read_standing = shapes.enum(suppliers_pb2.SupplierStanding, Standing)
_read_proposal_state = shapes.enum(suppliers_pb2.ProposalState, ProposalState)

_alert = shapes.number_of(stock_levels_pb2.StockAlert)
_read_alert = shapes.enum(stock_levels_pb2.StockAlert, Alert)

_LISTED = {
    stock_levels_pb2.LISTING_FILTER_UNSPECIFIED: None,
    stock_levels_pb2.LISTING_FILTER_LISTED: True,
    stock_levels_pb2.LISTING_FILTER_DELISTED: False,
}
_IN_NUMERATOR = {
    scorecards_pb2.CASE_FILTER_UNSPECIFIED: None,
    scorecards_pb2.CASE_FILTER_IN_NUMERATOR: True,
    scorecards_pb2.CASE_FILTER_NOT_IN_NUMERATOR: False,
}


async def where_of(tenants: Tenants, request: Any, context: Context) -> Where:
    """Whom a query asks, and how patiently: a request that names the position it wants at least."""
    return where(tenants, await tenants.find(tenant_name(context)), request, deadline_of(context))


class ReportQueries:
    """ReportService: every answer comes from one snapshot of one read model."""

    def __init__(self, tenants: Tenants) -> None:
        self._tenants = tenants

    async def _where(self, request: Any, context: Context) -> Where:
        return await where_of(self._tenants, request, context)

    # --- where things are ---

    async def GetTracking(
        self, request: tracking_pb2.GetTrackingRequest, context: Context
    ) -> tracking_pb2.GetTrackingResponse:
        order_id = shapes.order_id(request.order_id)
        answer = await tracking.get_order(await self._where(request, context), order_id)
        return tracking_pb2.GetTrackingResponse(order=_order(answer.rows[0]), position=answer.position)

    async def FindParcels(
        self, request: tracking_pb2.FindParcelsRequest, context: Context
    ) -> tracking_pb2.FindParcelsResponse:
        number = shapes.tracking_number(request.tracking_number)
        carrier = shapes.carrier(request.carrier) if request.carrier else ""
        answer = await tracking.find_parcels(await self._where(request, context), number, carrier)
        parcels = [_parcel(each) for each in answer.rows]
        return tracking_pb2.FindParcelsResponse(parcels=parcels, position=answer.position)

    async def ListOrders(
        self, request: tracking_pb2.ListOrdersRequest, context: Context
    ) -> tracking_pb2.ListOrdersResponse:
        statuses = {_read_header(value, f"statuses[{index}]") for index, value in enumerate(request.statuses)}
        answer = await tracking.list_orders(
            await self._where(request, context),
            shapes.page(request),
            sorted(statuses),
            _channel(request),
            shapes.instant(request, "placed_since"),
            shapes.instant(request, "placed_until"),
        )
        orders = [_order(each) for each in answer.rows]
        return tracking_pb2.ListOrdersResponse(
            orders=orders, next_page_token=answer.next_page_token, position=answer.position
        )

    async def ListHolds(
        self, request: tracking_pb2.ListHoldsRequest, context: Context
    ) -> tracking_pb2.ListHoldsResponse:
        reasons = {_read_hold_reason(value, f"reasons[{index}]") for index, value in enumerate(request.reasons)}
        owner = shapes.text(request.owner, "owner", 100)
        place = await self._where(request, context)
        answer = await tracking.list_holds(place, shapes.page(request), sorted(reasons), owner)
        holds = [tracking_pb2.OrderHold(order_id=each.order_id, hold=answers.hold(each.hold)) for each in answer.rows]
        return tracking_pb2.ListHoldsResponse(
            holds=holds, next_page_token=answer.next_page_token, position=answer.position
        )

    # --- what is due ---

    async def ListObligations(
        self, request: obligations_pb2.ListObligationsRequest, context: Context
    ) -> obligations_pb2.ListObligationsResponse:
        answer = await sla.list_obligations(
            await self._where(request, context),
            shapes.page(request),
            (_read_state(request.state, "state"),),
            _supplier_id(request),
            _optional(_read_clock, request.clock, "clock"),
            until=shapes.due_until(request, datetime.now(UTC)),
            owner=_optional(shapes.party, request.owner, "owner"),
        )
        obligations = [_obligation(each) for each in answer.rows]
        return obligations_pb2.ListObligationsResponse(
            obligations=obligations, next_page_token=answer.next_page_token, position=answer.position
        )

    async def ListBreaches(
        self, request: obligations_pb2.ListBreachesRequest, context: Context
    ) -> obligations_pb2.ListBreachesResponse:
        answer = await sla.list_breaches(
            await self._where(request, context),
            shapes.page(request),
            shapes.instant(request, "due_since"),
            shapes.instant(request, "due_until"),
            _supplier_id(request),
            _optional(_read_clock, request.clock, "clock"),
            _optional(shapes.party, request.owner, "owner"),
        )
        breaches = [_obligation(each) for each in answer.rows]
        return obligations_pb2.ListBreachesResponse(
            breaches=breaches, next_page_token=answer.next_page_token, position=answer.position
        )

    async def CountObligations(
        self, request: obligations_pb2.CountObligationsRequest, context: Context
    ) -> obligations_pb2.CountObligationsResponse:
        place = await self._where(request, context)
        answer = await sla.count_obligations(place, shapes.page(request), _supplier_id(request))
        counts = [
            obligations_pb2.ObligationCount(**{**each._asdict(), "clock": _clock(each.clock)}) for each in answer.rows
        ]
        return obligations_pb2.CountObligationsResponse(
            counts=counts, next_page_token=answer.next_page_token, position=answer.position
        )

    # --- how suppliers do ---

    async def GetRates(
        self, request: scorecards_pb2.GetRatesRequest, context: Context
    ) -> scorecards_pb2.GetRatesResponse:
        place, window = await self._where(request, context), _window(request)
        answer = await scorecards.get_rates(place, _supplier_id(request), window)
        return scorecards_pb2.GetRatesResponse(scorecard=_scorecard(answer.rows[0]), position=answer.position)

    async def ListRates(
        self, request: scorecards_pb2.ListRatesRequest, context: Context
    ) -> scorecards_pb2.ListRatesResponse:
        place, window = await self._where(request, context), _window(request)
        answer = await scorecards.list_rates(place, shapes.page(request), window)
        cards = [_scorecard(each) for each in answer.rows]
        return scorecards_pb2.ListRatesResponse(
            scorecards=cards, next_page_token=answer.next_page_token, position=answer.position
        )

    async def RankSuppliers(
        self, request: scorecards_pb2.RankSuppliersRequest, context: Context
    ) -> scorecards_pb2.RankSuppliersResponse:
        place, window = await self._where(request, context), _window(request)
        limit = shapes.count(request.limit, "limit") or None
        ranking = await scorecards.rank(place, window, _optional(_read_rate_name, request.by, "by"))
        return scorecards_pb2.RankSuppliersResponse(
            supplier_ids=ranking.supplier_ids[:limit],
            columns=[_column(each, limit) for each in ranking.columns],
            position=ranking.position,
        )

    async def GetTrend(
        self, request: scorecards_pb2.GetTrendRequest, context: Context
    ) -> scorecards_pb2.GetTrendResponse:
        name, step = _read_rate_name(request.name, "name"), _read_step(request.step, "step")
        since, until = shapes.instant(request.period, "period.since"), shapes.instant(request.period, "period.until")
        if since is None or until is None or since >= until:
            raise Malformed(("period", "needs since and a later until"))
        parts = (until - since) / timedelta(days=7 if step is scorecards.Step.WEEK else 28)
        shapes.require(parts <= scorecards.MOST_STEPS - 2, "period", f"has more than {scorecards.MOST_STEPS} parts")
        now = shapes.instant(request.period, "period.now") or datetime.now(UTC)
        answer = await scorecards.get_trend(
            await self._where(request, context), _supplier_id(request), name, since, until, step, now
        )
        return scorecards_pb2.GetTrendResponse(
            rates=[answers.rate(each) for each in answer.rows], position=answer.position
        )

    async def ListSuppliers(
        self, request: supplier_reviews_pb2.ListSuppliersRequest, context: Context
    ) -> supplier_reviews_pb2.ListSuppliersResponse:
        standings = [_read_standing(value, f"standings[{index}]") for index, value in enumerate(request.standings)]
        place = await self._where(request, context)
        answer = await reviewing.list_suppliers(place, shapes.page(request), standings, datetime.now(UTC))
        found = [
            supplier_reviews_pb2.ListedSupplier(
                supplier_id=each.supplier_id,
                standing=answers.standing(each.standing),
                review_due=stamp(each.due),
                reviewed_at=stamp(each.reviewed_at),
                score_basis_points=each.score_basis_points,
                verdict=answers.verdict(each.verdict) if each.verdict else suppliers_pb2.VERDICT_UNSPECIFIED,
                open_proposals=each.open_proposals,
            )
            for each in answer.rows
        ]
        return supplier_reviews_pb2.ListSuppliersResponse(
            suppliers=found, next_page_token=answer.next_page_token, position=answer.position
        )

    async def ListReviewsDue(
        self, request: supplier_reviews_pb2.ListReviewsDueRequest, context: Context
    ) -> supplier_reviews_pb2.ListReviewsDueResponse:
        now = datetime.now(UTC)
        until = now + timedelta(days=shapes.count(request.due_within_days, "due_within_days", most=1000))
        answer = await reviewing.list_reviews_due(await self._where(request, context), shapes.page(request), until, now)
        reviews = [
            supplier_reviews_pb2.ReviewDue(
                supplier_id=each.supplier_id,
                due=stamp(each.due),
                reviewed_at=stamp(each.reviewed_at),
                score_basis_points=each.score_basis_points,
                verdict=answers.verdict(each.verdict) if each.verdict else suppliers_pb2.VERDICT_UNSPECIFIED,
            )
            for each in answer.rows
        ]
        return supplier_reviews_pb2.ListReviewsDueResponse(
            reviews=reviews, next_page_token=answer.next_page_token, position=answer.position
        )

    async def ListSuspensionProposals(
        self, request: supplier_reviews_pb2.ListSuspensionProposalsRequest, context: Context
    ) -> supplier_reviews_pb2.ListSuspensionProposalsResponse:
        state = _optional(_read_proposal_state, request.state, "state")
        place = await self._where(request, context)
        answer = await reviewing.list_proposals(place, shapes.page(request), _supplier_id(request), state)
        return supplier_reviews_pb2.ListSuspensionProposalsResponse(
            proposals=[answers.proposal(each.supplier_id, each.proposal) for each in answer.rows],
            next_page_token=answer.next_page_token,
            position=answer.position,
        )

    async def ListRateCases(
        self, request: scorecards_pb2.ListRateCasesRequest, context: Context
    ) -> scorecards_pb2.ListRateCasesResponse:
        shapes.require(request.filter in _IN_NUMERATOR, "filter", f"{request.filter} is not known")
        answer = await scorecards.list_cases(
            await self._where(request, context),
            shapes.page(request),
            _read_rate_name(request.name, "name"),
            _supplier_id(request),
            _window(request),
            _IN_NUMERATOR[request.filter],
        )
        cases = [
            scorecards_pb2.RateCase(
                object_id=each.object_id,
                order_id=each.order_id,
                at=stamp(each.at),
                happened_at=stamp(each.happened_at),
                in_numerator=each.in_numerator,
            )
            for each in answer.rows
        ]
        return scorecards_pb2.ListRateCasesResponse(
            cases=cases, next_page_token=answer.next_page_token, position=answer.position
        )

    # --- what is owed ---

    async def GetStatement(
        self, request: statements_pb2.GetStatementRequest, context: Context
    ) -> statements_pb2.GetStatementResponse:
        supplier_id = shapes.plain_id(request.supplier_id, "supplier_id")
        where, (since, until) = await self._where(request, context), _period(request)
        answer = await statements.get_statement(where, supplier_id, since, until)
        (statement,) = answer.rows
        return statements_pb2.GetStatementResponse(
            balances=[_balance(each) for each in statement.balances],
            units_without_cost=statement.units_without_cost,
            position=answer.position,
        )

    async def ListStatementEntries(
        self, request: statements_pb2.ListStatementEntriesRequest, context: Context
    ) -> statements_pb2.ListStatementEntriesResponse:
        supplier_id = shapes.plain_id(request.supplier_id, "supplier_id")
        currency = shapes.currency(request.currency, "currency", required=False)
        where, (since, until) = await self._where(request, context), _period(request)
        answer = await statements.list_entries(where, shapes.page(request), supplier_id, since, until, currency)
        return statements_pb2.ListStatementEntriesResponse(
            entries=[_entry(each) for each in answer.rows],
            next_page_token=answer.next_page_token,
            position=answer.position,
        )

    # --- how the trade does ---

    async def ReviewTrade(
        self, request: trade_pb2.ReviewTradeRequest, context: Context
    ) -> trade_pb2.ReviewTradeResponse:
        group_by, about = _read_group(request.group_by, "group_by"), _about(request)
        answer = await trade.review(await self._where(request, context), shapes.page(request), group_by, about)
        return trade_pb2.ReviewTradeResponse(
            rows=[_figures(each) for each in answer.rows],
            next_page_token=answer.next_page_token,
            position=answer.position,
        )

    # --- everything recorded ---

    async def GetSummary(
        self, request: totals_pb2.GetSummaryRequest, context: Context
    ) -> totals_pb2.GetSummaryResponse:
        answer = await supplier_performance.summary(await self._where(request, context), _channel(request))
        figures = answer.rows[0]._asdict()
        amounts = figures.pop("gmv_minor").items()
        gmv = [common_pb2.Money(amount_minor=amount, currency=currency) for currency, amount in amounts]
        return totals_pb2.GetSummaryResponse(**figures, gmv=gmv, position=answer.position)

    async def ListSupplierTotals(
        self, request: totals_pb2.ListSupplierTotalsRequest, context: Context
    ) -> totals_pb2.ListSupplierTotalsResponse:
        place = await self._where(request, context)
        answer = await supplier_performance.list_supplier_totals(place, shapes.page(request), _channel(request))
        totals = [totals_pb2.SupplierTotal(**each._asdict()) for each in answer.rows]
        return totals_pb2.ListSupplierTotalsResponse(
            totals=totals, next_page_token=answer.next_page_token, position=answer.position
        )

    # --- what suppliers have ---

    async def ListStockLevels(
        self, request: stock_levels_pb2.ListStockLevelsRequest, context: Context
    ) -> stock_levels_pb2.ListStockLevelsResponse:
        alerts = {_read_alert(value, f"alerts[{index}]") for index, value in enumerate(request.alerts)}
        answer = await stock_levels.list_levels(
            await self._where(request, context),
            shapes.page(request),
            datetime.now(UTC),
            _supplier_id(request),
            _sku(request),
            sorted(alerts),
        )
        levels = [_level(each) for each in answer.rows]
        return stock_levels_pb2.ListStockLevelsResponse(
            levels=levels, next_page_token=answer.next_page_token, position=answer.position
        )

    async def ListStockMovements(
        self, request: stock_levels_pb2.ListStockMovementsRequest, context: Context
    ) -> stock_levels_pb2.ListStockMovementsResponse:
        item = shapes.plain_id(request.supplier_id, "supplier_id"), shapes.sku(request.sku, "sku")
        answer = await stock_levels.list_movements(await self._where(request, context), shapes.page(request), *item)
        movements = [_movement(each) for each in answer.rows]
        return stock_levels_pb2.ListStockMovementsResponse(
            movements=movements, next_page_token=answer.next_page_token, position=answer.position
        )

    async def ListListings(
        self, request: stock_levels_pb2.ListListingsRequest, context: Context
    ) -> stock_levels_pb2.ListListingsResponse:
        shapes.require(request.filter in _LISTED, "filter", f"{request.filter} is not known")
        where = await self._where(request, context)
        answer = await stock_levels.list_listings(where, shapes.page(request), _sku(request), _LISTED[request.filter])
        listings = [stock_levels_pb2.Listing(**each._asdict()) for each in answer.rows]
        return stock_levels_pb2.ListListingsResponse(
            listings=listings, next_page_token=answer.next_page_token, position=answer.position
        )


# --- what is asked --------------------------------------------------------------------------------


def _channel(request: Any) -> str:
    return shapes.plain_id(request.channel, "channel") if request.channel else ""


def _supplier_id(request: Any) -> str:
    return shapes.plain_id(request.supplier_id, "supplier_id") if request.supplier_id else ""


def _sku(request: Any) -> str:
    return shapes.sku(request.sku, "sku") if request.sku else ""


def _optional(read: Callable[[int, str], E], value: int, field: str) -> E | None:
    return read(value, field) if value else None


def _period(request: Any) -> tuple[datetime | None, datetime | None]:
    since, until = shapes.instant(request, "since"), shapes.instant(request, "until")
    shapes.require(since is None or until is None or since < until, "since", "is not before until")
    return since, until


def _about(request: trade_pb2.ReviewTradeRequest) -> trade.About:
    since, until = _period(request)
    now = datetime.now(UTC)
    carrier = shapes.carrier(request.carrier) if request.carrier else ""
    period = since or FIRST, min(until or now, now)
    return trade.About(*period, _supplier_id(request), _sku(request), carrier, _channel(request))


def _window(request: Any) -> scorecards.Window:
    now = shapes.instant(request.window, "window.now") or datetime.now(UTC)
    since, until = shapes.instant(request.window, "window.since"), shapes.instant(request.window, "window.until")
    if since is not None:
        shapes.require(since < (until or now), "window.since", "is not before the window's end")
    return scorecards.Window(now, since, until)


# --- what is answered -----------------------------------------------------------------------------


def _order(order: tracking.TrackedOrder) -> tracking_pb2.TrackedOrder:
    return tracking_pb2.TrackedOrder(
        order_id=order.order_id,
        channel=order.channel,
        status=_order_status(order.status),
        placed_at=stamp(order.placed_at),
        confirmed_at=stamp(order.details.confirmed_at),
        promised_by=stamp(order.promised_by),
        promised_day=answers.day(order.details.promised_day),
        expected_by=stamp(order.expected_by),
        delivered_at=stamp(order.delivered_at),
        lines=[_line(each) for each in order.details.lines],
        supplier_orders=[_supplier_order(each) for each in order.details.supplier_orders],
        holds=[_hold(each) for each in order.details.holds],
        parcels=[_parcel(each) for each in order.parcels],
    )


def _line(line: tracking.TrackedLine) -> tracking_pb2.TrackedLine:
    counts = {name: getattr(line.units, name) for name in line.units.__struct_fields__}
    units = orders_pb2.Buckets(**counts)
    return tracking_pb2.TrackedLine(line_no=line.line_no, sku=line.sku, supplier_id=line.supplier_id, units=units)


def _supplier_order(each: tracking.TrackedSupplierOrder) -> tracking_pb2.TrackedSupplierOrder:
    return tracking_pb2.TrackedSupplierOrder(
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


def _hold(hold: tracking.TrackedHold) -> tracking_pb2.TrackedHold:
    return tracking_pb2.TrackedHold(
        reason=_hold_reason(hold.reason),
        at=stamp(hold.at),
        missing=hold.missing,
        supplier_order_id=hold.supplier_order_id,
    )


def _parcel(parcel: tracking.TrackedParcel) -> tracking_pb2.TrackedParcel:
    return tracking_pb2.TrackedParcel(
        carrier=parcel.carrier,
        tracking_number=parcel.number,
        epoch=parcel.epoch,
        status=answers.parcel_status(parcel.status),
        order_id=parcel.order_id,
        supplier_order_id=parcel.supplier_order_id,
        supplier_id=parcel.supplier_id,
        country=parcel.country,
        lines=line_units(parcel.lines),
        registered_at=stamp(parcel.registered_at),
        first_scan_at=stamp(parcel.first_scan_at),
        promised_by=stamp(parcel.promised_by),
        promised_day=answers.day(parcel.promised_day),
        expected_by=stamp(parcel.expected_by),
        delivered_at=stamp(parcel.delivered_at),
        last_scan=_scan(parcel.last_scan),
        customs_hold=answers.customs_hold(parcel.customs_hold) if parcel.customs_hold is not None else None,
    )


def _scan(scan: tracking.LastScan | None) -> tracking_pb2.LastScan | None:
    if scan is None:
        return None
    status = answers.parcel_status(scan.status)
    return tracking_pb2.LastScan(at=stamp(scan.at), status=status, city=scan.city, country=scan.country)


def _obligation(each: sla.Obligation) -> obligations_pb2.Obligation:
    return obligations_pb2.Obligation(
        object_id=each.object_id,
        clock=_clock(each.clock),
        supplier_id=each.supplier_id,
        due=stamp(each.due),
        state=_state(each.state),
        met_at=stamp(each.met_at),
        stopped_since=stamp(each.stopped_since),
        missed_at=stamp(each.missed_at),
        withdrawn_at=stamp(each.withdrawn_at),
        owner=answers.party(each.owner),
    )


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


def _scorecard(card: scorecards.Scorecard) -> scorecards_pb2.Scorecard:
    return scorecards_pb2.Scorecard(supplier_id=card.supplier_id, rates=[answers.rate(each) for each in card.rates])


def _column(column: scorecards.RateColumn, limit: int | None) -> scorecards_pb2.RateColumn:
    targets = [each for each in column.targets[:limit] if each is not None]
    return scorecards_pb2.RateColumn(
        name=answers.rate_name(column.name),
        since=stamp(column.since),
        until=stamp(column.until),
        numerators=column.numerators[:limit],
        denominators=column.denominators[:limit],
        target_basis_points=targets,
        target_is_most=is_at_most(column.name),
        target_is_strict=is_strict(column.name),
        statuses=[_STATUSES[each] for each in column.statuses[:limit]],
    )


def _balance(each: statements.Balance) -> statements_pb2.StatementBalance:
    totals = [
        statements_pb2.StatementTotal(
            kind=_statement_kind(one.kind), amount_minor=one.amount_minor, entries=one.entries
        )
        for one in each.totals
    ]
    return statements_pb2.StatementBalance(
        currency=each.currency, opening_minor=each.opening_minor, totals=totals, closing_minor=each.closing_minor
    )


def _entry(each: statements.Entry) -> statements_pb2.StatementEntry:
    return statements_pb2.StatementEntry(
        at=stamp(each.at),
        kind=_statement_kind(each.kind),
        amount=common_pb2.Money(amount_minor=each.amount_minor, currency=each.currency),
        object_id=each.object_id,
        line_no=each.line_no,
        units=each.units,
        fact_position=each.position,
        stream=each.stream,
        fact=each.fact,
    )


def _figures(each: trade.Figures) -> trade_pb2.TradeFigures:
    costs = [
        trade_pb2.AfterSalesCost(
            liable=answers.party(one.liable) if one.liable else common_pb2.PARTY_UNSPECIFIED,
            amount=common_pb2.Money(amount_minor=one.amount_minor, currency=one.currency),
        )
        for one in each.costs
    ]
    return trade_pb2.TradeFigures(**{**each._asdict(), "costs": costs})
