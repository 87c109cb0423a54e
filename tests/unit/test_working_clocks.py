"""Clocks that count working time: of a supplier by its calendar, of the retailer by its own; holds stop them."""

from datetime import date, timedelta
from itertools import permutations

import msgspec
import pytest
from msgspec.structs import replace

from ledger.nouns.cases import CaseOpened, Reason
from ledger.nouns.inquiries import InquiryAsked
from ledger.nouns.orders import BreachWithdrawn, DeadlineMissed, HoldReason
from ledger.nouns.orders.supplier_orders import SupplierOrderSent
from ledger.nouns.parcels import ParcelStatus
from ledger.nouns.policies import Policy
from ledger.nouns.recoveries import RecoveryOpened
from ledger.nouns.stock import FeedRecorded
from ledger.terms.calendars import Calendar, PeakPeriod, Unit, WorkingTerms, WorkingTime
from ledger.terms.clocks import Clock
from ledger.terms.parties import Party
from ledger.terms.shipping import Priority
from tests.support import casework
from tests.support.scenario import DAY, HOUR, NOON, TERMS, Scenario, a_shop, delivered, line, sent, the

# NOON is that of Monday, 2 March 2026, and the time in London until the 29th.
FRIDAY_15, MONDAY_9 = NOON + 4 * DAY + 3 * HOUR, NOON + 7 * DAY - 3 * HOUR
LONDON = Calendar("Europe/London", opens_minute=9 * 60, closes_minute=17 * 60, cut_off_minute=16 * 60)


def days(length: int) -> WorkingTime:
    return WorkingTime(length, Unit.DAYS)


def hours(length: int) -> WorkingTime:
    return WorkingTime(length, Unit.HOURS)


BY_CALENDAR = WorkingTerms(
    LONDON,
    {
        "acknowledge_within": hours(8),
        "dispatch_within": days(2),
        "express_dispatch_within": days(1),
        "first_scan_within": days(1),
        "answer_within": hours(4),
        "feed_interval": days(1),
    },
)
WORKING = replace(
    TERMS,
    effective_from=NOON - DAY,
    acknowledge_within_hours=None,
    dispatch_within_hours=None,
    express_dispatch_within_hours=None,
    first_scan_within_hours=None,
    answer_within_hours=None,
    working=BY_CALENDAR,
)


def sent_on_friday(terms=WORKING, *lines, at=FRIDAY_15, **more):
    scenario = a_shop()
    scenario.agree_terms(terms)
    scenario.place(*lines, **more)
    scenario.now = at
    scenario.send()
    return scenario


# --- of a supplier --------------------------------------------------------------------------------


def test_two_working_days_from_friday_afternoon_are_tuesday_afternoon_and_48_hours_sunday():
    assert sent_on_friday().supplier_order().dispatch_by == FRIDAY_15 + 4 * DAY
    running = replace(TERMS, effective_from=NOON - DAY, dispatch_within_hours=48)
    assert sent_on_friday(running).supplier_order().dispatch_by == FRIDAY_15 + 2 * DAY


def test_what_is_sent_after_the_cut_off_counts_from_the_next_working_day():
    supplier_order = sent_on_friday(at=FRIDAY_15 + 2 * HOUR).supplier_order()
    assert (supplier_order.acknowledge_by, supplier_order.dispatch_by) == (MONDAY_9 + 8 * HOUR, MONDAY_9 + 2 * DAY)


def test_an_express_order_has_a_term_of_its_own_where_one_is_agreed():
    express = sent_on_friday(priority=Priority.EXPRESS)
    assert express.supplier_order().dispatch_by == FRIDAY_15 + 3 * DAY
    assert express.supplier_order().working == replace(
        BY_CALENDAR,
        terms={"acknowledge_within": hours(8), "first_scan_within": days(1), "dispatch_within": days(1)},
    )
    none = replace(WORKING, working=replace(BY_CALENDAR, terms={"dispatch_within": days(2)}))
    assert sent_on_friday(none, priority=Priority.EXPRESS).supplier_order().dispatch_by == FRIDAY_15 + 4 * DAY
    in_hours = replace(none, express_dispatch_within_hours=24)
    assert sent_on_friday(in_hours, priority=Priority.EXPRESS).supplier_order().dispatch_by == FRIDAY_15 + DAY


def test_the_first_scan_an_answer_and_a_feed_go_by_the_calendar_too():
    scenario = sent_on_friday()
    scenario.ship()
    assert scenario.parcel().first_scan_by == FRIDAY_15 + 3 * DAY
    assert the(InquiryAsked, scenario.ask()).answer_by == MONDAY_9 + 2 * HOUR
    assert the(FeedRecorded, scenario.feed(5, version=9)).stale_at == FRIDAY_15 + 3 * DAY


def test_what_is_asked_of_a_supplier_is_answered_by_its_calendar_and_has_its_zone():
    scenario = sent_on_friday()
    scenario.ship()
    scenario.scan(ParcelStatus.DELIVERED)
    assert the(InquiryAsked, scenario.ask()).time_zone == "Europe/London"
    desk = casework.Desk(scenario)
    desk.opens()
    desk.files()
    desk.reviews()
    desk.rules(Party.SUPPLIER, casework.PHOTO)
    opened = the(RecoveryOpened, [fact for _, fact in scenario.log])
    assert (opened.answer_by, opened.time_zone) == (MONDAY_9 + 2 * HOUR, "Europe/London")


def test_a_term_that_is_in_neither_was_not_agreed():
    none = replace(WORKING, working=WorkingTerms(LONDON))
    scenario = sent_on_friday(none)
    assert (scenario.supplier_order().acknowledge_by, scenario.supplier_order().dispatch_by) == (None, None)
    scenario.ship()
    assert scenario.parcel().first_scan_by is None
    assert scenario.supplier_order().working == WorkingTerms(LONDON)


def test_a_peak_lengthens_working_days_by_working_hours():
    peak = PeakPeriod(FRIDAY_15 - HOUR, FRIDAY_15 + HOUR, 8)
    assert sent_on_friday(replace(WORKING, peaks=(peak,))).supplier_order().dispatch_by == FRIDAY_15 + 5 * DAY


def test_a_deadline_of_the_shop_runs_through_whatever_is_agreed():
    given = NOON + 7 * DAY
    scenario = sent_on_friday(WORKING, replace(line(1, "tea", 3), dispatch_by=given))
    assert "dispatch_within" not in scenario.supplier_order().working.terms
    scenario.later(days=2)
    scenario.hold(HoldReason.FRAUD_REVIEW, at=FRIDAY_15 + DAY)
    scenario.release(HoldReason.FRAUD_REVIEW, at=FRIDAY_15 + 2 * DAY)
    assert scenario.supplier_order().dispatch_by == given + DAY


def test_holidays_that_are_over_when_it_is_sent_are_not_kept_with_it():
    off = (date(2026, 3, 2), date(2026, 3, 6), date(2026, 3, 9))
    calendar = replace(LONDON, holidays=off)
    scenario = sent_on_friday(replace(WORKING, working=replace(BY_CALENDAR, calendar=calendar)))
    assert scenario.supplier_order().working.calendar.holidays == off[1:]
    assert scenario.supplier_order().dispatch_by == MONDAY_9 + 3 * DAY


def test_a_breach_comes_when_the_working_time_is_over_and_goes_when_it_was_kept():
    scenario = sent_on_friday()
    scenario.now = FRIDAY_15 + 4 * DAY - timedelta(minutes=1)
    assert scenario.miss(Clock.DISPATCH) == []
    scenario.now += timedelta(minutes=1)
    assert the(DeadlineMissed, scenario.miss(Clock.DISPATCH)).due == FRIDAY_15 + 4 * DAY
    withdrawn = [fact for fact in scenario.ship(at=FRIDAY_15 + 3 * DAY) if isinstance(fact, BreachWithdrawn)]
    assert Clock.DISPATCH in {fact.clock for fact in withdrawn}


def test_without_a_calendar_nothing_more_is_stored():
    scenario = sent()
    assert scenario.supplier_order().working is None
    assert b"working" not in msgspec.json.encode(SupplierOrderSent("shopify/1/1", NOON))


# --- holds ----------------------------------------------------------------------------------------


def dispatch_by_after(*spans, terms=WORKING):
    """When it is due after holds, each from and until hours after Friday 15:00."""
    scenario = sent_on_friday(terms)
    scenario.now = FRIDAY_15 + 30 * DAY
    reasons = (HoldReason.FRAUD_REVIEW, HoldReason.CUSTOMER_REQUEST, HoldReason.BAD_ADDRESS)
    for reason, (since, until) in zip(reasons, spans, strict=False):
        scenario.hold(reason, at=FRIDAY_15 + since * HOUR)
        scenario.release(reason, at=FRIDAY_15 + until * HOUR)
    return scenario.supplier_order().dispatch_by


def test_a_hold_over_a_weekend_gives_back_only_what_would_have_been_worked():
    # Friday 16:00 until Monday 10:00: an hour of Friday and an hour of Monday.
    assert dispatch_by_after((1, 67)) == FRIDAY_15 + 4 * DAY + 2 * HOUR
    # Friday 16:00 until Monday 13:00: five hours, of which two are left for Tuesday.
    assert dispatch_by_after((1, 70)) == MONDAY_9 + 2 * DAY + 3 * HOUR


def test_a_hold_outside_working_time_moves_nothing():
    assert dispatch_by_after((3, 60)) == FRIDAY_15 + 4 * DAY


def test_a_hold_that_lasts_a_working_day_moves_it_by_one_over_the_next_weekend():
    tuesday_15 = 96
    assert dispatch_by_after((tuesday_15 - 24, tuesday_15)) == FRIDAY_15 + 5 * DAY
    four_days_off = replace(
        WORKING, working=replace(BY_CALENDAR, calendar=replace(LONDON, holidays=(date(2026, 3, 11), date(2026, 3, 12))))
    )
    assert dispatch_by_after((tuesday_15 - 24, tuesday_15), terms=four_days_off) == FRIDAY_15 + 7 * DAY


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_holds_that_overlap_give_back_their_union_in_whatever_order_they_are_told(order):
    spans = [(1, 67), (66, 68), (69, 71)]
    # An hour of Friday; of Monday two until 11:00 and two from 12:00 to 14:00.
    assert dispatch_by_after(*(spans[n] for n in order)) == MONDAY_9 + 2 * DAY + 3 * HOUR


def test_while_a_hold_stands_nothing_is_missed_and_after_it_the_rest_of_the_time_runs():
    scenario = sent_on_friday()
    scenario.later(hours=1)
    scenario.hold(HoldReason.FRAUD_REVIEW)
    scenario.later(days=7)
    assert scenario.miss(Clock.ACKNOWLEDGE) == []
    scenario.release(HoldReason.FRAUD_REVIEW)
    # Of eight hours one had run; the hold ends on Friday at 16:00.
    assert scenario.supplier_order().acknowledge_by == MONDAY_9 + 7 * DAY + 6 * HOUR


# --- of the retailer ------------------------------------------------------------------------------

OWN = Policy(working=WorkingTerms(LONDON, {"answer_within": hours(8), "first_answer_within": days(1)}))


def test_the_retailer_answers_and_hears_customers_by_its_own_calendar():
    scenario = sent()
    scenario.agree(working=OWN.working)
    scenario.now = FRIDAY_15
    asked = the(InquiryAsked, scenario.ask("q1", Party.RETAILER, asked_by=Party.CUSTOMER, supplier_order_id=""))
    assert asked.answer_by == MONDAY_9 + 6 * HOUR


def test_the_first_answer_of_a_case_is_due_by_the_retailers_calendar():
    scenario = delivered()
    scenario.agree(working=OWN.working)
    scenario.now = FRIDAY_15
    desk = casework.Desk(scenario)
    assert the(CaseOpened, desk.opens(reason=Reason.DAMAGED)).first_answer_by == FRIDAY_15 + 3 * DAY


def test_peaks_lengthen_the_retailers_own_clocks():
    peaks = (PeakPeriod(NOON, NOON + DAY, 6), PeakPeriod(NOON, NOON + DAY, 2))
    assert Policy(peaks=peaks).answer_by(NOON) == NOON + 32 * HOUR
    assert Policy(peaks=peaks).first_answer_by(NOON + DAY) == NOON + 2 * DAY
    assert replace(OWN, peaks=peaks).first_answer_by(FRIDAY_15) == FRIDAY_15 + 3 * DAY


def test_terms_of_before_count_hours_that_run_through():
    assert Policy().answer_by(FRIDAY_15) == FRIDAY_15 + DAY
    scenario: Scenario = sent()
    assert scenario.supplier_order().dispatch_by == NOON + 48 * HOUR
