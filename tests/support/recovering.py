"""Words for scenarios about recoveries: each method runs one command at ``scenario.now`` and returns its facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from ledger.decisions import recovery_demands
from ledger.decisions.timers import ClaimEligibleDue, ClaimFilingDue, RecoveryAnswerDue
from ledger.facts import Fact, changes_of
from ledger.nouns import claims, policies, recoveries
from ledger.nouns.policies import ClaimTerms, Policy
from ledger.nouns.recoveries import (
    Cost,
    CostKind,
    DocumentKind,
    Method,
    Recovery,
    RecoveryFact,
    RecoveryKind,
    RecoveryStatus,
    Subject,
)
from ledger.terms.money import Money
from tests.support.scenario import (
    DAY,
    FIRST,
    ORDER,
    Scenario,
    shipped,
)

SUPPLIER, LOSS, DAMAGE, FOUND = (
    RecoveryKind.SUPPLIER_FAULT,
    RecoveryKind.CARRIER_LOSS,
    RecoveryKind.CARRIER_DAMAGE,
    RecoveryKind.FOUND_AFTER_LOSS,
)
HASH = "ab" * 32
EVERY_DOCUMENT = tuple(DocumentKind)


def eur(amount_minor: int) -> Money:
    return Money(amount_minor, "EUR")


def refund(amount_minor: int, cost_id: str = "refund-1") -> Cost:
    return Cost(cost_id, CostKind.REFUND, amount_minor)


class Recovering:
    """One recovery of a scenario's order."""

    def __init__(self, scenario: Scenario, recovery_id: str = "r1") -> None:
        self.scenario = scenario
        self.recovery_id = recovery_id

    @property
    def recovery(self) -> Recovery:
        return recoveries.known(recoveries.find(self.scenario.book, self.recovery_id), self.recovery_id)

    def status(self) -> RecoveryStatus:
        """A call, because the type checker takes a property for what it was a line before."""
        return self.recovery.status

    def of_supplier(self, *costs: Cost, supplier_order_id: str = FIRST, currency: str = "EUR") -> list[Fact]:
        subject = Subject(supplier_order_id.rpartition("/")[0], supplier_order_id)
        return self._open(SUPPLIER, subject, costs, currency)

    def of_carrier(
        self, *costs: Cost, kind: RecoveryKind = LOSS, number: str = "P1", order_id: str = ORDER, currency: str = "EUR"
    ) -> list[Fact]:
        return self._open(kind, Subject(order_id, carrier="dhl", number=number), costs, currency)

    def _open(self, kind: RecoveryKind, subject: Subject, costs: tuple[Cost, ...], currency: str) -> list[Fact]:
        book, now = self.scenario.book, self.scenario.now
        return self.scenario.record(
            recovery_demands.open_recovery(book, self.recovery_id, kind, subject, currency, costs, now)
        )

    def add(self, cost: Cost, currency: str = "EUR") -> list[Fact]:
        return self.scenario.record(
            recovery_demands.raise_recovery(self.scenario.book, self.recovery_id, cost, currency, self.scenario.now)
        )

    def accept(self, amount_minor: int, at: datetime | None = None, currency: str = "EUR") -> list[Fact]:
        granted, now = Money(amount_minor, currency), self.scenario.now
        return self._decide(lambda recovery: recoveries.accept(recovery, granted, at or now, now))

    def dispute(self, because: str = "not_ours", at: datetime | None = None) -> list[Fact]:
        now = self.scenario.now
        return self._decide(lambda recovery: recoveries.dispute(recovery, because, at or now, now))

    def settle(self, amount_minor: int, reference: str = "cn-1", method: Method = Method.CREDIT_NOTE) -> list[Fact]:
        now = self.scenario.now
        return self._decide(lambda recovery: recoveries.settle(recovery, reference, eur(amount_minor), method, now))

    def write_off(self, because: str = "too_small") -> list[Fact]:
        return self._decide(lambda recovery: recoveries.write_off(recovery, because, self.scenario.now))

    def collect(self, *kinds: DocumentKind, sha256: str = HASH) -> list[Fact]:
        """All documents that carriers ask for, unless said otherwise."""
        return [fact for kind in kinds or EVERY_DOCUMENT for fact in self._collect(kind, sha256)]

    def _collect(self, kind: DocumentKind, sha256: str) -> list[Fact]:
        return self._decide(lambda recovery: claims.collect(recovery, kind, sha256, self.scenario.now))

    def file(self, at: datetime | None = None) -> list[Fact]:
        return self._decide(lambda recovery: claims.file(recovery, at or self.scenario.now))

    def acknowledge(self, reference: str = "DHL-7") -> list[Fact]:
        return self._decide(lambda recovery: claims.acknowledge(recovery, reference, self.scenario.now))

    def approve(self, amount_minor: int, currency: str = "EUR") -> list[Fact]:
        granted = Money(amount_minor, currency)
        return self._decide(lambda recovery: claims.approve(recovery, granted, self.scenario.now))

    def deny(self, because: str = "packed_badly") -> list[Fact]:
        return self._decide(lambda recovery: claims.deny(recovery, because, self.scenario.now))

    def appeal(self, because: str = "photos_show_it") -> list[Fact]:
        return self._decide(lambda recovery: claims.appeal(recovery, because, self.scenario.now))

    def pay(self, amount_minor: int, reference: str = "p-1", currency: str = "EUR") -> list[Fact]:
        paid = Money(amount_minor, currency)
        return self._decide(lambda recovery: claims.pay(recovery, reference, paid, self.scenario.now))

    def give_back(self, amount_minor: int, reference: str = "b-1") -> list[Fact]:
        return self._decide(
            lambda recovery: claims.give_back(recovery, reference, eur(amount_minor), self.scenario.now)
        )

    def _decide(self, decide: Callable[[Recovery], Sequence[RecoveryFact]]) -> list[Fact]:
        stream = recoveries.stream(self.recovery_id)
        return self.scenario.record((stream, fact) for fact in decide(self.recovery))

    # --- what time does ---

    def miss_answer(self) -> list[Fact]:
        return self.scenario.notice(RecoveryAnswerDue(self.recovery_id, due=self.scenario.now))

    def become_eligible(self) -> list[Fact]:
        return self.scenario.notice(ClaimEligibleDue(self.recovery_id, due=self.scenario.now))

    def bar(self) -> list[Fact]:
        return self.scenario.notice(ClaimFilingDue(self.recovery_id, due=self.scenario.now))


# --- where scenarios begin --------------------------------------------------------------------------


def agree_claim_terms(scenario: Scenario, *terms: ClaimTerms) -> list[Fact]:
    """The retailer's terms are agreed anew, from now on."""
    policy = Policy(claim_terms=terms)
    return scenario.record(
        changes_of(policies.stream(), policies.agree(policies.find(scenario.book), policy, scenario.now, scenario.now))
    )


def proposed(*costs: Cost, **more: Any) -> Recovering:
    """A supplier is asked for 10 EUR, or for these costs."""
    recovering = Recovering(shipped(**more))
    recovering.of_supplier(*(costs or (refund(1000),)))
    return recovering


def claimable(*costs: Cost, kind: RecoveryKind = LOSS, days: float = 14) -> Recovering:
    """A parcel was shipped so many days ago, and a claim of 10 EUR, or of these costs, is prepared."""
    recovering = Recovering(shipped())
    recovering.scenario.now += days * DAY
    recovering.of_carrier(*(costs or (refund(1000),)), kind=kind)
    return recovering


def filed(*costs: Cost) -> Recovering:
    recovering = claimable(*costs)
    recovering.collect()
    recovering.file()
    return recovering


def approved(amount_minor: int = 1000, *costs: Cost) -> Recovering:
    recovering = filed(*costs)
    recovering.approve(amount_minor)
    return recovering


def names_of(facts: Iterable[Fact]) -> list[str]:
    """The facts by their whole names."""
    return [fact.fact_name() for fact in facts]
