"""Recoveries: costs that somebody else is to bear, asked of suppliers and claimed from carriers (DOMAIN 5).

A recovery is a stream of its own, so that a customer's remedy can never wait for it. It has one currency;
amounts in another are a recovery of their own.

A supplier's: proposed -> accepted | disputed -> settled | written off. A claim on a carrier: waiting -> eligible
-> documented -> filed -> acknowledged -> approved | denied -> paid | appealed | written off; time-barred if it
was not filed by its deadline, withdrawn if the parcel turns up before. Its decisions stand in claims. A parcel
that arrives after it was given up raises one more: what the customer was refunded is asked back like a
supplier's share.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from msgspec.structs import replace

from ledger.facts import Fact, Value
from ledger.refusals import AlreadyExists, Forbidden, NotFound
from ledger.terms.money import Money, in_64_bits
from ledger.terms.parties import Party
from ledger.view import View, noun


def stream(recovery_id: str) -> str:
    return f"recovery-{recovery_id}"


def find(view: View, recovery_id: str) -> Recovery | None:
    found: Recovery | None = view.state(stream(recovery_id))
    return found


# --- facts ----------------------------------------------------------------------------------------


class Kind(StrEnum):
    """Why there is something to recover, which says from whom."""

    SUPPLIER_FAULT = "supplier_fault"
    CARRIER_LOSS = "carrier_loss"
    CARRIER_DAMAGE = "carrier_damage"
    FOUND_AFTER_LOSS = "found_after_loss"
    """A parcel that was given up arrived: what the customer was refunded is looked at again."""

    @property
    def is_claim(self) -> bool:
        return self in (Kind.CARRIER_LOSS, Kind.CARRIER_DAMAGE)

    @property
    def party(self) -> Party:
        """Who is to bear it."""
        if self.is_claim:
            return Party.CARRIER
        return Party.SUPPLIER if self is Kind.SUPPLIER_FAULT else Party.CUSTOMER


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


class RecoveryOpened(Fact, frozen=True, tag="recovery.opened"):
    """Somebody is to bear a cost; asking a supplier is proposing it."""

    recovery_id: str
    kind: Kind
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


class AmountRaised(Fact, frozen=True, tag="recovery.amount_raised"):
    """More has been spent; a supplier that had answered is asked again."""

    recovery_id: str
    cost: Cost
    at: datetime
    answer_by: datetime | None = None


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
    because: str
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
    because: str
    amount_minor: int
    """What was asked for and not received."""
    at: datetime


class AnswerMissed(Fact, frozen=True, tag="recovery.answer_missed"):
    """The supplier had not answered by the agreed time."""

    recovery_id: str
    supplier_id: str
    due: datetime
    at: datetime


class AnswerBreachWithdrawn(Fact, frozen=True, tag="recovery.answer_breach_withdrawn"):
    """The supplier had answered in time after all; the news of it came late."""

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
    because: str
    at: datetime


class ClaimAppealed(Fact, frozen=True, tag="recovery.claim_appealed"):
    """The carrier is asked to look again, for what has been spent by now."""

    recovery_id: str
    because: str
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
    | AnswerMissed
    | AnswerBreachWithdrawn
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

# --- state ----------------------------------------------------------------------------------------


class Status(StrEnum):
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


_ENDS = frozenset({Status.SETTLED, Status.PAID, Status.TIME_BARRED, Status.WITHDRAWN, Status.WRITTEN_OFF})
_UNFILED = frozenset({Status.WAITING, Status.ELIGIBLE, Status.DOCUMENTED})


class Document(Value, frozen=True):
    """A document that is at hand."""

    kind: DocumentKind
    sha256: str


class Payment(Value, frozen=True):
    """Money that came, or went back."""

    reference: str
    amount_minor: int
    at: datetime
    method: Method = Method.PAYMENT


class Recovery(Value, frozen=True):
    """A recovery as its facts tell it. Amounts are in minor units of its currency."""

    opened: RecoveryOpened
    status: Status
    costs: tuple[Cost, ...] = ()
    answer_by: datetime | None = None
    answered_at: datetime | None = None
    """When the present proposal was answered."""
    answer_missed: AnswerMissed | None = None
    answer_withdrawn_at: datetime | None = None
    agreed_minor: int = 0
    """What the supplier accepted or the carrier approved, in all."""
    claimed_minor: int = 0
    documents: tuple[Document, ...] = ()
    filed_at: datetime | None = None
    barred_at: datetime | None = None
    """When it was noticed that the filing deadline had passed."""
    reference: str = ""
    """The carrier's own, of the claim."""
    because: str = ""
    """Why it was disputed, denied, appealed or written off, whichever was last."""
    received: tuple[Payment, ...] = ()
    returned: tuple[Payment, ...] = ()
    found_at: datetime | None = None
    """When the parcel of a claim arrived after all."""
    ended_at: datetime | None = None

    @property
    def recovery_id(self) -> str:
        return self.opened.recovery_id

    @property
    def kind(self) -> Kind:
        return self.opened.kind

    @property
    def subject(self) -> Subject:
        return self.opened.subject

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
    def due(self) -> datetime | None:
        """When the next thing has to happen: the supplier's answer, or the filing of the claim."""
        if self.status.is_unfiled:
            return self.opened.file_by
        return self.answer_by if self.status is Status.PROPOSED else None

    def money(self, amount_minor: int) -> Money:
        return Money(amount_minor, self.currency)


def evolve(recovery: Recovery | None, fact: RecoveryFact) -> Recovery:
    if isinstance(fact, RecoveryOpened):
        status = Status.WAITING if fact.kind.is_claim else Status.PROPOSED
        return Recovery(fact, status, fact.costs, answer_by=fact.answer_by)
    assert recovery is not None, "the first fact of a recovery is its opening"
    match fact:
        case AmountRaised(cost=cost):
            raised = replace(recovery, costs=(*recovery.costs, cost))
            if recovery.kind.is_claim:
                return raised
            return replace(raised, status=Status.PROPOSED, answer_by=fact.answer_by, answered_at=None)
        case CostWithdrawn(cost_id=cost_id):
            return replace(recovery, costs=tuple(cost for cost in recovery.costs if cost.cost_id != cost_id))
        case RecoveryAccepted(amount_minor=amount):
            accepted = replace(recovery, status=Status.ACCEPTED, agreed_minor=amount, answered_at=fact.at, because="")
            return _completed(accepted, fact.at)
        case RecoveryDisputed():
            return replace(recovery, status=Status.DISPUTED, answered_at=fact.at, because=fact.because)
        case SettlementReceived():
            part = Payment(fact.reference, fact.amount_minor, fact.at, fact.method)
            return _completed(replace(recovery, received=(*recovery.received, part)), fact.at)
        case RecoveryWrittenOff():
            return replace(recovery, status=Status.WRITTEN_OFF, because=fact.because, ended_at=fact.at)
        case AnswerMissed():
            return replace(recovery, answer_missed=fact)
        case AnswerBreachWithdrawn():
            return replace(recovery, answer_withdrawn_at=fact.at)
        case ClaimBecameEligible():
            return _prepared(replace(recovery, status=Status.ELIGIBLE))
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
            return replace(recovery, status=Status.FILED, claimed_minor=amount, filed_at=fact.at)
        case ClaimAcknowledged(reference=reference):
            status = Status.ACKNOWLEDGED if recovery.status is Status.FILED else recovery.status
            return replace(recovery, status=status, reference=reference)
        case ClaimApproved(amount_minor=amount):
            approved = replace(recovery, status=Status.APPROVED, agreed_minor=amount, because="")
            return _completed(approved, fact.at)
        case ClaimDenied(because=because):
            return replace(recovery, status=Status.DENIED, because=because)
        case ClaimAppealed(amount_minor=amount, because=because):
            return replace(recovery, status=Status.APPEALED, claimed_minor=amount, because=because)
        case ClaimPaid():
            part = Payment(fact.reference, fact.amount_minor, fact.at)
            return _completed(replace(recovery, received=(*recovery.received, part)), fact.at)
        case ClaimTimeBarred():
            return replace(recovery, status=Status.TIME_BARRED, barred_at=fact.at, ended_at=fact.file_by)
        case ClaimedParcelFound(delivered_at=found_at):
            found = replace(recovery, found_at=found_at)
            if recovery.status.is_unfiled:
                return replace(found, status=Status.WITHDRAWN, ended_at=fact.at)
            return found
        case PaymentReturned():
            part = Payment(fact.reference, fact.amount_minor, fact.at)
            return replace(recovery, returned=(*recovery.returned, part))
        case _:
            assert_never(fact)


def _prepared(recovery: Recovery) -> Recovery:
    """An eligible claim with all its documents can be filed."""
    ready = recovery.status is Status.ELIGIBLE and not recovery.missing_documents
    return replace(recovery, status=Status.DOCUMENTED) if ready else recovery


def _completed(recovery: Recovery, at: datetime) -> Recovery:
    """With the last of the money it is over, but not a claim that was approved in part: the rest may be appealed."""
    if recovery.received_minor < recovery.agreed_minor:
        return recovery
    if recovery.status is Status.ACCEPTED:
        return replace(recovery, status=Status.SETTLED, ended_at=at)
    if recovery.status is Status.APPROVED and recovery.agreed_minor >= recovery.claimed_minor:
        return replace(recovery, status=Status.PAID, ended_at=at)
    return recovery


# --- refusals -------------------------------------------------------------------------------------


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


# --- decisions ------------------------------------------------------------------------------------


def known(recovery: Recovery | None, recovery_id: str) -> Recovery:
    if recovery is None:
        raise UnknownRecovery(recovery_id)
    return recovery


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
    """What was asked for; what the terms in force make of it is no part of it."""
    return opening.kind, opening.subject, opening.currency, opening.costs


def raised(
    recovery: Recovery, cost: Cost, currency: str, answer_by: datetime | None, at: datetime
) -> Sequence[RecoveryFact]:
    """One more cost. The same cost again records nothing; what is over is not raised."""
    require_currency(recovery, currency)
    earlier = next((each for each in recovery.costs if each.cost_id == cost.cost_id), None)
    if earlier is not None:
        if earlier != cost:
            raise CostDiffers(recovery, earlier)
        return []
    require_open(recovery)
    return [AmountRaised(recovery.recovery_id, cost, at, answer_by)]


def withdraw(recovery: Recovery, cost_id: str, at: datetime) -> Sequence[RecoveryFact]:
    """One cost less. What was claimed or agreed on already stays; what is over or was never asked records nothing."""
    cost = next((cost for cost in recovery.costs if cost.cost_id == cost_id), None)
    if cost is None or recovery.status.is_end or recovery.filed_at is not None:
        return []
    if recovery.asked_minor - cost.amount_minor < recovery.agreed_minor:
        return []
    return [CostWithdrawn(recovery.recovery_id, cost_id, at)]


def write_off(recovery: Recovery, because: str, at: datetime) -> Sequence[RecoveryFact]:
    """Give up what has not been received, at any time. Writing off twice records nothing."""
    if recovery.status is Status.WRITTEN_OFF:
        return []
    require_open(recovery)
    left_minor = max(recovery.asked_minor - recovery.received_minor, 0)
    return [RecoveryWrittenOff(recovery.recovery_id, because, left_minor, at)]


def require_open(recovery: Recovery) -> None:
    if recovery.status.is_end:
        raise RecoveryEnded(recovery)


def require_currency(recovery: Recovery, currency: str) -> None:
    if currency != recovery.currency:
        raise OtherCurrency(recovery, currency)


def require_agreed(recovery: Recovery, amount_minor: int) -> None:
    if not recovery.agreed_minor:
        raise NothingAgreed(recovery)
    if recovery.received_minor + amount_minor > recovery.agreed_minor:
        raise MoreThanAgreed(recovery, amount_minor)


def repeats(recovery: Recovery, payments: Sequence[Payment], payment: Payment) -> bool:
    """Whether this money was recorded before; the same reference for another amount is refused."""
    earlier = next((each for each in payments if each.reference == payment.reference), None)
    if earlier is None:
        return False
    if (earlier.amount_minor, earlier.method) != (payment.amount_minor, payment.method):
        raise PaymentDiffers(recovery, earlier)
    return True


def accept(recovery: Recovery, granted: Money, at: datetime, now: datetime) -> Sequence[RecoveryFact]:
    """The supplier bears so much in all; agreeing anew takes the place of what was agreed. The same again: nothing."""
    _require_proposal(recovery, granted.currency)
    amount = granted.amount_minor
    if recovery.status in (Status.ACCEPTED, Status.SETTLED) and recovery.agreed_minor == amount:
        return []
    require_open(recovery)
    if amount > recovery.asked_minor:
        raise MoreThanAsked(recovery, recovery.asked_minor, amount)
    if amount < recovery.received_minor:
        raise LessThanReceived(recovery, amount)
    return [RecoveryAccepted(recovery.recovery_id, amount, at), *_answered(recovery, at, now)]


def dispute(recovery: Recovery, because: str, at: datetime, now: datetime) -> Sequence[RecoveryFact]:
    """The supplier does not agree. Disputing what is disputed records nothing."""
    _require_proposal(recovery, recovery.currency)
    if recovery.status is Status.DISPUTED:
        return []
    require_open(recovery)
    return [RecoveryDisputed(recovery.recovery_id, because, at), *_answered(recovery, at, now)]


def settle(recovery: Recovery, reference: str, paid: Money, method: Method, at: datetime) -> Sequence[RecoveryFact]:
    """A part of what was accepted, never more than that. The same part again records nothing."""
    _require_proposal(recovery, paid.currency)
    if repeats(recovery, recovery.received, Payment(reference, paid.amount_minor, at, method)):
        return []
    require_open(recovery)
    require_agreed(recovery, paid.amount_minor)
    return [SettlementReceived(recovery.recovery_id, reference, paid.amount_minor, method, at)]


def _require_proposal(recovery: Recovery, currency: str) -> None:
    if recovery.kind.is_claim:
        raise ClaimOnCarrier(recovery)
    require_currency(recovery, currency)


def _answered(recovery: Recovery, at: datetime, now: datetime) -> Sequence[RecoveryFact]:
    """What an answer says of its clock: too late is a breach at once, in time withdraws one."""
    due, missed = recovery.answer_by, recovery.answer_missed
    if due is None or recovery.answered_at is not None:
        return []
    if missed is None:
        late = at > due
        return [AnswerMissed(recovery.recovery_id, recovery.subject.supplier_id, due, now)] if late else []
    if missed.due == due and at <= due:
        return [AnswerBreachWithdrawn(recovery.recovery_id, at, now)]
    return []


def miss_answer(recovery: Recovery | None, now: datetime) -> Sequence[RecoveryFact]:
    """Notice that the supplier did not answer in time. Nothing to notice records nothing."""
    if recovery is None or recovery.status is not Status.PROPOSED or recovery.answer_missed is not None:
        return []
    due = recovery.answer_by
    if due is None or now < due:
        return []
    return [AnswerMissed(recovery.recovery_id, recovery.subject.supplier_id, due, now)]
