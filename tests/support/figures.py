"""What a page of figures for Prometheus says."""

from __future__ import annotations

import re

_SAMPLE = re.compile(r"(?P<name>[a-z_]+)(?:\{(?P<labels>[^}]*)\})? (?P<value>\S+)")

Figures = dict[str, float]
"""By name with labels, as they stand on the page."""


def read(text: str) -> Figures:
    """By name with labels, as they stand there; each line is a comment or a sample, and each sample is there once."""
    found: Figures = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            assert _SAMPLE.fullmatch(line), line
            name, _, value = line.rpartition(" ")
            assert name not in found
            found[name] = float(value)
    return found
