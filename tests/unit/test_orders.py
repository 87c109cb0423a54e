"""An order's payment, address, delivery, receipt, review and completion."""

from __future__ import annotations

from itertools import permutations

import pytest

from ledger.decisions import intake, rerouting
from ledger.decisions.rerouting import Cause
from ledger.facts import Sealed
from ledger.nouns.orders import (
    AddressChanged,
    AlreadyPacked,
    BeforePlacing,
    DetailsCompleted,
    Header,
    HoldPlaced,
    HoldReason,
    HoldReleased,
    NotDispatched,
    OrderClosed,
    PaymentChanged,
    PaymentState,
    ReviewDiffers,
)
from ledger.nouns.parcels import ParcelStatus
from ledger.terms.places import Destination
from tests.support.story import (
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
    story = a_shop()
    story.place(payment=PENDING)
    assert story.holds() == [HoldReason.AWAITING_PAYMENT]
    facts = story.pay()
    assert names(facts)[:3] == ["payment_changed", "hold_released", "confirmed"]
    assert story.stock().committed == 3


def test_the_same_payment_again_records_nothing():
    story = confirmed()
    assert story.pay() == []


def test_money_that_came_before_the_order_counts_from_its_placing():
    story = a_shop()
    story.place(payment=PENDING)
    facts = story.pay(at=NOON - 30 * DAY)
    paid = the(PaymentChanged, facts)
    assert (paid.at, paid.told_at) == (NOON, NOON - 30 * DAY)
    assert paid.warnings == ("2026-01-31 12:00Z is before the order was placed, from when it counts",)
    assert (story.order().confirmed_at, story.supplier_order().drafted_at) == (NOON, NOON)
    assert story.pay(at=NOON - 30 * DAY) == []


def test_of_what_is_said_of_the_money_before_the_order_the_later_counts():
    story = a_shop()
    story.place(payment=PENDING)
    story.pay(PaymentState.FAILED, at=NOON - HOUR)
    assert the(PaymentChanged, story.pay(at=NOON - 2 * HOUR)).outdated
    assert (story.order().payment, story.order().confirmed_at) == (PaymentState.FAILED, None)


def test_details_and_their_payment_of_before_the_order_count_from_its_placing():
    story = a_shop()
    story.place(line(1, "", 3), payment=PENDING)
    facts = story.complete(line(1, "tea", 3), payment=PaymentState.PAID, at=NOON - DAY)
    assert {fact.at for fact in facts if isinstance(fact, (DetailsCompleted, PaymentChanged))} == {NOON}
    assert [fact.told_at for fact in facts if isinstance(fact, (DetailsCompleted, PaymentChanged))] == [NOON - DAY] * 2
    assert story.order().confirmed_at == NOON


def test_a_hold_of_before_the_order_counts_from_its_placing_and_so_does_its_end():
    story = confirmed()
    held = the(HoldPlaced, story.hold(HoldReason.FRAUD_REVIEW, at=NOON - DAY))
    assert (held.at, held.hold.at, held.told_at) == (NOON, NOON, NOON - DAY)
    assert story.hold(HoldReason.FRAUD_REVIEW, at=NOON - DAY) == []
    ended = the(HoldReleased, story.release(HoldReason.FRAUD_REVIEW, at=NOON - HOUR))
    assert (ended.at, ended.told_at) == (NOON, NOON - HOUR)
    assert ended.warnings == ("2026-03-02 11:00Z is before the order was placed, from when it counts",)


def test_nothing_is_ruled_rerouted_or_readdressed_before_the_order_was_placed():
    story = sent()
    with refused(BeforePlacing, "shopify/1 was placed 2026-03-02 12:00Z"):
        rerouting.reroute(story.book, ORDER, FIRST, {}, Cause(None, "mia", ""), NOON - DAY, NOON)
    with refused(BeforePlacing, "shopify/1 was placed 2026-03-02 12:00Z"):
        intake.change_address(story.book, AddressChanged(ORDER, ELSEWHERE, GERMANY, NOON - DAY), NOON)


def test_an_authorised_payment_keeps_the_order_waiting():
    story = a_shop()
    story.place(payment=PENDING)
    assert names(story.pay(PaymentState.AUTHORISED)) == ["payment_changed"]
    assert story.holds() == [HoldReason.AWAITING_PAYMENT]


def test_money_that_goes_back_before_confirmation_holds_the_order_again():
    story = a_shop(tea=1)
    story.place(line(1, "tea", 3))
    story.pay(PaymentState.REFUNDED)
    assert HoldReason.AWAITING_PAYMENT in story.holds()


def test_a_payment_state_that_was_missing_completes_the_order():
    story = a_shop()
    story.place(payment=PaymentState.UNKNOWN)
    story.pay(PENDING)
    assert story.holds() == [HoldReason.AWAITING_PAYMENT]
    story.pay()
    assert story.header() is Header.CONFIRMED


def test_a_refund_of_a_cancelled_order_holds_nothing():
    story = a_shop(tea=1)
    story.place(line(1, "tea", 3))
    story.cancel()
    assert names(story.pay(PaymentState.REFUNDED)) == ["payment_changed"]


def test_a_payment_leaves_a_hold_on_one_supplier_order_alone():
    story = confirmed(line(1, "tea", 1))
    story.pay(PaymentState.FAILED)
    story.hold(HoldReason.AWAITING_PAYMENT, supplier_order_id=FIRST)
    assert names(story.pay()) == ["payment_changed", "hold_released"]
    assert [(hold.reason, hold.supplier_order_id) for hold in story.order().holds] == [
        (HoldReason.AWAITING_PAYMENT, FIRST)
    ]


# --- the address ----------------------------------------------------------------------------------


def test_the_address_changes_before_packing():
    story = sent()
    assert names(story.change_address(ELSEWHERE, Destination("FR"))) == ["address_changed"]
    assert story.order().destination.country == "FR"
    assert story.change_address(ELSEWHERE, Destination("FR")) == []


@pytest.mark.parametrize("told", list(permutations(range(4))))
def test_of_addresses_told_in_any_order_the_newest_counts(told: tuple[int, ...]):
    story = sent()
    story.later(days=1)
    said = [(ELSEWHERE, "FR"), (ANNA, "DE"), (ELSEWHERE, "IT"), (ELSEWHERE, "FR")]
    for hour in told:
        customer, country = said[hour]
        facts = story.change_address(customer, Destination(country), at=NOON + hour * HOUR)
        assert all(bool(fact.warnings) == fact.outdated for fact in facts if isinstance(fact, AddressChanged))
    order = story.order()
    assert (order.customer, order.destination, order.address_at) == (ELSEWHERE, Destination("FR"), NOON + 3 * HOUR)


def test_an_older_address_moves_no_promise_and_whose_it_was_can_be_erased():
    story = sent(subject="anna")
    story.later(days=1)
    story.change_address(ELSEWHERE, Destination("FR"))
    older = AddressChanged(ORDER, ELSEWHERE, Destination("US"), NOON, subject="ben")
    story.record(intake.change_address(story.book, older, story.now))
    assert (story.order().destination.country, story.order().subjects) == ("FR", ("ben", "anna"))


@pytest.mark.parametrize("address_first", [True, False])
def test_an_address_among_details_counts_by_its_time_too(address_first: bool):
    story = a_shop()
    story.place(customer=None, has_address=False, payment=PENDING)
    story.later(days=1)
    tell = [
        lambda: story.change_address(ELSEWHERE, Destination("FR"), at=NOON + 2 * HOUR),
        lambda: story.complete(
            customer=ANNA, has_contact=True, has_address=True, destination=GERMANY, at=NOON + HOUR, subject="anna"
        ),
    ]
    for each in tell if address_first else reversed(tell):
        each()
    assert (story.order().customer, story.order().destination) == (ELSEWHERE, Destination("FR"))


def test_the_address_does_not_change_after_packing():
    story = sent()
    story.pack("logo_label")
    with refused(AlreadyPacked, "shopify/1/1 is packed", supplier_order_id=FIRST):
        story.change_address(ELSEWHERE, Destination("FR"))


def test_the_address_does_not_change_after_shipping_or_delivery():
    with refused(AlreadyPacked, "the address can change only before packing"):
        shipped().change_address(ELSEWHERE, GERMANY)
    with refused(OrderClosed, "shopify/1 is delivered"):
        delivered().change_address(ELSEWHERE, GERMANY)


def test_an_address_that_was_missing_completes_the_order():
    story = a_shop()
    story.place(customer=None, has_address=False)
    story.change_address(ANNA, GERMANY)
    assert story.header() is Header.CONFIRMED


# --- delivery, receipt, review, completion --------------------------------------------------------


def test_the_header_follows_the_units():
    story = sent(line(1, "tea", 2), line(2, "mug", 1))
    story.ship({1: 1}, number="P1")
    assert story.header() is Header.PARTLY_DISPATCHED
    story.ship(number="P2")
    assert story.header() is Header.DISPATCHED
    story.scan(ParcelStatus.DELIVERED, number="P1")
    assert story.header() is Header.PARTLY_DELIVERED
    story.scan(ParcelStatus.DELIVERED, number="P2")
    assert story.header() is Header.DELIVERED


def test_what_was_rejected_is_open_again():
    story = sent()
    story.answer({1: reject(3)})
    assert story.buckets() == {"open": 3}


def test_a_receipt_delivers_all_that_was_dispatched():
    story = shipped()
    assert names(story.receive()) == ["units_delivered", "receipt_confirmed"]
    assert story.header() is Header.DELIVERED
    assert story.receive() == []


def test_a_receipt_before_dispatch_is_refused():
    with refused(NotDispatched, "shopify/1 is confirmed; a receipt is confirmed after dispatch", status="confirmed"):
        confirmed().receive()


def test_a_receipt_can_be_confirmed_again_for_a_later_parcel_and_after_a_dispute():
    story = sent(line(1, "tea", 3))
    story.ship({1: 1})
    story.receive()
    story.ship(number="P2")
    story.receive()
    assert story.buckets() == {"delivered": 3}
    story.scan(ParcelStatus.DELIVERED)
    story.dispute()
    assert story.buckets() == {"delivered": 2, "shipped": 1}
    story.receive()
    assert story.buckets() == {"delivered": 3}


def test_a_review_is_recorded_once():
    story = delivered()
    assert names(story.review(4)) == ["reviewed"]
    assert story.review(4) == []
    with refused(ReviewDiffers, "review r1 was recorded with 4 stars", score=4):
        story.review(1)
    assert names(story.review(1, "r2")) == ["reviewed"]


def test_an_order_is_completed_when_its_return_window_closes():
    story = delivered()
    story.later(days=13, hours=23)
    assert story.close_window() == []
    story.later(hours=1)
    assert names(story.close_window()) == ["completed"]
    assert story.header() is Header.COMPLETED
    assert story.close_window() == []


def test_an_order_with_a_unit_under_way_is_not_completed():
    story = sent(line(1, "tea", 2))
    story.ship({1: 1})
    story.scan(ParcelStatus.DELIVERED)
    story.later(days=40)
    assert story.close_window() == []


def test_the_window_is_that_of_the_policy_when_the_order_was_placed():
    assert confirmed().order().placed.return_window_days == 14


def test_an_unknown_order_has_no_window():
    assert a_shop().close_window() == []
