"""SKUs that were stored before they were composed stay reachable, as they were sent."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from adapters.rpc import shapes
from adapters.rpc.stock import StockQueries
from fulfilment.v1 import stock_pb2
from ledger.nouns import stock
from tests.support.scenario import Scenario, a_shop

COMPOSED, DECOMPOSED = "Th\u00e9", "The\u0301"


class OfScenario(StockQueries):
    """The reads of the service, of what a scenario recorded."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario

    async def tenant(self, context: Any) -> Any:
        return None

    async def entries(self, tenant: Any, streams: Any, at_least: int = 0) -> Any:
        return [self.scenario.book.entry(stream) for stream in streams], len(self.scenario.log)


def shown(scenario: Scenario, sku: str) -> tuple[str, int]:
    request = stock_pb2.GetStockRequest(items=[stock_pb2.Item(supplier_id="acme", sku=sku)])
    (level,) = asyncio.run(OfScenario(scenario).GetStock(request, cast("Any", None))).levels
    return level.item.sku, level.available


def test_a_sku_of_before_is_shown_as_it_was_sent_and_the_composed_one_goes_before_it():
    scenario = a_shop()
    scenario.feed(3, DECOMPOSED)
    assert shown(scenario, DECOMPOSED) == (DECOMPOSED, 3)
    assert shown(scenario, COMPOSED) == (COMPOSED, 0)
    scenario.feed(5, COMPOSED)
    assert shown(scenario, f" {DECOMPOSED} ") == (COMPOSED, 5)
    assert stock.find(scenario.book, "acme", DECOMPOSED) is not None


@pytest.mark.parametrize(
    ("sent", "skus"), [("tea", ("tea",)), (" tea ", ("tea",)), (f" {DECOMPOSED}", (COMPOSED, DECOMPOSED))]
)
def test_lists_are_asked_for_both(sent: str, skus: tuple[str, ...]):
    assert shapes.stored_skus(sent, "sku") == skus
