"""What an order costs beside its lines, and what was paid for it: values that its facts are made of."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from ledger.facts import Value
from ledger.terms.money import Money


class ChargeKind(StrEnum):
    """What the customer pays for beside the goods."""

    SHIPPING = "shipping"
    HANDLING = "handling"
    GIFT_WRAP = "gift_wrap"
    TAX = "tax"
    """Tax that the prices do not contain."""
    DUTY = "duty"
    DISCOUNT = "discount"
    """Taken off the whole order: the only kind below zero."""
    OTHER = "other"


class Charge(Value, frozen=True):
    """One such amount, in the order's currency."""

    charge_id: str
    """The shop's own name of it, unique in the order, such as ``shipping``."""
    kind: ChargeKind
    amount_minor: int
    title: str = ""


class PaymentKind(StrEnum):
    """What happened to money."""

    AUTHORISED = "authorised"
    """Reserved, not taken."""
    CAPTURED = "captured"
    """Taken: it came in."""
    VOIDED = "voided"
    """What was reserved was given free, or what was taken was taken back before it was settled."""
    FAILED = "failed"
    REFUNDED = "refunded"
    """The shop paid money back."""
    CHARGED_BACK = "charged_back"
    """A bank took it back. It is recorded as ``ChargebackRecorded``."""
    REFUND_RETURNED = "refund_returned"
    """A refund bounced: the money is here again, and owed again."""


class PaymentState(StrEnum):
    """The state of the payment, as the shop reports it or as the amounts that are known tell."""

    UNKNOWN = "unknown"
    PENDING = "pending"
    AUTHORISED = "authorised"
    PARTLY_PAID = "partly_paid"
    """Less came in than it costs."""
    PAID = "paid"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"
    FAILED = "failed"


PaymentKey = tuple[PaymentKind, str]
"""By which payments are told apart: the kind and the id."""


class Payment(Value, frozen=True):
    """One movement of money as its source knows it; told apart by its kind and id."""

    payment_id: str
    kind: PaymentKind
    amount: Money
    at: datetime
    method: str = ""
    """A word such as ``card``."""
    of: str = ""
    """The payment that it is about: the capture that was voided, the refund that bounced."""

    @property
    def key(self) -> PaymentKey:
        return (self.kind, self.payment_id)
