"""Work at the edges for whichever tenant has some: found by one question for all, done by one process at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime

from psycopg_pool import PoolTimeout

from adapters.edges import wakeups
from adapters.edges.wakeups import EdgeWork
from adapters.every_tenant import end
from adapters.tenants import Tenant, Tenants
from ledger.engine.trouble import in_short, is_trouble
from ledger.refusals import Exhausted, Unavailable, UnknownTenant

log = logging.getLogger("fulfilment.edges")

_LOOK_SECONDS = 1.0
"""How often all processes together are asked by others for work; what comes in here is worked on at once."""
_TENANTS_AT_ONCE = 5

Work = Callable[[Tenant], Awaitable[datetime | None]]
"""Works for a tenant for a while, much shorter than a lease; returns when there is something to do next, if ever."""


class Leases:
    """One kind of work, for the tenants that have some."""

    def __init__(self, tenants: Tenants, what: EdgeWork, work: Work, at_once: int = _TENANTS_AT_ONCE) -> None:
        self._at_once = at_once
        self._tenants = tenants
        self._what = what
        self._work = work
        self._woken = asyncio.Event()
        self._troubled = False

    def wake(self) -> None:
        """There is something to do now."""
        self._woken.set()

    async def run(self) -> None:
        """Works until it is cancelled."""
        tasks: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                self._woken.clear()
                tasks = {name: task for name, task in tasks.items() if not task.done()}
                with suppress(Exception):  # it is logged
                    for name, leased in (await self._taken(self._at_once - len(tasks))).items():
                        tasks[name] = asyncio.create_task(self._whole(name, leased), name=f"{self._what} of {name}")
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await self._woken.wait()
        finally:
            await end(tasks.values())

    async def _taken(self, most: int) -> dict[str, datetime]:
        try:
            found = dict(await wakeups.take(self._tenants.pool, self._what, most)) if most > 0 else {}
        except Exception as error:
            self._fail("the list of work", error)
            raise
        self._troubled = False
        return found

    async def _whole(self, name: str, leased: datetime) -> None:
        """Works for a tenant until nothing is due any more, and gives it back."""
        pool = self._tenants.pool
        try:
            tenant = await self._tenants.find(name)
            while True:
                next_at = await self._work(tenant)
                if next_at is None or next_at > datetime.now(UTC):
                    break
                leased = await wakeups.renew(pool, name, self._what, leased)
            await wakeups.settle(pool, name, self._what, leased, next_at)
            self._woken.set()  # there may have come something meanwhile
        except UnknownTenant:
            await wakeups.settle(pool, name, self._what, leased, None)
        except Exception as error:  # noqa: BLE001 - when the lease has run out it is tried again
            self._fail(name, error)

    def _fail(self, name: str, error: Exception) -> None:
        """Logs that work has to wait, once until it goes on."""
        if is_trouble(error) or isinstance(error, PoolTimeout | Exhausted | Unavailable):
            if not self._troubled:
                log.warning("%s has to wait: %s", name, in_short(error))
            self._troubled = True
        else:
            log.error("%s of %s failed with %s", self._what, name, type(error).__name__, exc_info=error)
