"""Numbers put right and shipments taken back, over a real socket and at the console."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fulfilment.v1 import batch_pb2, orders_pb2, parcels_pb2
from tests.support.service import Client, Service, context, fields_of, refused, stamp
from tests.support.terminal import Console
from tests.support.trading import DAY, NOW, Trade, first_of, item, number_of, parcel_of

DELIVERED, IN_TRANSIT = parcels_pb2.PARCEL_STATUS_DELIVERED, parcels_pb2.PARCEL_STATUS_IN_TRANSIT


@pytest.fixture(scope="module")
def trade(service: Service) -> Iterator[Trade]:
    with Client(service.address) as client:
        client.approve()
        yield Trade(client)


@pytest.fixture
def ff(service: Service, trade: Trade) -> Console:
    """The console at the service."""
    return Console(service.address)


def scanned(trade: Trade, number: str, status: Any, days_ago: float = 0) -> Any:
    scan = parcels_pb2.Checkpoint(at=stamp(NOW - days_ago * DAY), status=status)
    return trade.send("RecordCheckpoints", carrier="dhl", tracking_number=number, checkpoints=[scan])


def parcel(trade: Trade, number: str) -> parcels_pb2.Parcel:
    found: parcels_pb2.Parcel = trade.send("GetParcel", carrier="dhl", tracking_number=number).parcel
    return found


def test_a_wrong_number_is_replaced_and_what_is_known_of_the_right_one_counts(trade: Trade):
    order_id = trade.shipped(days_ago=3)
    wrong, right = number_of(order_id), f"{number_of(order_id)}R"
    scanned(trade, wrong, DELIVERED, days_ago=1)
    trade.send("RegisterParcel", carrier="dhl", tracking_number=right, at=stamp(NOW - 3 * DAY))
    scanned(trade, right, IN_TRANSIT, days_ago=2)
    receipt = trade.send("CorrectTracking", **parcel_of(order_id), right_tracking_number=right, reason="mistyped")
    order = trade.client.get(order_id)
    assert ([each.tracking_number for each in order.shipments], order.lines[0].units.shipped) == ([right], 1)
    assert parcel(trade, right).first_scan_at == stamp(NOW - 2 * DAY)
    void = parcel(trade, wrong)
    assert (void.status, void.right_tracking_number) == (parcels_pb2.PARCEL_STATUS_VOID, right)
    assert (void.void_reason, void.HasField("voided_at")) == ("mistyped", True)
    found = trade.send("FindParcels", tracking_number=wrong, at_least=receipt.position).parcels
    assert [each.status for each in found] == [parcels_pb2.PARCEL_STATUS_VOID]
    again = trade.send("CorrectTracking", **parcel_of(order_id), right_tracking_number=right)
    assert again.position == receipt.position
    scanned(trade, right, DELIVERED)
    assert trade.client.get(order_id).status == orders_pb2.ORDER_STATUS_DELIVERED


def test_a_neighbours_number_is_his_again(trade: Trade):
    his = trade.shipped(days_ago=3)
    ours = trade.sent(days_ago=3)
    trade.send("ShipSupplierOrder", **first_of(ours), **parcel_of(his), at=stamp(NOW - 2 * DAY))
    scanned(trade, number_of(his), DELIVERED, days_ago=1)
    assert trade.client.get(ours).status == orders_pb2.ORDER_STATUS_DELIVERED
    trade.send("CorrectTracking", **parcel_of(his), right_tracking_number=number_of(ours), **first_of(ours))
    assert trade.client.get(his).status == orders_pb2.ORDER_STATUS_DELIVERED
    assert trade.client.get(ours).status == orders_pb2.ORDER_STATUS_DISPATCHED


def test_a_shipment_that_did_not_happen_is_taken_back_with_its_stock(trade: Trade):
    sku = trade.stocked(5)
    order_id = trade.sent(lines=[orders_pb2.OrderLine(sku=sku, quantity=2, unit_price_minor=990, supplier_id="acme")])
    trade.send("ShipSupplierOrder", **first_of(order_id), **parcel_of(order_id))
    trade.send("VoidParcel", **parcel_of(order_id), reason="label_not_used")
    order = trade.client.get(order_id)
    assert (list(order.shipments), order.lines[0].units.assigned) == ([], 2)
    assert trade.send("GetStock", items=[item(sku)]).levels[0].committed == 2
    (warning,) = scanned(trade, number_of(order_id), IN_TRANSIT).warnings
    assert "counts for nothing" in warning
    told = [fact.name for fact in trade.send("GetHistory", order_id=order_id, with_parcels=True).facts]
    assert {"order.shipment_voided", "parcel.voided", "parcel.checkpoint_recorded"} <= set(told)


def test_a_supplier_order_that_was_reported_by_mistake_is_taken_back_in_a_batch(trade: Trade):
    order_id = trade.shipped()
    void = parcels_pb2.VoidParcelRequest(context=context(), supplier_order_id=f"{order_id}/1")
    command = batch_pb2.BatchCommand(void_parcel=void)
    (outcome,) = trade.client.batch.ExecuteBatch(batch_pb2.ExecuteBatchRequest(commands=[command])).outcomes
    assert outcome.HasField("receipt")
    assert trade.client.get(order_id).status == orders_pb2.ORDER_STATUS_CONFIRMED


def test_what_is_asked_has_to_be_understood(trade: Trade):
    same = trade.request("CorrectTracking", carrier="dhl", tracking_number="A1", right_tracking_number="a 1")
    assert fields_of(refused(trade.client.parcels.CorrectTracking, same)) == ["right_tracking_number"]
    nothing = parcels_pb2.VoidParcelRequest(context=context())
    assert fields_of(refused(trade.client.parcels.VoidParcel, nothing)) == ["carrier", "tracking_number"]
    half = parcels_pb2.VoidParcelRequest(context=context(), supplier_order_id="shop/1/1", carrier="dhl")
    assert fields_of(refused(trade.client.parcels.VoidParcel, half)) == ["carrier"]
    said = trade.request("RecordCheckpoints")
    said.checkpoints[0].status = parcels_pb2.PARCEL_STATUS_VOID
    assert fields_of(refused(trade.client.parcels.RecordCheckpoints, said)) == ["checkpoints[0].status"]


def test_the_console_corrects_and_takes_back(trade: Trade, ff: Console):
    order_id = trade.shipped()
    wrong, right = number_of(order_id), f"{number_of(order_id)}R"
    assert f"Parcel dhl {right.upper()}" in ff("parcel", "correct", "dhl", wrong, right, "--reason", "mistyped").out
    shown = ff("parcel", "show", "dhl", wrong).out
    assert "did not leave" in shown
    assert f"mistyped; it left as dhl {right.upper()}" in shown
    assert "void" in ff("parcel", "void", "dhl", right).out
    other = trade.shipped()
    assert "confirmed" in ff("order", "unship", f"{other}/1", "--reason", "reported_by_mistake").out
