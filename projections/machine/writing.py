"""Writing what pages change: each projection's rows and its checkpoint in one transaction, under its lock."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from psycopg import Connection

from ledger.refusals import Shown
from projections.machine.database import holder, in_schema, move_on, open_connection, position_of, try_lock
from projections.machine.projection import Projection
from projections.machine.tables import Written

_STAY = """
    UPDATE {schema}.ledger_projections SET seen_at = clock_timestamp(), error = NULL
    WHERE name = %s AND leader = %s AND shape = %s
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


class Writer:
    """Writes batches on connections of its own, in one thread for each projection."""

    def __init__(self, conninfo: str, projections: Sequence[Projection], name: str = "") -> None:
        self.name = name or new_name()
        """Under which this projector leads."""
        self._conninfo = conninfo
        self._local = threading.local()
        self._open: list[Connection[Any]] = []
        self._threads = {each.name: ThreadPoolExecutor(1, f"write {each.name}") for each in projections}

    def submit(self, batch: Batch) -> Future[None]:
        return self._threads[batch.projection.name].submit(self._write, batch)

    def close(self) -> None:
        for thread in self._threads.values():
            thread.shutdown()
        for connection in self._open:
            connection.close()

    def _write(self, batch: Batch) -> None:
        connection: Connection[Any] | None = getattr(self._local, "connection", None)
        if connection is None or connection.closed:
            connection = self._local.connection = open_connection(self._conninfo)
            self._open.append(connection)
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
