"""Rows of read models: a named tuple says which columns there are, and its types how each is kept and read back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from types import NoneType
from typing import Annotated, Any, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

import msgspec

R = TypeVar("R")

ID = 'text COLLATE "C" NOT NULL'
"""An id: compared byte by byte, which is fast and the same on every machine."""


class Column(NamedTuple):
    """How the values of a field are kept."""

    declared: str
    """The type in PostgreSQL, and whether it may be NULL."""
    encode: Callable[[Any], Any] | None = None
    """Makes what is kept; None where the value is kept as it is."""
    decode: Callable[[Any], Any] | None = None


Text = Annotated[str, "text NOT NULL"]
"""Words that nobody looks for."""

Int2 = Annotated[int, "int2 NOT NULL"]
Int4 = Annotated[int, "int4 NOT NULL"]

_PLAIN: Mapping[Any, Column] = {
    str: Column(ID),
    int: Column("int8 NOT NULL"),
    bool: Column("bool NOT NULL"),
    datetime: Column("timestamptz NOT NULL"),
    date: Column("date NOT NULL"),
    bytes: Column("bytea NOT NULL"),
}


def until_the_end(never: datetime) -> Column:
    """A time to sort by that may be missing; missing ones come last."""
    return Column("timestamptz NOT NULL", lambda at: at or never, lambda kept: None if kept == never else kept)


def columns_of(row: type[Any]) -> dict[str, Column]:
    """The columns of a named tuple, by name."""
    hints = get_type_hints(row, include_extras=True)
    return {name: _column(hints[name]) for name in row._fields}


def _column(hint: Any) -> Column:
    if get_origin(hint) is Annotated:
        inner, *marks = get_args(hint)
        # What a column means is said beside how it is kept.
        mark = next((each for each in marks if isinstance(each, str | Column)), None)
        if mark is None:
            return _column(inner)
        return mark if isinstance(mark, Column) else _column(inner)._replace(declared=mark)
    if hint in _PLAIN:
        return _PLAIN[hint]
    if NoneType in get_args(hint):
        (inner,) = (each for each in get_args(hint) if each is not NoneType)
        return _or_none(_column(inner))
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return Column(ID, None, hint)
    return Column("text NOT NULL", _json, msgspec.json.Decoder(hint).decode)


def _or_none(column: Column) -> Column:
    """A missing word is stored as an empty text, anything else as NULL."""
    decode = column.decode
    if decode is not None:
        return Column(column.declared, lambda value: value or "", lambda kept: decode(kept) if kept else None)
    return Column(column.declared.removesuffix(" NOT NULL"))


def _json(value: Any) -> str:
    return _encode(value).decode()


_encode = msgspec.json.Encoder().encode


@cache
def reader(row: type[R]) -> Callable[..., R]:
    """Makes a row from what its columns hold, by name."""
    decoders = [(name, column.decode) for name, column in columns_of(row).items() if column.decode is not None]
    if not decoders:
        return row

    def read(**kept: Any) -> R:
        for name, decode in decoders:
            kept[name] = decode(kept[name])
        return row(**kept)

    return read
