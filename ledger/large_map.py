"""A mapping with thousands of keys of which folding makes a changed copy for each fact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import TypeVar
from zlib import crc32

T = TypeVar("T")

_PARTS = 256
"""A change copies the list of parts and one part: 512 references for 65,000 keys, which is the minimum."""


class LargeMap(Mapping[str, T]):
    """Immutable. A changed copy shares all but one of its parts, so that n changes do not cost n squared."""

    __slots__ = ("_parts",)

    def __init__(self, parts: tuple[Mapping[str, T], ...] = ({},) * _PARTS) -> None:
        self._parts = parts

    def changed(self, key: str, value: T) -> LargeMap[T]:
        index = _part(key)
        parts = list(self._parts)
        parts[index] = {**parts[index], key: value}
        return LargeMap(tuple(parts))

    def __getitem__(self, key: str) -> T:
        return self._parts[_part(key)][key]

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self._parts)

    def __len__(self) -> int:
        return sum(map(len, self._parts))


def _part(key: str) -> int:
    return crc32(key.encode()) % _PARTS
