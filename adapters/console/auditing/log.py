"""``fulfilment log``: the facts of the ledger in their order, and what facts there are."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import click

from adapters.console.auditing.gist import gist
from adapters.console.terminal import words
from adapters.console.terminal.client import RequestRefused, Trouble, Unreachable
from adapters.console.terminal.commands import Nouns
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute
from adapters.fact_schemas import type_in_words
from fulfilment.client import RECONNECT_SECONDS
from fulfilment.v1 import audit_pb2


@click.group(cls=Nouns, invoke_without_command=True)
@click.option("--after", type=words.POSITION, default=0, metavar="POSITION", help="Facts after this position.")
@click.option("--follow", is_flag=True, help="Wait for more at the end, until you stop it.")
@click.option("--order", "order_id", metavar="ORDER_ID", help="Of this order.")
@click.option(
    "--stream",
    "stream_prefix",
    metavar="PREFIX",
    help="Of streams that begin so, such as stock-acme/.",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="NAME",
    help="Of this name, such as 'order.*'; repeatable.",
)
@click.option("--client", "actor", help="That this client asked for, or CLIENT/PERSON.")
@click.option("--since", type=words.INSTANT, help="Recorded then or later.")
@click.option("--until", type=words.INSTANT, help="Recorded before then.")
@click.pass_context
def log(ctx: click.Context, /, **wanted: Any) -> None:
    """List the facts of the ledger as they were recorded, a line each.

    With --json a line each as well, with all that is stored. --client is who stands in each line;
    personal data is sealed in any case.
    """
    if ctx.invoked_subcommand is None:
        print_log(ctx.ensure_object(Session), audit_pb2.StreamFactsRequest(**wanted))


def print_log(session: Session, request: audit_pb2.StreamFactsRequest) -> None:
    found = False
    for message in _messages(session, request):
        for fact in message.facts:
            found = True
            if session.json:
                session.out.json_line({**words.as_json(fact), "json": json.loads(fact.json)})
            else:
                _print_fact(session, fact)
        session.out.flush()
    if not found:
        for name in request.names:
            _schemas(session, name)
        if not (session.json or request.follow):
            session.out.note("No fact matches.")


def _messages(session: Session, request: audit_pb2.StreamFactsRequest) -> Iterator[audit_pb2.StreamFactsResponse]:
    """The messages of the stream; one that is to follow is asked for again where it breaks off, once it was there."""
    answered, lost = False, 0
    while True:
        try:
            for message in session.client.stream(session.client.audit.StreamFacts, request):
                yield message
                request.after, answered, lost = message.position, True, 0
            if not request.follow or request.HasField("until"):
                return
        except RequestRefused as refused:
            if refused.reason == "UNKNOWN_ORDER":
                hint = "fulfilment find --order looks for its number, --follow waits for it, and a refusal is no fact"
                refused.message += f"; {hint}"
            raise
        except Unreachable as trouble:
            if not (request.follow and answered):
                raise
            if not lost:
                session.out.warn(f"{trouble.message}; it goes on after {request.after} as soon as it can")
        time.sleep(RECONNECT_SECONDS[min(lost, len(RECONNECT_SECONDS) - 1)])
        lost += 1


def _print_fact(session: Session, fact: audit_pb2.StoredFact) -> None:
    session.out.line(
        (f"{fact.position:>7}", "cyan"),
        (minute(fact, "recorded_at"), "dim"),
        (fact.stream, ""),
        (fact.name, "bold"),
        (fact.actor, "dim"),
        (gist(json.loads(fact.json)), ""),
    )


@log.command()
@click.argument("name", default="")
@click.pass_obj
def schemas(session: Session, name: str) -> None:
    """List what facts there are, what each means, and since which version; 'order.*' are those of orders.

    With --json a list of their JSON Schemas; that of one alone where the name has no star.
    """
    found = _schemas(session, name)
    if session.json:
        documents = [json.loads(each.json_schema) for each in found]
        session.out.json(documents if "*" in name or not name else documents[0])
        return
    if len(found) == 1:
        _print_fields(session, found[0])
        return
    session.out.table(["fact", "since", "what it means"], [[each.name, each.since, each.meaning] for each in found])


def _schemas(session: Session, name: str) -> list[audit_pb2.FactSchema]:
    request = audit_pb2.ListFactSchemasRequest(name=name)
    pages = session.client.pages(session.client.audit.ListFactSchemas, request)
    found = [each for page in pages for each in page.schemas]
    if not found:
        raise Trouble(f"no fact has the name {name}; fulfilment log schemas lists them all", "UNKNOWN_FACT")
    return found


def _print_fields(session: Session, fact: audit_pb2.FactSchema) -> None:
    schema = json.loads(fact.json_schema)
    session.out.title(fact.name, f"since {fact.since}")
    session.out.say(fact.meaning)
    session.out.blank()
    rows = []
    for name, field in schema["properties"].items():
        unit = field.get("x-unit", "")
        required = "required" if name in schema["required"] else ""
        rows.append([name, type_in_words(field), unit, required, field.get("description", "")])
    session.out.table(["field", "type", "unit", "", "what"], rows)
