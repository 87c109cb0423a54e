"""How far the read models are behind while 64 callers place orders as fast as they are answered.

Read from the database 20 times a second: how many facts, and how long ago the first of them was there.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from statistics import median
from typing import Any, cast

import psycopg

from benchmarks import load
from benchmarks.stage import Figure, Stage, client
from projections import PROJECTIONS

CALLERS = 64
_PAUSE_SECONDS = 0.05
_BOTH = """
    SELECT (SELECT coalesce(max(notification_id), 0) FROM tenant_default.ledger_events),
        (SELECT coalesce(min(notification_id), 0) FROM tenant_default.ledger_tracking
        WHERE application_name = ANY(%s))
"""


def measure(stage: Stage, run: int) -> Iterator[Figure]:
    calls = 2 * stage.size.calls
    with client() as ask, stage.process("-m", "benchmarks.empty") as empty:
        beside = ask(load.place, empty, "empty", CALLERS, stage.size.warm_up, calls).result().per_second
    with stage.database() as conninfo, stage.ledger_on(conninfo, "all") as address, client() as ask:
        ask(load.prepare, address).result()
        with psycopg.connect(conninfo, autocommit=True) as connection:
            _Behind(connection).wait()
            behind = _Behind(connection)
            placing = ask(load.place, address, "lag", CALLERS, stage.size.warm_up, calls)
            while not placing.done():
                behind.look()
            began = time.monotonic()
            _Behind(connection).wait()
            left = time.monotonic() - began
        placed = placing.result()
    yield Figure("lag.per_second", placed.per_second)
    yield Figure("lag.to_empty", placed.per_second / beside)
    yield Figure("lag.p99_to_median", placed.milliseconds(0.99) / placed.milliseconds(0.5))
    yield Figure("lag.median.seconds", median(behind.seconds))
    yield Figure("lag.most.seconds", max(behind.seconds))
    yield Figure("lag.most.facts", max(behind.facts))
    yield Figure("lag.until_caught_up.seconds", left)


class _Behind:
    """What is seen of the slowest read model."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._names = [each.name for each in PROJECTIONS]
        self._heads: deque[tuple[int, float]] = deque()
        """Heads of the log that are not read yet, and when each was first seen."""
        self.seconds: list[float] = [0.0]
        self.facts: list[int] = [0]

    def look(self) -> int:
        """How many facts it has to read."""
        head, read = cast("tuple[int, int]", self._connection.execute(_BOTH, (self._names,)).fetchone())
        now = time.monotonic()
        if not self._heads or self._heads[-1][0] < head:
            self._heads.append((head, now))
        while self._heads and self._heads[0][0] <= read:
            self._heads.popleft()
        self.seconds.append(now - self._heads[0][1] if self._heads else 0.0)
        self.facts.append(max(head - read, 0))
        time.sleep(_PAUSE_SECONDS)
        return head - read

    def wait(self) -> None:
        """Until it has read everything."""
        give_up_at = time.monotonic() + load.LONGEST_SECONDS
        while self.look():
            if time.monotonic() > give_up_at:
                raise RuntimeError("the projector does not catch up")
