"""The inbox of a tenant: what foreign systems told, sealed, each thing once, until it is worked on.

Several deliveries that come at the same moment are kept in one transaction. Nobody is answered before its commit.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import blake2b
from typing import Any, cast

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from adapters.edges.inbox_rows import OTHER_CONTENT, Arrival, InboxCount, InboxRow, Workable, WorkedOn
from adapters.edges.reading import believed
from adapters.edges.wakeups import WAKE_FOR_THOSE_KEPT, EdgeWork, wake
from adapters.tenants import Tenant
from ledger.engine.statements import in_schema

KEPT_FOR = timedelta(days=30)
"""How long a body is kept, for support and to replay; longer than any system repeats a delivery."""
_NONCE_BYTES = 12

_COLUMNS = (
    "reception_id, connection, topic, object_id, happened_at, whole, asked, received_at, state, attempts, next_at, "
    "reason, about"
)
# One statement, so one way to the database and back: of the deliveries that wait for it, most wait for the way.
_KEEP = """
    WITH kept AS (
        INSERT INTO {ledger_inbox} (reception_id, connection, source_id, content, topic, object_id, happened_at, whole,
            asked, box, received_at, next_at)
        SELECT a.*, now(), now() FROM unnest(%(c0)s::text[], %(c1)s::text[], %(c2)s::text[], %(c3)b::bytea[],
            %(c4)s::text[], %(c5)s::text[], %(c6)s::timestamptz[], %(c7)s::boolean[], %(c8)s::boolean[],
            %(c9)b::bytea[]) AS a
        ON CONFLICT DO NOTHING RETURNING reception_id
    ), woken AS ({wake})
    SELECT reception_id FROM kept
"""
_KEEP_OTHERS = """
    WITH kept AS (
        INSERT INTO {ledger_inbox} (reception_id, connection, content, topic, object_id, happened_at, whole, asked, box,
            received_at, next_at, reason)
        SELECT id, name, content, topic, about, happened_at, whole, asked, box, now(), now(), %(reason)s
        FROM unnest(%(c0)s::text[], %(c1)s::text[], %(c2)s::text[], %(c3)b::bytea[], %(c4)s::text[], %(c5)s::text[],
            %(c6)s::timestamptz[], %(c7)s::boolean[], %(c8)s::boolean[], %(c9)b::bytea[])
            AS a (id, name, source, content, topic, about, happened_at, whole, asked, box)
        WHERE EXISTS (SELECT FROM {ledger_inbox} AS i WHERE i.connection = a.name AND i.source_id = a.source)
        ON CONFLICT DO NOTHING RETURNING reception_id
    ), woken AS ({wake})
    SELECT reception_id FROM kept
"""
_DUE = """
    SELECT due.*, (
        SELECT newer.about FROM {ledger_inbox} AS newer WHERE newer.connection = due.connection
            AND newer.object_id = due.object_id AND newer.whole AND due.whole AND newer.state = 'done'
            AND newer.happened_at > due.happened_at LIMIT 1
    ) FROM (
        SELECT {columns}, box FROM {ledger_inbox} WHERE next_at <= now() AND {worked}
        ORDER BY coalesce(happened_at, received_at), received_at, reception_id LIMIT %(most)s
    ) AS due ORDER BY coalesce(happened_at, received_at), received_at, reception_id
"""
_NEXT = "SELECT min(next_at) FROM {ledger_inbox} WHERE next_at IS NOT NULL AND {worked}"
# Of a paused connection a few topics alone.
_WORKED = """
    (connection = ANY(%(connections)s) OR (connection, topic) IN (
        SELECT * FROM unnest(%(paused)s::text[], %(topics)s::text[])
    ))
"""
_LAST_DONE = """
    SELECT {columns}, box FROM {ledger_inbox} WHERE connection = %(connection)s AND object_id = %(object_id)s AND whole
        AND state = 'done' AND reception_id <> %(reception_id)s ORDER BY happened_at DESC, received_at DESC LIMIT 1
"""
# What waited for an object of which something is done is asked again at once.
_END = """
    WITH ended AS (
        UPDATE {ledger_inbox} AS i SET state = a.state, reason = a.reason, attempts = a.attempts, next_at = a.next_at,
            about = a.about, unknown_words = a.unknown_words
        FROM jsonb_to_recordset(%(ended)s::jsonb) AS a (reception_id text, seen int, attempts int, state text,
            reason text, next_at timestamptz, about text[], unknown_words text[])
        WHERE i.reception_id = a.reception_id AND i.attempts = a.seen AND i.next_at IS NOT NULL
        RETURNING i.connection, i.object_id, i.state
    )
    UPDATE {ledger_inbox} AS early SET next_at = now() FROM ended
    WHERE ended.state = 'done' AND early.connection = ended.connection AND early.object_id = ended.object_id
        AND early.state = 'early' AND early.next_at IS NOT NULL AND early.reception_id <> ALL(%(ids)s)
"""
_WAS_ASKED_SINCE = """
    SELECT true FROM {ledger_inbox} WHERE connection = %(connection)s AND object_id = %(object_id)s AND asked
        AND received_at > %(received_at)s LIMIT 1
"""
_REPLAY = """
    UPDATE {ledger_inbox} SET state = 'waiting', next_at = now(), attempts = attempts + 1
    WHERE reception_id = %(reception_id)s AND state = 'failed' AND box IS NOT NULL
"""
_DROP = """
    UPDATE {ledger_inbox} SET state = 'dropped', next_at = NULL
    WHERE reception_id = %(reception_id)s AND state = 'failed'
"""
_ABOUT = "SELECT reception_id FROM {ledger_inbox} WHERE about && %(about)s ORDER BY received_at, reception_id"
_FORGET = "UPDATE {ledger_inbox} SET box = NULL WHERE about && %(about)s AND box IS NOT NULL"
_FORGET_ALL = "UPDATE {ledger_inbox} SET box = NULL WHERE connection = %(connection)s AND box IS NOT NULL"
_EXPIRE = "DELETE FROM {ledger_inbox} WHERE received_at < now() - %(kept_for)s AND next_at IS NULL"
_ABANDON = """
    UPDATE {ledger_inbox} SET next_at = NULL, box = NULL, state = 'dropped', reason = 'its connection was removed'
    WHERE NOT connection = ANY(%(connections)s) AND next_at IS NOT NULL
"""
_COUNT = """
    SELECT connection, count(*) FILTER (WHERE state = 'waiting') AS waiting,
        count(*) FILTER (WHERE state = 'early') AS early, count(*) FILTER (WHERE state = 'failed') AS failed,
        max(received_at) AS received_at
    FROM {ledger_inbox} GROUP BY connection
"""
# Of what is open alone: the rest is all that came within a month.
_COUNT_OPEN = """
    SELECT state, count(*) FROM {ledger_inbox} WHERE next_at IS NOT NULL OR state = 'failed' GROUP BY state
"""
_UNKNOWN_WORDS = """
    SELECT connection, word, count(*) FROM {ledger_inbox}, unnest(unknown_words) AS word WHERE unknown_words <> '{{}}'
    GROUP BY connection, word ORDER BY connection, count(*) DESC, word
"""
_LIST = """
    SELECT {columns}, box FROM {ledger_inbox}
    WHERE (%(connection)s = '' OR connection = %(connection)s)
        AND (%(states)s::text[] = '{{}}' OR state = ANY(%(states)s))
        AND (%(before)s::timestamptz IS NULL OR (received_at, reception_id) < (%(before)s, %(before_id)s))
    ORDER BY received_at DESC, reception_id DESC LIMIT %(most)s
"""
_GET = "SELECT {columns}, box FROM {ledger_inbox} WHERE reception_id = %(reception_id)s"


class Inbox:
    """What one tenant received."""

    def __init__(self, tenant: str, schema: str, pool: AsyncConnectionPool[Any]) -> None:
        self._tenant = tenant
        self._schema = schema
        self._pool = pool

    @classmethod
    def of(cls, tenant: Tenant) -> Inbox:
        return cls(tenant.name, tenant.schema, tenant.log.pool)

    # --- keeping ---

    async def keep(self, arrivals: Sequence[Arrival]) -> list[bool]:
        """Which of these are new. All are kept for good when this returns."""
        rows = [self._row(each) for each in arrivals]
        async with self._pool.connection() as connection:
            kept = await self._insert(connection, _KEEP, rows)
            again = zip(rows, arrivals, strict=True)
            if known := [row for row, each in again if each.received.one_content and row[0] not in kept]:
                kept |= await self._insert(connection, _KEEP_OTHERS, known)
        return [row[0] in kept for row in rows]

    async def _insert(
        self, connection: AsyncConnection[Any], template: str, rows: Sequence[tuple[Any, ...]]
    ) -> set[str]:
        """The ids of those that were not there."""
        columns = {f"c{number}": list(column) for number, column in enumerate(zip(*rows, strict=True))}
        values = {**columns, "tenant": self._tenant, "what": EdgeWork.INBOX, "reason": OTHER_CONTENT}
        return {row[0] for row in await (await connection.execute(self._sql(template), values)).fetchall()}

    def _row(self, arrival: Arrival) -> tuple[Any, ...]:
        (_, account, box_key, *_), received = arrival.connected, arrival.received
        happened_at = received.happened_at and believed(received.happened_at, datetime.now(UTC))
        # In the order of time, so that rows of one moment lie together in the index.
        reception_id = f"{time.time_ns() // 1000:014x}{os.urandom(6).hex()}"
        # By a key of the connection: one that is added anew under its name knows nothing of what came before.
        content = blake2b(received.content or arrival.raw, key=box_key, digest_size=20).digest()
        source = blake2b(received.source_id.encode("utf-8", "replace"), key=box_key, digest_size=20).hexdigest()
        box = self._sealed(reception_id, box_key, arrival.raw)
        return (
            *(reception_id, account.name, source if received.source_id else None, content),
            *(received.topic, received.object_id),
            *(happened_at, received.whole, arrival.asked, box),
        )

    def _sealed(self, reception_id: str, box_key: bytes, raw: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(box_key).encrypt(nonce, raw, self._place(reception_id))

    def opened(self, row: InboxRow, box_key: bytes) -> bytes | None:
        """The body; None where it was erased, or is of a connection of before."""
        if row.box is None:
            return None
        box = bytes(row.box)
        try:
            return AESGCM(box_key).decrypt(box[:_NONCE_BYTES], box[_NONCE_BYTES:], self._place(row.reception_id))
        except InvalidTag:
            return None

    def _place(self, reception_id: str) -> bytes:
        return f"inbox {self._schema} {reception_id}".encode()

    # --- working ---

    async def due(self, workable: Workable, most: int) -> list[InboxRow]:
        """What is to be worked on now, in the systems' own order."""
        return await self._rows(_DUE, **workable.parameters, most=most)

    async def next_at(self, workable: Workable) -> datetime | None:
        """When something is next to be worked on."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(self._sql(_NEXT), workable.parameters)
            return cast("datetime | None", (await cursor.fetchall())[0][0])

    async def last_done(self, row: InboxRow) -> InboxRow | None:
        """The newest whole state of the same object that was worked on."""
        values = {"connection": row.connection, "object_id": row.object_id, "reception_id": row.reception_id}
        return next(iter(await self._rows(_LAST_DONE, **values)), None)

    async def was_asked_since(self, row: InboxRow) -> bool:
        """Whether the system was asked about the same object since this came, so that it tells nothing new."""
        values = {"connection": row.connection, "object_id": row.object_id, "received_at": row.received_at}
        async with self._pool.connection() as connection:
            return await (await connection.execute(self._sql(_WAS_ASKED_SINCE), values)).fetchone() is not None

    async def end(self, all_ended: Sequence[tuple[InboxRow, WorkedOn]]) -> Sequence[None]:
        """Writes down what came of each, unless somebody else did."""
        values = [
            {
                "reception_id": row.reception_id,
                "seen": row.attempts,
                "attempts": row.attempts + (1 if ended.is_attempt else 0),
                "state": ended.state,
                "reason": ended.reason[:500].replace("\0", ""),
                "about": list(ended.about),
                "unknown_words": list(ended.unknown_words),
                "next_at": ended.next_at,
            }
            for row, ended in all_ended
        ]
        ids = [row.reception_id for row, _ in all_ended]
        async with self._pool.connection() as connection:
            await connection.execute(self._sql(_END), {"ended": msgspec.json.encode(values).decode(), "ids": ids})
        return [None] * len(ids)

    async def expire(self, connections: Iterable[str]) -> None:
        """Deletes what was kept long enough, and gives up what waits of other connections than there are."""
        async with self._pool.connection() as connection:
            await connection.execute(self._sql(_EXPIRE), {"kept_for": KEPT_FOR})
            await connection.execute(self._sql(_ABANDON), {"connections": list(connections)})

    # --- what people do ---

    async def replay(self, reception_id: str) -> None:
        """What failed is to be worked on again."""
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(self._sql(_REPLAY), {"reception_id": reception_id})
            await wake(connection, self._tenant, EdgeWork.INBOX)

    async def drop(self, reception_id: str) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(self._sql(_DROP), {"reception_id": reception_id})

    async def forget(self, about: Iterable[str]) -> None:
        """Erases the bodies that became news of these orders."""
        async with self._pool.connection() as connection:
            await connection.execute(self._sql(_FORGET), {"about": list(about)})

    async def forget_all(self, name: str) -> None:
        """Erases all bodies of a connection."""
        async with self._pool.connection() as connection:
            await connection.execute(self._sql(_FORGET_ALL), {"connection": name})

    async def counts(self) -> dict[str, InboxCount]:
        """By connection."""
        async with self._pool.connection() as connection:
            found = await (await connection.execute(self._sql(_COUNT))).fetchall()
        return {row[0]: InboxCount._make(row) for row in found}

    async def open_counts(self) -> dict[str, int]:
        """How many wait, are early or failed, by state."""
        async with self._pool.connection() as connection:
            return dict(await (await connection.execute(self._sql(_COUNT_OPEN))).fetchall())

    async def unknown_words(self) -> dict[str, list[tuple[str, int]]]:
        """By connection: words of its system without a meaning, and how many deliveries had each; the most first."""
        async with self._pool.connection() as connection:
            found = await (await connection.execute(self._sql(_UNKNOWN_WORDS))).fetchall()
        answer: dict[str, list[tuple[str, int]]] = {}
        for name, word, count in found:
            answer.setdefault(name, []).append((word, count))
        return answer

    async def listed(
        self, connection: str, states: Sequence[str], before: tuple[datetime, str] | None, most: int
    ) -> list[InboxRow]:
        """The newest first."""
        at, before_id = before or (None, "")
        return await self._rows(
            _LIST, connection=connection, states=list(states), before=at, before_id=before_id, most=most
        )

    async def about(self, order_ids: Iterable[str]) -> list[str]:
        """The ids of what became news of these orders, the first first."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(self._sql(_ABOUT), {"about": list(order_ids)})
            return [row[0] for row in await cursor.fetchall()]

    async def get(self, reception_id: str) -> InboxRow | None:
        return next(iter(await self._rows(_GET, reception_id=reception_id)), None)

    async def _rows(self, template: str, **values: Any) -> list[InboxRow]:
        async with self._pool.connection() as connection:
            return [InboxRow(*row) for row in await (await connection.execute(self._sql(template), values)).fetchall()]

    def _sql(self, template: str) -> bytes:
        return in_schema(_whole(template), self._schema)


@cache
def _whole(template: str) -> str:
    """A statement with what it shares with others."""
    for name, part in {"{columns}": _COLUMNS, "{worked}": _WORKED, "{wake}": WAKE_FOR_THOSE_KEPT}.items():
        template = template.replace(name, part)
    return template
