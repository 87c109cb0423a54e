"""Orders: intake, holds, payment, confirmation, address, delivery, receipt, completion."""

from itertools import permutations

import pytest

from ledger.decisions import intake, rerouting
from ledger.decisions.rerouting import Cause, NoQualifiedSupplier
from ledger.facts import Sealed
from ledger.nouns import orders
from ledger.nouns.orders import (
    AddressChanged,
    AlreadyPacked,
    BeforePlacing,
    DetailsCompleted,
    Header,
    Hold,
    HoldPlaced,
    HoldReason,
    HoldReleased,
    NotConfirmable,
    NotDispatched,
    OrderClosed,
    OrderConfirmed,
    OrderIsConfirmed,
    OrderOnHold,
    OrderPlaced,
    OrderPlacedDifferently,
    PaymentChanged,
    PaymentState,
    ReceivedTooEarly,
    ReviewDiffers,
    StillIncomplete,
    UnitsBackordered,
    UnknownHold,
    UnknownOrder,
)
from ledger.nouns.orders.supplier_orders import (
    Oddity,
    SupplierOrderDrafted,
    SupplierOrderPacked,
    SupplierOrderShipped,
    UnknownSupplierOrder,
)
from ledger.nouns.parcels import ParcelStatus
from ledger.nouns.stock import OutOfStock
from ledger.nouns.suppliers import SupplierNotApproved, UnknownSupplier
from ledger.terms.money import MOST_MINOR, TotalTooLarge
from ledger.terms.places import Destination
from tests.support.story import (
    ANNA,
    DAY,
    FIRST,
    GERMANY,
    HOUR,
    NOON,
    ORDER,
    SECOND,
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


# --- holds ----------------------------------------------------------------------------------------


def test_holds_are_a_set_and_releasing_one_leaves_the_others():
    story = a_shop()
    story.place(payment=PENDING)
    story.hold(HoldReason.FRAUD_REVIEW)
    story.hold(HoldReason.FRAUD_REVIEW, owner="tom")
    story.release(HoldReason.FRAUD_REVIEW, owner="mia")
    assert [(hold.reason, hold.owner) for hold in story.order().holds] == [
        (HoldReason.AWAITING_PAYMENT, "ledger"),
        (HoldReason.FRAUD_REVIEW, "tom"),
    ]


def test_the_same_hold_again_records_nothing_and_another_figure_replaces_it():
    story = confirmed()
    story.hold(HoldReason.BAD_ADDRESS)
    assert story.hold(HoldReason.BAD_ADDRESS) == []
    better = Hold(HoldReason.BAD_ADDRESS, "mia", story.now, missing=("postal_code",))
    assert names(orders.place_hold(story.order(), better)) == ["hold_placed"]
    assert len(orders.evolve(story.order(), HoldPlaced("shopify/1", better, story.now)).holds) == 1


def test_releasing_without_an_owner_ends_the_holds_of_all_owners():
    story = confirmed()
    story.hold(HoldReason.OTHER, owner="mia")
    story.hold(HoldReason.OTHER, owner="tom")
    story.release(HoldReason.OTHER)
    assert story.holds() == []


def test_a_hold_that_does_not_stand_cannot_be_released():
    story = confirmed()
    with refused(UnknownHold, "shopify/1 has no hold fraud_review of mia", hold="fraud_review", owner="mia"):
        story.release(HoldReason.FRAUD_REVIEW, owner="mia")
    with refused(UnknownSupplierOrder, "no supplier order shopify/1/9"):
        story.release(HoldReason.FRAUD_REVIEW, supplier_order_id="shopify/1/9")


def test_an_incomplete_order_is_not_released_by_hand():
    story = a_shop()
    story.place(line(1, "", 1))
    with refused(StillIncomplete, "still lacks lines.0..sku", missing="lines[0].sku"):
        story.release(HoldReason.INCOMPLETE)


def test_an_order_out_of_stock_is_not_released_before_there_is_stock():
    story = a_shop(tea=1)
    story.place(line(1, "tea", 3))
    with refused(OutOfStock, "tea of acme: 3 asked, 1 available"):
        story.release(HoldReason.OUT_OF_STOCK)
    story.feed(3)
    story.release(HoldReason.OUT_OF_STOCK)
    assert story.header() is Header.CONFIRMED


def test_stock_that_came_back_is_reserved_even_while_the_payment_is_awaited():
    story = a_shop(tea=1)
    story.place(line(1, "tea", 3), payment=PENDING)
    story.feed(3)
    story.release(HoldReason.OUT_OF_STOCK)
    assert story.holds() == [HoldReason.AWAITING_PAYMENT]
    assert story.stock().held == 3


def test_nothing_is_sent_while_a_hold_stands():
    story = confirmed()
    story.hold(HoldReason.FRAUD_REVIEW)
    with refused(OrderOnHold, "shopify/1 is on hold: fraud_review", holds="fraud_review"):
        story.send()
    story.release(HoldReason.FRAUD_REVIEW)
    assert names(story.send()) == ["supplier_order_sent"]


def test_what_was_packed_and_left_under_a_hold_is_recorded_and_the_hold_stands():
    story = sent()
    story.hold(HoldReason.CUSTOMER_REQUEST)
    assert the(SupplierOrderPacked, story.pack("logo_label")).oddities == (Oddity.ON_HOLD,)
    assert the(SupplierOrderShipped, story.ship()).oddities == (Oddity.ON_HOLD,)
    assert (story.buckets(), story.header()) == ({"shipped": 3}, Header.ON_HOLD)
    assert [each.oddities for each in story.order().shipments] == [(Oddity.ON_HOLD,)]


def test_nothing_was_received_before_it_was_ordered():
    story = shipped()
    with refused(ReceivedTooEarly, "order shopify/1 was placed 2026-03-02 12:00Z and cannot have been received"):
        story.receive(at=NOON - 195 * DAY)
    assert story.buckets() == {"shipped": 3}


def test_what_left_before_the_hold_did_not_leave_under_it():
    story = sent()
    story.later(hours=2)
    story.hold(HoldReason.CUSTOMER_REQUEST)
    assert the(SupplierOrderShipped, story.ship(at=NOON + HOUR)).oddities == ()


@pytest.mark.parametrize(("hours", "odd"), [(1, ()), (2, (Oddity.ON_HOLD,)), (3, (Oddity.ON_HOLD,)), (4, ())])
@pytest.mark.parametrize("scope", ["", FIRST])
def test_what_left_under_a_hold_is_odd_also_once_the_hold_has_ended(hours: int, odd: tuple[Oddity, ...], scope: str):
    story = sent()
    story.later(hours=2)
    story.hold(HoldReason.CUSTOMER_REQUEST, supplier_order_id=scope)
    story.later(hours=2)
    story.release(HoldReason.CUSTOMER_REQUEST, supplier_order_id=scope)
    assert the(SupplierOrderShipped, story.ship(at=NOON + hours * HOUR)).oddities == odd


@pytest.mark.parametrize(
    ("hours", "odd"), [(0, ()), (-72, ()), (-73, (Oddity.TOO_EARLY,)), (-24 * 40, (Oddity.TOO_EARLY,))]
)
def test_a_dispatch_at_a_time_that_cannot_be_right_is_recorded_as_odd(hours: int, odd: tuple[Oddity, ...]):
    story = confirmed()
    story.later(days=30)
    story.send()
    assert the(SupplierOrderShipped, story.ship(at=story.now + hours * HOUR)).oddities == odd


def test_a_hold_on_one_supplier_order_lets_the_others_go():
    story = confirmed(line(1, "tea", 1), line(2, "ink", 1, "bolt"))
    story.hold(HoldReason.OTHER, supplier_order_id=FIRST)
    with refused(OrderOnHold, "other"):
        story.send(FIRST)
    story.send(SECOND)
    assert the(SupplierOrderShipped, story.ship(supplier_order_id=SECOND)).oddities == ()


def test_a_delivered_order_cannot_be_held():
    story = delivered()
    with refused(OrderClosed, "shopify/1 is delivered", status="delivered"):
        story.hold(HoldReason.OTHER)


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
