"""``fulfilment report summary`` and ``suppliers``: everything recorded, counted."""

from __future__ import annotations

import click

from adapters import olist
from adapters.console.listings import LIMIT, ask, print_rows, rows_of
from adapters.console.scorecards import percent
from adapters.console.session import Session, Words
from adapters.console.words import money
from fulfilment.v1 import (
    totals_pb2,
)

_CHANNEL = click.option("--channel", metavar="NAME", help="Only this shop.")


@click.command(cls=Words)
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


@click.command(cls=Words)
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
            percent(each.on_time, each.on_time + each.late),
        ],
        "No supplier was given anything yet.",
    )
