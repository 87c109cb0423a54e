"""``fulfilment order``: what happens to an order between the shop and the door."""

from __future__ import annotations

from typing import Any

import click

from adapters.console.money.commercial_invoices import invoice
from adapters.console.orders.customs import customs
from adapters.console.orders.details import amend, change_address, complete
from adapters.console.orders.exporting import export_orders
from adapters.console.orders.finding import timeline
from adapters.console.orders.holds import hold, holds, release
from adapters.console.orders.importing import import_orders
from adapters.console.orders.links import link
from adapters.console.orders.payments import chargeback, pay, refund_paid
from adapters.console.orders.remarks import note, tag
from adapters.console.orders.standing import LINE, order_of, record
from adapters.console.orders.supplier_orders import (
    ack,
    cancel_answer,
    pack,
    rule_delay,
    send,
    send_drafts,
    ship,
    unship,
)
from adapters.console.terminal import words
from adapters.console.terminal.commands import Nouns, Words, recording
from adapters.console.terminal.session import Session
from fulfilment.v1 import common_pb2, order_feedback_pb2, orders_pb2, supplier_orders_pb2


@click.command(cls=Words)
@click.argument("order_id")
@click.option("--backorder-lacking", is_flag=True, help="What is out of stock waits at the supplier.")
@recording()
def confirm(session: Session, order_id: str, backorder_lacking: bool, at: Any, request_id: str | None) -> None:
    """Confirm an order by hand and draft its supplier orders."""
    request = orders_pb2.ConfirmOrderRequest(
        context=session.client.context(request_id), order_id=order_id, backorder_lacking=backorder_lacking, at=at
    )
    record(session, order_id, session.client.orders.ConfirmOrder, request)


@click.command(cls=Words)
@click.argument("order_id")
@click.option("--by", type=words.choice(common_pb2.Party), required=True, help="On whose wish or by whose fault.")
@click.option("--reason", metavar="WORD", help="Such as changed_mind.")
@LINE
@recording()
def cancel(
    session: Session,
    order_id: str,
    by: str,
    reason: str,
    lines: tuple[str, ...],
    at: Any,
    request_id: str | None,
) -> None:
    """Cancel units, or all that can still be cancelled."""
    request = orders_pb2.CancelOrderRequest(
        context=session.client.context(request_id),
        order_id=order_id,
        lines=words.units_of_lines(lines),
        by=words.number(common_pb2.Party, by),
        reason=reason,
        at=at,
    )
    record(session, order_id, session.client.orders.CancelOrder, request)


@click.command(cls=Words)
@click.argument("name", metavar="SUPPLIER_ORDER_ID|ORDER_ID")
@click.option("--by", type=words.choice(common_pb2.Party), required=True, help="On whose wish or by whose fault.")
@click.option("--reason", metavar="WORD", help="Such as overdue.")
@click.option("--to", metavar="SUPPLIER_ID", help="Who is to have them; the one that qualifies best if not said.")
@LINE
@recording()
def reroute(
    session: Session,
    name: str,
    by: str,
    reason: str,
    to: str,
    lines: tuple[str, ...],
    at: Any,
    request_id: str | None,
) -> None:
    """Give units of a supplier order, or those of an order that no supplier has, to another supplier.

    A draft gives them up at once; a supplier that knows of them is asked first.
    """
    whole = name.count("/") < 2
    order_id = name if whole else order_of(name)
    request = supplier_orders_pb2.RerouteUnitsRequest(
        context=session.client.context(request_id),
        order_id=order_id,
        supplier_order_id="" if whole else name,
        lines=words.units_of_lines(lines),
        by=words.number(common_pb2.Party, by),
        reason=reason,
        to_supplier_id=to,
        at=at,
    )
    record(session, order_id, session.client.orders.RerouteUnits, request)


@click.command(cls=Words)
@click.argument("order_id")
@click.option("--by", type=click.Choice(["customer", "carrier"]), default="customer", show_default=True)
@recording()
def receipt(session: Session, order_id: str, by: str, at: Any, request_id: str | None) -> None:
    """Record that everything that was shipped arrived."""
    request = order_feedback_pb2.ConfirmReceiptRequest(
        context=session.client.context(request_id),
        order_id=order_id,
        by=words.number(common_pb2.Party, by),
        at=at,
    )
    record(session, order_id, session.client.orders.ConfirmReceipt, request)


@click.command(cls=Words)
@click.argument("order_id")
@click.option("--id", "review_id", metavar="ID", required=True, help="The review's id in the shop.")
@click.option("--score", type=words.WholeNumber(1, 5), required=True, help="Stars.")
@recording("When it was written")
def review(session: Session, order_id: str, review_id: str, score: int, at: Any, request_id: str | None) -> None:
    """Record the stars a customer gave."""
    request = order_feedback_pb2.RecordReviewRequest(
        context=session.client.context(request_id), order_id=order_id, review_id=review_id, score=score, at=at
    )
    record(session, order_id, session.client.orders.RecordReview, request)


@click.group(cls=Nouns)
def order() -> None:
    """Move an order on: pay, hold, confirm, send, acknowledge, pack, ship, reroute, cancel."""


for command in (
    *(complete, amend, change_address, pay, hold, release, holds),
    *(confirm, cancel, reroute, receipt, review, chargeback, refund_paid),
    *(import_orders, export_orders, send, send_drafts, ack, pack, ship, unship, cancel_answer, rule_delay),
    *(note, tag, link, timeline, customs, invoice),
):
    order.add_command(command)
