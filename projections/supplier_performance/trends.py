"""How does a rate move from week to week, from month to month?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from ledger.terms.rates import Rate, RateName
from projections.machine.reads import Answer, Where, snapshot
from projections.supplier_performance.counts import Stretch, counted_in
from projections.supplier_performance.projection import SUPPLIER_PERFORMANCE
from projections.supplier_performance.targets import terms_of
from projections.supplier_performance.windows import MOMENT, add_rows, edges, extent_of, midnight, whole_days

MOST_STEPS = 500


class TrendStep(StrEnum):
    """How long the parts of a trend are."""

    WEEK = "week"
    """From Monday to Monday, in UTC."""
    MONTH = "month"


_BY_DAY = """
    SELECT day, numerator, denominator FROM {performance_days}
    WHERE supplier_id = %(supplier_id)s AND counted = %(counted)s AND day >= %(first)s AND day < %(after)s
"""


def steps(since: datetime, until: datetime, step: TrendStep) -> list[tuple[datetime, datetime]]:
    """The weeks or months of a period; the first and the last are as short as the period makes them."""
    bounds = [since]
    while bounds[-1] < until:
        bounds.append(min(midnight(_next(bounds[-1].astimezone(UTC).date(), step)), until))
    return list(pairwise(bounds))


def _next(day: date, step: TrendStep) -> date:
    if step is TrendStep.WEEK:
        return day + timedelta(days=7 - day.weekday())
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


async def get_trend(
    where: Where, supplier_id: str, name: RateName, since: datetime, until: datetime, step: TrendStep, now: datetime
) -> Answer[Rate]:
    """A rate of each week or month of a period, each with the target in force at its end."""
    parts = steps(since, until, step)
    counted_until = min(until, now + MOMENT)
    first, after = whole_days(since, counted_until)
    parameters = {"supplier_id": supplier_id, "counted": counted_in(name), "first": first, "after": after}
    async with snapshot(where, SUPPLIER_PERFORMANCE) as at:
        sums = [[0, 0] for _ in parts]
        index = 0
        for day, numerator, denominator in sorted(await at.rows(_BY_DAY, parameters)):
            while midnight(day) >= parts[index][1]:
                index += 1
            sums[index][0] += numerator
            sums[index][1] += denominator
        outside = list(edges(since, counted_until))
        for (begin, end), figures in zip(parts, sums, strict=True):
            stretches = [Stretch(name, max(first, begin), min(last, end)) for first, last in outside]
            await add_rows(at, [supplier_id], stretches, {(supplier_id, name): figures})
        terms = await terms_of(at, [supplier_id])
        rates = [
            Rate(name, numerator, denominator, begin, end, terms.at(min(end, now)).of(supplier_id, name))
            for (begin, end), (numerator, denominator) in zip(parts, sums, strict=True)
        ]
        lacking = not any(denominator for _, denominator in sums)
        return Answer(rates, at.position, extent=await extent_of(at, supplier_id, [name], now) if lacking else None)
