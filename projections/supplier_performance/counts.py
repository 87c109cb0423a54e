"""What is counted in rates, and counting it.

A ``Count`` says which rows of a table a rate is made of: the instant that puts a row into a window, and
what the row adds to the numerator and to the denominator. Everything else follows from it: the sums by
day, the sums of the usual windows, the counting of rows between two instants, the cases behind a rate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, NamedTuple

from ledger.terms.rates import WINDOW_DAYS, RateName
from projections.machine.tables import Table
from projections.supplier_performance.rows import CASES, INQUIRIES, ORDERS, PARCELS, REVIEWS, SUPPLIER_ORDERS


class Whose(Enum):
    """Whom a row counts for."""

    SUPPLIER = "its supplier"
    ALL = "all together"
    BOTH = "its supplier, and all together"


class Count(NamedTuple):
    """Rows that a rate is made of. Numerator and denominator are a column, or 0 or 1."""

    table: Table[Any]
    instant: str
    """The column that puts a row into a window; where it is null the row does not count."""
    numerator: str
    denominator: str
    whose: Whose
    case: str
    """SQL that names the object behind it."""
    happened: str = "NULL::timestamptz"


_SUPPLIER_ORDER = "supplier_order_id"
_ORDER = "order_id"
_PARCEL = "carrier || '/' || number || '/' || epoch"
COUNTS: Mapping[str, tuple[Count, ...]] = {
    "on_time_dispatch": (
        Count(SUPPLIER_ORDERS, "dispatch_due", "dispatched_in_time", "1", Whose.BOTH, _SUPPLIER_ORDER, "dispatched_at"),
    ),
    "acknowledgement": (
        Count(
            SUPPLIER_ORDERS,
            "acknowledge_due",
            "acknowledged_in_time",
            "1",
            Whose.BOTH,
            _SUPPLIER_ORDER,
            "acknowledged_at",
        ),
    ),
    "order_error": (Count(SUPPLIER_ORDERS, "shipped_at", "mistaken", "1", Whose.BOTH, _SUPPLIER_ORDER),),
    "late_shipment": (
        Count(SUPPLIER_ORDERS, "placed_at", "shipped_late", "1", Whose.SUPPLIER, _SUPPLIER_ORDER, "shipped_at"),
        Count(ORDERS, "placed_at", "shipped_late", "1", Whose.ALL, _ORDER),
    ),
    "order_defect": (
        Count(SUPPLIER_ORDERS, "placed_at", "defective", "leads", Whose.SUPPLIER, _ORDER),
        Count(ORDERS, "placed_at", "defective", "1", Whose.ALL, _ORDER),
    ),
    "cancellation": (
        Count(SUPPLIER_ORDERS, "placed_at", "cancelled", "1", Whose.SUPPLIER, _SUPPLIER_ORDER),
        Count(ORDERS, "placed_at", "cancelled", "1", Whose.ALL, _ORDER),
    ),
    "valid_tracking": (Count(PARCELS, "registered_at", "trackable", "1", Whose.BOTH, _PARCEL),),
    "on_time_delivery": (Count(PARCELS, "settles_at", "delivered_in_time", "1", Whose.BOTH, _PARCEL, "delivered_at"),),
    "response": (Count(INQUIRIES, "answer_due", "answered_in_time", "1", Whose.BOTH, "inquiry_id", "answered_at"),),
    "resolution": (Count(CASES, "resolution_due", "resolved_in_time", "1", Whose.SUPPLIER, "case_id", "resolved_at"),),
    "after_sale": (
        Count(CASES, "opened_at", "1", "0", Whose.SUPPLIER, "case_id"),
        Count(SUPPLIER_ORDERS, "delivered_at", "0", "1", Whose.SUPPLIER, _SUPPLIER_ORDER, "delivered_at"),
        Count(ORDERS, "delivered_at", "0", "1", Whose.ALL, _ORDER, "delivered_at"),
    ),
    "satisfaction": (Count(REVIEWS, "at", "score", "1", Whose.SUPPLIER, "order_id || '/' || review_id"),),
}
"""What is counted under each name; a review's or case's row for all together names no supplier."""


def counted_in(name: RateName) -> str:
    """What a rate counts: two rates may count the same over different windows."""
    return "late_shipment" if name.value.startswith("late_shipment") else name.value


class Stretch(NamedTuple):
    """Rows to be counted for a rate between two instants, the second not included; sign -1 takes them off."""

    name: RateName
    since: datetime
    until: datetime
    sign: int = 1


class Counting(NamedTuple):
    """A query whose rows are supplier, rate, numerator, denominator; ``{table}`` names a table."""

    sql: str
    parameters: dict[str, Any]


def count_rows(stretches: Iterable[Stretch], suppliers: Sequence[str] | None, *, whole: bool) -> Counting | None:
    """Counts the rows of stretches for these suppliers, or for each if None, and for all together ("").

    None if there is nothing to count. A supplier and a rate may occur in several rows.
    """
    parts, parameters = [], dict[str, Any](suppliers=suppliers)
    for number, stretch in enumerate(each for each in stretches if each.since < each.until):
        parameters |= {f"since_{number}": stretch.since, f"until_{number}": stretch.until}
        for count in COUNTS[counted_in(stretch.name)]:
            if count.whose is not Whose.ALL and (suppliers is None or suppliers):
                # Rows that name no supplier stand for all together.
                condition = "AND supplier_id <> ''" if suppliers is None else "AND supplier_id = ANY(%(suppliers)s)"
                parts.append(_counting(count, stretch, number, "supplier_id", condition))
            if whole:
                condition = "AND supplier_id = ''" if count.whose is Whose.SUPPLIER else ""
                parts.append(_counting(count, stretch, number, "''", condition))
    return Counting(" UNION ALL ".join(parts), parameters) if parts else None


def _counting(count: Count, stretch: Stretch, number: int, whom: str, condition: str) -> str:
    """Only words of this file and numbers go into the text."""
    return f"""
        SELECT {whom} AS supplier_id, '{stretch.name.value}' AS rate,
            {stretch.sign} * coalesce(sum({count.numerator}::int), 0)::int8 AS numerator,
            {stretch.sign} * coalesce(sum({count.denominator}::int), 0)::int8 AS denominator
        FROM {{{count.table.name}}}
        WHERE {count.instant} >= %(since_{number})s AND {count.instant} < %(until_{number})s {condition}
        GROUP BY 1
    """  # noqa: S608


def onwards(name: RateName, earlier: datetime, later: datetime) -> Iterator[Stretch]:
    """What changes of a rate's usual window when its end moves, forwards or back."""
    length, sign = timedelta(days=WINDOW_DAYS[name]), 1
    if later < earlier:
        earlier, later, sign = later, earlier, -1
    yield Stretch(name, earlier, later, sign)
    yield Stretch(name, earlier - length, later - length, -sign)
