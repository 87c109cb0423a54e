"""Scorecards: every way of counting gives the same figures; targets are agreed; trends, ranks, crossings."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from psycopg.sql import SQL, Identifier

from ledger.decisions import intake
from ledger.facts import Change
from ledger.nouns import orders, policies, suppliers
from ledger.nouns.cases import Reason, Remedy
from ledger.nouns.orders import ChargebackRecorded
from ledger.nouns.parcels import ParcelStatus
from ledger.nouns.policies import Policy
from ledger.nouns.reviews import ProposalState, Seen, Verdict
from ledger.nouns.suppliers import Agreement
from ledger.terms.money import Money
from ledger.terms.parties import Party
from ledger.terms.rates import (
    Rate,
    RateName,
    RateStatus,
    Targets,
)
from projections import reviewing, scorecards
from projections.machine.reads import PageOf, Where
from projections.scorecards import Step, Window, steps
from projections.supplier_performance import SUPPLIER_PERFORMANCE
from tests.support.casework import (
    PHOTO,
    Desk,
    approved,
    opened,
    ruled,
)
from tests.support.projecting import (
    asking,
    catch_up,
    connect,
    contents,
    verify,
    write_down,
)
from tests.support.stalls import EmptyTenant
from tests.support.story import (
    DAY,
    FIRST,
    HOUR,
    NOON,
    ORDER,
    SECOND,
    Story,
    a_shop,
    line,
    reject,
    sent,
    shipped,
)

DISPATCH, LATE, DEFECT = RateName.ON_TIME_DISPATCH, RateName.LATE_SHIPMENT_30_DAYS, RateName.ORDER_DEFECT
SATISFACTION, ACKNOWLEDGE = RateName.SATISFACTION, RateName.ACKNOWLEDGEMENT
LATER = NOON + 20 * DAY
ALL_TIME = Window(LATER, NOON - 365 * DAY, NOON + 365 * DAY)


async def rate(
    tenant: EmptyTenant, story: Story, name: RateName, supplier_id: str = "acme", window: Window = ALL_TIME
) -> tuple[int, int]:
    """What a rate counts after what is new in the story."""
    head = catch_up(tenant, story.log)
    story.log.clear()
    async with asking(tenant, head) as where:
        (card,) = (await scorecards.get_rates(where, supplier_id, window)).rows
    (found,) = (each for each in card.rates if each.name is name)
    return found.numerator, found.denominator


def chargeback(story: Story, order_id: str = ORDER) -> None:
    recorded = ChargebackRecorded(order_id, "cb-1", Money(500, "EUR"), story.now)
    story.record(intake.record_chargeback(story.book, recorded, story.now))


# --- late shipment --------------------------------------------------------------------------------


async def test_what_is_said_to_be_shipped_after_its_deadline_is_a_late_shipment(tenant: EmptyTenant):
    story = sent()
    story.later(hours=49)
    story.ship()
    assert await rate(tenant, story, LATE) == (1, 1)
    assert await rate(tenant, story, LATE, "") == (1, 1)


async def test_a_first_scan_after_the_deadline_makes_no_late_shipment_of_what_was_confirmed_in_time(
    tenant: EmptyTenant,
):
    story = shipped()
    story.later(hours=49)
    story.scan(ParcelStatus.IN_TRANSIT)
    assert await rate(tenant, story, LATE) == (0, 1)
    assert await rate(tenant, story, DISPATCH) == (0, 1)


async def test_what_was_not_shipped_is_no_late_shipment_but_counts_as_an_order(tenant: EmptyTenant):
    story = sent()
    story.later(days=10)
    assert await rate(tenant, story, LATE) == (0, 1)


async def test_late_shipments_are_counted_over_10_and_over_30_days_by_when_the_order_was_placed(tenant: EmptyTenant):
    story = sent()
    story.later(hours=49)
    story.ship()
    catch_up(tenant, story.log)
    async with asking(tenant) as where:
        for days, ten, thirty in ((10, 1, 1), (11, 0, 1), (30, 0, 1), (31, 0, 0)):
            (card,) = (await scorecards.get_rates(where, "acme", Window(NOON + days * DAY))).rows
            found = {each.name: each.denominator for each in card.rates}
            assert (found[RateName.LATE_SHIPMENT_10_DAYS], found[LATE]) == (ten, thirty)


# --- order defects --------------------------------------------------------------------------------


@pytest.mark.parametrize(("stars", "defects"), [(1, 1), (2, 1), (3, 0), (5, 0)])
async def test_a_review_of_one_or_two_stars_is_an_order_defect(tenant: EmptyTenant, stars: int, defects: int):
    story = sent()
    story.review(stars)
    assert await rate(tenant, story, DEFECT) == (defects, 1)
    assert await rate(tenant, story, DEFECT, "") == (defects, 1)


async def test_a_chargeback_is_an_order_defect(tenant: EmptyTenant):
    story = sent()
    assert await rate(tenant, story, DEFECT) == (0, 1)
    chargeback(story)
    assert await rate(tenant, story, DEFECT) == (1, 1)


async def test_an_order_has_at_most_one_defect(tenant: EmptyTenant):
    story = sent()
    story.review(1, "r1")
    story.review(2, "r2")
    chargeback(story)
    assert await rate(tenant, story, DEFECT) == (1, 1)
    assert await rate(tenant, story, DEFECT, "") == (1, 1)


async def test_a_defect_counts_for_every_supplier_of_the_order_and_once_for_all_together(tenant: EmptyTenant):
    story = sent(line(1, "tea", 1), line(2, "ink", 1, "bolt"))
    story.review(1)
    assert [await rate(tenant, story, DEFECT, each) for each in ("acme", "bolt", "")] == [(1, 1)] * 3


async def test_an_order_without_a_supplier_order_counts_for_all_together_alone(tenant: EmptyTenant):
    story = a_shop()
    story.place(payment=orders.PaymentState.PENDING)
    chargeback(story)
    assert await rate(tenant, story, DEFECT, "") == (1, 1)
    assert await rate(tenant, story, DEFECT) == (0, 0)


async def test_a_case_is_an_order_defect_until_it_is_denied(tenant: EmptyTenant):
    desk = opened(Reason.DAMAGED)
    assert await rate(tenant, desk.story, DEFECT) == (1, 1)
    assert await rate(tenant, desk.story, DEFECT, "") == (1, 1)
    desk.files()
    desk.reviews()
    desk.rules(Party.CUSTOMER, PHOTO)
    desk.denies()
    assert await rate(tenant, desk.story, DEFECT) == (0, 1)
    assert await rate(tenant, desk.story, DEFECT, "") == (0, 1)


async def test_a_case_that_was_cancelled_is_no_order_defect(tenant: EmptyTenant):
    desk = opened(Reason.QUALITY)
    desk.cancels()
    assert await rate(tenant, desk.story, DEFECT) == (0, 1)


async def test_who_changed_its_mind_found_no_fault(tenant: EmptyTenant):
    assert await rate(tenant, opened(Reason.CHANGED_MIND).story, DEFECT) == (0, 1)


async def test_a_case_is_a_defect_only_of_the_supplier_whose_goods_it_is_about(tenant: EmptyTenant):
    story = sent(line(1, "tea", 1), line(2, "ink", 1, "bolt"))
    for supplier_order_id, number in ((FIRST, "P1"), (SECOND, "P2")):
        story.ship(supplier_order_id=supplier_order_id, number=number)
        story.scan(ParcelStatus.DELIVERED, number=number)
    Desk(story).opens(Reason.DAMAGED, {2: 1})
    assert await rate(tenant, story, DEFECT, "bolt") == (1, 1)
    assert await rate(tenant, story, DEFECT, "acme") == (0, 1)
    assert await rate(tenant, story, DEFECT, "") == (1, 1)


async def test_what_is_sent_once_more_is_no_order_of_its_own(tenant: EmptyTenant):
    desk = approved(Remedy.RESHIP)
    assert await rate(tenant, desk.story, DEFECT) == (1, 1)
    assert await rate(tenant, desk.story, DEFECT, "") == (1, 1)


# --- satisfaction ---------------------------------------------------------------------------------


async def test_satisfaction_is_the_sum_of_stars_over_the_reviews_of_a_window(tenant: EmptyTenant):
    story = sent()
    story.review(5, "r1")
    story.later(days=2)
    story.review(2, "r2")
    assert await rate(tenant, story, SATISFACTION) == (7, 2)
    assert await rate(tenant, story, SATISFACTION, "") == (7, 2)
    window = Window(LATER, NOON + DAY, LATER)
    assert await rate(tenant, story, SATISFACTION, window=window) == (2, 1)


async def test_satisfaction_is_only_reported(tenant: EmptyTenant):
    story = sent()
    story.review(1)
    catch_up(tenant, story.log)
    async with asking(tenant) as where:
        (card,) = (await scorecards.get_rates(where, "acme", ALL_TIME)).rows
    (found,) = (each for each in card.rates if each.name is SATISFACTION)
    assert (found.target_basis_points, found.status) == (None, RateStatus.REPORT_ONLY)


async def test_the_cases_of_a_defect_and_of_satisfaction_are_listed(tenant: EmptyTenant):
    story = sent(line(1, "tea", 1), line(2, "ink", 1, "bolt"))
    story.review(1)
    catch_up(tenant, story.log)
    async with asking(tenant) as where:
        for supplier_id in ("acme", "bolt", ""):
            found = (await scorecards.list_cases(where, PageOf(), DEFECT, supplier_id, ALL_TIME)).rows
            assert [(each.object_id, each.in_numerator) for each in found] == [(ORDER, True)]
            found = (await scorecards.list_cases(where, PageOf(), SATISFACTION, supplier_id, ALL_TIME)).rows
            assert [each.object_id for each in found] == [f"{ORDER}/r1"]


# --- order errors ---------------------------------------------------------------------------------

ERROR = RateName.ORDER_ERROR


def packed(*packed_with: str) -> Story:
    """A supplier order that was to be packed with a label, and with what it was."""
    story = a_shop()
    story.approve("acme", packing=("logo_label",))
    story.place(line(1, "tea", 3), packing=("logo_label",))
    story.send()
    story.pack(*packed_with)
    return story


@pytest.mark.parametrize(("packed_with", "errors"), [((), 1), (("logo_label",), 0)])
async def test_what_was_shipped_without_its_brand_pack_is_an_order_error(
    tenant: EmptyTenant, packed_with: tuple[str, ...], errors: int
):
    story = packed(*packed_with)
    assert await rate(tenant, story, ERROR) == (0, 0)
    story.later(days=1)
    story.ship()
    assert await rate(tenant, story, ERROR) == (errors, 1)
    assert await rate(tenant, story, ERROR, "") == (errors, 1)


async def test_what_was_packed_anew_before_it_left_is_no_order_error(tenant: EmptyTenant):
    story = packed()
    story.pack("logo_label")
    story.ship()
    assert await rate(tenant, story, ERROR) == (0, 1)


async def test_an_order_error_counts_by_when_it_was_shipped(tenant: EmptyTenant):
    story = packed()
    shipped_at = story.later(days=1)
    story.ship()
    assert await rate(tenant, story, ERROR, window=Window(LATER, shipped_at, shipped_at + HOUR)) == (1, 1)
    assert await rate(tenant, story, ERROR, window=Window(LATER, NOON, shipped_at)) == (0, 0)


@pytest.mark.parametrize(
    ("reason", "liable", "errors"),
    [
        (Reason.WRONG_ITEM, Party.SUPPLIER, 1),
        (Reason.MISSING_ITEM, Party.SUPPLIER, 1),
        (Reason.WRONG_ITEM, Party.RETAILER, 0),
        (Reason.DAMAGED, Party.SUPPLIER, 0),
    ],
)
async def test_a_wrong_or_missing_item_is_an_order_error_once_it_is_ruled_the_supplier_s(
    tenant: EmptyTenant, reason: Reason, liable: Party, errors: int
):
    desk = opened(reason)
    assert await rate(tenant, desk.story, ERROR) == (0, 1)
    desk.files()
    desk.reviews()
    desk.rules(liable, PHOTO)
    assert await rate(tenant, desk.story, ERROR) == (errors, 1)
    assert await rate(tenant, desk.story, ERROR, "") == (errors, 1)


async def test_a_ruling_that_is_reopened_is_an_order_error_no_more(tenant: EmptyTenant):
    desk = ruled(Party.SUPPLIER, Reason.WRONG_ITEM)
    assert await rate(tenant, desk.story, ERROR) == (1, 1)
    desk.denies()
    assert await rate(tenant, desk.story, ERROR) == (0, 1)


# --- the after-sale rate --------------------------------------------------------------------------

AFTER_SALE = RateName.AFTER_SALE


async def test_the_after_sale_rate_is_cases_opened_over_orders_delivered(tenant: EmptyTenant):
    desk = opened(Reason.DAMAGED)
    desk.opens(Reason.QUALITY, case_id="case-2")
    assert await rate(tenant, desk.story, AFTER_SALE) == (2, 1)
    assert await rate(tenant, desk.story, AFTER_SALE, "") == (2, 1)
    desk.cancels("case-2")
    assert await rate(tenant, desk.story, AFTER_SALE) == (1, 1)


async def test_cases_and_deliveries_count_each_by_its_own_time(tenant: EmptyTenant):
    story = shipped()
    story.scan(ParcelStatus.DELIVERED)
    story.later(days=3)
    Desk(story).opens(Reason.DAMAGED)
    window = Window(LATER, NOON + 2 * DAY, LATER)
    assert await rate(tenant, story, AFTER_SALE, window=window) == (1, 0)
    assert await rate(tenant, story, AFTER_SALE, window=Window(LATER, NOON, NOON + 2 * DAY)) == (0, 1)


# --- response -------------------------------------------------------------------------------------

RESPONSE = RateName.RESPONSE


def asked(asked_of: Party = Party.SUPPLIER, **more: Any) -> Story:
    """A question about a supplier order, to be answered within a day."""
    story = a_shop()
    story.approve("quick", Agreement(NOON - DAY, answer_within_hours=24))
    story.place(line(1, "tin", 1, "quick"))
    story.send()
    story.ask(asked_of=asked_of, **more)
    return story


@pytest.mark.parametrize(("hours", "expected"), [(1, (1, 1)), (24, (1, 1)), (25, (0, 1))])
async def test_a_message_counts_by_when_it_was_first_answered(
    tenant: EmptyTenant, hours: int, expected: tuple[int, int]
):
    story = asked()
    story.later(hours=hours)
    story.answer_inquiry()
    story.later(days=1)
    story.answer_inquiry(by="another")
    assert await rate(tenant, story, RESPONSE, "quick") == expected
    assert await rate(tenant, story, RESPONSE, "") == expected


async def test_a_message_without_an_answer_counts_once_it_is_due(tenant: EmptyTenant):
    story = asked()
    due, window = NOON + DAY, (NOON, NOON + 90 * DAY)
    assert await rate(tenant, story, RESPONSE, "quick", Window(due - HOUR, *window)) == (0, 0)
    assert await rate(tenant, story, RESPONSE, "quick", Window(due, *window)) == (0, 1)


async def test_of_a_message_that_was_closed_in_time_no_answer_is_owed(tenant: EmptyTenant):
    story = asked()
    story.later(hours=20)
    story.close_inquiry()
    assert await rate(tenant, story, RESPONSE, "quick") == (0, 0)


async def test_what_the_retailer_is_asked_counts_for_all_together_alone(tenant: EmptyTenant):
    story = asked(Party.RETAILER, asked_by=Party.SUPPLIER)
    assert await rate(tenant, story, RESPONSE, "") == (0, 1)
    assert await rate(tenant, story, RESPONSE, "quick") == (0, 0)


# --- every way of counting gives the same ---------------------------------------------------------

SUPPLIERS = ("acme", "bolt", "cup")


def _lives(seed: int) -> Story:
    """Orders of three suppliers over 40 days, each with a fate of its own."""
    chance = random.Random(seed)
    story = a_shop()
    story.approve("cup")
    for number in range(25):
        story.now = NOON + chance.uniform(0, 40) * DAY
        order_id = f"shopify/{seed}-{number}"
        chosen = chance.sample(SUPPLIERS, chance.choice((1, 1, 2)))
        lines = [line(n, f"sku-{n}", 1, supplier_id) for n, supplier_id in enumerate(chosen, 1)]
        story.place(*lines, order_id=order_id, promised_by=story.now + chance.uniform(2, 9) * DAY)
        for n, _ in enumerate(chosen, 1):
            _fate(chance, story, f"{order_id}/{n}", n, f"N{seed}x{number}x{n}")
        if chance.random() < 0.4:
            facts = orders.review(story.order(order_id), f"r{number}", chance.randint(1, 5), story.now)
            story._about_order(order_id, facts)
        if chance.random() < 0.1:
            chargeback(story, order_id)
        arrived = story.order(order_id).in_bucket("delivered")
        if arrived and chance.random() < 0.5:
            _complaint(chance, Desk(story), order_id, {int(line_no): 1 for line_no in arrived})
    return story


def _complaint(chance: random.Random, desk: Desk, order_id: str, by_line: dict[int, int]) -> None:
    case_id = order_id.replace("/", "-")
    desk.story.later(days=1)
    desk.opens(chance.choice((Reason.WRONG_ITEM, Reason.DAMAGED, Reason.CHANGED_MIND)), by_line, case_id, order_id)
    if chance.random() < 0.7:
        desk.files(case_id=case_id)
        desk.reviews(case_id)
        desk.rules(chance.choice((Party.SUPPLIER, Party.CUSTOMER)), PHOTO, case_id=case_id)
        if chance.random() < 0.5:
            desk.denies(case_id=case_id)
    elif chance.random() < 0.3:
        desk.cancels(case_id)


def _fate(chance: random.Random, story: Story, supplier_order_id: str, line_no: int, number: str) -> None:
    story.send(supplier_order_id)
    if chance.random() < 0.1:
        story.answer({line_no: reject(1)}, supplier_order_id)
        return
    story.later(hours=chance.uniform(1, 72))
    if chance.random() < 0.8:
        story.ship({line_no: 1}, number=number, supplier_order_id=supplier_order_id)
        if chance.random() < 0.8:
            story.scan(ParcelStatus.IN_TRANSIT, story.now + chance.uniform(0, 30) * HOUR, number=number)
            story.later(days=chance.uniform(1, 9))
            if chance.random() < 0.8:
                story.scan(ParcelStatus.DELIVERED, number=number)


def recorded(tenant: EmptyTenant, changes: Sequence[Change], until: datetime) -> None:
    """Writes the changes down as if they had been recorded one by one, the last of them at an instant."""
    head = write_down(tenant, changes)
    query = """
        UPDATE {}.ledger_events SET recorded_at = %s - (%s - notification_id) * interval '37 minutes'
        WHERE notification_id > %s
    """
    with connect(tenant) as connection:
        connection.execute(SQL(query).format(Identifier(tenant.schema)), (until, head, head - len(changes)))


@asynccontextmanager
async def told(tenant: EmptyTenant, story: Story, until: datetime, page_facts: int = 5000) -> AsyncIterator[Where]:
    recorded(tenant, story.log, until)
    catch_up(tenant, projections=[SUPPLIER_PERFORMANCE], page_facts=page_facts)
    async with asking(tenant) as where:
        yield where


def _figures(rates: Sequence[Rate]) -> dict[RateName, tuple[int, int]]:
    return {each.name: (each.numerator, each.denominator) for each in rates}


@pytest.mark.parametrize("seed", range(4))
async def test_sums_of_the_usual_windows_days_and_single_cases_agree(tenant: EmptyTenant, seed: int):
    chance = random.Random(seed)
    until = NOON + 45 * DAY + chance.uniform(0, 24) * HOUR
    async with told(tenant, _lives(seed), until, page_facts=chance.choice((3, 17, 400))) as where:
        for now in (until, until + HOUR, until - 40 * HOUR, until + 47 * HOUR):
            for supplier_id in (*SUPPLIERS, ""):
                (usual,) = (await scorecards.get_rates(where, supplier_id, Window(now))).rows
                for each in usual.rates:
                    window = Window(now, each.since, each.until)
                    (by_day,) = (await scorecards.get_rates(where, supplier_id, window)).rows
                    found = _figures(by_day.rates)[each.name]
                    assert _figures(usual.rates)[each.name] == found, (each.name, supplier_id, now)
                    cases = await scorecards.list_cases(where, PageOf(1000), each.name, supplier_id, window)
                    in_numerator = sum(case.in_numerator for case in cases.rows)
                    if each.name is AFTER_SALE:
                        assert (in_numerator, len(cases.rows) - in_numerator) == found
                    elif each.name is not SATISFACTION:
                        assert (in_numerator, len(cases.rows)) == found
        assert any(each.denominator for each in usual.rates)


@pytest.mark.parametrize("seed", range(3))
async def test_rates_of_any_window_are_exact_to_the_microsecond(tenant: EmptyTenant, seed: int):
    chance = random.Random(seed)
    async with told(tenant, _lives(seed), NOON + 45 * DAY) as where:
        (whole,) = (await scorecards.get_rates(where, "", Window(NOON + 99 * DAY, NOON - DAY, NOON + 99 * DAY))).rows
        for _ in range(3):
            bounds = [NOON - DAY, *sorted(NOON + chance.uniform(0, 50) * DAY for _ in range(3)), NOON + 99 * DAY]
            parts = [
                _figures((await scorecards.get_rates(where, "", Window(NOON + 99 * DAY, *part))).rows[0].rates)
                for part in pairwise(bounds)
            ]
            for name, figures in _figures(whole.rates).items():
                assert (sum(p[name][0] for p in parts), sum(p[name][1] for p in parts)) == figures


async def test_a_case_at_the_very_bounds_of_a_window_is_in_it_once(tenant: EmptyTenant):
    story = sent()
    due = NOON + 48 * HOUR
    moment = timedelta(microseconds=1)
    assert await rate(tenant, story, DISPATCH, window=Window(LATER, due, due + moment)) == (0, 1)
    assert await rate(tenant, story, DISPATCH, window=Window(LATER, due + moment, LATER)) == (0, 0)
    assert await rate(tenant, story, DISPATCH, window=Window(LATER, NOON, due)) == (0, 0)
    assert await rate(tenant, story, DISPATCH, window=Window(due, NOON, LATER)) == (0, 1)
    assert await rate(tenant, story, DISPATCH, window=Window(due - moment, NOON, LATER)) == (0, 0)


async def test_the_sums_do_not_depend_on_how_the_log_is_cut_into_pages(tenant: EmptyTenant):
    recorded(tenant, _lives(9).log, NOON + 45 * DAY)
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
    story = _lives(5)
    async with told(tenant, story, NOON + 45 * DAY, page_facts=11):
        comparison = verify(tenant, "supplier_performance")
    assert comparison.equal, str(comparison)


# --- targets are agreed ---------------------------------------------------------------------------


async def target(tenant: EmptyTenant, name: RateName, at: datetime, supplier_id: str = "acme") -> int | None:
    async with asking(tenant) as where:
        (card,) = (await scorecards.get_rates(where, supplier_id, Window(at))).rows
    (found,) = (each for each in card.rates if each.name is name)
    return found.target_basis_points


async def test_targets_hold_from_the_date_that_was_agreed(tenant: EmptyTenant):
    strict = Policy(targets=Targets(on_time_dispatch=9_900))
    catch_up(tenant, policies.agree(None, strict, NOON + DAY, NOON))
    assert await target(tenant, DISPATCH, NOON + DAY - HOUR) == 9_500
    assert await target(tenant, DISPATCH, NOON + DAY) == 9_900


async def test_the_supplier_s_agreement_says_how_much_is_to_be_acknowledged_in_time(tenant: EmptyTenant):
    story = a_shop()
    since = NOON + DAY
    agreed = suppliers.Agreement(since, NOON + 5 * DAY, acknowledgement_target_basis_points=9_800)
    facts = suppliers.agree_terms(story.supplier(), agreed, NOON)
    story.record((suppliers.stream("acme"), fact) for fact in facts)
    catch_up(tenant, story.log)
    assert await target(tenant, ACKNOWLEDGE, NOON) == 9_500
    assert await target(tenant, ACKNOWLEDGE, since) == 9_800
    assert await target(tenant, ACKNOWLEDGE, NOON + 5 * DAY) == 9_500
    assert await target(tenant, ACKNOWLEDGE, since, "bolt") == 9_500
    assert await target(tenant, DISPATCH, since) == 9_500


# --- all suppliers at once ------------------------------------------------------------------------


async def test_a_ranking_shows_every_supplier_as_its_scorecard_does(tenant: EmptyTenant):
    until = NOON + 45 * DAY
    async with told(tenant, _lives(2), until) as where:
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
    story = a_shop()
    story.approve("cup")
    for number, supplier_id in enumerate(("acme", "acme", "cup")):
        story.place(line(1, f"sku-{number}", 1, supplier_id), order_id=f"shopify/{number}")
        story.send(f"shopify/{number}/1")
    story.ship(number="P0", supplier_order_id="shopify/0/1")
    story.later(hours=49)
    story.ship(number="P1", supplier_order_id="shopify/1/1")
    story.ship(number="P2", supplier_order_id="shopify/2/1")
    catch_up(tenant, story.log)
    async with asking(tenant) as where:
        ranking = await scorecards.rank(where, Window(LATER), name)
    assert ranking.supplier_ids == order


async def test_without_suppliers_a_ranking_is_empty(tenant: EmptyTenant):
    catch_up(tenant, policies.agree(None, Policy(return_window_days=3), NOON, NOON))
    async with asking(tenant) as where:
        for now in (NOON, datetime.now(UTC)):
            assert (await scorecards.rank(where, Window(now))).supplier_ids == []


# --- how a rate moves -----------------------------------------------------------------------------


def test_the_weeks_of_a_period_begin_on_mondays_and_its_months_on_the_first():
    assert NOON.weekday() == 0
    weeks = steps(NOON + DAY, NOON + 15 * DAY, Step.WEEK)
    midnight = NOON - 12 * HOUR
    assert weeks == [
        (NOON + DAY, midnight + 7 * DAY),
        (midnight + 7 * DAY, midnight + 14 * DAY),
        (midnight + 14 * DAY, NOON + 15 * DAY),
    ]
    months = steps(datetime(2026, 11, 20, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), Step.MONTH)
    assert [begin.month for begin, _ in months] == [11, 12]


@pytest.mark.parametrize("step", Step)
async def test_a_trend_counts_each_part_as_a_window_of_its_own(tenant: EmptyTenant, step: Step):
    now = NOON + 30 * DAY
    async with told(tenant, _lives(3), NOON + 45 * DAY) as where:
        for supplier_id in ("acme", ""):
            for name in RateName:
                since, until = NOON + 5 * HOUR, NOON + 44 * DAY
                answer = await scorecards.get_trend(where, supplier_id, name, since, until, step, now)
                assert [(each.since, each.until) for each in answer.rows] == steps(since, until, step)
                for part in answer.rows:
                    window = Window(now, part.since, part.until)
                    (card,) = (await scorecards.get_rates(where, supplier_id, window)).rows
                    assert _figures(card.rates)[name] == (part.numerator, part.denominator)


async def test_each_part_of_a_trend_has_the_target_of_its_end(tenant: EmptyTenant):
    catch_up(tenant, policies.agree(None, Policy(targets=Targets(cancellation=100)), NOON + 10 * DAY, NOON))
    async with asking(tenant) as where:
        answer = await scorecards.get_trend(
            where, "", RateName.CANCELLATION, NOON, NOON + 21 * DAY, Step.WEEK, NOON + 30 * DAY
        )
    assert [each.target_basis_points for each in answer.rows] == [250, 100, 100, 100]


# --- what follows from rates ----------------------------------------------------------------------


def _late(story: Story, count: int, supplier_id: str = "acme", first: int = 0) -> None:
    """So many orders, each shipped late."""
    for number in range(first, first + count):
        order_id = f"shopify/{supplier_id}-{number}"
        story.place(line(1, "cup", 1, supplier_id), order_id=order_id)
        story.send(f"{order_id}/1")
    story.later(hours=49)
    for number in range(first, first + count):
        story.ship(number=f"{supplier_id}x{number}", supplier_order_id=f"shopify/{supplier_id}-{number}/1")


async def test_a_rate_that_crossed_its_target_over_twenty_cases_is_found_until_it_is_recorded(tenant: EmptyTenant):
    story = a_shop()
    _late(story, 19)
    _late(story, 20, "bolt")
    now = story.later(days=1)
    async with told(tenant, story, now) as where:
        (crossing,) = (await reviewing.crossings(where, now)).rows
        assert crossing.supplier_id == "bolt"
        assert {each.name for each in crossing.rates} == {
            DISPATCH,
            ACKNOWLEDGE,
            LATE,
            RateName.LATE_SHIPMENT_10_DAYS,
            RateName.VALID_TRACKING,
        }
        noticed = suppliers.notice_rates(story.supplier("bolt"), crossing.rates, Policy(), now)
        catch_up(tenant, [(suppliers.stream("bolt"), fact) for fact in noticed])
        assert (await reviewing.crossings(where, now)).rows == []
        proposed = (await reviewing.list_proposals(where, PageOf(), "bolt", ProposalState.OPEN)).rows
        assert {each.proposal.rate for each in proposed} == set(crossing.rates)
        # Seventy days later nothing of it is in the windows, which says neither this nor that.
        assert (await reviewing.crossings(where, now + 70 * DAY)).rows == []


async def test_proposals_are_listed_by_page_and_state(tenant: EmptyTenant):
    story = a_shop()
    for supplier_id in ("acme", "bolt"):
        rates = [Rate(name, 10, 20, NOON - DAY, NOON, Targets().of(name)) for name in (DISPATCH, LATE)]
        facts = suppliers.notice_rates(story.supplier(supplier_id), rates, Policy(), NOON)
        story.record((suppliers.stream(supplier_id), fact) for fact in facts)
    dismissed = suppliers.dismiss_suspension(story.supplier("bolt"), LATE, "a flood", NOON)
    story.record((suppliers.stream("bolt"), fact) for fact in dismissed)
    catch_up(tenant, story.log)
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
    story = a_shop()
    due = NOON + 91 * DAY
    catch_up(tenant, story.log)
    async with asking(tenant) as where:
        assert (await reviewing.list_reviews_due(where, PageOf(), due, due)).rows == []
        found = (await reviewing.list_reviews_due(where, PageOf(), due + HOUR, due)).rows
        assert [(each.supplier_id, each.due, each.verdict) for each in found] == [
            ("acme", due, None),
            ("bolt", due, None),
        ]
        seen = Seen(NOON, due, 1, (Rate(DISPATCH, 19, 20, NOON, due, 9_500),))
        facts = suppliers.review(story.supplier(), seen, Policy(), due)
        catch_up(tenant, [(suppliers.stream("acme"), fact) for fact in facts])
        found = (await reviewing.list_reviews_due(where, PageOf(), due + 100 * DAY, due)).rows
        assert [(each.supplier_id, each.due) for each in found] == [("bolt", due), ("acme", due + 91 * DAY)]
        assert (found[1].reviewed_at, found[1].score_basis_points, found[1].verdict) == (due, 10_000, Verdict.KEEP)
        page = await reviewing.list_reviews_due(where, PageOf(1), due + 100 * DAY, due)
        rest = await reviewing.list_reviews_due(where, PageOf(1, page.next_page_token), due + 100 * DAY, due)
        assert [each.supplier_id for each in (*page.rows, *rest.rows)] == ["bolt", "acme"]


async def test_how_often_suppliers_are_reviewed_is_agreed_and_the_retired_are_not(tenant: EmptyTenant):
    story = a_shop()
    retired = suppliers.retire(story.supplier("bolt"), "", NOON)
    story.record((suppliers.stream("bolt"), fact) for fact in retired)
    story.record(policies.agree(None, Policy(review_every_days=10), NOON, NOON))
    catch_up(tenant, story.log)
    async with asking(tenant) as where:
        found = (await reviewing.list_reviews_due(where, PageOf(), NOON + 11 * DAY, NOON)).rows
    assert [(each.supplier_id, each.due) for each in found] == [("acme", NOON + 10 * DAY)]


async def test_a_review_sees_the_rates_of_its_period_at_a_position(tenant: EmptyTenant):
    story = shipped()
    head = catch_up(tenant, story.log)
    async with asking(tenant, head) as where:
        seen = await reviewing.see(where, "acme", None, None, LATER)
        assert (seen.since, seen.until, seen.position) == (LATER - 91 * DAY, LATER, head)
        assert _figures(seen.rates)[DISPATCH] == (1, 1)
        earlier = await reviewing.see(where, "acme", NOON - DAY, NOON, LATER)
        assert _figures(earlier.rates)[DISPATCH] == (0, 0)
