"""The same with 64 callers in many short turns, so that what is compared is close in time, and with the engine alone.

The speed of a shared machine changes, but hardly within a second. Each turn gives a ratio, and the median of all
turns is reported.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from statistics import median

from benchmarks import commands, load
from benchmarks.stage import Figure, Stage, client

CALLERS = 64
TURNS = 12
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
)


def measure(stage: Stage, run: int) -> Iterator[Figure]:
    calls = max(stage.size.calls // 4, 100)
    with ExitStack() as opened:
        addresses = {name: opened.enter_context(commands.serving(stage, name)) for name in SUBJECTS}
        ask = opened.enter_context(client())
        rates: dict[str, list[float]] = {name: [] for name in SUBJECTS}
        for turn in range(TURNS + 1):
            for name in list(SUBJECTS)[:: 1 if turn % 2 else -1]:
                result = ask(load.place, addresses[name], f"turn-{turn}", CALLERS, calls // 10, calls).result()
                rates[name].append(result.per_second)
    for name, taken in rates.items():
        yield Figure(f"turns.{name}.per_second", median(taken[1:]))  # the first turn warms up
    for name, beside in RATIOS:
        pairs = zip(rates[name][1:], rates[beside][1:], strict=True)
        yield Figure(f"turns.{name}_to_{beside}", median(one / other for one, other in pairs))
