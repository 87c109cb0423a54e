"""The event store of one tenant in PostgreSQL: its facts in one order, its commands' outcomes and its data keys.

A fact has two numbers. Its *version* counts within its stream. Its *position* (column ``notification_id``) counts
through the whole log, without gaps and in the order of commits, because whoever appends holds the tenant's advisory
lock and counts on from the last fact. So a reader that has seen position N has seen every fact before it.

``recorder`` opens the same table for the eventsourcing library.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, cast

import msgspec
import psycopg
from psycopg import AsyncConnection
from psycopg.pq.abc import PGresult
from psycopg.rows import TupleRow
from psycopg.sql import Literal
from psycopg_pool import AsyncConnectionPool

from ledger.engine import log_sql
from ledger.engine.log_rows import EVERYTHING, MOST_BYTES, Appending, Located, Opening, Outcome, Past, Recorded
from ledger.engine.sealing import KeyRow, StoredKey
from ledger.engine.statements import in_schema
from ledger.engine.trouble import in_short, is_trouble
from ledger.engine.turns import in_turns
from ledger.engine.wire import SqlStatement, pipeline
from ledger.refusals import StorageUnavailable

_logger = logging.getLogger("fulfilment.ledger")

EVENTS_TABLE = "ledger_events"

CHANNEL = EVENTS_TABLE
"""Where appends are announced, as the library does; the payload is the schema of the tenant."""

LOCK_SEED = 0x1ED6E4
"""Keeps our advisory locks apart from those of other software in the same database."""

BEGIN = SqlStatement(b"BEGIN ISOLATION LEVEL READ COMMITTED", prepare=False)
"""Explicit, because every statement after the lock must see what was committed before the lock."""
COMMIT, ROLLBACK = SqlStatement(b"COMMIT", prepare=False), SqlStatement(b"ROLLBACK", prepare=False)

_json = msgspec.json.Encoder().encode


class Log:
    """Reads and appends one tenant's facts, outcomes and keys; asynchronous, a batch takes two round trips.

    The writer calls ``open``, then ``append`` or ``abandon``, on one connection that it holds meanwhile. All other
    methods read without the lock, each on a connection of the pool.
    """

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
        self._last: Located | None = None
        self.reader: Any = None
        """The StreamReader of it, once there was a query."""
        render = self._render  # once: composing SQL for each call costs more than sending it
        self.take_lock, self._notify = SqlStatement(render(log_sql.TAKE_LOCK)), SqlStatement(render(log_sql.NOTIFY))
        self._opening = render(log_sql.OPENING)
        self._opening_with_former = render(log_sql.OPENING + log_sql.FORMER)
        self._outcomes = render(log_sql.OUTCOMES)
        self._streams = render(log_sql.STREAMS)
        self._append = render(log_sql.APPEND)
        self._warn = render(log_sql.WARN)
        self._destroy = render(log_sql.DESTROY)
        self._forget = render(log_sql.FORGET)
        self._forget_marked = render(log_sql.FORGET_MARKED)
        self._head = render(log_sql.HEAD)
        self._tail = render(log_sql.TAIL)
        self._stream = render(log_sql.STREAM)
        self._streams_now = render(log_sql.STREAMS_NOW)
        self._history = render(log_sql.HISTORY)
        self._positions = render(log_sql.POSITIONS)
        self._position_before = render(log_sql.POSITION_BEFORE)
        self._recorded_at = render(log_sql.RECORDED_AT)
        self._keys_of = render(log_sql.KEYS_OF)

    def _render(self, template: str) -> bytes:
        names = {"schema_name": Literal(self.schema), "seed": Literal(LOCK_SEED), "channel": Literal(CHANNEL)}
        return in_schema(template, self.schema, **names)

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
        parameters = [_array(request_ids), b"%d" % after, b"%d" % (most + 1), _array(streams)]
        return SqlStatement(self._opening_with_former if look_for_former else self._opening, parameters)

    async def read_opening(self, found: PGresult, after: int, most: int) -> Opening:
        """What the statement of ``opening`` has found under the lock."""
        opening, last = await read_found(found, after, most)
        self.require_the_same_log(after, last)
        self._last = opening.tail[-1] if opening.tail else last
        return opening

    def require_the_same_log(self, after: int, last: Located | None) -> None:
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

    async def tail(self, after: int, limit: int) -> list[Located]:
        """The facts after a position, in order: position, stream, version, topic, state."""
        return cast("list[Located]", await self.rows(self._tail, (after, limit)))

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
        query = self._render(f"{log_sql.PAST}{condition}{log_sql.PAGE}")
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


async def read_found(found: PGresult, after: int, most: int) -> tuple[Opening, Located | None]:
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
        elif what == b"located" and position == after:
            last = (position, name, version, word, content)
        elif what == b"located":
            opening.tail.append((position, name, version, word, content))
        elif what == b"former":
            opening = opening._replace(has_former=True)
        else:
            opening.streams.append((name, version, word, content))
    # A union guarantees no order.
    opening.tail.sort()
    opening.streams.sort()
    return opening, last


def _array(values: Sequence[str]) -> bytes:
    """A parameter of type text[]."""
    return b"{%b}" % ",".join(['"' + each.replace("\\", r"\\").replace('"', r"\"") + '"' for each in values]).encode()


def _number(value: bytes) -> int:
    """A bigint as it comes in binary."""
    return int.from_bytes(value, "big", signed=True)


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _warnings(stored: Any) -> tuple[str, ...]:
    return () if stored is None else msgspec.json.decode(stored, type=tuple[str, ...])
