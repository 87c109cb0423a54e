"""What is made of rates: targets, a ranking, a trend, proposals and reviews."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from ledger.facts import changes_of
from ledger.nouns import policies, suppliers
from ledger.nouns.policies import Policy
from ledger.nouns.reviews import ProposalState, Seen, Verdict
from ledger.terms.rates import TRADE_TARGETS, Rate, RateName, Targets
from projections.machine.reads import PageOf
from projections.supplier_performance import reviewing, scorecards, trends
from projections.supplier_performance.trends import TrendStep, steps
from projections.supplier_performance.windows import Window
from tests.support.projecting import asking, catch_up
from tests.support.rating import LATER, SUPPLIERS, figures_of, lives, projected
from tests.support.scenario import DAY, HOUR, NOON, Scenario, a_shop, line, shipped
from tests.support.stalls import EmptyTenant

DISPATCH, LATE = RateName.ON_TIME_DISPATCH, RateName.LATE_SHIPMENT_30_DAYS
ACKNOWLEDGE = RateName.ACKNOWLEDGEMENT


# --- targets are agreed ---------------------------------------------------------------------------


async def target(tenant: EmptyTenant, name: RateName, at: datetime, supplier_id: str = "acme") -> int | None:
    async with asking(tenant) as where:
        (card,) = (await scorecards.get_rates(where, supplier_id, Window(at))).rows
    (found,) = (each for each in card.rates if each.name is name)
    return found.target_basis_points


async def test_targets_hold_from_the_date_that_was_agreed(tenant: EmptyTenant):
    strict = Policy(targets=Targets(on_time_dispatch=9_900))
    catch_up(tenant, changes_of(policies.stream(), policies.agree(None, strict, NOON + DAY, NOON)))
    assert await target(tenant, DISPATCH, NOON + DAY - HOUR) == 9_500
    assert await target(tenant, DISPATCH, NOON + DAY) == 9_900


async def test_the_supplier_s_agreement_says_how_much_is_to_be_acknowledged_in_time(tenant: EmptyTenant):
    scenario = a_shop()
    since = NOON + DAY
    agreed = suppliers.Agreement(since, NOON + 5 * DAY, acknowledgement_target_basis_points=9_800)
    facts = suppliers.agree_terms(scenario.supplier(), agreed, NOON)
    scenario.record((suppliers.stream("acme"), fact) for fact in facts)
    catch_up(tenant, scenario.log)
    assert await target(tenant, ACKNOWLEDGE, NOON) is None
    assert await target(tenant, ACKNOWLEDGE, since) == 9_800
    assert await target(tenant, ACKNOWLEDGE, NOON + 5 * DAY) is None
    assert await target(tenant, ACKNOWLEDGE, since, "bolt") is None
    assert await target(tenant, RateName.RESPONSE, since) is None
    assert await target(tenant, DISPATCH, since) == 9_500


async def test_a_policy_may_name_targets_for_suppliers_without_one_and_one_from_before_did(tenant: EmptyTenant):
    named = Policy(targets=replace(TRADE_TARGETS, response=9_000))
    first, second = policies.PolicyAgreed(Policy(), NOON, NOON), policies.PolicyAgreed(named, NOON + DAY, NOON)
    catch_up(tenant, changes_of(policies.stream(), [first, second]))
    assert [await target(tenant, name, NOON) for name in (ACKNOWLEDGE, RateName.RESPONSE)] == [9_500, 9_500]
    assert [await target(tenant, name, NOON + DAY) for name in (ACKNOWLEDGE, RateName.RESPONSE)] == [None, 9_000]


# --- all suppliers at once ------------------------------------------------------------------------


async def test_a_ranking_shows_every_supplier_as_its_scorecard_does(tenant: EmptyTenant):
    until = NOON + 45 * DAY
    async with projected(tenant, lives(2), until) as where:
        for window in (Window(until), Window(until, NOON, until)):
            ranking = await scorecards.rank(where, window)
            assert ranking.supplier_ids == sorted(SUPPLIERS)
            for index, supplier_id in enumerate(ranking.supplier_ids):
                (card,) = (await scorecards.get_rates(where, supplier_id, window)).rows
                assert tuple(column.rate(index) for column in ranking.columns) == card.rates
                assert [column.statuses[index] for column in ranking.columns] == [each.status for each in card.rates]


@pytest.mark.parametrize(("name", "order"), [(DISPATCH, ["cup", "acme", "bolt"]), (LATE, ["cup", "acme", "bolt"])])
async def test_the_worst_is_ranked_first_and_who_has_no_data_last(
    tenant: EmptyTenant, name: RateName, order: list[str]
):
    scenario = a_shop()
    scenario.approve("cup")
    for number, supplier_id in enumerate(("acme", "acme", "cup")):
        scenario.place(line(1, f"sku-{number}", 1, supplier_id), order_id=f"shopify/{number}")
        scenario.send(f"shopify/{number}/1")
    scenario.ship(number="P0", supplier_order_id="shopify/0/1")
    scenario.later(hours=49)
    scenario.ship(number="P1", supplier_order_id="shopify/1/1")
    scenario.ship(number="P2", supplier_order_id="shopify/2/1")
    catch_up(tenant, scenario.log)
    async with asking(tenant) as where:
        ranking = await scorecards.rank(where, Window(LATER), name)
    assert ranking.supplier_ids == order


async def test_without_suppliers_a_ranking_is_empty(tenant: EmptyTenant):
    catch_up(tenant, changes_of(policies.stream(), policies.agree(None, Policy(return_window_days=3), NOON, NOON)))
    async with asking(tenant) as where:
        for now in (NOON, datetime.now(UTC)):
            assert (await scorecards.rank(where, Window(now))).supplier_ids == []


# --- how a rate moves -----------------------------------------------------------------------------


def test_the_weeks_of_a_period_begin_on_mondays_and_its_months_on_the_first():
    assert NOON.weekday() == 0
    weeks = steps(NOON + DAY, NOON + 15 * DAY, TrendStep.WEEK)
    midnight = NOON - 12 * HOUR
    assert weeks == [
        (NOON + DAY, midnight + 7 * DAY),
        (midnight + 7 * DAY, midnight + 14 * DAY),
        (midnight + 14 * DAY, NOON + 15 * DAY),
    ]
    months = steps(datetime(2026, 11, 20, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), TrendStep.MONTH)
    assert [begin.month for begin, _ in months] == [11, 12]


def test_the_weeks_of_a_time_zone_begin_at_its_midnight_also_where_its_clocks_change():
    zone = ZoneInfo("Europe/Berlin")
    begins = datetime(2026, 3, 16, tzinfo=zone)
    parts = steps(begins, begins + timedelta(days=21), TrendStep.WEEK, zone)
    assert [f"{begin.astimezone(UTC):%d %H}" for begin, _ in parts] == ["15 23", "22 23", "29 22"]


@pytest.mark.parametrize(
    ("step", "zone"),
    [*((step, "UTC") for step in TrendStep), (TrendStep.WEEK, "Europe/Berlin"), (TrendStep.MONTH, "Asia/Kolkata")],
)
async def test_a_trend_counts_each_part_as_a_window_of_its_own(tenant: EmptyTenant, step: TrendStep, zone: str):
    now, place = NOON + 30 * DAY, ZoneInfo(zone)
    async with projected(tenant, lives(3), NOON + 45 * DAY) as where:
        for supplier_id in ("acme", ""):
            for name in RateName:
                since, until = NOON + 5 * HOUR, NOON + 44 * DAY
                answer = await trends.get_trend(where, supplier_id, name, since, until, step, now, place)
                assert [(each.since, each.until) for each in answer.rows] == steps(since, until, step, place)
                for part in answer.rows:
                    window = Window(now, part.since, part.until)
                    (card,) = (await scorecards.get_rates(where, supplier_id, window)).rows
                    assert figures_of(card.rates)[name] == (part.numerator, part.denominator)


async def test_each_part_of_a_trend_has_the_target_of_its_end(tenant: EmptyTenant):
    catch_up(
        tenant,
        changes_of(
            policies.stream(), policies.agree(None, Policy(targets=Targets(cancellation=100)), NOON + 10 * DAY, NOON)
        ),
    )
    async with asking(tenant) as where:
        answer = await trends.get_trend(
            where, "", RateName.CANCELLATION, NOON, NOON + 21 * DAY, TrendStep.WEEK, NOON + 30 * DAY
        )
    assert [each.target_basis_points for each in answer.rows] == [250, 100, 100, 100]


# --- what follows from rates ----------------------------------------------------------------------


def _late(scenario: Scenario, count: int, supplier_id: str = "acme", first: int = 0) -> None:
    """So many orders, each shipped late."""
    for number in range(first, first + count):
        order_id = f"shopify/{supplier_id}-{number}"
        scenario.place(line(1, "cup", 1, supplier_id), order_id=order_id)
        scenario.send(f"{order_id}/1")
    scenario.later(hours=49)
    for number in range(first, first + count):
        scenario.ship(number=f"{supplier_id}x{number}", supplier_order_id=f"shopify/{supplier_id}-{number}/1")


async def test_a_rate_that_crossed_its_target_over_twenty_cases_is_found_until_it_is_recorded(tenant: EmptyTenant):
    scenario = a_shop()
    _late(scenario, 19)
    _late(scenario, 20, "bolt")
    now = scenario.later(days=1)
    async with projected(tenant, scenario, now) as where:
        (crossing,) = (await reviewing.crossings(where, now)).rows
        assert crossing.supplier_id == "bolt"
        assert {each.name for each in crossing.rates} == {
            DISPATCH,
            LATE,
            RateName.LATE_SHIPMENT_10_DAYS,
            RateName.VALID_TRACKING,
        }
        noticed = suppliers.notice_rates(scenario.supplier("bolt"), crossing.rates, Policy(), now)
        catch_up(tenant, [(suppliers.stream("bolt"), fact) for fact in noticed])
        assert (await reviewing.crossings(where, now)).rows == []
        proposed = (await reviewing.list_proposals(where, PageOf(), "bolt", ProposalState.OPEN)).rows
        assert {each.proposal.rate for each in proposed} == set(crossing.rates)
        # Seventy days later nothing of it is in the windows, which says neither this nor that.
        assert (await reviewing.crossings(where, now + 70 * DAY)).rows == []


async def test_proposals_are_listed_by_page_and_state(tenant: EmptyTenant):
    scenario = a_shop()
    for supplier_id in ("acme", "bolt"):
        rates = [Rate(name, 10, 20, NOON - DAY, NOON, Targets().of(name)) for name in (DISPATCH, LATE)]
        facts = suppliers.notice_rates(scenario.supplier(supplier_id), rates, Policy(), NOON)
        scenario.record((suppliers.stream(supplier_id), fact) for fact in facts)
    dismissed = suppliers.dismiss_suspension(scenario.supplier("bolt"), LATE, "a flood", NOON)
    scenario.record((suppliers.stream("bolt"), fact) for fact in dismissed)
    catch_up(tenant, scenario.log)
    async with asking(tenant) as where:
        found, token = [], ""
        for _ in range(4):
            answer = await reviewing.list_proposals(where, PageOf(1, token))
            (each,) = answer.rows
            found.append((each.supplier_id, each.proposal.rate.name, each.proposal.state.value))
            token = answer.next_page_token
        assert token == ""
        assert sorted(found) == [
            ("acme", LATE, "open"),
            ("acme", DISPATCH, "open"),
            ("bolt", LATE, "dismissed"),
            ("bolt", DISPATCH, "open"),
        ]
        assert len((await reviewing.list_proposals(where, PageOf(), "bolt", ProposalState.DISMISSED)).rows) == 1


async def test_a_supplier_is_due_for_review_a_quarter_after_its_approval_or_its_last_review(tenant: EmptyTenant):
    scenario = a_shop()
    due = NOON + 91 * DAY
    catch_up(tenant, scenario.log)
    async with asking(tenant) as where:
        assert (await reviewing.list_reviews_due(where, PageOf(), due, due)).rows == []
        found = (await reviewing.list_reviews_due(where, PageOf(), due + HOUR, due)).rows
        assert [(each.supplier_id, each.due, each.verdict) for each in found] == [
            ("acme", due, None),
            ("bolt", due, None),
        ]
        seen = Seen(NOON, due, 1, (Rate(DISPATCH, 19, 20, NOON, due, 9_500),))
        facts = suppliers.review(scenario.supplier(), seen, Policy(), due)
        catch_up(tenant, [(suppliers.stream("acme"), fact) for fact in facts])
        found = (await reviewing.list_reviews_due(where, PageOf(), due + 100 * DAY, due)).rows
        assert [(each.supplier_id, each.due) for each in found] == [("bolt", due), ("acme", due + 91 * DAY)]
        assert (found[1].reviewed_at, found[1].score_basis_points, found[1].verdict) == (due, 10_000, Verdict.KEEP)
        page = await reviewing.list_reviews_due(where, PageOf(1), due + 100 * DAY, due)
        rest = await reviewing.list_reviews_due(where, PageOf(1, page.next_page_token), due + 100 * DAY, due)
        assert [each.supplier_id for each in (*page.rows, *rest.rows)] == ["bolt", "acme"]


async def test_how_often_suppliers_are_reviewed_is_agreed_and_the_retired_are_not(tenant: EmptyTenant):
    scenario = a_shop()
    retired = suppliers.retire(scenario.supplier("bolt"), "", NOON)
    scenario.record((suppliers.stream("bolt"), fact) for fact in retired)
    scenario.record(changes_of(policies.stream(), policies.agree(None, Policy(review_every_days=10), NOON, NOON)))
    catch_up(tenant, scenario.log)
    async with asking(tenant) as where:
        found = (await reviewing.list_reviews_due(where, PageOf(), NOON + 11 * DAY, NOON)).rows
    assert [(each.supplier_id, each.due) for each in found] == [("acme", NOON + 10 * DAY)]


async def test_a_review_sees_the_rates_of_its_period_at_a_position(tenant: EmptyTenant):
    scenario = shipped()
    head = catch_up(tenant, scenario.log)
    async with asking(tenant, head) as where:
        seen = await reviewing.see(where, "acme", None, None, LATER)
        assert (seen.since, seen.until, seen.position) == (LATER - 91 * DAY, LATER, head)
        assert figures_of(seen.rates)[DISPATCH] == (1, 1)
        earlier = await reviewing.see(where, "acme", NOON - DAY, NOON, LATER)
        assert figures_of(earlier.rates)[DISPATCH] == (0, 0)
