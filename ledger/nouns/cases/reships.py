"""Decisions on units that are sent once more."""

from __future__ import annotations

from datetime import datetime

from ledger.facts import Units
from ledger.nouns.cases.facts import CaseFact, ReshipArrived, ReshipFailed, ReshipFailure
from ledger.nouns.cases.refusals import NoRemedyYet, require_open
from ledger.nouns.cases.state import Case, CaseStatus


def require_remedy(case: Case) -> None:
    require_open(case)
    if case.status not in (CaseStatus.APPROVED, CaseStatus.IN_REMEDY):
        raise NoRemedyYet(case.case_id, case.status)


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
