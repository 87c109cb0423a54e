"""The PostgreSQL that a DSN names: whether the ledger can live in it, and whether the way there is safe.

Whoever stands between the service and a database on another machine could read and change everything. So the
connection has to be encrypted, and the certificate has to prove the host: sslmode=verify-full.
"""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Iterator, Mapping
from enum import StrEnum
from ipaddress import ip_address
from typing import Any

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from adapters.database.problems import StartFailed

OLDEST_SERVER = 150000
"""The oldest PostgreSQL that the service runs on, as server_version_num: the oldest that is still supported."""

log = logging.getLogger("fulfilment.postgres")


class DoesNotAnswer(StartFailed):
    """It may answer later."""


class DatabaseTls(StrEnum):
    """What a connection to a database on another machine must be."""

    VERIFIED = "verified"
    """Encrypted, with a certificate that proves the host."""
    ANY = "any"
    """Whatever the DSN says: for a network that nobody else is on."""


def add_database_tls(parser: argparse.ArgumentParser) -> argparse.Action:
    """The option of the service, and of what is done beside it."""
    return parser.add_argument(
        "--database-tls",
        type=DatabaseTls,
        choices=list(DatabaseTls),
        default=os.environ.get("FULFILMENT_DATABASE_TLS") or DatabaseTls.VERIFIED,
        help="whether a database on another machine has to prove itself (%(default)s)",
    )


def usable(dsn: str, tls: DatabaseTls = DatabaseTls.VERIFIED, *, only_read: bool = False) -> str:
    """The conninfo of a PostgreSQL that the ledger can live in, or can be read from; raises StartFailed."""
    try:
        dsn = dsn if only_read else _of_the_primary(dsn)
        conninfo = make_conninfo(dsn, connect_timeout=conninfo_to_dict(dsn).get("connect_timeout") or 5)
        if tls is DatabaseTls.VERIFIED:
            _require_verified(conninfo_to_dict(conninfo))
        with psycopg.connect(conninfo, autocommit=True) as connection:
            if tls is DatabaseTls.VERIFIED:
                _require_verified(connection.info.get_parameters())  # also what a service file named
            _check(connection, only_read=only_read)
            for risk in (
                () if only_read else _risks(connection, several="," in str(conninfo_to_dict(dsn).get("host", "")))
            ):
                log.warning("%s", risk)
    except psycopg.ProgrammingError as error:
        raise StartFailed(
            f"cannot read the DSN ({_in_a_line(error)}); write it as postgresql://USER@HOST/DATABASE or as "
            "host=HOST dbname=DATABASE user=USER"
        ) from error
    except psycopg.OperationalError as error:
        raise DoesNotAnswer(
            f"cannot use the PostgreSQL of the DSN ({_in_a_line(error)}); see that it runs, and that the DSN names its "
            "host, database and user"
        ) from error
    return make_conninfo(dsn)


def _require_verified(given: Mapping[str, Any]) -> None:
    """Raises StartFailed unless each host is on this machine or has to prove itself."""
    outside = {each.keyword.decode(): each.val.decode() for each in pq.Conninfo.get_defaults() if each.val is not None}
    chosen = {**outside, **{key: str(value) for key, value in given.items()}}
    hosts = ",".join(chosen.get(key, "") for key in ("host", "hostaddr")).split(",")
    remote = [host for host in hosts if not _is_here(host)]
    if remote and chosen.get("sslmode") != "verify-full":
        raise StartFailed(
            f"the connection to {remote[0]} would not be verified (sslmode={chosen.get('sslmode')}): whoever is in "
            "between could read and change everything. Add sslmode=verify-full to the DSN, and sslrootcert=FILE if its "
            "certificate is of an authority of your own; on a network that is yours alone --database-tls any allows it"
        )


def _is_here(host: str) -> bool:
    """Whether a host is this machine: a socket, or a loopback address."""
    if not host or host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _check(connection: psycopg.Connection[Any], *, only_read: bool) -> None:
    at = connection.info
    if at.server_version < OLDEST_SERVER:
        raise StartFailed(
            f"the PostgreSQL of the DSN is version {at.parameter_status('server_version')} and the oldest that the "
            f"service runs on is {OLDEST_SERVER // 10000}; upgrade it, or name another"
        )
    ((read_only,),) = connection.execute("SHOW transaction_read_only").fetchall()
    if read_only == "on" and not only_read:
        raise StartFailed(
            f"the database {at.dbname} of the DSN is read-only; name the primary (target_session_attrs=read-write "
            "finds it among several hosts), or set default_transaction_read_only = off"
        )


def _of_the_primary(dsn: str) -> str:
    """Of several hosts the one that takes writes: after a failover the others do not."""
    given = conninfo_to_dict(dsn)
    several = "," in str(given.get("host", "")) + str(given.get("hostaddr", ""))
    if several and "target_session_attrs" not in given:
        return make_conninfo(dsn, target_session_attrs="read-write")
    return dsn


LOSES = {
    "off": "an answer comes before its facts are on the disk, so that a crash of PostgreSQL loses the last of them",
    "local": "an answer does not wait for the standby, so that one that takes over lacks the last of them",
    "remote_write": "a standby confirms what it has not on its disk yet: if both machines lose their power the last of "
    "them are lost",
}
"""What each way to commit means for answers that clients rely on."""


def _risks(connection: psycopg.Connection[Any], *, several: bool) -> Iterator[str]:
    """What lets answered commands be lost, in words."""
    names = ("synchronous_commit", "synchronous_standby_names", "fsync")
    ((commit, standbys, fsync),) = connection.execute(
        "SELECT " + ", ".join(f"current_setting('{name}')" for name in names)
    ).fetchall()
    if fsync == "off":
        yield "fsync of the database is off: if its machine crashes, the database is broken; set it on"
    if commit == "off" or (standbys and commit in LOSES):
        yield f"synchronous_commit of the database is {commit}: {LOSES[commit]}; set it on"
    elif several and not standbys:
        yield (
            "the DSN names several hosts, and synchronous_standby_names of the database is empty: a standby that takes "
            "over lacks what was answered last; name it there"
        )


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split())
