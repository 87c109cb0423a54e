"""What were suppliers asked to have ready before a peak, what did they secure, and was it there?"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from ledger.nouns import stock_ups
from ledger.nouns.stock_ups import StockUp, StockUpState
from projections.machine.changes import Listed, ListedStreams
from projections.machine.projection import From, projection
from projections.machine.reads import FIRST, Answer, PageOf, Where, snapshot
from projections.machine.tables import table


class ListedStockUp(NamedTuple):
    """A stock-up and what came of it."""

    stock_up_id: str
    state: StockUpState
    supplier_id: str
    sku: str
    units: int
    until: datetime
    asked_at: datetime
    answer_by: datetime | None
    answer_missed: bool
    answered_at: datetime | None
    secured: int
    since: datetime | None
    shown: int
    shown_at: datetime | None


STOCK_UP_ROWS = table(
    "stock_ups", ListedStockUp, 1, "(until, stock_up_id)", "(supplier_id, until, stock_up_id)", "(sku, until)"
)


def row_of(stock_up: StockUp) -> ListedStockUp:
    asked, answer, shown = stock_up.asked, stock_up.answer, stock_up.shown
    return ListedStockUp(
        stock_up_id=stock_up.stock_up_id,
        state=stock_up.state,
        supplier_id=asked.supplier_id,
        sku=asked.sku,
        units=asked.units,
        until=asked.until,
        asked_at=asked.at,
        answer_by=asked.answer_by,
        answer_missed=stock_up.is_missed,
        answered_at=stock_up.answered_at,
        secured=stock_up.secured,
        since=answer.since if answer else None,
        shown=shown.units if shown else 0,
        shown_at=shown.as_of if shown else None,
    )


def _rows(stock_up: StockUp) -> list[ListedStockUp]:
    return [row_of(stock_up)]


STOCK_UPS = projection("stock_ups", 1, From(stock_ups.NOUN, STOCK_UP_ROWS, _rows))

# --- questions ------------------------------------------------------------------------------------

_LIST = """
    SELECT * FROM {stock_ups}
    WHERE (until, stock_up_id) > (%(after_until)s, %(after_id)s) AND state = ANY(%(states)s) AND {changed}
        AND (%(supplier_id)s = '' OR supplier_id = %(supplier_id)s) AND (%(sku)s = '' OR sku = %(sku)s)
    ORDER BY until, stock_up_id LIMIT %(limit)s
"""

_STOCK_UPS = Listed(
    query=_LIST,
    make=ListedStockUp,
    key=lambda row: (row.until, row.stock_up_id),
    subject=ListedStreams(stock_ups.NOUN, ("stock_up_id",)),
    of=lambda row: row.stock_up_id,
)


async def list_stock_ups(
    where: Where, page: PageOf, supplier_id: str = "", sku: str = "", states: Iterable[StockUpState] = ()
) -> Answer[ListedStockUp]:
    """Stock-ups by when they end."""
    after_until, after_id = page.after(tuple[datetime, str]) or (FIRST, "")
    parameters = {
        "supplier_id": supplier_id,
        "sku": sku,
        "states": [state.value for state in list(states) or StockUpState],
        "after_until": after_until,
        "after_id": after_id,
        "limit": page.limit,
    }
    async with snapshot(where, STOCK_UPS) as at:
        return await _STOCK_UPS.page(at, page, parameters)
