"""The log in PostgreSQL.

``Log`` is what the service uses: asynchronous, a whole batch in two round trips. ``recorder`` opens
the same table for the eventsourcing library.

Positions (``notification_id``) are dense and in commit order: whoever appends holds the tenant's
advisory lock and counts on from the last one. A reader that has seen position N has seen all before it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, cast

import msgspec
import psycopg
from psycopg import AsyncConnection
from psycopg.pq.abc import PGresult
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Identifier, Literal
from psycopg_pool import AsyncConnectionPool

from ledger.engine.fingerprints import is_marked
from ledger.engine.sealing import KeyRow, StoredKey
from ledger.engine.trouble import in_short, is_trouble
from ledger.engine.turns import in_turns
from ledger.engine.wire import SqlStatement, pipeline
from ledger.refusals import StorageUnavailable

_logger = logging.getLogger("fulfilment.ledger")

EVENTS_TABLE = "ledger_events"

CHANNEL = EVENTS_TABLE
"""Where appends are announced, as the library does; the payload is the schema of the tenant."""

MOST_BYTES = 2 << 20
"""Of facts at once: a message with them and their metadata stays below 3 MiB."""

LOCK_SEED = 0x1ED6E4
"""Keeps our advisory locks apart from those of other software in the same database."""

TAKE_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended({lock_name}, {seed}))"

BEGIN = SqlStatement(b"BEGIN ISOLATION LEVEL READ COMMITTED", prepare=False)
"""Explicit, because every statement after the lock must see what was committed before the lock."""

COMMIT, ROLLBACK = SqlStatement(b"COMMIT", prepare=False), SqlStatement(b"ROLLBACK", prepare=False)

_APPEND = """
    WITH facts AS (
        INSERT INTO {events} (originator_id, originator_version, topic, state, notification_id, command)
        SELECT stream, version::bigint, topic, convert_to(state::text, 'UTF8'), $1::bigint + ordinal, command
        FROM ROWS FROM (
            json_array_elements_text($2), json_array_elements_text($3), json_array_elements_text($4),
            json_array_elements($5), json_array_elements_text($6)
        ) WITH ORDINALITY AS fact (stream, version, topic, state, command, ordinal)
    ), keys AS (
        INSERT INTO {keys} (key_id, subject, wrapped, email, phone, bound_to, epoch, purpose)
        SELECT key_id, subject, decode(wrapped, 'base64'), email, phone, bound_to, epoch::int, purpose
        FROM ROWS FROM (
            json_array_elements_text($7), json_array_elements_text($8), json_array_elements_text($9),
            json_array_elements_text($10), json_array_elements_text($11), json_array_elements_text($12),
            json_array_elements_text($13), json_array_elements_text($14)
        ) AS key (key_id, subject, wrapped, email, phone, bound_to, epoch, purpose)
    )
    INSERT INTO {commands} (request_id, fingerprint, actor, position, version, refusal)
    SELECT request_id, decode(fingerprint, 'base64'), actor, position::bigint, version::bigint, refusal::jsonb
    FROM ROWS FROM (
        json_array_elements_text($15), json_array_elements_text($16), json_array_elements_text($17),
        json_array_elements_text($18), json_array_elements_text($19), json_array_elements_text($20)
    ) AS outcome (request_id, fingerprint, actor, position, version, refusal)
"""
_WARN = """
    UPDATE {commands} AS command SET warnings = given.warnings::jsonb
    FROM ROWS FROM (json_array_elements_text($1), json_array_elements($2)) AS given (request_id, warnings)
    WHERE command.request_id = given.request_id
"""
EVERYTHING = 2**62
"""No limit."""

_OPENING = """
    SELECT 'outcome' AS what, request_id AS name, version, actor AS word, fingerprint AS bytes, position, refusal::text,
        warnings::text
    FROM {commands} WHERE request_id = ANY(ARRAY(SELECT json_array_elements_text($1)))
    UNION ALL (
        SELECT 'tail', originator_id, originator_version, topic, state, notification_id, NULL, NULL
        FROM {events} WHERE notification_id > $2::bigint ORDER BY notification_id LIMIT $3::bigint
    ) UNION ALL (
        SELECT 'stream', originator_id, originator_version, topic, state, notification_id, NULL, NULL
        FROM {events} WHERE originator_id = ANY(ARRAY(SELECT json_array_elements_text($4))) LIMIT $5::bigint
    ) UNION ALL
        SELECT 'last', originator_id, originator_version, topic, state, notification_id, NULL, NULL
        FROM {events} WHERE notification_id = $2::bigint
"""
# Ids of before clients had names begin with a printable character (request_ids). Whether there are any is one step into
# the index, and most tenants have none: only then it is worth to ask for them.
_FORMER = """
    UNION ALL
        SELECT 'former', '', 0, '', NULL, 0, NULL, NULL
        WHERE EXISTS (SELECT FROM {commands} WHERE request_id >= '!' AND request_id < chr(127))
"""
_OUTCOMES = """
    SELECT request_id, fingerprint, actor, position, version, refusal::text, warnings::text
    FROM {commands} WHERE request_id = ANY(%b::text[])
"""
_STREAMS = """
    SELECT originator_id, originator_version, topic, state
    FROM {events} WHERE originator_id = ANY(%b::text[]) ORDER BY originator_id, originator_version LIMIT %b::bigint
"""
_TAIL = """
    SELECT notification_id, originator_id, originator_version, topic, state
    FROM {events} WHERE notification_id > %b::bigint ORDER BY notification_id LIMIT %b::bigint
"""
# A snapshot comes as a row without a topic, before the facts after it; one in several parts alone, without its state.
_STREAMS_NOW = """
    SELECT head.position, found.stream, found.version, found.topic, found.state
    FROM (SELECT coalesce(max(notification_id), 0) AS position FROM {events}) AS head LEFT JOIN LATERAL (
        SELECT wanted.stream, facts.version, facts.topic, facts.state
        FROM unnest(%b::text[]) AS wanted (stream)
            LEFT JOIN LATERAL (
                SELECT version, parts, CASE WHEN parts = 1 THEN state END AS state FROM {snapshots}
                WHERE originator_id = wanted.stream AND shape = %b AND part = 0 AND position <= head.position
                ORDER BY version DESC LIMIT 1
            ) AS kept ON true
            CROSS JOIN LATERAL (
                SELECT kept.version AS version, '' AS topic, kept.state AS state WHERE kept.version IS NOT NULL
                UNION ALL (
                    SELECT originator_version, topic, state FROM {events}
                    WHERE originator_id = wanted.stream AND coalesce(kept.parts, 1) = 1
                        AND originator_version > coalesce(kept.version, 0)
                    ORDER BY originator_version LIMIT %b::bigint
                )
            ) AS facts
    ) AS found ON true
    ORDER BY found.stream, found.version
"""
_HEAD = "SELECT coalesce(max(notification_id), 0) FROM {events}"
_STREAM = """
    SELECT notification_id AS position, originator_id AS stream, originator_version AS version, topic, state,
        command, recorded_at
    FROM {events}
    WHERE originator_id = %b AND notification_id <= %b
    ORDER BY originator_version
"""
# Some facts are a thousand times as long as others: a page ends with the one that crosses the limit, or the second.
_PAST = """
    SELECT event.notification_id AS position, event.originator_id AS stream, event.originator_version AS version,
        event.topic, event.state, event.command, event.recorded_at, coalesce(command.actor, '') AS actor
    FROM (
        SELECT page.*, row_number() OVER place AS place, sum(length(state)) OVER place - length(state) AS bytes_before
        FROM (SELECT * FROM {events} WHERE """
_PAGE = """ ORDER BY notification_id LIMIT %b) AS page
        WINDOW place AS (ORDER BY notification_id ROWS UNBOUNDED PRECEDING)
    ) AS event LEFT JOIN {commands} AS command ON command.request_id = event.command
    WHERE bytes_before < %b OR place <= 2
    ORDER BY event.notification_id
"""
_HISTORY = f"{_PAST}originator_id = ANY(%b::text[]) AND notification_id > %b{_PAGE}"
_POSITIONS = """
    SELECT notification_id FROM {events}
    WHERE originator_id BETWEEN %b AND %b AND notification_id > %b AND notification_id <= %b LIMIT %b
"""
# Positions are dense, so that the middle of two is always there.
_POSITION_BEFORE = """
    WITH RECURSIVE search (low, high) AS (
        SELECT 0::bigint, coalesce(max(notification_id), 0) FROM {events}
        UNION ALL
        SELECT CASE WHEN event.recorded_at < given.at THEN middle ELSE low END,
            CASE WHEN event.recorded_at < given.at THEN high ELSE middle - 1 END
        FROM (SELECT low, high, (low + high + 1) / 2 AS middle FROM search WHERE low < high) AS halved
            JOIN {events} AS event ON event.notification_id = middle, (SELECT %b::timestamptz AS at) AS given
    )
    SELECT low FROM search WHERE low >= high
"""
_RECORDED_AT = "SELECT recorded_at FROM {events} WHERE notification_id = %b"
_KEYS_OF = "SELECT key_id, subject, wrapped, epoch FROM {keys} WHERE key_id = ANY(%b::text[])"
_DESTROY = """
    UPDATE {keys} AS key SET wrapped = NULL, email = NULL, phone = NULL, bound_to = NULL, destroyed_at = now()
    FROM ROWS FROM (json_array_elements_text($1), json_array_elements_text($2)) AS ended (subject, purpose)
    WHERE wrapped IS NOT NULL AND key.subject = ended.subject AND ended.purpose IN ('', key.purpose)
"""
_FORGET = """
    UPDATE {commands} SET fingerprint = '' WHERE request_id IN (
        SELECT command FROM {events} WHERE originator_id = ANY(ARRAY(SELECT json_array_elements_text($1)))
    )
"""
_FORGET_MARKED = "UPDATE {commands} SET fingerprint = '' WHERE octet_length(fingerprint) = 37"
_json = msgspec.json.Encoder().encode
NOTIFY = "SELECT pg_notify({channel}, {schema_name})"


_Located = tuple[int, str, int, str, bytes]
"""A fact by its position: stream, version, topic, state."""


class Recorded(NamedTuple):
    """A fact as the log keeps it; ``command`` is the request id that caused it."""

    position: int
    stream: str
    version: int
    topic: str
    state: bytes
    command: str | None
    recorded_at: datetime


class Past(NamedTuple):
    """A fact of a stream's history, and who caused it (empty when no command is known)."""

    position: int
    stream: str
    version: int
    topic: str
    state: bytes
    command: str | None
    recorded_at: datetime
    actor: str


def without_the_last_too_long(page: list[Past], most_bytes: int = MOST_BYTES) -> list[Past]:
    """A page without the fact that crosses the limit, unless there is no other."""
    crosses = len(page) > 1 and sum(len(past.state) for past in page) > most_bytes
    return page[:-1] if crosses else page


class Outcome(NamedTuple):
    """What became of a command, kept for good; ``refusal`` is JSON, None when it was applied."""

    request_id: str
    fingerprint: bytes
    actor: str
    position: int
    version: int
    refusal: str | None
    warnings: tuple[str, ...] = ()


class Opening(NamedTuple):
    """What the database knows when a batch begins, read under the lock."""

    outcomes: list[Outcome]
    tail: list[_Located]
    streams: list[tuple[str, int, str, bytes]]
    has_former: bool = False
    """Whether there are commands of before clients had names."""
    most: int = EVERYTHING
    """How many facts may be read at once while it is open."""


class Ended(NamedTuple):
    """What a command ends for good when it erases a person."""

    subjects: Sequence[str]
    """Whose keys are destroyed."""
    streams: Sequence[str] = ()
    """Whose commands are not recognised by their content any more."""
    purposes: Sequence[str] = ()
    """What the keys were for that alone are destroyed; none means all of them."""

    def ends(self, key: KeyRow) -> bool:
        return key.subject in self.subjects and (not self.purposes or key.purpose in self.purposes)


FactRow = tuple[str, int, str, bytes, str]
"""A fact to be stored: its stream, version, topic and state, and the request id that causes it."""


@dataclass(slots=True)
class Appending:
    """The rows of one transaction."""

    facts: list[FactRow] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    keys: list[KeyRow] = field(default_factory=list)
    warned: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    """The request ids of the few commands that have warnings, and these."""
    destroyed: list[tuple[str, str]] = field(default_factory=list)
    """Whose keys are destroyed before any of these rows is inserted, and what these were for; "" is for all."""
    forgotten: list[str] = field(default_factory=list)
    """The streams whose commands, up to now, are not to be recognised by their content any more."""
    besides: list[SqlStatement] = field(default_factory=list)
    """What commands want to be written with their facts."""

    def destroy(self, ended: Ended) -> None:
        """Ends keys: those that are stored, and those of commands before this one."""
        self.destroyed.extend((subject, purpose) for subject in ended.subjects for purpose in ended.purposes or ("",))
        self.forgotten.extend(ended.streams)
        self.keys = [key for key in self.keys if not ended.ends(key)]
        forgotten = {command for stream, *_, command in self.facts if stream in ended.streams}
        self.outcomes = [
            each._replace(fingerprint=b"") if each.request_id in forgotten or is_marked(each.fingerprint) else each
            for each in self.outcomes
        ]


class Log:
    """One tenant's log, commands and keys; every name in its SQL carries the tenant's schema."""

    def __init__(
        self, schema: str, pool: AsyncConnectionPool[Any], writers: AsyncConnectionPool[Any] | None = None
    ) -> None:
        self.schema = schema
        self.pool = pool
        self.writers = writers or pool
        """Where a batch's connection comes from. Of its own, so that no reader can keep the writer waiting, and
        because psycopg drops what is prepared on a connection when a reader's transaction is rolled back."""
        self.has_lost = False
        """Whether the log turned out to lack what had been committed: a standby without it took over."""
        self._last: _Located | None = None
        self.reader: Any = None
        """The StreamReader of it, once there was a query."""
        names = {
            "events": Identifier(schema, EVENTS_TABLE),
            "commands": Identifier(schema, "ledger_commands"),
            "keys": Identifier(schema, "ledger_keys"),
            "snapshots": Identifier(schema, "ledger_snapshots"),
            "lock_name": Literal(schema),
            "seed": Literal(LOCK_SEED),
            "channel": Literal(CHANNEL),
            "schema_name": Literal(schema),
        }

        # Rendered once: composing SQL for each call costs more than sending it.
        def render(template: str) -> bytes:
            return SQL(cast("Any", template)).format(**names).as_bytes(None)

        self.take_lock, self._notify = SqlStatement(render(TAKE_LOCK)), SqlStatement(render(NOTIFY))
        self._opening, self._streams = render(_OPENING), render(_STREAMS)
        self._opening_with_former, self._outcomes = render(_OPENING + _FORMER), render(_OUTCOMES)
        self._append, self._warn = render(_APPEND), render(_WARN)
        self._head, self._stream = render(_HEAD), render(_STREAM)
        self._tail = render(_TAIL)
        self._positions, self._position_before = render(_POSITIONS), render(_POSITION_BEFORE)
        self._recorded_at = render(_RECORDED_AT)
        self._render = render
        self._streams_now = render(_STREAMS_NOW)
        self._history, self._keys_of, self._destroy = render(_HISTORY), render(_KEYS_OF), render(_DESTROY)
        self._forget, self._forget_marked = render(_FORGET), render(_FORGET_MARKED)

    # --- a batch; the caller holds the connection from open to append or abandon ------------------

    async def open(
        self,
        connection: AsyncConnection[Any],
        request_ids: list[str],
        look_for_former: bool,
        *,
        after: int,
        streams: list[str],
        most: int,
    ) -> Opening:
        """Begins a transaction, takes the tenant's lock and reads what the batch needs, in one round trip.

        Where others recorded more facts after the position, or the streams have more, it stops one beyond ``most``.
        Raises StorageUnavailable if the log has become another one, and ``has_lost`` is true from then on.
        """
        ask = self.opening(request_ids, look_for_former, after=after, streams=streams, most=most)
        *_, found = await pipeline(connection, BEGIN, self.take_lock, ask)
        return await self.read_opening(found, after, most)

    def opening(
        self, request_ids: list[str], look_for_former: bool, *, after: int, streams: list[str], most: int
    ) -> SqlStatement:
        """What a batch asks under the lock; ``read_opening`` reads the answer."""
        limit = b"%d" % (most + 1)
        parameters = [_json(request_ids), b"%d" % after, limit, _json(streams), limit]
        return SqlStatement(self._opening_with_former if look_for_former else self._opening, parameters)

    async def read_opening(self, found: PGresult, after: int, most: int) -> Opening:
        """What the statement of ``opening`` has found under the lock."""
        opening, last = await read_found(found, most)
        self.require_the_same_log(after, last)
        self._last = opening.tail[-1] if opening.tail else last
        return opening

    def require_the_same_log(self, after: int, last: _Located | None) -> None:
        """Whoever goes on from a position must find the fact there that he knows: a standby that took over, or a
        restored backup, may lack it, or have another one."""
        known = self._last if self._last is not None and self._last[0] == after else last
        if (last is None and after) or known != last:
            self.has_lost = True
            _logger.error(
                "the log of %s no longer has fact %d as it was recorded: a server without it has taken over, or a "
                "backup was restored; answered commands may be missing",
                self.schema,
                after,
                extra={"position": after},
            )
            raise StorageUnavailable(f"the log is another one at position {after}: a server without it has taken over")

    async def begin(self) -> int:
        """The head of the log as it is now, from which on it is followed."""
        self.has_lost, self._last, self.reader = False, None, None
        return await self.head()

    async def outcomes(self, connection: AsyncConnection[Any], request_ids: list[str]) -> list[Outcome]:
        """What became of those of these commands that are known."""
        cursor = await connection.execute(self._outcomes, (request_ids,), prepare=True, binary=True)
        found = map(Outcome._make, await cursor.fetchall())
        return [each._replace(warnings=_warnings(each.warnings)) for each in found]

    async def load(
        self, connection: AsyncConnection[Any], streams: list[str], most: int
    ) -> list[tuple[str, int, str, bytes]]:
        """Every fact of the streams, in order of version; where there are more, one more than ``most``."""
        cursor = await connection.execute(self._streams, (streams, most + 1), prepare=True, binary=True)
        return await cursor.fetchall()

    async def append(self, connection: AsyncConnection[Any], after: int, rows: Appending) -> None:
        """Inserts all rows and commits, in one round trip.

        The notification follows the commit and is no part of it: a commit that notifies waits for every
        other such commit in the database, and a lost notification is harmless.
        """
        ask = [*self.appending(after, rows), COMMIT]
        if rows.facts:
            ask.append(self._notify)
        await pipeline(connection, *ask)
        self.appended(after, rows)

    def appending(self, after: int, rows: Appending) -> list[SqlStatement]:
        """What inserts all rows."""
        *names, states, commands = _columns(rows.facts) or [[] for _ in range(5)]
        others = (commands, *(_columns(rows.keys) or [[] for _ in KeyRow._fields]), *_columns(rows.outcomes)[:6])
        # As JSON a column is written in one go; as an array, element by element. States are JSON already.
        columns = (*map(_json, names), b"[%b]" % b",".join(states), *map(_json, others))
        statements = []
        if rows.destroyed or rows.forgotten:
            destroyed = _columns(rows.destroyed) or [[], []]
            statements.append(SqlStatement(self._destroy, tuple(map(_json, destroyed))))
            statements.append(SqlStatement(self._forget, (_json(rows.forgotten),)))
            statements.append(SqlStatement(self._forget_marked))
        statements.append(SqlStatement(self._append, (b"%d" % after, *columns)))
        if rows.warned:
            statements.append(SqlStatement(self._warn, tuple(map(_json, _columns(rows.warned)))))
        return [*statements, *dict.fromkeys(rows.besides)]

    def appended(self, after: int, rows: Appending) -> None:
        """Called when the rows are committed."""
        if rows.facts:
            stream, version, topic, state, _ = rows.facts[-1]
            self._last = (after + len(rows.facts), stream, version, topic, state)

    async def abandon(self, connection: AsyncConnection[Any]) -> None:
        """Ends a transaction that has nothing to write."""
        await pipeline(connection, ROLLBACK)

    # --- reads ------------------------------------------------------------------------------------

    async def rows(self, query: bytes, parameters: Sequence[Any] = ()) -> list[TupleRow]:
        """The rows of a read; tried once more on another connection, which is harmless for a read."""
        for may_try_again in (True, False):
            try:
                async with self.pool.connection() as connection:
                    cursor = await connection.execute(query, parameters, prepare=True, binary=True)
                    return cast("list[TupleRow]", await cursor.fetchall())
            except psycopg.Error as error:
                if not is_trouble(error):
                    raise
                if not may_try_again:
                    raise StorageUnavailable(in_short(error)) from error
                await self.drop_dead_connections(self.pool)
        raise AssertionError("unreachable")

    async def drop_dead_connections(self, pool: AsyncConnectionPool[Any]) -> None:
        """After a server restart every pooled connection is dead; find that out now, not one by one."""
        with suppress(psycopg.Error, TimeoutError):
            await asyncio.wait_for(pool.check(), 2.0)

    async def tail(self, after: int, limit: int) -> list[_Located]:
        """The facts after a position, in order: position, stream, version, topic, state."""
        return cast("list[_Located]", await self.rows(self._tail, (after, limit)))

    async def head(self) -> int:
        """The position of the last fact, 0 while there is none."""
        return int((await self.rows(self._head))[0][0])

    async def read_stream(self, stream: str, up_to: int = EVERYTHING) -> list[Recorded]:
        """A stream's facts in order, up to a position."""
        return [Recorded._make(row) for row in await self.rows(self._stream, (stream, up_to))]

    async def read_streams(
        self, streams: Sequence[str], shape: str, most: int
    ) -> tuple[int, list[tuple[str, int, str, bytes | None]]]:
        """The head, and the facts of the streams up to it, in order of version, at most so many of each.

        Where there is a snapshot of the shape, it comes first, without a topic, and only facts after it follow; of one
        in several parts only that it is there.

        One statement: each wait for the database is a turn of an event loop that may be busy with writers.
        """
        rows = await self.rows(self._streams_now, (list(streams), shape, most))
        return int(rows[0][0]), [(row[1], row[2], row[3], row[4]) for row in rows if row[1] is not None]

    async def history(
        self, streams: Sequence[str], after: int = 0, limit: int = 1000, most_bytes: int = MOST_BYTES
    ) -> list[Past]:
        """The facts of streams after a position, in the log's order, with who caused each; the last may
        cross the limit of bytes."""
        return [Past._make(row) for row in await self.rows(self._history, (list(streams), after, limit, most_bytes))]

    async def past_where(self, condition: str, parameters: Sequence[Any], limit: int) -> list[Past]:
        """As history, of all facts for which a condition of SQL holds."""
        query = self._render(f"{_PAST}{condition}{_PAGE}")
        return [Past._make(row) for row in await self.rows(query, (*parameters, limit, MOST_BYTES))]

    async def positions(self, first: str, last: str, after: int, upto: int, limit: int) -> list[int]:
        """The positions between two of the facts of the streams from the first to the last name, in order."""
        return sorted(row[0] for row in await self.rows(self._positions, (first, last, after, upto, limit)))

    async def position_before(self, at: datetime) -> int:
        """The last position that was recorded before then, as far as instants of recording grow with positions."""
        return int((await self.rows(self._position_before, (at,)))[0][0])

    async def recorded_at(self, position: int) -> datetime | None:
        """When the fact at a position was recorded; None where there is none."""
        rows = await self.rows(self._recorded_at, (position,))
        return rows[0][0] if rows else None

    # --- keys of people ---------------------------------------------------------------------------

    async def keys_of(self, key_ids: Iterable[str]) -> dict[str, StoredKey | None]:
        """The keys by id; None for a destroyed one, no entry for an unknown one."""
        rows = await self.rows(self._keys_of, (list(key_ids),))
        return {row[0]: None if row[2] is None else StoredKey(row[1], row[2], row[3]) for row in rows}


async def read_found(found: PGresult, most: int) -> tuple[Opening, _Located | None]:
    """What the statement of ``opening`` has found, and the fact at the position after which it looked."""
    opening, last = Opening([], [], [], most=most), None
    async for row in in_turns(range(found.ntuples)):
        cells: list[Any] = [found.get_value(row, column) for column in range(7)]
        what, name, word, content = cells[0], cells[1].decode(), cells[3].decode(), cells[4]
        version, position = _number(cells[2]), _number(cells[5])
        if what == b"outcome":
            refusal = None if cells[6] is None else cells[6].decode()
            stored = found.get_value(row, 7)
            outcome = Outcome(name, content, word, position, version, refusal, _warnings(stored))
            opening.outcomes.append(outcome)
        elif what == b"tail":
            opening.tail.append((position, name, version, word, content))
        elif what == b"former":
            opening = opening._replace(has_former=True)
        elif what == b"last":
            last = (position, name, version, word, content)
        else:
            opening.streams.append((name, version, word, content))
    # A union guarantees no order.
    opening.tail.sort()
    opening.streams.sort()
    return opening, last


def _number(value: bytes) -> int:
    """A bigint as it comes in binary."""
    return int.from_bytes(value, "big", signed=True)


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _warnings(stored: Any) -> tuple[str, ...]:
    return () if stored is None else msgspec.json.decode(stored, type=tuple[str, ...])
