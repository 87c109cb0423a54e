"""Boxes of several orders: whatever is shipped, scanned, corrected and taken back, orders and parcels say the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from ledger.engine.book import Book
from ledger.facts import Fact, Units, plus
from ledger.nouns import NOUNS, parcels
from ledger.nouns.parcels import Parcel, ParcelStatus
from ledger.refusals import Refusal
from tests.support.scenario import line, sent

ORDERS = ("shopify/1", "shopify/2", "shopify/3")
NUMBERS = ("P1", "P2")
HAS_LEFT = ("shipped", "delivered", "lost", "returned")

a_number = st.sampled_from(NUMBERS)
an_order = st.sampled_from(ORDERS)
some_units = st.dictionaries(st.integers(1, 2), st.integers(1, 3), max_size=2)


class Boxes(RuleBasedStateMachine):
    """Three orders of one supplier to one destination, and two numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.scenario = sent(line(1, "tea", 2), line(2, "mug", 2))
        for order_id in ORDERS[1:]:
            self.scenario.place(line(1, "tea", 1), line(2, "mug", 2), order_id=order_id)
            self.scenario.send(f"{order_id}/1")

    def attempt(self, command: Callable[[], list[Fact]]) -> None:
        before = len(self.scenario.log)
        try:
            command()
        except Refusal:
            assert len(self.scenario.log) == before

    @rule(order_id=an_order, by_line=some_units, number=a_number, hours_ago=st.sampled_from([0, 0, 5, 100]))
    def a_supplier_ships(self, order_id: str, by_line: dict[int, int], number: str, hours_ago: int) -> None:
        at = self.scenario.now - timedelta(hours=hours_ago)
        self.attempt(lambda: self.scenario.ship(by_line, f"{order_id}/1", number, at))
        before = len(self.scenario.log)
        self.attempt(lambda: self.scenario.ship(by_line, f"{order_id}/1", number, at) if by_line else [])
        assert len(self.scenario.log) == before, "the same again recorded something"

    @rule(
        number=a_number,
        status=st.sampled_from(
            [ParcelStatus.IN_TRANSIT, ParcelStatus.DELIVERED, ParcelStatus.LOST, ParcelStatus.RETURNED]
        ),
        hours_ago=st.sampled_from([0, 1, 50]),
    )
    def a_carrier_scans(self, number: str, status: ParcelStatus, hours_ago: int) -> None:
        at = self.scenario.now - timedelta(hours=hours_ago)
        self.attempt(lambda: self.scenario.scan(status, at, number))

    @rule(number=a_number)
    def a_delivery_is_disputed(self, number: str) -> None:
        self.attempt(lambda: self.scenario.dispute(number))

    @rule(number=a_number, order_id=st.sampled_from(("", *ORDERS)))
    def it_did_not_leave(self, number: str, order_id: str) -> None:
        self.attempt(lambda: self.scenario.void(number, supplier_order_id=order_id and f"{order_id}/1"))

    @rule(number=a_number, order_id=st.sampled_from(("", *ORDERS)))
    def it_left_under_the_other_number(self, number: str, order_id: str) -> None:
        other = NUMBERS[1 - NUMBERS.index(number)]
        of = order_id and f"{order_id}/1"
        self.attempt(lambda: self.scenario.correct_number(number, other, supplier_order_id=of))

    @rule(hours=st.sampled_from([1, 30, 100]))
    def time_passes(self, hours: int) -> None:
        self.scenario.later(hours=hours)

    # --- what must hold ---

    def live(self) -> list[Parcel]:
        found = [parcels.find(self.scenario.book, "dhl", number) for number in NUMBERS]
        return [use for parcel in found for use in parcels.uses(parcel) if use.voided is None]

    @invariant()
    def a_parcel_holds_what_its_orders_say(self) -> None:
        held: dict[tuple[object, ...], Units] = {}
        for order_id in ORDERS:
            for each in self.scenario.order(order_id).shipments:
                which = (each.supplier_order_id, *each.parcel)
                held[which] = plus(held.get(which, {}), plus(each.by_line, each.over))
        found = {
            (content.supplier_order_id, use.carrier, use.number, use.epoch): content.by_line
            for use in self.live()
            for content in use.contents
        }
        assert found == held

    @invariant()
    def all_units_of_an_order_in_a_parcel_are_where_it_is(self) -> None:
        for use in self.live():
            for order_id in use.order_ids:
                order = self.scenario.order(order_id)
                mine = [each for each in order.shipments if each.parcel == (use.carrier, use.number, use.epoch)]
                (bucket,) = {each.bucket for each in mine}
                ends = {ParcelStatus.LOST: "lost", ParcelStatus.RETURNED: "returned"}
                assert bucket == ("delivered" if use.delivered_at else ends.get(use.status, "shipped"))
                assert {each.delivered_at for each in mine} == {use.delivered_at}

    @invariant()
    def a_parcel_arrived_with_its_earliest_delivery(self) -> None:
        for use in self.live():
            assert use.delivered_at == parcels.first_arrival(use)

    @invariant()
    def what_ends_a_way_stands_among_the_scans(self) -> None:
        ends = (ParcelStatus.DELIVERED, ParcelStatus.RETURNING, ParcelStatus.RETURNED)
        for use in self.live():
            assert use.turns == tuple(scan for scan in use.checkpoints if scan.status in ends)
            assert sorted(use.checkpoints, key=parcels.BY_TIME) == [*use.checkpoints]

    @invariant()
    def what_left_is_what_shipments_say(self) -> None:
        for order_id in ORDERS:
            order = self.scenario.order(order_id)
            for line_no, buckets in order.buckets.items():
                assert sum(getattr(buckets, name) for name in HAS_LEFT) == sum(
                    each.by_line.get(line_no, 0) for each in order.shipments
                )

    def teardown(self) -> None:
        """The log gives the same states when it is read again."""
        again = Book.of(NOUNS, self.scenario.log)
        for stream in {stream for stream, _ in self.scenario.log}:
            assert again.state(stream) == self.scenario.book.state(stream)


def test_orders_and_parcels_say_the_same_whatever_is_told():
    run_state_machine_as_test(
        Boxes,
        settings=settings(max_examples=60, stateful_step_count=25, suppress_health_check=[HealthCheck.too_slow]),
    )
