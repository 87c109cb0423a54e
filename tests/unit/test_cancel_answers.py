"""A supplier answers a request to cancel in the agreed time; each request has a clock of its own (DOMAIN 1, 6)."""

from datetime import timedelta

from msgspec.structs import replace

from ledger.decisions.timers import CancelAnswerDue
from ledger.facts import order_of, supplier_order_of
from ledger.nouns.orders import BreachWithdrawn, DeadlineMissed, HoldReason, deadlines
from ledger.nouns.orders.supplier_orders import CancelRequested
from ledger.terms.calendars import Calendar, Unit, WorkingTerms, WorkingTime
from ledger.terms.clocks import Clock, ClockState, Reading
from ledger.terms.parties import Party
from tests.support.scenario import DAY, FIRST, HOUR, NOON, TERMS, Scenario, a_shop, line, names, the

WITHIN_A_DAY = replace(TERMS, effective_from=NOON - DAY, cancel_answer_within_hours=24)
AGAIN = f"{FIRST}#2"


def sent(agreement=WITHIN_A_DAY, quantity=5) -> Scenario:
    scenario = a_shop()
    scenario.agree_terms(agreement)
    scenario.place(line(1, "tea", quantity))
    scenario.send()
    return scenario


def asked(agreement=WITHIN_A_DAY) -> Scenario:
    """Two of five units are to be cancelled, an hour after they were sent."""
    scenario = sent(agreement)
    scenario.later(hours=1)
    scenario.cancel({1: 2})
    return scenario


def clocks(scenario: Scenario) -> dict[str, Reading]:
    return {each.object_id: each for each in deadlines(scenario.order()) if each.clock is Clock.CANCEL_ANSWER}


def run_out(scenario: Scenario, object_id: str = FIRST):
    return scenario.notice(CancelAnswerDue(object_id, due=scenario.now))


def test_a_request_to_cancel_starts_the_suppliers_clock_as_agreed_when_it_was_sent():
    scenario = sent()
    scenario.agree_terms(
        replace(WITHIN_A_DAY, effective_from=NOON + timedelta(minutes=1), cancel_answer_within_hours=2)
    )
    scenario.later(hours=1)
    request = the(CancelRequested, scenario.cancel({1: 2}))
    assert request.answer_by == NOON + 25 * HOUR
    reading = clocks(scenario)[FIRST]
    assert (reading.due, reading.owner, reading.supplier_id) == (NOON + 25 * HOUR, Party.SUPPLIER, "acme")
    assert reading.state is ClockState.OPEN


def test_without_an_agreed_time_no_clock_runs():
    scenario = asked(TERMS)
    assert clocks(scenario) == {}
    scenario.later(days=9)
    assert run_out(scenario) == []


def test_it_may_be_agreed_in_working_days_of_the_supplier():
    terms = WorkingTerms(Calendar("UTC"), {"cancel_answer_within": WorkingTime(1, Unit.DAYS)})
    scenario = sent(replace(WITHIN_A_DAY, cancel_answer_within_hours=None, working=terms))
    scenario.now = NOON + 4 * DAY  # a Friday
    assert the(CancelRequested, scenario.cancel({1: 1})).answer_by == NOON + 7 * DAY


def test_an_answer_in_time_meets_it_whatever_it_says():
    for agreed in (True, False):
        scenario = asked()
        scenario.later(hours=24)
        scenario.answer_cancel(agreed)
        assert clocks(scenario)[FIRST].state is ClockState.MET
        scenario.later(days=1)
        assert run_out(scenario) == []


def test_silence_is_a_breach_once():
    scenario = asked()
    scenario.later(hours=23, minutes=59)
    assert run_out(scenario) == []
    scenario.later(minutes=1)
    missed = the(DeadlineMissed, run_out(scenario))
    assert (missed.object_id, missed.clock, missed.due, missed.supplier_id) == (
        FIRST,
        Clock.CANCEL_ANSWER,
        NOON + 25 * HOUR,
        "acme",
    )
    assert run_out(scenario) == []
    scenario.later(hours=1)
    scenario.answer_cancel(agreed=True)
    assert clocks(scenario)[FIRST].state is ClockState.MISSED


def test_an_answer_that_comes_late_before_anybody_noticed_is_a_breach_too():
    scenario = asked()
    scenario.later(hours=25)
    assert "deadline_missed" in names(scenario.answer_cancel(agreed=False))


def test_an_answer_in_time_that_is_told_late_withdraws_the_breach():
    scenario = asked()
    scenario.later(hours=24)
    run_out(scenario)
    withdrawn = the(BreachWithdrawn, scenario.answer_cancel(agreed=True, at=NOON + 2 * HOUR))
    assert (withdrawn.clock, withdrawn.happened_at) == (Clock.CANCEL_ANSWER, NOON + 2 * HOUR)
    assert clocks(scenario)[FIRST].state is ClockState.WITHDRAWN


def test_units_that_left_first_or_are_rejected_need_no_answer():
    scenario = asked()
    scenario.ship({1: 4})
    assert clocks(scenario)[FIRST].met_at is None  # one of the two is still asked for
    scenario.ship({1: 1}, number="P2")
    assert clocks(scenario)[FIRST].state is ClockState.MET


def test_each_request_has_its_own_clock_and_the_first_is_answered_first():
    scenario = asked()
    scenario.later(hours=20)
    scenario.cancel({1: 2})
    found = clocks(scenario)
    assert [found[FIRST].due, found[AGAIN].due] == [NOON + 25 * HOUR, NOON + 45 * HOUR]
    scenario.ship({1: 3})  # one unit was asked of nobody, so two of the four left first
    found = clocks(scenario)
    assert (found[FIRST].state, found[AGAIN].state) == (ClockState.MET, ClockState.OPEN)
    scenario.later(days=2)
    assert run_out(scenario) == []
    assert the(DeadlineMissed, run_out(scenario, AGAIN)).object_id == AGAIN
    assert (supplier_order_of(AGAIN), order_of(AGAIN)) == (FIRST, order_of(FIRST))


def test_no_hold_stops_it_because_an_answer_needs_nothing_that_a_hold_forbids():
    scenario = asked()
    scenario.hold(HoldReason.FRAUD_REVIEW)
    scenario.later(hours=24)
    assert names(run_out(scenario)) == ["deadline_missed"]


def test_units_that_are_asked_back_for_another_supplier_have_the_clock_as_well():
    scenario = sent()
    scenario.offer("tea", supplier_id="bolt")
    scenario.feed(10, supplier_id="bolt")
    scenario.reroute()
    assert clocks(scenario)[FIRST].due == NOON + DAY
