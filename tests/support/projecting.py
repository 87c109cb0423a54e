"""Scenarios in a real log, and projectors that follow it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.sql import SQL, Identifier

from adapters.database.control import Control
from adapters.database.postgres import open_pool
from ledger.engine.registry import Registry
from ledger.facts import Change
from ledger.nouns import NOUNS
from projections import PROJECTIONS, tracking
from projections.machine import rebuilding, runner, status
from projections.machine.projection import Projection, named
from projections.machine.reads import Where
from projections.machine.rebuilding import Comparison
from projections.machine.streams import Page
from projections.machine.writing import Writer
from projections.tracking import TrackedOrder
from tests.support.scenario import ORDER, Scenario
from tests.support.stalls import EmptyTenant

NAMES = [projection.name for projection in PROJECTIONS]
_REGISTRY = Registry(NOUNS)


def write_down(tenant: EmptyTenant, changes: Sequence[Change]) -> int:
    """Appends what a scenario decided to the tenant's log, unannounced; returns the log's new head."""
    with connect(tenant) as connection, connection.transaction():
        head = one(connection, "SELECT coalesce(max(notification_id), 0) FROM {}.ledger_events", tenant)
        query = """
            SELECT originator_id, count(*) FROM {}.ledger_events WHERE originator_id = ANY(%s) GROUP BY originator_id
        """
        asked = (list({stream for stream, _ in changes}),)
        versions = Counter(dict(connection.execute(SQL(query).format(Identifier(tenant.schema)), asked).fetchall()))
        rows = []
        for position, (stream, fact) in enumerate(changes, head + 1):
            versions[stream] += 1
            rows.append((stream, versions[stream], fact.fact_name(), _REGISTRY.encode(fact), position))
        _insert(connection, tenant, rows)
        return int(head) + len(changes)


def write_poison(tenant: EmptyTenant) -> None:
    """Appends a fact that only a newer version of the service knows."""
    with connect(tenant) as connection:
        head = one(connection, "SELECT coalesce(max(notification_id), 0) FROM {}.ledger_events", tenant)
        _insert(connection, tenant, [("order-new/1", 1, "order.teleported", b"{}", head + 1)])


def _insert(connection: Connection[Any], tenant: EmptyTenant, rows: Sequence[tuple[Any, ...]]) -> None:
    insert = """
        INSERT INTO {}.ledger_events (originator_id, originator_version, topic, state, notification_id)
        VALUES (%s, %s, %s, %s, %s)
    """
    with connection.cursor() as cursor:
        cursor.executemany(SQL(insert).format(Identifier(tenant.schema)), rows)


def connect(tenant: EmptyTenant) -> Connection[Any]:
    return psycopg.connect(tenant.conninfo, autocommit=True)


def one(connection: Connection[Any], query: str, tenant: EmptyTenant, *parameters: Any) -> Any:
    """The only column of the only row; {} is the tenant's schema."""
    found = connection.execute(SQL(query).format(Identifier(tenant.schema)), parameters).fetchone()
    assert found is not None
    return found[0]


def contents(tenant: EmptyTenant, projections: Sequence[Projection] = PROJECTIONS) -> dict[str, list[str]]:
    """Every row of every table as the log alone gives them, in no particular order."""
    found = {}
    with connect(tenant) as connection:
        for table in (table for projection in projections for table in projection.tables if table.compared):
            columns = SQL(", ").join(map(Identifier, table.compared))
            name = Identifier(tenant.schema, table.name)
            query = SQL("SELECT ROW({})::text FROM {} ORDER BY 1").format(columns, name)
            found[table.name] = [row for (row,) in connection.execute(query).fetchall()]
    return found


def begin_again(tenant: EmptyTenant) -> None:
    """As if no projection had read a fact yet; to make its tables anew takes far longer."""
    tables = [Identifier(tenant.schema, table.name) for projection in PROJECTIONS for table in projection.tables]
    with connect(tenant) as connection, connection.transaction():
        connection.execute(SQL(";").join(SQL("DELETE FROM {}").format(table) for table in tables))
        query = SQL("DELETE FROM {}.ledger_tracking WHERE application_name = ANY(%s)").format(Identifier(tenant.schema))
        connection.execute(query, (NAMES,))


def wipe(tenant: EmptyTenant) -> None:
    """As if nothing had ever been recorded."""
    begin_again(tenant)
    with connect(tenant) as connection:
        connection.execute(SQL("TRUNCATE {}").format(Identifier(tenant.schema, "ledger_events")))


def forget(tenant: EmptyTenant) -> None:
    """As if no projection had ever run."""
    with connect(tenant) as connection:
        for table in (table for projection in PROJECTIONS for table in projection.tables):
            connection.execute(SQL("DROP TABLE IF EXISTS {}").format(Identifier(tenant.schema, table.name)))
        schema = Identifier(tenant.schema)
        connection.execute(SQL("DELETE FROM {}.ledger_projections").format(schema))
        query = SQL("DELETE FROM {}.ledger_tracking WHERE application_name = ANY(%s)").format(schema)
        connection.execute(query, (NAMES,))


def catch_up(
    tenant: EmptyTenant,
    changes: Sequence[Change] = (),
    projections: Sequence[Projection] = PROJECTIONS,
    **options: Any,
) -> int:
    """Writes the changes down and takes all projections to the head of the log."""
    write_down(tenant, changes)
    known = {each.name for each in projections} <= set(NAMES)
    writer = _writer(tenant.conninfo) if known else None
    return runner.catch_up(tenant.conninfo, tenant.schema, projections, writer=writer, **options)


@cache
def _writer(conninfo: str) -> Writer:
    """For the whole run: it has a connection for each projection."""
    return Writer(conninfo, PROJECTIONS)


def catch_up_in_pages(tenant: EmptyTenant, log: Sequence[Change], size: int) -> None:
    """Writes the log down so many changes at a time, and takes all projections to its head after each."""
    for change in range(0, len(log), size):
        catch_up(tenant, log[change : change + size])


def assert_same_wherever_a_page_ends(tenant: EmptyTenant, log: Sequence[Change]) -> None:
    """The rows are those of one catch-up from the beginning."""
    catch_up_in_pages(tenant, log, 3)
    step_by_step = contents(tenant)
    begin_again(tenant)
    catch_up(tenant)
    assert contents(tenant) == step_by_step


def require_equal_to_rebuilds(tenant: EmptyTenant) -> None:
    """Every read model holds what the log says."""
    found = [verify(tenant, name) for name in NAMES]
    assert all(each.equal for each in found), [str(each) for each in found if not each.equal]


def rebuild(tenant: EmptyTenant, name: str, projections: Sequence[Projection] = PROJECTIONS) -> Comparison:
    """Builds a read model anew and puts it in the place of the live one."""
    return rebuilding.rebuild(tenant.conninfo, tenant.schema, named(projections, name))


def verify(tenant: EmptyTenant, name: str, projections: Sequence[Projection] = PROJECTIONS) -> Comparison:
    """Builds a read model anew and compares it with the live one."""
    return rebuilding.verify(tenant.conninfo, tenant.schema, named(projections, name))


@asynccontextmanager
async def asking(tenant: EmptyTenant, at_least: int = 0, patience_seconds: float = 5.0) -> AsyncIterator[Where]:
    """Whom queries ask."""
    async with open_pool(tenant.conninfo, max_size=4) as pool:
        yield Where(pool, tenant.schema, at_least, patience_seconds)


@contextmanager
def listed(tenant: EmptyTenant) -> Iterator[None]:
    """The tenant is one of those that projectors find."""
    asyncio.run(_prepare(tenant))
    with connect(tenant) as connection:
        row = (tenant.schema.removeprefix("tenant_"), tenant.schema)
        connection.execute("INSERT INTO fulfilment.tenants (name, schema) VALUES (%s, %s)", row)
        yield
        connection.execute("DELETE FROM fulfilment.tenants WHERE schema = %s", (tenant.schema,))


async def _prepare(tenant: EmptyTenant) -> None:
    async with open_pool(tenant.conninfo) as pool:
        await Control(pool).prepare()


@contextmanager
def projector(
    conninfo: str, projections: Sequence[Projection] = PROJECTIONS, **options: Any
) -> Iterator[threading.Event]:
    """A projector as in a process of its own; set the event to stop it early."""
    stop = threading.Event()
    thread = threading.Thread(
        target=runner.run_forever, args=(conninfo, stop, projections), kwargs=options, daemon=True
    )
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive(), "the projector did not stop"


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Waits for something that a projector does."""
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at, "it did not happen"
        time.sleep(0.02)


def statuses(
    tenant: EmptyTenant, projections: Sequence[Projection] = PROJECTIONS
) -> dict[str, status.ProjectionStatus]:
    async def ask() -> list[status.ProjectionStatus]:
        async with open_pool(tenant.conninfo) as pool:
            return await status.statuses(pool, tenant.schema, projections)

    return {each.name: each for each in asyncio.run(ask())}


def caught_up(tenant: EmptyTenant) -> bool:
    return all(each.lag == 0 and each.position > 0 for each in statuses(tenant).values())


def cannot_take(page: Page) -> list[Any]:
    """The changes of a read model that fails at every fact."""
    raise ZeroDivisionError("a mistake of ours")


async def tracked(tenant: EmptyTenant, scenario: Scenario, order_id: str = ORDER) -> TrackedOrder:
    """The order after the whole scenario."""
    head = catch_up(tenant, scenario.log)
    async with asking(tenant, head) as where:
        answer = await tracking.get_order(where, order_id)
    assert answer.position == head
    (order,) = answer.rows
    return order
