"""Which messages there are, and what became of each."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from ledger.nouns.messages import Audience, UnknownMessage
from projections.machine.changes import Listed, Positioned
from projections.machine.reads import LAST, Answer, PageOf, Where, rows_now, snapshot
from projections.outbox.rows import OUTBOX, MessageState, OutboxMessage

_STATE = "CASE WHEN state = 'due' AND caused_at <= %(fresh)s THEN 'too_old' ELSE state END AS state"
_COLUMNS = ", ".join(_STATE if name == "state" else name for name in OutboxMessage._fields)
_ONE = "SELECT {columns} FROM {outbox_messages} WHERE message_id = %(message_id)s"
_OF_ORDER = """
    SELECT * FROM (
        SELECT {columns} FROM {outbox_messages} WHERE order_id = %(order_id)s
            AND (caused_at, message_id) < (%(before_at)s, %(before_id)s) AND {changed}
    ) AS found
    WHERE state = ANY(%(states)s) AND (%(audience)s = '' OR audience = %(audience)s)
    ORDER BY caused_at DESC, message_id DESC LIMIT %(limit)s
"""
_OF_MAIL = """
    SELECT {columns} FROM {outbox_messages} WHERE mail_id = %(mail_id)s
        AND state = ANY(%(states)s) AND (%(audience)s = '' OR audience = %(audience)s)
        AND (%(order_id)s = '' OR order_id = %(order_id)s)
        AND (caused_at, message_id) < (%(before_at)s, %(before_id)s) AND {changed}
    ORDER BY caused_at DESC, message_id DESC LIMIT %(limit)s
"""
_IN_STATES = """
    SELECT found.* FROM unnest(%(states)s::text[]) AS wanted (state) CROSS JOIN LATERAL (
        SELECT {columns} FROM {outbox_messages} AS m
        WHERE m.state = CASE wanted.state WHEN 'too_old' THEN 'due' ELSE wanted.state END
            AND (m.caused_at, m.message_id) < (%(before_at)s, %(before_id)s)
            AND (wanted.state <> 'due' OR m.caused_at > %(fresh)s)
            AND (wanted.state <> 'too_old' OR m.caused_at <= %(fresh)s)
            AND (%(audience)s = '' OR m.audience = %(audience)s) AND {changed}
        ORDER BY m.caused_at DESC, m.message_id DESC LIMIT %(limit)s
    ) AS found ORDER BY found.caused_at DESC, found.message_id DESC LIMIT %(limit)s
"""


_CHANGED = """
    SELECT message_id AS id, position FROM {outbox_messages} WHERE position > %(after)s AND position <= %(up_to)s
    ORDER BY position FETCH FIRST (%(size)s) ROWS WITH TIES
"""
_OF_ORDERS = "SELECT message_id FROM {outbox_messages} WHERE order_id = ANY(%(order_ids)s)"
_LETTERS = """
    SELECT DISTINCT channel, reference FROM {outbox_messages}
    WHERE order_id = ANY(%(order_ids)s) AND sent_at IS NOT NULL
"""


def _with_columns(query: str) -> str:
    return query.replace("{columns}", _COLUMNS)


async def messages_of(connection: AsyncConnection[Any], schema: str, order_ids: Iterable[str]) -> list[str]:
    """The ids of all messages about some orders, as far as is known now."""
    found = await rows_now(connection, schema, _OF_ORDERS, {"order_ids": list(order_ids)}, OUTBOX)
    return [row[0] for row in found]


async def letters_of(connection: AsyncConnection[Any], schema: str, order_ids: Iterable[str]) -> list[tuple[str, str]]:
    """By which channel each letter about some orders went, and what it is known by there."""
    return await rows_now(connection, schema, _LETTERS, {"order_ids": list(order_ids)}, OUTBOX)


async def get_message(where: Where, message_id: str, fresh: datetime) -> Answer[OutboxMessage]:
    """One message; raises UnknownMessage. What happened before ``fresh`` and was not asked for is too old."""
    async with snapshot(where, OUTBOX) as at:
        found = await at.each(_with_columns(_ONE), {"message_id": message_id, "fresh": fresh}, OutboxMessage)
        if not found:
            raise UnknownMessage(message_id)
        return Answer(found, at.position)


_LISTED = Listed(
    query=_IN_STATES,
    make=OutboxMessage,
    key=lambda row: (row.caused_at, row.message_id),
    subject=Positioned(_CHANGED, "message_id"),
    of=lambda row: row.message_id,
)


async def list_messages(
    where: Where,
    page: PageOf,
    fresh: datetime,
    states: Iterable[MessageState] = (),
    order_id: str = "",
    audience: Audience | None = None,
    mail_id: str = "",
) -> Answer[OutboxMessage]:
    """Messages in these states or any, of an order, a mail or all, to an audience or all, the newest first."""
    before_at, before_id = page.after(tuple[datetime, str]) or (LAST, "")
    parameters = {
        "fresh": fresh,
        "states": [state.value for state in states or MessageState],
        "order_id": order_id,
        "mail_id": mail_id,
        "audience": audience.value if audience else "",
        "before_at": before_at,
        "before_id": before_id,
        "limit": page.limit,
    }
    async with snapshot(where, OUTBOX) as at:
        query = _OF_MAIL if mail_id else _OF_ORDER if order_id else _IN_STATES
        return await _LISTED._replace(query=_with_columns(query)).page(at, page, parameters)
