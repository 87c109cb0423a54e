"""Streams as they were known: as of a position of the log, and of what had happened by a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from time import monotonic
from typing import NamedTuple

from ledger.engine.log import Log
from ledger.engine.registry import Registry
from ledger.engine.snapshots import YIELD_AFTER_SECONDS, Snapshots
from ledger.facts import Fact
from ledger.view import EMPTY, Broken, Entry

_MOST_BEGUN_ANEW = 100
"""How often a state that changes in place is folded anew without another fact, until it is given up."""


class AsOf(NamedTuple):
    """As of when something is asked for."""

    position: int
    """What was recorded later does not count."""
    now: datetime
    """What stands for the present: the instant of recording, or ``happened_until``."""
    happened_until: datetime | None = None
    """Nor what happened later than this by its own time, with all that presupposes it."""


class PastReader:
    """The streams of one tenant at a moment."""

    def __init__(self, journal: Log, registry: Registry, moment: AsOf) -> None:
        self._log = journal
        self._registry = registry
        self._snapshots = Snapshots(journal, registry)
        self._moment = moment

    async def fold_all(self, streams: Sequence[str]) -> tuple[int, dict[str, Entry]]:
        """The position, and the streams as of the moment."""
        position, _, until = self._moment
        if until is not None:
            return position, {stream: await self._believed(stream, until) for stream in streams}
        return position, {stream: await self._snapshots.fold(stream, position) for stream in streams}

    async def _believed(self, stream: str, until: datetime) -> Entry:
        """A stream by the facts of what had happened; its version is that of the last of them."""
        recorded = await self._log.read_stream(stream, self._moment.position)
        try:
            facts = [(each.version, self._registry.decode(each.topic, each.state)) for each in recorded]
        except Exception as error:  # noqa: BLE001 - it fails only those who need the stream
            return Entry(recorded[-1].version, Broken(error))
        happened = [(version, fact) for version, fact in facts if getattr(fact, "at", until) <= until]
        for _ in range(_MOST_BEGUN_ANEW):
            entry, failed = await self._folded(stream, happened)
            if failed is None:
                break
            happened.pop(failed)
        return entry

    async def _folded(self, stream: str, facts: Sequence[tuple[int, Fact]]) -> tuple[Entry, int | None]:
        """What facts come to, without those that need others which are not there; where states change in place, it ends
        with the index of the first of them, since that may be half done."""
        entry, began = EMPTY, monotonic()
        for index, (version, fact) in enumerate(facts):
            try:
                entry = Entry(version, self._registry.fold(stream, entry.state, fact))
            except Exception as error:  # noqa: BLE001 - whatever it is that it lacks
                if self._registry.is_restorable(stream):
                    return Entry(version, Broken(error)), index
            if monotonic() - began > YIELD_AFTER_SECONDS:
                await asyncio.sleep(0)
                began = monotonic()
        return entry, None
