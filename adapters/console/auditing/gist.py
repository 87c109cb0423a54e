"""A stored fact in a few words, whatever fact it is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ledger.facts import to_minute
from ledger.terms.money import Money

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
            return f"{label} {Money(amount, currency)}".rstrip()
        case {"name": str(rate), "numerator": int(part), "denominator": int(of)}:
            return f"{rate} {part} of {of}"
        case dict() if name == "by_line" or all(key.isdigit() for key in value):
            return _text_of_lines(value) if name in _UNITS else f"{label} {_text_of_lines(value, '')}"
        case dict():
            return gist(value)
        case list() if name == "lines":
            return " + ".join(f"{_wanted(line)} {line.get('sku', '(no sku)')}" for line in value)
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
            return f"{label} {to_minute(at)}"
        case _:
            return f"{label} {value}"


def _wanted(line: dict[str, Any]) -> int:
    """The units of a line without those that an amendment took away."""
    return int(line.get("quantity", 0) - line.get("given_up", 0))


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
