"""Whose message is asked for, and who waits."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.access.limits import Limits, Meter, Room
from adapters.rpc import turnstile
from adapters.rpc.turnstile import BYTES_COMING, Turnstile
from ledger.refusals import Malformed, RateLimited

PLACES = 16
LONGEST = BYTES_COMING // PLACES


class Call:
    """What gRPC has of a call: its message comes when the test says so."""

    def __init__(self) -> None:
        self.asked = False
        self.comes = asyncio.get_running_loop().create_future()

    async def read(self) -> Any:
        self.asked = True
        return await self.comes


class Client:
    """A client and its calls."""

    def __init__(self, turnstile: Turnstile) -> None:
        self.turnstile, self.meter = turnstile, Meter(Limits(), Room())
        self.calls: list[tuple[Call, asyncio.Task[Any]]] = []

    def call(self, calls: int = 1) -> None:
        for _ in range(calls):
            call = Call()
            self.calls.append((call, asyncio.create_task(self.turnstile.message(self.meter, call))))  # type: ignore[arg-type]

    @property
    def asked(self) -> int:
        """How many of its messages are on their way."""
        return sum(call.asked and not task.done() for call, task in self.calls)

    @property
    def waits(self) -> bool:
        return any(not call.asked and not task.done() for call, task in self.calls)


async def test_who_goes_before_a_message_has_come_is_cancelled_and_not_told_that_it_is_missing():
    client = Client(Turnstile(LONGEST))
    client.call(2)
    await settled()
    (gone, cancelled), (ended, refused) = client.calls
    for call in (gone, ended):
        call.comes.set_result(grpc.aio.EOF)
    await settled()
    cancelled.cancel()  # as gRPC does then
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    with pytest.raises(Malformed, match="the call ended without a message"):
        await refused
    assert client.meter.coming == 0


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_each_client_has_as_many_on_their_way_as_there_is_room_for_so_that_there_is_room_for_the_next():
    turnstile = Turnstile(LONGEST)
    clients = [Client(turnstile) for _ in range(6)]
    for client in clients:
        client.call(PLACES)
        await settled()
    assert [client.asked for client in clients] == [8, 4, 2, 1, 1, 0]


async def test_a_message_that_came_makes_room_for_the_next_of_its_client_in_order():
    client = Client(Turnstile(LONGEST))
    client.call(10)
    await settled()
    client.calls[3][0].comes.set_result(b"x")
    await settled()
    assert await client.calls[3][1] == b"x"
    assert [call.asked for call, _ in client.calls] == [True] * 9 + [False]


async def test_who_goes_while_it_waits_or_as_its_turn_comes_holds_no_place():
    client = Client(Turnstile(LONGEST))
    client.call(10)
    await settled()
    client.calls[8][1].cancel()
    client.calls[0][0].comes.set_result(b"x")
    await client.calls[0][1]  # the turn of the last has come, and it has not begun
    client.calls[9][1].cancel()
    await settled()
    assert (client.asked, client.meter.coming) == (7, 7)


async def test_where_there_is_room_for_nobody_the_slowest_of_whoever_has_most_gives_way(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(turnstile, "SURE_SECONDS", 0.02)
    monkeypatch.setattr(turnstile, "LOOK_SECONDS", 0.01)
    gate = Turnstile(LONGEST)
    clients = [Client(gate) for _ in range(5)]
    for client in clients:
        client.call(2 * PLACES)
        await settled()
    assert [client.asked for client in clients] == [8, 4, 2, 1, 1]
    await asyncio.sleep(0.1)
    assert [client.asked for client in clients] == [8, 4, 2, 1, 1], "who has one of its own on its way waits"
    last = Client(gate)
    last.call()
    async with asyncio.timeout(5):
        while not last.asked:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0)
    assert [client.asked for client in clients] == [7, 4, 2, 1, 1]
    with pytest.raises(RateLimited, match="7 messages at once, while others wait"):
        await clients[0].calls[0][1]
    for _, task in (each for client in (*clients, last) for each in client.calls):
        task.cancel()


async def test_the_end_of_a_call_that_may_have_more_is_no_message():
    turnstile, call = Turnstile(LONGEST), Call()
    call.comes.set_result(grpc.aio.EOF)
    assert await turnstile.next_message(Meter(Limits(), Room()), call) is None  # type: ignore[arg-type]


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from(["calls", "comes", "goes"]), st.integers(0, 2), st.integers(0, 40)), max_size=80)
)
def test_whatever_comes_and_goes_nobody_waits_in_vain_and_all_places_are_given_back(steps: Any):
    async def play() -> None:
        turnstile = Turnstile(LONGEST)
        clients = [Client(turnstile) for _ in range(3)]
        for what, who, which in steps:
            client = clients[who]
            under_way = [each for each in client.calls if not each[1].done()]
            if what == "calls":
                client.call()
            elif under_way:
                call, task = under_way[which % len(under_way)]
                task.cancel() if what == "goes" or call.comes.done() else call.comes.set_result(b"x")
            if which % 3:
                await settled()
        await settled()
        free = PLACES - sum(client.asked for client in clients)
        assert [client.meter.coming for client in clients] == [client.asked for client in clients]
        assert free >= 0
        assert not any(client.waits and client.asked < free for client in clients)
        for _, task in (each for client in clients for each in client.calls):
            task.cancel()
        await settled()
        last = Client(turnstile)
        last.call(PLACES)
        await settled()
        assert last.asked == PLACES // 2

    asyncio.run(play())
