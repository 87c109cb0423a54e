"""A review of the trade as one HTML page: charts drawn into it, the figures beside each; nothing is fetched."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple, TypeVar

from adapters.console import files
from adapters.console.reports import target_of
from adapters.console.words import money, word
from fulfilment.v1 import common_pb2, rates_pb2, trade_pb2
from ledger.terms.money import amount, minor_digits

T = TypeVar("T")

MOST_BARS = 20
"""What a chart can show legibly; the table beside it shows all."""

PARTY_COLOURS = {"supplier": "#d55e00", "carrier": "#0072b2", "retailer": "#009e73", "customer": "#cc79a7"}
"""Okabe and Ito's colours, which colour-blind people tell apart."""
_UNRULED_COLOUR = "#8a8a8a"
_BAR_COLOUR = "#0072b2"
_TARGET_COLOUR = "#d55e00"
_BEYOND = 1.08
"""How far an axis goes on behind the longest bar, which would else look cut off."""
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


def _said(figure: Figure, row: trade_pb2.TradeFigures) -> str:
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
        f'<div class="tile"><span>{figure.title}</span><strong>{_said(figure, row)}</strong>'
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
            _said(figure, row),
            f"{getattr(row, figure.numerator):,}",
            f"{getattr(row, figure.denominator):,}",
        ]
        for row in rows
        if getattr(row, figure.denominator) or getattr(row, figure.numerator)
    ]
    values = [value for _, value in known]
    # Bars of no length tell less than the table.
    bars = [("", _BAR_COLOUR, values)]
    chart = _chart(figure.title, figure.unit, known, bars, _target(rate)) if any(values) else ""
    wanted = f" The target is {target_of(rate)} %." if rate is not None and _target(rate) is not None else ""
    return _section(figure.title, figure.explanation + wanted, chart, _table(headings, table))


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
    chart = _chart(title, currency, [(key, 0.0) for key, _ in bars], series) if bars else ""
    table = [
        [named(row.key, group_by), *(amount(found[p], currency) if p in found else "" for p in parties)]
        for row, found in with_cost
    ]
    return _section(title, _COST_SAYS, chart, _table([_key_heading(group_by), *parties], table), "stacked")


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


# --- charts ---------------------------------------------------------------------------------------


def _chart(
    title: str,
    unit: str,
    bars: Sequence[tuple[str, float]],
    series: Sequence[tuple[str, str, Sequence[float]]],
    target: float | None = None,
) -> str:
    """Bars that lie, the first on top, with stacked series where there are several; text stays text."""
    # They take longer to load than most commands take to run.
    with files.needing("reports"):
        import matplotlib as mpl
        from matplotlib.figure import Figure as Canvas

    # Keys are drawn as they are: a dollar sign begins no formula, and a letter that the measuring font lacks is drawn
    # by the reader's own.
    with (
        warnings.catch_warnings(),
        mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": title, "text.parse_math": False, "font.size": 10}),
    ):
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        canvas = Canvas(figsize=(6.4, 0.9 + 0.3 * max(len(bars), 2)), layout="constrained")
        axes = canvas.subplots()
        _draw(axes, unit, [_short(key) for key, _ in bars], series, target)
        if series[0][0]:
            canvas.legend(loc="outside lower center", ncols=len(series), frameon=False)
        drawn = io.StringIO()
        canvas.savefig(drawn, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inlined(drawn.getvalue(), title)


def _draw(
    axes: Any,
    unit: str,
    keys: Sequence[str],
    series: Sequence[tuple[str, str, Sequence[float]]],
    target: float | None,
) -> None:
    places = range(len(keys))
    left = [0.0] * len(keys)
    for name, colour, values in series:
        axes.barh(places, values, left=left, color=colour, label=name or None, height=0.7)
        left = [start + value for start, value in zip(left, values, strict=True)]
    for place, end in zip(places, left, strict=True):
        # At the end of the axis, where neither a bar nor the target crosses them.
        axes.annotate(f"{end:,.1f}" if unit == "%" else f"{end:,.2f}", (1, place), (4, 0),
                      xycoords=("axes fraction", "data"), textcoords="offset points", va="center")  # fmt: skip
    axes.set_yticks(places, keys)
    axes.invert_yaxis()
    axes.set_xlabel(unit)
    axes.margins(y=0.02)
    axes.set_xlim(0, _BEYOND * max(*left, target or 0))
    if target is not None:
        axes.axvline(target, color=_TARGET_COLOUR, linestyle="--", linewidth=1.5)
        axes.annotate(f"target {target:g}", (target, 1), (0, 3), xycoords=("data", "axes fraction"),
                      textcoords="offset points", ha="center", color=_TARGET_COLOUR)  # fmt: skip
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", alpha=0.25)
    axes.set_axisbelow(True)


def _short(key: str) -> str:
    return key if len(key) <= 22 else f"{key[:21]}…"


def _inlined(svg: str, title: str) -> str:
    """The drawing alone, in the colour of the page's text, with a name for who cannot see it."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r' xmlns(:xlink)?="[^"]*"', "", body).replace("xlink:href", "href")
    ink = body.replace("#000000", "currentColor").replace("fill: black", "fill: currentColor")
    name = re.sub(r"\W+", "-", title.lower())
    # Ids are the page's: those of several drawings must not meet.
    ink = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-", ink)
    ink = re.sub(r"'DejaVu Sans'[^;\"]*sans-serif", "system-ui, sans-serif", ink)
    ink = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', "", ink, count=1)
    return ink.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1)


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
