"""What comes while others are written is written together, and each gets its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from adapters.edges.grouping import Grouped


def test_what_comes_while_the_last_was_written_is_written_together_and_answered_each():
    written: list[list[int]] = []

    async def write(numbers: Sequence[int]) -> list[int]:
        written.append(list(numbers))
        await asyncio.sleep(0)
        return [number * 10 for number in numbers]

    async def scenario() -> list[int]:
        grouped = Grouped(write, 3)
        return await asyncio.gather(*(grouped(number) for number in range(6)))

    assert asyncio.run(scenario()) == [0, 10, 20, 30, 40, 50]
    assert written == [[0, 1, 2], [3, 4, 5]]


def test_who_goes_away_takes_nothing_from_the_others_and_a_failure_is_that_of_all_of_one_writing():
    async def write(texts: Sequence[str]) -> Sequence[str]:
        await asyncio.sleep(0)
        if "bad" in texts:
            raise ValueError("bad")
        return texts

    async def scenario() -> list[object]:
        grouped = Grouped(write, 10, most_waiting=2)
        gone = asyncio.create_task(grouped("gone"))
        stays = asyncio.create_task(grouped("stays"))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(TimeoutError):
            await asyncio.gather(*(grouped("one too many") for _ in range(3)))
        kept = await stays
        return [kept, *await asyncio.gather(grouped("bad"), grouped("beside it"), return_exceptions=True)]

    stays, *failed = asyncio.run(scenario())
    assert stays == "stays"
    assert [str(each) for each in failed] == ["bad", "bad"]


def test_a_pause_after_a_writing_gathers_what_comes_and_who_comes_alone_does_not_wait_for_one():
    written: list[list[int]] = []

    async def write(numbers: Sequence[int]) -> Sequence[int]:
        written.append(list(numbers))
        return numbers

    async def several() -> None:
        grouped = Grouped(write, 10, pause_seconds=0.05)
        await asyncio.gather(grouped(1), grouped(2))
        await asyncio.gather(*(_later(grouped, number) for number in range(3, 8)))

    async def _later(grouped: Grouped[int, int], number: int) -> None:
        for _ in range(number):  # one after the other, each in another turn of the loop
            await asyncio.sleep(0)
        await grouped(number)

    async def alone() -> None:
        grouped = Grouped(write, 10, pause_seconds=3600)
        for number in range(3):
            await grouped(number)

    asyncio.run(several())
    assert written == [[1, 2], [3, 4, 5, 6, 7]]
    written.clear()
    asyncio.run(alone())
    assert written == [[0], [1], [2]]
