"""The rules of the console's code: a client and nothing else, one place that prints, one that opens files."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator

import click
import pytest

from adapters.console.main import root
from adapters.console.terminal.sentences import COMMANDS
from tests.support.contract import contract_files
from tests.support.service import HOUSE


def rpcs_in_sentences() -> Iterator[str]:
    """Every RPC that a text of the service names."""
    known = {method.name for file in contract_files() for service in file.services_by_name.values()
             for method in service.methods}  # fmt: skip
    for folder in ("ledger", "projections", "adapters"):
        for path in (HOUSE / folder).rglob("*.py"):
            if "console" in path.parts or path.name == "roles.py":  # which lists RPCs and says nothing to people
                continue
            tree = ast.parse(path.read_text())
            docstrings = [
                ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, DOCUMENTED)
            ]
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value not in docstrings:
                    yield from (name for name in re.findall(r"\w+", node.value) if name in known and " " in node.value)


CONSOLE = HOUSE / "adapters/console"
MODULES = sorted(path.relative_to(CONSOLE).as_posix() for path in CONSOLE.rglob("*.py"))
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def test_a_sentence_of_the_service_that_names_an_rpc_names_a_command_at_the_console():
    assert set(rpcs_in_sentences()) - {"Reserve"} == set(COMMANDS)
    for rpc, typed in COMMANDS.items():
        command: click.Command = root
        for name in typed.split():
            assert isinstance(command, click.Group)
            command = command.commands[name]
        assert command.callback is not None
        assert rpc == "RegisterParcel" or rpc in inspect.getsource(inspect.unwrap(command.callback))


def test_only_the_printer_prints():
    prints = re.compile(r"(?<![.\w])print\(|click\.echo\(|stdout\.write")
    assert [name for name in MODULES if prints.search((CONSOLE / name).read_text())] == [
        "__main__.py",  # that it was stopped
        "auditing/ledger_check.py",  # progress, made plain
        "main.py",  # how it ended, made plain
        "people/person.py",  # progress, which is numbers
        "service/admin.py",  # progress, which is numbers
        "terminal/batches.py",  # progress, which is numbers
        "terminal/files.py",  # what is to be a file, made plain cell by cell
        "terminal/printer.py",
    ]


def test_files_are_read_and_written_in_one_place():
    opens = re.compile(
        r"(?<![.\w])open\(|click\.(File|Path)\(|(?<!files)(?<!os)\.(open|read_bytes|read_text)\(|csv\.writer"
    )
    found = [name for name in MODULES if opens.search((CONSOLE / name).read_text())]
    assert found == ["edges/olist.py", "terminal/files.py"], "the folder of an import is the other"


ALLOWED = {"fulfilment", "grpc", "click", "rich", "google"}
OTHERS = {"reports/trade.py": {"pyarrow"}, "terms/calendars.py": {"holidays"}}
"""What the modules that write files of reports, and the one that knows public holidays, use beside that."""
BESIDE = (
    "adapters.mail.bounces",
    "adapters.mail.mailboxes",
    "adapters.order_files",
    "adapters.export_files",
    "adapters.fact_schemas",
)
"""What reads facts or the files of others, and needs nothing of the service."""
TERMS = ("ledger.terms.money.", "ledger.terms.order_numbers.", "ledger.facts")
"""The ledger's words for money, numbers and instants, which are the same at a terminal."""


@pytest.mark.parametrize("name", MODULES)
def test_the_console_is_a_client_and_nothing_else(name: str):
    imported = set()
    for node in ast.walk(ast.parse((CONSOLE / name).read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported |= {f"{node.module}.{alias.name}" for alias in node.names}
    ours = {name for name in imported if name.startswith(("adapters.", "ledger."))}
    assert all(name.startswith(("adapters.console.", *BESIDE, *TERMS)) for name in ours)
    outside = {name.partition(".")[0] for name in imported - ours} - set(sys.stdlib_module_names)
    assert outside <= ALLOWED | OTHERS.get(name, set())


def empty_filters() -> Iterator[list[str]]:
    """Each option with a text of a command that records nothing itself, typed with an empty one."""
    waiting: list[tuple[list[str], click.Command]] = [([], root)]
    shared = {param.name for param in root.params}
    while waiting:
        typed, command = waiting.pop()
        if isinstance(command, click.Group):
            waiting += [([*typed, name], each) for name, each in command.commands.items()]
        options = [each for each in command.params if isinstance(each, click.Option) and each.name not in shared]
        if any(each.name == "request_id" for each in options):
            continue
        texts = [each for each in options if isinstance(each.type, click.types.StringParamType)]
        yield from ([*typed, each.opts[0], *[""] * each.nargs] for each in texts)


def test_an_empty_filter_is_refused_and_never_selects_everything():
    found = list(empty_filters())
    assert len(found) > 50
    for typed in found:
        with pytest.raises(click.BadParameter, match="it is empty; give it a value or leave it out"):
            root.main(typed, standalone_mode=False)
