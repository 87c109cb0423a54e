"""Reconciliation: each system is asked from time to time for what has changed, for what it told may have been lost.

What it answers goes into the inbox as if it had been told; what was told already is recognised there. So what is new in
the inbox is what was lost, or has not come yet.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from psycopg_pool import AsyncConnectionPool

from adapters.edges.accounts import Accounts, Connected
from adapters.edges.delivery import MalformedDelivery
from adapters.edges.http import Http, SystemUnreachable, TryLater
from adapters.edges.inbox import Inbox
from adapters.edges.inbox_rows import Arrival
from adapters.edges.leases import Leases
from adapters.edges.meaning import NotUnderstood
from adapters.edges.outgoing import Outgoing
from adapters.edges.questions import FetchedPage, Tracked
from adapters.edges.wakeups import EdgeWork
from adapters.tenants import Tenant, Tenants
from ledger.engine.statements import in_schema
from projections.tracking import silent_parcels

log = logging.getLogger("fulfilment.edges")

LOOK_AGAIN = timedelta(seconds=60)
"""How often a tenant is looked at for connections that were added or resumed, at the latest."""
_AFTER_PROBLEM = timedelta(seconds=120)
_LONGEST_PROBLEM = 500
SILENT = timedelta(days=1)
"""How long nothing was heard of a parcel before its number is asked for."""
_GIVEN_UP = timedelta(days=90)
"""After so long without news trackers follow a number no more."""
_LOOKED_AT = 500
"""How many silent parcels are looked at for some that a connection covers."""
_PAGE_SECONDS = 100.0
"""However slow a system is, the others of the tenant get their turn."""

_KNOW = """
    INSERT INTO {ledger_connections} (name, added_at) VALUES (%(name)s, %(added_at)s)
    ON CONFLICT (name) DO UPDATE SET added_at = excluded.added_at, cursor = '', next_at = now(), asked_at = NULL,
        found = 0, found_now = 0, found_last = 0, problem = '', told_to = 0
    WHERE {ledger_connections}.added_at <> excluded.added_at
"""
_FORGET = "DELETE FROM {ledger_connections} WHERE NOT name = ANY(%(names)s)"
_STANDING = (
    "SELECT name, added_at, cursor, next_at, asked_at, found, found_now, found_last, problem FROM {ledger_connections} "
    "WHERE name = ANY(%(names)s)"
)
_TOLD_TO = "SELECT name, told_to FROM {ledger_connections} WHERE name = ANY(%(names)s)"
_SET_TOLD_TO = (
    "UPDATE {ledger_connections} SET told_to = %(position)s WHERE name = ANY(%(names)s) AND told_to < %(position)s"
)
_PAGE = """
    UPDATE {ledger_connections} SET cursor = %(cursor)s, found = found + %(found)s, found_now = found_now + %(found)s,
        problem = %(problem)s, next_at = now() + %(pause)s
    WHERE name = %(name)s AND added_at = %(added_at)s
"""
_DONE = """
    UPDATE {ledger_connections}
    SET asked_at = now(), next_at = now() + %(pause)s, found_last = found_now, found_now = 0
    WHERE name = %(name)s AND added_at = %(added_at)s
"""
_PROBLEM = """
    UPDATE {ledger_connections} SET next_at = now() + %(pause)s, problem = %(problem)s
    WHERE name = %(name)s AND added_at = %(added_at)s
"""


class AskedSoFar(NamedTuple):
    """How far a connection was asked."""

    name: str
    added_at: datetime
    cursor: str
    next_at: datetime
    asked_at: datetime | None
    found: int
    found_now: int
    found_last: int
    problem: str


class Asking:
    """How far the connections of one tenant were asked."""

    def __init__(self, tenant: Tenant, pool: AsyncConnectionPool[Any]) -> None:
        self._schema = tenant.schema
        self._pool = pool

    async def of(self, connected: Mapping[str, Connected]) -> list[AskedSoFar]:
        """Of these connections; one that was added anew begins anew."""
        async with self._pool.connection() as connection, connection.transaction():
            for name, one in connected.items():
                await connection.execute(in_schema(_KNOW, self._schema), {"name": name, "added_at": one.added_at})
        return await self.listed(list(connected))

    async def listed(self, names: list[str]) -> list[AskedSoFar]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(in_schema(_STANDING, self._schema), {"names": names})
            return [AskedSoFar._make(row) for row in await cursor.fetchall()]

    async def told_to(self, connected: Mapping[str, Connected]) -> dict[str, int]:
        """Up to which position of the log these connections were told; 0 of one that was not looked at."""
        await self.of(connected)
        async with self._pool.connection() as connection:
            cursor = await connection.execute(in_schema(_TOLD_TO, self._schema), {"names": list(connected)})
            return dict(await cursor.fetchall())

    async def set_told_to(self, names: list[str], position: int) -> None:
        await self._write(_SET_TOLD_TO, names=names, position=position)

    async def forget_others(self, names: list[str]) -> None:
        await self._write(_FORGET, names=names)

    async def page(self, standing: AskedSoFar, page: FetchedPage, found: int, pause: timedelta) -> None:
        problem = page.problem[:_LONGEST_PROBLEM]
        await self._write(_PAGE, standing, cursor=page.cursor, found=found, problem=problem, pause=pause)

    async def done(self, standing: AskedSoFar, pause: timedelta) -> None:
        await self._write(_DONE, standing, pause=pause)

    async def problem(self, standing: AskedSoFar, problem: str, pause: timedelta) -> None:
        await self._write(_PROBLEM, standing, problem=problem, pause=pause)

    async def _write(self, template: str, standing: AskedSoFar | None = None, **values: Any) -> None:
        if standing is not None:
            values |= {"name": standing.name, "added_at": standing.added_at}
        async with self._pool.connection() as connection:
            await connection.execute(in_schema(template, self._schema), values)


class Reconciliation:
    """Asks the systems of all tenants."""

    def __init__(
        self, tenants: Tenants, accounts: Accounts, outgoing: Outgoing, inbox_filled: Callable[[str], None]
    ) -> None:
        """``inbox_filled`` is called with the tenant in whose inbox there is something new."""
        self._tenants = tenants
        self._accounts = accounts
        self._outgoing = outgoing
        self._inbox_filled = inbox_filled
        self.leases = Leases(tenants, EdgeWork.ASKING, self.work)

    async def work(self, tenant: Tenant) -> datetime | None:
        """Asks for one page of one connection that is due, and says when there is something to ask next."""
        standings, accounts = Asking(tenant, self._tenants.pool), await self._accounts.read(tenant)
        names = await self._accounts.names(tenant)
        if not names:
            await standings.forget_others([])
            return None
        connected = {name: one for name, one in accounts.items() if not one.paused and one.system.is_asked(one.account)}
        there, now = await standings.of(connected), datetime.now(UTC)
        due = [each for each in there if each.next_at <= now]
        if due:
            first = min(due, key=lambda each: each.next_at)
            await self._page(tenant, standings, first, connected[first.name])
            return now
        return min([now + LOOK_AGAIN, *(each.next_at for each in there)])

    async def _page(self, tenant: Tenant, standings: Asking, standing: AskedSoFar, one: Connected) -> None:
        try:
            async with asyncio.timeout(_PAGE_SECONDS):
                page = await self._next_page(tenant, standing, one)
        except TryLater as later:
            await standings.problem(standing, str(later), timedelta(seconds=later.seconds))
        except (SystemUnreachable, NotUnderstood, MalformedDelivery) as problem:
            await standings.problem(standing, str(problem)[:_LONGEST_PROBLEM], _AFTER_PROBLEM)
        except TimeoutError:
            await standings.problem(standing, "it did not answer in time", _AFTER_PROBLEM)
        except Exception as mistake:  # noqa: BLE001 - the other connections are asked
            log.error("asking %s of %s failed with %s", one.system.name, tenant.name, type(mistake).__name__)
            await standings.problem(standing, f"a mistake of the service: {type(mistake).__name__}", _AFTER_PROBLEM)
        else:
            arrivals = [Arrival(one, each.received, each.raw, asked=True) for each in page.found]
            news = sum(await Inbox.of(tenant).keep(arrivals)) if arrivals else 0
            pause = timedelta(seconds=one.system.pause_between_questions(one.account))
            await standings.page(standing, page, news, pause)
            if news:
                self._inbox_filled(tenant.name)
            if page.done:
                await standings.done(standing, timedelta(seconds=one.system.asks_every_seconds))

    async def _next_page(self, tenant: Tenant, standing: AskedSoFar, one: Connected) -> FetchedPage:
        http = self._outgoing.of(tenant, one)
        if one.system.asks_numbers:
            return await self._by_number(tenant, standing.cursor, one, http)
        return await one.system.changed_since(http, one.account, standing.cursor)

    async def _by_number(self, tenant: Tenant, cursor: str, one: Connected, http: Http) -> FetchedPage:
        """Asks for some numbers that nothing was heard of; the cursor is the last of them, until all were asked for."""
        silent = await self._silent(tenant, cursor)
        covered = [each for each in silent if one.system.covers(each.carrier, one.account)]
        numbers = covered[: one.system.asks_numbers]
        are_all = len(numbers) == len(covered)
        page = await one.system.asked(http, one.account, numbers) if numbers else FetchedPage((), "")
        if are_all and len(silent) < _LOOKED_AT:
            return FetchedPage(page.found, "", done=True, problem=page.problem)
        last = silent[-1] if are_all else numbers[-1]
        return FetchedPage(page.found, f"{last.number} {last.carrier}", problem=page.problem)

    async def _silent(self, tenant: Tenant, cursor: str) -> list[Tracked]:
        now = datetime.now(UTC)
        number, _, carrier = cursor.partition(" ")
        async with self._tenants.pool.connection() as connection:
            found = await silent_parcels(
                connection, tenant.schema, now - _GIVEN_UP, now - SILENT, (number, carrier), _LOOKED_AT
            )
        return [Tracked(carrier, number, country) for number, carrier, country in found]
