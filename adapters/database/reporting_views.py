"""The views for reporting after an upgrade: what a newer version added appears by itself, to all who read the others.

``server.py reporting grant`` makes a tenant's views and says who reads them; nobody has to say it again.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import AsyncConnection, errors
from psycopg.sql import SQL, Literal

from adapters.database.reporting_roles import MARK, READERS, reading
from adapters.every_tenant import REST, EveryTenant
from adapters.tenants import Tenants
from projections.reporting import views

log = logging.getLogger("fulfilment.reporting")

_LOOK_SECONDS = 60.0
_AGAIN = timedelta(seconds=10)
"""While read models are rebuilt in their new shape, or somebody reads a view that is to be replaced."""
_LOCK_MILLISECONDS = 200
"""Whoever waits for a view keeps its readers waiting."""
_LOCK_SEED = 0x7E9081

_VERSION = r"SELECT substring(obj_description(to_regnamespace(%s), 'pg_namespace') FROM 'version (\d+):')::int"


class ReportingViews:
    """Brings the views of each tenant that has some to the version of this service."""

    def __init__(self, tenants: Tenants) -> None:
        self._tenants = tenants
        self._told: set[str] = set()

    async def run(self) -> None:
        """Looks until it is cancelled."""
        await EveryTenant(self._tenants.control, log, self.tick, _LOOK_SECONDS).run()

    async def tick(self, name: str) -> timedelta:
        """Of one tenant; how long there is nothing to do."""
        schema = await self._tenants.control.schema_of(name)
        if schema is None:
            return REST
        async with self._tenants.pool.connection() as connection:
            if not await _are_older(connection, schema):
                return REST
            try:
                await _bring_up_to_date(connection, schema)
            except (errors.UndefinedTable, errors.UndefinedColumn, errors.LockNotAvailable):
                return _AGAIN
            except errors.InsufficientPrivilege as problem:
                self._tell(schema, problem)
        return REST

    def _tell(self, schema: str, problem: psycopg.Error) -> None:
        if schema not in self._told:
            self._told.add(schema)
            why = str(problem).partition("\n")[0]
            log.warning(
                "the views in %s stay as an older version made them (%s): python server.py reporting grant",
                views.views_schema(schema),
                why,
            )


async def _are_older(connection: AsyncConnection[Any], schema: str) -> bool:
    """Whether a tenant has views that lack what this version has."""
    cursor = await connection.execute(_VERSION, (f'"{views.views_schema(schema)}"',))
    ((version,),) = await cursor.fetchall()
    return version is not None and version < views.CONTRACT_VERSION


async def _bring_up_to_date(connection: AsyncConnection[Any], schema: str) -> None:
    """All of it or nothing, by one process."""
    name = views.views_schema(schema)
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = {_LOCK_MILLISECONDS}")
        lock = SQL("SELECT pg_advisory_xact_lock(hashtextextended({}, {}))")
        await connection.execute(lock.format(Literal(name), Literal(_LOCK_SEED)))
        if not await _are_older(connection, schema):
            return
        for statement in views.statements(schema):
            await connection.execute(statement)
        for (role,) in await (await connection.execute(READERS, (MARK, name))).fetchall():
            for statement in reading(name, role):
                await connection.execute(statement)
    log.info("the views in %s are of version %d of the contract", name, views.CONTRACT_VERSION)
