"""The model beside the machine: where each unit of an order is, and nothing of facts."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from hypothesis import strategies as st

from ledger.nouns.orders import PaymentState, WhenUnavailable
from ledger.terms.clocks import Clock

ITEMS = [("acme", "tea"), ("bolt", "mug"), ("acme", "ink")]
"""Two suppliers, three SKUs; nobody ever sends a feed of ink."""
TRACKED = [*ITEMS[:2], ("bolt", "tea")]
OFFERS = {"tea": ("acme", "bolt"), "mug": ("bolt", "acme"), "ink": ("acme", "bolt")}
"""Who offers what; rejected units go from one to the other."""
MINIMUM = {("bolt", "tea"): 2}
MOST_ORDERS = 4
LATE_AFTER_HOURS = {Clock.ACKNOWLEDGE: 25, Clock.DISPATCH: 49}
"""When each clock of a supplier order has run out."""

a_pick = st.integers(0, 11)
"""Which of those that there are, counted round: rules that guess names hardly ever hit anything."""
seldom = st.integers(0, 9).map(lambda n: n == 9)
at_times = st.integers(0, 2).map(lambda n: n == 2)
a_line = st.integers(1, 3)
a_count = st.integers(1, 4)
some_lines = st.dictionaries(a_line, a_count, min_size=1, max_size=3)
payments = st.sampled_from([PaymentState.PAID] * 3 + [PaymentState.PENDING, PaymentState.UNKNOWN])


@dataclass
class Out:
    """A parcel of the model."""

    supplier_order_id: str
    by_line: Counter[int]
    place: str = "shipped"


@dataclass
class Counted:
    """An order of the model: how many units of each line are where."""

    suppliers: dict[int, str]
    skus: dict[int, str]
    loose: Counter[int]
    when: WhenUnavailable = WhenUnavailable.HOLD
    left: dict[str, Counter[int]] = field(default_factory=dict)
    """Unshipped units of each supplier order."""
    asked: dict[str, Counter[int]] = field(default_factory=dict)
    """What it was asked to cancel or to give up for another."""
    rerouting: dict[str, Counter[int]] = field(default_factory=dict)
    """What of that is for another."""
    against: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Suppliers that rejected units of a line, or that lost some."""
    sent: set[str] = field(default_factory=set)
    cancelled: Counter[int] = field(default_factory=Counter)
    parcels: dict[str, Out] = field(default_factory=dict)
    shipped: list[tuple[str, str, Counter[int], datetime]] = field(default_factory=list)
    """Each shipment as recorded, with units that should not have left."""
    gone: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    """Units of each supplier order that left, without those."""
    dropped: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    """Units that a supplier order rejected, or gave up for another."""

    def confirm(self, order_id: str) -> None:
        """One supplier order per supplier, in the order of the lines."""
        for supplier_id in dict.fromkeys(self.suppliers[n] for n, count in sorted(self.loose.items()) if count):
            mine = Counter({n: c for n, c in self.loose.items() if c and self.suppliers[n] == supplier_id})
            self.left[f"{order_id}/{len(self.left) + 1}"] = mine
            self.loose -= mine

    def out(self, place: str) -> Counter[int]:
        total: Counter[int] = Counter()
        for each in self.parcels.values():
            if each.place == place:
                total += each.by_line
        return total

    def cancellable(self) -> Counter[int]:
        to_cancel = sum((units - self.rerouting.get(s, Counter()) for s, units in self.asked.items()), Counter[int]())
        return sum(self.left.values(), Counter(self.loose)) - to_cancel

    def groups(self, units: Counter[int]) -> list[tuple[str, Counter[int]]]:
        """The units by SKU: those of one go to one supplier."""
        skus = dict.fromkeys(self.skus[n] for n in units)
        return [(sku, Counter({n: c for n, c in units.items() if self.skus[n] == sku})) for sku in skus]

    def forget_wishes(self, supplier_order_id: str) -> None:
        self.asked.pop(supplier_order_id, None)
        self.rerouting.pop(supplier_order_id, None)
