"""Which invoices did customers get, and which of them were cancelled?"""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from ledger.facts import in_plain
from ledger.nouns import orders
from ledger.nouns.orders import CustomerInvoice
from projections.machine.changes import Listed, ListedStreams
from projections.machine.histories import OrderHistory
from projections.machine.projection import From, projection
from projections.machine.reads import Answer, PageOf, Where, snapshot
from projections.machine.tables import table


class ListedCustomerInvoice(NamedTuple):
    """An invoice, and the credit note that cancelled it; the total is in minor units."""

    number: str
    order_id: str
    year: int
    dated: date
    left_at: datetime
    total_minor: int
    currency: str
    parcel: str
    credit_note: str
    credited_on: date | None
    because: str


CUSTOMER_INVOICE_ROWS = table(
    "customer_invoices", ListedCustomerInvoice, 1, "(order_id, number)", "(year, number)", "(credit_note)"
)


def row_of(invoice: CustomerInvoice) -> ListedCustomerInvoice:
    issued, credited = invoice.issued, invoice.credited
    return ListedCustomerInvoice(
        number=issued.number,
        order_id=issued.order_id,
        year=issued.dated.year,
        dated=issued.dated,
        left_at=issued.left_at,
        total_minor=issued.total_minor,
        currency=issued.currency,
        parcel=" ".join(issued.parcel[:2]) if issued.parcel else "",
        credit_note=credited.number if credited else "",
        credited_on=credited.dated if credited else None,
        because=in_plain(credited.because) if credited else "",
    )


def _rows(history: OrderHistory) -> list[ListedCustomerInvoice]:
    return [row_of(each) for each in history.order.invoicing.invoices.values()]


CUSTOMER_INVOICES = projection("customer_invoices", 1, From(orders.NOUN, CUSTOMER_INVOICE_ROWS, _rows))

# --- questions ------------------------------------------------------------------------------------

_LIST = """
    SELECT * FROM {customer_invoices}
    WHERE number > %(after)s AND {changed} {conditions}
    ORDER BY number LIMIT %(limit)s
"""
_CONDITIONS = {
    "order_id": "AND order_id = %(order_id)s",
    "year": "AND year = %(year)s",
    "number": "AND (number = %(number)s OR credit_note = %(number)s)",
}

_INVOICES = Listed(
    query=_LIST,
    make=ListedCustomerInvoice,
    key=lambda row: row.number,
    subject=ListedStreams(orders.NOUN, ("order_id",)),
    of=lambda row: row.order_id,
)


async def list_customer_invoices(
    where: Where, page: PageOf, order_id: str = "", year: int = 0, number: str = ""
) -> Answer[ListedCustomerInvoice]:
    """Invoices by number; what is empty or 0 is any."""
    wanted = {"order_id": order_id, "year": year, "number": number}
    conditions = " ".join(_CONDITIONS[name] for name, value in wanted.items() if value)
    parameters = {**wanted, "after": page.after(str) or "", "limit": page.limit}
    async with snapshot(where, CUSTOMER_INVOICES) as at:
        query = _LIST.replace("{conditions}", conditions)
        return await _INVOICES._replace(query=query).page(at, page, parameters)
