"""Effects: what a foreign system is told, in words of the ledger.

Each says how something is now, not what changed: the same told twice is told once, and what is newer replaces what is
older. None holds personal data.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from ledger.facts import Value


class ShopLine(Value, frozen=True):
    """Units of a line of an order, as the shop sold it: a bundle is one line, whatever it is made of."""

    line_no: int
    """As the order was placed with."""
    sku: str
    units: int
    channel_line_id: str = ""
    """The shop's own id of the line; empty where it did not say."""


class OrderStanding(Value, frozen=True, tag="order"):
    """How an order stands."""

    channel_order_id: str
    status: str
    """Such as ``confirmed``."""
    holds: tuple[str, ...] = ()
    """Why nothing of it is sent, such as ``incomplete``."""


class StandingHold(Value, frozen=True):
    """Why nothing of an order is sent, and who can end that."""

    reason: str
    """Such as ``fraud_review``."""
    owner: str


class HeldBack(Value, frozen=True, tag="hold"):
    """Which holds stand on the whole order; none once they are released."""

    channel_order_id: str
    holds: tuple[StandingHold, ...] = ()
    """Without those that the ledger places and releases by itself."""


class Fulfilment(Value, frozen=True, tag="fulfilment"):
    """A parcel of an order: what is in it, and under which number it travels."""

    channel_order_id: str
    """The shop's own id of the order."""
    parcel_no: int
    """From 1, in the order in which the shop is told of them; it stays when the tracking number is corrected."""
    lines: tuple[ShopLine, ...]
    """Empty for an order without lines, or where only a part of a bundle is in it."""
    carrier: str
    """Our name of it, such as ``dhl``."""
    tracking_number: str
    shipped_at: datetime
    tracking_url: str = ""
    """The carrier's page of it, where that is known."""
    completes: bool = False
    """Whether the order has no unit any more that is still to be sent."""
    withdrawn: bool = False
    """Whether it has not left after all; told only of a parcel that was told before."""


class Cancellation(Value, frozen=True, tag="cancellation"):
    """Units of an order that will not be sent."""

    channel_order_id: str
    lines: tuple[ShopLine, ...]
    """All that were cancelled up to now; those of before are in the effect that was told before."""
    whole: bool
    """Whether nothing of the order is sent, or was."""
    reason: str = ""
    """A code such as ``out_of_stock``; empty where none was given."""


class RefundAsked(Value, frozen=True, tag="refund"):
    """Money that the customer is to get back, which was granted here and not paid yet."""

    channel_order_id: str
    refund_id: str
    """Ours, unique in the connection."""
    amount_minor: int
    currency: str
    reason: str = ""
    """A code such as ``damaged``."""
    lines: tuple[ShopLine, ...] = ()
    """What it is for, where that is known."""
    case_id: str = ""
    """The case that it was granted in."""


class StockLevel(Value, frozen=True, tag="stock"):
    """How many units of a SKU can be sold now, over all suppliers."""

    sku: str
    available: int
    listed: bool = True
    """Whether it can be sold at all; no unit is available of one that is not."""


class FollowNumber(Value, frozen=True, tag="follow"):
    """A parcel that a tracking service is to follow."""

    carrier: str
    tracking_number: str
    country: str = ""
    """Of the destination, ISO 3166-1 alpha-2, where it is known."""


class TextMessage(Value, frozen=True, tag="text"):
    """A text message to the customer of an order; its words and the phone are worked out when it is sent."""

    order_id: str
    about: str
    """The kind of the message that it says in short, such as ``ready_for_pickup``."""


Effect = OrderStanding | HeldBack | Fulfilment | Cancellation | RefundAsked | StockLevel | FollowNumber | TextMessage


class EffectKind(StrEnum):
    """What can be told."""

    ORDER = "order"
    HOLD = "hold"
    FULFILMENT = "fulfilment"
    CANCELLATION = "cancellation"
    REFUND = "refund"
    STOCK = "stock"
    FOLLOW = "follow"
    TEXT = "text"


def kind_of(effect: Effect) -> EffectKind:
    return EffectKind(str(effect.__struct_config__.tag))
