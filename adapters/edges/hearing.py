"""Hearing that something was recorded, so that shops are told at once and nobody has to look for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from adapters.database.control import tenant_of
from ledger.engine.log import CHANNEL
from ledger.engine.trouble import in_short

log = logging.getLogger("fulfilment.edges")

_PAUSE_SECONDS = 0.2
"""What is heard meanwhile is looked at together: a busy ledger is heard many times in that time."""
_TRY_AGAIN_SECONDS = 10.0
# Of tenants without connections nothing is due, ever.
_DUE = """
    UPDATE fulfilment.wakeups SET due_at = now()
    WHERE what = 'telling' AND tenant = ANY(%s) AND due_at > now()
        AND (due_at < 'infinity' OR leased_until IS NOT NULL)
"""


async def hear(pool: AsyncConnectionPool[Any], woken: Callable[[], None]) -> None:
    """Wakes the telling of tenants in which something happened, until it is cancelled.

    While it hears nothing, tenants with connections are looked at from time to time.
    """
    while True:
        try:
            async with await AsyncConnection.connect(str(pool.conninfo), autocommit=True) as connection:
                await connection.execute(SQL("LISTEN {}").format(Identifier(CHANNEL)))
                while True:
                    heard = {notify.payload async for notify in connection.notifies(stop_after=1)}
                    await asyncio.sleep(_PAUSE_SECONDS)
                    heard |= {notify.payload async for notify in connection.notifies(timeout=0)}
                    if await _make_due(pool, {tenant_of(schema) for schema in heard}):
                        woken()
        except (psycopg.Error, PoolTimeout, OSError) as error:
            log.warning("what is recorded is not heard: %s", in_short(error))
        await asyncio.sleep(_TRY_AGAIN_SECONDS)


async def _make_due(pool: AsyncConnectionPool[Any], tenants: Collection[str]) -> bool:
    """Whether any of these tenants has connections that may have to be told, which they are soon."""
    async with pool.connection() as connection:
        cursor = await connection.execute(_DUE, (list(tenants),))
        return bool(cursor.rowcount)
