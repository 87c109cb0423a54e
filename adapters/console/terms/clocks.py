"""``fulfilment clock``: the table of all clocks, by the terms in force."""

from __future__ import annotations

from typing import Any

import click

from adapters.console.terminal import words
from adapters.console.terminal.commands import Nouns
from adapters.console.terminal.past import AS_OF
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import word
from adapters.console.terms.calendars import in_words
from fulfilment.v1 import common_pb2, obligations_pb2


@click.group(cls=Nouns)
def clock() -> None:
    """What somebody has to do by when."""


@clock.command("list")
@click.option("--supplier", metavar="SUPPLIER_ID", default="", help="By the agreement with this supplier.")
@click.option("--at", type=words.INSTANT, help="As agreed for then; now if not said.")
@AS_OF
@click.pass_obj
def clocks(session: Session, supplier: str, at: Any, as_of: common_pb2.AsOf | None) -> None:
    """List all clocks: whom each obliges, how long it runs, and where that is set.

    What starts, ends and stops each, --json tells; how many were met, `report clocks`.
    """
    request = obligations_pb2.ListClocksRequest(supplier_id=supplier, at=at, as_of=as_of)
    found = session.client.call(session.client.admin.ListClocks, request)
    if session.json:
        session.out.json([words.as_json(each) for each in found.clocks])
        return
    rows: list[list[Any]] = []
    for each in found.clocks:
        named = [
            word(obligations_pb2.ObligationClock, each.clock),
            word(common_pb2.Party, each.owner) if each.owner else "who is asked",
        ]
        for term in each.terms:
            within = _within(term, supplier)
            rows.append([*named, f"{term.carrier}: {within}" if term.carrier else within, term.time_zone, term.name])
            named = ["", ""]
        if not each.terms:
            rows.append([*named, each.usual, "", ""])
    session.out.table(["clock", "obliges", "within", "calendar", "set in"], rows)


def _within(term: obligations_pb2.ClockTerm, supplier: str) -> str:
    match term.WhichOneof("length"):
        case "hours":
            return f"{term.hours} hours" if term.hours != 1 else "1 hour"
        case "days":
            return f"{term.days} days" if term.days != 1 else "1 day"
        case "working_time":
            return in_words(term.working_time)
        case _:
            return "not agreed" if supplier else "as each agrees"
