"""Random commands against several orders, beside a model that only counts.

The model knows where each unit is and which commands must be refused; it knows nothing of facts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar

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

from ledger import stock
from ledger.book import Book
from ledger.orders import HoldReason, PaymentState
from ledger.parcels import ParcelStatus
from ledger.refusals import Refusal
from ledger.supplier_orders import Answer, RejectReason
from ledger.values import Destination, Fact, LineNo
from tests.story import ANNA, TERMS, Story, line

ITEMS = [("acme", "tea"), ("bolt", "mug"), ("acme", "ink")]
"""Two suppliers, three SKUs; nobody ever sends a feed of ink."""
TRACKED = ITEMS[:2]
MOST_ORDERS = 4

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
    loose: Counter[int]
    left: dict[str, Counter[int]] = field(default_factory=dict)
    """Unshipped units of each supplier order."""
    asked: dict[str, Counter[int]] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)
    cancelled: Counter[int] = field(default_factory=Counter)
    parcels: dict[str, Out] = field(default_factory=dict)

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
        asked = sum((units & self.left[each] for each, units in self.asked.items()), Counter[int]())
        return sum(self.left.values(), Counter(self.loose)) - asked


class Fulfilment(RuleBasedStateMachine):
    seen: ClassVar[Counter[str]] = Counter()
    """How often each fact was recorded, over all runs."""

    def __init__(self) -> None:
        super().__init__()
        self.story = Story()
        self.model: dict[str, Counted] = {}
        self.story.agree(low_stock_units=3, stale_buffer_units=1)
        self.story.approve("acme", replace(TERMS, feed_interval_hours=24))
        self.story.approve("bolt")
        for supplier_id, sku in TRACKED:
            self.story.feed(8, sku, supplier_id)

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

    def everything(self) -> str:
        return repr([(stream, self.story.book.state(stream)) for stream in self.streams()])

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
        order = self.story.order(supplier_order_id.rpartition("/")[0])
        return any(hold.supplier_order_id in ("", supplier_order_id) for hold in order.holds)

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
        waited = self.story.order(order_id).waiting_for_stock()
        facts = self.tell(lambda: self.story.serve(order_id))
        assert facts is not None, "a clock is never refused"
        waits = self.story.order(order_id).waiting_for_stock()
        assert sum(waits.values()) <= sum(waited.values())

    # --- orders ---

    @initialize(quantity=st.integers(1, 12), announced=st.booleans(), at_work=st.booleans())
    def the_first_order_is_under_way(self, quantity: int, announced: bool, at_work: bool) -> None:
        """More than 8 lack, so that some of it is backordered."""
        both = [(ITEMS[0], quantity), (ITEMS[1], 2)]
        self.an_order_is_placed(both, PaymentState.PAID, cart="", all_or_nothing=False, promised=True)
        self.tell(lambda: self.story.confirm(backorder_lacking=True))
        self.all_are_sent()
        if announced:
            self.a_carrier_announces()
        if at_work:
            self.the_supplier_ships(0, {1: 1, 2: 1}, everything=False, wild=False, number=0, hours_ago=0)

    @precondition(lambda self: len(self.model) < MOST_ORDERS)
    @rule(
        quantities=st.lists(st.tuples(st.sampled_from(ITEMS), a_count), min_size=1, max_size=3),
        payment=payments,
        cart=st.sampled_from(["", "cart-1"]),
        all_or_nothing=seldom,
        promised=st.booleans(),
    )
    def an_order_is_placed(
        self, quantities: list[Any], payment: PaymentState, cart: str, all_or_nothing: bool, promised: bool
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
            self.model[order_id] = Counted(suppliers, Counter({int(e.line_no): e.quantity for e in lines}))
        facts = self.tell(
            lambda: self.story.place(
                *lines,
                order_id=order_id,
                payment=payment,
                cart_id=cart,
                all_or_nothing=all_or_nothing,
                promised_by=promised_by,
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
        old = (counted.suppliers[n], counted.loose[n], counted.cancelled[n])
        if not counted.left and not closed:
            gone = min(counted.cancelled[n], count)
            counted.suppliers[n], counted.loose[n], counted.cancelled[n] = item[0], count - gone, gone
        if self.tell(lambda: self.story.complete(fresh, order_id=order_id)) is None:
            assert closed or same != fresh
            counted.suppliers[n], counted.loose[n], counted.cancelled[n] = old

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
            self.tell(partial(self.story.release, hold.reason, hold.owner, hold.supplier_order_id, order_id))

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
        answer = Answer(accepted, backordered, rejected, because=because)
        fits = share.pending <= answer.units <= share.pending + share.backordered
        facts = self.tell(lambda: self.story.answer({n: answer}, supplier_order_id))
        if facts:
            assert fits
            assert supplier_order_id in counted.sent
            counted.left[supplier_order_id][n] -= rejected
            counted.loose[n] += rejected
        else:
            assert not fits or supplier_order_id not in counted.sent or facts == []

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
        ready = supplier_order_id in counted.sent and not self.held(supplier_order_id) and not self.taken(name, at)
        facts = self.tell(lambda: self.story.ship(dict(told), supplier_order_id, name, at))
        assert bool(facts) == (fits and ready)
        if facts:
            counted.left[supplier_order_id].subtract(wanted)
            counted.parcels[self.key(name)] = Out(supplier_order_id, +wanted)
            asked = counted.asked.get(supplier_order_id, Counter())
            if any(count > counted.left[supplier_order_id][n] for n, count in asked.items()):
                del counted.asked[supplier_order_id]
            self.follow(name)

    def taken(self, number: str, at: datetime) -> bool:
        """A number belongs to its shipment until it may be used again."""
        if number not in self.numbers() or not self.story.parcel(number).order_id:
            return False
        return at - self.story.parcel(number).registered_at < timedelta(days=90)

    # --- cancelling ---

    @rule(pick=a_pick, counts=some_lines, everything=seldom, wild=at_times)
    def somebody_cancels(self, pick: int, counts: dict[int, int], everything: bool, wild: bool) -> None:
        order_id = self.an_order(pick)
        counted = self.model[order_id]
        possible = +counted.cancellable()
        told = Counter() if everything else Counter(counts) if wild else Counter(counts) & possible
        wanted = told or possible
        closed = not possible and not counted.parcels and not counted.asked
        pending = not told and not possible and bool(counted.asked)
        allowed = closed or pending or (bool(wanted) and all(count <= possible[n] for n, count in wanted.items()))
        facts = self.tell(lambda: self.story.cancel(dict(told), order_id), repeatable=not told)
        assert (facts is not None) == allowed
        if facts is None or closed or pending:
            return
        for n, count in wanted.items():
            at_once = min(count, counted.loose[n])
            counted.loose[n] -= at_once
            counted.cancelled[n] += at_once
            if rest := count - at_once:
                self.cancel_at_supplier(counted, n, rest)

    def cancel_at_supplier(self, counted: Counted, n: int, count: int) -> None:
        supplier_order_id = next(s for s, left in counted.left.items() if left[n])
        if supplier_order_id in counted.sent:
            asked = counted.asked.get(supplier_order_id, Counter()) & counted.left[supplier_order_id]
            counted.asked[supplier_order_id] = asked + Counter({n: count})
        else:
            counted.left[supplier_order_id][n] -= count
            counted.cancelled[n] += count

    @precondition(lambda self: any(counted.asked for counted in self.model.values()))
    @rule(pick=a_pick, agreed=st.booleans())
    def the_supplier_answers_the_cancel(self, pick: int, agreed: bool) -> None:
        waiting = [(counted, s) for counted in self.model.values() for s in counted.asked]
        counted, supplier_order_id = waiting[pick % len(waiting)]
        asked = counted.asked.pop(supplier_order_id)
        assert self.tell(lambda: self.story.answer_cancel(agreed, supplier_order_id))
        if agreed:
            gone = asked & counted.left[supplier_order_id]
            counted.left[supplier_order_id].subtract(gone)
            counted.cancelled += gone

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
            [ParcelStatus.IN_TRANSIT, ParcelStatus.DELIVERED, ParcelStatus.DELIVERED, ParcelStatus.LOST]
        ),
        hours_ago=st.sampled_from([-2, 0, 1, 40]),
    )
    def a_carrier_scans(self, pick: int, status: ParcelStatus, hours_ago: int) -> None:
        number, at = self.a_number(pick), self.story.now - timedelta(hours=hours_ago)
        if self.tell(lambda: self.story.scan(status, at, number)):
            self.follow(number)

    @precondition(lambda self: self.numbers())
    @rule(pick=a_pick)
    def a_delivery_is_disputed(self, pick: int) -> None:
        number = self.a_number(pick)
        if self.tell(lambda: self.story.dispute(number)):
            for out in self.parcels_of(number):
                out.place = "shipped" if out.place == "delivered" else out.place

    def key(self, number: str) -> str:
        return f"{number} epoch {self.story.parcel(number).epoch}"

    def parcels_of(self, number: str) -> list[Out]:
        key = self.key(number)
        return [each.parcels[key] for each in self.model.values() if key in each.parcels]

    def follow(self, number: str) -> None:
        """Units are where their parcel is; what was delivered stays so until somebody disputes it."""
        parcel = self.story.parcel(number)
        for out in self.parcels_of(number):
            if parcel.delivered_at is not None:
                out.place = "delivered"
            elif out.place != "delivered":
                out.place = "lost" if parcel.status is ParcelStatus.LOST else "shipped"

    @rule(pick=a_pick)
    def a_receipt_is_confirmed(self, pick: int) -> None:
        order_id = self.an_order(pick)
        facts = self.tell(lambda: self.story.receive(order_id))
        for out in self.model[order_id].parcels.values() if facts else ():
            out.place = "delivered"

    # --- what time does ---

    @rule(pick=a_pick)
    def clocks_may_run_out(self, pick: int) -> None:
        order_id = self.an_order(pick)
        for deadline in list(self.story.order(order_id).deadlines()):
            self.tell(partial(self.story.miss, deadline.clock, deadline.object_id, order_id))

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
            asked = {s: each.cancel_asked for s, each in order.supplier_orders.items() if each.cancel_asked}
            assert asked == counted.asked
            assert {s for s, each in order.supplier_orders.items() if each.sent_at} == counted.sent

    @invariant()
    def reservations_are_what_the_log_says(self) -> None:
        for supplier_id, sku in TRACKED:
            counted: Counter[str] = Counter()
            for _, fact in self.story.log:
                if getattr(fact, "sku", "") == sku:
                    if isinstance(fact, stock.StockReserved):
                        counted[fact.reservation_id] += fact.units
                    elif isinstance(
                        fact, (stock.ReservationConsumed, stock.ReservationReleased, stock.ReservationExpired)
                    ):
                        counted[fact.reservation_id] -= fact.units
            live = self.story.stock(sku, supplier_id).reservations
            assert {name: each.units for name, each in live.items()} == {n: c for n, c in counted.items() if c}

    @invariant()
    def a_confirmed_order_has_no_hold_that_runs_out(self) -> None:
        for order_id in self.model:
            if self.story.order(order_id).confirmed_at is not None:
                for supplier_id, sku in TRACKED:
                    mine = self.story.stock(sku, supplier_id).reservations.get(order_id)
                    assert mine is None or mine.status is stock.Hold.COMMITTED

    def teardown(self) -> None:
        """The log, stored and read back, tells the same."""
        registry = self.story.book.registry
        stored = [(stream, fact.fact_name(), registry.encode(fact)) for stream, fact in self.story.log]
        again = Book.of((stream, registry.decode(name, state)) for stream, name, state in stored)
        assert [fact for _, fact in self.story.log] == [registry.decode(name, state) for _, name, state in stored]
        for stream in self.streams():
            assert again.state(stream) == self.story.book.state(stream)
        self.seen.update({name for _, name, _ in stored})


USUAL = {
    *("order.confirmed", "order.units_backordered", "order.hold_placed", "order.hold_released", "parcel.linked"),
    *("order.supplier_order_acknowledged", "order.supplier_order_shipped", "order.supplier_order_cancel_requested"),
    *("order.units_delivered", "order.deadline_missed"),
    *("stock.reservation_consumed", "stock.reservation_released"),
}
"""Facts that the machine must have met many times, or it proves little."""


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
