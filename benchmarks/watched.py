"""What it costs those who place orders that others look on: 64 callers in short turns, one server beside another.

One server shows metrics, read every two seconds, and one sends spans of some calls to a collector that does nothing
with them. One is as the first: what it differs by is noise. Beside the first an export runs over and over in one of its
turns, and in another a question in SQL by a role for reporting, each with the limits that it has.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from benchmarks import load
from benchmarks.exports import fill
from benchmarks.machine import used
from benchmarks.rounds import Rounds
from benchmarks.stage import ROOT, Ask, Figure, Stage, client, entered
from benchmarks.turns import CALLERS
from projections import PROJECTIONS
from projections.machine import runner

SUBJECTS = {
    "plain": "the ledger",
    "twin": "the same once more",
    "metrics": "with metrics that are read",
    "traces": "with traces",
    "export": "an export beside",
    "question": "a question in SQL beside",
}
_SERVERS = ("plain", "twin", "metrics", "traces")
_SCRAPE_SECONDS = 2.0
# What somebody at a desk asks: all orders, grouped.
_QUESTION = "SELECT channel, currency, count(*), max(placed_at) FROM reporting_default.orders GROUP BY 1, 2"


class Served(NamedTuple):
    conninfo: str
    address: str


def measure(stage: Stage, run: int) -> Iterator[Figure]:
    calls = max(stage.size.calls // 8, 100)
    # Two that stand beside each other in a turn change places from run to run.
    rounds = Rounds(list(SUBJECTS)[:: -1 if run % 2 else 1], stage.size.turns)
    with ExitStack() as opened:
        collector, port = opened.enter_context(stage.process("-m", "benchmarks.collector")), _free_port()
        options = {"metrics": ("--metrics", f"127.0.0.1:{port}"), "traces": ("--traces", f"http://{collector}")}
        served = entered(opened, {name: _serving(stage, *options.get(name, ())) for name in _SERVERS})
        _fill(served["plain"].conninfo, stage.size.export_rows // 10)
        reader = opened.enter_context(_reader(served["plain"].conninfo))
        ask, ask_to_export = (opened.enter_context(client()) for _ in range(2))
        opened.enter_context(_again_and_again(lambda: _scrape(port)))
        for turn, name in rounds:
            one = served.get(name, served["plain"])
            with _beside(name, one.address, reader, ask_to_export):
                before = used(one.conninfo)
                placed = ask(load.place, one.address, f"{name}-{turn}", CALLERS, 0, calls).result()
                spent = used(one.conninfo).server - before.server
            rounds.add(name, placed)
            rounds.add_figure(f"{name}.us", spent / calls * 1e6)
    for name in SUBJECTS:
        yield Figure(f"watched.{name}.per_second", rounds.middle(name))
    for name in list(SUBJECTS)[1:]:
        yield Figure(f"watched.{name}_to_plain", rounds.ratio(name, "plain"))
    if sys.platform.startswith("linux"):
        for name in _SERVERS[1:]:
            yield Figure(f"watched.{name}.processor_to_plain", rounds.ratio(f"{name}.us", "plain.us"))


@contextmanager
def _serving(stage: Stage, *options: str) -> Iterator[Served]:
    with stage.database() as conninfo, stage.ledger_on(conninfo, "api", *options) as address, client() as ask:
        ask(load.prepare, address).result()
        yield Served(conninfo, address)


def _fill(conninfo: str, rows: int) -> None:
    runner.catch_up(conninfo, "tenant_default", PROJECTIONS)
    fill(conninfo, rows)


@contextmanager
def _reader(conninfo: str) -> Iterator[str]:
    """The conninfo of a role for reporting, with its limits."""
    name = f"bench_{time.time_ns()}"

    def do(what: str) -> str:
        words = [sys.executable, "server.py", "reporting", what, name, "--tenant", "default", "--dsn", conninfo]
        return subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()

    password = do("grant")
    try:
        yield make_conninfo(conninfo, user=name, password=password)
    finally:
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute(SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(Identifier(name)))


@contextmanager
def _beside(name: str, address: str, reader: str, ask: Ask) -> Iterator[None]:
    """What else is done during a turn."""
    work = {
        "export": lambda: ask(load.export, address, "orders").result(),
        "question": lambda: _ask_in_sql(reader),
    }.get(name)
    if work is None:
        yield
    else:
        with _again_and_again(work, 0.0):
            yield


@contextmanager
def _again_and_again(work: Callable[[], object], pause_seconds: float = _SCRAPE_SECONDS) -> Iterator[None]:
    """In a thread, until the context ends; what fails there fails here."""
    over, failed = threading.Event(), list[Exception]()

    def go_on() -> None:
        try:
            while not over.is_set():
                work()
                over.wait(pause_seconds)
        except Exception as problem:  # noqa: BLE001 - it fails where it was asked for
            failed.append(problem)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if failed:
        raise failed[0]


def _scrape(port: int) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        answer.read()


def _ask_in_sql(conninfo: str) -> None:
    with psycopg.connect(conninfo) as connection:
        connection.execute(_QUESTION).fetchall()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
