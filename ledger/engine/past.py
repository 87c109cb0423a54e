"""Streams as they were known: as of a position of the log, and of what had happened by a moment."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from ledger.engine.log import Log
from ledger.engine.registry import Registry
from ledger.engine.snapshots import Snapshots
from ledger.engine.turns import in_turns
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
    """Folds streams of one tenant as they were at a moment: up to a position, without what happened later."""

    def __init__(self, journal: Log, registry: Registry, moment: AsOf) -> None:
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
        without: list[int] = []
        for _ in range(_MOST_BEGUN_ANEW):
            entry, failed = await self._folded(stream, until, without)
            if failed is None:
                break
            without.append(failed)
        return entry

    async def _folded(self, stream: str, until: datetime, without: Collection[int]) -> tuple[Entry, int | None]:
        """What the facts come to, without those that need others which are not there; where states change in place, it
        ends with the version of the first of them, since that may be half done."""
        entry, registry = EMPTY, self._registry
        async for rows in self._snapshots.steps(stream, 0, self._moment.position):
            async for _, version, topic, stored in in_turns(rows):
                try:
                    fact = registry.decode(topic, stored)
                except Exception as error:  # noqa: BLE001 - it fails only those who need the stream
                    return Entry(version, Broken(error)), None
                if version in without or (fact.occurred_at or until) > until:
                    continue
                try:
                    entry = Entry(version, registry.fold(stream, entry.state, fact))
                except Exception as error:  # noqa: BLE001 - whatever it is that it lacks
                    if registry.is_restorable(stream):
                        return Entry(version, Broken(error)), version
        return entry, None
