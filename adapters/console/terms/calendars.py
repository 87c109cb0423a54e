"""Working calendars and working time at a terminal: how they are typed, and how they are told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from functools import reduce
from typing import Any, TypeVar

import click

from adapters.console.terminal import words
from fulfilment.v1 import calendars_pb2

F = TypeVar("F", bound=Callable[..., Any])

# --- working time ---------------------------------------------------------------------------------

_TERM = re.compile(r"(\d{1,20})(h|wh|wd|)", re.ASCII)


def to_working_time(text: str) -> calendars_pb2.WorkingTime | int:
    """``2wd`` and ``16wh`` as working days and working hours, ``48`` and ``48h`` as hours that run through."""
    match = _TERM.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not HOURS such as 48, nor working time such as 2wd (days) or 16wh (hours)")
    length = words.to_whole(match[1])
    match match[2]:
        case "wd":
            return calendars_pb2.WorkingTime(days=length)
        case "wh":
            return calendars_pb2.WorkingTime(hours=length)
        case _:
            return length


class Term(click.ParamType["calendars_pb2.WorkingTime | int"]):
    """Hours that run through, working hours or working days."""

    name = "term"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return to_working_time(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


TERM = Term()


def in_words(term: calendars_pb2.WorkingTime) -> str:
    unit = term.WhichOneof("length") or "hours"
    length = getattr(term, unit)
    return f"{length} working {unit if length != 1 else unit[:-1]}"


# --- calendars ------------------------------------------------------------------------------------

_WEEK = [name.removeprefix("WEEKDAY_").lower()[:3] for name, day in calendars_pb2.Weekday.items() if day]
"""mon to sun, as they are typed."""


def to_weekdays(text: str) -> list[int]:
    """``mon-fri``, ``sun-thu`` or ``mon,tue,sat`` as numbers from 1 for Monday."""
    days = [day for part in text.lower().split(",") for day in _days_between(*part.strip().partition("-")[::2])]
    return sorted(set(days))


def _days_between(first: str, last: str) -> Iterator[int]:
    for name in filter(None, (first, last)):
        if name not in _WEEK:
            raise ValueError(f"{name!r} is no day of the week such as {', '.join(_WEEK)}")
    if not first:
        raise ValueError("days of the week are typed as in mon-fri or mon,tue,sat")
    begin = _WEEK.index(first)
    length = (_WEEK.index(last or first) - begin) % 7
    return ((begin + more) % 7 + 1 for more in range(length + 1))


def _to_hours(text: str) -> tuple[str, str]:
    opens, dash, closes = text.partition("-")
    if not dash:
        raise ValueError(f"{text!r} is not FROM-UNTIL such as 09:00-18:00")
    return opens.strip(), closes.strip()


def _read(read: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, str | None], Any]:
    def callback(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
        try:
            return None if value is None else read(value)
        except ValueError as error:
            raise click.BadParameter(str(error), ctx=ctx, param=param) from None

    return callback


def _read_each(read: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, tuple[str, ...]], Any]:
    one = _read(read)
    return lambda ctx, param, values: [one(ctx, param, value) for value in values]


_PUBLIC = re.compile(r"([A-Za-z]{2})(?:-([A-Za-z0-9]{1,3}))?:(\d{4})(?:-(\d{4}))?", re.ASCII)
_MOST_YEARS = 20


def public_days(text: str) -> tuple[set[str], set[str]]:
    """The public holidays of ``CN:2026-2027`` or ``DE-BE:2026``, and the weekends that are worked for them."""
    match = _PUBLIC.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not COUNTRY:YEARS such as CN:2026-2027 or DE-BE:2026")
    first, last = int(match[3]), int(match[4] or match[3])
    if not first <= last < first + _MOST_YEARS:
        raise ValueError(f"{match[3]}-{match[4]} are not 1 to {_MOST_YEARS} years, the first first")
    import holidays  # here, for it is large and seldom needed

    years = range(first, last + 1)
    try:
        known = holidays.country_holidays(match[1].upper(), subdiv=(match[2] or "").upper() or None, years=years)
    except NotImplementedError as error:
        raise ValueError(f"no public holidays are known of {match[1]}: {error}") from None
    worked = {day for day in getattr(known, "weekend_workdays", ()) if day.year in years}
    return set(map(str, known)), set(map(str, worked - known.keys()))


_OPTIONS = (
    click.option("--time-zone", metavar="ZONE", help="Whose days and times these are, such as Asia/Shanghai."),
    click.option(
        "--working-days", metavar="DAYS", callback=_read(to_weekdays), help="Such as mon-fri, sun-thu or mon,tue,sat."
    ),
    click.option("--hours", metavar="FROM-UNTIL", callback=_read(_to_hours), help="Of a day, such as 09:00-18:00."),
    click.option("--cut-off", metavar="TIME", help="What comes later counts from the next working day, such as 16:00."),
    click.option("--holiday", "holidays", multiple=True, metavar="DAY", help="Not worked, such as 2026-12-31."),
    click.option(
        "--holidays-of",
        multiple=True,
        metavar="COUNTRY:YEARS",
        callback=_read_each(public_days),
        help="The public ones, such as CN:2026-2027 or DE-BE:2026, with the days that are worked for them.",
    ),
    click.option("--extra-day", "extra_days", multiple=True, metavar="DAY", help="Worked, such as a Saturday."),
    click.option("--usual-day", "usual_days", multiple=True, metavar="DAY", help="No holiday or extra day after all."),
)


def option_peaks(whose: str) -> Callable[[F], F]:
    """``--peak``, once for each time in which these clocks are longer."""
    return click.option(
        "--peak",
        "peaks",
        type=(words.INSTANT, words.INSTANT, words.whole(1)),
        multiple=True,
        metavar="SINCE UNTIL HOURS",
        help=f"A time in which {whose} clocks are longer by so many hours; once for each.",
    )


def option_calendar(command: F) -> F:
    """The options that make or change a calendar."""
    return reduce(lambda made, option: option(made), reversed(_OPTIONS), command)


def change_calendar(calendar: calendars_pb2.WorkingCalendar, said: dict[str, Any]) -> bool:
    """Changes what was said of a calendar, and keeps the rest; whether anything was."""
    if said["time_zone"]:
        calendar.time_zone = said["time_zone"]
    if said["working_days"]:
        calendar.working_days[:] = said["working_days"]
    if said["hours"]:
        calendar.opens, calendar.closes = said["hours"]
    if said["cut_off"] is not None:
        calendar.cut_off = said["cut_off"]
    off, extra, usual = ({*said[name]} for name in ("holidays", "extra_days", "usual_days"))
    public_off, public_extra = ({day for each in said["holidays_of"] for day in each[kind]} for kind in (0, 1))
    # What is named goes before what is public, and what is new before what was there.
    off |= public_off - extra - usual
    extra |= public_extra - off - usual
    calendar.holidays[:] = sorted(({*calendar.holidays} - extra - usual) | off)
    calendar.extra_days[:] = sorted(({*calendar.extra_days} - off - usual) | extra)
    return any(said[name] for name in _NAMES) or said["cut_off"] is not None


_NAMES = ("time_zone", "working_days", "hours", "holidays", "holidays_of", "extra_days", "usual_days")


def describe(calendar: calendars_pb2.WorkingCalendar) -> list[tuple[str, str]]:
    """A calendar, line by line."""
    cut_off = f", cut-off {calendar.cut_off}" if calendar.cut_off else ""
    hours = f"{calendar.opens or '00:00'} to {calendar.closes or '24:00'}"
    days = _weekdays([int(day) for day in calendar.working_days] or [1, 2, 3, 4, 5])
    return [
        ("works", f"{days}, {hours}{cut_off}, {calendar.time_zone}"),
        ("holidays", spans_of(calendar.holidays)),
        ("extra days", spans_of(calendar.extra_days)),
    ]


def _weekdays(days: list[int]) -> str:
    """``Mon to Fri``, else each."""
    names = [_WEEK[day - 1].capitalize() for day in days]
    in_a_row = len(days) > 2 and days == list(range(days[0], days[-1] + 1))
    return f"{names[0]} to {names[-1]}" if in_a_row else ", ".join(names)


def spans_of(days: Iterable[str], most: int = 12) -> str:
    """Days that follow each other as one: ``2026-02-16 to 2026-02-22``."""
    spans: list[tuple[date, date]] = []
    for day in sorted(map(date.fromisoformat, days)):
        if spans and day - spans[-1][1] == timedelta(days=1):
            spans[-1] = (spans[-1][0], day)
        else:
            spans.append((day, day))
    told = [f"{first}" if first == last else f"{first} to {last}" for first, last in spans]
    more = f" and {len(told) - most} more" if len(told) > most else ""
    return ", ".join(told[:most]) + more
