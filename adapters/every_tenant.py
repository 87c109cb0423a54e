"""Work that is repeated for every tenant while it is awake; a tenant with errors does not stop the others.

A tenant at rest costs nothing: one question finds those that are awake, and the work itself says when it wants to look
at another one again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from psycopg_pool import PoolTimeout

from adapters.database.control import Control
from ledger.engine.about import works_for
from ledger.engine.trouble import in_short, is_trouble
from ledger.refusals import Exhausted, Unavailable

_LOOK_SECONDS = 1.0
"""How often it is asked at most which tenants are awake."""
REST = timedelta(hours=6)
"""After which any tenant is looked at, and looked for: whoever is written to meanwhile is awake, so this is no more
than how far it is looked ahead at once."""
_AT_ONCE = 5
"""How many tenants are worked for at the same time: each may hold a connection of those that readers need, too."""
_LIST = "the list of tenants"
_LONGEST_PAUSE_SECONDS = 30.0
_CANCEL_AGAIN_SECONDS = 1.0

_RESTS = (REST, timedelta(minutes=30), timedelta(seconds=60), timedelta(seconds=5))
AT_ONCE = timedelta()
"""Where there is more to do."""

Work = Callable[[str], Awaitable[timedelta]]
"""The work for the tenant of a name; returns how long nothing is to be done if nothing is written."""


class _Turns:
    """When a tenant has its next turn, in the time of the event loop."""

    __slots__ = ("again_at", "at", "failures", "task")

    def __init__(self) -> None:
        self.at = 0.0
        self.again_at = 0.0
        """If it is awake."""
        self.failures = 0
        self.task: asyncio.Task[None] | None = None

    def come_back(self, now: float) -> None:
        """What kept everybody waiting is over: who failed meanwhile is tried at once."""
        if self.failures:
            self.at = self.again_at = now


class EveryTenant:
    """One kind of work, done every so many seconds for a tenant that is awake; one that fails is tried less often."""

    def __init__(
        self, control: Control, log: logging.Logger, work: Work, seconds: float, *, rest: Work | None = None
    ) -> None:
        """``rest`` says for the work how long nothing is to be done; it is not asked for a tenant that is awake."""
        self._control = control
        self._log = log
        self._work = work
        self._seconds = seconds
        self._rest = rest
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._turns: defaultdict[str, _Turns] = defaultdict(_Turns)
        self._awake: set[str] = set()
        self._asked_at: datetime | None = None
        """When that was found, by the database."""
        self._list_at = 0.0
        self._trouble: defaultdict[str, set[str]] = defaultdict(set)

    async def run(self) -> None:
        """Works until it is cancelled."""
        clock = asyncio.get_running_loop().time
        try:
            while True:
                await self._look(clock())
                for name, turns in self._turns.items():
                    if turns.task is None and turns.at <= clock():
                        turns.task = asyncio.create_task(self._turn(name, turns), name=f"{self._log.name} of {name}")
                await asyncio.sleep(min(self._seconds, _LOOK_SECONDS))
        finally:
            await end(turns.task for turns in self._turns.values() if turns.task is not None)

    async def _look(self, now: float) -> None:
        """Gives those their turn that are awake, and now and then finds all that there are."""
        try:
            if now >= self._list_at:
                for each in await self._control.list_tenants():
                    self._turns[each.name]
                self._list_at = now + REST.total_seconds()
            self._awake, self._asked_at = await self._control.awake(self._asked_at)
            for name in self._awake:
                turns = self._turns[name]
                turns.at = min(turns.at, turns.again_at)
        except Exception as error:  # noqa: BLE001 - it is tried again in a moment
            self._fail(_LIST, error)
        else:
            if self._goes_on(_LIST):
                for turns in self._turns.values():
                    turns.come_back(now)

    async def _turn(self, name: str, turns: _Turns) -> None:
        clock, rest = asyncio.get_running_loop().time, AT_ONCE
        works_for(name)
        while not rest:
            try:
                async with self._slots:
                    rest = await self._work(name)
                    if rest and self._rest is not None and name not in self._awake:
                        rest = await self._rest(name)
            except Exception as error:  # noqa: BLE001 - any error is logged and tried again
                turns.failures += 1
                self._fail(name, error)
                turns.again_at = turns.at = clock() + min(self._seconds * 2.0**turns.failures, _longest(self._seconds))
                break
            turns.failures = 0
            self._goes_on(name)
            turns.again_at = clock() + self._seconds
            turns.at = clock() + rest.total_seconds()
            await asyncio.sleep(0)
        turns.task = None

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

    def _goes_on(self, name: str) -> bool:
        """Whether it was in trouble until now."""
        was = bool(self._trouble.pop(name, None))
        if was:
            self._log.info("%s goes on", name)
        return was


async def soonest(due: Callable[[datetime], Awaitable[Sequence[object]]], now: datetime) -> timedelta:
    """How long nothing will be due, as far as that is worth to know; what is due stays so as time goes on."""
    for rest in _RESTS:
        if not await due(now + rest):
            return rest
    return timedelta(seconds=_LOOK_SECONDS)


def _longest(seconds: float) -> float:
    return max(seconds, _LONGEST_PAUSE_SECONDS)


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
