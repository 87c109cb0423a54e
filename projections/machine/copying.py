"""The rows of a query as PostgreSQL itself writes them, many in a piece: they are sent on and never read here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from typing import Any, NamedTuple

from psycopg import AsyncConnection
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn
from psycopg.sql import Composed
from psycopg.waiting import Ready, Wait

PIECE_BYTES = 256 << 10


class Copied(NamedTuple):
    """Whole rows."""

    data: bytes
    rows: int


async def copied(connection: AsyncConnection[Any], copy: Composed) -> AsyncIterator[Copied]:
    """What a COPY ... TO STDOUT writes, in pieces; whoever stops taking them ends it.

    psycopg gives it row by row, at ten times the processor time, on the one thread that everybody waits for.
    """
    async with connection.cursor() as cursor, cursor.copy(copy):
        ended = False
        while not ended:
            piece, ended = await connection.wait(_piece(connection.pgconn))
            if piece.rows:
                yield piece


def _piece(pg: PGconn) -> Generator[Wait, Ready | int, tuple[Copied, bool]]:
    """The next rows, and whether they are the last."""
    rows: list[Any] = []
    size = 0
    while size < PIECE_BYTES:
        length, row = pg.get_copy_data(1)
        if length > 0:
            rows.append(row)
            size += length
        elif length == 0:
            yield from _more(pg)
        else:
            yield from _ended(pg)
            return Copied(b"".join(rows), len(rows)), True
    return Copied(b"".join(rows), len(rows)), False


def _more(pg: PGconn) -> Generator[Wait, Ready | int, None]:
    while not (yield Wait.R):
        continue
    pg.consume_input()


def _ended(pg: PGconn) -> Generator[Wait, Ready | int, None]:
    """Raises what went wrong, if anything did."""
    while True:
        while pg.is_busy():
            yield from _more(pg)
        result = pg.get_result()
        if result is None:
            return
        if result.status != ExecStatus.COMMAND_OK:
            raise error_from_result(result)
