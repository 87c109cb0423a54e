"""An order as the Orders API of 2026-01-01 answers it, as far as it is read."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from adapters.edges import reading
from adapters.edges.meaning import NotUnderstood
from adapters.edges.reading import Count


class AmazonPayload(msgspec.Struct, rename="camel"):
    """What Amazon writes in camel case; what it leaves out is None."""


class AmazonMoney(AmazonPayload):
    amount: Decimal
    currency_code: str

    def minor(self, currency: str, field: str) -> int:
        """In minor units of the order's currency, which all its amounts are in."""
        if self.currency_code != currency:
            raise NotUnderstood(f"{field}: of another currency than the order")
        return reading.minor(self.amount, currency, field)


class AmazonBreakdown(AmazonPayload):
    """One kind of what a seller receives."""

    type: str
    subtotal: AmazonMoney
    status: str | None = None


class _OrderProceeds(AmazonPayload):
    grand_total: AmazonMoney | None = None
    breakdowns: list[AmazonBreakdown] | None = None


class _ItemProceeds(AmazonPayload):
    breakdowns: list[AmazonBreakdown] | None = None


class _Price(AmazonPayload):
    unit_price: AmazonMoney | None = None


class _Product(AmazonPayload):
    asin: str | None = None
    title: str | None = None
    seller_sku: str | None = None
    price: _Price | None = None


class _CancellationRequest(AmazonPayload):
    requester: str | None = None


class _CancellationExecution(AmazonPayload):
    cancelled_by: str | None = None


class _Cancellation(AmazonPayload):
    cancellation_request: _CancellationRequest | None = None
    cancellation_execution: _CancellationExecution | None = None


class _GiftOption(AmazonPayload):
    gift_message: str | None = None
    gift_wrap_level: str | None = None


class _Packing(AmazonPayload):
    gift_option: _GiftOption | None = None


class _Window(AmazonPayload):
    latest_date_time: str | None = None

    def latest(self, field: str) -> datetime | None:
        return reading.instant(self.latest_date_time, field) if self.latest_date_time else None


class _InternationalShipping(AmazonPayload):
    ioss_number: str | None = None


class _ItemShipping(AmazonPayload):
    scheduled_delivery_window: _Window | None = None
    shipping_constraints: dict[str, str] | None = None
    international_shipping: _InternationalShipping | None = None


class _ItemFulfillment(AmazonPayload):
    quantity_fulfilled: Count | None = None
    packing: _Packing | None = None
    shipping: _ItemShipping | None = None


class AmazonItem(AmazonPayload):
    """A line: so many of one product."""

    order_item_id: str
    quantity_ordered: Count
    product: _Product
    proceeds: _ItemProceeds | None = None
    cancellation: _Cancellation | None = None
    fulfillment: _ItemFulfillment | None = None

    @property
    def sent(self) -> int:
        return (self.fulfillment.quantity_fulfilled or 0) if self.fulfillment else 0

    @property
    def cancelled_by(self) -> str:
        """Who has cancelled it, if somebody has."""
        executed = self.cancellation.cancellation_execution if self.cancellation else None
        return (executed.cancelled_by or "AMAZON") if executed else ""

    @property
    def still(self) -> int:
        """The units that the buyer gets, or got."""
        return self.sent if self.cancelled_by else max(self.quantity_ordered, 0)

    @property
    def is_to_be_cancelled(self) -> bool:
        """Whether the buyer has asked for that, and nobody has answered."""
        asked = self.cancellation.cancellation_request if self.cancellation else None
        return asked is not None and asked.requester == "BUYER" and not self.cancelled_by and self.sent < self.still

    @property
    def gift(self) -> _GiftOption | None:
        packing = self.fulfillment.packing if self.fulfillment else None
        return packing.gift_option if packing else None

    @property
    def shipping(self) -> _ItemShipping:
        return (self.fulfillment.shipping if self.fulfillment else None) or _ItemShipping()

    @property
    def constraints(self) -> list[str]:
        """What has to be kept to on the way, in Amazon's words."""
        return [name for name, how in (self.shipping.shipping_constraints or {}).items() if how == "MANDATORY"]


class AmazonAddress(AmazonPayload):
    name: str | None = None
    company_name: str | None = None
    address_line1: str | None = None
    address_line2: str | None = None
    address_line3: str | None = None
    city: str | None = None
    district_or_county: str | None = None
    state_or_region: str | None = None
    municipality: str | None = None
    postal_code: str | None = None
    country_code: str | None = None
    phone: str | None = None


class _DeliveryPreference(AmazonPayload):
    drop_off_location: str | None = None
    address_instruction: str | None = None


class _Recipient(AmazonPayload):
    delivery_address: AmazonAddress | None = None
    delivery_preference: _DeliveryPreference | None = None


class _Buyer(AmazonPayload):
    buyer_name: str | None = None
    buyer_email: str | None = None
    buyer_purchase_order_number: str | None = None


class _SalesChannel(AmazonPayload):
    marketplace_id: str | None = None


class _AssociatedOrder(AmazonPayload):
    order_id: str | None = None
    association_type: str | None = None


class _PaymentExecution(AmazonPayload):
    payment_method: str | None = None


class _OrderPayment(AmazonPayload):
    payment_executions: list[_PaymentExecution] | None = None


class _OrderFulfillment(AmazonPayload):
    fulfillment_status: str
    fulfilled_by: str | None = None
    fulfillment_service_level: str | None = None
    ship_by_window: _Window | None = None
    deliver_by_window: _Window | None = None


class _PackageItem(AmazonPayload):
    order_item_id: str
    quantity: Count


class AmazonPackage(AmazonPayload):
    """A parcel that Amazon was told of."""

    package_reference_id: str
    tracking_number: str | None = None
    package_items: list[_PackageItem] | None = None


class AmazonOrder(AmazonPayload):
    """An order."""

    order_id: str
    created_time: str
    last_updated_time: str
    sales_channel: _SalesChannel
    order_items: list[AmazonItem]
    programs: list[str] | None = None
    associated_orders: list[_AssociatedOrder] | None = None
    buyer: _Buyer | None = None
    recipient: _Recipient | None = None
    proceeds: _OrderProceeds | None = None
    payment: _OrderPayment | None = None
    fulfillment: _OrderFulfillment | None = None
    packages: list[AmazonPackage] | None = None

    @property
    def address(self) -> AmazonAddress | None:
        return self.recipient.delivery_address if self.recipient else None


class AmazonHead(AmazonPayload):
    """The little that is read of an order when it is kept."""

    order_id: str
    last_updated_time: str
