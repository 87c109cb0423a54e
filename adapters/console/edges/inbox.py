"""``fulfilment inbox``: what shops and tracking services told, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from adapters.console.edges.connections import rows_by
from adapters.console.terminal import words
from adapters.console.terminal.commands import Nouns, option_request_id
from adapters.console.terminal.listings import LIMIT, print_rows
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute, word
from fulfilment.v1 import edges_pb2 as pb


@click.group(cls=Nouns)
def inbox() -> None:
    """What shops and tracking services told, what became of it, and what somebody has to look at."""


@inbox.command("list")
@click.option("--connection", "by", metavar="NAME", default="", help="Only of this connection.")
@click.option(
    "--state",
    "states",
    type=words.choice(pb.ReceptionState),
    multiple=True,
    help="Only in this state.",
)
@LIMIT
@click.pass_obj
def list_receptions(session: Session, by: str, states: Sequence[str], limit: int | None) -> None:
    """List what was received, the newest first."""
    wanted = [words.number(pb.ReceptionState, each) for each in states]
    request = pb.ListReceptionsRequest(connection=by, states=wanted)
    pages = session.client.pages(session.client.edges.ListReceptions, request)
    found = rows_by(session, by, (each for page in pages for each in page.receptions))
    columns = ["id", "connection", "topic", "about", "received", "state", ">tried", "reason"]
    print_rows(session, found, limit, columns, _received_row, "Nothing was received.")


def _received_row(each: pb.Reception) -> list[Any]:
    state = word(pb.ReceptionState, each.state)
    named = [each.reception_id, each.connection, each.topic, each.object_id]
    return [*named, minute(each, "received_at"), state, each.attempts or "", each.reason]


@inbox.command("show")
@click.argument("reception_id", metavar="ID")
@click.option("--personal", is_flag=True, help="Open the body, which may be about a person.")
@click.pass_obj
def show_reception(session: Session, reception_id: str, personal: bool) -> None:
    """Show one thing that was received, and with --personal its body."""
    request = pb.GetReceptionRequest(reception_id=reception_id, with_personal_data=personal)
    found = session.client.call(session.client.edges.GetReception, request)
    if session.json:
        session.show(found)
        return
    each = found.reception
    session.out.title(f"{each.topic} of {each.connection}", word(pb.ReceptionState, each.state))
    session.out.facts(
        [
            ("about", each.object_id),
            ("happened", minute(each, "happened_at")),
            ("received", minute(each, "received_at") + (", asked for" if each.found_by_asking else "")),
            ("reason", each.reason),
            ("tried", str(each.attempts or "")),
            ("again", minute(each, "next_at")),
            ("became", ", ".join(each.about)),
        ]
    )
    if found.body:
        session.out.blank()
        session.out.command(found.body.decode(errors="replace"), indent=0)  # in one line, as it came


@inbox.command()
@click.argument("reception_id", metavar="ID")
@option_request_id()
@click.pass_obj
def replay(session: Session, reception_id: str, request_id: str | None) -> None:
    """Try again what failed, such as after its cause was mended."""
    request = pb.ReplayReceptionRequest(context=session.client.context(request_id), reception_id=reception_id)
    session.print_done(session.client.call(session.client.edges.ReplayReception, request), "It is tried again.")


@inbox.command()
@click.argument("reception_id", metavar="ID")
@option_request_id()
@click.pass_obj
def drop(session: Session, reception_id: str, request_id: str | None) -> None:
    """Give up what failed."""
    request = pb.DropReceptionRequest(context=session.client.context(request_id), reception_id=reception_id)
    session.print_done(session.client.call(session.client.edges.DropReception, request), "It is given up.")
