"""Folded streams that stay in memory: so many of each tenant, and so many bytes in the whole process.

Bytes are estimated from the facts that a stream was folded from, because nobody can ask Python cheaply what a state
takes: 1,000 bytes a stream and 3.5 times the stored bytes is what orders of 1 to 1,000 lines were measured to take.
What counts of the stored bytes is for the registry to say.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import ClassVar

from ledger.view import EMPTY, Entry

MEMORY_MIB = 512
"""Of all folded streams of a process that stay in memory, unless it is started with another limit."""
_BYTES_A_STREAM = 1_000
_TIMES_STORED = 3.5


class Memory:
    """A limit of bytes that several shelves share; beyond it the shelves used longest ago drop streams first."""

    __slots__ = ("_bytes", "_own_most_bytes", "_shelves")

    most_bytes_of_each: ClassVar[int] = MEMORY_MIB << 20
    """Where nothing else is said; set once, before anything is folded."""

    def __init__(self, most_bytes: int | None = None) -> None:
        self._own_most_bytes = most_bytes
        self._bytes = 0
        self._shelves: OrderedDict[Shelf, int] = OrderedDict()
        """The bytes of each, in order of use."""

    @property
    def _most_bytes(self) -> int:
        return self.most_bytes_of_each if self._own_most_bytes is None else self._own_most_bytes

    def settle(self, used: Shelf) -> None:
        """Counts what a shelf holds by now, and drops streams until everything fits."""
        self._bytes -= self._shelves.pop(used, 0)
        self._count(used)
        for shelf in list(self._shelves) if self._bytes > self._most_bytes else ():
            if shelf is used or not shelf.is_busy:
                self._bytes -= self._shelves[shelf]
                shelf.shrink(self._most_bytes - self._bytes)
                self._count(shelf)

    def _count(self, shelf: Shelf) -> None:
        size = shelf.memory_bytes
        if size:
            self._shelves[shelf] = size
        else:
            self._shelves.pop(shelf, None)
        self._bytes += size


OF_THIS_PROCESS = Memory()


class Shelf:
    """A cache of one tenant's folded streams that drops those used longest ago: by number, and by the shared memory."""

    __slots__ = ("_entries", "_memory", "_most", "_stored_bytes", "is_busy")

    def __init__(self, most: int, memory: Memory = OF_THIS_PROCESS) -> None:
        self._most = most
        self._memory = memory
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._stored_bytes = 0
        self.is_busy = False
        """While somebody relies on what is there: only its own user drops anything then."""

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, stream: str) -> bool:
        return stream in self._entries

    def get(self, stream: str) -> Entry | None:
        return self._entries.get(stream)

    def use(self, stream: str) -> Entry | None:
        """The stream, which from now on is the one used last."""
        entry = self._entries.get(stream)
        if entry is not None:
            self._entries.move_to_end(stream)
        return entry

    def put(self, stream: str, entry: Entry) -> None:
        self._stored_bytes += entry.stored_bytes - self._entries.get(stream, EMPTY).stored_bytes
        self._entries[stream] = entry

    def update(self, entries: Mapping[str, Entry]) -> None:
        for stream, entry in entries.items():
            self.put(stream, entry)

    def pop(self, stream: str) -> Entry:
        """Takes a stream away; the empty one if it is not there."""
        entry = self._entries.pop(stream, EMPTY)
        self._stored_bytes -= entry.stored_bytes
        return entry

    def drop(self, streams: Iterable[str]) -> None:
        for stream in streams:
            self.pop(stream)

    def clear(self) -> None:
        self._entries.clear()
        self._stored_bytes = 0

    @property
    def memory_bytes(self) -> int:
        """By estimate."""
        return len(self._entries) * _BYTES_A_STREAM + int(self._stored_bytes * _TIMES_STORED)

    def trim(self, most: int | None = None) -> None:
        """Drops the streams used longest ago that there is no room for, or all but the newest so many."""
        while len(self._entries) > (self._most if most is None else most):
            self._drop_oldest()
        self._memory.settle(self)

    def shrink(self, most_bytes: int) -> None:
        while self._entries and self.memory_bytes > most_bytes:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        _, entry = self._entries.popitem(last=False)
        self._stored_bytes -= entry.stored_bytes
