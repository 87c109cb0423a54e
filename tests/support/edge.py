"""The edges in this process, over real sockets, and a shop of WooCommerce that is played."""

from __future__ import annotations

import hmac
import json
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

import server
from adapters.access.tls import Files
from adapters.web.settings import web_of
from tests.support.in_a_thread import running
from tests.support.service import Service

SECRET = "the secret of the webhooks"
HTTP = httpx2.Client(verify=False, trust_env=False, timeout=30, limits=httpx2.Limits(max_keepalive_connections=0))
"""For senders without TLS: a client of its own for each request would read all certificates of the machine."""


@contextmanager
def edging(service: Service, files: Files | None = None) -> Iterator[str]:
    """The address of the edges beside a service."""
    web = web_of(server.options(["--web", "127.0.0.1:0", "--web-private"]))._replace(files=files)
    with running(server.serve_edges(service.dsn, service.data / "master.key", web), "the edges") as port:
        yield f"{'https' if files else 'http'}://127.0.0.1:{port}"


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
class WooShop:
    """A shop that tells of its orders, and answers whoever asks for them."""

    edge: str
    """Where it sends."""
    connection: str
    url: str = ""
    orders: dict[int, dict[str, Any]] = field(default_factory=dict)
    asked: list[Mapping[str, list[str]]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    """Statuses that it answers first, before it answers what is asked."""

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

    def answer(self, path: str) -> tuple[int, Any]:
        """What the REST API answers."""
        parts = urlsplit(path)
        query = parse_qs(parts.query)
        if parts.path.endswith("/webhooks"):
            return 200, [
                {"topic": "order.created", "status": "active"},
                {"topic": "order.updated", "status": "disabled"},
            ]
        self.asked.append(query)
        if self.answers:
            return self.answers.pop(0), {}
        since = query.get("modified_after", [""])[0]
        found = sorted(self.orders.values(), key=lambda order: (order["date_modified_gmt"], order["id"]))
        found = [order for order in found if order["date_modified_gmt"] > since]
        size, page = int(query["per_page"][0]), int(query.get("page", ["1"])[0])
        return 200, found[(page - 1) * size : page * size]


@contextmanager
def woo_shop(edge: str, connection: str) -> Iterator[WooShop]:
    shop = WooShop(edge, connection)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers["authorization"] != f"Basic {b64encode(b'ck_1:cs_1').decode()}":
                status, found = 401, None
            else:
                status, found = shop.answer(self.path)
            body = json.dumps(found).encode()
            self.send_response(status)
            if status == 429:
                self.send_header("retry-after", "1")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as playing:
        threading.Thread(target=playing.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        shop.url = f"http://127.0.0.1:{playing.server_address[1]}"
        yield shop
        playing.shutdown()
