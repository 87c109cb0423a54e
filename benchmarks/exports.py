"""Exporting a large table to Parquet as a job does, beside PostgreSQL's own COPY of the same rows to a file."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import psutil  # type: ignore[import-untyped]
import psycopg
from psycopg.sql import SQL, Identifier

from benchmarks import load
from benchmarks.stage import Figure, Skipped, Stage, client
from projections import PROJECTIONS
from projections.machine import runner
from projections.machine.reads import Where
from projections.machine.tables import Table
from projections.reporting import REPORT_TABLES
from projections.reporting.exporting import RowEncoding, copy_of

_SCHEMA = "tenant_default"
_LONGEST_SECONDS = 600
(_ORDERS,) = (each for each in REPORT_TABLES if each.name == "orders")
_MADE = {
    "text": "'{name}-' || n",
    "int2": "(n %% 100)::int2",
    "int4": "(n %% 1000)::int4",
    "int8": "n::int8",
    "bool": "n %% 2 = 0",
    "date": "date '2026-01-05' + (n %% 300)",
    "timestamptz": "timestamptz '2026-01-05 09:00Z' + n * interval '1.000007 second'",
}
"""A value of a column in the row n; where it may be missing, it is in every second row."""


def measure(stage: Stage, run: int) -> Iterator[Figure]:
    rows, folder = stage.size.export_rows, stage.folder / "exported"
    with stage.database() as conninfo, stage.ledger_on(conninfo, "api") as address:
        with client() as ask:
            ask(load.prepare, address).result()
        runner.catch_up(conninfo, _SCHEMA, PROJECTIONS)
        fill(conninfo, rows)
        copy = _copied(conninfo, folder)
        yield Figure("export.copy.rows_per_second", rows / copy)
        for format_ in ("parquet", "csv"):
            service, console = _processor_seconds(), resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds = _exported(address, folder, format_, rows)
            yield Figure(f"export.{format_}.rows_per_second", rows / seconds)
            yield Figure(f"export.{format_}_to_copy", copy / seconds)
            yield Figure(f"export.{format_}.service.processor_seconds", _processor_seconds() - service)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            used = after.ru_utime + after.ru_stime - console.ru_utime - console.ru_stime
            yield Figure(f"export.{format_}.console.processor_seconds", used)
            if after.ru_maxrss > console.ru_maxrss:  # of all processes that ended so far
                yield Figure(f"export.{format_}.console.most_mib", after.ru_maxrss / 1024)


def fill(conninfo: str, rows: int) -> None:
    """Orders in the read model alone: nobody reads how they came about."""
    table: Table[tuple[object, ...]] = _ORDERS.rows_table
    values = []
    for name, column in table.columns.items():
        kind, _, must = column.declared.partition(" ")
        value = _MADE[kind].format(name=name)
        values.append(value if must.endswith("NOT NULL") else f"CASE WHEN n %% 2 = 0 THEN {value} END")
    into = SQL("INSERT INTO {} SELECT {} FROM generate_series(1, %s) AS n").format(
        Identifier(_SCHEMA, table.name), SQL(", ").join(map(SQL, values))
    )
    with psycopg.connect(conninfo) as connection:
        connection.execute(into, (rows,))
        connection.commit()
        connection.autocommit = True
        connection.execute(SQL("VACUUM ANALYZE {}").format(Identifier(_SCHEMA, table.name)))


def _copied(conninfo: str, folder: Path) -> float:
    """How many seconds PostgreSQL and psycopg take for the same rows in a file of CSV."""
    folder.mkdir(exist_ok=True)
    statement = copy_of(_ORDERS, 0, RowEncoding.CSV, Where(cast("Any", None), _SCHEMA))
    began = perf_counter()
    with (
        psycopg.connect(conninfo) as connection,
        (folder / "copied.csv").open("wb") as file,
        connection.cursor() as cursor,
        cursor.copy(statement) as copy,
    ):
        for row in copy:
            file.write(row)
    seconds = perf_counter() - began
    shutil.rmtree(folder)
    return seconds


def _exported(address: str, folder: Path, format_: str, rows: int) -> float:
    arguments = [str(Path(sys.executable).with_name("fulfilment")), "--server", address, "export", "orders"]
    arguments += ["--to", str(folder), "--format", format_]
    began = perf_counter()
    result = subprocess.run(arguments, capture_output=True, text=True, timeout=_LONGEST_SECONDS, check=False)
    seconds = perf_counter() - began
    shutil.rmtree(folder, ignore_errors=True)
    if result.returncode or f"{rows:,} rows up to" not in result.stdout:
        raise Skipped(f"the export failed: {result.stdout[-500:]} {result.stderr[-500:]}")
    return seconds


def _processor_seconds() -> float:
    """Of the service: PostgreSQL's are not counted."""
    servers = [each for each in psutil.Process().children() if "server.py" in each.cmdline()]
    return float(sum(each.cpu_times().user + each.cpu_times().system for each in servers))
