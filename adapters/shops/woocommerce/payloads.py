"""What WooCommerce sends, as far as it is read: an order, as a webhook tells it and GET /orders/ID answers it.

PHP does not hold types dear: amounts come as text or numbers; what is absent as ``[]``, ``""``, null or false; lists of
which one was taken out as objects; times without a zone beside their ``_gmt`` twins, which alone are read.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from html import unescape

import msgspec

from adapters.edges import reading
from adapters.edges.meaning import NotUnderstood
from ledger.terms.money import MOST_MINOR, minor_digits

Loose = msgspec.Raw
"""Text or a number, whichever it is."""
_NOTHING = msgspec.Raw(b"null")


class WooPlace(msgspec.Struct, frozen=True):
    """Who and where, of a bill or a parcel."""

    first_name: str | None = ""
    last_name: str | None = ""
    company: str | None = ""
    address_1: str | None = ""
    address_2: str | None = ""
    city: str | None = ""
    state: str | None = ""
    postcode: str | None = ""
    country: str | None = ""
    email: str | None = ""
    phone: str | None = ""

    @property
    def name(self) -> str:
        return " ".join(reading.lines(self.first_name, self.last_name)) or reading.first(self.company)

    @property
    def has_address(self) -> bool:
        return bool(reading.first(self.address_1, self.city))


class LineItem(msgspec.Struct):
    """One line of goods; amounts are of all units, after discounts, without tax."""

    id: int
    name: str | None = ""
    quantity: Loose = _NOTHING
    sku: Loose = _NOTHING
    total: Loose = _NOTHING


class Extra(msgspec.Struct):
    """What is paid beside the goods: carriage or a fee, without tax."""

    id: int
    name: str | None = ""
    method_title: str | None = ""
    total: Loose = _NOTHING


class WooRefund(msgspec.Struct):
    """Money that went back; the total is below zero."""

    id: int
    total: Loose = _NOTHING


class WooOrder(msgspec.Struct):
    """An order."""

    id: int
    status: str
    currency: str = ""
    number: Loose = _NOTHING
    date_created_gmt: str | None = None
    date_modified_gmt: str | None = None
    date_paid_gmt: str | None = None
    total: Loose = _NOTHING
    total_tax: Loose = _NOTHING
    customer_note: str | None = ""
    billing: WooPlace = WooPlace()
    shipping: WooPlace = WooPlace()
    payment_method: str | None = ""
    line_items: list[LineItem] = []
    shipping_lines: list[Extra] = []
    fee_lines: list[Extra] = []
    refunds: list[WooRefund] = []

    @property
    def goes_to(self) -> WooPlace:
        """The address of the parcel; that of the bill where there is none of its own."""
        return self.shipping if self.shipping.has_address else self.billing


class OrderHead(msgspec.Struct):
    """The little that the door reads."""

    id: int
    date_modified_gmt: str | None = None


_LISTS = frozenset({"line_items", "shipping_lines", "fee_lines", "refunds"})
_PARTS = _LISTS | {"billing", "shipping"}
_ABSENT = frozenset({b"null", b'""', b"false", b"[]", b"{}"})


def woo_order(raw: bytes) -> WooOrder:
    """An order, once what PHP writes of absent and of thinned out parts is read as such. Raises NotUnderstood."""
    fields = reading.decoded(raw, dict[str, msgspec.Raw])
    whole = {name: value for name, value in fields.items() if name not in _PARTS or bytes(value) not in _ABSENT}
    for name in _LISTS & whole.keys():
        if bytes(whole[name])[:1] == b"{":
            rows = reading.decoded(bytes(whole[name]), dict[str, msgspec.Raw])
            whole[name] = msgspec.Raw(msgspec.json.encode(list(rows.values())))
    return reading.decoded(msgspec.json.encode(whole), WooOrder)


def text(value: Loose) -> str:
    """Text or a number as text; empty where there is nothing."""
    raw = bytes(value)
    if raw[:1] == b'"':
        return unescape(msgspec.json.decode(raw, type=str)).strip()
    return "" if raw == b"null" else raw.decode()


def number(value: Loose, field: str) -> Decimal:
    """Nothing is zero."""
    try:
        found = Decimal(text(value) or "0")
    except InvalidOperation:
        raise NotUnderstood(f"{field}: no number") from None
    if not found.is_finite() or abs(found) > MOST_MINOR:
        raise NotUnderstood(f"{field}: no amount that can be")
    return found


def minor(value: Loose, currency: str, field: str) -> int:
    """In minor units, rounded: lines are calculated with more digits than their currency has."""
    return int(number(value, field).scaleb(minor_digits(currency)).to_integral_value(ROUND_HALF_UP))


def units(value: Loose, field: str) -> int:
    found = number(value, field)
    if found != int(found) or found < 0:
        raise NotUnderstood(f"{field}: no whole number of units")
    if found > reading.MOST_UNITS:
        raise NotUnderstood(f"{field}: no number of units that can be")
    return int(found)


def at(value: str | None, field: str) -> datetime | None:
    return reading.instant(value, field, UTC) if value else None
