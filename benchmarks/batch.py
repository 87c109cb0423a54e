"""Placing the same orders by ExecuteBatch, with one to four batches in flight, by turns."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import load
from benchmarks.rounds import Rounds
from benchmarks.stage import Figure, Stage, client

IN_FLIGHT = (1, 2, 3, 4)
USUAL = 2
"""What other figures are compared with."""


def measure(stage: Stage, run: int) -> Iterator[Figure]:
    size = stage.size
    turns = max(size.turns // 2, 1)
    rounds = Rounds([f"{number}" for number in IN_FLIGHT], turns)
    with stage.ledger("api") as address, client() as ask:
        for turn, name in rounds:
            number = int(name)
            count = max(size.batches // 4, number)
            sent = ask(load.batches, address, f"batch-{turn}-{name}", size.batch_size, count, number, 0)
            rounds.add(name, sent.result(), size.batch_size)
    yield Figure("batch.orders_per_second", rounds.middle(f"{USUAL}"))
    yield Figure("batch.median_ms", rounds.milliseconds(f"{USUAL}", 0.5))
    for number in IN_FLIGHT:
        if number != USUAL:
            yield Figure(f"batch.{number}_to_{USUAL}", rounds.ratio(f"{number}", f"{USUAL}"))
