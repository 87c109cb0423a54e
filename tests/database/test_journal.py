"""The log in PostgreSQL: as the library sees it, as readers see it, and its schema versions."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from eventsourcing.application import Application, LocalNotificationLog
from eventsourcing.persistence import IntegrityError, OperationalError, StoredEvent, Tracking
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.tests import persistence as library
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from adapters.database.control import BadTenantName, Control
from adapters.database.migrations import TENANT_MIGRATIONS
from adapters.database.postgres import open_pool
from adapters.database.schema_versions import SchemaInUse, SchemaNewer, migrate
from adapters.tenants import Tenants
from ledger.engine.executor import Ledger
from ledger.engine.log import CHANNEL, Log
from ledger.engine.recorder import FactMapper, Journal, RecordedFact
from tests.support.projecting import write_down
from tests.support.stalls import (
    NOUNS,
    CoinsTaken,
    EmptyTenant,
    a_key,
    a_ledger,
    destroy,
    give,
    take,
    there,
)

# --- as the library sees it -----------------------------------------------------------------------


def datastore_of(tenant: EmptyTenant, **options: Any) -> PostgresDatastore:
    at = conninfo_to_dict(tenant.conninfo)
    return PostgresDatastore(
        str(at.get("dbname") or "postgres"),
        str(at.get("host") or "127.0.0.1"),
        str(at.get("port") or "5432"),
        str(at.get("user") or "postgres"),
        str(at.get("password") or ""),
        schema=tenant.schema,
        originator_id_type="text",
        **options,
    )


class _OnOurTables:
    """Gives a test case of the library our journal in a schema of its own."""

    INITIAL_VERSION = 1

    @pytest.fixture(autouse=True)
    def _on(self, tenant: EmptyTenant) -> Iterator[None]:
        self.datastore = datastore_of(tenant, pool_size=2, max_overflow=20)
        yield
        self.datastore.close()

    def create_recorder(self) -> Journal:
        return Journal(self.datastore)

    def new_originator_id(self) -> str:
        return f"stall-{uuid.uuid4()}"


class TestTheLibrarysRecorderCases(_OnOurTables, library.ApplicationRecorderTestCase[Any]):
    """Every case the library ships for an application recorder."""

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestTheLibrarysNonInterleavingCase(_OnOurTables, library.NonInterleavingNotificationIDsBaseCase):
    """Facts of one insert have positions that follow one another."""


def test_a_subscription_sees_also_what_nobody_announced(tenant: EmptyTenant) -> None:
    with datastore_of(tenant, pool_size=2) as datastore, Journal(datastore).subscribe() as subscription:
        assert write_down(tenant, [("stall-a", CoinsTaken(1))]) == next(subscription).id == 1
        assert write_down(tenant, [("stall-a", CoinsTaken(2))]) == next(subscription).id == 2


def test_events_of_the_library_are_numbered_densely_after_a_conflict(tenant: EmptyTenant) -> None:
    with datastore_of(tenant) as datastore:
        journal = Journal(datastore)
        first = StoredEvent("stall-a", 1, "stall.coins_taken", b"{}")
        assert journal.insert_events([first]) == [1]
        with pytest.raises(IntegrityError):
            journal.insert_events([StoredEvent("stall-b", 1, "stall.coins_taken", b"{}"), first])
        assert journal.insert_events([StoredEvent("stall-b", 1, "stall.coins_taken", b"{}")]) == [2]
        assert journal.insert_events([]) == []


def test_an_insert_whose_connection_is_lost_is_not_tried_again(tenant: EmptyTenant) -> None:
    class Counting(Journal):
        tries = 0

        def _insert_stored_events(self, curs: Any, stored_events: Any, **kwargs: Any) -> None:
            self.tries += 1
            curs.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with datastore_of(tenant) as datastore:
        journal = Counting(datastore)
        with pytest.raises(OperationalError):
            journal.insert_events([StoredEvent("stall-a", 1, "stall.coins_taken", b"{}")])
        assert journal.tries == 1


class StallMapper(FactMapper):
    nouns = NOUNS


class Stalls(Application[str]):
    """Any application of the library, opened on our ledger."""

    name = "ledger"


class CoinsSeen(PostgresTrackingRecorder):
    """A read model of the library: it counts in memory and tracks in PostgreSQL."""

    coins = 0


class CountCoins(Projection[CoinsSeen]):
    name = "countcoins"

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        assert isinstance(domain_event, RecordedFact)
        if isinstance(domain_event.fact, CoinsTaken):
            self.view.coins += domain_event.fact.coins
        self.view.insert_tracking(tracking)


def environment_of(tenant: EmptyTenant) -> dict[str, str]:
    at = conninfo_to_dict(tenant.conninfo)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": str(at.get("dbname") or "postgres"),
        "POSTGRES_HOST": str(at.get("host") or "127.0.0.1"),
        "POSTGRES_PORT": str(at.get("port") or "5432"),
        "POSTGRES_USER": str(at.get("user") or "postgres"),
        "POSTGRES_PASSWORD": str(at.get("password") or ""),
        "POSTGRES_SCHEMA": tenant.schema,
        "ORIGINATOR_ID_TYPE": "text",
        "MAPPER_TOPIC": f"{__name__}:StallMapper",
        "LEDGER_APPLICATION_RECORDER_TOPIC": "ledger.engine.recorder:Journal",
    }


async def _three_facts(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as ledger:
        await ledger.execute_many([take("r1", "pears", 5), give("r2", "pears", 2), take("r3", "figs", 7)])


@contextmanager
def _closing(application: Application[str]) -> Iterator[Application[str]]:
    try:
        yield application
    finally:
        application.close()


def test_an_application_of_the_library_reads_the_facts_of_our_ledger(tenant: EmptyTenant) -> None:
    asyncio.run(_three_facts(tenant))
    with _closing(Stalls(environment_of(tenant))) as application:
        assert isinstance(application.recorder, Journal)
        section = LocalNotificationLog(application.recorder)["1,10"]
        assert [item.id for item in section.items] == [1, 2, 3]
        event: Any = application.mapper.to_domain_event(section.items[2])
        assert event == RecordedFact("stall-figs", 1, CoinsTaken(7))
        stored = application.mapper.to_stored_event(event)
        assert (stored.topic, stored.state) == (section.items[2].topic, section.items[2].state)


def test_the_librarys_own_recorder_reads_our_tables_and_cannot_write_past_the_lock(tenant: EmptyTenant) -> None:
    asyncio.run(_three_facts(tenant))
    environment = environment_of(tenant)
    del environment["LEDGER_APPLICATION_RECORDER_TOPIC"]
    with _closing(Stalls(environment)) as application:
        assert type(application.recorder) is PostgresApplicationRecorder
        assert application.recorder.max_notification_id() == 3
        with pytest.raises(IntegrityError, match="notification_id"):
            application.recorder.insert_events([StoredEvent("stall-a", 1, "stall.coins_taken", b"{}")])


def test_a_projection_of_the_library_follows_our_ledger(tenant: EmptyTenant) -> None:
    asyncio.run(_three_facts(tenant))
    with ProjectionRunner(
        application_class=Stalls, projection_class=CountCoins, view_class=CoinsSeen, env=environment_of(tenant)
    ) as runner:
        runner.wait(3, timeout=10)
        assert runner.projection.view.coins == 12
        asyncio.run(_one_more(tenant))
        # It waits for the announcement of the commit: without it this would time out.
        runner.wait(4, timeout=10)
        assert runner.projection.view.coins == 13


async def _one_more(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as ledger:
        await ledger.execute(take("r4", "pears"))


def test_the_librarys_tracking_recorder_uses_our_tracking_table_as_it_is(tenant: EmptyTenant) -> None:
    with datastore_of(tenant) as datastore:
        recorder = PostgresTrackingRecorder(datastore, tracking_table_name="ledger_tracking")
        recorder.create_table()
        recorder.insert_tracking(Tracking("orders", 5))
        with pytest.raises(IntegrityError):
            recorder.insert_tracking(Tracking("orders", 5))
        assert recorder.max_tracking_id("orders") == 5


# --- as readers see it ----------------------------------------------------------------------------


async def test_the_log_is_read_in_pages_and_every_row_names_its_command(tenant: EmptyTenant) -> None:
    await _three_facts(tenant)
    async with open_pool(tenant.conninfo) as pool:
        log = Log(tenant.schema, pool)
        first = await log.past_where("notification_id > %b", [0], 2)
        second = await log.past_where("notification_id > %b", [first[-1].position], 2)
        assert [(row.position, row.stream, row.version, row.topic, row.command) for row in (*first, *second)] == [
            (1, "stall-pears", 1, "stall.coins_taken", "r1"),
            (2, "stall-pears", 2, "stall.coins_given", "r2"),
            (3, "stall-figs", 1, "stall.coins_taken", "r3"),
        ]
        assert first[0].state == b'{"fact":"stall.coins_taken","coins":5}'
        assert abs((datetime.now(UTC) - first[0].recorded_at).total_seconds()) < 60


async def test_a_stream_is_read_as_it_was_at_a_position_or_an_instant(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as ledger:
        await ledger.execute(take("r1", "pears"))
        between = datetime.now(UTC)
        await ledger.execute(take("r2", "pears"))
        rows = await ledger.log.read_stream("stall-pears")
        assert len(rows) == 2
        assert await ledger.log.read_stream("stall-pears", up_to=1) == rows[:1]
        if "host=/" in tenant.conninfo:  # one clock: the server is on this machine
            assert await ledger.log.position_before(between) == 1
        assert await ledger.log.recorded_at(2) == rows[1].recorded_at
        assert await ledger.log.recorded_at(3) is None
        assert await ledger.log.read_stream("stall-unknown") == []


async def test_the_history_of_a_stream_says_who_caused_each_fact(tenant: EmptyTenant) -> None:
    await _three_facts(tenant)
    async with open_pool(tenant.conninfo) as pool:
        past = await Log(tenant.schema, pool).history(["stall-pears"])
        assert [(one.version, one.command, one.actor) for one in past] == [(1, "r1", "tester"), (2, "r2", "tester")]


async def test_an_append_is_announced_with_the_schema_of_its_tenant(tenant: EmptyTenant) -> None:
    async with (
        a_ledger(tenant) as ledger,
        await psycopg.AsyncConnection.connect(tenant.conninfo, autocommit=True) as listener,
    ):
        await listener.execute(SQL("LISTEN {}").format(Identifier(CHANNEL)))
        await ledger.execute(take("r1", "pears"))
        async for notice in listener.notifies(timeout=10):
            if notice.payload == tenant.schema:
                break
        else:
            pytest.fail("no announcement")


async def test_destroying_a_person_destroys_every_key_of_theirs_and_nobody_elses(tenant: EmptyTenant) -> None:
    async with a_ledger(tenant) as ledger:
        keys = (a_key("k1", "ann"), a_key("k2", "ann"), a_key("k3", "bob"))
        await ledger.execute(take("r1", "pears", keys=keys))
        for _ in range(2):
            await destroy(ledger.log, "ann")
            assert await there(ledger.log, "k1", "k2", "k3", "k4") == {"k1": False, "k2": False, "k3": True}


# --- schema versions and tenants ------------------------------------------------------------------

_START = """
import asyncio, sys
from adapters.database.postgres import open_pool
from adapters.database.control import Control

async def main():
    async with open_pool(sys.argv[1]) as pool:
        control = Control(pool)
        await control.prepare()
        print((await control.create_tenant(sys.argv[2])).schema)

asyncio.run(main())
"""


@pytest.fixture
def tenant_name(conninfo: str) -> Iterator[str]:
    name = f"t{uuid.uuid4().hex[:12]}"
    yield name
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(f"tenant_{name}")))
        connection.execute("DELETE FROM fulfilment.tenants WHERE name = %s", (name,))


def test_processes_that_start_together_make_the_schema_once(conninfo: str, tenant_name: str) -> None:
    command = [sys.executable, "-c", _START, conninfo, tenant_name]
    starts = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [start.communicate(timeout=60)[0].strip() for start in starts] == [f"tenant_{tenant_name}"] * 3


async def test_a_tenant_can_be_created_twice_and_its_ledger_works(conninfo: str, tenant_name: str) -> None:
    async with open_pool(conninfo) as pool:
        control = Control(pool)
        tenants = await control.prepare()
        assert "default" in [tenant.name for tenant in tenants]
        tenant = await control.create_tenant(tenant_name)
        assert await control.create_tenant(tenant_name) == tenant
        assert tenant in await control.list_tenants()
        ledger = Ledger(Log(tenant.schema, pool), NOUNS)
        await ledger.start()
        assert (await ledger.execute(take("r1", "pears"))).position == 1
        await ledger.stop()


@pytest.mark.parametrize("name", ["", "Pears", "1a", "a-b", "a" * 41, "a;b", "ä"])
async def test_a_tenant_needs_a_plain_name(conninfo: str, name: str) -> None:
    async with open_pool(conninfo) as pool:
        with pytest.raises(BadTenantName, match="cannot name a tenant"):
            await Control(pool).create_tenant(name)


@pytest.mark.parametrize(
    "change",
    [
        "DROP TABLE {schema}.one",
        "UPDATE {schema}.one SET a = 1",
        "CREATE UNIQUE INDEX one_idx ON {schema}.one (a)",
        "ALTER TABLE {schema}.one ADD b int NOT NULL",
        "ALTER TABLE {schema}.one ADD b int NOT NULL, ADD c int DEFAULT 1",
        "ALTER TABLE {schema}.one ADD b int, DROP a",
        "ALTER TABLE {schema}.one ALTER a SET DEFAULT 1, ADD b int NOT NULL",
        "ALTER TABLE {schema}.one ADD CONSTRAINT one_key UNIQUE (a)",
    ],
)
async def test_a_database_that_newer_code_has_changed_is_refused(new_tenant: EmptyTenant, change: str) -> None:
    async with await psycopg.AsyncConnection.connect(new_tenant.conninfo, autocommit=True) as connection:
        newer = (*TENANT_MIGRATIONS, "CREATE TABLE {schema}.one (a int)", change)
        assert await migrate(connection, new_tenant.schema, newer) == len(newer)
        with pytest.raises(SchemaNewer, match=rf"at version {len(newer)} and this service knows {len(newer) - 2}"):
            await migrate(connection, new_tenant.schema, TENANT_MIGRATIONS)


async def test_a_database_that_newer_code_has_only_added_to_is_used_as_it_is(new_tenant: EmptyTenant) -> None:
    async with await psycopg.AsyncConnection.connect(new_tenant.conninfo, autocommit=True) as connection:
        newer = (
            *TENANT_MIGRATIONS,
            "CREATE TABLE {schema}.one (a int PRIMARY KEY, b int NOT NULL UNIQUE); CREATE INDEX ON {schema}.one (b)",
            "ALTER TABLE {schema}.one ADD c int, ADD d numeric(9) NOT NULL DEFAULT 0",
            "ALTER TABLE {schema}.one ALTER c SET DEFAULT abs(1)",
        )
        assert await migrate(connection, new_tenant.schema, newer) == len(newer)
        assert await migrate(connection, new_tenant.schema, TENANT_MIGRATIONS) == len(newer)
        assert await migrate(connection, new_tenant.schema, newer) == len(newer)


async def test_a_schema_of_before_does_not_say_with_whom_it_works(new_tenant: EmptyTenant) -> None:
    async with await psycopg.AsyncConnection.connect(new_tenant.conninfo, autocommit=True) as connection:
        await connection.execute(f"ALTER TABLE {new_tenant.schema}.ledger_schema DROP works_with")
        with pytest.raises(SchemaNewer):
            await migrate(connection, new_tenant.schema, TENANT_MIGRATIONS[:-1])


async def test_a_tenant_that_an_older_version_made_is_brought_up_to_date_when_it_is_asked_for(
    conninfo: str, tenant_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = (*TENANT_MIGRATIONS, "CREATE TABLE {schema}.one (a int)")
    async with open_pool(conninfo) as pool:
        tenants = Tenants(pool)
        await tenants.control.prepare()
        made = await tenants.control.create_tenant(tenant_name)
        monkeypatch.setattr("adapters.database.control.TENANT_MIGRATIONS", newer)
        await tenants.find(tenant_name)
        async with pool.connection() as connection:
            assert await migrate(connection, made.schema, newer[:-1]) == len(newer)
        await tenants.drain()


async def test_a_migration_that_fails_leaves_the_schema_as_it_was(tenant: EmptyTenant) -> None:
    async with await psycopg.AsyncConnection.connect(tenant.conninfo, autocommit=True) as connection:
        broken = (*TENANT_MIGRATIONS, "CREATE TABLE {schema}.one (a int)", "CREATE TABLE {schema}.one (a int)")
        with pytest.raises(psycopg.errors.DuplicateTable):
            await migrate(connection, tenant.schema, broken)
        assert await migrate(connection, tenant.schema, broken[:-1]) == len(broken) - 1


async def test_a_migration_waits_for_who_uses_a_table_and_keeps_no_other_waiting(
    tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = f"SELECT count(*) FROM {tenant.schema}.ledger_projections"
    newer = (*TENANT_MIGRATIONS, "ALTER TABLE {schema}.ledger_projections ADD one int")
    async with (
        await psycopg.AsyncConnection.connect(tenant.conninfo, autocommit=True) as connection,
        await psycopg.AsyncConnection.connect(tenant.conninfo) as idle,
        await psycopg.AsyncConnection.connect(tenant.conninfo, autocommit=True) as reader,
    ):
        await idle.execute(read)
        migrating = asyncio.create_task(migrate(connection, tenant.schema, newer))
        clock = asyncio.get_running_loop().time
        began, longest = clock(), 0.0
        while clock() < began + 2:
            asked_at = clock()
            await reader.execute(read)
            longest = max(longest, clock() - asked_at)
            await asyncio.sleep(0.01)
        assert longest < 1.0
        assert not migrating.done()
        await idle.rollback()
        assert await migrating == len(newer)

        await idle.execute(read)
        monkeypatch.setattr("adapters.database.schema_versions._MIGRATE_SECONDS", 0.0)
        with pytest.raises(SchemaInUse, match="its tables are in use: end the sessions"):
            await migrate(connection, tenant.schema, (*newer, "ALTER TABLE {schema}.ledger_projections ADD two int"))


async def test_the_check_value_of_the_first_key_holds(conninfo: str) -> None:
    async with open_pool(conninfo) as pool:
        control = Control(pool)
        await control.prepare()
        first = await control.remember_key(b"first", 1)
        assert await control.remember_key(b"second", 2) == first == await control.key_check()
