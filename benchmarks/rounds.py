"""Subjects that take turns, so that what is compared is close in time.

The speed of a shared machine changes, but hardly within a second. Each turn gives a ratio, and the median of all
turns is reported.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import median

from benchmarks.load import Load, percentile


class Rounds:
    """What subjects reach that take turns; the first turn of each warms it up."""

    def __init__(self, subjects: Sequence[str], turns: int) -> None:
        self._subjects, self._turns = list(subjects), turns
        self._figures: defaultdict[str, list[float]] = defaultdict(list)
        self._each: defaultdict[str, list[float]] = defaultdict(list)

    def __iter__(self) -> Iterator[tuple[int, str]]:
        """Each turn of each subject; every second turn the other way round."""
        for turn in range(self._turns + 1):
            for subject in self._subjects[:: 1 if turn % 2 else -1]:
                yield turn, subject

    def add(self, subject: str, load: Load, calls_of: int = 1) -> None:
        """What a subject reached in its turn; so many calls in each of those that were sent."""
        if self._figures[subject]:
            self._each[subject] += load.each
        self.add_figure(subject, load.per_second * calls_of)

    def add_figure(self, name: str, value: float) -> None:
        self._figures[name].append(value)

    def middle(self, name: str) -> float:
        return median(self._figures[name][1:])

    def ratio(self, name: str, beside: str) -> float:
        """The median of the ratios of the turns."""
        pairs = zip(self._figures[name][1:], self._figures[beside][1:], strict=True)
        return median(one / other for one, other in pairs)

    def milliseconds(self, subject: str, share: float) -> float:
        """The time that so large a share of all its calls stayed below."""
        return percentile(sorted(self._each[subject]), share) * 1000

    def late(self, subject: str) -> float:
        """How many times the median the 99th percentile is."""
        return self.milliseconds(subject, 0.99) / self.milliseconds(subject, 0.5)
