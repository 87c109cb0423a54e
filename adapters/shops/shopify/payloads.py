"""What Shopify sends, as far as it is read: orders, refunds, fulfilments, returns, and what it asks about people.

Webhooks write these as the REST API does. What the GraphQL API answers is written in the same way before it is kept, so
that there is one spelling. Money is read in the shop's own currency; ids are beyond what a JavaScript number holds.
"""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec

from adapters.edges import reading
from adapters.edges.meaning import NotUnderstood
from ledger.terms.money import MOST_MINOR, minor_digits


class Amount(msgspec.Struct, frozen=True):
    """So much of a currency."""

    amount: Decimal = Decimal(0)
    currency_code: str = ""


class MoneySet(msgspec.Struct, frozen=True):
    """The same in the shop's currency and in the customer's."""

    shop_money: Amount = Amount()
    presentment_money: Amount = Amount()


class ShopifyPlace(msgspec.Struct):
    """Who and where, of a bill or a parcel."""

    first_name: str | None = None
    last_name: str | None = None
    name: str | None = None
    company: str | None = None
    address1: str | None = None
    address2: str | None = None
    city: str | None = None
    zip: str | None = None
    province: str | None = None
    province_code: str | None = None
    country_code: str | None = None
    phone: str | None = None

    @property
    def full_name(self) -> str:
        return " ".join(reading.lines(self.first_name, self.last_name)) or reading.first(self.name, self.company)


class ShopifyCustomer(msgspec.Struct):
    """Who has an account in the shop, or was given one."""

    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None


class ShopifyTax(msgspec.Struct):
    """Tax on a line, of all its units."""

    price: Decimal | None = None
    price_set: MoneySet | None = None


class ShopifyDiscount(msgspec.Struct):
    """What of a discount falls on a line, of all its units."""

    amount: Decimal | None = None
    amount_set: MoneySet | None = None


class ShopifyLine(msgspec.Struct):
    """One line of an order. The quantity never falls; the current one does, by edits and refunds."""

    id: int
    quantity: int = 0
    current_quantity: int | None = None
    sku: str | None = None
    title: str | None = None
    variant_title: str | None = None
    requires_shipping: bool | None = True
    gift_card: bool | None = False
    price: Decimal | None = None
    price_set: MoneySet | None = None
    tax_lines: list[ShopifyTax] = []
    discount_allocations: list[ShopifyDiscount] = []

    @property
    def is_sent(self) -> bool:
        """Whether there is something to send: neither a gift card, nor a download, nor a tip."""
        return self.requires_shipping is not False and not self.gift_card

    @property
    def current(self) -> int:
        return self.quantity if self.current_quantity is None else self.current_quantity


class ShopifyCarriage(msgspec.Struct):
    """What the customer pays for sending."""

    id: int | None = None
    title: str | None = None
    price: Decimal | None = None
    price_set: MoneySet | None = None
    discounted_price: Decimal | None = None
    discounted_price_set: MoneySet | None = None
    is_removed: bool | None = False
    tax_lines: list[ShopifyTax] = []


class SentLine(msgspec.Struct):
    """So many units of a line of the order in a parcel."""

    id: int
    quantity: int = 0


class ShopifyParcel(msgspec.Struct):
    """A fulfilment: what somebody has sent, or says so."""

    id: int
    order_id: int | None = None
    status: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    tracking_company: str | None = None
    tracking_number: str | None = None
    tracking_numbers: list[str | None] = []
    line_items: list[SentLine] = []

    @property
    def numbers(self) -> list[str]:
        found = [each.strip() for each in (*self.tracking_numbers, self.tracking_number) if each and each.strip()]
        return list(dict.fromkeys(found))


class GivenBack(msgspec.Struct):
    """Units that a refund is for."""

    line_item_id: int
    quantity: int = 0
    restock_type: str | None = None


class ShopifyTransaction(msgspec.Struct):
    """A movement of money."""

    id: int
    kind: str | None = None
    status: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    processed_at: str | None = None
    created_at: str | None = None


class ShopifyRefund(msgspec.Struct):
    """Money that went back, or units that are not wanted any more, or both."""

    id: int
    order_id: int | None = None
    created_at: str | None = None
    note: str | None = None
    refund_line_items: list[GivenBack] = []
    transactions: list[ShopifyTransaction] = []


class ShopifyOrder(msgspec.Struct):
    """An order."""

    id: int
    currency: str = ""
    name: str | None = None
    created_at: str | None = None
    processed_at: str | None = None
    updated_at: str | None = None
    cancelled_at: str | None = None
    cancel_reason: str | None = None
    financial_status: str | None = None
    fulfillment_status: str | None = None
    source_name: str | None = None
    test: bool | None = False
    taxes_included: bool | None = False
    duties_included: bool | None = False
    presentment_currency: str | None = None
    total_price: Decimal | None = None
    total_price_set: MoneySet | None = None
    current_total_price: Decimal | None = None
    current_total_price_set: MoneySet | None = None
    total_outstanding: Decimal | None = None
    original_total_duties_set: MoneySet | None = None
    current_total_duties_set: MoneySet | None = None
    current_total_additional_fees_set: MoneySet | None = None
    email: str | None = None
    phone: str | None = None
    note: str | None = None
    customer_locale: str | None = None
    payment_gateway_names: list[str] = []
    customer: ShopifyCustomer | None = None
    billing_address: ShopifyPlace | None = None
    shipping_address: ShopifyPlace | None = None
    line_items: list[ShopifyLine] = []
    shipping_lines: list[ShopifyCarriage] = []
    fulfillments: list[ShopifyParcel] = []
    refunds: list[ShopifyRefund] = []

    @property
    def goods(self) -> list[ShopifyLine]:
        return [line for line in self.line_items if line.is_sent]


class OrderEdit(msgspec.Struct):
    order_id: int


class OfOrder(msgspec.Struct):
    """The order that something is about."""

    id: int


class ReturnedFrom(msgspec.Struct):
    line_item: OfOrder


class ReturnLine(msgspec.Struct):
    """Units that the customer wants to give back, and why."""

    fulfillment_line_item: ReturnedFrom | None = None
    quantity: int = 0
    return_reason: str | None = None
    customer_note: str | None = None


class ShopifyReturn(msgspec.Struct):
    """A return that a customer asked for, or whose state changed."""

    id: int
    status: str | None = None
    order: OfOrder | None = None
    order_id: int | None = None
    return_line_items: list[ReturnLine] = []

    @property
    def of(self) -> int | None:
        return self.order.id if self.order is not None else self.order_id


HANDLE = "fulfilment-ledger"
"""By which a hold in the shop is known that the ledger told of."""


class ShopifyHold(msgspec.Struct):
    handle: str | None = None
    reason: str | None = None
    reason_notes: str | None = None


class FulfilmentOrder(msgspec.Struct):
    """What one location is to send of an order. Webhooks name it without its order; whoever asks is told both."""

    id: int
    order_id: int | None = None
    status: str | None = None
    request_status: str | None = None
    updated_at: str | None = None
    fulfillment_holds: list[ShopifyHold] = []

    @property
    def is_held_here(self) -> bool:
        """Whether the ledger alone wants it to wait."""
        return bool(self.fulfillment_holds) and all(each.handle == HANDLE for each in self.fulfillment_holds)


class PersonOfShop(msgspec.Struct):
    email: str | None = None
    phone: str | None = None


class Redaction(msgspec.Struct):
    """OfOrder data is to be erased, or handed out."""

    customer: PersonOfShop | None = None
    orders_to_redact: list[int] = []


class DeliveryHead(msgspec.Struct):
    """The little that the door reads of whatever it is."""

    id: int | str | None = None
    order_id: int | str | None = None
    updated_at: str | None = None
    order: OfOrder | None = None
    order_edit: OrderEdit | None = None


# --- reading it -----------------------------------------------------------------------------------


def in_shop(money: MoneySet | None, plain: Decimal | None = None) -> Decimal:
    """In the shop's currency; payloads of before 2018 have the plain figure alone."""
    if money is not None:
        return money.shop_money.amount
    return plain if plain is not None else Decimal(0)


def whole_minor(amount: Decimal, currency: str, field: str) -> int:
    """In minor units, rounded: shares of a line have more digits than their currency."""
    if not amount.is_finite() or abs(amount) > MOST_MINOR:
        raise NotUnderstood(f"{field}: no amount that can be")
    return int(amount.scaleb(minor_digits(currency)).to_integral_value(ROUND_HALF_UP))


def units(count: int, field: str) -> int:
    if not 0 <= count <= reading.MOST_UNITS:
        raise NotUnderstood(f"{field}: no number of units that can be")
    return count


def at(text: str | None, field: str) -> datetime | None:
    return reading.instant(text, field) if text else None


def required_at(text: str | None, field: str) -> datetime:
    found = at(text, field)
    if found is None:
        raise NotUnderstood(f"{field}: is missing")
    return found


def state_of(order: ShopifyOrder) -> bytes:
    """What shows that a webhook and an answer tell the same state: Shopify's second of change, and what it may change.

    The two spellings differ in much that does not matter, so that only what is told apart by it is compared.
    """
    place = order.shipping_address or ShopifyPlace()
    parts: list[Any] = [
        *(order.id, at(order.updated_at, "updated_at"), order.financial_status, at(order.cancelled_at, "cancelled_at")),
        [(line.id, line.current) for line in sorted(order.line_items, key=lambda each: each.id)],
        in_shop(order.current_total_price_set or order.total_price_set, order.current_total_price).normalize(),
        sorted((parcel.id, parcel.status, parcel.numbers) for parcel in order.fulfillments),
        sorted(each.id for refund in order.refunds for each in refund.transactions if each.status == "success"),
        [place.full_name, place.address1, place.address2, place.city, place.zip, place.country_code],
    ]
    return msgspec.json.encode([str(each) for each in parts])
