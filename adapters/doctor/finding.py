"""What was looked at, how it stands, and what to do."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Severity(IntEnum):
    """How bad it is; the exit code of the console, too."""

    OK = 0
    WARNING = 1
    FAILS = 2


class Finding(NamedTuple):
    """One line of what the doctor says."""

    check: str
    level: Severity
    found: str
    advice: str = ""
    """Empty where nothing is to be done."""


def ok(check: str, found: str) -> Finding:
    return Finding(check, Severity.OK, found)


def warning(check: str, found: str, advice: str) -> Finding:
    return Finding(check, Severity.WARNING, found, advice)


def fails(check: str, found: str, advice: str) -> Finding:
    return Finding(check, Severity.FAILS, found, advice)


def size(count: float) -> str:
    """Bytes as people read them."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
