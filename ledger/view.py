"""What decisions see: folded streams by name, and small words for turning facts into changes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import reduce
from typing import Protocol

from ledger import breaches, orders
from ledger.inquiries import Inquiry
from ledger.messages import Message
from ledger.orders import Order, OrderFact
from ledger.parcels import Parcel
from ledger.policies import Policies
from ledger.recoveries import Recovery
from ledger.returns import Case
from ledger.skus import Sku
from ledger.stock import Stock
from ledger.suppliers import Supplier
from ledger.tasks import Task
from ledger.values import Change, Fact, order_stream


class View(Protocol):
    """Folded streams; None where nothing is recorded. Asking for one that is not in memory raises a miss."""

    def order(self, order_id: str) -> Order | None: ...
    def stock(self, supplier_id: str, sku: str) -> Stock | None: ...
    def sku(self, sku: str) -> Sku | None: ...
    def supplier(self, supplier_id: str) -> Supplier | None: ...
    def parcel(self, carrier: str, number: str) -> Parcel | None: ...
    def recovery(self, recovery_id: str) -> Recovery | None: ...
    def inquiry(self, inquiry_id: str) -> Inquiry | None: ...
    def message(self, message_id: str) -> Message | None: ...
    def case(self, case_id: str) -> Case | None: ...
    def task(self, task_id: str) -> Task | None: ...
    def policy(self) -> Policies | None: ...
    def need(self, *streams: str) -> None:
        """Have all these streams at hand before deciding, so that they are loaded together."""


def order_in(view: View, order_id: str) -> Order:
    return orders.known(view.order(order_id), order_id)


def changes_of(stream: str, facts: Iterable[Fact]) -> list[Change]:
    return [(stream, fact) for fact in facts]


def order_changes(order_id: str, facts: Iterable[Fact]) -> list[Change]:
    return changes_of(order_stream(order_id), facts)


def after_facts(order: Order, facts: Iterable[OrderFact]) -> Order:
    return reduce(orders.evolve, facts, order)


class Docket:
    """An order while a command is decided: what is told of it is seen by what follows."""

    def __init__(self, order: Order, facts: Iterable[OrderFact] = ()) -> None:
        self.order = order
        self.facts: list[OrderFact] = []
        self.tell(facts)

    def tell(self, facts: Iterable[OrderFact]) -> None:
        for fact in facts:
            self.order = orders.evolve(self.order, fact)
            self.facts.append(fact)

    def changes(self) -> list[Change]:
        return order_changes(self.order.order_id, self.facts)

    def settled(self, now: datetime) -> list[Change]:
        """All that was told, and what it says of the order's own holds and clocks."""
        if self.order.holds:
            self.tell(orders.end_with_order(self.order, now))
        return order_changes(self.order.order_id, [*self.facts, *breaches.settle(self.order, now)])


def settled(order: Order, facts: Iterable[OrderFact], now: datetime) -> list[Change]:
    """The facts, and what they say of the order's clocks."""
    return Docket(order, facts).settled(now)
