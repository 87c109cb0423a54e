"""One parcel with units of several supplier orders: told line by line, or two orders in one box."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from ledger.facts import Change
from ledger.nouns import recoveries
from ledger.nouns.cases import Reason, Remedy
from ledger.nouns.orders import UnitsDelivered
from ledger.nouns.orders.supplier_orders import SupplierOrderShipped
from ledger.nouns.parcels import ParcelRegistered, ParcelStatus, ParcelUnitsAdded
from ledger.nouns.recoveries import Recovery
from ledger.terms.parties import Party
from ledger.terms.places import Destination
from tests.support.casework import Desk
from tests.support.scenario import (
    DAY,
    GERMANY,
    HOUR,
    NOON,
    ORDER,
    TERMS,
    Scenario,
    line,
    names,
    sent,
    shipped,
    the,
)

OTHER, OTHERS = "shopify/2", "shopify/2/1"
IN_TRANSIT, DELIVERED = ParcelStatus.IN_TRANSIT, ParcelStatus.DELIVERED


def two_orders(**more: Any) -> Scenario:
    """Two orders of one supplier to one destination, sent and not shipped."""
    scenario = sent()
    scenario.place(line(1, "tea", 1), order_id=OTHER, **more)
    scenario.send(OTHERS)
    return scenario


def one_box() -> Scenario:
    scenario = two_orders()
    scenario.ship()
    scenario.ship(supplier_order_id=OTHERS)
    return scenario


# --- told line by line ----------------------------------------------------------------------------


def test_a_parcel_told_line_by_line_is_one_parcel():
    scenario = sent(line(1, "tea", 2), line(2, "mug", 1))
    scenario.ship({1: 2})
    facts = scenario.ship({2: 1})
    assert names(facts)[:2] == ["supplier_order_shipped", "units_added"]
    parcel = scenario.parcel()
    assert (parcel.epoch, parcel.by_line, parcel.beside) == (1, {1: 2, 2: 1}, ())
    assert scenario.order().in_parcel(scenario.order().shipments[0]) == {1: 2, 2: 1}
    scenario.scan(DELIVERED)
    assert (scenario.buckets(1), scenario.buckets(2)) == ({"delivered": 2}, {"delivered": 1})


def test_lines_told_again_record_nothing_and_new_ones_beside_them_do():
    scenario = sent(line(1, "tea", 2), line(2, "mug", 1))
    scenario.ship({1: 2})
    assert scenario.ship({1: 2}) == []
    assert the(SupplierOrderShipped, scenario.ship({1: 2, 2: 1})).by_line == {2: 1}
    assert scenario.ship({1: 2, 2: 1}) == []
    scenario.later(hours=1)
    assert scenario.ship({1: 2, 2: 1}) == [], "none are left, so it is told again at another time"


def test_one_scan_of_a_parcel_told_line_by_line_is_one_fact_of_its_order():
    scenario = sent(line(1, "tea", 2), line(2, "mug", 1))
    scenario.ship({1: 1})
    scenario.ship({1: 1}, at=NOON - HOUR)
    scenario.ship({2: 1})
    assert the(UnitsDelivered, scenario.scan(DELIVERED)).by_line == {1: 2, 2: 1}
    assert scenario.supplier_order().delivered == 3


@pytest.mark.parametrize("sequence", list(permutations(["first", "second", "arrives"])))
def test_a_line_that_is_told_late_is_where_its_parcel_is(sequence: tuple[str, ...]):
    scenario = sent(line(1, "tea", 2), line(2, "mug", 1))
    scenario.announce()
    scenario.later(days=1)
    for what in sequence:
        if what == "arrives":
            scenario.scan(DELIVERED, NOON + 20 * HOUR)
        else:
            scenario.ship({1: 2} if what == "first" else {2: 1}, at=NOON)
    assert (scenario.buckets(1), scenario.buckets(2)) == ({"delivered": 2}, {"delivered": 1})
    assert scenario.order().delivered_at == NOON + 20 * HOUR
    assert scenario.parcel().by_line == {1: 2, 2: 1}


def test_lines_of_one_parcel_told_for_different_times_count_each_by_its_own():
    """Compensation is for the units that had not left in time."""
    for sequence in permutations([({1: 1}, 47), ({2: 1}, 49)]):
        scenario = sent(line(1, "tea", 1), line(2, "mug", 1))
        scenario.later(days=3)
        for by_line, hours in sequence:
            scenario.ship(by_line, at=NOON + hours * HOUR)
        assert scenario.supplier_order().late == {2: 1}
        assert scenario.supplier_order().dispatched_at == NOON + 49 * HOUR


def test_two_supplier_orders_of_an_order_can_be_in_one_parcel():
    scenario = sent()
    scenario.amend(line(1, "tea", 3), line(2, "mug", 1), version=1)
    second = list(scenario.order().supplier_orders)[-1]
    scenario.send(second)
    scenario.ship()
    scenario.ship(supplier_order_id=second)
    assert [each.supplier_order_id for each in scenario.parcel().contents] == [f"{ORDER}/1", second]
    assert scenario.parcel().order_ids == (ORDER,)
    assert the(UnitsDelivered, scenario.scan(DELIVERED)).by_line == {1: 3, 2: 1}
    assert [each.stage for each in scenario.order().supplier_orders.values()] == ["closed", "closed"]


# --- two orders in one box ------------------------------------------------------------------------


def test_two_orders_of_a_supplier_to_one_destination_share_a_parcel():
    scenario = two_orders()
    scenario.ship()
    facts = scenario.ship(supplier_order_id=OTHERS)
    assert the(SupplierOrderShipped, facts).in_parcel_of == ORDER
    assert [(each.order_id, each.by_line) for each in scenario.parcel().contents] == [(ORDER, {1: 3}), (OTHER, {1: 1})]
    assert (scenario.parcel().epoch, scenario.parcel().warnings[0]) == (1, "no known format of dhl")
    assert scenario.ship(supplier_order_id=OTHERS) == []


@pytest.mark.parametrize(
    ("status", "bucket"),
    [(DELIVERED, "delivered"), (ParcelStatus.RETURNED, "returned"), (ParcelStatus.LOST, "lost")],
)
def test_one_scan_moves_all_orders_of_a_parcel(status: ParcelStatus, bucket: str):
    scenario = one_box()
    facts = scenario.scan(status)
    assert names(facts).count(f"units_{bucket}") == 2
    assert (scenario.buckets(), scenario.buckets(order_id=OTHER)) == ({bucket: 3}, {bucket: 1})


def test_a_loss_and_a_dispute_reach_all_orders_of_a_parcel():
    scenario = one_box()
    scenario.confirm_loss()
    assert (scenario.buckets(), scenario.buckets(order_id=OTHER)) == ({"lost": 3}, {"lost": 1})
    facts = scenario.scan(DELIVERED, NOON + DAY)
    assert [each.order_id for each in facts if isinstance(each, UnitsDelivered)] == [ORDER, OTHER]
    scenario.later(days=2)
    scenario.dispute()
    assert (scenario.buckets(), scenario.buckets(order_id=OTHER)) == ({"shipped": 3}, {"shipped": 1})


def test_what_was_spent_on_a_loss_is_to_be_recovered_for_each_order():
    scenario = one_box()
    scenario.confirm_loss()
    found = [stream for stream, fact in _changes(scenario, DELIVERED) if fact.fact_name() == "recovery.opened"]
    assert found == ["recovery-dhl/P1/1/found", f"recovery-dhl/P1/1/found/{OTHER}"]


def test_a_claim_for_a_lost_box_names_all_its_orders_and_each_gives_back_what_it_was_refunded():
    desk = Desk(one_box())
    desk.scenario.confirm_loss()
    for case_id, order_id, count in (("case-1", ORDER, 3), ("case-2", OTHER, 1)):
        desk.opens(Reason.LOST, {1: count}, case_id, order_id)
        desk.reviews(case_id)
        desk.rules(Party.CARRIER, case_id=case_id)
        desk.approves(Remedy.REFUND, case_id=case_id)
    claim = "case-1/carrier/dhl/P1/EUR"
    assert _recovery(desk, claim).order_ids == (ORDER, OTHER)
    desk.grants({1: 1}, 10_000, case_id="case-2")
    (cost,) = _recovery(desk, claim).costs
    assert (cost.order_id, cost.amount_minor) == (OTHER, 500)
    desk.scenario.scan(DELIVERED, NOON + DAY)
    assert _recovery(desk, "dhl/P1/1/found").asked_minor == 0
    assert _recovery(desk, f"dhl/P1/1/found/{OTHER}").asked_minor == 500


def _recovery(desk: Desk, recovery_id: str) -> Recovery:
    return recoveries.known(recoveries.find(desk.scenario.book, recovery_id), recovery_id)


def _changes(scenario: Scenario, status: ParcelStatus) -> list[Change]:
    before = len(scenario.log)
    scenario.scan(status, NOON + DAY)
    return scenario.log[before:]


def test_an_order_told_after_its_parcel_arrived_is_delivered_with_it():
    scenario = two_orders()
    scenario.ship()
    scenario.later(days=2)
    scenario.scan(DELIVERED)
    facts = scenario.ship(supplier_order_id=OTHERS, at=NOON)
    assert the(UnitsDelivered, facts).at == NOON + 2 * DAY
    assert (scenario.parcel().epoch, scenario.buckets(order_id=OTHER)) == (1, {"delivered": 1})


@pytest.mark.parametrize("sequence", list(permutations(["one", "other", "moves", "arrives"])))
def test_a_box_of_two_orders_ends_the_same_whatever_is_told_first(sequence: tuple[str, ...]):
    scenario = two_orders()
    scenario.announce()
    scenario.later(days=2)
    for what in sequence:
        if what == "one":
            scenario.ship(at=NOON)
        elif what == "other":
            scenario.ship(supplier_order_id=OTHERS, at=NOON + HOUR)
        else:
            scenario.scan(
                DELIVERED if what == "arrives" else IN_TRANSIT, NOON + (40 if what == "arrives" else 5) * HOUR
            )
    assert (scenario.buckets(), scenario.buckets(order_id=OTHER)) == ({"delivered": 3}, {"delivered": 1})
    assert (scenario.parcel().epoch, set(scenario.parcel().order_ids)) == (1, {ORDER, OTHER})


def test_a_receipt_is_confirmed_by_the_customer_of_an_order_for_that_order():
    scenario = one_box()
    scenario.receive()
    assert (scenario.buckets(), scenario.buckets(order_id=OTHER)) == ({"delivered": 3}, {"shipped": 1})


def test_a_parcel_has_to_arrive_by_the_first_of_its_promises():
    scenario = two_orders(promised_by=NOON + 4 * DAY)
    scenario.ship()
    scenario.ship(supplier_order_id=OTHERS)
    own, other = scenario.parcel().contents
    assert other.promised_by == NOON + 4 * DAY
    assert scenario.parcel().due_by == min(filter(None, [own.promised_by, other.promised_by]))


def test_the_first_scan_of_a_parcel_is_due_once():
    scenario = one_box()
    scenario.later(hours=37)
    assert names(scenario.miss_first_scan()) == ["first_scan_missed"]
    assert scenario.miss_first_scan() == []


def test_a_parcel_of_two_orders_says_so():
    scenario = two_orders()
    scenario.ship()
    facts = scenario.ship(supplier_order_id=OTHERS)
    assert the(ParcelUnitsAdded, facts).warnings == (
        "the number is that of a parcel of shopify/1 too: both orders are taken to be in it",
    )


# --- another's number by mistake ------------------------------------------------------------------


def not_in_it(scenario: Scenario) -> None:
    registered = the(ParcelRegistered, scenario.ship(supplier_order_id=OTHERS))
    assert registered.epoch == 2
    assert "for shopify/1/1" in registered.warnings[0]
    scenario.scan(DELIVERED, scenario.now + HOUR)
    assert (scenario.buckets(), scenario.buckets(order_id=OTHER)) == ({"shipped": 3}, {"delivered": 1})


def test_a_number_under_way_to_another_destination_is_a_neighbours():
    scenario = two_orders(destination=replace(GERMANY, postal_prefix="80"))
    scenario.ship()
    not_in_it(scenario)


def test_a_number_under_way_of_another_supplier_is_a_neighbours():
    scenario = sent()
    scenario.approve("bolt", TERMS)
    scenario.place(line(1, "ink", 1, "bolt"), order_id=OTHER)
    scenario.send(OTHERS)
    scenario.ship()
    not_in_it(scenario)


def test_a_number_that_left_days_before_is_used_again():
    scenario = two_orders()
    scenario.ship()
    scenario.later(days=3, hours=1)
    not_in_it(scenario)


def test_what_was_ordered_after_a_parcel_was_scanned_is_not_in_it():
    scenario = shipped()
    scenario.scan(IN_TRANSIT)
    scenario.later(hours=2)
    scenario.place(line(1, "tea", 1), order_id=OTHER)
    scenario.send(OTHERS)
    not_in_it(scenario)


def test_a_neighbours_number_that_was_used_by_mistake_still_takes_his_own_lines():
    scenario = sent(line(1, "tea", 2), line(2, "mug", 1))
    scenario.place(line(1, "tea", 1), order_id=OTHER, destination=Destination("FR", "", "75"))
    scenario.send(OTHERS)
    scenario.ship({1: 2})
    scenario.ship(supplier_order_id=OTHERS)
    facts = scenario.ship({2: 1})
    assert the(SupplierOrderShipped, facts).epoch == 1
    previous = scenario.parcel().previous
    assert previous is not None
    assert (previous.by_line, scenario.parcel().order_ids) == ({1: 2, 2: 1}, (OTHER,))


# --- corrections ----------------------------------------------------------------------------------


def test_what_was_not_in_a_box_is_taken_out_of_it_and_the_rest_stays():
    scenario = one_box()
    scenario.scan(DELIVERED)
    scenario.void("P1", supplier_order_id=OTHERS)
    assert (scenario.buckets(), scenario.buckets(order_id=OTHER)) == ({"delivered": 3}, {"assigned": 1})
    assert (scenario.parcel().order_ids, scenario.parcel().status) == ((ORDER,), DELIVERED)
    assert scenario.void("P1", supplier_order_id=OTHERS) == []


def test_a_box_of_which_the_first_order_is_taken_out_is_the_others():
    scenario = one_box()
    scenario.void("P1", supplier_order_id="shopify/1/1")
    scenario.scan(DELIVERED)
    assert (scenario.buckets(), scenario.buckets(order_id=OTHER)) == ({"assigned": 3}, {"delivered": 1})
    assert scenario.parcel().contents[0].order_id == OTHER


def test_a_box_that_did_not_leave_is_void_for_all_its_orders():
    scenario = one_box()
    scenario.void("P1")
    assert (scenario.buckets(), scenario.buckets(order_id=OTHER)) == ({"assigned": 3}, {"assigned": 1})
    assert scenario.parcel().status is ParcelStatus.VOID
    scenario.ship(supplier_order_id=OTHERS)
    assert scenario.parcel().epoch == 2, "a parcel that was none takes no more"


def test_the_number_of_a_box_is_corrected_for_all_its_orders():
    scenario = one_box()
    scenario.correct_number("P1", "P2")
    scenario.scan(DELIVERED, number="P2")
    assert (scenario.buckets(), scenario.buckets(order_id=OTHER)) == ({"delivered": 3}, {"delivered": 1})
    assert scenario.parcel("P2").order_ids == (ORDER, OTHER)
    assert scenario.parcel().status is ParcelStatus.VOID
    assert scenario.correct_number("P1", "P2") == []


def test_equal_units_that_left_days_apart_are_two_parcels_of_a_number_after_a_correction():
    scenario = sent()
    scenario.later(days=5)
    scenario.ship(at=NOON, number="P1")
    scenario.ship({1: 3}, number="P2")
    scenario.correct_number("P1", "P2")
    assert [(each.number, each.epoch) for each in scenario.order().shipments] == [("P2", 2), ("P2", 1)]


def test_one_order_of_a_box_can_have_left_under_another_number():
    scenario = one_box()
    scenario.scan(DELIVERED)
    scenario.correct_number("P1", "P2", supplier_order_id=OTHERS)
    assert (scenario.buckets(), scenario.buckets(order_id=OTHER)) == ({"delivered": 3}, {"shipped": 1})
    assert (scenario.parcel().order_ids, scenario.parcel("P2").order_ids) == ((ORDER,), (OTHER,))
    assert scenario.correct_number("P1", "P2", supplier_order_id=OTHERS) == []
    scenario.correct_number("P2", "P1")
    assert scenario.parcel().order_ids == (ORDER, OTHER), "it was in the box after all"
    assert scenario.order(OTHER).shipments[0].in_parcel_of == ORDER
    assert scenario.buckets(order_id=OTHER) == {"delivered": 1}
