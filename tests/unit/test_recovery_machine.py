"""Random commands against a supplier's recovery and a carrier's claim: what must hold after any sequence of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from ledger.decisions.recovery_demands import Demand, give_up, recover
from ledger.facts import Change, Fact
from ledger.nouns.parcels import ParcelStatus
from ledger.nouns.recoveries import (
    ClaimFiled,
    ClaimTimeBarred,
    Cost,
    CostKind,
    DocumentKind,
    Method,
    RecoveryKind,
    RecoveryStatus,
    Subject,
)
from ledger.nouns.suppliers import Agreement
from ledger.refusals import Refusal
from tests.support.recovering import Recovering, refund
from tests.support.scenario import NOON, ORDER, shipped

amounts = st.sampled_from([100, 300, 500, 1000, 2000])
references = st.sampled_from(["a", "b", "c"])
costs = st.builds(Cost, st.sampled_from(["c1", "c2", "c3"]), st.sampled_from(CostKind), amounts)
case_costs = st.builds(Cost, st.sampled_from(["case-1:a", "case-1:b"]), st.sampled_from(CostKind), st.just(300))
REACHED = {
    RecoveryStatus.SETTLED,
    RecoveryStatus.PAID,
    RecoveryStatus.TIME_BARRED,
    RecoveryStatus.WITHDRAWN,
    RecoveryStatus.WRITTEN_OFF,
    RecoveryStatus.APPEALED,
}


class Recoveries(RuleBasedStateMachine):
    seen: ClassVar[Counter[RecoveryStatus]] = Counter()
    """How often each status was reached, over all runs."""

    def __init__(self) -> None:
        super().__init__()
        self.scenario = shipped()
        self.scenario.approve("acme", Agreement(effective_from=NOON - timedelta(days=1), answer_within_hours=24))
        self.asked, self.claim = (
            Recovering(self.scenario, "case-1/supplier/acme/EUR"),
            Recovering(self.scenario, "claim"),
        )
        self.asked.of_supplier(refund(1000))
        self.claim.of_carrier(refund(1000))
        self.scenario.later(days=14)
        self.ends: dict[str, RecoveryStatus] = {}

    def attempt(self, command: Callable[[], list[Fact]]) -> list[Fact]:
        """Runs a command, refused or not; the same again records nothing."""
        before = len(self.scenario.log)
        try:
            facts = command()
        except Refusal:
            assert len(self.scenario.log) == before
            return []
        assert command() == [], "repeating it recorded something"
        return facts

    # --- what happens ---

    @rule(hours=st.sampled_from([1, 1, 30, 24 * 50]), noticed=st.booleans())
    def time_passes(self, hours: int, noticed: bool) -> None:
        self.scenario.later(hours=hours)
        if noticed:
            self.clocks_tick()

    def clocks_tick(self) -> None:
        for each in (self.asked, self.claim):
            for notice in (each.miss_answer, each.become_eligible, each.bar):
                self.attempt(notice)

    @rule(cost=costs)
    def more_is_spent(self, cost: Cost) -> None:
        for each in (self.asked, self.claim):
            self.attempt(lambda each=each: each.add(cost))  # type: ignore[misc]

    @rule(costs=st.lists(case_costs, unique_by=lambda cost: cost.cost_id))
    def a_case_costs(self, costs: list[Cost]) -> None:
        # A remedy is never refused by its recovery: here a refusal fails the test.
        for demand in self.demands(*costs):
            self.attempt(lambda demand=demand: self.record(recover(self.scenario.book, demand, self.scenario.now)))  # type: ignore[misc]

    @rule(seldom=st.integers(0, 9))
    def it_is_ruled_otherwise(self, seldom: int) -> None:
        for demand in self.demands() if seldom == 9 else ():
            self.record(give_up(self.scenario.book, demand, "ruled_otherwise", self.scenario.now))

    def demands(self, *costs: Cost) -> list[Demand]:
        subject = Subject(ORDER, "shopify/1/1", "acme", "case-1", "dhl", "P1", 1)
        return [
            Demand(kind, subject, "EUR", costs) for kind in (RecoveryKind.SUPPLIER_FAULT, RecoveryKind.CARRIER_LOSS)
        ]

    def record(self, changes: Sequence[Change]) -> list[Fact]:
        return self.scenario.record(changes)

    @rule(amount=amounts)
    def the_supplier_accepts(self, amount: int) -> None:
        self.attempt(lambda: self.asked.accept(amount))

    @rule()
    def the_supplier_disputes(self) -> None:
        self.attempt(self.asked.dispute)

    @rule(amount=amounts, reference=references, method=st.sampled_from(Method), whole=st.booleans())
    def the_supplier_settles(self, amount: int, reference: str, method: Method, whole: bool) -> None:
        left = self.asked.recovery.agreed_minor - self.asked.recovery.received_minor
        amount = left if whole and left else amount
        self.attempt(lambda: self.asked.settle(amount, reference, method))

    @rule(which=st.booleans(), seldom=st.integers(0, 9))
    def somebody_writes_off(self, which: bool, seldom: int) -> None:
        if seldom == 9:
            self.attempt((self.asked if which else self.claim).write_off)

    @rule()
    def the_order_is_at_hand(self) -> None:
        self.attempt(lambda: self.claim.collect(DocumentKind.ORDER))

    @rule(documented=st.booleans())
    def it_is_filed(self, documented: bool) -> None:
        if documented:
            self.attempt(self.claim.collect)
        self.attempt(self.claim.file)

    @rule(reference=references)
    def the_carrier_acknowledges(self, reference: str) -> None:
        self.attempt(lambda: self.claim.acknowledge(reference))

    @rule(amount=amounts)
    def the_carrier_approves(self, amount: int) -> None:
        self.attempt(lambda: self.claim.approve(amount))

    @rule()
    def the_claim_goes_well(self) -> None:
        """All at once, which rules that know nothing of one another would hardly ever bring about."""
        self.it_is_filed(documented=True)
        claimed = self.claim.recovery.claimed_minor
        if claimed:
            self.attempt(lambda: self.claim.approve(claimed))
            self.the_carrier_pays(amount=claimed, reference="c", whole=True)

    @rule()
    def the_carrier_denies(self) -> None:
        self.attempt(self.claim.deny)

    @rule()
    def it_is_appealed(self) -> None:
        self.attempt(self.claim.appeal)

    @rule(amount=amounts, reference=references, whole=st.booleans())
    def the_carrier_pays(self, amount: int, reference: str, whole: bool) -> None:
        left = self.claim.recovery.agreed_minor - self.claim.recovery.received_minor
        amount = left if whole and left else amount
        self.attempt(lambda: self.claim.pay(amount, reference))

    @rule(amount=amounts, reference=references)
    def money_goes_back(self, amount: int, reference: str) -> None:
        self.attempt(lambda: self.claim.give_back(amount, reference))

    @rule(status=st.sampled_from([ParcelStatus.LOST, ParcelStatus.DELIVERED]))
    def the_carrier_scans(self, status: ParcelStatus) -> None:
        self.scenario.later(hours=1)
        self.scenario.scan(status)

    # --- what holds ---

    @invariant()
    def no_more_comes_than_was_agreed(self) -> None:
        for each in (self.asked.recovery, self.claim.recovery):
            assert 0 <= each.kept_minor <= each.received_minor <= each.agreed_minor <= each.asked_minor
        assert self.claim.recovery.agreed_minor <= self.claim.recovery.claimed_minor

    @invariant()
    def what_is_barred_was_never_filed(self) -> None:
        kinds = [type(fact) for stream, fact in self.scenario.log if stream == "recovery-claim"]
        assert not (ClaimTimeBarred in kinds and ClaimFiled in kinds)
        assert kinds.count(ClaimTimeBarred) <= 1
        assert kinds.count(ClaimFiled) <= 1

    @invariant()
    def there_is_one_end(self) -> None:
        for each in (self.asked.recovery, self.claim.recovery):
            Recoveries.seen[each.status] += 1
            if each.status.is_end:
                assert self.ends.setdefault(each.recovery_id, each.status) is each.status
            else:
                assert each.recovery_id not in self.ends, "it went on after its end"
            assert (each.ended_at is not None) is each.status.is_end

    @invariant()
    def an_unfiled_claim_brings_no_money(self) -> None:
        claim = self.claim.recovery
        assert claim.filed_at is not None or (claim.received_minor, claim.agreed_minor) == (0, 0)


def test_no_sequence_of_commands_breaks_a_recovery():
    run_state_machine_as_test(Recoveries, settings=settings(max_examples=120, stateful_step_count=40))
    reached = REACHED & set(Recoveries.seen)
    assert len(reached) >= len(REACHED) - 2, f"never reached: {REACHED - reached}"
