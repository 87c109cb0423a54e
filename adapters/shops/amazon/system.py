"""Amazon as a system of the edges, for sellers who send themselves: told what has changed, it asks for the order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import msgspec

from adapters.edges import reading
from adapters.edges.agreement import CHANNEL, Account, Check, Field
from adapters.edges.delivery import Delivery, MalformedDelivery, Received
from adapters.edges.effects import Telling, ToldNow
from adapters.edges.http import Http, Limit, Reply
from adapters.edges.meaning import KnownNow, NotUnderstood, Understood
from adapters.edges.questions import Fetched, FetchedPage, Queued
from adapters.edges.signatures import require_any
from adapters.shops.amazon import meaning, notifications, queues, telling
from adapters.shops.amazon.calls import API_SECRETS, API_SETTINGS, LOGIN_LIMITS, SellingPartner, problem
from adapters.shops.amazon.marketplaces import marketplaces
from adapters.shops.amazon.payloads import AmazonHead, AmazonOrder
from ledger.terms.effects import Cancellation, EffectKind, Fulfilment, StockLevel

_ORDERS = "/orders/2026-01-01/orders"
_SUBSCRIPTION = "/notifications/v1/subscriptions/ORDER_CHANGE"
_ALL_DATA = "BUYER,RECIPIENT,PROCEEDS,CANCELLATION,FULFILLMENT,PACKAGES,PAYMENT"
_STATE = "order"
"""The topic of a state that was asked for."""
_UNREADABLE = "unreadable"
_MOST_ON_A_PAGE = "100"
_FIRST = timedelta(days=30)
_OVERLAP = timedelta(minutes=10)


class Amazon(SellingPartner):
    """A seller on Amazon, by the Selling Partner API."""

    name: ClassVar[str] = "amazon"
    what: ClassVar[str] = "a seller on Amazon who sends the orders himself"
    settings: ClassVar[Mapping[str, Field]] = {
        "marketplaces": Field("where it sells: countries such as DE,FR or ids of marketplaces, of one region", True),
        "seller": Field("the seller's id (merchant token), such as A3TH9S8BH6GOGM", True),
        **API_SETTINGS,
        **queues.QUEUE_SETTINGS,
        "channel": CHANNEL,
    }
    secrets: ClassVar[Mapping[str, Field]] = {
        **API_SECRETS,
        **queues.QUEUE_SECRETS,
        "push": Field("what an event bus shows as x-api-key when it sends notifications to the connection's address"),
    }
    limits: ClassVar[Mapping[str, Limit]] = {
        "searchOrders": Limit(0.0056, 20),
        "getOrder": Limit(0.5, 30),
        "getSubscription": Limit(1.0, 5),
        **LOGIN_LIMITS,
        **queues.QUEUE_LIMITS,
        **telling.LIMITS,
    }
    effects: ClassVar[frozenset[EffectKind]] = frozenset(
        {EffectKind.FULFILMENT, EffectKind.CANCELLATION, EffectKind.STOCK}
    )

    def checked(self, settings: Mapping[str, str]) -> Mapping[str, str]:
        known = ",".join(each.marketplace_id for each in marketplaces(settings.get("marketplaces", "")))
        return super().checked({**settings, "marketplaces": known})

    def region(self, settings: Mapping[str, str]) -> str:
        return marketplaces(settings["marketplaces"])[0].region

    # --- in ---

    def verify(self, delivery: Delivery, account: Account, now: datetime) -> Received | None:
        require_any(delivery.headers.get("x-api-key", ""), account.every("push"))
        return notifications.received(delivery.raw)

    def understand(self, received: Received, raw: bytes, account: Account, known: KnownNow) -> Understood:
        if received.topic == _STATE:
            return meaning.of_order(reading.decoded(raw, AmazonOrder), account.channel, known)
        if received.topic == _UNREADABLE:
            raise NotUnderstood("what lay in the queue is no notification of Amazon")
        if received.topic != notifications.ORDER_CHANGE:
            return Understood(ignored="it is about no order that the seller sends")
        hint = notifications.order_hint(raw)
        if hint.seller_id and hint.seller_id != account.settings["seller"]:
            return Understood(ignored="it is of another seller")
        if hint.sent_by == "AFN":
            return Understood(ignored="Amazon sends it from its own warehouses")
        before = known.before()
        if before is not None and _updated(reading.decoded(before, AmazonHead)) >= hint.changed_at:
            return Understood(ignored="a state of since then is known")
        return Understood(asks=f"{account.channel}/{hint.order_id}")

    async def fetch(self, http: Http, account: Account, received: Received, raw: bytes) -> tuple[Fetched, ...]:
        found = await self._order(http, account, received.object_id)
        return () if found is None else (_state(found),)

    async def _order(self, http: Http, account: Account, order_id: str) -> bytes | None:
        path = f"{_ORDERS}/{telling.in_path(order_id)}"
        reply = await self.call(http, account, "GET", path, limit="getOrder", params={"includedData": _ALL_DATA})
        if reply.status == 404:
            return None
        return bytes(_required(reply, _Got).order)

    # --- the queue ---

    def listens(self, account: Account) -> bool:
        return bool(account.settings.get("queue") and account.secret("aws_key"))

    async def receive(self, http: Http, account: Account) -> Queued:
        there = await queues.receive(http, account)
        return Queued(tuple(_from_queue(each) for each in there), tuple(each.receipt_handle for each in there))

    async def took(self, http: Http, account: Account, queued: Queued) -> None:
        await queues.delete(http, account, queued.taken)

    # --- asking ---

    async def changed_since(self, http: Http, account: Account, cursor: str) -> FetchedPage:
        """Orders by their time of change; the cursor is that time, and Amazon's token for the next page of it."""
        since, _, token = (cursor or _text(datetime.now(UTC) - _FIRST)).partition(" ")
        params = {
            "lastUpdatedAfter": since,
            "marketplaceIds": account.settings["marketplaces"],
            "fulfilledBy": "MERCHANT",
            "includedData": _ALL_DATA,
            "maxResultsPerPage": _MOST_ON_A_PAGE,
            **({"paginationToken": token} if token else {}),
        }
        reply = await self.call(http, account, "GET", _ORDERS, limit="searchOrders", params=params)
        if reply.status == 400 and token:
            return FetchedPage((), since)  # a token lasts a day: the pages are asked for anew
        page = _required(reply, _Page)
        found = tuple(_state(bytes(each)) for each in page.orders)
        if page.pagination is not None and page.pagination.next_token:
            return FetchedPage(found, f"{since} {page.pagination.next_token}")
        until = reading.instant(page.last_updated_before, "lastUpdatedBefore") if page.last_updated_before else None
        return FetchedPage(found, _text((until or datetime.now(UTC)) - _OVERLAP), done=True)

    async def check(self, http: Http, account: Account) -> list[Check]:
        params = {
            "lastUpdatedAfter": _text(datetime.now(UTC) - _FIRST),
            "marketplaceIds": account.settings["marketplaces"],
            "includedData": "RECIPIENT,FULFILLMENT",
            "maxResultsPerPage": "10",
        }
        try:
            reply = await self.call(http, account, "GET", _ORDERS, limit="searchOrders", params=params)
            page = _required(reply, _Page)
        except NotUnderstood as wrong:
            return [Check("orders can be read", str(wrong))]
        return [
            Check("orders can be read"),
            Check("people's data can be read", _without_people(page)),
            Check("changes of orders are notified", await self._subscription(http, account)),
            Check("notifications come in", await self._way_in(http, account)),
        ]

    async def _subscription(self, http: Http, account: Account) -> str:
        reply = await self.call(http, account, "GET", _SUBSCRIPTION, limit="getSubscription")
        if reply.status == 404:
            return "nothing subscribes to ORDER_CHANGE: changes are found by asking alone, some minutes later"
        return "" if reply.status == 200 else problem(reply)

    async def _way_in(self, http: Http, account: Account) -> str:
        if self.listens(account):
            try:
                await queues.look(http, account)
            except NotUnderstood as wrong:
                return str(wrong)
        elif not account.secret("push"):
            return "there is neither a queue with aws_key nor a secret push: changes are found by asking alone"
        return ""

    # --- telling ---

    async def carry_out(self, http: Http, account: Account, told: Telling) -> ToldNow:
        seller = telling.AmazonSeller(self, http, account, self._order)
        if isinstance(told.effect, Fulfilment):
            return await seller.confirm(told.effect)
        if isinstance(told.effect, StockLevel):
            return await seller.set_stock(told.effect)
        if isinstance(told.effect, Cancellation):
            return await seller.cancel(told.effect, told.key)
        raise NotImplementedError


class _Got(msgspec.Struct):
    order: msgspec.Raw


class _Pagination(msgspec.Struct, rename="camel"):
    next_token: str | None = None


class _Page(msgspec.Struct, rename="camel"):
    orders: list[msgspec.Raw]
    pagination: _Pagination | None = None
    last_updated_before: str | None = None


def _required(reply: Reply, kind: type[Any]) -> Any:
    if reply.status != 200:
        raise NotUnderstood(problem(reply))
    return reading.decoded(reply.body, kind)


def _state(raw: bytes) -> Fetched:
    """An order as it is kept: the same state is the same, whichever operation answers it."""
    head = reading.decoded(raw, AmazonHead)
    content = msgspec.json.encode(reading.decoded(raw, dict[str, Any]), order="deterministic")
    received = Received(_STATE, head.order_id, happened_at=_updated(head), content=content, whole=True)
    return Fetched(received, raw)


def _updated(head: AmazonHead) -> datetime:
    return reading.instant(head.last_updated_time, "lastUpdatedTime")


def _from_queue(message: queues.QueueMessage) -> Fetched:
    """What is no notification is kept as well, and seen: otherwise it would lie in the queue for days."""
    raw = message.body.encode()
    try:
        return Fetched(notifications.received(raw), raw)
    except MalformedDelivery:
        known_as = message.message_id[:200]
        return Fetched(Received(_UNREADABLE, known_as, source_id=known_as), raw)


def _without_people(page: _Page) -> str:
    orders = [reading.decoded(bytes(each), AmazonOrder) for each in page.orders]
    unsent = [each for each in orders if each.fulfillment and each.fulfillment.fulfillment_status == "UNSHIPPED"]
    if unsent and not any(each.address and each.address.address_line1 for each in unsent):
        return (
            "orders that are to be sent come without addresses; the application needs the role for shipping by sellers"
        )
    return ""


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
