"""Connections to PostgreSQL: pools of them as the ledger wants them."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool


class _WarmPool(AsyncConnectionPool[Any]):
    """Hands out the connection that was given back last, which has prepared what it is asked; psycopg's own takes the
    others first, so that each statement of each tenant is parsed and planned on every connection there is."""

    async def _get_ready_connection(self, timeout: float | None) -> AsyncConnection[Any] | None:  # noqa: ASYNC109 - as it is there
        self._pool.rotate(1)
        return await super()._get_ready_connection(timeout)


def open_pool(
    conninfo: str, *, max_size: int = 10, min_size: int = 1, timeout: float = 5.0, keeps_plans: bool = False
) -> AsyncConnectionPool[Any]:
    """A pool of connections as the ledger wants them; enter it to open it.

    Where statements are the same again and again whatever their parameters, ``keeps_plans`` plans each but once a
    connection, so that few connections are best.
    """
    return _WarmPool(
        conninfo,
        kwargs={
            "autocommit": True,
            "client_encoding": "UTF8",  # as ledger/engine/wire.py needs, whatever the DSN has
            # For each host: one that is gone must leave time for the next.
            "connect_timeout": 3,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 2,
            "tcp_user_timeout": 15_000,
        },
        configure=_configure_to_keep_plans if keeps_plans else _configure,
        min_size=min_size,
        max_size=max_size,
        timeout=timeout,
        # By default the pool waits twice as long after each failure, so that it would come back long
        # after the database did. So it gives up soon, and whoever needs a connection makes it try again.
        reconnect_timeout=0.5,
        open=False,
        name="ledger",
    )


_SETTINGS = """
    SELECT set_config('jit', 'off', false), set_config('enable_seqscan', 'off', false),
        set_config('lock_timeout', '10s', false), set_config('statement_timeout', '0', false),
        set_config('idle_in_transaction_session_timeout', '20s', false)
"""
_SETTINGS_SINCE_17 = "SELECT set_config('transaction_timeout', '0', false)"


async def _configure(connection: AsyncConnection[Any]) -> None:
    # Every query here goes by an index, also right after a bulk load, when the planner's statistics
    # would mislead it. A server process that lost its client must not keep the tenant's lock. A commit that waits for
    # its standby would be answered by a timeout of statements or transactions, and be lost with this server.
    await connection.execute(_SETTINGS)
    if connection.info.server_version >= 170000:
        await connection.execute(_SETTINGS_SINCE_17)
    connection.prepared_max = 1000


async def _configure_to_keep_plans(connection: AsyncConnection[Any]) -> None:
    await _configure(connection)
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    connection.prepare_threshold = 0
