"""Every payload of WooCommerce in the collection, and what becomes of it. None is left out without a reason."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.shops.woocommerce.system import received_as
from tests.support.shop_payloads import became, bodies
from tests.support.tracking_payloads import VENDORS

needs_data = pytest.mark.skipif(not VENDORS.exists(), reason=f"{VENDORS} is not there")

HALF = "not understood: line_items[1].quantity: no whole number of units"
"""A shop that sells by weight: units are whole here, so somebody has to look."""
THE_SAME = "727: 3 units in 2 lines to US, 2935 USD"
ORDERS = {
    "ios/broken-order.json": ["an order that is draft is not bought yet"],
    "ios/order-details-partially-refunded.json": ["324: 36 units in 8 lines to US, 30445 USD, 2430 back"],
    "ios/order-fully-refunded.json": ["it was refunded before anything was to be sent"],
    "ios/order-with-bundled-line-items.json": ["357: 2 units in 2 lines to MX, 12020 USD"],
    "ios/order-without-data.json": ["963: 2 units in 1 lines to US, 3120 USD"],
    "ios/order.json": [HALF],
    "ios/orders-load-all.json": [
        HALF,
        "961: 1 units in 1 lines to US, 2000 USD",
        "960: 1 units in 1 lines to US, 2000 USD",
        "560: 33 units in 8 lines to US, 119850 USD, 22500 back",
    ],
    "rest-v3/orders.01.create-an-order.json": [THE_SAME],
    "rest-v3/orders.02.retrieve-an-order.json": [THE_SAME],
    "rest-v3/orders.03.list-all-orders.json": [THE_SAME, "723: 2 units in 2 lines to BR, 3900 USD, 1900 back"],
    "rest-v3/orders.04.update-an-order.json": [THE_SAME],
    "rest-v3/orders.05.delete-an-order.json": [THE_SAME],
}
OTHERS = {"webhooks/product.updated.json": ["it is about no order"]}
OF_NO_DELIVERY = {
    "ios/order-560-all-refunds.json": "refunds by themselves: they are told with their order",
    "ios/order-notes.json": "notes, which no webhook tells",
    "ios/order-statuses.json": "the words of a shop and their titles",
    "rest-v3/order-notes.01.create-an-order-note.json": "a note, which no webhook tells",
    "rest-v3/order-notes.02.retrieve-an-order-note.json": "a note, which no webhook tells",
    "rest-v3/order-notes.03.list-all-order-notes.json": "notes, which no webhook tells",
    "rest-v3/order-notes.04.delete-an-order-note.json": "a note, which no webhook tells",
    "rest-v3/order-refunds.01.create-a-refund.json": "a refund by itself: it is told with its order",
    "rest-v3/order-refunds.02.retrieve-a-refund.json": "a refund by itself: it is told with its order",
    "rest-v3/order-refunds.03.list-all-refunds.json": "refunds by themselves: they are told with their order",
    "rest-v3/order-refunds.04.delete-a-refund.json": "a refund by itself: it is told with its order",
    "rest-v3/orders.06.batch-update-orders.json": "an answer to a request that is not made",
    "rest-v3/webhooks.01.create-a-webhook.json": "a webhook itself, which is read by the test of a connection",
    "rest-v3/webhooks.02.retrieve-a-webhook.json": "a webhook itself",
    "rest-v3/webhooks.03.list-all-webhooks.json": "webhooks themselves",
    "rest-v3/webhooks.04.update-a-webhook.json": "a webhook itself",
    "rest-v3/webhooks.05.delete-a-webhook.json": "a webhook itself",
    "rest-v3/webhooks.06.batch-update-webhooks.json": "an answer to a request that is not made",
}


def told(topic: str, body: Any) -> str:
    return became("woocommerce", received_as(topic, json.dumps(body).encode(), ""), body)


@needs_data
def test_no_payload_of_woocommerce_is_left_out():
    folder = VENDORS / "woocommerce"
    found = {str(path.relative_to(folder)) for path in folder.rglob("*.json")}
    assert found == {*ORDERS, *OTHERS, *OF_NO_DELIVERY}


@needs_data
@pytest.mark.parametrize("path", list(ORDERS))
def test_an_order_becomes(path: str):
    assert [told("order.updated", body) for body in bodies(f"woocommerce/{path}")] == ORDERS[path]


@needs_data
@pytest.mark.parametrize("path", list(OTHERS))
def test_what_is_no_order_becomes(path: str):
    assert [told("product.updated", body) for body in bodies(f"woocommerce/{path}")] == OTHERS[path]
