"""Inquiries: questions about an order, who has to answer them, and by when (DOMAIN 6).

The retailer asks a supplier, or a customer or a supplier asks the retailer. The texts are sealed. No hold
stops the clock, because a question can be answered while an order waits; the first answer meets it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from msgspec.structs import replace

from ledger.facts import (
    Fact,
    Sealed,
    Value,
    may_be_same,
)
from ledger.refusals import AlreadyExists, Forbidden, NotFound
from ledger.terms.clocks import Clock, ClockState, Reading
from ledger.terms.parties import Party
from ledger.view import View, noun


def stream(inquiry_id: str) -> str:
    return f"inquiry-{inquiry_id}"


def find(view: View, inquiry_id: str) -> Inquiry | None:
    found: Inquiry | None = view.state(stream(inquiry_id))
    return found


# --- facts ----------------------------------------------------------------------------------------


class Topic(StrEnum):
    """What a question is about."""

    STOCK = "stock"
    DISPATCH = "dispatch"
    TRACKING = "tracking"
    PRODUCT = "product"
    PACKING = "packing"
    ADDRESS = "address"
    CUSTOMS = "customs"
    INVOICE = "invoice"
    OTHER = "other"


class InquiryAsked(Fact, frozen=True, tag="inquiry.asked"):
    """Somebody asked about an order; answer_by is None where no time was agreed."""

    inquiry_id: str
    asked_by: Party
    asked_of: Party
    topic: Topic
    order_id: str
    at: datetime
    supplier_order_id: str = ""
    """Empty if the question is about the whole order."""
    supplier_id: str = ""
    """The supplier that is asked or asks; empty if none is."""
    answer_by: datetime | None = None
    text: Sealed | None = None
    content: str = ""
    """Keyed hash of the question as it was sent: recognises a repetition without its text."""
    time_zone: str = ""
    """Of the calendar of the supplier that is to answer; empty where none is agreed."""


class InquiryAnswered(Fact, frozen=True, tag="inquiry.answered"):
    """The party that was asked answered; ``at`` may be before an answer that was recorded earlier."""

    inquiry_id: str
    at: datetime
    by: str
    supplier_id: str = ""
    text: Sealed | None = None


class InquiryClosed(Fact, frozen=True, tag="inquiry.closed"):
    """Nothing is expected of it any more."""

    inquiry_id: str
    because: str
    by: str
    at: datetime


class InquiryAnswerMissed(Fact, frozen=True, tag="inquiry.answer_missed"):
    """An answer was due and none had come; recorded once."""

    inquiry_id: str
    due: datetime
    at: datetime
    supplier_id: str = ""


class InquiryBreachWithdrawn(Fact, frozen=True, tag="inquiry.answer_breach_withdrawn"):
    """It was no breach after all; the fact that shows it arrived late."""

    inquiry_id: str
    happened_at: datetime | None
    """When it had been answered in time; None if it had been closed by then."""
    at: datetime
    supplier_id: str = ""


InquiryFact = InquiryAsked | InquiryAnswered | InquiryClosed | InquiryAnswerMissed | InquiryBreachWithdrawn

# --- state ----------------------------------------------------------------------------------------


class Inquiry(Value, frozen=True):
    """A question, folded from its facts."""

    asked: InquiryAsked
    answers: tuple[InquiryAnswered, ...] = ()
    """By their own time."""
    closed: InquiryClosed | None = None
    missed: InquiryAnswerMissed | None = None
    withdrawn: InquiryBreachWithdrawn | None = None

    @property
    def inquiry_id(self) -> str:
        return self.asked.inquiry_id

    @property
    def answered_at(self) -> datetime | None:
        """When it was first answered."""
        return self.answers[0].at if self.answers else None

    @property
    def is_open(self) -> bool:
        """Whether an answer is still expected."""
        return self.closed is None and not self.answers

    @property
    def is_missed(self) -> bool:
        return self.missed is not None and self.withdrawn is None


def evolve(inquiry: Inquiry | None, fact: InquiryFact) -> Inquiry:
    if isinstance(fact, InquiryAsked):
        return Inquiry(fact)
    assert inquiry is not None, "the first fact of an inquiry is the question"
    match fact:
        case InquiryAnswered():
            return replace(inquiry, answers=tuple(sorted((*inquiry.answers, fact), key=lambda answer: answer.at)))
        case InquiryClosed():
            return replace(inquiry, closed=fact)
        case InquiryAnswerMissed():
            return replace(inquiry, missed=fact)
        case InquiryBreachWithdrawn():
            return replace(inquiry, withdrawn=fact)
        case _:
            assert_never(fact)


NOUN = noun("inquiry", InquiryFact, evolve)


def readings(inquiry: Inquiry) -> list[Reading]:
    """The clock of the answer, if a time was agreed; closing the inquiry in time ends it."""
    asked, closed = inquiry.asked, inquiry.closed
    if asked.answer_by is None:
        return []
    return [
        Reading(
            object_id=inquiry.inquiry_id,
            clock=Clock.ANSWER,
            due=asked.answer_by,
            met_at=inquiry.answered_at,
            supplier_id=asked.supplier_id if asked.asked_of is Party.SUPPLIER else "",
            missed_at=inquiry.missed.at if inquiry.missed is not None else None,
            withdrawn_at=inquiry.withdrawn.at if inquiry.withdrawn is not None else None,
            given_up_at=closed.at if closed is not None else None,
            obliged=asked.asked_of,
        )
    ]


# --- refusals -------------------------------------------------------------------------------------


class UnknownInquiry(NotFound, reason="UNKNOWN_INQUIRY"):
    says = "there is no inquiry {inquiry_id}"
    inquiry_id: str


class InquiryAskedDifferently(AlreadyExists, reason="INQUIRY_ASKED_DIFFERENTLY"):
    says = "inquiry {inquiry_id} was asked already with other content"
    inquiry_id: str


class InquiryIsClosed(Forbidden, reason="INQUIRY_IS_CLOSED"):
    says = "inquiry {inquiry_id} is closed; ask anew under another id"
    inquiry_id: str


class AnsweredBeforeAsked(Forbidden, reason="ANSWERED_BEFORE_ASKED"):
    says = "an answer at {answered_at} is older than inquiry {inquiry_id} of {asked_at}"
    inquiry_id: str
    asked_at: datetime
    answered_at: datetime


# --- decisions ------------------------------------------------------------------------------------


def known(inquiry: Inquiry | None, inquiry_id: str) -> Inquiry:
    if inquiry is None:
        raise UnknownInquiry(inquiry_id)
    return inquiry


def ask(inquiry: Inquiry | None, asked: InquiryAsked, erased: bool = False) -> Sequence[InquiryFact]:
    """A new question. Repeating the same content under the same id records nothing."""
    if inquiry is None:
        return [asked]
    if not may_be_same(inquiry.asked.content, asked.content, erased):
        raise InquiryAskedDifferently(asked.inquiry_id)
    return []


def answer(inquiry: Inquiry, answered: InquiryAnswered, now: datetime) -> Sequence[InquiryFact]:
    """An answer; the first by its own time counts. A second one of the same moment and person records nothing."""
    if any((each.at, each.by) == (answered.at, answered.by) for each in inquiry.answers):
        return []
    if inquiry.closed is not None:
        raise InquiryIsClosed(inquiry.inquiry_id)
    if answered.at < inquiry.asked.at:
        raise AnsweredBeforeAsked(inquiry.inquiry_id, inquiry.asked.at, answered.at)
    return _settled(inquiry, answered, now)


def close(inquiry: Inquiry, closed: InquiryClosed, now: datetime) -> Sequence[InquiryFact]:
    """Nothing is expected any more. Closing twice records nothing."""
    return [] if inquiry.closed is not None else _settled(inquiry, closed, now)


def miss_answer(inquiry: Inquiry | None, now: datetime) -> Sequence[InquiryFact]:
    """Records that no answer came in time, if it is so."""
    if inquiry is None:
        return []
    overdue = [reading for reading in readings(inquiry) if reading.overdue(now)]
    return [InquiryAnswerMissed(each.object_id, each.due, now, inquiry.asked.supplier_id) for each in overdue]


def _settled(inquiry: Inquiry, fact: InquiryFact, now: datetime) -> list[InquiryFact]:
    """The fact, and what follows for the clock: a late answer is a breach, one in time withdraws it."""
    facts = [fact]
    for each in readings(evolve(inquiry, fact)):
        verdict = each.verdict(now)
        if verdict is ClockState.MISSED:
            facts.append(InquiryAnswerMissed(each.object_id, each.due, now, inquiry.asked.supplier_id))
        elif verdict is ClockState.WITHDRAWN:
            facts.append(InquiryBreachWithdrawn(each.object_id, each.met_at, now, inquiry.asked.supplier_id))
    return facts
