"""What answers over HTTP: deliveries, whether the edge lives, and its figures."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from adapters.access.callers import Caller
from adapters.access.gate import Gate
from adapters.doctor.machine import Premises
from adapters.edges.accounts import Accounts
from adapters.edges.forgetting import Forgetting
from adapters.edges.hearing import hear
from adapters.edges.http import HttpClient
from adapters.edges.inbox import Inbox
from adapters.edges.inbox_rows import InboxState
from adapters.edges.listening import Listening
from adapters.edges.outgoing import Outgoing
from adapters.edges.reconciliation import Reconciliation
from adapters.edges.telling import Teller
from adapters.edges.traffic import Traffic
from adapters.edges.worker import Worker
from adapters.every_tenant import end
from adapters.http_api.routes import routes
from adapters.messages.letters import Letters
from adapters.messages.senders import FileSender
from adapters.metrics.calls import CallCounts
from adapters.metrics.exposition import Exposition
from adapters.metrics.page import metrics_route
from adapters.metrics.scrape import write_calls
from adapters.rpc import results
from adapters.rpc.commands import Commands
from adapters.rpc.services import READERS, services
from adapters.shops.site import schemas
from adapters.tenants import Tenant, Tenants
from adapters.tracking_page.answers import TrackingPages
from adapters.web.door import Door, DoorCounts
from fulfilment.v1 import admin_pb2
from ledger.engine.sealing import Sealer
from projections import effects as told_effects

_PING_SECONDS = 2.0
_TENANTS = "SELECT DISTINCT tenant FROM fulfilment.wakeups WHERE what = ANY(%s) ORDER BY tenant LIMIT 1000"


Figures = Callable[[Exposition, Caller], Awaitable[None]]
"""Writes the figures of the edges."""


class Edges(NamedTuple):
    """The edges of this process, while they run."""

    app: Starlette
    figures: Figures


@asynccontextmanager
async def edges(
    tenants: Tenants,
    sealer: Sealer,
    gate: Gate,
    files: FileSender | None,
    premises: Premises,
    *,
    private_too: bool,
    message_bytes: int,
    behind_proxy: bool,
    by_certificate: bool = False,
) -> AsyncIterator[Edges]:
    """The application, and beside it the worker and the reconciliation, until the end. Erasing removes letters here."""
    accounts, counts, calls, traffic = Accounts(sealer), DoorCounts(), CallCounts(), Traffic()
    async with HttpClient(private_too=private_too) as client:
        commands = Commands(tenants, sealer, READERS, results.show)
        served = services(tenants, sealer, Letters(sealer), commands, files, premises, private_too=private_too)
        described = schemas.openapi()
        contract = routes(gate, served, commands, message_bytes, described, calls, by_certificate=by_certificate)
        outgoing = Outgoing(client)
        people: Any = served[admin_pb2.DESCRIPTOR.services_by_name["AdminService"]]
        forgetting = Forgetting(people.erasures.of_channel)
        worker = Worker(tenants, accounts, outgoing, commands, people.ErasePerson, forgetting, traffic)
        asking = Reconciliation(tenants, accounts, outgoing, worker.leases.wake)
        listening = Listening(tenants, accounts, outgoing, worker.leases.wake)
        teller = Teller(tenants, accounts, outgoing, sealer)
        beside = [
            asyncio.create_task(worker.leases.run(), name="inbox"),
            asyncio.create_task(asking.leases.run(), name="reconciliation"),
            asyncio.create_task(listening.leases.run(), name="listening"),
            asyncio.create_task(teller.leases.run(), name="telling"),
            asyncio.create_task(hear(tenants.pool, teller.leases.wake), name="hearing"),
        ]
        try:
            door = Door(tenants, accounts, counts, traffic, worker.leases.wake)
            pages = TrackingPages(tenants, sealer, commands, behind_proxy=behind_proxy).routes()
            shown = partial(figures, tenants, counts, calls)
            yield Edges(application(tenants, gate, door, shown, [*pages, *contract]), shown)
        finally:
            await end(beside)


def application(tenants: Tenants, gate: Gate, door: Door, shown: Figures, more: Sequence[BaseRoute]) -> Starlette:
    async def health(request: Request) -> Response:
        return await _health(tenants.pool)

    async def own_figures(caller: Caller) -> str:
        page = Exposition()
        await shown(page, caller)
        return page.text()

    return Starlette(
        routes=[
            # With a slash behind it too: the redirect that were the answer else is followed by no sender.
            Route("/in/{tenant}/{connection}", door.deliver, methods=["POST"]),
            Route("/in/{tenant}/{connection}/", door.deliver, methods=["POST"]),
            Route("/healthz", health, methods=["GET"]),
            metrics_route(gate, own_figures),
            Route("/schemas/{name}", _schema, methods=["GET"]),
            *more,
        ]
    )


async def _schema(request: Request) -> Response:
    """The schema of a document that an own site sends; open to everybody, as the contract is."""
    found = schemas.schema_files().get(request.path_params["name"])
    if found is None:
        return PlainTextResponse(f"there is no such schema; there are {', '.join(schemas.schema_files())}\n", 404)
    return Response(found, 200, {"x-content-type-options": "nosniff"}, "application/schema+json")


async def _health(pool: AsyncConnectionPool[Any]) -> Response:
    """Whether deliveries can be kept now."""
    try:
        async with asyncio.timeout(_PING_SECONDS), pool.connection() as connection:
            await connection.execute("SELECT 1")
    except Exception:  # noqa: BLE001 - whatever it is, nothing can be kept
        return PlainTextResponse("the database does not answer\n", 503)
    return PlainTextResponse("ok\n")


async def figures(tenants: Tenants, counts: DoorCounts, calls: CallCounts, page: Exposition, caller: Caller) -> None:
    """Those of the edges, with calls over HTTP. Inboxes are counted over all tenants of the caller that have one."""
    async with tenants.pool.connection() as connection:
        rows = await (await connection.execute(_TENANTS, (["inbox", "telling"],))).fetchall()
        names = [name for (name,) in rows if caller.may_use(name)]
    states = Counter({state.value: 0 for state in (InboxState.WAITING, InboxState.EARLY, InboxState.FAILED)})
    unknown_words = 0
    effects, lag = {"waiting": 0, "failed": 0}, 0.0
    for name in names:
        tenant = await tenants.find(name)
        lag = await _count_effects(tenants, tenant, effects, lag)
        inbox = Inbox.of(tenant)
        states.update(await inbox.open_counts())
        unknown_words += sum(count for words in (await inbox.unknown_words()).values() for _, count in words)
    write_calls(page, calls)
    family = page.family("fulfilment_edge_deliveries_total", "counter", "Deliveries, by how they were answered.")
    for (system, outcome), count in sorted(counts.by_outcome.items()):
        family.add(count, system=system, outcome=outcome)
    page.counter("fulfilment_edge_repeated_total", "Deliveries that were known already.", counts.repeated)
    page.counter("fulfilment_edge_commits_total", "Commits that kept deliveries.", counts.kept_at_once)
    family = page.family("fulfilment_edge_effects", "gauge", "What systems are still to be told.")
    for state, count in effects.items():
        family.add(count, state=state)
    page.gauge("fulfilment_edge_effects_lag_seconds", "The longest that any of it waits.", lag)
    family = page.family("fulfilment_edge_inbox", "gauge", "Deliveries that are not done, by their state.")
    for state, count in states.items():
        family.add(count, state=state)
    page.gauge("fulfilment_edge_unknown_words", "Deliveries with words that nobody here knows.", unknown_words)


async def _count_effects(tenants: Tenants, tenant: Tenant, effects: dict[str, int], lag: float) -> float:
    """Adds what a tenant's connections are still to be told; the longest that any of it waits."""
    async with tenants.pool.connection() as connection:
        found = await told_effects.counts(connection, tenant.schema)
    for each in found.values():
        effects["waiting"] += each.waiting
        effects["failed"] += each.failed
        if each.oldest_at is not None:
            lag = max(lag, (datetime.now(UTC) - each.oldest_at).total_seconds())
    return lag
