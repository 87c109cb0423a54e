"""Where the figures are asked for: an address of their own, by the rules of the API."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from starlette.applications import Starlette

from adapters.access.gate import Gate
from adapters.access.listening import Listener
from adapters.access.tls import Files
from adapters.every_tenant import end
from adapters.metrics.page import metrics_route
from adapters.metrics.process import LoopLag
from adapters.metrics.scrape import Scrape, Watched
from adapters.web.serving import serving

log = logging.getLogger("fulfilment")


class Display(NamedTuple):
    """Where the figures are to be shown."""

    address: str
    listener: Listener
    files: Files | None
    """The certificate, if TLS ends here."""

    @asynccontextmanager
    async def showing(self, gate: Gate, watched: Watched) -> AsyncIterator[int]:
        """The port at which they are shown, until the end."""
        loop_lag = LoopLag()
        beside = [
            asyncio.create_task(watched.standings.run(), name="standings"),
            asyncio.create_task(loop_lag.run(), name="loop lag"),
        ]
        if watched.copies is not None:
            beside.append(asyncio.create_task(watched.copies.run(), name="copies"))
        try:
            application = Starlette(routes=[metrics_route(gate, Scrape(watched, loop_lag).text)])
            async with serving(application, self.address, self.files) as port:
                log.info("figures at http://%s:%d/metrics", self.address.rpartition(":")[0], port)
                yield port
        finally:
            await end(beside)
