"""Which tenants are awake: those that somebody may be writing to. Whoever follows the log looks at them alone.

A writer marks its tenant as awake before it writes, for ``AWAKE_SECONDS``, and renews that long before it ends. So one
query for all tenants finds every log that may have grown, also where a notification was lost. It asks who was awake at
any time since it was asked before: a follower that could not ask for an hour misses nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

AWAKE_SECONDS = 120.0
_AGAIN_SECONDS = 60.0
"""What is left of it when somebody who writes says it again: longer than any transaction of his."""

# Committed like a fact, for it is remembered here: on a standby that takes over it must not be missing while what is
# written afterwards is there. A tenant that another process has just woken stays as it is.
_WAKE = """
    UPDATE fulfilment.tenants SET awake_until = now() + make_interval(secs => %(awake)s)
    WHERE schema = %(schema)s AND (awake_until < now() + make_interval(secs => %(awake)s - 1)) IS NOT FALSE
"""
AWAKE = """
    SELECT name, schema, now() FROM fulfilment.tenants WHERE awake_until > least(now(), %(since)s::timestamptz)
"""
"""The tenants that somebody may write to, or might since the time of an earlier answer (NULL: there is none), and the
time of this one."""


def asked_at(found: Sequence[tuple[str, str, datetime]], since: datetime | None) -> datetime | None:
    """Since when to ask the next time: where no tenant was found, as this time."""
    return found[0][2] if found else since


async def wake(connection: AsyncConnection[Any], schema: str) -> None:
    """There is, or will be, something to see of a tenant."""
    await connection.execute(_WAKE, {"schema": schema, "awake": AWAKE_SECONDS})


class StayingAwake:
    """Called before each transaction that may write to a tenant: it is awake until long after that."""

    def __init__(self, pool: AsyncConnectionPool[Any], schema: str) -> None:
        self._pool = pool
        self._schema = schema
        self._until = 0.0
        """In the time of the event loop."""

    async def __call__(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._until - now < _AGAIN_SECONDS:
            async with self._pool.connection() as connection:
                await wake(connection, self._schema)
            self._until = now + AWAKE_SECONDS
