"""The serial executor on a real PostgreSQL: what it promises, also when things break."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier
from psycopg.types.json import Jsonb

from ledger.engine import book, snapshots
from ledger.engine.book import Book
from ledger.engine.commands import Command, DecisionFailed, Receipt
from ledger.engine.executor import Ledger
from ledger.engine.registry import UnknownFact
from ledger.engine.shelf import Memory
from ledger.facts import Fact
from ledger.refusals import (
    DeadlinePassed,
    Forbidden,
    Malformed,
    QueueFull,
    RequestReused,
    ShuttingDown,
    StorageUnavailable,
)
from ledger.view import Miss
from tests.support.relay import Cut, Relay
from tests.support.stalls import (
    NOUNS,
    CoinsGiven,
    CoinsTaken,
    Cursed,
    EmptyTenant,
    TooFewCoins,
    a_ledger,
    coins_of,
    command,
    give,
    lock_held,
    take,
)


async def stored(ledger: Ledger) -> list[tuple[int, str, int, str | None]]:
    return [
        (row.position, row.stream, row.version, row.command)
        for row in await ledger.log.past_where("notification_id > %b", [0], 100_000)
    ]


async def coins_in(ledger: Ledger, stall: str) -> int:
    """The coins by folding the log from its start, with nothing remembered."""
    rows = await ledger.log.read_stream(f"stall-{stall}")
    facts = [(row.stream, ledger.book.registry.decode(row.topic, row.state)) for row in rows]
    return coins_of(Book.of(NOUNS, facts), stall)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what it waits for sets no event
        await asyncio.sleep(0.005)


# --- what a command does --------------------------------------------------------------------------


async def test_a_receipt_states_the_last_position_and_the_version_of_the_subject(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as ledger:
        assert await ledger.execute(take("r1", "pears", times=2)) == Receipt(2, 2, False)
        assert await ledger.execute(take("r2", "figs")) == Receipt(3, 1, False)
        assert await stored(ledger) == [
            (1, "stall-pears", 1, "r1"),
            (2, "stall-pears", 2, "r1"),
            (3, "stall-figs", 1, "r2"),
        ]


async def test_each_command_sees_the_facts_of_those_before_it_in_the_same_batch(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as ledger:
        answers = await ledger.execute_many([take("a", "pears"), give("b", "pears"), give("c", "pears")])
        assert answers[:2] == [Receipt(1, 1, False), Receipt(2, 2, False)]
        assert isinstance(answers[2], TooFewCoins)


async def test_warnings_come_with_the_receipt_and_again_with_its_replay(tenant: EmptyTenant) -> None:
    odd = structs.replace(take("r1", "pears"), warnings=['the scales are "off"', "a NUL \0 stood here"])
    warnings = ('the scales are "off"', "a NUL  stood here")
    async with a_ledger(tenant) as ledger:
        answers = await ledger.execute_many([take("r0", "pears"), odd, take("r2", "pears")])
        assert answers == [Receipt(1, 1, False), Receipt(2, 2, False, warnings), Receipt(3, 3, False)]
    async with a_ledger(tenant) as ledger:
        assert await ledger.execute(odd) == Receipt(2, 2, True, warnings)
        assert await ledger.execute(take("r2", "pears")) == Receipt(3, 3, True)


async def test_a_stored_refusal_of_another_version_is_answered_as_it_was_and_harms_no_other(
    tenant: EmptyTenant,
) -> None:
    async with a_ledger(tenant) as ledger:
        with pytest.raises(TooFewCoins) as refused:
            await ledger.execute(give("r1", "pears"))
        async with ledger.log.pool.connection() as connection:
            newer = SQL("UPDATE {}.ledger_commands SET refusal = refusal || %s")
            await connection.execute(
                newer.format(Identifier(ledger.log.schema)), (Jsonb({"reason": "OF_ANOTHER_VERSION"}),)
            )
    async with a_ledger(tenant) as ledger:
        before, again, after = await ledger.execute_many(
            [take("r0", "pears"), give("r1", "pears"), take("r2", "pears")]
        )
        assert (before, after) == (Receipt(1, 1, False), Receipt(2, 2, False))
        assert isinstance(again, Forbidden)
        assert (again.reason, again.message) == ("OF_ANOTHER_VERSION", refused.value.message)
        assert again.details == refused.value.details


async def test_a_command_that_records_no_facts_is_remembered_at_the_head_of_the_log(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as ledger:
        await ledger.execute(take("r1", "pears"))
        nothing = command("r2", lambda view: [], "pears")
        assert await ledger.execute(nothing) == Receipt(1, 1, False)
        await ledger.execute(take("r3", "pears"))
        assert await ledger.execute(nothing) == Receipt(1, 1, True)


async def test_a_command_is_not_answered_before_its_facts_are_committed(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as ledger, a_ledger(tenant) as reader:
        for number in range(20):
            receipt = await ledger.execute(take(f"r{number}", "pears"))
            assert await reader.log.head() == receipt.position


async def test_commands_apply_in_the_order_they_came_also_when_streams_have_to_be_loaded(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as earlier:
        await earlier.execute_many([take(f"before-{number}", f"s{number}") for number in range(20)])
    async with a_ledger(tenant, tail_limit=5) as ledger:
        commands = []
        for number in range(20):
            commands.append(give(f"give-{number}", f"s{number}", hint=number % 3 == 0))
            commands.append(give(f"again-{number}", f"s{number}", hint=number % 2 == 0))
            commands.append(take(f"take-{number}", f"s{(number + 7) % 20}", hint=False))
        answers = await ledger.execute_many(commands)
        applied = [one.request_id for one, answer in zip(commands, answers, strict=True) if type(answer) is Receipt]
        assert [row[3] for row in (await stored(ledger))[20:]] == applied
        # After s0..s6 were filled again by takes, their turn had passed; from s7 on the takes come first.
        refused = [one.request_id for one, answer in zip(commands, answers, strict=True) if type(answer) is TooFewCoins]
        assert refused == [f"again-{number}" for number in range(7)]


async def test_a_decision_is_run_again_for_each_stream_it_turns_out_to_need(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as earlier:
        await earlier.execute_many([take("b1", "a", 1), take("b2", "b1", 1), take("b3", "c1", 5)])
    runs = 0

    def follow_the_coins(view: Any) -> list[Any]:
        nonlocal runs
        runs += 1
        first = coins_of(view, "a")
        second = coins_of(view, f"b{first}")
        return [("stall-end", CoinsTaken(coins_of(view, f"c{second}")))]

    async with a_ledger(tenant) as ledger:
        assert (await ledger.execute(command("r", follow_the_coins))).position == 4
        assert await coins_in(ledger, "end") == 5
        assert runs == 5


async def test_a_decision_that_asks_for_ever_more_streams_fails_alone(tenant: EmptyTenant) -> None:
    names = iter(range(10**6))

    def never_enough(view: Any) -> list[Any]:
        raise Miss([f"stall-{next(names)}"])

    async with a_ledger(tenant) as ledger:
        answers = await ledger.execute_many([command("bad", never_enough), take("good", "pears")])
        assert isinstance(answers[0], DecisionFailed)
        assert answers[1] == Receipt(1, 1, False)


# --- exactly once ---------------------------------------------------------------------------------


async def test_repeating_a_request_returns_its_first_receipt_whatever_happened_since(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as ledger:
        first = await ledger.execute(take("r1", "pears"))
        await ledger.execute(give("r2", "pears"))
        assert await ledger.execute(take("r1", "pears")) == Receipt(first.position, first.version, True)
        assert await ledger.log.head() == 2


async def test_repeating_a_refused_request_returns_its_first_refusal(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as ledger:
        with pytest.raises(TooFewCoins, match="1 coins asked of pears, 0 there"):
            await ledger.execute(give("r1", "pears"))
        await ledger.execute(take("r2", "pears", 10))
    async with a_ledger(tenant) as ledger:
        with pytest.raises(TooFewCoins, match="1 coins asked of pears, 0 there") as refused:
            await ledger.execute(give("r1", "pears"))
        assert refused.value.details == {"stall": "pears", "asked": "1", "coins": "0"}


async def test_a_request_id_with_other_content_is_refused_and_the_first_outcome_stays(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as ledger:
        await ledger.execute(take("r1", "pears"))
        with pytest.raises(RequestReused, match="request r1 was used before"):
            await ledger.execute(take("r1", "pears", 5))
        assert (await ledger.execute(take("r1", "pears"))).replayed
        assert await coins_in(ledger, "pears") == 1


async def test_the_same_request_twice_in_one_batch_is_decided_once(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as ledger:
        commands = [take("r1", "pears"), take("r1", "pears"), take("r1", "pears", 7), give("r2", "x"), give("r2", "x")]
        first, second, reused, refused, again = await ledger.execute_many(commands)
        assert (first, second) == (Receipt(1, 1, False), Receipt(1, 1, True))
        assert isinstance(reused, RequestReused)
        assert isinstance(refused, TooFewCoins)
        assert isinstance(again, TooFewCoins)
        assert len(await stored(ledger)) == 1


async def test_a_malformed_request_is_not_remembered(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as ledger:

        def misread(view: Any) -> list[Any]:
            raise Malformed(("coins", "not a number"))

        with pytest.raises(Malformed):
            await ledger.execute(command("r1", misread, fingerprint="one"))
        assert not (await ledger.execute(command("r1", lambda view: [], fingerprint="two"))).replayed


# --- several writers ------------------------------------------------------------------------------


async def test_two_ledgers_writing_at_once_never_oversell_and_leave_no_gap(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as one, a_ledger(tenant, tail_limit=3) as two:
        await one.execute(take("fill", "pears", 100))
        calls = [
            (one if number % 2 else two).execute(give(f"r{number}", "pears"))
            for number in random.Random(1).sample(range(300), 300)
        ]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(answer, Receipt) for answer in answers) == 100
        assert sum(isinstance(answer, TooFewCoins) for answer in answers) == 200
        rows = await stored(one)
        assert [row[0] for row in rows] == list(range(1, 102))
        assert [row[2] for row in rows] == list(range(1, 102))


async def test_a_request_sent_to_two_ledgers_at_once_is_applied_once(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as one, a_ledger(tenant) as two:
        calls = [each.execute(take(f"r{number}", "pears")) for number in range(50) for each in (one, two)]
        receipts = await asyncio.gather(*calls)
        assert sum(receipt.replayed for receipt in receipts) == 50
        assert await coins_in(one, "pears") == 50


async def test_a_ledger_that_keeps_few_streams_decides_as_one_that_keeps_all(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant, streams_kept=2) as ledger:
        for turn in range(5):
            await ledger.execute_many([take(f"t{turn}-{number}", f"s{number}") for number in range(10)])
        assert [await coins_in(ledger, f"s{number}") for number in range(10)] == [5] * 10
        assert len(ledger.book.shelf) == 2


async def test_a_ledger_with_little_memory_decides_as_one_with_plenty(tenant: EmptyTenant) -> None:
    memory = Memory(5_000)
    async with a_ledger(tenant, memory=memory) as ledger, a_ledger(tenant, memory=memory) as other:
        for turn in range(5):
            each = (ledger, other)[turn % 2]
            await each.execute_many([take(f"t{turn}-{number}", f"s{number}") for number in range(10)])
            assert 0 < ledger.book.shelf.memory_bytes + other.book.shelf.memory_bytes <= 5_000
        assert [await coins_in(ledger, f"s{number}") for number in range(10)] == [5] * 10


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 3), st.integers(1, 3)), max_size=12)),
    st.integers(0, 20),
)
def test_any_batches_over_two_ledgers_give_what_one_after_another_gives(
    tenant: EmptyTenant, batches: list[list[tuple[bool, bool, int, int]]], tail_limit: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((book, "LONG_FACTS"), (snapshots, "LONG_FACTS"), (snapshots, "STEP_FACTS")):
            patch.setattr(module, name, 2)
        asyncio.run(_compare_with_a_plain_count(tenant, batches, tail_limit))


async def _compare_with_a_plain_count(
    tenant: EmptyTenant, batches: list[list[tuple[bool, bool, int, int]]], tail_limit: int
) -> None:
    prefix = os.urandom(6).hex()  # not random: hypothesis repeats that
    counts: dict[str, int] = {}
    options: dict[str, Any] = {"tail_limit": tail_limit, "streams_kept": 2}
    async with a_ledger(tenant, **options) as one, a_ledger(tenant, **options) as two:
        for turn, batch in enumerate(batches):
            commands, expected = [], []
            for number, (is_take, hint, stall_number, coins) in enumerate(batch):
                stall = f"{prefix}-{stall_number}"
                verb, there = (take if is_take else give), counts.get(stall, 0)
                commands.append(verb(f"{prefix}-{turn}-{number}", stall, coins, hint=hint))
                expected.append(is_take or there >= coins)
                if expected[-1]:
                    counts[stall] = there + (coins if is_take else -coins)
            answers = await (one if turn % 2 else two).execute_many(commands)
            assert [isinstance(answer, Receipt) for answer in answers] == expected
        for stall, coins in counts.items():
            assert await coins_in(one, stall) == coins


# --- limits ---------------------------------------------------------------------------------------


async def test_a_batch_waits_for_no_more_callers_than_there_are(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as ledger:
        expected = []

        async def caller(number: int) -> None:
            for turn in range(5):
                await ledger.execute(take(f"{number}-{turn}", f"s{number}"))
                expected.append(ledger._queue.callers)

        await asyncio.gather(*(caller(number) for number in range(32)))
        # Whoever was answered calls again while the others are: it is the same caller.
        assert max(expected) == 32


async def test_beyond_the_queue_callers_are_turned_away_at_once(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant, queue_limit=3) as ledger:
        async with lock_held(tenant):
            first = asyncio.create_task(ledger.execute(take("r0", "pears")))
            await until(lambda: ledger.waiting == 0 and not first.done())
            await asyncio.sleep(0.05)
            queued = [asyncio.create_task(ledger.execute(take(f"r{number}", "pears"))) for number in (1, 2, 3)]
            await until(lambda: ledger.waiting == 3)
            with pytest.raises(QueueFull, match="3 commands are waiting"):
                await ledger.execute(take("r4", "pears"))
        assert [receipt.position for receipt in await asyncio.gather(first, *queued)] == [1, 2, 3, 4]


async def test_a_command_whose_deadline_passed_is_dropped_and_not_remembered(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as ledger:
        deadline = asyncio.get_running_loop().time() + 0.1
        async with lock_held(tenant):
            late = asyncio.create_task(ledger.execute(take("late", "pears", deadline=deadline)))
            patient = asyncio.create_task(ledger.execute(take("patient", "pears")))
            await asyncio.sleep(0.2)
        with pytest.raises(DeadlinePassed):
            await late
        assert (await patient).position == 1
        assert await ledger.execute(take("late", "pears")) == Receipt(2, 2, False)


async def test_a_command_nobody_waits_for_any_more_is_not_decided(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as ledger:
        async with lock_held(tenant):
            gone = asyncio.create_task(ledger.execute(take("gone", "pears")))
            await asyncio.sleep(0.05)
            gone.cancel()
        assert (await ledger.execute(take("r", "pears"))).position == 1


async def test_too_many_commands_in_one_call_are_a_mistake_of_the_caller(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as ledger:
        with pytest.raises(ValueError, match="1001 commands at once; 1000 at most"):
            await ledger.execute_many([take(f"r{number}", "pears") for number in range(1001)])
        assert await ledger.execute_many([]) == []


async def test_draining_answers_all_that_is_queued_and_takes_no_more(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as ledger:
        calls = [asyncio.create_task(ledger.execute(take(f"r{number}", "pears"))) for number in range(200)]
        await asyncio.sleep(0)
        assert ledger.waiting == 200
        stopping = asyncio.create_task(ledger.stop())
        await asyncio.sleep(0)
        with pytest.raises(ShuttingDown):
            await ledger.execute(take("late", "pears"))
        await stopping
        assert len(await asyncio.gather(*calls)) == 200
        assert await coins_in(ledger, "pears") == 200


async def test_stopping_without_draining_turns_away_all_that_is_queued(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as ledger, lock_held(tenant):
        calls = [asyncio.create_task(ledger.execute(take(f"r{number}", "pears"))) for number in range(5)]
        await asyncio.sleep(0.05)
        await ledger.stop(drain=False)
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(answer) for answer in answers] == [ShuttingDown] * 5
        assert await ledger.log.head() == 0


async def test_a_long_batch_leaves_the_event_loop_to_others(tenant: EmptyTenant) -> None:
    def slow(view: Any) -> list[Any]:
        deadline = time.thread_time() + 0.001
        while time.thread_time() < deadline:
            pass
        return []

    async with a_ledger(tenant) as ledger:
        batch = asyncio.create_task(ledger.execute_many([command(f"r{number}", slow) for number in range(300)]))
        # In time of this thread, so that what else the machine does is not counted.
        longest, turned_at = 0.0, time.thread_time()
        while not batch.done():
            await asyncio.sleep(0)
            now = time.thread_time()
            longest, turned_at = max(longest, now - turned_at), now
        assert longest < 0.15  # of the 0.3 s that the decisions take


# --- mistakes of ours -----------------------------------------------------------------------------


def _broken(view: Any) -> list[Any]:
    view.need("stall-pears")
    raise ZeroDivisionError


class Stranger(Fact, frozen=True, tag="stranger"):
    pass


POISONS: dict[str, Callable[[], Command]] = {
    "a decision that breaks": lambda: command("bad", _broken),
    "a fact that does not fold": lambda: command(
        "bad", lambda view: [("stall-pears", CoinsTaken(9)), ("stall-pears", Cursed())], "pears"
    ),
    "a fact of no noun": lambda: command("bad", lambda view: [("stall-pears", Stranger())], "pears"),
    "a fact of another noun": lambda: command("bad", lambda view: [("order-1", CoinsTaken(1))], "pears"),
    "a fact that cannot be written down": lambda: command(
        "bad",
        lambda view: [("stall-pears", CoinsTaken(object()))],  # type: ignore[arg-type]
        "pears",
    ),
    "a request id that PostgreSQL cannot store": lambda: take("bad\0", "pears", 9),
    "a request id that is no text": lambda: take("bad\ud800", "pears", 9),
    "a stream that PostgreSQL cannot store": lambda: command("bad", lambda view: [("stall-\0", CoinsTaken(1))]),
    "a request id too long for its index": lambda: take(random.Random(2).randbytes(9000).hex(), "pears", 9),
}


@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS.keys())
async def test_a_poisoned_command_fails_alone(
    tenant: EmptyTenant, poison: Callable[[], Command], caplog: pytest.LogCaptureFixture
) -> None:
    async with a_ledger(tenant) as ledger:
        await ledger.execute(take("before", "pears"))
        batch = [give("r1", "pears"), take("r2", "figs"), poison(), give("r3", "pears"), take("r4", "pears", 2)]
        first, second, bad, refused, last = await ledger.execute_many(batch)
        assert isinstance(bad, DecisionFailed)
        assert isinstance(refused, TooFewCoins)
        assert [first, second, last] == [Receipt(2, 2, False), Receipt(3, 1, False), Receipt(4, 3, False)]
        await ledger.execute(give("r5", "pears", 2))
        assert await coins_in(ledger, "pears") == 0
        assert (await ledger.execute(take("r2", "figs"))).replayed


async def test_what_cannot_be_read_is_refused_to_its_caller_alone_and_is_not_recorded(tenant: EmptyTenant) -> None:
    def unread(found: Command | Exception) -> Callable[[], Command]:
        def read() -> Command:
            if isinstance(found, Exception):
                raise found
            return found

        return read

    async with a_ledger(tenant) as ledger:
        mistakes = [Malformed(("coins", "is required")), KeyError("ours")]
        sent: list[Command | Exception] = [take("r1", "pears"), *mistakes, take("r1", "pears")]
        calls = [ledger.execute(unread(each)) for each in sent]
        first, refused, failed, again = await asyncio.gather(*calls, return_exceptions=True)
        assert (first, again) == (Receipt(1, 1, False), Receipt(1, 1, True))
        assert refused is mistakes[0]
        assert isinstance(failed, DecisionFailed)
        assert (await ledger.execute(unread(take("r2", "pears")))).version == 2
        with psycopg.connect(tenant.conninfo) as connection:
            known = connection.execute(f"SELECT request_id FROM {tenant.schema}.ledger_commands ORDER BY 1").fetchall()
        assert known == [("r1",), ("r2",)]


async def test_what_nobody_waits_for_any_more_is_not_decided_once_it_is_read(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as ledger:
        passed = asyncio.get_running_loop().time() - 1
        with pytest.raises(DeadlinePassed):
            await ledger.execute(lambda: take("late", "pears", deadline=passed))
        assert (await ledger.execute(lambda: take("late", "pears"))) == Receipt(1, 1, False)


async def test_names_are_stored_as_they_are_whatever_encoding_the_dsn_asks_for(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant, make_conninfo(tenant.conninfo, client_encoding="LATIN1")) as ledger:
        await ledger.execute(take("r1", "bïrnen-梨"))
        assert await coins_in(ledger, "bïrnen-梨") == 1
    async with a_ledger(tenant) as ledger:
        assert (await ledger.execute(give("r2", "bïrnen-梨"))).version == 2


async def test_a_refusal_may_quote_a_character_that_postgresql_cannot_store(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as ledger:

        def refuse(view: Any) -> list[Any]:
            raise TooFewCoins("pe\0ars \\u0000", 1, 0)

        for _ in range(2):
            with pytest.raises(TooFewCoins):
                await ledger.execute(command("r", refuse))


async def test_a_fact_of_a_newer_version_stops_only_the_commands_that_need_its_stream(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as ledger:
        await ledger.execute(take("r1", "pears"))
        with psycopg.connect(tenant.conninfo) as connection:
            connection.execute(
                f"INSERT INTO {tenant.schema}.ledger_events (originator_id, originator_version, topic, state,"
                " notification_id) VALUES ('stall-pears', 2, 'stall.painted', '{}', 2)"
            )
        failed, applied = await ledger.execute_many([give("r2", "pears"), take("r3", "figs")])
        assert isinstance(failed, DecisionFailed)
        assert "'stall.painted': a newer version of the service wrote it" in str(failed)
        assert applied == Receipt(3, 1, False)
        with pytest.raises(UnknownFact):
            ledger.book.registry.decode("stall.painted", b"{}")


# --- losses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", Cut)
async def test_a_connection_lost_around_the_commit_neither_loses_nor_repeats_a_command(
    tenant: EmptyTenant, cut: Cut
) -> None:
    async with Relay(tenant.conninfo) as relay, a_ledger(tenant, relay.conninfo) as ledger:
        await ledger.execute(take("before", "pears"))
        relay.cut = cut
        batch = [take("r1", "pears"), give("r2", "pears", 9), give("r3", "pears"), take("r4", "figs")]
        taken, refused, given_, other = await ledger.execute_many(batch)
        assert relay.losses == 1
        assert isinstance(refused, TooFewCoins)
        replayed = cut is Cut.AFTER_COMMIT_IS_DONE
        expected = [Receipt(2, 2, replayed), Receipt(3, 3, replayed), Receipt(4, 1, replayed)]
        if cut is Cut.AFTER_COMMIT_IS_PASSED_ON:
            # Whether the server read it before the line broke is its own affair.
            expected = [Receipt(each.position, each.version, taken.replayed) for each in expected]  # type: ignore[union-attr]
        assert [taken, given_, other] == expected
        assert [row[3] for row in await stored(ledger)] == ["before", "r1", "r3", "r4"]
        assert await coins_in(ledger, "pears") == 1
        assert (await ledger.execute(give("r5", "pears"))).position == 5


async def test_a_deadline_that_passes_behind_the_lock_does_not_deny_a_commit_that_happened(tenant: EmptyTenant) -> None:
    async with Relay(tenant.conninfo) as relay, a_ledger(tenant, relay.conninfo) as ledger:
        call = await _lose_the_answer_to_a_commit(ledger, relay, deadline_in=0.3)
        async with lock_held(tenant):
            await asyncio.sleep(0.4)
        assert await call == Receipt(2, 2, True)


async def test_a_deadline_that_passes_in_an_outage_does_not_deny_a_commit_that_happened(tenant: EmptyTenant) -> None:
    async with Relay(tenant.conninfo) as relay, a_ledger(tenant, relay.conninfo) as ledger:
        call = await _lose_the_answer_to_a_commit(ledger, relay, deadline_in=0.3)
        relay.down = True
        await asyncio.sleep(1.3)  # longer than one wait for a connection, so that the batch is looked at again
        relay.down = False
        assert await call == Receipt(2, 2, True)


async def _lose_the_answer_to_a_commit(ledger: Ledger, relay: Relay, *, deadline_in: float) -> asyncio.Task[Receipt]:
    await ledger.execute(take("before", "pears"))
    deadline = asyncio.get_running_loop().time() + deadline_in
    relay.cut = Cut.AFTER_COMMIT_IS_DONE
    call = asyncio.create_task(ledger.execute(take("r", "pears", deadline=deadline)))
    await until(lambda: relay.losses == 1)
    return call


async def test_a_server_process_killed_before_the_commit_is_replaced_and_the_commands_decided_again(
    tenant: EmptyTenant,
) -> None:
    async with a_ledger(tenant) as ledger:
        await ledger.execute(take("before", "pears"))
        async with lock_held(tenant) as other:
            calls = [asyncio.create_task(ledger.execute(take(f"r{number}", "pears"))) for number in range(20)]
            killed = 0
            while not killed:
                await asyncio.sleep(0.01)
                killed = await _kill_who_waits_for_the_lock(other)
        assert [receipt.position for receipt in await asyncio.gather(*calls)] == list(range(2, 22))
        assert await coins_in(ledger, "pears") == 21


async def _kill_who_waits_for_the_lock(connection: psycopg.AsyncConnection[Any]) -> int:
    cursor = await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        " AND pid = ANY(SELECT pid FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
    )
    return len(await cursor.fetchall())


async def test_while_the_database_is_away_callers_are_told_so_and_a_repeat_succeeds_later(tenant: EmptyTenant) -> None:
    async with Relay(tenant.conninfo) as relay, a_ledger(tenant, relay.conninfo, patience_seconds=1.0) as ledger:
        await ledger.execute(take("before", "pears"))
        relay.down = True
        with pytest.raises(StorageUnavailable, match="the database does not answer"):
            await ledger.execute(take("r", "pears"))
        with pytest.raises(StorageUnavailable):
            await ledger.log.head()
        assert ledger.trouble
        relay.down = False
        assert await ledger.execute(take("r", "pears")) == Receipt(2, 2, False)
        assert ledger.trouble is None


async def test_an_outage_shorter_than_the_patience_is_not_noticed_by_callers(tenant: EmptyTenant) -> None:
    async with Relay(tenant.conninfo) as relay, a_ledger(tenant, relay.conninfo) as ledger:
        await ledger.execute(take("before", "pears"))
        relay.down = True
        call = asyncio.create_task(ledger.execute(take("r", "pears")))
        await asyncio.sleep(0.3)
        relay.down = False
        assert await call == Receipt(2, 2, False)


# --- keys of people -------------------------------------------------------------------------------


# --- the book without a database ------------------------------------------------------------------


@pytest.mark.parametrize("others", [0, 1, 2, 3], ids=lambda number: f"{number} facts of others since")
async def test_a_server_that_takes_over_with_less_is_followed_from_where_it_is(
    tenant: EmptyTenant, others: int
) -> None:
    """An asynchronous standby can lack what was answered. What it has counts then, without a gap."""
    async with a_ledger(tenant) as ledger, a_ledger(tenant) as other:
        await ledger.execute_many([take("r1", "pears"), take("r2", "pears"), take("r3", "pears", times=1)])
        async with ledger.log.pool.connection() as connection:
            for lost in ("ledger_events WHERE notification_id > 1", "ledger_commands WHERE position > 1"):
                await connection.execute(SQL("DELETE FROM {}." + lost).format(Identifier(tenant.schema)))
        async with a_ledger(tenant) as third:
            for number in range(others):
                await third.execute(take(f"other-{number}", "pears", times=1))
        assert await ledger.execute(take("r2", "pears")) == Receipt(2 + others, 2 + others, False)
        assert await other.execute(take("r4", "pears")) == Receipt(3 + others, 3 + others, False)
        assert [row[0] for row in await stored(ledger)] == list(range(1, 4 + others))
        assert await coins_in(ledger, "pears") == coins_of(ledger.book, "pears") + 1


def test_a_book_of_facts_answers_decisions_without_a_database() -> None:
    book = Book.of(NOUNS, [("stall-pears", CoinsTaken(5))])
    book.record(give("r", "pears", 2).decide(book))
    assert coins_of(book, "pears") == 3
    assert coins_of(book, "figs") == 0
    assert book.position == 2
    with pytest.raises(TooFewCoins):
        give("r", "pears", 4).decide(book)


def test_a_book_names_all_that_is_missing_at_once() -> None:
    with pytest.raises(Miss) as miss:
        Book(NOUNS).need("stall-a", "stall-b")
    assert miss.value.streams == ("stall-a", "stall-b")


async def test_a_dropped_draft_leaves_nothing_behind() -> None:
    book = Book(NOUNS)
    await book.load(["stall-pears", "stall-figs"], [])
    draft = book.begin()
    draft.apply("stall-pears", CoinsTaken(5))
    draft.apply("stall-pears", CoinsGiven(1))
    assert coins_of(draft, "pears") == 4
    draft.drop()
    assert book.find("stall-pears") is None
    assert book.find("stall-figs") is not None
    assert book.position == 0
