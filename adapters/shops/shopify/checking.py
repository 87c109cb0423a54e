"""What ``fulfilment connection test`` looks at in a shop: rights, webhooks and the version of the API.

With the address that the shop is to send to, the webhooks that lack are made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from adapters.edges.agreement import Account, Check
from adapters.edges.meaning import NotUnderstood
from adapters.shops.shopify.graphql import ENDS, VERSION, Shop, problem_of

STATE = """query ConnectionTest {
  shop { name myshopifyDomain currencyCode }
  currentAppInstallation { accessScopes { handle } }
  webhookSubscriptions(first: 100) { nodes { id topic uri } }
  publicApiVersions { handle supported }
}"""
SUBSCRIBE = """mutation Subscribe($topic: WebhookSubscriptionTopic!, $webhookSubscription: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $webhookSubscription) {
    webhookSubscription { id } userErrors { field message }
  }
}"""
REDIRECT = """mutation Redirect($id: ID!, $webhookSubscription: WebhookSubscriptionInput!) {
  webhookSubscriptionUpdate(id: $id, webhookSubscription: $webhookSubscription) {
    webhookSubscription { id } userErrors { field message }
  }
}"""

WANTED_TOPICS = (
    *("orders/create", "orders/updated", "orders/paid", "orders/cancelled", "orders/delete", "refunds/create"),
    *("fulfillments/create", "fulfillments/update", "fulfillment_orders/placed_on_hold"),
    *("fulfillment_orders/hold_released", "fulfillment_orders/cancellation_request_submitted", "returns/request"),
    *("returns/approve", "returns/cancel", "returns/decline", "app/uninstalled"),
)
"""Those about people are named in the app's own settings, and cannot be asked for."""
_SCOPES: Mapping[str, str] = {
    "read_orders": "orders are asked for",
    "write_orders": "orders are cancelled",
    "read_merchant_managed_fulfillment_orders": "holds are seen",
    "write_merchant_managed_fulfillment_orders": "parcels are told",
    "read_returns": "returns are told",
    "read_inventory": "stock is compared",
    "write_inventory": "stock is told",
    "write_order_edits": "units are cancelled",
}
_SOON = timedelta(days=90)


async def checks(shop: Shop, account: Account, today: date | None = None) -> list[Check]:
    try:
        state = await shop.call(STATE)
    except NotUnderstood as problem:
        return [Check("the shop answers", str(problem))]
    day = today or datetime.now(UTC).date()
    return [
        Check("the shop answers"),
        *_rights(each["handle"] for each in state["currentAppInstallation"]["accessScopes"]),
        *await _webhooks(shop, account, state["webhookSubscriptions"]["nodes"]),
        _version(shop, state["publicApiVersions"], day),
        *_stock(account),
    ]


def _rights(granted: Iterable[str]) -> list[Check]:
    """What may be written may be read."""
    have = set(granted)
    have |= {each.replace("write_", "read_", 1) for each in have}
    lacks = {scope: f"it was not granted, and with it {why}" for scope, why in _SCOPES.items() if scope not in have}
    return [Check(f"the app has the right {scope}", lacks.get(scope, "")) for scope in _SCOPES]


def _version(shop: Shop, versions: Iterable[Mapping[str, Any]], today: date) -> Check:
    supported = {each["handle"] for each in versions if each["supported"]}
    what, problem = f"the shop answers in version {VERSION} of its API", ""
    if VERSION not in supported or shop.served_version != VERSION:
        problem = f"it answers in {shop.served_version}; install a newer version of the service"
    elif today > ENDS - _SOON:
        problem = f"that ends on {ENDS}; install a newer version of the service before"
    return Check(what, problem)


def _stock(account: Account) -> list[Check]:
    what = "stock is told"
    return [Check(what, "" if account.settings.get("location") else "no setting location says where; it is not told")]


async def _webhooks(shop: Shop, account: Account, there: Iterable[Mapping[str, Any]]) -> list[Check]:
    address = account.settings.get("deliver_to", "")
    ours = re.compile(rf".+/in/[^/]+/{re.escape(account.name)}")
    found: dict[str, Mapping[str, Any]] = {}
    for each in there:
        uri = str(each["uri"])
        if uri == address or (ours.fullmatch(uri) and str(each["topic"]) not in found):
            found[str(each["topic"])] = each
    return [await _webhook(shop, topic, found.get(named(topic)), address) for topic in WANTED_TOPICS]


def named(topic: str) -> str:
    """A topic as GraphQL names it."""
    return topic.upper().replace("/", "_")


async def _webhook(shop: Shop, topic: str, there: Mapping[str, Any] | None, address: str) -> Check:
    what = f"a webhook for {topic}"
    if there is not None and (not address or there["uri"] == address):
        return Check(what)
    if not address:
        return Check(what, "it is missing; the setting deliver_to lets this test make it")
    subscription = {"uri": address, "format": "JSON"}
    if there is None:
        answer = await shop.call(SUBSCRIBE, {"topic": named(topic), "webhookSubscription": subscription})
        problem = problem_of(answer, "webhookSubscriptionCreate")
    else:
        answer = await shop.call(REDIRECT, {"id": there["id"], "webhookSubscription": {"uri": address}})
        problem = problem_of(answer, "webhookSubscriptionUpdate")
    return Check(f"{what}, made now" if there is None else f"{what}, sent to the right address now", problem)
