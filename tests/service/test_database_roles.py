"""Two roles of the database: the owner makes the tables, and the service runs as one that can change no fact."""

from __future__ import annotations

import asyncio
import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from adapters.database import public_functions, reporting_roles
from adapters.database import roles as database_roles
from adapters.database.postgres import open_pool
from adapters.database.problems import StartFailed
from adapters.database.reporting_roles import ReportingFailed
from adapters.database.reporting_views import ReportingViews
from adapters.database.roles import RIGHTS
from adapters.tenants import Tenants
from fulfilment.failures import failure
from fulfilment.v1 import admin_pb2
from tests.support.service import Client, Service, serving
from tests.support.waiting import wait_for


class Roles(NamedTuple):
    """A database, and two roles in it."""

    owner: str
    runs: str
    dsn: str
    """As the owner."""

    @property
    def dsn_to_run(self) -> str:
        return make_conninfo(self.dsn, user=self.runs)


@pytest.fixture(scope="module")
def roles(conninfo: str) -> Iterator[Roles]:
    with _roles(conninfo) as roles:
        yield roles


@contextmanager
def _roles(conninfo: str) -> Iterator[Roles]:
    """A role that may make schemas and one that may make nothing."""
    suffix = os.urandom(4).hex()
    owner, runs = f"owner_{suffix}", f"runs_{suffix}"
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for each in (owner, runs):
            connection.execute(SQL("CREATE ROLE {} LOGIN").format(Identifier(each)))
        connection.execute(SQL("CREATE DATABASE {} OWNER {}").format(Identifier(owner), Identifier(owner)))
        yield Roles(owner, runs, make_conninfo(conninfo, user=owner, dbname=owner))
        connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(owner)))
        for each in (owner, runs):
            connection.execute(SQL("DROP ROLE {}").format(Identifier(each)))


@pytest.fixture(scope="module")
def service(roles: Roles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that runs as a role that owns none of the tables."""
    database_roles.main(["--dsn", roles.dsn, "--grant", roles.runs, "--tenant", "second"])
    folder: Path = tmp_path_factory.mktemp("roles")
    with serving(folder, "--dsn", roles.dsn_to_run) as service:
        yield service


def rows(dsn: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(SQL(statement))
        return cursor.fetchall() if cursor.description else []


def rebuilt(client: Client, name: str = "tracking") -> str:
    """How the rebuild of a read model ended; empty until then."""
    found = client.admin.GetStatus(admin_pb2.GetStatusRequest()).projections
    (result,) = (each.rebuild for each in found if each.name == name)
    return result if result.startswith(("rebuilt", "failed")) else ""


def test_the_service_does_all_of_its_work_as_the_role_that_runs(service: Service) -> None:
    with Client(service.address) as client:
        client.approve()
        client.feed(5)
        placed = client.place("1001")
        client.read_up_to(placed.position)
        client.admin.RebuildProjection(admin_pb2.RebuildProjectionRequest(name="tracking"))
        assert wait_for(lambda: rebuilt(client)).startswith("rebuilt")
        erased = client.admin.ErasePerson(admin_pb2.ErasePersonRequest(order_id="shop/1001", even_if_open=True))
        assert erased.keys_destroyed > 0
    with Client(service.address, tenant="second") as second:
        second.approve()


def test_the_role_that_runs_renews_the_views_for_reporting(service: Service, roles: Roles, conninfo: str) -> None:
    by_superuser = ("--dsn", make_conninfo(conninfo, dbname=roles.owner))
    reader = f"reads_{roles.owner}"
    reporting_roles.main(["grant", reader, "--tenant", "default", *by_superuser])
    try:
        with Client(service.address) as client:
            placed = client.place("1002")
            client.read_up_to(placed.position)
            client.admin.RebuildProjection(admin_pb2.RebuildProjectionRequest(name="reporting"))
            assert wait_for(lambda: rebuilt(client, "reporting")).startswith("rebuilt")
        asked = "SELECT count(*) FROM orders WHERE order_id = 'shop/1002'"
        assert rows(make_conninfo(roles.dsn, user=reader), asked) == [(1,)]
        as_before_an_upgrade = "DROP VIEW messages; COMMENT ON SCHEMA reporting_default IS 'version 0: of before'"
        rows(by_superuser[1], f"SET search_path = reporting_default; {as_before_an_upgrade}")
        asyncio.run(_renew_views(roles.dsn_to_run))
        may_make = "SELECT has_database_privilege(%s, current_database(), 'TEMPORARY')"
        able = {name: rows(roles.dsn, may_make % f"'{name}'") for name in (reader, roles.runs)}
        assert able == {reader: [(False,)], roles.runs: [(True,)]}, "it checks read models in temporary tables"
        with Client(service.address) as client:
            client.place("1003")  # under the tenant's lock, which others may not take any more
        for locking in ("SELECT pg_advisory_lock(1)", "SELECT pg_try_advisory_xact_lock(1)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="advisory"):
                rows(make_conninfo(roles.dsn, user=reader), locking)
        assert rows(make_conninfo(roles.dsn, user=reader), "SELECT count(*) >= 0 FROM messages") == [(True,)]
        with pytest.raises(ReportingFailed, match="name a role with --dsn that may make roles"):
            reporting_roles.main(["grant", "another", "--tenant", "default", "--dsn", roles.dsn])
    finally:
        reporting_roles.main(["revoke", reader, *by_superuser])


def test_who_is_no_superuser_is_told_how_one_takes_locks_from_everybody(
    service: Service, roles: Roles, conninfo: str
) -> None:
    with Client(service.address) as client:
        client.read_up_to(client.place("1005").position)  # there are read models to let somebody read
    of_superuser, reader = make_conninfo(conninfo, dbname=roles.owner), f"locks_{roles.owner}"
    granting = ("grant", reader, "--tenant", "default", "--dsn", roles.dsn)
    rows(of_superuser, f"GRANT EXECUTE ON FUNCTION {_functions(of_superuser)} TO PUBLIC")
    rows(of_superuser, f"ALTER ROLE {roles.owner} CREATEROLE; GRANT {roles.runs} TO {roles.owner}")
    try:
        statements = _told_about_locks(*granting)
        assert rows(make_conninfo(roles.dsn, user=reader), _TRY_LOCK) == [(True,)]
        rows(of_superuser, statements)
        assert _told_about_locks(*granting) == ""
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="advisory"):
            rows(make_conninfo(roles.dsn, user=reader), _TRY_LOCK)
        with Client(service.address) as client:
            client.place("1004")
    finally:
        reporting_roles.main(["revoke", reader, "--dsn", of_superuser])
        rows(of_superuser, f"ALTER ROLE {roles.owner} NOCREATEROLE; REVOKE {roles.runs} FROM {roles.owner}")


def test_a_role_that_is_let_in_later_takes_locks_or_a_superuser_is_asked_to_let_it(conninfo: str) -> None:
    with _roles(conninfo) as roles:
        of_superuser, letting_in = make_conninfo(conninfo, dbname=roles.owner), ["--dsn", roles.dsn]
        database_roles.main(letting_in)
        with psycopg.connect(of_superuser) as connection:
            public_functions.keep(connection, is_ours=True)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="advisory"):
            rows(roles.dsn_to_run, _TRY_LOCK)
        letting_in += ["--grant", roles.runs]
        database_roles.main(letting_in)
        assert rows(roles.dsn_to_run, _TRY_LOCK) == [(True,)]
        no_further = (
            f"REVOKE GRANT OPTION FOR EXECUTE ON FUNCTION {_functions(of_superuser)} FROM {roles.owner} CASCADE"
        )
        rows(of_superuser, no_further)
        with pytest.raises(StartFailed, match=r"as a superuser run .*: GRANT EXECUTE ON FUNCTION ") as refused:
            database_roles.main(letting_in)
        rows(of_superuser, str(refused.value).partition("then this again: ")[2])
        database_roles.main(letting_in)
        assert rows(roles.dsn_to_run, _TRY_LOCK) == [(True,)]


_TRY_LOCK = "SELECT pg_try_advisory_xact_lock(1)"


def _functions(dsn: str) -> str:
    query = "SELECT string_agg(oid::regprocedure::text, ', ') FROM pg_proc WHERE proname ~ 'advisory.*_lock'"
    return str(rows(dsn, query)[0][0])


def _told_about_locks(*words: str) -> str:
    """The statements that a superuser is asked to run."""
    told = io.StringIO()
    with redirect_stderr(told), redirect_stdout(io.StringIO()):
        reporting_roles.main(words)
    return "".join(re.findall(r"may take advisory locks.*?(GRANT EXECUTE .*;)", told.getvalue()))


async def _renew_views(dsn: str) -> None:
    async with open_pool(dsn) as pool:
        await ReportingViews(Tenants(pool)).tick("default")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tenant_default.ledger_events SET topic = 'x'",
        "DELETE FROM tenant_default.ledger_events",
        "TRUNCATE tenant_default.ledger_events",
        "UPDATE tenant_default.ledger_commands SET refusal = NULL",
        "DELETE FROM tenant_default.ledger_commands",
        "DELETE FROM tenant_default.ledger_keys",
        "UPDATE tenant_default.ledger_schema SET version = 0",
        "DROP TABLE tenant_default.ledger_events",
        "ALTER TABLE tenant_default.ledger_events DISABLE TRIGGER ALL",
        "UPDATE fulfilment.tenants SET name = 'x'",
        "CREATE SCHEMA another",
    ],
)
def test_the_role_that_runs_can_change_no_fact_and_no_outcome(service: Service, roles: Roles, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        rows(roles.dsn_to_run, statement)


def test_a_tenant_is_made_by_the_owner_and_known_at_once(service: Service, roles: Roles) -> None:
    with Client(service.address) as client:
        with pytest.raises(grpc.RpcError) as refused:
            client.admin.CreateTenant(admin_pb2.CreateTenantRequest(tenant="third"))
        told = failure(refused.value)
        assert told.reason == "NOT_THE_OWNER"
        assert "server.py migrate --dsn OWNER --grant ROLE --tenant third" in told.message
        database_roles.main(["--dsn", roles.dsn, "--grant", roles.runs, "--tenant", "third"])
        client.admin.CreateTenant(admin_pb2.CreateTenantRequest(tenant="third"))  # it exists: nothing is made
    with Client(service.address, tenant="third") as third:
        third.approve()


def test_each_table_of_the_ledger_says_what_the_role_that_runs_may(service: Service, roles: Roles) -> None:
    made = rows(
        roles.dsn,
        """
        SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = to_regnamespace('fulfilment')
            OR relkind = 'r' AND relnamespace = to_regnamespace('tenant_second') AND relname LIKE 'ledger%'
        """,
    )
    assert {name for (name,) in made} == RIGHTS.keys()


def test_a_role_that_is_not_there_is_named_with_what_to_run(roles: Roles) -> None:
    with pytest.raises(StartFailed, match='role "nobody" does not exist; make it first: CREATE ROLE nobody LOGIN'):
        database_roles.main(["--dsn", roles.dsn, "--grant", "nobody"])
