"""How old the embedded PostgreSQL is: it comes in a wheel, which nobody patches between its releases.

PostgreSQL releases fixes, those of security among them, on the second Thursdays of February, May, August and November
(postgresql.org/developer/roadmap), so that the calendar tells whether some were due since, without a network.
"""

from __future__ import annotations

from datetime import date, timedelta

RELEASED = {180004: date(2026, 5, 14)}
"""When what the wheel holds was released, by server_version_num (postgresql.org/support/versioning)."""

_MONTHS, _THURSDAY = (2, 5, 8, 11), 3


def warning(version: int, today: date) -> str:
    """What to know before real data go into the embedded server; empty while it is as new as can be."""
    released = RELEASED.get(version)
    missed = due_since(released, today) if released else []
    if not missed:
        return ""
    return (
        f"the embedded PostgreSQL {version // 10000}.{version % 10000} is of {released} and fixes were due since "
        f"({', '.join(map(str, missed))}); for real data name a PostgreSQL that is kept patched with --dsn"
    )


def due_since(released: date, today: date) -> list[date]:
    """The days after a release on which others were due, up to today."""
    days = (_second_thursday(year, month) for year in range(released.year, today.year + 1) for month in _MONTHS)
    return [day for day in days if released < day <= today]


def _second_thursday(year: int, month: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(_THURSDAY - first.weekday()) % 7 + 7)
