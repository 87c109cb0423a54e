"""Importing a file of orders as a user does: ``fulfilment order import FILE`` against the running service."""

from __future__ import annotations

import csv
import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from benchmarks.stage import Figure, Skipped, Stage
from tests.support import excel

_LONGEST_SECONDS = 600
_HEADINGS = (
    *("Order No.", "Date", "SKU", "Quantity", "Price", "Currency", "Name"),
    *("E-Mail", "Address", "City", "ZIP", "Country", "Paid"),
)
_ROWS_AN_ORDER = 2


def measure(stage: Stage, run: int) -> Iterator[Figure]:
    file = stage.folder / "orders.csv"
    _write(file, stage.size.file_rows)
    with stage.database() as conninfo, stage.ledger_on(conninfo, "api") as address:
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        for name, applied in (("new", True), ("again", False)):
            began = perf_counter()
            counts = _import(address, file)
            if counts["applied" if applied else "replayed"] != counts["orders"]:
                raise Skipped(f"the import did not do what it was to: {counts}")
            yield Figure(f"files.{name}.rows_per_second", stage.size.file_rows / (perf_counter() - began))
        # Of all processes that ended so far; the import's own, once it is more than what others took.
        most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        if most > before:
            yield Figure("files.most_mib", most / 1024)
        sheet = excel.written(stage.folder / "orders.xlsx", [_HEADINGS, *_rows(stage.size.file_rows)])
        _import(address, sheet)
        if (with_sheet := resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) > most:
            yield Figure("files.excel_mib", with_sheet / 1024)


def _write(file: Path, rows: int) -> None:
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(_HEADINGS)
        writer.writerows(_rows(rows))


def _rows(rows: int) -> Iterator[list[object]]:
    for number in range(rows):
        order = number // _ROWS_AN_ORDER
        person = [f"Ann Example {order}", f"ann{order}@example.org", "1 Elm Street", "Berlin", "10115", "Germany"]
        sold = [f"SKU-{number % 500}", number % 3 + 1, "9.90", "EUR"]
        yield [order + 1, "2026-01-05 09:00", *sold, *person, "paid"]


def _import(address: str, file: Path) -> dict[str, int]:
    arguments = [str(Path(sys.executable).with_name("fulfilment")), "--server", address, "--json", "order", "import"]
    arguments += [str(file), "--connection", "files", "--yes"]
    result = subprocess.run(arguments, capture_output=True, text=True, timeout=_LONGEST_SECONDS, check=False)
    if result.returncode or not result.stdout:
        raise Skipped(f"the import failed: {result.stdout[-500:]} {result.stderr[-500:]}")
    counts: dict[str, int] = json.loads(result.stdout)
    return counts
