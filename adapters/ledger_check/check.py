"""A check of one ledger from beginning to end: its steps, in which order, and how far they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
from psycopg import Connection

from adapters.ledger_check.findings import CheckTally
from adapters.ledger_check.log_rows import LogRows
from adapters.ledger_check.read_models import check_read_models
from adapters.ledger_check.streams import Range, Slice, check_slice, slices
from ledger.engine.log_sql import HEAD
from ledger.engine.statements import in_schema
from ledger.refusals import BeyondTheLog
from projections import PROJECTIONS
from projections.machine.database import open_connection

CHECKS = {
    "positions": ("positions", "outcomes of facts"),
    "outcomes": ("facts of outcomes", "keys", "evidence"),
    "streams": ("facts", "versions", "orders", "stock", "reservations", "snapshots", "keys", "evidence"),
    "read-models": ("read models",),
}
"""What each step looks at."""
STEPS = tuple(CHECKS)
_FACTS_A_SLICE = 50_000
_MOST_SLICES = 500
"""So that what is kept of a check does not grow with the ledger."""


class Progress(msgspec.Struct):
    """How far a check is: what is written down between its parts, so that it can go on."""

    tenant: str
    checked_to: int = 0
    """Up to this position everything held, as checks before this one found."""
    head: int = 0
    """Up to this position the present check looks; 0 before it begins."""
    steps: tuple[str, ...] = STEPS
    position: int = 0
    """Up to here positions were looked at."""
    outcome: str | None = ""
    """After this request id outcomes go on; None once all were looked at."""
    slices: list[Slice] = []
    """Of streams, those that are still to be looked at."""
    parts: int = 0
    """How many slices there were."""
    read_models: bool = False
    """Whether these were looked at."""
    tally: CheckTally = msgspec.field(default_factory=CheckTally)


class BadNotes(Exception):
    """The message says why they cannot be used."""


class Notes:
    """The file that progress is written to, if there is one; raises BadNotes where that does not go."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def read(self, tenant: str) -> Progress:
        """Where the check of a tenant stands."""
        if self._path is None:
            return Progress(tenant)
        try:
            progress = msgspec.json.decode(self._path.read_bytes(), type=Progress)
        except FileNotFoundError:
            return Progress(tenant)
        except OSError as error:
            raise _unusable(self._path, "read", error) from error
        except msgspec.DecodeError as error:
            raise BadNotes(f"{self._path} holds no state of a check: {error}") from error
        if progress.tenant != tenant:
            raise BadNotes(f"{self._path} is of the check of tenant {progress.tenant}, not of {tenant}")
        return progress

    def write(self, progress: Progress) -> None:
        """Whole or not at all."""
        if self._path is None:
            return
        try:
            new = self._path.with_name(f"{self._path.name}.new")
            new.write_bytes(msgspec.json.encode(progress))
            new.replace(self._path)
        except OSError as error:
            raise _unusable(self._path, "written", error) from error


def _unusable(path: Path, what: str, error: OSError) -> BadNotes:
    return BadNotes(f"{path} cannot be {what} ({error.strerror}); name another with --state")


Say = Callable[[str], None]
"""Hears in words how far it is."""


class CheckRun:
    """One run: begins, or goes on where the last one ended.

    Raises BeyondTheLog where the log is not that long, such as after an older backup was restored, and BadNotes.
    """

    def __init__(self, conninfo: str, schema: str, progress: Progress, notes: Notes, say: Say, workers: int) -> None:
        self._conninfo = conninfo
        self._schema = schema
        self._progress = progress
        self._notes = notes
        self._say = say
        self._workers = workers

    def run(self) -> CheckTally:
        progress = self._progress
        with open_connection(self._conninfo) as connection:
            ((head,),) = connection.execute(in_schema(HEAD, self._schema)).fetchall()
            if (known := max(progress.checked_to, progress.head)) > head:
                raise BeyondTheLog(known, head)
            if not progress.head:
                self._begin(connection, head)
            rows = LogRows(connection, self._schema, progress.head)
            work: Sequence[tuple[str, Callable[[], None]]] = (
                ("positions", lambda: self._positions(rows)),
                ("outcomes", lambda: self._outcomes(rows)),
                ("streams", self._streams),
                ("read-models", lambda: self._read_models(connection)),
            )
            for step, do in work:
                if step in progress.steps:
                    do()
        tally, whole = progress.tally, set(progress.steps) >= set(STEPS[:3])
        done = progress.head if whole and not tally.found else progress.checked_to
        self._notes.write(Progress(progress.tenant, checked_to=done))
        return tally

    def _begin(self, connection: Connection[Any], head: int) -> None:
        progress = self._progress
        progress.head, progress.position = head, progress.checked_to
        facts = progress.head - progress.position
        if facts:
            count = max(min(facts // _FACTS_A_SLICE, _MOST_SLICES), self._workers)
            progress.slices = slices(connection, self._range, count)
        progress.parts = len(progress.slices)
        for check in (name for step in progress.steps for name in CHECKS[step]):
            progress.tally.look(check, 0)
        self._notes.write(progress)

    @property
    def _range(self) -> Range:
        return Range(self._schema, self._progress.checked_to, self._progress.head)

    def _positions(self, rows: LogRows) -> None:
        progress = self._progress
        while progress.position < progress.head:
            with progress.tally.timed("positions"):
                progress.position = rows.positions(progress.tally, progress.position)
            self._note(f"positions: {progress.position} of {progress.head}")

    def _outcomes(self, rows: LogRows) -> None:
        progress = self._progress
        while progress.outcome is not None:
            with progress.tally.timed("outcomes"):
                progress.outcome = rows.outcomes(progress.tally, progress.outcome, progress.checked_to)
                if progress.outcome is None:
                    rows.keys(progress.tally)
            self._note(f"outcomes: {progress.tally.checks['facts of outcomes'].looked_at}")

    def _streams(self) -> None:
        progress = self._progress
        for part, tally in self._checked(list(progress.slices)):
            progress.tally.add(tally)
            progress.slices.remove(part)
            done, facts = progress.parts - len(progress.slices), progress.tally.checks["facts"].looked_at
            self._note(f"streams: {done} of {progress.parts} parts, {facts} facts")

    def _checked(self, parts: Sequence[Slice]) -> Iterator[tuple[Slice, CheckTally]]:
        """Each slice, as it is done; in other processes if there is more than one for them."""
        if self._workers == 1 or len(parts) < 2:
            yield from ((part, check_slice(self._conninfo, self._range, part)) for part in parts)
            return
        with self._processes() as processes:
            waiting = {processes.submit(check_slice, self._conninfo, self._range, part): part for part in parts}
            while waiting:
                for done in wait(waiting, return_when=FIRST_COMPLETED).done:
                    yield waiting.pop(done), done.result()

    @contextmanager
    def _processes(self) -> Iterator[ProcessPoolExecutor]:
        processes = ProcessPoolExecutor(self._workers, get_context("spawn"))
        try:
            yield processes
        finally:
            processes.shutdown(cancel_futures=True)

    def _read_models(self, connection: Connection[Any]) -> None:
        progress = self._progress
        if not progress.read_models:
            with progress.tally.timed("read-models"):
                told = lambda position: self._say(f"read models: built up to {position}")  # noqa: E731
                check_read_models(connection, self._schema, PROJECTIONS, progress.tally, told)
            progress.read_models = True
            self._notes.write(progress)

    def _note(self, words: str) -> None:
        self._notes.write(self._progress)
        self._say(words)


def usual_workers() -> int:
    return max(1, min(os.cpu_count() or 1, 4))
