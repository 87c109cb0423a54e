"""Claims on carriers: the decisions on a recovery that a carrier is to pay (DOMAIN 5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ledger.facts import Told
from ledger.nouns.recoveries import (
    ClaimAcknowledged,
    ClaimAppealed,
    ClaimApproved,
    ClaimBecameEligible,
    ClaimDenied,
    ClaimedParcelFound,
    ClaimFiled,
    ClaimPaid,
    ClaimTimeBarred,
    Document,
    DocumentCollected,
    DocumentKind,
    LessThanReceived,
    MoreThanAsked,
    PaymentReturned,
    Recovery,
    RecoveryFact,
    RecoveryKind,
    RecoveryPayment,
    RecoveryStatus,
    filing,
    repeats,
    require_agreed,
    require_currency,
    require_open,
)
from ledger.refusals import Forbidden
from ledger.terms.money import Money

# --- refusals -------------------------------------------------------------------------------------


class NoCarrierClaim(Forbidden, reason="NO_CARRIER_CLAIM"):
    says = "recovery {recovery_id} is of kind {kind}, no claim on a carrier"
    recovery_id: str
    kind: RecoveryKind


class MoreThanKept(Forbidden, reason="MORE_THAN_KEPT"):
    says = "{amount} of recovery {recovery_id} cannot go back: {kept} of it is kept"
    recovery_id: str
    kept: Money
    amount: Money


class ClaimNotEligible(Forbidden, reason="CLAIM_NOT_ELIGIBLE"):
    says = "claim {recovery_id} cannot be filed before {eligible_at}: the carrier's waiting time runs"
    recovery_id: str
    eligible_at: datetime


class DocumentsMissing(Forbidden, reason="DOCUMENTS_MISSING"):
    says = "claim {recovery_id} cannot be filed without {missing}"
    recovery_id: str
    missing: Sequence[DocumentKind]


class NothingToClaim(Forbidden, reason="NOTHING_TO_CLAIM"):
    says = "claim {recovery_id} has no amount yet; use RecoveryService.RaiseRecovery"
    recovery_id: str


class FilingDeadlinePassed(Forbidden, reason="FILING_DEADLINE_PASSED"):
    says = "claim {recovery_id} had to be filed before {file_by}"
    recovery_id: str
    file_by: datetime


class ClaimNotFiled(Forbidden, reason="CLAIM_NOT_FILED"):
    says = "claim {recovery_id} is {status}, not filed"
    recovery_id: str
    status: RecoveryStatus


class ClaimDecided(Forbidden, reason="CLAIM_DECIDED"):
    says = "claim {recovery_id} is {status} already; appeal before it is decided again"
    recovery_id: str
    status: RecoveryStatus


class NothingToAppeal(Forbidden, reason="NOTHING_TO_APPEAL"):
    says = "claim {recovery_id} is {status}, {approved} of {claimable} approved: nothing to appeal"
    recovery_id: str
    status: RecoveryStatus
    approved: Money
    claimable: Money


# --- decisions ------------------------------------------------------------------------------------

_UNDECIDED = frozenset({RecoveryStatus.FILED, RecoveryStatus.ACKNOWLEDGED, RecoveryStatus.APPEALED})


def _require_claim(recovery: Recovery) -> None:
    if not recovery.kind.is_claim:
        raise NoCarrierClaim(recovery.recovery_id, recovery.kind)


def become_eligible(recovery: Recovery | None, now: datetime) -> Sequence[RecoveryFact]:
    """Records that the waiting time has passed, if it has."""
    if recovery is None or recovery.waits_until is None or now < recovery.waits_until:
        return []
    return [ClaimBecameEligible(recovery.recovery_id, now)]


def collect(recovery: Recovery, kind: DocumentKind, sha256: str, at: datetime) -> Sequence[RecoveryFact]:
    """A document for the claim, also after filing. The same document again records nothing."""
    _require_claim(recovery)
    if Document(kind, sha256) in recovery.documents:
        return []
    require_open(recovery)
    return [DocumentCollected(recovery.recovery_id, kind, sha256, at)]


def file(recovery: Recovery, at: datetime) -> Sequence[RecoveryFact]:
    """Ask the carrier for it, after its waiting time and before its deadline. Filing twice records nothing."""
    _require_claim(recovery)
    if recovery.filed_at is not None:
        return []
    require_open(recovery)
    file_by, eligible_at = recovery.opened.file_by, recovery.opened.eligible_at
    if file_by is not None and at >= file_by:
        raise FilingDeadlinePassed(recovery.recovery_id, file_by)
    if eligible_at is not None and at < eligible_at:
        raise ClaimNotEligible(recovery.recovery_id, eligible_at)
    if recovery.missing_documents:
        raise DocumentsMissing(recovery.recovery_id, recovery.missing_documents)
    if not recovery.claimable_minor:
        raise NothingToClaim(recovery.recovery_id)
    waited = [ClaimBecameEligible(recovery.recovery_id, at)] if recovery.status is RecoveryStatus.WAITING else []
    return [*waited, ClaimFiled(recovery.recovery_id, recovery.claimable_minor, at)]


def bar(recovery: Recovery | None, now: datetime) -> Sequence[RecoveryFact]:
    """Records that the deadline passed and the claim was not filed, if it is so."""
    reading = filing(recovery) if recovery is not None else None
    if reading is None or not reading.overdue(now):
        return []
    return [ClaimTimeBarred(reading.object_id, reading.due, now)]


def _require_filed(recovery: Recovery) -> None:
    _require_claim(recovery)
    if recovery.filed_at is None:
        require_open(recovery)
        raise ClaimNotFiled(recovery.recovery_id, recovery.status)


def acknowledge(recovery: Recovery, reference: str, at: datetime) -> Sequence[RecoveryFact]:
    """The carrier has it; a new reference replaces an earlier one. The same again records nothing."""
    _require_filed(recovery)
    if recovery.reference == reference:
        return []
    require_open(recovery)
    return [ClaimAcknowledged(recovery.recovery_id, reference, at)]


def approve(recovery: Recovery, granted: Money, at: datetime) -> Sequence[RecoveryFact]:
    """The carrier pays so much in all, never more than was claimed. The same decision again records nothing."""
    _require_filed(recovery)
    require_currency(recovery, granted.currency)
    amount = granted.amount_minor
    if recovery.status in (RecoveryStatus.APPROVED, RecoveryStatus.PAID) and recovery.agreed_minor == amount:
        return []
    _require_undecided(recovery)
    if amount > recovery.claimed_minor:
        raise MoreThanAsked(recovery.recovery_id, recovery.money(recovery.claimed_minor), granted)
    if amount < recovery.received_minor:
        raise LessThanReceived(recovery.recovery_id, recovery.money(recovery.received_minor), granted)
    return [ClaimApproved(recovery.recovery_id, amount, at)]


def deny(recovery: Recovery, because: Told, at: datetime) -> Sequence[RecoveryFact]:
    """The carrier pays nothing, or nothing more than it approved before. Denying twice records nothing."""
    _require_filed(recovery)
    if recovery.status is RecoveryStatus.DENIED:
        return []
    _require_undecided(recovery)
    return [ClaimDenied(recovery.recovery_id, because, at)]


def _require_undecided(recovery: Recovery) -> None:
    require_open(recovery)
    if recovery.status not in _UNDECIDED:
        raise ClaimDecided(recovery.recovery_id, recovery.status)


def appeal(recovery: Recovery, because: Told, at: datetime) -> Sequence[RecoveryFact]:
    """Ask the carrier again for what it did not approve. Appealing twice records nothing."""
    _require_filed(recovery)
    if recovery.status is RecoveryStatus.APPEALED:
        return []
    require_open(recovery)
    decided = recovery.status in (RecoveryStatus.DENIED, RecoveryStatus.APPROVED)
    if not decided or recovery.agreed_minor >= recovery.claimable_minor:
        approved, claimable = recovery.money(recovery.agreed_minor), recovery.money(recovery.claimable_minor)
        raise NothingToAppeal(recovery.recovery_id, recovery.status, approved, claimable)
    return [ClaimAppealed(recovery.recovery_id, because, recovery.claimable_minor, at)]


def pay(recovery: Recovery, reference: str, paid: Money, at: datetime) -> Sequence[RecoveryFact]:
    """The carrier paid a part of what it approved, never more than that. The same part again records nothing."""
    _require_filed(recovery)
    require_currency(recovery, paid.currency)
    if repeats(recovery, recovery.received, RecoveryPayment(reference, paid.amount_minor, at)):
        return []
    require_open(recovery)
    require_agreed(recovery, paid.amount_minor)
    return [ClaimPaid(recovery.recovery_id, reference, paid.amount_minor, at)]


def find(recovery: Recovery, delivered_at: datetime, at: datetime) -> Sequence[RecoveryFact]:
    """The parcel of the claim arrived. A claim that ended without any money kept records nothing."""
    if recovery.found_at is not None or (recovery.status.is_end and not recovery.kept_minor):
        return []
    return [ClaimedParcelFound(recovery.recovery_id, delivered_at, at)]


def give_back(recovery: Recovery, reference: str, paid: Money, at: datetime) -> Sequence[RecoveryFact]:
    """Money of the carrier went back, also after the claim was over. The same part again records nothing."""
    _require_filed(recovery)
    require_currency(recovery, paid.currency)
    if repeats(recovery, recovery.returned, RecoveryPayment(reference, paid.amount_minor, at)):
        return []
    if paid.amount_minor > recovery.kept_minor:
        raise MoreThanKept(recovery.recovery_id, recovery.money(recovery.kept_minor), paid)
    return [PaymentReturned(recovery.recovery_id, reference, paid.amount_minor, at)]
