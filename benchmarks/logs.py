"""Placing orders by 64 callers, by turns, on logs of different lengths, and all on one SKU: beside an empty call."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import median

import psycopg

from benchmarks import commands, load, messages
from benchmarks.stage import Figure, Stage, client

CALLERS = 64
TURNS = 6

# The buffers of ten thousand SKUs, set again and again, each by a command whose outcome is kept.
_FILL = """
    WITH there AS (SELECT max(notification_id) AS position FROM tenant_default.ledger_events), facts AS (
        INSERT INTO tenant_default.ledger_events (originator_id, originator_version, topic, state, notification_id)
        SELECT 'stock-acme/OLD-' || n % 10000, n / 10000 + 1, 'stock.buffer_set', convert_to(
            '{"fact":"stock.buffer_set","supplier_id":"acme","sku":"OLD-' || n % 10000
                || '","units":1,"at":"2026-03-02T12:00:00Z"}',
            'UTF8'
        ), there.position + n + 1
        FROM generate_series(0, %(facts)s - 1) AS n, there
    )
    INSERT INTO tenant_default.ledger_commands (request_id, fingerprint, actor, position, version)
    SELECT 'old-' || n, '\\x00'::bytea, 'benchmark', there.position + n + 1, n / 10000 + 1
    FROM generate_series(0, %(facts)s - 1) AS n, there
""".replace(" % 10000", " %% 10000")


def measure(stage: Stage, run: int) -> Iterator[Figure]:
    calls = max(stage.size.calls // 4, 100)
    found: defaultdict[str, list[float]] = defaultdict(list)
    short = f"{stage.size.logs[0]}"
    with ExitStack() as opened:
        ask = opened.enter_context(client())
        houses = {"empty": opened.enter_context(commands.serving(stage, "empty"))}
        houses |= {f"{facts}": opened.enter_context(_house(stage, facts)) for facts in stage.size.logs}
        subjects = [*((name, messages.SKUS) for name in houses), ("hot", 1)]
        for turn in range(TURNS + 1):
            for name, skus in subjects[:: 1 if turn % 2 else -1]:
                place = (houses.get(name, houses[short]), f"{name}-{turn}", CALLERS, calls // 10, calls)
                found[name].append(ask(load.place, *place, load.PLAIN, skus).result().per_second)
    for name, rates in found.items():
        yield Figure(f"log.{name}.per_second", median(rates[1:]))  # the first turn warms up
    for name, beside in [("hot", short), *((f"{facts}", short) for facts in stage.size.logs[1:]), (short, "empty")]:
        pairs = zip(found[name][1:], found[beside][1:], strict=True)
        yield Figure(f"log.{name}_to_{beside}", median(one / other for one, other in pairs))


@contextmanager
def _house(stage: Stage, facts: int) -> Iterator[str]:
    """A server on a log of so many facts."""
    with stage.database() as conninfo:
        with stage.ledger_on(conninfo, "api") as address, client() as ask:
            ask(load.prepare, address).result()
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute(_FILL, {"facts": facts})
            connection.execute("VACUUM ANALYZE")
        with stage.ledger_on(conninfo, "api") as address:
            yield address
