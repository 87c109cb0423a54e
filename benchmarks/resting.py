"""What tenants without work cost: processor time of all processes, in cores, of one tenant and of many.

Everything is looked at once after a start, and again every six hours: that share of the first looks is added. All other
figures here are ratios; this one is a sum of the processor's own counts, which hardly depends on who else is at work.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

import psycopg

from adapters.every_tenant import REST
from benchmarks.machine import used_by_all
from benchmarks.stage import Figure, Skipped, Stage, entered
from benchmarks.tenants import with_tenants

_SETTLE_SECONDS = 15.0
_SETTLED_CORES = 0.05
"""Nobody uses more than this for so long: the first looks are over, with their tail."""
_MOST_SECONDS = 600.0
"""After which is measured what there is."""


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
    """So many tenants, all at rest, as no first look made them."""

    def rest(conninfo: str) -> None:
        with psycopg.connect(conninfo) as connection:
            connection.execute("UPDATE fulfilment.tenants SET awake_until = now()")

    return stage.kept(f"{number} tenants at rest", rest, with_tenants(stage, number - 1))


def _settled(conninfo: str) -> float:
    """What was used once hardly anything is used any more."""
    used, give_up_at = used_by_all(conninfo), time.monotonic() + _MOST_SECONDS
    while True:
        time.sleep(_SETTLE_SECONDS)
        before, used = used, used_by_all(conninfo)
        if used - before < _SETTLE_SECONDS * _SETTLED_CORES or time.monotonic() > give_up_at:
            return used
