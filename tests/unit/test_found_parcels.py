"""A parcel that arrives after its loss: what was claimed, paid and refunded for it."""

from __future__ import annotations

import pytest

from ledger.decisions import recovery_demands
from ledger.nouns import recoveries
from ledger.nouns.claims import MoreThanKept
from ledger.nouns.orders import PaymentKind, PaymentState
from ledger.nouns.parcels import ParcelStatus
from ledger.nouns.recoveries import (
    Cost,
    CostKind,
    RecoveryEnded,
    RecoveryKind,
    RecoveryOpened,
    RecoveryPaymentDiffers,
    RecoveryStatus,
    Subject,
)
from tests.support.recovering import FOUND, LOSS, Recovering, claimable, refund
from tests.support.scenario import ORDER, delivered, names, refused, shipped, the

LOST, DELIVERED, IN_TRANSIT = ParcelStatus.LOST, ParcelStatus.DELIVERED, ParcelStatus.IN_TRANSIT
RESHIP = Cost("reship-1", CostKind.RESHIP, 700)


def lost(*costs: Cost) -> Recovering:
    """Parcel P1 was scanned as lost, and a claim of these costs is prepared."""
    claim = claimable(*costs)
    claim.scenario.scan(LOST)
    return claim


def test_a_confirmed_loss_that_is_delivered_raises_a_recovery_in_the_same_command():
    scenario = shipped()
    scenario.scan(LOST)
    scenario.later(days=1)
    facts = scenario.scan(DELIVERED)
    assert names(facts) == ["checkpoint_recorded", "found_after_loss", "units_delivered", "opened"]
    opened = the(RecoveryOpened, facts)
    assert (opened.recovery_id, opened.kind, opened.costs) == ("dhl/P1/1/found", RecoveryKind.FOUND_AFTER_LOSS, ())
    assert opened.subject == Subject(ORDER, "shopify/1/1", "acme", "", "dhl", "P1", 1)
    assert scenario.scan(DELIVERED, scenario.now) == []


@pytest.mark.parametrize("last", [IN_TRANSIT, ParcelStatus.SUSPECTED_LOST])
def test_what_was_not_given_up_is_just_delivered(last: ParcelStatus):
    scenario = shipped()
    scenario.scan(last)
    scenario.later(hours=1)
    assert names(scenario.scan(DELIVERED)) == ["checkpoint_recorded", "units_delivered"]


def test_a_parcel_destroyed_and_delivered_is_found_as_well():
    scenario = shipped()
    scenario.scan(ParcelStatus.DESTROYED)
    scenario.later(hours=1)
    assert names(scenario.scan(DELIVERED))[-1] == "opened"


def test_a_claim_that_was_not_filed_is_withdrawn_when_the_parcel_is_found():
    claim = lost()
    claim.scenario.later(hours=1)
    assert "claimed_parcel_found" in names(claim.scenario.scan(DELIVERED))
    assert (claim.recovery.status, claim.recovery.found_at) == (RecoveryStatus.WITHDRAWN, claim.scenario.now)
    with refused(RecoveryEnded, "recovery r1 is withdrawn and over"):
        claim.file()
    claim.scenario.later(days=99)
    assert claim.bar() == []


def test_what_the_carrier_paid_can_go_back_when_the_parcel_is_found():
    claim = lost(refund(1000), RESHIP)
    claim.collect()
    claim.file()
    claim.approve(1700)
    claim.pay(1700)
    claim.scenario.later(hours=1)
    found = the(RecoveryOpened, claim.scenario.scan(DELIVERED))
    assert found.costs == (refund(1000),)
    assert (claim.recovery.status, claim.recovery.found_at) == (RecoveryStatus.PAID, claim.scenario.now)
    assert names(claim.give_back(700)) == ["payment_returned"]
    assert claim.give_back(700) == []
    with refused(RecoveryPaymentDiffers, "payment b-1 of recovery r1 was recorded already as 7.00 EUR"):
        claim.give_back(800)
    with refused(MoreThanKept, "10.01 EUR of recovery r1 cannot go back: 10.00 EUR of it is kept", kept_minor=1000):
        claim.give_back(1001, "b-2")
    claim.give_back(1000, "b-2")
    assert (claim.recovery.received_minor, claim.recovery.kept_minor) == (1700, 0)


def test_a_filed_claim_whose_parcel_is_found_waits_for_a_person():
    claim = lost()
    claim.collect()
    claim.file()
    claim.scenario.later(hours=1)
    claim.scenario.scan(DELIVERED)
    assert claim.status() is RecoveryStatus.FILED
    claim.write_off("found")
    assert claim.status() is RecoveryStatus.WRITTEN_OFF


def test_a_claim_that_came_to_nothing_has_nothing_to_look_at_again():
    claim = lost()
    claim.write_off()
    claim.scenario.later(hours=1)
    assert "claimed_parcel_found" not in names(claim.scenario.scan(DELIVERED))


def test_what_the_customer_was_refunded_is_asked_back_from_the_customer():
    claim = lost()
    claim.scenario.later(hours=1)
    claim.scenario.scan(DELIVERED)
    found = Recovering(claim.scenario, "dhl/P1/1/found")
    assert found.recovery.answer_by is None
    found.accept(1000)
    found.settle(1000, "transfer-1")
    assert found.status() is RecoveryStatus.SETTLED


def test_a_parcel_that_is_lost_and_found_again_is_looked_at_again():
    scenario = shipped()
    for n in range(2):
        scenario.later(days=1)
        scenario.scan(LOST)
        scenario.later(days=1)
        assert "opened" in names(scenario.scan(DELIVERED))
        Recovering(scenario, "dhl/P1/1/found" if n == 0 else "dhl/P1/1/found/2").write_off("customer_keeps_both")
        scenario.later(days=1)
        scenario.dispute()
    assert recoveries.find(scenario.book, "dhl/P1/1/found/2") is not None


def test_a_found_parcel_can_be_taken_up_by_hand_with_what_was_refunded():
    scenario = delivered()
    facts = scenario.record(
        recovery_demands.open_recovery(
            scenario.book,
            "by-hand",
            FOUND,
            Subject(ORDER, carrier="dhl", number="P1"),
            "EUR",
            (refund(500),),
            scenario.now,
        )
    )
    assert the(RecoveryOpened, facts).subject.supplier_id == "acme"


def test_no_loss_is_claimed_of_a_parcel_that_arrived():
    scenario = delivered()
    loss = (LOSS, Subject(ORDER, carrier="dhl", number="P1"), "EUR", (refund(500),), scenario.now)
    with refused(recovery_demands.ParcelIsDelivered, "parcel P1 of dhl is delivered; no loss can be claimed"):
        recovery_demands.open_recovery(scenario.book, "by-hand", *loss)


@pytest.mark.parametrize("paid", ["a word", "an amount"])
def test_what_the_shop_refunded_for_a_loss_counts_too(paid: str):
    scenario = shipped()
    if paid == "an amount":
        scenario.moved(PaymentKind.CAPTURED, 1_500)
    scenario.scan(LOST)
    scenario.later(days=1)
    if paid == "a word":
        scenario.pay(PaymentState.REFUNDED)
    else:
        scenario.moved(PaymentKind.REFUNDED, 600)
    scenario.later(days=1)
    opened = the(RecoveryOpened, scenario.scan(DELIVERED))
    given = 1_500 if paid == "a word" else 600
    assert opened.costs == (Cost(f"{ORDER}:refund", CostKind.REFUND, given),)


def test_nothing_is_looked_at_again_of_an_old_order_that_was_recorded_for_its_figures():
    scenario = shipped(historical=True)
    scenario.scan(LOST)
    scenario.later(days=1)
    assert "opened" not in names(scenario.scan(DELIVERED))
