"""Answers stay below 4 MiB, which clients take by default, however large their content is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from fulfilment.v1 import audit_pb2, common_pb2, orders_pb2
from tests.support.audit_server import audit
from tests.support.service import (
    Client,
    Service,
    fields_of,
    order,
)

MOST = 3 << 20
ORDERS = 8


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    """A ledger of large orders."""
    with Client(service.address) as client:
        for number in range(ORDERS):
            client.orders.PlaceOrder(large(f"{number}"))
        yield client


def large(number: str, title: str = "long" * 120, lines: int = 1000) -> Any:
    large_lines = [orders_pb2.OrderLine(line_no=n + 1, sku="tea", quantity=1, title=title) for n in range(lines)]
    return order(number, lines=large_lines)


def test_the_stream_of_facts_of_large_orders_comes_whole_in_messages_that_any_client_takes(client: Client) -> None:
    pages = list(client.audit.StreamFacts(audit_pb2.StreamFactsRequest()))
    facts = [fact for page in pages for fact in page.facts]
    assert [fact.position for fact in facts] == list(range(1, facts[-1].position + 1))
    assert sum(fact.name == "order.placed" for fact in facts) == ORDERS
    assert sum(page.ByteSize() for page in pages) > MOST
    assert max(page.ByteSize() for page in pages) <= MOST


def test_a_history_of_large_facts_comes_whole_in_pages_that_any_client_takes(client: Client) -> None:
    for number in range(6):
        details = orders_pb2.CompleteDetailsRequest(order_id="shop/0", lines=large("0", f"longer {number} " * 40).lines)
        details.context.request_id = f"details-{number}"
        client.orders.CompleteDetails(details)
    request = audit_pb2.GetHistoryRequest(order_id="shop/0", page=common_pb2.PageRequest(page_size=1000))
    versions: list[int] = []
    pages = 0
    while True:
        answer = client.audit.GetHistory(request)
        assert answer.ByteSize() <= MOST
        versions += [fact.version for fact in answer.facts]
        pages += 1
        request.page.page_token = answer.next_page_token
        if not answer.next_page_token:
            break
    assert versions == list(range(1, versions[-1] + 1))
    assert pages > 1


class Heavy:
    """An AuditService whose rows are large."""

    async def GetHistory(self, request: Any, context: Any) -> Any:
        facts = [audit_pb2.StoredFact(json="x" * 100_000)] * (request.page.page_size or 100)
        return audit_pb2.GetHistoryResponse(facts=facts, next_page_token="more")

    def __getattr__(self, rpc: str) -> Any:
        """All other RPCs, which nobody calls here."""
        if rpc.startswith("_"):
            raise AttributeError(rpc)
        return self.GetHistory


@pytest.mark.parametrize("size", [0, 30, 1000])
async def test_any_list_gives_as_many_rows_as_any_client_takes(size: int) -> None:
    async with audit(Heavy()) as stub:
        page = common_pb2.PageRequest(page_size=size)
        answer = await stub.GetHistory(audit_pb2.GetHistoryRequest(page=page))
    assert MOST // 2 < answer.ByteSize() <= MOST
    assert answer.next_page_token.endswith("more")  # behind the position of the first page


def test_a_command_that_would_make_a_fact_too_long_to_read_is_malformed(client: Client) -> None:
    assert len(large("fits", "x" * 490 + "ж").SerializeToString()) < 3 << 19
    client.orders.PlaceOrder(large("fits", '"' * 490))
    with pytest.raises(grpc.RpcError) as refused:
        client.orders.PlaceOrder(large("no", "茶" * 500, 1100))
    assert fields_of(refused.value) == ["request"]
