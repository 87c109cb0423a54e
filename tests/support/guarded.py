"""The service in this process, on a database of its own, with registered clients."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from adapters.access.clients import Clients
from adapters.access.settings import access_of
from adapters.process.api import serve
from adapters.process.options import options
from tests.support.access import administer


class Guarded(NamedTuple):
    port: int
    clients: Clients
    dsn: str
    tokens: Mapping[str, str]
    """By client; empty for one that proves itself otherwise."""

    @property
    def address(self) -> str:
        return f"localhost:{self.port}"


@asynccontextmanager
async def a_database(conninfo: str) -> AsyncIterator[str]:
    """An empty database on a server, which is dropped in the end; gives how to reach it."""
    name = Identifier(f"guarded_{uuid.uuid4().hex[:12]}")
    async with await AsyncConnection.connect(conninfo, autocommit=True) as connection:
        await connection.execute(SQL("CREATE DATABASE {}").format(name))
        try:
            yield make_conninfo(conninfo, dbname=name.as_string().strip('"'))
        finally:
            await connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(name))


async def add(dsn: str, name: str, *said: str) -> str:
    """Registers a client; the token that is shown for it."""
    return (await asyncio.to_thread(administer, "add", name, *said, "--dsn", dsn)).token


@asynccontextmanager
async def guarded(
    conninfo: str, folder: Path, *arguments: str, clients: Mapping[str, Sequence[str]] = {}
) -> AsyncIterator[Guarded]:
    """With these options, and these clients with theirs."""
    async with a_database(conninfo) as dsn:
        tokens = {name: await add(dsn, name, *said) for name, said in clients.items()}
        chosen = options(["--listen", "localhost:0", *arguments])
        async with serve(dsn, folder / "master.key", access_of(chosen)) as listening:
            yield Guarded(listening.port, listening.clients, dsn, tokens)
