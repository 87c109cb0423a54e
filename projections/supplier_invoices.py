"""Which invoices came from suppliers, how far is each, and what is to be paid by when?"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, NamedTuple

from ledger.nouns import supplier_invoices
from ledger.nouns.supplier_invoices import Differs, InvoiceStatus, SupplierInvoice
from projections.machine.changes import Listed, ListedStreams
from projections.machine.histories import InvoiceHistory
from projections.machine.projection import From, projection
from projections.machine.reads import Answer, PageOf, Where, snapshot
from projections.machine.rows import Column
from projections.machine.tables import table

_NEVER = date(9999, 12, 31)
"""When an invoice is to be paid that does not say so."""
_DAY_OR_NEVER = Column("date NOT NULL", lambda day: day or _NEVER, lambda kept: None if kept == _NEVER else kept)


class ListedInvoice(NamedTuple):
    """An invoice; amounts are in minor units of its currency."""

    supplier_id: str
    number: str
    status: InvoiceStatus
    currency: str
    dated: date
    pay_by: Annotated[date | None, _DAY_OR_NEVER]
    received_at: datetime
    total_minor: int
    credited_minor: int
    paid_minor: int
    open_minor: int
    over_minor: int
    differs: tuple[Differs, ...]
    """Each kind once, while it asks too much."""


INVOICES = table(
    "supplier_invoices",
    ListedInvoice,
    2,
    "(status, pay_by, supplier_id, number)",
    "(supplier_id, status, pay_by, number)",
)


def row_of(invoice: SupplierInvoice) -> ListedInvoice:
    return ListedInvoice(
        supplier_id=invoice.supplier_id,
        number=invoice.number,
        status=invoice.status,
        currency=invoice.currency,
        dated=invoice.recorded.dated,
        pay_by=invoice.recorded.pay_by,
        received_at=invoice.recorded.at,
        total_minor=invoice.total_minor,
        credited_minor=invoice.credited_minor,
        paid_minor=invoice.paid_minor,
        open_minor=invoice.open_minor,
        over_minor=invoice.over_minor,
        differs=tuple(dict.fromkeys(each.kind for each in invoice.differences if invoice.over_minor)),
    )


def _rows(history: InvoiceHistory) -> list[ListedInvoice]:
    return [row_of(history.invoice)]


SUPPLIER_INVOICES = projection("supplier_invoices", 2, From(supplier_invoices.NOUN, INVOICES, _rows))

# --- questions ------------------------------------------------------------------------------------

_LIST = """
    SELECT found.* FROM unnest(%(statuses)s::text[]) AS wanted (status) CROSS JOIN LATERAL (
        SELECT * FROM {supplier_invoices} AS i
        WHERE i.status = wanted.status AND {condition} i.pay_by <= %(until)s
            AND (i.pay_by, i.supplier_id, i.number) > (%(after_day)s, %(after_supplier)s, %(after_number)s)
            AND {changed}
        ORDER BY i.pay_by, i.supplier_id, i.number LIMIT %(limit)s
    ) AS found ORDER BY found.pay_by, found.supplier_id, found.number LIMIT %(limit)s
"""

_LISTED = Listed(
    query=_LIST,
    make=ListedInvoice,
    key=lambda row: (row.pay_by or _NEVER, row.supplier_id, row.number),
    subject=ListedStreams(supplier_invoices.NOUN, ("i.supplier_id", "i.number")),
    of=lambda row: f"{row.supplier_id}/{row.number}",
)


async def list_invoices(
    where: Where,
    page: PageOf,
    supplier_id: str = "",
    statuses: Iterable[InvoiceStatus] = (),
    until: date | None = None,
) -> Answer[ListedInvoice]:
    """Invoices by the day they are to be paid, those without one last; until leaves out what is due after that day."""
    after_day, after_supplier, after_number = page.after(tuple[date, str, str]) or (date.min, "", "")
    parameters = {
        "supplier_id": supplier_id,
        "statuses": [status.value for status in list(statuses) or InvoiceStatus],
        "until": until or _NEVER,
        "after_day": after_day,
        "after_supplier": after_supplier,
        "after_number": after_number,
        "limit": page.limit,
    }
    query = _LIST.replace("{condition}", "i.supplier_id = %(supplier_id)s AND " if supplier_id else "")
    async with snapshot(where, SUPPLIER_INVOICES) as at:
        return await _LISTED._replace(query=query).page(at, page, parameters)
