"""Reading a long order leaves the event loop to others: its parts are made in turns, its documents by a thread."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from adapters.messages import letters
from adapters.rpc.finding import in_words, order_file, timeline
from adapters.rpc.reports import tracking
from fulfilment.v1 import admin_pb2, audit_pb2, finding_pb2, messages_pb2, orders_pb2, remarks_pb2, templates_pb2
from fulfilment.v1 import tracking_pb2 as tracking_pb
from ledger.engine import turns
from tests.support.service import Client, context, order

MANY = 12
LINES = 60


@pytest.fixture(scope="module")
def order_id(client: Client) -> str:
    """An order with many notes, among many others."""
    for number in range(MANY):
        client.place(f"among-{number}", sku="cup")
    lines = [orders_pb2.OrderLine(line_no=n + 1, sku="cup", quantity=1, title=f"Cup {n}") for n in range(LINES)]
    client.orders.PlaceOrder(order("long", lines=lines))
    for number in range(MANY):
        note = remarks_pb2.AddOrderNoteRequest(context=context(), order_id="shop/long", note=f"call {number}")
        client.orders.AddOrderNote(note)
    client.read_up_to(client.admin.GetStatus(admin_pb2.GetStatusRequest()).position)
    return "shop/long"


Ask = Callable[[Client, str], Any]


def file_of(form: Any) -> Ask:
    return lambda client, order_id: list(
        client.audit.GetOrderFile(audit_pb2.GetOrderFileRequest(order_id=order_id, format=form))
    )


def timeline_of(client: Client, order_id: str) -> Any:
    return client.finding.GetTimeline(finding_pb2.GetTimelineRequest(order_id=order_id))


def orders_of(client: Client, order_id: str) -> Any:
    return client.reports.ListOrders(tracking_pb.ListOrdersRequest())


def letter_of(client: Client, order_id: str) -> Any:
    request = templates_pb2.PreviewMessageRequest(
        order_id=order_id, kind=messages_pb2.MESSAGE_KIND_ORDER_CONFIRMED, language="en"
    )
    return client.templates.PreviewMessage(request)


@pytest.mark.parametrize(
    ("room", "part", "ask"),
    [
        (tracking, "tracked_order", orders_of),
        (timeline, "_of_fact", timeline_of),
        (in_words, "_told", file_of(audit_pb2.ORDER_FILE_FORMAT_HTML)),
    ],
    ids=["ListOrders", "GetTimeline", "GetOrderFile"],
)
def test_its_parts_are_made_in_turns(
    client: Client, order_id: str, room: Any, part: str, ask: Ask, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(turns, "YIELD_AFTER_SECONDS", -1.0)
    turn, made, make = 0, Counter[int](), getattr(room, part)

    def next_turn() -> None:
        nonlocal turn
        turn += 1

    def counted(*rest: Any) -> Any:
        made[turn] += 1
        asyncio.get_running_loop().call_soon(next_turn)
        return make(*rest)

    monkeypatch.setattr(room, part, counted)
    ask(client, order_id)
    assert made.total() >= MANY
    assert max(made.values()) == 1


@pytest.mark.parametrize(
    ("room", "part", "ask"),
    [
        (letters, "_written", letter_of),
        (order_file, "_page", file_of(audit_pb2.ORDER_FILE_FORMAT_HTML)),
        (order_file, "_json", file_of(audit_pb2.ORDER_FILE_FORMAT_JSON)),
    ],
    ids=["a letter", "its page", "its JSON"],
)
def test_its_documents_are_made_by_a_thread(
    client: Client, order_id: str, room: Any, part: str, ask: Ask, monkeypatch: pytest.MonkeyPatch
):
    made_by: list[int] = []
    make = getattr(room, part)

    def noted(*rest: Any) -> Any:
        made_by.append(threading.get_ident())
        with pytest.raises(RuntimeError):  # no event loop is here
            asyncio.get_running_loop()
        return make(*rest)

    monkeypatch.setattr(room, part, noted)
    ask(client, order_id)
    assert len(made_by) == 1
