"""Folded streams in memory: what decisions read.

The book holds committed facts, and those of the one batch that is on its way. A batch of commands works on a ``Draft``
over it, which the book takes over when it is sent to be committed, and forgets when that fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ledger.engine.registry import Registry
from ledger.engine.shelf import OF_THIS_PROCESS, Memory, Shelf
from ledger.engine.turns import in_turns
from ledger.facts import Change, Fact
from ledger.view import EMPTY, Broken, Entry, Miss, Noun, View

LONG_FACTS = 1_000
"""Streams with fewer facts are read whole."""


class Book(View):
    """A cache of one tenant's folded streams, as of ``position`` of the log; those used longest ago go first."""

    def __init__(self, nouns: Iterable[Noun], *, streams_kept: int = 50_000, memory: Memory = OF_THIS_PROCESS) -> None:
        self.registry = Registry(nouns)
        self.position = 0
        self.shelf = Shelf(streams_kept, memory)
        self._complete = False
        self.grown: set[str] = set()
        """The long streams that were added to; whoever takes their snapshots empties it."""

    @classmethod
    def of(cls, nouns: Iterable[Noun], changes: Iterable[Change] = ()) -> Book:
        """A book without a database: these facts are all there is, every other stream is empty."""
        book = cls(nouns)
        book._complete = True
        book.record(changes)
        return book

    def record(self, changes: Iterable[Change]) -> None:
        """Folds the changes in as if they had been committed."""
        for stream, fact in changes:
            entry = self.entry(stream)
            self.position += 1
            self.shelf.put(stream, Entry(entry.version + 1, self.registry.fold(stream, entry.state, fact)))

    def find(self, stream: str) -> Entry | None:
        entry = self.shelf.use(stream)
        return EMPTY if entry is None and self._complete else entry

    def missing(self, streams: Iterable[str]) -> list[str]:
        use = self.shelf.use
        return [] if self._complete else [stream for stream in streams if use(stream) is None]

    async def load(self, streams: Iterable[str], rows: Sequence[tuple[str, int, str, bytes]]) -> None:
        """Loads whole streams: rows are (stream, version, topic, state) in order of version."""
        self.shelf.update(await self.registry.fold_in_turns(streams, rows))

    async def follow(self, rows: Sequence[tuple[int, str, int, str, bytes]]) -> None:
        """Folds what others appended: rows are (position, stream, version, topic, state) in order.

        Streams that are not in the book stay out of it.
        """
        async for position, stream, version, topic, state in in_turns(rows):
            if (entry := self.shelf.get(stream)) is not None and version > entry.version:
                self.shelf.put(stream, self.registry.advance(stream, entry, version, topic, state))
            self.position = position

    def hold(self, stream: str, entry: Entry) -> None:
        """Takes over a stream that was folded beside the book, maybe beyond its position."""
        self.shelf.put(stream, entry)

    def forget(self, streams: Iterable[str]) -> None:
        self.shelf.drop(streams)

    def forget_all(self, position: int = 0) -> None:
        """Starts over at a position: every stream is loaded again when it is next needed."""
        self.shelf.clear()
        self.position = position

    def trim(self) -> None:
        """Drops the streams used longest ago. Not while a draft is open: it relies on them."""
        self.shelf.trim()

    def begin(self) -> Draft:
        return Draft(self)

    def merge(self, entries: Mapping[str, Entry], position: int) -> None:
        self.shelf.update(entries)
        self.position = position
        self.grown.update([stream for stream, entry in entries.items() if entry.version >= LONG_FACTS])


class Draft(View):
    """The book as it will be if the present batch commits: a unit of work, which ``commit`` puts into the book."""

    __slots__ = ("_book", "_entries", "changed", "position")

    def __init__(self, book: Book) -> None:
        self._book = book
        self._entries: dict[str, Entry] = {}
        """The entries that the batch has read so far, as of the facts before the present command."""
        self.changed: set[str] = set()
        self.position = book.position

    def find(self, stream: str) -> Entry | None:
        entry = self._entries.get(stream)
        if entry is None:
            entry = self._book.find(stream)
            if entry is not None:
                self._entries[stream] = entry
        return entry

    def state(self, stream: str) -> Any:
        # A decision on a large order reads hundreds of states, mostly ones that were read before.
        entry = self._entries.get(stream)
        if entry is not None and type(state := entry.state) is not Broken:
            return state
        return self.entry(stream).state

    def missing(self, streams: Iterable[str]) -> list[str]:
        entries, look_up = self._entries, self._book.find
        missing = []
        for stream in streams:
            if stream not in entries:
                entry = look_up(stream)
                if entry is None:
                    missing.append(stream)
                else:
                    entries[stream] = entry
        return missing

    def check(self, changes: Sequence[Change]) -> None:
        """Raises Miss or Misplaced, before anything is applied."""
        missing = self.missing([stream for stream, _ in changes])
        if missing:
            raise Miss(missing)
        for stream, fact in changes:
            self._book.registry.check(stream, fact)

    def apply(self, stream: str, fact: Fact, stored_bytes: int = 0) -> int:
        """Folds one fact in and returns the version it takes the stream to."""
        entry = self.entry(stream)
        # Noted before it is folded: if the fold fails half way, the stream must be forgotten.
        self.changed.add(stream)
        version = entry.version + 1
        registry = self._book.registry
        folded = registry.fold(stream, entry.state, fact)
        self._entries[stream] = Entry(version, folded, entry.stored_bytes + registry.counted(stream, stored_bytes))
        self.position += 1
        return version

    def commit(self) -> None:
        self._book.merge({stream: self._entries[stream] for stream in self.changed}, self.position)

    def drop(self) -> None:
        """Forgets every changed stream, because folding stock changes its committed state in place."""
        self._book.forget(self.changed)
        self._entries, self.changed = {}, set()
