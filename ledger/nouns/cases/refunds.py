"""Decisions on money for the customer of a case."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ledger.facts import Units
from ledger.nouns.cases.facts import CaseFact, Denial, RefundDenied, RefundGranted, RefundPaid, RefundTakenBack, Remedy
from ledger.nouns.cases.refusals import (
    NothingToRefund,
    NotInspected,
    OverRemedied,
    RefundCanBePaid,
    RefundWasPaid,
    UnknownRefund,
    WaitsForReship,
    require_lines,
)
from ledger.nouns.cases.reships import require_remedy
from ledger.nouns.cases.state import Case, Refund
from ledger.terms.money import Money


def grant_refund(case: Case, granted: RefundGranted) -> Sequence[CaseFact]:
    """Money for units; after-sales has computed granted.amounts_minor."""
    require_undecided(case, granted.by_line)
    if not (granted.by_line or granted.charges_minor):
        raise NothingToRefund(case.case_id)
    if case.remedy is Remedy.RETURN:
        for line_no, units in granted.by_line.items():
            if units > (inspected := case.undecided.get(line_no, 0)):
                raise NotInspected(line_no, units, inspected)
    return [granted]


def deny_refund(case: Case, by_line: Units, because: Denial, at: datetime) -> list[RefundDenied]:
    """No money for units, as after an inspection, or because they never came back and are not awaited any more."""
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


def require_undecided(case: Case, by_line: Units) -> None:
    """Refuses units for which money was granted or denied before."""
    require_lines(case, by_line)
    require_remedy(case)
    if case.reship is not None:
        raise WaitsForReship(case.case_id, case.status)
    for line_no, units in by_line.items():
        if units > (left := case.todo.get(line_no, 0)):
            raise OverRemedied(line_no, units, left)
