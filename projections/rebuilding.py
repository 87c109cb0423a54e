"""Building a projection anew beside the live one, comparing the two, and swapping them.

The live tables serve and follow all the while. Only for the comparison and the swap does the live one
stand still, because both have to stand at the same position. A builder that dies leaves shadow tables
behind and nothing else; the next one drops them and starts over.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from psycopg import Connection, Cursor
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from ledger.book import Registry
from ledger.journal import in_short
from ledger.refusals import UnknownProjection
from projections.following import PAGE_FACTS, Checkpoints, open_connection, said, take_lock
from projections.streams import Page, Streams
from projections.tables import SHADOW, Projection, Table

BUILDER_LEASE_SECONDS = 30.0
"""A builder that shows no progress for so long is taken to be dead."""

_PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.05

_CLAIM = """
    UPDATE {schema}.ledger_projections
    SET builder = %(token)s, builder_seen_at = clock_timestamp(), progress = 0
    WHERE name = %(name)s AND shape IS NOT NULL
        AND (builder IS NULL OR builder_seen_at < clock_timestamp() - make_interval(secs => %(lease)s))
    RETURNING shape
"""
_GO_ON = """
    UPDATE {schema}.ledger_projections SET builder_seen_at = clock_timestamp(), progress = %s
    WHERE name = %s AND builder = %s
"""
_DONE = """
    UPDATE {schema}.ledger_projections
    SET builder = NULL, requested = NULL, result = %s, finished_at = clock_timestamp()
    WHERE name = %s AND builder = %s
"""
_RESHAPED = "UPDATE {schema}.ledger_projections SET shape = %s WHERE name = %s"
_DROP = "DROP TABLE IF EXISTS {table}"
_RENAME = "ALTER TABLE {table} RENAME TO {name}"
_SUM = """
    SELECT count(*) AS rows, coalesce(sum(hash_record_extended(t, 0)::numeric), 0)::text AS hash FROM {table} AS t
"""
_DIFFERENT = """
    (SELECT {key} FROM (SELECT * FROM {live} EXCEPT SELECT * FROM {rebuilt}) AS only_live)
    UNION
    (SELECT {key} FROM (SELECT * FROM {rebuilt} EXCEPT SELECT * FROM {live}) AS only_rebuilt)
    LIMIT 5
"""

log = logging.getLogger("fulfilment.projections")


class AlreadyBuilding(Exception):
    """Another builder works on the projection, or it has no tables yet."""


class Lost(Exception):
    """Another builder took over, because this one was silent for too long."""


class Stopped(Exception):
    """The process is to end; the shadow tables are left for the next attempt to drop."""


class TableDifference(NamedTuple):
    """How a live table compares with its rebuilt twin."""

    table: str
    live_rows: int
    rebuilt_rows: int
    equal: bool
    examples: tuple[str, ...] = ()
    """The keys of some rows that differ."""

    def __str__(self) -> str:
        counts = f"{self.live_rows} rows, rebuilt {self.rebuilt_rows}"
        return f"{self.table} has {counts}, such as {', '.join(self.examples)}"


class Comparison(NamedTuple):
    """What a rebuild or a verification found, at one position of the log."""

    name: str
    position: int
    tables: tuple[TableDifference, ...]
    """Empty if the live tables had another shape and could not be compared."""
    swapped: bool

    @property
    def equal(self) -> bool:
        return all(table.equal for table in self.tables)

    def __str__(self) -> str:
        verb = "rebuilt" if self.swapped else "verified"
        if not self.tables:
            return f"{verb} in a new shape at position {self.position}"
        if self.equal:
            return f"{verb} at position {self.position}: equal, {sum(table.live_rows for table in self.tables)} rows"
        parts = "; ".join(str(table) for table in self.tables if not table.equal)
        return f"{verb} at position {self.position}: DIFFERENT: {parts}"


def rebuild(conninfo: str, schema: str, projection: Projection, stop: threading.Event | None = None) -> Comparison:
    """Builds the projection anew, compares, and puts the new tables in the place of the live ones."""
    return _Builder(conninfo, schema, projection, stop).run(swap=True)


def verify(conninfo: str, schema: str, projection: Projection, stop: threading.Event | None = None) -> Comparison:
    """Builds the projection anew and compares; the live tables stay."""
    return _Builder(conninfo, schema, projection, stop).run(swap=False)


def named(projections: Sequence[Projection], name: str) -> Projection:
    """The projection of that name; raises UnknownProjection."""
    found = next((each for each in projections if each.name == name), None)
    if found is None:
        raise UnknownProjection(name)
    return found


class _Builder:
    def __init__(self, conninfo: str, schema: str, projection: Projection, stop: threading.Event | None) -> None:
        self._conninfo = conninfo
        self._schema = schema
        self._projection = projection
        self._token = secrets.token_hex(8)
        self._stop = stop or threading.Event()
        self._checkpoints = Checkpoints(schema)
        self._streams = Streams(schema, 0, Registry())
        self._comparable = True

    def run(self, *, swap: bool) -> Comparison:
        with open_connection(self._conninfo) as connection:
            self._claim(connection)
            try:
                self._make_shadows(connection)
                self._catch_up(connection)
                comparison = self._finish(connection, swap=swap)
            except (Stopped, Lost):
                raise
            except Exception as error:
                connection.execute(
                    said(_DONE, self._schema),
                    (f"failed: {in_short(error)}".replace("\0", ""), self._projection.name, self._token),
                )
                raise
        log.log(
            logging.INFO if comparison.equal else logging.ERROR,
            "projection %s of %s was %s",
            self._projection.name,
            self._schema,
            comparison,
        )
        return comparison

    def _claim(self, connection: Connection[Any]) -> None:
        parameters = {"token": self._token, "name": self._projection.name, "lease": BUILDER_LEASE_SECONDS}
        claimed = connection.execute(said(_CLAIM, self._schema), parameters).fetchone()
        if claimed is None:
            raise AlreadyBuilding(self._projection.name)
        self._comparable = claimed[0] == self._projection.shape

    def _make_shadows(self, connection: Connection[Any]) -> None:
        with connection.transaction():
            for table in self._projection.tables:
                connection.execute(self._named(_DROP, table, SHADOW))
                for statement in table.create(self._schema, SHADOW):
                    connection.execute(statement)

    def _named(self, template: str, table: Table, suffix: str = "") -> bytes:
        name = Identifier(table.name)
        return said(template, self._schema, table=Identifier(self._schema, table.name + suffix), name=name)

    def _catch_up(self, connection: Connection[Any]) -> None:
        """Fills the shadows up to where the live tables stand, or to the head if those do not follow."""
        silent_since = time.monotonic()
        while True:
            if self._stop.is_set():
                raise Stopped(self._projection.name)
            target = self._target(connection)
            page = self._streams.read(connection, PAGE_FACTS, up_to=target)
            if page is not None:
                with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
                    self._apply(cursor, page)
                silent_since = time.monotonic()
            elif self._streams.position == target:
                return
            elif time.monotonic() - silent_since > _PATIENCE_SECONDS:
                raise TimeoutError(f"the live tables stay behind at {target}")
            else:
                time.sleep(_PAUSE_SECONDS)

    def _target(self, connection: Connection[Any]) -> int:
        if not self._comparable:
            return self._streams.head(connection)
        with connection.cursor(row_factory=dict_row) as cursor:
            return self._checkpoints.position(cursor, self._projection.name)

    def _apply(self, cursor: Cursor[Any], page: Page) -> None:
        self._go_on(cursor)
        for written in self._projection.changes(page):
            written.write(cursor, self._schema, SHADOW)

    def _go_on(self, cursor: Cursor[Any]) -> None:
        cursor.execute(said(_GO_ON, self._schema), (self._streams.position, self._projection.name, self._token))
        if not cursor.rowcount:
            raise Lost(self._projection.name)

    def _finish(self, connection: Connection[Any], *, swap: bool) -> Comparison:
        """With the live tables standing still: the last facts, the comparison, the swap."""
        name = self._projection.name
        with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
            take_lock(cursor, self._schema, name, wait=True)
            self._go_on(cursor)
            while page := self._streams.read(connection, PAGE_FACTS, up_to=self._target(connection)):
                self._apply(cursor, page)
            tables = tuple(self._compare(cursor, each) for each in self._projection.tables) if self._comparable else ()
            comparison = Comparison(name, self._streams.position, tables, swap)
            if swap:
                self._swap(cursor)
            else:
                for table in self._projection.tables:
                    cursor.execute(self._named(_DROP, table, SHADOW))
            cursor.execute(said(_DONE, self._schema), (str(comparison), name, self._token))
        return comparison

    def _compare(self, cursor: Cursor[Any], table: Table) -> TableDifference:
        sums = []
        for suffix in ("", SHADOW):
            cursor.execute(self._named(_SUM, table, suffix))
            sums.append(cast("dict[str, Any]", cursor.fetchone()))
        live, rebuilt = sums
        equal = live == rebuilt
        examples = () if equal else self._examples(cursor, table)
        return TableDifference(table.name, live["rows"], rebuilt["rows"], equal, examples)

    def _examples(self, cursor: Cursor[Any], table: Table) -> tuple[str, ...]:
        names = {
            "key": SQL(", ").join(Identifier(column) for column in list(table.columns)[: table.key]),
            "live": Identifier(self._schema, table.name),
            "rebuilt": Identifier(self._schema, table.name + SHADOW),
        }
        cursor.execute(said(_DIFFERENT, self._schema, **names))
        return tuple(" ".join(str(value) for value in row.values()) for row in cursor.fetchall())

    def _swap(self, cursor: Cursor[Any]) -> None:
        for table in self._projection.tables:
            cursor.execute(self._named(_DROP, table))
            cursor.execute(self._named(_RENAME, table, SHADOW))
        if not self._comparable:
            cursor.execute(said(_RESHAPED, self._schema), (self._projection.shape, self._projection.name))
            if self._streams.position > self._checkpoints.position(cursor, self._projection.name):
                self._checkpoints.record(cursor, self._projection.name, self._streams.position)
