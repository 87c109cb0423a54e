"""The files of deploy/ name what the service has: options, programs, folders."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

import server

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "deploy" / name for name in ("Containerfile", "compose.yaml", "fulfilment.service")]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_variable_is_an_option_of_the_service(file: Path):
    known = {f"FULFILMENT_{name.upper()}" for name in vars(server.options([]))}
    named = set(re.findall(r"\bFULFILMENT_[A-Z_]+\b", file.read_text()))
    assert named
    assert named <= known


def test_its_health_is_asked_by_a_command_that_there_is():
    words = re.search(r'HEALTHCHECK .*CMD \["fulfilment-server", "(\w+)"\]', FILES[0].read_text())
    assert words
    assert words[1] in server.BESIDE


def test_what_the_wheels_are_built_from_reaches_the_container_and_nothing_else():
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    found = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    packages = {each.rstrip("*") for each in found["packages"]["find"]["include"]}
    modules = {f"{each}.py" for each in found["py-modules"]}
    assert let_in == packages | modules | {"protos", "pyproject.toml", "README.md", "requirements.lock"}


def test_the_service_is_given_longer_to_stop_than_it_takes_to_drain():
    compose, unit = FILES[1].read_text(), FILES[2].read_text()
    grace = [
        re.search(r"ledger:.*?stop_grace_period: (\d+)s", compose, re.DOTALL),
        re.search(r"TimeoutStopSec=(\d+)", unit),
    ]
    assert all(each and int(each[1]) > server.DRAIN_SECONDS for each in grace)


def test_systemd_understands_the_unit(tmp_path: Path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze on this machine")
    unit = tmp_path / "fulfilment.service"
    unit.write_text(FILES[2].read_text().replace("/opt/fulfilment/bin/fulfilment-server", shutil.which("true") or ""))
    told = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")
