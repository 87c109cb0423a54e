"""One run of the console: who asks whom, by which connection, and how the answer is shown."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, field

import click
from google.protobuf.message import Message

from adapters.console.terminal import words
from adapters.console.terminal.client import ConsoleClient, RequestRefused, Token
from adapters.console.terminal.encryption import credentials
from adapters.console.terminal.printer import Printer
from adapters.console.terminal.tokens import others_can_read, read_token
from fulfilment.tls import is_here
from fulfilment.v1.admin_pb2 import GetPolicyRequest, ListTenantsRequest
from fulfilment.v1.common_pb2 import AsOf, CommandContext, ListChanges, Receipt


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

    def print_done(self, receipt: Receipt, sentence: str) -> None:
        """Says in a sentence what a command did."""
        if self.json:
            self.show(receipt)
        else:
            self.out.say(sentence)

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
