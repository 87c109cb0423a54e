"""A box of two orders, a parcel told line by line, and what should not have left, over a real socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fulfilment.v1 import (
    common_pb2,
    finding_pb2,
    messages_pb2,
    orders_pb2,
    parcels_pb2,
    rates_pb2,
    recoveries_pb2,
    scorecards_pb2,
    supplier_orders_pb2,
    tracking_pb2,
    work_pb2,
)
from tests.support.service import Client, Service, stamp
from tests.support.terminal import Console
from tests.support.trading import DAY, NOW, Trade, first_of, number_of, parcel_of

DELIVERED, OUT = parcels_pb2.PARCEL_STATUS_DELIVERED, parcels_pb2.PARCEL_STATUS_OUT_FOR_DELIVERY


@pytest.fixture(scope="module")
def trade(service: Service) -> Iterator[Trade]:
    with Client(service.address) as client:
        client.approve()
        yield Trade(client)


@pytest.fixture
def ff(service: Service, trade: Trade) -> Console:
    """The console at the service."""
    return Console(service.address)


def one_box(trade: Trade, **more: Any) -> tuple[str, str]:
    """Two orders that left in one parcel, whose number is the first one's."""
    one, other = trade.sent(days_ago=3), trade.sent(days_ago=3, **more)
    for order_id in (one, other):
        trade.send("ShipSupplierOrder", **first_of(order_id), **parcel_of(one), at=stamp(NOW - 2 * DAY))
    return one, other


def scanned(trade: Trade, order_id: str, status: Any, days_ago: float = 0) -> int:
    """The position that the read models have by then."""
    scan = parcels_pb2.Checkpoint(at=stamp(NOW - days_ago * DAY), status=status)
    return read(trade, trade.send("RecordCheckpoints", **parcel_of(order_id), checkpoints=[scan]))


def read(trade: Trade, receipt: Any) -> int:
    trade.client.read_up_to(receipt.position)
    return int(receipt.position)


def test_what_is_odd_about_a_box_is_said_once_however_many_orders_are_in_it(trade: Trade):
    one, other, third = (trade.sent(days_ago=3, customer=orders_pb2.Customer(email=f"{n}@example.org")) for n in "abc")
    for order_id in (one, other, third):
        trade.send("ShipSupplierOrder", **first_of(order_id), **parcel_of(one), at=stamp(NOW - 2 * DAY))
    warnings = list(trade.send("GetParcel", **parcel_of(one)).parcel.warnings)
    assert any("both orders are taken to be in it" in each for each in warnings)
    assert len(warnings) == len(set(warnings))


def test_one_scan_moves_both_orders_of_a_box(trade: Trade):
    one, other = one_box(trade)
    position = scanned(trade, one, DELIVERED)
    assert [trade.client.get(each).status for each in (one, other)] == [orders_pb2.ORDER_STATUS_DELIVERED] * 2
    assert trade.client.get(other).shipments[0].in_parcel_of == one
    parcel = trade.send("GetParcel", **parcel_of(one)).parcel
    assert [(each.order_id, [line.units for line in each.lines]) for each in parcel.contents] == [
        (one, [1]),
        (other, [1]),
    ]
    found = trade.send("FindParcels", tracking_number=number_of(one), at_least=position).parcels
    assert {(each.order_id, each.status) for each in found} == {(one, DELIVERED), (other, DELIVERED)}
    request = tracking_pb2.GetTrackingRequest(order_id=other, at_least=position)
    (tracked,) = trade.client.reports.GetTracking(request).order.parcels
    assert (tracked.tracking_number, tracked.order_id) == (number_of(one), other)
    timeline = finding_pb2.GetTimelineRequest(order_id=other, at_least=position)
    told = [each.text for each in trade.client.finding.GetTimeline(timeline).entries]
    assert any(f"there are also units of {other}/1" in each for each in told)
    assert any("scanned" in each and "delivered" in each for each in told)


def test_a_box_counts_once_in_the_rates_of_parcels_and_each_supplier_order_in_that_of_dispatch(trade: Trade):
    trade.client.approve("boxer", NOW - 9 * DAY, acknowledge_within_hours=24, dispatch_within_hours=48)
    line = orders_pb2.OrderLine(sku="cup", quantity=1, unit_price_minor=990, supplier_id="boxer")
    one, other = trade.sent(days_ago=3, lines=[line]), trade.sent(days_ago=3, lines=[line])
    for order_id in (one, other):
        trade.send("ShipSupplierOrder", **first_of(order_id), **parcel_of(one), at=stamp(NOW - 2 * DAY))
    position = scanned(trade, one, DELIVERED, days_ago=1)
    request = scorecards_pb2.GetRatesRequest(supplier_id="boxer", at_least=position)
    rates = {each.name: each for each in trade.client.reports.GetRates(request).scorecard.rates}
    for name, counted in (
        (rates_pb2.RATE_NAME_VALID_TRACKING, (1, 1)),
        (rates_pb2.RATE_NAME_ON_TIME_DISPATCH, (2, 2)),
    ):
        assert (rates[name].numerator, rates[name].denominator) == counted


def test_each_order_of_a_box_has_its_own_messages_and_a_parcel_told_by_lines_one(trade: Trade):
    lines = [
        orders_pb2.OrderLine(sku=sku, quantity=1, unit_price_minor=990, supplier_id="acme") for sku in ("tea", "cup")
    ]
    one = trade.sent(days_ago=3, lines=lines)
    other = trade.sent(days_ago=3)
    at = stamp(NOW - 2 * DAY)
    for sku in ("tea", "cup"):
        told = [supplier_orders_pb2.SkuUnits(sku=sku, units=1)]
        trade.send("ShipSupplierOrder", **first_of(one), **parcel_of(one), skus=told, at=at)
    trade.send("ShipSupplierOrder", **first_of(other), **parcel_of(one), at=at)
    scanned(trade, one, OUT, days_ago=1)
    position = scanned(trade, one, DELIVERED)
    kinds = ("MESSAGE_KIND_DISPATCHED", "MESSAGE_KIND_OUT_FOR_DELIVERY", "MESSAGE_KIND_DELIVERED")
    for order_id in (one, other):
        request = messages_pb2.ListMessagesRequest(order_id=order_id, at_least=position)
        listed = [
            messages_pb2.MessageKind.Name(each.kind) for each in trade.client.messages.ListMessages(request).messages
        ]
        # What else is in it is a message of its own, which whoever read of the parcel gets.
        expected = {**dict.fromkeys(kinds, 1), "MESSAGE_KIND_DISPATCHED": 2 if order_id == one else 1}
        assert {kind: listed.count(kind) for kind in kinds} == expected
    (shipment,) = trade.client.get(one).shipments
    assert [(each.line_no, each.units) for each in shipment.lines] == [(1, 1), (2, 1)]


def test_work_about_a_box_names_both_orders(trade: Trade, ff: Console):
    one, other = one_box(trade)
    position = scanned(trade, one, parcels_pb2.PARCEL_STATUS_CUSTOMS_HELD)
    request = work_pb2.ListWorkRequest(order_id=other, kinds=[work_pb2.WORK_KIND_PARCEL], at_least=position)
    (held,) = trade.client.work.ListWork(request).work
    assert (held.order_id, list(held.further_order_ids)) == (one, [other])
    about = f"{one} and {other} in dhl {number_of(one)}"
    assert about in ff("work", "show", held.task_id).out
    assert about in ff("work", "next", "--order", other, "--kind", "parcel").out


def test_a_claim_for_a_lost_box_names_both_orders(trade: Trade, ff: Console):
    one, other = one_box(trade)
    recovery_id = f"lost-{number_of(one)}"
    trade.send(
        "OpenRecovery",
        recovery_id=recovery_id,
        kind=recoveries_pb2.RECOVERY_KIND_CARRIER_LOSS,
        order_id=one,
        currency="EUR",
        **parcel_of(one),
    )
    receipt = trade.send("ConfirmLoss", **parcel_of(one), by=common_pb2.PARTY_CARRIER, reason="tracing_failed")
    request = recoveries_pb2.ListRecoveriesRequest(order_id=other, at_least=read(trade, receipt))
    (listed,) = trade.client.recoveries.ListRecoveries(request).recoveries
    assert (listed.recovery_id, list(listed.further_order_ids)) == (recovery_id, [other])
    for command in (("show", recovery_id), ("list", "--order", other)):
        assert f"{one} and {other}" in ff("recovery", *command).out


def test_what_was_too_much_is_work_until_it_comes_back(trade: Trade):
    order_id = trade.sent(sku="tea")
    told = [supplier_orders_pb2.SkuUnits(sku="tea", units=2), supplier_orders_pb2.SkuUnits(sku="gift", units=1)]
    receipt = trade.send("ShipSupplierOrder", **first_of(order_id), **parcel_of(order_id), skus=told)
    assert {each.partition(";")[0] for each in receipt.warnings} >= {
        "more units left than the supplier was given",
        "a SKU left that the supplier was not given",
    }
    (shipment,) = trade.client.get(order_id).shipments
    assert [(each.line_no, each.units) for each in shipment.over] == [(1, 1)]
    assert [(each.sku, each.units) for each in shipment.unordered] == [("gift", 1)]
    assert [each.units for each in shipment.lines] == [1]
    assert len(odd_work(trade, order_id, read(trade, receipt))) == 2
    position = scanned(trade, order_id, parcels_pb2.PARCEL_STATUS_RETURNED)
    assert odd_work(trade, order_id, position) == []


def odd_work(trade: Trade, order_id: str, position: int) -> list[str]:
    request = work_pb2.ListWorkRequest(order_id=order_id, at_least=position)
    found = trade.client.work.ListWork(request).work
    return [each.reason for each in found if each.kind == work_pb2.WORK_KIND_ODDITY]


def test_a_draft_that_left_is_work_until_its_instruction_is_recorded(trade: Trade, ff: Console):
    order_id = trade.placed()
    receipt = trade.send("ShipSupplierOrder", **first_of(order_id), **parcel_of(order_id))
    assert any("had not been told to send it" in each for each in receipt.warnings)
    (why,) = odd_work(trade, order_id, read(trade, receipt))
    assert "before its supplier was told to send it" in why
    assert "left not sent" in ff("show", order_id).out
    receipt = trade.send("SendSupplierOrder", **first_of(order_id), at=trade.client.get(order_id).placed_at)
    assert odd_work(trade, order_id, read(trade, receipt)) == []


def test_a_suppliers_list_of_shipments_is_told_line_by_line(trade: Trade, ff: Console, tmp_path: Path):
    lines = [
        orders_pb2.OrderLine(sku=sku, quantity=2, unit_price_minor=990, supplier_id="acme") for sku in ("tea", "cup")
    ]
    one, other = trade.sent(days_ago=1, lines=lines), trade.sent(days_ago=1, sku="tea")
    at = f"{NOW:%Y-%m-%dT%H:%MZ}"
    rows = [f"{one}/1,dhl,{number_of(one)},{at},{n},,2" for n in (1, 2)]
    file = tmp_path / "shipments.csv"
    file.write_text("\n".join(["supplier_order,carrier,number,at,line,sku,units", *rows]))
    assert "2 lines: 2 recorded, 0 known already, 0 not taken." in ff("order", "ship", "--csv", str(file)).out
    rows += [f"{other}/1,dhl,{number_of(one)},{at},,tea,1", f"{other}/9,dhl,X1,{at},,,", f",dhl,X1,{at},,cup,"]
    file.write_text("\n".join(["supplier_order,carrier,number,at,line,sku,units", *rows]))
    result = ff("order", "ship", "--csv", str(file), "--json")
    told = json.loads(result.out)
    assert (result.code, told["applied"], [each["line"] for each in told["problems"]]) == (1, 3, [5, 6])
    assert [each.units.shipped for each in trade.client.get(one).lines] == [2, 2]
    assert trade.client.get(other).shipments[0].in_parcel_of == one
    shown = ff("parcel", "show", "dhl", number_of(one)).out
    assert f"{other}/1: 1 of line 1" in shown
    assert f"in a parcel of {one}" in ff("show", other).out


def test_the_console_names_what_is_in_a_parcel_by_its_skus(trade: Trade, ff: Console):
    order_id = trade.sent(sku="tea")
    ship = ("order", "ship", f"{order_id}/1", "--carrier", "dhl", "--number", number_of(order_id))
    ff(*ship, "--sku", "tea:1", "--sku", "gift:2")
    shown = ff("show", order_id).out
    assert "2 of gift not ordered" in shown
    assert "extra" not in shown
    assert "left unordered" not in shown
    assert ff("order", "ship", f"{order_id}/1").code == 2
    assert "SKU:UNITS" in ff(*ship, "--sku", "tea").err
