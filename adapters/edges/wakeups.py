"""Which tenants have work at the edges, and since when: one question for all, so that one at rest costs nothing.

A row is woken in the transaction that makes the work, so that whoever takes it sees that, and leased by the process
that does it. Who wakes a tenant that is leased makes it due for when the lease ends. One that is not ended runs out, so
that another process goes on where one was lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import TracebackType
from typing import Any, Self

import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from ledger.engine.wire import SqlStatement

LEASE = timedelta(seconds=10)
"""It is renewed while there is work: so long nobody goes on after a process that died."""

# The row is locked also where nothing changes: whoever takes it waits for this transaction, and sees its work.
_WAKE = """
    INSERT INTO fulfilment.wakeups (tenant, what, due_at) VALUES (%(tenant)s, %(what)s, now())
    ON CONFLICT (tenant, what) DO UPDATE SET due_at = excluded.due_at WHERE wakeups.due_at > excluded.due_at
"""
_WAKE_ALL = b"""
    INSERT INTO fulfilment.wakeups (tenant, what, due_at)
    SELECT $1, what, now() FROM json_array_elements_text($2) AS what
    ON CONFLICT (tenant, what) DO UPDATE SET due_at = excluded.due_at WHERE wakeups.due_at > excluded.due_at
"""
WAKE_FOR_THOSE_KEPT = """
    INSERT INTO fulfilment.wakeups (tenant, what, due_at) SELECT %(tenant)s, %(what)s, now() FROM kept LIMIT 1
    ON CONFLICT (tenant, what) DO UPDATE SET due_at = excluded.due_at WHERE wakeups.due_at > excluded.due_at
"""
"""The same in the statement that makes the work, and only if there is some."""
_TAKE = """
    UPDATE fulfilment.wakeups SET due_at = 'infinity', leased_until = now() + %(lease)s WHERE (tenant, what) IN (
        SELECT tenant, what FROM fulfilment.wakeups
        WHERE what = %(what)s AND coalesce(leased_until, due_at) <= now()
        ORDER BY coalesce(leased_until, due_at) LIMIT %(most)s FOR UPDATE SKIP LOCKED
    ) RETURNING tenant, leased_until
"""
_SETTLE = """
    UPDATE fulfilment.wakeups SET due_at = least(due_at, %(next)s), leased_until = NULL
    WHERE tenant = %(tenant)s AND what = %(what)s AND leased_until = %(leased)s
"""
_RENEW = """
    UPDATE fulfilment.wakeups SET leased_until = now() + %(lease)s
    WHERE tenant = %(tenant)s AND what = %(what)s AND leased_until = %(leased)s RETURNING leased_until
"""


class EdgeWork(StrEnum):
    """What there is to do."""

    INBOX = "inbox"
    ASKING = "asking"
    LISTENING = "listening"
    TELLING = "telling"


async def wake(connection: AsyncConnection[Any], tenant: str, what: EdgeWork) -> None:
    """There is something to do for the tenant."""
    await connection.execute(_WAKE, {"tenant": tenant, "what": what})


def waking(tenant: str) -> SqlStatement:
    """There may be something of each kind to do for the tenant, once what this is written with is recorded."""
    return SqlStatement(_WAKE_ALL, (tenant.encode(), msgspec.json.encode(list(EdgeWork))))


async def take(pool: AsyncConnectionPool[Any], what: EdgeWork, most: int) -> dict[str, Lease]:
    """The tenants for which something is due, each with the lease that this process has from now on."""
    async with pool.connection() as connection:
        cursor = await connection.execute(_TAKE, {"what": what, "lease": LEASE, "most": most})
        return {tenant: Lease(pool, tenant, what, until) for tenant, until in await cursor.fetchall()}


class Lease:
    """The work of one kind for a tenant, which is this process's while it is entered: it is renewed all the time."""

    def __init__(self, pool: AsyncConnectionPool[Any], tenant: str, what: EdgeWork, until: datetime) -> None:
        self._pool = pool
        self._of: Mapping[str, Any] = {"tenant": tenant, "what": what}
        self._until = until

    async def __aenter__(self) -> Self:
        self._renewing = asyncio.create_task(self._renew(), name="lease")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._renewing.cancel()
        await asyncio.wait([self._renewing])

    async def end(self, next_at: datetime | None) -> None:
        """It is due again then, or sooner if somebody woke it meanwhile; of a lease that ran out it means nothing."""
        async with self._pool.connection() as connection:
            await connection.execute(_SETTLE, {**self._of, "leased": self._until, "next": next_at})

    @property
    def has_run_out(self) -> bool:
        return datetime.now(UTC) > self._until

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 4)
            with suppress(Exception):  # then it runs out, unless the next time succeeds
                async with self._pool.connection() as connection:
                    values = {**self._of, "leased": self._until, "lease": LEASE}
                    row = await (await connection.execute(_RENEW, values)).fetchone()
                    self._until = row[0] if row else self._until
