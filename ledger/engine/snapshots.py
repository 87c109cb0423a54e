"""Snapshots of long streams, and folding such streams from them, in steps that keep nobody waiting.

A snapshot is the state of a stream at a version, stored beside the log. It is disposable: what another version of the
code has folded is not even looked at, and one that is lost costs time, never truth.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_left
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from functools import cache
from hashlib import blake2b
from itertools import accumulate, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, cast

import psycopg
from msgspec.structs import replace

from ledger.engine.book import LONG_FACTS, Book
from ledger.engine.log import Log
from ledger.engine.log_rows import EVERYTHING
from ledger.engine.registry import Registry
from ledger.engine.statements import in_schema
from ledger.engine.turns import in_turns
from ledger.refusals import Unavailable
from ledger.view import EMPTY, Broken, Entry

STEP_FACTS = 1_000
"""How many are read at once."""
STREAMS_AT_ONCE = 50
"""Of how many streams, of which each may have as many facts as a step, facts are in memory at once."""
_MOST_STEPS = 100
"""A book that is further behind starts over: most of what it holds is not asked for again."""
_STORED_AT_ONCE = 16
"""How many snapshots of a tenant wait to be stored: all its streams may be due at once."""
_BYTES_A_FACT = 200
"""A state of so many bytes is worth one more fact that is folded again: snapshots take a small share of the work."""

_VERSIONS = """
    SELECT stream, version FROM unnest(%b::text[]) AS wanted (stream), LATERAL (
        SELECT max(originator_version) AS version FROM {ledger_events} WHERE originator_id = stream
    ) AS newest
    WHERE version > 0
"""
_STEP = """
    SELECT originator_id, originator_version, topic, state FROM {ledger_events}
    WHERE originator_id = %b AND originator_version > %b::bigint AND notification_id <= %b::bigint
    ORDER BY originator_version LIMIT %b::bigint
"""
_NEWEST = """
    SELECT version, parts FROM {ledger_snapshots}
    WHERE originator_id = %b AND shape = %b AND position <= %b::bigint AND part = 0
    ORDER BY version DESC
"""
_PART = """
    SELECT state FROM {ledger_snapshots}
    WHERE originator_id = %b AND shape = %b AND version = %b::bigint AND part = %b::int4
"""
# Not of facts that are gone: a server without them may have taken over since they were read.
_STORE = """
    INSERT INTO {ledger_snapshots} (originator_id, shape, version, part, parts, position, state, taken_at)
    SELECT originator_id, %b, originator_version, %b::int4, %b::int4, %b::bigint, %b, now()
    FROM {ledger_events} WHERE originator_id = %b AND originator_version = %b::bigint ON CONFLICT DO NOTHING
"""
# Beside the newest those stay with which whoever follows the log would begin; and two versions of the service may run
# side by side for a while.
_DROP_OLD = """
    DELETE FROM {ledger_snapshots} WHERE originator_id = %(stream)s AND CASE
        WHEN shape = %(shape)s THEN version < %(version)s AND version NOT IN (
            SELECT kept.version FROM {ledger_tracking} AS reached, LATERAL (
                SELECT version FROM {ledger_snapshots}
                WHERE originator_id = %(stream)s AND shape = %(shape)s AND part = 0 AND position <= notification_id
                ORDER BY version DESC LIMIT 1
            ) AS kept
        )
        ELSE taken_at < now() - interval '1 day'
    END
"""
_DROP = "DELETE FROM {ledger_snapshots} WHERE originator_id = %b AND shape = %b AND version = %b::bigint"

Row = tuple[str, int, str, bytes]
"""Stream, version, topic, state."""

log = logging.getLogger("fulfilment.ledger")


@cache
def code_shape() -> str:
    """What folds: it differs as soon as anything differs of the code that makes states of facts."""
    digest = blake2b(digest_size=16)
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


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
    parts: list[bytes]


class Damaged(Exception):
    """A snapshot cannot be read."""


class Snapshots:
    """Takes, stores and reads the snapshots of one tenant, and folds long streams from them."""

    def __init__(self, journal: Log, registry: Registry, shape: str = "") -> None:
        self._log = journal
        self._registry = registry
        self._shape = shape or code_shape()
        self._due: dict[str, int] = {}
        """The version from which on the next snapshot of a stream is taken, if that is not LONG_FACTS."""
        self._storing: set[asyncio.Task[None]] = set()
        templates = (_NEWEST, _PART, _VERSIONS, _STEP, _STORE, _DROP_OLD, _DROP)
        self._newest, self._part, self._versions, self._step, self._store, self._drop_old, self._drop = (
            in_schema(template, journal.schema) for template in templates
        )

    # --- reading ---

    async def bring_in(
        self, book: Book, streams: Iterable[str], fold: Callable[[str, int], Awaitable[Entry | None]]
    ) -> None:
        """Brings those into a book that may be long; what is long as ``fold`` has it, which may have it later."""
        missing = [*dict.fromkeys(stream for stream in book.missing(streams) if self._registry.is_restorable(stream))]
        for start in range(0, len(missing), STREAMS_AT_ONCE):
            _, entries = await self.fold_all(missing[start : start + STREAMS_AT_ONCE], fold)
            for stream, entry in entries.items():
                book.hold(stream, entry)

    async def read_ahead(self, book: Book) -> None:
        """Brings a book near the head of the log, while nobody holds the tenant's lock."""
        for _ in range(_MOST_STEPS):
            tail = await self._log.tail(book.position, STEP_FACTS)
            await book.follow(tail)
            if len(tail) < STEP_FACTS:
                break
        else:
            book.forget_all(await self._log.head())

    async def head(self) -> int:
        """The position of the last fact in the log."""
        return await self._log.head()

    async def bring_short(self, book: Book, streams: Iterable[str]) -> list[str]:
        """Brings streams into a book, about as many facts at once as a step has; those that are better folded in steps
        are only named."""
        versions: dict[str, int] = dict(await self._log.rows(self._versions, (list(streams),)))
        short = [stream for stream, version in versions.items() if version < LONG_FACTS]
        while short:
            count = bisect_left(list(accumulate(versions[stream] for stream in short)), STEP_FACTS) + 1
            _, entries = await self.fold_all(short[:count])
            for stream, entry in entries.items():
                book.hold(stream, entry)
            del short[:count]
        return [stream for stream, version in versions.items() if version >= LONG_FACTS]

    async def fold(self, stream: str, head: int, entry: Entry = EMPTY) -> Entry:
        """A stream as of a position, in steps: from what an earlier fold of it came to, or a snapshot."""
        if not entry.version:
            entry = await self._restored(stream, head)
        return await self.fold_on(stream, entry, head)

    async def fold_on(self, stream: str, entry: Entry, head: int, version: int = EVERYTHING) -> Entry:
        """A stream with its further facts up to a position and a version."""
        async for rows in self.steps(stream, entry.version, head, version):
            entry = await self._further(entry, rows)
            if type(entry.state) is Broken:
                break
        return entry

    async def steps(self, stream: str, after: int, head: int, version: int = EVERYTHING) -> AsyncIterator[list[Row]]:
        """The facts of a stream after a version, up to a position and a version, so many at once."""
        while True:
            rows = await self._log.rows(self._step, (stream, after, head, min(STEP_FACTS, version - after)))
            yield cast("list[Row]", rows)
            if len(rows) < STEP_FACTS:
                return
            after = rows[-1][1]

    async def _further(self, entry: Entry, rows: Sequence[Row]) -> Entry:
        """A stream with further facts."""
        async for stream, version, topic, state in in_turns(rows):
            entry = self._registry.advance(stream, entry, version, topic, state)
        return entry

    async def fold_all(
        self, streams: Sequence[str], fold: Callable[[str, int], Awaitable[Entry | None]] | None = None
    ) -> tuple[int, dict[str, Entry]]:
        """The head of the log, and the streams as of it; what is long as ``fold`` has it, or not at all."""
        head, rows = await self._log.read_streams(streams, self._shape, STEP_FACTS + 1)
        if len(rows) <= STEP_FACTS and all(topic for _, _, topic, _ in rows):
            return head, await self._registry.fold_in_turns(streams, cast("list[Row]", rows))
        entries = dict.fromkeys(streams, EMPTY)
        for stream, facts in groupby(rows, key=itemgetter(0)):
            own = list(facts)
            if len(own) <= STEP_FACTS and own[0][3] is not None:
                entries[stream] = await self._further(EMPTY, cast("list[Row]", own))
                if own[0][2] or type(entries[stream].state) is not Broken:
                    continue
            entry = await (fold or self.fold)(stream, head)
            if entry is None:
                del entries[stream]
            else:
                entries[stream] = entry
        return head, entries

    async def _restored(self, stream: str, head: int) -> Entry:
        """The newest snapshot that is not after a position; those that cannot be read are dropped."""
        if not self._registry.is_restorable(stream):
            return EMPTY
        tried: set[int] = set()
        while found := [
            row for row in await self._log.rows(self._newest, (stream, self._shape, head)) if row[0] not in tried
        ]:
            version, parts = found[0]
            tried.add(version)
            try:
                state, size = await self._read(stream, version, parts)
            except Damaged:
                if await self.drop(stream, version):  # else a newer one has taken its place meanwhile
                    log.exception("the snapshot of %s at version %d cannot be read and is dropped", stream, version)
            else:
                self._due[stream] = _due_after(version, size)
                return Entry(version, state, self._registry.counted(stream, size))
        return EMPTY

    async def _read(self, stream: str, version: int, parts: int) -> tuple[Any, int]:
        """A state, part by part, and how many bytes it has. Raises Damaged."""
        state, size = None, 0
        for part in range(parts):
            rows = await self._log.rows(self._part, (stream, self._shape, version, part))
            try:
                kept = rows[0][0]
                size += len(kept)
                if part:
                    state = self._registry.restore_more(stream, state, kept)
                else:
                    state = self._registry.restore(stream, kept)
            except Exception as error:
                raise Damaged from error
        return state, size

    async def drop(self, stream: str, version: int) -> bool:
        """Drops a snapshot, if it is there; where that fails, it is not used all the same."""
        try:
            async with self._log.pool.connection() as connection:
                cursor = await connection.execute(self._drop, (stream, self._shape, version), binary=True)
                return int(cursor.rowcount) > 0
        except (psycopg.Error, TimeoutError, Unavailable) as error:
            log.warning("a snapshot of %s is not dropped: %s", stream, type(error).__name__)
            return True

    # --- taking ---

    def are_due(self, book: Book) -> bool:
        """Whether something has grown so much that a snapshot of it is to be taken; what has not is grown no more."""
        book.grown = {each for each in book.grown if self._is_due(each, book.shelf.get(each))}
        return bool(book.grown) and self._has_room

    @property
    def _has_room(self) -> bool:
        return len(self._storing) < _STORED_AT_ONCE

    def _is_due(self, stream: str, entry: Entry | None) -> bool:
        return (
            entry is not None
            and entry.version >= self._due.get(stream, LONG_FACTS)
            and type(entry.state) is not Broken
            and self._registry.is_restorable(stream)
        )

    async def take(self, book: Book) -> None:
        """Takes snapshots of what has grown in a book, and has them stored beside all else.

        States change in place, so it is called between two batches.
        """
        async for stream in in_turns(list(book.grown)):
            if not self._has_room:
                break  # the others stay grown
            book.grown.discard(stream)
            if (entry := book.find(stream)) is not None:
                book.hold(stream, await self.keep(stream, entry, book.position))

    async def keep(self, stream: str, entry: Entry, position: int) -> Entry:
        """Has a snapshot stored if one is due, of a state that nobody changes until this returns: the stream with the
        size that it has then."""
        if not self._is_due(stream, entry):
            return entry
        parts: list[bytes] = []
        for part in self._registry.keep(stream, entry.state):
            if parts:
                await asyncio.sleep(0)
            parts.append(part)
        size = sum(map(len, parts))
        self._due[stream] = _due_after(entry.version, size)
        taken = Taken(stream, entry.version, position, parts)
        task = asyncio.create_task(self._keep(taken), name=f"snapshot of {stream} of {self._log.schema}")
        self._storing.add(task)
        task.add_done_callback(self._storing.discard)
        return replace(entry, stored_bytes=self._registry.counted(stream, size))

    async def settled(self) -> None:
        """Waits until everything that was taken is stored."""
        await asyncio.gather(*self._storing, return_exceptions=True)

    async def _keep(self, taken: Taken) -> None:
        """Stores a snapshot, whole or not at all; where that fails, there is none."""
        stream, version, position, parts = taken
        try:
            async with self._log.pool.connection() as connection, connection.transaction():
                for number, part in enumerate(parts):
                    values = (self._shape, number, len(parts), position, part, stream, version)
                    await connection.execute(self._store, values, prepare=True, binary=True)
                old = {"stream": stream, "shape": self._shape, "version": version}
                await connection.execute(self._drop_old, old, prepare=True)
        except (psycopg.Error, TimeoutError, Unavailable) as error:
            log.warning("a snapshot of %s of %s is not kept: %s", stream, self._log.schema, type(error).__name__)


def _due_after(version: int, size: int) -> int:
    return version + max(LONG_FACTS, size // _BYTES_A_FACT)
