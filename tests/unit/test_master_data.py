"""Master data of suppliers: every datum can be changed and put right, and the newest news counts (DOMAIN 2)."""

from typing import Any

from msgspec.structs import replace

from ledger.facts import Sealed
from ledger.nouns import suppliers
from ledger.nouns.suppliers import Standing, Supplier, SupplierRegistered, SupplierUpdated, Warehouse
from tests.support.scenario import DAY, HOUR, NOON, names, sent

WEI, LIN = Sealed("k", b"Wei"), Sealed("l", b"Lin")
ACME = SupplierRegistered("acme", "Acme", NOON, "CN", WEI, digests={"contact": "hash of Wei"})


def said(at: Any = NOON, **named: Any) -> SupplierUpdated:
    return SupplierUpdated("acme", at, **named)


def after(*updates: SupplierUpdated) -> Supplier:
    known = suppliers.evolve(None, ACME)
    for update in updates:
        for fact in suppliers.update(known, update):
            known = suppliers.evolve(known, fact)
    return known


def test_what_is_named_changes_and_the_rest_stays():
    houses = (Warehouse("waw", "PL"),)
    master = after(said(name="Acme Trading", warehouses=houses, packing=("brand_card",))).master
    assert (master.name, master.warehouses, master.packing) == ("Acme Trading", houses, ("brand_card",))
    assert (master.country, master.contact) == ("CN", WEI)


def test_what_was_known_wrongly_can_be_nothing_again():
    emptied = said(country="", packing=(), warehouses=(), digests={"contact": ""})
    master = after(said(packing=("x",), warehouses=(Warehouse("waw", "PL"),)), emptied).master
    assert (master.country, master.packing, master.warehouses, master.contact) == ("", (), (), None)


def test_the_same_again_records_nothing_however_its_personal_data_is_sealed():
    lin = said(contact=LIN, digests={"contact": "hash of Lin"}, name="Acme")
    known = after(lin)
    again = said(NOON + DAY, contact=Sealed("m", b"Lin, another nonce"), digests={"contact": "hash of Lin"})
    assert suppliers.update(known, again) == []
    assert suppliers.update(after(), said(digests={"return_address": ""})) == [], "there was none"
    assert suppliers.update(after(), said(contact=LIN, digests={"contact": "hash of Wei"})) == [], "as registered"
    assert suppliers.register(known, ACME) == [], "the first registration is repeated"


def test_once_a_contact_is_erased_a_right_guess_of_it_is_answered_as_a_wrong_one_is():
    def guess(of: str, **more: str) -> SupplierUpdated:
        return said(NOON + DAY, contact=LIN, digests={"contact": of, **more})

    registered = replace(ACME, intake="1.right")
    erased = suppliers.evolve(suppliers.evolve(None, registered), suppliers.ContactErased("acme", "mia", NOON))
    right, wrong = suppliers.update(erased, guess("hash of Wei")), suppliers.update(erased, guess("hash of Lin"))
    assert [len(right), len(wrong)] == [1, 1]
    assert len(suppliers.update(erased, said(digests={"contact": ""}))) == 1, "nor whether there is any still"
    for intake in ("1.right", "1.wrong"):
        assert suppliers.register(erased, replace(registered, intake=intake)) == []
    known = suppliers.evolve(erased, wrong[0])
    assert suppliers.update(known, guess("hash of Lin")) == [], "what is written later is known as ever"


def test_older_news_of_a_field_that_comes_later_moves_nothing_and_says_so():
    newest, late = said(NOON + DAY, name="New", country="HK"), said(NOON + HOUR, name="Middle", packing=("card",))
    one, other = after(newest, late).master, after(late, newest).master
    assert one == other
    assert (one.name, one.country, one.packing) == ("New", "HK", ("card",))
    (recorded,) = suppliers.update(after(newest), late)
    assert recorded.warnings == ("newer news of name is known, which stays",)


def test_a_supplier_that_is_used_no_more_can_be_put_right_as_well():
    known = suppliers.evolve(after(), suppliers.SupplierRetired("acme", "quality", NOON))
    assert known.standing is Standing.RETIRED
    assert len(suppliers.update(known, said(name="Acme Ltd"))) == 1


def test_orders_of_later_follow_what_is_known_now_and_those_of_before_keep_theirs():
    scenario = sent()
    assert scenario.supplier_order().shipping is None, "nobody knows where acme sits"
    assert names(scenario.update_supplier(country="DE")) == ["updated"]
    scenario.place(order_id="shopify/2")
    shipping = scenario.supplier_order("shopify/2/1").shipping
    assert shipping is not None
    assert shipping.code == "domestic_parcel"
    assert scenario.supplier_order().shipping is None
