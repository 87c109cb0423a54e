"""Shopify as a system of the edges: how its deliveries are proven, what they mean, how it is asked and told."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

from adapters.edges import reading, signatures
from adapters.edges.agreement import CHANNEL, Account, Check, Field
from adapters.edges.delivery import Delivery, MalformedDelivery, Received
from adapters.edges.effects import NotDone, Telling, ToldNow
from adapters.edges.http import Http
from adapters.edges.meaning import KnownNow, NotUnderstood, Understood
from adapters.edges.questions import Fetched, FetchedPage
from adapters.edges.system import System
from adapters.shops.shopify import asking, checking, graphql, holding, notices, orders, parcels, shipping, telling
from adapters.shops.shopify.graphql import Shop
from adapters.shops.shopify.payloads import (
    DeliveryHead,
    FulfilmentOrder,
    Redaction,
    ShopifyOrder,
    ShopifyParcel,
    ShopifyRefund,
    ShopifyReturn,
    at,
)
from ledger.terms.effects import Cancellation, EffectKind, Fulfilment, HeldBack, RefundAsked, StockLevel

_TOPIC = re.compile(r"[a-z0-9_]{1,60}(/[a-z0-9_]{1,60})?")
_HOST = re.compile(r"[a-z0-9][a-z0-9-]{0,60}")
_GLOBAL_ID = re.compile(r"(gid://shopify/FulfillmentOrder/)?\d{1,19}", re.ASCII)
_MOST_NAMED = 5
_TEST = "test "
"""What the topic of a test begins with, which the shop sends when somebody presses a button."""
_EDITED = "orders/edited"
_WORK = "fulfillment_orders"
_WHOLE = frozenset(
    {
        *("orders/create", "orders/updated", "orders/paid", "orders/cancelled"),
        *("orders/fulfilled", "orders/partially_fulfilled", asking.ORDER_TOPIC),
    }
)
_IGNORED: Mapping[str, str] = {
    "orders/risk_assessment_changed": "it is not of an order that it names",
    "orders/shopify_protect_eligibility_changed": "it is between the shop and Shopify",
    "order_transactions/create": "the order tells its money itself",
    "inventory_levels": "stock is what suppliers tell; the shop's figure is what it was told",
    "inventory_items": "stock is what suppliers tell",
    "fulfillment_events": "where a parcel is its carrier tells",
    "products": "what is sold is described by the retailer",
    "shipping_addresses": "it is not of an order that it names; the whole order is told and asked for as well",
    "draft_orders": "a draft is not bought yet",
    "checkouts": "a checkout is not bought yet",
    "carts": "a cart is not bought yet",
    "returns/close": "what becomes of a case is decided in the ledger",
    "returns/reopen": "what becomes of a case is decided in the ledger",
}
_Meaning = Callable[[Received, bytes, Account, KnownNow], Understood]


class Shopify(System):
    """A shop of Shopify, by its webhooks and its GraphQL Admin API."""

    name: ClassVar[str] = "shopify"
    what: ClassVar[str] = "a shop of Shopify"
    role: ClassVar[str] = "shop"
    beside: ClassVar[frozenset[str]] = frozenset(
        {"ShipSupplierOrder", "CorrectTracking", "ReleaseHold", "ErasePerson", "PauseConnection"}
    )
    even_paused: ClassVar[frozenset[str]] = frozenset({"customers/data_request", "customers/redact", "shop/redact"})
    settings: ClassVar[Mapping[str, Field]] = {
        "shop": Field("the shop's own name, such as example.myshopify.com", required=True),
        "channel": CHANNEL,
        "location": Field("the number of the location whose stock is told; none is told if not said"),
        "deliver_to": Field("where the shop is to send to: the address of the edges and the connection's path"),
        "notify": Field("yes if the shop is to write to its customers about parcels; else the ledger does"),
    }
    secrets: ClassVar[Mapping[str, Field]] = {
        "secret": Field("the client secret of the app, which signs webhooks", required=True),
        "client_id": Field("the client id of the app, to ask the shop for tokens"),
        "token": Field("an access token instead (shpat_...), of an app that was made in the shop's admin"),
    }
    calls_per_second: ClassVar[float] = 4.0
    effects: ClassVar[frozenset[EffectKind]] = frozenset(
        {EffectKind.HOLD, EffectKind.FULFILMENT, EffectKind.CANCELLATION, EffectKind.REFUND, EffectKind.STOCK}
    )

    def checked(self, settings: Mapping[str, str]) -> Mapping[str, str]:
        shop = settings.get("shop", "").lower().rstrip("/")
        if _HOST.fullmatch(shop):
            shop = f"{shop}.myshopify.com"
        parts = urlsplit(shop if "://" in shop else f"https://{shop}")
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.path or parts.query:
            raise ValueError("shop is not the name of a shop, such as example.myshopify.com")
        location = settings.get("location", "").rpartition("/")[2]
        if location and not (location.isascii() and location.isdecimal()):
            raise ValueError("location is not the number of a location, such as 24826418")
        if settings.get("notify", "no") not in ("yes", "no"):
            raise ValueError("notify is neither yes nor no")
        given = {**settings, "shop": f"{parts.scheme}://{parts.netloc}"}
        return {**given, "location": location} if location else given

    # --- in ---

    def verify(self, delivery: Delivery, account: Account, now: datetime) -> Received | None:
        signature = _header(delivery, "hmac-sha256")
        signatures.require_any(
            signature, [signatures.base64_mac(each, delivery.raw) for each in account.every("secret")]
        )
        topic = _header(delivery, "topic").lower()
        if not _TOPIC.fullmatch(topic):
            raise MalformedDelivery("x-shopify-topic: no topic")
        _require_own_shop(_header(delivery, "shop-domain").lower(), account)
        event = _header(delivery, "event-id") or _header(delivery, "webhook-id")
        if _header(delivery, "test").lower() == "true":
            return Received(_TEST + topic, "test", content=f"{_TEST}{topic} {event} ".encode() + delivery.raw)
        return _received(topic, delivery, event)

    def understand(self, received: Received, raw: bytes, account: Account, known: KnownNow) -> Understood:
        if received.topic.startswith(_TEST):
            return Understood(ignored="it is a test of the shop: nothing of it is so")
        meaning, kind = _MEANINGS.get(received.topic), received.topic.partition("/")[0]
        if meaning is not None:
            return meaning(received, raw, account, known)
        if received.topic == _EDITED or kind == _WORK:
            return _hint(received, raw, account)
        return Understood(
            ignored=_IGNORED.get(received.topic) or _IGNORED.get(kind) or "the ledger keeps nothing of it"
        )

    # --- out ---

    async def check(self, http: Http, account: Account) -> list[Check]:
        if not graphql.can_ask(account):
            return [
                Check("orders can be asked for", "there is neither client_id nor token: what is lost is not noticed")
            ]
        return await checking.checks(Shop(http, account), account)

    async def changed_since(self, http: Http, account: Account, cursor: str) -> FetchedPage:
        if not graphql.can_ask(account):
            return FetchedPage((), cursor, done=True)
        return await asking.changed_since(Shop(http, account), cursor)

    async def fetch(self, http: Http, account: Account, received: Received, raw: bytes) -> tuple[Fetched, ...]:
        shop = Shop(http, account)
        if received.topic == _EDITED:
            return await asking.one_order(shop, received.object_id)
        return await asking.fulfilment_orders(shop, _named_work(raw))

    def is_told(self, kind: EffectKind, account: Account) -> bool:
        """Stock needs a place; money goes back by itself only where the connection says so in its setting ``told``."""
        if kind is EffectKind.STOCK and not account.settings.get("location"):
            return False
        if kind is EffectKind.REFUND and not account.settings.get("told"):
            return False
        return graphql.can_ask(account) and super().is_told(kind, account)

    async def carry_out(self, http: Http, account: Account, telling_now: Telling) -> ToldNow:
        shop, effect = Shop(http, account), telling_now.effect
        try:
            match effect:
                case Fulfilment():
                    notify = account.settings.get("notify") == "yes"
                    return await shipping.tell(shop, telling_now, effect, notify=notify)
                case HeldBack():
                    return await holding.tell(shop, effect)
                case Cancellation():
                    return await telling.tell_cancellation(shop, effect)
                case RefundAsked():
                    return await telling.tell_refund(shop, effect, telling_now.key)
                case StockLevel():
                    location = account.settings.get("location", "")
                    return await telling.tell_stock(shop, effect, location, telling_now.key)
                case _:
                    raise NotDone("a shop is not told this")
        except NotUnderstood as problem:
            raise NotDone(str(problem)) from None


def _header(delivery: Delivery, name: str) -> str:
    """Of the newer family, else of the older one; a request may bear both."""
    return delivery.headers.get(f"shopify-{name}") or delivery.headers.get(f"x-shopify-{name}", "")


def _require_own_shop(domain: str, account: Account) -> None:
    """An app that is installed in several shops signs for all of them alike."""
    own = urlsplit(account.settings["shop"]).hostname or ""
    if own.endswith(".myshopify.com") and domain and domain != own:
        raise MalformedDelivery("x-shopify-shop-domain: of another shop than the connection's")


def _received(topic: str, delivery: Delivery, event: str) -> Received:
    """What the door reads."""
    raw = delivery.raw
    if topic in _WHOLE:
        return asking.order_received(topic, raw, f"{topic} {event}" if event else "")
    head = reading.door_decoded(raw, DeliveryHead)
    about = _about(topic, head)
    happened = _header(delivery, "triggered-at") or head.updated_at or ""
    return Received(
        topic,
        about,
        source_id=f"{topic} {about} {event}" if event else "",
        happened_at=_instant(happened),
        content=f"{topic} {event} ".encode() + raw,
    )


def _about(topic: str, head: DeliveryHead) -> str:
    """The order, where it names one: what is about one order is worked on one after the other."""
    order_id = head.order_id or (head.order.id if head.order is not None else None)
    if head.order_edit is not None:
        order_id = head.order_edit.order_id
    return str(order_id or head.id or topic)[:200]


def _instant(text: str) -> datetime | None:
    """When it happened; nanoseconds are more than anybody needs, and what is no time says nothing."""
    try:
        return at(re.sub(r"(\.\d{6})\d+", r"\1", text), "triggered-at")
    except NotUnderstood:
        return None


def _hint(received: Received, raw: bytes, account: Account) -> Understood:
    """What does not say how things are: the shop is asked, if it can be."""
    if not graphql.can_ask(account):
        return Understood(ignored="it does not say how things are now, and there is nothing to ask the shop with")
    if received.topic == _EDITED:
        return Understood(asks=f"{account.channel}/{received.object_id}")
    named = _named_work(raw)
    return Understood(asks=named[0]) if named else Understood(ignored="it names no fulfilment order")


def _named_work(raw: bytes) -> list[str]:
    """The fulfilment orders that something is about, such as the one that was moved and the one that it became."""
    body = reading.decoded(raw, dict[str, Any])
    things = [each for name, each in body.items() if name.endswith("fulfillment_order") and isinstance(each, dict)]
    found = [str(each["id"]) for each in things if isinstance(each.get("id"), int | str)]
    return list(dict.fromkeys(each for each in found if _GLOBAL_ID.fullmatch(each)))[:_MOST_NAMED]


# --- what each topic means --------------------------------------------------------------------------


def _order(received: Received, raw: bytes, account: Account, known: KnownNow) -> Understood:
    return orders.of_order(reading.decoded(raw, ShopifyOrder), account.channel, known, received.happened_at)


def _deleted(received: Received, raw: bytes, account: Account, known: KnownNow) -> Understood:
    return orders.of_deleted(received.object_id, account.channel, known)


def _refund(received: Received, raw: bytes, account: Account, known: KnownNow) -> Understood:
    return orders.of_refund(reading.decoded(raw, ShopifyRefund), account.channel, known)


def _parcel(received: Received, raw: bytes, account: Account, known: KnownNow) -> Understood:
    parcel = reading.decoded(raw, ShopifyParcel)
    there = known.order(f"{account.channel}/{parcel.order_id}")
    if there is None:
        return Understood(ignored="the ledger has no such order; should it come, it tells its fulfilments")
    before = known.before()
    told = reading.decoded(before, ShopifyOrder).fulfillments if before else []
    last = next((each for each in told if each.id == parcel.id), None)
    found = parcels.of_parcel(parcel, last, there, known)
    if not found.wanted and not found.problems:
        return Understood(ignored="the ledger knows it, or it did not happen")
    return Understood(tuple(found.wanted), look=found.problems[0] if found.problems else "")


def _return(received: Received, raw: bytes, account: Account, known: KnownNow) -> Understood:
    return notices.of_return(reading.decoded(raw, ShopifyReturn), account.channel, known)


def _fulfilment_order(received: Received, raw: bytes, account: Account, known: KnownNow) -> Understood:
    return notices.of_fulfilment_order(reading.decoded(raw, FulfilmentOrder), account.channel, known)


def _redaction(received: Received, raw: bytes, account: Account, known: KnownNow) -> Understood:
    return notices.of_redaction(reading.decoded(raw, Redaction), account.channel)


def _data_request(received: Received, raw: bytes, account: Account, known: KnownNow) -> Understood:
    return notices.of_data_request(received.happened_at)


def _shop_redaction(received: Received, raw: bytes, account: Account, known: KnownNow) -> Understood:
    return notices.of_shop_redaction(received.happened_at)


def _uninstalled(received: Received, raw: bytes, account: Account, known: KnownNow) -> Understood:
    when = received.happened_at
    return notices.of_uninstalled(account.name, when.isoformat() if when is not None else "1")


_MEANINGS: Mapping[str, _Meaning] = {
    **dict.fromkeys(_WHOLE, _order),
    "orders/delete": _deleted,
    "refunds/create": _refund,
    "fulfillments/create": _parcel,
    "fulfillments/update": _parcel,
    **dict.fromkeys(
        ("returns/request", "returns/approve", "returns/cancel", "returns/decline", "returns/update"), _return
    ),
    asking.HOLD_TOPIC: _fulfilment_order,
    "customers/redact": _redaction,
    "customers/data_request": _data_request,
    "shop/redact": _shop_redaction,
    "app/uninstalled": _uninstalled,
}
