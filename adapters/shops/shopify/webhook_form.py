"""An order that Shopify answers, as a webhook would tell it: GraphQL's names and shapes as those of the REST API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from adapters.edges.meaning import NotUnderstood
from adapters.shops.shopify.graphql import number_of


def rest_order(node: Mapping[str, Any]) -> dict[str, Any]:
    """An order of GraphQL as the REST API writes it. Raises NotUnderstood where it is not answered as it was asked."""
    try:
        return _rest_order(node)
    except (KeyError, TypeError, AttributeError) as error:
        raise NotUnderstood(f"orders: is not answered as it was asked ({error})") from error


def _rest_order(node: Mapping[str, Any]) -> dict[str, Any]:
    customer = node["customer"]
    return {
        "id": number_of(node["id"]),
        "name": node["name"],
        "test": node["test"],
        "created_at": node["createdAt"],
        "processed_at": node["processedAt"],
        "updated_at": node["updatedAt"],
        "cancelled_at": node["cancelledAt"],
        "cancel_reason": word(node["cancelReason"]),
        "financial_status": word(node["displayFinancialStatus"]),
        "fulfillment_status": word(node["displayFulfillmentStatus"]),
        "source_name": node["sourceName"],
        "taxes_included": node["taxesIncluded"],
        "duties_included": node["dutiesIncluded"],
        "currency": node["currencyCode"],
        "presentment_currency": node["presentmentCurrencyCode"],
        "email": node["email"],
        "phone": node["phone"],
        "note": node["note"],
        "customer_locale": node["customerLocale"],
        "payment_gateway_names": node["paymentGatewayNames"],
        "total_price": _shop_amount(node["totalPriceSet"]),
        "total_price_set": _money(node["totalPriceSet"]),
        "current_total_price": _shop_amount(node["currentTotalPriceSet"]),
        "current_total_price_set": _money(node["currentTotalPriceSet"]),
        "total_outstanding": _shop_amount(node["totalOutstandingSet"]),
        "original_total_duties_set": _money(node["originalTotalDutiesSet"]),
        "current_total_duties_set": _money(node["currentTotalDutiesSet"]),
        "current_total_additional_fees_set": _money(node["currentTotalAdditionalFeesSet"]),
        "customer": customer and _rest_customer(customer),
        "billing_address": _rest_place(node["billingAddress"]),
        "shipping_address": _rest_place(node["shippingAddress"]),
        "line_items": [_rest_line(each) for each in node["lineItems"]["nodes"]],
        "shipping_lines": [_rest_carriage(each) for each in node["shippingLines"]["nodes"]],
        "fulfillments": [_rest_parcel(each, number_of(node["id"])) for each in node["fulfillments"]],
        "refunds": [_rest_refund(each, number_of(node["id"])) for each in node["refunds"]],
    }


def word(text: str | None) -> str | None:
    return text.lower() if text else None


def _money(money: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if money is None:
        return None
    names = {"shop_money": "shopMoney", "presentment_money": "presentmentMoney"}
    there = {name: money[field] for name, field in names.items() if field in money}
    return {name: {"amount": each["amount"], "currency_code": each["currencyCode"]} for name, each in there.items()}


def _shop_amount(money: Mapping[str, Any] | None) -> str | None:
    return money["shopMoney"]["amount"] if money is not None else None


def _rest_customer(customer: Mapping[str, Any]) -> dict[str, Any]:
    email, phone = customer["defaultEmailAddress"], customer["defaultPhoneNumber"]
    return {
        "first_name": customer["firstName"],
        "last_name": customer["lastName"],
        "email": email and email["emailAddress"],
        "phone": phone and phone["phoneNumber"],
    }


def _rest_place(place: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if place is None:
        return None
    same = ("name", "company", "address1", "address2", "city", "zip", "province", "phone")
    return {
        **{name: place[name] for name in same},
        "first_name": place["firstName"],
        "last_name": place["lastName"],
        "province_code": place["provinceCode"],
        "country_code": place["countryCodeV2"],
    }


def _rest_taxes(taxes: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"price_set": _money(each["priceSet"])} for each in taxes]


def _rest_line(line: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": number_of(line["id"]),
        "sku": line["sku"],
        "title": line["title"],
        "variant_title": line["variantTitle"],
        "quantity": line["quantity"],
        "current_quantity": line["currentQuantity"],
        "requires_shipping": line["requiresShipping"],
        "gift_card": line["isGiftCard"],
        "price_set": _money(line["originalUnitPriceSet"]),
        "tax_lines": _rest_taxes(line["taxLines"]),
        "discount_allocations": [
            {"amount_set": _money(each["allocatedAmountSet"])} for each in line["discountAllocations"]
        ],
    }


def _rest_carriage(line: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": number_of(line["id"]) if line["id"] else None,
        "title": line["title"],
        "is_removed": line["isRemoved"],
        "price_set": _money(line["originalPriceSet"]),
        "discounted_price_set": _money(line["discountedPriceSet"]),
        "tax_lines": _rest_taxes(line["taxLines"]),
    }


def _rest_parcel(parcel: Mapping[str, Any], order_id: int) -> dict[str, Any]:
    tracking = parcel["trackingInfo"]
    return {
        "id": number_of(parcel["id"]),
        "order_id": order_id,
        "status": word(parcel["status"]),
        "created_at": parcel["createdAt"],
        "updated_at": parcel["updatedAt"],
        "tracking_company": tracking[0]["company"] if tracking else None,
        "tracking_numbers": [each["number"] for each in tracking],
        "line_items": [
            {"id": number_of(each["lineItem"]["id"]), "quantity": each["quantity"]}
            for each in parcel["fulfillmentLineItems"]["nodes"]
        ],
    }


def _rest_refund(refund: Mapping[str, Any], order_id: int) -> dict[str, Any]:
    return {
        "id": number_of(refund["id"]),
        "order_id": order_id,
        "created_at": refund["createdAt"],
        "note": refund["note"],
        "refund_line_items": [
            {
                "line_item_id": number_of(each["lineItem"]["id"]),
                "quantity": each["quantity"],
                "restock_type": word(each["restockType"]),
            }
            for each in refund["refundLineItems"]["nodes"]
        ],
        "transactions": [
            {
                "id": number_of(each["id"]),
                "kind": word(each["kind"]),
                "status": word(each["status"]),
                "processed_at": each["processedAt"],
                "amount": each["amountSet"]["shopMoney"]["amount"],
                "currency": each["amountSet"]["shopMoney"]["currencyCode"],
            }
            for each in refund["transactions"]["nodes"]
        ],
    }
