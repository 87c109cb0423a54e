"""Work at the edges for whichever tenant has some: found by one question for all, done by one process at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from psycopg_pool import PoolTimeout

from adapters.edges import wakeups
from adapters.edges.wakeups import EdgeWork, Lease
from adapters.every_tenant import end
from adapters.tenants import Tenant, Tenants
from ledger.engine.about import works_for
from ledger.engine.trouble import in_short, is_trouble
from ledger.refusals import Exhausted, Unavailable, UnknownTenant

log = logging.getLogger("fulfilment.edges")

_LOOK_SECONDS = 1.0
"""How often all processes together are asked by others for work; what comes in here is worked on at once."""
_TENANTS_AT_ONCE = 5
_AFTER_TROUBLE_SECONDS = 2.0
_AFTER_MISTAKE = timedelta(seconds=60)

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
        self._working: set[str] = set()
        self._troubled = False

    def wake(self, tenant: str = "") -> None:
        """There is something to do now, for any tenant if none is named. What is done here for it looks at its end."""
        if tenant not in self._working:
            self._woken.set()

    async def run(self) -> None:
        """Works until it is cancelled."""
        tasks: set[asyncio.Task[None]] = set()
        try:
            while True:
                self._woken.clear()
                tasks = {task for task in tasks if not task.done()}
                with suppress(Exception):  # it is logged
                    for name, lease in (await self._taken(self._at_once - len(tasks))).items():
                        tasks.add(asyncio.create_task(self._whole(name, lease), name=f"{self._what} of {name}"))
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await self._woken.wait()
        finally:
            await end(tasks)

    async def _taken(self, most: int) -> dict[str, Lease]:
        try:
            found = await wakeups.take(self._tenants.pool, self._what, most) if most > 0 else {}
        except Exception as error:
            self._fail("the list of work", error)
            raise
        self._troubled = False
        return found

    async def _whole(self, name: str, lease: Lease) -> None:
        """Works for a tenant until nothing is due any more, and gives it back."""
        self._working.add(name)
        works_for(name)
        try:
            async with lease:
                next_at = await self._worked(name)
            await lease.end(next_at)
        except asyncio.CancelledError:
            with suppress(Exception):
                await lease.end(datetime.now(UTC))  # another process goes on at once
            raise
        except Exception as error:  # noqa: BLE001 - it is tried again
            self._fail(name, error)
            await self._give_back(lease, timedelta() if _is_trouble(error) else _AFTER_MISTAKE)
        finally:
            self._working.discard(name)
            self._woken.set()  # there may have come something meanwhile

    async def _worked(self, name: str) -> datetime | None:
        try:
            tenant = await self._tenants.find(name)
        except UnknownTenant:
            return None
        while True:
            next_at = await self._work(tenant)
            if next_at is None or next_at > datetime.now(UTC):
                return next_at

    async def _give_back(self, lease: Lease, pause: timedelta) -> None:
        """As soon as the database takes it; else the lease runs out."""
        while not lease.has_run_out:
            await asyncio.sleep(_AFTER_TROUBLE_SECONDS)
            with suppress(Exception):
                await lease.end(datetime.now(UTC) + pause)
                return

    def _fail(self, name: str, error: Exception) -> None:
        """Logs that work has to wait, once until it goes on."""
        if _is_trouble(error):
            if not self._troubled:
                log.warning("%s has to wait: %s", name, in_short(error))
            self._troubled = True
        else:
            log.error("%s of %s failed with %s", self._what, name, type(error).__name__, exc_info=error)


def _is_trouble(error: Exception) -> bool:
    """Whether it is the database's or the machine's, and passes."""
    return is_trouble(error) or isinstance(error, PoolTimeout | Exhausted | Unavailable)
