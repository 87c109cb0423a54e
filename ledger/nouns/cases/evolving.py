"""What each fact makes of a case."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from msgspec.structs import replace

from ledger.facts import LineNo, Units, minus, plus
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
    EvidenceAdded,
    EvidenceRequested,
    FirstAnswerBreachWithdrawn,
    FirstAnswerMissed,
    Inspection,
    LiabilityRuled,
    RefundDenied,
    RefundGranted,
    RefundPaid,
    RefundTakenBack,
    Remedy,
    RemedyApproved,
    ReshipArrived,
    ReshipFailed,
    ReshipPlaced,
    ReturnInspected,
    ReturnLabelled,
    ReturnReceived,
    ReturnShipped,
    ReviewStarted,
)
from ledger.nouns.cases.state import Case, CaseBreach, CaseStatus, Label, Refund, Reship
from ledger.view import noun


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
