"""Random commands against several orders, beside a model that only counts.

The model knows where each unit is and which commands must be refused; it knows nothing of facts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from ledger.decisions.order_stock import waits_of
from ledger.engine.book import Book
from ledger.facts import Fact, LineNo
from ledger.nouns import NOUNS, stock
from ledger.nouns.orders import HoldReason, PaymentState, WhenUnavailable, deadline, deadlines
from ledger.nouns.orders.supplier_orders import Answer, RejectReason, SupplierOrderDrafted
from ledger.nouns.parcels import Parcel, ParcelStatus, uses
from ledger.refusals import Refusal
from ledger.terms.clocks import Clock
from ledger.terms.places import Destination
from tests.support.story import (
    ANNA,
    TERMS,
    Story,
    line,
)

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
    shipped: list[tuple[str, str, dict[int, int], datetime]] = field(default_factory=list)
    """Each shipment as it was told: the same of the same moment is a repetition."""

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


class Fulfilment(RuleBasedStateMachine):
    seen: ClassVar[Counter[str]] = Counter()
    """How often each fact was recorded, over all runs."""

    def __init__(self) -> None:
        super().__init__()
        self.story = Story()
        self.model: dict[str, Counted] = {}
        self.sought: set[tuple[str, Clock, datetime]] = set()
        """Overdue supplier orders for whose units another supplier was sought."""
        self.story.agree(low_stock_units=3, stale_buffer_units=1)
        self.story.approve("acme", replace(TERMS, feed_interval_hours=24))
        self.story.approve("bolt")
        for supplier_id, sku in TRACKED:
            self.story.feed(8, sku, supplier_id)
        for sku, offering in OFFERS.items():
            for supplier_id in offering:
                self.story.offer(sku, supplier_id=supplier_id, minimum_quantity=MINIMUM.get((supplier_id, sku), 1))

    # --- how a command is run ---

    def tell(self, command: Callable[[], list[Fact]], repeatable: bool = True) -> list[Fact] | None:
        """Runs a command; None if it refused, which must change nothing. Repeating it must change nothing too."""
        before = self.everything()
        try:
            facts = command()
        except Refusal:
            assert self.everything() == before
            return None
        if not facts:
            assert self.everything() == before
        if repeatable:
            assert self.tell(command, repeatable=False) in ([], None), "a repetition recorded something"
        for order_id, counted in self.model.items():
            if not counted.left and self.story.order(order_id).confirmed_at is not None:
                counted.confirm(order_id)
        return facts

    def everything(self) -> list[object]:
        """All that there is: stock changes in place, every other state is a new one if anything changed."""
        states = [self.story.book.state(stream) for stream in self.streams()]
        return [repr(state) if isinstance(state, stock.Stock) else id(state) for state in states]

    def streams(self) -> list[str]:
        return list(dict.fromkeys(stream for stream, _ in self.story.log))

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
        order = self.story.order(supplier_order_id.rpartition("/")[0])
        return any(hold.supplier_order_id in ("", supplier_order_id) and not hold.lacking for hold in order.holds)

    # --- where units go that their supplier does not send ---

    def takers(
        self, counted: Counted, order_id: str, sku: str, units: Counter[int], of: str, stocked: bool = True
    ) -> set[str]:
        """Who may be given units of a SKU, all at once; who has them, if that is asked."""
        count = units.total()
        against = {of}.union(*(counted.against[n] for n in units))
        able = {s for s in OFFERS[sku] if s not in against and count >= MINIMUM.get((s, sku), 1)}
        return {s for s in able if not stocked or self.reach(s, sku, order_id) >= count}

    def reach(self, supplier_id: str, sku: str, order_id: str) -> float:
        if (supplier_id, sku) not in TRACKED:
            return float("inf")
        present = self.story.stock(sku, supplier_id)
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
                told = draft.backordered if waits else draft.units
                assert {n: told[LineNo(n)] for n in units} == units
                counted.left.setdefault(draft.supplier_order_id, Counter()).update(units)
            elif counted.when is WhenUnavailable.CANCEL:
                counted.cancelled += units
            else:
                continue
            counted.loose.subtract(units)
        assert [each.supplier_order_id for each in drafts] == list(counted.left)[len(counted.left) - len(drafts) :]

    # --- time and stock ---

    @rule(hours=st.sampled_from([1, 5, 30, 80, 400]))
    def time_passes(self, hours: int) -> None:
        self.story.later(hours=hours)

    @rule(item=st.sampled_from(TRACKED), quantity=st.integers(0, 12), age=st.integers(-3, 2), marked=st.booleans())
    def a_feed_comes(self, item: tuple[str, str], quantity: int, age: int, marked: bool) -> None:
        supplier_id, sku = item
        feed = self.story.stock(sku, supplier_id).feed
        assert feed is not None
        counted_at = self.story.now - timedelta(hours=max(age, 0))
        version = max(feed.version + 1 - max(age, 0), 0)
        mark = counted_at if marked else None
        self.tell(lambda: self.story.feed(quantity, sku, supplier_id, version, counted_at, mark))
        now = self.story.stock(sku, supplier_id).feed
        assert now == (stock.Feed(quantity, version, counted_at, mark) if version > feed.version else feed)

    @rule(cart=st.sampled_from(["cart-1", "cart-2"]), beyond=st.integers(-3, 1))
    def a_cart_reserves(self, cart: str, beyond: int) -> None:
        available = self.story.stock().available
        count = max(1, available + beyond)
        held = self.story.stock().reservations.get(cart)
        facts = self.tell(lambda: self.story.reserve(cart, count))
        if held is None:
            assert (facts is None) == (available < count)

    @rule(pick=a_pick)
    def a_hold_may_run_out(self, pick: int) -> None:
        reservations = list(self.story.stock().reservations) or ["cart-1"]
        self.tell(lambda: self.story.expire(reservations[pick % len(reservations)]))

    @rule()
    def the_feed_may_be_stale(self) -> None:
        promised = self.story.stock().held + self.story.stock().committed
        self.tell(self.story.miss_feed)
        assert self.story.stock().held + self.story.stock().committed == promised

    @rule(item=st.sampled_from(TRACKED), count=a_count)
    def units_come_back(self, item: tuple[str, str], count: int) -> None:
        supplier_id, sku = item
        self.tell(lambda: self.story.restock(count, sku, supplier_id=supplier_id), repeatable=False)

    @precondition(lambda self: self.model)
    @rule(pick=a_pick)
    def an_order_gets_the_stock_it_waits_for(self, pick: int) -> None:
        order_id = self.an_order(pick)
        counted, lacked = self.model[order_id], self.lacks(order_id)
        served = self.expect(counted, order_id, +counted.loose, of="") if counted.left else []
        facts = self.tell(lambda: self.story.serve(order_id))
        assert facts is not None, "a clock is never refused"
        if counted.left:
            self.goes_on(counted, [each for each in served if each[1]], facts)
        assert self.lacks(order_id) <= lacked

    def lacks(self, order_id: str) -> int:
        """Units that wait for stock, or once they are confirmed for a supplier; one without a feed may get those."""
        order = self.story.order(order_id)
        return sum(order.waiting_for_stock().values()) + (order.units("open") if order.confirmed_at else 0)

    # --- orders ---

    @initialize(
        quantity=st.integers(1, 12),
        announced=st.booleans(),
        at_work=st.booleans(),
        rerouted=st.booleans(),
        late=st.sampled_from([None, *LATE_AFTER_HOURS]),
    )
    def the_first_order_is_under_way(
        self, quantity: int, announced: bool, at_work: bool, rerouted: bool, late: Clock | None
    ) -> None:
        """More than 8 lack, so that some of it is backordered."""
        both = [(ITEMS[0], quantity), (ITEMS[1], 2)]
        when = WhenUnavailable.HOLD
        self.an_order_is_placed(both, PaymentState.PAID, cart="", all_or_nothing=False, promised=True, when=when)
        self.tell(lambda: self.story.confirm(backorder_lacking=True))
        self.all_are_sent()
        if announced:
            self.a_carrier_announces()
        if late:
            if late is Clock.DISPATCH:
                self.it_answers(*self.a_supplier_order(1), 2, Answer(accepted=2))
            self.a_supplier_may_be_late(1, LATE_AFTER_HOURS[late], agreed=True)
        if rerouted:
            self.units_are_rerouted(1, {}, everything=True, wild=False, agreed=True)
        if at_work:
            self.the_supplier_ships(0, {1: 1, 2: 1}, everything=False, wild=False, number=0, hours_ago=0)

    @precondition(lambda self: len(self.model) < MOST_ORDERS)
    @rule(
        quantities=st.lists(st.tuples(st.sampled_from(ITEMS), a_count), min_size=1, max_size=3),
        payment=payments,
        cart=st.sampled_from(["", "cart-1"]),
        all_or_nothing=seldom,
        promised=st.booleans(),
        when=st.sampled_from(WhenUnavailable),
    )
    def an_order_is_placed(
        self,
        quantities: list[Any],
        payment: PaymentState,
        cart: str,
        all_or_nothing: bool,
        promised: bool,
        when: WhenUnavailable,
    ) -> None:
        order_id = f"shopify/{len(self.model) + 1}"
        lines = [line(n, sku, count, who) for n, ((who, sku), count) in enumerate(quantities, 1)]
        promised_by = self.story.now + timedelta(days=5) if promised else None
        wanted: Counter[tuple[str, str]] = Counter()
        for each in lines:
            wanted[each.supplier_id, each.sku] += each.quantity
        lacks = any(count > self.could_reserve(item, cart) for item, count in wanted.items() if item in TRACKED)
        if not (lacks and all_or_nothing):
            suppliers = {int(each.line_no): each.supplier_id for each in lines}
            skus = {int(each.line_no): each.sku for each in lines}
            loose = Counter({int(each.line_no): each.quantity for each in lines})
            self.model[order_id] = Counted(suppliers, skus, loose, when)
        facts = self.tell(
            lambda: self.story.place(
                *lines,
                order_id=order_id,
                payment=payment,
                cart_id=cart,
                all_or_nothing=all_or_nothing,
                promised_by=promised_by,
                when_unavailable=when,
            )
        )
        if order_id not in self.model:
            assert facts is None
            return
        assert facts
        assert (HoldReason.OUT_OF_STOCK in self.story.holds(order_id)) == lacks
        ready = payment is PaymentState.PAID and not lacks
        assert (self.story.order(order_id).confirmed_at is not None) == ready

    def could_reserve(self, item: tuple[str, str], cart: str) -> int:
        present = self.story.stock(item[1], item[0])
        own = present.reservations.get(cart)
        return present.available + (own.units if own else 0)

    @rule(pick=a_pick, payment=st.sampled_from([PaymentState.PAID, PaymentState.PAID, PaymentState.FAILED]))
    def the_shop_says_of_the_money(self, pick: int, payment: PaymentState) -> None:
        order_id = self.an_order(pick)
        assert self.tell(lambda: self.story.pay(payment, order_id)) is not None

    @rule(pick=a_pick, n=a_pick, item=st.sampled_from(ITEMS), count=a_count)
    def a_line_is_completed(self, pick: int, n: int, item: tuple[str, str], count: int) -> None:
        order_id = self.an_order(pick)
        counted = self.model[order_id]
        n = sorted(counted.suppliers)[n % len(counted.suppliers)]
        same = self.story.order(order_id).lines[LineNo(n)]
        fresh = line(n, item[1], count, item[0])
        closed = not counted.cancellable() and not counted.parcels
        old = (counted.suppliers[n], counted.skus[n], counted.loose[n], counted.cancelled[n])
        if not counted.left and not closed:
            gone = min(counted.cancelled[n], count)
            counted.suppliers[n], counted.skus[n] = item
            counted.loose[n], counted.cancelled[n] = count - gone, gone
        if self.tell(lambda: self.story.complete(fresh, order_id=order_id)) is None:
            assert closed or same != fresh
            counted.suppliers[n], counted.skus[n], counted.loose[n], counted.cancelled[n] = old

    @rule(pick=a_pick, country=st.sampled_from(["DE", "FR"]))
    def the_address_changes(self, pick: int, country: str) -> None:
        self.tell(lambda: self.story.change_address(ANNA, Destination(country), self.an_order(pick)))

    @rule(pick=a_pick, reason=st.sampled_from(HoldReason), owner=st.sampled_from(["mia", "shop"]), scoped=st.booleans())
    def somebody_holds(self, pick: int, reason: HoldReason, owner: str, scoped: bool) -> None:
        order_id = self.an_order(pick)
        scope = f"{order_id}/1" if scoped else ""
        self.tell(lambda: self.story.hold(reason, owner, scope, order_id))

    @precondition(lambda self: any(self.story.holds(order_id) for order_id in self.model))
    @rule(pick=a_pick)
    def holds_are_released(self, pick: int) -> None:
        waiting = [order_id for order_id in self.model if self.story.holds(order_id)]
        order_id = waiting[pick % len(waiting)]
        for hold in self.story.order(order_id).holds:
            release = partial(self.story.release, hold.reason, hold.owner, hold.supplier_order_id, order_id)
            if hold.lacking and self.model[order_id].left:
                self.open_units_go_on(self.model[order_id], order_id, +self.model[order_id].loose, release)
            else:
                self.tell(release)

    def open_units_go_on(
        self, counted: Counted, order_id: str, units: Counter[int], command: Callable[[], list[Fact]]
    ) -> None:
        """All of them, or the command is refused."""
        expected = self.expect(counted, order_id, units, of="")
        facts = self.tell(command, repeatable=False)
        assert (facts is not None) == (bool(units) and all(having for _, having, _ in expected))
        if facts:
            self.goes_on(counted, expected, facts)

    @precondition(lambda self: any(not counted.left for counted in self.model.values()))
    @rule(pick=a_pick, backorder=st.booleans())
    def a_person_confirms(self, pick: int, backorder: bool) -> None:
        waiting = [order_id for order_id, counted in self.model.items() if not counted.left]
        self.tell(lambda: self.story.confirm(waiting[pick % len(waiting)], backorder))

    # --- supplier orders ---

    @precondition(lambda self: self.live())
    @rule()
    def all_are_sent(self) -> None:
        for counted, supplier_order_id in self.live():
            self.send(counted, supplier_order_id)

    def send(self, counted: Counted, supplier_order_id: str) -> None:
        ready = bool(+counted.left[supplier_order_id]) and not self.held(supplier_order_id)
        facts = self.tell(lambda: self.story.send(supplier_order_id))
        assert (facts is not None) == (ready or supplier_order_id in counted.sent)
        if facts:
            counted.sent.add(supplier_order_id)

    @precondition(lambda self: self.live())
    @rule(
        pick=a_pick,
        n=a_pick,
        split=st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 2)),
        wild=at_times,
        because=st.sampled_from([RejectReason.OTHER, RejectReason.OUT_OF_STOCK]),
    )
    def the_supplier_answers(
        self, pick: int, n: int, split: tuple[int, int, int], wild: bool, because: RejectReason
    ) -> None:
        counted, supplier_order_id = self.a_supplier_order(pick)
        n = self.a_line_of(counted, supplier_order_id, n)
        share = self.story.supplier_order(supplier_order_id).shares[LineNo(n)]
        accepted, backordered, rejected = split
        if not wild:
            # Say something of every unit that is not answered yet.
            waiting = share.pending + share.backordered
            rejected = min(rejected, waiting)
            backordered = min(backordered, waiting - rejected)
            accepted = waiting - rejected - backordered
        self.it_answers(counted, supplier_order_id, n, Answer(accepted, backordered, rejected, because=because))

    @precondition(lambda self: self.live())
    @rule(pick=a_pick, n=a_pick, because=st.sampled_from([RejectReason.OTHER, RejectReason.DISCONTINUED]))
    def one_supplier_after_another_turns_a_line_down(self, pick: int, n: int, because: RejectReason) -> None:
        counted, supplier_order_id = self.a_supplier_order(pick)
        n = self.a_line_of(counted, supplier_order_id, n)
        for _ in range(2):
            for each in [s for s, left in counted.left.items() if left[n] and not self.held(s)]:
                self.send(counted, each)
                self.it_answers(counted, each, n, Answer(rejected=counted.left[each][n], because=because))

    def it_answers(self, counted: Counted, supplier_order_id: str, n: int, answer: Answer) -> None:
        order_id = supplier_order_id.rpartition("/")[0]
        supplier_order = self.story.supplier_order(supplier_order_id)
        share, of, rejected = supplier_order.shares[LineNo(n)], supplier_order.supplier_id, answer.rejected
        fits = share.pending <= answer.units <= share.pending + share.backordered
        cancelled = self.met_by_rejecting(counted, supplier_order_id, n, rejected) if fits else 0
        freed = Counter({n: rejected - cancelled} if rejected > cancelled else {})
        expected = self.expect(counted, order_id, freed, of)
        told_before = any((each.by_line, each.at) == ({n: answer}, self.story.now) for each in supplier_order.answers)
        facts = self.tell(lambda: self.story.answer({n: answer}, supplier_order_id))
        assert bool(facts) == (fits and supplier_order_id in counted.sent and not told_before)
        if not facts:
            return
        self.wishes_are_met(counted, supplier_order_id, n, rejected)
        counted.left[supplier_order_id][n] -= rejected
        counted.loose[n] += rejected - cancelled
        counted.cancelled[n] += cancelled
        if rejected:
            discontinued = answer.because is RejectReason.DISCONTINUED
            for line_no, sku in counted.skus.items():
                if line_no == n or (discontinued and sku == counted.skus[n]):
                    counted.against[line_no].add(of)
        self.goes_on(counted, expected, facts)

    def met_by_rejecting(self, counted: Counted, supplier_order_id: str, n: int, rejected: int) -> int:
        """How many of the rejected units were to be cancelled."""
        asked = counted.asked.get(supplier_order_id, Counter[int]())[n]
        to_cancel = asked - counted.rerouting.get(supplier_order_id, Counter[int]())[n]
        return min(max(asked - (counted.left[supplier_order_id][n] - rejected), 0), to_cancel)

    def wishes_are_met(self, counted: Counted, supplier_order_id: str, n: int, rejected: int) -> None:
        cancelled = self.met_by_rejecting(counted, supplier_order_id, n, rejected)
        asked = counted.asked.get(supplier_order_id, Counter())
        met = max(asked[n] - (counted.left[supplier_order_id][n] - rejected), 0)
        asked[n] -= met
        counted.rerouting.get(supplier_order_id, Counter())[n] -= met - cancelled

    @precondition(lambda self: self.live())
    @rule(pick=a_pick, counts=some_lines, everything=st.booleans(), wild=seldom, agreed=st.sampled_from([True, None]))
    def units_are_rerouted(
        self, pick: int, counts: dict[int, int], everything: bool, wild: bool, agreed: bool | None
    ) -> None:
        """A supplier that knows of them may agree at once, or be heard of later."""
        counted, supplier_order_id = self.a_supplier_order(pick)
        order_id = supplier_order_id.rpartition("/")[0]
        of = self.story.supplier_order(supplier_order_id).supplier_id
        possible = counted.left[supplier_order_id] - counted.asked.get(supplier_order_id, Counter())
        told = Counter() if everything else Counter(counts) if wild else Counter(counts) & possible
        wanted = told or possible
        expected = self.expect(counted, order_id, Counter({n: c for n, c in wanted.items() if n in possible}), of)
        asked_before = not told and not possible and bool(+counted.rerouting.get(supplier_order_id, Counter()))
        fits = bool(wanted) and all(count <= possible[n] for n, count in wanted.items())
        allowed = fits and all(having for _, having, _ in expected)
        facts = self.tell(lambda: self.story.reroute(dict(told), supplier_order_id, order_id), repeatable=not told)
        assert (facts is not None) == (allowed or asked_before)
        if not facts:
            return
        if supplier_order_id in counted.sent:
            for wishes in (counted.asked, counted.rerouting):
                wishes.setdefault(supplier_order_id, Counter()).update(wanted)
            if agreed:
                self.it_answers_the_cancel(counted, order_id, supplier_order_id, agreed)
        else:
            counted.left[supplier_order_id].subtract(wanted)
            counted.loose.update(wanted)
            self.lost_by(counted, of, wanted)
            self.goes_on(counted, expected, facts)

    def lost_by(self, counted: Counted, supplier_id: str, units: Counter[int]) -> None:
        for n in +units:
            counted.against[n].add(supplier_id)

    @precondition(lambda self: any(+counted.loose and counted.left for counted in self.model.values()))
    @rule(pick=a_pick, counts=some_lines)
    def open_units_are_rerouted(self, pick: int, counts: dict[int, int]) -> None:
        waiting = [order_id for order_id, counted in self.model.items() if +counted.loose and counted.left]
        order_id = waiting[pick % len(waiting)]
        counted = self.model[order_id]
        told = Counter(counts) & counted.loose
        command = partial(self.story.reroute, dict(told), "", order_id)
        self.open_units_go_on(counted, order_id, told or +counted.loose, command)

    @precondition(lambda self: self.live())
    @rule(pick=a_pick)
    def the_supplier_packs(self, pick: int) -> None:
        _, supplier_order_id = self.a_supplier_order(pick)
        self.tell(lambda: self.story.pack("logo_label", supplier_order_id=supplier_order_id))

    @precondition(lambda self: self.live())
    @rule(
        pick=a_pick,
        counts=some_lines,
        everything=st.booleans(),
        wild=at_times,
        number=a_pick,
        hours_ago=st.sampled_from([0, 0, 3, 60]),
    )
    def the_supplier_ships(
        self, pick: int, counts: dict[int, int], everything: bool, wild: bool, number: int, hours_ago: int
    ) -> None:
        counted, supplier_order_id = self.a_supplier_order(pick)
        left = +counted.left[supplier_order_id]
        told: Counter[int] = Counter() if everything else Counter(counts) & left
        if wild and left:
            told = Counter({next(iter(left)): left[next(iter(left))] + 1})
        known = self.numbers()
        name = known[number % len(known)] if known and number < 4 else f"P{len(known) + 1}"
        at = self.story.now - timedelta(hours=hours_ago)
        wanted = told or left
        fits = bool(left) and all(count <= left[n] for n, count in wanted.items())
        told_before = (supplier_order_id, name, dict(told), at) in counted.shipped
        ready = supplier_order_id in counted.sent and not told_before and not self.taken(name, supplier_order_id, at)
        facts = self.tell(lambda: self.story.ship(dict(told), supplier_order_id, name, at))
        assert bool(facts) == (fits and ready)
        if facts:
            counted.shipped.append((supplier_order_id, name, dict(+wanted), at))
            counted.left[supplier_order_id].subtract(wanted)
            counted.parcels[self.key(self.story.parcel(name))] = Out(supplier_order_id, +wanted)
            asked = counted.asked.get(supplier_order_id, Counter())
            gone = asked - counted.left[supplier_order_id]
            for wishes in (asked, counted.rerouting.get(supplier_order_id, Counter())):
                wishes.subtract({n: min(count, wishes[n]) for n, count in gone.items()})
            self.follow(self.story.parcel(name))

    def taken(self, number: str, supplier_order_id: str, at: datetime) -> bool:
        """A parcel under way takes no second shipment of its order; any other may have its number."""
        if number not in self.numbers():
            return False
        parcel, order_id = self.story.parcel(number), supplier_order_id.rpartition("/")[0]
        lately = at - parcel.registered_at < timedelta(days=90)
        return lately and not parcel.is_over and parcel.order_id == order_id

    # --- cancelling ---

    @rule(pick=a_pick, counts=some_lines, everything=seldom, wild=at_times)
    def somebody_cancels(self, pick: int, counts: dict[int, int], everything: bool, wild: bool) -> None:
        order_id = self.an_order(pick)
        counted = self.model[order_id]
        possible = +counted.cancellable()
        asked = any(+units for units in counted.asked.values())
        told = Counter() if everything else Counter(counts) if wild else Counter(counts) & possible
        wanted = told or possible
        closed = not possible and not counted.parcels and not asked
        pending = not told and not possible and asked
        allowed = closed or pending or (bool(wanted) and all(count <= possible[n] for n, count in wanted.items()))
        facts = self.tell(lambda: self.story.cancel(dict(told), order_id), repeatable=not told)
        assert (facts is not None) == allowed
        if facts is None or closed or pending:
            return
        for n, count in wanted.items():
            at_once = min(count, counted.loose[n])
            counted.loose[n] -= at_once
            counted.cancelled[n] += at_once
            self.cancel_at_suppliers(counted, n, count - at_once)

    def cancel_at_suppliers(self, counted: Counted, n: int, count: int) -> None:
        """Drafts first; of a supplier that knows, the units that it was to give up first."""
        for supplier_order_id in sorted(counted.left, key=lambda each: each in counted.sent):
            asked = counted.asked.get(supplier_order_id, Counter())
            rerouting = counted.rerouting.get(supplier_order_id, Counter())
            taken = min(count, counted.left[supplier_order_id][n] - asked[n] + rerouting[n])
            count -= taken
            if not taken:
                continue
            if supplier_order_id not in counted.sent:
                counted.left[supplier_order_id][n] -= taken
                counted.cancelled[n] += taken
            else:
                turned = min(taken, rerouting[n])
                rerouting[n] -= turned
                asked[n] += taken - turned
                counted.asked[supplier_order_id] = asked
        assert not count

    @precondition(lambda self: any(+units for counted in self.model.values() for units in counted.asked.values()))
    @rule(pick=a_pick, agreed=st.booleans())
    def the_supplier_answers_the_cancel(self, pick: int, agreed: bool) -> None:
        waiting = [(c, order_id, s) for order_id, c in self.model.items() for s, units in c.asked.items() if +units]
        self.it_answers_the_cancel(*waiting[pick % len(waiting)], agreed)

    def it_answers_the_cancel(self, counted: Counted, order_id: str, supplier_order_id: str, agreed: bool) -> None:
        of = self.story.supplier_order(supplier_order_id).supplier_id
        asked, rerouted = counted.asked[supplier_order_id], +counted.rerouting.get(supplier_order_id, Counter())
        expected = self.expect(counted, order_id, rerouted, of) if agreed else []
        counted.forget_wishes(supplier_order_id)
        facts = self.tell(lambda: self.story.answer_cancel(agreed, supplier_order_id))
        assert facts
        if agreed:
            counted.left[supplier_order_id].subtract(asked)
            counted.cancelled += asked - rerouted
            counted.loose.update(rerouted)
            self.lost_by(counted, of, rerouted)
            self.goes_on(counted, expected, facts)

    # --- parcels ---

    @precondition(lambda self: len(self.numbers()) < 6)
    @rule()
    def a_carrier_announces(self) -> None:
        number = f"P{len(self.numbers()) + 1}"
        self.tell(lambda: self.story.announce(number))

    @precondition(lambda self: self.numbers())
    @rule(
        pick=a_pick,
        status=st.sampled_from(
            [
                ParcelStatus.IN_TRANSIT,
                ParcelStatus.DELIVERED,
                ParcelStatus.DELIVERED,
                ParcelStatus.LOST,
                ParcelStatus.RETURNED,
            ]
        ),
        hours_ago=st.sampled_from([-2, 0, 1, 40, 4000]),
    )
    def a_carrier_scans(self, pick: int, status: ParcelStatus, hours_ago: int) -> None:
        number, at = self.a_number(pick), self.story.now - timedelta(hours=hours_ago)
        before = list(uses(self.story.parcel(number)))
        arrived = [[out for out in self.parcels_of(use) if self.came(use, out)] for use in before]
        if self.tell(lambda: self.story.scan(status, at, number)):
            for was, use, outs in zip(before, uses(self.story.parcel(number)), arrived, strict=True):
                for out in outs if use.delivered_at is None else ():
                    out.place = "shipped"  # the delivery was that to the sender
                if use is not was:
                    self.follow(use)

    def came(self, use: Parcel, out: Out) -> bool:
        """Whether its order has the parcel delivered by its scan, and not by a receipt."""
        shipment = self.story.order(out.supplier_order_id.rpartition("/")[0]).shipment("dhl", use.number, use.epoch)
        return shipment is not None and use.delivered_at is not None and shipment.delivered_at == use.delivered_at

    @precondition(lambda self: self.numbers())
    @rule(pick=a_pick)
    def a_delivery_is_disputed(self, pick: int) -> None:
        number = self.a_number(pick)
        if self.tell(lambda: self.story.dispute(number)):
            for out in self.parcels_of(self.story.parcel(number)):
                out.place = "shipped" if out.place == "delivered" else out.place

    def key(self, use: Parcel) -> str:
        return f"{use.number} epoch {use.epoch}"

    def parcels_of(self, use: Parcel) -> list[Out]:
        key = self.key(use)
        return [each.parcels[key] for each in self.model.values() if key in each.parcels]

    def follow(self, use: Parcel) -> None:
        """Units are where their parcel is; what was delivered stays so until somebody disputes it."""
        for out in self.parcels_of(use):
            if use.delivered_at is not None:
                out.place = "delivered"
            elif out.place != "delivered":
                out.place = "lost" if use.status is ParcelStatus.LOST else "shipped"

    @rule(pick=a_pick)
    def a_receipt_is_confirmed(self, pick: int) -> None:
        order_id = self.an_order(pick)
        parcels = self.model[order_id].parcels
        came_back = [key for key, out in parcels.items() if out.place != "delivered" and self.came_back(key)]
        facts = self.tell(lambda: self.story.receive(order_id))
        for key, out in parcels.items() if facts else ():
            out.place = out.place if key in came_back else "delivered"

    def came_back(self, key: str) -> bool:
        number, _, epoch = key.partition(" epoch ")
        parcel = self.story.parcel(number)
        return parcel.epoch == int(epoch) and parcel.status is ParcelStatus.RETURNED

    # --- what time does ---

    @rule(pick=a_pick)
    def clocks_may_run_out(self, pick: int) -> None:
        order_id = self.an_order(pick)
        for each in list(deadlines(self.story.order(order_id))):
            self.tell(partial(self.story.miss, each.clock, each.object_id, order_id))

    @precondition(lambda self: self.live())
    @rule(
        pick=a_pick, hours=st.sampled_from([0, *LATE_AFTER_HOURS.values()]), agreed=st.sampled_from([True, False, None])
    )
    def a_supplier_may_be_late(self, pick: int, hours: int, agreed: bool | None) -> None:
        """It is asked for its units without anybody's doing, and may be heard of later."""
        counted, supplier_order_id = self.a_supplier_order(pick)
        order_id = supplier_order_id.rpartition("/")[0]
        self.story.later(hours=hours)
        for clock in LATE_AFTER_HOURS:
            self.tell(partial(self.story.miss, clock, supplier_order_id, order_id))
            self.overdue_units_are_asked_for(counted, order_id, supplier_order_id, clock)
        if agreed is not None and +counted.asked.get(supplier_order_id, Counter()):
            self.it_answers_the_cancel(counted, order_id, supplier_order_id, agreed)

    def overdue_units_are_asked_for(
        self, counted: Counted, order_id: str, supplier_order_id: str, clock: Clock
    ) -> None:
        """Those of the SKUs that somebody else would take now, once for each time that the clock was due."""
        of = self.story.supplier_order(supplier_order_id).supplier_id
        possible = counted.left[supplier_order_id] - counted.asked.get(supplier_order_id, Counter())
        groups = counted.groups(possible)
        served = [units for sku, units in groups if self.takers(counted, order_id, sku, units, of)]
        facts = self.tell(lambda: self.story.reroute_overdue(clock, supplier_order_id, order_id))
        assert facts is not None, "a clock is never refused"
        if not facts:
            return
        assert supplier_order_id in counted.sent
        assert +counted.left[supplier_order_id]
        assert not self.held(supplier_order_id)
        assert (supplier_order_id, clock) in self.story.order(order_id).missed
        due = self.story.order(order_id).sought[supplier_order_id, clock].due
        assert (supplier_order_id, clock, due) not in self.sought
        self.sought.add((supplier_order_id, clock, due))
        for wishes in (counted.asked, counted.rerouting):
            wishes.setdefault(supplier_order_id, Counter()).update(sum(served, Counter()))

    @rule(pick=a_pick)
    def the_window_may_close(self, pick: int) -> None:
        self.tell(lambda: self.story.close_window(self.an_order(pick)))

    @precondition(lambda self: self.numbers())
    @rule(pick=a_pick)
    def nobody_sees_a_parcel(self, pick: int) -> None:
        number = self.a_number(pick)
        epoch = self.story.parcel(number).epoch
        self.tell(lambda: self.story.miss_first_scan(number, epoch))
        self.tell(lambda: self.story.suspect_loss(number, epoch))

    # --- what must hold ---

    @invariant()
    def every_unit_is_where_the_model_counts_it(self) -> None:
        for order_id, counted in self.model.items():
            order = self.story.order(order_id)
            left = sum(counted.left.values(), Counter())
            for n, buckets in order.buckets.items():
                assert buckets.open == counted.loose[n]
                assert buckets.assigned + buckets.backordered == left[n]
                assert buckets.cancelled == counted.cancelled[n]
                for place in ("shipped", "delivered", "lost"):
                    assert getattr(buckets, place) == counted.out(place)[n], place
            assert list(order.supplier_orders) == list(counted.left)
            for s, each in order.supplier_orders.items():
                assert each.cancel_asked == +counted.asked.get(s, Counter())
                assert each.reroute_asked == +counted.rerouting.get(s, Counter())
            assert {s for s, each in order.supplier_orders.items() if each.sent_at} == counted.sent

    @invariant()
    def reservations_are_what_the_log_says(self) -> None:
        for supplier_id, sku in TRACKED:
            counted: Counter[str] = Counter()
            for _, fact in self.story.log:
                if (getattr(fact, "supplier_id", ""), getattr(fact, "sku", "")) == (supplier_id, sku):
                    if isinstance(fact, stock.StockReserved):
                        counted[fact.reservation_id] += fact.units
                    elif isinstance(
                        fact, (stock.ReservationConsumed, stock.ReservationReleased, stock.ReservationExpired)
                    ):
                        counted[fact.reservation_id] -= fact.units
            live = self.story.stock(sku, supplier_id).reservations
            assert {name: each.units for name, each in live.items()} == {n: c for n, c in counted.items() if c}

    @invariant()
    def who_waits_for_stock_is_known_to_the_stock(self) -> None:
        """An order waits where its facts say so, with as many units."""
        for supplier_id, sku in TRACKED:
            wanted = {}
            for order_id in self.model:
                if units := waits_of(self.story.order(order_id)).get((supplier_id, sku), 0):
                    wanted[order_id] = units
            assert self.story.stock(sku, supplier_id).waiting == wanted

    @invariant()
    def a_confirmed_order_has_no_hold_that_runs_out(self) -> None:
        for order_id in self.model:
            if self.story.order(order_id).confirmed_at is not None:
                for supplier_id, sku in TRACKED:
                    mine = self.story.stock(sku, supplier_id).reservations.get(order_id)
                    assert mine is None or mine.status is stock.Hold.COMMITTED

    @invariant()
    def whoever_was_late_stays_late_unless_it_is_withdrawn_with_a_reason(self) -> None:
        """A breach that stands is of a clock that was late; none is of one that was over in time or stands still."""
        for order_id in self.model:
            order = self.story.order(order_id)
            for object_id, clock in order.missed:
                reading = deadline(order, object_id, clock)
                assert reading is not None
                assert not reading.stands
                assert reading.late or not reading.over

    @invariant()
    def no_unit_is_in_two_supplier_orders_that_live(self) -> None:
        for order_id in self.model:
            order = self.story.order(order_id)
            for n, each in order.lines.items():
                shares = [so.shares[n] for so in order.supplier_orders.values() if n in so.shares]
                live = sum(share.unshipped + share.shipped for share in shares)
                assert live + order.buckets[n].open + order.buckets[n].cancelled == each.quantity

    @invariant()
    def units_that_no_supplier_has_are_held_for_a_person(self) -> None:
        for order_id in self.model:
            order = self.story.order(order_id)
            if order.confirmed_at is not None:
                hold = order.hold(HoldReason.OUT_OF_STOCK, "ledger")
                assert (hold.lacking if hold else {}) == order.in_bucket("open")

    @invariant()
    def nothing_waits_of_an_order_that_has_ended(self) -> None:
        for order_id in self.model:
            order = self.story.order(order_id)
            if not any(order.units(bucket) for bucket in ("open", "backordered", "assigned", "shipped")):
                assert not [hold for hold in order.holds if hold.owner == "ledger"]

    def teardown(self) -> None:
        """The log, stored and read back, tells the same."""
        registry = self.story.book.registry
        stored = [(stream, fact.fact_name(), registry.encode(fact)) for stream, fact in self.story.log]
        again = Book.of(NOUNS, ((stream, registry.decode(name, state)) for stream, name, state in stored))
        assert [fact for _, fact in self.story.log] == [registry.decode(name, state) for _, name, state in stored]
        for stream in self.streams():
            assert again.state(stream) == self.story.book.state(stream)
        self.seen.update({name for _, name, _ in stored})
        drafts = [fact for _, fact in self.story.log if isinstance(fact, SupplierOrderDrafted)]
        self.seen.update({f"rerouted, {each.because}" for each in drafts if each.instead_of})


USUAL = {
    *("order.confirmed", "order.units_backordered", "order.hold_placed", "order.hold_released", "parcel.linked"),
    *("order.supplier_order_acknowledged", "order.supplier_order_shipped", "order.supplier_order_cancel_requested"),
    *("order.units_delivered", "order.deadline_missed", "order.rerouting_sought"),
    *("stock.reservation_consumed", "stock.reservation_released"),
    *(
        "rerouted, overdue",
        "rerouted, overdue: acknowledge",
        "rerouted, overdue: dispatch",
        "rerouted, rejected: other",
    ),
}
"""Facts that the machine must have met many times, or it proves little."""


@pytest.mark.timeout(600)  # it takes a processor for half a minute, which may have to be shared
def test_units_are_never_lost_nor_promised_twice_whatever_happens():
    Fulfilment.seen.clear()
    run_state_machine_as_test(
        Fulfilment,
        settings=settings(
            max_examples=150,
            stateful_step_count=60,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
    assert USUAL - Fulfilment.seen.keys() == set()
