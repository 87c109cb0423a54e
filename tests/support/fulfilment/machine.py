"""How the machine runs a command beside its model, and whom a rule means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar

from hypothesis.stateful import RuleBasedStateMachine
from msgspec.structs import replace

from ledger.facts import Fact, LineNo
from ledger.nouns.orders import WhenUnavailable
from ledger.nouns.orders.supplier_orders import SupplierOrderDrafted
from ledger.refusals import Refusal
from ledger.terms.clocks import Clock
from tests.support.fulfilment.model import MINIMUM, OFFERS, TRACKED, Counted
from tests.support.scenario import TERMS, Scenario


class Machine(RuleBasedStateMachine):
    """A scenario of several orders and their model; its rules stand in the classes that extend it."""

    seen: ClassVar[Counter[str]] = Counter()
    """How often each fact was recorded, over all runs."""

    def __init__(self) -> None:
        super().__init__()
        self.scenario = Scenario()
        self.model: dict[str, Counted] = {}
        self.sought: set[tuple[str, Clock, datetime]] = set()
        """Overdue supplier orders for whose units another supplier was sought."""
        self.withdrawn: set[tuple[str, str]] = set()
        """Offers that ended: their supplier answered that it does not sell the SKU any more."""
        self._streams: dict[str, None] = {}
        self._read = 0
        """So much of the log, which only grows, is in them."""
        self.scenario.approve("acme", replace(TERMS, feed_interval_hours=24, cancel_answer_within_hours=24))
        self.scenario.approve("bolt")
        for supplier_id, sku in TRACKED:
            self.scenario.feed(8, sku, supplier_id)
        for sku, offering in OFFERS.items():
            for supplier_id in offering:
                self.scenario.offer(sku, supplier_id=supplier_id, minimum_quantity=MINIMUM.get((supplier_id, sku), 1))

    # --- how a command is run ---

    def attempt(self, command: Callable[[], list[Fact]], repeatable: bool = True) -> list[Fact] | None:
        """Runs a command; None if it refused, which must change nothing. Repeating it must change nothing too."""
        before = self.scenario.everything()
        try:
            facts = command()
        except Refusal:
            assert self.scenario.everything() == before
            return None
        if not facts:
            assert self.scenario.everything() == before
        if repeatable:
            assert self.attempt(command, repeatable=False) in ([], None), "a repetition recorded something"
        for order_id, counted in self.model.items():
            if not counted.left and self.scenario.order(order_id).confirmed_at is not None:
                counted.confirm(order_id)
        return facts

    def streams(self) -> list[str]:
        for stream, _ in self.scenario.log[self._read :]:
            self._streams.setdefault(stream)
        self._read = len(self.scenario.log)
        return list(self._streams)

    # --- who is meant ---

    def an_order(self, pick: int) -> str:
        ids = list(self.model)
        return ids[pick % len(ids)]

    def live(self) -> list[tuple[Counted, str]]:
        """Supplier orders, those with something left first."""
        found = [(counted, s) for counted in self.model.values() for s in counted.left]
        return sorted(found, key=lambda each: not +each[0].left[each[1]])

    def a_supplier_order(self, pick: int) -> tuple[Counted, str]:
        found = self.live()
        return found[pick % len(found)]

    def a_line_of(self, counted: Counted, supplier_order_id: str, pick: int) -> int:
        lines = list(counted.left[supplier_order_id])
        return lines[pick % len(lines)]

    def numbers(self) -> list[str]:
        return [stream.rpartition("/")[2] for stream in self.streams() if stream.startswith("parcel-")]

    def a_number(self, pick: int) -> str:
        return self.numbers()[pick % len(self.numbers())]

    def held(self, supplier_order_id: str) -> bool:
        """Whether it must wait; units that no supplier has keep nobody else back."""
        order = self.scenario.order(supplier_order_id.rpartition("/")[0])
        return any(hold.supplier_order_id in ("", supplier_order_id) and not hold.lacking for hold in order.holds)

    # --- where units go that their supplier does not send ---

    def takers(
        self, counted: Counted, order_id: str, sku: str, units: Counter[int], of: str, stocked: bool = True
    ) -> set[str]:
        """Who may be given units of a SKU, all at once; who has them, if that is asked."""
        count = units.total()
        against = {of}.union(*(counted.against[n] for n in units))
        able = {s for s in OFFERS[sku] if s not in against and self.takes(s, sku, count)}
        return {s for s in able if not stocked or self.reach(s, sku, order_id) >= count}

    def takes(self, supplier_id: str, sku: str, count: int) -> bool:
        """Whether a supplier offers the SKU still, and so few units of it."""
        return (supplier_id, sku) not in self.withdrawn and count >= MINIMUM.get((supplier_id, sku), 1)

    def reach(self, supplier_id: str, sku: str, order_id: str) -> float:
        if (supplier_id, sku) not in TRACKED:
            return float("inf")
        present = self.scenario.stock(sku, supplier_id)
        kept = present.reservations.get(order_id)
        return present.available_to(order_id) - (kept.units if kept and kept.in_feed else 0)

    def expect(self, counted: Counted, order_id: str, freed: Counter[int], of: str) -> list[Any]:
        """What must become of freed units, decided before they are: who may get them, and whether they wait there."""
        expected = []
        for sku, units in counted.groups(freed):
            having = self.takers(counted, order_id, sku, units, of)
            able = self.takers(counted, order_id, sku, units, of, stocked=False)
            expected.append((units, having, able))
        return expected

    def goes_on(self, counted: Counted, expected: list[Any], facts: list[Fact]) -> None:
        drafts = [fact for fact in facts if isinstance(fact, SupplierOrderDrafted)]
        for units, having, able in expected:
            waits = not having and counted.when is WhenUnavailable.BACKORDER
            wanted = able if waits else having
            if wanted:
                (draft,) = [each for each in drafts if units.keys() <= {*each.units, *each.backordered}]
                assert draft.supplier_id in wanted
                drafted = draft.backordered if waits else draft.units
                assert {n: drafted[LineNo(n)] for n in units} == units
                counted.left.setdefault(draft.supplier_order_id, Counter()).update(units)
            elif counted.when is WhenUnavailable.CANCEL:
                counted.cancelled += units
            else:
                continue
            counted.loose.subtract(units)
        assert [each.supplier_order_id for each in drafts] == list(counted.left)[len(counted.left) - len(drafts) :]

    def open_units_go_on(
        self, counted: Counted, order_id: str, units: Counter[int], command: Callable[[], list[Fact]]
    ) -> None:
        """All of them, or the command is refused."""
        expected = self.expect(counted, order_id, units, of="")
        facts = self.attempt(command, repeatable=False)
        assert (facts is not None) == (bool(units) and all(having for _, having, _ in expected))
        if facts:
            self.goes_on(counted, expected, facts)
