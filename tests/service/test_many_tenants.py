"""Many tenants in one service: what is wrong with one of them is nobody else's trouble."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import psycopg
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from psycopg.sql import SQL, Identifier

from adapters.clock import Clocks
from adapters.database.postgres import open_pool
from adapters.tenants import Tenant, Tenants
from fulfilment.v1 import admin_pb2, supplier_orders_pb2
from ledger.engine.executor import Ledger
from ledger.engine.log import LOCK_SEED, Log
from ledger.nouns import NOUNS, orders, policies
from tests.support.projecting import catch_up, connect
from tests.support.scenario import ORDER, sent
from tests.support.service import (
    Client,
    ServiceProcess,
    context,
    dsn_of,
    serving,
    stamp,
)
from tests.support.stalls import EmptyTenant
from tests.support.terminal import Console
from tests.support.waiting import wait_for

DAY = timedelta(days=1)
OTHERS = [f"t{number:02}" for number in range(12)]


class House(NamedTuple):
    """A service with more tenants than it works for at once, of which those that come first are in trouble."""

    service: ServiceProcess
    folder: Path
    dsn: str


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with (
        tempfile.TemporaryDirectory(prefix="fulfilment-", ignore_cleanup_errors=True) as name,
        serving(Path(name), "--data", f"{name}/data") as service,
    ):
        folder = Path(name) / "data"
        dsn = dsn_of(folder)
        with Client(service.address) as client:
            for tenant in ("aaa", "aab", *OTHERS, "zzz"):
                client.admin.CreateTenant(admin_pb2.CreateTenantRequest(tenant=tenant))
        with psycopg.connect(dsn, autocommit=True) as connection:
            # aaa has terms that only a newer version of the service knows; aac is listed and has no tables.
            insert = """
                INSERT INTO tenant_aaa.ledger_events
                    (originator_id, originator_version, topic, state, notification_id)
                VALUES (%s, 1, 'policy.teleported', '{}', 1)
            """
            connection.execute(insert, (policies.stream(),))
            connection.execute("INSERT INTO fulfilment.tenants (name, schema) VALUES ('aac', 'tenant_aac')")
        with Client(service.address, "aab") as client:
            overdue(client, "stuck", datetime.now(UTC) + timedelta(seconds=3))
        with locked(dsn, "tenant_aab"):
            yield House(service, folder, dsn)


@contextmanager
def locked(dsn: str, schema: str) -> Iterator[None]:
    """Somebody holds a tenant's ledger and does nothing."""
    with psycopg.connect(dsn) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, %s))", (schema, LOCK_SEED))
        yield


def overdue(client: Client, number: str, due: datetime) -> None:
    """An order whose supplier is to answer by then."""
    client.approve(at=due - 30 * DAY, acknowledge_within_hours=24)
    client.feed(10)
    client.place(number, placed_at=stamp(due - DAY))
    sent = supplier_orders_pb2.SendSupplierOrderRequest(
        context=context(), supplier_order_id=f"shop/{number}/1", at=stamp(due - DAY)
    )
    client.orders.SendSupplierOrder(sent)


def test_clocks_and_messages_of_others_go_on_beside_tenants_in_trouble(house: House):
    with Client(house.service.address, "zzz") as client:
        overdue(client, "late", datetime.now(UTC) - 2 * DAY)
        client.place("new")
        wait_for(lambda: client.get("shop/late").supplier_orders[0].missed_clocks == ["acknowledge"])
        assert wait_for(lambda: list((house.folder / "outbox" / "zzz").glob("order_confirmed-*.eml")))
    log = house.service.log.read_text()
    for tenant in ("aaa", "aac"):
        assert log.count(f'"message":"{tenant} failed with') <= 5, "once for each task that goes over all tenants"


SERVING, NOT_SERVING = "SERVING", "NOT_SERVING"


def health(house: House, name: str) -> str:
    """The health of a name; empty while it is not known."""
    with grpc.insecure_channel(house.service.address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        try:
            status = stub.Check(health_pb2.HealthCheckRequest(service=name)).status
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return ""
            raise
        return str(health_pb2.HealthCheckResponse.ServingStatus.Name(status))


def wait_for_health(house: House, name: str, status: str) -> None:
    wait_for(lambda: health(house, name) == status)


def test_health_shows_the_read_models_of_each_tenant_and_of_all_together(house: House):
    for tenant in ("default", "zzz", OTHERS[-1]):
        wait_for_health(house, f"projection.tracking.{tenant}", SERVING)
    # aaa has a fact that nobody can read, and aac has no tables.
    for tenant in ("aaa", "aac"):
        wait_for_health(house, f"projection.tracking.{tenant}", NOT_SERVING)
    assert health(house, "projection.tracking") == NOT_SERVING
    assert health(house, "projection") == NOT_SERVING
    assert health(house, "") == SERVING


def test_a_read_model_that_stands_still_shows_in_status_health_and_a_verification_that_fails(house: House):
    fulfilment = Console(house.service.address, "t00")
    wait_for_health(house, "projection.tracking.t00", SERVING)
    with psycopg.connect(house.dsn, autocommit=True) as connection, Client(house.service.address, "t00") as client:
        connection.execute("ALTER TABLE tenant_t00.tracking_orders ADD CONSTRAINT no CHECK (false)")
        client.approve()
        client.feed(10)
        client.place("1")
        wait_for_health(house, "projection.tracking.t00", NOT_SERVING)
        assert health(house, "projection.sla.t00") == SERVING
        result = fulfilment("status")
        assert "the fact at position" in result.out
        verified = fulfilment("rebuild", "tracking", "--verify")
        assert verified.code == 1
        assert "tracking failed: the live tables stand at position" in verified.out
        assert "do not go on: the fact at position" in verified.out
        # Built anew, it stands at the head of the log.
        rebuilt = fulfilment("rebuild", "tracking")
        assert rebuilt.code == 0, rebuilt
        assert "where the one before stood still" in rebuilt.out
        wait_for_health(house, "projection.tracking.t00", SERVING)


async def test_what_cannot_be_noticed_is_asked_for_once_a_minute(tenant: EmptyTenant):
    scenario = sent()
    now = scenario.later(hours=25)
    await asyncio.to_thread(catch_up, tenant, scenario.log)
    with connect(tenant) as connection:
        newer = """
            INSERT INTO {}.ledger_events (originator_id, originator_version, topic, state, notification_id)
            VALUES (%s, 100, 'order.teleported', '{{}}', %s)
        """
        connection.execute(SQL(newer).format(Identifier(tenant.schema)), (orders.stream(ORDER), len(scenario.log) + 1))
    async with open_pool(tenant.conninfo) as pool:
        log = Log(tenant.schema, pool)
        serving = Tenant("test", tenant.schema, log, Ledger(log, NOUNS))
        await serving.ledger.start()
        clocks = Clocks(Tenants(pool))
        assert await clocks.tick(serving, now) == 1
        assert await clocks.tick(serving, now) == 0
        await serving.ledger.stop()
