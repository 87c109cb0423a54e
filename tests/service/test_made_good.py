"""Exchanges and parcels that came back, over a real socket."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from fulfilment.v1 import cases_pb2, common_pb2, orders_pb2, parcels_pb2, returns_pb2, supplier_orders_pb2
from tests.support.case_client import Work
from tests.support.service import Client, Service, context, fields_of, refused, stamp


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    with Client(service.address) as client:
        client.approve()
        client.feed(100)
        yield client


def test_an_exchange_sends_another_sku_and_refunds_what_it_costs_less(client: Client) -> None:
    work = Work(client, "swap")
    work.opens()
    work.rules(cases_pb2.REMEDY_EXCHANGE, exchange_sku="CUP", exchange_price_minor=890)
    (sent,) = work.case().reships
    (line,) = client.get(sent.order_id).lines
    assert (line.line.sku, line.line.quantity) == ("CUP", 2)
    work.arrives(sent.order_id, "SWAPR1")
    work.send("AnswerCustomer")
    (refund,) = work.case().refunds
    assert refund.amount_minor == 200
    work.send("RecordRefundPaid", refund_id=refund.refund_id, reference="psp-2")
    assert work.case().status == cases_pb2.CASE_STATUS_RESOLVED


@pytest.mark.parametrize(
    "fields", [{"remedy": cases_pb2.REMEDY_EXCHANGE}, {"remedy": cases_pb2.REMEDY_REFUND, "exchange_sku": "CUP"}]
)
def test_an_exchange_names_its_sku_and_nothing_else_does(client: Client, fields: dict[str, Any]) -> None:
    request = cases_pb2.ApproveRemedyRequest(context=context(), case_id="case-x", **fields)
    assert fields_of(refused(client.cases.ApproveRemedy, request)) == ["exchange_sku"]


def test_what_came_back_is_inspected_and_restocked_and_its_order_closed(client: Client) -> None:
    work = Work(client, "refusing")
    client.place("refused-one", units=2)
    work.order_id, work.case_id = "shop/refused-one", "case-refused-one"
    comes_back(client, work.order_id, "REFUSED1")
    (line,) = client.get(work.order_id).lines
    assert (line.units.returned, line.units.shipped) == (2, 0)
    work.opens(reason=cases_pb2.CASE_REASON_REFUSED)
    work.send("RecordInspection", lines=[returns_pb2.InspectedLine(line_no=1, restocked=1, not_restocked=1)])
    work.rules(cases_pb2.REMEDY_REFUND)
    work.send("GrantRefund", refund_id="r-refused")
    work.send("RecordRefundPaid", refund_id="r-refused", reference="psp-3")
    assert client.get(work.order_id).status == orders_pb2.ORDER_STATUS_CLOSED
    assert work.case().lines[0].inspected.restocked == 1
    assert work.case().ruling.liable == common_pb2.PARTY_SUPPLIER


def comes_back(client: Client, order_id: str, number: str) -> None:
    """It is shipped and comes back."""
    which = f"{order_id}/1"
    client.orders.SendSupplierOrder(
        supplier_orders_pb2.SendSupplierOrderRequest(context=context(), supplier_order_id=which)
    )
    client.orders.ShipSupplierOrder(
        supplier_orders_pb2.ShipSupplierOrderRequest(
            context=context(), supplier_order_id=which, carrier="dhl", tracking_number=number
        )
    )
    scan = parcels_pb2.Checkpoint(at=stamp(datetime.now(UTC)), status=parcels_pb2.PARCEL_STATUS_RETURNED)
    client.parcels.RecordCheckpoints(
        parcels_pb2.RecordCheckpointsRequest(
            context=context(), carrier="dhl", tracking_number=number, checkpoints=[scan]
        )
    )
