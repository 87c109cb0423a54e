"""A CSV file of which each line is a command: sent in batches, and told line by line what was wrong."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from adapters.console import files
from adapters.console.client import Trouble
from adapters.console.importing import Bar, Group, Result, send
from adapters.console.sentences import translated
from adapters.console.session import Session
from fulfilment.v1 import batch_pb2

F = TypeVar("F", bound=Callable[..., Any])

_MOST_SHOWN = 20
_IN_BATCH = re.compile(r"^commands\[\d+\]\.\w+\.")
"""Where in a batch a field stands, which tells nobody anything."""


def option_lines(columns: str) -> Callable[[F], F]:
    """``--csv FILE`` of what is typed otherwise, many times."""
    return click.option(
        "--csv",
        "source",
        metavar="FILE",
        help=f"Many at once, with the columns {columns}; a second run changes nothing. - is standard input.",
    )


class Source(NamedTuple):
    """A file of lines, and what tells it from others."""

    path: str
    content: bytes
    changed_ns: int
    """When the file was changed last; standard input has changed now."""

    @property
    def changed_ms(self) -> int:
        return self.changed_ns // 1_000_000

    def request_id(self, *about: str) -> str:
        """The same for the same file, as long as nobody writes it anew."""
        said = "\0".join((*about, str(self.changed_ns), hashlib.sha256(self.content).hexdigest()))
        return f"csv:{hashlib.sha256(said.encode()).hexdigest()[:32]}"


def read(path: str) -> Source:
    content = files.read(path)
    return Source(path, content, time.time_ns() if path == "-" else Path(path).stat().st_mtime_ns)


class Problem(NamedTuple):
    """A line that was not recorded."""

    line: int
    reason: str
    message: str


class Lines(Result):
    """What came of the lines; each request id ends with the number of its line."""

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[Problem] = []

    def add_problem(self, line: int, reason: str, message: str) -> None:
        self.problems.append(Problem(line, reason, message))

    def _add_refusal(self, request_id: str, refusal: batch_pb2.BatchRefusal) -> None:
        line = int(request_id.rpartition("/")[2])
        self.add_problem(line, refusal.reason, translated(_IN_BATCH.sub("", refusal.message)))


Cells = dict[str, str]


def send_lines(
    session: Session,
    source: Source,
    columns: tuple[Sequence[str], Sequence[str]],
    command: Callable[[Cells, str], batch_pb2.BatchCommand],
    request_id: str,
) -> int:
    """Send each line as a command, with the columns it must and may have; the exit code is 1 if any was not recorded.

    ``command`` makes it from the cells and the request id, and raises ValueError or UsageError with what is wrong.
    """
    required, optional = columns
    rows = list(files.rows(source.path, source.content, required, optional))
    result = Lines()

    def commands() -> Iterator[Group]:
        for line, cells in rows:
            try:
                yield [command(cells, f"{request_id}/{line}")]
            except (ValueError, click.UsageError) as error:
                result.add_problem(
                    line, "UNREADABLE", error.message if isinstance(error, click.UsageError) else str(error)
                )

    try:
        with Bar(session) as bar:
            bar.begin("lines", len(rows))
            send(session.client, commands(), result, bar)
    except Trouble as trouble:
        trouble.message += "; run the same command again to go on where it stopped"
        raise
    _tell(session, len(rows), result)
    return 1 if result.problems else 0


def _tell(session: Session, lines: int, result: Lines) -> None:
    problems = sorted(result.problems)
    applied, known = result.applied.total(), result.replayed.total()
    if session.json:
        told = [each._asdict() for each in problems]
        session.out.json({"lines": lines, "applied": applied, "replayed": known, "problems": told})
        return
    session.out.say(f"{lines:,} lines: {applied:,} recorded, {known:,} known already, {len(problems):,} not taken.")
    for each in problems[:_MOST_SHOWN]:
        session.out.say(f"line {each.line}: {each.message} [{each.reason}]")
    if len(problems) > _MOST_SHOWN:
        session.out.say(f"... and {len(problems) - _MOST_SHOWN:,} more; --json lists all.", style="dim")


def whole(cells: Cells, column: str, usual: int | None = None) -> int:
    """A cell as a whole number."""
    if not cells[column] and usual is not None:
        return usual
    try:
        return int(cells[column])
    except ValueError:
        raise ValueError(f"{column} {cells[column]!r} is not a whole number") from None
