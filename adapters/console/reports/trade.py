"""``fulfilment report review``: how the trade does, as a table, CSV, Parquet or a page with charts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from adapters.console.reports.sheets import HTML, drawn_on, print_written
from adapters.console.reports.trade_page import Head, named, page
from adapters.console.reports.windows import WindowWanted, lacking, told, windowed
from adapters.console.terminal import files, words
from adapters.console.terminal.commands import Words
from adapters.console.terminal.listings import LIMIT, ask, print_rows, rows_of, supplier_names
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import money, word
from fulfilment.v1 import common_pb2, scorecards_pb2, trade_pb2

Row = Mapping[str, str | int]
"""A row as files have it: every figure is a column."""

COUNTS = tuple(field.name for field in trade_pb2.TradeFigures.DESCRIPTOR.fields if field.name not in ("key", "costs"))
PARTIES = ("supplier", "carrier", "retailer", "customer", "unruled")
"""The parties that may be liable; the last stands for no ruling yet."""


@click.command(cls=Words)
@click.option("--by", "group_by", type=words.choice(trade_pb2.TradeGroup), help="What the rows are about.")
@windowed("From then on.", "Before then; now if not said.")
@click.option("--supplier", "supplier_id", metavar="SUPPLIER_ID", help="Only what has goods of this supplier.")
@click.option("--sku", metavar="SKU", help="Only what has this SKU.")
@click.option("--carrier", metavar="NAME", help="Only what this carrier brought.")
@click.option("--channel", metavar="NAME", help="Only this shop.")
@files.option_csv("Write the rows to a CSV file")
@click.option("--parquet", "as_parquet", metavar="FILE", help="Write the rows to a Parquet file.")
@HTML
@LIMIT
@click.pass_obj
def review(
    session: Session,
    /,
    as_csv: str | None,
    as_parquet: str | None,
    as_html: str | None,
    limit: int | None,
    group_by: str | None,
    window: WindowWanted,
    **asked: Any,
) -> None:
    """Review the trade: dispatch and delivery in time, cases, satisfaction, cost of after-sales.

    \b
    By supplier as a table, and by month for a spreadsheet and to print:
      fulfilment report review --by supplier --window 2026-Q1
      fulfilment report review --by month --csv months.csv --html months.html
    """
    group = words.number(trade_pb2.TradeGroup, group_by)
    request = trade_pb2.ReviewTradeRequest(**asked, **window.fields(), group_by=group)
    listing = rows_of(session, session.client.reports.ReviewTrade, request, "rows")
    found = list(listing)
    columns, rows = flat(found)
    if as_csv:
        files.write_csv(as_csv, columns, rows)
    if as_parquet:
        files.write(as_parquet, lambda path: write_parquet(path, columns, rows))
    if as_html:
        drawn = _page(session, request, found)
        files.write(as_html, lambda path: files.replace(path, drawn.encode()))
    if as_csv or as_parquet or as_html:
        if paths := [path for path in (as_csv, as_parquet, as_html) if path and path != "-"]:
            print_written(session, len(rows), paths)
        return
    names = _names(session, group)
    print_rows(
        session,
        found,
        limit,
        [
            word(trade_pb2.TradeGroup, request.group_by) if request.group_by else "",
            "name",
            *(">orders", ">dispatch %", ">delivery %", ">after-sale %", ">satisfaction", ">cost of after-sales"),
        ],
        lambda each: [
            named(each.key, request.group_by),
            names.get(each.key, ""),
            each.orders,
            percent(each.dispatched_on_time, each.dispatches_due),
            percent(each.parcels_on_time, each.parcels_due),
            percent(each.cases, each.orders_delivered),
            mean(each.score_sum, each.reviews),
            "; ".join(f"{liable(cost)} {money(cost.amount.amount_minor, cost.amount.currency)}" for cost in each.costs),
        ],
        "\n".join(filter(None, ["Nothing was counted.", lacking(listing.answer.window)])),
    )


def _names(session: Session, group_by: int) -> Mapping[str, str]:
    """The names of suppliers, if the rows are about them and people read them."""
    return supplier_names(session) if group_by == trade_pb2.TRADE_GROUP_SUPPLIER and not session.json else {}


def _page(session: Session, asked: trade_pb2.ReviewTradeRequest, found: Sequence[trade_pb2.TradeFigures]) -> str:
    everything = trade_pb2.ReviewTradeRequest()
    everything.CopyFrom(asked)
    everything.group_by = trade_pb2.TRADE_GROUP_UNSPECIFIED
    everything.ClearField("page")
    everything.ClearField("at_least")
    answer = ask(session, session.client.reports.ReviewTrade, everything)
    filters = [
        f"{name.removesuffix('_id')} {value}"
        for name in ("supplier_id", "sku", "carrier", "channel")
        if (value := getattr(asked, name))
    ]
    window = scorecards_pb2.Window(
        since=asked.since if asked.HasField("since") else None,
        until=asked.until if asked.HasField("until") else None,
        named=asked.window,
    )
    rates = scorecards_pb2.GetRatesRequest(supplier_id=asked.supplier_id, window=window)
    card = ask(session, session.client.reports.GetRates, rates).scorecard
    head = Head(
        group_by=asked.group_by,
        tenant=session.tenant_name,
        period=told(answer.window) or "From the first fact to now",
        filters=", ".join(filters),
        drawn=drawn_on(),
        nothing=lacking(answer.window),
        names=supplier_names(session) if asked.group_by == trade_pb2.TRADE_GROUP_SUPPLIER else {},
        position=answer.position,
        targets={each.name: each for each in card.rates},
    )
    return page(head, found, answer.rows[0] if answer.rows else trade_pb2.TradeFigures())


# --- figures --------------------------------------------------------------------------------------


def percent(part: int, whole: int) -> str:
    """A rate with what it is made of; an empty denominator is no data, never 0 % or 100 %."""
    return f"{100 * part / whole:.1f} ({part} of {whole})" if whole else "no data"


def mean(total: int, count: int) -> str:
    return f"{total / count:.2f} ({count})" if count else "no data"


def liable(cost: trade_pb2.AfterSalesCost) -> str:
    return word(common_pb2.Party, cost.liable) if cost.liable else PARTIES[-1]


# --- files ----------------------------------------------------------------------------------------


def flat(found: Iterable[trade_pb2.TradeFigures]) -> tuple[list[str], list[Row]]:
    """The columns and rows of a file: the cost by party and currency stands in columns of its own, in minor units."""
    figures = list(found)
    currencies = sorted({cost.amount.currency for each in figures for cost in each.costs})
    costs = [f"cost_{party}_{currency.lower()}_minor" for currency in currencies for party in PARTIES]
    rows: list[Row] = []
    for each in figures:
        row: dict[str, str | int] = {"key": each.key, **{name: getattr(each, name) for name in COUNTS}}
        row |= dict.fromkeys(costs, 0)
        row |= {
            f"cost_{liable(cost)}_{cost.amount.currency.lower()}_minor": cost.amount.amount_minor for cost in each.costs
        }
        rows.append(row)
    return ["key", *COUNTS, *costs], rows


def write_parquet(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    # It takes longer to load than most commands take to run.
    with files.needing("reports"):
        import pyarrow as pa
        from pyarrow import parquet

    schema = pa.schema([("key", pa.string()), *((name, pa.int64()) for name in columns[1:])])
    parquet.write_table(pa.Table.from_pylist(list(rows), schema), path)
