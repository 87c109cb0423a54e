"""Suppliers that offer the same, and one that was sent an order."""

from __future__ import annotations

from ledger.nouns.orders import WhenUnavailable
from tests.support.scenario import Scenario, line


def market(**more: object) -> Scenario:
    """Acme, Bolt and Cord each have 10 of tea, each dearer than the one before, and Acme was sent an order of 3."""
    scenario = Scenario()
    for cost, supplier_id in enumerate(("acme", "bolt", "cord"), 300):
        scenario.approve(supplier_id)
        scenario.offer(supplier_id=supplier_id, cost=cost)
        scenario.feed(10, supplier_id=supplier_id)
    scenario.place(**more)  # type: ignore[arg-type]
    scenario.send()
    return scenario


def alone(when: WhenUnavailable = WhenUnavailable.HOLD) -> Scenario:
    """Nobody but Acme offers tea but Bolt, which has none."""
    scenario = Scenario()
    for supplier_id in ("acme", "bolt"):
        scenario.approve(supplier_id)
        scenario.offer(supplier_id=supplier_id)
    scenario.feed(10)
    scenario.feed(0, supplier_id="bolt")
    scenario.place(line(1, "tea", 3), line(2, "ink", 1), when_unavailable=when)
    scenario.send()
    return scenario
