"""The money of an order: exact shares of lines, charges, payments, and how it stands by all that is known."""

from itertools import permutations

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from ledger.facts import LineNo
from ledger.nouns import orders
from ledger.nouns.cases import Remedy
from ledger.nouns.orders import (
    Charge,
    ChargeKind,
    HoldReason,
    PaymentChanged,
    PaymentDiffers,
    PaymentKind,
    PaymentRecorded,
    PaymentState,
)
from ledger.nouns.orders.after_sales import RefundBooked, RefundUnbooked
from ledger.terms.money import Money, share
from tests.support.casework import Desk
from tests.support.scenario import (
    HOUR,
    Scenario,
    a_shop,
    confirmed,
    delivered,
    line,
    refused,
    sent,
    the,
)

SHIPPING = Charge("shipping", ChargeKind.SHIPPING, 490)
DISCOUNT = Charge("spring", ChargeKind.DISCOUNT, -200)
L1 = LineNo(1)
CAPTURED, REFUNDED = PaymentKind.CAPTURED, PaymentKind.REFUNDED

# --- shares of a line -----------------------------------------------------------------------------


@given(total=some.integers(0, 10**15), parts=some.lists(some.integers(0, 1_000), min_size=1, max_size=20))
def test_the_shares_of_all_units_add_up_to_the_total_in_whatever_parts_they_are_taken(total, parts):
    units, first, taken = sum(parts), 0, 0
    for count in parts:
        taken += share(total, units, first, count)
        first += count
    assert taken == (total if units else 0)


@given(total=some.integers(0, 10**6), units=some.integers(1, 200))
def test_no_unit_of_a_line_is_worth_more_than_a_minor_unit_beside_another(total, units):
    shares = [share(total, units, n, 1) for n in range(units)]
    assert max(shares) - min(shares) <= 1


def test_a_line_without_an_exact_total_costs_its_quantity_times_its_price():
    assert line(1, "tea", 3).amount_minor == 1_500
    assert [line(1, "tea", 3).worth_minor(2), line(1, "tea", 3).customs_worth_minor(2)] == [1_000, 1_000]


def test_three_for_ten_cost_ten_and_one_of_them_a_third_that_is_rounded():
    three = line(1, "tea", 3, total_minor=1_000)
    assert (three.amount_minor, [three.worth_minor(1, n) for n in range(3)]) == (1_000, [333, 334, 333])
    assert three.customs_value_minor == 333
    assert line(1, "tea", 3, total_minor=1_000, declared_value_minor=200).customs_worth_minor(3) == 600


# --- refunds of a line that has an exact total ------------------------------------------------------


def complained(total_minor: int, quantity: int = 3) -> Desk:
    """Units that cost so much together arrived, and a case about all of them is to be refunded."""
    desk = Desk(delivered(line(1, "tea", quantity, total_minor=total_minor)))
    desk.opens(by_line={1: quantity})
    desk.files()
    desk.reviews()
    desk.rules()
    desk.approves(Remedy.REFUND, {1: quantity})
    return desk


def test_three_for_ten_refund_ten():
    desk = complained(1_000)
    for n in range(3):
        desk.grants({1: 1}, refund_id=f"r{n}")
    refunds = desk.case().refunds.values()
    assert (sorted(each.amount_minor for each in refunds), desk.case().undecided) == ([333, 333, 334], {})
    assert sum(each.amount_minor for each in refunds) == 1_000


def test_a_line_with_a_coupon_is_refunded_at_what_it_cost_and_not_at_its_price():
    desk = complained(1_299)
    desk.grants({1: 3})
    assert [each.amount_minor for each in desk.case().refunds.values()] == [1_299]


steps = some.lists(some.tuples(some.integers(1, 4), some.sampled_from([None, 0, 1, 2])), max_size=12)


@given(total=some.integers(0, 5_000), quantity=some.integers(1, 7), steps=steps)
@example(total=2, quantity=7, steps=[(1, None), (1, 0), (1, 0), (2, 0), (1, None), (3, 1)])
def test_the_shares_of_any_refunds_and_of_what_was_cancelled_add_up_to_the_total(total, quantity, steps):
    """Units are cancelled or refunded in any order, and refunds that were granted are taken back between."""
    order = confirmed(line(1, "tea", quantity, total_minor=total)).order()
    given: dict[str, tuple[int, int]] = {}
    cancelled = 0
    for number, (units, what) in enumerate([*steps, *[(1, 0)] * quantity]):
        free = quantity - cancelled - sum(count for count, _ in given.values())
        if what is None and given:
            name = list(given)[units % len(given)]
            del given[name]
            order = orders.evolve(order, RefundUnbooked(order.order_id, name, order.placed.at))
        elif what == 1 and units <= free:
            cancelled += units
        elif units <= free:
            amount = orders.share_minor(order, L1, units)
            given[f"r{number}"] = (units, amount)
            shares = {L1: amount}
            booked = RefundBooked(order.order_id, "c", f"r{number}", {L1: units}, shares, order.placed.at, shares)
            order = orders.evolve(order, booked)
    assert cancelled + sum(count for count, _ in given.values()) == quantity
    assert orders.cancelled_minor(order, {L1: cancelled}) + sum(amount for _, amount in given.values()) == total


# --- what it costs ----------------------------------------------------------------------------------


def test_an_order_costs_its_lines_and_its_charges_less_what_is_taken_off():
    order = confirmed(line(1, "tea", 3, total_minor=1_000), charges=(SHIPPING, DISCOUNT)).order()
    assert (orders.total_minor(order), orders.due_minor(order)) == (1_290, 1_290)


def test_what_is_cancelled_is_not_due_and_its_shipping_neither_once_nothing_is_wanted():
    scenario = confirmed(line(1, "tea", 3, total_minor=1_000), charges=(SHIPPING,))
    scenario.cancel({1: 1})
    assert orders.due_minor(scenario.order()) == 1_000 - 333 + 490
    scenario.cancel({1: 2})
    assert (orders.due_minor(scenario.order()), orders.total_minor(scenario.order())) == (0, 1_490)


# --- payments ---------------------------------------------------------------------------------------


def unpaid(**more) -> Scenario:
    """An order of 15.00 EUR and 4.90 for shipping."""
    scenario = a_shop()
    scenario.place(payment=PaymentState.PENDING, charges=(SHIPPING,), **more)
    return scenario


def test_an_order_is_paid_once_all_of_it_came_in_and_then_it_is_confirmed():
    scenario = unpaid()
    scenario.moved(CAPTURED, 1_500)
    assert scenario.order().payment is PaymentState.PARTLY_PAID
    assert scenario.order().hold(HoldReason.AWAITING_PAYMENT) is not None
    scenario.moved(CAPTURED, 490)
    assert scenario.order().payment is PaymentState.PAID
    assert scenario.order().confirmed_at is not None


def test_an_order_that_brings_its_payments_says_by_them_how_its_money_stands():
    paid = orders.Payment("ch-1", CAPTURED, Money(1_990, "EUR"), a_shop().now)
    scenario = unpaid(payments=(paid,))
    assert (scenario.order().payment, scenario.order().holds) == (PaymentState.PAID, ())
    assert scenario.order().confirmed_at is not None


def test_the_same_payment_again_records_nothing_and_another_amount_of_it_is_refused():
    scenario = unpaid()
    assert the(PaymentRecorded, scenario.moved(CAPTURED, 1_500, "ch-1")).warnings == ()
    assert scenario.moved(CAPTURED, 1_500, "ch-1") == []
    with refused(PaymentDiffers, "payment ch-1 was recorded already, of 15.00 EUR", payment_id="ch-1"):
        scenario.moved(CAPTURED, 1_600, "ch-1")
    scenario.moved(PaymentKind.AUTHORISED, 1_600, "ch-1")
    assert len(scenario.order().money.payments) == 2


NEWS = [
    (PaymentKind.AUTHORISED, 1_990, "a", 0),
    (CAPTURED, 1_000, "b", 1),
    (CAPTURED, 990, "c", 2),
    (REFUNDED, 400, "d", 3),
    (PaymentKind.REFUND_RETURNED, 400, "e", 4),
]


@pytest.mark.parametrize("told", list(permutations(NEWS))[::7])
def test_how_the_money_stands_does_not_depend_on_the_order_of_the_news(told):
    scenario = unpaid()
    for kind, amount_minor, name, hours in told:
        scenario.moved(kind, amount_minor, name, at=scenario.now + hours * HOUR)
    order = scenario.order()
    assert (order.payment, orders.came_in_minor(order), orders.went_back_minor(order)) == (PaymentState.PAID, 1_990, 0)
    assert (order.holds, order.confirmed_at is not None) == ((), True)


@pytest.mark.parametrize(
    ("moved", "state"),
    [
        ([], PaymentState.PENDING),
        ([(PaymentKind.AUTHORISED, 1_990)], PaymentState.AUTHORISED),
        ([(PaymentKind.AUTHORISED, 1_990), (PaymentKind.VOIDED, 1_990)], PaymentState.FAILED),
        ([(PaymentKind.AUTHORISED, 1_990), (PaymentKind.VOIDED, 0)], PaymentState.FAILED),
        ([(PaymentKind.FAILED, 1_990)], PaymentState.FAILED),
        ([(PaymentKind.FAILED, 1_990), (PaymentKind.AUTHORISED, 1_990)], PaymentState.AUTHORISED),
        ([(CAPTURED, 100)], PaymentState.PARTLY_PAID),
        ([(CAPTURED, 1_990), (REFUNDED, 490)], PaymentState.PARTLY_REFUNDED),
        ([(CAPTURED, 1_990), (REFUNDED, 1_990)], PaymentState.REFUNDED),
        ([(CAPTURED, 1_990), (REFUNDED, 1_990), (CAPTURED, 1_991)], PaymentState.PAID),
        ([(CAPTURED, 1_990), (PaymentKind.CHARGED_BACK, 1_990)], PaymentState.REFUNDED),
    ],
)
def test_how_the_money_stands_follows_from_the_amounts(moved, state):
    scenario = unpaid()
    for kind, amount_minor in moved:
        scenario.moved(kind, amount_minor)
    assert scenario.order().payment is state


def test_a_capture_that_was_voided_did_not_come_in():
    scenario = unpaid()
    scenario.moved(CAPTURED, 1_990, "ch-1")
    scenario.moved(PaymentKind.VOIDED, 0, "v-1", of="ch-1")
    assert (scenario.order().payment, orders.came_in_minor(scenario.order())) == (PaymentState.FAILED, 0)


def test_a_void_takes_no_more_than_it_says():
    scenario = unpaid()
    scenario.moved(CAPTURED, 1_990, "ch-1")
    scenario.moved(PaymentKind.VOIDED, 500, "v-1", of="ch-1")
    assert (scenario.order().payment, orders.came_in_minor(scenario.order())) == (PaymentState.PARTLY_PAID, 1_490)
    scenario.moved(PaymentKind.VOIDED, 1_600, "v-2", of="ch-1")
    assert orders.came_in_minor(scenario.order()) == 0


@pytest.mark.parametrize("amount_minor", [500, 0])
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_what_was_reserved_and_not_taken_is_given_free_without_touching_what_was_taken(order, amount_minor):
    news = [(PaymentKind.AUTHORISED, 2_490), (CAPTURED, 1_990), (PaymentKind.VOIDED, amount_minor)]
    scenario = unpaid()
    for n in order:
        kind, minor = news[n]
        scenario.moved(kind, minor, "pay-1")
    assert (scenario.order().payment, orders.came_in_minor(scenario.order())) == (PaymentState.PAID, 1_990)


def test_a_part_that_goes_back_before_the_confirmation_stops_nothing():
    scenario = unpaid()
    scenario.hold(HoldReason.FRAUD_REVIEW)
    scenario.moved(CAPTURED, 1_990)
    scenario.moved(REFUNDED, 500)
    assert (scenario.order().payment, scenario.holds()) == (PaymentState.PARTLY_REFUNDED, [HoldReason.FRAUD_REVIEW])
    scenario.release(HoldReason.FRAUD_REVIEW)
    assert scenario.order().confirmed_at is not None


def test_a_part_that_went_back_of_less_than_it_costs_still_waits_for_the_rest():
    scenario = unpaid()
    scenario.moved(CAPTURED, 1_500)
    scenario.moved(REFUNDED, 500)
    assert scenario.holds() == [HoldReason.AWAITING_PAYMENT]
    scenario.moved(CAPTURED, 490, "rest")
    assert (scenario.order().payment, scenario.holds()) == (PaymentState.PARTLY_REFUNDED, [])


def test_another_currency_more_than_it_costs_and_more_than_came_in_are_recorded_with_a_warning():
    scenario = unpaid()
    dollars = orders.Payment("usd", CAPTURED, Money(1_990, "USD"), scenario.now)
    odd = the(PaymentRecorded, scenario.moves(dollars)).warnings
    assert odd == ("19.90 USD was captured of an order in EUR, and counts for nothing",)
    assert the(PaymentRecorded, scenario.moved(CAPTURED, 2_000)).warnings == (
        "0.10 EUR more came in than the order costs, 19.90 EUR",
    )
    assert the(PaymentRecorded, scenario.moved(REFUNDED, 2_500)).warnings == (
        "5.00 EUR more went back than came in, 20.00 EUR",
    )


def test_a_word_says_nothing_against_amounts_that_are_known_but_that_all_went_back():
    scenario = unpaid()
    scenario.moved(CAPTURED, 1_990)
    scenario.later(hours=1)
    assert the(PaymentChanged, scenario.pay(PaymentState.PENDING)).outdated
    assert scenario.order().payment is PaymentState.PAID
    scenario.pay(PaymentState.REFUNDED)
    assert (scenario.order().payment, orders.left_minor(scenario.order())) == (PaymentState.REFUNDED, 0)
    assert scenario.order().hold(HoldReason.PAYMENT_REVERSED) is not None


def test_a_shop_that_knows_no_amounts_says_it_by_a_word():
    scenario = unpaid()
    scenario.pay()
    order = scenario.order()
    assert (order.payment, orders.came_in_minor(order), order.confirmed_at is not None) == (
        PaymentState.PAID,
        1_990,
        True,
    )


def test_money_that_went_back_wholly_after_the_confirmation_keeps_goods_back_until_it_comes_again():
    scenario = sent(payment=PaymentState.PENDING, payments=(_captured(1_500),))
    scenario.moved(REFUNDED, 500)
    assert scenario.order().holds == ()
    scenario.moved(REFUNDED, 1_000)
    assert [hold.reason for hold in scenario.order().holds] == [HoldReason.PAYMENT_REVERSED]
    scenario.moved(CAPTURED, 1_500, "again")
    assert scenario.order().holds == ()


def _captured(amount_minor: int) -> orders.Payment:
    return orders.Payment("ch-1", CAPTURED, Money(amount_minor, "EUR"), a_shop().now)
