"""Where suppliers ship to, and what it costs to get there (DOMAIN 2)."""

from typing import Any

from ledger.facts import LineNo
from ledger.nouns import destinations, suppliers
from ledger.nouns.choice import Against
from ledger.nouns.destinations import RefusedDestination
from ledger.nouns.orders import HoldReason
from ledger.nouns.orders.supplier_orders import RejectReason
from ledger.refusals import Refusal
from ledger.terms.money import Money
from ledger.terms.places import Destination
from ledger.terms.shipping import ShippingService
from tests.support.scenario import NOON, ORDER, Scenario, a_shop, line, names, refused, reject

SWISS, BERLIN, BAVARIA = Destination("CH"), Destination("DE", "Berlin"), Destination("DE", "Bayern")


def two_suppliers(**acme: Any) -> Scenario:
    """Both offer tea, and acme for less."""
    scenario = Scenario()
    scenario.approve("acme", **{"country": "DE", **acme})
    scenario.approve("bolt", country="DE")
    for supplier_id, cost in (("acme", 300), ("bolt", 350)):
        scenario.feed(50, supplier_id=supplier_id)
        scenario.offer(cost=cost, supplier_id=supplier_id)
    return scenario


def chosen(scenario: Scenario, destination: Destination, number: int, sku: str = "tea") -> str:
    order_id = f"shopify/{number}"
    known: dict[str, Any] = {"title": "Tea", "hs_code": "090210", "origin": "CN", "weight_grams": 100}
    scenario.place(line(1, sku, 1, "", **known), order_id=order_id, destination=destination, incoterm="dap")
    return scenario.order(order_id).lines[LineNo(1)].supplier_id


def cannot_ship(scenario: Scenario, destination: Destination) -> list[str]:
    """Acme has an order for the destination and says that it cannot ship there."""
    assert chosen(scenario, destination, 1) == "acme"
    scenario.send()
    return names(scenario.answer({1: reject(1, RejectReason.CANNOT_SHIP_TO)}))


# --- what is remembered ---------------------------------------------------------------------------


def test_a_place_within_what_is_refused_is_refused():
    whole, region, tea = (
        RefusedDestination("DE"),
        RefusedDestination("DE", "Berlin"),
        RefusedDestination("DE", sku="tea"),
    )
    assert [serves(each, BERLIN, "tea") for each in (whole, region, tea)] == [False] * 3
    assert [serves(each, BAVARIA, "tea") for each in (whole, region, tea)] == [False, True, False]
    assert [serves(each, BERLIN, "mug") for each in (whole, region, tea)] == [False, False, True]
    assert serves(RefusedDestination("DE", "berlin"), BERLIN, "tea") is False, "however it is written"
    assert serves(whole, SWISS, "tea")


def serves(refused: RefusedDestination, destination: Destination, sku: str) -> bool:
    """Whether somebody who refuses one place ships to another."""
    return destinations.serves({refused.sku: (refused,)}, destination, sku)


def test_what_is_known_is_refused_once_and_served_again():
    acme = a_shop().supplier()
    (told,) = suppliers.refuse_destination(acme, RefusedDestination("CH", sku="tea"), "", NOON)
    acme = suppliers.evolve(acme, told)
    assert suppliers.refuse_destination(acme, RefusedDestination("CH", "Bern", "tea"), "", NOON) == []
    assert suppliers.serve_destination(acme, RefusedDestination("DE"), NOON) == [], "nothing was refused there"
    (wider,) = suppliers.refuse_destination(acme, RefusedDestination("CH"), "", NOON)
    acme = suppliers.evolve(acme, wider)
    assert acme.refused == {"": (RefusedDestination("CH"),)}
    (served,) = suppliers.serve_destination(acme, RefusedDestination("CH"), NOON)
    assert suppliers.evolve(acme, served).refused == {}


def test_cannot_ship_to_is_remembered_for_later_orders():
    scenario = two_suppliers()
    assert "destination_refused" in cannot_ship(scenario, SWISS)
    assert scenario.supplier().refused == {"tea": (RefusedDestination("CH", sku="tea"),)}
    assert scenario.supplier_order(f"{ORDER}/2").supplier_id == "bolt", "and for this one at once"
    assert chosen(scenario, SWISS, 2) == "bolt"
    against = {each.supplier_id: each.against for each in scenario.order("shopify/2").chosen[LineNo(1)].considered}
    assert against == {"bolt": None, "acme": Against.NOT_SERVED}
    assert chosen(scenario, BERLIN, 3) == "acme"


def test_within_its_country_it_is_the_region_that_is_remembered():
    scenario = two_suppliers()
    cannot_ship(scenario, BERLIN)
    assert scenario.supplier().refused == {"tea": (RefusedDestination("DE", "Berlin", "tea"),)}
    assert [chosen(scenario, place, n) for n, place in enumerate((BERLIN, BAVARIA), 2)] == ["bolt", "acme"]


def test_other_goods_still_go_there():
    scenario = two_suppliers()
    cannot_ship(scenario, SWISS)
    scenario.offer("mug", supplier_id="acme")
    assert chosen(scenario, SWISS, 2, "mug") == "acme"


def test_where_the_shop_named_the_supplier_it_is_held():
    scenario = two_suppliers()
    cannot_ship(scenario, BERLIN)
    scenario.place(line(1, "tea", 1), order_id="shopify/2", destination=BERLIN)
    (hold,) = scenario.order("shopify/2").holds
    assert (hold.reason, hold.missing) == (
        HoldReason.OTHER,
        ("line 1: supplier acme does not ship tea to DE Berlin",),
    )
    with refused(Refusal, "does not ship tea to DE Berlin"):
        scenario.release(HoldReason.OTHER, order_id="shopify/2")


# --- landed cost ----------------------------------------------------------------------------------

_SERVICES = (
    ShippingService("post", ("dhl",), False, 2, 4, Money(200, "EUR")),
    ShippingService("line", ("yanwen",), True, 7, 14, Money(900, "EUR"), 100),
)


def a_market(cost: int = 300) -> Scenario:
    """Acme sits in China, bolt where the order goes."""
    scenario = two_suppliers(country="CN")
    scenario.agree(shipping_services=_SERVICES)
    scenario.offer(cost=cost, supplier_id="acme")
    scenario.later(hours=1)
    return scenario


def test_who_costs_less_with_freight_is_chosen():
    scenario = a_market()
    assert chosen(scenario, BERLIN, 1) == "bolt"
    (choice,) = scenario.order().chosen.values()
    assert [(each.supplier_id, each.freight) for each in choice.considered] == [
        ("bolt", Money(200, "EUR")),
        ("acme", Money(910, "EUR")),
    ]


def test_freight_is_for_all_units_together():
    scenario = a_market(100)
    scenario.place(line(1, "tea", 1, "", weight_grams=100), line(2, "tea", 5, "", weight_grams=100))
    assert scenario.order().lines[LineNo(1)].supplier_id == "acme", "6 x 1.00 + 9.60 against 6 x 3.50 + 2.00"


def test_freight_in_another_currency_is_left_out():
    scenario = two_suppliers(country="CN")
    assert chosen(scenario, BERLIN, 1) == "acme"
    (choice,) = scenario.order().chosen.values()
    assert [each.freight for each in choice.considered] == [None, None]


def test_where_one_freight_is_not_known_none_counts():
    scenario = a_market()
    scenario.place(line(1, "tea", 1, ""))
    (choice,) = scenario.order().chosen.values()
    assert choice.supplier_id == "acme", "without a weight the line's price is not known"
