"""What is wrong with a request, each fault with the path of its field.

Whoever reads a field raises Malformed with the first fault. A request that is malformed is read once more to find all
its faults (``all_faults``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from ledger.refusals import Malformed

M = TypeVar("M")
T = TypeVar("T")

_noted: list[tuple[str, str]] | None = None
"""The faults found so far while all of them are looked for."""

_MOST_FAULTS = 50
_MOST_CHARACTERS = 500
"""Of the sentence of one fault, which may quote the request."""


class _Enough(Exception):
    """Enough faults are found."""


def fault(field: str, message: str) -> None:
    """Raises Malformed; while all faults are collected, notes it instead, and the reader goes on."""
    if _noted is None:
        raise Malformed((field, message))
    _noted.append((field, message))
    if len(_noted) >= _MOST_FAULTS:
        raise _Enough


def require(holds: bool, field: str, message: str) -> None:
    if not holds:
        fault(field, message)


def all_faults(first: Malformed, read: Callable[[], object]) -> Malformed:
    """What is wrong with a request of which one fault is known, by reading it once more to its end.

    A well-formed request is read only once. A faulty value can make the reader fail; then the faults found up to there
    are reported.
    """
    global _noted
    noted = _noted = []
    try:
        read()
    except Malformed as last:
        noted += last.faults
    except Exception:  # noqa: BLE001, S110 - it was read with a value that is at fault
        pass
    finally:
        _noted = None
    found: dict[str, str] = {}
    for field, message in (*noted, *first.faults):
        found.setdefault(field, message)
    return Malformed(*((field, _short(message)) for field, message in found.items()))


def _short(message: str) -> str:
    return message if len(message) <= _MOST_CHARACTERS else f"{message[:_MOST_CHARACTERS]}…"


def each(messages: Iterable[M], field: str, read: Callable[[M], T]) -> tuple[T, ...]:
    """A repeated field: what each message means, by a reader that names fields as the message itself does."""
    if _noted is not None:
        return _each_noted(messages, field, read, _noted)
    found = []
    for index, message in enumerate(messages):
        try:
            found.append(read(message))
        except Malformed as refusal:
            raise refusal.within(f"{field}[{index}]") from None
    return tuple(found)


def _each_noted(
    messages: Iterable[M], field: str, read: Callable[[M], T], noted: list[tuple[str, str]]
) -> tuple[T, ...]:
    found = []
    for index, message in enumerate(messages):
        before = len(noted)
        try:
            found.append(read(message))
        except Malformed as refusal:
            noted += refusal.faults
        finally:
            noted[before:] = [(f"{field}[{index}].{path}", sentence) for path, sentence in noted[before:]]
    return tuple(found)


def checked(check: Callable[[], object]) -> None:
    """Runs a check that raises Malformed itself; while all faults are collected, notes it like others."""
    try:
        check()
    except Malformed as refusal:
        for found in refusal.faults:
            fault(*found)
