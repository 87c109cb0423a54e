"""A gRPC server to which many calls can come at once.

grpc.aio requests one call from the core of gRPC, and the next one when that has arrived. Each call then takes some
turns of the event loop and two thread switches, and none arrives while a batch holds the loop. This server always
has many requests with the core, and answers a third more empty calls by it (benchmarks/RESULTS.md).

It overrides a method of grpcio that is not public, which is why grpcio's version is bounded so narrowly. Without
that method calls would arrive one by one, and tests/service/test_accepting.py would fail.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any

import grpc
from grpc._cython import cygrpc  # type: ignore[attr-defined]

CALLS_AT_ONCE = 64
"""How many calls of each registered method, and of all the others together, can come before the loop looks."""

UNASKED_BYTES = 16 * 1024
"""How much of a message may come before it is asked for: most are shorter."""

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


class ManyAtOnce(cygrpc.AioServer):  # type: ignore[misc]
    """The part of grpc.aio's server that takes calls from the core."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.asked: defaultdict[bytes | None, deque[asyncio.Task[Any]]] = defaultdict(deque)
        """Requests for a call, in the order they were made, by registered method; None for all the others."""
        self._stopping = False

    def _make_request_call_future(self, method: bytes | None) -> asyncio.Task[Any]:
        """The oldest request for a call, with enough behind it."""
        asked = self.asked[method]
        while len(asked) <= CALLS_AT_ONCE:
            request = super()._make_request_call_future(method)
            request.add_done_callback(lambda done, asked=asked: self._arrived(done, asked))
            asked.append(request)
        return asked.popleft()

    def _arrived(self, request: asyncio.Task[Any], asked: deque[asyncio.Task[Any]]) -> None:
        # The core drops all requests when the server stops; failed ones have no call to release.
        if self._stopping and not request.cancelled() and request.exception() is None and request in asked:
            asked.remove(request)

    async def shutdown(self, grace: float | None) -> None:
        """Stops. A call that arrived but was not begun is released, which cancels it."""
        self._stopping = True
        self._release_calls()
        await super().shutdown(grace)

    def _release_calls(self) -> None:
        # A method of its own, so that no local variable keeps a call; shutdown waits until all calls are gone.
        for asked in self.asked.values():
            still_asking = [request for request in asked if not request.done()]
            asked.clear()
            asked.extend(still_asking)


def aio_server(options: Sequence[tuple[str, Any]] = ()) -> grpc.aio.Server:
    """As grpc.aio.server."""
    theirs, cygrpc.AioServer = cygrpc.AioServer, ManyAtOnce
    try:
        return grpc.aio.server(options=[*_PATIENT, *_BOUNDED, *options])
    finally:
        cygrpc.AioServer = theirs
