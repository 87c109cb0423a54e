"""Quiet hours: the hours of a day in which nobody is texted, by the clock of where they live."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta

from ledger.terms.time_zones import zone

NEVER = "none"
"""No hour is quiet."""
USUAL = "21:00-08:00"
_SPAN = re.compile(r"((?:[01]\d|2[0-3]):[0-5]\d)-((?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII)
_DAY = timedelta(days=1)


def are_quiet_hours(text: str) -> bool:
    """Such as ``21:00-08:00``, or ``none``."""
    match = _SPAN.fullmatch(text)
    return text == NEVER or (match is not None and match[1] != match[2])


def quiet_until(span: str, zones: Iterable[str], now: datetime) -> datetime | None:
    """When it is quiet in none of these zones any more; None if that is so now.

    Where no hour of a day is loud in all of them, the first counts in which the night of one has ended.
    """
    zones = list(zones)
    if span == NEVER or (first := _morning(span, zones, now)) is None:
        return None
    until = first
    while (later := _morning(span, zones, until)) is not None:
        if later - now > _DAY:
            return first
        until = later
    return until


def _morning(span: str, zones: Iterable[str], at: datetime) -> datetime | None:
    """The latest end of the nights that it is now; None where it is none."""
    return max(filter(None, (_ends_at(span, each, at) for each in zones)), default=None)


def _ends_at(span: str, name: str, at: datetime) -> datetime | None:
    """When the night that it is in a zone ends there."""
    begins, ends = map(time.fromisoformat, span.split("-"))
    local = at.astimezone(zone(name))
    evening, morning = local.time() >= begins, local.time() < ends
    if not (evening or morning if begins > ends else evening and morning):
        return None
    day = local.date() + (_DAY if begins > ends and evening else timedelta())
    return max(datetime.combine(day, ends, local.tzinfo).astimezone(UTC), at + timedelta(seconds=1))
