"""WooCommerce as a system of the edges: how its deliveries are proven, and how it is asked."""

from __future__ import annotations

import hmac
import re
from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec

from adapters.edges import reading
from adapters.edges.agreement import CHANNEL, Account, Check, Field
from adapters.edges.delivery import BadSignature, Delivery, MalformedDelivery, Received
from adapters.edges.effects import Telling, ToldNow
from adapters.edges.http import Http, Reply
from adapters.edges.meaning import KnownNow, NotUnderstood, Understood
from adapters.edges.questions import Fetched, FetchedPage
from adapters.edges.system import System
from adapters.shops.woocommerce import meaning
from adapters.shops.woocommerce.payloads import OrderHead, at, woo_order
from adapters.shops.woocommerce.telling import API, DRAFT, WooWriter, call
from ledger.terms.effects import EffectKind

_PING = re.compile(rb"webhook_id=\d{1,20}")
_TOPIC = re.compile(r"[a-z_.]{1,60}")
_DELETED = "order.deleted"
_WHOLE = frozenset({"order.created", "order.updated", "order.restored"})
_TOPICS = _WHOLE - {"order.restored"} | {_DELETED}
"""Those that a webhook is to be made for."""
_PAGE_SIZE = 50
_FIRST = timedelta(days=30)
"""How far back the first question goes."""
_OVERLAP = timedelta(minutes=10)
"""A shop may write an order whose time of change lies a little back."""


class WooCommerce(System):
    """A shop of WooCommerce, by its webhooks and its REST API v3."""

    name: ClassVar[str] = "woocommerce"
    what: ClassVar[str] = "a shop of WooCommerce"
    role: ClassVar[str] = "shop"
    settings: ClassVar[Mapping[str, Field]] = {
        "shop": Field("the address of the shop, such as https://shop.example.org", required=True),
        "channel": CHANNEL,
        "delisted": Field(f"{DRAFT} if products that nobody can send are taken out of the shop, not shown as sold out"),
    }
    secrets: ClassVar[Mapping[str, Field]] = {
        "webhook": Field("the secret of its webhooks", required=True),
        "key": Field("a consumer key of its REST API that may read and write (ck_...)"),
        "secret": Field("the secret of that key (cs_...)"),
    }

    effects: ClassVar[frozenset[EffectKind]] = frozenset(
        {EffectKind.FULFILMENT, EffectKind.CANCELLATION, EffectKind.REFUND, EffectKind.STOCK}
    )

    def checked(self, settings: Mapping[str, str]) -> Mapping[str, str]:
        shop = settings.get("shop", "")
        parts = urlsplit(shop if "://" in shop else f"https://{shop}")
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.query:
            raise ValueError("shop is not the address of a shop, such as https://shop.example.org")
        if settings.get("delisted", DRAFT) != DRAFT:
            raise ValueError(f"delisted is {DRAFT}, or left out")
        return {**settings, "shop": f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"}

    # --- in ---

    def verify(self, delivery: Delivery, account: Account, now: datetime) -> Received | None:
        signature = delivery.headers.get("x-wc-webhook-signature", "")
        if not signature and _PING.fullmatch(delivery.raw.strip()):
            return None  # it is told that the webhook was made, and signs nothing
        _prove(delivery.raw, signature, account.every("webhook"))
        topic = delivery.headers.get("x-wc-webhook-topic", "")
        if not _TOPIC.fullmatch(topic):
            raise MalformedDelivery("x-wc-webhook-topic: no topic")
        return received_as(topic, delivery.raw, delivery.headers.get("x-wc-webhook-delivery-id", ""))

    def understand(self, received: Received, raw: bytes, account: Account, known: KnownNow) -> Understood:
        if received.topic == _DELETED:
            return meaning.of_deleted(reading.decoded(raw, OrderHead).id, account.channel, known)
        if received.topic not in _WHOLE:
            return Understood(ignored="it is about no order")
        return meaning.of_order(woo_order(raw), account.channel, known, received.happened_at)

    # --- out ---

    async def check(self, http: Http, account: Account) -> list[Check]:
        if not account.secret("key"):
            return [Check("orders can be asked for", "there is no key: webhooks that are lost are not noticed")]
        orders = await _get(http, account, "/orders", per_page="1")
        if orders.status != 200:
            return [
                Check("orders can be read", f"the shop answers {orders.status}; see key, secret and the key's rights")
            ]
        return [Check("orders can be read"), *await self._webhooks(http, account)]

    async def _webhooks(self, http: Http, account: Account) -> list[Check]:
        """Whether the shop has switched webhooks off, which it does silently after some failures."""
        reply = await _get(http, account, "/webhooks", per_page="100")
        if reply.status != 200:
            return [Check("webhooks can be read", f"the shop answers {reply.status}")]
        topics, checks = _statuses(reply), list[Check]()
        for topic in sorted(_TOPICS):
            status = topics.get(topic, "missing")
            problem = "" if status == "active" else f"it is {status}; make it active in the shop"
            checks.append(Check(f"a webhook for {topic}", problem))
        return checks

    async def _switched_off(self, http: Http, account: Account) -> str:
        """Which webhooks there are that do not send, so that this is seen where nobody tests the connection."""
        reply = await _get(http, account, "/webhooks", per_page="100")
        statuses = _statuses(reply) if reply.status == 200 else {}
        off = [topic for topic, status in sorted(statuses.items()) if topic in _TOPICS and status != "active"]
        return f"the shop has switched off its webhooks: {', '.join(off)}; make them active in the shop" if off else ""

    def is_told(self, kind: EffectKind, account: Account) -> bool:
        return bool(account.secret("key")) and super().is_told(kind, account)

    async def carry_out(self, http: Http, account: Account, telling: Telling) -> ToldNow:
        return await WooWriter(http, account).tell(telling)

    async def changed_since(self, http: Http, account: Account, cursor: str) -> FetchedPage:
        """Orders by their time of change; the cursor is that time, and a page where one second fills several."""
        if not account.secret("key"):
            return FetchedPage((), cursor, done=True)
        since, _, page = (cursor or f"{_text(datetime.now(UTC) - _FIRST)} 1").partition(" ")
        reply = await _get(
            http,
            account,
            "/orders",
            modified_after=since,
            dates_are_gmt="true",
            orderby="modified",
            order="asc",
            per_page=str(_PAGE_SIZE),
            page=page,
        )
        if reply.status != 200:
            raise NotUnderstood(f"the shop answers {reply.status} to a request for orders")
        bodies = reading.decoded(reply.body, list[msgspec.Raw])
        found = tuple(Fetched(received_as("order.updated", bytes(each), ""), bytes(each)) for each in bodies)
        newest = max((each.received.happened_at for each in found if each.received.happened_at), default=None)
        if len(found) < _PAGE_SIZE:
            further = f"{_text(newest - _OVERLAP)} 1" if newest else cursor
            # A time to come is not gone on from: nothing would be found any more before it has come.
            further = min(further, f"{_text(datetime.now(UTC) - _OVERLAP)} 1")
            return FetchedPage(found, further, done=True, problem=await self._switched_off(http, account))
        # By time and not by page: pages move when an order changes meanwhile.
        further = _text(newest - timedelta(seconds=1)) if newest else since
        return FetchedPage(found, f"{further} 1" if further > since else f"{since} {int(page) + 1}")


def _statuses(reply: Reply) -> dict[str, str]:
    """Of webhooks, by topic; of several for one the best."""
    hooks = reading.decoded(reply.body, list[dict[str, Any]])
    hooks.sort(key=lambda each: each.get("status") == "active")
    return {str(each.get("topic")): str(each.get("status")) for each in hooks}


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S")


def _prove(raw: bytes, signature: str, secrets: list[str]) -> None:
    """Any of the valid secrets is enough. All are tried, so that the time does not tell which."""
    try:
        given = b64decode(signature, validate=True)
    except ValueError:
        raise BadSignature("no signature in base64") from None
    matches = [hmac.compare_digest(hmac.digest(each.encode(), raw, sha256), given) for each in secrets]
    if not any(matches):
        raise BadSignature("another signature")


def received_as(topic: str, raw: bytes, delivery_id: str) -> Received:
    """What the door reads. The same state is the same, whether a webhook tells it or the API answers it."""
    head = reading.door_decoded(raw, OrderHead)
    if topic not in _WHOLE:
        # A delivery's id is made of the second, so it recognises a repetition and nothing else.
        return Received(topic, str(head.id), content=f"{topic} {delivery_id} ".encode() + raw)
    try:
        changed_at = at(head.date_modified_gmt, "date_modified_gmt")
    except NotUnderstood:
        # It is kept for a person: the shop repeats nothing, and other orders of the same page are good.
        return Received(topic, str(head.id), content=_state(raw))
    return Received(topic, str(head.id), happened_at=changed_at, content=_state(raw), whole=True)


def _state(raw: bytes) -> bytes:
    """An order without the links to itself, in one spelling."""
    order = reading.door_decoded(raw, dict[str, Any])
    order.pop("_links", None)
    return msgspec.json.encode(order, order="deterministic")


async def _get(http: Http, account: Account, path: str, **params: str) -> Reply:
    return await call(http, account, "GET", f"{API}{path}", **params)
