"""Why a recovery cannot do what is asked of it."""

from __future__ import annotations

from ledger.nouns.recoveries.facts import CostKind, RecoveryKind
from ledger.nouns.recoveries.state import Recovery, RecoveryStatus
from ledger.refusals import AlreadyExists, Forbidden, NotFound, sentence_only
from ledger.terms.money import Money


class UnknownRecovery(NotFound, reason="UNKNOWN_RECOVERY"):
    says = "there is no recovery {recovery_id}; use RecoveryService.OpenRecovery"
    recovery_id: str


class RecoveryOpenedDifferently(AlreadyExists, reason="RECOVERY_OPENED_DIFFERENTLY"):
    says = "recovery {recovery_id} was opened already with other content"
    recovery_id: str


class CostDiffers(AlreadyExists, reason="COST_DIFFERS"):
    says = "cost {cost_id} of recovery {recovery_id} was recorded already as {kind} of {recorded}"
    recovery_id: str
    cost_id: str
    kind: CostKind = sentence_only()
    recorded: Money


class RecoveryPaymentDiffers(AlreadyExists, reason="PAYMENT_DIFFERS"):
    says = "payment {reference} of recovery {recovery_id} was recorded already as {recorded}"
    recovery_id: str
    reference: str
    recorded: Money


class RecoveryEnded(Forbidden, reason="RECOVERY_ENDED"):
    says = "recovery {recovery_id} is {status} and over"
    recovery_id: str
    status: RecoveryStatus


class ClaimOnCarrier(Forbidden, reason="CLAIM_ON_CARRIER"):
    says = "recovery {recovery_id} is a claim on a carrier; file it, and record what the carrier decides and pays"
    recovery_id: str
    kind: RecoveryKind


class OtherCurrency(Forbidden, reason="OTHER_CURRENCY"):
    says = "recovery {recovery_id} is in {currency}, not {sent}; open another one for it"
    recovery_id: str
    currency: str
    sent: str


class MoreThanAsked(Forbidden, reason="MORE_THAN_ASKED"):
    says = "{granted} granted of recovery {recovery_id}, {asked} asked"
    recovery_id: str
    asked: Money
    granted: Money


class NothingAgreed(Forbidden, reason="NOTHING_AGREED"):
    """Whoever is asked has not answered yet, or bears nothing."""

    says = "nothing is agreed of recovery {recovery_id}, it is {status}: record an answer first"
    recovery_id: str
    status: RecoveryStatus


class MoreThanAgreed(Forbidden, reason="MORE_THAN_AGREED"):
    says = "{amount} received of recovery {recovery_id}: {agreed} is agreed, {received} came before"
    recovery_id: str
    agreed: Money
    received: Money
    amount: Money


class LessThanReceived(Forbidden, reason="LESS_THAN_RECEIVED"):
    says = "{granted} granted of recovery {recovery_id}, of which {received} came already"
    recovery_id: str
    received: Money
    granted: Money


def known(recovery: Recovery | None, recovery_id: str) -> Recovery:
    if recovery is None:
        raise UnknownRecovery(recovery_id)
    return recovery
