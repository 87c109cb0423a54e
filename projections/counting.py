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
from typing import Any, NamedTuple, cast

from psycopg import Cursor
from psycopg.sql import SQL, Identifier

from ledger.terms.rates import WINDOW_DAYS, RateName
from projections.machine.tables import (
    ID,
    Rows,
    Table,
    Values,
)

# --- tables ---------------------------------------------------------------------------------------

_FLAG = "bool NOT NULL"

SUPPLIER_ORDERS = Table(
    "performance_supplier_orders",
    1,
    {
        "supplier_order_id": ID,
        "supplier_id": ID,
        "order_id": ID,
        "channel": ID,
        "placed_at": "timestamptz NOT NULL",  # of the order
        "acknowledge_due": "timestamptz",  # null where no acknowledgement counts
        "acknowledged_at": "timestamptz",
        "acknowledged_in_time": _FLAG,
        "dispatch_due": "timestamptz",  # null where no dispatch counts
        "dispatched_at": "timestamptz",  # by the carrier's first scan, else as the supplier said
        "dispatched_in_time": _FLAG,
        "dispatch_by": "timestamptz",
        "shipped_at": "timestamptz",  # the dispatch as the supplier said
        "shipped_late": _FLAG,  # as the supplier said
        "cancelled_by": ID,  # whose doing it is that nothing is sent; empty unless cancelled
        "cancelled": _FLAG,  # by the supplier's fault
        "delivered_at": "timestamptz",  # when the last of its units arrived
        "leads": _FLAG,  # whether it is the order's first one of its supplier, which stands for the order
        "mistaken": _FLAG,  # whether an item was wrong, missing or mis-packed, by the supplier's fault
        "defective": _FLAG,  # whether it leads and the order has a defect
    },
    (
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
    ),
)
PARCELS = Table(
    "performance_parcels",
    3,
    {
        "number": ID,
        "carrier": ID,
        "epoch": "int4 NOT NULL",
        "supplier_id": ID,
        "order_id": ID,
        "registered_at": "timestamptz NOT NULL",
        "trackable": _FLAG,  # it was scanned and its number has no warning
        "promised_by": "timestamptz",
        "delivered_at": "timestamptz",
        "delivered_in_time": _FLAG,
        "settles_at": "timestamptz",  # delivery or promise, whichever is first: then it is known
    },
    ("(supplier_id, registered_at)", "(supplier_id, settles_at)", "(registered_at)", "(settles_at)"),
)
ORDERS = Table(
    "performance_orders",
    1,
    {
        "order_id": ID,
        "channel": ID,
        "placed_at": "timestamptz NOT NULL",
        "currency": "text NOT NULL",
        "units": "int8 NOT NULL",
        "value_minor": "int8 NOT NULL",
        "suppliers": "int4 NOT NULL",
        "promised_by": "timestamptz",
        "delivered_at": "timestamptz",
        "cancelled_by": ID,
        "cancelled": _FLAG,  # by a supplier's or the retailer's fault
        "shipped_late": _FLAG,  # any of its supplier orders
        "defective": _FLAG,
    },
    ("(placed_at)", "(delivered_at)"),
)
REVIEWS = Table(
    "performance_reviews",
    3,
    {
        "order_id": ID,
        "review_id": ID,
        "supplier_id": ID,  # one row for each supplier of the order, and an empty one for all together
        "score": "int4 NOT NULL",
        "at": "timestamptz NOT NULL",
    },
    ("(supplier_id, at)", "(at)"),
)
INQUIRIES = Table(
    "performance_inquiries",
    1,
    {
        "inquiry_id": ID,
        "supplier_id": ID,  # who has to answer; empty for the retailer
        "order_id": ID,
        "answer_due": "timestamptz",  # null where no answer is owed
        "answered_at": "timestamptz",
        "answered_in_time": _FLAG,
    },
    ("(supplier_id, answer_due)", "(answer_due)"),
)
CASES = Table(
    "performance_cases",
    2,
    {
        "case_id": ID,
        "supplier_id": ID,  # one row for each supplier whose units it is about, and an empty one for all together
        "order_id": ID,
        "opened_at": "timestamptz NOT NULL",
    },
    ("(supplier_id, opened_at)", "(opened_at)"),
)
DAYS = Table(
    "performance_days",
    3,
    {
        "supplier_id": ID,  # empty for all together
        "counted": ID,
        "day": "date NOT NULL",  # in UTC
        "numerator": "int8 NOT NULL",
        "denominator": "int8 NOT NULL",
    },
)
USUAL = Table(
    "performance_usual",
    1,
    {
        "supplier_id": ID,  # empty for all together
        **{f"{name}_{part}": "int8 NOT NULL" for name in RateName for part in ("numerator", "denominator")},
    },
)
"""What each rate counts in its usual window up to USUAL_UNTIL."""
USUAL_UNTIL = Table("performance_usual_until", 1, {"one": "int2 NOT NULL", "until": "timestamptz NOT NULL"})
"""The hour in which the log was last written to, in one row."""

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

    table: Table
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


def _plan(table: Table) -> tuple[_Plan, ...]:
    columns = [*table.columns, "0", "1"]
    return tuple(
        _Plan(
            counted,
            columns.index(count.instant),
            columns.index(count.numerator),
            columns.index(count.denominator),
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


class Counted(Rows):
    """Rows that are counted: what they add and take away goes into a tally."""

    def __init__(self, table: Table, tally: Tally) -> None:
        super().__init__(table)
        self._tally = tally
        self._plan = _PLANS[table.name]
        self._supplier = list(table.columns).index("supplier_id") if "supplier_id" in table.columns else None

    def replace(self, before: Iterable[Values], after: Iterable[Values]) -> None:
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

    def _count(self, row: Values, sign: int, other: Values | None = None) -> None:
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
            cursor.execute(_said(_ADD_DAYS, names), _columns(rows), prepare=True)
        taken = [tuple(key) for *key, sums in changed if min(sums) < 0]
        if taken:
            cursor.execute(_said(_DROP_EMPTY_DAYS, names), _columns(taken), prepare=True)

    # --- of the usual windows ---

    def _write_usual(self, cursor: Cursor[Any], names: Mapping[str, Identifier]) -> None:
        cursor.execute(_said(_UNTIL, names), prepare=True)
        found = cursor.fetchone()
        until: datetime | None = found["until"] if found else None
        sums: dict[str, list[int]] = defaultdict(lambda: [0] * (2 * len(RateName)))
        if until is not None:
            self._changed(until, sums)
        if until is None or until < self._hour:
            self._onwards(cursor, names, until, sums)
            cursor.execute(_said(_SET_UNTIL, names), (self._hour,), prepare=True)
        changed = {supplier_id: parts for supplier_id, parts in sums.items() if any(parts)}
        if changed:
            rows = [(supplier_id, *parts) for supplier_id, parts in changed.items()]
            cursor.execute(_said(_ADD_USUAL, names), _columns(rows), prepare=True)
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
        for row in cursor.fetchall():
            found, index = sums[row["supplier_id"]], _INDEX[row["rate"]]
            found[index] += row["numerator"]
            found[index + 1] += row["denominator"]


_SUMMED = (*COUNTED, DAYS, USUAL, USUAL_UNTIL)
_INDEX = {name.value: 2 * index for index, name in enumerate(RateName)}
_FIGURES = list(USUAL.columns)[1:]

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


def _columns(rows: Sequence[Values]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _said(template: str, names: Mapping[str, Identifier]) -> Any:
    return SQL(cast("Any", template)).format(**names)
