"""Decisions that end a case or open it again, and its clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ledger.facts import Units
from ledger.nouns.cases.facts import (
    CaseCancelled,
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
from ledger.nouns.cases.state import Case, CaseStatus, readings
from ledger.terms.clocks import ClockState
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
    """What follows for the clock of the first answer: a late one is a breach, one in time withdraws it."""
    facts: list[CaseFact] = []
    for each in readings(case):
        verdict = each.verdict(now)
        if verdict is ClockState.MISSED:
            facts.append(FirstAnswerMissed(case.case_id, each.due, now))
        elif verdict is ClockState.WITHDRAWN and each.met_at is not None:
            facts.append(FirstAnswerBreachWithdrawn(case.case_id, each.met_at, now))
    return facts


def miss_first_answer(case: Case | None, now: datetime) -> Sequence[CaseFact]:
    """Records that the customer was not answered in time, if it is so."""
    overdue = [reading for reading in readings(case) if reading.overdue(now)] if case is not None else []
    return [FirstAnswerMissed(each.object_id, each.due, now) for each in overdue]
