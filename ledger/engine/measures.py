"""What the writers of a process measure: plain numbers in objects made beforehand, so that commands pay nothing for it.

All of it is written and read in one event loop, so that nothing needs a lock. Nothing here names a tenant or a person.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import NamedTuple


class Passed(NamedTuple):
    """When the batch of a command came by each stage, by the monotonic clock: that of the event loop counts whole
    milliseconds, and a stage takes less."""

    taken: float
    """Out of the queue."""
    opened: float
    """What the batch is known to touch is read."""
    decided: float
    """All its commands are decided."""
    committed: float
    """The batch before is committed, and its facts are appended and durable; both travel in one round trip."""
    read_seconds: float = 0.0
    """How long it was read for the batch before it was taken."""
    waited_seconds: float = 0.0
    """How long it waited for the batch before to be committed, of the time since it was opened."""


Watch = Callable[[float, Passed], None]
"""Is told since when a command waited in the queue, and how its batch went."""

WATCH: ContextVar[Watch | None] = ContextVar("watch", default=None)
"""Who wants to know it of the commands that are sent from here on."""

SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_COMMANDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Histogram:
    """How many values came to lie up to each bound, and their sum."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Measures:
    """Of all writers of a process together."""

    def __init__(self) -> None:
        self.queued = Histogram()
        """How long each command waited in the queue."""
        self.batches = Histogram(_COMMANDS)
        """How many commands each batch had."""
        self.opening, self.deciding, self.committing = Histogram(), Histogram(), Histogram()
        """How long each batch took for each stage, with what it waited for in between."""
        self.found = 0
        """Streams that a batch was known to touch and that were in the book."""
        self.missed = 0
        """Those that had to be read."""
        self.retries = 0
        """How often a batch had to be tried again because the database was in trouble."""
        self.overtaken = 0
        """How often one had to be decided again because the batch before was not committed, or another process came
        between."""

    def passed(self, commands: int, times: Passed) -> None:
        """A batch is done."""
        self.batches.add(commands)
        self.opening.add(times.opened - times.taken)
        self.deciding.add(times.decided - times.opened)
        self.committing.add(times.committed - times.decided)
