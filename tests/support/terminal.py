"""The console as a person uses it, with what it printed and how it ended."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from adapters.console.main import run

HOUSE = Path(__file__).parents[2]


class CommandResult(NamedTuple):
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Terminal:
    """Types commands at one server, as one tenant, each in a process of its own."""

    def __init__(self, server: str, tenant: str = "default") -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("FULFILMENT_")}
        self.environment = {**clean, "FULFILMENT_SERVER": server, "FULFILMENT_TENANT": tenant}

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "adapters.console", *words],
            cwd=HOUSE,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words: str, typed: str = "") -> CommandResult:
        process = self.start(*words)
        out, err = process.communicate(typed, timeout=110)
        return CommandResult(process.returncode, out, err)


class Console(Terminal):
    """Types commands in this process: starting one takes longer than what most commands do.

    What a process adds, such as how it is interrupted, is a ``Terminal``'s.
    """

    def __call__(self, *words: str, typed: str = "") -> CommandResult:
        out, err = io.StringIO(), io.StringIO()
        with (
            patch.dict(os.environ, self.environment, clear=True),
            patch("sys.stdin", io.TextIOWrapper(io.BytesIO(typed.encode()))),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            code = run(words)
        return CommandResult(code, out.getvalue(), err.getvalue())


Shell = Callable[..., CommandResult]
ADDRESS = ("--address", "1 Elm Street", "--city", "Berlin", "--postal-code", "10115", "--country", "DE")
PERSON = ("--name", "Ann Example", "--email", "ann@example.org", *ADDRESS)
NUMBER = "00340434161094042557"


def placed(ff: Shell, number: str, *more: str, line: str = "TEA:2:9.90:acme") -> CommandResult:
    """Places an order of one line in the channel shop."""
    result = ff("place", "--channel", "shop", "--id", number, "--line", line, "--currency", "EUR", *PERSON, *more)
    assert result.code == 0, result.err
    return result
