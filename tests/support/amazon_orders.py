"""Orders and notifications as Amazon writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)
SELLER = "A3TH9S8BH6GOGM"
GERMANY = "A1PA6795UKMFR9"


def text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def amazon_order(order_id: str, **changes: Any) -> dict[str, Any]:
    """An order of two cups and carriage, as the API of 2026-01-01 answers it."""
    return {
        "orderId": order_id,
        "createdTime": "2026-01-05T09:00:00Z",
        "lastUpdatedTime": "2026-01-05T09:30:00Z",
        "programs": ["PRIME"],
        "salesChannel": {"channelName": "AMAZON", "marketplaceId": GERMANY, "marketplaceName": "Amazon.de"},
        "buyer": {"buyerName": "Ann Example", "buyerEmail": "x1@marketplace.amazon.de"},
        "recipient": {
            "deliveryAddress": {
                "name": "Ann Example",
                "addressLine1": "1 Elm Street",
                "city": "Berlin",
                "postalCode": "10115",
                "countryCode": "DE",
                "phone": "+49 30 123456",
            }
        },
        "proceeds": {
            "grandTotal": money("24.70"),
            "breakdowns": [
                {"type": "ITEM", "subtotal": money("19.80")},
                {"type": "SHIPPING", "subtotal": money("4.90")},
            ],
        },
        "fulfillment": {
            "fulfillmentStatus": "UNSHIPPED",
            "fulfilledBy": "MERCHANT",
            "fulfillmentServiceLevel": "STANDARD",
            "shipByWindow": {"latestDateTime": "2026-01-06T22:59:59Z"},
            "deliverByWindow": {"latestDateTime": "2026-01-08T22:59:59Z"},
        },
        "orderItems": [amazon_item("i-1", "cup", 2, "19.80")],
        **changes,
    }


def money(amount: str) -> dict[str, str]:
    return {"amount": amount, "currencyCode": "EUR"}


def amazon_item(item_id: str, sku: str, units: int, total: str, **changes: Any) -> dict[str, Any]:
    return {
        "orderItemId": item_id,
        "quantityOrdered": units,
        "product": {"asin": "B000", "title": sku.title(), "sellerSku": sku, "price": {"unitPrice": money(total)}},
        "proceeds": {"breakdowns": [{"type": "ITEM", "subtotal": money(total)}]},
        "fulfillment": {"quantityFulfilled": 0, "quantityUnfulfilled": units},
        **changes,
    }


def purchase_order(number: str, **changes: Any) -> dict[str, Any]:
    """What a vendor is to send to a customer of Amazon."""
    details = {
        "customerOrderNumber": "123-ABC",
        "orderDate": text(datetime.now(UTC) - timedelta(hours=1)),
        "orderStatus": "NEW",
        "shipmentDetails": {
            "isPriorityShipment": False,
            "isPslipRequired": True,
            "shipMethod": "UPS_2ND",
            "shipmentDates": {"requiredShipDate": "2026-02-21T00:00:00Z"},
            "messageToCustomer": "",
        },
        "sellingParty": {"partyId": "999US"},
        "shipFromParty": {"partyId": "ABCD"},
        "billToParty": {"partyId": "ABCD"},
        "shipToParty": {
            "name": "Ann Example",
            "addressLine1": "123 XYZ Street",
            "city": "San Jose",
            "stateOrRegion": "CA",
            "postalCode": "94086",
            "countryCode": "USA",
            "phone": "+1 408 555 0100",
        },
        "items": [
            {
                "itemSequenceNumber": "00001",
                "buyerProductIdentifier": "B07DFVDRAB",
                "vendorProductIdentifier": "cup",
                "title": "Cup",
                "orderedQuantity": {"amount": 2, "unitOfMeasure": "Each"},
                "netPrice": {"amount": "5.00", "currencyCode": "USD"},
            }
        ],
        **changes,
    }
    return {"purchaseOrderNumber": number, "orderDetails": details}


def notification(
    order_id: str, notification_id: str, at: str, *, camel: bool = False, **summary: Any
) -> dict[str, Any]:
    """ORDER_CHANGE, in the spelling of old or of new kinds of notifications."""
    told = {
        "NotificationVersion": "1.0",
        "NotificationType": "ORDER_CHANGE",
        "PayloadVersion": "1.0",
        "EventTime": at,
        "Payload": {
            "OrderChangeNotification": {
                "NotificationLevel": "OrderLevel",
                "SellerId": SELLER,
                "AmazonOrderId": order_id,
                "OrderChangeType": "OrderStatusChange",
                "OrderChangeTrigger": {"TimeOfOrderChange": at, "ChangeReason": "Status"},
                "Summary": {"MarketplaceId": GERMANY, "OrderStatus": "Unshipped", "FulfillmentType": "MFN", **summary},
            }
        },
        "NotificationMetadata": {
            "ApplicationId": "app-1",
            "SubscriptionId": "sub-1",
            "PublishTime": at,
            "NotificationId": notification_id,
        },
    }
    return _camel(told) if camel else told


def _camel(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name[0].lower() + name[1:]: _camel(inner) for name, inner in value.items()}
