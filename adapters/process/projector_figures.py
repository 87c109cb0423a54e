"""The figures of a projector, which few of them show: their address needs as much as the edges do."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Coroutine
from typing import Any

import psycopg

from adapters.access.clients import Clients
from adapters.access.gate import Gate
from adapters.access.oidc import Issuer
from adapters.access.settings import issuer_of
from adapters.database.postgres import open_pool
from adapters.every_tenant import end
from adapters.metrics.scrape import watched
from adapters.metrics.serving import Display
from adapters.metrics.settings import shown_of
from adapters.tenants import Tenants


def showing_figures(conninfo: str, chosen: argparse.Namespace) -> Coroutine[Any, Any, None]:
    """Shows them where it is said, until it is cancelled; what is wrong with that is raised at once."""
    return _show(conninfo, shown_of(chosen), issuer_of(chosen))


async def _show(conninfo: str, shown: Display | None, issuer: Issuer | None) -> None:
    assert shown is not None, "--metrics was said"
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
            async with shown.showing(Gate(clients, issuer), watched("projector", tenants)):
                await asyncio.Event().wait()
        finally:
            await end(beside)
