"""Decisions that end a case or open it again, and its clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ledger.facts import Units
from ledger.nouns.cases.clocks import readings
from ledger.nouns.cases.facts import (
    CaseBreachWithdrawn,
    CaseCancelled,
    CaseDeadlineMissed,
    CaseFact,
    CaseReopened,
    CaseResolved,
    FirstAnswerBreachWithdrawn,
    FirstAnswerMissed,
)
from ledger.nouns.cases.refusals import (
    CaseNotClosed,
    GoodsReceived,
    NoNewEvidence,
    RefundStands,
    WaitsForReship,
    require_open,
)
from ledger.nouns.cases.review import require_evidence
from ledger.nouns.cases.state import Case, CaseStatus
from ledger.terms.clocks import Clock, ClockState, Reading
from ledger.terms.parties import Party


def cancel(case: Case, by: Party, because: str, at: datetime) -> Sequence[CaseFact]:
    """Cancel it, before goods or money moved. Cancelling twice records nothing."""
    if case.status is CaseStatus.CANCELLED:
        return []
    require_open(case)
    if received := sum(case.received.values()):
        raise GoodsReceived(case.case_id, received)
    if case.refunds:
        raise RefundStands(case.case_id, len(case.refunds))
    if case.reship is not None:
        raise WaitsForReship(case.case_id, case.status)
    return [CaseCancelled(case.case_id, by, because, at)]


def reopen(case: Case, by_line: Units, evidence: tuple[str, ...], at: datetime) -> Sequence[CaseFact]:
    """Review it again, for new evidence."""
    if not case.status.is_closed:
        raise CaseNotClosed(case.case_id, case.status)
    require_evidence(case, evidence)
    if not evidence or not set(evidence) <= set(case.unseen):
        raise NoNewEvidence(case.case_id)
    return [CaseReopened(case.case_id, by_line, evidence, at)]


def settle(case: Case, now: datetime) -> Sequence[CaseFact]:
    """Resolves a case whose remedy is complete: no unit undecided, no money unpaid, nothing to come back."""
    complete = (
        case.status in (CaseStatus.APPROVED, CaseStatus.IN_REMEDY)
        and not case.todo
        and case.reship is None
        and all(refund.paid_at is not None or not refund.amount_minor for refund in case.refunds.values())
        and case.returns_dealt_with
    )
    return [CaseResolved(case.case_id, now)] if complete else []


def settle_clock(case: Case, now: datetime) -> Sequence[CaseFact]:
    """What follows for the clocks: what came late is a breach, what came in time, or is excused, withdraws it."""
    facts: list[CaseFact] = []
    for each in readings(case):
        verdict = each.verdict(now)
        if verdict is not None and each.clock is not Clock.FIRST_ANSWER:
            facts.append(_missed(case, each, now) if verdict is ClockState.MISSED else _withdrawn(case, each, now))
        elif verdict is ClockState.MISSED:
            facts.append(FirstAnswerMissed(case.case_id, each.due, now))
        elif verdict is ClockState.WITHDRAWN and each.met_at is not None:
            facts.append(FirstAnswerBreachWithdrawn(case.case_id, each.met_at, now))
    return facts


def _missed(case: Case, each: Reading, now: datetime) -> CaseDeadlineMissed:
    return CaseDeadlineMissed(case.case_id, each.object_id, each.clock, each.due, now, each.supplier_id)


def _withdrawn(case: Case, each: Reading, now: datetime) -> CaseBreachWithdrawn:
    return CaseBreachWithdrawn(case.case_id, each.object_id, each.clock, each.met_at, now, each.supplier_id)


def miss_deadline(case: Case | None, object_id: str, clock: Clock, now: datetime) -> Sequence[CaseFact]:
    """Records that a refund was not paid, or the case not resolved, in time, if it is so."""
    if case is None:
        return []
    about = (each for each in readings(case) if (each.object_id, each.clock) == (object_id, clock))
    return [_missed(case, each, now) for each in about if each.overdue(now)]


def miss_first_answer(case: Case | None, now: datetime) -> Sequence[CaseFact]:
    """Records that the customer was not answered in time, if it is so."""
    found = readings(case) if case is not None else []
    overdue = (each for each in found if each.clock is Clock.FIRST_ANSWER and each.overdue(now))
    return [FirstAnswerMissed(each.object_id, each.due, now) for each in overdue]
