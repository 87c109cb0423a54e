"""What a late dispatch costs: accrued with the breach, capped, reversed when it is nobody's or another's fault."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from msgspec.structs import replace

from ledger.facts import LineNo
from ledger.nouns.orders import (
    BreachWithdrawn,
    DeadlineMissed,
    DelayRuled,
    HoldReason,
)
from ledger.nouns.orders.breaches import NoDelay
from ledger.nouns.orders.supplier_orders import (
    CancelAgreed,
    CompensationAccrued,
    CompensationReversed,
    LineAnswer,
    ReversalReason,
    SupplierOrderAcknowledged,
    SupplierOrderDrafted,
    SupplierOrderShipped,
    UnknownSupplierOrder,
)
from ledger.nouns.suppliers import CompensationTerms
from ledger.refusals import Refusal
from ledger.terms.clocks import Clock
from ledger.terms.money import Money, round_half_up
from ledger.terms.parties import Party
from tests.support.scenario import (
    DAY,
    FIRST,
    HOUR,
    NOON,
    SECOND,
    TERMS,
    Scenario,
    a_shop,
    accept,
    line,
    names,
    refused,
    reject,
    the,
)

DISPATCH = Clock.DISPATCH
ONE_PERCENT = replace(TERMS, compensation_basis_points=100)


def sent_under(agreement, *lines, **more) -> Scenario:
    """Supplier orders that went out while acme had agreed to this."""
    scenario = a_shop(tea=10, mug=10)
    scenario.agree_terms(agreement)
    scenario.place(*lines, **more)
    for supplier_order_id in scenario.order().supplier_orders:
        scenario.send(supplier_order_id)
    return scenario


def late_under(agreement, *lines, **more) -> Scenario:
    """And the dispatch clock ran out, which was noticed."""
    scenario = sent_under(agreement, *lines, **more)
    scenario.later(hours=48)
    scenario.miss(DISPATCH)
    return scenario


def owed(scenario: Scenario, supplier_order_id: str = FIRST) -> int:
    """What is accrued and not reversed, in cents, as the facts add up."""
    total = 0
    for _, fact in scenario.log:
        if isinstance(fact, CompensationAccrued) and fact.supplier_order_id == supplier_order_id:
            total += fact.amount.amount_minor
        elif isinstance(fact, CompensationReversed) and fact.supplier_order_id == supplier_order_id:
            total -= fact.amount.amount_minor
    return total


# --- accrual --------------------------------------------------------------------------------------


def test_the_clock_that_notices_a_late_dispatch_accrues_compensation_with_it():
    scenario = sent_under(ONE_PERCENT)
    scenario.later(hours=48)
    assert scenario.miss(DISPATCH)[1:] == [
        CompensationAccrued(
            FIRST,
            "acme",
            Money(15, "EUR"),
            1500,
            CompensationTerms(100, ONE_PERCENT.effective_from),
            scenario.now,
        )
    ]
    assert scenario.miss(DISPATCH) == []


def test_a_dispatch_that_is_recorded_too_late_accrues_with_its_shipment():
    scenario = sent_under(ONE_PERCENT)
    scenario.answer({1: accept(3)})
    scenario.later(hours=49)
    assert names(scenario.ship()) == [
        *("supplier_order_shipped", "deadline_missed", "compensation_accrued"),
        *("registered", "reservation_consumed"),
    ]
    assert owed(scenario) == 15


def test_a_late_acknowledgement_costs_nothing():
    scenario = sent_under(ONE_PERCENT)
    scenario.later(hours=24)
    assert names(scenario.miss(Clock.ACKNOWLEDGE)) == ["deadline_missed"]


@pytest.mark.parametrize(("basis_points", "cents"), [(1, 0), (3, 0), (4, 1), (9, 1), (10, 2), (9_999, 1500)])
def test_half_a_cent_is_rounded_up_and_less_than_that_is_no_fact(basis_points, cents):
    # 3 x 5.00 EUR: 1 basis point is 0.15 cents.
    scenario = late_under(replace(TERMS, compensation_basis_points=basis_points))
    assert owed(scenario) == cents
    assert ("compensation_accrued" in names(fact for _, fact in scenario.log)) is bool(cents)


def test_half_a_cent_exactly_goes_up():
    assert [round_half_up(n, 10) for n in (4, 5, 14, 15, 25)] == [0, 1, 1, 2, 3]


def test_without_an_agreed_percentage_nothing_accrues():
    scenario = late_under(TERMS)
    assert owed(scenario) == 0
    assert "compensation_accrued" not in names(fact for _, fact in scenario.log)


def test_a_deadline_that_the_shop_gave_costs_nothing_without_an_agreement():
    scenario = a_shop()
    scenario.place(line(1, "tea", 3, dispatch_by=NOON + 5 * HOUR), placed_at=NOON - 41 * DAY)
    scenario.later(days=-40)
    scenario.send()
    scenario.later(days=41)
    assert names(scenario.miss(DISPATCH)) == ["deadline_missed"]


def test_what_was_agreed_when_it_was_sent_holds_whatever_is_agreed_later():
    scenario = sent_under(ONE_PERCENT)
    dearer = replace(ONE_PERCENT, effective_from=NOON + HOUR, compensation_basis_points=5_000)
    scenario.agree_terms(dearer)
    scenario.later(hours=48)
    accrued = the(CompensationAccrued, scenario.miss(DISPATCH))
    assert (accrued.amount.amount_minor, accrued.terms.effective_from) == (15, ONE_PERCENT.effective_from)


def test_it_is_capped():
    scenario = late_under(replace(TERMS, compensation_basis_points=5_000, compensation_cap=Money(400, "EUR")))
    assert owed(scenario) == 400


def test_a_cap_in_another_currency_cannot_be_compared_and_is_shown_but_not_applied():
    cap = Money(1, "USD")
    scenario = sent_under(replace(ONE_PERCENT, compensation_cap=cap))
    scenario.later(hours=48)
    accrued = the(CompensationAccrued, scenario.miss(DISPATCH))
    assert (accrued.amount, accrued.terms.cap) == (Money(15, "EUR"), cap)


def test_a_cap_of_nothing_means_that_nothing_is_owed():
    assert owed(late_under(replace(ONE_PERCENT, compensation_cap=Money(0, "EUR")))) == 0


# --- the net amount -------------------------------------------------------------------------------


def test_units_that_left_in_time_were_rejected_or_cancelled_do_not_count():
    scenario = sent_under(replace(TERMS, compensation_basis_points=10_000), line(1, "tea", 4), line(2, "mug", 1))
    scenario.answer({1: LineAnswer(accepted=3, rejected=1), 2: accept(1)})
    scenario.cancel({2: 1})
    scenario.answer_cancel(agreed=True)
    scenario.ship({1: 1})
    scenario.later(hours=50)
    scenario.ship({1: 1}, number="P2")
    # One that left late, and one that has still not left.
    assert the(CompensationAccrued, scenario.miss(DISPATCH)).net_amount_minor == 1000


def test_what_is_cancelled_or_rejected_after_the_breach_was_late_all_the_same():
    scenario = late_under(ONE_PERCENT)
    scenario.cancel({1: 1})
    assert "compensation_reversed" not in names(scenario.answer_cancel(agreed=True))
    assert "compensation_reversed" not in names(scenario.answer({1: reject(2)}))
    assert owed(scenario) == 15


def test_units_that_left_in_time_and_are_recorded_late_change_the_amount():
    scenario = late_under(ONE_PERCENT)
    facts = scenario.ship({1: 1}, at=NOON + 47 * HOUR)
    assert names(facts)[2:4] == ["compensation_reversed", "compensation_accrued"]
    assert the(CompensationReversed, facts).because is ReversalReason.RECOUNTED
    assert owed(scenario) == 10


# --- reversal -------------------------------------------------------------------------------------


def test_a_withdrawn_breach_reverses_it():
    scenario = late_under(ONE_PERCENT)
    reversed_ = the(CompensationReversed, scenario.ship(at=NOON + 47 * HOUR))
    assert (reversed_.amount, reversed_.because) == (Money(15, "EUR"), ReversalReason.WITHDRAWN)
    assert owed(scenario) == 0


def test_a_hold_that_is_recorded_late_withdraws_a_breach_of_a_clock_that_had_stood_still():
    scenario = late_under(ONE_PERCENT)
    facts = scenario.hold(HoldReason.CUSTOMER_REQUEST, at=NOON + 40 * HOUR)
    assert names(facts) == ["hold_placed", "clocks_stopped", "breach_withdrawn", "compensation_reversed"]
    assert the(BreachWithdrawn, facts).happened_at is None
    scenario.later(hours=2)
    scenario.release(HoldReason.CUSTOMER_REQUEST)
    assert scenario.miss(DISPATCH) == []
    scenario.later(hours=8)
    assert names(scenario.miss(DISPATCH)) == ["deadline_missed", "compensation_accrued"]
    assert owed(scenario) == 15


def test_a_hold_after_the_deadline_reverses_nothing():
    scenario = late_under(ONE_PERCENT)
    assert names(scenario.hold(HoldReason.CUSTOMER_REQUEST)) == ["hold_placed", "clocks_stopped"]
    assert owed(scenario) == 15


@pytest.mark.parametrize("party", [Party.CUSTOMER, Party.CARRIER, Party.RETAILER])
def test_a_delay_that_is_ruled_anothers_costs_the_supplier_nothing(party):
    scenario = late_under(ONE_PERCENT)
    ruled, reversed_ = scenario.rule(party, "closed_road")
    assert isinstance(ruled, DelayRuled)
    assert (ruled.party, ruled.because, ruled.by, ruled.supplier_id) == (party, "closed_road", "mia", "acme")
    assert isinstance(reversed_, CompensationReversed)
    assert reversed_.because is ReversalReason.RULED
    assert scenario.rule(party, "closed_road") == []
    assert owed(scenario) == 0


def test_a_delay_that_is_ruled_back_to_the_supplier_accrues_again():
    scenario = late_under(ONE_PERCENT)
    assert names(scenario.rule(Party.SUPPLIER, "late")) == ["delay_ruled"]
    scenario.rule(Party.CARRIER)
    assert names(scenario.rule(Party.CUSTOMER)) == ["delay_ruled"]
    assert names(scenario.rule(Party.SUPPLIER)) == ["delay_ruled", "compensation_accrued"]
    assert owed(scenario) == 15


@pytest.mark.parametrize("sequence", list(permutations(range(4))))
def test_of_rulings_recorded_in_any_order_the_newest_counts(sequence: tuple[int, ...]):
    scenario = late_under(ONE_PERCENT)
    since = scenario.now
    scenario.later(days=1)
    parties = [Party.CARRIER, Party.SUPPLIER, Party.SUPPLIER, Party.CARRIER]
    for hour in sequence:
        scenario.rule(parties[hour], at=since + hour * HOUR)
    (ruling,) = scenario.order().rulings.values()
    assert (ruling.party, ruling.at) == (Party.CARRIER, since + 3 * HOUR)
    assert owed(scenario) == 0


def test_a_ruling_on_another_clock_leaves_the_compensation():
    scenario = late_under(ONE_PERCENT)
    scenario.miss(Clock.ACKNOWLEDGE)
    assert names(scenario.rule(Party.CUSTOMER, clock=Clock.ACKNOWLEDGE)) == ["delay_ruled"]
    assert owed(scenario) == 15


def test_a_ruling_is_about_one_delay_and_goes_with_it():
    scenario = late_under(ONE_PERCENT)
    scenario.rule(Party.CUSTOMER)
    scenario.hold(HoldReason.OTHER, at=NOON + 40 * HOUR)
    scenario.release(HoldReason.OTHER)
    scenario.later(hours=8)
    assert names(scenario.miss(DISPATCH)) == ["deadline_missed", "compensation_accrued"]


def test_only_a_missed_clock_can_be_ruled_on():
    scenario = sent_under(ONE_PERCENT)
    with refused(NoDelay, "was not missed", supplier_order_id=FIRST, clock="dispatch"):
        scenario.rule(Party.CUSTOMER)
    with refused(UnknownSupplierOrder, "there is no supplier order shopify/1/2"):
        scenario.rule(Party.CUSTOMER, supplier_order_id=SECOND)


@pytest.mark.parametrize("noticed_first", [True, False])
def test_units_that_were_rejected_in_time_and_left_after_all_are_not_late(noticed_first: bool):
    scenario = sent_under(ONE_PERCENT, line(1, "tea", 3))
    scenario.later(hours=1)
    scenario.answer({1: LineAnswer(accepted=1, rejected=2)})
    scenario.later(hours=48)
    if noticed_first:
        scenario.miss(DISPATCH)
    scenario.ship({1: 2})
    if not noticed_first:
        scenario.miss(DISPATCH)
    assert owed(scenario) == 5  # of the one unit that was awaited


# --- whatever happens -----------------------------------------------------------------------------


class Late(RuleBasedStateMachine):
    """One order of two suppliers, whatever is recorded of it, and compensation counted from the facts alone."""

    seen: Counter[str] = Counter()

    @initialize(cap=st.sampled_from([None, Money(180, "EUR"), Money(1, "USD")]), overdue=st.booleans())
    def begin(self, cap: Money | None, overdue: bool) -> None:
        terms = replace(TERMS, compensation_basis_points=1_234, compensation_cap=cap)
        self.scenario = sent_under(terms, line(1, "tea", 3), line(2, "mug", 2), line(3, "ink", 2, "bolt"))
        self.parcels = 0
        if overdue:
            self.scenario.later(hours=50)
            self.scenario.miss(DISPATCH)

    def attempt(self, command, *arguments, **more) -> None:
        for _ in range(2):  # a repetition must change nothing
            try:
                facts = command(*arguments, **more)
            except Refusal:
                return
            self.seen.update(names(facts))

    which = st.sampled_from([FIRST, FIRST, FIRST, SECOND])

    @rule(hours=st.sampled_from([1, 5, 20, 48]))
    def later(self, hours: int) -> None:
        self.scenario.later(hours=hours)

    @rule(which=which)
    def notice(self, which: str) -> None:
        self.attempt(self.scenario.miss, DISPATCH, which)

    @rule(which=which, n=st.integers(0, 3), units=st.integers(1, 2), back=st.sampled_from([0, 2, 30, 60]))
    def ship(self, which: str, n: int, units: int, back: int) -> None:
        """Units of a line, or all that is left."""
        self.parcels += 1
        at = max(NOON, self.scenario.now - timedelta(hours=back))
        self.attempt(
            self.scenario.ship, {n: units} if n else None, supplier_order_id=which, number=f"P{self.parcels}", at=at
        )

    @rule(which=which, n=st.integers(1, 3), rejected=st.integers(0, 2))
    def answer(self, which: str, n: int, rejected: int) -> None:
        share = self.scenario.supplier_order(which).shares.get(LineNo(n))
        if share is not None and share.pending:
            less = min(rejected, share.pending)
            self.attempt(self.scenario.answer, {n: LineAnswer(accepted=share.pending - less, rejected=less)}, which)

    @rule(which=which, n=st.integers(1, 3), agreed=st.booleans())
    def cancel(self, which: str, n: int, agreed: bool) -> None:
        try:
            self.scenario.cancel({n: 1})
            self.scenario.answer_cancel(agreed, which)
        except Refusal:
            return

    @rule(reason=st.sampled_from([HoldReason.CUSTOMER_REQUEST, HoldReason.OUT_OF_STOCK]), back=st.integers(0, 60))
    def hold(self, reason: HoldReason, back: int) -> None:
        self.attempt(self.scenario.hold, reason, at=max(NOON, self.scenario.now - timedelta(hours=back)))

    @rule(reason=st.sampled_from([HoldReason.CUSTOMER_REQUEST, HoldReason.OUT_OF_STOCK]))
    def release(self, reason: HoldReason) -> None:
        self.attempt(self.scenario.release, reason)

    @rule(which=which, party=st.sampled_from(list(Party)))
    def rule_delay(self, which: str, party: Party) -> None:
        self.attempt(self.scenario.rule, party, supplier_order_id=which)

    @invariant()
    def nothing_or_the_right_amount_stands(self) -> None:
        for supplier_order_id in (FIRST, SECOND):
            standing: list[int] = []
            for _, fact in self.scenario.log:
                if isinstance(fact, CompensationAccrued) and fact.supplier_order_id == supplier_order_id:
                    assert not standing, "accrued twice"
                    standing = [fact.amount.amount_minor]
                elif isinstance(fact, CompensationReversed) and fact.supplier_order_id == supplier_order_id:
                    assert standing == [fact.amount.amount_minor], "reversed what did not stand"
                    standing = []
            assert sum(standing) == owed(self.scenario, supplier_order_id) == self._right(supplier_order_id)

    def _right(self, supplier_order_id: str) -> int:
        """Recounted from what was recorded, without the state of the order."""
        if supplier_order_id == SECOND:
            return 0  # bolt never agreed to anything
        left: Counter[int] = Counter()
        late: Counter[int] | None = None
        due, party = NOON, Party.SUPPLIER
        too_late: Counter[int] = Counter()
        due_now = (
            the(DeadlineMissed, [f for _, f in self.scenario.log if _is_breach(f)][-1:]).due
            if any(_is_breach(f) for _, f in self.scenario.log)
            else NOON
        )
        for _, fact in self.scenario.log:
            if getattr(fact, "supplier_order_id", getattr(fact, "object_id", "")) != supplier_order_id:
                continue
            match fact:
                case SupplierOrderDrafted():
                    left.update(fact.units)
                case SupplierOrderAcknowledged() | CancelAgreed():
                    dropped = Counter({n: getattr(each, "rejected", each) for n, each in fact.by_line.items()})
                    left.subtract(dropped)
                    if fact.at >= due_now:
                        too_late.update(dropped)
                case SupplierOrderShipped():
                    left.subtract(fact.by_line)
                    if late is not None and fact.at <= due:
                        late.subtract(fact.by_line)
                    elif fact.at > due_now:
                        too_late.update(fact.by_line)
                case DeadlineMissed() if fact.clock is DISPATCH:
                    due, late = fact.due, left + too_late
                case BreachWithdrawn() if fact.clock is DISPATCH:
                    late, party = None, Party.SUPPLIER
                case DelayRuled() if fact.clock is DISPATCH:
                    party = fact.party
                case _:
                    pass
        if late is None or party is not Party.SUPPLIER:
            return 0
        amount = int(sum(late.values()) * 500 * 1_234 / 10_000 + 0.5)
        terms = self.scenario.supplier_order().compensation_terms
        assert terms is not None
        cap = terms.cap
        return min(amount, cap.amount_minor) if cap and cap.currency == "EUR" else amount


def _is_breach(fact: object) -> bool:
    return isinstance(fact, DeadlineMissed) and fact.object_id == FIRST and fact.clock is DISPATCH


def test_whatever_is_recorded_nothing_or_the_right_amount_stands_for_a_supplier_order():
    Late.seen.clear()
    run_state_machine_as_test(
        Late,
        settings=settings(max_examples=200, stateful_step_count=25, suppress_health_check=list(HealthCheck)),
    )
    assert {"compensation_accrued", "compensation_reversed", "breach_withdrawn", "delay_ruled"} <= set(Late.seen)
