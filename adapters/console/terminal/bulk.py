"""A CSV file in which each line is a command: sent in batches, with errors reported line by line."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from adapters.console.terminal import files, words
from adapters.console.terminal.batches import Bar, Group, Result, send
from adapters.console.terminal.client import Trouble
from adapters.console.terminal.sentences import translated
from adapters.console.terminal.session import Session
from fulfilment.v1 import batch_pb2, common_pb2

F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R")

_MOST_SHOWN = 20
_FIELD = re.compile(r"\bcommands\[\d+\]\.\w+\.([\w.\[\]]+)")
"""A field of a command in a batch."""


def option_lines(columns: str) -> Callable[[F], F]:
    """``--csv FILE`` of what is typed otherwise, many times."""
    return click.option(
        "--csv",
        "source",
        metavar="FILE",
        help=f"Many at once, with the columns {columns}; a second run changes nothing. - is standard input.",
    )


class Source(NamedTuple):
    """A file of lines, and what identifies it."""

    path: str
    content: bytes
    changed_ns: int
    """When the file was changed last; standard input has changed now."""

    @property
    def changed_ms(self) -> int:
        return self.changed_ns // 1_000_000

    def request_id(self, *about: str) -> str:
        """The same for the same file, as long as it is not written again."""
        identity = "\0".join((*about, str(self.changed_ns), hashlib.sha256(self.content).hexdigest()))
        return f"csv:{hashlib.sha256(identity.encode()).hexdigest()[:32]}"


def read(path: str) -> Source:
    content = files.read(path)
    return Source(path, content, time.time_ns() if path == "-" else Path(path).stat().st_mtime_ns)


class Problem(NamedTuple):
    """A line that was not recorded."""

    line: int
    reason: str
    message: str


class Warned(NamedTuple):
    """What is odd about a line that was recorded."""

    line: int
    message: str


class ReadLine:
    """The cells of a line as values; cells that cannot be read are noted as faults."""

    def __init__(self, cells: dict[str, str]) -> None:
        self._cells = cells
        self.faults: list[str] = []

    def optional(self, column: str) -> str:
        return self._cells[column]

    def required(self, column: str) -> str:
        if not self._cells[column]:
            self.faults.append(f"{column}: is required")
        return self._cells[column]

    def whole(self, column: str, usual: int | None = None) -> int:
        """A whole number that a field has room for; ``usual`` where the cell is empty."""
        text = self._cells[column]
        if not text and usual is not None:
            return usual
        try:
            return words.to_whole(text)
        except ValueError as error:
            self.faults.append(f"{column} {error}")
            return 0

    def read(self, column: str, reader: Callable[[str], R]) -> R | None:
        """What a cell means that a command would take as an option; None where it is empty."""
        if not self._cells[column]:
            return None
        try:
            return reader(self._cells[column])
        except click.UsageError as error:
            self.faults.append(f"{column} {error.message}")
            return None

    def money(self, column: str, currency: str) -> common_pb2.Money:
        if not all([self.required(column), self.required(currency)]):
            return common_pb2.Money()
        try:
            return words.to_money(f"{self._cells[column]}:{self._cells[currency]}")
        except click.UsageError as error:
            self.faults.append(f"{column} {error.message}")
            return common_pb2.Money()


class LineResults(Result):
    """The results of the lines; each request id ends with the number of its line."""

    def __init__(self, columns: Sequence[str]) -> None:
        super().__init__()
        self._columns = columns
        self.problems: list[Problem] = []
        self.warnings: list[Warned] = []

    def add_problem(self, line: int, reason: str, message: str) -> None:
        self.problems.append(Problem(line, reason, message))

    def _add_refusal(self, request_id: str, refusal: batch_pb2.BatchRefusal) -> None:
        named = _FIELD.sub(lambda field: self._column(field[1]), refusal.message)
        self.add_problem(_line_of(request_id), refusal.reason, translated(named))

    def _add_receipt(self, which: str, request_id: str, receipt: common_pb2.Receipt) -> None:
        super()._add_receipt(which, request_id, receipt)
        self.warnings += [Warned(_line_of(request_id), warning) for warning in receipt.warnings]

    def _column(self, path: str) -> str:
        """The column that fills a field: ``cost`` of ``offer.cost.amount_minor``, or the field's own name."""
        parts = path.split(".")
        return next((part for part in reversed(parts) if part.partition("[")[0] in self._columns), parts[-1])


def _line_of(request_id: str) -> int:
    return int(request_id.rpartition("/")[2])


Rows = list[tuple[int, dict[str, str]]]
"""The lines of a file, each with its number; what a file does not name has 0."""


def send_lines(
    session: Session,
    source: Source,
    columns: tuple[Sequence[str], Sequence[str]],
    command: Callable[[ReadLine, str], batch_pb2.BatchCommand],
    request_id: str,
    absent: Callable[[set[str]], list[dict[str, str]]] | None = None,
    *,
    once: bool = True,
) -> int:
    """Send each line as a command, with the columns it must and may have; the exit code is 1 if any was not recorded.

    ``command`` makes it from the row and the request id. The first column names what a line is about, each ``once``. If
    a file says all that there is, ``absent`` makes the lines that follow for what it does not name, unless a line of it
    cannot be read: that may have named it.
    """
    required, optional = columns
    rows: Rows = list(files.rows(source.path, source.content, required, optional))
    if once:
        _refuse_twice(source.path, rows, required[0])
    result = LineResults((*required, *optional))
    groups = _commands(rows, command, request_id, result)
    unnamed: Rows = []
    if absent is not None and rows and not result.problems:
        unnamed = [(0, cells) for cells in absent({cells[required[0]] for _, cells in rows})]
        groups += _commands(unnamed, command, request_id, result)
    try:
        with Bar(session) as bar:
            bar.begin("lines", len(rows) + len(unnamed))
            send(session.client, groups, result, bar)
    except Trouble as trouble:
        trouble.message += "; run the same command again to go on where it stopped"
        raise
    _print_results(session, len(rows), result, None if absent is None else len(unnamed))
    return 1 if result.problems else 0


def _commands(
    rows: Rows, command: Callable[[ReadLine, str], batch_pb2.BatchCommand], request_id: str, result: LineResults
) -> list[Group]:
    """A command for each line that can be read; the others are problems of the result."""
    groups: list[Group] = []
    for line, cells in rows:
        row = ReadLine(cells)
        # What a file does not name may be something else in the next run, so it is known by what it is.
        part = "" if line else hashlib.sha256(repr(cells).encode()).hexdigest()[:16] + "/"
        made = command(row, f"{request_id}/{part}{line}")
        if row.faults:
            result.add_problem(line, "UNREADABLE", "; ".join(row.faults))
        else:
            groups.append([made])
    return groups


def _place(line: int) -> str:
    return f"line {line}" if line else "not in the file"


def _refuse_twice(path: str, rows: Sequence[tuple[int, dict[str, str]]], column: str) -> None:
    """Refuses two lines about the same thing: the service would keep one of them, maybe the wrong one."""
    first: dict[str, int] = {}
    for line, cells in rows:
        name = cells[column]
        if name and (before := first.setdefault(name, line)) != line:
            raise Trouble(
                f"{path}: lines {before} and {line} both have the {column} {name}; leave one of them out. "
                "Nothing was sent",
                "LINE_TWICE",
                lines=[before, line],
            )


def _print_results(session: Session, lines: int, result: LineResults, unnamed: int | None) -> None:
    """unnamed is how many lines followed for what the file does not name; None where that is not asked for."""
    problems = sorted(result.problems)
    warnings = sorted(result.warnings)
    for warned in warnings[:_MOST_SHOWN]:
        session.out.warn(f"{_place(warned.line)}: {warned.message}")
    if len(warnings) > _MOST_SHOWN:
        session.out.warn(f"... and {len(warnings) - _MOST_SHOWN:,} more; --json lists all.")
    applied, known = result.applied.total(), result.replayed.total()
    if session.json:
        listed = [each._asdict() for each in problems]
        odd = [each._asdict() for each in warnings]
        followed = {} if unnamed is None else {"unnamed": unnamed}
        report = {"lines": lines, **followed, "applied": applied, "replayed": known}
        session.out.json({**report, "problems": listed, "warnings": odd})
        return
    counted = f"{lines:,} {'line' if lines == 1 else 'lines'}"
    if unnamed is not None:
        counted += f", and {unnamed:,} that the file does not name"
    session.out.say(f"{counted}: {applied:,} recorded, {known:,} known already, {len(problems):,} not taken.")
    for each in problems[:_MOST_SHOWN]:
        session.out.say(f"{_place(each.line)}: {each.message} [{each.reason}]")
    if len(problems) > _MOST_SHOWN:
        session.out.say(f"... and {len(problems) - _MOST_SHOWN:,} more; --json lists all.", style="dim")
