"""Shipping services: which one an order takes, and what day that promises to the customer."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from ledger.facts import Sealed
from ledger.nouns.orders import Line, OrderConfirmed
from ledger.nouns.orders.supplier_orders import ShippingChosen, SupplierOrderDrafted
from ledger.nouns.suppliers import Agreement
from ledger.terms.money import MOST_MINOR, Money, round_half_up
from ledger.terms.places import Destination
from ledger.terms.shipping import (
    DEFAULT_SERVICES,
    Chosen,
    Consignment,
    Incoterm,
    Priority,
    ShippingService,
    choose,
)
from tests.support.scenario import (
    DAY,
    GERMANY,
    HOUR,
    NOON,
    TERMS,
    Scenario,
    line,
    names,
    the,
)

CUSTOMS: dict[str, Any] = {"title": "Tea", "hs_code": "090210", "origin": "CN", "weight_grams": 100}
CHEAP, FAST = Priority.STANDARD, Priority.EXPRESS


def sends(
    origin: str = "CN", destination: str = "DE", priority: Priority = CHEAP, value: int = 2000, **more: Any
) -> Chosen:
    currency = more.pop("currency", "EUR")
    services = more.pop("services", DEFAULT_SERVICES)
    return choose(services, Consignment(origin, destination, priority, Money(value, currency), **more))


def a_chinese_shop(**more: Any) -> Scenario:
    """Acme sits in China and dispatches within 48 hours; it has 10 of tea."""
    scenario = Scenario()
    scenario.approve("acme", country="CN", **more)
    scenario.feed(10)
    return scenario


def placed(scenario: Scenario, *lines: Line, country: str = "DE", **more: Any) -> Scenario:
    scenario.place(
        *(lines or (line(1, "tea", 3, **CUSTOMS),)), destination=Destination(country), incoterm=Incoterm.DDP, **more
    )
    return scenario


# --- the choice -----------------------------------------------------------------------------------


def test_goods_within_a_country_take_the_cheapest_service_there():
    chosen = sends("CN", "CN", weight_grams=500)
    assert (chosen.code, chosen.because) == ("domestic_economy", "cheapest of 2")
    assert (chosen.days_from, chosen.days_to, chosen.cost) == (3, 5, Money(900, "CNY"))


def test_an_express_order_takes_the_fastest_service():
    assert sends("CN", "CN", FAST).code == "domestic_express"
    chosen = sends(priority=FAST, weight_grams=500)
    assert (chosen.code, chosen.because, chosen.carriers) == (
        "international_express",
        "fastest of 3",
        ("dhl", "fedex"),
    )


def test_cheap_light_goods_go_abroad_as_a_small_packet():
    assert sends(weight_grams=300).code == "international_light"


def test_what_is_too_heavy_for_a_service_passes_it_over_and_says_so():
    chosen = sends(weight_grams=2001)
    assert chosen.code == "international_line"
    assert chosen.because == "cheapest of 2; international_light takes 2000 g, not 2001 g"
    assert sends(weight_grams=2000).code == "international_light"


def test_what_is_worth_too_much_for_a_service_passes_it_over_and_says_so():
    chosen = sends(value=15_001, weight_grams=300)
    assert chosen.code == "international_line"
    assert "international_light takes goods worth 150.00 EUR, not 150.01 EUR" in chosen.because
    assert sends(value=15_000, weight_grams=300).code == "international_light"


def test_however_heavy_a_service_costs_no_more_than_any_amount_may_be():
    dear = ShippingService("sea", ("dhl",), True, 1, 2, Money(0, "EUR"), cost_per_kg_minor=10**12)
    # A thousand lines of a million units of a tonne each.
    chosen = sends(weight_grams=1000 * 10**6 * 10**6, services=(dear,))
    assert chosen.cost == Money(MOST_MINOR, "EUR")


def test_a_limit_of_value_in_other_currencies_cannot_be_compared_and_passes_the_service_over():
    chosen = sends(currency="BRL", weight_grams=300)
    assert chosen.code == "international_line"
    assert "international_light has no limit of value in BRL to compare with" in chosen.because


def test_where_no_service_fits_none_is_chosen_and_every_obstacle_is_named():
    chosen = sends(weight_grams=80_000)
    assert chosen.code == ""
    assert chosen.because.startswith("no service from CN to DE; international_light takes 2000 g, not 80000 g; ")
    assert chosen.because.count("80000 g") == 3


def test_a_service_serves_only_the_countries_that_it_names():
    line_to_brazil = ShippingService(
        "brazil_line", ("yanwen",), True, 9, 12, Money(1, "CNY"), origins=("CN",), destinations=("BR",)
    )
    table = (*DEFAULT_SERVICES, line_to_brazil)
    assert sends("CN", "BR", services=table, weight_grams=10).code == "brazil_line"
    assert sends("CN", "DE", services=table, weight_grams=10).code == "international_light"
    assert sends("DE", "BR", services=table, weight_grams=10).code == "international_express"


def test_the_usual_services_run_where_their_carriers_collect():
    assert sends("DE", "DE", weight_grams=10).code == "domestic_parcel"
    assert sends("DE", "FR", weight_grams=10).code == "international_express"
    assert sends("BR", "BR", weight_grams=10).because == "no service from BR to BR"


def over_a_border(services: tuple[ShippingService, ...], **more: Any) -> Chosen:
    return sends(services=services, crosses_border=True, **more)


def test_over_a_border_a_service_takes_goods_under_its_own_terms_of_duty_alone():
    unpaid = ShippingService("post", ("china-post",), True, 14, 28, Money(800, "CNY"), incoterms=(Incoterm.DAP,))
    paid = ShippingService("double_clearance", ("yunexpress",), True, 7, 14, Money(2000, "CNY"))
    table = (unpaid, replace(paid, incoterms=(Incoterm.DDP,)))
    assert over_a_border(table, incoterm=Incoterm.DAP).code == "post"
    chosen = over_a_border(table, incoterm=Incoterm.DDP)
    assert (chosen.code, chosen.because) == ("double_clearance", "the only one; post does not clear goods under DDP")
    assert over_a_border(table).because == "cheapest of 2"
    assert sends(services=table, incoterm=Incoterm.DDP).code == "post"
    assert over_a_border((unpaid, paid), incoterm=Incoterm.DDP).code == "double_clearance"


def test_what_customs_holds_counts_where_the_policy_says_what_that_costs():
    often_held = ShippingService("post", ("china-post",), True, 14, 28, Money(800, "CNY"), held_basis_points=1000)
    seldom_held = replace(often_held, code="line", cost=Money(1000, "CNY"), held_basis_points=200)
    table = (often_held, seldom_held)
    assert over_a_border(table).because == "cheapest of 2"
    assert over_a_border(table).code == "post"
    # 8.00 and a tenth of 25.00 are as much as 10.00 and a fiftieth of it; from then on the line is cheaper.
    assert over_a_border(table, held_costs_minor=2500).code == "post"
    chosen = over_a_border(table, held_costs_minor=2507)
    assert (chosen.code, chosen.because) == ("line", "cheapest of 2, counting what customs holds")
    assert chosen.cost == Money(1000, "CNY")
    assert sends(services=table, held_costs_minor=9999).code == "post"


def test_of_an_unknown_weight_no_limit_is_looked_at_and_no_cost_is_given():
    chosen = sends("CN", "CN", weight_grams=0)
    assert (chosen.code, chosen.cost) == ("domestic_economy", None)


@pytest.mark.parametrize(("grams", "price"), [(0, 800), (6, 800), (7, 801), (1000, 880), (1006, 880), (1007, 881)])
def test_weight_is_priced_by_the_gram_and_rounded_half_up(grams: int, price: int):
    service = ShippingService("x", ("yto",), False, 1, 2, Money(800, "CNY"), cost_per_kg_minor=80)
    assert service.price_minor(grams) == price
    assert [round_half_up(n, 2) for n in (0, 1, 2, 3)] == [0, 1, 1, 2]


# --- on the supplier order --------------------------------------------------------------------------


def test_the_service_and_why_stand_on_the_draft():
    scenario = a_chinese_shop()
    facts = scenario.place(line(1, "tea", 3, **CUSTOMS), destination=GERMANY, incoterm=Incoterm.DAP)
    shipping = the(SupplierOrderDrafted, facts).shipping
    assert shipping is not None
    assert (shipping.code, shipping.because, shipping.cost) == (
        "international_light",
        "cheapest of 3",
        Money(800 + 2400, "CNY"),
    )
    assert scenario.supplier_order().shipping == shipping


def test_no_service_is_chosen_while_a_country_is_not_known():
    scenario = Scenario()
    scenario.approve("acme")
    scenario.feed(10)
    assert the(SupplierOrderDrafted, scenario.place()).shipping is None


def test_the_table_in_force_when_the_order_is_confirmed_counts():
    scenario = a_chinese_shop()
    slow_boat = ShippingService("slow_boat", ("cosco",), True, 30, 45, Money(100, "CNY"))
    scenario.agree(shipping_services=(slow_boat,))
    placed(scenario)
    assert scenario.supplier_order().shipping == Chosen(
        "slow_boat", "the only one", ("cosco",), 30, 45, Money(100, "CNY"), crosses_border=True
    )


def test_another_address_chooses_again_and_records_only_what_changes():
    scenario = placed(a_chinese_shop())
    scenario.later(hours=1)
    facts = scenario.change_address(Sealed("key-anna", b"Beijing"), Destination("CN", "Beijing"))
    assert names(facts) == ["address_changed", "shipping_chosen"]
    assert the(ShippingChosen, facts).shipping.code == "domestic_economy"
    assert scenario.supplier_order().shipping == the(ShippingChosen, facts).shipping
    assert names(scenario.change_address(Sealed("key-anna", b"Shanghai"), Destination("CN"))) == ["address_changed"]


# --- the promise ------------------------------------------------------------------------------------


def test_the_promise_is_dispatch_deadline_and_longest_transit_and_customs_allowance():
    order = placed(a_chinese_shop()).order()
    assert order.promised_by == NOON + 48 * HOUR + 28 * DAY + 3 * DAY
    assert order.no_promise_because == ""


def test_within_a_customs_union_the_promise_needs_no_customs_allowance():
    scenario = Scenario()
    scenario.approve("acme", country="FR")
    scenario.feed(10)
    placed(scenario, line(1, "tea", 3))
    assert scenario.order().promised_by == NOON + 48 * HOUR + 5 * DAY


def test_an_express_order_is_promised_by_the_express_clock():
    order = placed(a_chinese_shop(), priority=FAST).order()
    assert order.promised_by == NOON + 24 * HOUR + 5 * DAY + 3 * DAY


def test_the_shops_own_promise_is_kept():
    order = placed(a_chinese_shop(), promised_by=NOON + DAY).order()
    assert order.promised_by == NOON + DAY


def test_a_dispatch_deadline_of_the_shop_goes_before_the_agreements():
    order = placed(a_chinese_shop(), line(1, "tea", 3, dispatch_by=NOON + 5 * HOUR, **CUSTOMS)).order()
    assert order.promised_by == NOON + 5 * HOUR + 31 * DAY


def test_an_order_of_several_suppliers_promises_the_latest():
    scenario = a_chinese_shop()
    scenario.approve("bolt", country="DE")
    scenario.feed(10, "mug", "bolt")
    placed(scenario, line(1, "mug", 1, "bolt"), line(2, "tea", 1, **CUSTOMS))
    assert [each.shipping.code for each in scenario.order().supplier_orders.values() if each.shipping] == [
        "domestic_parcel",
        "international_light",
    ]
    assert scenario.order().promised_by == NOON + 48 * HOUR + 31 * DAY


def test_the_allowance_for_customs_is_the_policys():
    scenario = a_chinese_shop()
    scenario.agree(customs_allowance_days=10)
    assert placed(scenario).order().promised_by == NOON + 48 * HOUR + 38 * DAY


def test_the_terms_of_duty_and_the_costs_of_a_hold_are_those_of_order_and_policy():
    post = ShippingService("post", ("china-post",), True, 14, 28, Money(800, "CNY"), held_basis_points=10_000)
    line_ = ShippingService("line", ("yanwen",), True, 7, 14, Money(900, "CNY"))
    scenario = a_chinese_shop()
    scenario.agree(shipping_services=(post, line_))
    placed(scenario)
    assert scenario.supplier_order().shipping == Chosen(
        "post", "cheapest of 2", ("china-post",), 14, 28, Money(800, "CNY"), crosses_border=True
    )
    scenario = a_chinese_shop()
    scenario.agree(shipping_services=(post, line_), held_parcel_costs_minor=200)
    chosen = placed(scenario).supplier_order().shipping
    assert chosen is not None
    assert chosen.code == "line"
    scenario = a_chinese_shop()
    scenario.agree(shipping_services=(replace(post, incoterms=(Incoterm.DAP,)), line_))
    chosen = placed(scenario).supplier_order().shipping
    assert chosen is not None
    assert (chosen.code, chosen.because) == ("line", "the only one; post does not clear goods under DDP")


def test_without_an_agreed_dispatch_clock_nothing_is_promised_and_the_order_says_why():
    scenario = Scenario()
    scenario.approve("acme", Agreement(effective_from=NOON - DAY), country="CN")
    scenario.feed(10)
    placed(scenario)
    assert scenario.order().promised_by is None
    assert scenario.order().no_promise_because == "no dispatch time is agreed with acme"


def test_of_stock_without_a_feed_nothing_is_promised():
    scenario = Scenario()
    scenario.approve("acme", country="CN")
    placed(scenario)
    assert scenario.order().promised_by is None
    assert scenario.order().no_promise_because == "the stock of acme is not tracked"


def test_of_goods_that_the_supplier_has_to_get_first_nothing_is_promised():
    scenario = placed(a_chinese_shop(), line(1, "tea", 12, **CUSTOMS))
    facts = scenario.confirm(backorder_lacking=True)
    assert the(OrderConfirmed, facts).no_promise_because == "units wait for goods at acme"


def test_without_a_fitting_service_nothing_is_promised():
    scenario = placed(a_chinese_shop(), line(1, "tea", 1, **{**CUSTOMS, "weight_grams": 99_000}))
    assert scenario.order().promised_by is None
    assert scenario.order().no_promise_because.startswith("no service from CN to DE")


@pytest.mark.parametrize(("country", "missing"), [("", "the country of acme is not known"), ("CN", "")])
def test_no_border_is_guessed_where_a_country_is_not_known(country: str, missing: str):
    scenario = Scenario()
    scenario.approve("acme", TERMS, country=country)
    scenario.feed(10)
    placed(scenario)
    assert scenario.order().no_promise_because == missing


def test_the_promise_stays_when_the_goods_leave_late():
    scenario = placed(a_chinese_shop())
    promised = scenario.order().promised_by
    scenario.later(days=5)
    scenario.send()
    scenario.ship(number="RB123456785CN")
    assert scenario.order().promised_by == promised
    assert scenario.parcel("RB123456785CN").promised_by == promised
