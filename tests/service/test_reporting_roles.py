"""``python server.py reporting ...`` on a real PostgreSQL, and what the roles may and cannot do."""

from __future__ import annotations

import asyncio
import io
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import psycopg
import pytest
from psycopg import errors
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from adapters.database import reporting_roles
from adapters.database.control import Control
from adapters.database.postgres import open_pool
from adapters.database.reporting_roles import ReportingFailed
from adapters.database.reporting_views import ReportingViews
from adapters.every_tenant import REST
from adapters.tenants import Tenants
from fulfilment.v1 import admin_pb2, doctor_pb2
from projections.reporting import REPORT_TABLES, views
from projections.reporting.declaring import Means, shown
from projections.reporting.views import CONTRACT_VERSION
from tests.support.hosting import server_on
from tests.support.service import Client, Service, order
from tests.support.waiting import wait_for


class Said(NamedTuple):
    """On standard output, and beside it."""

    out: str
    told: str


def reporting(service: Service, *words: str) -> Said:
    """Runs ``server.py reporting ...`` in this process."""
    out, told = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(told):
        reporting_roles.main([*words, "--dsn", service.dsn])
    return Said(out.getvalue(), told.getvalue())


@contextmanager
def granted(service: Service, name: str, *words: str) -> Iterator[str]:
    """A role, and how it connects; roles are those of the whole server, so that it ends with the test."""
    reporting(service, "grant", name, *(words or ("--tenant", "default")))
    try:
        yield make_conninfo(service.dsn, user=name)
    finally:
        with suppress(ReportingFailed):
            reporting(service, "revoke", name)


def rows(conninfo: str, query: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(conninfo) as connection:
        return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def sold(service: Service) -> Service:
    """A tenant with an order, and another with one of its own."""

    async def second() -> None:
        async with open_pool(service.dsn) as pool:
            await Control(pool).create_tenant("second")

    asyncio.run(second())
    for tenant in ("default", "second"):
        with Client(service.address, tenant) as client:
            client.approve("acme", at=datetime.now(UTC) - timedelta(days=2))
            client.orders.PlaceOrder(order(f"of-{tenant}"))
    wait_for(lambda: _has_order(service, "second"), 30)
    return service


def _has_order(service: Service, tenant: str) -> bool:
    try:
        return bool(rows(service.dsn, f"SELECT 1 FROM tenant_{tenant}.reporting_orders"))
    except errors.UndefinedTable:
        return False


def test_a_role_reads_the_views_of_its_tenant_and_nothing_else(sold: Service):
    with granted(sold, "bi_one") as reader:
        assert rows(reader, "SELECT order_id FROM reporting_default.orders") == [("shop/of-default",)]
        assert rows(reader, "SELECT order_id FROM orders") == [("shop/of-default",)], "its views need no schema"
        assert rows(reader, "SELECT name FROM suppliers") == [("Acme Ltd",)]
        for table in REPORT_TABLES:
            rows(reader, f"SELECT * FROM {table.name}")
        for hidden in ("tenant_default.reporting_orders", "tenant_default.ledger_events", "fulfilment.tenants"):
            with pytest.raises(errors.InsufficientPrivilege):
                rows(reader, f"SELECT 1 FROM {hidden}")


def test_a_role_of_one_tenant_knows_nothing_of_another(sold: Service):
    with granted(sold, "bi_first"), granted(sold, "bi_both", "--all-tenants") as both:
        assert rows(both, "SELECT order_id FROM reporting_second.orders") == [("shop/of-second",)]
        first = make_conninfo(sold.dsn, user="bi_first")
        with pytest.raises(errors.InsufficientPrivilege):
            rows(first, "SELECT 1 FROM reporting_second.orders")
        reporting(sold, "revoke", "bi_both", "--tenant", "second")
        with pytest.raises(errors.InsufficientPrivilege):
            rows(both, "SELECT 1 FROM reporting_second.orders")
        assert rows(both, "SELECT 1 FROM reporting_default.orders") == [(1,)]


def test_a_role_writes_nothing_and_stops_in_time(sold: Service):
    with granted(sold, "bi_slow", "--tenant", "default", "--statement-seconds", "1") as reader:
        for statement in ("DELETE FROM orders", "CREATE TABLE mine (x int)", "INSERT INTO orders DEFAULT VALUES"):
            with pytest.raises((errors.ReadOnlySqlTransaction, errors.InsufficientPrivilege)):
                rows(reader, statement)
            with psycopg.connect(reader, autocommit=True) as connection:
                connection.execute("SET default_transaction_read_only = off")
                with pytest.raises((errors.InsufficientPrivilege, errors.ObjectNotInPrerequisiteState)):
                    connection.execute(statement)
        with pytest.raises(errors.QueryCanceled):
            rows(reader, "SELECT pg_sleep(30)")
        settings = ("work_mem", "64MB"), ("idle_in_transaction_session_timeout", "1min")
        for name, value in settings:
            assert rows(reader, f"SHOW {name}") == [(value,)]


def test_a_role_makes_no_temporary_tables_and_takes_no_locks_where_the_database_is_the_services(sold: Service):
    may_make = "SELECT has_database_privilege(current_user, current_database(), 'TEMPORARY')"
    locking = (
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_try_advisory_xact_lock(1)",
        "SELECT pg_advisory_lock_shared(1, 2)",
    )
    with granted(sold, "bi_temporary") as reader:
        assert rows(reader, may_make) == [(False,)]
        with psycopg.connect(reader, autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only = off")
            with pytest.raises(errors.InsufficientPrivilege, match="temporary tables"):
                connection.execute("CREATE TEMPORARY TABLE much (x int)")
            for query in locking:
                with pytest.raises(errors.InsufficientPrivilege, match="advisory"):
                    connection.execute(query)
            connection.execute("SELECT pg_advisory_unlock_all()")  # asyncpg sends it with each session given back
            for query in WRITING:
                with pytest.raises(errors.InsufficientPrivilege, match="permission denied for function"):
                    connection.execute(query)
        with _database_of_somebody_else(sold):
            assert rows(reader, may_make) == [(True,)]
            told = reporting(sold, "grant", "bi_temporary", "--tenant", "default").told
            assert "bi_temporary may make temporary tables" in told
            assert "belongs to landlord" in told
            assert "bi_temporary may take advisory locks" in told
            assert "once whatever else does such things in it is granted them by name" in told
            assert all(rows(reader, query) for query in locking)
            assert "bi_temporary may make large objects" in told
            with psycopg.connect(reader, autocommit=True) as connection:
                connection.execute("SET default_transaction_read_only = off")
                for query in WRITING:
                    connection.execute(query)
            with Client(sold.address) as client:
                found = client.admin.Diagnose(doctor_pb2.DiagnoseRequest()).findings
            (said,) = (each for each in found if each.check == "reporting")
            assert said.level == doctor_pb2.FINDING_LEVEL_WARNING
            assert said.found.startswith("bi_temporary may make temporary tables")
            assert "bi_temporary may take advisory locks" in said.found
            assert "bi_temporary may make large objects" in said.found
        told = reporting(sold, "grant", "bi_temporary", "--tenant", "default").told
        assert not re.search("temporary tables|locks|large objects", told)
    assert rows(sold.dsn, "SELECT FROM pg_largeobject_metadata") == [], "they went with their owner"


WRITING = (
    "SELECT lo_create(0)",
    "SELECT lo_creat(-1)",
    "SELECT lo_from_bytea(0, 'much')",
    "SELECT pg_logical_emit_message(false, 'much', 'much')",
)


def test_the_last_role_that_goes_leaves_what_was_taken_and_says_how_it_is_given_back(sold: Service):
    with granted(sold, "bi_stays"), granted(sold, "bi_last"):
        assert "stays with" not in reporting(sold, "revoke", "bi_stays").told
        told = reporting(sold, "revoke", "bi_last").told
        assert "What grant took from everybody in this database stays with the roles that run the service" in told
        given_back = told.partition("gives it back: ")[2]
        with psycopg.connect(sold.dsn, autocommit=True) as connection:
            connection.execute(given_back)
            asked = """
                SELECT has_database_privilege('public', current_database(), 'TEMPORARY')
                    AND has_function_privilege('public', oid, 'EXECUTE')
                FROM pg_proc WHERE proname ~ %s
            """
            assert set(connection.execute(asked, (_TAKEN,)).fetchall()) == {(True,)}
        assert "stays with" not in reporting(sold, "grant", "bi_last", "--tenant", "default").told


def test_what_a_column_was_said_to_mean_is_put_right_where_roles_were_granted_before(sold: Service):
    async def tick() -> None:
        async with open_pool(sold.dsn) as pool:
            await ReportingViews(Tenants(pool)).tick("default")

    meaning = "SELECT meaning FROM contract WHERE (table_name, column_name) = ('orders', 'recorded_at')"
    with granted(sold, "bi_meaning") as reader:
        before = rows(reader, meaning)
        with psycopg.connect(sold.dsn) as connection:
            connection.execute("COMMENT ON COLUMN reporting_default.orders.recorded_at IS 'When the ledger was told.'")
            connection.execute(
                "COMMENT ON SCHEMA reporting_default IS 'The contract for reporting, version 1: of before'"
            )
        assert rows(reader, meaning) != before
        asyncio.run(tick())
        assert rows(reader, meaning) == before


def test_the_line_to_connect_with_is_told_and_is_right(sold: Service):
    try:
        told = reporting(sold, "grant", "bi_line", "--tenant", "default").told
        (line,) = re.findall(r"It connects with: psql (.*)", told)
        host, port, dbname, user = shlex.split(line)[1::2]
        conninfo = make_conninfo(host=host, port=port, dbname=dbname, user=user)
        assert rows(conninfo, "SELECT current_user::text, order_id FROM orders") == [("bi_line", "shop/of-default")]
    finally:
        reporting(sold, "revoke", "bi_line")


_TAKEN = "advisory.*lock|^lo_(creat|from_bytea|put|truncate)|^lowrite|^pg_logical_emit_message"
"""The functions that are taken from everybody."""


@contextmanager
def _database_of_somebody_else(service: Service) -> Iterator[None]:
    """It lets everybody do what a new one does."""
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        ((name, owner),) = connection.execute("SELECT current_database(), current_user").fetchall()
        ((functions,),) = connection.execute(
            "SELECT string_agg(oid::regprocedure::text, ', ') FROM pg_proc WHERE proname ~ %s", (_TAKEN,)
        ).fetchall()
        database, ours = Identifier(name), Identifier(owner)
        connection.execute("CREATE ROLE landlord")
        connection.execute(SQL("ALTER DATABASE {} OWNER TO landlord").format(database))
        connection.execute(SQL("GRANT TEMPORARY ON DATABASE {} TO PUBLIC").format(database))
        connection.execute(SQL("GRANT EXECUTE ON FUNCTION {} TO PUBLIC").format(SQL(functions)))
        try:
            yield
        finally:
            connection.execute(SQL("ALTER DATABASE {} OWNER TO {}").format(database, ours))
            connection.execute("DROP ROLE landlord")


def test_a_role_has_so_many_sessions_and_no_more(sold: Service):
    too_many = pytest.raises(psycopg.OperationalError, match="too many connections for role")
    words = ("--tenant", "default", "--connections", "1")
    with granted(sold, "bi_many", *words) as reader, psycopg.connect(reader), too_many:
        psycopg.connect(reader)


def test_no_view_shows_who_the_customer_is(sold: Service):
    with granted(sold, "bi_private") as reader:
        seen = [str(row) for table in REPORT_TABLES for row in rows(reader, f"SELECT * FROM {table.name}")]
    assert any("shop/of-default" in row for row in seen)
    for personal in ("Ann Example", "ann@example.org", "1234567", "Elm Street", "Berlin", "10115"):
        assert not any(personal in row for row in seen), personal


def test_a_rebuild_goes_on_under_a_role_that_reads(sold: Service):
    with granted(sold, "bi_rebuilt") as reader:
        before = rows(sold.dsn, "SELECT 'tenant_default.reporting_orders'::regclass::oid")
        with Client(sold.address) as client:
            client.admin.RebuildProjection(admin_pb2.RebuildProjectionRequest(name="reporting"))
        wait_for(lambda: rows(sold.dsn, "SELECT 'tenant_default.reporting_orders'::regclass::oid") != before, 30)
        assert rows(reader, "SELECT order_id FROM orders") == [("shop/of-default",)]


def test_a_password_is_shown_once_and_kept_by_granting_again(sold: Service, tmp_path: Path):
    said = reporting(sold, "grant", "bi_secret", "--tenant", "default")
    try:
        assert len(said.out.strip()) >= 24
        assert (
            f"bi_secret may read reporting_default, version {CONTRACT_VERSION} of the contract, and nothing else."
            in said.told
        )
        kept = rows(sold.dsn, "SELECT rolpassword FROM pg_authid WHERE rolname = 'bi_secret'")
        assert str(kept[0][0]).startswith("SCRAM-SHA-256")
        assert reporting(sold, "grant", "bi_secret", "--tenant", "default").out == ""
        assert rows(sold.dsn, "SELECT rolpassword FROM pg_authid WHERE rolname = 'bi_secret'") == kept
        file = tmp_path / "password"
        file.write_text("correct horse battery\n")
        assert reporting(sold, "grant", "bi_secret", "--tenant", "default", "--password-file", str(file)).out == ""
        assert rows(sold.dsn, "SELECT rolpassword FROM pg_authid WHERE rolname = 'bi_secret'") != kept
    finally:
        reporting(sold, "revoke", "bi_secret")


def test_the_list_names_roles_their_limits_and_the_version(sold: Service):
    assert "Nobody may read" in reporting(sold, "list").out
    with granted(sold, "bi_listed"):
        said = reporting(sold, "list").out
        assert "bi_listed  reads reporting_default; 4 sessions at most; " in said
        assert "statement_timeout=300s" in said
        assert f"reporting_default  The contract for reporting, version {CONTRACT_VERSION}:" in said


def test_a_revoked_role_is_gone_with_its_sessions(sold: Service):
    with granted(sold, "bi_gone") as reader, psycopg.connect(reader) as held:
        reporting(sold, "revoke", "bi_gone")
        with pytest.raises(psycopg.OperationalError):
            held.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            psycopg.connect(reader)


class LateOrderRow(NamedTuple):
    """One row for each order that is late."""

    order_id: Annotated[str, Means("The order.")]
    is_late: Annotated[bool, Means("Whether it is.")]


@contextmanager
def newer_contract(service: Service, source: str) -> Iterator[None]:
    """A version of the contract with one table more, as long as it lasts."""
    more = shown("late_orders", LateOrderRow, 1, "reporting", source)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(views, "REPORT_TABLES", [*REPORT_TABLES, more])
        patched.setattr(views, "CONTRACT_VERSION", CONTRACT_VERSION + 1)
        try:
            yield
        finally:
            with psycopg.connect(service.dsn) as connection:
                connection.execute("DROP VIEW IF EXISTS reporting_default.late_orders")
                connection.execute("COMMENT ON SCHEMA reporting_default IS 'version 0: begun anew'")


def test_after_an_upgrade_new_views_are_there_and_read_by_all_who_read_the_others(sold: Service):
    with (
        granted(sold, "bi_stays") as reader,
        granted(sold, "bi_other", "--tenant", "second") as other,
        newer_contract(sold, "{schema}.reporting_orders AS t"),
        server_on(sold.dsn, sold.data),
    ):
        query = "SELECT order_id FROM reporting_default.late_orders"
        assert wait_for(lambda: _rows_if_there(reader, query)) == [("shop/of-default",)]
        said = "SELECT obj_description('reporting_default'::regnamespace)"
        assert f"version {CONTRACT_VERSION + 1}:" in rows(sold.dsn, said)[0][0]
        with pytest.raises(errors.InsufficientPrivilege):
            rows(other, query)


def _rows_if_there(conninfo: str, query: str) -> list[tuple[Any, ...]]:
    try:
        return rows(conninfo, query)
    except (errors.UndefinedTable, errors.InsufficientPrivilege):
        return []


def test_views_wait_for_their_read_models_and_for_readers(sold: Service):
    """And those of a newer version are left alone."""

    async def tick() -> timedelta:
        async with open_pool(sold.dsn) as pool:
            return await ReportingViews(Tenants(pool)).tick("default")

    with granted(sold, "bi_waits") as reader, newer_contract(sold, "{schema}.reporting_future AS t"):
        assert asyncio.run(tick()) < REST
        with psycopg.connect(reader) as held, psycopg.connect(sold.dsn, autocommit=True) as connection:
            held.execute("SELECT 1 FROM orders")
            connection.execute(
                "CREATE TABLE tenant_default.reporting_future (order_id text, is_late bool, position int)"
            )
            assert asyncio.run(tick()) < REST
        assert asyncio.run(tick()) == REST
        assert rows(reader, "SELECT order_id FROM late_orders") == []
        with pytest.MonkeyPatch.context() as older:
            older.setattr(views, "CONTRACT_VERSION", CONTRACT_VERSION)
            older.setattr(views, "statements", lambda _: pytest.fail("a newer version is not undone"))
            assert asyncio.run(tick()) == REST
        with psycopg.connect(sold.dsn) as connection:
            connection.execute("DROP TABLE tenant_default.reporting_future CASCADE")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("grant", "postgres", "--tenant", "default"), "was not made for reporting"),
        (("grant", "BI", "--tenant", "default"), "is no name for a role"),
        (("grant", "bi_x", "--tenant", "nobody"), "there is no tenant nobody .* there are default, second"),
        (("grant", "bi_x", "--tenant", "default", "--password-file", "/dev/null"), "is no password"),
        (("revoke", "bi_x"), "there is no role bi_x"),
        (("revoke", "postgres"), "was not made for reporting"),
    ],
)
def test_what_cannot_be_done_changes_nothing_and_says_why(sold: Service, words: tuple[str, ...], says: str):
    with pytest.raises(ReportingFailed, match=says):
        reporting(sold, *words)
    assert rows(sold.dsn, "SELECT 1 FROM pg_roles WHERE rolname = 'bi_x'") == []
