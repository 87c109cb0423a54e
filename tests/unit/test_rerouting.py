"""Units that a supplier does not send go to the next one that qualifies (DOMAIN 1)."""

from __future__ import annotations

import pytest

from ledger.decisions.order_stock import waits_of
from ledger.decisions.rerouting import CannotReroute, NoQualifiedSupplier, NothingToReroute
from ledger.facts import LineNo
from ledger.nouns.choice import Against
from ledger.nouns.orders import HoldPlaced, HoldReason, UnitsCancelled, UnitsReserved, WhenUnavailable
from ledger.nouns.orders.supplier_orders import (
    CancelAgreed,
    CancelRequested,
    LineAnswer,
    Oddity,
    RejectReason,
    Stage,
    SupplierOrderDrafted,
    SupplierOrderShipped,
    UnknownLine,
    UnknownSupplierOrder,
)
from tests.support.market import alone, market
from tests.support.story import FIRST, HOUR, ORDER, SECOND, THIRD, Story, accept, line, names, refused, reject, the


def supplier_of(story: Story, supplier_order_id: str) -> str:
    return story.supplier_order(supplier_order_id).supplier_id


# --- units that the supplier rejects --------------------------------------------------------------


def test_rejected_units_go_to_the_next_supplier_in_the_same_command():
    story = market()
    facts = story.answer({1: reject(3, RejectReason.OUT_OF_STOCK)})
    assert names(facts) == [
        "supplier_order_acknowledged",
        "supplier_order_drafted",
        "reservation_released",
        "corrected",
        "reserved",
        "reservation_committed",
        "sold_out",
    ]
    drafted = the(SupplierOrderDrafted, facts)
    assert (drafted.supplier_order_id, drafted.supplier_id, drafted.units) == (SECOND, "bolt", {1: 3})
    assert (drafted.instead_of, drafted.because) == (FIRST, "rejected: out_of_stock")
    assert [(each.supplier_id, each.against) for each in drafted.choices[0].considered] == [
        ("bolt", None),
        ("cord", None),
        ("acme", Against.TURNED_DOWN),
    ]
    assert story.buckets() == {"assigned": 3}
    assert story.stock("tea", "bolt").available == 7
    assert ORDER not in story.stock("tea", "acme").reservations


def test_only_the_rejected_units_go_elsewhere():
    story = market()
    story.answer({1: LineAnswer(accepted=1, rejected=2, because=RejectReason.OTHER)})
    assert story.supplier_order(SECOND).count("pending") == 2
    story.ship()
    story.send(SECOND)
    story.ship(supplier_order_id=SECOND, number="P2")
    assert story.buckets() == {"shipped": 3}
    assert story.stock("tea", "acme").available == 9
    assert story.stock("tea", "bolt").available == 8


def test_nobody_is_asked_twice_for_units_that_it_turned_down():
    story = market()
    story.answer({1: reject(3)})
    story.send(SECOND)
    story.answer({1: reject(3)}, SECOND)
    assert supplier_of(story, THIRD) == "cord"
    story.send(THIRD)
    facts = story.answer({1: reject(3)}, THIRD)
    assert names(facts) == ["supplier_order_acknowledged", "hold_placed", "reservation_released"]
    assert story.buckets() == {"open": 3}


def test_a_line_waits_for_stock_only_at_the_supplier_that_sends_no_feed():
    story = market()
    story.approve("dock")
    story.offer(supplier_id="dock", cost=100)
    story.answer({1: reject(3)})
    story.send(SECOND)
    story.answer({1: LineAnswer(accepted=2, rejected=1, because=RejectReason.OTHER)}, SECOND)
    story.send(THIRD)
    story.answer({1: reject(1)}, THIRD)
    assert supplier_of(story, f"{ORDER}/4") == "dock"
    assert waits_of(story.order()) == {("dock", "tea"): 1}
    story.feed(10, supplier_id="dock")
    served = the(UnitsReserved, story.serve())
    assert (served.by_line, served.by_supplier) == ({1: 1}, {"dock": {1: 1}})
    assert waits_of(story.order()) == {}


def test_units_that_go_to_who_sends_no_feed_are_untracked_from_then_on():
    story = market()
    story.approve("dock")
    story.offer(supplier_id="dock", cost=100)
    story.answer({1: reject(3)})
    assert supplier_of(story, SECOND) == "bolt", "a known stock goes first"
    story.send(SECOND)
    story.answer({1: reject(3)}, SECOND)
    story.send(THIRD)
    story.answer({1: LineAnswer(accepted=1, rejected=2, because=RejectReason.OTHER)}, THIRD)
    assert supplier_of(story, f"{ORDER}/4") == "dock"
    assert story.order().untracked == {1}
    assert story.order().waiting_for_stock() == {1: 2}
    story.feed(10, supplier_id="dock")
    story.serve()
    assert story.stock("tea", "dock").reservations[ORDER].units == 2


def test_units_of_several_skus_go_to_one_supplier_order_where_one_has_them():
    story = market()
    story.offer("mug", supplier_id="bolt")
    story.place(line(1, "tea", 1), line(2, "mug", 1), order_id="shopify/2")
    story.send("shopify/2/1")
    story.answer({1: reject(1), 2: reject(1)}, "shopify/2/1")
    second = story.supplier_order("shopify/2/2")
    assert (second.supplier_id, sorted(second.shares)) == ("bolt", [1, 2])
    assert [choice.sku for choice in second.choices] == ["tea", "mug"]


def test_the_backups_of_the_supplier_that_turned_down_go_first_among_equals():
    story = market()
    story.offer(supplier_id="bolt", cost=301)
    story.offer(supplier_id="cord", cost=301)
    story.offer(supplier_id="acme", cost=300, backups=("cord", "bolt"))
    story.answer({1: reject(3)})
    assert supplier_of(story, SECOND) == "cord"


def test_who_discontinued_a_sku_gets_no_line_of_it():
    story = market()
    story.place(line(1, "tea", 1, "bolt"), line(2, "tea", 1, "acme"), order_id="shopify/2")
    for supplier_order_id in ("shopify/2/1", "shopify/2/2"):
        story.send(supplier_order_id)
    story.answer({2: reject(1, RejectReason.DISCONTINUED)}, "shopify/2/2")
    story.suspend("bolt")
    story.answer({1: reject(1)}, "shopify/2/1")
    assert supplier_of(story, "shopify/2/4") == "cord"
    against = {each.supplier_id: each.against for each in story.supplier_order("shopify/2/4").choices[0].considered}
    assert against["acme"] is Against.DISCONTINUED


def test_units_go_on_top_of_what_the_order_has_there_already():
    story = market()
    story.place(line(1, "tea", 2), line(2, "tea", 4, "bolt"), order_id="shopify/2")
    for supplier_order_id in ("shopify/2/1", "shopify/2/2"):
        story.send(supplier_order_id)
    story.answer({1: reject(2)}, "shopify/2/1")
    assert story.stock("tea", "bolt").reservations["shopify/2"].units == 6
    story.ship(supplier_order_id="shopify/2/2")
    story.send("shopify/2/3")
    story.ship(supplier_order_id="shopify/2/3", number="P2")
    assert story.stock("tea", "bolt").reservations == {}


def test_units_that_a_feed_has_taken_off_already_are_not_promised_again():
    story = market()
    story.place(line(1, "tea", 4, "bolt"), line(2, "tea", 2), order_id="shopify/2")
    story.later(hours=1)
    story.feed(5, supplier_id="bolt", watermark=story.now)
    for supplier_order_id in ("shopify/2/1", "shopify/2/2"):
        story.send(supplier_order_id)
    story.answer({2: reject(2)}, "shopify/2/2")
    assert supplier_of(story, "shopify/2/3") == "cord"


# --- where nobody qualifies -----------------------------------------------------------------------


def test_units_that_nobody_takes_are_held_for_a_person_with_the_reasons():
    story = alone()
    hold = the(HoldPlaced, story.answer({1: reject(3), 2: accept(1)})).hold
    assert (hold.reason, hold.owner, hold.lacking) == (HoldReason.OUT_OF_STOCK, "ledger", {1: 3})
    assert {each.supplier_id: each.against for each in hold.choices[0].considered} == {
        "acme": Against.TURNED_DOWN,
        "bolt": Against.OUT_OF_STOCK,
    }


def test_what_suppliers_have_of_the_order_goes_on_meanwhile():
    story = alone()
    story.answer({1: reject(3), 2: accept(1)})
    story.pack()
    story.ship()
    assert story.buckets(2) == {"shipped": 1}


def test_another_hold_still_keeps_it_back():
    story = alone()
    story.answer({1: reject(3), 2: accept(1)})
    story.hold(HoldReason.CUSTOMER_REQUEST)
    assert the(SupplierOrderShipped, story.ship()).oddities == (Oddity.ON_HOLD,)


def test_units_wait_at_who_will_have_them_if_the_order_says_so():
    story = alone(WhenUnavailable.BACKORDER)
    facts = story.answer({1: reject(3), 2: accept(1)})
    assert names(facts)[1:3] == ["units_backordered", "supplier_order_drafted"]
    drafted = the(SupplierOrderDrafted, facts)
    assert (drafted.supplier_id, drafted.units, drafted.backordered) == ("bolt", {}, {1: 3})
    assert drafted.choices[0].backordered
    assert story.buckets() == {"backordered": 3}
    story.send(SECOND)
    story.ship(supplier_order_id=SECOND)
    assert story.buckets() == {"shipped": 3}


def test_units_that_nobody_will_ever_have_are_held_although_they_may_wait():
    story = alone(WhenUnavailable.BACKORDER)
    story.suspend("bolt")
    story.answer({1: reject(3), 2: accept(1)})
    assert story.holds() == [HoldReason.OUT_OF_STOCK]


def test_units_are_cancelled_if_the_order_says_so():
    story = alone(WhenUnavailable.CANCEL)
    cancelled = the(UnitsCancelled, story.answer({1: reject(3), 2: accept(1)}))
    assert (cancelled.by_line, cancelled.by, cancelled.because) == ({1: 3}, "supplier", "no_supplier")
    assert story.holds() == []


def test_the_hold_goes_with_the_last_unit_that_waits():
    story = alone()
    story.answer({1: reject(3), 2: accept(1)})
    story.cancel({1: 1})
    assert story.order().holds[0].lacking == {1: 2}
    assert names(story.cancel({1: 2})) == ["units_cancelled", "hold_released", "wait_ended"]


def test_releasing_the_hold_looks_for_a_supplier_again():
    story = alone()
    story.answer({1: reject(3), 2: accept(1)})
    with refused(NoQualifiedSupplier, "3 of tea: acme turned down, bolt out of stock"):
        story.release(HoldReason.OUT_OF_STOCK)
    story.feed(5, supplier_id="bolt")
    assert "supplier_order_drafted" in names(story.release(HoldReason.OUT_OF_STOCK))
    assert story.holds() == []


# --- rerouting on demand --------------------------------------------------------------------------


def test_a_draft_is_moved_at_once():
    story = market()
    story.place(order_id="shopify/2")
    facts = story.reroute(supplier_order_id="shopify/2/1", order_id="shopify/2")
    assert names(facts) == [
        "supplier_order_cancelled",
        "supplier_order_drafted",
        "reservation_released",
        "reserved",
        "reservation_committed",
    ]
    assert the(CancelAgreed, facts).rerouted == {1: 3}
    assert story.supplier_order("shopify/2/1").stage is Stage.CANCELLED
    assert supplier_of(story, "shopify/2/2") == "bolt"
    assert story.buckets(order_id="shopify/2") == {"assigned": 3}


def test_a_supplier_that_knows_is_asked_first_and_its_agreement_sends_the_units_on():
    story = market()
    asked = the(CancelRequested, story.reroute())
    assert (asked.by_line, asked.rerouted, asked.by, asked.because) == ({1: 3}, {1: 3}, "supplier", "overdue")
    assert list(story.order().supplier_orders) == [FIRST]
    facts = story.answer_cancel(agreed=True)
    drafted = the(SupplierOrderDrafted, facts)
    assert (drafted.supplier_id, drafted.instead_of, drafted.because) == ("bolt", FIRST, "overdue")
    assert story.buckets() == {"assigned": 3}
    assert story.stock("tea", "acme").available == 10


def test_a_parcel_that_left_first_refuses_the_rerouting():
    story = market()
    story.reroute()
    assert "supplier_order_cancel_refused" in names(story.ship())
    assert story.buckets() == {"shipped": 3}
    assert list(story.order().supplier_orders) == [FIRST]


def test_a_supplier_that_refuses_keeps_the_units():
    story = market()
    story.reroute({1: 2})
    story.answer_cancel(agreed=False)
    assert story.buckets() == {"assigned": 3}
    story.reroute()
    story.answer_cancel(agreed=True)
    assert supplier_of(story, SECOND) == "bolt"


def test_asking_again_for_all_records_nothing_and_part_can_follow_part():
    story = market()
    story.reroute({1: 1})
    assert the(CancelRequested, story.reroute({1: 1})).rerouted == {1: 2}
    with refused(CannotReroute, "2 of line 1 to reroute, 1 can be", asked=2, left=1):
        story.reroute({1: 2})
    story.reroute()
    assert story.reroute() == []


def test_units_rejected_while_the_supplier_is_asked_for_them_go_on_once():
    story = market()
    story.reroute({1: 2})
    story.answer({1: LineAnswer(accepted=1, rejected=2, because=RejectReason.OTHER)})
    assert story.supplier_order().reroute_asked == {1: 1}
    assert story.supplier_order(SECOND).count("pending") == 2
    story.answer_cancel(agreed=True)
    assert (supplier_of(story, THIRD), story.supplier_order(THIRD).count("pending")) == ("bolt", 1)
    assert story.buckets() == {"assigned": 3}


def test_who_cancels_units_that_are_to_be_rerouted_wants_them_from_nobody():
    story = market()
    story.reroute()
    asked = the(CancelRequested, story.cancel({1: 2}))
    assert (asked.by_line, asked.rerouted) == ({1: 3}, {1: 1})
    story.answer_cancel(agreed=True)
    assert story.buckets() == {"cancelled": 2, "assigned": 1}


def test_units_that_are_to_be_cancelled_are_not_rerouted():
    story = market()
    story.cancel()
    with refused(NothingToReroute, "has no unit that could be rerouted"):
        story.reroute()


def test_rejecting_meets_a_cancel_before_a_rerouting():
    story = market()
    story.cancel({1: 1})
    story.reroute({1: 2})
    story.answer({1: LineAnswer(accepted=1, rejected=2, because=RejectReason.OTHER)})
    assert story.buckets() == {"cancelled": 1, "assigned": 2}
    assert story.supplier_order().reroute_asked == {1: 1}
    assert story.supplier_order(SECOND).count("pending") == 1


def test_where_nobody_qualifies_nothing_is_taken_from_anybody():
    story = alone()
    why = "3 of tea: acme taken away, bolt out of stock; 1 of ink: nobody offers it"
    with refused(
        NoQualifiedSupplier, why, sku_2="tea", units_2=3, supplier_id_2="bolt", against_2="out_of_stock", sku_3="ink"
    ):
        story.reroute()
    assert story.supplier_order().cancel_asked == {}


def test_who_has_become_unable_meanwhile_leaves_the_units_to_the_orders_policy():
    story = alone()
    story.feed(3, supplier_id="bolt")
    story.reroute({1: 3})
    story.feed(0, supplier_id="bolt")
    story.answer_cancel(agreed=True)
    assert story.holds() == [HoldReason.OUT_OF_STOCK]
    assert story.buckets() == {"open": 3}


def test_a_supplier_gets_nothing_back_that_was_taken_from_it():
    story = market()
    story.reroute()
    story.answer_cancel(agreed=True)
    story.send(SECOND)
    story.reroute(supplier_order_id=SECOND)
    story.answer_cancel(agreed=True, supplier_order_id=SECOND)
    assert supplier_of(story, THIRD) == "cord"


def test_a_person_may_name_the_supplier():
    story = market()
    story.reroute(to="cord")
    story.answer_cancel(agreed=True)
    assert supplier_of(story, SECOND) == "cord"
    assert story.supplier_order(SECOND).choices[0].named
    with refused(NoQualifiedSupplier, "ghost not approved"):
        story.reroute(supplier_order_id=SECOND, to="ghost")
    with refused(NoQualifiedSupplier, "cord taken away"):
        story.reroute(supplier_order_id=SECOND, to="cord")


def test_a_person_may_give_units_back_to_who_turned_them_down():
    story = alone()
    story.answer({1: reject(3), 2: accept(1)})
    facts = story.reroute(supplier_order_id="", to="acme")
    assert names(facts)[:2] == ["supplier_order_drafted", "hold_released"]
    assert supplier_of(story, SECOND) == "acme"
    assert story.supplier_order(SECOND).instead_of == ""


def test_a_named_supplier_that_does_not_qualify_any_more_is_replaced():
    story = market()
    story.reroute(to="cord")
    story.suspend("cord")
    story.answer_cancel(agreed=True)
    assert supplier_of(story, SECOND) == "bolt"


def test_open_units_are_rerouted_in_part():
    story = alone()
    story.answer({1: reject(3), 2: accept(1)})
    story.feed(2, supplier_id="bolt")
    story.reroute({1: 2}, supplier_order_id="")
    assert story.buckets() == {"assigned": 2, "open": 1}
    assert story.order().holds[0].lacking == {1: 1}


def test_what_cannot_be_rerouted_is_refused():
    story = market()
    with refused(UnknownSupplierOrder, "no supplier order"):
        story.reroute(supplier_order_id=SECOND)
    with refused(UnknownLine, "has no line 7", line_no=7):
        story.reroute({7: 1})
    with refused(CannotReroute, "4 of line 1 to reroute, 3 can be", asked=4, left=3):
        story.reroute({1: 4})
    with refused(NothingToReroute, "order shopify/1 has no unit"):
        story.reroute(supplier_order_id="")
    story.ship()
    with refused(NothingToReroute, "has no unit"):
        story.reroute()


def test_open_units_of_an_order_that_is_not_confirmed_are_not_rerouted():
    story = market()
    story.place(line(1, "tea", 30), order_id="shopify/2")
    with refused(NothingToReroute, "order shopify/2 has no unit"):
        story.reroute(supplier_order_id="", order_id="shopify/2")


def test_backordered_units_can_go_to_who_has_them():
    story = market()
    story.answer({1: LineAnswer(accepted=1, backordered=2)})
    story.reroute({1: 2})
    story.answer_cancel(agreed=True)
    assert story.supplier_order().count("accepted") == 1
    assert story.buckets() == {"assigned": 3}


@pytest.mark.parametrize("hours", [0, 72])
def test_the_clocks_of_the_new_supplier_order_start_when_it_is_sent(hours: int):
    story = market()
    story.later(hours=hours)
    story.answer({1: reject(3)})
    story.send(SECOND)
    assert story.supplier_order(SECOND).dispatch_by == story.now + 48 * HOUR
    assert story.order().lines[LineNo(1)].supplier_id == "acme", "as the shop named it"
