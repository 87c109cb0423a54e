"""What a customer gets: the goods once more, or money."""

from __future__ import annotations

import pytest

from ledger.facts import LineNo
from ledger.nouns import cases, orders
from ledger.nouns.cases import CaseStatus, Reason, Remedy, ReshipFailure
from ledger.nouns.orders import Header, PaymentState, after_sales
from ledger.nouns.orders.after_sales import NothingPaid, RefundTooLarge
from ledger.nouns.parcels import ParcelStatus
from tests.support.casework import CASE, OTHER_PHOTO, PHOTO, RESHIP, Desk, approved, reship_arrives, ruled
from tests.support.scenario import ORDER, delivered, line, names, refused, the

L1 = LineNo(1)


# --- reship ---------------------------------------------------------------------------------------


def test_a_reship_is_an_order_of_its_own_at_no_price_with_its_stock_reserved():
    desk = approved(Remedy.RESHIP, {1: 2})
    order = desk.scenario.order(RESHIP)
    assert (order.placed.reship_of, order.placed.original_order_id) == (CASE, ORDER)
    assert [(each.quantity, each.unit_price_minor, each.supplier_id) for each in order.lines.values()] == [
        (2, 0, "acme")
    ]
    assert order.header is Header.CONFIRMED
    assert desk.scenario.stock().reservations[RESHIP].units == 2
    assert order.customer == desk.scenario.order().customer
    assert order.destination == desk.scenario.order().destination
    assert order.sealed_for == ORDER
    assert list(order.supplier_orders) == [f"{RESHIP}/1"]
    assert desk.status() is CaseStatus.IN_REMEDY


def test_a_reship_is_declared_at_customs_for_what_it_is_worth():
    (sent_again,) = approved(Remedy.RESHIP).scenario.order(RESHIP).lines.values()
    assert (sent_again.unit_price_minor, sent_again.customs_value_minor) == (0, 500)


def test_a_reship_that_arrives_resolves_the_case():
    desk = approved(Remedy.RESHIP)
    assert desk.looks_at_the_reship() == []
    reship_arrives(desk)
    assert names(desk.looks_at_the_reship()) == ["reship_arrived", "resolved", "case_closed"]
    assert desk.looks_at_the_reship() == []


def test_a_reship_that_stock_lacks_for_goes_to_a_refund_at_once():
    desk = ruled(by_line={1: 3})
    desk.scenario.feed(2)
    facts = desk.approves(Remedy.RESHIP)
    assert names(facts) == ["remedy_approved", "reship_failed"]
    assert the(cases.ReshipFailed, facts).because is ReshipFailure.OUT_OF_STOCK
    assert desk.case().remedy is Remedy.REFUND
    assert orders.find(desk.scenario.book, RESHIP) is None
    desk.grants()
    desk.pays()
    assert desk.status() is CaseStatus.RESOLVED


def test_a_reship_of_a_supplier_that_may_not_be_given_work_goes_to_a_refund():
    desk = ruled()
    desk.scenario.suspend()
    assert the(cases.ReshipFailed, desk.approves(Remedy.RESHIP)).because is ReshipFailure.SUPPLIER_NOT_APPROVED


def test_another_supplier_can_send_the_reship():
    desk = ruled()
    desk.approves(Remedy.RESHIP, supplier_id="bolt")
    (supplier_order,) = desk.scenario.order(RESHIP).supplier_orders.values()
    assert supplier_order.supplier_id == "bolt"
    assert desk.scenario.order(RESHIP).untracked == {1}


def test_a_reship_that_is_cancelled_is_due_a_refund():
    desk = approved(Remedy.RESHIP)
    with refused(cases.WaitsForReship, "the reship has to end"):
        desk.grants()
    desk.scenario.cancel(order_id=RESHIP)
    assert names(desk.looks_at_the_reship()) == ["reship_failed"]
    assert (desk.status(), desk.case().remedy) == (CaseStatus.APPROVED, Remedy.REFUND)
    assert desk.case().reship_failure is ReshipFailure.CANCELLED


def test_a_refund_can_follow_a_lost_reship_before_the_clock_has_seen_it():
    desk = approved(Remedy.RESHIP)
    reship_arrives(desk, ParcelStatus.LOST)
    assert names(desk.grants()) == ["reship_failed", "refund_granted", "refund_booked"]
    assert desk.case().reship_failure is ReshipFailure.LOST
    desk.pays()
    assert desk.status() is CaseStatus.RESOLVED


def test_of_a_reship_in_two_parcels_only_what_was_lost_is_refunded():
    desk = approved(Remedy.RESHIP, {1: 3})
    desk.scenario.send(f"{RESHIP}/1")
    desk.scenario.ship({1: 1}, f"{RESHIP}/1", "P8")
    desk.scenario.ship({1: 2}, f"{RESHIP}/1", "P9")
    desk.scenario.scan(ParcelStatus.DELIVERED, number="P8")
    assert desk.looks_at_the_reship() == []
    desk.scenario.scan(ParcelStatus.LOST, number="P9")
    assert names(desk.looks_at_the_reship()) == ["reship_arrived", "reship_failed"]
    assert desk.case().todo == {1: 2}
    assert the(cases.RefundGranted, desk.grants()).amounts_minor == {1: 1000}


def test_nobody_gets_both_the_money_and_the_goods():
    desk = approved(Remedy.REFUND)
    desk.grants()
    desk.pays()
    desk.files(OTHER_PHOTO)
    desk.reopens(OTHER_PHOTO)
    desk.rules()
    with refused(cases.AlreadyRefunded, "0 were not refunded yet"):
        desk.approves(Remedy.RESHIP)


def test_a_case_about_a_reship_is_refunded_from_the_order_that_was_paid():
    desk = approved(Remedy.RESHIP)
    reship_arrives(desk)
    desk.looks_at_the_reship()
    desk.opens(Reason.QUALITY, case_id="case-2", order_id=RESHIP)
    desk.reviews("case-2")
    desk.rules(case_id="case-2")
    desk.approves(Remedy.REFUND, case_id="case-2")
    granted = the(cases.RefundGranted, desk.grants(case_id="case-2"))
    assert granted.amounts_minor == {1: 500}
    desk.pays(case_id="case-2")
    assert desk.scenario.order().payment is PaymentState.PARTLY_REFUNDED
    assert desk.scenario.order(RESHIP).payment is PaymentState.PAID
    assert desk.status("case-2") is CaseStatus.RESOLVED


def test_a_reship_of_a_reship_counts_on_from_the_order_that_was_paid_and_unseals_like_it():
    desk = approved(Remedy.RESHIP)
    reship_arrives(desk)
    desk.looks_at_the_reship()
    desk.opens(Reason.DAMAGED, case_id="case-2", order_id=RESHIP)
    desk.reviews("case-2")
    desk.rules(case_id="case-2")
    desk.approves(Remedy.RESHIP, case_id="case-2")
    again = desk.scenario.order(f"{ORDER}+R2")
    assert (again.placed.reship_of, again.placed.original_order_id, again.sealed_for) == ("case-2", ORDER, ORDER)


def test_a_shops_own_order_of_that_name_is_left_alone():
    desk = ruled()
    desk.scenario.place(order_id=RESHIP)
    desk.approves(Remedy.RESHIP)
    assert desk.case().reships[0].order_id == f"{ORDER}+R2"


# --- refunds --------------------------------------------------------------------------------------


def test_a_refund_is_a_share_of_the_units_price_rounded_half_up_and_never_above_what_was_paid():
    desk = Desk(delivered(line(1, "tea", 1)))
    orders.find(desk.scenario.book, ORDER)
    desk.opens()
    desk.reviews()
    desk.rules()
    desk.approves(Remedy.REFUND)
    assert the(cases.RefundGranted, desk.grants(share=3333)).amounts_minor == {1: 167}  # 166.65
    desk.pays()
    desk.files()
    desk.reopens(PHOTO)
    desk.rules()
    desk.approves(Remedy.REFUND)
    assert the(cases.RefundGranted, desk.grants(refund_id="refund-2")).amounts_minor == {1: 333}, "what is left"
    desk.pays("refund-2")
    assert desk.scenario.order().payment is PaymentState.REFUNDED


def test_a_named_amount_above_what_is_left_is_refused():
    desk = approved(Remedy.REFUND, {1: 2})
    with refused(RefundTooLarge, "10.01 EUR asked for line 1, 10.00 EUR left", left_minor=1000):
        desk.grants({1: 2}, amounts={1: 1001})
    with refused(RefundTooLarge, "5.01 EUR asked", left_minor=500):
        desk.grants({1: 1}, amounts={1: 501})
    assert the(cases.RefundGranted, desk.grants({1: 2}, amounts={1: 999})).amounts_minor == {1: 999}


def test_a_present_that_cost_nothing_is_refunded_with_what_it_came_with():
    desk = Desk(delivered(line(1, "tea", 1), line(2, "mug", 1, unit_price_minor=0)))
    desk.opens(by_line={1: 1, 2: 1})
    desk.reviews()
    desk.rules()
    desk.approves(Remedy.REFUND)
    with refused(RefundTooLarge, "0.00 EUR asked for line 2, 0.00 EUR left"):
        desk.grants({2: 1})
    assert the(cases.RefundGranted, desk.grants()).amounts_minor == {1: 500, 2: 0}
    desk.pays()
    assert desk.status() is CaseStatus.RESOLVED


def test_units_are_granted_money_once():
    desk = approved(Remedy.REFUND, {1: 2})
    desk.grants({1: 2}, share=1000)
    with refused(cases.OverRemedied, "1 of line 1 to decide for, 0 left"):
        desk.grants({1: 1}, refund_id="refund-2")


def test_a_refund_is_for_units():
    desk = approved(Remedy.REFUND)
    desk.grants()
    with refused(cases.NothingToRefund, "no unit of case case-1 waits for a refund"):
        desk.grants(refund_id="refund-2")


def test_money_is_denied_only_for_units_that_wait_for_it():
    desk = approved(Remedy.REFUND)
    desk.grants()
    with refused(cases.NothingToRefund, "no unit of case case-1 waits for a refund"):
        desk.denies_refund()


def test_a_refund_has_one_meaning():
    desk = approved(Remedy.REFUND, {1: 2})
    desk.grants({1: 1})
    assert desk.grants({1: 1}) == []
    with refused(cases.RefundGrantedDifferently, "granted already"):
        desk.grants({1: 2})
    with refused(cases.UnknownRefund, "no refund refund-7"):
        desk.pays("refund-7")
    desk.opens(case_id="case-2")
    desk.reviews("case-2")
    desk.rules(case_id="case-2")
    desk.approves(Remedy.REFUND, case_id="case-2")
    with refused(cases.RefundGrantedDifferently, "granted already"):
        desk.grants(case_id="case-2")


@pytest.mark.parametrize("payment", [PaymentState.REFUNDED, PaymentState.FAILED, PaymentState.AUTHORISED])
def test_only_money_that_came_goes_back(payment: PaymentState):
    desk = approved(Remedy.REFUND)
    desk.scenario.pay(payment)
    with refused(NothingPaid, f"is {payment}"):
        desk.grants()


def test_over_all_cases_no_more_is_refunded_than_was_paid_for_the_line():
    desk = approved(Remedy.REFUND, {1: 3})
    desk.grants()
    order = desk.scenario.order()
    booked = after_sales.RefundBooked(ORDER, "case-2", "refund-2", {L1: 1}, {L1: 1}, desk.scenario.now)
    with refused(RefundTooLarge, "0.01 EUR asked for line 1, 0.00 EUR left"):
        after_sales.book_refund(order.after_sales, booked, {L1: orders.refundable_minor(order, L1)}, "EUR")


def test_the_payment_follows_what_was_paid_back():
    desk = approved(Remedy.REFUND, {1: 3})
    desk.grants({1: 1}, refund_id="r1")
    desk.grants({1: 2}, refund_id="r2")
    assert desk.scenario.order().payment is PaymentState.PAID, "granted is not paid"
    desk.pays("r1")
    assert desk.scenario.order().payment is PaymentState.PARTLY_REFUNDED
    assert desk.status() is CaseStatus.IN_REMEDY
    desk.pays("r2")
    assert desk.scenario.order().payment is PaymentState.REFUNDED
    assert desk.status() is CaseStatus.RESOLVED
