"""What Shopify is asked for: orders that have changed, and what is on hold.

An answer is written as a webhook would tell it before it goes into the inbox, so that the same state is the same. The
lists within an order are bounded, because a query costs by what it may answer. Where that is too much for a shop, less
is asked for at once; an order that fills its bounds is asked for alone, and its further lines page by page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from adapters.edges import reading
from adapters.edges.delivery import MalformedDelivery, Received
from adapters.edges.meaning import NotUnderstood
from adapters.edges.questions import Fetched, FetchedPage
from adapters.shops.shopify.graphql import NotGranted, Shop, TooCostly, gid, number_of
from adapters.shops.shopify.payloads import ShopifyOrder, at, state_of
from adapters.shops.shopify.webhook_form import rest_order, word

ORDER_TOPIC = "orders/updated"
HOLD_TOPIC = "fulfillment_orders/asked"
"""Our own word: the webhooks about fulfilment orders do not name their order, an answer does."""
_FIRST = timedelta(days=30)
"""How far back the first question goes; beyond 60 days an app needs a right of its own."""
_OVERLAP = timedelta(minutes=10)
_MORE_LINES, _HOLDS = 50, 50
_MOST_MORE = 20
"""Pages of lines of one order: 1,000 lines is the most that an order of the ledger has."""


class _Bounds(NamedTuple):
    """How much is asked for at once."""

    orders: int
    lines: int
    few: int
    """Parcels, and refunds."""


_SIZES = (_Bounds(10, 20, 5), _Bounds(4, 10, 3), _Bounds(1, 10, 3), _Bounds(1, 5, 2))
"""The first that a shop takes; its place is kept in the cursor."""
_ALONE = _Bounds(1, 50, 20)
"""For an order that fills the others."""

_MONEY = "{ shopMoney { amount currencyCode } }"
_BOTH = "{ shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } }"
_PLACE = "{ firstName lastName name company address1 address2 city zip province provinceCode countryCodeV2 phone }"
_LINE = f"""{{
  id sku title variantTitle quantity currentQuantity requiresShipping isGiftCard
  originalUnitPriceSet {_MONEY}
  taxLines(first: 5) {{ priceSet {_MONEY} }}
  discountAllocations {{ allocatedAmountSet {_MONEY} }}
}}"""
_ORDER_FIELDS = f"""
  id name test createdAt processedAt updatedAt cancelledAt cancelReason displayFinancialStatus displayFulfillmentStatus
  sourceName taxesIncluded dutiesIncluded currencyCode presentmentCurrencyCode email phone note customerLocale
  paymentGatewayNames
  totalPriceSet {_BOTH} currentTotalPriceSet {_MONEY} totalOutstandingSet {_MONEY}
  originalTotalDutiesSet {_MONEY} currentTotalDutiesSet {_MONEY} currentTotalAdditionalFeesSet {_MONEY}
  customer {{ firstName lastName defaultEmailAddress {{ emailAddress }} defaultPhoneNumber {{ phoneNumber }} }}
  billingAddress {_PLACE}
  shippingAddress {_PLACE}
  lineItems(first: $lines) {{ nodes {_LINE} pageInfo {{ hasNextPage endCursor }} }}
  shippingLines(first: 5, includeRemovals: true) {{ nodes {{
    id title isRemoved originalPriceSet {_MONEY} discountedPriceSet {_MONEY} taxLines {{ priceSet {_MONEY} }}
  }} }}
  fulfillments(first: $few) {{
    id status createdAt updatedAt trackingInfo(first: 5) {{ company number }}
    fulfillmentLineItems(first: $lines) {{ nodes {{ quantity lineItem {{ id }} }} }}
  }}
  refunds(first: $few) {{
    id createdAt note
    refundLineItems(first: $lines) {{ nodes {{ quantity restockType lineItem {{ id }} }} }}
    transactions(first: 5) {{ nodes {{ id kind status processedAt amountSet {_MONEY} }} }}
  }}
"""
ORDERS = f"""query ChangedOrders($first: Int!, $after: String, $query: String!, $lines: Int!, $few: Int!) {{
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {{
    nodes {{ {_ORDER_FIELDS} }} pageInfo {{ hasNextPage endCursor }}
  }}
}}"""
MORE_LINES = f"""query MoreLines($id: ID!, $first: Int!, $after: String) {{
  order(id: $id) {{ lineItems(first: $first, after: $after) {{
    nodes {_LINE} pageInfo {{ hasNextPage endCursor }}
  }} }}
}}"""
_WORK_FIELDS = "id status requestStatus updatedAt orderId fulfillmentHolds { handle reason reasonNotes }"
HOLDS = f"""query ChangedFulfillmentOrders($first: Int!, $after: String, $query: String!) {{
  fulfillmentOrders(first: $first, after: $after, query: $query, includeClosed: true, sortKey: UPDATED_AT) {{
    nodes {{ {_WORK_FIELDS} }} pageInfo {{ hasNextPage endCursor }}
  }}
}}"""

ONE_ORDER = f"""query OneOrder($id: ID!, $lines: Int!, $few: Int!) {{ order(id: $id) {{ {_ORDER_FIELDS} }} }}"""
ONE_WORK = f"""query OneFulfillmentOrder($id: ID!) {{ fulfillmentOrder(id: $id) {{ {_WORK_FIELDS} }} }}"""


class Cursor(NamedTuple):
    """How far the shop was asked: its orders first, then its fulfilment orders, each by their time of change."""

    orders: str
    holds: str
    at: str = "orders"
    newest: str = ""
    after: str = ""
    """Shopify's own place in the list; it may forget it, then the list is begun anew."""
    size: int = 0
    """Which of the sizes the shop takes."""

    @classmethod
    def read(cls, text: str) -> Cursor:
        """One that cannot be read, as of another version, begins anew: what is known already is recognised."""
        with suppress(msgspec.DecodeError):
            return cls(*msgspec.json.decode(text, type=tuple[str, str, str, str, str, int]))
        start = _text(datetime.now(UTC) - _FIRST)
        return cls(start, start)

    def __str__(self) -> str:
        return msgspec.json.encode(list(self)).decode()


async def changed_since(shop: Shop, text: str) -> FetchedPage:
    """The next page: of orders, and when there are no more of fulfilment orders."""
    cursor = Cursor.read(text)
    try:
        if cursor.at == "orders":
            return await _orders(shop, cursor)
        return await _fulfilment_orders(shop, cursor)
    except TooCostly:
        if cursor.size + 1 >= len(_SIZES):
            raise
        return FetchedPage((), str(cursor._replace(size=cursor.size + 1)))
    except NotGranted:
        raise
    except NotUnderstood:
        if not cursor.after:
            raise
        return FetchedPage((), str(cursor._replace(after="")))


async def _orders(shop: Shop, cursor: Cursor) -> FetchedPage:
    size = _SIZES[cursor.size]
    inner = {"lines": size.lines, "few": size.few}
    answer = await shop.call(ORDERS, {**_variables(cursor.orders, cursor.after, size.orders), **inner})
    page = _page(answer, "orders")
    found = []
    for node in page.nodes:
        whole = await _alone(shop, node) if _fills(node, size) else node
        raw = msgspec.json.encode(rest_order(await _whole(shop, whole)))
        found.append(Fetched(order_received(ORDER_TOPIC, raw), raw))
    newest = page.newest or cursor.newest
    if page.after:
        return FetchedPage(tuple(found), str(cursor._replace(after=page.after, newest=newest)))
    following = cursor._replace(orders=_overlapping(newest, cursor.orders), at="holds", newest="", after="")
    return FetchedPage(tuple(found), str(following))


def _fills(node: Mapping[str, Any], size: _Bounds) -> bool:
    """Whether there may be more of an order than was asked for, beside its lines."""
    try:
        parcels, refunds = node["fulfillments"], node["refunds"]
        inner = [each["fulfillmentLineItems"]["nodes"] for each in parcels]
        inner += [each["refundLineItems"]["nodes"] for each in refunds]
    except (KeyError, TypeError) as error:
        raise NotUnderstood("orders: are not answered as they were asked for") from error
    return max(len(parcels), len(refunds)) >= size.few or any(len(each) >= size.lines for each in inner)


async def _alone(shop: Shop, node: dict[str, Any]) -> dict[str, Any]:
    """The same order with more of it; as it is where the shop finds that too costly, for webhooks tell the rest."""
    try:
        answer = await shop.call(ONE_ORDER, {"id": node["id"], "lines": _ALONE.lines, "few": _ALONE.few})
    except TooCostly:
        return node
    return answer.get("order") or node


async def one_order(shop: Shop, order_id: str) -> tuple[Fetched, ...]:
    """An order as it is now, that was only hinted at; nothing if there is no such order."""
    variables = {"id": gid("Order", order_id), "lines": _SIZES[-1].lines, "few": _SIZES[-1].few}
    node = (await shop.call(ONE_ORDER, variables)).get("order")
    if not node:
        return ()
    node = await _alone(shop, node) if _fills(node, _SIZES[-1]) else node
    raw = msgspec.json.encode(rest_order(await _whole(shop, node)))
    return (Fetched(order_received(ORDER_TOPIC, raw), raw),)


async def fulfilment_orders(shop: Shop, named: Iterable[str]) -> tuple[Fetched, ...]:
    """Fulfilment orders as they are now, with their orders."""
    found = []
    for each in named:
        try:
            node = (await shop.call(ONE_WORK, {"id": gid("FulfillmentOrder", each)})).get("fulfillmentOrder")
        except NotGranted:
            break  # as below
        found += [_fetched_hold(node)] if node else []
    return tuple(found)


async def _fulfilment_orders(shop: Shop, cursor: Cursor) -> FetchedPage:
    done = cursor._replace(at="orders", newest="", after="")
    try:
        answer = await shop.call(HOLDS, _variables(cursor.holds, cursor.after, _HOLDS))
    except NotGranted:
        return FetchedPage((), str(done), done=True)  # a right that the app may do without; the check says so
    page = _page(answer, "fulfillmentOrders")
    found = tuple(_fetched_hold(node) for node in page.nodes)
    newest = page.newest or cursor.newest
    if page.after:
        return FetchedPage(found, str(cursor._replace(after=page.after, newest=newest)))
    return FetchedPage(found, str(done._replace(holds=_overlapping(newest, cursor.holds))), done=True)


def _variables(since: str, after: str, first: int) -> Mapping[str, Any]:
    return {"first": first, "after": after or None, "query": f"updated_at:>='{since}'"}


class _Page(NamedTuple):
    nodes: list[dict[str, Any]]
    newest: str
    after: str


def _page(answer: Mapping[str, Any], name: str) -> _Page:
    """Its nodes, the newest time of change, and where it goes on; empty at the end."""
    try:
        nodes, info = answer[name]["nodes"], answer[name]["pageInfo"]
        after = str(info["endCursor"]) if info["hasNextPage"] else ""
        newest = max((str(node["updatedAt"]) for node in nodes), default="")
    except (KeyError, TypeError) as error:
        raise NotUnderstood(f"{name}: is not answered as it was asked") from error
    return _Page(nodes, newest, after)


def _overlapping(newest: str, before: str) -> str:
    """From where the next round asks: a little back, because what is written later may bear an earlier time."""
    if newest:
        before = max(before, _text(reading.instant(newest, "updatedAt") - _OVERLAP))
    # A time to come is not gone on from: nothing would be found any more before it has come.
    return min(before, _text(datetime.now(UTC) - _OVERLAP))


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


async def _whole(shop: Shop, node: dict[str, Any]) -> dict[str, Any]:
    """An order with all of its lines."""
    lines, info = list(_nodes(node)["nodes"]), _nodes(node)["pageInfo"]
    for _ in range(_MOST_MORE):
        if not info["hasNextPage"]:
            break
        more = await shop.call(MORE_LINES, {"id": node["id"], "first": _MORE_LINES, "after": info["endCursor"]})
        if not more.get("order"):
            break  # it was deleted meanwhile
        lines += _nodes(more["order"])["nodes"]
        info = _nodes(more["order"])["pageInfo"]
    return {**node, "lineItems": {"nodes": lines, "pageInfo": info}}


def _nodes(order: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        lines: Mapping[str, Any] = order["lineItems"]
        return {"nodes": lines["nodes"], "pageInfo": dict(lines["pageInfo"])}
    except (KeyError, TypeError, ValueError) as error:
        raise NotUnderstood("lineItems: are not answered as they were asked for") from error


def _fetched_hold(node: Mapping[str, Any]) -> Fetched:
    body = {
        "id": number_of(node["id"]),
        "order_id": number_of(node["orderId"]) if node["orderId"] else None,
        "status": word(node["status"]),
        "request_status": word(node["requestStatus"]),
        "updated_at": node["updatedAt"],
        "fulfillment_holds": [
            {"handle": each["handle"], "reason": word(each["reason"]), "reason_notes": each["reasonNotes"]}
            for each in node["fulfillmentHolds"]
        ],
    }
    raw = msgspec.json.encode(body)
    changed = reading.instant(node["updatedAt"], "updatedAt")
    return Fetched(Received(HOLD_TOPIC, str(body["order_id"] or body["id"]), happened_at=changed), raw)


def order_received(topic: str, raw: bytes, source_id: str = "") -> Received:
    """What the door reads of an order. The same state is the same, whether a webhook tells it or the shop answers it.

    An order that cannot be read whole is kept as it came, for a person.
    """
    try:
        order = reading.decoded(raw, ShopifyOrder)
        changed_at, content = at(order.updated_at, "updated_at"), state_of(order)
    except NotUnderstood:
        return _unreadable(topic, raw, source_id)
    return Received(topic, str(order.id), source_id, changed_at, content, whole=changed_at is not None)


class _OrderHead(msgspec.Struct):
    id: int


def _unreadable(topic: str, raw: bytes, source_id: str) -> Received:
    """Who sends what is no order at all is told so."""
    try:
        return Received(topic, str(reading.decoded(raw, _OrderHead).id), source_id)
    except NotUnderstood as error:
        raise MalformedDelivery(str(error)) from None
