"""The service in this process, over real sockets, on a database of its own.

It takes a twentieth of the time of a process of its own, and is what a test of answers needs. Tests of how processes
start, end, log and survive each other use ``tests.support.service.serving``.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Composed, Identifier

from adapters.access.settings import access_of
from adapters.database.replica import replica_of
from adapters.mail.settings import mailbox_of, sender_of
from adapters.metrics.settings import shown_of
from adapters.process.api import RunningApi, serve
from adapters.process.folders import make_private
from adapters.process.logs import log_of_the_loop
from adapters.process.options import options
from adapters.rpc import accepting
from projections import PROJECTIONS
from projections.machine.projection import Projection
from tests.support.in_a_thread import running
from tests.support.new_data import PREPARED
from tests.support.projecting import projector
from tests.support.service import Service


@contextmanager
def hosting(
    conninfo: str, data: Path, *arguments: str, projections: Sequence[Projection] = PROJECTIONS
) -> Iterator[Service]:
    """A service with these options, on a new database of the PostgreSQL that tests share, and its projector."""
    with a_database(conninfo) as dsn, projector(dsn, projections), server_on(dsn, data, *arguments) as port:
        yield Service(f"127.0.0.1:{port}", data, dsn)


@contextmanager
def hosted(conninfo: str, *arguments: str) -> Iterator[Service]:
    """The same with a data folder that goes with it; its path is short, which pytest's tmp_path is not."""
    with (
        tempfile.TemporaryDirectory(prefix="fulfilment-", ignore_cleanup_errors=True) as folder,
        hosting(conninfo, Path(folder, "data"), *arguments) as service,
    ):
        yield service


@contextmanager
def a_database(conninfo: str) -> Iterator[str]:
    name = f"of_{os.urandom(6).hex()}"
    copy = SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")  # through the log it takes twice as long
    _execute(conninfo, copy.format(Identifier(name), Identifier(PREPARED)))
    yield make_conninfo(conninfo, dbname=name)
    _execute(conninfo, SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


def _execute(conninfo: str, statement: Composed) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(statement)


@asynccontextmanager
async def _serving(dsn: str, data: Path, arguments: Sequence[str]) -> AsyncIterator[RunningApi]:
    chosen = options(["--listen", "127.0.0.1:0", "--data", str(data), *arguments])
    make_private(data, "--data")
    if chosen.outbox == "file":
        make_private(data / "outbox", "--data")
    asyncio.get_running_loop().set_exception_handler(log_of_the_loop)
    serving = serve(
        dsn,
        chosen.key_file,
        access_of(chosen),
        sender_of(chosen),
        mailbox_of(chosen),
        private_too=chosen.web_private == "yes",
        shown=shown_of(chosen),
        reporting=replica_of(chosen),
    )
    with pytest.MonkeyPatch.context() as in_the_end:
        async with serving as listening:
            yield listening
            in_the_end.setattr(accepting, "HOLD_SECONDS", 0.0)  # nobody calls it any more


@contextmanager
def server_on(dsn: str, data: Path, *arguments: str) -> Iterator[int]:
    """The port of the API."""
    with listening_on(dsn, data, *arguments) as listening:
        yield listening.port


@contextmanager
def listening_on(dsn: str, data: Path, *arguments: str) -> Iterator[RunningApi]:
    """The API, and where else it listens."""
    with running(_serving(dsn, data, arguments), "the service") as listening:
        yield listening
