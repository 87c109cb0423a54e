"""Long streams: folded in steps that keep nobody waiting, from snapshots of what they amounted to before.

A snapshot is the state of a stream at a version, stored beside the log. It is disposable: what another version of the
code has folded is not even looked at, and one that is lost costs time, never truth.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from functools import cache
from hashlib import blake2b
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, cast

import psycopg
from psycopg.sql import SQL, Identifier

from ledger.engine.book import LONG_FACTS, Book
from ledger.engine.log import EVENTS_TABLE, Log
from ledger.engine.registry import Registry
from ledger.refusals import Unavailable
from ledger.view import EMPTY, Broken, Entry

STEP_FACTS = 1_000
"""How many are folded between two turns of the event loop: a few milliseconds of work."""
_MOST_STEPS = 100
"""A book that is further behind starts over: most of what it holds is not asked for again."""
_BYTES_A_FACT = 200
"""A state of so many bytes is worth one more fact that is folded again: snapshots take a small share of the work."""

_NEWEST = """
    SELECT version, state FROM {snapshots} WHERE originator_id = %b AND shape = %b AND position <= %b::bigint
"""
_VERSIONS = """
    SELECT stream, version FROM unnest(%b::text[]) AS wanted (stream), LATERAL (
        SELECT max(originator_version) AS version FROM {events} WHERE originator_id = stream
    ) AS newest
    WHERE version >= %b::bigint
"""
_STEP = """
    SELECT originator_id, originator_version, topic, state FROM {events}
    WHERE originator_id = %b AND originator_version > %b::bigint AND notification_id <= %b::bigint
    ORDER BY originator_version LIMIT %b::bigint
"""
_STORE = """
    INSERT INTO {snapshots} AS kept (originator_id, shape, version, position, state, taken_at)
    VALUES (%b, %b, %b::bigint, %b::bigint, %b, now())
    ON CONFLICT (originator_id, shape) DO UPDATE
    SET version = excluded.version, position = excluded.position, state = excluded.state, taken_at = excluded.taken_at
    WHERE kept.version < excluded.version
"""
# Two versions of the service may run side by side for a while.
_DROP_OLD = """
    DELETE FROM {snapshots} WHERE originator_id = %b AND shape <> %b AND taken_at < now() - interval '1 day'
"""

log = logging.getLogger("fulfilment.ledger")


@cache
def code_shape() -> str:
    """What folds: it differs as soon as anything differs of the code that makes states of facts."""
    digest = blake2b(digest_size=16)
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@cache
def _statements(schema: str) -> list[bytes]:
    names = {"snapshots": Identifier(schema, "ledger_snapshots"), "events": Identifier(schema, EVENTS_TABLE)}
    templates = (_NEWEST, _VERSIONS, _STEP, _STORE, _DROP_OLD)
    return [SQL(cast("Any", each)).format(**names).as_bytes(None) for each in templates]


class TooMuch(Exception):
    """A batch has to read more than the tenant's lock may be held for: it is read before the lock is taken again."""

    def __init__(self, streams: Iterable[str]) -> None:
        super().__init__()
        self.streams = tuple(streams)


class Taken(NamedTuple):
    """A snapshot that is to be stored."""

    stream: str
    version: int
    position: int
    state: bytes


class Snapshots:
    """The long streams of one tenant."""

    def __init__(self, journal: Log, registry: Registry, shape: str = "") -> None:
        self._log = journal
        self._registry = registry
        self._shape = shape or code_shape()
        self._due: dict[str, int] = {}
        """The version from which on the next snapshot of a stream is taken, if that is not LONG_FACTS."""
        self._storing: set[asyncio.Task[None]] = set()
        self._newest, self._versions, self._step, self._store, self._drop_old = _statements(journal.schema)

    # --- reading ---

    async def bring_in(self, book: Book, streams: Iterable[str]) -> None:
        """Brings those into a book that may be long, before anybody takes the tenant's lock for them."""
        missing = [stream for stream in book.missing(streams) if self._registry.is_restorable(stream)]
        if missing:
            _, entries = await self.fold_all(list(dict.fromkeys(missing)))
            for stream, entry in entries.items():
                book.hold(stream, entry)

    async def read_ahead(self, book: Book, streams: Iterable[str]) -> None:
        """Brings a book near the head of the log, and long streams into it, while nobody holds the tenant's lock."""
        for _ in range(_MOST_STEPS):
            tail = await self._log.tail(book.position, STEP_FACTS)
            book.follow(tail)
            if len(tail) < STEP_FACTS:
                break
        else:
            book.forget_all(await self._log.head())
        head = await self._log.head()
        for stream in await self.long_ones(book.missing(streams)):
            book.hold(stream, await self.fold(stream, head))

    async def long_ones(self, streams: Iterable[str]) -> list[str]:
        """Those that are better folded in steps."""
        return [row[0] for row in await self._log.rows(self._versions, (list(streams), LONG_FACTS))]

    async def fold(self, stream: str, head: int) -> Entry:
        """A stream as of a position, in steps."""
        entry = await self._restored(stream, head)
        while True:
            rows = await self._log.rows(self._step, (stream, entry.version, head, STEP_FACTS))
            for name, version, topic, state in rows:
                entry = self._registry.advance(name, entry, version, topic, state)
            if len(rows) < STEP_FACTS or type(entry.state) is Broken:
                return entry
            await asyncio.sleep(0)

    async def fold_all(self, streams: Sequence[str]) -> tuple[int, dict[str, Entry]]:
        """The head of the log, and the streams as of it."""
        head, rows = await self._log.read_streams(streams, self._shape, STEP_FACTS + 1)
        if len(rows) <= STEP_FACTS and all(topic for _, _, topic, _ in rows):
            return head, self._registry.fold_rows(streams, rows)
        entries = dict.fromkeys(streams, EMPTY)
        for stream, facts in groupby(rows, key=itemgetter(0)):
            own = list(facts)
            if len(own) <= STEP_FACTS:
                entries |= self._registry.fold_rows([stream], own)
                await asyncio.sleep(0)
            if len(own) > STEP_FACTS or (not own[0][2] and type(entries[stream].state) is Broken):
                entries[stream] = await self.fold(stream, head)
        return head, entries

    async def _restored(self, stream: str, head: int) -> Entry:
        if not self._registry.is_restorable(stream):
            return EMPTY
        for version, state in await self._log.rows(self._newest, (stream, self._shape, head)):
            try:
                entry = Entry(version, self._registry.restore(stream, state))
            except Exception:
                log.exception("the snapshot of %s at version %d cannot be read and is not used", stream, version)
            else:
                self._due[stream] = _due_after(version, state)
                return entry
        return EMPTY

    # --- taking ---

    def take(self, book: Book) -> None:
        """Takes snapshots of what has grown in a book, and has them stored beside all else.

        States change in place, so it is called between two batches.
        """
        taken = [taken for stream in book.grown if (taken := self._taken(stream, book.find(stream), book.position))]
        book.grown.clear()
        if taken:
            task = asyncio.create_task(self._keep(taken), name=f"snapshots of {self._log.schema}")
            self._storing.add(task)
            task.add_done_callback(self._storing.discard)

    async def settled(self) -> None:
        """Waits until everything that was taken is stored."""
        await asyncio.gather(*self._storing, return_exceptions=True)

    def _taken(self, stream: str, entry: Entry | None, position: int) -> Taken | None:
        if entry is None or entry.version < self._due.get(stream, 0) or not self._registry.is_restorable(stream):
            return None
        if type(entry.state) is Broken:
            return None
        state = self._registry.keep(entry.state)
        self._due[stream] = _due_after(entry.version, state)
        return Taken(stream, entry.version, position, state)

    async def _keep(self, taken: Sequence[Taken]) -> None:
        """Stores snapshots; where that fails, there is none."""
        try:
            async with self._log.pool.connection() as connection:
                for each in taken:
                    values = (each.stream, self._shape, each.version, each.position, each.state)
                    await connection.execute(self._store, values, prepare=True, binary=True)
                    await connection.execute(self._drop_old, (each.stream, self._shape), prepare=True)
        except (psycopg.Error, TimeoutError, Unavailable) as error:
            log.warning("%d snapshots of %s are not kept: %s", len(taken), self._log.schema, type(error).__name__)


def _due_after(version: int, state: bytes) -> int:
    return version + max(LONG_FACTS, len(state) // _BYTES_A_FACT)
