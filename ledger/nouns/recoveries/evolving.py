"""How each fact changes a recovery."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from msgspec.structs import replace

from ledger.nouns.recoveries.facts import (
    AmountRaised,
    ClaimAcknowledged,
    ClaimAppealed,
    ClaimApproved,
    ClaimBecameEligible,
    ClaimDenied,
    ClaimedParcelFound,
    ClaimFiled,
    ClaimPaid,
    ClaimTimeBarred,
    CostWithdrawn,
    DocumentCollected,
    PaymentReturned,
    RecoveryAccepted,
    RecoveryAnswerMissed,
    RecoveryBreachWithdrawn,
    RecoveryDisputed,
    RecoveryFact,
    RecoveryOpened,
    RecoveryWrittenOff,
    SettlementReceived,
)
from ledger.nouns.recoveries.state import Document, Recovery, RecoveryPayment, RecoveryStatus
from ledger.view import noun


def evolve(recovery: Recovery | None, fact: RecoveryFact) -> Recovery:
    if isinstance(fact, RecoveryOpened):
        status = RecoveryStatus.WAITING if fact.kind.is_claim else RecoveryStatus.PROPOSED
        costs = {cost.cost_id: cost for cost in fact.costs}
        return Recovery(fact, status, costs, answer_by=fact.answer_by, time_zone=fact.time_zone)
    assert recovery is not None, "the first fact of a recovery is its opening"
    match fact:
        case AmountRaised(cost=cost):
            raised = replace(recovery, costs_by_id={**recovery.costs_by_id, cost.cost_id: cost})
            if recovery.kind.is_claim:
                return raised
            asked = replace(raised, status=RecoveryStatus.PROPOSED, answer_by=fact.answer_by, answered_at=None)
            return replace(asked, time_zone=fact.time_zone)
        case CostWithdrawn(cost_id=cost_id):
            left = recovery.costs_by_id.copy()
            left.pop(cost_id, None)
            return replace(recovery, costs_by_id=left)
        case RecoveryAccepted(amount_minor=amount):
            accepted = replace(
                _answered(recovery, fact.at), status=RecoveryStatus.ACCEPTED, agreed_minor=amount, because=""
            )
            return _completed(accepted, fact.at)
        case RecoveryDisputed():
            return replace(_answered(recovery, fact.at), status=RecoveryStatus.DISPUTED, because=fact.because)
        case SettlementReceived():
            part = RecoveryPayment(fact.reference, fact.amount_minor, fact.at, fact.method)
            return _completed(replace(recovery, received=(*recovery.received, part)), fact.at)
        case RecoveryWrittenOff():
            return replace(recovery, status=RecoveryStatus.WRITTEN_OFF, because=fact.because, ended_at=fact.at)
        case RecoveryAnswerMissed():
            return replace(recovery, answer_missed=fact)
        case RecoveryBreachWithdrawn():
            return replace(recovery, answer_withdrawn=fact)
        case ClaimBecameEligible():
            return _prepared(replace(recovery, status=RecoveryStatus.ELIGIBLE))
        case DocumentCollected():
            document = Document(fact.kind, fact.sha256)
            return _prepared(replace(recovery, documents=(*recovery.documents, document)))
        case _:
            return _claim_evolved(recovery, fact)


NOUN = noun("recovery", RecoveryFact, evolve)


def _claim_evolved(
    recovery: Recovery,
    fact: ClaimFiled
    | ClaimAcknowledged
    | ClaimApproved
    | ClaimDenied
    | ClaimAppealed
    | ClaimPaid
    | ClaimTimeBarred
    | ClaimedParcelFound
    | PaymentReturned,
) -> Recovery:
    """What happens to a claim once it is filed, or can be filed no more."""
    match fact:
        case ClaimFiled(amount_minor=amount):
            return replace(recovery, status=RecoveryStatus.FILED, claimed_minor=amount, filed_at=fact.at)
        case ClaimAcknowledged(reference=reference):
            status = RecoveryStatus.ACKNOWLEDGED if recovery.status is RecoveryStatus.FILED else recovery.status
            return replace(recovery, status=status, reference=reference)
        case ClaimApproved(amount_minor=amount):
            approved = replace(recovery, status=RecoveryStatus.APPROVED, agreed_minor=amount, because="")
            return _completed(approved, fact.at)
        case ClaimDenied(because=because):
            return replace(recovery, status=RecoveryStatus.DENIED, because=because)
        case ClaimAppealed(amount_minor=amount, because=because):
            return replace(recovery, status=RecoveryStatus.APPEALED, claimed_minor=amount, because=because)
        case ClaimPaid():
            part = RecoveryPayment(fact.reference, fact.amount_minor, fact.at)
            return _completed(replace(recovery, received=(*recovery.received, part)), fact.at)
        case ClaimTimeBarred():
            return replace(recovery, status=RecoveryStatus.TIME_BARRED, barred_at=fact.at, ended_at=fact.file_by)
        case ClaimedParcelFound(delivered_at=found_at):
            found = replace(recovery, found_at=found_at)
            if recovery.status.is_unfiled:
                return replace(found, status=RecoveryStatus.WITHDRAWN, ended_at=fact.at)
            return found
        case PaymentReturned():
            part = RecoveryPayment(fact.reference, fact.amount_minor, fact.at)
            return replace(recovery, returned=(*recovery.returned, part))
        case _:
            assert_never(fact)


def _answered(recovery: Recovery, at: datetime) -> Recovery:
    """An answer may be changed; the clock counts the first one."""
    return replace(recovery, answered_at=recovery.answered_at or at)


def _prepared(recovery: Recovery) -> Recovery:
    """An eligible claim with all its documents can be filed."""
    ready = recovery.status is RecoveryStatus.ELIGIBLE and not recovery.missing_documents
    return replace(recovery, status=RecoveryStatus.DOCUMENTED) if ready else recovery


def _completed(recovery: Recovery, at: datetime) -> Recovery:
    """The last of the money ends it, except a claim that was approved in part: the rest may be appealed."""
    if recovery.received_minor < recovery.agreed_minor:
        return recovery
    if recovery.status is RecoveryStatus.ACCEPTED:
        return replace(recovery, status=RecoveryStatus.SETTLED, ended_at=at)
    if recovery.status is RecoveryStatus.APPROVED and recovery.agreed_minor >= recovery.claimed_minor:
        return replace(recovery, status=RecoveryStatus.PAID, ended_at=at)
    return recovery
