"""A PostgreSQL of our own, out of a wheel: made, started, watched and stopped."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import psutil  # type: ignore[import-untyped]
import psycopg
from psycopg.conninfo import make_conninfo

from adapters.database.embedded_user import ITSELF, VERSION, ServerUser
from adapters.database.problems import StartFailed
from adapters.process.folders import make_private

_SETTINGS = """\
# Written by the fulfilment service at every start. Change a setting with ALTER SYSTEM: that wins.
max_connections = 200
shared_buffers = 256MB
max_wal_size = 4GB
checkpoint_timeout = 15min
fsync = on
full_page_writes = on
synchronous_commit = on
jit = off
"""

_SOCKET = ".s.PGSQL.5432"
_LONGEST_SOCKET_BYTES = 103
"""What macOS takes; Linux takes four more."""

_START_SECONDS = 120
_STOP_SECONDS = 60
_LOOK_SECONDS = 0.5
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0

log = logging.getLogger("fulfilment.postgres")


def holds_data(folder: Path) -> bool:
    """Whether a server of our own has its data under this folder."""
    return (folder / "postgres" / "PG_VERSION").exists()


class EmbeddedServer:
    """A PostgreSQL server of our own under ``folder/postgres``, on a socket that its own user alone can reach.

    It outlives a killed process; the next start attaches to it. If it ends while it is in use, it is started
    again, with longer and longer pauses while that fails.
    """

    def __init__(self, folder: Path) -> None:
        self.version = 0
        """As server_version_num, once it answers."""
        self._folder = folder.resolve()
        self._data = self._folder / "postgres"
        self._log = self._folder / "postgres.log"
        self._user = ServerUser(self._folder, self._data)
        self._child: subprocess.Popen[bytes] | None = None
        self._use: IO[str] | None = None
        self._closing = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="postgres", daemon=True)

    def start(self) -> str:
        """Starts the server or attaches to the one that runs; returns the conninfo."""
        make_private(self._folder, "--data")
        with self._exclusive():
            self._make_data()
            conninfo = self._start()
            # The kernel frees the lock of a dead process; the last process that holds it stops the server.
            self._use = self._opened(".using")
            fcntl.flock(self._use, fcntl.LOCK_SH)
        self._watcher.start()
        return conninfo

    def stop(self) -> None:
        """Stops the server, unless another process still uses it."""
        if self._use is None:
            return
        self._closing.set()
        self._watcher.join()
        with self._exclusive(), self._use, suppress(BlockingIOError):
            fcntl.flock(self._use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._end()
        self._use = None

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """One process at a time starts or stops the server."""
        with self._opened(".starting") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                yield
            except subprocess.CalledProcessError as error:
                raise StartFailed(f"PostgreSQL cannot make its data: {' '.join(error.stderr.split())}") from error
            except OSError as error:
                raise StartFailed(f"PostgreSQL cannot be started: {error}") from error

    def _opened(self, name: str) -> IO[str]:
        try:
            return (self._folder / name).open("a")
        except OSError as error:
            raise StartFailed(
                f"cannot write into the data folder {self._folder} ({error.strerror}); give it to the user that runs "
                "the service, or name another with --data"
            ) from error

    def _start(self) -> str:
        if (running := self._postmaster()) is None:
            self._launch()
        elif not self._listens_here():
            raise StartFailed(
                f"an earlier version of the service left a PostgreSQL under {self._data} whose socket others may "
                f"reach; stop it first: kill -INT {running.pid}"
            )
        return self._wait_until_it_answers()

    def _watch(self) -> None:
        """Starts the server again when it has ended; logs each attempt, and the reason of a failure once."""
        pause, began_at, known = _FIRST_PAUSE, time.monotonic(), ""
        while not self._closing.wait(_LOOK_SECONDS):
            if self._postmaster() is not None:
                continue
            if time.monotonic() - began_at > _LONGEST_PAUSE:
                pause = _FIRST_PAUSE
            what = "does not start yet" if known else "has ended"
            log.error("PostgreSQL %s, starting it again in %.0f s; %s says why", what, pause, self._log)
            if self._closing.wait(pause):
                return
            pause = min(pause * 2, _LONGEST_PAUSE)
            began_at = time.monotonic()
            try:
                with self._exclusive():
                    self._configure()
                    self._start()
            except StartFailed as problem:
                # The following lines of its log contain times, which differ between attempts.
                reason = str(problem).partition("\n")[0]
                if reason != known:
                    log.error("%s", problem)
                known = reason
            else:
                log.info("PostgreSQL answers again")
                known = ""

    # --- its data ---------------------------------------------------------------------------------

    def _make_data(self) -> None:
        """Makes the data of a new server, completely or not at all."""
        if not (self._data / "PG_VERSION").exists():
            draft = self._data.with_suffix(".new")
            shutil.rmtree(draft, ignore_errors=True)
            self._user.make_private(draft)
            arguments = ("--no-locale", "--encoding=UTF8", "--auth-local=trust", "--auth-host=reject", "-U", "postgres")
            self._user.run(draft, self._user.program("initdb"), "-D", self._user.seen_from_inside(draft), *arguments)
            draft.rename(self._data)
        self._configure()

    def _configure(self) -> None:
        """Checks the data that are there, and writes the settings."""
        found = (self._data / "PG_VERSION").read_text().strip()
        if found != VERSION:
            raise StartFailed(
                f"the data under {self._data} was made by PostgreSQL {found} and this service brings {VERSION}; dump "
                "it with the version of the service that made it and load it into a new data folder"
            )
        # Written as the server's user, because root would follow links that this user made.
        include = "include_if_exists = 'fulfilment.conf'"
        keep = f'cat > fulfilment.conf && grep -qxF "{include}" postgresql.conf || echo "{include}" >> postgresql.conf'
        self._user.run(self._data, "/bin/sh", "-c", keep, text=_SETTINGS)

    # --- its process ------------------------------------------------------------------------------

    def _postmaster(self) -> Any:
        """The server's process, whoever started it; None when there is none."""
        if self._child is not None:
            self._child.poll()
        try:
            process = psutil.Process(int(self._pid_file()[0]))
            # Another program may have the process id of a dead server now.
            return process if Path(process.cwd()) == self._data else None
        except (OSError, ValueError, psutil.Error):
            return None

    def _pid_file(self) -> list[str]:
        return (self._data / "postmaster.pid").read_text().split("\n")

    def _listens_here(self) -> bool:
        """Whether the running server's socket is in the expected folder; a starting server has not written it yet."""
        written = self._pid_file()[4:5] or [""]
        return written[0] in ("", ITSELF, str(self._data), str(self._sockets()))

    def _launch(self) -> None:
        # Left by a crash of the machine; PostgreSQL would take any process with this id for a server.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        sockets = self._sockets()
        where = self._user.seen_from_inside(self._data)
        words = [self._user.program("postgres"), "-D", where, "-p", "5432", "-c", "listen_addresses="]
        words += ["-k", where if sockets == self._data else str(sockets), "-c", "unix_socket_permissions=0700"]
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        with os.fdopen(os.open(self._log, flags, 0o600), "wb") as out:
            self._child = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **self._user.process_options(self._data)
            )

    def _wait_until_it_answers(self) -> str:
        conninfo = make_conninfo(host=str(self._sockets()), port=5432, user="postgres", dbname="postgres")
        give_up_at = time.monotonic() + _START_SECONDS
        while True:
            try:
                with psycopg.connect(conninfo, connect_timeout=5) as connection:
                    self.version = connection.info.server_version
            except psycopg.OperationalError as error:
                # It is there but not ready: after a crash it first replays its log.
                gone = self._child.poll() is not None if self._child is not None else self._postmaster() is None
                if gone or self._closing.is_set() or time.monotonic() > give_up_at:
                    raise StartFailed(
                        f"the embedded PostgreSQL under {self._data} did not start ({' '.join(str(error).split())}); "
                        f"the end of {self._log}:\n{self._end_of_log()}"
                    ) from error
                time.sleep(0.05)
            else:
                return conninfo

    def _end(self) -> None:
        process = self._postmaster()
        if process is not None:
            process.send_signal(
                signal.SIGINT
            )  # a fast shutdown: transactions are broken off, all that is committed kept
            try:
                process.wait(_STOP_SECONDS)
            except psutil.TimeoutExpired:
                log.warning("PostgreSQL does not stop; ending it at once, it recovers at the next start")
                process.send_signal(signal.SIGQUIT)
                process.wait(_STOP_SECONDS)
        pointer = self._folder / "socket"
        with suppress(OSError):
            Path(os.readlink(pointer)).rmdir()
            pointer.unlink()

    def _end_of_log(self) -> str:
        with suppress(OSError):
            return "\n".join(self._log.read_text(errors="replace").splitlines()[-8:])
        return "(there is no log)"

    # --- its socket -------------------------------------------------------------------------------

    def _sockets(self) -> Path:
        """The folder of its socket: its data, or a private one under /tmp where that path is too long for a socket.

        ``folder/socket`` is a link to it, so that other processes find it.
        """
        if len(os.fsencode(self._data / _SOCKET)) <= _LONGEST_SOCKET_BYTES:
            return self._data
        pointer = self._folder / "socket"
        with suppress(FileNotFoundError):
            target = Path(os.readlink(pointer))
            with suppress(FileExistsError):
                self._user.make_private(target)  # cleared away since
            return self._require_private(target, pointer)
        made = Path(tempfile.mkdtemp(prefix="fulfilment-", dir="/tmp"))
        if self._user.identity:
            os.chown(made, self._user.identity["user"], self._user.identity["group"])
        pointer.symlink_to(made)
        return made

    def _require_private(self, folder: Path, pointer: Path) -> Path:
        found = folder.lstat()
        owner = self._user.identity.get("user", os.geteuid())
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o077:
            raise StartFailed(f"the folder {folder} of PostgreSQL's socket is not private; remove {pointer}")
        return folder
