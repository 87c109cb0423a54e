"""What a projector needs of the database beside its rows: connections, locks, tables, checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import psycopg
from psycopg import Connection, Cursor
from psycopg.sql import SQL, Identifier

from ledger.engine.log import LOCK_SEED
from ledger.engine.statements import in_schema
from projections.machine.projection import Projection

_LOCK_SECONDS = 2
"""How long a projector waits for a lock: whoever keeps it waiting keeps other tenants waiting, too."""

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, %s))"
_TRY_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, %s))"
HOLDER = """
    SELECT concat_ws(' ', 'session', held.pid, nullif(activity.application_name, ''), activity.state) AS session,
        clock_timestamp() - activity.xact_start AS held_for
    FROM pg_locks AS held LEFT JOIN pg_stat_activity AS activity ON activity.pid = held.pid,
        hashtextextended(%s, %s) AS key
    WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 1 AND held.pid <> pg_backend_pid()
        AND held.classid::bigint = (key >> 32) & 4294967295 AND held.objid::bigint = key & 4294967295
    LIMIT 1
"""
"""Who holds an advisory lock, which is given by its name and seed, and for how long."""
_POSITION = "SELECT notification_id FROM {schema}.ledger_tracking WHERE application_name = %s"
_MOVE_ON = """
    INSERT INTO {schema}.ledger_tracking AS kept (application_name, notification_id) VALUES (%s, %s)
    ON CONFLICT (application_name) DO UPDATE SET notification_id = excluded.notification_id
        WHERE kept.notification_id < excluded.notification_id
"""
_SHAPES = "SELECT name, shape FROM {schema}.ledger_projections"
_SET_SHAPE = """
    INSERT INTO {schema}.ledger_projections (name, shape) VALUES (%s, %s)
    ON CONFLICT (name) DO UPDATE SET shape = excluded.shape
"""
_CONFIGURE = f"""
    SELECT set_config('jit', 'off', false), set_config('enable_seqscan', 'off', false),
        set_config('enable_hashjoin', 'off', false), set_config('enable_mergejoin', 'off', false),
        set_config('lock_timeout', '{_LOCK_SECONDS}s', false),
        set_config('idle_in_transaction_session_timeout', '60s', false),
        set_config('synchronous_commit', 'off', false)
"""
BUILDER_IS_ALIVE = "(builder IS NOT NULL AND builder_seen_at >= pg_postmaster_start_time())"
"""Whether a rebuild may still run: the session of one ended with the server."""


def open_connection(conninfo: str) -> Connection[Any]:
    """A connection as projectors use it."""
    connection = psycopg.connect(
        conninfo,
        autocommit=True,
        connect_timeout=5,
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=2,
        tcp_user_timeout=15_000,
    )
    # Every query uses an index, also right after a bulk load. A commit need not wait for the disk:
    # rows and checkpoint are lost together, and then written again.
    connection.execute(_CONFIGURE)
    connection.prepared_max = 1000
    return connection


def lock(cursor: Cursor[Any], schema: str, name: str) -> None:
    """Waits for the projection's lock, and holds it until the end of the transaction."""
    cursor.execute(_LOCK, (f"{schema}/{name}", LOCK_SEED))


def try_lock(cursor: Cursor[Any], schema: str, name: str) -> bool:
    """Takes the projection's lock until the end of the transaction, if it is free."""
    cursor.execute(_TRY_LOCK, (f"{schema}/{name}", LOCK_SEED))
    ((got,),) = cursor.fetchall()
    return bool(got)


def holder(cursor: Cursor[Any], schema: str, name: str) -> str:
    """Which session holds the projection's lock, in words."""
    found = cursor.execute(HOLDER, (f"{schema}/{name}", LOCK_SEED)).fetchone()
    return str(found[0]) if found else "a session that has just ended"


def position_of(cursor: Cursor[Any], schema: str, name: str) -> int:
    """How far a projection is; 0 at the start."""
    found = cursor.execute(in_schema(_POSITION, schema), (name,), prepare=True).fetchone()
    return found[0] if found else 0


def move_on(cursor: Cursor[Any], schema: str, name: str, position: int) -> None:
    """Moves the checkpoint of a projection, never backwards."""
    cursor.execute(in_schema(_MOVE_ON, schema), (name, position), prepare=True)


def make_tables(connection: Connection[Any], schema: str, projections: Sequence[Projection]) -> None:
    """Makes the tables of projections that have none, all in one transaction."""
    shapes = _shapes(connection, schema)
    new = [projection for projection in projections if shapes.get(projection.name) is None]
    if not new:
        return
    with connection.transaction(), connection.cursor() as cursor:
        for projection in new:
            lock(cursor, schema, projection.name)
        shapes = _shapes(connection, schema)
        with connection.pipeline():  # the way to the server and back takes longer than many a table
            for projection in new:
                if shapes.get(projection.name) is None:
                    for statement in (part for table in projection.tables for part in table.create(schema)):
                        cursor.execute(statement)
                    cursor.execute(in_schema(_SET_SHAPE, schema), (projection.name, projection.shape))


_VIEWS = """
    SELECT DISTINCT v.relnamespace::regnamespace::text, v.relname, pg_get_viewdef(v.oid) FROM pg_depend AS d
        JOIN pg_class AS t ON t.oid = d.refobjid AND d.refclassid = 'pg_class'::regclass
        JOIN pg_rewrite AS r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
        JOIN pg_class AS v ON v.oid = r.ev_class AND v.relkind = 'v'
    WHERE t.relnamespace = %s::regnamespace AND t.relname = ANY(%s)
"""


def views_of(cursor: Cursor[Any], schema: str, tables: Sequence[str]) -> list[bytes]:
    """Statements that make the views of these tables anew, as they are, on whatever has the tables' names then.

    What was granted on the views, and what is said of them, stays.
    """
    cursor.execute(_VIEWS, (schema, list(tables)))
    return [
        SQL("CREATE OR REPLACE VIEW {}.{} AS {}")
        .format(SQL(cast("Any", namespace)), Identifier(view), SQL(cast("Any", definition)))
        .as_bytes(None)
        for namespace, view, definition in cursor.fetchall()
    ]


def _shapes(connection: Connection[Any], schema: str) -> dict[str, int | None]:
    return dict(connection.execute(in_schema(_SHAPES, schema)).fetchall())
