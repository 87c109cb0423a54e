"""Keeps every tenant's projections up to date: the projector's main loop, and what others ask of it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any, NamedTuple, cast

import psycopg
from psycopg import AsyncConnection, Connection
from psycopg.rows import kwargs_row
from psycopg.sql import SQL, Identifier
from psycopg_pool import AsyncConnectionPool

from ledger.book import Registry
from ledger.journal import CHANNEL, in_short, is_trouble
from projections import rebuilding
from projections.cases import CASES
from projections.following import (
    PAGE_FACTS,
    Follower,
    Writer,
    at_full_speed,
    introduce,
    new_name,
    open_connection,
    said,
)
from projections.inquiries import WAITING_INQUIRIES
from projections.outbox import OUTBOX
from projections.rebuilding import AlreadyBuilding, Comparison, Lost, Stopped, named
from projections.recoveries import RECOVERIES
from projections.sla import SLA
from projections.statements import STATEMENTS
from projections.stock_levels import STOCK_LEVELS
from projections.streams import Streams
from projections.supplier_performance import SUPPLIER_PERFORMANCE
from projections.tables import Projection
from projections.tracking import TRACKING
from projections.trade import TRADE
from projections.work import WORK

PROJECTIONS: tuple[Projection, ...] = (
    TRACKING,
    SLA,
    SUPPLIER_PERFORMANCE,
    WAITING_INQUIRIES,
    OUTBOX,
    RECOVERIES,
    STOCK_LEVELS,
    STATEMENTS,
    CASES,
    WORK,
    TRADE,
)
"""Every question there is; a new one is added here and nowhere else."""

POLL_SECONDS = 1.0
_LONGEST_WAIT = 0.5
_BREATH = 4
"""How much longer than a page that was not full the projector rests after it."""

_LONGEST_BREATH = 0.25
_SHORTEST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0

_TENANTS = "SELECT schema FROM fulfilment.tenants ORDER BY schema"
_REQUESTS = """
    SELECT name, requested FROM {schema}.ledger_projections
    WHERE requested IS NOT NULL
        AND (builder IS NULL OR builder_seen_at < clock_timestamp() - make_interval(secs => %s))
"""

log = logging.getLogger("fulfilment.projections")

# --- the projector --------------------------------------------------------------------------------


def run_forever(
    dsn: str, stop: threading.Event, *, projections: Sequence[Projection] = PROJECTIONS, page_facts: int = PAGE_FACTS
) -> None:
    """Follows the logs of all tenants until it is told to stop; a lost database is waited for."""
    pause, name = _SHORTEST_PAUSE, new_name()
    while not stop.is_set():
        started_at = time.monotonic()
        try:
            with at_full_speed(), _Projector(dsn, name, projections, page_facts, stop) as projector:
                projector.run()
        except psycopg.Error as error:
            if time.monotonic() - started_at > _LONGEST_PAUSE:
                pause = _SHORTEST_PAUSE
            log.warning("the projector lost its database, trying again in %.1f s: %s", pause, in_short(error))
            stop.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)


class _Projector:
    """One life of the projector, from connection to loss."""

    def __init__(
        self, dsn: str, name: str, projections: Sequence[Projection], page_facts: int, stop: threading.Event
    ) -> None:
        self._dsn = dsn
        self._name = name
        self._projections = projections
        self._page_facts = page_facts
        self._stop = stop
        self._registry = Registry()
        self._followers: dict[str, Follower] = {}
        self._discover_at = 0.0
        self._building: Future[Any] | None = None

    def __enter__(self) -> _Projector:
        with ExitStack() as opened:
            self._connection = opened.enter_context(open_connection(self._dsn))
            self._listener = opened.enter_context(open_connection(self._dsn))
            self._listener.execute(SQL("LISTEN {}").format(Identifier(CHANNEL)))
            self._writer = Writer(self._dsn, self._projections, self._name)
            opened.callback(self._writer.close)
            self._builder = ThreadPoolExecutor(1, "rebuild")
            opened.callback(lambda: self._builder.shutdown(wait=self._stop.is_set()))
            self._opened = opened.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        with self._opened:
            if kind is None:
                for follower in self._followers.values():
                    follower.resign(self._connection)

    def run(self) -> None:
        while not self._stop.is_set():
            self._discover()
            began = time.monotonic()
            facts = self._step()
            if not facts:
                self._wait()
            elif facts < self._page_facts:
                # It follows as facts come. A page costs much the same however few they are, so it lets some more come,
                # and leaves the processor to commands meanwhile.
                self._stop.wait(min(_BREATH * (time.monotonic() - began), _LONGEST_BREATH))

    def _discover(self) -> None:
        """Finds new tenants, and what was asked of the projector."""
        if time.monotonic() < self._discover_at:
            return
        listed = {schema for (schema,) in self._connection.execute(_TENANTS).fetchall()}
        self._followers = {schema: each for schema, each in self._followers.items() if schema in listed}
        for schema in sorted(listed - self._followers.keys()):
            with self._only_of(schema):
                introduce(self._connection, schema, self._projections)
                self._followers[schema] = Follower(
                    schema, self._projections, self._writer, self._registry, self._page_facts
                )
        if self._building is None or self._building.done():
            self._building = self._start_building()
        self._discover_at = time.monotonic() + POLL_SECONDS

    def _start_building(self) -> Future[Any] | None:
        for schema in self._followers:
            lease = rebuilding.BUILDER_LEASE_SECONDS
            for name, requested in self._connection.execute(said(_REQUESTS, schema), (lease,)).fetchall():
                projection = next((each for each in self._projections if each.name == name), None)
                if projection is not None:
                    return self._builder.submit(self._build, schema, projection, requested)
        return None

    def _build(self, schema: str, projection: Projection, requested: str) -> None:
        build = rebuilding.verify if requested == "verify" else rebuilding.rebuild
        try:
            build(self._dsn, schema, projection, self._stop)
        except (AlreadyBuilding, Lost, Stopped) as error:
            log.info("%s of %s of %s ended: %s", requested, projection.name, schema, type(error).__name__)
        except Exception:
            log.exception("%s of %s of %s failed", requested, projection.name, schema)

    def _step(self) -> int:
        """One page for every tenant that may have one; says how many facts the longest had."""
        most = 0
        for schema, follower in self._followers.items():
            if follower.look_at > time.monotonic():
                continue
            follower.look_at = time.monotonic() + POLL_SECONDS
            with self._only_of(schema):
                if facts := follower.step(self._connection):
                    most, follower.look_at = max(most, facts), 0.0
                else:
                    follower.rest()
                follower.confess(self._connection)
        return most

    @contextmanager
    def _only_of(self, schema: str) -> Iterator[None]:
        """What is wrong with one tenant's schema does not keep the others waiting."""
        try:
            yield
        except psycopg.Error as error:
            if is_trouble(error):
                raise
            log.error("the projections of %s wait, trying again in a moment: %s", schema, in_short(error))

    def _wait(self) -> None:
        """Until it is time to look again, or a hint that there is something; hints may come late or never."""
        followers = self._followers.values()
        look_at = min((each.look_at for each in followers), default=self._discover_at)
        # Never for long, so that it soon notices that it is to stop.
        timeout = min(max(0.01, min(look_at, self._discover_at) - time.monotonic()), _LONGEST_WAIT)
        for hint in self._listener.notifies(timeout=timeout, stop_after=1):
            follower = self._followers.get(hint.payload)
            if follower is not None:
                follower.look_at = 0.0


def catch_up(
    dsn: str, schema: str, *, projections: Sequence[Projection] = PROJECTIONS, page_facts: int = PAGE_FACTS
) -> int:
    """Takes one tenant's projections to the head of its log and returns it; raises what stands in the way."""
    with at_full_speed(), open_connection(dsn) as connection:
        introduce(connection, schema, projections)
        writer = Writer(dsn, projections)
        follower = Follower(schema, projections, writer, Registry(), page_facts)
        head = Streams(schema).head(connection)
        try:
            while not _there(connection, schema, projections, head):
                if not follower.step(connection):
                    follower.rest()
                    for error in follower.troubles():
                        raise error
                    time.sleep(0.005)
            return head
        finally:
            follower.resign(connection)
            writer.close()


def _there(connection: Connection[Any], schema: str, projections: Sequence[Projection], head: int) -> bool:
    query = "SELECT count(*) FROM {schema}.ledger_tracking WHERE application_name = ANY(%s) AND notification_id >= %s"
    names = [each.name for each in projections]
    ((there,),) = connection.execute(said(query, schema), (names, head)).fetchall()
    return head == 0 or bool(there == len(projections))


def rebuild(dsn: str, schema: str, name: str) -> Comparison:
    """Builds a projection anew beside the live one, compares, and swaps; raises UnknownProjection."""
    return rebuilding.rebuild(dsn, schema, named(PROJECTIONS, name))


def verify(dsn: str, schema: str, name: str) -> Comparison:
    """Builds a projection anew and compares it with the live one, which stays; raises UnknownProjection."""
    return rebuilding.verify(dsn, schema, named(PROJECTIONS, name))


# --- what the API process asks --------------------------------------------------------------------


class ProjectionStatus(NamedTuple):
    """Where a projection stands."""

    name: str
    position: int
    head: int
    lag: int
    error: str | None
    seen_at: datetime | None
    """When a projector last worked on it or found nothing to do."""
    asked_at: datetime
    rebuild: str
    """What was last asked of it and what came of it, in words; empty if nothing."""

    def is_alive(self, seconds: float) -> bool:
        """Whether a projector has worked on it lately, without an error."""
        return (
            self.error is None and self.seen_at is not None and (self.asked_at - self.seen_at).total_seconds() < seconds
        )


_STATUSES = """
    WITH head AS (SELECT coalesce(max(notification_id), 0) AS position FROM {schema}.ledger_events)
    SELECT wanted.name, coalesce(t.notification_id, 0) AS position, head.position AS head,
        greatest(head.position - coalesce(t.notification_id, 0), 0) AS lag, p.error, p.seen_at,
        clock_timestamp() AS asked_at,
        concat_ws(': ',
            CASE
                WHEN p.builder IS NOT NULL
                THEN concat(coalesce(p.requested, 'rebuild'), ' runs, at position ', p.progress, ' of ', head.position)
                WHEN p.requested IS NOT NULL THEN p.requested || ' is asked for'
            END,
            p.result
        ) AS rebuild
    FROM unnest(%(names)s::text[]) WITH ORDINALITY AS wanted (name, number) CROSS JOIN head
        LEFT JOIN {schema}.ledger_projections AS p ON p.name = wanted.name
        LEFT JOIN {schema}.ledger_tracking AS t ON t.application_name = wanted.name
    ORDER BY wanted.number
"""
_ASK = """
    INSERT INTO {schema}.ledger_projections (name, requested, requested_at)
    VALUES (%(name)s, %(what)s, clock_timestamp())
    ON CONFLICT (name) DO UPDATE
    SET requested = excluded.requested, requested_at = excluded.requested_at, result = NULL, finished_at = NULL
"""


async def statuses(pool: AsyncConnectionPool[Any], schema: str) -> list[ProjectionStatus]:
    """Where every projection of a tenant stands."""
    query = SQL(cast("Any", _STATUSES)).format(schema=Identifier(schema))
    async with pool.connection() as connection, connection.cursor(row_factory=kwargs_row(ProjectionStatus)) as cursor:
        await cursor.execute(query, {"names": [each.name for each in PROJECTIONS]})
        found: list[ProjectionStatus] = await cursor.fetchall()
    return found


async def ask_for_rebuild(pool: AsyncConnectionPool[Any], schema: str, name: str, *, verify_only: bool = False) -> bool:
    """Asks the projector for a rebuild or a verification; False if there is no such projection."""
    if all(each.name != name for each in PROJECTIONS):
        return False
    query = SQL(cast("Any", _ASK)).format(schema=Identifier(schema))
    connection: AsyncConnection[Any]
    async with pool.connection() as connection:
        await connection.execute(query, {"name": name, "what": "verify" if verify_only else "rebuild"})
    return True
