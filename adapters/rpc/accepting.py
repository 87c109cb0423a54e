"""A gRPC server to which many calls can come at once.

grpc.aio requests one call from the core of gRPC, and the next one when that has arrived. Each call then takes some
turns of the event loop and two thread switches, and none arrives while a batch holds the loop. This server always
has many requests with the core, and answers a third more empty calls by it (benchmarks/RESULTS.md).

It overrides methods of grpcio that are not public, which is why grpcio's version is bounded so narrowly. Without
them calls would arrive one by one, or be cancelled by a stop, and tests/service/test_accepting.py would fail.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Sequence
from enum import Enum, auto
from typing import Any

import grpc
from grpc._cython import cygrpc  # type: ignore[attr-defined]

CALLS_AT_ONCE = 64
"""How many calls of each registered method, and of all the others together, can come before the loop looks."""

UNASKED_BYTES = 16 * 1024
"""How much of a message may come before it is asked for: most are shorter."""

HOLD_SECONDS = 0.25
"""How long a server that stops takes calls and begins none: longer than most pause who call again and again."""

CONNECTIONS = 800
"""At once: a process may usually have 1,024 files open, and needs some for the database."""

_PENDING = 1_000_000
_PENDING_SECONDS = 3600
_PATIENT = [
    ("grpc.server.max_pending_requests", _PENDING),
    ("grpc.server.max_pending_requests_hard_limit", _PENDING),
    ("grpc.server_max_unrequested_time_in_server", _PENDING_SECONDS),
]
"""How many calls may wait in the core, and how long. Beyond its own bounds, of 1,000 calls and 30 seconds, it cancels
them without an error; a ledger's own queue is bounded as well, and answers QUEUE_FULL."""


_BOUNDED = [
    # A connection that has said nothing by then is closed; gRPC would wait for two minutes.
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_allowed_incoming_connections", CONNECTIONS),
    # Of one connection. A caller with more waits; what it sends before it was told of the bound is refused.
    ("grpc.max_concurrent_streams", 10_000),
    # Of a message that nobody has asked for (turnstile.py); by its probes gRPC would come to take all of it, and more.
    ("grpc.http2.lookahead_bytes", UNASKED_BYTES),
    ("grpc.http2.bdp_probe", 0),
    # A caller whose machine is gone is noticed within minutes, and what it follows is not read for ever.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
]
"""How much of a connection a caller may take. That nobody pings more often than once in 5 minutes, and that metadata
has at most 16 KiB, are gRPC's own bounds."""


class _Stage(Enum):
    SERVES = auto()
    HOLDS = auto()
    """It takes calls and begins none."""
    ENDS = auto()
    """No more calls come, and those that came are begun."""


class ManyAtOnce(cygrpc.AioServer):  # type: ignore[misc]
    """The part of grpc.aio's server that takes calls from the core.

    A server that stops tells its callers to go elsewhere. What they call before they have read that, the core cancels,
    and grpc.aio cancels what had come and was not begun; who is told CANCELLED cannot know that it may call again. So
    for a moment calls are taken and not begun, until who calls again and again waits for an answer. Then callers are
    told, and then all that came is begun: its answers are read behind what was told.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.asked: defaultdict[bytes | None, deque[asyncio.Task[Any]]] = defaultdict(deque)
        """Requests for a call, in the order they were made, by registered method; None for all the others."""
        self._stage = _Stage.SERVES
        self._idle: list[asyncio.Future[Any]] = []
        """What grpc.aio waits for instead of a call; one a method, at most."""
        self._all_begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._beginning: asyncio.Task[None] | None = None
        self._telling: asyncio.Task[None] | None = None

    def _make_request_call_future(self, method: bytes | None) -> asyncio.Future[Any]:
        """The oldest request for a call, with enough behind it."""
        asked = self.asked[method]
        if self._stage is _Stage.SERVES:
            while len(asked) <= CALLS_AT_ONCE:
                self._ask(method)
        elif self._stage is _Stage.HOLDS or not asked:
            return self._no_call()
        return asked.popleft()

    def _ask(self, method: bytes | None) -> None:
        request = super()._make_request_call_future(method)
        request.add_done_callback(lambda _: self._has_come(method))
        self.asked[method].append(request)

    def _has_come(self, method: bytes | None) -> None:
        if self._stage is _Stage.HOLDS:
            self._ask(method)

    def _no_call(self) -> asyncio.Future[Any]:
        idle: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._idle.append(idle)
        if self._stage is _Stage.ENDS and len(self._idle) == len(self.asked) and not self._all_begun.done():
            self._all_begun.set_result(None)
        return idle

    def _look_again(self) -> None:
        """Has grpc.aio ask for the next calls, as where a request failed, or end if it takes no more."""
        for idle in self._idle:
            if not idle.done():
                idle.set_exception(cygrpc._RequestCallError())  # noqa: SLF001 - it is asked for again
        self._idle = []

    async def shutdown(self, grace: float | None) -> None:
        """Stops: without a grace it cancels all calls, else those that are not answered by then."""
        if self._beginning is None and self.is_running():
            self._beginning = asyncio.create_task(self._begin_all(0 if grace is None else HOLD_SECONDS))
        if self._beginning is not None:
            await asyncio.shield(self._beginning)
        await super().shutdown(grace)

    async def _begin_all(self, hold_seconds: float) -> None:
        self._stage = _Stage.HOLDS
        await asyncio.sleep(hold_seconds)
        self._stage = _Stage.ENDS
        self._telling = asyncio.create_task(super()._start_shutting_down())
        await asyncio.sleep(0)  # now they are told
        self._look_again()
        await asyncio.wait([self._all_begun, self._telling], return_when=asyncio.FIRST_COMPLETED)
        self.asked.clear()

    async def _start_shutting_down(self) -> None:
        """What shutdown asks for once it takes no more calls; callers are told already."""
        self._look_again()
        if self._telling is not None:
            await self._telling


def aio_server(options: Sequence[tuple[str, Any]] = ()) -> grpc.aio.Server:
    """As grpc.aio.server."""
    theirs, cygrpc.AioServer = cygrpc.AioServer, ManyAtOnce
    try:
        return grpc.aio.server(options=[*_PATIENT, *_BOUNDED, *options])
    finally:
        cygrpc.AioServer = theirs
