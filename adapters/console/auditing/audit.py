"""``fulfilment audit``: whether the ledger is whole, who read personal data, and the whole file of an order."""

from __future__ import annotations

from typing import Any

import click

from adapters.console.auditing.ledger_check import check
from adapters.console.auditing.order_file import order_file
from adapters.console.terminal import words
from adapters.console.terminal.commands import Nouns
from adapters.console.terminal.listings import LIMIT, print_rows
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute
from fulfilment.v1 import audit_pb2


@click.group(cls=Nouns)
def audit() -> None:
    """Check that the ledger is whole, see who read what about people, write the file of an order."""


audit.add_command(order_file, "file")
audit.add_command(check)


@audit.command("reads")
@click.option("--email", help="Of the customer with this e-mail address.")
@click.option("--phone", help="Of the customer with this phone number; only its digits matter.")
@click.option("--order", "order_id", metavar="ORDER_ID", help="Of this order, and of those that send it again.")
@click.option("--client", help='By this client; "" is everybody before there was one.')
@click.option("--since", type=words.INSTANT, help="Read then or later.")
@click.option("--until", type=words.INSTANT, help="Read before then.")
@LIMIT
@click.pass_obj
def reads(
    session: Session,
    email: str,
    phone: str,
    order_id: str,
    client: str | None,
    since: Any,
    until: Any,
    limit: int | None,
) -> None:
    """List who read personal data, the newest first.

    Every answer with personal data is noted before it is given: also those that this console asks for with --personal.
    """
    if len([*filter(None, (email, phone, order_id))]) > 1:
        raise click.UsageError("Give one of --email, --phone and --order.")
    request = audit_pb2.ListReadsRequest(
        email=email, phone=phone, order_id=order_id, client=client, since=since, until=until
    )
    found = (read for page in session.client.pages(session.client.audit.ListReads, request) for read in page.reads)
    print_rows(session, found, limit, ["read", "by", "call", "about", "order"], _row, "Nobody read any.")


def _row(read: audit_pb2.PersonalRead) -> list[Any]:
    return [minute(read, "at"), read.client or "everybody", read.rpc, read.object, read.order_id]
