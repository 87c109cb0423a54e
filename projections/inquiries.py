"""Which questions about orders wait for an answer, and what became of the others?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

from psycopg import AsyncConnection

from ledger.nouns import inquiries
from ledger.nouns.inquiries import Inquiry, Topic
from ledger.terms.parties import Party
from projections.machine.changes import Listed, ListedStreams
from projections.machine.projection import From, projection
from projections.machine.reads import FIRST, LAST, Answer, PageOf, Where, rows_now, snapshot
from projections.machine.rows import until_the_end
from projections.machine.tables import table

_NEVER = LAST - timedelta(days=366)
"""The due time of an answer without an agreed time; a year before the last date, so that time zones cannot overflow."""

# --- tables ---------------------------------------------------------------------------------------


class InquiryState(StrEnum):
    """How far an inquiry is."""

    OPEN = "open"
    ANSWERED = "answered"
    CLOSED = "closed"


class ListedInquiry(NamedTuple):
    """An inquiry, without its texts."""

    inquiry_id: str
    state: InquiryState
    asked_by: Party
    asked_of: Party
    supplier_id: str
    order_id: str
    supplier_order_id: str
    topic: Topic
    asked_at: datetime
    due: Annotated[datetime | None, until_the_end(_NEVER)]
    answered_at: datetime | None
    closed_at: datetime | None
    missed: bool
    time_zone: str


INQUIRIES = table(
    "inquiries",
    ListedInquiry,
    2,
    "(state, due, inquiry_id)",
    "(supplier_id, state, due, inquiry_id)",
    "(order_id, state, due, inquiry_id)",
)

# --- what is kept ---------------------------------------------------------------------------------


def _row(inquiry: Inquiry) -> list[ListedInquiry]:
    asked = inquiry.asked
    answered = InquiryState.ANSWERED if inquiry.answers else InquiryState.OPEN
    row = ListedInquiry(
        inquiry_id=asked.inquiry_id,
        state=InquiryState.CLOSED if inquiry.closed else answered,
        asked_by=asked.asked_by,
        asked_of=asked.asked_of,
        supplier_id=asked.supplier_id,
        order_id=asked.order_id,
        supplier_order_id=asked.supplier_order_id,
        topic=asked.topic,
        asked_at=asked.at,
        due=asked.answer_by,
        answered_at=inquiry.answered_at,
        closed_at=inquiry.closed.at if inquiry.closed else None,
        missed=inquiry.is_missed,
        time_zone=asked.time_zone,
    )
    return [row]


WAITING_INQUIRIES = projection("inquiries", 2, From(inquiries.NOUN, INQUIRIES, _row))

# --- questions ------------------------------------------------------------------------------------

_LIST = """
    SELECT * FROM {inquiries}
    WHERE state = %(state)s AND (due, inquiry_id) > (%(after_due)s, %(after_id)s) AND {changed}
        AND (%(supplier_id)s = '' OR supplier_id = %(supplier_id)s)
        AND (%(order_id)s = '' OR order_id = %(order_id)s)
        AND (%(asked_of)s = '' OR asked_of = %(asked_of)s)
    ORDER BY due, inquiry_id LIMIT %(limit)s
"""

_INQUIRIES = Listed(
    query=_LIST,
    make=ListedInquiry,
    key=lambda row: (row.due or _NEVER, row.inquiry_id),
    subject=ListedStreams(inquiries.NOUN, ("inquiry_id",)),
    of=lambda row: row.inquiry_id,
)


async def list_inquiries(
    where: Where,
    page: PageOf,
    state: InquiryState = InquiryState.OPEN,
    supplier_id: str = "",
    order_id: str = "",
    asked_of: Party | None = None,
) -> Answer[ListedInquiry]:
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
        return await _INQUIRIES.page(at, page, parameters)


_OF_ORDERS = "SELECT * FROM {inquiries} WHERE order_id = ANY(%(order_ids)s) ORDER BY asked_at, inquiry_id"


async def count_about(connection: AsyncConnection[Any], schema: str, order_ids: Sequence[str]) -> int:
    """How many inquiries there are about some orders, as far as is known now."""
    return len(await rows_now(connection, schema, _OF_ORDERS, {"order_ids": list(order_ids)}, WAITING_INQUIRIES))


async def inquiries_about(where: Where, order_ids: Sequence[str]) -> Answer[ListedInquiry]:
    """All inquiries about some orders, the first asked first."""
    async with snapshot(where, WAITING_INQUIRIES) as at:
        return Answer(await at.each(_OF_ORDERS, {"order_ids": list(order_ids)}, ListedInquiry), at.position)
