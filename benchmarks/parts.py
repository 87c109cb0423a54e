"""The parts that are measured, how long each takes, and one run after another through them.

A part that fails says so and the others go on; its figures of that run are left out, so that those that are compared
stay figures of one run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape

from benchmarks import (
    access,
    batch,
    catch_up,
    checking,
    commands,
    decision,
    exports,
    files,
    lag,
    logs,
    long,
    machine,
    olist,
    reading,
    resting,
    scorecards,
    starts,
    tenants,
    turns,
    watched,
    webhooks,
)
from benchmarks.report import Found, number
from benchmarks.stage import Figure, Skipped, Stage

Measure = Callable[[Stage, int], Iterator[Figure]]


class Part(NamedTuple):
    seconds: int
    """How long it takes at its usual size, on two cores with nothing beside."""
    measure: Measure
    about: str


PARTS = {
    "commands": Part(
        50, commands.measure, "orders placed by 1 to 256 callers, beside an empty call and a save per call"
    ),
    "turns": Part(35, turns.measure, "the same by 64 callers in short turns, the engine alone, and batches"),
    "watched": Part(35, watched.measure, "what metrics, traces and an export beside cost those who place orders"),
    "tenants": Part(45, tenants.measure, "64 callers over 1, 10 and 100 tenants"),
    "resting": Part(70, resting.measure, "what tenants without work cost"),
    "logs": Part(45, logs.measure, "logs of different lengths, and all orders on one SKU"),
    "long": Part(25, long.measure, "starts on long streams"),
    "lag": Part(20, lag.measure, "how far read models are behind 64 callers"),
    "starts": Part(20, starts.measure, "how long a start takes, and memory for an order that is kept"),
    "batch": Part(15, batch.measure, "one to four batches in flight"),
    "reading": Part(15, reading.measure, "reading an order while 64 callers write"),
    "webhooks": Part(20, webhooks.measure, "webhooks of a shop while 64 callers write"),
    "access": Part(18, access.measure, "what tokens and TLS cost"),
    "catch-up": Part(20, catch_up.measure, "read models from nothing"),
    "checking": Part(8, checking.measure, "a check of a ledger"),
    "export": Part(15, exports.measure, "exporting a large table"),
    "files": Part(15, files.measure, "importing a file of orders"),
    "import": Part(12, olist.measure, "importing the Olist half"),
    "scorecards": Part(25, scorecards.measure, "scorecards of many suppliers"),
    "decision": Part(20, decision.measure, "every command on an order of 50 lines, in memory"),
}


class Course:
    """Some parts, so many times."""

    def __init__(self, names: Sequence[str], runs: int, console: Console, *, usual: bool = True) -> None:
        """How long it takes is known for the usual size."""
        self._names, self._runs, self._console, self._usual = names, runs, console, usual
        self._expected = minutes(runs * sum(PARTS[name].seconds for name in names))
        self.found = Found()

    def tell_plan(self) -> None:
        """What comes, and how long it will take."""
        for name in self._names:
            seconds = f"{PARTS[name].seconds:4} s" if self._usual else ""
            self._say(f"{name:10} {seconds}  {PARTS[name].about}")
        runs = f", {self._runs} runs" if self._runs > 1 else ""
        expected = (
            f"about {self._expected} min on two cores with nothing beside"
            if self._usual
            else "longer or shorter than a usual run"
        )
        self._say(f"{len(self._names)} parts{runs}: {expected}; Ctrl-C ends it and leaves nothing behind")

    def go(self, stage: Stage) -> Found:
        began, of = time.monotonic(), f" of about {self._expected}" if self._usual else ""
        for run in range(self._runs):
            for place, name in enumerate(self._names, 1):
                told = f"run {run + 1}, " if self._runs > 1 else ""
                at = minutes(time.monotonic() - began)
                self._say(f"[{told}{place}/{len(self._names)}, {at}{of}] {name}")
                self._measure(stage, run, name)
        return self.found

    def _measure(self, stage: Stage, run: int, name: str) -> None:
        began, figures, used = time.monotonic(), [], _processor_seconds(stage)
        try:
            for figure in PARTS[name].measure(stage, run):
                figures.append(figure)
                self._say(f"  {figure.name} = {number(figure.value)}")
        except Skipped as reason:
            self.found.skipped[name] = str(reason)
            self._say(f"  not measured: {reason}")
        except Exception as reason:  # noqa: BLE001 - whatever it is, the other parts go on
            self.found.failed[name] = f"{type(reason).__name__}: {' '.join(str(reason).split())[:200]}"
            self._console.print_exception()
            self._say(f"  {name} failed, the rest goes on")
        else:
            for figure in figures:
                self.found.figures.setdefault(figure.name, []).append(figure.value)
        took = time.monotonic() - began
        self.found.took.setdefault(name, []).append(took)
        busy = _processor_seconds(stage) - used
        of = f" of about {PARTS[name].seconds}" if self._usual else ""
        self._say(f"  took {took:.0f} s{of}, {busy:.0f} s of processor time", "dim")

    def _say(self, words: str, style: str = "") -> None:
        self._console.print(escape(words), style=style, highlight=False, soft_wrap=True)


def minutes(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02}"


def _processor_seconds(stage: Stage) -> float:
    """Of this process, of those that it has started, also of those that have ended, and of PostgreSQL."""
    return machine.used_by_all(stage.conninfo) + sum(os.times()[:4])
