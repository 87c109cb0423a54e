"""Rows of obligations, and of timers that oblige nobody."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from ledger.terms.clocks import Clock, ClockState
from ledger.terms.parties import Party
from projections.machine.rows import Int4
from projections.machine.tables import table


class Obligation(NamedTuple):
    """One clock of one object."""

    object_id: str
    """Of the supplier order, order, inquiry, case or recovery; carrier/number/epoch of a parcel."""
    clock: Clock
    supplier_id: str
    """The supplier that is obliged, or whose parcel the carrier is to scan; empty if the retailer is."""
    owner: Party
    """Who is obliged."""
    due: datetime
    state: ClockState
    met_at: datetime | None
    stopped_since: datetime | None
    missed_at: datetime | None
    withdrawn_at: datetime | None
    alarm: bool
    """Whether somebody has to notice when it is due."""
    time_zone: str = ""
    """Of the calendar of the supplier that is obliged; empty where none is agreed, and of other parties."""
    stream: str = ""
    """The stream that it is of."""


class StockHold(NamedTuple):
    """Stock that is held for somebody."""

    supplier_id: str
    sku: str
    reservation_id: str
    units: int
    expires_at: datetime


class Silence(NamedTuple):
    """A parcel that should be scanned again."""

    carrier: str
    number: str
    epoch: Int4
    last_seen_at: datetime


class WaitingClaim(NamedTuple):
    """A claim that cannot be filed yet."""

    recovery_id: str
    eligible_at: datetime


class WritableSupplier(NamedTuple):
    """A supplier that the ledger can write to."""

    supplier_id: str


class ReturnWindow(NamedTuple):
    """An order that is complete once nothing can be sent back any more."""

    order_id: str
    closes_at: datetime


class EndedReship(NamedTuple):
    """An order that sends units of a case once more, and of which no unit is under way any more."""

    order_id: str
    ended_at: datetime


class ReshipWait(NamedTuple):
    """A case that waits for a reship."""

    case_id: str
    order_id: str


class Overdue(NamedTuple):
    """A time since which another supplier is to be sought for lines that are overdue."""

    supplier_order_id: str
    clock: Clock
    since: datetime


OBLIGATIONS = table(
    "sla_obligations",
    Obligation,
    3,
    "(state, due, object_id, clock)",
    "(supplier_id, state, due, object_id, clock)",
    "(owner, state, due, object_id, clock)",
    "(stream)",
)
HOLDS = table("sla_holds", StockHold, 3, "(expires_at)")
SILENCES = table("sla_silences", Silence, 3, "(last_seen_at)")
WAITING_CLAIMS = table("sla_waiting_claims", WaitingClaim, 1, "(eligible_at)")
RETURN_WINDOWS = table("sla_return_windows", ReturnWindow, 1, "(closes_at)")
RESHIPS = table("sla_reships", EndedReship, 1)
RESHIP_WAITS = table("sla_reship_waits", ReshipWait, 1)
WRITABLE = table("sla_writable_suppliers", WritableSupplier, 1)
OVERDUE = table("sla_overdue", Overdue, 3, "(clock, since)")
