"""``fulfilment stock levels``, ``alerts``, ``movements`` and ``listings``: what suppliers have, and what moved it."""

from __future__ import annotations

import click

from adapters.console.terminal import words
from adapters.console.terminal.commands import Words
from adapters.console.terminal.listings import CHANGED_AFTER, LIMIT, SUPPLIER, print_rows, rows_of
from adapters.console.terminal.past import OF_LISTS
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute
from fulfilment.v1 import stock_levels_pb2

_SKU = click.option("--sku", metavar="SKU", help="Only this SKU.")
_ALERT = click.option(
    "--alert",
    "alerts",
    type=words.choice(stock_levels_pb2.StockAlert),
    multiple=True,
    help="Only those with this alert.",
)


@click.command(cls=Words)
@SUPPLIER
@_SKU
@_ALERT
@CHANGED_AFTER
@OF_LISTS
@LIMIT
@click.pass_obj
def levels(session: Session, supplier: str, sku: str, alerts: tuple[str, ...], limit: int | None) -> None:
    """List what suppliers have and how long it lasts."""
    _print_levels(session, supplier, sku, alerts, limit, "Nobody has any stock.")


@click.command(cls=Words)
@SUPPLIER
@_SKU
@OF_LISTS
@LIMIT
@click.pass_obj
def alerts(session: Session, supplier: str, sku: str, limit: int | None) -> None:
    """List the levels of which an alert stands: low, running out, sold out, stale or oversold."""
    every = tuple(words.choice(stock_levels_pb2.StockAlert).choices)
    _print_levels(session, supplier, sku, every, limit, "No alert stands.")


def _print_levels(
    session: Session, supplier: str, sku: str, alerts: tuple[str, ...], limit: int | None, empty: str
) -> None:
    request = stock_levels_pb2.ListStockLevelsRequest(
        supplier_id=supplier, sku=sku, alerts=[words.number(stock_levels_pb2.StockAlert, alert) for alert in alerts]
    )
    print_rows(
        session,
        rows_of(session, session.client.reports.ListStockLevels, request, "levels"),
        limit,
        [
            "supplier",
            "sku",
            ">feed",
            ">held",
            ">committed",
            ">kept back",
            ">available",
            ">days left",
            "counted",
            "alerts",
        ],
        lambda each: [
            each.supplier_id,
            each.sku,
            each.quantity + each.restocked if each.tracked else "untracked",
            each.held,
            each.committed,
            each.buffer + each.stale_buffer + each.kept,
            each.available,
            f"{each.cover_days:.1f}" if each.HasField("cover_days") else "",
            minute(each, "as_of"),
            ", ".join(words.word(stock_levels_pb2.StockAlert, alert) for alert in each.alerts),
        ],
        empty,
    )


@click.command(cls=Words)
@click.argument("supplier_id")
@click.argument("sku")
@CHANGED_AFTER
@OF_LISTS
@LIMIT
@click.pass_obj
def movements(session: Session, supplier_id: str, sku: str, limit: int | None) -> None:
    """List what moved a level, the newest first; after a position, the oldest first."""
    request = stock_levels_pb2.ListStockMovementsRequest(supplier_id=supplier_id, sku=sku)
    print_rows(
        session,
        rows_of(session, session.client.reports.ListStockMovements, request, "movements"),
        limit,
        ["when", "what", ">units", ">change", ">available", "for", "reason"],
        lambda each: [
            minute(each, "at"),
            each.what.removeprefix("stock.").replace("_", " "),
            each.units if each.HasField("units") else "",
            f"{each.delta:+}" if each.delta else "",
            each.available,
            each.reservation_id,
            each.reason,
        ],
        "Nothing ever moved it.",
    )


@click.command(cls=Words)
@_SKU
@click.option(
    "--show", type=words.choice(stock_levels_pb2.ListingFilter), help="Only those that can be sold, or cannot."
)
@OF_LISTS
@LIMIT
@click.pass_obj
def listings(session: Session, sku: str, show: str | None, limit: int | None) -> None:
    """List SKUs and whether any approved supplier has some left; the others are to be delisted."""
    request = stock_levels_pb2.ListListingsRequest(sku=sku, filter=words.number(stock_levels_pb2.ListingFilter, show))
    print_rows(
        session,
        rows_of(session, session.client.reports.ListListings, request, "listings"),
        limit,
        ["sku", "status", ">available", ">suppliers", "since", "why"],
        lambda each: [
            each.sku,
            "listed" if each.listed else "delisted",
            each.available,
            each.suppliers,
            minute(each, "since"),
            ", ".join(f"{supplier_id} {why.replace('_', ' ')}" for supplier_id, why in sorted(each.against.items())),
        ],
        "Nobody's stock is tracked.",
    )
