"""SKUs that nobody can promise a unit of are delisted, and relisted when one can: facts, work, messages, lists."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from adapters.database.postgres import open_pool
from fulfilment.v1 import audit_pb2, common_pb2, messages_pb2, stock_levels_pb2, stock_pb2, suppliers_pb2, work_pb2
from ledger.decisions.timers import ListingDue, Timer
from ledger.nouns import suppliers
from projections import stock_levels
from tests.support.projecting import catch_up
from tests.support.scenario import HOUR, NOON, Scenario, a_shop
from tests.support.service import Client, Service, context
from tests.support.stalls import EmptyTenant
from tests.support.waiting import wait_for

# --- what the clock is told -----------------------------------------------------------------------


async def due(tenant: EmptyTenant, now: datetime) -> list[Timer]:
    async with open_pool(tenant.conninfo) as pool, pool.connection() as connection:
        return await stock_levels.due(connection, tenant.schema, now, 100)


class Watched:
    """A scenario whose read model follows, and whose clock notices what is due."""

    def __init__(self, tenant: EmptyTenant, scenario: Scenario) -> None:
        self.tenant, self.scenario, self.written = tenant, scenario, 0

    async def due(self) -> list[ListingDue]:
        catch_up(self.tenant, self.scenario.log[self.written :])
        self.written = len(self.scenario.log)
        return [each for each in await due(self.tenant, self.scenario.now) if isinstance(each, ListingDue)]

    async def notice(self) -> list[str]:
        return [fact.fact_name() for each in await self.due() for fact in self.scenario.notice(each)]


def two_sellers() -> Scenario:
    scenario = a_shop(tea=1, mug=4)
    scenario.offer()
    scenario.offer(supplier_id="bolt")
    scenario.feed(2, supplier_id="bolt")
    return scenario


async def test_a_sku_is_due_once_nobody_has_it_and_again_once_somebody_does(tenant: EmptyTenant):
    watched = Watched(tenant, two_sellers())
    assert await watched.notice() == []
    watched.scenario.feed(0)
    assert await watched.notice() == [], "bolt has two"
    watched.scenario.suspend("bolt")
    first = await watched.due()
    assert [(each.sku, each.stream) for each in first] == [("tea", "sku-tea")]
    assert await watched.notice() == ["sku.delisted"]
    assert await watched.notice() == []
    watched.scenario.reinstate("bolt")
    assert await watched.notice() == ["sku.relisted"]
    watched.scenario.suspend("bolt")
    again = await watched.due()
    assert {each.request(0) for each in again}.isdisjoint({each.request(0) for each in first}), "another occasion"
    assert await watched.notice() == ["sku.delisted"]
    watched.scenario.feed(1)
    assert await watched.notice() == ["sku.relisted"]
    assert await watched.notice() == []


async def test_what_was_never_on_sale_is_not_taken_off_sale(tenant: EmptyTenant):
    scenario = Scenario()
    scenario.record([(suppliers.stream("cora"), suppliers.SupplierRegistered("cora", "Cora", NOON))])
    scenario.feed(4, supplier_id="cora")
    assert await Watched(tenant, scenario).due() == []


async def test_an_offer_that_is_withdrawn_or_ends_is_due_as_well(tenant: EmptyTenant):
    watched = Watched(tenant, a_shop(tea=3))
    scenario = watched.scenario
    scenario.offer(valid_until=NOON + HOUR)
    assert await watched.notice() == []
    scenario.later(hours=1)
    assert await watched.notice() == ["sku.delisted"]
    scenario.offer()
    assert await watched.notice() == ["sku.relisted"]
    withdrawn = suppliers.withdraw_offer(scenario.supplier(), "tea", "season over", scenario.now)
    scenario.record([(suppliers.stream("acme"), fact) for fact in withdrawn])
    assert await watched.notice() == ["sku.delisted"]
    assert await watched.notice() == []


# --- over gRPC ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    with Client(service.address) as client:
        yield client


def listing_of(client: Client, sku: str) -> Any:
    (listing,) = client.reports.ListListings(stock_levels_pb2.ListListingsRequest(sku=sku)).listings
    return listing


def work_on(client: Client, sku: str) -> list[Any]:
    listed = client.work.ListWork(work_pb2.ListWorkRequest()).work
    return [each for each in listed if each.sku == sku and each.kind == work_pb2.WORK_KIND_LISTING]


def facts_about(client: Client, sku: str) -> list[str]:
    """In the order of the log, as whoever follows it gets them."""
    answers = client.audit.StreamFacts(audit_pb2.StreamFactsRequest())
    return [fact.name for answer in answers for fact in answer.facts if fact.stream == f"sku-{sku}"]


def test_the_last_supplier_that_is_suspended_delists_a_sku_and_the_first_with_a_unit_relists_it(client: Client):
    for supplier_id in ("dora", "emil"):
        client.approve(supplier_id)
        price = common_pb2.Money(amount_minor=500, currency="EUR")
        offer = suppliers_pb2.Offer(sku="lamp", cost=price)
        client.suppliers.OfferSku(
            suppliers_pb2.OfferSkuRequest(context=context(), supplier_id=supplier_id, offer=offer)
        )
    client.feed(0, "lamp", "emil")
    client.read_up_to(client.feed(3, "lamp", "dora").position)
    assert listing_of(client, "lamp").listed
    client.suppliers.SuspendSupplier(
        suppliers_pb2.SuspendSupplierRequest(context=context(), supplier_id="dora", reason="late")
    )
    listing = wait_for(lambda: (found := listing_of(client, "lamp")).HasField("since") and found)
    assert (listing.listed, listing.available) == (False, 0)
    assert dict(listing.against) == {"dora": "suspended", "emil": "sold_out"}
    (task,) = wait_for(lambda: work_on(client, "lamp"))
    assert (task.owner, task.reason) == (
        work_pb2.WORK_OWNER_OPERATIONS,
        "take it off sale: dora suspended, emil sold out",
    )
    client.feed(1, "lamp", "emil", version=2)
    wait_for(lambda: not work_on(client, "lamp"))
    assert listing_of(client, "lamp").listed
    assert [name for name in facts_about(client, "lamp") if name != "sku.supplier_listed"] == [
        "sku.delisted",
        "sku.relisted",
    ]


def test_staff_is_told_of_it(client: Client):
    client.approve("fritz")
    client.feed(0, "vase", "fritz")
    wait_for(lambda: facts_about(client, "vase") == ["sku.spelled", "sku.delisted"])
    request = messages_pb2.ListMessagesRequest()
    found = wait_for(
        lambda: [
            each
            for each in client.messages.ListMessages(request).messages
            if each.kind == messages_pb2.MESSAGE_KIND_LISTING and each.sku == "vase"
        ]
    )
    assert [each.reason for each in found] == ["delisted"]


def test_a_feed_of_a_sku_that_differs_by_case_alone_says_so_in_its_receipt(client: Client):
    client.approve("gerd")
    client.feed(1, "Case", "gerd")
    receipt = client.feed(1, "CASE", "gerd")
    assert "CASE is taken for another SKU than Case: only upper and lower case differ" in receipt.warnings
    placed = client.place("case-1", sku="case")
    assert list(placed.warnings) == ["case is taken for another SKU than Case, CASE: only upper and lower case differ"]


def test_a_sku_is_the_same_however_its_letters_are_composed_and_whatever_stands_around_it(client: Client):
    client.approve("hans")
    client.feed(4, "  The\u0301 ", "hans")
    composed = stock_pb2.Item(supplier_id="hans", sku="Th\u00e9")
    (level,) = client.stock.GetStock(stock_pb2.GetStockRequest(items=[composed])).levels
    assert (level.item.sku, level.available) == ("Th\u00e9", 4)
