"""``fulfilment history``: the facts behind an order, a case, a recovery or a supplier, each in a few words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from adapters.console.auditing.gist import gist
from adapters.console.terminal import words
from adapters.console.terminal.commands import Words
from adapters.console.terminal.printer import Printer
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute
from fulfilment.v1 import audit_pb2

_ONE_LINE_WIDTH = 160
"""A terminal that is narrower gets each fact on two lines."""

WRITTEN = click.option("--personal", is_flag=True, help="What people wrote, too.")

LANGUAGE = click.option("--language", type=click.Choice(["en", "zh"]), help="Of the sentences; en if not said.")
TIME_ZONE = click.option(
    "--time-zone", metavar="ZONE", help="Of the times, such as Europe/Berlin, beside UTC; UTC alone if not said."
)


@click.command(cls=Words)
@click.argument("order_id")
@click.option("--no-parcels", is_flag=True, help="Leave the facts of its parcels out.")
@WRITTEN
@click.option("--words", "in_words", is_flag=True, help="Tell each fact as a sentence.")
@LANGUAGE
@TIME_ZONE
@click.pass_obj
def history(
    session: Session,
    order_id: str,
    no_parcels: bool,
    personal: bool,
    in_words: bool,
    language: str | None,
    time_zone: str | None,
) -> None:
    """List the facts of an order and its parcels as they were recorded.

    With --words each is a sentence: when it happened, who did it, what, which values it replaced, and when it was
    recorded.
    """
    if (language or time_zone) and not in_words:
        raise click.UsageError("--language and --time-zone are of the sentences that --words asks for.")
    request = audit_pb2.GetHistoryRequest(
        order_id=order_id, with_parcels=not no_parcels, with_personal_data=personal, time_zone=time_zone or ""
    )
    if in_words:
        request.language = language or "en"
    print_history(session, request)


def print_history(session: Session, request: audit_pb2.GetHistoryRequest) -> None:
    """The facts of an order, a case, a recovery or a supplier, each in a few words."""
    pages = session.client.pages(session.client.audit.GetHistory, request)
    facts = [fact for page in pages for fact in page.facts]
    if session.json:
        session.out.json([{**words.as_json(fact), "json": json.loads(fact.json)} for fact in facts])
        return
    if request.language:
        for fact in facts:
            session.out.say(" ".join([f"{fact.position:>8}  {fact.sentence}", *filter(None, [fact.written])]))
        return
    rows = []
    for fact in facts:
        content = json.loads(fact.json)
        recorded = minute(fact, "recorded_at")
        what = ", ".join(filter(None, [gist(content), fact.written]))
        rows.append([str(fact.position), recorded, _happened(content), fact.name, fact.actor, what])
    if session.out.width >= _ONE_LINE_WIDTH:
        session.out.table([">position", "recorded", "happened", "fact", "actor", "what"], rows)
    else:
        _print_blocks(session.out, rows)


def _print_blocks(out: Printer, rows: Sequence[Sequence[str]]) -> None:
    for position, recorded, happened, name, actor, what in rows:
        out.title(f"{position:>8}  {name}", f"recorded {recorded} by {actor}")
        when = "" if happened in ("", recorded) else f"on {happened}"
        if line := "; ".join(filter(None, [when, what])):
            out.say(line, indent=10)


def _happened(content: dict[str, Any]) -> str:
    at = content.get("checkpoint", content).get("at")
    return words.to_minute(datetime.fromisoformat(at)) if at else ""
