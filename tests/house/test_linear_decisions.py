"""The work of a decision, and of folding what it records, grows with the size of the order and no faster.

A decision is one turn of the event loop, so that none may look at all parts of an order for each of them. Steps are
counted, by function, of orders of three sizes: where they grow in line with the size, the second difference is zero.
Python's own loops are counted so; what is done inside of C, such as copying a dict, is not.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any

import pytest

from benchmarks import large_order, large_parts, large_world
from benchmarks.large_world import Command, decided

STEP = 3
SIZES = (STEP, 2 * STEP, 3 * STEP)
PAIRS = STEP * STEP
"""What a step for each pair of parts adds to the second difference, where each pair is looked at once."""

Steps = Counter[tuple[str, str, int]]
"""Lines and calls, by command, function and the line that it begins in."""

ONE_AFTER_ANOTHER = {
    # After each parcel that did not leave all clocks of its order are looked at, as what they show is recorded between
    # the parcels. Usually they are few.
    "VoidParcel, one of many parcels, all of the supplier order",
}
"""Commands that tell many things at once, each of which is judged by all that is known after those before it."""


@pytest.fixture
def sizes() -> Iterator[Callable[[int], None]]:
    yield large_world.resize
    large_world.resize(50)


@pytest.mark.parametrize("commands", [large_order.commands, large_parts.commands], ids=["lines", "parts"])
def test_no_command_looks_at_all_parts_of_an_order_for_each_of_them(
    sizes: Callable[[int], None], commands: Callable[[], Iterator[Command]]
):
    counted = []
    for lines in SIZES:
        sizes(lines)
        steps = Steps()
        for command in commands():
            steps.update(_steps(command))
        counted.append(steps)

    small, middle, large = counted
    growing = {where: large[where] - 2 * middle[where] + small[where] for where in large}
    found = {where: more for where, more in growing.items() if more >= PAIRS and where[0] not in ONE_AFTER_ANOTHER}
    assert found == {}


def _steps(command: Command) -> Steps:
    """Of deciding a command and of folding its facts."""
    book, decide = command.before.book, decided(command.decide, command.before.now)
    changes = decide(book.begin())  # the first time fills the caches of Python and of the ledger
    counted = Counter[CodeType]()
    draft = book.begin()
    _counting(counted, decide, draft)
    draft.check(changes)
    for stream, fact in changes:
        _counting(counted, draft.apply, stream, fact)
    return Steps({(command.name, each.co_qualname, each.co_firstlineno): n for each, n in counted.items()})


def _counting(counted: Counter[CodeType], work: Callable[..., Any], *arguments: Any) -> None:
    def count(frame: FrameType, event: str, _: object) -> Any:
        if event in ("call", "line"):
            counted[frame.f_code] += 1
        return count

    before = sys.gettrace()
    gc.disable()  # others are told when it collects, which is at any time and none of the work
    sys.settrace(count)
    try:
        work(*arguments)
    finally:
        sys.settrace(before)
        gc.enable()
