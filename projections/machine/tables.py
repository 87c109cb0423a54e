"""Tables of read models: how one is declared from its row, made, and written in sets of rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, cast

from psycopg import Cursor
from psycopg.sql import SQL, Composed, Identifier

from projections.machine.rows import Column, columns_of

SHADOW = "_new"
"""What the name of a table ends in while it is being rebuilt."""

_BULK = 20
"""From so many new rows on, COPY pays."""

Values = tuple[Any, ...]

R = TypeVar("R", bound=Values)


@dataclass(frozen=True, eq=False, slots=True)
class Table(Generic[R]):
    """A table of a read model; the columns of its key come first."""

    name: str
    key: int
    """How many columns the key has."""
    columns: Mapping[str, Column]
    indexes: tuple[str, ...] = ()
    """What each index is on, such as ``(status, placed_at)``."""
    stamped: bool = False
    """Whether its last column says by which position of the log a row last changed. That is the last fact of its
    stream in the page that changed it, never an earlier one, and so depends on where pages end."""
    handed_on: bool = False
    """Whether even its keys depend on where pages end, so that a rebuild takes over the rows that it does not find."""

    of_streams: bool = False
    """Whether its last column is the name of the stream that a row is of."""

    @property
    def types(self) -> list[str]:
        return [column.declared.partition(" ")[0] for column in self.columns.values()]

    @property
    def compared(self) -> list[str]:
        """The columns that the log alone gives, wherever pages end."""
        return [] if self.handed_on else list(self.columns)[: -1 if self.stamped else None]

    def create(self, schema: str, suffix: str = "") -> list[Composed]:
        """The statements that make it."""
        columns = ", ".join(f"{name} {column.declared}" for name, column in self.columns.items())
        key = ", ".join(list(self.columns)[: self.key])
        make = f"CREATE TABLE {{table}} ({columns}, PRIMARY KEY ({key})) WITH (fillfactor = 80)"
        indexes = [f"CREATE INDEX ON {{table}} {index}" for index in self.indexes]
        table = Identifier(schema, self.name + suffix)
        return [_sql(statement).format(table=table) for statement in (make, *indexes)]


def table(name: str, row: type[R], key: int, *indexes: str) -> Table[R]:
    """The table of a named tuple: its fields are the columns, and the first of them the key.

    A last one ``stream``, with an empty text as its default, is filled in.
    """
    found = columns_of(row)
    return Table(name, key, found, indexes, of_streams=list(found)[-1] == "stream")


POSITION = Column("int8 NOT NULL")


def stamped_table(name: str, row: type[tuple[Any, ...]], key: int, *indexes: str) -> Table[Values]:
    """The table of a named tuple, and beside its columns the position by which each row last changed."""
    return Table(name, key, {**columns_of(row), "position": POSITION}, indexes, stamped=True)


def _sql(template: str) -> SQL:
    """SQL that is written in this package; values of callers are always parameters."""
    return SQL(cast("Any", template))


class Written(Protocol):
    """What a page changes of one table."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""

    def write(self, cursor: Cursor[Any], schema: str, suffix: str) -> None:
        """Makes the changes, in a few statements however many rows there are."""


class Rows(Generic[R]):
    """What a page changes of one table, as whole rows."""

    def __init__(self, table: Table[R]) -> None:
        self.table = table
        self.new: list[R] = []
        self.changed: list[R] = []
        self.gone: list[Values] = []
        """Their keys."""

    def replace(self, before: Iterable[R], after: Iterable[R]) -> None:
        """The rows of one stream as they were and as they are: only what differs is written."""
        key = self.table.key
        old = {row[:key]: row for row in before}
        if not old:
            self.new += after
            return
        for row in after:
            was = old.pop(row[:key], None)
            if was is None:
                self.new.append(row)
            elif was != row:
                self.changed.append(row)
        self.gone += old

    @property
    def is_empty(self) -> bool:
        return not (self.new or self.changed or self.gone)

    def write(self, cursor: Cursor[Any], schema: str, suffix: str) -> None:
        statements = _statements(self.table, schema, suffix)
        if self.gone:
            cursor.execute(statements.delete, columns(self.gone), prepare=True)
        if len(self.new) < _BULK:
            self.changed += self.new
        else:
            with cursor.copy(statements.copy) as copy:
                copy.set_types(self.table.types)
                for row in _encoded(self.table, self.new):
                    copy.write_row(row)
        if self.changed:
            cursor.execute(statements.upsert, columns(_encoded(self.table, self.changed)), prepare=True)


class AddedRows(Generic[R]):
    """Rows that are written once and never change; existing ones stay."""

    def __init__(self, table: Table[R], rows: Iterable[R]) -> None:
        self.table = table
        first: dict[Values, R] = {}
        for row in rows:
            first.setdefault(row[: table.key], row)
        self.rows = list(first.values())

    @property
    def is_empty(self) -> bool:
        return not self.rows

    def write(self, cursor: Cursor[Any], schema: str, suffix: str) -> None:
        if self.rows:
            statement = _statements(self.table, schema, suffix).insert
            cursor.execute(statement, columns(_encoded(self.table, self.rows)), prepare=True)


def _encoded(table: Table[Any], rows: Sequence[Values]) -> Sequence[Values]:
    """The rows as they are kept."""
    encoders = [(index, column.encode) for index, column in enumerate(table.columns.values()) if column.encode]
    if not encoders:
        return rows
    kept: list[Iterable[Any]] = [*zip(*rows, strict=True)]
    for index, encode in encoders:
        kept[index] = map(encode, kept[index])
    return [*zip(*kept, strict=True)]


def columns(rows: Iterable[Values]) -> list[list[Any]]:
    """The same values, column by column, as parameters that are arrays."""
    return [list(column) for column in zip(*rows, strict=True)]


class _Statements(NamedTuple):
    insert: bytes
    upsert: bytes
    delete: bytes
    copy: bytes


@cache
def _statements(table: Table[Any], schema: str, suffix: str) -> _Statements:
    names = [Identifier(column) for column in table.columns]
    arrays = [_sql(f"%b::{each}[]") for each in table.types]
    key = table.key
    values = [_sql("{0} = excluded.{0}").format(column) for column in names[key:]]
    parts = {
        "table": Identifier(schema, table.name + suffix),
        "columns": SQL(", ").join(names),
        "arrays": SQL(", ").join(arrays),
        "key": SQL(", ").join(names[:key]),
        "key_arrays": SQL(", ").join(arrays[:key]),
        "conflict": _sql("({}) DO UPDATE SET {}").format(SQL(", ").join(names[:key]), SQL(", ").join(values))
        if values
        else SQL("DO NOTHING"),
    }
    insert = "INSERT INTO {table} ({columns}) SELECT * FROM unnest({arrays}) ON CONFLICT "
    templates = (
        insert + "DO NOTHING",
        insert + "{conflict}",
        "DELETE FROM {table} WHERE ({key}) IN (SELECT * FROM unnest({key_arrays}))",
        "COPY {table} ({columns}) FROM STDIN (FORMAT binary)",
    )
    return _Statements(*(_sql(template).format(**parts).as_bytes(None) for template in templates))
