"""Placing orders by 64 callers in one tenant, in 10, and in 100, by turns: what it costs that each has its own log.

Each call goes to the next tenant, so that with 100 of them hardly two calls that wait at once are of the same. Beside
the ratios stands the processor time of a call, which depends less on who else is at work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import psycopg

from adapters.database.control import Control
from adapters.database.postgres import open_pool
from benchmarks import commands, load
from benchmarks.machine import used
from benchmarks.rounds import Rounds
from benchmarks.stage import Figure, Stage, client, entered
from projections import PROJECTIONS
from projections.machine.database import make_tables, open_connection

CALLERS = 64
_SKUS = 10
"""Of each tenant: making stock of more for all of them takes longer than what is measured."""
FIGURES = {
    "per_second": "calls/s",
    "server_us": "processor time of the server, µs a call",
    "sessions_us": "processor time of PostgreSQL's sessions, µs a call",
}


def measure(stage: Stage, run: int) -> Iterator[Figure]:
    calls = max(stage.size.calls // 8, 100)
    numbers = stage.size.busy_tenants
    rounds = Rounds([f"{number}" for number in numbers], stage.size.turns // 2)
    with ExitStack() as opened:
        ask = opened.enter_context(client())
        empty = opened.enter_context(commands.serving(stage, "empty"))
        beside = ask(load.place, empty, "empty", CALLERS, calls, calls).result().per_second
        houses = entered(opened, {f"{number}": _house(stage, number) for number in numbers})
        for turn, number in rounds:
            conninfo, address, reach = houses[number]
            before = used(conninfo)
            placed = ask(load.place, address, f"turn-{turn}", CALLERS, 0, calls, reach, _SKUS).result()
            server, sessions = (now - then for now, then in zip(used(conninfo), before, strict=True))
            rounds.add(number, placed)
            rounds.add_figure(f"{number}.server_us", server / calls * 1e6)
            rounds.add_figure(f"{number}.sessions_us", sessions / calls * 1e6)
    yield Figure("tenants.empty.per_second", beside)
    for each in numbers:
        yield Figure(f"tenants.{each}.per_second", rounds.middle(f"{each}"))
        yield Figure(f"tenants.{each}.server_us", rounds.middle(f"{each}.server_us"))
        yield Figure(f"tenants.{each}.sessions_us", rounds.middle(f"{each}.sessions_us"))
    for each in numbers[1:]:
        yield Figure(f"tenants.{each}_to_1", rounds.ratio(f"{each}", "1"))


@contextmanager
def _house(stage: Stage, number: int) -> Iterator[tuple[str, str, load.Reach]]:
    """A server with so many tenants, each with a supplier and stock."""
    reach = load.Reach(tenants=[f"shop_{each}" for each in range(number)])
    with (
        stage.database(copy_of=with_tenants(stage, number)) as conninfo,
        stage.ledger_on(conninfo, "api") as address,
        client() as ask,
    ):
        ask(load.prepare, address, reach, _SKUS).result()
        yield conninfo, address, reach


def with_tenants(stage: Stage, number: int) -> str:
    """So many tenants with the tables of their read models, which clock and outbox ask every second of who is awake."""
    names = [f"shop_{each}" for each in range(number)]

    def fill(conninfo: str) -> None:
        asyncio.run(_make(conninfo, names))
        with psycopg.connect(conninfo) as connection:
            schemas = [schema for (schema,) in connection.execute("SELECT schema FROM fulfilment.tenants").fetchall()]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda some: _make_read_models(conninfo, some), (schemas[::2], schemas[1::2])))

    return stage.kept(f"{number} tenants", fill)


async def _make(conninfo: str, names: Sequence[str]) -> None:
    """Tenants of these names, two at a time: making one takes PostgreSQL a quarter of a second."""
    async with open_pool(conninfo) as pool:
        control = Control(pool)
        await control.prepare()

        async def make_some(mine: Sequence[str]) -> None:
            for name in mine:
                await control.create_tenant(name)

        await asyncio.gather(make_some(names[::2]), make_some(names[1::2]))


def _make_read_models(conninfo: str, schemas: Sequence[str]) -> None:
    with open_connection(conninfo) as connection:
        for schema in schemas:
            make_tables(connection, schema, PROJECTIONS)
