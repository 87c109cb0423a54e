"""The state of a return case, and how each fact changes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from msgspec.structs import replace

from ledger.facts import LineNo, Sealed, Units, Value, minus, plus
from ledger.nouns.cases.facts import (
    CaseBreachWithdrawn,
    CaseCancelled,
    CaseDeadlineMissed,
    CaseDenied,
    CaseFact,
    CaseOpened,
    CaseReopened,
    CaseResolved,
    CustomerAnswered,
    Denial,
    EvidenceAdded,
    EvidenceRequested,
    FirstAnswerBreachWithdrawn,
    FirstAnswerMissed,
    Inspection,
    LabelFile,
    LiabilityRuled,
    RefundDenied,
    RefundGranted,
    RefundPaid,
    RefundTakenBack,
    Remedy,
    RemedyApproved,
    ReshipArrived,
    ReshipFailed,
    ReshipFailure,
    ReshipPlaced,
    ReturnInspected,
    ReturnLabelled,
    ReturnReceived,
    ReturnShipped,
    ReviewStarted,
)
from ledger.nouns.orders.after_sales import Amounts, ChargeAmounts
from ledger.terms.clocks import Clock, Reading
from ledger.terms.money import in_64_bits
from ledger.terms.parties import Party
from ledger.view import View, noun


def stream(case_id: str) -> str:
    """case_id is a plain id that after-sales gives."""
    return f"case-{case_id}"


def find(view: View, case_id: str) -> Case | None:
    found: Case | None = view.state(stream(case_id))
    return found


class CaseStatus(StrEnum):
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
        return self in (CaseStatus.RESOLVED, CaseStatus.DENIED, CaseStatus.CANCELLED)


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
    file: LabelFile | None = None


class Refund(Value, frozen=True):
    """Money for units."""

    by_line: Units
    amounts_minor: Amounts
    granted_at: datetime
    paid_at: datetime | None = None
    reference: str = ""
    charges_minor: ChargeAmounts = {}
    freight_minor: int = 0
    """What was taken off for sending the units back."""
    pay_by: datetime | None = None

    @property
    def amount_minor(self) -> int:
        return in_64_bits(sum(self.amounts_minor.values()) + sum(self.charges_minor.values()))


class Reship(Value, frozen=True):
    """Units that are sent once more."""

    order_id: str
    by_line: Units
    arrived: Units = {}
    failed: Units = {}
    ended_at: datetime | None = None


class CaseBreach(Value, frozen=True):
    """A clock of a refund, or of the case's resolution, that was missed, as it was recorded."""

    missed: CaseDeadlineMissed
    withdrawn: CaseBreachWithdrawn | None = None


class Case(Value, frozen=True):
    """A case, folded from its facts."""

    opened: CaseOpened
    by_line: Units
    """The units that it is about now."""
    status: CaseStatus = CaseStatus.OPENED
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
    """What is being done: as chosen, but a reship that failed becomes a refund."""
    todo: Units = {}
    """Units of the remedy that nothing was decided for yet."""
    reships: tuple[Reship, ...] = ()
    reship_failure: ReshipFailure | None = None
    """Why the last reship came to nothing, if one did."""
    labels: dict[str, Label] = {}
    given_up: Units = {}
    """Labelled units that nobody waits for any more."""
    received: Units = {}
    undelivered: Units = {}
    """Those of them that came back without ever having arrived."""
    inspected: dict[LineNo, Inspection] = {}
    undecided: Units = {}
    """Inspected units whose refund was neither granted nor denied yet."""
    refunds: dict[str, Refund] = {}
    currency: str = ""
    """Of the money that was granted; empty if none was."""
    remedied: Units = {}
    """Units that ever got anything: they stay with the case when it is closed."""
    denial: Denial | None = None
    denial_note: Sealed | None = None
    """What was noted when the whole case was denied."""
    closed_at: datetime | None = None
    breaches: Mapping[tuple[str, Clock], CaseBreach] = {}
    """Of refunds that were paid too late, and of the resolution."""

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
    def late(self) -> list[CaseDeadlineMissed]:
        """The breaches of its other clocks that stand."""
        return [each.missed for each in self.breaches.values() if each.withdrawn is None]

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

    @property
    def to_inspect(self) -> LineNo | None:
        """The first line of which something came back that nobody has looked at."""
        return next((n for n, units in self.received.items() if units > self.inspection(n).looked_at), None)

    def inspection(self, line_no: LineNo) -> Inspection:
        return self.inspected.get(line_no, Inspection())

    @property
    def returns_dealt_with(self) -> bool:
        """Nothing is still to come back, and nothing that did is uninspected or unfinished."""
        return not any(
            self.awaited(line_no)
            or self.received.get(line_no, 0) > self.inspection(line_no).looked_at
            or self.inspection(line_no).needs_work
            for line_no in {n for label in self.labels.values() for n in label.by_line}
        )

    def refunded_minor(self, line_no: LineNo) -> int:
        return sum(refund.amounts_minor.get(line_no, 0) for refund in self.refunds.values())

    @property
    def freight_owed_minor(self) -> int:
        """What the customer is still to bear for sending goods back."""
        owed = sum(each.freight_minor for each in self.labels.values() if each.freight_payer is Party.CUSTOMER)
        return owed - sum(refund.freight_minor for refund in self.refunds.values())

    def refunded_units(self, line_no: LineNo) -> int:
        """Units that refunds were granted for."""
        return sum(refund.by_line.get(line_no, 0) for refund in self.refunds.values())

    def part_given(self, worth: Callable[[LineNo, int], int]) -> Units:
        """Units that neither came back nor were sent once more, and whose price was not wholly refunded."""
        left = minus(self.by_line, self.received)
        for reship in self.reships:
            left = minus(left, reship.arrived)
        for line_no, units in list(left.items()):
            paid_for = min(self.refunded_units(line_no), self.by_line[line_no])
            price = worth(line_no, paid_for)
            whole = paid_for * self.refunded_minor(line_no) // price if price else paid_for
            left[line_no] = max(units - whole, 0)
        return {line_no: units for line_no, units in left.items() if units}

    @property
    def untouched(self) -> Units:
        """Units that never got anything nor came back."""
        return minus(minus(self.by_line, self.remedied), minus(self.received, self.remedied))


def readings(case: Case) -> list[Reading]:
    """All clocks of a case, with those that are gone but were missed."""
    found = _first_answer(case)
    if case.refunds or case.ruling is not None or case.breaches:
        own = [*_payments(case), *_resolution(case)]
        gone = case.breaches.keys() - {(each.object_id, each.clock) for each in own}
        found += [*own, *(_past(case, case.breaches[key]) for key in sorted(gone))]
    return found


def _payments(case: Case) -> Iterator[Reading]:
    for refund_id, each in case.refunds.items():
        if each.pay_by is not None:
            yield _reading(case, f"{case.case_id}/{refund_id}", Clock.REFUND_PAID, each.pay_by, each.paid_at)


def _resolution(case: Case) -> Iterator[Reading]:
    """Of each supplier that is liable. Of a case that was denied or cancelled nobody waits for a remedy."""
    if case.ruling is None:
        return
    resolved = case.status is CaseStatus.RESOLVED
    for supplier_id, due in case.ruling.resolve_by.items():
        reading = _reading(case, f"{case.case_id}/{supplier_id}", Clock.RESOLUTION, due, None, supplier_id)
        yield replace(reading, **{"met_at" if resolved else "given_up_at": case.closed_at})


def _reading(
    case: Case, object_id: str, clock: Clock, due: datetime, met_at: datetime | None, supplier_id: str = ""
) -> Reading:
    breach = case.breaches.get((object_id, clock))
    if breach is None:
        return Reading(object_id, clock, due, met_at, supplier_id)
    withdrawn_at = breach.withdrawn.at if breach.withdrawn is not None else None
    return Reading(object_id, clock, due, met_at, supplier_id, breach.missed.at, withdrawn_at)


def _past(case: Case, breach: CaseBreach) -> Reading:
    """What was late stays late, also where it is not owed any more; but not what was ruled to be another party's."""
    missed = breach.missed
    reading = _reading(case, missed.object_id, missed.clock, missed.due, None, missed.supplier_id)
    another = case.ruling is not None and case.ruling.liable is not Party.SUPPLIER
    excused = (missed.clock is Clock.RESOLUTION and another) or breach.withdrawn is not None
    return replace(reading, given_up_at=missed.due - timedelta.resolution if excused else missed.due)


def _first_answer(case: Case) -> list[Reading]:
    """The clock of the retailer's first answer; none once the case is closed without an answer or a breach."""
    missed, withdrawn, answered_at = case.missed, case.withdrawn, case.first_answered_at
    if case.status.is_closed and answered_at is None and missed is None:
        return []
    return [
        Reading(
            case.case_id,
            Clock.FIRST_ANSWER,
            case.opened.first_answer_by,
            answered_at,
            missed_at=missed.at if missed is not None else None,
            withdrawn_at=withdrawn.at if withdrawn is not None else None,
        )
    ]


def evolve(case: Case | None, fact: CaseFact) -> Case:
    if isinstance(fact, CaseOpened):
        return Case(fact, fact.by_line)
    assert case is not None, "the first fact of a case is its opening"
    match fact:
        case CustomerAnswered(at=at):
            return replace(case, first_answered_at=_earliest_answer(case, at))
        case FirstAnswerMissed():
            return replace(case, missed=fact)
        case FirstAnswerBreachWithdrawn():
            return replace(case, withdrawn=fact)
        case CaseDeadlineMissed():
            return replace(case, breaches={**case.breaches, (fact.object_id, fact.clock): CaseBreach(fact)})
        case CaseBreachWithdrawn(object_id=object_id, clock=clock):
            breach = replace(case.breaches[object_id, clock], withdrawn=fact)
            return replace(case, breaches={**case.breaches, (object_id, clock): breach})
        case EvidenceRequested():
            return replace(
                case,
                status=CaseStatus.EVIDENCE_REQUESTED,
                wanted=fact.wanted,
                evidence_by=fact.due,
                first_answered_at=_earliest_answer(case, fact.at),
            )
        case EvidenceAdded(sha256=sha256):
            return replace(case, evidence={**case.evidence, sha256: fact}, unseen=(*case.unseen, sha256))
        case ReviewStarted():
            return replace(case, status=CaseStatus.UNDER_REVIEW, evidence_by=None)
        case LiabilityRuled():
            return replace(case, status=CaseStatus.LIABILITY_RULED, ruling=fact)
        case RemedyApproved():
            return replace(
                case,
                status=CaseStatus.APPROVED,
                chosen=fact,
                remedy=fact.remedy,
                todo=fact.by_line,
                first_answered_at=_earliest_answer(case, fact.at),
            )
        case CaseDenied():
            answered_at = _earliest_answer(case, fact.at)
            closed = _closed(case, CaseStatus.DENIED, fact.at)
            return replace(closed, denial=fact.because, denial_note=fact.note, first_answered_at=answered_at)
        case ReshipPlaced() | ReshipArrived() | ReshipFailed():
            return _reshipped(case, fact)
        case ReturnLabelled() | ReturnShipped() | ReturnReceived() | ReturnInspected():
            begun = case.status is CaseStatus.APPROVED
            return _returned(replace(case, status=CaseStatus.IN_REMEDY) if begun else case, fact)
        case RefundGranted() | RefundDenied() | RefundTakenBack() | RefundPaid():
            return _refunded(replace(case, status=CaseStatus.IN_REMEDY), fact)
        case CaseResolved(at=at):
            return _closed(case, CaseStatus.RESOLVED, at)
        case CaseCancelled(at=at):
            given_up = plus(case.given_up, case.all_awaited)
            return _closed(replace(case, given_up=given_up), CaseStatus.CANCELLED, at)
        case CaseReopened():
            return replace(
                case,
                by_line=fact.by_line,
                status=CaseStatus.UNDER_REVIEW,
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


def _earliest_answer(case: Case, at: datetime) -> datetime:
    return at if case.first_answered_at is None else min(case.first_answered_at, at)


def _closed(case: Case, status: CaseStatus, at: datetime) -> Case:
    """Units that got no remedy leave the case; evidence from now on is new."""
    by_line = case.by_line if status is CaseStatus.RESOLVED else minus(case.by_line, case.untouched)
    return replace(case, status=status, closed_at=at, unseen=(), evidence_by=None, by_line=by_line)


def _reshipped(case: Case, fact: ReshipPlaced | ReshipArrived | ReshipFailed) -> Case:
    match fact:
        case ReshipPlaced():
            placed = Reship(fact.reship_order_id, fact.by_line)
            return replace(case, status=CaseStatus.IN_REMEDY, reships=(*case.reships, placed))
        case ReshipArrived():
            arrived = _ended(case, fact.reship_order_id, arrived=fact.by_line, ended_at=fact.at)
            remedied = plus(case.remedied, fact.by_line)
            return replace(case, reships=arrived, todo=minus(case.todo, fact.by_line), remedied=remedied)
        case ReshipFailed():
            failed = _ended(case, fact.reship_order_id, failed=fact.by_line, ended_at=fact.at)
            return replace(
                case, status=CaseStatus.APPROVED, reships=failed, reship_failure=fact.because, remedy=Remedy.REFUND
            )
        case _:
            assert_never(fact)


def _ended(case: Case, order_id: str, **how: object) -> tuple[Reship, ...]:
    return tuple(replace(each, **how) if each.order_id == order_id else each for each in case.reships)


def _returned(case: Case, fact: ReturnLabelled | ReturnShipped | ReturnReceived | ReturnInspected) -> Case:
    match fact:
        case ReturnLabelled(label_id=label_id):
            label = Label(label_id, fact.by_line, fact.freight_payer, fact.supplier_id, fact.freight_minor, fact.at)
            label = replace(case.labels.get(label_id, label), file=fact.file)
            return replace(case, labels={**case.labels, label_id: label})
        case ReturnShipped(label_id=label_id):
            shipping = {"carrier": fact.carrier, "number": fact.number, "epoch": fact.epoch, "shipped_at": fact.at}
            return replace(case, labels={**case.labels, label_id: replace(case.labels[label_id], **shipping)})
        case ReturnReceived(by_line=by_line):
            inspected = _without_found(case, by_line)
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
            return replace(
                case,
                inspected={**case.inspected, **by_line},
                undecided=undecided,
                received=plus(case.received, fact.undelivered),
                undelivered=plus(case.undelivered, fact.undelivered),
            )
        case _:
            assert_never(fact)


def _without_found(case: Case, received: Units) -> dict[LineNo, Inspection]:
    """The inspections, without missing units that came in after all."""
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
            refund = Refund(
                by_line,
                fact.amounts_minor,
                fact.at,
                charges_minor=fact.charges_minor,
                freight_minor=fact.freight_minor,
                pay_by=fact.pay_by,
            )
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
        case RefundTakenBack(undecided=undecided):
            return replace(
                case,
                refunds={name: refund for name, refund in case.refunds.items() if name != fact.refund_id},
                remedied=minus(case.remedied, case.refunds[fact.refund_id].by_line),
                todo=plus(case.todo, undecided),
                undecided=plus(case.undecided, undecided) if case.remedy is Remedy.RETURN else case.undecided,
                denial=case.denial if undecided else fact.because,
            )
        case RefundPaid(refund_id=refund_id):
            paid = replace(case.refunds[refund_id], paid_at=fact.at, reference=fact.reference)
            return replace(case, refunds={**case.refunds, refund_id: paid})
        case _:
            assert_never(fact)
