"""Agreed terms: what is not named stays as it is, and what ends is said (DOMAIN 2)."""

from typing import Any

from ledger.nouns import suppliers
from ledger.nouns.suppliers import Agreement, Supplier, SupplierRegistered, TermsAgreed
from ledger.terms.calendars import Calendar, PeakPeriod, Unit, WorkingTerms, WorkingTime
from ledger.terms.money import Money
from tests.support.scenario import DAY, NOON, TERMS

CAP = Money(5000, "EUR")
CHRISTMAS, NEW_YEAR = (PeakPeriod(NOON + n * DAY, NOON + (n + 5) * DAY, 24) for n in (10, 20))
FIRST = Agreement(
    NOON,
    acknowledge_within_hours=24,
    dispatch_within_hours=48,
    compensation_basis_points=500,
    compensation_cap=CAP,
    response_target_basis_points=9000,
    peaks=(CHRISTMAS,),
)


def after(*told: tuple[Agreement, tuple[str, ...]]) -> Supplier:
    known = suppliers.evolve(None, SupplierRegistered("acme", "Acme", NOON))
    for named, ends in told:
        for fact in suppliers.change_terms(known, named, ends, NOON):
            known = suppliers.evolve(known, fact)
    return known


def in_force(*told: tuple[Agreement, tuple[str, ...]], days: int = 1) -> Agreement:
    found = after(*told).agreement_at(NOON + days * DAY)
    assert found is not None
    return found


def later(**named: Any) -> Agreement:
    return Agreement(NOON + DAY, **named)


def test_the_first_terms_are_as_they_are_named():
    assert in_force((FIRST, ())) == FIRST


def test_terms_that_are_not_named_stay_as_they_are():
    changed = in_force((FIRST, ()), (later(dispatch_within_hours=72), ()))
    assert (changed.dispatch_within_hours, changed.acknowledge_within_hours) == (72, 24)
    assert (changed.compensation_basis_points, changed.compensation_cap) == (500, CAP)
    assert (changed.response_target_basis_points, changed.peaks) == (9000, (CHRISTMAS,))
    assert in_force((FIRST, ()), (later(dispatch_within_hours=72), ()), days=0) == FIRST, "until then"


def test_what_ends_is_said():
    known = after((FIRST, ()))
    ends = ("compensation", "acknowledge_within", "first_scan_within")
    (agreed,) = suppliers.change_terms(known, later(), ends, NOON)
    assert isinstance(agreed, TermsAgreed)
    assert (agreed.agreement.compensation_basis_points, agreed.agreement.acknowledge_within_hours) == (0, None)
    assert agreed.agreement.dispatch_within_hours == 48
    assert agreed.warnings == ("compensation is agreed no more", "acknowledge within is agreed no more")


def test_terms_are_put_right_by_naming_them_from_the_same_date():
    right = in_force((FIRST, ()), (Agreement(NOON, dispatch_within_hours=36), ()))
    assert (right.dispatch_within_hours, right.acknowledge_within_hours, right.effective_from) == (36, 24, NOON)
    known = after((FIRST, ()), (Agreement(NOON, dispatch_within_hours=36), ()))
    assert suppliers.change_terms(known, Agreement(NOON, dispatch_within_hours=36), (), NOON) == []


def test_peaks_are_added_unless_they_end():
    assert in_force((FIRST, ()), (later(peaks=(NEW_YEAR,)), ())).peaks == (CHRISTMAS, NEW_YEAR)
    assert in_force((FIRST, ()), (later(peaks=(NEW_YEAR,)), ("peaks",))).peaks == (NEW_YEAR,)
    longer = PeakPeriod(CHRISTMAS.since, CHRISTMAS.until, 48)
    assert in_force((FIRST, ()), (later(peaks=(longer,)), ())).peaks == (longer,)


def test_a_term_that_is_named_in_working_time_is_not_in_hours_any_more_and_the_other_way():
    shanghai = WorkingTerms(Calendar("Asia/Shanghai"), {"dispatch_within": WorkingTime(2, Unit.DAYS)})
    working = in_force((FIRST, ()), (later(working=shanghai), ()))
    assert (working.dispatch_within_hours, working.acknowledge_within_hours) == (None, 24)
    assert working.working == shanghai
    hours = Agreement(NOON + 2 * DAY, dispatch_within_hours=48)
    again = in_force((FIRST, ()), (later(working=shanghai), ()), (hours, ()), days=2)
    assert again.dispatch_within_hours == 48
    assert again.working == WorkingTerms(Calendar("Asia/Shanghai"))
    none = in_force((FIRST, ()), (later(working=shanghai), ()), (hours, ("calendar",)), days=2)
    assert none.working is None


def test_before_any_agreement_holds_nothing_is_taken_over():
    assert after((TERMS, ()), (Agreement(TERMS.effective_from - DAY), ())).agreements[-1] == Agreement(
        TERMS.effective_from - DAY
    )
