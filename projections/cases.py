"""Which return cases are there, how far is each, and whose turn is it?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from ledger.nouns.cases import (
    Case,
    Denial,
    Reason,
    Remedy,
    Status,
)
from ledger.terms.money import in_64_bits
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

# --- tables ---------------------------------------------------------------------------------------

CASE_ROWS = Table(
    "cases",
    1,
    {
        "case_id": ID,
        "order_id": ID,
        "status": ID,
        "opened_at": "timestamptz NOT NULL",
        "reason": ID,
        "liable": ID,  # empty before a ruling
        "remedy": ID,  # empty before an approval
        "denial": ID,  # empty unless something was denied
        "units": "int4 NOT NULL",
        "first_answer_by": "timestamptz NOT NULL",
        "first_answered_at": "timestamptz",
        "evidence_by": "timestamptz",
        "closed_at": "timestamptz",
        "reship_order_id": ID,
        "granted_minor": "int8 NOT NULL",
        "paid_minor": "int8 NOT NULL",
        "currency": ID,
        "supplier_ids": "text NOT NULL",  # with a comma between them, which no id has
    },
    ("(status, opened_at, case_id)", "(order_id, opened_at, case_id)"),
)
SUPPLIERS = Table(
    "cases_suppliers",
    2,
    {"supplier_id": ID, "case_id": ID, "status": ID, "opened_at": "timestamptz NOT NULL"},
    ("(supplier_id, status, opened_at, case_id)",),
)

# --- what is kept ---------------------------------------------------------------------------------


def changes(page: Page) -> list[Written]:
    """Rows of cases, and of whose units they are about."""
    rows, suppliers = Rows(CASE_ROWS), Rows(SUPPLIERS)
    for before, now in page.cases():
        rows.replace([_row(before)] if before else (), [_row(now)])
        suppliers.replace(_suppliers(before) if before else (), _suppliers(now))
    return [rows, suppliers]


CASES = Projection("cases", 1, (CASE_ROWS, SUPPLIERS), changes)


def _row(case: Case) -> Values:
    opened, refunds = case.opened, case.refunds.values()
    return (
        case.case_id,
        case.order_id,
        case.status.value,
        opened.at,
        opened.reason.value,
        case.ruling.liable.value if case.ruling else "",
        case.remedy.value if case.remedy else "",
        case.denial.value if case.denial else "",
        sum(opened.by_line.values()),
        opened.first_answer_by,
        case.first_answered_at,
        case.evidence_by,
        case.closed_at,
        case.reships[-1].order_id if case.reships else "",
        in_64_bits(sum(refund.amount_minor for refund in refunds)),
        in_64_bits(sum(refund.amount_minor for refund in refunds if refund.paid_at is not None)),
        case.currency,
        ",".join(sorted(set(opened.suppliers.values()))),
    )


def _suppliers(case: Case) -> list[Values]:
    names = sorted(set(case.opened.suppliers.values()))
    return [(name, case.case_id, case.status.value, case.opened.at) for name in names]


# --- questions ------------------------------------------------------------------------------------


class CaseSummary(NamedTuple):
    """One case in a list."""

    case_id: str
    order_id: str
    status: Status
    opened_at: datetime
    reason: Reason
    liable: Party | None
    remedy: Remedy | None
    denial: Denial | None
    units: int
    first_answer_by: datetime
    first_answered_at: datetime | None
    evidence_by: datetime | None
    closed_at: datetime | None
    reship_order_id: str
    granted_minor: int
    paid_minor: int
    currency: str
    supplier_ids: Sequence[str]


_LIST = """
    SELECT found.* FROM unnest(%(statuses)s::text[]) AS wanted (status) CROSS JOIN LATERAL (
        SELECT c.* FROM {source} AS s JOIN {cases} AS c USING (case_id)
        WHERE {condition} s.status = wanted.status
            AND s.opened_at >= %(since)s AND s.opened_at < %(until)s
            AND (s.opened_at, s.case_id) > (%(after_at)s, %(after_id)s)
        ORDER BY s.opened_at, s.case_id LIMIT %(limit)s
    ) AS found ORDER BY found.opened_at, found.case_id LIMIT %(limit)s
"""


def _read(**row: Any) -> CaseSummary:
    row["status"], row["reason"] = Status(row["status"]), Reason(row["reason"])
    row["liable"] = Party(row["liable"]) if row["liable"] else None
    row["remedy"] = Remedy(row["remedy"]) if row["remedy"] else None
    row["denial"] = Denial(row["denial"]) if row["denial"] else None
    row["supplier_ids"] = row["supplier_ids"].split(",")
    return CaseSummary(**row)


async def list_cases(
    where: Where,
    page: PageOf,
    statuses: Sequence[Status] = (),
    supplier_id: str = "",
    order_id: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> Answer[CaseSummary]:
    """Cases opened in [since, until), the first opened first."""
    after_at, after_id = page.after(tuple[datetime, str]) or (FIRST, "")
    parameters = {
        "statuses": [status.value for status in statuses or Status],
        "supplier_id": supplier_id,
        "order_id": order_id,
        "since": since or FIRST,
        "until": until or LAST,
        "after_at": after_at,
        "after_id": after_id,
        "limit": page.limit,
    }
    async with snapshot(where, CASES) as at:
        found = await at.each(_query(supplier_id, order_id), parameters, _read)
        rows, token = page.cut(found, [(case.opened_at, case.case_id) for case in found])
        return Answer(rows, at.position, token)


def _query(supplier_id: str, order_id: str) -> str:
    """The list from the table whose index fits: of one supplier, or of all."""
    conditions = ["s.supplier_id = %(supplier_id)s AND"] if supplier_id else []
    conditions += ["c.order_id = %(order_id)s AND"] if order_id else []
    source = "{cases_suppliers}" if supplier_id else "{cases}"
    return _LIST.replace("{source}", source).replace("{condition}", " ".join(conditions))
