"""Tables for reporting as files and as a stream: all of one moment, then what changed, and nothing half done."""

from __future__ import annotations

import asyncio
import csv
import gc
import hashlib
import json
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import grpc
import psycopg
import pytest
from pyarrow import parquet

from adapters.console.reports import export
from adapters.export_files import manifest as manifests
from adapters.rpc import exports
from fulfilment.v1 import admin_pb2, common_pb2, exports_pb2, orders_pb2
from projections.reporting import REPORT_TABLES, ReportTable
from projections.reporting.exporting import copy_of
from projections.reporting.views import CONTRACT_VERSION
from tests.support.service import Client, Service, context, fields_of, reason_of, refused
from tests.support.terminal import Console
from tests.support.trading import Trade
from tests.support.waiting import wait_for

NAMES = [each.name for each in REPORT_TABLES]
_NO_LAG = SimpleNamespace(facts=0, seconds=0.0)


@pytest.fixture(scope="module")
def trade(client: Client) -> Trade:
    """A client with some orders, one of them on its way."""
    trade = Trade(client)
    trade.sent()
    trade.placed()
    return trade


@pytest.fixture
def ff(service: Service) -> Console:
    return Console(service.address)


def caught_up(client: Client) -> int:
    """The head of the log, once all read models have it."""

    def position() -> int:
        status = client.admin.GetStatus(admin_pb2.GetStatusRequest())
        return status.position if all(each.position == status.position for each in status.projections) else 0

    found: int = wait_for(position)
    return found


def streamed(client: Client, **asked: Any) -> list[exports_pb2.ExportTablesResponse]:
    return list(client.exports.ExportTables(exports_pb2.ExportTablesRequest(**asked), timeout=60))


def rows_of(answers: list[exports_pb2.ExportTablesResponse], table: str) -> list[dict[str, Any]]:
    """Of a stream of lines of JSON."""
    lines = b"".join(each.rows for each in answers if each.table == table).splitlines()
    return [json.loads(line) for line in lines]


def wanted(*names: str, after: int = 0) -> dict[str, Any]:
    tables = [exports_pb2.TableToExport(table=name, after=after) for name in names]
    return {"tables": tables, "encoding": exports_pb2.ROW_ENCODING_JSON_LINES}


def manifest_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return found


def lines_of(folder: Path, table: str) -> list[dict[str, Any]]:
    """The rows of all files of a table, in the order of the manifest."""
    files = manifest_of(folder)["tables"][table]["files"]
    return [json.loads(line) for each in files for line in (folder / each["file"]).read_text().splitlines()]


# --- the stream -----------------------------------------------------------------------------------


def test_the_tables_are_those_of_the_contract_with_what_each_column_means(client: Client):
    answer = client.exports.ListReportTables(exports_pb2.ListReportTablesRequest())
    assert answer.contract_version == CONTRACT_VERSION
    assert [each.table for each in answer.tables] == NAMES
    told = {each.table: each for each in answer.tables}
    orders = {each.column: each for each in told["orders"].columns}
    assert (orders["placed_at"].type, orders["placed_at"].nullable) == ("timestamptz", False)
    assert orders["units"].unit == "units"
    assert (list(told["order_lines"].key), told["order_lines"].always_whole) == (["order_id", "line_no"], False)
    assert [name for name, each in told.items() if each.always_whole] == ["rate_days", "rate_windows", "progress"]


def test_a_stream_has_every_table_in_its_order_and_says_where_each_ends(client: Client, trade: Trade):
    head = caught_up(client)
    answers = streamed(client)
    assert [each.table for each in answers if each.table_ends] == NAMES
    ((position, version),) = {(each.position, each.contract_version) for each in answers}
    assert (position >= head, version) == (True, CONTRACT_VERSION)
    assert not any(each.rows for each in answers if each.table_ends)
    (orders,) = (each for each in answers if each.table == "orders" and each.rows)
    assert len([*csv.reader(orders.rows.decode().splitlines())]) == orders.row_count >= 2


def test_what_changed_after_a_position_comes_alone_and_what_went_as_its_key(client: Client, trade: Trade):
    order_id = trade.placed()
    place = orders_pb2.PlaceHoldRequest(
        context=context(), order_id=order_id, reason=orders_pb2.HOLD_REASON_FRAUD_REVIEW, owner="mia"
    )
    client.orders.PlaceHold(place)
    before = caught_up(client)
    first = streamed(client, **wanted("orders", "holds", "gone"))
    assert order_id in [each["order_id"] for each in rows_of(first, "holds")]
    release = orders_pb2.ReleaseHoldRequest(
        context=context(), order_id=order_id, reason=orders_pb2.HOLD_REASON_FRAUD_REVIEW
    )
    client.orders.ReleaseHold(release)
    head = caught_up(client)
    later = streamed(client, **wanted("orders", "holds", "gone", after=before))
    assert [each["order_id"] for each in rows_of(later, "orders")] == [order_id]
    assert order_id not in [each["order_id"] for each in rows_of(later, "holds")]
    (went,) = (each for each in rows_of(later, "gone") if each["table_name"] == "holds")
    assert json.loads(went["key"])[0] == order_id
    assert streamed(client, **wanted("orders", "holds", "gone", after=head))[0].table_ends


def test_two_exports_while_commands_go_on_are_each_of_one_moment(client: Client, trade: Trade):
    stop = threading.Event()

    def go_on() -> None:
        while not stop.is_set():
            trade.placed()

    writing = threading.Thread(target=go_on)
    writing.start()
    try:
        streams = [client.exports.ExportTables(exports_pb2.ExportTablesRequest(**wanted(*NAMES))) for _ in range(2)]
        begun = [[next(each)] for each in streams]
        found = [[*first, *rest] for first, rest in zip(begun, streams, strict=True)]
    finally:
        stop.set()
        writing.join()
    for answers in found:
        orders = {each["order_id"]: each["lines"] for each in rows_of(answers, "orders")}
        lines = [each["order_id"] for each in rows_of(answers, "order_lines")]
        assert {name: lines.count(name) for name in orders} == orders
        assert set(lines) == set(orders)
        assert {each["position"] for each in rows_of(answers, "progress")} >= {answers[0].position}


def test_what_cannot_be_asked_for_is_refused_with_its_field(client: Client):
    def ask(request: exports_pb2.ExportTablesRequest) -> Any:
        return list(client.exports.ExportTables(request))

    unknown = refused(ask, exports_pb2.ExportTablesRequest(**wanted("orders", "nothing")))
    assert fields_of(unknown) == ["tables[1].table"]
    assert "supplier_orders" in str(unknown.details())
    twice = refused(ask, exports_pb2.ExportTablesRequest(**wanted("orders", "orders")))
    assert fields_of(twice) == ["tables[1].table"]
    below = refused(ask, exports_pb2.ExportTablesRequest(**wanted("orders", after=-1)))
    assert fields_of(below) == ["tables[0].after"]
    far = refused(ask, exports_pb2.ExportTablesRequest(**wanted("orders", after=10**9)))
    assert reason_of(far) == "BEYOND_THE_LOG"
    strange = refused(ask, exports_pb2.ExportTablesRequest.FromString(b"\x10\x09"))
    assert fields_of(strange) == ["encoding"]


def test_a_tenant_has_so_many_exports_at_once_and_one_that_nobody_reads_makes_room(
    client: Client, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(exports, "EXPORTS_OF_A_TENANT", 0)

    def ask(_: Any) -> Any:
        return streamed(client)

    error = refused(ask, None)
    assert reason_of(error) == "RATE_LIMITED"
    monkeypatch.undo()
    streams = [client.exports.ExportTables(exports_pb2.ExportTablesRequest()) for _ in range(2)]
    for each in streams:
        next(each)
        each.cancel()

    def again() -> bool:
        with suppress(grpc.RpcError):
            return bool(streamed(client))
        return False

    assert wait_for(again)


def test_a_reader_that_takes_nothing_for_too_long_keeps_the_database_no_longer(
    service: Service, client: Client, monkeypatch: pytest.MonkeyPatch
):
    fill = """INSERT INTO tenant_default.reporting_gone SELECT 'reporting_holds', repeat('x', 900) || n, 1
        FROM generate_series(1, 30000) AS n"""
    copies = """SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%COPY (%'"""
    monkeypatch.setattr(exports, "READER_SECONDS", 0.5)
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        connection.execute(fill)
        try:
            stream = client.exports.ExportTables(exports_pb2.ExportTablesRequest(**wanted("gone")), timeout=60)
            next(stream)
            assert connection.execute(copies).fetchall() == [(1,)]
            wait_for(lambda: connection.execute(copies).fetchall() == [(0,)])
            assert reason_of(refused(list, stream)) == "RATE_LIMITED"
        finally:
            connection.execute("DELETE FROM tenant_default.reporting_gone WHERE position = 1")


def test_an_export_takes_so_long_at_most(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exports, "EXPORT_SECONDS", 0.0)
    monkeypatch.setattr(exports, "SETTINGS", "SELECT 1 WHERE %(timeout)s <> ''")

    def ask(_: Any) -> Any:
        return streamed(client)

    assert "seconds for an export" in str(refused(ask, None).details())


def test_an_export_gives_way_while_commands_are_decided(monkeypatch: pytest.MonkeyPatch):
    pauses: list[float] = []
    shelf = SimpleNamespace(is_busy=False)
    served = SimpleNamespace(ledger=SimpleNamespace(book=SimpleNamespace(shelf=shelf)))
    queries = exports.ExportQueries(cast("Any", SimpleNamespace(closing=False, serving=[served])))

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def copied(copy: object) -> AsyncIterator[Any]:
        for shelf.is_busy in (False, True, True, False):
            yield SimpleNamespace(data=b"row", rows=1)

    async def rows() -> list[int]:
        found, copy, lag = (cast("Any", each) for each in (SimpleNamespace(copied=copied, position=7), None, _NO_LAG))
        return [each.row_count async for each in queries._table(found, copy, "orders", lag)]

    monkeypatch.setattr(exports, "asyncio", SimpleNamespace(sleep=sleep, get_running_loop=asyncio.get_running_loop))
    assert asyncio.run(rows()) == [1, 1, 1, 1, 0]
    assert len(pauses) == 2
    assert all(0 < each <= 1 for each in pauses)


# --- files ----------------------------------------------------------------------------------------


def test_every_table_becomes_a_parquet_file_with_its_types_also_when_it_is_empty(
    service: Service, client: Client, trade: Trade, ff: Console, tmp_path: Path
):
    head = caught_up(client)
    done = ff("export", "--to", str(tmp_path / "out"))
    assert done.code == 0, done.err
    found = manifest_of(tmp_path / "out")
    assert f"up to position {found['position']}" in done.out
    assert list(found["tables"]) == NAMES
    assert found["position"] >= head
    assert (found["contract"], found["format"], found["tenant"]) == (CONTRACT_VERSION, "parquet", "default")
    kinds = {"bigint": "int64", "integer": "int32", "smallint": "int16", "text": "string", "boolean": "bool"}
    kinds |= {"date": "date32[day]", "timestamptz": "timestamp[us, tz=UTC]"}
    for table in REPORT_TABLES:
        (listed,) = found["tables"][table.name]["files"]
        content = (tmp_path / "out" / listed["file"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (listed["bytes"], listed["sha256"])
        read = parquet.read_table(tmp_path / "out" / listed["file"], partitioning=None)
        assert read.num_rows == listed["rows"]
        assert [(each.name, str(each.type), each.nullable) for each in read.schema] == [
            (each.name, kinds[each.kind], each.may_be_null) for each in table.columns
        ]
        said = [each.metadata[b"description"].decode() for each in read.schema]
        assert said == [each.meaning for each in table.columns]
    assert not found["tables"]["refunds"]["files"][0]["rows"], "an empty one is among them"


def test_values_come_through_as_the_database_has_them(
    service: Service, client: Client, trade: Trade, ff: Console, tmp_path: Path
):
    caught_up(client)
    with psycopg.connect(service.dsn) as connection:
        (orders,) = (each for each in REPORT_TABLES if each.name == "orders")
        query = orders.query.format(schema="tenant_default") + " ORDER BY t.order_id"
        kept = connection.execute(query).fetchall()
    for format_ in ("parquet", "jsonl", "csv"):
        folder = tmp_path / format_
        assert ff("export", "orders", "--to", str(folder), "--format", format_).code == 0
    read = parquet.read_table(tmp_path / "parquet" / "orders").sort_by("order_id")
    assert [tuple(row.values()) for row in read.to_pylist()] == kept
    lines = sorted(lines_of(tmp_path / "jsonl", "orders"), key=lambda row: row["order_id"])
    assert [[_at(value) for value in row.values()] for row in lines] == [list(row) for row in kept]
    (file,) = (tmp_path / "csv" / "orders").iterdir()
    told = sorted(csv.DictReader(file.open(newline="")), key=lambda row: row["order_id"])
    assert list(told[0]) == [each.name for each in orders.columns]
    assert [datetime.fromisoformat(row["placed_at"]) for row in told] == [row["placed_at"] for row in read.to_pylist()]
    assert {value for row in told for value in row.values()} & {"true", "false"} <= {"true", "false"}


def _at(value: Any) -> Any:
    if isinstance(value, str):
        with suppress(ValueError):
            return datetime.fromisoformat(value).astimezone(UTC) if "T" in value else value
    return value


def test_a_nightly_job_goes_on_by_itself_and_may_be_repeated(client: Client, trade: Trade, ff: Console, tmp_path: Path):
    first = caught_up(client)
    job = ("export", "--to", str(tmp_path), "--format", "jsonl")
    assert ff(*job).code == 0
    order_id = trade.placed()
    second = caught_up(client)
    assert ff(*job).code == 0
    files = manifest_of(tmp_path)["tables"]["orders"]["files"]
    assert [each["after"] for each in files] == [0, files[0]["position"]]
    assert first <= files[0]["position"] < second <= files[1]["position"]
    assert [each["order_id"] for each in lines_of(tmp_path, "orders")][-1] == order_id
    assert files[1]["rows"] == 1
    assert len(manifest_of(tmp_path)["tables"]["suppliers"]["files"]) == 1, "nothing changed, so there is no file"
    assert len(manifest_of(tmp_path)["tables"]["progress"]["files"]) == 1, "it is always whole"
    again = ff(*job, "--json")
    assert (again.code, manifest_of(tmp_path)["tables"]["orders"]["files"]) == (0, files)
    assert again.json["position"] == manifest_of(tmp_path)["position"] >= second

    def left_all_as_it_was() -> bool:
        was = written(tmp_path)
        return bool(ff(*job).code == 0 and written(tmp_path) == was)

    wait_for(left_all_as_it_was, 20)  # once the outbox has written what it does beside this
    assert ff(*job, "--after", "0").code == 0
    (file,) = (tmp_path / "orders").iterdir()
    assert file.name.startswith(f"{0:012}-")
    assert len(lines_of(tmp_path, "orders")) == sum(each["rows"] for each in files)


def test_a_copy_that_takes_what_changed_and_drops_what_went_is_what_a_fresh_export_has(
    client: Client, trade: Trade, ff: Console, tmp_path: Path
):
    job = ("export", "--to", str(tmp_path / "copy"), "--format", "jsonl")
    assert ff(*job).code == 0
    held = trade.held(trade.placed())
    for step in (trade.shipped, trade.delivered, trade.granted, trade.filed, trade.cancelled, trade.closed_inquiry):
        step()
        caught_up(client)
        assert ff(*job).code == 0
    trade.send("ReleaseHold", order_id=held)
    trade.finished()
    trade.settled_in_part()
    caught_up(client)

    def both() -> bool:
        """At one position: the outbox writes beside this."""
        (tmp_path / "fresh" / "manifest.json").unlink(missing_ok=True)
        fresh = ff("export", "--to", str(tmp_path / "fresh"), "--format", "jsonl")
        return bool((fresh.code, ff(*job).code) == (0, 0) and position_of("copy") == position_of("fresh"))

    def position_of(name: str) -> int:
        return int(manifest_of(tmp_path / name)["position"])

    wait_for(both, 20)
    went = {(each["table_name"], each["key"]): each["position"] for each in lines_of(tmp_path / "copy", "gone")}
    for table in REPORT_TABLES:
        fresh = copy_of_rows(lines_of(tmp_path / "fresh", table.name), table, {})
        assert copy_of_rows(lines_of(tmp_path / "copy", table.name), table, went) == fresh, table.name
    assert any(name == "holds" for name, _ in went)
    assert any(len(each["files"]) > 3 for each in manifest_of(tmp_path / "copy")["tables"].values())


def copy_of_rows(
    rows: list[dict[str, Any]], table: ReportTable, went: dict[tuple[str, str], int]
) -> dict[str, dict[str, Any]]:
    """The last of each row but for what went after it, by its key."""
    found = {json.dumps([row[name] for name in table.key_columns], separators=(",", ":")): row for row in rows}
    named = "obligations" if table.name == "breaches" else table.name
    return {key: row for key, row in found.items() if row["position"] > went.get((named, key), 0)}


def test_tables_as_of_a_position_are_what_they_were(client: Client, trade: Trade, ff: Console, tmp_path: Path):
    then, past = tmp_path / "then", tmp_path / "past"
    trade.held(trade.placed())
    trade.shipped()
    export_when_quiet(ff, client, then)
    position = manifest_of(then)["position"]
    trade.delivered()
    trade.finished()
    caught_up(client)
    job = ("export", "--to", str(past), "--format", "jsonl")
    done = ff(*job, "--as-of", str(position))
    assert (done.code, manifest_of(past)["position"]) == (0, position), done.err
    for table in REPORT_TABLES:
        if table.name != "gone":  # which is where pages end
            found, known = (without_positions(lines_of(folder, table.name), table) for folder in (past, then))
            assert found == known, table.name
    assert ff(*job, "--as-of", str(position)).code == 0, "it can be repeated"
    assert "holds tables as they were at a moment" in ff(*job).err
    assert "holds tables as they are" in ff("export", "--to", str(then), "--as-of", str(position)).err
    assert "--after" in ff(*job, "--as-of", str(position), "--after", "1").err
    assert "BEYOND_THE_LOG" in ff(*job, "--as-of", str(10**9), "--json").err
    as_of = common_pb2.AsOf(position=position)
    beside = exports_pb2.ExportTablesRequest(**wanted("orders", after=1), as_of=as_of)
    assert fields_of(refused(lambda asked: list(client.exports.ExportTables(asked)), beside)) == ["as_of"]


def export_when_quiet(ff: Console, client: Client, folder: Path) -> None:
    """Once all read models stand at the head, which the outbox moves beside this."""

    def is_at_head() -> bool:
        (folder / "manifest.json").unlink(missing_ok=True)
        head = caught_up(client)
        done = ff("export", "--to", str(folder), "--format", "jsonl")
        return bool(done.code == 0 and head == manifest_of(folder)["position"] == caught_up(client))

    wait_for(is_at_head, 20)


def without_positions(rows: Iterable[dict[str, Any]], table: ReportTable) -> dict[str, dict[str, Any]]:
    """By their keys: where pages end says where rows stand."""
    return {json.dumps([row[name] for name in table.key_columns]): {**row, "position": 0} for row in rows}


def test_of_named_tables_what_went_comes_along_and_new_ones_join_in_full(
    client: Client, trade: Trade, ff: Console, tmp_path: Path
):
    caught_up(client)
    assert ff("export", "orders", "--to", str(tmp_path), "--format", "csv").code == 0
    assert list(manifest_of(tmp_path)["tables"]) == ["orders", "gone"]
    assert ff("export", "orders", "supplier_orders", "--to", str(tmp_path)).code == 0
    (file,) = manifest_of(tmp_path)["tables"]["supplier_orders"]["files"]
    assert (file["after"], file["rows"] > 0, file["file"].endswith(".csv")) == (0, True, True)


def test_a_table_that_got_a_column_is_exported_anew(client: Client, trade: Trade, ff: Console, tmp_path: Path):
    caught_up(client)
    assert ff("export", "orders", "--to", str(tmp_path), "--format", "csv").code == 0
    found = manifest_of(tmp_path)
    found["tables"]["orders"]["columns"].pop()
    (tmp_path / "manifest.json").write_text(json.dumps(found))
    trade.placed()
    caught_up(client)
    assert ff("export", "orders", "--to", str(tmp_path)).code == 0
    (file,) = manifest_of(tmp_path)["tables"]["orders"]["files"]
    assert file["after"] == 0


def test_a_run_that_dies_midway_leaves_what_was_there_and_the_next_goes_on(
    client: Client, trade: Trade, ff: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    caught_up(client)
    job = ("export", "--to", str(tmp_path), "--format", "jsonl")
    assert ff(*job).code == 0
    before, listed = manifest_of(tmp_path), everything(tmp_path)
    trade.placed()
    caught_up(client)
    monkeypatch.setattr(exports, "copy_of", _breaks_at("messages"))
    assert ff(*job).code != 0
    assert (manifest_of(tmp_path), everything(tmp_path)) == (before, listed)
    monkeypatch.undo()

    def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(manifests, "_sync", dies)  # after the files are in their places, before the manifest
    stopped = ff(*job)
    assert (stopped.code, "stopped" in stopped.err) == (130, True)
    assert manifest_of(tmp_path) == before
    monkeypatch.undo()
    order_id = trade.placed()
    caught_up(client)
    assert ff(*job).code == 0
    assert lines_of(tmp_path, "orders")[-1]["order_id"] == order_id
    named = {each["file"] for table in manifest_of(tmp_path)["tables"].values() for each in table["files"]}
    assert {name for name in everything(tmp_path) if "/" in name} == named, "what the dead run left is gone"


def test_who_stops_it_is_told_so_and_nothing_else(
    client: Client, trade: Trade, ff: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    caught_up(client)
    unheard: list[Any] = []

    def stops(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "unraisablehook", unheard.append)
    monkeypatch.setattr(export.ExportBar, "advance", stops)
    stopped = ff("export", "--to", str(tmp_path), "--format", "parquet")
    gc.collect()
    assert (stopped.code, stopped.out, stopped.err.strip()) == (130, "", "Error: stopped")
    assert unheard == []
    assert everything(tmp_path) == {".lock"}


def written(folder: Path) -> dict[str, int]:
    """When each file was written, but for the manifest."""
    return {name: (folder / name).stat().st_mtime_ns for name in everything(folder) if "/" in name}


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def _breaks_at(table: str) -> Callable[..., Any]:
    def copy(of: Any, *more: Any) -> Any:
        if of.name == table:
            raise psycopg.OperationalError("the database is gone")
        return copy_of(of, *more)

    return copy


def test_a_folder_that_cannot_be_gone_on_with_says_why(client: Client, trade: Trade, ff: Console, tmp_path: Path):
    caught_up(client)
    job = ("export", "orders", "--to", str(tmp_path))
    assert ff(*job, "--format", "csv").code == 0
    assert "holds files of csv, not of jsonl" in ff(*job, "--format", "jsonl").err
    position = manifest_of(tmp_path)["position"]
    assert "would be missing" in ff(*job, "--after", str(position + 1)).err
    found = manifest_of(tmp_path)
    with manifests.alone(tmp_path):
        assert "another export is writing" in ff(*job).err
    (tmp_path / found["tables"]["orders"]["files"][0]["file"]).unlink()
    assert "is gone, which the manifest names" in ff(*job).err
    (tmp_path / "manifest.json").write_text(json.dumps({**found, "tenant": "other"}))
    assert ff(*job).code == 1
    (tmp_path / "manifest.json").write_text("{")
    assert "is no manifest of an export" in ff(*job).err
    assert "there is no table nothing" in ff("export", "nothing", "--to", str(tmp_path)).err
    assert "--to DIR" in ff("export").err


def test_a_first_export_that_is_refused_leaves_no_folder(client: Client, ff: Console, tmp_path: Path):
    caught_up(client)
    refused_export = ("export", "orders", "--as-of", "1000000000", "--to")
    assert "beyond" in ff(*refused_export, str(tmp_path / "of" / "year")).err
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    assert ff(*refused_export, str(tmp_path / "mine")).code == 1
    assert (tmp_path / "mine").is_dir(), "a folder that was there stays"
    with suppress(OSError), manifests.alone(tmp_path / "new"):
        (tmp_path / "new" / "rows").touch()
        raise OSError
    assert (tmp_path / "new" / "rows").exists(), "what somebody put there stays"


def test_the_tables_can_be_listed_and_each_with_its_columns(ff: Console):
    told = ff("export", "--list").out
    assert all(name in told for name in NAMES)
    assert "minor units" in ff("export", "payments", "--list").out
