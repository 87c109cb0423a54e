"""Listening: queues of systems that put into one what they tell are emptied into the inbox.

A queue forgets something only once it is kept for good. What comes again is recognised in the inbox.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from adapters.edges.accounts import Accounts, Connected
from adapters.edges.http import SystemUnreachable, TryLater
from adapters.edges.inbox import Inbox
from adapters.edges.inbox_rows import Arrival
from adapters.edges.leases import Leases
from adapters.edges.meaning import NotUnderstood
from adapters.edges.outgoing import Outgoing
from adapters.edges.wakeups import EdgeWork
from adapters.tenants import Tenant, Tenants

log = logging.getLogger("fulfilment.edges")

_TENANTS_AT_ONCE = 20
"""More than of other work, because most of it is waiting; they take turns."""
_TURN_SECONDS = 60.0
_NEXT_TURN = timedelta(milliseconds=20)
_AFTER_PROBLEM = timedelta(seconds=30)


class Listening:
    """Empties the queues of all tenants."""

    def __init__(
        self, tenants: Tenants, accounts: Accounts, outgoing: Outgoing, inbox_filled: Callable[[str], None]
    ) -> None:
        """``inbox_filled`` is called with the tenant in whose inbox there is something new."""
        self._accounts = accounts
        self._outgoing = outgoing
        self._inbox_filled = inbox_filled
        self.leases = Leases(tenants, EdgeWork.LISTENING, self.work, _TENANTS_AT_ONCE)

    async def work(self, tenant: Tenant) -> datetime | None:
        """Waits once for each of its queues, and says when to wait again."""
        connected = (await self._accounts.read(tenant)).values()
        listening = [one for one in connected if not one.paused and one.system.listens(one.account)]
        if not listening:
            return None  # who resumes one wakes this
        pauses = await asyncio.gather(*(self._turn(tenant, one) for one in listening))
        return datetime.now(UTC) + max(pauses)

    async def _turn(self, tenant: Tenant, one: Connected) -> timedelta:
        """What lay in one queue, and how long it is left alone then."""
        try:
            async with asyncio.timeout(_TURN_SECONDS):
                await self._empty(tenant, one)
        except TryLater as later:
            return timedelta(seconds=later.seconds)
        except (SystemUnreachable, NotUnderstood, TimeoutError) as problem:
            log.warning("the queue of %s of %s is not emptied: %s", one.account.name, tenant.name, problem)
            return _AFTER_PROBLEM
        return _NEXT_TURN

    async def _empty(self, tenant: Tenant, one: Connected) -> None:
        http = self._outgoing.of(tenant, one)
        queued = await one.system.receive(http, one.account)
        if queued.found:
            arrivals = [Arrival(one, each.received, each.raw) for each in queued.found]
            if any(await Inbox.of(tenant).keep(arrivals)):
                self._inbox_filled(tenant.name)
        if queued.taken:
            await one.system.took(http, one.account, queued)
