"""What rates count over a window: whole days from sums by day, the rest from rows.

Windows as usual, up to about now, are taken from sums of just these windows, and only what passed since the last full
hour is counted. Both ways give the same figures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from ledger.terms.rates import WINDOW_DAYS, RateName
from projections.machine.reads import Extent, Snapshot
from projections.supplier_performance.counts import Stretch, count_rows, counted_in, onwards

MOMENT = timedelta(microseconds=1)
_NEAR = timedelta(days=2)
"""How far from now the sums of the usual windows may end; beyond it, sums by day are the shorter way."""
_FEW = 50
"""So many suppliers are looked up one by one."""
Sums = dict[tuple[str, RateName], list[int]]
"""Numerator and denominator of each supplier and rate; "" is all together."""


class Window(NamedTuple):
    """What time a rate is about; without bounds it is the rate's own window up to ``now``."""

    now: datetime
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_usual(self) -> bool:
        return self.since is None and self.until is None

    def of(self, name: RateName) -> tuple[datetime, datetime]:
        until = self.until or self.now
        return self.since or until - timedelta(days=WINDOW_DAYS[name]), until

    @property
    def ends(self) -> datetime:
        """The instant whose targets count."""
        return min(self.until or self.now, self.now)

    def counted(self, name: RateName) -> tuple[datetime, datetime]:
        """The part of it whose cases are due."""
        since, until = self.of(name)
        return since, min(until, self.now + MOMENT)


_USUAL_UNTIL = "SELECT until FROM {performance_usual_until}"
_USUAL = "SELECT * FROM {performance_usual} WHERE supplier_id = ANY(%(supplier_ids)s)"
_DAYS = """
    SELECT d.supplier_id, wanted.rate, sum(d.numerator)::int8, sum(d.denominator)::int8
    FROM unnest(%(rates)s::text[], %(counted)s::text[], %(first)s::date[], %(after)s::date[])
            AS wanted (rate, counted, first, after)
        JOIN {performance_days} AS d
            ON d.counted = wanted.counted AND d.day >= wanted.first AND d.day < wanted.after
    WHERE d.supplier_id = ANY(%(supplier_ids)s) GROUP BY 1, 2
"""


async def sums_of(at: Snapshot, supplier_ids: Sequence[str], window: Window) -> Sums:
    """What the rates of these suppliers count in their windows."""
    sums: Sums = defaultdict(lambda: [0, 0])
    until = await usual_until(at, window)
    if until is not None:
        for supplier_id, *figures in await at.rows(_USUAL, {"supplier_ids": supplier_ids}):
            for index, name in enumerate(RateName):
                sums[supplier_id, name] = figures[2 * index : 2 * index + 2]
        stretches = [each for name in RateName for each in onwards(name, until, window.now)]
    else:
        spans = {name: window.counted(name) for name in RateName}
        await _add_days(at, supplier_ids, spans, sums)
        stretches = [Stretch(name, *edge) for name, span in spans.items() for edge in edges(*span)]
    await add_rows(at, supplier_ids, stretches, sums)
    return sums


_EXTENT = """
    SELECT min(day)::timestamp AT TIME ZONE 'UTC', max(day)::timestamp AT TIME ZONE 'UTC' FROM {performance_days}
    WHERE supplier_id = %(supplier_id)s AND counted = ANY(%(counted)s) AND day <= %(today)s
        AND (numerator <> 0 OR denominator <> 0)
"""


async def extent_of(at: Snapshot, supplier_id: str, names: Iterable[RateName], now: datetime) -> Extent | None:
    """The first and the last day, in UTC, of which rates of a supplier counted something; "" is all together."""
    counted = sorted({counted_in(name) for name in names})
    today = now.astimezone(UTC).date()
    return await at.extent(_EXTENT, {"supplier_id": supplier_id, "counted": counted, "today": today})


async def usual_until(at: Snapshot, window: Window) -> datetime | None:
    """Where the sums of the usual windows end, if the window is one that they serve."""
    ends = await at.rows(_USUAL_UNTIL, {}) if window.is_usual else []
    return ends[0][0] if ends and abs(window.now - ends[0][0]) <= _NEAR else None


async def _add_days(
    at: Snapshot, supplier_ids: Sequence[str], spans: Mapping[RateName, tuple[datetime, datetime]], sums: Sums
) -> None:
    """Adds the whole days of each rate's span."""
    days = {name: whole_days(*span) for name, span in spans.items()}
    parameters = {
        "supplier_ids": supplier_ids,
        "rates": [name.value for name in days],
        "counted": [counted_in(name) for name in days],
        "first": [first for first, _ in days.values()],
        "after": [after for _, after in days.values()],
    }
    for supplier_id, name, numerator, denominator in await at.rows(_DAYS, parameters):
        sums[supplier_id, RateName(name)] = [numerator, denominator]


async def add_rows(at: Snapshot, supplier_ids: Sequence[str], stretches: Iterable[Stretch], sums: Sums) -> None:
    named = [each for each in supplier_ids if each]
    # Many suppliers are found faster in all rows of a stretch than one by one.
    counting = count_rows(stretches, named if len(named) <= _FEW else None, whole="" in supplier_ids)
    for supplier_id, name, numerator, denominator in await at.rows(*counting) if counting else ():
        found = sums[supplier_id, RateName(name)]
        found[0] += numerator
        found[1] += denominator


def whole_days(since: datetime, until: datetime) -> tuple[date, date]:
    """The first of the days that lie whole between two instants, and the day after the last of them."""
    since, until = since.astimezone(UTC), until.astimezone(UTC)
    first = since.date() + timedelta(days=since.time() != time.min)
    return first, max(first, until.date())


def edges(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The parts of a span outside its whole days."""
    first, after = (midnight(day) for day in whole_days(since, until))
    yield since, min(first, until)
    yield max(after, first, since), until


def midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
