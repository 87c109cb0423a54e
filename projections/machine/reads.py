"""Reading a read model: rows and the position they hold at, in one snapshot; waiting for a position; pages."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from datetime import UTC, datetime
from functools import lru_cache, reduce
from typing import Any, Generic, NamedTuple, TypeVar, cast

import msgspec
from psycopg import AsyncConnection, errors
from psycopg.pq import TransactionStatus
from psycopg.rows import kwargs_row
from psycopg.sql import SQL, Composed, Identifier
from psycopg_pool import AsyncConnectionPool

from ledger.engine.log import EVENTS_TABLE
from ledger.engine.log_sql import HEAD
from ledger.engine.registry import Registry
from ledger.engine.statements import in_schema
from ledger.refusals import BeyondTheLog, Malformed, ProjectionBehind
from ledger.view import Noun
from projections.machine.aside import aside
from projections.machine.copying import Copied, copied
from projections.machine.projection import Projection
from projections.machine.rows import reader

R = TypeVar("R")
K = TypeVar("K")

FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
"""Before and after everything."""

_POLL_SECONDS = 0.007
_POLL_TABLES_SECONDS = 0.05
PATIENCE_SECONDS = 5.0
"""How long a query waits for the position it is asked for, unless its caller has less time."""

MOST_ROWS = 1000
USUAL_ROWS = 100

_STREAM = """
    SELECT topic, state FROM {schema}.ledger_events WHERE originator_id = %(stream)s AND notification_id <= %(position)s
    ORDER BY originator_version
"""
_ALL_COLUMNS = re.compile(r"SELECT \* FROM \{(\w+)\}")
_POSITION = """
    SELECT coalesce((SELECT notification_id FROM {schema}.ledger_tracking WHERE application_name = %s), 0)
"""


class Extent(NamedTuple):
    """The first and the last instant of what there is, in whatever window."""

    earliest: datetime
    latest: datetime


class Changes(NamedTuple):
    """What changed in a list: up to which position, from where the next list goes on, and what is gone from it."""

    until: int
    gone: list[str]
    """The ids of the streams that changed and have no row in it."""


class Answer(NamedTuple, Generic[R]):
    """Rows, the position of the log they hold at, and how to ask for more (empty on the last page)."""

    rows: list[R]
    position: int
    next_page_token: str = ""
    extent: Extent | None = None
    """Where there is something, if nothing was found in the window that was asked for."""
    changes: Changes | None = None
    """If only what changed was asked for."""


Prepare = Callable[[Sequence[Projection], float], Awaitable[None]]
"""Of which read models, and until when in the time of the event loop; raises ProjectionBehind."""


class Where(NamedTuple):
    """Where to read and how long to wait: a tenant's schema, and the position that must be reached."""

    pool: AsyncConnectionPool[Any]
    schema: str
    at_least: int = 0
    patience_seconds: float = PATIENCE_SECONDS
    as_of: int = 0
    """Reads what is folded aside up to this position instead, which ``prepare`` brings about."""
    prepare: Prepare | None = None
    whole: AsyncConnectionPool[Any] | None = None
    """Where the log is whole, if ``pool`` reads a replica that may lack its end."""


class Snapshot:
    """A read model at one moment."""

    def __init__(
        self,
        connection: AsyncConnection[Any],
        schema: str,
        asked: tuple[Projection, ...],
        position: int,
        names: Mapping[str, Identifier],
    ) -> None:
        self.position = position
        self._asked = asked
        self._schema = schema
        self._connection = connection
        self._names = {**names, EVENTS_TABLE: Identifier(schema, EVENTS_TABLE)}

    async def rows(self, query: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        """Runs a query of this package; ``{table}`` names a table, or the log's, ``%(name)s`` a parameter."""
        cursor = await self._connection.execute(self._with_names(query), parameters, binary=True)
        return await cursor.fetchall()

    async def each(self, query: str, parameters: dict[str, Any], make: Callable[..., R]) -> list[R]:
        """The rows of a query, each made from its columns by name; those of a named tuple are decoded by its types."""
        make = reader(make) if isinstance(make, type) else make
        async with self._connection.cursor(row_factory=kwargs_row(make)) as cursor:
            await cursor.execute(self._with_names(query), parameters)
            return await cursor.fetchall()

    async def extent(self, query: str, parameters: dict[str, Any]) -> Extent | None:
        """What a query finds as its two columns; None if that is nothing."""
        ((earliest, latest),) = await self.rows(query, parameters)
        return None if earliest is None else Extent(earliest, latest)

    def copied(self, copy: Composed) -> AsyncIterator[Copied]:
        """What a COPY ... TO STDOUT writes, in pieces."""
        return copied(self._connection, copy)

    def abandon(self) -> None:
        """Ends all that the database does and holds for this, at once and from outside."""
        self._connection.pgconn.finish()

    async def state(self, noun: Noun, stream: str) -> Any:
        """The state of a stream at this position; None if it is empty."""
        return await state_now(self._connection, self._schema, noun, stream, self.position)

    def _with_names(self, query: str) -> Composed:
        return SQL(cast("Any", _with_columns(query, self._asked))).format(**self._names)


async def rows_now(
    connection: AsyncConnection[Any], schema: str, query: str, parameters: Mapping[str, Any], *asked: Projection
) -> list[Any]:
    """The rows of read models as they are now; none while they have no tables yet."""
    named = in_schema(_with_columns(query, asked), schema)
    is_alone = connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE
    try:
        # In a transaction that is under way a table that is missing must not end what else was done there.
        async with nullcontext() if is_alone else connection.transaction():
            return await (await connection.execute(named, parameters)).fetchall()
    except errors.UndefinedTable:
        return []


async def state_now(
    connection: AsyncConnection[Any], schema: str, noun: Noun, stream: str, position: int = 2**62
) -> Any:
    """The state of a stream, now or at a position; None if it is empty."""
    registry = _registry_of(noun)
    asked = {"stream": stream, "position": position}
    cursor = await connection.execute(in_schema(_STREAM, schema), asked, binary=True)
    return reduce(noun.evolve, (registry.decode(topic, fact) for topic, fact in await cursor.fetchall()), None)


@lru_cache
def _registry_of(noun: Noun) -> Registry:
    return Registry([noun])


@lru_cache(1000)
def _with_columns(query: str, asked: tuple[Projection, ...]) -> str:
    """The query with the columns that this version knows for ``*``: a newer one may add some meanwhile."""
    columns = {table.name: ", ".join(table.columns) for each in asked for table in each.tables}

    def named(found: re.Match[str]) -> str:
        known = columns.get(found[1])
        return found[0].replace("*", known or "*", 1)

    return _ALL_COLUMNS.sub(named, query)


def _names(schema: str, asked: Iterable[Projection], as_of: int = 0) -> dict[str, Identifier]:
    suffix = aside(as_of) if as_of else ""
    return {table.name: Identifier(schema, table.name + suffix) for each in asked for table in each.tables}


@asynccontextmanager
async def snapshot(where: Where, projection: Projection, *more: Projection) -> AsyncIterator[Snapshot]:
    """One snapshot of the projections, not before ``at_least``; raises ProjectionBehind or BeyondTheLog.

    The position is that of the projection that lags most. It also waits for tables that do not exist yet, such as
    those of a new tenant.
    """
    asked = (projection, *more)
    tables = _names(where.schema, asked, where.as_of)
    give_up_at = _now() + where.patience_seconds
    if where.prepare is not None:
        await where.prepare(asked, give_up_at)
    if where.at_least:
        for each in asked:
            await _wait(where, each, give_up_at)
    connection, opened = await _open(where, projection, tables.values(), give_up_at)
    async with opened:
        try:
            stand_at = [await _position(connection, where.schema, each) for each in asked if not where.as_of]
            yield Snapshot(connection, where.schema, asked, min(stand_at, default=where.as_of), tables)
        except errors.UndefinedColumn as error:  # not yet in the present shape
            raise ProjectionBehind(projection.name, where.at_least, 0) from error


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _wait(where: Where, projection: Projection, give_up_at: float) -> None:
    is_in_the_log = False
    while True:
        async with where.pool.connection() as connection:
            position = await _position(connection, where.schema, projection)
            if position >= where.at_least:
                return
            if not is_in_the_log:
                await _require_in_the_log(connection, where)
                is_in_the_log = True
        if _now() >= give_up_at:
            raise ProjectionBehind(projection.name, where.at_least, position)
        await asyncio.sleep(_POLL_SECONDS)


async def _open(
    where: Where, projection: Projection, tables: Iterable[Identifier], give_up_at: float
) -> tuple[AsyncConnection[Any], AsyncExitStack]:
    """A connection in a repeatable transaction, and what closes both."""
    lock = SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(SQL(", ").join(tables))
    while True:
        try:
            async with AsyncExitStack() as stack:
                connection = await stack.enter_async_context(where.pool.connection())
                await stack.enter_async_context(connection.transaction())
                await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                # Locked before the snapshot is taken, so that a swap of the tables is seen completely or not at all.
                await connection.execute(lock)
                return connection, stack.pop_all()
        except errors.UndefinedTable as error:
            if _now() >= give_up_at:
                raise ProjectionBehind(projection.name, where.at_least, 0) from error
        await asyncio.sleep(_POLL_TABLES_SECONDS)


async def _require_in_the_log(connection: AsyncConnection[Any], where: Where) -> None:
    """Refuses a position beyond the log, which no read model can reach."""
    head = await _head(connection, where.schema)
    if where.at_least > head and where.whole is not None:
        async with where.whole.connection() as primary:
            head = await _head(primary, where.schema)
    if where.at_least > head:
        raise BeyondTheLog(where.at_least, head)


async def _head(connection: AsyncConnection[Any], schema: str) -> int:
    cursor = await connection.execute(in_schema(HEAD, schema))
    return int((await cursor.fetchall())[0][0])


async def _position(connection: AsyncConnection[Any], schema: str, projection: Projection) -> int:
    cursor = await connection.execute(in_schema(_POSITION, schema), (projection.name,))
    return int((await cursor.fetchall())[0][0])


# --- pages ----------------------------------------------------------------------------------------


class PageOf(NamedTuple):
    """Which page of a list: how many rows, after which token, of which question."""

    size: int = USUAL_ROWS
    token: str = ""
    question: str = ""
    """Identifies the list and its filters: a token is valid only for the list that gave it."""
    changed_after: int | None = None
    """Only what changed after this position."""

    @property
    def limit(self) -> int:
        """One row more than is shown, to know whether there is another page."""
        return require_size(self.size) + 1

    def after(self, key: type[K]) -> K | None:
        """The key of the last row of the page before; None for the first page, and if only changes are asked for."""
        return self._last(key) if self.changed_after is None else None

    @property
    def begun(self) -> tuple[int, int] | None:
        """Of changes: the position that the page before has come to, and that up to which all pages go."""
        return self._last(tuple[int, int])

    def _last(self, key: type[K]) -> K | None:
        if not self.token:
            return None
        try:
            raw = base64.urlsafe_b64decode(self.token.encode() + b"==")
            question, last = msgspec.json.decode(raw, type=tuple[str, msgspec.Raw])
            if question == self.question:
                return msgspec.json.decode(last, type=key)
        except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
            raise Malformed(("page.page_token", "is not a token that this list gave")) from error
        raise Malformed(("page.page_token", "is of another list or other filters; begin again without a token"))

    def cut(self, rows: Sequence[R], keys: Sequence[Any]) -> tuple[list[R], str]:
        """The rows to show and the token of the next page; keys are those of the rows."""
        size = require_size(self.size)
        if len(rows) <= size:
            return list(rows), ""
        return list(rows[:size]), self.token_after(keys[size - 1])

    def token_after(self, key: Any) -> str:
        """The token of the page that goes on after a key."""
        last = msgspec.json.encode((self.question, key))
        return base64.urlsafe_b64encode(last).rstrip(b"=").decode()


def require_size(size: int) -> int:
    if not 0 <= size <= MOST_ROWS:
        raise Malformed(("page.page_size", f"{size} is not between 1 and {MOST_ROWS}"))
    return size or USUAL_ROWS
