"""The clocks of a case beside the first answer: refunds are paid, and a supplier's case is resolved (DOMAIN 5, 6)."""

from msgspec.structs import replace

from ledger.decisions.timers import RefundPaidDue, ResolutionDue
from ledger.facts import Fact, LineNo
from ledger.nouns.cases import (
    CaseBreachWithdrawn,
    CaseDeadlineMissed,
    LiabilityRuled,
    Reason,
    RefundGranted,
    Remedy,
    readings,
)
from ledger.nouns.policies import CaseApproval
from ledger.terms.calendars import Calendar, Unit, WorkingTerms, WorkingTime
from ledger.terms.clocks import Clock, ClockState, Reading
from ledger.terms.money import Money
from ledger.terms.parties import Party
from tests.support.casework import CASE, OTHER_PHOTO, PHOTO, Desk, agreed
from tests.support.scenario import DAY, HOUR, TERMS, delivered, names, the

REFUND = f"{CASE}/refund-1"
ACME = f"{CASE}/acme"


def a_desk(**terms) -> Desk:
    scenario = delivered()
    scenario.agree_terms(replace(TERMS, effective_from=scenario.now, **terms))
    return Desk(scenario)


def granted(desk: Desk | None = None) -> Desk:
    desk = desk or a_desk()
    desk.opens()
    desk.reviews()
    desk.rules()
    desk.approves(Remedy.REFUND)
    desk.answers()
    desk.grants()
    return desk


def ruled(liable: Party = Party.SUPPLIER) -> Desk:
    desk = a_desk(resolve_within_hours=72, cancel_answer_within_hours=24)
    desk.opens()
    desk.answers()
    desk.reviews()
    desk.rules(liable)
    return desk


def clock(desk: Desk, clock: Clock) -> Reading:
    (found,) = (each for each in readings(desk.case()) if each.clock is clock)
    return found


def runs_out(desk: Desk, object_id: str) -> list[Fact]:
    timer = ResolutionDue if object_id == ACME else RefundPaidDue
    return desk.scenario.notice(timer(object_id, due=desk.scenario.now))


# --- refunds --------------------------------------------------------------------------------------


def test_a_granted_refund_is_to_be_paid_within_three_days_unless_agreed_otherwise():
    desk = granted()
    reading = clock(desk, Clock.REFUND_PAID)
    assert (reading.object_id, reading.due, reading.owner) == (REFUND, desk.scenario.now + 72 * HOUR, Party.RETAILER)
    other = a_desk()
    agreed(other.scenario, refund_within_hours=5)
    assert clock(granted(other), Clock.REFUND_PAID).due == other.scenario.now + 5 * HOUR


def test_it_may_be_agreed_in_working_days_of_the_retailer():
    desk = a_desk()
    agreed(desk.scenario, working=WorkingTerms(Calendar("UTC"), {"refund_within": WorkingTime(5, Unit.DAYS)}))
    granted(desk)
    assert clock(desk, Clock.REFUND_PAID).due == desk.scenario.now + 7 * DAY


def test_a_refund_that_is_not_paid_is_a_breach_once_and_paying_it_late_leaves_it():
    desk = granted()
    desk.scenario.later(hours=71)
    assert runs_out(desk, REFUND) == []
    desk.scenario.later(hours=1)
    missed = the(CaseDeadlineMissed, runs_out(desk, REFUND))
    assert (missed.object_id, missed.clock, missed.supplier_id) == (REFUND, Clock.REFUND_PAID, "")
    assert runs_out(desk, REFUND) == []
    desk.scenario.later(minutes=1)
    desk.pays()
    assert clock(desk, Clock.REFUND_PAID).state is ClockState.MISSED


def test_paying_it_in_time_meets_the_clock():
    desk = granted()
    desk.scenario.later(hours=72)
    desk.pays()
    assert clock(desk, Clock.REFUND_PAID).state is ClockState.MET
    desk.scenario.later(days=1)
    assert runs_out(desk, REFUND) == []


def test_a_refund_that_was_paid_late_before_anybody_noticed_is_a_breach():
    desk = granted()
    desk.scenario.later(hours=73)
    assert "deadline_missed" in names(desk.pays())


def charged_back(desk: Desk) -> Desk:
    desk.scenario.charge_back(desk.scenario.order().lines[LineNo(1)].amount_minor)
    desk.takes_back()
    return desk


def test_a_refund_that_is_taken_back_in_time_is_owed_no_more_and_one_that_was_late_stays_late():
    desk = charged_back(granted())
    assert [each.clock for each in readings(desk.case())] == [Clock.FIRST_ANSWER]
    late = granted()
    late.scenario.later(hours=72)
    runs_out(late, REFUND)
    charged_back(late)
    reading = clock(late, Clock.REFUND_PAID)
    assert (reading.state, reading.over) == (ClockState.MISSED, True)


def test_a_refund_of_nothing_has_no_clock():
    desk = a_desk()
    desk.opens()
    desk.reviews()
    desk.rules()
    desk.approves(Remedy.REFUND)
    assert the(RefundGranted, desk.grants(amounts={1: 0})).pay_by is None


# --- resolution -----------------------------------------------------------------------------------


def test_a_case_that_is_the_suppliers_is_to_be_resolved_in_the_agreed_time_after_the_ruling():
    desk = ruled()
    reading = clock(desk, Clock.RESOLUTION)
    assert (reading.object_id, reading.due, reading.owner) == (ACME, desk.scenario.now + 72 * HOUR, Party.SUPPLIER)
    assert (reading.supplier_id, reading.state) == ("acme", ClockState.OPEN)


def test_without_an_agreed_time_or_with_another_party_liable_nobody_has_that_clock():
    assert all(each.clock is not Clock.RESOLUTION for each in readings(granted().case()))
    assert all(each.clock is not Clock.RESOLUTION for each in readings(ruled(Party.CARRIER).case()))


def test_another_ruling_against_the_supplier_gives_it_no_more_time():
    desk = ruled()
    due = clock(desk, Clock.RESOLUTION).due
    desk.scenario.later(hours=5)
    desk.files()
    assert the(LiabilityRuled, desk.rules(Party.SUPPLIER, PHOTO)).resolve_by == {"acme": due}


def test_a_case_that_is_resolved_in_time_meets_it_and_one_that_is_not_is_a_breach_once():
    for hours, state in ((72, ClockState.MET), (73, ClockState.MISSED)):
        desk = ruled()
        desk.approves(Remedy.REFUND)
        desk.grants()
        desk.scenario.later(hours=hours)
        desk.pays()
        assert clock(desk, Clock.RESOLUTION).state is state
        assert runs_out(desk, ACME) == []


def test_silence_is_a_breach_at_the_due_time():
    desk = ruled()
    desk.scenario.later(hours=72)
    missed = the(CaseDeadlineMissed, runs_out(desk, ACME))
    assert (missed.object_id, missed.clock, missed.supplier_id) == (ACME, Clock.RESOLUTION, "acme")
    assert runs_out(desk, ACME) == []


def test_a_breach_is_withdrawn_once_the_case_is_ruled_to_be_another_partys():
    desk = ruled()
    desk.scenario.later(hours=72)
    runs_out(desk, ACME)
    withdrawn = the(CaseBreachWithdrawn, desk.rules(Party.CARRIER))
    assert (withdrawn.object_id, withdrawn.happened_at) == (ACME, None)
    assert clock(desk, Clock.RESOLUTION).state is ClockState.WITHDRAWN
    assert names(desk.rules(Party.SUPPLIER)) == ["liability_ruled"]


def test_a_case_that_is_denied_in_time_waits_for_nobody():
    desk = ruled()
    desk.denies()
    assert clock(desk, Clock.RESOLUTION).state is None
    desk.scenario.later(days=9)
    assert runs_out(desk, ACME) == []


def test_a_case_that_was_late_and_is_opened_again_stays_late_and_starts_no_further_clock():
    desk = ruled()
    desk.scenario.later(hours=72)
    runs_out(desk, ACME)
    desk.denies()
    desk.files(OTHER_PHOTO)
    desk.reopens(OTHER_PHOTO)
    assert clock(desk, Clock.RESOLUTION).state is ClockState.MISSED
    assert the(LiabilityRuled, desk.rules()).resolve_by == {}


def test_a_case_that_was_in_time_and_is_opened_again_gets_its_time_anew():
    desk = ruled()
    desk.denies()
    desk.files(OTHER_PHOTO)
    desk.reopens(OTHER_PHOTO)
    desk.scenario.later(days=9)
    assert the(LiabilityRuled, desk.rules()).resolve_by == {"acme": desk.scenario.now + 72 * HOUR}


def test_what_a_policy_approves_at_once_has_the_clock_from_its_opening():
    desk = a_desk(resolve_within_hours=10)
    term = CaseApproval(Reason.DAMAGED, Remedy.REFUND, Money(100_000, "EUR"), liable=Party.SUPPLIER)
    agreed(desk.scenario, case_approvals=(term,))
    desk.opens()
    assert clock(desk, Clock.RESOLUTION).due == desk.scenario.now + 10 * HOUR
