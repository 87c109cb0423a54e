"""Orders that a shop changes after it sold them: units, prices, lines and charges (DOMAIN 1, Amending)."""

from datetime import timedelta

import pytest

from ledger.decisions import catalogue
from ledger.facts import LineNo, changes_of
from ledger.nouns import orders, suppliers
from ledger.nouns.choice import Against
from ledger.nouns.destinations import RefusedDestination
from ledger.nouns.orders import (
    CannotCancel,
    Charge,
    ChargeKind,
    Header,
    HoldReason,
    LineIsOfAnotherSku,
    OrderAmended,
    OrderClosed,
    PaymentKind,
    PaymentState,
)
from ledger.nouns.orders.supplier_orders import CancelRequested, SupplierOrderDrafted, UnknownLine
from ledger.nouns.skus import BundlePart, SkuDescribed
from ledger.terms.money import Money
from tests.support.scenario import (
    FIRST,
    HOUR,
    NOON,
    ORDER,
    SECOND,
    Scenario,
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

SHIPPING = Charge("shipping", ChargeKind.SHIPPING, 490)


def owed(scenario: Scenario) -> int:
    return orders.owed_minor(scenario.order())


# --- more ---------------------------------------------------------------------------------------------


def test_more_units_of_an_order_that_waits_are_reserved_with_the_others():
    scenario = a_shop()
    scenario.place(payment=PaymentState.PENDING)
    facts = scenario.amend(line(1, "tea", 5))
    assert the(OrderAmended, facts).added == {1: 2}
    assert scenario.buckets() == {"open": 5}
    assert scenario.stock().reservations[ORDER].units == 5


def test_more_units_of_a_confirmed_order_go_to_their_supplier_in_a_supplier_order_of_their_own():
    scenario = sent()
    drafted = the(SupplierOrderDrafted, scenario.amend(line(1, "tea", 5)))
    assert (drafted.supplier_id, drafted.units, drafted.because) == ("acme", {1: 2}, "amended")
    assert scenario.supplier_order(FIRST).shares[LineNo(1)].unshipped == 3
    assert scenario.stock().reservations[ORDER].units == 5


def test_a_new_line_goes_the_same_way_and_may_name_what_it_takes_the_place_of():
    scenario = confirmed()
    facts = scenario.amend(line(2, "mug", 1, "bolt", 700, substitute_for=1))
    assert scenario.order().lines[LineNo(2)].substitute_for == 1
    assert the(SupplierOrderDrafted, facts).supplier_id == "bolt"
    assert (scenario.buckets(1), scenario.buckets(2)) == ({"cancelled": 3}, {"assigned": 1})
    assert orders.due_minor(scenario.order()) == 700


def test_added_units_of_several_suppliers_that_all_go_to_them_are_held_for_nobody():
    scenario = confirmed(line(1, "tea", 3, "acme"), line(2, "mug", 1, "bolt"))
    facts = scenario.amend(line(1, "tea", 5, "acme"), line(2, "mug", 2, "bolt"))
    assert names(facts)[:3] == ["amended", "supplier_order_drafted", "supplier_order_drafted"]
    assert not {"hold_placed", "hold_released"} & set(names(facts))


def test_units_that_nobody_has_are_held_and_the_rest_goes_on():
    scenario = sent()
    scenario.amend(line(1, "tea", 30))
    assert scenario.holds() == [HoldReason.OUT_OF_STOCK]
    assert scenario.buckets() == {"open": 27, "assigned": 3}
    assert "supplier_order_shipped" in names(scenario.ship())


@pytest.mark.parametrize("against", [Against.BELOW_MINIMUM, Against.NOT_OFFERED, Against.NOT_SERVED])
def test_a_supplier_that_the_shop_named_gets_no_added_units_that_it_may_not_have(against):
    scenario = a_shop(tea=10)
    scenario.offer(minimum_quantity=3)
    scenario.place()
    acme = scenario.supplier()
    later = {
        Against.BELOW_MINIMUM: [],
        Against.NOT_OFFERED: suppliers.withdraw_offer(acme, "tea", "", NOON),
        Against.NOT_SERVED: suppliers.refuse_destination(acme, RefusedDestination("DE"), "", NOON),
    }
    scenario.record(changes_of(suppliers.stream("acme"), later[against]))
    scenario.amend(line(1, "tea", 7 if against is not Against.BELOW_MINIMUM else 5))
    assert list(scenario.order().supplier_orders) == [FIRST]
    held = scenario.order().hold(HoldReason.OUT_OF_STOCK)
    assert held is not None
    assert [each.against for choice in held.choices for each in choice.considered] == [against]
    assert scenario.buckets()["open"] == (4 if against is not Against.BELOW_MINIMUM else 2)


def test_an_order_that_lacked_stock_is_confirmed_once_it_wants_less():
    scenario = a_shop(tea=2)
    scenario.place(line(1, "tea", 3))
    assert scenario.holds() == [HoldReason.OUT_OF_STOCK]
    scenario.amend(line(1, "tea", 2))
    assert scenario.header() is Header.CONFIRMED
    assert scenario.buckets() == {"assigned": 2, "cancelled": 1}


# --- fewer --------------------------------------------------------------------------------------------


def test_fewer_units_are_cancelled_at_once_where_no_supplier_knows_of_them():
    scenario = confirmed()
    scenario.amend(line(1, "tea", 1))
    assert scenario.buckets() == {"assigned": 1, "cancelled": 2}
    assert scenario.stock().reservations[ORDER].units == 1


def test_a_supplier_that_knows_of_them_is_asked():
    scenario = sent()
    assert the(CancelRequested, scenario.amend(line(1, "tea", 1))).by_line == {1: 2}
    assert scenario.buckets() == {"assigned": 3}
    # What was asked for is not asked for again.
    assert scenario.amend(line(1, "tea", 1)) == []


def test_a_line_that_is_not_named_is_wanted_no_more():
    scenario = a_shop()
    scenario.place(line(1, "tea", 1), line(2, "mug", 1, "bolt"), payment=PaymentState.PENDING)
    scenario.amend(line(1, "tea", 1))
    assert scenario.buckets(2) == {"cancelled": 1}
    assert orders.due_minor(scenario.order()) == 500


def test_units_that_have_left_can_only_be_returned_and_nothing_of_the_amendment_counts():
    scenario = shipped()
    with refused(CannotCancel, "can only be returned"):
        scenario.amend(line(1, "tea", 1), line(2, "mug", 1, "bolt"))
    assert list(scenario.order().lines) == [1]


def test_what_one_line_gives_back_another_of_the_same_sku_takes():
    scenario = confirmed(line(1, "tea", 3))
    scenario.amend(line(1, "tea", 2), line(2, "tea", 1, unit_price_minor=0))
    assert (scenario.buckets(1), scenario.buckets(2)) == ({"assigned": 2, "cancelled": 1}, {"assigned": 1})
    assert scenario.stock().reservations[ORDER].units == 3


def test_an_order_without_lines_is_cancelled():
    scenario = confirmed()
    scenario.amend()
    assert scenario.header() is Header.CANCELLED
    with refused(OrderClosed, "cancelled"):
        scenario.amend(line(1, "tea", 1))


# --- money --------------------------------------------------------------------------------------------


def test_a_price_changes_money_only():
    scenario = sent()
    facts = scenario.amend(line(1, "tea", 3, unit_price_minor=400))
    assert names(facts) == ["amended", "refund_owed"]
    assert orders.due_minor(scenario.order()) == 1_200
    assert owed(scenario) == 300


def test_the_exact_total_of_what_is_wanted_counts_whatever_was_given_up():
    scenario = confirmed(line(1, "tea", 3, total_minor=1_000))
    scenario.amend(line(1, "tea", 2, total_minor=667))
    assert (orders.due_minor(scenario.order()), owed(scenario)) == (667, 333)
    scenario.cancel({1: 1})
    assert owed(scenario) == 333 + 334


def test_units_that_the_customer_asked_to_cancel_before_cost_nothing_either_once_the_shop_leaves_them_out():
    scenario = sent()
    scenario.cancel({1: 2})
    assert orders.price_minor(scenario.order()) == 1500  # the supplier may still refuse
    scenario.amend(line(1, "tea", 1))
    assert orders.price_minor(scenario.order()) == 500
    assert scenario.amend(line(1, "tea", 1)) == []


def test_charges_are_what_the_shop_says_now():
    scenario = confirmed(charges=(SHIPPING,))
    scenario.amend(line(1, "tea", 3))
    assert orders.due_minor(scenario.order()) == 1_500
    assert owed(scenario) == 490


def test_money_follows_what_the_shop_wants_also_where_the_supplier_refuses_to_cancel():
    scenario = sent()
    scenario.amend(line(1, "tea", 1))
    assert orders.due_minor(scenario.order()) == 500
    scenario.answer_cancel(agreed=False)
    assert orders.due_minor(scenario.order()) == 500
    scenario.amend(line(1, "tea", 3))
    assert orders.due_minor(scenario.order()) == 1_500


def test_added_parts_wait_for_their_money_where_amounts_are_known():
    scenario = a_shop()
    scenario.place(payment=PaymentState.PENDING)
    scenario.moved(PaymentKind.CAPTURED, 1_500)
    scenario.amend(line(1, "tea", 4))
    held = scenario.order().hold(HoldReason.AWAITING_PAYMENT)
    assert held is None
    assert [(h.reason, h.supplier_order_id) for h in scenario.order().holds] == [(HoldReason.AWAITING_PAYMENT, SECOND)]
    scenario.moved(PaymentKind.CAPTURED, 500, "second")
    assert scenario.holds() == []


def test_what_went_back_for_units_that_were_given_up_pays_for_none_that_are_added():
    scenario = a_shop()
    scenario.place(payment=PaymentState.PENDING)
    scenario.moved(PaymentKind.CAPTURED, 1_500)
    scenario.amend(line(1, "tea", 2))
    scenario.pays_owed()
    scenario.amend(line(1, "tea", 3))
    assert [(h.reason, h.supplier_order_id) for h in scenario.order().holds] == [(HoldReason.AWAITING_PAYMENT, SECOND)]
    scenario.moved(PaymentKind.CAPTURED, 200, "second")
    assert scenario.holds() == [HoldReason.AWAITING_PAYMENT]
    scenario.moved(PaymentKind.CAPTURED, 300, "third")
    assert scenario.holds() == []


def test_what_went_back_out_of_kindness_keeps_no_added_part_back_that_was_paid():
    scenario = a_shop()
    scenario.place(payment=PaymentState.PENDING)
    scenario.moved(PaymentKind.CAPTURED, 1_500)
    scenario.moved(PaymentKind.REFUNDED, 200)
    scenario.amend(line(1, "tea", 4))
    assert scenario.holds() == [HoldReason.AWAITING_PAYMENT]
    scenario.moved(PaymentKind.CAPTURED, 500, "second")
    assert (scenario.order().payment, scenario.holds()) == (PaymentState.PARTLY_REFUNDED, [])


def test_added_parts_of_an_order_that_is_paid_at_the_door_wait_for_no_money():
    scenario = a_shop()
    deposit = orders.Payment("d-1", PaymentKind.CAPTURED, Money(600, "EUR"), NOON)
    scenario.place(payment=PaymentState.UNKNOWN, cash_on_delivery=True, payments=(deposit,))
    scenario.amend(line(1, "tea", 4))
    assert scenario.holds() == []


def test_an_unconfirmed_order_waits_for_what_it_costs_more():
    scenario = a_shop(tea=3)
    scenario.place(line(1, "tea", 4), payment=PaymentState.PENDING)
    scenario.moved(PaymentKind.CAPTURED, 2_000)
    scenario.amend(line(1, "tea", 3), line(2, "mug", 2, "bolt", 900))
    assert HoldReason.AWAITING_PAYMENT in scenario.holds()
    assert scenario.order().confirmed_at is None


# --- the same, older, wrong ------------------------------------------------------------------------------


def test_what_is_so_already_records_nothing():
    scenario = confirmed(charges=(SHIPPING,))
    assert scenario.amend(line(1, "tea", 3), charges=[SHIPPING]) == []
    assert delivered().amend(line(1, "tea", 3)) == []


def test_an_older_version_is_recorded_and_changes_nothing():
    scenario = confirmed()
    scenario.amend(line(1, "tea", 4), version=7)
    fact = the(OrderAmended, scenario.amend(line(1, "tea", 1), version=6))
    assert fact.outdated
    assert fact.warnings == ("a newer state of the order is known, which stays; this one is only recorded",)
    assert orders.wanted_units(scenario.order())[LineNo(1)] == 4


def test_without_versions_the_time_decides():
    scenario = confirmed()
    scenario.later(hours=2)
    scenario.amend(line(1, "tea", 4))
    assert the(OrderAmended, scenario.amend(line(1, "tea", 1), at=NOON + HOUR)).outdated


def test_a_newer_version_that_changes_nothing_is_remembered():
    scenario = confirmed()
    scenario.amend(line(1, "tea", 3), version=9)
    assert the(OrderAmended, scenario.amend(line(1, "tea", 1), version=8)).outdated


def test_a_line_keeps_its_sku():
    scenario = confirmed()
    with refused(LineIsOfAnotherSku, "line 1 is of tea, not of mug"):
        scenario.amend(line(1, "mug", 3))
    with refused(UnknownLine, "9"):
        scenario.amend(line(1, "tea", 3), line(2, "mug", 1, "bolt", substitute_for=9))


def test_an_amendment_from_before_the_placing_counts_from_it():
    scenario = confirmed()
    fact = the(OrderAmended, scenario.amend(line(1, "tea", 4), at=NOON - timedelta(days=1)))
    assert (fact.at, fact.told_at) == (NOON, NOON - timedelta(days=1))


def test_a_bundle_that_is_amended_is_amended_in_its_parts():
    scenario = a_shop(tea=20)
    parts = (BundlePart("tea", 2), BundlePart("mug", 1))
    scenario.record(catalogue.describe_sku(scenario.book, SkuDescribed("set", NOON, parts=parts)))
    scenario.place(line(1, "set", 2, "acme", 900))
    assert orders.due_minor(scenario.order()) == 1_800
    scenario.amend(line(1, "set", 1, "acme", 900))
    assert {each.sku: orders.wanted_units(scenario.order())[n] for n, each in scenario.order().lines.items()} == {
        "tea": 2,
        "mug": 1,
    }
    assert orders.due_minor(scenario.order()) == 900


def test_an_amendment_leaves_a_bundle_what_it_was_when_its_order_was_taken():
    scenario = a_shop(tea=20)

    def describe(*parts: BundlePart) -> None:
        scenario.record(catalogue.describe_sku(scenario.book, SkuDescribed("set", scenario.now, parts=parts)))

    describe(BundlePart("tea", 2), BundlePart("mug", 1, 3))
    scenario.place(line(1, "set", 3, "acme", 333))
    before = {n: (each.sku, each.amount_minor) for n, each in scenario.order().lines.items()}
    scenario.later(hours=1)
    describe()
    assert scenario.amend(line(1, "set", 3, "acme", 333)) == []
    scenario.amend(line(1, "set", 2, "acme", 333))
    assert orders.wanted_units(scenario.order()) == {101: 4, 102: 2}
    assert orders.due_minor(scenario.order()) == 666
    scenario.amend(line(1, "set", 0, "acme", 333), line(2, "mug", 1, "bolt"))
    scenario.amend(line(1, "set", 3, "acme", 333), line(2, "mug", 1, "bolt"))
    assert orders.due_minor(scenario.order()) == 999 + 500
    assert before == {101: ("tea", 400), 102: ("mug", 599)}
