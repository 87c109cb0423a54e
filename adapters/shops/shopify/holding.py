"""Telling Shopify that an order is on hold, and that it is not any more.

All that its locations are still to send of it bears one hold of the ledger's, known by its handle. Holds that others
put in the shop are left alone, and what the shop told of its own is no news to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from adapters.edges.effects import NotDone, ToldNow
from adapters.shops.shopify.graphql import Shop, gid, problem_of
from adapters.shops.shopify.parcels import HOLDER
from adapters.shops.shopify.payloads import HANDLE
from ledger.terms.effects import HeldBack

HELD = """query OrderForHold($id: ID!) {
  order(id: $id) {
    id cancelledAt fulfillmentOrders(first: 20) { nodes { id status fulfillmentHolds { id handle reason } } }
  }
}"""
HOLD = """mutation PutHold($id: ID!, $hold: FulfillmentOrderHoldInput!) {
  fulfillmentOrderHold(id: $id, fulfillmentHold: $hold) {
    fulfillmentHold { id } userErrors { code field message }
  }
}"""
RELEASE = """mutation LiftHold($id: ID!, $holds: [ID!]) {
  fulfillmentOrderReleaseHold(id: $id, holdIds: $holds) {
    fulfillmentOrder { id status } userErrors { code field message }
  }
}"""

_REASONS: Mapping[str, str] = {
    "awaiting_payment": "AWAITING_PAYMENT",
    "payment_reversed": "AWAITING_PAYMENT",
    "fraud_review": "HIGH_RISK_OF_FRAUD",
    "bad_address": "INCORRECT_ADDRESS",
    "incomplete": "INCORRECT_ADDRESS",
    "out_of_stock": "INVENTORY_OUT_OF_STOCK",
}
_OPEN = frozenset({"OPEN", "IN_PROGRESS", "SCHEDULED", "ON_HOLD"})
_GONE = ("not found", "does not exist", "not on hold", "no holds", "already")


async def tell(shop: Shop, effect: HeldBack) -> ToldNow:
    """Makes the ledger's hold in the shop what it is to be: there for the first reason, or not at all."""
    order = (await shop.call(HELD, {"id": gid("Order", effect.channel_order_id)}))["order"]
    if order is None:
        raise NotDone("the shop has no such order")
    reasons = [each.reason for each in effect.holds if not _is_of_shop(each.owner)]
    work = [each for each in order["fulfillmentOrders"]["nodes"] if each["status"] in _OPEN]
    if order["cancelledAt"] or not work:
        return ToldNow(note="nothing of it is to be sent any more")
    references = [made for each in work if (made := await _made_so(shop, each, reasons))]
    return ToldNow(",".join(references))


def _is_of_shop(owner: str) -> bool:
    """Whether the shop told of the hold itself."""
    return owner == HOLDER or owner.startswith(f"{HOLDER}-")


async def _made_so(shop: Shop, work: Mapping[str, Any], reasons: list[str]) -> str:
    """What the shop calls the hold of one location's part; empty if there is none."""
    wanted = _REASONS.get(reasons[0], "OTHER") if reasons else ""
    there = own(work)
    if wanted and any(each["reason"] == wanted for each in there):
        return str(there[0]["id"])
    if there:
        await release(shop, work["id"], there)
    return await hold(shop, work["id"], wanted, reasons) if wanted else ""


def own(work: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The ledger's holds."""
    return [each for each in work["fulfillmentHolds"] if each["handle"] == HANDLE]


def is_own_alone(work: Mapping[str, Any]) -> bool:
    """Whether nobody else wants it to wait."""
    return bool(work["fulfillmentHolds"]) and len(own(work)) == len(work["fulfillmentHolds"])


async def again(shop: Shop, work: Mapping[str, Any]) -> None:
    """Puts the hold back that was taken off for a moment."""
    last = work["fulfillmentHolds"][0]
    await hold(shop, work["id"], str(last["reason"]), [str(last["reasonNotes"] or "")])


async def hold(shop: Shop, work_id: str, reason: str, words: Iterable[str]) -> str:
    """One that is there already is as good as made: an answer may have been lost."""
    asked = {
        "reason": reason,
        "reasonNotes": ", ".join(each.replace("_", " ") for each in words),
        "handle": HANDLE,
        "notifyMerchant": False,
    }
    answer = await shop.call(HOLD, {"id": work_id, "hold": asked})
    if problem := problem_of(answer, "fulfillmentOrderHold"):
        codes = {str(each.get("code")) for each in answer["fulfillmentOrderHold"]["userErrors"]}
        if codes & {"DUPLICATED_FULFILLMENT_HOLD_HANDLE", "TAKEN"}:
            return ""
        raise NotDone(f"the shop does not take the hold: {problem}")
    return str(answer["fulfillmentOrderHold"]["fulfillmentHold"]["id"])


async def release(shop: Shop, work_id: str, holds: Iterable[Mapping[str, Any]]) -> None:
    """What is not on hold any more is as good as released."""
    answer = await shop.call(RELEASE, {"id": work_id, "holds": [each["id"] for each in holds]})
    problem = problem_of(answer, "fulfillmentOrderReleaseHold")
    if problem and not any(each in problem.lower() for each in _GONE):
        raise NotDone(f"the shop does not release the hold: {problem}")
