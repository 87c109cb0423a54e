"""The ledger's own requests: nobody else can take their ids, and what would happen if somebody did is seen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import psycopg
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from fulfilment.v1 import stock_pb2, supplier_orders_pb2
from ledger.engine.commands import Command
from ledger.engine.request_ids import OWN
from tests.support.hosting import hosting
from tests.support.office import Postbox, an_office
from tests.support.scenario import confirmed
from tests.support.service import (
    Client,
    Service,
    context,
    fields_of,
    names_of,
    stamp,
)
from tests.support.stalls import EmptyTenant
from tests.support.waiting import wait_for

SENT_AT = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=5)
DUE = SENT_AT + timedelta(hours=4)
REQUEST = f"clock:acknowledge:shop/late/shop/late/1:{DUE.isoformat()}:0"


@pytest.fixture
def service(embedded: str, folder: Path) -> Iterator[Service]:
    with hosting(embedded, folder / "data") as service:
        yield service


def feed(request_id: str) -> stock_pb2.RecordFeedRequest:
    item = stock_pb2.Item(supplier_id="acme", sku="other")
    return stock_pb2.RecordFeedRequest(context=context(request_id), item=item, quantity=1, feed_version=1)


def approve(client: Client) -> None:
    client.approve(at=SENT_AT - timedelta(days=1), acknowledge_within_hours=4)


def run_late(client: Client) -> None:
    """A supplier order that should have been acknowledged an hour ago."""
    client.feed(10)
    client.place("late", placed_at=stamp(SENT_AT))
    send = supplier_orders_pb2.SendSupplierOrderRequest(
        context=context(), supplier_order_id="shop/late/1", at=stamp(SENT_AT)
    )
    client.orders.SendSupplierOrder(send)
    wait_for(lambda: names_of(client, "order.deadline_missed") == 1)


def test_a_client_that_uses_what_was_the_clocks_request_id_hinders_no_clock(service: Service) -> None:
    with Client(service.address) as client:
        approve(client)
        client.stock.RecordFeed(feed(REQUEST))
        run_late(client)


@pytest.mark.parametrize("request_id", [OWN, f"{OWN}{REQUEST}", f"a{OWN}"], ids=["alone", "of the clock", "inside"])
def test_no_client_can_send_a_request_id_of_the_ledgers_own(service: Service, request_id: str) -> None:
    with Client(service.address) as client, pytest.raises(grpc.RpcError) as refused:
        client.stock.RecordFeed(feed(request_id))
    assert fields_of(refused.value) == ["context.request_id"]


def test_an_id_of_the_ledgers_own_that_was_used_shows_in_log_and_health_and_hinders_no_clock(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    with Client(service.address) as client:
        approve(client)
        position = client.feed(5).position
        with psycopg.connect(service.dsn) as connection:
            connection.execute(
                "INSERT INTO tenant_default.ledger_commands (request_id, fingerprint, actor, position, version)"
                " VALUES (%s, %s, 'somebody', %s, 1)",
                (f"{OWN}{REQUEST}", b"other", position),
            )
        assert health_of(service, "clock") == "SERVING"
        run_late(client)
        assert f"{OWN}{REQUEST} is the ledger's own and was used before by somebody" in caplog.text
        wait_for(lambda: health_of(service, "clock") == "NOT_SERVING")
        assert health_of(service, "outbox") == health_of(service, "") == "SERVING"


def health_of(service: Service, name: str) -> str:
    with grpc.insecure_channel(service.address) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        for _ in range(100):
            try:
                found = health.Check(health_pb2.HealthCheckRequest(service=name)).status
                return str(health_pb2.HealthCheckResponse.ServingStatus.Name(found))
            except grpc.RpcError:
                time.sleep(0.1)  # it is updated once a second
    raise AssertionError(f"no health of {name!r}")


@pytest.mark.parametrize("prefix", ["", OWN], ids=["by a client of before", "by a mistake"])
async def test_a_message_whose_record_was_taken_is_sent_once_all_the_same(tenant: EmptyTenant, prefix: str):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        office.use(confirmed(**office.customer()))
        await office.catch_up()
        for position in range(1, 20):
            taken = f"{prefix}outbox:sent:order_confirmed-{position}:1"
            await office.tenant.ledger.execute(Command(taken, "somebody", b"other", lambda view: []))
        for _ in range(4):
            await office.tick()
        assert len(postbox.letters) == 1
        assert office.facts()["message.sent"] == (not prefix)
        assert set(office.tenant.ledger.taken) == ({"outbox"} if prefix else set())
