"""Placing to confirmation: what an order lacks, what it reserves, and what is drafted from it."""

from __future__ import annotations

import pytest

from ledger.decisions.rerouting import NoQualifiedSupplier
from ledger.facts import Sealed
from ledger.nouns import orders
from ledger.nouns.orders import (
    Header,
    HoldReason,
    NotConfirmable,
    OrderClosed,
    OrderConfirmed,
    OrderIsConfirmed,
    OrderOnHold,
    OrderPlaced,
    OrderPlacedDifferently,
    PaymentState,
    UnitsBackordered,
    UnknownOrder,
)
from ledger.nouns.orders.supplier_orders import SupplierOrderDrafted
from ledger.nouns.stock import OutOfStock
from ledger.nouns.suppliers import SupplierNotApproved, UnknownSupplier
from ledger.terms.money import MOST_MINOR, TotalTooLarge
from ledger.terms.places import Destination
from tests.support.story import (
    ANNA,
    DAY,
    FIRST,
    GERMANY,
    NOON,
    SECOND,
    a_shop,
    confirmed,
    line,
    names,
    refused,
    sent,
    the,
)

PENDING = PaymentState.PENDING
ELSEWHERE = Sealed("key-anna", b"Anna, Oak Street 2")


# --- intake ---------------------------------------------------------------------------------------


def test_a_paid_order_with_stock_is_confirmed_at_once():
    story = a_shop(tea=10)
    facts = story.place(line(1, "tea", 3))
    assert names(facts) == ["placed", "confirmed", "supplier_order_drafted", "reserved", "reservation_committed"]
    assert the(OrderConfirmed, facts).by == "ledger"
    assert story.header() is Header.CONFIRMED
    assert story.buckets() == {"assigned": 3}
    assert story.stock().available == 7


def test_the_same_order_again_records_nothing():
    story = confirmed()
    assert story.place() == []


def test_the_same_number_with_other_content_is_refused():
    story = confirmed()
    with refused(OrderPlacedDifferently, "shopify/1 was placed already with other content", order_id="shopify/1"):
        story.place(intake="another hash")


def test_an_order_that_is_incomplete_is_held_and_the_hold_names_what_is_missing():
    story = a_shop()
    story.place(
        line(1, "", 3),
        line(2, "tea", 0),
        line(3, "tea", 1, supplier_id=""),
        customer=None,
        has_contact=False,
        has_address=False,
        payment=PaymentState.UNKNOWN,
    )
    assert story.header() is Header.ON_HOLD
    (hold,) = story.order().holds
    assert hold.reason is HoldReason.INCOMPLETE
    assert hold.missing == (
        "lines[0].sku",
        "lines[1].quantity",
        "lines[2].supplier_id",
        "ship_to",
        "customer",
        "payment",
    )


def test_an_order_without_lines_is_held_for_them_and_may_be_cancelled():
    story = a_shop()
    story.place(line(1, "tea", 1), order_id="shopify/2")
    story.record([("order-shopify/1", OrderPlaced("shopify/1", "shopify", "1", NOON, "EUR", (), NOON))])
    assert orders.missing_fields(story.order())[0] == "lines"
    assert names(story.cancel()) == ["units_cancelled"]
    assert story.header() is Header.CANCELLED


def test_completing_some_of_what_is_missing_leaves_the_hold_with_the_rest():
    story = a_shop()
    story.place(line(1, "tea", 3), customer=None, has_address=False, has_contact=False)
    story.complete(customer=ANNA, has_address=True, destination=GERMANY)
    assert story.order().holds[0].missing == ("customer",)


def test_completing_all_that_is_missing_confirms_a_paid_order():
    story = a_shop()
    story.place(line(1, "", 3))
    facts = story.complete(line(1, "tea", 3))
    assert names(facts)[:4] == ["details_completed", "hold_released", "confirmed", "supplier_order_drafted"]
    assert story.buckets() == {"assigned": 3}
    assert story.stock().available == 7


def test_completing_with_the_same_again_records_nothing():
    story = a_shop()
    story.place(line(1, "tea", 3), payment=PENDING)
    assert story.complete(line(1, "tea", 3), customer=ANNA, destination=GERMANY, currency="EUR") == []


def test_completing_an_order_replaces_what_was_reserved_for_its_old_lines():
    story = a_shop(tea=10, mug=4)
    story.place(line(1, "tea", 3), payment=PENDING)
    assert story.stock("tea").available == 7
    story.complete(line(1, "mug", 2))
    assert (story.stock("tea").available, story.stock("mug").available) == (10, 2)


def test_a_smaller_line_gives_its_surplus_back_even_when_another_line_lacks():
    story = a_shop(tea=10, mug=4)
    story.place(line(1, "tea", 5), line(2, "mug", 1), payment=PENDING)
    story.complete(line(1, "tea", 2), line(2, "mug", 9))
    assert HoldReason.OUT_OF_STOCK in story.holds()
    assert story.stock("tea").available == 8


def test_units_that_were_cancelled_stay_cancelled_when_their_line_is_completed():
    story = a_shop()
    story.place(line(1, "tea", 3), payment=PENDING)
    story.cancel({1: 2})
    story.complete(line(1, "tea", 3, title="Green tea"))
    assert story.buckets() == {"open": 1, "cancelled": 2}


def test_a_line_that_was_cancelled_needs_nothing_to_be_complete():
    story = a_shop()
    story.place(line(1, "tea", 3), line(2, "", 1))
    story.cancel({2: 1})
    story.release(HoldReason.INCOMPLETE)
    assert story.header() is Header.CONFIRMED


@pytest.mark.parametrize("more", [{"customer": ELSEWHERE}, {"destination": Destination("FR")}, {"currency": "USD"}])
def test_details_of_a_confirmed_order_do_not_change(more):
    story = confirmed()
    with refused(OrderIsConfirmed, "shopify/1 is confirmed"):
        story.complete(**more)
    with refused(OrderIsConfirmed, "shopify/1 is confirmed"):
        story.complete(line(1, "tea", 4))


def test_details_of_a_cancelled_order_are_refused():
    story = a_shop()
    story.place(payment=PENDING)
    story.cancel()
    with refused(OrderClosed, "shopify/1 is cancelled", status="cancelled"):
        story.complete(currency="USD")


def test_commands_for_an_unknown_order_are_refused():
    with refused(UnknownOrder, "there is no order shopify/9", order_id="shopify/9"):
        a_shop().pay(order_id="shopify/9")


# --- stock at intake ------------------------------------------------------------------------------


def test_an_order_beyond_the_stock_is_accepted_with_a_hold_that_names_lines_and_units():
    story = a_shop(tea=4)
    facts = story.place(line(1, "tea", 3), line(2, "tea", 3))
    assert names(facts) == ["placed", "awaited"]
    (hold,) = story.order().holds
    assert hold.reason is HoldReason.OUT_OF_STOCK
    assert hold.lacking == {2: 2}
    assert story.stock().available == 4


def test_all_or_nothing_refuses_with_the_figures_of_all_lines_of_the_sku():
    story = a_shop(tea=4)
    with refused(OutOfStock, "tea of acme: 6 asked, 4 available", asked_1=6, available_1=4):
        story.place(line(1, "tea", 3), line(2, "tea", 3), all_or_nothing=True)


def test_all_lines_are_reserved_together_or_none():
    story = a_shop(tea=10, mug=1)
    story.place(line(1, "tea", 3), line(2, "mug", 2))
    assert story.stock("tea").reservations == {}
    assert story.order().holds[0].lacking == {2: 1}


def test_an_unpaid_order_holds_its_stock_but_does_not_commit_it():
    story = a_shop(tea=10)
    assert names(story.place(payment=PENDING)) == ["placed", "reserved"]
    assert (story.stock().held, story.stock().committed) == (3, 0)


def test_a_sku_without_a_feed_is_accepted_and_the_order_says_that_nothing_is_promised():
    story = a_shop(tea=10)
    story.place(line(1, "tea", 3), line(2, "ink", 100, "bolt"))
    assert story.order().untracked == {2}
    assert story.header() is Header.CONFIRMED


def test_an_order_takes_over_what_its_cart_reserved():
    story = a_shop(tea=3)
    story.reserve("cart-7", 3)
    facts = story.place(line(1, "tea", 3), cart_id="cart-7")
    assert names(facts)[-3:] == ["reservation_released", "reserved", "reservation_committed"]
    assert list(story.stock().reservations) == ["shopify/1"]


def test_without_its_cart_the_same_order_would_lack_stock():
    story = a_shop(tea=3)
    story.reserve("cart-7", 3)
    story.place(line(1, "tea", 3))
    assert story.holds() == [HoldReason.OUT_OF_STOCK]


def test_a_cart_id_cannot_take_over_what_is_committed_to_another_order():
    story = a_shop(tea=3)
    story.place(line(1, "tea", 3))
    story.place(line(1, "tea", 3), order_id="shopify/2", cart_id="shopify/1")
    assert story.holds("shopify/2") == [HoldReason.OUT_OF_STOCK]
    assert list(story.stock().reservations) == ["shopify/1"]


def test_a_supplier_that_is_not_approved_gets_no_work_until_it_is():
    story = a_shop(tea=10)
    story.suspend("acme")
    story.place()
    assert story.holds() == [HoldReason.OTHER]
    with refused(SupplierNotApproved, "supplier acme is suspended, not approved", standing="suspended"):
        story.release(HoldReason.OTHER)
    story.reinstate("acme")
    story.release(HoldReason.OTHER)
    assert story.header() is Header.CONFIRMED


def test_what_costs_more_than_any_amount_may_be_waits_until_its_offer_is_corrected():
    story = a_shop(tea=10)
    story.offer(cost=MOST_MINOR // 2)
    story.place()
    (hold,) = story.order().holds
    assert (hold.reason, hold.lacking) == (HoldReason.OTHER, {1: 3})
    assert hold.missing == (
        "line 1: 15,000,000,000,000.00 EUR is too much to owe for it; correct the offer, then release the hold",
    )
    with refused(TotalTooLarge, "line 1 at supplier acme would be 15,000,000,000,000.00 EUR"):
        story.release(HoldReason.OTHER)
    story.offer(cost=MOST_MINOR // 3)
    story.release(HoldReason.OTHER)
    assert story.header() is Header.CONFIRMED


def test_a_person_cannot_confirm_what_costs_more_than_any_amount_may_be():
    story = a_shop(tea=10)
    story.place(payment=PaymentState.PENDING)
    story.release(HoldReason.AWAITING_PAYMENT)
    story.offer(cost=MOST_MINOR // 2)
    with refused(TotalTooLarge, "line 1 at supplier acme", total_minor=MOST_MINOR // 2 * 3):
        story.confirm()


def test_what_costs_more_than_any_amount_may_be_is_rerouted_to_nobody():
    story = sent()
    story.offer(cost=MOST_MINOR // 2, supplier_id="bolt")
    with refused(NoQualifiedSupplier, "bolt too dear"):
        story.reroute({1: 3}, to="bolt")


def test_an_unknown_supplier_gets_no_work():
    story = a_shop()
    story.place(line(1, "pen", 1, "nobody"))
    with refused(UnknownSupplier, "supplier nobody is not registered", supplier_id="nobody"):
        story.release(HoldReason.OTHER)


# --- confirmation ---------------------------------------------------------------------------------


def test_confirming_drafts_one_supplier_order_for_each_supplier():
    story = confirmed(line(1, "tea", 3), line(2, "ink", 2, "bolt"), line(3, "mug", 1), packing=("neutral_outside",))
    drafts = [fact for _, fact in story.log if isinstance(fact, SupplierOrderDrafted)]
    assert [(each.supplier_order_id, each.supplier_id, each.units) for each in drafts] == [
        (FIRST, "acme", {1: 3, 3: 1}),
        (SECOND, "bolt", {2: 2}),
    ]
    assert all(each.packing == ("neutral_outside",) for each in drafts)


def test_confirming_freezes_the_promise():
    story = confirmed(promised_by=NOON + 5 * DAY)
    assert story.order().promised_by == NOON + 5 * DAY


def test_a_person_confirms_what_is_not_paid_yet_once_the_hold_is_gone():
    story = a_shop()
    story.place(payment=PENDING)
    with refused(OrderOnHold, "awaiting_payment"):
        story.confirm()
    story.release(HoldReason.AWAITING_PAYMENT)
    assert story.header() is Header.RECEIVED
    assert the(OrderConfirmed, story.confirm()).by == "mia"
    assert story.stock().committed == 3


def test_confirming_twice_records_nothing():
    story = confirmed()
    assert story.confirm() == []


def test_an_order_without_open_units_cannot_be_confirmed():
    story = a_shop()
    story.place(payment=PENDING)
    story.cancel()
    with refused(NotConfirmable, "it has no open unit", why="it has no open unit"):
        story.confirm()


def test_a_person_may_let_what_lacks_wait_at_the_supplier():
    story = a_shop(tea=2)
    story.place(line(1, "tea", 5))
    facts = story.confirm(backorder_lacking=True)
    assert the(UnitsBackordered, facts).by_line == {1: 3}
    assert (the(SupplierOrderDrafted, facts).units, the(SupplierOrderDrafted, facts).backordered) == ({1: 2}, {1: 3})
    assert story.buckets() == {"assigned": 2, "backordered": 3}
    assert story.stock().reservations["shopify/1"].units == 2


def test_confirming_with_a_backorder_keeps_no_hold_on_stock_that_is_not_there():
    story = a_shop(tea=5)
    story.place(line(1, "tea", 5), payment=PENDING)
    story.feed(0)
    story.release(HoldReason.AWAITING_PAYMENT)
    story.confirm(backorder_lacking=True)
    assert story.buckets() == {"backordered": 5}
    assert story.stock().reservations == {}


def test_confirming_without_a_backorder_is_refused_where_stock_lacks():
    story = a_shop(tea=5)
    story.place(line(1, "tea", 5), payment=PENDING)
    story.feed(2)
    story.release(HoldReason.AWAITING_PAYMENT)
    with refused(OutOfStock, "tea of acme: 5 asked, 2 available"):
        story.confirm()


def test_an_expired_hold_is_taken_anew_at_confirmation_if_there_is_stock():
    story = a_shop(tea=5)
    story.place(line(1, "tea", 5), payment=PENDING)
    story.later(days=2)
    assert names(story.pay())[-3:] == ["reservation_released", "reserved", "reservation_committed"]


def test_an_expired_hold_that_was_given_to_another_order_holds_the_order():
    story = a_shop(tea=5)
    story.place(line(1, "tea", 5), payment=PENDING)
    story.later(days=2)
    story.expire("shopify/1")
    story.place(line(1, "tea", 5), order_id="shopify/2")
    story.pay()
    assert story.holds() == [HoldReason.OUT_OF_STOCK]
