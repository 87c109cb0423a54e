"""Real payloads of Shopify, as webhooks would bring them, and what becomes of them in short."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from adapters.edges.agreement import Account
from adapters.edges.delivery import Delivery, Received
from adapters.edges.meaning import KnownNow, NotUnderstood, Understood
from adapters.edges.systems import SYSTEMS
from adapters.shops.shopify import asking
from fulfilment.v1 import admin_pb2, common_pb2, orders_pb2, parcels_pb2, supplier_orders_pb2
from tests.support.edge import signed

DATA = Path(__file__).parents[3] / "shared" / "data"
SHOPIFY = SYSTEMS["shopify"]
ACCOUNT = Account(
    "main", {"shop": "https://shop.myshopify.com"}, ({"secret": "hush", "token": "shpat_1"}, {"secret": "old hush"})
)
NOTHING_KNOWN = KnownNow({}, complete=True)
_TOPICS: Mapping[str, str] = {
    "order": "orders/updated",
    "orders": "orders/updated",
    "refund": "refunds/create",
    "refunds": "refunds/create",
    "fulfillment": "fulfillments/update",
    "fulfillments": "fulfillments/update",
    "fulfillment_order": asking.HOLD_TOPIC,
    "fulfillment_orders": asking.HOLD_TOPIC,
    "fulfillment_event": "fulfillment_events/create",
    "fulfillment_events": "fulfillment_events/create",
    "inventory_level": "inventory_levels/update",
    "inventory_levels": "inventory_levels/update",
    "transaction": "order_transactions/create",
    "transactions": "order_transactions/create",
    "original_fulfillment_order": asking.HOLD_TOPIC,
    "moved_fulfillment_order": asking.HOLD_TOPIC,
    "replacement_fulfillment_order": asking.HOLD_TOPIC,
    "remaining_fulfillment_order": asking.HOLD_TOPIC,
}
"""What the REST API wraps an object in, and the topic of the webhook that brings the same."""


def delivery(topic: str, body: bytes, secret: str = "hush", family: str = "x-shopify-", **more: str) -> Delivery:
    headers = {
        f"{family}topic": topic,
        f"{family}hmac-sha256": signed(body, secret),
        f"{family}shop-domain": "shop.myshopify.com",
        f"{family}api-version": "2026-07",
        f"{family}webhook-id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
        f"{family}event-id": "98880550-7158-44d4-b7cd-2c97c8a091b5",
        f"{family}triggered-at": "2026-01-05T09:00:01.290670248Z",
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    return Delivery(headers, body, "https://edge.example.org/in/default/main")


def in_file(path: Path) -> Iterator[tuple[str, Any]]:
    """Each thing in a file, and the topic under which a webhook would bring it."""
    whole = json.loads(path.read_text())
    if "headers" in whole and "topic" in whole:
        yield whole["topic"], whole["body"]
        return
    for name, content in whole.items():
        things = content if isinstance(content, list) else [content]
        for each in things:
            if isinstance(each, dict):
                yield _TOPICS[name], each


def taken(told: Delivery, account: Account = ACCOUNT) -> Received:
    """What the door reads of it."""
    received = SHOPIFY.verify(told, account, datetime.now(UTC))
    assert received is not None
    return received


def requests(found: Understood) -> list[Any]:
    """What is asked of the ledger."""
    return [each.request for each in found.wanted]


def became(topic: str, body: Mapping[str, Any], known: KnownNow = NOTHING_KNOWN, **headers: str) -> Understood:
    """What becomes of it, from the door on."""
    raw = json.dumps(body).encode()
    if topic == asking.HOLD_TOPIC:
        return SHOPIFY.understand(Received(topic, "1"), raw, ACCOUNT, known)
    return SHOPIFY.understand(taken(delivery(topic, raw, **headers)), raw, ACCOUNT, known)


def in_short(topic: str, body: Mapping[str, Any], known: KnownNow = NOTHING_KNOWN, **headers: str) -> str:
    """What becomes of it, as the tables of the tests say it."""
    try:
        found = became(topic, body, known, **headers)
    except NotUnderstood as why:
        return f"not understood: {why}"
    if found.early or found.asks:
        return f"early: {found.early}" if found.early else f"asks: {found.asks}"
    said = [_wanted(each.request) for each in found.wanted]
    if found.look:
        said.append(f"look: {found.look}")
    return ", ".join(said) if said else f"ignored: {found.ignored}"


def _wanted(request: Message) -> str:
    match request:
        case orders_pb2.PlaceOrderRequest():
            total = sum(line.total_minor for line in request.lines) + sum(each.amount_minor for each in request.charges)
            word = orders_pb2.PaymentState.Name(request.payment).removeprefix("PAYMENT_STATE_").lower()
            paid = _moved(request.payments) if request.payments else word
            units = sum(line.quantity for line in request.lines)
            return f"placed {request.channel_order_id}: {units} units, {total} {request.currency}, {paid}"
        case orders_pb2.RecordPaymentRequest():
            word = orders_pb2.PaymentState.Name(request.payment).removeprefix("PAYMENT_STATE_").lower()
            return f"paid: {_moved(request.payments) if request.payments else word}"
        case orders_pb2.AmendOrderRequest():
            lines = " ".join(f"{line.line_no}x{line.quantity}" for line in request.lines)
            charges = " ".join(f"{each.charge_id}={each.amount_minor}" for each in request.charges)
            return f"amended: {lines} {charges}".rstrip()
        case orders_pb2.CancelOrderRequest():
            return f"cancelled: {request.reason} by {common_pb2.Party.Name(request.by).removeprefix('PARTY_').lower()}"
        case orders_pb2.PlaceHoldRequest() | orders_pb2.ReleaseHoldRequest():
            reason = orders_pb2.HoldReason.Name(request.reason).removeprefix("HOLD_REASON_").lower()
            word = "held" if isinstance(request, orders_pb2.PlaceHoldRequest) else "released"
            return f"{word}: {reason} by {request.owner}"
        case orders_pb2.ChangeAddressRequest():
            return f"sent to {request.ship_to.city}"
        case supplier_orders_pb2.ShipSupplierOrderRequest():
            lines = " ".join(f"{line.line_no}x{line.units}" for line in request.lines)
            return f"shipped by {request.supplier_order_id}: {lines} as {request.carrier} {request.tracking_number}"
        case parcels_pb2.CorrectTrackingRequest():
            return f"corrected to {request.right_carrier} {request.right_tracking_number}"
        case admin_pb2.ErasePersonRequest():
            return f"erased by {request.WhichOneof('person')}"
        case _:
            return type(request).__name__.removesuffix("Request")


def _moved(payments: Any) -> str:
    return " ".join(f"{each.payment_id}={each.amount.amount_minor}" for each in payments)
