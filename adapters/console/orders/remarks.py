"""``fulfilment order note`` and ``tag``: what people put down beside an order."""

from __future__ import annotations

from typing import Any

import click

from adapters.console.orders.standing import record
from adapters.console.terminal.commands import Words, recording
from adapters.console.terminal.session import Session
from fulfilment.v1 import remarks_pb2


@click.command(cls=Words)
@click.argument("order_id")
@click.argument("text")
@recording("When it was written")
def note(session: Session, order_id: str, text: str, at: Any, request_id: str | None) -> None:
    """Write something down beside an order, as --actor; it is sealed for the customer."""
    request = remarks_pb2.AddOrderNoteRequest(
        context=session.client.context(request_id), order_id=order_id, note=text, at=at
    )
    record(session, order_id, session.client.orders.AddOrderNote, request)


@click.command(cls=Words)
@click.argument("order_id")
@click.argument("tags", metavar="[TAG]...", nargs=-1)
@click.option("--remove", multiple=True, metavar="TAG", help="A tag that goes; once for each.")
@recording()
def tag(
    session: Session, order_id: str, tags: tuple[str, ...], remove: tuple[str, ...], at: Any, request_id: str | None
) -> None:
    """Give an order tags to find it by, or take them from it."""
    request = remarks_pb2.TagOrderRequest(
        context=session.client.context(request_id), order_id=order_id, add=tags, remove=remove, at=at
    )
    record(session, order_id, session.client.orders.TagOrder, request)
