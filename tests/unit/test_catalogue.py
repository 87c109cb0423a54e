"""The SKU master: orders draw on it, and a bundle is its parts with its price shared to the cent (DOMAIN 2)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.decisions import catalogue
from ledger.decisions.catalogue import BundleInItself
from ledger.facts import Fact, LineNo
from ledger.nouns import skus
from ledger.nouns.orders import HoldReason, PartOf, PaymentState, total_minor
from ledger.nouns.skus import BundlePart, Master, SkuDescribed
from ledger.terms.places import Destination
from tests.support.scenario import DAY, NOON, ORDER, Scenario, a_shop, line, names, refused

CUP, TEA = BundlePart("cup", 2), BundlePart("tea", 1)


def describe(scenario: Scenario, sku: str, **named: Any) -> list[Fact]:
    at = named.pop("at", scenario.now)
    return scenario.record(catalogue.describe_sku(scenario.book, SkuDescribed(sku, at, **named)))


def a_shop_with_a_set(*parts: BundlePart) -> Scenario:
    scenario = a_shop(tea=100, cup=100)
    describe(scenario, "set", parts=parts or (CUP, TEA))
    return scenario


def lines_of(scenario: Scenario, order_id: str = ORDER) -> dict[int, tuple[str, int, int]]:
    return {n: (each.sku, each.quantity, each.amount_minor) for n, each in scenario.order(order_id).lines.items()}


# --- the master -----------------------------------------------------------------------------------


def test_what_is_named_changes_and_the_rest_stays():
    scenario = a_shop()
    assert names(describe(scenario, "tea", title="Green tea", weight_grams=100)) == ["described", "catalogue_begun"]
    assert names(describe(scenario, "tea", hs_code="090210")) == ["described"]
    known = skus.find(scenario.book, "tea")
    assert known is not None
    assert known.master == Master("Green tea", "090210", "", 100)
    assert describe(scenario, "tea", title="Green tea", weight_grams=100) == [], "nothing new"
    describe(scenario, "tea", hs_code="", parts=())
    known = skus.find(scenario.book, "tea")
    assert known is not None
    assert known.master == Master("Green tea", "", "", 100)


def test_older_news_that_comes_later_changes_nothing_and_says_so():
    scenario = a_shop()
    describe(scenario, "tea", title="New", at=NOON)
    (late,) = describe(scenario, "tea", title="Old", origin="CN", at=NOON - DAY)
    known = skus.find(scenario.book, "tea")
    assert known is not None
    assert known.master == Master("New", origin="CN")
    assert late.warnings == ("newer news of title is known, which stays",)


def test_a_bundle_cannot_be_in_itself_however_deep():
    scenario = a_shop_with_a_set()
    with refused(BundleInItself, "set cannot be a part of set"):
        describe(scenario, "set", parts=(BundlePart("set", 1),))
    with refused(BundleInItself, "cup cannot be a part of set, which is a part of cup"):
        describe(scenario, "cup", parts=(BundlePart("set", 1),))
    describe(scenario, "hamper", parts=(BundlePart("set", 1),))
    with refused(BundleInItself, "tea cannot be a part of hamper"):
        describe(scenario, "tea", parts=(BundlePart("hamper", 1),))


# --- what orders draw -------------------------------------------------------------------------------


def test_an_order_takes_from_the_master_what_its_shop_left_out():
    scenario = a_shop()
    describe(scenario, "tea", title="Green tea", hs_code="090210", origin="CN", weight_grams=100)
    scenario.place(line(1, "tea", 1, title="Tea of ours"))
    (drawn,) = scenario.order().lines.values()
    assert (drawn.title, drawn.hs_code, drawn.origin, drawn.weight_grams) == ("Tea of ours", "090210", "CN", 100)


def test_an_order_over_a_border_needs_no_customs_data_of_its_shop():
    scenario = Scenario()
    scenario.approve("acme", country="CN")
    scenario.feed(10)
    describe(scenario, "tea", title="Green tea", hs_code="090210", origin="CN", weight_grams=100)
    scenario.place(line(1, "tea", 1), incoterm="dap")
    assert scenario.holds() == []


def test_a_hold_for_customs_data_can_be_released_once_the_master_has_it():
    scenario = Scenario()
    scenario.approve("acme", country="CN")
    scenario.feed(10)
    scenario.place(line(1, "tea", 1), incoterm="dap")
    assert scenario.holds() == [HoldReason.CUSTOMS_DATA]
    describe(scenario, "tea", title="Green tea", hs_code="090210", origin="CN", weight_grams=100)
    assert names(scenario.release(HoldReason.CUSTOMS_DATA))[-2:] != []
    assert (scenario.holds(), scenario.order().lines[LineNo(1)].hs_code) == ([], "090210")
    assert scenario.order().confirmed_at is not None


def test_orders_of_a_ledger_without_a_master_are_as_they_came():
    scenario = a_shop()
    lines = (line(1, "tea", 1),)
    assert catalogue.drawn(scenario.book, lines) is lines


# --- bundles --------------------------------------------------------------------------------------


def test_a_bundle_is_exploded_into_its_parts_with_its_price_shared():
    scenario = a_shop_with_a_set(CUP, BundlePart("tea", 1, price_share=4))
    scenario.place(line(1, "mug", 1, "bolt"), line(2, "set", 3, unit_price_minor=1000))
    assert lines_of(scenario) == {1: ("mug", 1, 500), 201: ("cup", 6, 1000), 202: ("tea", 3, 2000)}
    assert scenario.order().lines[LineNo(201)].part_of == PartOf(LineNo(2), "set", 2)
    drafted = scenario.supplier_order(f"{ORDER}/2")
    assert (drafted.supplier_id, list(drafted.shares)) == ("acme", [201, 202])
    assert scenario.stock("cup").reservations[ORDER].units == 6


def test_a_bundle_of_bundles_is_exploded_to_what_can_be_sent():
    scenario = a_shop_with_a_set()
    describe(scenario, "hamper", parts=(BundlePart("set", 2), BundlePart("tea", 1)))
    scenario.place(line(1, "hamper", 1, unit_price_minor=1000))
    assert lines_of(scenario) == {101: ("cup", 4, 445), 102: ("tea", 2, 222), 103: ("tea", 1, 333)}
    assert [each.part_of.units for each in scenario.order().lines.values() if each.part_of] == [4, 2, 1]


def test_parts_without_a_supplier_get_those_that_qualify():
    scenario = a_shop_with_a_set()
    scenario.offer("cup", supplier_id="acme")
    scenario.offer("tea", supplier_id="bolt")
    scenario.place(line(1, "set", 1, ""))
    assert [each.supplier_id for each in scenario.order().lines.values()] == ["acme", "bolt"]


def test_numbers_that_the_shop_uses_are_left_to_it():
    scenario = a_shop_with_a_set()
    scenario.place(line(1, "set", 1), line(101, "mug", 1, "bolt"))
    assert sorted(scenario.order().lines) == [101, 102, 103]


def test_what_a_bundle_is_later_changes_no_order_of_before():
    scenario = a_shop_with_a_set()
    scenario.place(line(1, "set", 1))
    describe(scenario, "set", parts=(TEA,))
    assert sorted(scenario.order().lines) == [101, 102]


def test_a_line_that_turns_out_to_be_a_bundle_is_replaced_by_its_parts():
    scenario = a_shop_with_a_set()
    scenario.place(line(1, "", 1), payment=PaymentState.PENDING)
    scenario.complete(line(1, "set", 2))
    assert sorted(scenario.order().lines) == [101, 102]
    assert scenario.complete(line(1, "set", 2)) == [], "the same again"
    scenario.complete(line(1, "set", 1))
    assert [each.quantity for each in scenario.order().lines.values()] == [2, 1]
    scenario.pay()
    assert scenario.order().confirmed_at is not None


def test_a_bundle_with_too_many_parts_for_an_order_stays_whole():
    scenario = a_shop()
    describe(scenario, "box", parts=tuple(BundlePart(f"part-{n}", 1) for n in range(50)))
    lines = tuple(line(n, "box", 1, "") for n in range(1, 22))
    assert catalogue.drawn(scenario.book, lines) is lines


@pytest.mark.parametrize("quantity", [1, 3])
@given(
    st.integers(0, 100_000),
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 900)), min_size=1, max_size=6),
    st.booleans(),
)
def test_the_parts_cost_what_the_bundle_cost(
    quantity: int, price_minor: int, parts: list[tuple[int, int]], total: bool
):
    scenario = Scenario()
    made = tuple(BundlePart(f"part-{n}", units, weight) for n, (units, weight) in enumerate(parts))
    describe(scenario, "set", parts=made)
    exact = price_minor * quantity + 1 if total else None
    scenario.place(line(1, "set", quantity, "", price_minor, total_minor=exact), destination=Destination("DE"))
    order = scenario.order()
    assert total_minor(order) == (price_minor * quantity + total)
    assert all(each.amount_minor >= 0 for each in order.lines.values())
    assert [each.quantity for each in order.lines.values()] == [units * quantity for units, _ in parts]
