"""``fulfilment text``: who wants no text messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from adapters.console.terminal.commands import Nouns, option_request_id
from adapters.console.terminal.past import asked, past
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute
from fulfilment.v1 import common_pb2
from fulfilment.v1 import edges_pb2 as pb

_PHONE = click.argument("phone", metavar="PHONE")
_COUNTRY = click.option("--country", metavar="CODE", default="", help="Where the number is dialled, such as DE.")
_SAYS: Mapping[pb.TextChoice.ValueType, str] = {
    pb.TEXT_CHOICE_UNSPECIFIED: "may be texted; nobody said otherwise",
    pb.TEXT_CHOICE_NONE: "wants no text messages",
    pb.TEXT_CHOICE_WANTED: "may be texted again",
}


@click.group(cls=Nouns)
def text() -> None:
    """Say and see who wants no text messages."""


@text.command("opt-out")
@_PHONE
@_COUNTRY
@option_request_id()
@click.pass_obj
def opt_out(session: Session, phone: str, country: str, request_id: str | None) -> None:
    """Text whoever has this PHONE no more, of whatever order, also after they were erased."""
    _say(session, phone, country, pb.TEXT_CHOICE_NONE, request_id)


@text.command("opt-in")
@_PHONE
@_COUNTRY
@option_request_id()
@click.pass_obj
def opt_in(session: Session, phone: str, country: str, request_id: str | None) -> None:
    """Text whoever has this PHONE again, because they asked for it.

    A gateway that keeps its own list has to hear START from them.
    """
    _say(session, phone, country, pb.TEXT_CHOICE_WANTED, request_id)


def _say(session: Session, phone: str, country: str, choice: pb.TextChoice.ValueType, request_id: str | None) -> None:
    request = pb.RecordTextChoiceRequest(
        context=session.client.context(request_id), phone=phone, country=country.upper(), choice=choice
    )
    receipt = session.client.call(session.client.edges.RecordTextChoice, request)
    if session.json:
        session.show(receipt)
    else:
        session.out.say(f"Whoever has this number {_SAYS[choice]}.")


@text.command()
@_PHONE
@_COUNTRY
@past
@click.pass_obj
def show(session: Session, phone: str, country: str, as_of: common_pb2.AsOf | None, at: Any) -> None:
    """Show what was said of this PHONE. That is noted as a read of the person; no list has numbers."""
    request = pb.GetTextChoiceRequest(phone=phone, country=country.upper(), as_of=asked(as_of, at))
    found = session.client.call(session.client.edges.GetTextChoice, request)
    if session.json:
        session.show(found)
        return
    since = f", since {minute(found, 'at')}, by {found.by}" if found.by else ""
    session.out.say(f"Whoever has this number {_SAYS[found.choice]}{since}.")
