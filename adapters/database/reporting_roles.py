"""``python server.py reporting ...``: roles of the database that read a tenant's views for reporting and nothing else.

A role's limits are in the database itself: how many sessions it has, how long a statement and an idle transaction may
take, how much memory a sort may use, and that it only reads.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import secrets
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import psycopg
from psycopg import Connection
from psycopg.errors import InsufficientPrivilege
from psycopg.sql import SQL, Composed, Identifier, Literal

from adapters.database import beside
from adapters.database.problems import StartFailed
from adapters.database.public_functions import BEYOND_READING, giving_back, keep
from adapters.process.folders import path
from projections.reporting.views import CONTRACT_VERSION, statements, views_schema

STATEMENT_SECONDS = 300
IDLE_SECONDS = 60
CONNECTIONS = 4
WORK_MEMORY_MEGABYTES = 64

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
MARK = "fulfilment: reads the views for reporting"
"""The comment of each such role: others are never touched."""

_TENANTS = "SELECT name, schema FROM fulfilment.tenants ORDER BY name"
_OWNER = "SELECT tableowner FROM pg_tables WHERE schemaname = %s AND tablename = 'reporting_orders'"
_ROLE = "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = %s"
READERS = """
    SELECT rolname FROM pg_roles
    WHERE shobj_description(oid, 'pg_authid') = %s AND has_schema_privilege(oid, %s, 'USAGE') AND NOT rolsuper
    ORDER BY rolname
"""
_DATABASE = """
    SELECT d.datname, pg_get_userbyid(d.datdba), d.datdba = n.nspowner AND pg_has_role(d.datdba, 'MEMBER')
    FROM pg_database AS d, pg_namespace AS n WHERE d.datname = current_database() AND n.nspname = 'fulfilment'
"""
MAKE_TEMPORARY = """
    SELECT r.rolname FROM pg_roles AS r
    WHERE shobj_description(r.oid, 'pg_authid') = %s AND has_database_privilege(r.oid, current_database(), 'TEMPORARY')
        AND EXISTS (SELECT FROM pg_namespace AS n
            WHERE n.nspname LIKE 'reporting\\_%%' AND has_schema_privilege(r.oid, n.oid, 'USAGE'))
    ORDER BY r.rolname
"""
_ROLES = """
    SELECT r.rolname, r.rolconnlimit, coalesce(array_to_string(r.rolconfig, ', '), ''),
        array(SELECT n.nspname::text FROM pg_namespace AS n
            WHERE n.nspname LIKE 'reporting\\_%%' AND has_schema_privilege(r.oid, n.oid, 'USAGE') ORDER BY 1)
    FROM pg_roles AS r WHERE shobj_description(r.oid, 'pg_authid') = %s ORDER BY r.rolname
"""
_POWERFUL = """
    SELECT FROM pg_roles WHERE rolname = %s AND (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication)
"""
"""A new role has none of this, and only a superuser may even say that it has not."""
_VERSION = "SELECT obj_description(to_regnamespace(%s), 'pg_namespace')"
_NOT_OF_OWNER = """
    SELECT relname FROM pg_class
    WHERE relnamespace = to_regnamespace(%s) AND relkind = 'v' AND pg_get_userbyid(relowner) <> %s
"""
_HAS_TEMPORARY = "SELECT has_database_privilege('public', current_database(), 'TEMPORARY')"
_END_LARGE_OBJECTS = "SELECT lo_unlink(oid) FROM pg_largeobject_metadata WHERE lomowner = %s::regrole"
_END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s"


class ReportingFailed(StartFailed):
    """Nothing was changed; the message says what to do."""


class ReportedTenant(NamedTuple):
    """A tenant, and where its read models and its views are."""

    tenant: str
    schema: str
    owner: str
    """Who owns the read models: the views are the same role's, so that a rebuild can renew them."""

    @property
    def views(self) -> str:
        return views_schema(self.schema)


# --- what can be done -----------------------------------------------------------------------------


def grant(connection: Connection[Any], chosen: argparse.Namespace) -> str:
    """Makes a role, or brings it and the views up to date; returns a password that was made for it."""
    ledgers = _named(connection, chosen)
    made = _make_role(connection, chosen.name)
    password = _password_of(chosen.password_file) if chosen.password_file else secrets.token_urlsafe(24) if made else ""
    _limit(connection, chosen, password, [each.views for each in ledgers])
    for ledger in ledgers:
        publish(connection, ledger)
        _let_read(connection, ledger, {chosen.name, *_readers(connection, ledger)})
    _keep_temporary(connection, {each.owner for each in _ledgers(connection)})
    _keep_functions(connection)
    names = ", ".join(each.views for each in ledgers)
    _tell(f"{chosen.name} may read {names}, version {CONTRACT_VERSION} of the contract, and nothing else.")
    _tell(f"It connects with: {_psql(connection, chosen.name)}")
    if made and not chosen.password_file:
        _tell("Its password is shown this once; the database keeps a hash of it.")
        return password
    return ""


def revoke(connection: Connection[Any], chosen: argparse.Namespace) -> str:
    """Takes tenants from a role, or ends it with its sessions."""
    _require_ours(connection, chosen.name)
    wanted = set(chosen.tenant)
    ledgers = [each for each in _ledgers(connection) if chosen.name in _readers(connection, each)]
    if missing := wanted - {each.tenant for each in ledgers}:
        names = ", ".join(sorted(missing))
        raise ReportingFailed(f"{chosen.name} does not read {names}; reporting list says what it reads")
    for ledger in ledgers:
        if not wanted or ledger.tenant in wanted:
            for statement in _taking(ledger, chosen.name):
                _as(connection, ledger.owner, statement)
    if wanted:
        _tell(f"{chosen.name} reads {', '.join(sorted(wanted))} no more.")
        return ""
    connection.execute(_END_SESSIONS, (chosen.name,))
    connection.execute(_END_LARGE_OBJECTS, (chosen.name,))
    connection.execute(SQL("DROP ROLE {}").format(Identifier(chosen.name)))
    _tell(f"{chosen.name} is no role of the database any more, and its sessions have ended.")
    _tell_what_stays_taken(connection)
    return ""


def show(connection: Connection[Any], chosen: argparse.Namespace) -> str:
    """Lists the roles, what each reads, its limits, and the version of each tenant's views."""
    found = connection.execute(_ROLES, (MARK,)).fetchall()
    if not found:
        print("Nobody may read the views for reporting: python server.py reporting grant NAME --tenant TENANT")
    for name, connections, limits, schemas in found:
        print(f"{name}  reads {', '.join(schemas) or 'nothing'}; {connections} sessions at most; {limits}")
    for ledger in _ledgers(connection):
        ((about,),) = connection.execute(_VERSION, (f'"{ledger.views}"',)).fetchall()
        if about is not None:
            old = "" if f"version {CONTRACT_VERSION}:" in about else "; the service that runs has another version"
            print(f"{ledger.views}  {about}{old}")
    return ""


# --- roles ----------------------------------------------------------------------------------------


def _make_role(connection: Connection[Any], name: str) -> bool:
    """Whether it was made; raises ReportingFailed if it is a role of somebody else's."""
    if _NAME.fullmatch(name) is None:
        raise ReportingFailed(f"{name!r} is no name for a role; use at most 40 of a-z, 0-9 and _, a letter first")
    if connection.execute(_ROLE, (name,)).fetchone() is not None:
        _require_ours(connection, name)
        return False
    connection.execute(SQL("CREATE ROLE {}").format(Identifier(name)))
    connection.execute(SQL("COMMENT ON ROLE {} IS {}").format(Identifier(name), Literal(MARK)))
    return True


def _require_ours(connection: Connection[Any], name: str) -> None:
    found = connection.execute(_ROLE, (name,)).fetchone()
    if found is None:
        raise ReportingFailed(f"there is no role {name}; reporting list names those that there are")
    if found[0] != MARK:
        raise ReportingFailed(f"the role {name} was not made for reporting, and stays as it is; take another name")


def _limit(connection: Connection[Any], chosen: argparse.Namespace, password: str, schemas: Iterable[str]) -> None:
    role = Identifier(chosen.name)
    say = f"LOGIN CONNECTION LIMIT {chosen.connections:d}"
    if connection.execute(_POWERFUL, (chosen.name,)).fetchone() is not None:
        say += " NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION"
    words = SQL(" PASSWORD {}").format(Literal(password)) if password else SQL("")
    connection.execute(SQL("ALTER ROLE {} WITH {}{}").format(role, SQL(cast("Any", say)), words))
    settings = {
        "default_transaction_read_only": "on",
        "statement_timeout": f"{chosen.statement_seconds:d}s",
        "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
        "work_mem": f"{WORK_MEMORY_MEGABYTES}MB",
        "max_parallel_workers_per_gather": "0",
        "lock_timeout": "10s",
    }
    for name, value in settings.items():
        connection.execute(SQL("ALTER ROLE {} SET {} = {}").format(role, SQL(cast("Any", name)), Literal(value)))
    path = SQL(", ").join(map(Identifier, schemas))
    connection.execute(SQL("ALTER ROLE {} SET search_path = {}").format(role, path))


def _keep_temporary(connection: Connection[Any], services: Iterable[str]) -> None:
    """Leaves temporary tables, which fill a disk beyond all limits, to the roles that check read models with them.

    Everybody may make some in a new database. Whether that stays so in one of somebody else's is not ours to say.
    """
    for name, owner, is_ours in connection.execute(_DATABASE).fetchall():
        names = {"database": Identifier(name)}
        if is_ours:
            taking = SQL("REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC").format(**names)
            giving = SQL("GRANT TEMPORARY ON DATABASE {database} TO {role}")
            _as(
                connection, owner, taking, *(giving.format(role=Identifier(each), **names) for each in sorted(services))
            )
        if able := [role for (role,) in connection.execute(MAKE_TEMPORARY, (MARK,)).fetchall()]:
            _tell(
                f"{', '.join(able)} may make temporary tables, as far as the disk goes: the database {name} "
                f"belongs to {owner}, who can take that away (docs/reporting.md says how)."
            )


def _keep_functions(connection: Connection[Any]) -> None:
    """Takes from everybody the functions by which a session could stop all commands, or write something that stays."""
    for name, _, is_ours in connection.execute(_DATABASE).fetchall():
        statements = keep(connection, is_ours=is_ours)
        able = {
            what: ", ".join(role for (role,) in connection.execute(query, (MARK,)).fetchall())
            for query, what in BEYOND_READING.items()
        }
        if said := "; ".join(f"{roles} {what}" for what, roles in able.items() if roles):
            first = "" if is_ours else " once whatever else does such things in it is granted them by name"
            _tell(f"{said}; a superuser can take that away in the database {name}{first}: {statements}")


def _tell_what_stays_taken(connection: Connection[Any]) -> None:
    """Of the last role that went. Nobody knows whether everybody had it before, so that it is not given back here."""
    if any(_readers(connection, each) for each in _ledgers(connection)):
        return
    for name, _, is_ours in connection.execute(_DATABASE).fetchall():
        ((temporary,),) = connection.execute(_HAS_TEMPORARY).fetchall()
        database = Identifier(name).as_string(connection)
        statements = [
            giving_back(connection),
            "" if temporary else f"GRANT TEMPORARY ON DATABASE {database} TO PUBLIC;",
        ]
        if is_ours and any(statements):
            _tell(
                "What grant took from everybody in this database stays with the roles that run the service; if "
                f"something else needs it, a superuser gives it back: {' '.join(filter(None, statements))}"
            )


def _password_of(path: Any) -> str:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise ReportingFailed(f"cannot read --password-file {path}: {problem}") from None
    if not lines or len(lines[0]) < 12:
        raise ReportingFailed(f"the first line of --password-file {path} is no password of 12 characters or more")
    return str(lines[0])


def _psql(connection: Connection[Any], name: str) -> str:
    """How a role reaches the database, which an embedded PostgreSQL lets do as long as the service runs."""
    to = connection.info
    return shlex.join(["psql", "-h", to.host, "-p", str(to.port), "-d", to.dbname, "-U", name])


# --- views ----------------------------------------------------------------------------------------


def publish(connection: Connection[Any], ledger: ReportedTenant) -> None:
    """Makes a tenant's views, or brings them up to date."""
    names = {"views": Identifier(ledger.views), "owner": Identifier(ledger.owner)}
    there = connection.execute("SELECT to_regnamespace(%s)", (f'"{ledger.views}"',)).fetchall()
    if there == [(None,)]:
        connection.execute(SQL("CREATE SCHEMA {views} AUTHORIZATION {owner}").format(**names))
    # The read models may have got another owner since.
    for (view,) in connection.execute(_NOT_OF_OWNER, (f'"{ledger.views}"', ledger.owner)).fetchall():
        connection.execute(SQL("ALTER VIEW {}.{} OWNER TO {owner}").format(names["views"], Identifier(view), **names))
        connection.execute(SQL("ALTER SCHEMA {views} OWNER TO {owner}").format(**names))
    _as(connection, ledger.owner, *statements(ledger.schema))


def _let_read(connection: Connection[Any], ledger: ReportedTenant, roles: Iterable[str]) -> None:
    for name in sorted(roles):
        _as(connection, ledger.owner, *reading(ledger.views, name))


def reading(views: str, role: str) -> Iterator[Composed]:
    """What lets a role read all views of a schema."""
    names = {"views": Identifier(views), "role": Identifier(role)}
    yield SQL("GRANT USAGE ON SCHEMA {views} TO {role}").format(**names)
    yield SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {views} TO {role}").format(**names)


def _taking(ledger: ReportedTenant, name: str) -> Iterator[Composed]:
    names = {"views": Identifier(ledger.views), "role": Identifier(name)}
    yield SQL("REVOKE ALL ON ALL TABLES IN SCHEMA {views} FROM {role}").format(**names)
    yield SQL("REVOKE ALL ON SCHEMA {views} FROM {role}").format(**names)


def _as(connection: Connection[Any], owner: str, *what: Composed) -> None:
    """Does something as the role that owns the read models."""
    with _acting(connection, owner):
        for statement in what:
            connection.execute(statement)


@contextmanager
def _acting(connection: Connection[Any], owner: str) -> Iterator[None]:
    connection.execute(SQL("SET LOCAL ROLE {}").format(Identifier(owner)))
    yield
    connection.execute("RESET ROLE")


def _readers(connection: Connection[Any], ledger: ReportedTenant) -> list[str]:
    there = connection.execute("SELECT to_regnamespace(%s)", (f'"{ledger.views}"',)).fetchall()
    if there == [(None,)]:
        return []
    return [name for (name,) in connection.execute(READERS, (MARK, ledger.views)).fetchall()]


def _ledgers(connection: Connection[Any]) -> list[ReportedTenant]:
    """Every tenant whose read models are there."""
    found = []
    for tenant, schema in connection.execute(_TENANTS).fetchall():
        for (owner,) in connection.execute(_OWNER, (schema,)).fetchall():
            found.append(ReportedTenant(tenant, schema, owner))
    return found


def _named(connection: Connection[Any], chosen: argparse.Namespace) -> list[ReportedTenant]:
    ledgers = _ledgers(connection)
    if chosen.all_tenants and ledgers:
        return ledgers
    if chosen.all_tenants:
        raise ReportingFailed("there is no tenant whose read models are made: start the service once, then grant")
    if missing := set(chosen.tenant) - {each.tenant for each in ledgers}:
        raise ReportingFailed(
            f"there is no tenant {', '.join(sorted(missing))} whose read models are made; "
            f"there are {', '.join(each.tenant for each in ledgers) or 'none'}: start the service once, then grant"
        )
    return [each for each in ledgers if each.tenant in chosen.tenant]


def _tell(text: str) -> None:
    print(text, file=sys.stderr)


# --- the command ----------------------------------------------------------------------------------


def main(arguments: Sequence[str]) -> None:
    """Raises StartFailed, and what psycopg raises."""
    password = asyncio.run(_run(_parser().parse_args(arguments)))
    if password:
        print(password)  # alone on standard output, so that it can go straight into a file


async def _run(chosen: argparse.Namespace) -> str:
    async with beside.database(chosen) as database:
        return await asyncio.to_thread(_work, database.conninfo, chosen)


def _work(conninfo: str, chosen: argparse.Namespace) -> str:
    """All of it or nothing."""
    try:
        with psycopg.connect(conninfo, client_encoding="UTF8") as connection:
            return str(chosen.work(connection, chosen))
    except InsufficientPrivilege as problem:
        why = str(problem).partition("\n")[0]
        raise ReportingFailed(
            f"{why}; name a role with --dsn that may make roles and owns the tables, such as postgres"
        ) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="server.py reporting",
        description="Let jobs read a tenant's views for reporting by SQL, and nothing else.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, work: Any, says: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, parents=[beside.options()], help=says, description=says)
        made.set_defaults(work=work)
        return made

    granted = command("grant", grant, "make a role that reads the views, or bring it and them up to date")
    granted.add_argument("name", metavar="NAME", help="of the role")
    which = granted.add_mutually_exclusive_group(required=True)
    which.add_argument("--tenant", metavar="NAME", action="append", default=[], help="whose views; may be repeated")
    which.add_argument("--all-tenants", action="store_true", help="those of every tenant that there is now")
    granted.add_argument("--password-file", type=path, metavar="FILE", help="its first line; else one is made")
    granted.add_argument("--statement-seconds", type=_count, default=STATEMENT_SECONDS, help="(%(default)s)")
    granted.add_argument("--connections", type=_count, default=CONNECTIONS, help="sessions at a time (%(default)s)")
    revoked = command("revoke", revoke, "end a role, or take tenants from it")
    revoked.add_argument("name", metavar="NAME", help="of the role")
    revoked.add_argument("--tenant", metavar="NAME", action="append", default=[], help="only this tenant's views")
    command("list", show, "list the roles, their limits and the versions of the views")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 86_400:
        raise argparse.ArgumentTypeError("give a whole number from 1 to 86400")
    return int(text)
