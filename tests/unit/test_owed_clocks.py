"""The clock of money that is owed to a customer beside the refunds of cases (DOMAIN 1, 6)."""

import pytest

from ledger.decisions.timers import RefundPaidDue
from ledger.facts import Fact
from ledger.nouns.orders import (
    BreachWithdrawn,
    DeadlineMissed,
    PaymentKind,
    PaymentState,
    RefundOwed,
    deadlines,
    pay_by,
)
from ledger.terms.calendars import Calendar, Unit, WorkingTerms, WorkingTime
from ledger.terms.clocks import Clock, ClockState, Reading
from ledger.terms.money import Money
from ledger.terms.parties import Party
from tests.support.scenario import DAY, HOUR, NOON, ORDER, Scenario, a_shop, confirmed, line, names, sent, the

TEN = line(1, "tea", 3, total_minor=1_000)


def cancelled(scenario: Scenario | None = None) -> Scenario:
    """Ten euros for three, of which one was cancelled at noon."""
    scenario = scenario or confirmed(TEN)
    scenario.cancel({1: 1})
    return scenario


def clocks(scenario: Scenario) -> list[Reading]:
    return [each for each in deadlines(scenario.order()) if each.clock is Clock.REFUND_PAID]


def states(scenario: Scenario) -> list[ClockState | None]:
    return [each.state for each in clocks(scenario)]


def runs_out(scenario: Scenario, number: int = 1) -> list[Fact]:
    return scenario.notice(RefundPaidDue(f"{ORDER}/owed-{number}", due=scenario.now))


def test_what_becomes_owed_is_to_be_paid_back_within_three_days_unless_agreed_otherwise():
    scenario = confirmed(TEN)
    owed = the(RefundOwed, scenario.cancel({1: 1}))
    assert (owed.amount, owed.at, owed.pay_by) == (Money(333, "EUR"), NOON, NOON + 72 * HOUR)
    (clock,) = clocks(scenario)
    assert (clock.object_id, clock.owner, clock.due) == (f"{ORDER}/owed-1", Party.RETAILER, owed.pay_by)
    assert pay_by(scenario.order()) == owed.pay_by


def test_it_may_be_agreed_in_hours_or_in_working_days_of_the_retailer():
    hours, days = a_shop(), a_shop()
    hours.agree(refund_within_hours=5)
    days.agree(working=WorkingTerms(Calendar("UTC"), {"refund_within": WorkingTime(5, Unit.DAYS)}))
    for scenario, due in ((hours, NOON + 5 * HOUR), (days, NOON + 7 * DAY)):
        scenario.place(TEN)
        assert clocks(cancelled(scenario))[0].due == due


def test_what_is_not_paid_is_a_breach_once_and_paying_it_late_leaves_it():
    scenario = cancelled()
    scenario.later(hours=71)
    assert runs_out(scenario) == []
    scenario.later(hours=1)
    missed = the(DeadlineMissed, runs_out(scenario))
    assert (missed.object_id, missed.clock, missed.supplier_id) == (f"{ORDER}/owed-1", Clock.REFUND_PAID, "")
    assert runs_out(scenario) == []
    scenario.later(minutes=1)
    scenario.pays_owed()
    assert states(scenario) == [ClockState.MISSED]


def test_paying_all_of_it_in_time_meets_the_clock_and_a_part_does_not():
    scenario = cancelled()
    scenario.later(hours=72)
    scenario.pays_owed("back-1", 300)
    assert states(scenario) == [ClockState.OPEN]
    scenario.pays_owed("back-2")
    assert states(scenario) == [ClockState.MET]
    scenario.later(days=1)
    assert runs_out(scenario) == []


def test_what_was_paid_late_before_anybody_noticed_is_a_breach_with_the_payment():
    scenario = cancelled()
    scenario.later(hours=73)
    assert "deadline_missed" in names(scenario.pays_owed())


def test_a_payment_that_is_told_late_withdraws_the_breach():
    scenario = cancelled()
    scenario.later(hours=72)
    runs_out(scenario)
    paid_at = scenario.now - 2 * HOUR
    assert the(BreachWithdrawn, scenario.moved(PaymentKind.REFUNDED, 333, at=paid_at)).happened_at == paid_at
    assert states(scenario) == [ClockState.WITHDRAWN]


def test_more_that_becomes_owed_has_a_clock_of_its_own_and_the_oldest_is_paid_first():
    scenario = cancelled()
    scenario.later(hours=10)
    assert the(RefundOwed, scenario.cancel({1: 1})).amount == Money(334, "EUR")
    assert [each.due for each in clocks(scenario)] == [NOON + 72 * HOUR, NOON + 82 * HOUR]
    scenario.pays_owed("back-1", 400)
    assert states(scenario) == [ClockState.MET, ClockState.OPEN]
    assert pay_by(scenario.order()) == NOON + 82 * HOUR


def test_a_refund_that_bounces_is_owed_with_another_clock_from_then_on():
    scenario = cancelled()
    scenario.pays_owed("back-1")
    scenario.later(hours=5)
    owed = the(RefundOwed, scenario.moved(PaymentKind.REFUND_RETURNED, 333, "bounce", of="back-1"))
    assert (owed.at, owed.pay_by) == (scenario.now, scenario.now + 72 * HOUR)
    assert states(scenario) == [ClockState.MET, ClockState.OPEN]


def test_what_an_amendment_makes_cheaper_is_owed_and_what_makes_it_dearer_again_ends_that():
    scenario = confirmed(TEN)
    the(RefundOwed, scenario.amend(line(1, "tea", 3, total_minor=900), version=1))
    scenario.amend(line(1, "tea", 3, total_minor=1_000), version=2)
    assert (states(scenario), pay_by(scenario.order())) == ([None], None)


@pytest.mark.parametrize("word", [PaymentState.PARTLY_REFUNDED, PaymentState.REFUNDED])
def test_a_word_of_the_shop_and_a_bank_meet_the_clock_too(word: PaymentState):
    told, taken = cancelled(), cancelled()
    told.later(hours=1)
    told.pay(word)
    taken.charge_back(333)
    assert (states(told), states(taken)) == ([ClockState.MET], [ClockState.MET])


def test_units_that_a_supplier_gives_up_are_owed_once_it_agrees():
    scenario = sent(TEN)
    assert "refund_owed" not in names(scenario.cancel({1: 2}))
    scenario.later(hours=1)
    assert the(RefundOwed, scenario.answer_cancel(agreed=True)).at == scenario.now


def test_an_order_that_is_paid_after_it_is_told_that_units_were_cancelled_owes_them_from_then_on():
    scenario = a_shop()
    scenario.place(TEN, payment=PaymentState.PENDING)
    scenario.later(hours=2)
    scenario.cancel({1: 1})
    assert "refund_owed" in names(scenario.pay(at=NOON + HOUR))
    assert clocks(scenario)[0].due == scenario.now + 72 * HOUR


def test_nothing_of_an_order_that_was_imported_for_its_figures_has_a_clock():
    scenario = a_shop()
    scenario.place(TEN, historical=True)
    assert "refund_owed" not in names(scenario.cancel({1: 1}))
