"""The facts of messages, and what a message is about."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from ledger.facts import Fact, Units, Value
from ledger.terms.money import Money


def stream(message_id: str) -> str:
    """message_id derives from what makes it due, such as ``dispatched-1234``."""
    return f"message-{message_id}"


class Audience(StrEnum):
    """Who is told."""

    CUSTOMER = "customer"
    SUPPLIER = "supplier"
    STAFF = "staff"


class MessageKind(StrEnum):
    """What is told. Each kind has one audience and a template in every language."""

    ORDER_CONFIRMED = "order_confirmed"
    DISPATCHED = "dispatched"
    DELAYED = "delayed"
    """In advance, and with the reason."""
    OUT_FOR_DELIVERY = "out_for_delivery"
    DELIVERED = "delivered"
    DISPATCH_INSTRUCTION = "dispatch_instruction"
    CANCEL_REQUEST = "cancel_request"
    REMINDER = "reminder"
    """Of a clock that runs out soon."""
    BREACH_NOTICE = "breach_notice"
    """To the supplier whose clock ran out."""
    BREACH_ALERT = "breach_alert"
    """To staff, of any clock."""
    PARCEL_ALERT = "parcel_alert"
    CASE_STEP = "case_step"
    """To the customer, of each step of a return case."""
    CASE_DUE = "case_due"
    """To staff: a customer has to be answered soon."""
    STOCK_ALERT = "stock_alert"
    """To staff: a level needs somebody."""
    LISTING = "listing"
    """To staff: a SKU is to be taken off sale everywhere, or put back."""
    ADDRESS_CHANGE = "address_change"
    """To a supplier that knows of the old one."""
    WAIT = "wait"
    """To a supplier that was instructed already: a hold stands."""
    GO_ON = "go_on"
    """To a supplier that was told to wait."""
    UNITS_CANCELLED = "units_cancelled"
    """To the customer: what will not be sent, what money comes back, and when that was paid."""
    INVOICE_DISPUTE = "invoice_dispute"
    """To the supplier: in what its invoice differs."""
    STOCK_UP_REQUEST = "stock_up_request"
    """To the supplier: what to have ready before a peak."""
    TRACKING_CORRECTED = "tracking_corrected"
    """To a customer that was told a wrong number: the right one."""
    NOT_DISPATCHED = "not_dispatched"
    """To a customer that was told that something had left: it has not."""
    ATTEMPT_FAILED = "attempt_failed"
    """To the customer: the carrier could not deliver."""
    READY_FOR_PICKUP = "ready_for_pickup"
    """To the customer: where the parcel waits, and until when."""
    CUSTOMS_REQUEST = "customs_request"
    """To the customer: customs waits for its payment."""
    LOST = "lost"
    """To the customer: the parcel is lost, and what happens now."""
    LAST_MILE = "last_mile"
    """To the customer: the number that its parcel goes on under."""
    QUESTION = "question"
    """To the supplier that is asked."""

    @property
    def audience(self) -> Audience:
        return _AUDIENCES.get(self, Audience.CUSTOMER)

    @property
    def is_urgent(self) -> bool:
        """Whether it goes at once, with all that waits of the same thread. Suppliers wait for nothing."""
        return self in _URGENT or self.audience is Audience.SUPPLIER


_AUDIENCES = {
    MessageKind.DISPATCH_INSTRUCTION: Audience.SUPPLIER,
    MessageKind.CANCEL_REQUEST: Audience.SUPPLIER,
    MessageKind.ADDRESS_CHANGE: Audience.SUPPLIER,
    MessageKind.WAIT: Audience.SUPPLIER,
    MessageKind.GO_ON: Audience.SUPPLIER,
    MessageKind.REMINDER: Audience.SUPPLIER,
    MessageKind.BREACH_NOTICE: Audience.SUPPLIER,
    MessageKind.INVOICE_DISPUTE: Audience.SUPPLIER,
    MessageKind.STOCK_UP_REQUEST: Audience.SUPPLIER,
    MessageKind.QUESTION: Audience.SUPPLIER,
    MessageKind.BREACH_ALERT: Audience.STAFF,
    MessageKind.PARCEL_ALERT: Audience.STAFF,
    MessageKind.CASE_DUE: Audience.STAFF,
    MessageKind.STOCK_ALERT: Audience.STAFF,
    MessageKind.LISTING: Audience.STAFF,
}
"""All others are for customers."""
_URGENT = frozenset({MessageKind.ORDER_CONFIRMED, MessageKind.OUT_FOR_DELIVERY, MessageKind.CASE_DUE})


class About(Value, frozen=True):
    """What a message is about; what does not apply is empty."""

    order_id: str = ""
    supplier_order_id: str = ""
    supplier_id: str = ""
    carrier: str = ""
    number: str = ""
    epoch: int = 0
    """Which use of the tracking number."""
    clock: str = ""
    """The clock that runs out or ran out."""
    due: datetime | None = None
    """When it does or did, or when what is late is expected."""
    because: str = ""
    """A word for the reason, which the template knows; never free text."""
    case_id: str = ""
    inquiry_id: str = ""
    recovery_id: str = ""
    sku: str = ""
    amount: Money | None = None
    """What the customer is refunded."""
    follows: str = ""
    """The message without which this one says nothing: what a supplier was told before it waits or goes on."""
    invoice_number: str = ""
    """Of an invoice of the supplier."""
    stock_up_id: str = ""
    figures: dict[str, int] = {}
    """Of a stock alert, such as what is available, as they were when it was raised."""
    last_mile: tuple[str, str] | None = None
    """The carrier and number that the parcel goes on under."""
    earlier: tuple[str, ...] = ()
    """What the customer may have been told of these goods before, the oldest first: what was said last of it counts."""
    further: Units = {}
    """Units that turned out to be in a parcel of which its reader was told before: the message is about them alone."""


def subject_of(about: About) -> str:
    """The one thing that a message is about: a case, else a supplier order or an order, else what else it names."""
    of_order = about.case_id or about.supplier_order_id or about.order_id or about.inquiry_id
    return of_order or about.number or about.stock_up_id or about.invoice_number or about.sku


def thread_of(audience: Audience, about: About) -> str:
    """Messages of one thread are steps of one object that the same people are told of: they keep their order.

    Suppliers know their supplier orders; everybody else knows the whole order.
    """
    of_order = audience is not Audience.SUPPLIER and not about.case_id and about.order_id
    return f"{audience} {about.supplier_id if audience is Audience.SUPPLIER else ''} {of_order or subject_of(about)}"


class MessageAsked(Fact, frozen=True, tag="message.asked"):
    """A message is to be sent: to whom, about what, in which language, by which version of its template."""

    message_id: str
    kind: MessageKind
    audience: Audience
    about: About
    recipient: str
    """What stands for the customer (its order), the supplier's id, or the role of staff; never an address."""
    language: str
    template_version: int
    caused_at: datetime
    """When the event happened that makes it due."""
    at: datetime
    cause: int = 0
    """Position of the fact that makes it due; 0 where time alone does."""
    not_before: datetime | None = None
    """Until then it waits for further steps of the same, which go in one mail with it."""
    own_template: bool = False
    """Whether template_version counts the templates that the retailer wrote, not those of the service."""


class MessageSent(Fact, frozen=True, tag="message.sent"):
    """A sender took it over."""

    message_id: str
    channel: str
    at: datetime
    reference: str = ""
    """The sender's own id of it."""
    mail_id: str = ""
    """Of the mail that it went out in."""


class MessageFailed(Fact, frozen=True, tag="message.failed"):
    """A sender did not take it; it is tried again at next_at."""

    message_id: str
    attempt: int
    error: str
    """A word for what went wrong."""
    next_at: datetime
    at: datetime
    answer: str = ""
    """What the other side said, without personal data."""
    mail_id: str = ""
    """Of the mail that was not taken."""


class MessageGivenUp(Fact, frozen=True, tag="message.given_up"):
    """It is not tried again unless a person asks for it."""

    message_id: str
    attempt: int
    error: str
    at: datetime
    answer: str = ""


class MessageRetried(Fact, frozen=True, tag="message.retried"):
    """It is tried again, now and as often as a new message: a person asked for it, or there is another address."""

    message_id: str
    by: str
    at: datetime


class MessageCancelled(Fact, frozen=True, tag="message.cancelled"):
    """It will not be sent: what it says is no longer true, or a person said so."""

    message_id: str
    because: str
    by: str
    at: datetime


class MessageNotNeeded(Fact, frozen=True, tag="message.not_needed"):
    """It was given up or came back, and nobody needs to be told it any more: what it says is no longer true."""

    message_id: str
    because: str
    at: datetime


class MessageBounced(Fact, frozen=True, tag="message.bounced"):
    """The mail that it went out in came back: it reached nobody."""

    message_id: str
    error: str
    """A word for what went wrong: ``bounced``, and the status if there was one."""
    answer: str
    """What the last mail server said, without personal data."""
    at: datetime
    mail_id: str = ""


MessageFact = (
    MessageAsked
    | MessageSent
    | MessageFailed
    | MessageGivenUp
    | MessageRetried
    | MessageCancelled
    | MessageBounced
    | MessageNotNeeded
)
