"""An order while a command is decided."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import reduce

from ledger.facts import Change, Fact, changes_of
from ledger.nouns import orders, policies
from ledger.nouns.orders import Order, OrderFact, RefundOwed, breaches
from ledger.nouns.policies import policy_at
from ledger.terms.money import Money
from ledger.view import View


def order_in(view: View, order_id: str) -> Order:
    return orders.known(orders.find(view, order_id), order_id)


def order_changes(order_id: str, facts: Iterable[Fact]) -> list[Change]:
    return changes_of(orders.stream(order_id), facts)


def after_facts(order: Order, facts: Iterable[OrderFact]) -> Order:
    return reduce(orders.evolve, facts, order)


class Docket:
    """An order while a command is decided: each step sees what the steps before it added."""

    def __init__(self, order: Order, facts: Iterable[OrderFact] = ()) -> None:
        self.order = order
        self.facts: list[OrderFact] = []
        self.add(facts)

    def add(self, facts: Iterable[OrderFact]) -> None:
        for fact in facts:
            self.order = orders.evolve(self.order, fact)
            self.facts.append(fact)

    def changes(self) -> list[Change]:
        return order_changes(self.order.order_id, self.facts)

    def settled(self, view: View, now: datetime) -> list[Change]:
        """All that was added, and what follows for the holds, the debts and the clocks of the order."""
        if self.order.holds:
            # Who tells late of a hold wants the clocks to know of it: it stands until something else happens.
            ends_all = bool(self.facts) and not isinstance(self.facts[0], orders.HoldPlaced)
            self.add(orders.end_with_order(self.order, now, None if ends_all else [orders.LEDGER]))
        self.add(newly_owed(view, self.order))
        return order_changes(self.order.order_id, [*self.facts, *breaches.settle(self.order, now)])


def settled(view: View, order: Order, facts: Iterable[OrderFact], now: datetime) -> list[Change]:
    """The facts, and what follows for the order's clocks."""
    return Docket(order, facts).settled(view, now)


def newly_owed(view: View, order: Order) -> list[OrderFact]:
    """What has become owed to the customer, and by when it is to be paid back; nothing of an import of old orders."""
    if not (more := orders.newly_owed_minor(order)) or order.placed.historical:
        return []
    since = orders.owed_since(order)
    pay_by = policy_at(policies.find(view), since).pay_by(since)
    return [RefundOwed(order.order_id, Money(more, order.currency), since, pay_by)]
