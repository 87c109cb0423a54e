"""Working calendars, terms in working time and peak periods, as messages and as what they mean."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from itertools import accumulate
from typing import Any, cast
from zoneinfo import ZoneInfoNotFoundError

from adapters.rpc.faults import fault, require
from adapters.rpc.shapes import count, day, instant, text
from adapters.rpc.shows import stamp
from fulfilment.v1 import calendars_pb2 as pb
from fulfilment.v1.suppliers_pb2 import PeakPeriod as PeakMessage
from ledger.refusals import Malformed
from ledger.terms.calendars import (
    DAY_MINUTES,
    MONDAY_TO_FRIDAY,
    Calendar,
    PeakPeriod,
    Unit,
    WorkingTerms,
    WorkingTime,
)
from ledger.terms.time_zones import zone

_MOST_DAYS = _MOST_PEAKS = _MOST_EXTRA = 1000
_MOST = {Unit.HOURS: 1000, Unit.DAYS: 366}
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00", re.ASCII)

# --- what is asked --------------------------------------------------------------------------------


def working_terms(given: pb.WorkingTerms, field: str, known: Collection[str]) -> WorkingTerms:
    """A calendar and the terms that go by it, which are some of those that are known."""
    if not given.HasField("calendar"):
        raise Malformed((f"{field}.calendar", "is required"))
    terms = {}
    for name in sorted(given.terms):
        require(name in known, f"{field}.terms", f"{name[:100]!r} is none of {', '.join(known)}")
        terms[name] = _working_time(given.terms[name], f"{field}.terms[{name}]")
    return WorkingTerms(_calendar(given.calendar, f"{field}.calendar"), terms)


def _working_time(given: pb.WorkingTime, field: str) -> WorkingTime:
    said = given.WhichOneof("length")
    if said is None:
        raise Malformed((field, "is neither hours nor days"))
    unit = Unit(said)
    return WorkingTime(count(getattr(given, said), f"{field}.{said}", 1, _MOST[unit]), unit)


def _calendar(given: pb.WorkingCalendar, field: str) -> Calendar:
    opens, closes = (
        _minute(said, f"{field}.{name}", usual)
        for name, said, usual in (("opens", given.opens, 0), ("closes", given.closes, DAY_MINUTES))
    )
    require(closes >= opens + 60, f"{field}.closes", "is not an hour later than opens")
    cut_off = _minute(given.cut_off, f"{field}.cut_off", closes) if given.cut_off else None
    within = cut_off is None or opens <= cut_off <= closes
    require(within, f"{field}.cut_off", "is not between opens and closes")
    holidays = _days(given.holidays, f"{field}.holidays")
    extra_days = _days(given.extra_days, f"{field}.extra_days")
    both = sorted(set(holidays) & set(extra_days))
    require(not both, f"{field}.extra_days", f"{', '.join(map(str, both[:5]))} is a holiday too")
    return Calendar(
        time_zone=time_zone(given.time_zone, f"{field}.time_zone"),
        working_days=tuple(
            sorted({_weekday(each, f"{field}.working_days[{i}]") for i, each in enumerate(given.working_days)})
        )
        or MONDAY_TO_FRIDAY,
        opens_minute=opens,
        closes_minute=closes,
        cut_off_minute=cut_off,
        holidays=holidays,
        extra_days=extra_days,
    )


def time_zone(said: str, field: str) -> str:
    name = text(said, field, 100, required=True)
    try:
        zone(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        fault(field, f"{name!r} is not an IANA time zone such as Asia/Shanghai")
    return name


def _weekday(number: int, field: str) -> int:
    require(number in range(1, 8), field, f"{number} is not a day of the week from WEEKDAY_MONDAY on")
    return number


def _minute(said: str, field: str, usual: int) -> int:
    """A time of day in minutes after midnight."""
    if not said:
        return usual
    require(_TIME.fullmatch(said) is not None, field, f"{said[:40]!r} is not a time from 00:00 to 24:00, such as 09:30")
    hours, minutes = said.split(":")
    return int(hours) * 60 + int(minutes)


def _days(given: Sequence[str], field: str) -> tuple[date, ...]:
    require(len(given) <= _MOST_DAYS, field, f"{len(given)} days, {_MOST_DAYS} at most")
    days = (_required_day(said, f"{field}[{index}]") for index, said in enumerate(given))
    return tuple(sorted({found for found in days if found is not None}))


def _required_day(said: str, field: str) -> date | None:
    require(said != "", field, "is required: a day such as 2026-01-01")
    return day(said, field)


def peaks(given: Sequence[PeakMessage], field: str) -> tuple[PeakPeriod, ...]:
    require(len(given) <= _MOST_PEAKS, field, f"more than {_MOST_PEAKS} periods")
    found = tuple(_peak(peak, f"{field}[{index}]") for index, peak in enumerate(given))
    together = _most_together(found)
    require(together <= _MOST_EXTRA, field, f"overlap to {together} hours at a time, {_MOST_EXTRA} at most")
    return found


def _most_together(peaks: Iterable[PeakPeriod]) -> int:
    """The most hours that a clock can be longer by: peaks that overlap add up."""
    # At one instant those that end come before those that begin.
    moves = sorted(move for each in peaks for move in ((each.since, each.extra_hours), (each.until, -each.extra_hours)))
    return max(accumulate(hours for _, hours in moves), default=0)


def _peak(peak: PeakMessage, field: str) -> PeakPeriod:
    since, until = instant(peak, f"{field}.since"), instant(peak, f"{field}.until")
    if since is None or until is None or since >= until:
        raise Malformed((field, "needs since and a later until"))
    return PeakPeriod(since, until, count(peak.extra_hours, f"{field}.extra_hours", 1, 1000))


# --- what is shown --------------------------------------------------------------------------------


def show_working_terms(working: WorkingTerms | None) -> pb.WorkingTerms | None:
    if working is None:
        return None
    terms = {name: show_working_time(term) for name, term in working.terms.items()}
    return pb.WorkingTerms(calendar=_show_calendar(working.calendar), terms=terms)


def show_working_time(term: WorkingTime) -> pb.WorkingTime:
    return pb.WorkingTime(**{term.unit.value: term.length})


def _show_calendar(calendar: Calendar) -> pb.WorkingCalendar:
    return pb.WorkingCalendar(
        time_zone=calendar.time_zone,
        working_days=cast("Any", calendar.working_days),
        opens=_time(calendar.opens_minute),
        closes=_time(calendar.closes_minute),
        cut_off="" if calendar.cut_off_minute is None else _time(calendar.cut_off_minute),
        holidays=map(str, calendar.holidays),
        extra_days=map(str, calendar.extra_days),
    )


def _time(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def show_peaks(peaks: Iterable[PeakPeriod]) -> list[PeakMessage]:
    return [
        PeakMessage(since=stamp(each.since), until=stamp(each.until), extra_hours=each.extra_hours) for each in peaks
    ]
