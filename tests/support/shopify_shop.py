"""A shop of Shopify that is played: it sells, sends webhooks, and answers its GraphQL Admin API over real HTTP.

Its state are orders as webhooks write them. What it is told changes them, as the real one does: a fulfilment is sent
units, a refund is money that went back. It refuses what it was not granted, counts points, and can be made to fail.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, cast
from urllib.parse import parse_qs

import httpx2

from adapters.edges.agreement import Account
from adapters.edges.http import Http, KeptToken, Reply
from adapters.shops.shopify.checking import WANTED_TOPICS, named
from adapters.shops.shopify.graphql import VERSION
from tests.support.edge import signed
from tests.support.graphql_of_shopify import Asked, Nodes, NotAnswered, parsed, selected
from tests.support.shopify_orders import money, shopify_order

APP_SECRET = "the client secret of the app"
CLIENT_ID = "0123456789abcdef"
TOKEN = "shpat_played"
LOCATION = 24826418
_SCOPES = (
    *("write_orders", "write_merchant_managed_fulfillment_orders", "read_returns", "write_inventory"),
    "write_order_edits",
)
_COST = 50.0


@dataclass
class ShopifyShop:
    """A shop that tells of its orders, answers whoever asks for them, and does what it is told."""

    edge: str
    """Where it sends."""
    connection: str
    tenant: str = "default"
    url: str = ""
    orders: dict[int, dict[str, Any]] = field(default_factory=dict)
    stock: dict[str, int] = field(default_factory=dict)
    """What can be sold by SKU, at its one location."""
    locations: dict[str, int] = field(default_factory=dict)
    """Where lines of a SKU are sent from, where that is not its one location."""
    held: set[int] = field(default_factory=set)
    """Orders whose fulfilment is on hold."""
    holds: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What it was told to hold, by fulfilment order."""
    scopes: list[str] = field(default_factory=lambda: list(_SCOPES))
    webhooks: dict[str, str] = field(
        default_factory=lambda: dict.fromkeys(map(named, WANTED_TOPICS[1:]), "https://old/in/x/main")
    )
    """Addresses by topic."""
    called: list[str] = field(default_factory=list)
    """The names of the operations."""
    answers: list[int] = field(default_factory=list)
    """Statuses that it answers first; 429 as 200 with too few points."""
    policy: str = "DENY"
    """Whether what has no stock is sold nevertheless: then CONTINUE."""
    sells_meanwhile: int = 0
    """How many units are sold between being asked for the stock and being told it, the next time."""
    most_few: int = 20
    """How much may be asked for at once, in one respect that is enough to have others ask for less."""
    tells: bool = False
    """Whether each change is told by a webhook at once."""
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _edits: dict[str, dict[int, int]] = field(default_factory=dict)
    _done: dict[str, Any] = field(default_factory=dict)
    """What was answered under a key of idempotency."""
    _lock: threading.RLock = field(default_factory=threading.RLock)

    # --- what happens in the shop ---

    def sell(self, order_id: int, **changes: Any) -> dict[str, Any]:
        """A customer buys; nobody is told unless it tells."""
        with self._lock:
            self.orders[order_id] = shopify_order(order_id, **changes)
        return self._changed(order_id, "orders/create")

    def change(self, order_id: int, at: str = "", **changes: Any) -> dict[str, Any]:
        with self._lock:
            self.orders[order_id] = {**self.orders[order_id], **changes}
        return self._changed(order_id, "orders/updated", at)

    def _changed(self, order_id: int, topic: str, at: str = "") -> dict[str, Any]:
        order = self.orders[order_id]
        if topic != "orders/create" or not at:
            order["updated_at"] = at or (order["updated_at"] if topic == "orders/create" else _later(order))
        if self.tells:
            self.send(topic, order)
        return deepcopy(order)

    # --- what it tells ---

    def send(self, topic: str, body: Mapping[str, Any], **headers: str) -> httpx2.Response:
        return self.post(topic, json.dumps(body).encode(), **headers)

    def post(self, topic: str, body: bytes, *, family: str = "x-shopify-", **more: str) -> httpx2.Response:
        headers = {
            "content-type": "application/json",
            f"{family}topic": topic,
            f"{family}hmac-sha256": signed(body, APP_SECRET),
            f"{family}api-version": VERSION,
            f"{family}webhook-id": f"hook-{next(self._numbers)}",
            f"{family}event-id": f"event-{next(self._numbers)}",
            f"{family}triggered-at": datetime.now(UTC).isoformat(),
            **{name.replace("_", "-"): value for name, value in more.items()},
        }
        address = f"{self.edge}/in/{self.tenant}/{self.connection}"
        return httpx2.post(address, content=body, headers=headers, timeout=30)

    # --- what it answers ---

    def answer(self, query: str, variables: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.answers and (status := self.answers.pop(0)):
            return (200, _throttled()) if status == 429 else (status, {})
        if variables.get("few", 0) > self.most_few:
            error = {"message": "Query cost is too high", "extensions": {"code": "MAX_COST_EXCEEDED"}}
            return 200, {"errors": [error]}
        operation = parsed(query, variables)
        with self._lock:
            self.called.append(operation.name)
            try:
                data = {each.name: selected(self._root(each), each) for each in operation.fields}
            except NotAnswered as why:
                return 200, {"errors": [{"message": str(why), "extensions": {"code": "undefinedField"}}]}
            except _Denied as why:
                return 200, {"errors": [{"message": str(why), "extensions": {"code": "ACCESS_DENIED"}}]}
        return 200, {"data": data, "extensions": {"cost": _cost(1000.0)}}

    def _root(self, asked: Asked) -> Any:
        key = asked.directives.get("idempotent", {}).get("key")
        if asked.name in ("refundCreate", "inventorySetQuantities", "inventoryActivate") and not key:
            raise NotAnswered(f"{asked.name} requires the directive idempotent")
        if key in self._done:
            return self._done[key]
        found = getattr(self, f"_{asked.name}", None)
        if found is None:
            raise NotAnswered(f"Field '{asked.name}' doesn't exist on 'QueryRoot'")
        answer = found(asked.arguments)
        if key:
            self._done[key] = answer
        return answer

    def _need(self, scope: str) -> None:
        if scope not in self.scopes and scope.replace("read_", "write_", 1) not in self.scopes:
            raise _Denied(f"Access denied. Required access: `{scope}` access scope.")

    # --- questions ---

    def _shop(self, _: Mapping[str, Any]) -> Any:
        return {"name": "Played", "myshopifyDomain": "played.myshopify.com", "currencyCode": "EUR"}

    def _currentAppInstallation(self, _: Mapping[str, Any]) -> Any:
        return {"accessScopes": [{"handle": each} for each in self.scopes]}

    def _publicApiVersions(self, _: Mapping[str, Any]) -> Any:
        return [{"handle": VERSION, "supported": True}]

    def _webhookSubscriptions(self, _: Mapping[str, Any]) -> Any:
        there = self.webhooks.items()
        return Nodes(
            {"id": f"gid://shopify/WebhookSubscription/{topic}", "topic": topic, "uri": uri} for topic, uri in there
        )

    def _orders(self, given: Mapping[str, Any]) -> Any:
        self._need("read_orders")
        since = datetime.fromisoformat(given["query"].partition("'")[2].rstrip("'"))
        found = [order for order in self.orders.values() if _updated(order) >= since]
        return Nodes(self._order_node(order) for order in sorted(found, key=lambda each: (_updated(each), each["id"])))

    def _order(self, given: Mapping[str, Any]) -> Any:
        order = self.orders.get(_number(given["id"]))
        return self._order_node(order) if order is not None else None

    def _fulfillmentOrders(self, _: Mapping[str, Any]) -> Any:
        self._need("read_merchant_managed_fulfillment_orders")
        return Nodes(self._work_node(order_id) for order_id in sorted(self.held))

    def _fulfillmentOrder(self, given: Mapping[str, Any]) -> Any:
        self._need("read_merchant_managed_fulfillment_orders")
        order_id = _number(given["id"]) // 10
        return self._work_node(order_id) if order_id in self.orders else None

    def _holds_on(self, work_id: str) -> list[dict[str, Any]]:
        """Its own, and the one that it was told."""
        own = {
            "id": "gid://shopify/FulfillmentHold/1",
            "handle": "",
            "reason": "INCORRECT_ADDRESS",
            "reasonNotes": "No such street",
        }
        mine = [own] if _number(work_id) // 10 in self.held else []
        return [*mine, *([self.holds[work_id]] if work_id in self.holds else [])]

    def _fulfillmentOrderHold(self, given: Mapping[str, Any]) -> Any:
        self._need("write_merchant_managed_fulfillment_orders")
        if given["id"] in self.holds:
            error = {"code": "DUPLICATED_FULFILLMENT_HOLD_HANDLE", "field": ["handle"], "message": "Handle is taken"}
            return {"fulfillmentHold": None, "userErrors": [error]}
        known_as = f"gid://shopify/FulfillmentHold/{next(self._numbers)}"
        self.holds[given["id"]] = {"id": known_as, **given["fulfillmentHold"]}
        self._hinted(given["id"], "placed_on_hold")
        return {"fulfillmentHold": {"id": known_as}, "userErrors": []}

    def _fulfillmentOrderReleaseHold(self, given: Mapping[str, Any]) -> Any:
        there = self.holds.get(given["id"])
        if there is None or there["id"] not in given["holdIds"]:
            error = {"code": "FULFILLMENT_ORDER_NOT_FOUND", "field": ["id"], "message": "It is not on hold"}
            return {"fulfillmentOrder": None, "userErrors": [error]}
        del self.holds[given["id"]]
        self._hinted(given["id"], "hold_released")
        return {"fulfillmentOrder": {"id": given["id"], "status": "OPEN"}, "userErrors": []}

    def _hinted(self, work_id: str, what: str) -> None:
        if self.tells:
            self.send(f"fulfillment_orders/{what}", {"fulfillment_order": {"id": work_id}})

    def _work_node(self, order_id: int) -> dict[str, Any]:
        work_id = f"gid://shopify/FulfillmentOrder/{order_id}1"
        holds = self._holds_on(work_id)
        return {
            "id": work_id,
            "status": "ON_HOLD" if holds else "OPEN",
            "requestStatus": "UNSUBMITTED",
            "updatedAt": _text(_updated(self.orders[order_id])),
            "orderId": f"gid://shopify/Order/{order_id}",
            "fulfillmentHolds": holds,
        }

    def _inventoryItems(self, given: Mapping[str, Any]) -> Any:
        self._need("read_inventory")
        wanted = given["query"].partition("'")[2].rstrip("'")
        return Nodes(
            {
                "id": f"gid://shopify/InventoryItem/{place}",
                "sku": sku,
                "tracked": True,
                "variants": Nodes([{"id": f"gid://shopify/ProductVariant/{place}", "inventoryPolicy": self.policy}]),
                "inventoryLevel": lambda _, sku=sku: {
                    "quantities": [{"name": "available", "quantity": self.stock[sku]}]
                },
            }
            for place, sku in enumerate(self.stock, 1)
            if wanted in sku  # as a search by words finds more than was meant
        )

    # --- what it is told ---

    def _fulfillmentCreate(self, given: Mapping[str, Any]) -> Any:
        self._need("write_merchant_managed_fulfillment_orders")
        work = given["fulfillment"]["lineItemsByFulfillmentOrder"]
        order_id = _number(work[0]["fulfillmentOrderId"]) // 10
        named = [each for of in work for each in of["fulfillmentOrderLineItems"]]
        lines = [{"id": _number(each["id"]), "quantity": each["quantity"]} for each in named]
        order = self.orders[order_id]
        left = self._left(order)
        stopped = any(self._holds_on(each["fulfillmentOrderId"]) for each in work)
        if stopped or any(each["quantity"] > left[each["id"]] for each in lines):
            return _complaint("fulfillment", "The fulfillment order line items are not fulfillable.")
        tracking = given["fulfillment"]["trackingInfo"]
        number, now = next(self._numbers), _later(order)
        order["fulfillments"] = [
            *order["fulfillments"],
            {
                "id": number,
                "order_id": order_id,
                "status": "success",
                "created_at": now,
                "updated_at": now,
                "tracking_company": tracking.get("company"),
                "tracking_number": tracking["number"],
                "tracking_numbers": [tracking["number"]],
                "line_items": lines,
            },
        ]
        whole = not any(self._left(order).values())
        order["fulfillment_status"] = "fulfilled" if whole else "partial"
        self._changed(order_id, "orders/updated")
        return {"fulfillment": {"id": f"gid://shopify/Fulfillment/{number}"}, "userErrors": []}

    def _fulfilment(self, global_id: str) -> tuple[int, dict[str, Any]]:
        for order_id, order in self.orders.items():
            for each in order["fulfillments"]:
                if each["id"] == _number(global_id):
                    return order_id, each
        return 0, {}

    def _fulfillmentTrackingInfoUpdate(self, given: Mapping[str, Any]) -> Any:
        order_id, there = self._fulfilment(given["fulfillmentId"])
        tracking = given["trackingInfoInput"]
        there |= {
            "updated_at": _later(self.orders[order_id]),
            "tracking_company": tracking.get("company"),
            "tracking_number": tracking["number"],
            "tracking_numbers": [tracking["number"]],
        }
        self._changed(order_id, "orders/updated")
        return {"fulfillment": {"id": given["fulfillmentId"]}, "userErrors": []}

    def _fulfillmentCancel(self, given: Mapping[str, Any]) -> Any:
        order_id, there = self._fulfilment(given["id"])
        if there.get("status") == "cancelled":
            return _complaint("fulfillment", "Fulfillment is already cancelled")
        there |= {"status": "cancelled", "updated_at": _later(self.orders[order_id])}
        self._changed(order_id, "orders/updated")
        return {"fulfillment": {"id": given["id"], "status": "CANCELLED"}, "userErrors": []}

    def _orderCancel(self, given: Mapping[str, Any]) -> Any:
        self._need("write_orders")
        order_id = _number(given["orderId"])
        self.change(order_id, cancelled_at=_later(self.orders[order_id]), cancel_reason=given["reason"].lower())
        return {"job": {"id": "gid://shopify/Job/1"}, "orderCancelUserErrors": []}

    def _orderEditBegin(self, given: Mapping[str, Any]) -> Any:
        self._need("write_order_edits")
        edit = f"gid://shopify/CalculatedOrder/{_number(given['id'])}"
        self._edits[edit] = {}
        return {"calculatedOrder": {"id": edit}, "userErrors": []}

    def _orderEditSetQuantity(self, given: Mapping[str, Any]) -> Any:
        self._edits[given["id"]][_number(given["lineItemId"])] = given["quantity"]
        return {"calculatedOrder": {"id": given["id"]}, "userErrors": []}

    def _orderEditCommit(self, given: Mapping[str, Any]) -> Any:
        order_id, edits = _number(given["id"]), self._edits.pop(given["id"])
        order = self.orders[order_id]
        lines = [
            {**each, "current_quantity": edits.get(each["id"], each["current_quantity"])}
            for each in order["line_items"]
        ]
        less = sum((each["quantity"] - each["current_quantity"]) * float(each["price"]) for each in lines)
        total = f"{float(order['total_price']) - less:.2f}"
        self.change(order_id, line_items=lines, current_total_price=total, current_total_price_set=money(total))
        return {"order": {"id": f"gid://shopify/Order/{order_id}"}, "userErrors": []}

    def _refundCreate(self, given: Mapping[str, Any]) -> Any:
        self._need("write_orders")
        wanted = given["input"]
        order_id, number = _number(wanted["orderId"]), next(self._numbers)
        order = self.orders[order_id]
        moved = [
            {
                "id": number * 10 + place,
                "kind": "refund",
                "status": "success",
                "amount": each["amount"],
                "currency": wanted["currency"],
                "processed_at": _later(order),
            }
            for place, each in enumerate(wanted["transactions"])
        ]
        refund = {"id": number, "order_id": order_id, "created_at": _later(order), "note": wanted["note"]}
        refund |= {"refund_line_items": [], "transactions": moved}
        self.change(order_id, refunds=[*order["refunds"], refund], financial_status="partially_refunded")
        return {"refund": {"id": f"gid://shopify/Refund/{number}"}, "userErrors": []}

    def _inventorySetQuantities(self, given: Mapping[str, Any]) -> Any:
        self._need("write_inventory")
        for each in given["input"]["quantities"]:
            sku = list(self.stock)[_number(each["inventoryItemId"]) - 1]
            self.stock[sku], self.sells_meanwhile = self.stock[sku] - self.sells_meanwhile, 0
            if each["changeFromQuantity"] not in (None, self.stock[sku]):
                error = {"code": "CHANGE_FROM_QUANTITY_STALE", "field": ["input"], "message": "is stale"}
                return {"inventoryAdjustmentGroup": None, "userErrors": [error]}
            self.stock[sku] = each["quantity"]
        return {"inventoryAdjustmentGroup": {"id": "gid://shopify/InventoryAdjustmentGroup/1"}, "userErrors": []}

    def _webhookSubscriptionCreate(self, given: Mapping[str, Any]) -> Any:
        self.webhooks[given["topic"]] = given["webhookSubscription"]["uri"]
        global_id = f"gid://shopify/WebhookSubscription/{given['topic']}"
        return {"webhookSubscription": {"id": global_id}, "userErrors": []}

    def _webhookSubscriptionUpdate(self, given: Mapping[str, Any]) -> Any:
        return self._webhookSubscriptionCreate({**given, "topic": given["id"].rpartition("/")[2]})

    # --- as GraphQL writes it ---

    def _left(self, order: Mapping[str, Any]) -> Counter[int]:
        """What is still to be sent, by line."""
        left = Counter(
            {each["id"]: each["current_quantity"] for each in order["line_items"] if each["requires_shipping"]}
        )
        for parcel in order["fulfillments"]:
            if parcel["status"] == "success":
                left.subtract({each["id"]: each["quantity"] for each in parcel["line_items"]})
        return left

    def _order_node(self, order: Mapping[str, Any]) -> dict[str, Any]:
        came_in = order["total_price"] if order["financial_status"] not in ("pending", "authorized", None) else None
        sale = {
            "id": f"gid://shopify/OrderTransaction/{order['id']}",
            "kind": "SALE",
            "status": "SUCCESS",
            "gateway": "shopify_payments",
            "processedAt": order["processed_at"],
            "amountSet": _set(money(came_in or "0.00")),
            "parentTransaction": None,
        }
        same = ("name", "test", "email", "phone", "note")
        return {
            **{name: order[name] for name in same},
            "id": f"gid://shopify/Order/{order['id']}",
            "createdAt": _utc(order["created_at"]),
            "processedAt": _utc(order["processed_at"]),
            "updatedAt": _utc(order["updated_at"]),
            "cancelledAt": _utc(order["cancelled_at"]),
            "cancelReason": _upper(order["cancel_reason"]),
            "displayFinancialStatus": _upper(order["financial_status"]),
            "displayFulfillmentStatus": _upper(order["fulfillment_status"]) or "UNFULFILLED",
            "sourceName": order["source_name"],
            "taxesIncluded": order["taxes_included"],
            "dutiesIncluded": order["duties_included"],
            "currencyCode": order["currency"],
            "presentmentCurrencyCode": order["presentment_currency"],
            "customerLocale": order["customer_locale"],
            "paymentGatewayNames": order["payment_gateway_names"],
            "totalPriceSet": _set(order["total_price_set"]),
            "currentTotalPriceSet": _set(order["current_total_price_set"]),
            "totalOutstandingSet": _set(money(order["total_outstanding"])),
            "originalTotalDutiesSet": _set(order["original_total_duties_set"]),
            "currentTotalDutiesSet": _set(order["current_total_duties_set"]),
            "currentTotalAdditionalFeesSet": _set(order["current_total_additional_fees_set"]),
            "customer": order["customer"] and _customer_node(order["customer"]),
            "billingAddress": _place_node(order["billing_address"]),
            "shippingAddress": _place_node(order["shipping_address"]),
            "lineItems": Nodes(_line_node(each) for each in order["line_items"]),
            "shippingLines": Nodes(_carriage_node(each) for each in order["shipping_lines"]),
            "fulfillments": [_parcel_node(each) for each in order["fulfillments"]],
            "refunds": [_refund_node(each) for each in order["refunds"]],
            "transactions": [sale] if came_in else [],
            "fulfillmentOrders": Nodes(self._work_nodes(order)),
        }

    def _work_nodes(self, order: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """One for each location that lines are sent from."""
        left = self._left(order)
        places = {self.locations.get(each["sku"], LOCATION) for each in order["line_items"]}
        for number, location in enumerate(sorted(places), 1):
            lines = [each for each in order["line_items"] if self.locations.get(each["sku"], LOCATION) == location]
            status = "OPEN" if any(left[each["id"]] > 0 for each in lines) else "CLOSED"
            work_id = f"gid://shopify/FulfillmentOrder/{order['id']}{number}"
            yield {
                "id": work_id,
                "status": "ON_HOLD" if self._holds_on(work_id) else status,
                "fulfillmentHolds": self._holds_on(work_id),
                "assignedLocation": {"location": {"id": f"gid://shopify/Location/{location}"}},
                "lineItems": Nodes(
                    {
                        "id": f"gid://shopify/FulfillmentOrderLineItem/{each['id']}",
                        "remainingQuantity": left[each["id"]],
                        "lineItem": {"id": f"gid://shopify/LineItem/{each['id']}", "sku": each["sku"]},
                    }
                    for each in lines
                ),
            }


class _Denied(Exception):
    """The app was not granted that."""


def _throttled() -> dict[str, Any]:
    error = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
    return {"errors": [error], "extensions": {"cost": _cost(_COST - 10)}}


def _cost(available: float) -> dict[str, Any]:
    throttle = {"maximumAvailable": 2000.0, "currentlyAvailable": available, "restoreRate": 100.0}
    return {"requestedQueryCost": _COST, "actualQueryCost": 10, "throttleStatus": throttle}


def _complaint(name: str, message: str) -> dict[str, Any]:
    return {name: None, "userErrors": [{"field": None, "message": message}]}


def _updated(order: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(order["updated_at"])


def _later(order: Mapping[str, Any]) -> str:
    """Now, and after whatever happened to the order before."""
    return max(datetime.now(UTC).replace(microsecond=0), _updated(order)).isoformat()


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _utc(text: str | None) -> str | None:
    """GraphQL writes in UTC what webhooks write in the shop's zone."""
    return _text(datetime.fromisoformat(text)) if text else None


def _upper(text: str | None) -> str | None:
    return text.upper() if text else None


def _number(global_id: str) -> int:
    return int(global_id.rpartition("/")[2])


def _set(both: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if both is None:
        return None

    def one(amount: Mapping[str, Any]) -> dict[str, Any]:
        # Zeros at the end are left out, as GraphQL does.
        return {"amount": f"{float(amount['amount']):.2f}".rstrip("0") + "0", "currencyCode": amount["currency_code"]}

    return {"shopMoney": one(both["shop_money"]), "presentmentMoney": one(both["presentment_money"])}


def _customer_node(customer: Mapping[str, Any]) -> dict[str, Any]:
    email, phone = customer["email"], customer["phone"]
    return {
        "firstName": customer["first_name"],
        "lastName": customer["last_name"],
        "defaultEmailAddress": {"emailAddress": email} if email else None,
        "defaultPhoneNumber": {"phoneNumber": phone} if phone else None,
    }


def _place_node(place: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if place is None:
        return None
    same = ("name", "company", "address1", "address2", "city", "zip", "province", "phone")
    return {
        **{name: place[name] for name in same},
        "firstName": place["first_name"],
        "lastName": place["last_name"],
        "provinceCode": place["province_code"],
        "countryCodeV2": place["country_code"],
    }


def _tax_nodes(taxes: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"priceSet": _set(each["price_set"])} for each in taxes]


def _line_node(line: Mapping[str, Any]) -> dict[str, Any]:
    same = {"sku": "sku", "title": "title", "variantTitle": "variant_title", "quantity": "quantity"}
    return {
        **{name: line[field] for name, field in same.items()},
        "id": f"gid://shopify/LineItem/{line['id']}",
        "currentQuantity": line["current_quantity"],
        "requiresShipping": line["requires_shipping"],
        "isGiftCard": line["gift_card"],
        "originalUnitPriceSet": _set(line["price_set"]),
        "taxLines": _tax_nodes(line["tax_lines"]),
        "discountAllocations": [
            {"allocatedAmountSet": _set(each["amount_set"])} for each in line["discount_allocations"]
        ],
    }


def _carriage_node(line: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": f"gid://shopify/ShippingLine/{line['id']}",
        "title": line["title"],
        "isRemoved": line["is_removed"],
        "originalPriceSet": _set(line["price_set"]),
        "discountedPriceSet": _set(line["discounted_price_set"]),
        "taxLines": _tax_nodes(line["tax_lines"]),
    }


def _parcel_node(parcel: Mapping[str, Any]) -> dict[str, Any]:
    tracking = [{"company": parcel["tracking_company"], "number": each} for each in parcel["tracking_numbers"]]
    return {
        "id": f"gid://shopify/Fulfillment/{parcel['id']}",
        "status": parcel["status"].upper(),
        "createdAt": _utc(parcel["created_at"]),
        "updatedAt": _utc(parcel["updated_at"]),
        "trackingInfo": tracking,
        "fulfillmentLineItems": Nodes(
            {"quantity": each["quantity"], "lineItem": {"id": f"gid://shopify/LineItem/{each['id']}"}}
            for each in parcel["line_items"]
        ),
    }


def _refund_node(refund: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": f"gid://shopify/Refund/{refund['id']}",
        "createdAt": _utc(refund["created_at"]),
        "note": refund["note"],
        "refundLineItems": Nodes(
            {
                "quantity": each["quantity"],
                "restockType": each["restock_type"].upper(),
                "lineItem": {"id": f"gid://shopify/LineItem/{each['line_item_id']}"},
            }
            for each in refund["refund_line_items"]
        ),
        "transactions": Nodes(
            {
                "id": f"gid://shopify/OrderTransaction/{each['id']}",
                "kind": each["kind"].upper(),
                "status": each["status"].upper(),
                "processedAt": _utc(each["processed_at"]),
                "amountSet": _set(money(each["amount"], each["currency"])),
            }
            for each in refund["transactions"]
        ),
    }


# --- over HTTP ------------------------------------------------------------------------------------


def reply(shop: ShopifyShop, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
    """What it answers to a request."""
    if path == "/admin/oauth/access_token":
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        granted = form == {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": APP_SECRET}
        return (200, {"access_token": TOKEN, "expires_in": 86_399}) if granted else (401, {})
    if headers.get("x-shopify-access-token") != TOKEN:
        return 401, {"errors": "[API] Invalid API key or access token"}
    if path != f"/admin/api/{VERSION}/graphql.json":
        return 404, {"errors": "Not Found"}
    asked = json.loads(body)
    return shop.answer(asked["query"], asked.get("variables") or {})


@contextmanager
def shopify_shop(edge: str, connection: str, tenant: str = "default") -> Iterator[ShopifyShop]:
    """A shop at an address of its own, until the end."""
    shop = ShopifyShop(edge, connection, tenant)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            status, found = reply(shop, self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            raw = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("x-shopify-api-version", VERSION)
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as playing:
        threading.Thread(target=playing.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        shop.url = f"http://127.0.0.1:{playing.server_address[1]}"
        yield shop
        playing.shutdown()


class PlayedHttp:
    """Requests to it without a socket, for tests of what is asked and told."""

    def __init__(self, shop: ShopifyShop) -> None:
        self._shop = shop
        self.tokens: dict[str, KeptToken] = {}

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes = b"", **_: Any
    ) -> Reply:
        status, found = reply(self._shop, url.removeprefix("https://played.myshopify.com"), headers or {}, content)
        return Reply(status, {"x-shopify-api-version": VERSION}, json.dumps(found).encode())


def played(**settings: str) -> tuple[ShopifyShop, Http, Account]:
    """A shop without a socket, and the connection to it."""
    shop = ShopifyShop("https://edge.example.org", "main")
    account = Account(
        "main",
        {"shop": "https://played.myshopify.com", "location": str(LOCATION), **settings},
        ({"secret": APP_SECRET, "token": TOKEN},),
    )
    return shop, cast("Http", PlayedHttp(shop)), account
