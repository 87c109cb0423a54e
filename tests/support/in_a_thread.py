"""A server in a thread of this process, with an event loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

import uvloop

T = TypeVar("T")
_SECONDS = 60


@contextmanager
def running(server: AbstractAsyncContextManager[T], name: str) -> Iterator[T]:
    """What the server gives once it has started; it is stopped in the end."""
    started: Future[tuple[T, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        async with server as given:
            stop = asyncio.Event()
            started.set_result((given, asyncio.get_running_loop(), stop))
            await stop.wait()

    def run() -> None:
        try:
            uvloop.run(serve())
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    given, loop, stop = started.result(_SECONDS)
    try:
        yield given
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(_SECONDS)
        assert not thread.is_alive(), f"{name} did not stop"
