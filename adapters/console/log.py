"""``fulfilment log``: the facts of the ledger in their order, and what facts there are."""

from __future__ import annotations

import json

import click

from adapters.console.client import Trouble
from adapters.console.session import Nouns, Session
from adapters.fact_schemas import type_in_words
from fulfilment.v1 import audit_pb2


@click.group(cls=Nouns)
def log() -> None:
    """What facts there are."""


@log.command()
@click.argument("name", default="")
@click.pass_obj
def schemas(session: Session, name: str) -> None:
    """List what facts there are, what each means, and since which version; 'order.*' are those of orders.

    With --json a list of their JSON Schemas; that of one alone where the name has no star.
    """
    request = audit_pb2.ListFactSchemasRequest(name=name)
    pages = session.client.pages(session.client.audit.ListFactSchemas, request)
    found = [each for page in pages for each in page.schemas]
    if not found:
        raise Trouble(f"no fact has the name {name}; fulfilment log schemas lists them all", "UNKNOWN_FACT")
    if session.json:
        documents = [json.loads(each.json_schema) for each in found]
        session.out.json(documents if "*" in name or not name else documents[0])
        return
    if len(found) == 1:
        _print_fields(session, found[0])
        return
    session.out.table(["fact", "since", "what it means"], [[each.name, each.since, each.meaning] for each in found])


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
