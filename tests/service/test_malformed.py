"""What is malformed is refused with the paths of all its faults; what a shop may send is taken."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from fulfilment.failures import failure
from fulfilment.v1 import (
    admin_pb2,
    audit_pb2,
    batch_pb2,
    cases_pb2,
    common_pb2,
    messages_pb2,
    orders_pb2,
    stock_pb2,
    supplier_orders_pb2,
)
from tests.support.service import Client, context, error_info, fields_of, order, reason_of, refused, stamp


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
    client.orders.SendSupplierOrder(
        supplier_orders_pb2.SendSupplierOrderRequest(context=context(), supplier_order_id=part)
    )
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


def test_a_malformed_request_is_answered_with_all_its_faults_each_with_its_field_and_bounds(client: Client) -> None:
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


def test_a_malformed_command_of_a_batch_is_answered_with_all_its_faults_too(client: Client) -> None:
    request = batch_pb2.ExecuteBatchRequest(
        commands=[
            batch_pb2.BatchCommand(place_order=order("faultless", sku="untracked")),
            batch_pb2.BatchCommand(place_order=faulty()),
        ]
    )
    applied, malformed = client.batch.ExecuteBatch(request).outcomes
    assert applied.WhichOneof("outcome") == "receipt"
    for field, fault in FAULTS.items():
        assert f"commands[1].place_order.{field}: {fault}" in malformed.refusal.message


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
def test_a_malformed_query_is_answered_with_all_its_faults_at_once(
    client: Client, ask: Callable[[Client], Any], request_: Any, fields: list[str]
) -> None:
    assert sorted(fields_of(refused(ask(client), request_))) == fields
    assert client.admin.GetStatus(admin_pb2.GetStatusRequest()).version


def test_of_more_faults_than_a_call_carries_the_first_are_listed_and_the_others_counted(client: Client) -> None:
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
