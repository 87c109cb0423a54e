"""Request ids of clients: each has its own, and what was asked before anybody had a name is answered again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fulfilment.client import AsyncClient, Refused
from fulfilment.v1 import audit_pb2, batch_pb2, common_pb2, inquiries_pb2, orders_pb2
from tests.support.guarded import Guarded, add, guarded
from tests.support.service import context, order

OWNER = ("--role", "owner", "--tenant", "default")


def inquiry(request_id: str) -> inquiries_pb2.AskInquiryRequest:
    """A question whose id the ledger makes."""
    asked = context(request_id)
    asked.with_result = True
    return inquiries_pb2.AskInquiryRequest(
        context=asked,
        order_id="shop/1",
        text="Where is it?",
        asked_by=common_pb2.PARTY_CUSTOMER,
        asked_of=common_pb2.PARTY_RETAILER,
    )


async def test_request_ids_and_ids_that_are_made_of_them_belong_to_a_client(conninfo: str, tmp_path: Path):
    async with (
        guarded(conninfo, tmp_path, clients={"web": OWNER, "desk": OWNER}) as service,
        AsyncClient(service.address, token=service.tokens["web"]) as web,
        AsyncClient(service.address, token=service.tokens["desk"]) as desk,
    ):
        await web.orders.PlaceOrder(order("1", request_id="r"))
        await desk.orders.PlaceOrder(order("2", request_id="r"))
        assert (await desk.orders.GetOrder(orders_pb2.GetOrderRequest(order_id="shop/2"))).order.order_id == "shop/2"
        with pytest.raises(Refused, match="request r was used before with other content") as refused:
            await web.orders.PlaceOrder(order("2", request_id="r"))
        assert refused.value.metadata == {"request_id": "r"}
        first, second = [(await each.inquiries.AskInquiry(inquiry("ask"))) for each in (web, desk)]
        assert first.made_id != second.made_id
        assert (await web.inquiries.AskInquiry(inquiry("ask"))).made_id == first.made_id
        told = [f async for page in web.audit.StreamFacts(audit_pb2.StreamFactsRequest()) for f in page.facts]
        assert {(each.actor, each.request_id) for each in told if each.name == "order.placed"} == {
            ("web/test", "r"),
            ("desk/test", "r"),
        }


async def test_what_was_asked_while_nobody_had_a_name_is_answered_again(conninfo: str, tmp_path: Path):
    async with guarded(conninfo, tmp_path) as service, AsyncClient(service.address) as anybody:
        placed = await anybody.orders.PlaceOrder(order("1", request_id="placed"))
        asked = await anybody.inquiries.AskInquiry(inquiry("ask"))
        with pytest.raises(Refused):
            await anybody.orders.PlaceOrder(order("1", units=2, request_id="other"))
        await _repeated(service, placed, asked)


async def _repeated(service: Guarded, placed: Any, asked: Any) -> None:
    token = await add(service.dsn, "web", *OWNER)
    await service.clients.read()
    async with AsyncClient(service.address, token=token) as web:
        replayed = await web.orders.PlaceOrder(order("1", request_id="placed"))
        assert (replayed.position, replayed.outcome) == (placed.position, replayed.OUTCOME_REPLAYED)
        again = await web.inquiries.AskInquiry(inquiry("ask"))
        assert (again.position, again.made_id, again.result) == (asked.position, asked.made_id, asked.result)
        with pytest.raises(Refused) as refused:
            await web.orders.PlaceOrder(order("1", units=2, request_id="other"))
        assert refused.value.reason == "ORDER_PLACED_DIFFERENTLY"
        batch = batch_pb2.ExecuteBatchRequest(commands=[batch_pb2.BatchCommand(ask_inquiry=inquiry("ask"))])
        (outcome,) = (await web.batch.ExecuteBatch(batch)).outcomes
        assert (outcome.receipt.position, outcome.receipt.made_id) == (asked.position, asked.made_id)
        new = await web.inquiries.AskInquiry(inquiry("ask2"))
        assert new.position > asked.position
