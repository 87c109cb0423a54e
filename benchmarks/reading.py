"""Reading one order while 64 callers place others: the reader is a process of its own and adds no load.

Read through the process that the writers keep busy, and through a second API process on the same database. An
empty call to the busy process shows how much of the wait is gRPC's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future

from benchmarks import load, messages
from benchmarks.stage import Figure, Stage, client

WRITERS = 64
_ORDERS = 100
_READS_AT_ONCE = 50
_PAUSE_SECONDS = 0.005


def measure(stage: Stage, run: int) -> Iterator[Figure]:
    order_ids = [messages.order_id("read", number) for number in range(_ORDERS)][-_READS_AT_ONCE:]
    with (
        stage.database() as conninfo,
        stage.ledger_on(conninfo, "api") as first,
        stage.ledger_on(conninfo, "api") as second,
        client() as ask_to_write,
        client() as ask_to_read,
    ):
        ask_to_write(load.prepare, first).result()
        ask_to_write(load.place, first, "read", 1, 0, _ORDERS).result()
        idle = sorted(ask_to_read(load.read, first, order_ids, _PAUSE_SECONDS).result())
        yield Figure("reading.idle.median_ms", load.percentile(idle, 0.5) * 1000)
        reading: dict[str, Callable[[], Future[list[float]]]] = {
            "busy": lambda: ask_to_read(load.read, first, order_ids, _PAUSE_SECONDS),
            "empty": lambda: ask_to_read(load.check_health, first, _READS_AT_ONCE, _PAUSE_SECONDS),
            "second": lambda: ask_to_read(load.read, second, order_ids, _PAUSE_SECONDS),
        }
        for name, read in reading.items():
            reads: list[float] = []
            writing = ask_to_write(load.place, first, f"write-{name}", WRITERS, 0, stage.size.calls)
            while not writing.done() or not reads:
                reads += read().result()
            writing.result()
            reads.sort()
            yield Figure(f"reading.{name}.median_ms", load.percentile(reads, 0.5) * 1000)
            yield Figure(f"reading.{name}.p95_ms", load.percentile(reads, 0.95) * 1000)
