"""What a supplier is told of an order, and when: where it goes, how it is packed, that it waits; over the wire."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fulfilment.v1 import orders_pb2, supplier_orders_pb2
from tests.support.service import Client, order, serving
from tests.support.trading import Trade, answer, bought, fresh


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with tempfile.TemporaryDirectory(prefix="fulfilment-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with serving(folder, "--data", str(folder / "data")) as service, Client(service.address) as client:
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
