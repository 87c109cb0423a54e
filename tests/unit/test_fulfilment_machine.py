"""Random commands against several orders, beside a model that only counts.

The model knows where each unit is and which commands must be refused; it knows nothing of facts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test

from ledger.decisions import stock_watch
from ledger.decisions.order_stock import barred_of, waits_of
from ledger.engine.book import Book
from ledger.facts import LineNo
from ledger.nouns import NOUNS, stock
from ledger.nouns.orders import DeadlineMissed, HoldReason, PaymentState, WhenUnavailable, deadline, deadlines
from ledger.nouns.orders.supplier_orders import LineAnswer, RejectReason, SupplierOrderDrafted
from ledger.terms.clocks import Clock
from ledger.terms.places import Destination
from tests.support.fulfilment.model import (
    ITEMS,
    LATE_AFTER_HOURS,
    MOST_ORDERS,
    TRACKED,
    Counted,
    a_count,
    a_pick,
    payments,
    seldom,
)
from tests.support.fulfilment.supplier_orders import SupplierOrders
from tests.support.scenario import ANNA, line


class Fulfilment(SupplierOrders):
    """All rules together, and what must hold after each."""

    def __init__(self) -> None:
        super().__init__()
        self.reserved: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self.reserved_until = 0
        """So much of the log is counted in them."""

    # --- time and stock ---

    @rule(hours=st.sampled_from([1, 5, 30, 80, 400]))
    def time_passes(self, hours: int) -> None:
        self.scenario.later(hours=hours)

    @rule(item=st.sampled_from(TRACKED), quantity=st.integers(0, 12), age=st.integers(-3, 2), marked=st.booleans())
    def a_feed_comes(self, item: tuple[str, str], quantity: int, age: int, marked: bool) -> None:
        supplier_id, sku = item
        feed = self.scenario.stock(sku, supplier_id).feed
        assert feed is not None
        counted_at = self.scenario.now - timedelta(hours=max(age, 0))
        version = max(feed.version + 1 - max(age, 0), 0)
        mark = counted_at if marked else None
        self.attempt(lambda: self.scenario.feed(quantity, sku, supplier_id, version, counted_at, mark))
        now = self.scenario.stock(sku, supplier_id).feed
        assert now == (stock.Feed(quantity, version, counted_at, mark) if version > feed.version else feed)

    @rule(cart=st.sampled_from(["cart-1", "cart-2"]), beyond=st.integers(-3, 1))
    def a_cart_reserves(self, cart: str, beyond: int) -> None:
        available = self.scenario.stock().available
        count = max(1, available + beyond)
        held = self.scenario.stock().reservations.get(cart)
        facts = self.attempt(lambda: self.scenario.reserve(cart, count))
        if held is None:
            assert (facts is None) == (available < count)

    @rule(pick=a_pick)
    def a_hold_may_run_out(self, pick: int) -> None:
        reservations = list(self.scenario.stock().reservations) or ["cart-1"]
        self.attempt(lambda: self.scenario.expire(reservations[pick % len(reservations)]))

    @rule()
    def the_feed_may_be_stale(self) -> None:
        promised = self.scenario.stock().held + self.scenario.stock().committed
        self.attempt(self.scenario.miss_feed)
        assert self.scenario.stock().held + self.scenario.stock().committed == promised

    @rule(item=st.sampled_from(TRACKED), count=a_count)
    def units_come_back(self, item: tuple[str, str], count: int) -> None:
        supplier_id, sku = item
        self.attempt(lambda: self.scenario.restock(count, sku, supplier_id=supplier_id), repeatable=False)

    @precondition(lambda self: self.model)
    @rule(pick=a_pick)
    def an_order_gets_the_stock_it_waits_for(self, pick: int) -> None:
        order_id = self.an_order(pick)
        counted, lacked = self.model[order_id], self.lacks(order_id)
        served = self.expect(counted, order_id, +counted.loose, of="") if counted.left else []
        facts = self.attempt(lambda: self.scenario.serve(order_id))
        assert facts is not None, "a clock is never refused"
        if counted.left:
            self.goes_on(counted, [each for each in served if each[1]], facts)
        assert self.lacks(order_id) <= lacked

    def lacks(self, order_id: str) -> int:
        """Units that wait for stock, or once they are confirmed for a supplier; one without a feed may get those."""
        order = self.scenario.order(order_id)
        return sum(order.waiting_for_stock().values()) + (order.units("open") if order.confirmed_at else 0)

    # --- orders ---

    @initialize(
        quantity=st.integers(1, 12),
        announced=st.booleans(),
        at_work=st.booleans(),
        rerouted=st.booleans(),
        turned_down=st.booleans(),
        owed=st.booleans(),
        late=st.sampled_from([None, *LATE_AFTER_HOURS]),
        retailers_hours=st.sampled_from([5, 72]),
    )
    def the_first_order_is_under_way(
        self,
        quantity: int,
        announced: bool,
        at_work: bool,
        rerouted: bool,
        turned_down: bool,
        owed: bool,
        late: Clock | None,
        retailers_hours: int,
    ) -> None:
        """More than 8 lack, so that some of it is backordered; what was cancelled is to be paid back."""
        own = dict.fromkeys(("send_within_hours", "refund_within_hours"), retailers_hours)
        self.scenario.agree(None, low_stock_units=3, stale_buffer_units=1, **own)
        both = [(ITEMS[0], quantity), (ITEMS[1], 2)]
        when = WhenUnavailable.HOLD
        self.an_order_is_placed(both, PaymentState.PAID, cart="", all_or_nothing=False, promised=True, when=when)
        self.attempt(lambda: self.scenario.confirm(backorder_lacking=True))
        if owed and quantity > 1:
            self.somebody_cancels(0, {1: 1}, everything=False, wild=False)
        self.all_are_sent()
        if announced:
            self.a_carrier_announces()
        if late:
            if late is Clock.DISPATCH:
                self.it_answers(*self.a_supplier_order(1), 2, LineAnswer(accepted=2))
            self.a_supplier_may_be_late(1, LATE_AFTER_HOURS[late], agreed=True)
        elif turned_down:
            rejected = LineAnswer(rejected=2, because=RejectReason.OTHER)
            self.it_answers(*self.a_supplier_order(1), 2, rejected)
        if rerouted:
            self.units_are_rerouted(1, {}, everything=True, wild=False, agreed=True)
        if at_work:
            self.the_supplier_ships(0, {1: 1, 2: 1}, everything=False, wild=False, number=0, hours_ago=0)
        if owed:
            if next(iter(self.model.values())).cancellable()[1]:
                self.somebody_cancels(0, {1: 1}, everything=False, wild=False)
            self.time_passes(80)
            self.clocks_may_run_out(0)

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
        promised_by = self.scenario.now + timedelta(days=5) if promised else None
        wanted: Counter[tuple[str, str]] = Counter()
        for each in lines:
            wanted[each.supplier_id, each.sku] += each.quantity
        lacks = any(count > self.could_reserve(item, cart) for item, count in wanted.items() if item in TRACKED)
        if not (lacks and all_or_nothing):
            suppliers = {int(each.line_no): each.supplier_id for each in lines}
            skus = {int(each.line_no): each.sku for each in lines}
            loose = Counter({int(each.line_no): each.quantity for each in lines})
            self.model[order_id] = Counted(suppliers, skus, loose, when)
        facts = self.attempt(
            lambda: self.scenario.place(
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
        assert (HoldReason.OUT_OF_STOCK in self.scenario.holds(order_id)) == lacks
        unusable = not all(self.takes(*item, count) for item, count in wanted.items())
        assert (HoldReason.OTHER in self.scenario.holds(order_id)) == unusable
        ready = payment is PaymentState.PAID and not lacks and not unusable
        assert (self.scenario.order(order_id).confirmed_at is not None) == ready

    def could_reserve(self, item: tuple[str, str], cart: str) -> int:
        present = self.scenario.stock(item[1], item[0])
        own = present.reservations.get(cart)
        return present.available + (own.units if own else 0)

    @rule(pick=a_pick, payment=st.sampled_from([PaymentState.PAID, PaymentState.PAID, PaymentState.FAILED]))
    def the_shop_says_of_the_money(self, pick: int, payment: PaymentState) -> None:
        order_id = self.an_order(pick)
        assert self.attempt(lambda: self.scenario.pay(payment, order_id)) is not None

    @rule(pick=a_pick, n=a_pick, item=st.sampled_from(ITEMS), count=a_count)
    def a_line_is_completed(self, pick: int, n: int, item: tuple[str, str], count: int) -> None:
        order_id = self.an_order(pick)
        counted = self.model[order_id]
        n = sorted(counted.suppliers)[n % len(counted.suppliers)]
        same = self.scenario.order(order_id).lines[LineNo(n)]
        fresh = line(n, item[1], count, item[0])
        closed = not counted.cancellable() and not counted.parcels
        old = (counted.suppliers[n], counted.skus[n], counted.loose[n], counted.cancelled[n])
        if not counted.left and not closed:
            gone = min(counted.cancelled[n], count)
            counted.suppliers[n], counted.skus[n] = item
            counted.loose[n], counted.cancelled[n] = count - gone, gone
        if self.attempt(lambda: self.scenario.complete(fresh, order_id=order_id)) is None:
            assert closed or same != fresh
            counted.suppliers[n], counted.skus[n], counted.loose[n], counted.cancelled[n] = old

    @rule(pick=a_pick, country=st.sampled_from(["DE", "FR"]))
    def the_address_changes(self, pick: int, country: str) -> None:
        self.attempt(lambda: self.scenario.change_address(ANNA, Destination(country), self.an_order(pick)))

    @rule(pick=a_pick, reason=st.sampled_from(HoldReason), owner=st.sampled_from(["mia", "shop"]), scoped=st.booleans())
    def somebody_holds(self, pick: int, reason: HoldReason, owner: str, scoped: bool) -> None:
        order_id = self.an_order(pick)
        scope = f"{order_id}/1" if scoped else ""
        self.attempt(lambda: self.scenario.hold(reason, owner, scope, order_id))

    @precondition(lambda self: any(self.scenario.holds(order_id) for order_id in self.model))
    @rule(pick=a_pick)
    def holds_are_released(self, pick: int) -> None:
        waiting = [order_id for order_id in self.model if self.scenario.holds(order_id)]
        order_id = waiting[pick % len(waiting)]
        for hold in self.scenario.order(order_id).holds:
            release = partial(self.scenario.release, hold.reason, hold.owner, hold.supplier_order_id, order_id)
            if hold.lacking and self.model[order_id].left:
                self.open_units_go_on(self.model[order_id], order_id, +self.model[order_id].loose, release)
            else:
                self.attempt(release)

    @precondition(lambda self: any(not counted.left for counted in self.model.values()))
    @rule(pick=a_pick, backorder=st.booleans())
    def a_person_confirms(self, pick: int, backorder: bool) -> None:
        waiting = [order_id for order_id, counted in self.model.items() if not counted.left]
        self.attempt(lambda: self.scenario.confirm(waiting[pick % len(waiting)], backorder))

    # --- what time does ---

    @rule(pick=a_pick)
    def clocks_may_run_out(self, pick: int) -> None:
        order_id = self.an_order(pick)
        for each in list(deadlines(self.scenario.order(order_id))):
            self.attempt(partial(self.scenario.miss, each.clock, each.object_id, order_id))

    @precondition(lambda self: self.live())
    @rule(
        pick=a_pick, hours=st.sampled_from([0, *LATE_AFTER_HOURS.values()]), agreed=st.sampled_from([True, False, None])
    )
    def a_supplier_may_be_late(self, pick: int, hours: int, agreed: bool | None) -> None:
        """It is asked for its units automatically, and may answer later."""
        counted, supplier_order_id = self.a_supplier_order(pick)
        order_id = supplier_order_id.rpartition("/")[0]
        self.scenario.later(hours=hours)
        for clock in LATE_AFTER_HOURS:
            self.attempt(partial(self.scenario.miss, clock, supplier_order_id, order_id))
            self.overdue_units_are_asked_for(counted, order_id, supplier_order_id, clock)
        if agreed is not None and +counted.asked.get(supplier_order_id, Counter()):
            self.it_answers_the_cancel(counted, order_id, supplier_order_id, agreed)

    def overdue_units_are_asked_for(
        self, counted: Counted, order_id: str, supplier_order_id: str, clock: Clock
    ) -> None:
        """Those of the SKUs that somebody else would take now, once for each time that the clock was due."""
        of = self.scenario.supplier_order(supplier_order_id).supplier_id
        possible = counted.left[supplier_order_id] - counted.asked.get(supplier_order_id, Counter())
        groups = counted.groups(possible)
        served = [units for sku, units in groups if self.takers(counted, order_id, sku, units, of)]
        facts = self.attempt(lambda: self.scenario.reroute_overdue(clock, supplier_order_id, order_id))
        assert facts is not None, "a clock is never refused"
        if not facts:
            return
        assert supplier_order_id in counted.sent
        assert +counted.left[supplier_order_id]
        assert not self.held(supplier_order_id)
        assert (supplier_order_id, clock) in self.scenario.order(order_id).missed
        due = self.scenario.order(order_id).sought[supplier_order_id, clock].due
        assert (supplier_order_id, clock, due) not in self.sought
        self.sought.add((supplier_order_id, clock, due))
        for wishes in (counted.asked, counted.rerouting):
            wishes.setdefault(supplier_order_id, Counter()).update(sum(served, Counter()))

    @rule(pick=a_pick)
    def the_window_may_close(self, pick: int) -> None:
        self.attempt(lambda: self.scenario.close_window(self.an_order(pick)))

    @precondition(lambda self: self.numbers())
    @rule(pick=a_pick)
    def nobody_sees_a_parcel(self, pick: int) -> None:
        number = self.a_number(pick)
        epoch = self.scenario.parcel(number).epoch
        self.attempt(lambda: self.scenario.miss_first_scan(number, epoch))
        self.attempt(lambda: self.scenario.suspect_loss(number, epoch))

    # --- what must hold ---

    @invariant()
    def every_unit_is_where_the_model_counts_it(self) -> None:
        for order_id, counted in self.model.items():
            order = self.scenario.order(order_id)
            left = sum(counted.left.values(), Counter())
            for n, buckets in order.buckets.items():
                assert buckets.open == counted.loose[n]
                assert buckets.assigned + buckets.backordered == left[n]
                assert buckets.cancelled == counted.cancelled[n]
                for place in ("shipped", "delivered", "lost", "returned"):
                    assert getattr(buckets, place) == counted.out(place)[n], place
            assert list(order.supplier_orders) == list(counted.left)
            for s, each in order.supplier_orders.items():
                assert each.cancel_asked == +counted.asked.get(s, Counter())
                assert each.reroute_asked == +counted.rerouting.get(s, Counter())
            assert {s for s, each in order.supplier_orders.items() if each.sent_at} == counted.sent

    @invariant()
    def reservations_are_what_the_log_says(self) -> None:
        more = (stock.StockReserved, stock.ReservationRestored)
        less = (stock.ReservationConsumed, stock.ReservationReleased, stock.ReservationExpired)
        for _, fact in self.scenario.log[self.reserved_until :]:
            if isinstance(fact, (*more, *less)):
                units = fact.units if isinstance(fact, more) else -fact.units
                self.reserved[fact.supplier_id, fact.sku][fact.reservation_id] += units
        self.reserved_until = len(self.scenario.log)
        for supplier_id, sku in TRACKED:
            counted = self.reserved[supplier_id, sku]
            live = self.scenario.stock(sku, supplier_id).reservations
            assert {name: each.units for name, each in live.items()} == {n: c for n, c in counted.items() if c}

    @invariant()
    def who_waits_for_stock_is_known_to_the_stock(self) -> None:
        """An order waits where its facts say so, with as many units; also for a supplier that may not have them yet."""
        for supplier_id, sku in TRACKED:
            wanted = {}
            for order_id in self.model:
                order = self.scenario.order(order_id)
                chosen, named = barred_of(order)
                if units := {**chosen, **named, **waits_of(order)}.get((supplier_id, sku), 0):
                    wanted[order_id] = units
            assert self.scenario.stock(sku, supplier_id).waiting == wanted

    @invariant()
    def a_confirmed_order_has_no_hold_that_runs_out(self) -> None:
        for order_id in self.model:
            if self.scenario.order(order_id).confirmed_at is not None:
                for supplier_id, sku in TRACKED:
                    mine = self.scenario.stock(sku, supplier_id).reservations.get(order_id)
                    assert mine is None or mine.status is stock.ReservationStatus.COMMITTED

    @invariant()
    def whoever_was_late_stays_late_unless_it_is_withdrawn_with_a_reason(self) -> None:
        """A breach that stands is of a clock that was late; none is of one that was over in time or stands still."""
        for order_id in self.model:
            order = self.scenario.order(order_id)
            for object_id, clock in order.missed:
                reading = deadline(order, object_id, clock)
                assert reading is not None
                assert not reading.stands
                assert reading.late or not reading.over

    @invariant()
    def no_unit_is_in_two_supplier_orders_that_live(self) -> None:
        for order_id in self.model:
            order = self.scenario.order(order_id)
            for n, each in order.lines.items():
                shares = [so.shares[n] for so in order.supplier_orders.values() if n in so.shares]
                live = sum(share.unshipped + share.shipped for share in shares)
                assert live + order.buckets[n].open + order.buckets[n].cancelled == each.quantity

    @invariant()
    def units_that_no_supplier_has_are_held_for_a_person(self) -> None:
        for order_id in self.model:
            order = self.scenario.order(order_id)
            if order.confirmed_at is not None:
                hold = order.hold(HoldReason.OUT_OF_STOCK, "ledger")
                assert (hold.lacking if hold else {}) == order.in_bucket("open")

    @invariant()
    def nothing_waits_of_an_order_that_has_ended(self) -> None:
        for order_id in self.model:
            order = self.scenario.order(order_id)
            if not any(order.units(bucket) for bucket in ("open", "backordered", "assigned", "shipped")):
                assert not [hold for hold in order.holds if hold.owner == "ledger"]

    def teardown(self) -> None:
        """The log, stored and read back, gives the same states."""
        registry = self.scenario.book.registry
        stored = [(stream, fact.fact_name(), registry.encode(fact)) for stream, fact in self.scenario.log]
        again = Book.of(NOUNS, ((stream, registry.decode(name, state)) for stream, name, state in stored))
        assert [fact for _, fact in self.scenario.log] == [registry.decode(name, state) for _, name, state in stored]
        for stream in self.streams():
            assert again.state(stream) == self.scenario.book.state(stream)
        self.seen.update({name for _, name, _ in stored})
        missed = (fact.clock for _, fact in self.scenario.log if isinstance(fact, DeadlineMissed))
        self.seen.update({f"missed, {clock}" for clock in missed})
        drafts = [fact for _, fact in self.scenario.log if isinstance(fact, SupplierOrderDrafted)]
        self.seen.update({f"rerouted, {each.because}" for each in drafts if each.instead_of})


USUAL = {
    *("order.confirmed", "order.units_backordered", "order.hold_placed", "order.hold_released", "parcel.linked"),
    *("order.supplier_order_acknowledged", "order.supplier_order_shipped", "order.supplier_order_cancel_requested"),
    *("order.units_delivered", "order.units_returned", "order.deadline_missed", "order.rerouting_sought"),
    *("stock.reservation_consumed", "stock.reservation_released", "stock.reservation_restored"),
    *("order.shipment_voided", "order.tracking_corrected", "parcel.voided"),
    *("missed, send", "missed, cancel_answer", "missed, refund_paid"),
    *(
        "rerouted, overdue",
        "rerouted, overdue: acknowledge",
        "rerouted, overdue: dispatch",
        "rerouted, rejected: other",
    ),
}
"""Facts that the machine must have met many times, or it proves little."""


@pytest.mark.timeout(600)  # it takes a processor for half a minute, which may have to be shared
def test_units_are_never_lost_nor_promised_twice_whatever_happens(monkeypatch: pytest.MonkeyPatch):
    # The model knows one order a command; who waits is served by a rule of its own, as the clock does it.
    monkeypatch.setattr(stock_watch, "MOST_SERVED", 0)
    Fulfilment.seen.clear()
    run_state_machine_as_test(
        Fulfilment,
        settings=settings(
            max_examples=150,
            stateful_step_count=60,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
    assert USUAL - Fulfilment.seen.keys() == set()
