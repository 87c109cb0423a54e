"""Which return cases are there, how far is each, and whose turn is it?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, NamedTuple

from ledger.nouns import cases
from ledger.nouns.cases import Case, CaseStatus, Denial, Reason, Remedy
from ledger.terms.money import in_64_bits
from ledger.terms.parties import Party
from projections.machine.changes import Listed, ListedStreams
from projections.machine.projection import From, projection
from projections.machine.reads import FIRST, LAST, Answer, PageOf, Where, snapshot
from projections.machine.rows import Column, Int4
from projections.machine.tables import table

_JOINED = Column("text NOT NULL", ",".join, lambda kept: kept.split(","))
"""Ids with a comma between them, which no id has."""

# --- tables ---------------------------------------------------------------------------------------


class CaseSummary(NamedTuple):
    """One case in a list."""

    case_id: str
    order_id: str
    status: CaseStatus
    opened_at: datetime
    reason: Reason
    liable: Party | None
    """None before a ruling."""
    remedy: Remedy | None
    """None before an approval."""
    denial: Denial | None
    """None unless something was denied."""
    units: Int4
    first_answer_by: datetime
    first_answered_at: datetime | None
    evidence_by: datetime | None
    closed_at: datetime | None
    reship_order_id: str
    granted_minor: int
    paid_minor: int
    currency: str
    supplier_ids: Annotated[Sequence[str], _JOINED]


class _OfSupplier(NamedTuple):
    supplier_id: str
    case_id: str
    status: CaseStatus
    opened_at: datetime


CASE_ROWS = table("cases", CaseSummary, 1, "(status, opened_at, case_id)", "(order_id, opened_at, case_id)")
SUPPLIERS = table("cases_suppliers", _OfSupplier, 2, "(supplier_id, status, opened_at, case_id)")

# --- what is kept ---------------------------------------------------------------------------------


def _row(case: Case) -> list[CaseSummary]:
    opened, refunds = case.opened, case.refunds.values()
    summary = CaseSummary(
        case_id=case.case_id,
        order_id=case.order_id,
        status=case.status,
        opened_at=opened.at,
        reason=opened.reason,
        liable=case.ruling.liable if case.ruling else None,
        remedy=case.remedy,
        denial=case.denial,
        units=sum(opened.by_line.values()),
        first_answer_by=opened.first_answer_by,
        first_answered_at=case.first_answered_at,
        evidence_by=case.evidence_by,
        closed_at=case.closed_at,
        reship_order_id=case.reships[-1].order_id if case.reships else "",
        granted_minor=in_64_bits(sum(refund.amount_minor for refund in refunds)),
        paid_minor=in_64_bits(sum(refund.amount_minor for refund in refunds if refund.paid_at is not None)),
        currency=case.currency,
        supplier_ids=sorted(set(opened.suppliers.values())),
    )
    return [summary]


def _suppliers(case: Case) -> list[_OfSupplier]:
    names = sorted(set(case.opened.suppliers.values()))
    return [_OfSupplier(name, case.case_id, case.status, case.opened.at) for name in names]


CASES = projection("cases", 1, From(cases.NOUN, CASE_ROWS, _row), From(cases.NOUN, SUPPLIERS, _suppliers))

# --- questions ------------------------------------------------------------------------------------


_LIST = """
    SELECT found.* FROM unnest(%(statuses)s::text[]) AS wanted (status) CROSS JOIN LATERAL (
        SELECT c.* FROM {source} AS s JOIN {cases} AS c USING (case_id)
        WHERE {condition} s.status = wanted.status
            AND s.opened_at >= %(since)s AND s.opened_at < %(until)s
            AND (s.opened_at, s.case_id) > (%(after_at)s, %(after_id)s) AND {changed}
        ORDER BY s.opened_at, s.case_id LIMIT %(limit)s
    ) AS found ORDER BY found.opened_at, found.case_id LIMIT %(limit)s
"""

_CASES = Listed(
    query=_LIST,
    make=CaseSummary,
    key=lambda row: (row.opened_at, row.case_id),
    subject=ListedStreams(cases.NOUN, ("s.case_id",)),
    of=lambda row: row.case_id,
)


async def list_cases(
    where: Where,
    page: PageOf,
    statuses: Sequence[CaseStatus] = (),
    supplier_id: str = "",
    order_id: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> Answer[CaseSummary]:
    """Cases opened in [since, until), the first opened first."""
    after_at, after_id = page.after(tuple[datetime, str]) or (FIRST, "")
    parameters = {
        "statuses": [status.value for status in statuses or CaseStatus],
        "supplier_id": supplier_id,
        "order_id": order_id,
        "since": since or FIRST,
        "until": until or LAST,
        "after_at": after_at,
        "after_id": after_id,
        "limit": page.limit,
    }
    async with snapshot(where, CASES) as at:
        return await _CASES._replace(query=_query(supplier_id, order_id)).page(at, page, parameters)


_OF_ORDERS = "SELECT * FROM {cases} WHERE order_id = ANY(%(order_ids)s) ORDER BY opened_at, case_id"


async def cases_of(where: Where, order_ids: Sequence[str]) -> Answer[CaseSummary]:
    """All cases of some orders, the first opened first."""
    async with snapshot(where, CASES) as at:
        return Answer(await at.each(_OF_ORDERS, {"order_ids": list(order_ids)}, CaseSummary), at.position)


def _query(supplier_id: str, order_id: str) -> str:
    """The list from the table whose index fits: of one supplier, or of all."""
    conditions = ["s.supplier_id = %(supplier_id)s AND"] if supplier_id else []
    conditions += ["c.order_id = %(order_id)s AND"] if order_id else []
    source = "{cases_suppliers}" if supplier_id else "{cases}"
    return _LIST.replace("{source}", source).replace("{condition}", " ".join(conditions))
