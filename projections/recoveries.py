"""Which costs are asked of whom, how far is each, and what has to be done about it by when?"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, NamedTuple

from ledger.nouns import recoveries
from ledger.nouns.recoveries import RecoveryKind, RecoveryStatus
from projections.machine.changes import Listed, ListedStreams
from projections.machine.histories import RecoveryHistory
from projections.machine.projection import From, projection
from projections.machine.reads import FIRST, LAST, Answer, PageOf, Where, snapshot
from projections.machine.rows import Int4, until_the_end
from projections.machine.tables import table


class ListedRecovery(NamedTuple):
    """One recovery; amounts are in minor units of its currency."""

    recovery_id: str
    kind: RecoveryKind
    status: RecoveryStatus
    order_id: str
    supplier_order_id: str
    supplier_id: str
    case_id: str
    carrier: str
    number: str
    epoch: Int4
    currency: str
    asked_minor: int
    claimed_minor: int
    agreed_minor: int
    received_minor: int
    returned_minor: int
    opened_at: datetime
    due: Annotated[datetime | None, until_the_end(LAST)]
    found_at: datetime | None
    ended_at: datetime | None
    further_order_ids: tuple[str, ...]
    """Whose goods were in the parcel of a claim as well."""


RECOVERY_ROWS = table(
    "recoveries",
    ListedRecovery,
    1,
    "(status, due, recovery_id)",
    "(order_id)",
    "(supplier_id, status, due)",
    "(carrier, status, due)",
    "(case_id)",
    "(recovery_id) WHERE further_order_ids <> '[]'",
)


def _row(history: RecoveryHistory) -> list[ListedRecovery]:
    recovery, subject = history.recovery, history.recovery.subject
    row = ListedRecovery(
        recovery_id=recovery.recovery_id,
        kind=recovery.kind,
        status=recovery.status,
        order_id=subject.order_id,
        supplier_order_id=subject.supplier_order_id,
        supplier_id=subject.supplier_id,
        case_id=subject.case_id,
        carrier=subject.carrier,
        number=subject.number,
        epoch=subject.epoch,
        currency=recovery.currency,
        asked_minor=recovery.asked_minor,
        claimed_minor=recovery.claimed_minor,
        agreed_minor=recovery.agreed_minor,
        received_minor=recovery.received_minor,
        returned_minor=recovery.returned_minor,
        opened_at=recovery.opened.at,
        due=recovery.due,
        found_at=recovery.found_at,
        ended_at=recovery.ended_at,
        further_order_ids=recovery.order_ids[1:],
    )
    return [row]


RECOVERIES = projection("recoveries", 2, From(recoveries.NOUN, RECOVERY_ROWS, _row))

# --- questions ------------------------------------------------------------------------------------


class RecoveryFilter(NamedTuple):
    """The filters of a list of recoveries; empty ones do not count."""

    kinds: tuple[RecoveryKind, ...] = ()
    statuses: tuple[RecoveryStatus, ...] = ()
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
            AND r.kind = ANY(%(kinds)s) AND {changed}
        ORDER BY r.due, r.recovery_id LIMIT %(limit)s
    ) AS found ORDER BY found.due, found.recovery_id LIMIT %(limit)s
"""
_NAMED = {
    **{name: f"r.{name} = %({name})s" for name in ("supplier_id", "carrier", "case_id")},
    "order_id": """r.recovery_id IN (
        SELECT recovery_id FROM {recoveries} WHERE order_id = %(order_id)s
        UNION SELECT recovery_id FROM {recoveries}
            WHERE further_order_ids <> '[]' AND further_order_ids::jsonb ? %(order_id)s
    )""",
}

_RECOVERIES = Listed(
    query=_LIST,
    make=ListedRecovery,
    key=lambda row: (row.due or LAST, row.recovery_id),
    subject=ListedStreams(recoveries.NOUN, ("r.recovery_id",)),
    of=lambda row: row.recovery_id,
)


async def list_recoveries(where: Where, page: PageOf, about: RecoveryFilter) -> Answer[ListedRecovery]:
    """Recoveries by what is due first; those of which nothing is due come last, by id."""
    after_due, after_id = page.after(tuple[datetime, str]) or (FIRST, "")
    named = {name: value for name in _NAMED if (value := getattr(about, name))}
    parameters = {
        **named,
        "statuses": [status.value for status in about.statuses or RecoveryStatus],
        "kinds": [kind.value for kind in about.kinds or RecoveryKind],
        "until": about.due_until or LAST,
        "after_due": after_due,
        "after_id": after_id,
        "limit": page.limit,
    }
    query = _LIST.replace("{condition}", "".join(f"{_NAMED[name]} AND " for name in named))
    async with snapshot(where, RECOVERIES) as at:
        return await _RECOVERIES._replace(query=query).page(at, page, parameters)
