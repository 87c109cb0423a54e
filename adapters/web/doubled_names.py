"""Objects of JSON that name a field twice, which usual readers take for the last of the two without a word."""

from __future__ import annotations

from collections import Counter
from typing import Any


class Doubled(dict[str, Any]):
    """An object that has some names more than once."""

    names: tuple[str, ...] = ()


def as_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For ``object_pairs_hook``."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    doubled = Doubled(found)
    doubled.names = tuple(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
    return doubled
