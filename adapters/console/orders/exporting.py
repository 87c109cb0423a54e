"""``fulfilment order export``: orders in a CSV file, in the columns that an import of the same connection reads."""

from __future__ import annotations

from pathlib import Path

import click
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.console.orders.importing import kept
from adapters.console.terminal import files, words
from adapters.console.terminal.batches import Bar
from adapters.console.terminal.commands import Words
from adapters.console.terminal.listings import rows_of
from adapters.console.terminal.session import Session
from adapters.order_files.writing import Columns, Unwritable
from fulfilment.v1 import orders_pb2, tracking_pb2

_MOST_SHOWN = 20


@click.command("export", cls=Words)
@click.option("--to", "path", metavar="FILE", required=True, help="The CSV file to write; it is its owner's alone.")
@click.option("--connection", "name", metavar="NAME", help="Whose columns it gets, and of whose channel.")
@click.option("--channel", metavar="NAME", help="Of this channel, in all columns of the template.")
@click.option("--since", type=words.INSTANT, help="Placed at this time or later.")
@click.option("--until", type=words.INSTANT, help="Placed before this time.")
@click.pass_obj
def export_orders(
    session: Session,
    path: str,
    name: str | None,
    channel: str | None,
    since: Timestamp | None,
    until: Timestamp | None,
) -> int:
    """Write orders as they are now to a CSV file, which an import reads as the same orders.

    Each order is noted as a read of its customer, which takes the right to personal data. Orders that the columns
    cannot say, and those whose customer was erased, are left out and named.

    \b
      fulfilment order export --to orders.csv --connection excel
      fulfilment order export --to orders.csv --channel shop --since 2026-01-01
    """
    if bool(name) == bool(channel):
        raise click.UsageError("Say either --connection or --channel.")
    settings = kept(session, name) if name else {}
    if settings is None:
        raise click.BadParameter(f"there is no connection {name}", param_hint="--connection")
    columns = Columns(settings)
    of = channel or settings.get("channel") or name or ""
    request = tracking_pb2.ListOrdersRequest(channel=of, placed_since=since, placed_until=until)
    draft = Path(f"{path}.part")
    try:
        left_out, written = _write(session, request, columns, draft)
        files.write(path, draft.replace)
    finally:
        draft.unlink(missing_ok=True)
    if session.json:
        session.out.json({"orders": written, "left_out": [{"order": each, "reason": why} for each, why in left_out]})
        return 1 if left_out else 0
    session.out.say(f"{written:,} orders written to {path}, {len(left_out):,} left out.")
    for order_id, why in left_out[:_MOST_SHOWN]:
        session.out.say(f"{order_id}: {why}")
    if len(left_out) > _MOST_SHOWN:
        session.out.say(f"... and {len(left_out) - _MOST_SHOWN:,} more; --json names all.", style="dim")
    return 1 if left_out else 0


def _write(
    session: Session, request: tracking_pb2.ListOrdersRequest, columns: Columns, draft: Path
) -> tuple[list[tuple[str, str]], int]:
    left_out: list[tuple[str, str]] = []
    written = 0
    listing = [each.order_id for each in rows_of(session, session.client.reports.ListOrders, request, "orders")]
    with Bar(session) as bar, files.writing_csv(str(draft), columns.headings) as write:
        bar.begin("orders", max(1, len(listing)))
        for order_id in listing:
            try:
                for row in [*columns.rows(_order(session, order_id))]:
                    write(row)
                written += 1
            except Unwritable as why:
                left_out.append((order_id, str(why)))
            bar.advance(1)
    return left_out, written


def _order(session: Session, order_id: str) -> orders_pb2.Order:
    asked = orders_pb2.GetOrderRequest(order_id=order_id, with_personal_data=True)
    order = session.client.call(session.client.orders.GetOrder, asked).order
    if order.HasField("erased_at"):
        raise Unwritable("its customer was erased")
    if order.reship_of:
        raise Unwritable(f"it sends units of {order.original_order_id} once more")
    return order
