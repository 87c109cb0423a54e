"""What waits for a tenant's writer, and how much of it makes a batch."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence

from ledger.engine.queue import QueuedCommand, QueuedRequest

MOST_AT_ONCE = 1000
"""How many commands go into one transaction."""

_SECONDS = 0.010
"""How long a batch may wait for more callers."""
_SHARE = 0.5
"""The share of the active callers that it waits for."""


class Gathering:
    """The queue of a tenant's writer.

    A transaction costs about the same however many commands it carries. So a batch waits briefly until half of the
    active callers have called: the others call while it is written. A single caller never waits. Of calls of many
    commands it takes one: the next is decided while that is committed.
    """

    def __init__(self) -> None:
        self._queue: deque[QueuedRequest | QueuedCommand] = deque()
        self._wanted = 1
        """How many commands the next batch waits for."""
        self._enough = asyncio.Event()
        self.came = asyncio.Event()
        """Whether anything came since it was last cleared; also set by whoever else wakes the writer."""
        self.is_closing = False
        """Nothing more comes: nobody is waited for."""
        self.calls = 0
        """How many wait for their answer."""
        self.callers = 1
        """How many callers are active, by estimate: one that was answered usually calls again at once."""

    def __len__(self) -> int:
        return len(self._queue)

    def __iter__(self) -> Iterator[QueuedRequest | QueuedCommand]:
        return iter(self._queue)

    def enter(self) -> None:
        """A call begins to wait for its answer."""
        self.calls += 1

    def leave(self) -> None:
        self.calls -= 1
        if not self.calls:
            self.came.set()  # the writer may wait for the last one, to end

    def add(self, commands: Sequence[QueuedRequest | QueuedCommand]) -> None:
        self._queue.extend(commands)
        self.came.set()
        if len(self._queue) >= self._wanted:
            self._enough.set()

    def again(self, waiting: Sequence[QueuedCommand]) -> None:
        """Takes commands back that were set aside, before all others."""
        self._queue.extendleft(reversed(waiting))
        self.came.set()

    def close(self) -> None:
        self.is_closing = True
        self.came.set()
        self._enough.set()

    def clear(self) -> None:
        self._queue.clear()

    @property
    def next_is_of_many(self) -> bool:
        """Whether a call of many commands is next, which is worth to be decided while the last batch is committed: of
        single calls others come meanwhile, and they take less time if more of them are decided together."""
        return bool(self._queue) and self._queue[0].call.in_pieces

    def answering(self) -> None:
        """A batch is to be answered: counted before, as whoever is answered may call again at once."""
        self.callers = max(self.callers, self.calls)

    async def batch(self) -> Sequence[QueuedRequest | QueuedCommand]:
        """The next batch, of what is there at least."""
        self._wanted = max(1, int(self.callers * _SHARE))
        if len(self._queue) < self._wanted and not self.is_closing:
            self._enough.clear()
            try:
                async with asyncio.timeout(_SECONDS):
                    await self._enough.wait()
            except TimeoutError:
                self.callers = self.calls  # some callers have gone
        return self._take()

    def _take(self) -> Sequence[QueuedRequest | QueuedCommand]:
        queue, of_many = self._queue, None
        taken: list[QueuedRequest | QueuedCommand] = []
        while queue and len(taken) < MOST_AT_ONCE:
            call = queue[0].call
            if call.in_pieces and call is not (of_many := of_many or call):
                break
            taken.append(queue.popleft())
        return taken
