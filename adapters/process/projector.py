"""The projector: follows the log, so that read models are as new as it is, and shows its figures."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import psycopg

from adapters.access.clients import Clients
from adapters.access.gate import Gate
from adapters.access.oidc import Issuer
from adapters.database.postgres import open_pool
from adapters.every_tenant import end
from adapters.metrics.scrape import watched
from adapters.metrics.serving import Display, showing
from adapters.tenants import Tenants
from projections import PROJECTIONS
from projections.machine import runner


async def project(conninfo: str, shown: Display | None, issuer: Issuer | None) -> None:
    """The projector's process: follows the log until it is stopped or its parent is gone, and shows its figures."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # Given by the parent, which may be gone before this process can ask for its id.
    parent = int(os.environ.get("FULFILMENT_PARENT") or os.getppid())
    following = asyncio.create_task(asyncio.to_thread(runner.run_forever, conninfo, stop, PROJECTIONS))
    figures = [asyncio.create_task(show_projector(conninfo, shown, issuer))] if shown is not None else []
    try:
        while not stop.is_set():
            ended, _ = await asyncio.wait([following, *figures], timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
            if ended or os.getppid() != parent:
                stop.set()
        await following
        for each in figures:
            if each.done():
                await each  # it says why they cannot be shown
    finally:
        await end(figures)


async def show_projector(conninfo: str, shown: Display, issuer: Issuer | None) -> None:
    """The figures of a projector, once there is a database to look at, until it is cancelled."""
    async with open_pool(conninfo, max_size=3) as pool:
        clients = Clients(pool)
        while True:
            try:
                await clients.read()
                break
            except psycopg.Error:  # an API makes the tables
                await asyncio.sleep(1.0)
        shown.listener.require_clients(is_open=clients.is_open)
        beside = [asyncio.create_task(clients.run(), name="clients")]
        if issuer is not None:
            beside.append(asyncio.create_task(issuer.keys.run(), name="access"))
        tenants = Tenants(pool)
        try:
            async with showing(shown, Gate(clients, issuer), watched("projector", tenants)):
                await asyncio.Event().wait()
        finally:
            await end(beside)
