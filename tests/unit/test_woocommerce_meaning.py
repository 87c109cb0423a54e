"""What becomes of an order of WooCommerce, as PHP may write it, and as the shop edits it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.edges.agreement import Account
from adapters.edges.delivery import Received
from adapters.edges.meaning import KnownNow, NotUnderstood, Understood
from adapters.edges.systems import SYSTEMS
from fulfilment.v1 import orders_pb2
from tests.support.woo_shop import woo_order

MAIN = Account("main", {"shop": "https://shop.example.org"}, ({},))
NEW = KnownNow({}, complete=True)
TWINS = [
    {"id": 31, "name": "Cup", "quantity": 2, "sku": "cup", "total": "19.80"},
    {"id": 32, "name": "Cup with a name on it", "quantity": 1, "sku": "cup", "total": "14.90"},
]


def understood(order: dict[str, Any], known: KnownNow = NEW, happened_at: datetime | None = None) -> Understood:
    received = Received("order.updated", str(order["id"]), happened_at=happened_at)
    return SYSTEMS["woocommerce"].understand(received, json.dumps(order).encode(), MAIN, known)


def placed(order: dict[str, Any]) -> Any:
    (wanted,) = understood(order).wanted
    return wanted.request


def knowing(order: dict[str, Any]) -> KnownNow:
    """The ledger as it was when it had placed the order."""
    request = placed(order)
    states = [
        orders_pb2.OrderLineState(line=line, wanted=line.quantity, wanted_minor=line.total_minor)
        for line in request.lines
    ]
    there = orders_pb2.Order(
        order_id=f"main/{order['id']}",
        status=orders_pb2.ORDER_STATUS_CONFIRMED,
        currency=request.currency,
        lines=states,
        charges=request.charges,
        payments=request.payments,
        payment=request.payment,
        ship_to=request.ship_to,
    )
    found: dict[str, Any] = {f"order {there.order_id}": there, "before ": json.dumps(order).encode()}
    return KnownNow(found, complete=True)


def amended(lines: list[dict[str, Any]]) -> list[tuple[int, str, int]]:
    """The lines of the amendment, where the order with the twins has these now."""
    edited = woo_order(7, line_items=lines, date_modified_gmt="2026-01-05T10:00:00")
    found = understood(edited, knowing(woo_order(7, line_items=TWINS)))
    (request,) = [each.request for each in found.wanted if isinstance(each.request, orders_pb2.AmendOrderRequest)]
    return [(each.line_no, each.channel_line_id, each.quantity) for each in request.lines]


def test_of_two_lines_of_one_sku_each_keeps_its_own_number():
    assert amended([TWINS[1]]) == [(2, "32", 1)]
    assert amended([{**TWINS[1], "quantity": 3}, TWINS[0]]) == [(2, "32", 3), (1, "31", 2)]


def test_a_line_that_the_shop_made_anew_is_known_by_its_sku_and_another_one_stands_behind():
    anew, other = {**TWINS[0], "id": 90}, {**TWINS[0], "id": 91, "sku": "pot"}
    assert amended([TWINS[1], anew, other]) == [(2, "32", 1), (1, "90", 2), (3, "91", 2)]


@pytest.mark.parametrize("nothing", [None, "", [], {}, False])
@pytest.mark.parametrize("part", ["billing", "shipping", "shipping_lines", "fee_lines", "refunds"])
def test_what_php_writes_of_an_absent_part_is_as_absent(part: str, nothing: Any):
    order = woo_order(7, total="19.80", shipping_lines=[])
    del order[part]
    assert placed({**order, part: nothing}) == placed(order)


def test_an_order_whose_bill_is_null_goes_to_its_own_address():
    request = placed(woo_order(7, billing=None))
    assert (request.customer.name, request.ship_to.city, request.customer.email) == ("Ann Example", "Berlin", "")


def test_a_list_of_which_php_took_one_out_is_an_object_by_number_and_read_alike():
    lines = {str(number): line for number, line in enumerate(TWINS, 1)}
    assert placed(woo_order(7, line_items=lines)) == placed(woo_order(7, line_items=TWINS))


@pytest.mark.parametrize("nothing", [None, "", [], {}, False])
def test_an_order_without_lines_is_not_understood_and_changes_nothing(nothing: Any):
    empty = woo_order(7, line_items=nothing, date_modified_gmt="2026-01-05T10:00:00")
    for known in (NEW, knowing(woo_order(7))):
        with pytest.raises(NotUnderstood, match="line_items: are missing"):
            understood(empty, known)
    cancelled = understood({**empty, "status": "cancelled"}, knowing(woo_order(7)))
    assert [type(each.request) for each in cancelled.wanted] == [orders_pb2.CancelOrderRequest]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"billing": "Ann"}, r"\$\.billing"),
        ({"shipping": 7}, r"\$\.shipping"),
        ({"line_items": "cup"}, r"\$\.line_items"),
        ({"line_items": [None]}, r"\$\.line_items\[0\]"),
        ({"line_items": {"1": None}}, r"\$\.line_items\[0\]"),
        ({"line_items": [{**TWINS[0], "id": None}]}, r"\$\.line_items\[0\]\.id"),
        ({"refunds": [{"id": None}]}, r"\$\.refunds\[0\]\.id"),
        ({"status": None}, r"\$\.status"),
        ({"currency": None}, r"\$\.currency"),
    ],
)
def test_what_cannot_be_understood_is_named_without_what_it_holds(wrong: dict[str, Any], reason: str):
    with pytest.raises(NotUnderstood, match=reason) as said:
        understood(woo_order(7, **wrong))
    assert "Ann" not in str(said.value)


def test_what_a_shop_changed_in_the_year_9999_is_recorded_as_of_when_it_came():
    came = datetime(2026, 1, 5, 12, tzinfo=UTC)
    edited = woo_order(7, line_items=[{**TWINS[0], "quantity": 1}], date_modified_gmt="9999-12-31T23:59:59")
    (wanted,) = understood(edited, knowing(woo_order(7, line_items=TWINS)), came).wanted
    assert wanted.version == "20260105T120000Z"
    assert wanted.request.at.ToDatetime(UTC) == came  # type: ignore[attr-defined]
