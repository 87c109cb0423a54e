"""Exports read from a real standby: never ahead of it, told how far it is behind, and refused while it is away."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx2
import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Composed

from adapters.console.reports import export
from adapters.database import replica as replicas
from adapters.database.dsn import DatabaseTls
from adapters.database.problems import StartFailed
from adapters.database.replica import Replica
from adapters.metrics import copies
from adapters.process.options import options
from adapters.process.others import told_beside
from adapters.rpc import exports, queries
from fulfilment.v1 import admin_pb2, common_pb2, doctor_pb2, exports_pb2
from projections import PROJECTIONS
from projections.reporting import ReportTable
from projections.reporting.exporting import copy_of
from tests.support.figures import Figures, read
from tests.support.hosting import a_database, listening_on, server_on
from tests.support.projecting import projector
from tests.support.service import Client, reason_of
from tests.support.standby import Machine, Pair, pair
from tests.support.terminal import Console
from tests.support.waiting import wait_for

READ_NOT_FOR_LONG = "max_standby_streaming_delay = 100ms\n"


class Followed(Client):
    """A service whose exports are read from a standby."""

    address: str
    metrics_port: int
    standby: Machine
    primary: Machine


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pair(tmp_path_factory.mktemp("both")) as made:
        made.primary.configure()  # commands do not wait for it
        yield made


@pytest.fixture(scope="module")
def followed(both: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    dsn, data = both.primary.conninfo, tmp_path_factory.mktemp("data")
    options = ("--reporting-dsn", both.standby.conninfo, "--outbox", "off")  # nothing is recorded but what is asked
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(copies, "LOOK_SECONDS", 0.2)
        yield from _followed(both, dsn, data, *options, "--metrics", "0")


def _followed(both: Pair, dsn: str, data: Path, *options: str) -> Iterator[Followed]:
    with projector(dsn), listening_on(dsn, data, *options) as listening:
        address = f"127.0.0.1:{listening.port}"
        with Followed(address) as client:
            client.address, client.primary, client.standby = address, both.primary, both.standby
            client.metrics_port = listening.metrics_port or 0
            client.approve()
            client.place("first")
            yield client


def head_of(machine: Machine) -> int:
    """Up to where a server has all the read models: one that is new there is at no position yet."""
    wanted = ", ".join(f"('{each.name}')" for each in PROJECTIONS)
    query = f"""
        SELECT min(coalesce(notification_id, 0)) FROM (VALUES {wanted}) AS wanted (name)
            LEFT JOIN tenant_default.ledger_tracking ON application_name = wanted.name
    """
    return int(machine.ask(query) or 0)


def caught_up(client: Followed, *, also_standby: bool = True) -> int:
    """The head of the log, once the read models are there."""
    position = client.admin.GetStatus(admin_pb2.GetStatusRequest()).position
    client.read_up_to(position)
    if also_standby:
        wait_for(lambda: head_of(client.standby) >= position)
    return position


def exported(client: Client, *tables: str, **asked: Any) -> list[exports_pb2.ExportTablesResponse]:
    wanted = [exports_pb2.TableToExport(table=each) for each in tables or ("orders",)]
    request = exports_pb2.ExportTablesRequest(tables=wanted, **asked)
    return list(client.exports.ExportTables(request, timeout=30))


def refusal(ask: Callable[[], Any]) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        ask()
    return caught.value


@contextmanager
def standing_still(standby: Machine) -> Iterator[None]:
    """It takes what is recorded and does not show it."""
    standby.ask("SELECT pg_wal_replay_pause()")
    wait_for(lambda: standby.ask("SELECT pg_get_wal_replay_pause_state()") == "paused")
    try:
        yield
    finally:
        standby.ask("SELECT pg_wal_replay_resume()")


def test_an_export_is_of_what_the_replica_has_and_tells_how_far_that_is_behind(
    followed: Followed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    before = caught_up(followed)
    (rows, end) = exported(followed)
    assert (rows.position, rows.facts_behind, rows.seconds_behind) == (before, 0, 0)
    with standing_still(followed.standby):
        followed.place("second")
        head = caught_up(followed, also_standby=False)
        (rows, end) = exported(followed)
        assert (rows.position, end.position, rows.row_count) == (before, before, 1)
        assert rows.facts_behind == end.facts_behind == head - before > 0
        monkeypatch.setattr(queries, "PATIENCE_SECONDS", 0.1)
        behind = refusal(lambda: exported(followed, at_least=head))
        assert reason_of(behind) == "PROJECTION_BEHIND"
        beyond = refusal(lambda: exported(followed, at_least=head + 1000))
        assert reason_of(beyond) == "BEYOND_THE_LOG"
        monkeypatch.setattr(export, "_WORTH_SAYING_SECONDS", 0)
        said = Console(followed.address)("export", "orders", "--to", str(tmp_path), "--format", "csv")
        assert (said.code, f"That is {head - before} facts behind the ledger" in said.out) == (0, True)
    assert caught_up(followed) == head
    assert sum(each.row_count for each in exported(followed)) == 2


def figures_of(client: Followed) -> Figures:
    """Those of the replica, by their names without that."""
    found = read(httpx2.get(f"http://127.0.0.1:{client.metrics_port}/metrics").text)
    tenant = '{tenant="default"}'
    begin = "fulfilment_replica_"
    return {name.removeprefix(begin).removesuffix(tenant): found[name] for name in found if name.startswith(begin)}


def test_figures_tell_how_far_it_is_behind_and_whether_it_answers(followed: Followed):
    whole = {"answers": 1, "lag_facts": 0, "lag_seconds": 0}
    before = caught_up(followed)
    wait_for(lambda: figures_of(followed) == whole)
    with standing_still(followed.standby):
        followed.place("counted")
        behind = caught_up(followed, also_standby=False) - before
        found = wait_for(lambda: found if (found := figures_of(followed)).get("lag_facts") == behind else None)
        assert found["answers"] == 1
        assert wait_for(lambda: figures_of(followed).get("lag_seconds", 0) > found["lag_seconds"])
    wait_for(lambda: figures_of(followed) == whole)
    followed.standby.stop()
    try:
        wait_for(lambda: figures_of(followed) == {"answers": 0})
    finally:
        followed.standby.start()
    wait_for(lambda: figures_of(followed) == whole)


def test_one_that_is_too_far_behind_is_not_read(followed: Followed, monkeypatch: pytest.MonkeyPatch):
    caught_up(followed)
    monkeypatch.setattr(replicas, "MOST_BEHIND_SECONDS", 0.0)
    assert exported(followed)
    with standing_still(followed.standby):
        followed.place("too-new")
        why = refusal(lambda: exported(followed))
    assert (why.code(), reason_of(why)) == (grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE")
    assert "its replica for exports is" in (why.details() or "")


def test_an_export_that_keeps_the_replica_from_following_is_ended_and_told_so(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
):
    caught_up(followed)
    followed.standby.configure(READ_NOT_FOR_LONG)
    wait_for(lambda: followed.standby.ask("SHOW max_standby_streaming_delay") == "100ms")

    def sleeps(*_: Any) -> Composed:
        with psycopg.connect(followed.primary.conninfo) as connection:  # as the swap of a rebuild does
            connection.execute("LOCK TABLE tenant_default.reporting_orders IN ACCESS EXCLUSIVE MODE")
        return SQL("COPY (SELECT pg_sleep(60)::text) TO STDOUT").format()

    with monkeypatch.context() as slow:
        slow.setattr(exports, "copy_of", sleeps)
        why = refusal(lambda: exported(followed))
    assert (why.code(), reason_of(why)) == (grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE")
    assert "to keep up with the primary, which max_standby_streaming_delay" in (why.details() or "")
    followed.standby.configure()
    assert exported(followed)


@contextmanager
def ended_after_rows(followed: Followed, times: int) -> Iterator[list[str]]:
    """That often the replica ends an export when it has told a table: what it still reads is locked on the primary."""
    asked: list[str] = []

    def conflicts(table: ReportTable, *words: Any) -> Composed:
        asked.append(table.name)
        if table.name != "suppliers" or asked.count(table.name) > times:
            return copy_of(table, *words)
        with psycopg.connect(followed.primary.conninfo) as connection:
            connection.execute("LOCK TABLE tenant_default.reporting_orders IN ACCESS EXCLUSIVE MODE")
        return SQL("COPY (SELECT pg_sleep(60)::text) TO STDOUT").format()

    followed.standby.configure(READ_NOT_FOR_LONG)
    wait_for(lambda: followed.standby.ask("SHOW max_standby_streaming_delay") == "100ms")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(exports, "copy_of", conflicts)
        patched.setattr(export, "_PAUSES", (0, 0))
        yield asked
    followed.standby.configure()


def test_the_console_begins_an_export_anew_that_the_replica_ended(followed: Followed, tmp_path: Path):
    caught_up(followed)
    words = ("export", "orders", "suppliers", "--to", str(tmp_path), "--format", "csv")
    with ended_after_rows(followed, times=2) as asked:
        said = Console(followed.address)(*words)
    assert (said.code, said.err.count("to keep up with the primary")) == (0, 2), said.err
    assert said.err.count("it begins anew") == 2
    assert [asked.count(each) for each in ("orders", "suppliers")] == [3, 3]
    listed = json.loads((tmp_path / "manifest.json").read_text())["tables"]
    for table in ("orders", "suppliers"):
        (file,) = listed[table]["files"]
        rows = list(csv.DictReader((tmp_path / file["file"]).open()))
        assert len(rows) == file["rows"] == sum(each.row_count for each in exported(followed, table)) > 0
    assert "Nothing to write" in Console(followed.address)(*words).out


def test_one_that_is_ended_again_and_again_is_given_up_and_changes_nothing(followed: Followed, tmp_path: Path):
    words = ("export", "orders", "suppliers", "--to", str(tmp_path), "--format", "csv")
    with ended_after_rows(followed, times=9) as asked:
        said = Console(followed.address)(*words)
    assert (said.code, asked.count("suppliers")) == (3, 3)
    assert "to keep up with the primary" in said.err
    assert not (tmp_path / "manifest.json").exists()
    assert not list(tmp_path.rglob("*.csv"))


def replica_s(client: Client) -> doctor_pb2.Finding:
    found = client.admin.Diagnose(doctor_pb2.DiagnoseRequest()).findings
    return next(each for each in found if each.check == "replica")


def test_while_it_is_away_exports_are_refused_and_commands_and_the_past_are_not(followed: Followed):
    caught_up(followed)
    assert (replica_s(followed).level, replica_s(followed).found) == (
        doctor_pb2.FINDING_LEVEL_OK,
        "it has all that is recorded",
    )
    followed.standby.stop()
    try:
        why = refusal(lambda: exported(followed))
        assert (why.code(), reason_of(why)) == (grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE")
        assert "replica for exports" in (why.details() or "")
        assert replica_s(followed).level == doctor_pb2.FINDING_LEVEL_FAILS
        position = followed.place("meanwhile").position
        past = common_pb2.AsOf(position=position)
        assert wait_for(lambda: _if_ready(lambda: exported(followed, as_of=past)))
    finally:
        followed.standby.start()
    caught_up(followed)
    assert exported(followed)


def _if_ready(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except grpc.RpcError as error:
        if reason_of(error) != "PROJECTION_BEHIND":
            raise


def test_another_ledger_of_the_same_name_is_no_replica(embedded: str, tmp_path: Path):
    with (
        a_database(embedded) as dsn,
        a_database(embedded) as other,
        server_on(other, tmp_path / "other"),
        projector(dsn),
        server_on(dsn, tmp_path / "data", "--reporting-dsn", other) as port,
        Client(f"127.0.0.1:{port}") as client,
    ):
        with psycopg.connect(other) as connection:
            connection.execute("UPDATE fulfilment.tenants SET created_at = created_at + interval '1 second'")
        assert "has another of its name" in (refusal(lambda: exported(client)).details() or "")
        with psycopg.connect(other) as connection:
            connection.execute("DROP SCHEMA tenant_default CASCADE")
        assert "has no such ledger" in (refusal(lambda: exported(client)).details() or "")


def test_one_that_is_away_keeps_nobody_from_starting_and_one_that_is_wrong_does(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    nowhere = make_conninfo(host=str(tmp_path), dbname="none", user="none")
    with caplog.at_level(logging.WARNING):
        Replica(nowhere, DatabaseTls.VERIFIED).look()
    assert "exports are refused until the replica of --reporting-dsn answers" in caplog.text
    for wrong in ("host=db.example.org dbname=ledger", "no dsn at all"):
        with pytest.raises(StartFailed):
            Replica(wrong, DatabaseTls.VERIFIED).look()


def test_the_edges_are_told_which_replica_it_is():
    chosen = options(["--reporting-dsn", "host=db2", "--database-tls", "any"])
    told = told_beside("edge", chosen)
    assert (told["FULFILMENT_REPORTING_DSN"], told["FULFILMENT_DATABASE_TLS"]) == ("host=db2", "any")
