"""Webhooks a second through one edge process, each answered after its commit, while 64 callers place other orders.

The same deliveries go to an endpoint on the same HTTP server that does nothing, under the same load. The edge works on
what it takes in meanwhile, in the same process: each delivery becomes an order.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import psycopg

from benchmarks import deliveries, load
from benchmarks.reading import WRITERS
from benchmarks.stage import Ask, Figure, Stage, client

WANTED_PER_SECOND = 500.0
_LONGEST_SECONDS = 600.0
_DONE = "SELECT count(*) FROM tenant_default.ledger_inbox WHERE state = 'done'"


def measure(stage: Stage, run: int) -> Iterator[Figure]:
    count = max(stage.size.calls // 4, 100)
    edge_options = ("--role", "edge", "--web", "127.0.0.1:0", "--data", str(stage.folder), "--log-level", "info")
    with (
        stage.database() as conninfo,
        stage.ledger_on(conninfo, "api") as api,
        stage.process("server.py", "--dsn", conninfo, *edge_options) as edge,
        stage.process("-m", "benchmarks.empty_web") as empty,
        client() as ask_to_write,
        client() as ask_to_send,
    ):
        ask_to_write(load.prepare, api).result()
        ask_to_write(deliveries.connect, api).result()
        rates = {}
        for name, address in (("empty", empty), ("kept", edge)):
            sent = _beside_writers(ask_to_write, ask_to_send, api, name, (address, 1, count // 10, count))
            rates[name] = sent.per_second
            yield Figure(f"webhooks.{name}.per_second", sent.per_second)
            yield Figure(f"webhooks.{name}.median_ms", sent.milliseconds(0.5))
            yield Figure(f"webhooks.{name}.p99_ms", sent.milliseconds(0.99))
        yield Figure("webhooks.kept_to_empty", rates["kept"] / rates["empty"])
        yield Figure("webhooks.drained.seconds", _drained(conninfo, count + count // 10))
        paced = (edge, 10_000_000, 50, count, WANTED_PER_SECOND)
        sent = _beside_writers(ask_to_write, ask_to_send, api, "paced", paced)
        yield Figure("webhooks.paced.per_second", sent.per_second)
        yield Figure("webhooks.paced.median_ms", sent.milliseconds(0.5))
        yield Figure("webhooks.paced.p99_ms", sent.milliseconds(0.99))


def _beside_writers(ask_to_write: Ask, ask_to_send: Ask, api: str, name: str, what: tuple[Any, ...]) -> load.Load:
    """Sends while others write all the time."""
    sending, turn = ask_to_send(deliveries.send, *what), 0
    while not sending.done():
        ask_to_write(load.place, api, f"beside-{name}-{turn}", WRITERS, 0, 1000).result()
        turn += 1
    return sending.result()


def _drained(conninfo: str, all_of_them: int) -> float:
    """Seconds until all that was kept has become orders."""
    began = time.monotonic()
    with psycopg.connect(conninfo, autocommit=True) as connection:
        while connection.execute(_DONE).fetchone() != (all_of_them,):
            if time.monotonic() - began > _LONGEST_SECONDS:
                raise RuntimeError("what was kept does not become orders")
            time.sleep(0.02)
    return time.monotonic() - began
