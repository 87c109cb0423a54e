"""The benchmark of decisions measures what it says: every command that touches an order, deciding all it can."""

from adapters.rpc.services import READERS
from benchmarks.large_order import commands
from benchmarks.large_world import decided
from ledger.decisions.timers import TIMERS

_OF_NO_ORDER = {"suppliers", "stock_ups", "work", "admin", "edges"}
"""Contracts whose commands touch no order."""


def test_every_command_that_touches_an_order_is_measured():
    named = {command.name.partition(",")[0] for command in commands()}
    asked = {
        request.DESCRIPTOR.name.removesuffix("Request")
        for request in READERS
        if request.DESCRIPTOR.file.name.split("/")[-1].removesuffix(".proto") not in _OF_NO_ORDER
    }

    assert asked <= named
    assert {f"clock: {timer}" for timer in TIMERS} <= named


def test_each_records_the_facts_that_it_is_to_record():
    lacking = []
    for command in commands():
        changes = decided(command.decide, command.before.now)(command.before.book.begin())
        if len(changes) < command.facts:
            lacking.append((command.name, len(changes)))

    assert lacking == []
