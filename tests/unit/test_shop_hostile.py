"""Real orders of shops, broken: they are placed or changed whole, or somebody is told what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.edges.agreement import Account
from adapters.edges.delivery import BadSignature, Delivery, MalformedDelivery, Received
from adapters.edges.meaning import KnownNow, NotUnderstood
from adapters.edges.systems import SYSTEMS
from fulfilment.v1 import common_pb2, order_money_pb2, orders_pb2
from ledger.refusals import Malformed
from tests.support import hostile
from tests.support.hostile import HOSTILE, NASTY, broken, places, plain, put, swapped
from tests.support.shop_payloads import bodies
from tests.support.shopify_payloads import ACCOUNT as SHOPIFY_ACCOUNT
from tests.support.shopify_payloads import in_file
from tests.support.tracking_payloads import VENDORS
from tests.support.woo_shop import signed, woo_order

needs_data = pytest.mark.skipif(not VENDORS.exists(), reason=f"{VENDORS} is not there")
AMAZON = {"marketplaces": "ATVPDKIKX0DER", "seller": "A3TH9S8BH6GOGM", "client": "c", "contact": "sales@example.org"}
AMAZON_ACCOUNT = Account("main", AMAZON, ({"push": "it is"},))
MAIN = Account("main", {"shop": "https://shop.example.org"}, ({"webhook": "the secret"},))
EDITED = woo_order(
    1001,
    status="refunded",
    date_modified_gmt="2026-01-06T09:00:00",
    refunds=[{"id": 7, "total": "-4.90"}],
    fee_lines=[{"id": 9, "name": "Wrapping", "total": "2.00"}],
)
CUPS = orders_pb2.OrderLineState(
    line=orders_pb2.OrderLine(line_no=1, sku="cup", quantity=2), wanted=2, wanted_minor=1980
)
THERE = orders_pb2.Order(
    order_id="main/1001",
    currency="EUR",
    status=orders_pb2.ORDER_STATUS_CONFIRMED,
    payment=orders_pb2.PAYMENT_STATE_PAID,
    lines=[CUPS],
    payments=[
        order_money_pb2.Payment(
            payment_id="paid-1001",
            kind=order_money_pb2.PAYMENT_KIND_CAPTURED,
            amount=common_pb2.Money(amount_minor=2470, currency="EUR"),
        )
    ],
    version=3,
)
NEW = KnownNow({}, complete=True)
KNOWN = KnownNow({"order main/1001": THERE, "before ": plain(woo_order(1001))}, complete=True)
FORGOTTEN = KnownNow({"order main/1001": THERE}, complete=True)
"""What was told before is not kept any more."""

PAYLOADS: dict[str, tuple[Any, KnownNow]] = {
    "placed": (woo_order(1001, refunds=[{"id": 7, "total": "-4.90"}]), NEW),
    "edited": (EDITED, KNOWN),
    "edited after long": ({**EDITED, "status": "processing"}, FORGOTTEN),
}


def survives(understand: Callable[[], Any]) -> None:
    """What the contract does not take is told with its field, before anything of it is recorded."""
    with suppress(Malformed):
        hostile.survives(understand)


def understanding(body: Any, known: KnownNow) -> Callable[[], Any]:
    raw = body if isinstance(body, bytes) else plain(body)
    return lambda: SYSTEMS["woocommerce"].understand(Received("order.updated", "1001"), raw, MAIN, known)


@pytest.mark.parametrize("name", list(PAYLOADS))
def test_the_whole_order_is_understood(name: str):
    assert understanding(*PAYLOADS[name])().wanted


@pytest.mark.parametrize("name", ["placed", "edited"])
def test_an_order_with_any_value_put_wrong_is_understood_whole_or_not_at_all(name: str):
    payload, known = PAYLOADS[name]
    for path in places(payload):
        survives(understanding(put(payload, path, None, drop=True), known))
        for nasty in NASTY:
            survives(understanding(put(payload, path, nasty), known))


@pytest.mark.parametrize("name", list(PAYLOADS))
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_an_order_with_several_wrong_values_is_understood_whole_or_not_at_all(name: str, data: st.DataObject):
    payload, known = PAYLOADS[name]
    survives(understanding(broken(payload, data), known))
    changed = swapped(payload, data)
    if changed is not None:
        survives(understanding(changed, known))


def real() -> Iterator[tuple[str, str, Account, Any]]:
    """System, topic, connection and body of payloads that shops have sent."""
    for path in ("ios/order-details-partially-refunded.json", "rest-v3/orders.03.list-all-orders.json"):
        for body in bodies(f"woocommerce/{path}"):
            yield "woocommerce", "order.updated", MAIN, body
    for name in ("order.17", "order.23", "fulfillment.02", "refund.01"):
        for topic, body in in_file(VENDORS / f"shopify/rest-2026-07/{name}.response.json"):
            yield "shopify", topic, SHOPIFY_ACCOUNT, body
    for name in ("getOrder.200.2", "getOrder.200.6"):
        answer = json.loads((VENDORS / f"amazon/examples/orders_2026-01-01/{name}.response.json").read_text())
        yield "amazon", "order", AMAZON_ACCOUNT, answer["order"]
    folder = VENDORS / "amazon/examples/vendorDirectFulfillmentOrders_2021-12-28"
    answer = json.loads((folder / "getOrder.200.1.response.json").read_text())
    yield "amazon-vendor", "purchase_order", AMAZON_ACCOUNT, answer.get("payload", answer)


@needs_data
@pytest.mark.parametrize("number", range(10))
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_real_payload_of_a_shop_with_several_wrong_values_is_understood_whole_or_not_at_all(
    number: int, data: st.DataObject
):
    system, topic, account, body = list(real())[number]
    raw = plain(broken(body, data))
    survives(lambda: SYSTEMS[system].understand(Received(topic, "1"), raw, account, NEW))


def test_an_order_that_costs_nothing_is_paid():
    free = woo_order(
        1001, total="0.00", line_items=[{"id": 1, "quantity": 1, "sku": "cup", "total": "0"}], shipping_lines=[]
    )
    (placed,) = (each.request for each in understanding(free, NEW)().wanted)
    assert isinstance(placed, orders_pb2.PlaceOrderRequest)
    assert (list(placed.payments), placed.payment) == ([], orders_pb2.PAYMENT_STATE_PAID)


def test_an_order_cut_anywhere_is_not_understood():
    raw = plain(PAYLOADS["placed"][0])
    for length in range(0, len(raw) - 1, 7):
        with pytest.raises(NotUnderstood, match="not JSON"):
            understanding(raw[:length], NEW)()


@pytest.mark.parametrize("what", list(HOSTILE))
def test_hostile_bytes_are_refused_at_the_door_and_not_understood_behind_it(what: str):
    survives(understanding(HOSTILE[what], NEW))
    now = datetime(2026, 3, 1, tzinfo=UTC)
    for headers, expected in (
        ({}, BadSignature),
        ({"x-wc-webhook-signature": "é" * 10_000}, BadSignature),
        ({"x-wc-webhook-signature": signed(HOSTILE[what], "the secret")}, MalformedDelivery),
        (
            {"x-wc-webhook-signature": signed(HOSTILE[what], "the secret"), "x-wc-webhook-topic": "order.created"},
            MalformedDelivery,
        ),
    ):
        with pytest.raises(expected):
            SYSTEMS["woocommerce"].verify(Delivery(headers, HOSTILE[what], "https://example.com/in"), MAIN, now)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"currency": "ZZZ"}, "currency: no ISO 4217"),
        ({"currency": ""}, "currency: no ISO 4217"),
        ({"date_created_gmt": "2026-02-30T10:00:00"}, "date_created_gmt: no time in ISO 8601"),
        ({"date_created_gmt": None}, "date_created_gmt: is missing"),
        ({"date_modified_gmt": "gestern"}, "date_modified_gmt: no time in ISO 8601"),
        ({"status": "half-paid"}, "status: a word of a plugin"),
        ({"total": "1e400"}, "total: no amount that can be"),
        ({"line_items": {}}, "line_items"),
        (
            {"line_items": [{"id": 1, "quantity": 2_147_483_648, "sku": "cup", "total": "1"}]},
            "quantity: no number of units that can be",
        ),
    ],
)
def test_what_is_wrong_with_an_order_is_told_with_its_field(wrong: dict[str, Any], reason: str):
    with pytest.raises(NotUnderstood, match=reason):
        understanding({**woo_order(1001), **wrong}, NEW)()
