"""Processes of the service that have one role each, as somebody starts them who runs the roles apart."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.support.service import HOUSE
from tests.support.waiting import wait_for


class Role(NamedTuple):
    """A process with one role."""

    process: subprocess.Popen[bytes]
    log: Path

    def told(self, pattern: str) -> str:
        """What stands in its log, once it does."""

        def found() -> str:
            assert self.process.poll() is None, self.log.read_text()
            there = re.search(pattern, self.log.read_text())
            return there[1] if there else ""

        return str(wait_for(found, 60))

    @property
    def figures(self) -> str:
        """Where it shows its figures."""
        return self.told(r"figures at (http://127\.0\.0\.1:\d+/metrics)")


@contextmanager
def running(role: str, folder: Path, words: Sequence[str] = (), environment: Mapping[str, str] = {}) -> Iterator[Role]:
    """With these options, on the command line or in the environment; it has to stop in order."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("FULFILMENT_")}
    chosen = {**outside, "FULFILMENT_ROLE": role, "FULFILMENT_DATA": str(folder), "FULFILMENT_LOG_FORMAT": "json"}
    log = folder / f"{role}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "server.py", *words], cwd=HOUSE, env={**chosen, **environment}, stdout=out, stderr=out
        )
    try:
        yield Role(process, log)
    finally:
        process.terminate()
        assert process.wait(40) == 0, log.read_text()
