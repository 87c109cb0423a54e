"""An order's payment, address, delivery, receipt, review and completion."""

from __future__ import annotations

from itertools import permutations

import pytest

from ledger.decisions import intake, rerouting
from ledger.decisions.rerouting import Cause
from ledger.facts import Sealed
from ledger.nouns.orders import (
    AddressChanged,
    BeforePlacing,
    DetailsCompleted,
    Header,
    HoldPlaced,
    HoldReason,
    HoldReleased,
    NotDispatched,
    PaymentChanged,
    PaymentState,
    ReviewDiffers,
)
from ledger.nouns.parcels import ParcelStatus
from ledger.terms.places import Destination
from tests.support.scenario import (
    ANNA,
    DAY,
    FIRST,
    GERMANY,
    HOUR,
    NOON,
    ORDER,
    a_shop,
    confirmed,
    delivered,
    line,
    names,
    refused,
    reject,
    sent,
    shipped,
    the,
)

PENDING = PaymentState.PENDING
ELSEWHERE = Sealed("key-anna", b"Anna, Oak Street 2")


# --- payment --------------------------------------------------------------------------------------


def test_the_payment_releases_the_hold_that_waited_for_it_and_confirms():
    scenario = a_shop()
    scenario.place(payment=PENDING)
    assert scenario.holds() == [HoldReason.AWAITING_PAYMENT]
    facts = scenario.pay()
    assert names(facts)[:3] == ["payment_changed", "hold_released", "confirmed"]
    assert scenario.stock().committed == 3


def test_the_same_payment_again_records_nothing():
    scenario = confirmed()
    assert scenario.pay() == []


def test_money_that_came_before_the_order_counts_from_its_placing():
    scenario = a_shop()
    scenario.place(payment=PENDING)
    facts = scenario.pay(at=NOON - 30 * DAY)
    paid = the(PaymentChanged, facts)
    assert (paid.at, paid.told_at) == (NOON, NOON - 30 * DAY)
    assert paid.warnings == ("2026-01-31 12:00Z is before the order was placed, from when it counts",)
    assert (scenario.order().confirmed_at, scenario.supplier_order().drafted_at) == (NOON, NOON)
    assert scenario.pay(at=NOON - 30 * DAY) == []


def test_of_payment_states_from_before_the_order_the_later_counts():
    scenario = a_shop()
    scenario.place(payment=PENDING)
    scenario.pay(PaymentState.FAILED, at=NOON - HOUR)
    assert the(PaymentChanged, scenario.pay(at=NOON - 2 * HOUR)).outdated
    assert (scenario.order().payment, scenario.order().confirmed_at) == (PaymentState.FAILED, None)


def test_details_and_their_payment_of_before_the_order_count_from_its_placing():
    scenario = a_shop()
    scenario.place(line(1, "", 3), payment=PENDING)
    facts = scenario.complete(line(1, "tea", 3), payment=PaymentState.PAID, at=NOON - DAY)
    assert {fact.at for fact in facts if isinstance(fact, (DetailsCompleted, PaymentChanged))} == {NOON}
    assert [fact.told_at for fact in facts if isinstance(fact, (DetailsCompleted, PaymentChanged))] == [NOON - DAY] * 2
    assert scenario.order().confirmed_at == NOON


def test_a_hold_of_before_the_order_counts_from_its_placing_and_so_does_its_end():
    scenario = confirmed()
    held = the(HoldPlaced, scenario.hold(HoldReason.FRAUD_REVIEW, at=NOON - DAY))
    assert (held.at, held.hold.at, held.told_at) == (NOON, NOON, NOON - DAY)
    assert scenario.hold(HoldReason.FRAUD_REVIEW, at=NOON - DAY) == []
    ended = the(HoldReleased, scenario.release(HoldReason.FRAUD_REVIEW, at=NOON - HOUR))
    assert (ended.at, ended.told_at) == (NOON, NOON - HOUR)
    assert ended.warnings == ("2026-03-02 11:00Z is before the order was placed, from when it counts",)


def test_nothing_is_ruled_rerouted_or_readdressed_before_the_order_was_placed():
    scenario = sent()
    with refused(BeforePlacing, "shopify/1 was placed 2026-03-02 12:00Z"):
        rerouting.reroute(scenario.book, ORDER, FIRST, {}, Cause(None, "mia", ""), NOON - DAY, NOON)
    with refused(BeforePlacing, "shopify/1 was placed 2026-03-02 12:00Z"):
        intake.change_address(scenario.book, AddressChanged(ORDER, ELSEWHERE, GERMANY, NOON - DAY), NOON)


def test_an_authorised_payment_keeps_the_order_waiting():
    scenario = a_shop()
    scenario.place(payment=PENDING)
    assert names(scenario.pay(PaymentState.AUTHORISED)) == ["payment_changed"]
    assert scenario.holds() == [HoldReason.AWAITING_PAYMENT]


def test_money_that_goes_back_before_confirmation_holds_the_order_again():
    scenario = a_shop(tea=1)
    scenario.place(line(1, "tea", 3))
    scenario.pay(PaymentState.REFUNDED)
    assert HoldReason.AWAITING_PAYMENT in scenario.holds()


def test_a_payment_state_that_was_missing_completes_the_order():
    scenario = a_shop()
    scenario.place(payment=PaymentState.UNKNOWN)
    scenario.pay(PENDING)
    assert scenario.holds() == [HoldReason.AWAITING_PAYMENT]
    scenario.pay()
    assert scenario.header() is Header.CONFIRMED


def test_a_refund_of_a_cancelled_order_holds_nothing():
    scenario = a_shop(tea=1)
    scenario.place(line(1, "tea", 3))
    scenario.cancel()
    assert names(scenario.pay(PaymentState.REFUNDED)) == ["payment_changed"]


def test_a_payment_leaves_a_hold_on_one_supplier_order_alone():
    scenario = confirmed(line(1, "tea", 1))
    scenario.pay(PaymentState.FAILED)
    scenario.hold(HoldReason.AWAITING_PAYMENT, supplier_order_id=FIRST)
    assert names(scenario.pay()) == ["payment_changed", "hold_released"]
    assert [(hold.reason, hold.supplier_order_id) for hold in scenario.order().holds] == [
        (HoldReason.AWAITING_PAYMENT, FIRST)
    ]


# --- the address ----------------------------------------------------------------------------------


@pytest.mark.parametrize("sequence", list(permutations(range(4))))
def test_of_addresses_recorded_in_any_order_the_newest_counts(sequence: tuple[int, ...]):
    scenario = sent()
    scenario.later(days=1)
    addresses = [(ELSEWHERE, "FR"), (ANNA, "DE"), (ELSEWHERE, "IT"), (ELSEWHERE, "FR")]
    for hour in sequence:
        customer, country = addresses[hour]
        facts = scenario.change_address(customer, Destination(country), at=NOON + hour * HOUR)
        assert all(bool(fact.warnings) == fact.outdated for fact in facts if isinstance(fact, AddressChanged))
    order = scenario.order()
    assert (order.customer, order.destination, order.address_at) == (ELSEWHERE, Destination("FR"), NOON + 3 * HOUR)


def test_an_older_address_moves_no_promise_and_whose_it_was_can_be_erased():
    scenario = sent(subject="anna")
    scenario.later(days=1)
    scenario.change_address(ELSEWHERE, Destination("FR"))
    older = AddressChanged(ORDER, ELSEWHERE, Destination("US"), NOON, subject="ben")
    scenario.record(intake.change_address(scenario.book, older, scenario.now))
    assert (scenario.order().destination.country, scenario.order().subjects) == ("FR", ("ben", "anna"))


@pytest.mark.parametrize("address_first", [True, False])
def test_an_address_among_details_counts_by_its_time_too(address_first: bool):
    scenario = a_shop()
    scenario.place(customer=None, has_address=False, payment=PENDING)
    scenario.later(days=1)
    steps = [
        lambda: scenario.change_address(ELSEWHERE, Destination("FR"), at=NOON + 2 * HOUR),
        lambda: scenario.complete(
            customer=ANNA, has_contact=True, has_address=True, destination=GERMANY, at=NOON + HOUR, subject="anna"
        ),
    ]
    for each in steps if address_first else reversed(steps):
        each()
    assert (scenario.order().customer, scenario.order().destination) == (ELSEWHERE, Destination("FR"))


def test_an_address_that_was_missing_completes_the_order():
    scenario = a_shop()
    scenario.place(customer=None, has_address=False)
    scenario.change_address(ANNA, GERMANY)
    assert scenario.header() is Header.CONFIRMED


# --- delivery, receipt, review, completion --------------------------------------------------------


def test_the_header_follows_the_units():
    scenario = sent(line(1, "tea", 2), line(2, "mug", 1))
    scenario.ship({1: 1}, number="P1")
    assert scenario.header() is Header.PARTLY_DISPATCHED
    scenario.ship(number="P2")
    assert scenario.header() is Header.DISPATCHED
    scenario.scan(ParcelStatus.DELIVERED, number="P1")
    assert scenario.header() is Header.PARTLY_DELIVERED
    scenario.scan(ParcelStatus.DELIVERED, number="P2")
    assert scenario.header() is Header.DELIVERED


def test_what_was_rejected_is_open_again():
    scenario = sent()
    scenario.answer({1: reject(3)})
    assert scenario.buckets() == {"open": 3}


def test_a_receipt_delivers_all_that_was_dispatched():
    scenario = shipped()
    assert names(scenario.receive()) == ["units_delivered", "receipt_confirmed"]
    assert scenario.header() is Header.DELIVERED
    assert scenario.receive() == []


def test_a_receipt_before_dispatch_is_refused():
    with refused(NotDispatched, "shopify/1 is confirmed; a receipt is confirmed after dispatch", status="confirmed"):
        confirmed().receive()


def test_a_receipt_can_be_confirmed_again_for_a_later_parcel_and_after_a_dispute():
    scenario = sent(line(1, "tea", 3))
    scenario.ship({1: 1})
    scenario.receive()
    scenario.ship(number="P2")
    scenario.receive()
    assert scenario.buckets() == {"delivered": 3}
    scenario.scan(ParcelStatus.DELIVERED)
    scenario.dispute()
    assert scenario.buckets() == {"delivered": 2, "shipped": 1}
    scenario.receive()
    assert scenario.buckets() == {"delivered": 3}


def test_a_review_is_recorded_once():
    scenario = delivered()
    assert names(scenario.review(4)) == ["reviewed"]
    assert scenario.review(4) == []
    with refused(ReviewDiffers, "review r1 was recorded with 4 stars", score=4):
        scenario.review(1)
    assert names(scenario.review(1, "r2")) == ["reviewed"]


def test_an_order_is_completed_when_its_return_window_closes():
    scenario = delivered()
    scenario.later(days=13, hours=23)
    assert scenario.close_window() == []
    scenario.later(hours=1)
    assert names(scenario.close_window()) == ["completed"]
    assert scenario.header() is Header.COMPLETED
    assert scenario.close_window() == []


def test_an_order_with_a_unit_under_way_is_not_completed():
    scenario = sent(line(1, "tea", 2))
    scenario.ship({1: 1})
    scenario.scan(ParcelStatus.DELIVERED)
    scenario.later(days=40)
    assert scenario.close_window() == []


def test_the_window_is_that_of_the_policy_when_the_order_was_placed():
    assert confirmed().order().placed.return_window_days == 14


def test_an_unknown_order_has_no_window():
    assert a_shop().close_window() == []
