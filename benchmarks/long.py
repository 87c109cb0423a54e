"""Restarts on long streams: the first order on a SKU with so many facts, who waits for it, and the projector.

Beside each stands the same in the same process on a SKU with no history, and an empty call.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from statistics import median
from typing import Any, cast

import grpc
import psycopg
from grpc_health.v1 import health_pb2, health_pb2_grpc
from psycopg.sql import SQL

from benchmarks import load, messages
from benchmarks.stage import Figure, Stage, client, entered
from fulfilment.v1 import orders_pb2, stock_pb2
from fulfilment.v1.orders_pb2_grpc import OrderServiceStub
from fulfilment.v1.stock_pb2_grpc import StockServiceStub
from projections import PROJECTIONS
from projections.machine import runner

_RESTARTS = 3
_READS = 30
_OTHERS = 20
_LONG, _SHORT = 0, 1
"""The numbers of two SKUs."""

# A unit is reserved, committed and given back, and the buffer is set.
_FILL = """
    INSERT INTO tenant_default.ledger_events (originator_id, originator_version, topic, state, notification_id)
    SELECT 'stock-acme/SKU-0', there.version + n, 'stock.' || topic, convert_to(
        '{"fact":"stock.' || topic || '","supplier_id":"acme","sku":"SKU-0",'
            || said || ',"at":"2026-03-02T12:00:00Z"}',
        'UTF8'
    ), there.position + n
    FROM generate_series(1, %(facts)s) AS n, (
        SELECT max(originator_version) FILTER (WHERE originator_id = 'stock-acme/SKU-0') AS version,
            max(notification_id) AS position FROM tenant_default.ledger_events
    ) AS there, LATERAL (SELECT '"reservation_id":"past/' || (n - 1) / 4 || '"' AS named) AS held, LATERAL (
        SELECT CASE n %% 4 WHEN 1 THEN 'reserved' WHEN 2 THEN 'reservation_committed' WHEN 3 THEN 'reservation_released'
            ELSE 'buffer_set' END AS topic,
        CASE n %% 4 WHEN 1 THEN named || ',"units":1,"expires_at":"2026-03-03T12:00:00Z"' WHEN 2 THEN named
            WHEN 3 THEN named || ',"units":1' ELSE '"units":1' END AS said
    ) AS told
"""
_KEPT = "SELECT count(*) FROM tenant_default.ledger_snapshots WHERE originator_id = 'stock-acme/SKU-0'"


def measure(stage: Stage, run: int) -> Iterator[Figure]:
    for facts in stage.size.long_streams:
        with stage.database() as conninfo, client() as ask:
            with stage.ledger_on(conninfo, "api") as address:
                ask(load.prepare, address).result()
            with psycopg.connect(conninfo, autocommit=True) as connection:
                connection.execute(_FILL, {"facts": facts})
                connection.execute("ANALYZE tenant_default.ledger_events")
            yield from _measured(stage, conninfo, ask, f"long.{facts}")


def _measured(stage: Stage, conninfo: str, ask: Any, name: str) -> Iterator[Figure]:
    with stage.ledger_on(conninfo, "api") as address:
        found = ask(restarted, address, "without").result()
        yield Figure(f"{name}.without_snapshot.ms", found["first"])
        yield Figure(f"{name}.others_without_snapshot.ms", found["others_at_most"])
        _until_kept(conninfo)
    runner.catch_up(conninfo, "tenant_default", PROJECTIONS)
    runs: list[dict[str, float]] = []
    for number in range(_RESTARTS):
        with ExitStack() as opened:
            servers = entered(opened, {name: stage.ledger_on(conninfo, "api") for name in ("first", "second")})
            runs.append(ask(restarted, servers["first"], f"r{number}").result())
            runs[-1]["second"] = ask(restarted, servers["second"], f"s{number}").result()["first"]
        began = time.perf_counter()
        runner.catch_up(conninfo, "tenant_default", PROJECTIONS)
        runs[-1]["projector"] = (time.perf_counter() - began) * 1000
    for each in runs[0]:
        yield Figure(f"{name}.{each}.ms", median([one[each] for one in runs]))


def _until_kept(conninfo: str) -> None:
    give_up_at = time.monotonic() + load.LONGEST_SECONDS
    with psycopg.connect(conninfo, autocommit=True) as connection:
        while not cast("tuple[int]", connection.execute(SQL(_KEPT)).fetchone())[0]:
            if time.monotonic() > give_up_at:
                raise RuntimeError("there is no snapshot of the long stream")
            time.sleep(0.1)


async def restarted(address: str, series: str) -> dict[str, float]:
    """Milliseconds of calls to a process that has just started."""
    async with grpc.aio.insecure_channel(address) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]
        place, stock = OrderServiceStub(channel).PlaceOrder, StockServiceStub(channel).GetStock
        level = stock_pb2.GetStockRequest(items=[stock_pb2.Item(supplier_id=messages.SUPPLIER, sku="SKU-0")])

        async def empty() -> float:
            return await _took(lambda: check(health_pb2.HealthCheckRequest()))

        async def order(sku: int, number: int) -> float:
            request: orders_pb2.PlaceOrderRequest = messages.order(series, number * messages.SKUS + sku)
            return await _took(lambda: place(request))

        await empty()  # connects
        found = {"empty": median([await empty() for _ in range(_OTHERS)])}
        await order(_SHORT, 0)  # what a process does once
        found["short"] = await order(_SHORT + 1, 1)
        first = asyncio.create_task(order(_LONG, 2))
        # One after another, of other SKUs that the process does not know either.
        others = [await order(_SHORT + 2 + number, 3) for number in range(_OTHERS)]
        found["first"], found["others_at_most"] = await first, max(others)
        found["stock"] = await _took(lambda: stock(level))
        reads = asyncio.gather(*[_took(lambda: stock(level)) for _ in range(_READS)])
        meanwhile = [await empty()]
        while not reads.done():
            meanwhile.append(await empty())
        found["stock_at_once"], found["empty_meanwhile_at_most"] = max(await reads), max(meanwhile)
        return found


async def _took(call: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await call()
    return (time.perf_counter() - began) * 1000
