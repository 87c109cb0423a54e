"""A tracking number announced before its order, and used again by another."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import pytest

from ledger.nouns import parcels
from ledger.nouns.orders import Header
from ledger.nouns.parcels import (
    FirstScanBreachWithdrawn,
    FoundAfterLoss,
    ParcelRegistered,
    ParcelStatus,
)
from ledger.terms.places import Destination
from tests.support.scenario import (
    DAY,
    HOUR,
    NOON,
    ORDER,
    Scenario,
    confirmed,
    delivered,
    line,
    names,
    scan,
    sent,
    shipped,
    the,
)

IN_TRANSIT, OUT, DELIVERED = ParcelStatus.IN_TRANSIT, ParcelStatus.OUT_FOR_DELIVERY, ParcelStatus.DELIVERED
LOST = ParcelStatus.LOST


# --- announced first, used again ------------------------------------------------------------------


def test_a_parcel_announced_before_its_order_is_linked_when_it_is_shipped():
    scenario = sent()
    scenario.announce()
    scenario.scan(IN_TRANSIT)
    assert names(scenario.ship()) == ["supplier_order_shipped", "linked", "reservation_consumed"]
    assert (scenario.parcel().order_id, scenario.parcel().status) == ("shopify/1", IN_TRANSIT)


def test_a_parcel_delivered_before_its_shipment_is_recorded_is_delivered_with_it():
    scenario = sent()
    scenario.announce()
    scenario.scan(DELIVERED)
    assert "units_delivered" in names(scenario.ship())
    assert scenario.buckets() == {"delivered": 3}


def test_announcing_again_records_nothing():
    scenario = shipped()
    assert scenario.announce() == []
    assert names(scenario.announce("P2")) == ["registered"]
    assert scenario.announce("P2") == []


def another_order(days: float) -> tuple[Scenario, Callable[[], object]]:
    """Parcel P1 was delivered; so many days later another order is to use its number."""
    scenario = delivered()
    scenario.later(days=days - 3)
    scenario.place(line(1, "tea", 1), order_id="shopify/2")
    scenario.send("shopify/2/1")
    return scenario, lambda: scenario.ship(supplier_order_id="shopify/2/1")


def test_a_number_that_is_used_again_soon_is_taken_with_a_warning():
    scenario, ship = another_order(89)
    ship()
    assert (scenario.parcel().epoch, scenario.parcel().order_id) == (2, "shopify/2")
    assert scenario.parcel().warnings == (
        "the number was used 89 days before for shopify/1/1",
        "no known format of dhl",
    )


def test_a_number_that_is_taken_from_a_parcel_under_way_says_so():
    scenario = shipped()
    scenario.place(line(1, "tea", 1), order_id="shopify/2", destination=Destination("FR", "", "75"))
    scenario.send("shopify/2/1")
    scenario.ship(supplier_order_id="shopify/2/1")
    assert scenario.parcel().warnings[0] == "the number was used 0 days before for shopify/1/1, which has not arrived"
    scenario.scan(DELIVERED)
    assert scenario.buckets(order_id="shopify/2") == {"delivered": 1}
    assert scenario.buckets() == {"shipped": 3}


def test_a_number_under_way_is_used_again_by_its_own_order_days_later():
    scenario = sent()
    scenario.ship({1: 1})
    scenario.later(days=4)
    scenario.ship({1: 2})
    assert (scenario.parcel().epoch, scenario.parcel().by_line) == (2, {1: 2})
    assert scenario.parcel().warnings[0] == "the number was used 4 days before for shopify/1/1, which has not arrived"


def test_a_number_that_is_used_again_after_long_starts_a_new_epoch():
    scenario, ship = another_order(90)
    ship()
    assert (scenario.parcel().epoch, scenario.parcel().order_id) == (2, "shopify/2")
    assert scenario.parcel().checkpoints == ()
    scenario.scan(DELIVERED)
    assert scenario.buckets(order_id="shopify/2") == {"delivered": 1}
    assert scenario.buckets() == {"delivered": 3}


def test_scans_of_a_number_announced_long_ago_are_not_those_of_a_new_parcel():
    scenario = confirmed()
    scenario.announce()
    scenario.scan(DELIVERED)
    scenario.later(days=90)
    scenario.send()
    scenario.ship()
    assert scenario.parcel().epoch == 2
    assert scenario.buckets() == {"shipped": 3}


# --- scans of an earlier use ----------------------------------------------------------------------


def test_a_scan_from_before_the_order_was_placed_is_kept_and_counts_for_nothing():
    scenario = shipped()
    old = scan(DELIVERED, NOON - 195 * DAY)
    assert names(scenario.scans(old)) == ["checkpoint_recorded"]
    parcel = scenario.parcel()
    assert (parcel.earlier, parcel.checkpoints) == ((old,), ())
    assert (parcel.status, parcel.first_scan_at, parcel.delivered_at) == (ParcelStatus.REGISTERED, None, None)
    assert parcel.last_seen_at == NOON
    assert (scenario.buckets(), scenario.header()) == ({"shipped": 3}, Header.DISPATCHED)
    assert scenario.scans(old) == []


@pytest.mark.parametrize(("hours", "counts"), [(71, True), (72, True), (73, False)])
def test_a_parcel_may_have_left_three_days_before_its_supplier_order_was_sent(hours: int, counts: bool):
    scenario = confirmed()
    scenario.later(days=10)
    scenario.send()
    scenario.ship()
    scenario.scan(IN_TRANSIT, scenario.now - hours * HOUR)
    assert (scenario.parcel().status is IN_TRANSIT) is counts
    assert (scenario.parcel().first_scan_at is not None) is counts


def test_a_parcel_that_left_long_before_its_supplier_order_was_sent_exists_since_it_left():
    scenario = confirmed()
    scenario.later(days=10)
    scenario.send()
    scenario.ship(at=scenario.now - 5 * DAY)
    scenario.scan(IN_TRANSIT, scenario.now - 5 * DAY)
    scenario.scan(IN_TRANSIT, scenario.now - 6 * DAY)
    assert scenario.parcel().first_scan_at == scenario.now - 5 * DAY


def test_no_word_of_when_it_left_makes_a_parcel_older_than_its_order():
    scenario = sent()
    scenario.ship(at=NOON - 195 * DAY)
    scenario.scan(DELIVERED, NOON - 190 * DAY)
    assert scenario.buckets() == {"shipped": 3}


def test_an_old_scan_that_was_recorded_before_the_shipment_counts_for_nothing_either():
    scenario = sent()
    scenario.announce()
    scenario.scan(DELIVERED, NOON - 195 * DAY)
    scenario.scan(IN_TRANSIT, NOON)
    assert scenario.parcel().status is DELIVERED
    assert names(scenario.ship()) == ["supplier_order_shipped", "linked", "reservation_consumed"]
    assert [len(scenario.parcel().earlier), len(scenario.parcel().checkpoints)] == [1, 1]
    assert (scenario.parcel().status, scenario.parcel().first_scan_at) == (IN_TRANSIT, NOON)
    assert scenario.buckets() == {"shipped": 3}


def test_a_scan_from_before_the_earlier_use_ended_is_of_that_use():
    scenario, ship = another_order(4)
    ended_at = scenario.parcel().delivered_at
    assert ended_at is not None
    ship()
    assert len(scenario.scans(scan(DELIVERED, ended_at), scan(OUT, ended_at - HOUR))) == 1, (
        "one of them was recorded before"
    )
    assert (scenario.parcel().status, len(scenario.parcel().earlier)) == (ParcelStatus.REGISTERED, 1)
    scenario.scan(DELIVERED)
    assert scenario.buckets(order_id="shopify/2") == {"delivered": 1}


@pytest.mark.parametrize(("hours", "counts"), [(23, True), (24, True), (25, False)])
def test_a_scan_from_long_before_the_next_use_left_is_of_the_use_before(hours: int, counts: bool):
    scenario = sent()
    scenario.place(line(1, "tea", 1), order_id="shopify/2")
    scenario.send("shopify/2/1")
    scenario.ship()
    scenario.later(days=9)
    scenario.ship(supplier_order_id="shopify/2/1")
    scenario.scan(DELIVERED, scenario.now - hours * HOUR)
    assert (scenario.buckets(order_id="shopify/2") == {"delivered": 1}) is counts
    assert len(scenario.parcel().earlier) == (not counts)
    assert scenario.buckets() == ({"shipped": 3} if counts else {"delivered": 3})


@pytest.mark.parametrize("sequence", list(permutations(["reuse", "moves", "arrives"])))
def test_a_scan_counts_for_the_use_that_it_belongs_to_whatever_is_recorded_first(sequence: tuple[str, ...]):
    scenario = shipped()
    scenario.place(line(1, "tea", 1), order_id="shopify/2")
    scenario.send("shopify/2/1")
    scenario.later(days=20)
    for what in sequence:
        if what == "reuse":
            scenario.ship(supplier_order_id="shopify/2/1", at=NOON + 9 * DAY)
        elif what == "moves":
            scenario.scan(IN_TRANSIT, NOON + 10 * DAY)
        else:
            scenario.scan(DELIVERED, NOON + 4 * DAY)
            assert scenario.scan(DELIVERED, NOON + 4 * DAY) == []
    assert (scenario.buckets(), scenario.buckets(order_id="shopify/2")) == ({"delivered": 3}, {"shipped": 1})
    assert scenario.order().delivered_at == NOON + 4 * DAY
    assert (scenario.parcel().status, scenario.parcel().first_scan_at) == (IN_TRANSIT, NOON + 10 * DAY)


def test_a_scan_from_before_any_use_of_a_number_counts_for_none():
    scenario, ship = another_order(20)
    ship()
    assert names(scenario.scan(LOST, NOON - 90 * DAY)) == ["checkpoint_recorded"]
    previous = scenario.parcel().previous
    assert previous is not None
    assert (previous.status, scenario.buckets(), len(scenario.parcel().earlier)) == (DELIVERED, {"delivered": 3}, 1)


@pytest.mark.parametrize(
    ("status", "hours", "bucket"), [(OUT, 80, "delivered"), (ParcelStatus.RETURNED, 70, "returned")]
)
def test_what_ended_an_earlier_use_is_judged_by_its_scans_also_once_the_number_is_used_again(
    status: ParcelStatus, hours: int, bucket: str
):
    """It arrived after three days: a later scan does not undo that, a return before it does."""
    scenario, ship = another_order(20)
    ship()
    scenario.scan(status, NOON + hours * HOUR)
    assert scenario.buckets() == {bucket: 3}


def test_an_earlier_use_that_was_given_up_is_found_when_it_arrives():
    scenario = shipped()
    scenario.scan(LOST, NOON + DAY)
    scenario.place(line(1, "tea", 1), order_id="shopify/2")
    scenario.send("shopify/2/1")
    scenario.later(days=20)
    scenario.ship(supplier_order_id="shopify/2/1")
    facts = scenario.scan(DELIVERED, NOON + 5 * DAY)
    assert (the(FoundAfterLoss, facts).epoch, the(FoundAfterLoss, facts).order_id) == (1, ORDER)
    assert "opened" in names(facts)
    assert (scenario.buckets(), scenario.parcel().found_at) == ({"delivered": 3}, None)


def test_a_first_scan_in_time_of_an_earlier_use_withdraws_that_ones_breach():
    scenario = shipped()
    scenario.later(days=2)
    scenario.miss_first_scan()
    scenario.place(line(1, "tea", 1), order_id="shopify/2")
    scenario.send("shopify/2/1")
    scenario.later(days=9)
    scenario.ship(supplier_order_id="shopify/2/1")
    withdrawn = the(FirstScanBreachWithdrawn, scenario.scan(IN_TRANSIT, NOON + HOUR))
    assert (withdrawn.epoch, withdrawn.happened_at) == (1, NOON + HOUR)
    scenario.later(days=2)
    assert names(scenario.miss_first_scan(epoch=2)) == ["first_scan_missed"]


def test_two_uses_by_one_order_each_have_their_scans():
    scenario = sent()
    scenario.ship({1: 1})
    scenario.scan(DELIVERED, NOON + DAY)
    scenario.later(days=9)
    scenario.ship({1: 2})
    scenario.scans(scan(ParcelStatus.RETURNED, NOON + HOUR), scan(DELIVERED, scenario.now))
    assert scenario.buckets() == {"delivered": 2, "returned": 1}


@pytest.mark.parametrize("arrived", [True, False])
def test_scans_recorded_before_a_reused_number_is_registered_belong_to_its_new_use(arrived: bool):
    scenario = shipped()
    if arrived:
        scenario.scan(DELIVERED, NOON + 9 * DAY)
    scenario.later(days=115)
    scenario.place(line(1, "tea", 1), order_id="shopify/2")
    scenario.send("shopify/2/1")
    left_at = scenario.later(days=1)
    scenario.later(days=3)
    scenario.scans(scan(IN_TRANSIT, left_at), scan(DELIVERED, scenario.now - HOUR))
    scenario.ship(supplier_order_id="shopify/2/1", at=left_at)
    assert (scenario.parcel().first_scan_at, scenario.parcel().status) == (left_at, DELIVERED)
    assert scenario.buckets(order_id="shopify/2") == {"delivered": 1}
    assert scenario.buckets() == ({"delivered": 3} if arrived else {"shipped": 3})
    assert scenario.miss_first_scan() == []
    assert scenario.scan(IN_TRANSIT, left_at) == []


def test_the_return_that_ended_a_use_is_not_the_next_ones():
    scenario = shipped()
    scenario.scan(ParcelStatus.RETURNED)
    scenario.place(line(1, "tea", 1), order_id="shopify/2")
    scenario.send("shopify/2/1")
    scenario.later(hours=1)
    scenario.ship(supplier_order_id="shopify/2/1")
    assert scenario.parcel().status is ParcelStatus.REGISTERED


def test_a_confirmed_loss_stands_when_old_scans_are_set_apart():
    scenario = sent()
    scenario.announce()
    scenario.scans(scan(IN_TRANSIT, NOON - 90 * DAY), scan(IN_TRANSIT, NOON - HOUR))
    scenario.confirm_loss()
    scenario.ship()
    assert (scenario.parcel().status, scenario.parcel().lost_at) == (LOST, NOON)
    assert scenario.buckets() == {"lost": 3}


@pytest.mark.parametrize("days", [195, 4])
def test_an_old_scan_neither_meets_nor_withdraws_a_first_scan(days: int):
    scenario = shipped()
    scenario.later(hours=37)
    scenario.miss_first_scan()
    assert names(scenario.scan(IN_TRANSIT, NOON - days * DAY)) == ["checkpoint_recorded"]
    assert scenario.parcel().first_scan_missed


def test_stored_parcels_that_do_not_say_since_when_they_exist_take_every_scan():
    registered = ParcelRegistered("dhl", "P1", 1, NOON, "shopify/1")
    parcel = parcels.evolve(None, registered)
    (recorded,) = parcels.record_checkpoint(parcel, scan(DELIVERED, NOON - 195 * DAY), NOON)
    assert parcels.evolve(parcel, recorded).delivered_at == NOON - 195 * DAY
