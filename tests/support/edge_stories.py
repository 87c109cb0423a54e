"""How the work about what foreign systems told and are told ends, for the test of all work."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.nouns import effects, receptions
from tests.support.scenario import NOON, Scenario, a_shop

Story = Iterator[Scenario]


def what_a_shop_told_is_tried_again() -> Story:
    scenario = a_shop()
    stream = receptions.stream("0a")
    failed = receptions.ReceptionFailed("0a", "main", "order.updated", "1001", "currency: no ISO 4217 code", NOON)
    scenario.record([(stream, failed)])
    yield scenario
    scenario.record([(stream, receptions.ReceptionSettled("0a", receptions.Ending.REPLAYED, "mia", NOON))])


def what_could_not_be_told_is_tried_again() -> Story:
    scenario = a_shop()
    stream = effects.stream("0b")
    asked = effects.EffectAsked("0b", "main", NOON, effects.EffectSubject.ORDER, "main/1001", NOON)
    scenario.record([(stream, asked), (stream, effects.EffectFailed("0b", "no such order", NOON))])
    yield scenario
    scenario.record([(stream, effects.EffectReplayed("0b", "mia", NOON))])
