"""Tenants at rest: nobody looks at them, and yet nothing that is written is overlooked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import structs
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from adapters.clock import Clocks
from adapters.database.control import Control
from adapters.database.postgres import open_pool
from adapters.every_tenant import REST
from adapters.messages.letters import Letters
from adapters.messages.outbox import Outbox
from adapters.tenants import Tenant, Tenants
from ledger.engine.commands import Command
from ledger.engine.executor import Ledger
from ledger.engine.keyring import KeyRing
from ledger.engine.log import Log
from ledger.engine.sealing import Sealer
from ledger.engine.wire import SqlStatement
from ledger.facts import Change
from ledger.nouns import NOUNS
from ledger.view import View
from projections.machine import awake, following, runner
from projections.machine.awake import wake
from projections.machine.status import ask_for_rebuild
from projections.obligations import SLA
from tests.support.office import Postbox, an_office
from tests.support.projecting import catch_up, caught_up, connect, projector, statuses, until, write_down
from tests.support.scenario import confirmed, sent
from tests.support.stalls import EmptyTenant


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "POLL_SECONDS", 0.05)


def rests(shop: EmptyTenant) -> None:
    with connect(shop) as connection:
        connection.execute("UPDATE fulfilment.tenants SET awake_until = now() WHERE schema = %s", (shop.schema,))


def looks_go_by(shop: EmptyTenant, number: int = 10) -> None:
    """The projector has had so many occasions to look at the tenant."""
    seen: set[object] = set()
    with connect(shop) as connection:

        def enough() -> bool:
            seen.update(connection.execute("SELECT seen_at FROM fulfilment.projectors").fetchall())
            return len(seen) > number

        until(enough)


def test_a_tenant_at_rest_is_not_looked_at_until_it_is_awake(shop: EmptyTenant):
    with projector(shop.conninfo):
        until(lambda: statuses(shop)["sla"].seen_at)
        rests(shop)
        looks_go_by(shop)
        before = lead_of(shop)
        write_down(shop, sent().log)
        looks_go_by(shop)
        assert (lead_of(shop), caught_up(shop)) == (before, False)
        asyncio.run(woken(shop))
        until(lambda: caught_up(shop))


def lead_of(shop: EmptyTenant) -> object:
    """What a projector writes of a tenant while it looks at it."""
    with connect(shop) as connection:
        query = SQL("SELECT leader, seen_at FROM {}.ledger_projections ORDER BY name").format(Identifier(shop.schema))
        return connection.execute(query).fetchall()


async def woken(shop: EmptyTenant) -> None:
    async with open_pool(shop.conninfo) as pool, pool.connection() as connection:
        await wake(connection, shop.schema)


def test_the_read_models_of_a_tenant_at_rest_are_alive_as_long_as_a_projector_is(shop: EmptyTenant):
    with projector(shop.conninfo):
        write_down(shop, sent().log)
        until(lambda: caught_up(shop))
        rests(shop)
        looks_go_by(shop)
        first = statuses(shop)["sla"]
        looks_go_by(shop)
        assert statuses(shop)["sla"].seen_at > first.seen_at  # type: ignore[operator]
    ended_at = statuses(shop)["sla"].seen_at
    time.sleep(0.1)
    assert statuses(shop)["sla"].seen_at == ended_at


def test_who_was_awake_while_a_projector_could_not_ask_is_found_when_it_asks_again(shop: EmptyTenant):
    with projector(shop.conninfo):
        until(lambda: statuses(shop)["sla"].seen_at)
        rests(shop)
        looks_go_by(shop)
        write_down(shop, sent().log)
        rests(shop)  # as if it had been woken and fallen asleep between two questions
        until(lambda: caught_up(shop))


async def test_what_a_ledger_writes_is_seen_though_its_notification_is_lost(shop: EmptyTenant):
    with projector(shop.conninfo):
        await asyncio.to_thread(until, lambda: statuses(shop)["sla"].seen_at)
        rests(shop)
        await asyncio.to_thread(looks_go_by, shop)
        async with open_pool(shop.conninfo) as pool:
            tenants = Tenants(pool)
            tenant = await tenants.find(shop.schema.removeprefix("tenant_"))
            tenant.log._notify = SqlStatement(b"SELECT 1")  # as if it were lost
            log = sent().log
            await tenant.ledger.execute(written(log))
            await asyncio.to_thread(until, lambda: statuses(shop)["sla"].position == len(log))
            await tenants.drain()


def written(log: Sequence[Change]) -> Command:
    """A command that records all this."""
    streams = tuple(dict.fromkeys(stream for stream, _ in log))

    def decide(view: View) -> Sequence[Change]:
        view.need(*streams)
        return log

    return Command("1", "tester", b"", decide, streams)


async def test_who_writes_says_so_once_a_minute_and_before_it_is_written(
    shop: EmptyTenant, monkeypatch: pytest.MonkeyPatch
):
    said: list[int] = []

    async def noted(connection: AsyncConnection[Any], schema: str) -> None:
        head = await connection.execute(SQL("SELECT count(*) FROM {}.ledger_events").format(Identifier(schema)))
        said.extend(number for (number,) in await head.fetchall())
        await wake(connection, schema)

    monkeypatch.setattr(awake, "wake", noted)
    rests(shop)
    async with open_pool(shop.conninfo) as pool:
        tenants = Tenants(pool)
        tenant = await tenants.find(shop.schema.removeprefix("tenant_"))
        assert (said, tenant.name in (await Control(pool).awake())[0]) == ([], False)
        await tenant.ledger.execute(written(sent().log))
        assert (said, tenant.name in (await Control(pool).awake())[0]) == ([0], True)
        await tenant.ledger.execute(structs.replace(written(()), request_id="2"))
        assert said == [0]
        await tenants.drain()


def test_what_a_projector_leaves_at_its_end_another_takes_over_though_the_tenant_rests(
    shop: EmptyTenant, monkeypatch: pytest.MonkeyPatch
):
    for module in (runner, following):
        monkeypatch.setattr(module, "LEASE_SECONDS", 1.0)
    with projector(shop.conninfo):
        until(lambda: statuses(shop)["sla"].seen_at)
    write_down(shop, sent().log)
    with connect(shop) as connection:
        query = SQL("UPDATE {}.ledger_projections SET leader = 'lost', seen_at = clock_timestamp()")
        connection.execute("INSERT INTO fulfilment.projectors VALUES ('lost', clock_timestamp())")
        connection.execute(query.format(Identifier(shop.schema)))
    rests(shop)
    with projector(shop.conninfo):
        until(lambda: caught_up(shop))


async def test_a_clock_rests_until_shortly_before_the_next_deadline(tenant: EmptyTenant):
    scenario = sent()
    due = scenario.later(hours=24)
    await asyncio.to_thread(catch_up, tenant, scenario.log)
    async with open_pool(tenant.conninfo) as pool:
        log = Log(tenant.schema, pool)
        serving = Tenant("test", tenant.schema, log, Ledger(log, NOUNS))
        clocks = Clocks(Tenants(pool))
        before = (25_200, 7_200, 100, 30, 2, 0)
        rests = [await clocks.rest(serving, due - timedelta(seconds=each)) for each in before]
        assert [each.total_seconds() for each in rests] == [21_600, 1_800, 60, 5, 1, 1]


async def test_what_is_asked_of_an_awake_tenant_every_second_is_planned_once(tenant: EmptyTenant):
    await asyncio.to_thread(catch_up, tenant, sent().log)
    async with open_pool(tenant.conninfo) as pool, open_pool(tenant.conninfo, max_size=1, keeps_plans=True) as watchers:
        log = Log(tenant.schema, pool)
        serving, tenants = Tenant("test", tenant.schema, log, Ledger(log, NOUNS)), Tenants(pool, watchers=watchers)
        await serving.ledger.start()
        clocks, outbox = Clocks(tenants), Outbox(tenants, Letters(Sealer(KeyRing.of_master_key(bytes(32)))), Postbox())
        for _ in range(3):
            await clocks.tick(serving, datetime.now(UTC))
            await outbox.tick(serving, datetime.now(UTC))
        async with watchers.connection() as connection:
            asked = "SELECT statement, generic_plans, custom_plans FROM pg_prepared_statements"
            found = await (await connection.execute(asked)).fetchall()
        await serving.ledger.stop()
    for table in ("sla_obligations", "stock_levels", "outbox_messages"):
        plans = [counts for statement, *counts in found if f'"{table}"' in statement]
        assert plans
        assert all(generic >= 3 and custom == 0 for generic, custom in plans), (table, plans)


async def test_an_outbox_rests_until_shortly_before_the_next_attempt(tenant: EmptyTenant):
    async with an_office(tenant, Postbox(fails=1)) as office:
        office.use(confirmed(**office.customer()))
        assert (await office.tick(), await office.states()) == (1, {"order_confirmed": "failed"})
        now = office.scenario.now
        assert await office.outbox.rest(office.tenant, now) < REST, "a retry is due before that"
        assert await office.tick(now + timedelta(hours=1)) == 1
        await office.tick(now + timedelta(hours=1))
        assert await office.outbox.rest(office.tenant, now + timedelta(hours=1)) == REST


def test_a_rebuild_is_asked_for_of_a_tenant_at_rest(shop: EmptyTenant):
    async def ask() -> None:
        async with open_pool(shop.conninfo) as pool:
            await ask_for_rebuild(pool, shop.schema, SLA, verify_only=True)

    with projector(shop.conninfo):
        write_down(shop, sent().log)
        until(lambda: caught_up(shop))
        rests(shop)
        looks_go_by(shop)
        asyncio.run(ask())
        until(lambda: "equal" in statuses(shop)["sla"].rebuild)
