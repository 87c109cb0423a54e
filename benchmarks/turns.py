"""The same with 64 callers in many short turns, with the engine alone, and the same orders by ExecuteBatch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks import commands, load
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
            if name == "batch":
                of = ask(load.batches, addresses["ledger"], f"batch-{turn}", size, batches, _IN_FLIGHT, 0)
                rounds.add(name, of.result(), size)
                continue
            count = commands.calls_of(name, calls)
            of = ask(load.place, addresses[name], f"turn-{turn}", CALLERS, count // 10, count)
            rounds.add(name, of.result())
    for name in (*SUBJECTS, "batch"):
        yield Figure(f"turns.{name}.per_second", rounds.middle(name))
    for name, beside in RATIOS:
        yield Figure(f"turns.{name}_to_{beside}", rounds.ratio(name, beside))
    for name in ("empty", "library", "ledger"):
        yield Figure(f"turns.{name}.p99_to_median", rounds.late(name))
