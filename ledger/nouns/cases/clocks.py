"""The clocks of a case: its first answer, the payment of each refund, and its resolution."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from msgspec.structs import replace

from ledger.nouns.cases.state import Case, CaseBreach, CaseStatus
from ledger.terms.clocks import Clock, Reading
from ledger.terms.parties import Party


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
    return Reading(
        object_id=object_id,
        clock=clock,
        due=due,
        met_at=met_at,
        supplier_id=supplier_id,
        missed_at=breach.missed.at,
        withdrawn_at=withdrawn_at,
    )


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
