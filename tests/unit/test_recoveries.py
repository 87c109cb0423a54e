"""Recoveries of suppliers: asked, accepted, disputed, settled in parts, written off, never above what was agreed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from ledger.nouns.orders import UnknownOrder
from ledger.nouns.orders.supplier_orders import UnknownSupplierOrder
from ledger.nouns.recoveries import (
    AmountRaised,
    ClaimOnCarrier,
    Cost,
    CostDiffers,
    CostKind,
    LessThanReceived,
    Method,
    MoreThanAgreed,
    MoreThanAsked,
    NothingAgreed,
    OtherCurrency,
    RecoveryAnswerMissed,
    RecoveryBreachWithdrawn,
    RecoveryEnded,
    RecoveryOpened,
    RecoveryOpenedDifferently,
    RecoveryPaymentDiffers,
    RecoveryStatus,
    RecoveryWrittenOff,
    UnknownRecovery,
)
from ledger.nouns.suppliers import Agreement
from tests.support.recovering import (
    Recovering,
    claimable,
    proposed,
    refund,
)
from tests.support.scenario import (
    FIRST,
    HOUR,
    NOON,
    Scenario,
    names,
    refused,
    shipped,
    the,
)

FREIGHT = Cost("freight-1", CostKind.FREIGHT, 500)


def answering(within_hours: int | None = 24) -> Recovering:
    """A supplier that agreed to answer within so many hours is asked for 10 EUR."""
    scenario = shipped()
    scenario.approve("acme", Agreement(effective_from=NOON - timedelta(days=1), answer_within_hours=within_hours))
    recovering = Recovering(scenario)
    recovering.of_supplier(refund(1000))
    return recovering


# --- opening --------------------------------------------------------------------------------------


def test_a_cost_is_proposed_to_the_supplier_of_the_supplier_order():
    recovering = Recovering(shipped())
    opened = the(RecoveryOpened, recovering.of_supplier(refund(1000), FREIGHT))
    assert (opened.subject.supplier_id, opened.subject.supplier_order_id) == ("acme", FIRST)
    assert recovering.status() is RecoveryStatus.PROPOSED
    assert recovering.recovery.asked_minor == 1500


def test_opening_again_records_nothing_and_with_other_content_is_refused():
    recovering = proposed()
    recovering.scenario.later(hours=1)
    assert recovering.of_supplier(refund(1000)) == []
    with refused(RecoveryOpenedDifferently, "recovery r1 was opened already with other content", recovery_id="r1"):
        recovering.of_supplier(refund(999))


def test_opening_again_after_it_was_raised_records_nothing():
    recovering = proposed()
    recovering.add(FREIGHT)
    assert recovering.of_supplier(refund(1000)) == []


def test_only_what_is_in_the_ledger_can_be_recovered():
    recovering = Recovering(shipped())
    with refused(UnknownOrder, "order shopify/9"):
        recovering.of_supplier(supplier_order_id="shopify/9/1")
    with refused(UnknownSupplierOrder, "shopify/1/7"):
        recovering.of_supplier(supplier_order_id="shopify/1/7")
    with refused(UnknownRecovery, "there is no recovery r1", recovery_id="r1"):
        recovering.accept(1)


# --- raising --------------------------------------------------------------------------------------


def test_each_cost_raises_what_is_asked_once():
    recovering = proposed()
    assert the(AmountRaised, recovering.add(FREIGHT)).cost == FREIGHT
    assert recovering.recovery.asked_minor == 1500
    assert recovering.add(FREIGHT) == []
    with refused(
        CostDiffers, "cost freight-1 of recovery r1 was recorded already as freight of 5.00 EUR", recorded_minor=500
    ):
        recovering.add(Cost("freight-1", CostKind.FREIGHT, 600))


def test_a_cost_in_another_currency_is_another_recovery():
    recovering = proposed()
    with refused(OtherCurrency, "recovery r1 is in EUR, not CNY; open another one", sent="CNY"):
        recovering.add(FREIGHT, "CNY")
    other = Recovering(recovering.scenario, "r2")
    other.of_supplier(FREIGHT, currency="CNY")
    assert (other.recovery.currency, other.recovery.asked_minor) == ("CNY", 500)


def test_a_supplier_that_had_answered_is_asked_again_for_more():
    recovering = proposed()
    recovering.accept(1000)
    recovering.add(FREIGHT)
    assert recovering.status() is RecoveryStatus.PROPOSED
    recovering.accept(1500)
    assert (recovering.recovery.status, recovering.recovery.agreed_minor) == (RecoveryStatus.ACCEPTED, 1500)


def test_what_was_accepted_before_more_was_asked_can_still_be_settled():
    recovering = proposed()
    recovering.accept(1000)
    recovering.add(FREIGHT)
    recovering.settle(1000)
    assert recovering.status() is RecoveryStatus.PROPOSED
    assert names(recovering.accept(1000)) == ["accepted"]
    assert recovering.status() is RecoveryStatus.SETTLED


# --- the answer -----------------------------------------------------------------------------------


def test_a_supplier_accepts_all_or_a_part_of_it():
    recovering = proposed()
    assert names(recovering.accept(800)) == ["accepted"]
    assert (recovering.recovery.status, recovering.recovery.agreed_minor) == (RecoveryStatus.ACCEPTED, 800)
    assert recovering.accept(800) == []


def test_a_supplier_accepts_no_more_than_it_was_asked_for():
    with refused(MoreThanAsked, "10.01 EUR granted of recovery r1, 10.00 EUR asked", asked_minor=1000):
        proposed().accept(1001)


def test_a_dispute_is_recorded_once_and_can_end_in_an_agreement():
    recovering = proposed()
    assert names(recovering.dispute("worn")) == ["disputed"]
    assert (recovering.recovery.status, recovering.recovery.because) == (RecoveryStatus.DISPUTED, "worn")
    assert recovering.dispute("worn") == []
    recovering.accept(500)
    assert (recovering.recovery.status, recovering.recovery.because) == (RecoveryStatus.ACCEPTED, "")


def test_an_amount_in_another_currency_is_refused():
    with refused(OtherCurrency, "is in EUR, not USD"):
        proposed().accept(100, currency="USD")


# --- settlement -----------------------------------------------------------------------------------


def test_it_is_settled_in_parts_and_over_with_the_last_one():
    recovering = proposed()
    recovering.accept(1000)
    recovering.settle(400, "cn-1")
    assert (recovering.recovery.status, recovering.recovery.received_minor) == (RecoveryStatus.ACCEPTED, 400)
    recovering.scenario.later(days=1)
    recovering.settle(600, "d-2", Method.DEDUCTION)
    assert (recovering.recovery.status, recovering.recovery.ended_at) == (
        RecoveryStatus.SETTLED,
        recovering.scenario.now,
    )
    assert [part.method for part in recovering.recovery.received] == ["credit_note", "deduction"]


def test_no_more_is_settled_than_was_accepted():
    recovering = proposed()
    with refused(NothingAgreed, "nothing is agreed of recovery r1, it is proposed: record an answer first"):
        recovering.settle(100)
    recovering.accept(1000)
    recovering.settle(700)
    with refused(MoreThanAgreed, "3.01 EUR received of recovery r1: 10.00 EUR is agreed, 7.00 EUR came before"):
        recovering.settle(301, "cn-2")


def test_more_can_be_settled_once_more_is_agreed_anew():
    recovering = proposed()
    recovering.accept(500)
    recovering.settle(300)
    assert names(recovering.accept(1000)) == ["accepted"]
    recovering.settle(700, "cn-2")
    assert recovering.status() is RecoveryStatus.SETTLED


def test_what_came_already_cannot_be_agreed_away():
    recovering = proposed()
    recovering.accept(500)
    recovering.settle(300)
    with refused(LessThanReceived, "2.99 EUR granted of recovery r1, of which 3.00 EUR came already"):
        recovering.accept(299)
    recovering.accept(300)
    assert recovering.status() is RecoveryStatus.SETTLED


def test_the_same_part_twice_is_one_also_after_the_end():
    recovering = proposed()
    recovering.accept(1000)
    recovering.settle(400)
    assert recovering.settle(400) == []
    with refused(
        RecoveryPaymentDiffers, "payment cn-1 of recovery r1 was recorded already as 4.00 EUR", recorded_minor=400
    ):
        recovering.settle(500)
    with refused(RecoveryPaymentDiffers, "payment cn-1"):
        recovering.settle(400, method=Method.PAYMENT)
    recovering.settle(600, "cn-2")
    assert recovering.settle(400) == []
    assert recovering.accept(1000) == []


# --- writing off ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("so_far", "left_minor"),
    [
        (lambda recovering: None, 1000),
        (lambda recovering: recovering.dispute(), 1000),
        (lambda recovering: (recovering.accept(800), recovering.settle(300)), 700),
    ],
    ids=["proposed", "disputed", "settled in part"],
)
def test_what_has_not_come_can_be_written_off_in_any_state_once(
    so_far: Callable[[Recovering], object], left_minor: int
):
    recovering = proposed()
    so_far(recovering)
    assert the(RecoveryWrittenOff, recovering.write_off()).amount_minor == left_minor
    assert recovering.status() is RecoveryStatus.WRITTEN_OFF
    assert recovering.write_off() == []


@pytest.mark.parametrize(
    "attempt",
    [
        lambda recovering: recovering.accept(900),
        lambda recovering: recovering.dispute(),
        lambda recovering: recovering.settle(100, "cn-9"),
        lambda recovering: recovering.add(FREIGHT),
    ],
    ids=["accept", "dispute", "settle", "raise"],
)
def test_what_is_over_stays_over(attempt: Callable[[Recovering], object]):
    written_off, settled = proposed(), proposed()
    written_off.write_off()
    settled.accept(1000)
    settled.settle(1000)
    with refused(RecoveryEnded, "recovery r1 is written_off and over", status="written_off"):
        attempt(written_off)
    with refused(RecoveryEnded, "recovery r1 is settled and over"):
        attempt(settled)
    with refused(RecoveryEnded, "is settled and over"):
        settled.write_off()


def test_a_claim_on_a_carrier_is_neither_accepted_nor_disputed_nor_settled():
    claim = claimable()
    for attempt in (lambda: claim.accept(1), claim.dispute, lambda: claim.settle(1)):
        with refused(ClaimOnCarrier, "recovery r1 is a claim on a carrier"):
            attempt()


# --- the clock of the answer ------------------------------------------------------------------------


def test_the_supplier_has_to_answer_within_its_agreed_hours():
    recovering = answering()
    assert recovering.recovery.answer_by == NOON + 24 * HOUR
    recovering.scenario.later(hours=23)
    assert recovering.miss_answer() == []
    recovering.scenario.later(hours=1)
    assert recovering.miss_answer() == [RecoveryAnswerMissed("r1", "acme", NOON + 24 * HOUR, recovering.scenario.now)]
    assert recovering.miss_answer() == []


def test_no_clock_runs_where_none_was_agreed():
    recovering = answering(None)
    recovering.scenario.later(days=100)
    assert recovering.recovery.answer_by is None
    assert recovering.miss_answer() == []


def test_an_answer_in_time_meets_the_clock():
    recovering = answering()
    recovering.scenario.later(hours=24)
    assert names(recovering.dispute()) == ["disputed"]
    recovering.scenario.later(hours=1)
    assert recovering.miss_answer() == []


def test_an_answer_too_late_is_a_breach_at_once():
    recovering = answering()
    recovering.scenario.later(hours=25)
    assert names(recovering.accept(1000)) == ["accepted", "answer_missed"]
    assert recovering.miss_answer() == []


def test_an_answer_in_time_that_is_recorded_late_withdraws_the_breach_for_good():
    recovering = answering()
    recovering.scenario.later(hours=30)
    recovering.miss_answer()
    withdrawn = the(RecoveryBreachWithdrawn, recovering.accept(1000, at=NOON + 20 * HOUR))
    assert withdrawn.happened_at == NOON + 20 * HOUR
    assert recovering.miss_answer() == []


def test_a_late_answer_leaves_the_breach():
    recovering = answering()
    recovering.scenario.later(hours=30)
    recovering.miss_answer()
    assert names(recovering.dispute(at=NOON + 25 * HOUR)) == ["disputed"]


def test_more_is_to_be_answered_anew():
    recovering = answering()
    recovering.accept(1000)
    recovering.scenario.later(hours=10)
    recovering.add(FREIGHT)
    assert recovering.recovery.answer_by == NOON + 34 * HOUR
    recovering.scenario.later(hours=24)
    assert names(recovering.miss_answer()) == ["answer_missed"]


def test_what_was_written_off_needs_no_answer():
    recovering = answering()
    recovering.write_off()
    recovering.scenario.later(days=9)
    assert recovering.miss_answer() == []


def test_an_unknown_recovery_has_no_clock():
    nothing = Recovering(Scenario(), "r9")
    assert [nothing.miss_answer(), nothing.become_eligible(), nothing.bar()] == [[], [], []]
