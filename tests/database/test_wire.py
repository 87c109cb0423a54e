"""Statements in one round trip, and what becomes of a connection on which one fails."""

import asyncio

import psycopg
import pytest

from adapters.database.postgres import open_pool
from ledger.engine.wire import SqlStatement, pipeline
from tests.support.stalls import EmptyTenant, a_ledger, take

SUM = b"SELECT $1::bigint + $2::bigint"


async def connect(tenant: EmptyTenant) -> psycopg.AsyncConnection:
    return await psycopg.AsyncConnection.connect(tenant.conninfo, autocommit=True)


def number(result: psycopg.pq.abc.PGresult) -> int:
    return int.from_bytes(result.get_value(0, 0) or b"", "big", signed=True)


async def test_each_statement_has_its_result_and_psycopg_goes_on(tenant: EmptyTenant) -> None:
    async with await connect(tenant) as connection:
        for _ in range(2):  # prepared, then known
            begun, first, second, done = await pipeline(
                connection,
                SqlStatement(b"BEGIN"),
                SqlStatement(SUM, (b"2", b"3")),
                SqlStatement(SUM, (b"-9", b"1")),
                SqlStatement(b"COMMIT"),
            )
            assert (number(first), number(second)) == (5, -8)
            assert (begun.command_status, done.command_status) == (b"BEGIN", b"COMMIT")
        assert await (await connection.execute("SELECT 7")).fetchone() == (7,)


async def test_more_than_a_socket_takes_at_once(tenant: EmptyTenant) -> None:
    async with await connect(tenant) as connection:
        large = b"x" * 20_000_000
        first, second = await pipeline(connection, *[SqlStatement(b"SELECT length($1::text), $1::text", (large,))] * 2)
        assert int.from_bytes(first.get_value(0, 0) or b"", "big") == len(large)
        assert second.get_value(0, 1) == large


async def test_after_an_error_nothing_is_run_and_the_connection_is_closed(tenant: EmptyTenant) -> None:
    async with await connect(tenant) as connection:
        table = f"{tenant.schema}.probe".encode()
        await pipeline(connection, SqlStatement(b"CREATE TABLE " + table + b" (n int)"))
        insert = SqlStatement(b"INSERT INTO " + table + b" VALUES ($1)", (b"1",))
        with pytest.raises(psycopg.errors.DivisionByZero):
            await pipeline(
                connection,
                SqlStatement(b"BEGIN"),
                insert,
                SqlStatement(b"SELECT 1 / 0"),
                insert,
                SqlStatement(b"COMMIT"),
            )
        assert connection.closed
    async with await connect(tenant) as connection:
        (found,) = await pipeline(connection, SqlStatement(b"SELECT count(*) FROM " + table))
        assert number(found) == 0


async def test_a_connection_that_is_lost_says_so(tenant: EmptyTenant) -> None:
    async with await connect(tenant) as connection, await connect(tenant) as other:
        waiting = asyncio.create_task(pipeline(connection, SqlStatement(b"SELECT pg_sleep(30)")))
        await asyncio.sleep(0.1)
        await other.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
        with pytest.raises(psycopg.OperationalError):
            await asyncio.wait_for(waiting, 10)
        with pytest.raises(psycopg.OperationalError):
            await pipeline(connection, SqlStatement(b"SELECT 1"))


async def test_who_stops_waiting_leaves_no_answer_for_the_next(tenant: EmptyTenant) -> None:
    async with await connect(tenant) as connection:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pipeline(connection, SqlStatement(b"SELECT pg_sleep(30)")), 0.2)
        assert connection.closed


async def test_what_was_prepared_longest_ago_makes_room(tenant: EmptyTenant) -> None:
    async with await connect(tenant) as connection:
        connection.prepared_max = 3
        for round_ in range(2):
            for each in range(5):
                kept, found = await pipeline(
                    connection, SqlStatement(SUM, (b"1", b"1")), SqlStatement(b"SELECT %d::bigint" % each)
                )
                assert (number(kept), number(found)) == (2, each), round_
        prepared = await (await connection.execute("SELECT count(*) FROM pg_prepared_statements")).fetchone()
        assert prepared == (3,)


async def test_a_batch_outlives_what_others_drop_from_its_connection(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as ledger, open_pool(tenant.conninfo, max_size=1) as writers:
        ledger.log.writers = writers
        first = await ledger.execute(take("r1", "pears"))
        async with writers.connection() as connection:
            await connection.execute("DEALLOCATE ALL")
        second = await ledger.execute(take("r2", "pears"))
        assert (first.version, second.version) == (1, 2)
