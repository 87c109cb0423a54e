"""Receipts that bring what came of a command, and ids that are left to the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fulfilment.v1 import (
    batch_pb2,
    cases_pb2,
    common_pb2,
    inquiries_pb2,
    orders_pb2,
    parcels_pb2,
    stock_pb2,
    supplier_orders_pb2,
    suppliers_pb2,
)
from tests.support.case_client import Work
from tests.support.service import Client, Service, context, order


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    with Client(service.address) as client:
        client.approve()
        client.feed(100)
        yield client


def asking(request_id: str = "") -> Any:
    asked = context(request_id)
    asked.with_result = True
    return asked


def result(receipt: Any, kind: type[Any]) -> Any:
    found = kind()
    assert receipt.result.Unpack(found)
    return found


def test_a_receipt_brings_the_order_as_it_is_after_the_command(client: Client) -> None:
    receipt = client.place("r1", context=asking())
    placed = result(receipt, orders_pb2.Order)
    assert placed == client.get("shop/r1")
    assert placed.version == receipt.version
    assert [each.supplier_id for each in placed.supplier_orders] == ["acme"]
    assert not placed.HasField("customer")


def test_a_supplier_with_a_large_catalogue_comes_without_it(client: Client) -> None:
    def offers(first: int, count: int) -> Any:
        asked = [
            suppliers_pb2.OfferSkuRequest(
                context=asking(),
                supplier_id="acme",
                offer=suppliers_pb2.Offer(sku=f"S-{n}", cost=common_pb2.Money(amount_minor=1, currency="EUR")),
            )
            for n in range(first, first + count)
        ]
        batch = batch_pb2.ExecuteBatchRequest(commands=[batch_pb2.BatchCommand(offer_sku=each) for each in asked])
        last = client.batch.ExecuteBatch(batch).outcomes[-1]
        return result(last.receipt, suppliers_pb2.Supplier).offers

    assert len(offers(0, 100)) == 100
    assert not offers(100, 1)


def test_without_being_asked_it_brings_nothing(client: Client) -> None:
    receipt = client.place("r2")
    assert (receipt.HasField("result"), receipt.made_id) == (False, "")


def test_what_keeps_an_order_from_being_sent_stands_in_the_answer(client: Client) -> None:
    placed = result(client.place("r3", units=1000, context=asking()), orders_pb2.Order)
    assert [each.reason for each in placed.holds] == [orders_pb2.HOLD_REASON_OUT_OF_STOCK]


def test_a_replay_brings_it_as_it_is_now(client: Client) -> None:
    first = client.place("r4", context=asking("r4"))
    assert not result(first, orders_pb2.Order).holds
    hold = orders_pb2.PlaceHoldRequest(
        context=context(), order_id="shop/r4", reason=orders_pb2.HOLD_REASON_FRAUD_REVIEW, owner="ann"
    )
    client.orders.PlaceHold(hold)
    again = client.place("r4", context=asking("r4"))
    assert again.outcome == common_pb2.Receipt.OUTCOME_REPLAYED
    assert [each.owner for each in result(again, orders_pb2.Order).holds] == ["ann"]
    # Whether the result is asked for is no content: the same request without it is the same request.
    assert client.place("r4", context=context("r4")).outcome == common_pb2.Receipt.OUTCOME_REPLAYED


def test_each_command_of_a_batch_brings_its_order_as_it_was_then(client: Client) -> None:
    cancel = orders_pb2.CancelOrderRequest(context=asking(), order_id="shop/r5", by=common_pb2.PARTY_CUSTOMER)
    request = batch_pb2.ExecuteBatchRequest(
        commands=[
            batch_pb2.BatchCommand(place_order=order("r5", context=asking())),
            batch_pb2.BatchCommand(cancel_order=cancel),
            batch_pb2.BatchCommand(place_order=order("r6")),
        ]
    )
    placed, cancelled, other = (each.receipt for each in client.batch.ExecuteBatch(request).outcomes)
    assert result(placed, orders_pb2.Order).status == orders_pb2.ORDER_STATUS_CONFIRMED
    assert result(cancelled, orders_pb2.Order).status == orders_pb2.ORDER_STATUS_CANCELLED
    assert not other.HasField("result")


def test_a_batch_leaves_out_what_an_answer_has_no_room_for(client: Client) -> None:
    lines = [
        orders_pb2.OrderLine(sku=f"s{n}", title="t" * 1000, quantity=1, unit_price_minor=1, supplier_id="acme")
        for n in range(800)
    ]
    commands = [batch_pb2.BatchCommand(place_order=order(f"large{n}", lines=lines, context=asking())) for n in range(5)]
    outcomes = client.batch.ExecuteBatch(batch_pb2.ExecuteBatchRequest(commands=commands)).outcomes
    brought = [each.receipt.HasField("result") for each in outcomes]
    assert brought[:3] == [True, True, True]
    assert brought[-1] is False
    assert all(each.receipt.position for each in outcomes)


def test_cases_and_parcels_are_brought_too(client: Client) -> None:
    work = Work(client, "res")
    opened = work.request("OpenCase", order_id=work.order_id, reason=cases_pb2.CASE_REASON_DAMAGED,
                          lines=[common_pb2.LineUnits(line_no=1, units=1)])  # fmt: skip
    opened.context.with_result = True
    assert result(client.cases.OpenCase(opened), cases_pb2.Case) == work.case()
    parcel = client.get(work.order_id).shipments[0]
    scan = parcels_pb2.RecordCheckpointsRequest(
        context=asking(), carrier=parcel.carrier, tracking_number=parcel.tracking_number
    )
    scan.checkpoints.add(status=parcels_pb2.PARCEL_STATUS_IN_TRANSIT).at.FromSeconds(1_700_000_000)
    found = result(client.parcels.RecordCheckpoints(scan), parcels_pb2.Parcel)
    assert found.tracking_number == parcel.tracking_number


def test_what_no_query_shows_alone_brings_nothing(client: Client) -> None:
    feed = stock_pb2.RecordFeedRequest(context=asking(), quantity=7, feed_version=9)
    feed.item.supplier_id, feed.item.sku = "acme", "other"
    receipt = client.stock.RecordFeed(feed)
    assert receipt.position
    assert not receipt.HasField("result")


def test_ids_may_be_left_to_the_ledger(client: Client) -> None:
    work = Work(client, "made")
    fields: dict[str, Any] = {
        "order_id": work.order_id,
        "reason": cases_pb2.CASE_REASON_DAMAGED,
        "lines": [common_pb2.LineUnits(line_no=1, units=1)],
    }
    request = cases_pb2.OpenCaseRequest(context=asking("made-1"), **fields)
    receipt = client.cases.OpenCase(request)
    assert receipt.made_id.startswith("C-")
    assert result(receipt, cases_pb2.Case).case_id == receipt.made_id
    # The same request gets the same id, also from a client that has learned it.
    assert client.cases.OpenCase(request).made_id == receipt.made_id
    learned = cases_pb2.OpenCaseRequest(context=context("made-1"), case_id=receipt.made_id, **fields)
    assert client.cases.OpenCase(learned).outcome == common_pb2.Receipt.OUTCOME_REPLAYED
    other = cases_pb2.OpenCaseRequest(context=context("made-2"), **fields)
    work.case_id = client.cases.OpenCase(other).made_id
    assert work.case_id not in ("", receipt.made_id)
    work.rules(cases_pb2.REMEDY_REFUND)
    refund = work.send("GrantRefund").made_id
    assert refund.startswith("R-")
    assert [each.refund_id for each in work.case().refunds] == [refund]


def test_a_batch_names_the_ids_that_it_gave(client: Client) -> None:
    client.place("q1")
    asked = inquiries_pb2.AskInquiryRequest(
        context=context("q1"),
        order_id="shop/q1",
        asked_by=common_pb2.PARTY_CUSTOMER,
        asked_of=common_pb2.PARTY_RETAILER,
    )
    batch = batch_pb2.ExecuteBatchRequest(commands=[batch_pb2.BatchCommand(ask_inquiry=asked)])
    (outcome,) = client.batch.ExecuteBatch(batch).outcomes
    made_id = outcome.receipt.made_id
    asked_again = client.inquiries.GetInquiry(inquiries_pb2.GetInquiryRequest(inquiry_id=made_id))
    assert asked_again.inquiry.order_id == "shop/q1"
    assert client.batch.ExecuteBatch(batch).outcomes[0].receipt.made_id == made_id


def test_a_supplier_order_command_brings_its_order(client: Client) -> None:
    client.place("r7")
    sent = supplier_orders_pb2.SendSupplierOrderRequest(context=asking(), supplier_order_id="shop/r7/1")
    found = result(client.orders.SendSupplierOrder(sent), orders_pb2.Order)
    assert found.supplier_orders[0].HasField("sent_at")
