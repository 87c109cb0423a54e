"""Stocking up over the wire: proposed from demand, asked by a letter, answered or missed, shown by feeds, listed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fulfilment.v1 import (
    admin_pb2,
    batch_pb2,
    common_pb2,
    messages_pb2,
    obligations_pb2,
    stock_pb2,
    work_pb2,
)
from fulfilment.v1 import stock_ups_pb2 as pb
from tests.support.service import Client, Service, context, fields_of, patiently, reason_of, refused, stamp
from tests.support.waiting import wait_for

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
SENT = messages_pb2.MESSAGE_STATE_SENT


@pytest.fixture(scope="module")
def client(service: Service):
    with Client(service.address) as client:
        client.approve(contact="Wei <orders@acme.cn>", at=NOW - 100 * DAY, answer_within_hours=24)
        yield client


def asked(stock_up_id: str, sku: str = "tea", units: int = 100, **more: Any) -> pb.AskStockUpRequest:
    fields: dict[str, Any] = {"supplier_id": "acme", "until": stamp(NOW + 20 * DAY)} | more
    return pb.AskStockUpRequest(context=context(), stock_up_id=stock_up_id, sku=sku, units=units, **fields)


def answered(stock_up_id: str, units: int, **more: Any) -> pb.AnswerStockUpRequest:
    return pb.AnswerStockUpRequest(context=context(), stock_up_id=stock_up_id, units=units, **more)


def read(client: Client, stock_up_id: str) -> pb.StockUp:
    return client.stock_ups.GetStockUp(pb.GetStockUpRequest(stock_up_id=stock_up_id)).stock_up


def head(client: Client) -> int:
    return client.admin.GetStatus(admin_pb2.GetStatusRequest()).position


def work_of(client: Client, stock_up_id: str) -> list[str]:
    request = work_pb2.ListWorkRequest(owner=work_pb2.WORK_OWNER_SUPPLIER_MANAGER, at_least=head(client))
    found = patiently(client.work.ListWork, request).work
    prefix = f"stock_up-{stock_up_id}-"
    return [each.reason for each in found if each.task_id.startswith(prefix)]


def message(client: Client, kind: int) -> messages_pb2.Message | None:
    request = messages_pb2.ListMessagesRequest(at_least=head(client))
    found = patiently(client.messages.ListMessages, request).messages
    return next((each for each in found if each.kind == kind), None)


def feed(client: Client, sku: str, quantity: int, version: int = 1) -> None:
    client.feed(quantity, sku=sku, version=version)


def test_figures_are_proposed_from_demand_and_its_growth(client: Client):
    feed(client, "cup", 50)
    feed(client, "hat", 50)
    client.place("cups", units=28, sku="cup")
    request = pb.ProposeStockUpsRequest(
        supplier_id="acme", until=stamp(datetime.now(UTC) + 10 * DAY), growth_basis_points=30_000, at_least=head(client)
    )
    (found,) = patiently(client.stock_ups.ProposeStockUps, request).proposals
    # 28 in 28 days is one a day; three times that for ten days, a part of a day rounded up.
    assert (found.sku, found.demand, found.window_days, found.units, found.available) == ("cup", 28, 28, 30, 22)


def test_what_is_asked_is_a_letter_and_an_obligation(client: Client):
    client.stock_ups.AskStockUp(asked("letter", units=1200))
    found = read(client, "letter")
    assert (found.state, found.units, found.HasField("answer_by")) == (pb.STOCK_UP_STATE_ASKED, 1200, True)

    def sent() -> bool:
        told = message(client, messages_pb2.MESSAGE_KIND_STOCK_UP_REQUEST)
        return bool(told is not None and told.state == SENT)

    wait_for(sent)
    told = message(client, messages_pb2.MESSAGE_KIND_STOCK_UP_REQUEST)
    assert told is not None
    assert (told.recipient, told.sku, told.stock_up_id) == ("acme", "tea", "letter")
    request = messages_pb2.GetMessageRequest(message_id=told.message_id, with_letter=True)
    letter = client.messages.GetMessage(request).letter
    assert "we expect to sell 1200 of tea" in letter.text
    assert "Please answer by" in letter.text
    owed = obligations_pb2.ListObligationsRequest(
        clock=obligations_pb2.OBLIGATION_CLOCK_STOCK_UP_ANSWER, at_least=head(client)
    )
    (obligation,) = patiently(client.reports.ListObligations, owed).obligations
    assert (obligation.object_id, obligation.supplier_id) == ("letter", "acme")
    client.stock_ups.AnswerStockUp(answered("letter", 1200, since=stamp(NOW + 2 * DAY)))
    assert read(client, "letter").state == pb.STOCK_UP_STATE_SECURED


def test_the_clock_notices_that_no_answer_came_and_that_is_work_until_one_comes(client: Client):
    client.stock_ups.AskStockUp(asked("silent", at=stamp(NOW - 2 * DAY), answer_by=stamp(NOW - DAY / 2)))
    wait_for(lambda: read(client, "silent").answer_missed)
    assert work_of(client, "silent") == ["press for an answer"]
    wait_for(lambda: message(client, messages_pb2.MESSAGE_KIND_BREACH_NOTICE) is not None)
    client.stock_ups.AnswerStockUp(answered("silent", 60, since=stamp(NOW + DAY)))
    assert work_of(client, "silent") == ["find 40 of 100 elsewhere"]
    withdraw = pb.WithdrawStockUpRequest(context=context(), stock_up_id="silent", reason="bolt has them")
    client.stock_ups.WithdrawStockUp(withdraw)
    assert (read(client, "silent").state, work_of(client, "silent")) == (pb.STOCK_UP_STATE_WITHDRAWN, [])


def test_feeds_show_whether_what_was_secured_is_there(client: Client):
    feed(client, "pot", 5)
    client.stock_ups.AskStockUp(asked("pots", sku="pot", at=stamp(NOW - 2 * DAY)))
    client.stock_ups.AnswerStockUp(answered("pots", 100, since=stamp(NOW - DAY), at=stamp(NOW - 2 * DAY)))
    found = read(client, "pots")
    assert (found.state, found.shown) == (pb.STOCK_UP_STATE_NOT_KEPT, 5)
    assert work_of(client, "pots") == ["ask where they are: 5 of 100 are there"]
    feed(client, "pot", 100, version=2)
    found = read(client, "pots")
    assert (found.state, found.shown, found.HasField("shown_at")) == (pb.STOCK_UP_STATE_KEPT, 100, True)
    assert work_of(client, "pots") == []
    levels = client.stock.GetStock(
        stock_pb2.GetStockRequest(items=[stock_pb2.Item(supplier_id="acme", sku="pot")])
    ).levels
    assert levels[0].available == 100


def test_stock_ups_are_listed_by_when_they_end_and_a_batch_takes_them(client: Client):
    commands = [
        batch_pb2.BatchCommand(ask_stock_up=asked(f"batch-{n}", sku="jar", until=stamp(NOW + (30 - n) * DAY)))
        for n in range(3)
    ]
    commands.append(batch_pb2.BatchCommand(answer_stock_up=answered("batch-1", 0)))
    outcomes = client.batch.ExecuteBatch(batch_pb2.ExecuteBatchRequest(commands=commands)).outcomes
    assert not any(each.HasField("refusal") for each in outcomes)
    request = pb.ListStockUpsRequest(sku="jar", page=common_pb2.PageRequest(page_size=2), at_least=head(client))
    first = patiently(client.stock_ups.ListStockUps, request)
    request.page.page_token = first.next_page_token
    found = [*first.stock_ups, *client.stock_ups.ListStockUps(request).stock_ups]
    assert [each.stock_up_id for each in found] == ["batch-2", "batch-1", "batch-0"]
    declined = pb.ListStockUpsRequest(supplier_id="acme", states=[pb.STOCK_UP_STATE_DECLINED], at_least=head(client))
    assert [each.stock_up_id for each in client.stock_ups.ListStockUps(declined).stock_ups] == ["batch-1"]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (asked("wrong", until=stamp(NOW - DAY)), "until"),
        (pb.AskStockUpRequest(context=context(), stock_up_id="w", supplier_id="acme", sku="tea", units=1), "until"),
        (asked("wrong", units=0), "units"),
        (asked("wrong", sku=" "), "sku"),
    ],
    ids=["over", "without an end", "no units", "no sku"],
)
def test_what_cannot_be_understood_is_refused_with_the_field(client: Client, request_: Any, field: str):
    error = refused(client.stock_ups.AskStockUp, request_)
    assert (reason_of(error), fields_of(error)) == ("MALFORMED", [field])


def test_an_answer_with_units_says_when_they_are_there(client: Client):
    client.stock_ups.AskStockUp(asked("when"))
    assert fields_of(refused(client.stock_ups.AnswerStockUp, answered("when", 1))) == ["since"]
