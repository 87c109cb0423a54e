"""What suppliers ask for their goods, in a scenario: ``invoicing.record(billed(2)); invoicing.pay(500)``."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from ledger.decisions import invoice_matching
from ledger.facts import Fact, LineNo
from ledger.nouns import supplier_invoices
from ledger.nouns.supplier_invoices import (
    Difference,
    InvoiceCharge,
    InvoiceLine,
    SupplierChargeKind,
    SupplierInvoice,
    SupplierInvoiceRecorded,
)
from ledger.terms.money import Money
from tests.support.scenario import FIRST, Scenario


def billed(units: int, amount_minor: int | None = None, of: str = FIRST, line_no: int = 1, **more: Any) -> InvoiceLine:
    """Units of a line, at 2.50 each unless said otherwise."""
    amount = 250 * units if amount_minor is None else amount_minor
    return InvoiceLine(of, units, amount, LineNo(line_no), **more)


def charge(amount_minor: int, kind: SupplierChargeKind = SupplierChargeKind.FREIGHT) -> InvoiceCharge:
    return InvoiceCharge(kind, amount_minor)


class Invoicing:
    """Invoices of a supplier, of which each command records what it decides."""

    def __init__(self, scenario: Scenario, supplier_id: str = "acme") -> None:
        self.scenario, self.supplier_id = scenario, supplier_id

    def invoice(self, number: str = "I1") -> SupplierInvoice:
        found = supplier_invoices.find(self.scenario.book, self.supplier_id, number)
        return supplier_invoices.known(found, self.supplier_id, number)

    def differences(self, number: str = "I1") -> list[tuple[str, int, int]]:
        """The kind, the amount and the units of each."""
        return [(each.kind.value, each.amount_minor, each.units) for each in self.invoice(number).differences]

    def difference(self, number: str = "I1") -> Difference:
        (found,) = self.invoice(number).differences
        return found

    def record(self, *lines: InvoiceLine, number: str = "I1", currency: str = "EUR", **more: Any) -> list[Fact]:
        said: dict[str, Any] = {"dated": date(2026, 3, 31), "at": self.scenario.now} | more
        recorded = SupplierInvoiceRecorded(self.supplier_id, number, currency, lines=lines, **said)
        return self._told(invoice_matching.record(self.scenario.book, recorded, self.scenario.now))

    def match(self, number: str = "I1") -> list[Fact]:
        return self._told(invoice_matching.match_again(*self._about(number), self.scenario.now))

    def approve(self, number: str = "I1", because: str = "", at: datetime | None = None) -> list[Fact]:
        now = self.scenario.now
        return self._told(invoice_matching.approve(*self._about(number), "mia", because, at or now, now))

    def dispute(self, number: str = "I1", because: str = "wrong", at: datetime | None = None) -> list[Fact]:
        now = self.scenario.now
        return self._told(invoice_matching.dispute(*self._about(number), "mia", because, at or now, now))

    def credit(
        self, amount_minor: int, number: str = "I1", credit_note: str = "C1", currency: str = "EUR"
    ) -> list[Fact]:
        amount, now = Money(amount_minor, currency), self.scenario.now
        return self._told(invoice_matching.credit(*self._about(number), credit_note, amount, now, now))

    def pay(self, amount_minor: int, number: str = "I1", payment_id: str = "P1", currency: str = "EUR") -> list[Fact]:
        amount, now = Money(amount_minor, currency), self.scenario.now
        return self._told(invoice_matching.pay(*self._about(number), payment_id, amount, now, now))

    def unpay(self, number: str = "I1", payment_id: str = "P1") -> list[Fact]:
        now = self.scenario.now
        return self._told(invoice_matching.return_payment(*self._about(number), payment_id, "bounced", now, now))

    def _about(self, number: str) -> tuple[Any, str, str]:
        return self.scenario.book, self.supplier_id, number

    def _told(self, changes: Any) -> list[Fact]:
        return self.scenario.record(changes)
