"""A long stream that has to be folded anew keeps waiting those who need it, and nobody else."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

import pytest

from ledger.engine import book, snapshots
from ledger.engine.commands import Command, DecisionFailed, Receipt
from ledger.engine.snapshots import Snapshots
from ledger.refusals import ShuttingDown
from ledger.view import Entry
from tests.support.projecting import connect
from tests.support.relay import Cut, Relay
from tests.support.stalls import EmptyTenant, a_ledger, coins_of, command, give, take
from tests.support.waiting import wait_for


class Folds:
    """Folds of long streams, which last until they may go on."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.may_go_on = asyncio.Event()
        self.others_may_go_on = False
        self.error: Exception | None = None

    async def one_has_begun(self) -> None:
        await asyncio.to_thread(wait_for, lambda: self.begun, pause=0.005)


@pytest.fixture
def folds(monkeypatch: pytest.MonkeyPatch) -> Folds:
    """Twenty facts make a long stream here."""
    for module, name in ((book, "LONG_FACTS"), (snapshots, "LONG_FACTS"), (snapshots, "STEP_FACTS")):
        monkeypatch.setattr(module, name, 20)
    folds, fold = Folds(), Snapshots.fold

    async def slow(self: Snapshots, stream: str, head: int) -> Entry:
        folds.begun.append(stream)
        is_another = folds.others_may_go_on  # as it began: the first may take long until it waits
        entry = await fold(self, stream, head)
        if not is_another:
            await folds.may_go_on.wait()
        if folds.error is not None:
            raise folds.error
        return entry

    monkeypatch.setattr(Snapshots, "fold", slow)
    return folds


@pytest.fixture
def pears(tenant: EmptyTenant, folds: Folds) -> EmptyTenant:
    """Has a stall with 65 facts and no snapshot."""

    async def fill() -> None:
        async with a_ledger(tenant) as ledger:
            for number in range(65):
                await ledger.execute(take(f"pears-{number}", "pears"))

    asyncio.run(fill())
    drop_snapshots(tenant)
    return tenant


def drop_snapshots(tenant: EmptyTenant) -> int:
    """How many there were."""
    with connect(tenant) as connection:
        return connection.execute(f"DELETE FROM {tenant.schema}.ledger_snapshots".encode()).rowcount


@pytest.mark.parametrize("hint", [True, False])
async def test_others_go_on_while_a_stream_is_folded(pears: EmptyTenant, folds: Folds, hint: bool):
    async with asyncio.timeout(20), a_ledger(pears, tail_limit=15) as ledger:
        calls = [asyncio.create_task(ledger.execute(give(f"p{number}", "pears", hint=hint))) for number in range(3)]
        await folds.one_has_begun()
        before = [await ledger.execute(take(f"b{number}", "plums")) for number in range(3)]
        assert [each.position for each in before] == [66, 67, 68]
        assert ledger.waiting == 3
        folds.others_may_go_on = True
        async with a_ledger(pears) as other:
            assert (await other.execute(take("other", "pears", 5))).position == 69
        assert (await ledger.execute(take("b3", "plums"))).position == 70, "it has passed what the other wrote"
        folds.may_go_on.set()
        after = await asyncio.gather(*calls)
        assert [each.position for each in after] == [71, 72, 73]
        assert coins_of(ledger.book, "pears") == 67
        assert folds.begun.count("stall-pears") == 2, "once in each process"


async def test_a_batch_stays_in_order_also_if_one_of_it_waits(pears: EmptyTenant, folds: Folds):
    async with asyncio.timeout(20), a_ledger(pears) as ledger:
        commands = [take("a", "plums"), give("b", "pears"), take("c", "plums"), give("d", "pears"), take("e", "figs")]
        batch = asyncio.create_task(ledger.execute_many(commands))
        await folds.one_has_begun()
        assert (await ledger.execute(take("other", "plums"))).position <= 67
        assert await ledger.log.head() == 67, "what comes before it is recorded, and nothing behind it"
        folds.may_go_on.set()
        answers = [answer for answer in await batch if isinstance(answer, Receipt)]
        assert [answer.position for answer in answers[1:]] == [68, 69, 70, 71]
        assert not any(answer.replayed for answer in answers)


async def test_draining_waits_for_the_fold(pears: EmptyTenant, folds: Folds):
    async with asyncio.timeout(20), a_ledger(pears) as ledger:
        call = asyncio.create_task(ledger.execute(give("p", "pears")))
        await folds.one_has_begun()
        stopping = asyncio.create_task(ledger.stop())
        await asyncio.sleep(0)
        folds.may_go_on.set()
        await stopping
        assert (await call).version == 66


async def test_who_waits_for_a_fold_is_turned_away_by_a_stop_without_draining(pears: EmptyTenant, folds: Folds):
    async with asyncio.timeout(20), a_ledger(pears) as ledger:
        call = asyncio.create_task(ledger.execute(give("p", "pears")))
        await folds.one_has_begun()
        await ledger.stop(drain=False)
        with pytest.raises(ShuttingDown):
            await call


async def test_a_fold_that_fails_harms_only_those_who_need_it(pears: EmptyTenant, folds: Folds):
    folds.error = ZeroDivisionError()
    async with asyncio.timeout(20), a_ledger(pears) as ledger:
        folds.may_go_on.set()
        with pytest.raises(DecisionFailed):
            await ledger.execute(give("p", "pears"))
        await ledger.execute(take("a", "plums"))
        folds.error = None
        assert (await ledger.execute(give("p", "pears"))).version == 66


async def test_a_deadline_that_passes_during_a_fold_does_not_deny_a_commit_that_happened(
    pears: EmptyTenant, folds: Folds
):
    folds.may_go_on.set()
    async with asyncio.timeout(20), Relay(pears.conninfo) as relay, a_ledger(pears, relay.conninfo) as ledger:
        await ledger.execute(take("before", "pears"))
        await asyncio.to_thread(wait_for, lambda: drop_snapshots(pears))
        await ledger._snapshots.settled()  # else the relay cuts the answer to that commit
        folds.may_go_on.clear()
        folds.begun.clear()
        relay.cut, deadline = Cut.AFTER_COMMIT_IS_DONE, monotonic() + 0.3

        def asked(number: int) -> Command:
            return take(f"r{number}", "pears" if number % 2 else "plums", deadline=deadline)

        batch = asyncio.create_task(ledger.execute_many([asked(number) for number in range(5)]))
        await folds.one_has_begun()
        await asyncio.sleep(0.4)
        folds.may_go_on.set()
        answers: list[Any] = await batch
        assert [(answer.position, answer.replayed) for answer in answers] == [(67 + n, True) for n in range(5)]


async def test_many_streams_are_folded_two_at_a_time_and_a_command_waits_for_all_that_it_needs(
    tenant: EmptyTenant, folds: Folds
):
    stalls = [f"stall{number}" for number in range(4)]
    async with a_ledger(tenant) as ledger:
        for stall in stalls:
            await ledger.execute(take(stall, stall, times=30))
    drop_snapshots(tenant)

    def decide(view: Any) -> Any:
        view.need(*[f"stall-{stall}" for stall in stalls])
        assert [coins_of(view, stall) for stall in stalls] == [30] * 4
        return []

    async with asyncio.timeout(20), a_ledger(tenant, tail_limit=15) as ledger:
        call = asyncio.create_task(ledger.execute(command("all", decide)))
        await folds.one_has_begun()
        await ledger.execute(take("other", "plums"))
        assert len(folds.begun) == 2
        folds.may_go_on.set()
        assert (await call).position == 121
