"""What becomes of a call that ends badly: what its caller is told, what the log says, and what stays in memory."""

from __future__ import annotations

import asyncio
import gc
import io
import logging
import re
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import msgspec
import psutil  # type: ignore[import-untyped]
import psycopg
import pytest

from adapters.clock import Clocks
from adapters.messages.outbox import Outbox
from adapters.process.logs import JsonLines, PlainFormatter, log_of_the_loop
from fulfilment.v1 import audit_pb2, audit_pb2_grpc, batch_pb2, cases_pb2, orders_pb2
from ledger.engine.commands import DecisionFailed
from ledger.engine.executor import Ledger
from projections.machine.projection import Projection
from projections.machine.rows import Column
from projections.machine.streams import Page
from projections.machine.tables import Table
from tests.support.audit_server import audit
from tests.support.projecting import listed, projector, statuses, until, write_down
from tests.support.scenario import sent
from tests.support.service import MISTAKE, Client, Service, context, fields_of, order, reason_of, serving
from tests.support.stalls import EmptyTenant, TooFewCoins, a_key, a_ledger, command, take

SECRET = "zaphod@heart-of-gold.example"


class Picky(Exception):
    """Cannot be made anew from a message."""

    def __init__(self, who: str, what: str) -> None:
        super().__init__(f"{who} {what}")


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError(SECRET)


MISTAKES: dict[str, Callable[[], Exception]] = {
    "of Python": lambda: KeyError(SECRET),
    "that needs several arguments": lambda: UnicodeDecodeError("utf-8", SECRET.encode(), 0, 1, SECRET),
    "of our own": lambda: Picky(SECRET, SECRET),
    "that has no words": Mute,
    "of the database": lambda: psycopg.errors.UniqueViolation(f"Key (name)=({SECRET}) already exists."),
    "that are several": lambda: ExceptionGroup(SECRET, [ValueError(SECRET)]),
    "because of another": lambda: _caused(ValueError(SECRET)),
}


def _caused(error: Exception) -> Exception:
    later = Picky(SECRET, SECRET)
    later.__cause__ = error
    return later


@pytest.fixture(params=[JsonLines(), PlainFormatter()], ids=["json", "text"])
def written(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """What the service would write to its log."""
    handler = logging.StreamHandler(found := io.StringIO())
    handler.setFormatter(request.param)
    logging.getLogger().addHandler(handler)
    yield found
    logging.getLogger().removeHandler(handler)


class Broken:
    """An AuditService that makes a mistake."""

    def __init__(self, mistake: Callable[[], Exception]) -> None:
        self._mistake = mistake

    async def GetHistory(self, request: Any, context: Any) -> Any:
        raise self._mistake()

    async def GetOrderAsOf(self, request: Any, context: Any) -> Any:
        return self._mistake()  # which cannot be written as an answer

    async def StreamFacts(self, request: Any, context: Any) -> AsyncIterator[Any]:
        yield audit_pb2.StreamFactsResponse()
        raise self._mistake()

    def __getattr__(self, rpc: str) -> Any:
        """All other RPCs, which nobody calls here."""
        if rpc.startswith("_"):
            raise AttributeError(rpc)
        return self.GetHistory


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
async def test_a_mistake_of_any_kind_is_internal_and_the_log_says_where_but_not_what(
    mistake: Callable[[], Exception], written: io.StringIO
) -> None:
    async with audit(Broken(mistake)) as stub:
        calls: dict[str, Callable[[], Any]] = {
            "GetHistory": lambda: stub.GetHistory(audit_pb2.GetHistoryRequest()),
            "answer": lambda: stub.GetOrderAsOf(audit_pb2.GetOrderAsOfRequest()),
            "StreamFacts": lambda: _all(stub.StreamFacts(audit_pb2.StreamFactsRequest())),
        }
        for where, call in calls.items():
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call()
            assert (refused.value.code(), refused.value.details()) == (grpc.StatusCode.INTERNAL, MISTAKE)
            assert f"in {where}" in written.getvalue()
            assert SECRET not in written.getvalue()
            written.truncate(0)


async def _all(stream: Any) -> None:
    async for _ in stream:
        pass


class _Troubled:
    """Tenants of which none can be had."""

    def __init__(self) -> None:
        self.control = self

    async def list_tenants(self) -> list[Any]:
        return [SimpleNamespace(name="shop")]

    async def awake(self, since: datetime | None = None) -> tuple[set[str], datetime | None]:
        raise Picky(SECRET, SECRET)

    async def find(self, name: str) -> Any:
        raise Picky(SECRET, SECRET)


_LOOPS: dict[str, Callable[[Any], Any]] = {
    "clock": lambda tenants: Clocks(tenants).run(),
    "outbox": lambda tenants: Outbox(tenants, None, None).run(),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("loop", _LOOPS.values(), ids=_LOOPS.keys())
async def test_a_mistake_in_a_loop_is_logged_without_its_message(
    loop: Callable[[Any], Any], written: io.StringIO
) -> None:
    running = asyncio.create_task(loop(_Troubled()))
    await asyncio.sleep(1.2)
    assert not running.done()
    running.cancel()
    assert "in find" in written.getvalue()
    assert "in awake" in written.getvalue()
    assert SECRET not in written.getvalue()


async def test_what_asyncio_logs_of_a_task_does_not_quote_its_error(written: io.StringIO) -> None:
    async def fail() -> None:
        raise Picky(SECRET, SECRET)

    asyncio.get_running_loop().set_exception_handler(log_of_the_loop)
    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    del task
    gc.collect()
    assert "never retrieved" in written.getvalue()
    assert "in fail" in written.getvalue()
    assert SECRET not in written.getvalue()


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
async def test_a_mistake_in_reading_or_deciding_a_command_is_told_and_logged_without_its_message(
    tenant: EmptyTenant, mistake: Callable[[], Exception], written: io.StringIO
) -> None:
    def fail(*_: Any) -> Any:
        raise mistake()

    key = a_key("key", "")
    taken = msgspec.structs.replace(take("owned", "pears"), keys=(key,), owner=fail)
    async with a_ledger(tenant) as ledger:
        for wanted in (fail, command("decided", fail, "pears"), taken):
            with pytest.raises(DecisionFailed) as failed:
                await ledger.execute(wanted)
            assert SECRET not in str(failed.value)
            assert "in fail" in written.getvalue()
            assert SECRET not in written.getvalue()
            written.truncate(0)


def test_a_mistake_of_a_read_model_is_shown_and_logged_without_its_message(
    tenant: EmptyTenant, written: io.StringIO
) -> None:
    def fail(page: Page) -> list[Any]:
        raise KeyError(SECRET)

    broken = Projection("broken", 1, (Table("broken", 1, {"id": Column("text NOT NULL")}),), fail)
    with listed(tenant):
        write_down(tenant, sent().log)
        with projector(tenant.conninfo, projections=(broken,)):
            until(lambda: statuses(tenant, (broken,))["broken"].error)
        shown = statuses(tenant, (broken,))["broken"].error
    assert shown == "the fact at position 1: KeyError"
    assert "in fail" in written.getvalue()
    assert SECRET not in written.getvalue()


# --- what stays in memory ----------------------------------------------------------------------------


class Sent:
    """What a caller sent."""


def _refuse(view: Any) -> list[Any]:
    raise TooFewCoins("pears", 1, 0)


def _break(view: Any) -> list[Any]:
    raise KeyError("ours")


async def _alone(ledger: Ledger, decide: Callable[[Any], list[Any]]) -> weakref.ref[Sent]:
    sent = Sent()
    with suppress(Exception):
        await ledger.execute(command("alone", lambda view: decide((view, sent)), "pears"))
    return weakref.ref(sent)


async def _unread(ledger: Ledger, decide: Callable[[Any], list[Any]]) -> weakref.ref[Sent]:
    sent = Sent()
    with suppress(Exception):
        await ledger.execute(lambda: decide(sent))  # type: ignore[arg-type,return-value]
    return weakref.ref(sent)


async def _in_a_batch(ledger: Ledger, decide: Callable[[Any], list[Any]]) -> weakref.ref[Sent]:
    sent = Sent()
    await ledger.execute_many([command("many", lambda view: decide((view, sent)), "pears")])
    return weakref.ref(sent)


async def _given_up(ledger: Ledger, decide: Callable[[Any], list[Any]]) -> weakref.ref[Sent]:
    sent = Sent()

    def read() -> Any:
        calling.cancel()
        return decide(sent)

    calling = asyncio.create_task(ledger.execute(read))
    with suppress(asyncio.CancelledError):
        await calling
    return weakref.ref(sent)


@pytest.mark.parametrize("decide", [_refuse, _break], ids=["refused", "a mistake"])
@pytest.mark.parametrize("way", [_alone, _unread, _in_a_batch, _given_up])
async def test_what_was_not_taken_is_let_go_at_once(
    tenant: EmptyTenant,
    way: Callable[..., Any],
    decide: Callable[[Any], list[Any]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL)  # pytest keeps what is logged
    async with a_ledger(tenant) as ledger:
        gc.collect()
        gc.disable()
        try:
            sent = await way(ledger, decide)
            await ledger.execute(command("next", lambda view: []))  # what the writer has in hand goes with the next
            assert sent() is None
        finally:
            gc.enable()


MEGABYTE = 1 << 20
LARGE = b"\0" * (8 * MEGABYTE)


def test_refused_calls_leave_nothing_in_memory(folder: Path) -> None:
    large = "x" * len(LARGE)
    with serving(folder, "--data", str(folder / "data")) as service, _plain(service) as call:
        calls: dict[str, bytes] = {
            "OrderService/PlaceOrder": order("large", channel="a/b", note=large).SerializeToString(),
            "OrderService/ConfirmOrder": orders_pb2.ConfirmOrderRequest(
                context=context("x y"), order_id=large
            ).SerializeToString(),
            "OrderService/GetOrder": orders_pb2.GetOrderRequest(order_id=large).SerializeToString(),
            "CaseService/AddEvidence": cases_pb2.AddEvidenceRequest(
                context=context(), case_id="none", data=LARGE
            ).SerializeToString(),
            "BatchService/ExecuteBatch": batch_pb2.ExecuteBatchRequest(
                commands=[batch_pb2.BatchCommand(place_order=order("large", channel="a/b", note=large))]
            ).SerializeToString(),
            "AuditService/StreamFacts": audit_pb2.StreamFactsRequest(after=-1).SerializeToString() + _unknown(LARGE),
            "AuditService/GetHistory": b"\xff" + LARGE,  # cannot be decoded
        }
        process = psutil.Process(service.process.pid)
        sizes = []
        for _ in range(6):
            for path, sent in calls.items():
                with suppress(grpc.RpcError):
                    call(path, sent)
            sizes.append(process.memory_info().rss)
        # What the first ones made it grow by is used again by the others.
        assert (sizes[-1] - sizes[1]) / MEGABYTE < 30, [size // MEGABYTE for size in sizes]


def _unknown(data: bytes) -> bytes:
    """As field 1000 of a message, which knows no such field."""
    length, size = len(data), b""
    while length:
        size += bytes([length & 127 | (128 if length > 127 else 0)])
        length >>= 7
    return b"\xc2\x3e" + size + data


@contextmanager
def _plain(service: Service) -> Iterator[Callable[[str, bytes], list[bytes]]]:
    """Calls with bytes as they are, compressed on their way."""
    with grpc.insecure_channel(service.address, compression=grpc.Compression.Gzip) as channel:

        def call(path: str, sent: bytes) -> list[bytes]:
            # A server may answer with one message or many: to a client the latter are the general case.
            ask: Any = channel.unary_stream(f"/fulfilment.v1.{path}")
            return list(ask(sent, timeout=60))

        yield call


def test_a_message_that_unpacks_to_more_than_16_mib_is_refused(service: Service) -> None:
    with _plain(service) as call, pytest.raises(grpc.RpcError) as refused:
        call("OrderService/PlaceOrder", b"\0" * (16 * MEGABYTE + 1))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


# --- bytes that are no message -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("OrderService/PlaceOrder", order("x").SerializeToString()[:-1]),
        ("OrderService/GetOrder", b"\x0a\x01\xff"),  # no UTF-8
        ("AuditService/StreamFacts", b"\xff"),
    ],
)
def test_bytes_that_cannot_be_decoded_are_malformed(service: Service, path: str, sent: bytes) -> None:
    with _plain(service) as call, pytest.raises(grpc.RpcError) as refused:
        call(path, sent)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (reason_of(refused.value), fields_of(refused.value)) == ("MALFORMED", ["request"])


# --- callers that go away ----------------------------------------------------------------------------


def test_a_call_that_is_cancelled_while_it_is_answered_is_no_error(folder: Path) -> None:
    with serving(folder, "--data", str(folder / "data")) as service:
        cancel_calls(service)
        assert "error" not in re.findall(r'"level":"(\w+)"', service.log.read_text())


def cancel_calls(service: Service) -> None:
    with Client(service.address) as client:
        orders = [order(f"c{number}", sku="untracked", note="n" * 1000) for number in range(1000)]
        commands = [batch_pb2.BatchCommand(place_order=each) for each in orders]
        client.batch.ExecuteBatch(batch_pb2.ExecuteBatchRequest(commands=commands))
    # Without the probe a client takes little before it is read: the service waits with the rest.
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0)]
    for pause in (0.0, 0.01, 0.02, 0.04, 0.06, 0.08):
        with grpc.insecure_channel(service.address, options=options) as channel:
            audit = audit_pb2_grpc.AuditServiceStub(channel)
            streams = [audit.StreamFacts(audit_pb2.StreamFactsRequest()) for _ in range(8)]
            for stream in streams[::2]:
                next(stream)
            time.sleep(pause)
    time.sleep(0.5)
