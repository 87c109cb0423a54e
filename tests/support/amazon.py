"""Amazon's Selling Partner API as it is played: orders of sellers and vendors, its login and a queue, over real HTTP.

It keeps to its rules: tokens that end, limits of each operation, pages, what a shipment must say, and feeds and
transactions that take their time.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from adapters.shops.amazon import queues
from tests.support.amazon_orders import SELLER, text

CLIENT, REFRESH, SECRET = "amzn1.application-oa2-client.1", "Atzr|refresh", "client secret"
AWS_KEY, AWS_SECRET, PUSH = "AKIAIOSFODNN7EXAMPLE", "the secret of the queue", "what the event bus shows"
_ERROR = {"errors": [{"code": "InvalidInput", "message": "Invalid Input"}]}


@dataclass
class _Lying:
    """A message in the queue."""

    message_id: str
    body: str
    hidden_until: float = 0.0
    handle: str = ""


@dataclass
class PlayedAmazon:
    """Amazon, as far as a seller and a vendor see it."""

    url: str = ""
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    purchase_orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    stock: dict[str, int] = field(default_factory=dict)
    """By SKU of what the seller lists."""
    vendor_stock: dict[str, int] = field(default_factory=dict)
    confirmed: list[dict[str, Any]] = field(default_factory=list)
    """What a vendor told of shipments, and what it acknowledged."""
    queue: list[_Lying] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    """How often, by the name of the operation."""
    limits: dict[str, tuple[float, int]] = field(default_factory=dict)
    """So many calls a second and at once, by operation; unlimited if not named."""
    secrets: set[str] = field(default_factory=lambda: {SECRET})
    shows_people: bool = True
    subscribed: bool = True
    slow: int = 1
    """How often a feed or a transaction is still worked on when it is asked for."""
    refuses: str = ""
    """Why the next feed or transaction fails, if it does."""
    fails: list[int] = field(default_factory=list)
    """Statuses that are answered first, whatever is asked."""
    wait: float = 0.05
    """How long the queue waits for a message."""
    _tokens: set[str] = field(default_factory=set)
    _restricted: set[str] = field(default_factory=set)
    _buckets: dict[str, tuple[float, float]] = field(default_factory=dict)
    _works: dict[str, list[Any]] = field(default_factory=dict)
    _files: dict[str, bytes] = field(default_factory=dict)
    _number: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    # --- what happens at Amazon ---

    def put(self, order: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            self.orders[str(order["orderId"])] = deepcopy(dict(order))
            return self.orders[str(order["orderId"])]

    def tell(self, body: Mapping[str, Any] | str) -> None:
        """A message into the queue."""
        with self._lock:
            content = body if isinstance(body, str) else json.dumps(body)
            self.queue.append(_Lying(f"m-{self._next()}", content))

    def end_tokens(self) -> None:
        """All that were given out are not taken any more, before their time."""
        with self._lock:
            self._tokens.clear()
            self._restricted.clear()

    def _next(self) -> int:
        self._number += 1
        return self._number

    # --- answering ---

    def answer(self, method: str, path: str, headers: Mapping[str, str], content: bytes) -> tuple[int, Any, float]:
        """The status, what is answered, and the limit that is told with it."""
        with self._lock:
            if self.fails:
                return self.fails.pop(0), _ERROR, 0.0
            parts = urlsplit(path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            for name, verb, pattern, handler in _ROUTES:
                found = re.fullmatch(pattern, parts.path)
                if found and verb == method:
                    self.asked[name] += 1
                    if not self._may(name):
                        return 429, {"errors": [{"code": "QuotaExceeded", "message": ""}]}, self.limits[name][0]
                    status, told = handler(self, [unquote(each) for each in found.groups()], query, headers, content)
                    return status, told, self.limits.get(name, (0.0, 0))[0]
            return 404, {"errors": [{"code": "NotFound", "message": path}]}, 0.0

    def _may(self, name: str) -> bool:
        if name not in self.limits:
            return True
        rate, burst = self.limits[name]
        left, at = self._buckets.get(name, (float(burst), time.monotonic()))
        left = min(float(burst), left + (time.monotonic() - at) * rate)
        self._buckets[name] = (left - 1 if left >= 1 else left, time.monotonic())
        return left >= 1

    def _login(self, _: list[str], __: Mapping[str, str], ___: Mapping[str, str], content: bytes) -> tuple[int, Any]:
        form = {name: values[0] for name, values in parse_qs(content.decode()).items()}
        if form.get("client_id") != CLIENT or form.get("client_secret") not in self.secrets:
            return 401, {"error": "invalid_client", "error_description": "Client authentication failed"}
        if form.get("refresh_token") != REFRESH or form.get("grant_type") != "refresh_token":
            return 400, {"error": "invalid_grant", "error_description": "The request has an invalid grant parameter"}
        token = f"Atza|{self._next()}"
        self._tokens.add(token)
        return 200, {"access_token": token, "token_type": "bearer", "expires_in": 3600}

    def _restrict(self, _: list[str], __: Mapping[str, str], ___: Mapping[str, str], content: bytes) -> tuple[int, Any]:
        if not json.loads(content).get("restrictedResources"):
            return 400, _ERROR
        token = f"Atz.sprdt|{self._next()}"
        self._restricted.add(token)
        return 200, {"restrictedDataToken": token, "expiresIn": 3600}

    # --- a seller's ---

    def _shown(self, order: Mapping[str, Any], included: str) -> dict[str, Any]:
        wanted = included.split(",")
        shown = deepcopy(dict(order))
        for name, part in (("recipient", "RECIPIENT"), ("buyer", "BUYER")):
            if part not in wanted or not self.shows_people:
                shown.pop(name, None)
        if "PACKAGES" not in wanted:
            shown.pop("packages", None)
        return shown

    def _search(self, _: list[str], query: Mapping[str, str], *__: Any) -> tuple[int, Any]:
        if ("createdAfter" in query) == ("lastUpdatedAfter" in query):
            return 400, _ERROR
        since, places = query["lastUpdatedAfter"], query.get("marketplaceIds", "").split(",")
        found = [
            order
            for order in sorted(self.orders.values(), key=lambda each: (each["lastUpdatedTime"], each["orderId"]))
            if order["lastUpdatedTime"] >= since
            and order["salesChannel"]["marketplaceId"] in places
            and order["fulfillment"]["fulfilledBy"] == query.get("fulfilledBy", order["fulfillment"]["fulfilledBy"])
        ]
        first, size = int(query.get("paginationToken", "0")), int(query.get("maxResultsPerPage", "100"))
        page = [self._shown(each, query.get("includedData", "")) for each in found[first : first + size]]
        if first + size < len(found):
            return 200, {"orders": page, "pagination": {"nextToken": str(first + size)}}
        return 200, {"orders": page, "lastUpdatedBefore": text(datetime.now(UTC) - timedelta(minutes=2))}

    def _get(self, ids: list[str], query: Mapping[str, str], *_: Any) -> tuple[int, Any]:
        order = self.orders.get(ids[0])
        if order is None:
            return 404, {"errors": [{"code": "NotFound", "message": "no such order"}]}
        return 200, {"order": self._shown(order, query.get("includedData", ""))}

    def _confirm(self, ids: list[str], _: Any, __: Any, content: bytes) -> tuple[int, Any]:
        order, body = self.orders.get(ids[0]), json.loads(content)
        if order is None:
            return 404, {"errors": [{"code": "NotFound", "message": "no such order"}]}
        package = body["packageDetail"]
        if wrong := _wrong(order, body, package):
            return 400, {"errors": [{"code": "InvalidInput", "message": wrong}]}
        packages = [
            each for each in order.get("packages", []) if each["packageReferenceId"] != package["packageReferenceId"]
        ]
        packages.append(
            {
                "packageReferenceId": package["packageReferenceId"],
                "carrier": package.get("carrierName") or package["carrierCode"],
                "trackingNumber": package["trackingNumber"],
                "packageItems": package["orderItems"],
            }
        )
        order["packages"] = packages
        for item in order["orderItems"]:
            sent = sum(
                each["quantity"]
                for one in packages
                for each in one["packageItems"]
                if each["orderItemId"] == item["orderItemId"]
            )
            item["fulfillment"] = {
                "quantityFulfilled": sent,
                "quantityUnfulfilled": item["quantityOrdered"] - sent,
            }
        whole = all(item["fulfillment"]["quantityUnfulfilled"] == 0 for item in order["orderItems"])
        order["fulfillment"]["fulfillmentStatus"] = "SHIPPED" if whole else "PARTIALLY_SHIPPED"
        order["lastUpdatedTime"] = text(datetime.now(UTC))
        return 204, None

    def _list(self, ids: list[str], query: Mapping[str, str], _: Any, content: bytes) -> tuple[int, Any]:
        seller, sku = ids
        if seller != SELLER or sku not in self.stock:
            return 404, {"errors": [{"code": "NOT_FOUND", "message": "SKU not found in marketplace"}]}
        (patch,) = json.loads(content)["patches"]
        assert patch["path"] == "/attributes/fulfillment_availability"
        assert query["marketplaceIds"]
        self.stock[sku] = patch["value"][0]["quantity"]
        return 200, {"sku": sku, "status": "ACCEPTED", "submissionId": f"s-{self._next()}", "issues": []}

    def _subscription(self, *_: Any) -> tuple[int, Any]:
        if not self.subscribed:
            return 404, {"errors": [{"code": "NotFound", "message": ""}]}
        return 200, {"payload": {"subscriptionId": "sub-1", "payloadVersion": "1.0", "destinationId": "d-1"}}

    # --- feeds ---

    def _document(self, *_: Any) -> tuple[int, Any]:
        known_as = f"doc-{self._next()}"
        return 201, {"feedDocumentId": known_as, "url": f"{self.url}/store/{known_as}"}

    def _store(self, ids: list[str], _: Any, __: Any, content: bytes) -> tuple[int, Any]:
        self._files[ids[0]] = content
        return 200, None

    def _stored(self, ids: list[str], *_: Any) -> tuple[int, Any]:
        return 200, self._files[ids[0]]

    def _feed(self, _: Any, __: Any, ___: Any, content: bytes) -> tuple[int, Any]:
        told = self._files[json.loads(content)["inputFeedDocumentId"]].decode()
        order_id = re.search(r"<AmazonOrderID>([^<]+)<", told)
        assert order_id is not None
        assert "<StatusCode>Failure<" in told
        known_as = f"feed-{self._next()}"
        self._works[known_as] = [self.slow, self.refuses]
        if not self.refuses:
            self.cancel(order_id[1], "MERCHANT")
        self._files[known_as] = (
            f"<MessagesWithError>{1 if self.refuses else 0}</MessagesWithError>"
            f"<ResultDescription>{self.refuses}</ResultDescription>"
        ).encode()
        return 202, {"feedId": known_as}

    def cancel(self, order_id: str, by: str) -> dict[str, Any]:
        with self._lock:
            order = self.orders[order_id]
            order["fulfillment"]["fulfillmentStatus"] = "CANCELLED"
            order["lastUpdatedTime"] = text(datetime.now(UTC))
            for item in order["orderItems"]:
                item["cancellation"] = {"cancellationExecution": {"cancelledBy": by}}
            return order

    def _fed(self, ids: list[str], *_: Any) -> tuple[int, Any]:
        work = self._works[ids[0]]
        if work[0] > 0:
            work[0] -= 1
            return 200, {"feedId": ids[0], "processingStatus": "IN_PROGRESS"}
        return 200, {"feedId": ids[0], "processingStatus": "DONE", "resultFeedDocumentId": ids[0]}

    def _report(self, ids: list[str], *_: Any) -> tuple[int, Any]:
        return 200, {"feedDocumentId": ids[0], "url": f"{self.url}/store/{ids[0]}"}

    # --- a vendor's ---

    def _purchase_orders(
        self, _: Any, query: Mapping[str, str], headers: Mapping[str, str], __: bytes
    ) -> tuple[int, Any]:
        if headers.get("x-amz-access-token") not in self._restricted:
            return 403, {"errors": [{"code": "Unauthorized", "message": "Access to requested resource is denied."}]}
        since, until = query["createdAfter"], query["createdBefore"]
        if datetime.fromisoformat(until) - datetime.fromisoformat(since) > timedelta(days=7):
            return 400, _ERROR
        there = sorted(self.purchase_orders.values(), key=lambda each: str(each["orderDetails"]["orderDate"]))
        found = [each for each in there if since <= each["orderDetails"]["orderDate"] <= until]
        first, size = int(query.get("nextToken", "0")), int(query["limit"])
        page: dict[str, Any] = {"orders": found[first : first + size]}
        return 200, {**page, **({"pagination": {"nextToken": str(first + size)}} if first + size < len(found) else {})}

    def _purchase_order(self, ids: list[str], _: Any, headers: Mapping[str, str], __: bytes) -> tuple[int, Any]:
        if headers.get("x-amz-access-token") not in self._restricted:
            return 403, {"errors": [{"code": "Unauthorized", "message": "Access to requested resource is denied."}]}
        found = self.purchase_orders.get(ids[0])
        return (200, found) if found else (404, _ERROR)

    def _acknowledge(self, _: Any, __: Any, ___: Any, content: bytes) -> tuple[int, Any]:
        for told in json.loads(content)["orderAcknowledgements"]:
            sends = told["acknowledgementStatus"]["code"] == "00"
            self._of(told)["orderDetails"]["orderStatus"] = "ACCEPTED" if sends else "CANCELLED"
            self.confirmed.append(told)
        return self._transaction()

    def _ship(self, _: Any, __: Any, ___: Any, content: bytes) -> tuple[int, Any]:
        for told in json.loads(content)["shipmentConfirmations"]:
            left = told["shipmentDetails"]["shipmentStatus"] == "SHIPPED"
            assert not left or told["containers"][0]["weight"]["unitOfMeasure"] == "KG"
            if not self.refuses:
                self._of(told)["orderDetails"]["orderStatus"] = "SHIPPED" if left else "CANCELLED"
                self.confirmed.append(told)
        return self._transaction()

    def _of(self, told: Mapping[str, Any]) -> dict[str, Any]:
        assert told["sellingParty"]["partyId"]
        assert told["shipFromParty"]["partyId"]
        return self.purchase_orders[told["purchaseOrderNumber"]]

    def _inventory(self, _: Any, __: Any, ___: Any, content: bytes) -> tuple[int, Any]:
        for item in json.loads(content)["inventory"]["items"]:
            self.vendor_stock[item["vendorProductIdentifier"]] = item["availableQuantity"]["amount"]
        return self._transaction()

    def _transaction(self) -> tuple[int, Any]:
        known_as = f"t-{self._next()}"
        self._works[known_as] = [self.slow, self.refuses]
        return 202, {"payload": {"transactionId": known_as}}

    def _became(self, ids: list[str], *_: Any) -> tuple[int, Any]:
        work = self._works[ids[0]]
        status = "Processing" if work[0] > 0 else "Failure" if work[1] else "Success"
        work[0] -= 1
        told: dict[str, Any] = {"transactionId": ids[0], "status": status}
        if status == "Failure":
            told["errors"] = {"errors": [{"code": "InvalidInput", "message": work[1]}]}
        return 200, {"transactionStatus": told}

    # --- the queue ---

    def _queue(self, _: Any, __: Any, headers: Mapping[str, str], content: bytes) -> tuple[int, Any]:
        if not _is_signed(headers, content):
            return 403, {"__type": "com.amazon.coral.service#InvalidSignatureException"}
        body, operation = json.loads(content), headers["x-amz-target"].removeprefix("AmazonSQS.")
        if operation == "DeleteMessageBatch":
            handles = {each["ReceiptHandle"] for each in body["Entries"]}
            self.queue = [each for each in self.queue if each.handle not in handles]
            return 200, {"Successful": body["Entries"], "Failed": []}
        if operation != "ReceiveMessage":
            return 200, {"Attributes": {"ApproximateNumberOfMessages": str(len(self.queue))}}
        now = time.monotonic()
        found: list[dict[str, str]] = []
        for each in self.queue:
            if each.hidden_until <= now and len(found) < body["MaxNumberOfMessages"]:
                each.hidden_until, each.handle = now + body["VisibilityTimeout"], f"h-{self._next()}"
                found.append({"MessageId": each.message_id, "ReceiptHandle": each.handle, "Body": each.body})
        return 200, {"Messages": found} if found else {}


def _wrong(order: Mapping[str, Any], body: Mapping[str, Any], package: Mapping[str, Any]) -> str:
    """What Amazon would not take of a shipment."""
    if body.get("marketplaceId") != order["salesChannel"]["marketplaceId"]:
        return "marketplaceId"
    if not re.fullmatch(r"[1-9]\d*", package["packageReferenceId"]):
        return "packageReferenceId is no positive number"
    if package["carrierCode"] == "Other" and not package.get("carrierName"):
        return "carrierName is required"
    at = datetime.fromisoformat(package["shipDate"])
    if not datetime.fromisoformat(order["createdTime"]) <= at <= datetime.now(UTC) + timedelta(minutes=1):
        return "shipDate is not in the range that is allowed"
    others = [each for each in order.get("packages", []) if each["packageReferenceId"] != package["packageReferenceId"]]
    for told in package["orderItems"]:
        item = next((each for each in order["orderItems"] if each["orderItemId"] == told["orderItemId"]), None)
        sent = sum(
            each["quantity"]
            for one in others
            for each in one["packageItems"]
            if each["orderItemId"] == told["orderItemId"]
        )
        if item is None or told["quantity"] > item["quantityOrdered"] - sent:
            return "orderItems: more than is left of them"
    return ""


def _is_signed(headers: Mapping[str, str], content: bytes) -> bool:
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d+/([^/]+)/sqs/aws4_request, SignedHeaders=([^,]+), Signature=\w+",
        headers.get("authorization", ""),
    )
    if found is None or found[1] != AWS_KEY:
        return False
    at = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    taken = {name: headers[name] for name in found[3].split(";") if name not in ("host", "x-amz-date")}
    own = queues.signed("POST", headers["host"], "/", taken, content, (AWS_KEY, AWS_SECRET), found[2], "sqs", at)
    return own["authorization"] == headers["authorization"]


def _guarded(handler: Callable[..., tuple[int, Any]], *, restricted: bool = False) -> Callable[..., tuple[int, Any]]:
    """Only with a token that is valid."""

    def guarded(amazon: Any, ids: Any, query: Any, headers: Mapping[str, str], content: bytes) -> tuple[int, Any]:
        token = headers.get("x-amz-access-token", "")
        if token not in amazon._tokens and not (restricted and token in amazon._restricted):
            return 403, {"errors": [{"code": "Unauthorized", "message": "The access token you provided has expired."}]}
        return handler(amazon, ids, query, headers, content)

    return guarded


_A = PlayedAmazon
_DF = "/vendor/directFulfillment"
_ROUTES: tuple[tuple[str, str, str, Callable[..., tuple[int, Any]]], ...] = (
    ("login", "POST", "/auth/o2/token", _A._login),
    ("createRestrictedDataToken", "POST", "/tokens/2021-03-01/restrictedDataToken", _guarded(_A._restrict)),
    ("searchOrders", "GET", "/orders/2026-01-01/orders", _guarded(_A._search)),
    ("getOrder", "GET", "/orders/2026-01-01/orders/([^/]+)", _guarded(_A._get)),
    ("confirmShipment", "POST", "/orders/v0/orders/([^/]+)/shipmentConfirmation", _guarded(_A._confirm)),
    ("patchListingsItem", "PATCH", "/listings/2021-08-01/items/([^/]+)/([^/]+)", _guarded(_A._list)),
    ("getSubscription", "GET", "/notifications/v1/subscriptions/ORDER_CHANGE", _guarded(_A._subscription)),
    ("createFeedDocument", "POST", "/feeds/2021-06-30/documents", _guarded(_A._document)),
    ("createFeed", "POST", "/feeds/2021-06-30/feeds", _guarded(_A._feed)),
    ("getFeed", "GET", "/feeds/2021-06-30/feeds/([^/]+)", _guarded(_A._fed)),
    ("getFeedDocument", "GET", "/feeds/2021-06-30/documents/([^/]+)", _guarded(_A._report)),
    ("store", "PUT", "/store/([^/]+)", _A._store),
    ("store", "GET", "/store/([^/]+)", _A._stored),
    (
        "purchaseOrders",
        "GET",
        f"{_DF}/orders/2021-12-28/purchaseOrders",
        _guarded(_A._purchase_orders, restricted=True),
    ),
    (
        "purchaseOrder",
        "GET",
        f"{_DF}/orders/2021-12-28/purchaseOrders/([^/]+)",
        _guarded(_A._purchase_order, restricted=True),
    ),
    ("acknowledge", "POST", f"{_DF}/orders/2021-12-28/acknowledgements", _guarded(_A._acknowledge)),
    ("ship", "POST", f"{_DF}/shipping/2021-12-28/shipmentConfirmations", _guarded(_A._ship)),
    ("inventory", "POST", f"{_DF}/inventory/v1/warehouses/([^/]+)/items", _guarded(_A._inventory)),
    ("transaction", "GET", f"{_DF}/transactions/2021-12-28/transactions/([^/]+)", _guarded(_A._became)),
    ("queue", "POST", "/", _A._queue),
)


def seller_settings(amazon: PlayedAmazon, **more: str) -> dict[str, str]:
    there = {"api": amazon.url, "login": f"{amazon.url}/auth/o2/token", "queue": f"{amazon.url}/123/orders"}
    return {"marketplaces": "DE", "seller": SELLER, "client": CLIENT, **there, **more}


def seller_secrets(**more: str) -> dict[str, str]:
    queue = {"aws_key": AWS_KEY, "aws_secret": AWS_SECRET}
    return {"refresh": REFRESH, "client_secret": SECRET, **queue, "push": PUSH, **more}


def vendor_settings(amazon: PlayedAmazon, **more: str) -> dict[str, str]:
    there = {"api": amazon.url, "login": f"{amazon.url}/auth/o2/token"}
    return {"marketplace": "US", "vendor": "999US", "warehouse": "ABCD", "client": CLIENT, **there, **more}


@contextmanager
def playing_amazon() -> Iterator[PlayedAmazon]:
    """Amazon on this machine, until the end."""
    amazon = PlayedAmazon()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, told, limit = amazon.answer(self.command, self.path, headers, content)
            if headers.get("x-amz-target") == "AmazonSQS.ReceiveMessage" and not told:
                time.sleep(amazon.wait)
            body = b"" if told is None else told if isinstance(told, bytes) else json.dumps(told).encode()
            self.send_response(status)
            if limit:
                self.send_header("x-amzn-RateLimit-Limit", str(limit))
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PATCH = do_PUT = do_POST  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        amazon.url = f"http://127.0.0.1:{served.server_address[1]}"
        yield amazon
        served.shutdown()
