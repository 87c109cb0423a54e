"""What a supplier is told of an order, and when: where it goes, how it is packed, that it waits; over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fulfilment.v1 import (
    admin_pb2,
    common_pb2,
    messages_pb2,
    obligations_pb2,
    orders_pb2,
    shipping_pb2,
    supplier_orders_pb2,
    suppliers_pb2,
    work_pb2,
)
from tests.support.service import Client, Service, fields_of, order, patiently, refused
from tests.support.trading import Trade, answer, bought, eur, first_of, fresh
from tests.support.waiting import wait_for


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    with Client(service.address) as client:
        client.approve(acknowledge_within_hours=24, dispatch_within_hours=48)
        client.approve("bolt", acknowledge_within_hours=24, dispatch_within_hours=48)
        yield client


@pytest.fixture
def trade(client: Client) -> Trade:
    return Trade(client)


def of_two(trade: Trade) -> str:
    """An order of two suppliers that both know of it and have taken it on."""
    order_id = trade.placed(lines=[bought(fresh()), bought(fresh(), supplier_id="bolt")])
    for number in (1, 2):
        part = f"{order_id}/{number}"
        trade.send("SendSupplierOrder", supplier_order_id=part)
        trade.send("AcknowledgeSupplierOrder", supplier_order_id=part, lines=[answer(number, accepted=1)])
    return order_id


PARIS = orders_pb2.Address(lines=["2 Rue des Ormes"], city="Paris", postal_code="75011", country="FR")
BEN = orders_pb2.Customer(name="Ben Example", email="ben@example.org")


def test_an_address_changes_by_part_and_the_receipt_names_what_keeps_its_own(trade: Trade):
    order_id = of_two(trade)
    trade.send("PackSupplierOrder", supplier_order_id=f"{order_id}/1")
    receipt = trade.send("ChangeAddress", order_id=order_id, customer=BEN, ship_to=PARIS)
    assert list(receipt.warnings) == [
        f"supplier order {order_id}/1 is packed or has left, and keeps the address that it had"
    ]
    found = trade.client.get(order_id)
    (kept,) = found.kept_addresses
    assert (found.ship_to.country, kept.supplier_order_id, kept.ship_to.country) == ("FR", f"{order_id}/1", "DE")
    assert (kept.ship_to.city, kept.customer.name) == ("", "")
    first, second = found.supplier_orders
    assert (first.status, second.status) == (
        supplier_orders_pb2.SUPPLIER_ORDER_STATUS_PACKED,
        supplier_orders_pb2.SUPPLIER_ORDER_STATUS_SENT,
    )
    assert (first.HasField("asked_again_at"), second.HasField("asked_again_at")) == (False, True)
    assert (second.HasField("acknowledged_at"), second.HasField("acknowledged_again_at")) == (False, False)
    trade.send("AcknowledgeSupplierOrder", supplier_order_id=f"{order_id}/2", lines=[answer(2, accepted=1)])
    second = trade.client.get(order_id).supplier_orders[1]
    assert (second.status, second.HasField("acknowledged_again_at")) == (
        supplier_orders_pb2.SUPPLIER_ORDER_STATUS_ACCEPTED,
        True,
    )


def test_who_asks_for_personal_data_sees_both_addresses(trade: Trade):
    order_id = of_two(trade)
    trade.send("PackSupplierOrder", supplier_order_id=f"{order_id}/1")
    trade.send("ChangeAddress", order_id=order_id, customer=BEN, ship_to=PARIS)
    found = trade.send("GetOrder", order_id=order_id, with_personal_data=True).order
    (kept,) = found.kept_addresses
    assert (found.ship_to.lines, found.customer.name) == (["2 Rue des Ormes"], "Ben Example")
    assert (kept.ship_to.lines, kept.customer.name) == (["1 Elm Street"], "Ann Example")


def test_the_same_address_under_another_request_asks_nobody_again(trade: Trade):
    order_id = of_two(trade)
    trade.send("ChangeAddress", order_id=order_id, customer=BEN, ship_to=PARIS)
    trade.send("AcknowledgeSupplierOrder", supplier_order_id=f"{order_id}/1", lines=[answer(1, accepted=1)])
    trade.send("ChangeAddress", order_id=order_id, customer=BEN, ship_to=PARIS)
    first, second = trade.client.get(order_id).supplier_orders
    assert first.status == supplier_orders_pb2.SUPPLIER_ORDER_STATUS_ACCEPTED
    assert second.status == supplier_orders_pb2.SUPPLIER_ORDER_STATUS_SENT


def test_an_order_that_is_placed_again_after_its_address_changed_is_the_same_order(trade: Trade):
    number = fresh()
    trade.client.place(number, sku=number)
    trade.send("ChangeAddress", order_id=f"shop/{number}", customer=BEN, ship_to=PARIS)
    trade.client.orders.PlaceOrder(order(number, sku=number))
    assert trade.client.get(f"shop/{number}").ship_to.country == "FR"


def instruction_of(trade: Trade, order_id: str) -> str:
    """The text of the first instruction that went out for an order."""
    listed = trade.request("ListMessages", order_id=order_id, audience=messages_pb2.MESSAGE_AUDIENCE_SUPPLIER)
    wait_for(lambda: bool(patiently(trade.client.messages.ListMessages, listed).messages))
    (message,) = patiently(trade.client.messages.ListMessages, listed).messages
    wait_for(lambda: trade.send("GetMessage", message_id=message.message_id).message.HasField("asked_at"))
    return str(trade.send("GetMessage", message_id=message.message_id, with_letter=True).letter.text)


def test_an_instruction_carries_note_gift_service_and_packing_that_adds_up(trade: Trade):
    brander = trade.supplier(country="JP", packing=["brand_card"])
    packing = [admin_pb2.ChannelPacking(channel="shop", words=["brand_card"])]
    trade.send("AgreePolicy", policy=admin_pb2.Policy(channel_packing=packing))
    lines = [bought(fresh(), supplier_id=brander)]
    lines[0].title, lines[0].hs_code, lines[0].origin, lines[0].weight_grams = "Cup", "691200", "CN", 300
    said = {
        "note": "Ring twice,\nplease.",
        "gift": True,
        "packing": ["gift_wrap"],
        "incoterm": shipping_pb2.INCOTERM_DAP,
    }
    offered = suppliers_pb2.Offer(sku=lines[0].sku, cost=eur(200), article_code="CUP-7")
    trade.send("OfferSku", supplier_id=brander, offer=offered)
    order_id = trade.placed(lines=lines, **said)
    trade.send("SendSupplierOrder", **first_of(order_id))
    text = instruction_of(trade, order_id)
    assert "no papers, no prices and no advertising of your own. Beside that, pack with: brand card, gift wrap." in text
    assert "It is a gift: put no price and no invoice in the parcel.\n- Note: Ring twice,\n  please." in text
    assert "Standard shipping, by international express (DHL, Fedex)" in text
    assert f"1 × {lines[0].sku} [CUP-7], Cup" in text
    (part,) = trade.client.get(order_id).supplier_orders
    neutral = ["neutral", "no_papers", "no_prices", "no_advertising"]
    assert list(part.packing) == [*neutral, "brand_card", "gift_wrap"]
    trade.send("PackSupplierOrder", **first_of(order_id), packed_with=["gift_wrap"])
    assert list(trade.client.get(order_id).supplier_orders[0].packing_lacks) == ["brand_card"]
    # The note came with the first address; the next one is somebody else's.
    other = trade.placed(**said)
    trade.send("ChangeAddress", order_id=other, customer=BEN, ship_to=PARIS)
    trade.send("SendSupplierOrder", **first_of(other))
    text = instruction_of(trade, other)
    assert ("Ben Example\n2 Rue des Ormes" in text, "Note: Ring twice,\n  please." in text) == (True, True)


# --- sending --------------------------------------------------------------------------------------


def drafted(trade: Trade, supplier_id: str) -> str:
    return trade.placed(lines=[bought(fresh(), supplier_id=supplier_id)])


def status_of(trade: Trade, order_id: str) -> int:
    return int(trade.client.get(order_id).supplier_orders[0].status)


def test_the_ledger_sends_at_once_where_it_can_write_and_a_person_is_to_send_the_rest(trade: Trade):
    writable, unwritable = trade.supplier(contact="Wei <orders@acme.cn>"), trade.supplier()
    order_id, by_hand = drafted(trade, writable), drafted(trade, unwritable)
    wait_for(lambda: status_of(trade, order_id) == supplier_orders_pb2.SUPPLIER_ORDER_STATUS_SENT)
    assert "Please accept and ship" in instruction_of(trade, order_id)
    assert status_of(trade, by_hand) == supplier_orders_pb2.SUPPLIER_ORDER_STATUS_DRAFT
    head = trade.client.admin.GetStatus(admin_pb2.GetStatusRequest()).position
    (work,) = patiently(trade.client.work.ListWork, work_pb2.ListWorkRequest(order_id=by_hand, at_least=head)).work
    assert (work.kind, work.reason) == (work_pb2.WORK_KIND_DRAFT, "send it")
    assert patiently(trade.client.work.ListWork, work_pb2.ListWorkRequest(order_id=order_id, at_least=head)).work == []
    clock = obligations_pb2.OBLIGATION_CLOCK_SEND
    listed = obligations_pb2.ListObligationsRequest(supplier_id=unwritable, clock=clock, at_least=head)
    (owed,) = patiently(trade.client.reports.ListObligations, listed).obligations
    assert (owed.object_id, owed.owner) == (f"{by_hand}/1", common_pb2.PARTY_RETAILER)
    assert owed.due == trade.client.get(by_hand).supplier_orders[0].send_by


def test_what_a_hold_keeps_back_is_sent_once_it_ends(trade: Trade):
    supplier_id = trade.supplier(contact="Wei <orders@acme.cn>")
    trade.send("AgreePolicy", policy=admin_pb2.Policy(sending=admin_pb2.Sending(mode=admin_pb2.SENDING_MODE_BY_PERSON)))
    order_id = drafted(trade, supplier_id)
    trade.send("PlaceHold", order_id=order_id)
    trade.send("AgreePolicy", policy=admin_pb2.Policy())
    other = drafted(trade, supplier_id)
    wait_for(lambda: status_of(trade, other) == supplier_orders_pb2.SUPPLIER_ORDER_STATUS_SENT)
    assert status_of(trade, order_id) == supplier_orders_pb2.SUPPLIER_ORDER_STATUS_DRAFT
    trade.send("ReleaseHold", order_id=order_id)
    wait_for(lambda: status_of(trade, order_id) == supplier_orders_pb2.SUPPLIER_ORDER_STATUS_SENT)


@pytest.mark.parametrize(
    ("sending", "field"),
    [
        ({"mode": admin_pb2.SENDING_MODE_IN_ROUNDS}, "policy.sending.rounds"),
        ({"rounds": ["09:00"]}, "policy.sending.rounds"),
        ({"mode": admin_pb2.SENDING_MODE_IN_ROUNDS, "rounds": ["9:00"]}, "policy.sending.rounds[0]"),
        ({"mode": admin_pb2.SENDING_MODE_IN_ROUNDS, "rounds": ["09:00", "24:00"]}, "policy.sending.rounds[1]"),
        ({"mode": admin_pb2.SENDING_MODE_IN_ROUNDS, "rounds": ["09:00", "09:00"]}, "policy.sending.rounds"),
        ({"time_zone": "Mars/Phobos"}, "policy.sending.time_zone"),
        ({"time_zone": "../etc"}, "policy.sending.time_zone"),
    ],
)
def test_rounds_are_times_of_the_day_in_a_known_zone(trade: Trade, sending: dict[str, Any], field: str):
    policy = admin_pb2.Policy(sending=admin_pb2.Sending(**sending))
    request = trade.request("AgreePolicy", policy=policy)
    assert fields_of(refused(trade.client.admin.AgreePolicy, request)) == [field]


def test_a_channel_has_one_packing(trade: Trade):
    policy = admin_pb2.Policy(channel_packing=[admin_pb2.ChannelPacking(channel="shop")] * 2)
    request = trade.request("AgreePolicy", policy=policy)
    assert fields_of(refused(trade.client.admin.AgreePolicy, request)) == ["policy.channel_packing"]


@pytest.mark.parametrize(
    ("brand", "field"),
    [
        ({"channel": "no channel"}, "policy.brands[0].channel"),
        ({"colour": "red"}, "policy.brands[0].colour"),
        ({"colour": "#fff;}"}, "policy.brands[0].colour"),
        ({"logo_url": "http://brook.example/logo.png"}, "policy.brands[0].logo_url"),
        ({"logo_url": 'https://brook.example/"><b>'}, "policy.brands[0].logo_url"),
        ({"signature": ["x"] * 11}, "policy.brands[0].signature"),
        ({"mail_from": "Brook <orders@brook.example>"}, "policy.brands[0].mail_from"),
        ({"reply_to": "nobody"}, "policy.brands[0].reply_to"),
        ({"order_link": "javascript:alert(1)"}, "policy.brands[0].order_link"),
    ],
)
def test_a_brand_has_a_colour_and_addresses_that_mails_can_use(trade: Trade, brand: dict[str, Any], field: str):
    request = trade.request("AgreePolicy", policy=admin_pb2.Policy(brands=[admin_pb2.Brand(**brand)]))
    assert fields_of(refused(trade.client.admin.AgreePolicy, request)) == [field]
    twice = trade.request("AgreePolicy", policy=admin_pb2.Policy(brands=[admin_pb2.Brand(name="Brook")] * 2))
    assert fields_of(refused(trade.client.admin.AgreePolicy, twice)) == ["policy.brands"]


def test_a_customer_reads_the_brand_of_its_channel_and_a_supplier_that_of_the_retailer(trade: Trade):
    brands = [
        admin_pb2.Brand(name="Brook & Sons"),
        admin_pb2.Brand(channel="shop", name="Tea & Co", colour="#A1502D", signature=["Tea & Co, Leeds"]),
    ]
    trade.send("AgreePolicy", policy=admin_pb2.Policy(brands=brands))
    order_id = trade.placed(lines=[bought(fresh(), supplier_id=trade.supplier())])
    trade.send("SendSupplierOrder", **first_of(order_id))
    for audience, name in ((CUSTOMER, "Tea &amp; Co"), (SUPPLIER, "Brook &amp; Sons")):
        html = letter_to(trade, order_id, audience).html
        assert name in html
        assert ("#a1502d" in html, "Tea &amp; Co, Leeds" in html) == (audience == CUSTOMER, audience == CUSTOMER)


CUSTOMER, SUPPLIER = messages_pb2.MESSAGE_AUDIENCE_CUSTOMER, messages_pb2.MESSAGE_AUDIENCE_SUPPLIER


def letter_to(trade: Trade, order_id: str, audience: Any) -> messages_pb2.Letter:
    """The only message about an order to an audience, once it is asked for."""

    def asked() -> list[messages_pb2.Message]:
        request = messages_pb2.ListMessagesRequest(order_id=order_id, audience=audience)
        return [each for each in patiently(trade.client.messages.ListMessages, request).messages if each.language]

    (found,) = wait_for(asked)
    request = messages_pb2.GetMessageRequest(message_id=found.message_id, with_letter=True)
    letter: messages_pb2.Letter = patiently(trade.client.messages.GetMessage, request).letter
    return letter
