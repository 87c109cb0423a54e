"""Parcels that are lost, given up, found, or back at their sender."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import pytest

from ledger.facts import LineNo
from ledger.nouns import parcels
from ledger.nouns.orders import Header
from ledger.nouns.parcels import (
    AlreadyDelivered,
    Checkpoint,
    FoundAfterLoss,
    ParcelRegistered,
    ParcelReturned,
    ParcelStatus,
    UnknownParcel,
)
from ledger.terms.parties import Party
from tests.support.scenario import (
    DAY,
    FIRST,
    HOUR,
    NOON,
    ORDER,
    Scenario,
    a_shop,
    delivered,
    names,
    refused,
    scan,
    sent,
    shipped,
    the,
)

IN_TRANSIT, DELIVERED = ParcelStatus.IN_TRANSIT, ParcelStatus.DELIVERED
LOST = ParcelStatus.LOST


# --- loss -----------------------------------------------------------------------------------------


def test_a_parcel_that_nobody_sees_is_suspected_lost_once():
    scenario = shipped()
    scenario.scan(IN_TRANSIT, NOON + DAY)
    scenario.later(days=14)
    assert scenario.suspect_loss() == []
    scenario.later(days=1)
    assert names(scenario.suspect_loss()) == ["loss_suspected"]
    assert scenario.suspect_loss() == []
    assert scenario.buckets() == {"shipped": 3}


def test_a_suspected_loss_may_still_be_delivered():
    scenario = shipped()
    scenario.later(days=14)
    scenario.suspect_loss()
    scenario.scan(DELIVERED)
    assert scenario.buckets() == {"delivered": 3}


@pytest.mark.parametrize("status", [DELIVERED, LOST, ParcelStatus.CUSTOMS_HELD, ParcelStatus.AVAILABLE_FOR_PICKUP])
def test_no_scan_is_expected_of_a_parcel_at_rest(status):
    scenario = shipped()
    scenario.scan(status)
    scenario.later(days=100)
    assert scenario.suspect_loss() == []


def test_a_confirmed_loss_moves_the_units_and_a_delivery_brings_them_back():
    scenario = shipped()
    assert names(scenario.scan(LOST)) == ["checkpoint_recorded", "units_lost"]
    assert scenario.buckets() == {"lost": 3}
    scenario.later(days=1)
    assert names(scenario.scan(DELIVERED)) == ["checkpoint_recorded", "found_after_loss", "units_delivered", "opened"]
    assert scenario.buckets() == {"delivered": 3}


def test_a_lost_parcel_that_is_seen_again_is_under_way_again():
    scenario = shipped()
    scenario.scan(LOST)
    scenario.scan(IN_TRANSIT, NOON - HOUR)
    assert scenario.buckets() == {"lost": 3}
    scenario.later(days=1)
    assert names(scenario.scan(IN_TRANSIT)) == ["checkpoint_recorded", "delivery_reopened"]
    assert scenario.buckets() == {"shipped": 3}


def test_what_came_back_was_neither_received_nor_lost():
    scenario = sent()
    scenario.ship({1: 1})
    scenario.scan(ParcelStatus.RETURNED)
    with refused(ParcelReturned, "parcel P1 of dhl came back to its sender", number="P1"):
        scenario.receive()
    with refused(ParcelReturned, "parcel P1 of dhl came back to its sender", number="P1"):
        scenario.confirm_loss()
    scenario.ship({1: 2}, number="P2")
    assert names(scenario.receive()) == ["units_delivered", "receipt_confirmed"]
    assert scenario.buckets() == {"delivered": 2, "returned": 1}
    assert scenario.receive() == []


# --- back at the sender ---------------------------------------------------------------------------

RETURNING, RETURNED = ParcelStatus.RETURNING, ParcelStatus.RETURNED


def test_what_comes_back_undelivered_is_returned_and_counts_as_no_delivery():
    scenario = shipped()
    assert names(scenario.scan(RETURNED)) == ["checkpoint_recorded", "units_returned"]
    assert scenario.buckets() == {"returned": 3}
    assert (scenario.order().delivered_at, scenario.order().given_up_at) == (None, scenario.now)
    assert scenario.scan(RETURNED) == []


def test_what_was_lost_and_comes_back_is_returned():
    scenario = shipped()
    scenario.scan(LOST)
    scenario.later(days=1)
    assert names(scenario.scan(RETURNED)) == ["checkpoint_recorded", "units_returned"]
    assert scenario.buckets() == {"returned": 3}


def test_what_came_back_and_is_seen_again_is_under_way_again():
    scenario = shipped()
    scenario.scan(RETURNED)
    scenario.later(days=1)
    assert names(scenario.scan(IN_TRANSIT)) == ["checkpoint_recorded", "delivery_reopened"]
    assert scenario.buckets() == {"shipped": 3}


def test_an_order_is_delivered_though_some_of_it_came_back():
    scenario = sent()
    scenario.ship({1: 1})
    scenario.ship({1: 2}, number="P2")
    scenario.scan(RETURNED)
    assert scenario.header() is Header.DISPATCHED
    scenario.scan(DELIVERED, number="P2")
    assert (scenario.buckets(), scenario.header()) == ({"delivered": 2, "returned": 1}, Header.DELIVERED)


def with_scans(scenario: Scenario, order: Sequence[int], *scans: Checkpoint) -> Scenario:
    """The scans are recorded one by one, in this order."""
    for index in order:
        scenario.scans(scans[index])
    return scenario


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("back", [RETURNED, RETURNING])
def test_what_arrives_after_it_was_returned_is_back_at_the_sender_whatever_is_recorded_first(
    back: ParcelStatus, order: Sequence[int]
):
    scans = (scan(IN_TRANSIT, NOON), scan(back, NOON + DAY), scan(DELIVERED, NOON + 2 * DAY))
    scenario = with_scans(shipped(), order, *scans)
    assert (scenario.parcel().status, scenario.parcel().delivered_at) == (RETURNED, None)
    assert scenario.buckets() == {"returned": 3}


@pytest.mark.parametrize("order", list(permutations(range(2))))
def test_what_was_on_its_way_back_is_delivered_if_the_carrier_says_that_it_reached_the_customer(order: Sequence[int]):
    reached = Checkpoint(NOON + 2 * DAY, DELIVERED, reached_customer=True)
    scenario = with_scans(shipped(), order, scan(RETURNING, NOON + DAY), reached)
    assert scenario.buckets() == {"delivered": 3}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_what_goes_back_after_it_was_delivered_was_delivered(order: Sequence[int]):
    scans = (scan(DELIVERED, NOON), scan(RETURNED, NOON + DAY), scan(DELIVERED, NOON + 2 * DAY))
    scenario = with_scans(shipped(), order, *scans)
    assert (scenario.parcel().status, scenario.parcel().delivered_at) == (DELIVERED, NOON)
    assert scenario.order().delivered_at == NOON


def test_of_one_instant_a_delivery_that_was_recorded_first_counts():
    delivery, back = scan(DELIVERED, NOON + DAY), scan(RETURNED, NOON + DAY)
    assert with_scans(shipped(), (0, 1), delivery, back).buckets() == {"delivered": 3}
    assert with_scans(shipped(), (0, 1), back, delivery).buckets() == {"returned": 3}


def test_what_was_given_up_on_its_way_back_is_lost_whatever_is_recorded_first():
    scans = (scan(RETURNED, NOON), scan(DELIVERED, NOON + HOUR), scan(ParcelStatus.LOST, NOON + 2 * HOUR))
    for order in permutations(range(3)):
        assert with_scans(shipped(), order, *scans).buckets() == {"lost": 3}, order


def test_a_receipt_that_the_customer_confirmed_is_not_undone_by_a_return():
    scenario = shipped()
    scenario.receive(at=NOON)
    with_scans(scenario, (0, 1), scan(DELIVERED, NOON + DAY), scan(RETURNED, NOON + HOUR))
    assert scenario.buckets() == {"delivered": 3}


def test_a_warning_about_the_number_never_refuses():
    odd = ParcelRegistered("dhl", "P1", 0, NOON, warnings=("check digit is 3, 7 expected",))
    assert names(parcels.register(None, odd, 90)) == ["registered"]


def test_a_parcel_knows_its_lines_and_where_it_goes():
    parcel = shipped().parcel()
    assert (parcel.by_line, parcel.country, parcel.supplier_id) == ({LineNo(1): 3}, "DE", "acme")


# --- given up, and found --------------------------------------------------------------------------


def test_a_loss_can_be_confirmed_by_the_carrier_or_a_person():
    scenario = shipped()
    scenario.later(days=20)
    assert names(scenario.confirm_loss()) == ["loss_confirmed", "units_lost"]
    assert scenario.buckets() == {"lost": 3}
    assert (scenario.parcel().status, scenario.parcel().lost_at) == (LOST, scenario.now)
    assert scenario.confirm_loss(by=Party.RETAILER) == []


def test_a_loss_that_the_carrier_reported_needs_no_confirmation():
    scenario = shipped()
    scenario.scan(LOST)
    assert scenario.confirm_loss() == []


def test_a_delivered_parcel_is_not_lost_before_the_delivery_is_disputed():
    scenario = delivered()
    with refused(AlreadyDelivered, "parcel P1 of dhl was delivered", carrier="dhl", number="P1"):
        scenario.confirm_loss()
    scenario.dispute()
    assert names(scenario.confirm_loss()) == ["loss_confirmed", "units_lost"]


def test_the_loss_of_an_unknown_parcel_is_refused():
    with refused(UnknownParcel, "parcel P1 of dhl is not registered"):
        a_shop().confirm_loss()


def test_a_scan_from_before_the_loss_was_confirmed_changes_nothing():
    scenario = shipped()
    scenario.later(days=20)
    scenario.confirm_loss()
    assert names(scenario.scan(IN_TRANSIT, NOON + DAY)) == ["checkpoint_recorded"]
    assert (scenario.parcel().status, scenario.buckets()) == (LOST, {"lost": 3})


def test_a_confirmed_loss_that_is_delivered_is_found_and_asks_for_recovery():
    scenario = shipped()
    scenario.later(days=20)
    scenario.confirm_loss()
    lost_at = scenario.now
    scenario.later(days=3)
    facts = scenario.scan(DELIVERED)
    assert names(facts) == ["checkpoint_recorded", "found_after_loss", "units_delivered", "opened"]
    found = the(FoundAfterLoss, facts)
    assert (found.order_id, found.supplier_order_id, found.by_line) == (ORDER, FIRST, {1: 3})
    assert (found.lost_at, found.at) == (lost_at, scenario.now)
    assert scenario.buckets() == {"delivered": 3}
    assert (scenario.parcel().lost_at, scenario.parcel().found_at) == (None, scenario.now)


def test_a_loss_that_turns_out_to_be_an_earlier_delivery_is_found():
    scenario = shipped()
    scenario.later(days=20)
    scenario.confirm_loss()
    assert "found_after_loss" in names(scenario.scan(DELIVERED, NOON + DAY))
    assert scenario.buckets() == {"delivered": 3}


def test_a_lost_parcel_that_moves_again_is_found_when_it_arrives():
    scenario = shipped()
    scenario.confirm_loss()
    scenario.later(days=1)
    assert names(scenario.scan(IN_TRANSIT)) == ["checkpoint_recorded", "delivery_reopened"]
    scenario.later(days=1)
    assert names(scenario.scan(DELIVERED)) == ["checkpoint_recorded", "found_after_loss", "units_delivered", "opened"]


def test_a_customer_who_has_a_lost_parcel_has_found_it():
    scenario = shipped()
    scenario.confirm_loss()
    scenario.later(days=1)
    assert names(scenario.receive()) == ["units_delivered", "receipt_confirmed", "found_after_loss", "opened"]
    assert scenario.buckets() == {"delivered": 3}


def test_a_suspected_loss_that_arrives_is_no_recovery():
    scenario = shipped()
    scenario.later(days=15)
    scenario.suspect_loss()
    assert names(scenario.scan(DELIVERED)) == ["checkpoint_recorded", "units_delivered"]
