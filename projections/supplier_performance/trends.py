"""How does a rate move from week to week, from month to month?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from itertools import pairwise

from ledger.terms.rates import Rate, RateName
from projections.machine.reads import Answer, Where, snapshot
from projections.supplier_performance.counts import Stretch, counted_in
from projections.supplier_performance.projection import SUPPLIER_PERFORMANCE
from projections.supplier_performance.targets import terms_of
from projections.supplier_performance.windows import MOMENT, add_rows, edges, extent_of, whole_days

MOST_STEPS = 500


class TrendStep(StrEnum):
    """How long the parts of a trend are."""

    WEEK = "week"
    """From Monday to Monday."""
    MONTH = "month"


_BY_DAY = """
    SELECT day, numerator, denominator FROM {performance_days}
    WHERE supplier_id = %(supplier_id)s AND counted = %(counted)s AND day >= %(first)s AND day < %(after)s
"""


def steps(since: datetime, until: datetime, step: TrendStep, zone: tzinfo = UTC) -> list[tuple[datetime, datetime]]:
    """The weeks or months of a period in a time zone; the first and the last are as short as the period makes them."""
    bounds = [since]
    while bounds[-1] < until:
        begins = datetime.combine(_next(bounds[-1].astimezone(zone).date(), step), time.min, zone)
        bounds.append(min(begins.astimezone(UTC), until))
    return list(pairwise(bounds))


def _next(day: date, step: TrendStep) -> date:
    if step is TrendStep.WEEK:
        return day + timedelta(days=7 - day.weekday())
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def _of_days(by_day: Mapping[date, list[int]], first: date, after: date) -> Iterator[list[int]]:
    """The figures of the days of a part that have any."""
    for number in range((after - first).days):
        if (found := by_day.get(first + timedelta(days=number))) is not None:
            yield found


async def get_trend(
    where: Where,
    supplier_id: str,
    name: RateName,
    since: datetime,
    until: datetime,
    step: TrendStep,
    now: datetime,
    zone: tzinfo = UTC,
) -> Answer[Rate]:
    """A rate of each week or month of a period, each with the target in force at its end."""
    parts = steps(since, until, step, zone)
    counted_until = min(until, now + MOMENT)
    first, after = whole_days(since, counted_until)
    parameters = {"supplier_id": supplier_id, "counted": counted_in(name), "first": first, "after": after}
    async with snapshot(where, SUPPLIER_PERFORMANCE) as at:
        by_day = {day: figures for day, *figures in await at.rows(_BY_DAY, parameters)}
        sums = []
        for begin, end in parts:
            span = begin, max(begin, min(end, counted_until))
            sums.append([sum(each) for each in zip([0, 0], *_of_days(by_day, *whole_days(*span)), strict=True)])
            # Days are summed in UTC: what lies before the first and after the last of a part is counted.
            stretches = [Stretch(name, *edge) for edge in edges(*span)]
            await add_rows(at, [supplier_id], stretches, {(supplier_id, name): sums[-1]})
        terms = await terms_of(at, [supplier_id])
        rates = [
            Rate(name, numerator, denominator, begin, end, terms.at(min(end, now)).of(supplier_id, name))
            for (begin, end), (numerator, denominator) in zip(parts, sums, strict=True)
        ]
        lacking = not any(denominator for _, denominator in sums)
        return Answer(rates, at.position, extent=await extent_of(at, supplier_id, [name], now) if lacking else None)
