"""The demo as a user starts it: it plays, checks and stays to be looked at; whenever it is ended nothing is left."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from tests.support.service import HOUSE
from tests.support.waiting import wait_for


class Demo:
    """A running one, whose processes are a session of their own and whose files are in a folder of their own."""

    def __init__(self, folder: Path, *words: str) -> None:
        self._out = folder / "out"
        self.files = folder / "files"
        self.files.mkdir()
        environment = {**os.environ, "TMPDIR": str(self.files), "COLUMNS": "80"}
        with self._out.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "examples.demo", *words],
                cwd=HOUSE,
                env=environment,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self._out.read_text()

    def says(self, sentence: str) -> None:
        wait_for(lambda: sentence in self.said or self.process.poll() is not None, 100)
        assert sentence in self.said, self.said

    def processes(self) -> list[int]:
        """All of it and what it started that still run."""
        found = []
        for each in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, _, _, session = each.read_text().rpartition(") ")[2].split()[:4]
            except OSError:
                continue
            if int(session) == self.process.pid and state != "Z":
                found.append(int(each.parent.name))
        return found


@contextmanager
def demo(folder: Path, *words: str) -> Iterator[Demo]:
    running = Demo(folder, *words)
    try:
        yield running
    finally:
        for each in running.processes():
            os.kill(each, signal.SIGKILL)
        running.process.wait(60)


def test_it_plays_its_world_checks_it_and_stays_to_be_looked_at_until_ctrl_c(tmp_path: Path):
    with demo(tmp_path, "5", "--orders", "1", "--quick") as running:
        running.says("Ctrl-C ends it, and nothing stays.")
        said = running.said
        assert said.count("✔") >= 12, said
        assert "✘" not in said
        narration, _, left = said.partition("It goes on running. Look at")
        assert [line for line in narration.splitlines() if len(line) > 80] == []
        page = re.search(r"http://\S+/t/\S+", left)
        assert page is not None
        assert "Delivered" in httpx2.get(page[0]).text
        (mails,) = re.findall(r"the (\d+) mails\s+(\S+)", left)
        assert len(list(Path(mails[1]).glob("*.eml"))) == int(mails[0]) > 4
        os.killpg(running.process.pid, signal.SIGINT)  # as a terminal does
        assert running.process.wait(60) == 0
        assert running.said.endswith("\nNothing is left.\n")
        assert running.processes() == []
        assert list(running.files.iterdir()) == []


def test_ended_while_its_service_starts_it_leaves_nothing_either(tmp_path: Path):
    with demo(tmp_path, "--quick") as running:
        wait_for(lambda: len(running.processes()) > 1)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(60) == 130
        assert running.said.endswith("\nEnded before everything was checked; nothing is left.\n")
        assert running.processes() == []
        assert list(running.files.iterdir()) == []
