"""The projector: how it follows the log, and what it does with what it cannot read."""

from __future__ import annotations

import asyncio
import time

import pytest
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier, Literal

from adapters.database.migrations import TENANT_MIGRATIONS
from adapters.database.schema_versions import migrate
from ledger.engine.log import CHANNEL, LOCK_SEED
from ledger.engine.registry import Registry
from ledger.nouns import NOUNS
from ledger.nouns.parcels import ParcelStatus
from projections import PROJECTIONS
from projections.machine import following, runner
from projections.machine.database import open_connection
from projections.machine.projection import Projection, named
from projections.machine.rows import Column
from projections.machine.streams import BadFact, Streams
from projections.machine.tables import Table
from projections.machine.writing import Batch, Busy, Superseded, Writer
from projections.tracking import TRACKING
from tests.support.projecting import (
    NAMES,
    begin_again,
    cannot_take,
    catch_up,
    caught_up,
    connect,
    contents,
    listed,
    one,
    projector,
    statuses,
    until,
    write_down,
    write_poison,
)
from tests.support.scenario import line, sent, shipped
from tests.support.stalls import EmptyTenant

# --- following ------------------------------------------------------------------------------------


@pytest.fixture
def tenant(new_tenant: EmptyTenant) -> EmptyTenant:
    """Without a read model: a projector makes its tables."""
    return new_tenant


def test_new_facts_arrive_without_any_notify(shop: EmptyTenant):
    with projector(shop.conninfo):
        write_down(shop, shipped().log)
        until(lambda: caught_up(shop))


def test_a_notify_brings_new_facts_in_sooner_than_the_poll(shop: EmptyTenant, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runner, "POLL_SECONDS", 30.0)
    with projector(shop.conninfo):
        scenario = shipped()
        write_down(shop, scenario.log)
        until(lambda: caught_up(shop))
        before = len(scenario.log)
        scenario.scan(ParcelStatus.IN_TRANSIT)
        write_down(shop, scenario.log[before:])
        with connect(shop) as connection:
            connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, shop.schema))
        until(lambda: caught_up(shop), 10)


def test_it_survives_killed_connections(shop: EmptyTenant, caplog: pytest.LogCaptureFixture):
    scenario = shipped()
    with projector(shop.conninfo):
        write_down(shop, scenario.log)
        until(lambda: caught_up(shop))
        for status in (ParcelStatus.IN_TRANSIT, ParcelStatus.OUT_FOR_DELIVERY, ParcelStatus.DELIVERED):
            with connect(shop) as connection:
                query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                killed = connection.execute(f"{query} AND query LIKE '%ledger_%' OR query LIKE 'LISTEN%'").fetchone()
            assert killed
            assert killed[0] > 0
            before = len(scenario.log)
            scenario.later(hours=1)
            scenario.scan(status)
            write_down(shop, scenario.log[before:])
            until(lambda: caught_up(shop))
    assert "lost its database" in caplog.text


def test_a_tenant_made_while_it_runs_is_found(tenant: EmptyTenant, conninfo: str):
    with projector(conninfo), listed(tenant):
        write_down(tenant, sent().log)
        until(lambda: caught_up(tenant))


def test_a_broken_tenant_does_not_keep_the_others_waiting(shop: EmptyTenant, caplog: pytest.LogCaptureFixture):
    with connect(shop) as connection, projector(shop.conninfo):
        # It comes before all others by its name, and has no tables at all.
        connection.execute("INSERT INTO fulfilment.tenants (name, schema) VALUES ('broken', 'tenant_a_broken')")
        try:
            write_down(shop, sent().log)
            until(lambda: "tenant_a_broken wait" in caplog.text)
            until(lambda: caught_up(shop))
        finally:
            connection.execute("DELETE FROM fulfilment.tenants WHERE name = 'broken'")


def test_of_two_projectors_one_leads_and_the_other_takes_over(shop: EmptyTenant):
    scenario = sent()
    write_down(shop, scenario.log)

    def leaders() -> set[str]:
        with connect(shop) as connection:
            query = SQL("SELECT DISTINCT leader FROM {}.ledger_projections").format(Identifier(shop.schema))
            return {leader for (leader,) in connection.execute(query).fetchall()}

    with projector(shop.conninfo) as stop:
        until(lambda: caught_up(shop))
        (first,) = leaders()
        with projector(shop.conninfo):
            before = len(scenario.log)
            scenario.ship()
            write_down(shop, scenario.log[before:])
            until(lambda: caught_up(shop))
            assert leaders() == {first}
            stop.set()
            until(lambda: len(leaders()) == 1 and leaders() != {first} and None not in leaders())
            before = len(scenario.log)
            scenario.scan(ParcelStatus.IN_TRANSIT)
            write_down(shop, scenario.log[before:])
            until(lambda: caught_up(shop))
    expected = contents(shop)
    begin_again(shop)
    catch_up(shop)
    assert contents(shop) == expected


def test_who_holds_the_lock_is_waited_for(shop: EmptyTenant):
    write_down(shop, sent().log)
    catch_up(shop)
    with connect(shop) as other, other.transaction():
        query = "SELECT pg_advisory_xact_lock(hashtextextended(%s, %s))"
        other.execute(query, (f"{shop.schema}/tracking", LOCK_SEED))
        with projector(shop.conninfo):
            scenario = shipped()
            write_down(shop, scenario.log[len(sent().log) :])
            until(lambda: statuses(shop)["sla"].lag == 0)
            assert statuses(shop)["tracking"].lag > 0
            other.execute("ROLLBACK")
            until(lambda: caught_up(shop))


def test_a_page_is_not_applied_twice(tenant: EmptyTenant):
    write_down(tenant, shipped().log)
    catch_up(tenant)
    streams = Streams(tenant.schema, 0, Registry(NOUNS))
    with open_connection(tenant.conninfo) as connection:
        page = streams.read(connection, 1000)
    assert page is not None
    writer = Writer(tenant.conninfo, [TRACKING])
    with connect(tenant) as connection:
        query = SQL("UPDATE {}.ledger_projections SET leader = %s").format(Identifier(tenant.schema))
        connection.execute(query, (writer.name,))
    before = contents(tenant)
    with pytest.raises(Superseded):
        writer.submit(Batch(tenant.schema, TRACKING, page.after, page.position, TRACKING.changes(page))).result()
    writer.close()
    assert contents(tenant) == before


def test_the_status_shows_position_lag_and_whether_a_projector_is_alive(shop: EmptyTenant):
    before = statuses(shop)
    assert [(status.position, status.seen_at, status.is_alive(60)) for status in before.values()] == [
        (0, None, False)
    ] * len(NAMES)
    head = write_down(shop, shipped().log)
    assert {status.lag for status in statuses(shop).values()} == {head}
    with projector(shop.conninfo):
        until(lambda: caught_up(shop))
        first = statuses(shop)
        assert [status.name for status in first.values()] == NAMES
        assert {status.position for status in first.values()} == {head}
        assert all(status.is_alive(30) for status in first.values())
        # Also a projector without anything to do shows that it lives.
        until(lambda: all(status.seen_at > first["sla"].seen_at for status in statuses(shop).values()))  # type: ignore[operator]


def test_projections_without_anything_to_write_are_moved_on_together_but_for_those_that_are_held(shop: EmptyTenant):
    scenario = sent()
    write_down(shop, scenario.log)
    catch_up(shop)
    scenario.suspend("bolt")
    head = write_down(shop, scenario.log[-1:])
    cases, clearing, stock = (named(PROJECTIONS, name) for name in ("cases", "clearing", "stock_ups"))
    writer = Writer(shop.conninfo, PROJECTIONS)
    with connect(shop) as connection, connect(shop) as other:
        schema = Identifier(shop.schema)
        connection.execute(SQL("UPDATE {}.ledger_projections SET leader = %s").format(schema), (writer.name,))
        connection.execute(SQL("UPDATE {}.ledger_projections SET leader = 'b' WHERE name = 'clearing'").format(schema))
        other.execute("BEGIN")
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, %s))", (f"{shop.schema}/stock_ups", LOCK_SEED))
        batches = [Batch(shop.schema, each, head - 1, head, []) for each in (cases, clearing, stock)]
        moved = [type(each.exception()) for each in writer.move_on(batches)]
        assert moved == [type(None), Superseded, Busy]
        found = statuses(shop)
        assert [found[each.name].lag for each in (cases, clearing, stock)] == [0, 1, 1]
        # What has gone on already is not moved again.
        other.execute("ROLLBACK")
        assert [type(each.exception()) for each in writer.move_on(batches)] == [Superseded, Superseded, type(None)]
    writer.close()


# --- what cannot be read --------------------------------------------------------------------------


def test_an_unknown_fact_stops_the_projections_before_it_and_shows_in_the_status(
    shop: EmptyTenant, caplog: pytest.LogCaptureFixture
):
    scenario = sent()
    head = write_down(shop, scenario.log)
    write_poison(shop)
    before = len(scenario.log)
    scenario.ship()
    write_down(shop, scenario.log[before:])
    with projector(shop.conninfo):
        until(lambda: all(status.error for status in statuses(shop).values()))
        found = statuses(shop).values()
        assert {status.position for status in found} == {head}
        assert all("unknown fact 'order.teleported'" in (status.error or "") for status in found)
        assert not any(status.is_alive(60) for status in found)
        assert "cannot go on" in caplog.text
        # Once the service knows the fact, here because it becomes one that it knows, nothing was skipped.
        stream, known = scenario.suspend("bolt") and scenario.log[-1]
        with connect(shop) as connection:
            query = """
                UPDATE {}.ledger_events SET topic = %s, state = %s, originator_id = %s, originator_version = 5
                WHERE topic = 'order.teleported'
            """
            row = (known.fact_name(), Registry(NOUNS).encode(known), stream)
            connection.execute(SQL(query).format(Identifier(shop.schema)), row)
        until(lambda: caught_up(shop) and not any(status.error for status in statuses(shop).values()))
    assert len(contents(shop)["tracking_parcels"]) == 1


def test_catching_up_raises_what_stands_in_the_way(tenant: EmptyTenant):
    write_poison(tenant)
    with pytest.raises(BadFact, match=r"position 1 \(order-new/1\): UnknownFact"):
        catch_up(tenant)


def test_a_projection_that_fails_does_not_hold_up_the_others(shop: EmptyTenant):
    broken = Projection("broken", 1, (Table("broken", 1, {"id": Column("text NOT NULL")}),), cannot_take)
    write_down(shop, sent().log)
    with projector(shop.conninfo, projections=(broken, *PROJECTIONS)):
        until(lambda: caught_up(shop))
        with connect(shop) as connection:
            query = "SELECT error FROM {}.ledger_projections WHERE name = 'broken'"
            until(lambda: one(connection, query, shop))
            assert one(connection, query, shop) == "the fact at position 1: ZeroDivisionError"


def test_a_fact_that_one_read_model_cannot_write_stops_it_there_and_the_other_ten_go_on(
    shop: EmptyTenant, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("INFO")
    scenario = sent()
    before = len(scenario.log)
    scenario.place(line(1, "mug", 1, "bolt"), order_id="shopify/2")
    write_down(shop, [])
    catch_up(shop)
    schema = Identifier(shop.schema)
    with connect(shop) as connection:
        # Each attempt counts, for a sequence does not go back with its transaction.
        connection.execute(SQL("CREATE SEQUENCE {}.attempts").format(schema))
        check = "ALTER TABLE {0}.tracking_orders ADD CONSTRAINT no CHECK (order_id <> 'shopify/2' OR nextval({1}) < 0)"
        connection.execute(SQL(check).format(schema, Literal(f"{shop.schema}.attempts")))
        head = write_down(shop, scenario.log)
        with projector(shop.conninfo):
            until(lambda: statuses(shop)["tracking"].error)
            attempts = one(connection, "SELECT last_value FROM {}.attempts", shop)
            shown = []
            give_up_at = time.monotonic() + 4
            while time.monotonic() < give_up_at:
                shown.append(statuses(shop)["tracking"])
            assert {each.position for each in shown} == {before}
            assert {(each.error or "").partition(":")[0] for each in shown} == {f"the fact at position {before + 1}"}
            assert one(connection, "SELECT last_value FROM {}.attempts", shop) - attempts <= 5
            assert {each.position for name, each in statuses(shop).items() if name != "tracking"} == {head}
            assert caplog.text.count("projection tracking of") == 1
            connection.execute(SQL("ALTER TABLE {}.tracking_orders DROP CONSTRAINT no").format(schema))
            until(lambda: caught_up(shop) and not statuses(shop)["tracking"].error)
    assert f"projection tracking of {shop.schema} goes on" in caplog.text


def test_an_error_is_shown_until_it_is_over_also_by_the_projector_that_takes_over(shop: EmptyTenant):
    write_down(shop, [])
    catch_up(shop)
    with connect(shop) as connection:
        check = "ALTER TABLE {}.tracking_orders ADD CONSTRAINT no CHECK (false)"
        connection.execute(SQL(check).format(Identifier(shop.schema)))
    write_down(shop, sent().log)
    with projector(shop.conninfo):
        until(lambda: statuses(shop)["tracking"].error)
    with projector(shop.conninfo):
        give_up_at = time.monotonic() + 3
        while time.monotonic() < give_up_at:
            assert statuses(shop)["tracking"].error


def test_who_keeps_a_lock_for_long_is_shown(shop: EmptyTenant, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(following, "_BUSY_SECONDS", 0.5)
    write_down(shop, sent().log)
    catch_up(shop)
    with connect(shop) as other, other.transaction(), projector(shop.conninfo):
        query = "SELECT pg_advisory_xact_lock(hashtextextended(%s, %s))"
        other.execute(query, (f"{shop.schema}/tracking", LOCK_SEED))
        write_down(shop, shipped().log[len(sent().log) :])
        held = f"its lock is held by session {other.info.backend_pid} idle in transaction"
        until(lambda: statuses(shop)["tracking"].error == held)
        other.execute("ROLLBACK")
        until(lambda: caught_up(shop) and not statuses(shop)["tracking"].error)


# --- other tenants do not wait --------------------------------------------------------------------


def test_a_tenant_in_which_somebody_holds_what_the_projector_needs_keeps_no_other_waiting(
    conninfo: str, shop: EmptyTenant, caplog: pytest.LogCaptureFixture
):
    held = EmptyTenant(conninfo, "tenant_a_held")
    asyncio.run(_make(held))
    try:
        with listed(held), connect(held) as other:
            catch_up(held)
            with projector(conninfo), other.transaction():
                other.execute("UPDATE tenant_a_held.ledger_projections SET seen_at = seen_at")
                until(lambda: "the read models of tenant_a_held wait" in caplog.text)
                scenario = sent()
                for at in range(0, len(scenario.log), 4):
                    write_down(shop, scenario.log[at : at + 4])
                    until(lambda: caught_up(shop), 5)
            assert "lost its database" not in caplog.text
    finally:
        _drop(held)


def test_a_new_tenant_whose_tables_cannot_be_made_yet_keeps_no_other_waiting(conninfo: str, shop: EmptyTenant):
    new = EmptyTenant(conninfo, "tenant_a_new")
    asyncio.run(_make(new))
    try:
        with listed(new), connect(new) as other, projector(conninfo):
            with other.transaction():
                lock = "SELECT pg_advisory_xact_lock(hashtextextended(%s, %s))"
                other.execute(lock, ("tenant_a_new/tracking", LOCK_SEED))
                write_down(shop, sent().log)
                until(lambda: caught_up(shop), 10)
                assert statuses(new)["tracking"].seen_at is None
            write_down(new, sent().log)
            until(lambda: caught_up(new))
    finally:
        _drop(new)


async def _make(tenant: EmptyTenant) -> None:
    async with await AsyncConnection.connect(tenant.conninfo, autocommit=True) as connection:
        await migrate(connection, tenant.schema, TENANT_MIGRATIONS)


def _drop(tenant: EmptyTenant) -> None:
    with connect(tenant) as connection:
        connection.execute(SQL("DROP SCHEMA {} CASCADE").format(Identifier(tenant.schema)))
