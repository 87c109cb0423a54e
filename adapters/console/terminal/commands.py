"""Commands and groups of them, with the options that may stand anywhere on the line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple, TypeVar

import click

from adapters.console.terminal import words
from adapters.console.terminal.session import Session

F = TypeVar("F", bound=Callable[..., Any])

_SENTENCE = 500
"""Longer than any."""
_FEW_WORDS = 40
"""So many characters of words to choose from stand in a line of help."""


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Keep the value of an option; a later one on the line replaces an earlier one."""
    session = ctx.ensure_object(Session)
    assert param.name is not None, "an option has a name"
    source = ctx.get_parameter_source(param.name)
    if ctx.parent is None or source is click.core.ParameterSource.COMMANDLINE:
        setattr(session, param.name, value)


def _options(hidden: bool) -> list[click.Option]:
    usual = Session()

    def option(name: str, variable: str, about: str, **more: Any) -> click.Option:
        if variable:
            more |= {"envvar": variable, "show_envvar": True}
        default = getattr(usual, name.removeprefix("--").replace("-", "_"))
        return click.Option(
            [name], default=default, help=about, expose_value=False, callback=_remember, hidden=hidden, **more
        )

    return [
        option("--server", "FULFILMENT_SERVER", "The service.", metavar="HOST:PORT", show_default=True),
        option(
            "--tenant",
            "FULFILMENT_TENANT",
            "Whose ledger; if not said, that of the token, else 'default'.",
            metavar="NAME",
        ),
        option(
            "--actor",
            "FULFILMENT_ACTOR",
            "Who asks: a pseudonym, recorded in plain behind the token's name.",
            metavar="NAME",
        ),
        option(
            "--token-file",
            "FULFILMENT_TOKEN_FILE",
            "Its first line is your token; or put the token into FULFILMENT_TOKEN.",
            metavar="FILE",
        ),
        option("--tls", "FULFILMENT_TLS", "Encrypt; the three below imply it.", is_flag=True),
        option("--plain", "FULFILMENT_PLAIN", "Send the token without TLS also to another machine.", is_flag=True),
        option("--ca", "FULFILMENT_CA", "Authorities to trust, as PEM; if not said, the usual ones.", metavar="FILE"),
        option("--cert", "FULFILMENT_CERT", "Your certificate, where the service asks for one.", metavar="FILE"),
        option("--key", "FULFILMENT_KEY", "Its private key.", metavar="FILE"),
        option(
            "--timeout",
            "",
            "How long to wait for each answer.",
            metavar="SECONDS",
            type=click.FloatRange(min=0, min_open=True),
            show_default=True,
        ),
        option("--json", "", "Print JSON with the names of the protos, errors too.", is_flag=True),
    ]


def _require_filled(params: Sequence[click.Parameter]) -> None:
    """Of what asks and records nothing itself, an option narrows down what is asked for: an empty one is refused."""
    if not any(param.name == "request_id" for param in params):
        for param in params:
            if isinstance(param, click.Option) and param.type is click.STRING:
                param.type = words.FILLED


class Words(click.Command):
    """A command that takes the shared options as well."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        for param in self.params:
            if isinstance(param.type, click.Choice) and len("|".join(param.type.choices)) > _FEW_WORDS:
                self._spell_out(param, f"One of {', '.join(param.type.choices)}.")
        _require_filled(self.params)
        self.params += _options(hidden=True)

    def _spell_out(self, param: click.Parameter, words: str) -> None:
        """Lists many words in a sentence, because click would break them anywhere, or not at all."""
        if isinstance(param, click.Option):
            param.metavar = param.metavar or "WORD"
            param.help = f"{param.help} {words}" if param.help else words
        else:
            param.metavar = param.human_readable_name.upper()
            self.epilog = f"{param.metavar} is {words[0].lower()}{words[1:]}"


class Nouns(click.Group):
    """A group of commands that takes the shared options as well, and lists its commands as they are used."""

    command_class = Words

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        _require_filled(self.params)
        self.params += _options(hidden=True)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Each with its whole first sentence, which click would cut off where the line is full."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.sentences()))

    def sentences(self) -> Iterator[tuple[str, str]]:
        """The first of each command's help, by its name."""
        for name, command in self.commands.items():
            yield name, command.get_short_help_str(_SENTENCE)


class Named(NamedTuple):
    """A command that is not imported yet."""

    module: str
    name: str
    sentence: str
    """The first of its help."""


class ImportedCommands(Mapping[str, click.Command]):
    """Commands by what is typed, each imported when it is asked for: most of a console's start is imports."""

    def __init__(self, named: Mapping[str, Named]) -> None:
        self.named = named

    def __getitem__(self, typed: str) -> click.Command:
        found = self.named[typed]
        command: click.Command = getattr(import_module(f"adapters.console.{found.module}"), found.name)
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(self.named)

    def __len__(self) -> int:
        return len(self.named)


class Root(Nouns):
    """The whole console: here the shared options are explained."""

    def __init__(self, *args: Any, named: Mapping[str, Named], **more: Any) -> None:
        super().__init__(*args, **more)
        self.commands = ImportedCommands(named)  # type: ignore[assignment]  # nobody adds one
        self._named = named
        for param in self.params:
            if isinstance(param, click.Option):
                param.hidden = False

    def sentences(self) -> Iterator[tuple[str, str]]:
        for typed, command in self._named.items():
            yield typed, command.sentence


def option_request_id() -> Callable[[F], F]:
    return click.option("--request-id", metavar="ID", help="Repeat this request; made up if not said.")


def recording(at: str = "When") -> Callable[[F], F]:
    """The options of a command that records something."""

    option_at = click.option("--at", type=words.INSTANT, help=f"{at}; now if not said. UTC unless it has an offset.")

    def add(command: F) -> F:
        return option_at(option_request_id()(click.pass_obj(command)))  # type: ignore[return-value]

    return add
