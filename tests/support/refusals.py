"""A refusal of any class with sample figures, made from the types of its fields."""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import Enum
from types import NoneType
from typing import Any, get_args, get_type_hints

import msgspec

from ledger.facts import LineNo
from ledger.refusals import Malformed, Refusal
from ledger.terms.money import Money

_PLAIN: dict[Any, object] = {
    str: "a word",
    bool: True,
    int: 2,
    LineNo: LineNo(1),
    date: date(2026, 1, 5),
    datetime: datetime(2026, 1, 5, 9, 30, 15, tzinfo=UTC),
    Money: Money(1234, "EUR"),
}


def sample(kind: type[Refusal]) -> Refusal:
    if kind is Malformed:
        return Malformed(("lines[2].quantity", "is required"))
    types = get_type_hints(kind)
    return kind(*(_sample(types[field.name]) for field in kind.fields))


def _sample(kind: Any) -> Any:
    """A value of a type: of several the first, of rows one row, of what is made of others one with each of them."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind))
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind(**{field.name: _sample(field.type) for field in msgspec.structs.fields(kind)})
    parts = [part for part in get_args(kind) if part not in (NoneType, ...)]
    if NoneType in get_args(kind):
        return _sample(parts[0])
    return tuple(map(_sample, parts))
