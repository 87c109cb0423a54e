"""``fulfilment effect``: what shops and tracking services are told, and what could not be told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from adapters.console.edges.connections import rows_by
from adapters.console.terminal import words
from adapters.console.terminal.commands import Nouns, option_request_id
from adapters.console.terminal.listings import CHANGED_AFTER, LIMIT, ask_as_of, print_rows, rows_of
from adapters.console.terminal.past import AS_OF, OF_LISTS
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute, word
from fulfilment.v1 import common_pb2
from fulfilment.v1 import edges_pb2 as pb

_ID = click.argument("effect_id", metavar="ID")


@click.group(cls=Nouns)
def effect() -> None:
    """What shops and tracking services are told, and what could not be told."""


@effect.command("list")
@click.option("--connection", "by", metavar="NAME", default="", help="Only of this connection.")
@click.option("--state", "states", type=words.choice(pb.EffectState), multiple=True, help="Only in this state.")
@click.option("--about", metavar="ID", default="", help="Only about this order, SKU or CARRIER/NUMBER.")
@CHANGED_AFTER
@OF_LISTS
@LIMIT
@click.pass_obj
def list_effects(session: Session, by: str, states: Sequence[str], about: str, limit: int | None) -> None:
    """List what connections are told, what was asked for last first."""
    wanted = [words.number(pb.EffectState, each) for each in states]
    request = pb.ListEffectsRequest(connection=by, states=wanted, object_id=about)
    found = rows_of(session, session.client.edges.ListEffects, request, "effects")
    columns = ["id", "connection", "about", "asked", "state", ">tried", "told", "reason"]
    print_rows(session, rows_by(session, by, found), limit, columns, _row, "Nothing was to be told.")


def _row(each: pb.Effect) -> list[Any]:
    about = f"{word(pb.EffectSubject, each.subject)} {each.object_id}"
    named = [each.effect_id, each.connection, about, minute(each, "asked_at"), word(pb.EffectState, each.state)]
    return [*named, each.attempts or "", minute(each, "told_at"), each.reason or each.note]


@effect.command("show")
@_ID
@AS_OF
@click.pass_obj
def show_effect(session: Session, effect_id: str, as_of: common_pb2.AsOf | None) -> None:
    """Show what a connection was told of one order, SKU or number."""
    request = pb.GetEffectRequest(effect_id=effect_id, as_of=as_of)
    found = ask_as_of(session, session.client.edges.GetEffect, request)
    if session.json:
        session.show(found)
        return
    each = found.effect
    subject = word(pb.EffectSubject, each.subject)
    session.out.title(f"{subject} {each.object_id} at {each.connection}", word(pb.EffectState, each.state))
    session.out.facts(
        [
            ("asked", minute(each, "asked_at")),
            *(("told", told) for told in each.told),
            ("when", minute(each, "told_at")),
            ("called", each.reference),
            ("note", each.note),
            ("reason", each.reason),
            ("tried", str(each.attempts or "")),
            ("again", minute(each, "again_at")),
        ]
    )


@effect.command("replay")
@_ID
@option_request_id()
@click.pass_obj
def replay_effect(session: Session, effect_id: str, request_id: str | None) -> None:
    """Try at once what could not be told, such as after its cause was mended."""
    request = pb.ReplayEffectRequest(context=session.client.context(request_id), effect_id=effect_id)
    session.print_done(session.client.call(session.client.edges.ReplayEffect, request), "It is tried again.")


@effect.command("drop")
@_ID
@option_request_id()
@click.pass_obj
def drop_effect(session: Session, effect_id: str, request_id: str | None) -> None:
    """Give up what is to be told, until something new happens to the same."""
    request = pb.DropEffectRequest(context=session.client.context(request_id), effect_id=effect_id)
    session.print_done(session.client.call(session.client.edges.DropEffect, request), "It is given up.")
