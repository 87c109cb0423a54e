"""Versions of schemas: how many migrations one has had, how it gets the others, and who may work with it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any, cast

import psycopg
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier, Literal

from adapters.database.migrations import BEGINNING

_LOCK_SEED = 0x5C4E3A
_MIGRATE_SECONDS = 30.0
_MIGRATE_LOCK_MILLISECONDS = 200
_MIGRATE_PAUSE_SECONDS = 0.5


class SchemaNewer(Exception):
    def __init__(self, schema: str, found: int, known: int) -> None:
        super().__init__(
            f"schema {schema} is at version {found} and this service knows {known}: a newer version of the service "
            "has run here and changed what this one uses; start that one"
        )


class SchemaInUse(Exception):
    def __init__(self, schema: str) -> None:
        super().__init__(
            f"schema {schema} could not be brought up to date in {_MIGRATE_SECONDS:.0f} s, for its tables are in use: "
            "end the sessions in pg_stat_activity that are idle in transaction, and start again"
        )


async def migrate(connection: AsyncConnection[Any], schema: str, migrations: Sequence[str]) -> int:
    """Brings a schema up to date in one transaction; safe when several processes start together.

    A schema that a newer version has only added to stays as it is. Raises SchemaNewer, and SchemaInUse. It tries a lock
    only for a moment, again and again, because waiting for a table would block commands and queries meanwhile.
    """
    clock = asyncio.get_running_loop().time
    give_up_at = clock() + _MIGRATE_SECONDS
    while True:
        try:
            return await _migrate(connection, schema, migrations)
        except psycopg.errors.LockNotAvailable as error:
            if clock() > give_up_at:
                raise SchemaInUse(schema) from error
            await asyncio.sleep(_MIGRATE_PAUSE_SECONDS)


async def _migrate(connection: AsyncConnection[Any], schema: str, migrations: Sequence[str]) -> int:
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = {_MIGRATE_LOCK_MILLISECONDS}")
        lock = SQL("SELECT pg_advisory_xact_lock(hashtextextended({name}, {seed}))")
        await connection.execute(lock.format(name=Literal(schema), seed=Literal(_LOCK_SEED)))
        found, works_with = await migrations_of(connection, schema) or await _begin(connection, schema)
        if found > len(migrations) >= works_with:
            return found
        if found > len(migrations):
            raise SchemaNewer(schema, found, len(migrations))
        for template in migrations[found:]:
            await _execute_each(connection, template, schema)
        if found < len(migrations):
            update = SQL("UPDATE {schema}.ledger_schema SET version = {version}, works_with = {works_with}")
            values = {"version": Literal(len(migrations)), "works_with": Literal(_changed_last(migrations))}
            await connection.execute(update.format(schema=Identifier(schema), **values))
    return len(migrations)


async def _execute_each(connection: AsyncConnection[Any], template: str, schema: str) -> None:
    """The statements of a template, one after another: Citus takes no two at once."""
    for statement in filter(str.strip, template.split(";")):
        await connection.execute(SQL(cast("Any", statement)).format(schema=Identifier(schema)))


async def migrations_of(connection: AsyncConnection[Any], schema: str) -> tuple[int, int] | None:
    """How many migrations a schema has had, and how many of them a service must know to work with it; None if it is not
    there."""
    known = await connection.execute("SELECT to_regclass(%s)", (f'"{schema}".ledger_schema',))
    if (await known.fetchone()) == (None,):
        return None
    # By its name in JSON, because a schema of before has no such column; then it is the number itself.
    asked = SQL("SELECT version, coalesce((to_jsonb(s) ->> 'works_with')::int, version) FROM {}.ledger_schema AS s")
    ((version, works_with),) = await (await connection.execute(asked.format(Identifier(schema)))).fetchall()
    return version, works_with


async def _begin(connection: AsyncConnection[Any], schema: str) -> tuple[int, int]:
    await connection.execute("SET LOCAL client_min_messages = warning")
    await _execute_each(connection, BEGINNING, schema)
    return 0, 0


_NEW = re.compile(r"CREATE (TABLE|INDEX) ")
_MORE_COLUMNS = re.compile(r"ALTER TABLE \S+ (?=ADD )")
_NEW_DEFAULT = re.compile(r"ALTER TABLE \S+ ALTER \S+ SET DEFAULT [^,]+")
_BOUND = re.compile(r",|ADD CONSTRAINT|UNIQUE|PRIMARY|CHECK|REFERENCES|NOT NULL(?!.*DEFAULT)")
"""What binds whoever does not know of a column, or is not plain to see."""


def _statements(template: str) -> list[str]:
    return [" ".join(statement.split()) for statement in template.split(";") if statement.strip()]


def _only_adds(statement: str) -> bool:
    """Whether a service that does not know of it works on as before."""
    if _NEW.match(statement) or _NEW_DEFAULT.fullmatch(statement):
        return True
    added = _MORE_COLUMNS.match(statement)
    return added is not None and not any(map(_BOUND.search, re.split(r", (?=ADD )", statement[added.end() :])))


def _changed_last(migrations: Sequence[str]) -> int:
    """The number of the last migration that did more than add: who knows that one works with all that follow."""
    changing = (n for n, template in enumerate(migrations, 1) if not all(map(_only_adds, _statements(template))))
    return max(changing, default=0)
