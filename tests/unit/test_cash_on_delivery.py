"""Cash on delivery: confirmed unpaid, collected at the door by parcel, come in once it is delivered."""

from itertools import permutations

import pytest

from ledger.facts import LineNo
from ledger.nouns import orders
from ledger.nouns.cases import CaseStatus, Reason, Remedy
from ledger.nouns.orders import Charge, ChargeKind, Header, PaymentKind, PaymentState
from ledger.nouns.parcels import ParcelStatus
from ledger.terms.money import Money
from ledger.terms.parties import Party
from tests.support.casework import RESHIP, Desk, reship_arrives
from tests.support.scenario import FIRST, NOON, SECOND, THIRD, Scenario, a_shop, line, reject

SHIPPING = Charge("shipping", ChargeKind.SHIPPING, 490)


def of_two(**more) -> Scenario:
    """Three that cost 10.00 together of one supplier, and 5.00 of another, with 4.90 for shipping; both were sent."""
    scenario = a_shop(tea=10)
    lines = (line(1, "tea", 3, total_minor=1_000), line(2, "mug", 1, "bolt"))
    known = {"payment": PaymentState.UNKNOWN, "charges": (SHIPPING,), "cash_on_delivery": True, **more}
    scenario.place(*lines, **known)
    for supplier_order_id in scenario.order().supplier_orders:
        scenario.send(supplier_order_id)
    return scenario


def collects(scenario: Scenario) -> list[int]:
    """By supplier order, what its instruction says."""
    order = scenario.order()
    return [orders.to_collect_minor(order, each) for each in order.supplier_orders]


def test_it_is_confirmed_unpaid_and_each_supplier_is_told_what_to_collect():
    scenario = of_two()
    assert (scenario.header(), scenario.order().holds) == (Header.CONFIRMED, ())
    assert (scenario.order().payment, collects(scenario)) == (PaymentState.PENDING, [1_490, 500])


PARCELS = [(FIRST, {1: 1}, "P1"), (FIRST, {1: 2}, "P2"), (SECOND, {2: 1}, "P3")]


@pytest.mark.parametrize("leave", list(permutations(PARCELS)))
def test_in_whatever_order_parcels_leave_they_collect_what_is_due(leave):
    scenario = of_two()
    for supplier_order_id, by_line, number in leave:
        said = orders.left_to_collect_minor(scenario.order(), supplier_order_id)
        scenario.ship(by_line, supplier_order_id, number)
        assert scenario.order().shipments[-1].collect_minor <= said
    assert sum(each.collect_minor for each in scenario.order().shipments) == 1_990
    assert collects(scenario) == [1_490, 500]


def test_what_is_collected_stands_on_the_parcel_and_has_come_in_once_it_is_delivered():
    scenario = of_two()
    scenario.ship(supplier_order_id=FIRST)
    assert scenario.parcel("P1").collect == Money(1_490, "EUR")
    scenario.ship(supplier_order_id=SECOND, number="P2")
    scenario.later(days=2)
    scenario.scan(ParcelStatus.DELIVERED)
    assert (scenario.order().payment, orders.came_in_minor(scenario.order())) == (PaymentState.PARTLY_PAID, 1_490)
    scenario.scan(ParcelStatus.DELIVERED, number="P2")
    assert scenario.order().payment is PaymentState.PAID
    scenario.dispute("P2")
    assert orders.came_in_minor(scenario.order()) == 1_490


def test_what_comes_back_undelivered_brought_no_money():
    scenario = of_two()
    scenario.ship(supplier_order_id=FIRST)
    scenario.later(days=2)
    scenario.scan(ParcelStatus.RETURNED)
    assert (orders.came_in_minor(scenario.order()), orders.owed_minor(scenario.order())) == (0, 0)


def test_what_was_not_paid_at_the_door_is_collected_when_it_is_sent_once_more():
    scenario = of_two()
    scenario.ship(supplier_order_id=FIRST)
    scenario.ship(supplier_order_id=SECOND, number="P2")
    scenario.later(days=2)
    scenario.scan(ParcelStatus.RETURNED)
    scenario.scan(ParcelStatus.DELIVERED, number="P2")
    desk = Desk(scenario)
    desk.opens(Reason.REFUSED, {1: 3})
    desk.reviews()
    desk.rules(Party.CUSTOMER)
    desk.approves(Remedy.RESHIP)
    again = scenario.order(RESHIP)
    assert (again.confirmed_at is not None, orders.due_minor(again)) == (True, 1_000)
    assert orders.to_collect_minor(again, f"{RESHIP}/1") == 1_000
    reship_arrives(desk)
    assert (scenario.order(RESHIP).payment, orders.came_in_minor(scenario.order(RESHIP))) == (PaymentState.PAID, 1_000)
    desk.looks_at_the_reship()
    assert desk.status() is CaseStatus.RESOLVED


def test_what_was_paid_at_the_door_is_sent_once_more_at_no_price():
    scenario = of_two()
    scenario.ship(supplier_order_id=FIRST)
    scenario.later(days=2)
    scenario.scan(ParcelStatus.DELIVERED)
    desk = Desk(scenario)
    desk.opens(Reason.DAMAGED, {1: 3})
    desk.reviews()
    desk.rules()
    desk.approves(Remedy.RESHIP)
    assert (orders.due_minor(scenario.order(RESHIP)), scenario.order(RESHIP).money.on_delivery) == (0, False)


def test_units_that_are_cancelled_are_not_collected_and_nothing_is_owed_for_them():
    scenario = of_two()
    scenario.cancel({1: 1})
    scenario.answer_cancel(agreed=True)
    assert (collects(scenario), orders.owed_minor(scenario.order())) == ([1_157, 500], 0)


def test_units_that_another_supplier_sends_are_collected_by_its_parcel():
    scenario = of_two()
    scenario.offer("tea", 100, "bolt")
    scenario.feed(10, "tea", "bolt")
    scenario.answer({1: reject(3)}, FIRST)
    assert len(scenario.order().supplier_orders) == 3
    scenario.send(THIRD)
    for supplier_order_id, number in ((SECOND, "P2"), (THIRD, "P3")):
        scenario.ship(supplier_order_id=supplier_order_id, number=number)
    assert sum(each.collect_minor for each in scenario.order().shipments) == 1_990


def test_what_was_paid_before_is_not_collected_again():
    deposit = orders.Payment("d-1", PaymentKind.CAPTURED, Money(600, "EUR"), NOON)
    scenario = of_two(payments=(deposit,))
    assert (scenario.order().payment, collects(scenario)) == (PaymentState.PARTLY_PAID, [890, 500])


def test_payments_that_tell_what_was_collected_count_instead():
    scenario = of_two()
    scenario.ship(supplier_order_id=FIRST)
    scenario.later(days=2)
    scenario.scan(ParcelStatus.DELIVERED)
    paid = orders.Payment("cod-1", PaymentKind.CAPTURED, Money(1_400, "EUR"), scenario.now, orders.ON_DELIVERY)
    scenario.moves(paid)
    assert orders.came_in_minor(scenario.order()) == 1_400


def test_what_the_shop_calls_paid_before_it_leaves_is_not_collected_as_well():
    scenario = of_two()
    scenario.ship(supplier_order_id=FIRST)
    scenario.pay()
    assert (scenario.order().payment, collects(scenario)) == (PaymentState.PAID, [1_490, 0])
    scenario.ship(supplier_order_id=SECOND, number="P2")
    scenario.later(days=2)
    scenario.scan(ParcelStatus.DELIVERED)
    assert (orders.came_in_minor(scenario.order()), scenario.order().shipments[1].collect_minor) == (1_990, 0)


def test_an_order_that_is_paid_otherwise_is_collected_nowhere():
    scenario = of_two(payment=PaymentState.PAID, cash_on_delivery=False)
    scenario.ship(supplier_order_id=FIRST)
    assert (collects(scenario), scenario.parcel("P1").collect) == ([0, 0], None)
    assert orders.collect_minor(scenario.order(), SECOND, {LineNo(2): 1}) == 0
