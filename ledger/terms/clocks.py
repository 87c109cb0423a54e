"""Clocks: what somebody has to do by when, and what became of it (DOMAIN 6).

A noun reports its clocks as readings; whether one is open, met, missed or withdrawn is computed only here.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from ledger.facts import Value
from ledger.terms.parties import Party


class Clock(StrEnum):
    """All clocks, each with the party that it obliges; None where that is not always the same."""

    owner: Party | None

    def __new__(cls, name: str, owner: Party | None = None) -> Clock:
        clock = str.__new__(cls, name)
        clock._value_ = name
        clock.owner = owner
        return clock

    ACKNOWLEDGE = "acknowledge", Party.SUPPLIER
    DISPATCH = "dispatch", Party.SUPPLIER
    DELIVERY = "delivery", Party.RETAILER
    FIRST_SCAN = "first_scan", Party.CARRIER
    ANSWER = "answer"
    CLAIM_FILING = "claim_filing", Party.RETAILER
    RECOVERY_ANSWER = "recovery_answer", Party.SUPPLIER
    FIRST_ANSWER = "first_answer", Party.RETAILER
    STOCK_UP_ANSWER = "stock_up_answer", Party.SUPPLIER
    SEND = "send", Party.RETAILER


class ClockState(StrEnum):
    """What became of a clock."""

    OPEN = "open"
    """Still to be met; nobody has recorded a breach."""
    MET = "met"
    MISSED = "missed"
    WITHDRAWN = "withdrawn"
    """Recorded as missed, and met in time after all."""


class Reading(Value, frozen=True):
    """One clock of one object, as its facts have it."""

    object_id: str
    """The supplier order, order, inquiry, case or recovery; carrier/number/epoch of a parcel."""
    clock: Clock
    due: datetime
    met_at: datetime | None = None
    supplier_id: str = ""
    """The supplier that is obliged, whose parcel the carrier is to scan, or whose draft the retailer is to send."""
    missed_at: datetime | None = None
    """When the last breach was recorded."""
    withdrawn_at: datetime | None = None
    """When that breach was withdrawn."""
    stopped_since: datetime | None = None
    given_up_at: datetime | None = None
    """When the last thing that it waited for was given up, if that ended it."""
    obliged: Party | None = None
    """Who is obliged, where the clock does not say."""

    @property
    def owner(self) -> Party:
        """Who is obliged."""
        owner = self.obliged or self.clock.owner
        assert owner is not None, "a reading says who is obliged if its clock does not"
        return owner

    @property
    def is_missed(self) -> bool:
        """A breach is recorded and stands."""
        return self.missed_at is not None and self.withdrawn_at is None

    @property
    def over(self) -> bool:
        """Nothing is waited for any more."""
        return self.met_at is not None or self.given_up_at is not None

    @property
    def late(self) -> bool:
        """It ended after it was due."""
        if self.met_at is not None:
            return self.met_at > self.due
        # What is given up when it is due, or later, was late.
        return self.given_up_at is not None and self.given_up_at >= self.due

    @property
    def stands(self) -> bool:
        """It was stopped before it was due."""
        return self.stopped_since is not None and self.stopped_since < self.due

    @property
    def runs(self) -> bool:
        """Somebody has to notice when it is due, unless something happens before."""
        return not self.is_missed and not self.stands and (self.late or not self.over)

    def passed(self, now: datetime) -> bool:
        """Nothing had happened when it was due, and it was running then."""
        if self.stands:
            return False
        return self.late or (now >= self.due and not self.over)

    def overdue(self, now: datetime) -> bool:
        """It has passed, and nobody has recorded that."""
        return self.passed(now) and not self.is_missed

    def verdict(self, now: datetime) -> Literal[ClockState.MISSED, ClockState.WITHDRAWN] | None:
        """What is to be recorded now: MISSED if it ended too late, WITHDRAWN if a recorded breach was none after all.

        A clock for which nothing has happened yet gives None: the clock task finds it with ``overdue``.
        """
        if self.missed_at is None or self.withdrawn_at is not None:
            if self.met_at is None and self.given_up_at is None:
                return None  # the usual case; this is asked for every command
            return ClockState.MISSED if self.passed(now) else None
        # The process that recorded the breach may have had a clock ahead of this one's.
        return None if self.passed(max(now, self.missed_at)) else ClockState.WITHDRAWN

    @property
    def state(self) -> ClockState | None:
        """What became of it; None if it was given up in time, so that nothing is owed any more."""
        if self.is_missed:
            return ClockState.MISSED
        if not self.over or self.runs:
            return ClockState.OPEN
        if self.withdrawn_at is not None:
            return ClockState.WITHDRAWN
        return ClockState.MET if self.met_at is not None else None
