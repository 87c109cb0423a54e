"""Holds: what waits for whom, and what may be done meanwhile."""

from __future__ import annotations

import pytest

from ledger.nouns import orders
from ledger.nouns.orders import (
    Header,
    Hold,
    HoldPlaced,
    HoldReason,
    OrderClosed,
    OrderOnHold,
    PaymentState,
    ReceivedTooEarly,
    StillIncomplete,
    UnknownHold,
)
from ledger.nouns.orders.supplier_orders import Oddity, SupplierOrderPacked, SupplierOrderShipped, UnknownSupplierOrder
from ledger.nouns.stock import OutOfStock
from tests.support.scenario import (
    DAY,
    FIRST,
    HOUR,
    NOON,
    SECOND,
    a_shop,
    confirmed,
    delivered,
    line,
    names,
    refused,
    sent,
    shipped,
    the,
)

PENDING = PaymentState.PENDING


def test_holds_are_a_set_and_releasing_one_leaves_the_others():
    scenario = a_shop()
    scenario.place(payment=PENDING)
    scenario.hold(HoldReason.FRAUD_REVIEW)
    scenario.hold(HoldReason.FRAUD_REVIEW, owner="tom")
    scenario.release(HoldReason.FRAUD_REVIEW, owner="mia")
    assert [(hold.reason, hold.owner) for hold in scenario.order().holds] == [
        (HoldReason.AWAITING_PAYMENT, "ledger"),
        (HoldReason.FRAUD_REVIEW, "tom"),
    ]


def test_the_same_hold_again_records_nothing_and_another_figure_replaces_it():
    scenario = confirmed()
    scenario.hold(HoldReason.BAD_ADDRESS)
    assert scenario.hold(HoldReason.BAD_ADDRESS) == []
    better = Hold(HoldReason.BAD_ADDRESS, "mia", scenario.now, missing=("postal_code",))
    assert names(orders.place_hold(scenario.order(), better)) == ["hold_placed"]
    assert len(orders.evolve(scenario.order(), HoldPlaced("shopify/1", better, scenario.now)).holds) == 1


def test_releasing_without_an_owner_ends_the_holds_of_all_owners():
    scenario = confirmed()
    scenario.hold(HoldReason.OTHER, owner="mia")
    scenario.hold(HoldReason.OTHER, owner="tom")
    scenario.release(HoldReason.OTHER)
    assert scenario.holds() == []


def test_a_hold_that_does_not_stand_cannot_be_released():
    scenario = confirmed()
    with refused(UnknownHold, "shopify/1 has no hold fraud_review of mia", hold="fraud_review", owner="mia"):
        scenario.release(HoldReason.FRAUD_REVIEW, owner="mia")
    with refused(UnknownSupplierOrder, "no supplier order shopify/1/9"):
        scenario.release(HoldReason.FRAUD_REVIEW, supplier_order_id="shopify/1/9")


def test_an_incomplete_order_is_not_released_by_hand():
    scenario = a_shop()
    scenario.place(line(1, "", 1))
    with refused(StillIncomplete, "still lacks lines.0..sku", missing="lines[0].sku"):
        scenario.release(HoldReason.INCOMPLETE)


def test_an_order_out_of_stock_is_not_released_before_there_is_stock():
    scenario = a_shop(tea=1)
    scenario.place(line(1, "tea", 3))
    with refused(OutOfStock, "tea of acme: 3 asked, 1 available"):
        scenario.release(HoldReason.OUT_OF_STOCK)
    scenario.feed(3)
    assert scenario.header() is Header.CONFIRMED


def test_stock_that_came_back_is_reserved_even_while_the_payment_is_awaited():
    scenario = a_shop(tea=1)
    scenario.place(line(1, "tea", 3), payment=PENDING)
    scenario.feed(3)
    assert scenario.holds() == [HoldReason.AWAITING_PAYMENT]
    assert scenario.stock().held == 3


def test_a_person_who_releases_the_hold_after_the_payment_gets_what_is_kept_for_the_order():
    scenario = a_shop(tea=1)
    scenario.place(line(1, "tea", 3))
    scenario.suspend()
    scenario.feed(3)
    scenario.reinstate()
    scenario.release(HoldReason.OUT_OF_STOCK)
    assert scenario.header() is Header.CONFIRMED


def test_nothing_is_sent_while_a_hold_stands():
    scenario = confirmed()
    scenario.hold(HoldReason.FRAUD_REVIEW)
    with refused(OrderOnHold, "shopify/1 is on hold: fraud_review", holds="fraud_review"):
        scenario.send()
    scenario.release(HoldReason.FRAUD_REVIEW)
    assert names(scenario.send()) == ["supplier_order_sent"]


def test_what_was_packed_and_left_under_a_hold_is_recorded_and_the_hold_stands():
    scenario = sent()
    scenario.hold(HoldReason.CUSTOMER_REQUEST)
    assert the(SupplierOrderPacked, scenario.pack("logo_label")).oddities == (Oddity.ON_HOLD,)
    assert the(SupplierOrderShipped, scenario.ship()).oddities == (Oddity.ON_HOLD,)
    assert (scenario.buckets(), scenario.header()) == ({"shipped": 3}, Header.ON_HOLD)
    assert [each.oddities for each in scenario.order().shipments] == [(Oddity.ON_HOLD,)]


def test_nothing_was_received_before_it_was_ordered():
    scenario = shipped()
    with refused(ReceivedTooEarly, "order shopify/1 was placed 2026-03-02 12:00Z and cannot have been received"):
        scenario.receive(at=NOON - 195 * DAY)
    assert scenario.buckets() == {"shipped": 3}


def test_what_left_before_the_hold_did_not_leave_under_it():
    scenario = sent()
    scenario.later(hours=2)
    scenario.hold(HoldReason.CUSTOMER_REQUEST)
    assert the(SupplierOrderShipped, scenario.ship(at=NOON + HOUR)).oddities == ()


@pytest.mark.parametrize(("hours", "odd"), [(1, ()), (2, (Oddity.ON_HOLD,)), (3, (Oddity.ON_HOLD,)), (4, ())])
@pytest.mark.parametrize("scope", ["", FIRST])
def test_what_left_under_a_hold_is_odd_also_once_the_hold_has_ended(hours: int, odd: tuple[Oddity, ...], scope: str):
    scenario = sent()
    scenario.later(hours=2)
    scenario.hold(HoldReason.CUSTOMER_REQUEST, supplier_order_id=scope)
    scenario.later(hours=2)
    scenario.release(HoldReason.CUSTOMER_REQUEST, supplier_order_id=scope)
    assert the(SupplierOrderShipped, scenario.ship(at=NOON + hours * HOUR)).oddities == odd


@pytest.mark.parametrize(
    ("hours", "odd"), [(0, ()), (-72, ()), (-73, (Oddity.TOO_EARLY,)), (-24 * 40, (Oddity.TOO_EARLY,))]
)
def test_a_dispatch_at_a_time_that_cannot_be_right_is_recorded_as_odd(hours: int, odd: tuple[Oddity, ...]):
    scenario = confirmed()
    scenario.later(days=30)
    scenario.send()
    assert the(SupplierOrderShipped, scenario.ship(at=scenario.now + hours * HOUR)).oddities == odd


def test_a_hold_on_one_supplier_order_lets_the_others_go():
    scenario = confirmed(line(1, "tea", 1), line(2, "ink", 1, "bolt"))
    scenario.hold(HoldReason.OTHER, supplier_order_id=FIRST)
    with refused(OrderOnHold, "other"):
        scenario.send(FIRST)
    scenario.send(SECOND)
    assert the(SupplierOrderShipped, scenario.ship(supplier_order_id=SECOND)).oddities == ()


def test_a_delivered_order_cannot_be_held():
    scenario = delivered()
    with refused(OrderClosed, "shopify/1 is delivered", status="delivered"):
        scenario.hold(HoldReason.OTHER)
