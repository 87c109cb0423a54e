"""Building a projection anew beside the live one, comparing the two, and swapping them.

The live tables serve and follow meanwhile. Only for the comparison and the swap does the live projection
stop, because both have to be at the same position. A builder that dies leaves shadow tables
behind and nothing else; the next one drops them and starts over.

The swap needs an exclusive lock of the live tables. Waiting for a lock makes all later readers wait as well, so
the lock is tried only for a moment, again and again, until nobody reads the tables.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from contextlib import suppress
from typing import Any, NamedTuple

import psycopg
from psycopg import Connection, Cursor
from psycopg.sql import SQL, Identifier

from ledger.engine.registry import Registry
from ledger.engine.statements import in_schema
from ledger.engine.trouble import is_trouble
from ledger.nouns import NOUNS
from ledger.refusals import Shown
from projections.machine.database import (
    BUILDER_IS_ALIVE,
    lock,
    move_on,
    open_connection,
    position_of,
    try_lock,
    views_of,
)
from projections.machine.following import CannotTake, error_text
from projections.machine.projection import Projection
from projections.machine.streams import Page, Streams
from projections.machine.tables import SHADOW, Table

BUILT_FACTS = 5_000
"""How many facts are built on by at once: nobody waits for any of them."""
BUILDER_LEASE_SECONDS = 30.0
"""A builder that shows no progress for so long is taken to be dead."""

_PATIENCE_SECONDS = 60.0
"""How long live tables may stand still behind the log until they are taken to go on no more."""
_PATIENCE_WITH_ERROR_SECONDS = 2.0
_PAUSE_SECONDS = 0.05
_SWAP_MILLISECONDS = 50
"""How long readers may wait behind a swap that waits for a table."""
_SHORTEST_WAIT_SECONDS = 0.2
_LONGEST_WAIT_SECONDS = 5.0

_CLAIM = f"""
    UPDATE {{schema}}.ledger_projections
    SET builder = %(token)s, builder_seen_at = now(), progress = 0
    WHERE name = %(name)s AND shape <= %(shape)s AND (NOT {BUILDER_IS_ALIVE}
        OR builder_seen_at < now() - make_interval(secs => %(lease)s) AND %(free)s)
    RETURNING shape
"""  # noqa: S608
_GO_ON = """
    UPDATE {schema}.ledger_projections SET builder_seen_at = now(), progress = %s
    WHERE name = %s AND builder = %s
"""
_DONE = """
    UPDATE {schema}.ledger_projections
    SET builder = NULL, requested = NULL, result = %s, finished_at = now()
    WHERE name = %s AND builder = %s
"""
_WAITS = """
    UPDATE {schema}.ledger_projections SET builder_seen_at = now(), result = %s
    WHERE name = %s AND builder = %s
"""
_GIVEN_UP = """
    UPDATE {schema}.ledger_projections SET builder = NULL, result = %s, finished_at = now()
    WHERE name = %s AND builder = %s
"""
_LET_GO = "UPDATE {schema}.ledger_projections SET builder = NULL WHERE name = %s AND builder = %s"
_ERROR = "SELECT error FROM {schema}.ledger_projections WHERE name = %s"
_READER = """
    SELECT concat_ws(' ', 'session', held.pid, nullif(activity.application_name, ''), activity.state)
    FROM pg_locks AS held JOIN pg_class AS class ON class.oid = held.relation
        JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
        JOIN pg_stat_activity AS activity ON activity.pid = held.pid
    WHERE held.granted AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND held.pid <> pg_backend_pid() AND namespace.nspname = %s AND class.relname = ANY(%s)
    ORDER BY activity.xact_start LIMIT 1
"""
_THERE = """
    SELECT relname FROM pg_class JOIN unnest(%s::text[]) WITH ORDINALITY AS wanted (name, number) ON name = relname
    WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'p') ORDER BY number
"""
_TAKE_TABLES = "LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE"
_RESHAPED = "UPDATE {schema}.ledger_projections SET shape = %s WHERE name = %s"
_DROP = "DROP TABLE IF EXISTS {table}"
_RENAME = "ALTER TABLE IF EXISTS {table} RENAME TO {name}"
_HAND_ON = """
    INSERT INTO {table} AS kept SELECT * FROM {live}
    ON CONFLICT ({key}) DO UPDATE SET position = greatest(kept.position, excluded.position)
"""
_FORMER = "_former"
"""What the name of a table ends in between being replaced and being dropped."""
_SUM = """
    SELECT count(*) AS rows, coalesce(sum(hash_record_extended(ROW({columns}), 0)::numeric), 0)::text AS hash
    FROM {table}
"""
_DIFFERENT = """
    (SELECT {key} FROM (SELECT {columns} FROM {live} EXCEPT SELECT {columns} FROM {rebuilt}) AS only_live)
    UNION
    (SELECT {key} FROM (SELECT {columns} FROM {rebuilt} EXCEPT SELECT {columns} FROM {live}) AS only_rebuilt)
    LIMIT 5
"""

log = logging.getLogger("fulfilment.projections")


class AlreadyBuilding(Exception):
    """Another builder works on the projection, or it has no tables yet."""


class Lost(Exception):
    """Another builder took over, because this one was silent for too long."""


class Behind(Shown):
    """The live tables do not reach the head of the log, so the rest cannot be compared."""

    def __init__(self, position: int, head: int, error: str | None) -> None:
        why = f": {error}" if error else ", without an error"
        super().__init__(f"the live tables stand at position {position} of {head} and do not go on{why}")


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
    """Of what was built."""
    tables: tuple[TableDifference, ...]
    """Empty if the live tables had another shape and could not be compared."""
    swapped: bool
    compared_at: int = 0
    """Where the live tables stood, if they were behind and went on no more."""

    @property
    def equal(self) -> bool:
        return all(table.equal for table in self.tables)

    def __str__(self) -> str:
        verb = "rebuilt" if self.swapped else "verified"
        what = f"{verb} at position {self.position}"
        if not self.tables:
            return f"{verb} in a new shape at position {self.position}"
        if self.compared_at < self.position:
            what += f", compared at {self.compared_at}, where the one before stood still"
        if self.equal:
            return f"{what}: equal, {sum(table.live_rows for table in self.tables)} rows"
        parts = "; ".join(str(table) for table in self.tables if not table.equal)
        return f"{what}: DIFFERENT: {parts}"


def rebuild(conninfo: str, schema: str, projection: Projection, stop: threading.Event | None = None) -> Comparison:
    """Builds the projection anew, compares, and puts the new tables in the place of the live ones."""
    return Builder(conninfo, schema, projection, stop).run(swap=True)


def verify(conninfo: str, schema: str, projection: Projection, stop: threading.Event | None = None) -> Comparison:
    """Builds the projection anew and compares; the live tables stay."""
    return Builder(conninfo, schema, projection, stop).run(swap=False)


class Builder:
    """One rebuild or verification of a projection, from claim to result."""

    def __init__(self, conninfo: str, schema: str, projection: Projection, stop: threading.Event | None) -> None:
        self._conninfo = conninfo
        self._schema = schema
        self._projection = projection
        self._token = secrets.token_hex(8)
        self._stop = stop or threading.Event()
        self._streams = Streams(schema, 0, Registry(NOUNS))
        self._comparable = True
        self.waits = False
        """Whether all is built and only the swap waits for those who read the live tables."""

    def run(self, *, swap: bool) -> Comparison:
        with open_connection(self._conninfo) as connection:
            self._claim(connection)
            try:
                self._make_shadows(connection)
                comparison = self._build(connection, swap=swap)
            except Stopped:
                connection.execute(in_schema(_LET_GO, self._schema), (self._projection.name, self._token))
                raise
            except Lost:
                raise
            except Exception as error:
                self._give_up(connection, error)
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
        name = self._projection.name
        parameters = {
            "token": self._token,
            "name": name,
            "shape": self._projection.shape,
            "lease": BUILDER_LEASE_SECONDS,
        }
        with connection.transaction(), connection.cursor() as cursor:
            # Who compares tables is silent, and holds the lock.
            parameters["free"] = try_lock(cursor, self._schema, name)
            claimed = cursor.execute(in_schema(_CLAIM, self._schema), parameters).fetchone()
        if claimed is None:
            raise AlreadyBuilding(name)
        self._comparable = claimed[0] == self._projection.shape

    def _give_up(self, connection: Connection[Any], error: Exception) -> None:
        """After a database error the request stays; after any other error it is finished."""
        template, word = (_GIVEN_UP, "waits") if is_trouble(error) else (_DONE, "failed")
        with suppress(psycopg.Error):
            result = f"{word}: {error_text(error)}"
            connection.execute(in_schema(template, self._schema), (result, self._projection.name, self._token))

    def _make_shadows(self, connection: Connection[Any]) -> None:
        with connection.transaction():
            for table in self._projection.tables:
                connection.execute(self._named(_DROP, table, SHADOW))
                for statement in table.create(self._schema, SHADOW):
                    connection.execute(statement)

    def _named(self, template: str, table: Table[Any], suffix: str = "", **more: Any) -> bytes:
        names = {"table": Identifier(self._schema, table.name + suffix), "name": Identifier(table.name), **more}
        return in_schema(template, self._schema, **names)

    def _build(self, connection: Connection[Any], *, swap: bool) -> Comparison:
        """Fills the shadow tables, and finishes as soon as no lock is in the way."""
        pause, head = _SHORTEST_WAIT_SECONDS, self._streams.head(connection)
        while True:
            self._catch_up(connection, head, swap=swap)
            comparison = self._try_to_finish(connection, swap=swap)
            if comparison is not None:
                return comparison
            self.waits = True
            if self._stop.wait(pause):
                raise Stopped(self._projection.name)
            pause = min(pause * 2, _LONGEST_WAIT_SECONDS)

    def _catch_up(self, connection: Connection[Any], head: int, *, swap: bool) -> None:
        """Fills the shadow tables up to the position of the live ones, or to the head if those do not follow.

        Live tables that do not reach the head can be rebuilt, and cannot be verified.
        """
        silent_since = time.monotonic()
        while True:
            if self._stop.is_set():
                raise Stopped(self._projection.name)
            target = self._target(connection)
            page = self._streams.read(connection, BUILT_FACTS, up_to=target)
            if page is not None:
                with connection.transaction(), connection.cursor() as cursor:
                    self._apply(cursor, page)
                    self._move_checkpoint(cursor)
                silent_since = time.monotonic()
            elif self._streams.position == target and target >= head:
                return
            elif self._stands_still(connection, time.monotonic() - silent_since):
                if not swap:
                    raise Behind(target, head, self._error(connection))
                return
            else:
                time.sleep(_PAUSE_SECONDS)

    def _stands_still(self, connection: Connection[Any], seconds: float) -> bool:
        patience = _PATIENCE_SECONDS if self._error(connection) is None else _PATIENCE_WITH_ERROR_SECONDS
        return seconds > patience

    def _error(self, connection: Connection[Any]) -> str | None:
        row = connection.execute(in_schema(_ERROR, self._schema), (self._projection.name,)).fetchone()
        return row[0] if row else None

    def _target(self, connection: Connection[Any]) -> int:
        if not self._comparable:
            return self._streams.head(connection)
        with connection.cursor() as cursor:
            return position_of(cursor, self._schema, self._projection.name)

    def _apply(self, cursor: Cursor[Any], page: Page) -> None:
        try:
            for written in self._projection.changes(page):
                written.write(cursor, self._schema, SHADOW)
        except Exception as error:
            if is_trouble(error):
                raise
            raise CannotTake(page.after, page.position, error) from error

    def _move_checkpoint(self, cursor: Cursor[Any]) -> None:
        cursor.execute(in_schema(_GO_ON, self._schema), (self._streams.position, self._projection.name, self._token))
        if not cursor.rowcount:
            raise Lost(self._projection.name)

    def _try_to_finish(self, connection: Connection[Any], *, swap: bool) -> Comparison | None:
        """The result, or None if another session holds a lock, which the status names."""
        position = self._streams.position
        try:
            return self._finish(connection, swap=swap)
        except psycopg.errors.LockNotAvailable:
            # The transaction was rolled back: fold again.
            self._streams = Streams(self._schema, position, Registry(NOUNS))
        names = [table.name for table in self._projection.tables]
        found = connection.execute(_READER, (self._schema, names)).fetchone()
        who = found[0] if found else "a session that has just ended"
        text = f"waits for {who}, which uses its tables"
        if not connection.execute(in_schema(_WAITS, self._schema), (text, self._projection.name, self._token)).rowcount:
            raise Lost(self._projection.name)
        return None

    def _finish(self, connection: Connection[Any], *, swap: bool) -> Comparison:
        """While the live projection is stopped: the last facts, the comparison, the swap."""
        name = self._projection.name
        with connection.transaction(), connection.cursor() as cursor:
            lock(cursor, self._schema, name)
            self._read_on(cursor, self._target(connection))
            compared_at = self._streams.position
            compared = [each for each in self._projection.tables if each.compared] if self._comparable else []
            tables = tuple(self._compare(cursor, each) for each in compared)
            if swap:
                self._read_on(cursor, self._streams.head(connection))
                self._swap(cursor)
            else:
                for table in self._projection.tables:
                    cursor.execute(self._named(_DROP, table, SHADOW))
            comparison = Comparison(name, self._streams.position, tables, swap, compared_at)
            # Last, because it locks the row, and a projector that renews all its leases would wait for it.
            cursor.execute(in_schema(_DONE, self._schema), (str(comparison), name, self._token))
            if not cursor.rowcount:
                raise Lost(name)
        return comparison

    def _read_on(self, cursor: Cursor[Any], up_to: int) -> None:
        while page := self._streams.read(cursor.connection, BUILT_FACTS, up_to=up_to):
            self._apply(cursor, page)

    def _compare(self, cursor: Cursor[Any], table: Table[Any]) -> TableDifference:
        (live,), (rebuilt,) = (self._sum(cursor, table, each) for each in ("", SHADOW))
        equal = live == rebuilt
        examples = () if equal else self._examples(cursor, table)
        return TableDifference(table.name, live[0], rebuilt[0], equal, examples)

    def _sum(self, cursor: Cursor[Any], table: Table[Any], suffix: str) -> list[Any]:
        columns = SQL(", ").join(map(Identifier, table.compared))
        return cursor.execute(self._named(_SUM, table, suffix, columns=columns)).fetchall()

    def _examples(self, cursor: Cursor[Any], table: Table[Any]) -> tuple[str, ...]:
        names = {
            "key": SQL(", ").join(Identifier(column) for column in list(table.columns)[: table.key]),
            "columns": SQL(", ").join(map(Identifier, table.compared)),
            "live": Identifier(self._schema, table.name),
            "rebuilt": Identifier(self._schema, table.name + SHADOW),
        }
        cursor.execute(in_schema(_DIFFERENT, self._schema, **names))
        return tuple(" ".join(map(str, row)) for row in cursor.fetchall())

    def _swap(self, cursor: Cursor[Any]) -> None:
        self._take_tables(cursor)
        views = views_of(cursor, self._schema, [table.name for table in self._projection.tables])
        for table in self._projection.tables:
            if table.handed_on and self._comparable:
                self._hand_on(cursor, table)
            cursor.execute(self._named(_RENAME, table, name=Identifier(table.name + _FORMER)))
            cursor.execute(self._named(_RENAME, table, SHADOW))
        for view in views:
            cursor.execute(view)
        for table in self._projection.tables:
            cursor.execute(self._named(_DROP, table, _FORMER))
        if not self._comparable:
            cursor.execute(in_schema(_RESHAPED, self._schema), (self._projection.shape, self._projection.name))
        move_on(cursor, self._schema, self._projection.name, self._streams.position)

    def _hand_on(self, cursor: Cursor[Any], table: Table[Any]) -> None:
        key = SQL(", ").join(Identifier(column) for column in list(table.columns)[: table.key])
        live = Identifier(self._schema, table.name)
        cursor.execute(self._named(_HAND_ON, table, SHADOW, key=key, live=live))

    def _take_tables(self, cursor: Cursor[Any]) -> None:
        """Locks all existing tables at once, as readers do; raises LockNotAvailable."""
        cursor.execute(_THERE, ([table.name for table in self._projection.tables], self._schema))
        names = [Identifier(self._schema, name) for (name,) in cursor.fetchall()]
        if names:
            cursor.execute(f"SET LOCAL lock_timeout = {_SWAP_MILLISECONDS}")
            cursor.execute(in_schema(_TAKE_TABLES, self._schema, tables=SQL(", ").join(names)))
