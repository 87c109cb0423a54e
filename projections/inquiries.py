"""Which questions about orders wait for an answer, and what became of the others?"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from ledger.nouns.inquiries import Inquiry, Topic
from ledger.terms.parties import Party
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

_NEVER = LAST - timedelta(days=366)
"""When an answer is due that nobody agreed a time for; a year away from where time zones would run over."""

# --- tables ---------------------------------------------------------------------------------------

INQUIRIES = Table(
    "inquiries",
    1,
    {
        "inquiry_id": ID,
        "state": ID,
        "asked_by": ID,
        "asked_of": ID,
        "supplier_id": ID,
        "order_id": ID,
        "supplier_order_id": ID,
        "topic": ID,
        "asked_at": "timestamptz NOT NULL",
        "due": "timestamptz NOT NULL",  # the end of all time where none was agreed
        "answered_at": "timestamptz",
        "closed_at": "timestamptz",
        "missed": "bool NOT NULL",
    },
    ("(state, due, inquiry_id)", "(supplier_id, state, due, inquiry_id)", "(order_id, state, due, inquiry_id)"),
)

# --- what is kept ---------------------------------------------------------------------------------


class State(StrEnum):
    """How far an inquiry is."""

    OPEN = "open"
    ANSWERED = "answered"
    CLOSED = "closed"


def changes(page: Page) -> list[Written]:
    """A row for each inquiry."""
    rows = Rows(INQUIRIES)
    for before, after in page.inquiries():
        rows.replace([_row(before)] if before else [], [_row(after)])
    return [rows]


WAITING_INQUIRIES = Projection("inquiries", 1, (INQUIRIES,), changes)


def _row(inquiry: Inquiry) -> Values:
    asked = inquiry.asked
    answered = State.ANSWERED if inquiry.answers else State.OPEN
    return (
        asked.inquiry_id,
        (State.CLOSED if inquiry.closed else answered).value,
        asked.asked_by.value,
        asked.asked_of.value,
        asked.supplier_id,
        asked.order_id,
        asked.supplier_order_id,
        asked.topic.value,
        asked.at,
        asked.answer_by or _NEVER,
        inquiry.answered_at,
        inquiry.closed.at if inquiry.closed else None,
        inquiry.is_missed,
    )


# --- questions ------------------------------------------------------------------------------------


class Waiting(NamedTuple):
    """An inquiry, without what was said."""

    inquiry_id: str
    state: State
    asked_by: Party
    asked_of: Party
    supplier_id: str
    order_id: str
    supplier_order_id: str
    topic: Topic
    asked_at: datetime
    due: datetime | None
    answered_at: datetime | None
    closed_at: datetime | None
    missed: bool


_LIST = """
    SELECT * FROM {inquiries}
    WHERE state = %(state)s AND (due, inquiry_id) > (%(after_due)s, %(after_id)s)
        AND (%(supplier_id)s = '' OR supplier_id = %(supplier_id)s)
        AND (%(order_id)s = '' OR order_id = %(order_id)s)
        AND (%(asked_of)s = '' OR asked_of = %(asked_of)s)
    ORDER BY due, inquiry_id LIMIT %(limit)s
"""


def _read(**row: Any) -> Waiting:
    row["state"], row["topic"] = State(row["state"]), Topic(row["topic"])
    row["asked_by"], row["asked_of"] = Party(row["asked_by"]), Party(row["asked_of"])
    row["due"] = None if row["due"] == _NEVER else row["due"]
    return Waiting(**row)


async def list_inquiries(
    where: Where,
    page: PageOf,
    state: State = State.OPEN,
    supplier_id: str = "",
    order_id: str = "",
    asked_of: Party | None = None,
) -> Answer[Waiting]:
    """Inquiries in a state by when their answer is due, those without a due time last."""
    after_due, after_id = page.after(tuple[datetime, str]) or (FIRST, "")
    parameters = {
        "state": state.value,
        "supplier_id": supplier_id,
        "order_id": order_id,
        "asked_of": asked_of.value if asked_of else "",
        "after_due": after_due,
        "after_id": after_id,
        "limit": page.limit,
    }
    async with snapshot(where, WAITING_INQUIRIES) as at:
        found = await at.each(_LIST, parameters, _read)
        rows, token = page.cut(found, [(row.due or _NEVER, row.inquiry_id) for row in found])
        return Answer(rows, at.position, token)
