"""``fulfilment report``: what the read models know, each as new as the log was when it was asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

import click
import grpc
from google.protobuf.message import Message

from adapters import olist
from adapters.console import words
from adapters.console.client import Unreachable
from adapters.console.session import Nouns, Session
from adapters.console.words import at, expected, minute, money, promised, span, word
from fulfilment.v1 import (
    admin_pb2,
    common_pb2,
    obligations_pb2,
    orders_pb2,
    parcels_pb2,
    rates_pb2,
    scorecards_pb2,
    totals_pb2,
    tracking_pb2,
)

F = TypeVar("F", bound=Callable[..., Any])
Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)

_ROWS = 50
"""What a person reads at once; a program gets all."""
_PATIENCE_SECONDS = 60.0
"""How long a read model may need to catch up, for example after an import."""

_CHANNEL = click.option("--channel", metavar="NAME", help="Only this shop.")
_CARRIER = click.option("--carrier", metavar="NAME", help="Only this carrier.")
SUPPLIER = click.option("--supplier", metavar="SUPPLIER_ID", help="Only this supplier.")
_OWNER = click.option("--owner", type=words.choice(common_pb2.Party, "customer"), help="Only what they have to do.")
_CLOCK = click.option("--clock", type=words.choice(obligations_pb2.ObligationClock), help="Only this clock.")
LIMIT = click.option("--limit", type=words.whole(1), help=f"How many rows; if not said {_ROWS}, and all with --json.")


@click.group(cls=Nouns)
def report() -> None:
    """Ask how much there was, who is late, what is due, where things are."""


# --- asking ---------------------------------------------------------------------------------------


def head(session: Session) -> int:
    return session.client.call(session.client.admin.GetStatus, admin_pb2.GetStatusRequest()).position


def ask(session: Session, rpc: grpc.UnaryUnaryMultiCallable[Q, A], request: Q) -> A:
    """The answer as of the log's newest position when it was asked."""
    asked: Any = request
    asked.at_least = asked.at_least or head(session)
    give_up_at = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return session.client.call(rpc, request)
        except Unreachable as trouble:
            if trouble.reason != "PROJECTION_BEHIND" or time.monotonic() > give_up_at:
                raise


def rows_of(session: Session, rpc: grpc.UnaryUnaryMultiCallable[Q, A], request: Q, field: str) -> Iterator[Any]:
    """The rows of all pages, page by page as they are taken."""
    paged: Any = request
    paged.page.page_size = 1000
    while True:
        answer: Any = ask(session, rpc, request)
        yield from getattr(answer, field)
        paged.page.page_token = answer.next_page_token
        if not answer.next_page_token:
            return


def print_rows(
    session: Session,
    found: Iterable[Any],
    limit: int | None,
    columns: list[str],
    row: Callable[[Any], list[Any]],
    empty: str,
    as_json: Callable[[Any], dict[str, Any]] = words.as_json,
) -> None:
    if session.json:
        session.out.json([as_json(each) for each in islice(found, limit)])
        return
    most = limit or _ROWS
    taken = list(islice(found, most + 1))
    session.out.table(columns, [row(each) for each in taken[:most]], empty)
    if len(taken) > most:
        session.out.say(f"... and more; --limit {most * 10} shows more of them, --json all.", style="dim")


# --- everything recorded --------------------------------------------------------------------------


@report.command()
@_CHANNEL
@click.option("--like", type=click.Choice(["olist"]), help="Under the names of another system's own figures.")
@click.pass_obj
def summary(session: Session, channel: str, like: str | None) -> None:
    """Count everything recorded."""
    found = ask(session, session.client.reports.GetSummary, totals_pb2.GetSummaryRequest(channel=channel))
    if like:
        figures = olist.summary(found)
        if session.json:
            session.out.json(figures)
        else:
            session.out.table(["what", ">figure"], [[name, f"{figure:,}"] for name, figure in figures.items()])
        return
    if session.json:
        session.show(found)
        return
    session.out.table(
        ["what", ">figure"],
        [
            ["orders", f"{found.orders:,}"],
            ["units", f"{found.units:,}"],
            *(
                [f"value in {code}", money(amount, code).removesuffix(f" {code}")]
                for code, amount in ((each.currency, each.amount_minor) for each in found.gmv)
            ),
            ["supplier orders", f"{found.supplier_orders:,}"],
            ["orders of several suppliers", f"{found.multi_supplier_orders:,}"],
            ["suppliers", f"{found.suppliers:,}"],
            ["supplier orders dispatched", f"{found.supplier_orders_dispatched:,}"],
            ["of these on time", f"{found.supplier_orders_dispatched_on_time:,}"],
            ["orders delivered", f"{found.delivered_orders:,}"],
            ["of these late", f"{found.delivered_late:,}"],
        ],
    )
    session.out.say(f"As of position {found.position:,} of the log.", style="dim")


@report.command()
@_CHANNEL
@LIMIT
@click.pass_obj
def suppliers(session: Session, channel: str, limit: int | None) -> None:
    """Count what each supplier dispatched, on time and late; who dispatched most comes first."""
    request = totals_pb2.ListSupplierTotalsRequest(channel=channel)
    found = list(rows_of(session, session.client.reports.ListSupplierTotals, request, "totals"))
    found.sort(key=lambda total: (-total.dispatched, total.supplier_id))
    print_rows(
        session,
        found,
        limit,
        ["supplier", ">supplier orders", ">dispatched", ">on time", ">late", ">on time %"],
        lambda each: [
            each.supplier_id,
            each.supplier_orders,
            each.dispatched,
            each.on_time,
            each.late,
            _percent(each.on_time, each.on_time + each.late),
        ],
        "No supplier was given anything yet.",
    )


def _percent(part: int, whole: int) -> str:
    """An empty denominator is no data, never 0 % or 100 %."""
    return f"{100 * part / whole:.1f}" if whole else "no data"


@report.command()
@SUPPLIER
@click.option("--since", type=words.INSTANT, help="From then on; each rate's own window if not said.")
@click.option("--until", type=words.INSTANT, help="Before then; now if not said.")
@click.pass_obj
def rates(session: Session, supplier: str, since: Any, until: Any) -> None:
    """Compute the scorecard of a supplier, or of all together."""
    window = scorecards_pb2.Window(since=since, until=until)
    request = scorecards_pb2.GetRatesRequest(supplier_id=supplier, window=window)
    print_rates(session, ask(session, session.client.reports.GetRates, request).scorecard.rates)


def print_rates(session: Session, found: Iterable[rates_pb2.Rate]) -> None:
    print_rows(
        session,
        found,
        None,
        ["rate", ">part", ">of", ">%", ">target %", "status", "since", "until"],
        lambda each: [
            word(rates_pb2.RateName, each.name),
            *figures(each),
            word(rates_pb2.RateStatus, each.status),
            minute(each, "since"),
            minute(each, "until"),
        ],
        "No rates.",
    )


def figures(rate: rates_pb2.Rate) -> list[Any]:
    """Part, whole, what they come to, and what they should."""
    value = _percent(rate.numerator, rate.denominator)
    if rate.name == rates_pb2.RATE_NAME_SATISFACTION and rate.denominator:
        value = f"{rate.numerator / rate.denominator:.2f} stars"
    return [rate.numerator, rate.denominator, value, target_of(rate)]


TARGETS = {
    (True, True): "less than",
    (True, False): "at most",
    (False, True): "more than",
    (False, False): "at least",
}
"""What a target asks, by whether it is the most that is allowed and whether it is itself a breach."""


def target_of(rate: rates_pb2.Rate) -> str:
    """What a rate should be, in percent: ``less than 4``; empty where it is only reported."""
    if not rate.HasField("target_basis_points"):
        return ""
    return f"{TARGETS[rate.target_is_most, rate.target_is_strict]} {rate.target_basis_points / 100:g}"


_RATE = click.option("--rate", type=words.choice(rates_pb2.RateName), required=True, help="Which rate.")


@report.command()
@_RATE
@click.option("--since", type=words.INSTANT, help="From then on; the rate's own window if not said.")
@click.option("--until", type=words.INSTANT, help="Before then; now if not said.")
@LIMIT
@click.pass_obj
def rank(session: Session, rate: str, since: Any, until: Any, limit: int | None) -> None:
    """List suppliers by a rate, the worst first and those without data last."""
    name = words.number(rates_pb2.RateName, rate)
    request = scorecards_pb2.RankSuppliersRequest(by=name, window=scorecards_pb2.Window(since=since, until=until))
    found = ask(session, session.client.reports.RankSuppliers, request)
    (column,) = [each for each in found.columns if each.name == name]
    print_rows(
        session,
        _rates_of(found.supplier_ids, column),
        limit,
        ["supplier", ">part", ">of", ">%", ">target %", "status"],
        lambda each: [each[0], *figures(each[1]), word(rates_pb2.RateStatus, each[1].status)],
        "There is no supplier yet.",
        lambda each: {"supplier_id": each[0], **words.as_json(each[1])},
    )


def _rates_of(supplier_ids: Iterable[str], column: scorecards_pb2.RateColumn) -> Iterator[tuple[str, rates_pb2.Rate]]:
    for index, supplier_id in enumerate(supplier_ids):
        target = column.target_basis_points[index] if column.target_basis_points else None
        yield (
            supplier_id,
            rates_pb2.Rate(
                name=column.name,
                numerator=column.numerators[index],
                denominator=column.denominators[index],
                since=column.since,
                until=column.until,
                target_basis_points=target,
                target_is_most=column.target_is_most,
                target_is_strict=column.target_is_strict,
                status=column.statuses[index],
            ),
        )


@report.command()
@click.argument("supplier_id", required=False)
@click.option("--all", "everybody", is_flag=True, help="All suppliers together.")
@_RATE
@click.option("--by", "step", type=words.choice(scorecards_pb2.TrendStep), default="week", show_default=True)
@click.option("--since", type=words.INSTANT, help="From then on; 13 weeks before the end if not said.")
@click.option("--until", type=words.INSTANT, help="Before then; now if not said.")
@click.pass_obj
def trend(session: Session, supplier_id: str, everybody: bool, rate: str, step: str, since: Any, until: Any) -> None:
    """Show how a rate of a supplier moves, or of all together, by week or month."""
    if bool(supplier_id) == everybody:
        raise click.UsageError("name a supplier, or say --all")
    ends = until.ToDatetime(tzinfo=UTC) if until else datetime.now(UTC)
    begins = since.ToDatetime(tzinfo=UTC) if since else ends - timedelta(weeks=13)
    period = scorecards_pb2.Window()
    period.since.FromDatetime(begins)
    period.until.FromDatetime(ends)
    request = scorecards_pb2.GetTrendRequest(
        supplier_id=supplier_id,
        name=words.number(rates_pb2.RateName, rate),
        period=period,
        step=words.number(scorecards_pb2.TrendStep, step),
    )
    found = ask(session, session.client.reports.GetTrend, request)
    print_rows(
        session,
        found.rates,
        None,
        ["from", "to", ">part", ">of", ">%", ">target %", "status"],
        lambda each: [
            minute(each, "since"),
            minute(each, "until"),
            *figures(each),
            word(rates_pb2.RateStatus, each.status),
        ],
        "Nothing to show.",
    )


_IN_PART = {
    None: scorecards_pb2.CASE_FILTER_UNSPECIFIED,
    True: scorecards_pb2.CASE_FILTER_IN_NUMERATOR,
    False: scorecards_pb2.CASE_FILTER_NOT_IN_NUMERATOR,
}


@report.command()
@_RATE
@SUPPLIER
@click.option("--since", type=words.INSTANT, help="From then on; the rate's own window if not said.")
@click.option("--until", type=words.INSTANT, help="Before then; now if not said.")
@click.option("--part/--rest", "in_part", default=None, help="Only what is in the part of the rate, or what is not.")
@LIMIT
@click.pass_obj
def counted(
    session: Session, rate: str, supplier: str, since: Any, until: Any, in_part: bool | None, limit: int | None
) -> None:
    """List what a rate counted, of a supplier or of all, such as the supplier orders that were late."""
    request = scorecards_pb2.ListRateCasesRequest(
        name=words.number(rates_pb2.RateName, rate),
        supplier_id=supplier,
        window=scorecards_pb2.Window(since=since, until=until),
        filter=_IN_PART[in_part],
    )
    print_rows(
        session,
        rows_of(session, session.client.reports.ListRateCases, request, "cases"),
        limit,
        ["what", "order", "counts at", "happened", "in the part"],
        lambda each: [
            each.object_id,
            each.order_id,
            minute(each, "at"),
            minute(each, "happened_at"),
            "yes" if each.in_numerator else "no",
        ],
        "It counted nothing.",
    )


# --- what is due, what was missed -----------------------------------------------------------------


@report.command()
@_OWNER
@SUPPLIER
@_CLOCK
@LIMIT
@click.pass_obj
def late(session: Session, owner: str | None, supplier: str, clock: str | None, limit: int | None) -> None:
    """List what was missed and has still not happened, the oldest first."""
    request = obligations_pb2.ListBreachesRequest(
        owner=words.number(common_pb2.Party, owner),
        supplier_id=supplier,
        clock=words.number(obligations_pb2.ObligationClock, clock),
    )
    found = rows_of(session, session.client.reports.ListBreaches, request, "breaches")
    _print_obligations(session, (each for each in found if not each.HasField("met_at")), limit, "Nothing is late.")


@report.command()
@click.option(
    "--due-within",
    type=click.IntRange(0, 100_000),
    metavar="HOURS",
    help="Due within so many hours; 0 is what is overdue.",
)
@_OWNER
@SUPPLIER
@_CLOCK
@LIMIT
@click.pass_obj
def due(
    session: Session, due_within: int | None, owner: str | None, supplier: str, clock: str | None, limit: int | None
) -> None:
    """List what has to happen, the most urgent first."""
    request = obligations_pb2.ListObligationsRequest(
        owner=words.number(common_pb2.Party, owner),
        supplier_id=supplier,
        clock=words.number(obligations_pb2.ObligationClock, clock),
        due_within_hours=due_within,
    )
    found = rows_of(session, session.client.reports.ListObligations, request, "obligations")
    _print_obligations(session, found, limit, "Nothing is due.")


@report.command()
@click.option("--since", type=words.INSTANT, help="Due then or later.")
@click.option("--until", type=words.INSTANT, help="Due before then.")
@_OWNER
@SUPPLIER
@_CLOCK
@LIMIT
@click.pass_obj
def breaches(
    session: Session,
    since: Any,
    until: Any,
    owner: str | None,
    supplier: str,
    clock: str | None,
    limit: int | None,
) -> None:
    """List every deadline that was missed, whether or not it happened later."""
    request = obligations_pb2.ListBreachesRequest(
        due_since=since,
        due_until=until,
        owner=words.number(common_pb2.Party, owner),
        supplier_id=supplier,
        clock=words.number(obligations_pb2.ObligationClock, clock),
    )
    found = rows_of(session, session.client.reports.ListBreaches, request, "breaches")
    _print_obligations(session, found, limit, "No deadline was missed.")


def _print_obligations(session: Session, found: Iterable[Any], limit: int | None, empty: str) -> None:
    def row(each: Any) -> list[Any]:
        clock = word(obligations_pb2.ObligationClock, each.clock)
        return [
            each.object_id,
            clock,
            each.supplier_id,
            minute(each, "due"),
            minute(each, "met_at"),
            _stands(each, now),
        ]

    now = datetime.now(UTC)
    print_rows(session, found, limit, ["what", "clock", "supplier", "due", "happened", "state"], row, empty)


def _stands(each: obligations_pb2.Obligation, now: datetime) -> str:
    due_at, met_at = at(each, "due") or now, at(each, "met_at")
    if met_at is not None:
        return f"{span(met_at - due_at)} late" if met_at > due_at else "on time"
    if each.HasField("stopped_since"):
        return "stopped"
    return f"in {span(due_at - now)}" if now < due_at else f"{span(now - due_at)} late so far"


@report.command()
@SUPPLIER
@LIMIT
@click.pass_obj
def clocks(session: Session, supplier: str, limit: int | None) -> None:
    """Count what is open, met and missed of each clock, the retailer's and then each supplier's."""
    request = obligations_pb2.CountObligationsRequest(supplier_id=supplier)
    print_rows(
        session,
        rows_of(session, session.client.reports.CountObligations, request, "counts"),
        limit,
        ["who", "clock", ">open", ">met", ">missed", ">withdrawn"],
        lambda each: [
            each.supplier_id or "the retailer",
            word(obligations_pb2.ObligationClock, each.clock),
            each.open,
            each.met,
            each.missed,
            each.withdrawn,
        ],
        "No clock ran yet.",
    )


# --- where things are -----------------------------------------------------------------------------


@report.command()
@click.argument("what", metavar="ORDER_ID|NUMBER")
@_CARRIER
@click.pass_obj
def track(session: Session, what: str, carrier: str) -> None:
    """Tell where an order is, or the parcels of a tracking number."""
    if "/" in what:
        request = tracking_pb2.GetTrackingRequest(order_id=what)
        order = ask(session, session.client.reports.GetTracking, request).order
        if session.json:
            session.show(order)
            return
        _print_order(session, order)
        _print_parcels(session, order.parcels)
        return
    named = tracking_pb2.FindParcelsRequest(tracking_number=what, carrier=carrier)
    found = ask(session, session.client.reports.FindParcels, named)
    if session.json:
        session.out.json([words.as_json(each) for each in found.parcels])
    else:
        _print_parcels(session, found.parcels, empty=f"No parcel has the number {what}.")


def _print_order(session: Session, order: tracking_pb2.TrackedOrder) -> None:
    session.out.title(f"Order {order.order_id}", word(orders_pb2.OrderStatus, order.status))
    session.out.facts(
        [
            ("placed", minute(order, "placed_at")),
            ("promised by", promised(order)),
            ("expected by", expected(order)),
            ("delivered", minute(order, "delivered_at")),
            ("waits for", ", ".join(word(orders_pb2.HoldReason, hold.reason) for hold in order.holds)),
        ]
    )
    for each in order.supplier_orders:
        status = word(orders_pb2.SupplierOrderStatus, each.status)
        gone = f"{each.shipped} of {each.units} units shipped, {each.delivered} delivered"
        session.out.say(f"{each.supplier_order_id}, {each.supplier_id}: {status}, {gone}")


def _print_parcels(session: Session, parcels: Iterable[tracking_pb2.TrackedParcel], empty: str = "") -> None:
    def row(each: tracking_pb2.TrackedParcel) -> list[Any]:
        scan = each.last_scan
        where = ", ".join(filter(None, [scan.city, scan.country]))
        status = word(parcels_pb2.ParcelStatus, each.status)
        arrives = minute(each, "delivered_at") or expected(each)
        return [f"{each.carrier} {each.tracking_number}", status, minute(scan, "at"), where, arrives, each.order_id]

    columns = ["parcel", "status", "last scan", "where", "arrived or expected", "order"]
    session.out.table(columns, [row(each) for each in parcels], empty)


@report.command()
@click.option("--status", "statuses", type=words.choice(orders_pb2.OrderStatus), multiple=True, help="In one of these.")
@_CHANNEL
@click.option("--since", type=words.INSTANT, help="Placed then or later.")
@click.option("--until", type=words.INSTANT, help="Placed before then.")
@LIMIT
@click.pass_obj
def orders(
    session: Session, statuses: tuple[str, ...], channel: str, since: Any, until: Any, limit: int | None
) -> None:
    """List orders by when they were placed, such as all that are on hold."""
    request = tracking_pb2.ListOrdersRequest(
        statuses=[words.number(orders_pb2.OrderStatus, status) for status in statuses],
        channel=channel,
        placed_since=since,
        placed_until=until,
    )
    print_rows(
        session,
        rows_of(session, session.client.reports.ListOrders, request, "orders"),
        limit,
        ["order", "status", "placed", "promised by", "delivered", "waits for"],
        lambda each: [
            each.order_id,
            word(orders_pb2.OrderStatus, each.status),
            minute(each, "placed_at"),
            promised(each),
            minute(each, "delivered_at"),
            ", ".join(word(orders_pb2.HoldReason, hold.reason) for hold in each.holds),
        ],
        "No such orders.",
    )
