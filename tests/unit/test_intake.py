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
from tests.support.scenario import (
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
    scenario = a_shop(tea=10)
    facts = scenario.place(line(1, "tea", 3))
    assert names(facts) == ["placed", "confirmed", "supplier_order_drafted", "reserved", "reservation_committed"]
    assert the(OrderConfirmed, facts).by == "ledger"
    assert scenario.header() is Header.CONFIRMED
    assert scenario.buckets() == {"assigned": 3}
    assert scenario.stock().available == 7


def test_the_same_order_again_records_nothing():
    scenario = confirmed()
    assert scenario.place() == []


def test_the_same_number_with_other_content_is_refused():
    scenario = confirmed()
    with refused(OrderPlacedDifferently, "shopify/1 was placed already with other content", order_id="shopify/1"):
        scenario.place(intake="another hash")


def test_an_order_that_is_incomplete_is_held_and_the_hold_names_what_is_missing():
    scenario = a_shop()
    scenario.place(
        line(1, "", 3),
        line(2, "tea", 0),
        line(3, "tea", 1, supplier_id=""),
        customer=None,
        has_contact=False,
        has_address=False,
        payment=PaymentState.UNKNOWN,
    )
    assert scenario.header() is Header.ON_HOLD
    (hold,) = scenario.order().holds
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
    scenario = a_shop()
    scenario.place(line(1, "tea", 1), order_id="shopify/2")
    scenario.record([("order-shopify/1", OrderPlaced("shopify/1", "shopify", "1", NOON, "EUR", (), NOON))])
    assert orders.missing_fields(scenario.order())[0] == "lines"
    assert names(scenario.cancel()) == ["units_cancelled"]
    assert scenario.header() is Header.CANCELLED


def test_completing_some_of_what_is_missing_leaves_the_hold_with_the_rest():
    scenario = a_shop()
    scenario.place(line(1, "tea", 3), customer=None, has_address=False, has_contact=False)
    scenario.complete(customer=ANNA, has_address=True, destination=GERMANY)
    assert scenario.order().holds[0].missing == ("customer",)


def test_completing_all_that_is_missing_confirms_a_paid_order():
    scenario = a_shop()
    scenario.place(line(1, "", 3))
    facts = scenario.complete(line(1, "tea", 3))
    assert names(facts)[:4] == ["details_completed", "hold_released", "confirmed", "supplier_order_drafted"]
    assert scenario.buckets() == {"assigned": 3}
    assert scenario.stock().available == 7


def test_completing_with_the_same_again_records_nothing():
    scenario = a_shop()
    scenario.place(line(1, "tea", 3), payment=PENDING)
    assert scenario.complete(line(1, "tea", 3), customer=ANNA, destination=GERMANY, currency="EUR") == []


def test_completing_an_order_replaces_what_was_reserved_for_its_old_lines():
    scenario = a_shop(tea=10, mug=4)
    scenario.place(line(1, "tea", 3), payment=PENDING)
    assert scenario.stock("tea").available == 7
    scenario.complete(line(1, "mug", 2))
    assert (scenario.stock("tea").available, scenario.stock("mug").available) == (10, 2)


def test_a_smaller_line_gives_its_surplus_back_even_when_another_line_lacks():
    scenario = a_shop(tea=10, mug=4)
    scenario.place(line(1, "tea", 5), line(2, "mug", 1), payment=PENDING)
    scenario.complete(line(1, "tea", 2), line(2, "mug", 9))
    assert HoldReason.OUT_OF_STOCK in scenario.holds()
    assert scenario.stock("tea").available == 8


def test_units_that_were_cancelled_stay_cancelled_when_their_line_is_completed():
    scenario = a_shop()
    scenario.place(line(1, "tea", 3), payment=PENDING)
    scenario.cancel({1: 2})
    scenario.complete(line(1, "tea", 3, title="Green tea"))
    assert scenario.buckets() == {"open": 1, "cancelled": 2}


def test_a_line_that_was_cancelled_needs_nothing_to_be_complete():
    scenario = a_shop()
    scenario.place(line(1, "tea", 3), line(2, "", 1))
    scenario.cancel({2: 1})
    scenario.release(HoldReason.INCOMPLETE)
    assert scenario.header() is Header.CONFIRMED


@pytest.mark.parametrize("more", [{"customer": ELSEWHERE}, {"destination": Destination("FR")}, {"currency": "USD"}])
def test_details_of_a_confirmed_order_do_not_change(more):
    scenario = confirmed()
    with refused(OrderIsConfirmed, "shopify/1 is confirmed"):
        scenario.complete(**more)
    with refused(OrderIsConfirmed, "shopify/1 is confirmed"):
        scenario.complete(line(1, "tea", 4))


def test_details_of_a_cancelled_order_are_refused():
    scenario = a_shop()
    scenario.place(payment=PENDING)
    scenario.cancel()
    with refused(OrderClosed, "shopify/1 is cancelled", status="cancelled"):
        scenario.complete(currency="USD")


def test_commands_for_an_unknown_order_are_refused():
    with refused(UnknownOrder, "there is no order shopify/9", order_id="shopify/9"):
        a_shop().pay(order_id="shopify/9")


# --- stock at intake ------------------------------------------------------------------------------


def test_an_order_beyond_the_stock_is_accepted_with_a_hold_that_names_lines_and_units():
    scenario = a_shop(tea=4)
    facts = scenario.place(line(1, "tea", 3), line(2, "tea", 3))
    assert names(facts) == ["placed", "awaited"]
    (hold,) = scenario.order().holds
    assert hold.reason is HoldReason.OUT_OF_STOCK
    assert hold.lacking == {2: 2}
    assert scenario.stock().available == 4


def test_all_or_nothing_refuses_with_the_figures_of_all_lines_of_the_sku():
    scenario = a_shop(tea=4)
    with refused(OutOfStock, "tea of acme: 6 asked, 4 available", asked_1=6, available_1=4):
        scenario.place(line(1, "tea", 3), line(2, "tea", 3), all_or_nothing=True)


def test_all_lines_are_reserved_together_or_none():
    scenario = a_shop(tea=10, mug=1)
    scenario.place(line(1, "tea", 3), line(2, "mug", 2))
    assert scenario.stock("tea").reservations == {}
    assert scenario.order().holds[0].lacking == {2: 1}


def test_an_unpaid_order_holds_its_stock_but_does_not_commit_it():
    scenario = a_shop(tea=10)
    assert names(scenario.place(payment=PENDING)) == ["placed", "reserved"]
    assert (scenario.stock().held, scenario.stock().committed) == (3, 0)


def test_a_sku_without_a_feed_is_accepted_and_the_order_says_that_nothing_is_promised():
    scenario = a_shop(tea=10)
    scenario.place(line(1, "tea", 3), line(2, "ink", 100, "bolt"))
    assert scenario.order().untracked == {2}
    assert scenario.header() is Header.CONFIRMED


def test_an_order_takes_over_what_its_cart_reserved():
    scenario = a_shop(tea=3)
    scenario.reserve("cart-7", 3)
    facts = scenario.place(line(1, "tea", 3), cart_id="cart-7")
    assert names(facts)[-3:] == ["reservation_released", "reserved", "reservation_committed"]
    assert list(scenario.stock().reservations) == ["shopify/1"]


def test_without_its_cart_the_same_order_would_lack_stock():
    scenario = a_shop(tea=3)
    scenario.reserve("cart-7", 3)
    scenario.place(line(1, "tea", 3))
    assert scenario.holds() == [HoldReason.OUT_OF_STOCK]


def test_a_cart_id_cannot_take_over_what_is_committed_to_another_order():
    scenario = a_shop(tea=3)
    scenario.place(line(1, "tea", 3))
    scenario.place(line(1, "tea", 3), order_id="shopify/2", cart_id="shopify/1")
    assert scenario.holds("shopify/2") == [HoldReason.OUT_OF_STOCK]
    assert list(scenario.stock().reservations) == ["shopify/1"]


def test_a_supplier_that_is_not_approved_gets_no_work_until_it_is():
    scenario = a_shop(tea=10)
    scenario.suspend("acme")
    scenario.place()
    assert scenario.holds() == [HoldReason.OTHER]
    with refused(SupplierNotApproved, "supplier acme is suspended, not approved", standing="suspended"):
        scenario.release(HoldReason.OTHER)
    scenario.reinstate("acme")
    scenario.release(HoldReason.OTHER)
    assert scenario.header() is Header.CONFIRMED


def test_what_costs_more_than_any_amount_may_be_waits_until_its_offer_is_corrected():
    scenario = a_shop(tea=10)
    scenario.offer(cost=MOST_MINOR // 2)
    scenario.place()
    (hold,) = scenario.order().holds
    assert (hold.reason, hold.lacking) == (HoldReason.OTHER, {1: 3})
    assert hold.missing == (
        "line 1: 15,000,000,000,000.00 EUR is too much to owe for it; correct the offer, then release the hold",
    )
    with refused(TotalTooLarge, "line 1 at supplier acme would be 15,000,000,000,000.00 EUR"):
        scenario.release(HoldReason.OTHER)
    scenario.offer(cost=MOST_MINOR // 3)
    scenario.release(HoldReason.OTHER)
    assert scenario.header() is Header.CONFIRMED


def test_a_person_cannot_confirm_what_costs_more_than_any_amount_may_be():
    scenario = a_shop(tea=10)
    scenario.place(payment=PaymentState.PENDING)
    scenario.release(HoldReason.AWAITING_PAYMENT)
    scenario.offer(cost=MOST_MINOR // 2)
    with refused(TotalTooLarge, "line 1 at supplier acme", total_minor=MOST_MINOR // 2 * 3):
        scenario.confirm()


def test_what_costs_more_than_any_amount_may_be_is_rerouted_to_nobody():
    scenario = sent()
    scenario.offer(cost=MOST_MINOR // 2, supplier_id="bolt")
    with refused(NoQualifiedSupplier, "bolt too dear"):
        scenario.reroute({1: 3}, to="bolt")


def test_an_unknown_supplier_gets_no_work():
    scenario = a_shop()
    scenario.place(line(1, "pen", 1, "nobody"))
    with refused(UnknownSupplier, "supplier nobody is not registered", supplier_id="nobody"):
        scenario.release(HoldReason.OTHER)


# --- confirmation ---------------------------------------------------------------------------------


def test_confirming_drafts_one_supplier_order_for_each_supplier():
    scenario = confirmed(line(1, "tea", 3), line(2, "ink", 2, "bolt"), line(3, "mug", 1), packing=("neutral_outside",))
    drafts = [fact for _, fact in scenario.log if isinstance(fact, SupplierOrderDrafted)]
    assert [(each.supplier_order_id, each.supplier_id, each.units) for each in drafts] == [
        (FIRST, "acme", {1: 3, 3: 1}),
        (SECOND, "bolt", {2: 2}),
    ]
    assert all(each.packing == ("neutral_outside",) for each in drafts)


def test_confirming_freezes_the_promise():
    scenario = confirmed(promised_by=NOON + 5 * DAY)
    assert scenario.order().promised_by == NOON + 5 * DAY


def test_a_person_confirms_what_is_not_paid_yet_once_the_hold_is_gone():
    scenario = a_shop()
    scenario.place(payment=PENDING)
    with refused(OrderOnHold, "awaiting_payment"):
        scenario.confirm()
    scenario.release(HoldReason.AWAITING_PAYMENT)
    assert scenario.header() is Header.RECEIVED
    assert the(OrderConfirmed, scenario.confirm()).by == "mia"
    assert scenario.stock().committed == 3


def test_confirming_twice_records_nothing():
    scenario = confirmed()
    assert scenario.confirm() == []


def test_an_order_without_open_units_cannot_be_confirmed():
    scenario = a_shop()
    scenario.place(payment=PENDING)
    scenario.cancel()
    with refused(NotConfirmable, "it has no open unit", why="it has no open unit"):
        scenario.confirm()


def test_a_person_may_let_what_lacks_wait_at_the_supplier():
    scenario = a_shop(tea=2)
    scenario.place(line(1, "tea", 5))
    facts = scenario.confirm(backorder_lacking=True)
    assert the(UnitsBackordered, facts).by_line == {1: 3}
    assert (the(SupplierOrderDrafted, facts).units, the(SupplierOrderDrafted, facts).backordered) == ({1: 2}, {1: 3})
    assert scenario.buckets() == {"assigned": 2, "backordered": 3}
    assert scenario.stock().reservations["shopify/1"].units == 2


def test_confirming_with_a_backorder_keeps_no_hold_on_stock_that_is_not_there():
    scenario = a_shop(tea=5)
    scenario.place(line(1, "tea", 5), payment=PENDING)
    scenario.feed(0)
    scenario.release(HoldReason.AWAITING_PAYMENT)
    scenario.confirm(backorder_lacking=True)
    assert scenario.buckets() == {"backordered": 5}
    assert scenario.stock().reservations == {}


def test_confirming_without_a_backorder_is_refused_where_stock_lacks():
    scenario = a_shop(tea=5)
    scenario.place(line(1, "tea", 5), payment=PENDING)
    scenario.feed(2)
    scenario.release(HoldReason.AWAITING_PAYMENT)
    with refused(OutOfStock, "tea of acme: 5 asked, 2 available"):
        scenario.confirm()


def test_an_expired_hold_is_taken_anew_at_confirmation_if_there_is_stock():
    scenario = a_shop(tea=5)
    scenario.place(line(1, "tea", 5), payment=PENDING)
    scenario.later(days=2)
    assert names(scenario.pay())[-3:] == ["reservation_released", "reserved", "reservation_committed"]


def test_an_expired_hold_that_was_given_to_another_order_holds_the_order():
    scenario = a_shop(tea=5)
    scenario.place(line(1, "tea", 5), payment=PENDING)
    scenario.later(days=2)
    scenario.expire("shopify/1")
    scenario.place(line(1, "tea", 5), order_id="shopify/2")
    scenario.pay()
    assert scenario.holds() == [HoldReason.OUT_OF_STOCK]
