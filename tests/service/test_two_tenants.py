"""Two tenants with a client each: whatever one asks, nothing is told of the other, not even that it exists."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import grpc
import psycopg
import pytest
from google.protobuf.message import Message

from fulfilment.client import CallFailed
from fulfilment.failures import failure
from fulfilment.v1 import admin_pb2, batch_pb2, doctor_pb2, orders_pb2
from tests.support import documented
from tests.support.access import administer, answer_to, bearer, knows, until
from tests.support.service import Client, Service, refused
from tests.support.trading import WELL_FORMED, Trade, first_of, fresh, parcel_of

RPCS = documented.rpcs()
_FRESH = re.compile(r"[0-9a-fA-F]{12}|[0-9]{8,}")
ASK_NO_TENANT = {"ListTenants", "FindCustomsTerritory", "Diagnose"}


class Neighbours(NamedTuple):
    """Two tenants of one service, each with a client of its own that may do everything in it."""

    service: Service
    channel: grpc.Channel
    tokens: Mapping[str, str]

    def client(self, tenant: str) -> Client:
        """It names no tenant: its token does."""
        return Client(self.service.address, "", token=self.tokens[tenant])


@pytest.fixture(scope="module")
def neighbours(service: Service) -> Iterator[Neighbours]:
    with Client(service.address) as anybody:
        for tenant in ("brook", "hill"):
            anybody.admin.CreateTenant(admin_pb2.CreateTenantRequest(tenant=tenant))
    tokens = {
        tenant: administer(
            *("add", f"{tenant}-owner", "--role", "owner", "--tenant", tenant, "--personal", "--dsn", service.dsn)
        ).token
        for tenant in ("brook", "hill")
    }
    until(lambda: not knows(service.address, ""), "the first client closes the service")
    until(lambda: knows(service.address, tokens["hill"]), "the last client is known")
    with grpc.insecure_channel(service.address) as channel:
        yield Neighbours(service, channel, tokens)


def test_a_tenant_that_is_not_granted_is_as_unknown_as_one_that_nobody_made(neighbours: Neighbours):
    trade = Trade(neighbours.client("brook"))
    for rpc in RPCS:
        told = {}
        for tenant in ("hill", "nowhere"):
            more = {"tenant": tenant} if rpc == "CreateTenant" else {}
            metadata = (("tenant", tenant), *bearer(neighbours.tokens["brook"]))
            answered = answer_to(neighbours.channel, rpc, _request(trade, rpc, more).SerializeToString(), metadata)
            if rpc not in ASK_NO_TENANT:
                assert isinstance(answered, CallFailed), rpc
                assert answered.reason in ("UNKNOWN_TENANT", "MALFORMED"), rpc
            told[tenant] = _told(rpc, answered).replace(tenant, "TENANT")
        assert told["hill"] == told["nowhere"], rpc
    with psycopg.connect(neighbours.service.dsn) as connection:
        names = {row[0] for row in connection.execute("SELECT name FROM fulfilment.tenants")}
    assert "nowhere" not in names


def _told(rpc: str, answered: bytes | CallFailed) -> str:
    """An answer; of a diagnosis without its figures, which are others at the next look at the machine."""
    if rpc != "Diagnose" or not isinstance(answered, bytes):
        return str(answered)
    return re.sub(r"\d[\d.,]*", "N", str(doctor_pb2.DiagnoseResponse.FromString(answered)))


def test_each_tenant_sees_its_own_under_the_same_id_without_naming_itself(neighbours: Neighbours):
    for tenant, sku in (("brook", "tea"), ("hill", "salt")):
        with neighbours.client(tenant) as client:
            client.place("same", sku=sku)
    for tenant, sku in (("brook", "tea"), ("hill", "salt")):
        with neighbours.client(tenant) as client:
            assert client.get("shop/same").lines[0].line.sku == sku
            listed = client.admin.ListTenants(admin_pb2.ListTenantsRequest()).tenants
            assert [each.tenant for each in listed] == [tenant]


def test_whatever_is_asked_about_things_of_the_other_is_answered_as_of_things_that_nobody_has(neighbours: Neighbours):
    with neighbours.client("hill") as client:
        client.approve()
        hill = _things(Trade(client))
    nowhere = {
        name: re.sub(r"[0-9a-fA-F]{12}|[0-9]{8,}", lambda found: found[0][::-1], value) for name, value in hill.items()
    }
    assert {name for name in hill if hill[name] == nowhere[name]} == {"carrier"}
    trade, owner = Trade(neighbours.client("brook")), bearer(neighbours.tokens["brook"])
    for rpc in sorted(RPCS.keys() - {"CreateTenant", "StreamFacts", "CheckLedger", "ExportTables"}):
        told = []
        for things in (hill, nowhere):
            request = _request(trade, rpc, {name: things[name] for name in things if name in WELL_FORMED.get(rpc, ())})
            answered = answer_to(neighbours.channel, rpc, request.SerializeToString(), owner)
            refusal = str(answered) if isinstance(answered, CallFailed) else "answered"
            for name, value in sorted(things.items(), key=lambda thing: -len(thing[1])):
                refusal = refusal.replace(value, name)
            told.append(refusal)
        assert told[0] == told[1], rpc


def _things(trade: Trade) -> dict[str, str]:
    """What a tenant has, by the fields that name it."""
    order_id, case_id = trade.sent(), trade.labelled()
    return {
        **first_of(order_id),
        "order_id": order_id,
        **parcel_of(f"shop/{case_id}"),
        "case_id": case_id,
        "supplier_id": trade.supplier(),
        "recovery_id": trade.filed(),
        "inquiry_id": trade.inquiry(),
    }


def _request(trade: Trade, rpc: str, fields: Mapping[str, Any]) -> Message:
    if rpc == "ExecuteBatch":
        confirm = orders_pb2.ConfirmOrderRequest(order_id=fields.get("order_id", "shop/1"))
        return batch_pb2.ExecuteBatchRequest(commands=[batch_pb2.BatchCommand(confirm_order=confirm)])
    request: Message = trade.request(rpc, **fields)
    return request


def test_a_client_of_every_tenant_names_one_and_makes_new_ones(neighbours: Neighbours):
    address, dsn = neighbours.service.address, neighbours.service.dsn
    token = administer("add", "all-of-them", "--role", "owner", "--all-tenants", "--dsn", dsn).token
    until(lambda: knows(address, token), "the client is known")
    with Client(address, token=token) as client:
        client.admin.CreateTenant(admin_pb2.CreateTenantRequest(tenant="meadow"))
        listed = client.admin.ListTenants(admin_pb2.ListTenantsRequest()).tenants
        assert {"brook", "default", "hill", "meadow"} <= {each.tenant for each in listed}
    with Client(address, "meadow", token=token) as client:
        assert client.place(fresh()).version > 0


def test_a_token_of_one_tenant_is_no_good_for_the_other_also_by_name(neighbours: Neighbours):
    with Client(neighbours.service.address, "hill", token=neighbours.tokens["brook"]) as client:
        error = refused(client.orders.GetOrder, orders_pb2.GetOrderRequest(order_id="shop/same"))
    assert failure(error).reason == "UNKNOWN_TENANT"
