"""Decisions on what is asked of a supplier or a customer, and on its answers and money."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from ledger.facts import Told
from ledger.nouns.recoveries.evolving import evolve
from ledger.nouns.recoveries.facts import (
    AmountRaised,
    ClaimBecameEligible,
    Cost,
    CostWithdrawn,
    Method,
    RecoveryAccepted,
    RecoveryAnswerMissed,
    RecoveryBreachWithdrawn,
    RecoveryDisputed,
    RecoveryFact,
    RecoveryOpened,
    RecoveryWrittenOff,
    SettlementReceived,
)
from ledger.nouns.recoveries.refusals import (
    ClaimOnCarrier,
    CostDiffers,
    LessThanReceived,
    MoreThanAgreed,
    MoreThanAsked,
    NothingAgreed,
    OtherCurrency,
    RecoveryEnded,
    RecoveryOpenedDifferently,
    RecoveryPaymentDiffers,
)
from ledger.nouns.recoveries.state import Recovery, RecoveryPayment, RecoveryStatus, answering
from ledger.terms.clocks import ClockState, Reading
from ledger.terms.money import Money


def opened(recovery: Recovery | None, opening: RecoveryOpened) -> Sequence[RecoveryFact]:
    """A new recovery; one without a waiting time can be claimed at once. The same opening again records nothing."""
    if recovery is not None:
        if _content(recovery.opened) != _content(opening):
            raise RecoveryOpenedDifferently(opening.recovery_id)
        return []
    if opening.eligible_at is None or opening.eligible_at > opening.at:
        return [opening]
    return [opening, ClaimBecameEligible(opening.recovery_id, opening.at)]


def _content(opening: RecoveryOpened) -> object:
    """What was asked for, without what follows from the terms in force."""
    return opening.kind, opening.subject, opening.currency, opening.costs


def raised(
    recovery: Recovery, cost: Cost, currency: str, answer_by: datetime | None, time_zone: str, at: datetime
) -> Sequence[RecoveryFact]:
    """One more cost. The same cost again records nothing; what is over is not raised."""
    require_currency(recovery, currency)
    earlier = recovery.costs_by_id.get(cost.cost_id)
    if earlier is not None:
        if earlier != cost:
            raise CostDiffers(recovery.recovery_id, earlier.cost_id, earlier.kind, recovery.money(earlier.amount_minor))
        return []
    require_open(recovery)
    return [AmountRaised(recovery.recovery_id, cost, at, answer_by, time_zone)]


def withdraw(recovery: Recovery, cost_ids: Iterable[str], at: datetime) -> list[RecoveryFact]:
    """Without these costs. What was claimed or agreed on already stays; what is over records nothing."""
    if recovery.status.is_end or recovery.filed_at is not None:
        return []
    facts: list[RecoveryFact] = []
    asked_minor = recovery.asked_minor
    for cost_id in cost_ids:
        left = asked_minor - recovery.costs_by_id[cost_id].amount_minor
        if left >= recovery.agreed_minor:
            asked_minor = left
            facts.append(CostWithdrawn(recovery.recovery_id, cost_id, at))
    return facts


def write_off(recovery: Recovery, because: Told, at: datetime) -> Sequence[RecoveryFact]:
    """Give up what has not been received, at any time. Writing off twice records nothing."""
    if recovery.status is RecoveryStatus.WRITTEN_OFF:
        return []
    require_open(recovery)
    left_minor = max(recovery.asked_minor - recovery.received_minor, 0)
    return [RecoveryWrittenOff(recovery.recovery_id, because, left_minor, at)]


def require_open(recovery: Recovery) -> None:
    if recovery.status.is_end:
        raise RecoveryEnded(recovery.recovery_id, recovery.status)


def require_currency(recovery: Recovery, currency: str) -> None:
    if currency != recovery.currency:
        raise OtherCurrency(recovery.recovery_id, recovery.currency, currency)


def require_agreed(recovery: Recovery, amount_minor: int) -> None:
    if not recovery.agreed_minor:
        raise NothingAgreed(recovery.recovery_id, recovery.status)
    if recovery.received_minor + amount_minor > recovery.agreed_minor:
        agreed, received = recovery.money(recovery.agreed_minor), recovery.money(recovery.received_minor)
        raise MoreThanAgreed(recovery.recovery_id, agreed, received, recovery.money(amount_minor))


def repeats(recovery: Recovery, payments: Sequence[RecoveryPayment], payment: RecoveryPayment) -> bool:
    """Whether this money was recorded before; the same reference for another amount is refused."""
    earlier = next((each for each in payments if each.reference == payment.reference), None)
    if earlier is None:
        return False
    if (earlier.amount_minor, earlier.method) != (payment.amount_minor, payment.method):
        raise RecoveryPaymentDiffers(recovery.recovery_id, earlier.reference, recovery.money(earlier.amount_minor))
    return True


def accept(recovery: Recovery, granted: Money, at: datetime, now: datetime) -> Sequence[RecoveryFact]:
    """The supplier bears so much in all; a new agreement replaces an earlier one. The same again records nothing."""
    _require_proposal(recovery, granted.currency)
    amount = granted.amount_minor
    if recovery.status in (RecoveryStatus.ACCEPTED, RecoveryStatus.SETTLED) and recovery.agreed_minor == amount:
        return []
    require_open(recovery)
    if amount > recovery.asked_minor:
        raise MoreThanAsked(recovery.recovery_id, recovery.money(recovery.asked_minor), granted)
    if amount < recovery.received_minor:
        raise LessThanReceived(recovery.recovery_id, recovery.money(recovery.received_minor), granted)
    return _answered(recovery, RecoveryAccepted(recovery.recovery_id, amount, at), now)


def dispute(recovery: Recovery, because: Told, at: datetime, now: datetime) -> Sequence[RecoveryFact]:
    """The supplier does not agree. Disputing what is disputed records nothing."""
    _require_proposal(recovery, recovery.currency)
    if recovery.status is RecoveryStatus.DISPUTED:
        return []
    require_open(recovery)
    return _answered(recovery, RecoveryDisputed(recovery.recovery_id, because, at), now)


def settle(recovery: Recovery, reference: str, paid: Money, method: Method, at: datetime) -> Sequence[RecoveryFact]:
    """A part of what was accepted, never more than that. The same part again records nothing."""
    _require_proposal(recovery, paid.currency)
    if repeats(recovery, recovery.received, RecoveryPayment(reference, paid.amount_minor, at, method)):
        return []
    require_open(recovery)
    require_agreed(recovery, paid.amount_minor)
    return [SettlementReceived(recovery.recovery_id, reference, paid.amount_minor, method, at)]


def _require_proposal(recovery: Recovery, currency: str) -> None:
    if recovery.kind.is_claim:
        raise ClaimOnCarrier(recovery.recovery_id, recovery.kind)
    require_currency(recovery, currency)


def _answered(recovery: Recovery, answer: RecoveryAccepted | RecoveryDisputed, now: datetime) -> list[RecoveryFact]:
    """The answer, and what follows for its clock: a late answer is a breach, one in time withdraws it."""
    reading = answering(evolve(recovery, answer))
    # Only the first answer counts, and none to more than what was asked when the breach was recorded.
    if reading is None or recovery.answered_at is not None or reading.due != recovery.answer_by:
        return [answer]
    verdict = reading.verdict(now)
    if verdict is ClockState.MISSED:
        return [answer, _missed(reading, now)]
    if verdict is ClockState.WITHDRAWN:
        return [answer, RecoveryBreachWithdrawn(recovery.recovery_id, answer.at, now)]
    return [answer]


def miss_answer(recovery: Recovery | None, now: datetime) -> Sequence[RecoveryFact]:
    """Records that the supplier did not answer in time, if it is so."""
    reading = answering(recovery) if recovery is not None else None
    return [_missed(reading, now)] if reading is not None and reading.overdue(now) else []


def _missed(reading: Reading, now: datetime) -> RecoveryAnswerMissed:
    return RecoveryAnswerMissed(reading.object_id, reading.supplier_id, reading.due, now)
