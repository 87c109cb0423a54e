"""The embedded server: it continues, it outlives a killed process, and it says why it cannot start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from adapters.postgres import Database, EmbeddedServer, StartFailed

_HOLD = """
import sys, time
from pathlib import Path
from adapters.postgres import EmbeddedServer
print(EmbeddedServer(Path(sys.argv[1])).start(), flush=True)
time.sleep(600)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path that the server's own user may enter."""
    with tempfile.TemporaryDirectory(prefix="fulfilment-") as name:
        yield Path(name) / "data"


def _server_process(folder: Path) -> int:
    return int((folder / "postgres" / "postmaster.pid").read_text().split("\n")[0])


async def test_a_second_start_continues_with_the_data_of_the_first(folder: Path) -> None:
    async with Database(folder) as database:
        with psycopg.connect(database.conninfo) as connection:
            connection.execute("CREATE TABLE kept (a int)")
    assert not (folder / "postgres" / "postmaster.pid").exists()
    async with Database(folder) as database:
        with psycopg.connect(database.conninfo) as connection:
            connection.execute("SELECT a FROM kept")
            shown = [connection.execute(f"SHOW {name}").fetchone() for name in ("max_connections", "fsync")]
            assert shown == [("200",), ("on",)]


def test_after_a_kill_the_next_start_attaches_and_stops_the_server_in_the_end(folder: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", _HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    conninfo = holder.stdout.readline().strip()
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    running = _server_process(folder)
    server = EmbeddedServer(folder)
    assert server.start() == conninfo
    assert _server_process(folder) == running
    server.stop()
    assert not (folder / "postgres" / "postmaster.pid").exists()


def test_what_a_crashed_machine_left_behind_does_not_keep_the_server_from_starting(folder: Path) -> None:
    server = EmbeddedServer(folder)
    server.start()
    left = (folder / "postgres" / "postmaster.pid").read_text()
    server.stop()
    # The number of the dead server is another program's now: ours.
    (folder / "postgres" / "postmaster.pid").write_text(left.replace(left.split("\n")[0], str(os.getpid()), 1))
    server = EmbeddedServer(folder)
    psycopg.connect(server.start()).close()
    server.stop()


def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    server = EmbeddedServer(folder)
    server.start()
    server.stop()
    with (folder / "postgres" / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = 1\n")
    with pytest.raises(StartFailed, match="no_such_setting"):
        EmbeddedServer(folder).start()


async def test_a_dsn_is_used_as_it_is() -> None:
    async with Database(dsn="host=db.example.org dbname=ledger") as database:
        assert database.conninfo == "host=db.example.org dbname=ledger"
    with pytest.raises(ValueError, match="either a data folder"):
        Database()
