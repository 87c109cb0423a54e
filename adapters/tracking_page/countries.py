"""Countries as people call them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files


def country_name(code: str, language: str) -> str:
    """Such as ``Germany``; the code itself where nobody has a name for it."""
    english, chinese = country_names().get(code, (code, code))
    return chinese if language == "zh" else english


@cache
def country_names() -> Mapping[str, tuple[str, str]]:
    """English and Chinese, by ISO 3166-1 alpha-2. A line of the file is the code, the one and the other."""
    source = files("adapters.tracking_page").joinpath("words", "countries.txt").read_text(encoding="utf-8")
    found = {}
    for line in source.splitlines():
        code, _, names = line.partition(" ")
        english, _, chinese = names.rpartition(" ")
        found[code] = (english, chinese)
    return found
