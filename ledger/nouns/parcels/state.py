"""The state of a tracking number: its present use and the earlier ones."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import takewhile
from operator import attrgetter

from ledger.facts import Units, Value
from ledger.nouns.parcels.facts import (
    GIVEN_UP,
    Checkpoint,
    CustomsAsk,
    DeliveryProven,
    FirstScanBreachWithdrawn,
    FirstScanMissed,
    ParcelStatus,
    ParcelVoided,
)
from ledger.terms.clocks import Clock, Reading
from ledger.terms.money import Money
from ledger.terms.parties import Party
from ledger.view import View


def stream(carrier: str, number: str) -> str:
    return f"parcel-{carrier}/{number}"


def find(view: View, carrier: str, number: str) -> Parcel | None:
    found: Parcel | None = view.state(stream(carrier, number))
    return found


class CustomsHold(Value, frozen=True):
    """Why customs does not let a parcel go."""

    since: datetime
    asks: CustomsAsk | None = None
    """None while it is not known."""
    answer_by: datetime | None = None
    asks_of: Party | None = None
    """Who has to give it; None while it is not known what it is."""


class Content(Value, frozen=True):
    """What is in a parcel of one supplier order."""

    order_id: str
    supplier_order_id: str
    by_line: Units
    promised_by: datetime | None = None
    promised_day: date | None = None
    collect: Money | None = None


class Parcel(Value, frozen=True):
    """The present epoch of a tracking number."""

    carrier: str
    number: str
    epoch: int
    registered_at: datetime
    order_id: str = ""
    supplier_order_id: str = ""
    supplier_id: str = ""
    by_line: Units = {}
    country: str = ""
    first_scan_by: datetime | None = None
    promised_by: datetime | None = None
    promised_day: date | None = None
    historical: bool = False
    exists_from: datetime | None = None
    checkpoints: tuple[Checkpoint, ...] = ()
    """By their own time, ties by arrival."""
    turns: tuple[Checkpoint, ...] = ()
    """Those among them that say that it arrived, or that it comes or came back: few of many."""
    earlier: tuple[Checkpoint, ...] = ()
    """Scans of an earlier use of the number, by their own time: history, which counts for nothing here."""
    previous: Parcel | None = None
    """The use of the number before this one, by its own scans."""
    status: ParcelStatus = ParcelStatus.REGISTERED
    first_scan_at: datetime | None = None
    delivered_at: datetime | None = None
    disputed_at: datetime | None = None
    missed: FirstScanMissed | None = None
    withdrawn: FirstScanBreachWithdrawn | None = None
    proofs: tuple[DeliveryProven, ...] = ()
    """What was handed in to prove the delivery."""
    claims: tuple[str, ...] = ()
    """The recoveries that claim for it from its carrier, the first opened first."""
    warnings: tuple[str, ...] = ()
    lost_at: datetime | None = None
    """When it was given up; None again once it has arrived."""
    found_at: datetime | None = None
    """When it arrived although it had been given up."""
    return_of: str = ""
    """The case whose units come back in it."""
    collect: Money | None = None
    """What its carrier collects from the customer at the door, for the first supplier order."""
    beside: tuple[Content, ...] = ()
    """What is in it of further supplier orders, the first told first; they are of the same supplier."""
    taken_out: tuple[ParcelVoided, ...] = ()
    """What turned out not to be in it, while the rest is."""
    exists_alone_from: datetime | None = None
    """exists_from without regard to the use before, where that makes it later."""
    voided: ParcelVoided | None = None
    """Only of a use that was none."""
    last_miles: tuple[tuple[str, str, int], ...] = ()
    """Carrier, number and epoch of each last mile that it was handed over to, the first first."""
    last_mile_of: tuple[str, str, int] | None = None
    """The parcel that has the scans under this number; such a use is no parcel of its own."""
    stray: Checkpoint | None = None
    """The first scan that came after it was voided, of the newest use; it may have left after all."""

    @property
    def contents(self) -> tuple[Content, ...]:
        """What is in it, by supplier order; nothing while no order is known."""
        if not self.order_id:
            return ()
        own = (self.order_id, self.supplier_order_id, self.by_line, self.promised_by, self.promised_day, self.collect)
        return (Content(*own), *self.beside)

    @property
    def order_ids(self) -> tuple[str, ...]:
        """The orders whose units are in it, each once."""
        if not self.beside:
            return (self.order_id,) if self.order_id else ()
        return tuple(dict.fromkeys(each.order_id for each in self.contents))

    @property
    def due_by(self) -> datetime | None:
        """When it has to arrive so that every promise is kept."""
        if not self.beside:
            return self.promised_by
        return min((each.promised_by for each in self.contents if each.promised_by is not None), default=None)

    @property
    def estimated_by(self) -> datetime | None:
        """When its carrier expects to deliver it, by the newest scan that says so; None once nobody waits for it."""
        if not self.is_awaited:
            return None
        return next((scan.expected_by for scan in reversed(self.checkpoints) if scan.expected_by is not None), None)

    @property
    def is_awaited(self) -> bool:
        """Whether a customer waits for it: it neither arrived, nor is on its way back, nor will never come."""
        return self.delivered_at is None and self.status not in NOT_AWAITED

    @property
    def customs_hold(self) -> CustomsHold | None:
        """What holds it at customs now, by the newest scans."""
        if self.status is not ParcelStatus.CUSTOMS_HELD:
            return None
        # A disputed delivery may be newer, and does not count.
        scans = (scan for scan in reversed(self.checkpoints) if scan.status is not ParcelStatus.DELIVERED)
        held = list(takewhile(lambda scan: scan.status is ParcelStatus.CUSTOMS_HELD, scans))
        asking = next((scan for scan in held if scan.customs_asks is not None), held[-1])
        asks = asking.customs_asks
        asks_of = asking.customs_asks_of or (asks.usually_of if asks is not None else None)
        return CustomsHold(held[-1].at, asks, asking.customs_answer_by, asks_of)

    @property
    def last_seen_at(self) -> datetime:
        """The newest scan, or the registration."""
        return self.checkpoints[-1].at if self.checkpoints else self.registered_at

    @property
    def ended_since(self) -> datetime:
        """Since when the newest scans say that it is back, or lost."""
        same = GIVEN_UP if self.status in GIVEN_UP else _BACK
        run = takewhile(lambda scan: scan.status in same and not self._is_denied(scan), reversed(self.checkpoints))
        return min((scan.at for scan in run), default=self.last_seen_at)

    def _is_denied(self, scan: Checkpoint) -> bool:
        """Whether a delivery is one that a dispute denies."""
        denied = self.disputed_at is not None and scan.at <= self.disputed_at
        return denied and scan.status is ParcelStatus.DELIVERED

    @property
    def first_scan_missed(self) -> bool:
        return self.missed is not None and self.withdrawn is None

    @property
    def awaits_scan(self) -> bool:
        """The carrier is to scan it again."""
        return self.status not in _AT_REST and self.last_mile_of is None

    @property
    def is_over(self) -> bool:
        """Nothing more is to come of it: the number is free again."""
        return self.delivered_at is not None or self.status in _ENDS

    @property
    def ended_at(self) -> datetime | None:
        """When it arrived, or the last scan of one that is over otherwise; None if that is not known."""
        return self.delivered_at or (self.checkpoints[-1].at if self.is_over and self.checkpoints else None)


_ENDS = frozenset({ParcelStatus.LOST, ParcelStatus.DESTROYED, ParcelStatus.RETURNED, ParcelStatus.VOID})

_BACK = frozenset({ParcelStatus.RETURNED, ParcelStatus.DELIVERED})
"""What the scans of a parcel say that is back: a delivery of it was one to its sender."""

NOT_AWAITED = _ENDS | {ParcelStatus.RETURNING}
"""No customer waits for a parcel like that, nor for one that was delivered."""

_NOT_WITH_CARRIER = frozenset({ParcelStatus.REGISTERED, ParcelStatus.SUSPECTED_LOST, *GIVEN_UP})
"""Scans that do not say that the carrier has it."""

_AT_REST = frozenset(
    {
        ParcelStatus.DELIVERED,
        ParcelStatus.SUSPECTED_LOST,
        ParcelStatus.LOST,
        ParcelStatus.RETURNED,
        ParcelStatus.DESTROYED,
        ParcelStatus.CUSTOMS_HELD,
        ParcelStatus.AVAILABLE_FOR_PICKUP,
        ParcelStatus.VOID,
    }
)
"""No scan is expected of a parcel in one of these."""


def readings(parcel: Parcel) -> list[Reading]:
    """The clock of the first scan by its carrier, if its supplier agreed to one."""
    missed, withdrawn, voided = parcel.missed, parcel.withdrawn, parcel.voided
    if parcel.first_scan_by is None or (voided is not None and missed is None):
        return []
    withdrawn_at = withdrawn.at if withdrawn is not None else voided.at if voided is not None else None
    return [
        Reading(
            object_id=f"{parcel.carrier}/{parcel.number}/{parcel.epoch}",
            clock=Clock.FIRST_SCAN,
            due=parcel.first_scan_by,
            met_at=parcel.first_scan_at,
            supplier_id=parcel.supplier_id,
            missed_at=missed.at if missed is not None else None,
            withdrawn_at=withdrawn_at,
            given_up_at=parcel.first_scan_by - timedelta.resolution if voided is not None else None,
        )
    ]


def last_sign_at(parcel: Parcel) -> datetime | None:
    """The newest scan that says that the carrier has it; None if there was none."""
    signs = [scan.at for scan in parcel.checkpoints if scan.status not in _NOT_WITH_CARRIER]
    return max(signs, default=None)


def scans_at(scans: Sequence[Checkpoint], at: datetime) -> Sequence[Checkpoint]:
    """Those of a moment, of scans by their own time."""
    return scans[bisect_left(scans, at, key=BY_TIME) : bisect_right(scans, at, key=BY_TIME)]


BY_TIME = attrgetter("at")


def uses(parcel: Parcel | None) -> Iterator[Parcel]:
    """The uses of a number, the present one first, and those last that were none."""
    while parcel is not None:
        yield parcel
        parcel = parcel.previous


def first_mile_of(parcel: Parcel | None) -> tuple[str, str, int] | None:
    """The parcel that goes on under the present use of a number, where that is one of a last mile."""
    return parcel.last_mile_of if parcel is not None and parcel.voided is None else None


def can_belong_to(use: Parcel, scan: Checkpoint) -> bool:
    return use.voided is None and (use.exists_from is None or scan.at >= use.exists_from)
