"""A batch that is decided while the one before it is still being committed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace
from psycopg import OperationalError

from ledger.engine import book, executor, snapshots, transactions
from ledger.engine.commands import Command, DecisionFailed, Receipt
from ledger.engine.executor import Ledger
from ledger.engine.log_rows import Appending
from ledger.engine.transactions import Following
from ledger.engine.wire import Pipeline
from ledger.facts import Change
from ledger.refusals import ShuttingDown, StorageUnavailable
from ledger.view import Entry, View
from tests.support.relay import Relay
from tests.support.stalls import CoinsTaken, EmptyTenant, Stall, TooFewCoins, a_ledger, coins_of, command, give, take
from tests.support.waiting import wait_for


async def until(condition: Callable[[], Any]) -> None:
    await asyncio.to_thread(wait_for, condition, pause=0.005)


async def of_many(ledger: Ledger, asked: Command) -> Receipt:
    """As a call of many commands sends one of them."""
    (answer,) = await ledger.execute_many([asked])
    if isinstance(answer, Receipt):
        return answer
    raise answer


class Commits:
    """The commits of a ledger, which wait until they may go on."""

    def __init__(self, ledger: Ledger) -> None:
        self.waiting = 0
        self.may_go_on = asyncio.Event()
        self.error: Exception | None = None
        self.waits_again = False
        """Whether those after the error wait until they may go on."""
        self._append, ledger.log.append = ledger.log.append, self._wait  # type: ignore[method-assign]

    async def _wait(self, connection: Any, after: int, rows: Appending) -> None:
        self.waiting += 1
        await self.may_go_on.wait()
        self.waiting -= 1
        error, self.error = self.error, None
        if error is not None:
            if self.waits_again:
                self.may_go_on.clear()
            raise error
        await self._append(connection, after, rows)


class Watched:
    """A command that counts how often it was decided, and on how many coins."""

    def __init__(self, asked: Command, stall: str = "pears") -> None:
        self.seen: list[int] = []

        def decide(view: View) -> Sequence[Change]:
            self.seen.append(coins_of(view, stall))
            return asked.decide(view)

        self.command = replace(asked, decide=decide)

    async def decided(self, ledger: Ledger) -> asyncio.Task[Receipt]:
        """The call that sends it, once it is decided."""
        call = asyncio.create_task(of_many(ledger, self.command))
        await until(lambda: self.seen)
        return call


@asynccontextmanager
async def one_on_its_way(
    tenant: EmptyTenant, first: Command, **options: Any
) -> AsyncIterator[tuple[Ledger, Commits, Any]]:
    """A ledger with a stall of two coins, whose next command is decided and not committed yet."""
    async with asyncio.timeout(20), a_ledger(tenant, **options) as ledger:
        await ledger.execute(take("before", "pears", 2))
        await ledger.execute(take("beside", "figs", 1))
        commits = Commits(ledger)
        sent = asyncio.create_task(of_many(ledger, first))
        await until(lambda: commits.waiting == 1)
        yield ledger, commits, sent


async def test_the_next_is_decided_on_what_is_not_committed_yet_and_answered_after_it(tenant: EmptyTenant):
    async with one_on_its_way(tenant, give("first", "pears")) as (ledger, commits, first):
        next_one = Watched(give("next", "pears"))
        second = await next_one.decided(ledger)
        assert commits.waiting == 1
        assert not first.done()
        commits.may_go_on.set()
        assert [(await each).position for each in (first, second)] == [3, 4]
        assert next_one.seen == [1]


async def test_a_third_waits_until_the_first_is_committed(tenant: EmptyTenant):
    async with one_on_its_way(tenant, give("first", "pears")) as (ledger, commits, first):
        second, third = Watched(give("second", "pears")), Watched(take("third", "pears"))
        calls = [await second.decided(ledger)]
        calls.append(asyncio.create_task(of_many(ledger, third.command)))
        await asyncio.sleep(0.05)
        assert not third.seen
        commits.may_go_on.set()
        assert [(await each).position for each in (first, *calls)] == [3, 4, 5]
        assert third.seen == [0]


async def test_if_the_first_is_not_committed_both_are_decided_again(tenant: EmptyTenant):
    async with one_on_its_way(tenant, give("first", "pears", 2)) as (ledger, commits, first):
        next_one = Watched(give("next", "pears"))
        second = await next_one.decided(ledger)
        commits.error = OperationalError("the connection was lost")
        commits.may_go_on.set()
        assert (await first).position == 3
        with pytest.raises(TooFewCoins):
            await second
        assert next_one.seen == [0, 0]
        assert await ledger.execute(take("last", "pears")) == Receipt(4, 3, False)


async def test_while_the_answer_to_the_first_is_lost_others_do_not_wait_for_the_next(tenant: EmptyTenant):
    async with asyncio.timeout(60), Relay(tenant.conninfo) as relay, a_ledger(tenant, relay.conninfo) as ledger:
        await ledger.execute(take("before", "pears", 2))
        relay.held = held = asyncio.Event()
        first = asyncio.create_task(of_many(ledger, give("first", "pears")))
        await until(lambda: relay.held is None)
        second = Watched(give("second", "pears"))
        call = await second.decided(ledger)
        async with a_ledger(tenant) as other:  # which gives up after ten seconds, the connection after fifteen
            assert (await other.execute(take("other", "pears", 2))).position == 3
        assert not first.done()
        held.set()
        assert [(await each).position for each in (first, call)] == [2, 4]
        assert second.seen == [1, 3]


async def test_the_next_waits_for_a_slow_commit_as_long_as_that_has_the_lock(
    tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(transactions, "_ANSWER_SECONDS", 0.001)
    looks: list[bool] = []
    look = Pipeline.has_come

    def noted(self: Pipeline) -> bool:
        looks.append(look(self))
        return looks[-1]

    monkeypatch.setattr(Pipeline, "has_come", noted)
    async with one_on_its_way(tenant, give("first", "pears")) as (ledger, commits, first):
        next_one = Watched(give("next", "pears"))
        second = await next_one.decided(ledger)
        await until(lambda: len(looks) > 10)
        commits.may_go_on.set()
        assert [(await each).position for each in (first, second)] == [3, 4]
    assert looks[:10] == [False] * 10


async def test_if_the_first_fails_for_good_the_next_does_not_build_on_it(tenant: EmptyTenant):
    async with one_on_its_way(tenant, give("first", "pears", 2)) as (ledger, commits, first):
        next_one = Watched(give("next", "pears", 2))
        second = await next_one.decided(ledger)
        commits.error = ValueError("the database refuses it")
        commits.may_go_on.set()
        with pytest.raises(DecisionFailed):
            await first
        assert await second == Receipt(3, 2, False)
        assert next_one.seen == [0, 2]


async def test_what_another_process_appends_between_is_seen(tenant: EmptyTenant):
    async with (
        one_on_its_way(tenant, give("first", "pears")) as (ledger, commits, first),
        a_ledger(tenant) as other,
    ):
        between = asyncio.create_task(other.execute(give("between", "pears")))
        await asyncio.sleep(0.1)  # it waits for the lock by now
        next_one = Watched(give("next", "pears"))
        second = await next_one.decided(ledger)
        commits.may_go_on.set()
        assert [(await each).position for each in (first, between)] == [3, 4]
        with pytest.raises(TooFewCoins):
            await second
        assert next_one.seen == [1, 0]
        assert ledger._measures.overtaken == 1


async def test_once_overtaken_a_ledger_decides_one_after_another_for_a_time(
    tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(executor, "_IN_LINE_SECONDS", 60.0)
    async with one_on_its_way(tenant, give("first", "pears")) as (ledger, commits, first):
        second = asyncio.create_task(of_many(ledger, give("second", "pears")))
        await asyncio.sleep(0.05)
        commits.error = OperationalError("the connection was lost")
        commits.may_go_on.set()
        await asyncio.gather(first, second)
        commits.may_go_on.clear()
        third, fourth = Watched(take("third", "pears")), Watched(take("fourth", "pears"))
        calls = [await third.decided(ledger)]
        calls.append(asyncio.create_task(of_many(ledger, fourth.command)))
        await asyncio.sleep(0.05)
        assert not fourth.seen
        commits.may_go_on.set()
        assert [(await each).position for each in calls] == [5, 6]


async def test_a_request_that_is_on_its_way_is_not_applied_again(tenant: EmptyTenant):
    async with one_on_its_way(tenant, give("first", "pears", 2)) as (ledger, commits, first):
        again, other = (
            asyncio.create_task(of_many(ledger, each)) for each in (give("first", "pears", 2), take("o", "figs"))
        )
        await asyncio.sleep(0.05)
        commits.may_go_on.set()
        assert (await first, await again) == (Receipt(3, 2, False), Receipt(3, 2, True))
        assert (await other).position == 4


async def test_a_request_that_another_process_refused_meanwhile_gets_that_refusal(tenant: EmptyTenant):
    async with (
        one_on_its_way(tenant, take("first", "figs")) as (ledger, commits, first),
        a_ledger(tenant) as other,
    ):
        elsewhere = asyncio.create_task(other.execute(give("same", "pears", 3)))
        await asyncio.sleep(0.1)  # it waits for the lock by now
        here = asyncio.create_task(of_many(ledger, give("same", "pears", 3)))
        await asyncio.sleep(0.1)
        commits.may_go_on.set()
        await first
        for each in (elsewhere, here):
            with pytest.raises(TooFewCoins):
                await each
        assert (await ledger.execute(take("last", "pears"))).position == 4


async def test_what_a_decision_turns_out_to_need_is_read_once_the_first_is_committed(tenant: EmptyTenant):
    async with a_ledger(tenant) as filling:
        await filling.execute(take("plums", "plums", 7))
    async with one_on_its_way(tenant, give("first", "pears")) as (ledger, commits, first):
        unnamed = asyncio.create_task(of_many(ledger, give("next", "plums", 7, hint=False)))
        await asyncio.sleep(0.05)
        commits.may_go_on.set()
        assert [(await each).position for each in (first, unnamed)] == [4, 5]


async def test_what_fell_out_of_memory_while_it_is_written_is_read_afterwards(tenant: EmptyTenant):
    async with one_on_its_way(tenant, give("first", "pears"), streams_kept=0) as (ledger, commits, first):
        second = asyncio.create_task(of_many(ledger, give("second", "pears")))
        await asyncio.sleep(0.05)
        commits.may_go_on.set()
        assert [(await each).position for each in (first, second)] == [3, 4]
        with pytest.raises(TooFewCoins):
            await ledger.execute(give("third", "pears"))


async def test_a_state_that_a_caller_is_shown_is_as_of_its_command(tenant: EmptyTenant):
    first = replace(give("first", "pears"), with_subject=True)
    async with one_on_its_way(tenant, first) as (ledger, commits, sent):
        shown = asyncio.create_task(_coins_shown(sent))
        second = asyncio.create_task(of_many(ledger, give("second", "pears")))
        await asyncio.sleep(0.05)
        commits.may_go_on.set()
        await second
        assert await shown == 1


async def _coins_shown(call: asyncio.Task[Receipt]) -> int:
    receipt = await call
    assert receipt.subject is not None
    coins: int = receipt.subject.state.coins
    return coins


async def test_no_snapshot_has_what_is_not_committed(tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch):
    for module in (book, snapshots):
        monkeypatch.setattr(module, "LONG_FACTS", 3)
    taken: list[tuple[int, list[bytes]]] = []
    keep = snapshots.Snapshots._keep

    async def noted(self: Any, snapshot: snapshots.Taken) -> None:
        taken.append((snapshot.version, snapshot.parts))
        await keep(self, snapshot)

    monkeypatch.setattr(snapshots.Snapshots, "_keep", noted)
    async with one_on_its_way(tenant, take("first", "pears", times=5)) as (ledger, commits, first):
        second = Watched(take("second", "pears"))
        call = asyncio.create_task(of_many(ledger, second.command))
        await asyncio.sleep(0.05)
        assert taken == []
        commits.may_go_on.set()
        await asyncio.gather(first, call)
        await until(lambda: taken)
        assert taken[0] == (6, [b'{"coins":7}'])
        assert second.seen == [7]


@pytest.mark.parametrize("drain", [True, False])
async def test_whoever_is_on_the_way_when_it_stops_is_answered(tenant: EmptyTenant, drain: bool):
    async with one_on_its_way(tenant, give("first", "pears")) as (ledger, commits, first):
        next_one = Watched(give("second", "pears"))
        second = await next_one.decided(ledger)
        stopping = asyncio.create_task(ledger.stop(drain=drain))
        await asyncio.sleep(0.05)
        commits.may_go_on.set()
        await stopping
        answers = await asyncio.gather(first, second, return_exceptions=True)
        if drain:
            assert [getattr(each, "position", each) for each in answers] == [3, 4]
        else:
            assert [type(each) for each in answers] == [ShuttingDown] * 2
    async with a_ledger(tenant) as ledger:
        assert (await ledger.execute(take("last", "pears"))).position == (5 if drain else 3)


async def test_a_first_whose_caller_has_gone_is_waited_for_all_the_same(tenant: EmptyTenant):
    async with one_on_its_way(tenant, give("first", "pears")) as (ledger, commits, first):
        first.cancel()
        second = asyncio.create_task(of_many(ledger, replace(give("second", "pears"), with_subject=True)))
        await asyncio.sleep(0.05)
        commits.may_go_on.set()
        assert (await second).position == 4


async def test_a_fact_that_cannot_be_folded_on_what_does_not_hold_is_decided_again(
    tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch
):
    """What is wrong with a command is found out on the log as it is."""
    asked = []

    def decide(view: View) -> Sequence[Change]:
        asked.append(coins_of(view, "pears"))
        if len(asked) == 1:
            raise RuntimeError("wrong, on what is not committed")
        return [("stall-pears", CoinsTaken(1))]

    async with one_on_its_way(tenant, give("first", "pears")) as (ledger, commits, first):
        second = asyncio.create_task(of_many(ledger, command("second", decide, "pears")))
        await until(lambda: asked)
        commits.error = OperationalError("the connection was lost")
        commits.may_go_on.set()
        assert [(await each).position for each in (first, second)] == [3, 4]
        assert asked == [1, 1]


async def test_single_calls_are_decided_together_once_the_last_is_committed(tenant: EmptyTenant):
    async with one_on_its_way(tenant, give("first", "pears")) as (ledger, commits, first):
        single = [Watched(take(f"single {number}", "pears")) for number in range(3)]
        calls = [asyncio.create_task(ledger.execute(each.command)) for each in single]
        await asyncio.sleep(0.05)
        assert [each.seen for each in single] == [[]] * 3
        commits.may_go_on.set()
        assert [(await each).position for each in (first, *calls)] == [3, 4, 5, 6]
        assert ledger._measures.batches.sum == 4 + 2


async def test_calls_of_many_commands_follow_each_other(tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch):
    begun: list[int] = []
    opened = Following.open

    async def noted(self: Following, *arguments: Any, **options: Any) -> Any:
        begun.append(options["after"])
        return await opened(self, *arguments, **options)

    monkeypatch.setattr(Following, "open", noted)
    async with a_ledger(tenant) as ledger:

        async def caller(number: int) -> list[Any]:
            return await ledger.execute_many([take(f"{number}-{turn}", "pears") for turn in range(400)])

        answers = await asyncio.gather(caller(0), caller(1), caller(2))
        positions = [[each.position for each in one] for one in answers]
        assert sorted(each for one in positions for each in one) == list(range(1, 1201))
        assert all(one == sorted(one) for one in positions)
    assert len(begun) > 2


@pytest.mark.parametrize("execute", [Ledger.execute, of_many])
async def test_whoever_cannot_be_written_for_long_is_told_so_also_if_each_attempt_gets_as_far_as_the_commit(
    tenant: EmptyTenant, execute: Callable[[Ledger, Command], Awaitable[Receipt]]
):
    async with asyncio.timeout(20), a_ledger(tenant, patience_seconds=0.1) as ledger:
        append, tried = ledger.log.append, []

        async def fails(connection: Any, after: int, rows: Appending) -> None:
            tried.append(after)
            raise OperationalError("the connection was lost")

        ledger.log.append = fails  # type: ignore[method-assign]
        with pytest.raises(StorageUnavailable):
            await execute(ledger, take("first", "pears"))
        assert len(tried) > 1
        ledger.log.append = append  # type: ignore[method-assign]
        assert (await ledger.execute(take("first", "pears"))).position == 1


async def test_what_is_tried_again_is_not_followed_unless_that_may_be(tenant: EmptyTenant):
    async with one_on_its_way(tenant, give("first", "pears"), streams_kept=0) as (ledger, commits, first):
        reads = Watched(take("reads", "pears"))  # which is no more in memory, and so not read while it is written
        second = asyncio.create_task(of_many(ledger, reads.command))
        await asyncio.sleep(0.05)
        commits.error, commits.waits_again = OperationalError("the connection was lost"), True
        commits.may_go_on.set()
        await until(lambda: commits.waiting == 1 and not commits.may_go_on.is_set())
        await asyncio.sleep(0.1)
        assert reads.seen == [], "the first is on its way again"
        commits.may_go_on.set()
        assert [(await each).position for each in (first, second)] == [3, 4]
        assert reads.seen[-1] == 1


async def test_nobody_follows_while_a_stream_that_was_folded_aside_is_to_be_taken(tenant: EmptyTenant):
    async with one_on_its_way(tenant, give("first", "pears")) as (ledger, commits, first):
        ledger._aside._folded["stall-pears"] = Entry(1, Stall(2))  # as of what is committed
        next_one = Watched(give("next", "pears"))
        second = asyncio.create_task(of_many(ledger, next_one.command))
        await asyncio.sleep(0.05)
        assert next_one.seen == []
        commits.may_go_on.set()
        assert [(await each).position for each in (first, second)] == [3, 4]
        assert next_one.seen == [1]


async def test_a_snapshot_that_cannot_be_taken_keeps_nobody_waiting(
    tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch
):
    for module in (book, snapshots):
        monkeypatch.setattr(module, "LONG_FACTS", 3)

    async def fails(*_: Any) -> Entry:
        raise RuntimeError("it cannot be encoded")

    monkeypatch.setattr(snapshots.Snapshots, "keep", fails)
    async with asyncio.timeout(20), a_ledger(tenant) as ledger:
        for number in range(6):
            assert (await of_many(ledger, take(f"{number}", "pears"))).position == number + 1


async def test_those_of_two_batches_are_answered_when_it_stops_while_the_first_are_being_answered(tenant: EmptyTenant):
    async with asyncio.timeout(20), a_ledger(tenant) as ledger:
        calls = [
            asyncio.create_task(ledger.execute_many([take(f"{caller}-{number}", "pears") for number in range(200)]))
            for caller in range(3)
        ]
        await until(lambda: ledger._sent is not None)
        await ledger.stop(drain=False)
        for call in calls:
            assert len(await call) == 200
