"""Placing orders by 64 callers, by turns, on logs of different lengths, and all on one SKU: beside an empty call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg

from benchmarks import commands, load, messages
from benchmarks.rounds import Rounds
from benchmarks.stage import Figure, Stage, client, entered

CALLERS = 64

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
    short, *longer = [f"{facts}" for facts in stage.size.logs]
    rounds = Rounds(["empty", short, *longer, "hot"], stage.size.turns // 2)
    with ExitStack() as opened:
        ask = opened.enter_context(client())
        houses = {"empty": commands.serving(stage, "empty")}
        houses |= {f"{facts}": _house(stage, facts) for facts in stage.size.logs}
        addresses = entered(opened, houses)
        for turn, name in rounds:
            place = (addresses.get(name, addresses[short]), f"{name}-{turn}", CALLERS, calls // 10, calls)
            rounds.add(name, ask(load.place, *place, load.PLAIN, 1 if name == "hot" else messages.SKUS).result())
    for name in ("empty", short, *longer, "hot"):
        yield Figure(f"log.{name}.per_second", rounds.middle(name))
    for name, beside in [("hot", short), *((name, short) for name in longer), (short, "empty")]:
        yield Figure(f"log.{name}_to_{beside}", rounds.ratio(name, beside))


@contextmanager
def _house(stage: Stage, facts: int) -> Iterator[str]:
    """A server on a log of so many facts."""

    def fill(conninfo: str) -> None:
        with stage.ledger_on(conninfo, "api") as address, client() as ask:
            ask(load.prepare, address).result()
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute(_FILL, {"facts": facts})
            connection.execute("VACUUM ANALYZE")

    with (
        stage.database(copy_of=stage.kept(f"log of {facts}", fill)) as conninfo,
        stage.ledger_on(conninfo, "api") as address,
    ):
        yield address
