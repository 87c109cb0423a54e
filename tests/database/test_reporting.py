"""The views for reporting jobs: their rows over long stories, rebuilds under them, and what they never show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from ledger.nouns.cases import Remedy
from ledger.nouns.orders import HoldReason
from ledger.nouns.parcels import ParcelStatus
from projections.machine.database import open_connection
from projections.reporting import REPORT_TABLES, REPORTING
from projections.reporting.views import statements, views_schema
from tests.support.casework import Desk
from tests.support.long_scenario import long_scenario
from tests.support.projecting import catch_up, connect, contents, forget, rebuild
from tests.support.scenario import Scenario, delivered, line, shipped
from tests.support.stalls import EmptyTenant

Row = dict[str, Any]


@pytest.fixture
def shop(new_tenant: EmptyTenant) -> Iterator[EmptyTenant]:
    """A tenant with read models, whose views can be made."""
    yield new_tenant
    with connect(new_tenant) as connection:
        connection.execute("SET client_min_messages = warning")
        connection.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(views_schema(new_tenant.schema))))


def story() -> Scenario:
    """A long one, in which an order is held in the end, and money moved."""
    scenario = long_scenario()
    scenario.place(line(1, "tea", 1), order_id="shopify/70")
    scenario.hold(HoldReason.BAD_ADDRESS, order_id="shopify/70")
    scenario.hold(HoldReason.FRAUD_REVIEW, order_id="shopify/70")
    desk = Desk(scenario)
    desk.reviews("case-1")
    desk.rules(case_id="case-1")
    desk.approves(Remedy.REFUND, case_id="case-1")
    desk.grants(case_id="case-1")
    scenario.release(HoldReason.BAD_ADDRESS, order_id="shopify/70")
    return scenario


def published(tenant: EmptyTenant) -> None:
    with open_connection(tenant.conninfo) as connection, connection.transaction():
        views = Identifier(views_schema(tenant.schema))
        connection.execute(SQL("CREATE SCHEMA IF NOT EXISTS {}").format(views))
        for statement in statements(tenant.schema):
            connection.execute(statement)


def rows(tenant: EmptyTenant, view: str) -> list[Row]:
    """A view's rows by its key."""
    (table,) = (each for each in REPORT_TABLES if each.name == view)
    with psycopg.connect(tenant.conninfo, row_factory=dict_row) as connection:
        query = SQL("SELECT * FROM {}.{} ORDER BY {}").format(
            Identifier(views_schema(tenant.schema)),
            Identifier(view),
            SQL(", ").join(map(Identifier, table.key_columns)),
        )
        return connection.execute(query).fetchall()


def test_every_view_has_rows_of_a_long_story_unique_by_key_and_stamped_within_the_log(shop: EmptyTenant):
    head = catch_up(shop, story().log, page_facts=3)
    published(shop)
    for table in REPORT_TABLES:
        if table.name == "rate_windows":
            continue  # of the last days, and the story is older
        found = rows(shop, table.name)
        assert found, f"the story says nothing to {table.name}"
        assert list(found[0]) == [column.name for column in table.columns]
        keys = [tuple(row[name] for name in table.key_columns) for row in found]
        assert len(set(keys)) == len(keys), table.name
        assert all(1 <= row["position"] <= head for row in found), table.name


def test_the_columns_have_the_types_and_comments_that_are_declared(shop: EmptyTenant):
    catch_up(shop)
    published(shop)
    with connect(shop) as connection:
        query = SQL("SELECT table_name, column_name, type, meaning FROM {}.contract ORDER BY table_name, place")
        found = connection.execute(query.format(Identifier(views_schema(shop.schema)))).fetchall()
    kinds = {"timestamptz": "timestamp with time zone"}
    for table in REPORT_TABLES:
        mine = [(name, kind) for view, name, kind, _ in found if view == table.name]
        assert mine == [(each.name, kinds.get(each.kind, each.kind)) for each in table.columns]
    assert all(meaning for _, _, _, meaning in found)


def test_an_order_is_told_with_its_lines_supplier_orders_and_parcels(shop: EmptyTenant):
    scenario = shipped(line(1, "tea", 2))
    catch_up(shop, scenario.log)
    published(shop)
    (order,) = rows(shop, "orders")
    assert (order["order_id"], order["status"], order["units"], order["lines"]) == ("shopify/1", "dispatched", 2, 1)
    (told,) = rows(shop, "order_lines")
    assert (told["sku"], told["shipped_units"], told["delivered_units"]) == ("tea", 2, 0)
    (part,) = rows(shop, "supplier_orders")
    assert (part["supplier_order_id"], part["supplier_name"]) == ("shopify/1/1", "Acme")
    assert (part["status"], part["units"], part["shipped_units"]) == ("shipped", 2, 2)
    (parcel,) = rows(shop, "parcels")
    assert (parcel["supplier_order_id"], parcel["units"], parcel["delivered_at"]) == ("shopify/1/1", 2, None)
    before = len(scenario.log)
    scenario.later(days=3)
    scenario.scan(ParcelStatus.DELIVERED)
    head = catch_up(shop, scenario.log[before:])
    (after,) = rows(shop, "orders")
    assert after["status"] == "delivered"
    assert order["position"] < after["position"] <= head
    (line_after,) = rows(shop, "order_lines")
    assert (line_after["shipped_units"], line_after["delivered_units"]) == (0, 2)
    assert [scan["status"] for scan in rows(shop, "checkpoints")] == ["delivered"]
    assert rows(shop, "agreements")[0]["position"] < order["position"], "nothing of the agreement changed"


def test_what_is_as_before_keeps_its_position(shop: EmptyTenant):
    scenario = delivered(line(1, "tea", 2))
    catch_up(shop, scenario.log)
    published(shop)
    before = {name: rows(shop, name) for name in ("orders", "order_lines", "supplier_orders")}
    written = len(scenario.log)
    scenario.review(5)
    catch_up(shop, scenario.log[written:])
    assert len(scenario.log) > written
    assert {name: rows(shop, name) for name in before} == before


def gone(tenant: EmptyTenant) -> list[Row]:
    return rows(tenant, "gone")


def test_a_row_that_goes_leaves_a_line_which_a_rebuild_keeps(shop: EmptyTenant):
    scenario = shipped(line(1, "tea", 2))
    catch_up(shop, scenario.log)
    published(shop)
    before = len(scenario.log)
    scenario.hold(HoldReason.FRAUD_REVIEW)
    head = catch_up(shop, scenario.log[before:])
    assert [hold["order_id"] for hold in rows(shop, "holds")] == ["shopify/1"]
    before = len(scenario.log)
    scenario.release(HoldReason.FRAUD_REVIEW)
    head = catch_up(shop, scenario.log[before:])
    assert rows(shop, "holds") == []
    (line_of_hold,) = (each for each in gone(shop) if each["table_name"] == "holds")
    assert (line_of_hold["position"], line_of_hold["key"]) == (head, '["shopify/1","fraud_review",""]')
    assert rebuild(shop, "reporting").equal
    assert line_of_hold in gone(shop), "within one page the hold came and went"


def test_the_rows_are_the_same_wherever_a_page_ends(shop: EmptyTenant):
    log = story().log
    for start in range(0, len(log), 7):
        catch_up(shop, log[start : start + 7], [REPORTING])
    step_by_step = contents(shop, [REPORTING])
    forget(shop)
    catch_up(shop, (), [REPORTING])
    assert contents(shop, [REPORTING]) == step_by_step


@pytest.mark.parametrize("name", ["reporting", "stock_levels", "statements", "outbox", "supplier_performance"])
def test_a_rebuild_keeps_the_views_and_what_is_granted(shop: EmptyTenant, name: str):
    catch_up(shop, story().log)
    published(shop)
    views = Identifier(views_schema(shop.schema))
    found = {table.name: len(rows(shop, table.name)) for table in REPORT_TABLES}
    with connect(shop) as connection:
        role = Identifier(f"reader_{shop.schema}")
        connection.execute(SQL("CREATE ROLE {}").format(role))
        try:
            connection.execute(SQL("GRANT USAGE ON SCHEMA {} TO {}").format(views, role))
            connection.execute(SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}").format(views, role))
            assert rebuild(shop, name).swapped
            connection.execute(SQL("SET ROLE {}").format(role))
            for table in REPORT_TABLES:
                count = SQL("SELECT count(*) FROM {}.{}").format(views, Identifier(table.name))
                assert connection.execute(count).fetchall() == [(found[table.name],)], table.name
            connection.execute("RESET ROLE")
            said = SQL("SELECT count(*) FROM {}.contract WHERE meaning IS NULL")
            assert connection.execute(said.format(views)).fetchall() == [(0,)]
        finally:
            connection.execute("RESET ROLE")
            connection.execute(SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(role))


def test_making_the_views_again_changes_nothing(shop: EmptyTenant):
    catch_up(shop, story().log)
    published(shop)
    before = {table.name: rows(shop, table.name) for table in REPORT_TABLES}
    published(shop)
    assert {table.name: rows(shop, table.name) for table in REPORT_TABLES} == before


def test_a_day_counts_what_the_rates_count(shop: EmptyTenant):
    catch_up(shop, story().log)
    published(shop)
    days = rows(shop, "rate_days")
    assert {"on_time_dispatch", "acknowledgement"} <= {day["counted"] for day in days}
