"""Messages on their way: gRPC keeps what has come of each, so it is asked for few at once, and for none too long.

Of a message that nobody has asked for it takes only the first bytes (``accepting``). So it is looked first who calls,
and then the message waits for its turn: each client may have as many on their way as there is still room for, which
always leaves room for others; and where several leave none, the slowest message of whoever has most gives way. One that
is there already holds its place for a turn of the event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import takewhile
from time import monotonic
from typing import Any, NamedTuple

import grpc

from adapters.access.limits import CALLS_AT_ONCE, Meter
from adapters.rpc.contexts import Context
from ledger.refusals import Malformed, RateLimited

BYTES_COMING = 256 << 20
"""Of messages that are on their way, if each is the longest."""
SECONDS = 30.0
"""How long a message may take from its first byte to its last."""
SURE_SECONDS = 1.0
"""How long it may take in any case, also if clients wait that have none on its way."""
MOST_OF_STRANGERS = 16
"""Messages on their way of those who show no credentials."""
LOOK_SECONDS = 0.25
"""How often it is looked whether one takes too long."""
_GONE_SECONDS = 0.1
"""So soon gRPC cancels what runs for a caller who has gone, called for too long, or sends more than may be sent."""
_FEWEST = 4
"""So many may be on their way however long messages may be."""
_RETRY_MILLISECONDS = 1000


class _Coming(NamedTuple):
    """A message that was asked for."""

    since: float
    meter: Meter | None
    """Whose it is; None for a stranger's."""


class Turnstile:
    """Decides of which calls the messages are asked for: how many, and how many bytes, are on their way at once."""

    def __init__(self, longest_bytes: int) -> None:
        self._free = max(BYTES_COMING // longest_bytes, _FEWEST)
        self._coming: dict[asyncio.Task[Any], _Coming] = {}
        """By who reads it; the oldest first."""
        self._strangers: dict[asyncio.Task[Any], None] = {}
        self._ended: dict[asyncio.Task[Any], RateLimited] = {}
        """Those whose message is no longer waited for, and why."""
        self._waiting: dict[Meter, deque[asyncio.Future[None]]] = {}
        self._look: asyncio.TimerHandle | None = None

    async def message(self, meter: Meter, context: Context) -> Any:
        """The message of a call; raises RateLimited if it does not come in time, and Malformed if there is none."""
        return await _required(await self.next_message(meter, context))

    async def next_message(self, meter: Meter, context: Context) -> Any:
        """The next message of a call that may have more; None if there is none."""
        if meter.coming >= self._free or meter in self._waiting:
            await self._turn(meter)
        else:
            self._take(meter)
        try:
            return await self._read(context, meter)
        finally:
            self._give_back(meter)

    async def message_of_a_stranger(self, context: Context) -> Any:
        """The same for whoever shows no credentials. Nobody waits here: the newest takes the place of the oldest."""
        strangers, task = self._strangers, _present()
        if len(strangers) >= MOST_OF_STRANGERS:
            oldest = next(iter(strangers))
            del strangers[oldest]
            self._end(oldest, RateLimited("messages of strangers at once", MOST_OF_STRANGERS, _RETRY_MILLISECONDS))
        strangers[task] = None
        try:
            message = await self._read(context)
        finally:
            strangers.pop(task, None)
        return await _required(message)

    # --- turns ---

    def _take(self, meter: Meter) -> None:
        meter.coming += 1
        self._free -= 1

    def _give_back(self, meter: Meter) -> None:
        meter.coming -= 1
        self._free += 1
        if self._waiting:
            self._call_next()

    async def _turn(self, meter: Meter) -> None:
        queue = self._waiting.setdefault(meter, deque())
        if len(queue) >= CALLS_AT_ONCE:
            raise RateLimited("calls at once", CALLS_AT_ONCE, _RETRY_MILLISECONDS)
        turn = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # its turn came as its caller went
                self._give_back(meter)
            raise

    def _call_next(self) -> None:
        """Calls the next of each client that has room, client after client."""
        for meter, queue in list(self._waiting.items()):
            while queue and queue[0].cancelled():
                queue.popleft()
            if queue and meter.coming < self._free:
                self._take(meter)
                queue.popleft().set_result(None)
                del self._waiting[meter]
                self._waiting[meter] = queue
            if not queue:
                del self._waiting[meter]

    # --- reading ---

    async def _read(self, context: Context, meter: Meter | None = None) -> Any:
        task = _present()
        self._coming[task] = _Coming(monotonic(), meter)
        if self._look is None:
            self._look_soon()
        try:
            message = await context.read()
        except asyncio.CancelledError:
            if (why := self._ended.get(task)) is None:
                raise
            task.uncancel()
            raise why from None
        finally:
            del self._coming[task]
            self._ended.pop(task, None)
        return None if message is grpc.aio.EOF else message

    def _look_soon(self) -> None:
        self._look = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._end_slow)

    def _end_slow(self) -> None:
        """Ends those that take too long; looks again as long as some are on their way."""
        self._look = None
        if self._coming:
            self._look_soon()
        for task in self._slower_than(SECONDS):
            self._end(task, RateLimited("seconds for sending a message", int(SECONDS), _RETRY_MILLISECONDS))
        if not self._free and any(not meter.coming for meter in self._waiting):
            self._make_room()

    def _make_room(self) -> None:
        """Ends the slowest message of the client with most of them: somebody waits who has none."""
        slow = [(task, meter) for task in self._slower_than(SURE_SECONDS) if (meter := self._coming[task].meter)]
        if slow:
            task, meter = max(slow, key=lambda each: each[1].coming)
            self._end(task, RateLimited("messages at once, while others wait", meter.coming - 1, _RETRY_MILLISECONDS))

    def _slower_than(self, seconds: float) -> list[asyncio.Task[Any]]:
        before = monotonic() - seconds
        return [task for task, _ in takewhile(lambda each: each[1].since < before, self._coming.items())]

    def _end(self, task: asyncio.Task[Any], why: RateLimited) -> None:
        self._ended[task] = why
        task.cancel()


async def _required(message: Any) -> Any:
    if message is None:
        await asyncio.sleep(_GONE_SECONDS)
        raise Malformed(("request", "is missing: the call ended without a message"))
    return message


def _present() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task
