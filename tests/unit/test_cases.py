"""What the return case promises: its machine, its remedies, its money, its clock (DOMAIN 5, 6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ledger.facts import Change, LineNo
from ledger.nouns import (
    cases,
    orders,
    policies,
    recoveries,
)
from ledger.nouns.cases import (
    Denial,
    Reason,
    Remedy,
    ReshipFailure,
    Status,
)
from ledger.nouns.orders import Header, PaymentState, after_sales
from ledger.nouns.orders.after_sales import (
    NothingPaid,
    NotReturnable,
    RefundTooLarge,
    UnitsInReturn,
    UnitsNotFree,
)
from ledger.nouns.orders.supplier_orders import UnknownLine
from ledger.nouns.parcels import ParcelStatus
from ledger.nouns.policies import Policy
from ledger.nouns.stock import Restocked
from ledger.terms.parties import Party
from tests.support.casework import (
    CASE,
    OTHER_PHOTO,
    PHOTO,
    RESHIP,
    Desk,
    approved,
    opened,
    ruled,
)
from tests.support.recovering import Recovering
from tests.support.story import (
    DAY,
    HOUR,
    NOON,
    ORDER,
    Story,
    confirmed,
    delivered,
    line,
    names,
    refused,
    sent,
    shipped,
    the,
)

L1, L2 = LineNo(1), LineNo(2)


def agreed(story: Story, **terms: Any) -> None:
    story.record([(policies.stream(), policies.PolicyAgreed(Policy(**terms), NOON - 60 * DAY, story.now))])


def reship_arrives(desk: Desk, status: ParcelStatus = ParcelStatus.DELIVERED, number: str = "P9") -> None:
    """The reship is sent, shipped and delivered, or what is said."""
    desk.story.send(f"{RESHIP}/1")
    desk.story.ship(supplier_order_id=f"{RESHIP}/1", number=number)
    desk.story.later(days=2)
    desk.story.scan(status, number=number)


# --- opening --------------------------------------------------------------------------------------


def test_a_case_takes_its_units_and_starts_the_clock_of_the_first_answer():
    desk = Desk(delivered())
    assert names(desk.opens()) == ["opened", "taken_into_case"]
    case = desk.case()
    assert (case.status, case.by_line, case.opened.suppliers) == (Status.OPENED, {1: 1}, {1: "acme"})
    assert case.opened.first_answer_by == desk.story.now + 24 * HOUR
    assert desk.story.order().after_sales.open_cases == [CASE]


def test_opening_the_same_case_twice_records_nothing():
    desk = opened()
    assert desk.opens() == []
    with refused(cases.CaseOpenedDifferently, "opened already"):
        desk.opens(Reason.QUALITY)


def test_a_case_names_an_order_and_lines_that_there_are():
    desk = Desk(delivered())
    with refused(orders.UnknownOrder, "no order shopify/7"):
        desk.opens(order_id="shopify/7")
    with refused(UnknownLine, "no line 4"):
        desk.opens(by_line={4: 1})
    with refused(cases.UnknownCase, "no case case-1"):
        desk.reviews()


def test_no_more_units_than_were_delivered_are_in_cases_together():
    desk = opened(by_line={1: 2})
    with refused(UnitsNotFree, "a case for 2 of line 1, 1 of it delivered", asked=2, free=1):
        desk.opens(by_line={1: 2}, case_id="case-2")
    assert desk.opens(by_line={1: 1}, case_id="case-2")


@pytest.mark.parametrize("reason", [r for r in Reason if r.about_arrived_units])
def test_what_has_not_arrived_is_neither_damaged_nor_wrong(reason: Reason):
    with refused(UnitsNotFree, "0 of it delivered"):
        Desk(shipped()).opens(reason)


@pytest.mark.parametrize("reason", [Reason.LOST, Reason.REFUSED])
def test_units_under_way_or_lost_can_be_lost_or_refused_but_not_those_that_never_left(reason: Reason):
    assert Desk(shipped()).opens(reason, {1: 3})
    lost = shipped()
    lost.scan(ParcelStatus.LOST)
    assert Desk(lost).opens(reason, {1: 3})
    with refused(UnitsNotFree, "0 of it under way or lost"):
        Desk(sent()).opens(reason)


def test_late_is_what_is_under_way_after_its_promise():
    desk = Desk(shipped(promised_by=NOON + 5 * DAY))
    with refused(cases.NotLate, "is promised by 2026-03-07"):
        desk.opens(Reason.LATE)
    desk.story.later(days=6)
    assert desk.opens(Reason.LATE)
    with refused(cases.NotLate, "nothing was promised"):
        Desk(shipped()).opens(Reason.LATE)


def test_a_unit_that_was_late_and_arrives_stays_in_its_case():
    desk = Desk(shipped(promised_by=NOON + DAY))
    desk.story.later(days=2)
    desk.opens(Reason.LATE, {1: 3})
    desk.story.scan(ParcelStatus.DELIVERED)
    with refused(UnitsNotFree, "0 of it"):
        desk.opens(Reason.DAMAGED, case_id="case-2")


def test_what_the_customer_just_does_not_want_comes_within_the_return_window():
    story = delivered()
    story.later(days=14, seconds=1)
    desk = Desk(story)
    with refused(cases.OutsideReturnWindow, "closed at 2026-03-19 12:00Z"):
        desk.opens(Reason.CHANGED_MIND)
    assert desk.opens(Reason.DAMAGED), "what went wrong has no window: the ruling judges it"


def test_an_order_is_not_completed_while_a_case_is_open_and_opens_again_for_one():
    desk = opened()
    desk.story.later(days=30)
    assert desk.story.close_window() == []
    desk.reviews()
    desk.rules(Party.CUSTOMER)
    desk.denies()
    completed = the(orders.OrderCompleted, desk.story.close_window())
    assert completed.at == desk.story.now, "the case was closed after the window"
    desk.opens(Reason.QUALITY, case_id="case-2")
    assert desk.story.header() is Header.DELIVERED


# --- the machine ----------------------------------------------------------------------------------


def test_a_case_goes_from_opening_over_evidence_review_and_ruling_to_its_remedy():
    desk = opened()
    assert names(desk.asks("photo_of_label")) == ["evidence_requested"]
    assert desk.case().evidence_by == desk.story.now + 7 * DAY
    assert names(desk.files()) == ["evidence_added"]
    assert names(desk.reviews()) == ["review_started"]
    assert names(desk.rules(Party.SUPPLIER, PHOTO)) == ["liability_ruled"]
    assert names(desk.approves(Remedy.REFUND)) == ["remedy_approved"]
    assert names(desk.grants()) == ["refund_granted", "refund_booked"]
    assert desk.status() is Status.IN_REMEDY
    assert names(desk.pays()) == ["refund_paid", "refund_paid_back", "payment_changed", "resolved", "case_closed"]
    assert desk.status() is Status.RESOLVED


def test_doing_a_step_twice_records_nothing():
    desk = opened()
    for step in (
        lambda: desk.asks("photo"),
        lambda: desk.files(),
        lambda: desk.reviews(),
        lambda: desk.rules(Party.SUPPLIER, PHOTO),
        lambda: desk.approves(Remedy.RETURN),
        lambda: desk.labels(),
        lambda: desk.sends_back(),
        lambda: desk.receives({1: 1}),
        lambda: desk.inspects(restocked=1),
        lambda: desk.grants(),
        lambda: desk.pays(),
    ):
        assert step()
        assert step() == []
    assert desk.status() is Status.RESOLVED


def test_evidence_is_asked_for_before_the_ruling():
    with refused(cases.PastEvidence, "liability ruled"):
        ruled().asks()


def test_a_review_starts_once():
    with refused(cases.ReviewPassed, "liability ruled"):
        ruled().reviews()


def test_liability_is_ruled_under_review_on_evidence_that_there_is():
    desk = opened()
    with refused(cases.NotUnderReview, "opened"):
        desk.rules()
    desk.reviews()
    with refused(cases.UnknownEvidence, "has no evidence"):
        desk.rules(Party.CARRIER, OTHER_PHOTO)
    desk.files()
    desk.rules(Party.CARRIER, PHOTO)
    assert desk.rules(Party.CARRIER, PHOTO) == []
    assert desk.rules(Party.SUPPLIER, PHOTO), "until a remedy is approved it can be ruled anew"


def test_a_remedy_is_approved_after_the_ruling_once_and_for_units_of_the_case():
    desk = opened()
    with refused(cases.NotRuled, "rule who is liable first"):
        desk.approves(Remedy.REFUND)
    desk.reviews()
    desk.rules()
    with refused(cases.OverRemedied, "2 of line 1"):
        desk.approves(Remedy.REFUND, {1: 2})
    with refused(UnknownLine, "case case-1 has no line 2"):
        desk.approves(Remedy.REFUND, {2: 1})
    desk.approves(Remedy.REFUND)
    assert desk.approves(Remedy.REFUND) == []
    with refused(cases.RemedyChosen, "approved"):
        desk.approves(Remedy.RETURN)
    with refused(cases.RemedyChosen, "approved"):
        desk.denies()


def test_goods_and_money_move_only_for_an_approved_remedy():
    desk = ruled()
    for step in (desk.labels, desk.grants, desk.denies_refund, lambda: desk.receives({1: 1})):
        with refused(cases.NoRemedyYet, "approve a remedy first"):
            step()
    with refused(cases.NoRemedyYet, "approve"):
        desk.inspects(restocked=1)


def test_a_denied_case_gives_its_units_free():
    desk = ruled()
    assert names(desk.denies(Denial.CUSTOMER_FAULT)) == ["denied", "case_closed"]
    assert desk.denies(Denial.CUSTOMER_FAULT) == []
    assert desk.case().denial is Denial.CUSTOMER_FAULT
    assert desk.opens(by_line={1: 3}, case_id="case-2")


def test_without_a_ruling_only_the_lack_of_evidence_denies_and_only_after_its_time():
    desk = opened()
    with refused(cases.NotRuled, "opened"):
        desk.denies(Denial.NOT_COVERED)
    with refused(cases.NotAskedForEvidence, "opened"):
        desk.denies(Denial.NO_EVIDENCE)
    desk.asks()
    with refused(cases.EvidenceStillDue, "has until"):
        desk.denies(Denial.NO_EVIDENCE)
    desk.story.later(days=7)
    assert desk.denies(Denial.NO_EVIDENCE)


def test_a_closed_case_takes_no_step_but_evidence():
    desk = ruled()
    desk.denies()
    for step in (
        desk.asks,
        desk.reviews,
        desk.rules,
        desk.labels,
        desk.grants,
        desk.cancels,
        desk.denies_refund,
        lambda: desk.approves(Remedy.REFUND),
        lambda: desk.receives({1: 1}),
        lambda: desk.inspects(missing=1),
        lambda: desk.denies(Denial.FRAUD),
    ):
        with refused(cases.CaseClosed, "reopen it with new evidence"):
            step()
    assert desk.files(OTHER_PHOTO)


def test_a_case_is_cancelled_before_goods_or_money_move():
    desk = approved(Remedy.RETURN)
    desk.labels()
    assert names(desk.cancels()) == ["cancelled", "return_given_up", "case_closed"]
    assert desk.cancels() == []
    assert desk.opens(case_id="case-2", by_line={1: 3})

    goods = approved(Remedy.RETURN)
    goods.labels()
    goods.receives({1: 1})
    with refused(cases.GoodsReceived, "1 units of case case-1 have come back"):
        goods.cancels()

    money = approved(Remedy.REFUND)
    money.grants()
    with refused(cases.RefundStands, "1 refunds granted"):
        money.cancels()

    reship = approved(Remedy.RESHIP)
    with refused(cases.WaitsForReship, "the reship has to end first"):
        reship.cancels()


def test_a_closed_case_is_reopened_on_evidence_that_came_after_it_was_closed():
    desk = ruled()
    with refused(cases.CaseNotClosed, "only a closed case"):
        desk.reopens(PHOTO)
    desk.denies()
    with refused(cases.NoNewEvidence, "no evidence was added"):
        desk.reopens(PHOTO)
    with refused(cases.UnknownEvidence, "has no evidence"):
        desk.reopens(OTHER_PHOTO)
    desk.files(OTHER_PHOTO)
    assert names(desk.reopens(OTHER_PHOTO)) == ["reopened", "taken_into_case"]
    assert desk.status() is Status.UNDER_REVIEW
    assert desk.story.order().after_sales.open_cases == [CASE]
    desk.rules(Party.SUPPLIER, OTHER_PHOTO)
    desk.approves(Remedy.REFUND)
    desk.grants()
    desk.pays()
    assert desk.status() is Status.RESOLVED


def test_units_that_another_case_took_meanwhile_are_not_taken_back_by_reopening():
    desk = ruled(by_line={1: 3})
    desk.denies()
    desk.opens(case_id="case-2")
    desk.files(OTHER_PHOTO)
    with refused(UnitsNotFree, "a case for 3 of line 1, 2 of it delivered"):
        desk.reopens(OTHER_PHOTO)


# --- the first answer -----------------------------------------------------------------------------


def test_a_first_answer_that_does_not_come_is_a_breach_once():
    desk = opened()
    desk.story.later(hours=23, minutes=59)
    assert desk.clock_runs() == []
    desk.story.later(minutes=1)
    assert names(desk.clock_runs()) == ["first_answer_missed"]
    assert desk.clock_runs() == []
    assert "first_answer_missed" not in names(desk.asks())


@pytest.mark.parametrize("step", ["answers", "asks"])
def test_an_answer_in_time_is_no_breach(step: str):
    desk = opened()
    desk.story.later(hours=23)
    getattr(desk, step)()
    desk.story.later(hours=5)
    assert desk.clock_runs() == []
    assert desk.answers() == [], "only the first answer counts"


def test_approving_and_denying_are_answers_too_and_a_review_is_none():
    assert ruled().case().first_answered_at is None
    assert approved(Remedy.REFUND).case().first_answered_at is not None
    desk = ruled()
    desk.denies()
    assert desk.case().first_answered_at is not None


def test_an_answer_that_came_late_is_a_breach_at_once_whoever_is_liable():
    desk = ruled(Party.CUSTOMER)
    desk.story.later(hours=25)
    assert names(desk.denies()) == ["denied", "first_answer_missed", "case_closed"]


def test_news_of_an_answer_in_time_withdraws_the_breach():
    desk = opened()
    desk.story.later(hours=26)
    desk.clock_runs()
    assert names(desk.answers(hours_ago=4)) == ["customer_answered", "first_answer_breach_withdrawn"]
    assert not desk.case().first_answer_missed


def test_the_time_for_the_first_answer_and_for_evidence_is_agreed():
    story = delivered()
    agreed(story, first_answer_within_hours=4, evidence_within_days=2)
    desk = Desk(story)
    desk.opens()
    desk.asks()
    assert desk.case().opened.first_answer_by == story.now + 4 * HOUR
    assert desk.case().evidence_by == story.now + 2 * DAY


# --- reship ---------------------------------------------------------------------------------------


def test_a_reship_is_an_order_of_its_own_at_no_price_with_its_stock_reserved():
    desk = approved(Remedy.RESHIP, {1: 2})
    order = desk.story.order(RESHIP)
    assert (order.placed.reship_of, order.placed.original_order_id) == (CASE, ORDER)
    assert [(each.quantity, each.unit_price_minor, each.supplier_id) for each in order.lines.values()] == [
        (2, 0, "acme")
    ]
    assert order.header is Header.CONFIRMED
    assert desk.story.stock().reservations[RESHIP].units == 2
    assert order.customer == desk.story.order().customer
    assert order.destination == desk.story.order().destination
    assert order.sealed_for == ORDER
    assert list(order.supplier_orders) == [f"{RESHIP}/1"]
    assert desk.status() is Status.IN_REMEDY


def test_a_reship_is_declared_at_customs_for_what_it_is_worth():
    (sent_again,) = approved(Remedy.RESHIP).story.order(RESHIP).lines.values()
    assert (sent_again.unit_price_minor, sent_again.customs_value_minor) == (0, 500)


def test_a_reship_that_arrives_resolves_the_case():
    desk = approved(Remedy.RESHIP)
    assert desk.looks_at_the_reship() == []
    reship_arrives(desk)
    assert names(desk.looks_at_the_reship()) == ["reship_arrived", "resolved", "case_closed"]
    assert desk.looks_at_the_reship() == []


def test_a_reship_that_stock_lacks_for_goes_to_a_refund_at_once():
    desk = ruled(by_line={1: 3})
    desk.story.feed(2)
    facts = desk.approves(Remedy.RESHIP)
    assert names(facts) == ["remedy_approved", "reship_failed"]
    assert the(cases.ReshipFailed, facts).because is ReshipFailure.OUT_OF_STOCK
    assert desk.case().remedy is Remedy.REFUND
    assert orders.find(desk.story.book, RESHIP) is None
    desk.grants()
    desk.pays()
    assert desk.status() is Status.RESOLVED


def test_a_reship_of_a_supplier_that_may_not_be_given_work_goes_to_a_refund():
    desk = ruled()
    desk.story.suspend()
    assert the(cases.ReshipFailed, desk.approves(Remedy.RESHIP)).because is ReshipFailure.SUPPLIER_NOT_APPROVED


def test_another_supplier_can_send_the_reship():
    desk = ruled()
    desk.approves(Remedy.RESHIP, supplier_id="bolt")
    (supplier_order,) = desk.story.order(RESHIP).supplier_orders.values()
    assert supplier_order.supplier_id == "bolt"
    assert desk.story.order(RESHIP).untracked == {1}


def test_a_reship_that_is_cancelled_is_due_a_refund():
    desk = approved(Remedy.RESHIP)
    with refused(cases.WaitsForReship, "the reship has to end"):
        desk.grants()
    desk.story.cancel(order_id=RESHIP)
    assert names(desk.looks_at_the_reship()) == ["reship_failed"]
    assert (desk.status(), desk.case().remedy) == (Status.APPROVED, Remedy.REFUND)
    assert desk.case().reship_failure is ReshipFailure.CANCELLED


def test_a_refund_can_follow_a_lost_reship_before_the_clock_has_seen_it():
    desk = approved(Remedy.RESHIP)
    reship_arrives(desk, ParcelStatus.LOST)
    assert names(desk.grants()) == ["reship_failed", "refund_granted", "refund_booked"]
    assert desk.case().reship_failure is ReshipFailure.LOST
    desk.pays()
    assert desk.status() is Status.RESOLVED


def test_of_a_reship_in_two_parcels_only_what_was_lost_is_refunded():
    desk = approved(Remedy.RESHIP, {1: 3})
    desk.story.send(f"{RESHIP}/1")
    desk.story.ship({1: 1}, f"{RESHIP}/1", "P8")
    desk.story.ship({1: 2}, f"{RESHIP}/1", "P9")
    desk.story.scan(ParcelStatus.DELIVERED, number="P8")
    assert desk.looks_at_the_reship() == []
    desk.story.scan(ParcelStatus.LOST, number="P9")
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
    assert desk.story.order().payment is PaymentState.PARTLY_REFUNDED
    assert desk.story.order(RESHIP).payment is PaymentState.PAID
    assert desk.status("case-2") is Status.RESOLVED


def test_a_reship_of_a_reship_counts_on_from_the_order_that_was_paid_and_unseals_like_it():
    desk = approved(Remedy.RESHIP)
    reship_arrives(desk)
    desk.looks_at_the_reship()
    desk.opens(Reason.DAMAGED, case_id="case-2", order_id=RESHIP)
    desk.reviews("case-2")
    desk.rules(case_id="case-2")
    desk.approves(Remedy.RESHIP, case_id="case-2")
    again = desk.story.order(f"{ORDER}+R2")
    assert (again.placed.reship_of, again.placed.original_order_id, again.sealed_for) == ("case-2", ORDER, ORDER)


def test_a_shops_own_order_of_that_name_is_left_alone():
    desk = ruled()
    desk.story.place(order_id=RESHIP)
    desk.approves(Remedy.RESHIP)
    assert desk.case().reships[0].order_id == f"{ORDER}+R2"


# --- refunds --------------------------------------------------------------------------------------


def test_a_refund_is_a_share_of_the_units_price_rounded_half_up_and_never_above_what_was_paid():
    desk = Desk(delivered(line(1, "tea", 1)))
    orders.find(desk.story.book, ORDER)
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
    assert desk.story.order().payment is PaymentState.REFUNDED


def test_a_named_amount_above_what_is_left_is_refused():
    desk = approved(Remedy.REFUND, {1: 2})
    with refused(RefundTooLarge, "10.01 EUR asked for line 1, 10.00 EUR left", left_minor=1000):
        desk.grants({1: 2}, amounts={1: 1001})
    with refused(RefundTooLarge, "5.01 EUR asked", left_minor=500):
        desk.grants({1: 1}, amounts={1: 501})
    assert the(cases.RefundGranted, desk.grants({1: 2}, amounts={1: 999})).amounts_minor == {1: 999}


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
    desk.story.pay(payment)
    with refused(NothingPaid, f"is {payment}"):
        desk.grants()


def test_over_all_cases_no_more_is_refunded_than_was_paid_for_the_line():
    desk = approved(Remedy.REFUND, {1: 3})
    desk.grants()
    order = desk.story.order()
    booked = after_sales.RefundBooked(ORDER, "case-2", "refund-2", {L1: 1}, {L1: 1}, desk.story.now)
    with refused(RefundTooLarge, "0.01 EUR asked for line 1, 0.00 EUR left"):
        after_sales.book_refund(order.after_sales, booked, orders.price_of(order, {L1: 3}), "EUR")


def test_the_payment_follows_what_was_paid_back():
    desk = approved(Remedy.REFUND, {1: 3})
    desk.grants({1: 1}, refund_id="r1")
    desk.grants({1: 2}, refund_id="r2")
    assert desk.story.order().payment is PaymentState.PAID, "granted is not paid"
    desk.pays("r1")
    assert desk.story.order().payment is PaymentState.PARTLY_REFUNDED
    assert desk.status() is Status.IN_REMEDY
    desk.pays("r2")
    assert desk.story.order().payment is PaymentState.REFUNDED
    assert desk.status() is Status.RESOLVED


# --- returns --------------------------------------------------------------------------------------


def test_goods_come_back_are_inspected_restocked_once_and_then_refunded():
    desk = approved(Remedy.RETURN, {1: 3})
    available = desk.story.stock().available
    assert names(desk.labels()) == ["return_labelled", "return_expected"]
    assert names(desk.sends_back()) == ["registered", "return_shipped"]
    assert desk.story.parcel("BACK1").return_of == CASE
    desk.receives({1: 2})
    with refused(cases.NotInspected, "0 came back"):
        desk.grants({1: 1})
    facts = desk.inspects(restocked=1, not_restocked=1, missing=1)
    assert the(Restocked, facts).units == 1
    assert desk.story.stock().available == available + 1
    assert desk.inspects(restocked=1, not_restocked=1, missing=1) == []
    desk.grants({1: 1})
    desk.denies_refund({1: 2}, Denial.GOODS_USED)
    desk.pays()
    assert desk.status() is Status.RESOLVED
    assert desk.case().denial is Denial.GOODS_USED


def test_units_that_need_work_are_restocked_when_they_are_mended_and_the_case_waits_for_them():
    desk = approved(Remedy.RETURN)
    desk.labels()
    desk.receives({1: 1})
    assert "restocked" not in names(desk.inspects(needs_work=1))
    desk.grants()
    desk.pays()
    assert desk.status() is Status.IN_REMEDY, "goods that are worked on are not dealt with"
    assert names(desk.inspects(restocked=1)) == ["return_inspected", "restocked", "resolved", "case_closed"]


def test_what_was_restocked_stays_so():
    desk = approved(Remedy.RETURN, {1: 2})
    desk.labels()
    desk.receives({1: 2})
    desk.inspects(restocked=1)
    with refused(cases.InspectedBefore, "0 of line 1 restocked in all, 1 were before"):
        desk.inspects(not_restocked=2)


@pytest.mark.parametrize(
    "step",
    [
        lambda desk: desk.labels({2: 1}),
        lambda desk: desk.receives({2: 1}),
        lambda desk: desk.inspects(line_no=2, restocked=1),
        lambda desk: desk.grants({2: 1}),
        lambda desk: desk.denies_refund({2: 1}),
    ],
    ids=["label", "receive", "inspect", "grant", "deny"],
)
def test_goods_and_money_are_of_lines_of_the_case(step: Callable[[Desk], object]):
    with refused(UnknownLine, "case case-1 has no line 2", line_no=2):
        step(approved(Remedy.RETURN))


def test_no_more_is_received_than_labelled_nor_inspected_than_received():
    desk = approved(Remedy.RETURN, {1: 2})
    with refused(cases.OverReceived, "1 of line 1 received, 0 have a label"):
        desk.receives({1: 1})
    desk.labels({1: 1})
    desk.labels({1: 1}, "label-2")
    desk.receives({1: 1})
    with refused(cases.OverReceived, "3 of line 1 received, 2 have a label"):
        desk.receives({1: 3})
    with refused(cases.OverInspected, "2 of line 1 inspected, 1 received"):
        desk.inspects(restocked=2)
    with refused(cases.NotMissing, "2 of line 1 missing, 1 were not received"):
        desk.inspects(missing=2)
    desk.receives({1: 2})
    with refused(cases.ReceivedBefore, "1 of line 1 received in all, 2 were received before"):
        desk.receives({1: 1})


def test_a_missing_unit_that_comes_after_all_is_missing_no_more():
    desk = approved(Remedy.RETURN, {1: 2})
    desk.labels()
    desk.receives({1: 1})
    desk.inspects(restocked=1, missing=1)
    desk.receives({1: 2})
    assert desk.case().inspection(L1).missing == 0
    desk.inspects(restocked=2)
    desk.grants()
    desk.pays()
    assert desk.status() is Status.RESOLVED


def test_a_label_has_one_meaning_and_each_unit_comes_back_once():
    desk = approved(Remedy.RETURN, {1: 2})
    desk.labels({1: 1})
    with refused(cases.LabelledDifferently, "label-1"):
        desk.labels({1: 2})
    with refused(NotReturnable, "2 of line 1 to send back, 1 of it"):
        desk.labels({1: 2}, "label-2")
    with refused(cases.UnknownLabel, "no label label-9"):
        desk.sends_back(label_id="label-9")
    desk.sends_back()
    with refused(cases.SentBackOtherwise, "with dhl under BACK1"):
        desk.sends_back("BACK2")
    desk.labels({1: 1}, "label-2")
    desk.sends_back("P1", "label-2")
    assert desk.story.parcel().warnings[0] == "the number was used 3 days before for shopify/1/1"


def test_the_same_label_without_its_units_named_records_nothing():
    desk = approved(Remedy.REFUND)
    desk.labels()
    desk.grants()
    assert desk.labels() == []


def test_where_every_unit_has_its_remedy_there_is_nothing_to_send_back():
    desk = approved(Remedy.RESHIP)
    desk.labels()
    reship_arrives(desk)
    desk.looks_at_the_reship()
    with refused(cases.NothingToSendBack, "no unit left"):
        desk.labels(label_id="label-2")


def test_what_was_never_delivered_does_not_come_back():
    desk = Desk(shipped())
    desk.opens(Reason.LOST)
    desk.reviews()
    desk.rules(Party.CARRIER)
    desk.approves(Remedy.RETURN)
    with refused(NotReturnable, "0 of it delivered"):
        desk.labels()


def test_a_delivery_whose_goods_come_back_cannot_be_denied():
    desk = approved(Remedy.RETURN)
    desk.labels()
    with refused(UnitsInReturn, "what is sent back has arrived", coming_back=1):
        desk.story.dispute()


def test_a_delivery_that_the_customer_complained_of_is_not_undone_by_a_return_told_late():
    desk = opened(Reason.DAMAGED)
    story = desk.story
    story.scan(ParcelStatus.RETURNED, story.now - DAY)
    assert story.buckets() == {"delivered": 3}


def test_goods_that_the_customer_never_sends_are_not_waited_for_any_more():
    desk = approved(Remedy.RETURN)
    desk.labels()
    assert names(desk.denies_refund(because=Denial.GOODS_NOT_RETURNED)) == [
        "refund_denied",
        "return_given_up",
        "resolved",
        "case_closed",
    ]
    assert desk.story.order().after_sales.coming_back(L1) == 0


def test_goods_can_come_back_beside_a_reship():
    desk = approved(Remedy.RESHIP, reason=Reason.WRONG_ITEM)
    desk.labels({1: 1})
    reship_arrives(desk)
    assert names(desk.looks_at_the_reship()) == ["reship_arrived"]
    desk.receives({1: 1})
    assert names(desk.inspects(restocked=1))[-2:] == ["resolved", "case_closed"]


# --- who pays the way back ------------------------------------------------------------------------


@pytest.mark.parametrize("liable", list(Party))
def test_the_way_back_is_paid_by_whom_the_ruling_names(liable: Party):
    desk = approved(Remedy.RETURN, liable=liable)
    assert the(cases.ReturnLabelled, desk.labels()).freight_payer is liable


@pytest.mark.parametrize(("days", "payer"), [(7, Party.RETAILER), (8, Party.CUSTOMER)])
def test_a_free_return_within_its_window_is_the_retailers(days: int, payer: Party):
    story = delivered()
    agreed(story, free_return_within_days=7)
    story.later(days=days)
    desk = Desk(story)
    desk.opens(Reason.CHANGED_MIND)
    desk.reviews()
    desk.rules(Party.CUSTOMER)
    desk.approves(Remedy.RETURN)
    assert the(cases.ReturnLabelled, desk.labels()).freight_payer is payer


# --- beside the rest of the trade -----------------------------------------------------------------


def test_an_order_of_fifty_lines_is_no_trouble():
    desk = Desk(delivered(*(line(n, "tea" if n == 1 else f"sku-{n}", 2) for n in range(1, 51))))
    desk.opens(by_line=dict.fromkeys(range(1, 51), 2))
    desk.reviews()
    desk.rules()
    desk.approves(Remedy.REFUND)
    assert sum(the(cases.RefundGranted, desk.grants()).amounts_minor.values()) == 50 * 2 * 500


def test_a_case_for_units_of_one_line_leaves_those_of_another_alone():
    story = delivered(line(1, "tea", 2), line(2, "mug", 2))
    desk = Desk(story)
    desk.opens(by_line={1: 2})
    assert desk.opens(by_line={2: 2}, case_id="case-2")


def test_what_was_placed_and_never_sent_is_no_case():
    with refused(UnitsNotFree, "0 of it"):
        Desk(confirmed()).opens()


OF_SUPPLIER = f"{CASE}/supplier/acme/EUR"


def nothing(recovery: Recovering) -> None:
    pass


def settle(recovery: Recovering) -> None:
    asked = recovery.recovery.asked_minor
    if asked > recovery.recovery.received_minor and not recovery.recovery.status.is_end:
        recovery.accept(asked)
        recovery.settle(asked - recovery.recovery.received_minor, f"cn-{asked}")


def told(desk: Desk, meanwhile: Callable[[Recovering], object]) -> list[Change]:
    """All that became of a case with every kind of remedy, while something happens to its recovery at each step."""
    steps: list[Callable[[], object]] = [
        *(desk.reviews, desk.rules, lambda: desk.approves(Remedy.RESHIP)),
        lambda: reship_arrives(desk, ParcelStatus.LOST),
        lambda: desk.grants({1: 1}),
        lambda: desk.labels({1: 1}),
        desk.sends_back,
        lambda: desk.receives({1: 1}),
        lambda: desk.inspects(restocked=1),
        *(desk.denies_refund, desk.pays),
    ]
    desk.opens(by_line={1: 2})
    for step in steps:
        step()
        if recoveries.find(desk.story.book, OF_SUPPLIER) is not None:
            meanwhile(Recovering(desk.story, OF_SUPPLIER))
    assert desk.status() is Status.RESOLVED
    return [change for change in desk.story.log if not change[0].startswith("recovery-")]


@pytest.mark.parametrize("meanwhile", [Recovering.dispute, Recovering.write_off, settle])
def test_no_remedy_waits_for_a_recovery_nor_differs_by_what_becomes_of_it(meanwhile: Callable[[Recovering], object]):
    undisturbed = told(Desk(delivered()), nothing)
    assert told(Desk(delivered()), meanwhile) == undisturbed
