"""Read models folded aside: as they were at a position of the log, for those who ask as of it.

Their tables stand beside the live ones, and their names end in ``aside(position)``; a ``Where`` with ``as_of`` reads
them by any query. They are folded from the first fact, as a rebuild does, all that are asked for by reading the log
once, and kept while somebody asks for them. How far each is, and when it was last asked for, stands in
``ledger_projections``, under its name and the position.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NamedTuple

import psycopg
from psycopg import AsyncConnection, Connection, Cursor
from psycopg.sql import Identifier

from ledger.engine.registry import Registry
from ledger.engine.statements import in_schema
from ledger.nouns import NOUNS
from projections.machine.database import open_connection
from projections.machine.projection import Projection
from projections.machine.rebuilding import BUILT_FACTS
from projections.machine.streams import Streams
from projections.machine.tables import Written

MOST_ASIDE = 4
"""Positions of one tenant at which read models are kept aside; another one takes the place of that asked for longest
ago."""
KEPT_SECONDS = 3600
"""How long they are kept after they were last asked for."""
_LEASE_SECONDS = 30
"""Who folds and shows no progress for so long is taken to be dead."""
_USED_SECONDS = 10
"""What was asked for since is not given up for another."""

_IS_FOLDED = f"""(p.builder IS NOT NULL AND p.builder_seen_at >= pg_postmaster_start_time()
    AND p.builder_seen_at > now() - make_interval(secs => {_LEASE_SECONDS}))"""
_STANDS = f"""
    WITH used AS (
        UPDATE {{schema}}.ledger_projections SET requested_at = now()
        WHERE name = ANY(%(names)s) AND result = 'aside' AND requested_at < now() - interval '1 second'
    )
    SELECT wanted.name, result IS NOT DISTINCT FROM 'aside', coalesce({_IS_FOLDED}, false), coalesce(progress, 0)
    FROM unnest(%(names)s::text[], %(shapes)s::int4[]) AS wanted (name, shape)
    LEFT JOIN {{schema}}.ledger_projections AS p ON p.name = wanted.name AND p.shape = wanted.shape
"""  # noqa: S608
_CLAIM = f"""
    INSERT INTO {{schema}}.ledger_projections AS p (name, shape, builder, builder_seen_at, progress, requested_at)
    VALUES (%(name)s, %(shape)s, %(token)s, now(), 0, now())
    ON CONFLICT (name) DO UPDATE
    SET shape = excluded.shape, builder = excluded.builder, builder_seen_at = now(), progress = 0, result = NULL
    WHERE p.shape <> excluded.shape OR p.result IS DISTINCT FROM 'aside' AND NOT {_IS_FOLDED}
    RETURNING name
"""  # noqa: S608
_GO_ON = """
    UPDATE {schema}.ledger_projections SET builder_seen_at = now(), progress = %s WHERE name = ANY(%s) AND builder = %s
"""
_READY = """
    UPDATE {schema}.ledger_projections SET builder = NULL, result = 'aside', requested_at = now(), progress = %s
    WHERE name = ANY(%s) AND builder = %s
"""
# The rows stay for as long as their tables.
_LET_GO = "UPDATE {schema}.ledger_projections SET builder = NULL, progress = 0 WHERE builder = %s AND name LIKE '%%@%%'"
_KEPT = f"""
    SELECT split_part(name, '@', 2)::bigint AS position,
        max(requested_at) < now() - make_interval(secs => {KEPT_SECONDS}) AS is_over,
        max(requested_at) > now() - make_interval(secs => {_USED_SECONDS}) OR bool_or(builder IS NOT NULL) AS is_used
    FROM {{schema}}.ledger_projections WHERE name LIKE '%@%' GROUP BY 1 ORDER BY max(requested_at) DESC
"""  # noqa: S608
_FORGET = "DELETE FROM {schema}.ledger_projections WHERE name LIKE '%%@' || %s::text"
_TABLES = """
    SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'p')
        AND split_part(relname, '@', 2) = %s
"""
_DROP = "DROP TABLE IF EXISTS {table}"


class Aside(NamedTuple):
    """How far a read model is that is folded aside."""

    name: str
    is_ready: bool
    is_folded: bool
    """Whether somebody is at it now."""
    progress: int


def aside(position: int) -> str:
    """What the names of the tables end in that hold what was true at a position."""
    return f"@{position}"


def _names(projections: Iterable[Projection], position: int) -> list[str]:
    return [each.name + aside(position) for each in projections]


async def standing(
    connection: AsyncConnection[Any], schema: str, projections: Sequence[Projection], position: int
) -> list[Aside]:
    """How far each of them is; that they are asked for is noted."""
    values = {"names": _names(projections, position), "shapes": [each.shape for each in projections]}
    cursor = await connection.execute(in_schema(_STANDS, schema), values)
    return [Aside(name.partition("@")[0], *more) for name, *more in await cursor.fetchall()]


async def let_go(connection: AsyncConnection[Any], schema: str, token: str) -> None:
    """Lets others fold what a process began that has ended."""
    await connection.execute(in_schema(_LET_GO, schema), (token,))


def drop_old(conninfo: str, schema: str) -> int:
    """Drops what was not asked for in a while; returns how many positions stay."""
    with open_connection(conninfo) as connection:
        return _make_room(connection, schema, MOST_ASIDE)


def _make_room(connection: Connection[Any], schema: str, most: int) -> int:
    """Drops what is too old or too much."""
    kept = 0
    for position, is_over, is_used in connection.execute(in_schema(_KEPT, schema)).fetchall():
        if not is_over and (kept < most or is_used):
            kept += 1
            continue
        try:
            with connection.transaction():
                connection.execute(in_schema(_FORGET, schema), (position,))
                for (name,) in connection.execute(_TABLES, (f'"{schema}"', str(position))).fetchall():
                    connection.execute(in_schema(_DROP, schema, table=Identifier(schema, name)))
        except psycopg.errors.LockNotAvailable:
            kept += 1  # somebody reads it
    return kept


def fold_aside(conninfo: str, schema: str, projections: Sequence[Projection], position: int, token: str) -> None:
    """Folds those that nobody has folded or folds up to the position; the token says who does."""
    with open_connection(conninfo) as connection:
        _make_room(connection, schema, MOST_ASIDE - 1)
        wanted = [each for each in projections if _claimed(connection, schema, each, position, token)]
        if not wanted:
            return
        _make(connection, schema, wanted, aside(position))
        with open_connection(conninfo) as writing, suppress(_TakenOver):
            rows = _AsideRows(writing, schema, _names(wanted, position), position, token)
            _fold(connection, schema, wanted, rows)
            rows.finish()


def _fold(connection: Connection[Any], schema: str, projections: Sequence[Projection], rows: _AsideRows) -> None:
    """Reads the log once; a page is written while the next is folded."""
    streams, before = Streams(schema, 0, Registry(NOUNS)), None
    with ThreadPoolExecutor(1) as writer:
        while page := streams.read(connection, BUILT_FACTS, up_to=rows.position):
            written = [change for each in projections for change in each.changes(page)]
            if before is not None:
                before.result()
            before = writer.submit(rows.write, written, page.position)
        if before is not None:
            before.result()


class _AsideRows:
    """The tables that one process folds."""

    def __init__(
        self, connection: Connection[Any], schema: str, names: Sequence[str], position: int, token: str
    ) -> None:
        self.position = position
        self._connection, self._schema, self._names, self._token = connection, schema, list(names), token

    def write(self, changes: Iterable[Written], position: int) -> None:
        """What a page changes; raises _TakenOver once another process has begun to fold them."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            self._go_on(cursor, _GO_ON, position)
            for each in changes:
                each.write(cursor, self._schema, aside(self.position))

    def finish(self) -> None:
        with self._connection.transaction(), self._connection.cursor() as cursor:
            self._go_on(cursor, _READY, self.position)

    def _go_on(self, cursor: Cursor[Any], template: str, position: int) -> None:
        # Nobody else can claim them until the end of the transaction.
        cursor.execute(in_schema(template, self._schema), (position, self._names, self._token))
        if cursor.rowcount != len(self._names):
            raise _TakenOver


class _TakenOver(Exception):
    """Others took this process to be dead."""


def _claimed(connection: Connection[Any], schema: str, projection: Projection, position: int, token: str) -> bool:
    (name,) = _names([projection], position)
    values = {"name": name, "shape": projection.shape, "token": token}
    return connection.execute(in_schema(_CLAIM, schema), values).fetchone() is not None


def _make(connection: Connection[Any], schema: str, projections: Sequence[Projection], suffix: str) -> None:
    """Their tables, empty."""
    with connection.transaction():
        for table in (table for each in projections for table in each.tables):
            connection.execute(in_schema(_DROP, schema, table=Identifier(schema, table.name + suffix)))
            for made in table.create(schema, suffix):
                connection.execute(made)
