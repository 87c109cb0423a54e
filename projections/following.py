"""One tenant's projections on their way along its log.

Projections that stand at the same position share one fold of each page. While PostgreSQL writes the
rows of one page, the next is read and folded; each projection's rows and checkpoint go into one
transaction, under that projection's lock, and only onto the position they were computed from.
"""

from __future__ import annotations

import gc
import logging
import secrets
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import psycopg
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from psycopg import Connection, Cursor
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from ledger.book import Registry
from ledger.journal import LOCK_SEED, is_trouble
from projections.streams import Streams
from projections.tables import Projection, Written

PAGE_FACTS = 5_000
LEASE_SECONDS = 6.0
"""A projector that shows no sign of life for so long no longer leads."""

_BEAT_SECONDS = 2.0
_LONGEST_PAUSE = 30.0
_BUSY_PAUSE = 0.2
_KEPT_AT_REST = 2_000

_LOCK = "SELECT {function}(hashtextextended(%s, %s)) AS got"
_LEAD = """
    UPDATE {schema}.ledger_projections SET leader = %(leader)s, seen_at = clock_timestamp()
    WHERE (name, shape) IN (SELECT * FROM unnest(%(names)s::text[], %(shapes)s::int4[]))
        AND (leader IS NULL OR leader = %(leader)s OR seen_at < clock_timestamp() - make_interval(secs => %(lease)s))
    RETURNING name
"""
_STAY = """
    UPDATE {schema}.ledger_projections SET seen_at = clock_timestamp(), error = NULL
    WHERE name = %s AND leader = %s AND shape = %s
"""
_POSITIONS = """
    SELECT application_name, notification_id FROM {schema}.ledger_tracking WHERE application_name = ANY(%s)
"""
_FAILED = """
    UPDATE {schema}.ledger_projections SET error = %s, seen_at = clock_timestamp() WHERE name = %s AND leader = %s
"""
_RESIGN = "UPDATE {schema}.ledger_projections SET leader = NULL WHERE leader = %s"
_KNOWN = "SELECT name, shape FROM {schema}.ledger_projections"
_INTRODUCE = """
    INSERT INTO {schema}.ledger_projections (name, shape) VALUES (%s, %s)
    ON CONFLICT (name) DO UPDATE SET shape = excluded.shape
"""
_ASK_FOR_REBUILD = """
    UPDATE {schema}.ledger_projections SET requested = 'rebuild', requested_at = clock_timestamp(), result = NULL
    WHERE name = %s AND requested IS NULL AND builder IS NULL
"""

log = logging.getLogger("fulfilment.projections")


class Superseded(Exception):
    """Another projector leads, or has gone further than this one knew."""


class Busy(Exception):
    """Somebody else holds the projection's lock at this moment."""


def new_name() -> str:
    """A name for a projector that no other has."""
    return secrets.token_hex(8)


def said(template: str, schema: str, **names: Any) -> bytes:
    """SQL of this package with the names of a tenant in it."""
    return SQL(cast("Any", template)).format(schema=Identifier(schema), **names).as_bytes(None)


def open_connection(conninfo: str) -> Connection[Any]:
    """A connection as projectors use it."""
    connection = psycopg.connect(
        conninfo,
        autocommit=True,
        connect_timeout=5,
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=2,
        tcp_user_timeout=15_000,
    )
    # Everything goes by an index, also right after a bulk load. A commit need not wait for the disk:
    # rows and checkpoint are lost together, and then written again.
    connection.execute(
        "SET jit = off; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;"
        " SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '60s'; SET synchronous_commit = off"
    )
    connection.prepared_max = 1000
    return connection


class Checkpoints(PostgresTrackingRecorder):
    """The library's tracking table, read and written on cursors of ours; it opens no connection itself."""

    def __init__(self, schema: str) -> None:
        super().__init__(PostgresDatastore("", "", "", "", "", schema=schema), tracking_table_name="ledger_tracking")

    def record(self, cursor: Cursor[Any], name: str, position: int) -> None:
        """Moves a checkpoint on; it never goes back."""
        self._insert_tracking(cursor, Tracking(name, position))

    def position(self, cursor: Cursor[Any], name: str) -> int:
        """How far a projection is; 0 at the start."""
        return self._max_tracking_id(name, cursor) or 0


@contextmanager
def at_full_speed() -> Iterator[None]:
    """While it follows, a process hands its interpreter over quickly and collects garbage seldom.

    A writer that has its answer from PostgreSQL would otherwise wait 5 ms for its turn, a dozen times a
    page; and folded streams are many objects that never form cycles.
    """
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(0.0002)
    gc.set_threshold(50_000, 20, 50)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.set_threshold(*thresholds)


def take_lock(cursor: Cursor[Any], schema: str, name: str, *, wait: bool) -> bool:
    """The projection's lock until the end of the transaction."""
    function = SQL("pg_advisory_xact_lock" if wait else "pg_try_advisory_xact_lock")
    cursor.execute(said(_LOCK, schema, function=function), (f"{schema}/{name}", LOCK_SEED))
    return cast("dict[str, Any]", cursor.fetchone())["got"] is not False


def introduce(connection: Connection[Any], schema: str, projections: Sequence[Projection]) -> None:
    """Makes the tables of projections that have none; one whose shape is older is asked to rebuild."""
    shapes = _shapes(connection, schema)
    for projection in projections:
        shape = shapes.get(projection.name)
        if shape is None:
            with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
                take_lock(cursor, schema, projection.name, wait=True)
                if _shapes(connection, schema).get(projection.name) is None:
                    for table in projection.tables:
                        for statement in table.create(schema):
                            cursor.execute(statement)
                    cursor.execute(said(_INTRODUCE, schema), (projection.name, projection.shape))
        elif shape < projection.shape:
            connection.execute(said(_ASK_FOR_REBUILD, schema), (projection.name,))


def _shapes(connection: Connection[Any], schema: str) -> dict[str, int | None]:
    return dict(connection.execute(said(_KNOWN, schema)).fetchall())


# --- writing --------------------------------------------------------------------------------------


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
        self._checkpoints: dict[str, Checkpoints] = {}
        self._threads = {each.name: ThreadPoolExecutor(1, f"write {each.name}") for each in projections}

    def submit(self, batch: Batch) -> Future[None]:
        if batch.schema not in self._checkpoints:
            self._checkpoints[batch.schema] = Checkpoints(batch.schema)
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
        checkpoints = self._checkpoints[batch.schema]
        name, shape = batch.projection.name, batch.projection.shape
        with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
            if not take_lock(cursor, batch.schema, name, wait=False):
                raise Busy(name)
            cursor.execute(said(_STAY, batch.schema), (name, self.name, shape), prepare=True)
            if not cursor.rowcount or checkpoints.position(cursor, name) != batch.after:
                raise Superseded(name)
            for written in batch.written:
                written.write(cursor, batch.schema, "")
            checkpoints.record(cursor, name, batch.position)


# --- following ------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Progress:
    """Where one projection is, as far as this projector knows."""

    projection: Projection
    position: int | None = None
    """With what is being written; None while it is to be asked for."""
    writing: Future[None] | None = None
    try_at: float = 0.0
    failures: int = 0
    leads: bool = False
    error: Exception | None = None
    told: str | None = ""
    """The error that the status shows; unknown, hence not None, until this projector has led."""


class Follower:
    """Takes one tenant's projections along its log, a page at a time."""

    def __init__(
        self, schema: str, projections: Sequence[Projection], writer: Writer, registry: Registry, page_facts: int
    ) -> None:
        self.schema = schema
        self.look_at = 0.0
        """When to look for more, in the time of time.monotonic."""
        self._writer = writer
        self._registry = registry
        self._page_facts = page_facts
        self._progress = [_Progress(each) for each in projections]
        self._folds: list[Streams] = []
        self._beat_at = 0.0

    def step(self, connection: Connection[Any]) -> int:
        """Takes every projection that can go on one page further; says how many facts the longest page had."""
        self._lead(connection)
        self._ask_positions(connection)
        now = time.monotonic()
        groups: dict[int, list[_Progress]] = {}
        for each in self._progress:
            if each.leads and each.position is not None and now >= each.try_at:
                groups.setdefault(each.position, []).append(each)
        moved = [self._take(connection, position, group) for position, group in sorted(groups.items())]
        standing = {each.position for each in self._progress}
        self._folds = [fold for fold in self._folds if fold.position in standing]
        return max(moved, default=0)

    def rest(self) -> None:
        """Nothing to do for now: waits for what is being written and lets memory go."""
        for each in self._progress:
            self._settle(each)
        for fold in self._folds:
            fold.trim(_KEPT_AT_REST)

    def resign(self, connection: Connection[Any]) -> None:
        """Lets another projector lead at once."""
        for each in self._progress:
            self._settle(each)
        connection.execute(said(_RESIGN, self.schema), (self._writer.name,))

    def positions(self) -> dict[str, int | None]:
        return {each.projection.name: each.position for each in self._progress if each.leads}

    def troubles(self) -> list[Exception]:
        """What keeps projections from going on."""
        return [each.error for each in self._progress if each.error is not None]

    def _lead(self, connection: Connection[Any]) -> None:
        """Shows a sign of life, and takes over where nobody else does."""
        now = time.monotonic()
        if now < self._beat_at:
            return
        names = [each.projection.name for each in self._progress]
        shapes = [each.projection.shape for each in self._progress]
        parameters = {"leader": self._writer.name, "names": names, "shapes": shapes, "lease": LEASE_SECONDS}
        led = {name for (name,) in connection.execute(said(_LEAD, self.schema), parameters).fetchall()}
        for each in self._progress:
            leads = each.projection.name in led
            if leads != each.leads:
                self._settle(each)
                each.leads, each.position = leads, None
        self._beat_at = now + _BEAT_SECONDS

    def _ask_positions(self, connection: Connection[Any]) -> None:
        lost = [each for each in self._progress if each.leads and each.position is None]
        if lost:
            names = [each.projection.name for each in lost]
            found = dict(connection.execute(said(_POSITIONS, self.schema), (names,)).fetchall())
            for each in lost:
                each.position = found.get(each.projection.name, 0)

    def _take(self, connection: Connection[Any], position: int, group: list[_Progress]) -> int:
        fold = next((fold for fold in self._folds if fold.position == position), None)
        if fold is None:
            fold = Streams(self.schema, position, self._registry)
            self._folds.append(fold)
        try:
            page = fold.read(connection, self._page_facts)
        except psycopg.Error:
            raise
        except Exception as error:  # noqa: BLE001 - told to whoever asks for the status, and tried again
            for each in group:
                self._fail(each, error)
            return 0
        if page is None:
            for each in group:
                self._well(each)
            return 0
        for each in group:
            try:
                written = each.projection.changes(page)
            except Exception as error:  # noqa: BLE001 - the other projections go on
                self._fail(each, error)
                continue
            if self._settle(each):
                each.writing = self._writer.submit(
                    Batch(self.schema, each.projection, page.after, page.position, written)
                )
                each.position = page.position
        return page.position - page.after

    def _settle(self, each: _Progress) -> bool:
        """Waits for what the projection is writing; says whether it may go on from there."""
        writing, each.writing = each.writing, None
        if writing is None:
            return True
        try:
            writing.result()
        except Exception as error:  # noqa: BLE001 - whatever it is, the projection stays where it was
            self._fail(each, error)
            return False
        self._well(each)
        each.told = None
        return True

    def _well(self, each: _Progress) -> None:
        each.failures, each.error = 0, None

    def _fail(self, each: _Progress, error: Exception) -> None:
        """Remembers why a projection cannot go on, and when to try again."""
        if each.writing is not None:
            wait([each.writing])
        each.position = each.writing = None
        now = time.monotonic()
        if isinstance(error, Busy):
            each.try_at = now + _BUSY_PAUSE
            return
        if isinstance(error, Superseded):
            each.leads, self._beat_at = False, now + _BUSY_PAUSE
            return
        pause = min(0.2 * 2.0**each.failures, _LONGEST_PAUSE)
        each.failures += 1
        each.try_at, each.error = now + pause, error
        log.error(
            "projection %s of %s cannot go on, trying again in %.1f s: %s",
            each.projection.name,
            self.schema,
            pause,
            error,
            exc_info=None if is_trouble(error) else error,
        )

    def confess(self, connection: Connection[Any]) -> None:
        """Writes down what keeps projections from going on, for those who ask for the status."""
        for each in self._progress:
            text = None if each.error is None else f"{type(each.error).__name__}: {each.error}".replace("\0", "")
            if each.leads and text != each.told:
                connection.execute(said(_FAILED, self.schema), (text, each.projection.name, self._writer.name))
                each.told = text
