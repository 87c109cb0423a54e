"""Work at the edges is one process's at a time, and another's when that is gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from adapters.database.postgres import open_pool
from adapters.edges import wakeups
from adapters.edges.wakeups import EdgeWork, take, wake
from tests.support.hosting import a_database

INBOX = EdgeWork.INBOX


async def test_who_wakes_a_tenant_does_not_end_its_lease_and_is_heard_when_it_ends(embedded: str):
    with a_database(embedded) as dsn:
        async with open_pool(dsn) as pool:
            async with pool.connection() as connection:
                await wake(connection, "default", INBOX)
            (lease,) = (await take(pool, INBOX, 5)).values()
            async with lease, pool.connection() as connection:
                await wake(connection, "default", INBOX)
                assert await take(pool, INBOX, 5) == {}
            await lease.end(None)
            (again,) = (await take(pool, INBOX, 5)).values()
            await again.end(datetime.now(UTC) + timedelta(hours=1))
            assert await take(pool, INBOX, 5) == {}
            async with pool.connection() as connection:
                await wake(connection, "default", INBOX)
            assert list(await take(pool, INBOX, 5)) == ["default"]


async def test_a_lease_of_a_process_that_is_gone_runs_out_and_ends_nothing_any_more(embedded: str, monkeypatch):
    monkeypatch.setattr(wakeups, "LEASE", timedelta())
    with a_database(embedded) as dsn:
        async with open_pool(dsn) as pool:
            async with pool.connection() as connection:
                await wake(connection, "default", INBOX)
            (gone,) = (await take(pool, INBOX, 5)).values()
            assert gone.has_run_out
            (lease,) = (await take(pool, INBOX, 5)).values()
            await gone.end(None)
            assert list(await take(pool, INBOX, 5)) == ["default"]
            await lease.end(None)
