"""Placing one-line orders: an empty call, a save for each call, and the ledger, by 1 to 256 callers.

At each level the subjects take their turns, each on a fresh database and as fresh processes, so that
a noisy moment of the machine affects all alike; each run begins with another subject.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import load
from benchmarks.stage import Figure, Stage, client

LEVELS = (1, 16, 64, 256)
SUBJECTS = {
    "empty": "empty gRPC call",
    "library": "a save per call",
    "ledger": "the ledger",
    "projected": "the ledger and its projector",
}


def measure(stage: Stage, run: int) -> Iterator[Figure]:
    names = list(SUBJECTS)
    first = run % len(names)
    for callers in LEVELS:
        for subject in names[first:] + names[:first]:
            with serving(stage, subject) as address, client() as ask:
                size = stage.size
                result = ask(load.place, address, "order", callers, size.warm_up, size.calls).result()
            prefix = f"commands.{subject}.{callers}"
            yield Figure(f"{prefix}.per_second", result.per_second)
            yield Figure(f"{prefix}.median_ms", result.milliseconds(0.5))
            yield Figure(f"{prefix}.p99_ms", result.milliseconds(0.99))


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
