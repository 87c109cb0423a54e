"""The window of time that a report is about: how it is asked for, and how it is told, also if nothing is in it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import click

from adapters.console.terminal import words
from adapters.console.terminal.words import minute
from fulfilment.v1 import common_pb2

F = TypeVar("F", bound=Callable[..., Any])

_WINDOW = "7d, last-week, 2026-W09, 2026-03 or FROM..TO; TO lies in it whole."


class WindowWanted(NamedTuple):
    """What was typed: bounds, or a window in words."""

    since: Any = None
    until: Any = None
    named: common_pb2.NamedWindow | None = None

    @property
    def zone(self) -> str:
        """Whose days count, in which instants are told; empty for UTC."""
        zone = self.named.time_zone if self.named is not None else ""
        return "" if zone == "UTC" else zone

    def fields(self, since: str = "since", until: str = "until", named: str = "window") -> dict[str, Any]:
        """The fields of a request, by their names there."""
        return {since: self.since, until: self.until, named: self.named}

    @property
    def only_named(self) -> dict[str, Any]:
        """Of a request that has no bounds."""
        return {"window": self.named}


def windowed(since: str = "", until: str = "") -> Callable[[F], F]:
    """Options for the window of a report, which it gets as ``window``: in words, and by bounds where they are told."""

    def add(command: F) -> F:
        @functools.wraps(command)
        def run(*args: Any, **said: Any) -> Any:
            return command(*args, window=_wanted(said), **said)

        zone = click.option("--time-zone", metavar="ZONE", help="Whose days --window counts; UTC if not said.")
        option = zone(click.option("--window", "words", metavar="WINDOW", help=_WINDOW)(run))
        if since:
            option = click.option("--until", type=words.INSTANT, help=until)(option)
            option = click.option("--since", type=words.INSTANT, help=since)(option)
        return option  # type: ignore[return-value]

    return add


def _wanted(said: dict[str, Any]) -> WindowWanted:
    in_words, zone = said.pop("words"), said.pop("time_zone")
    since, until = said.pop("since", None), said.pop("until", None)
    if in_words and (since or until):
        raise click.UsageError("say --window, or --since and --until.")
    if zone and not in_words:
        raise click.UsageError("--time-zone is of the days that --window names.")
    named = common_pb2.NamedWindow(words=in_words, time_zone=zone or "") if in_words else None
    return WindowWanted(since, until, named)


def told(window: common_pb2.AnsweredWindow) -> str:
    """``From 2026-03-01 00:00Z to 2026-04-01 00:00Z``, in the zone whose days counted; empty where it has no bounds."""
    ends = "to" if window.HasField("since") else "up to"
    parts = [
        f"{word} {minute(window, field, _zone(window))}"
        for word, field in (("from", "since"), (ends, "until"))
        if window.HasField(field)  # type: ignore[arg-type]
    ]
    said = " ".join(parts)
    return said[:1].upper() + said[1:] + (f" ({window.time_zone})" if parts and _zone(window) else "")


def lacking(window: common_pb2.AnsweredWindow) -> str:
    """Where there is something, if nothing is in the window; empty otherwise."""
    if not window.HasField("latest"):
        return ""
    span = told(window)
    where = f"Nothing {span[:1].lower()}{span[1:]}" if span else "Nothing in this time"
    earliest, latest = (minute(window, field, _zone(window)) for field in ("earliest", "latest"))
    if earliest == latest:
        return f"{where}; everything is of {latest}."
    return f"{where}; the earliest is of {earliest}, the latest of {latest}."


def _zone(window: common_pb2.AnsweredWindow) -> str:
    return "" if window.time_zone == "UTC" else window.time_zone
