"""Obligations of a scenario whose facts are appended to the log step by step."""

from __future__ import annotations

from datetime import datetime

from ledger.decisions.timers import Timer
from ledger.terms.clocks import Clock, ClockState
from projections import obligations
from projections.machine.reads import PageOf
from projections.obligations import Obligation
from tests.support.projecting import asking, catch_up
from tests.support.scenario import Scenario
from tests.support.stalls import EmptyTenant


class LoggedScenario:
    """A scenario whose facts are appended to the log step by step."""

    def __init__(self, tenant: EmptyTenant, scenario: Scenario) -> None:
        self.tenant = tenant
        self.scenario = scenario
        self._written = 0

    def catch_up(self) -> int:
        new = self.scenario.log[self._written :]
        self._written = len(self.scenario.log)
        return catch_up(self.tenant, new)

    async def obligations(self, *states: ClockState, size: int = 100, **more) -> list[Obligation]:
        """All that are in these states, or in any, page after page."""
        self.catch_up()
        found: list[Obligation] = []
        token = ""
        async with asking(self.tenant) as where:
            while True:
                answer = await obligations.list_obligations(
                    where, PageOf(size, token), states or tuple(ClockState), **more
                )
                found += answer.rows
                token = answer.next_page_token
                if not token:
                    return found

    async def state(self, clock: Clock) -> tuple[ClockState, datetime]:
        """What became of the only obligation of this clock, and when it was due."""
        (one,) = await self.obligations(clock=clock)
        return one.state, one.due

    async def due(self, now: datetime | None = None, limit: int = 100) -> list[Timer]:
        self.catch_up()
        async with asking(self.tenant) as where, where.pool.connection() as connection:
            return await obligations.due(connection, self.tenant.schema, now or self.scenario.now, limit)

    async def timers(self, now: datetime | None = None) -> list[type[Timer]]:
        return [type(due) for due in await self.due(now)]
