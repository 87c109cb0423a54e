"""``fulfilment connection``: shops and tracking services that the ledger is connected with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import click

from adapters.console.terminal import files, words
from adapters.console.terminal.commands import Nouns, option_request_id
from adapters.console.terminal.listings import LIMIT, print_rows
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute
from fulfilment.v1 import common_pb2
from fulfilment.v1 import edges_pb2 as pb

_NAME = click.argument("name", metavar="NAME")
_SYSTEM = click.argument("system", metavar="SYSTEM")
_NAMED = re.compile(r"[a-z_]{1,20}=")
_SECRET_FILE = click.option(
    "--secret-file",
    metavar="FILE",
    required=True,
    help="One line with the secret, or lines such as webhook=... and key=...; nobody sees it again.",
)


@click.group(cls=Nouns)
def connection() -> None:
    """Connect shops and tracking services, try them, and change their secrets."""


@connection.command()
@_SYSTEM
@click.option("--name", metavar="NAME", required=True, help="How you call it; the channel of its orders.")
@click.option("--shop", metavar="ADDRESS", help="The shop, such as https://shop.example.org.")
@click.option("--set", "settings", metavar="NAME=VALUE", multiple=True, help="A further setting, such as channel=web.")
@_SECRET_FILE
@option_request_id()
@click.pass_obj
def add(
    session: Session,
    system: str,
    name: str,
    shop: str | None,
    settings: Sequence[str],
    secret_file: str,
    request_id: str | None,
) -> None:
    """Connect a SYSTEM such as woocommerce, and say where it is to send what it tells."""
    given = dict(pair(each, "--set") for each in settings)
    if shop:
        given["shop"] = shop
    request = pb.AddConnectionRequest(
        context=session.client.context(request_id),
        name=name,
        system=system,
        settings=given,
        secrets=_secrets(secret_file),
    )
    receipt = session.client.call(session.client.edges.AddConnection, request)
    found = find_connection(session, name)
    if found is not None:
        _result(session, receipt, found, [f"Let it send to {found.path} of the edges' address (--web)."])


@connection.command("list")
@LIMIT
@click.pass_obj
def list_connections(session: Session, limit: int | None) -> None:
    """List the connections, with what waits, is early and failed."""
    found = _connections(session)
    columns = ["name", "system", "state", ">waiting", ">early", ">failed", ">to tell", "received", "asked", "problem"]
    print_rows(session, found, limit, columns, _row, "No connections.")


def _row(each: pb.Connection) -> list[Any]:
    counts = [each.waiting or "", each.early or "", each.failed or "", each.to_tell + each.untold or ""]
    return [
        each.name,
        each.system,
        _state(each),
        *counts,
        minute(each, "received_at"),
        minute(each, "asked_at"),
        each.problem,
    ]


@connection.command()
@_NAME
@click.pass_obj
def show(session: Session, name: str) -> None:
    """Show a connection: who made it, what came in, and what only asking found."""
    each = _known(session, name)
    if session.json:
        session.show(each)
        return
    session.out.title(f"Connection {each.name}", f"{each.system}, {_state(each)}")
    session.out.facts(
        [
            *sorted(each.settings.items()),
            ("secrets", f"{each.valid_secrets} valid"),
            ("sends to", each.path),
            ("added", f"{minute(each, 'added_at')} by {each.added_by}"),
            ("changed", f"{minute(each, 'changed_at')} by {each.changed_by}" if each.changed_by else ""),
            ("paused because", each.paused_because),
            ("received", minute(each, "received_at")),
            ("waiting", f"{each.waiting}, {each.early} early, {each.failed} failed"),
            ("to tell", f"{each.to_tell}, {each.untold} failed" if each.to_tell or each.untold else ""),
            ("asked", minute(each, "asked_at")),
            ("found by asking", f"{each.found_by_asking}, {each.found_last} of them the last time"),
            ("problem", each.problem),
            ("unknown words", ", ".join(f"{word.word} ({word.deliveries})" for word in each.unknown_words)),
        ]
    )


@connection.command()
@_NAME
@click.pass_obj
def test(session: Session, name: str) -> None:
    """Call the system and say what works; exits with 1 if something does not."""
    found = session.client.call(session.client.edges.TestConnection, pb.TestConnectionRequest(name=name))
    if session.json:
        session.show(found)
    elif not found.checks:
        session.out.say("Nothing of it can be tried before its first delivery.")
    else:
        for each in found.checks:
            session.out.say(f"{'!' if each.problem else '✔'}  {each.what}{f': {each.problem}' if each.problem else ''}")
    if any(each.problem for each in found.checks):
        raise click.exceptions.Exit(1)


@connection.command()
@_NAME
@_SECRET_FILE
@option_request_id()
@click.pass_obj
def rotate(session: Session, name: str, secret_file: str, request_id: str | None) -> None:
    """Use another secret; the one of before stays valid until the next rotation."""
    system = _known(session, name).system
    request = pb.RotateConnectionSecretRequest(
        context=session.client.context(request_id), name=name, system=system, secrets=_secrets(secret_file)
    )
    _done(session, name, session.client.call(session.client.edges.RotateConnectionSecret, request))


@connection.command()
@_NAME
@click.option("--reason", metavar="TEXT", default="", help="Why, as it is shown.")
@option_request_id()
@click.pass_obj
def pause(session: Session, name: str, reason: str, request_id: str | None) -> None:
    """Let what comes wait, and ask for nothing."""
    request = pb.PauseConnectionRequest(context=session.client.context(request_id), name=name, because=reason)
    _done(session, name, session.client.call(session.client.edges.PauseConnection, request))


@connection.command()
@_NAME
@option_request_id()
@click.pass_obj
def resume(session: Session, name: str, request_id: str | None) -> None:
    """Go on with what has waited."""
    request = pb.ResumeConnectionRequest(context=session.client.context(request_id), name=name)
    _done(session, name, session.client.call(session.client.edges.ResumeConnection, request))


@connection.command()
@_NAME
@click.option("--yes", is_flag=True, help="Do not ask.")
@option_request_id()
@click.pass_obj
def remove(session: Session, name: str, yes: bool, request_id: str | None) -> None:
    """Take nothing in any more, and destroy the keys of its secrets and of what it received."""
    if not yes:
        click.confirm(f"Remove {name}? What it has received cannot be read any more", abort=True, err=True)
    request = pb.RemoveConnectionRequest(context=session.client.context(request_id), name=name)
    receipt = session.client.call(session.client.edges.RemoveConnection, request)
    if session.json:
        session.show(receipt)
    else:
        session.out.title(f"Connection {name}", "removed")


@connection.command("tell-stock")
@_NAME
@option_request_id()
@click.pass_obj
def tell_stock(session: Session, name: str, request_id: str | None) -> None:
    """Tell a shop all stock levels as they are now, also those that it knows."""
    request = pb.TellStockRequest(context=session.client.context(request_id), name=name)
    _done(session, name, session.client.call(session.client.edges.TellStock, request))


@connection.command("tell")
@_NAME
@click.option("--from", "since", type=words.INSTANT, required=True, help="UTC unless it has an offset.")
@option_request_id()
@click.pass_obj
def tell_orders(session: Session, name: str, since: Any, request_id: str | None) -> None:
    """Tell a shop again of all orders to which something happened since a time.

    For what was lost in an outage, or happened before the shop was connected. It is told how they are now: holds,
    parcels, cancels and open refunds. What it has done already it does not do again.
    """
    request = pb.TellOrdersRequest(context=session.client.context(request_id), name=name, since=since)
    _done(session, name, session.client.call(session.client.edges.TellOrders, request))


def pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint=option)
    return name.strip(), value.strip()


def _secrets(file: str) -> dict[str, str]:
    """One line is the secret itself, unless it names it; else each line names one."""
    lines = [line.strip() for line in files.text(file).splitlines() if line.strip()]
    if len(lines) == 1 and not _NAMED.match(lines[0]):
        return {"": lines[0]}
    found = {}
    for line in lines:
        if not _NAMED.match(line):  # the line may be a secret, so it is not quoted
            raise click.BadParameter(f"a line of {file} is not NAME=SECRET", param_hint="--secret-file")
        name, _, value = line.partition("=")
        found[name] = value.strip()
    return found


def _connections(session: Session) -> Iterator[pb.Connection]:
    pages = session.client.pages(session.client.edges.ListConnections, pb.ListConnectionsRequest())
    return (each for page in pages for each in page.connections)


def find_connection(session: Session, name: str) -> pb.Connection | None:
    found = _connections(session)
    return next((each for each in found if each.name == name), None)


def rows_by(session: Session, name: str, found: Iterator[Any]) -> Iterator[Any]:
    """What is of a connection, of all if none is named; of one that was removed there may still be something."""
    first = next(found, None)
    if first is None and name:
        _known(session, name, "--connection")
    return chain(() if first is None else (first,), found)


def _known(session: Session, name: str, option: str = "NAME") -> pb.Connection:
    found = find_connection(session, name)
    if found is None:
        raise click.BadParameter(
            f"there is no connection {name}; fulfilment connection list names those that there are", param_hint=option
        )
    return found


def _state(each: pb.Connection) -> str:
    return "paused" if each.paused else "active"


def _done(session: Session, name: str, receipt: common_pb2.Receipt) -> None:
    _result(session, receipt, _known(session, name), [])


def _result(session: Session, receipt: common_pb2.Receipt, each: pb.Connection, steps: Sequence[str]) -> None:
    session.print_result(receipt, f"Connection {each.name}", each, _state(each), steps)
