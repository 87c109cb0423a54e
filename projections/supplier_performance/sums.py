"""Sums of what rates count, kept by what changes: by day, and of the usual windows.

A row changes, and its sums change by the difference. Both kinds of sums are functions of the rows and of
the time up to which the log was recorded, so it does not matter how the log is cut into pages.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple, TypeVar, cast

from psycopg import Cursor
from psycopg.sql import SQL, Identifier

from ledger.terms.rates import WINDOW_DAYS, RateName
from projections.machine.tables import Rows, Table, Values, columns
from projections.supplier_performance.counts import COUNTS, Stretch, Whose, count_rows, counted_in, onwards
from projections.supplier_performance.rows import COUNTED, DAYS, FIGURES, USUAL, USUAL_UNTIL

R = TypeVar("R", bound=Values)


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

    @property
    def is_empty(self) -> bool:
        return False  # the usual windows move on with time alone

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
            cursor.execute(_named(_ADD_DAYS, names), columns(rows), prepare=True)
        taken = [tuple(key) for *key, sums in changed if min(sums) < 0]
        if taken:
            cursor.execute(_named(_DROP_EMPTY_DAYS, names), columns(taken), prepare=True)

    # --- of the usual windows ---

    def _write_usual(self, cursor: Cursor[Any], names: Mapping[str, Identifier]) -> None:
        cursor.execute(_named(_UNTIL, names), prepare=True)
        found = cursor.fetchone()
        until: datetime | None = found[0] if found else None
        sums: dict[str, list[int]] = defaultdict(lambda: [0] * (2 * len(RateName)))
        if until is not None:
            self._changed(until, sums)
        if until is None or until < self._hour:
            self._onwards(cursor, names, until, sums)
            cursor.execute(_named(_SET_UNTIL, names), (self._hour,), prepare=True)
        changed = {supplier_id: parts for supplier_id, parts in sums.items() if any(parts)}
        if changed:
            rows = [(supplier_id, *parts) for supplier_id, parts in changed.items()]
            cursor.execute(_named(_ADD_USUAL, names), columns(rows), prepare=True)
        taken = [supplier_id for supplier_id, parts in changed.items() if min(parts) < 0]
        if taken:
            cursor.execute(_named(_DROP_EMPTY_USUAL, names), (taken,), prepare=True)

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
        cursor.execute(_named(counting.sql, names), counting.parameters)
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
    INSERT INTO {{performance_usual}} AS kept (supplier_id, {", ".join(FIGURES)})
    SELECT * FROM unnest(%b::text[], {", ".join(["%b::int8[]"] * len(FIGURES))})
    ON CONFLICT (supplier_id) DO UPDATE
    SET {", ".join(f"{each} = kept.{each} + excluded.{each}" for each in FIGURES)}
"""  # noqa: S608
_DROP_EMPTY_USUAL = f"""
    DELETE FROM {{performance_usual}}
    WHERE supplier_id = ANY(%b::text[]) AND ({", ".join(FIGURES)}) = ({", ".join("0" * len(FIGURES))})
"""  # noqa: S608


def _named(template: str, names: Mapping[str, Identifier]) -> Any:
    return SQL(cast("Any", template)).format(**names)
