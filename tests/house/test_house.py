"""The rules of the house that import-linter cannot say: who may import what from outside."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

HOUSE = Path(__file__).parents[2]
ENGINE_LIBRARIES = {"msgspec", "eventsourcing", "psycopg", "psycopg_pool", "cryptography"}
LEDGER = sorted((HOUSE / "ledger").rglob("*.py"))


def imports(source: str) -> Iterator[tuple[str, int]]:
    """The full name and the line of everything that the source imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((f"{'.' * node.level}{node.module or ''}.{alias.name}", node.lineno) for alias in node.names)


def forbidden(file: str, source: str) -> list[str]:
    """What the file of the ledger may not import: decisions know only words, the engine its few libraries."""
    in_engine = file.startswith("ledger/engine/")
    libraries = ENGINE_LIBRARIES if in_engine else {"msgspec"}
    found = []
    for name, line in imports(source):
        package, _, rest = name.partition(".")
        if package == "ledger":
            allowed = in_engine or rest.partition(".")[0] != "engine"
        else:
            allowed = package in sys.stdlib_module_names or package in libraries
        if not allowed:
            found.append(f"{file}:{line} may not import {name}")
    return found


@pytest.mark.parametrize("path", LEDGER, ids=lambda path: str(path.relative_to(HOUSE)))
def test_the_ledger_imports_only_what_deciding_and_storing_need(path: Path):
    assert forbidden(str(path.relative_to(HOUSE)), path.read_text()) == []


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("ledger/nouns/orders.py", "import psycopg"),
        ("ledger/nouns/orders.py", "def late():\n    from ledger.engine import log"),
        ("ledger/decisions/intake.py", "from ledger.engine.book import Book"),
        ("ledger/nouns/orders.py", "from . import stock"),
        ("ledger/nouns/a_new_noun.py", "import eventsourcing.domain"),
        ("ledger/engine/book.py", "import grpc"),
        ("ledger/engine/log.py", "from adapters import postgres"),
    ],
)
def test_a_forbidden_import_is_found(file: str, source: str):
    assert forbidden(file, source) != []


def test_the_lock_fits_the_project_and_names_no_registry():
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]
    lock = (HOUSE / "requirements.lock").read_text()
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock, re.MULTILINE))
    wanted = [Requirement(line) for line in project["dependencies"] + project["optional-dependencies"]["dev"]]

    misfits = [str(each) for each in wanted if not each.specifier.contains(locked.get(each.name, "0"))]

    assert misfits == [], "run make lock"
    assert "://" not in lock


@pytest.mark.parametrize("room", ["ledger", "adapters", "projections"])
def test_people_are_told_instants_to_the_minute(room: str):
    """A request id of our own is for programs and may be exact."""
    exact = re.compile(r"""f["'].*(isoformat\(|:%S|ToJsonString\()""")
    found = [
        f"{path.relative_to(HOUSE)}: {line.strip()}"
        for path in sorted((HOUSE / room).rglob("*.py"))
        for line in path.read_text().splitlines()
        if exact.search(line) and "request = f" not in line
    ]
    assert found == []
