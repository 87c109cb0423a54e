"""Placing the same orders by ExecuteBatch, two batches in flight."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import load
from benchmarks.stage import Figure, Stage, client

IN_FLIGHT = 2


def measure(stage: Stage, run: int) -> Iterator[Figure]:
    size = stage.size
    with stage.ledger("api") as address, client() as ask:
        result = ask(load.batches, address, "batch", size.batch_size, size.batches, IN_FLIGHT).result()
    yield Figure("batch.orders_per_second", result.per_second * size.batch_size)
    yield Figure("batch.median_ms", result.milliseconds(0.5))
