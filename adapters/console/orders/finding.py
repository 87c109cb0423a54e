"""``fulfilment find`` and ``order timeline``: everything about a customer, everything about an order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from adapters.console.terminal import words
from adapters.console.terminal.commands import Words
from adapters.console.terminal.listings import LIMIT, print_rows, rows_of
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute, word
from fulfilment.v1 import cases_pb2, finding_pb2, inquiries_pb2, orders_pb2


@click.command(cls=Words)
@click.option("--email", help="An e-mail address of the customer.")
@click.option("--phone", help="A phone number of the customer; only its digits matter.")
@click.option(
    "--order", "order_number", metavar="ORDER_ID", help="An order of the customer, or its number in any shop."
)
@LIMIT
@click.pass_obj
def find(session: Session, email: str, phone: str, order_number: str, limit: int | None) -> None:
    """Find a customer, and list all its orders with their cases and questions."""
    if len([*filter(None, (email, phone, order_number))]) != 1:
        raise click.UsageError("Give one of --email, --phone and --order.")
    request = finding_pb2.FindCustomerRequest(email=email, phone=phone, order_number=order_number)
    print_rows(
        session,
        rows_of(session, session.client.finding.FindCustomer, request, "orders"),
        limit,
        ["order", "status", "placed", "cases", "questions", "tags"],
        _row,
        "Nobody is known by it.",
    )


def _row(found: finding_pb2.CustomerOrder) -> list[Any]:
    order = found.order
    again = f" (again for {order.original_order_id})" if order.original_order_id else ""
    return [
        order.order_id + again,
        word(orders_pb2.OrderStatus, order.status) + (", late" if order.late else ""),
        minute(order, "placed_at"),
        ", ".join(f"{each.case_id} {word(cases_pb2.CaseStatus, each.status)}" for each in found.cases),
        ", ".join(f"{each.inquiry_id} {word(inquiries_pb2.InquiryState, each.state)}" for each in found.inquiries),
        ", ".join(order.tags),
    ]


@click.command(cls=Words)
@click.argument("order_id")
@click.option("--personal", is_flag=True, help="What people wrote, too.")
@click.pass_obj
def timeline(session: Session, order_id: str, personal: bool) -> None:
    """Tell all that happened about an order: to it, its parcels, cases, questions, messages and work."""
    request = finding_pb2.GetTimelineRequest(order_id=order_id, with_personal_data=personal)
    entries: Iterable[finding_pb2.TimelineEntry] = rows_of(
        session, session.client.finding.GetTimeline, request, "entries"
    )
    if session.json:
        session.out.json([words.as_json(each) for each in entries])
        return
    rows = [[minute(each, "at"), word(finding_pb2.TimelineSubject, each.subject), each.text] for each in entries]
    session.out.table(["when", "about", "what happened"], rows)
