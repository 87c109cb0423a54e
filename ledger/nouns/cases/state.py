"""What a case is, and how far it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum

from ledger.facts import LineNo, Sealed, Units, Value, minus
from ledger.nouns.cases.facts import (
    CaseBreachWithdrawn,
    CaseDeadlineMissed,
    CaseOpened,
    Denial,
    EvidenceAdded,
    FirstAnswerBreachWithdrawn,
    FirstAnswerMissed,
    Inspection,
    LabelFile,
    LiabilityRuled,
    Remedy,
    RemedyApproved,
    ReshipFailure,
)
from ledger.nouns.orders.after_sales import Amounts, ChargeAmounts
from ledger.terms.clocks import Clock
from ledger.terms.money import in_64_bits
from ledger.terms.parties import Party
from ledger.view import View


def stream(case_id: str) -> str:
    """case_id is a plain id that after-sales gives."""
    return f"case-{case_id}"


def find(view: View, case_id: str) -> Case | None:
    found: Case | None = view.state(stream(case_id))
    return found


class CaseStatus(StrEnum):
    """How far a case is."""

    OPENED = "opened"
    EVIDENCE_REQUESTED = "evidence_requested"
    UNDER_REVIEW = "under_review"
    LIABILITY_RULED = "liability_ruled"
    APPROVED = "approved"
    """A remedy was chosen and nothing was done yet."""
    IN_REMEDY = "in_remedy"
    RESOLVED = "resolved"
    DENIED = "denied"
    CANCELLED = "cancelled"

    @property
    def is_closed(self) -> bool:
        return self in (CaseStatus.RESOLVED, CaseStatus.DENIED, CaseStatus.CANCELLED)


class Label(Value, frozen=True):
    """A way for units to come back."""

    label_id: str
    by_line: Units
    freight_payer: Party
    supplier_id: str
    freight_minor: int
    at: datetime
    carrier: str = ""
    number: str = ""
    epoch: int = 0
    shipped_at: datetime | None = None
    file: LabelFile | None = None


class Refund(Value, frozen=True):
    """Money for units."""

    by_line: Units
    amounts_minor: Amounts
    granted_at: datetime
    paid_at: datetime | None = None
    reference: str = ""
    charges_minor: ChargeAmounts = {}
    freight_minor: int = 0
    """What was taken off for sending the units back."""
    pay_by: datetime | None = None

    @property
    def amount_minor(self) -> int:
        return in_64_bits(sum(self.amounts_minor.values()) + sum(self.charges_minor.values()))


class Reship(Value, frozen=True):
    """Units that are sent once more."""

    order_id: str
    by_line: Units
    arrived: Units = {}
    failed: Units = {}
    ended_at: datetime | None = None


class CaseBreach(Value, frozen=True):
    """A clock of a refund, or of the case's resolution, that was missed, as it was recorded."""

    missed: CaseDeadlineMissed
    withdrawn: CaseBreachWithdrawn | None = None


class Case(Value, frozen=True):
    """A case, folded from its facts."""

    opened: CaseOpened
    by_line: Units
    """The units that it is about now."""
    status: CaseStatus = CaseStatus.OPENED
    first_answered_at: datetime | None = None
    missed: FirstAnswerMissed | None = None
    withdrawn: FirstAnswerBreachWithdrawn | None = None
    evidence: dict[str, EvidenceAdded] = {}
    """By SHA-256."""
    unseen: tuple[str, ...] = ()
    """Evidence that came in since the case was last closed."""
    wanted: tuple[str, ...] = ()
    evidence_by: datetime | None = None
    """When the customer must have handed it in."""
    ruling: LiabilityRuled | None = None
    chosen: RemedyApproved | None = None
    remedy: Remedy | None = None
    """What is being done: as chosen, but a reship that failed becomes a refund."""
    todo: Units = {}
    """Units of the remedy that nothing was decided for yet."""
    reships: tuple[Reship, ...] = ()
    reship_failure: ReshipFailure | None = None
    """Why the last reship came to nothing, if one did."""
    labels: dict[str, Label] = {}
    given_up: Units = {}
    """Labelled units that nobody waits for any more."""
    received: Units = {}
    undelivered: Units = {}
    """Those of them that came back without ever having arrived."""
    inspected: dict[LineNo, Inspection] = {}
    undecided: Units = {}
    """Inspected units whose refund was neither granted nor denied yet."""
    refunds: dict[str, Refund] = {}
    currency: str = ""
    """Of the money that was granted; empty if none was."""
    remedied: Units = {}
    """Units that ever got anything: they stay with the case when it is closed."""
    denial: Denial | None = None
    denial_note: Sealed | None = None
    """What was noted when the whole case was denied."""
    closed_at: datetime | None = None
    breaches: Mapping[tuple[str, Clock], CaseBreach] = {}
    """Of refunds that were paid too late, and of the resolution."""

    @property
    def case_id(self) -> str:
        return self.opened.case_id

    @property
    def order_id(self) -> str:
        return self.opened.order_id

    @property
    def first_answer_missed(self) -> bool:
        return self.missed is not None and self.withdrawn is None

    @property
    def late(self) -> list[CaseDeadlineMissed]:
        """The breaches of its other clocks that stand."""
        return [each.missed for each in self.breaches.values() if each.withdrawn is None]

    @property
    def reship(self) -> Reship | None:
        """The reship that is under way."""
        return next((each for each in self.reships if each.ended_at is None), None)

    def labelled(self, line_no: LineNo) -> int:
        return sum(label.by_line.get(line_no, 0) for label in self.labels.values()) - self.given_up.get(line_no, 0)

    def awaited(self, line_no: LineNo) -> int:
        """Units that are still to come back."""
        missing = self.inspection(line_no).missing
        return max(self.labelled(line_no) - self.received.get(line_no, 0) - missing, 0)

    @property
    def all_awaited(self) -> Units:
        lines = dict.fromkeys(n for label in self.labels.values() for n in label.by_line)
        return {line_no: units for line_no in lines if (units := self.awaited(line_no))}

    @property
    def to_inspect(self) -> LineNo | None:
        """The first line of which something came back that nobody has looked at."""
        return next((n for n, units in self.received.items() if units > self.inspection(n).looked_at), None)

    def inspection(self, line_no: LineNo) -> Inspection:
        return self.inspected.get(line_no, Inspection())

    @property
    def returns_dealt_with(self) -> bool:
        """Nothing is still to come back, and nothing that did is uninspected or unfinished."""
        return not any(
            self.awaited(line_no)
            or self.received.get(line_no, 0) > self.inspection(line_no).looked_at
            or self.inspection(line_no).needs_work
            for line_no in {n for label in self.labels.values() for n in label.by_line}
        )

    def refunded_minor(self, line_no: LineNo) -> int:
        return sum(refund.amounts_minor.get(line_no, 0) for refund in self.refunds.values())

    @property
    def freight_owed_minor(self) -> int:
        """What the customer is still to bear for sending goods back."""
        owed = sum(each.freight_minor for each in self.labels.values() if each.freight_payer is Party.CUSTOMER)
        return owed - sum(refund.freight_minor for refund in self.refunds.values())

    def refunded_units(self, line_no: LineNo) -> int:
        """Units that refunds were granted for."""
        return sum(refund.by_line.get(line_no, 0) for refund in self.refunds.values())

    def part_given(self, worth: Callable[[LineNo, int], int]) -> Units:
        """Units that neither came back nor were sent once more, and whose price was not wholly refunded."""
        left = minus(self.by_line, self.received)
        for reship in self.reships:
            left = minus(left, reship.arrived)
        for line_no, units in list(left.items()):
            paid_for = min(self.refunded_units(line_no), self.by_line[line_no])
            price = worth(line_no, paid_for)
            whole = paid_for * self.refunded_minor(line_no) // price if price else paid_for
            left[line_no] = max(units - whole, 0)
        return {line_no: units for line_no, units in left.items() if units}

    @property
    def untouched(self) -> Units:
        """Units that never got anything nor came back."""
        return minus(minus(self.by_line, self.remedied), minus(self.received, self.remedied))
