"""What a process takes of the machine, and how late its event loop comes to its work."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from time import monotonic
from typing import NamedTuple

import psutil  # type: ignore[import-untyped]

from ledger.engine.measures import Histogram

_LOOK_SECONDS = 0.25


class ProcessUse(NamedTuple):
    """By one process."""

    role: str
    cpu_seconds: float
    memory_bytes: int
    threads: int


def taken(role: str, beside: Mapping[str, int]) -> Iterator[ProcessUse]:
    """By this process, and by those beside it: their ids by their roles."""
    for name, process_id in {role: 0, **beside}.items():
        with suppress(psutil.Error):  # it may have died a moment ago
            process = psutil.Process(process_id or None)
            with process.oneshot():
                times = process.cpu_times()
                yield ProcessUse(name, times.user + times.system, process.memory_info().rss, process.num_threads())


class LoopLag:
    """How much later than asked for the event loop wakes somebody up."""

    def __init__(self) -> None:
        self.seconds = Histogram()

    async def run(self) -> None:
        while True:
            wanted = monotonic() + _LOOK_SECONDS
            await asyncio.sleep(_LOOK_SECONDS)
            self.seconds.add(max(monotonic() - wanted, 0.0))
