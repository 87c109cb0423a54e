"""Importing a file of orders as a user does: ``fulfilment order import FILE`` against the running service."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, sleep

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
        most = 0.0
        for name, applied in (("new", True), ("again", False)):
            began = perf_counter()
            counts, mib = _import(address, file)
            most = max(most, mib)
            if counts["applied" if applied else "replayed"] != counts["orders"]:
                raise Skipped(f"the import did not do what it was to: {counts}")
            yield Figure(f"files.{name}.rows_per_second", stage.size.file_rows / (perf_counter() - began))
        yield Figure("files.most_mib", most)
        sheet = excel.written(stage.folder / "orders.xlsx", [_HEADINGS, *_rows(stage.size.file_rows)])
        yield Figure("files.excel_mib", _import(address, sheet)[1])


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


def _import(address: str, file: Path) -> tuple[dict[str, int], float]:
    """What came of it, and how many MiB its process took at most.

    What the system says of a child that ended is not less than what its parent had when it was started.
    """
    arguments = [str(Path(sys.executable).with_name("fulfilment")), "--server", address, "--json", "order", "import"]
    arguments += [str(file), "--connection", "files", "--yes"]
    until, most = perf_counter() + _LONGEST_SECONDS, 0.0
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        while running.poll() is None:
            most = max(most, _most_mib(running.pid))
            if perf_counter() > until:
                running.kill()
            sleep(0.05)
        out, err = running.communicate()
    if running.returncode or not out:
        raise Skipped(f"the import failed: {out[-500:]} {err[-500:]}")
    counts: dict[str, int] = json.loads(out)
    return counts, most


def _most_mib(pid: int) -> float:
    """0 of one that is over."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found is not None else 0.0
