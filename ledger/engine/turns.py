"""Long work in the event loop, done in turns, so that nobody waits for the end of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from time import monotonic
from typing import TypeVar

T = TypeVar("T")

YIELD_AFTER_SECONDS = 0.004
"""How long one piece of work may keep the event loop from everything else."""


async def in_turns(items: Iterable[T], seconds: float | None = None) -> AsyncIterator[T]:
    """Each of them; the event loop is left to others as soon as what is done with them has taken so long."""
    began, most = monotonic(), YIELD_AFTER_SECONDS if seconds is None else seconds
    for item in items:
        yield item
        if monotonic() - began > most:
            await asyncio.sleep(0)
            began = monotonic()
