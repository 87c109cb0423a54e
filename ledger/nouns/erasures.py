"""Erasures: that somebody had a person forgotten, how much that was, and what had to stay.

Nothing here says who it was. The streams that held the person say so for themselves, in the same transaction.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from ledger.facts import Fact, Value
from ledger.view import noun


def stream(erasure_id: str) -> str:
    return f"erasure-{erasure_id}"


# --- facts ----------------------------------------------------------------------------------------


class KeptBecause(StrEnum):
    """Why what is kept of an order had to stay."""

    OPEN_ORDER = "open_order"
    """Goods, a case or money are still on their way, which takes an address."""
    LEGAL_HOLD = "legal_hold"
    SUPPLIER_IN_USE = "supplier_in_use"
    """The person is the contact of a supplier that is approved or suspended."""


class StillKept(Value, frozen=True):
    """An order of the person, or a supplier whose contact it is, that was left as it is."""

    order_id: str
    because: KeptBecause
    until: datetime | None = None
    """When its legal hold ends."""
    supplier_id: str = ""

    @property
    def why(self) -> str:
        """In a sentence."""
        if self.because is KeptBecause.SUPPLIER_IN_USE:
            return f"supplier {self.supplier_id} is in use, and reached by its contact"
        if self.because is KeptBecause.OPEN_ORDER:
            return f"order {self.order_id} is not over, and needs its address"
        assert self.until is not None, "a legal hold has an end"
        return f"order {self.order_id} has a legal hold until {self.until:%Y-%m-%d}"


LETTERS_ELSEWHERE = "letters_elsewhere"
"""Letters about the person that were handed over, and are no file of this server's outbox folder."""
_OUT_OF_REACH = (
    "letters that cannot be taken back: {}; a mail server took them, or their files are in the outbox folder of "
    "another server, where they have to be deleted"
)


class ErasureRecorded(Fact, frozen=True, tag="erasure.recorded"):
    """A person was erased on request."""

    erasure_id: str
    by: str
    at: datetime
    counts: dict[str, int]
    """How much was erased, by kind; the kinds with none are left out."""
    kept: tuple[StillKept, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        kept = tuple(f"something was kept: {each.why}" for each in self.kept)
        elsewhere = self.counts.get(LETTERS_ELSEWHERE, 0)
        return (*kept, _OUT_OF_REACH.format(elsewhere)) if elsewhere else kept


ErasureFact = ErasureRecorded

# --- state ----------------------------------------------------------------------------------------


class Erasure(Value, frozen=True):
    """An erasure, folded from its facts."""

    counts: dict[str, int]
    kept: tuple[StillKept, ...]
    by: str
    at: datetime


def evolve(erasure: Erasure | None, fact: ErasureFact) -> Erasure:
    return Erasure(fact.counts, fact.kept, fact.by, fact.at)


NOUN = noun("erasure", ErasureFact, evolve)
