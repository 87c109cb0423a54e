"""The clock's work on what was kept for long enough, at a moment that a test chooses."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

from adapters.clock import Clocks
from adapters.database.postgres import open_pool
from adapters.messages.senders import FileSender
from adapters.tenants import Tenants
from ledger.engine.keyring import load
from ledger.engine.sealing import Sealer


def expire(dsn: str, key_file: Path, tenant: str, now: datetime, letters: Path | None = None) -> int:
    """Of how many orders and contacts something was erased."""

    async def run() -> int:
        async with open_pool(dsn, max_size=3) as pool:
            tenants, ring = Tenants(pool), load(key_file)
            assert ring is not None
            clocks = Clocks(tenants, FileSender(letters) if letters else None, Sealer(ring))
            found = await clocks.expire(await tenants.find(tenant), now)
            await tenants.drain()
            return found

    return asyncio.run(run())
