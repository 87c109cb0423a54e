"""Batches of several tenants in one transaction: each log is as if its tenant were alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from time import monotonic
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from adapters.database.postgres import open_pool
from ledger.engine import transactions
from ledger.engine.commands import Command, DecisionFailed, Receipt
from ledger.engine.executor import Ledger
from ledger.engine.log import CHANNEL, Log
from ledger.engine.transactions import Together
from ledger.facts import Change
from ledger.view import View
from tests.support.relay import Cut, Relay
from tests.support.stalls import NOUNS, CoinsTaken, EmptyTenant, TooFewCoins, a_ledger, command, give, lock_held, take
from tests.support.tenants import Tenants

ROUNDS = 6


@pytest.fixture
def tenants(handed_on: Tenants) -> Iterator[list[EmptyTenant]]:
    taken = [handed_on.take() for _ in range(4)]
    yield taken
    for tenant in taken:
        handed_on.give_back(tenant)


@asynccontextmanager
async def ledgers_of(tenants: Sequence[EmptyTenant], conninfo: str | None = None) -> AsyncIterator[list[Ledger]]:
    """The ledgers of several tenants in one process."""
    async with AsyncExitStack() as opened:
        pool = await opened.enter_async_context(open_pool(conninfo or tenants[0].conninfo, timeout=2.0, max_size=6))
        together = Together(pool)
        ledgers = [Ledger(Log(tenant.schema, pool), NOUNS, together=together) for tenant in tenants]
        for ledger in ledgers:
            await ledger.start()
            opened.push_async_callback(ledger.stop)
        yield ledgers


async def at_once(ledgers: Sequence[Ledger], commands: Sequence[Command]) -> list[Any]:
    return await asyncio.gather(
        *(ledger.execute(each) for ledger, each in zip(ledgers, commands, strict=True)), return_exceptions=True
    )


async def stored(ledger: Ledger) -> list[tuple[int, str, int, str | None]]:
    return [
        (row.position, row.stream, row.version, row.command)
        for row in await ledger.log.past_where("notification_id > %b", [0], 1000)
    ]


async def transactions_of(ledger: Ledger) -> set[int]:
    query = SQL("SELECT DISTINCT xmin::text::bigint FROM {}.ledger_events").format(Identifier(ledger.log.schema))
    return {row[0] for row in await ledger.log.rows(query.as_bytes(None))}


async def alter(tenant: EmptyTenant, statement: str) -> None:
    async with await psycopg.AsyncConnection.connect(tenant.conninfo, autocommit=True) as connection:
        await connection.execute(SQL(statement).format(Identifier(tenant.schema, "ledger_events")))


async def test_tenants_that_are_busy_at_once_share_transactions_and_each_log_is_dense(tenants: list[EmptyTenant]):
    async with ledgers_of(tenants) as ledgers:
        for turn in range(ROUNDS):
            answers = await at_once(ledgers, [take(f"r{turn}", "pears", times=2) for _ in ledgers])
            assert answers == [Receipt(2 * turn + 2, 2 * turn + 2, False)] * len(ledgers)
        shared = [await transactions_of(ledger) for ledger in ledgers]
        assert shared[1] & shared[2] & shared[3]
        for ledger in ledgers:
            assert [(position, version) for position, _, version, _ in await stored(ledger)] == [
                (number, number) for number in range(1, 2 * ROUNDS + 1)
            ]


async def test_those_who_follow_are_told_of_each_tenant(tenants: list[EmptyTenant]):
    async with (
        ledgers_of(tenants) as ledgers,
        await psycopg.AsyncConnection.connect(tenants[0].conninfo, autocommit=True) as listener,
    ):
        await listener.execute(SQL("LISTEN {}").format(Identifier(CHANNEL)))
        await at_once(ledgers, [take("r", "pears") for _ in ledgers])
        left = {tenant.schema for tenant in tenants}
        async for told in listener.notifies():
            left.discard(told.payload)
            if not left:
                break


async def test_a_request_that_is_repeated_is_answered_as_before_also_among_others(tenants: list[EmptyTenant]):
    async with ledgers_of(tenants) as ledgers:
        await at_once(ledgers, [take("r1", "pears") for _ in ledgers])
        again = await at_once(ledgers, [take("r1", "pears") for _ in ledgers])
        assert again == [Receipt(1, 1, True)] * len(ledgers)


async def test_what_one_is_refused_or_fails_to_decide_or_needs_late_concerns_no_other(tenants: list[EmptyTenant]):
    def broken(view: object) -> list[Any]:
        raise RuntimeError("broken")

    async with ledgers_of(tenants) as ledgers:
        first, refused, failed, late = await at_once(
            ledgers,
            [take("r", "pears"), give("r", "pears"), command("r", broken, "pears"), take("r", "figs", hint=False)],
        )
        assert (first, late) == (Receipt(1, 1, False), Receipt(1, 0, False))
        assert isinstance(refused, TooFewCoins)
        assert isinstance(failed, DecisionFailed)
        assert [len(await stored(ledger)) for ledger in ledgers] == [1, 0, 0, 1]


async def test_a_tenant_whose_database_refuses_its_facts_fails_alone(tenants: list[EmptyTenant]):
    await alter(tenants[2], "ALTER TABLE {} ADD CONSTRAINT no CHECK (false) NOT VALID")
    async with ledgers_of(tenants) as ledgers:
        for turn in range(ROUNDS):
            answers = await at_once(ledgers, [take(f"r{turn}", "pears") for _ in ledgers])
            assert isinstance(answers.pop(2), DecisionFailed)
            assert answers == [Receipt(turn + 1, turn + 1, False)] * 3
        await alter(tenants[2], "ALTER TABLE {} DROP CONSTRAINT no")
        assert await ledgers[2].execute(take("mended", "pears")) == Receipt(1, 1, False)
        assert [len(await stored(ledger)) for ledger in ledgers] == [ROUNDS, ROUNDS, 1, ROUNDS]


async def test_who_waits_for_another_process_keeps_nobody_else_waiting(tenants: list[EmptyTenant]):
    async with ledgers_of(tenants) as ledgers:
        async with lock_held(tenants[2]):
            held = asyncio.create_task(ledgers[2].execute(take("held", "pears")))
            others = [ledgers[number] for number in (0, 1, 3)]
            for turn in range(ROUNDS):
                answers = await at_once(others, [take(f"r{turn}", "pears") for _ in others])
                assert answers == [Receipt(turn + 1, turn + 1, False)] * 3
            assert not held.done()
        assert await held == Receipt(1, 1, False)


async def test_a_table_that_is_locked_keeps_only_its_own_tenant(tenants: list[EmptyTenant]):
    async with ledgers_of(tenants) as ledgers, await psycopg.AsyncConnection.connect(tenants[2].conninfo) as locking:
        await locking.execute(SQL("LOCK TABLE {}").format(Identifier(tenants[2].schema, "ledger_events")))
        held = asyncio.create_task(ledgers[2].execute(take("held", "pears")))
        others = [ledgers[number] for number in (0, 1, 3)]
        for turn in range(ROUNDS):
            answers = await at_once(others, [take(f"r{turn}", "pears") for _ in others])
            assert answers == [Receipt(turn + 1, turn + 1, False)] * 3
        assert not held.done()
        await locking.rollback()
        assert await held == Receipt(1, 1, False)


@pytest.mark.parametrize("cut", Cut)
async def test_a_connection_lost_around_the_commit_loses_and_repeats_nothing_of_any_tenant(
    tenants: list[EmptyTenant], cut: Cut
):
    async with Relay(tenants[0].conninfo) as relay, ledgers_of(tenants, relay.conninfo) as ledgers:
        await at_once(ledgers, [take("before", "pears") for _ in ledgers])
        relay.cut = cut
        answers = await at_once(ledgers, [take("r", "pears") for _ in ledgers])
        assert relay.losses >= 1
        assert [(each.position, each.version) for each in answers] == [(2, 2)] * len(ledgers)
        for ledger in ledgers:
            assert [row[3] for row in await stored(ledger)] == ["before", "r"]


async def test_a_writer_that_is_stopped_among_others_stops_none_of_them(tenants: list[EmptyTenant]):
    async with ledgers_of(tenants) as ledgers:
        calls = [asyncio.create_task(ledger.execute(take("r", "pears"))) for ledger in ledgers]
        await asyncio.sleep(0.005)
        await ledgers[3].stop(drain=False)
        answers = await asyncio.gather(*calls[:3])
        assert answers == [Receipt(1, 1, False)] * 3
        await asyncio.gather(calls[3], return_exceptions=True)


async def test_no_time_limit_of_the_database_ends_the_transaction_of_a_batch(tenant: EmptyTenant):
    limits = make_conninfo(tenant.conninfo, options="-c statement_timeout=50ms -c transaction_timeout=100ms")
    async with a_ledger(tenant, limits) as ledger:
        async with lock_held(tenant):
            call = asyncio.create_task(ledger.execute(take("r1", "pears")))
            await asyncio.sleep(0.4)
            assert not call.done()
        assert (await call).position == 1
        assert ledger._measures.retries == 0


async def test_nobody_waits_for_long_for_another_tenant_that_is_decided(
    tenants: list[EmptyTenant], monkeypatch: pytest.MonkeyPatch
):
    def slowly(request_id: str) -> Command:
        def decide(view: View) -> Sequence[Change]:
            view.need("stall-pears")
            time.sleep(0.02)
            return [("stall-pears", CoinsTaken(1))]

        return command(request_id, decide, "pears")

    monkeypatch.setattr(transactions, "_UNDER_WAY", 1)  # the last two wait together while the second is written
    async with ledgers_of(tenants) as ledgers:
        await at_once(ledgers, [take("before", "pears") for _ in ledgers])
        *others, slow, quick = ledgers
        calls = [asyncio.create_task(each.execute(take("o", "pears"))) for each in others]
        slow_calls = [asyncio.create_task(slow.execute(slowly(f"s{number}"))) for number in range(40)]
        await asyncio.gather(*calls, quick.execute(take("q", "pears")))
        assert not any(each.done() for each in slow_calls)
        receipts = await asyncio.gather(*slow_calls)
        assert [each.position for each in receipts] == list(range(2, 42))
        assert slow._alone_until > monotonic() + 5, "nor is it begun again with others at once"
