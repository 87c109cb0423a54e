"""``fulfilment report rates``, ``rank``, ``trend`` and ``counted``: the rates of suppliers, and what is behind them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from adapters.console.reports.charts import Drawn
from adapters.console.reports.sheets import HTML, Chart, Sheet, count, narrowed, present, with_name
from adapters.console.reports.windows import WindowWanted, lacking, windowed
from adapters.console.terminal import words
from adapters.console.terminal.commands import Words
from adapters.console.terminal.listings import LIMIT, SUPPLIER, ask, print_rows, rows_of, supplier_names
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute, word
from fulfilment.v1 import (
    rates_pb2,
    scorecards_pb2,
)


def percent(part: int, whole: int) -> str:
    """An empty denominator is no data, never 0 % or 100 %."""
    return f"{100 * part / whole:.1f}" if whole else "no data"


@click.command(cls=Words)
@SUPPLIER
@windowed("From then on; each rate's own window if not said.", "Before then; now if not said.")
@HTML
@click.pass_obj
def rates(session: Session, supplier: str, window: WindowWanted, as_html: str | None) -> None:
    """Compute the scorecard of a supplier, or of all together."""
    request = scorecards_pb2.GetRatesRequest(supplier_id=supplier, window=_window(window))
    answer = ask(session, session.client.reports.GetRates, request)
    if as_html is None:
        print_rates(session, answer.scorecard.rates, window.zone)
        if not session.json and (nothing := lacking(answer.window)):
            session.out.say(nothing)
        return
    whose = with_name(supplier_names(session), supplier) if supplier else ""
    sheet = Sheet(
        title="Rates of a supplier" if supplier else "Rates of all suppliers together",
        says="Each rate over its window, and what it should be.",
        found=answer.scorecard.rates,
        answer=lambda: answer,
        columns=_RATE_COLUMNS,
        row=lambda each: _rate_row(each, window.zone),
        empty="No rates.",
        main=lambda rows: Chart(
            "Rates in percent",
            "%",
            [_bar(word(rates_pb2.RateName, each.name), each) for each in rows if _in_percent(each)],
        ),
        about=narrowed(supplier=whose),
    )
    present(session, sheet, None, as_html)


def _window(window: WindowWanted) -> scorecards_pb2.Window:
    return scorecards_pb2.Window(**window.fields(named="named"))


_RATE_COLUMNS = ["rate", ">part", ">of", ">%", ">target %", "status", "since", "until"]


def _rate_row(each: rates_pb2.Rate, zone: str) -> list[Any]:
    return [
        word(rates_pb2.RateName, each.name),
        *figures(each),
        word(rates_pb2.RateStatus, each.status),
        minute(each, "since", zone),
        minute(each, "until", zone),
    ]


def _in_percent(rate: rates_pb2.Rate) -> bool:
    """Whether a chart in percent can show it: an empty denominator is no data."""
    return bool(rate.denominator) and rate.name != rates_pb2.RATE_NAME_SATISFACTION


def _bar(key: str, rate: rates_pb2.Rate) -> Drawn:
    satisfaction = rate.name == rates_pb2.RATE_NAME_SATISFACTION
    return Drawn(
        key,
        [(1 if satisfaction else 100) * rate.numerator / rate.denominator],
        figures(rate)[2] + ("" if satisfaction else " %"),
        rate.target_basis_points / 100 if rate.HasField("target_basis_points") else None,
        missed=rate.status == rates_pb2.RATE_STATUS_BREACH,
    )


def _unit(name: int) -> str:
    return "stars" if name == rates_pb2.RATE_NAME_SATISFACTION else "%"


def print_rates(session: Session, found: Iterable[rates_pb2.Rate], zone: str = "") -> None:
    print_rows(
        session,
        found,
        None,
        _RATE_COLUMNS,
        lambda each: _rate_row(each, zone),
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


_WINDOWED = windowed("From then on; the rate's own window if not said.", "Before then; now if not said.")
_RATE = click.option("--rate", type=words.choice(rates_pb2.RateName), required=True, help="Which rate.")


@click.command(cls=Words)
@_RATE
@_WINDOWED
@HTML
@LIMIT
@click.pass_obj
def rank(session: Session, rate: str, window: WindowWanted, as_html: str | None, limit: int | None) -> None:
    """List suppliers by a rate, the worst first and those without data last."""
    name = words.number(rates_pb2.RateName, rate)
    request = scorecards_pb2.RankSuppliersRequest(by=name, window=_window(window))
    found = ask(session, session.client.reports.RankSuppliers, request)
    (column,) = [each for each in found.columns if each.name == name]
    names = {} if session.json else supplier_names(session)
    title = f"Suppliers by {word(rates_pb2.RateName, name)}"
    sheet = Sheet(
        title=title,
        says="The worst first, and those without data last.",
        found=_rates_of(found.supplier_ids, column),
        answer=lambda: found,
        columns=["supplier", "name", ">part", ">of", ">%", ">target %", "status"],
        row=lambda each: [
            each[0],
            names.get(each[0], ""),
            *figures(each[1]),
            word(rates_pb2.RateStatus, each[1].status),
        ],
        empty="There is no supplier yet.",
        main=lambda rows: Chart(
            title, _unit(name), [_bar(with_name(names, each), rate) for each, rate in rows if rate.denominator]
        ),
        as_json=lambda each: {"supplier_id": each[0], **words.as_json(each[1])},
    )
    present(session, sheet, limit, as_html)


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
@windowed("From then on; 13 weeks before the end if not said.", "Before then; now if not said.")
@click.option("--by", "step", type=words.choice(scorecards_pb2.TrendStep), default="week", show_default=True)
@HTML
@click.pass_obj
def trend(
    session: Session,
    supplier_id: str,
    everybody: bool,
    rate: str,
    step: str,
    window: WindowWanted,
    as_html: str | None,
) -> None:
    """Show how a rate of a supplier moves, or of all together, by week or month."""
    if bool(supplier_id) == everybody:
        raise click.UsageError("name a supplier, or say --all")
    name = words.number(rates_pb2.RateName, rate)
    request = scorecards_pb2.GetTrendRequest(
        supplier_id=supplier_id, name=name, period=_period(window), step=words.number(scorecards_pb2.TrendStep, step)
    )
    found = ask(session, session.client.reports.GetTrend, request)
    title = f"{word(rates_pb2.RateName, name).capitalize()} by {step}"
    whose = with_name(supplier_names(session), supplier_id) if supplier_id and as_html else ""
    zone = "" if found.window.time_zone == "UTC" else found.window.time_zone
    sheet = Sheet(
        title=title,
        says=f"Of each {step} in {found.window.time_zone or 'UTC'}, the last ones at the bottom.",
        found=found.rates,
        answer=lambda: found,
        columns=["from", "to", ">part", ">of", ">%", ">target %", "status"],
        row=lambda each: [
            minute(each, "since", zone),
            minute(each, "until", zone),
            *figures(each),
            word(rates_pb2.RateStatus, each.status),
        ],
        empty="Nothing to show.",
        main=lambda rows: Chart(
            title,
            _unit(name),
            [_bar(minute(each, "since", zone)[:10], each) for each in rows if each.denominator],
            latest=True,
        ),
        about=narrowed(supplier=whose) if supplier_id else ["all suppliers together"],
    )
    present(session, sheet, None, as_html)


def _period(window: WindowWanted) -> scorecards_pb2.Window:
    """The window that was said; by bounds it is 13 weeks up to its end where its beginning is not said."""
    if window.named is not None:
        return _window(window)
    ends = window.until.ToDatetime(tzinfo=UTC) if window.until else datetime.now(UTC)
    begins = window.since.ToDatetime(tzinfo=UTC) if window.since else ends - timedelta(weeks=13)
    period = scorecards_pb2.Window()
    period.since.FromDatetime(begins)
    period.until.FromDatetime(ends)
    return period


_IN_PART = {
    None: scorecards_pb2.CASE_FILTER_UNSPECIFIED,
    True: scorecards_pb2.CASE_FILTER_IN_NUMERATOR,
    False: scorecards_pb2.CASE_FILTER_NOT_IN_NUMERATOR,
}


@click.command(cls=Words)
@_RATE
@SUPPLIER
@_WINDOWED
@click.option("--part/--rest", "in_part", default=None, help="Only what is in the part of the rate, or what is not.")
@HTML
@LIMIT
@click.pass_obj
def counted(
    session: Session,
    rate: str,
    supplier: str,
    window: WindowWanted,
    in_part: bool | None,
    as_html: str | None,
    limit: int | None,
) -> None:
    """List what a rate counted, of a supplier or of all, such as the supplier orders that were late."""
    request = scorecards_pb2.ListRateCasesRequest(
        name=words.number(rates_pb2.RateName, rate),
        supplier_id=supplier,
        window=_window(window),
        filter=_IN_PART[in_part],
    )
    found = rows_of(session, session.client.reports.ListRateCases, request, "cases")
    sheet = Sheet(
        title=f"What {rate.replace('_', ' ')} counted",
        says="Each with the instant that puts it into the window.",
        found=found,
        answer=lambda: found.answer,
        columns=["what", "order", "counts at", "happened", "in the part"],
        row=lambda each: [
            each.object_id,
            each.order_id,
            minute(each, "at", window.zone),
            minute(each, "happened_at", window.zone),
            "yes" if each.in_numerator else "no",
        ],
        empty="It counted nothing.",
        charts=lambda rows: [
            count(
                "In the part of the rate", ("in the part" if each.in_numerator else "not in the part" for each in rows)
            )
        ],
        about=narrowed(supplier=with_name(supplier_names(session), supplier) if supplier and as_html else ""),
    )
    present(session, sheet, limit, as_html)
