"""Calls that come many at a time, and what becomes of them when the server stops."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from adapters.rpc import accepting
from adapters.rpc.accepting import CALLS_AT_ONCE, HOLD_SECONDS, aio_server
from adapters.rpc.commands import Commands
from fulfilment.v1 import batch_pb2, orders_pb2, orders_pb2_grpc
from ledger.engine import turns
from tests.support.service import (
    Client,
    Service,
    order,
    reason_of,
)

CALLS = 3 * CALLS_AT_ONCE


@asynccontextmanager
async def holding():
    """A server whose calls each hold the event loop, and a client in the same process."""

    async def hold(request: bytes, context: object) -> bytes:
        time.sleep(0.003)  # noqa: ASYNC251 - that is the point
        return request

    handlers: dict[str, Any] = {"Hold": grpc.unary_unary_rpc_method_handler(hold)}
    server = aio_server()
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Held", handlers)])
    server.add_registered_method_handlers("test.Registered", handlers)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield server, channel
    await server.stop(None)


async def test_many_requests_for_a_call_are_with_grpc():
    async with holding() as (server, channel):
        assert {name: len(asked) for name, asked in server._server.asked.items()} == {
            None: CALLS_AT_ONCE,
            b"/test.Registered/Hold": CALLS_AT_ONCE,
        }
        for path in PATHS:
            call = channel.unary_unary(path)
            answers = await asyncio.gather(*[call(b"%d" % number, timeout=20) for number in range(CALLS)])
            assert answers == [b"%d" % number for number in range(CALLS)]
        assert {len(asked) for asked in server._server.asked.values()} == {CALLS_AT_ONCE}


PATHS = ["/test.Held/Hold", "/test.Registered/Hold"]


@pytest.mark.parametrize("path", PATHS)
async def test_calls_that_came_before_a_stop_and_were_not_begun_are_answered(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with holding() as (server, channel):
        call = channel.unary_unary(path)
        calls = [asyncio.ensure_future(call(b"%d" % number, timeout=20)) for number in range(CALLS)]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        assert sum(each.done() for each in calls) < CALLS
        # If they held it up, it would wait for all of its grace.
        await asyncio.wait_for(server.stop(3600.0), 60)
        assert await asyncio.gather(*calls) == [b"%d" % number for number in range(CALLS)]
    assert not caplog.records


async def test_who_calls_all_the_while_is_answered_or_finds_a_server_that_stops_unavailable() -> None:
    async def ended(call: Any) -> grpc.StatusCode:
        while True:
            try:
                assert await call(b"x", timeout=20) == b"x"
            except grpc.aio.AioRpcError as error:
                return error.code()

    async with holding() as (server, channel):
        calling = [asyncio.ensure_future(ended(channel.unary_unary(path))) for path in PATHS * 10]
        await asyncio.wait(calling, timeout=0.2)
        stops = [asyncio.create_task(server.stop(3600.0)) for _ in range(2)]
        assert set(await asyncio.gather(*calling)) == {grpc.StatusCode.UNAVAILABLE}
        await asyncio.gather(*stops)


async def test_a_message_that_comes_while_the_server_stops_is_taken() -> None:
    """So a call at whose end there was none had none, also then."""
    begun, stops = asyncio.Event(), asyncio.Event()

    async def take(_: object, context: Any) -> Any:
        begun.set()
        await stops.wait()
        return await context.read()

    async def late() -> AsyncIterator[bytes]:
        await stops.wait()
        await asyncio.sleep(HOLD_SECONDS + 0.1)
        yield b"late"

    server = aio_server()
    handlers: dict[str, Any] = {"Take": grpc.stream_unary_rpc_method_handler(take)}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Taken", handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: Any = channel.stream_unary("/test.Taken/Take")
        answers = [call(messages, timeout=20) for messages in (iter([b"sent"]), late())]
        await begun.wait()
        stopping = asyncio.create_task(server.stop(3600.0))
        stops.set()
        assert await asyncio.gather(*answers) == [b"sent", b"late"]
        await stopping


async def test_no_more_connections_are_taken_than_there_may_be_and_each_that_closes_makes_room(
    monkeypatch: pytest.MonkeyPatch,
):
    few = [(name, 3 if most == accepting.CONNECTIONS else most) for name, most in accepting._BOUNDED]
    monkeypatch.setattr(accepting, "_BOUNDED", few)
    server = aio_server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    taken = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
    for reader, _ in taken:
        await asyncio.wait_for(reader.readexactly(9), 20)  # the server's settings
    assert not await is_taken(port)
    taken[0][1].close()
    until = time.monotonic() + 20
    while not await is_taken(port):
        assert time.monotonic() < until
    for _, writer in taken:
        writer.close()
    await server.stop(None)


async def is_taken(port: int) -> bool:
    """Whether the server says something to a new connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return await asyncio.wait_for(reader.read(9), 20) != b""
    except ConnectionResetError:
        return False
    finally:
        writer.close()


CALLERS = 2_500
"""More than gRPC itself lets wait."""


async def test_however_many_call_at_once_all_are_answered_or_told_that_the_queue_is_full(service: Service) -> None:
    with Client(service.address) as client:
        client.place("wanted", sku="untracked")
    outcomes: Counter[str] = Counter()
    async with grpc.aio.insecure_channel(service.address) as channel:
        stub = orders_pb2_grpc.OrderServiceStub(channel)

        async def call(number: int) -> None:
            try:
                if number % 3:
                    await stub.PlaceOrder(order(f"{number}", sku="untracked"))
                else:
                    await stub.GetOrder(orders_pb2.GetOrderRequest(order_id="shop/wanted"))
                outcomes["OK"] += 1
            except grpc.aio.AioRpcError as error:
                outcomes[reason_of(error) if error.trailing_metadata() else error.code().name] += 1

        await asyncio.gather(*map(call, range(CALLERS)))
    assert outcomes.keys() <= {"OK", "QUEUE_FULL"}, outcomes
    assert outcomes["OK"] > CALLERS / 2


def test_the_commands_of_a_batch_are_read_in_turns(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "YIELD_AFTER_SECONDS", -1.0)
    turn, read, read_ahead = 0, Counter[int](), Commands.read_ahead

    def next_turn() -> None:
        nonlocal turn
        turn += 1

    async def counted(self: Commands, *rest: Any) -> Any:
        read[turn] += 1
        asyncio.get_running_loop().call_soon(next_turn)
        return await read_ahead(self, *rest)

    monkeypatch.setattr(Commands, "read_ahead", counted)
    orders = [order(f"turns-{number}", sku="untracked") for number in range(20)]
    with Client(service.address) as client:
        commands = [batch_pb2.BatchCommand(place_order=each) for each in orders]
        answer = client.batch.ExecuteBatch(batch_pb2.ExecuteBatchRequest(commands=commands))
    assert all(each.HasField("receipt") for each in answer.outcomes)
    assert (read.total(), max(read.values())) == (20, 1)
