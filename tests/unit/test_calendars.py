"""Working calendars: a table computed by hand, checked by an independent library and by counting minutes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.terms.calendars import Calendar, PeakPeriod, Unit, WorkingTerms, WorkingTime, due_after

EVERY_DAY = (1, 2, 3, 4, 5, 6, 7)
SUNDAY_TO_THURSDAY = (1, 2, 3, 4, 7)


def days(*texts: str) -> tuple[date, ...]:
    return tuple(map(date.fromisoformat, texts))


CALENDARS = {
    "berlin": Calendar("Europe/Berlin"),
    "office": Calendar(
        "Europe/Berlin",
        opens_minute=9 * 60,
        closes_minute=18 * 60,
        cut_off_minute=16 * 60,
        holidays=days("2026-04-03", "2026-04-06", "2026-12-25", "2027-01-01"),
    ),
    "new york": Calendar("America/New_York", opens_minute=9 * 60, closes_minute=17 * 60),
    "new york, always": Calendar("America/New_York", EVERY_DAY),
    "sydney": Calendar("Australia/Sydney", opens_minute=8 * 60 + 30, closes_minute=17 * 60 + 30),
    # The Chinese New Year of 2026, with the Saturdays that make up for it.
    "shanghai": Calendar(
        "Asia/Shanghai",
        opens_minute=9 * 60,
        closes_minute=18 * 60,
        cut_off_minute=17 * 60,
        holidays=days("2026-02-16", "2026-02-17", "2026-02-18", "2026-02-19", "2026-02-20", "2026-02-23"),
        extra_days=days("2026-02-14", "2026-02-28"),
    ),
    "riyadh": Calendar("Asia/Riyadh", SUNDAY_TO_THURSDAY, opens_minute=8 * 60, closes_minute=16 * 60),
    "cairo": Calendar("Africa/Cairo", SUNDAY_TO_THURSDAY),
    "lord howe": Calendar("Australia/Lord_Howe", EVERY_DAY),
    "havana": Calendar("America/Havana", EVERY_DAY),
    "kathmandu": Calendar("Asia/Kathmandu", (1, 2, 3, 4, 5, 7), opens_minute=10 * 60, closes_minute=17 * 60),
}


class Row(NamedTuple):
    calendar: str
    starts: str
    term: str
    due: str
    why: str = ""

    def __str__(self) -> str:
        return f"{self.calendar}: {self.term} from {self.starts}"


TABLE = [
    Row("berlin", "2026-03-06T15:00+01:00", "2 days", "2026-03-10T15:00+01:00", "Friday to Tuesday"),
    Row("berlin", "2026-03-07T11:00+01:00", "1 days", "2026-03-10T00:00+01:00", "a Saturday counts from Monday"),
    Row("berlin", "2026-03-08T23:59+01:00", "1 days", "2026-03-10T00:00+01:00"),
    Row("berlin", "2026-03-27T15:00+01:00", "2 days", "2026-03-31T15:00+02:00", "summer time begins on Sunday"),
    Row("berlin", "2026-03-27T22:00+01:00", "3 hours", "2026-03-30T01:00+02:00"),
    Row("berlin", "2026-10-23T15:00+02:00", "1 days", "2026-10-26T15:00+01:00", "summer time ends on Sunday"),
    Row("berlin", "2026-10-23T20:00+02:00", "16 hours", "2026-10-26T12:00+01:00"),
    Row("berlin", "2028-02-28T15:00+01:00", "1 days", "2028-02-29T15:00+01:00", "a leap year"),
    Row("berlin", "2026-01-01T12:00+01:00", "250 days", "2026-12-17T12:00+01:00", "fifty weeks"),
    Row("office", "2026-03-05T15:59+01:00", "2 days", "2026-03-09T15:59+01:00"),
    Row("office", "2026-03-05T16:00+01:00", "2 days", "2026-03-09T16:00+01:00", "at the cut-off is in time"),
    Row("office", "2026-03-05T16:01+01:00", "2 days", "2026-03-10T09:00+01:00", "after it counts from Friday's start"),
    Row("office", "2026-03-06T17:00+01:00", "2 days", "2026-03-11T09:00+01:00"),
    Row("office", "2026-03-09T03:00+01:00", "1 days", "2026-03-10T09:00+01:00", "nothing counts before work begins"),
    Row("office", "2026-03-09T09:00+01:00", "8 hours", "2026-03-09T17:00+01:00"),
    Row("office", "2026-03-09T09:00+01:00", "9 hours", "2026-03-09T18:00+01:00", "due as the day ends"),
    Row("office", "2026-03-09T09:00+01:00", "10 hours", "2026-03-10T10:00+01:00"),
    Row("office", "2026-03-06T15:00+01:00", "8 hours", "2026-03-09T14:00+01:00", "over a weekend"),
    Row("office", "2026-03-06T16:30+01:00", "8 hours", "2026-03-09T17:00+01:00", "after the cut-off"),
    Row("office", "2026-04-02T10:00+02:00", "1 days", "2026-04-07T10:00+02:00", "Easter"),
    Row("office", "2026-12-24T15:00+01:00", "1 days", "2026-12-28T15:00+01:00", "Christmas"),
    Row("office", "2026-12-30T15:00+01:00", "3 days", "2027-01-05T15:00+01:00", "over the end of the year"),
    Row("office", "2026-12-31T15:00+01:00", "4 hours", "2027-01-04T10:00+01:00"),
    Row("office", "2026-12-31T16:30+01:00", "1 days", "2027-01-05T09:00+01:00"),
    Row("new york", "2026-03-06T12:00-05:00", "1 days", "2026-03-09T12:00-04:00", "summer time begins on Sunday"),
    Row("new york", "2026-03-06T16:00-05:00", "10 hours", "2026-03-10T10:00-04:00"),
    Row("new york", "2026-10-30T12:00-04:00", "1 days", "2026-11-02T12:00-05:00", "summer time ends on Sunday"),
    Row(
        "new york",
        "2026-12-31T18:00-05:00",
        "1 days",
        "2027-01-04T09:00-05:00",
        "without a cut-off the day's end is it",
    ),
    Row("new york, always", "2026-03-07T12:00-05:00", "24 hours", "2026-03-08T13:00-04:00", "a day of 23 hours"),
    Row("new york, always", "2026-10-31T12:00-04:00", "24 hours", "2026-11-01T11:00-05:00", "a day of 25 hours"),
    Row("new york, always", "2026-03-07T02:30-05:00", "1 days", "2026-03-08T03:30-04:00", "02:30 is left out"),
    Row("new york, always", "2026-10-31T01:30-04:00", "1 days", "2026-11-01T01:30-05:00", "01:30 comes twice"),
    Row("sydney", "2026-04-03T10:00+11:00", "1 days", "2026-04-06T10:00+10:00", "summer time ends on Sunday"),
    Row("sydney", "2026-10-02T14:30+10:00", "12 hours", "2026-10-05T17:30+11:00", "summer time begins on Sunday"),
    Row("sydney", "2026-10-02T17:31+10:00", "1 days", "2026-10-06T08:30+11:00"),
    Row(
        "shanghai", "2026-02-13T15:00+08:00", "2 days", "2026-02-24T15:00+08:00", "a Saturday worked, then ten days off"
    ),
    Row("shanghai", "2026-02-14T17:30+08:00", "1 days", "2026-02-25T09:00+08:00", "the cut-off of an extra day"),
    Row("shanghai", "2026-02-13T16:00+08:00", "16 hours", "2026-02-24T14:00+08:00"),
    Row("shanghai", "2026-02-27T11:00+08:00", "1 days", "2026-02-28T11:00+08:00", "to an extra day"),
    Row("shanghai", "2026-02-18T12:00+08:00", "1 days", "2026-02-25T09:00+08:00", "within the holidays"),
    Row("shanghai", "2026-03-01T12:00+08:00", "1 days", "2026-03-03T09:00+08:00", "an ordinary Sunday"),
    Row("shanghai", "2026-03-06T08:59+00:00", "1 days", "2026-03-09T16:59+08:00", "a minute before the cut-off there"),
    Row("shanghai", "2026-03-06T09:01+00:00", "1 days", "2026-03-10T09:00+08:00", "and a minute after it"),
    Row("riyadh", "2026-05-07T10:00+03:00", "2 days", "2026-05-11T10:00+03:00", "Friday and Saturday are off"),
    Row("riyadh", "2026-05-08T12:00+03:00", "1 days", "2026-05-11T08:00+03:00", "a Friday counts from Sunday"),
    Row("riyadh", "2026-05-07T12:00+03:00", "10 hours", "2026-05-10T14:00+03:00"),
    Row("cairo", "2026-04-23T00:30+02:00", "1 days", "2026-04-26T00:30+03:00", "summer time begins on a Friday"),
    Row("cairo", "2026-10-29T12:00+03:00", "30 hours", "2026-11-01T17:00+02:00", "a working day of 25 hours"),
    Row("cairo", "2026-10-28T23:30+03:00", "1 days", "2026-10-29T23:30+02:00", "23:30 comes twice"),
    Row("lord howe", "2026-04-04T12:00+11:00", "24 hours", "2026-04-05T11:30+10:30", "half an hour of summer time"),
    Row("havana", "2026-03-07T00:00-05:00", "1 days", "2026-03-08T01:00-04:00", "midnight is left out"),
    Row("havana", "2026-10-31T00:00-04:00", "1 days", "2026-11-01T00:00-05:00", "midnight comes twice"),
    Row("kathmandu", "2026-01-02T11:00+05:45", "1 days", "2026-01-04T11:00+05:45", "Saturday alone is off"),
]


def term_of(text: str) -> WorkingTime:
    length, unit = text.split()
    return WorkingTime(int(length), Unit(unit))


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_the_table_has_at_least_forty_rows_that_differ():
    assert len({row[:3] for row in TABLE}) >= 40


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_a_term_is_due_as_the_table_says(row: Row):
    due = CALENDARS[row.calendar].after(instant(row.starts), term_of(row.term))
    assert due == instant(row.due), row.why
    assert due.tzinfo is UTC


# --- the same by other means ----------------------------------------------------------------------


def works(calendar: Calendar, day: date) -> bool:
    return bool(np.is_busday(day, **mask(calendar))) or day in calendar.extra_days


def mask(calendar: Calendar) -> dict[str, Any]:
    week = "".join("1" if number in calendar.working_days else "0" for number in range(1, 8))
    return {"weekmask": week, "holidays": list(calendar.holidays)}


def minute_of(at: datetime) -> int:
    return at.hour * 60 + at.minute


def by_minutes(calendar: Calendar, starts: datetime, hours: int) -> datetime:
    """Walks on minute by minute, reads the clock on the wall, and counts those that are worked."""
    place = ZoneInfo(calendar.time_zone)
    local = starts.astimezone(place)
    cut_off = calendar.closes_minute if calendar.cut_off_minute is None else calendar.cut_off_minute
    begins = local.date() if works(calendar, local.date()) and minute_of(local) <= cut_off else None
    at, left = starts, hours * 60
    while left:
        local = at.astimezone(place)
        if begins is None and local.date() > starts.astimezone(place).date() and works(calendar, local.date()):
            begins = local.date()
        opened = calendar.opens_minute <= minute_of(local) < calendar.closes_minute
        if begins is not None and opened and works(calendar, local.date()):
            left -= 1
        at += timedelta(minutes=1)
    return at


def by_business_days(calendar: Calendar, starts: datetime, length: int) -> datetime:
    """By numpy's business days; the calendar has no extra days."""
    place = ZoneInfo(calendar.time_zone)
    local = starts.astimezone(place)
    day, minute = local.date(), minute_of(local)
    cut_off = calendar.closes_minute if calendar.cut_off_minute is None else calendar.cut_off_minute
    if not works(calendar, day) or minute > cut_off:
        day, minute = np.busday_offset(day + timedelta(days=1), 0, roll="forward", **mask(calendar)).item(), 0
    day = np.busday_offset(day, length, **mask(calendar)).item()
    minute = max(minute, calendar.opens_minute)
    return last_reading(datetime.combine(day, time()) + minute * MINUTE, place)


def last_reading(wall: datetime, place: ZoneInfo) -> datetime:
    """When the clock on the wall shows that time for the last time, by looking at the clock; else what is left out."""
    about = wall.replace(tzinfo=UTC)
    offsets = {(about + hours * timedelta(hours=1)).astimezone(place).utcoffset() or timedelta() for hours in (-30, 30)}
    found = [about - offset for offset in offsets]
    shown = [at for at in found if at.astimezone(place).replace(tzinfo=None) == wall]
    return max(shown or found)


@pytest.mark.parametrize("row", [row for row in TABLE if row.term.endswith("hours")], ids=str)
def test_counting_minutes_comes_to_the_same(row: Row):
    assert by_minutes(CALENDARS[row.calendar], instant(row.starts), int(row.term.split()[0])) == instant(row.due)


@pytest.mark.parametrize(
    "row",
    [row for row in TABLE if row.term.endswith("days") and not CALENDARS[row.calendar].extra_days],
    ids=str,
)
def test_business_days_of_a_library_come_to_the_same(row: Row):
    assert by_business_days(CALENDARS[row.calendar], instant(row.starts), int(row.term.split()[0])) == instant(row.due)


MINUTE = timedelta(minutes=1)
INSTANTS = st.integers(0, 3 * 366 * 24 * 60).map(lambda minutes: instant("2026-01-01T00:00Z") + minutes * MINUTE)


@settings(max_examples=100)
@given(st.sampled_from(sorted(CALENDARS)), INSTANTS, st.integers(1, 60))
def test_any_working_hours_are_those_that_counting_minutes_finds(name: str, starts: datetime, hours: int):
    due = CALENDARS[name].after(starts, WorkingTime(hours, Unit.HOURS))
    assert due == by_minutes(CALENDARS[name], starts, hours)


@settings(max_examples=200)
@given(st.sampled_from([name for name in CALENDARS if name != "shanghai"]), INSTANTS, st.integers(1, 366))
def test_any_working_days_are_those_of_the_library(name: str, starts: datetime, length: int):
    due = CALENDARS[name].after(starts, WorkingTime(length, Unit.DAYS))
    assert due == by_business_days(CALENDARS[name], starts, length)


@settings(max_examples=200)
@given(st.sampled_from(sorted(CALENDARS)), INSTANTS, st.integers(1, 20_000))
def test_what_is_worked_until_an_instant_is_what_was_asked_for(name: str, starts: datetime, minutes: int):
    calendar, length = CALENDARS[name], minutes * MINUTE
    due = calendar.plus(starts, length)
    assert calendar.between(starts, due) == length
    assert calendar.between(starts, due - MINUTE) < length


# --- peaks ----------------------------------------------------------------------------------------


def due_by(working: WorkingTerms | None, starts: str, peaks: Iterable[PeakPeriod]) -> datetime | None:
    return due_after(instant(starts), 48, tuple(peaks), working, "dispatch_within")


def test_hours_run_through_where_the_term_is_not_in_working_time():
    other = WorkingTerms(CALENDARS["office"], {"answer_within": WorkingTime(1, Unit.DAYS)})
    for working in (None, other):
        assert due_by(working, "2026-03-06T15:00+01:00", ()) == instant("2026-03-08T15:00+01:00")
    assert due_after(instant("2026-03-06T15:00Z"), None, (), other, "dispatch_within") is None


def test_a_peak_lengthens_working_time_by_working_hours():
    working = WorkingTerms(CALENDARS["office"], {"dispatch_within": WorkingTime(2, Unit.DAYS)})
    peak = PeakPeriod(instant("2026-03-06T00:00Z"), instant("2026-03-07T00:00Z"), 9)
    assert due_by(working, "2026-03-06T15:00+01:00", [peak]) == instant("2026-03-11T15:00+01:00")
    assert due_by(working, "2026-03-09T15:00+01:00", [peak]) == instant("2026-03-11T15:00+01:00")


def test_there_may_be_any_number_of_peaks_and_those_that_overlap_add_up():
    begin = instant("2026-03-01T00:00Z")
    peaks = [PeakPeriod(begin + n * timedelta(days=2), begin + (n + 2) * timedelta(days=2), 1) for n in range(300)]
    assert due_by(None, "2026-03-06T15:00+01:00", peaks) == instant("2026-03-08T15:00+01:00") + timedelta(hours=2)


# --- bounds ---------------------------------------------------------------------------------------


def test_days_that_are_over_are_left_out_and_change_nothing():
    whole = CALENDARS["shanghai"]
    rest = whole.still_to_come(instant("2026-02-19T10:00+08:00"))
    assert (rest.holidays, rest.extra_days) == (days("2026-02-19", "2026-02-20", "2026-02-23"), days("2026-02-28"))
    assert rest.after(instant("2026-02-19T10:00+08:00"), WorkingTime(3, Unit.DAYS)) == instant("2026-02-27T09:00+08:00")
    assert replace(rest, holidays=whole.holidays, extra_days=whole.extra_days) == whole


@pytest.mark.parametrize("term", [WorkingTime(366, Unit.DAYS), WorkingTime(1000, Unit.HOURS)])
def test_the_longest_term_of_the_shortest_week_with_a_thousand_holidays_ends(term: WorkingTime):
    first = date(2026, 1, 5)
    off = tuple(first + n * timedelta(days=1) for n in range(1000))
    calendar = Calendar("Europe/Berlin", (1,), opens_minute=540, closes_minute=600, holidays=off)
    due = calendar.after(instant("2026-01-05T09:00Z"), term)
    assert due.weekday() == 0
