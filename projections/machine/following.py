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
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import psycopg
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from psycopg import Connection, Cursor
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from ledger.engine.log import LOCK_SEED
from ledger.engine.registry import Registry
from ledger.engine.trouble import in_short, is_trouble
from ledger.refusals import Shown
from projections.machine.projection import Projection
from projections.machine.streams import Page, Streams
from projections.machine.tables import Written

PAGE_FACTS = 5_000
LEASE_SECONDS = 6.0
"""A projector that shows no sign of life for so long no longer leads."""

_BEAT_SECONDS = 2.0
_SHORTEST_PAUSE = 0.2
_LONGEST_PAUSE = 30.0
_LONGEST_BUSY_PAUSE = 1.0
_BUSY_SECONDS = 5.0
"""A lock that somebody else has held for so long is an error that the status shows."""
_LOCK_SECONDS = 2
"""How long a projector waits for a lock: whoever keeps it waiting keeps other tenants waiting, too."""
_KEPT_AT_REST = 2_000

_LOCK = "SELECT {function}(hashtextextended(%s, %s)) AS got"
HOLDER = """
    SELECT concat_ws(' ', 'session', held.pid, nullif(activity.application_name, ''), activity.state) AS session,
        clock_timestamp() - activity.xact_start AS held_for
    FROM pg_locks AS held LEFT JOIN pg_stat_activity AS activity ON activity.pid = held.pid,
        hashtextextended(%s, %s) AS key
    WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 1 AND held.pid <> pg_backend_pid()
        AND held.classid::bigint = (key >> 32) & 4294967295 AND held.objid::bigint = key & 4294967295
    LIMIT 1
"""
"""Who holds an advisory lock, which is given by its name and seed, and for how long."""
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

log = logging.getLogger("fulfilment.projections")


class Superseded(Exception):
    """Another projector leads, or has gone further than this one knew."""


class Busy(Shown):
    """Somebody else holds the projection's lock at this moment."""

    def __init__(self, holder: str) -> None:
        super().__init__(f"its lock is held by {holder}")


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
        f" SET lock_timeout = '{_LOCK_SECONDS}s'; SET idle_in_transaction_session_timeout = '60s';"
        " SET synchronous_commit = off"
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


def holder(cursor: Cursor[Any], schema: str, name: str) -> str:
    """Which session holds the projection's lock, in words."""
    cursor.execute(HOLDER, (f"{schema}/{name}", LOCK_SEED))
    found = cursor.fetchone()
    return str(found["session"]) if found else "a session that has just ended"


def introduce(connection: Connection[Any], schema: str, projections: Sequence[Projection]) -> None:
    """Makes the tables of projections that have none, all in one transaction."""
    shapes = _shapes(connection, schema)
    new = [projection for projection in projections if shapes.get(projection.name) is None]
    if not new:
        return
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        for projection in new:
            take_lock(cursor, schema, projection.name, wait=True)
        shapes = _shapes(connection, schema)
        for projection in new:
            if shapes.get(projection.name) is None:
                for table in projection.tables:
                    for statement in table.create(schema):
                        cursor.execute(statement)
                cursor.execute(said(_INTRODUCE, schema), (projection.name, projection.shape))


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
                raise Busy(holder(cursor, batch.schema, name))
            if checkpoints.position(cursor, name) != batch.after:
                raise Superseded(name)
            for written in batch.written:
                written.write(cursor, batch.schema, "")
            checkpoints.record(cursor, name, batch.position)
            # Last, for it locks the row, and whoever shows a sign of life for all projections would wait for this one.
            cursor.execute(said(_STAY, batch.schema), (name, self.name, shape), prepare=True)
            if not cursor.rowcount:
                raise Superseded(name)


# --- following ------------------------------------------------------------------------------------


class _Writing(NamedTuple):
    """A page on its way into the tables of one projection."""

    future: Future[None]
    after: int
    position: int


@dataclass(slots=True)
class _Progress:
    """Where one projection is, as far as this projector knows."""

    projection: Projection
    limit: int
    """How many facts its next page may have: fewer while it looks for the one that it cannot take."""
    position: int | None = None
    """With what is being written; None while it is to be asked for."""
    writing: _Writing | None = None
    try_at: float = 0.0
    failures: int = 0
    busy_since: float | None = None
    leads: bool = False
    error: Exception | None = None
    known: bool = False
    """Whether this projector has seen it go on or fail; until then the status shows what the one before knew."""
    told: str | None = ""
    """The error that the status shows; not None until this projector has told that there is none."""


class CannotTake(Shown):
    """A projection fails at a fact of the log, or at one of several; what comes before is in its tables."""

    def __init__(self, after: int, position: int, cause: Exception) -> None:
        which = f"fact at position {position}"
        if position - after > 1:
            which = f"facts at positions {after + 1} to {position}"
        super().__init__(f"the {which}: {in_short(cause)}")
        self.__cause__ = cause


class Follower:
    """Takes one tenant's projections along its log, a page at a time."""

    def __init__(
        self, schema: str, projections: Sequence[Projection], writer: Writer, registry: Registry, page_facts: int
    ) -> None:
        self.schema = schema
        self.look_at = 0.0
        """When to look for more, in the time of time.monotonic."""
        self.ask_at = 0.0
        """When to look for what was asked of the projector."""
        self._writer = writer
        self._registry = registry
        self._page_facts = page_facts
        self._progress = [_Progress(each, page_facts) for each in projections]
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

    def suffer(self, error: Exception) -> None:
        """Notes what keeps the whole tenant waiting; each projection that goes on takes it back."""
        for each in self._progress:
            each.error, each.known = error, True

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
            page = fold.read(connection, min(each.limit for each in group))
        except psycopg.Error:
            raise
        except Exception as error:  # noqa: BLE001 - told to whoever asks for the status, and tried again
            for each in group:
                if self._settle(each):
                    self._fail(each, error)
            return 0
        for each in group:
            if page is not None:
                self._tell(each, page)
            elif self._settle(each):
                self._well(each)
        return page.position - page.after if page is not None else 0

    def _tell(self, each: _Progress, page: Page) -> None:
        """Has what the page changes of the projection written, once the page before it is."""
        try:
            written = each.projection.changes(page)
        except Exception as error:  # noqa: BLE001 - the other projections go on
            if self._settle(each):
                self._cannot_take(each, page.after, page.position, error)
            return
        if self._settle(each):
            batch = Batch(self.schema, each.projection, page.after, page.position, written)
            each.writing = _Writing(self._writer.submit(batch), page.after, page.position)
            each.position = page.position

    def _settle(self, each: _Progress) -> bool:
        """Waits for what the projection is writing; says whether it may go on from there."""
        writing, each.writing = each.writing, None
        if writing is None:
            return True
        try:
            writing.future.result()
        except Exception as error:  # noqa: BLE001 - whatever it is, the projection stays where it was
            self._cannot_take(each, writing.after, writing.position, error)
            return False
        self._well(each)
        # What was written says that there is no error.
        each.told = None
        each.limit = min(each.limit * 2, self._page_facts)
        return True

    def _well(self, each: _Progress) -> None:
        if each.error is not None:
            log.info("projection %s of %s goes on", each.projection.name, self.schema)
        each.failures, each.error, each.busy_since, each.known = 0, None, None, True

    def _cannot_take(self, each: _Progress, after: int, position: int, error: Exception) -> None:
        """Goes on up to the fact that is in the way, by ever shorter pages, and waits there."""
        each.position = None
        if isinstance(error, Busy):
            self._wait(each, error)
        elif isinstance(error, Superseded):
            each.leads, self._beat_at = False, time.monotonic() + _SHORTEST_PAUSE
        elif is_trouble(error):
            self._fail(each, error)
        elif position - after > 1:
            each.limit = (position - after) // 2
        else:
            self._fail(each, CannotTake(after, position, error))

    def _wait(self, each: _Progress, busy: Busy) -> None:
        """Somebody holds the lock: a rebuild that compares, for a moment; else who it is belongs into the status."""
        now = time.monotonic()
        each.busy_since = each.busy_since or now
        self._pause(each, _LONGEST_BUSY_PAUSE)
        if now - each.busy_since > _BUSY_SECONDS:
            self._complain(each, busy)

    def _fail(self, each: _Progress, error: Exception) -> None:
        """Remembers why a projection cannot go on, and when to try again."""
        each.position = None
        self._pause(each, _LONGEST_PAUSE)
        self._complain(each, error)

    def _pause(self, each: _Progress, longest: float) -> None:
        each.try_at = time.monotonic() + min(_SHORTEST_PAUSE * 2.0**each.failures, longest)
        each.failures += 1

    def _complain(self, each: _Progress, error: Exception) -> None:
        """Once for each kind of error: it is tried again and again, and the status shows it until it is over."""
        before, each.error, each.known = each.error, error, True
        if type(before) is not type(error):
            log.error(
                "projection %s of %s cannot go on and is tried again until it can: %s",
                each.projection.name,
                self.schema,
                in_short(error),
                exc_info=None if is_trouble(error) or isinstance(error, Busy) else error,
            )

    def confess(self, connection: Connection[Any]) -> None:
        """Writes down what keeps projections from going on, for those who ask for the status."""
        for each in self._progress:
            text = None if each.error is None else words(each.error)
            if each.leads and each.known and text != each.told:
                connection.execute(said(_FAILED, self.schema), (text, each.projection.name, self._writer.name))
                each.told = text


def words(error: Exception) -> str:
    """What the status shows of an error; PostgreSQL does not take everything."""
    text = str(error) if isinstance(error, Shown) else in_short(error)
    return text.replace("\0", "").encode(errors="backslashreplace").decode().strip()
