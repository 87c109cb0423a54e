"""Placing the same orders by ExecuteBatch, with one to four batches in flight, by turns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from statistics import median

from benchmarks import load
from benchmarks.stage import Figure, Stage, client

IN_FLIGHT = (1, 2, 3, 4)
USUAL = 2
"""What other figures are compared with."""
_TURNS = 4


def measure(stage: Stage, run: int) -> Iterator[Figure]:
    size = stage.size
    found: defaultdict[int, list[load.Load]] = defaultdict(list)
    with stage.ledger("api") as address, client() as ask:
        for turn in range(_TURNS):
            for number in IN_FLIGHT:
                series = f"batch-{turn}-{number}"
                count = max(size.batches // _TURNS, number)
                found[number].append(ask(load.batches, address, series, size.batch_size, count, number).result())
    rates = {number: median(each.per_second for each in loads) * size.batch_size for number, loads in found.items()}
    yield Figure("batch.orders_per_second", rates[USUAL])
    yield Figure("batch.median_ms", median(each.milliseconds(0.5) for each in found[USUAL]))
    for number in IN_FLIGHT:
        if number != USUAL:
            yield Figure(f"batch.{number}_to_{USUAL}", rates[number] / rates[USUAL])
