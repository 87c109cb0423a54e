"""What Shopify tells beside orders, and how its deliveries are proven."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from adapters.edges.agreement import Account
from adapters.edges.delivery import BadSignature, MalformedDelivery
from adapters.shops.shopify.asking import HOLD_TOPIC
from fulfilment.v1 import cases_pb2, orders_pb2
from tests.support.shopify_orders import at_minute, knowing, known, line, shopify_order
from tests.support.shopify_payloads import (
    ACCOUNT,
    DATA,
    NOTHING_KNOWN,
    SHOPIFY,
    became,
    delivery,
    in_short,
    requests,
    taken,
)

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
ORDER = shopify_order(7, line_items=[line(71, "cup", 2), line(72, "plate", 1)])
VECTORS = DATA / "vendors" / "signatures" / "vectors.json"


# --- the door -------------------------------------------------------------------------------------


@pytest.mark.skipif(not VECTORS.exists(), reason=f"{VECTORS} is not there")
def test_every_signature_of_the_collection_is_judged_right():
    vectors = json.loads(VECTORS.read_text())["shopify"]
    assert {each["valid"] for each in vectors} == {True, False}
    for each in vectors:
        account = Account("main", ACCOUNT.settings, ({"secret": each["secret"]},))
        told = delivery("orders/create", each["body"].encode(), x_shopify_hmac_sha256=each["signature"])
        # The bodies are no orders, which is found after the proof alone.
        with pytest.raises(MalformedDelivery if each["valid"] else BadSignature):
            SHOPIFY.verify(told, account, NOW)


@pytest.mark.parametrize("family", ["x-shopify-", "shopify-"])
@pytest.mark.parametrize("secret", ["hush", "old hush"])
def test_both_families_of_headers_and_both_secrets_are_taken(family, secret):
    raw = json.dumps(ORDER).encode()
    received = SHOPIFY.verify(delivery("orders/create", raw, secret, family), ACCOUNT, NOW)
    assert received is not None
    assert (received.topic, received.object_id, received.whole) == ("orders/create", "7", True)
    assert received.happened_at == datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({"x_shopify_hmac_sha256": ""}, BadSignature),
        ({"x_shopify_hmac_sha256": "é"}, BadSignature),
        ({"x_shopify_topic": "orders create"}, MalformedDelivery),
        ({"x_shopify_shop_domain": "another.myshopify.com"}, MalformedDelivery),
    ],
)
def test_what_is_not_proven_or_of_another_shop_is_refused(headers, error):
    with pytest.raises(error):
        SHOPIFY.verify(delivery("orders/create", json.dumps(ORDER).encode(), **headers), ACCOUNT, NOW)


def test_the_same_state_is_the_same_under_every_topic_and_another_is_not():
    def content(topic, body):
        return taken(delivery(topic, json.dumps(body).encode())).content

    assert content("orders/create", ORDER) == content("orders/updated", {**ORDER, "name": "renamed"})
    assert content("orders/create", ORDER) != content("orders/create", at_minute(ORDER, 1))
    assert content("orders/create", ORDER) != content("orders/create", {**ORDER, "financial_status": "pending"})


def test_a_test_of_the_shop_is_kept_and_never_booked():
    assert in_short("orders/create", ORDER, x_shopify_test="true") == (
        "ignored: it is a test of the shop: nothing of it is so"
    )


def test_an_order_that_cannot_be_read_whole_is_kept_for_a_person():
    broken = {**ORDER, "line_items": [{"id": "soon"}]}
    received = taken(delivery("orders/create", json.dumps(broken).encode()))
    assert (received.object_id, received.whole) == ("7", False)
    assert in_short("orders/create", broken).startswith("not understood: ")


@pytest.mark.parametrize(
    ("given", "shop"),
    [
        ("example", "https://example.myshopify.com"),
        ("Example.myshopify.com/", "https://example.myshopify.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    ],
)
def test_a_shop_is_named_in_any_of_its_ways(given, shop):
    assert SHOPIFY.checked({"shop": given})["shop"] == shop
    assert SHOPIFY.checked({"shop": given, "location": "gid://shopify/Location/5"})["location"] == "5"


@pytest.mark.parametrize("wrong", [{"shop": "https://a/b"}, {"location": "Berlin"}, {"notify": "perhaps"}])
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SHOPIFY.checked({"shop": "example", **wrong})


# --- returns and holds ----------------------------------------------------------------------------


def returned(*lines, status="requested"):
    """A return of units by line and reason."""
    return {
        "id": 5,
        "status": status,
        "order": {"id": 7},
        "return_line_items": [
            {
                "fulfillment_line_item": {"line_item": {"id": line_id}},
                "quantity": quantity,
                "return_reason": reason,
                "customer_note": note,
            }
            for line_id, quantity, reason, note in lines
        ],
    }


def test_a_return_opens_a_case_for_each_reason():
    told = returned((71, 1, "defective", "It leaks"), (72, 1, "size_too_small", None), (71, 1, "unwanted", None))
    found = became("returns/request", told, knowing(known(ORDER), ORDER))
    cases = requests(found)
    assert [(each.case_id, each.reason, each.note) for each in cases] == [
        ("return-5-quality", cases_pb2.CASE_REASON_QUALITY, "It leaks"),
        ("return-5-changed_mind", cases_pb2.CASE_REASON_CHANGED_MIND, ""),
    ]
    assert [[(each.line_no, each.units) for each in request.lines] for request in cases] == [
        [(1, 1)],
        [(1, 1), (2, 1)],
    ]


def test_a_return_of_a_line_that_nobody_knows_is_shown_and_one_before_its_order_waits():
    told = returned((99, 1, "defective", None))
    assert in_short("returns/request", told, knowing(known(ORDER))) == (
        "not understood: return_line_items: one is of a line that the ledger does not know"
    )
    assert in_short("returns/request", told) == "early: the order that is sent back is not known yet"


def test_a_return_that_ends_in_the_shop_cancels_its_open_cases():
    told = {"id": 5, "order_id": 7, "status": "canceled"}
    there = known(ORDER, open_cases=["return-5-quality", "another"])
    assert in_short("returns/cancel", told, knowing(there)) == "CancelCase"
    assert in_short("returns/cancel", told, knowing(known(ORDER))) == "ignored: there is no open case of it"


def hold(status, **changes):
    return {
        "id": 9,
        "order_id": 7,
        "status": status,
        "request_status": "unsubmitted",
        "updated_at": "2026-01-05T09:30:00Z",
        "fulfillment_holds": [{"reason": "high_risk_of_fraud", "reason_notes": "Look"}] if status == "on_hold" else [],
        **changes,
    }


def test_a_hold_in_the_shop_is_a_hold_here_until_the_shop_releases_it():
    assert in_short(HOLD_TOPIC, hold("on_hold"), knowing(known(ORDER))) == "held: fraud_review by shopify-9"
    stands = orders_pb2.Hold(reason=orders_pb2.HOLD_REASON_FRAUD_REVIEW, owner="shopify-9")
    there = known(ORDER, holds=[stands])
    assert in_short(HOLD_TOPIC, hold("on_hold"), knowing(there)) == "ignored: it is on hold here as well"
    assert in_short(HOLD_TOPIC, hold("open"), knowing(there)) == "released: fraud_review by shopify-9"
    assert in_short(HOLD_TOPIC, hold("open"), knowing(known(ORDER))).startswith("ignored")


def test_a_hold_that_the_ledger_told_of_is_no_news():
    ours = {"handle": "fulfilment-ledger", "reason": "other", "reason_notes": ""}
    told = hold("on_hold", fulfillment_holds=[ours])
    assert in_short(HOLD_TOPIC, told, knowing(known(ORDER))).startswith("ignored")
    both = hold("on_hold", fulfillment_holds=[ours, {"reason": "incorrect_address", "reason_notes": ""}])
    assert in_short(HOLD_TOPIC, both, knowing(known(ORDER))) == "held: bad_address by shopify-9"


def test_a_wish_to_cancel_what_was_asked_to_be_sent_is_shown_to_a_person():
    told = hold("in_progress", request_status="cancellation_requested")
    assert in_short(HOLD_TOPIC, told, knowing(known(ORDER))).startswith("look: the shop asks not to send")


# --- people, and the end ----------------------------------------------------------------------------


def test_a_person_is_erased_wherever_it_is_known_from():
    told = {
        "shop_id": 1,
        "customer": {"id": 2, "email": "ann@example.org", "phone": "+49 30 1"},
        "orders_to_redact": [7, 8],
    }
    found = became("customers/redact", told)
    assert [each.order_id for each in requests(found)[:2]] == ["main/7", "main/8"]
    assert in_short("customers/redact", told) == (
        "erased by order_id, erased by order_id, erased by email, erased by phone"
    )
    assert in_short("customers/redact", {"shop_id": 1}).startswith("ignored")


@pytest.mark.parametrize("topic", ["customers/data_request", "shop/redact"])
def test_what_is_asked_about_people_is_due_in_thirty_days(topic):
    found = became(topic, {"shop_id": 1, "customer": {"id": 2, "email": "ann@example.org"}})
    assert found.due == datetime(2026, 2, 4, 9, 0, 1, 290670, tzinfo=UTC)
    assert "ann@" not in found.look
    assert (found.forgets, bool(found.look)) == (topic == "shop/redact", topic != "shop/redact")


def test_what_the_law_wants_does_not_wait_for_a_paused_connection():
    assert SHOPIFY.even_paused == {"customers/data_request", "customers/redact", "shop/redact"}


def test_an_uninstalled_app_pauses_the_connection():
    found = became("app/uninstalled", {"id": 1, "domain": "shop.myshopify.com"})
    (pause,) = requests(found)
    assert (pause.name, pause.because) == ("main", "the app was uninstalled in the shop")
    assert found.look == "the app was uninstalled in the shop: install it and resume, or remove the connection"


@pytest.mark.parametrize("topic", ["products/update", "carts/update", "themes/publish", "orders"])
def test_what_the_ledger_does_not_keep_is_ignored_with_the_reason(topic):
    assert in_short(topic, {"id": 1}, NOTHING_KNOWN).startswith("ignored: ")
