"""Where each tenant stands: its log, its read models, what waits to be sent or worked on, clocks that are late.

It is looked at now and then and remembered, so that nobody makes the database work by asking for the figures.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from psycopg import AsyncConnection

from adapters.database.replica import Lag
from adapters.edges.inbox import Inbox
from adapters.every_tenant import EveryTenant
from adapters.messages.letters import Letters
from adapters.tenants import Tenants
from ledger.engine.statements import in_schema
from ledger.nouns.policies import policy_at
from projections import PROJECTIONS, obligations, outbox, stock_levels
from projections.machine.status import ProjectionStatus, statuses

log = logging.getLogger("fulfilment.metrics")

LOOK_SECONDS = 5.0
"""How often a tenant that is awake is looked at."""
_REST = timedelta(minutes=30)
"""After which one at rest is looked at: a clock that nobody runs is late without anything being written."""
MOST_LATE = 500
"""Clocks are counted up to so many."""
MOST_TENANTS = 50
"""So many tenants have figures of their own."""
OTHERS = "(others)"
"""The name under which all other tenants are added up; no tenant can have it."""

_AGES = """
    SELECT wanted.position, extract(epoch FROM clock_timestamp() - (
        SELECT recorded_at FROM {schema}.ledger_events WHERE notification_id > wanted.position
        ORDER BY notification_id LIMIT 1
    ))
    FROM unnest(%s::bigint[]) AS wanted (position)
"""


class ReadModel(NamedTuple):
    """A read model of a tenant."""

    lag: int
    """In facts."""
    lag_seconds: float
    """Since when the oldest fact that it lacks is recorded."""
    stands: bool
    """Whether an error keeps it from going on."""


class TenantStanding(NamedTuple):
    """Where a tenant stands, or several together."""

    position: int = 0
    models: Mapping[str, ReadModel] = {}
    messages: Mapping[str, int] = {}
    """Those that are not sent yet, by their state."""
    inbox: Mapping[str, int] = {}
    """Deliveries of foreign systems that are open, by their state."""
    late: int = 0
    """What has run out and was not noticed."""
    late_seconds: float = 0.0
    """For how long the first of it."""
    copy: Lag | None = None
    """How far its copy on the replica is behind, if there is one and it answers."""

    def and_that(self, other: TenantStanding) -> TenantStanding:
        """Both together: counts are added up, and of what is a time the longer counts."""
        return TenantStanding(
            position=self.position + other.position,
            models={
                name: _both(self.models.get(name), other.models.get(name)) for name in {**self.models, **other.models}
            },
            messages=_sum(self.messages, other.messages),
            inbox=_sum(self.inbox, other.inbox),
            late=self.late + other.late,
            late_seconds=max(self.late_seconds, other.late_seconds),
            copy=_further(self.copy, other.copy),
        )


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


def _further(one: Lag | None, other: Lag | None) -> Lag | None:
    if one is None or other is None:
        return one or other
    return Lag(one.facts + other.facts, max(one.seconds, other.seconds))


def _both(one: ReadModel | None, other: ReadModel | None) -> ReadModel:
    one, other = one or other, other or one
    assert one is not None
    assert other is not None
    if one is other:
        return one
    return ReadModel(one.lag + other.lag, max(one.lag_seconds, other.lag_seconds), one.stands or other.stands)


def in_few(standings: Iterable[tuple[str, TenantStanding]]) -> dict[str, TenantStanding]:
    """By name; from a number on all others are one."""
    found: dict[str, TenantStanding] = {}
    for number, (name, standing) in enumerate(standings):
        if number < MOST_TENANTS:
            found[name] = standing
        else:
            found[OTHERS] = found.get(OTHERS, TenantStanding()).and_that(standing)
    return found


class Standings:
    """Of all tenants, as they were when they were last looked at."""

    def __init__(self, tenants: Tenants) -> None:
        self._tenants = tenants
        self.by_tenant: dict[str, TenantStanding] = {}

    async def run(self) -> None:
        """Looks until it is cancelled."""
        await EveryTenant(self._tenants.control, log, self._look_at, LOOK_SECONDS).run()

    async def _look_at(self, name: str) -> timedelta:
        self.by_tenant[name] = standing = await standing_of(self._tenants, name)
        rests = not (standing.late or any(each.lag or each.stands for each in standing.models.values()))
        return _REST if rests else timedelta(seconds=LOOK_SECONDS)


async def standing_of(tenants: Tenants, name: str) -> TenantStanding:
    """Where a tenant stands now."""
    log, now = await tenants.log_of(name), datetime.now(UTC)
    found = await statuses(tenants.pool, log.schema, PROJECTIONS)
    fresh = now - timedelta(hours=policy_at(await Letters.policies(log), now).message_age_hours)
    async with tenants.pool.connection() as connection:
        models = await _models(connection, log.schema, found)
        messages = await outbox.backlog(connection, log.schema, fresh)
        late = await obligations.due(connection, log.schema, now, MOST_LATE)
        late += await stock_levels.due(connection, log.schema, now, MOST_LATE)
    longest = max(((now - each.due).total_seconds() for each in late), default=0.0)
    waiting = {"waiting": 0, "early": 0, "failed": 0, **await Inbox(name, log.schema, tenants.pool).open_counts()}
    return TenantStanding(found[0].head if found else 0, models, messages._asdict(), waiting, len(late), longest)


async def _models(
    connection: AsyncConnection[Any], schema: str, found: Sequence[ProjectionStatus]
) -> dict[str, ReadModel]:
    behind = sorted({each.position for each in found if each.lag})
    ages: dict[int, Any] = {}
    if behind:
        cursor = await connection.execute(in_schema(_AGES, schema), (behind,))
        ages = dict(await cursor.fetchall())
    return {
        each.name: ReadModel(each.lag, float(ages.get(each.position) or 0.0), each.error is not None) for each in found
    }
