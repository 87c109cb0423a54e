"""Deciding on an order of 50 lines, or of more: pure functions over folded streams in memory, no gRPC, no database.

Every command is decided as the edge hands it to the ledger, with the alerts that it gives rise to, on a draft of
the book as each of the ledger's batches begins with one. The time to fold its facts is measured as well.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from statistics import median
from time import perf_counter

from benchmarks import large_world
from benchmarks.large_order import commands
from benchmarks.large_world import Command, decided
from benchmarks.stage import Figure, Stage

_FOLDS = 5
"""How often the facts of a command are folded, each time on a world of its own."""


def measure(stage: Stage, run: int) -> Iterator[Figure]:
    slowest = 0.0
    large_world.resize(stage.size.order_lines)
    for command in commands():
        # As in the server, the garbage collector does not walk older objects.
        gc.freeze()
        deciding, folding = median(_deciding(command, stage.size.decisions)), median(_folding(command))
        slowest = max(slowest, deciding)
        yield Figure(f"decision.{command.name}.median_ms", deciding * 1000)
        yield Figure(f"folding.{command.name}.median_ms", folding * 1000)
    yield Figure("slowest_decision.median_ms", slowest * 1000)


def _deciding(command: Command, times: int) -> list[float]:
    book, decide, seconds = command.before.book, decided(command.decide, command.before.now), []
    for _ in range(times):
        draft = book.begin()
        began = perf_counter()
        changes = decide(draft)
        seconds.append(perf_counter() - began)
        if len(changes) < command.facts:
            raise RuntimeError(f"{command.name} recorded {len(changes)} facts, not {command.facts}")
    return seconds


def _folding(command: Command) -> list[float]:
    decide, seconds = decided(command.decide, command.before.now), []
    for _ in range(_FOLDS):
        draft = command.before.book.begin()
        changes = decide(draft)
        draft.check(changes)
        began = perf_counter()
        for change in changes:
            draft.apply(*change)
        seconds.append(perf_counter() - began)
    return seconds
