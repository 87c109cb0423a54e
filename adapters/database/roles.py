"""``python server.py migrate``: two roles of the database, one that makes the tables and one that runs the service.

Whoever takes over the running service, or its password, can then add facts, outcomes and reads, and can neither change
nor delete one. Read models belong to the role that runs: it makes them anew at any time.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, cast

import psycopg
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from adapters.database.control import CONTROL_SCHEMA, Control
from adapters.database.dsn import add_database_tls, usable
from adapters.database.postgres import open_pool
from adapters.database.problems import StartFailed
from adapters.database.public_functions import LOCKS

RIGHTS = {
    "tenants": "UPDATE (awake_until)",
    "projectors": "INSERT, UPDATE, DELETE",
    "clients": "",
    "keyring": "INSERT",
    "key_holders": "INSERT, UPDATE, DELETE",
    "ledger_schema": "",
    "ledger_events": "INSERT",
    # A warning follows its outcome, and those of an erased person are not recognised by what they said any more.
    "ledger_commands": "INSERT, UPDATE (warnings, fingerprint)",
    # Destroyed with their people, and given what old ones lack.
    "ledger_keys": "INSERT, UPDATE",
    "ledger_evidence": "INSERT, UPDATE",
    "ledger_reads": "INSERT",
    "ledger_tracking": "INSERT, UPDATE, DELETE",
    "ledger_snapshots": "INSERT, UPDATE, DELETE",
    "ledger_projections": "INSERT, UPDATE, DELETE",
    # What is received is no fact: it is worked on, and deleted after a time.
    "ledger_inbox": "INSERT, UPDATE, DELETE",
    "ledger_connections": "INSERT, UPDATE, DELETE",
    "wakeups": "INSERT, UPDATE, DELETE",
}
"""What the role that runs may do beside reading, by table. All other tables of a tenant are read models."""

_SCHEMA = "GRANT USAGE ON SCHEMA {schema} TO {role}"
_READ_MODELS = "GRANT CREATE ON SCHEMA {schema} TO {role}"
_TEMPORARY = """
    SELECT format('GRANT TEMPORARY ON DATABASE %%I TO %%I', datname, %s::text)
    FROM pg_database WHERE datname = current_database() AND pg_has_role(datdba, 'MEMBER')
"""
"""Read models are checked in temporary tables, which roles for reporting take from everybody where they can."""
_LOCKING = f"""
    SELECT format('GRANT EXECUTE ON FUNCTION %%s TO %%I', string_agg(p.oid::regprocedure::text, ', '), %(role)s::text),
        bool_and(has_function_privilege(p.oid, 'EXECUTE WITH GRANT OPTION'))
    FROM pg_proc AS p WHERE {LOCKS} AND NOT has_function_privilege(%(role)s::text, p.oid, 'EXECUTE')
    HAVING count(*) > 0
"""  # noqa: S608 - of constants
"""Advisory locks, which roles for reporting take from everybody, too."""
_READ = "GRANT SELECT ON {table} TO {role}"
_WRITE = "GRANT {rights} ON {table} TO {role}"
_OWN = "ALTER TABLE {table} OWNER TO {role}"
_TABLES = """
    SELECT c.relname, pg_get_userbyid(c.relowner) FROM pg_class AS c
    WHERE c.relnamespace = to_regnamespace(%s) AND c.relkind IN ('r', 'p') ORDER BY c.relname
"""


async def prepare(dsn: str, role: str | None, tenants: Iterable[str]) -> list[str]:
    """Brings all schemas up to date, makes these tenants and lets a role run the service; returns the schemas."""
    async with open_pool(dsn, max_size=2) as pool:
        control = Control(pool)
        await control.prepare()
        for name in tenants:
            await control.create_tenant(name)
        schemas = [each.schema for each in await control.list_tenants()]
        if role is not None:
            async with pool.connection() as connection, connection.transaction():
                for (granting,) in await (await connection.execute(_TEMPORARY, (role,))).fetchall():
                    await connection.execute(granting)
                await _let_lock(connection, role)
                for schema in (CONTROL_SCHEMA, *schemas):
                    await _grant(connection, schema, role)
    return schemas


async def _let_lock(connection: AsyncConnection[Any], role: str) -> None:
    """If locks were taken from everybody, their owner gave them to the role that owns the tables to hand on."""
    for granting, may in await (await connection.execute(_LOCKING, {"role": role})).fetchall():
        if not may:
            raise StartFailed(
                f"{role} may take no advisory locks, and the role in --dsn cannot let it; "
                f"as a superuser run in this database, and then this again: {granting};"
            )
        await connection.execute(granting)


async def _grant(connection: AsyncConnection[Any], schema: str, role: str) -> None:
    async def do(template: str, table: str = "", rights: str = "") -> None:
        names = {"schema": Identifier(schema), "table": Identifier(schema, table), "role": Identifier(role)}
        await connection.execute(SQL(cast("Any", template)).format(**names, rights=SQL(cast("Any", rights))))

    await do(_SCHEMA)
    if schema != CONTROL_SCHEMA:
        await do(_READ_MODELS)
    for table, owner in await (await connection.execute(_TABLES, (f'"{schema}"',))).fetchall():
        rights = RIGHTS.get(table)
        if rights is not None:
            await do(_READ, table)
            if rights:
                await do(_WRITE, table, rights)
        elif owner != role and schema != CONTROL_SCHEMA:
            await do(_OWN, table)


# --- the command ----------------------------------------------------------------------------------


def main(arguments: Sequence[str]) -> None:
    """Raises StartFailed, and what psycopg raises."""
    parser = argparse.ArgumentParser(
        prog="server.py migrate",
        description="Bring the tables up to date as their owner, so that the role that runs the service need not be.",
    )
    add = parser.add_argument
    add("--dsn", required=True, help="the database, as the role that owns the tables")
    add_database_tls(parser)
    add("--grant", metavar="ROLE", help="a role of the database that may then run the service, and change no fact")
    add("--tenant", metavar="NAME", action="append", default=[], help="make this tenant, too")
    chosen = parser.parse_args(arguments)
    try:
        schemas = asyncio.run(prepare(usable(chosen.dsn, chosen.database_tls), chosen.grant, chosen.tenant))
    except psycopg.errors.UndefinedObject as problem:
        raise StartFailed(
            f"{_first_line(problem)}; make it first: CREATE ROLE {chosen.grant} LOGIN PASSWORD '...'"
        ) from None
    print(f"Up to date: {CONTROL_SCHEMA}, {', '.join(schemas)}.")
    if chosen.grant:
        print(f"{chosen.grant} may run the service: it reads everything, adds facts and outcomes, and changes none.")


def _first_line(problem: Exception) -> str:
    return str(problem).partition("\n")[0]
