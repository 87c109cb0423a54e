"""The words of the tracking page in the customer's language, and days, times, places and amounts as it writes them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from adapters.messages.words import humane, in_words
from adapters.tracking.carriers import known
from adapters.tracking_page.countries import country_name
from ledger.terms import time_zones

LANGUAGES = ("en", "zh")
_WEIGHT = re.compile(r"q=([0-9](?:\.[0-9]{1,3})?)")
_WEEKDAYS = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "zh": ("星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日"),
}


def language_of(asked: str, accepted: str, usual: str) -> str:
    """What was asked for by the switch, else what the browser prefers, else the order's, else English."""
    if asked in LANGUAGES:
        return asked
    return _preferred(accepted) or (usual if usual in LANGUAGES else LANGUAGES[0])


def _preferred(accepted: str) -> str:
    """The first of the most wanted languages that there is; empty if none is wanted."""
    wanted = []
    for place, each in enumerate(accepted[:500].split(",")):
        name, _, rest = each.strip().partition(";")
        weight = _WEIGHT.search(rest)
        wanted.append((-float(weight[1]) if weight else -1.0, place, name.strip().lower()[:2]))
    return next((name for weight, _, name in sorted(wanted) if weight and name in LANGUAGES), "")


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Every text by its key, such as ``parcel.title``."""
    source = files("adapters.tracking_page").joinpath("words", f"{language}.toml").read_text(encoding="utf-8")
    found = {}
    for name, value in tomllib.loads(source).items():
        if isinstance(value, str):
            found[name] = value
        else:
            found |= {f"{name}.{key}": text for key, text in value.items()}
    return found


class PageWords:
    """Says things in one language, with times in one zone."""

    def __init__(self, language: str, zone: str = "UTC") -> None:
        self.language = language
        self._catalogue = catalogue(language)
        self.zone = zone

    def __call__(self, key: str, **values: Any) -> str:
        """The text of a key. What is filled in is no markup, nor is a text: templates escape both."""
        return self._catalogue[key].format(**values)

    def has(self, key: str) -> bool:
        return key in self._catalogue

    def number(self, key: str, n: int) -> str:
        """A text that counts; one thing has a text of its own."""
        return self(f"{key}_one" if n == 1 else key, n=n)

    def day(self, at: date) -> str:
        """Such as ``11 December 2026``."""
        return in_words(at, self.language, with_time=False, zone=self.zone)

    def weekday(self, at: date) -> str:
        local = at.astimezone(time_zones.zone(self.zone)) if isinstance(at, datetime) else at
        name = _WEEKDAYS[self.language][local.weekday()]
        return f"{name}, {self.day(at)}" if self.language == "en" else f"{self.day(at)} {name}"

    def time(self, at: datetime) -> str:
        """Such as ``11 December 2026, 09:30``; the page says in which zone."""
        local = at.astimezone(time_zones.zone(self.zone))
        return f"{self.day(at)}{', ' if self.language == 'en' else ' '}{local:%H:%M}"

    def place(self, town: str, country: str) -> str:
        """A town and the name of its country."""
        named = country_name(country, self.language) if country else ""
        parts = [part for part in (town, named) if part]
        return ", ".join(parts) if self.language == "en" else " ".join(reversed(parts))

    def carrier(self, name: str) -> str:
        """As people call it."""
        found = known(name)
        if found is None:
            return name.replace("-", " ").title() if len(name) > _SHORT else name.upper()
        return found.chinese if self.language == "zh" and found.chinese else found.title

    def wanted(self, wanted: tuple[str, ...]) -> str:
        words = (humane(each, self.language) for each in wanted)
        return ("、" if self.language == "zh" else ", ").join(words)

    def zone_name(self) -> str:
        """Such as ``Berlin``; no town of an IANA zone has a slash in it."""
        return self.zone.rpartition("/")[2].replace("_", " ")


_SHORT = 4
