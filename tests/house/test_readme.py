"""The session of the README and the example of docs/clients.md, against the real service: each shows what comes out."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.support.pages import missing, sessions
from tests.support.service import HOUSE, serving


def test_the_session_of_the_readme_does_what_it_shows(folder: Path) -> None:
    steps = sessions(HOUSE / "README.md")
    assert len(steps) > 8
    with serving(folder, "--data", str(folder / "data")) as service:
        environment = {**os.environ, "FULFILMENT_SERVER": service.address, "NO_COLOR": "1"}
        fulfilment = str(Path(sys.executable).with_name("fulfilment"))
        for command, shown in steps:
            words = shlex.split(command)
            assert words[0] == "fulfilment"
            done = subprocess.run([fulfilment, *words[1:]], env=environment, capture_output=True, text=True, timeout=60)
            lacks = missing(shown, done.stdout + done.stderr)
            assert not lacks, f"{command}\nsays\n{done.stdout}{done.stderr}\nbut the README shows\n{lacks}"


def test_the_python_of_the_clients_page_prints_what_it_shows(folder: Path) -> None:
    page = (HOUSE / "docs" / "clients.md").read_text()
    (code,), (shown,) = (re.findall(rf"```{word}\n(.*?)```", page, re.DOTALL) for word in ("python", "text"))
    with serving(folder, "--data", str(folder / "data")) as service:
        code = code.replace("127.0.0.1:50051", service.address)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == shown, done.stderr
