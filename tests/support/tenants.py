"""Tenants for tests. Making and dropping 150 tables and indexes takes longer than most tests, so they are handed on."""

from __future__ import annotations

import asyncio
import os
from functools import cached_property
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.sql import SQL, Identifier

from adapters.database.migrations import TENANT_MIGRATIONS
from adapters.database.schema_versions import migrate
from projections import PROJECTIONS
from projections.machine.database import make_tables
from tests.support.stalls import EmptyTenant

_LOOKS = """
    SELECT string_agg(concat_ws(' ', relname, relkind, relchecks, relhastriggers, attname, atttypid, attnotnull), ';'
        ORDER BY relname, attnum)
    FROM pg_class LEFT JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0
    WHERE relnamespace = %s::regnamespace
"""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename <> 'ledger_schema'"
_BEGIN = """
    SET LOCAL lock_timeout = '2s';
    {empty};
    INSERT INTO {schema}.ledger_tracking VALUES ('__migration__', 1);
"""
_SHAPES = "INSERT INTO {}.ledger_projections (name, shape) SELECT * FROM unnest(%s::text[], %s::int[])"


class Tenants:
    """Gives each test an empty tenant with the tables of all read models; one that still looks so is given again."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._free: list[EmptyTenant] = []

    def take(self) -> EmptyTenant:
        if self._free:
            return self._free.pop()
        tenant = new_tenant(self._conninfo)
        make_tables(self._connection, tenant.schema, PROJECTIONS)
        self._looks = self._look(tenant)
        return tenant

    def give_back(self, tenant: EmptyTenant) -> None:
        if self._look(tenant) != self._looks or not self._empty(tenant):
            drop(self._connection, tenant)
        else:
            self._free.append(tenant)

    @cached_property
    def _connection(self) -> Connection[Any]:
        return psycopg.connect(self._conninfo, autocommit=True)

    def _look(self, tenant: EmptyTenant) -> str:
        ((looks,),) = self._connection.execute(_LOOKS, (tenant.schema,)).fetchall()
        return str(looks)

    def _empty(self, tenant: EmptyTenant) -> bool:
        """False where somebody holds a table."""
        schema = Identifier(tenant.schema)
        tables = [Identifier(tenant.schema, name) for (name,) in self._connection.execute(_TABLES, (tenant.schema,))]
        empty = SQL(";").join(SQL("DELETE FROM {}").format(table) for table in tables)
        names, shapes = zip(*((each.name, each.shape) for each in PROJECTIONS), strict=True)
        try:
            with self._connection.transaction():
                self._connection.execute(SQL(_BEGIN).format(empty=empty, schema=schema))
                self._connection.execute(SQL(_SHAPES).format(schema), (list(names), list(shapes)))
        except psycopg.errors.LockNotAvailable:
            return False
        return True


def new_tenant(conninfo: str) -> EmptyTenant:
    """A tenant as a service makes it, without a read model."""
    tenant = EmptyTenant(conninfo, f"tenant_test_{os.urandom(6).hex()}")
    asyncio.run(_make(tenant))
    return tenant


async def _make(tenant: EmptyTenant) -> None:
    async with await psycopg.AsyncConnection.connect(tenant.conninfo, autocommit=True) as connection:
        await migrate(connection, tenant.schema, TENANT_MIGRATIONS)


def drop(connection: Connection[Any], tenant: EmptyTenant) -> None:
    connection.execute("SET client_min_messages = warning")
    connection.execute(SQL("DROP SCHEMA {} CASCADE").format(Identifier(tenant.schema)))
