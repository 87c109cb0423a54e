"""What waits for a tenant's writer, and how much of it makes a batch."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ledger.engine.queue import QueuedCommand, QueuedRequest

MOST_AT_ONCE = 1000
"""How many commands go into one transaction."""

_SECONDS = 0.010
"""How long a batch may wait for more callers."""
_SHARE = 0.5
"""The share of the active callers that it waits for."""
_SHARED_SHARE = 0.8
"""The same of a batch that waits for those of other tenants anyway."""
_FEW = 16
"""So many commands are not parted: a transaction of its own costs more than what is decided meanwhile."""


class Gathering:
    """The queue of a tenant's writer.

    A transaction costs about the same however many commands it carries. So a batch waits briefly until half of the
    active callers have called, and takes no more: the others call, and are decided, while it is committed. A single
    caller never waits.
    """

    def __init__(self, shares: Callable[[], bool]) -> None:
        """``shares`` tells whether batches of other tenants are under way."""
        self._shares = shares
        self._queue: deque[QueuedRequest | QueuedCommand] = deque()
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

    @contextmanager
    def waits(self) -> Iterator[None]:
        """Counts a call while it waits for its answer."""
        self.calls += 1
        try:
            yield
        finally:
            self.calls -= 1
            if not self.calls:
                self.came.set()  # the writer may wait for the last one, to end

    def add(self, commands: Sequence[QueuedRequest | QueuedCommand]) -> None:
        self._queue.extend(commands)
        self.came.set()
        if len(self._queue) >= self._target:
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

    def answering(self) -> None:
        """A batch is to be answered: counted before, as whoever is answered may call again at once."""
        self.callers = max(self.callers, self.calls)

    @property
    def _target(self) -> int:
        """How many callers a batch waits for."""
        return max(1, int(self.callers * (_SHARED_SHARE if self._shares() else _SHARE)))

    async def batch(self) -> Sequence[QueuedRequest | QueuedCommand]:
        """The next batch, of what is there at least."""
        if len(self._queue) < self._target and not self.is_closing:
            self._enough.clear()
            try:
                async with asyncio.timeout(_SECONDS):
                    await self._enough.wait()
            except TimeoutError:
                self.callers = self.calls  # some callers have gone
        return self._take()

    def _take(self) -> Sequence[QueuedRequest | QueuedCommand]:
        queue, calls, most = self._queue, 0, self._target
        taken: list[QueuedRequest | QueuedCommand] = []
        while queue and len(taken) < MOST_AT_ONCE:
            if not taken or queue[0].call is not taken[-1].call:
                if calls >= most and len(taken) >= _FEW:
                    break
                calls += 1
            taken.append(queue.popleft())
        return taken
