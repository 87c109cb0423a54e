"""Numbers that were used by mistake: the right one counts at once, and the wrong one is whose it was."""

from __future__ import annotations

from itertools import permutations

import pytest

from ledger.nouns import recoveries
from ledger.nouns.cases import Reason
from ledger.nouns.orders import InvoiceWish, PaymentState
from ledger.nouns.parcels import (
    NoShipmentToCorrect,
    ParcelIsVoid,
    ParcelOfReturn,
    ParcelStatus,
    UnknownParcel,
    UnknownShipment,
)
from ledger.nouns.policies import Seller
from ledger.terms.clocks import Clock
from ledger.terms.parties import Party
from ledger.terms.places import Destination
from tests.support.casework import Desk
from tests.support.scenario import (
    DAY,
    HOUR,
    NOON,
    Scenario,
    a_shop,
    line,
    names,
    refused,
    scan,
    sent,
    shipped,
)

IN_TRANSIT, OUT, DELIVERED = ParcelStatus.IN_TRANSIT, ParcelStatus.OUT_FOR_DELIVERY, ParcelStatus.DELIVERED
RETURNED, LOST, VOID = ParcelStatus.RETURNED, ParcelStatus.LOST, ParcelStatus.VOID
OTHER, ELSEWHERE = "shopify/2", Destination("FR", "", "75")


def two_orders(**more) -> Scenario:
    """Both are sent; nothing has left."""
    scenario = sent(**more)
    scenario.place(line(1, "tea", 1), order_id=OTHER, destination=ELSEWHERE)
    scenario.send(f"{OTHER}/1")
    return scenario


# --- the right number -----------------------------------------------------------------------------


def test_a_parcel_goes_on_under_its_right_number_as_if_that_had_been_reported():
    scenario = shipped()
    scenario.later(days=1)
    assert names(scenario.correct_number("P1", "P2")) == ["tracking_corrected", "registered", "voided"]
    right, (shipment,) = scenario.parcel("P2"), scenario.order().shipments
    assert shipment.parcel == ("dhl", "P2", 1)
    assert (right.order_id, right.by_line, right.registered_at, right.exists_from) == ("shopify/1", {1: 3}, NOON, NOON)
    assert right.first_scan_by == NOON + 36 * HOUR
    scenario.scan(DELIVERED, number="P2")
    assert scenario.buckets() == {"delivered": 3}


def test_a_wrong_carrier_is_corrected_the_same_way():
    scenario = shipped()
    scenario.correct_number("P1", "P1", carrier="ups")
    assert scenario.order().shipments[0].parcel == ("ups", "P1", 1)
    assert scenario.parcel("P1", "ups").warnings == ("no known format of ups",)


def test_correcting_again_records_nothing():
    scenario = shipped()
    scenario.correct_number("P1", "P2")
    assert scenario.correct_number("P1", "P2") == []


def test_scans_of_the_right_number_that_were_known_before_count_at_once():
    scenario = shipped()
    scenario.announce("P2")
    scenario.scans(scan(IN_TRANSIT, NOON + HOUR), scan(DELIVERED, NOON + 2 * DAY), number="P2")
    facts = scenario.correct_number("P1", "P2")
    assert names(facts) == ["tracking_corrected", "units_delivered", "linked", "voided"]
    assert (scenario.buckets(), scenario.order().delivered_at) == ({"delivered": 3}, NOON + 2 * DAY)


def test_scans_of_the_wrong_number_count_no_more_and_those_to_come_are_nobodys():
    scenario = shipped()
    scenario.scan(DELIVERED, NOON + DAY)
    scenario.later(days=2)
    scenario.correct_number("P1", "P2")
    assert scenario.buckets() == {"shipped": 3}
    assert (scenario.parcel().status, scenario.parcel("P2").first_scan_at) == (VOID, None)
    (recorded,) = scenario.scan(RETURNED, number="P1")
    assert (recorded.warnings, scenario.parcel().stray, scenario.buckets()) == ((), None, {"shipped": 3})


@pytest.mark.parametrize("wrong", [None, IN_TRANSIT, DELIVERED, LOST, RETURNED])
@pytest.mark.parametrize("right", [None, IN_TRANSIT, DELIVERED, LOST, RETURNED])
def test_the_order_is_where_the_right_parcel_is_whatever_was_said_of_the_wrong_one(
    wrong: ParcelStatus | None, right: ParcelStatus | None
):
    scenario = shipped()
    scenario.announce("P2")
    if wrong:
        scenario.scan(wrong, NOON + HOUR)
    if right:
        scenario.scan(right, NOON + 2 * HOUR, number="P2")
    scenario.correct_number("P1", "P2")
    bucket = {None: "shipped", IN_TRANSIT: "shipped", DELIVERED: "delivered", LOST: "lost", RETURNED: "returned"}[right]
    assert scenario.buckets() == {bucket: 3}


def test_a_number_can_be_corrected_back():
    scenario = shipped()
    scenario.scan(IN_TRANSIT, NOON + HOUR)
    scenario.correct_number("P1", "P2")
    scenario.scan(DELIVERED, NOON + DAY)
    scenario.correct_number("P2", "P1")
    assert (scenario.parcel().epoch, scenario.parcel().first_scan_at) == (2, NOON + HOUR)
    assert (scenario.buckets(), scenario.parcel("P2").status) == ({"delivered": 3}, VOID)


def test_the_wrong_number_is_free_for_whose_it_is():
    scenario = two_orders()
    scenario.ship()
    scenario.scan(IN_TRANSIT, NOON + 2 * HOUR)
    scenario.correct_number("P1", "P2")
    scenario.later(hours=3)
    scenario.ship(supplier_order_id=f"{OTHER}/1", at=NOON + HOUR)
    assert (scenario.parcel().order_id, scenario.parcel().warnings) == (OTHER, ("no known format of dhl",))
    assert scenario.parcel().first_scan_at == NOON + 2 * HOUR


# --- a neighbour's number -------------------------------------------------------------------------


STEPS = ("his", "ours", "moves", "arrives", "corrected")


def used_by_mistake(mistake_first: bool) -> Scenario:
    """The first order's parcel was reported under P1, which is the other's."""
    scenario = two_orders()
    leaves = [(f"{OTHER}/1", NOON), ("shopify/1/1", NOON + HOUR)]
    scenario.later(hours=2)
    for supplier_order_id, at in reversed(leaves) if mistake_first else leaves:
        scenario.ship(supplier_order_id=supplier_order_id, at=at)
    return scenario


@pytest.mark.parametrize("mistake_first", [False, True])
def test_a_neighbours_number_is_his_again_with_all_its_scans(mistake_first: bool):
    scenario = used_by_mistake(mistake_first)
    scenario.scans(scan(IN_TRANSIT, NOON + 2 * HOUR), scan(DELIVERED, NOON + 2 * DAY))
    scenario.later(days=3)
    scenario.correct_number("P1", "P2", supplier_order_id="shopify/1/1")
    assert (scenario.buckets(), scenario.buckets(order_id=OTHER)) == ({"shipped": 3}, {"delivered": 1})
    his = scenario.parcel()
    assert (his.order_id, his.status, his.first_scan_at) == (OTHER, DELIVERED, NOON + 2 * HOUR)
    assert scenario.order(OTHER).delivered_at == NOON + 2 * DAY
    assert scenario.scan(OUT, NOON + DAY) != []
    assert scenario.buckets(order_id=OTHER) == {"delivered": 1}


@pytest.mark.parametrize(
    "sequence",
    # Nothing can be corrected before it was reported.
    [each for each in permutations(STEPS) if each.index("ours") < each.index("corrected")],
)
def test_a_neighbours_number_is_his_whatever_is_recorded_first(sequence: tuple[str, ...]):
    scenario = two_orders()
    scenario.announce()
    scenario.later(days=5)
    for what in sequence:
        match what:
            case "his":
                scenario.ship(supplier_order_id=f"{OTHER}/1", at=NOON + HOUR)
            case "ours":
                scenario.ship(at=NOON + 2 * HOUR)
            case "moves":
                scenario.scan(IN_TRANSIT, NOON + 3 * HOUR)
            case "arrives":
                scenario.scan(DELIVERED, NOON + DAY)
            case _:
                scenario.correct_number("P1", "P2", supplier_order_id="shopify/1/1")
    assert (scenario.buckets(), scenario.buckets(order_id=OTHER)) == ({"shipped": 3}, {"delivered": 1})
    assert (scenario.parcel().order_id, scenario.parcel().first_scan_at) == (OTHER, NOON + 3 * HOUR)
    assert scenario.order(OTHER).delivered_at == NOON + DAY


def test_the_neighbours_breaches_are_recomputed():
    """His promise was for the day after; the scan in time had gone to the parcel that had his number."""
    scenario = sent()
    scenario.place(line(1, "tea", 1), order_id=OTHER, destination=ELSEWHERE, promised_by=NOON + DAY)
    scenario.send(f"{OTHER}/1")
    scenario.ship(supplier_order_id=f"{OTHER}/1")
    scenario.ship(at=NOON + HOUR)
    scenario.scan(DELIVERED, NOON + 20 * HOUR)
    scenario.later(days=2)
    scenario.miss(Clock.DELIVERY, OTHER, OTHER)
    assert "breach_withdrawn" in names(scenario.correct_number("P1", "P2"))
    assert scenario.order(OTHER).missed == frozenset()


def test_a_neighbours_first_scan_that_went_to_another_parcel_was_in_time():
    scenario = used_by_mistake(mistake_first=False)
    scenario.scan(IN_TRANSIT, NOON + 2 * HOUR)
    scenario.later(days=3)
    assert names(scenario.miss_first_scan(epoch=2)) == []
    assert scenario.parcel().previous is not None
    facts = scenario.correct_number("P1", "P2")
    assert scenario.parcel().first_scan_at == NOON + 2 * HOUR
    assert "first_scan_breach_withdrawn" not in names(facts)


def test_two_numbers_that_were_swapped_are_put_right_one_after_the_other():
    scenario = two_orders()
    scenario.ship(number="P2")
    scenario.ship(supplier_order_id=f"{OTHER}/1", number="P1")
    scenario.later(days=2)
    scenario.scan(DELIVERED, NOON + DAY, number="P1")
    scenario.correct_number("P2", "P1", supplier_order_id="shopify/1/1")
    scenario.correct_number("P1", "P2", supplier_order_id=f"{OTHER}/1")
    assert (scenario.buckets(), scenario.buckets(order_id=OTHER)) == ({"delivered": 3}, {"shipped": 1})
    assert [scenario.parcel(number).order_id for number in ("P1", "P2")] == ["shopify/1", OTHER]


# --- clocks, money, papers, claims ----------------------------------------------------------------


def test_a_delivery_that_the_wrong_number_showed_in_time_is_late_without_it():
    scenario = shipped(promised_by=NOON + 2 * DAY)
    scenario.scan(DELIVERED, NOON + DAY)
    scenario.later(days=3)
    assert "deadline_missed" in names(scenario.correct_number("P1", "P2"))
    assert "breach_withdrawn" in names(scenario.scan(DELIVERED, NOON + DAY, number="P2"))


def test_a_first_scan_that_the_wrong_number_lacked_was_in_time():
    scenario = shipped()
    scenario.announce("P2")
    scenario.scan(IN_TRANSIT, NOON + HOUR, number="P2")
    scenario.later(hours=40)
    scenario.miss_first_scan()
    scenario.correct_number("P1", "P2")
    assert scenario.miss_first_scan("P2") == []
    assert not scenario.parcel("P2").first_scan_missed


def test_what_its_carrier_collects_is_collected_under_the_right_number():
    scenario = a_shop(tea=10)
    scenario.place(payment=PaymentState.PENDING, cash_on_delivery=True)
    scenario.send()
    scenario.ship()
    scenario.correct_number("P1", "P2")
    collect = scenario.parcel("P2").collect
    assert collect is not None
    assert collect.amount_minor == 1500
    scenario.scan(DELIVERED, number="P2")
    assert scenario.order().payment is PaymentState.PAID


def test_the_customers_invoice_goes_with_the_parcel_under_its_right_number():
    scenario = Scenario()
    scenario.approve()
    scenario.agree(seller=Seller("Brook & Sons", ("10435 Berlin",), "DE", "DE 811 128 135"))
    scenario.place(invoice=InvoiceWish())
    scenario.send()
    scenario.ship()
    scenario.correct_number("P1", "P2")
    (invoice,) = scenario.order().invoicing.standing
    assert invoice.parcel == ("dhl", "P2", 1)
    assert "invoice_credited" in names(scenario.void("P2"))


def test_a_delivery_that_somebody_confirmed_or_complained_of_stands_under_the_right_number():
    confirmed_one = shipped()
    confirmed_one.scan(DELIVERED, NOON + HOUR)
    confirmed_one.later(days=1)
    confirmed_one.receive()
    confirmed_one.correct_number("P1", "P2")
    assert confirmed_one.buckets() == {"delivered": 3}
    complained = shipped()
    complained.scan(DELIVERED)
    Desk(complained).opens()
    complained.correct_number("P1", "P2")
    assert (complained.buckets(), complained.order().shipments[0].number) == ({"delivered": 3}, "P2")


def test_a_claim_for_the_loss_of_the_wrong_number_is_withdrawn():
    scenario = shipped()
    scenario.later(days=20)
    scenario.confirm_loss()
    desk = Desk(scenario)
    desk.opens(Reason.LOST, {1: 3})
    desk.answers()
    desk.reviews()
    desk.rules(Party.CARRIER)
    (claim,) = scenario.parcel().claims
    scenario.correct_number("P1", "P2")
    found = recoveries.find(scenario.book, claim)
    assert found is not None
    assert found.found_at is not None
    assert scenario.buckets() == {"shipped": 3}


# --- refused --------------------------------------------------------------------------------------


def test_what_there_is_not_cannot_be_corrected():
    scenario = shipped()
    with refused(UnknownParcel, "parcel P9 of dhl"):
        scenario.correct_number("P9", "P2")
    with refused(UnknownShipment, "nothing of supplier order shopify/1/2 left in parcel P1"):
        scenario.correct_number("P1", "P2", supplier_order_id="shopify/1/2")
    scenario.announce("P3")
    with refused(NoShipmentToCorrect, "no supplier order left in parcel P3"):
        scenario.correct_number("P3", "P2")
    scenario.announce("BACK1", return_of="case-1")
    with refused(ParcelOfReturn, "case case-1"):
        scenario.correct_number("BACK1", "P2")


def test_what_was_corrected_or_voided_before_is_not_corrected_otherwise():
    scenario = shipped()
    scenario.correct_number("P1", "P2")
    with refused(ParcelIsVoid, "it left as: dhl P2"):
        scenario.correct_number("P1", "P3")
    scenario.void("P2")
    with refused(ParcelIsVoid, "parcel P2 of dhl"):
        scenario.correct_number("P2", "P3")


def test_units_can_turn_out_to_be_in_another_parcel_of_their_order():
    scenario = sent()
    scenario.ship({1: 1}, number="P1")
    scenario.ship({1: 2}, number="P2")
    scenario.scan(ParcelStatus.DELIVERED, number="P2")
    scenario.correct_number("P1", "P2")
    assert [each.parcel for each in scenario.order().shipments] == [("dhl", "P2", 1)] * 2
    assert (scenario.buckets(), scenario.parcel("P2").by_line) == ({"delivered": 3}, {1: 3})
    assert scenario.correct_number("P1", "P2") == []
