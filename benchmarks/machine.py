"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NamedTuple

import grpc
import psycopg
from psycopg.conninfo import conninfo_to_dict

_TICKS = os.sysconf("SC_CLK_TCK")
_SETTINGS = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_sync_method")


def facts(conninfo: str, folder: Path) -> dict[str, str]:
    """Machine, versions, and the settings as the PostgreSQL server itself shows them."""
    with psycopg.connect(conninfo) as connection:
        shown = {name: str((connection.execute(f"SHOW {name}").fetchone() or ("?",))[0]) for name in _SETTINGS}
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()}, {_memory()}",
        "Python": f"{platform.python_version()}, grpcio {grpc.__version__}, psycopg {psycopg.__version__}",
        "PostgreSQL": shown.pop("server_version"),
        "shown by the server": ", ".join(f"{name} = {value}" for name, value in shown.items()),
        "one fsync": f"{_fsync_ms(folder):.2f} ms (median of 50 of 8 KiB, where the embedded server keeps its data)",
        "load before": f"{os.getloadavg()[0]:.1f} (average of the last minute; figures are noise unless it is near 0)",
    }


def _processor() -> str:
    known = Path("/proc/cpuinfo")
    for line in known.read_text().splitlines() if known.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


def _memory() -> str:
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{size / 2**30:.0f} GiB"


def _fsync_ms(folder: Path) -> float:
    took = []
    with (folder / "fsync").open("wb") as file:
        for _ in range(50):
            file.write(bytes(8192))
            file.flush()
            began = perf_counter()
            os.fsync(file.fileno())
            took.append(perf_counter() - began)
    return median(took) * 1000


def processes() -> Iterator[tuple[int, tuple[int, float]]]:
    """Each process: its parent, and the processor time it has used, also by children that have ended."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError):
                yield int(name), use_of(int(name))


def use_of(pid: int) -> tuple[int, float]:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[1]), sum(map(int, fields[11:15])) / _TICKS


class Used(NamedTuple):
    """Seconds of processor time."""

    server: float
    """Of the server that was started on a database."""
    sessions: float
    """Of PostgreSQL for its sessions there."""


def used(conninfo: str) -> Used:
    """What those have used that name the database of a conninfo in their command lines."""
    database, found = str(conninfo_to_dict(conninfo)["dbname"]).encode(), [0.0, 0.0]
    for pid, (_, seconds) in processes():
        with suppress(OSError):
            line = Path(f"/proc/{pid}/cmdline").read_bytes()
            if database in line:
                found[line.startswith(b"postgres:")] += seconds
    return Used(*found)


def used_by_all(conninfo: str) -> float:
    """Processor time that the children of this process and PostgreSQL have used; 0 where that cannot be seen."""
    if not Path("/proc/self/stat").exists():
        return 0.0
    found = dict(processes())
    with psycopg.connect(conninfo) as connection:
        server = use_of(connection.info.backend_pid)[0]
    roots, used = {os.getpid(), server}, found[server][1]
    while roots:
        children = {pid for pid, (parent, _) in found.items() if parent in roots}
        used += sum(found[pid][1] for pid in children)
        roots = children
    return used
