"""The same with 64 callers in many short turns, with the engine alone, and the same orders by ExecuteBatch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from benchmarks import commands, load, machine
from benchmarks.rounds import Rounds
from benchmarks.stage import Figure, Stage, client, entered

CALLERS = 64
_IN_FLIGHT = 2
"""Batches."""
SUBJECTS = {name: commands.SUBJECTS[name] for name in ("empty", "library", "ledger")} | {
    "many": "an empty call, many at once",
    "bare": "the engine alone",
}
RATIOS = (
    ("ledger", "empty"),
    ("ledger", "library"),
    ("many", "empty"),
    ("bare", "many"),
    ("ledger", "many"),
    ("ledger", "bare"),
    ("batch", "ledger"),
)


def measure(stage: Stage, run: int) -> Iterator[Figure]:
    rounds = Rounds([*SUBJECTS, "batch"], stage.size.turns)
    with ExitStack() as opened:
        addresses = entered(opened, {name: commands.serving(stage, name) for name in SUBJECTS})
        ask = opened.enter_context(client())
        calls, batches, size = stage.size.calls // 4, max(stage.size.batches // 4, 1), stage.size.batch_size
        for turn, name in rounds:
            before = machine.used_by_all(stage.conninfo)
            job: tuple[Any, ...]
            if name == "batch":
                count, of_each = batches * size, size
                job = (load.batches, addresses["ledger"], f"batch-{turn}", size, batches, _IN_FLIGHT, 0)
            else:
                count, of_each = commands.calls_of(name, calls), 1
                job = (load.place, addresses[name], f"turn-{turn}", CALLERS, 0, count)
            rounds.add(name, ask(*job).result(), of_each)
            used = machine.used_by_all(stage.conninfo) - before
            rounds.add_figure(f"{name}.processor", used / count * 1e6)
    for name in (*SUBJECTS, "batch"):
        yield Figure(f"turns.{name}.per_second", rounds.middle(name))
        if processor := rounds.middle(f"{name}.processor"):
            yield Figure(f"turns.{name}.processor_us", processor)
    for name, beside in RATIOS:
        yield Figure(f"turns.{name}_to_{beside}", rounds.ratio(name, beside))
    for name in ("empty", "library", "ledger"):
        yield Figure(f"turns.{name}.p99_to_median", rounds.late(name))
