"""Writing what pages change: each projection's rows and its checkpoint in one transaction, under its lock.

Most facts concern few questions. Projections of which a page changes nothing are moved on together.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from psycopg import Connection

from ledger.engine.log import LOCK_SEED
from ledger.engine.statements import in_schema
from ledger.refusals import Shown
from projections.machine.database import holder, move_on, open_connection, position_of, try_lock
from projections.machine.projection import Projection
from projections.machine.tables import Written

_STAY = """
    UPDATE {schema}.ledger_projections SET seen_at = now(), error = NULL
    WHERE name = %s AND leader = %s AND shape = %s
"""


_TRY_LOCKS = """
    SELECT name FROM unnest(%s::text[]) AS wanted (name)
    WHERE pg_try_advisory_xact_lock(hashtextextended(concat(%s::text, '/', name), %s))
"""
_MOVE_ALL_ON = """
    WITH moved AS (
        UPDATE {schema}.ledger_tracking AS kept SET notification_id = %(position)s
        FROM unnest(%(names)s::text[], %(shapes)s::int4[]) AS wanted (name, shape)
            JOIN {schema}.ledger_projections AS p ON p.name = wanted.name AND p.shape = wanted.shape
        WHERE kept.application_name = wanted.name AND kept.notification_id = %(after)s AND p.leader = %(leader)s
        RETURNING wanted.name
    )
    UPDATE {schema}.ledger_projections AS p SET seen_at = now(), error = NULL
    FROM moved WHERE p.name = moved.name RETURNING p.name
"""


class Superseded(Exception):
    """Another projector leads, or has gone further than this one knew."""


class Busy(Shown):
    """Somebody else holds the projection's lock at this moment."""

    def __init__(self, holder: str) -> None:
        super().__init__(f"its lock is held by {holder}")


def new_name() -> str:
    """A name for a projector that no other has."""
    return secrets.token_hex(8)


class Batch(NamedTuple):
    """What one page changes of one projection."""

    schema: str
    projection: Projection
    after: int
    position: int
    written: list[Written]

    @property
    def is_empty(self) -> bool:
        return all(each.is_empty for each in self.written)


class Writer:
    """Writes batches on connections of its own, in one thread for each projection."""

    def __init__(self, conninfo: str, projections: Sequence[Projection], name: str = "") -> None:
        self.name = name or new_name()
        """Under which this projector leads."""
        self._conninfo = conninfo
        self._local = threading.local()
        self._open: list[Connection[Any]] = []
        self._threads = {each.name: ThreadPoolExecutor(1, f"write {each.name}") for each in projections}
        self._mover = ThreadPoolExecutor(1, "move on")

    def move_on(self, batches: Sequence[Batch]) -> list[Future[None]]:
        """Moves projections of one tenant on from one position to another, without anything else to write."""
        futures = [Future[None]() for _ in batches]
        self._mover.submit(self._move_on, batches, futures)
        return futures

    def submit(self, batch: Batch) -> Future[None]:
        return self._threads[batch.projection.name].submit(self._write, batch)

    def close(self) -> None:
        for thread in (*self._threads.values(), self._mover):
            thread.shutdown()
        for connection in self._open:
            connection.close()

    def _connection(self) -> Connection[Any]:
        """This thread's own."""
        connection: Connection[Any] | None = getattr(self._local, "connection", None)
        if connection is None or connection.closed:
            connection = self._local.connection = open_connection(self._conninfo)
            self._open.append(connection)
        return connection

    def _move_on(self, batches: Sequence[Batch], futures: Sequence[Future[None]]) -> None:
        try:
            locked, moved = self._moved(batches)
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            for future in futures:
                future.set_exception(error)
            return
        for batch, future in zip(batches, futures, strict=True):
            name = batch.projection.name
            if name in moved:
                future.set_result(None)
            else:
                future.set_exception(Superseded(name) if name in locked else Busy("another session"))

    def _moved(self, batches: Sequence[Batch]) -> tuple[set[str], set[str]]:
        """Those that could be locked, and those that went on."""
        schema, _, after, position, _ = batches[0]
        shapes = {each.projection.name: each.projection.shape for each in batches}
        with self._connection().transaction(), self._connection().cursor() as cursor:
            locked = {name for (name,) in cursor.execute(_TRY_LOCKS, (list(shapes), schema, LOCK_SEED), prepare=True)}
            values = {
                "position": position,
                "after": after,
                "leader": self.name,
                "names": list(locked),
                "shapes": [shapes[name] for name in locked],
            }
            cursor.execute(in_schema(_MOVE_ALL_ON, schema), values, prepare=True)
            return locked, {name for (name,) in cursor.fetchall()}

    def _write(self, batch: Batch) -> None:
        connection = self._connection()
        name, shape = batch.projection.name, batch.projection.shape
        with connection.transaction(), connection.cursor() as cursor:
            if not try_lock(cursor, batch.schema, name):
                raise Busy(holder(cursor, batch.schema, name))
            if position_of(cursor, batch.schema, name) != batch.after:
                raise Superseded(name)
            for written in batch.written:
                written.write(cursor, batch.schema, "")
            move_on(cursor, batch.schema, name, batch.position)
            # Last, because it locks the row, and a projector that renews all its leases would wait for it.
            cursor.execute(in_schema(_STAY, batch.schema), (name, self.name, shape), prepare=True)
            if not cursor.rowcount:
                raise Superseded(name)
