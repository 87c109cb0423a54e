"""Suppliers that offer the same, and one that was sent an order."""

from __future__ import annotations

from ledger.nouns.orders import WhenUnavailable
from tests.support.story import Story, line


def market(**more: object) -> Story:
    """Acme, Bolt and Cord each have 10 of tea, each dearer than the one before, and Acme was sent an order of 3."""
    story = Story()
    for cost, supplier_id in enumerate(("acme", "bolt", "cord"), 300):
        story.approve(supplier_id)
        story.offer(supplier_id=supplier_id, cost=cost)
        story.feed(10, supplier_id=supplier_id)
    story.place(**more)  # type: ignore[arg-type]
    story.send()
    return story


def alone(when: WhenUnavailable = WhenUnavailable.HOLD) -> Story:
    """Nobody but Acme offers tea but Bolt, which has none."""
    story = Story()
    for supplier_id in ("acme", "bolt"):
        story.approve(supplier_id)
        story.offer(supplier_id=supplier_id)
    story.feed(10)
    story.feed(0, supplier_id="bolt")
    story.place(line(1, "tea", 3), line(2, "ink", 1), when_unavailable=when)
    story.send()
    return story
