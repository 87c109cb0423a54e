"""A log with facts for every read model."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from ledger.nouns.parcels import ParcelStatus
from ledger.terms.clocks import Clock
from ledger.terms.money import Money
from ledger.terms.parties import Party
from tests.support.casework import Desk
from tests.support.recovering import Recovering, refund
from tests.support.story import NOON, TERMS, Story, delivered, line


def long_story() -> Story:
    """Orders, stock, parcels, inquiries, recoveries and cases: no read model stays empty."""
    story = delivered(line(1, "tea", 2), line(2, "mug", 1, "bolt"), promised_by=NOON + timedelta(days=2))
    story.ship(supplier_order_id="shopify/1/2", number="P2")
    story.later(hours=1)
    story.scan(ParcelStatus.IN_TRANSIT, number="P2")
    story.reserve("cart-1", 2)
    story.ask("q1")
    story.ask("q2", Party.RETAILER)
    story.answer_inquiry("q1")
    story.ask("q3")
    story.close_inquiry("q3")
    story.ask("q4", Party.RETAILER)
    story.place(line(1, "tea", 2), order_id="shopify/2")
    story.agree_terms(replace(TERMS, effective_from=NOON, compensation_basis_points=100))
    story.offer("tea", Money(250, "EUR"))
    story.place(line(1, "tea", 2), order_id="shopify/3")
    story.send("shopify/3/1")
    story.later(days=8)
    story.miss(Clock.DELIVERY, "shopify/1")
    story.miss(Clock.DISPATCH, "shopify/3/1", "shopify/3")
    story.ship({1: 1}, supplier_order_id="shopify/3/1", number="P3")
    story.miss_answer("q2")
    story.answer_inquiry("q2", at=NOON + timedelta(days=4))
    story.scan(ParcelStatus.DELIVERED, number="P2")
    story.dispute("P2")
    story.cancel(order_id="shopify/2")
    for number in range(4):
        recovering = Recovering(story, f"r{number}")
        recovering.of_supplier(refund(100))
        recovering.accept(25 * (number + 1))
    desk = Desk(story)
    for case_id in ("case-1", "case-2"):
        desk.opens(case_id=case_id)
    return story
