"""Windows of time in requests, by their bounds or in words, and how answers tell them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from adapters.rpc.calendars import time_zone
from adapters.rpc.faults import fault, require
from adapters.rpc.shapes import instant
from adapters.rpc.shows import stamp
from fulfilment.v1 import common_pb2 as pb
from ledger.terms.time_zones import zone
from ledger.terms.windows import window
from projections.machine.reads import Extent

_MOST_WORDS = 100


class WindowAsked(NamedTuple):
    """From then on and before then, where either may be absent; and the zone that counted."""

    since: datetime | None
    until: datetime | None
    time_zone: str

    def answered(self, extent: Extent | None = None) -> pb.AnsweredWindow:
        """The window as an answer tells it, with where there is something if there is nothing in it."""
        earliest, latest = extent or (None, None)
        return pb.AnsweredWindow(
            since=stamp(self.since),
            until=stamp(self.until),
            time_zone=self.time_zone,
            earliest=stamp(earliest),
            latest=stamp(latest),
        )


def asked_window(
    message: Any,
    bounds: tuple[str, str] | None = ("since", "until"),
    named: str = "window",
    now: datetime | None = None,
) -> WindowAsked:
    """What a request asks for: by two fields, which are the bounds, or in words in another one."""
    begins, ends = bounds or ("", "")
    said = WindowAsked(instant(message, begins), instant(message, ends), "UTC") if bounds else WindowAsked(*_NEVER)
    words: pb.NamedWindow = getattr(message, named.rpartition(".")[2])
    if not words.words:
        require(said.since is None or said.until is None or said.since < said.until, begins, "is not before until")
        return said._replace(time_zone=_zone(words, named))
    require(said[:2] == (None, None), f"{named}.words", f"is said beside {begins} or {ends}: say one of them")
    return _named(words, named, now or datetime.now(UTC))


_NEVER = None, None, "UTC"


def _zone(words: pb.NamedWindow, field: str) -> str:
    return time_zone(words.time_zone or "UTC", f"{field}.time_zone")


def _named(words: pb.NamedWindow, field: str, now: datetime) -> WindowAsked:
    name = _zone(words, field)
    require(len(words.words) <= _MOST_WORDS, f"{field}.words", f"is longer than {_MOST_WORDS} characters")
    try:
        return WindowAsked(*window(words.words[:_MOST_WORDS], zone(name), now), name)
    except ValueError as error:
        fault(f"{field}.words", str(error))
        # While all faults are collected, the rest is read with a window that has both bounds.
        return WindowAsked(now - timedelta(days=1), now, name)
