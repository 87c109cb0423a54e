"""Recoveries follow their case: opened by the ruling, raised by each remedy, given up by another ruling."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ledger.decisions import after_sales
from ledger.nouns import suppliers
from ledger.nouns.cases import (
    LiabilityRuled,
    Reason,
    Remedy,
    ReturnLabelled,
)
from ledger.nouns.offers import Offer
from ledger.nouns.parcels import ParcelStatus
from ledger.nouns.recoveries import (
    CostKind,
    Recovery,
    RecoveryKind,
    RecoveryOpened,
    RecoveryStatus,
)
from ledger.terms.money import Money
from ledger.terms.parties import Party
from tests.support.casework import (
    CASE,
    PHOTO,
    RESHIP,
    Desk,
    ruled,
)
from tests.support.casework import approved as remedied
from tests.support.casework import opened as opened_case
from tests.support.recovering import Recovering
from tests.support.scenario import (
    DAY,
    ORDER,
    a_shop,
    line,
    names,
    shipped,
    the,
)

OF_SUPPLIER, OF_CARRIER = f"{CASE}/supplier/acme/EUR", f"{CASE}/carrier/dhl/P1/EUR"
IN_YUAN = f"{CASE}/supplier/acme/CNY"


def recovery(desk: Desk, recovery_id: str = OF_SUPPLIER) -> Recovery:
    return Recovering(desk.scenario, recovery_id).recovery


def costs(desk: Desk, recovery_id: str = OF_SUPPLIER) -> list[tuple[CostKind, int]]:
    return [(cost.kind, cost.amount_minor) for cost in recovery(desk, recovery_id).costs]


def recorded(desk: Desk, command: Callable[[], object]) -> list[str]:
    """The names of all facts that a command recorded, those of recoveries too."""
    before = len(desk.scenario.log)
    command()
    return names(fact for _, fact in desk.scenario.log[before:])


def opened_by(desk: Desk) -> list[str]:
    """The recoveries of the scenario, in the order in which they were opened."""
    return [fact.recovery_id for _, fact in desk.scenario.log if isinstance(fact, RecoveryOpened)]


def offering(desk: Desk, cost: Money) -> Desk:
    """The supplier's cost price of tea is agreed."""
    facts = suppliers.offer_sku(desk.scenario.supplier("acme"), Offer("tea", cost), desk.scenario.now)
    desk.scenario.record((suppliers.stream("acme"), fact) for fact in facts)
    return desk


def lost() -> Desk:
    """A case for three units that the carrier lost, ruled on the carrier."""
    desk = Desk(shipped())
    desk.scenario.scan(ParcelStatus.LOST)
    desk.opens(Reason.LOST, {1: 3})
    desk.files()
    desk.reviews()
    desk.rules(Party.CARRIER, PHOTO)
    return desk


# --- the ruling -------------------------------------------------------------------------------------


def test_a_ruling_on_the_supplier_opens_a_recovery_in_the_same_command():
    desk = opened_case()
    desk.files()
    desk.reviews()
    assert recorded(desk, lambda: desk.rules(Party.SUPPLIER, PHOTO)) == ["liability_ruled", "opened"]
    opened = recovery(desk).opened
    assert (opened.kind, opened.subject.case_id) == (RecoveryKind.SUPPLIER_FAULT, CASE)
    assert (opened.subject.supplier_id, opened.subject.supplier_order_id) == ("acme", f"{ORDER}/1")
    assert (recovery(desk).status, recovery(desk).asked_minor) == (RecoveryStatus.PROPOSED, 0)


def test_a_recovery_is_opened_when_the_ruling_was_given_not_when_it_was_recorded():
    desk = opened_case()
    desk.files()
    desk.reviews()
    given_at = desk.scenario.now
    desk.scenario.later(days=2)
    ruling = LiabilityRuled(CASE, Party.SUPPLIER, ("broken",), (PHOTO,), given_at)
    desk.scenario.record(after_sales.rule(desk.scenario.book, ruling, desk.scenario.now))
    assert recovery(desk).opened.at == given_at


def test_a_ruling_on_the_carrier_prepares_a_claim_in_the_same_command():
    desk = ruled(Party.CARRIER)
    claim = recovery(desk, OF_CARRIER)
    assert (claim.kind, claim.subject.number, claim.subject.case_id) == (RecoveryKind.CARRIER_DAMAGE, "P1", CASE)
    assert desk.scenario.parcel().claims == (OF_CARRIER,)


def test_what_was_lost_on_the_way_is_a_claim_for_loss():
    assert recovery(lost(), OF_CARRIER).kind is RecoveryKind.CARRIER_LOSS


@pytest.mark.parametrize("liable", [Party.CUSTOMER, Party.RETAILER])
def test_what_the_customer_or_the_retailer_bears_is_recovered_from_nobody(liable: Party):
    desk = ruled(liable)
    desk.approves(Remedy.REFUND)
    desk.grants()
    assert opened_by(desk) == []


def test_each_supplier_is_asked_for_its_own_units():
    desk = Desk(a_shop(tea=10))
    desk.scenario.place(line(1, "tea", 1), line(2, "ink", 1, "bolt"))
    for n, number in ((1, "P1"), (2, "P2")):
        desk.scenario.send(f"{ORDER}/{n}")
        desk.scenario.ship(supplier_order_id=f"{ORDER}/{n}", number=number)
        desk.scenario.scan(ParcelStatus.DELIVERED, number=number)
    desk.opens(Reason.WRONG_ITEM, {1: 1, 2: 1})
    desk.files()
    desk.reviews()
    desk.rules(Party.SUPPLIER, PHOTO)
    desk.approves(Remedy.REFUND)
    desk.grants()
    assert opened_by(desk) == [OF_SUPPLIER, f"{CASE}/supplier/bolt/EUR"]
    assert costs(desk) == costs(desk, f"{CASE}/supplier/bolt/EUR") == [(CostKind.REFUND, 500)]


# --- remedies ---------------------------------------------------------------------------------------


def test_a_refund_raises_what_is_asked_in_the_same_command():
    desk = remedied(Remedy.REFUND)
    assert recorded(desk, lambda: desk.grants(share=5000))[-1] == "amount_raised"
    assert costs(desk) == [(CostKind.REFUND, 250)]
    assert "amount_raised" not in recorded(desk, desk.pays)


def test_a_reship_raises_what_is_asked_by_the_cost_price_in_its_currency():
    desk = offering(ruled(), Money(300, "CNY"))
    facts = recorded(desk, lambda: desk.approves(Remedy.RESHIP))
    assert {"reship_placed", "opened"} <= set(facts)
    assert costs(desk, IN_YUAN) == [(CostKind.RESHIP, 300)]
    assert costs(desk) == []


def test_a_reship_without_a_known_cost_price_asks_for_nothing_yet():
    desk = remedied(Remedy.RESHIP)
    assert costs(desk) == []


def test_a_reship_that_was_cancelled_is_not_asked_for_but_its_refund_is():
    desk = offering(ruled(), Money(300, "EUR"))
    desk.approves(Remedy.RESHIP)
    assert costs(desk) == [(CostKind.RESHIP, 300)]
    desk.scenario.cancel(order_id=RESHIP)
    desk.looks_at_the_reship()
    assert costs(desk) == []
    desk.grants()
    assert costs(desk) == [(CostKind.REFUND, 500)]


def test_the_freight_of_a_return_is_asked_for_unless_the_customer_pays_it():
    desk = remedied(Remedy.RETURN)
    labelled = ReturnLabelled(CASE, "label-1", {}, Party.RETAILER, desk.scenario.now, freight_minor=400)
    desk.scenario.record(after_sales.label_return(desk.scenario.book, labelled, desk.scenario.now))
    assert costs(desk) == [(CostKind.FREIGHT, 400)]


# --- another ruling, a case that is over --------------------------------------------------------------


def test_another_ruling_gives_up_what_the_first_one_asked():
    desk = remedied(Remedy.REFUND)
    desk.grants()
    desk.pays()
    desk.files("cd" * 32)
    desk.reopens("cd" * 32)
    desk.rules(Party.CARRIER, PHOTO)
    assert (recovery(desk).status, recovery(desk).costs) == (RecoveryStatus.WRITTEN_OFF, ())
    assert costs(desk, OF_CARRIER) == [(CostKind.REFUND, 500)]


def test_a_case_that_was_denied_asks_for_nothing():
    desk = ruled()
    desk.denies()
    assert (recovery(desk).status, recovery(desk).because) == (RecoveryStatus.WRITTEN_OFF, "nothing_spent")


def test_a_reship_that_is_noticed_and_answered_in_one_command_is_asked_for_once():
    desk = offering(ruled(), Money(300, "EUR"))
    desk.approves(Remedy.RESHIP)
    desk.scenario.cancel(order_id=RESHIP)
    facts = recorded(desk, desk.grants)
    assert (facts.count("amount_raised"), facts.count("cost_withdrawn")) == (1, 1)
    assert costs(desk) == [(CostKind.REFUND, 500)]


# --- no remedy waits for a recovery -------------------------------------------------------------------


def dispute(claim: Recovering) -> None:
    claim.dispute()


def settle(claim: Recovering) -> None:
    claim.accept(claim.recovery.asked_minor)
    claim.settle(claim.recovery.asked_minor)


def write_off(claim: Recovering) -> None:
    claim.write_off()


def nothing(claim: Recovering) -> None:
    pass


@pytest.mark.parametrize("so_far", [nothing, dispute, settle, write_off])
def test_a_remedy_goes_through_in_any_state_of_the_suppliers_recovery(so_far: Callable[[Recovering], None]):
    desk = remedied(Remedy.REFUND, {1: 2})
    desk.grants({1: 1}, refund_id="refund-1")
    so_far(Recovering(desk.scenario, OF_SUPPLIER))
    assert "refund_granted" in names(desk.grants({1: 1}, refund_id="refund-2"))
    assert desk.case().refunded_minor(1) == 1000  # type: ignore[arg-type]
    assert "refund_paid" in names(desk.pays("refund-2"))


def bar(claim: Recovering) -> None:
    claim.scenario.later(days=100)
    claim.bar()


def pay(claim: Recovering) -> None:
    claim.scenario.later(days=14)
    claim.collect()
    claim.file()
    claim.approve(claim.recovery.claimed_minor)
    claim.pay(claim.recovery.claimed_minor)


def deny(claim: Recovering) -> None:
    claim.scenario.later(days=14)
    claim.collect()
    claim.file()
    claim.deny()


@pytest.mark.parametrize("so_far", [nothing, write_off, bar, pay, deny])
def test_a_remedy_goes_through_in_any_state_of_a_claim(so_far: Callable[[Recovering], None]):
    desk = lost()
    desk.approves(Remedy.REFUND)
    desk.grants({1: 1}, refund_id="refund-1")
    so_far(Recovering(desk.scenario, OF_CARRIER))
    assert "refund_granted" in names(desk.grants({1: 1}, refund_id="refund-2"))
    assert "refund_paid" in names(desk.pays("refund-2"))


def test_a_remedy_goes_through_where_nothing_can_be_recovered():
    desk = ruled(Party.CARRIER)
    desk.scenario.book.hold("parcel-dhl/P1", desk.scenario.book.entry("parcel-dhl/P9"))
    desk.approves(Remedy.REFUND)
    assert names(desk.grants())[:1] == ["refund_granted"]


# --- found after all ----------------------------------------------------------------------------------


def test_what_was_refunded_for_a_lost_parcel_is_looked_at_again_when_it_arrives():
    desk = lost()
    desk.approves(Remedy.REFUND, {1: 2})
    desk.grants()
    desk.scenario.now += DAY
    opened = the(RecoveryOpened, desk.scenario.scan(ParcelStatus.DELIVERED))
    assert (opened.kind, [cost.amount_minor for cost in opened.costs]) == (RecoveryKind.FOUND_AFTER_LOSS, [1000])
    assert recovery(desk, OF_CARRIER).status is RecoveryStatus.WITHDRAWN


def test_a_refund_is_looked_at_again_whoever_was_ruled_to_bear_it():
    desk = Desk(shipped())
    desk.scenario.scan(ParcelStatus.LOST)
    desk.opens(Reason.LOST, {1: 1})
    desk.files()
    desk.reviews()
    desk.rules(Party.RETAILER, PHOTO)
    desk.approves(Remedy.REFUND)
    desk.grants()
    desk.scenario.now += DAY
    opened = the(RecoveryOpened, desk.scenario.scan(ParcelStatus.DELIVERED))
    assert [cost.amount_minor for cost in opened.costs] == [500]


def test_after_a_parcel_was_found_its_case_claims_nothing_more():
    desk = lost()
    desk.approves(Remedy.REFUND)
    desk.grants({1: 1}, refund_id="refund-1")
    desk.scenario.now += DAY
    desk.scenario.scan(ParcelStatus.DELIVERED)
    desk.grants({1: 1}, refund_id="refund-2")
    assert [each for each in opened_by(desk) if "carrier" in each] == [OF_CARRIER]
