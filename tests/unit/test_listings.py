"""A SKU is delisted when no qualified supplier can promise a unit of it, and relisted when one can."""

from msgspec.structs import replace

from ledger.decisions.timers import ListingDue
from ledger.facts import Fact
from ledger.nouns import skus, suppliers
from ledger.nouns.skus import SkuDelisted, SkuRelisted
from tests.support.scenario import HOUR, NOON, TERMS, Scenario, a_shop, line, names, the


def two_sellers(acme: int = 1, bolt: int = 1) -> Scenario:
    scenario = a_shop(tea=acme)
    for supplier_id in ("acme", "bolt"):
        scenario.offer(supplier_id=supplier_id)
    scenario.feed(bolt, supplier_id="bolt")
    return scenario


def look(scenario: Scenario, supplier_id: str = "acme") -> list[Fact]:
    """The clock looks at the listing, because of that supplier."""
    return scenario.notice(ListingDue(supplier_id, "tea", "0-1", due=NOON))


def test_a_sku_is_delisted_when_the_last_supplier_has_sold_out_and_once_only():
    scenario = two_sellers()
    scenario.place(line(1, "tea", 1))
    assert look(scenario) == [], "bolt has one"
    scenario.place(line(1, "tea", 1, "bolt"), order_id="shopify/2")
    delisted = the(SkuDelisted, look(scenario))
    assert (delisted.sku, delisted.against, delisted.at) == ("tea", {"acme": "sold_out", "bolt": "sold_out"}, NOON)
    assert look(scenario) == look(scenario, "bolt") == []


def test_a_sku_is_delisted_when_the_last_supplier_that_had_some_is_suspended_and_relisted_with_it():
    scenario = two_sellers(acme=0)
    scenario.suspend("bolt")
    assert the(SkuDelisted, look(scenario, "bolt")).against == {"bolt": "suspended", "acme": "sold_out"}
    scenario.reinstate("bolt")
    assert look(scenario, "acme") == [], "it is another that has some"
    relisted = the(SkuRelisted, look(scenario, "bolt"))
    assert (relisted.supplier_id, relisted.available) == ("bolt", 1)
    assert look(scenario, "bolt") == []


def test_a_sku_is_delisted_when_the_last_stock_is_stale_beyond_what_can_be_promised():
    scenario = a_shop(tea=0)
    scenario.approve("cord", replace(TERMS, feed_interval_hours=1))
    scenario.offer(supplier_id="cord")
    scenario.feed(1, supplier_id="cord")
    scenario.agree(stale_buffer_units=1, stale_buffer_basis_points=0)
    scenario.later(hours=2)
    scenario.miss_feed("tea", "cord")
    assert the(SkuDelisted, look(scenario, "cord")).against == {"cord": "stale"}


def test_what_is_there_again_before_the_clock_looks_is_no_crossing():
    scenario = two_sellers(acme=0, bolt=0)
    scenario.feed(2)
    assert look(scenario) == []
    assert skus.find(scenario.book, "tea") is not None


def test_a_supplier_that_is_not_approved_or_sends_no_feed_keeps_nothing_on_sale():
    scenario = two_sellers(acme=0, bolt=5)
    scenario.suspend("bolt")
    scenario.approve("cord")
    scenario.offer(supplier_id="cord")
    assert the(SkuDelisted, look(scenario)).against == {"acme": "sold_out", "bolt": "suspended", "cord": "untracked"}


def test_each_crossing_is_a_fact_of_its_own():
    scenario = two_sellers(acme=0, bolt=0)
    facts: list[Fact] = []
    for quantity in (0, 3, 0, 3):
        scenario.feed(quantity)
        facts += look(scenario)
    assert names(facts) == ["delisted", "relisted"] * 2
    found = skus.find(scenario.book, "tea")
    assert found is not None
    assert found.listing is not None
    assert (found.listing.crossings, found.listing.delisted, found.listing.against) == (4, False, {})


def test_a_supplier_that_withdrew_its_offer_or_whose_offer_ended_keeps_nothing_on_sale():
    scenario = two_sellers()
    scenario.offer(valid_until=NOON + HOUR)
    withdrawn = suppliers.withdraw_offer(scenario.supplier("bolt"), "tea", "season over", NOON)
    scenario.record([(suppliers.stream("bolt"), fact) for fact in withdrawn])
    assert look(scenario, "bolt") == []
    scenario.later(hours=1)
    delisted = the(SkuDelisted, look(scenario, "bolt"))
    assert delisted.against == {"bolt": "withdrawn", "acme": "not_offered_now"}
    scenario.offer(supplier_id="bolt")
    assert the(SkuRelisted, look(scenario, "bolt")).supplier_id == "bolt"
