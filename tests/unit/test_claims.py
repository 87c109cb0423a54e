"""Claims on carriers: terms, documents, deadlines, and what the carrier answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from ledger.decisions import recovery_demands
from ledger.decisions.recovery_demands import CaseOfAnotherOrder, ClaimedAlready, ParcelNotOfOrder
from ledger.nouns import policies, recoveries
from ledger.nouns.cases import UnknownCase
from ledger.nouns.claims import (
    ClaimDecided,
    ClaimNotEligible,
    ClaimNotFiled,
    DocumentsMissing,
    FilingDeadlinePassed,
    NoCarrierClaim,
    NothingToAppeal,
    NothingToClaim,
)
from ledger.nouns.orders import UnknownOrder
from ledger.nouns.parcels import ParcelStatus, UnknownParcel
from ledger.nouns.policies import ClaimTerms
from ledger.nouns.recoveries import (
    ClaimAppealed,
    ClaimFiled,
    ClaimTimeBarred,
    Cost,
    CostKind,
    DocumentKind,
    LessThanReceived,
    MoreThanAgreed,
    MoreThanAsked,
    NothingAgreed,
    OtherCurrency,
    RecoveryEnded,
    RecoveryKind,
    RecoveryPaymentDiffers,
    RecoveryStatus,
    Subject,
)
from tests.support.casework import Desk
from tests.support.recovering import (
    DAMAGE,
    EVERY_DOCUMENT,
    HASH,
    Recovering,
    agree_claim_terms,
    approved,
    claimable,
    eur,
    filed,
    proposed,
    refund,
)
from tests.support.scenario import DAY, FIRST, HOUR, NOON, ORDER, delivered, line, names, refused, sent, shipped, the

LOST, DELIVERED, IN_TRANSIT = ParcelStatus.LOST, ParcelStatus.DELIVERED, ParcelStatus.IN_TRANSIT
RESHIP = Cost("reship-1", CostKind.RESHIP, 700)
SUPPLIER_FAULT = RecoveryKind.SUPPLIER_FAULT


# --- opening, and the terms -------------------------------------------------------------------------


def test_a_claim_knows_its_parcel_supplier_order_and_deadlines():
    claim = claimable(days=3)
    opened = claim.recovery.opened
    assert opened.subject == Subject(ORDER, "shopify/1/1", "acme", "", "dhl", "P1", 1)
    assert (opened.eligible_at, opened.file_by) == (NOON + 14 * DAY, NOON + 60 * DAY)
    assert opened.liability_minor is None
    assert claim.status() is RecoveryStatus.WAITING


def test_the_parcel_knows_its_claims_and_its_carrier_takes_one_of_a_kind():
    claim = claimable()
    assert claim.scenario.parcel().claims == ("r1",)
    assert claim.of_carrier(refund(1000)) == []
    with refused(ClaimedAlready, "parcel P1 of dhl is claimed for in recovery r1; raise that one", recovery_id="r1"):
        Recovering(claim.scenario, "r2").of_carrier(refund(1000))
    assert names(Recovering(claim.scenario, "r3").of_carrier(refund(1000), kind=DAMAGE))[0] == "opened"


def test_a_claim_that_was_written_off_leaves_room_for_another():
    claim = claimable()
    claim.write_off("opened_by_mistake")
    assert names(Recovering(claim.scenario, "r2").of_carrier())[0] == "opened"


def test_only_a_parcel_of_the_order_can_be_claimed_for():
    scenario = shipped()
    with refused(UnknownParcel, "parcel P9 of dhl is not registered"):
        Recovering(scenario).of_carrier(number="P9")
    with refused(UnknownOrder, "shopify/9"):
        Recovering(scenario).of_carrier(order_id="shopify/9")
    scenario.announce("P2")
    with refused(ParcelNotOfOrder, "parcel P2 of dhl carries nothing of order shopify/1", number="P2"):
        Recovering(scenario).of_carrier(number="P2")


def test_a_case_that_is_named_is_known_and_about_the_order():
    desk = Desk(delivered())
    desk.opens()
    desk.scenario.place(line(1, "tea", 1), order_id="shopify/2")
    about = Subject("shopify/2", "shopify/2/1", case_id="case-1")
    with refused(CaseOfAnotherOrder, "case case-1 is about order shopify/1", order_id="shopify/1"):
        recovery_demands.open_recovery(desk.scenario.book, "r1", SUPPLIER_FAULT, about, "EUR", (), NOON)
    with refused(UnknownCase, "case-9"):
        recovery_demands.open_recovery(
            desk.scenario.book, "r1", SUPPLIER_FAULT, Subject(ORDER, FIRST, case_id="case-9"), "EUR", (), NOON
        )


def test_a_loss_can_be_claimed_after_the_waiting_time_since_the_last_scan():
    scenario = shipped()
    scenario.scan(IN_TRANSIT, NOON + 2 * DAY)
    scenario.scan(LOST, NOON + 9 * DAY)
    claim = Recovering(scenario)
    claim.of_carrier()
    assert claim.recovery.opened.eligible_at == NOON + 16 * DAY
    assert claim.recovery.opened.file_by == NOON + 60 * DAY


def test_a_damage_can_be_claimed_at_once_and_is_due_by_the_delivery():
    scenario = delivered()
    claim = Recovering(scenario)
    assert names(claim.of_carrier(kind=DAMAGE)) == ["opened", "claim_became_eligible", "claim_opened"]
    assert claim.recovery.opened.file_by == NOON + 17 * DAY
    assert claim.recovery.missing_documents == EVERY_DOCUMENT


def test_a_damage_on_the_way_is_due_by_the_last_scan():
    scenario = shipped()
    scenario.scan(ParcelStatus.DAMAGED, NOON + 2 * DAY)
    claim = Recovering(scenario)
    scenario.later(days=2)
    claim.of_carrier(kind=DAMAGE)
    assert claim.recovery.opened.file_by == NOON + 16 * DAY


def test_each_carrier_has_its_own_terms_and_others_those_without_a_name():
    terms = policies.Policy(claim_terms=(ClaimTerms("dhl", loss_waiting_days=7), ClaimTerms(loss_waiting_days=30)))
    assert terms.claim_terms_of("dhl").loss_waiting_days == 7
    assert terms.claim_terms_of("ups").loss_waiting_days == 30
    assert policies.Policy().claim_terms_of("ups") == ClaimTerms()


def test_the_terms_in_force_at_the_dispatch_hold():
    scenario = sent()
    agree_claim_terms(scenario, ClaimTerms("dhl", 3, 20, 5, (eur(300),), (DocumentKind.ORDER,)))
    scenario.later(hours=1)
    scenario.ship()
    dispatched_at = scenario.now
    scenario.later(days=1)
    agree_claim_terms(scenario, ClaimTerms("dhl", 5, 30))
    claim = Recovering(scenario)
    claim.of_carrier(refund(1000))
    opened = claim.recovery.opened
    assert (opened.eligible_at, opened.file_by) == (dispatched_at + 3 * DAY, dispatched_at + 20 * DAY)
    assert (opened.documents, opened.liability_minor) == ((DocumentKind.ORDER,), 300)


# --- eligible, documents, filing ----------------------------------------------------------------------


def test_that_the_waiting_time_has_passed_is_recorded_once():
    claim = claimable(days=13)
    assert claim.become_eligible() == []
    claim.scenario.later(days=1)
    assert names(claim.become_eligible()) == ["claim_became_eligible"]
    assert claim.status() is RecoveryStatus.ELIGIBLE
    assert claim.become_eligible() == []


def test_documents_are_collected_before_or_after_and_each_once():
    claim = claimable(days=3)
    assert names(claim.collect(DocumentKind.ORDER)) == ["document_collected"]
    assert claim.collect(DocumentKind.ORDER) == []
    assert names(claim.collect(DocumentKind.ORDER, sha256="cd" * 32)) == ["document_collected"]
    claim.collect(DocumentKind.TRACKING_LOG)
    claim.scenario.later(days=11)
    claim.become_eligible()
    assert (claim.recovery.status, claim.recovery.missing_documents) == (
        RecoveryStatus.ELIGIBLE,
        (DocumentKind.INVOICE,),
    )
    claim.collect(DocumentKind.INVOICE)
    assert claim.status() is RecoveryStatus.DOCUMENTED


def test_a_claim_is_filed_once_for_all_that_was_spent():
    claim = claimable(refund(1000), RESHIP)
    claim.collect()
    assert the(ClaimFiled, claim.file()).amount_minor == 1700
    assert (claim.recovery.status, claim.recovery.filed_at) == (RecoveryStatus.FILED, claim.scenario.now)
    assert claim.file() == []


def test_a_claim_that_is_filed_before_anybody_noticed_that_it_can_be_is_eligible_then():
    claim = claimable(days=10)
    claim.collect()
    claim.scenario.later(days=4)
    assert names(claim.file()) == ["claim_became_eligible", "claim_filed"]


def test_no_more_is_claimed_than_the_carrier_is_liable_for():
    scenario = sent()
    agree_claim_terms(scenario, ClaimTerms(liability=(eur(1200),)))
    scenario.ship()
    scenario.later(days=14)
    claim = Recovering(scenario)
    claim.of_carrier(refund(1000), RESHIP)
    claim.collect()
    assert the(ClaimFiled, claim.file()).amount_minor == 1200


def test_a_claim_is_not_filed_before_its_waiting_time_has_passed():
    claim = claimable(days=13)
    claim.collect()
    with refused(ClaimNotEligible, "claim r1 cannot be filed before 2026-03-16 12:00Z", recovery_id="r1"):
        claim.file()


def test_a_claim_is_not_filed_without_its_documents():
    claim = claimable()
    claim.collect(DocumentKind.ORDER)
    with refused(DocumentsMissing, "without tracking_log, invoice", missing="tracking_log, invoice"):
        claim.file()


def test_a_claim_for_nothing_is_not_filed():
    scenario = shipped()
    scenario.later(days=14)
    claim = Recovering(scenario)
    claim.of_carrier()
    claim.collect()
    with refused(NothingToClaim, "claim r1 has no amount yet"):
        claim.file()


# --- the deadline -----------------------------------------------------------------------------------


def test_a_claim_that_is_not_filed_by_its_deadline_is_barred_once():
    claim = claimable(days=59)
    claim.collect()
    assert claim.bar() == []
    claim.scenario.later(days=1)
    assert claim.bar() == [ClaimTimeBarred("r1", NOON + 60 * DAY, claim.scenario.now)]
    assert (claim.recovery.status, claim.recovery.ended_at) == (RecoveryStatus.TIME_BARRED, NOON + 60 * DAY)
    assert claim.bar() == []
    with refused(RecoveryEnded, "recovery r1 is time_barred and over"):
        claim.file()


def test_a_claim_cannot_be_filed_after_its_deadline_even_if_nobody_noticed():
    claim = claimable(days=60)
    claim.collect()
    with refused(FilingDeadlinePassed, "claim r1 had to be filed before 2026-05-01 12:00Z"):
        claim.file()
    assert names(claim.bar()) == ["claim_time_barred"]


def test_a_filing_in_time_can_be_recorded_late_until_the_claim_is_barred():
    claim = claimable(days=59)
    claim.collect()
    claim.scenario.later(days=2)
    assert names(claim.file(at=NOON + 60 * DAY - HOUR))[-1] == "claim_filed"
    assert claim.bar() == []


@pytest.mark.parametrize("so_far", [Recovering.file, Recovering.write_off], ids=["filed", "written off"])
def test_what_is_filed_or_given_up_is_not_barred(so_far: Callable[[Recovering], object]):
    claim = claimable()
    claim.collect()
    so_far(claim)
    claim.scenario.later(days=100)
    assert claim.bar() == []
    assert claim.become_eligible() == []


# --- what the carrier says --------------------------------------------------------------------------


def test_a_carrier_acknowledges_under_its_own_reference():
    claim = filed()
    assert names(claim.acknowledge("DHL-7")) == ["claim_acknowledged"]
    assert (claim.recovery.status, claim.recovery.reference) == (RecoveryStatus.ACKNOWLEDGED, "DHL-7")
    assert claim.acknowledge("DHL-7") == []
    claim.approve(1000)
    claim.acknowledge("DHL-8")
    assert (claim.recovery.status, claim.recovery.reference) == (RecoveryStatus.APPROVED, "DHL-8")


def test_an_approved_claim_is_paid_in_parts_and_over_with_the_last_one():
    claim = approved(1000)
    claim.pay(400, "p-1")
    assert (claim.recovery.status, claim.recovery.received_minor) == (RecoveryStatus.APPROVED, 400)
    claim.pay(600, "p-2")
    assert (claim.recovery.status, claim.recovery.ended_at) == (RecoveryStatus.PAID, claim.scenario.now)
    assert claim.pay(400, "p-1") == []
    assert claim.approve(1000) == []


def test_a_carrier_never_pays_more_than_it_approved():
    claim = filed()
    with refused(NothingAgreed, "nothing is agreed of recovery r1, it is filed: record an answer first"):
        claim.pay(100)
    claim.approve(800)
    claim.pay(500)
    with refused(MoreThanAgreed, "8.00 EUR is agreed, 5.00 EUR came before", received_minor=500):
        claim.pay(301, "p-2")
    with refused(RecoveryPaymentDiffers, "payment p-1 of recovery r1 was recorded already as 5.00 EUR"):
        claim.pay(300)


def test_a_carrier_never_approves_more_than_was_claimed():
    with refused(MoreThanAsked, "10.01 EUR granted of recovery r1, 10.00 EUR asked"):
        filed().approve(1001)


def test_all_amounts_of_a_claim_are_in_its_currency():
    claim = filed()
    with refused(OtherCurrency, "is in EUR, not CNY"):
        claim.approve(100, "CNY")
    claim.approve(1000)
    with refused(OtherCurrency, "is in EUR, not CNY"):
        claim.pay(100, currency="CNY")


def test_a_decision_stands_until_it_is_appealed():
    claim = filed()
    claim.deny()
    assert claim.deny() == []
    with refused(ClaimDecided, "claim r1 is denied already; appeal before", status="denied"):
        claim.approve(500)
    claim.appeal()
    claim.approve(500)
    with refused(ClaimDecided, "claim r1 is approved already"):
        claim.deny()
    with refused(ClaimDecided, "claim r1 is approved already"):
        claim.approve(400)


def test_an_appeal_asks_for_all_that_was_spent_by_then():
    claim = filed()
    claim.deny()
    claim.add(RESHIP)
    appealed = the(ClaimAppealed, claim.appeal("photos"))
    assert (appealed.amount_minor, claim.recovery.claimed_minor) == (1700, 1700)
    assert claim.status() is RecoveryStatus.APPEALED
    assert claim.appeal() == []
    claim.approve(1700)
    claim.pay(1700)
    assert claim.status() is RecoveryStatus.PAID


def test_what_was_approved_in_part_can_be_paid_and_the_rest_appealed():
    claim = approved(600)
    claim.pay(600)
    assert claim.status() is RecoveryStatus.APPROVED
    claim.appeal()
    with refused(LessThanReceived, "5.00 EUR granted of recovery r1, of which 6.00 EUR came already"):
        claim.approve(500)
    claim.deny("final")
    assert (claim.recovery.status, claim.recovery.agreed_minor) == (RecoveryStatus.DENIED, 600)
    assert claim.pay(600) == []
    claim.write_off()
    assert claim.status() is RecoveryStatus.WRITTEN_OFF


def test_an_appeal_that_is_denied_leaves_what_was_approved_to_be_paid():
    claim = approved(600)
    claim.appeal()
    claim.deny()
    claim.pay(600)
    assert claim.recovery.received_minor == 600


def test_there_is_nothing_to_appeal_before_a_decision_or_after_a_full_approval():
    with refused(NothingToAppeal, "claim r1 is filed", status="filed"):
        filed().appeal()
    with refused(NothingToAppeal, "10.00 EUR of 10.00 EUR approved"):
        approved(1000).appeal()


def test_what_was_not_filed_is_neither_acknowledged_nor_decided_nor_paid_nor_appealed():
    claim = claimable()
    attempts: list[Callable[[], object]] = [
        claim.acknowledge,
        lambda: claim.approve(1),
        claim.deny,
        lambda: claim.pay(1),
        claim.appeal,
        lambda: claim.give_back(1),
    ]
    for attempt in attempts:
        with refused(ClaimNotFiled, "claim r1 is eligible, not filed", status="eligible"):
            attempt()
    claim.write_off()
    for attempt in attempts:
        with refused(RecoveryEnded, "recovery r1 is written_off and over"):
            attempt()


def test_what_a_supplier_owes_is_no_claim():
    recovering = proposed()
    attempts: list[Callable[[], object]] = [
        recovering.collect,
        recovering.file,
        recovering.acknowledge,
        lambda: recovering.approve(1),
        recovering.deny,
        lambda: recovering.pay(1),
        recovering.appeal,
        lambda: recovering.give_back(1),
    ]
    for attempt in attempts:
        with refused(NoCarrierClaim, "recovery r1 is of kind supplier_fault, no claim on a carrier"):
            attempt()


def test_a_claim_that_is_over_stays_over():
    claim = approved(1000)
    claim.pay(1000)
    attempts: list[Callable[[], object]] = [
        lambda: claim.collect(DocumentKind.PHOTO, sha256="cd" * 32),
        lambda: claim.acknowledge("DHL-9"),
        lambda: claim.approve(900),
        claim.deny,
        claim.appeal,
        lambda: claim.pay(1, "p-2"),
        lambda: claim.add(RESHIP),
        claim.write_off,
    ]
    for attempt in attempts:
        with refused(RecoveryEnded, "recovery r1 is paid and over", status="paid"):
            attempt()
    assert claim.file() == []
    assert claim.collect(DocumentKind.ORDER) == []


# --- what is kept, and what is withdrawn -------------------------------------------------------------


def test_hashes_and_times_are_kept_as_they_came():
    claim = claimable()
    claim.collect(DocumentKind.ORDER)
    assert claim.recovery.documents[0].sha256 == HASH
    assert claim.recovery.due == NOON + timedelta(days=60)


def test_a_claim_for_a_parcel_that_was_only_missing_is_withdrawn_when_it_arrives():
    claim = claimable()
    claim.scenario.scan(DELIVERED)
    assert claim.status() is RecoveryStatus.WITHDRAWN
    assert recoveries.find(claim.scenario.book, "dhl/P1/1/found") is None
    claim.scenario.later(hours=1)
    assert names(claim.scenario.scan(IN_TRANSIT)) == ["checkpoint_recorded"]
