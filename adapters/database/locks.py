"""Locks of the database by which one process at a time does a piece of work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

_PATIENCE = "SELECT set_config('idle_in_transaction_session_timeout', %s, true)"
_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, %s))"


class Lock(NamedTuple):
    """A lock that was tried, and the connection that holds it if nobody else does."""

    connection: AsyncConnection[Any]
    is_held: bool


@asynccontextmanager
async def tried(pool: AsyncConnectionPool[Any], name: str, seed: int, *, patience: str = "2min") -> AsyncIterator[Lock]:
    """Tries a lock and keeps it as long as this is entered; its connection may be idle for so long meanwhile."""
    async with pool.connection() as connection, connection.transaction():
        await connection.execute(_PATIENCE, (patience,))
        row = await (await connection.execute(_LOCK, (name, seed))).fetchone()
        yield Lock(connection, row is not None and row[0])
