"""How much was sold and sent in all, and by each supplier?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from ledger.terms.money import in_64_bits
from projections.machine.reads import FIRST, LAST, Answer, Extent, PageOf, Snapshot, Where, snapshot
from projections.supplier_performance.projection import SUPPLIER_PERFORMANCE

Placed = tuple[datetime | None, datetime | None]
"""When orders were placed: from then on, and before then."""

EVER: Placed = (None, None)


class Summary(NamedTuple):
    """Exact figures over everything recorded, of one channel or of all."""

    orders: int
    supplier_orders: int
    multi_supplier_orders: int
    """Orders whose supplier orders went to more than one supplier."""
    suppliers: int
    """Those that were given a supplier order."""
    units: int
    gmv_minor: Mapping[str, int]
    """Price times quantity of all lines, by currency."""
    supplier_orders_dispatched: int
    """All units that were to be shipped left, as the supplier reported."""
    supplier_orders_dispatched_on_time: int
    delivered_orders: int
    delivered_late: int


class SupplierTotal(NamedTuple):
    """What a supplier reported as dispatched; on time and late count those that had a deadline."""

    supplier_id: str
    supplier_orders: int
    dispatched: int
    on_time: int
    late: int


_ORDER_TOTALS = """
    SELECT currency, count(*), count(*) FILTER (WHERE suppliers > 1), coalesce(sum(units), 0)::int8,
        coalesce(sum(value_minor), 0), count(delivered_at), count(*) FILTER (WHERE delivered_at > promised_by)
    FROM {performance_orders}
    WHERE placed_at >= %(since)s AND placed_at < %(until)s AND (%(channel)s = '' OR channel = %(channel)s)
    GROUP BY currency ORDER BY currency
"""
_SUPPLIER_ORDER_TOTALS = """
    SELECT count(*), count(DISTINCT supplier_id), count(shipped_at), count(*) FILTER (WHERE shipped_at <= dispatch_by)
    FROM {performance_supplier_orders}
    WHERE placed_at >= %(since)s AND placed_at < %(until)s AND (%(channel)s = '' OR channel = %(channel)s)
"""
_SUPPLIER_TOTALS = """
    SELECT supplier_id, count(*) AS supplier_orders, count(shipped_at) AS dispatched,
        count(*) FILTER (WHERE shipped_at <= dispatch_by) AS on_time,
        count(*) FILTER (WHERE shipped_at > dispatch_by) AS late
    FROM {performance_supplier_orders}
    WHERE supplier_id > %(after)s AND placed_at >= %(since)s AND placed_at < %(until)s
        AND (%(channel)s = '' OR channel = %(channel)s)
    GROUP BY supplier_id ORDER BY supplier_id LIMIT %(limit)s
"""

_PLACED = """
    SELECT min(placed_at), max(placed_at) FROM {performance_orders} WHERE %(channel)s = '' OR channel = %(channel)s
"""


async def summary(where: Where, channel: str = "", placed: Placed = EVER) -> Answer[Summary]:
    """Everything recorded about orders that were placed in [since, until), in one row."""
    parameters = {"channel": channel, "since": placed[0] or FIRST, "until": placed[1] or LAST}
    async with snapshot(where, SUPPLIER_PERFORMANCE) as at:
        by_currency = await at.rows(_ORDER_TOTALS, parameters)
        ((supplier_orders, suppliers, dispatched, on_time),) = await at.rows(_SUPPLIER_ORDER_TOTALS, parameters)
        extent = None if by_currency else await placed_ever(at, channel)
    totals = [sum(column) for column in list(zip(*by_currency, strict=True))[1:]] or [0] * 6
    orders, multi, units, _, delivered, late = totals
    # An order without lines may have no currency, and then it has no value either.
    gmv = {row[0]: in_64_bits(int(row[4])) for row in by_currency if row[0]}
    figures = Summary(
        orders=orders,
        supplier_orders=supplier_orders,
        multi_supplier_orders=multi,
        suppliers=suppliers,
        units=units,
        gmv_minor=gmv,
        supplier_orders_dispatched=dispatched,
        supplier_orders_dispatched_on_time=on_time,
        delivered_orders=delivered,
        delivered_late=late,
    )
    return Answer([figures], at.position, extent=extent)


async def placed_ever(at: Snapshot, channel: str) -> Extent | None:
    """When the first and the last order of a shop, or of all, were placed."""
    return await at.extent(_PLACED, {"channel": channel})


async def list_supplier_totals(
    where: Where, page: PageOf, channel: str = "", placed: Placed = EVER
) -> Answer[SupplierTotal]:
    """What each supplier dispatched of orders that were placed in [since, until), by its id."""
    parameters = {
        "after": page.after(str) or "",
        "channel": channel,
        "since": placed[0] or FIRST,
        "until": placed[1] or LAST,
        "limit": page.limit,
    }
    async with snapshot(where, SUPPLIER_PERFORMANCE) as at:
        found = await at.each(_SUPPLIER_TOTALS, parameters, SupplierTotal)
        rows, token = page.cut(found, [total.supplier_id for total in found])
        extent = None if found or page.token else await placed_ever(at, channel)
        return Answer(rows, at.position, token, extent)
