"""Return cases: what went wrong for a customer, who is liable for it, and how it is made good (DOMAIN 5).

opened -> evidence requested -> under review -> liability ruled -> approved | denied -> in remedy -> resolved;
cancelled before goods are received; reopened on new evidence. The retailer answers first, whoever turns out
liable, and nothing here knows of the recovery of costs, so that no remedy can wait for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import assert_never

from msgspec.structs import replace

from ledger.facts import (
    Fact,
    LineNo,
    Sealed,
    Units,
    Value,
    to_minute,
)
from ledger.nouns.order_after_sales import Amounts, minus, plus
from ledger.nouns.supplier_orders import UnknownLine
from ledger.refusals import AlreadyExists, Forbidden, NotFound
from ledger.terms.money import Money, in_64_bits
from ledger.terms.parties import Party
from ledger.view import View, noun


def stream(case_id: str) -> str:
    """case_id is a plain id that after-sales gives."""
    return f"case-{case_id}"


def find(view: View, case_id: str) -> Case | None:
    found: Case | None = view.state(stream(case_id))
    return found


# --- facts ----------------------------------------------------------------------------------------


class Reason(StrEnum):
    """What the customer says is wrong."""

    DAMAGED = "damaged"
    WRONG_ITEM = "wrong_item"
    MISSING_ITEM = "missing_item"
    NOT_AS_DESCRIBED = "not_as_described"
    QUALITY = "quality"
    CHANGED_MIND = "changed_mind"
    LOST = "lost"
    REFUSED = "refused"
    LATE = "late"

    @property
    def buckets(self) -> tuple[str, ...]:
        """Where the units are that it can be about."""
        match self:
            case Reason.LATE:
                return ("shipped",)
            case Reason.LOST | Reason.REFUSED:
                return ("shipped", "lost")
            case _:
                return ("delivered",)

    @property
    def about_arrived_units(self) -> bool:
        return self.buckets == ("delivered",)

    @property
    def is_the_customers(self) -> bool:
        """Nothing is wrong with the goods: the return window is for these."""
        return self is Reason.CHANGED_MIND


class Remedy(StrEnum):
    """How it is made good."""

    RESHIP = "reship"
    """The units are sent once more at no price; where that fails they are refunded."""
    REFUND = "refund"
    """The customer gets money and keeps the goods."""
    RETURN = "return"
    """The goods come back, are inspected, and then refunded."""


class Denial(StrEnum):
    """Why the customer gets nothing, or not all."""

    NO_EVIDENCE = "no_evidence"
    NOT_COVERED = "not_covered"
    CUSTOMER_FAULT = "customer_fault"
    GOODS_NOT_RETURNED = "goods_not_returned"
    GOODS_USED = "goods_used"
    FRAUD = "fraud"
    CHARGED_BACK = "charged_back"
    """The customer's bank took the money back."""
    OTHER = "other"


class ReshipFailure(StrEnum):
    """Why units cannot be sent once more."""

    OUT_OF_STOCK = "out_of_stock"
    SUPPLIER_NOT_APPROVED = "supplier_not_approved"
    CANCELLED = "cancelled"
    LOST = "lost"


class CaseOpened(Fact, frozen=True, tag="case.opened"):
    """A customer complained, or somebody for it."""

    case_id: str
    order_id: str
    reason: Reason
    by_line: Units
    first_answer_by: datetime
    at: datetime
    suppliers: dict[LineNo, str] = {}
    """Who sent the units of each line."""
    subject: str = ""
    """Pseudonym of the customer, for whom evidence is sealed."""
    note: Sealed | None = None
    """What the customer wrote."""
    delivered_at: datetime | None = None
    """When the last of the units had arrived, if they had."""


class CustomerAnswered(Fact, frozen=True, tag="case.customer_answered"):
    """Somebody told the customer that its case is looked at."""

    case_id: str
    at: datetime


class FirstAnswerMissed(Fact, frozen=True, tag="case.first_answer_missed"):
    """The customer had not heard anything when it was due; recorded once."""

    case_id: str
    due: datetime
    at: datetime


class FirstAnswerBreachWithdrawn(Fact, frozen=True, tag="case.first_answer_breach_withdrawn"):
    """The customer had been answered in time after all; the news of it came late."""

    case_id: str
    happened_at: datetime
    at: datetime


class EvidenceRequested(Fact, frozen=True, tag="case.evidence_requested"):
    """The customer was asked for evidence, in words such as ``photo_of_label``."""

    case_id: str
    wanted: tuple[str, ...]
    due: datetime
    at: datetime


class EvidenceAdded(Fact, frozen=True, tag="case.evidence_added"):
    """Bytes were handed in. They are kept beside the log, sealed for the customer; this names them."""

    case_id: str
    sha256: str
    content_type: str
    size_bytes: int
    given_by: Party
    at: datetime


class ReviewStarted(Fact, frozen=True, tag="case.review_started"):
    """Somebody looks at it."""

    case_id: str
    at: datetime


class LiabilityRuled(Fact, frozen=True, tag="case.liability_ruled"):
    """Who has to bear it, on which evidence and for which reasons."""

    case_id: str
    liable: Party
    because: tuple[str, ...]
    """Words such as ``broken_in_transit``."""
    evidence: tuple[str, ...]
    """SHA-256 of what the ruling rests on."""
    at: datetime
    note: Sealed | None = None


class RemedyApproved(Fact, frozen=True, tag="case.remedy_approved"):
    """These units are made good like this; the others of the case get nothing."""

    case_id: str
    remedy: Remedy
    by_line: Units
    at: datetime


class CaseDenied(Fact, frozen=True, tag="case.denied"):
    """The customer gets nothing."""

    case_id: str
    because: Denial
    at: datetime
    note: Sealed | None = None


class ReshipPlaced(Fact, frozen=True, tag="case.reship_placed"):
    """The units are sent once more, under an order of their own."""

    case_id: str
    reship_order_id: str
    by_line: Units
    at: datetime


class ReshipArrived(Fact, frozen=True, tag="case.reship_arrived"):
    """These units of a reship were delivered."""

    case_id: str
    reship_order_id: str
    by_line: Units
    at: datetime


class ReshipFailed(Fact, frozen=True, tag="case.reship_failed"):
    """These units could not be sent once more, or did not arrive: they are due a refund."""

    case_id: str
    because: ReshipFailure
    by_line: Units
    at: datetime
    reship_order_id: str = ""
    """Empty if it was never placed."""


class ReturnLabelled(Fact, frozen=True, tag="case.return_labelled"):
    """The customer has a label to send units back with."""

    case_id: str
    label_id: str
    by_line: Units
    freight_payer: Party
    at: datetime
    supplier_id: str = ""
    """Where the goods go; empty means to the retailer."""
    freight_minor: int = 0
    """What sending them back costs, in the order's currency, as far as it is known."""


class ReturnShipped(Fact, frozen=True, tag="case.return_shipped"):
    """The customer sent a label's units back."""

    case_id: str
    label_id: str
    carrier: str
    number: str
    epoch: int
    at: datetime


class ReturnReceived(Fact, frozen=True, tag="case.return_received"):
    """So many units have come back so far, in all."""

    case_id: str
    by_line: Units
    at: datetime


class Inspection(Value, frozen=True):
    """What became of the returned units of one line, in all: each is in one of these at most."""

    restocked: int = 0
    not_restocked: int = 0
    needs_work: int = 0
    missing: int = 0
    """Labelled and never received."""

    @property
    def looked_at(self) -> int:
        """Units that were there to be looked at."""
        return self.restocked + self.not_restocked + self.needs_work

    @property
    def units(self) -> int:
        return self.looked_at + self.missing


class ReturnInspected(Fact, frozen=True, tag="case.return_inspected"):
    """What became of the returned units so far, in all."""

    case_id: str
    by_line: dict[LineNo, Inspection]
    at: datetime
    restocked_at: dict[LineNo, str] = {}
    """Into whose stock units of a line went, for those that this inspection restocked."""


class RefundGranted(Fact, frozen=True, tag="case.refund_granted"):
    """The customer is to get money back for these units."""

    case_id: str
    refund_id: str
    by_line: Units
    amounts_minor: Amounts
    currency: str
    at: datetime


class RefundDenied(Fact, frozen=True, tag="case.refund_denied"):
    """The customer gets no money for these units."""

    case_id: str
    by_line: Units
    because: Denial
    at: datetime
    not_awaited: Units = {}
    """Those of them that were still to come back: nobody waits for them any more."""


class RefundTakenBack(Fact, frozen=True, tag="case.refund_taken_back"):
    """A granted refund cannot be paid any more: the order's money went back otherwise."""

    case_id: str
    refund_id: str
    because: Denial
    at: datetime
    undecided: Units = {}
    """Its units, where some money is left that can be granted for them; else they get none."""


class RefundPaid(Fact, frozen=True, tag="case.refund_paid"):
    """The shop paid a refund out."""

    case_id: str
    refund_id: str
    at: datetime
    reference: str = ""
    """The shop's or payment provider's id of the payment."""


class CaseResolved(Fact, frozen=True, tag="case.resolved"):
    """Every unit of the remedy was dealt with."""

    case_id: str
    at: datetime


class CaseCancelled(Fact, frozen=True, tag="case.cancelled"):
    """It was taken back."""

    case_id: str
    by: Party
    because: str
    at: datetime


class CaseReopened(Fact, frozen=True, tag="case.reopened"):
    """New evidence came in after it was closed; by_line names the units it is about again."""

    case_id: str
    by_line: Units
    evidence: tuple[str, ...]
    at: datetime


CaseFact = (
    CaseOpened
    | CustomerAnswered
    | FirstAnswerMissed
    | FirstAnswerBreachWithdrawn
    | EvidenceRequested
    | EvidenceAdded
    | ReviewStarted
    | LiabilityRuled
    | RemedyApproved
    | CaseDenied
    | ReshipPlaced
    | ReshipArrived
    | ReshipFailed
    | ReturnLabelled
    | ReturnShipped
    | ReturnReceived
    | ReturnInspected
    | RefundGranted
    | RefundDenied
    | RefundTakenBack
    | RefundPaid
    | CaseResolved
    | CaseCancelled
    | CaseReopened
)

# --- state ----------------------------------------------------------------------------------------


class Status(StrEnum):
    """How far a case is."""

    OPENED = "opened"
    EVIDENCE_REQUESTED = "evidence_requested"
    UNDER_REVIEW = "under_review"
    LIABILITY_RULED = "liability_ruled"
    APPROVED = "approved"
    """A remedy was chosen and nothing was done yet."""
    IN_REMEDY = "in_remedy"
    RESOLVED = "resolved"
    DENIED = "denied"
    CANCELLED = "cancelled"

    @property
    def is_closed(self) -> bool:
        return self in (Status.RESOLVED, Status.DENIED, Status.CANCELLED)


class Label(Value, frozen=True):
    """A way for units to come back."""

    label_id: str
    by_line: Units
    freight_payer: Party
    supplier_id: str
    freight_minor: int
    at: datetime
    carrier: str = ""
    number: str = ""
    epoch: int = 0
    shipped_at: datetime | None = None


class Refund(Value, frozen=True):
    """Money for units."""

    by_line: Units
    amounts_minor: Amounts
    granted_at: datetime
    paid_at: datetime | None = None
    reference: str = ""

    @property
    def amount_minor(self) -> int:
        return in_64_bits(sum(self.amounts_minor.values()))


class Reship(Value, frozen=True):
    """Units that are sent once more."""

    order_id: str
    by_line: Units
    arrived: Units = {}
    failed: Units = {}
    ended_at: datetime | None = None


class Case(Value, frozen=True):
    """A case as its facts tell it."""

    opened: CaseOpened
    by_line: Units
    """The units that it is about now."""
    status: Status = Status.OPENED
    first_answered_at: datetime | None = None
    missed: FirstAnswerMissed | None = None
    withdrawn: FirstAnswerBreachWithdrawn | None = None
    evidence: dict[str, EvidenceAdded] = {}
    """By SHA-256."""
    unseen: tuple[str, ...] = ()
    """Evidence that came in since the case was last closed."""
    wanted: tuple[str, ...] = ()
    evidence_by: datetime | None = None
    """When the customer must have handed it in."""
    ruling: LiabilityRuled | None = None
    chosen: RemedyApproved | None = None
    remedy: Remedy | None = None
    """What is being done: as chosen, but a reship that failed is a refund."""
    todo: Units = {}
    """Units of the remedy that nothing was decided for yet."""
    reships: tuple[Reship, ...] = ()
    reship_failure: ReshipFailure | None = None
    """Why the last reship came to nothing, if one did."""
    labels: dict[str, Label] = {}
    given_up: Units = {}
    """Labelled units that nobody waits for any more."""
    received: Units = {}
    inspected: dict[LineNo, Inspection] = {}
    undecided: Units = {}
    """Inspected units whose refund was neither granted nor denied yet."""
    refunds: dict[str, Refund] = {}
    currency: str = ""
    """Of the money that was granted; empty if none was."""
    remedied: Units = {}
    """Units that ever got anything: they stay the case's own when it is closed."""
    denial: Denial | None = None
    denial_note: Sealed | None = None
    """What was noted when the whole case was denied."""
    closed_at: datetime | None = None

    @property
    def case_id(self) -> str:
        return self.opened.case_id

    @property
    def order_id(self) -> str:
        return self.opened.order_id

    @property
    def first_answer_missed(self) -> bool:
        return self.missed is not None and self.withdrawn is None

    @property
    def reship(self) -> Reship | None:
        """The reship that is under way."""
        return next((each for each in self.reships if each.ended_at is None), None)

    def labelled(self, line_no: LineNo) -> int:
        return sum(label.by_line.get(line_no, 0) for label in self.labels.values()) - self.given_up.get(line_no, 0)

    def awaited(self, line_no: LineNo) -> int:
        """Units that are still to come back."""
        missing = self.inspection(line_no).missing
        return max(self.labelled(line_no) - self.received.get(line_no, 0) - missing, 0)

    @property
    def all_awaited(self) -> Units:
        lines = dict.fromkeys(n for label in self.labels.values() for n in label.by_line)
        return {line_no: units for line_no in lines if (units := self.awaited(line_no))}

    def inspection(self, line_no: LineNo) -> Inspection:
        return self.inspected.get(line_no, Inspection())

    @property
    def returns_dealt_with(self) -> bool:
        """Nothing is to come back and nothing lies there uninspected or unfinished."""
        return not any(
            self.awaited(line_no)
            or self.received.get(line_no, 0) > self.inspection(line_no).looked_at
            or self.inspection(line_no).needs_work
            for line_no in {n for label in self.labels.values() for n in label.by_line}
        )

    def refunded_minor(self, line_no: LineNo) -> int:
        return sum(refund.amounts_minor.get(line_no, 0) for refund in self.refunds.values())

    @property
    def untouched(self) -> Units:
        """Units that never got anything nor came back."""
        return minus(minus(self.by_line, self.remedied), minus(self.received, self.remedied))


def evolve(case: Case | None, fact: CaseFact) -> Case:
    if isinstance(fact, CaseOpened):
        return Case(fact, fact.by_line)
    assert case is not None, "the first fact of a case is its opening"
    match fact:
        case CustomerAnswered(at=at):
            return replace(case, first_answered_at=_first(case, at))
        case FirstAnswerMissed():
            return replace(case, missed=fact)
        case FirstAnswerBreachWithdrawn():
            return replace(case, withdrawn=fact)
        case EvidenceRequested():
            return replace(
                case,
                status=Status.EVIDENCE_REQUESTED,
                wanted=fact.wanted,
                evidence_by=fact.due,
                first_answered_at=_first(case, fact.at),
            )
        case EvidenceAdded(sha256=sha256):
            return replace(case, evidence={**case.evidence, sha256: fact}, unseen=(*case.unseen, sha256))
        case ReviewStarted():
            return replace(case, status=Status.UNDER_REVIEW, evidence_by=None)
        case LiabilityRuled():
            return replace(case, status=Status.LIABILITY_RULED, ruling=fact)
        case RemedyApproved():
            return replace(
                case,
                status=Status.APPROVED,
                chosen=fact,
                remedy=fact.remedy,
                todo=fact.by_line,
                first_answered_at=_first(case, fact.at),
            )
        case CaseDenied():
            answered_at = _first(case, fact.at)
            closed = _closed(case, Status.DENIED, fact.at)
            return replace(closed, denial=fact.because, denial_note=fact.note, first_answered_at=answered_at)
        case ReshipPlaced() | ReshipArrived() | ReshipFailed():
            return _reshipped(case, fact)
        case ReturnLabelled() | ReturnShipped() | ReturnReceived() | ReturnInspected():
            return _returned(replace(case, status=Status.IN_REMEDY), fact)
        case RefundGranted() | RefundDenied() | RefundTakenBack() | RefundPaid():
            return _refunded(replace(case, status=Status.IN_REMEDY), fact)
        case CaseResolved(at=at):
            return _closed(case, Status.RESOLVED, at)
        case CaseCancelled(at=at):
            given_up = plus(case.given_up, case.all_awaited)
            return _closed(replace(case, given_up=given_up), Status.CANCELLED, at)
        case CaseReopened():
            return replace(
                case,
                by_line=fact.by_line,
                status=Status.UNDER_REVIEW,
                unseen=(),
                ruling=None,
                chosen=None,
                remedy=None,
                todo={},
                denial=None,
                denial_note=None,
                closed_at=None,
            )
        case _:
            assert_never(fact)


NOUN = noun("case", CaseFact, evolve)


def _first(case: Case, at: datetime) -> datetime:
    return at if case.first_answered_at is None else min(case.first_answered_at, at)


def _closed(case: Case, status: Status, at: datetime) -> Case:
    """What it did not remedy is no longer its own; evidence from now on is new."""
    by_line = case.by_line if status is Status.RESOLVED else minus(case.by_line, case.untouched)
    return replace(case, status=status, closed_at=at, unseen=(), evidence_by=None, by_line=by_line)


def _reshipped(case: Case, fact: ReshipPlaced | ReshipArrived | ReshipFailed) -> Case:
    match fact:
        case ReshipPlaced():
            placed = Reship(fact.reship_order_id, fact.by_line)
            return replace(case, status=Status.IN_REMEDY, reships=(*case.reships, placed))
        case ReshipArrived():
            arrived = _ended(case, fact.reship_order_id, arrived=fact.by_line, ended_at=fact.at)
            remedied = plus(case.remedied, fact.by_line)
            return replace(case, reships=arrived, todo=minus(case.todo, fact.by_line), remedied=remedied)
        case ReshipFailed():
            failed = _ended(case, fact.reship_order_id, failed=fact.by_line, ended_at=fact.at)
            return replace(
                case, status=Status.APPROVED, reships=failed, reship_failure=fact.because, remedy=Remedy.REFUND
            )
        case _:
            assert_never(fact)


def _ended(case: Case, order_id: str, **how: object) -> tuple[Reship, ...]:
    return tuple(replace(each, **how) if each.order_id == order_id else each for each in case.reships)


def _returned(case: Case, fact: ReturnLabelled | ReturnShipped | ReturnReceived | ReturnInspected) -> Case:
    match fact:
        case ReturnLabelled(label_id=label_id):
            label = Label(label_id, fact.by_line, fact.freight_payer, fact.supplier_id, fact.freight_minor, fact.at)
            return replace(case, labels={**case.labels, label_id: label})
        case ReturnShipped(label_id=label_id):
            way = {"carrier": fact.carrier, "number": fact.number, "epoch": fact.epoch, "shipped_at": fact.at}
            return replace(case, labels={**case.labels, label_id: replace(case.labels[label_id], **way)})
        case ReturnReceived(by_line=by_line):
            inspected = _found(case, by_line)
            found = {n: case.inspection(n).missing - inspection.missing for n, inspection in inspected.items()}
            return replace(
                case,
                received={**case.received, **by_line},
                inspected=inspected,
                undecided=minus(case.undecided, found),
            )
        case ReturnInspected(by_line=by_line):
            more = {n: found.units - case.inspection(n).units for n, found in by_line.items()}
            undecided = plus(case.undecided, {n: units for n, units in more.items() if units > 0})
            return replace(case, inspected={**case.inspected, **by_line}, undecided=undecided)
        case _:
            assert_never(fact)


def _found(case: Case, received: Units) -> dict[LineNo, Inspection]:
    """Units that were missing and came in after all are missing no more."""
    found = dict(case.inspected)
    for line_no, units in received.items():
        inspection = case.inspection(line_no)
        if inspection.missing:
            most = max(case.labelled(line_no) - units, 0)
            found[line_no] = replace(inspection, missing=min(inspection.missing, most))
    return found


def _refunded(case: Case, fact: RefundGranted | RefundDenied | RefundTakenBack | RefundPaid) -> Case:
    match fact:
        case RefundGranted(by_line=by_line):
            refund = Refund(by_line, fact.amounts_minor, fact.at)
            return replace(
                case,
                refunds={**case.refunds, fact.refund_id: refund},
                currency=fact.currency,
                todo=minus(case.todo, by_line),
                undecided=minus(case.undecided, by_line),
                remedied=plus(case.remedied, by_line),
            )
        case RefundDenied(by_line=by_line):
            return replace(
                case,
                todo=minus(case.todo, by_line),
                undecided=minus(case.undecided, by_line),
                given_up=plus(case.given_up, fact.not_awaited),
                denial=fact.because,
            )
        case RefundTakenBack(undecided=again):
            return replace(
                case,
                refunds={name: refund for name, refund in case.refunds.items() if name != fact.refund_id},
                remedied=minus(case.remedied, case.refunds[fact.refund_id].by_line),
                todo=plus(case.todo, again),
                undecided=plus(case.undecided, again) if case.remedy is Remedy.RETURN else case.undecided,
                denial=case.denial if again else fact.because,
            )
        case RefundPaid(refund_id=refund_id):
            paid = replace(case.refunds[refund_id], paid_at=fact.at, reference=fact.reference)
            return replace(case, refunds={**case.refunds, refund_id: paid})
        case _:
            assert_never(fact)


# --- refusals -------------------------------------------------------------------------------------


class UnknownCase(NotFound):
    def __init__(self, case_id: str) -> None:
        super().__init__(f"there is no case {case_id}", case_id=case_id)


class CaseOpenedDifferently(AlreadyExists):
    def __init__(self, case_id: str) -> None:
        super().__init__(f"case {case_id} was opened already for other units or another reason", case_id=case_id)


class _WrongStatus:
    """A step that the case's status does not allow; each is a refusal of its own."""

    needs = ""

    def __init__(self, case: Case) -> None:
        assert isinstance(self, Forbidden)
        message = f"case {case.case_id} is {case.status.replace('_', ' ')}; {self.needs}"
        Forbidden.__init__(self, message, case_id=case.case_id, status=case.status)


class CaseClosed(_WrongStatus, Forbidden):
    needs = "reopen it with new evidence first"


class CaseNotClosed(_WrongStatus, Forbidden):
    needs = "only a closed case is reopened"


class PastEvidence(_WrongStatus, Forbidden):
    needs = "evidence is asked for before its review"


class ReviewPassed(_WrongStatus, Forbidden):
    needs = "its review was started before"


class NotUnderReview(_WrongStatus, Forbidden):
    needs = "liability is ruled under review"


class NotRuled(_WrongStatus, Forbidden):
    needs = "rule who is liable first"


class RemedyChosen(_WrongStatus, Forbidden):
    needs = "its remedy was approved already"


class NoRemedyYet(_WrongStatus, Forbidden):
    needs = "approve a remedy first"


class WaitsForReship(_WrongStatus, Forbidden):
    needs = "the reship has to end first; cancel its order if it is not wanted any more"


class EvidenceStillDue(Forbidden):
    def __init__(self, case_id: str, due: datetime) -> None:
        super().__init__(
            f"the customer of case {case_id} has until {to_minute(due)} to hand in evidence",
            case_id=case_id,
            due=due.isoformat(),
        )


class NotAskedForEvidence(_WrongStatus, Forbidden):
    needs = "it is denied for want of evidence only after evidence was asked for"


class UnknownEvidence(NotFound):
    def __init__(self, case_id: str, sha256: str) -> None:
        super().__init__(f"case {case_id} has no evidence {sha256}", case_id=case_id, sha256=sha256)


class NoNewEvidence(Forbidden):
    def __init__(self, case_id: str) -> None:
        super().__init__(
            f"no evidence was added to case {case_id} since it was closed; add some and name it", case_id=case_id
        )


class OutsideReturnWindow(Forbidden):
    def __init__(self, order_id: str, closed_at: datetime) -> None:
        super().__init__(
            f"the return window of order {order_id} closed at {to_minute(closed_at)}",
            order_id=order_id,
            closed_at=closed_at.isoformat(),
        )


class NotLate(Forbidden):
    def __init__(self, order_id: str, promised_by: datetime | None, promised_day: date | None = None) -> None:
        promise = promised_day or (to_minute(promised_by) if promised_by else "")
        super().__init__(
            f"order {order_id} is promised by {promise}" if promise else f"nothing was promised of order {order_id}",
            order_id=order_id,
            promised_by=promised_by.isoformat() if promised_by else "",
        )


class OverRemedied(Forbidden):
    def __init__(self, line_no: int, asked: int, left: int) -> None:
        super().__init__(
            f"{asked} of line {line_no} to decide for, {left} left that nothing was decided for",
            line_no=line_no,
            asked=asked,
            left=left,
        )


class AlreadyRefunded(Forbidden):
    def __init__(self, line_no: int, asked: int, left: int) -> None:
        super().__init__(
            f"{asked} of line {line_no} to send once more, {left} were not refunded yet",
            line_no=line_no,
            asked=asked,
            left=left,
        )


class NotInspected(Forbidden):
    def __init__(self, line_no: int, asked: int, inspected: int) -> None:
        super().__init__(
            f"a refund for {asked} of line {line_no}, {inspected} came back, were inspected and wait for one",
            line_no=line_no,
            asked=asked,
            inspected=inspected,
        )


class NothingToSendBack(Forbidden):
    def __init__(self, case_id: str) -> None:
        super().__init__(f"case {case_id} has no unit left that could be sent back", case_id=case_id)


class LabelledDifferently(AlreadyExists):
    def __init__(self, label_id: str) -> None:
        super().__init__(f"label {label_id} was recorded already for other units", label_id=label_id)


class UnknownLabel(NotFound):
    def __init__(self, case_id: str, label_id: str) -> None:
        super().__init__(f"case {case_id} has no label {label_id}", case_id=case_id, label_id=label_id)


class SentBackOtherwise(AlreadyExists):
    def __init__(self, label_id: str, carrier: str, number: str) -> None:
        super().__init__(
            f"what label {label_id} is for was sent back with {carrier} under {number}",
            label_id=label_id,
            carrier=carrier,
            number=number,
        )


class OverReceived(Forbidden):
    def __init__(self, line_no: int, received: int, labelled: int) -> None:
        super().__init__(
            f"{received} of line {line_no} received, {labelled} have a label",
            line_no=line_no,
            received=received,
            labelled=labelled,
        )


class ReceivedBefore(Forbidden):
    def __init__(self, line_no: int, told: int, received: int) -> None:
        super().__init__(
            f"{told} of line {line_no} received in all, {received} were received before",
            line_no=line_no,
            told=told,
            received=received,
        )


class OverInspected(Forbidden):
    def __init__(self, line_no: int, inspected: int, received: int) -> None:
        super().__init__(
            f"{inspected} of line {line_no} inspected, {received} received",
            line_no=line_no,
            inspected=inspected,
            received=received,
        )


class NotMissing(Forbidden):
    def __init__(self, line_no: int, missing: int, awaited: int) -> None:
        super().__init__(
            f"{missing} of line {line_no} missing, {awaited} were not received",
            line_no=line_no,
            missing=missing,
            awaited=awaited,
        )


class InspectedBefore(Forbidden):
    def __init__(self, line_no: int, told: int, inspected: int, what: str) -> None:
        super().__init__(
            f"{told} of line {line_no} {what} in all, {inspected} were before; what was inspected stays so",
            line_no=line_no,
            told=told,
            inspected=inspected,
            what=what,
        )


class UnknownRefund(NotFound):
    def __init__(self, case_id: str, refund_id: str) -> None:
        super().__init__(f"case {case_id} has no refund {refund_id}", case_id=case_id, refund_id=refund_id)


class RefundWasPaid(Forbidden):
    def __init__(self, case_id: str, refund_id: str) -> None:
        super().__init__(
            f"refund {refund_id} of case {case_id} was paid; what was paid cannot be denied",
            case_id=case_id,
            refund_id=refund_id,
        )


class RefundCanBePaid(Forbidden):
    def __init__(self, case_id: str, refund_id: str, amount: Money, left: Money) -> None:
        super().__init__(
            f"refund {refund_id} of case {case_id} was granted and can be paid: it is {amount}, and {left} is left of "
            "what came in; pay it",
            case_id=case_id,
            refund_id=refund_id,
            amount_minor=amount.amount_minor,
            left_minor=left.amount_minor,
            currency=amount.currency,
        )


class NothingToRefund(Forbidden):
    def __init__(self, case_id: str) -> None:
        super().__init__(f"no unit of case {case_id} waits for a refund", case_id=case_id)


class RefundGrantedDifferently(AlreadyExists):
    def __init__(self, refund_id: str) -> None:
        super().__init__(f"refund {refund_id} was granted already for other units", refund_id=refund_id)


class GoodsReceived(Forbidden):
    def __init__(self, case_id: str, units: int) -> None:
        super().__init__(
            f"{units} units of case {case_id} have come back; it cannot be cancelled any more",
            case_id=case_id,
            units=units,
        )


class RefundStands(Forbidden):
    def __init__(self, case_id: str, refunds: int) -> None:
        super().__init__(
            f"case {case_id} has {refunds} refunds granted; it cannot be cancelled any more",
            case_id=case_id,
            refunds=refunds,
        )


# --- decisions ------------------------------------------------------------------------------------


def known(case: Case | None, case_id: str) -> Case:
    if case is None:
        raise UnknownCase(case_id)
    return case


def require_open(case: Case) -> None:
    if case.status.is_closed:
        raise CaseClosed(case)


def require_lines(case: Case, lines: Iterable[LineNo]) -> None:
    """A step names lines of the case alone, not others of its order."""
    for line_no in lines:
        if line_no not in case.opened.by_line:
            raise UnknownLine(f"case {case.case_id}", line_no)


def answer(case: Case, at: datetime) -> Sequence[CaseFact]:
    """The customer heard from somebody; only the first answer counts, also one that is told late."""
    if case.first_answered_at is not None and case.first_answered_at <= at:
        return []
    return [CustomerAnswered(case.case_id, at)]


def request_evidence(case: Case, wanted: tuple[str, ...], due: datetime, at: datetime) -> Sequence[CaseFact]:
    """Ask the customer; asking for the same again records nothing and moves no due time."""
    require_open(case)
    if case.status is Status.EVIDENCE_REQUESTED and case.wanted == wanted:
        return []
    if case.status not in (Status.OPENED, Status.EVIDENCE_REQUESTED, Status.UNDER_REVIEW):
        raise PastEvidence(case)
    return [EvidenceRequested(case.case_id, wanted, due, at)]


def add_evidence(case: Case, added: EvidenceAdded) -> Sequence[CaseFact]:
    """Evidence is taken at any time: on a closed case it is what may reopen it. The same again records nothing."""
    return [] if added.sha256 in case.evidence else [added]


def start_review(case: Case, at: datetime) -> Sequence[CaseFact]:
    """Somebody looks at it. Starting twice records nothing."""
    require_open(case)
    if case.status is Status.UNDER_REVIEW:
        return []
    if case.status not in (Status.OPENED, Status.EVIDENCE_REQUESTED):
        raise ReviewPassed(case)
    return [ReviewStarted(case.case_id, at)]


def rule(case: Case, ruling: LiabilityRuled) -> Sequence[CaseFact]:
    """Who is liable. Until a remedy is approved it can be ruled anew; the same again records nothing."""
    require_open(case)
    if case.ruling is not None and replace(ruling, at=case.ruling.at, note=case.ruling.note) == case.ruling:
        return []
    if case.status not in (Status.UNDER_REVIEW, Status.LIABILITY_RULED):
        raise NotUnderReview(case)
    _require_evidence(case, ruling.evidence)
    return [ruling]


def _require_evidence(case: Case, evidence: Iterable[str]) -> None:
    for sha256 in evidence:
        if sha256 not in case.evidence:
            raise UnknownEvidence(case.case_id, sha256)


def approve(case: Case, remedy: Remedy, by_line: Units, at: datetime) -> Sequence[CaseFact]:
    """Choose the remedy, for all units of the case unless some are named. The same again records nothing."""
    require_lines(case, by_line)
    require_open(case)
    if case.chosen is not None:
        if case.chosen.remedy is remedy and by_line in ({}, case.chosen.by_line):
            return []
        raise RemedyChosen(case)
    if case.status is not Status.LIABILITY_RULED:
        raise NotRuled(case)
    wanted = by_line or case.by_line
    for line_no, units in wanted.items():
        if units > (left := case.by_line.get(line_no, 0)):
            raise OverRemedied(line_no, units, left)
    if remedy is Remedy.RESHIP:
        wanted = _not_refunded(case, wanted, named=bool(by_line))
    return [RemedyApproved(case.case_id, remedy, wanted, at)]


def _not_refunded(case: Case, wanted: Units, named: bool) -> Units:
    """Nobody gets both the money and the goods for a unit."""
    refunded: Units = {}
    for refund in case.refunds.values():
        refunded = plus(refunded, refund.by_line)
    left = {n: max(case.by_line.get(n, 0) - refunded.get(n, 0), 0) for n in wanted}
    for line_no, units in wanted.items():
        if units > left[line_no] and (named or not any(left.values())):
            raise AlreadyRefunded(line_no, units, left[line_no])
    return {n: min(units, left[n]) for n, units in wanted.items() if left[n]}


def deny(case: Case, because: Denial, note: Sealed | None, at: datetime) -> Sequence[CaseFact]:
    """The customer gets nothing: after a ruling, or because the evidence that was asked for did not come."""
    if case.status is Status.DENIED and case.denial is because:
        return []
    require_open(case)
    if case.status in (Status.APPROVED, Status.IN_REMEDY):
        raise RemedyChosen(case)
    if because is Denial.NO_EVIDENCE and case.status is not Status.LIABILITY_RULED:
        if case.status is not Status.EVIDENCE_REQUESTED or case.evidence_by is None:
            raise NotAskedForEvidence(case)
        if at < case.evidence_by:
            raise EvidenceStillDue(case.case_id, case.evidence_by)
    elif case.status is not Status.LIABILITY_RULED:
        raise NotRuled(case)
    return [CaseDenied(case.case_id, because, at, note)]


def require_remedy(case: Case) -> None:
    require_open(case)
    if case.status not in (Status.APPROVED, Status.IN_REMEDY):
        raise NoRemedyYet(case)


def end_reship(case: Case, arrived: Units, failed: Units, because: ReshipFailure, at: datetime) -> list[CaseFact]:
    """What became of the units that were sent once more; those that did not arrive are due a refund."""
    reship = case.reship
    assert reship is not None, "only a reship that is under way ends"
    facts: list[CaseFact] = []
    if arrived:
        facts.append(ReshipArrived(case.case_id, reship.order_id, arrived, at))
    if failed:
        facts.append(ReshipFailed(case.case_id, because, failed, at, reship.order_id))
    return facts


def label(case: Case, labelled: ReturnLabelled) -> Sequence[CaseFact]:
    """Units are to come back. The same label again records nothing."""
    require_lines(case, labelled.by_line)
    present = case.labels.get(labelled.label_id)
    if present is not None:
        if present.by_line != labelled.by_line:
            raise LabelledDifferently(labelled.label_id)
        return []
    require_remedy(case)
    if not labelled.by_line:
        raise NothingToSendBack(case.case_id)
    return [labelled]


def ship_back(case: Case, label_id: str, carrier: str, number: str) -> bool:
    """Whether it is news that a label's units left the customer."""
    present = case.labels.get(label_id)
    if present is None:
        raise UnknownLabel(case.case_id, label_id)
    if present.shipped_at is None:
        require_remedy(case)
        return True
    if (present.carrier, present.number) != (carrier, number):
        raise SentBackOtherwise(label_id, present.carrier, present.number)
    return False


def receive(case: Case, by_line: Units, at: datetime) -> Sequence[CaseFact]:
    """So many units have come back in all. The same figures again record nothing."""
    require_lines(case, by_line)
    if all(case.received.get(line_no, 0) == units for line_no, units in by_line.items()):
        return []
    require_remedy(case)
    for line_no, units in by_line.items():
        if units > case.labelled(line_no):
            raise OverReceived(line_no, units, case.labelled(line_no))
        if units < case.received.get(line_no, 0):
            raise ReceivedBefore(line_no, units, case.received[line_no])
    return [ReturnReceived(case.case_id, by_line, at)]


def inspect(case: Case, by_line: dict[LineNo, Inspection]) -> Units:
    """What became of the returned units in all; answers how many units of each line are newly restocked."""
    require_lines(case, by_line)
    if all(case.inspection(line_no) == told for line_no, told in by_line.items()):
        return {}
    require_remedy(case)
    for line_no, told in by_line.items():
        _require_possible(case, line_no, told)
    newly = {n: told.restocked - case.inspection(n).restocked for n, told in by_line.items()}
    return {line_no: units for line_no, units in newly.items() if units}


def _require_possible(case: Case, line_no: LineNo, told: Inspection) -> None:
    before, received = case.inspection(line_no), case.received.get(line_no, 0)
    if told.looked_at > received:
        raise OverInspected(line_no, told.looked_at, received)
    if told.missing > (not_received := max(case.labelled(line_no) - received, 0)):
        raise NotMissing(line_no, told.missing, not_received)
    for what, now, then in (
        ("restocked", told.restocked, before.restocked),
        ("not restocked", told.not_restocked, before.not_restocked),
        ("inspected", told.units, before.units),
    ):
        if now < then:
            raise InspectedBefore(line_no, now, then, what)


def require_undecided(case: Case, by_line: Units) -> None:
    """Units can be granted or denied money once, and where they have to come back, after their inspection."""
    require_lines(case, by_line)
    require_remedy(case)
    if case.reship is not None:
        raise WaitsForReship(case)
    for line_no, units in by_line.items():
        if units > (left := case.todo.get(line_no, 0)):
            raise OverRemedied(line_no, units, left)


def grant_refund(case: Case, granted: RefundGranted) -> Sequence[CaseFact]:
    """Money for units; granted.amounts_minor is what aftersales worked out."""
    require_undecided(case, granted.by_line)
    if not granted.by_line:
        raise NothingToRefund(case.case_id)
    if case.remedy is Remedy.RETURN:
        for line_no, units in granted.by_line.items():
            if units > (inspected := case.undecided.get(line_no, 0)):
                raise NotInspected(line_no, units, inspected)
    return [granted]


def deny_refund(case: Case, by_line: Units, because: Denial, at: datetime) -> list[RefundDenied]:
    """No money for units, as after an inspection, or because they never came back. Nobody waits for those then."""
    wanted = by_line or case.todo
    require_undecided(case, wanted)
    if not wanted:
        raise NothingToRefund(case.case_id)
    beyond = {n: units - case.undecided.get(n, 0) for n, units in wanted.items()}
    not_awaited = {n: min(units, case.awaited(n)) for n, units in beyond.items() if min(units, case.awaited(n)) > 0}
    return [RefundDenied(case.case_id, wanted, because, at, not_awaited)]


def take_back_refund(
    case: Case, refund_id: str, because: Denial, left_minor: int, at: datetime
) -> Sequence[RefundTakenBack]:
    """A granted refund for which too little is left of the order's money: its units get what is left, or nothing."""
    refund = _granted(case, refund_id)
    if refund.paid_at is not None:
        raise RefundWasPaid(case.case_id, refund_id)
    if refund.amount_minor <= left_minor:
        amounts = (refund.amount_minor, left_minor)
        raise RefundCanBePaid(case.case_id, refund_id, *(Money(each, case.currency) for each in amounts))
    return [RefundTakenBack(case.case_id, refund_id, because, at, refund.by_line if left_minor > 0 else {})]


def _granted(case: Case, refund_id: str) -> Refund:
    refund = case.refunds.get(refund_id)
    if refund is None:
        raise UnknownRefund(case.case_id, refund_id)
    return refund


def pay_refund(case: Case, refund_id: str, reference: str, at: datetime) -> Sequence[CaseFact]:
    """A refund was paid out. Paying it twice records nothing."""
    refund = _granted(case, refund_id)
    return [] if refund.paid_at is not None else [RefundPaid(case.case_id, refund_id, at, reference)]


def cancel(case: Case, by: Party, because: str, at: datetime) -> Sequence[CaseFact]:
    """Take it back, before goods or money moved. Cancelling twice records nothing."""
    if case.status is Status.CANCELLED:
        return []
    require_open(case)
    if received := sum(case.received.values()):
        raise GoodsReceived(case.case_id, received)
    if case.refunds:
        raise RefundStands(case.case_id, len(case.refunds))
    if case.reship is not None:
        raise WaitsForReship(case)
    return [CaseCancelled(case.case_id, by, because, at)]


def reopen(case: Case, by_line: Units, evidence: tuple[str, ...], at: datetime) -> Sequence[CaseFact]:
    """Look again, at new evidence."""
    if not case.status.is_closed:
        raise CaseNotClosed(case)
    _require_evidence(case, evidence)
    if not evidence or not set(evidence) <= set(case.unseen):
        raise NoNewEvidence(case.case_id)
    return [CaseReopened(case.case_id, by_line, evidence, at)]


def settle(case: Case, now: datetime) -> Sequence[CaseFact]:
    """A remedy is over when nothing of it is left: no unit undecided, no money unpaid, nothing to come back."""
    over = (
        case.status in (Status.APPROVED, Status.IN_REMEDY)
        and not case.todo
        and case.reship is None
        and all(refund.paid_at is not None for refund in case.refunds.values())
        and case.returns_dealt_with
    )
    return [CaseResolved(case.case_id, now)] if over else []


def settle_clock(case: Case, now: datetime) -> Sequence[CaseFact]:
    """What the newest facts say of the first answer: too late is a breach, in time after all is none."""
    due, answered_at = case.opened.first_answer_by, case.first_answered_at
    if answered_at is None:
        return []
    if answered_at > due and case.missed is None:
        return [FirstAnswerMissed(case.case_id, due, now)]
    if answered_at <= due and case.first_answer_missed:
        return [FirstAnswerBreachWithdrawn(case.case_id, answered_at, now)]
    return []


def answer_overdue(case: Case, now: datetime) -> bool:
    """Whether the customer should have heard something, and nobody has recorded that it did not."""
    waits = case.first_answered_at is None and case.missed is None and not case.status.is_closed
    return waits and now >= case.opened.first_answer_by


def miss_first_answer(case: Case | None, now: datetime) -> Sequence[CaseFact]:
    """Notice that the customer was not answered in time. Nothing to notice records nothing."""
    if case is None or not answer_overdue(case, now):
        return []
    return [FirstAnswerMissed(case.case_id, case.opened.first_answer_by, now)]


def freight_payer(case: Case, free_return_within_days: int) -> Party:
    """Who bears the way back: who is liable, but a no-reason policy within its window frees the customer."""
    assert case.ruling is not None, "goods come back after a ruling"
    liable, delivered_at = case.ruling.liable, case.opened.delivered_at
    if liable is Party.CUSTOMER and delivered_at is not None:
        within = case.opened.at <= delivered_at + timedelta(days=free_return_within_days)
        if free_return_within_days and within:
            return Party.RETAILER
    return liable


def amounts_left(case: Case, prices: Mapping[LineNo, int]) -> Amounts:
    """What is left, line by line, of what was paid for the case's units; prices are those of one unit."""
    return {n: units * prices.get(n, 0) - case.refunded_minor(n) for n, units in case.by_line.items()}
