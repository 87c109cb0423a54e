"""Parcels: scans in any order, delivery and its dispute, customs."""

from __future__ import annotations

from datetime import datetime

from ledger.facts import Fact, Sealed
from ledger.nouns import parcels
from ledger.nouns.orders import Header
from ledger.nouns.parcels import (
    Checkpoint,
    CustomsAsk,
    CustomsHold,
    DisputedTooEarly,
    NotDelivered,
    ParcelStatus,
    UnknownParcel,
)
from ledger.terms.parties import Party
from tests.support.scenario import DAY, HOUR, NOON, a_shop, delivered, names, refused, scan, shipped

IN_TRANSIT, OUT, DELIVERED = ParcelStatus.IN_TRANSIT, ParcelStatus.OUT_FOR_DELIVERY, ParcelStatus.DELIVERED


# --- scans ----------------------------------------------------------------------------------------


def test_the_newest_scan_says_where_a_parcel_is():
    scenario = shipped()
    scenario.scan(IN_TRANSIT, NOON + HOUR)
    scenario.scan(OUT, NOON + 2 * HOUR)
    assert scenario.parcel().status is OUT


def test_a_late_older_scan_is_kept_and_never_moves_the_status_back():
    scenario = shipped()
    scenario.scan(OUT, NOON + 2 * HOUR)
    scenario.scan(IN_TRANSIT, NOON + HOUR)
    assert scenario.parcel().status is OUT
    assert [each.status for each in scenario.parcel().checkpoints] == [IN_TRANSIT, OUT]


def test_scans_of_one_instant_count_in_the_order_of_their_arrival():
    scenario = shipped()
    scenario.scans(scan(IN_TRANSIT, NOON), scan(OUT, NOON))
    assert scenario.parcel().status is OUT


def test_the_same_scan_twice_is_one_however_its_text_is_sealed():
    scenario = shipped()
    scenario.scan(IN_TRANSIT, NOON)
    assert scenario.scan(IN_TRANSIT, NOON) == []
    sealed = parcels.Checkpoint(NOON, IN_TRANSIT, message=Sealed("k", b"x"))
    assert scenario.scans(sealed, sealed) == []


def test_a_scan_from_the_future_is_taken_as_it_comes():
    scenario = shipped()
    scenario.scan(IN_TRANSIT, NOON + 5 * DAY)
    scenario.scan(OUT, NOON + DAY)
    assert scenario.parcel().status is IN_TRANSIT


def test_an_unknown_word_is_kept_as_it_came():
    scenario = shipped()
    scenario.scan(ParcelStatus.OTHER, code="Zebra_42")
    assert scenario.parcel().checkpoints[0].code == "Zebra_42"


def test_a_scan_of_an_unknown_number_is_refused():
    with refused(UnknownParcel, "parcel P9 of dhl is not registered", carrier="dhl", number="P9"):
        a_shop().scan(IN_TRANSIT, number="P9")


# --- delivery and dispute -------------------------------------------------------------------------


def test_a_delivery_reaches_the_order():
    scenario = shipped()
    assert names(scenario.scan(DELIVERED)) == ["checkpoint_recorded", "units_delivered"]
    assert scenario.buckets() == {"delivered": 3}
    assert scenario.header() is Header.DELIVERED


def test_a_delivery_is_not_undone_by_a_later_scan():
    scenario = delivered()
    scenario.later(hours=1)
    assert names(scenario.scan(IN_TRANSIT)) == ["checkpoint_recorded"]
    assert scenario.parcel().status is DELIVERED
    assert scenario.buckets() == {"delivered": 3}


def test_a_delivery_scan_that_arrives_late_is_a_delivery():
    scenario = shipped()
    scenario.scan(OUT, NOON + 5 * HOUR)
    scenario.scan(DELIVERED, NOON + 4 * HOUR)
    assert scenario.parcel().delivered_at == NOON + 4 * HOUR


def test_a_disputed_delivery_is_under_way_again():
    scenario = delivered()
    assert names(scenario.dispute()) == ["delivery_disputed", "delivery_reopened"]
    assert scenario.buckets() == {"shipped": 3}
    assert scenario.dispute() == []


def test_nobody_denies_a_delivery_before_it():
    scenario = delivered()
    with refused(DisputedTooEarly, "was delivered 2026-03-05 12:00Z, which nobody can have denied 2026-03-05 11:00Z"):
        scenario.dispute(at=scenario.now - HOUR)
    assert scenario.buckets() == {"delivered": 3}
    assert names(scenario.dispute(at=scenario.now)) == ["delivery_disputed", "delivery_reopened"]


def test_after_a_dispute_only_a_later_delivery_counts():
    scenario = delivered()
    scenario.later(hours=2)
    scenario.dispute()
    scenario.scan(DELIVERED, scenario.now - HOUR)
    assert scenario.parcel().status is IN_TRANSIT
    assert scenario.buckets() == {"shipped": 3}
    scenario.later(hours=1)
    scenario.scan(DELIVERED)
    assert scenario.buckets() == {"delivered": 3}


def test_a_dispute_reopens_a_completed_order():
    scenario = delivered()
    scenario.later(days=14)
    scenario.close_window()
    scenario.dispute()
    assert scenario.header() is Header.DISPATCHED


def test_what_was_not_delivered_can_be_neither_disputed_nor_proven():
    scenario = shipped()
    with refused(NotDelivered, "parcel P1 of dhl is registered, not delivered", status="registered"):
        scenario.dispute()
    with refused(NotDelivered, "is registered, not delivered"):
        parcels.prove_delivery(scenario.parcel(), None, "ab12", NOON)


def test_a_delivery_is_proven_by_signature_or_photo():
    scenario = delivered()
    facts = parcels.prove_delivery(scenario.parcel(), None, "ab12", NOON)
    assert names(facts) == ["delivery_proven"]
    scenario.record(("parcel-dhl/P1", fact) for fact in facts)
    assert [each.photo_sha256 for each in scenario.parcel().proofs] == ["ab12"]


def test_the_same_proof_of_the_same_time_is_one_and_of_another_time_another():
    scenario = delivered()

    def prove(digest: str, box: bytes, at: datetime) -> list[Fact]:
        proof = parcels.prove_delivery(scenario.parcel(), Sealed("k", box), "ab12", at, digest)
        return scenario.record(("parcel-dhl/P1", fact) for fact in proof)

    assert names(prove("d1", b"Ann", scenario.now)) == ["delivery_proven"]
    assert prove("d1", b"Ann, sealed once more", scenario.now) == []
    assert names(prove("d2", b"Ben", scenario.now)) == ["delivery_proven"]
    assert names(prove("d1", b"Ann", scenario.now + HOUR)) == ["delivery_proven"]
    assert len(scenario.parcel().proofs) == 3


# --- held at customs ------------------------------------------------------------------------------


def held(asks: CustomsAsk | None, at: datetime = NOON, answer_by: datetime | None = None) -> Checkpoint:
    return Checkpoint(at, ParcelStatus.CUSTOMS_HELD, customs_asks=asks, customs_answer_by=answer_by)


def test_a_parcel_that_customs_holds_names_what_is_asked_for_and_by_when():
    scenario = shipped()
    scenario.scans(held(CustomsAsk.DOCUMENTS, answer_by=NOON + 7 * DAY))
    assert scenario.parcel().customs_hold == CustomsHold(NOON, CustomsAsk.DOCUMENTS, NOON + 7 * DAY, Party.RETAILER)


def test_a_later_scan_that_says_only_held_keeps_what_was_asked_for():
    scenario = shipped()
    scenario.scans(held(None), held(CustomsAsk.PAYMENT, NOON + HOUR), held(None, NOON + 2 * HOUR))
    assert scenario.parcel().customs_hold == CustomsHold(NOON, CustomsAsk.PAYMENT, asks_of=Party.CUSTOMER)


def test_leaving_the_hold_clears_it():
    scenario = shipped()
    scenario.scans(held(CustomsAsk.PROHIBITED), scan(IN_TRANSIT, NOON + HOUR))
    assert scenario.parcel().customs_hold is None
    scenario.scans(held(None, NOON + 2 * HOUR))
    assert scenario.parcel().customs_hold == CustomsHold(NOON + 2 * HOUR)


def test_a_denied_delivery_does_not_end_a_customs_hold():
    scenario = delivered()
    scenario.dispute()
    scenario.scans(held(CustomsAsk.PAYMENT, scenario.now - HOUR))
    assert scenario.parcel().customs_hold is None
    scenario.scans(held(None, scenario.now + HOUR))
    assert scenario.parcel().customs_hold == CustomsHold(
        scenario.now - HOUR, CustomsAsk.PAYMENT, asks_of=Party.CUSTOMER
    )
