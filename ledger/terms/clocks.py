"""Clocks: what somebody has to do by when, and what became of it (DOMAIN 6).

A noun reports its clocks as readings; whether one is open, met, missed or withdrawn is computed only here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple

from ledger.facts import Value
from ledger.terms.parties import Party


class Clock(StrEnum):
    """All clocks, each with the party that it obliges; None where that is not always the same. CLOCKS tells of them."""

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
    CANCEL_ANSWER = "cancel_answer", Party.SUPPLIER
    REFUND_PAID = "refund_paid", Party.RETAILER
    RESOLUTION = "resolution", Party.SUPPLIER


class ClockEntry(NamedTuple):
    """What people have to know of a clock."""

    what: str
    """What has to happen."""
    starts: str
    ends: str
    """What ends it beside that; whatever was given up in time is owed no more."""
    terms: tuple[str, ...]
    """The terms that say how long it runs, each with whose it is, by whose calendar it goes if it is in working time:
    ``agreement.dispatch_within``."""
    usual: str
    """How long it is unless agreed otherwise."""
    stops: str = "never"
    """What makes it stand still."""


_HOLDS = "for holds of the retailer or the customer, for the union of their times"
CLOCKS: Mapping[Clock, ClockEntry] = {
    Clock.SEND: ClockEntry(
        "the retailer sends a supplier order",
        "it is drafted",
        "it leaves without an instruction, or all its units are given up",
        ("policy.send_within",),
        "24 hours",
        _HOLDS,
    ),
    Clock.ACKNOWLEDGE: ClockEntry(
        "the supplier says whether it takes a supplier order on",
        "it is sent; again when its address changes afterwards",
        "it is packed or leaves, or all its units are given up",
        ("agreement.acknowledge_within",),
        "none",
        _HOLDS,
    ),
    Clock.DISPATCH: ClockEntry(
        "the last unit of a supplier order leaves",
        "it is sent; where the shop named a deadline, that is when it is due",
        "the units that have not left are given up",
        ("agreement.dispatch_within", "agreement.express_dispatch_within"),
        "none",
        _HOLDS,
    ),
    Clock.CANCEL_ANSWER: ClockEntry(
        "the supplier answers a request to cancel; each request has a clock for the units that it adds",
        "units are asked back, to be cancelled or for another supplier",
        "they leave, or the supplier rejects them",
        ("agreement.cancel_answer_within",),
        "none",
    ),
    Clock.FIRST_SCAN: ClockEntry(
        "the carrier scans a parcel",
        "the parcel is said to have left",
        "the parcel is voided",
        ("agreement.first_scan_within",),
        "none",
    ),
    Clock.DELIVERY: ClockEntry(
        "the customer has all of an order",
        "it is confirmed; it is due when the promised day has ended",
        "all that has not arrived is cancelled, or lost or back and settled",
        (),
        "the promise",
    ),
    Clock.ANSWER: ClockEntry(
        "whoever was asked about an order answers",
        "the question is asked",
        "it is closed",
        ("policy.answer_within", "agreement.answer_within"),
        "24 hours of the retailer, none of a supplier",
    ),
    Clock.FIRST_ANSWER: ClockEntry(
        "the retailer answers a customer that opened a case",
        "the case is opened",
        "the case is closed",
        ("policy.first_answer_within",),
        "24 hours",
    ),
    Clock.RESOLUTION: ClockEntry(
        "a case is resolved that a supplier has to bear; of several suppliers each has a clock",
        "it is ruled that the supplier is liable",
        "it is denied or cancelled, ruled to be another party's, or opened again",
        ("agreement.resolve_within",),
        "none",
    ),
    Clock.REFUND_PAID: ClockEntry(
        "the retailer pays back what it owes a customer",
        "a refund is granted; units are cancelled or made cheaper that were paid, or a refund bounces",
        "the refund is taken back, or nothing is owed any more",
        ("policy.refund_within",),
        "72 hours",
    ),
    Clock.RECOVERY_ANSWER: ClockEntry(
        "the supplier answers what it is to bear of a cost",
        "it is asked",
        "the recovery is withdrawn or written off",
        ("agreement.answer_within",),
        "none",
    ),
    Clock.CLAIM_FILING: ClockEntry(
        "the retailer files a claim on a carrier, which is barred afterwards",
        "the parcel is dispatched if it was lost, delivered if it was damaged",
        "the claim is withdrawn or written off",
        ("policy.claim_terms",),
        "60 days after a loss, 14 after a damage",
    ),
    Clock.STOCK_UP_ANSWER: ClockEntry(
        "the supplier says what it can have ready before a peak",
        "it is asked",
        "the request is withdrawn",
        ("agreement.answer_within",),
        "none",
    ),
}
"""All clocks as people read of them, in the order of an order's life."""


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
    """The supplier order, order, inquiry, case or recovery; carrier/number/epoch of a parcel; case/refund;
    order/owed-1 for what is owed beside cases; case/supplier; supplier order#2 for the second request to cancel."""
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
