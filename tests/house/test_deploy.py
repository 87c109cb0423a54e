"""The files of deploy/ name what the service has: options, programs, folders."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from adapters.process.api import DRAIN_SECONDS
from adapters.process.commands import BESIDE
from adapters.process.options import options

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "deploy" / name for name in ("Containerfile", "compose.yaml", "fulfilment.service")]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_variable_is_an_option_of_the_service(file: Path):
    known = {f"FULFILMENT_{name.upper()}" for name in vars(options([]))}
    named = set(re.findall(r"\bFULFILMENT_[A-Z_]+\b", file.read_text()))
    assert named
    assert named <= known


def test_its_health_is_asked_by_a_command_that_there_is():
    words = re.search(r'HEALTHCHECK .*CMD \["fulfilment-server", "(\w+)"\]', FILES[0].read_text())
    assert words
    assert words[1] in BESIDE


def test_what_the_wheels_are_built_from_reaches_the_container_and_nothing_else():
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    found = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    packages = {each.rstrip("*") for each in found["packages"]["find"]["include"]}
    modules = {f"{each}.py" for each in found["py-modules"]}
    assert let_in == packages | modules | {"protos", "pyproject.toml", "README.md", "requirements.lock"}


def test_the_service_is_given_longer_to_stop_than_it_takes_to_drain():
    compose, unit = FILES[1].read_text(), FILES[2].read_text()
    grace = [
        re.search(r"x-service:.*?stop_grace_period: (\d+)s", compose, re.DOTALL),
        re.search(r"TimeoutStopSec=(\d+)", unit),
    ]
    assert all(each and int(each[1]) > DRAIN_SECONDS for each in grace)


def test_each_process_has_a_role_its_ports_and_figures_of_its_own():
    compose, container = FILES[1].read_text(), FILES[0].read_text()
    assert set(re.findall(r"FULFILMENT_ROLE: (\w+)", compose)) == {"api", "projector", "edge"}
    assert compose.count("<<: *environment") == compose.count("FULFILMENT_ROLE:") == compose.count("<<: *service")
    listens = re.findall(r"FULFILMENT_(?:LISTEN|WEB|METRICS): 0\.0\.0\.0:(\d+)", compose)
    exposed = re.search(r"EXPOSE (.*)", container)
    assert exposed
    assert sorted(listens) == sorted(exposed[1].split())
    published = re.findall(r'- "(\d+):(\d+)"', compose)
    (figures,) = re.findall(r"FULFILMENT_METRICS: \S+:(\d+)", compose)
    assert {inside for _, inside in published} == {*listens} - {figures}, "figures are for this machine's networks"
    assert f'expose:\n    - "{figures}"' in compose


def _calls_allowed(unit: str) -> set[str]:
    """What the filters of the unit leave of the calls of the system, by what systemd has in its sets."""

    def named(word: str) -> set[str]:
        if not word.startswith("@"):
            return {word}
        words = ["systemd-analyze", "syscall-filter", word]
        told = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
        inside = [line.strip() for line in told[1:] if not line.strip().startswith("#")]
        return set().union(*(named(each) for each in inside if each))

    allowed: set[str] = set()
    for taken, names in re.findall(r"^SystemCallFilter=(~?)(.*)$", unit, re.MULTILINE):
        calls = set().union(*map(named, names.split()))
        allowed = allowed - calls if taken else allowed | calls
    return allowed


def test_the_unit_lets_the_service_do_what_it_does():
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze on this machine")
    sources = [path.read_text() for path in (ROOT / "adapters").rglob("*.py")]
    assert any("os.nice(" in each for each in sources), "else the unit need not allow it"
    assert _calls_allowed(FILES[2].read_text()) >= {"setpriority", "execve", "clone3", "socket", "bind", "accept4"}


def test_systemd_understands_the_unit(tmp_path: Path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze on this machine")
    unit = tmp_path / "fulfilment.service"
    unit.write_text(FILES[2].read_text().replace("/opt/fulfilment/bin/fulfilment-server", shutil.which("true") or ""))
    told = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")
