"""What are foreign systems told, what waits to be told, what could not be, and which SKUs does a channel sell?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from psycopg import AsyncConnection

from ledger.nouns import effects, orders
from ledger.nouns.effects import EffectEnding, EffectSubject, ToldSubject, UnknownEffect
from ledger.nouns.orders import OrderAmended, OrderPlaced
from ledger.terms.effects import Effect
from projections.machine.changes import Listed, ListedStreams
from projections.machine.projection import From, FromPages, projection
from projections.machine.reads import LAST, Answer, PageOf, Where, rows_now, snapshot
from projections.machine.rows import Int4, Text
from projections.machine.streams import Page
from projections.machine.tables import AddedRows, Written, table

# --- tables ---------------------------------------------------------------------------------------


class EffectState(StrEnum):
    """How far telling is."""

    WAITING = "waiting"
    FAILED = "failed"
    """Somebody has to look."""
    TOLD = "told"
    DROPPED = "dropped"


class ListedEffect(NamedTuple):
    """What a connection is told of one thing."""

    effect_id: str
    connection: str
    added_at: datetime
    subject: EffectSubject
    object_id: str
    state: EffectState
    asked_at: datetime
    again_at: datetime | None
    attempts: Int4
    why: Text
    said: tuple[Effect, ...]
    """What the system knows of it."""
    reference: Text
    """What the system calls the last that it was told."""
    note: Text
    told_at: datetime | None


class SoldSku(NamedTuple):
    """A SKU that orders of a channel named."""

    channel: str
    sku: str


EFFECTS_TOLD = table(
    "effects",
    ListedEffect,
    1,
    "(connection, subject, asked_at) WHERE state = 'waiting'",
    "(asked_at, effect_id) WHERE state = 'failed'",
    "(asked_at, effect_id)",
)
SOLD_SKUS = table("sold_skus", SoldSku, 2)

# --- what is kept ---------------------------------------------------------------------------------


def _row(told: ToldSubject) -> list[ListedEffect]:
    asked, last = told.asked, max(told.parts.values(), key=lambda part: part.at, default=None)
    row = ListedEffect(
        effect_id=asked.effect_id,
        connection=asked.connection,
        added_at=asked.added_at,
        subject=asked.subject,
        object_id=asked.object_id,
        state=_state(told),
        asked_at=asked.at,
        again_at=told.again_at,
        attempts=told.attempts,
        why=told.why,
        said=tuple(part.said for part in told.parts.values()),
        reference=last.reference if last is not None else "",
        note=last.note if last is not None else "",
        told_at=told.told_at,
    )
    return [row]


def _state(told: ToldSubject) -> EffectState:
    if told.waiting:
        return EffectState.FAILED if told.stuck else EffectState.WAITING
    given_up = told.ended is not None and told.ended.how is not EffectEnding.NOTHING
    return EffectState.DROPPED if given_up else EffectState.TOLD


def _sold(page: Page) -> list[Written]:
    found = []
    for _, fact, history in page.facts.get(orders.NOUN.prefix, ()):
        if isinstance(fact, OrderPlaced | OrderAmended):
            channel = history.order.placed.channel
            found += [SoldSku(channel, line.part_of.sku if line.part_of else line.sku) for line in fact.lines]
    return [AddedRows(SOLD_SKUS, (each for each in found if each.sku))]


EFFECTS = projection("effects", 1, From(effects.NOUN, EFFECTS_TOLD, _row), FromPages((SOLD_SKUS,), _sold))

# --- what the edges ask ---------------------------------------------------------------------------

_DUE = """
    SELECT due.effect_id FROM unnest(%(connections)s::text[]) AS wanted (connection) CROSS JOIN LATERAL (
        SELECT effect_id, subject, asked_at FROM {effects} AS e
        WHERE e.connection = wanted.connection AND state = 'waiting' AND coalesce(again_at <= %(now)s, true)
        ORDER BY subject, asked_at LIMIT %(limit)s
    ) AS due
"""
# Orders before numbers and SKUs, whose levels may change again meanwhile.
_NEXT = """
    SELECT min(coalesce(again_at, asked_at)) FROM {effects}
    WHERE state = 'waiting' AND connection = ANY(%(connections)s)
"""
_OF_OTHERS = """
    SELECT effect_id FROM {effects} AS e WHERE state IN ('waiting', 'failed') AND NOT EXISTS (
        SELECT FROM unnest(%(names)s::text[], %(added)s::timestamptz[]) AS there (name, added_at)
        WHERE there.name = e.connection AND there.added_at = e.added_at
    ) LIMIT %(limit)s
"""
_SOLD = "SELECT sku FROM {sold_skus} WHERE channel = %(channel)s AND sku = ANY(%(skus)s)"
_SOME = "SELECT * FROM {effects} WHERE effect_id = ANY(%(effect_ids)s)"
_COUNT = """
    SELECT connection, count(*) FILTER (WHERE state = 'waiting'), count(*) FILTER (WHERE state = 'failed'),
        min(asked_at) FILTER (WHERE state = 'waiting')
    FROM {effects} WHERE state IN ('waiting', 'failed') GROUP BY connection
"""


async def due(
    connection: AsyncConnection[Any], schema: str, connections: Collection[str], now: datetime, limit: int
) -> list[str]:
    """The ids of what is to be told now, so many of each connection, the most urgent first."""
    parameters = {"connections": list(connections), "now": now, "limit": limit}
    return [row[0] for row in await rows_now(connection, schema, _DUE, parameters, EFFECTS)]


async def next_at(connection: AsyncConnection[Any], schema: str, connections: Collection[str]) -> datetime | None:
    """When something is next to be told."""
    found = await rows_now(connection, schema, _NEXT, {"connections": list(connections)}, EFFECTS)
    return found[0][0] if found else None


async def of_others(
    connection: AsyncConnection[Any], schema: str, there: Mapping[str, datetime], limit: int
) -> list[str]:
    """What is still to be told to other connections than these, which are given by their names and ages."""
    parameters = {"names": list(there), "added": list(there.values()), "limit": limit}
    return [row[0] for row in await rows_now(connection, schema, _OF_OTHERS, parameters, EFFECTS)]


async def sold(where: Where, channel: str, skus: Collection[str]) -> set[str]:
    """Those of these SKUs that orders of a channel named."""
    async with snapshot(where, EFFECTS) as at:
        return {row[0] for row in await at.rows(_SOLD, {"channel": channel, "skus": list(skus)})}


async def some(where: Where, effect_ids: Sequence[str]) -> dict[str, ListedEffect]:
    """These effects, as far as there are any, by id."""
    async with snapshot(where, EFFECTS) as at:
        found = await at.each(_SOME, {"effect_ids": list(effect_ids)}, ListedEffect)
        return {each.effect_id: each for each in found}


class EffectCount(NamedTuple):
    """What a connection is still to be told."""

    waiting: int
    failed: int
    oldest_at: datetime | None
    """Since when the oldest waits."""


async def counts(connection: AsyncConnection[Any], schema: str) -> dict[str, EffectCount]:
    """By connection, as far as is known now."""
    return {row[0]: EffectCount(*row[1:]) for row in await rows_now(connection, schema, _COUNT, {}, EFFECTS)}


# --- questions ------------------------------------------------------------------------------------

_LIST = """
    SELECT * FROM {effects}
    WHERE (asked_at, effect_id) < (%(before_at)s, %(before_id)s) AND state = ANY(%(states)s) AND {changed}
        AND (%(connection)s = '' OR connection = %(connection)s)
        AND (%(object_id)s = '' OR object_id = %(object_id)s)
    ORDER BY asked_at DESC, effect_id DESC LIMIT %(limit)s
"""

_LISTED = Listed(
    query=_LIST,
    make=ListedEffect,
    key=lambda row: (row.asked_at, row.effect_id),
    subject=ListedStreams(effects.NOUN, ("effect_id",)),
    of=lambda row: row.effect_id,
)


async def list_effects(
    where: Where, page: PageOf, states: Iterable[EffectState] = (), connection: str = "", object_id: str = ""
) -> Answer[ListedEffect]:
    """What is or was to be told, what was asked for last first."""
    before_at, before_id = page.after(tuple[datetime, str]) or (LAST, "")
    parameters = {
        "states": [state.value for state in states or EffectState],
        "connection": connection,
        "object_id": object_id,
        "before_at": before_at,
        "before_id": before_id,
        "limit": page.limit,
    }
    async with snapshot(where, EFFECTS) as at:
        return await _LISTED.page(at, page, parameters)


async def get_effect(where: Where, effect_id: str) -> Answer[ListedEffect]:
    """One of them; raises UnknownEffect."""
    async with snapshot(where, EFFECTS) as at:
        found = await at.each(_SOME, {"effect_ids": [effect_id]}, ListedEffect)
        if not found:
            raise UnknownEffect(effect_id)
        return Answer(found, at.position)
