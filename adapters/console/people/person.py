"""``fulfilment person``: what is kept of people, giving it to them, erasing it, and keeping it for a time."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from adapters.console.people import retention
from adapters.console.people.file import PersonFile
from adapters.console.terminal import words
from adapters.console.terminal.client import Trouble
from adapters.console.terminal.commands import Nouns, Words, option_request_id
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute
from fulfilment.v1 import admin_pb2, audit_pb2, people_pb2

_KEPT_BECAUSE = {
    people_pb2.KEPT_BECAUSE_OPEN_ORDER: "not over",
    people_pb2.KEPT_BECAUSE_LEGAL_HOLD: "legal hold",
    people_pb2.KEPT_BECAUSE_SUPPLIER_IN_USE: "supplier in use",
}


_EXPORT_SECONDS = 3600.0
"""How long an export may take."""


@click.group(cls=Nouns)
def person() -> None:
    """Export or erase what is kept of a person, or keep it for a time."""


@person.command()
@click.option("--email", help="The customer with this e-mail address, in all orders.")
@click.option("--phone", help="The customer with this phone number, in all orders.")
@click.option("--order", "order_id", metavar="ORDER_ID", help="The customer of this order, in all its orders.")
@click.option(
    "--country", metavar="CODE", default="", help="Where the number is dialled, such as DE; only with --phone."
)
@click.option("--with-tags", is_flag=True, help="ann+shop@x.org is ann@x.org, too; only with --email.")
@click.option("--to", "path", metavar="FILE", type=Path, required=True, help="The file to write, in JSON.")
@click.option("--evidence", metavar="DIR", type=Path, help="Write photos and documents into this folder as well.")
@click.pass_obj
def export(
    session: Session,
    /,
    country: str,
    with_tags: bool,
    path: Path,
    evidence: Path | None,
    **known_by: str | None,
) -> None:
    """Write all that is kept of a person to a file.

    It is noted as a read of the person. The file is for its owner alone, and only there once it is whole. Look through
    it before you hand it on: what your staff wrote is in it.
    """
    name, value = _the_one(known_by, "--email, --phone and --order")
    request = audit_pb2.ExportPersonRequest(country=country, with_tags=with_tags, with_evidence=evidence is not None)
    setattr(request, name, value)
    try:
        with PersonFile(path, evidence) as file:
            file.write(session.client.stream(session.client.audit.ExportPerson, request, _EXPORT_SECONDS), _progress)
    except OSError as error:
        place = evidence if evidence is not None and str(error.filename).startswith(str(evidence)) else path
        raise Trouble(f"{place} cannot be written: {error.strerror or error}", "UNWRITABLE") from None
    if file.counts is None:
        return
    if session.json:
        session.show(file.counts)
        return
    counts = [f"{count} {field.name}" for field, count in file.counts.ListFields() if field.name != "erased"]
    session.out.say(f"Written to {path}: {', '.join(counts) or 'no orders'}.")
    if file.counts.erased:
        session.out.say(f"Erased, in whole or in part: {file.counts.erased} of these.")


def _progress(orders: int, known: int) -> None:
    """A line at a terminal, which the next one replaces."""
    if sys.stderr.isatty():
        print(f"\r{orders} of {known} orders", end="\n" if orders == known else "", file=sys.stderr, flush=True)


def _the_one(known_by: dict[str, str | None], options: str) -> tuple[str, str]:
    given = [(name, value) for name, value in known_by.items() if value]
    if len(given) != 1:
        raise click.UsageError(f"Name the person with one of {options}.")
    return given[0]


@click.command(cls=Words)
@click.option("--email", help="The customer with this e-mail address, in all orders.")
@click.option("--phone", help="The customer with this phone number, in all orders.")
@click.option("--order", "order_id", metavar="ORDER_ID", help="The customer of this order, in all its orders.")
@click.option("--supplier", "supplier_id", metavar="SUPPLIER_ID", help="The person who is this supplier's contact.")
@click.option(
    "--country", metavar="CODE", default="", help="Where the number is dialled, such as DE; only with --phone."
)
@click.option("--with-tags", is_flag=True, help="ann+shop@x.org is ann@x.org, too; only with --email.")
@click.option("--even-if-open", is_flag=True, help="Also orders that are not over, and suppliers in use.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@option_request_id()
@click.pass_obj
def erase(
    session: Session,
    /,
    country: str,
    with_tags: bool,
    even_if_open: bool,
    yes: bool,
    request_id: str | None,
    **known_by: str | None,
) -> None:
    """Make a person's data unreadable, for good.

    Dumps and backups of before can be read until the keys are rotated.
    """
    name, value = _the_one(known_by, "--email, --phone, --order and --supplier")
    if not yes:
        click.confirm(f"Erase the person behind {value}? This cannot be undone", abort=True, err=True)
    request = admin_pb2.ErasePersonRequest(country=country, with_tags=with_tags, even_if_open=even_if_open)
    setattr(request, name, value)
    session.identify(request.asked_by, request_id)
    _print(session, session.client.call(session.client.admin.ErasePerson, request))


def _print(session: Session, answer: admin_pb2.ErasePersonResponse) -> None:
    if session.json:
        session.show(answer)
        return
    keys = answer.keys_destroyed
    session.out.say(f"Erased: {keys} {'key' if keys == 1 else 'keys'} destroyed.")
    counts = {
        field.name: value
        for field, value in answer.counts.ListFields()
        if field.name not in ("keys", "letters_elsewhere")
    }
    session.out.say(", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items()), style="dim")
    for warning in answer.receipt.warnings:
        if not warning.startswith("something was kept"):  # the table says what
            session.out.warn(warning)
    if answer.kept:
        session.out.blank()
        kept = [
            [each.order_id or each.supplier_id, _KEPT_BECAUSE.get(each.because, ""), minute(each, "until")]
            for each in answer.kept
        ]
        session.out.table(["kept", "because", "until"], kept)


person.add_command(erase)


@person.command("hold")
@click.argument("order_id")
@click.option("--reason", "because", required=True, help="Why, naming nobody: the number of a file.")
@click.option("--until", required=True, type=words.INSTANT, help="When it ends; an end of now lifts it.")
@option_request_id()
@click.pass_obj
def hold(session: Session, order_id: str, because: str, until: Any, request_id: str | None) -> None:
    """Keep what is held of an order's customer: a legal hold."""
    request = people_pb2.HoldPersonalDataRequest(order_id=order_id, because=because, until=until)
    session.identify(request.context, request_id)
    receipt = session.client.call(session.client.admin.HoldPersonalData, request)
    if session.json:
        session.out.json({"receipt": words.as_json(receipt)})
    else:
        session.out.say(f"What is held of the customer of {order_id} stays until {minute(request, 'until')}.")


person.add_command(retention.retention)
