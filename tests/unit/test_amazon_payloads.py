"""Every payload of Amazon in the collection, and what becomes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.edges.agreement import Account
from adapters.edges.delivery import BadSignature, Delivery, MalformedDelivery, Received
from adapters.edges.meaning import KnownNow, NotUnderstood, Understood
from adapters.edges.systems import SYSTEMS
from fulfilment.v1 import orders_pb2 as pb
from tests.support.amazon_orders import NOW, SELLER

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "vendors" / "amazon"
pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="the collection of payloads is not here")

SETTINGS = {"marketplaces": "ATVPDKIKX0DER", "seller": SELLER, "client": "c", "contact": "dropship@example.org"}
ACCOUNT = Account("main", SETTINGS, ({"push": "it is"},))
OLD = "the Orders API of before, which is not asked"
ASKS = "a request, as we make it"
ERROR = "an error's answer, which says why a request failed"
LABELS = "labels and invoices, which are not asked for"

BECAME = {
    "orders_2026-01-01/getOrder.200.1.response": "it was sent before the ledger knew of it",
    "orders_2026-01-01/getOrder.200.2.response": (
        "PlaceOrder BRL 29990: 1 ECHO-DOT-4-BR-PRETO; gift, gift_wrap; express"
    ),
    "orders_2026-01-01/getOrder.200.4.response": "it was sent before the ledger knew of it",
    "orders_2026-01-01/getOrder.200.6.response": "PlaceOrder USD 4999: 1 ECHO-POP-US-BLK; standard",
    "orders_2026-01-01/searchOrders.200.1.response": "it was sent before the ledger knew of it",
    "orders_2026-01-01/searchOrders.200.2.response": "Amazon sends it from its own warehouses",
    "orders_2026-01-01/searchOrders.200.4.response": "it was sent before the ledger knew of it",
    "orders_2026-01-01/searchOrders.200.6.response": "PlaceOrder BRL 159990: 1 DELL-I15-BR-001; standard",
    "notifications/OrderChangeNotification": "asks for main/903-8868176-2219830",
    "notifications/ListingsItemMfnQuantityChange": "it is about no order that the seller sends",
    "vendorDirectFulfillmentOrders_2021-12-28/getOrder.200.1.response": (
        "PlaceOrder USD 209000: 1 8806098286500, 2 8806098286123; standard"
    ),
    "vendorDirectFulfillmentOrders_2021-12-28/getOrders.200.1.response": (
        "PlaceOrder USD 209000: 1 8806098286500, 2 8806098286123; standard"
    ),
    # What is read by the requests that are made, which tests/unit/test_amazon_calls.py makes over HTTP.
    "vendorDirectFulfillmentInventoryV1/submitInventoryUpdate.202.1.response": "a transaction, which is asked for",
    "vendorDirectFulfillmentInventoryV1/submitInventoryUpdate.202.3.response": "a transaction, which is asked for",
    "vendorDirectFulfillmentTransactions_2021-12-28/getTransactionStatus.200.1.response": "a transaction that goes on",
    "tokens_2021-03-01/createRestrictedDataToken.200.1.response": "a token of its own for people's data",
    "tokens_2021-03-01/createRestrictedDataToken.200.3.response": "a token of its own for people's data",
    "examples/notifications": "how notifications are subscribed to, which the seller does once",
    "examples/ordersV0": OLD,
    "examples/tracking_2026-01-30": "tracking by Amazon, which carriers and trackers tell",
    "examples/vendorDirectFulfillmentShipping_2021-12-28": LABELS,
    "models": "a contract",
}


def payloads() -> Iterator[tuple[str, Any]]:
    for path in sorted([*FOLDER.glob("examples/*/*.json"), *FOLDER.glob("notifications/*.json")]):
        yield f"{path.parent.name}/{path.stem}", json.loads(path.read_text())


def order_of(body: Any) -> Any:
    """The one order of an answer."""
    orders = body if isinstance(body, list) else body.get("orders", [body.get("order", body)])
    (order,) = orders
    return order


def in_short(found: Understood) -> str:
    if found.asks:
        return f"asks for {found.asks}"
    if found.ignored:
        return found.ignored
    (wanted,) = found.wanted
    request = wanted.request
    assert isinstance(request, pb.PlaceOrderRequest)
    total = sum(each.total_minor or each.quantity * each.unit_price_minor for each in request.lines)
    total += sum(each.amount_minor for each in request.charges)
    assert sum(each.amount.amount_minor for each in request.payments) in (0, total)
    lines = ", ".join(f"{each.quantity} {each.sku}" for each in request.lines)
    gift = f"; gift, {', '.join(request.packing)}" if request.gift else ""
    priority = pb.Priority.Name(request.priority).removeprefix("PRIORITY_").lower()
    return f"PlaceOrder {request.currency} {total}: {lines}{gift}; {priority}"


def became(name: str, body: Any) -> str:
    """What the system that such a payload is for makes of it."""
    if name.startswith("notifications/") and "examples" in body:
        raw = json.dumps(body["examples"][0]).encode()
        received = SYSTEMS["amazon"].verify(
            Delivery({"x-api-key": "it is"}, raw, "https://edge/in/t/main"), ACCOUNT, NOW
        )
        assert received is not None
        seller = {"seller": "A3TH9S8BH6GOGM"}
        known = KnownNow({}, complete=True)
        return in_short(SYSTEMS["amazon"].understand(received, raw, Account("main", {**SETTINGS, **seller}, ()), known))
    if ".request" in name:
        return ASKS
    if "errors" in body:
        return ERROR
    system = "amazon-vendor" if name.startswith("vendor") else "amazon"
    raw = json.dumps(order_of(body), ensure_ascii=False).encode()
    topic = "order" if system == "amazon" else "purchase_order"
    return in_short(SYSTEMS[system].understand(Received(topic, "1"), raw, ACCOUNT, KnownNow({}, complete=True)))


def test_every_payload_of_amazon_becomes_what_the_table_says():
    told = {}
    for name, body in payloads():
        folder = f"examples/{name.split('/')[0]}"
        if ".request" in name:
            told[name] = ASKS
        elif name in BECAME and BECAME[name].startswith("a t"):
            told[name] = BECAME[name]
        elif folder in BECAME and "examples" not in body:
            told[name] = BECAME[folder]
        else:
            told[name] = became(name, body)
    assert len(told) > 90
    wanted = {name: text for name, text in BECAME.items() if "/" in name and not name.startswith("examples/")}
    assert {name: told[name] for name in wanted} == wanted
    others = {text for name, text in told.items() if name not in wanted}
    assert others == {ASKS, ERROR, *(text for name, text in BECAME.items() if name.startswith("examples/"))}


@pytest.mark.parametrize("key", ["", "it is not", "é"])
def test_an_event_that_does_not_show_the_key_is_not_read(key):
    with pytest.raises(BadSignature):
        SYSTEMS["amazon"].verify(Delivery({"x-api-key": key}, b"{", "https://edge/in/t/main"), ACCOUNT, NOW)


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"NotificationType": "ORDER_CHANGE"}', b'{"detail": 5}', b"\xff"])
def test_what_is_no_notification_is_refused_at_the_door(raw):
    with pytest.raises(MalformedDelivery):
        SYSTEMS["amazon"].verify(Delivery({"x-api-key": "it is"}, raw, "https://edge/in/t/main"), ACCOUNT, NOW)


def test_a_vendor_is_told_nothing_by_deliveries():
    with pytest.raises(BadSignature):
        SYSTEMS["amazon-vendor"].verify(Delivery({}, b"{}", "https://edge/in/t/main"), ACCOUNT, NOW)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all values in a payload."""
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from leaves(inner, (*path, key))


def changed(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    if not path:
        return other
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], other)
    return copy


STRANGE: tuple[Any, ...] = (None, "", "é\0", -1, 10**20, 1.5, [], {}, "0001-01-01T00:00:00Z", "XXX", "1e400", True)


def there(request: Any, whole: bytes) -> KnownNow:
    """A ledger that has the order as it was before it was broken."""
    lines = [
        pb.OrderLineState(line=line, wanted=line.quantity, units=pb.Buckets(open=line.quantity))
        for line in request.lines
    ]
    order_id = f"{request.channel}/{request.channel_order_id}"
    order = pb.Order(order_id=order_id, currency=request.currency, lines=lines, status=pb.ORDER_STATUS_CONFIRMED)
    return KnownNow({f"order {order_id}": order, "before ": whole}, complete=True)


def test_a_payload_that_is_broken_anywhere_is_understood_or_says_which_field_is_not():
    """Each value of each order in turn, by each strange value: no crash, and no sentence with what a field holds."""
    tried, said = 0, []
    for name, body in payloads():
        if name not in BECAME or not BECAME[name].startswith("PlaceOrder"):
            continue
        order = order_of(body)
        system = "amazon-vendor" if name.startswith("vendor") else "amazon"
        topic = "order" if system == "amazon" else "purchase_order"
        nothing = KnownNow({}, complete=True)
        whole = json.dumps(order).encode()
        request = SYSTEMS[system].understand(Received(topic, "1"), whole, ACCOUNT, nothing).wanted[0].request
        for path in leaves(order):
            raw = json.dumps(changed(order, path, STRANGE[tried % len(STRANGE)])).encode()
            for known in (nothing, there(request, whole)):
                tried += 1
                try:
                    found = SYSTEMS[system].understand(Received(topic, "1"), raw, ACCOUNT, known)
                    assert found.wanted or found.ignored
                except NotUnderstood as why:
                    said.append(str(why))
    assert tried > 800
    assert len(said) > 50
    assert not [why for why in said if "Echo" in why or "@" in why or "Silva" in why]


def test_a_notification_that_is_broken_anywhere_is_refused_or_asks_or_is_ignored():
    body = json.loads((FOLDER / "notifications/OrderChangeNotification.json").read_text())["examples"][0]
    for path in leaves(body):
        for other in STRANGE:
            raw = json.dumps({"detail": changed(body, path, other)}).encode()
            try:
                received = SYSTEMS["amazon"].verify(Delivery({"x-api-key": "it is"}, raw, ""), ACCOUNT, NOW)
                assert received is not None
                found = SYSTEMS["amazon"].understand(received, raw, ACCOUNT, KnownNow({}, complete=True))
                assert found.asks or found.ignored
            except MalformedDelivery:
                pass
