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
from ledger.nouns.cases.state import Case, Status
from ledger.terms.parties import Party


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
    require_evidence(case, evidence)
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
