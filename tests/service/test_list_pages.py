"""Pages of lists while somebody writes: of one position, and what keeps its place comes exactly once."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import grpc
import pytest

from adapters.http_api.comments import comments
from fulfilment.v1 import admin_pb2, orders_pb2, people_pb2, shipping_pb2, trade_pb2
from tests.support.list_story import LISTS, rows_of, story
from tests.support.list_story import client as client
from tests.support.list_story import trade as trade
from tests.support.refusal_scenarios.stock_ups import asked as stock_up
from tests.support.refusal_scenarios.supplier_invoices import invoiced as suppliers_invoice
from tests.support.service import Client, fields_of, stamp
from tests.support.trading import DAY, NOW, Trade, captured, eur, first_of, fresh, parcel_of, shipping

KEYS = {
    "ListOrders": "order_id",
    "ListHolds": "order_id hold.reason",
    "ListObligations": "object_id clock",
    "ListBreaches": "object_id clock",
    "CountObligations": "supplier_id clock",
    "ListRates": "supplier_id",
    "ListRateCases": "object_id",
    "ListSuppliers": "supplier_id",
    "ListReviewsDue": "supplier_id",
    "ListSuspensionProposals": "supplier_id rate.name",
    "ListStatementEntries": "fact_position line_no kind",
    "ReviewTrade": "key",
    "ListSupplierTotals": "supplier_id",
    "ListPaymentDifferences": "order_id",
    "ListStockLevels": "supplier_id sku",
    "ListStockMovements": "position",
    "ListListings": "sku",
    "ListShippingServices": "code",
    "GetRetention": "object_id kind",
    "GetHistory": "position",
    "ListCases": "case_id",
    "ListCustomerInvoices": "number",
    "ListConnections": "name",
    "ListEffects": "effect_id",
    "FindCustomer": "order.order_id",
    "GetTimeline": "position subject_id",
    "ListInquiries": "inquiry_id",
    "ListMessages": "message_id",
    "ListReceptions": "reception_id",
    "ListRecoveries": "recovery_id",
    "ProposeStockUps": "sku",
    "ListStockUps": "stock_up_id",
    "ListSupplierInvoices": "supplier_id number",
    "ListSupplierOrders": "supplier_order_id",
    "ListTemplates": "kind language version",
    "ListWork": "task_id",
}
"""Lists of what the log says, and what names a row of each."""
BESIDE_THE_LOG = {"ListTenants", "ListFactSchemas", "CompareSnapshots", "ListReads"}
"""They tell no position, and their answers' comments say why."""
PAGES = 4
"""How many there are, with something written after each."""


def _begun(client: Client, trade: Trade) -> dict[str, dict[str, Any]]:
    """Rows in every list, and what has to be asked to see them."""
    for _ in story(trade):
        late = trade.sent(days_ago=5)
        trade.send("ShipSupplierOrder", **first_of(late), **parcel_of(late), at=stamp(NOW - DAY))
        trade.held(trade.placed())
        trade.inquiry()
        trade.asked()
        different = trade.placed(charges=[shipping(490)])
        trade.send("RecordPayment", order_id=different, payment=0, payments=[captured(100)])
    _agree(trade, services=SERVICES)
    for name in ("one", "other"):
        trade.send("AddConnection", name=name)
        trade.placed(sku=trade.stocked(30), units=20)
        trade.cancelled(payment=orders_pb2.PAYMENT_STATE_PENDING)
    sku, order_id = fresh(), trade.delivered(units=2, days_ago=2)
    for version in range(1, 5):
        client.feed(version, sku=sku, version=version)
    for days in range(3):
        trade.delivered(days_ago=10 + days)
    supplier = {"supplier_id": "acme"}
    of_supplier = dict.fromkeys(("ListStatementEntries", "ListSupplierOrders", "ListRateCases"), supplier)
    ever = {"since": stamp(NOW - 400 * DAY), "until": stamp(NOW + DAY)}
    suppliers_invoice(trade)
    stock_up(trade)
    return {
        **of_supplier,
        "ReviewTrade": {"group_by": trade_pb2.TRADE_GROUP_SKU, **ever},
        "ListStatementEntries": {**supplier, **ever},
        "ListStockMovements": {**supplier, "sku": sku},
        "GetHistory": {"order_id": order_id},
        "GetTimeline": {"order_id": order_id},
        "FindCustomer": {"email": "ann@example.org"},
        "ListReviewsDue": {"due_within_days": 1000},
        "GetRetention": {"within_days": 1000},
        "ProposeStockUps": {**supplier, "until": stamp(NOW + 9 * DAY), "growth_basis_points": 30_000},
    }


SERVICES = [f"svc{n}" for n in range(6)]


def _agree(trade: Trade, services: list[str]) -> None:
    policy = admin_pb2.Policy(
        suspension_least_cases=1,
        retention=[people_pb2.Retention(channel="shop", customer_days=30)],
        shipping_services=[
            shipping_pb2.ShippingService(code=each, carriers=["dhl"], cost=eur(490), days_from=1, days_to=3)
            for each in services
        ],
    )
    trade.send("AgreePolicy", policy=policy, effective_from=stamp(datetime.now(UTC)))


class _Reading:
    """A list that somebody reads page by page."""

    def __init__(self, trade: Trade, name: str, asked: dict[str, Any], head: int) -> None:
        self.name, self._call = name, trade.call(name)
        self._request = trade.request(name, **asked)
        if "at_least" in self._request.DESCRIPTOR.fields_by_name:
            self._request.at_least = head
        self.positions: list[int] = []
        self.rows: Counter[tuple[str, ...]] = Counter()
        self.is_over = False

    def next_page(self, size: int) -> None:
        self._request.page.page_size = size
        answer = self._call(self._request)
        self.positions.append(answer.position)
        self.rows.update(map(self._key, rows_of(answer)))
        self._request.page.page_token, self.is_over = answer.next_page_token, not answer.next_page_token

    def all(self) -> Counter[tuple[str, ...]]:
        while not self.is_over:
            self.next_page(1000)
        return self.rows

    def _key(self, row: Any) -> tuple[str, ...]:
        return tuple(str(attrgetter(each)(row)) for each in KEYS[self.name].split())


def test_every_list_of_the_log_is_walked_here():
    answers = {name: _answer_of(request.DESCRIPTOR) for name, request in LISTS.items()}
    without = {name for name, answer in answers.items() if "position" not in answer.fields_by_name}
    assert without == BESIDE_THE_LOG
    assert set(KEYS) == set(LISTS) - BESIDE_THE_LOG
    reasons = {name: comments()[answers[name].full_name].partition("It tells no position: ")[2] for name in without}
    assert [name for name, why in reasons.items() if len(why) < 20] == []


def _answer_of(request: Any) -> Any:
    return request.file.message_types_by_name[request.name.removesuffix("Request") + "Response"]


def test_pages_between_which_somebody_writes_are_of_one_position_and_whole(client: Client, trade: Trade):
    asked = _begun(client, trade)
    writing = story(trade)

    def readings() -> dict[str, _Reading]:
        head = client.read_up_to(client.admin.GetStatus(admin_pb2.GetStatusRequest()).position)
        return {name: _Reading(trade, name, asked.get(name, {}), head) for name in KEYS}

    before = {name: each.all() for name, each in readings().items()}
    pages = readings()
    while going_on := [each for each in pages.values() if not each.is_over]:
        for each in going_on:
            each.next_page(max(1, -(-len(before[each.name]) // PAGES)))
        next(writing, None)
        trade.sent(days_ago=1)
        _agree(trade, services=SERVICES[::-1])
    after = {name: each.all() for name, each in readings().items()}
    assert sorted(name for name, rows in before.items() if len(rows) < 2) == [
        "ListEffects",
        "ListReceptions",
    ]  # no system
    for name, each in pages.items():
        stayed = before[name].keys() & after[name].keys()
        assert len(set(each.positions)) == 1, name
        assert {key: each.rows[key] for key in stayed if each.rows[key] != 1} == {}, name


def test_a_token_with_a_position_that_is_none_is_refused(trade: Trade):
    for token in ("x.abc", "1.2.abc", "9" * 19 + ".abc", "-1.abc"):
        request = trade.request("ListOrders")
        request.page.page_token = token
        with pytest.raises(grpc.RpcError) as caught:
            trade.call("ListOrders")(request)
        assert fields_of(caught.value) == ["page.page_token"]
