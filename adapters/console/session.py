"""What every command has: the options that may stand anywhere, the connection, and the way to print."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import click
from google.protobuf.message import Message
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from adapters.console import words
from adapters.console.client import ConsoleClient, RequestRefused, Token
from adapters.console.encryption import credentials
from adapters.console.tokens import others_can_read, read_token
from fulfilment.tls import is_here
from fulfilment.v1.admin_pb2 import GetPolicyRequest, ListTenantsRequest
from fulfilment.v1.common_pb2 import AsOf, CommandContext, ListChanges, Receipt

F = TypeVar("F", bound=Callable[..., Any])

_PLAIN_WIDTH = 500
"""A pipe has no width: nothing is wrapped there."""
_WHOLE = 20
"""Words up to this length are never broken over two lines."""
_GAP = 2
_SENTENCE = 500
"""Longer than any."""
_FEW_WORDS = 40
"""So many characters of words to choose from stand in a line of help."""


@dataclass
class Session:
    """One run of the console."""

    server: str = "127.0.0.1:50051"
    tenant: str = ""
    json: bool = False
    timeout: float = 10.0
    actor: str = ""
    token_file: str = ""
    tls: bool = False
    plain: bool = False
    ca: str = ""
    cert: str = ""
    key: str = ""
    as_of: AsOf | None = None
    """As of when reports are asked for; None for now."""
    changed_after: int | None = None
    """Of a list: only what changed after this position."""
    changes: ListChanges = field(default_factory=ListChanges)
    """Then until when, and what is gone, as far as its pages were read."""
    out: Printer = field(init=False)

    def __post_init__(self) -> None:
        self.out = Printer()

    @functools.cached_property
    def client(self) -> ConsoleClient:
        tls = credentials(self.ca, self.cert, self.key) if self.tls or self.ca or self.cert or self.key else None
        if self.token.text and tls is None and not is_here(self.server):
            said = f"your token {'goes' if self.plain else 'would go'} to {self.server} without encryption"
            if not self.plain:
                raise click.UsageError(f"{said}; say --tls or --ca FILE, or --plain on a network that is yours alone")
            self.out.warn(f"{said}, for everybody in between to take")
        return ConsoleClient(self.server, self.tenant, self.timeout, self._says, self.token, tls, self.out.warn)

    @functools.cached_property
    def token(self) -> Token:
        """What proves who asks; there is no option for the token itself, because others can read a command line."""
        if self.token_file and others_can_read(self.token_file):
            self.out.warn(f"others can read the token in {self.token_file}; make it yours alone: chmod 600")
        return read_token(self.token_file)

    @property
    def _says(self) -> str:
        """Who asks, as the requests say it: with a token of a client's own nothing has to be said."""
        return self.actor or ("" if self.token.text else "console")

    @property
    def recorded_as(self) -> str:
        """Who asks, as the service records it."""
        return "/".join(part for part in (self.token.client, self._says) if part)

    @functools.cached_property
    def tenant_name(self) -> str:
        """Whose ledger it is, also where only the token says it."""
        if self.tenant:
            return self.tenant
        granted = self.client.call(self.client.admin.ListTenants, ListTenantsRequest()).tenants
        return granted[0].tenant if len(granted) == 1 else "default"

    def identify(self, context: CommandContext, request_id: str | None) -> None:
        """Says who asks, and under which id, as far as a request does not say so itself; the option goes before it."""
        if request_id or not context.request_id:
            context.request_id = self.client.context(request_id).request_id
        context.actor = context.actor or self._says

    @functools.cached_property
    def time_zone(self) -> str:
        """Of the retailer's calendar, in which its own due times are shown; or empty, also for who may not ask."""
        try:
            found = self.client.call(self.client.admin.GetPolicy, GetPolicyRequest())
        except RequestRefused:
            return ""
        return found.in_force.policy.working.calendar.time_zone

    def show(self, message: Message) -> None:
        """A message as JSON."""
        self.out.json(words.as_json(message))

    def show_recorded(self, receipt: Receipt) -> None:
        """Says that a command was recorded, to somebody who may not read what it was about."""
        if self.json:
            self.out.json({"receipt": words.as_json(receipt)})
        else:
            self.out.say("Recorded.")

    def print_result(
        self, receipt: Receipt, title: str, after: Message, stands: str, steps: Iterable[str] = ()
    ) -> None:
        """Prints the result of a command: the state of what the title names (``Order shop/1``), and next steps."""
        if self.json:
            noun = title.partition(" ")[0].lower()
            self.out.json({"receipt": words.as_json(receipt), noun: words.as_json(after)})
            return
        self.out.title(title, stands)
        for step in steps:
            self.out.say(step)


class Printer:
    """Tables and sentences on standard output; plain where nobody looks at colours.

    All output of commands goes through here, so that no name can control the terminal.
    """

    def __init__(self) -> None:
        self.is_terminal = sys.stdout.isatty()
        self._console = Console(
            file=sys.stdout,
            width=None if self.is_terminal else _PLAIN_WIDTH,
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=False,
        )

    def json(self, value: Any) -> None:
        print(words.plain(json.dumps(value, indent=2, ensure_ascii=False)))

    def json_line(self, value: Any) -> None:
        """One of many, which are read line by line."""
        print(words.plain(json.dumps(value, ensure_ascii=False)))

    def line(self, *parts: tuple[str, str]) -> None:
        """Words with their styles in one line, which a terminal cuts off where it is full."""
        text = Text("  ").join(Text(words.one_line(word), style=style) for word, style in parts if word)
        if self.is_terminal:
            self._console.print(text, no_wrap=True, overflow="ellipsis", crop=True)
        else:
            print(text.plain)

    def flush(self) -> None:
        sys.stdout.flush()

    def warn(self, text: str) -> None:
        """A warning, on standard error, so that programs can read standard output."""
        print(f"Warning: {words.plain(text)}", file=sys.stderr)

    @property
    def width(self) -> int:
        return self._console.width

    def say(self, text: str, style: str = "", indent: int = 0) -> None:
        """A sentence; a terminal breaks it where it is full."""
        self._print(Padding(Text(words.plain(text), style=style), (0, 0, 0, indent)))

    def command(self, text: str, indent: int = 2) -> None:
        """A line to be copied: never broken, however narrow the terminal is."""
        self._console.print(Text(" " * indent + words.one_line(text), style="cyan"), soft_wrap=True)

    def title(self, text: str, more: str = "") -> None:
        self._print(Text.assemble((words.one_line(text), "bold"), "  " if more else "", words.one_line(more)))

    def facts(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Names and values, one a line; empty values are left out."""
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in pairs:
            if value:
                grid.add_row(words.one_line(name), Text(words.plain(value)))
        self._print(grid)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str = "") -> None:
        """Rows under columns, without the empty ones. A name that starts with ``>`` is of numbers, which lean right.

        Where a terminal is too narrow, times and sentences go on in the next line, and only long ids break. Where
        not even their words stand beside each other, each row stands by itself, a line for each column.
        """
        kept = [[_cell(cell) for cell in row] for row in rows]
        if not kept:
            if empty:
                self.say(empty, style="dim")
            return
        filled = [index for index in range(len(columns)) if any(cells[index] for cells in kept)]
        names = [words.one_line(columns[index].removeprefix(">")) for index in filled]
        lines = [[cells[index] for index in filled] for cells in kept]
        widths = _widths(list(zip(map(Text, names), *lines, strict=True)), self.width)
        if widths is None:
            for number, cells in enumerate(lines):
                if number:
                    self.blank()
                self.facts(zip(names, map(str, cells), strict=True))
            return
        table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
        for index, name, width in zip(filled, names, widths, strict=True):
            leans: Literal["left", "right"] = "right" if columns[index].startswith(">") else "left"
            table.add_column(name, justify=leans, overflow="fold", width=width)
        for cells in lines:
            table.add_row(*cells)
        self._print(table)

    def blank(self) -> None:
        self._print("")

    def _print(self, what: Any) -> None:
        if self.is_terminal:
            self._console.print(what)
            return
        # rich fills lines up with spaces, which only get in the way of grep and diff.
        with self._console.capture() as captured:
            self._console.print(what)
        print("\n".join(line.rstrip() for line in captured.get().split("\n")), end="")


def _cell(value: object) -> Text:
    return Text("" if value is None else words.one_line(str(value)))


def _widths(columns: Sequence[Sequence[Text]], room: int) -> list[int] | None:
    """How wide each column may be; None where even their words do not fit.

    It is not left to rich: that shrinks the widest columns whatever their words, widens them again to their
    minimum, and crops what then stands beyond the edge.
    """
    room -= _GAP * (len(columns) - 1)
    widths = [max(cell.cell_len for cell in cells) for cells in columns]
    words = [max(cell_len(word) for cell in cells for word in cell.plain.split() or [""]) for cells in columns]
    shortest = [min(longest, _WHOLE) for longest in words]
    if sum(shortest) > room:
        return None
    least = words if sum(words) <= room else shortest
    while sum(widths) > room:
        # The widest column shrinks, as long as it has more room than its words need.
        index = max(range(len(widths)), key=lambda index: (widths[index] > least[index], widths[index]))
        widths[index] = max(_longest_line(cell.plain, widths[index] - 1) for cell in columns[index])
    return widths


def _longest_line(text: str, width: int) -> int:
    """The longest line of a text that is wrapped to a width between words."""
    longest = line = 0
    for word in text.split():
        size = min(cell_len(word), width)
        line = line + 1 + size if line and line + 1 + size <= width else size
        longest = max(longest, line)
    return longest


# --- options that may stand anywhere -----------------------------------------------------------------


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Keep the value of an option; a later one on the line replaces an earlier one."""
    session = ctx.ensure_object(Session)
    assert param.name is not None, "an option has a name"
    source = ctx.get_parameter_source(param.name)
    if ctx.parent is None or source is click.core.ParameterSource.COMMANDLINE:
        setattr(session, param.name, value)


def _options(hidden: bool) -> list[click.Option]:
    defaults = Session()

    def option(*names: str, **more: Any) -> click.Option:
        return click.Option(names, expose_value=False, callback=_remember, hidden=hidden, **more)

    return [
        option(
            "--server",
            metavar="HOST:PORT",
            default=defaults.server,
            envvar="FULFILMENT_SERVER",
            show_default=True,
            show_envvar=True,
            help="The service.",
        ),
        option(
            "--tenant",
            metavar="NAME",
            default=defaults.tenant,
            envvar="FULFILMENT_TENANT",
            show_envvar=True,
            help="Whose ledger; if not said, that of the token, else 'default'.",
        ),
        option(
            "--actor",
            metavar="NAME",
            default=defaults.actor,
            envvar="FULFILMENT_ACTOR",
            show_envvar=True,
            help="Who asks: a pseudonym, recorded in plain behind the token's name.",
        ),
        option(
            "--token-file",
            metavar="FILE",
            default=defaults.token_file,
            envvar="FULFILMENT_TOKEN_FILE",
            show_envvar=True,
            help="Its first line is your token; or put the token into FULFILMENT_TOKEN.",
        ),
        option(
            "--tls",
            is_flag=True,
            default=defaults.tls,
            envvar="FULFILMENT_TLS",
            show_envvar=True,
            help="Encrypt; the three below imply it.",
        ),
        option(
            "--plain",
            is_flag=True,
            default=defaults.plain,
            envvar="FULFILMENT_PLAIN",
            show_envvar=True,
            help="Send the token without TLS also to another machine.",
        ),
        option(
            "--ca",
            metavar="FILE",
            default=defaults.ca,
            envvar="FULFILMENT_CA",
            show_envvar=True,
            help="Authorities to trust, as PEM; if not said, the usual ones.",
        ),
        option(
            "--cert",
            metavar="FILE",
            default=defaults.cert,
            envvar="FULFILMENT_CERT",
            show_envvar=True,
            help="Your certificate, where the service asks for one.",
        ),
        option(
            "--key",
            metavar="FILE",
            default=defaults.key,
            envvar="FULFILMENT_KEY",
            show_envvar=True,
            help="Its private key.",
        ),
        option(
            "--timeout",
            metavar="SECONDS",
            type=click.FloatRange(min=0, min_open=True),
            default=defaults.timeout,
            show_default=True,
            help="How long to wait for each answer.",
        ),
        option("--json", is_flag=True, default=False, help="Print JSON with the names of the protos, errors too."),
    ]


class Words(click.Command):
    """A command that takes the shared options as well."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        for param in self.params:
            if isinstance(param.type, click.Choice) and len("|".join(param.type.choices)) > _FEW_WORDS:
                self._spell_out(param, f"One of {', '.join(param.type.choices)}.")
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
        self.params += _options(hidden=True)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Each with its whole first sentence, which click would cut off where the line is full."""
        sentences = [(name, command.get_short_help_str(_SENTENCE)) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(sentences)


class Root(Nouns):
    """The whole console: here the shared options are explained."""

    group_class: type[click.Group] = Nouns

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        for param in self.params:
            if isinstance(param, click.Option):
                param.hidden = False


def option_at(what: str = "When") -> Callable[[F], F]:
    return click.option("--at", type=words.INSTANT, help=f"{what}; now if not said. UTC unless it has an offset.")


def option_request_id() -> Callable[[F], F]:
    return click.option("--request-id", metavar="ID", help="Repeat this request; made up if not said.")


def recording(at: str = "When") -> Callable[[F], F]:
    """The options of a command that records something."""

    def add(command: F) -> F:
        return click.pass_obj(option_request_id()(option_at(at)(command)))  # type: ignore[return-value]

    return add
