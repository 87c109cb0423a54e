"""The shops of a played world, one of each kind: each tells of orders in its own way, and learns what it is to know."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, NamedTuple

from tests.support import own_site, shopify_orders
from tests.support.amazon import PlayedAmazon, seller_secrets, seller_settings
from tests.support.amazon_orders import amazon_item, amazon_order, money, notification, text
from tests.support.edge import HTTP
from tests.support.shopify_shop import APP_SECRET, CLIENT_ID, LOCATION, ShopifyShop
from tests.support.told_site import ToldSite
from tests.support.woo_shop import SECRET, Fault, WooShop, woo_order

MINUTE = timedelta(minutes=1)
PRICE, CARRIAGE = 9.9, 4.9

Connect = Callable[[str, str, Mapping[str, str], Mapping[str, str]], object]
"""Adds a connection: its name, its system, its settings and its secrets."""


@dataclass(frozen=True)
class Bought:
    """What somebody bought in a shop."""

    channel: str
    number: int
    known_as: str
    """The shop's own id of the order."""
    sku: str
    units: int
    customer: str
    at: datetime

    @property
    def order_id(self) -> str:
        return f"{self.channel}/{self.known_as}"

    @property
    def tracking_number(self) -> str:
        return f"JD0146{self.number:014}"

    @property
    def email(self) -> str:
        return f"{self.customer.lower()}.{self.number}@example.org"

    @property
    def goods(self) -> float:
        return PRICE * self.units

    @property
    def total(self) -> float:
        return self.goods + CARRIAGE


class Told(NamedTuple):
    """News of a shop or of the aggregator, which arrives or is lost."""

    what: str
    send: Callable[[], str]
    """Says what it was answered."""
    lost: bool = False


class WorldShop(ABC):
    """A shop beside the service."""

    name: ClassVar[str]
    """Of its connection, which its orders have as their channel."""
    what: ClassVar[str]
    brand: ClassVar[str]
    first: ClassVar[int]
    """The number of its first order."""
    repeats: ClassVar[bool] = False
    """Whether what was not taken is sent again; else what is lost is found by asking alone."""

    @abstractmethod
    def connect(self, connect: Connect, skus: tuple[str, ...]) -> None:
        """Lists what it sells, and is connected."""

    @abstractmethod
    def tells(self, bought: Bought) -> tuple[Told, Told]:
        """Sells, and what it then tells: that an order was placed, and that it was paid."""

    @abstractmethod
    def numbers(self) -> dict[str, list[str]]:
        """The tracking numbers that it knows, by its own ids of orders."""

    @abstractmethod
    def stock(self) -> Mapping[str, int | None]:
        """How many units it thinks are left to sell."""

    def known_as(self, number: int) -> str:
        return str(number)

    @abstractmethod
    def has_time(self) -> None:
        """From now on it answers who asks."""

    @abstractmethod
    def is_down(self) -> None:
        """What it is told next it does not take."""


class WooWorldShop(WorldShop):
    name, what, brand, first = "brook", "a shop of WooCommerce", "Brook & Sons", 1001

    def __init__(self, shop: WooShop) -> None:
        self._shop = shop

    def connect(self, connect: Connect, skus: tuple[str, ...]) -> None:
        self._shop.products = {
            number: {"id": number, "sku": sku, "stock_quantity": None, "parent_id": 0}
            for number, sku in enumerate(skus, 1)
        }
        self._shop.faults.append(Fault(429, "GET", "/wc/v3/orders", 1000, {"retry-after": "1"}))
        connect(
            self.name,
            "woocommerce",
            {"shop": self._shop.url},
            {"webhook": SECRET, "key": "ck_1", "secret": "cs_1"},
        )

    def has_time(self) -> None:
        self._shop.faults.clear()

    def is_down(self) -> None:
        self._shop.faults.append(Fault(503, path="/shipment-trackings"))

    def tells(self, bought: Bought) -> tuple[Told, Told]:
        number, written = bought.number, woo_order(bought.number)
        named, paid_at = {"first_name": bought.customer}, _gmt(bought.at + MINUTE)
        self._shop.orders[number] = {
            **written,
            "status": "pending",
            "date_paid_gmt": None,
            "total": f"{bought.total:.2f}",
            "line_items": [
                {"id": number * 10, "name": bought.sku.title(), "quantity": bought.units, "sku": bought.sku}
                | {"total": f"{bought.goods:.2f}"}
            ],
            "billing": {**written["billing"], **named, "email": bought.email},
            "shipping": {**written["shipping"], **named},
            "date_created_gmt": _gmt(bought.at),
            "date_modified_gmt": _gmt(bought.at),
        }
        placed = self._shop.change(number)
        paid = self._shop.change(number, paid_at, status="processing", date_paid_gmt=paid_at)
        return _both(
            bought,
            lambda: answered(self._shop.send(placed, "order.created")),
            lambda: answered(self._shop.send(paid)),
        )

    def numbers(self) -> dict[str, list[str]]:
        return {str(number): self._shop.numbers(number) for number in self._shop.orders}

    def stock(self) -> Mapping[str, int | None]:
        return {each["sku"]: each["stock_quantity"] for each in self._shop.products.values()}


class ShopifyWorldShop(WorldShop):
    name, what, brand, first = "tea", "one of Shopify", "Tea & Co", 5001

    def __init__(self, shop: ShopifyShop) -> None:
        self._shop = shop

    def connect(self, connect: Connect, skus: tuple[str, ...]) -> None:
        self._shop.stock = dict.fromkeys(skus, 0)
        self._shop.answers += [429] * 1000
        settings = {
            "shop": self._shop.url,
            "location": str(LOCATION),
            "deliver_to": f"{self._shop.edge}/in/default/{self.name}",
        }
        connect(self.name, "shopify", settings, {"secret": APP_SECRET, "client_id": CLIENT_ID})

    def has_time(self) -> None:
        self._shop.answers.clear()
        self._shop.tells = True

    def is_down(self) -> None:
        self._shop.answers += [429, 429]

    def tells(self, bought: Bought) -> tuple[Told, Told]:
        number, at = bought.number, bought.at.isoformat()
        who = {"first_name": bought.customer, "last_name": "Example"}
        address = shopify_orders.place(first_name=bought.customer, name=f"{bought.customer} Example")
        placed = self._shop.sell(
            number,
            line_items=[shopify_orders.line(number * 10 + 1, bought.sku, bought.units, f"{PRICE:.2f}")],
            **dict.fromkeys(("created_at", "processed_at", "updated_at"), at),
            financial_status="pending",
            total_outstanding=f"{bought.total:.2f}",
            email=bought.email,
            customer={**who, "email": bought.email, "phone": None},
            customer_locale="en",
            billing_address=address,
            shipping_address=address,
        )
        paid_at = (bought.at + MINUTE).isoformat()
        paid = self._shop.change(number, paid_at, financial_status="paid", total_outstanding="0.00")
        return _both(
            bought,
            lambda: answered(self._shop.send("orders/create", placed)),
            lambda: answered(self._shop.send("orders/updated", paid)),
        )

    def numbers(self) -> dict[str, list[str]]:
        return {
            str(number): [each["tracking_number"] for each in order["fulfillments"]]
            for number, order in self._shop.orders.items()
        }

    def stock(self) -> Mapping[str, int | None]:
        return self._shop.stock


class AmazonWorldShop(WorldShop):
    """Its notifications lie in a queue, and say only that an order has changed."""

    name, what, brand, first, repeats = "amazon", "a seller's account at Amazon", "Brook & Sons", 7001, True

    def __init__(self, amazon: PlayedAmazon) -> None:
        self._amazon = amazon

    def known_as(self, number: int) -> str:
        return f"302-000{number}-0000001"

    def connect(self, connect: Connect, skus: tuple[str, ...]) -> None:
        self._amazon.stock = dict.fromkeys(skus, 0)
        self._amazon.wait = 0.3
        connect(self.name, "amazon", seller_settings(self._amazon), seller_secrets())

    def has_time(self) -> None:
        """It answered all the while."""

    def is_down(self) -> None:
        self._amazon.limits["confirmShipment"] = (2.0, 1)

    def tells(self, bought: Bought) -> tuple[Told, Told]:
        self._amazon.put(_of_amazon(bought, "PENDING", bought.at))

        def pays() -> str:
            at = bought.at + MINUTE
            if self._amazon.orders[bought.known_as]["fulfillment"]["fulfillmentStatus"] == "PENDING":
                self._amazon.put(_of_amazon(bought, "UNSHIPPED", at))
            return self._notify(bought, at)

        return _both(bought, lambda: self._notify(bought, bought.at), pays)

    def _notify(self, bought: Bought, at: datetime) -> str:
        self._amazon.tell(notification(bought.known_as, f"n-{bought.number}-{text(at)}", text(at)))
        return "in the queue"

    def numbers(self) -> dict[str, list[str]]:
        return {
            order_id: [each["trackingNumber"] for each in order.get("packages", [])]
            for order_id, order in self._amazon.orders.items()
        }

    def stock(self) -> Mapping[str, int | None]:
        return self._amazon.stock


class SiteWorldShop(WorldShop):
    """It sends its documents until they are taken, and is told by signed events."""

    name, what, brand, first, repeats = "web", "an own site", "Jade Street", 9001, True

    def __init__(self, edge: str, site: ToldSite) -> None:
        self._edge, self._site = edge, site
        self._sold: list[str] = []

    def connect(self, connect: Connect, skus: tuple[str, ...]) -> None:
        connect(self.name, "site", {}, {"secret": own_site.SECRET})
        told = {"url": self._site.url, "channel": self.name}
        connect(f"{self.name}-events", "webhook", told, {"secret": own_site.SECRET})

    def has_time(self) -> None:
        """It is never asked."""

    def is_down(self) -> None:
        self._site.answers.append(503)

    def tells(self, bought: Bought) -> tuple[Told, Told]:
        self._sold.append(bought.known_as)
        minor = round(bought.total * 100)
        paid = [{"payment_id": f"p-{bought.number}", "kind": "captured", "amount_minor": minor}]
        return _both(
            bought,
            lambda: self._send(_of_site(bought, []), f"{bought.number}-1", bought.at),
            lambda: self._send(_of_site(bought, paid), f"{bought.number}-2", bought.at + MINUTE),
        )

    def _send(self, order: Mapping[str, Any], message_id: str, at: datetime) -> str:
        body = json.dumps(own_site.told("order", dict(order), at.isoformat())).encode()
        headers = own_site.signed_headers(body, message_id, datetime.now(UTC))
        return answered(HTTP.post(f"{self._edge}/in/default/{self.name}", content=body, headers=headers))

    def numbers(self) -> dict[str, list[str]]:
        found = ((each, self._site.told("fulfilment.shipment", each)) for each in self._sold)
        return {order_id: [each["tracking_number"] for each in told] for order_id, told in found}

    def stock(self) -> Mapping[str, int | None]:
        events = (each.event for each in self._site.came)
        return {each["subject"]: each["data"]["available"] for each in events if each["type"] == "fulfilment.stock"}

    def standings(self) -> dict[str, str]:
        """How its orders stand, as it was told at last."""
        found = {each: self._site.told("fulfilment.order", each) for each in self._sold}
        return {f"{self.name}/{order_id}": told[-1]["status"] for order_id, told in found.items() if told}


def _both(bought: Bought, placed: Callable[[], str], paid: Callable[[], str]) -> tuple[Told, Told]:
    return Told(f"{bought.order_id} was placed", placed), Told(f"{bought.order_id} was paid", paid)


def answered(reply: Any) -> str:
    return str(reply.status_code)


def _of_amazon(bought: Bought, status: str, at: datetime) -> dict[str, Any]:
    written = amazon_order(bought.known_as)
    address = {**written["recipient"]["deliveryAddress"], "name": f"{bought.customer} Example"}
    until = {"shipByWindow": 2, "deliverByWindow": 5}
    windows = {name: {"latestDateTime": text(bought.at + timedelta(days=days))} for name, days in until.items()}
    parts = {"ITEM": bought.goods, "SHIPPING": CARRIAGE}
    return {
        **written,
        "createdTime": text(bought.at),
        "lastUpdatedTime": text(at),
        "buyer": {"buyerName": f"{bought.customer} Example", "buyerEmail": bought.email},
        "recipient": {"deliveryAddress": address},
        "proceeds": {
            "grandTotal": money(f"{bought.total:.2f}"),
            "breakdowns": [{"type": name, "subtotal": money(f"{amount:.2f}")} for name, amount in parts.items()],
        },
        "fulfillment": {**written["fulfillment"], "fulfillmentStatus": status, **windows},
        "orderItems": [amazon_item(f"i-{bought.number}", bought.sku, bought.units, f"{bought.goods:.2f}")],
    }


def _of_site(bought: Bought, payments: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "order_id": bought.known_as,
        "currency": "EUR",
        "placed_at": bought.at.isoformat(),
        "lines": [
            {"line_id": "1", "sku": bought.sku, "quantity": bought.units, "unit_price_minor": round(PRICE * 100)}
        ],
        "charges": [{"charge_id": "post", "kind": "shipping", "amount_minor": round(CARRIAGE * 100)}],
        "payments": payments,
        "customer": {"name": f"{bought.customer} Example", "email": bought.email},
        "ship_to": {"lines": ["1 Elm Street"], "city": "Berlin", "postal_code": "10115", "country": "DE"},
        "language": "en",
    }


def _gmt(at: datetime) -> str:
    """As WooCommerce writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S")
