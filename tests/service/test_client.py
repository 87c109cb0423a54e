"""The client that the contract comes with: its own example, and what it does when calls fail."""

from __future__ import annotations

import asyncio
import doctest
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import Any

import grpc
import pytest

import fulfilment.client
from adapters.rpc.statuses import status_of
from fulfilment.client import AsyncClient, CallFailed, Client, Refused, Unavailable, tls
from fulfilment.v1 import audit_pb2, common_pb2, orders_pb2
from ledger.refusals import Malformed, NotFound, QueueFull, RateLimited, Refusal
from tests.support.service import Service, order

QUICKLY = (0.01, 0.01)
"""Pauses of a test: three attempts."""


class UnknownThing(NotFound, reason="UNKNOWN_THING"):
    """A refusal of these tests."""


def test_the_example_of_the_client_does_what_it_shows(service: Service):
    docstring = str(fulfilment.client.__doc__).replace("127.0.0.1:50051", service.address)
    (example,) = doctest.DocTestFinder().find(docstring, "example", globs={})
    assert len(example.examples) > 3
    out: list[str] = []
    doctest.DocTestRunner(verbose=False).run(example, out=out.append)
    assert out == []


class Troubled(grpc.GenericRpcHandler):
    """A service that has a trouble with each call until none is left, and a log of 5 facts."""

    def __init__(self) -> None:
        self.troubles: list[Callable[[Any], object]] = []
        self.asked: list[str] = []
        self.metadata: list[dict[str, str]] = []
        self.after: list[int] = []

    def service(self, details: Any) -> Any:
        self.metadata.append(dict(details.invocation_metadata))
        if details.method.endswith("StreamFacts"):
            return grpc.unary_stream_rpc_method_handler(self.stream)
        return grpc.unary_unary_rpc_method_handler(self.place)

    def place(self, request: bytes, call: Any) -> bytes:
        self.asked.append(orders_pb2.PlaceOrderRequest.FromString(request).context.request_id)
        if self.troubles:
            self.troubles.pop(0)(call)
        return common_pb2.Receipt(position=7).SerializeToString()

    def stream(self, request: bytes, call: Any) -> Iterator[bytes]:
        asked = audit_pb2.StreamFactsRequest.FromString(request)
        self.after.append(asked.after)
        for position in range(asked.after + 1, 6):
            fact = audit_pb2.StoredFact(position=position)
            yield audit_pb2.StreamFactsResponse(facts=[fact]).SerializeToString()
            if position % 2 == 0 and self.troubles:
                self.troubles.pop(0)(call)


def gone(call: Any) -> None:
    call.abort(grpc.StatusCode.UNAVAILABLE, "not now")


def silent(call: Any) -> None:
    call.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "too late")


def stops(call: Any) -> None:
    call.abort(grpc.StatusCode.CANCELLED, "CANCELLED")


def refuses(refusal: Refusal) -> Callable[[Any], None]:
    return lambda call: call.abort_with_status(status_of(refusal))


@pytest.fixture
def troubled() -> Troubled:
    return Troubled()


@contextmanager
def serving(troubled: Troubled) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(4), handlers=[troubled])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0)


def placed(troubled: Troubled, timeout: float | None = None, **settings: Any) -> common_pb2.Receipt:
    """What PlaceOrder answers a client with threads."""
    with serving(troubled) as address, Client(address, **{"pauses_seconds": QUICKLY, **settings}) as ledger:
        return ledger.orders.PlaceOrder(order("1", request_id="order-1"), timeout=timeout)


def placed_async(troubled: Troubled, timeout: float | None = None, **settings: Any) -> common_pb2.Receipt:
    """The same of a client in asyncio."""

    async def place(address: str) -> common_pb2.Receipt:
        async with AsyncClient(address, **{"pauses_seconds": QUICKLY, **settings}) as ledger:
            return await ledger.orders.PlaceOrder(order("1", request_id="order-1"), timeout=timeout)

    with serving(troubled) as address:
        return asyncio.run(place(address))


both = pytest.mark.parametrize("place", [placed, placed_async])


@both
@pytest.mark.parametrize(
    "trouble", [gone, silent, stops, refuses(QueueFull(1000))], ids=["gone", "silent", "stops", "full"]
)
def test_what_may_pass_is_asked_again_with_the_same_request_id(troubled: Troubled, place: Any, trouble: Any):
    troubled.troubles = [trouble, trouble]
    assert place(troubled).position == 7
    assert troubled.asked == ["order-1"] * 3


@both
def test_an_error_that_stays_is_raised_after_the_last_attempt(troubled: Troubled, place: Any):
    troubled.troubles = [gone] * 9
    with pytest.raises(Unavailable, match="UNAVAILABLE: not now"):
        place(troubled)
    assert len(troubled.asked) == 3


def limited(milliseconds: int) -> Callable[[Any], None]:
    return refuses(RateLimited("calls at once", 8, milliseconds))


@both
def test_what_the_service_says_of_when_to_ask_again_counts_instead_of_the_usual_pause(troubled: Troubled, place: Any):
    troubled.troubles = [limited(20)]
    assert place(troubled, timeout=30.0, pauses_seconds=(20.0,)).position == 7
    troubled.troubles = [limited(20_000)]
    with pytest.raises(Unavailable) as failed:
        place(troubled, timeout=5.0, pauses_seconds=(0.01,))
    assert (failed.value.reason, failed.value.retry_seconds) == ("RATE_LIMITED", 20.0)
    troubled.troubles = [limited(3_600_000)]
    with pytest.raises(Unavailable, match="RATE_LIMITED"):
        place(troubled, pauses_seconds=(0.01,))
    assert len(troubled.asked) == 4


@both
def test_a_timeout_that_a_call_names_is_for_all_its_attempts(troubled: Troubled, place: Any):
    """None is made once a pause would take what is left of it."""
    troubled.troubles = [gone] * 9
    with pytest.raises(Unavailable, match="UNAVAILABLE: not now"):
        place(troubled, timeout=30.0, pauses_seconds=(0.01, 60.0))
    assert len(troubled.asked) == 2


def test_a_closed_client_makes_no_call_that_it_has_not_made_before(troubled: Troubled):
    """gRPC ends the process there."""
    with serving(troubled) as address:
        with Client(address) as ledger:
            pass
        with pytest.raises(ValueError, match="closed"):
            ledger.orders.PlaceOrder(order("1"))
        with pytest.raises(ValueError, match="closed"):
            next(ledger.follow())


@both
def test_a_refusal_is_raised_at_once_with_its_reason_and_figures(troubled: Troubled, place: Any):
    refusal = UnknownThing.restored("UNKNOWN_THING", "there is no such thing", {"thing_id": "cup"})
    assert isinstance(refusal, UnknownThing)
    troubled.troubles = [refuses(refusal)]
    with pytest.raises(Refused) as failed:
        place(troubled)
    assert (failed.value.reason, failed.value.message) == ("UNKNOWN_THING", "there is no such thing")
    assert failed.value.metadata == {"thing_id": "cup"}
    assert failed.value.code() is grpc.StatusCode.NOT_FOUND
    assert troubled.asked == ["order-1"]


@both
def test_a_malformed_request_names_its_fields(troubled: Troubled, place: Any):
    troubled.troubles = [refuses(Malformed(("lines[0].sku", "is required")))]
    with pytest.raises(Refused) as failed:
        place(troubled)
    assert failed.value.fields == [("lines[0].sku", "is required")]
    assert failed.value.reason == "MALFORMED"


@both
def test_a_message_that_is_too_long_is_not_sent_again(troubled: Troubled, place: Any):
    troubled.troubles = [lambda call: call.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "larger than max")]
    with pytest.raises(CallFailed, match="larger than max"):
        place(troubled)
    assert len(troubled.asked) == 1


@both
def test_every_call_names_its_tenant_and_carries_its_token(troubled: Troubled, place: Any):
    place(troubled, tenant="shop", token="secret")
    assert troubled.metadata[0]["tenant"] == "shop"
    assert troubled.metadata[0]["authorization"] == "Bearer secret"


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_a_token_goes_in_plain_to_no_other_machine_unless_that_is_said(kind: Any):
    for here in ("127.0.0.1:1", "localhost:1", "[::1]:1", "unix:/run/ledger", "dns:///localhost:1", "ipv4:127.0.0.1:1"):
        kind(here, token="secret")
    for address in ("ledger.example:1", "10.0.0.7:1", "dns:///ledger.example:1", "127.0.0.1.example:1", "[2001::1]:1"):
        with pytest.raises(ValueError, match="without encryption") as refused:
            kind(address, token="secret")
        assert "secret" not in str(refused.value)
        kind(address)
        kind(address, token="secret", credentials=tls())
        with pytest.warns(UserWarning, match="without encryption"):
            kind(address, token="secret", insecure=True)


def test_the_token_of_a_client_stands_in_no_log_of_it():
    with Client("127.0.0.1:1", token="secret") as ledger:
        assert "secret" not in f"{ledger} {ledger._manner()}"


def followed(troubled: Troubled) -> list[int]:
    with serving(troubled) as address, Client(address) as ledger:
        return [fact.position for fact in islice(ledger.follow(after=1), 4)]


def followed_async(troubled: Troubled) -> list[int]:
    async def take(facts: AsyncIterator[audit_pb2.StoredFact]) -> list[int]:
        found: list[int] = []
        async for fact in facts:
            found.append(fact.position)
            if len(found) == 4:
                break
        return found

    async def follow(address: str) -> list[int]:
        async with AsyncClient(address) as ledger:
            return await take(ledger.follow(after=1))

    with serving(troubled) as address:
        return asyncio.run(follow(address))


@pytest.mark.parametrize("follow", [followed, followed_async])
def test_a_lost_connection_costs_a_follower_no_fact_and_repeats_none(troubled: Troubled, follow: Any):
    troubled.troubles = [gone, lambda call: call.abort(grpc.StatusCode.CANCELLED, "the server stops")]
    assert follow(troubled) == [2, 3, 4, 5]
    assert troubled.after == [1, 2, 4]


def test_a_follower_receives_what_the_ledger_refuses(service: Service):
    with Client(service.address) as ledger, pytest.raises(Refused, match="BEYOND_THE_LOG"):
        next(ledger.follow(after=10**9))


async def test_asyncio_places_an_order_of_the_real_service(service: Service):
    async with AsyncClient(service.address, actor="shop") as ledger:
        receipt = await ledger.orders.PlaceOrder(order("async"))
        read = await ledger.orders.GetOrder(orders_pb2.GetOrderRequest(order_id="shop/async"))
        async for fact in ledger.follow(after=receipt.position - 1):
            assert fact.position == receipt.position
            break
    assert read.order.order_id == "shop/async"
