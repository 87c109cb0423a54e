"""Suppliers and agreements, and the retailer's own terms: who may be used, and what holds when."""

import tracemalloc
from datetime import timedelta

import pytest
from msgspec.structs import replace

from ledger.facts import Fact, Sealed, changes_of
from ledger.nouns import policies, suppliers
from ledger.nouns.offers import Offer, SkuOffered
from ledger.nouns.orders import deadlines
from ledger.nouns.policies import Policy, policy_at
from ledger.nouns.suppliers import (
    Agreement,
    SampleMissing,
    SampleReviewed,
    Standing,
    Supplier,
    SupplierNotApproved,
    SupplierRegistered,
    SupplierRegisteredDifferently,
    TermsMissing,
    UnknownSupplier,
    WrongStanding,
)
from ledger.refusals import ChangedMeanwhile
from ledger.terms.calendars import PeakPeriod
from ledger.terms.money import Money
from ledger.terms.rates import TRADE_TARGETS, TRADE_WEIGHTS
from ledger.terms.shipping import Priority
from tests.support.scenario import (
    DAY,
    HOUR,
    NOON,
    TERMS,
    Scenario,
    a_shop,
    confirmed,
    names,
    refused,
    sent,
)

ACME = SupplierRegistered("acme", "Acme", NOON)
GOOD, BAD = (SampleReviewed("acme", True, True, manual, NOON) for manual in (True, False))
TEA = Offer("tea", Money(250, "EUR"), minimum_quantity=10, backups=("bolt",))


def fold(*facts: Fact) -> Supplier:
    state: Supplier | None = None
    for fact in facts:
        state = suppliers.evolve(state, fact)  # type: ignore[arg-type]
    assert state is not None
    return state


def supplier(standing: Standing) -> Supplier:
    return Supplier(ACME, standing, sample_passed=True, agreements=(TERMS,))


# --- from candidate to approved -------------------------------------------------------------------


def test_a_supplier_begins_as_a_candidate():
    assert suppliers.register(None, ACME) == [ACME]
    assert fold(ACME).standing is Standing.CANDIDATE


def test_the_same_registration_again_records_nothing_however_its_personal_data_is_sealed():
    wei = SupplierRegistered("acme", "Acme", NOON, contact=Sealed("k", b"a nonce"), intake="hash of Wei")
    again = replace(wei, at=NOON + HOUR, contact=Sealed("l", b"another"))
    assert suppliers.register(fold(wei), again) == []
    # What an older version recorded says whom to talk to, and of nobody whether it was somebody else.
    assert suppliers.register(fold(replace(wei, intake="")), again) == []


def test_another_contact_is_no_repetition_that_is_dropped():
    wei = SupplierRegistered("acme", "Acme", NOON, contact=Sealed("k", b"a nonce"), intake="hash of Wei")
    for present in (wei, ACME):
        other = replace(present, contact=Sealed("l", b"another"), intake="hash of Li")
        with refused(SupplierRegisteredDifferently, "with other content, which stays as it is"):
            suppliers.register(fold(present), other)


def test_another_registration_of_the_same_supplier_is_refused():
    with refused(SupplierRegisteredDifferently, "acme is registered already with other content"):
        suppliers.register(fold(ACME), SupplierRegistered("acme", "Other", NOON))


def test_a_sample_is_reviewed_and_the_last_review_counts():
    assert suppliers.review_sample(fold(ACME), GOOD) == [GOOD]
    assert fold(ACME, GOOD).standing is Standing.SAMPLING
    assert not fold(ACME, GOOD, BAD).sample_passed


def test_a_supplier_is_approved_only_after_a_sample_passed_and_terms_are_agreed():
    with refused(SampleMissing, "before a sample matched in material, packaging and manual", supplier_id="acme"):
        suppliers.approve(fold(ACME, BAD), NOON)
    with refused(TermsMissing, "acme cannot be approved before terms are agreed"):
        suppliers.approve(fold(ACME, GOOD), NOON)
    ready = fold(ACME, GOOD, *suppliers.agree_terms(fold(ACME), TERMS, NOON))
    (approved,) = suppliers.approve(ready, NOON)
    assert suppliers.approve(suppliers.evolve(ready, approved), NOON) == []


def test_an_unknown_supplier_is_refused():
    with refused(UnknownSupplier, "supplier acme is not registered"):
        suppliers.known(None, "acme")


# --- suspending -----------------------------------------------------------------------------------


def test_suspending_stops_new_work_but_not_what_runs():
    scenario = sent()
    assert names(scenario.suspend()) == ["suspended"]
    assert scenario.suspend() == []
    scenario.ship()
    assert scenario.buckets() == {"shipped": 3}
    with refused(SupplierNotApproved, "acme is suspended, not approved", standing="suspended"):
        suppliers.require_approved(scenario.supplier(), "acme")


def test_a_reinstated_supplier_may_be_used_again():
    scenario = a_shop()
    scenario.suspend()
    assert names(scenario.reinstate()) == ["reinstated"]
    assert scenario.reinstate() == []
    assert suppliers.require_approved(scenario.supplier(), "acme") == scenario.supplier()


def test_retiring_is_for_good():
    (retired,) = suppliers.retire(supplier(Standing.APPROVED), "quality", NOON)
    gone = suppliers.evolve(supplier(Standing.APPROVED), retired)
    assert gone.standing is Standing.RETIRED
    assert suppliers.retire(gone, "quality", NOON) == []


@pytest.mark.parametrize(
    ("decide", "standing", "wanted"),
    [
        (lambda s: suppliers.suspend(s, "late", NOON), Standing.CANDIDATE, "suspended"),
        (lambda s: suppliers.suspend(s, "late", NOON), Standing.RETIRED, "suspended"),
        (lambda s: suppliers.reinstate(s, NOON), Standing.SAMPLING, "reinstated"),
        (lambda s: suppliers.approve(s, NOON), Standing.SUSPENDED, "approved"),
        (lambda s: suppliers.approve(s, NOON), Standing.RETIRED, "approved"),
        (lambda s: suppliers.review_sample(s, GOOD), Standing.RETIRED, "sampled"),
        (lambda s: suppliers.agree_terms(s, TERMS, NOON), Standing.RETIRED, "given terms"),
        (lambda s: suppliers.offer_sku(s, TEA, NOON), Standing.RETIRED, "listed with a SKU"),
    ],
)
def test_a_step_from_the_wrong_standing_is_refused(decide, standing, wanted):
    with refused(WrongStanding, f"acme is {standing} and cannot be {wanted}", standing=str(standing)):
        decide(supplier(standing))


# --- offers and agreements ------------------------------------------------------------------------


def test_a_later_offer_of_a_sku_replaces_the_earlier_one():
    (offered,) = suppliers.offer_sku(fold(ACME), TEA, NOON)
    with_tea = fold(ACME, offered)
    assert with_tea.offer_at("tea", NOON) == TEA
    assert suppliers.offer_sku(with_tea, TEA, NOON) == []
    assert len(suppliers.offer_sku(with_tea, Offer("tea", Money(240, "EUR")), NOON)) == 1


def offers_of(count: int) -> list[SkuOffered]:
    return [SkuOffered("acme", replace(TEA, sku=f"sku-{n}"), NOON) for n in range(count)]


def test_an_offer_copies_next_to_nothing_of_the_thousands_that_there_are():
    before = fold(ACME, *offers_of(5_000))
    tracemalloc.start()
    after = suppliers.evolve(before, SkuOffered("acme", TEA, NOON))
    copied, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(before.offers), len(after.offers)) == (5_000, 5_001)
    assert copied < 10_000, "all of them would be 150 kB"


def test_offers_are_a_mapping_by_sku_like_any_other():
    offers_by_sku = {fact.offer.sku: (fact.offer,) for fact in offers_of(1_000)}
    offers = fold(ACME, *offers_of(1_000)).offers
    assert offers == offers_by_sku
    assert all(offers[sku] is offers.get(sku) and sku in offers for sku in offers_by_sku)
    assert ("tea" in offers, offers.get("tea"), bool(fold(ACME).offers)) == (False, None, False)


def test_an_agreement_holds_from_its_own_date_until_the_next_or_its_end():
    later = Agreement(NOON + DAY, NOON + 3 * DAY, dispatch_within_hours=12)
    both = fold(ACME, *(suppliers.TermsAgreed("acme", each, NOON) for each in (later, TERMS)))
    assert both.agreement_at(NOON) == TERMS
    assert both.agreement_at(NOON + DAY) == later
    assert both.agreement_at(NOON + 3 * DAY) == TERMS
    assert both.agreement_at(TERMS.effective_from - HOUR) is None


def test_agreeing_the_same_again_records_nothing_but_returning_to_earlier_terms_is_recorded():
    other = Agreement(TERMS.effective_from, dispatch_within_hours=12)
    state = fold(ACME, suppliers.TermsAgreed("acme", TERMS, NOON))
    assert suppliers.agree_terms(state, TERMS, NOON) == []
    changed = fold(ACME, *(suppliers.TermsAgreed("acme", each, NOON) for each in (TERMS, other)))
    assert changed.agreement_at(NOON) == other
    assert len(suppliers.agree_terms(changed, TERMS, NOON)) == 1


def test_of_two_who_change_the_terms_at_once_the_second_is_refused():
    other = Agreement(TERMS.effective_from, dispatch_within_hours=12)
    state = fold(ACME, suppliers.TermsAgreed("acme", TERMS, NOON), suppliers.TermsAgreed("acme", other, NOON))
    mine = Agreement(TERMS.effective_from, dispatch_within_hours=24)
    with pytest.raises(ChangedMeanwhile, match="acme changed since it was read: 1 versions were seen, there are 2"):
        suppliers.agree_terms(state, mine, NOON, seen=1)
    assert len(suppliers.agree_terms(state, mine, NOON, seen=2)) == 1
    assert len(suppliers.agree_terms(state, mine, NOON)) == 1


def test_clocks_are_longer_in_a_peak_period():
    peak = PeakPeriod(NOON, NOON + DAY, extra_hours=24)
    agreement = Agreement(NOON, acknowledge_within_hours=24, dispatch_within_hours=48, peaks=(peak,))
    assert agreement.acknowledge_by(NOON) == NOON + 48 * HOUR
    assert agreement.acknowledge_by(NOON + DAY) == NOON + DAY + 24 * HOUR
    assert agreement.dispatch_by(NOON, Priority.EXPRESS) == NOON + 72 * HOUR


def test_a_clock_that_was_not_agreed_does_not_run():
    scenario = Scenario()
    scenario.approve("acme", Agreement(NOON - DAY))
    scenario.place()
    assert names(scenario.send()) == ["supplier_order_sent"]
    assert list(deadlines(scenario.order())) == []


def test_the_agreement_in_force_when_an_order_is_sent_decides_its_clocks():
    scenario = confirmed()
    tight = Agreement(NOON + HOUR, dispatch_within_hours=5)
    scenario.record([("supplier-acme", suppliers.TermsAgreed("acme", tight, NOON))])
    scenario.later(hours=2)
    scenario.send()
    assert scenario.supplier_order().dispatch_by == NOON + 7 * HOUR


# --- the retailer's own terms ---------------------------------------------------------------------


def test_without_terms_of_its_own_those_of_the_trade_hold():
    trade = policy_at(None, NOON)
    assert trade == Policy(1440, 14, 14, 90, targets=TRADE_TARGETS, review_weights=TRADE_WEIGHTS)


def test_terms_hold_from_their_date():
    scenario = Scenario()
    scenario.record(
        changes_of(policies.stream(), policies.agree(None, Policy(return_window_days=30), NOON + DAY, NOON))
    )
    assert policy_at(policies.find(scenario.book), NOON).return_window_days == 14
    assert policy_at(policies.find(scenario.book), NOON + DAY).return_window_days == 30


def test_the_same_terms_again_record_nothing_but_returning_to_earlier_ones_is_recorded():
    scenario = Scenario()
    short, long = Policy(return_window_days=7), Policy(return_window_days=30)
    for policy in (short, long):
        scenario.record(changes_of(policies.stream(), policies.agree(policies.find(scenario.book), policy, NOON, NOON)))
    assert policies.agree(policies.find(scenario.book), long, NOON, NOON) == []
    scenario.record(changes_of(policies.stream(), policies.agree(policies.find(scenario.book), short, NOON, NOON)))
    assert policy_at(policies.find(scenario.book), NOON) == short


def test_an_order_keeps_the_return_window_it_was_placed_under():
    scenario = a_shop()
    scenario.record(
        changes_of(
            policies.stream(), policies.agree(None, Policy(return_window_days=30, reservation_minutes=5), NOON, NOON)
        )
    )
    scenario.place()
    scenario.record(
        changes_of(
            policies.stream(), policies.agree(None, Policy(return_window_days=1), NOON + timedelta(minutes=1), NOON)
        )
    )
    assert scenario.order().placed.return_window_days == 30
