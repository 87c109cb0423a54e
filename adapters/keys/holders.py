"""Which epoch a database seals under, and which servers hold which keys: what a rotation waits for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from psycopg_pool import AsyncConnectionPool

LOST_AFTER_SECONDS = 15
"""A server that has not been heard of for so long does not run, or has lost the database and writes nothing."""

_EPOCH = "SELECT epoch FROM fulfilment.keyring"
_SEAL_UNDER = "UPDATE fulfilment.keyring SET epoch = %s"
_HOLD = """
    INSERT INTO fulfilment.key_holders (holder, epochs, writes, seen_at) VALUES (%s, %s, %s, now())
    ON CONFLICT (holder) DO UPDATE SET epochs = excluded.epochs, writes = excluded.writes, seen_at = excluded.seen_at
"""
_LET_GO = "DELETE FROM fulfilment.key_holders WHERE holder = %s OR seen_at < now() - interval '1 day'"
_RUNNING = """
    SELECT holder, epochs, writes FROM fulfilment.key_holders
    WHERE seen_at > now() - make_interval(secs => %s) ORDER BY holder
"""


class Holder(NamedTuple):
    """A server that runs, the epochs whose keys it holds, and the one it seals under."""

    name: str
    epochs: list[int]
    writes: int


class Holders:
    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._pool = pool

    async def epoch(self) -> int:
        """The epoch to seal under."""
        async with self._pool.connection() as connection:
            return int((await (await connection.execute(_EPOCH)).fetchall())[0][0])

    async def seal_under(self, epoch: int) -> None:
        """Lets all servers seal under this epoch from now on."""
        async with self._pool.connection() as connection:
            await connection.execute(_SEAL_UNDER, (epoch,))

    async def hold(self, name: str, epochs: Iterable[int], writes: int) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(_HOLD, (name, sorted(epochs), writes))

    async def let_go(self, name: str) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(_LET_GO, (name,))

    async def running(self) -> list[Holder]:
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(_RUNNING, (LOST_AFTER_SECONDS,))).fetchall()
            return [Holder._make(row) for row in rows]
