"""Amazon as a system of the edges, for vendors who send to Amazon's customers: purchase orders, by asking."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import msgspec

from adapters.edges import reading
from adapters.edges.agreement import CHANNEL, Account, Check, Field
from adapters.edges.delivery import BadSignature, Delivery, Received
from adapters.edges.effects import Telling, ToldNow
from adapters.edges.http import Http, Limit, SystemUnreachable
from adapters.edges.meaning import KnownNow, NotUnderstood, Understood
from adapters.edges.questions import Fetched, FetchedPage
from adapters.shops.amazon import vendor_meaning, vendor_telling
from adapters.shops.amazon.calls import API_SECRETS, API_SETTINGS, LOGIN_LIMITS, SellingPartner, problem
from adapters.shops.amazon.marketplaces import marketplaces
from adapters.shops.amazon.telling import in_path
from adapters.shops.amazon.vendor_payloads import VendorHead, VendorOrder
from ledger.terms.effects import EffectKind

_ORDERS = "/vendor/directFulfillment/orders/2021-12-28/purchaseOrders"
_STATE = "purchase_order"
_LIMIT = "vendor"
_MOST_ON_A_PAGE = "100"
_WINDOW = timedelta(days=7)
"""The longest time of which orders may be asked for at once."""
_FIRST = timedelta(days=6)
_AGAIN = timedelta(days=3)
"""How long an order is looked at again: it says nowhere when it changed, and may be cancelled until it is sent."""


class AmazonVendor(SellingPartner):
    """A vendor who sends Amazon's orders to its customers, by the direct fulfilment API."""

    name: ClassVar[str] = "amazon-vendor"
    what: ClassVar[str] = "a vendor who sends to Amazon's customers (direct fulfilment)"
    settings: ClassVar[Mapping[str, Field]] = {
        "marketplace": Field("whose customers they are: a country such as US, or a marketplace's id", True),
        "vendor": Field("the vendor code that stock is told under (sellingParty)", True),
        "warehouse": Field("the code of the warehouse whose orders and stock these are (shipFromParty)", True),
        "contact": Field("an e-mail address for letters about orders of which Amazon tells neither phone nor e-mail"),
        "weight": Field("what a parcel weighs in kilograms, which Amazon wants to be told; 1 if not said"),
        **API_SETTINGS,
        "channel": CHANNEL,
    }
    secrets: ClassVar[Mapping[str, Field]] = API_SECRETS
    limits: ClassVar[Mapping[str, Limit]] = {_LIMIT: Limit(10.0, 10), **LOGIN_LIMITS}
    effects: ClassVar[frozenset[EffectKind]] = frozenset(
        {EffectKind.ORDER, EffectKind.FULFILMENT, EffectKind.CANCELLATION, EffectKind.STOCK}
    )

    def checked(self, settings: Mapping[str, str]) -> Mapping[str, str]:
        found = marketplaces(settings.get("marketplace", ""))
        if len(found) != 1:
            raise ValueError("marketplace is one: make a connection for each")
        if not vendor_telling.is_weight(settings.get("weight", "1")):
            raise ValueError("weight is a number of kilograms, such as 0.5")
        return super().checked({**settings, "marketplace": found[0].marketplace_id})

    def region(self, settings: Mapping[str, str]) -> str:
        return marketplaces(settings["marketplace"])[0].region

    # --- in ---

    def verify(self, delivery: Delivery, account: Account, now: datetime) -> Received | None:
        raise BadSignature("a vendor's orders are asked for: nothing is delivered")

    def understand(self, received: Received, raw: bytes, account: Account, known: KnownNow) -> Understood:
        order, contact = reading.decoded(raw, VendorOrder), account.settings.get("contact", "")
        return vendor_meaning.of_purchase_order(order, account.channel, contact, known)

    async def changed_since(self, http: Http, account: Account, cursor: str) -> FetchedPage:
        """Orders by their time of creation; the cursor is a time, and of a further page its end and Amazon's token."""
        now = datetime.now(UTC)
        since, _, further = (cursor or _text(now - _FIRST)).partition(" ")
        until, _, token = further.partition(" ")
        until = until or _text(min(now, reading.instant(since, "cursor") + _WINDOW))
        params = {"createdAfter": since, "createdBefore": until, **({"nextToken": token} if token else {})}
        page = await self._page(http, account, {**params, "limit": _MOST_ON_A_PAGE})
        found = tuple(_state(bytes(each)) for each in page.orders)
        if page.pagination is not None and page.pagination.next_token:
            return FetchedPage(found, f"{since} {until} {page.pagination.next_token}")
        if reading.instant(until, "cursor") < now - _AGAIN:
            return FetchedPage(found, until)
        return FetchedPage(found, _text(now - _AGAIN), done=True)

    async def _page(self, http: Http, account: Account, params: Mapping[str, str]) -> _Page:
        asked = {
            "shipFromPartyId": account.settings["warehouse"],
            "includeDetails": "true",
            "sortOrder": "ASC",
            **params,
        }
        reply = await self.call(http, account, "GET", _ORDERS, limit=_LIMIT, params=asked, restricted=_ORDERS)
        if reply.status != 200:
            raise NotUnderstood(problem(reply))
        if reply.body.lstrip().startswith(b"["):  # as its own example shows it
            return _Page(reading.decoded(reply.body, list[msgspec.Raw]))
        return reading.decoded(reply.body, _Page)

    async def check(self, http: Http, account: Account) -> list[Check]:
        now = datetime.now(UTC)
        try:
            window = {"createdAfter": _text(now - _WINDOW), "createdBefore": _text(now), "limit": "1"}
            await self._page(http, account, window)
        except NotUnderstood as wrong:
            return [Check("purchase orders can be read", str(wrong))]
        return [Check("purchase orders can be read")]

    # --- telling ---

    async def carry_out(self, http: Http, account: Account, told: Telling) -> ToldNow:
        async def order(number: str) -> VendorOrder | None:
            path = f"{_ORDERS}/{in_path(number)}"
            generic = f"{_ORDERS}/{{purchaseOrderNumber}}"
            try:
                reply = await self.call(http, account, "GET", path, limit=_LIMIT, restricted=generic)
            except NotUnderstood as wrong:
                raise SystemUnreachable(str(wrong)) from None
            return reading.decoded(reply.body, VendorOrder) if reply.status == 200 else None

        return await vendor_telling.Vendor(self, http, account, order, _LIMIT).tell(told)


class _Pagination(msgspec.Struct, rename="camel"):
    next_token: str | None = None


class _Page(msgspec.Struct, rename="camel"):
    orders: list[msgspec.Raw] = []
    pagination: _Pagination | None = None


def _state(raw: bytes) -> Fetched:
    number = reading.decoded(raw, VendorHead).purchase_order_number
    content = msgspec.json.encode(reading.decoded(raw, dict[str, Any]), order="deterministic")
    return Fetched(Received(_STATE, number, content=content, whole=True), raw)


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
