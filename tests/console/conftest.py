"""What the tests of the console share: a shell in this process."""

from __future__ import annotations

import pytest

from adapters.console.main import run
from tests.support.service import Service
from tests.support.terminal import CommandResult, Console, Shell


@pytest.fixture(scope="module")
def acme(service: Service) -> None:
    """A supplier that may be given orders."""
    Console(service.address)("supplier", "add", "acme", "--name", "Acme Ltd", "--approve")


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Types a command in this process, which is faster than a process each."""
    for name in ("SERVER", "TENANT", "ACTOR", "TOKEN", "TOKEN_FILE", "TLS", "CA", "CERT", "KEY"):
        monkeypatch.delenv(f"FULFILMENT_{name}", raising=False)

    def type_in(*arguments: str) -> CommandResult:
        code = run(arguments)
        printed = capsys.readouterr()
        return CommandResult(code, printed.out, printed.err)

    return type_in


@pytest.fixture
def ff(shell: Shell, service: Service) -> Shell:
    """The console at the service of this module."""
    return lambda *arguments: shell(*arguments, "--server", service.address)
