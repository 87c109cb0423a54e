"""Random amendments among everything else that happens to an order: its units and its money always add up."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ledger.facts import Fact, LineNo
from ledger.nouns import orders
from ledger.nouns.orders import Charge, ChargeKind, Line, PaymentKind, PaymentState
from ledger.nouns.orders.supplier_orders import LineAnswer
from ledger.refusals import Refusal
from tests.support.scenario import a_shop, line

SKUS = {1: ("tea", "acme"), 2: ("mug", "bolt"), 3: ("tea", "acme"), 4: ("mug", "bolt")}

a_quantity = st.integers(0, 4)
a_total = st.integers(0, 900)


class Amending(RuleBasedStateMachine):
    """Each check_order of the scenario counts units, shares and reservations; here stand what was wanted and paid."""

    def __init__(self) -> None:
        super().__init__()
        self.scenario = a_shop(tea=9, mug=9)
        self.payments = 0
        self.version = 0

    def attempt(self, command: Callable[[], list[Fact]]) -> list[Fact] | None:
        """What was recorded; None if it was refused, which records nothing."""
        before = len(self.scenario.log)
        try:
            facts = command()
        except Refusal:
            assert len(self.scenario.log) == before
            return None
        return facts

    @property
    def order(self) -> orders.Order:
        return self.scenario.order()

    @initialize(quantity=st.integers(1, 4), paid=st.booleans(), amounts=st.booleans())
    def it_is_placed(self, quantity: int, paid: bool, amounts: bool) -> None:
        payment = PaymentState.PAID if paid and not amounts else PaymentState.PENDING
        self.scenario.place(line(1, "tea", quantity, total_minor=333 * quantity), payment=payment)
        if paid and amounts:
            self.money_comes(333 * quantity)

    @rule(quantities=st.dictionaries(st.sampled_from(list(SKUS)), st.tuples(a_quantity, a_total), max_size=4),
          shipping=st.integers(0, 2))  # fmt: skip
    def the_shop_amends(self, quantities: dict[int, tuple[int, int]], shipping: int) -> None:
        wanted = [self.a_line(n, *each) for n, each in quantities.items()]
        charges = [Charge("shipping", ChargeKind.SHIPPING, 100 * shipping)] if shipping else []
        self.version += 1
        amend = lambda: self.scenario.amend(*wanted, charges=charges, version=self.version)  # noqa: E731
        if self.attempt(amend) is None:
            return
        for each in wanted:
            if each.quantity or each.line_no in self.order.lines:
                assert orders.wanted_units(self.order)[each.line_no] == each.quantity
        for n in self.order.lines:
            if n not in quantities:
                assert orders.wanted_units(self.order)[n] == 0
        if any(each.quantity for each in wanted):
            worth = sum(each.amount_minor for each in wanted if each.quantity)
            assert orders.price_minor(self.order) == worth + sum(each.amount_minor for each in charges)
        assert amend() == []

    def a_line(self, n: int, quantity: int, total: int) -> Line:
        sku, supplier_id = SKUS[n]
        return line(n, sku, quantity, supplier_id, total_minor=total if quantity else 0)

    @rule(n=st.sampled_from(list(SKUS)), quantity=a_quantity)
    def an_older_state_comes_late(self, n: int, quantity: int) -> None:
        if self.version < 2 or self.order.money.version < self.version:
            return
        before = self.order
        late = self.scenario.amend(self.a_line(n, quantity, 5), version=self.version - 1)
        assert [fact.fact_name() for fact in late] == ["order.amended"]
        assert self.order == before

    @rule(n=st.sampled_from(list(SKUS)), count=st.integers(1, 3))
    def the_customer_cancels(self, n: int, count: int) -> None:
        self.attempt(lambda: self.scenario.cancel({n: count}))

    @rule(amount=st.integers(1, 900))
    def money_comes(self, amount: int) -> None:
        self.payments += 1
        self.attempt(lambda: self.scenario.moved(PaymentKind.CAPTURED, amount, f"p{self.payments}"))

    @rule()
    def what_is_owed_is_paid(self) -> None:
        self.payments += 1
        if self.attempt(lambda: self.scenario.pays_owed(f"b{self.payments}")) is not None:
            assert orders.owed_minor(self.order) == 0

    @rule()
    def it_is_confirmed(self) -> None:
        self.attempt(lambda: self.scenario.confirm(backorder_lacking=True))

    @rule(pick=st.integers(0, 3))
    def a_supplier_order_is_sent(self, pick: int) -> None:
        if found := list(self.order.supplier_orders):
            self.attempt(lambda: self.scenario.send(found[pick % len(found)]))

    @rule(pick=st.integers(0, 3), agreed=st.booleans())
    def a_supplier_answers_a_cancel(self, pick: int, agreed: bool) -> None:
        if found := [each for each in self.order.supplier_orders.values() if each.cancel_asked]:
            name = found[pick % len(found)].supplier_order_id
            self.attempt(lambda: self.scenario.answer_cancel(agreed, name))

    @rule(pick=st.integers(0, 3), accepts=st.booleans())
    def a_supplier_answers(self, pick: int, accepts: bool) -> None:
        if found := [each for each in self.order.supplier_orders.values() if each.sent_at and each.count("pending")]:
            each = found[pick % len(found)]
            pending = {int(n): share.pending for n, share in each.shares.items() if share.pending}
            answers = {n: LineAnswer(accepted=c) if accepts else LineAnswer(rejected=c) for n, c in pending.items()}
            self.attempt(lambda: self.scenario.answer(answers, each.supplier_order_id))

    @rule(pick=st.integers(0, 3))
    def a_supplier_ships(self, pick: int) -> None:
        if found := list(self.order.supplier_orders):
            name = found[pick % len(found)]
            number = f"P{len(self.order.shipments)}"
            self.attempt(lambda: self.scenario.ship(supplier_order_id=name, number=number))

    @invariant()
    def money_adds_up(self) -> None:
        order = self.order
        came_in, went_back = orders.came_in_minor(order), orders.went_back_minor(order)
        assert 0 <= orders.owed_minor(order) <= max(came_in - went_back, 0)
        priced = [line.worth_minor(line.quantity) for line in order.lines.values()]
        assert priced == [line.amount_minor for line in order.lines.values()]
        each_unit = [sum(line.worth_minor(1, n) for n in range(line.quantity)) for line in order.lines.values()]
        assert each_unit == priced

    @invariant()
    def wanted_and_given_up_are_all_units(self) -> None:
        for n, each in self.order.lines.items():
            assert 0 <= orders.wanted_units(self.order)[LineNo(n)] <= each.quantity
            assert 0 <= each.given_up <= each.quantity


def test_units_and_money_add_up_after_any_sequence_of_amendments():
    run_state_machine_as_test(
        Amending,
        settings=settings(max_examples=120, stateful_step_count=25, suppress_health_check=list(HealthCheck)),
    )
