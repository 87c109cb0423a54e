"""Work for every tenant: an error is logged once while it lasts, and again after it was over."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from adapters import every_tenant
from adapters.database.control import _SAME_LOOK_SECONDS, Control, TenantSchema
from adapters.database.postgres import open_pool
from adapters.every_tenant import REST, EveryTenant, end, soonest
from tests.support.stalls import EmptyTenant
from tests.support.waiting import wait_for

_LOG = logging.getLogger("fulfilment.work")
_DOWN = (psycopg.OperationalError("gone"), PoolTimeout("no connection"))
"""What a database that is down shows by turns."""


async def test_each_kind_of_alternating_errors_is_logged_once_until_all_is_over(
    conninfo: str, caplog: pytest.LogCaptureFixture
):
    tenant_name = f"turns{uuid4().hex[:12]}"
    outcomes = iter([*_DOWN, *_DOWN, None, _DOWN[0]])
    tried = asyncio.Event()

    async def work(name: str) -> timedelta:
        if name == tenant_name:
            outcome = next(outcomes, "over")
            if isinstance(outcome, Exception):
                raise outcome
            if outcome == "over":
                tried.set()
        return REST

    async with open_pool(conninfo) as pool:
        control = Control(pool)
        await control.prepare()
        await control.create_tenant(tenant_name)
        try:
            await _until(tried, EveryTenant(control, _LOG, work, 0.01), caplog)
        finally:
            async with pool.connection() as connection:
                await connection.execute(SQL("DROP SCHEMA {} CASCADE").format(Identifier(f"tenant_{tenant_name}")))
                await connection.execute("DELETE FROM fulfilment.tenants WHERE name = %s", (tenant_name,))
    first, second = (f"{tenant_name} has to wait: {type(each).__name__}" for each in _DOWN)
    logged = [
        each.removesuffix(": gone").removesuffix(": no connection") for each in _logged_about(tenant_name, caplog)
    ]
    goes_on = f"{tenant_name} goes on"
    assert logged == [first, second, goes_on, first, goes_on]


class _Faltering(Control):
    """The question who is awake fails every other time."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        super().__init__(pool)
        self.seen = 0
        self.enough = asyncio.Event()

    async def list_tenants(self) -> list[TenantSchema]:
        return []

    async def awake(self, since: datetime | None = None) -> tuple[set[str], datetime | None]:
        self.seen += 1
        if self.seen > 4:
            self.enough.set()
        if self.seen % 2:
            raise psycopg.OperationalError("gone")
        return set(), since


async def test_a_tenant_at_rest_has_a_turn_when_its_work_wants_one_or_when_it_is_awake():
    class Listed(Control):
        def __init__(self) -> None:
            self.is_awake: list[str] = []

        async def list_tenants(self) -> list[TenantSchema]:
            return [TenantSchema(name, f"tenant_{name}", datetime.now(UTC)) for name in ("apples", "pears")]

        async def awake(self, since: datetime | None = None) -> tuple[set[str], datetime | None]:
            return {*self.is_awake}, since

    control, turns = Listed(), Counter[str]()

    async def work(name: str) -> timedelta:
        turns[name] += 1
        return timedelta(milliseconds=1) if name == "pears" else REST

    running = asyncio.create_task(EveryTenant(control, _LOG, work, 0.01).run())
    try:
        await asyncio.to_thread(wait_for, lambda: turns["pears"] >= 5, pause=0.001)
        assert turns["apples"] == 1
        control.is_awake.append("apples")
        await asyncio.to_thread(wait_for, lambda: turns["apples"] >= 5, pause=0.001)
        control.is_awake.append("plums")  # made since they were listed
        await asyncio.to_thread(wait_for, lambda: turns["plums"], pause=0.001)
    finally:
        await end([running])


async def test_who_was_awake_while_the_question_failed_has_a_turn_once_it_is_answered(
    shop: EmptyTenant, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(every_tenant, "_LOOK_SECONDS", 0.01)

    class Cut(Control):
        is_cut = False
        missed = 0

        async def awake(self, since: datetime | None = None) -> tuple[set[str], datetime | None]:
            if self.is_cut:
                self.missed += 1
                raise psycopg.OperationalError("gone")
            return await super().awake(since)

    turns = Counter[str]()

    async def work(name: str) -> timedelta:
        turns[name] += 1
        return REST

    name = shop.schema.removeprefix("tenant_")
    async with open_pool(shop.conninfo) as pool, pool.connection() as connection:
        fall_asleep = "UPDATE fulfilment.tenants SET awake_until = now() WHERE name = %s"
        control = Cut(pool)
        running = asyncio.create_task(EveryTenant(control, _LOG, work, 0.01).run())
        try:
            await asyncio.to_thread(wait_for, lambda: turns[name] >= 3, pause=0.001)
            control.is_cut = True
            await asyncio.to_thread(wait_for, lambda: control.missed >= 2, pause=0.001)
            await connection.execute(fall_asleep, (name,))
            before = turns[name]
            control.is_cut = False
            await asyncio.to_thread(wait_for, lambda: turns[name] > before, pause=0.001)
        finally:
            await end([running])


async def test_who_asks_at_about_the_same_time_who_is_awake_is_told_what_the_first_was(shop: EmptyTenant):
    name = shop.schema.removeprefix("tenant_")
    async with open_pool(shop.conninfo) as pool, pool.connection() as connection:
        await connection.execute(
            "UPDATE fulfilment.tenants SET awake_until = clock_timestamp() WHERE name = %s", (name,)
        )
        control = Control(pool)
        ((now,),) = await (await connection.execute("SELECT clock_timestamp()")).fetchall()
        before = pool.get_stats()["requests_num"]
        answers = await asyncio.gather(*[control.awake(now) for _ in range(7)])
        assert pool.get_stats()["requests_num"] == before + 1
        assert all(answer == answers[0] for answer in answers)
        earlier, _ = await control.awake(now - timedelta(minutes=1))
        assert name in earlier - answers[0][0]  # an answer since a later time would have left it out
        await asyncio.sleep(_SAME_LOOK_SECONDS)
        await connection.execute(
            "UPDATE fulfilment.tenants SET awake_until = now() + interval '9 s' WHERE name = %s", (name,)
        )
        assert name in (await control.awake(now))[0]


async def test_nobody_looks_ahead_for_a_tenant_that_is_awake(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(every_tenant, "_LOOK_SECONDS", 0.01)

    class Listed(Control):
        def __init__(self) -> None:
            self.is_awake = ["apples"]

        async def list_tenants(self) -> list[TenantSchema]:
            return [TenantSchema(name, f"tenant_{name}", datetime.now(UTC)) for name in ("apples", "pears")]

        async def awake(self, since: datetime | None = None) -> tuple[set[str], datetime | None]:
            return {*self.is_awake}, since

    worked, asked = Counter[str](), Counter[str]()

    async def work(name: str) -> timedelta:
        worked[name] += 1
        return timedelta(milliseconds=1)

    async def rest(name: str) -> timedelta:
        asked[name] += 1
        return REST

    control = Listed()
    running = asyncio.create_task(EveryTenant(control, _LOG, work, 0.01, rest=rest).run())
    try:
        await asyncio.to_thread(wait_for, lambda: worked["apples"] >= 5, pause=0.001)
        assert (worked["pears"], asked) == (1, Counter(pears=1))
        control.is_awake.clear()
        await asyncio.to_thread(wait_for, lambda: asked["apples"], pause=0.001)
    finally:
        await end([running])


async def test_a_list_of_tenants_that_fails_again_after_a_success_is_logged_again(
    conninfo: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(every_tenant, "_LOOK_SECONDS", 0.01)

    async def work(name: str) -> timedelta:
        return REST

    async with open_pool(conninfo) as pool:
        control = _Faltering(pool)
        await _until(control.enough, EveryTenant(control, _LOG, work, 0.01), caplog)
    logged = [each.split(":")[0] for each in _logged_about("the list of tenants", caplog)]
    assert logged[:4] == ["the list of tenants has to wait", "the list of tenants goes on"] * 2


async def _until(over: asyncio.Event, every: EveryTenant, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, _LOG.name):
        running = asyncio.create_task(every.run())
        async with asyncio.timeout(30):
            await over.wait()
        await end([running])


def _logged_about(what: str, caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.name == _LOG.name and what in each.getMessage()]


@pytest.mark.parametrize(("due_in", "rest"), [(2000, 1800), (100, 60), (30, 5), (3, 1), (0, 1)])
async def test_work_rests_no_longer_than_nothing_is_due(due_in: int, rest: int):
    now = datetime.now(UTC)

    async def due(later: datetime) -> list[str]:
        return ["it"] if later >= now + timedelta(seconds=due_in) else []

    assert await soonest(due, now) == timedelta(seconds=rest)
