"""The whole service over a real socket, on a real PostgreSQL."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import psycopg
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from psycopg.sql import SQL, Identifier

from adapters.database import control
from fulfilment.v1 import (
    admin_pb2,
    audit_pb2,
    batch_pb2,
    common_pb2,
    orders_pb2,
    parcels_pb2,
    stock_pb2,
    supplier_orders_pb2,
    suppliers_pb2,
)
from tests.support.service import (
    HOUSE,
    Client,
    Service,
    context,
    dsn_of,
    fields_of,
    offer,
    order,
    reason_of,
    refused,
    serving,
    stamp,
)
from tests.support.waiting import wait_for

# --- an order from the shop to the door ---------------------------------------------------------------


def test_an_order_goes_from_the_shop_to_the_door(client: Client) -> None:
    client.feed(10, sku="walk")
    client.place("walk", units=2, sku="walk")
    assert client.get("shop/walk").status == orders_pb2.ORDER_STATUS_CONFIRMED
    so = "shop/walk/1"
    client.orders.SendSupplierOrder(
        supplier_orders_pb2.SendSupplierOrderRequest(context=context(), supplier_order_id=so)
    )
    client.orders.AcknowledgeSupplierOrder(
        supplier_orders_pb2.AcknowledgeSupplierOrderRequest(
            context=context(), supplier_order_id=so, lines=[supplier_orders_pb2.LineAnswer(line_no=1, accepted=2)]
        )
    )
    client.orders.PackSupplierOrder(
        supplier_orders_pb2.PackSupplierOrderRequest(context=context(), supplier_order_id=so, packed_with=["neutral"])
    )
    for number in ("W1", "W2"):
        client.orders.ShipSupplierOrder(
            supplier_orders_pb2.ShipSupplierOrderRequest(
                context=context(),
                supplier_order_id=so,
                carrier="DHL Express",
                tracking_number=number,
                lines=[common_pb2.LineUnits(line_no=1, units=1)],
            )
        )
    assert client.get("shop/walk").status == orders_pb2.ORDER_STATUS_DISPATCHED
    for number, status in (("W1", orders_pb2.ORDER_STATUS_PARTLY_DELIVERED), ("W2", orders_pb2.ORDER_STATUS_DELIVERED)):
        client.parcels.RecordCheckpoints(
            parcels_pb2.RecordCheckpointsRequest(
                context=context(),
                carrier="dhl_express",
                tracking_number=number,
                checkpoints=[
                    parcels_pb2.Checkpoint(at=stamp(datetime.now(UTC)), status=parcels_pb2.PARCEL_STATUS_DELIVERED)
                ],
            )
        )
        assert client.get("shop/walk").status == status
    (level,) = client.stock.GetStock(
        stock_pb2.GetStockRequest(items=[stock_pb2.Item(supplier_id="acme", sku="walk")])
    ).levels
    assert (level.quantity, level.held, level.available) == (10, 0, 8)


# --- a supplier that does not send --------------------------------------------------------------------


def test_units_find_their_supplier_and_go_on_to_the_next_one(client: Client) -> None:
    for cost, supplier_id in enumerate(("near", "mid", "far"), 200):
        client.approve(supplier_id, dispatch_within_hours=48)
        offer(client, supplier_id, "vase", cost)
        client.feed(10, "vase", supplier_id)
    choice = client.suppliers.GetSku(suppliers_pb2.GetSkuRequest(sku="vase", units=3)).choice
    assert [(each.supplier_id, each.available, each.cost.amount_minor) for each in choice.considered] == [
        ("near", 10, 200),
        ("mid", 10, 201),
        ("far", 10, 202),
    ]
    line = orders_pb2.OrderLine(sku="vase", quantity=3, unit_price_minor=990)
    client.place("vase", lines=[line], packing=["logo_label"])
    placed = client.get("shop/vase")
    assert (placed.lines[0].line.supplier_id, placed.lines[0].choice.supplier_id) == ("near", "near")
    neutral = ["neutral", "no_papers", "no_prices", "no_advertising"]
    assert list(placed.supplier_orders[0].packing) == [*neutral, "after_sales_card"]

    send(client, "shop/vase/1")
    client.orders.AcknowledgeSupplierOrder(
        supplier_orders_pb2.AcknowledgeSupplierOrderRequest(
            context=context(),
            supplier_order_id="shop/vase/1",
            lines=[
                supplier_orders_pb2.LineAnswer(
                    line_no=1, accepted=1, rejected=2, reason=supplier_orders_pb2.REJECT_REASON_OUT_OF_STOCK
                )
            ],
        )
    )
    second = client.get("shop/vase").supplier_orders[1]
    assert (second.supplier_id, second.instead_of, second.reroute_reason) == (
        "mid",
        "shop/vase/1",
        "rejected: out_of_stock",
    )
    assert second.choices[0].considered[-1].against == suppliers_pb2.AGAINST_TURNED_DOWN

    send(client, "shop/vase/2")
    wanted: dict[str, Any] = {"order_id": "shop/vase", "supplier_order_id": "shop/vase/2"}
    wanted |= {"by": common_pb2.PARTY_SUPPLIER, "reason": "overdue"}
    client.orders.RerouteUnits(supplier_orders_pb2.RerouteUnitsRequest(context=context(), **wanted))
    assert [each.units for each in client.get("shop/vase").supplier_orders[1].reroute_asked] == [2]
    answer = supplier_orders_pb2.AnswerCancelRequestRequest(
        context=context(), supplier_order_id="shop/vase/2", agreed=True
    )
    client.orders.AnswerCancelRequest(answer)
    third = client.get("shop/vase").supplier_orders[2]
    assert (third.supplier_id, third.instead_of, third.reroute_reason) == ("far", "shop/vase/2", "overdue")
    levels = client.stock.GetStock(
        stock_pb2.GetStockRequest(items=[stock_pb2.Item(supplier_id=each, sku="vase") for each in ("mid", "far")])
    ).levels
    assert [each.available for each in levels] == [10, 8]

    batch = batch_pb2.ExecuteBatchRequest(
        commands=[
            batch_pb2.BatchCommand(
                reroute_units=supplier_orders_pb2.RerouteUnitsRequest(
                    context=context(),
                    order_id="shop/vase",
                    supplier_order_id="shop/vase/3",
                    by=common_pb2.PARTY_RETAILER,
                )
            )
        ]
    )
    refusal = client.batch.ExecuteBatch(batch).outcomes[0].refusal
    assert refusal.reason == "NO_QUALIFIED_SUPPLIER"
    against = (("near", "turned_down"), ("mid", "taken_away"), ("far", "taken_away"))
    rows = (("vase", "2", *each) for each in against)
    assert dict(refusal.details) == {
        f"{key}_{number}": value
        for number, row in enumerate(rows, 1)
        for key, value in zip(("sku", "units", "supplier_id", "against"), row, strict=True)
    }


def test_units_that_nobody_sends_are_held_and_the_hold_says_why(client: Client) -> None:
    client.place("alone", sku="alone", when_unavailable=orders_pb2.WHEN_UNAVAILABLE_HOLD)
    offer(client, "acme", "alone", 100)
    send(client, "shop/alone/1")
    rejected = supplier_orders_pb2.LineAnswer(
        line_no=1, rejected=1, reason=supplier_orders_pb2.REJECT_REASON_DISCONTINUED
    )
    client.orders.AcknowledgeSupplierOrder(
        supplier_orders_pb2.AcknowledgeSupplierOrderRequest(
            context=context(), supplier_order_id="shop/alone/1", lines=[rejected]
        )
    )
    (hold,) = client.get("shop/alone").holds
    assert (hold.reason, hold.lacking[0].units) == (orders_pb2.HOLD_REASON_OUT_OF_STOCK, 1)
    assert hold.choices[0].considered[0].against == suppliers_pb2.AGAINST_DISCONTINUED
    release = orders_pb2.ReleaseHoldRequest(
        context=context(), order_id="shop/alone", reason=orders_pb2.HOLD_REASON_OUT_OF_STOCK
    )
    assert reason_of(refused(client.orders.ReleaseHold, release)) == "NO_QUALIFIED_SUPPLIER"


def test_a_missing_brand_pack_is_shown_with_the_order(client: Client) -> None:
    client.place("card", sku="card", packing=["brand_card"])
    send(client, "shop/card/1")
    for packed_with, lacks in (((), ["after_sales_card"]), (("after_sales_card",), [])):
        request = supplier_orders_pb2.PackSupplierOrderRequest(
            context=context(), supplier_order_id="shop/card/1", packed_with=packed_with
        )
        client.orders.PackSupplierOrder(request)
        assert list(client.get("shop/card").supplier_orders[0].packing_lacks) == lacks


def send(client: Client, supplier_order_id: str) -> None:
    request = supplier_orders_pb2.SendSupplierOrderRequest(context=context(), supplier_order_id=supplier_order_id)
    client.orders.SendSupplierOrder(request)


# --- requests that come twice -------------------------------------------------------------------------


def test_the_same_request_gets_its_first_outcome_again(client: Client) -> None:
    request = order("twice", sku="untracked", request_id="twice-1")
    first = client.orders.PlaceOrder(request)
    again = client.orders.PlaceOrder(request)
    assert first.outcome == common_pb2.Receipt.OUTCOME_APPLIED
    assert again.outcome == common_pb2.Receipt.OUTCOME_REPLAYED
    assert (again.position, again.version) == (first.position, first.version)


def test_a_refusal_is_repeated_although_it_would_be_accepted_now(client: Client) -> None:
    confirm = orders_pb2.ConfirmOrderRequest(context=context("early"), order_id="shop/later")
    assert reason_of(refused(client.orders.ConfirmOrder, confirm)) == "UNKNOWN_ORDER"
    client.place("later", sku="untracked")
    again = refused(client.orders.ConfirmOrder, confirm)
    assert again.code() is grpc.StatusCode.NOT_FOUND
    assert reason_of(again) == "UNKNOWN_ORDER"


def test_a_request_id_with_other_content_is_refused(client: Client) -> None:
    client.orders.PlaceOrder(order("reuse", sku="untracked", request_id="reuse-1"))
    error = refused(client.orders.PlaceOrder, order("reuse", units=2, sku="untracked", request_id="reuse-1"))
    assert error.code() is grpc.StatusCode.ALREADY_EXISTS
    assert reason_of(error) == "REQUEST_REUSED"


def test_the_same_order_under_another_request_records_nothing(client: Client) -> None:
    first = client.place("same", sku="untracked")
    again = client.place("same", sku="untracked")
    assert again.version == first.version
    error = refused(client.orders.PlaceOrder, order("same", units=7, sku="untracked"))
    assert reason_of(error) == "ORDER_PLACED_DIFFERENTLY"


# --- batches ----------------------------------------------------------------------------------------------


def test_a_bad_command_in_a_batch_spoils_no_other(client: Client) -> None:
    commands = [
        batch_pb2.BatchCommand(place_order=order("batch-1", sku="untracked")),
        batch_pb2.BatchCommand(place_order=order("", sku="untracked")),
        batch_pb2.BatchCommand(),
        batch_pb2.BatchCommand(confirm_order=orders_pb2.ConfirmOrderRequest(context=context(), order_id="shop/nobody")),
        batch_pb2.BatchCommand(
            send_supplier_order=supplier_orders_pb2.SendSupplierOrderRequest(
                context=context(), supplier_order_id="shop/batch-1/1"
            )
        ),
    ]
    outcomes = client.batch.ExecuteBatch(batch_pb2.ExecuteBatchRequest(commands=commands)).outcomes
    results = [(each.WhichOneof("outcome"), each.refusal.reason, each.refusal.code) for each in outcomes]
    assert results == [
        ("receipt", "", 0),
        ("refusal", "MALFORMED", 3),
        ("refusal", "MALFORMED", 3),
        ("refusal", "UNKNOWN_ORDER", 5),
        ("receipt", "", 0),
    ]
    assert outcomes[1].refusal.details["field"] == "commands[1].place_order.channel_order_id"


@pytest.mark.parametrize("size", [0, 1001])
def test_an_empty_or_too_long_batch_is_refused_whole(client: Client, size: int) -> None:
    request = batch_pb2.ExecuteBatchRequest(commands=[batch_pb2.BatchCommand()] * size)
    assert fields_of(refused(client.batch.ExecuteBatch, request)) == ["commands"]


# --- tenants -------------------------------------------------------------------------------------------


def test_tenants_do_not_see_each_other(service: Service, client: Client) -> None:
    with Client(service.address, "nobody") as stranger:
        error = refused(stranger.orders.PlaceOrder, order("1"))
        assert error.code() is grpc.StatusCode.NOT_FOUND
        assert reason_of(error) == "UNKNOWN_TENANT"
    for _ in range(2):
        client.admin.CreateTenant(admin_pb2.CreateTenantRequest(tenant="second"))
    with Client(service.address, "second") as second:
        receipt = second.place("first-of-second", lines=[orders_pb2.OrderLine(sku="tea", quantity=1)])
        assert receipt.position == 1
        get = orders_pb2.GetOrderRequest(order_id="shop/first-of-second")
        assert reason_of(refused(client.orders.GetOrder, get)) == "UNKNOWN_ORDER"
    names = [t.tenant for t in client.admin.ListTenants(admin_pb2.ListTenantsRequest()).tenants]
    assert names == ["default", "second"]
    wrong = admin_pb2.CreateTenantRequest(tenant="Robert'); DROP")
    assert fields_of(refused(client.admin.CreateTenant, wrong)) == ["tenant"]


# --- audit -----------------------------------------------------------------------------------------------


def test_the_history_shows_who_recorded_what_and_the_state_as_of_each_position(client: Client) -> None:
    client.orders.PlaceOrder(
        order("audit", sku="untracked", payment=orders_pb2.PAYMENT_STATE_PENDING, request_id="audit-1")
    )
    client.orders.RecordPayment(
        orders_pb2.RecordPaymentRequest(
            context=context("audit-2", "shop-bot"), order_id="shop/audit", payment=orders_pb2.PAYMENT_STATE_PAID
        )
    )
    history = client.audit.GetHistory(audit_pb2.GetHistoryRequest(order_id="shop/audit"))
    facts = [(fact.name, fact.request_id, fact.actor, fact.version) for fact in history.facts]
    assert facts[0] == ("order.placed", "audit-1", "test", 1)
    assert facts[1] == ("order.payment_changed", "audit-2", "shop-bot", 2)
    assert json.loads(history.facts[1].json)["payment"] == "paid"
    placed, last = history.facts[0], history.facts[-1]
    as_of = client.audit.GetOrderAsOf
    then = as_of(audit_pb2.GetOrderAsOfRequest(order_id="shop/audit", position=placed.position)).order
    assert then.status == orders_pb2.ORDER_STATUS_ON_HOLD
    now = as_of(audit_pb2.GetOrderAsOfRequest(order_id="shop/audit", recorded_until=last.recorded_at)).order
    assert now.status == orders_pb2.ORDER_STATUS_CONFIRMED
    before = audit_pb2.GetOrderAsOfRequest(order_id="shop/audit", position=placed.position - 1)
    assert reason_of(refused(as_of, before)) == "UNKNOWN_ORDER"


def test_another_contact_or_note_is_not_dropped_in_silence(client: Client) -> None:
    def registered(**people: Any) -> Any:
        return suppliers_pb2.RegisterSupplierRequest(context=context(), supplier_id="wei", name="Wei & Sons", **people)

    first = client.suppliers.RegisterSupplier(registered(contact="Wei", return_address="Longjing Road 1"))
    again = client.suppliers.RegisterSupplier(registered(contact="Wei", return_address="Longjing Road 1"))
    assert again.position == first.position
    for people in ({"contact": "Li", "return_address": "Longjing Road 1"}, {"contact": "Wei"}, {}):
        assert reason_of(refused(client.suppliers.RegisterSupplier, registered(**people))) == (
            "SUPPLIER_REGISTERED_DIFFERENTLY"
        )

    client.place("noted", sku="untracked")

    def noted(note: str) -> int:
        hold: dict[str, Any] = {
            "order_id": "shop/noted",
            "reason": orders_pb2.HOLD_REASON_OTHER,
            "owner": "mia",
            "note": note,
        }
        return int(client.orders.PlaceHold(orders_pb2.PlaceHoldRequest(context=context(), **hold)).version)

    versions = [noted(note) for note in ("call first", "call first", "", "called", "call first")]
    assert [later - earlier for earlier, later in itertools.pairwise(versions)] == [0, 0, 1, 1]
    request = orders_pb2.GetOrderRequest(order_id="shop/noted", with_personal_data=True)
    assert [hold.note for hold in client.orders.GetOrder(request).order.holds] == ["call first"]


def test_the_history_pages_through_every_fact_once(client: Client) -> None:
    client.place("pages", sku="untracked")
    whole = client.audit.GetHistory(audit_pb2.GetHistoryRequest(order_id="shop/pages")).facts
    token, seen = "", list[audit_pb2.StoredFact]()
    while True:
        page = common_pb2.PageRequest(page_size=1, page_token=token)
        part = client.audit.GetHistory(audit_pb2.GetHistoryRequest(order_id="shop/pages", page=page))
        seen += part.facts
        token = part.next_page_token
        if not token:
            break
    assert seen == list(whole)
    bad = audit_pb2.GetHistoryRequest(order_id="shop/pages", page=common_pb2.PageRequest(page_token="x"))
    assert fields_of(refused(client.audit.GetHistory, bad)) == ["page.page_token"]


def test_the_stream_of_facts_has_no_gap_and_resumes(client: Client) -> None:
    client.place("streamed", sku="untracked")
    facts = [f for part in client.audit.StreamFacts(audit_pb2.StreamFactsRequest()) for f in part.facts]
    assert [fact.position for fact in facts] == list(range(1, len(facts) + 1))
    middle = len(facts) // 2
    rest = [f for part in client.audit.StreamFacts(audit_pb2.StreamFactsRequest(after=middle)) for f in part.facts]
    assert rest[: len(facts) - middle] == facts[middle:]


def test_a_stream_that_follows_brings_facts_as_they_are_recorded(client: Client) -> None:
    head = client.admin.GetStatus(admin_pb2.GetStatusRequest()).position
    stream = client.audit.StreamFacts(audit_pb2.StreamFactsRequest(after=head, follow=True), timeout=20)
    late = threading.Timer(0.3, lambda: client.place("followed", sku="untracked"))
    late.start()
    first = next(stream)
    assert first.facts[0].position == head + 1
    stream.cancel()
    late.join()


# --- what it says of itself ------------------------------------------------------------------------------


def test_health_and_reflection_answer(service: Service) -> None:
    with grpc.insecure_channel(service.address) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        serving = health_pb2.HealthCheckResponse.SERVING
        assert health.Check(health_pb2.HealthCheckRequest()).status == serving
        for name in ("tracking", "sla", "supplier_performance"):
            check = health_pb2.HealthCheckRequest(service=f"projection.{name}")
            wait_for(lambda check=check: health.Check(check).status == serving)
    listed = subprocess.run(
        [sys.executable, "-m", "tests.support.reflect", service.address],
        cwd=HOUSE,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "fulfilment.v1.OrderService/PlaceOrder" in listed
    assert "fulfilment.v1.ReportService/" in listed


# --- people ----------------------------------------------------------------------------------------------


def test_personal_data_is_shown_only_on_request_and_never_after_erasure(client: Client) -> None:
    client.place("person", sku="untracked", customer=orders_pb2.Customer(name="Bob", email="bob@example.org"))
    get = orders_pb2.GetOrderRequest(order_id="shop/person", with_personal_data=True)
    plain = client.get("shop/person")
    assert not plain.HasField("customer")
    assert (plain.ship_to.city, plain.ship_to.country) == ("", "DE")
    shown = client.orders.GetOrder(get).order
    assert (shown.customer.name, shown.ship_to.city) == ("Bob", "Berlin")
    erase = admin_pb2.ErasePersonRequest(email=" BOB@example.org", even_if_open=True)
    assert client.admin.ErasePerson(erase).keys_destroyed == 1
    assert not client.orders.GetOrder(get).order.HasField("customer")
    assert reason_of(refused(client.admin.ErasePerson, erase)) == "UNKNOWN_PERSON"


SECRETS = (
    "Zaphod",
    "Beeblebrox",
    "zaphod@heart-of-gold.example",
    "Improbability Lane",
    "+44 20 7946 0000",
    "Magrathea",
)


def test_no_personal_data_is_in_the_database_or_the_logs(folder: Path) -> None:
    with serving(folder, "--data", str(folder / "data"), "--log-level", "debug") as service:
        with Client(service.address) as client:
            client.approve()
            person: dict[str, Any] = {
                "customer": orders_pb2.Customer(name=f"{SECRETS[0]} {SECRETS[1]}", email=SECRETS[2], phone=SECRETS[4]),
                "ship_to": orders_pb2.Address(lines=[SECRETS[3]], city=SECRETS[5], postal_code="SW1A", country="GB"),
            }
            client.place("hidden", note=f"for {SECRETS[0]}", **person)
            hold = orders_pb2.PlaceHoldRequest(
                context=context(),
                order_id="shop/hidden",
                reason=orders_pb2.HOLD_REASON_OTHER,
                owner="ops",
                note=f"call {SECRETS[0]}",
            )
            client.orders.PlaceHold(hold)
            change = orders_pb2.ChangeAddressRequest(context=context(), order_id="shop/hidden", **person)
            client.orders.ChangeAddress(change)
            refused(client.orders.PlaceOrder, order("hidden", units=9, **person))
            refused(client.orders.PlaceOrder, order("bad", currency="?", **person))
            dump = b"".join(dump_of(str(dsn_of(folder / "data"))))
        time.sleep(1.5)  # let the projector write what it writes
        dump += b"".join(dump_of(str(dsn_of(folder / "data"))))
    written = dump + b"".join(path.read_bytes() for path in folder.glob("*.log"))
    written += (folder / "data" / "postgres.log").read_bytes()
    assert b"shop/hidden" in written
    assert [secret for secret in SECRETS if secret.encode() in written] == []


def dump_of(dsn: str) -> Iterator[bytes]:
    """Every value of every table of ours, byte for byte."""
    with psycopg.connect(dsn) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        assert len(tables) > 5
        for schema, table in tables:
            for row in connection.execute(SQL("SELECT * FROM {}").format(Identifier(schema, table))):
                for value in row:
                    yield value if isinstance(value, bytes) else str(value).encode()


def test_a_database_takes_so_many_tenants_and_those_that_are_there_stay(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(name: str) -> str:
        try:
            client.admin.CreateTenant(admin_pb2.CreateTenantRequest(tenant=name))
        except grpc.RpcError as error:
            return reason_of(error)
        return "made"

    there = len(client.admin.ListTenants(admin_pb2.ListTenantsRequest()).tenants)
    monkeypatch.setattr(control, "MOST_TENANTS", there + 1)
    assert [create(name) for name in ("last", "toomany", "last")] == ["made", "TOO_MANY_TENANTS", "made"]
