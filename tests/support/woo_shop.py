"""A shop of WooCommerce that is played: it tells of its orders, answers whoever asks, and can be told.

It can be slow, refuse, have outages, limits, and lose its answers after it did what was asked.
"""

from __future__ import annotations

import hmac
import json
import re
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2

SECRET = "the secret of the webhooks"
HTTP = httpx2.Client(verify=False, trust_env=False, timeout=30, limits=httpx2.Limits(max_keepalive_connections=0))
"""For senders without TLS: a client of its own for each request would read all certificates of the machine."""


def woo_order(order_id: int, **changes: Any) -> dict[str, Any]:
    """An order as WooCommerce writes it, of two cups and carriage."""
    ann = {
        "first_name": "Ann",
        "last_name": "Example",
        "company": "",
        "address_1": "1 Elm Street",
        "address_2": "",
        "city": "Berlin",
        "state": "",
        "postcode": "10115",
        "country": "DE",
    }
    return {
        "id": order_id,
        "number": str(order_id),
        "status": "processing",
        "currency": "EUR",
        "date_created_gmt": "2026-01-05T09:00:00",
        "date_modified_gmt": "2026-01-05T09:00:00",
        "date_paid_gmt": "2026-01-05T09:00:00",
        "total": "24.70",
        "total_tax": "0.00",
        "customer_note": "",
        "billing": {**ann, "email": "ann@example.org", "phone": "+49 30 123456"},
        "shipping": dict(ann),
        "payment_method": "card",
        "line_items": [{"id": 315, "name": "Cup", "quantity": 2, "sku": "cup", "total": "19.80"}],
        "shipping_lines": [{"id": 317, "method_title": "Post", "total": "4.90"}],
        "fee_lines": [],
        "refunds": [],
        "_links": {"self": [{"href": f"https://shop.example.org/wp-json/wc/v3/orders/{order_id}"}]},
        **changes,
    }


def signed(body: bytes, secret: str = SECRET) -> str:
    return b64encode(hmac.digest(secret.encode(), body, sha256)).decode()


@dataclass
class Fault:
    """What goes wrong with the next requests."""

    status: int = 503
    method: str = ""
    path: str = ""
    """What its path holds; of any if empty."""
    times: int = 1
    headers: Mapping[str, str] = field(default_factory=dict)
    after: bool = False
    """Whether it did what was asked first, and only its answer is lost."""
    code: str = ""


@dataclass
class WooShop:
    """The shop."""

    edge: str
    """Where it sends."""
    connection: str
    url: str = ""
    orders: dict[int, dict[str, Any]] = field(default_factory=dict)
    asked: list[Mapping[str, list[str]]] = field(default_factory=list)
    """The questions for orders."""
    faults: list[Fault] = field(default_factory=list)
    tracks: bool = True
    """Whether it has the extension for tracking numbers."""
    trackings: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    notes: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    refunds: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    products: dict[int, dict[str, Any]] = field(default_factory=dict)
    told: list[tuple[str, str, Any]] = field(default_factory=list)
    """What it was told: method, path and content, in the order in which it did it."""
    statuses: dict[str, str] = field(default_factory=lambda: {"order.created": "active", "order.updated": "disabled"})
    """Of its webhooks, by topic."""
    busy: int = 0
    busiest: int = 0
    """How many requests it answered at once."""
    _made: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    # --- what it tells ---

    def change(self, order_id: int, modified: str = "", **changes: Any) -> dict[str, Any]:
        """The order as it is now; nobody is told."""
        order = deepcopy(self.orders.get(order_id) or woo_order(order_id))
        order |= {"date_modified_gmt": modified or order["date_modified_gmt"], **changes}
        self.orders[order_id] = order
        return order

    def send(self, order: Mapping[str, Any], topic: str = "order.updated", **headers: str) -> httpx2.Response:
        return self.post(json.dumps(order).encode(), topic, **headers)

    def post(self, body: bytes, topic: str = "order.updated", **more: str) -> httpx2.Response:
        headers = {
            "content-type": "application/json",
            "x-wc-webhook-topic": topic,
            "x-wc-webhook-signature": signed(body),
            "x-wc-webhook-delivery-id": "d1",
            **{name.replace("_", "-"): value for name, value in more.items()},
        }
        return HTTP.post(f"{self.edge}/in/default/{self.connection}", content=body, headers=headers)

    # --- what it answers ---

    def answer(self, method: str, target: str, content: Any) -> tuple[int, Any, Mapping[str, str]]:
        """What the REST API answers."""
        parts = urlsplit(target)
        path, query = parts.path.removeprefix("/wp-json"), parse_qs(parts.query)
        with self._lock:
            fault = next((each for each in self.faults if each.method in ("", method) and each.path in path), None)
            if fault is not None:
                fault.times -= 1
                if not fault.times:
                    self.faults.remove(fault)
                if fault.after:
                    self._does(method, path, query, content)
                return fault.status, {"code": fault.code, "message": "Ann Example"}, fault.headers
            return (*self._does(method, path, query, content), {})

    def _does(self, method: str, path: str, query: Mapping[str, list[str]], content: Any) -> tuple[int, Any]:
        if method != "GET":
            self.told.append((method, path, content))
        for pattern, does in _ROUTES.items():
            if (match := re.fullmatch(pattern, path)) is not None:
                found: tuple[int, Any] = does(self, method, content, query, *match.groups())
                return found
        return _no_route()

    def webhooks(self, method: str, content: Any, query: Any) -> tuple[int, Any]:
        return 200, [{"topic": topic, "status": status} for topic, status in self.statuses.items()]

    def all_orders(self, method: str, content: Any, query: Mapping[str, list[str]]) -> tuple[int, Any]:
        self.asked.append(query)
        since = query.get("modified_after", [""])[0]
        found = sorted(self.orders.values(), key=lambda order: (order["date_modified_gmt"], order["id"]))
        found = [order for order in found if order["date_modified_gmt"] > since]
        size, page = int(query["per_page"][0]), int(query.get("page", ["1"])[0])
        return 200, found[(page - 1) * size : page * size]

    def order(self, method: str, content: Any, query: Any, order_id: str) -> tuple[int, Any]:
        order = self.orders.get(int(order_id))
        if order is None:
            return 404, {"code": "woocommerce_rest_shop_order_invalid_id"}
        order |= content or {}
        return 200, order

    def of_order(self, method: str, content: Any, query: Any, order_id: str, what: str) -> tuple[int, Any]:
        """Its notes or refunds."""
        if int(order_id) not in self.orders:
            return 404, {"code": "woocommerce_rest_shop_order_invalid_id"}
        kept = (self.notes if what == "notes" else self.refunds).setdefault(int(order_id), [])
        if method == "POST":
            kept.append({"id": self._next_id(), **content})
            return 201, kept[-1]
        return 200, kept

    def shipment_trackings(self, method: str, content: Any, query: Any, order_id: str) -> tuple[int, Any]:
        if not self.tracks:
            return _no_route()
        if int(order_id) not in self.orders:
            return 404, {"code": "woocommerce_rest_order_invalid_id"}
        kept = self.trackings.setdefault(int(order_id), [])
        if method == "POST":
            kept.append({"tracking_id": f"t{self._next_id()}", **content})
            return 201, kept[-1]
        return 200, kept

    def shipment_tracking(self, method: str, content: Any, query: Any, order_id: str, known_as: str) -> tuple[int, Any]:
        kept = self.trackings.setdefault(int(order_id), [])
        kept[:] = [each for each in kept if each["tracking_id"] != known_as]
        return 200, {}

    def all_products(self, method: str, content: Any, query: Mapping[str, list[str]]) -> tuple[int, Any]:
        return 200, [each for each in self.products.values() if each["sku"] in query["sku"]]

    def product(self, method: str, content: Any, query: Any, *ids: str) -> tuple[int, Any]:
        product = self.products.get(int(ids[-1]))
        if product is None:
            return 404, {"code": "woocommerce_rest_product_invalid_id"}
        product |= content or {}
        return 200, product

    def _next_id(self) -> int:
        self._made += 1
        return self._made

    def numbers(self, order_id: int) -> list[str]:
        """The tracking numbers that it knows of an order."""
        return [each["tracking_number"] for each in self.trackings.get(order_id, [])]


def _no_route() -> tuple[int, Any]:
    return 404, {"code": "rest_no_route"}


_ROUTES: Mapping[str, Any] = {
    "/wc/v3/webhooks": WooShop.webhooks,
    "/wc/v3/orders": WooShop.all_orders,
    r"/wc/v3/orders/(\d+)": WooShop.order,
    r"/wc/v3/orders/(\d+)/(notes|refunds)": WooShop.of_order,
    r"/wc-shipment-tracking/v3/orders/(\d+)/shipment-trackings": WooShop.shipment_trackings,
    r"/wc-shipment-tracking/v3/orders/(\d+)/shipment-trackings/(\w+)": WooShop.shipment_tracking,
    "/wc/v3/products": WooShop.all_products,
    r"/wc/v3/products/(\d+)": WooShop.product,
    r"/wc/v3/products/(\d+)/variations/(\d+)": WooShop.product,
}


@contextmanager
def woo_shop(edge: str, connection: str) -> Iterator[WooShop]:
    shop = WooShop(edge, connection)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            more: Mapping[str, str]
            shop.busy += 1
            shop.busiest = max(shop.busiest, shop.busy)
            if self.headers["authorization"] != f"Basic {b64encode(b'ck_1:cs_1').decode()}":
                status, found, more = 401, {"code": "woocommerce_rest_cannot_view"}, {}
            else:
                status, found, more = shop.answer(self.command, self.path, json.loads(raw) if raw else None)
            shop.busy -= 1
            if not status:  # its answer is lost
                self.close_connection = True
                return
            body = json.dumps(found).encode()
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - as the base class calls them

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as playing:
        threading.Thread(target=playing.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        shop.url = f"http://127.0.0.1:{playing.server_address[1]}"
        yield shop
        playing.shutdown()
