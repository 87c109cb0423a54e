"""Drafts are sent at once, in rounds or by people, as the policy says; the retailer has a clock for it (DOMAIN 1)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ledger.decisions import dispatch
from ledger.facts import Fact, Sealed
from ledger.nouns.orders import DeadlineMissed, HoldReason, deadlines
from ledger.nouns.orders.supplier_orders import SupplierOrderSent
from ledger.nouns.policies import Sending, SendingMode
from ledger.terms.calendars import Calendar, Unit, WorkingTerms, WorkingTime
from ledger.terms.clocks import Clock, ClockState, Reading
from ledger.terms.parties import Party
from tests.support.scenario import DAY, FIRST, HOUR, NOON, ORDER, SECOND, Scenario, confirmed, line, names, the

CONTACT = Sealed("key-wei", b"orders@acme.cn")
BERLIN = Sending(SendingMode.IN_ROUNDS, ("09:00", "15:30"), "Europe/Berlin")


def drafted(**more: Any) -> Scenario:
    """A confirmed order of Acme, which can be written to, and of Bolt, which cannot."""
    scenario = Scenario()
    scenario.approve("acme", contact=CONTACT)
    scenario.approve("bolt")
    scenario.place(line(1, "tea", 3), line(2, "mug", 1, "bolt"), **more)
    return scenario


def send_by_policy(scenario: Scenario, supplier_order_id: str = FIRST) -> list[Fact]:
    return scenario.record(dispatch.send_by_policy(scenario.book, supplier_order_id, scenario.now))


def clock(scenario: Scenario, supplier_order_id: str = FIRST) -> Reading | None:
    found = [
        each for each in deadlines(scenario.order()) if (each.object_id, each.clock) == (supplier_order_id, "send")
    ]
    return found[0] if found else None


# --- by policy ------------------------------------------------------------------------------------


def test_the_ledger_sends_at_once_what_it_can_send():
    scenario = drafted()
    sent = the(SupplierOrderSent, send_by_policy(scenario))
    assert (sent.at, sent.acknowledge_by) == (NOON, NOON + 24 * HOUR)
    assert send_by_policy(scenario) == []
    assert send_by_policy(scenario, SECOND) == []  # nobody can be written to
    assert send_by_policy(scenario, f"{ORDER}/9") == []
    assert send_by_policy(scenario, "shopify/9/1") == []


def test_by_person_the_ledger_sends_nothing_and_a_person_does():
    scenario = drafted()
    scenario.agree(sending=Sending(SendingMode.BY_PERSON))
    assert send_by_policy(scenario) == []
    assert names(scenario.send()) == ["supplier_order_sent"]


def test_in_rounds_it_is_sent_with_the_next_one():
    scenario = drafted()
    scenario.agree(sending=BERLIN)
    assert send_by_policy(scenario) == []
    scenario.later(hours=2, minutes=29)  # 15:29 in Berlin
    assert send_by_policy(scenario) == []
    scenario.later(minutes=1)
    assert names(send_by_policy(scenario)) == ["supplier_order_sent"]


def test_a_draft_waits_while_a_hold_stands_and_goes_with_the_round_after_it():
    scenario = drafted()
    scenario.agree(sending=BERLIN)
    scenario.hold(HoldReason.FRAUD_REVIEW)
    scenario.later(hours=3)
    assert send_by_policy(scenario) == []
    scenario.release(HoldReason.FRAUD_REVIEW)
    assert send_by_policy(scenario) == []
    scenario.later(hours=17)  # 9:00 in Berlin
    assert names(send_by_policy(scenario)) == ["supplier_order_sent"]


def test_what_was_drafted_long_ago_and_what_is_recorded_for_its_figures_is_left_alone():
    scenario = drafted()
    scenario.later(hours=48, minutes=1)
    assert send_by_policy(scenario) == []
    old = drafted(historical=True)
    assert send_by_policy(old) == []
    assert clock(old) is None


@pytest.mark.parametrize(
    ("now", "last"),
    [
        ("2026-03-02T08:00", "2026-03-02T08:00"),  # 9:00 in winter
        ("2026-03-02T07:59", "2026-03-01T14:30"),
        ("2026-03-02T14:29", "2026-03-02T08:00"),
        ("2026-03-02T23:59", "2026-03-02T14:30"),
        ("2026-03-29T06:59", "2026-03-28T14:30"),
        ("2026-03-29T07:00", "2026-03-29T07:00"),  # summer began this night
        ("2026-10-25T07:59", "2026-10-24T13:30"),
        ("2026-10-25T08:00", "2026-10-25T08:00"),  # and ended this one
        ("2026-12-31T23:30", "2026-12-31T14:30"),
        ("2027-01-01T08:00", "2027-01-01T08:00"),
    ],
)
def test_rounds_are_at_times_of_the_day_where_the_retailer_is(now: str, last: str):
    at, expected = (datetime.fromisoformat(each).replace(tzinfo=UTC) for each in (now, last))
    assert BERLIN.ready_by(at) == expected


# --- the retailer's clock -------------------------------------------------------------------------


def test_a_draft_is_to_be_sent_within_a_day_unless_agreed_otherwise():
    reading = clock(drafted())
    assert reading is not None
    assert (reading.due, reading.owner, reading.supplier_id, reading.state) == (
        NOON + 24 * HOUR,
        Party.RETAILER,
        "acme",
        ClockState.OPEN,
    )
    scenario = Scenario()
    scenario.approve()
    scenario.agree(send_within_hours=4)
    scenario.place()
    assert clock(scenario) == Reading(FIRST, Clock.SEND, NOON + 4 * HOUR, supplier_id="acme")


def test_the_time_to_send_may_be_agreed_in_working_days_of_the_retailer():
    scenario = Scenario()
    scenario.approve()
    scenario.agree(working=WorkingTerms(Calendar("UTC"), {"send_within": WorkingTime(1, Unit.DAYS)}))
    scenario.later(days=4)  # a Friday
    scenario.place()
    reading = clock(scenario)
    assert reading is not None
    assert reading.due == scenario.now + 3 * DAY


def test_a_draft_that_nobody_sends_is_late_once_and_stays_late_when_it_is_sent():
    scenario = confirmed()
    scenario.later(hours=23, minutes=59)
    assert scenario.miss(Clock.SEND) == []
    scenario.later(minutes=1)
    missed = the(DeadlineMissed, scenario.miss(Clock.SEND))
    assert (missed.due, missed.supplier_id) == (NOON + 24 * HOUR, "acme")
    assert scenario.miss(Clock.SEND) == []
    scenario.later(hours=1)
    assert names(scenario.send()) == ["supplier_order_sent"]
    reading = clock(scenario)
    assert reading is not None
    assert (reading.state, reading.met_at) == (ClockState.MISSED, scenario.now)
    assert scenario.reroute_overdue() == []


def test_what_was_sent_in_time_takes_the_breach_back_and_is_owed_no_more():
    scenario = confirmed()
    scenario.later(hours=30)
    scenario.miss(Clock.SEND)
    assert names(scenario.send(at=NOON + HOUR)) == ["supplier_order_sent", "breach_withdrawn"]
    assert scenario.order().missed == frozenset()
    in_time = confirmed()
    in_time.send()
    assert clock(in_time) is None


def test_what_turns_out_to_have_been_sent_late_is_late():
    scenario = confirmed()
    scenario.later(hours=30)
    assert names(scenario.send(at=NOON + 25 * HOUR)) == ["supplier_order_sent", "deadline_missed"]


def test_holds_stop_the_clock_of_a_draft():
    scenario = confirmed()
    scenario.later(hours=10)
    scenario.hold(HoldReason.CUSTOMER_REQUEST)
    scenario.later(hours=30)
    assert scenario.miss(Clock.SEND) == []
    scenario.release(HoldReason.CUSTOMER_REQUEST)
    reading = clock(scenario)
    assert reading is not None
    assert reading.due == NOON + 54 * HOUR
    scenario.later(hours=14)
    assert names(scenario.miss(Clock.SEND)) == ["deadline_missed"]


def test_a_draft_that_is_cancelled_in_time_is_owed_no_more_and_one_that_is_late_stays_late():
    scenario = confirmed()
    scenario.cancel()
    assert clock(scenario) is None
    late = confirmed()
    late.later(hours=25)
    late.miss(Clock.SEND)
    late.cancel()
    assert late.order().missed == {(FIRST, Clock.SEND)}


def test_the_clock_of_a_draft_that_is_recorded_late_begins_when_it_is_drafted():
    scenario = confirmed(placed_at=NOON - 5 * DAY)
    reading = clock(scenario)
    assert reading is not None
    assert reading.due == NOON + 24 * HOUR


def test_units_that_are_rerouted_have_a_clock_of_their_own():
    scenario = confirmed()
    scenario.offer("tea", supplier_id="bolt")
    scenario.later(hours=20)
    scenario.reroute()
    reading = clock(scenario, SECOND)
    assert reading is not None
    assert reading.due == NOON + 20 * HOUR + timedelta(hours=24)
