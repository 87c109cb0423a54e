"""Random news of an order's money against the real decisions: the money equation holds after any sequence.

What came in, went back and is granted is counted here from the facts alone, never from the state that decided them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import ClassVar, cast

from hypothesis import HealthCheck, seed, settings
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

from ledger.decisions.timers import RefundPaidDue
from ledger.facts import Fact, LineNo
from ledger.nouns import orders
from ledger.nouns.cases import Remedy
from ledger.nouns.orders import (
    Charge,
    ChargebackRecorded,
    ChargeKind,
    OrderFact,
    OrderPlaced,
    PaymentKind,
    PaymentRecorded,
    PaymentState,
)
from ledger.nouns.orders.after_sales import RefundBooked, RefundPaidBack, RefundUnbooked
from ledger.nouns.parcels import ParcelStatus
from ledger.refusals import Refusal
from ledger.terms.clocks import Clock
from tests.support.casework import Desk
from tests.support.scenario import HOUR, ORDER, a_shop, line

TEA, MUG = 4, 3
CHARGES = (Charge("shipping", ChargeKind.SHIPPING, 490), Charge("spring", ChargeKind.DISCOUNT, -150))
TOTAL = 1_000 + 3 * 500 + 340

some_minor = st.integers(1, 1_500)
a_line = st.sampled_from([1, 1, 2])
a_count = st.integers(1, 2)
hours_ago = st.integers(0, 30)


class OrderMoneyMachine(RuleBasedStateMachine):
    seen: ClassVar[Counter[str]] = Counter()
    """How often each fact was recorded, over all runs."""

    def __init__(self) -> None:
        super().__init__()
        self.scenario = a_shop(tea=10)
        self.scenario.feed(10, "mug", "bolt")
        self.desk = Desk(self.scenario)
        self.numbers, self.placed = 0, False

    def name(self) -> str:
        self.numbers += 1
        return f"n{self.numbers}"

    @initialize(paid=st.booleans(), arrived=st.booleans(), refund_within_hours=st.sampled_from([1, 5, 72]))
    def an_order(self, paid: bool, arrived: bool, refund_within_hours: int) -> None:
        """Four that cost 10.00 together and three of 5.00 each; paid by a word, or by amounts that come.

        A paid one may have arrived already, with a case about its first line.
        """
        self.scenario.agree(refund_within_hours=refund_within_hours)
        state = PaymentState.PAID if paid else PaymentState.PENDING
        lines = (line(1, "tea", TEA, total_minor=1_000), line(2, "mug", MUG, "bolt"))
        self.scenario.place(*lines, payment=state, charges=CHARGES)
        self.placed = True
        if paid and arrived:
            self.all_that_is_left_is_sent_and_arrives()
            self.a_case_is_opened(1)

    def tell(self, step: Callable[[], list[Fact]], repeatable: bool = True) -> None:
        """A refusal changes nothing, and what was told records nothing when it is told again."""
        before = list(self.scenario.log)
        try:
            facts = step()
        except Refusal:
            assert self.scenario.log == before
            return
        if facts and repeatable:
            after = list(self.scenario.log)
            self.tell(step, repeatable=False)
            assert self.scenario.log == after

    @rule()
    def time_passes(self) -> None:
        """And what was to be paid back by now is late, once."""
        self.scenario.later(hours=1)
        for each in list(orders.deadlines(self.order)):
            if each.clock is Clock.REFUND_PAID and each.overdue(self.scenario.now):
                run_out = RefundPaidDue(each.object_id, due=each.due)
                assert self.scenario.notice(run_out)
                assert self.scenario.notice(run_out) == []

    @rule(kind=st.sampled_from(PaymentKind), amount=some_minor, ago=hours_ago)
    def money_moves(self, kind: PaymentKind, amount: int, ago: int) -> None:
        name, at = self.name(), self.scenario.now
        self.tell(lambda: self.scenario.moved(kind, amount, name, at=at - ago * HOUR))

    @rule()
    def the_rest_comes(self) -> None:
        missing = orders.due_minor(self.order) - orders.left_minor(self.order)
        if missing > 0:
            self.tell(lambda: self.scenario.moved(PaymentKind.CAPTURED, missing, self.name()), repeatable=False)

    @rule(state=st.sampled_from([PaymentState.PAID, PaymentState.PARTLY_REFUNDED, PaymentState.REFUNDED]))
    def the_shop_says(self, state: PaymentState) -> None:
        self.tell(lambda: self.scenario.pay(state), repeatable=False)

    @rule(line_no=a_line, count=a_count)
    def units_are_cancelled(self, line_no: int, count: int) -> None:
        self.tell(lambda: self.scenario.cancel({line_no: count}), repeatable=False)

    @rule(amount=st.one_of(st.none(), some_minor))
    def what_is_owed_is_paid(self, amount: int | None) -> None:
        name = self.name()
        self.tell(lambda: self.scenario.pays_owed(name, amount))

    @rule()
    def all_that_is_left_is_sent_and_arrives(self) -> None:
        for supplier_order_id, each in self.order.supplier_orders.items():
            if each.unshipped and not self.order.holds:
                number = self.name().upper()
                self.scenario.send(supplier_order_id)
                self.scenario.ship(supplier_order_id=supplier_order_id, number=number)
                self.scenario.later(hours=1)
                self.scenario.scan(ParcelStatus.DELIVERED, number=number)

    @rule()
    def a_bank_takes_what_granted_refunds_need_and_they_are_taken_back(self) -> None:
        unpaid = {name: each.case_id for name, each in self.order.after_sales.refunds.items() if not each.paid}
        left = orders.left_minor(self.order)
        if unpaid and left > 0:
            self.tell(lambda: self.scenario.moved(PaymentKind.CHARGED_BACK, left, self.name()), repeatable=False)
        for refund_id, case_id in unpaid.items():
            self.take_back(refund_id, case_id)

    def take_back(self, refund_id: str, case_id: str) -> None:
        self.tell(lambda: self.desk.takes_back(refund_id, case_id), repeatable=False)

    @precondition(lambda self: self.order.units("delivered"))
    @rule(line_no=a_line)
    def a_case_is_opened(self, line_no: int) -> None:
        case_id = self.name()
        units = self.order.buckets[LineNo(line_no)].delivered
        if not units:
            return
        try:
            self.desk.opens(by_line={line_no: units}, case_id=case_id)
        except Refusal:
            return
        self.desk.reviews(case_id)
        self.desk.rules(case_id=case_id)
        self.desk.approves(Remedy.REFUND, case_id=case_id)

    @precondition(lambda self: self.order.after_sales.cases)
    @rule(
        pick=st.integers(0, 3), count=a_count, line_no=a_line, shipping=st.booleans(), share=st.sampled_from([0, 5_000])
    )
    def a_refund_is_granted(self, pick: int, count: int, line_no: int, shipping: bool, share: int) -> None:
        if cases := list(self.order.after_sales.cases):
            case_id, name = cases[pick % len(cases)], self.name()
            charges = {"shipping": 0} if shipping else None
            self.tell(lambda: self.desk.grants({line_no: count}, share, None, name, case_id, charges))

    @precondition(lambda self: self.order.after_sales.refunds)
    @rule(pick=st.integers(0, 5))
    def a_granted_refund_is_paid(self, pick: int) -> None:
        if refunds := list(self.order.after_sales.refunds.items()):
            refund_id, refund = refunds[pick % len(refunds)]
            self.tell(lambda: self.desk.pays(refund_id, refund.case_id))

    # --- what holds -------------------------------------------------------------------------------

    @property
    def order(self) -> orders.Order:
        return self.scenario.order()

    def moved(self, kind: PaymentKind) -> int:
        facts = (fact for _, fact in self.scenario.log if isinstance(fact, PaymentRecorded))
        return sum(fact.payment.amount.amount_minor for fact in facts if fact.payment.kind is kind)

    def refunds(self) -> tuple[int, int]:
        """What cases granted and did not take back, and what of it was paid."""
        granted: dict[str, int] = {}
        paid: set[str] = set()
        for _, fact in self.scenario.log:
            if isinstance(fact, RefundBooked):
                granted[fact.refund_id] = sum(fact.amounts_minor.values()) + sum(fact.charges_minor.values())
            elif isinstance(fact, RefundUnbooked):
                del granted[fact.refund_id]
            elif isinstance(fact, RefundPaidBack):
                paid.add(fact.refund_id)
        return sum(granted.values()), sum(granted[name] for name in paid)

    def refunded(self) -> int:
        """What was refunded, less what bounced of what had been refunded by then."""
        granted: dict[str, int] = {}
        moves: list[tuple[datetime, int]] = []
        for _, fact in self.scenario.log:
            if isinstance(fact, RefundBooked):
                granted[fact.refund_id] = sum(fact.amounts_minor.values()) + sum(fact.charges_minor.values())
            elif isinstance(fact, RefundPaidBack):
                moves.append((fact.at, granted[fact.refund_id]))
            elif isinstance(fact, PaymentRecorded) and fact.payment.kind is PaymentKind.REFUNDED:
                moves.append((fact.payment.at, fact.payment.amount.amount_minor))
            elif isinstance(fact, PaymentRecorded) and fact.payment.kind is PaymentKind.REFUND_RETURNED:
                moves.append((fact.payment.at, -fact.payment.amount.amount_minor))
        gone = 0
        for _, minor in sorted(moves, key=lambda move: (move[0], -move[1])):
            gone = max(gone + minor, 0)
        return gone

    @invariant()
    def what_went_back_is_one_sum_over_all_ways(self) -> None:
        if not self.placed:
            return
        taken = [fact.amount.amount_minor for _, fact in self.scenario.log if isinstance(fact, ChargebackRecorded)]
        assert orders.went_back_minor(self.order) == self.refunded() + sum(taken)
        if captured := self.moved(PaymentKind.CAPTURED):
            assert orders.came_in_minor(self.order) == captured
        assert orders.total_minor(self.order) == TOTAL

    @invariant()
    def what_is_kept_of_sums_is_what_all_comes_to(self) -> None:
        if not self.placed:
            return
        money, sums = self.order.money, Counter[tuple[PaymentKind, str]]()
        for each in money.payments:
            sums[each.kind, each.amount.currency] += each.amount.amount_minor
        assert money.sums_minor == sums
        anew = replace(self.order, worth=None)
        for figure in (
            orders.total_minor,
            orders.due_minor,
            orders.came_in_minor,
            orders.left_minor,
            orders.owed_minor,
        ):
            assert figure(self.order) == figure(anew)

    @invariant()
    def no_more_is_owed_and_granted_than_is_left(self) -> None:
        if not self.placed:
            return
        granted, paid = self.refunds()
        owed, left = orders.owed_minor(self.order), orders.left_minor(self.order)
        assert owed >= 0
        assert owed == 0 or owed + granted - paid <= left

    @invariant()
    def nothing_that_was_paid_in_time_is_late(self) -> None:
        for each in orders.deadlines(self.order) if self.placed else ():
            assert each.clock is not Clock.REFUND_PAID or not each.is_missed or each.late or not each.over

    @invariant()
    def the_shares_of_a_line_never_come_to_more_than_it_costs(self) -> None:
        if not self.placed:
            return
        for line_no, own in self.order.lines.items():
            cancelled = orders.cancelled_minor(self.order, {line_no: self.order.buckets[line_no].cancelled})
            assert cancelled + self.order.after_sales.refunded_minor(line_no) <= own.amount_minor

    def teardown(self) -> None:
        """The news in another order tells the same; and who cancels all and pays what is owed keeps nothing."""
        facts = [cast(OrderFact, fact) for stream, fact in self.scenario.log if stream == orders.stream(ORDER)]
        self.seen.update(fact.fact_name() for fact in facts)
        if not facts:
            return
        assert isinstance(facts[0], OrderPlaced)
        news = [fact for fact in facts if isinstance(fact, PaymentRecorded | ChargebackRecorded)]
        Random(len(facts)).shuffle(news)
        told = iter(news)
        again = None
        for fact in facts:
            kept = next(told) if isinstance(fact, PaymentRecorded | ChargebackRecorded) else fact
            again = orders.evolve(again, kept)
        assert again is not None
        sums = (orders.came_in_minor, orders.went_back_minor, orders.owed_minor, orders.payment_of)
        assert [each(again) for each in sums] == [each(self.order) for each in sums]
        if self.order.payment in (PaymentState.PAID, PaymentState.PARTLY_PAID) and not self.order.sent:
            # A refund that bounced when nothing had been refunded counts for nothing, so none bounces at that time.
            self.scenario.later(hours=1)
            self.scenario.cancel()
            if orders.owed_minor(self.order):
                self.scenario.pays_owed(self.name())
            assert orders.left_minor(self.order) <= 0 or self.order.money.word is not None


USUAL = {
    *("order.payment_recorded", "order.payment_changed", "order.chargeback_recorded", "order.supplier_order_cancelled"),
    *("order.refund_booked", "order.refund_paid_back", "order.refund_unbooked", "order.units_delivered"),
    *("order.refund_owed", "order.deadline_missed"),
}
"""Facts that the machine must have met, or it proves little."""


def test_the_money_equation_holds_after_any_sequence():
    OrderMoneyMachine.seen.clear()
    for turn in range(15):  # as a rule the first meets all that is usual
        run_state_machine_as_test(
            seed(turn)(OrderMoneyMachine) if settings().derandomize else OrderMoneyMachine,
            settings=settings(
                max_examples=60,
                stateful_step_count=30,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
            ),
        )
        if OrderMoneyMachine.seen.keys() >= USUAL:
            return
    raise AssertionError(f"never met: {', '.join(USUAL - OrderMoneyMachine.seen.keys())}")
