"""A task that is to end ends."""

from __future__ import annotations

import asyncio

from adapters.every_tenant import end


async def test_a_task_that_misses_its_cancellation_is_cancelled_again() -> None:
    """As asyncio.wait_for makes it miss one before Python 3.12."""
    cancellations = 0

    async def misses_the_first() -> None:
        nonlocal cancellations
        while cancellations < 2:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancellations += 1

    task = asyncio.create_task(misses_the_first())
    await asyncio.sleep(0)
    await end([task])
    assert (cancellations, task.done()) == (2, True)
