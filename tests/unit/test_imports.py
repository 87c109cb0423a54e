"""A process imports what it needs: most of what a start takes is imports."""

from __future__ import annotations

import subprocess
import sys

from tests.support.service import HOUSE


def test_the_help_of_the_console_imports_no_command():
    code = "import sys; from adapters.console.main import run; run(['--help']); print(*sys.modules, file=sys.stderr)"
    ended = subprocess.run([sys.executable, "-c", code], cwd=HOUSE, capture_output=True, text=True, check=True)
    ours = {name for name in ended.stderr.split() if name.startswith("adapters.console.")}
    needed = {"main", "commands", "words", "session", "client", "sentences", "tokens", "encryption", "printer", "files"}
    assert ours <= {f"adapters.console.{name}" for name in needed}
