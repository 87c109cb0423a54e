"""Where measurements take place: one PostgreSQL, a fresh database and fresh processes for each of them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from itertools import count
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from adapters.database.embedded import EmbeddedServer
from benchmarks import load

ROOT = Path(__file__).resolve().parent.parent
_START_SECONDS = 60
_STOP_SECONDS = 40
_ADDRESS = re.compile(r"127\.0\.0\.1:[1-9]\d*")

_LARGE_BYTES = 256 << 20
"""A database of less is copied sooner through the log of PostgreSQL than file by file, with a checkpoint."""
_HOW_COPIED = "SELECT CASE WHEN pg_database_size(%s) < %s THEN 'wal_log' ELSE 'file_copy' END"

T = TypeVar("T")


class Figure(NamedTuple):
    """One number; its name ends in its unit."""

    name: str
    value: float


class Skipped(Exception):
    """This cannot be measured here; the message says why."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything is done."""

    calls: int = 6_000
    """At a level of callers, by each subject; in a turn a part of it."""
    turns: int = 8
    batches: int = 32
    batch_size: int = 500
    lives: int = 1_500
    """Orders whose facts make the log that projections catch up on."""
    decisions: int = 60
    """Of every command."""
    order_lines: int = 50
    """Of the order that they are about."""
    suppliers: int = 1_000
    supplier_orders: int = 50_000
    answers: int = 11
    """How often each question about scorecards is asked."""
    file_rows: int = 20_000
    export_rows: int = 300_000
    busy_tenants: tuple[int, ...] = (1, 10, 100)
    """Over which orders are placed."""
    tenants: int = 101
    """At rest."""
    servers: int = 1
    """On them, each with a projector."""
    rest_seconds: float = 10.0
    """How long that is looked at. Once a minute PostgreSQL looks at all tables of a database, for a second with a
    thousand tenants: where there are many of them it has to be a minute."""
    long_streams: tuple[int, ...] = (100_000,)
    """Facts of streams on which processes start."""
    logs: tuple[int, ...] = (10_000, 1_000_000)
    """Facts of logs in which orders are placed."""

    @property
    def warm_up(self) -> int:
        return max(self.calls // 5, 100)

    def told(self) -> str:
        """What differs between sizes, in words."""
        logs, streams = (" and ".join(f"{facts:,}" for facts in each) for each in (self.logs, self.long_streams))
        return (
            f"{self.calls:,} calls at a level of callers, {self.turns} turns; logs of {logs} facts, streams of "
            f"{streams}; {self.tenants:,} tenants at rest for {self.rest_seconds:.0f} s, servers: {self.servers}; "
            f"{self.lives:,} lives of orders to read; {self.export_rows:,} rows exported, {self.file_rows:,} imported; "
            f"{self.supplier_orders:,} supplier orders of {self.suppliers:,} suppliers; {self.decisions} decisions of "
            f"each command on {self.order_lines:,} lines"
        )


LARGE = replace(
    Size(),
    turns=24,
    lives=5_000,
    decisions=300,
    suppliers=10_000,
    supplier_orders=1_000_000,
    file_rows=100_000,
    export_rows=1_000_000,
    tenants=1_000,
    rest_seconds=60.0,
    long_streams=(10_000, 100_000, 1_000_000),
    logs=(10_000, 1_000_000, 10_000_000),
)
"""As large as what is wanted says; of the rest, more than the usual run has time for."""

QUICK = Size(
    calls=300,
    turns=2,
    batches=4,
    batch_size=100,
    lives=100,
    decisions=5,
    suppliers=100,
    supplier_orders=2_000,
    answers=3,
    file_rows=1_000,
    export_rows=2_000,
    busy_tenants=(1, 2),
    tenants=3,
    rest_seconds=1.0,
    long_streams=(2_000,),
    logs=(2_000, 20_000),
)


class Ask(Protocol):
    """Runs a job of ``load`` in a client process."""

    def __call__(self, job: Callable[..., Coroutine[Any, Any, T]], *arguments: Any) -> Future[T]: ...


class Stage:
    """What a measurement may use. Whatever it starts is ended, whatever it writes is removed."""

    def __init__(self, folder: Path, conninfo: str, size: Size, olist: Path | None) -> None:
        self.folder, self.conninfo, self.size, self.olist = folder, conninfo, size, olist
        self._numbers = count()
        self._kept: dict[str, str] = {}
        self._opened = ExitStack()

    def close(self) -> None:
        self._opened.close()

    def kept(self, name: str, fill: Callable[[str], None], copy_of: str | None = None) -> str:
        """The conninfo of a database that is filled once, for all parts and runs; they take copies of it."""
        if name not in self._kept:
            with ExitStack() as opened:
                conninfo = opened.enter_context(self.database(copy_of))
                fill(conninfo)
                self._opened.push(opened.pop_all())
            self._kept[name] = conninfo
        return self._kept[name]

    @contextmanager
    def database(self, copy_of: str | None = None) -> Iterator[str]:
        """The conninfo of an empty database, or of a copy of the one that a conninfo names."""
        template = str(conninfo_to_dict(copy_of)["dbname"]) if copy_of else "template1"
        name = f"bench_{next(self._numbers)}_{time.time_ns()}"
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            how = connection.execute(_HOW_COPIED, (template, _LARGE_BYTES)).fetchone() or ("wal_log",)
            make = SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY {}")
            connection.execute(make.format(Identifier(name), Identifier(template), Identifier(how[0])))
            try:
                yield make_conninfo(self.conninfo, dbname=name)
            finally:
                connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))

    @contextmanager
    def process(self, *arguments: str) -> Iterator[str]:
        """A Python process that prints where it listens; yields the address."""
        log = self.folder / f"process-{next(self._numbers)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *arguments], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            yield _address(process, log)
        finally:
            _end(process)

    @contextmanager
    def ledger(self, role: str) -> Iterator[str]:
        """Our server on a database of its own, with a supplier and stock; role is ``api`` or ``all``."""
        with self.database() as conninfo, self.ledger_on(conninfo, role) as address:
            with client() as ask:
                ask(load.prepare, address).result()
            yield address

    @contextmanager
    def ledger_on(self, conninfo: str, role: str, *more: str) -> Iterator[str]:
        arguments = ("--listen", "127.0.0.1:0", "--dsn", conninfo, "--role", role, "--data", str(self.folder))
        with self.process("server.py", *arguments, "--log-level", "warning", *more) as address:
            yield address


def entered(opened: ExitStack, contexts: Mapping[str, AbstractContextManager[T]]) -> dict[str, T]:
    """Enters all of them at once: processes take seconds to start."""
    with ThreadPoolExecutor(max(len(contexts), 1)) as pool:
        found = {name: pool.submit(opened.enter_context, context) for name, context in contexts.items()}
    return {name: each.result() for name, each in found.items()}


@contextmanager
def client() -> Iterator[Ask]:
    """A client process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:

        def ask(job: Callable[..., Coroutine[Any, Any, T]], *arguments: Any) -> Future[T]:
            return pool.submit(load.run, job, *arguments)

        try:
            yield ask
        except BaseException:
            # The pool would wait for a job whose answer nobody wants any more.
            for process in active_children():
                process.terminate()
            raise


@contextmanager
def stage(size: Size, dsn: str | None, olist: Path | None) -> Iterator[Stage]:
    """On the PostgreSQL of the DSN, or on one that lives as long as the measurements."""
    folder = Path(tempfile.mkdtemp(prefix="fulfilment-bench-"))
    embedded = None if dsn else EmbeddedServer(folder)
    try:
        with closing(Stage(folder, embedded.start() if embedded else make_conninfo(dsn or ""), size, olist)) as here:
            yield here
    finally:
        if embedded:
            embedded.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    give_up_at = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < give_up_at:
        found = _ADDRESS.search(log.read_text())
        if found:
            return found[0]
        time.sleep(0.02)
    raise RuntimeError(f"{process.args!r} does not listen; its output:\n{log.read_text()[-2000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
