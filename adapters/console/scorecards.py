"""``fulfilment report rates``, ``rank``, ``trend`` and ``counted``: the rates of suppliers, and what is behind them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from adapters.console import words
from adapters.console.listings import LIMIT, SUPPLIER, ask, print_rows, rows_of
from adapters.console.session import Session, Words
from adapters.console.words import minute, word
from fulfilment.v1 import (
    rates_pb2,
    scorecards_pb2,
)


def percent(part: int, whole: int) -> str:
    """An empty denominator is no data, never 0 % or 100 %."""
    return f"{100 * part / whole:.1f}" if whole else "no data"


@click.command(cls=Words)
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
    value = percent(rate.numerator, rate.denominator)
    if rate.name == rates_pb2.RATE_NAME_SATISFACTION and rate.denominator:
        value = f"{rate.numerator / rate.denominator:.2f} stars"
    return [rate.numerator, rate.denominator, value, target_of(rate)]


TARGETS = {
    (True, True): "less than",
    (True, False): "at most",
    (False, True): "more than",
    (False, False): "at least",
}
"""The words of a target, by whether it is a maximum and whether reaching it is a breach."""


def target_of(rate: rates_pb2.Rate) -> str:
    """What a rate should be, in percent: ``less than 4``; empty where it is only reported."""
    if not rate.HasField("target_basis_points"):
        return ""
    return f"{TARGETS[rate.target_is_most, rate.target_is_strict]} {rate.target_basis_points / 100:g}"


_RATE = click.option("--rate", type=words.choice(rates_pb2.RateName), required=True, help="Which rate.")


@click.command(cls=Words)
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


@click.command(cls=Words)
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


@click.command(cls=Words)
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
