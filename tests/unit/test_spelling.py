"""SKUs that differ from a known one by upper and lower case alone are other SKUs, and odd."""

from collections.abc import Sequence

import pytest

from ledger.decisions import catalogue
from ledger.facts import Fact
from ledger.nouns import skus, stock
from ledger.nouns.orders import PaymentState
from ledger.nouns.skus import SkuDescribed
from tests.support.scenario import Scenario, a_shop, line, names

ODD = "{} is taken for another SKU than {}: only upper and lower case differ"


def odd(facts: Sequence[Fact]) -> list[str]:
    return [warning for fact in facts for warning in fact.warnings if "upper and lower" in warning]


@pytest.fixture
def scenario() -> Scenario:
    return a_shop(tea=5)


def test_a_feed_of_a_sku_that_differs_by_case_alone_is_taken_and_names_the_known_one(scenario: Scenario):
    assert odd(scenario.feed(3, "TEA")) == [ODD.format("TEA", "tea")]
    assert (scenario.stock("TEA").available, scenario.stock("tea").available) == (3, 5)
    assert odd(scenario.feed(4, "TEA")) == [], "by now it is known"
    assert odd(scenario.feed(4, "Tea")) == [ODD.format("Tea", "tea, TEA")]


def test_an_offer_of_such_a_sku_is_taken_and_names_it(scenario: Scenario):
    assert odd(scenario.offer("TEA", supplier_id="bolt")) == [ODD.format("TEA", "tea")]
    assert odd(scenario.offer("TEA", cost=200, supplier_id="bolt")) == []
    assert odd(scenario.offer("tea", supplier_id="bolt")) == []
    scenario.offer("MUG", supplier_id="bolt")
    assert odd(scenario.offer("mug", supplier_id="bolt")) == [ODD.format("mug", "MUG")]


def test_the_first_offer_in_small_letters_needs_no_fact_of_its_spelling(scenario: Scenario):
    assert names(scenario.offer("mug")) == ["sku_offered", "supplier_listed"]
    assert names(scenario.offer("Mug")) == ["sku_offered", "supplier_listed", "spelled"]


@pytest.mark.parametrize("supplier_id", ["acme", ""])
def test_an_order_for_such_a_sku_is_taken_and_names_it(scenario: Scenario, supplier_id: str):
    scenario.offer("tea")
    assert odd(scenario.place(line(1, "TEA", 1, supplier_id), line(2, "ink", 1))) == [ODD.format("TEA", "tea")]
    assert odd(scenario.place(line(1, "tea", 1, supplier_id), order_id="shopify/2")) == []


def test_details_that_name_such_a_sku_are_taken_and_name_it(scenario: Scenario):
    scenario.place(line(1, "", 1), payment=PaymentState.PENDING)
    assert odd(scenario.complete(line(1, "TEA", 1))) == [ODD.format("TEA", "tea")]


def test_a_master_of_such_a_sku_is_taken_and_names_it(scenario: Scenario):
    described = SkuDescribed("TEA", scenario.now, title="Tea")
    assert odd(scenario.record(catalogue.describe_sku(scenario.book, described))) == [ODD.format("TEA", "tea")]
    assert scenario.record(catalogue.describe_sku(scenario.book, described)) == []
    assert odd(scenario.feed(4, "TEA")) == [], "by now it is known"
    assert odd(scenario.feed(4, "Tea")) == [ODD.format("Tea", "tea, TEA")]
    scenario.feed(1, "MUG")
    small = SkuDescribed("mug", scenario.now, title="Mug")
    assert odd(scenario.record(catalogue.describe_sku(scenario.book, small))) == [ODD.format("mug", "MUG")]


def test_case_is_folded_for_all_letters():
    assert skus.folded("STRASSE") == skus.folded("Straße")
    assert skus.folded("TÉ") == "té"


def test_a_known_sku_is_not_odd_because_it_has_no_stock(scenario: Scenario):
    scenario.feed(0)
    assert odd(scenario.place(line(1, "tea", 1))) == []
    assert stock.find(scenario.book, "acme", "TEA") is None
