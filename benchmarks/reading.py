"""Reading one order while 64 callers place others: the reader is a process of its own and no load itself."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import load, messages
from benchmarks.stage import Figure, Stage, client

WRITERS = 64
_ORDERS = 100
_READS_AT_ONCE = 50
_PAUSE_SECONDS = 0.005


def measure(stage: Stage, run: int) -> Iterator[Figure]:
    order_ids = [messages.order_id("read", number) for number in range(_ORDERS)][-_READS_AT_ONCE:]
    with stage.ledger("api") as address, client() as ask_to_write, client() as ask_to_read:
        ask_to_write(load.place, address, "read", 1, 0, _ORDERS).result()
        idle = ask_to_read(load.read, address, order_ids, _PAUSE_SECONDS).result()
        busy: list[float] = []
        writing = ask_to_write(load.place, address, "write", WRITERS, 0, 2 * stage.size.calls)
        while not writing.done() or not busy:
            busy += ask_to_read(load.read, address, order_ids, _PAUSE_SECONDS).result()
        writing.result()
    idle.sort()
    busy.sort()
    yield Figure("reading.idle.median_ms", load.percentile(idle, 0.5) * 1000)
    yield Figure("reading.busy.median_ms", load.percentile(busy, 0.5) * 1000)
    yield Figure("reading.busy.p95_ms", load.percentile(busy, 0.95) * 1000)
