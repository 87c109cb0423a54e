"""The API: all services of the contract, with what runs beside them in its process, from start to drain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import grpc
from grpc_health.v1 import health

from adapters.access.clients import Clients
from adapters.access.gate import Gate
from adapters.access.settings import Access
from adapters.clock import Clocks
from adapters.database.postgres import open_pool
from adapters.database.replica import Replica
from adapters.database.reporting_views import ReportingViews
from adapters.doctor.machine import Premises
from adapters.every_tenant import end
from adapters.keys.holders import Holders
from adapters.keys.holding import HeldKeys
from adapters.mail.mailboxes import ReportsMailbox
from adapters.mail.returned_mail import ReturnedMail
from adapters.messages.letters import Letters
from adapters.messages.outbox import Outbox
from adapters.messages.senders import FileSender, Sender
from adapters.metrics.calls import CallCounts
from adapters.metrics.scrape import watched
from adapters.people.contacts import OldContacts
from adapters.rpc import results
from adapters.rpc.accepting import aio_server
from adapters.rpc.commands import Commands
from adapters.rpc.health import GuardedHealth, Health, add_health
from adapters.rpc.reflection import add_reflection
from adapters.rpc.server import LONGEST_MESSAGE_BYTES, add_service
from adapters.rpc.services import READERS, services
from adapters.rpc.tracing import Tracing
from adapters.rpc.turnstile import Turnstile
from adapters.tenants import Tenants
from ledger.engine.sealing import Sealer

if TYPE_CHECKING:
    from adapters.metrics.serving import Display

DRAIN_SECONDS = 30.0
"""How long answers may take after a SIGTERM before their calls are cut off."""


def build_server(
    gate: Gate,
    tenants: Tenants,
    sealer: Sealer,
    letters: Letters,
    message_bytes: int,
    calls: CallCounts,
    files: FileSender | None,
    premises: Premises,
    *,
    private_too: bool,
    traces: Tracing | None = None,
) -> tuple[grpc.aio.Server, health.aio.HealthServicer]:
    """All services of the contract, with health and reflection, behind the gate."""
    commands = Commands(tenants, sealer, READERS, results.show)
    served = services(tenants, sealer, letters, commands, files, premises, private_too=private_too)
    server = aio_server(
        [
            ("grpc.max_receive_message_length", message_bytes),
            ("grpc.max_send_message_length", max(message_bytes, LONGEST_MESSAGE_BYTES)),
            # Two servers on one port would share its calls unnoticed; a taken port must be an error.
            ("grpc.so_reuseport", 0),
        ]
    )
    turnstile = Turnstile(message_bytes)
    for service, queries in served.items():
        add_service(server, gate, service, commands, queries, calls, turnstile, traces)
    healthy = GuardedHealth(gate, turnstile)
    add_health(server, healthy)
    add_reflection(server, gate, turnstile, [*(service.full_name for service in served), health.SERVICE_NAME])
    return server, healthy


class RunningApi(NamedTuple):
    """The API while it runs."""

    port: int
    clients: Clients
    """Who may call it."""
    metrics_port: int | None = None
    """Where its figures are shown, if they are."""


@asynccontextmanager
async def serve(
    conninfo: str,
    key_file: Path,
    access: Access,
    sender: Sender | None = None,
    returned: ReportsMailbox | None = None,
    *,
    private_too: bool = False,
    data: Path | None = None,
    traces: Tracing | None = None,
    shown: Display | None = None,
    others: Mapping[str, int] | None = None,
    reporting: Replica | None = None,
) -> AsyncIterator[RunningApi]:
    """The API, its clocks, its outbox and its health from start to drain.

    Without a sender, messages are neither asked for nor sent; without a mailbox, nobody reads returned mail here.
    ``others`` are the ids of the processes beside this one by their roles, for the figures that are to be shown.
    ``reporting`` is a replica from which exports are read.
    """
    async with (
        open_pool(conninfo) as pool,
        open_pool(conninfo, keeps_plans=True) as writers,
        open_pool(conninfo, max_size=2, keeps_plans=True) as watchers,
    ):
        tenants = Tenants(pool, writers, watchers, reporting)
        await tenants.control.prepare()
        keys = await HeldKeys.open(tenants.control, Holders(pool), key_file)
        sealer = keys.sealer
        await tenants.find("default")
        clients = Clients(pool)
        await clients.read()
        access.listener.require_clients(is_open=clients.is_open)
        if shown is not None:
            shown.listener.require_clients(is_open=clients.is_open)
        letters, calls = Letters(sealer), CallCounts()
        files = sender if isinstance(sender, FileSender) else None
        certificate = access.tls.certificate if access.tls is not None else None
        premises = Premises(key_file, key_file.parent if data is None else data, certificate)
        gate = Gate(clients, access.issuer, by_certificate=access.by_certificate)
        server, healthy = build_server(
            gate,
            tenants,
            sealer,
            letters,
            access.message_bytes,
            calls,
            files,
            premises,
            private_too=private_too,
            traces=traces,
        )
        port = access.listener.listen(server)
        await server.start()
        beside = [
            asyncio.create_task(clients.run(), name="clients"),
            *(asyncio.create_task(each.run(), name="access") for each in access.renewed),
            asyncio.create_task(Clocks(tenants, files, sealer).run(), name="clocks"),
            asyncio.create_task(Health(tenants, writers, healthy).run(), name="health"),
            asyncio.create_task(OldContacts(tenants, sealer).run(), name="contacts"),
            asyncio.create_task(ReportingViews(tenants).run(), name="reporting views"),
            asyncio.create_task(keys.run(), name="keys"),
        ]
        if sender is not None:
            beside.append(asyncio.create_task(Outbox(tenants, letters, sender).run(), name="outbox"))
        if returned is not None:
            beside.append(asyncio.create_task(ReturnedMail(tenants, returned).run(), name="returned mail"))
        figures_of = watched("api", tenants, calls=calls, beside={} if others is None else others)
        try:
            async with AsyncExitStack() as figures:
                at = await figures.enter_async_context(shown.showing(gate, figures_of)) if shown is not None else None
                yield RunningApi(port, clients, at)
        finally:
            tenants.closing = True
            await healthy.enter_graceful_shutdown()
            await end(beside)
            await server.stop(DRAIN_SECONDS)
            await tenants.drain()
