"""``fulfilment stock``: what suppliers have."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.console.stock.levels import alerts, levels, listings, movements
from adapters.console.stock.stock_ups import up
from adapters.console.terminal import bulk, words
from adapters.console.terminal.commands import Nouns, option_request_id
from adapters.console.terminal.listings import require_known, rows_of
from adapters.console.terminal.past import asked, past
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute
from fulfilment.v1 import admin_pb2, batch_pb2, common_pb2, stock_levels_pb2, stock_pb2


@click.group(cls=Nouns)
def stock() -> None:
    """Record and show what suppliers have."""


@stock.command()
@click.argument("supplier_id")
@click.argument("skus", nargs=-1, required=True, metavar="SKU...")
@past
@click.pass_obj
def show(
    session: Session,
    supplier_id: str,
    skus: tuple[str, ...],
    as_of: common_pb2.AsOf | None,
    at: Timestamp | None,
) -> None:
    """Show what can still be promised of a supplier's SKUs."""
    _show(session, supplier_id, skus, as_of=asked(as_of, at))


def _show(
    session: Session,
    supplier_id: str,
    skus: tuple[str, ...],
    receipt: common_pb2.Receipt | None = None,
    as_of: common_pb2.AsOf | None = None,
) -> None:
    at_least = receipt.position if receipt is not None else 0
    items = [stock_pb2.Item(supplier_id=supplier_id, sku=sku) for sku in skus]
    answer = session.client.call(
        session.client.stock.GetStock, stock_pb2.GetStockRequest(items=items, at_least=at_least, as_of=as_of)
    )
    if not any(each.tracked for each in answer.levels):
        require_known(session, as_of, supplier_id=supplier_id)
    if session.json:
        parts = {} if receipt is None else {"receipt": words.as_json(receipt)}
        session.out.json({**parts, **words.as_json(answer)})
        return
    rows = [
        [
            each.item.sku,
            each.quantity + each.restocked,
            each.held,
            each.committed,
            each.buffer + each.stale_buffer + each.kept,
            each.available,
            minute(each, "as_of"),
        ]
        if each.tracked
        else [each.item.sku, "", "", "", each.buffer or "", "untracked", ""]
        for each in answer.levels
    ]
    headings = ["sku", ">feed", ">held", ">committed", ">kept back", ">available", "counted"]
    session.out.table(headings, rows)


@stock.command()
@click.argument("reservation_id")
@click.argument("supplier_id")
@click.argument("wanted", nargs=-1, required=True, metavar="SKU:UNITS...")
@click.option("--minutes", type=words.whole(1), help="How long; as the retailer's policy says if not said.")
@option_request_id()
@click.pass_obj
def reserve(
    session: Session,
    reservation_id: str,
    supplier_id: str,
    wanted: tuple[str, ...],
    minutes: int | None,
    request_id: str | None,
) -> None:
    """Hold units for a checkout, all of them or none; `place --reservation` uses them up."""
    items = [_item_units(supplier_id, text) for text in wanted]
    request = stock_pb2.ReserveRequest(
        context=session.client.context(request_id), reservation_id=reservation_id, items=items
    )
    if minutes:
        request.hold_for.FromSeconds(60 * minutes)
    receipt = session.client.call(session.client.stock.Reserve, request)
    _show(session, supplier_id, tuple(each.item.sku for each in items), receipt)


def _item_units(supplier_id: str, text: str) -> stock_pb2.ItemUnits:
    sku, units = words.sku_units(text, "SKU:UNITS")
    return stock_pb2.ItemUnits(item=stock_pb2.Item(supplier_id=supplier_id, sku=sku), units=units)


@stock.command()
@click.argument("reservation_id")
@click.argument("supplier_id")
@click.argument("skus", nargs=-1, required=True, metavar="SKU...")
@click.option("--minutes", type=words.whole(1), help="Until so many minutes from now.")
@click.option("--until", type=words.INSTANT, help="Until then.")
@option_request_id()
@click.pass_obj
def extend(
    session: Session,
    reservation_id: str,
    supplier_id: str,
    skus: tuple[str, ...],
    minutes: int | None,
    until: Timestamp | None,
    request_id: str | None,
) -> None:
    """Hold longer what a checkout holds; that is possible once."""
    if (minutes is None) == (until is None):
        raise click.UsageError("Say how long, with one of --minutes and --until.")
    request = stock_pb2.ExtendReservationRequest(
        context=session.client.context(request_id),
        reservation_id=reservation_id,
        items=[stock_pb2.Item(supplier_id=supplier_id, sku=sku) for sku in skus],
        expires_at=until,
    )
    if minutes is not None:
        request.expires_at.FromDatetime(datetime.now(UTC) + timedelta(minutes=minutes))
    receipt = session.client.call(session.client.stock.ExtendReservation, request)
    if not session.json:
        session.out.say(f"{reservation_id} holds until {minute(request, 'expires_at')}.")
    _show(session, supplier_id, skus, receipt)


@stock.command()
@click.argument("reservation_id")
@click.argument("supplier_id")
@click.argument("skus", nargs=-1, required=True, metavar="SKU...")
@option_request_id()
@click.pass_obj
def release(
    session: Session, reservation_id: str, supplier_id: str, skus: tuple[str, ...], request_id: str | None
) -> None:
    """Give back what a checkout held and does not buy."""
    items = [stock_pb2.Item(supplier_id=supplier_id, sku=sku) for sku in skus]
    request = stock_pb2.ReleaseReservationRequest(
        context=session.client.context(request_id), reservation_id=reservation_id, items=items
    )
    receipt = session.client.call(session.client.stock.ReleaseReservation, request)
    _show(session, supplier_id, skus, receipt)


@stock.command()
@click.argument("supplier_id")
@click.argument("sku", required=False)
@click.argument("quantity", type=words.whole(), required=False)
@bulk.option_lines("sku, quantity")
@click.option(
    "--version", type=click.IntRange(1, 2**63 - 1), help="The feed's version; the time in ms if not said, a file's own."
)
@click.option("--as-of", type=words.INSTANT, help="When the supplier counted; now if not said.")
@click.option("--includes-orders-up-to", type=words.INSTANT, help="Orders committed until then are taken off already.")
@click.option("--complete", is_flag=True, help="The file names all that there is: what it does not name has none.")
@option_request_id()
@click.pass_obj
def feed(
    session: Session,
    supplier_id: str,
    sku: str | None,
    quantity: int | None,
    source: str | None,
    version: int | None,
    as_of: Any,
    includes_orders_up_to: Any,
    complete: bool,
    request_id: str | None,
) -> int | None:
    """Record a supplier's figure, or those of a file.

    \b
      fulfilment stock feed acme TEA 10
      fulfilment stock feed acme --csv stock.csv
      fulfilment stock feed acme --csv stock.csv --complete
    """

    def request(sku: str, quantity: int, version: int, request_id: str | None) -> stock_pb2.RecordFeedRequest:
        return stock_pb2.RecordFeedRequest(
            context=session.client.context(request_id),
            item=stock_pb2.Item(supplier_id=supplier_id, sku=sku),
            quantity=quantity,
            feed_version=version,
            as_of=as_of,
            includes_orders_up_to=includes_orders_up_to,
        )

    if source is not None and sku is None:
        file = bulk.read(source)
        number = version or file.changed_ms

        def command(row: bulk.ReadLine, request_id: str) -> batch_pb2.BatchCommand:
            fed = request(row.required("sku"), row.whole("quantity"), number, request_id)
            return batch_pb2.BatchCommand(record_feed=fed)

        about = ("feed", supplier_id, str(number), str(as_of), str(includes_orders_up_to), *["complete"] * complete)
        absent = (lambda named: _absent(session, supplier_id, named)) if complete else None
        columns = (("sku", "quantity"), ())
        return bulk.send_lines(session, file, columns, command, request_id or file.request_id(*about), absent)
    if source is not None or complete or sku is None or quantity is None:
        raise click.UsageError("Name a SKU and its quantity, or a file of them with --csv.")
    receipt = session.client.call(
        session.client.stock.RecordFeed, request(sku, quantity, version or time.time_ns() // 1_000_000, request_id)
    )
    _show(session, supplier_id, (sku,), receipt)
    return None


def _absent(session: Session, supplier_id: str, named: set[str]) -> list[dict[str, str]]:
    """A line of none for each SKU of which the supplier had some and that is not among the named ones."""
    position = session.client.call(session.client.admin.GetStatus, admin_pb2.GetStatusRequest()).position
    request = stock_levels_pb2.ListStockLevelsRequest(supplier_id=supplier_id, at_least=position)
    levels = rows_of(session, session.client.reports.ListStockLevels, request, "levels")
    return [{"sku": each.sku, "quantity": "0"} for each in levels if each.quantity and each.sku not in named]


@stock.command()
@click.argument("supplier_id")
@click.argument("sku")
@click.argument("units", type=words.whole(0), required=False)
@option_request_id()
@click.pass_obj
def threshold(session: Session, supplier_id: str, sku: str, units: int | None, request_id: str | None) -> None:
    """Say below how many units a SKU is low; without UNITS, as the retailer's policy says."""
    request = stock_pb2.SetLowStockThresholdRequest(
        context=session.client.context(request_id),
        item=stock_pb2.Item(supplier_id=supplier_id, sku=sku),
        units=units,
    )
    receipt = session.client.call(session.client.stock.SetLowStockThreshold, request)
    _show(session, supplier_id, (sku,), receipt)


@stock.command()
@click.argument("supplier_id")
@click.argument("sku")
@click.argument("units", type=words.whole(0))
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
    _show(session, supplier_id, (sku,), receipt)


for command in (levels, alerts, movements, listings, up):
    stock.add_command(command)
