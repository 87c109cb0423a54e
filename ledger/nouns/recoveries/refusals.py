"""Why a recovery cannot do what is asked of it."""

from __future__ import annotations

from ledger.nouns.recoveries.facts import Cost
from ledger.nouns.recoveries.state import Payment, Recovery
from ledger.refusals import AlreadyExists, Forbidden, NotFound


class UnknownRecovery(NotFound):
    def __init__(self, recovery_id: str) -> None:
        super().__init__(
            f"there is no recovery {recovery_id}; use RecoveryService.OpenRecovery", recovery_id=recovery_id
        )


class RecoveryOpenedDifferently(AlreadyExists):
    def __init__(self, recovery_id: str) -> None:
        super().__init__(f"recovery {recovery_id} was opened already with other content", recovery_id=recovery_id)


class CostDiffers(AlreadyExists):
    def __init__(self, recovery: Recovery, earlier: Cost) -> None:
        super().__init__(
            f"cost {earlier.cost_id} of recovery {recovery.recovery_id} was recorded already "
            f"as {earlier.kind} of {recovery.money(earlier.amount_minor)}",
            recovery_id=recovery.recovery_id,
            cost_id=earlier.cost_id,
            recorded_minor=earlier.amount_minor,
            currency=recovery.currency,
        )


class PaymentDiffers(AlreadyExists):
    def __init__(self, recovery: Recovery, earlier: Payment) -> None:
        super().__init__(
            f"payment {earlier.reference} of recovery {recovery.recovery_id} was recorded already "
            f"as {recovery.money(earlier.amount_minor)}",
            recovery_id=recovery.recovery_id,
            reference=earlier.reference,
            recorded_minor=earlier.amount_minor,
            currency=recovery.currency,
        )


class RecoveryEnded(Forbidden):
    def __init__(self, recovery: Recovery) -> None:
        super().__init__(
            f"recovery {recovery.recovery_id} is {recovery.status} and over",
            recovery_id=recovery.recovery_id,
            status=recovery.status,
        )


class ClaimOnCarrier(Forbidden):
    def __init__(self, recovery: Recovery) -> None:
        super().__init__(
            f"recovery {recovery.recovery_id} is a claim on a carrier; "
            "file it, and record what the carrier decides and pays",
            recovery_id=recovery.recovery_id,
            kind=recovery.kind,
        )


class OtherCurrency(Forbidden):
    def __init__(self, recovery: Recovery, currency: str) -> None:
        super().__init__(
            f"recovery {recovery.recovery_id} is in {recovery.currency}, not {currency}; open another one for it",
            recovery_id=recovery.recovery_id,
            currency=recovery.currency,
            sent=currency,
        )


class MoreThanAsked(Forbidden):
    def __init__(self, recovery: Recovery, asked_minor: int, amount_minor: int) -> None:
        super().__init__(
            f"{recovery.money(amount_minor)} granted of recovery {recovery.recovery_id}, "
            f"{recovery.money(asked_minor)} asked",
            recovery_id=recovery.recovery_id,
            asked_minor=asked_minor,
            granted_minor=amount_minor,
            currency=recovery.currency,
        )


class NothingAgreed(Forbidden):
    """Whoever is asked has not answered yet, or bears nothing."""

    def __init__(self, recovery: Recovery) -> None:
        super().__init__(
            f"nothing is agreed of recovery {recovery.recovery_id}, it is {recovery.status}: record an answer first",
            recovery_id=recovery.recovery_id,
            status=recovery.status,
        )


class MoreThanAgreed(Forbidden):
    def __init__(self, recovery: Recovery, amount_minor: int) -> None:
        super().__init__(
            f"{recovery.money(amount_minor)} received of recovery {recovery.recovery_id}: "
            f"{recovery.money(recovery.agreed_minor)} is agreed, {recovery.money(recovery.received_minor)} came before",
            recovery_id=recovery.recovery_id,
            agreed_minor=recovery.agreed_minor,
            received_minor=recovery.received_minor,
            amount_minor=amount_minor,
            currency=recovery.currency,
        )


class LessThanReceived(Forbidden):
    def __init__(self, recovery: Recovery, amount_minor: int) -> None:
        super().__init__(
            f"{recovery.money(amount_minor)} granted of recovery {recovery.recovery_id}, "
            f"of which {recovery.money(recovery.received_minor)} came already",
            recovery_id=recovery.recovery_id,
            received_minor=recovery.received_minor,
            granted_minor=amount_minor,
            currency=recovery.currency,
        )


def known(recovery: Recovery | None, recovery_id: str) -> Recovery:
    if recovery is None:
        raise UnknownRecovery(recovery_id)
    return recovery
