"""Messages: what is told to customers, suppliers and staff, each once (DOMAIN 8).

A message's id derives from what makes it due, so that the same thing is told at most once however
often it is noticed. The text is made from a template and from data that is unsealed at that moment;
recorded are only the recipient, what it is about, and the outcome.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import takewhile
from typing import assert_never
from zlib import crc32

from msgspec.structs import replace

from ledger.facts import Fact, Units, Value
from ledger.nouns.policies import Policy
from ledger.refusals import Forbidden, NotFound
from ledger.terms.money import Money
from ledger.view import View, noun


def stream(message_id: str) -> str:
    """message_id derives from what makes it due, such as ``dispatched-1234``."""
    return f"message-{message_id}"


def find(view: View, message_id: str) -> Message | None:
    found: Message | None = view.state(stream(message_id))
    return found


# --- facts ----------------------------------------------------------------------------------------


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

# --- state ----------------------------------------------------------------------------------------


class MessageStage(StrEnum):
    """How far a message is."""

    ASKED = "asked"
    FAILED = "failed"
    """It is tried again."""
    SENT = "sent"
    GIVEN_UP = "given_up"
    CANCELLED = "cancelled"
    BOUNCED = "bounced"
    """It was sent, and came back."""


class Message(Value, frozen=True):
    """A message, folded from its facts."""

    asked: MessageAsked
    stage: MessageStage
    next_at: datetime | None
    """When it is to be tried; None while it is not."""
    attempts: int = 0
    """How often it failed since a person last asked for it."""
    error: str = ""
    """What went wrong the last time."""
    answer: str = ""
    """What the other side said about it."""
    channel: str = ""
    reference: str = ""
    sent_at: datetime | None = None
    given_up_at: datetime | None = None
    because: str = ""
    """Why it was cancelled, or is not needed any more."""
    retries: int = 0
    """How often it was tried again from the beginning."""
    mail_id: str = ""
    """Of the mail that it went out in, or was to."""

    @property
    def message_id(self) -> str:
        return self.asked.message_id

    @property
    def reached_nobody(self) -> bool:
        """Whether it went to nobody, is not tried again, and is still to be told."""
        return self.stage in (MessageStage.GIVEN_UP, MessageStage.BOUNCED) and not self.because

    @property
    def lacks_address(self) -> bool:
        """Whether what it went wrong for is the address."""
        at_fault = _ADDRESS_ERRORS.match(self.error) or _NOBODY_THERE.match(self.answer)
        return self.reached_nobody and at_fault is not None


_ADDRESS_ERRORS = re.compile(r"(no|unusable|several)_email_address(es)?$|bounced_5\.1\.")
_NOBODY_THERE = re.compile(r"5\d\d[ -]5\.1\.")
"""How a mail server answers that it knows nobody there (RFC 3463, section 3.2)."""


def evolve(message: Message | None, fact: MessageFact) -> Message:
    if isinstance(fact, MessageAsked):
        return Message(fact, MessageStage.ASKED, fact.not_before or fact.at)
    assert message is not None, "the first fact of a message is that it was asked for"
    match fact:
        case MessageSent():
            return replace(
                message,
                stage=MessageStage.SENT,
                next_at=None,
                channel=fact.channel,
                reference=fact.reference,
                sent_at=fact.at,
                mail_id=fact.mail_id,
            )
        case MessageFailed():
            return replace(
                message,
                stage=MessageStage.FAILED,
                next_at=fact.next_at,
                attempts=fact.attempt,
                error=fact.error,
                answer=fact.answer,
                mail_id=fact.mail_id,
            )
        case MessageGivenUp():
            return replace(
                message,
                stage=MessageStage.GIVEN_UP,
                next_at=None,
                attempts=fact.attempt,
                error=fact.error,
                answer=fact.answer,
                given_up_at=fact.at,
            )
        case MessageRetried(at=at):
            retries = message.retries + 1
            return replace(message, stage=MessageStage.ASKED, next_at=at, attempts=0, retries=retries, because="")
        case MessageNotNeeded(because=because):
            # It stays what it is: whatever follows it goes by that.
            return replace(message, because=because)
        case MessageBounced():
            return replace(
                message, stage=MessageStage.BOUNCED, error=fact.error, answer=fact.answer, given_up_at=fact.at
            )
        case MessageCancelled(because=because):
            return replace(message, stage=MessageStage.CANCELLED, next_at=None, because=because)
        case _:
            assert_never(fact)


NOUN = noun("message", MessageFact, evolve)


# --- refusals -------------------------------------------------------------------------------------


class UnknownMessage(NotFound, reason="UNKNOWN_MESSAGE"):
    says = "there is no message {message_id}, or nobody has asked for it yet"
    message_id: str


class MessageIsSent(Forbidden, reason="MESSAGE_IS_SENT"):
    says = "message {message_id} was sent at {sent_at}"
    message_id: str
    sent_at: datetime


class MessageIsCancelled(Forbidden, reason="MESSAGE_IS_CANCELLED"):
    says = "message {message_id} was cancelled: {because}"
    message_id: str
    because: str


class MessageNotSent(Forbidden, reason="MESSAGE_NOT_SENT"):
    says = "message {message_id} was not sent, so it cannot have bounced"
    message_id: str


# --- decisions ------------------------------------------------------------------------------------

MOST_IN_A_MAIL = 20
"""Messages; more of one thread go in further mails."""


def known(message: Message | None, message_id: str) -> Message:
    if message is None:
        raise UnknownMessage(message_id)
    return message


def send(message: Message, channel: str, reference: str, at: datetime, mail_id: str = "") -> Sequence[MessageFact]:
    """A sender took it over, which counts whatever was recorded meanwhile. Repeating it records nothing."""
    if message.stage is MessageStage.SENT:
        return []
    return [MessageSent(message.message_id, channel, at, reference, mail_id)]


def fail(
    message: Message, error: str, lasting: bool, policy: Policy, at: datetime, answer: str = "", mail_id: str = ""
) -> Sequence[MessageFact]:
    """A sender did not take it: try again later, or give up where that is of no use.

    A failure after it was sent, cancelled or given up records nothing.
    """
    if message.next_at is None:
        return []
    attempt = message.attempts + 1
    if lasting or attempt >= policy.message_attempts:
        return [MessageGivenUp(message.message_id, attempt, error, at, answer)]
    next_at = at + back_off(message.message_id, attempt, policy)
    return [
        MessageFailed(
            message_id=message.message_id,
            attempt=attempt,
            error=error,
            next_at=next_at,
            at=at,
            answer=answer,
            mail_id=mail_id,
        )
    ]


def next_mail(thread: Iterable[Message], now: datetime) -> list[Message]:
    """Which open messages of one thread go out now, in one mail and in this order; what is left comes after it.

    None goes while one of them waits to be tried again, so that a later step never overtakes an earlier one. What
    was in a mail that was not taken goes again in the same mail.
    """
    waiting = sorted(thread, key=lambda each: (each.asked.caused_at, each.asked.cause, each.message_id))
    if any(each.stage is MessageStage.FAILED and not is_due(each, now) for each in waiting):
        return []
    if not any(is_due(each, now) for each in waiting):
        return []
    first = _goes_with(waiting[0])
    return list(takewhile(lambda each: _goes_with(each) == first, waiting))[:MOST_IN_A_MAIL]


def is_due(message: Message, now: datetime) -> bool:
    return message.next_at is not None and message.next_at <= now


def _goes_with(message: Message) -> tuple[str, str, str]:
    """What messages of one mail have in common."""
    tried = message.mail_id if message.stage is MessageStage.FAILED else ""
    return message.asked.recipient, message.asked.language, tried


def back_off(message_id: str, attempt: int, policy: Policy) -> timedelta:
    """How long to wait after a failed attempt: twice as long each time, spread by an eighth either way.

    The spread derives from the id, because a decision must not use random values.
    """
    seconds = min(policy.message_retry_seconds * 2 ** min(attempt - 1, 30), policy.message_retry_most_seconds)
    spread = crc32(f"{message_id}/{attempt}".encode()) % 1000
    return timedelta(milliseconds=seconds * (3500 + spread) // 4)


def bounce(message: Message, mail_id: str, status: str, answer: str, at: datetime) -> Sequence[MessageFact]:
    """Its mail came back. Told again, or of a mail before a person had it sent once more, it is no news."""
    if message.sent_at is None:
        raise MessageNotSent(message.message_id)
    if message.stage is not MessageStage.SENT or mail_id not in ("", message.mail_id):
        return []
    error = f"bounced_{status}" if status else "bounced"
    return [MessageBounced(message.message_id, error, answer, at, message.mail_id)]


def retry(message: Message, by: str, at: datetime) -> Sequence[MessageFact]:
    """A person wants it tried again, now. A message that waits for its first attempt records nothing."""
    match message.stage:
        case MessageStage.ASKED:
            return []
        case MessageStage.SENT:
            raise MessageIsSent(message.message_id, message.sent_at or at)
        case MessageStage.CANCELLED:
            raise MessageIsCancelled(message.message_id, message.because)
        case MessageStage.FAILED | MessageStage.GIVEN_UP | MessageStage.BOUNCED:
            return [MessageRetried(message.message_id, by, at)]


def end(message: Message, because: str, at: datetime) -> Sequence[MessageFact]:
    """What it says is no longer true, so nobody needs to see to it that it is told."""
    return [MessageNotNeeded(message.message_id, because, at)] if message.reached_nobody else []


def cancel(message: Message, because: str, by: str, at: datetime) -> Sequence[MessageFact]:
    """It is not to be sent. Cancelling twice records nothing."""
    if message.stage is MessageStage.CANCELLED:
        return []
    if message.stage is MessageStage.SENT:
        raise MessageIsSent(message.message_id, message.sent_at or at)
    return [MessageCancelled(message.message_id, because, by, at)]
