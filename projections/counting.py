"""What is counted in rates, and sums of it that are kept by what changes.

A ``Count`` says which rows of a table a rate is made of: the instant that puts a row into a window, and
what the row adds to the numerator and to the denominator. Everything else follows from it: the sums by
day, the sums of the usual windows, the counting of rows between two instants, the cases behind a rate.

A row changes, and its sums change by the difference. Both kinds of sums are functions of the rows and of
the time up to which the log was recorded, so it does not matter how the log is cut into pages.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Any, NamedTuple, TypeVar, cast

from psycopg import Cursor
from psycopg.sql import SQL, Identifier

from ledger.terms.rates import WINDOW_DAYS, RateName
from projections.machine.rows import ID, Column, Int2, Int4, Text
from projections.machine.tables import Rows, Table, Values, columns, table

R = TypeVar("R", bound=Values)

# --- tables ---------------------------------------------------------------------------------------


class SupplierOrderRow(NamedTuple):
    """One supplier order, and whether and when it counts in a rate."""

    supplier_order_id: str
    supplier_id: str
    order_id: str
    channel: str
    placed_at: datetime
    """Of the order."""
    acknowledge_due: datetime | None
    """None where no acknowledgement counts."""
    acknowledged_at: datetime | None
    acknowledged_in_time: bool
    dispatch_due: datetime | None
    """None where no dispatch counts."""
    dispatched_at: datetime | None
    """By the carrier's first scan, else as the supplier said."""
    dispatched_in_time: bool
    dispatch_by: datetime | None
    shipped_at: datetime | None
    """The dispatch as the supplier said."""
    shipped_late: bool
    """As the supplier said."""
    cancelled_by: str
    """Whose doing it is that nothing is sent; empty unless cancelled."""
    cancelled: bool
    """By the supplier's fault."""
    delivered_at: datetime | None
    """When the last of its units arrived."""
    leads: bool
    """Whether it is the order's first one of its supplier, which stands for the order."""
    mistaken: bool
    """Whether an item was wrong, missing or mis-packed, by the supplier's fault."""
    defective: bool
    """Whether it leads and the order has a defect."""


class ParcelRow(NamedTuple):
    """One parcel to a customer."""

    number: str
    carrier: str
    epoch: Int4
    supplier_id: str
    order_id: str
    registered_at: datetime
    trackable: bool
    """It was scanned and its number has no warning."""
    promised_by: datetime | None
    delivered_at: datetime | None
    delivered_in_time: bool
    settles_at: datetime | None
    """Delivery or promise, whichever is first: then it is known."""


class OrderRow(NamedTuple):
    """What a customer ordered."""

    order_id: str
    channel: str
    placed_at: datetime
    currency: Text
    units: int
    value_minor: int
    suppliers: Int4
    promised_by: datetime | None
    delivered_at: datetime | None
    cancelled_by: str
    cancelled: bool
    """By a supplier's or the retailer's fault."""
    shipped_late: bool
    """Any of its supplier orders."""
    defective: bool


class ReviewRow(NamedTuple):
    """A review, for each supplier of the order, and for all together."""

    order_id: str
    review_id: str
    supplier_id: str
    """Empty for all together."""
    score: Int4
    at: datetime


class InquiryRow(NamedTuple):
    """A question that somebody has to answer."""

    inquiry_id: str
    supplier_id: str
    """Who has to answer; empty for the retailer."""
    order_id: str
    answer_due: datetime | None
    """None where no answer is owed."""
    answered_at: datetime | None
    answered_in_time: bool


class CaseRow(NamedTuple):
    """A case, for each supplier whose units it is about, and for all together."""

    case_id: str
    supplier_id: str
    """Empty for all together."""
    order_id: str
    opened_at: datetime


class DayRow(NamedTuple):
    """What is counted of a day, in UTC."""

    supplier_id: str
    """Empty for all together."""
    counted: str
    day: date
    numerator: int
    denominator: int


class UntilRow(NamedTuple):
    """The hour in which the log was last written to, in the one row of its table."""

    one: Int2
    until: datetime


SUPPLIER_ORDERS = table(
    "performance_supplier_orders",
    SupplierOrderRow,
    1,
    "(supplier_id, placed_at)",
    "(supplier_id, acknowledge_due)",
    "(supplier_id, dispatch_due)",
    "(supplier_id, shipped_at)",
    "(placed_at)",
    "(acknowledge_due)",
    "(dispatch_due)",
    "(shipped_at)",
    "(supplier_id, delivered_at)",
    "(delivered_at)",
)
PARCELS = table(
    "performance_parcels",
    ParcelRow,
    3,
    "(supplier_id, registered_at)",
    "(supplier_id, settles_at)",
    "(registered_at)",
    "(settles_at)",
)
ORDERS = table("performance_orders", OrderRow, 1, "(placed_at)", "(delivered_at)")
REVIEWS = table("performance_reviews", ReviewRow, 3, "(supplier_id, at)", "(at)")
INQUIRIES = table("performance_inquiries", InquiryRow, 1, "(supplier_id, answer_due)", "(answer_due)")
CASES = table("performance_cases", CaseRow, 2, "(supplier_id, opened_at)", "(opened_at)")
DAYS = table("performance_days", DayRow, 3)
_FIGURES = [f"{name}_{part}" for name in RateName for part in ("numerator", "denominator")]
USUAL: Table[Values] = Table(
    "performance_usual",
    1,
    # The supplier is empty for all together.
    {"supplier_id": Column(ID), **dict.fromkeys(_FIGURES, Column("int8 NOT NULL"))},
)
"""What each rate counts in its usual window up to USUAL_UNTIL."""
USUAL_UNTIL = table("performance_usual_until", UntilRow, 1)

COUNTED = (SUPPLIER_ORDERS, PARCELS, ORDERS, REVIEWS, INQUIRIES, CASES)
"""Tables of rows that are counted."""

# --- what is counted ------------------------------------------------------------------------------


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


class _Plan(NamedTuple):
    """How a row of one table adds to one count; indexes are those of the row followed by 0 and 1."""

    counted: str
    instant: int
    numerator: int
    denominator: int
    for_supplier: bool
    for_all: bool


def _plan(table: Table[Any]) -> tuple[_Plan, ...]:
    names = [*table.columns, "0", "1"]
    return tuple(
        _Plan(
            counted,
            names.index(count.instant),
            names.index(count.numerator),
            names.index(count.denominator),
            count.whose is not Whose.ALL,
            count.whose is not Whose.SUPPLIER,
        )
        for counted, counts in COUNTS.items()
        for count in counts
        if count.table is table
    )


_PLANS = {table.name: _plan(table) for table in COUNTED}
_RATES_OF = {
    counted: [
        (2 * index, timedelta(days=WINDOW_DAYS[name]))
        for index, name in enumerate(RateName)
        if counted_in(name) == counted
    ]
    for counted in COUNTS
}
"""For what is counted: where the rates of it stand among the sums of USUAL, and how far back they look."""

# --- counting rows --------------------------------------------------------------------------------


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


# --- what a page changes --------------------------------------------------------------------------


class Counted(Rows[R]):
    """Rows that are counted: what they add and take away goes into a tally."""

    def __init__(self, table: Table[R], tally: Tally) -> None:
        super().__init__(table)
        self._tally = tally
        self._plan = _PLANS[table.name]
        self._supplier = list(table.columns).index("supplier_id") if "supplier_id" in table.columns else None

    def replace(self, before: Iterable[R], after: Iterable[R]) -> None:
        key = self.table.key
        old = {row[:key]: row for row in before}
        for row in after:
            was = old.pop(row[:key], None)
            if was is None:
                self.new.append(row)
                self._count(row, 1)
            elif was != row:
                self.changed.append(row)
                self._count(was, -1, row)
                self._count(row, 1, was)
        for gone, row in old.items():
            self.gone.append(gone)
            self._count(row, -1)

    def _count(self, row: R, sign: int, other: R | None = None) -> None:
        """Adds or takes away a row, but for what it has in common with the other one."""
        filled, beside = (*row, 0, 1), None if other is None else (*other, 0, 1)
        supplier_id = "" if self._supplier is None else row[self._supplier]
        same = beside is not None and (self._supplier is None or beside[self._supplier] == supplier_id)
        for counted, instant, numerator, denominator, for_supplier, for_all in self._plan:
            at = filled[instant]
            if at is None or (
                same
                and beside is not None
                and (at, filled[numerator], filled[denominator])
                == (beside[instant], beside[numerator], beside[denominator])
            ):
                continue
            part = sign * filled[numerator], sign * filled[denominator]
            if part == (0, 0):
                continue
            if for_supplier and (supplier_id or not for_all):
                self._tally.parts.append((supplier_id, counted, at, *part))
            if for_all:
                self._tally.parts.append(("", counted, at, *part))


class Tally:
    """What a page changes of the sums."""

    def __init__(self, recorded_until: datetime) -> None:
        self.parts: list[tuple[str, str, datetime, int, int]] = []
        """Supplier, what is counted, its instant, and what it adds to numerator and denominator."""
        self._hour = recorded_until.astimezone(UTC).replace(minute=0, second=0, microsecond=0)

    def write(self, cursor: Cursor[Any], schema: str, suffix: str) -> None:
        names = {each.name: Identifier(schema, each.name + suffix) for each in _SUMMED}
        self._write_days(cursor, names)
        self._write_usual(cursor, names)

    # --- by day ---

    def _write_days(self, cursor: Cursor[Any], names: Mapping[str, Identifier]) -> None:
        days: dict[tuple[str, str, int], list[int]] = defaultdict(lambda: [0, 0])
        for supplier_id, counted, at, numerator, denominator in self.parts:
            # Facts keep the offset that their source gave; most give none.
            day = (at if at.tzinfo is UTC else at.astimezone(UTC)).toordinal()
            found = days[supplier_id, counted, day]
            found[0] += numerator
            found[1] += denominator
        changed = [(*key[:2], date.fromordinal(key[2]), sums) for key, sums in sorted(days.items()) if sums != [0, 0]]
        if changed:
            rows = [(*key, *sums) for *key, sums in changed]
            cursor.execute(_said(_ADD_DAYS, names), columns(rows), prepare=True)
        taken = [tuple(key) for *key, sums in changed if min(sums) < 0]
        if taken:
            cursor.execute(_said(_DROP_EMPTY_DAYS, names), columns(taken), prepare=True)

    # --- of the usual windows ---

    def _write_usual(self, cursor: Cursor[Any], names: Mapping[str, Identifier]) -> None:
        cursor.execute(_said(_UNTIL, names), prepare=True)
        found = cursor.fetchone()
        until: datetime | None = found[0] if found else None
        sums: dict[str, list[int]] = defaultdict(lambda: [0] * (2 * len(RateName)))
        if until is not None:
            self._changed(until, sums)
        if until is None or until < self._hour:
            self._onwards(cursor, names, until, sums)
            cursor.execute(_said(_SET_UNTIL, names), (self._hour,), prepare=True)
        changed = {supplier_id: parts for supplier_id, parts in sums.items() if any(parts)}
        if changed:
            rows = [(supplier_id, *parts) for supplier_id, parts in changed.items()]
            cursor.execute(_said(_ADD_USUAL, names), columns(rows), prepare=True)
        taken = [supplier_id for supplier_id, parts in changed.items() if min(parts) < 0]
        if taken:
            cursor.execute(_said(_DROP_EMPTY_USUAL, names), (taken,), prepare=True)

    def _changed(self, until: datetime, sums: dict[str, list[int]]) -> None:
        """What changed inside the windows as they stand."""
        starts = {counted: [(index, until - length) for index, length in rates] for counted, rates in _RATES_OF.items()}
        for supplier_id, counted, at, numerator, denominator in self.parts:
            if at < until:
                for index, since in starts[counted]:
                    if at >= since:
                        found = sums[supplier_id]
                        found[index] += numerator
                        found[index + 1] += denominator

    def _onwards(
        self, cursor: Cursor[Any], names: Mapping[str, Identifier], until: datetime | None, sums: dict[str, list[int]]
    ) -> None:
        """What enters and leaves the windows when they move on to the newest hour."""
        if until is None:
            moves = [Stretch(name, self._hour - timedelta(days=WINDOW_DAYS[name]), self._hour) for name in RateName]
        else:
            moves = [stretch for name in RateName for stretch in onwards(name, until, self._hour)]
        counting = count_rows(moves, None, whole=True)
        assert counting is not None, "there is something to count in every rate"
        cursor.execute(_said(counting.sql, names), counting.parameters)
        for supplier_id, rate, numerator, denominator in cursor.fetchall():
            found, index = sums[supplier_id], _INDEX[rate]
            found[index] += numerator
            found[index + 1] += denominator


_SUMMED = (*COUNTED, DAYS, USUAL, USUAL_UNTIL)
_INDEX = {name.value: 2 * index for index, name in enumerate(RateName)}

_ADD_DAYS = """
    INSERT INTO {performance_days} AS kept (supplier_id, counted, day, numerator, denominator)
    SELECT * FROM unnest(%b::text[], %b::text[], %b::date[], %b::int8[], %b::int8[])
    ON CONFLICT (supplier_id, counted, day) DO UPDATE
    SET numerator = kept.numerator + excluded.numerator, denominator = kept.denominator + excluded.denominator
"""
_DROP_EMPTY_DAYS = """
    DELETE FROM {performance_days}
    WHERE (supplier_id, counted, day) IN (SELECT * FROM unnest(%b::text[], %b::text[], %b::date[]))
        AND numerator = 0 AND denominator = 0
"""
_UNTIL = "SELECT until FROM {performance_usual_until}"
_SET_UNTIL = """
    INSERT INTO {performance_usual_until} (one, until) VALUES (1, %b)
    ON CONFLICT (one) DO UPDATE SET until = excluded.until
"""
_ADD_USUAL = f"""
    INSERT INTO {{performance_usual}} AS kept (supplier_id, {", ".join(_FIGURES)})
    SELECT * FROM unnest(%b::text[], {", ".join(["%b::int8[]"] * len(_FIGURES))})
    ON CONFLICT (supplier_id) DO UPDATE
    SET {", ".join(f"{each} = kept.{each} + excluded.{each}" for each in _FIGURES)}
"""  # noqa: S608
_DROP_EMPTY_USUAL = f"""
    DELETE FROM {{performance_usual}}
    WHERE supplier_id = ANY(%b::text[]) AND ({", ".join(_FIGURES)}) = ({", ".join("0" * len(_FIGURES))})
"""  # noqa: S608


def _said(template: str, names: Mapping[str, Identifier]) -> Any:
    return SQL(cast("Any", template)).format(**names)
