"""Telling Shopify what else has happened: units that will not be sent, money to be paid back, and stock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from adapters.edges.effects import NotDone, ToldNow
from adapters.edges.http import TryLater
from adapters.shops.shopify.graphql import Shop, gid, number_of, problem_of
from adapters.shops.shopify.selling import note_of
from ledger.terms.effects import Cancellation, RefundAsked, StockLevel
from ledger.terms.money import minor_digits

_MONEY = "{ shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } }"
CANCELLED = """query OrderForCancel($id: ID!) {
  order(id: $id) { id cancelledAt lineItems(first: 250) { nodes { id sku quantity currentQuantity } } }
}"""
CANCEL_ORDER = """mutation WithdrawOrder(
  $orderId: ID!, $reason: OrderCancelReason!, $refundMethod: OrderCancelRefundMethodInput!
) {
  orderCancel(
    orderId: $orderId, reason: $reason, refundMethod: $refundMethod, restock: false, notifyCustomer: false
  ) { job { id } orderCancelUserErrors { message code } }
}"""
EDIT = """mutation BeginEdit($id: ID!) {
  orderEditBegin(id: $id) { calculatedOrder { id } userErrors { field message } }
}"""
SET_UNITS = """mutation SetUnits($id: ID!, $lineItemId: ID!, $quantity: Int!) {
  orderEditSetQuantity(id: $id, lineItemId: $lineItemId, quantity: $quantity, restock: false) {
    calculatedOrder { id } userErrors { field message }
  }
}"""
COMMIT = """mutation CommitEdit($id: ID!, $note: String) {
  orderEditCommit(id: $id, notifyCustomer: false, staffNote: $note) { order { id } userErrors { field message } }
}"""
PAYMENTS = f"""query OrderForRefund($id: ID!) {{
  order(id: $id) {{
    id currencyCode presentmentCurrencyCode totalPriceSet {_MONEY}
    refunds(first: 50) {{ id note }}
    transactions(first: 50) {{ id kind status gateway amountSet {_MONEY} parentTransaction {{ id }} }}
  }}
}}"""
REFUND = """mutation PayBack($input: RefundInput!, $key: String!) {
  refundCreate(input: $input) @idempotent(key: $key) { refund { id } userErrors { field message } }
}"""
ITEMS = """query ItemsOfSku($query: String!, $location: ID!) {
  inventoryItems(first: 10, query: $query) { nodes {
    id sku tracked variants(first: 5) { nodes { id inventoryPolicy } }
    inventoryLevel(locationId: $location) { quantities(names: ["available"]) { name quantity } }
  } }
}"""
SET_STOCK = """mutation SetStock($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id } userErrors { code field message }
  }
}"""
ACTIVATE = """mutation StockAtLocation($item: ID!, $location: ID!, $available: Int, $key: String!) {
  inventoryActivate(inventoryItemId: $item, locationId: $location, available: $available) @idempotent(key: $key) {
    inventoryLevel { id } userErrors { field message }
  }
}"""

_REASONS = {
    "out_of_stock": "INVENTORY",
    "no_supplier": "INVENTORY",
    "fraud": "FRAUD",
    "fraud_review": "FRAUD",
    "declined": "DECLINED",
}


async def tell_cancellation(shop: Shop, effect: Cancellation) -> ToldNow:
    """The whole order, or units of its lines. Money is another thing: nothing is paid back by this."""
    order = (await shop.call(CANCELLED, {"id": gid("Order", effect.channel_order_id)}))["order"]
    if order is None:
        raise NotDone("the shop has no such order")
    if order["cancelledAt"]:
        return ToldNow(note="it was cancelled in the shop already")
    return await (_cancel_all(shop, effect, order) if effect.whole else _take_away(shop, effect, order))


async def _cancel_all(shop: Shop, effect: Cancellation, order: Mapping[str, Any]) -> ToldNow:
    answer = await shop.call(
        CANCEL_ORDER,
        {
            "orderId": order["id"],
            "reason": _REASONS.get(effect.reason, "CUSTOMER" if "customer" in effect.reason else "OTHER"),
            "refundMethod": {"originalPaymentMethodsRefund": False},
        },
    )
    if problem := problem_of(answer, "orderCancel", "orderCancelUserErrors"):
        if "already" in problem.lower():
            return ToldNow(note="it was cancelled in the shop already")
        raise NotDone(f"the shop does not cancel the order: {problem}")
    return ToldNow()


async def _take_away(shop: Shop, effect: Cancellation, order: Mapping[str, Any]) -> ToldNow:
    """By an edit to the quantity that all that was cancelled leaves, so that it may be told again."""
    edits = _edits(effect, order)
    if not edits:
        return ToldNow(note="the shop does not want these units any more already")
    answer = await shop.call(EDIT, {"id": order["id"]})
    _require_done(answer, "orderEditBegin")
    edit = answer["orderEditBegin"]["calculatedOrder"]["id"]
    for line_id, quantity in edits.items():
        line = f"gid://shopify/CalculatedLineItem/{number_of(line_id)}"
        changed = await shop.call(SET_UNITS, {"id": edit, "lineItemId": line, "quantity": quantity})
        _require_done(changed, "orderEditSetQuantity")
    note = f"Not sent: {effect.reason}" if effect.reason else "Not sent"
    _require_done(await shop.call(COMMIT, {"id": edit, "note": note}), "orderEditCommit")
    return ToldNow()


def _edits(effect: Cancellation, order: Mapping[str, Any]) -> dict[str, int]:
    """Which quantity each line is to have, where it has more."""
    by_id, by_sku = Counter[str](), Counter[str]()
    for line in effect.lines:
        if line.channel_line_id:
            by_id[gid("LineItem", line.channel_line_id)] += line.units
        else:
            by_sku[line.sku] += line.units
    found = {}
    for item in order["lineItems"]["nodes"]:
        gone = by_id[item["id"]]
        if (item["sku"] or "") in by_sku:
            gone += min(by_sku[item["sku"]], item["quantity"])
            by_sku[item["sku"]] -= min(by_sku[item["sku"]], item["quantity"])
        left = max(0, item["quantity"] - gone)
        if gone and item["currentQuantity"] > left:
            found[str(item["id"])] = left
    return found


def _require_done(answer: Mapping[str, Any], mutation: str) -> None:
    if problem := problem_of(answer, mutation):
        raise NotDone(f"the shop does not edit the order: {problem}")


# --- money ----------------------------------------------------------------------------------------


async def tell_refund(shop: Shop, effect: RefundAsked, key: str) -> ToldNow:
    """Pays money back by the ways by which it came, in the customer's currency."""
    order = (await shop.call(PAYMENTS, {"id": gid("Order", effect.channel_order_id)}))["order"]
    if order is None:
        raise NotDone("the shop has no such order")
    note = note_of(effect.case_id, effect.refund_id)  # it is recognised by it when it is told, or asked for again
    if there := [each["id"] for each in order["refunds"] if each["note"] == note]:
        return ToldNow(there[0], "it was paid already")
    variables = {
        "input": {
            "orderId": order["id"],
            "note": note,
            "notify": False,
            "currency": order["presentmentCurrencyCode"],
            "transactions": _transactions(effect, order),
        },
        "key": key,
    }
    answer = await shop.call(REFUND, variables)
    if problem := problem_of(answer, "refundCreate"):
        raise NotDone(f"the shop does not pay it back: {problem}")
    return ToldNow(str(answer["refundCreate"]["refund"]["id"]))


def _transactions(effect: RefundAsked, order: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Of each payment as much as is left of it, until the sum is there."""
    currency, missing = str(order["presentmentCurrencyCode"]), _in_customers(effect, order)
    left: dict[str, Decimal] = {}
    gateways: dict[str, str] = {}
    for each in order["transactions"]:
        amount = Decimal(each["amountSet"]["presentmentMoney"]["amount"])
        parent = each["parentTransaction"]
        if each["status"] != "SUCCESS":
            continue
        if each["kind"] in ("SALE", "CAPTURE"):
            left[each["id"]] = left.get(each["id"], Decimal(0)) + amount
            gateways[each["id"]] = each["gateway"]
        elif each["kind"] == "REFUND" and parent:
            left[parent["id"]] = left.get(parent["id"], Decimal(0)) - amount
    found = []
    for parent_id, gateway in gateways.items():
        part = min(missing, left[parent_id])
        if part > 0:
            missing -= part
            found.append(
                {
                    "orderId": order["id"],
                    "parentId": parent_id,
                    "gateway": gateway,
                    "kind": "REFUND",
                    "amount": f"{part:f}",
                }
            )
    if missing > 0:
        raise NotDone(f"less is left of its payments than is to be paid back: {missing:f} {currency} lack")
    return found


def _in_customers(effect: RefundAsked, order: Mapping[str, Any]) -> Decimal:
    """By the rate at which the shop booked the order, if the customer paid in another currency."""
    shop, customers = str(order["currencyCode"]), str(order["presentmentCurrencyCode"])
    amount = Decimal(effect.amount_minor).scaleb(-minor_digits(effect.currency))
    if effect.currency == customers:
        return amount
    total = order["totalPriceSet"]
    whole = Decimal(total["shopMoney"]["amount"])
    if effect.currency != shop or not whole:
        raise NotDone(f"it is to be paid back in {effect.currency}, and was paid in {customers}")
    rate = Decimal(total["presentmentMoney"]["amount"]) / whole
    return (amount * rate).quantize(Decimal(1).scaleb(-minor_digits(customers)), ROUND_HALF_UP)


# --- stock ----------------------------------------------------------------------------------------


async def tell_stock(shop: Shop, effect: StockLevel, location: str, key: str) -> ToldNow:
    """Sets what can be sold at the connection's location, unless the shop sold some of it a moment ago."""
    place = gid("Location", location)
    sku = effect.sku.replace("\\", "\\\\").replace("'", "\\'")
    found = (await shop.call(ITEMS, {"query": f"sku:'{sku}'", "location": place}))["inventoryItems"]["nodes"]
    items = [each for each in found if each["sku"] == effect.sku]  # it is found by words, too
    if not items:
        return ToldNow(note="the shop has no such SKU")
    notes = []
    for number, item in enumerate(items):
        notes.append(await _set_one(shop, item, max(0, effect.available), place, f"{key}-{number}"))
        policies = {each["inventoryPolicy"] for each in item["variants"]["nodes"]}
        if not effect.listed and "CONTINUE" in policies:
            notes.append("it goes on selling without stock: change that at its variant")
    return ToldNow(str(items[0]["id"]), "; ".join(dict.fromkeys(filter(None, notes))))


async def _set_one(shop: Shop, item: Mapping[str, Any], available: int, place: str, key: str) -> str:
    if not item["tracked"]:
        return "the shop does not count its stock"
    level = item["inventoryLevel"]
    if level is None:
        variables = {"item": item["id"], "location": place, "available": available, "key": key}
        problem = problem_of(await shop.call(ACTIVATE, variables), "inventoryActivate")
        if problem:
            raise NotDone(f"the shop does not keep it at the location: {problem}")
        return ""
    now = next((each["quantity"] for each in level["quantities"] if each["name"] == "available"), 0)
    if now == available:
        return ""
    quantity = {
        "inventoryItemId": item["id"],
        "locationId": place,
        "quantity": available,
        "changeFromQuantity": now,
    }
    wanted = {"name": "available", "reason": "correction", "quantities": [quantity]}
    answer = await shop.call(SET_STOCK, {"input": wanted, "key": f"{key}-{now}"})
    errors = answer["inventorySetQuantities"]["userErrors"]
    if any("STALE" in str(each.get("code")) for each in errors):
        raise TryLater(2.0)  # a customer was faster
    if errors:
        raise NotDone(f"the shop does not take the stock: {problem_of(answer, 'inventorySetQuantities')}")
    return ""
