"""A process imports what its role needs: most of what a start takes is imports."""

from __future__ import annotations

import subprocess
import sys

import pytest

from adapters.process.commands import BESIDE
from server import ROLES
from tests.support.service import HOUSE

_EDGES = ("starlette", "uvicorn")
_READ_MODELS = ("projections", "ledger.nouns")
_MESSAGES = ("jinja2", "markdown_it")


def imported(module: str) -> set[str]:
    code = f"import sys, server, {module}; print(*sys.modules)"
    words = [sys.executable, "-c", code]
    return set(subprocess.run(words, cwd=HOUSE, capture_output=True, text=True, check=True).stdout.split())


def test_the_help_of_the_console_imports_no_command():
    code = "import sys; from adapters.console.main import run; run(['--help']); print(*sys.modules, file=sys.stderr)"
    ended = subprocess.run([sys.executable, "-c", code], cwd=HOUSE, capture_output=True, text=True, check=True)
    ours = {name for name in ended.stderr.split() if name.startswith("adapters.console.")}
    needed = {"commands", "words", "session", "client", "sentences", "tokens", "encryption", "printer", "files"}
    below = {"adapters.console.terminal", *(f"adapters.console.terminal.{name}" for name in needed)}
    assert ours <= {"adapters.console.main", *below}


@pytest.mark.parametrize(
    ("module", "never"),
    [
        ("server", ("grpc", "cryptography", *_EDGES, *_READ_MODELS, *_MESSAGES)),
        (ROLES["projector"], ("grpc", "adapters.rpc", "fulfilment.v1", *_EDGES, *_MESSAGES)),
        (ROLES["api"], _EDGES),
        (BESIDE["health"], (*_EDGES, *_READ_MODELS, *_MESSAGES)),
        (BESIDE["migrate"], ("grpc", *_EDGES, *_MESSAGES)),
    ],
)
def test_a_process_imports_nothing_that_only_others_need(module: str, never: tuple[str, ...]):
    found = imported(module)
    assert module in found
    assert found.isdisjoint(never)
