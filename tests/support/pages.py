"""Sessions at a terminal that pages show: what is typed, and lines of what comes out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path


def sessions(page: Path) -> list[tuple[str, list[str]]]:
    """Each command of the console blocks, with the lines that the page shows of its output."""
    blocks = re.findall(r"```console\n(.*?)```", page.read_text(), re.DOTALL)
    found: list[tuple[str, list[str]]] = []
    for line in "".join(blocks).replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.strip():
            found[-1][1].append(line)
    return found


def missing(shown: Sequence[str], out: str) -> list[str]:
    """The lines that a page shows and that did not come out."""
    return [line for line in shown if not any(_matches(line, got) for got in out.splitlines())]


def _matches(shown: str, line: str) -> bool:
    """Spaces count once, and … stands for anything."""
    parts = [re.escape(" ".join(part.split())) for part in shown.split("…")]
    return re.fullmatch(r"\s*.*\s*".join(parts), " ".join(line.split())) is not None
