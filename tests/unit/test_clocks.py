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
from ledger.nouns.policies import POLICY_TERMS
from ledger.nouns.suppliers import AGREEMENT_TERMS, Agreement
from ledger.terms.calendars import PeakPeriod
from ledger.terms.clocks import CLOCKS, Clock
from ledger.terms.parties import Party
from tests.support.scenario import (
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
    scenario = sent()
    scenario.later(hours=23)
    assert scenario.miss(ACKNOWLEDGE) == []
    scenario.later(hours=1)
    assert scenario.miss(ACKNOWLEDGE) == [
        DeadlineMissed(ORDER, FIRST, ACKNOWLEDGE, NOON + 24 * HOUR, scenario.now, supplier_id="acme")
    ]
    assert scenario.miss(ACKNOWLEDGE) == []


def test_a_clock_of_a_draft_does_not_run():
    scenario = confirmed()
    scenario.later(days=30)
    assert scenario.miss(ACKNOWLEDGE) == []
    assert scenario.miss(DISPATCH) == []


def test_an_unknown_order_or_clock_records_nothing():
    scenario = sent()
    scenario.later(days=30)
    assert scenario.miss(DISPATCH, SECOND) == []
    assert scenario.miss(DISPATCH, order_id="shopify/9") == []
    assert scenario.miss(DELIVERY, ORDER) == []


def test_an_answer_in_time_meets_the_clock():
    scenario = sent()
    scenario.later(hours=24)
    scenario.answer({1: accept(3)})
    scenario.later(hours=1)
    assert scenario.miss(ACKNOWLEDGE) == []


def test_an_answer_too_late_is_a_breach_at_once():
    scenario = sent()
    scenario.later(hours=25)
    assert names(scenario.answer({1: accept(3)})) == ["supplier_order_acknowledged", "deadline_missed"]
    assert scenario.miss(ACKNOWLEDGE) == []


def test_the_dispatch_clock_waits_for_the_last_unit():
    scenario = sent()
    scenario.ship({1: 2})
    scenario.later(hours=48)
    assert the(DeadlineMissed, scenario.miss(DISPATCH)).due == NOON + 48 * HOUR


def test_what_happened_in_time_and_is_recorded_late_withdraws_the_breach():
    scenario = sent()
    scenario.answer({1: accept(3)})
    scenario.later(hours=50)
    scenario.miss(DISPATCH)
    withdrawn = the(BreachWithdrawn, scenario.ship(at=NOON + 47 * HOUR))
    assert (withdrawn.clock, withdrawn.happened_at) == (DISPATCH, NOON + 47 * HOUR)
    assert scenario.miss(DISPATCH) == []


def test_what_happened_too_late_leaves_the_breach():
    scenario = sent()
    scenario.answer({1: accept(3)})
    scenario.later(hours=50)
    scenario.miss(DISPATCH)
    assert "breach_withdrawn" not in names(scenario.ship(at=NOON + 49 * HOUR))


def test_what_was_rejected_or_cancelled_has_no_clock_any_more():
    rejected, cancelled = sent(), sent()
    rejected.answer({1: reject(3)})
    cancelled.cancel()
    cancelled.answer_cancel(agreed=True)
    for scenario in (rejected, cancelled):
        scenario.later(days=10)
        assert scenario.miss(DISPATCH) == []


def test_the_promise_to_the_customer_is_a_clock_of_the_order():
    scenario = sent(promised_by=NOON + 5 * DAY)
    scenario.ship()
    scenario.later(days=5)
    assert the(DeadlineMissed, scenario.miss(DELIVERY, ORDER)).object_id == ORDER
    assert the(BreachWithdrawn, scenario.scan(ParcelStatus.DELIVERED, NOON + 4 * DAY)).clock is DELIVERY


def test_a_receipt_of_an_earlier_arrival_withdraws_the_breach():
    scenario = sent(promised_by=NOON + 5 * DAY)
    scenario.ship()
    scenario.later(days=5)
    scenario.miss(DELIVERY, ORDER)
    assert "breach_withdrawn" in names(scenario.receive(at=NOON + 4 * DAY))


def test_a_disputed_delivery_lets_the_promise_run_again():
    scenario = sent(promised_by=NOON + 5 * DAY)
    scenario.ship()
    scenario.scan(ParcelStatus.DELIVERED)
    scenario.later(days=6)
    assert scenario.miss(DELIVERY, ORDER) == []
    scenario.dispute()
    assert names(scenario.miss(DELIVERY, ORDER)) == ["deadline_missed"]


# --- stopping and resuming ------------------------------------------------------------------------


def test_a_hold_of_the_retailer_stops_the_clocks_and_they_are_due_later_by_its_time():
    scenario = sent()
    scenario.later(hours=10)
    assert names(scenario.hold(HoldReason.CUSTOMER_REQUEST)) == ["hold_placed", "clocks_stopped"]
    scenario.later(hours=100)
    assert scenario.miss(DISPATCH) == []
    resumed = the(ClocksResumed, scenario.release(HoldReason.CUSTOMER_REQUEST))
    assert (resumed.acknowledge_by, resumed.dispatch_by) == (NOON + 124 * HOUR, NOON + 148 * HOUR)


def test_the_suppliers_own_reasons_stop_no_clock():
    scenario = sent()
    assert names(scenario.hold(HoldReason.OUT_OF_STOCK)) == ["hold_placed"]
    scenario.later(hours=48)
    assert names(scenario.miss(DISPATCH)) == ["deadline_missed"]


def test_clocks_resume_only_when_the_last_hold_is_gone():
    scenario = sent()
    scenario.hold(HoldReason.FRAUD_REVIEW)
    assert names(scenario.hold(HoldReason.BAD_ADDRESS)) == ["hold_placed"]
    assert names(scenario.release(HoldReason.FRAUD_REVIEW)) == ["hold_released"]
    assert names(scenario.release(HoldReason.BAD_ADDRESS)) == ["hold_released", "clocks_resumed"]


def test_a_hold_on_one_supplier_order_stops_only_its_clocks():
    scenario = sent(line(1, "tea", 1), line(2, "ink", 1, "bolt"))
    scenario.hold(HoldReason.OTHER, supplier_order_id=SECOND)
    assert scenario.supplier_order(FIRST).stopped_since is None
    assert scenario.supplier_order(SECOND).stopped_since == NOON


def test_a_clock_that_was_over_before_the_hold_is_not_given_back():
    scenario = sent()
    scenario.later(hours=30)
    scenario.hold(HoldReason.FRAUD_REVIEW)
    scenario.later(hours=10)
    resumed = the(ClocksResumed, scenario.release(HoldReason.FRAUD_REVIEW))
    assert (resumed.acknowledge_by, resumed.dispatch_by) == (NOON + 24 * HOUR, NOON + 58 * HOUR)
    assert names(scenario.miss(ACKNOWLEDGE)) == ["deadline_missed"]


def test_an_answer_while_the_clock_stands_is_in_time():
    scenario = sent()
    scenario.later(hours=23)
    scenario.hold(HoldReason.FRAUD_REVIEW)
    scenario.later(hours=5)
    assert names(scenario.answer({1: accept(3)})) == ["supplier_order_acknowledged"]
    scenario.later(hours=5)
    scenario.release(HoldReason.FRAUD_REVIEW)
    assert scenario.miss(ACKNOWLEDGE) == []


def test_a_supplier_order_that_has_gone_has_no_clock_to_stop():
    scenario = sent(line(1, "tea", 1), line(2, "ink", 1, "bolt"))
    scenario.ship()
    assert names(scenario.hold(HoldReason.OTHER)) == ["hold_placed", "clocks_stopped"]
    assert scenario.supplier_order(FIRST).stopped_since is None


def test_a_hold_that_is_recorded_late_withdraws_a_breach_that_it_excuses():
    scenario = sent()
    scenario.later(hours=50)
    scenario.miss(DISPATCH)
    withdrawn = the(BreachWithdrawn, scenario.hold(HoldReason.CUSTOMER_REQUEST, at=NOON + 40 * HOUR))
    assert (withdrawn.clock, withdrawn.happened_at) == (DISPATCH, None)
    scenario.later(hours=10)
    scenario.release(HoldReason.CUSTOMER_REQUEST)
    assert scenario.miss(DISPATCH) == []
    scenario.later(hours=8)
    # Stopped from 40 to 60, so due at 68.
    assert the(DeadlineMissed, scenario.miss(DISPATCH)).due == NOON + 68 * HOUR


@pytest.mark.parametrize("sequence", sorted(set(permutations("AABB"))))
def test_two_holds_that_overlap_stop_a_clock_for_the_time_of_both_together(sequence: tuple[str, ...]):
    """One from 10 to 14 and one from 12 to 16: six hours, not eight."""
    scenario, times = sent(), {"A": [10, 14], "B": [12, 16]}
    scenario.later(hours=20)
    for owner in sequence:
        record = scenario.hold if len(times[owner]) == 2 else scenario.release
        record(HoldReason.CUSTOMER_REQUEST, owner, at=NOON + times[owner].pop(0) * HOUR)
    assert scenario.supplier_order().stopped_since is None
    assert scenario.supplier_order().dispatch_by == NOON + (48 + 6) * HOUR


some_holds = st.lists(st.tuples(st.integers(0, 70), st.integers(0, 30), st.booleans()), min_size=1, max_size=4)


@given(
    holds=some_holds,
    left=st.integers(0, 140),
    shipped_first=st.booleans(),
    noticed=st.sets(st.integers(0, 8)),
    data=st.data(),
)
@settings(max_examples=200)
def test_holds_stop_a_clock_for_the_union_of_their_times_in_whatever_order_they_are_recorded(
    holds: list[tuple[int, int, bool]], left: int, shipped_first: bool, noticed: set[int], data: st.DataObject
):
    """In any order, and whenever the clock is looked at, the deadline and the breach are the same."""
    scenario = sent()
    scenario.later(hours=300)
    if shipped_first:
        scenario.ship(at=NOON + left * HOUR)
    held: set[int] = set()
    for step, n in enumerate(data.draw(st.permutations([*range(len(holds)), *range(len(holds))]))):
        since, hours, scoped = holds[n]
        if step in noticed:
            scenario.miss(DISPATCH)
        if scoped and shipped_first and since >= left:
            with refused(NothingToShip, "it has no unit left to ship"):
                scenario.hold(HoldReason.OTHER, f"mia-{n}", FIRST, at=NOON + since * HOUR)
            continue
        if n not in held:
            scenario.hold(HoldReason.OTHER, f"mia-{n}", FIRST if scoped else "", at=NOON + since * HOUR)
        else:
            until = NOON + (since + hours) * HOUR
            scenario.release(HoldReason.OTHER, f"mia-{n}", FIRST if scoped else "", at=until)
        held.add(n)
    if not shipped_first:
        scenario.ship(at=NOON + left * HOUR)
    ran = due = 0
    stopping = [(since, since + hours) for since, hours, _ in holds if not shipped_first or since < left]
    while ran < 48:
        ran += not any(since <= due < until for since, until in stopping)
        due += 1
    assert scenario.supplier_order().dispatch_by == NOON + due * HOUR
    assert ((FIRST, DISPATCH) in scenario.order().missed) == (left > due)


def test_a_hold_that_turns_out_to_be_older_counts_from_then():
    scenario = sent()
    scenario.later(hours=30)
    scenario.hold(HoldReason.FRAUD_REVIEW, at=NOON + 20 * HOUR)
    assert names(scenario.hold(HoldReason.FRAUD_REVIEW, at=NOON + 25 * HOUR)) == []
    assert names(scenario.hold(HoldReason.FRAUD_REVIEW, at=NOON + 10 * HOUR)) == ["hold_placed", "clocks_stopped"]
    scenario.release(HoldReason.FRAUD_REVIEW)
    assert scenario.supplier_order().dispatch_by == NOON + (48 + 20) * HOUR


def test_a_hold_counts_from_the_sending_also_when_that_is_recorded_later():
    scenario = confirmed()
    scenario.later(hours=10)
    scenario.hold(HoldReason.FRAUD_REVIEW, at=NOON + 2 * HOUR)
    scenario.release(HoldReason.FRAUD_REVIEW)
    assert names(scenario.send(at=NOON + 4 * HOUR)) == ["supplier_order_sent", "clocks_resumed"]
    assert scenario.supplier_order().dispatch_by == NOON + (4 + 48 + 6) * HOUR


# --- what is given up -----------------------------------------------------------------------------


@pytest.mark.parametrize("noticed", [True, False])
@pytest.mark.parametrize("shipped", [{}, {1: 2}])
def test_what_is_cancelled_after_it_was_late_stays_late(shipped: dict[int, int], noticed: bool):
    scenario = sent()
    if shipped:
        scenario.ship(shipped)
    scenario.later(hours=60)
    if noticed:
        scenario.miss(DISPATCH)
    scenario.cancel()
    scenario.later(hours=1)
    assert "breach_withdrawn" not in names(scenario.answer_cancel(agreed=True))
    assert (FIRST, DISPATCH) in scenario.order().missed
    assert scenario.supplier_order().late == {1: 3 - sum(shipped.values())}


@pytest.mark.parametrize("shipped", [{}, {1: 2}])
def test_what_was_cancelled_in_time_was_not_late_also_when_it_is_recorded_later(shipped: dict[int, int]):
    scenario = sent()
    if shipped:
        scenario.ship(shipped)
    scenario.cancel()
    scenario.later(hours=60)
    scenario.miss(DISPATCH)
    withdrawn = [f for f in scenario.answer_cancel(agreed=True, at=NOON + 40 * HOUR) if isinstance(f, BreachWithdrawn)]
    assert DISPATCH in {each.clock for each in withdrawn}
    assert (FIRST, DISPATCH) not in scenario.order().missed
    assert scenario.supplier_order().late == {}


def test_a_hold_recorded_late_excuses_also_what_was_cancelled_since():
    scenario = sent(line(1, "tea", 2), line(2, "ink", 1, "bolt"))
    scenario.later(hours=60)
    scenario.miss(DISPATCH)
    scenario.cancel({1: 2})
    scenario.answer_cancel(agreed=True)
    assert (FIRST, DISPATCH) in scenario.order().missed
    scenario.hold(HoldReason.CUSTOMER_REQUEST, at=NOON + 40 * HOUR)
    scenario.release(HoldReason.CUSTOMER_REQUEST, at=NOON + 55 * HOUR)
    assert (FIRST, DISPATCH) not in scenario.order().missed


def test_the_promise_is_broken_for_what_is_cancelled_after_its_day():
    scenario = sent(line(1, "tea", 2), promised_by=NOON + 5 * DAY)
    scenario.ship({1: 1})
    scenario.later(days=3)
    scenario.scan(ParcelStatus.DELIVERED)
    scenario.later(days=3)
    scenario.miss(DELIVERY, ORDER)
    scenario.cancel()
    assert "breach_withdrawn" not in names(scenario.answer_cancel(agreed=True))
    assert (ORDER, DELIVERY) in scenario.order().missed


@pytest.mark.parametrize("sequence", ["hold first", "end first"])
@pytest.mark.parametrize("end", ["cancelled", "delivered"])
def test_a_hold_from_before_the_end_counts_also_where_it_is_recorded_after_it(end: str, sequence: str):
    scenario = sent()

    def hold() -> None:
        scenario.hold(HoldReason.CUSTOMER_REQUEST, at=NOON + 10 * HOUR)
        scenario.release(HoldReason.CUSTOMER_REQUEST, at=NOON + 30 * HOUR)

    def ends() -> None:
        if end == "cancelled":
            scenario.cancel()
            scenario.answer_cancel(agreed=True)
        else:
            scenario.ship()
            scenario.later(hours=30)
            scenario.scan(ParcelStatus.DELIVERED)

    scenario.later(hours=60)
    for record in (hold, ends) if sequence == "hold first" else (ends, hold):
        record()
    assert scenario.header().value == end
    assert (FIRST, DISPATCH) not in scenario.order().missed
    assert scenario.supplier_order().compensation is None
    assert scenario.supplier_order().dispatch_by == NOON + (48 + 20) * HOUR


def test_after_the_end_of_an_order_nothing_can_be_held():
    scenario = sent()
    scenario.cancel()
    scenario.answer_cancel(agreed=True)
    with refused(OrderClosed, "shopify/1 is cancelled"):
        scenario.hold(HoldReason.OTHER)


@pytest.mark.parametrize("sequence", ["hold first", "end first"])
def test_a_hold_on_one_supplier_order_goes_by_its_end_and_not_by_the_orders(sequence: str):
    scenario = sent(line(1, "tea", 3), line(2, "mug", 1, "bolt"))

    def hold() -> None:
        scenario.hold(HoldReason.CUSTOMER_REQUEST, supplier_order_id=SECOND, at=NOON + 40 * HOUR)
        scenario.release(HoldReason.CUSTOMER_REQUEST, supplier_order_id=SECOND, at=NOON + 45 * HOUR)

    def ends() -> None:
        scenario.ship(at=NOON + HOUR)
        scenario.scan(ParcelStatus.DELIVERED, NOON + 30 * HOUR)
        scenario.cancel({2: 1})
        scenario.answer_cancel(agreed=True, supplier_order_id=SECOND, at=NOON + 50 * HOUR)

    scenario.later(hours=60)
    for record in (hold, ends) if sequence == "hold first" else (ends, hold):
        record()
    assert scenario.header() is Header.DELIVERED
    assert scenario.supplier_order(SECOND).dispatch_by == NOON + (48 + 5) * HOUR
    assert (SECOND, DISPATCH) not in scenario.order().missed


@pytest.mark.parametrize("hours", [10, 11])
def test_what_has_left_cannot_be_held_while_the_rest_of_the_order_goes_on(hours: int):
    scenario = sent(line(1, "tea", 3), line(2, "mug", 1, "bolt"))
    scenario.ship(at=NOON + 10 * HOUR)
    scenario.later(hours=20)
    with refused(NothingToShip, "supplier order shopify/1/1 is shipped", supplier_order_id=FIRST):
        scenario.hold(HoldReason.CUSTOMER_REQUEST, supplier_order_id=FIRST, at=NOON + hours * HOUR)
    assert "hold_placed" in names(
        scenario.hold(HoldReason.CUSTOMER_REQUEST, supplier_order_id=FIRST, at=NOON + 9 * HOUR)
    )
    assert "hold_placed" in names(scenario.hold(HoldReason.CUSTOMER_REQUEST, at=NOON + hours * HOUR))


def test_the_promise_to_the_customer_stands_still_for_no_hold():
    scenario = sent(promised_by=NOON + 5 * DAY)
    scenario.hold(HoldReason.CUSTOMER_REQUEST)
    scenario.later(days=5)
    assert names(scenario.miss(DELIVERY, ORDER)) == ["deadline_missed"]


# --- who is obliged -------------------------------------------------------------------------------


def test_every_clock_of_an_order_has_an_owner_and_a_due_time():
    scenario = sent(promised_by=NOON + 5 * DAY)
    assert {(each.clock, each.owner, each.due) for each in deadlines(scenario.order())} == {
        (ACKNOWLEDGE, Party.SUPPLIER, NOON + 24 * HOUR),
        (DISPATCH, Party.SUPPLIER, NOON + 48 * HOUR),
        (DELIVERY, Party.RETAILER, NOON + 5 * DAY),
    }


def test_a_clock_that_was_not_agreed_does_not_run():
    scenario = a_shop()
    scenario.agree_terms(Agreement(effective_from=NOON))
    scenario.place()
    scenario.send()
    assert list(deadlines(scenario.order())) == []


# --- peak periods ---------------------------------------------------------------------------------


PEAK = replace(TERMS, effective_from=NOON - DAY, peaks=(PeakPeriod(NOON, NOON + DAY, 24),))


def sent_at(hours, terms=PEAK):
    """An order that goes out so many hours after noon."""
    scenario = a_shop()
    scenario.agree_terms(terms)
    scenario.place(placed_at=NOON - DAY)
    scenario.later(hours=hours)
    scenario.send()
    return scenario


def test_a_clock_that_starts_in_a_peak_is_longer_by_its_hours():
    supplier_order = sent_at(23).supplier_order()
    assert supplier_order.acknowledge_by == NOON + (23 + 24 + 24) * HOUR
    assert supplier_order.dispatch_by == NOON + (23 + 48 + 24) * HOUR


@pytest.mark.parametrize("hours", [-10, 24])
def test_a_clock_that_runs_into_a_peak_or_starts_when_it_is_over_is_not(hours):
    assert sent_at(hours).supplier_order().dispatch_by == NOON + (hours + 48) * HOUR


def test_the_first_scan_of_what_is_dispatched_in_a_peak_may_take_longer():
    scenario = sent_at(-10)
    scenario.later(hours=12)
    scenario.ship()
    assert scenario.parcel().first_scan_by == NOON + (2 + 36 + 24) * HOUR


def test_the_peaks_that_count_are_those_of_the_agreement_in_force_when_it_was_sent():
    scenario = sent_at(-10)
    scenario.agree_terms(replace(TERMS, effective_from=NOON - 5 * HOUR))
    scenario.later(hours=12)
    scenario.ship()
    assert scenario.parcel().first_scan_by == NOON + (2 + 36 + 24) * HOUR


# --- the first scan -------------------------------------------------------------------------------


def test_a_parcel_that_the_carrier_never_had_in_time_is_noticed_once():
    scenario = sent()
    scenario.ship()
    scenario.later(hours=35)
    assert scenario.miss_first_scan() == []
    scenario.later(hours=1)
    assert names(scenario.miss_first_scan()) == ["first_scan_missed"]
    assert scenario.miss_first_scan() == []


def test_a_first_scan_in_time_that_is_recorded_late_withdraws_the_breach():
    scenario = sent()
    scenario.ship()
    scenario.later(hours=36)
    scenario.miss_first_scan()
    assert names(scenario.scan(ParcelStatus.IN_TRANSIT, NOON + 37 * HOUR)) == ["checkpoint_recorded"]
    scanned = scenario.scan(ParcelStatus.IN_TRANSIT, NOON + 30 * HOUR)
    assert names(scanned) == ["checkpoint_recorded", "first_scan_breach_withdrawn"]
    assert scenario.miss_first_scan() == []


def test_a_first_scan_in_time_is_not_missed_and_the_carriers_announcement_is_none():
    scenario = sent()
    scenario.ship()
    scenario.scan(ParcelStatus.REGISTERED)
    scenario.later(hours=36)
    assert names(scenario.miss_first_scan()) == ["first_scan_missed"]
    other = sent()
    other.ship()
    other.scan(ParcelStatus.IN_TRANSIT, NOON + 36 * HOUR)
    other.later(hours=40)
    assert other.miss_first_scan() == []


def test_the_clock_of_an_earlier_epoch_or_an_unknown_parcel_is_forgotten():
    scenario = sent()
    scenario.ship()
    scenario.later(days=9)
    assert scenario.miss_first_scan(epoch=2) == []
    assert scenario.suspect_loss("P9") == []
    assert a_shop().miss_first_scan("P9") == []


# --- what people read of them ---------------------------------------------------------------------


def test_every_clock_is_told_of():
    assert CLOCKS.keys() == set(Clock)


def test_a_clock_names_terms_that_can_be_agreed():
    known = {*(f"agreement.{each}" for each in AGREEMENT_TERMS), *(f"policy.{each}" for each in POLICY_TERMS)}
    assert {clock for clock, told in CLOCKS.items() if not told.terms} == {Clock.DELIVERY}
    assert {term for told in CLOCKS.values() for term in told.terms} <= {*known, "policy.claim_terms"}
