"""Money that goes back: never more than came in, whichever way it goes, and no goods after it."""

import pytest
from msgspec.structs import replace

from ledger.facts import Fact, LineNo
from ledger.nouns.cases import (
    CaseStatus,
    Denial,
    RefundCanBePaid,
    RefundWasPaid,
    Remedy,
    UnknownRefund,
)
from ledger.nouns.orders import (
    ChargebackRecorded,
    CustomsLine,
    Header,
    HoldReason,
    MoreThanCameIn,
    OrderOnHold,
    PaymentState,
)
from ledger.nouns.orders.supplier_orders import ClocksResumed
from ledger.terms.clocks import Clock
from ledger.terms.shipping import Incoterm
from tests.support.casework import (
    CASE,
    RESHIP,
    Desk,
    approved,
    ruled,
)
from tests.support.scenario import (
    DAY,
    FIRST,
    HOUR,
    NOON,
    ORDER,
    Scenario,
    a_shop,
    confirmed,
    delivered,
    line,
    names,
    refused,
    sent,
    the,
)

WHOLE = 1_500
"""The price of the order: three units of 5.00 EUR."""

# --- no more than came in -------------------------------------------------------------------------


def test_what_the_bank_took_back_is_not_refunded_as_well():
    desk = approved(Remedy.REFUND, {1: 3})
    desk.scenario.charge_back(WHOLE)
    with refused(
        MoreThanCameIn,
        "15.00 EUR more to go back of order shopify/1: 15.00 EUR came in, of which 0.00 EUR was refunded and "
        "15.00 EUR charged back",
        asked_minor=WHOLE,
        came_in_minor=WHOLE,
        refunded_minor=0,
        charged_back_minor=WHOLE,
        currency="EUR",
    ):
        desk.grants()


def test_a_refund_that_was_granted_before_the_bank_took_the_money_is_not_paid_after_it():
    desk = approved(Remedy.REFUND, {1: 3})
    desk.grants()
    desk.scenario.charge_back(WHOLE - 1)
    with refused(MoreThanCameIn, "0.00 EUR was refunded and 14.99 EUR charged back", asked_minor=WHOLE):
        desk.pays()


def test_a_refund_whose_money_the_bank_took_is_denied_and_its_case_is_over():
    desk = approved(Remedy.REFUND, {1: 3})
    desk.grants()
    desk.scenario.charge_back(WHOLE)
    assert names(desk.takes_back()) == ["refund_taken_back", "refund_unbooked", "resolved", "case_closed"]
    assert (desk.status(), desk.case().denial) == (CaseStatus.RESOLVED, Denial.CHARGED_BACK)
    assert desk.scenario.order().after_sales.booked_minor == 0
    with refused(UnknownRefund, "case case-1 has no refund refund-1"):
        desk.takes_back()


def test_of_a_refund_that_the_bank_left_a_part_of_that_part_can_be_granted():
    desk = approved(Remedy.REFUND, {1: 3})
    desk.grants()
    desk.scenario.charge_back(1_100)
    desk.takes_back()
    assert (desk.status(), desk.case().todo, desk.case().denial) == (CaseStatus.IN_REMEDY, {1: 3}, None)
    desk.grants(refund_id="refund-2")
    desk.pays("refund-2")
    assert desk.status() is CaseStatus.RESOLVED
    assert desk.scenario.order().after_sales.paid_back_minor == 400


def test_of_what_came_back_the_refund_waits_for_another_decision():
    desk = approved(Remedy.RETURN, {1: 3})
    desk.labels()
    desk.receives({1: 3})
    desk.inspects(not_restocked=3)
    desk.grants()
    desk.scenario.charge_back(1_100)
    desk.takes_back()
    assert desk.case().undecided == desk.case().todo == {1: 3}
    desk.denies_refund()
    assert desk.status() is CaseStatus.RESOLVED


def test_a_refund_of_money_that_never_came_is_denied():
    desk = approved(Remedy.REFUND, {1: 3})
    desk.grants()
    desk.scenario.pay(PaymentState.FAILED)
    desk.takes_back()
    assert desk.status() is CaseStatus.RESOLVED


def test_a_refund_that_can_be_paid_or_was_is_not_denied():
    desk = approved(Remedy.REFUND, {1: 3})
    desk.grants({1: 1}, refund_id="refund-1")
    desk.grants({1: 1}, refund_id="refund-2")
    desk.scenario.charge_back(1_000)
    with refused(RefundCanBePaid, "it is 5.00 EUR, and 5.00 EUR is left", amount_minor=500, left_minor=500):
        desk.takes_back()
    desk.pays("refund-1")
    with refused(RefundWasPaid, "refund refund-1 of case case-1 was paid"):
        desk.takes_back("refund-1")
    desk.takes_back("refund-2")
    desk.denies_refund()
    assert desk.status() is CaseStatus.RESOLVED


def test_a_share_gives_at_most_what_the_bank_left():
    desk = approved(Remedy.REFUND, {1: 3})
    desk.scenario.charge_back(1_100, "cb-1")
    desk.scenario.charge_back(9_999, "cb-2", currency="USD")  # nobody agreed a rate
    desk.grants({1: 1}, refund_id="r-1", amounts={1: 100})
    desk.grants(refund_id="r-2")
    assert [sum(each.amounts_minor.values()) for each in desk.case().refunds.values()] == [100, 300]
    desk.pays("r-1")
    desk.pays("r-2")
    assert desk.scenario.order().payment is PaymentState.REFUNDED, "400 were refunded and 1,100 charged back"


def test_an_amount_that_is_named_is_refused_where_the_bank_left_less():
    desk = approved(Remedy.REFUND, {1: 3})
    desk.scenario.charge_back(1_100)
    with refused(MoreThanCameIn, "5.00 EUR more to go back", asked_minor=500):
        desk.grants({1: 1}, amounts={1: 500})


def test_a_refund_is_not_paid_of_money_that_never_came():
    desk = approved(Remedy.REFUND, {1: 3})
    desk.grants()
    desk.scenario.pay(PaymentState.FAILED)
    with refused(MoreThanCameIn, "0.00 EUR came in", came_in_minor=0):
        desk.pays()


def test_the_bank_is_believed_whatever_it_took_and_what_it_took_too_much_is_odd():
    desk = approved(Remedy.REFUND, {1: 3})
    desk.grants()
    desk.pays()
    (recorded,) = desk.scenario.charge_back(WHOLE)
    assert recorded.warnings == (
        "15.00 EUR more went back than the order cost: of 15.00 EUR, 15.00 EUR was refunded and 15.00 EUR charged back",
    )


@pytest.mark.parametrize(
    ("amount", "currency", "odd"),
    [
        (WHOLE, "EUR", ""),
        (WHOLE + 1, "EUR", "0.01 EUR more went back than the order cost"),
        (1, "JPY", "1 JPY was charged back of an order in EUR"),
    ],
)
def test_a_chargeback_is_odd_that_is_of_more_than_the_order_or_in_another_currency(amount, currency, odd):
    warnings = the(ChargebackRecorded, sent().charge_back(amount, currency=currency)).warnings
    assert [each.partition(":")[0] for each in warnings] == [odd] * bool(odd)


# --- no goods after it ----------------------------------------------------------------------------


def bank_takes_all(scenario: Scenario) -> list[Fact]:
    return scenario.charge_back(WHOLE)


def shop_refunds(scenario: Scenario) -> list[Fact]:
    return scenario.pay(PaymentState.REFUNDED)


def payment_fails(scenario: Scenario) -> list[Fact]:
    return scenario.pay(PaymentState.FAILED)


every_way = pytest.mark.parametrize("goes_back", [bank_takes_all, shop_refunds, payment_fails])


@every_way
def test_a_draft_is_not_sent_once_the_money_went_back(goes_back):
    scenario = confirmed()
    assert "hold_placed" in names(goes_back(scenario))
    assert scenario.holds() == [HoldReason.PAYMENT_REVERSED]
    with refused(OrderOnHold, "order shopify/1 is on hold: payment_reversed"):
        scenario.send()


@every_way
def test_what_a_supplier_has_waits_and_its_clocks_stand_still(goes_back):
    scenario = sent()
    assert "clocks_stopped" in names(goes_back(scenario))
    scenario.later(days=3)
    assert scenario.miss(Clock.DISPATCH) == []


def test_what_left_is_not_stopped_and_what_did_not_is():
    scenario = sent()
    scenario.ship({1: 2})
    scenario.pay(PaymentState.REFUNDED)
    assert scenario.holds() == [HoldReason.PAYMENT_REVERSED]
    gone = sent()
    gone.ship()
    assert names(gone.pay(PaymentState.REFUNDED)) == ["payment_changed"]
    assert names(gone.charge_back(WHOLE)) == ["chargeback_recorded"]


def test_money_that_goes_back_in_part_stops_nothing():
    scenario = sent()
    assert names(scenario.pay(PaymentState.PARTLY_REFUNDED)) == ["payment_changed"]
    assert names(scenario.charge_back(WHOLE - 1)) == ["chargeback_recorded"]
    assert names(scenario.charge_back(1, "cb-2")) == ["chargeback_recorded", "hold_placed", "clocks_stopped"]


def test_a_chargeback_in_another_currency_stops_what_nobody_can_say_is_paid():
    assert "hold_placed" in names(sent().charge_back(1, currency="USD"))


def two_of_three_cancelled() -> Scenario:
    scenario = sent()
    scenario.cancel({1: 2})
    scenario.answer_cancel(agreed=True)
    return scenario


def test_the_money_of_units_that_are_cancelled_may_go_back():
    scenario = two_of_three_cancelled()
    assert names(scenario.charge_back(1_000)) == ["chargeback_recorded"]
    assert names(scenario.charge_back(499, "cb-2")) == ["chargeback_recorded"]
    assert "hold_placed" in names(scenario.charge_back(1, "cb-3"))


def test_units_that_are_cancelled_need_no_money_once_it_was_refunded():
    scenario = two_of_three_cancelled()
    scenario.pay(PaymentState.PARTLY_REFUNDED)
    assert names(scenario.charge_back(499)) == ["chargeback_recorded"]
    assert "hold_placed" in names(scenario.charge_back(1, "cb-2"))


def test_an_order_that_is_paid_again_goes_on():
    scenario = sent()
    scenario.later(hours=10)
    scenario.pay(PaymentState.REFUNDED)
    scenario.later(hours=5)
    assert the(ClocksResumed, scenario.pay()).dispatch_by == NOON + 53 * HOUR
    assert scenario.holds() == []
    scenario.ship()


@every_way
def test_an_older_word_of_the_money_does_not_undo_a_newer_one(goes_back):
    scenario = a_shop()
    scenario.place(payment=PaymentState.PENDING)
    scenario.later(days=4)
    goes_back(scenario)
    scenario.pay(at=NOON + DAY)
    assert scenario.order().confirmed_at is None
    assert scenario.holds() != []
    scenario.later(days=1)
    scenario.pay()
    assert scenario.order().confirmed_at is not None


def test_an_older_word_of_the_money_is_recorded():
    scenario = a_shop()
    scenario.place(payment=PaymentState.PENDING)
    scenario.later(days=4)
    scenario.pay(PaymentState.REFUNDED)
    assert names(scenario.pay(at=NOON + DAY)) == ["payment_changed"]
    assert scenario.order().payment is PaymentState.REFUNDED


def test_money_that_came_again_after_the_bank_took_it_back_is_recorded_for_a_paid_order():
    scenario = sent()
    scenario.later(hours=10)
    scenario.charge_back(WHOLE)
    assert scenario.pay(at=NOON + HOUR) == []
    assert scenario.holds() == [HoldReason.PAYMENT_REVERSED]
    scenario.later(hours=5)
    assert names(scenario.pay()) == ["payment_changed", "hold_released", "clocks_resumed"]
    assert scenario.holds() == []
    assert scenario.pay() == []


def test_a_person_may_send_it_all_the_same():
    scenario = confirmed()
    scenario.charge_back(WHOLE)
    scenario.release(HoldReason.PAYMENT_REVERSED)
    scenario.send()
    assert FIRST in scenario.order().supplier_orders


def test_an_order_that_waits_for_stock_is_not_confirmed_on_money_that_the_bank_took_back():
    scenario = a_shop(tea=0)
    scenario.place()
    scenario.charge_back(WHOLE)
    scenario.feed(10)
    scenario.serve()
    assert scenario.order().confirmed_at is None
    assert scenario.holds() == [HoldReason.PAYMENT_REVERSED]


def test_an_order_that_is_not_confirmed_awaits_its_money_as_before():
    scenario = a_shop(tea=0)
    scenario.place()
    scenario.pay(PaymentState.REFUNDED)
    assert set(scenario.holds()) == {HoldReason.OUT_OF_STOCK, HoldReason.AWAITING_PAYMENT}


def test_what_is_cancelled_waits_for_nothing():
    scenario = confirmed()
    scenario.cancel()
    assert names(scenario.pay(PaymentState.REFUNDED)) == ["payment_changed"]
    assert scenario.header() is Header.CANCELLED


def test_a_refund_of_all_of_it_stops_what_is_still_to_leave():
    """One of three units broke; the desk gives all the money back."""
    scenario = sent(line(1, "tea", 1), replace(line(2, "mug", 1), unit_price_minor=0))
    scenario.ship({1: 1})
    scenario.later(days=1)
    scenario.receive()
    desk = Desk(scenario)
    desk.opens()
    desk.reviews()
    desk.rules()
    desk.approves(Remedy.REFUND)
    desk.grants()
    desk.pays()
    assert scenario.holds(ORDER) == [HoldReason.PAYMENT_REVERSED]
    assert scenario.now == NOON + DAY


# --- nor once more --------------------------------------------------------------------------------


def sent_again(desk: Desk | None = None) -> Desk:
    """One of three delivered units is sent once more."""
    desk = desk or ruled()
    desk.approves(Remedy.RESHIP)
    return desk


@every_way
def test_a_unit_that_is_sent_once_more_waits_once_its_money_went_back(goes_back):
    desk = sent_again()
    goes_back(desk.scenario)
    assert desk.scenario.holds(RESHIP) == [HoldReason.PAYMENT_REVERSED]
    assert desk.scenario.holds() == [], "all of it has left"
    with refused(OrderOnHold, r"order shopify/1\+R1 is on hold: payment_reversed"):
        desk.scenario.send(f"{RESHIP}/1")


@every_way
def test_it_waits_as_well_where_the_money_went_back_before_it_was_granted(goes_back):
    desk = ruled()
    goes_back(desk.scenario)
    sent_again(desk)
    assert desk.scenario.holds(RESHIP) == [HoldReason.PAYMENT_REVERSED]
    after = sent_again()
    goes_back(after.scenario)
    assert desk.scenario.order(RESHIP) == after.scenario.order(RESHIP), "whichever was recorded first"


@every_way
def test_a_unit_that_is_sent_once_more_goes_on_once_it_is_paid_again(goes_back):
    desk = sent_again()
    desk.scenario.send(f"{RESHIP}/1")
    desk.scenario.later(hours=1)
    assert "clocks_stopped" in names(goes_back(desk.scenario))
    desk.scenario.later(hours=1)
    assert "hold_released" in names(desk.scenario.pay())
    assert desk.scenario.holds(RESHIP) == []
    assert desk.scenario.pay() == []


def test_money_from_before_a_reship_counts_by_its_own_time_where_it_is_recorded_late():
    desk = sent_again()
    placed_at = desk.scenario.order(RESHIP).placed.placed_at
    desk.scenario.later(hours=1)
    facts = desk.scenario.pay(PaymentState.REFUNDED, at=placed_at - 2 * HOUR)
    assert desk.scenario.holds(RESHIP) == [HoldReason.PAYMENT_REVERSED]
    assert [fact.warnings for fact in facts if fact.warnings] == []
    desk.scenario.pay(at=placed_at - HOUR)
    assert desk.scenario.holds(RESHIP) == []


@every_way
def test_money_that_came_again_before_a_unit_is_sent_once_more_sends_it(goes_back):
    desk = ruled()
    goes_back(desk.scenario)
    desk.scenario.later(hours=1)
    assert names(desk.scenario.pay()) == ["payment_changed"]
    assert desk.scenario.pay() == []
    sent_again(desk)
    assert desk.scenario.holds(RESHIP) == []


def test_money_that_goes_back_in_part_stops_no_unit_that_is_sent_once_more():
    desk = sent_again()
    desk.scenario.charge_back(WHOLE - 1)
    assert desk.scenario.holds(RESHIP) == []


def test_what_was_sent_once_more_and_arrived_waits_for_nothing():
    desk = sent_again()
    desk.scenario.send(f"{RESHIP}/1")
    desk.scenario.ship(supplier_order_id=f"{RESHIP}/1", number="R1")
    assert names(desk.scenario.charge_back(WHOLE)) == ["chargeback_recorded"]


def test_a_refund_that_leaves_nothing_stops_a_unit_that_is_sent_once_more():
    desk = sent_again()
    desk.scenario.charge_back(500)
    desk.opens(by_line={1: 2}, case_id="case-2")
    desk.reviews("case-2")
    desk.rules(case_id="case-2")
    desk.approves(Remedy.REFUND, case_id="case-2")
    desk.grants(case_id="case-2")
    desk.pays(case_id="case-2")
    assert desk.scenario.holds(RESHIP) == [HoldReason.PAYMENT_REVERSED]


def unconfirmed(*cases: str) -> Desk:
    """Each of these cases sends one unit once more from abroad; what customs asked for of them came in late."""
    desk = Desk(delivered())
    desk.scenario.approve("far", country="CN")
    desk.scenario.feed(len(cases), supplier_id="far")
    for case_id in cases:
        desk.opens(case_id=case_id)
        desk.reviews(case_id)
        desk.rules(case_id=case_id)
        desk.approves(Remedy.RESHIP, case_id=case_id, supplier_id="far")
    desk.scenario.charge_back(WHOLE)
    for reship in desk.scenario.order().after_sales.reships:
        known = CustomsLine(LineNo(1), title="Tea", hs_code="090210", origin="CN", weight_grams=100)
        desk.scenario.complete_customs(known, incoterm=Incoterm.DDP, order_id=reship)
        assert desk.scenario.holds(reship) == [HoldReason.PAYMENT_REVERSED]
    return desk


def test_a_reship_that_was_not_confirmed_yet_is_confirmed_once_it_is_paid_again():
    desk = unconfirmed(CASE)
    desk.scenario.later(hours=1)
    desk.scenario.pay()
    assert desk.scenario.header(RESHIP) is Header.CONFIRMED


def test_of_two_that_want_the_same_stock_one_is_confirmed_and_the_other_waits_for_a_person():
    desk = unconfirmed("case-1", "case-2")
    desk.scenario.later(hours=1)
    desk.scenario.pay()
    assert desk.scenario.header(RESHIP) is Header.CONFIRMED
    assert desk.scenario.holds(f"{ORDER}+R2") == [HoldReason.PAYMENT_REVERSED]
    desk.scenario.release(HoldReason.PAYMENT_REVERSED, order_id=f"{ORDER}+R2")
    assert desk.scenario.header(f"{ORDER}+R2") is Header.CONFIRMED
