"""A gRPC server to which many calls can come at once.

grpc.aio asks the core of gRPC for one call, and for the next one when that has come: for each call some turns of
the event loop and two changes of thread, one call after another, and none while a batch holds the loop. This
server always has many requests for a call with the core. It answers a third more empty calls for it
(benchmarks/RESULTS.md).

It overrides a method of grpcio that is not public, which is why grpcio's version is bounded so narrowly. Without
that method calls would come one by one as ever, and tests/service/test_accepting.py would say so.
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

_PENDING = 1_000_000
_PENDING_SECONDS = 3600
_PATIENT = [
    ("grpc.server.max_pending_requests", _PENDING),
    ("grpc.server.max_pending_requests_hard_limit", _PENDING),
    ("grpc.server.max_unrequested_time_in_server", _PENDING_SECONDS),
]
"""How many calls may wait in the core, and how long. Beyond its own bounds, of 1,000 calls and 30 seconds, it cancels
them without a word; a ledger's own queue is bounded as well, and says QUEUE_FULL."""


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
            request.add_done_callback(lambda done, asked=asked: self._came(done, asked))
            asked.append(request)
        return asked.popleft()

    def _came(self, request: asyncio.Task[Any], asked: deque[asyncio.Task[Any]]) -> None:
        # The core gives up all requests when the server stops; those that fail have no call to let go.
        if self._stopping and not request.cancelled() and request.exception() is None and request in asked:
            asked.remove(request)

    async def shutdown(self, grace: float | None) -> None:
        """Stops. A call that came but was not begun is let go, which cancels it, as if it had not come yet."""
        self._stopping = True
        self._let_go()
        await super().shutdown(grace)

    def _let_go(self) -> None:
        # A method of its own: a call goes with the last that refers to it, and shutdown waits until all calls are gone.
        for asked in self.asked.values():
            still_asking = [request for request in asked if not request.done()]
            asked.clear()
            asked.extend(still_asking)


def aio_server(options: Sequence[tuple[str, Any]] = ()) -> grpc.aio.Server:
    """As grpc.aio.server."""
    theirs, cygrpc.AioServer = cygrpc.AioServer, ManyAtOnce
    try:
        return grpc.aio.server(options=[*_PATIENT, *options])
    finally:
        cygrpc.AioServer = theirs
