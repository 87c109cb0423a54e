"""The text that Prometheus reads: families of samples, each with its help and its type."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate

from ledger.engine.measures import Histogram


class Exposition:
    """A page in the text format of Prometheus, written from top to bottom."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def family(self, name: str, kind: str, meaning: str) -> Family:
        """``kind`` is gauge, counter or histogram; all samples of the family follow before the next one begins."""
        self._lines += [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
        return Family(name, self._lines)

    def gauge(self, name: str, meaning: str, value: float) -> None:
        self.family(name, "gauge", meaning).add(value)

    def counter(self, name: str, meaning: str, value: float) -> None:
        self.family(name, "counter", meaning).add(value)

    def histogram(self, name: str, meaning: str, histogram: Histogram) -> None:
        self.family(name, "histogram", meaning).spread(histogram)

    def text(self) -> str:
        return "\n".join([*self._lines, ""])


class Family:
    """The samples of one name."""

    def __init__(self, name: str, lines: list[str]) -> None:
        self._name = name
        self._lines = lines

    def add(self, value: float, **labels: str) -> None:
        self._lines.append(f"{self._name}{_labels(labels)} {_number(value)}")

    def spread(self, histogram: Histogram, **labels: str) -> None:
        """A histogram: the values up to each bound, those up to the bounds before among them."""
        counts = list(accumulate(histogram.counts))
        for bound, count in zip([*map(_number, histogram.bounds), "+Inf"], counts, strict=True):
            self._lines.append(f"{self._name}_bucket{_labels({**labels, 'le': bound})} {count}")
        self._lines.append(f"{self._name}_sum{_labels(labels)} {_number(histogram.sum)}")
        self._lines.append(f"{self._name}_count{_labels(labels)} {counts[-1]}")


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}" if labels else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(round(value, 6))
