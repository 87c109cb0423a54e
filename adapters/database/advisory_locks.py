"""Who may take advisory locks: in a new database everybody.

They have no owner: a session that takes a tenant's, whose key everybody sees in pg_locks, stops all of its commands for
as long as it likes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psycopg import Connection
from psycopg.sql import SQL, Composed, Identifier

LOCKS = "p.pronamespace = 'pg_catalog'::regnamespace AND p.proname ~ '^pg_(try_)?advisory_(xact_)?lock'"
"""What takes them. What releases them stays everybody's: drivers call it when a session is given back."""
TAKE_LOCKS = f"""
    SELECT r.rolname FROM pg_roles AS r
    WHERE shobj_description(r.oid, 'pg_authid') = %s
        AND EXISTS (SELECT FROM pg_proc AS p WHERE {LOCKS} AND has_function_privilege(r.oid, p.oid, 'EXECUTE'))
        AND EXISTS (SELECT FROM pg_namespace AS n
            WHERE n.nspname LIKE 'reporting\\_%%' AND has_schema_privilege(r.oid, n.oid, 'USAGE'))
    ORDER BY r.rolname
"""  # noqa: S608 - of constants
"""The roles with a comment, which read views for reporting, that may."""
_FUNCTIONS = f"""
    SELECT string_agg(p.oid::regprocedure::text, ', ' ORDER BY p.oid), bool_and(pg_has_role(p.proowner, 'USAGE'))
    FROM pg_proc AS p WHERE {LOCKS}
"""  # noqa: S608 - of constants
_RUN = """
    SELECT r.rolname, r.oid = n.nspowner FROM pg_roles AS r, pg_namespace AS n
    WHERE n.nspname = 'fulfilment' AND NOT r.rolsuper AND r.rolname !~ '^pg_'
        AND has_table_privilege(r.oid, 'fulfilment.projectors', 'INSERT')
    ORDER BY r.rolname
"""
"""The roles that run the service, whether one owns its tables or was let in by ``migrate --grant``."""


def keep(connection: Connection[Any], *, is_ours: bool) -> str:
    """Leaves them to the roles that run the service, if the database is its own; returns what does so, as SQL."""
    ((functions, may_take),) = connection.execute(_FUNCTIONS).fetchall()
    statements = [*_leaving(functions, connection.execute(_RUN).fetchall())]
    if is_ours and may_take:
        for statement in statements:
            connection.execute(statement)
    return " ".join(f"{each.as_string(connection)};" for each in statements)


def _leaving(functions: str, runs: list[tuple[str, bool]]) -> Iterator[Composed]:
    """The owner of the tables may hand them on, so that ``migrate --grant`` lets further roles in."""
    named = SQL(functions)
    for role, is_owner in runs:
        further = SQL(" WITH GRANT OPTION" if is_owner else "")
        yield SQL("GRANT EXECUTE ON FUNCTION {} TO {}{}").format(named, Identifier(role), further)
    yield SQL("REVOKE EXECUTE ON FUNCTION {} FROM PUBLIC").format(named)
