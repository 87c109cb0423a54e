"""What suppliers offer: prices by quantity, validity, withdrawal, and the house that goods leave from (DOMAIN 2)."""

from typing import Any

from ledger.facts import LineNo
from ledger.large_map import LargeMap
from ledger.nouns import offers
from ledger.nouns.offers import Offer, Offers, OfferWithdrawn, PriceBreak, SkuNotOffered, SkuOffered
from ledger.nouns.orders import HoldReason
from ledger.nouns.orders.supplier_orders import RejectReason
from ledger.nouns.suppliers import UnknownWarehouse, Warehouse
from ledger.refusals import Refusal
from ledger.terms.money import Money
from tests.support.scenario import (
    DAY,
    FIRST,
    NOON,
    SECOND,
    Scenario,
    a_shop,
    confirmed,
    line,
    names,
    refused,
    reject,
)

TEA = Offer("tea", Money(250, "EUR"))
BULK = Offer("tea", Money(250, "EUR"), breaks=(PriceBreak(10, 220), PriceBreak(100, 200)), packing_cost_minor=20)


def listed(*told: Offer) -> Offers:
    known = Offers()
    for offer in told:
        known = offers.evolve(known, SkuOffered("acme", offer, NOON))
    return known


# --- what holds when ------------------------------------------------------------------------------


def test_a_unit_costs_what_its_quantity_says_and_its_packing():
    assert [BULK.unit_cost(units).amount_minor for units in (1, 9, 10, 99, 100)] == [270, 270, 240, 240, 220]
    assert TEA.unit_cost(1_000) == TEA.cost


def test_an_offer_that_begins_later_stands_beside_the_present_one_until_then():
    dearer = Offer("tea", Money(300, "EUR"), valid_from=NOON + DAY)
    both = listed(TEA, dearer)["tea"]
    assert offers.holding(both, NOON) == TEA
    assert offers.holding(both, NOON + DAY) == dearer
    assert listed(dearer, TEA)["tea"] == (TEA,), "a word without dates replaces all that was said before"


def test_what_is_offered_for_a_time_gives_way_to_what_held_before():
    sale = Offer("tea", Money(200, "EUR"), valid_from=NOON, valid_until=NOON + DAY)
    both = listed(TEA, sale)["tea"]
    assert [offers.holding(both, NOON + each) for each in (-DAY, 0 * DAY, DAY)] == [TEA, sale, TEA]
    assert offers.holding(listed(sale)["tea"], NOON + DAY) is None


def test_an_offer_of_the_same_beginning_is_put_right():
    first, second = (Offer("tea", Money(cost, "EUR"), valid_from=NOON) for cost in (300, 310))
    assert listed(TEA, first, second)["tea"] == (second, TEA)


def test_what_changes_nothing_records_nothing():
    dearer = Offer("tea", Money(300, "EUR"), valid_from=NOON + DAY)
    both = listed(TEA, dearer)
    assert offers.offer_sku(both, "acme", dearer, NOON) == []
    assert offers.offer_sku(listed(TEA), "acme", TEA, NOON) == []
    assert len(offers.offer_sku(both, "acme", TEA, NOON)) == 1, "it takes the later one back"


def test_an_offer_is_withdrawn_once_and_can_be_made_anew():
    known = listed(TEA, Offer("tea", Money(300, "EUR"), valid_from=NOON + DAY))
    (withdrawn,) = offers.withdraw(known, "acme", "tea", "discontinued", NOON)
    gone = offers.evolve(known, withdrawn)
    assert gone["tea"] == ()
    assert offers.withdraw(gone, "acme", "tea", "", NOON + DAY) == []
    assert offers.holding(offers.evolve(gone, SkuOffered("acme", TEA, NOON))["tea"], NOON) == TEA


def test_what_was_never_offered_cannot_be_withdrawn():
    with refused(SkuNotOffered, "supplier acme never offered tea"):
        offers.withdraw(Offers(), "acme", "tea", "", NOON)


def test_a_catalogue_of_a_hundred_thousand_is_copied_by_a_few_hundred_references():
    many = LargeMap[int]()
    for number in range(100_000):
        many = many.changed(f"sku-{number}", number)
    assert (len(many), many["sku-77777"], sum(many.values())) == (100_000, 77_777, sum(range(100_000)))
    largest = max(len(few) for part in many._parts for few in part)
    assert largest < 80, "a change copies this many keys, and twice 64 parts"


# --- what an order makes of it --------------------------------------------------------------------


def test_a_supplier_order_keeps_article_codes_and_what_was_offered_for_its_quantity():
    scenario = a_shop(tea=200, mug=5)
    scenario.offer("tea", article_code="T-17", breaks=(PriceBreak(10, 220),), packing_cost_minor=20)
    scenario.place(line(1, "tea", 6), line(2, "tea", 4), line(3, "mug", 1))
    scenario.offer("tea", 990)
    drafted = scenario.supplier_order()
    assert drafted.article_codes == {1: "T-17", 2: "T-17"}
    assert drafted.unit_costs == {1: Money(240, "EUR"), 2: Money(240, "EUR")}, "ten of them together"
    assert drafted.packing_costs == {1: Money(20, "EUR"), 2: Money(20, "EUR")}


def test_the_price_that_holds_when_the_order_is_placed_decides_who_is_chosen():
    scenario = a_shop(tea=10)
    scenario.offer(cost=300, supplier_id="acme")
    scenario.offer(cost=310, supplier_id="bolt")
    scenario.feed(10, supplier_id="bolt")
    scenario.offer(cost=290, supplier_id="bolt", valid_from=NOON + DAY, valid_until=NOON + 2 * DAY)
    chosen = []
    for number in range(3):
        scenario.place(line(1, "tea", 1, ""), order_id=f"shopify/{number}")
        chosen.append(scenario.order(f"shopify/{number}").lines[LineNo(1)].supplier_id)
        scenario.later(days=1)
    assert chosen == ["acme", "bolt", "acme"]


def held_for(scenario: Scenario) -> tuple[str, ...]:
    (hold,) = scenario.order().holds
    assert hold.reason is HoldReason.OTHER
    return hold.missing


def test_fewer_units_than_the_minimum_are_held_where_the_shop_named_the_supplier():
    scenario = a_shop(tea=20)
    scenario.offer("tea", minimum_quantity=5)
    scenario.place(line(1, "tea", 3))
    assert held_for(scenario) == ("line 1: supplier acme takes 5 of tea at least, not 3",)
    with refused(Refusal, "takes 5 of tea at least, not 3", units=3, minimum=5):
        scenario.release(HoldReason.OTHER)
    scenario.offer("tea", minimum_quantity=3)
    scenario.release(HoldReason.OTHER)
    assert scenario.order().confirmed_at is not None


def test_the_minimum_is_of_all_lines_of_the_sku_together():
    scenario = a_shop(tea=20)
    scenario.offer("tea", minimum_quantity=5)
    scenario.place(line(1, "tea", 3), line(2, "tea", 2))
    assert scenario.holds() == []


def test_what_the_named_supplier_offers_no_more_is_held_and_what_it_never_offered_is_not():
    scenario = a_shop(tea=20, mug=20)
    scenario.offer("tea", valid_until=NOON - DAY)
    scenario.place(line(1, "tea", 3), line(2, "mug", 3))
    (missing,) = held_for(scenario)
    assert missing == "line 1: supplier acme does not offer tea now; correct the offer or the line"


def test_a_supplier_that_discontinues_a_sku_offers_it_no_more():
    scenario = confirmed()
    scenario.offer("tea", supplier_id="acme")
    scenario.send()
    facts = scenario.answer({1: reject(3, RejectReason.DISCONTINUED)})
    assert [each.because for each in facts if isinstance(each, OfferWithdrawn)] == ["discontinued"]
    assert scenario.supplier().offer_at("tea", scenario.now) is None
    scenario.place(line(1, "tea", 1, ""), order_id="shopify/2")
    assert scenario.holds("shopify/2") == [HoldReason.INCOMPLETE]


def test_what_it_discontinues_without_having_offered_it_withdraws_nothing():
    scenario = confirmed()
    scenario.send()
    assert "offer_withdrawn" not in names(scenario.answer({1: reject(3, RejectReason.DISCONTINUED)}))


# --- houses ---------------------------------------------------------------------------------------

HOUSES = (Warehouse("szx", "CN"), Warehouse("ber", "DE", time_zone="Europe/Berlin"))


def a_trader_with_two_houses() -> Scenario:
    scenario = Scenario()
    scenario.approve("acme", country="CN", warehouses=HOUSES)
    for sku in ("tea", "mug"):
        scenario.feed(10, sku)
    scenario.offer("tea", warehouse="ber")
    scenario.offer("mug", warehouse="szx")
    return scenario


def test_goods_of_two_houses_are_two_supplier_orders():
    scenario = a_trader_with_two_houses()
    known: dict[str, Any] = {"title": "A mug", "hs_code": "691110", "origin": "CN", "weight_grams": 300}
    scenario.place(line(1, "tea", 2), line(2, "mug", 1, **known), incoterm="dap")
    drafted = {name: (each.warehouse, sorted(each.shares)) for name, each in scenario.order().supplier_orders.items()}
    assert drafted == {FIRST: ("ber", [1]), SECOND: ("szx", [2])}
    services = [each.shipping.code for each in scenario.order().supplier_orders.values() if each.shipping]
    assert services == ["domestic_parcel", "international_light"]


def test_only_what_leaves_from_behind_a_border_needs_customs_data():
    scenario = a_trader_with_two_houses()
    scenario.place(line(1, "tea", 2))
    assert scenario.holds() == []
    scenario.place(line(1, "mug", 1), order_id="shopify/2")
    assert scenario.holds("shopify/2") == [HoldReason.CUSTOMS_DATA]


def test_a_house_that_the_supplier_does_not_have_is_refused():
    scenario = a_trader_with_two_houses()
    with refused(UnknownWarehouse, "supplier acme has no warehouse ams"):
        scenario.offer("tea", warehouse="ams")


def test_where_a_house_is_that_was_closed_nobody_guesses():
    scenario = a_trader_with_two_houses()
    assert scenario.supplier().country_of("ber") == "DE"
    scenario.update_supplier(warehouses=HOUSES[:1])
    assert scenario.supplier().country_of("ber") == ""
    scenario.later(hours=1)
    scenario.place(line(1, "tea", 2))
    assert scenario.order().no_promise_because == "the country of acme ber is not known"
