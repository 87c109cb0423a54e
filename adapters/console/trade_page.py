"""A review of the trade as one HTML page: charts drawn into it, the figures beside each; nothing is fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple, TypeVar

from adapters.console.charts import chart
from adapters.console.scorecards import target_of
from adapters.console.words import money, word
from fulfilment.v1 import common_pb2, rates_pb2, trade_pb2
from ledger.terms.money import amount, minor_digits

T = TypeVar("T")


MOST_BARS = 20
"""What a chart can show legibly; the table beside it shows all."""


PARTY_COLOURS = {"supplier": "#d55e00", "carrier": "#0072b2", "retailer": "#009e73", "customer": "#cc79a7"}
"""Okabe and Ito's colours, which colour-blind people can distinguish."""


_UNRULED_COLOUR = "#8a8a8a"


_BAR_COLOUR = "#0072b2"


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
    """The day, as it is written."""
    position: int
    targets: Mapping[int, rates_pb2.Rate]
    """What each rate should be, by its name."""


def page(head: Head, rows: Sequence[trade_pb2.TradeFigures], everything: trade_pb2.TradeFigures) -> str:
    """The whole document. Whatever comes from outside is escaped."""
    by = word(trade_pb2.TradeGroup, head.group_by) if head.group_by else "everything"
    best = "the latest" if head.group_by in _PERIODS else "those with most orders"
    if head.group_by not in _PERIODS:
        rows = sorted(rows, key=lambda row: (-row.orders, row.key))
    left_out = f"A chart shows {MOST_BARS} of {len(rows)} at most: {best} of which there are data."
    sections = [_figure(figure, head, rows) for figure in FIGURES]
    sections += [_cost(currency, head.group_by, rows) for currency in _currencies(rows)]
    if not _currencies(rows):
        sections.append(_section("Cost of after-sales", _COST_SAYS, "", '<p class="none">No costs in this period.</p>'))
    said = (
        f"Tenant {head.tenant}",
        head.period,
        head.filters,
        f"drawn on {head.drawn}",
        left_out if len(rows) > MOST_BARS else "",
    )
    about = " · ".join(escape(each) for each in said if each)
    return _PAGE.format(
        title=f"Review of the trade by {escape(by)}",
        about=about,
        tiles="".join(_tile(figure, everything, head.targets.get(figure.rate)) for figure in FIGURES)
        + _cost_tile(everything),
        sections="\n".join(sections),
        position=f"{head.position:,}",
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


def _tile(figure: Figure, row: trade_pb2.TradeFigures, rate: rates_pb2.Rate | None) -> str:
    whole, part = getattr(row, figure.denominator), getattr(row, figure.numerator)
    made_of = f"{part:,} of {whole:,}" if figure.unit else f"{whole:,} reviews"
    return (
        f'<div class="tile"><span>{figure.title}</span><strong>{_value_text(figure, row)}</strong>'
        f"<small>{made_of if whole else ''}</small><small>{_standing(rate, part, whole)}</small></div>"
    )


def _cost_tile(row: trade_pb2.TradeFigures) -> str:
    totals = [
        money(sum(cost.amount.amount_minor for cost in row.costs if cost.amount.currency == currency), currency)
        for currency in _currencies([row])
    ]
    said = escape(", ".join(totals)) or "none"
    return f'<div class="tile"><span>Cost of after-sales</span><strong>{said}</strong><small></small></div>'


def _figure(figure: Figure, head: Head, rows: Sequence[trade_pb2.TradeFigures]) -> str:
    group_by, rate = head.group_by, head.targets.get(figure.rate)
    known = [(named(row.key, group_by), value) for row in rows if (value := _value(figure, row)) is not None]
    known = list(_drawn(known, group_by))
    headings = [_key_heading(group_by), figure.title, "part" if figure.unit else "sum", "of"]
    table = [
        [
            named(row.key, group_by),
            _value_text(figure, row),
            f"{getattr(row, figure.numerator):,}",
            f"{getattr(row, figure.denominator):,}",
        ]
        for row in rows
        if getattr(row, figure.denominator) or getattr(row, figure.numerator)
    ]
    values = [value for _, value in known]
    # Without any value the table is enough.
    bars = [("", _BAR_COLOUR, values)]
    drawn = chart(figure.title, figure.unit, known, bars, _target(rate)) if any(values) else ""
    wanted = f" The target is {target_of(rate)} %." if rate is not None and _target(rate) is not None else ""
    return _section(figure.title, figure.explanation + wanted, drawn, _table(headings, table))


_COST_SAYS = (
    "Refunds granted, freight of returns and goods of reships in the period, by who was ruled liable, "
    "before anything is recovered."
)


def _cost(currency: str, group_by: int, rows: Sequence[trade_pb2.TradeFigures]) -> str:
    parties = [*PARTY_COLOURS, "unruled"]
    with_cost = [(row, found) for row in rows if (found := _by_party(row, currency))]
    bars = [(named(row.key, group_by), found) for row, found in _drawn(with_cost, group_by)]
    series = [
        (party, PARTY_COLOURS.get(party, _UNRULED_COLOUR), [_major(found.get(party, 0), currency) for _, found in bars])
        for party in parties
        if any(party in found for _, found in bars)
    ]
    title = f"Cost of after-sales in {currency}"
    drawn = chart(title, currency, [(key, 0.0) for key, _ in bars], series) if bars else ""
    table = [
        [named(row.key, group_by), *(amount(found[p], currency) if p in found else "" for p in parties)]
        for row, found in with_cost
    ]
    return _section(title, _COST_SAYS, drawn, _table([_key_heading(group_by), *parties], table), "stacked")


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


def _section(title: str, explanation: str, chart: str, table: str, layout: str = "beside") -> str:
    """A chart and its figures, beside it or, where they have many columns, under it."""
    drawn = f"<figure>{chart}</figure>" if chart else ""
    return (
        f"<section><h2>{escape(title)}</h2><p>{escape(explanation)}</p>"
        f'<div class="{layout}">{drawn}<div class="figures">{table}</div></div></section>'
    )


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return '<p class="none">No data in this period.</p>'
    head = "".join(f"<th>{escape(each)}</th>" for each in headings)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --paper: #fff; --line: #d1d9e0; --tile: #f4f6f8; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #e6edf3; --soft: #9da7b1; --paper: #12161b; --line: #3a424b; --tile: #1c2229; }}
}}
body {{ font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  margin: 0 auto; padding: 2rem; max-width: 72rem; }}
h1 {{ margin: 0 0 .25rem; }}
h2 {{ margin: 2rem 0 .25rem; }}
p {{ margin: 0 0 .75rem; color: var(--soft); }}
.tiles {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .75rem; }}
.tile {{ background: var(--tile); border-radius: .5rem; padding: .75rem 1rem; display: grid; }}
.tile strong {{ font-size: 1.4rem; }}
.tile span, .tile small {{ color: var(--soft); }}
.beside {{ display: grid; grid-template-columns: minmax(0, 3fr) minmax(min-content, 2fr);
  gap: 1.5rem; align-items: start; }}
.stacked {{ display: grid; grid-template-columns: minmax(0, 1fr); gap: 1rem; }}
.stacked figure {{ max-width: 46rem; }}
.beside > .figures:first-child {{ grid-column: 1 / -1; }}
figure {{ margin: 0; }}
svg {{ width: 100%; height: auto; color: var(--ink); }}
svg text {{ fill: var(--ink); }}
.figures {{ max-height: 42rem; overflow: auto; }}
table {{ border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .85rem; }}
th, td {{ text-align: right; padding: .25rem .4rem; border-bottom: 1px solid var(--line); }}
th:first-child, td:first-child {{ text-align: left; min-width: 6rem; overflow-wrap: anywhere; }}
thead th {{ position: sticky; top: 0; background: var(--paper); }}
@media (max-width: 50rem) {{ .beside {{ grid-template-columns: minmax(0, 1fr); }} body {{ padding: 1rem; }} }}
@page {{ size: A4; margin: 15mm; }}
@media print {{
  :root {{ --ink: #000; --soft: #444; --paper: #fff; --line: #bbb; --tile: #fff; }}
  body {{ padding: 0; font-size: 10pt; }}
  .figures {{ max-height: none; overflow: visible; }}
  .tile {{ border: 1px solid var(--line); }}
  .tile strong {{ font-size: 1.1rem; }}
  h2, figure, tr {{ break-inside: avoid; break-after: auto; }}
  h2, h2 + p {{ break-after: avoid; }}
}}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{about}</p>
<div class="tiles">{tiles}</div>
{sections}
<footer><p>As of position {position} of the log.
What has several suppliers, SKUs or carriers counts for each.</p></footer>
</body>
</html>
"""
