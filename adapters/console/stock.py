"""``fulfilment stock``: what suppliers have."""

from __future__ import annotations

import time
from typing import Any

import click

from adapters.console import words
from adapters.console.session import Nouns, Session, option_request_id
from adapters.console.words import minute
from fulfilment.v1 import stock_pb2


@click.group(cls=Nouns)
def stock() -> None:
    """Record and show what suppliers have."""


@stock.command()
@click.argument("supplier_id")
@click.argument("skus", nargs=-1, required=True, metavar="SKU...")
@click.pass_obj
def show(session: Session, supplier_id: str, skus: tuple[str, ...]) -> None:
    """Show what can still be promised of a supplier's SKUs."""
    _show(session, supplier_id, skus)


def _show(session: Session, supplier_id: str, skus: tuple[str, ...], at_least: int = 0) -> None:
    items = [stock_pb2.Item(supplier_id=supplier_id, sku=sku) for sku in skus]
    answer = session.client.call(
        session.client.stock.GetStock, stock_pb2.GetStockRequest(items=items, at_least=at_least)
    )
    if session.json:
        session.show(answer)
        return
    rows = [
        [each.item.sku, each.quantity, each.held, each.committed, each.buffer, each.available, minute(each, "as_of")]
        if each.tracked
        else [each.item.sku, "", "", "", each.buffer or "", "untracked", ""]
        for each in answer.levels
    ]
    headings = ["sku", ">feed", ">held", ">committed", ">buffer", ">available", "counted"]
    session.out.table(headings, rows)


@stock.command()
@click.argument("supplier_id")
@click.argument("sku")
@click.argument("quantity", type=click.IntRange(min=0))
@click.option("--version", type=click.IntRange(min=1), help="The feed's version; the time in ms if not said.")
@click.option("--as-of", type=words.INSTANT, help="When the supplier counted; now if not said.")
@click.option("--includes-orders-up-to", type=words.INSTANT, help="Orders committed until then are taken off already.")
@option_request_id()
@click.pass_obj
def feed(
    session: Session,
    supplier_id: str,
    sku: str,
    quantity: int,
    version: int | None,
    as_of: Any,
    includes_orders_up_to: Any,
    request_id: str | None,
) -> None:
    """Record a supplier's figure."""
    request = stock_pb2.RecordFeedRequest(
        context=session.client.context(request_id),
        item=stock_pb2.Item(supplier_id=supplier_id, sku=sku),
        quantity=quantity,
        feed_version=version or time.time_ns() // 1_000_000,
        as_of=as_of,
        includes_orders_up_to=includes_orders_up_to,
    )
    receipt = session.client.call(session.client.stock.RecordFeed, request)
    _show(session, supplier_id, (sku,), receipt.position)


@stock.command()
@click.argument("supplier_id")
@click.argument("sku")
@click.argument("units", type=click.IntRange(min=0))
@option_request_id()
@click.pass_obj
def buffer(session: Session, supplier_id: str, sku: str, units: int, request_id: str | None) -> None:
    """Keep units back from being promised."""
    request = stock_pb2.SetBufferRequest(
        context=session.client.context(request_id),
        item=stock_pb2.Item(supplier_id=supplier_id, sku=sku),
        units=units,
    )
    receipt = session.client.call(session.client.stock.SetBuffer, request)
    _show(session, supplier_id, (sku,), receipt.position)
