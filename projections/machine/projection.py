"""What a read model is: its name, its tables, and how folded streams become their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar, cast

import msgspec

from ledger.refusals import UnknownProjection
from ledger.view import Noun
from projections.machine.histories import OrderHistory
from projections.machine.streams import Page
from projections.machine.tables import Rows, Table, Values, Written

R = TypeVar("R", bound=Values)


class Projection(NamedTuple):
    """A read model: its tables, and the function that says what a page of the log changes of them."""

    name: str
    shape: int
    """The version of its tables and of what their rows mean; a higher number means a rebuild."""
    tables: tuple[Table[Any], ...]
    changes: Callable[[Page], list[Written]]
    """What a page changes. It reads no clock and no table: the same log gives the same rows."""


class From(NamedTuple, Generic[R]):
    """The rows of a table that each stream of a noun has: a pure function of the stream's history."""

    noun: Noun
    table: Table[R]
    rows: Callable[[Any], Sequence[R]]
    compared: bool = True
    """Whether only rows that differ from those before are written. Not worth it where hardly any fact leaves the row
    as it was, and not possible where the history is folded in place. Such a stream always has the same rows' keys."""

    def follow(self, page: Page, written: Rows[R]) -> None:
        """Notes what a page changes of these rows."""
        for stream, (before, now) in page.by_stream(self.noun.prefix):
            rows = self._of(stream, now)
            if not self.compared:
                (written.new if before is None else written.changed).extend(rows)
            else:
                written.replace(() if before is None else self._of(stream, before), rows)

    def _of(self, stream: str, history: Any) -> Sequence[R]:
        cached = self.compared and type(history) is OrderHistory
        rows: Sequence[R] = history.cached(self.rows) if cached else self.rows(history)
        return cast("list[R]", [(*row[:-1], stream) for row in rows]) if self.table.of_streams else rows


class Stamped(NamedTuple):
    """The rows that each stream of a noun has, with the position by which each last changed (``stamped_table``).

    A row that is as before is not written. Of what is gone a line stays, so that whoever took the rows along can drop
    them: its table, its key as JSON, the position.
    """

    noun: Noun
    table: Table[Values]
    rows: Callable[[Any], Sequence[Values]]
    gone: Table[Values]

    def follow(self, page: Page, written: Rows[Values], gone: Rows[Values]) -> None:
        make = self.rows
        for before, now, position in page.stamped(self.noun.prefix):
            if type(now) is OrderHistory:
                was = () if before is None else before.cached(make)
                rows = now.cached(make)
            else:
                was = () if before is None else make(before)
                rows = make(now)
            if not was:
                written.new += [(*row, position) for row in rows]
            elif was != rows:
                self._differ(was, rows, position, written, gone)

    def _differ(
        self, was: Sequence[Values], rows: Sequence[Values], position: int, written: Rows[Values], gone: Rows[Values]
    ) -> None:
        key = self.table.key
        old = {row[:key]: row for row in was}
        for row in rows:
            former = old.pop(row[:key], None)
            if former is None:
                written.new.append((*row, position))
            elif former != row:
                written.changed.append((*row, position))
        if old:
            written.gone += old
            gone.changed += ((self.table.name, key_of(each), position) for each in old)


_encode = msgspec.json.Encoder().encode


def key_of(key: Values) -> str:
    """The values of a key in one text."""
    return _encode(key).decode()


class FromPages(NamedTuple):
    """Rows that are not those of one stream after the other: what a page as a whole changes of some tables."""

    tables: tuple[Table[Any], ...]
    changes: Callable[[Page], Iterable[Written]]


def projection(name: str, shape: int, *sources: From[Any] | FromPages | Stamped) -> Projection:
    """A question whose tables are filled from these; they are written in the order of their sources."""

    def changes(page: Page) -> list[Written]:
        written: list[Written] = []
        rows: dict[str, Rows[Any]] = {}
        for source in sources:
            if isinstance(source, FromPages):
                written += source.changes(page)
                continue
            for table in _tables(source):
                if table.name not in rows:
                    rows[table.name] = Rows(table)
                    written.append(rows[table.name])
            source.follow(page, *(rows[table.name] for table in _tables(source)))
        return written

    tables = [table for each in sources for table in _tables(each)]
    return Projection(name, shape, tuple(dict.fromkeys(tables)), changes)


def _tables(source: From[Any] | FromPages | Stamped) -> tuple[Table[Any], ...]:
    match source:
        case FromPages():
            return source.tables
        case Stamped():
            return (source.table, source.gone)
        case From():
            return (source.table,)


def named(projections: Sequence[Projection], name: str) -> Projection:
    """The projection of that name; raises UnknownProjection."""
    found = next((each for each in projections if each.name == name), None)
    if found is None:
        raise UnknownProjection(name)
    return found
