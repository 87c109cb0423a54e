"""Parcels: scans late, early and double; loss, dispute, proof, numbers that are used again."""

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import permutations

import pytest

from ledger.facts import Fact, LineNo, Sealed
from ledger.nouns import parcels
from ledger.nouns.orders import Header
from ledger.nouns.parcels import (
    AlreadyDelivered,
    Checkpoint,
    CustomsAsk,
    CustomsHold,
    DisputedTooEarly,
    FirstScanBreachWithdrawn,
    FoundAfterLoss,
    NotDelivered,
    ParcelOfAnotherOrder,
    ParcelRegistered,
    ParcelReturned,
    ParcelStatus,
    UnknownParcel,
)
from ledger.terms.parties import Party
from tests.support.story import (
    DAY,
    FIRST,
    HOUR,
    NOON,
    ORDER,
    Story,
    a_shop,
    confirmed,
    delivered,
    line,
    names,
    refused,
    scan,
    sent,
    shipped,
    the,
)

IN_TRANSIT, OUT, DELIVERED = ParcelStatus.IN_TRANSIT, ParcelStatus.OUT_FOR_DELIVERY, ParcelStatus.DELIVERED
LOST, SUSPECTED = ParcelStatus.LOST, ParcelStatus.SUSPECTED_LOST

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


# --- loss -----------------------------------------------------------------------------------------


def test_a_parcel_that_nobody_sees_is_suspected_lost_once():
    story = shipped()
    story.scan(IN_TRANSIT, NOON + DAY)
    story.later(days=14)
    assert story.suspect_loss() == []
    story.later(days=1)
    assert names(story.suspect_loss()) == ["loss_suspected"]
    assert story.suspect_loss() == []
    assert story.buckets() == {"shipped": 3}


def test_a_suspected_loss_may_still_be_delivered():
    story = shipped()
    story.later(days=14)
    story.suspect_loss()
    story.scan(DELIVERED)
    assert story.buckets() == {"delivered": 3}


@pytest.mark.parametrize("status", [DELIVERED, LOST, ParcelStatus.CUSTOMS_HELD, ParcelStatus.AVAILABLE_FOR_PICKUP])
def test_no_scan_is_expected_of_a_parcel_at_rest(status):
    story = shipped()
    story.scan(status)
    story.later(days=100)
    assert story.suspect_loss() == []


def test_a_confirmed_loss_moves_the_units_and_a_delivery_brings_them_back():
    story = shipped()
    assert names(story.scan(LOST)) == ["checkpoint_recorded", "units_lost"]
    assert story.buckets() == {"lost": 3}
    story.later(days=1)
    assert names(story.scan(DELIVERED)) == ["checkpoint_recorded", "found_after_loss", "units_delivered", "opened"]
    assert story.buckets() == {"delivered": 3}


def test_a_lost_parcel_that_is_seen_again_is_under_way_again():
    story = shipped()
    story.scan(LOST)
    story.scan(IN_TRANSIT, NOON - HOUR)
    assert story.buckets() == {"lost": 3}
    story.later(days=1)
    assert names(story.scan(IN_TRANSIT)) == ["checkpoint_recorded", "delivery_reopened"]
    assert story.buckets() == {"shipped": 3}


def test_what_came_back_was_neither_received_nor_lost():
    story = sent()
    story.ship({1: 1})
    story.scan(ParcelStatus.RETURNED)
    with refused(ParcelReturned, "parcel P1 of dhl came back to its sender", number="P1"):
        story.receive()
    with refused(ParcelReturned, "parcel P1 of dhl came back to its sender", number="P1"):
        story.confirm_loss()
    story.ship({1: 2}, number="P2")
    assert names(story.receive()) == ["units_delivered", "receipt_confirmed"]
    assert story.buckets() == {"shipped": 1, "delivered": 2}
    assert story.receive() == []


# --- announced first, used again ------------------------------------------------------------------


def test_a_parcel_announced_before_its_order_is_linked_when_it_is_shipped():
    story = sent()
    story.announce()
    story.scan(IN_TRANSIT)
    assert names(story.ship()) == ["supplier_order_shipped", "linked", "reservation_consumed"]
    assert (story.parcel().order_id, story.parcel().status) == ("shopify/1", IN_TRANSIT)


def test_a_parcel_delivered_before_the_supplier_said_so_is_delivered_when_it_does():
    story = sent()
    story.announce()
    story.scan(DELIVERED)
    assert "units_delivered" in names(story.ship())
    assert story.buckets() == {"delivered": 3}


def test_announcing_again_records_nothing():
    story = shipped()
    assert story.announce() == []
    assert names(story.announce("P2")) == ["registered"]
    assert story.announce("P2") == []


def another_order(days: float) -> tuple[Story, Callable[[], object]]:
    """Parcel P1 was delivered; so many days later another order is to use its number."""
    story = delivered()
    story.later(days=days - 3)
    story.place(line(1, "tea", 1), order_id="shopify/2")
    story.send("shopify/2/1")
    return story, lambda: story.ship(supplier_order_id="shopify/2/1")


def test_a_number_that_is_used_again_soon_is_taken_with_a_warning():
    story, ship = another_order(89)
    ship()
    assert (story.parcel().epoch, story.parcel().order_id) == (2, "shopify/2")
    assert story.parcel().warnings == ("the number was used 89 days before for shopify/1/1", "no known format of dhl")


def test_a_number_that_is_taken_from_a_parcel_under_way_says_so():
    story = shipped()
    story.place(line(1, "tea", 1), order_id="shopify/2")
    story.send("shopify/2/1")
    story.ship(supplier_order_id="shopify/2/1")
    assert story.parcel().warnings[0] == "the number was used 0 days before for shopify/1/1, which has not arrived"
    story.scan(DELIVERED)
    assert story.buckets(order_id="shopify/2") == {"delivered": 1}
    assert story.buckets() == {"shipped": 3}


def test_a_number_under_way_takes_no_second_shipment_of_its_own_order():
    story = sent()
    story.ship({1: 1})
    with refused(ParcelOfAnotherOrder, "parcel P1 of dhl is under way for shopify/1 already", order_id="shopify/1"):
        story.ship({1: 2})
    story.scan(DELIVERED)
    story.ship({1: 2})
    assert (story.parcel().epoch, story.parcel().by_line) == (2, {1: 2})


def test_a_number_that_is_used_again_after_long_starts_a_new_epoch():
    story, ship = another_order(90)
    ship()
    assert (story.parcel().epoch, story.parcel().order_id) == (2, "shopify/2")
    assert story.parcel().checkpoints == ()
    story.scan(DELIVERED)
    assert story.buckets(order_id="shopify/2") == {"delivered": 1}
    assert story.buckets() == {"delivered": 3}


def test_scans_of_a_number_announced_long_ago_are_not_those_of_a_new_parcel():
    story = confirmed()
    story.announce()
    story.scan(DELIVERED)
    story.later(days=90)
    story.send()
    story.ship()
    assert story.parcel().epoch == 2
    assert story.buckets() == {"shipped": 3}


# --- scans of an earlier use ----------------------------------------------------------------------


def test_a_scan_from_before_the_order_was_placed_is_kept_and_counts_for_nothing():
    story = shipped()
    old = scan(DELIVERED, NOON - 195 * DAY)
    assert names(story.scans(old)) == ["checkpoint_recorded"]
    parcel = story.parcel()
    assert (parcel.earlier, parcel.checkpoints) == ((old,), ())
    assert (parcel.status, parcel.first_scan_at, parcel.delivered_at) == (ParcelStatus.REGISTERED, None, None)
    assert parcel.last_seen_at == NOON
    assert (story.buckets(), story.header()) == ({"shipped": 3}, Header.DISPATCHED)
    assert story.scans(old) == []


@pytest.mark.parametrize(("hours", "counts"), [(71, True), (72, True), (73, False)])
def test_a_parcel_may_have_left_three_days_before_its_supplier_order_was_sent(hours: int, counts: bool):
    story = confirmed()
    story.later(days=10)
    story.send()
    story.ship()
    story.scan(IN_TRANSIT, story.now - hours * HOUR)
    assert (story.parcel().status is IN_TRANSIT) is counts
    assert (story.parcel().first_scan_at is not None) is counts


def test_a_parcel_that_left_long_before_its_supplier_order_was_sent_exists_since_it_left():
    story = confirmed()
    story.later(days=10)
    story.send()
    story.ship(at=story.now - 5 * DAY)
    story.scan(IN_TRANSIT, story.now - 5 * DAY)
    story.scan(IN_TRANSIT, story.now - 6 * DAY)
    assert story.parcel().first_scan_at == story.now - 5 * DAY


def test_no_word_of_when_it_left_makes_a_parcel_older_than_its_order():
    story = sent()
    story.ship(at=NOON - 195 * DAY)
    story.scan(DELIVERED, NOON - 190 * DAY)
    assert story.buckets() == {"shipped": 3}


def test_an_old_scan_that_was_told_before_the_shipment_counts_for_nothing_either():
    story = sent()
    story.announce()
    story.scan(DELIVERED, NOON - 195 * DAY)
    story.scan(IN_TRANSIT, NOON)
    assert story.parcel().status is DELIVERED
    assert names(story.ship()) == ["supplier_order_shipped", "linked", "reservation_consumed"]
    assert [len(story.parcel().earlier), len(story.parcel().checkpoints)] == [1, 1]
    assert (story.parcel().status, story.parcel().first_scan_at) == (IN_TRANSIT, NOON)
    assert story.buckets() == {"shipped": 3}


def test_a_scan_from_before_the_earlier_use_ended_is_of_that_use():
    story, ship = another_order(4)
    ended_at = story.parcel().delivered_at
    assert ended_at is not None
    ship()
    assert len(story.scans(scan(DELIVERED, ended_at), scan(OUT, ended_at - HOUR))) == 1, "one of them was told before"
    assert (story.parcel().status, len(story.parcel().earlier)) == (ParcelStatus.REGISTERED, 1)
    story.scan(DELIVERED)
    assert story.buckets(order_id="shopify/2") == {"delivered": 1}


@pytest.mark.parametrize(("hours", "counts"), [(23, True), (24, True), (25, False)])
def test_a_scan_from_long_before_the_next_use_left_is_of_the_use_before(hours: int, counts: bool):
    story = sent()
    story.place(line(1, "tea", 1), order_id="shopify/2")
    story.send("shopify/2/1")
    story.ship()
    story.later(days=9)
    story.ship(supplier_order_id="shopify/2/1")
    story.scan(DELIVERED, story.now - hours * HOUR)
    assert (story.buckets(order_id="shopify/2") == {"delivered": 1}) is counts
    assert len(story.parcel().earlier) == (not counts)
    assert story.buckets() == ({"shipped": 3} if counts else {"delivered": 3})


@pytest.mark.parametrize("told", list(permutations(["reuse", "moves", "arrives"])))
def test_a_scan_counts_for_the_use_that_it_is_of_whatever_is_told_first(told: tuple[str, ...]):
    story = shipped()
    story.place(line(1, "tea", 1), order_id="shopify/2")
    story.send("shopify/2/1")
    story.later(days=20)
    for what in told:
        if what == "reuse":
            story.ship(supplier_order_id="shopify/2/1", at=NOON + 9 * DAY)
        elif what == "moves":
            story.scan(IN_TRANSIT, NOON + 10 * DAY)
        else:
            story.scan(DELIVERED, NOON + 4 * DAY)
            assert story.scan(DELIVERED, NOON + 4 * DAY) == []
    assert (story.buckets(), story.buckets(order_id="shopify/2")) == ({"delivered": 3}, {"shipped": 1})
    assert story.order().delivered_at == NOON + 4 * DAY
    assert (story.parcel().status, story.parcel().first_scan_at) == (IN_TRANSIT, NOON + 10 * DAY)


def test_a_scan_from_before_any_use_of_a_number_counts_for_none():
    story, ship = another_order(20)
    ship()
    assert names(story.scan(LOST, NOON - 90 * DAY)) == ["checkpoint_recorded"]
    previous = story.parcel().previous
    assert previous is not None
    assert (previous.status, story.buckets(), len(story.parcel().earlier)) == (DELIVERED, {"delivered": 3}, 1)


@pytest.mark.parametrize(
    ("status", "hours", "bucket"), [(OUT, 80, "delivered"), (ParcelStatus.RETURNED, 70, "shipped")]
)
def test_what_ended_an_earlier_use_is_judged_by_its_scans_also_once_the_number_is_used_again(
    status: ParcelStatus, hours: int, bucket: str
):
    """It arrived after three days: a later scan does not undo that, a return before it does."""
    story, ship = another_order(20)
    ship()
    story.scan(status, NOON + hours * HOUR)
    assert story.buckets() == {bucket: 3}


def test_an_earlier_use_that_was_given_up_is_found_when_it_arrives():
    story = shipped()
    story.scan(LOST, NOON + DAY)
    story.place(line(1, "tea", 1), order_id="shopify/2")
    story.send("shopify/2/1")
    story.later(days=20)
    story.ship(supplier_order_id="shopify/2/1")
    facts = story.scan(DELIVERED, NOON + 5 * DAY)
    assert (the(FoundAfterLoss, facts).epoch, the(FoundAfterLoss, facts).order_id) == (1, ORDER)
    assert "opened" in names(facts)
    assert (story.buckets(), story.parcel().found_at) == ({"delivered": 3}, None)


def test_a_first_scan_in_time_of_an_earlier_use_withdraws_that_ones_breach():
    story = shipped()
    story.later(days=2)
    story.miss_first_scan()
    story.place(line(1, "tea", 1), order_id="shopify/2")
    story.send("shopify/2/1")
    story.later(days=9)
    story.ship(supplier_order_id="shopify/2/1")
    withdrawn = the(FirstScanBreachWithdrawn, story.scan(IN_TRANSIT, NOON + HOUR))
    assert (withdrawn.epoch, withdrawn.happened_at) == (1, NOON + HOUR)
    story.later(days=2)
    assert names(story.miss_first_scan(epoch=2)) == ["first_scan_missed"]


def test_two_uses_by_one_order_each_have_their_scans():
    story = sent()
    story.ship({1: 1})
    story.scan(DELIVERED, NOON + DAY)
    story.later(days=9)
    story.ship({1: 2})
    story.scans(scan(ParcelStatus.RETURNED, NOON + HOUR), scan(DELIVERED, story.now))
    assert story.buckets() == {"shipped": 1, "delivered": 2}


@pytest.mark.parametrize("arrived", [True, False])
def test_scans_told_before_a_recycled_number_was_are_of_its_new_use(arrived: bool):
    story = shipped()
    if arrived:
        story.scan(DELIVERED, NOON + 9 * DAY)
    story.later(days=115)
    story.place(line(1, "tea", 1), order_id="shopify/2")
    story.send("shopify/2/1")
    left_at = story.later(days=1)
    story.later(days=3)
    story.scans(scan(IN_TRANSIT, left_at), scan(DELIVERED, story.now - HOUR))
    story.ship(supplier_order_id="shopify/2/1", at=left_at)
    assert (story.parcel().first_scan_at, story.parcel().status) == (left_at, DELIVERED)
    assert story.buckets(order_id="shopify/2") == {"delivered": 1}
    assert story.buckets() == ({"delivered": 3} if arrived else {"shipped": 3})
    assert story.miss_first_scan() == []
    assert story.scan(IN_TRANSIT, left_at) == []


def test_the_return_that_ended_a_use_is_not_the_next_ones():
    story = shipped()
    story.scan(ParcelStatus.RETURNED)
    story.place(line(1, "tea", 1), order_id="shopify/2")
    story.send("shopify/2/1")
    story.later(hours=1)
    story.ship(supplier_order_id="shopify/2/1")
    assert story.parcel().status is ParcelStatus.REGISTERED


def test_a_confirmed_loss_stands_when_old_scans_are_set_apart():
    story = sent()
    story.announce()
    story.scans(scan(IN_TRANSIT, NOON - 90 * DAY), scan(IN_TRANSIT, NOON - HOUR))
    story.confirm_loss()
    story.ship()
    assert (story.parcel().status, story.parcel().lost_at) == (LOST, NOON)
    assert story.buckets() == {"lost": 3}


@pytest.mark.parametrize("days", [195, 4])
def test_an_old_scan_neither_meets_nor_withdraws_a_first_scan(days: int):
    story = shipped()
    story.later(hours=37)
    story.miss_first_scan()
    assert names(story.scan(IN_TRANSIT, NOON - days * DAY)) == ["checkpoint_recorded"]
    assert story.parcel().first_scan_missed


def test_stored_parcels_that_do_not_say_since_when_they_exist_take_every_scan():
    registered = ParcelRegistered("dhl", "P1", 1, NOON, "shopify/1")
    parcel = parcels.evolve(None, registered)
    (recorded,) = parcels.record_checkpoint(parcel, scan(DELIVERED, NOON - 195 * DAY), NOON)
    assert parcels.evolve(parcel, recorded).delivered_at == NOON - 195 * DAY


# --- back at the sender ---------------------------------------------------------------------------

RETURNING, RETURNED = ParcelStatus.RETURNING, ParcelStatus.RETURNED


def told(story: Story, order: Sequence[int], *scans: Checkpoint) -> Story:
    """The scans are told one by one, in this order."""
    for index in order:
        story.scans(scans[index])
    return story


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("back", [RETURNED, RETURNING])
def test_what_arrives_after_it_was_returned_is_back_at_the_sender_whatever_is_told_first(
    back: ParcelStatus, order: Sequence[int]
):
    scans = (scan(IN_TRANSIT, NOON), scan(back, NOON + DAY), scan(DELIVERED, NOON + 2 * DAY))
    story = told(shipped(), order, *scans)
    assert (story.parcel().status, story.parcel().delivered_at) == (RETURNED, None)
    assert (story.buckets(), story.header()) == ({"shipped": 3}, Header.DISPATCHED)


@pytest.mark.parametrize("order", list(permutations(range(2))))
def test_what_was_on_its_way_back_is_delivered_if_the_carrier_says_that_it_reached_the_customer(order: Sequence[int]):
    reached = Checkpoint(NOON + 2 * DAY, DELIVERED, reached_customer=True)
    story = told(shipped(), order, scan(RETURNING, NOON + DAY), reached)
    assert story.buckets() == {"delivered": 3}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_what_goes_back_after_it_was_delivered_was_delivered(order: Sequence[int]):
    scans = (scan(DELIVERED, NOON), scan(RETURNED, NOON + DAY), scan(DELIVERED, NOON + 2 * DAY))
    story = told(shipped(), order, *scans)
    assert (story.parcel().status, story.parcel().delivered_at) == (DELIVERED, NOON)
    assert story.order().delivered_at == NOON


def test_of_one_instant_a_delivery_that_was_told_first_was_one():
    delivery, back = scan(DELIVERED, NOON + DAY), scan(RETURNED, NOON + DAY)
    assert told(shipped(), (0, 1), delivery, back).buckets() == {"delivered": 3}
    assert told(shipped(), (0, 1), back, delivery).buckets() == {"shipped": 3}


def test_what_was_given_up_on_its_way_back_is_lost_whatever_is_told_first():
    scans = (scan(RETURNED, NOON), scan(DELIVERED, NOON + HOUR), scan(ParcelStatus.LOST, NOON + 2 * HOUR))
    for order in permutations(range(3)):
        assert told(shipped(), order, *scans).buckets() == {"lost": 3}, order


def test_a_receipt_that_the_customer_confirmed_is_not_undone_by_a_return():
    story = shipped()
    story.receive(at=NOON)
    told(story, (0, 1), scan(DELIVERED, NOON + DAY), scan(RETURNED, NOON + HOUR))
    assert story.buckets() == {"delivered": 3}


def test_a_warning_about_the_number_never_refuses():
    odd = ParcelRegistered("dhl", "P1", 0, NOON, warnings=("check digit is 3, 7 expected",))
    assert names(parcels.register(None, odd, 90)) == ["registered"]


def test_a_parcel_knows_its_lines_and_where_it_goes():
    parcel = shipped().parcel()
    assert (parcel.by_line, parcel.country, parcel.supplier_id) == ({LineNo(1): 3}, "DE", "acme")


# --- given up, and found --------------------------------------------------------------------------


def test_a_loss_can_be_confirmed_by_the_carrier_or_a_person():
    story = shipped()
    story.later(days=20)
    assert names(story.confirm_loss()) == ["loss_confirmed", "units_lost"]
    assert story.buckets() == {"lost": 3}
    assert (story.parcel().status, story.parcel().lost_at) == (LOST, story.now)
    assert story.confirm_loss(by=Party.RETAILER) == []


def test_a_loss_that_the_carrier_reported_needs_no_confirmation():
    story = shipped()
    story.scan(LOST)
    assert story.confirm_loss() == []


def test_a_delivered_parcel_is_not_lost_before_the_delivery_is_disputed():
    story = delivered()
    with refused(AlreadyDelivered, "parcel P1 of dhl was delivered", carrier="dhl", number="P1"):
        story.confirm_loss()
    story.dispute()
    assert names(story.confirm_loss()) == ["loss_confirmed", "units_lost"]


def test_the_loss_of_an_unknown_parcel_is_refused():
    with refused(UnknownParcel, "parcel P1 of dhl is not registered"):
        a_shop().confirm_loss()


def test_a_scan_from_before_the_loss_was_confirmed_changes_nothing():
    story = shipped()
    story.later(days=20)
    story.confirm_loss()
    assert names(story.scan(IN_TRANSIT, NOON + DAY)) == ["checkpoint_recorded"]
    assert (story.parcel().status, story.buckets()) == (LOST, {"lost": 3})


def test_a_confirmed_loss_that_is_delivered_is_found_and_asks_for_recovery():
    story = shipped()
    story.later(days=20)
    story.confirm_loss()
    lost_at = story.now
    story.later(days=3)
    facts = story.scan(DELIVERED)
    assert names(facts) == ["checkpoint_recorded", "found_after_loss", "units_delivered", "opened"]
    found = the(FoundAfterLoss, facts)
    assert (found.order_id, found.supplier_order_id, found.by_line) == (ORDER, FIRST, {1: 3})
    assert (found.lost_at, found.at) == (lost_at, story.now)
    assert story.buckets() == {"delivered": 3}
    assert (story.parcel().lost_at, story.parcel().found_at) == (None, story.now)


def test_a_loss_that_turns_out_to_be_an_earlier_delivery_is_found():
    story = shipped()
    story.later(days=20)
    story.confirm_loss()
    assert "found_after_loss" in names(story.scan(DELIVERED, NOON + DAY))
    assert story.buckets() == {"delivered": 3}


def test_a_lost_parcel_that_moves_again_is_found_when_it_arrives():
    story = shipped()
    story.confirm_loss()
    story.later(days=1)
    assert names(story.scan(IN_TRANSIT)) == ["checkpoint_recorded", "delivery_reopened"]
    story.later(days=1)
    assert names(story.scan(DELIVERED)) == ["checkpoint_recorded", "found_after_loss", "units_delivered", "opened"]


def test_a_customer_who_has_a_lost_parcel_has_found_it():
    story = shipped()
    story.confirm_loss()
    story.later(days=1)
    assert names(story.receive()) == ["units_delivered", "receipt_confirmed", "found_after_loss", "opened"]
    assert story.buckets() == {"delivered": 3}


def test_a_suspected_loss_that_arrives_is_no_recovery():
    story = shipped()
    story.later(days=15)
    story.suspect_loss()
    assert names(story.scan(DELIVERED)) == ["checkpoint_recorded", "units_delivered"]


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
