"""Telling Shopify of parcels: made, corrected, taken back.

A parcel is told as one fulfilment for each location that its units are to be sent from, each naming its lines: a
fulfilment that names none would be of all that is open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from adapters.edges.effects import NotDone, Telling, ToldNow
from adapters.shops.shopify import holding
from adapters.shops.shopify.graphql import Shop, gid, problem_of
from adapters.tracking import carriers
from ledger.terms.effects import Fulfilment, ShopLine

PARCELS = """query OrderForParcel($id: ID!) {
  order(id: $id) {
    id
    fulfillments(first: 50) { id status trackingInfo(first: 5) { number } }
    fulfillmentOrders(first: 20) { nodes {
      id status assignedLocation { location { id } } fulfillmentHolds { id handle reason reasonNotes }
      lineItems(first: 50) { nodes { id remainingQuantity lineItem { id sku } } }
    } }
  }
}"""
CREATE = """mutation CreateFulfillment($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) { fulfillment { id } userErrors { field message } }
}"""
UPDATE = """mutation NewTracking(
  $fulfillmentId: ID!, $trackingInfoInput: FulfillmentTrackingInput!, $notify: Boolean
) {
  fulfillmentTrackingInfoUpdate(
    fulfillmentId: $fulfillmentId, trackingInfoInput: $trackingInfoInput, notifyCustomer: $notify
  ) { fulfillment { id } userErrors { field message } }
}"""
CANCEL = """mutation CancelFulfillment($id: ID!) {
  fulfillmentCancel(id: $id) { fulfillment { id status } userErrors { field message } }
}"""
OPEN = """mutation OpenFulfillmentOrder($id: ID!) {
  fulfillmentOrderOpen(id: $id) { fulfillmentOrder { id status } userErrors { field message } }
}"""

_NAMES: Mapping[str, str] = {
    "4px": "4PX",
    "aus-post": "Australia Post",
    "australia-post": "Australia Post",
    "canada-post": "Canada Post",
    "china-post": "China Post",
    "correos-de-espana": "Correos",
    "dhl": "DHL Express",
    "dhl-global-mail": "DHL eCommerce",
    "dhl-germany": "DHL Express",
    "dpd": "DPD",
    "fedex": "FedEx",
    "gls": "GLS",
    "la-poste-colissimo": "La Poste",
    "postnl": "PostNL",
    "royal-mail": "Royal Mail",
    "sf-express": "SF Express",
    "singapore-post": "Singapore Post",
    "tnt": "TNT",
    "ups": "UPS",
    "usps": "USPS",
    "yunexpress": "YunExpress",
}
"""Carriers that Shopify knows by its own names; it shows what else is told as it is told."""
_WORKING = ("OPEN", "IN_PROGRESS")


class OpenLine(NamedTuple):
    """Units of a line that a location is still to send."""

    of: OpenWork
    line_id: str
    remaining: int


class OpenWork(NamedTuple):
    """What one location is still to send of an order."""

    fulfilment_order: str
    status: str
    location: str


async def tell(shop: Shop, telling: Telling, effect: Fulfilment, *, notify: bool) -> ToldNow:
    """Makes the shop's fulfilments of a parcel what they are to be."""
    told = [each for each in telling.reference.split(",") if each]
    before = telling.before if isinstance(telling.before, Fulfilment) else None
    if effect.withdrawn:
        await _withdraw(shop, told)
        return ToldNow(telling.reference)  # by it the shop's own news of it is known
    if told and before is not None:
        more, fewer = _differences(before.lines, effect.lines)
        if fewer:
            await _withdraw(shop, told)
            return await _create(shop, effect, effect.lines, notify=notify, again=True)
        if _tracking(before) != _tracking(effect):
            await _correct(shop, told, effect, notify=notify)
        if more:
            made = await _create(shop, effect, more, notify=notify, again=True)
            return msgspec.structs.replace(made, reference=",".join([*told, *filter(None, [made.reference])]))
        return ToldNow(telling.reference)
    return await _create(shop, effect, effect.lines, notify=notify)


def _differences(before: Sequence[ShopLine], now: Sequence[ShopLine]) -> tuple[tuple[ShopLine, ...], bool]:
    """What was added since, and whether anything was taken away."""
    had, has = Counter[int](), Counter[int]()
    for line in before:
        had[line.line_no] += line.units
    for line in now:
        has[line.line_no] += line.units
    more = tuple(
        msgspec.structs.replace(line, units=has[line.line_no] - had[line.line_no])
        for line in now
        if has[line.line_no] > had[line.line_no]
    )
    return more, bool(had - has)


def _tracking(effect: Fulfilment) -> dict[str, str]:
    found = carriers.known(effect.carrier)
    company = _NAMES.get(effect.carrier) or (found.title if found is not None else effect.carrier)
    info = {"company": company, "number": effect.tracking_number, "url": effect.tracking_url}
    return {name: value for name, value in info.items() if value}


async def _withdraw(shop: Shop, told: Iterable[str]) -> None:
    for each in told:
        answer = await shop.call(CANCEL, {"id": each})
        problem = problem_of(answer, "fulfillmentCancel")
        if problem and not _is_gone(problem):
            raise NotDone(f"the shop does not take its fulfilment back: {problem}")


def _is_gone(problem: str) -> bool:
    """Whether a fulfilment was cancelled already, or is not there."""
    text = problem.lower()
    return "already" in text or "cancelled" in text or "not found" in text or "does not exist" in text


async def _correct(shop: Shop, told: Iterable[str], effect: Fulfilment, *, notify: bool) -> None:
    for each in told:
        variables = {"fulfillmentId": each, "trackingInfoInput": _tracking(effect), "notify": notify}
        problem = problem_of(await shop.call(UPDATE, variables), "fulfillmentTrackingInfoUpdate")
        if problem:
            raise NotDone(f"the shop does not take the tracking number: {problem}")


# --- making it ------------------------------------------------------------------------------------


async def _create(
    shop: Shop, effect: Fulfilment, lines: Sequence[ShopLine], *, notify: bool, again: bool = False
) -> ToldNow:
    order = await _order(shop, effect.channel_order_id)
    if not again and (there := _made(order, effect.tracking_number)):
        return ToldNow(",".join(there), "it was fulfilled with this number already")
    if not lines and not effect.completes:
        return ToldNow(note="of the shop's lines none is whole yet; it is told with the next parcel")
    lifted = await _lifted(shop, order)
    chosen, lacking = _chosen(order, lines)
    if not chosen:
        blocked = _blocked(order)
        if blocked:
            raise NotDone(f"what it is to fulfil is {blocked} in the shop: release it there, then try again")
        return ToldNow(note="all of it was fulfilled in the shop already, or is not wanted there any more")
    references = [await _create_one(shop, effect, group, notify=notify) for group in _by_location(chosen)]
    for work in lifted:
        if sum(line["remainingQuantity"] for line in work["lineItems"]["nodes"]) > _count_of(work, chosen):
            await holding.again(shop, work)
    note = f"{lacking} units were fulfilled in the shop already, or are not wanted there" if lacking else ""
    return ToldNow(",".join(references), note)


async def _order(shop: Shop, order_id: str) -> dict[str, Any]:
    order = (await shop.call(PARCELS, {"id": gid("Order", order_id)}))["order"]
    if order is None:
        raise NotDone("the shop has no such order")
    found: dict[str, Any] = order
    return found


def _made(order: Mapping[str, Any], number: str) -> list[str]:
    """Fulfilments that bear the number: an answer of before was lost, or somebody was faster."""
    return [
        each["id"]
        for each in order["fulfillments"]
        if each["status"] != "CANCELLED" and any(info["number"] == number for info in each["trackingInfo"])
    ]


async def _lifted(shop: Shop, order: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What only the ledger's own hold kept: that is for what is still to be sent, and this has left."""
    found = [each for each in order["fulfillmentOrders"]["nodes"] if holding.is_own_alone(each)]
    for work in found:
        await holding.release(shop, work["id"], work["fulfillmentHolds"])
        work["status"] = "OPEN"
    return found


def _count_of(work: Mapping[str, Any], chosen: Iterable[tuple[OpenLine, int]]) -> int:
    return sum(count for one, count in chosen if one.of.fulfilment_order == work["id"])


def _blocked(order: Mapping[str, Any]) -> str:
    statuses = {each["status"] for each in order["fulfillmentOrders"]["nodes"]}
    return "on hold" if "ON_HOLD" in statuses else ""


def _chosen(order: Mapping[str, Any], lines: Sequence[ShopLine]) -> tuple[list[tuple[OpenLine, int]], int]:
    """Which units of which fulfilment orders a parcel has; and how many of its units none is open for."""
    space: list[tuple[OpenLine, str, str]] = []
    for each in order["fulfillmentOrders"]["nodes"]:
        if each["status"] not in (*_WORKING, "SCHEDULED"):
            continue
        place = (each["assignedLocation"] or {}).get("location") or {}
        of = OpenWork(each["id"], each["status"], str(place.get("id", "")))
        for line in each["lineItems"]["nodes"]:
            if line["remainingQuantity"] > 0:
                item = line["lineItem"]
                space.append((OpenLine(of, line["id"], line["remainingQuantity"]), item["id"], item["sku"] or ""))
    if not lines:
        return [(one, one.remaining) for one, _, _ in space], 0
    chosen, lacking, used = list[tuple[OpenLine, int]](), 0, Counter[str]()
    for line in lines:
        missing = line.units
        for one, line_id, sku in space:
            is_same = line_id == gid("LineItem", line.channel_line_id) if line.channel_line_id else sku == line.sku
            count = min(missing, one.remaining - used[one.line_id]) if is_same else 0
            if count > 0:
                used[one.line_id] += count
                missing -= count
                chosen.append((one, count))
        lacking += missing
    return chosen, lacking


def _by_location(chosen: Iterable[tuple[OpenLine, int]]) -> list[list[tuple[OpenLine, int]]]:
    """All that one call names has to be of one location."""
    groups: dict[str, list[tuple[OpenLine, int]]] = {}
    for one, count in chosen:
        groups.setdefault(one.of.location or one.of.fulfilment_order, []).append((one, count))
    return list(groups.values())


async def _create_one(shop: Shop, effect: Fulfilment, group: Iterable[tuple[OpenLine, int]], *, notify: bool) -> str:
    by_order: dict[str, list[dict[str, Any]]] = {}
    for one, count in group:
        if one.of.status == "SCHEDULED" and one.of.fulfilment_order not in by_order:
            await shop.call(OPEN, {"id": one.of.fulfilment_order})  # what has left is not for later
        by_order.setdefault(one.of.fulfilment_order, []).append({"id": one.line_id, "quantity": count})
    fulfilment = {
        "lineItemsByFulfillmentOrder": [
            {"fulfillmentOrderId": each, "fulfillmentOrderLineItems": lines} for each, lines in by_order.items()
        ],
        "trackingInfo": _tracking(effect),
        "notifyCustomer": notify,
    }
    answer = await shop.call(CREATE, {"fulfillment": fulfilment})
    if problem := problem_of(answer, "fulfillmentCreate"):
        made = _made(await _order(shop, effect.channel_order_id), effect.tracking_number)
        if not made:
            raise NotDone(f"the shop does not take the fulfilment: {problem}")
        return ",".join(made)
    return str(answer["fulfillmentCreate"]["fulfillment"]["id"])
