"""Clocks: when they run, stop and resume; a breach is recorded once and withdrawn if it was none."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.nouns.orders import (
    BreachWithdrawn,
    DeadlineMissed,
    Header,
    HoldReason,
    OrderClosed,
    deadlines,
)
from ledger.nouns.orders.supplier_orders import ClocksResumed, NothingToShip
from ledger.nouns.parcels import ParcelStatus
from ledger.nouns.suppliers import Agreement, PeakPeriod
from ledger.terms.clocks import Clock
from ledger.terms.parties import Party
from tests.support.story import (
    DAY,
    FIRST,
    HOUR,
    NOON,
    ORDER,
    SECOND,
    TERMS,
    a_shop,
    accept,
    confirmed,
    line,
    names,
    refused,
    reject,
    sent,
    the,
)

ACKNOWLEDGE, DISPATCH, DELIVERY = Clock.ACKNOWLEDGE, Clock.DISPATCH, Clock.DELIVERY

# --- breaches -------------------------------------------------------------------------------------


def test_a_clock_that_runs_out_is_a_breach_and_is_recorded_once():
    story = sent()
    story.later(hours=23)
    assert story.miss(ACKNOWLEDGE) == []
    story.later(hours=1)
    assert story.miss(ACKNOWLEDGE) == [
        DeadlineMissed(ORDER, FIRST, ACKNOWLEDGE, NOON + 24 * HOUR, story.now, supplier_id="acme")
    ]
    assert story.miss(ACKNOWLEDGE) == []


def test_a_clock_of_a_draft_does_not_run():
    story = confirmed()
    story.later(days=30)
    assert story.miss(ACKNOWLEDGE) == []
    assert story.miss(DISPATCH) == []


def test_an_unknown_order_or_clock_records_nothing():
    story = sent()
    story.later(days=30)
    assert story.miss(DISPATCH, SECOND) == []
    assert story.miss(DISPATCH, order_id="shopify/9") == []
    assert story.miss(DELIVERY, ORDER) == []


def test_an_answer_in_time_meets_the_clock():
    story = sent()
    story.later(hours=24)
    story.answer({1: accept(3)})
    story.later(hours=1)
    assert story.miss(ACKNOWLEDGE) == []


def test_an_answer_too_late_is_a_breach_at_once():
    story = sent()
    story.later(hours=25)
    assert names(story.answer({1: accept(3)})) == ["supplier_order_acknowledged", "deadline_missed"]
    assert story.miss(ACKNOWLEDGE) == []


def test_the_dispatch_clock_waits_for_the_last_unit():
    story = sent()
    story.ship({1: 2})
    story.later(hours=48)
    assert the(DeadlineMissed, story.miss(DISPATCH)).due == NOON + 48 * HOUR


def test_news_that_it_happened_in_time_withdraws_the_breach():
    story = sent()
    story.answer({1: accept(3)})
    story.later(hours=50)
    story.miss(DISPATCH)
    withdrawn = the(BreachWithdrawn, story.ship(at=NOON + 47 * HOUR))
    assert (withdrawn.clock, withdrawn.happened_at) == (DISPATCH, NOON + 47 * HOUR)
    assert story.miss(DISPATCH) == []


def test_news_that_it_happened_too_late_leaves_the_breach():
    story = sent()
    story.answer({1: accept(3)})
    story.later(hours=50)
    story.miss(DISPATCH)
    assert "breach_withdrawn" not in names(story.ship(at=NOON + 49 * HOUR))


def test_what_was_rejected_or_cancelled_has_no_clock_any_more():
    rejected, cancelled = sent(), sent()
    rejected.answer({1: reject(3)})
    cancelled.cancel()
    cancelled.answer_cancel(agreed=True)
    for story in (rejected, cancelled):
        story.later(days=10)
        assert story.miss(DISPATCH) == []


def test_the_promise_to_the_customer_is_a_clock_of_the_order():
    story = sent(promised_by=NOON + 5 * DAY)
    story.ship()
    story.later(days=5)
    assert the(DeadlineMissed, story.miss(DELIVERY, ORDER)).object_id == ORDER
    assert the(BreachWithdrawn, story.scan(ParcelStatus.DELIVERED, NOON + 4 * DAY)).clock is DELIVERY


def test_a_receipt_that_tells_of_an_earlier_arrival_withdraws_the_breach():
    story = sent(promised_by=NOON + 5 * DAY)
    story.ship()
    story.later(days=5)
    story.miss(DELIVERY, ORDER)
    assert "breach_withdrawn" in names(story.receive(at=NOON + 4 * DAY))


def test_a_disputed_delivery_lets_the_promise_run_again():
    story = sent(promised_by=NOON + 5 * DAY)
    story.ship()
    story.scan(ParcelStatus.DELIVERED)
    story.later(days=6)
    assert story.miss(DELIVERY, ORDER) == []
    story.dispute()
    assert names(story.miss(DELIVERY, ORDER)) == ["deadline_missed"]


# --- stopping and resuming ------------------------------------------------------------------------


def test_a_hold_of_the_retailer_stops_the_clocks_and_they_are_due_later_by_its_time():
    story = sent()
    story.later(hours=10)
    assert names(story.hold(HoldReason.CUSTOMER_REQUEST)) == ["hold_placed", "clocks_stopped"]
    story.later(hours=100)
    assert story.miss(DISPATCH) == []
    resumed = the(ClocksResumed, story.release(HoldReason.CUSTOMER_REQUEST))
    assert (resumed.acknowledge_by, resumed.dispatch_by) == (NOON + 124 * HOUR, NOON + 148 * HOUR)


def test_the_suppliers_own_reasons_stop_no_clock():
    story = sent()
    assert names(story.hold(HoldReason.OUT_OF_STOCK)) == ["hold_placed"]
    story.later(hours=48)
    assert names(story.miss(DISPATCH)) == ["deadline_missed"]


def test_clocks_resume_only_when_the_last_hold_is_gone():
    story = sent()
    story.hold(HoldReason.FRAUD_REVIEW)
    assert names(story.hold(HoldReason.BAD_ADDRESS)) == ["hold_placed"]
    assert names(story.release(HoldReason.FRAUD_REVIEW)) == ["hold_released"]
    assert names(story.release(HoldReason.BAD_ADDRESS)) == ["hold_released", "clocks_resumed"]


def test_a_hold_on_one_supplier_order_stops_only_its_clocks():
    story = sent(line(1, "tea", 1), line(2, "ink", 1, "bolt"))
    story.hold(HoldReason.OTHER, supplier_order_id=SECOND)
    assert story.supplier_order(FIRST).stopped_since is None
    assert story.supplier_order(SECOND).stopped_since == NOON


def test_a_clock_that_was_over_before_the_hold_is_not_given_back():
    story = sent()
    story.later(hours=30)
    story.hold(HoldReason.FRAUD_REVIEW)
    story.later(hours=10)
    resumed = the(ClocksResumed, story.release(HoldReason.FRAUD_REVIEW))
    assert (resumed.acknowledge_by, resumed.dispatch_by) == (NOON + 24 * HOUR, NOON + 58 * HOUR)
    assert names(story.miss(ACKNOWLEDGE)) == ["deadline_missed"]


def test_an_answer_while_the_clock_stands_is_in_time():
    story = sent()
    story.later(hours=23)
    story.hold(HoldReason.FRAUD_REVIEW)
    story.later(hours=5)
    assert names(story.answer({1: accept(3)})) == ["supplier_order_acknowledged"]
    story.later(hours=5)
    story.release(HoldReason.FRAUD_REVIEW)
    assert story.miss(ACKNOWLEDGE) == []


def test_a_supplier_order_that_has_gone_has_no_clock_to_stop():
    story = sent(line(1, "tea", 1), line(2, "ink", 1, "bolt"))
    story.ship()
    assert names(story.hold(HoldReason.OTHER)) == ["hold_placed", "clocks_stopped"]
    assert story.supplier_order(FIRST).stopped_since is None


def test_a_hold_that_is_told_late_withdraws_a_breach_that_it_excuses():
    story = sent()
    story.later(hours=50)
    story.miss(DISPATCH)
    withdrawn = the(BreachWithdrawn, story.hold(HoldReason.CUSTOMER_REQUEST, at=NOON + 40 * HOUR))
    assert (withdrawn.clock, withdrawn.happened_at) == (DISPATCH, None)
    story.later(hours=10)
    story.release(HoldReason.CUSTOMER_REQUEST)
    assert story.miss(DISPATCH) == []
    story.later(hours=8)
    # Stopped from 40 to 60, so due at 68.
    assert the(DeadlineMissed, story.miss(DISPATCH)).due == NOON + 68 * HOUR


@pytest.mark.parametrize("told", sorted(set(permutations("AABB"))))
def test_two_holds_that_overlap_stop_a_clock_for_the_time_of_both_together(told: tuple[str, ...]):
    """One from 10 to 14 and one from 12 to 16: six hours, not eight."""
    story, times = sent(), {"A": [10, 14], "B": [12, 16]}
    story.later(hours=20)
    for owner in told:
        tell = story.hold if len(times[owner]) == 2 else story.release
        tell(HoldReason.CUSTOMER_REQUEST, owner, at=NOON + times[owner].pop(0) * HOUR)
    assert story.supplier_order().stopped_since is None
    assert story.supplier_order().dispatch_by == NOON + (48 + 6) * HOUR


some_holds = st.lists(st.tuples(st.integers(0, 70), st.integers(0, 30), st.booleans()), min_size=1, max_size=4)


@given(
    holds=some_holds,
    left=st.integers(0, 140),
    shipped_first=st.booleans(),
    noticed=st.sets(st.integers(0, 8)),
    data=st.data(),
)
@settings(max_examples=200, deadline=None)
def test_holds_stop_a_clock_for_the_union_of_their_times_however_they_are_told(
    holds: list[tuple[int, int, bool]], left: int, shipped_first: bool, noticed: set[int], data: st.DataObject
):
    """In any order, and whenever the clock is looked at, the deadline and the breach are the same."""
    story = sent()
    story.later(hours=300)
    if shipped_first:
        story.ship(at=NOON + left * HOUR)
    told: set[int] = set()
    for step, n in enumerate(data.draw(st.permutations([*range(len(holds)), *range(len(holds))]))):
        since, hours, scoped = holds[n]
        if step in noticed:
            story.miss(DISPATCH)
        if scoped and shipped_first and since >= left:
            with refused(NothingToShip, "it has no unit left to ship"):
                story.hold(HoldReason.OTHER, f"mia-{n}", FIRST, at=NOON + since * HOUR)
            continue
        if n not in told:
            story.hold(HoldReason.OTHER, f"mia-{n}", FIRST if scoped else "", at=NOON + since * HOUR)
        else:
            until = NOON + (since + hours) * HOUR
            story.release(HoldReason.OTHER, f"mia-{n}", FIRST if scoped else "", at=until)
        told.add(n)
    if not shipped_first:
        story.ship(at=NOON + left * HOUR)
    ran = due = 0
    stopping = [(since, since + hours) for since, hours, _ in holds if not shipped_first or since < left]
    while ran < 48:
        ran += not any(since <= due < until for since, until in stopping)
        due += 1
    assert story.supplier_order().dispatch_by == NOON + due * HOUR
    assert ((FIRST, DISPATCH) in story.order().missed) == (left > due)


def test_a_hold_that_turns_out_to_be_older_counts_from_then():
    story = sent()
    story.later(hours=30)
    story.hold(HoldReason.FRAUD_REVIEW, at=NOON + 20 * HOUR)
    assert names(story.hold(HoldReason.FRAUD_REVIEW, at=NOON + 25 * HOUR)) == []
    assert names(story.hold(HoldReason.FRAUD_REVIEW, at=NOON + 10 * HOUR)) == ["hold_placed", "clocks_stopped"]
    story.release(HoldReason.FRAUD_REVIEW)
    assert story.supplier_order().dispatch_by == NOON + (48 + 20) * HOUR


def test_a_hold_counts_from_the_sending_also_when_that_is_told_later():
    story = confirmed()
    story.later(hours=10)
    story.hold(HoldReason.FRAUD_REVIEW, at=NOON + 2 * HOUR)
    story.release(HoldReason.FRAUD_REVIEW)
    assert names(story.send(at=NOON + 4 * HOUR)) == ["supplier_order_sent", "clocks_resumed"]
    assert story.supplier_order().dispatch_by == NOON + (4 + 48 + 6) * HOUR


# --- what is given up -----------------------------------------------------------------------------


@pytest.mark.parametrize("noticed", [True, False])
@pytest.mark.parametrize("shipped", [{}, {1: 2}])
def test_what_is_cancelled_after_it_was_late_stays_late(shipped: dict[int, int], noticed: bool):
    story = sent()
    if shipped:
        story.ship(shipped)
    story.later(hours=60)
    if noticed:
        story.miss(DISPATCH)
    story.cancel()
    story.later(hours=1)
    assert "breach_withdrawn" not in names(story.answer_cancel(agreed=True))
    assert (FIRST, DISPATCH) in story.order().missed
    assert story.supplier_order().late == {1: 3 - sum(shipped.values())}


@pytest.mark.parametrize("shipped", [{}, {1: 2}])
def test_what_was_cancelled_in_time_was_not_late_also_when_it_is_told_later(shipped: dict[int, int]):
    story = sent()
    if shipped:
        story.ship(shipped)
    story.cancel()
    story.later(hours=60)
    story.miss(DISPATCH)
    withdrawn = [f for f in story.answer_cancel(agreed=True, at=NOON + 40 * HOUR) if isinstance(f, BreachWithdrawn)]
    assert DISPATCH in {each.clock for each in withdrawn}
    assert (FIRST, DISPATCH) not in story.order().missed
    assert story.supplier_order().late == {}


def test_a_hold_told_late_excuses_also_what_was_cancelled_since():
    story = sent(line(1, "tea", 2), line(2, "ink", 1, "bolt"))
    story.later(hours=60)
    story.miss(DISPATCH)
    story.cancel({1: 2})
    story.answer_cancel(agreed=True)
    assert (FIRST, DISPATCH) in story.order().missed
    story.hold(HoldReason.CUSTOMER_REQUEST, at=NOON + 40 * HOUR)
    story.release(HoldReason.CUSTOMER_REQUEST, at=NOON + 55 * HOUR)
    assert (FIRST, DISPATCH) not in story.order().missed


def test_the_promise_is_broken_for_what_is_cancelled_after_its_day():
    story = sent(line(1, "tea", 2), promised_by=NOON + 5 * DAY)
    story.ship({1: 1})
    story.later(days=3)
    story.scan(ParcelStatus.DELIVERED)
    story.later(days=3)
    story.miss(DELIVERY, ORDER)
    story.cancel()
    assert "breach_withdrawn" not in names(story.answer_cancel(agreed=True))
    assert (ORDER, DELIVERY) in story.order().missed


@pytest.mark.parametrize("told", ["hold first", "end first"])
@pytest.mark.parametrize("end", ["cancelled", "delivered"])
def test_a_hold_of_before_the_end_counts_also_where_it_is_told_after_it(end: str, told: str):
    story = sent()

    def hold() -> None:
        story.hold(HoldReason.CUSTOMER_REQUEST, at=NOON + 10 * HOUR)
        story.release(HoldReason.CUSTOMER_REQUEST, at=NOON + 30 * HOUR)

    def ends() -> None:
        if end == "cancelled":
            story.cancel()
            story.answer_cancel(agreed=True)
        else:
            story.ship()
            story.later(hours=30)
            story.scan(ParcelStatus.DELIVERED)

    story.later(hours=60)
    for tell in (hold, ends) if told == "hold first" else (ends, hold):
        tell()
    assert story.header().value == end
    assert (FIRST, DISPATCH) not in story.order().missed
    assert story.supplier_order().compensation is None
    assert story.supplier_order().dispatch_by == NOON + (48 + 20) * HOUR


def test_after_the_end_of_an_order_nothing_can_be_held():
    story = sent()
    story.cancel()
    story.answer_cancel(agreed=True)
    with refused(OrderClosed, "shopify/1 is cancelled"):
        story.hold(HoldReason.OTHER)


@pytest.mark.parametrize("told", ["hold first", "end first"])
def test_a_hold_on_one_supplier_order_goes_by_its_end_and_not_by_the_orders(told: str):
    story = sent(line(1, "tea", 3), line(2, "mug", 1, "bolt"))

    def hold() -> None:
        story.hold(HoldReason.CUSTOMER_REQUEST, supplier_order_id=SECOND, at=NOON + 40 * HOUR)
        story.release(HoldReason.CUSTOMER_REQUEST, supplier_order_id=SECOND, at=NOON + 45 * HOUR)

    def ends() -> None:
        story.ship(at=NOON + HOUR)
        story.scan(ParcelStatus.DELIVERED, NOON + 30 * HOUR)
        story.cancel({2: 1})
        story.answer_cancel(agreed=True, supplier_order_id=SECOND, at=NOON + 50 * HOUR)

    story.later(hours=60)
    for tell in (hold, ends) if told == "hold first" else (ends, hold):
        tell()
    assert story.header() is Header.DELIVERED
    assert story.supplier_order(SECOND).dispatch_by == NOON + (48 + 5) * HOUR
    assert (SECOND, DISPATCH) not in story.order().missed


@pytest.mark.parametrize("hours", [10, 11])
def test_what_has_left_cannot_be_held_while_the_rest_of_the_order_goes_on(hours: int):
    story = sent(line(1, "tea", 3), line(2, "mug", 1, "bolt"))
    story.ship(at=NOON + 10 * HOUR)
    story.later(hours=20)
    with refused(NothingToShip, "supplier order shopify/1/1 is shipped", supplier_order_id=FIRST):
        story.hold(HoldReason.CUSTOMER_REQUEST, supplier_order_id=FIRST, at=NOON + hours * HOUR)
    assert "hold_placed" in names(story.hold(HoldReason.CUSTOMER_REQUEST, supplier_order_id=FIRST, at=NOON + 9 * HOUR))
    assert "hold_placed" in names(story.hold(HoldReason.CUSTOMER_REQUEST, at=NOON + hours * HOUR))


def test_the_promise_to_the_customer_stands_still_for_no_hold():
    story = sent(promised_by=NOON + 5 * DAY)
    story.hold(HoldReason.CUSTOMER_REQUEST)
    story.later(days=5)
    assert names(story.miss(DELIVERY, ORDER)) == ["deadline_missed"]


# --- who is obliged -------------------------------------------------------------------------------


def test_every_clock_of_an_order_has_an_owner_and_a_due_time():
    story = sent(promised_by=NOON + 5 * DAY)
    assert {(each.clock, each.owner, each.due) for each in deadlines(story.order())} == {
        (ACKNOWLEDGE, Party.SUPPLIER, NOON + 24 * HOUR),
        (DISPATCH, Party.SUPPLIER, NOON + 48 * HOUR),
        (DELIVERY, Party.RETAILER, NOON + 5 * DAY),
    }


def test_a_clock_that_was_not_agreed_does_not_run():
    story = a_shop()
    story.agree_terms(Agreement(effective_from=NOON))
    story.place()
    story.send()
    assert list(deadlines(story.order())) == []


# --- peak periods ---------------------------------------------------------------------------------


PEAK = replace(TERMS, effective_from=NOON - DAY, peaks=(PeakPeriod(NOON, NOON + DAY, 24),))


def sent_at(hours, terms=PEAK):
    """An order that goes out so many hours after noon."""
    story = a_shop()
    story.agree_terms(terms)
    story.place(placed_at=NOON - DAY)
    story.later(hours=hours)
    story.send()
    return story


def test_a_clock_that_starts_in_a_peak_is_longer_by_its_hours():
    supplier_order = sent_at(23).supplier_order()
    assert supplier_order.acknowledge_by == NOON + (23 + 24 + 24) * HOUR
    assert supplier_order.dispatch_by == NOON + (23 + 48 + 24) * HOUR


@pytest.mark.parametrize("hours", [-10, 24])
def test_a_clock_that_runs_into_a_peak_or_starts_when_it_is_over_is_not(hours):
    assert sent_at(hours).supplier_order().dispatch_by == NOON + (hours + 48) * HOUR


def test_the_first_scan_of_what_is_dispatched_in_a_peak_may_take_longer():
    story = sent_at(-10)
    story.later(hours=12)
    story.ship()
    assert story.parcel().first_scan_by == NOON + (2 + 36 + 24) * HOUR


def test_the_peaks_that_count_are_those_of_the_agreement_in_force_when_it_was_sent():
    story = sent_at(-10)
    story.agree_terms(replace(TERMS, effective_from=NOON - 5 * HOUR))
    story.later(hours=12)
    story.ship()
    assert story.parcel().first_scan_by == NOON + (2 + 36 + 24) * HOUR


# --- the first scan -------------------------------------------------------------------------------


def test_a_parcel_that_the_carrier_never_had_in_time_is_noticed_once():
    story = sent()
    story.ship()
    story.later(hours=35)
    assert story.miss_first_scan() == []
    story.later(hours=1)
    assert names(story.miss_first_scan()) == ["first_scan_missed"]
    assert story.miss_first_scan() == []


def test_a_first_scan_in_time_that_is_told_late_withdraws_the_breach():
    story = sent()
    story.ship()
    story.later(hours=36)
    story.miss_first_scan()
    assert names(story.scan(ParcelStatus.IN_TRANSIT, NOON + 37 * HOUR)) == ["checkpoint_recorded"]
    told = story.scan(ParcelStatus.IN_TRANSIT, NOON + 30 * HOUR)
    assert names(told) == ["checkpoint_recorded", "first_scan_breach_withdrawn"]
    assert story.miss_first_scan() == []


def test_a_first_scan_in_time_is_not_missed_and_the_carriers_announcement_is_none():
    story = sent()
    story.ship()
    story.scan(ParcelStatus.REGISTERED)
    story.later(hours=36)
    assert names(story.miss_first_scan()) == ["first_scan_missed"]
    other = sent()
    other.ship()
    other.scan(ParcelStatus.IN_TRANSIT, NOON + 36 * HOUR)
    other.later(hours=40)
    assert other.miss_first_scan() == []


def test_the_clock_of_an_earlier_epoch_or_an_unknown_parcel_is_forgotten():
    story = sent()
    story.ship()
    story.later(days=9)
    assert story.miss_first_scan(epoch=2) == []
    assert story.suspect_loss("P9") == []
    assert a_shop().miss_first_scan("P9") == []
