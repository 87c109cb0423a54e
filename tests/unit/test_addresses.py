"""An address changes for every part of an order that is not packed, and its suppliers acknowledge again (DOMAIN 1)."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from ledger.decisions import customs, intake, invoice
from ledger.facts import Sealed
from ledger.nouns import orders
from ledger.nouns.orders import AddressChanged, AlreadyPacked, HoldReason, OrderClosed
from ledger.nouns.orders.supplier_orders import Oddity, OverAnswered, Stage, SupplierOrderPacked, SupplierOrderShipped
from ledger.nouns.parcels import ParcelStatus
from ledger.terms.clocks import Clock
from ledger.terms.places import Destination
from ledger.terms.shipping import Incoterm
from tests.support.scenario import (
    ANNA,
    DAY,
    FIRST,
    GERMANY,
    HOUR,
    NOON,
    ORDER,
    SECOND,
    TERMS,
    THIRD,
    Scenario,
    a_shop,
    accept,
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

ELSEWHERE, ELSEWHERE_TOO = Sealed("key-moved", b"Ben, Oak Street 2"), Sealed("key-again", b"Ben, Ash Street 3")
FRANCE, ITALY = Destination("FR"), Destination("IT")


def a_shop_of_three() -> Scenario:
    """An order of three suppliers: the first has packed, the second knows of it, the third does not."""
    scenario = Scenario()
    for supplier_id in ("acme", "bolt", "cara"):
        scenario.approve(supplier_id)
    scenario.place(line(1, "tea", 1), line(2, "mug", 1, "bolt"), line(3, "pot", 1, "cara"))
    scenario.send(FIRST)
    scenario.send(SECOND)
    scenario.answer({1: accept(1)}, FIRST)
    scenario.answer({2: accept(1)}, SECOND)
    scenario.pack("box", supplier_order_id=FIRST)
    scenario.later(hours=1)
    return scenario


def moved(scenario: Scenario) -> AddressChanged:
    return the(AddressChanged, scenario.change_address(ELSEWHERE, FRANCE))


# --- which parts get it ---------------------------------------------------------------------------


def test_the_address_changes_for_what_is_not_packed_and_the_answer_names_what_keeps_its_own():
    scenario = a_shop_of_three()
    changed = moved(scenario)
    assert changed.kept == (FIRST,)
    assert changed.warnings == ("supplier order shopify/1/1 is packed or has left, and keeps the address that it had",)
    order = scenario.order()
    where = {name: order.ship_to_of(name).destination.country for name in order.supplier_orders}
    assert where == {FIRST: "DE", SECOND: "FR", THIRD: "FR"}
    assert order.ship_to_of(FIRST).customer == ANNA
    assert order.ship_to_of(THIRD).customer == ELSEWHERE


def test_a_part_that_keeps_its_address_keeps_it_through_further_changes():
    scenario = a_shop_of_three()
    moved(scenario)
    scenario.later(hours=1)
    scenario.pack("box", supplier_order_id=SECOND)
    scenario.change_address(ELSEWHERE_TOO, ITALY)
    order = scenario.order()
    where = {name: order.ship_to_of(name).destination.country for name in order.supplier_orders}
    assert where == {FIRST: "DE", SECOND: "FR", THIRD: "IT"}


def test_what_has_left_keeps_its_address_and_the_rest_of_the_supplier_order_gets_the_new_one():
    scenario = sent(line(1, "tea", 3))
    scenario.ship({1: 1}, number="P1")
    scenario.later(hours=1)
    changed = moved(scenario)
    assert changed.warnings == (
        "what has left of supplier order shopify/1/1 keeps the address that it had; the rest gets it",
    )
    scenario.answer({1: accept(2)})
    scenario.ship(number="P2")
    order = scenario.order()
    assert [order.ship_to_of(FIRST, each).destination.country for each in order.shipments] == ["DE", "FR"]
    assert [scenario.parcel(number).country for number in ("P1", "P2")] == ["DE", "FR"]


def test_an_address_is_refused_only_where_no_part_can_change():
    scenario = sent()
    scenario.pack("box")
    with refused(AlreadyPacked, "every part of order shopify/1 is packed or has left", supplier_order_id=FIRST):
        moved(scenario)
    with refused(AlreadyPacked, "such as supplier order shopify/1/1"):
        moved(shipped())
    with refused(OrderClosed, "shopify/1 is delivered"):
        moved(delivered())


def test_units_that_no_supplier_has_get_it_although_all_others_are_packed():
    scenario = sent(line(1, "tea", 1), line(2, "mug", 1, "bolt"))
    scenario.pack("box")
    scenario.answer({2: reject(1)}, SECOND)
    assert moved(scenario).kept == (FIRST,)


def test_a_draft_gets_it_and_nobody_has_to_be_told():
    scenario = confirmed()
    assert moved(scenario).asked == {}
    scenario.send()
    assert scenario.order().ship_to_of(FIRST).destination == FRANCE


def test_what_is_rerouted_from_a_part_that_kept_its_address_goes_to_the_new_one():
    scenario = a_shop_of_three()
    scenario.offer("tea", supplier_id="bolt")
    moved(scenario)
    scenario.reroute(supplier_order_id=FIRST)
    scenario.answer_cancel(True, FIRST)
    assert scenario.order().ship_to_of(f"{ORDER}/4").destination == FRANCE


# --- acknowledging again --------------------------------------------------------------------------


def test_a_supplier_that_knew_the_old_address_acknowledges_again_with_its_clock():
    scenario = sent()
    scenario.later(hours=2)
    scenario.answer({1: accept(3)})
    assert scenario.supplier_order().stage is Stage.ACCEPTED
    scenario.later(hours=40)
    assert moved(scenario).asked == {FIRST: scenario.now + 24 * HOUR}
    asked = scenario.supplier_order()
    assert (asked.stage, asked.acknowledged_at, asked.acknowledge_by) == (Stage.SENT, None, scenario.now + 24 * HOUR)
    assert asked.dispatch_by == NOON + 48 * HOUR
    scenario.later(hours=1)
    assert names(scenario.answer({1: accept(3)})) == ["supplier_order_acknowledged"]
    assert (scenario.supplier_order().stage, scenario.supplier_order().acknowledged_at) == (
        Stage.ACCEPTED,
        scenario.now,
    )


def test_who_does_not_acknowledge_the_new_address_in_time_is_late_once():
    scenario = sent()
    scenario.answer({1: accept(3)})
    scenario.later(hours=30)
    moved(scenario)
    assert scenario.miss(Clock.ACKNOWLEDGE) == []
    scenario.later(hours=24)
    assert names(scenario.miss(Clock.ACKNOWLEDGE)) == ["deadline_missed"]
    assert scenario.miss(Clock.ACKNOWLEDGE) == []


def test_an_acknowledgement_that_was_late_before_stays_late():
    scenario = sent()
    scenario.later(hours=25)
    scenario.miss(Clock.ACKNOWLEDGE)
    scenario.later(hours=5)
    scenario.answer({1: accept(3)})
    scenario.later(hours=1)
    assert moved(scenario).asked == {FIRST: None}
    assert scenario.order().missed == {(FIRST, Clock.ACKNOWLEDGE)}
    assert scenario.supplier_order().stage is Stage.SENT
    scenario.answer({1: accept(3)})
    assert scenario.order().missed == {(FIRST, Clock.ACKNOWLEDGE)}
    assert scenario.supplier_order().stage is Stage.ACCEPTED


def test_a_supplier_may_turn_down_the_new_address():
    scenario = sent()
    scenario.answer({1: accept(3)})
    scenario.later(hours=1)
    moved(scenario)
    scenario.answer({1: reject(3)})
    assert scenario.buckets() == {"open": 3}


def test_who_packs_or_ships_has_taken_the_new_address_on():
    for do in (lambda scenario: scenario.pack("box"), lambda scenario: scenario.ship()):
        scenario = sent()
        scenario.later(hours=1)
        moved(scenario)
        scenario.later(hours=1)
        do(scenario)
        assert scenario.supplier_order().acknowledged_at == scenario.now
        assert scenario.order().ship_to_of(FIRST).destination == FRANCE


def test_a_hold_stops_the_clock_of_the_new_acknowledgement_only_from_then_on():
    scenario = sent()
    scenario.answer({1: accept(3)})
    scenario.hold(HoldReason.CUSTOMER_REQUEST)
    scenario.later(hours=10)
    moved(scenario)
    scenario.later(hours=5)
    scenario.release(HoldReason.CUSTOMER_REQUEST)
    asked = scenario.supplier_order()
    assert asked.acknowledge_by == NOON + 10 * HOUR + 24 * HOUR + 5 * HOUR
    assert asked.dispatch_by == NOON + 48 * HOUR + 15 * HOUR


def test_the_same_address_again_asks_nobody():
    scenario = sent()
    scenario.later(hours=1)
    moved(scenario)
    scenario.answer({1: accept(3)})
    assert scenario.change_address(ELSEWHERE, FRANCE) == []
    scenario.later(hours=1)
    assert moved(scenario).asked == {}
    assert scenario.supplier_order().stage is Stage.ACCEPTED


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_an_answer_to_the_old_address_is_none_to_the_new_one_whenever_it_is_told(order: tuple[int, ...]):
    scenario = sent()
    scenario.later(hours=12)
    told = [
        lambda: scenario.answer({1: accept(3)}, at=NOON + HOUR),
        lambda: scenario.change_address(ELSEWHERE, FRANCE, at=NOON + 2 * HOUR),
        lambda: scenario.answer({1: accept(3)}, at=NOON + HOUR),
    ]
    for each in order:
        told[each]()
    supplier_order = scenario.supplier_order()
    assert (supplier_order.stage, supplier_order.acknowledged_at) == (Stage.SENT, None)
    assert supplier_order.count("pending") == 3


def test_units_that_were_turned_down_before_the_address_changed_are_open_whenever_it_is_told():
    scenario = sent()
    scenario.later(hours=12)
    scenario.change_address(ELSEWHERE, FRANCE, at=NOON + 2 * HOUR)
    with refused(OverAnswered, "4 of line 1 answered, 3 unanswered"):
        scenario.answer({1: reject(4)}, at=NOON + HOUR)
    scenario.answer({1: reject(1)}, at=NOON + HOUR)
    assert scenario.buckets() == {"open": 1, "assigned": 2}


# --- what happened before it was told ---------------------------------------------------------------


def test_what_turns_out_to_have_been_packed_before_goes_to_the_address_of_before():
    scenario = sent()
    scenario.later(hours=2)
    moved(scenario)
    packed = the(SupplierOrderPacked, scenario.pack("box", at=NOON + HOUR))
    assert packed.oddities == (Oddity.FORMER_ADDRESS,)
    assert packed.warnings == (
        "it was before the address changed: it goes to the address before, and is somebody's work",
    )
    assert scenario.order().ship_to_of(FIRST).destination == GERMANY
    assert scenario.supplier_order().acknowledged_at == NOON + HOUR
    scenario.ship()
    assert scenario.parcel().country == "DE"


@pytest.mark.parametrize("sent_first", [True, False])
def test_a_supplier_that_was_sent_the_old_address_acknowledges_again_whenever_that_is_told(sent_first: bool):
    scenario = confirmed()
    scenario.later(hours=3)
    told = [
        lambda: scenario.send(at=NOON + HOUR),
        lambda: scenario.change_address(ELSEWHERE, FRANCE, at=NOON + 2 * HOUR),
    ]
    for each in told if sent_first else reversed(told):
        each()
    part = scenario.supplier_order()
    assert (part.stage, part.acknowledge_by, part.dispatch_by) == (Stage.SENT, NOON + 26 * HOUR, NOON + 49 * HOUR)
    assert part.asked_again is not None
    assert part.asked_again.at == NOON + 2 * HOUR
    scenario.answer({1: accept(3)})
    assert scenario.supplier_order().stage is Stage.ACCEPTED


def test_a_supplier_that_is_sent_the_new_address_is_asked_once():
    scenario = confirmed()
    scenario.later(hours=1)
    moved(scenario)
    scenario.later(hours=1)
    scenario.send()
    assert scenario.supplier_order().asked_again is None


def test_what_turns_out_to_have_left_before_goes_to_the_address_of_before():
    scenario = sent(line(1, "tea", 3))
    scenario.later(hours=2)
    moved(scenario)
    left = the(SupplierOrderShipped, scenario.ship({1: 1}, at=NOON + HOUR))
    assert left.oddities == (Oddity.FORMER_ADDRESS,)
    order = scenario.order()
    assert order.ship_to_of(FIRST, order.shipments[0]).destination == GERMANY
    assert order.ship_to_of(FIRST).destination == FRANCE
    assert scenario.parcel().country == "DE"
    scenario.ship(number="P2", at=NOON + HOUR)
    assert scenario.order().ship_to_of(FIRST).destination == GERMANY
    scenario.later(days=2)
    assert scenario.miss(Clock.ACKNOWLEDGE) == []


def test_what_was_acknowledged_anew_goes_to_the_new_address_whatever_is_told_of_its_packing():
    scenario = sent()
    scenario.later(hours=2)
    moved(scenario)
    scenario.answer({1: accept(3)})
    assert the(SupplierOrderPacked, scenario.pack("box", at=NOON + HOUR)).oddities == ()
    assert scenario.order().ship_to_of(FIRST).destination == FRANCE


# --- service, customs, invoice, promise -------------------------------------------------------------

CUSTOMS: dict[str, Any] = {"title": "Tea", "hs_code": "090210", "origin": "CN", "weight_grams": 100}


def from_china(**more: Any) -> Scenario:
    """Two lines of two suppliers in China, for a customer in China; both know of it."""
    scenario = Scenario()
    for supplier_id in ("acme", "bolt"):
        scenario.approve(supplier_id, TERMS, country="CN")
        scenario.feed(10, supplier_id=supplier_id)
    lines = line(1, "tea", 1, **CUSTOMS), line(2, "tea", 1, "bolt", **CUSTOMS)
    scenario.place(*lines, destination=Destination("CN"), incoterm=Incoterm.DAP, **more)
    scenario.send(FIRST)
    scenario.send(SECOND)
    scenario.later(hours=1)
    return scenario


def test_service_customs_and_invoice_follow_the_address_of_each_part():
    scenario = from_china()
    scenario.pack("box", supplier_order_id=FIRST)
    scenario.change_address(ELSEWHERE, GERMANY)
    order = scenario.order()
    services = [each.shipping.code for each in order.supplier_orders.values() if each.shipping]
    assert services == ["domestic_economy", "international_light"]
    known = {name: scenario.supplier(name) for name in ("acme", "bolt")}
    borders = [(each.to_country, each.border) for each in customs.standings(order, known, NOON)]
    assert borders == [("CN", customs.Border.NONE), ("DE", customs.Border.CROSSED)]
    for name, country in ((FIRST, "CN"), (SECOND, "DE")):
        bill = invoice.draw_up(order, name, known["acme"], None)
        assert bill.ship_to.destination.country == country


def test_a_part_that_keeps_its_address_at_home_waits_for_no_customs_data():
    scenario = from_china()
    scenario.pack("box", supplier_order_id=FIRST)
    scenario.place(line(1, "tea", 1, "acme"), order_id="shopify/2", destination=Destination("CN"))
    scenario.send("shopify/2/1")
    scenario.change_address(ELSEWHERE, GERMANY, order_id="shopify/2")
    assert scenario.holds() == []
    assert scenario.holds("shopify/2") == [HoldReason.CUSTOMS_DATA]


def test_a_promise_of_the_ledgers_own_is_made_anew():
    scenario = from_china()
    assert scenario.order().promised_by == NOON + 48 * HOUR + 5 * DAY
    changed = the(AddressChanged, scenario.change_address(ELSEWHERE, GERMANY))
    assert changed.promised_by == scenario.order().promised_by == NOON + 48 * HOUR + 28 * DAY + 3 * DAY
    scenario.later(days=4)
    nearer = the(AddressChanged, scenario.change_address(ANNA, Destination("CN")))
    assert nearer.promised_by == scenario.now + 5 * DAY  # what is late leaves now at the earliest


def test_what_keeps_its_address_keeps_its_promise():
    scenario = from_china()
    scenario.change_address(ELSEWHERE, GERMANY)
    promised = scenario.order().promised_by
    scenario.pack("box", supplier_order_id=FIRST)
    scenario.later(hours=1)
    scenario.change_address(ANNA, Destination("CN"))
    assert scenario.order().promised_by == promised


def test_the_shops_own_promise_stands_and_so_does_one_that_was_broken():
    own = from_china(promised_by=NOON + 20 * DAY)
    own.change_address(ELSEWHERE, GERMANY)
    assert own.order().promised_by == NOON + 20 * DAY
    late = from_china()
    late.later(days=8)
    late.miss(Clock.DELIVERY, ORDER)
    late.change_address(ELSEWHERE, GERMANY)
    assert late.order().missed == {(ORDER, Clock.DELIVERY)}


def test_where_no_service_goes_nothing_is_promised_any_more_and_the_order_says_why():
    scenario = from_china()
    scenario.agree(shipping_services=())
    changed = the(AddressChanged, scenario.change_address(ELSEWHERE, GERMANY))
    assert changed.no_promise_because.startswith("no service from CN to DE")
    assert (scenario.order().promised_by, scenario.order().no_promise_because) == (None, changed.no_promise_because)


def test_a_delivered_part_does_not_keep_the_others_from_moving():
    scenario = a_shop_of_three()
    scenario.ship(supplier_order_id=FIRST)
    scenario.scan(ParcelStatus.DELIVERED)
    assert moved(scenario).kept == (FIRST,)


# --- the contact alone ----------------------------------------------------------------------------


def test_a_customer_is_reached_otherwise_whatever_has_left_and_the_goods_go_where_they_went():
    scenario = delivered()
    before = scenario.order()
    assert [fact.fact_name() for fact in scenario.reach(ELSEWHERE)] == ["order.contact_changed"]
    after = scenario.order()
    assert (after.customer, after.destination, after.addresses) == (ELSEWHERE, before.destination, before.addresses)
    assert (after.reached_since, after.address_at) == (scenario.now, before.address_at)


def test_the_same_contact_again_records_nothing():
    scenario = delivered()
    scenario.reach(ELSEWHERE, "digest")
    scenario.later(hours=1)
    assert scenario.reach(ELSEWHERE_TOO, "digest") == []


def test_an_older_contact_is_recorded_and_changes_nothing():
    scenario = delivered()
    scenario.reach(ELSEWHERE)
    fact = the(orders.ContactChanged, scenario.reach(ELSEWHERE_TOO, at=scenario.now - HOUR))
    assert fact.outdated
    assert "newer news of the customer is known" in fact.warnings[0]
    assert scenario.order().customer == ELSEWHERE


def test_a_contact_that_was_added_to_another_customer_than_there_is_now_changes_nothing():
    scenario = confirmed()
    changed = orders.ContactChanged(ORDER, ELSEWHERE, scenario.now)
    (fact,) = scenario.record(intake.change_contact(scenario.book, changed, ELSEWHERE_TOO, scenario.now))
    assert fact == replace(changed, outdated=True)
    assert scenario.order().customer != ELSEWHERE


def test_a_contact_that_was_missing_ends_the_hold_for_it():
    scenario = a_shop(tea=10)
    scenario.place(line(1, "tea", 1), has_contact=False)
    assert scenario.order().holds
    scenario.reach(ELSEWHERE)
    assert not scenario.order().holds


def test_a_new_address_brings_its_own_contact():
    scenario = confirmed()
    scenario.reach(ELSEWHERE)
    scenario.later(hours=1)
    scenario.change_address(ELSEWHERE_TOO, FRANCE)
    assert scenario.order().customer == ELSEWHERE_TOO
    assert scenario.order().contact is None


def test_the_present_address_keeps_its_place_with_another_contact():
    scenario = confirmed()
    scenario.later(hours=1)
    scenario.change_address(ELSEWHERE, FRANCE)
    scenario.later(hours=1)
    scenario.reach(ELSEWHERE_TOO)
    there = scenario.order().ship_to
    assert (there.customer, there.destination) == (ELSEWHERE_TOO, FRANCE)
