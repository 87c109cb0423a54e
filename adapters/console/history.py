"""``fulfilment history``: the facts behind an order, a case, a recovery or a supplier, each in a few words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from adapters.console import words
from adapters.console.session import Printer, Session, Words
from adapters.console.words import minute
from adapters.gist import gist
from fulfilment.v1 import audit_pb2

_ONE_LINE_WIDTH = 160
"""A terminal that is narrower gets each fact on two lines."""

WRITTEN = click.option("--personal", is_flag=True, help="What people wrote, too.")


@click.command(cls=Words)
@click.argument("order_id")
@click.option("--no-parcels", is_flag=True, help="Leave the facts of its parcels out.")
@WRITTEN
@click.pass_obj
def history(session: Session, order_id: str, no_parcels: bool, personal: bool) -> None:
    """List the facts of an order and its parcels as they were recorded."""
    print_history(
        session,
        audit_pb2.GetHistoryRequest(order_id=order_id, with_parcels=not no_parcels, with_personal_data=personal),
    )


def print_history(session: Session, request: audit_pb2.GetHistoryRequest) -> None:
    """The facts of an order, a case, a recovery or a supplier, each in a few words."""
    pages = session.client.pages(session.client.audit.GetHistory, request)
    facts = [fact for page in pages for fact in page.facts]
    if session.json:
        session.out.json([{**words.as_json(fact), "json": json.loads(fact.json)} for fact in facts])
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
