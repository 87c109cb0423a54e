"""Which tenants have work at the edges, and since when: one question for all, so that one at rest costs nothing.

A row is woken in the transaction that makes the work, and leased by the process that does it. A lease that is not ended
runs out, so that another process goes on where one was lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

LEASE = timedelta(seconds=120)
"""Longer than any piece of work takes before it renews the lease."""

# The row is locked also where nothing changes: whoever takes it waits for this transaction, and sees its work.
_WAKE = """
    INSERT INTO fulfilment.wakeups (tenant, what, due_at) VALUES (%(tenant)s, %(what)s, now() + %(in)s)
    ON CONFLICT (tenant, what) DO UPDATE SET due_at = excluded.due_at WHERE wakeups.due_at > excluded.due_at
"""
_TAKE = """
    UPDATE fulfilment.wakeups SET due_at = now() + %(lease)s WHERE (tenant, what) IN (
        SELECT tenant, what FROM fulfilment.wakeups WHERE what = %(what)s AND due_at <= now()
        ORDER BY due_at LIMIT %(most)s FOR UPDATE SKIP LOCKED
    ) RETURNING tenant, due_at
"""
_SETTLE = """
    UPDATE fulfilment.wakeups SET due_at = coalesce(%(next)s, 'infinity'::timestamptz)
    WHERE tenant = %(tenant)s AND what = %(what)s AND due_at = %(leased)s
"""
_RENEW = """
    UPDATE fulfilment.wakeups SET due_at = now() + %(lease)s
    WHERE tenant = %(tenant)s AND what = %(what)s AND due_at = %(leased)s RETURNING due_at
"""


class EdgeWork(StrEnum):
    """What there is to do."""

    INBOX = "inbox"
    ASKING = "asking"
    LISTENING = "listening"


async def wake(connection: AsyncConnection[Any], tenant: str, what: EdgeWork, pause: timedelta = timedelta()) -> None:
    """There is something to do for the tenant, now or in a while."""
    await connection.execute(_WAKE, {"tenant": tenant, "what": what, "in": pause})


async def take(pool: AsyncConnectionPool[Any], what: EdgeWork, most: int) -> Mapping[str, datetime]:
    """The tenants for which something is due, each with the lease that this process has from now on."""
    async with pool.connection() as connection:
        cursor = await connection.execute(_TAKE, {"what": what, "lease": LEASE, "most": most})
        return dict(await cursor.fetchall())


async def settle(
    pool: AsyncConnectionPool[Any], tenant: str, what: EdgeWork, leased: datetime, next_at: datetime | None
) -> None:
    """Ends a lease. Whoever woke the tenant meanwhile has changed it, and stays due."""
    async with pool.connection() as connection:
        await connection.execute(_SETTLE, {"tenant": tenant, "what": what, "leased": leased, "next": next_at})


async def renew(pool: AsyncConnectionPool[Any], tenant: str, what: EdgeWork, leased: datetime) -> datetime:
    """The lease from now on; the same where it was changed meanwhile, which ends it soon."""
    async with pool.connection() as connection:
        values = {"tenant": tenant, "what": what, "leased": leased, "lease": LEASE}
        row = await (await connection.execute(_RENEW, values)).fetchone()
        return row[0] if row else leased
