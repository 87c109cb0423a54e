"""The PostgreSQL server of the ledger: embedded, or the one that a DSN names."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from adapters.database import embedded_age
from adapters.database.dsn import DatabaseTls, usable
from adapters.database.embedded import EmbeddedServer

log = logging.getLogger("fulfilment.postgres")


class Database:
    """The PostgreSQL of the ledger: embedded under a data folder, or named by a DSN.

    The embedded server belongs to the process that enters this; give child processes the conninfo.
    """

    def __init__(
        self,
        folder: Path | None = None,
        dsn: str | None = None,
        tls: DatabaseTls = DatabaseTls.VERIFIED,
        *,
        only_read: bool = False,
    ) -> None:
        """Of what only reads, the DSN may name a standby."""
        if (folder is None) == (dsn is None):
            raise ValueError("either a data folder for the embedded server or a DSN")
        self._usable = partial(usable, dsn or "", tls, only_read=only_read)
        self._server = None if folder is None else EmbeddedServer(folder)
        self.conninfo = ""

    async def __aenter__(self) -> Self:
        if self._server is None:
            self.conninfo = await asyncio.to_thread(self._usable)
        else:
            self.conninfo = await asyncio.to_thread(self._server.start)
            if old := embedded_age.warning(self._server.version, datetime.now(UTC).date()):
                log.warning(old)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            await asyncio.to_thread(self._server.stop)
