"""Reviews of suppliers, proposals to suspend them, and the rates and scores that they rest on (DOMAIN 2 and 7)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from ledger.decisions import order_payments
from ledger.facts import Fact
from ledger.nouns import orders, suppliers
from ledger.nouns.orders import ChargebackDiffers, ChargebackRecorded, UnknownOrder
from ledger.nouns.policies import TRADE, Policy
from ledger.nouns.reviews import (
    ProposalState,
    RateRecovered,
    Seen,
    SupplierReviewed,
    SuspensionDismissed,
    SuspensionNotProposed,
    SuspensionProposed,
    Verdict,
)
from ledger.nouns.suppliers import (
    Standing,
    Supplier,
    SupplierRegistered,
    SupplierSuspended,
    WrongStanding,
)
from ledger.terms.money import Money
from ledger.terms.rates import (
    TRADE_WEIGHTS,
    WINDOW_DAYS,
    Rate,
    RateName,
    RateStatus,
    Targets,
    Weights,
    score,
)
from tests.support.scenario import (
    DAY,
    HOUR,
    NOON,
    ORDER,
    Scenario,
    names,
    refused,
    sent,
)

LATE, DISPATCH = RateName.LATE_SHIPMENT_30_DAYS, RateName.ON_TIME_DISPATCH
POLICY = Policy()


def rate(name: RateName, numerator: int, denominator: int) -> Rate:
    since = NOON - WINDOW_DAYS[name] * DAY
    return Rate(name, numerator, denominator, since, NOON, Targets().of(name))


BAD, GOOD = rate(LATE, 2, 20), rate(LATE, 0, 20)


def supplier(standing: Standing = Standing.APPROVED, *facts: Fact) -> Supplier:
    return after(Supplier(SupplierRegistered("acme", "Acme", NOON), standing), facts)


def after(state: Supplier, facts: Sequence[Fact]) -> Supplier:
    for fact in facts:
        state = suppliers.evolve(state, fact)  # type: ignore[arg-type]
    return state


def seen(*rates: Rate, position: int = 7) -> Seen:
    return Seen(NOON - 91 * DAY, NOON, position, rates)


def review(state: Supplier, *rates: Rate, policy: Policy = POLICY) -> Sequence[Fact]:
    return suppliers.review(state, seen(*rates), policy, NOON)


def notice(state: Supplier | None, *rates: Rate, policy: Policy = POLICY) -> Sequence[Fact]:
    return suppliers.notice_rates(state, rates, policy, NOON)


# --- targets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "numerator", "denominator", "expected"),
    [
        (RateName.ON_TIME_DISPATCH, 95, 100, RateStatus.OK),
        (RateName.ON_TIME_DISPATCH, 94, 100, RateStatus.BREACH),
        (RateName.VALID_TRACKING, 95, 100, RateStatus.BREACH),
        (RateName.VALID_TRACKING, 96, 100, RateStatus.OK),
        (RateName.CANCELLATION, 25, 1000, RateStatus.BREACH),
        (RateName.CANCELLATION, 24, 1000, RateStatus.OK),
        (RateName.LATE_SHIPMENT_10_DAYS, 4, 100, RateStatus.BREACH),
        (RateName.LATE_SHIPMENT_30_DAYS, 3, 100, RateStatus.OK),
        (RateName.ORDER_DEFECT, 1, 100, RateStatus.BREACH),
        (RateName.ORDER_DEFECT, 0, 100, RateStatus.OK),
        (RateName.ORDER_ERROR, 2, 100, RateStatus.OK),
        (RateName.ORDER_ERROR, 3, 100, RateStatus.BREACH),
        (RateName.ON_TIME_DELIVERY, 9, 10, RateStatus.OK),
        (RateName.ON_TIME_DELIVERY, 899, 1000, RateStatus.BREACH),
        (RateName.ON_TIME_DISPATCH, 9499, 10_000, RateStatus.BREACH),
        (RateName.VALID_TRACKING, 9501, 10_000, RateStatus.OK),
        (RateName.LATE_SHIPMENT_10_DAYS, 399, 10_000, RateStatus.OK),
        (RateName.LATE_SHIPMENT_30_DAYS, 4, 100, RateStatus.BREACH),
        (RateName.ORDER_DEFECT, 99, 10_000, RateStatus.OK),
        (RateName.ORDER_ERROR, 201, 10_000, RateStatus.BREACH),
        (RateName.CANCELLATION, 249, 10_000, RateStatus.OK),
        (RateName.RESOLUTION, 1, 10, RateStatus.REPORT_ONLY),
        (RateName.CANCELLATION, 0, 0, RateStatus.NO_DATA),
        (RateName.SATISFACTION, 30, 10, RateStatus.REPORT_ONLY),
        (RateName.AFTER_SALE, 0, 10, RateStatus.REPORT_ONLY),
        (RateName.AFTER_SALE, 0, 0, RateStatus.NO_DATA),
    ],
)
def test_a_target_is_kept_or_not(name: RateName, numerator: int, denominator: int, expected: RateStatus):
    assert rate(name, numerator, denominator).status is expected


def test_every_rate_has_a_window():
    assert set(WINDOW_DAYS) == set(RateName)


# --- the score ------------------------------------------------------------------------------------


def test_a_supplier_that_keeps_every_target_scores_10000():
    assert score([rate(DISPATCH, 95, 100), rate(LATE, 3, 100)], Weights()) == 10_000


def test_a_rate_that_should_be_higher_has_the_share_of_its_target_that_it_reaches():
    assert score([rate(DISPATCH, 19, 40)], Weights()) == 5_000


def test_a_rate_that_should_be_lower_has_the_share_that_its_target_is_of_it():
    assert score([rate(LATE, 8, 100)], Weights()) == 5_000


def test_rates_count_by_their_weights_and_those_without_data_not_at_all():
    rates = [rate(DISPATCH, 19, 40), rate(LATE, 0, 10), rate(RateName.CANCELLATION, 0, 0)]
    assert score(rates, Weights(on_time_dispatch=3, late_shipment_30_days=1)) == 6_250
    assert score(rates, Weights(on_time_dispatch=0)) == 10_000


def test_the_trade_counts_a_resolution_where_its_target_is_agreed_and_a_policy_of_before_does_not():
    agreed = replace(rate(RateName.RESOLUTION, 19, 40), target_basis_points=9_500)
    rates = [rate(DISPATCH, 95, 100), agreed]
    assert score(rates, TRADE_WEIGHTS) == round((20 * 10_000 + 5 * 5_000) / 25)
    assert score(rates, Weights()) == 10_000
    assert score([rate(DISPATCH, 95, 100), rate(RateName.RESOLUTION, 19, 40)], TRADE_WEIGHTS) == 10_000


@pytest.mark.parametrize("name", [RateName.ACKNOWLEDGEMENT, RateName.RESPONSE, RateName.RESOLUTION])
def test_the_trade_has_no_target_for_what_agreements_name(name: RateName):
    assert TRADE.targets.of(name) is None
    assert Rate(name, 0, 40, NOON, NOON, TRADE.targets.of(name)).status is RateStatus.REPORT_ONLY


def test_a_proposal_ends_with_the_target_that_it_was_about():
    missed = replace(rate(RateName.RESPONSE, 10, 40), target_basis_points=9_500)
    proposed = supplier(Standing.APPROVED, SuspensionProposed("acme", missed, NOON))
    gone = replace(missed, target_basis_points=None)
    assert list(suppliers.notice_rates(proposed, [gone], POLICY, NOON)) == [RateRecovered("acme", gone, NOON)]


def test_without_data_there_is_no_score():
    assert score([rate(DISPATCH, 0, 0), rate(RateName.SATISFACTION, 40, 10)], Weights()) is None


# --- reviews --------------------------------------------------------------------------------------


def test_a_review_keeps_the_figures_that_it_saw():
    rates = (rate(DISPATCH, 19, 19),)
    assert review(supplier(), *rates) == [
        SupplierReviewed("acme", NOON - 91 * DAY, NOON, 7, rates, Verdict.KEEP, NOON, 10_000)
    ]


def test_a_review_gives_the_supplier_its_score():
    reviewed = supplier(Standing.APPROVED, *review(supplier(), rate(LATE, 8, 100)))
    assert reviewed.score_basis_points == 5_000
    assert reviewed.reviews.last is not None


@pytest.mark.parametrize(
    ("figures", "verdict"),
    [
        ((0, 20), Verdict.KEEP),
        ((0, 0), Verdict.KEEP),
        ((1, 19), Verdict.WARN),
        ((1, 20), Verdict.PROPOSE_SUSPENSION),
    ],
)
def test_the_verdict_follows_from_the_worst_rate_and_over_how_many_cases(figures: tuple[int, int], verdict: Verdict):
    reviewed, *_ = review(supplier(), rate(LATE, *figures), rate(DISPATCH, 1, 1))
    assert isinstance(reviewed, SupplierReviewed)
    assert reviewed.verdict is verdict


def test_a_review_that_finds_a_rate_below_its_target_proposes_a_suspension_once():
    found = review(supplier(), BAD)
    assert names(found) == ["reviewed", "suspension_proposed"]
    state = supplier(Standing.APPROVED, *found)
    assert names(suppliers.review(state, seen(rate(LATE, 3, 20)), POLICY, NOON)) == ["reviewed"]


def test_the_same_figures_of_the_same_period_are_reviewed_once():
    state = supplier(Standing.APPROVED, *review(supplier(), GOOD))
    assert review(state, GOOD) == []
    assert suppliers.review(state, seen(GOOD, position=9), POLICY, NOON + HOUR) == []
    later = Seen(NOON - 90 * DAY, NOON, 7, (GOOD,))
    assert names(suppliers.review(state, later, POLICY, NOON)) == ["reviewed"]


@pytest.mark.parametrize("standing", [Standing.CANDIDATE, Standing.SAMPLING, Standing.RETIRED])
def test_who_is_not_in_use_is_not_reviewed(standing: Standing):
    with refused(WrongStanding, f"acme is {standing} and cannot be reviewed"):
        review(supplier(standing), GOOD)


def test_a_suspended_supplier_is_reviewed_without_a_proposal():
    assert names(review(supplier(Standing.SUSPENDED), BAD)) == ["reviewed"]


# --- proposals ------------------------------------------------------------------------------------


def test_a_rate_below_its_target_over_twenty_cases_is_proposed_once():
    assert notice(supplier(), rate(LATE, 2, 19)) == []
    assert notice(supplier(), BAD) == [SuspensionProposed("acme", BAD, NOON)]
    assert notice(supplier(Standing.APPROVED, SuspensionProposed("acme", BAD, NOON)), BAD) == []


def test_how_many_cases_it_takes_is_agreed():
    few = Policy(suspension_least_cases=5)
    assert names(notice(supplier(), rate(LATE, 1, 5), policy=few)) == ["suspension_proposed"]


def test_each_rate_is_proposed_by_itself():
    state = supplier(Standing.APPROVED, SuspensionProposed("acme", BAD, NOON))
    assert notice(state, BAD, rate(DISPATCH, 0, 20)) == [SuspensionProposed("acme", rate(DISPATCH, 0, 20), NOON)]


def test_a_rate_that_recovers_withdraws_its_proposal_and_may_cross_again():
    state = supplier(Standing.APPROVED, SuspensionProposed("acme", BAD, NOON))
    assert notice(state, rate(LATE, 0, 19)) == []
    assert notice(state, GOOD) == [RateRecovered("acme", GOOD, NOON)]
    recovered = after(state, notice(state, GOOD))
    assert recovered.reviews.proposals == {}
    assert notice(recovered, GOOD) == []
    assert names(notice(recovered, BAD)) == ["suspension_proposed"]


def test_a_dismissed_proposal_comes_again_only_after_the_rate_recovered():
    state = supplier(Standing.APPROVED, SuspensionProposed("acme", BAD, NOON))
    dismissed = suppliers.dismiss_suspension(state, LATE, "a flood", NOON)
    assert dismissed == [SuspensionDismissed("acme", LATE, "a flood", NOON)]
    state = after(state, dismissed)
    assert state.reviews.proposals[LATE].state is ProposalState.DISMISSED
    assert suppliers.dismiss_suspension(state, LATE, "a flood", NOON) == []
    assert notice(state, BAD) == []
    state = after(state, notice(state, GOOD))
    assert names(notice(state, BAD)) == ["suspension_proposed"]


def test_an_accepted_proposal_suspends_the_supplier_once():
    state = supplier(Standing.APPROVED, SuspensionProposed("acme", BAD, NOON))
    accepted = suppliers.accept_suspension(state, LATE, NOON)
    assert accepted == [SupplierSuspended("acme", "late_shipment_30_days 2 of 20", NOON)]
    state = after(state, accepted)
    assert (state.standing, state.reviews.proposals[LATE].state) == (Standing.SUSPENDED, ProposalState.ACCEPTED)
    assert suppliers.accept_suspension(state, LATE, NOON) == []
    assert suppliers.dismiss_suspension(state, LATE, "too late", NOON) == []


def test_who_was_suspended_for_a_rate_is_not_proposed_for_it_again_when_it_comes_back():
    state = supplier(Standing.APPROVED, SuspensionProposed("acme", BAD, NOON))
    state = after(state, suppliers.accept_suspension(state, LATE, NOON))
    assert notice(state, rate(DISPATCH, 0, 20)) == []
    state = after(state, suppliers.reinstate(state, NOON))
    assert notice(state, BAD) == []
    assert names(notice(state, GOOD)) == ["rate_recovered"]


def test_what_was_not_proposed_cannot_be_decided():
    for decide in (
        lambda state: suppliers.accept_suspension(state, LATE, NOON),
        lambda state: suppliers.dismiss_suspension(state, LATE, "why", NOON),
    ):
        with refused(SuspensionNotProposed, "no suspension of supplier acme is proposed for its late_shipment_30_days"):
            decide(supplier())


def test_a_retired_supplier_cannot_be_suspended_as_proposed():
    state = supplier(Standing.RETIRED, SuspensionProposed("acme", BAD, NOON))
    with refused(WrongStanding, "acme is retired and cannot be suspended"):
        suppliers.accept_suspension(state, LATE, NOON)


def test_of_who_is_unknown_or_not_in_use_nothing_is_noticed():
    assert notice(None, BAD) == []
    assert notice(supplier(Standing.CANDIDATE), BAD) == []


# --- chargebacks ----------------------------------------------------------------------------------

CHARGEBACK = ChargebackRecorded(ORDER, "cb-1", Money(500, "EUR"), NOON, "4853")


def test_a_chargeback_is_recorded_once():
    order = sent().order()
    assert orders.record_chargeback(order, CHARGEBACK) == [CHARGEBACK]
    assert orders.record_chargeback(orders.evolve(order, CHARGEBACK), CHARGEBACK) == []


def test_the_same_chargeback_of_another_amount_is_refused():
    charged = orders.evolve(sent().order(), CHARGEBACK)
    other = ChargebackRecorded(ORDER, "cb-1", Money(700, "EUR"), NOON)
    with refused(ChargebackDiffers, "chargeback cb-1 was recorded already, of 5.00 EUR", amount_minor=500):
        orders.record_chargeback(charged, other)


def test_a_chargeback_of_an_unknown_order_is_refused():
    with refused(UnknownOrder, ORDER):
        order_payments.record_chargeback(Scenario().book, CHARGEBACK, NOON)
