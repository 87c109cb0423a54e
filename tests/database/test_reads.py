"""What holds for every query: it waits for a position, sees one moment, and gives pages."""

from __future__ import annotations

import asyncio

import pytest

from ledger.refusals import BeyondTheLog, Malformed, ProjectionBehind
from projections import tracking
from projections.machine.reads import PageOf, snapshot
from projections.tracking import TRACKING
from tests.support.long_scenario import long_scenario
from tests.support.projecting import asking, catch_up, rebuild, write_down
from tests.support.scenario import line, sent, shipped
from tests.support.stalls import EmptyTenant


@pytest.fixture
def tenant(new_tenant: EmptyTenant) -> EmptyTenant:
    """Without a read model: queries wait for its tables."""
    return new_tenant


async def test_a_query_waits_for_the_position_it_is_asked_for(tenant: EmptyTenant):
    head = catch_up(tenant, sent().log)
    scenario = shipped()
    later = write_down(tenant, scenario.log[head:])
    async with asking(tenant, at_least=later) as where:
        question = asyncio.create_task(tracking.get_order(where, "shopify/1"))
        await asyncio.sleep(0.1)
        assert not question.done()
        await asyncio.to_thread(catch_up, tenant)
        answer = await question
    assert answer.position == later
    assert len(answer.rows[0].parcels) == 1


async def test_a_query_for_a_position_that_does_not_come_in_time_is_refused(tenant: EmptyTenant):
    head = catch_up(tenant, sent().log)
    later = write_down(tenant, shipped().log[head:])
    async with asking(tenant, later, patience_seconds=0.05) as where:
        with pytest.raises(ProjectionBehind, match=f"tracking stands at {head} and is asked for {later}") as behind:
            await tracking.get_order(where, "shopify/1")
    assert behind.value.details == {"name": "tracking", "at_least": str(later), "position": str(head)}


async def test_a_query_for_a_position_that_the_log_has_not_reached_is_refused_at_once(tenant: EmptyTenant):
    head = catch_up(tenant, sent().log)
    async with asking(tenant, head + 1, patience_seconds=30) as where:
        with pytest.raises(BeyondTheLog, match=f"position {head + 1} lies beyond the log, whose newest is {head}"):
            await asyncio.wait_for(tracking.get_order(where, "shopify/1"), 5)


async def test_a_query_before_any_projector_ran_is_refused_in_time(tenant: EmptyTenant):
    async with asking(tenant, patience_seconds=0.05) as where:
        with pytest.raises(ProjectionBehind):
            await tracking.get_order(where, "shopify/1")


async def test_a_query_before_any_projector_ran_waits_for_its_tables(tenant: EmptyTenant):
    async with asking(tenant, patience_seconds=30) as where:
        question = asyncio.create_task(tracking.list_orders(where, PageOf()))
        await asyncio.sleep(0.2)
        assert not question.done()
        head = await asyncio.to_thread(catch_up, tenant, sent().log)
        answer = await question
    # Its tables may be seen before the first page is in them.
    assert answer.position in {0, head}


async def test_rows_and_position_come_from_one_moment_also_while_tables_are_swapped(tenant: EmptyTenant):
    head = catch_up(tenant, long_scenario().log)
    async with asking(tenant) as where:
        rebuilding = asyncio.create_task(asyncio.to_thread(rebuild, tenant, "tracking"))
        answers = 0
        while not rebuilding.done() or answers < 20:
            answer = await tracking.list_orders(where, PageOf())
            assert (len(answer.rows), answer.position) == (5, head)
            answers += 1
        await rebuilding


async def test_what_is_applied_while_a_query_reads_is_not_seen_by_it(tenant: EmptyTenant):
    scenario = sent()
    head = catch_up(tenant, scenario.log)
    before = len(scenario.log)
    scenario.place(line(1, "mug", 1, "bolt"), order_id="shopify/2")
    async with asking(tenant) as where, snapshot(where, TRACKING) as at:
        await asyncio.to_thread(catch_up, tenant, scenario.log[before:])
        assert at.position == head
        assert await at.rows("SELECT count(*) FROM {tracking_orders}", {}) == [(1,)]


@pytest.mark.parametrize("token", ["nonsense", "bnVsbA", "WzEsMl0", "é"])
async def test_a_token_that_no_list_gave_is_malformed(tenant: EmptyTenant, token: str):
    catch_up(tenant, sent().log)
    async with asking(tenant) as where:
        with pytest.raises(Malformed, match="not a token"):
            await tracking.list_orders(where, PageOf(token=token))


@pytest.mark.parametrize("size", [-1, 1001])
async def test_a_page_has_at_most_1000_rows(tenant: EmptyTenant, size: int):
    async with asking(tenant) as where:
        with pytest.raises(Malformed, match=f"{size} is not between 1 and 1000"):
            await tracking.list_orders(where, PageOf(size))
