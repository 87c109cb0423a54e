"""The transactions that batches are written in: one of a tenant's own, or one that several tenants share.

A batch may be read and decided while the one before is being committed: its transaction waits in PostgreSQL for the
tenant's lock, and what was decided holds if nobody else has appended by then.

Most of what a small batch costs is its two ways to the database and its commit. Where many tenants are busy at once,
each with a command or two, their batches go together: every tenant is locked, read, decided and appended as if it were
alone, in the same two round trips, and one commit makes all of it durable. Whatever goes wrong there, each of them
tries again in a transaction of its own, so that one tenant's trouble is nobody else's.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation
from psycopg.pq.abc import PGresult
from psycopg.sql import SQL, Literal
from psycopg_pool import AsyncConnectionPool

from ledger.engine.log import BEGIN, CHANNEL, COMMIT, LOCK_SEED, ROLLBACK, Log, read_found
from ledger.engine.log_rows import EVERYTHING, Appending, Opening, Outcome
from ledger.engine.wire import Pipeline, SqlStatement, pipeline

_MOST_TOGETHER = 32
"""How many tenants share a transaction."""
_UNDER_WAY = 2
"""How many of such transactions: while one is decided here, PostgreSQL works for the other."""

_SHORT_WAITS = SqlStatement(b"SET LOCAL lock_timeout = '100ms'", prepare=False)
"""Nobody waits for long because a table of another tenant is locked."""
_TRY_LOCKS = (
    SQL("SELECT pg_try_advisory_xact_lock(hashtextextended(name, {})) FROM json_array_elements_text($1) AS name")
    .format(Literal(LOCK_SEED))
    .as_bytes(None)
)
_NOTIFY_ALL = (
    SQL("SELECT count(pg_notify({}, name)) FROM json_array_elements_text($1) AS name")
    .format(Literal(CHANNEL))
    .as_bytes(None)
)
_LOCKED = b"\x01"


_PATIENT_SECONDS = 0.25
"""How long those that are decided wait for others of their transaction, once more while anybody gets further."""
_ANSWER_SECONDS = 1.0
"""How long the answer to a commit may take once the next batch has the lock, which keeps it twice as long at most."""
ALONE_SECONDS = 10.0
"""How long a tenant in trouble keeps away from the transactions of others."""


class Overtaken(Exception):
    """What the batch was decided on does not hold: the batch before it was not committed, or another process came
    between. It has to be decided again."""


class Apart(Exception):
    """The batch could not be written together with others and has to be written alone."""

    def __init__(self, seconds: float = 0.0) -> None:
        """``seconds`` is for how long further batches of the tenant are better written alone, too."""
        super().__init__()
        self.seconds = seconds


class Alone:
    """A transaction that one tenant has for itself."""

    def __init__(self, log: Log, connection: AsyncConnection[Any]) -> None:
        self.waited_seconds = 0.0
        """How long it waited for the batch before, once something was decided."""
        self._log = log
        self._connection = connection

    async def open(
        self, request_ids: list[str], look_for_former: bool, *, after: int, streams: list[str], most: int
    ) -> Opening:
        return await self._log.open(
            self._connection, request_ids, look_for_former, after=after, streams=streams, most=most
        )

    async def outcomes(self, request_ids: list[str]) -> list[Outcome]:
        return await self._log.outcomes(self._connection, request_ids)

    async def load(self, streams: list[str], most: int) -> list[tuple[str, int, str, bytes]]:
        return await self._log.load(self._connection, streams, most)

    async def hold(self) -> None:
        """Makes sure that nobody else can append any more."""

    async def append(self, after: int, rows: Appending) -> None:
        await self._log.append(self._connection, after, rows)

    async def abandon(self) -> None:
        await self._log.abandon(self._connection)


class Following(Alone):
    """A transaction of one tenant that begins while the batch before is still being committed.

    What the batch needs is read before the tenant's lock is there; whatever comes after that waits for the lock, and
    raises Overtaken if what was read, and decided on it, does not hold.
    """

    def __init__(self, log: Log, connection: AsyncConnection[Any], before: asyncio.Future[None]) -> None:
        super().__init__(log, connection)
        self._before = before
        self._pipeline: Pipeline | None = None
        """Until it is known that nobody else has appended."""
        self._after = 0

    async def open(
        self, request_ids: list[str], look_for_former: bool, *, after: int, streams: list[str], most: int
    ) -> Opening:
        read = self._log.opening(request_ids, look_for_former, after=EVERYTHING, streams=streams, most=most)
        check = self._log.opening([], False, after=after, streams=[], most=0)
        self._pipeline, self._after = Pipeline(self._connection, (BEGIN, read), (self._log.take_lock, check)), after
        _, found = await self._pipeline.results()
        opening, _ = await read_found(found, EVERYTHING, most)
        return opening

    async def outcomes(self, request_ids: list[str]) -> list[Outcome]:
        await self.hold()
        return await super().outcomes(request_ids)

    async def load(self, streams: list[str], most: int) -> list[tuple[str, int, str, bytes]]:
        await self.hold()
        return await super().load(streams, most)

    async def append(self, after: int, rows: Appending) -> None:
        try:
            await super().append(after, rows)
        except UniqueViolation as error:
            # Another process was sent one of the commands as well, and refused it after it was looked for here.
            raise Overtaken from error

    async def hold(self) -> None:
        if self._pipeline is None:
            return
        began = monotonic()
        await self._wait_for_before(self._pipeline)
        _, found = await self._pipeline.results()
        self._pipeline = None
        self.waited_seconds += monotonic() - began
        opening, last = await read_found(found, self._after, 0)
        self._log.require_the_same_log(self._after, last)
        if opening.tail:
            raise Overtaken

    async def _wait_for_before(self, pipeline: Pipeline) -> None:
        """Until the batch before is known to be committed. If the lock is there and that is still not known, its answer
        is lost or late: whoever else writes to the tenant is not to wait for it."""
        has_lock = False
        while not (await asyncio.wait((self._before,), timeout=_ANSWER_SECONDS))[0]:
            if has_lock:
                raise Overtaken
            has_lock = pipeline.has_come()
        if self._before.exception() is not None:
            raise Overtaken


@asynccontextmanager
async def alone(log: Log, before: asyncio.Future[None] | None) -> AsyncIterator[Alone]:
    """A transaction of a tenant's own; ``before`` is the writing of the batch before it, if that is under way."""
    async with log.writers.connection() as connection:
        try:
            yield Alone(log, connection) if before is None else Following(log, connection, before)
        except BaseException:
            # This ends the transaction; a rollback would make psycopg drop prepared statements that others rely on.
            await connection.close()
            raise


class SharedPart:
    """One tenant's part of a transaction that several tenants share."""

    waited_seconds = 0.0

    def __init__(self, log: Log, together: Together) -> None:
        loop = asyncio.get_running_loop()
        self.log = log
        self.asked: SqlStatement | None = None
        self.opened: asyncio.Future[tuple[AsyncConnection[Any], PGresult]] = loop.create_future()
        self.decided: asyncio.Future[None] = loop.create_future()
        self.written: asyncio.Future[None] = loop.create_future()
        self.appending: list[SqlStatement] = []
        self.notifies = False
        self._together = together
        self._connection: AsyncConnection[Any] | None = None

    async def open(
        self, request_ids: list[str], look_for_former: bool, *, after: int, streams: list[str], most: int
    ) -> Opening:
        self.asked = self.log.opening(request_ids, look_for_former, after=after, streams=streams, most=most)
        self._together.wait_for(self)
        self._connection, found = await self.opened
        return await self.log.read_opening(found, after, most)

    async def outcomes(self, request_ids: list[str]) -> list[Outcome]:
        assert self._connection is not None
        self._require_open()
        return await self.log.outcomes(self._connection, request_ids)

    async def load(self, streams: list[str], most: int) -> list[tuple[str, int, str, bytes]]:
        assert self._connection is not None
        self._require_open()
        try:
            return await self.log.load(self._connection, streams, most)
        except Exception as error:
            raise Apart from error

    async def hold(self) -> None:
        """It is held from the opening on."""

    async def append(self, after: int, rows: Appending) -> None:
        self.appending, self.notifies = self.log.appending(after, rows), bool(rows.facts)
        self.leave()
        await self.written
        self.log.appended(after, rows)

    async def abandon(self) -> None:
        self.leave()

    def leave(self) -> None:
        """There is nothing more to come."""
        if not self.decided.done():
            self.decided.set_result(None)

    def _require_open(self) -> None:
        if self.written.done():  # it took so long that the others have gone on
            self.written.result()

    def fail(self, error: BaseException, alone_seconds: float = 0.0) -> None:
        apart = Apart(alone_seconds)
        apart.__cause__ = error
        for future in (self.opened, self.written):
            if not future.done():
                future.set_exception(apart)
                future.exception()  # it may be that nobody waits for it any more


class Together:
    """The transactions that tenants of a process share."""

    def __init__(self, writers: AsyncConnectionPool[Any]) -> None:
        self._writers = writers
        self._waiting: deque[SharedPart] = deque()
        self._carrying: set[asyncio.Task[None]] = set()
        self._busy: Counter[str] = Counter()
        """How many batches of a tenant are under way."""

    def shares(self, log: Log) -> bool:
        """Whether others write at the moment."""
        return len(self._busy) > (log.schema in self._busy)

    @asynccontextmanager
    async def transaction(
        self, log: Log, *, may_share: bool, before: asyncio.Future[None] | None = None
    ) -> AsyncIterator[Alone | SharedPart]:
        """One for a batch: of its own, if it may not share one or nobody else writes at the moment, or if the batch
        ``before`` it is not committed yet."""
        shares = may_share and before is None and self.shares(log)
        self._busy[log.schema] += 1
        try:
            if not shares:
                async with alone(log, before) as own:
                    yield own
                return
            part = SharedPart(log, self)
            try:
                yield part
            finally:
                part.leave()
        finally:
            self._busy[log.schema] -= 1
            if not self._busy[log.schema]:
                del self._busy[log.schema]

    def wait_for(self, part: SharedPart) -> None:
        """Takes a part into the next transaction."""
        self._waiting.append(part)
        if len(self._carrying) < _UNDER_WAY:
            task = asyncio.create_task(self._carry_on(), name="transactions of several tenants")
            self._carrying.add(task)
            task.add_done_callback(self._carrying.discard)

    async def _carry_on(self) -> None:
        while self._waiting:
            parts = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_TOGETHER))]
            try:
                async with self._writers.connection() as connection:
                    try:
                        await _carry(connection, parts)
                    except BaseException:
                        await connection.close()
                        raise
            except BaseException as error:
                for part in parts:
                    part.fail(error)
                if not isinstance(error, Exception):
                    raise


async def _carry(connection: AsyncConnection[Any], parts: Sequence[SharedPart]) -> None:
    """One transaction: locks and reads for all of them, lets them decide, appends and commits."""
    locks = SqlStatement(_TRY_LOCKS, [_names(parts)])
    _, _, locked, *found = await pipeline(
        connection, BEGIN, _SHORT_WAITS, locks, *[part.asked for part in parts if part.asked]
    )
    for row, part in enumerate(parts):
        if locked.get_value(row, 0) != _LOCKED:
            part.fail(TimeoutError("another process writes to this tenant"))
            part.leave()
        elif not part.opened.done():
            part.opened.set_result((connection, found[row]))
    await _until_decided(parts)
    writing = [part for part in parts if part.appending]
    notified = [part for part in writing if part.notifies]
    ask = [statement for part in writing for statement in part.appending]
    ask.append(COMMIT if writing else ROLLBACK)
    if notified:
        # After the commit and no part of it, as Log.append says.
        ask.append(SqlStatement(_NOTIFY_ALL, [_names(notified)]))
    async with connection.lock:  # one that is left behind may still be reading
        await pipeline(connection, *ask)
    for part in writing:
        if not part.written.done():
            part.written.set_result(None)


async def _until_decided(parts: Sequence[SharedPart]) -> None:
    """Waits for them; whoever is slow is left behind, with nothing written."""
    pending = {part.decided for part in parts}
    while pending:
        done, pending = await asyncio.wait(pending, timeout=_PATIENT_SECONDS)
        if not done and len(pending) < len(parts):
            break
    for part in parts:
        if part.decided in pending:
            part.fail(TimeoutError("it is decided for longer than others wait"), ALONE_SECONDS)


def _names(parts: Sequence[SharedPart]) -> bytes:
    return msgspec.json.encode([part.log.schema for part in parts])
