"""``fulfilment report track`` and ``orders``: where things are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from adapters.console.reports.sheets import HTML, Sheet, count, narrowed, present
from adapters.console.reports.windows import WindowWanted, windowed
from adapters.console.terminal import words
from adapters.console.terminal.commands import Words
from adapters.console.terminal.listings import CHANGED_AFTER, LIMIT, ask, print_rows, rows_of
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import expected, minute, promised, word
from fulfilment.v1 import (
    orders_pb2,
    parcels_pb2,
    supplier_orders_pb2,
    tracking_pb2,
)

_CHANNEL = click.option("--channel", metavar="NAME", help="Only this shop.")


_CARRIER = click.option("--carrier", metavar="NAME", help="Only this carrier.")


@click.command(cls=Words)
@click.argument("what", metavar="ORDER_ID|NUMBER")
@_CARRIER
@click.pass_obj
def track(session: Session, what: str, carrier: str) -> None:
    """Tell where an order is, or the parcels of a tracking number."""
    if "/" in what:
        request = tracking_pb2.GetTrackingRequest(order_id=what)
        order = ask(session, session.client.reports.GetTracking, request).order
        if session.json:
            session.show(order)
            return
        _print_order(session, order)
        _print_parcels(session, order.parcels)
        return
    named = tracking_pb2.FindParcelsRequest(tracking_number=what, carrier=carrier)
    found = ask(session, session.client.reports.FindParcels, named)
    if session.json:
        session.out.json([words.as_json(each) for each in found.parcels])
    else:
        _print_parcels(session, found.parcels, empty=f"No parcel has the number {what}.")


def _print_order(session: Session, order: tracking_pb2.TrackedOrder) -> None:
    session.out.title(f"Order {order.order_id}", word(orders_pb2.OrderStatus, order.status))
    session.out.facts(
        [
            ("placed", minute(order, "placed_at")),
            ("promised by", promised(order)),
            ("expected by", expected(order)),
            ("delivered", minute(order, "delivered_at")),
            ("waits for", ", ".join(word(orders_pb2.HoldReason, hold.reason) for hold in order.holds)),
        ]
    )
    for each in order.supplier_orders:
        status = word(supplier_orders_pb2.SupplierOrderStatus, each.status)
        gone = f"{each.shipped} of {each.units} units shipped, {each.delivered} delivered"
        session.out.say(f"{each.supplier_order_id}, {each.supplier_id}: {status}, {gone}")


def _print_parcels(session: Session, parcels: Iterable[tracking_pb2.TrackedParcel], empty: str = "") -> None:
    def row(each: tracking_pb2.TrackedParcel) -> list[Any]:
        scan = each.last_scan
        where = ", ".join(filter(None, [scan.city, scan.country]))
        status = word(parcels_pb2.ParcelStatus, each.status)
        arrives = minute(each, "delivered_at") or expected(each)
        return [words.numbers(each), status, minute(scan, "at"), where, arrives, each.order_id]

    columns = ["parcel", "status", "last scan", "where", "arrived or expected", "order"]
    session.out.table(columns, [row(each) for each in parcels], empty)


@click.command(cls=Words)
@click.option("--status", "statuses", type=words.choice(orders_pb2.OrderStatus), multiple=True, help="In one of these.")
@_CHANNEL
@windowed("Placed then or later.", "Placed before then.")
@click.option("--sku", metavar="SKU", help="With a line of it.")
@click.option("--supplier", metavar="SUPPLIER_ID", help="That it is to send, or was to.")
@click.option(
    "--stage",
    "stages",
    type=words.choice(supplier_orders_pb2.SupplierOrderStatus),
    multiple=True,
    help="With a supplier order in one of these; with --supplier, one of that supplier.",
)
@click.option("--unsent", is_flag=True, help="With a supplier order that was never sent.")
@click.option("--country", metavar="CODE", help="That go there.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="With this tag; once for each that it must have.")
@click.option("--late", is_flag=True, help="Of which a clock ran out that still waits for something.")
@CHANGED_AFTER
@HTML
@LIMIT
@click.pass_obj
def orders(session: Session, /, window: WindowWanted, as_html: str | None, limit: int | None, **said: Any) -> None:
    """List orders that are all that is said, such as all that are on hold."""
    stages = [*said["stages"], *(["draft"] if said["unsent"] else [])]
    request = tracking_pb2.ListOrdersRequest(
        statuses=[words.number(orders_pb2.OrderStatus, status) for status in said["statuses"]],
        channel=said["channel"],
        **window.fields("placed_since", "placed_until"),
        sku=said["sku"],
        supplier_id=said["supplier"],
        supplier_order_statuses=[words.number(supplier_orders_pb2.SupplierOrderStatus, stage) for stage in stages],
        country=(said["country"] or "").upper(),
        tags=said["tags"],
        late=said["late"],
    )
    found = rows_of(session, session.client.reports.ListOrders, request, "orders")
    sheet = Sheet(
        title="Orders",
        says="Orders that are all that is said here, by when they were placed.",
        found=found,
        answer=lambda: found.answer,
        columns=_ORDER_COLUMNS,
        row=lambda each: _order_row(each, window.zone),
        empty="No such orders.",
        charts=lambda rows: [count("By status", (word(orders_pb2.OrderStatus, each.status) for each in rows))],
        about=narrowed(
            status=" or ".join(said["statuses"]),
            **{name: said[name] for name in ("channel", "sku", "supplier", "country")},
            stage=" or ".join(stages),
            tag=" and ".join(said["tags"]),
            late="only" if said["late"] else "",
        ),
    )
    present(session, sheet, limit, as_html)


_ORDER_COLUMNS = ["order", "status", "placed", "promised by", "delivered", "waits for", "tags"]


def _order_row(each: tracking_pb2.TrackedOrder, zone: str = "") -> list[Any]:
    return [
        each.order_id,
        word(orders_pb2.OrderStatus, each.status) + (", late" if each.late else ""),
        minute(each, "placed_at", zone),
        promised(each),
        minute(each, "delivered_at", zone),
        ", ".join(word(orders_pb2.HoldReason, hold.reason) for hold in each.holds),
        ", ".join(each.tags),
    ]


def print_orders(session: Session, found: Iterable[tracking_pb2.TrackedOrder], limit: int | None) -> None:
    print_rows(session, found, limit, _ORDER_COLUMNS, _order_row, "No such orders.")
