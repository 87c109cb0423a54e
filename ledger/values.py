"""The values facts are made of: instants, money, places, ids, sealed personal data.

Everything here is frozen, compares by value, and is stored as JSON inside facts, so a field once
stored is never renamed. New knowledge is a new optional field.
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import NewType

import msgspec

from ledger.currencies import amount

LineNo = NewType("LineNo", int)
"""The number of an order line, from 1, as the shop numbered them."""

Units = dict[LineNo, int]
"""How many units of each line; every count is at least 1."""

Change = tuple[str, "Fact"]
"""A fact and the stream it belongs to: what a decision returns a list of."""


class Value(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A part of a fact: compared by value, stored as a JSON object without its default fields.

    gc=False keeps the garbage collector from walking them: what is frozen and made of older values
    is never part of a cycle, and a busy ledger has millions.
    """


class Fact(Value, frozen=True, tag_field="fact", tag=""):
    """Something that happened. Stored under its tag, a stable name such as ``order.placed``."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd about it, in sentences: whoever recorded it is told so in the answer. Some facts keep them."""
        return ()

    @classmethod
    def fact_name(cls) -> str:
        """The stable name under which this shape is stored."""
        return str(cls.__struct_config__.tag)


def to_minute(at: datetime) -> str:
    """An instant in UTC as people read it; programs get it whole."""
    return f"{at:%Y-%m-%d %H:%M}Z"


MOST_MINOR = 10**15
"""The largest amount that is taken, and the largest total of an order or a recovery, in minor units.

Ten trillion euros, and still millions of dollars in rials. A sum of 9,000 of them fits 64 bits.
"""


class Money(Value, frozen=True):
    """An amount in minor units (cents, fen, yen) of an ISO 4217 currency."""

    amount_minor: int
    currency: str

    def __str__(self) -> str:
        return f"{amount(self.amount_minor, self.currency)} {self.currency}"


def in_64_bits(amount_minor: int) -> int:
    """The amount, or the nearest that 64 bits hold: what sums and products of amounts are kept and answered as.

    Facts of before amounts were bounded come to more, and so do enough orders of the largest amounts.
    """
    return max(-(2**63), min(amount_minor, 2**63 - 1))


def round_half_up(dividend: int, divisor: int) -> int:
    """The quotient of two numbers that are not negative, in whole minor units; a half goes up."""
    return (2 * dividend + divisor) // (2 * divisor)


class Destination(Value, frozen=True):
    """The part of an address that decisions and reports need; the rest is sealed."""

    country: str = ""
    """ISO 3166-1 alpha-2, upper case; empty when the shop did not say."""
    region: str = ""
    """State or province, as the shop wrote it."""
    postal_prefix: str = ""
    """The first characters of the postal code, too few to find a house."""


class Sealed(Value, frozen=True):
    """Personal data encrypted under a key of its own; unreadable once that key is destroyed."""

    key_id: str
    """Names the row of the key in the tenant's key table."""
    box: bytes
    """AES-256-GCM: 12 bytes nonce, then ciphertext and tag; stored as base64."""


class Priority(StrEnum):
    """How fast the customer was told that it goes out; picks the dispatch clock."""

    STANDARD = "standard"
    EXPRESS = "express"


class Party(StrEnum):
    """Who asks, who is obliged, who is to pay or to blame."""

    CUSTOMER = "customer"
    RETAILER = "retailer"
    SUPPLIER = "supplier"
    CARRIER = "carrier"


class Incoterm(StrEnum):
    """Who pays the duty when goods cross a border."""

    DDP = "ddp"
    """Delivered, duty paid: the seller."""
    DAP = "dap"
    """Delivered at place: the buyer, who was told so. DDU is its old name."""


# --- names of streams -------------------------------------------------------------------------

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:#+-]{0,99}")


def is_plain_id(text: str) -> bool:
    """Whether text may be an id: 1 to 100 letters, digits and ``._:#+-``, no slash, no space."""
    return _PLAIN.fullmatch(text) is not None


def is_sku(text: str) -> bool:
    """Whether text may be a SKU: 1 to 255 printable characters, not starting or ending in space."""
    return 0 < len(text) <= 255 and text.isprintable() and text == text.strip()


def order_stream(order_id: str) -> str:
    """order_id is ``channel/number``, such as ``shopify/1001``."""
    return f"order-{order_id}"


def stock_stream(supplier_id: str, sku: str) -> str:
    return f"stock-{supplier_id}/{sku}"


def supplier_stream(supplier_id: str) -> str:
    return f"supplier-{supplier_id}"


def sku_stream(sku: str) -> str:
    """Who offers the SKU."""
    return f"sku-{sku}"


def parcel_stream(carrier: str, number: str) -> str:
    return f"parcel-{carrier}/{number}"


def recovery_stream(recovery_id: str) -> str:
    return f"recovery-{recovery_id}"


def inquiry_stream(inquiry_id: str) -> str:
    return f"inquiry-{inquiry_id}"


def message_stream(message_id: str) -> str:
    """message_id derives from what makes it due, such as ``dispatched-1234``."""
    return f"message-{message_id}"


def case_stream(case_id: str) -> str:
    """case_id is a plain id that after-sales gives."""
    return f"case-{case_id}"


def task_stream(task_id: str) -> str:
    """task_id derives from what raised the work, such as ``hold-shop/1001/fraud_review/...``."""
    return f"task-{task_id}"


def policy_stream() -> str:
    """The retailer's own terms: one stream a tenant."""
    return "policy-retailer"


def order_of(supplier_order_id: str) -> str:
    """The order a supplier order ``channel/number/n`` belongs to."""
    return supplier_order_id.rpartition("/")[0]
