"""The projector: what it promises of every projection, also when things break."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier, Literal

from adapters.postgres import TENANT_MIGRATIONS, migrate, open_pool
from ledger.engine.log import CHANNEL, LOCK_SEED
from ledger.engine.registry import Registry
from ledger.facts import Change
from ledger.nouns import NOUNS
from ledger.nouns.orders import Clock, HoldReason, PaymentState
from ledger.nouns.parcels import ParcelStatus
from ledger.refusals import BeyondTheLog, Malformed, ProjectionBehind, Refusal, UnknownProjection
from ledger.terms.money import Money
from ledger.terms.parties import Party
from projections import PROJECTIONS, tracking
from projections.machine import following, rebuilding, runner
from projections.machine.reads import PageOf, snapshot
from projections.machine.rebuilding import AlreadyBuilding
from projections.machine.status import ask_for_rebuild
from projections.machine.streams import BadFact, Page, Streams
from projections.machine.tables import Projection, Table, named
from projections.tracking import TRACKING
from tests.support.casework import Desk
from tests.support.projecting import (
    asking,
    catch_up,
    caught_up,
    connect,
    contents,
    forget,
    listed,
    one,
    projector,
    rebuild,
    statuses,
    until,
    verify,
    write_down,
    write_poison,
)
from tests.support.recovering import Recovering, refund
from tests.support.stalls import EmptyTenant
from tests.support.story import (
    NOON,
    TERMS,
    Story,
    a_shop,
    accept,
    delivered,
    line,
    reject,
    sent,
    shipped,
)

NAMES = [projection.name for projection in PROJECTIONS]


@pytest.fixture
def shop(tenant: EmptyTenant) -> Iterator[EmptyTenant]:
    """A tenant that projectors find."""
    with listed(tenant):
        yield tenant


# --- the same log gives the same tables -----------------------------------------------------------

ORDERS = [f"shopify/{n}" for n in (1, 2, 3)]
WHAT = (
    "place send send answer reject pack ship ship scan scan deliver lose dispute hold release cancel agree pay"
    " receive miss complete later later reserve let_go silence first_scan"
)
a_step = st.tuples(st.sampled_from(WHAT.split()), st.integers(0, 5))


def _told(steps: list[tuple[str, int]]) -> list[Change]:
    """A story of three orders in which whatever is refused did not happen."""
    story = a_shop(tea=12, mug=5)
    for number, (what, pick) in enumerate(steps):
        try:
            _happens(story, what, pick, number)
        except (Refusal, AssertionError, StopIteration):
            continue
    return story.log


def _happens(story: Story, what: str, pick: int, number: int) -> object:
    order_id = ORDERS[pick % 3]
    number_of = f"P{pick}"
    part = f"{order_id}/{1 + pick // 3}"
    match what:
        case "place":
            lines = (line(1, "tea", 1 + pick), line(2, "mug", 1, "bolt" if pick % 2 else "acme"))
            payment = PaymentState.PAID if pick < 4 else PaymentState.PENDING
            return story.place(
                *lines, order_id=order_id, payment=payment, promised_by=story.now + timedelta(days=1 + pick)
            )
        case "send":
            return story.send(part)
        case "answer":
            return story.answer({1: accept(1 + pick)}, part)
        case "reject":
            return story.answer({1: reject(1 + pick)}, part)
        case "pack":
            return story.pack("logo", supplier_order_id=part)
        case "ship":
            return story.ship({1: 1} if pick % 2 else None, part, number_of)
        case "scan":
            return story.scan(ParcelStatus.IN_TRANSIT, number=number_of)
        case "deliver":
            return story.scan(ParcelStatus.DELIVERED, number=number_of)
        case "lose":
            return story.scan(ParcelStatus.LOST, number=number_of)
        case "dispute":
            return story.dispute(number_of)
        case "hold":
            return story.hold(HoldReason.CUSTOMER_REQUEST, order_id=order_id)
        case "release":
            return story.release(HoldReason.CUSTOMER_REQUEST, order_id=order_id)
        case "cancel":
            return story.cancel({1: 1} if pick % 2 else None, order_id)
        case "agree":
            return story.answer_cancel(pick % 2 == 0, part)
        case "pay":
            return story.pay(PaymentState.PAID, order_id)
        case "receive":
            return story.receive(order_id)
        case "miss":
            return [story.miss(clock, part if clock != "delivery" else order_id, order_id) for clock in Clock]
        case "complete":
            return story.close_window(order_id)
        case "later":
            return story.later(hours=7 * (1 + pick) ** 2)
        case "reserve":
            return story.reserve(f"cart-{number}", 1 + pick % 2)
        case "let_go":
            return story.let_go(next(iter(story.stock().reservations)))
        case "silence":
            return story.suspect_loss(number_of)
        case _:
            return story.miss_first_scan(number_of)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(a_step, min_size=5, max_size=60), st.integers(2, 9))
def test_where_a_page_begins_and_ends_does_not_matter(tenant: EmptyTenant, steps: list[tuple[str, int]], size: int):
    with connect(tenant) as connection:
        connection.execute(SQL("TRUNCATE {}.ledger_events").format(Identifier(tenant.schema)))
    write_down(tenant, _told(steps))
    found = []
    for page_facts in (1, size, 1000):
        forget(tenant)
        catch_up(tenant, page_facts=page_facts)
        found.append(contents(tenant))
    assert found[0] == found[2]
    assert found[1] == found[2]


def test_a_projector_that_remembers_no_stream_gives_the_same_tables(tenant: EmptyTenant):
    story = _long_story()
    catch_up(tenant, story.log)
    expected = contents(tenant)
    forget(tenant)
    with connect(tenant) as connection:
        connection.execute(SQL("TRUNCATE {}.ledger_events").format(Identifier(tenant.schema)))
    for start in range(0, len(story.log), 3):
        # Each catch-up starts with nothing in memory, so every stream is read from the log again.
        catch_up(tenant, story.log[start : start + 3])
    assert contents(tenant) == expected


def _long_story() -> Story:
    story = delivered(line(1, "tea", 2), line(2, "mug", 1, "bolt"), promised_by=NOON + timedelta(days=2))
    story.ship(supplier_order_id="shopify/1/2", number="P2")
    story.later(hours=1)
    story.scan(ParcelStatus.IN_TRANSIT, number="P2")
    story.reserve("cart-1", 2)
    story.ask("q1")
    story.ask("q2", Party.RETAILER)
    story.answer_inquiry("q1")
    story.ask("q3")
    story.close_inquiry("q3")
    story.ask("q4", Party.RETAILER)
    story.place(line(1, "tea", 2), order_id="shopify/2")
    story.agree_terms(replace(TERMS, effective_from=NOON, compensation_basis_points=100))
    story.offer("tea", Money(250, "EUR"))
    story.place(line(1, "tea", 2), order_id="shopify/3")
    story.send("shopify/3/1")
    story.later(days=8)
    story.miss(Clock.DELIVERY, "shopify/1")
    story.miss(Clock.DISPATCH, "shopify/3/1", "shopify/3")
    story.ship({1: 1}, supplier_order_id="shopify/3/1", number="P3")
    story.miss_answer("q2")
    story.answer_inquiry("q2", at=NOON + timedelta(days=4))
    story.scan(ParcelStatus.DELIVERED, number="P2")
    story.dispute("P2")
    story.cancel(order_id="shopify/2")
    for number in range(4):
        recovering = Recovering(story, f"r{number}")
        recovering.of_supplier(refund(100))
        recovering.accept(25 * (number + 1))
    desk = Desk(story)
    for case_id in ("case-1", "case-2"):
        desk.opens(case_id=case_id)
    return story


# --- following ------------------------------------------------------------------------------------


def test_new_facts_arrive_without_any_notify(shop: EmptyTenant):
    with projector(shop.conninfo):
        write_down(shop, shipped().log)
        until(lambda: caught_up(shop))


def test_a_notify_brings_new_facts_in_sooner_than_the_poll(shop: EmptyTenant, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runner, "POLL_SECONDS", 30.0)
    with projector(shop.conninfo):
        story = shipped()
        write_down(shop, story.log)
        until(lambda: caught_up(shop))
        before = len(story.log)
        story.scan(ParcelStatus.IN_TRANSIT)
        write_down(shop, story.log[before:])
        with connect(shop) as connection:
            connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, shop.schema))
        until(lambda: caught_up(shop), 10)


def test_it_survives_killed_connections(shop: EmptyTenant, caplog: pytest.LogCaptureFixture):
    story = shipped()
    with projector(shop.conninfo):
        write_down(shop, story.log)
        until(lambda: caught_up(shop))
        for status in (ParcelStatus.IN_TRANSIT, ParcelStatus.OUT_FOR_DELIVERY, ParcelStatus.DELIVERED):
            with connect(shop) as connection:
                query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                killed = connection.execute(f"{query} AND query LIKE '%ledger_%' OR query LIKE 'LISTEN%'").fetchone()
            assert killed
            assert killed[0] > 0
            before = len(story.log)
            story.later(hours=1)
            story.scan(status)
            write_down(shop, story.log[before:])
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
    story = sent()
    write_down(shop, story.log)

    def leaders() -> set[str]:
        with connect(shop) as connection:
            query = SQL("SELECT DISTINCT leader FROM {}.ledger_projections").format(Identifier(shop.schema))
            return {leader for (leader,) in connection.execute(query).fetchall()}

    with projector(shop.conninfo) as stop:
        until(lambda: caught_up(shop))
        (first,) = leaders()
        with projector(shop.conninfo):
            before = len(story.log)
            story.ship()
            write_down(shop, story.log[before:])
            until(lambda: caught_up(shop))
            assert leaders() == {first}
            stop.set()
            until(lambda: len(leaders()) == 1 and leaders() != {first} and None not in leaders())
            before = len(story.log)
            story.scan(ParcelStatus.IN_TRANSIT)
            write_down(shop, story.log[before:])
            until(lambda: caught_up(shop))
    expected = contents(shop)
    forget(shop)
    catch_up(shop)
    assert contents(shop) == expected


def test_who_holds_the_lock_is_waited_for(shop: EmptyTenant):
    write_down(shop, sent().log)
    catch_up(shop)
    with connect(shop) as other, other.transaction():
        query = "SELECT pg_advisory_xact_lock(hashtextextended(%s, %s))"
        other.execute(query, (f"{shop.schema}/tracking", LOCK_SEED))
        with projector(shop.conninfo):
            story = shipped()
            write_down(shop, story.log[len(sent().log) :])
            until(lambda: statuses(shop)["sla"].lag == 0)
            assert statuses(shop)["tracking"].lag > 0
            other.execute("ROLLBACK")
            until(lambda: caught_up(shop))


def test_a_page_is_not_applied_twice(tenant: EmptyTenant):
    write_down(tenant, shipped().log)
    catch_up(tenant)
    streams = Streams(tenant.schema)
    with following.open_connection(tenant.conninfo) as connection:
        page = streams.read(connection, 1000)
    assert page is not None
    writer = following.Writer(tenant.conninfo, [TRACKING])
    with connect(tenant) as connection:
        query = SQL("UPDATE {}.ledger_projections SET leader = %s").format(Identifier(tenant.schema))
        connection.execute(query, (writer.name,))
    before = contents(tenant)
    with pytest.raises(following.Superseded):
        writer.submit(
            following.Batch(tenant.schema, TRACKING, page.after, page.position, TRACKING.changes(page))
        ).result()
    writer.close()
    assert contents(tenant) == before


def test_the_status_tells_position_lag_and_life(shop: EmptyTenant):
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


# --- what cannot be read --------------------------------------------------------------------------


def test_an_unknown_fact_stops_the_projections_before_it_and_shows_in_the_status(
    shop: EmptyTenant, caplog: pytest.LogCaptureFixture
):
    story = sent()
    head = write_down(shop, story.log)
    write_poison(shop)
    before = len(story.log)
    story.ship()
    write_down(shop, story.log[before:])
    with projector(shop.conninfo):
        until(lambda: all(status.error for status in statuses(shop).values()))
        found = statuses(shop).values()
        assert {status.position for status in found} == {head}
        assert all("unknown fact 'order.teleported'" in (status.error or "") for status in found)
        assert not any(status.is_alive(60) for status in found)
        assert "cannot go on" in caplog.text
        # Once the service knows the fact, here because it becomes one that it knows, nothing was skipped.
        stream, known = story.suspend("bolt") and story.log[-1]
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
    broken = Projection("broken", 1, (Table("broken", 1, {"id": "text NOT NULL"}),), _break)
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
    story = sent()
    before = len(story.log)
    story.place(line(1, "mug", 1, "bolt"), order_id="shopify/2")
    write_down(shop, [])
    catch_up(shop)
    schema = Identifier(shop.schema)
    with connect(shop) as connection:
        # Each attempt counts, for a sequence does not go back with its transaction.
        connection.execute(SQL("CREATE SEQUENCE {}.attempts").format(schema))
        check = "ALTER TABLE {0}.tracking_orders ADD CONSTRAINT no CHECK (order_id <> 'shopify/2' OR nextval({1}) < 0)"
        connection.execute(SQL(check).format(schema, Literal(f"{shop.schema}.attempts")))
        head = write_down(shop, story.log)
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


def _break(page: Page) -> list[Any]:
    raise ZeroDivisionError("a mistake of ours")


# --- rebuilding -----------------------------------------------------------------------------------


def _oids(tenant: EmptyTenant) -> dict[str, int]:
    with connect(tenant) as connection:
        query = "SELECT relname, oid FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'r'"
        return dict(connection.execute(query, (tenant.schema,)).fetchall())


@pytest.mark.parametrize("name", NAMES)
def test_a_rebuild_equals_the_live_tables_and_takes_their_place(tenant: EmptyTenant, name: str):
    head = catch_up(tenant, _long_story().log)
    before, oids = contents(tenant), _oids(tenant)
    comparison = rebuild(tenant, name)
    assert comparison.equal
    assert comparison.swapped
    assert comparison.position == head
    assert all(table.live_rows == table.rebuilt_rows for table in comparison.tables)
    assert sum(table.live_rows for table in comparison.tables) >= 1, "the story says nothing to it"
    assert contents(tenant) == before
    (projection,) = (each for each in PROJECTIONS if each.name == name)
    after = _oids(tenant)
    assert all(after[table.name] != oids[table.name] for table in projection.tables)
    assert not [table for table in after if table.endswith("_new")]
    # And again: names of indexes left by the first rebuild are in nobody's way.
    assert rebuild(tenant, name).equal


def test_a_rebuilt_projection_goes_on_following(tenant: EmptyTenant):
    story = shipped()
    catch_up(tenant, story.log)
    for name in NAMES:
        rebuild(tenant, name)
    before = len(story.log)
    story.later(days=3)
    story.scan(ParcelStatus.DELIVERED)
    catch_up(tenant, story.log[before:])
    found = contents(tenant)
    forget(tenant)
    catch_up(tenant)
    assert contents(tenant) == found


def test_a_verification_finds_a_tampered_row_and_leaves_it(tenant: EmptyTenant):
    catch_up(tenant, _long_story().log)
    with connect(tenant) as connection:
        query = "UPDATE {}.tracking_orders SET status = 'delivered' WHERE order_id = 'shopify/2'"
        connection.execute(SQL(query).format(Identifier(tenant.schema)))
    comparison = verify(tenant, "tracking")
    assert not comparison.equal
    assert not comparison.swapped
    assert [(table.table, table.equal, table.examples) for table in comparison.tables] == [
        ("tracking_orders", False, ("shopify/2",)),
        ("tracking_parcels", True, ()),
        ("tracking_holds", True, ()),
    ]
    assert "DIFFERENT: tracking_orders has 3 rows, rebuilt 3, such as shopify/2" in str(comparison)
    assert any("shopify/2,shopify,delivered" in row for row in contents(tenant)["tracking_orders"])
    # A rebuild mends it.
    assert not rebuild(tenant, "tracking").equal
    assert verify(tenant, "tracking").equal


def test_a_verification_finds_a_lost_and_an_invented_row(tenant: EmptyTenant):
    catch_up(tenant, _long_story().log)
    with connect(tenant) as connection:
        schema = Identifier(tenant.schema)
        connection.execute(SQL("DELETE FROM {}.sla_obligations WHERE clock = 'dispatch'").format(schema))
        connection.execute(SQL("INSERT INTO {}.sla_return_windows VALUES ('shopify/9', now())").format(schema))
    found = {table.table: table for table in verify(tenant, "sla").tables}
    assert found["sla_obligations"].rebuilt_rows > found["sla_obligations"].live_rows
    assert found["sla_return_windows"].examples == ("shopify/9",)


def test_a_rebuild_that_died_leaves_the_live_tables_serving_and_the_next_starts_clean(tenant: EmptyTenant):
    catch_up(tenant, _long_story().log)
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


def test_a_rebuild_is_asked_for_and_answered_through_the_status(shop: EmptyTenant):
    write_down(shop, _long_story().log)

    async def ask(name: str, verify_only: bool) -> None:
        async with open_pool(shop.conninfo) as pool:
            await ask_for_rebuild(pool, shop.schema, named(PROJECTIONS, name), verify_only=verify_only)

    with projector(shop.conninfo):
        until(lambda: caught_up(shop))
        with pytest.raises(UnknownProjection):
            asyncio.run(ask("weather", True))
        asyncio.run(ask("sla", True))
        until(lambda: "verified" in statuses(shop)["sla"].rebuild)
        assert "equal" in statuses(shop)["sla"].rebuild
        asyncio.run(ask("tracking", False))
        until(lambda: "rebuilt" in statuses(shop)["tracking"].rebuild)
        assert statuses(shop)["supplier_performance"].rebuild == ""


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
    story = sent()
    write_down(shop, story.log)
    with projector(shop.conninfo):
        until(lambda: caught_up(shop))
        for number in range(3):
            before = len(story.log)
            story.place(line(1, "mug", 1, "bolt"), order_id=f"shopify/{number + 10}")
            write_down(shop, story.log[before:])
            assert rebuild(shop, "tracking").equal
        until(lambda: caught_up(shop))
    assert len(contents(shop)["tracking_orders"]) == 4


def test_another_shape_is_rebuilt_by_itself(shop: EmptyTenant, monkeypatch: pytest.MonkeyPatch):
    write_down(shop, _long_story().log)
    catch_up(shop)
    wider = TRACKING.tables[0]._replace(columns={**TRACKING.tables[0].columns, "more": "int4 NOT NULL DEFAULT 1"})
    reshaped = TRACKING._replace(shape=TRACKING.shape + 1, tables=(wider, *TRACKING.tables[1:]), changes=_wider)
    with projector(shop.conninfo, projections=(reshaped, *PROJECTIONS[1:])), connect(shop) as connection:
        query = "SELECT shape FROM {}.ledger_projections WHERE name = 'tracking'"
        until(lambda: one(connection, query, shop) == TRACKING.shape + 1)
        until(lambda: caught_up(shop))
        assert one(connection, "SELECT sum(more) FROM {}.tracking_orders", shop) == 3 * 7
        assert "in a new shape" in statuses(shop)["tracking"].rebuild
        # A projector of the older version leaves it alone.
        with projector(shop.conninfo):
            write_down(shop, _more())
            until(lambda: caught_up(shop))
        assert one(connection, "SELECT sum(more) FROM {}.tracking_orders", shop) == 4 * 7


def _wider(page: Page) -> list[Any]:
    orders, *others = TRACKING.changes(page)
    orders.new = [(*row, 7) for row in orders.new]  # type: ignore[attr-defined]
    orders.changed = [(*row, 7) for row in orders.changed]  # type: ignore[attr-defined]
    orders.table = TRACKING.tables[0]._replace(  # type: ignore[attr-defined]
        columns={**TRACKING.tables[0].columns, "more": "int4 NOT NULL DEFAULT 1"}
    )
    return [orders, *others]


def _more() -> list[Change]:
    story = a_shop()
    before = len(story.log)
    story.place(order_id="shopify/77")
    return [change for change in story.log[before:] if change[0].startswith("order-")]


@contextmanager
def reading(tenant: EmptyTenant, table: str) -> Iterator[int]:
    """Somebody who has read a table and does nothing more; yields the number of the session."""
    with connect(tenant) as other, other.transaction():
        one(other, f"SELECT count(*) FROM {{}}.{table}", tenant)
        yield other.info.backend_pid


async def test_a_swap_waits_for_an_idle_reader_and_keeps_no_other_waiting(shop: EmptyTenant):
    write_down(shop, _long_story().log)
    await asyncio.to_thread(catch_up, shop)
    with projector(shop.conninfo):
        async with asking(shop) as where:
            with reading(shop, "tracking_orders") as session:
                await ask_for_rebuild(where.pool, shop.schema, named(PROJECTIONS, "tracking"))
                await ask_for_rebuild(where.pool, shop.schema, named(PROJECTIONS, "sla"))
                waits = f"waits for session {session} idle in transaction, which uses its tables"
                await asyncio.to_thread(until, lambda: waits in statuses(shop)["tracking"].rebuild)
                longest, began = 0.0, time.monotonic()
                while time.monotonic() < began + 3:
                    asked_at = time.monotonic()
                    await tracking.list_orders(where, PageOf())
                    longest = max(longest, time.monotonic() - asked_at)
                assert longest < 1.0
                # Nor does it keep another rebuild waiting.
                await asyncio.to_thread(until, lambda: "rebuilt" in statuses(shop)["sla"].rebuild)
                # The live one goes on meanwhile.
                write_down(shop, _more())
                await asyncio.to_thread(until, lambda: caught_up(shop))
        await asyncio.to_thread(until, lambda: "rebuilt" in statuses(shop)["tracking"].rebuild)
        assert "equal" in (await asyncio.to_thread(statuses, shop))["tracking"].rebuild
    assert len(contents(shop)["tracking_orders"]) == 4


def test_a_new_shape_that_cannot_be_swapped_in_shows_why_until_it_is(shop: EmptyTenant):
    write_down(shop, _long_story().log)
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
    assert len(contents(shop)["tracking_orders"]) == 4


def test_a_new_shape_that_fails_is_tried_again_until_it_succeeds(shop: EmptyTenant):
    write_down(shop, _long_story().log)
    catch_up(shop)
    fails = [True]

    def changes(page: Page) -> list[Any]:
        if fails:
            _break(page)
        return TRACKING.changes(page)

    reshaped = TRACKING._replace(shape=TRACKING.shape + 1, changes=changes)
    projections = (reshaped, *PROJECTIONS[1:])
    with projector(shop.conninfo, projections=projections):
        until(lambda: "ZeroDivisionError" in (statuses(shop, projections)["tracking"].error or ""))
        assert statuses(shop, projections)["tracking"].rebuild.startswith("failed: the facts at positions 1 to ")
        fails.clear()
        until(lambda: statuses(shop, projections)["tracking"].error is None and caught_up(shop))


def test_a_rebuild_that_cannot_take_a_fact_has_failed_also_where_the_live_tables_stand_before_it(tenant: EmptyTenant):
    broken = Projection("broken", 1, (Table("broken", 1, {"id": "text NOT NULL"}),), _break)
    write_down(tenant, sent().log)
    with pytest.raises(following.CannotTake, match="the fact at position 1: ZeroDivisionError"):
        catch_up(tenant, projections=[broken])
    _suffers(tenant, "broken")
    with pytest.raises(following.CannotTake, match="the facts at positions 1 to 16: ZeroDivisionError"):
        rebuilding.rebuild(tenant.conninfo, tenant.schema, broken)
    with connect(tenant) as connection:
        query = "SELECT result FROM {}.ledger_projections WHERE name = 'broken'"
        assert one(connection, query, tenant) == "failed: the facts at positions 1 to 16: ZeroDivisionError"


def _suffers(tenant: EmptyTenant, name: str) -> None:
    with connect(tenant) as connection:
        query = "UPDATE {}.ledger_projections SET error = 'it suffers' WHERE name = %s"
        connection.execute(SQL(query).format(Identifier(tenant.schema)), (name,))


def test_live_tables_that_stay_behind_cannot_be_verified_and_are_rebuilt_up_to_the_head(tenant: EmptyTenant):
    story = sent()
    before = catch_up(tenant, story.log)
    story.ship()
    head = write_down(tenant, story.log[before:])
    _suffers(tenant, "tracking")
    with pytest.raises(rebuilding.Behind, match=f"stand at position {before} of {head} and do not go on: it suffers"):
        verify(tenant, "tracking")
    comparison = rebuild(tenant, "tracking")
    assert (comparison.position, comparison.compared_at) == (head, before)
    words = f"rebuilt at position {head}, compared at {before}, where the one before stood still: equal"
    assert words in str(comparison)
    catch_up(tenant)
    assert len(contents(tenant)["tracking_parcels"]) == 1


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
                story = sent()
                for at in range(0, len(story.log), 4):
                    write_down(shop, story.log[at : at + 4])
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


def test_an_unknown_projection_is_refused(tenant: EmptyTenant):
    with pytest.raises(UnknownProjection, match="no projection weather"):
        rebuild(tenant, "weather")


# --- asking ---------------------------------------------------------------------------------------


async def test_a_query_waits_for_the_position_it_is_asked_for(tenant: EmptyTenant):
    head = catch_up(tenant, sent().log)
    story = shipped()
    later = write_down(tenant, story.log[head:])
    async with asking(tenant, at_least=later) as where:
        question = asyncio.create_task(tracking.get_order(where, "shopify/1"))
        await asyncio.sleep(0.1)
        assert not question.done()
        await asyncio.to_thread(catch_up, tenant)
        answer = await question
    assert answer.position == later
    assert len(answer.rows[0].parcels) == 1


async def test_a_query_for_a_position_that_does_not_come_in_time_is_refused(tenant: EmptyTenant):
    head = catch_up(tenant, sent().log)
    later = write_down(tenant, shipped().log[head:])
    async with asking(tenant, later, patience_seconds=0.05) as where:
        with pytest.raises(ProjectionBehind, match=f"tracking stands at {head} and is asked for {later}") as behind:
            await tracking.get_order(where, "shopify/1")
    assert behind.value.details == {"name": "tracking", "at_least": str(later), "position": str(head)}


async def test_a_query_for_a_position_that_the_log_has_not_reached_is_refused_at_once(tenant: EmptyTenant):
    head = catch_up(tenant, sent().log)
    async with asking(tenant, head + 1, patience_seconds=30) as where:
        with pytest.raises(BeyondTheLog, match=f"position {head + 1} lies beyond the log, whose newest is {head}"):
            await asyncio.wait_for(tracking.get_order(where, "shopify/1"), 5)


async def test_a_query_before_any_projector_ran_is_refused_in_time(tenant: EmptyTenant):
    async with asking(tenant, patience_seconds=0.05) as where:
        with pytest.raises(ProjectionBehind):
            await tracking.get_order(where, "shopify/1")


async def test_a_query_before_any_projector_ran_waits_for_its_tables(tenant: EmptyTenant):
    async with asking(tenant, patience_seconds=30) as where:
        question = asyncio.create_task(tracking.list_orders(where, PageOf()))
        await asyncio.sleep(0.2)
        assert not question.done()
        head = await asyncio.to_thread(catch_up, tenant, sent().log)
        answer = await question
    # Its tables may be seen before the first page is in them.
    assert answer.position in {0, head}


async def test_rows_and_position_come_from_one_moment_also_while_tables_are_swapped(tenant: EmptyTenant):
    head = catch_up(tenant, _long_story().log)
    async with asking(tenant) as where:
        rebuilding = asyncio.create_task(asyncio.to_thread(rebuild, tenant, "tracking"))
        answers = 0
        while not rebuilding.done() or answers < 20:
            answer = await tracking.list_orders(where, PageOf())
            assert (len(answer.rows), answer.position) == (3, head)
            answers += 1
        await rebuilding


async def test_what_is_applied_while_a_query_reads_is_not_seen_by_it(tenant: EmptyTenant):
    story = sent()
    head = catch_up(tenant, story.log)
    before = len(story.log)
    story.place(line(1, "mug", 1, "bolt"), order_id="shopify/2")
    async with asking(tenant) as where, snapshot(where, TRACKING) as at:
        await asyncio.to_thread(catch_up, tenant, story.log[before:])
        assert at.position == head
        assert await at.rows("SELECT count(*) FROM {tracking_orders}", {}) == [(1,)]


@pytest.mark.parametrize("token", ["nonsense", "bnVsbA", "WzEsMl0", "é"])
async def test_a_token_that_no_list_gave_is_malformed(tenant: EmptyTenant, token: str):
    catch_up(tenant, sent().log)
    async with asking(tenant) as where:
        with pytest.raises(Malformed, match="not a token"):
            await tracking.list_orders(where, PageOf(token=token))


@pytest.mark.parametrize("size", [-1, 1001])
async def test_a_page_has_at_most_1000_rows(tenant: EmptyTenant, size: int):
    async with asking(tenant) as where:
        with pytest.raises(Malformed, match=f"{size} is not between 1 and 1000"):
            await tracking.list_orders(where, PageOf(size))
