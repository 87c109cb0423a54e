"""Tables of read models: how one is declared, made, written in sets of rows, compared and swapped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, Protocol, cast

from psycopg import Cursor
from psycopg.sql import SQL, Composed, Identifier

from ledger.refusals import UnknownProjection
from projections.machine.streams import Page

ID = 'text COLLATE "C" NOT NULL'
"""An id: compared byte by byte, which is fast and the same on every machine."""

SHADOW = "_new"
"""What the name of a table ends in while it is being rebuilt."""

_BULK = 20
"""From so many new rows on, COPY pays."""

Values = tuple[Any, ...]


class Table(NamedTuple):
    """A table of a read model; the columns of its key come first."""

    name: str
    key: int
    """How many columns the key has."""
    columns: Mapping[str, str]
    """The type of each column, by name."""
    indexes: tuple[str, ...] = ()
    """What each index is on, such as ``(status, placed_at)``."""

    @property
    def types(self) -> list[str]:
        return [declared.partition(" ")[0] for declared in self.columns.values()]

    def create(self, schema: str, suffix: str = "") -> list[Composed]:
        """The statements that make it."""
        columns = ", ".join(f"{name} {declared}" for name, declared in self.columns.items())
        key = ", ".join(list(self.columns)[: self.key])
        make = f"CREATE TABLE {{table}} ({columns}, PRIMARY KEY ({key})) WITH (fillfactor = 80)"
        indexes = [f"CREATE INDEX ON {{table}} {index}" for index in self.indexes]
        table = Identifier(schema, self.name + suffix)
        return [_sql(statement).format(table=table) for statement in (make, *indexes)]


def _sql(template: str) -> SQL:
    """SQL that stands in this package; what callers send is always a parameter."""
    return SQL(cast("Any", template))


class Written(Protocol):
    """What a page changes of one table."""

    def write(self, cursor: Cursor[Any], schema: str, suffix: str) -> None:
        """Makes the changes, in a few statements however many rows there are."""


class Rows:
    """What a page changes of one table, as whole rows."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.new: list[Values] = []
        self.changed: list[Values] = []
        self.gone: list[Values] = []

    def replace(self, before: Iterable[Values], after: Iterable[Values]) -> None:
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

    def write(self, cursor: Cursor[Any], schema: str, suffix: str) -> None:
        statements = _statements(self.table.name, tuple(self.table.columns.items()), self.table.key, schema, suffix)
        if self.gone:
            cursor.execute(statements.delete, _columns(self.gone), prepare=True)
        if len(self.new) < _BULK:
            self.changed += self.new
        else:
            with cursor.copy(statements.copy) as copy:
                copy.set_types(self.table.types)
                for row in self.new:
                    copy.write_row(row)
        if self.changed:
            cursor.execute(statements.upsert, _columns(self.changed), prepare=True)


class Once:
    """Rows that are written once and never change; those that are there already stay."""

    def __init__(self, table: Table, rows: Iterable[Values]) -> None:
        self.table = table
        self.rows = list(dict.fromkeys(rows))

    def write(self, cursor: Cursor[Any], schema: str, suffix: str) -> None:
        if self.rows:
            statements = _statements(self.table.name, tuple(self.table.columns.items()), self.table.key, schema, suffix)
            cursor.execute(statements.insert, _columns(self.rows), prepare=True)


def _columns(rows: Sequence[Values]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


class _Statements(NamedTuple):
    insert: bytes
    upsert: bytes
    delete: bytes
    copy: bytes


@cache
def _statements(name: str, columns: tuple[tuple[str, str], ...], key: int, schema: str, suffix: str) -> _Statements:
    names = [Identifier(column) for column, _ in columns]
    arrays = [_sql(f"%b::{declared.partition(' ')[0]}[]") for _, declared in columns]
    values = [_sql("{0} = excluded.{0}").format(column) for column in names[key:]]
    parts = {
        "table": Identifier(schema, name + suffix),
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


class Projection(NamedTuple):
    """A question: the tables that answer it, and what a page of the log changes of them."""

    name: str
    shape: int
    """The version of its tables and of what their rows mean; a higher number means a rebuild."""
    tables: tuple[Table, ...]
    changes: Callable[[Page], list[Written]]
    """What a page changes. It reads no clock and no table: the same log gives the same rows."""


def named(projections: Sequence[Projection], name: str) -> Projection:
    """The projection of that name; raises UnknownProjection."""
    found = next((each for each in projections if each.name == name), None)
    if found is None:
        raise UnknownProjection(name)
    return found
