"""What an invoice is: what it asks for, what of it is agreed, owed and paid."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from enum import StrEnum
from itertools import chain

from ledger.facts import Units, Value
from ledger.nouns.supplier_invoices.facts import (
    Difference,
    Differs,
    LineMatch,
    SupplierCreditNoteRecorded,
    SupplierInvoiceApproved,
    SupplierInvoiceDisputed,
    SupplierInvoicePaid,
    SupplierInvoiceRecorded,
)
from ledger.terms.money import Money
from ledger.view import View


def stream(supplier_id: str, number: str) -> str:
    """Every supplier counts its own invoices; a number may have slashes, an id of a supplier has none."""
    return f"supplier_invoice-{supplier_id}/{number}"


def find(view: View, supplier_id: str, number: str) -> SupplierInvoice | None:
    found: SupplierInvoice | None = view.state(stream(supplier_id, number))
    return found


class InvoiceStatus(StrEnum):
    """How far an invoice is; always derived."""

    MATCHED = "matched"
    """What it asks is owed, within the tolerance."""
    DIFFERS = "differs"
    """It asks for more; somebody has to approve or dispute it."""
    APPROVED = "approved"
    DISPUTED = "disputed"
    CREDITED = "credited"
    """All of it was taken back."""
    PAID = "paid"
    """Nothing of it is open."""


class SupplierInvoice(Value, frozen=True):
    """An invoice, folded from its facts. Amounts are in minor units of its currency."""

    recorded: SupplierInvoiceRecorded
    matches: tuple[LineMatch, ...] = ()
    """Of each of its lines, in their order."""
    charges_over_minor: int = 0
    compared: bool = False
    """Not yet in the moment in which it is recorded."""
    ruling: SupplierInvoiceApproved | SupplierInvoiceDisputed | None = None
    """What was decided last, by its own time."""
    credit_notes: tuple[SupplierCreditNoteRecorded, ...] = ()
    payments: tuple[SupplierInvoicePaid, ...] = ()
    returned: dict[str, datetime] = {}
    """Payments that came back, by their ids, and when."""
    agreed_over_minor: int = 0
    """What it asked too much when somebody agreed to pay it."""
    exceeds_since: datetime | None = None
    """Since when it asks more than that, as where goods turn out not to have left; None where it does not."""

    @property
    def supplier_id(self) -> str:
        return self.recorded.supplier_id

    @property
    def number(self) -> str:
        return self.recorded.number

    @property
    def currency(self) -> str:
        return self.recorded.currency

    @property
    def charges_minor(self) -> int:
        return sum(charge.amount_minor for charge in self.recorded.charges)

    @property
    def total_minor(self) -> int:
        return sum(line.amount_minor for line in self.recorded.lines) + self.charges_minor

    @property
    def credited_minor(self) -> int:
        return sum(note.amount_minor for note in self.credit_notes)

    @property
    def paid_minor(self) -> int:
        return sum(payment.amount_minor for payment in self.payments if payment.payment_id not in self.returned)

    @property
    def open_minor(self) -> int:
        """What is neither taken back nor paid; below zero if it was paid before it was taken back."""
        return self.total_minor - self.credited_minor - self.paid_minor

    @property
    def differences(self) -> list[Difference]:
        found = [each for match in self.matches for each in match.differences]
        if self.charges_over_minor:
            found.append(Difference(Differs.CHARGE, self.charges_over_minor))
        return found

    @property
    def over_minor(self) -> int:
        """What it asks beyond what is owed and was not taken back; a discount makes up for prices above the agreed."""
        over = sum(each.amount_minor for each in self.differences) + min(self.charges_minor, 0)
        return max(over - self.credited_minor, 0)

    @property
    def is_void(self) -> bool:
        """All of it was taken back, so that its units may stand on another invoice."""
        return self.credited_minor >= self.total_minor

    @property
    def is_approved(self) -> bool:
        """Somebody agreed to all that it asks now."""
        return isinstance(self.ruling, SupplierInvoiceApproved) and self.over_minor <= self.agreed_over_minor

    @property
    def dispute(self) -> SupplierInvoiceDisputed | None:
        """A dispute that stands; one about what it asked too much ends once it asks no more."""
        ruling = self.ruling
        if not isinstance(ruling, SupplierInvoiceDisputed) or (ruling.differed_minor and not self.over_minor):
            return None
        return ruling

    @property
    def status(self) -> InvoiceStatus:
        if self.is_void:
            return InvoiceStatus.CREDITED
        if self.open_minor <= 0:
            return InvoiceStatus.PAID
        if self.dispute is not None:
            return InvoiceStatus.DISPUTED
        if self.is_approved:
            return InvoiceStatus.APPROVED
        return InvoiceStatus.DIFFERS if self.over_minor else InvoiceStatus.MATCHED

    @property
    def is_accepted(self) -> bool:
        """What it asks is what is owed for its units."""
        return self.is_approved or (self.compared and self.dispute is None and not self.over_minor)

    @property
    def cost_minor(self) -> int:
        """What the units that it may be paid for cost by the supplier's offers."""
        return sum(match.cost_minor for match in self.matches)

    def taken(self, supplier_order_id: str) -> Units:
        """Units of a supplier order that no other invoice may be paid for."""
        approved = self.is_approved
        return self._counted(supplier_order_id, lambda match: (match.units, match.not_left if approved else {}))

    def waiting(self, supplier_order_id: str) -> Units:
        """Units of a supplier order that are looked at again when more of it have left."""
        return self._counted(supplier_order_id, lambda match: (match.waiting,))

    def _counted(self, supplier_order_id: str, which: Callable[[LineMatch], Iterable[Units]]) -> Units:
        """Units of all lines that name a supplier order; none of an invoice that was taken back."""
        units: Units = {}
        for line, match in () if self.is_void else zip(self.recorded.lines, self.matches, strict=True):
            if line.supplier_order_id == supplier_order_id:
                for line_no, count in chain.from_iterable(by_line.items() for by_line in which(match)):
                    units[line_no] = units.get(line_no, 0) + count
        return units

    @property
    def supplier_order_ids(self) -> list[str]:
        """Those that it names, each once."""
        return list(dict.fromkeys(line.supplier_order_id for line in self.recorded.lines if line.supplier_order_id))

    def money(self, amount_minor: int) -> Money:
        return Money(amount_minor, self.currency)
