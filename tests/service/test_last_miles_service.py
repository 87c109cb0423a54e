"""Parcels that go on under another number, and when carriers expect to deliver them, over a real socket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fulfilment.v1 import batch_pb2, common_pb2, orders_pb2, parcels_pb2, tracking_pb2
from tests.support.service import Client, Service, context, fields_of, refused, stamp
from tests.support.terminal import Console
from tests.support.trading import DAY, NOW, Trade, number_of, parcel_of

DELIVERED, IN_TRANSIT = parcels_pb2.PARCEL_STATUS_DELIVERED, parcels_pb2.PARCEL_STATUS_IN_TRANSIT
OUT = parcels_pb2.PARCEL_STATUS_OUT_FOR_DELIVERY


@pytest.fixture(scope="module")
def trade(service: Service) -> Iterator[Trade]:
    with Client(service.address) as client:
        client.approve()
        yield Trade(client)


@pytest.fixture
def ff(service: Service) -> Console:
    """The console at the service."""
    return Console(service.address)


def scanned(trade: Trade, number: str, status: Any, days_ago: float = 0, carrier: str = "dhl", **more: Any) -> Any:
    scan = parcels_pb2.Checkpoint(at=stamp(NOW - days_ago * DAY), status=status, **more)
    return trade.send("RecordCheckpoints", carrier=carrier, tracking_number=number, checkpoints=[scan])


def handed_over(trade: Trade) -> tuple[str, str]:
    """An order of four days ago whose parcel went on with USPS, and the number there."""
    order_id = trade.shipped(days_ago=4)
    last = f"{number_of(order_id)}L"
    trade.send(
        "HandOverParcel", **parcel_of(order_id), last_mile_carrier="USPS", last_mile_tracking_number=last.lower()
    )
    return order_id, last.upper()


def test_one_parcel_answers_and_moves_under_both_numbers(trade: Trade):
    order_id, last = handed_over(trade)
    scanned(trade, number_of(order_id), IN_TRANSIT, days_ago=3)
    receipt = scanned(trade, last, DELIVERED, days_ago=1, carrier="usps", message="Left with Ann")
    assert trade.client.get(order_id).status == orders_pb2.ORDER_STATUS_DELIVERED
    by_first = trade.send("GetParcel", **parcel_of(order_id), with_personal_data=True).parcel
    by_last = trade.send("GetParcel", carrier="usps", tracking_number=last, with_personal_data=True).parcel
    assert by_first == by_last
    assert [each.tracking_number for each in by_first.last_miles] == [last]
    told = common_pb2.CarrierNumber(carrier="usps", tracking_number=last)
    assert [each.told_under for each in by_first.checkpoints] == [common_pb2.CarrierNumber(), told]
    assert by_first.checkpoints[-1].message == "Left with Ann"
    found = trade.send("FindParcels", tracking_number=last, at_least=receipt.position).parcels
    assert [(each.order_id, each.status) for each in found] == [(order_id, DELIVERED)]
    tracked = trade.send("GetTracking", order_id=order_id, at_least=receipt.position).order
    assert [list(each.last_miles) for each in tracked.parcels] == [[told]]
    assert [list(each.last_miles) for each in trade.client.get(order_id).shipments] == [[told]]


def test_what_a_person_says_of_a_last_mile_is_said_of_the_parcel(trade: Trade):
    order_id, last = handed_over(trade)
    last_mile = {"carrier": "usps", "tracking_number": last}
    scanned(trade, last, DELIVERED, days_ago=1, carrier="usps")
    trade.send("ProveDelivery", **last_mile, signed_by="Ann")
    again = trade.send("ProveDelivery", **last_mile, signed_by="Ann")
    shown = trade.send("GetParcel", **parcel_of(order_id), with_personal_data=True).parcel
    assert [each.signed_by for each in shown.proofs] == ["Ann"] * len(shown.proofs)
    assert again.position
    trade.send("DisputeDelivery", **last_mile, reason="not_received")
    assert trade.client.get(order_id).lines[0].units.shipped == 1
    trade.send("ConfirmLoss", **last_mile, by=common_pb2.PARTY_CARRIER)
    assert trade.client.get(order_id).lines[0].units.lost == 1


def test_handing_over_again_records_nothing_and_a_scan_can_say_it(trade: Trade):
    order_id = trade.shipped(days_ago=2)
    last = common_pb2.CarrierNumber(carrier="usps", tracking_number=f"{number_of(order_id)}L")
    receipt = scanned(trade, number_of(order_id), IN_TRANSIT, days_ago=1, handed_over_to=last)
    told = {"last_mile_carrier": "usps", "last_mile_tracking_number": last.tracking_number}
    assert trade.send("HandOverParcel", **parcel_of(order_id), **told).position == receipt.position
    scanned(trade, last.tracking_number, DELIVERED, carrier="usps")
    assert trade.client.get(order_id).status == orders_pb2.ORDER_STATUS_DELIVERED


def test_a_shipment_under_the_last_miles_number_is_in_the_parcel(trade: Trade):
    order_id, last = handed_over(trade)
    ship = {"supplier_order_id": f"{order_id}/1", "carrier": "usps", "tracking_number": last}
    receipt = trade.send("ShipSupplierOrder", **ship)
    assert trade.send("ShipSupplierOrder", **ship).position == receipt.position, "it is known already"
    assert [each.tracking_number for each in trade.client.get(order_id).shipments] == [number_of(order_id)]
    other = trade.sent(days_ago=4)
    told = {**ship, "supplier_order_id": f"{other}/1", "at": stamp(NOW - 4 * DAY)}
    receipt = trade.send("ShipSupplierOrder", **told)
    assert any(f"usps {last} is the last mile of parcel dhl {number_of(order_id)}" in each for each in receipt.warnings)
    assert [each.tracking_number for each in trade.client.get(other).shipments] == [number_of(order_id)]


def test_a_batch_hands_over(trade: Trade):
    order_id = trade.shipped()
    request = parcels_pb2.HandOverParcelRequest(
        context=context(), **parcel_of(order_id), last_mile_carrier="usps", last_mile_tracking_number="BATCH1"
    )
    command = batch_pb2.BatchCommand(hand_over_parcel=request)
    (outcome,) = trade.client.batch.ExecuteBatch(batch_pb2.ExecuteBatchRequest(commands=[command])).outcomes
    assert outcome.HasField("receipt")
    assert [each.tracking_number for each in trade.client.get(order_id).shipments[0].last_miles] == ["BATCH1"]


def test_what_is_asked_has_to_be_understood(trade: Trade):
    same = trade.request(
        "HandOverParcel", carrier="dhl", tracking_number="A1", last_mile_carrier="DHL", last_mile_tracking_number="a 1"
    )
    assert fields_of(refused(trade.client.parcels.HandOverParcel, same)) == ["last_mile_tracking_number"]
    scan = trade.request("RecordCheckpoints")
    scan.checkpoints[0].handed_over_to.carrier = "usps"
    found = fields_of(refused(trade.client.parcels.RecordCheckpoints, scan))
    assert found == ["checkpoints[0].handed_over_to.tracking_number"]


def test_an_estimate_of_the_carrier_is_answered_everywhere(trade: Trade):
    order_id = trade.shipped(days_ago=2, promised_by=stamp(NOW + 3 * DAY))
    assert trade.client.get(order_id).expected_by == stamp(NOW + 3 * DAY)
    scanned(trade, number_of(order_id), IN_TRANSIT, days_ago=0.5, expected_by=stamp(NOW + 6 * DAY))
    receipt = scanned(trade, number_of(order_id), IN_TRANSIT, days_ago=1, expected_by=stamp(NOW + 2 * DAY))
    order = trade.client.get(order_id)
    assert (order.expected_by, order.shipments[0].expected_by) == (stamp(NOW + 6 * DAY), stamp(NOW + 6 * DAY))
    assert order.promised_by == stamp(NOW + 3 * DAY)
    assert trade.send("GetParcel", **parcel_of(order_id)).parcel.estimated_by == stamp(NOW + 6 * DAY)
    asked = tracking_pb2.GetTrackingRequest(order_id=order_id, at_least=receipt.position)
    tracked = trade.client.reports.GetTracking(asked).order
    assert (tracked.expected_by, tracked.parcels[0].expected_by) == (stamp(NOW + 6 * DAY), stamp(NOW + 6 * DAY))
    scanned(trade, number_of(order_id), parcels_pb2.PARCEL_STATUS_RETURNING)
    assert not trade.client.get(order_id).HasField("expected_by")


def test_the_console_hands_over_and_shows_both_numbers(trade: Trade, ff: Console):
    order_id = trade.shipped(promised_by=stamp(NOW + 3 * DAY))
    first = number_of(order_id).upper()
    assert f"Parcel dhl {first}" in ff("parcel", "hand-over", "dhl", first, "usps", f"{first}L").out
    ff("parcel", "scan", "usps", f"{first}L", "out_for_delivery", "--expected-by", "2040-01-02T10:00Z")
    shown = ff("parcel", "show", "usps", f"{first}L").out
    assert f"Parcel dhl {first}" in shown
    assert f"usps {first}L" in shown
    assert f"(under usps {first}L)" in shown
    assert "2040-01-02 10:00Z" in shown
    whole = ff("report", "track", order_id).out
    assert f"dhl {first}, then usps {first}L" in whole
    assert "2040-01-02 10:00Z" in whole
    assert f"dhl {first}, then usps {first}L" in ff("show", order_id).out
    scan = ff("parcel", "scan", "usps", f"{first}L", "in_transit", "--goes-on-as", "dpd", f"{first}D")
    assert scan.code == 0
    assert f"usps {first}L, then dpd {first}D" in ff("parcel", "show", "dpd", f"{first}D").out
