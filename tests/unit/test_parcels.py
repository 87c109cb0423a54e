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
from tests.support.story import DAY, HOUR, NOON, a_shop, delivered, names, refused, scan, shipped

IN_TRANSIT, OUT, DELIVERED = ParcelStatus.IN_TRANSIT, ParcelStatus.OUT_FOR_DELIVERY, ParcelStatus.DELIVERED


# --- scans ----------------------------------------------------------------------------------------


def test_the_newest_scan_says_where_a_parcel_is():
    story = shipped()
    story.scan(IN_TRANSIT, NOON + HOUR)
    story.scan(OUT, NOON + 2 * HOUR)
    assert story.parcel().status is OUT


def test_a_late_older_scan_is_kept_and_never_moves_the_status_back():
    story = shipped()
    story.scan(OUT, NOON + 2 * HOUR)
    story.scan(IN_TRANSIT, NOON + HOUR)
    assert story.parcel().status is OUT
    assert [each.status for each in story.parcel().checkpoints] == [IN_TRANSIT, OUT]


def test_scans_of_one_instant_count_in_the_order_of_their_arrival():
    story = shipped()
    story.scans(scan(IN_TRANSIT, NOON), scan(OUT, NOON))
    assert story.parcel().status is OUT


def test_the_same_scan_twice_is_one_however_its_text_is_sealed():
    story = shipped()
    story.scan(IN_TRANSIT, NOON)
    assert story.scan(IN_TRANSIT, NOON) == []
    sealed = parcels.Checkpoint(NOON, IN_TRANSIT, message=Sealed("k", b"x"))
    assert story.scans(sealed, sealed) == []


def test_a_scan_from_the_future_is_taken_as_it_comes():
    story = shipped()
    story.scan(IN_TRANSIT, NOON + 5 * DAY)
    story.scan(OUT, NOON + DAY)
    assert story.parcel().status is IN_TRANSIT


def test_an_unknown_word_is_kept_as_it_came():
    story = shipped()
    story.scan(ParcelStatus.OTHER, code="Zebra_42")
    assert story.parcel().checkpoints[0].code == "Zebra_42"


def test_a_scan_of_an_unknown_number_is_refused():
    with refused(UnknownParcel, "parcel P9 of dhl is not registered", carrier="dhl", number="P9"):
        a_shop().scan(IN_TRANSIT, number="P9")


# --- delivery and dispute -------------------------------------------------------------------------


def test_a_delivery_reaches_the_order():
    story = shipped()
    assert names(story.scan(DELIVERED)) == ["checkpoint_recorded", "units_delivered"]
    assert story.buckets() == {"delivered": 3}
    assert story.header() is Header.DELIVERED


def test_a_delivery_is_not_undone_by_a_later_scan():
    story = delivered()
    story.later(hours=1)
    assert names(story.scan(IN_TRANSIT)) == ["checkpoint_recorded"]
    assert story.parcel().status is DELIVERED
    assert story.buckets() == {"delivered": 3}


def test_a_delivery_scan_that_arrives_late_is_a_delivery():
    story = shipped()
    story.scan(OUT, NOON + 5 * HOUR)
    story.scan(DELIVERED, NOON + 4 * HOUR)
    assert story.parcel().delivered_at == NOON + 4 * HOUR


def test_a_disputed_delivery_is_under_way_again():
    story = delivered()
    assert names(story.dispute()) == ["delivery_disputed", "delivery_reopened"]
    assert story.buckets() == {"shipped": 3}
    assert story.dispute() == []


def test_nobody_denies_a_delivery_before_it():
    story = delivered()
    with refused(DisputedTooEarly, "was delivered 2026-03-05 12:00Z, which nobody can have denied 2026-03-05 11:00Z"):
        story.dispute(at=story.now - HOUR)
    assert story.buckets() == {"delivered": 3}
    assert names(story.dispute(at=story.now)) == ["delivery_disputed", "delivery_reopened"]


def test_after_a_dispute_only_a_later_delivery_counts():
    story = delivered()
    story.later(hours=2)
    story.dispute()
    story.scan(DELIVERED, story.now - HOUR)
    assert story.parcel().status is IN_TRANSIT
    assert story.buckets() == {"shipped": 3}
    story.later(hours=1)
    story.scan(DELIVERED)
    assert story.buckets() == {"delivered": 3}


def test_a_dispute_reopens_a_completed_order():
    story = delivered()
    story.later(days=14)
    story.close_window()
    story.dispute()
    assert story.header() is Header.DISPATCHED


def test_what_was_not_delivered_can_be_neither_disputed_nor_proven():
    story = shipped()
    with refused(NotDelivered, "parcel P1 of dhl is registered, not delivered", status="registered"):
        story.dispute()
    with refused(NotDelivered, "is registered, not delivered"):
        parcels.prove_delivery(story.parcel(), None, "ab12", NOON)


def test_a_delivery_is_proven_by_signature_or_photo():
    story = delivered()
    facts = parcels.prove_delivery(story.parcel(), None, "ab12", NOON)
    assert names(facts) == ["delivery_proven"]
    story.record(("parcel-dhl/P1", fact) for fact in facts)
    assert [each.photo_sha256 for each in story.parcel().proofs] == ["ab12"]


def test_the_same_proof_of_the_same_time_is_one_and_of_another_time_another():
    story = delivered()

    def prove(digest: str, box: bytes, at: datetime) -> list[Fact]:
        proof = parcels.prove_delivery(story.parcel(), Sealed("k", box), "ab12", at, digest)
        return story.record(("parcel-dhl/P1", fact) for fact in proof)

    assert names(prove("d1", b"Ann", story.now)) == ["delivery_proven"]
    assert prove("d1", b"Ann, sealed once more", story.now) == []
    assert names(prove("d2", b"Ben", story.now)) == ["delivery_proven"]
    assert names(prove("d1", b"Ann", story.now + HOUR)) == ["delivery_proven"]
    assert len(story.parcel().proofs) == 3


# --- held at customs ------------------------------------------------------------------------------


def held(asks: CustomsAsk | None, at: datetime = NOON, answer_by: datetime | None = None) -> Checkpoint:
    return Checkpoint(at, ParcelStatus.CUSTOMS_HELD, customs_asks=asks, customs_answer_by=answer_by)


def test_a_parcel_that_customs_holds_names_what_is_asked_for_and_by_when():
    story = shipped()
    story.scans(held(CustomsAsk.DOCUMENTS, answer_by=NOON + 7 * DAY))
    assert story.parcel().customs_hold == CustomsHold(NOON, CustomsAsk.DOCUMENTS, NOON + 7 * DAY)


def test_a_later_scan_that_says_only_held_keeps_what_was_asked_for():
    story = shipped()
    story.scans(held(None), held(CustomsAsk.PAYMENT, NOON + HOUR), held(None, NOON + 2 * HOUR))
    assert story.parcel().customs_hold == CustomsHold(NOON, CustomsAsk.PAYMENT)


def test_leaving_the_hold_clears_it():
    story = shipped()
    story.scans(held(CustomsAsk.PROHIBITED), scan(IN_TRANSIT, NOON + HOUR))
    assert story.parcel().customs_hold is None
    story.scans(held(None, NOON + 2 * HOUR))
    assert story.parcel().customs_hold == CustomsHold(NOON + 2 * HOUR)


def test_a_denied_delivery_does_not_end_a_customs_hold():
    story = delivered()
    story.dispute()
    story.scans(held(CustomsAsk.PAYMENT, story.now - HOUR))
    assert story.parcel().customs_hold is None
    story.scans(held(None, story.now + HOUR))
    assert story.parcel().customs_hold == CustomsHold(story.now - HOUR, CustomsAsk.PAYMENT)
