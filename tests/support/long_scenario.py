"""A log with facts for every read model."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from ledger.decisions import stocking_up
from ledger.nouns import effects
from ledger.nouns.effects import EffectAsked, EffectSubject, EffectTold
from ledger.nouns.orders import InvoiceWish, PaymentKind
from ledger.nouns.parcels import ParcelStatus
from ledger.nouns.policies import Seller
from ledger.nouns.stock_ups import StockUpAsked
from ledger.terms.clocks import Clock
from ledger.terms.effects import StockLevel
from ledger.terms.money import Money
from ledger.terms.parties import Party
from ledger.terms.shipping import Incoterm, Priority
from tests.support.casework import Desk
from tests.support.invoicing import Invoicing, billed
from tests.support.recovering import Recovering, refund
from tests.support.scenario import NOON, TERMS, Scenario, delivered, line


def long_scenario() -> Scenario:
    """Orders, stock, parcels, inquiries, recoveries and cases: no read model stays empty."""
    scenario = delivered(line(1, "tea", 2), line(2, "mug", 1, "bolt"), promised_by=NOON + timedelta(days=2))
    scenario.ship(supplier_order_id="shopify/1/2", number="P2")
    scenario.later(hours=1)
    scenario.scan(ParcelStatus.IN_TRANSIT, number="P2")
    scenario.hand_over("L2", number="P2")
    scenario.reserve("cart-1", 2)
    scenario.ask("q1")
    scenario.ask("q2", Party.RETAILER)
    scenario.answer_inquiry("q1")
    scenario.ask("q3")
    scenario.close_inquiry("q3")
    scenario.ask("q4", Party.RETAILER)
    scenario.place(line(1, "tea", 2), order_id="shopify/2")
    scenario.agree_terms(replace(TERMS, effective_from=NOON, compensation_basis_points=100))
    scenario.offer("tea", Money(250, "EUR"))
    scenario.agree(seller=Seller("Brook & Sons", ("10435 Berlin",), "DE", "DE811128135"))
    scenario.place(line(1, "tea", 2), order_id="shopify/3", invoice=InvoiceWish())
    scenario.send("shopify/3/1")
    scenario.later(days=8)
    scenario.miss(Clock.DELIVERY, "shopify/1")
    scenario.miss(Clock.DISPATCH, "shopify/3/1", "shopify/3")
    scenario.ship({1: 1}, supplier_order_id="shopify/3/1", number="P3")
    scenario.place(line(1, "tea", 1), order_id="shopify/4")
    scenario.ship(skus={"tea": 2, "gift": 1}, supplier_order_id="shopify/4/1", number="P3")
    scenario.scan(ParcelStatus.OUT_FOR_DELIVERY, number="P3")
    scenario.miss_answer("q2")
    scenario.answer_inquiry("q2", at=NOON + timedelta(days=4))
    scenario.scan(ParcelStatus.DELIVERED, number="P2")
    scenario.dispute("P2")
    scenario.cancel(order_id="shopify/2")
    for number in range(4):
        recovering = Recovering(scenario, f"r{number}")
        recovering.of_supplier(refund(100))
        recovering.accept(25 * (number + 1))
    Invoicing(scenario).record(billed(2))
    asked = StockUpAsked("s1", "acme", "tea", 100, NOON + timedelta(days=90), scenario.now, "mia")
    scenario.record(stocking_up.ask(scenario.book, asked))
    scenario.moved(PaymentKind.CAPTURED, 1_500)
    desk = Desk(scenario)
    for case_id in ("case-1", "case-2"):
        desk.opens(case_id=case_id)
    scenario.approve("silk", country="CN")
    scenario.feed(10, "scarf", "silk")
    scarf = line(1, "scarf", 1, "silk", title="Scarf", hs_code="621410", origin="CN", weight_grams=80)
    scenario.place(scarf, order_id="shopify/5", priority=Priority.EXPRESS, incoterm=Incoterm.DDP)
    scenario.send("shopify/5/1")
    scenario.ship(supplier_order_id="shopify/5/1", number="P5")
    scenario.scan(ParcelStatus.CUSTOMS_HELD, number="P5")
    to_tell = EffectAsked("0b", "main", NOON, EffectSubject.SKU, "tea", NOON)
    told = EffectTold("0b", "level", StockLevel("tea", 3), NOON, "/products/7")
    scenario.record([(effects.stream("0b"), to_tell), (effects.stream("0b"), told)])
    return scenario
