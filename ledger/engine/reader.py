"""What queries read: streams as the log holds them at this moment, of which long ones are not folded for each query."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from weakref import WeakValueDictionary

from ledger.engine.comparing import Comparing
from ledger.engine.log import Log
from ledger.engine.registry import Registry
from ledger.engine.shelf import OF_THIS_PROCESS, Memory, Shelf
from ledger.engine.snapshots import Snapshots
from ledger.view import Broken, Entry

_MOST_HELD = 8
"""Long streams of a tenant that stay folded: all others are read from their snapshots, or whole."""


class StreamReader:
    """Folds streams of one tenant for queries, and keeps the long ones.

    A state that it answers holds until the caller awaits something: then a kept stream may be folded further in place.
    """

    def __init__(self, journal: Log, registry: Registry, memory: Memory = OF_THIS_PROCESS) -> None:
        self._log = journal
        self._snapshots = Snapshots(journal, registry)
        self.comparing = Comparing(journal, registry, self._snapshots)
        self._held = Shelf(_MOST_HELD, memory)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def fold_all(self, streams: Sequence[str]) -> tuple[int, dict[str, Entry]]:
        """The head of the log, and the streams, none of them older."""
        held = [stream for stream in streams if stream in self._held]
        head, entries = await self._snapshots.fold_all([each for each in streams if each not in held], self._fold)
        for stream in held:
            entries[stream] = await self._fold(stream, head)
        return head, entries

    async def _fold(self, stream: str, head: int) -> Entry:
        """A long stream: whoever else asks for it meanwhile waits, and folds nothing again."""
        async with self._turns.setdefault(stream, asyncio.Lock()):
            # Not held while it changes: what is left half done is not to be used.
            entry = await self._snapshots.fold(stream, head, self._held.pop(stream))
            if type(entry.state) is not Broken:
                entry = await self._snapshots.keep(stream, entry, head)
                self._held.put(stream, entry)
                self._held.trim()
            return entry
