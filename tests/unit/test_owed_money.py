"""Money that is owed beside the refunds of cases, refunds of charges, and the one sum over all that goes back."""

from itertools import permutations
from typing import Any

import pytest

from ledger.nouns import cases, orders
from ledger.nouns.cases import Remedy
from ledger.nouns.orders import (
    Charge,
    ChargeKind,
    HoldReason,
    MoreThanCameIn,
    MoreThanOwed,
    NothingOwed,
    PaymentDiffers,
    PaymentKind,
    PaymentRecorded,
    PaymentState,
)
from ledger.nouns.orders.after_sales import ChargeRefundTooLarge, UnknownCharge
from ledger.nouns.parcels import ParcelStatus
from tests.support.casework import Desk
from tests.support.scenario import HOUR, NOON, Scenario, a_shop, confirmed, delivered, line, names, refused, sent, the

SHIPPING = Charge("shipping", ChargeKind.SHIPPING, 490)
CAPTURED, REFUNDED, RETURNED = PaymentKind.CAPTURED, PaymentKind.REFUNDED, PaymentKind.REFUND_RETURNED
TEN = line(1, "tea", 3, total_minor=1_000)


def owed(scenario: Scenario) -> int:
    return orders.owed_minor(scenario.order())


# --- units that were cancelled after they were paid ---------------------------------------------------


def test_a_unit_that_is_cancelled_after_it_was_paid_is_owed_at_its_share():
    scenario = confirmed(TEN, charges=(SHIPPING,))
    scenario.cancel({1: 1})
    assert owed(scenario) == 333
    scenario.cancel({1: 1})
    assert owed(scenario) == 667


def test_the_shipping_is_owed_too_where_nothing_of_the_order_is_sent():
    scenario = confirmed(TEN, charges=(SHIPPING,))
    scenario.cancel()
    assert owed(scenario) == 1_490


def test_what_is_owed_of_an_order_that_turns_out_to_be_cheaper_has_a_debt_of_no_more():
    scenario = a_shop(tea=10, mug=0)
    scenario.place(line(1, "tea", 3), line(2, "mug", 1))
    scenario.cancel({1: 2})
    assert owed(scenario) == sum(debt.left_minor for debt in scenario.order().money.debts) > 500
    scenario.complete(line(1, "tea", 1))
    assert owed(scenario) == sum(debt.left_minor for debt in scenario.order().money.debts)


def test_nothing_is_owed_for_units_that_were_cancelled_before_anything_was_paid():
    scenario = a_shop()
    scenario.place(TEN, payment=PaymentState.PENDING)
    scenario.cancel({1: 1})
    assert owed(scenario) == 0
    scenario.later(hours=1)
    scenario.pay()
    assert (owed(scenario), orders.came_in_minor(scenario.order())) == (0, 667)


def test_that_a_payment_came_before_a_cancellation_counts_also_where_it_is_told_after_it():
    scenario = a_shop()
    scenario.place(TEN, payment=PaymentState.PENDING)
    scenario.later(hours=2)
    scenario.cancel({1: 1})
    scenario.pay(at=NOON + HOUR)
    assert owed(scenario) == 333


def test_amounts_say_how_much_was_paid_of_what_is_cancelled():
    scenario = a_shop()
    scenario.place(TEN, payment=PaymentState.PENDING)
    scenario.moved(CAPTURED, 900)
    scenario.cancel({1: 1})
    assert owed(scenario) == 900 - 667


def test_that_too_much_came_in_is_not_owed_by_itself_but_with_the_whole_order():
    scenario = a_shop()
    scenario.place(TEN, payment=PaymentState.PENDING)
    scenario.moved(CAPTURED, 1_100)
    assert owed(scenario) == 0
    scenario.cancel()
    assert owed(scenario) == 1_100


def test_what_is_owed_is_paid_without_a_case_once():
    scenario = confirmed(TEN)
    scenario.cancel({1: 2})
    assert the(PaymentRecorded, scenario.pays_owed(amount_minor=300)).payment.amount.amount_minor == 300
    assert owed(scenario) == 367
    assert the(PaymentRecorded, scenario.pays_owed("back-2")).payment.amount.amount_minor == 367
    assert (owed(scenario), scenario.pays_owed("back-2"), scenario.pays_owed("back-2", 367)) == (0, [], [])
    assert scenario.order().payment is PaymentState.PAID  # what is left covers what is wanted
    with refused(PaymentDiffers, "payment back-2 was recorded already, of 3.67 EUR"):
        scenario.pays_owed("back-2", 1)
    with refused(NothingOwed, "nothing is owed of order shopify/1"):
        scenario.pays_owed("back-3")


def test_no_more_than_is_owed_is_paid_back_as_owed():
    scenario = confirmed(TEN)
    scenario.cancel({1: 1})
    with refused(
        MoreThanOwed, "3.34 EUR was paid of order shopify/1, 3.33 EUR is owed", asked_minor=334, owed_minor=333
    ):
        scenario.pays_owed(amount_minor=334)
    with refused(MoreThanOwed, "1.00 USD was paid"):
        scenario.pays_owed(amount_minor=100, currency="USD")


@pytest.mark.parametrize("word", [PaymentState.PARTLY_REFUNDED, PaymentState.REFUNDED])
def test_a_shop_that_knows_no_amounts_settles_what_is_owed_by_a_word(word):
    scenario = confirmed(TEN)
    scenario.cancel({1: 1})
    scenario.pay(word)
    assert owed(scenario) == 0


def test_a_unit_that_is_cancelled_after_such_a_word_is_owed_again():
    scenario = confirmed(TEN)
    scenario.cancel({1: 1})
    scenario.pay(PaymentState.PARTLY_REFUNDED)
    scenario.later(hours=1)
    scenario.cancel({1: 1})
    assert owed(scenario) == 334


def test_what_the_shop_refunded_or_a_bank_took_pays_what_is_owed_whether_it_came_before_or_after():
    first = confirmed(TEN)
    first.moved(REFUNDED, 333)
    first.cancel({1: 1})
    second = confirmed(TEN)
    second.cancel({1: 1})
    second.charge_back(333)
    assert (owed(first), owed(second)) == (0, 0)


def test_a_rejected_unit_that_nobody_else_has_and_is_cancelled_is_owed():
    scenario = sent(TEN, when_unavailable=orders.WhenUnavailable.CANCEL)
    scenario.cancel({1: 2})
    assert owed(scenario) == 0  # the supplier has not agreed yet
    scenario.answer_cancel(agreed=True)
    assert owed(scenario) == 667


# --- refunds that bounce ----------------------------------------------------------------------------


def test_a_refund_that_bounces_is_owed_again_until_it_is_paid_again():
    scenario = confirmed(TEN)
    scenario.cancel({1: 1})
    scenario.pays_owed("back-1")
    scenario.later(hours=1)
    scenario.moved(RETURNED, 333, "bounce-1", of="back-1")
    assert owed(scenario) == 333
    scenario.later(hours=1)
    scenario.pays_owed("back-2")
    assert owed(scenario) == 0


NEWS = [(REFUNDED, 333, "a", 3), (RETURNED, 333, "b", 4), (REFUNDED, 333, "c", 5), (RETURNED, 100, "d", 6)]


@pytest.mark.parametrize("told", list(permutations(NEWS)))
def test_what_is_owed_does_not_depend_on_the_order_of_the_news(told):
    scenario = confirmed(TEN)
    scenario.cancel({1: 1})
    for kind, amount_minor, name, hours in told:
        scenario.moved(kind, amount_minor, name, at=NOON + hours * HOUR)
    assert (owed(scenario), orders.went_back_minor(scenario.order())) == (100, 233)


def test_what_bounces_without_a_refund_counts_for_nothing_until_the_refund_is_told():
    scenario = confirmed(TEN)
    scenario.later(hours=2)
    odd = the(PaymentRecorded, scenario.moved(RETURNED, 400, "bounce-1", of="back-1")).warnings
    assert odd == ("4.00 EUR more bounced than is known to have been refunded, and counts for nothing yet",)
    assert (owed(scenario), orders.went_back_minor(scenario.order())) == (0, 0)
    scenario.moved(REFUNDED, 300, "back-1", at=scenario.now + HOUR)
    assert (owed(scenario), orders.went_back_minor(scenario.order())) == (300, 0)
    scenario.moved(REFUNDED, 100, "back-2", at=NOON + HOUR)
    assert (owed(scenario), orders.went_back_minor(scenario.order())) == (400, 0)


def arrived(**more) -> Desk:
    """Ten euros for three, with shipping, of which all arrived; a case about them is to be refunded."""
    desk = Desk(delivered(TEN, charges=(SHIPPING,), **more))
    desk.opens(by_line={1: 3})
    desk.files()
    desk.reviews()
    desk.rules()
    desk.approves(Remedy.REFUND)
    return desk


def test_a_refund_of_a_case_that_bounces_is_owed_of_the_order():
    desk = arrived()
    desk.grants({1: 3})
    desk.pays()
    assert (owed(desk.scenario), desk.scenario.order().payment) == (0, PaymentState.PARTLY_REFUNDED)
    desk.scenario.moved(RETURNED, 1_000, of="psp-1")
    assert owed(desk.scenario) == 1_000
    desk.scenario.pays_owed()
    assert owed(desk.scenario) == 0


# --- charges ----------------------------------------------------------------------------------------


def test_the_shipping_can_be_refunded_with_units_or_alone_and_never_twice():
    desk = arrived()
    desk.grants({1: 3}, charges={"shipping": 100})
    desk.grants(refund_id="refund-2", charges={"shipping": 0})
    assert [each.amount_minor for each in desk.case().refunds.values()] == [1_100, 390]
    with refused(ChargeRefundTooLarge, "0.01 EUR asked for charge shipping, 0.00 EUR of it left", left_minor=0):
        desk.grants(refund_id="refund-3", charges={"shipping": 1})
    with refused(UnknownCharge, "order shopify/1 has no charge handling"):
        desk.grants(refund_id="refund-3", charges={"handling": 1})
    desk.pays()
    assert "resolved" in names(desk.pays("refund-2"))
    assert (desk.scenario.order().payment, orders.left_minor(desk.scenario.order())) == (PaymentState.REFUNDED, 0)


# --- one sum ----------------------------------------------------------------------------------------


def test_what_the_shop_refunded_is_not_refunded_by_a_case_as_well():
    desk = arrived()
    desk.scenario.moved(REFUNDED, 1_000)
    with refused(MoreThanCameIn, "14.90 EUR came in, of which 10.00 EUR was refunded", refunded_minor=1_000):
        desk.grants({1: 3}, amounts={1: 1_000})
    desk.grants({1: 3})
    assert [each.amount_minor for each in desk.case().refunds.values()] == [490]


def test_a_refund_of_a_case_that_names_the_shops_refund_is_the_same_money():
    desk = arrived()
    desk.grants({1: 3}, charges={"shipping": 0})
    desk.scenario.moved(REFUNDED, 1_490, "psp-1")
    desk.pays()
    order = desk.scenario.order()
    assert (orders.went_back_minor(order), orders.left_minor(order)) == (1_490, 0)


@pytest.mark.parametrize("case_first", [True, False])
def test_what_a_shops_refund_comes_to_beyond_the_cases_that_name_it_went_back_too(case_first):
    desk = arrived()
    desk.grants({1: 1})
    if case_first:
        desk.pays()
    desk.scenario.moved(REFUNDED, 1_000, "psp-1")
    desk.pays()
    assert orders.went_back_minor(desk.scenario.order()) == 1_000
    desk.grants({1: 1}, refund_id="refund-2")
    desk.pays("refund-2")
    assert orders.went_back_minor(desk.scenario.order()) == 1_000


def test_a_discount_lowers_what_can_go_back_of_all_units_together():
    desk = Desk(delivered(TEN, charges=(Charge("spring", ChargeKind.DISCOUNT, -200),)))
    desk.opens(by_line={1: 3})
    desk.files()
    desk.reviews()
    desk.rules()
    desk.approves(Remedy.REFUND)
    for n in range(3):
        desk.grants({1: 1}, refund_id=f"r{n}")
    assert [each.amount_minor for each in desk.case().refunds.values()] == [333, 334, 133]


def test_a_partial_refund_keeps_nothing_back():
    scenario = sent(TEN)
    scenario.moved(REFUNDED, 999)
    assert scenario.order().hold(HoldReason.PAYMENT_REVERSED) is None


def test_a_shops_refund_is_the_same_money_as_so_much_of_the_refunds_that_name_it_and_no_more():
    """The other one goes back beside it, and only if anything is left."""
    desk = Desk(delivered(line(1, "tea", 2)))
    for case_id in ("first", "second"):
        desk.opens(case_id=case_id)
        desk.reviews(case_id)
        desk.rules(case_id=case_id)
        desk.approves(Remedy.REFUND, case_id=case_id)
        desk.grants({1: 1}, refund_id=case_id, case_id=case_id)
    desk.scenario.charge_back(500)
    desk.scenario.moved(REFUNDED, 500, "psp-1")
    desk.pays("first", "first")
    with refused(MoreThanCameIn, "5.00 EUR more to go back", asked_minor=500):
        desk.pays("second", "second")
    assert orders.went_back_minor(desk.scenario.order()) == 1_000


def test_what_is_left_of_an_order_is_paid_where_a_voucher_covers_it():
    voucher = Charge("voucher", ChargeKind.DISCOUNT, -500)
    scenario = a_shop()
    scenario.place(line(1, "tea", 2), payment=PaymentState.PENDING, charges=(voucher,))
    scenario.moved(CAPTURED, 500)
    scenario.cancel({1: 1})
    scenario.pays_owed()
    assert (orders.left_minor(scenario.order()), scenario.order().payment) == (0, PaymentState.PAID)
    assert (scenario.holds(), names(scenario.send())) == ([], ["supplier_order_sent"])
    scenario.later(hours=1)
    scenario.cancel()
    scenario.answer_cancel(agreed=True)
    assert (owed(scenario), scenario.order().payment) == (0, PaymentState.REFUNDED)


def test_a_capture_that_is_voided_after_its_money_was_refunded_is_odd():
    scenario = a_shop()
    scenario.place(line(1, "tea", 2), payment=PaymentState.PENDING)
    scenario.moved(CAPTURED, 1_000, "card")
    scenario.cancel({1: 1})
    scenario.pays_owed()
    voided = the(PaymentRecorded, scenario.moved(PaymentKind.VOIDED, 1_000, "card"))
    assert voided.odd == ("5.00 EUR more went back than came in, 0.00 EUR",)


# --- what an amendment makes cheaper after it was refunded ----------------------------------------------


def paid(*lines: orders.Line, minor: int, **more: Any) -> Scenario:
    """An order whose money came by its amount, delivered."""
    scenario = a_shop()
    scenario.place(*lines, payment=PaymentState.PENDING, **more)
    scenario.moved(CAPTURED, minor)
    scenario.send()
    scenario.ship()
    scenario.scan(ParcelStatus.DELIVERED)
    return scenario


def refunds(scenario: Scenario, by_line: dict[int, int], case_id: str = "case-1", **more: Any) -> int:
    """What a case of its own grants for damaged units of the order, and pays."""
    desk = Desk(scenario)
    desk.opens(by_line=by_line, case_id=case_id)
    desk.reviews(case_id)
    desk.rules(case_id=case_id)
    desk.approves(Remedy.REFUND, case_id=case_id)
    granted = the(cases.RefundGranted, desk.grants(by_line, refund_id=case_id, case_id=case_id, **more))
    desk.pays(case_id, case_id)
    return sum(granted.amounts_minor.values()) + sum(granted.charges_minor.values())


@pytest.mark.parametrize("exact", [False, True])
def test_the_price_of_a_refunded_unit_is_not_owed_once_more_where_an_amendment_lowers_it(exact):
    scenario = paid(line(1, "tea", 2, total_minor=1_000 if exact else None), minor=1_000)
    assert refunds(scenario, {1: 1}) == 500
    scenario.amend(line(1, "tea", 2, unit_price_minor=200, total_minor=400 if exact else None))
    assert owed(scenario) == 300  # of the unit that the customer keeps and pays 2.00 for


def test_a_unit_that_was_not_refunded_can_be_after_an_amendment_made_all_cheaper():
    scenario = paid(line(1, "tea", 2), minor=1_000)
    assert refunds(scenario, {1: 1}) == 500
    scenario.amend(line(1, "tea", 2, unit_price_minor=200))
    assert refunds(scenario, {1: 1}, "case-2") == 200
    assert owed(scenario) + orders.went_back_minor(scenario.order()) == 1_000


def test_nothing_is_owed_where_all_was_refunded_before_it_became_cheaper():
    scenario = paid(line(1, "tea", 2), minor=1_000)
    assert refunds(scenario, {1: 2}) == 1_000
    scenario.amend(line(1, "tea", 2, unit_price_minor=200))
    assert owed(scenario) == 0


def test_a_charge_that_was_refunded_is_not_owed_once_more_where_an_amendment_takes_it_off():
    scenario = paid(line(1, "tea", 2), minor=1_490, charges=(SHIPPING,))
    assert refunds(scenario, {1: 1}, charges={"shipping": 0}) == 990
    scenario.amend(line(1, "tea", 2), charges=())
    assert owed(scenario) == 0


def test_a_refunded_charge_pays_for_no_unit_that_is_cancelled_after_it_was_taken_off():
    scenario = paid(line(1, "tea", 2), minor=1_490, charges=(SHIPPING,))
    assert refunds(scenario, {1: 1}, charges={"shipping": 0}) == 990
    scenario.amend(line(1, "tea", 4), charges=())
    scenario.moved(CAPTURED, 510, "the-rest")
    scenario.cancel({1: 2})
    # 20.00 came in, 9.90 went back, and the unit that is kept costs 5.00.
    assert owed(scenario) == 510


def test_what_the_shop_refunded_of_money_that_came_twice_pays_for_no_unit_that_is_cancelled_later():
    scenario = a_shop()
    scenario.place(TEN, payment=PaymentState.PENDING)
    scenario.moved(CAPTURED, 1_000, "card")
    scenario.moved(CAPTURED, 1_000, "card-again")
    scenario.moved(REFUNDED, 1_000)
    scenario.later(hours=1)
    scenario.cancel({1: 1})
    assert owed(scenario) == 333
    scenario.pays_owed()
    assert (owed(scenario), orders.left_minor(scenario.order())) == (0, 667)


def test_of_money_that_came_twice_what_is_refunded_after_a_unit_was_cancelled_pays_for_that_first():
    scenario = a_shop()
    scenario.place(TEN, payment=PaymentState.PENDING)
    scenario.moved(CAPTURED, 1_000, "card")
    scenario.moved(CAPTURED, 1_000, "card-again")
    scenario.cancel({1: 1})
    scenario.later(hours=1)
    scenario.moved(REFUNDED, 1_000)
    assert owed(scenario) == 0
