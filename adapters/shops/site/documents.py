"""The documents of an own site: what they hold, as types, which are also their JSON Schema.

Names and units are those of the contract: amounts in minor units, times with an offset. ``null`` is as absent.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from ledger.terms.money import MOST_MINOR

_NO_CONTROLS = r"^(?![\s\S]*[\x00-\x1f\x7f-\x9f\u2028\u2029])"
_SOMETHING = _NO_CONTROLS + r"[\s\S]*\S"
_END = r"$(?!\n)"
"""The end also for readers to which it may stand before a last newline."""

Id = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:#+-]{0,99}" + _END,
        description="1 to 100 letters, digits and ._:#+-, starting with a letter or digit.",
    ),
]
OrderId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=100,
        pattern=_SOMETHING,
        description="The site's own id of the order, the same in every document about it.",
    ),
]
Name = Annotated[str, Meta(min_length=1, max_length=255, pattern=_SOMETHING)]
Word = Annotated[str, Meta(min_length=1, max_length=50, pattern=_SOMETHING)]
Line = Annotated[str, Meta(max_length=1000, pattern=_NO_CONTROLS)]
Note = Annotated[str, Meta(max_length=10_000)]
Instant = Annotated[datetime, Meta(tz=True)]
Amount = Annotated[
    int, Meta(ge=0, le=MOST_MINOR, description="In minor units of the currency, such as 1980 for 19.80 EUR.")
]
SignedAmount = Annotated[
    int,
    Meta(
        ge=-MOST_MINOR,
        le=MOST_MINOR,
        description="In minor units of the currency; of a discount 0 or below, of all else 0 or above.",
    ),
]
Units = Annotated[int, Meta(ge=1, le=1_000_000)]
Code = Annotated[str, Meta(pattern="^[A-Z]{3}" + _END, description="ISO 4217, such as EUR.", examples=["EUR"])]
Country = Annotated[
    str, Meta(pattern="^[A-Z]{2}" + _END, description="ISO 3166-1 alpha-2, such as DE.", examples=["DE"])
]
Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}" + _END, description="ISO 8601, such as 2026-01-12.")]


class _Document(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the site sends; a name that is misspelt is refused, and not lost."""


class SiteCustomer(_Document, frozen=True):
    """Who ordered. Without an e-mail address and a phone number the order waits until somebody adds one."""

    name: Line = ""
    email: Line = ""
    phone: Line = ""


class SiteAddress(_Document, frozen=True):
    """Where the parcels go. Without a country, and a street or town, the order waits."""

    lines: Annotated[list[Line], Meta(max_length=20, description="Street, house, floor: one entry a line.")] = []
    city: Line = ""
    region: Annotated[Line, Meta(description="State or province as written.")] = ""
    postal_code: Annotated[str, Meta(max_length=20, pattern=_NO_CONTROLS)] = ""
    country: Country | None = None


class SiteLine(_Document, frozen=True):
    """One line of what was sold."""

    sku: Annotated[Name, Meta(description="The retailer's own article number.")]
    quantity: Annotated[Units, Meta(description="Units that are wanted now: shipped ones too, cancelled ones not.")]
    line_id: Annotated[
        Name | None, Meta(description="The site's own id of the line, the same in all documents; its sku if not said.")
    ] = None
    title: Annotated[Line, Meta(description="What the site calls it.")] = ""
    unit_price_minor: Annotated[Amount, Meta(description="What one unit costs, in minor units.")] = 0
    total_minor: Annotated[
        Amount | None, Meta(description="What all units cost together, after discounts; quantity x price if not said.")
    ] = None
    supplier_id: Annotated[Id | None, Meta(description="The supplier that is to send it, if the site knows it.")] = None
    dispatch_by: Annotated[
        Instant | None, Meta(description="A deadline for its dispatch that the customer was promised.")
    ] = None
    hs_code: Annotated[
        str,
        Meta(
            max_length=20,
            pattern=r"^[0-9. ]*" + _END,
            description="Harmonized System code, 6 to 12 digits, for customs.",
        ),
    ] = ""
    origin: Annotated[Country | None, Meta(description="Country of origin, for customs.")] = None
    weight_grams: Annotated[int, Meta(ge=0, le=10**9, description="Net weight of one unit.")] = 0
    declared_value_minor: Annotated[
        Amount, Meta(description="What one unit is declared at customs for, where that is not its price.")
    ] = 0


class SiteCharge(_Document, frozen=True):
    """What the customer pays beside the lines."""

    charge_id: Annotated[Id, Meta(description="The site's own id of it, unique in the order.")]
    kind: Literal["shipping", "handling", "gift_wrap", "tax", "duty", "discount", "other"]
    amount_minor: SignedAmount
    title: Annotated[Line, Meta(description="What the customer reads.")] = ""


class SitePayment(_Document, frozen=True):
    """One movement of money. Kind and id tell payments apart: the same again is the same."""

    payment_id: Annotated[Id, Meta(description="The site's own id, or that of its payment service.")]
    kind: Literal["authorised", "captured", "voided", "failed", "refunded", "charged_back", "refund_returned"]
    amount_minor: Amount
    at: Annotated[Instant | None, Meta(description="When; the time of the document if not said.")] = None
    method: Annotated[str, Meta(max_length=50, pattern=_NO_CONTROLS, description="A word such as card.")] = ""
    of: Annotated[
        Id | None,
        Meta(description="The payment that it is about: the capture that was voided, the refund that bounced."),
    ] = None


class SiteInvoice(_Document, frozen=True):
    """That the customer wants an invoice, and whom it is made out to if not the customer."""

    name: Line = ""
    tax_id: Annotated[str, Meta(max_length=100, pattern=_NO_CONTROLS)] = ""
    address: Annotated[list[Line], Meta(max_length=20)] = []
    included_tax_basis_points: Annotated[
        int, Meta(ge=0, le=10_000, description="The tax that prices contain: 1900 for 19 %.")
    ] = 0


class SiteOrder(_Document, frozen=True):
    """An order as it is now, all of it: what differs from the document of before was changed."""

    order_id: OrderId
    currency: Annotated[Code, Meta(description="Of all its amounts, ISO 4217.")]
    lines: Annotated[list[SiteLine], Meta(min_length=1, max_length=1000)]
    placed_at: Annotated[
        Instant | None, Meta(description="When the customer ordered; the time of the first document if not said.")
    ] = None
    customer: SiteCustomer = field(default_factory=SiteCustomer)
    ship_to: SiteAddress = field(default_factory=SiteAddress)
    charges: Annotated[list[SiteCharge], Meta(max_length=100)] = []
    payments: Annotated[list[SitePayment], Meta(max_length=100, description="What moved of the money so far.")] = []
    payment: Annotated[
        Literal["pending", "authorised", "paid", "failed"] | None,
        Meta(description="Of a site that knows no amounts; payments go before it."),
    ] = None
    cash_on_delivery: Annotated[bool, Meta(description="Whether the carrier collects the money.")] = False
    priority: Literal["standard", "express"] = "standard"
    incoterm: Annotated[
        Literal["ddp", "dap"] | None,
        Meta(description="Who pays the duty across a customs border: ddp the seller, dap the customer."),
    ] = None
    promised_by: Annotated[
        Instant | None, Meta(description="The instant by which the customer was told that it arrives.")
    ] = None
    promised_day: Annotated[Day | None, Meta(description="The day instead.")] = None
    language: Annotated[
        str, Meta(max_length=20, pattern=r"^[A-Za-z0-9_-]*" + _END, description="The customer's, such as de or zh-CN.")
    ] = ""
    gift: Annotated[bool, Meta(description="No prices in the parcel.")] = False
    packing: Annotated[list[Word], Meta(max_length=20, description="What to pack with, such as gift_wrap.")] = []
    note: Annotated[Note, Meta(description="The customer's or the site's note.")] = ""
    tags: Annotated[list[Word], Meta(max_length=20, description="Words to find the order by; nothing personal.")] = []
    reservation_id: Annotated[Id | None, Meta(description="The stock that its checkout holds (ReserveStock).")] = None
    invoice: SiteInvoice | None = None


class SitePayments(_Document, frozen=True):
    """Money of an order that moved since."""

    order_id: OrderId
    payments: Annotated[list[SitePayment], Meta(min_length=1, max_length=100)]


class SiteUnits(_Document, frozen=True):
    """Units of one line."""

    line_id: Annotated[Name, Meta(description="As the order says it; the sku where it says none.")]
    units: Units


class SiteCancellation(_Document, frozen=True):
    """That an order, or units of it, are not wanted any more. What has left is not cancelled, but can come back."""

    order_id: OrderId
    lines: Annotated[
        list[SiteUnits], Meta(max_length=1000, description="All that is left of the order if none are named.")
    ] = []
    by: Annotated[Literal["customer", "retailer"], Meta(description="On whose wish.")] = "customer"
    reason: Annotated[
        str, Meta(max_length=100, pattern=_NO_CONTROLS, description="A word such as changed_mind; nothing personal.")
    ] = ""


class SiteRefund(_Document, frozen=True):
    """Money that the site paid back."""

    order_id: OrderId
    refund_id: Annotated[Id, Meta(description="The site's own id of the refund.")]
    amount_minor: Annotated[int, Meta(ge=1, le=MOST_MINOR, description="In minor units of the order's currency.")]
    method: Annotated[str, Meta(max_length=50, pattern=_NO_CONTROLS)] = ""


# --- the whole of what is sent --------------------------------------------------------------------

_WHEN = Meta(description="When it happened, or since when the order is as it is told: the same in repetitions.")


class OrderTold(_Document, frozen=True, tag_field="type", tag="order"):
    """An order, when it was placed and after each change."""

    timestamp: Annotated[datetime, Meta(tz=True), _WHEN]
    data: SiteOrder


class PaymentsTold(_Document, frozen=True, tag_field="type", tag="order.payment"):
    """Payments that came since, for a site that does not send the order again."""

    timestamp: Annotated[datetime, Meta(tz=True), _WHEN]
    data: SitePayments


class CancellationTold(_Document, frozen=True, tag_field="type", tag="order.cancellation"):
    """A cancellation, of the whole order or of some units."""

    timestamp: Annotated[datetime, Meta(tz=True), _WHEN]
    data: SiteCancellation


class RefundTold(_Document, frozen=True, tag_field="type", tag="order.refund"):
    """A refund."""

    timestamp: Annotated[datetime, Meta(tz=True), _WHEN]
    data: SiteRefund


Told = OrderTold | PaymentsTold | CancellationTold | RefundTold
KINDS: dict[str, type[OrderTold | PaymentsTold | CancellationTold | RefundTold]] = {
    "order": OrderTold,
    "order.payment": PaymentsTold,
    "order.cancellation": CancellationTold,
    "order.refund": RefundTold,
}
"""By the word in ``type``."""
