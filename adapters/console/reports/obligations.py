"""``fulfilment report late``, ``due``, ``breaches`` and ``clocks``: what has to happen by when, and what was missed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from adapters.console.reports.charts import Drawn
from adapters.console.reports.sheets import HTML, Chart, Sheet, count, narrowed, present, with_name
from adapters.console.reports.windows import WindowWanted, windowed
from adapters.console.terminal import words
from adapters.console.terminal.commands import Words
from adapters.console.terminal.listings import CHANGED_AFTER, LIMIT, SUPPLIER, ListedRows, rows_of, supplier_names
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import at, minute, span, word
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
@windowed()
@CHANGED_AFTER
@HTML
@LIMIT
@click.pass_obj
def late(
    session: Session,
    owner: str | None,
    supplier: str,
    clock: str | None,
    window: WindowWanted,
    as_html: str | None,
    limit: int | None,
) -> None:
    """List what was missed and has still not happened, the oldest first."""
    request = obligations_pb2.ListBreachesRequest(
        owner=words.number(common_pb2.Party, owner),
        supplier_id=supplier,
        clock=words.number(obligations_pb2.ObligationClock, clock),
        **window.only_named,
    )
    found = rows_of(session, session.client.reports.ListBreaches, request, "breaches")
    says, still = "What was missed and has still not happened.", _still_late(session, found)
    sheet = _sheet(session, "Late", says, found, still, "Nothing is late.")
    sheet.about = narrowed(owner=owner, supplier=supplier, clock=clock)
    present(session, sheet, limit, as_html)


def _still_late(session: Session, found: Iterable[Any]) -> Iterator[Any]:
    """Of what was missed; of a stream that changed and of which all has happened by now, nothing is here any more."""
    met, late = dict[str, None](), set[str]()
    for each in found:
        if each.HasField("met_at"):
            met[each.stream] = None
        else:
            late.add(each.stream)
            yield each
    session.changes.gone.extend(each for each in met if each not in late)


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
@windowed()
@CHANGED_AFTER
@HTML
@LIMIT
@click.pass_obj
def due(
    session: Session,
    due_within: int | None,
    owner: str | None,
    supplier: str,
    clock: str | None,
    window: WindowWanted,
    as_html: str | None,
    limit: int | None,
) -> None:
    """List what has to happen, the most urgent first."""
    request = obligations_pb2.ListObligationsRequest(
        owner=words.number(common_pb2.Party, owner),
        supplier_id=supplier,
        clock=words.number(obligations_pb2.ObligationClock, clock),
        due_within_hours=due_within,
        **window.only_named,
    )
    found = rows_of(session, session.client.reports.ListObligations, request, "obligations")
    sheet = _sheet(session, "Due", "What has to happen, the most urgent first.", found, found, "Nothing is due.")
    sheet.about = narrowed(owner=owner, supplier=supplier, clock=clock)
    present(session, sheet, limit, as_html)


@click.command(cls=Words)
@windowed("Due then or later.", "Due before then.")
@_OWNER
@SUPPLIER
@_CLOCK
@CHANGED_AFTER
@HTML
@LIMIT
@click.pass_obj
def breaches(
    session: Session,
    window: WindowWanted,
    owner: str | None,
    supplier: str,
    clock: str | None,
    as_html: str | None,
    limit: int | None,
) -> None:
    """List every deadline that was missed, whether or not it happened later."""
    request = obligations_pb2.ListBreachesRequest(
        **window.fields("due_since", "due_until"),
        owner=words.number(common_pb2.Party, owner),
        supplier_id=supplier,
        clock=words.number(obligations_pb2.ObligationClock, clock),
    )
    found = rows_of(session, session.client.reports.ListBreaches, request, "breaches")
    says = "Every deadline that was missed, whether or not it happened later."
    sheet = _sheet(session, "Breaches", says, found, found, "No deadline was missed.")
    sheet.about = narrowed(owner=owner, supplier=supplier, clock=clock)
    present(session, sheet, limit, as_html)


def _sheet(session: Session, title: str, says: str, listing: ListedRows, found: Iterable[Any], empty: str) -> Sheet:
    def row(each: Any) -> list[Any]:
        clock = word(obligations_pb2.ObligationClock, each.clock)
        zone = session.time_zone if each.owner == common_pb2.PARTY_RETAILER else each.time_zone
        return [
            each.object_id,
            clock,
            each.supplier_id,
            names.get(each.supplier_id, ""),
            minute(each, "due", zone),
            minute(each, "met_at", zone),
            _stands(each, now),
        ]

    now = datetime.now(UTC)
    names = {} if session.json else supplier_names(session)
    return Sheet(
        title=title,
        says=says,
        found=found,
        answer=lambda: listing.answer,
        columns=["what", "clock", "supplier", "name", "due", "happened", "state"],
        row=row,
        empty=empty,
        charts=lambda rows: [
            count("By clock", (word(obligations_pb2.ObligationClock, each.clock) for each in rows)),
            count("By supplier", (with_name(names, each.supplier_id) for each in rows if each.supplier_id)),
        ],
    )


def _stands(each: obligations_pb2.Obligation, now: datetime) -> str:
    due_at, met_at = at(each, "due") or now, at(each, "met_at")
    if met_at is not None:
        return f"{span(met_at - due_at)} late" if met_at > due_at else "on time"
    if each.HasField("stopped_since"):
        return "stopped"
    return f"in {span(due_at - now)}" if now < due_at else f"{span(now - due_at)} late so far"


_BECAME = (("met", "good"), ("missed", "late"), ("open", ""), ("withdrawn", "rest"))
"""What becomes of obligations, and how it is drawn."""


@click.command(cls=Words)
@SUPPLIER
@windowed()
@HTML
@LIMIT
@click.pass_obj
def clocks(session: Session, supplier: str, window: WindowWanted, as_html: str | None, limit: int | None) -> None:
    """Count what is open, met and missed of each clock, the retailer's and then each supplier's."""
    request = obligations_pb2.CountObligationsRequest(supplier_id=supplier, **window.only_named)
    found = rows_of(session, session.client.reports.CountObligations, request, "counts")
    names = {} if session.json else supplier_names(session)
    sheet = Sheet(
        title="Clocks",
        says="What is open, met and missed of each clock, the retailer's and then each supplier's.",
        found=found,
        answer=lambda: found.answer,
        columns=["who", "name", "clock", ">open", ">met", ">missed", ">withdrawn"],
        row=lambda each: [
            each.supplier_id or "the retailer",
            names.get(each.supplier_id, ""),
            word(obligations_pb2.ObligationClock, each.clock),
            each.open,
            each.met,
            each.missed,
            each.withdrawn,
        ],
        empty="No clock ran.",
        charts=lambda rows: [_by_clock(rows)],
        about=narrowed(supplier=supplier),
    )
    present(session, sheet, limit, as_html)


def _by_clock(rows: Sequence[obligations_pb2.ObligationCount]) -> Chart:
    """All together, clock by clock."""
    sums: dict[int, list[int]] = {}
    for each in rows:
        mine = sums.setdefault(each.clock, [0] * len(_BECAME))
        for place, (name, _) in enumerate(_BECAME):
            mine[place] += getattr(each, name)
    bars = [
        Drawn(word(obligations_pb2.ObligationClock, clock), parts, f"{sum(parts):,}") for clock, parts in sums.items()
    ]
    return Chart("By clock", "obligations", bars, _BECAME)
