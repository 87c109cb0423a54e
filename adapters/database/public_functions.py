"""What everybody may do in a new database by its functions, and no role for reporting should.

Advisory locks have no owner: a session that takes a tenant's, whose key everybody sees in pg_locks, stops all of its
commands for as long as it likes. Large objects stay when their session has ended, and messages in the write-ahead log
go to its archive and to standbys: both fill disks, and a session may itself end that it only reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psycopg import Connection
from psycopg.sql import SQL, Composed, Identifier

LOCKS = "p.pronamespace = 'pg_catalog'::regnamespace AND p.proname ~ '^pg_(try_)?advisory_(xact_)?lock'"
"""What takes them. What releases them stays everybody's: drivers call it when a session is given back."""
WRITES = (
    "p.pronamespace = 'pg_catalog'::regnamespace "
    "AND p.proname ~ '^(lo_creat|lo_from_bytea|lo_put|lo_truncate|lowrite|pg_logical_emit_message)'"
)
"""What writes and asks for no right but this one. What deletes a large object is its owner's alone."""


def _roles_with(functions: str) -> str:
    """Asks for the roles with a comment, which read views for reporting, that may call one of these."""
    return f"""
        SELECT r.rolname FROM pg_roles AS r
        WHERE shobj_description(r.oid, 'pg_authid') = %s
            AND EXISTS (SELECT FROM pg_proc AS p WHERE {functions} AND has_function_privilege(r.oid, p.oid, 'EXECUTE'))
            AND EXISTS (SELECT FROM pg_namespace AS n
                WHERE n.nspname LIKE 'reporting\\_%%' AND has_schema_privilege(r.oid, n.oid, 'USAGE'))
        ORDER BY r.rolname
    """  # noqa: S608 - of constants


BEYOND_READING = {
    _roles_with(LOCKS): "may take advisory locks, and so stop a tenant's commands",
    _roles_with(WRITES): "may make large objects and write into the log of PostgreSQL, as far as the disk goes",
}
"""By the query for the roles that may: what they may do."""
_FUNCTIONS = f"""
    SELECT string_agg(p.oid::regprocedure::text, ', ' ORDER BY p.oid) FILTER (WHERE {LOCKS}),
        string_agg(p.oid::regprocedure::text, ', ' ORDER BY p.oid), bool_and(pg_has_role(p.proowner, 'USAGE')),
        bool_or(has_function_privilege('public', p.oid, 'EXECUTE'))
    FROM pg_proc AS p WHERE {LOCKS} OR {WRITES}
"""  # noqa: S608 - of constants
_RUN = """
    SELECT r.rolname, r.oid = n.nspowner FROM pg_roles AS r, pg_namespace AS n
    WHERE n.nspname = 'fulfilment' AND NOT r.rolsuper AND r.rolname !~ '^pg_'
        AND has_table_privilege(r.oid, 'fulfilment.projectors', 'INSERT')
    ORDER BY r.rolname
"""
"""The roles that run the service, whether one owns its tables or was let in by ``migrate --grant``."""


def keep(connection: Connection[Any], *, is_ours: bool) -> str:
    """Takes them from everybody, if the database is the service's own, and leaves locks to the roles that run it;
    returns what does so, as SQL."""
    ((locks, functions, may_take, _),) = connection.execute(_FUNCTIONS).fetchall()
    statements = [*_taking(locks, functions, connection.execute(_RUN).fetchall())]
    if is_ours and may_take:
        for statement in statements:
            connection.execute(statement)
    return " ".join(f"{each.as_string(connection)};" for each in statements)


def _taking(locks: str, functions: str, runs: list[tuple[str, bool]]) -> Iterator[Composed]:
    """The owner of the tables may hand locks on, so that ``migrate --grant`` lets further roles in."""
    for role, is_owner in runs:
        further = SQL(" WITH GRANT OPTION" if is_owner else "")
        yield SQL("GRANT EXECUTE ON FUNCTION {} TO {}{}").format(SQL(locks), Identifier(role), further)
    yield SQL("REVOKE EXECUTE ON FUNCTION {} FROM PUBLIC").format(SQL(functions))


def giving_back(connection: Connection[Any]) -> str:
    """What gives them back to everybody, as SQL; empty where they have them."""
    ((_, functions, _, has_some),) = connection.execute(_FUNCTIONS).fetchall()
    return "" if has_some else f"GRANT EXECUTE ON FUNCTION {functions} TO PUBLIC;"
