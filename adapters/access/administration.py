"""``python server.py client ...``: clients are made and changed beside the service, so that there is no first password.

It needs the database and not the service: with ``--data`` it works while the service runs on that folder, and while it
does not. Running servers know within seconds what was changed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.errors import InsufficientPrivilege, UndefinedTable
from psycopg.sql import SQL, Identifier

from adapters.access.clients import (
    ALL_TENANTS,
    COLUMNS,
    MOST_TOKENS,
    RegisteredClient,
    digest,
    make_token,
    read_clients,
)
from adapters.access.descriptions import grants, in_full, minute, table
from adapters.access.grants import LIMITS, add_grants, change_grants, client_name
from adapters.database import beside
from adapters.database.control import CONTROL_SCHEMA, DEFAULT_TENANT
from adapters.database.migrations import CONTROL_MIGRATIONS
from adapters.database.schema_versions import migrate
from ledger.engine.log import EVENTS_TABLE
from ledger.nouns.suppliers import stream

Connection = AsyncConnection[Any]
Work = Callable[[Connection, argparse.Namespace], Coroutine[Any, Any, str]]
"""What it returns is a token to show."""


class AdministrationFailed(Exception):
    """Nothing was changed; the message says what to do."""


def main(arguments: Sequence[str]) -> None:
    """Does one piece of work on the clients; raises AdministrationFailed and NoLedger."""
    chosen = _parser().parse_args(arguments)
    token = asyncio.run(_run(chosen, chosen.work))
    if token:
        _tell("Its token is shown this once; only a hash of it is kept. Running servers know it within seconds.")
        print(token)  # alone on standard output, so that it can go straight into a file


async def _run(chosen: argparse.Namespace, work: Work) -> str:
    async with (
        beside.database(chosen, may_begin=work is add) as database,
        # Without autocommit: all of it or nothing.
        await AsyncConnection.connect(database.conninfo, client_encoding="UTF8") as connection,
    ):
        await migrate(connection, CONTROL_SCHEMA, CONTROL_MIGRATIONS)
        return await work(connection, chosen)


# --- what can be done -------------------------------------------------------------------------------


async def add(connection: Connection, chosen: argparse.Namespace) -> str:
    """Registers a client and prints its token."""
    tenants = [ALL_TENANTS] if chosen.all_tenants else chosen.tenant
    _require(bool(tenants), "say of which tenants: --tenant NAME, more than once for several, or --all-tenants")
    _require_supplier(chosen.role, chosen.supplier)
    _require(
        chosen.expires is None or chosen.expires > datetime.now(UTC), f"--expires {chosen.expires} has passed already"
    )
    await _require_unused(connection, chosen)
    # Who proves itself otherwise needs none, and one that nobody uses could only be stolen.
    token = "" if chosen.certificate or chosen.oidc else make_token(chosen.name)
    row = {
        "name": chosen.name,
        "role": chosen.role,
        "tenants": sorted(set(tenants)),
        "supplier": chosen.supplier,
        "personal": chosen.personal,
        "calls_per_second": chosen.calls_per_second,
        "calls_at_once": chosen.calls_at_once,
        "bytes_at_once": chosen.bytes_at_once,
        "certificate": chosen.certificate,
        "oidc": chosen.oidc,
        "tokens": [digest(token)] if token else [],
        "tokens_made_at": [datetime.now(UTC)] if token else [],
        "expires_at": chosen.expires,
    }
    columns, values = ", ".join(row), ", ".join(f"%({name})s" for name in row)
    insert = f"INSERT INTO fulfilment.clients ({columns}) VALUES ({values}) ON CONFLICT (name) DO NOTHING"  # noqa: S608
    if (await connection.execute(insert, row)).rowcount == 0:
        known = await _find(connection, chosen.name)
        why = f"was revoked {minute(known.revoked_at)}" if known.revoked_at else f"has the role {known.role}"
        raise AdministrationFailed(
            f"there is a client {chosen.name}, which {why}; a name is used once, so take another, or give this one a "
            "new token: client rotate"
        )
    added = await _find(connection, chosen.name)
    await _note_missing(connection, added)
    _tell(f"Client {added.name} is registered: {grants(added)}.")
    return token


async def _require_unused(connection: Connection, chosen: argparse.Namespace) -> None:
    """Refuses what proves another client already."""
    select = "SELECT name FROM fulfilment.clients WHERE name <> %s AND (certificate = %s OR oidc = %s)"
    row = await (await connection.execute(select, (chosen.name, chosen.certificate, chosen.oidc))).fetchone()
    if row is not None:
        raise AdministrationFailed(f"--certificate or --oidc names the client {row[0]} already; revoke that one first")


async def show(connection: Connection, chosen: argparse.Namespace) -> str:
    """Lists all clients."""
    clients = await read_clients(connection)
    if not clients:
        print("No client is registered: on this machine everybody may do everything.")
    else:
        print(*table(clients), sep="\n")
    return ""


_CHANGEABLE = ("role", "tenants", "supplier", "personal", "expires_at", *LIMITS)


async def change(connection: Connection, chosen: argparse.Namespace) -> str:
    """Changes what a client may do; its name and what it proves itself by stay."""
    client = await _find(connection, chosen.name)
    _require(client.revoked_at is None, f"{client.name} was revoked {minute(client.revoked_at)}; add a client anew")
    said = {name: value for name, value in vars(chosen).items() if name in _CHANGEABLE}
    if vars(chosen).get("all_tenants"):
        said["tenants"] = [ALL_TENANTS]
    expires = said.get("expires_at")
    _require(expires is None or expires > datetime.now(UTC), f"--expires {expires} has passed already; revoke it")
    _require(bool(said), "say what is to change, such as --role or --expires; client change --help lists all")
    if said.get("role", "supplier") != "supplier":
        said.setdefault("supplier", None)  # it was for that role alone
    changed = client._replace(**{**said, "tenants": sorted(set(said.get("tenants", client.tenants)))})
    _require_supplier(changed.role, changed.supplier)
    assignments = ", ".join(f"{name} = %({name})s" for name in _CHANGEABLE)
    update = f"UPDATE fulfilment.clients SET {assignments} WHERE name = %(name)s"  # noqa: S608 - of constants
    await connection.execute(update, changed._asdict())
    await _note_missing(connection, changed)
    _tell(f"Client {client.name} was: {in_full(client)}.")
    _tell(f"It is now: {in_full(changed)}. Running servers know within seconds.")
    return ""


async def rotate(connection: Connection, chosen: argparse.Namespace) -> str:
    """Gives a client a second token; the first stays valid until it is retired."""
    client = await _find(connection, chosen.name)
    _require(client.revoked_at is None, f"{client.name} was revoked {minute(client.revoked_at)}; add a client anew")
    _require(
        len(client.tokens) < MOST_TOKENS,
        f"{client.name} has two tokens, made {' and '.join(map(minute, client.tokens_made_at))}; retire the older "
        f"one first: client revoke {client.name} --old-token-only",
    )
    token = make_token(client.name)
    update = """
        UPDATE fulfilment.clients SET tokens = tokens || %s::bytea, tokens_made_at = tokens_made_at || %s::timestamptz
        WHERE name = %s
    """
    await connection.execute(update, (digest(token), datetime.now(UTC), client.name))
    for made_at in client.tokens_made_at:
        _tell(
            f"The token that was made {minute(made_at)} stays valid until you retire it: client revoke "
            f"{client.name} --old-token-only."
        )
    return token


async def revoke(connection: Connection, chosen: argparse.Namespace) -> str:
    """Ends a client, or its older token alone."""
    client = await _find(connection, chosen.name)
    _require(client.revoked_at is None, f"{client.name} was revoked already, {minute(client.revoked_at)}")
    if chosen.old_token_only:
        _require(
            len(client.tokens) == MOST_TOKENS,
            f"{client.name} has one token only; client rotate {client.name} gives it a second one first",
        )
        update = (
            "UPDATE fulfilment.clients SET tokens = tokens[2:], tokens_made_at = tokens_made_at[2:] WHERE name = %s"
        )
        await connection.execute(update, (client.name,))
        old, new = map(minute, client.tokens_made_at)
        _tell(f"The token of {client.name} made {old} is retired; the one made {new} is valid.")
    else:
        update = "UPDATE fulfilment.clients SET revoked_at = now(), tokens = '{}', tokens_made_at = '{}',"
        update += " certificate = NULL, oidc = NULL"  # so that another client can have them
        await connection.execute(f"{update} WHERE name = %s", (client.name,))
        _tell(f"Client {client.name} is revoked.")
    _tell("Running servers know within seconds.")
    return ""


async def _find(connection: Connection, name: str) -> RegisteredClient:
    """The client, which nobody else changes until this is over."""
    select = f"SELECT {COLUMNS} FROM fulfilment.clients WHERE name = %s FOR UPDATE"  # noqa: S608 - of constants
    row = await (await connection.execute(select, (name,))).fetchone()
    if row is None:
        known = [each.name for each in await read_clients(connection)]
        raise AdministrationFailed(f"there is no client {name}; there are: {', '.join(known) or 'none'}")
    return RegisteredClient._make(row)


async def _note_missing(connection: Connection, client: RegisteredClient) -> None:
    """Says what there is not yet: to grant a tenant before it is made is fine, to mistype it or a supplier is not."""
    known = dict(await (await connection.execute("SELECT name, schema FROM fulfilment.tenants")).fetchall())
    for missing in sorted({*client.tenants} - known.keys() - {DEFAULT_TENANT, ALL_TENANTS}):
        _tell(f"Note: there is no tenant {missing} yet.")
    if client.supplier:
        granted = known if ALL_TENANTS in client.tenants else known.keys() & {*client.tenants}
        if not any([await _may_know(connection, known[each], client.supplier) for each in granted]):
            _tell(
                f"Warning: no tenant of {client.name} knows a supplier {client.supplier} yet, so that it sees nothing. "
                f"If that is mistyped: client change {client.name} --supplier ID"
            )


async def _may_know(connection: Connection, schema: str, supplier_id: str) -> bool:
    """Whether a tenant has a supplier, or whoever asks may not look; one that is just being made has none."""
    facts = SQL("SELECT FROM {} WHERE originator_id = %s LIMIT 1").format(Identifier(schema, EVENTS_TABLE))
    try:
        async with connection.transaction():
            return (await connection.execute(facts, (stream(supplier_id),))).rowcount > 0
    except InsufficientPrivilege:
        return True
    except UndefinedTable:
        return False


def _require(holds: object, message: str) -> None:
    if not holds:
        raise AdministrationFailed(message)


def _require_supplier(role: str, supplier: str | None) -> None:
    is_supplier = role == "supplier"
    _require(not is_supplier or supplier, "a client of the role supplier needs --supplier, whose orders it sees")
    _require(is_supplier or not supplier, f"--supplier is for the role supplier, not for {role}")


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    shared = beside.options()
    parser = argparse.ArgumentParser(prog="server.py client", description="Who may call the service.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, work: Work, about: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, parents=[shared], help=about, description=about)
        made.set_defaults(work=work)
        return made

    adding = command("add", add, "registers a client and prints its token, once")
    adding.add_argument("name", type=client_name, help="small letters, digits and -, such as shop-web")
    add_grants(adding)
    changing = command("change", change, "changes what a client may do, from now on")
    changing.add_argument("name")
    change_grants(changing)
    command("list", show, "lists all clients")
    rotating = command("rotate", rotate, "gives a client a second token; the first stays valid until it is retired")
    rotating.add_argument("name")
    revoking = command("revoke", revoke, "ends a client for good")
    revoking.add_argument("name")
    revoking.add_argument("--old-token-only", action="store_true", help="ends the older of its two tokens alone")
    return parser
