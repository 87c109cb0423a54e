"""Placing one-line orders: an empty call, a save for each call, and the ledger, by 1 to 256 callers.

Each subject is a fresh process on a fresh database. At each level they take two turns, the second the other way
round, so that a noisy moment of the machine affects all alike; each run begins with another subject.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from benchmarks import load
from benchmarks.load import percentile
from benchmarks.stage import Figure, Stage, client, entered

LEVELS = (1, 16, 64, 256)
SUBJECTS = {
    "empty": "empty gRPC call",
    "library": "a save per call",
    "ledger": "the ledger",
    "projected": "the ledger and its projector",
}
_CATCH_UP_SECONDS = 1.0
"""For what the projector has still to read: the next subject must not wait for it."""
_SLOWER = 4
"""How many times fewer calls a save per call gets: they take as long as those of the others."""


def calls_of(subject: str, calls: int, callers: int = 64) -> int:
    """How many of the usual number of calls a subject gets from so many callers."""
    few = calls * min(callers, 32) // 32 if callers < 32 else calls
    return max((few // _SLOWER if subject == "library" else few), 100)


def measure(stage: Stage, run: int) -> Iterator[Figure]:
    names = list(SUBJECTS)
    names = names[run % len(names) :] + names[: run % len(names)]
    with ExitStack() as opened:
        addresses = entered(opened, {name: serving(stage, name) for name in SUBJECTS})
        ask = opened.enter_context(client())
        for callers in LEVELS:
            loads: dict[str, list[load.Load]] = {name: [] for name in names}
            for turn, subject in [*((0, name) for name in names), *((1, name) for name in reversed(names))]:
                calls = calls_of(subject, stage.size.calls, callers) // 2
                series = f"order-{callers}-{turn}"
                placed = ask(load.place, addresses[subject], series, callers, max(calls // 5, callers), calls)
                loads[subject].append(placed.result())
                if subject == "projected":
                    time.sleep(_CATCH_UP_SECONDS)
            for subject, both in loads.items():
                yield from _figures(f"commands.{subject}.{callers}", both)


def _figures(prefix: str, loads: list[load.Load]) -> Iterator[Figure]:
    each = sorted(seconds for one in loads for seconds in one.each)
    middle, late = (percentile(each, share) * 1000 for share in (0.5, 0.99))
    yield Figure(f"{prefix}.per_second", len(each) / sum(one.seconds for one in loads))
    yield Figure(f"{prefix}.median_ms", middle)
    yield Figure(f"{prefix}.p99_ms", late)
    yield Figure(f"{prefix}.p99_to_median", late / middle)


@contextmanager
def serving(stage: Stage, subject: str) -> Iterator[str]:
    """A fresh server of a subject, on a fresh database; yields its address."""
    if subject in ("empty", "many"):
        with stage.process("-m", "benchmarks.empty", subject) as address:
            yield address
    elif subject in ("library", "bare"):
        with stage.database() as conninfo, stage.process("-m", f"benchmarks.{subject}", conninfo) as address:
            yield address
    else:
        with stage.ledger("all" if subject == "projected" else "api") as address:
            yield address
