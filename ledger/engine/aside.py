"""Long streams that are folded beside the work of a tenant's writer, and the commands that wait for them.

A stream of which there is no snapshot that this code can use, as after an upgrade, takes seconds to fold. Nobody else
waits for that: its commands leave the writer's batches until it is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence

import psycopg

from ledger.engine.book import Book
from ledger.engine.queue import QueuedCommand, failed
from ledger.engine.snapshots import Snapshots
from ledger.refusals import Unavailable
from ledger.view import Entry

_AT_ONCE = 2
"""How many streams of a tenant are folded at once: each of them takes the event loop for milliseconds at a time."""


class FoldedAside:
    """The streams of one tenant that are being folded."""

    def __init__(self, snapshots: Snapshots, again: Callable[[Sequence[QueuedCommand]], None]) -> None:
        """``again`` gives commands back to the writer."""
        self._snapshots = snapshots
        self._again = again
        self._waiting: dict[str, list[QueuedCommand]] = {}
        """The commands that wait, by stream."""
        self._folding: dict[str, asyncio.Task[None]] = {}
        self._folded: dict[str, Entry] = {}
        """What is there, until the writer takes it."""
        self._turns = asyncio.Semaphore(_AT_ONCE)

    def __len__(self) -> int:
        """How many commands wait."""
        return sum(map(len, self._waiting.values()))

    def __contains__(self, stream: str) -> bool:
        return stream in self._waiting

    @property
    def has_folded(self) -> bool:
        """Whether the writer has something to take, as of what is committed."""
        return bool(self._folded)

    async def bring_in(self, book: Book, streams: Collection[str], *, wait: bool) -> None:
        """Brings those into a book that may be long, before anybody takes the tenant's lock for them, with all that has
        been folded. Those that take long are begun, and waited for only if that is asked."""
        while True:
            await self._take(book)
            await self._snapshots.bring_in(
                book, [stream for stream in streams if stream not in self._waiting], self._set_aside
            )
            begun = [self._folding[stream] for stream in streams if stream in self._waiting]
            if not wait or not begun:
                return
            await asyncio.wait(begun)

    async def read_ahead(self, book: Book, streams: Iterable[str]) -> None:
        """Brings a book near the head of the log, with the streams that it has not; with long ones it only begins."""
        await self._snapshots.read_ahead(book)
        for stream in await self._snapshots.bring_short(book, book.missing(streams)):
            self._begin(stream)

    def takes(self, waiting: QueuedCommand, streams: Iterable[str]) -> bool:
        """Keeps a command until one of the streams is there, if that is being folded."""
        for stream in streams:
            if stream in self._waiting:
                waiting.set_aside()
                self._waiting[stream].append(waiting)
                return True
        return False

    async def start_over(self) -> None:
        """Gives all commands back, and forgets what is folded."""
        for task in self._folding.values():
            task.cancel()
        await asyncio.gather(*self._folding.values(), return_exceptions=True)
        for stream in list(self._waiting):  # one that had not begun
            self._give_back(stream)
        self._folded.clear()

    async def _take(self, book: Book) -> None:
        """Brings what is folded into a book, up to a head of the log that it has not passed."""
        head = await self._snapshots.head() if self._folded else 0
        while self._folded:
            stream, entry = self._folded.popitem()
            entry = await self._snapshots.fold_on(stream, entry, head)
            if (present := book.shelf.get(stream)) is None or present.version < entry.version:
                book.hold(stream, entry)

    async def _set_aside(self, stream: str, head: int) -> Entry | None:
        self._begin(stream)
        return None

    def _begin(self, stream: str) -> None:
        if stream not in self and stream not in self._folded:
            self._waiting[stream] = []
            self._folding[stream] = asyncio.create_task(self._fold(stream), name=f"fold of {stream}")

    async def _fold(self, stream: str) -> None:
        try:
            async with self._turns:
                self._folded[stream] = await self._snapshots.fold(stream, await self._snapshots.head())
        except (psycopg.Error, TimeoutError, Unavailable):
            pass  # the writer meets the same, and is patient
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for an answer
            for waiting in self._waiting[stream]:
                waiting.answer(failed(waiting.request_id, error))
        finally:
            self._give_back(stream)

    def _give_back(self, stream: str) -> None:
        del self._folding[stream]
        waiting = self._waiting.pop(stream)
        for each in waiting:
            each.is_aside = False
        self._again(waiting)
