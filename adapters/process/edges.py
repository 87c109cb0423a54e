"""The edges' own process: the door over HTTP, the worker and reconciliation, from start to drain."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from adapters.access.clients import Clients
from adapters.access.gate import Gate
from adapters.database.dsn import usable
from adapters.database.postgres import open_pool
from adapters.database.replica import Replica, replica_of
from adapters.doctor.machine import Premises
from adapters.every_tenant import end
from adapters.keys.holders import Holders
from adapters.keys.holding import HeldKeys
from adapters.messages.senders import FileSender
from adapters.metrics.scrape import watched
from adapters.metrics.serving import Display
from adapters.metrics.settings import shown_of
from adapters.process.logs import log_of_the_loop
from adapters.tenants import Tenants
from adapters.web.app import edges
from adapters.web.serving import serving
from adapters.web.settings import Web, web_of

log = logging.getLogger("fulfilment")


@asynccontextmanager
async def serve_edges(
    conninfo: str,
    key_file: Path,
    web: Web,
    letters: FileSender | None = None,
    *,
    data: Path | None = None,
    reporting: Replica | None = None,
    shown: Display | None = None,
) -> AsyncIterator[int]:
    """The port of the edges, with their worker and reconciliation, from start to drain."""
    async with open_pool(conninfo) as pool, open_pool(conninfo, keeps_plans=True) as writers:
        tenants = Tenants(pool, writers, replica=reporting)
        await tenants.control.prepare()
        keys = await HeldKeys.open(tenants.control, Holders(pool), key_file)
        clients = Clients(pool)
        await clients.read()
        web.listener.require_clients(is_open=clients.is_open)
        if shown is not None:
            shown.listener.require_clients(is_open=clients.is_open)
        beside = [
            asyncio.create_task(keys.run(), name="keys"),
            asyncio.create_task(clients.run(), name="clients"),
        ]
        if web.issuer is not None:
            beside.append(asyncio.create_task(web.issuer.keys.run(), name="access"))
        gate = Gate(clients, web.issuer)
        premises = Premises(key_file, key_file.parent if data is None else data, web.files and web.files.certificate)
        try:
            async with (
                edges(
                    tenants,
                    keys.sealer,
                    gate,
                    letters,
                    premises,
                    private_too=web.private_too,
                    message_bytes=web.message_bytes,
                    behind_proxy=web.behind_proxy,
                    by_certificate=web.files is not None and web.files.client_ca is not None,
                ) as running,
                serving(running.app, web.address, web.files) as port,
                AsyncExitStack() as beside_them,
            ):
                if shown is not None:
                    figures_of = watched("edge", tenants, more=running.figures)
                    await beside_them.enter_async_context(shown.showing(gate, figures_of))
                yield port
                tenants.closing = True
        finally:
            await end(beside)
            await tenants.drain()


async def run(chosen: argparse.Namespace) -> None:
    """The process of the edges: answers until it is stopped or its parent is gone."""
    web = web_of(chosen)
    asyncio.get_running_loop().set_exception_handler(log_of_the_loop)
    stop, parent = asyncio.Event(), int(os.environ.get("FULFILMENT_PARENT") or os.getppid())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    alone = "FULFILMENT_PARENT" not in os.environ  # else its parent has looked
    conninfo = usable(chosen.dsn, chosen.database_tls) if alone else chosen.dsn
    letters = FileSender(chosen.data / "outbox") if chosen.outbox == "file" else None
    serving_edges = serve_edges(
        *(conninfo, chosen.key_file, web, letters),
        data=chosen.data,
        reporting=replica_of(chosen),
        shown=shown_of(chosen),
    )
    async with serving_edges as port:
        log.info("the edges listen on %s:%d", web.address.rpartition(":")[0], port)
        while not stop.is_set() and os.getppid() == parent:
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 1.0)
        log.info("the edges stop: answering what is under way")
