"""Work that is repeated for every tenant; a tenant with errors does not stop the others."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

from psycopg_pool import PoolTimeout

from adapters.postgres import Control
from ledger.engine.trouble import in_short, is_trouble
from ledger.refusals import Exhausted, Unavailable

_LOOK_SECONDS = 1.0
"""How often new tenants are looked for."""
_AT_ONCE = 5
"""How many tenants are worked for at the same time: each may hold a connection of those that readers need, too."""
_LIST = "the list of tenants"
_LONGEST_PAUSE_SECONDS = 30.0
_CANCEL_AGAIN_SECONDS = 1.0

Work = Callable[[str], Awaitable[bool]]
"""The work for the tenant of a name; returns whether there is more to do at once."""


class EveryTenant:
    """One kind of work: each tenant has a task of its own, and one that fails is tried less and less often."""

    def __init__(self, control: Control, log: logging.Logger, work: Work, seconds: float) -> None:
        self._control = control
        self._log = log
        self._work = work
        self._seconds = seconds
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._trouble: defaultdict[str, set[str]] = defaultdict(set)

    async def run(self) -> None:
        """Works until it is cancelled."""
        tasks: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                for name in await self._names():
                    if name not in tasks:
                        tasks[name] = asyncio.create_task(self._repeat(name), name=f"{self._log.name} of {name}")
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            await end(tasks.values())

    async def _names(self) -> list[str]:
        try:
            names = [each.name for each in await self._control.list_tenants()]
        except Exception as error:  # noqa: BLE001 - it is tried again in a moment
            self._fail(_LIST, error)
            return []
        self._goes_on(_LIST)
        return names

    async def _repeat(self, name: str) -> None:
        failures = 0
        while True:
            more = False
            try:
                async with self._slots:
                    more = await self._work(name)
                failures = 0
                self._goes_on(name)
            except Exception as error:  # noqa: BLE001 - any error is logged and tried again
                failures += 1
                self._fail(name, error)
            pause = min(self._seconds * 2.0**failures, max(self._seconds, _LONGEST_PAUSE_SECONDS))
            await asyncio.sleep(0 if more else pause)

    def _fail(self, name: str, error: Exception) -> None:
        """Logs each kind of error once until all is over: a database that is down causes several in turn."""
        kind = type(error).__name__
        if kind in self._trouble[name]:
            return
        self._trouble[name].add(kind)
        if is_trouble(error) or isinstance(error, PoolTimeout | Exhausted | Unavailable):
            self._log.warning("%s has to wait: %s", name, in_short(error))
        else:
            self._log.error("%s failed with %s and is tried again", name, kind, exc_info=error)

    def _goes_on(self, name: str) -> None:
        if self._trouble.pop(name, None):
            self._log.info("%s goes on", name)


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancels tasks until they are over, also if it is itself cancelled meanwhile.

    Before Python 3.12 a task that waits for a connection can miss its cancellation: asyncio.wait_for, by which
    the pool waits, forgets one that meets what it waits for.
    """
    tasks = list(tasks)
    while remaining := [task for task in tasks if not task.done()]:
        for task in remaining:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait(remaining, timeout=_CANCEL_AGAIN_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)
