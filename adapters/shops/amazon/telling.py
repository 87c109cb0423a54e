"""What a seller tells Amazon: parcels by their items, how many units can be sold, and orders that will not be sent."""

from __future__ import annotations

import re
import zlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import quote
from xml.sax.saxutils import escape

import msgspec

from adapters.edges import reading
from adapters.edges.agreement import Account
from adapters.edges.effects import NotDone, NotYet, ToldNow
from adapters.edges.http import Http, KeptToken, Limit, Reply, SystemUnreachable, TryLater
from adapters.edges.meaning import NotUnderstood
from adapters.shops.amazon.calls import SellingPartner, problem
from adapters.shops.amazon.payloads import AmazonOrder, AmazonPayload
from adapters.shops.amazon.words import carrier_code, carrier_title
from ledger.terms.effects import Cancellation, Fulfilment, ShopLine, StockLevel

T = TypeVar("T")

LIMITS: Mapping[str, Limit] = {
    "confirmShipment": Limit(2.0, 10),
    "patchListingsItem": Limit(5.0, 5),
    "createFeedDocument": Limit(0.5, 15),
    "createFeed": Limit(0.0083, 15),
    "getFeed": Limit(2.0, 15),
    "getFeedDocument": Limit(0.0222, 10),
}
_FEEDS = "/feeds/2021-06-30"
_ACKNOWLEDGEMENT = "POST_ORDER_ACKNOWLEDGEMENT_DATA"
_METHOD = "Standard"
_LONGEST_REPORT = 1 << 20
_FAILED = re.compile(rb"<MessagesWithError>\s*[1-9]\d*\s*</MessagesWithError>")
_WHY = re.compile(rb"<ResultDescription>([^<]{1,300})</ResultDescription>")

Order = Callable[[Http, Account, str], Awaitable[bytes | None]]


class AmazonSeller:
    """One seller, who is about to tell something."""

    def __init__(self, system: SellingPartner, http: Http, account: Account, order: Order) -> None:
        """``order`` asks for an order as it is now."""
        self._system = system
        self._http = http
        self._account = account
        self._ask = order

    async def _call(
        self, method: str, path: str, limit: str, body: object = None, params: Mapping[str, str] | None = None
    ) -> Reply:
        """The answer; where Amazon does not take the token, what is told comes again after that was mended."""
        http, account = self._http, self._account
        try:
            reply = await self._system.call(http, account, method, path, limit=limit, body=body, params=params)
        except NotUnderstood as wrong:
            raise SystemUnreachable(str(wrong)) from None
        if reply.status in (401, 403):
            raise SystemUnreachable(f"{problem(reply)}; see the application's roles")
        return reply

    async def _order(self, order_id: str) -> AmazonOrder:
        found = await self._ask(self._http, self._account, order_id)
        if found is None:
            raise NotDone("Amazon has no such order of this seller")
        return reading.decoded(found, AmazonOrder)

    @property
    def _marketplaces(self) -> list[str]:
        return self._account.settings["marketplaces"].split(",")

    # --- parcels ---

    async def confirm(self, parcel: Fulfilment) -> ToldNow:
        """Tells of a parcel under its number in the order, so that told again it is the same parcel."""
        if parcel.withdrawn:
            raise NotDone(
                "Amazon takes no parcel back: correct it in Seller Central, or let it be told of the right one"
            )
        if not parcel.lines:
            return ToldNow(note="it holds no whole line of the order: Amazon is told with the parcel that completes it")
        order = await self._order(parcel.channel_order_id) if self._needs_order(parcel) else None
        reply = await self._confirmed(parcel, order, parcel.shipped_at)
        if reply.status == 400:
            order = order or await self._order(parcel.channel_order_id)
            if _is_known(order, parcel):
                return ToldNow(str(parcel.parcel_no), "Amazon knew of it already")
            created = reading.instant(order.created_time, "createdTime")
            if parcel.shipped_at < created:
                reply = await self._confirmed(parcel, order, created)
        if reply.status not in (200, 204):
            raise NotDone(f"{problem(reply)}: confirm it in Seller Central, or mend what is wrong")
        return ToldNow(str(parcel.parcel_no))

    def _needs_order(self, parcel: Fulfilment) -> bool:
        """Whether Amazon's own names of marketplace or items have to be asked for."""
        return len(self._marketplaces) > 1 or not all(line.channel_line_id for line in parcel.lines)

    async def _confirmed(self, parcel: Fulfilment, order: AmazonOrder | None, at: datetime) -> Reply:
        sold_in = (order.sales_channel.marketplace_id if order else None) or self._marketplaces[0]
        items = [{"orderItemId": _item(line, order), "quantity": line.units} for line in parcel.lines]
        code = carrier_code(parcel.carrier)
        detail = {
            "packageReferenceId": str(parcel.parcel_no),
            "carrierCode": code or "Other",
            **({} if code else {"carrierName": carrier_title(parcel.carrier)}),
            "shippingMethod": _METHOD,
            "trackingNumber": parcel.tracking_number,
            # A supplier's clock may be ahead of Amazon's, which takes no parcel of the future.
            "shipDate": min(at, datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "orderItems": items,
        }
        path = f"/orders/v0/orders/{in_path(parcel.channel_order_id)}/shipmentConfirmation"
        body = {"marketplaceId": sold_in, "packageDetail": detail}
        return await self._call("POST", path, "confirmShipment", body)

    # --- stock ---

    async def set_stock(self, level: StockLevel) -> ToldNow:
        """In each of its marketplaces; where the seller lists no such SKU there is nothing to set."""
        units = level.available if level.listed else 0
        value = [{"fulfillment_channel_code": "DEFAULT", "quantity": units}]
        patch = {"op": "replace", "path": "/attributes/fulfillment_availability", "value": value}
        body = {"productType": "PRODUCT", "patches": [patch]}
        path = f"/listings/2021-08-01/items/{in_path(self._account.settings['seller'])}/{in_path(level.sku)}"
        known = ""
        for each in self._marketplaces:
            reply = await self._call("PATCH", path, "patchListingsItem", body, {"marketplaceIds": each})
            if reply.status == 404:
                continue
            if reply.status != 200:
                raise NotDone(problem(reply))
            told = reading.decoded(reply.body, _Submitted)
            if told.status != "ACCEPTED":
                raise NotDone(f"Amazon takes it not: {'; '.join(each.message for each in told.issues)[:300]}")
            known = told.submission_id
        return ToldNow(known) if known else ToldNow(note="the seller lists no such SKU")

    # --- cancelling ---

    async def cancel(self, cancelled: Cancellation, key: str) -> ToldNow:
        """A whole order of which nothing was sent; less than that Amazon lets nobody cancel but by hand."""
        try:
            return await self._cancel(cancelled, key)
        except TryLater as later:  # feeds are counted apart: what else is to be told goes on
            raise NotYet(str(later)) from None

    async def _cancel(self, cancelled: Cancellation, key: str) -> ToldNow:
        if not (feed := self._http.tokens.get(key)):
            order = await self._order(cancelled.channel_order_id)
            if _is_cancelled(order, cancelled):
                return ToldNow(note="it was cancelled at Amazon already")
            if not cancelled.whole or any(item.sent for item in order.order_items):
                raise NotDone(
                    "Amazon's interface cancels only whole orders of which nothing was sent: cancel the items there"
                )
            feed = KeptToken(
                await self._feed(_acknowledgement(self._account.settings["seller"], order, cancelled)), 0.0
            )
            self._http.tokens[key] = feed
        await self._fed(feed.text)
        del self._http.tokens[key]
        return ToldNow(feed.text)

    async def _feed(self, content: bytes) -> str:
        """The id of a feed that was handed over; Amazon works on it in its own time."""
        kind = "text/xml; charset=UTF-8"
        document = await self._call("POST", f"{_FEEDS}/documents", "createFeedDocument", {"contentType": kind})
        there = required(document, 201, _Document)
        put = await self._http.request("PUT", there.url, headers={"content-type": kind}, content=content)
        if put.status != 200:
            raise SystemUnreachable(f"Amazon's store of feeds answers {put.status}")
        wanted = {
            "feedType": _ACKNOWLEDGEMENT,
            "marketplaceIds": self._marketplaces,
            "inputFeedDocumentId": there.feed_document_id,
        }
        reply = await self._call("POST", f"{_FEEDS}/feeds", "createFeed", wanted)
        return required(reply, 202, _Feed).feed_id

    async def _fed(self, feed_id: str) -> None:
        """Returns once Amazon has taken it; raises NotYet as long as it works on it."""
        feed = required(await self._call("GET", f"{_FEEDS}/feeds/{in_path(feed_id)}", "getFeed"), 200, _Feed)
        if feed.processing_status in ("IN_QUEUE", "IN_PROGRESS"):
            raise NotYet("Amazon works on the feed that cancels it")
        report = await self._report(feed.result_feed_document_id) if feed.result_feed_document_id else b""
        if feed.processing_status != "DONE" or _FAILED.search(report):
            why = _WHY.search(report)
            said = why[1].decode("utf-8", "replace") if why else feed.processing_status
            raise NotDone(f"Amazon did not cancel it: {said}")

    async def _report(self, document_id: str) -> bytes:
        path = f"{_FEEDS}/documents/{in_path(document_id)}"
        there = required(await self._call("GET", path, "getFeedDocument"), 200, _Document)
        reply = await self._http.request("GET", there.url)
        packed = there.compression_algorithm == "GZIP"
        return _unpacked(reply.body) if packed else reply.body[:_LONGEST_REPORT]


class _Issue(msgspec.Struct):
    message: str = ""


class _Submitted(AmazonPayload):
    status: str
    submission_id: str = ""
    issues: list[_Issue] = []


class _Document(AmazonPayload):
    feed_document_id: str
    url: str
    compression_algorithm: str | None = None


class _Feed(AmazonPayload):
    feed_id: str
    processing_status: str = "IN_QUEUE"
    result_feed_document_id: str | None = None


def required(reply: Reply, status: int, kind: type[T]) -> T:
    """What a request that was to succeed answered; raises NotDone."""
    if reply.status != status:
        raise NotDone(problem(reply))
    try:
        return reading.decoded(reply.body, kind)
    except NotUnderstood as wrong:
        raise NotDone(f"Amazon's answer is not what it documents: {wrong}") from None


def in_path(part: str) -> str:
    """As a part of a path: SKUs may hold anything."""
    return quote(part, safe="")


def _item(line: ShopLine, order: AmazonOrder | None) -> str:
    """Amazon's own id of a line; of an order that was placed without them, that of its SKU."""
    if line.channel_line_id:
        return line.channel_line_id
    found = [each for each in order.order_items if each.product.seller_sku == line.sku] if order else []
    if len(found) != 1:
        raise NotDone(f"Amazon's order has {len(found)} items of the SKU {line.sku}: confirm it in Seller Central")
    return found[0].order_item_id


def _is_known(order: AmazonOrder, parcel: Fulfilment) -> bool:
    """Whether Amazon has this parcel, or nothing of what is in it is left to be sent."""
    for each in order.packages or []:
        if each.tracking_number == parcel.tracking_number:
            return True
    items = {item.order_item_id: item for item in order.order_items}
    named = [items.get(_item(line, order)) for line in parcel.lines]
    return all(item is not None and item.sent >= item.still > 0 for item in named) and not order.packages


def _is_cancelled(order: AmazonOrder, cancelled: Cancellation) -> bool:
    if order.fulfillment is not None and order.fulfillment.fulfillment_status == "CANCELLED":
        return True
    items = {item.order_item_id: item for item in order.order_items}
    named = [items.get(_item(line, order)) for line in cancelled.lines]
    return bool(named) and all(item is None or item.still <= item.sent for item in named)


def _acknowledgement(seller: str, order: AmazonOrder, cancelled: Cancellation) -> bytes:
    """The feed by which a seller says that an order will not be sent."""
    reason = _reason(cancelled.reason)
    items = "".join(
        f"<Item><AmazonOrderItemCode>{escape(each.order_item_id)}</AmazonOrderItemCode>"
        f"<CancelReason>{reason}</CancelReason></Item>"
        for each in order.order_items
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><AmazonEnvelope '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="amzn-envelope.xsd">'
        f"<Header><DocumentVersion>1.01</DocumentVersion><MerchantIdentifier>{escape(seller)}</MerchantIdentifier>"
        "</Header><MessageType>OrderAcknowledgement</MessageType><Message><MessageID>1</MessageID>"
        f"<OrderAcknowledgement><AmazonOrderID>{escape(order.order_id)}</AmazonOrderID><StatusCode>Failure</StatusCode>"
        f"{items}</OrderAcknowledgement></Message></AmazonEnvelope>"
    ).encode()


def _reason(word: str) -> str:
    """Amazon's word for why; one that it has not is a general one."""
    if "stock" in word or "unavailable" in word or "discontinued" in word:
        return "NoInventory"
    if "address" in word:
        return "ShippingAddressUndeliverable"
    if any(each in word for each in ("buyer", "customer", "changed_mind", "duplicate")):
        return "BuyerCanceled"
    return "GeneralAdjustment"


def _unpacked(packed: bytes) -> bytes:
    """At most so much of it: what comes from outside may unpack to anything."""
    try:
        return zlib.decompressobj(wbits=31).decompress(packed, _LONGEST_REPORT)
    except zlib.error:
        raise NotDone("Amazon's report on it cannot be unpacked") from None
