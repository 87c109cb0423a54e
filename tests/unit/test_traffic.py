"""What can wait gives way while much comes in: until that ends, or for so long as it is told."""

from __future__ import annotations

import asyncio

import pytest

from adapters.edges.traffic import Traffic


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """One by which each look takes a hundredth of a second, and no time passes beside that."""
    clock = Clock()

    async def sleep(seconds: float) -> None:
        clock.now += 0.01

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return clock


def test_much_comes_in_where_many_came_within_a_moment(clock: Clock):
    counted = Traffic(clock)

    def heavy_after(count: int, pause: float) -> bool:
        for _ in range(count):
            clock.now += pause
            counted.note()
        return counted.is_heavy

    assert [heavy_after(9, 0.0), heavy_after(1, 0.0)] == [False, True]
    clock.now += 0.2
    assert not counted.is_heavy
    assert [heavy_after(100, 0.1), heavy_after(100, 0.01)] == [False, True]


def test_what_can_wait_waits_until_less_comes_in_and_not_at_all_where_little_does(clock: Clock):
    counted = Traffic(clock)
    asyncio.run(counted.give_way(60))
    assert clock.now == 100.0
    for _ in range(10):
        counted.note()
    asyncio.run(counted.give_way(60))
    assert clock.now == pytest.approx(100.2)


def test_what_can_wait_waits_no_longer_than_it_was_told(clock: Clock, monkeypatch: pytest.MonkeyPatch):
    counted = Traffic(clock)
    monkeypatch.setattr(Traffic, "is_heavy", True)
    asyncio.run(counted.give_way(0.5))
    assert clock.now == pytest.approx(100.5)
