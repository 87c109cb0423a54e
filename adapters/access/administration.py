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
    is_name,
    make_token,
    read_clients,
)
from adapters.access.roles import ROLES
from adapters.database import beside
from adapters.database.control import CONTROL_SCHEMA, DEFAULT_TENANT, is_tenant_name
from adapters.database.migrations import CONTROL_MIGRATIONS
from adapters.database.schema_versions import migrate
from ledger.engine.log import EVENTS_TABLE
from ledger.nouns.suppliers import stream

_LIMITS = ("calls_per_second", "calls_at_once", "bytes_at_once")
_ELSE = ("certificate", "oidc")
"""How a client may prove itself without a token of ours."""

_MOST = 1_000_000_000
_LONGEST_WORD = 255

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
    is_supplier = chosen.role == "supplier"
    _require(not is_supplier or chosen.supplier, "a client of the role supplier needs --supplier, whose orders it sees")
    _require(is_supplier or not chosen.supplier, f"--supplier is for the role supplier, not for {chosen.role}")
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
        why = f"was revoked {_minute(known.revoked_at)}" if known.revoked_at else f"has the role {known.role}"
        raise AdministrationFailed(
            f"there is a client {chosen.name}, which {why}; a name is used once, so take another, or give this one a "
            "new token: client rotate"
        )
    added = await _find(connection, chosen.name)
    await _note_missing(connection, added)
    _tell(f"Client {added.name} is registered: {_grants(added)}.")
    return token


async def _require_unused(connection: Connection, chosen: argparse.Namespace) -> None:
    """Refuses what proves another client already."""
    select = "SELECT name FROM fulfilment.clients WHERE name <> %s AND (certificate = %s OR oidc = %s)"
    row = await (await connection.execute(select, (chosen.name, chosen.certificate, chosen.oidc))).fetchone()
    if row is not None:
        raise AdministrationFailed(f"--certificate or --oidc names the client {row[0]} already; revoke that one first")


async def show(connection: Connection, chosen: argparse.Namespace) -> str:
    """Lists all clients."""
    rows: list[tuple[str, ...]] = [
        ("name", "role", "tenants", "supplier", "personal", "tokens made", *_ELSE, "expires", "state")
    ]
    for each in await read_clients(connection):
        made = ", ".join(map(_minute, each.tokens_made_at))
        tenants = "all" if ALL_TENANTS in each.tenants else ", ".join(each.tenants)
        personal = "yes" if each.personal else ""
        about = (each.name, each.role, tenants, each.supplier or "", personal, made)
        rows.append((*about, each.certificate or "", each.oidc or "", _minute(each.expires_at), _state(each)))
    if len(rows) == 1:
        print("No client is registered: on this machine everybody may do everything.")
        return ""
    used = [index for index, name in enumerate(rows[0]) if name not in _ELSE or any(row[index] for row in rows[1:])]
    rows = [tuple(row[index] for index in used) for row in rows]
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return ""


_CHANGEABLE = (
    "role",
    "tenants",
    "supplier",
    "personal",
    "expires_at",
    "calls_per_second",
    "calls_at_once",
    "bytes_at_once",
)


async def change(connection: Connection, chosen: argparse.Namespace) -> str:
    """Changes what a client may do; its name and what it proves itself by stay."""
    client = await _find(connection, chosen.name)
    _require(client.revoked_at is None, f"{client.name} was revoked {_minute(client.revoked_at)}; add a client anew")
    said = {name: value for name, value in vars(chosen).items() if name in _CHANGEABLE}
    if vars(chosen).get("all_tenants"):
        said["tenants"] = [ALL_TENANTS]
    expires = said.get("expires_at")
    _require(expires is None or expires > datetime.now(UTC), f"--expires {expires} has passed already; revoke it")
    _require(bool(said), "say what is to change, such as --role or --expires; client change --help lists all")
    if said.get("role", "supplier") != "supplier":
        said.setdefault("supplier", None)  # it was for that role alone
    changed = client._replace(**{**said, "tenants": sorted(set(said.get("tenants", client.tenants)))})
    is_supplier = changed.role == "supplier"
    _require(
        not is_supplier or changed.supplier, "a client of the role supplier needs --supplier, whose orders it sees"
    )
    _require(is_supplier or not changed.supplier, f"--supplier is for the role supplier, not for {changed.role}")
    assignments = ", ".join(f"{name} = %({name})s" for name in _CHANGEABLE)
    update = f"UPDATE fulfilment.clients SET {assignments} WHERE name = %(name)s"  # noqa: S608 - of constants
    await connection.execute(update, changed._asdict())
    await _note_missing(connection, changed)
    _tell(f"Client {client.name} was: {_in_full(client)}.")
    _tell(f"It is now: {_in_full(changed)}. Running servers know within seconds.")
    return ""


async def rotate(connection: Connection, chosen: argparse.Namespace) -> str:
    """Gives a client a second token; the first stays valid until it is retired."""
    client = await _find(connection, chosen.name)
    _require(client.revoked_at is None, f"{client.name} was revoked {_minute(client.revoked_at)}; add a client anew")
    _require(
        len(client.tokens) < MOST_TOKENS,
        f"{client.name} has two tokens, made {' and '.join(map(_minute, client.tokens_made_at))}; retire the older "
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
            f"The token that was made {_minute(made_at)} stays valid until you retire it: client revoke "
            f"{client.name} --old-token-only."
        )
    return token


async def revoke(connection: Connection, chosen: argparse.Namespace) -> str:
    """Ends a client, or its older token alone."""
    client = await _find(connection, chosen.name)
    _require(client.revoked_at is None, f"{client.name} was revoked already, {_minute(client.revoked_at)}")
    if chosen.old_token_only:
        _require(
            len(client.tokens) == MOST_TOKENS,
            f"{client.name} has one token only; client rotate {client.name} gives it a second one first",
        )
        update = (
            "UPDATE fulfilment.clients SET tokens = tokens[2:], tokens_made_at = tokens_made_at[2:] WHERE name = %s"
        )
        await connection.execute(update, (client.name,))
        old, new = map(_minute, client.tokens_made_at)
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


# --- what is printed --------------------------------------------------------------------------------


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def _minute(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%MZ}" if at else ""


def _grants(client: RegisteredClient) -> str:
    tenants = "every tenant" if ALL_TENANTS in client.tenants else f"tenant {', '.join(client.tenants)}"
    personal = "with personal data" if client.personal else "without personal data"
    return f"role {client.role}, {tenants}, {personal}"


def _in_full(client: RegisteredClient) -> str:
    limits = (f"{getattr(client, name)} {name.replace('_', ' ')}" for name in _LIMITS if getattr(client, name))
    more = (f"supplier {client.supplier}" if client.supplier else "", *limits)
    expires = f"expires {_minute(client.expires_at)}" if client.expires_at else ""
    return ", ".join(filter(None, (_grants(client), *more, expires)))


def _state(client: RegisteredClient) -> str:
    if client.revoked_at:
        return f"revoked {_minute(client.revoked_at)}"
    return "expired" if client.expires_at and client.expires_at <= datetime.now(UTC) else "valid"


# --- what can be typed ------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    shared = beside.options()
    parser = argparse.ArgumentParser(prog="server.py client", description="Who may call the service.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, work: Work, about: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, parents=[shared], help=about, description=about)
        made.set_defaults(work=work)
        return made

    adding = command("add", add, "registers a client and prints its token, once")
    adding.add_argument("name", type=_name, help="small letters, digits and -, such as shop-web")
    _add_grants(adding)
    changing = command("change", change, "changes what a client may do, from now on")
    changing.add_argument("name")
    _change_grants(changing)
    command("list", show, "lists all clients")
    rotating = command("rotate", rotate, "gives a client a second token; the first stays valid until it is retired")
    rotating.add_argument("name")
    revoking = command("revoke", revoke, "ends a client for good")
    revoking.add_argument("name")
    revoking.add_argument("--old-token-only", action="store_true", help="ends the older of its two tokens alone")
    return parser


def _add_grants(adding: argparse.ArgumentParser) -> None:
    option = adding.add_argument
    option("--role", required=True, type=_role, metavar="ROLE", help=f"one of {', '.join(ROLES)}")
    option("--tenant", action="append", type=_tenant, default=[], metavar="T", help="whose ledger; may be repeated")
    option("--all-tenants", action="store_true", help="every tenant, also those to come")
    option("--supplier", metavar="S", help="for the role supplier: whose orders it sees")
    option("--personal", action="store_true", help="it may see personal data")
    option("--certificate", type=_word, metavar="NAME", help="proves itself by a certificate for this name (a SAN)")
    option("--oidc", type=_word, metavar="NAME", help="proves itself by a token of the identity provider for this name")
    option("--expires", type=_instant, metavar="WHEN", help="a day or an instant, UTC unless it has an offset")
    option("--calls-per-second", type=_positive, metavar="N")
    option("--calls-at-once", type=_positive, metavar="N")
    option("--bytes-at-once", type=_positive, metavar="N", help="of requests that are under way")


def _change_grants(changing: argparse.ArgumentParser) -> None:
    """Only what is said stands among what was chosen."""
    option, unsaid = changing.add_argument, argparse.SUPPRESS
    option("--role", type=_role, default=unsaid, metavar="ROLE", help=f"one of {', '.join(ROLES)}")
    option(
        "--tenant",
        dest="tenants",
        action="append",
        type=_tenant,
        default=unsaid,
        metavar="T",
        help="whose ledger instead; may be repeated",
    )
    option("--all-tenants", action="store_true", default=unsaid, help="every tenant, also those to come")
    option("--supplier", default=unsaid, metavar="S", help="for the role supplier: whose orders it sees")
    option("--personal", action=argparse.BooleanOptionalAction, default=unsaid, help="it may see personal data, or not")
    option("--expires", dest="expires_at", type=_expiry, default=unsaid, metavar="WHEN", help='a day, or "never"')
    for name in _LIMITS:
        option(f"--{name.replace('_', '-')}", type=_limit, default=unsaid, metavar="N", help='or "none" of its own')


def _expiry(text: str) -> datetime | None:
    return None if text == "never" else _instant(text)


def _limit(text: str) -> int | None:
    return None if text == "none" else _positive(text)


def _name(text: str) -> str:
    if not is_name(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} cannot name a client: start with a letter a-z, then letters a-z, digits and -, 40 at most; "
            "names under which the service itself records are taken"
        )
    return text


def _role(text: str) -> str:
    if text not in ROLES:
        raise argparse.ArgumentTypeError(f"there is no role {text!r}; there are: {', '.join(ROLES)}")
    return text


def _tenant(text: str) -> str:
    if not is_tenant_name(text):
        raise argparse.ArgumentTypeError(f"{text!r} cannot name a tenant")
    return text


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day or instant; write it as 2027-01-31") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _word(text: str) -> str:
    if not (text and len(text) <= _LONGEST_WORD and text.isprintable()):
        raise argparse.ArgumentTypeError(f"{text!r} is not 1 to {_LONGEST_WORD} printable characters")
    return text


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= _MOST):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {_MOST}")
    return int(text)
