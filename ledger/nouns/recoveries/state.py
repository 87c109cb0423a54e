"""The state of a recovery."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from ledger.facts import Told, Value
from ledger.nouns.recoveries.facts import (
    Cost,
    DocumentKind,
    Method,
    RecoveryAnswerMissed,
    RecoveryBreachWithdrawn,
    RecoveryKind,
    RecoveryOpened,
    Subject,
)
from ledger.terms.clocks import Clock, Reading
from ledger.terms.money import Money, in_64_bits
from ledger.view import View


def stream(recovery_id: str) -> str:
    return f"recovery-{recovery_id}"


def find(view: View, recovery_id: str) -> Recovery | None:
    found: Recovery | None = view.state(stream(recovery_id))
    return found


class RecoveryStatus(StrEnum):
    """How far a recovery is."""

    PROPOSED = "proposed"
    """Asked of a supplier or a customer; its answer, or its answer to more, is awaited."""
    ACCEPTED = "accepted"
    DISPUTED = "disputed"
    SETTLED = "settled"
    """All that was accepted was received."""
    WAITING = "waiting"
    """The carrier's waiting time runs."""
    ELIGIBLE = "eligible"
    """It can be claimed once its documents are collected."""
    DOCUMENTED = "documented"
    """It can be filed."""
    FILED = "filed"
    ACKNOWLEDGED = "acknowledged"
    APPROVED = "approved"
    DENIED = "denied"
    APPEALED = "appealed"
    PAID = "paid"
    """All that was claimed was received."""
    TIME_BARRED = "time_barred"
    WITHDRAWN = "withdrawn"
    """The parcel turned up before anything was filed."""
    WRITTEN_OFF = "written_off"

    @property
    def is_end(self) -> bool:
        return self in _ENDS

    @property
    def is_unfiled(self) -> bool:
        return self in _UNFILED


_ENDS = frozenset(
    {
        RecoveryStatus.SETTLED,
        RecoveryStatus.PAID,
        RecoveryStatus.TIME_BARRED,
        RecoveryStatus.WITHDRAWN,
        RecoveryStatus.WRITTEN_OFF,
    }
)

_UNFILED = frozenset({RecoveryStatus.WAITING, RecoveryStatus.ELIGIBLE, RecoveryStatus.DOCUMENTED})


class Document(Value, frozen=True):
    """A document that is at hand."""

    kind: DocumentKind
    sha256: str


class RecoveryPayment(Value, frozen=True):
    """Money that came, or went back."""

    reference: str
    amount_minor: int
    at: datetime
    method: Method = Method.PAYMENT


class Recovery(Value, frozen=True):
    """A recovery, folded from its facts. Amounts are in minor units of its currency."""

    opened: RecoveryOpened
    status: RecoveryStatus
    costs_by_id: dict[str, Cost] = {}
    answer_by: datetime | None = None
    time_zone: str = ""
    """Of the supplier's calendar, in which that is shown."""
    answered_at: datetime | None = None
    """When the present proposal was first answered."""
    answer_missed: RecoveryAnswerMissed | None = None
    answer_withdrawn: RecoveryBreachWithdrawn | None = None
    agreed_minor: int = 0
    """What the supplier accepted or the carrier approved, in all."""
    claimed_minor: int = 0
    documents: tuple[Document, ...] = ()
    filed_at: datetime | None = None
    barred_at: datetime | None = None
    """When it was noticed that the filing deadline had passed."""
    reference: str = ""
    """The carrier's own, of the claim."""
    because: Told = ""
    """Why it was disputed, denied, appealed or written off, whichever was last."""
    received: tuple[RecoveryPayment, ...] = ()
    returned: tuple[RecoveryPayment, ...] = ()
    found_at: datetime | None = None
    """When the parcel of a claim arrived after all."""
    ended_at: datetime | None = None

    @property
    def recovery_id(self) -> str:
        return self.opened.recovery_id

    @property
    def kind(self) -> RecoveryKind:
        return self.opened.kind

    @property
    def subject(self) -> Subject:
        return self.opened.subject

    @property
    def costs(self) -> tuple[Cost, ...]:
        return tuple(self.costs_by_id.values())

    @property
    def order_ids(self) -> tuple[str, ...]:
        """The orders that it is about, the first one first; several, if a parcel had goods of each."""
        spent_on = (cost.order_id for cost in self.costs if cost.order_id)
        return tuple(dict.fromkeys((self.subject.order_id, *self.subject.further_order_ids, *spent_on)))

    @property
    def currency(self) -> str:
        return self.opened.currency

    @property
    def asked_minor(self) -> int:
        return in_64_bits(sum(cost.amount_minor for cost in self.costs))

    @property
    def claimable_minor(self) -> int:
        """What the carrier may be asked for."""
        most = self.opened.liability_minor
        return self.asked_minor if most is None else min(self.asked_minor, most)

    @property
    def received_minor(self) -> int:
        return sum(payment.amount_minor for payment in self.received)

    @property
    def returned_minor(self) -> int:
        return sum(payment.amount_minor for payment in self.returned)

    @property
    def kept_minor(self) -> int:
        return self.received_minor - self.returned_minor

    @property
    def missing_documents(self) -> tuple[DocumentKind, ...]:
        present = {document.kind for document in self.documents}
        return tuple(kind for kind in self.opened.documents if kind not in present)

    @property
    def waits_until(self) -> datetime | None:
        """When it can be claimed, while its carrier's waiting time runs."""
        return self.opened.eligible_at if self.status is RecoveryStatus.WAITING else None

    @property
    def is_answer_missed(self) -> bool:
        return self.answer_missed is not None and self.answer_withdrawn is None

    @property
    def due(self) -> datetime | None:
        """When the next thing has to happen: the supplier's answer, or the filing of the claim."""
        if self.status.is_unfiled:
            return self.opened.file_by
        return self.answer_by if self.status is RecoveryStatus.PROPOSED else None

    def money(self, amount_minor: int) -> Money:
        return Money(amount_minor, self.currency)


def readings(recovery: Recovery) -> list[Reading]:
    """Its clocks: for filing a claim, for the supplier's answer."""
    return [each for each in (filing(recovery), answering(recovery)) if each is not None]


def filing(recovery: Recovery) -> Reading | None:
    """The clock for filing a claim; none once the claim is given up or its parcel is found."""
    file_by, filed_at, barred_at = recovery.opened.file_by, recovery.filed_at, recovery.barred_at
    if file_by is None or not (filed_at or barred_at or recovery.status.is_unfiled):
        return None
    return Reading(recovery.recovery_id, Clock.CLAIM_FILING, file_by, filed_at, missed_at=barred_at)


def answering(recovery: Recovery) -> Reading | None:
    """The clock for the supplier's answer to what it was last asked; a breach stays, whatever is asked later."""
    missed, withdrawn, answered_at = recovery.answer_missed, recovery.answer_withdrawn, recovery.answered_at
    if missed is None and answered_at is None and recovery.status is not RecoveryStatus.PROPOSED:
        return None
    due = missed.due if missed is not None else recovery.answer_by
    if due is None:
        return None
    return Reading(
        object_id=recovery.recovery_id,
        clock=Clock.RECOVERY_ANSWER,
        due=due,
        met_at=withdrawn.happened_at if withdrawn is not None else answered_at,
        supplier_id=recovery.subject.supplier_id,
        missed_at=missed.at if missed is not None else None,
        withdrawn_at=withdrawn.at if withdrawn is not None else None,
    )
