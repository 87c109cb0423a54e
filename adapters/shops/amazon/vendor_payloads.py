"""A purchase order as the vendor direct fulfilment API of 2021-12-28 answers it, as far as it is read."""

from __future__ import annotations

from decimal import Decimal

from adapters.edges.reading import Count
from adapters.shops.amazon.payloads import AmazonPayload


class VendorMoney(AmazonPayload):
    amount: Decimal | None = None
    currency_code: str | None = None


class _TaxLine(AmazonPayload):
    tax_amount: VendorMoney | None = None


class _Taxes(AmazonPayload):
    tax_line_item: list[_TaxLine] | None = None


class VendorParty(AmazonPayload):
    """A vendor or one of its warehouses, by its code."""

    party_id: str


class VendorAddress(AmazonPayload):
    name: str | None = None
    attention: str | None = None
    address_line1: str | None = None
    address_line2: str | None = None
    address_line3: str | None = None
    city: str | None = None
    county: str | None = None
    district: str | None = None
    state_or_region: str | None = None
    postal_code: str | None = None
    country_code: str | None = None
    phone: str | None = None


class _Quantity(AmazonPayload):
    amount: Count | None = None


class _Gift(AmazonPayload):
    gift_message: str | None = None
    gift_wrap_id: str | None = None


class VendorItem(AmazonPayload):
    item_sequence_number: str
    buyer_product_identifier: str | None = None
    vendor_product_identifier: str | None = None
    title: str | None = None
    ordered_quantity: _Quantity | None = None
    gift_details: _Gift | None = None
    net_price: VendorMoney | None = None


class _Dates(AmazonPayload):
    required_ship_date: str | None = None
    promised_delivery_date: str | None = None


class _Shipment(AmazonPayload):
    is_priority_shipment: bool | None = None
    is_gift: bool | None = None
    ship_method: str | None = None
    shipment_dates: _Dates | None = None


class VendorDetails(AmazonPayload):
    order_date: str
    selling_party: VendorParty
    ship_from_party: VendorParty
    ship_to_party: VendorAddress
    items: list[VendorItem]
    shipment_details: _Shipment
    order_status: str | None = None
    customer_order_number: str | None = None
    tax_total: _Taxes | None = None


class VendorOrder(AmazonPayload):
    """A purchase order; without its details it is not read."""

    purchase_order_number: str
    order_details: VendorDetails


class VendorHead(AmazonPayload):
    purchase_order_number: str
