"""What was agreed with a supplier: its clocks, what a late dispatch costs it, and its targets."""

from __future__ import annotations

from datetime import datetime

from ledger.facts import Value
from ledger.terms.calendars import PeakPeriod, WorkingTerms, due_after
from ledger.terms.money import Money
from ledger.terms.shipping import Priority


class CompensationTerms(Value, frozen=True):
    """What a late dispatch costs the supplier."""

    basis_points: int
    """Hundredths of a percent of the net line amount, at least 1."""
    effective_from: datetime
    """Of the agreement with these terms."""
    cap: Money | None = None


_EXPRESS_DISPATCH = "express_dispatch_within"
AGREEMENT_TERMS = (
    "acknowledge_within",
    "dispatch_within",
    _EXPRESS_DISPATCH,
    "first_scan_within",
    "answer_within",
    "feed_interval",
    "cancel_answer_within",
    "resolve_within",
)
"""What can be agreed in working time instead of hours."""


class Agreement(Value, frozen=True):
    """Agreed terms. A clock that is None was not agreed and does not run."""

    effective_from: datetime
    effective_until: datetime | None = None
    acknowledge_within_hours: int | None = None
    dispatch_within_hours: int | None = None
    express_dispatch_within_hours: int | None = None
    first_scan_within_hours: int | None = None
    answer_within_hours: int | None = None
    compensation_basis_points: int = 0
    compensation_cap: Money | None = None
    feed_interval_hours: int | None = None
    peaks: tuple[PeakPeriod, ...] = ()
    acknowledgement_target_basis_points: int | None = None
    """The share of supplier orders to be acknowledged in time; None means as the retailer's policy says."""
    response_target_basis_points: int | None = None
    """The share of messages to be answered in time; None means as the retailer's policy says."""
    working: WorkingTerms | None = None
    """Its calendar, and those of its terms that are counted by it instead of in hours."""
    cancel_answer_within_hours: int | None = None
    """How soon it answers a request to cancel."""
    resolve_within_hours: int | None = None
    """How soon a case is resolved that was ruled to be its to bear."""
    resolution_target_basis_points: int | None = None
    """The share of such cases to be resolved in time; None means that none is agreed."""

    def holds_at(self, at: datetime) -> bool:
        return self.effective_from <= at and (self.effective_until is None or at < self.effective_until)

    def acknowledge_by(self, at: datetime) -> datetime | None:
        return self._due(at, self.acknowledge_within_hours, "acknowledge_within")

    def dispatch_by(self, at: datetime, priority: Priority) -> datetime | None:
        if self.dispatch_term(priority) == _EXPRESS_DISPATCH:
            return self._due(at, self.express_dispatch_within_hours, _EXPRESS_DISPATCH)
        return self._due(at, self.dispatch_within_hours, "dispatch_within")

    def dispatch_term(self, priority: Priority) -> str:
        """The term that dispatching goes by: express orders have one of their own, if one is agreed."""
        counted = self.working.terms if self.working is not None else ()
        own = self.express_dispatch_within_hours is not None or _EXPRESS_DISPATCH in counted
        return _EXPRESS_DISPATCH if own and priority is Priority.EXPRESS else "dispatch_within"

    def feed_by(self, counted_at: datetime) -> datetime | None:
        """When a feed that was counted then is too old."""
        return self._due(counted_at, self.feed_interval_hours, "feed_interval")

    def answer_by(self, at: datetime) -> datetime | None:
        return self._due(at, self.answer_within_hours, "answer_within")

    def resolve_by(self, at: datetime) -> datetime | None:
        """When a case is to be resolved that is ruled then."""
        return self._due(at, self.resolve_within_hours, "resolve_within")

    @property
    def time_zone(self) -> str:
        """Of its calendar; empty where none is agreed."""
        return self.working.calendar.time_zone if self.working is not None else ""

    def _due(self, at: datetime, hours: int | None, term: str) -> datetime | None:
        return due_after(at, hours, self.peaks, self.working, term)

    @property
    def compensation(self) -> CompensationTerms | None:
        """What a late dispatch costs; None where nothing was agreed."""
        if not self.compensation_basis_points:
            return None
        return CompensationTerms(self.compensation_basis_points, self.effective_from, self.compensation_cap)
