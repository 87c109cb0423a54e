"""``fulfilment report late``, ``due``, ``breaches`` and ``clocks``: what has to happen by when, and what was missed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import click

from adapters.console import words
from adapters.console.listings import LIMIT, SUPPLIER, print_rows, rows_of
from adapters.console.session import Session, Words
from adapters.console.words import at, minute, span, word
from fulfilment.v1 import (
    common_pb2,
    obligations_pb2,
)

_OWNER = click.option("--owner", type=words.choice(common_pb2.Party, "customer"), help="Only what they have to do.")


_CLOCK = click.option("--clock", type=words.choice(obligations_pb2.ObligationClock), help="Only this clock.")


@click.command(cls=Words)
@_OWNER
@SUPPLIER
@_CLOCK
@LIMIT
@click.pass_obj
def late(session: Session, owner: str | None, supplier: str, clock: str | None, limit: int | None) -> None:
    """List what was missed and has still not happened, the oldest first."""
    request = obligations_pb2.ListBreachesRequest(
        owner=words.number(common_pb2.Party, owner),
        supplier_id=supplier,
        clock=words.number(obligations_pb2.ObligationClock, clock),
    )
    found = rows_of(session, session.client.reports.ListBreaches, request, "breaches")
    _print_obligations(session, (each for each in found if not each.HasField("met_at")), limit, "Nothing is late.")


@click.command(cls=Words)
@click.option(
    "--due-within",
    type=click.IntRange(0, 100_000),
    metavar="HOURS",
    help="Due within so many hours; 0 is what is overdue.",
)
@_OWNER
@SUPPLIER
@_CLOCK
@LIMIT
@click.pass_obj
def due(
    session: Session, due_within: int | None, owner: str | None, supplier: str, clock: str | None, limit: int | None
) -> None:
    """List what has to happen, the most urgent first."""
    request = obligations_pb2.ListObligationsRequest(
        owner=words.number(common_pb2.Party, owner),
        supplier_id=supplier,
        clock=words.number(obligations_pb2.ObligationClock, clock),
        due_within_hours=due_within,
    )
    found = rows_of(session, session.client.reports.ListObligations, request, "obligations")
    _print_obligations(session, found, limit, "Nothing is due.")


@click.command(cls=Words)
@click.option("--since", type=words.INSTANT, help="Due then or later.")
@click.option("--until", type=words.INSTANT, help="Due before then.")
@_OWNER
@SUPPLIER
@_CLOCK
@LIMIT
@click.pass_obj
def breaches(
    session: Session,
    since: Any,
    until: Any,
    owner: str | None,
    supplier: str,
    clock: str | None,
    limit: int | None,
) -> None:
    """List every deadline that was missed, whether or not it happened later."""
    request = obligations_pb2.ListBreachesRequest(
        due_since=since,
        due_until=until,
        owner=words.number(common_pb2.Party, owner),
        supplier_id=supplier,
        clock=words.number(obligations_pb2.ObligationClock, clock),
    )
    found = rows_of(session, session.client.reports.ListBreaches, request, "breaches")
    _print_obligations(session, found, limit, "No deadline was missed.")


def _print_obligations(session: Session, found: Iterable[Any], limit: int | None, empty: str) -> None:
    def row(each: Any) -> list[Any]:
        clock = word(obligations_pb2.ObligationClock, each.clock)
        zone = session.time_zone if each.owner == common_pb2.PARTY_RETAILER else each.time_zone
        return [
            each.object_id,
            clock,
            each.supplier_id,
            minute(each, "due", zone),
            minute(each, "met_at", zone),
            _stands(each, now),
        ]

    now = datetime.now(UTC)
    print_rows(session, found, limit, ["what", "clock", "supplier", "due", "happened", "state"], row, empty)


def _stands(each: obligations_pb2.Obligation, now: datetime) -> str:
    due_at, met_at = at(each, "due") or now, at(each, "met_at")
    if met_at is not None:
        return f"{span(met_at - due_at)} late" if met_at > due_at else "on time"
    if each.HasField("stopped_since"):
        return "stopped"
    return f"in {span(due_at - now)}" if now < due_at else f"{span(now - due_at)} late so far"


@click.command(cls=Words)
@SUPPLIER
@LIMIT
@click.pass_obj
def clocks(session: Session, supplier: str, limit: int | None) -> None:
    """Count what is open, met and missed of each clock, the retailer's and then each supplier's."""
    request = obligations_pb2.CountObligationsRequest(supplier_id=supplier)
    print_rows(
        session,
        rows_of(session, session.client.reports.CountObligations, request, "counts"),
        limit,
        ["who", "clock", ">open", ">met", ">missed", ">withdrawn"],
        lambda each: [
            each.supplier_id or "the retailer",
            word(obligations_pb2.ObligationClock, each.clock),
            each.open,
            each.met,
            each.missed,
            each.withdrawn,
        ],
        "No clock ran yet.",
    )
