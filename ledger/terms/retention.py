"""How long what is kept of a customer stays after its order is over, by the kind of data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from ledger.facts import Value


class PersonalKind(StrEnum):
    """What is kept of an order's customer, as far as each is kept for a time of its own."""

    CUSTOMER = "customer"
    """Name, contact and address, with the note that came with the order."""
    EVIDENCE = "evidence"
    TEXTS = "texts"
    """What people wrote: notes, cases, questions and answers, comments, reasons."""
    LETTERS = "letters"
    """Mails in the outbox folder."""
    INVOICE = "invoice"
    """Whom an invoice for the customer is made out to, and name and address of the customer that stand on it."""
    DELIVERY = "delivery"
    """What carriers told: towns and texts of scans, who signed."""


EVIDENCE_KEYS = "evidence"
INVOICE_KEYS = "buyer"

PURPOSES: Mapping[PersonalKind, tuple[str, ...]] = {
    PersonalKind.CUSTOMER: ("customer", "tag"),
    PersonalKind.EVIDENCE: (EVIDENCE_KEYS,),
    PersonalKind.TEXTS: ("note", "text"),
    PersonalKind.LETTERS: (),
    PersonalKind.INVOICE: (INVOICE_KEYS,),
    PersonalKind.DELIVERY: ("message", "signed_by"),
}
"""What the keys of each kind were made for. Letters are files and have none."""


class Retention(Value, frozen=True):
    """How many days each kind stays for the orders of one channel, or of any; 0 is until the person is erased."""

    channel: str = ""
    """Empty for every channel without an entry of its own."""
    customer_days: int = 0
    evidence_days: int = 0
    texts_days: int = 0
    letters_days: int = 0
    invoice_days: int = 0
    delivery_days: int = 0
    from_shipment: bool = False
    """Whether the days count from when the last goods left instead of from when all was over. What an open order needs
    stays in any case."""

    def days(self, kind: PersonalKind) -> int:
        days: int = getattr(self, f"{kind.value}_days")
        return days

    def ends_at(self, since: datetime, kind: PersonalKind) -> datetime | None:
        """Until when it stays; None if no time is set."""
        days = self.days(kind)
        return since + timedelta(days=days) if days else None
