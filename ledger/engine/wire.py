"""Several statements in one round trip to PostgreSQL, through libpq's own pipeline.

psycopg has a general pipeline too, but it takes three times the processor time, on the one thread that everybody
waits for. So a batch's two round trips are made here, and everything else uses psycopg.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Generator, Sequence
from itertools import accumulate, count
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from psycopg import AsyncConnection, OperationalError
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg.waiting import Ready, Wait

_BINARY = 1
_DONE = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)


class SqlStatement(NamedTuple):
    """A statement and its parameters as text; ``$1`` is the first of them."""

    statement: bytes
    parameters: Sequence[bytes] = ()
    prepare: bool = True
    """Whether it is planned once for the connection."""


_prepared: WeakKeyDictionary[AsyncConnection[Any], OrderedDict[bytes, bytes]] = WeakKeyDictionary()
"""What each connection has prepared: names by statement, the one used longest ago first. A connection serves many
tenants; it keeps as many as psycopg is set to keep of its own."""

_numbers = count()


async def pipeline(connection: AsyncConnection[Any], *statements: SqlStatement) -> list[PGresult]:
    """The result of each statement, its columns in binary.

    Raises the error of the first that fails, as psycopg would, and then closes the connection: what it has
    prepared is uncertain, as is what it would still answer, and a new one takes only milliseconds.
    """
    return await Pipeline(connection, statements).results()


class Pipeline:
    """Groups of statements that are sent at once; the results of each group can be had as soon as it has run.

    An error is raised as by ``pipeline``, with the group in which it happens.
    """

    __slots__ = ("_connection", "_counts")

    def __init__(self, connection: AsyncConnection[Any], *groups: Sequence[SqlStatement]) -> None:
        pg, names, most = connection.pgconn, _prepared.setdefault(connection, OrderedDict()), connection.prepared_max
        self._connection = connection
        self._counts: deque[list[int]] = deque()
        try:
            pg.enter_pipeline_mode()
            for group in groups:
                self._counts.append([_send(pg, names, most, *each) for each in group])
                pg.pipeline_sync()
        except BaseException:
            pg.finish()
            raise

    def has_come(self) -> bool:
        """Whether the next group has run, or its first statement."""
        pg = self._connection.pgconn
        pg.consume_input()
        return not pg.is_busy()

    async def results(self) -> list[PGresult]:
        """Those of the next group."""
        pg, counts = self._connection.pgconn, self._counts.popleft()
        try:
            results = await self._connection.wait(_results(pg))
            if not self._counts:
                pg.exit_pipeline_mode()
        except BaseException:
            pg.finish()
            raise
        return [results[end - 1] for end in accumulate(counts)]


def _send(
    pg: PGconn,
    names: OrderedDict[bytes, bytes],
    most: int | None,
    statement: bytes,
    parameters: Sequence[bytes],
    prepare: bool,
) -> int:
    """Sends a statement; returns how many results come, its own after those of preparing it."""
    preparing = 0
    if not prepare:
        pg.send_query_params(statement, parameters, result_format=_BINARY)
        return 1
    if statement in names:
        names.move_to_end(statement)
    else:
        if most is not None and len(names) >= most:
            pg.send_query_params(b"DEALLOCATE " + names.popitem(last=False)[1], None)
            preparing += 1
        names[statement] = b"wire_%d" % next(_numbers)
        pg.send_prepare(names[statement], statement)
        preparing += 1
    pg.send_query_prepared(names[statement], parameters, result_format=_BINARY)
    return preparing + 1


def _results(pg: PGconn) -> Generator[Wait, Ready | int, list[PGresult]]:
    """Everything up to the pipeline's end, for psycopg to wait for."""
    while pg.flush():
        if (yield Wait.RW) & Ready.R:
            pg.consume_input()
    results: list[PGresult] = []
    while True:
        while pg.is_busy():
            yield Wait.R
            pg.consume_input()
        result = pg.get_result()
        if result is None:  # the end of one statement's results
            if pg.status == ConnStatus.BAD:
                raise OperationalError("the connection was lost")
        elif result.status == ExecStatus.PIPELINE_SYNC:
            return results
        elif result.status in _DONE:
            results.append(result)
        else:
            raise error_from_result(result)
