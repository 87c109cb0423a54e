"""The real service as tests use it, over real sockets; its processes are ended by their process ids."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import code_pb2, error_details_pb2
from grpc_status import rpc_status

from fulfilment import client
from fulfilment.failures import failure
from fulfilment.v1 import (
    admin_pb2,
    audit_pb2,
    batch_pb2,
    common_pb2,
    orders_pb2,
    stock_pb2,
    suppliers_pb2,
)
from tests.support import documented
from tests.support.new_data import give_new_data

HOUSE = Path(__file__).parents[2]
START_SECONDS = 60.0
MISTAKE = "the service made a mistake; its log says where"
"""The answer to a caller after an internal error."""


@dataclass
class Service:
    """Where a service answers, its data folder, and its database."""

    address: str
    data: Path
    dsn: str


class ServiceProcess(Service):
    """A server process; ``log`` is the file that holds what it wrote."""

    def __init__(self, folder: Path, *arguments: str, house: Path = HOUSE) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / f"server-{uuid.uuid4().hex[:8]}.log"
        chosen = dict(pairwise(arguments))
        self.data = Path(chosen.get("--data", folder))
        self.dsn = chosen.get("--dsn") or dsn_of(self.data)
        if "--dsn" not in chosen:
            give_new_data(self.data)
        words = [sys.executable, "server.py", "--listen", "127.0.0.1:0", "--log-format", "json", *arguments]
        words += ["--data", str(self.data)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FULFILMENT_")}
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(words, cwd=house, env=environment, stdout=out, stderr=out)
        try:
            self.address = self._address()
        except BaseException:
            self.stop()
            raise

    def _address(self) -> str:
        give_up_at = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up_at:
            found = re.search(r"listens on (\S+),", self.log.read_text())
            if found:
                return found[1]
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"the server did not start:\n{self.log.read_text()}")

    def stop(self, how: int = signal.SIGTERM) -> int:
        """Ends the process and waits for it; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(60)


@contextmanager
def serving(folder: Path, *arguments: str, house: Path = HOUSE) -> Iterator[ServiceProcess]:
    service = ServiceProcess(folder, *arguments, house=house)
    try:
        yield service
    finally:
        service.stop()


class Client(client.Client):
    """The contract's own client, which asks once and waits long, and short ways to say common things."""

    def __init__(self, address: str, tenant: str = "default", token: str = "") -> None:
        super().__init__(
            address,
            tenant=tenant if tenant != "default" or not token else "",
            token=token,
            timeout_seconds=100,
            pauses_seconds=(),
            interceptors=[Documented()],
        )

    def approve(self, supplier_id: str = "acme", at: datetime | None = None, contact: str = "", **hours: Any) -> None:
        """A supplier that may be given orders, with agreed clocks."""
        since = stamp((at or datetime.now(UTC)) - timedelta(days=1))
        agreement = suppliers_pb2.Agreement(effective_from=since, **hours)
        known: dict[str, Any] = {"supplier_id": supplier_id, "at": since}
        matches: dict[str, Any] = {"material_matches": True, "packaging_matches": True, "manual_matches": True}
        steps: list[tuple[Any, Any]] = [
            (
                self.suppliers.RegisterSupplier,
                suppliers_pb2.RegisterSupplierRequest(context=context(), name="Acme Ltd", contact=contact, **known),
            ),
            (
                self.suppliers.ReviewSample,
                suppliers_pb2.ReviewSampleRequest(context=context(), **known, **matches),
            ),
            (
                self.suppliers.AgreeTerms,
                suppliers_pb2.AgreeTermsRequest(context=context(), agreement=agreement, **known),
            ),
            (self.suppliers.ApproveSupplier, suppliers_pb2.ApproveSupplierRequest(context=context(), **known)),
        ]
        for rpc, request in steps:
            rpc(request)

    def feed(self, quantity: int, sku: str = "tea", supplier_id: str = "acme", version: int = 1) -> Any:
        item = stock_pb2.Item(supplier_id=supplier_id, sku=sku)
        return self.stock.RecordFeed(
            stock_pb2.RecordFeedRequest(context=context(), item=item, quantity=quantity, feed_version=version)
        )

    def place(self, number: str, **more: Any) -> Any:
        return self.orders.PlaceOrder(order(number, **more))

    def read_up_to(self, position: int) -> int:
        """Waits until the read models have come so far; a projector that is just being started takes its time."""
        give_up_at = time.monotonic() + START_SECONDS
        while True:
            status = self.admin.GetStatus(admin_pb2.GetStatusRequest())
            if all(each.position >= position for each in status.projections):
                return position
            assert time.monotonic() < give_up_at, "the read models do not get there"
            time.sleep(0.05)

    def get(self, order_id: str) -> Any:
        return self.orders.GetOrder(orders_pb2.GetOrderRequest(order_id=order_id)).order


class Documented(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Fails the test whose call is refused for a reason that the RPC's comment does not name."""

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        call = continuation(details, request)
        if call.code() is not grpc.StatusCode.OK:
            require_documented_error(details.method, call)
        elif isinstance(request, batch_pb2.ExecuteBatchRequest):
            for command, outcome in zip(request.commands, call.result().outcomes, strict=True):
                if outcome.HasField("refusal"):
                    _require_documented_outcome(command, outcome.refusal)
        return call

    def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        return _DocumentedStream(details.method, continuation(details, request))


class _DocumentedStream:
    """The messages of a stream, and what else its call can do."""

    def __init__(self, method: str, call: Any) -> None:
        self._method, self._call = method, call

    def __iter__(self) -> _DocumentedStream:
        return self

    def __next__(self) -> Any:
        try:
            return next(self._call)
        except grpc.RpcError as error:
            require_documented_error(self._method, error)
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)


def require_documented_error(method: str, error: Any) -> None:
    """What gRPC itself says, such as of a server that is gone, is no refusal."""
    assert error.details() != MISTAKE, f"{method} ended with a mistake of the service"
    failed = failure(error)
    if not failed.from_service:
        lost = error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert not lost, f"{method} was refused with more than a call carries: {error.details()}"
    else:
        documented.require(method.rpartition("/")[2], error.code().name, failed.reason)
        documented.require_figures(failed.reason, failed.metadata)


def _require_documented_outcome(command: batch_pb2.BatchCommand, refusal: batch_pb2.BatchRefusal) -> None:
    assert refusal.message != MISTAKE, f"a mistake of the service in a batch: {refusal}"
    which = command.WhichOneof("command")
    if which is not None:  # a command that there is none of is malformed, whatever it should have been
        rpc = documented.rpc_of(getattr(command, which).DESCRIPTOR.full_name)
        documented.require(rpc.name, code_pb2.Code.Name(refusal.code), refusal.reason)
        documented.require_figures(refusal.reason, refusal.details)


def context(request_id: str = "", actor: str = "test") -> common_pb2.CommandContext:
    return common_pb2.CommandContext(request_id=request_id or uuid.uuid4().hex, actor=actor)


def stamp(at: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(at)
    return timestamp


def order(number: str, units: int = 1, sku: str = "tea", request_id: str = "", **more: Any) -> Any:
    """A complete, paid order of one line unless said otherwise."""
    fields: dict[str, Any] = {
        "context": context(request_id),
        "channel": "shop",
        "channel_order_id": number,
        "currency": "EUR",
        "lines": [orders_pb2.OrderLine(sku=sku, quantity=units, unit_price_minor=990, supplier_id="acme")],
        "customer": orders_pb2.Customer(name="Ann Example", email="ann@example.org", phone="+49 30 1234567"),
        "ship_to": orders_pb2.Address(
            lines=["1 Elm Street"], city="Berlin", postal_code="10115", country="DE", region="BE"
        ),
        "payment": orders_pb2.PAYMENT_STATE_PAID,
    }
    return orders_pb2.PlaceOrderRequest(**{**fields, **more})


def patiently(call: Any, request: Any, seconds: float = 60.0) -> Any:
    """The answer of a read model, however long it takes to come that far on a busy machine."""
    give_up_at = time.monotonic() + seconds
    while True:
        try:
            return call(request)
        except grpc.RpcError as error:
            if reason_of(error) != "PROJECTION_BEHIND" or time.monotonic() > give_up_at:
                raise


def reason_of(error: grpc.RpcError) -> str:
    """Our reason in a refused call's details."""
    failed = failure(error)
    assert failed.from_service, f"no reason of the service in {error}"
    return failed.reason


def error_info(error: grpc.RpcError) -> error_details_pb2.ErrorInfo:
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    assert status is not None, f"no google.rpc.Status in {error}"
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Unpack(info):
            return info
    raise AssertionError("no ErrorInfo in the details")


def fields_of(error: grpc.RpcError) -> list[str]:
    """The paths of the offending fields in a refused call's details."""
    return [field for field, _ in failure(error).fields]


def refused(call: Any, request: Any) -> grpc.RpcError:
    """The error with which the call ends."""
    with pytest.raises(grpc.RpcError) as caught:
        call(request)
    error: grpc.RpcError = caught.value
    return error


def offer(client: Client, supplier_id: str, sku: str, cost: int) -> None:
    """A supplier has a SKU, at a cost in cents."""
    made = suppliers_pb2.Offer(sku=sku, cost=common_pb2.Money(amount_minor=cost, currency="EUR"))
    client.suppliers.OfferSku(suppliers_pb2.OfferSkuRequest(context=context(), supplier_id=supplier_id, offer=made))


def dsn_of(data: Path) -> str:
    """The address of the embedded server that runs under a data folder."""
    return f"host={data / 'postgres'} port=5432 user=postgres dbname=postgres"


def names_of(client: Client, name: str) -> int:
    """How many facts of that name the log has."""
    return len(facts_named(client, name))


def facts_named(client: Client, name: str) -> list[Any]:
    parts = client.audit.StreamFacts(audit_pb2.StreamFactsRequest())
    return [fact for part in parts for fact in part.facts if fact.name == name]
