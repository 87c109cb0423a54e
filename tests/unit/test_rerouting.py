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
from tests.support.scenario import (
    FIRST,
    HOUR,
    ORDER,
    SECOND,
    THIRD,
    Scenario,
    accept,
    line,
    names,
    refused,
    reject,
    the,
)


def supplier_of(scenario: Scenario, supplier_order_id: str) -> str:
    return scenario.supplier_order(supplier_order_id).supplier_id


# --- units that the supplier rejects --------------------------------------------------------------


def test_rejected_units_go_to_the_next_supplier_in_the_same_command():
    scenario = market()
    facts = scenario.answer({1: reject(3, RejectReason.OUT_OF_STOCK)})
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
    assert scenario.buckets() == {"assigned": 3}
    assert scenario.stock("tea", "bolt").available == 7
    assert ORDER not in scenario.stock("tea", "acme").reservations


def test_only_the_rejected_units_go_elsewhere():
    scenario = market()
    scenario.answer({1: LineAnswer(accepted=1, rejected=2, because=RejectReason.OTHER)})
    assert scenario.supplier_order(SECOND).count("pending") == 2
    scenario.ship()
    scenario.send(SECOND)
    scenario.ship(supplier_order_id=SECOND, number="P2")
    assert scenario.buckets() == {"shipped": 3}
    assert scenario.stock("tea", "acme").available == 9
    assert scenario.stock("tea", "bolt").available == 8


def test_nobody_is_asked_twice_for_units_that_it_turned_down():
    scenario = market()
    scenario.answer({1: reject(3)})
    scenario.send(SECOND)
    scenario.answer({1: reject(3)}, SECOND)
    assert supplier_of(scenario, THIRD) == "cord"
    scenario.send(THIRD)
    facts = scenario.answer({1: reject(3)}, THIRD)
    assert names(facts) == ["supplier_order_acknowledged", "hold_placed", "reservation_released"]
    assert scenario.buckets() == {"open": 3}


def test_a_line_waits_for_stock_only_at_the_supplier_that_sends_no_feed():
    scenario = market()
    scenario.approve("dock")
    scenario.offer(supplier_id="dock", cost=100)
    scenario.answer({1: reject(3)})
    scenario.send(SECOND)
    scenario.answer({1: LineAnswer(accepted=2, rejected=1, because=RejectReason.OTHER)}, SECOND)
    scenario.send(THIRD)
    scenario.answer({1: reject(1)}, THIRD)
    assert supplier_of(scenario, f"{ORDER}/4") == "dock"
    assert waits_of(scenario.order()) == {("dock", "tea"): 1}
    scenario.feed(10, supplier_id="dock")
    served = the(UnitsReserved, scenario.serve())
    assert (served.by_line, served.by_supplier) == ({1: 1}, {"dock": {1: 1}})
    assert waits_of(scenario.order()) == {}


def test_units_that_go_to_who_sends_no_feed_are_untracked_from_then_on():
    scenario = market()
    scenario.approve("dock")
    scenario.offer(supplier_id="dock", cost=100)
    scenario.answer({1: reject(3)})
    assert supplier_of(scenario, SECOND) == "bolt", "a known stock goes first"
    scenario.send(SECOND)
    scenario.answer({1: reject(3)}, SECOND)
    scenario.send(THIRD)
    scenario.answer({1: LineAnswer(accepted=1, rejected=2, because=RejectReason.OTHER)}, THIRD)
    assert supplier_of(scenario, f"{ORDER}/4") == "dock"
    assert scenario.order().untracked == {1}
    assert scenario.order().waiting_for_stock() == {1: 2}
    scenario.feed(10, supplier_id="dock")
    scenario.serve()
    assert scenario.stock("tea", "dock").reservations[ORDER].units == 2


def test_units_of_several_skus_go_to_one_supplier_order_where_one_has_them():
    scenario = market()
    scenario.offer("mug", supplier_id="bolt")
    scenario.place(line(1, "tea", 1), line(2, "mug", 1), order_id="shopify/2")
    scenario.send("shopify/2/1")
    scenario.answer({1: reject(1), 2: reject(1)}, "shopify/2/1")
    second = scenario.supplier_order("shopify/2/2")
    assert (second.supplier_id, sorted(second.shares)) == ("bolt", [1, 2])
    assert [choice.sku for choice in second.choices] == ["tea", "mug"]


def test_the_backups_of_the_supplier_that_turned_down_go_first_among_equals():
    scenario = market()
    scenario.offer(supplier_id="bolt", cost=301)
    scenario.offer(supplier_id="cord", cost=301)
    scenario.offer(supplier_id="acme", cost=300, backups=("cord", "bolt"))
    scenario.answer({1: reject(3)})
    assert supplier_of(scenario, SECOND) == "cord"


def test_who_discontinued_a_sku_gets_no_line_of_it():
    scenario = market()
    scenario.place(line(1, "tea", 1, "bolt"), line(2, "tea", 1, "acme"), order_id="shopify/2")
    for supplier_order_id in ("shopify/2/1", "shopify/2/2"):
        scenario.send(supplier_order_id)
    scenario.answer({2: reject(1, RejectReason.DISCONTINUED)}, "shopify/2/2")
    scenario.suspend("bolt")
    scenario.answer({1: reject(1)}, "shopify/2/1")
    assert supplier_of(scenario, "shopify/2/4") == "cord"
    against = {each.supplier_id: each.against for each in scenario.supplier_order("shopify/2/4").choices[0].considered}
    assert against["acme"] is Against.DISCONTINUED


def test_units_go_on_top_of_what_the_order_has_there_already():
    scenario = market()
    scenario.place(line(1, "tea", 2), line(2, "tea", 4, "bolt"), order_id="shopify/2")
    for supplier_order_id in ("shopify/2/1", "shopify/2/2"):
        scenario.send(supplier_order_id)
    scenario.answer({1: reject(2)}, "shopify/2/1")
    assert scenario.stock("tea", "bolt").reservations["shopify/2"].units == 6
    scenario.ship(supplier_order_id="shopify/2/2")
    scenario.send("shopify/2/3")
    scenario.ship(supplier_order_id="shopify/2/3", number="P2")
    assert scenario.stock("tea", "bolt").reservations == {}


def test_units_that_a_feed_has_taken_off_already_are_not_promised_again():
    scenario = market()
    scenario.place(line(1, "tea", 4, "bolt"), line(2, "tea", 2), order_id="shopify/2")
    scenario.later(hours=1)
    scenario.feed(5, supplier_id="bolt", watermark=scenario.now)
    for supplier_order_id in ("shopify/2/1", "shopify/2/2"):
        scenario.send(supplier_order_id)
    scenario.answer({2: reject(2)}, "shopify/2/2")
    assert supplier_of(scenario, "shopify/2/3") == "cord"


# --- where nobody qualifies -----------------------------------------------------------------------


def test_units_that_nobody_takes_are_held_for_a_person_with_the_reasons():
    scenario = alone()
    hold = the(HoldPlaced, scenario.answer({1: reject(3), 2: accept(1)})).hold
    assert (hold.reason, hold.owner, hold.lacking) == (HoldReason.OUT_OF_STOCK, "ledger", {1: 3})
    assert {each.supplier_id: each.against for each in hold.choices[0].considered} == {
        "acme": Against.TURNED_DOWN,
        "bolt": Against.OUT_OF_STOCK,
    }


def test_what_suppliers_have_of_the_order_goes_on_meanwhile():
    scenario = alone()
    scenario.answer({1: reject(3), 2: accept(1)})
    scenario.pack()
    scenario.ship()
    assert scenario.buckets(2) == {"shipped": 1}


def test_another_hold_still_keeps_it_back():
    scenario = alone()
    scenario.answer({1: reject(3), 2: accept(1)})
    scenario.hold(HoldReason.CUSTOMER_REQUEST)
    assert the(SupplierOrderShipped, scenario.ship()).oddities == (Oddity.ON_HOLD,)


def test_units_wait_at_who_will_have_them_if_the_order_says_so():
    scenario = alone(WhenUnavailable.BACKORDER)
    facts = scenario.answer({1: reject(3), 2: accept(1)})
    assert names(facts)[1:3] == ["units_backordered", "supplier_order_drafted"]
    drafted = the(SupplierOrderDrafted, facts)
    assert (drafted.supplier_id, drafted.units, drafted.backordered) == ("bolt", {}, {1: 3})
    assert drafted.choices[0].backordered
    assert scenario.buckets() == {"backordered": 3}
    scenario.send(SECOND)
    scenario.ship(supplier_order_id=SECOND)
    assert scenario.buckets() == {"shipped": 3}


def test_units_that_nobody_will_ever_have_are_held_although_they_may_wait():
    scenario = alone(WhenUnavailable.BACKORDER)
    scenario.suspend("bolt")
    scenario.answer({1: reject(3), 2: accept(1)})
    assert scenario.holds() == [HoldReason.OUT_OF_STOCK]


def test_units_are_cancelled_if_the_order_says_so():
    scenario = alone(WhenUnavailable.CANCEL)
    cancelled = the(UnitsCancelled, scenario.answer({1: reject(3), 2: accept(1)}))
    assert (cancelled.by_line, cancelled.by, cancelled.because) == ({1: 3}, "supplier", "no_supplier")
    assert scenario.holds() == []


def test_the_hold_goes_with_the_last_unit_that_waits():
    scenario = alone()
    scenario.answer({1: reject(3), 2: accept(1)})
    scenario.cancel({1: 1})
    assert scenario.order().holds[0].lacking == {1: 2}
    assert names(scenario.cancel({1: 2})) == ["units_cancelled", "hold_released", "refund_owed", "wait_ended"]


def test_releasing_the_hold_looks_for_a_supplier_again():
    scenario = alone()
    scenario.answer({1: reject(3), 2: accept(1)})
    with refused(NoQualifiedSupplier, "3 of tea: acme turned down, bolt out of stock"):
        scenario.release(HoldReason.OUT_OF_STOCK)
    scenario.suspend("bolt")
    scenario.feed(5, supplier_id="bolt")
    scenario.reinstate("bolt")
    assert "supplier_order_drafted" in names(scenario.release(HoldReason.OUT_OF_STOCK))
    assert scenario.holds() == []


# --- rerouting on demand --------------------------------------------------------------------------


def test_a_draft_is_moved_at_once():
    scenario = market()
    scenario.place(order_id="shopify/2")
    facts = scenario.reroute(supplier_order_id="shopify/2/1", order_id="shopify/2")
    assert names(facts) == [
        "supplier_order_cancelled",
        "supplier_order_drafted",
        "reservation_released",
        "reserved",
        "reservation_committed",
    ]
    assert the(CancelAgreed, facts).rerouted == {1: 3}
    assert scenario.supplier_order("shopify/2/1").stage is Stage.CANCELLED
    assert supplier_of(scenario, "shopify/2/2") == "bolt"
    assert scenario.buckets(order_id="shopify/2") == {"assigned": 3}


def test_a_supplier_that_knows_is_asked_first_and_its_agreement_sends_the_units_on():
    scenario = market()
    asked = the(CancelRequested, scenario.reroute())
    assert (asked.by_line, asked.rerouted, asked.by, asked.because) == ({1: 3}, {1: 3}, "supplier", "overdue")
    assert list(scenario.order().supplier_orders) == [FIRST]
    facts = scenario.answer_cancel(agreed=True)
    drafted = the(SupplierOrderDrafted, facts)
    assert (drafted.supplier_id, drafted.instead_of, drafted.because) == ("bolt", FIRST, "overdue")
    assert scenario.buckets() == {"assigned": 3}
    assert scenario.stock("tea", "acme").available == 10


def test_a_parcel_that_left_first_refuses_the_rerouting():
    scenario = market()
    scenario.reroute()
    assert "supplier_order_cancel_refused" in names(scenario.ship())
    assert scenario.buckets() == {"shipped": 3}
    assert list(scenario.order().supplier_orders) == [FIRST]


def test_a_supplier_that_refuses_keeps_the_units():
    scenario = market()
    scenario.reroute({1: 2})
    scenario.answer_cancel(agreed=False)
    assert scenario.buckets() == {"assigned": 3}
    scenario.reroute()
    scenario.answer_cancel(agreed=True)
    assert supplier_of(scenario, SECOND) == "bolt"


def test_asking_again_for_all_records_nothing_and_part_can_follow_part():
    scenario = market()
    scenario.reroute({1: 1})
    assert the(CancelRequested, scenario.reroute({1: 1})).rerouted == {1: 2}
    with refused(CannotReroute, "2 of line 1 to reroute, 1 can be", asked=2, left=1):
        scenario.reroute({1: 2})
    scenario.reroute()
    assert scenario.reroute() == []


def test_units_rejected_while_the_supplier_is_asked_for_them_go_on_once():
    scenario = market()
    scenario.reroute({1: 2})
    scenario.answer({1: LineAnswer(accepted=1, rejected=2, because=RejectReason.OTHER)})
    assert scenario.supplier_order().reroute_asked == {1: 1}
    assert scenario.supplier_order(SECOND).count("pending") == 2
    scenario.answer_cancel(agreed=True)
    assert (supplier_of(scenario, THIRD), scenario.supplier_order(THIRD).count("pending")) == ("bolt", 1)
    assert scenario.buckets() == {"assigned": 3}


def test_who_cancels_units_that_are_to_be_rerouted_wants_them_from_nobody():
    scenario = market()
    scenario.reroute()
    asked = the(CancelRequested, scenario.cancel({1: 2}))
    assert (asked.by_line, asked.rerouted) == ({1: 3}, {1: 1})
    scenario.answer_cancel(agreed=True)
    assert scenario.buckets() == {"cancelled": 2, "assigned": 1}


def test_units_that_are_to_be_cancelled_are_not_rerouted():
    scenario = market()
    scenario.cancel()
    with refused(NothingToReroute, "has no unit that could be rerouted"):
        scenario.reroute()


def test_rejecting_meets_a_cancel_before_a_rerouting():
    scenario = market()
    scenario.cancel({1: 1})
    scenario.reroute({1: 2})
    scenario.answer({1: LineAnswer(accepted=1, rejected=2, because=RejectReason.OTHER)})
    assert scenario.buckets() == {"cancelled": 1, "assigned": 2}
    assert scenario.supplier_order().reroute_asked == {1: 1}
    assert scenario.supplier_order(SECOND).count("pending") == 1


def test_where_nobody_qualifies_nothing_is_taken_from_anybody():
    scenario = alone()
    why = "3 of tea: acme taken away, bolt out of stock; 1 of ink: nobody offers it"
    with refused(
        NoQualifiedSupplier, why, sku_2="tea", units_2=3, supplier_id_2="bolt", against_2="out_of_stock", sku_3="ink"
    ):
        scenario.reroute()
    assert scenario.supplier_order().cancel_asked == {}


def test_who_has_become_unable_meanwhile_leaves_the_units_to_the_orders_policy():
    scenario = alone()
    scenario.feed(3, supplier_id="bolt")
    scenario.reroute({1: 3})
    scenario.feed(0, supplier_id="bolt")
    scenario.answer_cancel(agreed=True)
    assert scenario.holds() == [HoldReason.OUT_OF_STOCK]
    assert scenario.buckets() == {"open": 3}


def test_a_supplier_gets_nothing_back_that_was_taken_from_it():
    scenario = market()
    scenario.reroute()
    scenario.answer_cancel(agreed=True)
    scenario.send(SECOND)
    scenario.reroute(supplier_order_id=SECOND)
    scenario.answer_cancel(agreed=True, supplier_order_id=SECOND)
    assert supplier_of(scenario, THIRD) == "cord"


def test_a_person_may_name_the_supplier():
    scenario = market()
    scenario.reroute(to="cord")
    scenario.answer_cancel(agreed=True)
    assert supplier_of(scenario, SECOND) == "cord"
    assert scenario.supplier_order(SECOND).choices[0].named
    with refused(NoQualifiedSupplier, "ghost not approved"):
        scenario.reroute(supplier_order_id=SECOND, to="ghost")
    with refused(NoQualifiedSupplier, "cord taken away"):
        scenario.reroute(supplier_order_id=SECOND, to="cord")


def test_a_person_may_give_units_back_to_who_turned_them_down():
    scenario = alone()
    scenario.answer({1: reject(3), 2: accept(1)})
    facts = scenario.reroute(supplier_order_id="", to="acme")
    assert names(facts)[:2] == ["supplier_order_drafted", "hold_released"]
    assert supplier_of(scenario, SECOND) == "acme"
    assert scenario.supplier_order(SECOND).instead_of == ""


def test_a_named_supplier_that_does_not_qualify_any_more_is_replaced():
    scenario = market()
    scenario.reroute(to="cord")
    scenario.suspend("cord")
    scenario.answer_cancel(agreed=True)
    assert supplier_of(scenario, SECOND) == "bolt"


def test_open_units_are_rerouted_in_part():
    scenario = alone()
    scenario.answer({1: reject(3), 2: accept(1)})
    scenario.feed(2, supplier_id="bolt")
    scenario.reroute({1: 2}, supplier_order_id="")
    assert scenario.buckets() == {"assigned": 2, "open": 1}
    assert scenario.order().holds[0].lacking == {1: 1}


def test_what_cannot_be_rerouted_is_refused():
    scenario = market()
    with refused(UnknownSupplierOrder, "no supplier order"):
        scenario.reroute(supplier_order_id=SECOND)
    with refused(UnknownLine, "has no line 7", line_no=7):
        scenario.reroute({7: 1})
    with refused(CannotReroute, "4 of line 1 to reroute, 3 can be", asked=4, left=3):
        scenario.reroute({1: 4})
    with refused(NothingToReroute, "order shopify/1 has no unit"):
        scenario.reroute(supplier_order_id="")
    scenario.ship()
    with refused(NothingToReroute, "has no unit"):
        scenario.reroute()


def test_open_units_of_an_order_that_is_not_confirmed_are_not_rerouted():
    scenario = market()
    scenario.place(line(1, "tea", 30), order_id="shopify/2")
    with refused(NothingToReroute, "order shopify/2 has no unit"):
        scenario.reroute(supplier_order_id="", order_id="shopify/2")


def test_backordered_units_can_go_to_who_has_them():
    scenario = market()
    scenario.answer({1: LineAnswer(accepted=1, backordered=2)})
    scenario.reroute({1: 2})
    scenario.answer_cancel(agreed=True)
    assert scenario.supplier_order().count("accepted") == 1
    assert scenario.buckets() == {"assigned": 3}


@pytest.mark.parametrize("hours", [0, 72])
def test_the_clocks_of_the_new_supplier_order_start_when_it_is_sent(hours: int):
    scenario = market()
    scenario.later(hours=hours)
    scenario.answer({1: reject(3)})
    scenario.send(SECOND)
    assert scenario.supplier_order(SECOND).dispatch_by == scenario.now + 48 * HOUR
    assert scenario.order().lines[LineNo(1)].supplier_id == "acme", "as the shop named it"
