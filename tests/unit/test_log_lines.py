"""What a line of the service's log says of what it is about."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

from adapters.access.callers import EVERYBODY
from adapters.process.logs import JsonLines
from adapters.rpc.calls import Call
from fulfilment.v1 import audit_pb2, common_pb2, orders_pb2
from ledger.engine.about import works_for


def line(**extra: object) -> dict[str, Any]:
    record = logging.getLogger("test").makeRecord("test", 20, "", 0, "done", (), None, extra=extra or None)
    found: dict[str, Any] = json.loads(JsonLines().format(record))
    return {name: value for name, value in found.items() if name in ("tenant", "request_id", "position")}


def confirming(request_id: str) -> orders_pb2.ConfirmOrderRequest:
    return orders_pb2.ConfirmOrderRequest(context=common_pb2.CommandContext(request_id=request_id), order_id="shop/1")


def call(tenant: str | None) -> Call:
    return Call("ConfirmOrder", EVERYBODY, tenant, None)


async def test_a_line_of_a_call_names_its_tenant_and_its_request():
    async def answered() -> dict[str, Any]:
        call("acme").about(confirming("shop/1/confirm"))
        return line()

    assert await asyncio.create_task(answered()) == {"tenant": "acme", "request_id": "shop/1/confirm"}
    assert line() == {}, "another task is about nothing"


async def test_a_query_has_no_request_id():
    call(None).about(audit_pb2.StreamFactsRequest())
    assert line() == {}


async def test_what_cannot_be_a_request_id_is_not_written():
    call("acme").about(confirming("Ann Example, 1 Elm Street"))
    assert line() == {"tenant": "acme"}


async def test_what_a_line_knows_better_counts():
    works_for("acme")
    assert line(request_id="r1", position=7) == {"tenant": "acme", "request_id": "r1", "position": 7}
    assert line(tenant="other") == {"tenant": "other"}
