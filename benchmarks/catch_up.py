"""Projections from nothing to the head of an existing log: each alone, all of them together, and folded aside.

The log holds whole lives of orders, 15 facts each. Every projection gets a copy of its database.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

from benchmarks import load
from benchmarks.stage import Figure, Stage, client
from projections import PROJECTIONS
from projections.machine import runner
from projections.machine.aside import fold_aside
from projections.machine.following import at_full_speed

_SCHEMA = "tenant_default"


def measure(stage: Stage, run: int) -> Iterator[Figure]:
    log = lived(stage)
    wanted = {each.name: (each,) for each in PROJECTIONS} | {"all": PROJECTIONS}
    for name, projections in wanted.items():
        with stage.database(copy_of=log) as conninfo:
            began = perf_counter()
            facts = runner.catch_up(conninfo, _SCHEMA, projections)
            seconds = perf_counter() - began
        yield Figure(f"catch_up.{name}.facts_per_second", facts / seconds)
    for name in ("reporting", "all"):
        with stage.database(copy_of=log) as conninfo, at_full_speed():
            began = perf_counter()
            fold_aside(conninfo, _SCHEMA, wanted[name], facts, "benchmark")
            seconds = perf_counter() - began
        yield Figure(f"catch_up.{name} aside.facts_per_second", facts / seconds)


def lived(stage: Stage) -> str:
    """The conninfo of a log with whole lives of orders, to copy."""

    def fill(conninfo: str) -> None:
        with stage.ledger_on(conninfo, "api") as address, client() as ask:
            ask(load.prepare, address).result()
            ask(load.live, address, "life", stage.size.lives).result()

    return stage.kept("lives of orders", fill)
