"""A review of the trade as one HTML page: a chart of each figure, and all figures beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

from adapters.console.reports import report_page
from adapters.console.reports.charts import Drawn, chart
from adapters.console.reports.report_page import MANY_COLUMNS, MOST_BARS, Tile
from adapters.console.reports.scorecards import target_of
from adapters.console.terminal.words import money, word
from fulfilment.v1 import common_pb2, rates_pb2, trade_pb2
from ledger.terms.money import amount, minor_digits

T = TypeVar("T")


PARTY_STYLES = {"supplier": "late", "carrier": "", "retailer": "good", "customer": "third", "unruled": "rest"}
"""How the parties that may be liable are drawn; the last stands for no ruling yet."""


_PERIODS = (trade_pb2.TRADE_GROUP_WEEK, trade_pb2.TRADE_GROUP_MONTH)


class Figure(NamedTuple):
    """One question of the page: a rate or a mean, and what it is made of."""

    title: str
    unit: str
    explanation: str
    numerator: str
    denominator: str
    rate: int
    """By which the scorecards know it, and its target."""
    scale: int = 100


FIGURES = (
    Figure(
        "Dispatched on time",
        "%",
        "Supplier orders dispatched by their deadline, of those whose deadline fell in the period.",
        "dispatched_on_time",
        "dispatches_due",
        rates_pb2.RATE_NAME_ON_TIME_DISPATCH,
    ),
    Figure(
        "Delivered on time",
        "%",
        "Parcels delivered by the promise, of those delivered or past their promise in the period.",
        "parcels_on_time",
        "parcels_due",
        rates_pb2.RATE_NAME_ON_TIME_DELIVERY,
    ),
    Figure(
        "After-sale rate",
        "%",
        "Cases opened in the period, for each hundred orders delivered in it.",
        "cases",
        "orders_delivered",
        rates_pb2.RATE_NAME_AFTER_SALE,
    ),
    Figure(
        "Satisfaction",
        "",
        "The mean of the scores that customers gave, 1 to 5.",
        "score_sum",
        "reviews",
        rates_pb2.RATE_NAME_SATISFACTION,
        1,
    ),
)


class Head(NamedTuple):
    """What the page says it is about."""

    group_by: int
    tenant: str
    period: str
    filters: str
    drawn: str
    """When, as it is written."""
    position: int
    targets: Mapping[int, rates_pb2.Rate]
    """What each rate should be, by its name."""
    nothing: str = ""
    """Where there is something if nothing was counted."""
    names: Mapping[str, str] = {}
    """Of suppliers, if the rows are about them."""

    def key(self, row: trade_pb2.TradeFigures) -> str:
        return " ".join(filter(None, [named(row.key, self.group_by), self.names.get(row.key, "")]))


def page(head: Head, rows: Sequence[trade_pb2.TradeFigures], everything: trade_pb2.TradeFigures) -> str:
    """The whole document. Whatever comes from outside is escaped."""
    by = word(trade_pb2.TradeGroup, head.group_by) if head.group_by else "everything"
    best = "the latest" if head.group_by in _PERIODS else "those with most orders"
    if head.group_by not in _PERIODS:
        rows = sorted(rows, key=lambda row: (-row.orders, row.key))
    left_out = f"A chart shows {MOST_BARS} of {len(rows)} at most: {best} of which there are data."
    sections = [_figure(figure, head, rows) for figure in FIGURES]
    sections += [_cost(currency, head, rows) for currency in _currencies(rows)]
    if not _currencies(rows):
        none = report_page.table("", [], [], "No costs in this period.")
        sections.append(report_page.section("Cost of after-sales", _COST_SAYS, "", none))
    said = (
        f"Tenant {head.tenant}",
        head.period,
        head.filters,
        head.drawn,
        left_out if len(rows) > MOST_BARS else "",
        head.nothing,
    )
    notes = "What has several suppliers, SKUs or carriers counts for each."
    return report_page.document(
        f"Review of the trade by {by}",
        "",
        said,
        sections,
        f"As of position {head.position:,} of the log. {notes}",
        [*(_tile(figure, everything, head.targets.get(figure.rate)) for figure in FIGURES), _cost_tile(everything)],
    )


def named(key: str, group_by: int) -> str:
    """A row's key; the empty one is of what has no supplier, no carrier or the like yet."""
    return key or (f"(no {word(trade_pb2.TradeGroup, group_by)})" if group_by else "all together")


def _drawn(rows: Sequence[T], group_by: int) -> Sequence[T]:
    """Those that a chart has room for: the latest, or the first."""
    return rows[-MOST_BARS:] if group_by in _PERIODS else rows[:MOST_BARS]


def _value(figure: Figure, row: trade_pb2.TradeFigures) -> float | None:
    """An empty denominator is no data, never 0."""
    whole = getattr(row, figure.denominator)
    return figure.scale * getattr(row, figure.numerator) / whole if whole else None


def _value_text(figure: Figure, row: trade_pb2.TradeFigures) -> str:
    value = _value(figure, row)
    if value is None:
        return "no data"
    return f"{value:.1f} %" if figure.unit else f"{value:.2f}"


# --- sections -------------------------------------------------------------------------------------


def _target(rate: rates_pb2.Rate | None) -> float | None:
    return rate.target_basis_points / 100 if rate is not None and rate.HasField("target_basis_points") else None


def _standing(rate: rates_pb2.Rate | None, part: int, whole: int) -> str:
    """What a figure should be and whether it is: ``at least 95 %: ok``."""
    if not whole:
        return ""
    if rate is None or not rate.HasField("target_basis_points"):
        return "report only"
    above = part * 10_000 - rate.target_basis_points * whole
    to_spare = -above if rate.target_is_most else above
    status = "ok" if to_spare > 0 or (to_spare == 0 and not rate.target_is_strict) else "breach"
    return f"{target_of(rate)} %: {status}"


def _tile(figure: Figure, row: trade_pb2.TradeFigures, rate: rates_pb2.Rate | None) -> Tile:
    whole, part = getattr(row, figure.denominator), getattr(row, figure.numerator)
    made_of = f"{part:,} of {whole:,}" if figure.unit else f"{whole:,} reviews"
    return Tile(figure.title, _value_text(figure, row), [made_of if whole else "", _standing(rate, part, whole)])


def _cost_tile(row: trade_pb2.TradeFigures) -> Tile:
    totals = [
        money(sum(cost.amount.amount_minor for cost in row.costs if cost.amount.currency == currency), currency)
        for currency in _currencies([row])
    ]
    return Tile("Cost of after-sales", ", ".join(totals) or "none")


def _figure(figure: Figure, head: Head, rows: Sequence[trade_pb2.TradeFigures]) -> str:
    group_by, rate = head.group_by, head.targets.get(figure.rate)
    target = _target(rate)
    known = [(row, value) for row in rows if (value := _value(figure, row)) is not None]
    bars = [_bar(figure, head.key(row), row, rate, value) for row, value in _drawn(known, group_by)]
    headings = [_key_heading(group_by), f">{figure.title}", ">part" if figure.unit else ">sum", ">of"]
    table = [
        [
            head.key(row),
            _value_text(figure, row),
            f"{getattr(row, figure.numerator):,}",
            f"{getattr(row, figure.denominator):,}",
        ]
        for row in rows
        if getattr(row, figure.denominator) or getattr(row, figure.numerator)
    ]
    # Without any value the table is enough.
    drawn = chart(figure.title, figure.unit, bars) if any(value for _, value in known) else ""
    wanted = f" The target is {target_of(rate)} %." if rate is not None and target is not None else ""
    figures = report_page.table(figure.title, headings, table, "No data in this period.")
    return report_page.section(figure.title, figure.explanation + wanted, drawn, figures, len(headings))


def _bar(figure: Figure, key: str, row: trade_pb2.TradeFigures, rate: rates_pb2.Rate | None, value: float) -> Drawn:
    standing = _standing(rate, getattr(row, figure.numerator), getattr(row, figure.denominator))
    return Drawn(key, [value], _value_text(figure, row), _target(rate), missed=standing.endswith("breach"))


_COST_SAYS = (
    "Refunds granted, freight of returns and goods of reships in the period, by who was ruled liable, "
    "before anything is recovered."
)


def _cost(currency: str, head: Head, rows: Sequence[trade_pb2.TradeFigures]) -> str:
    with_cost = [(row, found) for row in rows if (found := _by_party(row, currency))]
    parties = [party for party in PARTY_STYLES if any(party in found for _, found in with_cost)]
    bars = [
        Drawn(
            head.key(row),
            [_major(found.get(party, 0), currency) for party in parties],
            amount(sum(found.values()), currency),
        )
        for row, found in _drawn(with_cost, head.group_by)
    ]
    title = f"Cost of after-sales in {currency}"
    drawn = chart(title, currency, bars, [(party, PARTY_STYLES[party]) for party in parties]) if bars else ""
    table = [
        [head.key(row), *(amount(found[p], currency) if p in found else "" for p in parties)]
        for row, found in with_cost
    ]
    headings = [_key_heading(head.group_by), *(f">{party}" for party in parties)]
    figures = report_page.table(title, headings, table, "No costs in this period.")
    return report_page.section(title, _COST_SAYS, drawn, figures, MANY_COLUMNS + 1)


def _currencies(rows: Sequence[trade_pb2.TradeFigures]) -> list[str]:
    return sorted({cost.amount.currency for row in rows for cost in row.costs})


def _by_party(row: trade_pb2.TradeFigures, currency: str) -> dict[str, int]:
    return {
        word(common_pb2.Party, cost.liable) if cost.liable else "unruled": cost.amount.amount_minor
        for cost in row.costs
        if cost.amount.currency == currency
    }


def _major(amount_minor: int, currency: str) -> float:
    return float(amount_minor / 10 ** minor_digits(currency))


def _key_heading(group_by: int) -> str:
    return word(trade_pb2.TradeGroup, group_by) if group_by else "what"
