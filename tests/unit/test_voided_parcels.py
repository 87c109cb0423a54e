"""Parcels that did not leave: units, clocks, stock, money and papers are as if nothing had been reported."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ledger.facts import Sealed
from ledger.nouns.cases import Reason
from ledger.nouns.orders import (
    AddressChanged,
    BreachWithdrawn,
    DeadlineMissed,
    Header,
    HoldReason,
    InvoiceCredited,
    InvoiceWish,
    NothingShipped,
    PaymentState,
    ReceiptIsConfirmed,
    UnitsInCase,
    deadline,
)
from ledger.nouns.orders.supplier_orders import CompensationAccrued, Stage, UnknownSupplierOrder
from ledger.nouns.parcels import ParcelIsVoid, ParcelOfReturn, ParcelStatus, UnknownParcel, UnknownShipment, readings
from ledger.nouns.policies import Seller
from ledger.nouns.stock import ReservationRestored
from ledger.terms.clocks import Clock, ClockState
from ledger.terms.places import Destination
from tests.support.casework import Desk
from tests.support.invoicing import Invoicing, billed
from tests.support.scenario import (
    FIRST,
    HOUR,
    NOON,
    TERMS,
    Scenario,
    a_shop,
    accept,
    confirmed,
    delivered,
    line,
    names,
    refused,
    sent,
    shipped,
    the,
)

BERTA = Sealed("key-berta", b"Berta, Rue de la Paix 1")
IN_TRANSIT, DELIVERED, VOID = ParcelStatus.IN_TRANSIT, ParcelStatus.DELIVERED, ParcelStatus.VOID

# --- units ----------------------------------------------------------------------------------------


def test_units_of_a_parcel_that_did_not_leave_are_the_suppliers_to_send_again():
    scenario = shipped()
    assert names(scenario.void()) == ["shipment_voided", "reservation_restored", "voided"]
    assert (scenario.buckets(), scenario.header()) == ({"assigned": 3}, Header.CONFIRMED)
    assert scenario.supplier_order().stage is Stage.SENT
    assert (scenario.order().shipments, scenario.parcel().status) == ((), VOID)


def test_voiding_again_records_nothing():
    scenario = shipped()
    scenario.void()
    assert scenario.void() == []
    assert scenario.void(supplier_order_id=FIRST) == []
    assert scenario.void_all() == []


def test_voiding_again_does_not_take_a_neighbours_parcel_back():
    scenario = shipped()
    scenario.place(line(1, "tea", 1), order_id="shopify/2", destination=Destination("FR"))
    scenario.send("shopify/2/1")
    scenario.ship(supplier_order_id="shopify/2/1")
    scenario.void()
    assert scenario.void() == []
    assert (scenario.parcel().order_id, scenario.buckets()) == ("shopify/1", {"shipped": 3})


def test_what_the_supplier_had_accepted_stays_accepted():
    scenario = sent()
    scenario.answer({1: accept(3)})
    scenario.ship()
    scenario.void()
    assert scenario.supplier_order().stage is Stage.ACCEPTED


def test_what_left_in_other_parcels_stays_shipped():
    scenario = sent()
    scenario.ship({1: 1}, number="P1")
    scenario.ship({1: 2}, number="P2")
    scenario.void("P2")
    assert scenario.buckets() == {"assigned": 2, "shipped": 1}
    assert scenario.supplier_order().stage is Stage.PARTLY_SHIPPED
    assert scenario.supplier_order().last_shipped_at == NOON


def test_a_supplier_order_that_was_reported_by_mistake_is_taken_back_with_all_its_parcels():
    scenario = sent()
    scenario.ship({1: 1}, number="P1")
    scenario.ship({1: 2}, number="P2")
    scenario.void_all()
    assert scenario.buckets() == {"assigned": 3}
    assert [scenario.parcel(number).status for number in ("P1", "P2")] == [VOID, VOID]
    assert scenario.stock().reservations["shopify/1"].units == 3


@pytest.mark.parametrize("status", [DELIVERED, ParcelStatus.LOST, ParcelStatus.RETURNED])
def test_scans_that_were_of_something_else_do_not_count(status: ParcelStatus):
    scenario = shipped()
    scenario.later(days=1)
    scenario.scan(status)
    assert names(scenario.void())[:2] == ["delivery_reopened", "shipment_voided"]
    assert scenario.buckets() == {"assigned": 3}
    parcel = scenario.parcel()
    assert (parcel.delivered_at, parcel.lost_at, parcel.first_scan_at) == (None, None, None)
    assert [each.status for each in parcel.earlier] == [status]


def test_it_can_be_shipped_once_more_also_under_the_same_number_and_without_a_warning():
    scenario = shipped()
    scenario.void()
    scenario.later(hours=5)
    scenario.ship()
    assert (scenario.parcel().epoch, scenario.parcel().warnings) == (2, ("no known format of dhl",))
    scenario.scan(DELIVERED)
    assert scenario.buckets() == {"delivered": 3}


def test_a_parcel_that_was_voided_by_mistake_has_its_scans_again_once_it_is_shipped_again():
    scenario = shipped()
    scenario.later(hours=5)
    scenario.scan(IN_TRANSIT)
    scenario.void()
    scenario.scan(DELIVERED)
    scenario.ship(at=NOON)
    assert scenario.buckets() == {"delivered": 3}
    assert scenario.parcel().first_scan_at == NOON + 5 * HOUR


def test_a_scan_after_a_parcel_was_voided_counts_for_nothing_and_says_so():
    scenario = shipped()
    scenario.void()
    (recorded,) = scenario.scan(IN_TRANSIT)
    assert recorded.warnings == (
        "the parcel was voided, so this counts for nothing; it is somebody's work to find out what left",
    )
    assert (scenario.parcel().status, scenario.parcel().first_scan_at, scenario.buckets()) == (
        VOID,
        None,
        {"assigned": 3},
    )
    assert scenario.parcel().stray is not None
    (second,) = scenario.scan(DELIVERED)
    assert second.warnings == ()


def test_that_a_label_was_made_does_not_show_that_anything_left():
    scenario = shipped()
    scenario.void()
    (recorded,) = scenario.scan(ParcelStatus.REGISTERED)
    assert (recorded.warnings, scenario.parcel().stray) == ((), None)


def test_a_number_that_was_only_announced_can_be_voided():
    scenario = confirmed()
    scenario.announce()
    assert names(scenario.void()) == ["voided"]
    assert names(scenario.announce()) == []
    scenario.send()
    scenario.ship()
    assert (scenario.parcel().epoch, scenario.parcel().order_id) == (2, "shopify/1")


# --- a cancel request that came too late ----------------------------------------------------------


def test_units_that_were_to_be_cancelled_are_to_be_cancelled_again():
    scenario = sent()
    scenario.cancel({1: 2})
    scenario.ship()
    assert scenario.supplier_order().cancel_asked == {}
    assert "supplier_order_cancel_requested" in names(scenario.void())
    assert scenario.supplier_order().cancel_asked == {1: 2}
    scenario.answer_cancel(agreed=True)
    assert scenario.buckets() == {"assigned": 1, "cancelled": 2}


def test_units_that_were_to_be_rerouted_are_to_be_rerouted_again():
    scenario = sent()
    scenario.offer("tea", supplier_id="bolt")
    scenario.offer("tea", supplier_id="acme")
    scenario.reroute({1: 1})
    scenario.ship()
    scenario.void()
    assert (scenario.supplier_order().cancel_asked, scenario.supplier_order().reroute_asked) == ({1: 1}, {1: 1})


# --- clocks ---------------------------------------------------------------------------------------


def test_a_dispatch_that_was_in_time_by_mistake_is_late_and_costs_its_compensation():
    scenario = a_shop(tea=10)
    scenario.agree_terms(replace(TERMS, compensation_basis_points=1000))
    scenario.place()
    scenario.send()
    scenario.later(hours=49)
    scenario.miss(Clock.DISPATCH)
    assert the(BreachWithdrawn, scenario.ship(at=NOON + 40 * HOUR)).clock is Clock.DISPATCH
    facts = scenario.void()
    assert the(DeadlineMissed, facts).clock is Clock.DISPATCH
    assert the(CompensationAccrued, facts).amount.amount_minor == 150
    assert scenario.supplier_order().late == {1: 3}


def test_a_dispatch_that_was_late_stays_late_and_one_that_is_not_due_runs_on():
    scenario = sent()
    scenario.later(hours=50)
    scenario.ship()
    scenario.void()
    assert (FIRST, Clock.DISPATCH) in scenario.order().missed
    early = shipped()
    early.void()
    reading = deadline(early.order(), FIRST, Clock.DISPATCH)
    assert reading is not None
    assert (reading.met_at, reading.due) == (None, NOON + 48 * HOUR)


def test_only_what_has_not_left_in_time_is_late():
    scenario = sent()
    scenario.ship({1: 1}, number="P1")
    scenario.ship({1: 1}, number="P2")
    scenario.later(hours=49)
    scenario.miss(Clock.DISPATCH)
    assert scenario.supplier_order().late == {1: 1}
    scenario.void("P2")
    assert scenario.supplier_order().late == {1: 2}


def test_what_showed_that_the_supplier_took_it_on_shows_it_no_more():
    scenario = shipped()
    assert scenario.supplier_order().acknowledged_at == NOON
    scenario.void()
    assert scenario.supplier_order().acknowledged_at is None
    packed = sent()
    packed.pack("box")
    packed.later(hours=2)
    packed.ship()
    packed.void()
    assert (packed.supplier_order().acknowledged_at, packed.supplier_order().stage) == (NOON, Stage.PACKED)


def test_a_hold_that_was_placed_after_it_had_left_stops_its_clock_after_all():
    scenario = shipped()
    scenario.later(hours=1)
    scenario.hold(HoldReason.FRAUD_REVIEW)
    assert scenario.supplier_order().stopped_since is None
    scenario.later(hours=1)
    assert "clocks_stopped" in names(scenario.void())
    assert scenario.supplier_order().stopped_since == NOON + HOUR


def test_the_first_scan_of_nothing_is_no_breach():
    scenario = shipped()
    scenario.later(hours=37)
    scenario.miss_first_scan()
    scenario.void()
    (reading,) = readings(scenario.parcel())
    assert reading.state is ClockState.WITHDRAWN
    scenario.later(hours=37)
    assert scenario.miss_first_scan() == []
    assert scenario.suspect_loss() == []


def test_what_did_not_leave_goes_to_the_address_of_now_and_its_supplier_is_told():
    both = (line(1, "tea", 3), line(2, "mug", 1, "bolt"))
    scenario = shipped(*both)
    scenario.later(hours=1)
    scenario.change_address(BERTA, Destination("FR", "Paris", "75"))
    assert scenario.supplier_order().ship_to is not None
    facts = scenario.void()
    assert the(AddressChanged, facts).asked == {FIRST: NOON + 25 * HOUR}
    again = scenario.supplier_order().asked_again
    assert again is not None
    assert (again.at, again.acknowledged_at, scenario.supplier_order().ship_to) == (NOON + HOUR, None, None)
    assert scenario.order().destination_of(scenario.supplier_order()).country == "FR"
    packed = sent(*both)
    packed.pack("box")
    packed.ship()
    packed.later(hours=1)
    packed.change_address(BERTA, Destination("FR", "Paris", "75"))
    assert "address_changed" not in names(packed.void())
    assert packed.order().destination_of(packed.supplier_order()).country == "DE"


# --- stock ----------------------------------------------------------------------------------------


def test_its_stock_is_promised_to_the_order_again_whatever_the_feeds_counted_since():
    scenario = shipped()
    before = scenario.stock().available
    scenario.later(hours=1)
    assert the(ReservationRestored, scenario.void()).units == 3
    assert (scenario.stock().available, scenario.stock().shipped) == (before, [])
    counted = shipped()
    counted.later(hours=1)
    counted.feed(10)
    assert counted.stock().available == 10
    counted.void()
    assert counted.stock().available == 7
    counted.feed(10, watermark=NOON)
    assert counted.stock().available == 7, "when it was committed is not known any more"


def test_units_that_left_without_a_reservation_wait_again():
    scenario = a_shop(tea=10)
    scenario.place(line(1, "tea", 12))
    scenario.confirm(backorder_lacking=True)
    scenario.send()
    scenario.answer({1: accept(12)})
    scenario.ship()
    assert scenario.order().waiting_for_stock() == {}
    assert the(ReservationRestored, scenario.void()).units == 10
    assert scenario.order().waiting_for_stock() == {1: 2}
    assert scenario.stock().waiting == {"shopify/1": 2}


def test_the_stock_knows_that_units_wait_again_whichever_parcel_was_voided_before():
    scenario = a_shop(tea=10)
    scenario.place(line(1, "tea", 12))
    scenario.confirm(backorder_lacking=True)
    scenario.send()
    scenario.ship({1: 10})
    scenario.ship({1: 2}, number="P2")
    scenario.void("P1")
    assert scenario.stock().waiting == {}, "what waits has left"
    scenario.void("P2")
    assert scenario.order().waiting_for_stock() == {1: 2}
    assert scenario.stock().waiting == {"shopify/1": 2}


def test_stock_that_no_feed_tells_of_has_nothing_to_restore():
    scenario = sent(line(1, "ink", 2))
    scenario.ship()
    assert "reservation_restored" not in names(scenario.void())
    assert scenario.order().waiting_for_stock() == {1: 2}


def test_a_feed_that_counted_too_few_shows_that_it_is_oversold():
    scenario = shipped()
    scenario.later(hours=1)
    scenario.feed(2)
    assert "oversold" in names(scenario.void())


# --- papers and money -----------------------------------------------------------------------------


def test_the_customers_invoice_is_cancelled_and_the_next_shipment_gets_another():
    scenario = Scenario()
    scenario.approve()
    scenario.agree(seller=Seller("Brook & Sons", ("10435 Berlin",), "DE", "DE 811 128 135"))
    scenario.place(invoice=InvoiceWish())
    scenario.send()
    scenario.ship({1: 1}, number="P1")
    scenario.ship({1: 2}, number="P2")
    credited = [each for each in scenario.void_all() if isinstance(each, InvoiceCredited)]
    assert [(each.invoice[-6:], each.number[-6:]) for each in credited] == [("000001", "000001"), ("000002", "000002")]
    assert list(scenario.order().invoicing.standing) == []
    scenario.ship(number="P3")
    assert [sum(line.units for line in each.lines) for each in scenario.order().invoicing.standing] == [3]


def test_a_suppliers_invoice_for_it_asks_too_much():
    scenario = a_shop(tea=100)
    scenario.offer("tea", 250)
    scenario.place(line(1, "tea", 5))
    scenario.send()
    scenario.ship()
    invoicing = Invoicing(scenario)
    invoicing.record(billed(5))
    assert invoicing.invoice().differences == []
    scenario.void()
    (difference,) = invoicing.invoice().differences
    assert (difference.kind, difference.units) == ("quantity", 5)


def test_the_next_parcel_collects_what_this_one_was_to():
    scenario = a_shop(tea=10)
    scenario.place(payment=PaymentState.PENDING, cash_on_delivery=True)
    scenario.send()
    scenario.ship()
    scenario.scan(DELIVERED)
    assert scenario.order().payment is PaymentState.PAID
    scenario.void()
    assert scenario.order().payment is PaymentState.PENDING
    scenario.ship(number="P2")
    assert scenario.order().shipments[0].collect_minor == 1500


# --- refused --------------------------------------------------------------------------------------


def test_what_nobody_knows_cannot_be_voided():
    scenario = shipped()
    with refused(UnknownParcel, "parcel P9 of dhl"):
        scenario.void("P9")
    with refused(UnknownShipment, "nothing of supplier order shopify/1/2 left in parcel P1 of dhl"):
        scenario.void(supplier_order_id="shopify/1/2")
    with refused(UnknownSupplierOrder, "shopify/1/2"):
        scenario.void_all("shopify/1/2")


def test_a_supplier_order_of_which_nothing_was_reported_cannot_be_taken_back():
    with refused(NothingShipped, "nothing of supplier order shopify/1/1 was reported as shipped"):
        sent().void_all()


def test_what_the_customer_confirmed_to_have_did_leave():
    scenario = delivered()
    scenario.receive()
    with refused(ReceiptIsConfirmed, "order shopify/1 has a receipt", number="P1"):
        scenario.void()


def test_what_a_case_is_about_did_leave():
    desk = Desk(delivered())
    desk.opens()
    with refused(UnitsInCase, "1 of line 1 are or were in cases, and only 0 would be left", line_no=1, left=0):
        desk.scenario.void()


@pytest.mark.parametrize("status", [ParcelStatus.IN_TRANSIT, ParcelStatus.LOST, ParcelStatus.RETURNED])
def test_what_a_case_about_a_loss_is_about_did_leave_whatever_else_of_its_line_arrived(status):
    """Else it could be cancelled, and its money would be owed although the case refunds it."""
    scenario = two_parcels()
    scenario.scan(ParcelStatus.DELIVERED, number="P2")
    scenario.later(hours=1)
    scenario.scan(status)
    Desk(scenario).opens(Reason.LOST)
    with refused(UnitsInCase, "1 of line 1 are or were in cases, and only 0 would be left", line_no=1, left=0):
        scenario.void()


def test_another_parcel_than_the_one_of_a_case_about_a_loss_can_be_voided():
    scenario = two_parcels()
    scenario.scan(ParcelStatus.LOST)
    Desk(scenario).opens(Reason.LOST)
    assert "shipment_voided" in names(scenario.void("P2"))


def test_so_can_it_be_where_what_was_held_for_lost_has_arrived_since():
    scenario = two_parcels()
    scenario.scan(ParcelStatus.LOST)
    Desk(scenario).opens(Reason.LOST)
    scenario.later(hours=1)
    scenario.scan(ParcelStatus.DELIVERED)
    assert "shipment_voided" in names(scenario.void("P2"))


def two_parcels() -> Scenario:
    scenario = sent(line(1, "tea", 2))
    scenario.ship({1: 1}, number="P1")
    scenario.ship({1: 1}, number="P2")
    scenario.later(days=1)
    return scenario


def test_what_left_under_another_number_is_voided_under_that():
    scenario = shipped()
    scenario.correct_number("P1", "P2")
    with refused(ParcelIsVoid, "it left as: dhl P2", instead="dhl P2"):
        scenario.void("P1")
    scenario.void("P2")
    assert scenario.buckets() == {"assigned": 3}


def test_what_a_customer_sends_back_is_not_voided():
    scenario = shipped()
    scenario.announce("BACK1", return_of="case-1")
    with refused(ParcelOfReturn, "case case-1"):
        scenario.void("BACK1")
