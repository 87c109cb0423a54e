"""One tenant's projections, following its log.

Projections that stand at the same position share one fold of each page. While PostgreSQL writes the
rows of one page, the next is read and folded; each projection's rows and checkpoint go into one
transaction, under that projection's lock, and only onto the position they were computed from.
"""

from __future__ import annotations

import gc
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg
from psycopg import Connection

from ledger.engine.registry import Registry, UnknownFact
from ledger.engine.shelf import Memory
from ledger.engine.statements import in_schema
from ledger.engine.trouble import in_short, is_trouble
from ledger.refusals import Shown
from projections.machine.projection import Projection
from projections.machine.streams import Page, Streams
from projections.machine.writing import Batch, Busy, Superseded, Writer

PAGE_FACTS = 1_000
"""How many facts the read models go on by. Larger pages take less work, and whoever waits for a fact waits for its page
and for the one before."""
LEASE_SECONDS = 6.0
"""A projector that shows no sign of life for so long no longer leads."""

_BEAT_SECONDS = 2.0
_SHORTEST_PAUSE = 0.2
_LONGEST_PAUSE = 30.0
_LONGEST_BUSY_PAUSE = 1.0
_GIVE_WAY_SECONDS = 5.0
"""How long a projector leaves what it cannot read to others: longer than two of them need to see that nobody leads."""
_BUSY_SECONDS = 5.0
"""A lock that somebody else has held for so long is an error that the status shows."""
_KEPT_AT_REST = 2_000

_LEAD = """
    UPDATE {schema}.ledger_projections SET leader = %(leader)s, seen_at = now()
    WHERE (name, shape) IN (SELECT * FROM unnest(%(names)s::text[], %(shapes)s::int4[]))
        AND (leader IS NULL OR leader = %(leader)s OR seen_at < now() - make_interval(secs => %(lease)s))
    RETURNING name
"""
_POSITIONS = """
    SELECT application_name, notification_id FROM {schema}.ledger_tracking WHERE application_name = ANY(%s)
"""
_FAILED = """
    UPDATE {schema}.ledger_projections SET error = %s, seen_at = now() WHERE name = %s AND leader = %s
"""
_RESIGN = "UPDATE {schema}.ledger_projections SET leader = NULL WHERE leader = %s AND name = ANY(%s)"

log = logging.getLogger("fulfilment.projections")


@contextmanager
def at_full_speed() -> Iterator[None]:
    """While it follows, a process switches threads often and collects garbage seldom.

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
    gives_way_until: float | None = None
    """Until when it is left to a projector of a newer version, which knows the fact that stops this one."""
    error: Exception | None = None
    known: bool = False
    """Whether this projector has seen it go on or fail; until then the status shows what the one before knew."""
    shown: str | None = ""
    """The error that the status shows; not None until this projector has shown that there is none."""


class CannotTake(Shown):
    """A projection fails at a fact, or at one of several; its tables hold everything before it."""

    def __init__(self, after: int, position: int, cause: Exception) -> None:
        which = f"fact at position {position}"
        if position - after > 1:
            which = f"facts at positions {after + 1} to {position}"
        super().__init__(f"the {which}: {in_short(cause)}")
        self.__cause__ = cause


class Follower:
    """Applies one tenant's log to its projections, a page at a time."""

    def __init__(
        self,
        schema: str,
        projections: Sequence[Projection],
        writer: Writer,
        registry: Registry,
        page_facts: int,
        memory: Memory,
    ) -> None:
        self.schema = schema
        self.look_at = 0.0
        """When to look for more, in the time of time.monotonic."""
        self.ask_at = 0.0
        """When to look for what was asked of the projector."""
        self.is_awake = True
        """Whether somebody may write to the tenant."""
        self.has_more = True
        """Whether there may be something to do though it is at rest."""
        self.is_asked = True
        """Whether something may be asked of the projector though it is at rest."""
        self._writer = writer
        self._registry = registry
        self._page_facts = page_facts
        self._memory = memory
        self._progress = [_Progress(each, page_facts) for each in projections]
        self._folds: list[Streams] = []
        self._beat_at = 0.0

    def step(self, connection: Connection[Any]) -> int:
        """Applies the next page to every projection that can go on; returns the size of the longest page."""
        self._lead(connection)
        self._ask_positions(connection)
        now = time.monotonic()
        groups: dict[int, list[_Progress]] = {}
        for each in self._progress:
            if each.leads and each.position is not None and now >= each.try_at:
                groups.setdefault(each.position, []).append(each)
        moved = [self._take(connection, position, group) for position, group in sorted(groups.items())]
        standing = {each.position for each in self._progress}
        self._let_go([fold for fold in self._folds if fold.position not in standing])
        return max(moved, default=0)

    def take_over(self) -> None:
        """Called when another projector has ended: looks for what it may have left."""
        self.has_more, self._beat_at = True, 0.0

    def rest(self) -> None:
        """Called when there is nothing to do: waits for writes and frees memory."""
        for each in self._progress:
            self._finish_writing(each)
        for fold in self._folds:
            fold.trim(_KEPT_AT_REST)

    def forget(self) -> None:
        """Called when nobody follows this log any more: frees all its memory."""
        self._let_go(self._folds)

    def _let_go(self, folds: Sequence[Streams]) -> None:
        for fold in folds:
            fold.trim(0)
        self._folds = [fold for fold in self._folds if fold not in folds]

    def resign(self, connection: Connection[Any]) -> None:
        """Lets another projector lead at once."""
        for each in self._progress:
            self._finish_writing(each)
        self._give_up(connection, self._progress)

    def positions(self) -> dict[str, int | None]:
        return {each.projection.name: each.position for each in self._progress if each.leads}

    def troubles(self) -> list[Exception]:
        """The errors that stop projections."""
        return [each.error for each in self._progress if each.error is not None]

    @property
    def may_have_more(self) -> bool:
        """Whether it is worth a look."""
        return self.is_awake or self.has_more

    @property
    def is_held_up(self) -> bool:
        """Whether a projection that this one leads did not go on as it should."""
        return any(
            (each.leads or each.gives_way_until) and (each.failures or each.position is None) for each in self._progress
        )

    def note_error(self, error: Exception) -> None:
        """Notes an error of the whole tenant; each projection that goes on clears it."""
        for each in self._progress:
            each.error, each.known = error, True

    def _lead(self, connection: Connection[Any]) -> None:
        """Renews its leases, and takes over projections without a leader."""
        now = time.monotonic()
        if now < self._beat_at:
            return
        for each in self._progress:
            # Those that move on together lock the same rows, in another order.
            if self._finish_writing(each) and now > self._beat_at + LEASE_SECONDS:
                each.position = None  # others may have led meanwhile
        wanted = [each for each in self._progress if each.gives_way_until is None or now >= each.gives_way_until]
        self._give_up(connection, [each for each in self._progress if each.gives_way_until and each.leads])
        names = [each.projection.name for each in wanted]
        shapes = [each.projection.shape for each in wanted]
        parameters = {"leader": self._writer.name, "names": names, "shapes": shapes, "lease": LEASE_SECONDS}
        led = {name for (name,) in connection.execute(in_schema(_LEAD, self.schema), parameters).fetchall()}
        for each in self._progress:
            leads = each.projection.name in led
            if leads != each.leads:
                self._finish_writing(each)
                each.leads, each.position = leads, None
                each.shown = ""  # another may have shown something else
        for each in wanted:
            each.gives_way_until = None
        self._beat_at = now + _BEAT_SECONDS

    def _give_up(self, connection: Connection[Any], led: Sequence[_Progress]) -> None:
        if led:
            names = [each.projection.name for each in led]
            connection.execute(in_schema(_RESIGN, self.schema), (self._writer.name, names))

    def _ask_positions(self, connection: Connection[Any]) -> None:
        lost = [each for each in self._progress if each.leads and each.position is None]
        if lost:
            names = [each.projection.name for each in lost]
            found = dict(connection.execute(in_schema(_POSITIONS, self.schema), (names,)).fetchall())
            for each in lost:
                each.position = found.get(each.projection.name, 0)

    def _take(self, connection: Connection[Any], position: int, group: list[_Progress]) -> int:
        fold = next((fold for fold in self._folds if fold.position == position), None)
        if fold is None:
            fold = Streams(self.schema, position, self._registry, memory=self._memory, with_snapshots=True)
            self._folds.append(fold)
        try:
            page = fold.read(connection, min(each.limit for each in group))
        except psycopg.Error:
            raise
        except Exception as error:  # noqa: BLE001 - shown to whoever asks for the status, and tried again
            for each in group:
                if self._finish_writing(each):
                    self._fail(each, error)
            return 0
        idle: list[tuple[_Progress, Batch]] = []
        for each in group:
            if page is None:
                if self._finish_writing(each):
                    self._recovered(each)
            elif (batch := self._changed(each, page)) is not None and batch.is_empty and batch.after:
                idle.append((each, batch))
            elif batch is not None:
                self._written(each, batch, self._writer.submit(batch))
        if idle:
            futures = self._writer.move_on([batch for _, batch in idle])
            for (each, batch), future in zip(idle, futures, strict=True):
                self._written(each, batch, future)
        return page.position - page.after if page is not None else 0

    def _changed(self, each: _Progress, page: Page) -> Batch | None:
        """What the page changes of the projection, once the page before it is written; None if either fails."""
        try:
            written = each.projection.changes(page)
        except Exception as error:  # noqa: BLE001 - the other projections go on
            if self._finish_writing(each):
                self._cannot_take(each, page.after, page.position, error)
            return None
        if not self._finish_writing(each):
            return None
        return Batch(self.schema, each.projection, page.after, page.position, written)

    def _written(self, each: _Progress, batch: Batch, future: Future[None]) -> None:
        each.writing = _Writing(future, batch.after, batch.position)
        each.position = batch.position

    def _finish_writing(self, each: _Progress) -> bool:
        """Waits for the projection's last write; returns whether it may go on from there."""
        writing, each.writing = each.writing, None
        if writing is None:
            return True
        try:
            writing.future.result()
        except Exception as error:  # noqa: BLE001 - whatever it is, the projection stays where it was
            self._cannot_take(each, writing.after, writing.position, error)
            return False
        self._recovered(each)
        # The written row shows no error.
        each.shown = None
        each.limit = min(each.limit * 2, self._page_facts)
        return True

    def _recovered(self, each: _Progress) -> None:
        if each.error is not None:
            log.info("projection %s of %s goes on", each.projection.name, self.schema)
        each.failures, each.error, each.busy_since, each.known = 0, None, None, True

    def _cannot_take(self, each: _Progress, after: int, position: int, error: Exception) -> None:
        """Goes on up to the fact that fails, by shorter and shorter pages, and waits there."""
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
        """Another session holds the lock. A comparing rebuild does so for a moment; others are named in the status."""
        now = time.monotonic()
        each.busy_since = each.busy_since or now
        self._pause(each, _LONGEST_BUSY_PAUSE)
        if now - each.busy_since > _BUSY_SECONDS:
            self._report(each, busy)

    def _fail(self, each: _Progress, error: Exception) -> None:
        """Remembers why a projection cannot go on, and when to try again."""
        each.position = None
        if _is_of_a_newer_version(error):
            each.gives_way_until = time.monotonic() + _GIVE_WAY_SECONDS
        self._pause(each, _LONGEST_PAUSE)
        self._report(each, error)

    def _pause(self, each: _Progress, longest: float) -> None:
        each.try_at = time.monotonic() + min(_SHORTEST_PAUSE * 2.0**each.failures, longest)
        each.failures += 1

    def _report(self, each: _Progress, error: Exception) -> None:
        """Logs each kind of error once; it is tried again, and the status shows it until it is over."""
        before, each.error, each.known = each.error, error, True
        if type(before) is not type(error):
            log.error(
                "projection %s of %s cannot go on and is tried again until it can: %s",
                each.projection.name,
                self.schema,
                in_short(error),
                exc_info=None if is_trouble(error) or isinstance(error, Busy) else error,
            )

    def report_errors(self, connection: Connection[Any]) -> None:
        """Stores the errors that stop projections, for the status."""
        for each in self._progress:
            text = None if each.error is None else error_text(each.error)
            if each.leads and each.known and text != each.shown:
                connection.execute(in_schema(_FAILED, self.schema), (text, each.projection.name, self._writer.name))
                each.shown = text


def _is_of_a_newer_version(error: BaseException | None) -> bool:
    """Whether a fact is in the way that this version does not know."""
    return error is not None and (isinstance(error, UnknownFact) or _is_of_a_newer_version(error.__cause__))


def error_text(error: Exception) -> str:
    """What the status shows of an error, without characters that PostgreSQL refuses."""
    text = str(error) if isinstance(error, Shown) else in_short(error)
    return text.replace("\0", "").encode(errors="backslashreplace").decode().strip()
