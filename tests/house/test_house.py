"""The rules of the house that import-linter cannot say: who may import what from outside."""

import ast
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from fulfilment import __version__

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


PROJECT = tomllib.loads((HOUSE / "pyproject.toml").read_text())
CLIENT = tomllib.loads((HOUSE / "protos" / "pyproject.toml").read_text())


def locked(lock: str) -> dict[str, str]:
    """The version of each package that a lock names."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (HOUSE / lock).read_text(), re.MULTILINE))


@pytest.mark.parametrize(
    ("lock", "extras", "groups"),
    [
        ("requirements.lock", ["embedded"], ["build"]),
        ("requirements-dev.lock", ["embedded", "reports"], ["build", "dev"]),
    ],
)
def test_a_lock_fits_the_project_and_names_no_registry(lock: str, extras: list[str], groups: list[str]):
    project = PROJECT["project"]
    lines = [*project["dependencies"], *CLIENT["project"]["dependencies"]]
    lines += [line for extra in extras for line in project["optional-dependencies"][extra]]
    lines += [line for group in groups for line in PROJECT["dependency-groups"][group] if isinstance(line, str)]
    wanted = [Requirement(line) for line in lines]

    misfits = [
        str(each)
        for each in wanted
        if each.name != "fulfilment" and not each.specifier.contains(locked(lock).get(each.name, "0"))
    ]

    assert misfits == [], "run make lock"
    assert "://" not in (HOUSE / lock).read_text()


def test_the_service_runs_with_the_versions_that_it_is_tested_with():
    assert locked("requirements.lock").items() <= locked("requirements-dev.lock").items()


def test_what_runs_brings_no_tools_of_developers():
    names = locked("requirements.lock").keys()
    tools = {Requirement(line).name for line in PROJECT["dependency-groups"]["dev"] if isinstance(line, str)}
    assert tools & names <= {"eventsourcing"}  # which tests need with an extra
    assert not {"pyarrow", "matplotlib"} & names


def test_the_service_needs_the_contract_of_its_own_version():
    assert f"fulfilment=={__version__}" in PROJECT["project"]["dependencies"]


@pytest.mark.parametrize("room", ["ledger", "adapters", "projections"])
def test_people_read_instants_to_the_minute(room: str):
    """A request id of our own is for programs and may be exact."""
    exact = re.compile(r"""f["'].*(isoformat\(|:%S|ToJsonString\()""")
    found = [
        f"{path.relative_to(HOUSE)}: {line.strip()}"
        for path in sorted((HOUSE / room).rglob("*.py"))
        for line in path.read_text().splitlines()
        if exact.search(line) and "request = f" not in line
    ]
    assert found == []


def test_what_tests_share_stands_in_support():
    """No test imports from a module of tests, so that each of those can be split, moved and run by itself."""
    found = [
        f"{path.relative_to(HOUSE)}:{line} imports {name}"
        for path in sorted((HOUSE / "tests").rglob("*.py"))
        for name, line in imports(path.read_text())
        if name.startswith("tests.") and not name.startswith("tests.support")
    ]
    assert found == []


def test_a_file_that_people_write_has_at_most_700_lines():
    """What is generated aside: what outgrows that has seams, along which it is split."""
    rooms = ("protos", "ledger", "projections", "adapters", "tests", "benchmarks", "examples", "docs")
    written = [
        path
        for room in rooms
        for path in (HOUSE / room).rglob("*")
        if path.suffix in {".py", ".proto", ".md"} and "_pb2" not in path.name
    ]
    assert len(written) > 400
    long = [path for path in written if len(path.read_text().splitlines()) > 700]
    assert [
        path.name for path in long if path.suffix != ".md" or "Generated by `make docs`" not in path.read_text()
    ] == []


def test_no_two_classes_of_the_service_have_one_name():
    """Whoever looks for a class finds it. A name that begins with an underscore belongs to its module."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for room in ("ledger", "projections", "adapters"):
        for path in sorted((HOUSE / room).rglob("*.py")):
            for name in re.findall(r"^class ([A-Za-z]\w*)", path.read_text(), re.MULTILINE):
                found[name].append(str(path.relative_to(HOUSE)))
    assert len(found) > 600
    assert {name: files for name, files in found.items() if len(files) > 1} == {}


def test_files_that_the_code_names_exist():
    """What a comment refers to is found, also after somebody moved it."""
    named = re.compile(r"\b(?:ledger|projections|adapters|tests|benchmarks)/[\w/.-]+\.(?:py|txt|md)\b")
    sources = [
        HOUSE / "server.py",
        *(path for room in ("ledger", "projections", "adapters") for path in (HOUSE / room).rglob("*.py")),
    ]
    found = [(path, name) for path in sources for name in named.findall(path.read_text())]
    assert len(found) > 5
    assert [f"{path.relative_to(HOUSE)}: {name}" for path, name in found if not (HOUSE / name).exists()] == []
