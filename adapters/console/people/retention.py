"""``fulfilment person retention``: how long personal data is kept, what the clock erases when, and what holds keep."""

from __future__ import annotations

from collections.abc import Iterable

import click

from adapters.console.terminal import words
from adapters.console.terminal.commands import Words
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute
from fulfilment.v1 import people_pb2

_DAYS = [each.name for each in people_pb2.Retention.DESCRIPTOR.fields if each.name.endswith("_days")]


@click.command(cls=Words)
@click.option(
    "--due-within",
    "days",
    metavar="DAYS",
    type=words.WholeNumber(0, 36_500),
    default=0,
    help="Also what goes within so many days.",
)
@click.option("--dry-run", is_flag=True, help="Name the orders and suppliers of which something would go.")
@click.pass_obj
def retention(session: Session, days: int, dry_run: bool) -> None:
    """Show how long personal data is kept, what goes now, and what went.

    It erases nothing: the clock does, by the periods of the policy. They are set with policy set, as the table
    retention of a file, and as supplier_days.
    """
    request = people_pb2.GetRetentionRequest(within_days=days)
    pages = list(session.client.pages(session.client.admin.GetRetention, request))
    due = [each for page in pages for each in page.due]
    if session.json:
        del pages[0].due[:]
        pages[0].due.extend(due if dry_run else ())
        pages[0].next_page_token = ""
        session.show(pages[0])
        return
    _print_periods(session, pages[0])
    _print_counts(session, pages[0].counts, days)
    for title, rows in (("would go", due if dry_run else []), ("kept by a hold", pages[0].held)):
        if rows:
            session.out.blank()
            session.out.table([title, "what", "due", "held until"], map(_row, rows))


def _print_periods(session: Session, found: people_pb2.GetRetentionResponse) -> None:
    if found.retention:
        columns = [name.removesuffix("_days") for name in _DAYS]
        rows = [
            [each.channel or "all others", *(_days(getattr(each, name)) for name in _DAYS), _counted_from(each)]
            for each in found.retention
        ]
        session.out.table(["channel", *columns, "days count from"], rows)
    else:
        session.out.say("No periods are agreed: what is kept of customers stays until somebody erases it.")
    if found.supplier_days:
        session.out.say(f"The contact of a retired supplier stays for {found.supplier_days} days.")


def _days(days: int) -> str:
    return str(days) if days else "for good"


def _counted_from(period: people_pb2.Retention) -> str:
    return "the shipment" if period.from_shipment else "the end"


def _print_counts(session: Session, counts: Iterable[people_pb2.RetentionCount], days: int) -> None:
    rows = [[_kind(each.kind), each.due_now, each.due_within, each.gone_lately] for each in counts]
    session.out.blank()
    if rows:
        session.out.table(["kind", "goes now", f"within {days} days", "went in 30 days"], rows)
    else:
        session.out.say("Nothing goes, and nothing went in the last 30 days.")


def _row(due: people_pb2.DueData) -> list[str]:
    return [due.object_id, _kind(due.kind), minute(due, "due"), minute(due, "held_until")]


def _kind(kind: people_pb2.PersonalKind.ValueType) -> str:
    return words.word(people_pb2.PersonalKind, kind)
