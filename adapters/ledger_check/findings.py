"""What a check found: how much it looked at, how long that took, and what is wrong, with its place in the ledger."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

SHOWN = 20
"""Findings that are kept of each check; of further ones only the number."""


class Flaw(msgspec.Struct, frozen=True):
    """Something that does not hold."""

    check: str
    what: str
    position: int = 0
    """Where in the log; 0 where no position tells it."""
    stream: str = ""

    def __str__(self) -> str:
        place = [f"position {self.position}"] if self.position else []
        return f"{self.check}: {': '.join([*place, *filter(None, [self.stream]), self.what])}"


class Checked(msgspec.Struct):
    """What became of one check."""

    looked_at: int = 0
    found: int = 0
    first: list[Flaw] = []


class CheckTally(msgspec.Struct):
    """What became of all checks up to now; those of several processes are added."""

    checks: dict[str, Checked] = {}
    seconds: dict[str, float] = {}
    """By step. Of steps that several processes share, the sum of theirs."""
    not_checked: dict[str, str] = {}
    """What could not be looked at here, and why."""

    def look(self, check: str, count: int = 1) -> None:
        self._of(check).looked_at += count

    def find(self, check: str, what: str, position: int = 0, stream: str = "") -> None:
        checked = self._of(check)
        checked.found += 1
        if len(checked.first) < SHOWN:
            checked.first.append(Flaw(check, what, position, stream))

    def add(self, other: CheckTally) -> None:
        for name, each in other.checks.items():
            checked = self._of(name)
            checked.looked_at += each.looked_at
            checked.found += each.found
            checked.first += each.first[: SHOWN - len(checked.first)]
        for step, seconds in other.seconds.items():
            self.seconds[step] = self.seconds.get(step, 0.0) + seconds
        self.not_checked |= other.not_checked

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - began

    @property
    def found(self) -> int:
        return sum(each.found for each in self.checks.values())

    @property
    def first(self) -> list[Flaw]:
        return [finding for each in self.checks.values() for finding in each.first]

    def _of(self, check: str) -> Checked:
        return self.checks.setdefault(check, Checked())
