"""Copies of lists: every list says what changed after a position and what is gone, or refuses to be asked."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from fulfilment.v1 import admin_pb2, orders_pb2
from tests.support.list_story import LISTS, rows_of, story
from tests.support.list_story import client as client
from tests.support.list_story import trade as trade
from tests.support.service import Client, context, fields_of, reason_of, stamp
from tests.support.trading import DAY, NOW, Trade
from tests.support.waiting import wait_for

TELLS: dict[str, Callable[[Any], str]] = {
    "ListOrders": lambda row: row.order_id,
    "ListHolds": lambda row: row.order_id,
    "ListCases": lambda row: row.case_id,
    "ListInquiries": lambda row: row.inquiry_id,
    "ListRecoveries": lambda row: row.recovery_id,
    "ListStockUps": lambda row: row.stock_up_id,
    "ListSupplierInvoices": lambda row: f"{row.supplier_id}/{row.number}",
    "ListCustomerInvoices": lambda row: row.order_id,
    "ListStockLevels": lambda row: f"{row.supplier_id}/{row.sku}",
    "ListPaymentDifferences": lambda row: row.order_id,
    "ListSuppliers": lambda row: row.supplier_id,
    "ListSuspensionProposals": lambda row: row.supplier_id,
    "ListEffects": lambda row: row.effect_id,
    "ListObligations": lambda row: row.stream,
    "ListBreaches": lambda row: row.stream,
    "ListWork": lambda row: row.stream,
    "ListMessages": lambda row: row.message_id,
    "ListStatementEntries": lambda row: f"{row.fact_position}/{row.line_no}/{row.kind}",
    "ListStockMovements": lambda row: row.position,
}
"""Lists that tell what changed, and what a row of each is of."""
CANNOT = {
    "sums over many things": (
        "CountObligations ListRateCases ListRates ListSupplierTotals ReviewTrade ListListings ProposeStockUps "
    ),
    "time alone makes the rows": "ListReviewsDue",
    "a history": "GetTimeline GetHistory ListReads",
    "of the service, or not of the log alone": (
        "ListReceptions ListFactSchemas ListTemplates ListSupplierOrders ListConnections ListShippingServices "
        "ListTenants CompareSnapshots FindCustomer GetRetention"
    ),
}
"""Why lists do not, which docs/clients.md says."""


ASKED: dict[str, dict[str, Any]] = {
    "ListStatementEntries": {"since": stamp(NOW - 400 * DAY), "until": stamp(NOW + DAY), "supplier_id": "acme"},
    "ListStockMovements": {"supplier_id": "acme", "sku": "tea"},
}
"""What has to be asked for to see rows."""


def test_every_list_tells_changes_or_says_why_not():
    refusing = {name for names in CANNOT.values() for name in names.split()}
    assert set(LISTS) == set(TELLS) | refusing


@pytest.mark.parametrize("name", sorted(set(LISTS) - set(TELLS)))
def test_a_list_that_does_not_tell_changes_refuses_to_be_asked_for_them(trade: Trade, name: str):
    request = trade.request(name, **({"order_id": trade.placed()} if name == "GetHistory" else {}))
    request.page.changed_after = 0
    with pytest.raises(grpc.RpcError) as caught:
        trade.call(name)(request)
    assert "page.changed_after" in fields_of(caught.value)


@pytest.mark.parametrize("name", TELLS)
def test_changes_after_a_position_that_the_log_does_not_have_are_refused(client: Client, trade: Trade, name: str):
    trade.placed()
    head = client.read_up_to(client.admin.GetStatus(admin_pb2.GetStatusRequest()).position)

    def refused(position: int) -> grpc.RpcError:
        request = trade.request(name, at_least=head, **ASKED.get(name, {}))
        request.page.changed_after = position
        with pytest.raises(grpc.RpcError) as caught:
            trade.call(name)(request)
        return caught.value

    far = refused(2**62)
    assert (far.code(), reason_of(far)) == (grpc.StatusCode.OUT_OF_RANGE, "BEYOND_THE_LOG")
    assert str(2**62) in str(far.details())
    below = refused(-1)
    assert (below.code(), fields_of(below)) == (grpc.StatusCode.INVALID_ARGUMENT, ["page.changed_after"])


class _Copy:
    """A job's copy of a list, kept as the contract says."""

    def __init__(self, trade: Trade, name: str) -> None:
        self.trade, self.name, self.position = trade, name, 0
        self.rows: dict[str, list[Message]] = {}

    def follow(self, at_least: int, page_size: int = 2) -> None:
        request = self.trade.request(self.name, at_least=at_least, **ASKED.get(self.name, {}))
        request.page.changed_after, request.page.page_size = self.position, page_size
        while True:
            answer = self.trade.call(self.name)(request)
            rows = rows_of(answer)
            for key in {*answer.changes.gone, *map(TELLS[self.name], rows)}:
                self.rows.pop(key, None)
            for row in rows:
                self.rows.setdefault(TELLS[self.name](row), []).append(row)
            request.page.page_token = answer.next_page_token
            if not answer.next_page_token:
                self.position = answer.changes.until
                return

    def is_the_list(self, at_least: int) -> bool:
        self.follow(at_least)
        return _same(self.rows, _all(self.trade, self.name, at_least))


def _all(trade: Trade, name: str, at_least: int) -> dict[str, list[Message]]:
    request = trade.request(name, at_least=at_least, **ASKED.get(name, {}))
    rows: dict[str, list[Message]] = {}
    while True:
        answer = trade.call(name)(request)
        for row in rows_of(answer):
            rows.setdefault(TELLS[name](row), []).append(row)
        request.page.page_token = answer.next_page_token
        if not answer.next_page_token:
            return rows


def test_a_copy_that_takes_what_changed_and_drops_what_is_gone_is_the_list(client: Client, trade: Trade):
    names = [name for name in TELLS if name != "ListEffects"]
    copies = {name: _Copy(trade, name) for name in names}
    filled, shrunk, tasks = set(), set(), list[str]()
    for version, _ in enumerate(story(trade), 1):
        client.feed(version, version=version)
        for task_id in tasks[-1:]:
            trade.send("FinishWork", task_id=task_id, context=context(actor="tom"))
        tasks.append(trade.claimed())
        head = client.read_up_to(client.admin.GetStatus(admin_pb2.GetStatusRequest()).position)
        for name, copy in copies.items():
            before = set(copy.rows)
            # The clock and the sender of messages go on meanwhile: in the end the copy is the list.
            wait_for(partial(copy.is_the_list, head), pause=0.02)
            assert copy.position >= head
            filled |= {name} if copy.rows else set()
            shrunk |= {name} if before - set(copy.rows) else set()
    assert filled == set(names)
    assert {"ListHolds", "ListInquiries", "ListPaymentDifferences", "ListObligations", "ListWork"} <= shrunk


def _same(one: dict[str, list[Message]], other: dict[str, list[Message]]) -> bool:
    def told(rows: dict[str, list[Message]]) -> dict[str, list[bytes]]:
        return {key: sorted(row.SerializeToString(deterministic=True) for row in of) for key, of in rows.items()}

    return told(one) == told(other)


def test_pages_of_changes_go_up_to_where_they_were_when_they_began(client: Client, trade: Trade):
    orders = [trade.placed() for _ in range(3)]
    head = client.admin.GetStatus(admin_pb2.GetStatusRequest()).position
    request = trade.request("ListOrders", at_least=head)
    request.page.changed_after, request.page.page_size = head - 1, 1
    first = client.reports.ListOrders(request)
    again = client.read_up_to(trade.send("PlaceHold", order_id=orders[-1]).position)
    assert first.changes.until < again
    request.page.changed_after = first.changes.until
    later = client.reports.ListOrders(request)
    assert orders[-1] in {row.order_id for row in later.orders}


def test_what_no_longer_passes_a_filter_is_gone(client: Client, trade: Trade):
    order_id = trade.placed()
    position = client.read_up_to(client.admin.GetStatus(admin_pb2.GetStatusRequest()).position)
    head = client.read_up_to(trade.send("CancelOrder", order_id=order_id).position)
    request = trade.request("ListOrders", statuses=[orders_pb2.ORDER_STATUS_CONFIRMED], at_least=head)
    request.page.changed_after = position
    answer = client.reports.ListOrders(request)
    assert (list(answer.orders), list(answer.changes.gone)) == ([], [order_id])


def test_a_token_of_changes_is_of_no_other_list_and_a_position_is_not_below_nought(client: Client, trade: Trade):
    trade.placed()
    trade.placed()
    head = client.read_up_to(client.admin.GetStatus(admin_pb2.GetStatusRequest()).position)
    request = trade.request("ListOrders", at_least=head)
    request.page.changed_after, request.page.page_size = 0, 1
    token = client.reports.ListOrders(request).next_page_token
    request.page.page_token = token
    request.page.ClearField("changed_after")
    for field, value in (("page.page_token", None), ("page.changed_after", -1)):
        if value is not None:
            request.page.changed_after = value
        with pytest.raises(grpc.RpcError) as caught:
            client.reports.ListOrders(request)
        assert field in fields_of(caught.value)
