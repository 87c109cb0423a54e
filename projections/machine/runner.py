"""Keeps every tenant's projections up to date: the projector's main loop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg import Connection
from psycopg.sql import SQL, Identifier

from ledger.engine.log import CHANNEL
from ledger.engine.registry import Registry
from ledger.engine.shelf import Memory
from ledger.engine.statements import in_schema
from ledger.engine.trouble import in_short, is_trouble
from ledger.nouns import NOUNS
from ledger.refusals import Shown
from projections.machine import rebuilding
from projections.machine.awake import AWAKE, asked_at
from projections.machine.database import BUILDER_IS_ALIVE, make_tables, open_connection
from projections.machine.following import LEASE_SECONDS, PAGE_FACTS, Follower, at_full_speed
from projections.machine.projection import Projection, named
from projections.machine.rebuilding import AlreadyBuilding, Lost, Stopped
from projections.machine.streams import Streams
from projections.machine.writing import Writer, new_name

POLL_SECONDS = 1.0
_LONGEST_WAIT = 0.5
_BUILDING_WAIT = 0.05
"""The longest wait while something is built, because the next build may wait for its end."""
_BREATH = 4
"""How much longer than a page that was not full the projector rests after it."""

_LONGEST_BREATH = 0.25
_SHORTEST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_LONGEST_TENANT_PAUSE = 30.0
_LONGEST_REBUILD_PAUSE = 300.0
_PREPARED_SECONDS = 0.1
"""How often is looked whether new tenants have their tables."""
_ASK_SECONDS = 2.0
_LIST_SECONDS = 1800.0
"""How often all tenants are listed; a new one is awake at first, and is found by that."""
_MOST_BUILDERS = 8
"""Of which one builds, and the others wait for the moment at which they can swap."""
_OF_ONE_TENANT = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected, psycopg.errors.QueryCanceled)
"""Trouble of the database that is one tenant's own: somebody holds what it needs."""

_TENANTS = "SELECT schema FROM fulfilment.tenants ORDER BY schema"
_LIVES = """
    INSERT INTO fulfilment.projectors (name, seen_at) VALUES (%s, now())
    ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at
"""
_LIVING = "SELECT name FROM fulfilment.projectors WHERE seen_at > now() - make_interval(secs => %s)"
_ENDS = "DELETE FROM fulfilment.projectors WHERE name = %s OR seen_at < now() - interval '1 day'"
_REQUESTS = f"""
    SELECT wanted.name, CASE WHEN p.shape < wanted.shape THEN 'rebuild' ELSE p.requested END
    FROM {{schema}}.ledger_projections AS p
        JOIN unnest(%(names)s::text[], %(shapes)s::int4[]) AS wanted (name, shape) ON wanted.name = p.name
    WHERE (p.shape < wanted.shape OR p.shape = wanted.shape AND p.requested IS NOT NULL) AND NOT (
        {BUILDER_IS_ALIVE} AND builder_seen_at >= clock_timestamp() - make_interval(secs => %(lease)s))
"""  # noqa: S608

log = logging.getLogger("fulfilment.projections")

# --- the projector --------------------------------------------------------------------------------


def run_forever(
    dsn: str, stop: threading.Event, projections: Sequence[Projection], *, page_facts: int = PAGE_FACTS
) -> None:
    """Follows the logs of all tenants until stop is set; waits for a lost database."""
    pause, name = _SHORTEST_PAUSE, new_name()
    while not stop.is_set():
        started_at = time.monotonic()
        try:
            with at_full_speed(), _Projector(dsn, name, projections, page_facts, stop) as projector:
                projector.run()
        except (psycopg.Error, OSError) as error:
            if time.monotonic() - started_at > _LONGEST_PAUSE:
                pause = _SHORTEST_PAUSE
            log.warning("the projector lost its database, trying again in %.1f s: %s", pause, in_short(error))
            stop.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)


class _Trouble:
    """Errors of what is tried again, less and less often; each is logged once until it is over."""

    def __init__(self, longest_pause: float) -> None:
        self._longest_pause = longest_pause
        self._failures: dict[str, tuple[int, float, str]] = {}

    def may_try(self, what: str) -> bool:
        return what not in self._failures or time.monotonic() >= self._failures[what][1]

    def failed(self, what: str, error: Exception) -> None:
        count, _, before = self._failures.get(what, (0, 0.0, ""))
        pause = min(_SHORTEST_PAUSE * 2.0**count, self._longest_pause)
        kind = type(error).__name__
        self._failures[what] = count + 1, time.monotonic() + pause, kind
        if kind != before:
            trace = None if isinstance(error, psycopg.Error | Shown) else error
            log.error("%s: %s", what, in_short(error), exc_info=trace)

    def is_over(self, what: str) -> None:
        if self._failures.pop(what, None):
            log.info("no longer: %s", what)


class _Build(NamedTuple):
    builder: rebuilding.Builder
    future: Future[Any]


class _Projector:
    """Keeps the projections of all tenants up to date while its connection to the database lasts."""

    def __init__(
        self, dsn: str, name: str, projections: Sequence[Projection], page_facts: int, stop: threading.Event
    ) -> None:
        self._dsn = dsn
        self._name = name
        self._projections = projections
        self._page_facts = page_facts
        self._stop = stop
        self._registry = Registry(NOUNS)
        self._memory = Memory()
        self._followers: dict[str, Follower] = {}
        self._discover_at = 0.0
        self._list_at = 0.0
        self._asked_at: datetime | None = None
        """When it was found who is awake, by the database."""
        self._listed: set[str] = set()
        self._live_at = 0.0
        self._living: set[str] = set()
        """The names of all projectors that live."""
        self._preparing: dict[str, Future[None]] = {}
        self._building: dict[tuple[str, str], _Build] = {}
        self._to_build: set[str] = set()
        """Schemas where something is to be built once another build has ended."""
        self._trouble = _Trouble(_LONGEST_TENANT_PAUSE)
        self._failed_rebuilds = _Trouble(_LONGEST_REBUILD_PAUSE)

    def __enter__(self) -> _Projector:
        with ExitStack() as opened:
            self._connection = opened.enter_context(open_connection(self._dsn))
            self._listener = opened.enter_context(open_connection(self._dsn))
            self._listener.execute(SQL("LISTEN {}").format(Identifier(CHANNEL)))
            self._writer = Writer(self._dsn, self._projections, self._name)
            opened.callback(self._writer.close)
            self._builders = ThreadPoolExecutor(_MOST_BUILDERS, "rebuild")
            opened.callback(lambda: self._builders.shutdown(wait=self._stop.is_set()))
            self._preparer = ThreadPoolExecutor(1, "prepare")
            opened.callback(lambda: self._preparer.shutdown(wait=self._stop.is_set(), cancel_futures=True))
            self._opened = opened.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        with self._opened:
            if kind is None:
                for follower in self._followers.values():
                    follower.resign(self._connection)
                self._connection.execute(_ENDS, (self._name,))

    def run(self) -> None:
        while not self._stop.is_set():
            self._live()
            self._discover()
            self._build_on()
            began = time.monotonic()
            facts = self._step()
            if not facts:
                self._wait()
            elif facts < self._page_facts:
                # A page costs nearly the same however few facts it has, so it waits for some more,
                # and leaves the processor to commands meanwhile.
                self._stop.wait(min(_BREATH * (time.monotonic() - began), _LONGEST_BREATH))

    def _discover(self) -> None:
        """Finds the tenants that are awake, new ones and requested rebuilds among them."""
        now = time.monotonic()
        if now < self._discover_at:
            return
        found = self._connection.execute(AWAKE, {"since": self._asked_at}).fetchall()
        awake = {schema for _, schema, _ in found}
        self._asked_at = asked_at(found, self._asked_at)
        if now >= self._list_at:
            self._list_at = now + _LIST_SECONDS
            self._listed = {schema for (schema,) in self._connection.execute(_TENANTS).fetchall()}
            for schema in self._followers.keys() - self._listed:
                self._followers.pop(schema).forget()
        self._listed |= awake
        for schema in sorted(self._listed - self._followers.keys()):
            self._admit(schema)
        for schema, follower in self._followers.items():
            follower.is_awake = schema in awake
            if now >= follower.ask_at and (follower.is_awake or follower.is_asked):
                follower.ask_at = now + _ASK_SECONDS
                with self._only_of(schema):
                    self._start_building(schema)
        self._discover_at = now + (_PREPARED_SECONDS if self._preparing else POLL_SECONDS)

    def _live(self) -> None:
        """Shows a sign of life; where another projector shows none any more, all is looked at that it may have left."""
        if time.monotonic() < self._live_at:
            return
        self._live_at = time.monotonic() + POLL_SECONDS
        self._connection.execute(_LIVES, (self._name,))
        living = {name for (name,) in self._connection.execute(_LIVING, (2 * LEASE_SECONDS,)).fetchall()}
        if not self._living <= living:
            for follower in self._followers.values():
                follower.take_over()
        self._living = living

    def _admit(self, schema: str) -> None:
        """Follows a tenant once its tables are made; the others go on meanwhile."""
        made = self._preparing.get(schema)
        if made is None:
            if self._trouble.may_try(_read_models(schema)):
                self._preparing[schema] = self._preparer.submit(self._prepare, schema)
        elif made.done():
            del self._preparing[schema]
            with self._only_of(schema):
                made.result()
                self._followers[schema] = Follower(
                    schema, self._projections, self._writer, self._registry, self._page_facts, self._memory
                )

    def _prepare(self, schema: str) -> None:
        with open_connection(self._dsn) as connection:
            make_tables(connection, schema, self._projections)

    def _build_on(self) -> None:
        """Starts the next build as soon as one has ended: what is to be built stands still until then."""
        if not any(each.future.done() for each in self._building.values()) or not self._may_build():
            return
        for schema in sorted(self._to_build & self._followers.keys()):
            with self._only_of(schema):
                self._start_building(schema)
            if self._builds():
                return

    def _may_build(self) -> bool:
        """One builds at a time; those that only wait for their swap keep nobody waiting."""
        self._building = {which: each for which, each in self._building.items() if not each.future.done()}
        return len(self._building) < _MOST_BUILDERS and not self._builds()

    def _builds(self) -> bool:
        return any(not each.builder.waits for each in self._building.values())

    def _start_building(self, schema: str) -> None:
        parameters = {
            "names": [each.name for each in self._projections],
            "shapes": [each.shape for each in self._projections],
            "lease": rebuilding.BUILDER_LEASE_SECONDS,
        }
        self._to_build.discard(schema)
        requests = self._connection.execute(in_schema(_REQUESTS, schema), parameters).fetchall()
        self._followers[schema].is_asked = bool(requests)
        for name, requested in requests:
            may_build = self._may_build()
            if (schema, name) in self._building or not self._failed_rebuilds.may_try(_rebuilds(schema, name)):
                continue
            if not may_build:
                self._to_build.add(schema)
                return
            builder = rebuilding.Builder(self._dsn, schema, named(self._projections, name), self._stop)
            future = self._builders.submit(self._build, builder, schema, name, requested)
            self._building[schema, name] = _Build(builder, future)

    def _build(self, builder: rebuilding.Builder, schema: str, name: str, requested: str) -> None:
        try:
            builder.run(swap=requested == "rebuild")
            self._failed_rebuilds.is_over(_rebuilds(schema, name))
        except (AlreadyBuilding, Lost, Stopped) as error:
            log.info("%s of %s of %s ended: %s", requested, name, schema, type(error).__name__)
        except Exception as error:  # noqa: BLE001 - the status shows it, and a new shape is tried again
            self._failed_rebuilds.failed(_rebuilds(schema, name), error)

    def _step(self) -> int:
        """One page for every tenant that may have one; returns the size of the longest."""
        most = 0
        for schema, follower in self._followers.items():
            if not self._has_turn(schema, follower):
                continue
            self._live()
            follower.look_at = time.monotonic() + POLL_SECONDS
            with self._only_of(schema):
                if facts := follower.step(self._connection):
                    most, follower.look_at = max(most, facts), 0.0
                else:
                    follower.rest()
                follower.has_more = bool(facts) or follower.is_held_up
                follower.report_errors(self._connection)
        return most

    def _has_turn(self, schema: str, follower: Follower) -> bool:
        """Whether it is to be looked at now; one at rest is not, once it has nothing to do."""
        due = follower.may_have_more and follower.look_at <= time.monotonic()
        return due and self._trouble.may_try(_read_models(schema))

    @contextmanager
    def _only_of(self, schema: str) -> Iterator[None]:
        """Keeps an error of one tenant's schema from stopping the others."""
        try:
            yield
        except Exception as error:
            if is_trouble(error) and not isinstance(error, _OF_ONE_TENANT):
                raise
            self._trouble.failed(_read_models(schema), error)
            if follower := self._followers.get(schema):
                follower.note_error(error)
                with suppress(psycopg.Error):
                    follower.report_errors(self._connection)
        else:
            self._trouble.is_over(_read_models(schema))

    def _wait(self) -> None:
        """Waits until a hint of new facts or until the next look; hints may come late or never."""
        turns = [each.look_at for each in self._followers.values() if each.may_have_more]
        look_at = min(turns, default=self._discover_at)
        # Never for long, so that it notices the stop soon.
        longest = _BUILDING_WAIT if self._builds() else _LONGEST_WAIT
        timeout = min(max(0.01, min(look_at, self._discover_at) - time.monotonic()), longest)
        for hint in self._listener.notifies(timeout=timeout, stop_after=1):
            follower = self._followers.get(hint.payload)
            if follower is not None:
                follower.look_at, follower.has_more = 0.0, True


def _read_models(schema: str) -> str:
    return f"the read models of {schema} wait and are tried again"


def _rebuilds(schema: str, name: str) -> str:
    return f"a rebuild of {name} of {schema} failed"


def catch_up(
    dsn: str,
    schema: str,
    projections: Sequence[Projection],
    *,
    page_facts: int = PAGE_FACTS,
    writer: Writer | None = None,
) -> int:
    """Takes one tenant's projections to the head of its log and returns it; raises the error that stops them.

    A writer that is given stays open: its connections take longer to open than a few facts to be written.
    """
    with ExitStack() as opened:
        opened.enter_context(at_full_speed())
        connection = opened.enter_context(open_connection(dsn))
        make_tables(connection, schema, projections)
        if writer is None:
            writer = opened.enter_context(closing(Writer(dsn, projections)))
        registry = Registry(NOUNS)
        follower = Follower(schema, projections, writer, registry, page_facts, Memory())
        head = Streams(schema, 0, registry).head(connection)
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


def _there(connection: Connection[Any], schema: str, projections: Sequence[Projection], head: int) -> bool:
    query = "SELECT count(*) FROM {schema}.ledger_tracking WHERE application_name = ANY(%s) AND notification_id >= %s"
    names = [each.name for each in projections]
    ((there,),) = connection.execute(in_schema(query, schema), (names, head)).fetchall()
    return head == 0 or bool(there == len(projections))
