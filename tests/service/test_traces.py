"""Spans of calls and of the way of their commands, over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from adapters.access.settings import access_of
from adapters.process.api import serve
from adapters.process.options import options
from adapters.rpc import tracing as module
from adapters.rpc.tracing import Tracing, tracing
from fulfilment.v1 import orders_pb2
from ledger.engine.measures import WATCH
from tests.support.hosting import a_database
from tests.support.in_a_thread import running
from tests.support.service import Client, order

trace = pytest.importorskip("opentelemetry.sdk.trace")
exporting = pytest.importorskip("opentelemetry.sdk.trace.export")
in_memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")

STAGES = ["queue", "open", "decide", "commit"]
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture(scope="module")
def spans() -> Any:
    return in_memory.InMemorySpanExporter()


@pytest.fixture(scope="module")
def client(embedded: str, spans: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    provider = trace.TracerProvider()
    provider.add_span_processor(exporting.SimpleSpanProcessor(spans))
    folder = tmp_path_factory.mktemp("traced")

    @asynccontextmanager
    async def serving(dsn: str) -> AsyncIterator[int]:
        chosen = options(["--listen", "127.0.0.1:0", "--data", str(folder)])
        traces = Tracing(provider.get_tracer("test"), per_second=10_000)
        async with serve(dsn, chosen.key_file, access_of(chosen), traces=traces) as listening:
            yield listening.port

    with (
        a_database(embedded) as dsn,
        running(serving(dsn), "the traced service") as port,
        Client(f"127.0.0.1:{port}") as client,
    ):
        client.approve()
        yield client


def traced(spans: Any, rpc: str) -> Any:
    """The last span of an RPC."""
    return [each for each in spans.get_finished_spans() if each.name.endswith(f"/{rpc}")][-1]


def below(spans: Any, parent: Any) -> list[Any]:
    found = [
        each for each in spans.get_finished_spans() if each.parent and each.parent.span_id == parent.context.span_id
    ]
    return sorted(found, key=lambda each: STAGES.index(each.name))


def test_a_command_is_a_span_with_its_stages_below_it(client: Client, spans: Any):
    client.place("traced")
    span = traced(spans, "PlaceOrder")
    assert span.attributes["rpc.response.status_code"] == "OK"
    stages = below(spans, span)
    assert [each.name for each in stages] == STAGES
    moments = [moment for each in stages for moment in (each.start_time, each.end_time)]
    assert moments == sorted(moments)
    assert span.start_time <= moments[0] + 1_000_000
    assert moments[-1] <= span.end_time + 1_000_000


def test_its_parent_is_the_span_of_the_caller(client: Client, spans: Any):
    client.orders.PlaceOrder(order("of-a-caller"), metadata=(("traceparent", f"00-{TRACE}-{SPAN}-01"),))
    span = traced(spans, "PlaceOrder")
    assert f"{span.context.trace_id:032x}" == TRACE
    assert f"{span.parent.span_id:016x}" == SPAN


def test_a_caller_that_does_not_keep_its_own_span_gets_none(client: Client, spans: Any):
    before = len(spans.get_finished_spans())
    client.orders.PlaceOrder(order("not-kept"), metadata=(("traceparent", f"00-{TRACE}-{SPAN}-00"),))
    assert len(spans.get_finished_spans()) == before


def test_of_those_who_do_not_say_so_many_a_second_are_traced(monkeypatch: pytest.MonkeyPatch):
    traces, now = Tracing(trace.TracerProvider().get_tracer("test"), per_second=2), [100.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    assert [traces.takes({}) for _ in range(4)] == [True, True, False, False]
    assert traces.takes({"traceparent": f"00-{TRACE}-{SPAN}-01"}), "its caller traces it"
    now[0] += 1
    assert [traces.takes({"traceparent": "nonsense"}) for _ in range(3)] == [True, True, False]


def test_how_many_that_are_is_an_option(capsys: pytest.CaptureFixture[str]):
    assert options(["--traces-per-second", "0"]).traces_per_second == 0
    with pytest.raises(SystemExit):
        options(["--traces-per-second", "-1"])
    assert "'-1' is no number from 0 on" in capsys.readouterr().err


def test_a_parent_that_cannot_be_read_begins_a_new_trace(client: Client, spans: Any):
    client.orders.PlaceOrder(order("of-nobody"), metadata=(("traceparent", "nonsense"),))
    assert traced(spans, "PlaceOrder").parent is None


def test_a_refusal_is_an_answer_and_no_error(client: Client, spans: Any):
    with pytest.raises(grpc.RpcError):
        client.orders.GetOrder(orders_pb2.GetOrderRequest(order_id="shop/nowhere"))
    span = traced(spans, "GetOrder")
    assert span.attributes["rpc.response.status_code"] == "NOT_FOUND"
    assert span.status.is_unset
    assert below(spans, span) == []


def test_nothing_that_a_request_says_is_in_a_span(client: Client, spans: Any):
    told = "".join(each.to_json() for each in spans.get_finished_spans())
    for said in ("Ada", "example.org", "shop/", 'traced"'):
        assert said not in told


def test_without_an_address_nothing_is_traced():
    with tracing(None, 20) as tracer:
        assert tracer is None
    assert WATCH.get() is None


def test_what_is_left_is_sent_when_it_stops(tmp_path: Path):
    """The exporter is real; that nobody listens must not keep the service from stopping."""

    async def run() -> None:
        with tracing("http://127.0.0.1:1", 20) as tracer:
            assert tracer is not None

    asyncio.run(run())
