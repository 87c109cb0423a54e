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
