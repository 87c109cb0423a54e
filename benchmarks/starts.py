"""How long a process takes from its start to its first answer, and what memory it keeps for what it has read."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median

from psycopg.conninfo import conninfo_to_dict

from benchmarks import load
from benchmarks.machine import processes
from benchmarks.stage import Figure, Stage, client

_STARTS = 3


def measure(stage: Stage, run: int) -> Iterator[Figure]:
    with client() as ask:
        with stage.process("-m", "benchmarks.empty") as address:
            ask(load.place, address, "first", 1, 0, 1).result()  # the client itself starts
        empty: list[float] = []
        new: list[float] = []
        again: list[float] = []
        for _ in range(_STARTS):
            began = time.perf_counter()
            with stage.process("-m", "benchmarks.empty") as address:
                ask(load.place, address, "start", 1, 0, 1).result()
                empty.append(time.perf_counter() - began)
            with stage.database() as conninfo:
                for taken in (new, again):
                    began = time.perf_counter()
                    with stage.ledger_on(conninfo, "api") as address:
                        ask(load.check_health, address, 1, 0.0).result()
                        taken.append(time.perf_counter() - began)
        for name, taken in {"empty": empty, "new": new, "again": again}.items():
            yield Figure(f"start.{name}.seconds", median(taken))
        if sys.platform.startswith("linux"):
            with stage.database() as conninfo, stage.ledger_on(conninfo, "api") as address:
                ask(load.prepare, address).result()
                size, count = stage.size.batch_size, stage.size.batches
                ask(load.batches, address, "warm", size, 2, 1).result()
                before = _resident_kib(conninfo)
                ask(load.batches, address, "kept", size, count, 1).result()
                yield Figure("memory.order.kib", (_resident_kib(conninfo) - before) / (size * (count + 2)))


def _resident_kib(conninfo: str) -> int:
    """Memory of the server that was started on a database."""
    database, found = str(conninfo_to_dict(conninfo)["dbname"]).encode(), 0
    for pid, _ in processes():
        with suppress(OSError):
            line = Path(f"/proc/{pid}/cmdline").read_bytes()
            if database in line and not line.startswith(b"postgres:"):
                kept = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
                found += int(kept[1]) if kept else 0
    return found
