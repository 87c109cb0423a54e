"""What each rate of a supplier counts, case by case."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.nouns import orders
from ledger.nouns.cases import Reason, Remedy
from ledger.nouns.parcels import ParcelStatus
from ledger.nouns.suppliers import Agreement
from ledger.terms.parties import Party
from ledger.terms.rates import RateName, RateStatus
from projections.machine.reads import PageOf
from projections.supplier_performance import counted, scorecards
from projections.supplier_performance.windows import Window
from tests.support.casework import PHOTO, Desk, approved, opened, ruled
from tests.support.projecting import asking, catch_up
from tests.support.rating import ALL_TIME, LATER, chargeback, rate_so_far
from tests.support.scenario import DAY, FIRST, HOUR, NOON, ORDER, SECOND, Scenario, a_shop, line, sent, shipped
from tests.support.stalls import EmptyTenant

DISPATCH, LATE, DEFECT = RateName.ON_TIME_DISPATCH, RateName.LATE_SHIPMENT_30_DAYS, RateName.ORDER_DEFECT
SATISFACTION = RateName.SATISFACTION

ERROR = RateName.ORDER_ERROR

AFTER_SALE = RateName.AFTER_SALE

RESPONSE = RateName.RESPONSE


# --- late shipment --------------------------------------------------------------------------------


async def test_what_is_reported_as_shipped_after_its_deadline_is_a_late_shipment(tenant: EmptyTenant):
    scenario = sent()
    scenario.later(hours=49)
    scenario.ship()
    assert await rate_so_far(tenant, scenario, LATE) == (1, 1)
    assert await rate_so_far(tenant, scenario, LATE, "") == (1, 1)


async def test_a_first_scan_after_the_deadline_makes_no_late_shipment_of_what_was_confirmed_in_time(
    tenant: EmptyTenant,
):
    scenario = shipped()
    scenario.later(hours=49)
    scenario.scan(ParcelStatus.IN_TRANSIT)
    assert await rate_so_far(tenant, scenario, LATE) == (0, 1)
    assert await rate_so_far(tenant, scenario, DISPATCH) == (0, 1)


async def test_what_was_not_shipped_is_no_late_shipment_but_counts_as_an_order(tenant: EmptyTenant):
    scenario = sent()
    scenario.later(days=10)
    assert await rate_so_far(tenant, scenario, LATE) == (0, 1)


async def test_late_shipments_are_counted_over_10_and_over_30_days_by_when_the_order_was_placed(tenant: EmptyTenant):
    scenario = sent()
    scenario.later(hours=49)
    scenario.ship()
    catch_up(tenant, scenario.log)
    async with asking(tenant) as where:
        for days, ten, thirty in ((10, 1, 1), (11, 0, 1), (30, 0, 1), (31, 0, 0)):
            (card,) = (await scorecards.get_rates(where, "acme", Window(NOON + days * DAY))).rows
            found = {each.name: each.denominator for each in card.rates}
            assert (found[RateName.LATE_SHIPMENT_10_DAYS], found[LATE]) == (ten, thirty)


# --- order defects --------------------------------------------------------------------------------


@pytest.mark.parametrize(("stars", "defects"), [(1, 1), (2, 1), (3, 0), (5, 0)])
async def test_a_review_of_one_or_two_stars_is_an_order_defect(tenant: EmptyTenant, stars: int, defects: int):
    scenario = sent()
    scenario.review(stars)
    assert await rate_so_far(tenant, scenario, DEFECT) == (defects, 1)
    assert await rate_so_far(tenant, scenario, DEFECT, "") == (defects, 1)


async def test_a_chargeback_is_an_order_defect(tenant: EmptyTenant):
    scenario = sent()
    assert await rate_so_far(tenant, scenario, DEFECT) == (0, 1)
    chargeback(scenario)
    assert await rate_so_far(tenant, scenario, DEFECT) == (1, 1)


async def test_an_order_has_at_most_one_defect(tenant: EmptyTenant):
    scenario = sent()
    scenario.review(1, "r1")
    scenario.review(2, "r2")
    chargeback(scenario)
    assert await rate_so_far(tenant, scenario, DEFECT) == (1, 1)
    assert await rate_so_far(tenant, scenario, DEFECT, "") == (1, 1)


async def test_a_defect_counts_for_every_supplier_of_the_order_and_once_for_all_together(tenant: EmptyTenant):
    scenario = sent(line(1, "tea", 1), line(2, "ink", 1, "bolt"))
    scenario.review(1)
    assert [await rate_so_far(tenant, scenario, DEFECT, each) for each in ("acme", "bolt", "")] == [(1, 1)] * 3


async def test_an_order_without_a_supplier_order_counts_for_all_together_alone(tenant: EmptyTenant):
    scenario = a_shop()
    scenario.place(payment=orders.PaymentState.PENDING)
    chargeback(scenario)
    assert await rate_so_far(tenant, scenario, DEFECT, "") == (1, 1)
    assert await rate_so_far(tenant, scenario, DEFECT) == (0, 0)


async def test_a_case_is_an_order_defect_until_it_is_denied(tenant: EmptyTenant):
    desk = opened(Reason.DAMAGED)
    assert await rate_so_far(tenant, desk.scenario, DEFECT) == (1, 1)
    assert await rate_so_far(tenant, desk.scenario, DEFECT, "") == (1, 1)
    desk.files()
    desk.reviews()
    desk.rules(Party.CUSTOMER, PHOTO)
    desk.denies()
    assert await rate_so_far(tenant, desk.scenario, DEFECT) == (0, 1)
    assert await rate_so_far(tenant, desk.scenario, DEFECT, "") == (0, 1)


async def test_a_case_that_was_cancelled_is_no_order_defect(tenant: EmptyTenant):
    desk = opened(Reason.QUALITY)
    desk.cancels()
    assert await rate_so_far(tenant, desk.scenario, DEFECT) == (0, 1)


async def test_who_changed_its_mind_found_no_fault(tenant: EmptyTenant):
    assert await rate_so_far(tenant, opened(Reason.CHANGED_MIND).scenario, DEFECT) == (0, 1)


async def test_a_case_is_a_defect_only_of_the_supplier_whose_goods_it_is_about(tenant: EmptyTenant):
    scenario = sent(line(1, "tea", 1), line(2, "ink", 1, "bolt"))
    for supplier_order_id, number in ((FIRST, "P1"), (SECOND, "P2")):
        scenario.ship(supplier_order_id=supplier_order_id, number=number)
        scenario.scan(ParcelStatus.DELIVERED, number=number)
    Desk(scenario).opens(Reason.DAMAGED, {2: 1})
    assert await rate_so_far(tenant, scenario, DEFECT, "bolt") == (1, 1)
    assert await rate_so_far(tenant, scenario, DEFECT, "acme") == (0, 1)
    assert await rate_so_far(tenant, scenario, DEFECT, "") == (1, 1)


async def test_what_is_sent_once_more_is_no_order_of_its_own(tenant: EmptyTenant):
    desk = approved(Remedy.RESHIP)
    assert await rate_so_far(tenant, desk.scenario, DEFECT) == (1, 1)
    assert await rate_so_far(tenant, desk.scenario, DEFECT, "") == (1, 1)


# --- satisfaction ---------------------------------------------------------------------------------


async def test_satisfaction_is_the_sum_of_stars_over_the_reviews_of_a_window(tenant: EmptyTenant):
    scenario = sent()
    scenario.review(5, "r1")
    scenario.later(days=2)
    scenario.review(2, "r2")
    assert await rate_so_far(tenant, scenario, SATISFACTION) == (7, 2)
    assert await rate_so_far(tenant, scenario, SATISFACTION, "") == (7, 2)
    window = Window(LATER, NOON + DAY, LATER)
    assert await rate_so_far(tenant, scenario, SATISFACTION, window=window) == (2, 1)


async def test_satisfaction_is_only_reported(tenant: EmptyTenant):
    scenario = sent()
    scenario.review(1)
    catch_up(tenant, scenario.log)
    async with asking(tenant) as where:
        (card,) = (await scorecards.get_rates(where, "acme", ALL_TIME)).rows
    (found,) = (each for each in card.rates if each.name is SATISFACTION)
    assert (found.target_basis_points, found.status) == (None, RateStatus.REPORT_ONLY)


async def test_the_cases_of_a_defect_and_of_satisfaction_are_listed(tenant: EmptyTenant):
    scenario = sent(line(1, "tea", 1), line(2, "ink", 1, "bolt"))
    scenario.review(1)
    catch_up(tenant, scenario.log)
    async with asking(tenant) as where:
        for supplier_id in ("acme", "bolt", ""):
            found = (await counted.list_cases(where, PageOf(), DEFECT, supplier_id, ALL_TIME)).rows
            assert [(each.object_id, each.in_numerator) for each in found] == [(ORDER, True)]
            found = (await counted.list_cases(where, PageOf(), SATISFACTION, supplier_id, ALL_TIME)).rows
            assert [each.object_id for each in found] == [f"{ORDER}/r1"]


# --- order errors ---------------------------------------------------------------------------------


def packed(*packed_with: str) -> Scenario:
    """A supplier order that was to be packed with a label, and with what it was."""
    scenario = a_shop()
    scenario.approve("acme", packing=("logo_label",))
    scenario.place(line(1, "tea", 3), packing=("logo_label",))
    scenario.send()
    scenario.pack(*packed_with)
    return scenario


@pytest.mark.parametrize(("packed_with", "errors"), [((), 1), (("logo_label",), 0)])
async def test_what_was_shipped_without_its_brand_pack_is_an_order_error(
    tenant: EmptyTenant, packed_with: tuple[str, ...], errors: int
):
    scenario = packed(*packed_with)
    assert await rate_so_far(tenant, scenario, ERROR) == (0, 0)
    scenario.later(days=1)
    scenario.ship()
    assert await rate_so_far(tenant, scenario, ERROR) == (errors, 1)
    assert await rate_so_far(tenant, scenario, ERROR, "") == (errors, 1)


async def test_what_was_packed_anew_before_it_left_is_no_order_error(tenant: EmptyTenant):
    scenario = packed()
    scenario.pack("logo_label")
    scenario.ship()
    assert await rate_so_far(tenant, scenario, ERROR) == (0, 1)


async def test_an_order_error_counts_by_when_it_was_shipped(tenant: EmptyTenant):
    scenario = packed()
    shipped_at = scenario.later(days=1)
    scenario.ship()
    assert await rate_so_far(tenant, scenario, ERROR, window=Window(LATER, shipped_at, shipped_at + HOUR)) == (1, 1)
    assert await rate_so_far(tenant, scenario, ERROR, window=Window(LATER, NOON, shipped_at)) == (0, 0)


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
    assert await rate_so_far(tenant, desk.scenario, ERROR) == (0, 1)
    desk.files()
    desk.reviews()
    desk.rules(liable, PHOTO)
    assert await rate_so_far(tenant, desk.scenario, ERROR) == (errors, 1)
    assert await rate_so_far(tenant, desk.scenario, ERROR, "") == (errors, 1)


async def test_a_ruling_that_is_reopened_is_an_order_error_no_more(tenant: EmptyTenant):
    desk = ruled(Party.SUPPLIER, Reason.WRONG_ITEM)
    assert await rate_so_far(tenant, desk.scenario, ERROR) == (1, 1)
    desk.denies()
    assert await rate_so_far(tenant, desk.scenario, ERROR) == (0, 1)


# --- the after-sale rate --------------------------------------------------------------------------


async def test_the_after_sale_rate_is_cases_opened_over_orders_delivered(tenant: EmptyTenant):
    desk = opened(Reason.DAMAGED)
    desk.opens(Reason.QUALITY, case_id="case-2")
    assert await rate_so_far(tenant, desk.scenario, AFTER_SALE) == (2, 1)
    assert await rate_so_far(tenant, desk.scenario, AFTER_SALE, "") == (2, 1)
    desk.cancels("case-2")
    assert await rate_so_far(tenant, desk.scenario, AFTER_SALE) == (1, 1)


async def test_cases_and_deliveries_count_each_by_its_own_time(tenant: EmptyTenant):
    scenario = shipped()
    scenario.scan(ParcelStatus.DELIVERED)
    scenario.later(days=3)
    Desk(scenario).opens(Reason.DAMAGED)
    window = Window(LATER, NOON + 2 * DAY, LATER)
    assert await rate_so_far(tenant, scenario, AFTER_SALE, window=window) == (1, 0)
    assert await rate_so_far(tenant, scenario, AFTER_SALE, window=Window(LATER, NOON, NOON + 2 * DAY)) == (0, 1)


# --- response -------------------------------------------------------------------------------------


def asked(asked_of: Party = Party.SUPPLIER, **more: Any) -> Scenario:
    """A question about a supplier order, to be answered within a day."""
    scenario = a_shop()
    scenario.approve("quick", Agreement(NOON - DAY, answer_within_hours=24))
    scenario.place(line(1, "tin", 1, "quick"))
    scenario.send()
    scenario.ask(asked_of=asked_of, **more)
    return scenario


@pytest.mark.parametrize(("hours", "expected"), [(1, (1, 1)), (24, (1, 1)), (25, (0, 1))])
async def test_a_message_counts_by_when_it_was_first_answered(
    tenant: EmptyTenant, hours: int, expected: tuple[int, int]
):
    scenario = asked()
    scenario.later(hours=hours)
    scenario.answer_inquiry()
    scenario.later(days=1)
    scenario.answer_inquiry(by="another")
    assert await rate_so_far(tenant, scenario, RESPONSE, "quick") == expected
    assert await rate_so_far(tenant, scenario, RESPONSE, "") == expected


async def test_a_message_without_an_answer_counts_once_it_is_due(tenant: EmptyTenant):
    scenario = asked()
    due, window = NOON + DAY, (NOON, NOON + 90 * DAY)
    assert await rate_so_far(tenant, scenario, RESPONSE, "quick", Window(due - HOUR, *window)) == (0, 0)
    assert await rate_so_far(tenant, scenario, RESPONSE, "quick", Window(due, *window)) == (0, 1)


async def test_of_a_message_that_was_closed_in_time_no_answer_is_owed(tenant: EmptyTenant):
    scenario = asked()
    scenario.later(hours=20)
    scenario.close_inquiry()
    assert await rate_so_far(tenant, scenario, RESPONSE, "quick") == (0, 0)


async def test_what_the_retailer_is_asked_counts_for_all_together_alone(tenant: EmptyTenant):
    scenario = asked(Party.RETAILER, asked_by=Party.SUPPLIER)
    assert await rate_so_far(tenant, scenario, RESPONSE, "") == (0, 1)
    assert await rate_so_far(tenant, scenario, RESPONSE, "quick") == (0, 0)
