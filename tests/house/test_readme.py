"""The session of the README and the example of docs/clients.md, against the real service: each shows what comes out."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.support.service import HOUSE, serving


def sessions() -> list[tuple[str, list[str]]]:
    """Each command of the console blocks, with the lines that the README shows of its output."""
    blocks = re.findall(r"```console\n(.*?)```", (HOUSE / "README.md").read_text(), re.DOTALL)
    found: list[tuple[str, list[str]]] = []
    for line in "".join(blocks).replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.strip():
            found[-1][1].append(line)
    return found


def matches(shown: str, line: str) -> bool:
    """Spaces count once, and … stands for anything."""
    parts = [re.escape(" ".join(part.split())) for part in shown.split("…")]
    return re.fullmatch(r"\s*.*\s*".join(parts), " ".join(line.split())) is not None


def test_the_session_of_the_readme_does_what_it_shows(folder: Path) -> None:
    steps = sessions()
    assert len(steps) > 8
    with serving(folder, "--data", str(folder / "data")) as service:
        environment = {**os.environ, "FULFILMENT_SERVER": service.address, "NO_COLOR": "1"}
        fulfilment = str(Path(sys.executable).with_name("fulfilment"))
        for command, shown in steps:
            words = shlex.split(command)
            assert words[0] == "fulfilment"
            done = subprocess.run([fulfilment, *words[1:]], env=environment, capture_output=True, text=True, timeout=60)
            out = (done.stdout + done.stderr).splitlines()
            missing = [line for line in shown if not any(matches(line, got) for got in out)]
            assert not missing, f"{command}\nsays\n{done.stdout}{done.stderr}\nbut the README shows\n{missing}"


def test_the_python_of_the_clients_page_prints_what_it_shows(folder: Path) -> None:
    page = (HOUSE / "docs" / "clients.md").read_text()
    (code,), (shown,) = (re.findall(rf"```{word}\n(.*?)```", page, re.DOTALL) for word in ("python", "text"))
    with serving(folder, "--data", str(folder / "data")) as service:
        code = code.replace("127.0.0.1:50051", service.address)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == shown, done.stderr
