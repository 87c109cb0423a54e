"""Lists of cases, the clock of their first answer, and the reships they wait for, in read models."""

from __future__ import annotations

from datetime import datetime

from ledger.decisions.timers import FirstAnswerDue, ReshipDue, ReturnWindowDue, Timer
from ledger.nouns.cases import (
    CaseStatus,
    Denial,
    Reason,
    Remedy,
)
from ledger.nouns.parcels import ParcelStatus
from ledger.nouns.policies import Policy
from ledger.terms.clocks import Clock, ClockState
from ledger.terms.parties import Party
from projections import cases
from projections.cases import CaseSummary
from projections.machine.reads import PageOf
from tests.support.casework import (
    CASE,
    OTHER_PHOTO,
    RESHIP,
    Desk,
    approved,
    opened,
    ruled,
)
from tests.support.obligations import LoggedScenario
from tests.support.projecting import (
    asking,
    begin_again,
    catch_up,
    contents,
)
from tests.support.scenario import (
    DAY,
    HOUR,
    ORDER,
    delivered,
    line,
)
from tests.support.stalls import EmptyTenant


async def listed(tenant: EmptyTenant, desk: Desk, size: int = 100, **how) -> list[CaseSummary]:
    """All cases that fit, page after page; the scenario goes to the log once."""
    head = catch_up(tenant, desk.scenario.log)
    desk.scenario.log.clear()
    found: list[CaseSummary] = []
    token = ""
    async with asking(tenant, head) as where:
        while True:
            answer = await cases.list_cases(where, PageOf(size, token), **how)
            found += answer.rows
            token = answer.next_page_token
            if not token:
                return found


# --- lists ----------------------------------------------------------------------------------------


async def test_a_case_is_listed_with_how_far_it_is(tenant: EmptyTenant):
    desk = ruled(by_line={1: 2})
    (row,) = await listed(tenant, desk)
    assert (row.case_id, row.order_id, row.status, row.reason) == (
        CASE,
        ORDER,
        CaseStatus.LIABILITY_RULED,
        Reason.DAMAGED,
    )
    assert (row.liable, row.remedy, row.units, row.supplier_ids) == (Party.SUPPLIER, None, 2, ["acme"])
    desk.approves(Remedy.REFUND)
    desk.grants({1: 1})
    (row,) = await listed(tenant, desk)
    assert (row.status, row.remedy, row.granted_minor, row.paid_minor, row.currency) == (
        CaseStatus.IN_REMEDY, Remedy.REFUND, 500, 0, "EUR",
    )  # fmt: skip
    desk.denies_refund(because=Denial.GOODS_USED)
    desk.pays()
    (row,) = await listed(tenant, desk)
    assert (row.status, row.denial, row.paid_minor) == (CaseStatus.RESOLVED, Denial.GOODS_USED, 500)
    assert row.closed_at == desk.scenario.now


async def test_cases_are_found_by_status_supplier_order_and_time_page_after_page(tenant: EmptyTenant):
    scenario = delivered(line(1, "tea", 3), line(2, "mug", 3, "acme"))
    desk = Desk(scenario)
    for n in range(1, 4):
        desk.opens(case_id=f"case-{n}")
        scenario.later(hours=1)
    scenario.place(line(1, "ink", 1, "bolt"), order_id="shopify/2")
    scenario.send("shopify/2/1")
    scenario.ship(supplier_order_id="shopify/2/1", number="P2")
    desk.opens(Reason.LOST, case_id="case-4", order_id="shopify/2")
    desk.reviews("case-2")
    assert [row.case_id for row in await listed(tenant, desk, size=1)] == ["case-1", "case-2", "case-3", "case-4"]
    assert [row.case_id for row in await listed(tenant, desk, statuses=[CaseStatus.UNDER_REVIEW])] == ["case-2"]
    assert [row.case_id for row in await listed(tenant, desk, supplier_id="bolt")] == ["case-4"]
    assert [row.case_id for row in await listed(tenant, desk, size=2, supplier_id="acme")] == [
        "case-1", "case-2", "case-3",
    ]  # fmt: skip
    found = await listed(tenant, desk, supplier_id="acme", statuses=[CaseStatus.OPENED], order_id=ORDER)
    assert [row.case_id for row in found] == ["case-1", "case-3"]
    since = scenario.now - 2 * HOUR
    assert [row.case_id for row in await listed(tenant, desk, since=since, until=scenario.now)] == ["case-2", "case-3"]
    assert await listed(tenant, desk, order_id="shopify/9") == []


async def test_a_case_that_is_reopened_is_listed_as_open_again(tenant: EmptyTenant):
    desk = ruled()
    desk.denies()
    desk.files(OTHER_PHOTO)
    desk.reopens(OTHER_PHOTO)
    (row,) = await listed(tenant, desk, statuses=[CaseStatus.UNDER_REVIEW])
    assert (row.closed_at, row.denial) == (None, None)


async def due(logged: LoggedScenario, timer: type[Timer], now: datetime | None = None) -> list[tuple[str, ...]]:
    """What this timer is about that has run out."""
    return [tuple(each.names) for each in await logged.due(now) if isinstance(each, timer)]


# --- the first answer -----------------------------------------------------------------------------


async def test_the_first_answer_is_an_obligation_of_the_retailer(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, (desk := opened()).scenario)
    due = desk.scenario.now + 24 * HOUR
    (obligation,) = await logged.obligations(clock=Clock.FIRST_ANSWER)
    assert (obligation.object_id, obligation.supplier_id, obligation.state, obligation.due) == (
        CASE, "", ClockState.OPEN, due,
    )  # fmt: skip
    desk.asks()
    assert await logged.state(Clock.FIRST_ANSWER) == (ClockState.MET, due)


async def test_a_first_answer_that_does_not_come_is_due_at_the_clock_once(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, (desk := opened()).scenario)
    assert await due(logged, FirstAnswerDue, desk.scenario.now + 23 * HOUR) == []
    desk.scenario.later(hours=24)
    assert await due(logged, FirstAnswerDue) == [(CASE,)]
    desk.clock_runs()
    assert await due(logged, FirstAnswerDue) == []
    assert (await logged.state(Clock.FIRST_ANSWER))[0] is ClockState.MISSED
    desk.answers(hours_ago=1)
    assert (await logged.state(Clock.FIRST_ANSWER))[0] is ClockState.WITHDRAWN


async def test_a_case_that_is_cancelled_before_its_answer_obliges_nobody(tenant: EmptyTenant):
    logged = LoggedScenario(tenant, (desk := opened()).scenario)
    desk.cancels()
    assert await logged.obligations(clock=Clock.FIRST_ANSWER) == []


# --- reships and return windows -------------------------------------------------------------------


async def test_a_reship_that_ended_is_due_until_its_case_has_seen_it(tenant: EmptyTenant):
    desk = approved(Remedy.RESHIP)
    logged = LoggedScenario(tenant, desk.scenario)
    assert await due(logged, ReshipDue) == []
    desk.scenario.send(f"{RESHIP}/1")
    desk.scenario.ship(supplier_order_id=f"{RESHIP}/1", number="P9")
    desk.scenario.scan(ParcelStatus.LOST, number="P9")
    assert await due(logged, ReshipDue) == [(CASE,)]
    desk.looks_at_the_reship()
    assert await due(logged, ReshipDue) == []


async def test_no_window_closes_while_a_case_is_open(tenant: EmptyTenant):
    desk = ruled()
    logged = LoggedScenario(tenant, desk.scenario)
    desk.scenario.later(days=Policy().return_window_days)
    desk.denies()
    assert await due(logged, ReturnWindowDue) == [(ORDER,)]
    desk.files(OTHER_PHOTO)
    desk.reopens(OTHER_PHOTO)
    assert await due(logged, ReturnWindowDue, desk.scenario.now + DAY) == []


def test_it_does_not_matter_where_a_page_of_the_log_ends(tenant: EmptyTenant):
    desk = approved(Remedy.RESHIP, {1: 2})
    desk.opens(case_id="case-2")
    desk.scenario.send(f"{RESHIP}/1")
    desk.scenario.ship({1: 1}, f"{RESHIP}/1", "P8")
    desk.scenario.ship({1: 1}, f"{RESHIP}/1", "P9")
    desk.scenario.scan(ParcelStatus.DELIVERED, number="P8")
    desk.scenario.scan(ParcelStatus.LOST, number="P9")
    desk.looks_at_the_reship()
    desk.grants()
    desk.pays()
    catch_up(tenant, desk.scenario.log)
    expected = contents(tenant)
    begin_again(tenant)
    catch_up(tenant, page_facts=2)
    assert contents(tenant) == expected
    assert sum(len(expected[table]) for table in ("cases", "cases_suppliers")) == 4
