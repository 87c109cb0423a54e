"""Snapshots compared with the facts: each says what its stream comes to when it is folded from its first fact."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from ledger.engine.log import Log
from ledger.engine.log_rows import EVERYTHING
from ledger.engine.registry import Registry
from ledger.engine.snapshots import Snapshots, code_shape
from ledger.engine.statements import in_schema
from ledger.view import EMPTY, Broken, Entry

_STREAMS = """
    SELECT DISTINCT originator_id FROM {ledger_snapshots} WHERE originator_id > %b AND shape = %b
    ORDER BY originator_id LIMIT %b::bigint
"""
_COUNTS = """
    SELECT count(DISTINCT originator_id) FILTER (WHERE shape = %b), count(*) FILTER (WHERE shape <> %b)
    FROM {ledger_snapshots} WHERE part = 0
"""
_OF_STREAM = """
    SELECT version, parts FROM {ledger_snapshots} WHERE originator_id = %b AND shape = %b
    GROUP BY version, parts ORDER BY version
"""
_STATES = """
    SELECT state FROM {ledger_snapshots} WHERE originator_id = %b AND shape = %b AND version = %b::bigint ORDER BY part
"""


class Compared(NamedTuple):
    """What became of one snapshot."""

    stream: str
    version: int
    equal: bool
    """If not, it was dropped."""


class SnapshotCounts(NamedTuple):
    """How much there is to compare."""

    streams: int
    of_other_code: int
    """Snapshots that another version of the service has taken: nobody here looks at them."""


class Comparing:
    """The snapshots of one tenant that this version of the code has taken."""

    def __init__(self, journal: Log, registry: Registry, snapshots: Snapshots) -> None:
        self._log = journal
        self._registry = registry
        self._snapshots = snapshots
        self._streams, self._counts, self._of_stream, self._states = (
            in_schema(each, journal.schema) for each in (_STREAMS, _COUNTS, _OF_STREAM, _STATES)
        )

    async def counts(self) -> SnapshotCounts:
        return SnapshotCounts._make((await self._log.rows(self._counts, (code_shape(), code_shape())))[0])

    async def streams(self, after: str, limit: int) -> list[str]:
        """The names of the next streams of which there are snapshots."""
        return [row[0] for row in await self._log.rows(self._streams, (after, code_shape(), limit))]

    async def compare(self, stream: str) -> AsyncIterator[Compared]:
        """Folds a stream from its first fact on, and drops the snapshots that say something else."""
        entry = EMPTY
        for version, number in await self._log.rows(self._of_stream, (stream, code_shape())):
            stored = [row[0] for row in await self._log.rows(self._states, (stream, code_shape(), version))]
            if not stored:
                continue  # a newer one has taken its place
            entry = await self._snapshots.fold_on(stream, entry, EVERYTHING, version)
            equal = len(stored) == number and await self._is(entry, stream, version, stored)
            if not equal:
                await self._snapshots.drop(stream, version)
            yield Compared(stream, version, equal)

    async def _is(self, entry: Entry, stream: str, version: int, stored: Sequence[bytes]) -> bool:
        if entry.version != version or type(entry.state) is Broken:
            return False
        parts = self._registry.keep(stream, entry.state)
        for each in stored:
            if next(parts, None) != each:
                return False
            await asyncio.sleep(0)
        return next(parts, None) is None
