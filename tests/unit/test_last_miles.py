"""A parcel that goes on under a number of another carrier: one parcel, whichever number its scans name."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.decisions import last_miles
from ledger.facts import Sealed
from ledger.nouns import parcels
from ledger.nouns.orders import Header
from ledger.nouns.orders.supplier_orders import Oddity, SupplierOrderShipped
from ledger.nouns.parcels import ParcelIsVoid, ParcelRegistered, ParcelStatus, UnknownParcel
from tests.support.scenario import (
    DAY,
    FIRST,
    HOUR,
    NOON,
    ORDER,
    Scenario,
    line,
    names,
    refused,
    scan,
    sent,
    shipped,
    the,
)

IN_TRANSIT, OUT, DELIVERED = ParcelStatus.IN_TRANSIT, ParcelStatus.OUT_FOR_DELIVERY, ParcelStatus.DELIVERED
LOST = ParcelStatus.LOST


def handed_over() -> Scenario:
    scenario = shipped()
    scenario.later(days=2)
    scenario.hand_over()
    return scenario


def test_a_parcel_that_is_handed_over_knows_its_numbers():
    scenario = shipped()
    assert names(scenario.hand_over()) == ["registered", "handed_over"]
    assert scenario.parcel().last_miles == (("dhl", "L1", 1),)
    assert scenario.parcel("L1").last_mile_of == ("dhl", "P1", 1)


def test_handing_over_again_records_nothing_under_either_number():
    scenario = handed_over()
    assert scenario.hand_over() == []
    assert scenario.hand_over(number="L1") == []
    assert scenario.hand_over("P1", number="L1") == []


def test_a_parcel_may_be_handed_over_twice_and_the_second_is_of_the_first_mile():
    scenario = handed_over()
    scenario.hand_over("L2", number="L1")
    scenario.scan(DELIVERED, number="L2")
    assert [number for _, number, _ in scenario.parcel().last_miles] == ["L1", "L2"]
    assert scenario.buckets() == {"delivered": 3}


def test_scans_under_either_number_move_the_one_parcel():
    scenario = handed_over()
    scenario.scan(IN_TRANSIT, NOON + DAY)
    facts = scenario.scan(OUT, number="L1")
    assert names(facts) == ["checkpoint_recorded"]
    assert [scan.told_under for scan in scenario.parcel().checkpoints] == [None, ("dhl", "L1")]
    assert scenario.parcel().status is OUT
    scenario.scan(DELIVERED, scenario.later(hours=2), number="L1")
    assert (scenario.header(), scenario.parcel().first_scan_at) == (Header.DELIVERED, NOON + DAY)


def test_a_scan_that_both_carriers_tell_is_one():
    scenario = handed_over()
    scenario.scan(OUT)
    assert scenario.scan(OUT, number="L1") == []


def test_what_is_known_of_the_last_mile_counts_at_once():
    scenario = shipped()
    scenario.announce("L1")
    scenario.later(days=2)
    scenario.scan(OUT, NOON + DAY, number="L1")
    scenario.scan(DELIVERED, number="L1")
    facts = scenario.hand_over()
    assert names(facts) == ["linked", "handed_over", "checkpoint_recorded", "checkpoint_recorded", "units_delivered"]
    assert scenario.buckets() == {"delivered": 3}
    last = scenario.parcel("L1")
    assert (last.checkpoints, len(last.earlier), last.status) == ((), 2, ParcelStatus.REGISTERED)


def test_the_text_of_a_scan_that_was_sealed_for_nobody_is_not_taken_over():
    scenario = shipped()
    scenario.announce("L1")
    scenario.scans(replace(scan(OUT, NOON + HOUR), message=Sealed("k", b"given to Ann")), number="L1")
    scenario.hand_over()
    assert [each.message for each in scenario.parcel().checkpoints] == [None]


@pytest.mark.parametrize("sequence", list(permutations(["ship", "hand over", "out", "arrives"])))
def test_all_is_the_same_in_whatever_order_it_is_told(sequence: tuple[str, ...]):
    scenario = sent()
    scenario.announce("P1")
    scenario.announce("L1")
    scenario.later(days=3)
    for what in sequence:
        match what:
            case "ship":
                scenario.ship(at=NOON)
            case "hand over":
                scenario.hand_over()
            case "out":
                scenario.scan(OUT, NOON + 2 * DAY, number="L1")
            case _:
                scenario.scan(DELIVERED, NOON + 2 * DAY + HOUR, number="L1")
    assert (scenario.buckets(), scenario.parcel().first_scan_at) == ({"delivered": 3}, NOON + 2 * DAY)
    assert scenario.order().delivered_at == NOON + 2 * DAY + HOUR


def test_a_scan_says_that_it_is_handed_over_once():
    scenario = shipped()
    scenario.later(days=1)
    told = replace(scan(IN_TRANSIT, scenario.now), handed_over_to=("usps", "U1"))
    assert names(scenario.scans(told)) == ["checkpoint_recorded", "registered", "handed_over"]
    assert scenario.scans(told) == []
    scenario.scans(scan(DELIVERED, scenario.later(days=1)), number="U1", carrier="usps")
    assert scenario.buckets() == {"delivered": 3}


def test_a_scan_of_an_earlier_use_hands_nothing_over():
    scenario = shipped()
    told = replace(scan(IN_TRANSIT, NOON - 90 * DAY), handed_over_to=("usps", "U1"))
    assert names(scenario.scans(told)) == ["checkpoint_recorded"]
    assert scenario.parcel().last_miles == ()


def test_a_last_mile_number_that_was_used_before_keeps_its_earlier_scans():
    """Last year's parcel of the same number had arrived; a late scan of it moves nothing."""
    scenario = shipped()
    scenario.announce("L1")
    scenario.scan(DELIVERED, NOON - 200 * DAY, number="L1")
    scenario.hand_over()
    assert scenario.buckets() == {"shipped": 3}
    scenario.scan(DELIVERED, NOON - 190 * DAY, number="L1")
    assert scenario.buckets() == {"shipped": 3}
    scenario.scan(DELIVERED, NOON + HOUR, number="L1")
    assert scenario.buckets() == {"delivered": 3}


def test_a_number_of_another_order_is_used_again_with_a_warning_and_that_order_keeps_its_scans():
    scenario = shipped()
    scenario.place(line(1, "tea", 1), order_id="shopify/2")
    scenario.send("shopify/2/1")
    scenario.ship(supplier_order_id="shopify/2/1", number="L1")
    scenario.later(days=3)
    scenario.scan(DELIVERED, NOON + DAY, number="L1")
    facts = scenario.hand_over()
    assert the(ParcelRegistered, facts).warnings[0] == "the number was used 3 days before for shopify/2/1"
    scenario.scan(OUT, number="L1")
    assert (scenario.buckets(), scenario.buckets(order_id="shopify/2")) == ({"shipped": 3}, {"delivered": 1})
    assert scenario.parcel().status is OUT


def test_a_shipment_under_a_number_that_was_a_last_mile_is_another_use_of_it():
    scenario = handed_over()
    scenario.scan(DELIVERED, number="L1")
    scenario.later(days=5)
    scenario.place(line(1, "tea", 1), order_id="shopify/2")
    scenario.send("shopify/2/1")
    facts = scenario.ship(supplier_order_id="shopify/2/1", number="L1")
    assert the(ParcelRegistered, facts).warnings[0].startswith("the number was used 5 days before for dhl P1")
    scenario.scan(DELIVERED, number="L1")
    assert (scenario.buckets(), scenario.buckets(order_id="shopify/2")) == ({"delivered": 3}, {"delivered": 1})


# --- shipments that are reported under the last mile's number -------------------------------------


def two_lines() -> Scenario:
    """Line 1 left in P1, which goes on as L1; line 2 has not been told yet."""
    scenario = sent(line(1, "tea", 2), line(2, "mug", 1))
    scenario.ship({1: 2})
    scenario.hand_over()
    return scenario


def test_further_units_that_are_told_under_the_last_miles_number_are_in_the_parcel():
    scenario = two_lines()
    facts = scenario.ship({2: 1}, number="L1")
    assert names(facts) == ["supplier_order_shipped", "units_added", "reservation_consumed"]
    shipped = the(SupplierOrderShipped, facts)
    assert (shipped.number, shipped.told_under, shipped.oddities) == ("P1", ("dhl", "L1"), ())
    assert shipped.warnings == ("dhl L1 is the last mile of parcel dhl P1, which the goods are in",)
    assert scenario.parcel().by_line == {1: 2, 2: 1}
    assert scenario.parcel("L1").last_mile_of == ("dhl", "P1", 1)
    scenario.scan(DELIVERED, scenario.later(hours=1), number="L1")
    assert scenario.header() is Header.DELIVERED


def test_the_same_units_told_under_the_last_miles_number_are_the_same_again():
    scenario = handed_over()
    assert scenario.ship(number="L1") == []
    assert scenario.ship({1: 3}, number="L1") == []
    scenario.scan(DELIVERED, number="L1")
    scenario.later(days=30)
    assert scenario.ship(number="L1") == []


def test_another_order_of_the_same_box_can_be_told_under_the_last_miles_number():
    scenario = two_lines()
    scenario.place(line(1, "tea", 1), order_id="shopify/2")
    scenario.send("shopify/2/1")
    scenario.ship(supplier_order_id="shopify/2/1", number="L1")
    assert scenario.parcel().order_ids == ("shopify/1", "shopify/2")


def test_a_parcel_that_was_only_announced_gets_the_order_that_is_told_under_its_last_miles_number():
    scenario = sent()
    scenario.announce()
    scenario.hand_over()
    scenario.scan(OUT, scenario.later(hours=1), number="L1")
    facts = scenario.ship(number="L1", at=NOON)
    assert "linked" in names(facts)
    assert (scenario.parcel().order_id, scenario.parcel().status) == (ORDER, OUT)


@pytest.mark.parametrize("sequence", list(permutations(["first line", "second line", "out", "arrives"])))
def test_lines_told_under_either_number_are_in_one_parcel_in_whatever_order(sequence: tuple[str, ...]):
    scenario = sent(line(1, "tea", 2), line(2, "mug", 1))
    scenario.announce()
    scenario.hand_over()
    scenario.later(days=3)
    for what in sequence:
        match what:
            case "first line":
                scenario.ship({1: 2}, at=NOON)
            case "second line":
                scenario.ship({2: 1}, number="L1", at=NOON)
            case "out":
                scenario.scan(OUT, NOON + DAY, number="L1")
            case _:
                scenario.scan(DELIVERED, NOON + 2 * DAY)
    assert [each.number for each in scenario.order().parcels] == ["P1"]
    assert scenario.parcel().by_line == {1: 2, 2: 1}
    assert (scenario.header(), scenario.order().delivered_at) == (Header.DELIVERED, NOON + 2 * DAY)


def test_what_the_parcel_cannot_hold_is_another_use_of_the_number_and_odd():
    scenario = handed_over()
    scenario.approve("bolt")
    scenario.feed(5, supplier_id="bolt")
    scenario.place(line(1, "tea", 1, "bolt"), order_id="shopify/2")
    scenario.send("shopify/2/1")
    facts = scenario.ship(supplier_order_id="shopify/2/1", number="L1")
    assert the(SupplierOrderShipped, facts).oddities == (Oddity.NUMBER_IN_USE,)
    assert the(ParcelRegistered, facts).warnings[0].endswith("days before for dhl P1, which has not arrived")
    assert scenario.parcel().order_ids == (ORDER,)
    scenario.correct_number("L1", "L7", "shopify/2/1")
    assert scenario.order("shopify/2").shipments[0].oddities == ()
    scenario.scan(OUT, scenario.later(hours=1), number="L1")
    assert scenario.parcel().status is OUT, "the number is the last mile's again"


def test_a_wrong_number_is_corrected_to_the_parcel_that_has_the_right_one_as_its_last_mile():
    scenario = two_lines()
    scenario.ship({2: 1}, number="P9")
    scenario.correct_number("P9", "L1")
    assert scenario.parcel().by_line == {1: 2, 2: 1}
    assert scenario.correct_number("P9", "L1") == []


@pytest.mark.parametrize("known", ["by its order", "by its carrier alone"])
@pytest.mark.parametrize("arrives", ["before it is handed over", "after"])
def test_what_was_shipped_under_the_last_miles_number_before_is_put_into_the_parcel_with_all_its_scans(
    known: str, arrives: str
):
    scenario = sent(line(1, "tea", 2), line(2, "mug", 1))
    if known == "by its order":
        scenario.ship({1: 2}, at=NOON)
    else:
        scenario.announce()
    scenario.later(hours=3)
    scenario.ship({2: 1} if known == "by its order" else {}, number="L1", at=NOON)
    scenario.later(days=2)
    if arrives != "after":
        scenario.scan(DELIVERED, number="L1")
    warnings = the(ParcelRegistered, scenario.hand_over()).warnings
    hint = "dhl L1 was reported for shopify/1/1: if that is in this parcel, correct its number to dhl P1"
    assert hint in warnings
    if arrives == "after":
        scenario.scan(DELIVERED, number="L1")
    scenario.correct_number("L1", "P1", FIRST)
    assert {each.number for each in scenario.order().shipments} == {"P1"}
    assert (scenario.buckets(1), scenario.buckets(2)) == ({"delivered": 2}, {"delivered": 1})
    assert scenario.parcel().status is DELIVERED


def test_a_number_that_is_corrected_to_its_own_last_miles_was_a_strangers():
    scenario = handed_over()
    scenario.scan(IN_TRANSIT, NOON + DAY)
    scenario.scan(OUT, NOON + 3 * DAY, number="L1")
    scenario.correct_number("P1", "L1")
    assert [each.number for each in scenario.order().parcels] == ["L1"]
    assert (scenario.parcel("L1").status, scenario.parcel("L1").last_mile_of) == (OUT, None)
    assert scenario.parcel().voided is not None
    assert scenario.correct_number("P1", "L1") == []


# --- what cannot be handed over -------------------------------------------------------------------


def test_a_parcel_that_nobody_knows_cannot_be_handed_over():
    with refused(UnknownParcel, "parcel P1 of dhl is not registered"):
        sent().hand_over()


def test_a_parcel_that_did_not_leave_cannot_be_handed_over():
    scenario = shipped()
    scenario.void()
    with refused(ParcelIsVoid, "nothing left in parcel P1"):
        scenario.hand_over()


# --- numbers told by mistake ----------------------------------------------------------------------


def test_a_last_mile_that_was_none_is_taken_back_with_what_its_scans_did():
    scenario = handed_over()
    scenario.scan(IN_TRANSIT, NOON + DAY)
    scenario.scan(DELIVERED, number="L1")
    assert names(scenario.void("L1")) == ["voided", "hand_over_taken_back", "delivery_reopened", "checkpoint_recorded"]
    assert (scenario.parcel().status, scenario.parcel().last_miles) == (IN_TRANSIT, ())
    assert scenario.buckets() == {"shipped": 3}
    assert scenario.void("L1") == []
    scenario.scan(DELIVERED, scenario.later(hours=1), number="L1")
    assert scenario.buckets() == {"shipped": 3}
    assert scenario.parcel("L1").stray is None


def test_scans_of_a_last_mile_that_was_none_are_those_of_the_numbers_own_parcel():
    scenario = shipped()
    scenario.place(line(1, "tea", 1), order_id="shopify/2")
    scenario.send("shopify/2/1")
    scenario.ship(supplier_order_id="shopify/2/1", number="L1")
    scenario.later(hours=3)
    scenario.hand_over()
    scenario.scan(DELIVERED, scenario.later(days=1), number="L1")
    assert (scenario.buckets(), scenario.buckets(order_id="shopify/2")) == ({"delivered": 3}, {"shipped": 1})
    scenario.void("L1")
    assert (scenario.buckets(), scenario.buckets(order_id="shopify/2")) == ({"shipped": 3}, {"delivered": 1})


def test_a_wrong_last_mile_is_replaced_by_the_right_one():
    scenario = handed_over()
    scenario.scan(DELIVERED, number="L1")
    scenario.announce("L2")
    scenario.scan(OUT, number="L2")
    scenario.correct_number("L1", "L2")
    assert (scenario.parcel().status, scenario.buckets()) == (OUT, {"shipped": 3})
    assert [number for _, number, _ in scenario.parcel().last_miles] == ["L2"]
    assert scenario.correct_number("L1", "L2") == []


# --- what asks for the parcel ---------------------------------------------------------------------


def test_the_parcel_is_found_under_either_number():
    scenario = handed_over()
    assert last_miles.one_parcel(scenario.book, "dhl", "L1") == scenario.parcel()
    assert last_miles.first_mile(scenario.book, "dhl", "L1") == ("dhl", "P1")
    assert last_miles.first_mile(scenario.book, "dhl", "P1") == ("dhl", "P1")


def test_nobody_waits_for_scans_of_a_number_that_only_names_a_parcel():
    scenario = handed_over()
    assert not scenario.parcel("L1").awaits_scan
    assert parcels.readings(scenario.parcel("L1")) == []
    assert scenario.parcel().awaits_scan


# --- whatever is told, and under which number -----------------------------------------------------

SAID = st.lists(
    st.tuples(
        st.sampled_from([IN_TRANSIT, OUT, DELIVERED, ParcelStatus.RETURNING, ParcelStatus.RETURNED, LOST]),
        st.integers(1, 200),
        st.sampled_from(["P1", "L1"]),
    ),
    max_size=7,
    unique_by=lambda said: said[1],
)


@given(said=SAID, handed_over=st.integers(0, 7), taken_back=st.booleans())
def test_a_parcel_with_two_numbers_is_what_it_were_with_one(
    said: list[tuple[ParcelStatus, int, str]], handed_over: int, taken_back: bool
):
    """Whenever it was handed over; and once that is taken back, what it were without the scans of the other number."""
    two, one = shipped(), shipped()
    two.announce("L1")
    for scenario in (two, one):
        scenario.later(days=9)
    for index, (status, hours, number) in enumerate(said):
        if index == handed_over:
            two.hand_over()
        two.scan(status, NOON + hours * HOUR, number=number)
        if number == "P1" or not taken_back:
            one.scan(status, NOON + hours * HOUR)
    if handed_over >= len(said):
        two.hand_over()
    if taken_back:
        two.void("L1")
    assert two.buckets() == one.buckets()
    assert _seen(two) == _seen(one)


def _seen(scenario: Scenario) -> tuple[object, ...]:
    parcel = scenario.parcel()
    known = [(scan.at, scan.status) for scan in parcel.checkpoints]
    return known, parcel.status, parcel.first_scan_at, parcel.delivered_at, scenario.order().delivered_at
