"""What tenants without work cost: processor time of all processes, in cores, of one tenant and of many.

Everything is looked at once after a start, and again every half hour: that share of the first looks is added. All other
figures here are ratios; this one is a sum of the processor's own counts, which hardly depends on who else is at work.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

import psycopg

from adapters.every_tenant import REST
from adapters.postgres import Control, TenantSchema, open_pool
from benchmarks.machine import processes, use_of
from benchmarks.stage import Figure, Skipped, Stage
from projections import PROJECTIONS
from projections.machine.database import make_tables, open_connection

_SETTLE_SECONDS = 10.0
"""Nobody uses the processor more than at rest for so long: the first looks are over."""


def measure(stage: Stage, run: int) -> Iterator[Figure]:
    if not sys.platform.startswith("linux"):
        raise Skipped("reads what the processes used from /proc, which Linux has")
    for number in (1, stage.size.tenants):
        with stage.database() as conninfo, ExitStack() as opened:
            began = time.monotonic()
            asyncio.run(_make(conninfo, number))
            made = time.monotonic() - began
            before = _seconds(conninfo)
            for _ in range(stage.size.servers):
                opened.enter_context(stage.ledger_on(conninfo, "all"))
            first = _settled(conninfo) - before
            began, used = time.monotonic(), _seconds(conninfo)
            time.sleep(stage.size.rest_seconds)
            steady = (_seconds(conninfo) - used) / (time.monotonic() - began)
            if number > 1:
                yield Figure("resting.make_one.milliseconds", 1000 * made / number)
                yield Figure("resting.first_looks.seconds", first)
            yield Figure(f"resting.{number if number == 1 else 'many'}.cores", steady + first / REST.total_seconds())


async def _make(conninfo: str, number: int) -> None:
    """So many tenants, all at rest, with the tables of their read models: those are made once, and no first look."""
    async with open_pool(conninfo) as pool:
        control = Control(pool)
        await control.prepare()
        for each in range(number - 1):
            await control.create_tenant(f"shop_{each}")
        await asyncio.to_thread(_make_read_models, conninfo, await control.list_tenants())
        async with pool.connection() as connection:
            await connection.execute("UPDATE fulfilment.tenants SET awake_until = now()")


def _make_read_models(conninfo: str, tenants: list[TenantSchema]) -> None:
    with open_connection(conninfo) as connection:
        for each in tenants:
            make_tables(connection, each.schema, PROJECTIONS)


def _settled(conninfo: str) -> float:
    """What was used once hardly anything is used any more."""
    used = _seconds(conninfo)
    while True:
        time.sleep(_SETTLE_SECONDS)
        before, used = used, _seconds(conninfo)
        if used - before < _SETTLE_SECONDS * 0.1:
            return used


def _seconds(conninfo: str) -> float:
    """Processor time that the children of this process and PostgreSQL have used."""
    found = dict(processes())
    with psycopg.connect(conninfo) as connection:
        server = use_of(connection.info.backend_pid)[0]
    roots, used = {os.getpid(), server}, found[server][1]
    while roots:
        children = {pid for pid, (parent, _) in found.items() if parent in roots}
        used += sum(found[pid][1] for pid in children)
        roots = children
    return used
