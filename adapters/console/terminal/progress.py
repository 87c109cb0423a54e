"""How far long work is, as a bar at a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskID, TextColumn, TimeElapsedColumn

from adapters.console.terminal.session import Session


def bar_of(session: Session, *columns: ProgressColumn | str) -> Progress:
    """A bar on standard error that goes once it is done; it shows nothing where that is no terminal, or with --json."""
    quiet = session.json or not sys.stderr.isatty()
    return Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True)


class CountedBar:
    """What is done, a bar, how much of it in words, and for how long: within 80 columns."""

    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar, self._task = bar, task

    @classmethod
    @contextmanager
    def of(cls, session: Session, what: str) -> Iterator[Self]:
        parts = (TextColumn("{task.description}"), BarColumn(16), TextColumn("{task.fields[counted]}"))
        with bar_of(session, *parts, TimeElapsedColumn()) as bar:
            yield cls(bar, bar.add_task(what, total=None, counted=""))

    def show(self, what: str, done: int, total: int, counted: str) -> None:
        self._bar.update(self._task, description=what, completed=done, total=total, counted=counted)

    def folded(self, position: int, until: int) -> None:
        """How far the log is folded aside to answer as of a position."""
        self.show(FOLDING if position else WAITING, position, until, f"{position:,} of {until:,} facts")


FOLDING, WAITING = "folding the log", "waiting to fold the log"
