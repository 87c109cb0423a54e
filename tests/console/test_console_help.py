"""The help of the console: every command explains itself, and an option is the same everywhere."""

from __future__ import annotations

import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module

import click
import pytest

from adapters import console
from adapters.console.main import root
from tests.support.service import HOUSE
from tests.support.terminal import Shell


def _commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from _commands(child, (*path, name))


def test_the_list_of_commands_has_the_first_sentence_of_each():
    """It is written without a look at them, which would import them all."""
    assert dict(root.sentences()) == {name: each.get_short_help_str(500) for name, each in root.commands.items()}
    assert list(root.commands) == [name for name, _ in root.sentences()]


def test_a_group_has_all_its_commands_once_it_is_imported():
    """What another module added to it would be there or not, as that one is imported or not."""
    alone = (
        "from tests.console.test_console_help import _commands, root; print(*map(' '.join, _commands(root)), sep=';')"
    )
    told = subprocess.run([sys.executable, "-c", alone], cwd=HOUSE, capture_output=True, text=True, check=True).stdout
    for module in pkgutil.walk_packages(console.__path__, "adapters.console."):
        import_module(module.name)
    assert told.strip().split(";") == [" ".join(path) for path in _commands(root)]


@pytest.mark.parametrize("path", list(_commands(root)), ids=lambda path: " ".join(path) or "fulfilment")
def test_every_command_explains_itself(shell: Shell, path: tuple[str, ...]):
    result = shell(*path, "--help")
    assert result.code == 0
    assert re.search(r"^  [A-Z]\w+ ", result.out.partition("\n")[2], re.MULTILINE), result.out


@pytest.mark.parametrize("path", list(_commands(root))[1:], ids=" ".join)
def test_no_help_is_wider_than_a_terminal(shell: Shell, path: tuple[str, ...]):
    assert max(map(len, shell(*path, "--help").out.splitlines())) <= 80


SHAPES = {
    "--amount": "of a case in its own currency, of a chargeback with it",
    "--as-of": "a position or a time of an order, a time of a feed",
    "--charge": "of an order or an invoice its kind, of a refund the charge's own id",
    "--cost": "of a recovery with its id and kind",
    "--due-within": "reviews in days, everything else in hours",
    "--hs-code": "of an order with its line, of a SKU alone",
    "--language": "of a mail or a customer any, of a history one of few",
    "--line": "a whole line, units of a line, or a line",
    "--of": "of a question who is asked, of a payment the one that it is about",
    "--origin": "of an order with its line, of a SKU alone",
    "--name": "of a person or a company as it is written, of a connection one word",
    "--owner": "of a hold any name, of work one of few",
    "--part": "of a bundle what it is made of, of a rate which part is listed",
    "--reason": "a word, or a sentence for people",
    "--sku": "of a parcel with its units, alone elsewhere",
    "--title": "of an order with its line, of a SKU alone",
    "--to": "of an export a file, of units the supplier that is to have them",
    "--warehouse": "a whole one of a supplier, of an offer its code",
    "--version": "the number of a feed or of an order, or which version the console is",
    "--weight": "of an order with its line, of a SKU alone",
}
"""Options that take something else in some commands, and why."""


def test_an_option_takes_the_same_in_every_command():
    shapes: dict[str, set[str]] = {}
    for path in _commands(root):
        command: click.Command = root
        for name in path:
            assert isinstance(command, click.Group)
            command = command.commands[name]
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                shape = "WORD" if isinstance(option.type, click.Choice) else option.metavar or option.type.name
                shapes.setdefault(option.opts[0], set()).add(shape)
    assert {name for name, found in shapes.items() if len(found) > 1} == SHAPES.keys()
    assert not shapes.keys() & {"--because", "--within", "--no-parcel", "--open"}


def test_the_words_of_an_argument_are_spelled_out(shell: Shell):
    result = " ".join(shell("order", "hold", "--help").out.split())
    assert "ORDER_ID REASON" in result
    assert "REASON is one of incomplete, awaiting_payment, fraud_review," in result


def test_the_help_names_the_exit_codes(shell: Shell):
    assert re.search(r"3 +the service cannot be reached", shell("--help").out)
