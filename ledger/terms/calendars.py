"""Working calendars: when somebody works, and when a clock is due that counts working time (DOMAIN 2, 6).

Days and hours are those of the calendar's time zone. A time of day that a change of the clocks leaves out counts as
the one so much later; one that comes twice is the first where work begins and ends, and the last where something is
due: what is not certainly late is not late.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import assert_never

from msgspec.structs import replace

from ledger.facts import Value
from ledger.terms.time_zones import zone

_DAY, _HOUR, _MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
_NOTHING = timedelta()
DAY_MINUTES = 24 * 60
MONDAY_TO_FRIDAY = (1, 2, 3, 4, 5)


class PeakPeriod(Value, frozen=True):
    """A time in which clocks are longer: those that start in it, not those that run into it.

    What was due is told when a clock starts, and a peak that both have agreed can be seen coming.
    """

    since: datetime
    until: datetime
    extra_hours: int
    """As the clock counts them: hours that run through, or working hours."""


class Unit(StrEnum):
    """What is counted of working time."""

    HOURS = "hours"
    DAYS = "days"


class WorkingTime(Value, frozen=True):
    """So many working hours or working days."""

    length: int
    unit: Unit


class Calendar(Value, frozen=True):
    """When somebody works."""

    time_zone: str
    """IANA, such as ``Asia/Shanghai``."""
    working_days: tuple[int, ...] = MONDAY_TO_FRIDAY
    """Days of the week by ISO 8601: Monday is 1, Sunday 7; at least one."""
    opens_minute: int = 0
    """When work begins on a working day, in minutes after midnight."""
    closes_minute: int = DAY_MINUTES
    """When it ends, after it began."""
    cut_off_minute: int | None = None
    """What comes later on a working day counts from the next one's start; None means when work ends."""
    holidays: tuple[date, ...] = ()
    """Not worked, in order."""
    extra_days: tuple[date, ...] = ()
    """Worked although their day of the week is not, as where a long holiday is made up for; in order."""

    def works_on(self, day: date) -> bool:
        if day.isoweekday() in self.working_days:
            return not _is_among(day, self.holidays)
        return _is_among(day, self.extra_days)

    def after(self, at: datetime, term: WorkingTime, extra_hours: int = 0) -> datetime:
        """When a term is over that starts at an instant; extra hours are working hours behind it.

        Working days end at the time of day at which they began.
        """
        day, since_midnight = self._begins(at)
        match term.unit:
            case Unit.DAYS:
                for _ in range(term.length):
                    day = self._next(day)
                due = max(_instant(self.time_zone, day, since_midnight, fold) for fold in (0, 1))
                hours = extra_hours
            case Unit.HOURS:
                due = max(at, _instant(self.time_zone, day, since_midnight))
                hours = term.length + extra_hours
            case _:
                assert_never(term.unit)
        return self.plus(due, hours * _HOUR)

    def plus(self, at: datetime, working: timedelta) -> datetime:
        """The first instant by which so much has been worked since then."""
        day = self._day_of(at)
        while working:
            if self.works_on(day):
                opens, closes = self._open_on(day)
                begin = max(at, opens)
                if working <= closes - begin:
                    return begin + working
                working -= max(closes - begin, _NOTHING)
            day += _DAY
        return at

    def between(self, begin: datetime, end: datetime) -> timedelta:
        """How much is worked between two instants."""
        worked, day, last = _NOTHING, self._day_of(begin), self._day_of(end)
        while day <= last:
            if self.works_on(day):
                opens, closes = self._open_on(day)
                worked += max(min(end, closes) - max(begin, opens), _NOTHING)
            day += _DAY
        return worked

    def still_to_come(self, at: datetime) -> Calendar:
        """Without the holidays and extra days that are over."""
        day = self._day_of(at)
        holidays, extra_days = (days[bisect_left(days, day) :] for days in (self.holidays, self.extra_days))
        return replace(self, holidays=holidays, extra_days=extra_days)

    def _begins(self, at: datetime) -> tuple[date, timedelta]:
        """The working day, and the time of it, from which something counts."""
        local = at.astimezone(zone(self.time_zone))
        day, opens = local.date(), self.opens_minute * _MINUTE
        since_midnight = local.replace(tzinfo=None) - datetime.combine(day, time())
        last = self.closes_minute if self.cut_off_minute is None else self.cut_off_minute
        if since_midnight <= last * _MINUTE and self.works_on(day):
            return day, max(since_midnight, opens)
        return self._next(day), opens

    def _next(self, day: date) -> date:
        """The next working day."""
        day += _DAY
        while not self.works_on(day):
            day += _DAY
        return day

    def _day_of(self, at: datetime) -> date:
        return at.astimezone(zone(self.time_zone)).date()

    def _open_on(self, day: date) -> tuple[datetime, datetime]:
        return _opening(self.time_zone, day, self.opens_minute, self.closes_minute)


@lru_cache(maxsize=4096)
def _opening(time_zone: str, day: date, opens_minute: int, closes_minute: int) -> tuple[datetime, datetime]:
    """When work begins and ends on a day; clocks of many orders ask for the same days."""
    return _instant(time_zone, day, opens_minute * _MINUTE), _instant(time_zone, day, closes_minute * _MINUTE)


def _instant(time_zone: str, day: date, since_midnight: timedelta, fold: int = 0) -> datetime:
    # Within one zone Python adds by the clock on the wall, so this is the time of day, also on a day of 23 hours.
    midnight = datetime.combine(day, time(fold=fold), tzinfo=zone(time_zone))
    return (midnight + since_midnight).replace(fold=fold).astimezone(UTC)


def _is_among(day: date, days: Sequence[date]) -> bool:
    place = bisect_left(days, day)
    return place < len(days) and days[place] == day


class WorkingTerms(Value, frozen=True):
    """A calendar, and the terms that are counted by it instead of in hours that run through."""

    calendar: Calendar
    terms: dict[str, WorkingTime] = {}
    """By the name that each has in hours, without those: ``dispatch_within``."""

    def calendar_of(self, term: str) -> Calendar | None:
        """The calendar that a term goes by; None if its hours run through."""
        return self.calendar if term in self.terms else None


def due_after(
    at: datetime,
    hours: int | None,
    peaks: Iterable[PeakPeriod] = (),
    working: WorkingTerms | None = None,
    term: str = "",
) -> datetime | None:
    """When a clock is due that starts at an instant, longer in a peak period; None if it was not agreed.

    It takes so many hours, unless its term is one in working time.
    """
    counted = working.terms.get(term) if working is not None else None
    if counted is None and hours is None:
        return None
    extra = sum(peak.extra_hours for peak in peaks if peak.since <= at < peak.until) if peaks else 0
    if working is not None and counted is not None:
        return working.calendar.after(at, counted, extra)
    return at + ((hours or 0) + extra) * _HOUR
