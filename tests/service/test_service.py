"""The whole service over a real socket, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import psutil  # type: ignore[import-untyped]
import psycopg
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2, health_pb2_grpc
from psycopg.sql import SQL, Identifier

from adapters.embedded import EmbeddedServer
from adapters.every_tenant import end
from fulfilment.failures import failure
from fulfilment.v1 import (
    admin_pb2,
    audit_pb2,
    batch_pb2,
    cases_pb2,
    common_pb2,
    messages_pb2,
    orders_pb2,
    parcels_pb2,
    stock_pb2,
    suppliers_pb2,
)
from tests.support.service import (
    HOUSE,
    Client,
    Service,
    context,
    error_info,
    fields_of,
    order,
    reason_of,
    serving,
    stamp,
)


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    with Client(service.address) as client:
        client.approve(acknowledge_within_hours=24, dispatch_within_hours=48, first_scan_within_hours=24)
        yield client


def refused(call: Any, request: Any) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        call(request)
    error: grpc.RpcError = caught.value
    return error


# --- an order from the shop to the door ---------------------------------------------------------------


def test_an_order_goes_from_the_shop_to_the_door(client: Client) -> None:
    client.feed(10, sku="walk")
    client.place("walk", units=2, sku="walk")
    assert client.get("shop/walk").status == orders_pb2.ORDER_STATUS_CONFIRMED
    so = "shop/walk/1"
    client.orders.SendSupplierOrder(orders_pb2.SendSupplierOrderRequest(context=context(), supplier_order_id=so))
    client.orders.AcknowledgeSupplierOrder(
        orders_pb2.AcknowledgeSupplierOrderRequest(
            context=context(), supplier_order_id=so, lines=[orders_pb2.LineAnswer(line_no=1, accepted=2)]
        )
    )
    client.orders.PackSupplierOrder(
        orders_pb2.PackSupplierOrderRequest(context=context(), supplier_order_id=so, packed_with=["neutral"])
    )
    for number in ("W1", "W2"):
        client.orders.ShipSupplierOrder(
            orders_pb2.ShipSupplierOrderRequest(
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


def offer(client: Client, supplier_id: str, sku: str, cost: int) -> None:
    made = suppliers_pb2.Offer(sku=sku, cost=common_pb2.Money(amount_minor=cost, currency="EUR"))
    client.suppliers.OfferSku(suppliers_pb2.OfferSkuRequest(context=context(), supplier_id=supplier_id, offer=made))


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
    assert list(placed.supplier_orders[0].packing) == ["after_sales_card"]

    send(client, "shop/vase/1")
    client.orders.AcknowledgeSupplierOrder(
        orders_pb2.AcknowledgeSupplierOrderRequest(
            context=context(),
            supplier_order_id="shop/vase/1",
            lines=[
                orders_pb2.LineAnswer(line_no=1, accepted=1, rejected=2, reason=orders_pb2.REJECT_REASON_OUT_OF_STOCK)
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
    client.orders.RerouteUnits(orders_pb2.RerouteUnitsRequest(context=context(), **wanted))
    assert [each.units for each in client.get("shop/vase").supplier_orders[1].reroute_asked] == [2]
    answer = orders_pb2.AnswerCancelRequestRequest(context=context(), supplier_order_id="shop/vase/2", agreed=True)
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
                reroute_units=orders_pb2.RerouteUnitsRequest(
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
    rejected = orders_pb2.LineAnswer(line_no=1, rejected=1, reason=orders_pb2.REJECT_REASON_DISCONTINUED)
    client.orders.AcknowledgeSupplierOrder(
        orders_pb2.AcknowledgeSupplierOrderRequest(
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
        request = orders_pb2.PackSupplierOrderRequest(
            context=context(), supplier_order_id="shop/card/1", packed_with=packed_with
        )
        client.orders.PackSupplierOrder(request)
        assert list(client.get("shop/card").supplier_orders[0].packing_lacks) == lacks


def send(client: Client, supplier_order_id: str) -> None:
    request = orders_pb2.SendSupplierOrderRequest(context=context(), supplier_order_id=supplier_order_id)
    client.orders.SendSupplierOrder(request)


# --- requests that come twice -------------------------------------------------------------------------


def test_the_same_request_gets_its_first_outcome_again(client: Client) -> None:
    request = order("twice", sku="untracked", request_id="twice-1")
    first = client.orders.PlaceOrder(request)
    again = client.orders.PlaceOrder(request)
    assert first.outcome == common_pb2.Receipt.OUTCOME_APPLIED
    assert again.outcome == common_pb2.Receipt.OUTCOME_REPLAYED
    assert (again.position, again.version) == (first.position, first.version)


def test_a_refusal_is_told_again_although_it_would_be_accepted_now(client: Client) -> None:
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


# --- bad input ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"context": common_pb2.CommandContext()}, "context.request_id"),
        ({"channel": "a/b"}, "channel"),
        ({"channel_order_id": ""}, "channel_order_id"),
        ({"channel_order_id": "x" * 301}, "channel_order_id"),
        ({"channel_order_id": "单" * 34}, "channel_order_id"),
        ({"currency": "euro"}, "currency"),
        ({"currency": "ZZZ"}, "currency"),
        ({"context": common_pb2.CommandContext(request_id="r", actor="m\x1b[2Jia")}, "context.actor"),
        ({"lines": [orders_pb2.OrderLine(sku="a", quantity=-1)]}, "lines[0].quantity"),
        ({"lines": [orders_pb2.OrderLine(line_no=3), orders_pb2.OrderLine(line_no=3)]}, "lines"),
        ({"lines": [orders_pb2.OrderLine()] * 1001}, "lines"),
        ({"lines": [orders_pb2.OrderLine(unit_price_minor=-5)]}, "lines[0].unit_price_minor"),
        ({"ship_to": orders_pb2.Address(lines=["x"] * 21)}, "ship_to.lines"),
        ({"customer": orders_pb2.Customer(name="x" * 1001)}, "customer.name"),
        ({"payment": 99}, "payment"),
        ({"placed_at": stamp(datetime.now(UTC) + timedelta(days=400))}, "placed_at"),
        ({"promised_by": stamp(datetime(3000, 1, 1, tzinfo=UTC))}, "promised_by"),
        ({"promised_by": Timestamp(nanos=-1)}, "promised_by"),
        ({"promised_day": "2026-02-30"}, "promised_day"),
        ({"promised_day": "12.1.2026"}, "promised_day"),
        ({"promised_day": "20260112"}, "promised_day"),
        ({"promised_day": "2026-01-12", "promised_by": stamp(datetime(2026, 1, 12, tzinfo=UTC))}, "promised_day"),
        ({"note": "x" * 10_001}, "note"),
    ],
)
def test_a_malformed_order_is_refused_with_the_path_of_the_field(
    client: Client, wrong: dict[str, Any], field: str
) -> None:
    error = refused(client.orders.PlaceOrder, order("malformed", **wrong))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason_of(error) == "MALFORMED"
    assert fields_of(error) == [field]
    absent = refused(client.orders.GetOrder, orders_pb2.GetOrderRequest(order_id="shop/malformed"))
    assert reason_of(absent) == "UNKNOWN_ORDER"


@pytest.mark.parametrize(
    ("number", "as_id"),
    [
        ("#1001", "#1001"),
        ("#1001.1", "#1001.1"),
        ("903-8868176-2219830", "903-8868176-2219830"),
        (" 2026/17 b ", "2026%2F17%20b"),
        ("-5", "%2D5"),
        ("100%2F", "100%252F"),
        ("订单7", "%E8%AE%A2%E5%8D%957"),
    ],
)
def test_a_shop_s_own_number_is_taken_however_it_is_written(client: Client, number: str, as_id: str) -> None:
    client.place(number, sku="untracked")
    found = client.get(f"shop/{as_id}")
    assert (found.order_id, found.status) == (f"shop/{as_id}", orders_pb2.ORDER_STATUS_CONFIRMED)
    part = f"shop/{as_id}/1"
    client.orders.SendSupplierOrder(orders_pb2.SendSupplierOrderRequest(context=context(), supplier_order_id=part))
    history = client.audit.GetHistory(audit_pb2.GetHistoryRequest(order_id=f"shop/{as_id}"))
    assert json.loads(history.facts[0].json)["channel_order_id"] == number.strip()


def test_what_a_shop_has_taken_is_put_right_and_not_refused(client: Client) -> None:
    receipt = client.place(
        "as-it-came",
        currency="eur",
        lines=[
            orders_pb2.OrderLine(
                sku=" caf\u00e9\t",
                quantity=1,
                unit_price_minor=990,
                supplier_id="acme",
                title="Tea\x1b[31m",
                origin="XY",
            ),
            orders_pb2.OrderLine(sku="cafe\u0301", quantity=1, unit_price_minor=990, supplier_id="acme", origin="EL"),
        ],
        customer=orders_pb2.Customer(name="x" * 201, email=" ann@example.org\n", phone="+49 " * 20),
        ship_to=orders_pb2.Address(
            lines=["1 Elm\tStreet", *"abcdef"], city="London", postal_code="E1 6AN", country="UK"
        ),
        note="Ring\ntwice\x07 " + "x" * 3000,
    )
    assert list(receipt.warnings) == [
        "origin: 'XY' is not an ISO 3166-1 alpha-2 code such as DE, and is left out",
        "origin: EL is GR in ISO 3166-1",
        "ship_to.country: UK is GB in ISO 3166-1",
    ]
    request = orders_pb2.GetOrderRequest(order_id="shop/as-it-came", with_personal_data=True)
    found = client.orders.GetOrder(request).order
    assert found.status == orders_pb2.ORDER_STATUS_CONFIRMED
    assert (found.currency, found.ship_to.country, found.ship_to.lines[0]) == ("EUR", "GB", "1 Elm Street")
    assert [(each.line.sku, each.line.origin) for each in found.lines] == [("café", ""), ("café", "GR")]
    assert found.lines[0].line.title == "Tea [31m"
    assert (len(found.customer.name), found.customer.email) == (201, "ann@example.org")
    assert found.note.startswith("Ring\ntwice  x")


def test_an_order_to_a_country_that_there_is_not_waits_for_its_address(client: Client) -> None:
    ship_to = orders_pb2.Address(lines=["1 Elm Street"], city="Berlin", country="Germany")
    receipt = client.place("nowhere", sku="untracked", ship_to=ship_to)
    assert "'Germany' is not an ISO 3166-1 alpha-2 code" in receipt.warnings[0]
    request = orders_pb2.GetOrderRequest(order_id="shop/nowhere", with_personal_data=True)
    found = client.orders.GetOrder(request).order
    assert (found.status, list(found.holds[0].missing)) == (orders_pb2.ORDER_STATUS_ON_HOLD, ["ship_to"])
    assert found.ship_to.country == "Germany"
    asked = orders_pb2.CompleteDetailsRequest(
        context=context(), order_id="shop/nowhere", customer=found.customer, ship_to=found.ship_to
    )
    assert fields_of(refused(client.orders.CompleteDetails, asked)) == ["ship_to.country"]
    asked.ship_to.country = "de"
    client.orders.CompleteDetails(asked)
    assert client.get("shop/nowhere").status == orders_pb2.ORDER_STATUS_CONFIRMED


def faulty() -> Any:
    lines = [
        orders_pb2.OrderLine(line_no=1, sku="tea", quantity=1),
        orders_pb2.OrderLine(line_no=-2, sku="tea", quantity=2_000_000, supplier_id="a b"),
        orders_pb2.OrderLine(line_no=3, dispatch_by=Timestamp(nanos=-1), weight_grams=-1),
    ]
    wrong: dict[str, Any] = {"context": common_pb2.CommandContext(), "currency": "euro", "channel": "a/b"}
    return order("faulty", lines=lines, payment=99, note="x" * 10_001, **wrong)


FAULTS = {
    "context.request_id": "is required: 1 to 100 printable ASCII characters without spaces",
    "channel": "'a/b' is not made of letters, digits and ._:#+-, starting with a letter or digit",
    "lines[1].line_no": "-2 is not between 0 and 1000000",
    "lines[1].quantity": "2000000 is not between 0 and 1000000",
    "lines[1].supplier_id": "'a b' is not made of letters, digits and ._:#+-, starting with a letter or digit",
    "lines[2].dispatch_by": "is not an instant: its nanos are not between 0 and 999,999,999",
    "lines[2].weight_grams": "-1 is not between 0 and 1000000000",
    "note": "10001 characters, 10000 at most",
    "currency": "'euro' is not an ISO 4217 code such as EUR",
}


def test_a_malformed_request_is_told_all_its_faults_at_once_each_with_its_field_and_bounds(client: Client) -> None:
    error = refused(client.orders.PlaceOrder, faulty())
    found = dict(failure(error).fields)
    payment = found.pop("payment")
    assert payment.startswith("99 is not allowed here; use one of PAYMENT_STATE_")
    assert found == FAULTS
    assert error_info(error).metadata["field"] == "context.request_id"
    for field in FAULTS:
        assert field in str(error.details()) or len(str(error.details())) >= 500


@pytest.mark.parametrize(
    ("request_id", "says"),
    [
        ("", "is required: 1 to 100 printable ASCII characters without spaces"),
        ("a b", "'a b' is not made of printable ASCII characters without spaces"),
        ("x" * 101, "101 characters, 100 at most"),
    ],
)
def test_a_request_id_that_is_given_and_not_well_formed_is_not_called_missing(
    client: Client, request_id: str, says: str
) -> None:
    asked = order("odd", context=common_pb2.CommandContext(request_id=request_id))
    assert dict(failure(refused(client.orders.PlaceOrder, asked)).fields) == {"context.request_id": says}


def test_a_malformed_command_of_a_batch_is_told_all_its_faults_too(client: Client) -> None:
    request = batch_pb2.ExecuteBatchRequest(
        commands=[
            batch_pb2.BatchCommand(place_order=order("faultless", sku="untracked")),
            batch_pb2.BatchCommand(place_order=faulty()),
        ]
    )
    applied, malformed = client.batch.ExecuteBatch(request).outcomes
    assert applied.WhichOneof("outcome") == "receipt"
    for field, said in FAULTS.items():
        assert f"commands[1].place_order.{field}: {said}" in malformed.refusal.message


@pytest.mark.parametrize(
    ("ask", "request_", "fields"),
    [
        (
            lambda c: c.cases.ListCases,
            cases_pb2.ListCasesRequest(
                at_least=-1, supplier_id="-", page=common_pb2.PageRequest(page_size=-1, page_token="zz")
            ),
            ["at_least", "page.page_size", "page.page_token", "supplier_id"],
        ),
        (
            lambda c: c.messages.ListMessages,
            messages_pb2.ListMessagesRequest(at_least=-1, page=common_pb2.PageRequest(page_size=-1, page_token="q")),
            ["at_least", "page.page_size", "page.page_token"],
        ),
        (lambda c: c.orders.GetOrder, orders_pb2.GetOrderRequest(at_least=-1), ["at_least", "order_id"]),
        (
            lambda c: c.stock.GetStock,
            stock_pb2.GetStockRequest(items=[stock_pb2.Item()], at_least=-1),
            ["at_least", "items[0].sku", "items[0].supplier_id"],
        ),
    ],
)
def test_a_malformed_query_is_told_all_its_faults_at_once(
    client: Client, ask: Callable[[Client], Any], request_: Any, fields: list[str]
) -> None:
    assert sorted(fields_of(refused(ask(client), request_))) == fields
    assert client.admin.GetStatus(admin_pb2.GetStatusRequest()).version


def test_of_more_faults_than_a_call_carries_the_first_are_told_and_the_others_counted(client: Client) -> None:
    lines = [orders_pb2.OrderLine(quantity=-1, supplier_id="ж " * 40) for _ in range(1000)]
    error = refused(client.orders.PlaceOrder, order("countless", lines=lines, currency="ж" * 300))
    found = fields_of(error)
    assert found[:3] == ["lines[0].quantity", "lines[0].supplier_id", "lines[1].quantity"]
    assert len(found) + int(error_info(error).metadata["left_out"]) == 50
    # And nothing of it stays behind.
    assert fields_of(refused(client.orders.PlaceOrder, order("next", currency="euro"))) == ["currency"]
    client.place("well-formed", sku="untracked")


@pytest.mark.parametrize("seconds", [0, -1, 31 * 86_400, 2**63 - 1])
def test_a_hold_of_stock_lasts_a_second_to_thirty_days(client: Client, seconds: int) -> None:
    wanted = stock_pb2.ItemUnits(item=stock_pb2.Item(supplier_id="acme", sku="held"), units=1)
    request = stock_pb2.ReserveRequest(
        context=context(), reservation_id="cart", items=[wanted], hold_for=Duration(seconds=seconds)
    )
    error = refused(client.stock.Reserve, request)
    assert (reason_of(error), fields_of(error)) == ("MALFORMED", ["hold_for"])


def test_nobody_places_a_hold_in_the_name_of_the_ledger(client: Client) -> None:
    client.place("posed", sku="untracked")
    reason = orders_pb2.HOLD_REASON_OUT_OF_STOCK
    hold = orders_pb2.PlaceHoldRequest(context=context(), order_id="shop/posed", reason=reason, owner="ledger")
    error = refused(client.orders.PlaceHold, hold)
    assert (reason_of(error), fields_of(error)) == ("MALFORMED", ["owner"])


def test_a_refusal_is_cut_to_what_a_call_can_carry(client: Client) -> None:
    error = refused(client.orders.PlaceOrder, order("euro", currency="€" * 5000))
    assert (error.code(), fields_of(error)) == (grpc.StatusCode.INVALID_ARGUMENT, ["currency"])
    client.place("long", lines=[orders_pb2.OrderLine(unit_price_minor=1)] * 1000)
    release = orders_pb2.ReleaseHoldRequest(
        context=context(), order_id="shop/long", reason=orders_pb2.HOLD_REASON_INCOMPLETE
    )
    error = refused(client.orders.ReleaseHold, release)
    assert reason_of(error) == "STILL_INCOMPLETE"
    assert str(error.details()).endswith("…")
    assert error_info(error).metadata["missing"].startswith("lines[0].sku, lines[0].quantity")


def test_an_incomplete_order_is_accepted_with_a_hold_that_names_what_is_missing(client: Client) -> None:
    client.place("incomplete", customer=None, ship_to=None, lines=[orders_pb2.OrderLine(unit_price_minor=1)])
    (hold,) = client.get("shop/incomplete").holds
    assert hold.reason == orders_pb2.HOLD_REASON_INCOMPLETE
    assert list(hold.missing) == [
        "lines[0].sku",
        "lines[0].quantity",
        "lines[0].supplier_id",
        "ship_to",
        "customer",
    ]


def test_a_refusal_carries_its_figures(client: Client) -> None:
    client.feed(3, sku="scarce")
    request = order("scarce", units=5, sku="scarce", stock_policy=orders_pb2.STOCK_POLICY_ALL_OR_NOTHING)
    error = refused(client.orders.PlaceOrder, request)
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    info = error_info(error)
    assert (info.reason, info.domain) == ("OUT_OF_STOCK", "fulfilment")
    assert dict(info.metadata) == {"supplier_id_1": "acme", "sku_1": "scarce", "asked_1": "5", "available_1": "3"}


# --- batches ----------------------------------------------------------------------------------------------


def test_a_bad_command_in_a_batch_spoils_no_other(client: Client) -> None:
    commands = [
        batch_pb2.BatchCommand(place_order=order("batch-1", sku="untracked")),
        batch_pb2.BatchCommand(place_order=order("", sku="untracked")),
        batch_pb2.BatchCommand(),
        batch_pb2.BatchCommand(confirm_order=orders_pb2.ConfirmOrderRequest(context=context(), order_id="shop/nobody")),
        batch_pb2.BatchCommand(
            send_supplier_order=orders_pb2.SendSupplierOrderRequest(
                context=context(), supplier_order_id="shop/batch-1/1"
            )
        ),
    ]
    outcomes = client.batch.ExecuteBatch(batch_pb2.ExecuteBatchRequest(commands=commands)).outcomes
    said = [(each.WhichOneof("outcome"), each.refusal.reason, each.refusal.code) for each in outcomes]
    assert said == [
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


def test_the_history_tells_who_recorded_what_and_the_state_as_of_each_position(client: Client) -> None:
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
    erase = admin_pb2.ErasePersonRequest(email=" BOB@example.org")
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


def dsn_of(folder: Path) -> str:
    """The address of the embedded server that runs under a data folder."""
    return f"host={folder / 'postgres'} port=5432 user=postgres dbname=postgres"


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


# --- the ledger under fire ---------------------------------------------------------------------------------


def test_two_servers_and_64_callers_promise_exactly_what_there_is(folder: Path) -> None:
    """5,000 requests fight over 500 units of one SKU through two processes."""
    with serving(folder, "--data", str(folder / "data")) as first:
        dsn = dsn_of(folder / "data")
        with serving(
            folder, "--dsn", dsn, "--role", "api", "--key-file", str(folder / "data" / "master.key")
        ) as second:
            clients = [Client(first.address), Client(second.address)]
            clients[0].approve()
            clients[0].feed(500)
            policy = orders_pb2.STOCK_POLICY_ALL_OR_NOTHING

            def buy(n: int) -> str:
                try:
                    clients[n % 2].orders.PlaceOrder(order(f"fight-{n}", stock_policy=policy), timeout=60)
                except grpc.RpcError as error:
                    return reason_of(error)
                return "promised"

            with ThreadPoolExecutor(64) as callers:
                outcomes = Counter(callers.map(buy, range(5000)))
            assert outcomes == {"promised": 500, "OUT_OF_STOCK": 4500}
            (level,) = (
                clients[1]
                .stock.GetStock(stock_pb2.GetStockRequest(items=[stock_pb2.Item(supplier_id="acme", sku="tea")]))
                .levels
            )
            assert (level.available, level.held + level.committed) == (0, 500)
            for client in clients:
                client.close()


@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)])
def test_no_answered_command_is_lost_however_the_service_ends(folder: Path, how: int, code: int) -> None:
    answered: list[str] = []
    with serving(folder, "--data", str(folder / "data")) as service:
        client = Client(service.address)
        client.approve()
        stop_at = time.monotonic() + 20

        def place(worker: int) -> None:
            for n in range(10_000):
                number = f"term-{worker}-{n}"
                try:
                    client.place(number, sku="untracked")
                except grpc.RpcError:
                    return
                answered.append(number)
                if time.monotonic() > stop_at:
                    return

        workers = [threading.Thread(target=place, args=(worker,)) for worker in range(8)]
        for worker in workers:
            worker.start()
        time.sleep(1.5)
        assert service.stop(how) == code
        for worker in workers:
            worker.join()
        client.close()
    assert len(answered) > 50
    with serving(folder, "--data", str(folder / "data")) as again, Client(again.address) as client:
        for number in (*answered[:20], *answered[-50:]):
            assert client.get(f"shop/{number}").order_id == f"shop/{number}"


async def test_a_task_that_misses_its_cancellation_is_cancelled_again() -> None:
    """As asyncio.wait_for makes it miss one before Python 3.12."""
    told = 0

    async def misses_the_first() -> None:
        nonlocal told
        while told < 2:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                told += 1

    task = asyncio.create_task(misses_the_first())
    await asyncio.sleep(0)
    await end([task])
    assert (told, task.done()) == (2, True)


def test_a_projector_goes_with_a_service_that_was_killed_before_it_could_look(folder: Path) -> None:
    database = EmbeddedServer(folder / "data")
    service = Service(folder, "--dsn", database.start(), "--key-file", str(folder / "master.key"))
    wait_for(lambda: children_of(service), pause=0.0)
    (projector,) = children_of(service)
    service.stop(signal.SIGKILL)
    try:
        wait_for(lambda: not is_there(projector))
    finally:
        if is_there(projector):
            projector.kill()
        database.stop()


def children_of(service: Service) -> list[psutil.Process]:
    """The processes beside a server's own."""
    return list(psutil.Process(service.process.pid).children())


def is_there(process: psutil.Process) -> bool:
    """Not so one that has ended and that nobody has asked for its code."""
    return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE


def test_a_lost_key_file_is_told_in_one_sentence(folder: Path) -> None:
    with serving(folder, "--data", str(folder / "data"), "--role", "api"):
        pass
    key = folder / "data" / "master.key"
    assert key.stat().st_mode & 0o777 == 0o600
    words = [sys.executable, "server.py", "--listen", "127.0.0.1:0", "--data", str(folder / "data")]
    secret = key.read_bytes()
    key.unlink()
    lost = subprocess.run(words, cwd=HOUSE, capture_output=True, text=True, timeout=60)
    assert lost.returncode == 1
    assert "master.key is missing; restore it" in lost.stderr
    assert "Traceback" not in lost.stderr
    key.touch(0o600)
    key.write_bytes(secret[::-1])
    wrong = subprocess.run(words, cwd=HOUSE, capture_output=True, text=True, timeout=60)
    assert "belongs to another ledger" in wrong.stderr


# --- time ----------------------------------------------------------------------------------------------------


def test_clocks_notice_each_thing_once_also_with_two_processes_and_after_a_restart(folder: Path) -> None:
    """A dispatch and an acknowledgement that are overdue, and a reservation that runs out."""
    data_folder = folder / "data"
    long_ago = datetime.now(UTC) - timedelta(days=5)
    with serving(folder, "--data", str(data_folder)) as first:
        arguments = ("--dsn", dsn_of(data_folder), "--role", "api", "--key-file", str(data_folder / "master.key"))
        with serving(folder, *arguments), Client(first.address) as client:
            client.approve(at=long_ago, acknowledge_within_hours=24, dispatch_within_hours=48)
            client.feed(10)
            client.place("late", placed_at=stamp(long_ago))
            client.orders.SendSupplierOrder(
                orders_pb2.SendSupplierOrderRequest(
                    context=context(), supplier_order_id="shop/late/1", at=stamp(long_ago)
                )
            )
            client.stock.Reserve(
                stock_pb2.ReserveRequest(
                    context=context(),
                    reservation_id="cart-1",
                    items=[stock_pb2.ItemUnits(item=stock_pb2.Item(supplier_id="acme", sku="tea"), units=4)],
                    hold_for=Duration(seconds=4),
                )
            )
            wait_for(lambda: names_of(client, "order.deadline_missed") == 2)
            assert names_of(client, "stock.reservation_expired") == 0
            wait_for(lambda: names_of(client, "stock.reservation_expired") == 1)
            time.sleep(2.5)
    with serving(folder, "--data", str(data_folder)) as again, Client(again.address) as client:
        time.sleep(2.5)
        assert names_of(client, "order.deadline_missed") == 2
        assert names_of(client, "stock.reservation_expired") == 1
        missed = client.get("shop/late").supplier_orders[0].missed_clocks
        assert list(missed) == ["acknowledge", "dispatch"]


def test_overdue_units_are_asked_for_once_also_with_two_processes_and_after_a_restart(folder: Path) -> None:
    """Acme missed the acknowledgement and the dispatch of two orders; Bolt has units for one of them."""
    data_folder = folder / "data"
    sent_at = datetime.now(UTC) - timedelta(days=2, minutes=1)
    with serving(folder, "--data", str(data_folder)) as first:
        arguments = ("--dsn", dsn_of(data_folder), "--role", "api", "--key-file", str(data_folder / "master.key"))
        with serving(folder, *arguments), Client(first.address) as client:
            for supplier_id in ("acme", "bolt"):
                client.approve(supplier_id, at=sent_at, acknowledge_within_hours=24, dispatch_within_hours=48)
                client.feed(5, supplier_id=supplier_id)
            offer(client, "bolt", "tea", 400)
            for number, sku in (("late", "tea"), ("alone", "mug")):
                client.place(number, placed_at=stamp(sent_at), sku=sku)
                client.orders.SendSupplierOrder(
                    orders_pb2.SendSupplierOrderRequest(
                        context=context(), supplier_order_id=f"shop/{number}/1", at=stamp(sent_at)
                    )
                )
            wait_for(lambda: names_of(client, "order.rerouting_sought") == 4)
            time.sleep(2.5)
    with serving(folder, "--data", str(data_folder)) as again, Client(again.address) as client:
        time.sleep(2.5)
        assert names_of(client, "order.rerouting_sought") == 4
        assert names_of(client, "order.supplier_order_cancel_requested") == 1
        (held,) = client.get("shop/alone").supplier_orders
        assert list(held.reroute_asked) == []
        client.orders.AnswerCancelRequest(
            orders_pb2.AnswerCancelRequestRequest(context=context(), supplier_order_id="shop/late/1", agreed=True)
        )
        taken, given = client.get("shop/late").supplier_orders
        assert taken.status == orders_pb2.SUPPLIER_ORDER_STATUS_CANCELLED
        assert (given.supplier_id, given.instead_of) == ("bolt", "shop/late/1")
        assert given.reroute_reason in ("overdue: acknowledge", "overdue: dispatch"), (
            "whichever the clock came to first"
        )


def names_of(client: Client, name: str) -> int:
    facts = client.audit.StreamFacts(audit_pb2.StreamFactsRequest())
    return sum(fact.name == name for part in facts for fact in part.facts)


def wait_for(holds: Any, seconds: float = 20.0, pause: float = 0.2) -> None:
    give_up_at = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up_at, "it did not happen in time"
        time.sleep(pause)
