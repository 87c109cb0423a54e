"""The status of every projection of a tenant, and requests for rebuilds, for the API process."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from psycopg import AsyncConnection
from psycopg.rows import kwargs_row
from psycopg_pool import AsyncConnectionPool

from ledger.engine.statements import in_schema
from projections.machine.awake import wake
from projections.machine.database import BUILDER_IS_ALIVE
from projections.machine.projection import Projection


class ProjectionStatus(NamedTuple):
    """Where a projection stands."""

    name: str
    position: int
    head: int
    lag: int
    error: str | None
    seen_at: datetime | None
    """When a projector last worked on it; or where it has nothing to do, when one last showed a sign of life."""
    asked_at: datetime
    rebuild: str
    """What was last asked of it and what came of it, in words; empty if nothing."""

    def is_alive(self, seconds: float) -> bool:
        """Whether a projector has worked on it lately, without an error."""
        return (
            self.error is None and self.seen_at is not None and (self.asked_at - self.seen_at).total_seconds() < seconds
        )


_STATUSES = f"""
    WITH head AS (SELECT coalesce(max(notification_id), 0) AS position FROM {{schema}}.ledger_events)
    SELECT wanted.name, coalesce(t.notification_id, 0) AS position, head.position AS head,
        greatest(head.position - coalesce(t.notification_id, 0), 0) AS lag,
        CASE
            WHEN p.shape < wanted.shape
            THEN concat_ws(': ', concat('stands still until it is rebuilt in shape ', wanted.shape), p.result)
            ELSE p.error
        END AS error,
        CASE
            WHEN p.seen_at IS NULL OR p.error IS NOT NULL OR coalesce(t.notification_id, 0) < head.position
            THEN p.seen_at
            ELSE greatest(p.seen_at, (SELECT max(seen_at) FROM fulfilment.projectors))
        END AS seen_at,
        clock_timestamp() AS asked_at,
        concat_ws(': ',
            CASE
                WHEN {BUILDER_IS_ALIVE}
                THEN concat(coalesce(p.requested, 'rebuild'), ' runs, at position ', p.progress, ' of ', head.position)
                WHEN p.requested IS NOT NULL THEN p.requested || ' is asked for'
            END,
            p.result
        ) AS rebuild
    FROM unnest(%(names)s::text[], %(shapes)s::int4[]) WITH ORDINALITY AS wanted (name, shape, number) CROSS JOIN head
        LEFT JOIN {{schema}}.ledger_projections AS p ON p.name = wanted.name
        LEFT JOIN {{schema}}.ledger_tracking AS t ON t.application_name = wanted.name
    ORDER BY wanted.number
"""  # noqa: S608
_ASK = """
    INSERT INTO {schema}.ledger_projections (name, requested, requested_at)
    VALUES (%(name)s, %(what)s, now())
    ON CONFLICT (name) DO UPDATE
    SET requested = excluded.requested, requested_at = excluded.requested_at, result = NULL, finished_at = NULL
"""


_LIVES = "SELECT bool_or(seen_at > now() - make_interval(secs => %s)) FROM fulfilment.projectors"


async def has_projector(connection: AsyncConnection[Any], seconds: float) -> bool:
    """Whether any projector has shown a sign of life for so long."""
    row = await (await connection.execute(_LIVES, (seconds,))).fetchone()
    return row is not None and bool(row[0])


async def statuses(
    pool: AsyncConnectionPool[Any], schema: str, projections: Sequence[Projection]
) -> list[ProjectionStatus]:
    """Where every projection of a tenant stands."""
    query = in_schema(_STATUSES, schema)
    async with pool.connection() as connection, connection.cursor(row_factory=kwargs_row(ProjectionStatus)) as cursor:
        shapes = {each.name: each.shape for each in projections}
        await cursor.execute(query, {"names": list(shapes), "shapes": list(shapes.values())})
        found: list[ProjectionStatus] = await cursor.fetchall()
    return found


async def ask_for_rebuild(
    pool: AsyncConnectionPool[Any], schema: str, projection: Projection, *, verify_only: bool = False
) -> None:
    """Asks the projector for a rebuild or a verification."""
    query = in_schema(_ASK, schema)
    connection: AsyncConnection[Any]
    async with pool.connection() as connection:
        await connection.execute(query, {"name": projection.name, "what": "verify" if verify_only else "rebuild"})
        await wake(connection, schema)
