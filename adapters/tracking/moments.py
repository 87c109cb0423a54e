"""Times as carriers tell them: with an offset, without one, or as a day; and no zone is invented.

A time without an offset is of the offset that the same payload tells at the same place, else of the zone of that place
where its country has one alone or its state is known. Where neither is so, nobody knows the instant: it is kept as if
it were UTC, and marked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import msgspec

from ledger.terms import time_zones
from ledger.terms.places import Destination

_YEARS = range(1990, 2100)
"""Years that a parcel can be of. ``0001-01-01`` and ``1970-01-01`` are how programs say that they do not know."""
_LONGEST = 40
_HOURS = re.compile(r"([+-])(\d{1,2})(?::?(\d{2}))?", re.ASCII)
_FAR = timedelta(hours=15)

BEIJING = timezone(timedelta(hours=8))


class Place(msgspec.Struct, frozen=True):
    """Where a scan was, as far as it is told."""

    city: str = ""
    country: str = ""
    """ISO 3166-1 alpha-2."""
    region: str = ""


class ToldTime(msgspec.Struct, frozen=True):
    """A time as it was told."""

    at: datetime | date
    """A datetime may lack its zone."""


class Moment(msgspec.Struct, frozen=True):
    """An instant, and whether the zone was known."""

    at: datetime
    certain: bool = True


def told(text: str | None) -> ToldTime | None:
    """An ISO 8601 time or day, also with a space in its middle; None for what is none, or cannot be of a parcel."""
    text = (text or "").strip()
    if not text or len(text) > _LONGEST:
        return None
    try:
        found: datetime | date = (
            datetime.fromisoformat(text) if len(text) > len("2026-01-31") else date.fromisoformat(text)
        )
    except ValueError:
        return None
    if found.year not in _YEARS:
        return None
    if isinstance(found, datetime) and found.utcoffset() is not None and abs(found.utcoffset() or timedelta()) > _FAR:
        return None
    return ToldTime(found)


def told_in_zone(text: str | None, offset: str | None) -> ToldTime | None:
    """A time whose offset is told beside it, such as ``+8`` or ``-03:00``."""
    found, zone = told(text), offset_of(offset)
    if found is None or zone is None or not isinstance(found.at, datetime) or found.at.tzinfo is not None:
        return found
    return ToldTime(found.at.replace(tzinfo=zone))


def offset_of(text: str | None) -> tzinfo | None:
    text = (text or "").strip()
    if text in ("Z", "UTC", "GMT"):
        return UTC
    match = _HOURS.fullmatch(text)
    if match is None:
        return None
    away = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    return timezone(-away if match[1] == "-" else away) if away <= _FAR else None


def offsets(scans: Iterable[tuple[ToldTime | None, Place]]) -> dict[Place, tzinfo]:
    """The offset that a payload tells at each place, where it tells one alone."""
    found: dict[Place, set[timedelta]] = {}
    for each, place in scans:
        if each is not None and isinstance(each.at, datetime) and each.at.tzinfo is not None and place != Place():
            found.setdefault(place, set()).add(each.at.utcoffset() or timedelta())
    return {place: timezone(next(iter(away))) for place, away in found.items() if len(away) == 1}


def moment(each: ToldTime, place: Place, known: dict[Place, tzinfo], *, at_end: bool) -> Moment:
    """The instant. A day alone is its end where the scan ends a journey, else its start, so that order is kept."""
    at = each.at
    if not isinstance(at, datetime):
        at = datetime.combine(at, time(23, 59, 59) if at_end else time())
    if at.tzinfo is not None:
        return Moment(at.astimezone(UTC))
    zone = known.get(place) or _zone(place)
    return Moment(at.replace(tzinfo=zone or UTC).astimezone(UTC), zone is not None)


def _zone(place: Place) -> ZoneInfo | None:
    name = time_zones.local_zone_of(place.country, place.region) if place.country else ""
    return time_zones.zone(name) if name else None


def latest(text: str | None, country: str) -> datetime | None:
    """An estimate: a time, or the end of a day at the destination; where its zone is not known, the last end of it."""
    found = told(text)
    if found is None:
        return None
    if isinstance(found.at, datetime) and found.at.tzinfo is not None:
        return found.at.astimezone(UTC)
    zone = _zone(Place(country=country))
    if isinstance(found.at, datetime) and zone is not None:
        return found.at.replace(tzinfo=zone).astimezone(UTC)
    day = found.at.date() if isinstance(found.at, datetime) else found.at
    return time_zones.end_of_day(day, Destination(country))


def instant_or_none(text: str | None) -> datetime | None:
    """A time with an offset, in UTC; None for anything else."""
    found = told(text)
    if found is None or not isinstance(found.at, datetime) or found.at.tzinfo is None:
        return None
    return found.at.astimezone(UTC)
