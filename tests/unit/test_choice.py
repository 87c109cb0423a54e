"""Which supplier is chosen, and what is written down of it (DOMAIN 2)."""

import pytest
from msgspec.structs import replace

from ledger.facts import LineNo
from ledger.large_map import LargeMap
from ledger.nouns import skus
from ledger.nouns.choice import (
    Against,
    Candidate,
    Considered,
    choose,
    let_wait,
)
from ledger.nouns.offers import Offer
from ledger.nouns.orders import (
    HoldReason,
    OrderPlaced,
    PaymentState,
    SuppliersChosen,
)
from ledger.nouns.skus import SupplierListed
from ledger.nouns.stock import OutOfStock
from ledger.nouns.suppliers import (
    Standing,
    Supplier,
    SupplierRegistered,
)
from ledger.terms.money import MOST_MINOR, Money
from tests.support.scenario import (
    NOON,
    ORDER,
    Scenario,
    a_shop,
    line,
    names,
    refused,
    the,
)


def supplier(
    name: str, cost: int = 300, currency: str = "EUR", minimum: int = 1, days: int = 0, score: int | None = None
) -> Supplier:
    offer = Offer("tea", Money(cost, currency), minimum, days)
    registered = SupplierRegistered(name, name.title(), NOON)
    return Supplier(
        registered,
        Standing.APPROVED,
        offers=LargeMap[tuple[Offer, ...]]().changed("tea", (offer,)),
        score_basis_points=score,
    )


def candidate(known: Supplier, available: int | None = 10, against: Against | None = None) -> Candidate:
    return Candidate(known.supplier_id, known, available, against)


def ranking(*candidates: Candidate, count: int = 3) -> list[str]:
    choice = choose("tea", count, candidates, NOON)
    ranked = [each.supplier_id for each in choice.considered if each.against is None]
    assert choice.supplier_id == (ranked[0] if ranked else "")
    return ranked


def against(only: Candidate, count: int = 3, **how: bool) -> Against | None:
    (considered,) = choose("tea", count, [only], NOON, **how).considered
    return considered.against


# --- who qualifies --------------------------------------------------------------------------------


@pytest.mark.parametrize("standing", [each for each in Standing if each is not Standing.APPROVED])
def test_only_an_approved_supplier_qualifies(standing: Standing):
    assert against(candidate(replace(supplier("acme"), standing=standing))) is Against.NOT_APPROVED
    assert against(Candidate("ghost", None, 10)) is Against.NOT_APPROVED


def test_who_does_not_offer_the_sku_does_not_qualify():
    assert against(candidate(replace(supplier("acme"), offers=LargeMap()))) is Against.NOT_OFFERED


def test_fewer_units_than_the_minimum_do_not_do():
    assert against(candidate(supplier("acme", minimum=4)), 3) is Against.BELOW_MINIMUM
    assert against(candidate(supplier("acme", minimum=4)), 4) is None


def test_who_would_be_owed_more_than_any_amount_may_be_does_not_qualify():
    dear = candidate(supplier("acme", MOST_MINOR // 3), available=2)
    assert against(dear, 4) is Against.TOO_DEAR
    assert against(dear, 4, named=True) is Against.TOO_DEAR
    assert against(replace(dear, available=10), 3) is None


def test_who_has_too_few_does_not_qualify_but_who_sends_no_feed_does():
    assert against(candidate(supplier("acme"), available=2)) is Against.OUT_OF_STOCK
    assert against(candidate(supplier("acme"), available=3)) is None
    assert against(candidate(supplier("acme"), available=None)) is None


def test_what_the_order_has_against_a_supplier_counts():
    assert against(candidate(supplier("acme"), against=Against.TURNED_DOWN)) is Against.TURNED_DOWN


def test_for_a_backorder_stock_is_left_out_of_account_and_nothing_else():
    has_none = [candidate(supplier(name, minimum=minimum), 0) for name, minimum in (("acme", 4), ("bolt", 1))]
    nobody = choose("tea", 3, has_none, NOON)
    assert nobody.supplier_id == ""

    choice = let_wait(nobody)

    assert (choice.supplier_id, choice.backordered) == ("bolt", True)
    assert {each.supplier_id: each.against for each in choice.considered} == {
        "bolt": None,
        "acme": Against.BELOW_MINIMUM,
    }


def test_of_a_supplier_that_a_person_names_only_approval_and_stock_are_looked_at():
    turned_down = candidate(supplier("acme", minimum=4), against=Against.TURNED_DOWN)
    assert against(turned_down, named=True) is None
    assert against(replace(turned_down, available=2), named=True) is Against.OUT_OF_STOCK
    suspended = replace(supplier("acme"), standing=Standing.SUSPENDED)
    assert against(candidate(suspended), named=True) is Against.NOT_APPROVED


# --- who goes first -------------------------------------------------------------------------------


def test_a_known_stock_goes_before_an_unknown_one():
    assert ranking(candidate(supplier("acme", 100), None), candidate(supplier("bolt", 900))) == ["bolt", "acme"]


def test_the_cheaper_goes_first():
    assert ranking(candidate(supplier("acme", 400)), candidate(supplier("bolt", 300))) == ["bolt", "acme"]


def test_costs_in_several_currencies_are_not_compared():
    yuan = candidate(supplier("acme", 2400, "CNY", days=2))
    assert ranking(yuan, candidate(supplier("bolt", 300, days=3))) == ["acme", "bolt"]


def test_at_one_cost_the_quicker_goes_first_then_the_one_with_the_better_score():
    slow, quick = supplier("acme", days=3, score=9900), supplier("bolt", days=2)
    assert ranking(candidate(slow), candidate(quick)) == ["bolt", "acme"]
    good, unknown = supplier("acme", score=9000), supplier("bolt")
    assert ranking(candidate(unknown), candidate(supplier("cord", score=8000)), candidate(good)) == [
        "acme",
        "cord",
        "bolt",
    ]


def test_among_equals_the_one_that_was_preferred_goes_first():
    assert ranking(candidate(supplier("bolt")), candidate(supplier("acme"))) == ["bolt", "acme"]


def test_the_choice_keeps_the_figures_that_it_was_made_on():
    choice = choose(
        "tea", 3, [candidate(supplier("acme"), 2), candidate(supplier("bolt", 350, days=4, score=9100))], NOON
    )
    assert choice.considered == (
        Considered("bolt", None, 10, 1, Money(350, "EUR"), 4, 9100),
        Considered("acme", Against.OUT_OF_STOCK, 2, 1, Money(300, "EUR")),
    )
    assert (choice.sku, choice.units, choice.supplier_id) == ("tea", 3, "bolt")


# --- who offers a SKU -----------------------------------------------------------------------------


def test_an_offer_lists_the_supplier_with_the_sku_once():
    scenario = a_shop()
    assert names(scenario.offer(supplier_id="bolt")) == ["sku_offered", "supplier_listed"]
    assert names(scenario.offer(supplier_id="bolt", cost=250)) == ["sku_offered"]
    assert scenario.offer(supplier_id="bolt", cost=250) == []
    assert names(scenario.offer(supplier_id="acme")) == ["sku_offered", "supplier_listed"]
    found = skus.find(scenario.book, "tea")
    assert found is not None
    assert found.suppliers == ("bolt", "acme")


def test_an_offer_from_before_skus_were_kept_is_listed_when_it_is_repeated():
    scenario = a_shop()
    offered, listed = scenario.offer(supplier_id="bolt")
    assert isinstance(listed, SupplierListed)
    earlier = Scenario()
    earlier.approve("bolt")
    earlier.record([("supplier-bolt", offered)])
    assert names(earlier.offer(supplier_id="bolt")) == ["supplier_listed"]


# --- lines whose shop does not know the supplier --------------------------------------------------


def two_offers() -> Scenario:
    """Acme has 10 of tea and is dear; Bolt has 4 and is cheap."""
    scenario = a_shop(tea=10)
    scenario.offer(supplier_id="acme", cost=400)
    scenario.offer(supplier_id="bolt", cost=300)
    scenario.feed(4, supplier_id="bolt")
    return scenario


def test_a_line_without_a_supplier_gets_one_at_intake():
    scenario = two_offers()
    facts = scenario.place(line(1, "tea", 3, ""))
    assert names(facts) == [
        "placed",
        "suppliers_chosen",
        "confirmed",
        "supplier_order_drafted",
        "reserved",
        "reservation_committed",
    ]
    chosen = the(SuppliersChosen, facts)
    assert chosen.by_line == {1: "bolt"}
    assert [each.supplier_id for each in chosen.choices[0].considered] == ["bolt", "acme"]
    assert scenario.supplier_order().supplier_id == "bolt"
    assert scenario.stock("tea", "bolt").available == 1
    assert scenario.order().chosen[LineNo(1)].supplier_id == "bolt"
    assert scenario.order().placed.lines[0].supplier_id == "", "as the shop sent it"


def test_the_units_of_all_lines_of_a_sku_go_to_one_supplier():
    scenario = two_offers()
    scenario.place(line(1, "tea", 3, ""), line(2, "tea", 2, ""))
    assert [each.supplier_id for each in scenario.order().lines.values()] == ["acme", "acme"]


def test_what_other_lines_of_the_order_want_there_is_not_promised_twice():
    scenario = two_offers()
    scenario.place(line(1, "tea", 3, "bolt"), line(2, "tea", 2, ""))
    assert [each.supplier_id for each in scenario.order().lines.values()] == ["bolt", "acme"]
    assert scenario.holds() == []


def test_what_its_own_checkout_holds_is_there_for_the_order():
    scenario = a_shop(tea=3)
    scenario.offer(supplier_id="acme")
    scenario.reserve("cart-1", 3)
    scenario.place(line(1, "tea", 3, ""), cart_id="cart-1")
    assert scenario.order().confirmed_at is not None


def test_where_nobody_qualifies_the_order_is_held_and_the_hold_says_why():
    scenario = two_offers()
    facts = scenario.place(line(1, "tea", 11, ""))
    assert names(facts) == ["placed", "awaited", "awaited"]
    (hold,) = the(OrderPlaced, facts).holds
    assert (hold.reason, hold.missing, hold.lacking) == (HoldReason.OUT_OF_STOCK, (), {1: 11})
    assert {each.supplier_id: each.against for each in hold.choices[0].considered} == {
        "acme": Against.OUT_OF_STOCK,
        "bolt": Against.OUT_OF_STOCK,
    }


def test_all_or_nothing_is_refused_where_all_who_offer_it_lack_stock():
    with refused(OutOfStock, "tea of acme: 11 asked, 10 available; tea of bolt: 11 asked, 4 available"):
        two_offers().place(line(1, "tea", 11, ""), all_or_nothing=True)


def test_a_sku_that_nobody_offers_leaves_the_order_incomplete():
    scenario = a_shop()
    scenario.place(line(1, "tea", 1, ""))
    (hold,) = scenario.order().holds
    assert (hold.missing, hold.choices) == (("lines[0].supplier_id",), ())


def test_a_supplier_that_qualifies_later_is_found_when_the_hold_is_released():
    scenario = two_offers()
    scenario.place(line(1, "tea", 11, ""))
    with refused(OutOfStock, "tea of acme: 11 asked, 10 available"):
        scenario.release(HoldReason.OUT_OF_STOCK)
    scenario.suspend("acme")
    scenario.feed(20)
    scenario.reinstate("acme")
    facts = scenario.release(HoldReason.OUT_OF_STOCK)
    assert names(facts)[:3] == ["suppliers_chosen", "hold_released", "confirmed"]
    assert scenario.supplier_order().supplier_id == "acme"


def test_a_supplier_is_sought_again_when_the_payment_comes():
    scenario = two_offers()
    scenario.place(line(1, "tea", 11, ""), payment=PaymentState.PENDING)
    assert scenario.holds() == [HoldReason.AWAITING_PAYMENT, HoldReason.OUT_OF_STOCK]
    scenario.feed(20)
    scenario.pay()
    assert scenario.holds() == []
    assert scenario.supplier_order().supplier_id == "acme"
    assert scenario.pay() == []


def test_completing_a_line_as_it_is_keeps_its_supplier():
    scenario = two_offers()
    scenario.place(line(1, "tea", 3, ""), payment=PaymentState.PENDING)
    assert scenario.complete(line(1, "tea", 3, "")) == []
    scenario.complete(line(1, "tea", 5, ""))
    assert scenario.order().lines[LineNo(1)].supplier_id == "acme"
    assert scenario.stock("tea", "bolt").reservations == {}
    assert scenario.stock("tea", "acme").reservations[ORDER].units == 5


def test_a_chosen_supplier_without_a_feed_makes_the_line_untracked():
    scenario = a_shop(tea=0)
    scenario.offer(supplier_id="bolt")
    scenario.place(line(1, "tea", 3, ""))
    assert scenario.order().lines[LineNo(1)].supplier_id == "bolt"
    assert scenario.order().untracked == {1}


def test_a_line_that_is_completed_without_a_supplier_waits_for_one():
    scenario = a_shop()
    scenario.place(payment=PaymentState.PENDING)
    scenario.complete(line(1, "cup", 1, ""))
    assert HoldReason.INCOMPLETE in scenario.holds()
    scenario.pay()
    assert scenario.order().confirmed_at is None


def test_an_order_whose_shop_knows_its_suppliers_chooses_nothing():
    scenario = two_offers()
    assert "suppliers_chosen" not in names(scenario.place(line(1, "tea", 3)))
    assert not scenario.order().chosen
