"""The rates of DOMAIN 7 and the figures over everything, each with its edges."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from ledger.decisions import cancelling
from ledger.facts import order_of
from ledger.nouns.cases import Remedy
from ledger.nouns.orders import HoldReason, PaymentState
from ledger.nouns.orders.supplier_orders import LineAnswer
from ledger.nouns.parcels import ParcelStatus
from ledger.terms.rates import RateName
from ledger.terms.rates import RateStatus as Status
from projections.machine.reads import PageOf
from projections.supplier_performance import counted, scorecards, totals
from projections.supplier_performance.totals import SupplierTotal
from projections.supplier_performance.windows import Window
from tests.support.casework import RESHIP, approved
from tests.support.projecting import asking, catch_up
from tests.support.rating import ALL_TIME, LATER, rate, rates
from tests.support.scenario import (
    DAY,
    FIRST,
    HOUR,
    NOON,
    ORDER,
    SECOND,
    Scenario,
    a_shop,
    accept,
    confirmed,
    line,
    reject,
    scan,
    sent,
    shipped,
)
from tests.support.stalls import EmptyTenant

DISPATCH, ACKNOWLEDGE = RateName.ON_TIME_DISPATCH, RateName.ACKNOWLEDGEMENT
GOOD_NUMBER = "3318810025"
"""A number with the right check digit."""
TRACKING, DELIVERY, CANCELLATION = RateName.VALID_TRACKING, RateName.ON_TIME_DELIVERY, RateName.CANCELLATION


def cancelled_by(scenario: Scenario, by: str, supplier_order_id: str = FIRST) -> None:
    """The whole order is cancelled on somebody's wish, and the supplier agrees."""
    order_id = order_of(supplier_order_id)
    scenario.record(cancelling.cancel(scenario.book, order_id, {}, by, "why", scenario.now, scenario.now))
    for each in scenario.order(order_id).supplier_orders.values():
        if each.cancel_asked:
            scenario.answer_cancel(agreed=True, supplier_order_id=each.supplier_order_id)


# --- no data --------------------------------------------------------------------------------------


async def test_without_cases_every_rate_has_no_data(tenant: EmptyTenant):
    found = await rates(tenant, a_shop())
    assert [(each.numerator, each.denominator, each.status) for each in found.values()] == [
        (0, 0, Status.NO_DATA)
    ] * len(RateName)


async def test_a_supplier_that_nobody_knows_has_no_data(tenant: EmptyTenant):
    assert await rate(tenant, sent(), DISPATCH, supplier_id="nobody") == (0, 0)


# --- on-time dispatch -----------------------------------------------------------------------------


async def test_a_dispatch_by_its_deadline_is_on_time(tenant: EmptyTenant):
    assert await rate(tenant, shipped(), DISPATCH) == (1, 1)


async def test_a_dispatch_at_the_very_deadline_is_on_time(tenant: EmptyTenant):
    scenario = sent()
    scenario.later(hours=48)
    scenario.ship()
    assert await rate(tenant, scenario, DISPATCH) == (1, 1)


async def test_a_dispatch_after_the_deadline_is_late(tenant: EmptyTenant):
    scenario = sent()
    scenario.later(hours=49)
    scenario.ship()
    assert await rate(tenant, scenario, DISPATCH) == (0, 1)


async def test_the_carriers_first_scan_counts_before_the_suppliers_word(tenant: EmptyTenant):
    scenario = shipped()
    scenario.later(hours=49)
    scenario.scan(ParcelStatus.IN_TRANSIT)
    assert await rate(tenant, scenario, DISPATCH) == (0, 1)


async def test_a_label_is_no_scan(tenant: EmptyTenant):
    scenario = shipped()
    scenario.later(hours=49)
    scenario.scan(ParcelStatus.REGISTERED)
    assert await rate(tenant, scenario, DISPATCH) == (1, 1)


async def test_the_last_of_several_parcels_counts(tenant: EmptyTenant):
    scenario = sent()
    scenario.ship({1: 1}, number="P1")
    scenario.later(hours=50)
    scenario.ship({1: 2}, number="P2")
    assert await rate(tenant, scenario, DISPATCH) == (0, 1)
    before = len(scenario.log)
    scenario.scan(ParcelStatus.IN_TRANSIT, NOON + 40 * HOUR, number="P2")
    scenario.log[:before] = []
    assert await rate(tenant, scenario, DISPATCH) == (1, 1)


async def test_what_is_not_shipped_counts_as_late_once_it_is_due(tenant: EmptyTenant):
    scenario = sent()
    due = NOON + 48 * HOUR
    window = (NOON, NOON + 90 * DAY)
    assert await rate(tenant, scenario, DISPATCH, Window(due - HOUR, *window)) == (0, 0)
    scenario.log.clear()
    assert await rate(tenant, scenario, DISPATCH, Window(due, *window)) == (0, 1)


async def test_a_part_that_is_not_shipped_counts_as_late(tenant: EmptyTenant):
    scenario = sent()
    scenario.ship({1: 2})
    assert await rate(tenant, scenario, DISPATCH) == (0, 1)


async def test_the_deadline_puts_it_into_the_window(tenant: EmptyTenant):
    scenario = shipped()
    due = NOON + 48 * HOUR
    assert await rate(tenant, scenario, DISPATCH, Window(LATER, due, due + HOUR)) == (1, 1)
    scenario.log.clear()
    assert await rate(tenant, scenario, DISPATCH, Window(LATER, due + timedelta(seconds=1), LATER)) == (0, 0)
    assert await rate(tenant, scenario, DISPATCH, Window(LATER, NOON, due)) == (0, 0)
    # Without bounds: the 90 days up to now.
    assert await rate(tenant, scenario, DISPATCH, Window(due + 90 * DAY)) == (1, 1)
    assert await rate(tenant, scenario, DISPATCH, Window(due + 91 * DAY)) == (0, 0)


async def test_what_the_customer_cancelled_before_the_deadline_does_not_count(tenant: EmptyTenant):
    scenario = sent()
    scenario.later(hours=47)
    cancelled_by(scenario, "customer")
    assert await rate(tenant, scenario, DISPATCH) == (0, 0)


@pytest.mark.parametrize("shipped", [{}, {1: 2}])
async def test_what_the_customer_cancelled_when_it_was_late_counts_as_late(
    tenant: EmptyTenant, shipped: dict[int, int]
):
    scenario = sent()
    if shipped:
        scenario.ship(shipped)
    scenario.later(hours=60)
    cancelled_by(scenario, "customer")
    assert await rate(tenant, scenario, DISPATCH) == (0, 1)


async def test_what_the_retailer_cancelled_is_not_held_against_the_supplier(tenant: EmptyTenant):
    scenario = sent()
    cancelled_by(scenario, "retailer")
    assert await rate(tenant, scenario, DISPATCH) == (0, 0)


async def test_what_the_supplier_had_cancelled_counts_as_late(tenant: EmptyTenant):
    scenario = sent()
    cancelled_by(scenario, "supplier")
    assert await rate(tenant, scenario, DISPATCH) == (0, 1)


async def test_what_the_supplier_turned_down_does_not_count(tenant: EmptyTenant):
    scenario = sent()
    scenario.answer({1: reject(3)})
    assert await rate(tenant, scenario, DISPATCH) == (0, 0)


async def test_what_was_shipped_counts_though_the_customer_cancelled_the_rest(tenant: EmptyTenant):
    scenario = sent()
    scenario.ship({1: 2})
    cancelled_by(scenario, "customer")
    assert await rate(tenant, scenario, DISPATCH) == (1, 1)


async def test_what_stands_still_on_a_hold_does_not_count_until_it_is_released(tenant: EmptyTenant):
    scenario = sent()
    scenario.later(hours=24)
    scenario.hold(HoldReason.CUSTOMER_REQUEST)
    scenario.later(hours=48)
    assert await rate(tenant, scenario, DISPATCH) == (0, 0)
    scenario.log.clear()
    scenario.release(HoldReason.CUSTOMER_REQUEST)
    scenario.later(hours=20)
    scenario.ship()
    # 92 hours after it was sent, but it stood still for 48 of them.
    assert await rate(tenant, scenario, DISPATCH) == (1, 1)


async def test_after_the_release_it_is_late_by_the_moved_deadline(tenant: EmptyTenant):
    scenario = sent()
    scenario.later(hours=24)
    scenario.hold(HoldReason.CUSTOMER_REQUEST)
    scenario.later(hours=48)
    scenario.release(HoldReason.CUSTOMER_REQUEST)
    moved = NOON + 96 * HOUR
    assert await rate(tenant, scenario, DISPATCH, Window(moved - HOUR, NOON, LATER)) == (0, 0)
    scenario.log.clear()
    assert await rate(tenant, scenario, DISPATCH, Window(moved, NOON, LATER)) == (0, 1)


async def test_a_hold_after_the_deadline_excuses_nothing(tenant: EmptyTenant):
    scenario = sent()
    scenario.later(hours=50)
    scenario.hold(HoldReason.CUSTOMER_REQUEST)
    assert await rate(tenant, scenario, DISPATCH) == (0, 1)


async def test_a_draft_has_no_deadline(tenant: EmptyTenant):
    assert await rate(tenant, confirmed(), DISPATCH) == (0, 0)


# --- acknowledgement ------------------------------------------------------------------------------


@pytest.mark.parametrize(("hours", "expected"), [(1, (1, 1)), (24, (1, 1)), (25, (0, 1))])
async def test_an_answer_counts_by_when_it_came(tenant: EmptyTenant, hours: int, expected: tuple[int, int]):
    scenario = sent()
    scenario.later(hours=hours)
    scenario.answer({1: accept(3)})
    assert await rate(tenant, scenario, ACKNOWLEDGE) == expected


async def test_no_answer_counts_as_late_once_it_is_due(tenant: EmptyTenant):
    scenario = sent()
    assert await rate(tenant, scenario, ACKNOWLEDGE, Window(NOON + 23 * HOUR, NOON, LATER)) == (0, 0)
    scenario.log.clear()
    assert await rate(tenant, scenario, ACKNOWLEDGE, Window(NOON + 24 * HOUR, NOON, LATER)) == (0, 1)


async def test_who_says_no_in_time_has_answered_in_time(tenant: EmptyTenant):
    scenario = sent()
    scenario.answer({1: LineAnswer(rejected=3)})
    assert await rate(tenant, scenario, ACKNOWLEDGE) == (1, 1)


async def test_who_ships_without_a_word_has_acknowledged(tenant: EmptyTenant):
    assert await rate(tenant, shipped(), ACKNOWLEDGE) == (1, 1)


async def test_what_the_customer_cancelled_needs_no_answer(tenant: EmptyTenant):
    scenario = sent()
    cancelled_by(scenario, "customer")
    assert await rate(tenant, scenario, ACKNOWLEDGE) == (0, 0)


# --- valid tracking -------------------------------------------------------------------------------


async def test_a_parcel_is_trackable_once_it_was_scanned(tenant: EmptyTenant):
    scenario = sent()
    scenario.ship(number=GOOD_NUMBER)
    assert await rate(tenant, scenario, TRACKING) == (0, 1)
    scenario.log.clear()
    scenario.scan(ParcelStatus.REGISTERED, number=GOOD_NUMBER)
    assert await rate(tenant, scenario, TRACKING) == (0, 1)
    scenario.log.clear()
    scenario.scan(ParcelStatus.IN_TRANSIT, number=GOOD_NUMBER)
    assert await rate(tenant, scenario, TRACKING) == (1, 1)


async def test_a_warning_alone_does_not_make_a_number_invalid(tenant: EmptyTenant):
    scenario = shipped()
    assert scenario.parcel().warnings == ("no known format of dhl",)
    scenario.scan(ParcelStatus.IN_TRANSIT)
    assert await rate(tenant, scenario, TRACKING) == (1, 1)


async def test_a_scan_of_an_earlier_use_makes_nothing_valid_and_nothing_on_time(tenant: EmptyTenant):
    scenario = sent(promised_by=NOON + DAY)
    scenario.later(hours=50)
    scenario.ship()
    scenario.scans(scan(ParcelStatus.IN_TRANSIT, NOON - 9 * DAY), scan(ParcelStatus.DELIVERED, NOON - 8 * DAY))
    assert await rate(tenant, scenario, TRACKING) == (0, 1)
    scenario.log.clear()
    assert await rate(tenant, Scenario(), DISPATCH) == (0, 1)
    assert await rate(tenant, Scenario(), DELIVERY) == (0, 1)


async def test_what_came_back_to_its_sender_was_not_delivered_on_time(tenant: EmptyTenant):
    scenario = shipped(promised_by=NOON + 5 * DAY)
    scenario.scans(scan(ParcelStatus.RETURNED, NOON + DAY), scan(ParcelStatus.DELIVERED, NOON + 2 * DAY))
    assert await rate(tenant, scenario, DELIVERY) == (0, 1)


async def test_registration_puts_a_parcel_into_the_window(tenant: EmptyTenant):
    scenario = shipped()
    assert await rate(tenant, scenario, TRACKING, Window(LATER, NOON, NOON + HOUR)) == (0, 1)
    assert await rate(tenant, Scenario(), TRACKING, Window(LATER, NOON + HOUR, LATER)) == (0, 0)


# --- on-time delivery -----------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "expected"), [(2, (1, 1)), (5, (1, 1)), (6, (0, 1))])
async def test_a_delivery_is_measured_by_the_promise(tenant: EmptyTenant, days: int, expected: tuple[int, int]):
    scenario = shipped(promised_by=NOON + 5 * DAY)
    scenario.later(days=days)
    scenario.scan(ParcelStatus.DELIVERED)
    assert await rate(tenant, scenario, DELIVERY) == expected


async def test_a_parcel_past_its_promise_is_late_before_it_arrives(tenant: EmptyTenant):
    scenario = shipped(promised_by=NOON + 5 * DAY)
    window = (NOON, NOON + 90 * DAY)
    assert await rate(tenant, scenario, DELIVERY, Window(NOON + 4 * DAY, *window)) == (0, 0)
    scenario.log.clear()
    assert await rate(tenant, scenario, DELIVERY, Window(NOON + 5 * DAY, *window)) == (0, 1)


async def test_an_early_delivery_counts_at_once(tenant: EmptyTenant):
    scenario = shipped(promised_by=NOON + 50 * DAY)
    scenario.later(days=1)
    scenario.scan(ParcelStatus.DELIVERED)
    assert await rate(tenant, scenario, DELIVERY, Window(NOON + 2 * DAY)) == (1, 1)


async def test_without_a_promise_there_is_nothing_to_keep(tenant: EmptyTenant):
    scenario = shipped()
    scenario.scan(ParcelStatus.DELIVERED)
    assert await rate(tenant, scenario, DELIVERY) == (0, 0)


async def test_a_disputed_delivery_counts_no_more(tenant: EmptyTenant):
    scenario = shipped(promised_by=NOON + 5 * DAY)
    scenario.later(days=1)
    scenario.scan(ParcelStatus.DELIVERED)
    scenario.dispute()
    assert await rate(tenant, scenario, DELIVERY) == (0, 1)


# --- cancellation ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "of_supplier", "of_all"),
    [
        ("supplier", (1, 1), (1, 1)),
        ("retailer", (0, 1), (1, 1)),
        ("customer", (0, 1), (0, 1)),
        ("carrier", (0, 1), (0, 1)),
    ],
)
async def test_a_cancellation_counts_against_whose_fault_it_is(
    tenant: EmptyTenant, by: str, of_supplier: tuple[int, int], of_all: tuple[int, int]
):
    scenario = sent()
    cancelled_by(scenario, by)
    assert await rate(tenant, scenario, CANCELLATION) == of_supplier
    assert await rate(tenant, Scenario(), CANCELLATION, supplier_id="") == of_all


async def test_an_order_cancelled_before_any_supplier_had_it_counts_for_all_together(tenant: EmptyTenant):
    scenario = a_shop()
    scenario.place(payment=PaymentState.PENDING)
    cancelled_by(scenario, "retailer")
    assert await rate(tenant, scenario, CANCELLATION, supplier_id="") == (1, 1)
    assert await rate(tenant, Scenario(), CANCELLATION) == (0, 0)


async def test_a_part_that_is_cancelled_cancels_nothing(tenant: EmptyTenant):
    scenario = sent()
    scenario.ship({1: 1})
    cancelled_by(scenario, "supplier")
    assert await rate(tenant, scenario, CANCELLATION) == (0, 1)


async def test_the_order_s_day_puts_a_cancellation_into_its_window(tenant: EmptyTenant):
    scenario = sent()
    scenario.later(days=3)
    cancelled_by(scenario, "supplier")
    assert await rate(tenant, scenario, CANCELLATION, Window(NOON + 7 * DAY)) == (1, 1)
    assert await rate(tenant, Scenario(), CANCELLATION, Window(NOON + 8 * DAY)) == (0, 0)


# --- all suppliers, and what is behind a rate -----------------------------------------------------


def _many() -> Scenario:
    """Suppliers s01 to s12 with as many orders as their number, each dispatched a day later than the last."""
    scenario = a_shop()
    for number in range(1, 13):
        supplier_id = f"s{number:02}"
        scenario.approve(supplier_id)
        for turn in range(number):
            order_id = f"shopify/{supplier_id}-{turn}"
            scenario.place(line(1, "tea", 1, supplier_id), order_id=order_id)
            scenario.send(f"{order_id}/1")
            scenario.ship(supplier_order_id=f"{order_id}/1", number=f"{supplier_id}-{turn}", at=NOON + turn * DAY)
    return scenario


@pytest.mark.parametrize("size", [1, 5, 1000])
async def test_pages_show_every_supplier_exactly_once(tenant: EmptyTenant, size: int):
    catch_up(tenant, _many().log)
    cards, token, started = [], "", False
    async with asking(tenant) as where:
        while token or not started:
            answer = await scorecards.list_rates(where, PageOf(size, token), ALL_TIME)
            cards += answer.rows
            token, started = answer.next_page_token, True
    # Acme and bolt are registered and were given nothing.
    assert [card.supplier_id for card in cards] == ["acme", "bolt", *(f"s{number:02}" for number in range(1, 13))]
    found = {card.supplier_id: card.rates[0] for card in cards}
    assert (found["acme"].denominator, found["acme"].status) == (0, Status.NO_DATA)
    assert [(found[f"s{n:02}"].numerator, found[f"s{n:02}"].denominator) for n in (1, 2, 3, 4, 12)] == [
        (1, 1),
        (2, 2),
        (3, 3),
        (3, 4),
        (3, 12),
    ]
    assert found["s12"].status is Status.BREACH


async def test_all_together_is_the_sum_of_the_suppliers(tenant: EmptyTenant):
    assert await rate(tenant, _many(), DISPATCH, supplier_id="") == (33, 78)


@pytest.mark.parametrize("size", [1, 4, 100])
async def test_the_cases_behind_a_rate_are_those_that_it_counted(tenant: EmptyTenant, size: int):
    catch_up(tenant, _many().log)

    async def cases(in_numerator: bool | None, supplier_id: str = "s12") -> list[str]:
        found, token, started = [], "", False
        while token or not started:
            page = PageOf(size, token)
            answer = await counted.list_cases(where, page, DISPATCH, supplier_id, ALL_TIME, in_numerator)
            found += [case.object_id for case in answer.rows]
            assert all(case.order_id == order_of(case.object_id) for case in answer.rows)
            token, started = answer.next_page_token, True
        return found

    ids = [f"shopify/s12-{turn}/1" for turn in range(12)]
    async with asking(tenant) as where:
        assert await cases(None) == sorted(ids)
        assert await cases(True) == ids[:3]
        assert await cases(False) == sorted(ids[3:])
        assert len(await cases(True, "")) == 33


async def test_a_case_says_what_put_it_into_the_window_and_what_happened(tenant: EmptyTenant):
    scenario = sent(promised_by=NOON + 5 * DAY)
    scenario.ship(number=GOOD_NUMBER)
    scenario.later(days=1)
    scenario.scan(ParcelStatus.DELIVERED, number=GOOD_NUMBER)
    catch_up(tenant, scenario.log)
    expected: dict[RateName, tuple[str, datetime, datetime | None, bool]] = {
        DISPATCH: (FIRST, NOON + 2 * DAY, NOON + DAY, True),
        ACKNOWLEDGE: (FIRST, NOON + DAY, NOON, True),
        TRACKING: (f"dhl/{GOOD_NUMBER}/1", NOON, None, True),
        DELIVERY: (f"dhl/{GOOD_NUMBER}/1", NOON + DAY, NOON + DAY, True),
        CANCELLATION: (FIRST, NOON, None, False),
    }
    async with asking(tenant) as where:
        for name, (object_id, at, happened_at, good) in expected.items():
            answer = await counted.list_cases(where, PageOf(), name, "acme", ALL_TIME)
            assert answer.rows == [counted.CountedCase(object_id, ORDER, at, happened_at, good)]
        whole = await counted.list_cases(where, PageOf(), CANCELLATION, "", ALL_TIME)
        assert [case.object_id for case in whole.rows] == [ORDER]


# --- everything recorded --------------------------------------------------------------------------


def _everything() -> Scenario:
    """Two shops: an order of two suppliers delivered late, one dispatched late, one on hold without currency."""
    scenario = a_shop(tea=50)
    scenario.place(line(1, "tea", 2), line(2, "mug", 1, "bolt"), promised_by=NOON + DAY)
    for supplier_order_id, number in ((FIRST, "P1"), (SECOND, "P2")):
        scenario.send(supplier_order_id)
        scenario.ship(supplier_order_id=supplier_order_id, number=number)
    scenario.place(line(1, "tea", 4), order_id="amazon/1")
    scenario.send("amazon/1/1")
    scenario.later(days=3)
    scenario.scan(ParcelStatus.DELIVERED, number="P1")
    scenario.scan(ParcelStatus.DELIVERED, number="P2")
    scenario.ship(supplier_order_id="amazon/1/1", number="P3")
    scenario.place(line(1, "", 1), order_id="amazon/2", payment=PaymentState.UNKNOWN)
    return scenario


async def test_the_summary_counts_everything_recorded(tenant: EmptyTenant):
    catch_up(tenant, _everything().log)
    async with asking(tenant) as where:
        (found,) = (await totals.summary(where)).rows
        (amazon,) = (await totals.summary(where, "amazon")).rows
        (nothing,) = (await totals.summary(where, "ebay")).rows
    assert (found.orders, found.supplier_orders, found.multi_supplier_orders, found.suppliers) == (3, 3, 1, 2)
    assert (found.units, found.gmv_minor) == (8, {"EUR": 4000})
    assert (found.supplier_orders_dispatched, found.supplier_orders_dispatched_on_time) == (3, 2)
    assert (found.delivered_orders, found.delivered_late) == (1, 1)
    assert (amazon.orders, amazon.supplier_orders, amazon.suppliers, amazon.units) == (2, 1, 1, 5)
    assert (amazon.supplier_orders_dispatched, amazon.supplier_orders_dispatched_on_time) == (1, 0)
    assert nothing == totals.Summary(0, 0, 0, 0, 0, {}, 0, 0, 0, 0)


async def test_the_summary_has_the_dispatch_as_the_supplier_reported_it(tenant: EmptyTenant):
    scenario = shipped()
    scenario.later(days=9)
    scenario.scan(ParcelStatus.DELIVERED)
    catch_up(tenant, scenario.log)
    async with asking(tenant) as where:
        (found,) = (await totals.summary(where)).rows
    assert found.supplier_orders_dispatched_on_time == 1
    assert await rate(tenant, Scenario(), DISPATCH) == (0, 1)


async def test_supplier_totals_are_exact_and_paged(tenant: EmptyTenant):
    catch_up(tenant, _everything().log)
    async with asking(tenant) as where:
        first = await totals.list_supplier_totals(where, PageOf(1))
        assert first.rows == [SupplierTotal("acme", 2, 2, 1, 1)]
        second = await totals.list_supplier_totals(where, PageOf(1, first.next_page_token))
        assert second.rows == [SupplierTotal("bolt", 1, 1, 1, 0)]
        assert second.next_page_token == ""
        amazon = await totals.list_supplier_totals(where, PageOf(), "amazon")
        assert amazon.rows == [SupplierTotal("acme", 1, 1, 0, 1)]


# --- what after-sales sends -----------------------------------------------------------------------


async def test_a_reship_is_the_suppliers_to_send_and_nothing_that_a_customer_ordered(tenant: EmptyTenant):
    desk = approved(Remedy.RESHIP)
    desk.scenario.send(f"{RESHIP}/1")
    desk.scenario.ship(supplier_order_id=f"{RESHIP}/1", number="P9")
    desk.scenario.scan(ParcelStatus.DELIVERED, number="P9")
    assert await rate(tenant, desk.scenario, DISPATCH) == (1, 2)  # the first one was scanned too late
    async with asking(tenant) as where:
        (figures,) = (await totals.summary(where)).rows
    assert (figures.orders, figures.units, figures.gmv_minor, figures.delivered_orders) == (1, 3, {"EUR": 1500}, 1)
    assert figures.supplier_orders == 2


async def test_what_a_customer_sends_back_is_no_parcel_of_the_supplier(tenant: EmptyTenant):
    desk = approved(Remedy.RETURN)
    before = await rates(tenant, desk.scenario, supplier_id="")
    desk.scenario.log.clear()
    desk.labels()
    desk.sends_back()
    after = await rates(tenant, desk.scenario, supplier_id="")
    assert after[TRACKING] == before[TRACKING]
