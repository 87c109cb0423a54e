"""A large batch is decided in pieces: others get in between, and whatever was committed stays."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from time import monotonic
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from ledger.engine import executor, gathering, pieces, run
from ledger.engine.aside import FoldedAside
from ledger.engine.commands import Command, DecisionFailed, Receipt
from ledger.engine.executor import Ledger
from ledger.engine.measures import Passed
from ledger.engine.queue import QueuedCommand, WaitingCall
from ledger.refusals import DeadlinePassed, QueueFull, Refusal, ShuttingDown
from tests.support.projecting import connect
from tests.support.relay import Cut, Relay
from tests.support.service import HOUSE
from tests.support.stalls import CoinsTaken, EmptyTenant, TooFewCoins, a_ledger, command, give, lock_held, take
from tests.support.waiting import wait_for


@pytest.fixture
def in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """No transaction takes more than one command of a batch, after the first."""
    for module in (run, pieces):
        monkeypatch.setattr(module, "PIECE_SECONDS", 0.0)


def batch(size: int) -> list[Command]:
    return [take(f"b{number}", "pears") for number in range(size)]


def heads(answers: list[Any]) -> list[int]:
    assert [type(answer) for answer in answers] == [Receipt] * len(answers)
    return [answer.position for answer in answers]


async def recorded_by(ledger: Ledger) -> dict[str, int]:
    """The position that each request came to."""
    outcomes = await ledger.log.rows(
        f"SELECT request_id, position FROM {ledger.log.schema}.ledger_commands".encode(), ()
    )
    return dict(outcomes)


async def test_another_caller_gets_in_between(tenant: EmptyTenant, in_small_pieces: None):
    async with a_ledger(tenant) as ledger:
        large = asyncio.create_task(ledger.execute_many(batch(40)))
        await asyncio.sleep(0)
        other = await ledger.execute(take("other", "plums"))
        positions = heads(await large)
        assert positions == sorted(positions), "in order"
        assert positions[0] < other.position < positions[-1]
        assert sorted([*positions, other.position]) == list(range(1, 42))


async def test_two_large_batches_take_turns(tenant: EmptyTenant, in_small_pieces: None):
    async with a_ledger(tenant) as ledger:
        others = [take(f"o{number}", "plums") for number in range(40)]
        one, two = await asyncio.gather(ledger.execute_many(batch(40)), ledger.execute_many(others))
        assert heads(one)[-1] > heads(two)[0], "the first was not done when the second began"
        assert heads(two)[-1] > heads(one)[0]
        assert sorted(heads(one) + heads(two)) == list(range(1, 81))


async def test_a_piece_that_goes_on_in_the_next_transaction_leaves_nothing_out(
    tenant: EmptyTenant, in_small_pieces: None, monkeypatch: pytest.MonkeyPatch
):
    """Two transactions share the third batch's first piece, and the first of them has no time left for its part."""
    monkeypatch.setattr(executor, "MOST_AT_ONCE", 40)
    async with a_ledger(tenant) as ledger:
        batches = [[take(f"{caller}{number}", "pears") for number in range(40)] for caller in "abc"]
        answers = await asyncio.gather(*map(ledger.execute_many, batches))
        recorded = await recorded_by(ledger)
    for commands, each in zip(batches, answers, strict=True):
        assert heads(each) == [recorded.get(command.request_id) for command in commands]
        assert heads(each) == sorted(heads(each)), "in order"
        assert not any(answer.replayed for answer in each if isinstance(answer, Receipt))


async def test_what_was_committed_before_the_answer_was_lost_is_not_put_off(
    tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch
):
    """Sent again after its deadline, it would be said not to be recorded."""
    async with Relay(tenant.conninfo) as relay, a_ledger(tenant, relay.conninfo) as ledger:
        await ledger.execute(take("before", "pears"))
        relay.cut, deadline = Cut.AFTER_COMMIT_IS_DONE, monotonic() + 0.3
        batch = [take(f"r{number}", "pears", deadline=deadline) for number in range(4)]
        call = asyncio.create_task(ledger.execute_many(batch))
        await asyncio.to_thread(wait_for, lambda: relay.losses, pause=0.005)
        monkeypatch.setattr(run, "PIECE_SECONDS", -1.0)
        async with lock_held(tenant):
            await asyncio.sleep(0.4)
        assert heads(await call) == [2, 3, 4, 5]


class Hops:
    """A clock that goes on by half a second now and then, so that what is decided is long at any place."""

    def __init__(self, chance: random.Random) -> None:
        self._chance, self._ahead = chance, 0.0

    def __call__(self) -> float:
        self._ahead += 0.5 * (self._chance.random() < 0.1)
        return monotonic() + self._ahead


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chance=st.integers(0, 1 << 32).map(random.Random), cut=st.sampled_from([None, *Cut]))
def test_wherever_batches_are_cut_each_answer_is_of_its_own_command(
    tenant: EmptyTenant, chance: random.Random, cut: Cut | None
):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gathering, "MOST_AT_ONCE", chance.randint(30, 60))
        patch.setattr(pieces, "FIRST_PIECE", chance.randint(1, 30))
        clock = Hops(chance)
        for module in (executor, run):
            patch.setattr(module, "monotonic", clock)
        asyncio.run(_compare_answers_with_the_log(tenant, chance, cut, clock))


def _of(caller: str, number: int, chance: random.Random, clock: Hops) -> Command:
    request_id, late = f"{caller}-{number}", clock() + 3 if chance.random() < 0.3 else None
    if chance.random() < 0.03:
        return take(f"{request_id}\0", caller)  # PostgreSQL refuses the whole transaction
    return chance.choice((take, give))(request_id, caller, chance.randint(1, 3), deadline=late)


async def _compare_answers_with_the_log(
    tenant: EmptyTenant, chance: random.Random, cut: Cut | None, clock: Hops
) -> None:
    callers = [os.urandom(6).hex() for _ in range(4)]
    batches = [[_of(caller, number, chance, clock) for number in range(chance.randint(1, 30))] for caller in callers]
    # By a clock that hops, ten seconds of patience are soon over.
    async with Relay(tenant.conninfo) as relay, a_ledger(tenant, relay.conninfo, patience_seconds=600.0) as ledger:
        relay.cut = cut
        answered = await asyncio.gather(*map(ledger.execute_many, batches))
        recorded = await recorded_by(ledger)
        again = [
            await ledger.execute_many([structs.replace(each, deadline=None) for each in batch]) for batch in batches
        ]
    for commands, answers, later in zip(batches, answered, again, strict=True):
        coins, before = 0, 0
        for each, answer, repeated in zip(commands, answers, later, strict=True):
            assert (each.request_id in recorded) is isinstance(answer, Receipt | TooFewCoins), answer
            match answer:
                case Receipt(position=position):
                    assert position == recorded[each.request_id] > before
                    coins, before = coins + change_of(each), position
                    assert coins >= 0, "it was decided after those that its caller sent before it"
                    assert repeated == structs.replace(answer, replayed=True)
                case TooFewCoins():
                    assert coins + change_of(each) < 0
                    assert isinstance(repeated, Refusal)
                case _:
                    assert isinstance(answer, DeadlinePassed | DecisionFailed)


def change_of(command: Command) -> int:
    verb, _, coins = command.fingerprint.decode().split()
    return int(coins) if verb == "take" else -int(coins)


async def test_small_work_goes_together(tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch):
    for module in (run, pieces):
        monkeypatch.setattr(module, "PIECE_SECONDS", 60.0)
    sizes: list[int] = []

    class Counted(WaitingCall):
        def __init__(self, size: int, *, in_pieces: bool = False) -> None:
            sizes.append(size)
            super().__init__(size, in_pieces=in_pieces)

    monkeypatch.setattr(executor, "WaitingCall", Counted)
    async with a_ledger(tenant) as ledger:
        assert heads(await ledger.execute_many(batch(1_000))) == list(range(1, 1_001))
    assert sizes == [16, 128, 856]


async def test_slow_ones_after_quick_ones_are_put_off(tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch):
    """The second piece is large, because the first took no time; what is left of it is for later."""
    for module in (run, pieces):
        monkeypatch.setattr(module, "PIECE_SECONDS", 0.2)
    turned = asyncio.Event()

    def slow(number: int) -> Command:
        def decide(view: Any) -> Any:
            view.need("stall-pears")
            turned.set()
            end = loop.time() + 0.02
            while loop.time() < end:
                pass
            return [("stall-pears", CoinsTaken(1))]

        return command(f"s{number}", decide, "pears")

    async with a_ledger(tenant) as ledger:
        loop = asyncio.get_running_loop()
        large = asyncio.create_task(ledger.execute_many([*batch(16), *map(slow, range(40))]))
        await turned.wait()
        other = await ledger.execute(take("other", "plums"))
        assert other.position < heads(await large)[-1], "it did not wait for all forty"


async def test_a_kill_between_two_transactions_loses_nothing(tenant: EmptyTenant):
    one = await asyncio.to_thread(_killed_in_a_batch, tenant)
    async with a_ledger(tenant) as ledger:
        kept = await ledger.log.head()
        assert 0 < kept < 40, one
        answers = await ledger.execute_many(batch(40))
        assert heads(answers) == list(range(1, 41))
        assert [answer.replayed for answer in answers if isinstance(answer, Receipt)] == [True] * kept + [False] * (
            40 - kept
        )


_IN_A_PROCESS = """
import asyncio, sys, time
from ledger.engine import pieces, run
from tests.database.test_pieces import batch
from tests.support.stalls import EmptyTenant, a_ledger

async def main():
    run.PIECE_SECONDS = pieces.PIECE_SECONDS = 0.0
    async with a_ledger(EmptyTenant(*sys.argv[1:])) as ledger:
        settle = ledger._settle
        async def slowly(each):
            await settle(each)
            await asyncio.sleep(0.05)
        ledger._settle = slowly
        await ledger.execute_many(batch(40))

asyncio.run(main())
"""


def _killed_in_a_batch(tenant: EmptyTenant) -> int:
    process = subprocess.Popen([sys.executable, "-c", _IN_A_PROCESS, tenant.conninfo, tenant.schema], cwd=HOUSE)

    def recorded() -> int:
        with connect(tenant) as connection:
            query = f"SELECT count(*) FROM {tenant.schema}.ledger_events"
            return int(connection.execute(query.encode()).fetchall()[0][0])

    try:
        wait_for(lambda: recorded() >= 3)
    finally:
        process.kill()
        process.wait()
    return recorded()


async def test_draining_decides_the_rest_of_a_batch(tenant: EmptyTenant, in_small_pieces: None):
    async with a_ledger(tenant) as ledger:
        large = asyncio.create_task(ledger.execute_many(batch(40)))
        await asyncio.sleep(0)
        await ledger.stop()
        assert heads(await large) == list(range(1, 41))


async def test_a_batch_that_is_stopped_says_which_of_it_was_not_decided(tenant: EmptyTenant, in_small_pieces: None):
    half_way = asyncio.Event()

    def marked(view: Any) -> Any:
        half_way.set()
        return [("stall-plums", CoinsTaken(1))]

    async with a_ledger(tenant) as ledger:
        commands = [*batch(20), command("mark", marked, "plums"), *[take(f"c{n}", "pears") for n in range(20)]]
        large = asyncio.create_task(ledger.execute_many(commands))
        await half_way.wait()
        await ledger.stop(drain=False)
        decided = [isinstance(answer, Receipt) for answer in await large]
        recorded = await ledger.log.head()
        assert 20 <= sum(decided) <= recorded <= 21
        assert decided == [True] * sum(decided) + [False] * (41 - sum(decided))
        assert isinstance((await large)[-1], ShuttingDown)


async def test_what_is_still_to_come_of_a_batch_counts_as_waiting(tenant: EmptyTenant, in_small_pieces: None):
    async with a_ledger(tenant, queue_limit=45) as ledger, lock_held(tenant):
        large = asyncio.create_task(ledger.execute_many(batch(40)))
        await asyncio.sleep(0.05)
        assert ledger.waiting == 24, "the first sixteen are being decided"
        with pytest.raises(QueueFull):
            await ledger.execute_many([give(f"g{number}", "pears") for number in range(30)])
        large.cancel()
        await asyncio.gather(large, return_exceptions=True)
        assert ledger.waiting == 0


async def test_a_batch_for_which_much_is_read_again_and_again_comes_in_larger_pieces(
    tenant: EmptyTenant, in_small_pieces: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pieces, "LONG_READ_SECONDS", 0.04)
    bring_in = FoldedAside.bring_in

    async def slowly(self: FoldedAside, *rest: Any, **more: Any) -> None:
        await asyncio.sleep(0.05)
        await bring_in(self, *rest, **more)

    monkeypatch.setattr(FoldedAside, "bring_in", slowly)
    transactions: list[Passed] = []
    note = Ledger._committed

    def noted(self: Ledger, decided: list[QueuedCommand], passed: Passed) -> None:
        transactions.append(passed)
        note(self, decided, passed)

    monkeypatch.setattr(Ledger, "_committed", noted)
    async with a_ledger(tenant) as ledger:
        heads(await ledger.execute_many(batch(60)))
    assert len(transactions) < 30, "otherwise all pieces have one command"
