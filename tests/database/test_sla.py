"""What is due, what was missed, and what the clock task is to look at."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from ledger.decisions.timers import (
    AcknowledgeDue,
    AnswerDue,
    DeliveryDue,
    DispatchDue,
    DraftDue,
    FirstScanDue,
    LossDue,
    ReservationDue,
    ReturnWindowDue,
    Timer,
)
from ledger.facts import Sealed, changes_of
from ledger.nouns import policies
from ledger.nouns.orders import HoldReason, PaymentState
from ledger.nouns.parcels import ParcelStatus
from ledger.nouns.policies import Policy, Sending, SendingMode
from ledger.terms.clocks import Clock, ClockState
from ledger.terms.parties import Party
from projections import obligations, work
from projections.machine.reads import PageOf
from projections.obligations import Counts
from projections.work import WorkKind
from tests.support.obligations import LoggedScenario
from tests.support.projecting import asking
from tests.support.scenario import (
    DAY,
    FIRST,
    HOUR,
    NOON,
    ORDER,
    TERMS,
    Scenario,
    a_shop,
    accept,
    confirmed,
    delivered,
    line,
    reject,
    sent,
    shipped,
)
from tests.support.stalls import EmptyTenant

DISPATCH, ACKNOWLEDGE, DELIVERY, FIRST_SCAN = Clock.DISPATCH, Clock.ACKNOWLEDGE, Clock.DELIVERY, Clock.FIRST_SCAN


# --- obligations ----------------------------------------------------------------------------------


async def test_sending_opens_the_suppliers_clocks_and_the_promise_is_the_retailers(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, sent(promised_by=NOON + 5 * DAY))
    assert [
        (each.clock, each.object_id, each.supplier_id, each.due) for each in await logged.obligations(ClockState.OPEN)
    ] == [
        (ACKNOWLEDGE, FIRST, "acme", NOON + 24 * HOUR),
        (DISPATCH, FIRST, "acme", NOON + 48 * HOUR),
        (DELIVERY, ORDER, "", NOON + 5 * DAY),
    ]
    assert await logged.obligations(ClockState.MET, ClockState.MISSED, ClockState.WITHDRAWN) == []


async def test_a_draft_obliges_the_retailer_until_it_is_sent(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, confirmed())
    (owed,) = await logged.obligations()
    assert (owed.object_id, owed.clock, owed.owner, owed.supplier_id) == (FIRST, Clock.SEND, Party.RETAILER, "acme")
    logged.scenario.send()
    assert {each.clock for each in await logged.obligations()} == {Clock.ACKNOWLEDGE, Clock.DISPATCH}
    assert await logged.obligations(ClockState.MET) == []


async def test_drafts_are_to_be_sent_to_suppliers_that_can_be_written_to_as_the_policy_says(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, Scenario())
    scenario = logged.scenario
    scenario.approve("acme", contact=Sealed("key-wei", b"orders@acme.cn"))
    scenario.approve("bolt")
    scenario.place(line(1, "tea", 1), line(2, "mug", 1, "bolt"))

    async def drafts(now: datetime) -> list[Timer]:
        return [each for each in await logged.due(now) if isinstance(each, DraftDue)]

    due = NOON + DAY
    assert await drafts(NOON) == [DraftDue(FIRST, due=due)]
    assert await drafts(NOON + 48 * HOUR) == []  # then it is left to people
    scenario.hold(HoldReason.FRAUD_REVIEW)
    assert await drafts(NOON) == []
    scenario.release(HoldReason.FRAUD_REVIEW)
    scenario.agree(sending=Sending(SendingMode.IN_ROUNDS, ("15:00",)))
    assert await drafts(NOON + 2 * HOUR) == []
    assert await drafts(NOON + 3 * HOUR) == [DraftDue(FIRST, due=due)]
    scenario.later(hours=25)
    scenario.miss(Clock.SEND)
    assert await drafts(scenario.now) == [DraftDue(FIRST, due=due)]  # late as it is
    scenario.agree(sending=Sending(SendingMode.BY_PERSON))
    assert await drafts(scenario.now) == []
    scenario.agree()
    scenario.send()
    assert await drafts(scenario.now) == []


async def test_a_draft_is_work_until_it_is_sent_and_once_it_is_late_a_breach(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, confirmed())

    async def listed() -> list[tuple[WorkKind, str, datetime]]:
        logged.catch_up()
        async with asking(tenant) as where:
            return [(each.kind, each.because, each.due) for each in (await work.list_work(where, PageOf(9))).rows]

    assert await listed() == [(WorkKind.DRAFT, "send it", NOON + DAY)]
    logged.scenario.hold(HoldReason.FRAUD_REVIEW)
    assert await listed() == [(WorkKind.HOLD, "fraud_review", NOON)]
    logged.scenario.release(HoldReason.FRAUD_REVIEW)
    logged.scenario.later(hours=24)
    logged.scenario.miss(Clock.SEND)
    assert await listed() == [(WorkKind.BREACH, "send", NOON + DAY)]
    logged.scenario.send()
    assert await listed() == []


async def test_what_happens_in_time_is_met(tenant: EmptyTenant):
    scenario = sent(promised_by=NOON + 5 * DAY)
    scenario.later(hours=1)
    scenario.answer({1: accept(3)})
    scenario.later(hours=1)
    scenario.ship()
    scenario.later(hours=1)
    scenario.scan(ParcelStatus.IN_TRANSIT)
    scenario.later(days=1)
    scenario.scan(ParcelStatus.DELIVERED)
    found = await LoggedScenario(tenant, scenario).obligations(ClockState.MET)
    assert {(each.clock, each.met_at) for each in found} == {
        (ACKNOWLEDGE, NOON + HOUR),
        (DISPATCH, NOON + 2 * HOUR),
        (FIRST_SCAN, NOON + 3 * HOUR),
        (DELIVERY, NOON + 27 * HOUR),
    }


async def test_what_the_clock_notices_is_missed_and_stays_so_when_it_happens_late(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, sent())
    logged.scenario.later(days=3)
    assert await logged.state(DISPATCH) == (ClockState.OPEN, NOON + 2 * DAY)
    logged.scenario.miss(Clock.DISPATCH)
    assert await logged.state(DISPATCH) == (ClockState.MISSED, NOON + 2 * DAY)
    logged.scenario.later(hours=1)
    logged.scenario.ship()
    (late,) = await logged.obligations(ClockState.MISSED, clock=DISPATCH)
    assert (late.missed_at, late.met_at) == (NOON + 3 * DAY, NOON + 3 * DAY + HOUR)


async def test_a_breach_is_withdrawn_when_the_fact_arrives_late(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, sent())
    logged.scenario.later(days=3)
    logged.scenario.miss(Clock.DISPATCH)
    logged.scenario.ship(at=NOON + DAY)
    (withdrawn,) = await logged.obligations(ClockState.WITHDRAWN)
    assert (withdrawn.clock, withdrawn.met_at) == (DISPATCH, NOON + DAY)
    assert (withdrawn.missed_at, withdrawn.withdrawn_at) == (NOON + 3 * DAY, NOON + 3 * DAY)


async def test_a_breach_stays_when_the_order_is_cancelled_afterwards(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, sent())
    logged.scenario.later(days=3)
    logged.scenario.miss(Clock.DISPATCH)
    logged.scenario.cancel()
    logged.scenario.answer_cancel(agreed=True)
    # Nobody had noticed that it was not acknowledged either.
    assert {(each.clock, each.state) for each in await logged.obligations()} == {
        (ACKNOWLEDGE, ClockState.MISSED),
        (DISPATCH, ClockState.MISSED),
        (Clock.REFUND_PAID, ClockState.OPEN),
    }


async def test_what_is_cancelled_or_rejected_in_time_is_owed_no_more(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, sent(line(1, "tea", 3), line(2, "mug", 1, "bolt")))
    logged.scenario.answer({1: reject(3)})
    assert {each.supplier_id for each in await logged.obligations()} == {"bolt"}
    logged.scenario.cancel({2: 1})
    logged.scenario.answer_cancel(agreed=True, supplier_order_id=f"{ORDER}/2")
    assert [each.clock for each in await logged.obligations()] == [Clock.REFUND_PAID]


async def test_a_hold_stops_the_clocks_and_its_release_moves_them(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, sent())
    logged.scenario.later(hours=12)
    logged.scenario.hold(HoldReason.CUSTOMER_REQUEST)
    stopped = await logged.obligations(ClockState.OPEN)
    assert [(each.due, each.stopped_since) for each in stopped] == [
        (NOON + 24 * HOUR, NOON + 12 * HOUR),
        (NOON + 48 * HOUR, NOON + 12 * HOUR),
    ]
    logged.scenario.later(hours=60)
    assert await logged.timers() == []
    logged.scenario.release(HoldReason.CUSTOMER_REQUEST)
    assert [(each.due, each.stopped_since) for each in await logged.obligations(ClockState.OPEN)] == [
        (NOON + 84 * HOUR, None),
        (NOON + 108 * HOUR, None),
    ]
    assert await logged.timers() == []
    logged.scenario.later(hours=13)
    assert await logged.timers() == [AcknowledgeDue]


async def test_a_hold_after_the_deadline_excuses_nothing(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, sent())
    logged.scenario.later(hours=30)
    logged.scenario.hold(HoldReason.CUSTOMER_REQUEST)
    assert await logged.due() == [AcknowledgeDue(FIRST, due=NOON + 24 * HOUR)]


async def test_a_disputed_delivery_is_owed_again(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, delivered(promised_by=NOON + 5 * DAY))
    assert (await logged.state(DELIVERY))[0] is ClockState.MET
    logged.scenario.dispute()
    assert (await logged.state(DELIVERY))[0] is ClockState.OPEN


async def test_a_parcel_that_was_never_scanned_is_missed(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, shipped())
    assert await logged.state(FIRST_SCAN) == (ClockState.OPEN, NOON + 36 * HOUR)
    logged.scenario.later(hours=36)
    assert FirstScanDue("dhl/P1/1", due=NOON + 36 * HOUR) in await logged.due()
    logged.scenario.miss_first_scan()
    (missed,) = await logged.obligations(clock=FIRST_SCAN)
    assert (missed.object_id, missed.supplier_id, missed.state) == ("dhl/P1/1", "acme", ClockState.MISSED)
    assert missed.missed_at == NOON + 36 * HOUR
    assert await logged.timers() == []


# --- answers --------------------------------------------------------------------------------------


def _asked() -> Scenario:
    scenario = sent(promised_by=NOON + 5 * DAY)
    scenario.agree_terms(replace(TERMS, effective_from=NOON - DAY, answer_within_hours=12))
    scenario.ask("to-acme")
    scenario.ask("to-us", Party.RETAILER)
    scenario.ask("untimed", supplier_order_id="", supplier_id="bolt")
    return scenario


async def test_a_question_obliges_whoever_was_asked(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, _asked())
    found = await logged.obligations(ClockState.OPEN, clock=Clock.ANSWER)
    assert [(each.object_id, each.owner, each.supplier_id, each.due) for each in found] == [
        ("to-acme", Party.SUPPLIER, "acme", NOON + 12 * HOUR),
        ("to-us", Party.RETAILER, "", NOON + 24 * HOUR),
    ]


async def test_a_question_that_nobody_answered_is_due_missed_and_withdrawn(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, _asked())
    logged.scenario.close_inquiry("to-us")
    assert [each.object_id for each in await logged.obligations(clock=Clock.ANSWER)] == ["to-acme"]
    logged.scenario.later(hours=13)
    assert await logged.due() == [AnswerDue("to-acme", due=NOON + 12 * HOUR)]
    logged.scenario.miss_answer("to-acme")
    assert await logged.state(Clock.ANSWER) == (ClockState.MISSED, NOON + 12 * HOUR)
    assert await logged.due() == []
    logged.scenario.answer_inquiry("to-acme", at=NOON + 11 * HOUR)
    assert await logged.state(Clock.ANSWER) == (ClockState.WITHDRAWN, NOON + 12 * HOUR)


async def test_obligations_are_found_by_who_is_obliged(tenant: EmptyTenant):
    scenario = _asked()
    scenario.ship()
    logged = LoggedScenario(tenant, scenario)
    by_owner = {
        owner: {each.clock for each in await logged.obligations(owner=owner)}
        for owner in (Party.SUPPLIER, Party.CARRIER, Party.RETAILER)
    }
    assert by_owner == {
        Party.SUPPLIER: {ACKNOWLEDGE, DISPATCH, Clock.ANSWER},
        Party.CARRIER: {FIRST_SCAN},
        Party.RETAILER: {DELIVERY, Clock.ANSWER},
    }
    scenario.later(days=9)
    scenario.miss(Clock.DELIVERY, ORDER)
    scenario.miss_first_scan()
    logged.catch_up()
    async with asking(tenant) as where:
        answer = await obligations.list_breaches(where, PageOf(), owner=Party.CARRIER)
        assert [each.object_id for each in answer.rows] == ["dhl/P1/1"]


async def test_a_breach_that_a_hold_excuses_is_open_again(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, sent())
    logged.scenario.later(hours=50)
    logged.scenario.miss(Clock.DISPATCH)
    logged.scenario.hold(HoldReason.CUSTOMER_REQUEST, at=NOON + 40 * HOUR)
    (excused,) = await logged.obligations(clock=DISPATCH)
    assert (excused.state, excused.stopped_since) == (ClockState.OPEN, NOON + 40 * HOUR)
    assert await logged.timers() == [AcknowledgeDue]
    logged.scenario.later(hours=10)
    logged.scenario.release(HoldReason.CUSTOMER_REQUEST)
    assert await logged.state(DISPATCH) == (ClockState.OPEN, NOON + 68 * HOUR)


# --- lists ----------------------------------------------------------------------------------------


def _many() -> Scenario:
    """Twenty orders an hour apart, half to each supplier, all sent; the first five of them were missed."""
    scenario = a_shop(tea=100)
    for number in range(20):
        order_id = f"shopify/{number}"
        item = line(1, "tea", 1) if number % 2 else line(1, "mug", 1, "bolt")
        scenario.place(item, order_id=order_id, promised_by=scenario.now + 9 * DAY)
        scenario.send(f"{order_id}/1")
        scenario.later(hours=1)
    scenario.now = NOON + timedelta(hours=24 + 4, minutes=30)
    for number in range(5):
        scenario.miss(Clock.ACKNOWLEDGE, f"shopify/{number}/1", f"shopify/{number}")
    return scenario


@pytest.mark.parametrize("size", [1, 3, 60, 1000])
async def test_pages_show_every_obligation_exactly_once_by_due_time(tenant: EmptyTenant, size: int):
    logged = LoggedScenario(tenant, _many())
    found = await logged.obligations(size=size)
    assert len({(each.object_id, each.clock) for each in found}) == len(found) == 60
    assert [each.due for each in found] == sorted(each.due for each in found)


async def test_obligations_are_found_by_supplier_clock_and_due_time(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, _many())
    acme = await logged.obligations(ClockState.OPEN, supplier_id="acme", size=4)
    assert [each.supplier_id for each in acme] == ["acme"] * 18
    dispatch = await logged.obligations(ClockState.OPEN, supplier_id="bolt", clock=DISPATCH, size=4)
    assert [each.object_id for each in dispatch] == [f"shopify/{number}/1" for number in range(0, 20, 2)]
    soon = await logged.obligations(ClockState.OPEN, until=logged.scenario.now + HOUR)
    assert [each.object_id for each in soon] == ["shopify/5/1"]


async def test_breaches_are_listed_by_when_they_were_due(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, _many())
    logged.catch_up()
    async with asking(tenant) as where:
        answer = await obligations.list_breaches(where, PageOf(), NOON + 25 * HOUR, NOON + 28 * HOUR)
        assert [each.object_id for each in answer.rows] == ["shopify/1/1", "shopify/2/1", "shopify/3/1"]
        answer = await obligations.list_breaches(where, PageOf(), NOON, NOON + 90 * DAY, "bolt", ACKNOWLEDGE)
        assert [each.object_id for each in answer.rows] == ["shopify/0/1", "shopify/2/1", "shopify/4/1"]
        assert (await obligations.list_breaches(where, PageOf(), clock=DISPATCH)).rows == []


async def test_counts_are_by_supplier_and_clock(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, _many())
    logged.catch_up()
    expected = [
        Counts("", DELIVERY, 20, 0, 0, 0),
        Counts("acme", ACKNOWLEDGE, 8, 0, 2, 0),
        Counts("acme", DISPATCH, 10, 0, 0, 0),
        Counts("bolt", ACKNOWLEDGE, 7, 0, 3, 0),
        Counts("bolt", DISPATCH, 10, 0, 0, 0),
    ]
    async with asking(tenant) as where:
        assert (await obligations.count_obligations(where, PageOf())).rows == expected
        assert (await obligations.count_obligations(where, PageOf(), "bolt")).rows == expected[3:]
        found, token = [], ""
        for _ in range(3):
            answer = await obligations.count_obligations(where, PageOf(1, token))
            found += answer.rows
            token = answer.next_page_token
        assert (found, token) == (expected, "")


async def test_what_the_retailer_is_to_send_a_supplier_counts_for_the_retailer(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, confirmed())
    logged.catch_up()
    async with asking(tenant) as where:
        counted = (await obligations.count_obligations(where, PageOf())).rows
        assert Counts("", Clock.SEND, 1, 0, 0, 0) in counted
        assert {each.supplier_id for each in counted} == {""}
        assert (await obligations.count_obligations(where, PageOf(), "acme")).rows == []


# --- the clock task -------------------------------------------------------------------------------


async def test_nothing_is_due_before_any_projector_ran(tenant: EmptyTenant):
    async with asking(tenant) as where, where.pool.connection() as connection:
        assert await obligations.due(connection, tenant.schema, NOON, 10) == []


async def test_what_is_due_comes_longest_overdue_first_and_no_more_than_asked(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, sent(promised_by=NOON + 40 * HOUR))
    assert await logged.due(NOON + 24 * HOUR - timedelta(seconds=1)) == []
    found = await logged.due(NOON + 3 * DAY)
    assert found == [
        AcknowledgeDue(FIRST, due=NOON + 24 * HOUR),
        DeliveryDue(ORDER, due=NOON + 40 * HOUR),
        DispatchDue(FIRST, due=NOON + 48 * HOUR),
    ]
    assert await logged.due(NOON + 3 * DAY, limit=2) == found[:2]


async def test_what_was_noticed_is_due_no_more(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, sent(promised_by=NOON + 40 * HOUR))
    logged.scenario.later(days=3)
    for due in await logged.due():
        assert logged.scenario.notice(due)
    for due in await logged.due():
        assert logged.scenario.notice(due)
    assert await logged.due() == []


async def test_a_parcel_that_nobody_sees_is_due_after_the_agreed_days(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, shipped())
    logged.scenario.later(hours=2)
    logged.scenario.scan(ParcelStatus.IN_TRANSIT)
    logged.scenario.later(days=13)
    assert LossDue not in await logged.timers()
    logged.scenario.later(days=1)
    assert LossDue("dhl", "P1", 1, due=NOON + 14 * DAY + 2 * HOUR) in await logged.due()
    logged.scenario.suspect_loss()
    assert LossDue not in await logged.timers()


async def test_the_policy_in_force_says_after_how_many_days(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, shipped())
    agreed = Policy(suspected_lost_after_days=3)
    logged.scenario.record(
        changes_of(policies.stream(), policies.agree(policies.find(logged.scenario.book), agreed, NOON + 5 * DAY, NOON))
    )
    assert LossDue not in await logged.timers(NOON + 4 * DAY)
    assert LossDue in await logged.timers(NOON + 5 * DAY)
    stricter = Policy(suspected_lost_after_days=2)
    logged.scenario.record(
        changes_of(
            policies.stream(), policies.agree(policies.find(logged.scenario.book), stricter, NOON + 2 * DAY, NOON)
        )
    )
    assert LossDue in await logged.timers(NOON + 4 * DAY)


@pytest.mark.parametrize("status", [ParcelStatus.DELIVERED, ParcelStatus.CUSTOMS_HELD, ParcelStatus.LOST])
async def test_of_a_parcel_at_rest_no_scan_is_expected(tenant: EmptyTenant, status: ParcelStatus):
    logged = LoggedScenario(tenant, shipped())
    logged.scenario.scan(status)
    assert LossDue not in await logged.timers(NOON + 60 * DAY)


async def test_a_return_window_closes_once(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, delivered())
    logged.scenario.miss_first_scan()
    logged.scenario.later(days=14)
    assert await logged.due() == [ReturnWindowDue(ORDER, due=NOON + 17 * DAY)]
    logged.scenario.close_window()
    assert await logged.due() == []


async def test_a_disputed_delivery_has_no_return_window(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, delivered())
    logged.scenario.dispute()
    assert ReturnWindowDue not in await logged.timers(NOON + 90 * DAY)


async def test_stock_that_is_held_is_due_when_it_expires(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, a_shop(tea=10))
    logged.scenario.reserve("cart-1", 2, minutes=15)
    logged.scenario.reserve("cart-2", 2, minutes=30)
    logged.catch_up()
    logged.scenario.extend("cart-1", NOON + timedelta(minutes=45))
    logged.scenario.reserve("cart-3", 1, minutes=20)
    logged.scenario.let_go("cart-3")
    assert await logged.due(NOON + timedelta(minutes=44)) == [
        ReservationDue("acme", "tea", "cart-2", due=NOON + timedelta(minutes=30))
    ]
    logged.scenario.later(minutes=50)
    logged.scenario.expire("cart-1")
    logged.scenario.expire("cart-2")
    assert await logged.due() == []


async def test_a_committed_reservation_never_expires(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, a_shop(tea=10))
    logged.scenario.place(payment=PaymentState.PENDING)
    assert await logged.timers(NOON + DAY) == [ReservationDue]
    logged.scenario.pay()
    logged.scenario.send()
    assert await logged.timers(NOON + HOUR) == []


async def test_a_hold_of_which_a_part_was_given_back_still_expires(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, a_shop(tea=10))
    logged.scenario.place(payment=PaymentState.PENDING)
    logged.catch_up()
    logged.scenario.cancel({1: 1})
    assert await logged.timers(NOON + DAY) == [ReservationDue]
    logged.scenario.cancel({1: 2})
    assert await logged.timers(NOON + DAY) == []
