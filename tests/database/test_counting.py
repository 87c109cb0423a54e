"""Every way of counting gives the same: sums, days and single cases, in whatever pages, and built anew."""

from __future__ import annotations

import random
from datetime import timedelta
from itertools import pairwise

import pytest
from psycopg.sql import SQL, Identifier

from ledger.terms.rates import RateName
from projections.machine.reads import PageOf
from projections.supplier_performance import SUPPLIER_PERFORMANCE, counted, scorecards
from projections.supplier_performance.windows import Window
from tests.support.projecting import catch_up, connect, contents, verify
from tests.support.rating import LATER, SUPPLIERS, figures_of, lives, projected, rate_so_far, recorded
from tests.support.scenario import DAY, HOUR, NOON, sent
from tests.support.stalls import EmptyTenant

DISPATCH = RateName.ON_TIME_DISPATCH
SATISFACTION = RateName.SATISFACTION

AFTER_SALE = RateName.AFTER_SALE


@pytest.mark.parametrize("seed", range(4))
async def test_sums_of_the_usual_windows_days_and_single_cases_agree(tenant: EmptyTenant, seed: int):
    chance = random.Random(seed)
    until = NOON + 45 * DAY + chance.uniform(0, 24) * HOUR
    async with projected(tenant, lives(seed), until, page_facts=chance.choice((3, 17, 400))) as where:
        for now in (until, until + HOUR, until - 40 * HOUR, until + 47 * HOUR):
            for supplier_id in (*SUPPLIERS, ""):
                (usual,) = (await scorecards.get_rates(where, supplier_id, Window(now))).rows
                for each in usual.rates:
                    window = Window(now, each.since, each.until)
                    (by_day,) = (await scorecards.get_rates(where, supplier_id, window)).rows
                    found = figures_of(by_day.rates)[each.name]
                    assert figures_of(usual.rates)[each.name] == found, (each.name, supplier_id, now)
                    cases = await counted.list_cases(where, PageOf(1000), each.name, supplier_id, window)
                    in_numerator = sum(case.in_numerator for case in cases.rows)
                    if each.name is AFTER_SALE:
                        assert (in_numerator, len(cases.rows) - in_numerator) == found
                    elif each.name is not SATISFACTION:
                        assert (in_numerator, len(cases.rows)) == found
        assert any(each.denominator for each in usual.rates)


@pytest.mark.parametrize("seed", range(3))
async def test_rates_of_any_window_are_exact_to_the_microsecond(tenant: EmptyTenant, seed: int):
    chance = random.Random(seed)
    async with projected(tenant, lives(seed), NOON + 45 * DAY) as where:
        (whole,) = (await scorecards.get_rates(where, "", Window(NOON + 99 * DAY, NOON - DAY, NOON + 99 * DAY))).rows
        for _ in range(3):
            bounds = [NOON - DAY, *sorted(NOON + chance.uniform(0, 50) * DAY for _ in range(3)), NOON + 99 * DAY]
            parts = [
                figures_of((await scorecards.get_rates(where, "", Window(NOON + 99 * DAY, *part))).rows[0].rates)
                for part in pairwise(bounds)
            ]
            for name, figures in figures_of(whole.rates).items():
                assert (sum(p[name][0] for p in parts), sum(p[name][1] for p in parts)) == figures


async def test_a_case_at_the_very_bounds_of_a_window_is_in_it_once(tenant: EmptyTenant):
    scenario = sent()
    due = NOON + 48 * HOUR
    moment = timedelta(microseconds=1)
    assert await rate_so_far(tenant, scenario, DISPATCH, window=Window(LATER, due, due + moment)) == (0, 1)
    assert await rate_so_far(tenant, scenario, DISPATCH, window=Window(LATER, due + moment, LATER)) == (0, 0)
    assert await rate_so_far(tenant, scenario, DISPATCH, window=Window(LATER, NOON, due)) == (0, 0)
    assert await rate_so_far(tenant, scenario, DISPATCH, window=Window(due, NOON, LATER)) == (0, 1)
    assert await rate_so_far(tenant, scenario, DISPATCH, window=Window(due - moment, NOON, LATER)) == (0, 0)


async def test_the_sums_do_not_depend_on_how_the_log_is_cut_into_pages(tenant: EmptyTenant):
    recorded(tenant, lives(9).log, NOON + 45 * DAY)
    found = []
    for page_facts in (1, 7, 5000):
        catch_up(tenant, projections=[SUPPLIER_PERFORMANCE], page_facts=page_facts)
        found.append(contents(tenant, [SUPPLIER_PERFORMANCE]))
        _start_over(tenant)
    assert found[0] == found[1] == found[2]
    assert found[0]["performance_days"]
    assert found[0]["performance_usual"]


def _start_over(tenant: EmptyTenant) -> None:
    with connect(tenant) as connection:
        for table in SUPPLIER_PERFORMANCE.tables:
            connection.execute(SQL("DROP TABLE {}").format(Identifier(tenant.schema, table.name)))
        for query in (
            "DELETE FROM {}.ledger_projections",
            "DELETE FROM {}.ledger_tracking WHERE application_name = 'supplier_performance'",
        ):
            connection.execute(SQL(query).format(Identifier(tenant.schema)))


async def test_a_rebuild_gives_the_same_sums(tenant: EmptyTenant):
    scenario = lives(5)
    async with projected(tenant, scenario, NOON + 45 * DAY, page_facts=11):
        comparison = verify(tenant, "supplier_performance")
    assert comparison.equal, str(comparison)
