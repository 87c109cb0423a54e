"""The data of a new PostgreSQL, made once for a test run and copied from then on: making them takes seconds.

In them are the schemas and tables that a service makes at its first start.
"""

from __future__ import annotations

import asyncio
import fcntl
import subprocess
import tempfile
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from adapters.database.control import Control
from adapters.database.embedded import EmbeddedServer
from adapters.database.postgres import open_pool
from adapters.process.folders import make_private
from projections import PROJECTIONS
from projections.machine.database import make_tables, open_connection

PREPARED = "prepared"
"""A database to which nobody connects, so that others can be copies of it."""

_FEW_BUFFERS = "ALTER SYSTEM SET shared_buffers = '32MB'"
"""Whoever drops a table looks through all of them; what is in a test's database is in memory anyway."""


def give_new_data(data: Path) -> None:
    """Puts the data of a new PostgreSQL into a service's data folder, unless it has some."""
    make_private(data, "--data")
    if not (data / "postgres").exists():
        subprocess.run(["cp", "-a", str(_made() / "postgres"), str(data)], check=True)


def _made() -> Path:
    """In the folder of this run; the first process that asks makes them."""
    folder = Path(tempfile.gettempdir(), "new-data")
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            draft = folder.with_suffix(".draft")
            _make(draft)
            draft.rename(folder)
    return folder


def _make(folder: Path) -> None:
    server = EmbeddedServer(folder)
    conninfo = server.start()
    asyncio.run(_prepare(conninfo))
    with open_connection(conninfo) as connection:
        make_tables(connection, "tenant_default", PROJECTIONS)
    with psycopg.connect(make_conninfo(conninfo, dbname="template1"), autocommit=True) as connection:
        connection.execute(_FEW_BUFFERS)
        connection.execute(SQL("CREATE DATABASE {} TEMPLATE postgres").format(Identifier(PREPARED)))
    server.stop()


async def _prepare(conninfo: str) -> None:
    async with open_pool(conninfo) as pool:
        await Control(pool).prepare()
