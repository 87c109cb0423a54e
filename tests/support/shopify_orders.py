"""Orders of Shopify as its webhooks write them, and what the ledger knows once they were placed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from adapters.edges.meaning import KnownNow
from fulfilment.v1 import orders_pb2, supplier_orders_pb2
from tests.support.shopify_payloads import became


def money(amount: str, currency: str = "EUR", customers: tuple[str, str] | None = None) -> dict[str, Any]:
    """In the shop's currency, and in the customer's if that is another."""
    shown = customers or (amount, currency)
    return {
        "shop_money": {"amount": amount, "currency_code": currency},
        "presentment_money": {"amount": shown[0], "currency_code": shown[1]},
    }


def line(line_id: int, sku: str, quantity: int = 1, price: str = "10.00", **changes: Any) -> dict[str, Any]:
    return {
        "id": line_id,
        "admin_graphql_api_id": f"gid://shopify/LineItem/{line_id}",
        "sku": sku,
        "title": sku.title(),
        "variant_title": None,
        "quantity": quantity,
        "current_quantity": quantity,
        "fulfillable_quantity": quantity,
        "requires_shipping": True,
        "gift_card": False,
        "grams": 300,
        "price": price,
        "price_set": money(price),
        "tax_lines": [],
        "discount_allocations": [],
        **changes,
    }


def place(**changes: Any) -> dict[str, Any]:
    return {
        "first_name": "Ann",
        "last_name": "Example",
        "name": "Ann Example",
        "company": None,
        "address1": "1 Elm Street",
        "address2": None,
        "city": "Berlin",
        "zip": "10115",
        "province": None,
        "province_code": None,
        "country": "Germany",
        "country_code": "DE",
        "phone": "+49 30 123456",
        **changes,
    }


def shopify_order(order_id: int, **changes: Any) -> dict[str, Any]:
    """A paid order of two cups at 9.90 and carriage of 4.90, as Shopify writes it."""
    lines = changes.pop("line_items", None) or [line(order_id * 10 + 1, "cup", 2, "9.90")]
    carriage = {
        "id": order_id * 10 + 9,
        "title": "Post",
        "price": "4.90",
        "price_set": money("4.90"),
        "discounted_price_set": money("4.90"),
        "is_removed": False,
        "tax_lines": [],
    }
    shipping = changes.pop("shipping_lines", [carriage])
    total = str(
        sum((Decimal(each["price"]) * each["quantity"] for each in lines), Decimal(0))
        + sum((Decimal(each["price"]) for each in shipping), Decimal(0))
    )
    whole = {
        "id": order_id,
        "admin_graphql_api_id": f"gid://shopify/Order/{order_id}",
        "name": f"#{order_id}",
        "test": False,
        "created_at": "2026-01-05T10:00:00+01:00",
        "processed_at": "2026-01-05T10:00:00+01:00",
        "updated_at": "2026-01-05T10:00:00+01:00",
        "cancelled_at": None,
        "cancel_reason": None,
        "financial_status": "paid",
        "fulfillment_status": None,
        "source_name": "web",
        "taxes_included": True,
        "duties_included": False,
        "currency": "EUR",
        "presentment_currency": "EUR",
        "email": "ann@example.org",
        "phone": None,
        "note": None,
        "customer_locale": "de-DE",
        "payment_gateway_names": ["shopify_payments"],
        "total_price": total,
        "total_price_set": money(total),
        "current_total_price": total,
        "current_total_price_set": money(total),
        "total_outstanding": "0.00",
        "original_total_duties_set": None,
        "current_total_duties_set": None,
        "current_total_additional_fees_set": None,
        "customer": {"first_name": "Ann", "last_name": "Example", "email": "ann@example.org", "phone": None},
        "billing_address": place(),
        "shipping_address": place(),
        "line_items": lines,
        "shipping_lines": shipping,
        "fulfillments": [],
        "refunds": [],
    }
    return whole | changes


def at_minute(order: Mapping[str, Any], minute: int, **changes: Any) -> dict[str, Any]:
    """The same order, changed so many minutes after it was placed."""
    return {**order, "updated_at": f"2026-01-05T10:{minute:02}:00+01:00", **changes}


def fulfilment(
    number: int, order_id: int, lines: Sequence[tuple[int, int]], tracking: str | None = "1Z999", **changes: Any
) -> dict[str, Any]:
    return {
        "id": number,
        "order_id": order_id,
        "status": "success",
        "created_at": "2026-01-06T10:00:00+01:00",
        "updated_at": "2026-01-06T10:00:00+01:00",
        "tracking_company": "UPS" if tracking else None,
        "tracking_number": tracking,
        "tracking_numbers": [tracking] if tracking else [],
        "line_items": [{"id": line_id, "quantity": quantity} for line_id, quantity in lines],
        **changes,
    }


def refund(
    number: int,
    order_id: int,
    amount: str | None,
    lines: Sequence[tuple[int, int, str]] = (),
    currency: str = "EUR",
    status: str = "success",
) -> dict[str, Any]:
    """Money, units, or both; each of the lines with what becomes of its units."""
    transaction = {
        "id": number * 10,
        "kind": "refund",
        "status": status,
        "amount": amount,
        "currency": currency,
        "processed_at": "2026-01-07T10:00:00+01:00",
    }
    return {
        "id": number,
        "order_id": order_id,
        "created_at": "2026-01-07T10:00:00+01:00",
        "note": None,
        "refund_line_items": [
            {"line_item_id": line_id, "quantity": quantity, "restock_type": what} for line_id, quantity, what in lines
        ],
        "transactions": [transaction] if amount is not None else [],
    }


def placed(order: Mapping[str, Any]) -> orders_pb2.PlaceOrderRequest:
    """As the ledger is asked to place it."""
    request = became("orders/create", order).wanted[0].request
    assert isinstance(request, orders_pb2.PlaceOrderRequest)
    return request


def known(order: Mapping[str, Any], *, at_supplier: bool = True, **changes: Any) -> orders_pb2.Order:
    """What the ledger shows of it right after; its units are at one supplier, or nowhere yet."""
    request = placed(order)
    order_id = f"main/{request.channel_order_id}"
    bucket = "assigned" if at_supplier else "open"
    lines = [
        orders_pb2.OrderLineState(
            line=each,
            units=orders_pb2.Buckets(**{bucket: each.quantity}),
            wanted=each.quantity,
            wanted_minor=each.total_minor,
        )
        for each in request.lines
    ]
    shares = [supplier_orders_pb2.Share(line_no=each.line_no, accepted=each.quantity) for each in request.lines]
    status = supplier_orders_pb2.SUPPLIER_ORDER_STATUS_ACCEPTED
    supplier_order = supplier_orders_pb2.SupplierOrder(
        supplier_order_id=f"{order_id}/1", supplier_id="acme", status=status, shares=shares
    )
    return orders_pb2.Order(
        order_id=order_id,
        status=orders_pb2.ORDER_STATUS_CONFIRMED,
        currency=request.currency,
        lines=lines,
        payment=request.payment,
        payments=request.payments,
        charges=request.charges,
        ship_to=orders_pb2.Address(country=request.ship_to.country, region=request.ship_to.region),
        supplier_orders=[supplier_order] if at_supplier else [],
        version=3,
        **changes,
    )


def knowing(order: orders_pb2.Order, before: Mapping[str, Any] | None = None, told: str = "") -> KnownNow:
    """A ledger that has this order, was told this of it last, and told the shop of what it calls so."""
    last = json.dumps(before).encode() if before is not None else None
    found = {f"order {order.order_id}": order, "before ": last, f"told {order.order_id}": told.encode()}
    return KnownNow(found, complete=True)
