"""``fulfilment report summary`` and ``suppliers``: everything recorded, counted."""

from __future__ import annotations

import click

from adapters.console.reports.charts import Drawn
from adapters.console.reports.report_page import Tile
from adapters.console.reports.scorecards import percent
from adapters.console.reports.sheets import HTML, Chart, Sheet, narrowed, present, with_name
from adapters.console.reports.windows import WindowWanted, lacking, told, windowed
from adapters.console.terminal import words
from adapters.console.terminal.commands import Words
from adapters.console.terminal.listings import LIMIT, ask, rows_of, supplier_names
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import money
from adapters.order_files import olist
from fulfilment.v1 import (
    totals_pb2,
)

_CHANNEL = click.option("--channel", metavar="NAME", help="Only this shop.")


@click.command(cls=Words)
@_CHANNEL
@click.option("--like", type=click.Choice(["olist"]), help="Under the names of another system's own figures.")
@windowed()
@HTML
@click.pass_obj
def summary(session: Session, channel: str, like: str | None, window: WindowWanted, as_html: str | None) -> None:
    """Count everything recorded, or what is about orders placed in a window."""
    request = totals_pb2.GetSummaryRequest(channel=channel, **window.only_named)
    found = ask(session, session.client.reports.GetSummary, request)
    if as_html:
        present(session, _summary_sheet(found, channel), None, as_html)
        return
    figures = olist.summary(found) if like else None
    if session.json:
        session.out.json(words.as_json(found) if figures is None else figures)
        return
    rows = _summed(found) if figures is None else [[name, f"{figure:,}"] for name, figure in figures.items()]
    session.out.table(["what", ">figure"], rows)
    if nothing := lacking(found.window) or (channel and not found.orders and f"No order came from a shop {channel}."):
        session.out.say(nothing)
    elif span := told(found.window):
        session.out.say(f"Of orders placed {span[:1].lower()}{span[1:]}.", style="dim")
    session.out.say(f"As of position {found.position:,} of the log.", style="dim")


def _summed(found: totals_pb2.GetSummaryResponse) -> list[list[str]]:
    return [
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
    ]


def _summary_sheet(found: totals_pb2.GetSummaryResponse, channel: str) -> Sheet:
    on_time, delivered_on_time = found.supplier_orders_dispatched_on_time, found.delivered_orders - found.delivered_late
    shares = [
        ("dispatched on time", on_time, found.supplier_orders_dispatched, "supplier orders dispatched"),
        ("delivered on time", delivered_on_time, found.delivered_orders, "orders delivered"),
    ]
    return Sheet(
        title="Summary",
        says="Everything recorded, or what is about orders placed in the window.",
        found=_summed(found) if found.orders else [],
        answer=lambda: found,
        columns=["what", ">figure"],
        row=lambda each: each,
        empty="There is no order.",
        main=lambda rows: Chart(
            "In time",
            "%",
            [Drawn(name, [100 * part / of], f"{percent(part, of)} %") for name, part, of, _ in shares if of],
        ),
        tiles=lambda rows: [
            Tile("Orders", f"{found.orders:,}", [f"{found.units:,} units"]),
            *(Tile(f"Value in {each.currency}", money(each.amount_minor, each.currency)) for each in found.gmv),
            *(
                Tile(name.capitalize(), percent(part, of) + (" %" if of else ""), [f"{part:,} of {of:,} {what}"])
                for name, part, of, what in shares
            ),
        ],
        about=narrowed(channel=channel),
    )


@click.command(cls=Words)
@_CHANNEL
@windowed()
@HTML
@LIMIT
@click.pass_obj
def suppliers(session: Session, channel: str, window: WindowWanted, as_html: str | None, limit: int | None) -> None:
    """Count what each supplier dispatched, on time and late; who dispatched most comes first.

    In a window it is what they were given of orders placed in it.
    """
    request = totals_pb2.ListSupplierTotalsRequest(channel=channel, **window.only_named)
    listing = rows_of(session, session.client.reports.ListSupplierTotals, request, "totals")
    names = {} if session.json else supplier_names(session)
    sheet = Sheet(
        title="Suppliers",
        says="What each supplier dispatched, as it said; who dispatched most comes first.",
        found=sorted(listing, key=lambda total: (-total.dispatched, total.supplier_id)),
        answer=lambda: listing.answer,
        columns=["supplier", "name", ">supplier orders", ">dispatched", ">on time", ">late", ">on time %"],
        row=lambda each: [
            each.supplier_id,
            names.get(each.supplier_id, ""),
            each.supplier_orders,
            each.dispatched,
            each.on_time,
            each.late,
            percent(each.on_time, each.on_time + each.late),
        ],
        empty="No supplier was given anything.",
        main=lambda rows: Chart(
            "Dispatched on time and late",
            "supplier orders",
            [
                Drawn(with_name(names, each.supplier_id), [each.on_time, each.late], f"{each.on_time + each.late:,}")
                for each in rows
                if each.on_time + each.late
            ],
            (("on time", "good"), ("late", "late")),
        ),
        about=narrowed(channel=channel),
    )
    present(session, sheet, limit, as_html)
