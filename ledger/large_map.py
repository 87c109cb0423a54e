"""A mapping with thousands of keys of which folding makes a changed copy for each fact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import TypeVar, overload
from zlib import crc32

T = TypeVar("T")
U = TypeVar("U")

_PARTS = 64
"""A change copies the list of parts, one part and one of its own parts: for 100,000 keys some 150 references."""


class LargeMap(Mapping[str, T]):
    """Immutable. A changed copy shares nearly all of it, so that n changes do not cost n squared."""

    __slots__ = ("_length", "_parts")

    def __init__(
        self, parts: tuple[tuple[Mapping[str, T], ...], ...] = (({},) * _PARTS,) * _PARTS, length: int = 0
    ) -> None:
        self._parts, self._length = parts, length

    def changed(self, key: str, value: T) -> LargeMap[T]:
        place = crc32(key.encode())
        outer, inner = place % _PARTS, place // _PARTS % _PARTS
        part = self._parts[outer]
        few = {**part[inner], key: value}
        changed = (*part[:inner], few, *part[inner + 1 :])
        parts = (*self._parts[:outer], changed, *self._parts[outer + 1 :])
        return LargeMap(parts, self._length + len(few) - len(part[inner]))

    def __getitem__(self, key: str) -> T:
        place = crc32(key.encode())
        return self._parts[place % _PARTS][place // _PARTS % _PARTS][key]

    @overload
    def get(self, key: str, /) -> T | None: ...
    @overload
    def get(self, key: str, /, default: T | U) -> T | U: ...
    def get(self, key: str, /, default: T | U | None = None) -> T | U | None:
        # For each line of an order: what a mapping inherits takes three times as long.
        place = crc32(key.encode())
        return self._parts[place % _PARTS][place // _PARTS % _PARTS].get(key, default)

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(chain.from_iterable(self._parts))

    def __len__(self) -> int:
        return self._length
