"""Work on many facts leaves the event loop to others, and the tenant's lock to those who need little."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.database.postgres import open_pool
from ledger.engine import turns
from ledger.engine.commands import Command, Receipt
from ledger.engine.log import Log
from ledger.engine.log_rows import Opening
from ledger.engine.past import AsOf, PastReader
from ledger.engine.registry import Registry
from ledger.engine.run import Run
from ledger.facts import Fact
from ledger.view import View
from tests.support import stalls
from tests.support.stalls import EmptyTenant, a_ledger, coins_of, command, take

STALLS = [f"s{number}" for number in range(20)]
EACH = 10
FACTS = len(STALLS) * EACH


class Loop:
    """How many facts were worked on in each turn of the event loop."""

    def __init__(self) -> None:
        self.turn = 0
        self.facts: Counter[int] = Counter()

    def worked(self) -> None:
        self.facts[self.turn] += 1

    async def most_while(self, work: Awaitable[Any]) -> int:
        """The most in one turn."""
        task = asyncio.ensure_future(work)
        self.facts.clear()
        while not task.done():
            self.turn += 1
            await asyncio.sleep(0)
        await task
        return max(self.facts.values())


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    """Everything takes too long here to do two of it in one turn."""
    monkeypatch.setattr(turns, "YIELD_AFTER_SECONDS", -1.0)
    loop, decode, probe = Loop(), Registry.decode, Run._probe

    def decoded(self: Registry, topic: str, state: bytes) -> Fact:
        loop.worked()
        return decode(self, topic, state)

    def probed(self: Run, each: Command) -> Sequence[str]:
        loop.worked()
        return probe(self, each)

    monkeypatch.setattr(Registry, "decode", decoded)
    monkeypatch.setattr(Run, "_probe", probed)
    return loop


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many facts were read at once while the tenant's lock was held."""
    found: list[int] = []
    load, read_opening = Log.load, Log.read_opening

    async def loaded(self: Log, *rest: Any) -> Any:
        rows = await load(self, *rest)
        found.append(len(rows))
        return rows

    async def opened(self: Log, *rest: Any) -> Opening:
        opening = await read_opening(self, *rest)
        found.append(len(opening.streams) + len(opening.tail))
        return opening

    monkeypatch.setattr(Log, "load", loaded)
    monkeypatch.setattr(Log, "read_opening", opened)
    return found


@pytest.fixture
def market(tenant: EmptyTenant) -> EmptyTenant:
    """Many stalls with ten facts each."""

    async def fill() -> None:
        async with a_ledger(tenant) as ledger:
            await ledger.execute_many([take(f"{stall}", stall, times=EACH) for stall in STALLS])

    asyncio.run(fill())
    return tenant


def look(request_id: str, *, hint: bool) -> Command:
    """Needs every stall."""

    def decide(view: View) -> Sequence[Any]:
        view.need(*[f"stall-{stall}" for stall in STALLS])
        assert [coins_of(view, stall) for stall in STALLS] == [EACH] * len(STALLS)
        return []

    asked = command(request_id, decide)
    return Command(request_id, "tester", b"", asked.decide, tuple(f"stall-{s}" for s in STALLS)) if hint else asked


@asynccontextmanager
async def journal(tenant: EmptyTenant) -> AsyncIterator[Log]:
    async with open_pool(tenant.conninfo) as pool:
        yield Log(tenant.schema, pool)


@pytest.mark.parametrize("hint", [True, False])
async def test_streams_are_folded_in_turns_while_the_lock_is_held(market: EmptyTenant, loop: Loop, hint: bool):
    async with a_ledger(market) as ledger:
        assert await loop.most_while(ledger.execute(look("a", hint=hint))) == 1
        assert loop.facts.total() >= FACTS


async def test_what_another_process_wrote_is_folded_in_turns(market: EmptyTenant, loop: Loop):
    async with a_ledger(market) as ledger, a_ledger(market) as other:
        await ledger.execute(look("a", hint=True))
        await other.execute(take("b", STALLS[0], times=50))
        assert await loop.most_while(ledger.execute(take("c", STALLS[0]))) == 1
        assert loop.facts.total() >= 50
        assert coins_of(ledger.book, STALLS[0]) == EACH + 51


async def test_what_the_commands_of_a_batch_will_miss_is_found_out_in_turns(
    market: EmptyTenant, loop: Loop, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("ledger.engine.run.TURN_SECONDS", -1.0)
    async with a_ledger(market) as ledger:
        batch = ledger.execute_many([take(f"t{stall}", stall, hint=False) for stall in STALLS[:10]])
        assert await loop.most_while(batch) == 1


async def test_a_stream_as_it_was_believed_is_folded_in_turns(market: EmptyTenant, loop: Loop):
    stream, now = f"stall-{STALLS[0]}", datetime.now(UTC)
    async with journal(market) as log:
        past = PastReader(log, Registry(stalls.NOUNS), AsOf(FACTS, now, now + timedelta(hours=1)))
        assert await loop.most_while(past.fold_all([stream])) == 1
        assert loop.facts.total() == EACH
        _, entries = await past.fold_all([stream])
        assert entries[stream].version == EACH


async def test_of_many_streams_few_are_read_at_once(market: EmptyTenant, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ledger.engine.snapshots.STREAMS_AT_ONCE", 3)
    at_once: list[int] = []
    read_streams = Log.read_streams

    async def counted(self: Log, streams: Sequence[str], *rest: Any) -> Any:
        at_once.append(len(streams))
        return await read_streams(self, streams, *rest)

    monkeypatch.setattr(Log, "read_streams", counted)
    async with a_ledger(market) as ledger:
        await ledger.execute(look("a", hint=True))
    assert (sum(at_once), max(at_once)) == (len(STALLS), 3)


@pytest.mark.parametrize("hint", [True, False])
async def test_more_short_streams_than_the_lock_is_held_for_are_read_before(
    market: EmptyTenant, read: list[int], monkeypatch: pytest.MonkeyPatch, hint: bool
):
    monkeypatch.setattr("ledger.engine.snapshots.STEP_FACTS", 25)
    async with a_ledger(market, tail_limit=15) as ledger:
        answer = await ledger.execute(look("a", hint=hint))
        assert isinstance(answer, Receipt)
    assert max(read) <= 16, "one more, to see that there are more"
