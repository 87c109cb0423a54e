"""A large batch of one caller, decided in pieces, so that others get in between."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from ledger.engine.commands import Answer, Command
from ledger.engine.measures import Passed
from ledger.refusals import ShuttingDown, StorageUnavailable

PIECE_SECONDS = 0.15
"""How long a batch may keep a tenant before others get in between."""
LONG_READ_SECONDS = 0.1
"""What takes longer to read is worth a larger piece."""
_MOST_FOR_READING_SECONDS = 1.0
FIRST_PIECE = 16
"""How many commands of a batch are decided first: how much work they are is known afterwards."""
_PIECE_GROWS = 8
"""How many times as many follow at most."""

Send = Callable[[Sequence[Command], int], Awaitable[tuple[list[Answer], Passed | None]]]
"""Sends a piece, behind which so many commands are still to come: the answers of those at its beginning that were not
put off, and how their transaction went."""


async def in_pieces(commands: Sequence[Command], send: Send) -> list[Answer]:
    answers: list[Answer] = []
    size = FIRST_PIECE
    while left := len(commands) - len(answers):
        piece = commands[len(answers) : len(answers) + size]
        answered, passed = await send(piece, left - len(piece))
        answers += answered
        if answered and passed is not None:  # else it was put off, because others took long
            size = _next_size(len(answered), passed)
        if answered and isinstance(answered[-1], StorageUnavailable | ShuttingDown):
            answers += answered[-1:] * (len(commands) - len(answers))
    return answers


def _next_size(size: int, passed: Passed) -> int:
    """How large a piece of a batch is to be, after one of a size that went so."""
    seconds = max(passed.committed - passed.opened - passed.waited_seconds, 0.001)
    return max(1, min(size * _PIECE_GROWS, int(size * (PIECE_SECONDS + time_for(passed.read_seconds)) / seconds)))


def time_for(read_seconds: float) -> float:
    """How much longer a piece may take for which so much had to be read first: with less it would mostly read, if the
    streams of a batch do not all fit into memory, and each piece has to read again what went."""
    return min(read_seconds, _MOST_FOR_READING_SECONDS) if read_seconds > LONG_READ_SECONDS else 0.0
