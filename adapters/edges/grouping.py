"""Work on many things at once: writing together what comes while the last was written, and waiting for all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Grouped(Generic[T, R]):
    """A function of many that is called with one at a time."""

    def __init__(
        self,
        write: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
        most_at_once: int,
        most_waiting: int = 100_000,
        pause_seconds: float = 0.0,
    ) -> None:
        """``write`` answers each in its place, or fails for all.

        A writing costs about the same however much it carries: where several come at once, there is a pause after each
        in which more of them gather. Who comes alone never waits.
        """
        self._write = write
        self._most_at_once = most_at_once
        self._most_waiting = most_waiting
        self._pause_seconds = pause_seconds
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def __call__(self, item: T) -> R:
        """The answer for this one. Raises what the writing raised, and TimeoutError if too many wait."""
        if len(self._waiting) >= self._most_waiting:
            raise TimeoutError
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all(), name="grouped")
        # Who goes away takes what it gave not away from the others.
        return await asyncio.shield(answer)

    async def _write_all(self) -> None:
        while self._waiting:
            now, self._waiting = self._waiting[: self._most_at_once], self._waiting[self._most_at_once :]
            try:
                answers = await self._write([item for item, _ in now])
            except Exception as error:  # noqa: BLE001 - each of those that wait gets it
                for _, answer in now:
                    answer.set_exception(error)
                    answer.exception()  # who waited may be gone
                continue
            for (_, answer), each in zip(now, answers, strict=True):
                answer.set_result(each)
            if self._pause_seconds and (len(now) > 1 or self._waiting) and len(self._waiting) < self._most_at_once:
                await asyncio.sleep(self._pause_seconds)


async def all_ended(works: Iterable[Awaitable[None]]) -> None:
    """Waits until all of them have ended, also where one failed, and raises what the first of these raised.

    So nothing goes on behind the back of whoever lets a lock or a lease go then.
    """
    for ended in await asyncio.gather(*works, return_exceptions=True):
        if ended is not None:
            raise ended
