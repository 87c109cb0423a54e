"""``fulfilment import``: other systems' files into the ledger, in batches, as often as one likes."""

from __future__ import annotations

import sys
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

import click
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

from adapters.console import files
from adapters.console.client import ConsoleClient, Trouble
from adapters.console.commands import Nouns
from adapters.console.progress import bar_of
from adapters.console.sentences import translated
from adapters.console.session import Session
from adapters.order_files import olist
from fulfilment.v1 import admin_pb2, batch_pb2, common_pb2

COMMANDS_A_BATCH = 800
BATCHES_AT_ONCE = 3
"""Enough to keep the service busy while the next batch is made; more would only fill its queue."""
_BATCH_SECONDS = 120.0
_EXAMPLES = 3
_MOST_PROBLEMS = 20

Group = list[batch_pb2.BatchCommand]


@click.group("import", cls=Nouns)
def imports() -> None:
    """Bring other systems' data in."""


@imports.command("olist")
@click.argument("folder", type=click.Path(path_type=Path))
@click.pass_obj
def import_olist(session: Session, folder: Path) -> int:
    """Import the CSV files of Olist's marketplace: sellers, orders, items, payments, reviews.

    Every order is recorded with its own historical times. A second run changes nothing, and one that was
    interrupted goes on where it stopped. Rows that cannot be understood are named and left out.
    """
    started = time.monotonic()
    tables = read_tables(folder)
    try:
        source = olist.Olist(tables)
    except ZoneInfoNotFoundError:
        raise Trouble(
            "this machine has no time zone data for America/Sao_Paulo; install tzdata", "NO_TIME_ZONES"
        ) from None
    result = Result()
    try:
        with Bar(session) as bar:
            for what, table, groups in (
                ("suppliers", "sellers", source.suppliers()),
                ("orders", "orders", source.orders()),
            ):
                bar.begin(what, len(tables[table]))
                send(session.client, groups, result, bar)
    except Trouble as trouble:
        trouble.message += "; run the same command again to go on where it stopped"
        raise
    position = session.client.call(session.client.admin.GetStatus, admin_pb2.GetStatusRequest()).position
    report = Report(folder, tables, source, result, position, time.monotonic() - started)
    if session.json:
        session.out.json(report.as_json())
    else:
        report.print(session)
    return 1 if result.refused or source.problems else 0


# --- reading --------------------------------------------------------------------------------------


def read_tables(folder: Path) -> dict[str, list[olist.Row]]:
    if not folder.is_dir():
        raise Trouble(f"there is no folder {folder}", "NO_FOLDER")
    there = {name for name in olist.COLUMNS if (folder / f"{name}.csv").is_file()}
    missing = [f"{name}.csv" for name in olist.COLUMNS if name not in there and name not in olist.OPTIONAL]
    if missing:
        raise Trouble(f"{folder} lacks {', '.join(missing)}", "FILES_MISSING", missing=missing)
    return {name: _read(folder / f"{name}.csv", columns) for name, columns in olist.COLUMNS.items() if name in there}


def _read(path: Path, columns: Iterable[str]) -> list[olist.Row]:
    return [olist.Row(path.name, line, cells) for line, cells in files.read_csv(path, columns)]


# --- sending --------------------------------------------------------------------------------------


@dataclass
class Result:
    """What came of the commands."""

    applied: Counter[str] = field(default_factory=Counter)
    replayed: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    """By reason."""
    examples: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, commands: Iterable[batch_pb2.BatchCommand], outcomes: Iterable[batch_pb2.BatchOutcome]) -> None:
        for command, outcome in zip(commands, outcomes, strict=True):
            which = command.WhichOneof("command") or ""
            if outcome.HasField("refusal"):
                self._add_refusal(getattr(command, which).context.request_id, outcome.refusal)
            else:
                self._add_receipt(which, getattr(command, which).context.request_id, outcome.receipt)

    def _add_receipt(self, which: str, request_id: str, receipt: common_pb2.Receipt) -> None:
        known = receipt.outcome == common_pb2.Receipt.OUTCOME_REPLAYED
        (self.replayed if known else self.applied)[which] += 1

    def _add_refusal(self, request_id: str, refusal: batch_pb2.BatchRefusal) -> None:
        self.refused[refusal.reason] += 1
        examples = self.examples[refusal.reason]
        if len(examples) < _EXAMPLES:
            examples.append(f"{translated(refusal.message)} ({request_id})")


def send(client: ConsoleClient, groups: Iterable[Group], result: Result, bar: Bar) -> None:
    """Send all groups, some batches at a time, each group within one batch; returns when all are answered."""
    under_way: deque[tuple[int, Group, Future[Any]]] = deque()

    def take() -> None:
        count, commands, future = under_way.popleft()
        result.add(commands, future.result().outcomes)
        bar.advance(count)

    with ThreadPoolExecutor(BATCHES_AT_ONCE) as pool:
        try:
            for count, commands in batches(groups):
                if len(under_way) == BATCHES_AT_ONCE:
                    take()
                request = batch_pb2.ExecuteBatchRequest(commands=commands)
                seconds = max(client.timeout_seconds, _BATCH_SECONDS)
                under_way.append(
                    (count, commands, pool.submit(client.call, client.batch.ExecuteBatch, request, seconds))
                )
            while under_way:
                take()
        finally:
            for _, _, future in under_way:
                future.cancel()


def batches(groups: Iterable[Group]) -> Iterator[tuple[int, Group]]:
    """Groups put together up to the size of a batch: how many, and their commands."""
    count, commands = 0, Group()
    for group in groups:
        if commands and len(commands) + len(group) > COMMANDS_A_BATCH:
            yield count, commands
            count, commands = 0, Group()
        count += 1
        commands += group
    if commands:
        yield count, commands


class Bar:
    """Progress on standard error: a bar at a terminal, a line now and then elsewhere."""

    def __init__(self, session: Session) -> None:
        self._what, self._total, self._done, self._reported = "", 0, 0, 0
        self._quiet = session.json
        self._bar = bar_of(
            session, TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        )
        self._task = self._bar.add_task("reading", total=None)

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begin(self, what: str, total: int) -> None:
        """What is counted from now on, and how many of them there are."""
        self._what, self._total, self._done, self._reported = what, total, 0, 0
        self._bar.update(self._task, completed=0, total=total, description=what)

    def advance(self, count: int) -> None:
        self._done += count
        self._bar.update(self._task, completed=self._done)
        quarters = self._done * 4 // self._total
        if self._bar.disable and not self._quiet and quarters > self._reported:
            self._reported = quarters
            print(f"{self._what}: {self._done:,} of {self._total:,}", file=sys.stderr)


# --- reporting ------------------------------------------------------------------------------------


@dataclass
class Report:
    """What was read, what was recorded, what is odd."""

    folder: Path
    tables: Mapping[str, list[olist.Row]]
    source: olist.Olist
    result: Result
    position: int
    seconds: float

    @property
    def oddities(self) -> dict[str, list[str]]:
        """In the order in which they are explained."""
        return {kind: found for kind in olist.ODDITIES if (found := self.source.oddities.get(kind))}

    def as_json(self) -> dict[str, Any]:
        return {
            "read": {name: len(rows) for name, rows in self.tables.items()},
            "applied": dict(self.result.applied),
            "replayed": dict(self.result.replayed),
            "refused": dict(self.result.refused),
            "refusal_examples": dict(self.result.examples),
            "oddities": {kind: len(found) for kind, found in self.oddities.items()},
            "problems": self.source.problems,
            "position": self.position,
            "seconds": round(self.seconds, 3),
        }

    def print(self, session: Session) -> None:
        out, result = session.out, self.result
        new, known = result.applied.total(), result.replayed.total()
        summary = f"{new:,} new commands recorded" if new else "Nothing new"
        again = f"{known:,} were known already" if known else ""
        out.title(f"Olist from {self.folder}", f"in {self.seconds:.1f} s")
        out.say(f"{', '.join(filter(None, [summary, again]))}; the log stands at {self.position:,}.")
        out.blank()
        out.table(["file", ">rows read"], [[f"{name}.csv", f"{len(rows):,}"] for name, rows in self.tables.items()])
        out.blank()
        kinds = dict.fromkeys([*result.applied, *result.replayed])
        rows = [[kind.replace("_", " "), f"{result.applied[kind]:,}", f"{result.replayed[kind]:,}"] for kind in kinds]
        out.table(["command", ">new", ">known"], rows)
        if self.oddities:
            out.blank()
            rows = [[kind.replace("_", " "), f"{len(f):,}", olist.ODDITIES[kind]] for kind, f in self.oddities.items()]
            out.table(["oddity", ">times", "what it is, and what was made of it"], rows)
        self._print_losses(session)

    def _print_losses(self, session: Session) -> None:
        out = session.out
        if problems := self.source.problems:
            out.blank()
            out.title(f"{len(problems)} rows could not be understood")
            for problem in problems[:_MOST_PROBLEMS]:
                out.say(problem)
            if len(problems) > _MOST_PROBLEMS:
                out.say(f"... and {len(problems) - _MOST_PROBLEMS} more; --json lists all.")
        if self.result.refused:
            out.blank()
            rows = [[reason, count, self.result.examples[reason][0]] for reason, count in self.result.refused.items()]
            out.table(["refused because", ">times", "for example"], rows)
