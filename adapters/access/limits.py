"""What one client may have under way, so that a program that runs wild takes the service from nobody else; and what all
may have, so that the process has memory for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import NamedTuple

from ledger.refusals import RateLimited

CALLS_AT_ONCE = 10_000
BYTES_AT_ONCE = 256 << 20
BYTES_OF_ALL = 512 << 20
"""Of the requests of all clients. While it is worked on, a request takes about four times its bytes."""
STREAMS_AT_ONCE = 100
"""Each that follows the log asks the database again and again."""

_SOON_MILLISECONDS = 100
"""When to try again where it depends on others: calls take milliseconds."""


class Limits(NamedTuple):
    """Of one client; what is said of none is wide."""

    calls_per_second: int | None = None
    calls_at_once: int = CALLS_AT_ONCE
    bytes_at_once: int = BYTES_AT_ONCE
    """Of requests."""


NO_LIMITS = Limits(calls_at_once=1 << 62, bytes_at_once=1 << 62)


class Room:
    """The bytes of requests that there is memory for, whoever sends them."""

    __slots__ = ("_bytes", "_most")

    def __init__(self, most: int = BYTES_OF_ALL) -> None:
        self._most = most
        self._bytes = 0

    def enter(self, size: int) -> None:
        """Counts a request until it leaves; raises RateLimited."""
        if self._bytes + size > self._most and self._bytes:  # one is taken, however long it is
            raise RateLimited("bytes of all clients under way at once", self._most, _SOON_MILLISECONDS)
        self._bytes += size

    def leave(self, size: int) -> None:
        self._bytes -= size


OF_THIS_PROCESS = Room()


class Meter:
    """What a client has under way in this process. Everybody who has no name is one client."""

    __slots__ = ("_bytes", "_calls", "_free_at", "_limits", "_room", "_streams", "coming")

    def __init__(self, limits: Limits = Limits(), room: Room = OF_THIS_PROCESS) -> None:  # noqa: B008 - neither changes
        self._limits = limits
        self._room = room
        self._calls = self._bytes = self._streams = 0
        self.coming = 0
        """How many messages are on their way, of those that gRPC was asked for."""
        self._free_at = 0.0
        """When all calls are paid for, at the rate that is allowed: a second's worth may be owed."""

    def set(self, limits: Limits) -> None:
        """Changes what is allowed; what is under way goes on."""
        self._limits = limits

    def enter(self, size: int) -> None:
        """Counts a call whose request has so many bytes, until it leaves; raises RateLimited."""
        limits = self._limits
        if self._calls >= limits.calls_at_once:
            raise RateLimited("calls at once", limits.calls_at_once, _SOON_MILLISECONDS)
        if self._bytes + size > limits.bytes_at_once and self._calls:  # one is taken, however long it is
            raise RateLimited("bytes under way at once", limits.bytes_at_once, _SOON_MILLISECONDS)
        if limits.calls_per_second is not None:
            self._pay(limits.calls_per_second)
        self._room.enter(size)
        self._calls += 1
        self._bytes += size

    def leave(self, size: int) -> None:
        self._calls -= 1
        self._bytes -= size
        self._room.leave(size)

    @contextmanager
    def reading(self, size: int) -> Iterator[None]:
        """Counts a call as under way while the request of a stream is read; raises RateLimited."""
        self.enter(size)
        try:
            yield
        finally:
            self.leave(size)

    def open_stream(self) -> None:
        """Counts a stream until it is closed; raises RateLimited."""
        if self._streams >= STREAMS_AT_ONCE:
            raise RateLimited("streams at once", STREAMS_AT_ONCE, _SOON_MILLISECONDS)
        self._streams += 1

    def close_stream(self) -> None:
        self._streams -= 1

    def _pay(self, calls_per_second: int) -> None:
        now = time.monotonic()
        owed = max(self._free_at - now, 0.0) + 1 / calls_per_second
        if owed > 1.000_001:  # a second, and what sums of fractions are off by
            raise RateLimited("calls a second", calls_per_second, ceil((owed - 1.0) * 1000))
        self._free_at = now + owed
