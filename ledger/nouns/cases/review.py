"""Decisions from the complaint to the remedy: answers, evidence, review, liability, approval or denial."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec.structs import replace

from ledger.facts import Sealed, Units, plus
from ledger.nouns.cases.facts import (
    CaseDenied,
    CaseFact,
    CustomerAnswered,
    Denial,
    EvidenceAdded,
    EvidenceRequested,
    Exchange,
    LiabilityRuled,
    Remedy,
    RemedyApproved,
    ReviewStarted,
)
from ledger.nouns.cases.refusals import (
    AlreadyRefunded,
    EvidenceStillDue,
    NotAskedForEvidence,
    NotRuled,
    NotUnderReview,
    OverRemedied,
    PastEvidence,
    RemedyChosen,
    ReviewPassed,
    TooMuchEvidence,
    UnknownEvidence,
    require_lines,
    require_open,
)
from ledger.nouns.cases.state import Case, CaseStatus

MOST_EVIDENCE = 100
"""Pieces of one case; more than a person looks at."""


def answer(case: Case, at: datetime) -> Sequence[CaseFact]:
    """The customer was answered; only the earliest answer counts, also if it is recorded late."""
    if case.first_answered_at is not None and case.first_answered_at <= at:
        return []
    return [CustomerAnswered(case.case_id, at)]


def request_evidence(case: Case, wanted: tuple[str, ...], due: datetime, at: datetime) -> Sequence[CaseFact]:
    """Ask the customer; asking for the same again records nothing and moves no due time."""
    require_open(case)
    if case.status is CaseStatus.EVIDENCE_REQUESTED and case.wanted == wanted:
        return []
    if case.status not in (CaseStatus.OPENED, CaseStatus.EVIDENCE_REQUESTED, CaseStatus.UNDER_REVIEW):
        raise PastEvidence(case.case_id, case.status)
    return [EvidenceRequested(case.case_id, wanted, due, at)]


def add_evidence(case: Case, added: EvidenceAdded) -> Sequence[CaseFact]:
    """Evidence is accepted at any time: it is what may reopen a closed case. The same again records nothing."""
    if added.sha256 in case.evidence:
        return []
    if is_full(case):
        raise TooMuchEvidence(case.case_id, MOST_EVIDENCE)
    return [added]


def is_full(case: Case) -> bool:
    """Whether no more evidence is taken."""
    return len(case.evidence) >= MOST_EVIDENCE


def start_review(case: Case, at: datetime) -> Sequence[CaseFact]:
    """Somebody looks at it. Starting twice records nothing."""
    require_open(case)
    if case.status is CaseStatus.UNDER_REVIEW:
        return []
    if case.status not in (CaseStatus.OPENED, CaseStatus.EVIDENCE_REQUESTED):
        raise ReviewPassed(case.case_id, case.status)
    return [ReviewStarted(case.case_id, at)]


def rule(case: Case, ruling: LiabilityRuled) -> Sequence[CaseFact]:
    """Who is liable. Until a remedy is approved the ruling can change; the same again records nothing."""
    require_open(case)
    if case.ruling is not None and replace(ruling, at=case.ruling.at, note=case.ruling.note) == case.ruling:
        return []
    if case.status not in (CaseStatus.UNDER_REVIEW, CaseStatus.LIABILITY_RULED):
        raise NotUnderReview(case.case_id, case.status)
    require_evidence(case, ruling.evidence)
    return [ruling]


def require_evidence(case: Case, evidence: Iterable[str]) -> None:
    for sha256 in evidence:
        if sha256 not in case.evidence:
            raise UnknownEvidence(case.case_id, sha256)


def approve(
    case: Case, remedy: Remedy, by_line: Units, at: datetime, exchange: Exchange | None = None
) -> Sequence[CaseFact]:
    """Choose the remedy, for all units of the case unless some are named. The same again records nothing."""
    require_lines(case, by_line)
    require_open(case)
    if case.chosen is not None:
        same = (case.chosen.remedy, case.chosen.exchange) == (remedy, exchange)
        if same and by_line in ({}, case.chosen.by_line):
            return []
        raise RemedyChosen(case.case_id, case.status)
    if case.status is not CaseStatus.LIABILITY_RULED:
        raise NotRuled(case.case_id, case.status)
    wanted = by_line or case.by_line
    for line_no, units in wanted.items():
        if units > (left := case.by_line.get(line_no, 0)):
            raise OverRemedied(line_no, units, left)
    if remedy in (Remedy.RESHIP, Remedy.EXCHANGE):
        wanted = _not_refunded(case, wanted, named=bool(by_line))
    return [RemedyApproved(case.case_id, remedy, wanted, at, exchange)]


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
    if case.status is CaseStatus.DENIED and case.denial is because:
        return []
    require_open(case)
    if case.status in (CaseStatus.APPROVED, CaseStatus.IN_REMEDY):
        raise RemedyChosen(case.case_id, case.status)
    if because is Denial.NO_EVIDENCE and case.status is not CaseStatus.LIABILITY_RULED:
        if case.status is not CaseStatus.EVIDENCE_REQUESTED or case.evidence_by is None:
            raise NotAskedForEvidence(case.case_id, case.status)
        if at < case.evidence_by:
            raise EvidenceStillDue(case.case_id, case.evidence_by)
    elif case.status is not CaseStatus.LIABILITY_RULED:
        raise NotRuled(case.case_id, case.status)
    return [CaseDenied(case.case_id, because, at, note)]
