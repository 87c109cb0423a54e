"""The database: settings that answers depend on, versions, connections, clock, bloat."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from adapters.database.control import CONTROL_SCHEMA
from adapters.database.dsn import LOSES
from adapters.database.migrations import CONTROL_MIGRATIONS, TENANT_MIGRATIONS
from adapters.database.public_functions import BEYOND_READING
from adapters.database.replica import Replica
from adapters.database.reporting_roles import MAKE_TEMPORARY, MARK
from adapters.database.schema_versions import migrations_of
from adapters.doctor.finding import Finding, fails, ok, size, warning
from ledger.refusals import StorageUnavailable

_ENDS = {
    14: date(2026, 11, 12),
    15: date(2027, 11, 11),
    16: date(2028, 11, 9),
    17: date(2029, 11, 8),
    18: date(2030, 11, 14),
}
"""Until when each major version gets fixes (postgresql.org/support/versioning)."""
_NAMES = (
    *("fsync", "full_page_writes", "synchronous_commit", "synchronous_standby_names", "data_checksums"),
    *("max_connections", "superuser_reserved_connections", "server_version_num", "server_version", "autovacuum"),
)
_SETTINGS = "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)"
_SESSIONS = """
    SELECT count(*) FILTER (WHERE backend_type = 'client backend'), max(clock_timestamp() - state_change)
        FILTER (WHERE state LIKE 'idle in transaction%' AND datname = current_database())
    FROM pg_stat_activity
"""
_CLOCK = "SELECT extract(epoch FROM clock_timestamp())"
_WRAPAROUND = "SELECT age(datfrozenxid), pg_database_size(oid) FROM pg_database WHERE datname = current_database()"
_BLOAT = """
    SELECT concat_ws('.', schemaname, relname), n_live_tup, n_dead_tup
    FROM pg_stat_user_tables WHERE n_dead_tup > %(least)s AND n_dead_tup > n_live_tup * %(share)s
    ORDER BY n_dead_tup DESC LIMIT 3
"""
_INDEXES = """
    SELECT sum(pg_table_size(relid))::bigint, sum(pg_indexes_size(relid))::bigint FROM pg_stat_user_tables
    WHERE schemaname = 'fulfilment' OR schemaname LIKE 'tenant\\_%%'
"""

_MANY_DEAD, _DEAD_SHARE = 10_000, 0.5
_LONG_IDLE_SECONDS = 60.0
_SKEW_SECONDS, _BAD_SKEW_SECONDS = 0.5, 5.0
_OLD_TRANSACTIONS, _TOO_OLD_TRANSACTIONS = 1_000_000_000, 1_800_000_000
"""Of 2,000,000,000, at which PostgreSQL takes no more writes; it vacuums by itself from 200,000,000 on."""
_MUCH_INDEX = 3
_MUCH = 1 << 30
_FAR_BEHIND_SECONDS = 60.0
_BEYOND_READING = {MAKE_TEMPORARY: "may make temporary tables, as far as the disk goes", **BEYOND_READING}


async def database(
    connection: AsyncConnection[Any], pool_sizes: int, today: date, schemas: Sequence[str] = ()
) -> Sequence[Finding]:
    """``schemas`` are those of the tenants that are looked at."""
    settings = dict(await (await connection.execute(_SETTINGS, ([*_NAMES],))).fetchall())
    found = [*durability(settings), version_of(settings, today)]
    ((sessions, idle),) = await (await connection.execute(_SESSIONS)).fetchall()
    found.append(connections(settings, sessions, pool_sizes))
    found.append(_idle(idle.total_seconds() if idle is not None else 0.0))
    found.append(await _skew(connection))
    found.append(await _migrations(connection, schemas))
    able = {
        what: [name for (name,) in await (await connection.execute(query, (MARK,))).fetchall()]
        for query, what in _BEYOND_READING.items()
    }
    found.append(reporting(able))
    ((age, used),) = await (await connection.execute(_WRAPAROUND)).fetchall()
    found.append(wraparound(age))
    dead = await (await connection.execute(_BLOAT, {"least": _MANY_DEAD, "share": _DEAD_SHARE})).fetchall()
    found.append(bloat(dead, settings))
    ((tables, indexes),) = await (await connection.execute(_INDEXES)).fetchall()
    found.append(_indexes(tables or 0, indexes or 0, used))
    return found


def durability(settings: Mapping[str, str]) -> Iterator[Finding]:
    for name, lost in (
        ("fsync", "if its machine crashes, the database is broken"),
        ("full_page_writes", "if its machine crashes in the middle of a write, the database is broken"),
    ):
        if settings[name] == "on":
            yield ok(name, "on")
        else:
            yield fails(name, f"off: {lost}", f"set {name} = on in the settings of PostgreSQL, and reload them")
    commit, standbys = settings["synchronous_commit"], settings["synchronous_standby_names"]
    if commit == "off" or (standbys and commit in LOSES):
        yield fails("synchronous_commit", f"{commit}: {LOSES[commit]}", "set synchronous_commit = on, and reload")
    else:
        yield ok("synchronous_commit", f"{commit}, {'with' if standbys else 'without'} a synchronous standby")
    if settings["data_checksums"] == "on":
        yield ok("data checksums", "on")
    else:
        advice = "stop PostgreSQL and run pg_checksums --enable, so that it notices what a disk has changed"
        yield warning("data checksums", "off: what a broken disk changes is read as if it were right", advice)


def version_of(settings: Mapping[str, str], today: date) -> Finding:
    major = int(settings["server_version_num"]) // 10000
    found, ends = f"PostgreSQL {settings['server_version']}", _ENDS.get(major)
    if ends is None:
        return ok("database version", found)
    if today > ends:
        return fails("database version", f"{found}, without fixes since {ends}", "upgrade to a later major version")
    if (ends - today).days < 180:
        return warning("database version", f"{found}, with fixes until {ends}", "plan the upgrade to a later version")
    return ok("database version", f"{found}, with fixes until {ends}")


def connections(settings: Mapping[str, str], sessions: int, pool_sizes: int) -> Finding:
    most = int(settings["max_connections"]) - int(settings["superuser_reserved_connections"])
    found = f"{sessions} of {most} are in use, and this process may open {pool_sizes}"
    if sessions >= most:
        return fails("connections", found, "raise max_connections, or end sessions that nobody needs")
    if sessions > most * 0.8 or pool_sizes > most:
        return warning("connections", found, "raise max_connections before none is left")
    return ok("connections", found)


def _idle(seconds: float) -> Finding:
    if seconds < _LONG_IDLE_SECONDS:
        return ok("idle transactions", "none is open for long")
    return warning(
        "idle transactions",
        f"a session has been idle in a transaction for {seconds:.0f} s",
        "end it (pg_stat_activity): it keeps locks and dead rows; set idle_in_transaction_session_timeout",
    )


async def _skew(connection: AsyncConnection[Any]) -> Finding:
    """The database may have answered at any moment in between, so that only what lies outside is an error."""
    before = time.time()
    ((theirs,),) = await (await connection.execute(_CLOCK)).fetchall()
    after = time.time()
    skew = max(before - float(theirs), float(theirs) - after, 0.0)
    found = f"that of the database and that of the service differ by {skew:.1f} s"
    if skew > _BAD_SKEW_SECONDS:
        return fails("clock", found, "let both machines follow a time server: facts are dated by both clocks")
    if skew > _SKEW_SECONDS:
        return warning("clock", found, "let both machines follow a time server")
    return ok("clock", found)


async def replica(copy: Replica, primary: AsyncConnectionPool[Any], schema: str) -> Finding:
    """What exports are read from."""
    try:
        lag = await copy.standing(primary, schema)
    except StorageUnavailable as problem:
        advice = "exports are refused; the log of the service says why: see that the replica of --reporting-dsn runs"
        return fails("replica", problem.why, advice)
    found = f"it is {lag.facts:,} facts behind, the first of them {lag.seconds:.0f} s old"
    if lag.seconds > _FAR_BEHIND_SECONDS:
        return warning("replica", found, "look at pg_stat_replication of the primary: exports tell what is as old")
    return ok("replica", found if lag.facts else "it has all that is recorded")


async def _migrations(connection: AsyncConnection[Any], schemas: Sequence[str]) -> Finding:
    """The worst of all schemas."""
    known = dict.fromkeys(schemas, len(TENANT_MIGRATIONS)) | {CONTROL_SCHEMA: len(CONTROL_MIGRATIONS)}
    found = [schema(name, *(await migrations_of(connection, name) or (0, 0)), known[name]) for name in known]
    return max(reversed(found), key=lambda each: each.level)


def schema(name: str, version: int, works_with: int, known: int) -> Finding:
    """``works_with`` is how many of its migrations a service must know to work with it."""
    found = f"schema {name} has {version} of {known} migrations"
    if version < known:
        return fails("migrations", found, "run as the owner of the tables: python server.py migrate")
    if works_with > known:
        return fails("migrations", found, "a newer version has changed what this one uses; start that one")
    if version > known:
        found = f"schema {name} has {version} migrations: the {known} of this version, and what a newer one only added"
        return warning("migrations", found, "nothing is wrong; end this version soon after the newer one has started")
    return ok("migrations", found)


def reporting(able: Mapping[str, Sequence[str]]) -> Finding:
    """``able`` are roles for reporting by what they may do."""
    found = [f"{', '.join(roles)} {what}" for what, roles in able.items() if roles]
    if not found:
        return ok("reporting", "no role for reporting may write anything, or take advisory locks")
    advice = (
        "run server.py reporting grant again as a superuser; in a database of somebody else's its owner has to "
        "take it away: docs/reporting.md"
    )
    return warning("reporting", "; ".join(found), advice)


def wraparound(age: int) -> Finding:
    found = f"the oldest transaction that is not frozen is {age:,} transactions back"
    if age > _TOO_OLD_TRANSACTIONS:
        return fails("wraparound", found, "run VACUUM FREEZE now: from 2,000,000,000 on nothing can be written")
    if age > _OLD_TRANSACTIONS:
        return warning("wraparound", found, "run VACUUM FREEZE, and find what keeps autovacuum from it")
    return ok("wraparound", found)


def bloat(dead: Sequence[tuple[str, int, int]], settings: Mapping[str, str]) -> Finding:
    if settings["autovacuum"] != "on":
        return fails("bloat", "autovacuum is off", "set autovacuum = on: without it tables grow and queries get slow")
    if not dead:
        return ok("bloat", "no table has many dead rows")
    found = "; ".join(f"{name} has {gone:,} dead rows beside {live:,}" for name, live, gone in dead)
    return warning("bloat", found, "run VACUUM on them, and look for sessions that are open for long")


def _indexes(tables: int, indexes: int, whole: int) -> Finding:
    found = f"tables have {size(tables)}, their indexes {size(indexes)}, the database {size(whole)}"
    if indexes > _MUCH and indexes > tables * _MUCH_INDEX:
        return warning("size", found, "run REINDEX CONCURRENTLY on the largest indexes")
    return ok("size", found)
