"""What happens in a recovery, as it is stored."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from ledger.facts import Fact, Told, Value
from ledger.terms.parties import Party


class RecoveryKind(StrEnum):
    """Why there is something to recover, which says from whom."""

    SUPPLIER_FAULT = "supplier_fault"
    CARRIER_LOSS = "carrier_loss"
    CARRIER_DAMAGE = "carrier_damage"
    FOUND_AFTER_LOSS = "found_after_loss"
    """A parcel that was given up arrived: what the customer was refunded is looked at again."""

    @property
    def is_claim(self) -> bool:
        return self in (RecoveryKind.CARRIER_LOSS, RecoveryKind.CARRIER_DAMAGE)

    @property
    def party(self) -> Party:
        """Who is to bear it."""
        if self.is_claim:
            return Party.CARRIER
        return Party.SUPPLIER if self is RecoveryKind.SUPPLIER_FAULT else Party.CUSTOMER


class CostKind(StrEnum):
    """What the retailer paid for."""

    REFUND = "refund"
    RESHIP = "reship"
    FREIGHT = "freight"
    LOST_GOODS = "lost_goods"


class Cost(Value, frozen=True):
    """A part of what is asked; its id keeps the same cost from being asked for twice."""

    cost_id: str
    kind: CostKind
    amount_minor: int
    order_id: str = ""
    """Of a claim for a box of several orders: the one that it was spent on, where that is a further one."""


class DocumentKind(StrEnum):
    """What carriers want to see."""

    ORDER = "order"
    TRACKING_LOG = "tracking_log"
    INVOICE = "invoice"
    PHOTO = "photo"


class Method(StrEnum):
    """How a supplier or a customer gave the money."""

    CREDIT_NOTE = "credit_note"
    DEDUCTION = "deduction"
    """Kept from what the retailer owes."""
    PAYMENT = "payment"


class Subject(Value, frozen=True):
    """What a recovery is about, as far as it is known."""

    order_id: str
    supplier_order_id: str = ""
    supplier_id: str = ""
    case_id: str = ""
    carrier: str = ""
    number: str = ""
    epoch: int = 0
    further_order_ids: tuple[str, ...] = ()
    """Of a claim: whose goods were in the parcel as well."""


class RecoveryOpened(Fact, frozen=True, tag="recovery.opened"):
    """Somebody is to bear a cost; asking a supplier is proposing it."""

    recovery_id: str
    kind: RecoveryKind
    subject: Subject
    currency: str
    at: datetime
    costs: tuple[Cost, ...] = ()
    answer_by: datetime | None = None
    """When the supplier has to answer, by its agreement."""
    eligible_at: datetime | None = None
    """When the carrier's waiting time has passed."""
    file_by: datetime | None = None
    """When the claim is barred if it was not filed."""
    liability_minor: int | None = None
    """The most that the carrier is liable for; None means that no limit is agreed."""
    documents: tuple[DocumentKind, ...] = ()
    """What the carrier wants to see."""
    time_zone: str = ""
    """Of the calendar of the supplier that is to answer; empty where none is agreed."""


class AmountRaised(Fact, frozen=True, tag="recovery.amount_raised"):
    """More has been spent; a supplier that had answered is asked again."""

    recovery_id: str
    cost: Cost
    at: datetime
    answer_by: datetime | None = None
    time_zone: str = ""
    """Of the calendar of the supplier that is to answer; empty where none is agreed."""


class CostWithdrawn(Fact, frozen=True, tag="recovery.cost_withdrawn"):
    """A cost did not arise after all, as of goods that were not sent again, or another party was ruled to bear it."""

    recovery_id: str
    cost_id: str
    at: datetime


class RecoveryAccepted(Fact, frozen=True, tag="recovery.accepted"):
    """The supplier, or the customer, bears so much in all."""

    recovery_id: str
    amount_minor: int
    at: datetime


class RecoveryDisputed(Fact, frozen=True, tag="recovery.disputed"):
    """The supplier, or the customer, does not agree."""

    recovery_id: str
    because: Told
    at: datetime


class SettlementReceived(Fact, frozen=True, tag="recovery.settlement_received"):
    """A part of what was accepted, or all of it, was given; reference tells the parts apart."""

    recovery_id: str
    reference: str
    amount_minor: int
    method: Method
    at: datetime


class RecoveryWrittenOff(Fact, frozen=True, tag="recovery.written_off"):
    """The retailer bears what has not been received."""

    recovery_id: str
    because: Told
    amount_minor: int
    """What was asked for and not received."""
    at: datetime


class RecoveryAnswerMissed(Fact, frozen=True, tag="recovery.answer_missed"):
    """The supplier had not answered by the agreed time."""

    recovery_id: str
    supplier_id: str
    due: datetime
    at: datetime


class RecoveryBreachWithdrawn(Fact, frozen=True, tag="recovery.answer_breach_withdrawn"):
    """The supplier had answered in time after all; the answer was recorded late."""

    recovery_id: str
    happened_at: datetime
    at: datetime


class ClaimBecameEligible(Fact, frozen=True, tag="recovery.claim_became_eligible"):
    """The carrier's waiting time has passed."""

    recovery_id: str
    at: datetime


class DocumentCollected(Fact, frozen=True, tag="recovery.document_collected"):
    """A document for the carrier is at hand, named by the hash of its bytes."""

    recovery_id: str
    kind: DocumentKind
    sha256: str
    at: datetime


class ClaimFiled(Fact, frozen=True, tag="recovery.claim_filed"):
    """The carrier was asked for so much: what was spent, but no more than it is liable for."""

    recovery_id: str
    amount_minor: int
    at: datetime


class ClaimAcknowledged(Fact, frozen=True, tag="recovery.claim_acknowledged"):
    """The carrier has the claim, under a reference of its own."""

    recovery_id: str
    reference: str
    at: datetime


class ClaimApproved(Fact, frozen=True, tag="recovery.claim_approved"):
    """The carrier pays so much in all."""

    recovery_id: str
    amount_minor: int
    at: datetime


class ClaimDenied(Fact, frozen=True, tag="recovery.claim_denied"):
    """The carrier pays nothing more."""

    recovery_id: str
    because: Told
    at: datetime


class ClaimAppealed(Fact, frozen=True, tag="recovery.claim_appealed"):
    """The carrier is asked to look again, for what has been spent by now."""

    recovery_id: str
    because: Told
    amount_minor: int
    at: datetime


class ClaimPaid(Fact, frozen=True, tag="recovery.claim_paid"):
    """The carrier paid a part of what it approved, or all of it; reference tells the parts apart."""

    recovery_id: str
    reference: str
    amount_minor: int
    at: datetime


class ClaimTimeBarred(Fact, frozen=True, tag="recovery.claim_time_barred"):
    """The deadline passed and the claim was not filed: the carrier owes nothing any more."""

    recovery_id: str
    file_by: datetime
    at: datetime


class ClaimedParcelFound(Fact, frozen=True, tag="recovery.claimed_parcel_found"):
    """The parcel arrived: a claim that was not filed is withdrawn, a filed or paid one has to be looked at again."""

    recovery_id: str
    delivered_at: datetime
    at: datetime


class PaymentReturned(Fact, frozen=True, tag="recovery.payment_returned"):
    """Money of the carrier went back to it; reference tells the parts apart."""

    recovery_id: str
    reference: str
    amount_minor: int
    at: datetime


RecoveryFact = (
    RecoveryOpened
    | AmountRaised
    | CostWithdrawn
    | RecoveryAccepted
    | RecoveryDisputed
    | SettlementReceived
    | RecoveryWrittenOff
    | RecoveryAnswerMissed
    | RecoveryBreachWithdrawn
    | ClaimBecameEligible
    | DocumentCollected
    | ClaimFiled
    | ClaimAcknowledged
    | ClaimApproved
    | ClaimDenied
    | ClaimAppealed
    | ClaimPaid
    | ClaimTimeBarred
    | ClaimedParcelFound
    | PaymentReturned
)
