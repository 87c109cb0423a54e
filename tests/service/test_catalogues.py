"""Suppliers' master data and offers over a real socket: changed, put right, withdrawn, drawn on by orders."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fulfilment.v1 import common_pb2, suppliers_pb2
from tests.support.service import Client, Service, context, fields_of, reason_of, refused, stamp

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    with Client(service.address) as client:
        client.approve()
        yield client


def supplier(client: Client, personal: bool = False) -> suppliers_pb2.Supplier:
    request = suppliers_pb2.GetSupplierRequest(supplier_id="acme", with_personal_data=personal)
    return client.suppliers.GetSupplier(request).supplier


def update(client: Client, **named: Any) -> common_pb2.Receipt:
    request = suppliers_pb2.UpdateSupplierRequest(context=context(), supplier_id="acme", **named)
    receipt: common_pb2.Receipt = client.suppliers.UpdateSupplier(request)
    return receipt


def offered(sku: str, cost: int = 400, **more: Any) -> suppliers_pb2.OfferSkuRequest:
    offer = suppliers_pb2.Offer(sku=sku, cost=common_pb2.Money(amount_minor=cost, currency="EUR"), **more)
    return suppliers_pb2.OfferSkuRequest(context=context(), supplier_id="acme", offer=offer)


def test_every_master_datum_is_changed_and_what_is_not_named_stays(client: Client):
    house = suppliers_pb2.Warehouse(code="waw", country="PL", region="Mazowieckie", time_zone="Europe/Warsaw")
    update(
        client,
        name="Acme Trading",
        country="CN",
        contact="Wei, wei@example.com",
        return_address="Longjing Road 1",
        return_freight_paid_by_supplier=True,
        packing=suppliers_pb2.PackingAbility(words=["brand_card"]),
        warehouses=suppliers_pb2.Warehouses(warehouses=[house]),
    )
    update(client, contact="Lin, lin@example.com", packing=suppliers_pb2.PackingAbility())
    known = supplier(client, personal=True)
    assert (known.name, known.country, known.return_freight_paid_by_supplier) == ("Acme Trading", "CN", True)
    assert (known.contact, known.return_address) == ("Lin, lin@example.com", "Longjing Road 1")
    assert (list(known.packing), list(known.warehouses)) == ([], [house])
    version = known.version
    update(client, contact="Lin, lin@example.com", return_address="Longjing Road 1", name="Acme Trading")
    assert supplier(client).version == version, "the same again records nothing"
    update(client, country="", contact="")
    assert (supplier(client, personal=True).country, supplier(client, personal=True).contact) == ("", "")


def test_older_news_is_recorded_with_a_warning(client: Client):
    update(client, name="Acme of today", at=stamp(NOW + DAY / 2))
    receipt = update(client, name="Acme of yesterday", at=stamp(NOW - DAY))
    assert list(receipt.warnings) == ["newer news of name is known, which stays"]
    assert supplier(client).name == "Acme of today"


@pytest.mark.parametrize(
    ("named", "field"),
    [
        ({"name": " "}, "name"),
        ({"country": "XX"}, "country"),
        (
            {"warehouses": suppliers_pb2.Warehouses(warehouses=[suppliers_pb2.Warehouse(code="a")])},
            "warehouses.warehouses[0].country",
        ),
        (
            {
                "warehouses": suppliers_pb2.Warehouses(
                    warehouses=[suppliers_pb2.Warehouse(code="a", country="DE", time_zone="Europe/Bonn")]
                )
            },
            "warehouses.warehouses[0].time_zone",
        ),
        (
            {"warehouses": suppliers_pb2.Warehouses(warehouses=[suppliers_pb2.Warehouse(code="a", country="DE")] * 2)},
            "warehouses.warehouses",
        ),
    ],
)
def test_what_makes_no_sense_is_malformed_and_changes_nothing(client: Client, named: dict[str, Any], field: str):
    request = suppliers_pb2.UpdateSupplierRequest(context=context(), supplier_id="acme", **named)
    assert field in fields_of(refused(client.suppliers.UpdateSupplier, request))


def test_a_supplier_order_shows_article_codes_and_what_its_quantity_costs(client: Client):
    client.feed(100, sku="cup")
    breaks = [suppliers_pb2.PriceBreak(units=10, cost_minor=350)]
    client.suppliers.OfferSku(offered("cup", article_code="C-9", breaks=breaks, packing_cost_minor=20))
    client.place("ten", sku="cup", units=10)
    (each,) = client.get("shop/ten").supplier_orders
    assert [(code.line_no, code.code) for code in each.article_codes] == [(1, "C-9")]
    (cost,) = each.unit_costs
    assert (cost.cost.amount_minor, cost.packing.amount_minor) == (370, 20)
    (shown,) = [offer for offer in supplier(client).offers if offer.sku == "cup"]
    assert shown == offered("cup", article_code="C-9", breaks=breaks, packing_cost_minor=20, minimum_quantity=1).offer


def test_a_price_of_later_stands_beside_that_of_today_until_the_offer_is_withdrawn(client: Client):
    client.suppliers.OfferSku(offered("jar", 400))
    client.suppliers.OfferSku(offered("jar", 500, valid_from=stamp(NOW + DAY), valid_until=stamp(NOW + 9 * DAY)))
    assert [offer.cost.amount_minor for offer in supplier(client).offers if offer.sku == "jar"] == [500, 400]
    choice = client.suppliers.GetSku(suppliers_pb2.GetSkuRequest(sku="jar")).choice
    assert choice.considered[0].cost.amount_minor == 400
    withdrawn = suppliers_pb2.WithdrawOfferRequest(context=context(), supplier_id="acme", sku="jar", reason="old")
    client.suppliers.WithdrawOffer(withdrawn)
    assert [offer for offer in supplier(client).offers if offer.sku == "jar"] == []
    choice = client.suppliers.GetSku(suppliers_pb2.GetSkuRequest(sku="jar")).choice
    assert choice.considered[0].against == suppliers_pb2.AGAINST_NOT_OFFERED


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"breaks": [suppliers_pb2.PriceBreak(units=1, cost_minor=1)]}, "offer.breaks[0].units"),
        ({"breaks": [suppliers_pb2.PriceBreak(units=5, cost_minor=1)] * 2}, "offer.breaks"),
        ({"packing_cost_minor": -1}, "offer.packing_cost_minor"),
        ({"valid_from": stamp(NOW), "valid_until": stamp(NOW)}, "offer.valid_until"),
        ({"article_code": "x" * 101}, "offer.article_code"),
    ],
)
def test_an_offer_that_makes_no_sense_is_malformed(client: Client, more: dict[str, Any], field: str):
    assert field in fields_of(refused(client.suppliers.OfferSku, offered("pan", **more)))


def test_an_offer_of_a_house_that_there_is_not_is_refused(client: Client):
    assert reason_of(refused(client.suppliers.OfferSku, offered("pan", warehouse="moon"))) == "UNKNOWN_WAREHOUSE"


# --- the SKU master -------------------------------------------------------------------------------


def describe(client: Client, sku: str, **named: Any) -> common_pb2.Receipt:
    request = suppliers_pb2.DescribeSkuRequest(context=context(), sku=sku, **named)
    receipt: common_pb2.Receipt = client.suppliers.DescribeSku(request)
    return receipt


def bundle(*parts: tuple[str, int, int]) -> suppliers_pb2.BundleParts:
    made = [suppliers_pb2.BundlePart(sku=sku, units=units, price_share=share) for sku, units, share in parts]
    return suppliers_pb2.BundleParts(parts=made)


def test_an_order_shows_what_the_master_knew_and_the_parts_of_its_bundle(client: Client):
    describe(client, "pot", title="A pot", hs_code="6911.10", origin="cn", weight_grams=900)
    describe(client, "leaf", title="Tea leaves")
    describe(client, "duo", parts=bundle(("pot", 1, 3), ("leaf", 2, 0)))
    master = client.suppliers.GetSku(suppliers_pb2.GetSkuRequest(sku="pot")).master
    assert (master.title, master.hs_code, master.origin, master.weight_grams) == ("A pot", "691110", "CN", 900)
    client.feed(10, sku="pot")
    client.feed(10, sku="leaf")
    client.place("duo", sku="duo", units=1)
    order = client.get("shop/duo")
    pot, leaf = order.lines
    assert [(each.line.line_no, each.line.sku, each.line.quantity) for each in (pot, leaf)] == [
        (101, "pot", 1),
        (102, "leaf", 2),
    ]
    assert (pot.line.title, pot.line.weight_grams, leaf.line.title) == ("A pot", 900, "Tea leaves")
    assert (leaf.part_of.line_no, leaf.part_of.sku, leaf.part_of.units) == (1, "duo", 2)
    assert len(order.supplier_orders) == 1
    client.place("duo", sku="duo", units=1)
    assert client.get("shop/duo").version == order.version, "the same order again is known"


@pytest.mark.parametrize(
    ("named", "field"),
    [
        ({"hs_code": "12"}, "hs_code"),
        ({"origin": "XX"}, "origin"),
        ({"weight_grams": -1}, "weight_grams"),
        ({"parts": bundle(("cup", 1, 1), ("cup", 2, 1))}, "parts.parts"),
        ({"parts": bundle(("", 1, 1))}, "parts.parts[0].sku"),
    ],
)
def test_a_master_that_makes_no_sense_is_malformed(client: Client, named: dict[str, Any], field: str):
    request = suppliers_pb2.DescribeSkuRequest(context=context(), sku="pan", **named)
    assert field in fields_of(refused(client.suppliers.DescribeSku, request))


def test_a_bundle_in_itself_is_refused(client: Client):
    request = suppliers_pb2.DescribeSkuRequest(context=context(), sku="leaf", parts=bundle(("duo", 1, 1)))
    describe(client, "duo", parts=bundle(("pot", 1, 3), ("leaf", 2, 0)))
    assert reason_of(refused(client.suppliers.DescribeSku, request)) == "BUNDLE_IN_ITSELF"


# --- terms ------------------------------------------------------------------------------------------


def test_terms_that_are_not_named_stay_and_what_ends_is_told(client: Client):
    def agree(ends: tuple[str, ...] = (), **named: Any) -> common_pb2.Receipt:
        agreement = suppliers_pb2.Agreement(effective_from=stamp(NOW), **named)
        request = suppliers_pb2.AgreeTermsRequest(context=context(), supplier_id="acme", agreement=agreement, ends=ends)
        receipt: common_pb2.Receipt = client.suppliers.AgreeTerms(request)
        return receipt

    agree(acknowledge_within_hours=12, dispatch_within_hours=36, compensation_basis_points=500)
    receipt = agree(("compensation",), dispatch_within_hours=30)
    assert list(receipt.warnings) == ["compensation is agreed no more"]
    last = supplier(client).agreements[0]
    assert (last.acknowledge_within_hours, last.dispatch_within_hours) == (12, 30)
    assert last.compensation_basis_points == 0
    unknown = suppliers_pb2.AgreeTermsRequest(
        context=context(), supplier_id="acme", agreement=suppliers_pb2.Agreement(), ends=["lunch"]
    )
    assert fields_of(refused(client.suppliers.AgreeTerms, unknown)) == ["ends[0]"]


# --- destinations ---------------------------------------------------------------------------------


def test_where_a_supplier_does_not_ship_to_is_shown_and_taken_back(client: Client):
    place = suppliers_pb2.RefusedDestination(country="CH", sku="cup")
    refusal = suppliers_pb2.RefuseDestinationRequest(context=context(), supplier_id="acme", destination=place)
    client.suppliers.RefuseDestination(refusal)
    assert list(supplier(client).refused_destinations) == [place]
    version = supplier(client).version
    refusal.context.CopyFrom(context())
    client.suppliers.RefuseDestination(refusal)
    assert supplier(client).version == version, "what is known records nothing"
    everywhere = suppliers_pb2.RefusedDestination(country="CH")
    served = suppliers_pb2.ServeDestinationRequest(context=context(), supplier_id="acme", destination=everywhere)
    client.suppliers.ServeDestination(served)
    assert list(supplier(client).refused_destinations) == []


def test_a_destination_needs_a_country(client: Client):
    request = suppliers_pb2.RefuseDestinationRequest(context=context(), supplier_id="acme")
    assert fields_of(refused(client.suppliers.RefuseDestination, request)) == ["destination.country"]
