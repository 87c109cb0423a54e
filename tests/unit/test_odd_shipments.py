"""What left and should not have: under a hold, before the instruction, too much, cancelled, rejected, not ordered."""

from __future__ import annotations

from itertools import permutations

import pytest

from ledger.decisions import invoice_matching
from ledger.facts import LineNo
from ledger.nouns.orders import Header, HoldReason, deadline, owed_minor
from ledger.nouns.orders.supplier_orders import LineAnswer, Oddity, RejectReason, Stage, SupplierOrderShipped
from ledger.nouns.parcels import ParcelStatus
from ledger.nouns.supplier_invoices import Differs, InvoiceLine, SupplierInvoiceMatched, SupplierInvoiceRecorded
from ledger.terms.clocks import Clock
from tests.support.scenario import (
    DAY,
    FIRST,
    HOUR,
    NOON,
    Scenario,
    a_shop,
    confirmed,
    line,
    sent,
    shipped,
    the,
)

DELIVERED = ParcelStatus.DELIVERED
OUT_OF_ONE = LineAnswer(2, rejected=1, because=RejectReason.OUT_OF_STOCK)


# --- more than was to leave -----------------------------------------------------------------------


def test_more_units_than_are_left_are_recorded_and_in_no_bucket():
    scenario = sent()
    fact = the(SupplierOrderShipped, scenario.ship({1: 5}))
    assert (fact.by_line, fact.over, fact.oddities) == ({1: 3}, {1: 2}, (Oddity.OVER,))
    assert fact.warnings == (
        "more units left than the supplier was given; nobody owes for them, and they are somebody's work",
    )
    assert scenario.buckets() == {"shipped": 3}
    assert scenario.parcel().by_line == {1: 5}
    scenario.scan(DELIVERED)
    assert (scenario.buckets(), scenario.supplier_order().delivered) == ({"delivered": 3}, 3)


def test_a_parcel_of_units_that_are_all_too_many_moves_nothing_and_no_clock():
    scenario = shipped()
    scenario.later(days=5)
    fact = the(SupplierOrderShipped, scenario.ship({1: 2}, number="P2"))
    assert (fact.by_line, fact.over, fact.collect_minor) == ({}, {1: 2}, 0)
    assert scenario.supplier_order().dispatched_at == NOON
    scenario.scan(DELIVERED, NOON + DAY)
    scenario.scan(DELIVERED, NOON + 9 * DAY, "P2")
    assert (scenario.buckets(), scenario.order().delivered_at) == ({"delivered": 3}, NOON + DAY)
    assert scenario.order().missed == frozenset()


def test_too_many_units_told_again_are_the_same_again():
    scenario = sent()
    scenario.ship({1: 5})
    assert scenario.ship({1: 5}) == []
    scenario.later(hours=5)
    assert scenario.ship({1: 5}) == [], "at another time, of the same parcel"
    assert the(SupplierOrderShipped, scenario.ship({1: 6})).over == {1: 1}


def test_a_line_that_another_supplier_was_given_is_too_much():
    scenario = confirmed(line(1, "tea", 1), line(2, "ink", 1, "bolt"))
    scenario.send()
    fact = the(SupplierOrderShipped, scenario.ship({1: 1, 2: 1}))
    assert (fact.by_line, fact.over, fact.oddities) == ({1: 1}, {2: 1}, (Oddity.OVER,))
    assert scenario.buckets(2) == {"assigned": 1}


def test_goods_that_nobody_ordered_are_recorded_by_their_sku():
    scenario = sent()
    fact = the(SupplierOrderShipped, scenario.ship(skus={"tea": 3, "cup": 1}))
    assert (fact.by_line, fact.unordered, fact.oddities) == ({1: 3}, {"cup": 1}, (Oddity.UNORDERED,))
    assert scenario.ship(skus={"tea": 3, "cup": 1}) == []
    assert scenario.order().shipments[0].unordered == {"cup": 1}


def test_skus_are_lines_as_far_as_they_have_units_left():
    scenario = sent(line(1, "tea", 1), line(2, "tea", 2))
    assert the(SupplierOrderShipped, scenario.ship(skus={"tea": 2})).by_line == {1: 1, 2: 1}
    fact = the(SupplierOrderShipped, scenario.ship(skus={"tea": 2}, number="P2"))
    assert (fact.by_line, fact.over) == ({2: 1}, {2: 1})
    assert scenario.ship(skus={"tea": 2}) == []


# --- what had been given back ---------------------------------------------------------------------


def cancelled() -> Scenario:
    scenario = sent()
    scenario.cancel({1: 1})
    scenario.answer_cancel(True)
    return scenario


def test_units_that_were_cancelled_and_left_stay_cancelled_and_owed_to_the_customer():
    scenario = cancelled()
    owed = owed_minor(scenario.order())
    fact = the(SupplierOrderShipped, scenario.ship({1: 3}))
    assert (fact.by_line, fact.over, fact.oddities) == ({1: 2}, {1: 1}, (Oddity.CANCELLED,))
    assert scenario.buckets() == {"shipped": 2, "cancelled": 1}
    assert owed_minor(scenario.order()) == owed == 500


def test_units_that_were_rejected_and_that_nobody_else_has_are_shipped_after_all():
    scenario = sent()
    scenario.answer({1: OUT_OF_ONE})
    assert scenario.holds() == [HoldReason.OUT_OF_STOCK]
    fact = the(SupplierOrderShipped, scenario.ship({1: 3}))
    assert (fact.by_line, fact.over, fact.oddities) == ({1: 3}, {}, (Oddity.GIVEN_UP,))
    assert (scenario.buckets(), scenario.holds(), scenario.header()) == ({"shipped": 3}, [], Header.DISPATCHED)
    assert scenario.supplier_order().stage is Stage.SHIPPED


def test_units_that_another_supplier_has_by_now_are_too_many():
    scenario = sent()
    scenario.approve("bolt")
    scenario.offer("tea", supplier_id="bolt")
    scenario.feed(9, "tea", "bolt")
    scenario.answer({1: OUT_OF_ONE})
    assert scenario.order().supplier_orders["shopify/1/2"].supplier_id == "bolt"
    fact = the(SupplierOrderShipped, scenario.ship({1: 3}))
    assert (fact.by_line, fact.over, fact.oddities) == ({1: 2}, {1: 1}, (Oddity.GIVEN_UP,))
    assert scenario.buckets() == {"shipped": 2, "assigned": 1}


def test_what_was_rejected_late_and_left_later_costs_once():
    scenario = sent()
    scenario.later(days=3)
    scenario.answer({1: OUT_OF_ONE}, at=NOON + 50 * HOUR)
    scenario.ship({1: 3}, at=NOON + 60 * HOUR)
    assert scenario.supplier_order().late == {1: 3}


# --- before it was to leave -----------------------------------------------------------------------


def test_a_draft_that_left_is_shipped_and_never_sent():
    scenario = confirmed()
    fact = the(SupplierOrderShipped, scenario.ship())
    assert (fact.by_line, fact.oddities) == ({1: 3}, (Oddity.NOT_SENT,))
    assert scenario.supplier_order().stage is Stage.SHIPPED
    assert scenario.supplier_order().sent_at is None
    sending = deadline(scenario.order(), FIRST, Clock.SEND)
    assert sending is None or sending.over


def test_a_draft_of_which_a_part_left_is_still_to_be_sent():
    scenario = confirmed()
    scenario.ship({1: 1})
    scenario.send()
    assert scenario.supplier_order().stage is Stage.PARTLY_SHIPPED
    scenario.ship(number="P2")
    assert scenario.buckets() == {"shipped": 3}


@pytest.mark.parametrize("sequence", list(permutations(["sent", "ships"])))
def test_an_instruction_that_is_recorded_late_has_its_clocks(sequence: tuple[str, ...]):
    scenario = confirmed()
    scenario.later(days=4)
    for what in sequence:
        if what == "sent":
            scenario.send(at=NOON)
        else:
            scenario.ship(at=NOON + 60 * HOUR)
    assert (FIRST, Clock.DISPATCH) in scenario.order().missed
    assert scenario.supplier_order().late == {1: 3}


def test_what_left_under_a_hold_before_it_was_sent_is_odd_twice():
    scenario = confirmed()
    scenario.hold(HoldReason.FRAUD_REVIEW)
    assert the(SupplierOrderShipped, scenario.ship()).oddities == (Oddity.ON_HOLD, Oddity.NOT_SENT)


# --- never owed twice -----------------------------------------------------------------------------


def test_a_suppliers_invoice_for_what_was_too_much_differs():
    scenario = a_shop()
    scenario.offer("tea", 300)
    scenario.place()
    scenario.send()
    scenario.ship({1: 5})
    lines = (InvoiceLine(FIRST, 5, 1_500, LineNo(1)),)
    recorded = SupplierInvoiceRecorded("acme", "I-1", "EUR", NOON.date(), lines, NOON)
    facts = scenario.record(invoice_matching.record(scenario.book, recorded, scenario.now))
    (match,) = the(SupplierInvoiceMatched, facts).matches
    assert [(each.kind, each.units) for each in match.differences] == [(Differs.QUANTITY, 2)]
    assert match.units == {1: 3}


def test_the_same_shipment_told_by_lines_and_by_skus_is_one():
    scenario = sent()
    scenario.ship({1: 2})
    assert scenario.ship(skus={"tea": 2}) == []
    assert the(SupplierOrderShipped, scenario.ship(skus={"tea": 3})).by_line == {1: 1}
