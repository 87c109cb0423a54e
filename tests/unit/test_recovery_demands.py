"""What the remedies of a case make suppliers and carriers owe."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ledger.decisions import recovery_demands
from ledger.decisions.recovery_demands import Demand
from ledger.facts import Fact
from ledger.nouns import recoveries
from ledger.nouns.parcels import ParcelStatus
from ledger.nouns.recoveries import Cost, CostKind, RecoveryKind, Subject
from tests.support.recovering import LOSS, Recovering, claimable, refund
from tests.support.scenario import DAY, NOON, ORDER, a_shop, line, names, shipped

DELIVERED = ParcelStatus.DELIVERED
SUPPLIER_FAULT = RecoveryKind.SUPPLIER_FAULT

CASE = Subject(ORDER, "shopify/1/1", "acme", "case-1", "dhl", "P1", 1)
OF_SUPPLIER, OF_CARRIER = "case-1/supplier/acme/EUR", "case-1/carrier/dhl/P1/EUR"
MONEY, GOODS = refund(300, "case-1:refund:1"), Cost("case-1:reship:1", CostKind.RESHIP, 700)


def recover(
    recovering: Recovering, kind: RecoveryKind, *costs: Cost, subject: Subject = CASE, currency: str = "EUR"
) -> list[Fact]:
    """All that the case costs by now."""
    scenario = recovering.scenario
    return scenario.record(
        recovery_demands.recover(scenario.book, Demand(kind, subject, currency, costs), scenario.now)
    )


def give_up(recovering: Recovering, kind: RecoveryKind) -> list[Fact]:
    scenario = recovering.scenario
    return scenario.record(
        recovery_demands.give_up(scenario.book, Demand(kind, CASE, "EUR"), "ruled_otherwise", scenario.now)
    )


def test_a_ruling_opens_a_recovery_and_each_remedy_raises_it_once():
    recovering = Recovering(shipped(), OF_SUPPLIER)
    assert names(recover(recovering, SUPPLIER_FAULT)) == ["opened"]
    assert names(recover(recovering, SUPPLIER_FAULT, MONEY)) == ["amount_raised"]
    assert recover(recovering, SUPPLIER_FAULT, MONEY) == []
    assert names(recover(recovering, SUPPLIER_FAULT, MONEY, GOODS)) == ["amount_raised"]
    assert recovering.recovery.asked_minor == 1000
    assert names(recover(recovering, SUPPLIER_FAULT, GOODS, currency="CNY")) == ["opened"]


def test_what_was_not_spent_after_all_is_withdrawn_but_not_what_was_added_by_hand():
    recovering = Recovering(shipped(), OF_SUPPLIER)
    recover(recovering, SUPPLIER_FAULT, MONEY, GOODS)
    recovering.add(Cost("by-hand", CostKind.FREIGHT, 50))
    assert names(recover(recovering, SUPPLIER_FAULT, MONEY)) == ["cost_withdrawn"]
    assert recovering.recovery.asked_minor == 350


def test_what_was_agreed_or_claimed_already_stays_asked():
    asked = Recovering(shipped(), OF_SUPPLIER)
    recover(asked, SUPPLIER_FAULT, MONEY, GOODS)
    asked.accept(800)
    assert recover(asked, SUPPLIER_FAULT, MONEY) == []
    assert names(recover(asked, SUPPLIER_FAULT, GOODS)) == []
    claim = Recovering(shipped(), OF_CARRIER)
    recover(claim, LOSS, MONEY, GOODS)
    claim.scenario.later(days=14)
    claim.collect()
    claim.file()
    assert recover(claim, LOSS, MONEY) == []


def test_a_cost_that_is_agreed_on_in_part_is_withdrawn_as_far_as_nothing_agreed_falls():
    asked = Recovering(shipped(), OF_SUPPLIER)
    recover(asked, SUPPLIER_FAULT, MONEY, GOODS)
    asked.accept(300)
    assert names(recover(asked, SUPPLIER_FAULT)) == ["cost_withdrawn"]
    assert asked.recovery.costs == (GOODS,)


def test_what_is_spent_after_a_settlement_is_a_recovery_more():
    recovering = Recovering(shipped(), OF_SUPPLIER)
    recover(recovering, SUPPLIER_FAULT, MONEY)
    recovering.accept(300)
    recovering.settle(300)
    assert recover(recovering, SUPPLIER_FAULT, MONEY) == []
    assert names(recover(recovering, SUPPLIER_FAULT, MONEY, GOODS)) == ["opened"]
    assert Recovering(recovering.scenario, f"{OF_SUPPLIER}/2").recovery.costs == (GOODS,)


def test_what_is_spent_after_a_write_off_stays_with_the_retailer():
    recovering = Recovering(shipped(), OF_SUPPLIER)
    recover(recovering, SUPPLIER_FAULT, MONEY)
    recovering.write_off()
    assert recover(recovering, SUPPLIER_FAULT, MONEY, GOODS) == []


def test_another_ruling_gives_up_what_was_asked_and_a_third_one_asks_again():
    recovering = Recovering(shipped(), OF_SUPPLIER)
    recover(recovering, SUPPLIER_FAULT, MONEY, GOODS)
    assert names(give_up(recovering, SUPPLIER_FAULT)) == ["cost_withdrawn", "cost_withdrawn", "written_off"]
    assert give_up(recovering, SUPPLIER_FAULT) == []
    assert names(recover(recovering, SUPPLIER_FAULT, MONEY)) == ["opened"]
    assert Recovering(recovering.scenario, f"{OF_SUPPLIER}/2").recovery.asked_minor == 300


def test_giving_up_leaves_what_was_agreed_and_what_another_case_asks():
    agreed = Recovering(shipped(), OF_SUPPLIER)
    recover(agreed, SUPPLIER_FAULT, MONEY)
    agreed.accept(300)
    assert give_up(agreed, SUPPLIER_FAULT) == []
    shared = claimable()
    recover(shared, LOSS, GOODS)
    assert names(give_up(shared, LOSS)) == ["cost_withdrawn"]
    assert shared.recovery.asked_minor == 1000


def test_nothing_is_given_up_where_nothing_was_asked():
    assert give_up(Recovering(shipped()), SUPPLIER_FAULT) == []
    assert give_up(Recovering(shipped()), LOSS) == []


def test_two_cases_on_one_parcel_share_its_claim():
    claim = claimable()
    assert names(recover(claim, LOSS, GOODS)) == ["amount_raised"]
    assert claim.recovery.asked_minor == 1700
    assert recoveries.find(claim.scenario.book, OF_CARRIER) is None


def test_a_ruling_on_the_carrier_prepares_a_claim():
    recovering = Recovering(shipped(), OF_CARRIER)
    assert names(recover(recovering, LOSS, MONEY)) == ["opened", "claim_opened"]
    assert recovering.recovery.subject == CASE
    assert recovering.scenario.parcel().claims == (OF_CARRIER,)


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        (SUPPLIER_FAULT, Subject("shopify/9", case_id="case-1")),
        (SUPPLIER_FAULT, Subject(ORDER, case_id="case-1")),
        (LOSS, Subject(ORDER, case_id="case-1")),
        (LOSS, Subject(ORDER, case_id="case-1", carrier="dhl", number="P9")),
    ],
    ids=["unknown order", "no supplier", "no parcel", "unknown parcel"],
)
def test_what_can_be_recovered_from_nobody_records_nothing(kind: RecoveryKind, subject: Subject):
    assert recover(Recovering(shipped()), kind, MONEY, subject=subject) == []


@pytest.mark.parametrize(
    "so_far",
    [
        lambda claim: None,
        lambda claim: claim.write_off(),
        lambda claim: claim.bar(),
        lambda claim: (claim.collect(), claim.file(NOON + 20 * DAY)),
        lambda claim: (claim.collect(), claim.file(NOON + 20 * DAY), claim.deny()),
        lambda claim: (claim.collect(), claim.file(NOON + 20 * DAY), claim.approve(300), claim.pay(300)),
    ],
    ids=["open", "written off", "barred", "filed", "denied", "paid"],
)
def test_a_remedy_is_never_refused_by_its_recovery(so_far: Callable[[Recovering], object]):
    claim = Recovering(shipped(), OF_CARRIER)
    recover(claim, LOSS, MONEY)
    claim.scenario.later(days=60)
    so_far(claim)
    over = claim.recovery.status.is_end
    recover(claim, LOSS, MONEY, GOODS)
    assert claim.recovery.asked_minor == (300 if over else 1000)


def test_a_parcel_without_a_loss_never_makes_a_recovery():
    scenario = a_shop()
    scenario.place(line(1, "tea", 1))
    scenario.send()
    scenario.ship()
    scenario.later(days=2)
    scenario.scan(DELIVERED)
    assert not [stream for stream, _ in scenario.log if stream.startswith("recovery-")]
