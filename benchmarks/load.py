"""The client, in a process of its own: requests built beforehand, sent in a closed loop over one channel.

Each caller sends its next request when it has the answer to the last one. Everything is measured by this
code. Single calls are measured on a bare channel, because a client's own work would be measured as well: that of the
contract's client takes 40 µs a call.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from time import perf_counter
from typing import Any, NamedTuple, ParamSpec, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks import messages
from fulfilment.client import AsyncClient, tls
from fulfilment.v1 import batch_pb2, exports_pb2, orders_pb2
from fulfilment.v1.orders_pb2_grpc import OrderServiceStub

LONGEST_SECONDS = 600.0
_LONGEST_CALL_SECONDS = 60.0

P = ParamSpec("P")
T = TypeVar("T")


class Load(NamedTuple):
    """The result of one closed loop."""

    seconds: float
    each: list[float]
    """Seconds from each call to its answer, sorted."""

    @property
    def per_second(self) -> float:
        return len(self.each) / self.seconds

    def milliseconds(self, share: float) -> float:
        """The time that so large a share of the calls stayed below."""
        return percentile(self.each, share) * 1000


def percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def run(job: Callable[P, Coroutine[Any, Any, T]], *arguments: P.args, **options: P.kwargs) -> T:
    """Runs one of the jobs below, in an event loop of its own and with a time limit."""
    return asyncio.run(asyncio.wait_for(job(*arguments, **options), LONGEST_SECONDS))


class Reach(NamedTuple):
    """How a server is reached: whatever is empty is left out."""

    token: str = ""
    ca: str = ""
    """The certificate that is trusted; then the connection is encrypted."""
    tenants: Sequence[str] = ()
    """Each call goes to the next of them."""

    @property
    def credentials(self) -> grpc.ChannelCredentials | None:
        return tls(self.ca) if self.ca else None


PLAIN = Reach()


def connected(address: str, reach: Reach = PLAIN, tenant: str = "default") -> AsyncClient:
    """A client that does not retry: a measurement must not hide a second attempt."""
    return AsyncClient(
        address,
        tenant=tenant,
        token=reach.token,
        credentials=reach.credentials,
        timeout_seconds=_LONGEST_CALL_SECONDS,
        pauses_seconds=(),
    )


async def prepare(address: str, reach: Reach = PLAIN, skus: int = messages.SKUS) -> None:
    """A supplier and its stock."""
    (batch,) = messages.batches(messages.approved_supplier_with_stock(skus), 1000)
    for tenant in reach.tenants or ("default",):
        async with connected(address, reach, tenant) as ledger:
            await _all_applied(ledger, batch)


async def place(
    address: str,
    series: str,
    callers: int,
    warm_up: int,
    calls: int,
    reach: Reach = PLAIN,
    skus: int = messages.SKUS,
) -> Load:
    """PlaceOrder by so many callers at once; the calls that warm it up are not in the figures."""
    cold, warm = messages.orders(f"{series}-warm-up", warm_up, skus), messages.orders(series, calls, skus)
    said = (("authorization", f"Bearer {reach.token}"),) if reach.token else ()
    named = [(*said, ("tenant", name)) for name in reach.tenants] or [said]
    # Made once, as the requests are: gRPC would make an ordered mapping of it in each call.
    metadata = cycle([grpc.aio.Metadata(*each) for each in named])
    encrypted = reach.credentials
    async with (
        grpc.aio.secure_channel(address, encrypted) if encrypted else grpc.aio.insecure_channel(address) as channel
    ):
        ask = partial(OrderServiceStub(channel).PlaceOrder, timeout=_LONGEST_CALL_SECONDS)

        def send(order: orders_pb2.PlaceOrderRequest) -> Awaitable[object]:
            return ask(order, metadata=next(metadata))

        await _closed_loop(send, cold, callers)
        return await _closed_loop(send, warm, callers)


async def batches(address: str, series: str, size: int, count: int, in_flight: int, warm_up: int = 2) -> Load:
    """ExecuteBatch with orders as those of ``place``; the first batches only warm it up."""
    commands = [messages.command(place_order=order) for order in messages.orders(series, size * (count + warm_up))]
    requests = list(messages.batches(commands, size))
    async with connected(address) as ledger:
        send = partial(_all_applied, ledger)
        await _closed_loop(send, requests[:warm_up], in_flight)
        return await _closed_loop(send, requests[warm_up:], in_flight)


async def live(address: str, series: str, orders: int) -> None:
    """Whole lives of orders, to have a log of every usual fact."""
    lives = (command for number in range(orders) for command in messages.life(series, number))
    async with connected(address) as ledger:
        for request in messages.batches(lives, 600):
            await _all_applied(ledger, request)


async def read(address: str, order_ids: Sequence[str], pause_seconds: float) -> list[float]:
    """Seconds that each GetOrder took, one after another with a pause between."""
    async with grpc.aio.insecure_channel(address) as channel:
        get = OrderServiceStub(channel).GetOrder
        return await _one_by_one(get, [orders_pb2.GetOrderRequest(order_id=each) for each in order_ids], pause_seconds)


async def export(address: str, table: str) -> int:
    """How many rows of a table ExportTables gives, as Arrow."""
    async with connected(address) as ledger:
        request = exports_pb2.ExportTablesRequest(tables=[exports_pb2.TableToExport(table=table)])
        return sum([page.row_count async for page in ledger.exports.ExportTables(request)])


async def check_health(address: str, calls: int, pause_seconds: float) -> list[float]:
    """Seconds that each health check took: a call that nothing but gRPC has any work with."""
    async with grpc.aio.insecure_channel(address) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]
        return await _one_by_one(check, [health_pb2.HealthCheckRequest()] * calls, pause_seconds)


async def _one_by_one(send: Callable[..., Awaitable[object]], requests: Sequence[Any], pause: float) -> list[float]:
    seconds = []
    await send(requests[0], timeout=_LONGEST_CALL_SECONDS)  # connects
    for request in requests:
        await asyncio.sleep(pause)
        began = perf_counter()
        await send(request, timeout=_LONGEST_CALL_SECONDS)
        seconds.append(perf_counter() - began)
    return seconds


async def _closed_loop(send: Callable[[Any], Awaitable[object]], requests: Sequence[object], callers: int) -> Load:
    waiting = iter(requests)
    each: list[float] = []

    async def caller() -> None:
        for request in waiting:
            began = perf_counter()
            await send(request)
            each.append(perf_counter() - began)

    with without_collector():
        began = perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(callers):
                group.create_task(caller())
        seconds = perf_counter() - began
    return Load(seconds, sorted(each))


async def _all_applied(ledger: AsyncClient, request: batch_pb2.ExecuteBatchRequest) -> None:
    answer = await ledger.batch.ExecuteBatch(request)
    for outcome in answer.outcomes:
        if outcome.HasField("refusal"):
            raise RuntimeError(f"refused: {outcome.refusal.reason}: {outcome.refusal.message}")


@contextmanager
def without_collector() -> Iterator[None]:
    """Thousands of requests are waiting: collecting garbage among them must not be measured."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
