"""Placing orders by 64 callers in one tenant, in 10, and in 100, by turns: what it costs that each has its own log.

Each call goes to the next tenant, so that with 100 of them hardly two calls that wait at once are of the same. Beside
the ratios stands the processor time of a call, which depends less on who else is at work.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from statistics import median

from adapters.postgres import Control, open_pool
from benchmarks import load
from benchmarks.machine import used
from benchmarks.stage import Ask, Figure, Stage, client

CALLERS = 64
TURNS = 8
NUMBERS = (1, 10, 100)
FIGURES = {
    "per_second": "calls/s",
    "server_us": "processor time of the server, µs a call",
    "sessions_us": "processor time of PostgreSQL's sessions, µs a call",
}


def measure(stage: Stage, run: int) -> Iterator[Figure]:
    calls = max(stage.size.calls // 4, 100)
    found: defaultdict[str, list[float]] = defaultdict(list)
    with ExitStack() as opened:
        ask = opened.enter_context(client())
        houses = {number: opened.enter_context(_house(stage, ask, number)) for number in NUMBERS}
        for turn in range(TURNS + 1):
            for number in NUMBERS[:: 1 if turn % 2 else -1]:
                conninfo, address, reach = houses[number]
                before = used(conninfo)
                result = ask(load.place, address, f"turn-{turn}", CALLERS, 0, calls, reach).result()
                server, sessions = (now - then for now, then in zip(used(conninfo), before, strict=True))
                found[f"{number}.per_second"].append(result.per_second)
                found[f"{number}.server_us"].append(server / calls * 1e6)
                found[f"{number}.sessions_us"].append(sessions / calls * 1e6)
    for name, values in found.items():
        yield Figure(f"tenants.{name}", median(values[1:]))  # the first turn warms up
    for number in NUMBERS[1:]:
        pairs = zip(found[f"{number}.per_second"][1:], found["1.per_second"][1:], strict=True)
        yield Figure(f"tenants.{number}_to_1", median(one / other for one, other in pairs))


@contextmanager
def _house(stage: Stage, ask: Ask, number: int) -> Iterator[tuple[str, str, load.Reach]]:
    """A server with so many tenants, each with a supplier and stock."""
    reach = load.Reach(tenants=[f"shop_{each}" for each in range(number)])
    with stage.database() as conninfo:
        asyncio.run(_make(conninfo, reach.tenants))
        with stage.ledger_on(conninfo, "api") as address:
            ask(load.prepare, address, reach).result()
            yield conninfo, address, reach


async def _make(conninfo: str, names: Sequence[str]) -> None:
    async with open_pool(conninfo) as pool:
        control = Control(pool)
        await control.prepare()
        for name in names:
            await control.create_tenant(name)
