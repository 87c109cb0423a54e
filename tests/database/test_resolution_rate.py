"""What the rate of resolution counts: cases that a supplier bears, by when they were to be resolved."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from ledger.decisions.timers import ResolutionDue
from ledger.nouns.cases import Remedy
from ledger.terms.parties import Party
from ledger.terms.rates import RateName, RateStatus
from projections.machine.reads import PageOf
from projections.supplier_performance import counted, scorecards, trends
from projections.supplier_performance.windows import Window
from tests.support.casework import CASE, Desk
from tests.support.projecting import asking, catch_up
from tests.support.rating import ALL_TIME, rate_so_far
from tests.support.scenario import DAY, HOUR, TERMS, delivered
from tests.support.stalls import EmptyTenant

RESOLUTION = RateName.RESOLUTION


def ruled(liable: Party = Party.SUPPLIER, **terms: int) -> Desk:
    """A case that is to be resolved within three days from now."""
    scenario = delivered()
    agreement = replace(TERMS, effective_from=scenario.now, resolve_within_hours=72)
    scenario.agree_terms(replace(agreement, **terms))
    desk = Desk(scenario)
    desk.opens()
    desk.answers()
    desk.reviews()
    desk.rules(liable)
    return desk


def refunded(desk: Desk, hours: int) -> Desk:
    desk.approves(Remedy.REFUND)
    desk.grants()
    desk.scenario.later(hours=hours)
    desk.pays()
    return desk


@pytest.mark.parametrize(("hours", "expected"), [(72, (1, 1)), (73, (0, 1))])
async def test_a_case_counts_once_it_is_due_and_in_time_if_it_was_resolved_by_then(
    tenant: EmptyTenant, hours: int, expected: tuple[int, int]
):
    scenario = refunded(ruled(), hours).scenario
    assert await rate_so_far(tenant, scenario, RESOLUTION) == expected
    assert await rate_so_far(tenant, scenario, RESOLUTION, "") == expected
    assert await rate_so_far(tenant, scenario, RESOLUTION, "bolt") == (0, 0)


async def test_a_case_that_is_not_due_yet_does_not_count_and_one_that_nobody_resolved_does(tenant: EmptyTenant):
    desk = ruled()
    due = desk.scenario.now + 72 * HOUR
    everything = ALL_TIME._asdict()
    before = Window(due - timedelta(microseconds=1), everything["since"], everything["until"])
    assert await rate_so_far(tenant, desk.scenario, RESOLUTION, "acme", before) == (0, 0)
    assert await rate_so_far(tenant, desk.scenario, RESOLUTION, "acme", before._replace(now=due)) == (0, 1)


async def test_what_others_bear_or_was_denied_in_time_does_not_count(tenant: EmptyTenant):
    assert await rate_so_far(tenant, refunded(ruled(Party.CARRIER), 80).scenario, RESOLUTION) == (0, 0)


async def test_a_case_that_was_denied_in_time_does_not_count(tenant: EmptyTenant):
    desk = ruled()
    desk.denies()
    assert await rate_so_far(tenant, desk.scenario, RESOLUTION) == (0, 0)


async def test_a_case_that_turned_out_to_be_another_partys_does_not_count(tenant: EmptyTenant):
    desk = ruled()
    desk.scenario.later(hours=72)
    desk.scenario.notice(ResolutionDue(f"{CASE}/acme", due=desk.scenario.now))
    assert await rate_so_far(tenant, desk.scenario, RESOLUTION) == (0, 1)
    desk.rules(Party.CARRIER)
    assert await rate_so_far(tenant, desk.scenario, RESOLUTION) == (0, 0)


async def test_its_target_is_the_agreements_and_without_one_it_is_only_reported(tenant: EmptyTenant):
    scenario = refunded(ruled(resolution_target_basis_points=9_000), 73).scenario
    catch_up(tenant, scenario.log)
    async with asking(tenant) as where:
        now = Window(scenario.now)
        (card,) = (await scorecards.get_rates(where, "acme", now)).rows
        rate = next(each for each in card.rates if each.name is RESOLUTION)
        assert (rate.target_basis_points, rate.status, rate.until - rate.since) == (9_000, RateStatus.BREACH, 90 * DAY)
        (whole,) = (await scorecards.get_rates(where, "", now)).rows
        assert next(each for each in whole.rates if each.name is RESOLUTION).status is RateStatus.REPORT_ONLY
        ranked = await scorecards.rank(where, now, RESOLUTION)
        column = next(each for each in ranked.columns if each.name is RESOLUTION)
        assert (ranked.supplier_ids[0], column.statuses[0]) == ("acme", RateStatus.BREACH)
        (case,) = (await counted.list_cases(where, PageOf(9), RESOLUTION, "acme", now)).rows
        assert (case.object_id, case.in_numerator, case.happened_at) == (CASE, False, scenario.now)
        since, until = scenario.now - 30 * DAY, scenario.now + DAY
        weeks = await trends.get_trend(where, "acme", RESOLUTION, since, until, trends.TrendStep.WEEK, scenario.now)
        assert sum(each.denominator for each in weeks.rows) == 1
