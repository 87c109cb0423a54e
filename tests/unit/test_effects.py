"""What foreign systems are told."""

from typing import ClassVar

from adapters.edges.agreement import Account
from adapters.shops.woocommerce.system import WooCommerce
from ledger.terms.effects import EffectKind, StockLevel, kind_of


class Shop(WooCommerce):
    effects: ClassVar[frozenset[EffectKind]] = frozenset({EffectKind.STOCK, EffectKind.FULFILMENT})


def told(setting):
    account = Account("main", {"told": setting} if setting else {}, ({"key": "ck_1"},))
    return {kind for kind in EffectKind if Shop().is_told(kind, account)}


def test_a_connection_is_told_all_that_its_system_can_be_told():
    assert told("") == Shop.effects


def test_a_setting_says_what_a_connection_is_told():
    assert told("stock") == {EffectKind.STOCK}
    assert told("stock, refund") == {EffectKind.STOCK}, "it cannot be told of refunds"
    assert told("nothing") == set()


def test_systems_that_are_told_something_have_the_settings_for_it():
    assert {"told", "skus"} <= Shop().all_settings.keys()
    assert set(WooCommerce.settings) <= Shop().all_settings.keys()


def test_an_effect_names_its_kind():
    assert kind_of(StockLevel("tea", 3)) is EffectKind.STOCK
