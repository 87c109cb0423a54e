"""Which costs are asked of whom, how far is each, and what has to be done about it by when?"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from ledger.nouns.recoveries import Kind, Recovery, Status
from projections.machine.reads import (
    FIRST,
    LAST,
    Answer,
    PageOf,
    Where,
    snapshot,
)
from projections.machine.streams import Page
from projections.machine.tables import (
    ID,
    Projection,
    Rows,
    Table,
    Values,
    Written,
)

RECOVERIES_TABLE = Table(
    "recoveries",
    1,
    {
        "recovery_id": ID,
        "kind": ID,
        "status": ID,
        "order_id": ID,
        "supplier_order_id": ID,
        "supplier_id": ID,
        "case_id": ID,
        "carrier": ID,
        "number": ID,
        "epoch": "int4 NOT NULL",
        "currency": ID,
        "asked_minor": "int8 NOT NULL",
        "claimed_minor": "int8 NOT NULL",
        "agreed_minor": "int8 NOT NULL",
        "received_minor": "int8 NOT NULL",
        "returned_minor": "int8 NOT NULL",
        "opened_at": "timestamptz NOT NULL",
        "due": "timestamptz NOT NULL",  # the end of time where nothing is due
        "found_at": "timestamptz",
        "ended_at": "timestamptz",
    },
    ("(status, due, recovery_id)", "(order_id)", "(supplier_id, status, due)", "(carrier, status, due)", "(case_id)"),
)


def changes(page: Page) -> list[Written]:
    """One row a recovery."""
    rows = Rows(RECOVERIES_TABLE)
    for before, now in page.recoveries():
        rows.replace([_row(before)] if before else [], [_row(now)])
    return [rows]


RECOVERIES = Projection("recoveries", 1, (RECOVERIES_TABLE,), changes)


def _row(recovery: Recovery) -> Values:
    subject = recovery.subject
    return (
        recovery.recovery_id,
        recovery.kind.value,
        recovery.status.value,
        subject.order_id,
        subject.supplier_order_id,
        subject.supplier_id,
        subject.case_id,
        subject.carrier,
        subject.number,
        subject.epoch,
        recovery.currency,
        recovery.asked_minor,
        recovery.claimed_minor,
        recovery.agreed_minor,
        recovery.received_minor,
        recovery.returned_minor,
        recovery.opened.at,
        recovery.due or LAST,
        recovery.found_at,
        recovery.ended_at,
    )


# --- questions ------------------------------------------------------------------------------------


class Listed(NamedTuple):
    """One recovery; amounts are in minor units of its currency."""

    recovery_id: str
    kind: Kind
    status: Status
    order_id: str
    supplier_order_id: str
    supplier_id: str
    case_id: str
    carrier: str
    number: str
    epoch: int
    currency: str
    asked_minor: int
    claimed_minor: int
    agreed_minor: int
    received_minor: int
    returned_minor: int
    opened_at: datetime
    due: datetime | None
    found_at: datetime | None
    ended_at: datetime | None


class About(NamedTuple):
    """What the recoveries of a list have in common; what is empty says nothing."""

    kinds: tuple[Kind, ...] = ()
    statuses: tuple[Status, ...] = ()
    supplier_id: str = ""
    carrier: str = ""
    order_id: str = ""
    case_id: str = ""
    due_until: datetime | None = None
    """Only those of which something is due by then."""


_LIST = """
    SELECT found.* FROM unnest(%(statuses)s::text[]) AS wanted (status) CROSS JOIN LATERAL (
        SELECT * FROM {recoveries} AS r
        WHERE r.status = wanted.status AND {condition} r.due <= %(until)s
            AND (r.due, r.recovery_id) > (%(after_due)s, %(after_id)s)
            AND r.kind = ANY(%(kinds)s)
        ORDER BY r.due, r.recovery_id LIMIT %(limit)s
    ) AS found ORDER BY found.due, found.recovery_id LIMIT %(limit)s
"""
_NAMED = ("supplier_id", "carrier", "order_id", "case_id")


async def list_recoveries(where: Where, page: PageOf, about: About) -> Answer[Listed]:
    """Recoveries by what is due first; those of which nothing is due come last, by id."""
    after_due, after_id = page.after(tuple[datetime, str]) or (FIRST, "")
    named = {name: value for name in _NAMED if (value := getattr(about, name))}
    parameters = {
        **named,
        "statuses": [status.value for status in about.statuses or Status],
        "kinds": [kind.value for kind in about.kinds or Kind],
        "until": about.due_until or LAST,
        "after_due": after_due,
        "after_id": after_id,
        "limit": page.limit,
    }
    query = _LIST.replace("{condition}", "".join(f"r.{name} = %({name})s AND " for name in named))
    async with snapshot(where, RECOVERIES) as at:
        found = await at.each(query, parameters, _read)
        rows, token = page.cut(found, [(row.due or LAST, row.recovery_id) for row in found])
        return Answer(rows, at.position, token)


def _read(**row: Any) -> Listed:
    row["kind"], row["status"] = Kind(row["kind"]), Status(row["status"])
    row["due"] = None if row["due"] == LAST else row["due"]
    return Listed(**row)
