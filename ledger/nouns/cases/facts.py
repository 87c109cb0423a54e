"""What happens in a return case, as it is stored."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from ledger.facts import Fact, LineNo, Sealed, Units, Value
from ledger.nouns.orders.after_sales import Amounts, ChargeAmounts
from ledger.terms.clocks import Clock
from ledger.terms.parties import Party


class Reason(StrEnum):
    """What the customer says is wrong."""

    DAMAGED = "damaged"
    WRONG_ITEM = "wrong_item"
    MISSING_ITEM = "missing_item"
    NOT_AS_DESCRIBED = "not_as_described"
    QUALITY = "quality"
    CHANGED_MIND = "changed_mind"
    LOST = "lost"
    REFUSED = "refused"
    LATE = "late"

    @property
    def buckets(self) -> tuple[str, ...]:
        """The buckets of the units that it can be about."""
        match self:
            case Reason.LATE:
                return ("shipped",)
            case Reason.LOST | Reason.REFUSED:
                return ("shipped", "lost", "returned")
            case _:
                return ("delivered",)

    @property
    def about_arrived_units(self) -> bool:
        return self.buckets == ("delivered",)

    @property
    def is_the_customers(self) -> bool:
        """Nothing is wrong with the goods: the return window limits these."""
        return self is Reason.CHANGED_MIND


class Remedy(StrEnum):
    """How it is made good."""

    RESHIP = "reship"
    """The units are sent once more at no price; where that fails they are refunded."""
    REFUND = "refund"
    """The customer gets money and keeps the goods."""
    RETURN = "return"
    """The goods come back, are inspected, and then refunded."""
    EXCHANGE = "exchange"
    """Units of another SKU are sent instead; where that fails they are refunded."""


class Denial(StrEnum):
    """Why the customer gets nothing, or not all."""

    NO_EVIDENCE = "no_evidence"
    NOT_COVERED = "not_covered"
    CUSTOMER_FAULT = "customer_fault"
    GOODS_NOT_RETURNED = "goods_not_returned"
    GOODS_USED = "goods_used"
    FRAUD = "fraud"
    CHARGED_BACK = "charged_back"
    """The customer's bank took the money back."""
    OTHER = "other"


class ReshipFailure(StrEnum):
    """Why units cannot be sent once more."""

    OUT_OF_STOCK = "out_of_stock"
    SUPPLIER_NOT_APPROVED = "supplier_not_approved"
    CANCELLED = "cancelled"
    LOST = "lost"
    RETURNED = "returned"
    """They came back to their sender undelivered."""


class CaseOpened(Fact, frozen=True, tag="case.opened"):
    """A customer complained, or somebody on its behalf."""

    case_id: str
    order_id: str
    reason: Reason
    by_line: Units
    first_answer_by: datetime
    at: datetime
    suppliers: dict[LineNo, str] = {}
    """Who sent the units of each line."""
    subject: str = ""
    """A pseudonym of the customer, for whom evidence is sealed. Only in facts of before; see ``Case.anchor``."""
    note: Sealed | None = None
    """What the customer wrote."""
    delivered_at: datetime | None = None
    """When the last of the units had arrived, if they had."""


class CustomerAnswered(Fact, frozen=True, tag="case.customer_answered"):
    """Somebody told the customer that its case is looked at."""

    case_id: str
    at: datetime


class FirstAnswerMissed(Fact, frozen=True, tag="case.first_answer_missed"):
    """The customer had not heard anything when it was due; recorded once."""

    case_id: str
    due: datetime
    at: datetime


class FirstAnswerBreachWithdrawn(Fact, frozen=True, tag="case.first_answer_breach_withdrawn"):
    """The customer had been answered in time after all; the answer was recorded late."""

    case_id: str
    happened_at: datetime
    at: datetime


class CaseDeadlineMissed(Fact, frozen=True, tag="case.deadline_missed"):
    """A refund was not paid, or the case was not resolved, when that was due; recorded once for each."""

    case_id: str
    object_id: str
    """``case/refund``, or ``case/supplier``."""
    clock: Clock
    due: datetime
    at: datetime
    supplier_id: str = ""
    """Whose the case was ruled to be."""


class CaseBreachWithdrawn(Fact, frozen=True, tag="case.breach_withdrawn"):
    """It had happened in time after all, or was ruled to be another party's."""

    case_id: str
    object_id: str
    clock: Clock
    happened_at: datetime | None
    """None if it was ruled otherwise."""
    at: datetime
    supplier_id: str = ""


class EvidenceRequested(Fact, frozen=True, tag="case.evidence_requested"):
    """The customer was asked for evidence, in words such as ``photo_of_label``."""

    case_id: str
    wanted: tuple[str, ...]
    due: datetime
    at: datetime


class EvidenceAdded(Fact, frozen=True, tag="case.evidence_added"):
    """Bytes were handed in. They are kept beside the log, sealed for the customer; this names them."""

    case_id: str
    sha256: str
    content_type: str
    size_bytes: int
    given_by: Party
    at: datetime


class ReviewStarted(Fact, frozen=True, tag="case.review_started"):
    """Somebody looks at it."""

    case_id: str
    at: datetime


class LiabilityRuled(Fact, frozen=True, tag="case.liability_ruled"):
    """Who has to bear it, on which evidence and for which reasons."""

    case_id: str
    liable: Party
    because: tuple[str, ...]
    """Words such as ``broken_in_transit``."""
    evidence: tuple[str, ...]
    """SHA-256 of what the ruling rests on."""
    at: datetime
    note: Sealed | None = None
    resolve_by: dict[str, datetime] = {}
    """When the case must be resolved, by supplier that is liable and agreed to a time."""


class Exchange(Value, frozen=True):
    """What is sent instead of the units."""

    sku: str
    unit_price_minor: int | None = None
    """What one unit costs the customer; None means the same as those that it is sent for."""


class RemedyApproved(Fact, frozen=True, tag="case.remedy_approved"):
    """These units are made good like this; the others of the case get nothing."""

    case_id: str
    remedy: Remedy
    by_line: Units
    at: datetime
    exchange: Exchange | None = None


class CaseDenied(Fact, frozen=True, tag="case.denied"):
    """The customer gets nothing."""

    case_id: str
    because: Denial
    at: datetime
    note: Sealed | None = None


class ReshipPlaced(Fact, frozen=True, tag="case.reship_placed"):
    """The units are sent once more, under an order of their own."""

    case_id: str
    reship_order_id: str
    by_line: Units
    at: datetime


class ReshipArrived(Fact, frozen=True, tag="case.reship_arrived"):
    """These units of a reship were delivered."""

    case_id: str
    reship_order_id: str
    by_line: Units
    at: datetime


class ReshipFailed(Fact, frozen=True, tag="case.reship_failed"):
    """These units could not be sent once more, or did not arrive: they are due a refund."""

    case_id: str
    because: ReshipFailure
    by_line: Units
    at: datetime
    reship_order_id: str = ""
    """Empty if it was never placed."""


class LabelFile(Value, frozen=True):
    """A label as it is printed; the bytes are kept sealed beside the log, as evidence is."""

    sha256: str
    content_type: str
    size_bytes: int


class ReturnLabelled(Fact, frozen=True, tag="case.return_labelled"):
    """The customer has a label to send units back with."""

    case_id: str
    label_id: str
    by_line: Units
    freight_payer: Party
    at: datetime
    supplier_id: str = ""
    """Where the goods go; empty means to the retailer."""
    freight_minor: int = 0
    """What sending them back costs, in the order's currency, as far as it is known."""
    file: LabelFile | None = None


class ReturnShipped(Fact, frozen=True, tag="case.return_shipped"):
    """The customer sent a label's units back."""

    case_id: str
    label_id: str
    carrier: str
    number: str
    epoch: int
    at: datetime


class ReturnReceived(Fact, frozen=True, tag="case.return_received"):
    """So many units have come back so far, in all."""

    case_id: str
    by_line: Units
    at: datetime


class Inspection(Value, frozen=True):
    """What became of the returned units of one line, in all: each is in one of these at most."""

    restocked: int = 0
    not_restocked: int = 0
    needs_work: int = 0
    missing: int = 0
    """Labelled and never received."""

    @property
    def looked_at(self) -> int:
        """Units that were there to be looked at."""
        return self.restocked + self.not_restocked + self.needs_work

    @property
    def units(self) -> int:
        return self.looked_at + self.missing


class ReturnInspected(Fact, frozen=True, tag="case.return_inspected"):
    """What became of the returned units so far, in all."""

    case_id: str
    by_line: dict[LineNo, Inspection]
    at: datetime
    restocked_at: dict[LineNo, str] = {}
    """The supplier whose stock got the units of a line that this inspection restocked."""
    undelivered: Units = {}
    """Units of them that had come back undelivered, and that nobody had looked at before."""


class RefundGranted(Fact, frozen=True, tag="case.refund_granted"):
    """The customer is to get money back for these units."""

    case_id: str
    refund_id: str
    by_line: Units
    amounts_minor: Amounts
    currency: str
    at: datetime
    charges_minor: ChargeAmounts = {}
    """What is refunded beside them, such as of the shipping."""
    freight_minor: int = 0
    """What was taken off the amounts, because the customer owes it for sending the units back."""
    pay_by: datetime | None = None
    """When it must have been paid; None in facts of before, and where there is nothing to pay."""


class RefundDenied(Fact, frozen=True, tag="case.refund_denied"):
    """The customer gets no money for these units."""

    case_id: str
    by_line: Units
    because: Denial
    at: datetime
    not_awaited: Units = {}
    """Those of them that were still to come back: nobody waits for them any more."""


class RefundTakenBack(Fact, frozen=True, tag="case.refund_taken_back"):
    """A granted refund cannot be paid any more: the order's money went back in another way."""

    case_id: str
    refund_id: str
    because: Denial
    at: datetime
    undecided: Units = {}
    """Its units, if some money is left that can be granted for them; otherwise they get none."""


class RefundPaid(Fact, frozen=True, tag="case.refund_paid"):
    """The shop paid a refund out."""

    case_id: str
    refund_id: str
    at: datetime
    reference: str = ""
    """The shop's or payment provider's id of the payment."""


class CaseResolved(Fact, frozen=True, tag="case.resolved"):
    """Every unit of the remedy was dealt with."""

    case_id: str
    at: datetime


class CaseCancelled(Fact, frozen=True, tag="case.cancelled"):
    """It was cancelled, before goods or money moved."""

    case_id: str
    by: Party
    because: str
    at: datetime


class CaseReopened(Fact, frozen=True, tag="case.reopened"):
    """New evidence came in after it was closed; by_line names the units it is about again."""

    case_id: str
    by_line: Units
    evidence: tuple[str, ...]
    at: datetime


CaseFact = (
    CaseOpened
    | CustomerAnswered
    | FirstAnswerMissed
    | FirstAnswerBreachWithdrawn
    | CaseDeadlineMissed
    | CaseBreachWithdrawn
    | EvidenceRequested
    | EvidenceAdded
    | ReviewStarted
    | LiabilityRuled
    | RemedyApproved
    | CaseDenied
    | ReshipPlaced
    | ReshipArrived
    | ReshipFailed
    | ReturnLabelled
    | ReturnShipped
    | ReturnReceived
    | ReturnInspected
    | RefundGranted
    | RefundDenied
    | RefundTakenBack
    | RefundPaid
    | CaseResolved
    | CaseCancelled
    | CaseReopened
)
