"""Reviews of a supplier: the figures that were seen, the score they give, proposals to suspend it (DOMAIN 2).

The facts are in the supplier's stream. Nothing here computes a rate: the caller has read the figures at a
position of the log and passes them, and the fact keeps them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from msgspec.structs import replace

from ledger.facts import Fact, Told, Value
from ledger.nouns.policies import Policy
from ledger.refusals import NotFound
from ledger.terms.rates import (
    Rate,
    RateName,
    RateStatus,
    score,
)

# --- facts ----------------------------------------------------------------------------------------


class Verdict(StrEnum):
    """The result of a review."""

    KEEP = "keep"
    WARN = "warn"
    """A rate misses its target, over too few cases to propose more."""
    PROPOSE_SUSPENSION = "propose_suspension"
    """A rate misses its target over enough cases."""


class SupplierReviewed(Fact, frozen=True, tag="supplier.reviewed"):
    """The rates of a period were looked at, as the read model had them at a position of the log."""

    supplier_id: str
    since: datetime
    until: datetime
    position: int
    rates: tuple[Rate, ...]
    verdict: Verdict
    at: datetime
    score_basis_points: int | None = None
    """None where no rate had data."""


class SuspensionProposed(Fact, frozen=True, tag="supplier.suspension_proposed"):
    """A rate missed its target over enough cases; a person decides. Recorded once per crossing."""

    supplier_id: str
    rate: Rate
    at: datetime


class RateRecovered(Fact, frozen=True, tag="supplier.rate_recovered"):
    """The rate keeps its target again: an open proposal is withdrawn, and the next crossing is a new one."""

    supplier_id: str
    rate: Rate
    at: datetime


class SuspensionDismissed(Fact, frozen=True, tag="supplier.suspension_dismissed"):
    """A person decided against a proposal; the same crossing is not proposed again."""

    supplier_id: str
    name: RateName
    because: Told
    at: datetime


ReviewFact = SupplierReviewed | SuspensionProposed | RateRecovered | SuspensionDismissed

# --- state ----------------------------------------------------------------------------------------


class ProposalState(StrEnum):
    """What became of a proposal, while its rate misses the target."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DISMISSED = "dismissed"


class Proposal(Value, frozen=True):
    """A crossing that was proposed."""

    rate: Rate
    proposed_at: datetime
    state: ProposalState = ProposalState.OPEN


class Reviews(Value, frozen=True):
    """The last review of a supplier, and the proposals."""

    last: SupplierReviewed | None = None
    proposals: dict[RateName, Proposal] = {}
    """By the rate that misses its target; gone once it recovered."""

    def suspended(self) -> Reviews:
        """The supplier was suspended, which is what every open proposal asked for."""
        accepted = {
            name: replace(each, state=ProposalState.ACCEPTED) if each.state is ProposalState.OPEN else each
            for name, each in self.proposals.items()
        }
        return replace(self, proposals=accepted)


def evolve(reviews: Reviews, fact: ReviewFact) -> Reviews:
    match fact:
        case SupplierReviewed():
            return replace(reviews, last=fact)
        case SuspensionProposed(rate=rate, at=at):
            return replace(reviews, proposals={**reviews.proposals, rate.name: Proposal(rate, at)})
        case RateRecovered(rate=rate):
            left = {name: each for name, each in reviews.proposals.items() if name is not rate.name}
            return replace(reviews, proposals=left)
        case SuspensionDismissed(name=name):
            dismissed = replace(reviews.proposals[name], state=ProposalState.DISMISSED)
            return replace(reviews, proposals={**reviews.proposals, name: dismissed})
        case _:
            assert_never(fact)


# --- refusals -------------------------------------------------------------------------------------


class SuspensionNotProposed(NotFound, reason="SUSPENSION_NOT_PROPOSED"):
    says = "no suspension of supplier {supplier_id} is proposed for its {rate}"
    supplier_id: str
    rate: RateName


# --- decisions ------------------------------------------------------------------------------------


class Seen(Value, frozen=True):
    """The rates that the read model had for a period, and its position in the log."""

    since: datetime
    until: datetime
    position: int
    rates: tuple[Rate, ...]


def review(reviews: Reviews, supplier_id: str, seen: Seen, policy: Policy, at: datetime) -> Sequence[ReviewFact]:
    """Record what was seen and propose what follows from it. The same figures of the same period record nothing."""
    last = reviews.last
    if last is not None and (last.since, last.until, last.rates) == (seen.since, seen.until, seen.rates):
        return []
    verdict, points = _verdict(seen.rates, policy.suspension_least_cases), score(seen.rates, policy.review_weights)
    reviewed = SupplierReviewed(
        supplier_id=supplier_id,
        since=seen.since,
        until=seen.until,
        position=seen.position,
        rates=seen.rates,
        verdict=verdict,
        at=at,
        score_basis_points=points,
    )
    return [reviewed, *propose(reviews, supplier_id, seen.rates, policy, at)]


def _verdict(rates: Iterable[Rate], least_cases: int) -> Verdict:
    missed = [rate for rate in rates if rate.status is RateStatus.BREACH]
    if any(rate.breaches(least_cases) for rate in missed):
        return Verdict.PROPOSE_SUSPENSION
    return Verdict.WARN if missed else Verdict.KEEP


def propose(
    reviews: Reviews, supplier_id: str, rates: Iterable[Rate], policy: Policy, at: datetime
) -> Sequence[ReviewFact]:
    """Propose a suspension for each rate that crossed its target. What is proposed already records nothing."""
    return [
        SuspensionProposed(supplier_id, rate, at)
        for rate in rates
        if rate.breaches(policy.suspension_least_cases) and rate.name not in reviews.proposals
    ]


def recover(
    reviews: Reviews, supplier_id: str, rates: Iterable[Rate], policy: Policy, at: datetime
) -> Sequence[ReviewFact]:
    """Records the rates that had missed their target and keep it again."""
    return [
        RateRecovered(supplier_id, rate, at)
        for rate in rates
        if rate.keeps(policy.suspension_least_cases) and rate.name in reviews.proposals
    ]


def proposal_of(reviews: Reviews, supplier_id: str, name: RateName) -> Proposal:
    proposal = reviews.proposals.get(name)
    if proposal is None:
        raise SuspensionNotProposed(supplier_id, name)
    return proposal


def dismiss(reviews: Reviews, supplier_id: str, name: RateName, because: Told, at: datetime) -> Sequence[ReviewFact]:
    """Decide against a proposal. Dismissing twice, or after the suspension, records nothing."""
    if proposal_of(reviews, supplier_id, name).state is not ProposalState.OPEN:
        return []
    return [SuspensionDismissed(supplier_id, name, because, at)]
