"""What a supplier is to pack with, and what it packed with (DOMAIN 1)."""

from ledger.facts import changes_of
from ledger.nouns import policies
from ledger.nouns.orders.supplier_orders import NEUTRAL, PackingErrorFound
from ledger.nouns.policies import ChannelPacking, Policy
from tests.support.scenario import (
    NOON,
    ORDER,
    Scenario,
    line,
    names,
    the,
)


def packing_shop(*can: str, asked: tuple[str, ...] = ("logo_label", "neutral_outside")) -> Scenario:
    """A sent order with these instructions; Acme can do these kinds of packing."""
    scenario = Scenario()
    scenario.approve("acme", packing=can)
    scenario.place(line(1, "tea", 3), packing=asked)
    scenario.send()
    return scenario


def test_a_supplier_that_can_is_asked_for_what_the_shop_wants():
    assert packing_shop("logo_label").supplier_order().packing == ("logo_label", "neutral_outside")


def test_the_after_sales_card_stands_in_for_all_brand_packs_that_a_supplier_cannot_do():
    asked = ("logo_label", "brand_card", "neutral_outside")
    assert packing_shop(asked=asked).supplier_order().packing == ("neutral_outside", "after_sales_card")
    assert packing_shop("brand_card", asked=asked).supplier_order().packing == (
        "brand_card",
        "neutral_outside",
        "after_sales_card",
    )
    already = ("logo_label", "after_sales_card")
    assert packing_shop(asked=already).supplier_order().packing == ("after_sales_card",)


def test_what_carries_no_brand_needs_no_ability_and_nothing_asked_is_nothing_packed():
    assert packing_shop(asked=("no_supplier_papers",)).supplier_order().packing == ("no_supplier_papers",)
    assert packing_shop(asked=()).supplier_order().packing == ()


def test_every_supplier_packs_neutrally_and_what_is_named_is_added_to_that():
    assert packing_shop(asked=()).supplier_order().instructed_packing == NEUTRAL
    assert packing_shop("brand_card", asked=("gift_wrap", "brand_card")).supplier_order().instructed_packing == (
        *NEUTRAL,
        "gift_wrap",
        "brand_card",
    )
    assert packing_shop(asked=("neutral", "gift_wrap")).supplier_order().instructed_packing == (*NEUTRAL, "gift_wrap")
    assert names(packing_shop(asked=()).pack()) == ["supplier_order_packed"]  # nobody states what is not there


def test_the_packing_of_a_channel_is_added_to_what_its_orders_name():
    scenario = Scenario()
    scenario.approve("acme", packing=("brand_card", "logo_label"))
    scenario.agree(
        channel_packing=(ChannelPacking("", ("tape",)), ChannelPacking("shopify", ("brand_card",))),
    )
    scenario.place(packing=("gift_wrap", "brand_card"))
    scenario.place(order_id="shopify/2")
    scenario.place(order_id="ebay/3")
    drafted = [scenario.supplier_order(f"{order_id}/1").packing for order_id in (ORDER, "shopify/2", "ebay/3")]
    assert drafted == [("brand_card", "gift_wrap"), ("brand_card",), ("tape",)]


def test_a_channel_with_an_entry_of_its_own_does_not_have_that_of_all_others():
    scenario = Scenario()
    scenario.approve("acme")
    scenario.agree(channel_packing=(ChannelPacking("", ("tape",)), ChannelPacking("shopify")))
    scenario.place()
    assert scenario.supplier_order().packing == ()


def test_a_brand_pack_of_the_channel_that_a_supplier_cannot_do_has_the_fallback_too():
    scenario = Scenario()
    scenario.approve("acme")
    scenario.agree(channel_packing=(ChannelPacking("", ("brand_card",)),))
    scenario.place()
    assert scenario.supplier_order().packing == ("after_sales_card",)


def test_what_carries_the_brand_and_what_stands_in_for_it_are_agreed():
    scenario = Scenario()
    scenario.approve("acme")
    agreed = Policy(brand_packs=("gold_ribbon",), brand_pack_fallback="thank_you_note")
    scenario.record(changes_of(policies.stream(), policies.agree(None, agreed, NOON, NOON)))
    scenario.place(line(1, "tea", 3), packing=("gold_ribbon", "logo_label"))
    assert scenario.supplier_order().packing == ("logo_label", "thank_you_note")


def test_a_missing_brand_pack_is_an_order_error_that_names_what_lacks():
    scenario = packing_shop("logo_label")
    facts = scenario.pack("neutral_outside")
    assert names(facts) == ["supplier_order_packed", "packing_error_found"]
    assert the(PackingErrorFound, facts).lacking == ("logo_label",)
    assert scenario.supplier_order().packing_lacks == ("logo_label",)


def test_a_missing_fallback_is_an_error_as_well_and_the_agreed_one_is_none():
    scenario = packing_shop()
    assert the(PackingErrorFound, scenario.pack("neutral_outside")).lacking == ("after_sales_card",)
    assert names(packing_shop().pack("after_sales_card", "neutral_outside")) == ["supplier_order_packed"]


def test_more_than_was_asked_is_no_error():
    assert names(packing_shop("logo_label").pack("tape", "neutral_outside", "logo_label")) == ["supplier_order_packed"]


def test_an_error_is_found_once_and_withdrawn_when_it_is_packed_rightly():
    scenario = packing_shop("logo_label")
    scenario.pack("neutral_outside")
    assert scenario.pack("neutral_outside") == []
    assert names(scenario.pack("neutral_outside", "tape")) == ["supplier_order_packed"]
    assert names(scenario.pack("tape")) == ["supplier_order_packed", "packing_error_found"]
    assert names(scenario.pack("logo_label", "neutral_outside")) == ["supplier_order_packed", "packing_corrected"]
    assert scenario.supplier_order().packing_lacks == ()
