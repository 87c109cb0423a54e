"""Every payload of Shopify in the collection, and what becomes of it. None is left out without a reason."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.edges.delivery import MalformedDelivery
from adapters.edges.meaning import KnownNow, NotUnderstood
from tests.support.shopify_orders import fulfilment, knowing, known, refund, shopify_order
from tests.support.shopify_payloads import DATA, NOTHING_KNOWN, became, in_file, in_short

SHOPIFY = DATA / "vendors" / "shopify"
needs_data = pytest.mark.skipif(not SHOPIFY.exists(), reason=f"{SHOPIFY} is not there")

ASKS = "asks: gid://shopify/FulfillmentOrder/1"
STOCK = "ignored: stock is what suppliers tell; the shop's figure is what it was told"
NO_ORDER = "ignored: the ledger has no such order"
NO_ORDER_SENT = "ignored: the ledger has no such order; should it come, it tells its fulfilments"
NOTHING = "ignored: it says nothing that the ledger keeps"
MONEY = "ignored: the order tells its money itself"
SCANS = "ignored: where a parcel is its carrier tells"
KNOWN = "ignored: the ledger knows it, or it did not happen"
OVER = "ignored: it was cancelled before anything was to be sent"
NO_ORDER_PAID = "ignored: the ledger has no such order; should it come, it tells its refunds"
CALCULATED = "not understood: Object missing required field `id` - at `$.transactions[0]`"
CANCELLED = "cancelled: customer by customer"
EARLY = "early: the order that is sent back is not known yet"
CASES = "ignored: what becomes of a case is decided in the ledger"
ADDRESS = "ignored: it is not of an order that it names; the whole order is told and asked for as well"

# Without the order that it is about, and with it, paid and at its supplier. Tests are read as if they were none.
HOOKS: Mapping[str, str | tuple[str, str]] = {
    "fulfillment_events.create": SCANS,
    "fulfillment_events.delete": SCANS,
    "fulfillment_orders.cancellation_request_accepted": ASKS,
    "fulfillment_orders.cancellation_request_rejected": ASKS,
    "fulfillment_orders.cancellation_request_submitted": ASKS,
    "fulfillment_orders.fulfillment_request_accepted": ASKS,
    "fulfillment_orders.fulfillment_request_rejected": ASKS,
    "fulfillment_orders.fulfillment_request_submitted": ASKS,
    "fulfillment_orders.fulfillment_service_failed_to_complete": ASKS,
    "fulfillment_orders.line_items_prepared_for_local_delivery": ASKS,
    "fulfillment_orders.line_items_prepared_for_pickup": ASKS,
    "fulfillment_orders.moved": ASKS,
    "fulfillment_orders.order_routing_complete": ASKS,
    "fulfillment_orders.placed_on_hold": ASKS,
    "fulfillment_orders.scheduled_fulfillment_order_ready": ASKS,
    "fulfillments.create": (NO_ORDER_SENT, "shipped by main/820982911946154500/1: 1x1 2x1 as ups 1z827wk74630"),
    "fulfillments.update": (NO_ORDER_SENT, "shipped by main/820982911946154500/1: 1x1 2x1 as ups 1z827wk74630"),
    "inventory_levels.connect": STOCK,
    "inventory_levels.update": STOCK,
    "orders.cancelled": (OVER, CANCELLED),
    "orders.create": (OVER, CANCELLED),
    "orders.delete": ("ignored: the ledger has no such order, or it is over", "cancelled: deleted by retailer"),
    "orders.edited": "asks: main/820982911946154500",
    "orders.fulfilled": (OVER, CANCELLED),
    "orders.paid": (OVER, CANCELLED),
    "orders.risk_assessment_changed": "ignored: it is not of an order that it names",
    "orders.shopify_protect_eligibility_changed": "ignored: it is between the shop and Shopify",
    "orders.updated": (OVER, CANCELLED),
    "refunds.create": (NO_ORDER_PAID, "ignored: no money went back by it that is not known"),
    "returns.cancel": EARLY,
    "returns.close": CASES,
    "returns.reopen": CASES,
    "returns.request": EARLY,
    "shipping_addresses.create": ADDRESS,
    "shipping_addresses.update": ADDRESS,
}
ANSWERS: Mapping[str, str | tuple[str, str]] = {
    "cancellation_request.01": (
        NO_ORDER,
        "look: the shop asks not to send what it had asked to be sent: cancel the order here, or reject it in the shop",
    ),
    "cancellation_request.02": (NO_ORDER, NOTHING),
    "cancellation_request.03": (NO_ORDER, NOTHING),
    "fulfillment.01": (NO_ORDER_SENT, KNOWN),
    "fulfillment.02": (NO_ORDER_SENT, "shipped by main/450789469/1: 2x1 as my-custom-shipping-company 123456789"),
    "fulfillment.03": (NO_ORDER_SENT, KNOWN),
    "fulfillment.05": (NO_ORDER_SENT, KNOWN),
    "fulfillment.06": (NO_ORDER_SENT, KNOWN),
    "fulfillment.07": (NO_ORDER_SENT, KNOWN),
    "fulfillment.08": (NO_ORDER_SENT, KNOWN),
    "fulfillment.09": (NO_ORDER_SENT, KNOWN),
    "fulfillment.10": (NO_ORDER_SENT, KNOWN),
    "fulfillment.11": (NO_ORDER_SENT, KNOWN),
    "fulfillment.12": (NO_ORDER_SENT, KNOWN),
    "fulfillment.13": (NO_ORDER_SENT, KNOWN),
    "fulfillment_event.01": SCANS,
    "fulfillment_event.02": SCANS,
    "fulfillment_event.03": SCANS,
    "fulfillment_order.01": (NO_ORDER, NOTHING),
    "fulfillment_order.02": (NO_ORDER, NOTHING),
    "fulfillment_order.03": (NO_ORDER, NOTHING),
    "fulfillment_order.04": (NO_ORDER, NOTHING),
    "fulfillment_order.05": (NO_ORDER, NOTHING),
    "fulfillment_order.06": (NO_ORDER, NOTHING),
    "fulfillment_order.07": (NO_ORDER, NOTHING),
    "fulfillment_order.08": (NO_ORDER, NOTHING),
    "fulfillment_order.09": (NO_ORDER, NOTHING),
    "fulfillment_order.10": (NO_ORDER, NOTHING),
    "fulfillment_order.11": (NO_ORDER, NOTHING),
    "fulfillment_order.12": (NO_ORDER, "held: other by shopify-1046000782"),
    "fulfillment_order.14": (NO_ORDER, NOTHING),
    "inventory_level.01": STOCK,
    "inventory_level.02": STOCK,
    "inventory_level.03": STOCK,
    "inventory_level.04": STOCK,
    "inventory_level.06": STOCK,
    "inventory_level.07": STOCK,
    "order.01": (
        "placed 450789469: 1 units, 19965 USD, received-40865=40865 refund-179259969=20900",
        "paid: received-40865=40865 refund-179259969=20900, amended: 2x1 tax=398",
    ),
    "order.03": "not understood: updated_at: is missing",
    "order.05": (
        "placed 450789469: 1 units, 19965 USD, refund-179259969=20900",
        "paid: refund-179259969=20900, amended: 2x1 tax=398",
    ),
    "order.07": "not understood: updated_at: is missing",
    "order.11": (
        "placed 450789469: 1 units, 19965 USD, received-40865=40865 refund-179259969=20900",
        "paid: received-40865=40865 refund-179259969=20900, amended: 2x1 tax=398",
    ),
    "order.13": (OVER, "paid: received-40865=40865 refund-179259969=20900, cancelled: other by retailer"),
    "order.15": (
        OVER,
        "paid: received-11000=11000 refund-1068278487=1000 refund-1068278488=10000, cancelled: other by retailer",
    ),
    "order.17": "placed 1073459980: 1 units, 19900 USD, received-5000=5000",
    "order.19": "ignored: all of it was sent before the ledger knew it",
    "order.21": "ignored: all of it was sent before the ledger knew it",
    "order.23": "placed 1073459981: 1 units, 18109 USD, received-18109=18109",
    "refund.01": (NO_ORDER_PAID, "paid: refund-179259969=20900"),
    "refund.02": (NO_ORDER_PAID, "paid: refund-1068278526=4194"),
    "refund.03": (NO_ORDER_PAID, "paid: refund-1068278525=500"),
    "refund.04": (NO_ORDER_PAID, "paid: refund-179259969=20900"),
    "refund.05": CALCULATED,
    "refund.06": CALCULATED,
    "refund.07": CALCULATED,
    "transaction.01": MONEY,
    "transaction.02": MONEY,
    "transaction.03": MONEY,
    "transaction.04": MONEY,
    "transaction.05": MONEY,
    "transaction.06": MONEY,
    "transaction.08": MONEY,
}
OLDER: Mapping[str, str | tuple[str, str]] = {
    "fulfillment": (NO_ORDER_SENT, KNOWN),
    "fulfillment_event": SCANS,
    "inventory_level": STOCK,
    "inventory_levels": STOCK,
    "order": "not understood: total_price: less than what its lines cost after discounts",
    "orders": "not understood: line_items: are missing; let the shop send whole orders",
    "refund": (NO_ORDER_PAID, "paid: refund-179259969=20900"),
}
"""Answers of the REST API, which writes orders, refunds and fulfilments as webhooks do. Its requests are what a client
sends, which is not used; its lists of webhooks are read by GraphQL."""


def hook(name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(iter(in_file(SHOPIFY / "webhooks-2024-10" / f"{name}.json")))[1]
    return found


def of_hooks() -> dict[str, Any]:
    """The order that the webhooks are about, as it would be without their contradictions."""
    return {**hook("orders.create"), "test": False, "cancelled_at": None, "financial_status": "paid"}


def of_answers() -> dict[str, Any]:
    """The order that the answers are about, before its refunds."""
    (_, order), *_ = in_file(SHOPIFY / "rest-2026-07" / "order.05.response.json")
    lines = [{**line, "current_quantity": 1} for line in order["line_items"]]
    total = {"current_total_price": "598.94", "current_total_price_set": order["total_price_set"]}
    return {**order, "line_items": lines, "refunds": [], **total}


def told(path: Path, ledger: KnownNow) -> str:
    """What becomes of all that is in a file."""
    found = set()
    for topic, body in in_file(path):
        real = {**body, "test": False} if topic.startswith("orders/") and "test" in body else body
        found.add(in_short(topic, real, ledger))
    return " | ".join(sorted(found))


def expected(table: Mapping[str, str | tuple[str, str]], name: str) -> tuple[str, str]:
    found = table[name]
    return found if isinstance(found, tuple) else (found, found)


@needs_data
def test_no_payload_of_shopify_is_left_out():
    names = {path.name.removesuffix(".json") for path in (SHOPIFY / "webhooks-2024-10").glob("*.json")}
    assert names == set(HOOKS)
    rest = [path.name.removesuffix(".json") for path in (SHOPIFY / "rest-2026-07").glob("*.json")]
    of_events = {name for name in rest if not name.startswith("webhook.") and not name.endswith(".request")}
    assert {name.removesuffix(".response") for name in of_events} == set(ANSWERS)
    assert {path.stem for path in (DATA / "shopify").glob("*.json")} == set(OLDER)


@needs_data
@pytest.mark.parametrize("name", list(HOOKS))
def test_a_webhook_becomes(name: str):
    path, order = SHOPIFY / "webhooks-2024-10" / f"{name}.json", of_hooks()
    found = told(path, NOTHING_KNOWN), told(path, knowing(known(order), order))
    assert found == expected(HOOKS, name)


@needs_data
@pytest.mark.parametrize("name", list(ANSWERS))
def test_what_the_rest_api_writes_becomes(name: str):
    path, order = SHOPIFY / "rest-2026-07" / f"{name}.response.json", of_answers()
    found = told(path, NOTHING_KNOWN), told(path, knowing(known(order), order))
    assert found == expected(ANSWERS, name)


@needs_data
@pytest.mark.parametrize("name", list(OLDER))
def test_what_older_versions_wrote_becomes(name: str):
    path, order = DATA / "shopify" / f"{name}.json", of_answers()
    found = told(path, NOTHING_KNOWN), told(path, knowing(known(order), order))
    assert found == expected(OLDER, name)


@needs_data
def test_every_webhook_of_the_collection_is_a_test_of_the_shop_and_books_nothing():
    for path in sorted((SHOPIFY / "webhooks-2024-10").glob("*.json")):
        whole = json.loads(path.read_text())
        assert whole["headers"]["x-shopify-test"] == "true"
        found = in_short(whole["topic"], whole["body"], x_shopify_test="true")
        assert found == "ignored: it is a test of the shop: nothing of it is so"


# --- mutations ------------------------------------------------------------------------------------

_ODD = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.text(max_size=20), st.just([]), st.just({}), st.just("NaN")),
    *(st.just("1e999"), st.just(-1), st.just("9" * 40), st.just("2026-99-99"), st.just([None])),
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a payload."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield (*path, key)
            yield from _places(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield (*path, index)
            yield from _places(each, (*path, index))


def _changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The payload with something else at one place, or with nothing there."""
    head, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    if rest:
        copy[head] = _changed(copy[head], tuple(rest), new)
    elif new is ...:
        del copy[head]
    else:
        copy[head] = new
    return copy


_BODIES = [
    (
        "orders/updated",
        shopify_order(
            7, refunds=[refund(3, 7, "9.90", [(71, 1, "return")])], fulfillments=[fulfilment(5, 7, [(71, 1)])]
        ),
    ),
    ("refunds/create", refund(3, 7, "9.90", [(71, 1, "cancel")])),
    ("fulfillments/update", fulfilment(5, 7, [(71, 2)])),
    ("returns/request", {"id": 5, "status": "requested", "order": {"id": 7}, "return_line_items": [{"quantity": 1}]}),
    ("customers/redact", {"customer": {"email": "a@b.c", "phone": "1"}, "orders_to_redact": [7]}),
]
_ORDER = shopify_order(7)
_LEDGER = knowing(known(_ORDER), _ORDER)


@given(st.data())
def test_whatever_stands_somewhere_in_a_payload_it_is_understood_or_a_person_is_told_where(data: st.DataObject):
    topic, body = data.draw(st.sampled_from(_BODIES))
    for _ in range(data.draw(st.integers(1, 3))):
        places = list(_places(body))
        new = data.draw(st.one_of(st.just(...), _ODD))
        body = _changed(body, data.draw(st.sampled_from(places)), new) if places else body
    ledger = data.draw(st.sampled_from([NOTHING_KNOWN, _LEDGER]))
    try:
        found = became(topic, body, ledger)
    except (NotUnderstood, MalformedDelivery) as why:
        said = str(why)
    else:
        said = ""
        assert bool(found.ignored) != bool(found.wanted or found.look or found.early)
        for each in found.wanted:
            each.request.SerializeToString()
    assert "Ann" not in said
