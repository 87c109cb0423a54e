"""What tenants without work cost: processor time of all processes, in cores, of one tenant and of many.

Everything is looked at once after a start, and again every half hour: that share of the first looks is added. All other
figures here are ratios; this one is a sum of the processor's own counts, which hardly depends on who else is at work.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import psycopg

from adapters.every_tenant import REST
from benchmarks.machine import used_by_all
from benchmarks.stage import Figure, Skipped, Stage, entered
from benchmarks.tenants import make
from projections import PROJECTIONS
from projections.machine.database import make_tables, open_connection

_SETTLE_SECONDS = 5.0
"""Nobody uses the processor more than at rest for so long: the first looks are over."""


def measure(stage: Stage, run: int) -> Iterator[Figure]:
    if not sys.platform.startswith("linux"):
        raise Skipped("reads what the processes used from /proc, which Linux has")
    for number in (1, stage.size.tenants):
        with stage.database(copy_of=_at_rest(stage, number)) as conninfo, ExitStack() as opened:
            before = used_by_all(conninfo)
            servers = {f"{each}": stage.ledger_on(conninfo, "all") for each in range(stage.size.servers)}
            entered(opened, servers)
            first = _settled(conninfo) - before
            began, used = time.monotonic(), used_by_all(conninfo)
            time.sleep(stage.size.rest_seconds)
            steady = (used_by_all(conninfo) - used) / (time.monotonic() - began)
            if number > 1:
                yield Figure("resting.first_look.milliseconds", 1000 * first / number)
            yield Figure(f"resting.{number if number == 1 else 'many'}.cores", steady + first / REST.total_seconds())


def _at_rest(stage: Stage, number: int) -> str:
    """So many tenants, all at rest, with the tables of their read models: those are made once, and no first look."""
    names = [f"shop_{each}" for each in range(number - 1)]
    bare = stage.kept(f"{number - 1} tenants", lambda conninfo: asyncio.run(make(conninfo, names)))

    def fill(conninfo: str) -> None:
        with psycopg.connect(conninfo) as connection:
            schemas = [schema for (schema,) in connection.execute("SELECT schema FROM fulfilment.tenants").fetchall()]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda some: _make_read_models(conninfo, some), (schemas[::2], schemas[1::2])))
        with psycopg.connect(conninfo) as connection:
            connection.execute("UPDATE fulfilment.tenants SET awake_until = now()")

    return stage.kept(f"{number} tenants at rest", fill, bare)


def _make_read_models(conninfo: str, schemas: list[str]) -> None:
    with open_connection(conninfo) as connection:
        for schema in schemas:
            make_tables(connection, schema, PROJECTIONS)


def _settled(conninfo: str) -> float:
    """What was used once hardly anything is used any more."""
    used = used_by_all(conninfo)
    while True:
        time.sleep(_SETTLE_SECONDS)
        before, used = used, used_by_all(conninfo)
        if used - before < _SETTLE_SECONDS * 0.1:
            return used
