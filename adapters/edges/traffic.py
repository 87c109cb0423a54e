"""How much comes in: while it is much, what can wait gives way."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

_MANY = 10
_WITHIN_SECONDS = 0.2
_LOOK_SECONDS = 0.02


class Traffic:
    """The deliveries of this process. Who sent one waits for its answer; what becomes of it can be done later."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._came: deque[float] = deque(maxlen=_MANY)

    def note(self) -> None:
        """One has come."""
        self._came.append(self._clock())

    @property
    def is_heavy(self) -> bool:
        return len(self._came) == _MANY and self._clock() - self._came[0] < _WITHIN_SECONDS

    async def give_way(self, seconds: float) -> None:
        """Waits while much comes in, and so long at most: nothing waits for ever."""
        until = self._clock() + seconds
        while self.is_heavy and self._clock() < until:  # noqa: ASYNC110 - that it ends is no event
            await asyncio.sleep(_LOOK_SECONDS)
