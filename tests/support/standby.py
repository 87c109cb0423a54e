"""PostgreSQL with a synchronous standby, and with an archive: what an operator has, out of the wheel's programs.

Each server is at a port of one private folder of sockets, so that a DSN can name them all.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import psycopg
from psycopg.conninfo import make_conninfo

from adapters.database.embedded_user import ServerUser
from tests.support.new_data import give_new_data
from tests.support.waiting import wait_for

_SETTINGS = """
shared_buffers = 16MB
max_connections = 60
wal_keep_size = 64MB
fsync = off
checkpoint_timeout = 15min
"""
"""Without fsync, because processes are killed here, and no machine loses its power."""
_SYNCHRONOUS = "synchronous_standby_names = '*'\n"


@contextmanager
def sockets() -> Iterator[Path]:
    """A folder that the server's user alone can reach, with a path short enough."""
    folder = Path(tempfile.mkdtemp(prefix="fulfilment-", dir="/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Machine:
    """One PostgreSQL server, which is started, killed and promoted by hand."""

    def __init__(self, folder: Path, sockets: Path, port: int, settings: str = "") -> None:
        self.data = folder.resolve() / "postgres"
        self._user = ServerUser(folder.resolve(), self.data)
        self._log = folder / "postgres.log"
        self._settings = _SETTINGS + settings
        self.sockets, self.port = sockets, port
        self.conninfo = make_conninfo(host=str(sockets), port=port, user="postgres", dbname="postgres")
        self._process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """The data of a new server, with the tables of the service."""
        give_new_data(self.data.parent)
        self._own(self.sockets)
        self.configure()

    def copy_of(self, primary: Machine, *words: str) -> None:
        """Its data anew as a base backup of another server, which becomes its standby if ``-R`` is said."""
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.parent.mkdir(exist_ok=True)
        self.data.mkdir(mode=0o700)
        self._own(self.data)
        self.run("pg_basebackup", "-D", self._here, "-c", "fast", "--no-sync", "-d", primary.conninfo, *words)

    def configure(self, more: str = "") -> None:
        """Its settings; a running server reads them at once."""
        (self.data / "fulfilment.conf").write_text(self._settings + more)
        if self._process is not None:
            self._process.send_signal(signal.SIGHUP)

    def start(self, *words: str) -> None:
        where = ("-D", self._here, "-p", str(self.port), "-k", str(self.sockets), "-c", "listen_addresses=")
        program = self._user.program("postgres")
        with self._log.open("ab") as out:
            self._process = subprocess.Popen([program, *where, *words], stdout=out, stderr=out, **self._options)
        wait_for(self._answers, pause=0.05)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()[-2000:]
        try:
            return bool(self.ask("SELECT true"))
        except psycopg.OperationalError:
            return False

    def die(self) -> None:
        """As by kill -9; what it has started ends by itself."""
        assert self._process is not None
        children = psutil.Process(self._process.pid).children()
        self._process.kill()
        self._process.wait()
        self._process = None
        psutil.wait_procs(children, 30)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(60)
            self._process = None

    def promote(self) -> None:
        self.run("pg_ctl", "promote", "-D", self._here)

    def ask(self, query: str) -> Any:
        """The first value of a query's first row."""
        with psycopg.connect(self.conninfo, autocommit=True, connect_timeout=5) as connection:
            row = connection.execute(query.encode()).fetchone()
            return row[0] if row else None

    def run(self, program: str, *words: str) -> None:
        """A program of PostgreSQL, as the server's user in the folder of its data."""
        self._user.run(self.data, self._user.program(program), *words)

    @property
    def _here(self) -> str:
        return self._user.seen_from_inside(self.data)

    @property
    def _options(self) -> dict[str, Any]:
        return {"stdin": subprocess.DEVNULL, **self._user.process_options(self.data)}

    def make_folder(self, folder: Path) -> None:
        """A folder that the server may write to."""
        folder.mkdir(mode=0o700)
        self._own(folder)

    def _own(self, folder: Path) -> None:
        if user := self._user.identity:
            os.chown(folder, user["user"], user["group"])


class Pair:
    """A primary and its synchronous standby, which change places whenever the primary dies."""

    def __init__(self, folder: Path, sockets: Path) -> None:
        first, second = (Machine(folder / name, sockets, port) for name, port in (("a", 5432), ("b", 5433)))
        self.primary, self.standby = first, second
        self.dsn = make_conninfo(
            f"host={sockets},{sockets} port={first.port},{second.port} user=postgres dbname=postgres",
            target_session_attrs="read-write",
        )

    def start(self) -> None:
        self.primary.make()
        self.primary.start()
        self.follow()

    def follow(self) -> None:
        """The standby is made anew from the primary, which from then on answers nothing that it alone has."""
        self.standby.copy_of(self.primary, "-R", "-X", "stream")
        self.standby.configure()
        self.standby.start()
        self.primary.configure(_SYNCHRONOUS)
        synchronous = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
        wait_for(lambda: self.primary.ask(synchronous), pause=0.05)

    def promote(self) -> None:
        """The standby takes the place of the primary, which is dead, and answers alone until it has a standby."""
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary

    def stop(self) -> None:
        self.standby.stop()
        self.primary.configure()  # else it would wait for its standby
        self.primary.stop()


@contextmanager
def pair(folder: Path) -> Iterator[Pair]:
    """A primary with its standby while the test lasts."""
    with ExitStack() as opened:
        made = Pair(folder, opened.enter_context(sockets()))
        opened.callback(made.stop)
        made.start()
        yield made
