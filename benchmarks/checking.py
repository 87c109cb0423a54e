"""A check of an existing ledger, step by step: whole lives of orders, 15 facts each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from time import perf_counter

from adapters.ledger_check.check import STEPS, CheckRun, Notes, Progress
from benchmarks.catch_up import lived
from benchmarks.stage import Figure, Stage
from projections import PROJECTIONS
from projections.machine import runner

_SCHEMA = "tenant_default"
_LEAST_SECONDS = 0.01
"""That the system counts."""


def measure(stage: Stage, run: int) -> Iterator[Figure]:
    with stage.database(copy_of=lived(stage)) as conninfo:
        facts = runner.catch_up(conninfo, _SCHEMA, PROJECTIONS)
        for step in STEPS:
            progress = Progress("default", steps=(step,))
            began, used = perf_counter(), _processor_seconds()
            check = CheckRun(conninfo, _SCHEMA, progress, Notes(None), lambda words: None, workers=1)
            if found := check.run().first:
                raise RuntimeError(f"the ledger is wrong: {found[0]}")
            seconds, used = perf_counter() - began, _processor_seconds() - used
            yield Figure(f"checking.{step}.facts_per_second", facts / seconds)
            yield Figure(f"checking.{step}.facts_per_processor_second", facts / max(used, _LEAST_SECONDS))


def _processor_seconds() -> float:
    """Of this process: PostgreSQL's are not counted."""
    times = os.times()
    return times.user + times.system
