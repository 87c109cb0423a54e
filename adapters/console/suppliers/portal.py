"""``fulfilment supplier orders`` and ``instruction``: supplier orders as their suppliers see them."""

from __future__ import annotations

from typing import Any

import click

from adapters.console.terminal import words
from adapters.console.terminal.commands import Words
from adapters.console.terminal.listings import LIMIT, print_rows, rows_of
from adapters.console.terminal.past import OF_LISTS, asked, past
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute, word
from fulfilment.v1 import common_pb2, supplier_orders_pb2, tracking_pb2
from fulfilment.v1 import supplier_portal_pb2 as pb


@click.command(cls=Words)
@click.argument("supplier_id", required=False, default="")
@click.option(
    "--status", "statuses", type=words.choice(supplier_orders_pb2.SupplierOrderStatus, "draft"), multiple=True
)
@OF_LISTS
@LIMIT
@click.pass_obj
def orders(session: Session, supplier_id: str, statuses: tuple[str, ...], limit: int | None) -> None:
    """List the supplier orders of a supplier that it was told of.

    A supplier leaves SUPPLIER_ID away: its token says whose it sees.
    """
    request = pb.ListSupplierOrdersRequest(
        supplier_id=supplier_id,
        statuses=[words.number(supplier_orders_pb2.SupplierOrderStatus, status) for status in statuses],
    )
    found = rows_of(session, session.client.supplier_portal.ListSupplierOrders, request, "supplier_orders")
    columns = ["supplier order", "status", "sent", "dispatch by", ">units", ">to send", ">arrived"]
    print_rows(session, found, limit, columns, _row, "There are none.")


def _row(each: tracking_pb2.TrackedSupplierOrder) -> list[Any]:
    state = word(supplier_orders_pb2.SupplierOrderStatus, each.status)
    when = (minute(each, name) for name in ("sent_at", "dispatch_by"))
    return [each.supplier_order_id, state, *when, each.units, each.unshipped, each.delivered]


@click.command(cls=Words)
@click.argument("supplier_order_id")
@click.option("--personal", is_flag=True, help="Who gets it, where, and the note that came with it.")
@past
@click.pass_obj
def instruction(
    session: Session, supplier_order_id: str, personal: bool, as_of: common_pb2.AsOf | None, at: Any
) -> None:
    """Show a supplier order as its supplier sees it: what to send where."""
    request = pb.GetSupplierOrderRequest(
        supplier_order_id=supplier_order_id, with_personal_data=personal, as_of=asked(as_of, at, personal)
    )
    found = session.client.call(session.client.supplier_portal.GetSupplierOrder, request).supplier_order
    if session.json:
        session.show(found)
        return
    to = found.ship_to
    address = filter(None, [found.name, *to.lines, to.postal_code, to.city, to.region, to.country])
    session.out.title(
        f"Supplier order {supplier_order_id}", word(supplier_orders_pb2.SupplierOrderStatus, found.status)
    )
    session.out.facts(
        [
            ("acknowledge by", minute(found, "acknowledge_by", found.time_zone)),
            ("dispatch by", minute(found, "dispatch_by", found.time_zone)),
            ("waits since", minute(found, "clocks_stopped_since", found.time_zone)),
            ("pack", ", ".join(found.packing)),
            ("service", found.shipping_service),
            ("ship to", ", ".join(address)),
            ("phone", found.phone),
            ("note", found.note),
        ]
    )
    columns = ["line", "SKU", "article", "title", ">to answer", ">to send", ">shipped", ">cancel asked"]
    session.out.table(columns, [_line(each) for each in found.lines])


def _line(each: pb.DispatchLine) -> list[Any]:
    units = each.units
    to_send = units.accepted + units.backordered
    return [
        each.line_no,
        each.sku,
        each.article_code,
        each.title,
        units.pending or "",
        to_send or "",
        units.shipped or "",
        each.cancel_asked or "",
    ]
