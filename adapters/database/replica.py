"""A copy of the database that follows the primary: exports are read from it, so that they keep no command waiting.

It may be behind, and away. What it tells holds at a position of its own, and is told with how far that is behind.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, NamedTuple

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from adapters.database.dsn import DatabaseTls, DoesNotAnswer, usable
from adapters.database.postgres import open_pool
from adapters.database.problems import StartFailed
from ledger.engine.log_sql import HEAD
from ledger.engine.statements import in_schema
from ledger.engine.trouble import in_short, is_trouble
from ledger.refusals import StorageUnavailable

log = logging.getLogger("fulfilment.replica")

MOST_BEHIND_SECONDS = 3600.0
"""A job is refused rather than given what is older."""

_SERVER = ""
_MADE = "SELECT created_at FROM fulfilment.tenants WHERE schema = %s"
_BEHIND = """
    SELECT (SELECT coalesce(max(notification_id), 0) FROM {schema}.ledger_events), (
        SELECT extract(epoch FROM clock_timestamp() - recorded_at) FROM {schema}.ledger_events
        WHERE notification_id > %(position)s ORDER BY notification_id LIMIT 1
    )
"""


class Lag(NamedTuple):
    """How far a position is behind the log."""

    facts: int
    seconds: float
    """Since when the oldest fact beyond it is recorded."""


async def lag_of(primary: AsyncConnectionPool[Any], schema: str, position: int) -> Lag:
    """How far a position is behind the log as it is now."""
    async with primary.connection() as connection:
        cursor = await connection.execute(in_schema(_BEHIND, schema), {"position": position})
        ((head, seconds),) = await cursor.fetchall()
    return Lag(max(head - position, 0), max(float(seconds or 0.0), 0.0))


class Replica:
    """The copy that a DSN names."""

    def __init__(self, dsn: str, tls: DatabaseTls) -> None:
        self._dsn = dsn
        self._tls = tls
        self._told: dict[str, str] = {}
        """What the log was told of the copy of a schema, or of the server itself."""

    def look(self) -> None:
        """Raises StartFailed if it can never be used; that it does not answer now keeps nobody from starting."""
        try:
            usable(self._dsn, self._tls, only_read=True)
        except DoesNotAnswer as problem:
            log.warning("exports are refused until the replica of --reporting-dsn answers: %s", problem)

    @asynccontextmanager
    async def reading(self, primary: AsyncConnectionPool[Any], schema: str) -> AsyncIterator[AsyncConnectionPool[Any]]:
        """A connection of one's own to a tenant's copy.

        Raises StorageUnavailable while it is away or too far behind, or if it ends what it was doing.
        """
        async with self._opened() as pool:
            found = await self._lag(pool, primary, schema)
            if found.seconds > MOST_BEHIND_SECONDS:
                log.warning("the replica of --reporting-dsn is %.0f s behind in %s", found.seconds, schema)
                most = f"{MOST_BEHIND_SECONDS:,.0f} s is the most"
                raise StorageUnavailable(f"its replica for exports is {found.seconds:,.0f} s behind; {most}")
            yield pool

    @asynccontextmanager
    async def looked_at(self, primary: AsyncConnectionPool[Any]) -> AsyncIterator[Callable[[str], Awaitable[Lag]]]:
        """Tells by its schema how far each tenant's copy is behind; both raise StorageUnavailable."""
        async with self._opened() as pool:
            yield partial(self._lag, pool, primary)

    async def standing(self, primary: AsyncConnectionPool[Any], schema: str) -> Lag:
        """How far a tenant's copy is behind; raises StorageUnavailable."""
        async with self.looked_at(primary) as lag:
            return await lag(schema)

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[AsyncConnectionPool[Any]]:
        try:
            async with open_pool(await self._conninfo(), max_size=1) as pool:
                yield pool
        except psycopg.Error as error:
            if not is_trouble(error):
                raise
            log.warning("the replica of --reporting-dsn ended what it was asked for: %s", in_short(error))
            raise StorageUnavailable(_ended(error)) from error

    async def _conninfo(self) -> str:
        """Looked at each time, for it may be another server than at the start."""
        try:
            found = await asyncio.to_thread(usable, self._dsn, self._tls, only_read=True)
        except StartFailed as problem:
            self._tell(_SERVER, f"cannot be used: {problem}")
            raise StorageUnavailable("that is its replica for exports") from None
        if self._told.pop(_SERVER, None):
            log.info("the replica of --reporting-dsn answers again")
        return found

    def _tell(self, about: str, what: str) -> None:
        """Tells the log, once until it changes: it is looked at again and again."""
        if self._told.get(about) != what:
            log.warning("the replica of --reporting-dsn %s", what)
            self._told[about] = what

    async def _lag(self, pool: AsyncConnectionPool[Any], primary: AsyncConnectionPool[Any], schema: str) -> Lag:
        try:
            async with pool.connection() as copy:
                made, head = await _made(copy, schema), await _head(copy, schema)
        except psycopg.ProgrammingError as problem:
            self._tell(schema, f"cannot be read: {str(problem).partition(chr(10))[0]}")
            raise StorageUnavailable("its replica for exports has no such ledger, or may not be read") from None
        async with primary.connection() as connection:
            if made is None or made != await _made(connection, schema):
                self._tell(schema, f"does not hold {schema} of this database")
                raise StorageUnavailable("its replica for exports lacks this ledger, or has another of its name")
        self._told.pop(schema, None)
        return await lag_of(primary, schema, head)


async def _made(connection: AsyncConnection[Any], schema: str) -> Any:
    """When the tenant was made: that tells one ledger from another of the same name."""
    row = await (await connection.execute(_MADE, (schema,))).fetchone()
    return row[0] if row else None


async def _head(connection: AsyncConnection[Any], schema: str) -> int:
    return int((await (await connection.execute(in_schema(HEAD, schema))).fetchall())[0][0])


def _ended(error: psycopg.Error) -> str:
    if isinstance(error, psycopg.errors.SerializationFailure):
        return (
            "its replica for exports ended this one to keep up with the primary, which max_standby_streaming_delay "
            "and hot_standby_feedback of the replica put off"
        )
    return f"its replica for exports: {in_short(error)}"


# --- what the option chooses -----------------------------------------------------------------------------------


def replica_of(chosen: argparse.Namespace) -> Replica | None:
    """Raises StartFailed if it can never be used."""
    if chosen.reporting_dsn is None:
        return None
    replica = Replica(chosen.reporting_dsn, chosen.database_tls)
    replica.look()
    return replica
