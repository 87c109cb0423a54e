"""What read models know of recoveries: what is due, what was missed, what the clock is to look at, and the list."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ledger.decisions.timers import ClaimEligibleDue, ClaimFilingDue, RecoveryAnswerDue, Timer
from ledger.nouns.recoveries import RecoveryKind, RecoveryStatus
from ledger.nouns.suppliers import Agreement
from ledger.terms.clocks import Clock, ClockState
from projections import obligations
from projections.machine.reads import PageOf
from projections.obligations import Obligation
from projections.recoveries import ListedRecovery, RecoveryFilter, list_recoveries
from tests.support.projecting import asking, catch_up
from tests.support.recovering import (
    DAMAGE,
    Recovering,
    claimable,
    refund,
)
from tests.support.scenario import (
    DAY,
    FIRST,
    HOUR,
    NOON,
    ORDER,
    Scenario,
    line,
    shipped,
)
from tests.support.stalls import EmptyTenant

FILING, ANSWER = Clock.CLAIM_FILING, Clock.RECOVERY_ANSWER


class LoggedScenario:
    """A scenario whose facts are appended to the log step by step."""

    def __init__(self, tenant: EmptyTenant, scenario: Scenario) -> None:
        self.tenant, self.scenario = tenant, scenario
        self._written = 0

    def catch_up(self) -> None:
        new = self.scenario.log[self._written :]
        self._written = len(self.scenario.log)
        catch_up(self.tenant, new)

    async def obligations(self, clock: Clock, **more: Any) -> list[Obligation]:
        self.catch_up()
        async with asking(self.tenant) as where:
            return (await obligations.list_obligations(where, PageOf(), tuple(ClockState), clock=clock, **more)).rows

    async def states(self, clock: Clock) -> list[ClockState]:
        return [each.state for each in await self.obligations(clock)]

    async def due(self) -> list[Timer]:
        """What the clock is to notice of recoveries."""
        self.catch_up()
        timers = (ClaimFilingDue, ClaimEligibleDue, RecoveryAnswerDue)
        async with asking(self.tenant) as where, where.pool.connection() as connection:
            found = await obligations.due(connection, where.schema, self.scenario.now, 100)
        return [each for each in found if isinstance(each, timers)]

    async def listed(self, page: PageOf | None = None, **about: Any) -> list[ListedRecovery]:
        self.catch_up()
        async with asking(self.tenant) as where:
            return (await list_recoveries(where, page or PageOf(), RecoveryFilter(**about))).rows


def answering(scenario: Scenario, recovery_id: str = "asked") -> Recovering:
    scenario.approve("acme", Agreement(effective_from=NOON - timedelta(days=1), answer_within_hours=24))
    recovering = Recovering(scenario, recovery_id)
    recovering.of_supplier(refund(1000))
    return recovering


# --- the filing of a claim --------------------------------------------------------------------------


async def test_a_claim_is_to_be_filed_before_its_deadline(tenant: EmptyTenant):
    claim = claimable()
    logged = LoggedScenario(tenant, claim.scenario)
    (owed,) = await logged.obligations(FILING)
    assert (owed.object_id, owed.state, owed.due, owed.supplier_id) == ("r1", ClockState.OPEN, NOON + 60 * DAY, "")
    assert len(await logged.obligations(FILING, until=NOON + 61 * DAY)) == 1
    assert await logged.obligations(FILING, until=NOON + 59 * DAY) == []
    claim.collect()
    claim.file()
    (met,) = await logged.obligations(FILING)
    assert (met.state, met.met_at) == (ClockState.MET, claim.scenario.now)


async def test_the_clock_hears_of_a_deadline_until_the_claim_is_barred(tenant: EmptyTenant):
    claim = claimable(days=59)
    logged = LoggedScenario(tenant, claim.scenario)
    assert await logged.due() == []
    claim.scenario.later(days=1)
    assert await logged.due() == [ClaimFilingDue("r1", due=NOON + 60 * DAY)]
    claim.bar()
    assert await logged.due() == []
    (missed,) = await logged.obligations(FILING)
    assert (missed.state, missed.missed_at) == (ClockState.MISSED, claim.scenario.now)
    async with asking(tenant) as where:
        breaches = await obligations.list_breaches(where, PageOf(), clock=FILING)
    assert breaches.rows == [missed]


async def test_nothing_is_owed_of_a_claim_that_was_given_up(tenant: EmptyTenant):
    claim = claimable()
    logged = LoggedScenario(tenant, claim.scenario)
    assert await logged.states(FILING) == [ClockState.OPEN]
    claim.write_off()
    assert await logged.states(FILING) == []
    claim.scenario.later(days=100)
    assert await logged.due() == []


async def test_the_clock_hears_when_a_waiting_time_has_passed(tenant: EmptyTenant):
    claim = claimable(days=13)
    logged = LoggedScenario(tenant, claim.scenario)
    assert await logged.due() == []
    claim.scenario.later(days=1)
    assert await logged.due() == [ClaimEligibleDue("r1", due=NOON + 14 * DAY)]
    claim.become_eligible()
    assert await logged.due() == []


# --- the supplier's answer --------------------------------------------------------------------------


async def test_a_supplier_is_to_answer_in_its_hours(tenant: EmptyTenant):
    asked = answering(shipped())
    logged = LoggedScenario(tenant, asked.scenario)
    (owed,) = await logged.obligations(ANSWER)
    assert (owed.object_id, owed.supplier_id, owed.due) == ("asked", "acme", NOON + 24 * HOUR)
    asked.scenario.later(hours=24)
    assert await logged.due() == [RecoveryAnswerDue("asked", due=NOON + 24 * HOUR)]
    asked.miss_answer()
    assert await logged.due() == []
    assert await logged.states(ANSWER) == [ClockState.MISSED]
    asked.dispute(at=NOON + 20 * HOUR)
    assert await logged.states(ANSWER) == [ClockState.WITHDRAWN]


async def test_an_answer_in_time_is_kept_as_met_until_more_is_asked(tenant: EmptyTenant):
    asked = answering(shipped())
    logged = LoggedScenario(tenant, asked.scenario)
    asked.accept(1000)
    assert await logged.states(ANSWER) == [ClockState.MET]
    asked.add(refund(500, "refund-2"))
    assert await logged.states(ANSWER) == [ClockState.OPEN]
    asked.write_off()
    assert await logged.states(ANSWER) == []


# --- the list ---------------------------------------------------------------------------------------


@pytest.fixture
def logged(tenant: EmptyTenant) -> LoggedScenario:
    """A supplier that is asked, a claim that waits, one that is written off."""
    scenario = shipped(line(1, "tea", 2), line(2, "ink", 1, "bolt"))
    scenario.ship({2: 1}, supplier_order_id=f"{ORDER}/2", number="P2")
    answering(scenario)
    loss, damage = Recovering(scenario, "loss"), Recovering(scenario, "damage")
    loss.of_carrier(refund(700))
    damage.of_carrier(kind=DAMAGE, number="P2")
    damage.write_off()
    return LoggedScenario(tenant, scenario)


def ids(rows: list[ListedRecovery]) -> list[str]:
    return [row.recovery_id for row in rows]


async def test_recoveries_are_listed_by_what_is_due_first(logged: LoggedScenario):
    rows = await logged.listed()
    assert ids(rows) == ["asked", "loss", "damage"]
    assert [row.due for row in rows] == [NOON + 24 * HOUR, NOON + 60 * DAY, None]
    loss = rows[1]
    assert (loss.status, loss.carrier, loss.number, loss.epoch) == (RecoveryStatus.WAITING, "dhl", "P1", 1)
    assert (loss.asked_minor, loss.currency, loss.supplier_order_id) == (700, "EUR", FIRST)
    assert rows[2].ended_at == NOON


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"kinds": (RecoveryKind.SUPPLIER_FAULT,)}, ["asked"]),
        ({"kinds": (RecoveryKind.CARRIER_LOSS, RecoveryKind.CARRIER_DAMAGE)}, ["loss", "damage"]),
        ({"statuses": (RecoveryStatus.WAITING, RecoveryStatus.WRITTEN_OFF)}, ["loss", "damage"]),
        ({"supplier_id": "bolt"}, ["damage"]),
        ({"carrier": "dhl"}, ["loss", "damage"]),
        ({"carrier": "ups"}, []),
        ({"order_id": ORDER, "statuses": (RecoveryStatus.PROPOSED,)}, ["asked"]),
        ({"case_id": "case-9"}, []),
        ({"due_until": NOON + 2 * DAY}, ["asked"]),
    ],
)
async def test_a_list_is_narrowed_by_what_its_recoveries_have_in_common(
    logged: LoggedScenario, about: dict[str, Any], expected: list[str]
):
    assert ids(await logged.listed(**about)) == expected


async def test_a_list_comes_in_pages(logged: LoggedScenario):
    logged.catch_up()
    found, token = list[str](), ""
    async with asking(logged.tenant) as where:
        for _ in range(3):
            answer = await list_recoveries(where, PageOf(1, token), RecoveryFilter())
            found += ids(answer.rows)
            token = answer.next_page_token
    assert (found, token) == (["asked", "loss", "damage"], "")


async def test_a_row_follows_its_recovery(logged: LoggedScenario):
    asked = Recovering(logged.scenario, "asked")
    assert (await logged.listed(order_id=ORDER))[0].agreed_minor == 0
    asked.accept(800)
    asked.settle(300)
    (row,) = await logged.listed(statuses=(RecoveryStatus.ACCEPTED,))
    assert (row.agreed_minor, row.received_minor, row.due) == (800, 300, None)
