"""Read models built anew from the log: compared, verified, swapped in, in another shape."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace as changed
from typing import Any
from unittest.mock import patch

import pytest
from psycopg.sql import SQL, Identifier

from adapters.database.postgres import open_pool
from ledger.facts import Change
from ledger.nouns.parcels import ParcelStatus
from ledger.refusals import UnknownProjection
from projections import PROJECTIONS, tracking
from projections.machine import following, rebuilding, runner
from projections.machine.projection import Projection, named
from projections.machine.reads import PageOf
from projections.machine.rebuilding import AlreadyBuilding
from projections.machine.rows import Column
from projections.machine.status import ask_for_rebuild
from projections.machine.streams import Page
from projections.machine.tables import Table
from projections.tracking import TRACKING
from tests.support.long_scenario import long_scenario
from tests.support.projecting import (
    NAMES,
    asking,
    begin_again,
    cannot_take,
    catch_up,
    caught_up,
    connect,
    contents,
    one,
    projector,
    rebuild,
    statuses,
    until,
    verify,
    write_down,
)
from tests.support.scenario import a_shop, line, sent, shipped
from tests.support.stalls import EmptyTenant


def _oids(tenant: EmptyTenant) -> dict[str, int]:
    with connect(tenant) as connection:
        query = "SELECT relname, oid FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'r'"
        return dict(connection.execute(query, (tenant.schema,)).fetchall())


@pytest.fixture
def tenant(new_tenant: EmptyTenant) -> EmptyTenant:
    """Without a read model: its tables are made and changed here."""
    return new_tenant


def test_a_rebuild_equals_the_live_tables_and_takes_their_place(tenant: EmptyTenant):
    head = catch_up(tenant, long_scenario().log)
    for name in NAMES:
        _require_its_place_taken(tenant, name, head)


def _require_its_place_taken(tenant: EmptyTenant, name: str, head: int) -> None:
    before, oids = contents(tenant), _oids(tenant)
    comparison = rebuild(tenant, name)
    assert comparison.equal
    assert comparison.swapped
    assert comparison.position == head
    assert all(table.live_rows == table.rebuilt_rows for table in comparison.tables)
    assert sum(table.live_rows for table in comparison.tables) >= 1, "the scenario says nothing to it"
    assert contents(tenant) == before
    (projection,) = (each for each in PROJECTIONS if each.name == name)
    after = _oids(tenant)
    assert all(after[table.name] != oids[table.name] for table in projection.tables)
    assert not [table for table in after if table.endswith("_new")]
    # And again: names of indexes left by the first rebuild are in nobody's way.
    assert rebuild(tenant, name).equal


def test_a_rebuilt_projection_goes_on_following(tenant: EmptyTenant):
    scenario = shipped()
    catch_up(tenant, scenario.log)
    for name in NAMES:
        rebuild(tenant, name)
    before = len(scenario.log)
    scenario.later(days=3)
    scenario.scan(ParcelStatus.DELIVERED)
    catch_up(tenant, scenario.log[before:])
    found = contents(tenant)
    begin_again(tenant)
    catch_up(tenant)
    assert contents(tenant) == found


def test_a_verification_finds_a_tampered_row_and_leaves_it(tenant: EmptyTenant):
    catch_up(tenant, long_scenario().log)
    with connect(tenant) as connection:
        query = "UPDATE {}.tracking_orders SET status = 'delivered' WHERE order_id = 'shopify/2'"
        connection.execute(SQL(query).format(Identifier(tenant.schema)))
    comparison = verify(tenant, "tracking")
    assert not comparison.equal
    assert not comparison.swapped
    assert [(table.table, table.equal, table.examples) for table in comparison.tables] == [
        ("tracking_orders", False, ("shopify/2",)),
        ("tracking_parcels", True, ()),
        ("tracking_last_miles", True, ()),
        ("tracking_holds", True, ()),
        ("tracking_facets", True, ()),
    ]
    assert "DIFFERENT: tracking_orders has 5 rows, rebuilt 5, such as shopify/2" in str(comparison)
    assert any("shopify/2,shopify,delivered" in row for row in contents(tenant)["tracking_orders"])
    # A rebuild mends it.
    assert not rebuild(tenant, "tracking").equal
    assert verify(tenant, "tracking").equal


def test_a_verification_finds_a_lost_and_an_invented_row(tenant: EmptyTenant):
    catch_up(tenant, long_scenario().log)
    with connect(tenant) as connection:
        schema = Identifier(tenant.schema)
        connection.execute(SQL("DELETE FROM {}.sla_obligations WHERE clock = 'dispatch'").format(schema))
        connection.execute(SQL("INSERT INTO {}.sla_return_windows VALUES ('shopify/9', now())").format(schema))
    found = {table.table: table for table in verify(tenant, "sla").tables}
    assert found["sla_obligations"].rebuilt_rows > found["sla_obligations"].live_rows
    assert found["sla_return_windows"].examples == ("shopify/9",)


def test_a_rebuild_that_died_leaves_the_live_tables_serving_and_the_next_starts_clean(tenant: EmptyTenant):
    catch_up(tenant, long_scenario().log)
    before = contents(tenant)
    with connect(tenant) as connection:
        schema = Identifier(tenant.schema)
        connection.execute(SQL("CREATE TABLE {}.tracking_orders_new (leftover int)").format(schema))
        claim = "UPDATE {}.ledger_projections SET builder = 'dead', builder_seen_at = now()"
        connection.execute(SQL(claim).format(schema))
        with pytest.raises(AlreadyBuilding):
            rebuild(tenant, "tracking")
        assert contents(tenant) == before
        silent = "UPDATE {}.ledger_projections SET builder_seen_at = now() - interval '5 min'"
        connection.execute(SQL(silent).format(schema))
    assert rebuild(tenant, "tracking").equal
    assert contents(tenant) == before


async def _ask(tenant: EmptyTenant, *names: str, verify_only: bool) -> None:
    async with open_pool(tenant.conninfo) as pool:
        for name in names:
            await ask_for_rebuild(pool, tenant.schema, named(PROJECTIONS, name), verify_only=verify_only)


def test_a_rebuild_is_asked_for_and_answered_through_the_status(shop: EmptyTenant):
    write_down(shop, long_scenario().log)
    with projector(shop.conninfo):
        until(lambda: caught_up(shop))
        with pytest.raises(UnknownProjection):
            asyncio.run(_ask(shop, "weather", verify_only=True))
        asyncio.run(_ask(shop, "sla", verify_only=True))
        until(lambda: "verified" in statuses(shop)["sla"].rebuild)
        assert "equal" in statuses(shop)["sla"].rebuild
        asyncio.run(_ask(shop, "tracking", verify_only=False))
        until(lambda: "rebuilt" in statuses(shop)["tracking"].rebuild)
        assert statuses(shop)["supplier_performance"].rebuild == ""


def test_rebuilds_of_all_read_models_follow_each_other_without_a_pause(shop: EmptyTenant):
    head = catch_up(shop, long_scenario().log)
    asyncio.run(_ask(shop, *NAMES, verify_only=True))
    # The projector asks once what is to be built, and never again: each build makes it begin the next one.
    with patch.object(runner, "_ASK_SECONDS", 3600.0), projector(shop.conninfo):
        wanted = f"verified at position {head}: equal"
        until(lambda: all(each.rebuild.startswith(wanted) for each in statuses(shop).values()), 60)


def test_a_rebuild_that_ended_with_the_database_runs_no_more_and_is_done_anew_at_once(shop: EmptyTenant):
    write_down(shop, shipped().log)
    catch_up(shop)
    with connect(shop) as connection:
        claim = """
            UPDATE {}.ledger_projections SET requested = 'rebuild', builder = 'gone', progress = 3,
                builder_seen_at = pg_postmaster_start_time() - interval '1 ms' WHERE name = 'tracking'
        """
        connection.execute(SQL(claim).format(Identifier(shop.schema)))
    assert statuses(shop)["tracking"].rebuild == "rebuild is asked for"
    with projector(shop.conninfo):
        until(lambda: "rebuilt" in statuses(shop)["tracking"].rebuild)


def test_the_live_tables_follow_while_a_rebuild_runs(shop: EmptyTenant):
    scenario = sent()
    write_down(shop, scenario.log)
    with projector(shop.conninfo):
        until(lambda: caught_up(shop))
        for number in range(3):
            before = len(scenario.log)
            scenario.place(line(1, "mug", 1, "bolt"), order_id=f"shopify/{number + 10}")
            write_down(shop, scenario.log[before:])
            assert rebuild(shop, "tracking").equal
        until(lambda: caught_up(shop))
    assert len(contents(shop)["tracking_orders"]) == 4


def test_another_shape_is_rebuilt_by_itself(shop: EmptyTenant, monkeypatch: pytest.MonkeyPatch):
    write_down(shop, long_scenario().log)
    catch_up(shop)
    reshaped = TRACKING._replace(shape=TRACKING.shape + 1, tables=(WIDER, *TRACKING.tables[1:]), changes=_wider)
    with projector(shop.conninfo, projections=(reshaped, *PROJECTIONS[1:])), connect(shop) as connection:
        query = "SELECT shape FROM {}.ledger_projections WHERE name = 'tracking'"
        until(lambda: one(connection, query, shop) == TRACKING.shape + 1)
        until(lambda: caught_up(shop))
        assert one(connection, "SELECT sum(more) FROM {}.tracking_orders", shop) == 5 * 7
        assert "in a new shape" in statuses(shop)["tracking"].rebuild
        # A projector of the older version leaves it alone.
        with projector(shop.conninfo):
            write_down(shop, _more())
            until(lambda: caught_up(shop))
        assert one(connection, "SELECT sum(more) FROM {}.tracking_orders", shop) == 6 * 7


WIDER = changed(TRACKING.tables[0], columns={**TRACKING.tables[0].columns, "more": Column("int4 NOT NULL DEFAULT 1")})


def _wider(page: Page) -> list[Any]:
    orders, *others = TRACKING.changes(page)
    orders.new = [(*row, 7) for row in orders.new]  # type: ignore[attr-defined]
    orders.changed = [(*row, 7) for row in orders.changed]  # type: ignore[attr-defined]
    orders.table = WIDER  # type: ignore[attr-defined]
    return [orders, *others]


def _more() -> list[Change]:
    scenario = a_shop()
    before = len(scenario.log)
    scenario.place(order_id="shopify/77")
    return [change for change in scenario.log[before:] if change[0].startswith("order-")]


@contextmanager
def reading(tenant: EmptyTenant, table: str) -> Iterator[int]:
    """Somebody who has read a table and does nothing more; yields the number of the session."""
    with connect(tenant) as other, other.transaction():
        one(other, f"SELECT count(*) FROM {{}}.{table}", tenant)
        yield other.info.backend_pid


async def test_a_swap_waits_for_an_idle_reader_and_keeps_no_other_waiting(shop: EmptyTenant):
    write_down(shop, long_scenario().log)
    await asyncio.to_thread(catch_up, shop)
    with projector(shop.conninfo):
        async with asking(shop) as where:
            with reading(shop, "tracking_orders") as session:
                await ask_for_rebuild(where.pool, shop.schema, named(PROJECTIONS, "tracking"))
                await ask_for_rebuild(where.pool, shop.schema, named(PROJECTIONS, "sla"))
                waits = f"waits for session {session} idle in transaction, which uses its tables"
                await asyncio.to_thread(until, lambda: waits in statuses(shop)["tracking"].rebuild)
                for _ in range(200):
                    await asyncio.wait_for(tracking.list_orders(where, PageOf()), 20)
                # Nor does it keep another rebuild waiting.
                await asyncio.to_thread(until, lambda: "rebuilt" in statuses(shop)["sla"].rebuild)
                # The live one goes on meanwhile.
                write_down(shop, _more())
                await asyncio.to_thread(until, lambda: caught_up(shop))
        await asyncio.to_thread(until, lambda: "rebuilt" in statuses(shop)["tracking"].rebuild)
        assert "equal" in (await asyncio.to_thread(statuses, shop))["tracking"].rebuild
    assert len(contents(shop)["tracking_orders"]) == 6


def test_a_new_shape_that_cannot_be_swapped_in_shows_why_until_it_is(shop: EmptyTenant):
    write_down(shop, long_scenario().log)
    catch_up(shop)
    reshaped = TRACKING._replace(shape=TRACKING.shape + 1)
    projections = (reshaped, *PROJECTIONS[1:])
    with ExitStack() as held:
        session = held.enter_context(reading(shop, "tracking_orders"))
        with projector(shop.conninfo, projections=projections):
            why = f"stands still until it is rebuilt in shape {TRACKING.shape + 1}: waits for session {session} idle"
            until(lambda: (statuses(shop, projections)["tracking"].error or "").startswith(why))
        # So does the projector that comes after it.
        with projector(shop.conninfo, projections=projections):
            write_down(shop, _more())
            until(lambda: statuses(shop)["sla"].lag == 0)
            assert (statuses(shop, projections)["tracking"].error or "").startswith(
                "stands still until it is rebuilt in shape"
            )
            held.close()
            until(lambda: statuses(shop, projections)["tracking"].error is None and caught_up(shop))
    assert len(contents(shop)["tracking_orders"]) == 6


def test_a_new_shape_that_fails_is_tried_again_until_it_succeeds(shop: EmptyTenant):
    write_down(shop, long_scenario().log)
    catch_up(shop)
    fails = [True]

    def changes(page: Page) -> list[Any]:
        if fails:
            cannot_take(page)
        return TRACKING.changes(page)

    reshaped = TRACKING._replace(shape=TRACKING.shape + 1, changes=changes)
    projections = (reshaped, *PROJECTIONS[1:])
    with projector(shop.conninfo, projections=projections):
        until(lambda: "ZeroDivisionError" in (statuses(shop, projections)["tracking"].error or ""))
        assert statuses(shop, projections)["tracking"].rebuild.startswith("failed: the facts at positions 1 to ")
        fails.clear()
        until(lambda: statuses(shop, projections)["tracking"].error is None and caught_up(shop))


def test_a_rebuild_that_cannot_take_a_fact_has_failed_also_where_the_live_tables_stand_before_it(tenant: EmptyTenant):
    broken = Projection("broken", 1, (Table("broken", 1, {"id": Column("text NOT NULL")}),), cannot_take)
    write_down(tenant, sent().log)
    with pytest.raises(following.CannotTake, match="the fact at position 1: ZeroDivisionError"):
        catch_up(tenant, projections=[broken])
    _suffers(tenant, "broken")
    with pytest.raises(following.CannotTake, match=f"the facts at positions 1 to {len(sent().log)}: ZeroDivisionError"):
        rebuilding.rebuild(tenant.conninfo, tenant.schema, broken)
    with connect(tenant) as connection:
        query = "SELECT result FROM {}.ledger_projections WHERE name = 'broken'"
        assert (
            one(connection, query, tenant)
            == f"failed: the facts at positions 1 to {len(sent().log)}: ZeroDivisionError"
        )


def _suffers(tenant: EmptyTenant, name: str) -> None:
    with connect(tenant) as connection:
        query = "UPDATE {}.ledger_projections SET error = 'it suffers' WHERE name = %s"
        connection.execute(SQL(query).format(Identifier(tenant.schema)), (name,))


def test_live_tables_that_stay_behind_cannot_be_verified_and_are_rebuilt_up_to_the_head(tenant: EmptyTenant):
    scenario = sent()
    before = catch_up(tenant, scenario.log)
    scenario.ship()
    head = write_down(tenant, scenario.log[before:])
    _suffers(tenant, "tracking")
    with pytest.raises(rebuilding.Behind, match=f"stand at position {before} of {head} and do not go on: it suffers"):
        verify(tenant, "tracking")
    comparison = rebuild(tenant, "tracking")
    assert (comparison.position, comparison.compared_at) == (head, before)
    words = f"rebuilt at position {head}, compared at {before}, where the one before stood still: equal"
    assert words in str(comparison)
    catch_up(tenant)
    assert len(contents(tenant)["tracking_parcels"]) == 1


def test_an_unknown_projection_is_refused(tenant: EmptyTenant):
    with pytest.raises(UnknownProjection, match="no projection weather"):
        rebuild(tenant, "weather")
