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
from fulfilment.v1 import audit_pb2

_ONE_LINE_WIDTH = 160
"""A terminal that is narrower gets each fact on two lines."""


@click.command(cls=Words)
@click.argument("order_id")
@click.option("--no-parcels", is_flag=True, help="Leave the facts of its parcels out.")
@click.pass_obj
def history(session: Session, order_id: str, no_parcels: bool) -> None:
    """List the facts of an order and its parcels as they were recorded."""
    print_history(session, audit_pb2.GetHistoryRequest(order_id=order_id, with_parcels=not no_parcels))


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
        rows.append([str(fact.position), recorded, _happened(content), fact.name, fact.actor, gist(content)])
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


_LEFT_OUT = {
    "fact", "order_id", "at", "intake", "subject", "customer", "channel", "channel_order_id", "placed_at", "epoch",
    "has_contact", "has_address", "destination", "untracked", "return_window_days", "note", "currency",
}  # fmt: skip
"""Fields that are shown elsewhere in the row, are sealed, or do not interest a reader."""

_BARE = {
    "object_id",
    "case_id",
    "supplier_order_id",
    "supplier_id",
    "reason",
    "payment",
    "clock",
    "status",
    "carrier",
    "number",
    "country",
    "city",
}
"""Values that are shown without their names."""


_UNITS = {"by_line", "units", "backordered", "lacking", "given_free", "not_awaited"}
"""Numbers by line that count units; others are amounts or names."""


def gist(content: dict[str, Any]) -> str:
    """A stored fact in a few words."""
    return ", ".join(text for name, value in content.items() if name not in _LEFT_OUT and (text := _text(name, value)))


def _text(name: str, value: Any) -> str:
    label = name.replace("_", " ")
    match value:
        case bool():
            return label if value else ""
        case dict() if "box" in value:
            return ""
        case {"amount_minor": int(amount), "currency": str(currency)}:
            return f"{label} {words.money(amount, currency)}"
        case {"name": str(rate), "numerator": int(part), "denominator": int(of)}:
            return f"{rate} {part} of {of}"
        case dict() if name == "by_line" or all(key.isdigit() for key in value):
            return _text_of_lines(value) if name in _UNITS else f"{label} {_text_of_lines(value, '')}"
        case dict():
            return gist(value)
        case list() if name == "lines":
            return " + ".join(f"{line.get('quantity', 0)} {line.get('sku', '(no sku)')}" for line in value)
        case list() if name == "rates":
            return " + ".join(_text("rate", each) for each in value if each["denominator"])
        case list() if all(isinstance(each, dict) for each in value):
            return f"{label}: {'; '.join(str(each.get('reason', gist(each))) for each in value)}" if value else ""
        case list():
            return f"{label} {', '.join(map(str, value))}" if value else ""
        case None | "":
            return ""
        case str() if name in _BARE:
            return value
        case str() if (at := _instant(value)) is not None:
            return f"{label} {words.to_minute(at)}"
        case _:
            return f"{label} {value}"


def _text_of_lines(by_line: dict[str, Any], counted: str = "unit") -> str:
    """Units by line, or the texts of each line."""
    texts = {
        line: gist(each) if isinstance(each, dict) else f"{each} {_plural(counted, each)}".strip()
        for line, each in by_line.items()
    }
    return " + ".join(f"line {line}: {each}" for line, each in texts.items())


def _plural(word: str, count: int) -> str:
    return word if count == 1 or not word else f"{word}s"


def _instant(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else None
