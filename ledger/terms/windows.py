"""Windows of time as people name them: the last seven days, a week, a month, from one day to another."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

EXAMPLES = "7d, last-week, 2026-03, 2026-W09 or 2026-03-01..2026-03-31"

Bounds = tuple[datetime | None, datetime | None]
"""From then on, and before then; None where it has no such bound."""

_Days = tuple[date, date]
"""The first day, and the day after the last."""

_FIRST_YEAR, _LAST_YEAR = 1970, 2999
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)


def window(words: str, zone: ZoneInfo, now: datetime) -> Bounds:
    """The window that these words name; days begin in the zone. Raises ValueError with a sentence if they name none."""
    first, dots, last = words.partition("..")
    try:
        bounds = _between(first, last, zone) if dots else (_back(words, zone, now) or _span(words, zone, now))
    except (ValueError, OverflowError):
        bounds = None
    if bounds is None:
        raise ValueError(f"{words!r} is no window such as {EXAMPLES}")
    since, until = bounds
    if any(each is not None and not _FIRST_YEAR <= each.year <= _LAST_YEAR for each in bounds):
        raise ValueError(f"{words!r} does not lie between the years {_FIRST_YEAR} and {_LAST_YEAR}")
    if since is not None and until is not None and since >= until:
        raise ValueError(f"{words!r} ends before it begins")
    return bounds


def _between(first: str, last: str, zone: ZoneInfo) -> Bounds | None:
    """``FROM..TO``: a day, week, month, quarter or year at its end lies in it whole, and a time ends it."""
    if not first and not last:
        return None
    since, until = _part(first, zone), _part(last, zone)
    if (first and since is None) or (last and until is None):
        return None
    return since and since[0], until and until[1]


def _part(text: str, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
    if not text:
        return None
    days = _calendar(text)
    if days is not None:
        return _begins(days[0], zone), _begins(days[1], zone)
    if "T" not in text and " " not in text:
        return None
    at = datetime.fromisoformat(text)
    at = (at if at.tzinfo is not None else at.replace(tzinfo=zone)).astimezone(UTC)
    return at, at


def _begins(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone).astimezone(UTC)


# --- up to now ------------------------------------------------------------------------------------

_SO_LONG = re.compile(r"([1-9][0-9]{0,3})([dwmy])")


def _back(words: str, zone: ZoneInfo, now: datetime) -> Bounds | None:
    """``7d``: so many days of 24 hours, weeks, months or years up to now."""
    match = _SO_LONG.fullmatch(words)
    if match is None:
        return None
    count, unit = int(match[1]), match[2]
    if unit in "dw":
        return now - count * (_DAY if unit == "d" else _WEEK), now
    months = count if unit == "m" else 12 * count
    local = now.astimezone(zone)
    first = _months_later(local.date().replace(day=1), -months)
    last = _months_later(first, 1) - _DAY
    day = first.replace(day=min(local.day, last.day))
    return datetime.combine(day, local.timetz()).astimezone(UTC), now


# --- of the calendar ------------------------------------------------------------------------------


def _span(words: str, zone: ZoneInfo, now: datetime) -> Bounds | None:
    """A day, a week, a month, a quarter or a year, also by its name as of today."""
    named = _NAMED.get(words)
    days = named(now.astimezone(zone).date()) if named else _calendar(words)
    return days and (_begins(days[0], zone), _begins(days[1], zone))


def _calendar(text: str) -> _Days | None:
    for pattern, days in _WRITTEN:
        if (match := pattern.fullmatch(text)) is not None:
            return days(*(int(group) for group in match.groups()))
    return None


def _months_later(first: date, months: int) -> date:
    """The first day of a month, so many months from that of another."""
    year, month = divmod(12 * first.year + first.month - 1 + months, 12)
    return date(year, month + 1, 1)


def _day(day: date) -> _Days:
    return day, day + _DAY


def _week(day: date) -> _Days:
    monday = day - day.weekday() * _DAY
    return monday, monday + _WEEK


def _months(first: date, months: int) -> _Days:
    return first, _months_later(first, months)


_WRITTEN: tuple[tuple[re.Pattern[str], Callable[..., _Days]], ...] = (
    (re.compile(r"([0-9]{4})"), lambda year: _months(date(year, 1, 1), 12)),
    (re.compile(r"([0-9]{4})-Q([1-4])"), lambda year, quarter: _months(date(year, 3 * quarter - 2, 1), 3)),
    (re.compile(r"([0-9]{4})-([0-9]{2})"), lambda year, month: _months(date(year, month, 1), 1)),
    (re.compile(r"([0-9]{4})-W([0-9]{2})"), lambda year, week: _week(date.fromisocalendar(year, week, 1))),
    (re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})"), lambda *parts: _day(date(*parts))),
)
_NAMED: dict[str, Callable[[date], _Days]] = {
    "today": _day,
    "yesterday": lambda today: _day(today - _DAY),
    "this-week": _week,
    "last-week": lambda today: _week(today - _WEEK),
    "this-month": lambda today: _months(today.replace(day=1), 1),
    "last-month": lambda today: _months(_months_later(today.replace(day=1), -1), 1),
    "this-year": lambda today: _months(date(today.year, 1, 1), 12),
    "last-year": lambda today: _months(date(today.year - 1, 1, 1), 12),
}
