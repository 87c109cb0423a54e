"""What the sender's task asks: which messages are due, by facts or by time, and which are to be handed over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from psycopg import AsyncConnection

from ledger.decisions.notices import Notice
from ledger.facts import order_of
from ledger.nouns.messages import About, MessageKind
from ledger.nouns.policies import Policy
from ledger.terms.clocks import Clock
from projections.machine.reads import rows_now
from projections.obligations import SLA
from projections.outbox.rows import OUTBOX, MessageState

_decode_about = msgspec.json.Decoder(About).decode
_UNASKED = """
    SELECT message_id, kind, about, caused_at, cause FROM {outbox_messages}
    WHERE state = 'due' AND next_at > %(fresh)s AND next_at <= %(now)s AND message_id <> ALL(%(known)s)
    ORDER BY next_at, message_id LIMIT %(limit)s
"""
_OPEN = """
    WITH wanted AS (
        SELECT found.thread FROM unnest(ARRAY['asked', 'failed']) AS wanted (state) CROSS JOIN LATERAL (
            SELECT thread FROM {outbox_messages} AS m
            WHERE m.state = wanted.state AND m.next_at <= %(now)s AND m.message_id <> ALL(%(known)s)
            ORDER BY m.next_at, m.message_id LIMIT %(limit)s
        ) AS found
        UNION SELECT unnest(%(threads)s::text[])
    )
    SELECT m.message_id, m.kind, m.about, m.caused_at, m.cause
    FROM wanted JOIN {outbox_messages} AS m USING (thread) WHERE m.state IN ('asked', 'failed')
"""
_BY_TIME = """
    SELECT found.* FROM (
        SELECT CASE clock WHEN 'delivery' THEN 'delayed-' WHEN 'first_answer' THEN 'case_due-'
                ELSE 'reminder-' || clock || '-' END
                || object_id || '-' || to_char(due AT TIME ZONE 'UTC', 'YYYYMMDD"T"HH24MISS"Z"') AS message_id,
            object_id, clock, supplier_id, due
        FROM {sla_obligations} AS o
        WHERE state = 'open' AND alarm AND stopped_since IS NULL AND due > %(now)s
            AND (clock IN ('acknowledge', 'dispatch', 'first_answer', 'stock_up_answer') AND due <= %(remind)s
                OR clock = 'answer' AND owner = 'supplier' AND due <= %(remind)s
                OR clock = 'delivery' AND due <= %(notice)s)
    ) AS found
    WHERE message_id <> ALL(%(known)s)
        AND NOT EXISTS (SELECT 1 FROM {outbox_messages} AS m WHERE m.message_id = found.message_id)
    ORDER BY due, message_id LIMIT %(limit)s
"""

_LOOK = f"""
    SELECT coalesce((SELECT notification_id FROM {{ledger_tracking}} WHERE application_name = %(name)s), 0),
        EXISTS ({_UNASKED}) OR EXISTS ({_BY_TIME}) OR EXISTS (
            SELECT FROM {{outbox_messages}} WHERE state = 'asked' AND next_at <= %(now)s
        ) OR EXISTS (
            SELECT FROM {{outbox_messages}} WHERE state = 'failed' AND next_at <= %(now)s
        ),
        EXISTS (SELECT FROM {{outbox_messages}} WHERE state IN ('given_up', 'bounced') AND because = '')
"""  # noqa: S608


class Look(NamedTuple):
    """What there is to do, in one question."""

    position: int = 0
    """To which the read model goes."""
    has_due: bool = False
    has_unreached: bool = False
    """Whether there are messages that reached nobody."""


async def look(connection: AsyncConnection[Any], schema: str, policy: Policy, now: datetime) -> Look:
    """Whether anything is due by facts or by time or is to be handed over."""
    parameters = {**_bounds(policy, now), "name": OUTBOX.name, "known": [], "limit": 1}
    rows = await rows_now(connection, schema, _LOOK, parameters, OUTBOX, SLA)
    return Look(*rows[0]) if rows else Look()


def _bounds(policy: Policy, now: datetime) -> dict[str, datetime]:
    return {
        "now": now,
        "fresh": now - timedelta(hours=policy.message_age_hours),
        "remind": now + timedelta(hours=policy.remind_before_hours),
        "notice": now + timedelta(hours=policy.delay_notice_hours),
    }


async def unasked(
    connection: AsyncConnection[Any], schema: str, policy: Policy, now: datetime, known: Sequence[str], limit: int
) -> list[Notice]:
    """Messages that are due and that nobody has asked for, but for the known ones, the oldest first."""
    parameters = {**_bounds(policy, now), "known": known, "limit": limit}
    rows = await rows_now(connection, schema, _UNASKED, parameters, OUTBOX, SLA)
    return [_notice(*row) for row in rows]


async def due_by_time(
    connection: AsyncConnection[Any], schema: str, policy: Policy, now: datetime, known: Sequence[str], limit: int
) -> list[Notice]:
    """Messages that only time makes due: clocks of suppliers that run out soon, and promised days that are near."""
    parameters = {**_bounds(policy, now), "known": known, "limit": limit}
    rows = await rows_now(connection, schema, _BY_TIME, parameters, OUTBOX, SLA)
    return [_by_time(now, *row) for row in rows]


def _by_time(now: datetime, message_id: str, object_id: str, clock: str, supplier_id: str, due: datetime) -> Notice:
    if clock == Clock.DELIVERY:
        return Notice(message_id, MessageKind.DELAYED, About(object_id, due=due), now)
    if clock == Clock.FIRST_ANSWER:
        return Notice(message_id, MessageKind.CASE_DUE, About(clock=clock, due=due, case_id=object_id), now)
    if clock == Clock.STOCK_UP_ANSWER:
        about = About(supplier_id=supplier_id, clock=clock, due=due, stock_up_id=object_id)
        return Notice(message_id, MessageKind.REMINDER, about, now)
    if clock == Clock.ANSWER:
        about = About(supplier_id=supplier_id, clock=clock, due=due, inquiry_id=object_id)
        return Notice(message_id, MessageKind.REMINDER, about, now)
    about = About(order_of(object_id), object_id, supplier_id, clock=clock, due=due)
    return Notice(message_id, MessageKind.REMINDER, about, now)


async def open_threads(
    connection: AsyncConnection[Any],
    schema: str,
    now: datetime,
    known: Sequence[str],
    threads: Sequence[str],
    limit: int,
) -> list[Notice]:
    """All that is still to be sent of these threads, and of those with a message to hand over now.

    The known messages make no thread due.
    """
    parameters = {"now": now, "known": known, "threads": threads, "limit": limit}
    rows = await rows_now(connection, schema, _OPEN, parameters, OUTBOX, SLA)
    return [_notice(*row) for row in rows]


def _notice(message_id: str, kind: str, about: str, caused_at: datetime, cause: int) -> Notice:
    return Notice(message_id, MessageKind(kind), _decode_about(about), caused_at, cause)


_REACHED_NOBODY = """
    SELECT message_id, kind, about, caused_at, cause FROM {outbox_messages}
    WHERE state IN ('given_up', 'bounced') AND because = '' ORDER BY caused_at DESC, message_id DESC LIMIT %(limit)s
"""


async def reached_nobody(connection: AsyncConnection[Any], schema: str, limit: int) -> list[Notice]:
    """Messages that were given up or came back and are still to be told, the newest first."""
    rows = await rows_now(connection, schema, _REACHED_NOBODY, {"limit": limit}, OUTBOX, SLA)
    return [_notice(*row) for row in rows]


class Mailed(NamedTuple):
    """A message and the mail that it last went out in."""

    message_id: str
    mail_id: str
    state: MessageState


_MAILED = "SELECT message_id, mail_id, state FROM {outbox_messages} WHERE mail_id = ANY(%(mail_ids)s)"


async def mailed(connection: AsyncConnection[Any], schema: str, mail_ids: Sequence[str]) -> list[Mailed]:
    """The messages of these mails."""
    rows = await rows_now(connection, schema, _MAILED, {"mail_ids": mail_ids}, OUTBOX, SLA)
    return [Mailed(message_id, mail_id, MessageState(state)) for message_id, mail_id, state in rows]


class Backlog(NamedTuple):
    """How many messages are still to be sent, and how many will not be tried again automatically."""

    waiting: int
    failed: int
    given_up: int


_BACKLOG = """
    SELECT
        (SELECT count(*) FROM {outbox_messages} WHERE state = 'due' AND next_at > %(fresh)s)
            + (SELECT count(*) FROM {outbox_messages} WHERE state = 'asked'),
        (SELECT count(*) FROM {outbox_messages} WHERE state = 'failed'),
        (SELECT count(*) FROM {outbox_messages} WHERE state IN ('given_up', 'bounced') AND because = '')
"""


async def backlog(connection: AsyncConnection[Any], schema: str, fresh: datetime) -> Backlog:
    """What waits to be sent, what is tried again, what was given up."""
    rows = await rows_now(connection, schema, _BACKLOG, {"fresh": fresh}, OUTBOX, SLA)
    return Backlog(*rows[0]) if rows else Backlog(0, 0, 0)
