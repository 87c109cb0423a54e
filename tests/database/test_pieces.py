"""A large batch is decided in pieces: others get in between, and whatever was committed stays."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest

from ledger.engine import executor
from ledger.engine.executor import Command, Receipt
from ledger.engine.queue import WaitingCall
from ledger.refusals import QueueFull, ShuttingDown
from tests.support.projecting import connect
from tests.support.service import HOUSE
from tests.support.stalls import CoinsTaken, EmptyTenant, a_ledger, command, give, lock_held, take
from tests.support.waiting import wait_for


@pytest.fixture
def in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """No transaction takes more than one command of a batch, after the first."""
    monkeypatch.setattr(executor, "PIECE_SECONDS", 0.0)


def batch(size: int) -> list[Command]:
    return [take(f"b{number}", "pears") for number in range(size)]


def heads(answers: list[Any]) -> list[int]:
    assert [type(answer) for answer in answers] == [Receipt] * len(answers)
    return [answer.position for answer in answers]


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


async def test_small_work_goes_together(tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(executor, "PIECE_SECONDS", 60.0)
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
    monkeypatch.setattr(executor, "PIECE_SECONDS", 0.2)
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
from ledger.engine import executor
from tests.database.test_pieces import batch
from tests.support.stalls import EmptyTenant, a_ledger

async def main():
    executor.PIECE_SECONDS = 0.0
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
