"""Errors of the database: which of them are temporary trouble, and what may be shown of an error."""

from __future__ import annotations

import psycopg

from ledger.refusals import Shown

_TROUBLE = ("08", "40", "53", "57", "58")
"""SQLSTATE classes that mean the database, not the data, is the problem: connection, rollback by the
server, resources, operator intervention, system."""

_TROUBLE_STATES = frozenset({"25006", "55P03", "25P03", "25P04", "26000"})
"""Read-only after a failover, a lock not obtained in time, idle in a transaction or in one for too long, and a prepared
statement that somebody else dropped."""

EPOCH_GUARD = "ledger_keys_epoch_"
"""What the constraints are called by which a table takes no data keys of former epochs."""


def is_trouble(error: Exception) -> bool:
    """Whether an error is the database's trouble, so that the same work may succeed later."""
    if not isinstance(error, psycopg.Error):
        return isinstance(error, OSError)
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return error.sqlstate[:2] in _TROUBLE or error.sqlstate in _TROUBLE_STATES or _is_of_a_former_epoch(error)


def _is_of_a_former_epoch(error: psycopg.Error) -> bool:
    """A data key that was wrapped just before the secret for that was replaced; the next one is under the new one."""
    return (error.diag.constraint_name or "").startswith(EPOCH_GUARD)


def in_short(error: BaseException) -> str:
    """What may be logged or shown of an error: the first line of the database's trouble, and of a mistake only its
    type, because its message may quote what people wrote."""
    kind = type(error).__name__
    if isinstance(error, Shown) or (isinstance(error, Exception) and is_trouble(error)):
        return f"{kind}: {str(error).partition(chr(10))[0]}"
    sqlstate = getattr(error, "sqlstate", None)
    return f"{kind} {sqlstate}" if sqlstate else kind
