"""The control schema: which tenants there are, where each lives, and what the key file is checked by."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from datetime import datetime
from math import inf
from typing import Any, NamedTuple, cast

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from adapters.database.migrations import CONTROL_MIGRATIONS, TENANT_MIGRATIONS
from adapters.database.schema_versions import migrate, migrations_of
from ledger.refusals import TooManyTenants
from projections.machine.awake import AWAKE, asked_at

CONTROL_SCHEMA = "fulfilment"
DEFAULT_TENANT = "default"
MOST_TENANTS = 1000
"""Each has tables of its own, a writer, clocks and read models."""
_SAME_LOOK_SECONDS = 0.1
_TENANT = re.compile(r"[a-z][a-z0-9_]{0,39}")
_SCHEMA_PREFIX = "tenant_"


class BadTenantName(ValueError):
    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} cannot name a tenant: start with a letter a-z, then letters a-z, digits and _, 40 at most"
        )


def tenant_of(schema: str) -> str:
    """The name of the tenant whose schema it is."""
    return schema.removeprefix(_SCHEMA_PREFIX)


def is_tenant_name(text: str) -> bool:
    return _TENANT.fullmatch(text) is not None


def _check_name(tenant: str) -> None:
    if not is_tenant_name(tenant):
        raise BadTenantName(tenant)


class TenantSchema(NamedTuple):
    """A retailer, and the schema its ledger lives in."""

    name: str
    schema: str
    created_at: datetime


class _Look(NamedTuple):
    """An answer to who is awake."""

    at: float
    """When it was asked, in the time of the event loop."""
    since: datetime | None
    found: Sequence[tuple[str, str, datetime]]

    def answers(self, since: datetime | None, now: float) -> bool:
        """Whether it says what would be answered now, or more."""
        covers = since is None or (self.since is not None and self.since <= since)
        return covers and now < self.at + _SAME_LOOK_SECONDS


class Control:
    """The schema ``fulfilment``: which tenants there are, and the check value of the key file."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._pool = pool
        self._looking = asyncio.Lock()
        self._looked = _Look(-inf, None, [])

    async def prepare(self) -> list[TenantSchema]:
        """Brings every schema up to date and makes the default tenant; returns the tenants."""
        async with self._pool.connection() as connection:
            await migrate(connection, CONTROL_SCHEMA, CONTROL_MIGRATIONS)
            await self._create(connection, DEFAULT_TENANT)
            tenants = await self._list(connection)
            for tenant in tenants:
                await migrate(connection, tenant.schema, TENANT_MIGRATIONS)
            return tenants

    async def create_tenant(self, name: str) -> TenantSchema:
        """Makes a tenant with its schema; creating one twice is fine. Raises TooManyTenants."""
        _check_name(name)
        async with self._pool.connection() as connection:
            tenants = [tenant.name for tenant in await self._list(connection)]
            if name not in tenants and len(tenants) >= MOST_TENANTS:
                raise TooManyTenants(name, MOST_TENANTS)
            return await self._create(connection, name)

    async def list_tenants(self) -> list[TenantSchema]:
        async with self._pool.connection() as connection:
            return await self._list(connection)

    async def awake(self, since: datetime | None = None) -> tuple[set[str], datetime | None]:
        """The names of the tenants that somebody may write to, or might since; and since when to ask the next time.

        Several kinds of work ask at about the same time, each second: all of them have the answer of the first.
        """
        async with self._looking:
            now = asyncio.get_running_loop().time()
            if not self._looked.answers(since, now):
                async with self._pool.connection() as connection:
                    cursor = await connection.execute(AWAKE, {"since": since})
                    self._looked = _Look(now, since, await cursor.fetchall())
            found = self._looked.found
        return {name for name, _, _ in found}, asked_at(found, since)

    async def schema_of(self, name: str) -> str | None:
        """Where a tenant's ledger lives; None if there is no such tenant; raises BadTenantName if there cannot be."""
        _check_name(name)
        async with self._pool.connection() as connection:
            cursor = await connection.execute("SELECT schema FROM fulfilment.tenants WHERE name = %s", (name,))
            row = await cursor.fetchone()
            return row[0] if row else None

    async def key_check(self) -> bytes | None:
        """The check value of the key this database was made with; None before there is one."""
        async with self._pool.connection() as connection:
            row = await (await connection.execute("SELECT key_check FROM fulfilment.keyring")).fetchone()
            return row[0] if row else None

    async def remember_key(self, key_check: bytes, epoch: int) -> bytes:
        """Stores the check value if there is none yet, and the epoch to seal under; returns the one that holds."""
        async with self._pool.connection() as connection:
            insert = "INSERT INTO fulfilment.keyring (key_check, epoch) VALUES (%s, %s) ON CONFLICT DO NOTHING"
            await connection.execute(insert, (key_check, epoch))
            cursor = await connection.execute("SELECT key_check FROM fulfilment.keyring")
            return cast("bytes", (await cursor.fetchall())[0][0])

    async def bring_up_to_date(self, schema: str) -> None:
        """For a tenant that an older version has made since this process started. One whose tables are gone is not made
        anew: an empty ledger would stand in for a lost one."""
        async with self._pool.connection() as connection:
            found = await migrations_of(connection, schema)
            if found is not None and found[0] < len(TENANT_MIGRATIONS):
                await migrate(connection, schema, TENANT_MIGRATIONS)

    async def _create(self, connection: AsyncConnection[Any], name: str) -> TenantSchema:
        # The schema first: a tenant that is listed has its tables.
        schema = f"{_SCHEMA_PREFIX}{name}"
        await migrate(connection, schema, TENANT_MIGRATIONS)
        select = "SELECT name, schema, created_at FROM fulfilment.tenants WHERE name = %s"
        if listed := await (await connection.execute(select, (name,))).fetchone():
            return TenantSchema._make(listed)
        insert = "INSERT INTO fulfilment.tenants (name, schema) VALUES (%s, %s) ON CONFLICT DO NOTHING"
        await connection.execute(insert, (name, schema))
        return TenantSchema._make((await (await connection.execute(select, (name,))).fetchall())[0])

    async def _list(self, connection: AsyncConnection[Any]) -> list[TenantSchema]:
        cursor = await connection.execute("SELECT name, schema, created_at FROM fulfilment.tenants ORDER BY name")
        return [TenantSchema._make(row) for row in await cursor.fetchall()]
