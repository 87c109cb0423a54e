"""Shipping, customs, invoices and losses over a real socket, and at the console."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from fulfilment.v1 import (
    admin_pb2,
    batch_pb2,
    common_pb2,
    orders_pb2,
    parcels_pb2,
    shipping_pb2,
    supplier_orders_pb2,
    suppliers_pb2,
    tracking_pb2,
)
from tests.support.service import (
    Client,
    Service,
    context,
    error_info,
    fields_of,
    order,
    patiently,
    reason_of,
    refused,
    stamp,
)
from tests.support.terminal import Console

NOW = datetime.now(UTC).replace(microsecond=0)
IN_TRANSIT = parcels_pb2.PARCEL_STATUS_IN_TRANSIT
KNOWN: dict[str, Any] = {"title": "Green tea 绿茶", "hs_code": "0902.10", "origin": "CN", "weight_grams": 120}
NUMBER = "RB123456785CN"


def supply(client: Client) -> None:
    """Acme sends tea from China."""
    since = stamp(NOW - timedelta(days=30))
    client.suppliers.RegisterSupplier(
        suppliers_pb2.RegisterSupplierRequest(
            context=context(),
            supplier_id="acme",
            name="Hangzhou Tea Co., Ltd.",
            country="CN",
            return_address="Longjing Road 1\nHangzhou 310013",
            at=since,
        )
    )
    client.suppliers.ReviewSample(
        suppliers_pb2.ReviewSampleRequest(
            context=context(),
            supplier_id="acme",
            material_matches=True,
            packaging_matches=True,
            manual_matches=True,
        )
    )
    terms = suppliers_pb2.Agreement(effective_from=since, dispatch_within_hours=48)
    client.suppliers.AgreeTerms(suppliers_pb2.AgreeTermsRequest(context=context(), supplier_id="acme", agreement=terms))
    client.suppliers.ApproveSupplier(suppliers_pb2.ApproveSupplierRequest(context=context(), supplier_id="acme"))
    client.feed(1000)


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    with Client(service.address) as client:
        supply(client)
        yield client


@pytest.fixture
def ff(service: Service, client: Client) -> Console:
    """The console at the service of this module."""
    return Console(service.address)


def tea(**more: Any) -> orders_pb2.OrderLine:
    return orders_pb2.OrderLine(sku="tea", quantity=2, unit_price_minor=1990, supplier_id="acme", **more)


def placed(client: Client, number: str, **more: Any) -> orders_pb2.Order:
    client.place(number, **{"lines": [tea(**KNOWN)], "incoterm": shipping_pb2.INCOTERM_DDU, **more})
    found: orders_pb2.Order = client.get(f"shop/{number}")
    return found


def shipped(client: Client, number: str, tracking_number: str, carrier: str = "China Post", **more: Any) -> None:
    placed(client, number, **more)
    so = f"shop/{number}/1"
    client.orders.SendSupplierOrder(
        supplier_orders_pb2.SendSupplierOrderRequest(context=context(), supplier_order_id=so)
    )
    client.orders.ShipSupplierOrder(
        supplier_orders_pb2.ShipSupplierOrderRequest(
            context=context(), supplier_order_id=so, carrier=carrier, tracking_number=tracking_number
        )
    )


def complete(number: str, *lines: shipping_pb2.CustomsLine, **more: Any) -> shipping_pb2.CompleteCustomsDataRequest:
    return shipping_pb2.CompleteCustomsDataRequest(context=context(), order_id=f"shop/{number}", lines=lines, **more)


def parcel(client: Client, carrier: str, number: str, **more: Any) -> parcels_pb2.Parcel:
    request = parcels_pb2.GetParcelRequest(carrier=carrier, tracking_number=number, **more)
    found: parcels_pb2.Parcel = client.parcels.GetParcel(request).parcel
    return found


def scan(client: Client, carrier: str, number: str, status: Any, **more: Any) -> common_pb2.Receipt:
    checkpoint = parcels_pb2.Checkpoint(at=stamp(datetime.now(UTC)), status=status, **more)
    receipt: common_pb2.Receipt = client.parcels.RecordCheckpoints(
        parcels_pb2.RecordCheckpointsRequest(
            context=context(), carrier=carrier, tracking_number=number, checkpoints=[checkpoint]
        )
    )
    return receipt


# --- services and promise ---------------------------------------------------------------------------


def test_a_confirmed_order_shows_its_service_and_its_promise(client: Client):
    found = placed(client, "promise", placed_at=stamp(NOW))
    assert found.status == orders_pb2.ORDER_STATUS_CONFIRMED
    assert found.incoterm == shipping_pb2.INCOTERM_DAP
    assert found.lines[0].line.hs_code == "090210"
    shipping = found.supplier_orders[0].shipping
    assert (shipping.code, shipping.reason) == ("international_light", "cheapest of 3")
    assert (list(shipping.carriers), shipping.days_to, shipping.cost.amount_minor) == (["china-post"], 28, 2720)
    assert found.promised_by == stamp(NOW + timedelta(days=2 + 28 + 3))


def test_an_order_without_a_promise_says_why(client: Client):
    found = placed(client, "mugs", lines=[orders_pb2.OrderLine(
        sku="mug", quantity=1, unit_price_minor=500, supplier_id="acme", **KNOWN
    )])  # fmt: skip
    assert not found.HasField("promised_by")
    assert found.no_promise_reason == "the stock of acme is not tracked"


def test_the_agreed_table_of_services_is_listed_page_by_page(client: Client):
    request = admin_pb2.ListShippingServicesRequest(page=common_pb2.PageRequest(page_size=3))
    first = client.admin.ListShippingServices(request)
    request.page.page_token = first.next_page_token
    rest = client.admin.ListShippingServices(request)
    assert [each.code for each in (*first.services, *rest.services)] == [
        "domestic_economy",
        "domestic_express",
        "domestic_parcel",
        "international_light",
        "international_line",
        "international_express",
    ]
    assert rest.next_page_token == ""


def test_another_table_holds_from_its_date_on(client: Client):
    later = NOW + timedelta(days=400)
    boat = shipping_pb2.ShippingService(
        code="boat", carriers=["Cosco"], international=True, days_from=30, days_to=45,
        cost=common_pb2.Money(amount_minor=900, currency="CNY"), destinations=["BR"],
    )  # fmt: skip
    policy = admin_pb2.Policy(shipping_services=[boat], customs_allowance_days=0)
    client.admin.AgreePolicy(
        admin_pb2.AgreePolicyRequest(context=context(), policy=policy, effective_from=stamp(later))
    )

    def listed(at: datetime) -> list[shipping_pb2.ShippingService]:
        request = admin_pb2.ListShippingServicesRequest(at=stamp(at))
        return list(client.admin.ListShippingServices(request).services)

    boat.carriers[:] = ["cosco"]
    assert listed(later) == [boat]
    assert len(listed(NOW)) == 6


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"code": "a b"}, "code"),
        ({"carriers": []}, "carriers"),
        ({"days_from": 9, "days_to": 3}, "days_to"),
        ({"cost": common_pb2.Money(amount_minor=-1, currency="CNY")}, "cost.amount_minor"),
        ({"origins": ["XX"]}, "origins[0]"),
    ],
)
def test_a_service_that_cannot_be_understood_is_refused(client: Client, more: dict[str, Any], field: str):
    fields: dict[str, Any] = {"code": "x", "carriers": ["yto"], "cost": common_pb2.Money(currency="CNY")}
    policy = admin_pb2.Policy(shipping_services=[shipping_pb2.ShippingService(**{**fields, **more})])
    error = refused(client.admin.AgreePolicy, admin_pb2.AgreePolicyRequest(context=context(), policy=policy))
    assert fields_of(error) == [f"policy.shipping_services[0].{field}"]


def test_a_table_has_one_currency_and_each_service_once(client: Client):
    euro, yuan = (
        shipping_pb2.ShippingService(code=code, carriers=["yto"], cost=common_pb2.Money(currency=code))
        for code in ("EUR", "CNY")
    )
    for services, fault in (([euro, yuan], "several currencies"), ([euro, euro], "the same code")):
        policy = admin_pb2.Policy(shipping_services=services)
        error = refused(client.admin.AgreePolicy, admin_pb2.AgreePolicyRequest(context=context(), policy=policy))
        assert fault in str(error.details())


# --- customs data -----------------------------------------------------------------------------------


def test_missing_customs_data_is_a_hold_until_it_comes_in(client: Client):
    found = placed(client, "papers", lines=[tea()], incoterm=shipping_pb2.INCOTERM_UNSPECIFIED)
    (hold,) = found.holds
    assert (hold.reason, hold.owner) == (orders_pb2.HOLD_REASON_CUSTOMS_DATA, "ledger")
    assert list(hold.missing) == ["incoterm", *(f"lines[0].{name}" for name in KNOWN)]
    release = orders_pb2.ReleaseHoldRequest(
        context=context(), order_id="shop/papers", reason=orders_pb2.HOLD_REASON_CUSTOMS_DATA
    )
    assert reason_of(refused(client.orders.ReleaseHold, release)) == "CUSTOMS_DATA_MISSING"
    total = common_pb2.Money(amount_minor=4000, currency="EUR")
    line = shipping_pb2.CustomsLine(line_no=1, **KNOWN)
    whole = complete("papers", line, incoterm=shipping_pb2.INCOTERM_DDP, declared_total=total)
    error = refused(client.orders.CompleteCustomsData, whole)
    assert reason_of(error) == "DECLARED_TOTAL_DIFFERS"
    assert error_info(error).metadata["lines_minor"] == "3980"
    whole.context.CopyFrom(context())
    whole.declared_total.amount_minor = 3980
    client.orders.CompleteCustomsData(whole)
    assert client.get("shop/papers").status == orders_pb2.ORDER_STATUS_CONFIRMED


def test_customs_data_that_fits_nothing_is_refused(client: Client):
    line = shipping_pb2.CustomsLine(line_no=9, title="x")
    assert reason_of(refused(client.orders.CompleteCustomsData, complete("nobody", line))) == "UNKNOWN_ORDER"
    placed(client, "closed")
    assert reason_of(refused(client.orders.CompleteCustomsData, complete("closed", line))) == "UNKNOWN_LINE"
    client.orders.CancelOrder(
        orders_pb2.CancelOrderRequest(context=context(), order_id="shop/closed", by=common_pb2.PARTY_CUSTOMER)
    )
    assert reason_of(refused(client.orders.CompleteCustomsData, complete("closed"))) == "ORDER_CLOSED"
    twice = complete("closed", line, line)
    assert fields_of(refused(client.orders.CompleteCustomsData, twice)) == ["lines"]


def test_an_order_shows_where_it_stands_with_customs(client: Client):
    placed(client, "stands", lines=[tea(**{**KNOWN, "origin": ""})])
    answer = client.orders.GetCustoms(shipping_pb2.GetCustomsRequest(order_id="shop/stands"))
    (state,) = answer.states
    assert (state.supplier_id, state.from_country, state.to_country) == ("acme", "CN", "DE")
    assert (state.border, list(state.missing)) == (shipping_pb2.BORDER_CROSSED, ["lines[0].origin"])
    assert (answer.total.amount_minor, answer.incoterm) == (3980, shipping_pb2.INCOTERM_DAP)
    unknown = shipping_pb2.GetCustomsRequest(order_id="shop/nobody")
    assert reason_of(refused(client.orders.GetCustoms, unknown)) == "UNKNOWN_ORDER"


def test_customs_data_and_losses_can_stand_in_a_batch(client: Client):
    shipped(client, "batch", "RB000000005CN")
    lost = parcels_pb2.ConfirmLossRequest(
        context=context(), carrier="chinapost", tracking_number="RB000000005CN", by=common_pb2.PARTY_CARRIER
    )
    commands = [
        batch_pb2.BatchCommand(complete_customs_data=complete("batch", incoterm=shipping_pb2.INCOTERM_DDP)),
        batch_pb2.BatchCommand(confirm_loss=lost),
    ]
    answer = client.batch.ExecuteBatch(batch_pb2.ExecuteBatchRequest(commands=commands))
    assert [each.WhichOneof("outcome") for each in answer.outcomes] == ["receipt", "receipt"]
    assert client.get("shop/batch").shipments[0].lost


# --- the invoice ------------------------------------------------------------------------------------


def test_an_invoice_is_data_and_paper(client: Client):
    seller = admin_pb2.Seller(name="Morgenrot Handels GmbH", address=["10435 Berlin"], country="DE", tax_id="IM276")
    client.admin.AgreePolicy(admin_pb2.AgreePolicyRequest(context=context(), policy=admin_pb2.Policy(seller=seller)))
    shipped(client, "invoice", NUMBER)
    request = shipping_pb2.GetCommercialInvoiceRequest(
        supplier_order_id="shop/invoice/1", carrier="china_post", tracking_number="rb 123 456 785 cn", with_pdf=True
    )
    answer = client.orders.GetCommercialInvoice(request)
    found = answer.invoice
    assert found.number == f"shop/invoice/1-{NUMBER}"
    assert (found.seller.name, found.shipper.name) == ("Morgenrot Handels GmbH", "Hangzhou Tea Co., Ltd.")
    assert list(found.shipper.address) == ["Longjing Road 1", "Hangzhou 310013"]
    assert (found.buyer.name, list(found.buyer.address)) == ("Ann Example", ["1 Elm Street", "10115 Berlin", "BE"])
    assert found.total == common_pb2.Money(amount_minor=3980, currency="EUR")
    assert sum(line.value_minor for line in found.lines) == found.total.amount_minor
    assert (found.lines[0].hs_code, found.lines[0].weight_grams, found.weight_grams) == ("090210", 240, 240)
    text = PdfReader(BytesIO(answer.pdf)).pages[0].extract_text()
    for expected in ("Ann Example", "Green tea 绿茶", "Hangzhou 310013", "Morgenrot Handels GmbH", "39.80", NUMBER):
        assert expected in text
    request.with_pdf = False
    assert client.orders.GetCommercialInvoice(request).pdf == b""


def test_an_invoice_that_cannot_be_drawn_up_is_refused(client: Client):
    placed(client, "nothing")

    def reason(supplier_order_id: str = "shop/nothing/1", **more: Any) -> str:
        request = shipping_pb2.GetCommercialInvoiceRequest(supplier_order_id=supplier_order_id, **more)
        return reason_of(refused(client.orders.GetCommercialInvoice, request))

    assert reason(carrier="dhl", tracking_number="1") == "NOT_ITS_PARCEL"
    assert reason("shop/nothing/9") == "UNKNOWN_SUPPLIER_ORDER"
    assert reason("shop/nobody/1") == "UNKNOWN_ORDER"
    client.orders.CancelOrder(
        orders_pb2.CancelOrderRequest(context=context(), order_id="shop/nothing", by=common_pb2.PARTY_CUSTOMER)
    )
    assert reason() == "NOTHING_TO_INVOICE"
    beijing = orders_pb2.Address(lines=["Chang'an Avenue 1"], city="Beijing", country="CN")
    placed(client, "domestic", lines=[tea()], ship_to=beijing)
    assert reason("shop/domestic/1") == "CUSTOMS_DATA_MISSING"


def test_an_invoice_forgets_a_person_that_was_erased(client: Client):
    erin = orders_pb2.Customer(name="Erin Erased", email="erin@example.org")
    placed(client, "erin", customer=erin)
    request = shipping_pb2.GetCommercialInvoiceRequest(supplier_order_id="shop/erin/1")
    assert client.orders.GetCommercialInvoice(request).invoice.buyer.name == "Erin Erased"
    client.admin.ErasePerson(admin_pb2.ErasePersonRequest(order_id="shop/erin", even_if_open=True))
    buyer = client.orders.GetCommercialInvoice(request).invoice.buyer
    assert (buyer.name, list(buyer.address), buyer.country) == ("", ["BE"], "DE")


# --- parcels ----------------------------------------------------------------------------------------


def test_a_parcel_is_one_however_its_carrier_is_spelled(client: Client):
    shipped(client, "spelling", "UG000000005YP", carrier="Yan Wen")
    scan(client, "yanwen_logistics", "ug000000005yp", parcels_pb2.PARCEL_STATUS_IN_TRANSIT)
    found = parcel(client, "燕文", "UG000000005YP")
    assert (found.carrier, len(found.checkpoints), list(found.warnings)) == ("yanwen", 1, [])


def test_a_scan_of_an_earlier_use_is_shown_as_such_and_its_text_is_not_kept(client: Client):
    shipped(client, "reused", "REUSED1", "dhl")
    old, new = NOW - timedelta(days=195), datetime.now(UTC)
    scans = [
        parcels_pb2.Checkpoint(at=stamp(at), status=status, message=f"left with Mr {name}")
        for at, status, name in ((old, parcels_pb2.PARCEL_STATUS_DELIVERED, "Other"), (new, IN_TRANSIT, "Own"))
    ]
    request = parcels_pb2.RecordCheckpointsRequest(
        context=context(), carrier="dhl", tracking_number="REUSED1", checkpoints=scans
    )
    client.parcels.RecordCheckpoints(request)
    found = parcel(client, "dhl", "REUSED1", with_personal_data=True)
    assert [(each.of_earlier_use, each.message) for each in found.checkpoints] == [
        (True, ""),
        (False, "left with Mr Own"),
    ]
    assert (found.status, found.HasField("delivered_at")) == (IN_TRANSIT, False)
    assert client.get("shop/reused").status == orders_pb2.ORDER_STATUS_DISPATCHED


def test_who_signed_and_what_the_carrier_wrote_are_shown_on_request_until_the_person_is_erased(client: Client):
    shipped(client, "signed", "SIGNED1", "dhl")
    scan(client, "dhl", "SIGNED1", parcels_pb2.PARCEL_STATUS_DELIVERED, message="handed to Ann")
    proof = parcels_pb2.ProveDeliveryRequest(
        context=context(),
        carrier="dhl",
        tracking_number="SIGNED1",
        signed_by="Ann Archer",
        photo_sha256="ab" * 32,
        at=stamp(NOW),
    )
    client.parcels.ProveDelivery(proof)
    proof.context.request_id += "-told-again"
    client.parcels.ProveDelivery(proof)
    assert len(parcel(client, "dhl", "SIGNED1").proofs) == 1

    def shown(**asked: bool) -> tuple[str, str, str]:
        found = parcel(client, "dhl", "SIGNED1", **asked)
        return found.checkpoints[0].message, found.proofs[0].signed_by, found.proofs[0].photo_sha256

    assert shown() == ("", "", "ab" * 32)
    assert shown(with_personal_data=True) == ("handed to Ann", "Ann Archer", "ab" * 32)
    client.admin.ErasePerson(admin_pb2.ErasePersonRequest(order_id="shop/signed", even_if_open=True))
    assert shown(with_personal_data=True) == ("", "", "ab" * 32)


def test_only_a_delivery_can_have_reached_the_customer(client: Client):
    shipped(client, "reached", "REACHED1", "dhl")
    moved = parcels_pb2.Checkpoint(at=stamp(NOW), status=IN_TRANSIT, reached_customer=True)
    request = parcels_pb2.RecordCheckpointsRequest(
        context=context(), carrier="dhl", tracking_number="REACHED1", checkpoints=[moved]
    )
    assert fields_of(refused(client.parcels.RecordCheckpoints, request)) == ["checkpoints[0].reached_customer"]


def test_an_odd_number_is_registered_with_a_warning(client: Client):
    request = parcels_pb2.RegisterParcelRequest(context=context(), carrier="UPS", tracking_number="1Z5R89390357567128")
    first, again = (client.parcels.RegisterParcel(request) for _ in range(2))
    assert list(first.warnings) == list(again.warnings) == ["check digit is 8, 7 expected"]
    assert list(parcel(client, "ups", "1Z5R89390357567128").warnings) == ["check digit is 8, 7 expected"]


def ship(client: Client, number: str, tracking_number: str, **more: Any) -> list[str]:
    """The warnings of the answer."""
    request = supplier_orders_pb2.ShipSupplierOrderRequest(
        context=context(), supplier_order_id=f"shop/{number}/1", carrier="ups", tracking_number=tracking_number, **more
    )
    first, again = (client.orders.ShipSupplierOrder(request) for _ in range(2))
    assert list(first.warnings) == list(again.warnings)
    return list(first.warnings)


def sent(client: Client, number: str, **more: Any) -> None:
    placed(client, number, **more)
    so = f"shop/{number}/1"
    client.orders.SendSupplierOrder(
        supplier_orders_pb2.SendSupplierOrderRequest(context=context(), supplier_order_id=so)
    )


@pytest.mark.parametrize("announced", [False, True])
def test_whoever_ships_is_told_at_once_that_the_number_is_odd(client: Client, announced: bool):
    number, serial = f"odd{announced}", "1Z5R8939035756712" + ("6" if announced else "9")
    if announced:
        client.parcels.RegisterParcel(
            parcels_pb2.RegisterParcelRequest(context=context(), carrier="ups", tracking_number=serial)
        )
    sent(client, number)
    assert ship(client, number, serial) == [f"check digit is {serial[-1]}, 7 expected"]


def test_whoever_ships_is_told_that_the_number_was_another_shipments(client: Client):
    sent(client, "former")
    sent(client, "latter", ship_to=orders_pb2.Address(lines=["2 Elm Street"], city="Bonn", country="DE"))
    good = "1Z5R89390357567127"
    assert ship(client, "former", good) == []
    warning = "the number was used 0 days before for shop/former/1, which has not arrived"
    assert ship(client, "latter", good) == [warning]


def test_whoever_ships_on_hold_or_at_a_time_that_cannot_be_right_is_told_so(client: Client, ff: Console):
    sent(client, "onhold")
    hold = orders_pb2.PlaceHoldRequest(
        context=context(), order_id="shop/onhold", reason=orders_pb2.HOLD_REASON_FRAUD_REVIEW, owner="mia"
    )
    client.orders.PlaceHold(hold)
    (warning,) = ship(client, "onhold", "1Z999AA10123456784")
    assert warning.startswith("the order was on hold")
    assert list(client.get("shop/onhold").shipments[0].oddities) == [supplier_orders_pb2.ODDITY_ON_HOLD]
    sent(client, "early")
    (warning,) = ship(client, "early", "1Z5R89390357568126", at=stamp(NOW - timedelta(days=30)))
    assert warning.startswith("the time cannot be right")
    assert "left too early" in ff("show", "shop/early").out


def test_a_parcel_at_customs_names_what_is_asked_for_and_by_when(client: Client):
    shipped(client, "held", "RB000000014CN")
    by = stamp(NOW + timedelta(days=7))
    receipt = scan(
        client, "china-post", "RB000000014CN", parcels_pb2.PARCEL_STATUS_CUSTOMS_HELD,
        customs_asks=parcels_pb2.CUSTOMS_ASK_DOCUMENTS, customs_answer_by=by,
    )  # fmt: skip
    held = parcel(client, "china-post", "RB000000014CN").customs_hold
    assert (held.asks, held.answer_by) == (parcels_pb2.CUSTOMS_ASK_DOCUMENTS, by)
    request = tracking_pb2.FindParcelsRequest(tracking_number="RB000000014CN", at_least=receipt.position)
    assert patiently(client.reports.FindParcels, request).parcels[0].customs_hold == held
    receipt = scan(client, "china-post", "RB000000014CN", parcels_pb2.PARCEL_STATUS_IN_TRANSIT)
    assert not parcel(client, "china-post", "RB000000014CN").HasField("customs_hold")
    request.at_least = receipt.position
    assert not patiently(client.reports.FindParcels, request).parcels[0].HasField("customs_hold")


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"status": parcels_pb2.PARCEL_STATUS_IN_TRANSIT, "customs_asks": 1}, "customs_asks"),
        ({"status": parcels_pb2.PARCEL_STATUS_CUSTOMS_HELD, "customs_answer_by": stamp(NOW)}, "customs_answer_by"),
    ],
)
def test_only_customs_that_holds_a_parcel_asks_for_something(client: Client, more: dict[str, Any], field: str):
    checkpoint = parcels_pb2.Checkpoint(at=stamp(NOW), **more)
    request = parcels_pb2.RecordCheckpointsRequest(
        context=context(), carrier="dhl", tracking_number="1", checkpoints=[checkpoint]
    )
    assert fields_of(refused(client.parcels.RecordCheckpoints, request)) == [f"checkpoints[0].{field}"]


def test_a_loss_is_confirmed_and_a_lost_parcel_found(client: Client):
    shipped(client, "lost", "RB000000028CN")

    def lost(number: str = "RB000000028CN") -> parcels_pb2.ConfirmLossRequest:
        return parcels_pb2.ConfirmLossRequest(
            context=context(), carrier="china-post", tracking_number=number, by=common_pb2.PARTY_CARRIER
        )

    client.parcels.ConfirmLoss(lost())
    found = parcel(client, "china-post", "RB000000028CN")
    assert (found.status, found.HasField("lost_at")) == (parcels_pb2.PARCEL_STATUS_LOST, True)
    assert client.get("shop/lost").shipments[0].lost
    scan(client, "china-post", "RB000000028CN", parcels_pb2.PARCEL_STATUS_DELIVERED)
    found = parcel(client, "china-post", "RB000000028CN")
    assert (found.HasField("lost_at"), found.HasField("found_at")) == (False, True)
    assert client.get("shop/lost").status == orders_pb2.ORDER_STATUS_DELIVERED
    assert reason_of(refused(client.parcels.ConfirmLoss, lost())) == "ALREADY_DELIVERED"
    assert reason_of(refused(client.parcels.ConfirmLoss, lost("RB9"))) == "UNKNOWN_PARCEL"
    nobody = parcels_pb2.ConfirmLossRequest(context=context(), carrier="dhl", tracking_number="1")
    assert fields_of(refused(client.parcels.ConfirmLoss, nobody)) == ["by"]


def test_what_lacks_customs_data_is_not_sent(client: Client):
    beijing = orders_pb2.Address(lines=["Chang'an Avenue 1"], city="Beijing", country="CN")
    placed(client, "moves", lines=[tea()], ship_to=beijing)
    away = order("moves")
    client.orders.ChangeAddress(
        orders_pb2.ChangeAddressRequest(
            context=context(), order_id="shop/moves", customer=away.customer, ship_to=away.ship_to
        )
    )
    send = supplier_orders_pb2.SendSupplierOrderRequest(context=context(), supplier_order_id="shop/moves/1")
    error = refused(client.orders.SendSupplierOrder, send)
    assert (reason_of(error), error_info(error).metadata["holds"]) == ("ORDER_ON_HOLD", "customs_data")


# --- customs territories ----------------------------------------------------------------------------


def test_goods_for_the_canaries_are_declared_from_spain_too(client: Client):
    client.approve("iberia")
    client.suppliers.UpdateSupplier(
        suppliers_pb2.UpdateSupplierRequest(context=context(), supplier_id="iberia", country="ES")
    )
    client.feed(10, supplier_id="iberia")
    line = orders_pb2.OrderLine(sku="tea", quantity=2, unit_price_minor=1990, supplier_id="iberia")
    for number, postal_code, border, to_territory in (
        ("madrid", "28001", shipping_pb2.BORDER_NONE, "EU"),
        ("palmas", "35001", shipping_pb2.BORDER_CROSSED, "ES-CN"),
    ):
        address = orders_pb2.Address(lines=["1 Elm Street"], city="X", postal_code=postal_code, country="ES")
        client.place(number, lines=[line], ship_to=address)
        (state,) = client.orders.GetCustoms(shipping_pb2.GetCustomsRequest(order_id=f"shop/{number}")).states
        assert (state.border, state.from_territory, state.to_territory) == (border, "EU", to_territory)
        holds = [each.reason for each in client.get(f"shop/{number}").holds]
        assert (orders_pb2.HOLD_REASON_CUSTOMS_DATA in holds) == (border == shipping_pb2.BORDER_CROSSED)


def test_the_console_says_in_which_customs_territory_an_address_is(client: Client, ff: Console):
    result = ff("shipping", "territory", "it", "--postal-code", "23041")
    assert "Customs territory IT-LIVIGNO" in result.out
    assert "Livigno" in result.out
    assert "Union Customs Code, Article 4(1)" in result.out
    assert json.loads(ff("shipping", "territory", "LI", "--json").out)["code"] == "CH"
    assert "a country that is a territory by itself" in ff("shipping", "territory", "JP").out
    assert "Northern Ireland" in ff("shipping", "territory", "GB", "--region", "County Down").out
    error = refused(client.admin.FindCustomsTerritory, shipping_pb2.FindCustomsTerritoryRequest())
    assert fields_of(error) == ["country"]
    assert ff("shipping", "territory", "Utopia").code == 1


def test_the_console_shows_how_services_clear_and_for_which_duty_they_run(client: Client, ff: Console):
    assert ff("shipping", "clearing").code == 0
    listed = ff("shipping", "services").out
    assert "domestic_parcel" in listed
    assert "AT, BE, BG" in listed
    paid = shipping_pb2.ShippingService(
        code="double_clearance", carriers=["yunexpress"], international=True, days_from=7, days_to=14,
        cost=common_pb2.Money(amount_minor=2000, currency="CNY"), incoterms=[shipping_pb2.INCOTERM_DDP],
        held_basis_points=150,
    )  # fmt: skip
    policy = admin_pb2.Policy(shipping_services=[paid], held_parcel_costs_minor=5000)
    later = stamp(NOW + timedelta(days=500))
    client.admin.AgreePolicy(admin_pb2.AgreePolicyRequest(context=context(), policy=policy, effective_from=later))
    found = client.admin.GetPolicy(admin_pb2.GetPolicyRequest(at=later)).in_force.policy
    assert (list(found.shipping_services), found.held_parcel_costs_minor) == ([paid], 5000)
    shown = ff("shipping", "services", "--at", f"{NOW + timedelta(days=501):%Y-%m-%d}").out
    assert "DDP" in shown
    assert "1.5 %" in shown
    paid.incoterms[:] = [9]  # type: ignore[list-item]
    policy = admin_pb2.Policy(shipping_services=[paid])
    error = refused(client.admin.AgreePolicy, admin_pb2.AgreePolicyRequest(context=context(), policy=policy))
    assert fields_of(error) == ["policy.shipping_services[0].incoterms[0]"]


def test_shares_that_are_known_are_agreed_for_the_services(client: Client, ff: Console):
    before = client.admin.GetPolicy(admin_pb2.GetPolicyRequest())
    assert ff("shipping", "clearing", "--agree").code == 0
    after = client.admin.GetPolicy(admin_pb2.GetPolicyRequest())
    # Of fewer than twenty parcels nothing is known, so nothing changes.
    assert after.in_force.policy == before.in_force.policy


def test_a_service_whose_parcels_customs_held_too_often_is_passed_over_once_that_is_agreed(service: Service):
    with Client(service.address) as client:
        client.admin.CreateTenant(admin_pb2.CreateTenantRequest(tenant="clears"))
    ff = Console(service.address, "clears")
    with Client(service.address, "clears") as client:
        supply(client)

        def chosen(number: str) -> tuple[str, str]:
            (part,) = placed(client, number, incoterm=shipping_pb2.INCOTERM_DDP).supplier_orders
            return part.shipping.code, part.shipping.reason

        assert chosen("before") == ("international_light", "cheapest of 3")
        assert ff("policy", "set", "held_parcel_costs_minor=5000").code == 0
        assert chosen("weighed") == ("international_light", "cheapest of 3, counting what customs holds")
        for n in range(20):
            shipped(client, f"c{n}", f"RB0000010{n:02}CN", incoterm=shipping_pb2.INCOTERM_DDP)
            held = parcels_pb2.PARCEL_STATUS_CUSTOMS_HELD if n % 4 else parcels_pb2.PARCEL_STATUS_DELIVERED
            scan(client, "china-post", f"RB0000010{n:02}CN", held)
        assert chosen("counted")[0] == "international_light"
        shown = ff("shipping", "clearing", "--agree").out
        assert re.search(r"international_light +20 +15 +75 %", shown), shown
        # 27.20 CNY and three quarters of 50.00 are more than the 42.80 of the line.
        assert chosen("agreed") == ("international_line", "cheapest of 3, counting what customs holds")


# --- the console ------------------------------------------------------------------------------------


def test_the_console_walks_an_order_over_the_border(ff: Console, tmp_path: Path):
    result = ff(
        "place", "--channel", "shop", "--id", "walk", "--line", "tea:2:19.90:acme", "--currency", "EUR", "--paid",
        "--name", "Ann Example", "--email", "ann@example.org", "--address", "1 Elm Street", "--city", "Berlin",
        "--country", "DE", "--incoterm", "ddp",
    )  # fmt: skip
    assert "Next: fulfilment order customs shop/walk, with what is missing" in result.out
    result = ff("order", "customs", "shop/walk")
    assert "CN to DE" in result.out
    assert "title of line 1; hs_code of line 1; origin of line 1; weight_grams of line 1" in result.out
    result = ff(
        "order", "customs", "shop/walk", "--title", "1:Green tea: loose", "--hs-code", "1:0902.10", "--origin", "1:cn",
        "--weight", "1:120", "--total", "39.80",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert "nothing" in result.out
    shown = ff("show", "shop/walk").out
    assert "international_light" in shown
    assert "DDP" in shown
    paper = tmp_path / "invoice.pdf"
    result = ff("order", "invoice", "shop/walk/1", "--pdf", str(paper))
    assert "Green tea: loose" in result.out
    assert "Ann Example" in result.out
    assert "39.80 EUR" in result.out
    assert "Green tea: loose" in PdfReader(paper).pages[0].extract_text()


def test_the_console_says_in_one_sentence_what_is_wrong(client: Client, ff: Console, tmp_path: Path):
    placed(client, "sentence")
    result = ff("order", "customs", "shop/sentence", "--origin", "China")
    assert (result.code, "'China' is not LINE:VALUE such as 1:CN" in result.err) == (2, True)
    result = ff("order", "invoice", "shop/nobody/1", "--pdf", str(tmp_path / "x.pdf"))
    assert (result.code, result.err) == (1, "Error: there is no order shop/nobody [UNKNOWN_ORDER]\n")
    assert not (tmp_path / "x.pdf").exists()


def test_the_console_lists_the_shipping_services(ff: Console):
    result = ff("shipping", "services")
    assert "international_line" in result.out
    assert "yanwen, yunexpress" in result.out
    assert json.loads(ff("shipping", "services", "--json").out)[0]["code"] == "domestic_economy"


def test_the_console_gives_a_parcel_up_and_shows_what_customs_asks(ff: Console, client: Client):
    shipped(client, "console", "RB000000031CN")
    result = ff(
        "parcel", "scan", "china-post", "RB000000031CN", "customs_held", "--asks", "payment",
        "--answer-by", "2030-01-02T10:00",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert (
        "for payment from the customer by 2030-01-02 10:00Z" in ff("parcel", "show", "China Post", "RB000000031CN").out
    )
    assert "lost" in ff("parcel", "lost", "china-post", "RB000000031CN", "--reason", "tracing_failed").out
    shown = ff("parcel", "show", "china-post", "RB000000031CN").out
    assert "given up" in shown
    assert "customs asks" not in shown
