"""The service on a database that an earlier version left behind."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from fulfilment.v1 import admin_pb2, audit_pb2, finding_pb2, orders_pb2, remarks_pb2
from projections import PROJECTIONS
from tests.support import old_database
from tests.support.service import Client, Service, context, serving
from tests.support.waiting import wait_for

Log = list[tuple[Any, ...]]


def stored(dsn: str, tenant: str) -> Log:
    """All facts as they are on the disk, in their order."""
    query = """
        SELECT notification_id, originator_id, originator_version, topic, state, command, recorded_at
        FROM {}.ledger_events ORDER BY notification_id
    """
    with psycopg.connect(dsn) as connection:
        return connection.execute(SQL(query).format(Identifier(f"tenant_{tenant}"))).fetchall()


@pytest.fixture(scope="module")
def dsn(conninfo: str) -> Iterator[str]:
    with old_database.loaded(conninfo) as dsn:
        yield dsn


@pytest.fixture(scope="module")
def before(dsn: str) -> dict[str, Log]:
    return {tenant: stored(dsn, tenant) for tenant in old_database.TENANTS}


@pytest.fixture(scope="module")
def upgraded(dsn: str, before: dict[str, Log], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("upgraded")
    key = Path(shutil.copy(old_database.KEY, folder / "master.key"))
    key.chmod(0o600)
    with serving(folder, "--dsn", dsn, "--key-file", str(key), "--outbox", "off") as service:
        yield service


@pytest.fixture(params=old_database.TENANTS)
def client(request: pytest.FixtureRequest, upgraded: Service) -> Iterator[Client]:
    with Client(upgraded.address, request.param) as client:
        wait_for(lambda: _is_caught_up(client))
        yield client


def _is_caught_up(client: Client) -> bool:
    """Whether each read model stands at the head of the log, in its present shape."""
    found = client.admin.GetStatus(admin_pb2.GetStatusRequest()).projections
    return {each.name for each in found} == {each.name for each in PROJECTIONS} and not any(
        each.lag or each.error for each in found
    )


def test_every_old_fact_stays_as_it_was(dsn: str, before: dict[str, Log], client: Client):
    facts = before[client.tenant]
    assert len(facts) > 50
    assert stored(dsn, client.tenant)[: len(facts)] == facts
    told = [fact for part in client.audit.StreamFacts(audit_pb2.StreamFactsRequest()) for fact in part.facts]
    assert [(each.position, each.stream, each.version, each.name, each.json.encode()) for each in told][
        : len(facts)
    ] == [(position, stream, version, name, bytes(state)) for position, stream, version, name, state, *_ in facts]


def test_the_read_models_of_before_are_equal_to_those_that_are_built_anew(client: Client):
    names = [each.name for each in PROJECTIONS]
    for name in names:
        client.admin.RebuildProjection(admin_pb2.RebuildProjectionRequest(name=name, verify_only=True))

    def results() -> dict[str, str]:
        found = client.admin.GetStatus(admin_pb2.GetStatusRequest()).projections
        done = {each.name: each.rebuild for each in found if each.rebuild.startswith(("verified", "failed"))}
        return done if len(done) == len(names) else {}

    different = {name: result for name, result in wait_for(results).items() if ": equal, " not in result}
    assert different == {}


def test_every_order_of_before_can_be_read_and_its_units_are_all_somewhere(before: dict[str, Log], client: Client):
    streams = dict.fromkeys(stream for _, stream, *_ in before[client.tenant] if stream.startswith("order-"))
    assert streams
    for stream in streams:
        order = client.get(stream.removeprefix("order-"))
        for line in order.lines:
            buckets = line.units
            assert sum(value for _, value in buckets.ListFields()) == line.line.quantity


def test_who_ordered_before_is_found_and_can_be_read(upgraded: Service):
    with Client(upgraded.address, "bad_day") as client:
        order = client.orders.GetOrder(orders_pb2.GetOrderRequest(order_id="shop/1001", with_personal_data=True)).order
        assert order.customer.email
        asked = finding_pb2.FindCustomerRequest(email=order.customer.email)
        found = wait_for(lambda: list(client.finding.FindCustomer(asked).orders))
        assert "shop/1001" in [each.order.order_id for each in found]


def test_who_ordered_before_and_since_is_erased_with_what_was_written_about_either(upgraded: Service):
    with Client(upgraded.address, "bad_day") as client:

        def shown(order_id: str) -> orders_pb2.Order:
            return client.orders.GetOrder(orders_pb2.GetOrderRequest(order_id=order_id, with_personal_data=True)).order

        old = shown("shop/1001")
        client.place("since", customer=old.customer)
        for order_id in ("shop/1001", "shop/since"):
            client.orders.AddOrderNote(
                remarks_pb2.AddOrderNoteRequest(context=context(), order_id=order_id, note="rang")
            )
        client.admin.ErasePerson(admin_pb2.ErasePersonRequest(order_id="shop/since", even_if_open=True))
        for order_id in ("shop/1001", "shop/since"):
            order = shown(order_id)
            assert (order.HasField("customer"), [each.note for each in order.notes]) == (False, [""])
        asked = finding_pb2.FindCustomerRequest(email=old.customer.email)
        assert not client.finding.FindCustomer(asked).orders
