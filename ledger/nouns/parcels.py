"""Parcels: what a carrier has under one tracking number, and what its scans say (DOMAIN 4).

A carrier's webhook knows only the number, so a parcel is a stream of its own that remembers its
order. Numbers are reused: another shipment under a number starts a new epoch in the stream. What a carrier
still tells of an earlier use counts for that use; from before any it is kept, and counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import reduce
from itertools import takewhile
from typing import assert_never

from msgspec.structs import replace

from ledger.facts import (
    Fact,
    Sealed,
    Units,
    Value,
    to_minute,
)
from ledger.refusals import AlreadyExists, Forbidden, NotFound
from ledger.terms.parties import Party
from ledger.terms.tracking_numbers import oddities
from ledger.view import View, noun


def stream(carrier: str, number: str) -> str:
    return f"parcel-{carrier}/{number}"


def find(view: View, carrier: str, number: str) -> Parcel | None:
    found: Parcel | None = view.state(stream(carrier, number))
    return found


# --- facts ----------------------------------------------------------------------------------------


class ParcelStatus(StrEnum):
    """Where a parcel is, by its newest scan."""

    REGISTERED = "registered"
    IN_TRANSIT = "in_transit"
    CUSTOMS_PROCESSING = "customs_processing"
    CUSTOMS_HELD = "customs_held"
    OUT_FOR_DELIVERY = "out_for_delivery"
    ATTEMPT_FAILED = "attempt_failed"
    AVAILABLE_FOR_PICKUP = "available_for_pickup"
    DELIVERED = "delivered"
    DELAYED = "delayed"
    RETURNING = "returning"
    RETURNED = "returned"
    DAMAGED = "damaged"
    SUSPECTED_LOST = "suspected_lost"
    LOST = "lost"
    DESTROYED = "destroyed"
    REFUSED = "refused"
    OTHER = "other"
    """The carrier's word was not known; it is kept as it came."""


GIVEN_UP = frozenset({ParcelStatus.LOST, ParcelStatus.DESTROYED})
"""The units in it are lost to the order."""


class ParcelRegistered(Fact, frozen=True, tag="parcel.registered"):
    """A carrier has, or will have, a parcel under this number. by_line is empty while no order is known."""

    carrier: str
    number: str
    epoch: int
    at: datetime
    order_id: str = ""
    supplier_order_id: str = ""
    supplier_id: str = ""
    by_line: Units = {}
    country: str = ""
    """The destination, ISO 3166-1 alpha-2, as far as it is known."""
    first_scan_by: datetime | None = None
    """When the carrier must have scanned it, by the supplier's agreement."""
    promised_by: datetime | None = None
    warnings: tuple[str, ...] = ()
    """What is odd about the number, such as a wrong check digit; a warning never refuses."""
    return_of: str = ""
    """The case whose units come back in it; such a parcel belongs to no order."""
    exists_from: datetime | None = None
    """The earliest that it can have existed: scans from before are of an earlier use of the number."""
    promised_day: date | None = None
    """The day whose end promised_by is, where the customer was promised a day."""
    historical: bool = False
    """Of an order of before, which nobody has anything to do about."""


class ParcelLinked(Fact, frozen=True, tag="parcel.linked"):
    """The order, or the case, of a parcel that a carrier had announced first became known."""

    carrier: str
    number: str
    order_id: str
    supplier_order_id: str
    supplier_id: str
    by_line: Units
    at: datetime
    country: str = ""
    first_scan_by: datetime | None = None
    promised_by: datetime | None = None
    return_of: str = ""
    """The case whose units come back in it; then it belongs to no order."""
    exists_from: datetime | None = None
    """The earliest that it can have existed: scans from before, told already or not, are of an earlier use."""
    promised_day: date | None = None
    historical: bool = False

    @property
    def warnings(self) -> tuple[str, ...]:
        """Who ships it is told what is odd about the number, as whoever announced it was."""
        return oddities(self.carrier, self.number)


class CustomsAsk(StrEnum):
    """What customs wants before it lets a parcel go."""

    DOCUMENTS = "documents"
    PAYMENT = "payment"
    PROHIBITED = "prohibited"
    """Nothing helps: the goods may not enter."""


class Checkpoint(Value, frozen=True):
    """One scan, at the carrier's own time."""

    at: datetime
    status: ParcelStatus
    code: str = ""
    """The carrier's or tracker's word as it came, such as ``InTransit_002``."""
    city: str = ""
    country: str = ""
    message: Sealed | None = None
    """The carrier's text; it may name people."""
    customs_asks: CustomsAsk | None = None
    """What is asked for, where customs holds the parcel."""
    customs_answer_by: datetime | None = None
    """By when it has to be there."""
    reached_customer: bool = False
    """Whether the carrier says that it was delivered to the customer, and not back to the sender."""

    def same_scan(self, other: Checkpoint) -> bool:
        """The same scan told twice; the sealed text differs each time it is sealed."""
        return replace(self, message=None) == replace(other, message=None)


class CheckpointRecorded(Fact, frozen=True, tag="parcel.checkpoint_recorded"):
    """A carrier scanned the parcel; checkpoint.at says when it did."""

    carrier: str
    number: str
    checkpoint: Checkpoint
    at: datetime
    epoch: int = 0
    """The earlier use of the number that it counts for; 0 where it is not known to be of one."""


class DeliveryProven(Fact, frozen=True, tag="parcel.delivery_proven"):
    """A proof of delivery was handed in: the signer's name is sealed, the photo named by its hash."""

    carrier: str
    number: str
    at: datetime
    signed_by: Sealed | None = None
    photo_sha256: str = ""
    signed_digest: str = ""
    """Keyed hash of the signer's name: the same is recognised without its content."""


class DeliveryDisputed(Fact, frozen=True, tag="parcel.delivery_disputed"):
    """Somebody denies that it arrived: the parcel is not delivered until a later scan says so again."""

    carrier: str
    number: str
    because: str
    at: datetime


class FirstScanMissed(Fact, frozen=True, tag="parcel.first_scan_missed"):
    """The carrier had not scanned it by the agreed time after it was said to be dispatched."""

    carrier: str
    number: str
    due: datetime
    at: datetime


class FirstScanBreachWithdrawn(Fact, frozen=True, tag="parcel.first_scan_breach_withdrawn"):
    """The carrier had scanned it in time after all; the news of it came late."""

    carrier: str
    number: str
    happened_at: datetime
    at: datetime
    epoch: int = 0
    """The earlier use of the number that it is about; 0 is the present one."""


class LossSuspected(Fact, frozen=True, tag="parcel.loss_suspected"):
    """No scan for the agreed number of days; it may still be delivered."""

    carrier: str
    number: str
    last_seen_at: datetime
    at: datetime
    due: datetime | None = None
    """When it was to be suspected; ``at`` says when that was noticed."""


class ClaimOpened(Fact, frozen=True, tag="parcel.claim_opened"):
    """A claim on the carrier is prepared for it; the recovery tells how far that is."""

    carrier: str
    number: str
    recovery_id: str
    at: datetime


class LossConfirmed(Fact, frozen=True, tag="parcel.loss_confirmed"):
    """The carrier, or a person who looked into it, gave the parcel up."""

    carrier: str
    number: str
    epoch: int
    by: Party
    because: str
    at: datetime


class FoundAfterLoss(Fact, frozen=True, tag="parcel.found_after_loss"):
    """A parcel that was given up arrived after all: what was paid or sent for the loss is to be recovered."""

    carrier: str
    number: str
    epoch: int
    lost_at: datetime
    at: datetime
    order_id: str = ""
    supplier_order_id: str = ""
    supplier_id: str = ""
    by_line: Units = {}


ParcelFact = (
    ParcelRegistered
    | ParcelLinked
    | CheckpointRecorded
    | DeliveryProven
    | DeliveryDisputed
    | FirstScanMissed
    | FirstScanBreachWithdrawn
    | LossSuspected
    | ClaimOpened
    | LossConfirmed
    | FoundAfterLoss
)

# --- state ----------------------------------------------------------------------------------------


class CustomsHold(Value, frozen=True):
    """Why customs does not let a parcel go."""

    since: datetime
    asks: CustomsAsk | None = None
    """None while nobody said what is asked for."""
    answer_by: datetime | None = None


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
    earlier: tuple[Checkpoint, ...] = ()
    """Scans of an earlier use of the number, by their own time: history, which counts for nothing here."""
    previous: Parcel | None = None
    """The use of the number before this one, as its own scans tell it."""
    status: ParcelStatus = ParcelStatus.REGISTERED
    first_scan_at: datetime | None = None
    delivered_at: datetime | None = None
    disputed_at: datetime | None = None
    first_scan_missed: bool = False
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

    @property
    def customs_hold(self) -> CustomsHold | None:
        """What holds it at customs now, as the newest scans tell it."""
        if self.status is not ParcelStatus.CUSTOMS_HELD:
            return None
        # A delivery that was denied may be newer, and says nothing.
        told = (scan for scan in reversed(self.checkpoints) if scan.status is not ParcelStatus.DELIVERED)
        held = list(takewhile(lambda scan: scan.status is ParcelStatus.CUSTOMS_HELD, told))
        said = next((scan for scan in held if scan.customs_asks is not None), held[-1])
        return CustomsHold(held[-1].at, said.customs_asks, said.customs_answer_by)

    @property
    def last_seen_at(self) -> datetime:
        """The newest scan, or the registration."""
        return self.checkpoints[-1].at if self.checkpoints else self.registered_at

    @property
    def is_over(self) -> bool:
        """Nothing more is to come of it: the number is free again."""
        return self.delivered_at is not None or self.status in _ENDS


def evolve(parcel: Parcel | None, fact: ParcelFact) -> Parcel:
    if isinstance(fact, ParcelRegistered):
        return Parcel(
            previous=left_to(parcel, fact.exists_from) if parcel is not None else None,
            carrier=fact.carrier,
            number=fact.number,
            epoch=fact.epoch,
            registered_at=fact.at,
            order_id=fact.order_id,
            supplier_order_id=fact.supplier_order_id,
            supplier_id=fact.supplier_id,
            by_line=fact.by_line,
            country=fact.country,
            first_scan_by=fact.first_scan_by,
            promised_by=fact.promised_by,
            warnings=fact.warnings,
            return_of=fact.return_of,
            exists_from=fact.exists_from,
            promised_day=fact.promised_day,
            historical=fact.historical,
        )
    assert parcel is not None, "the first fact of a parcel is its registration"
    if (
        isinstance(fact, CheckpointRecorded | FirstScanBreachWithdrawn | FoundAfterLoss)
        and 0 < fact.epoch < parcel.epoch
    ):
        return _of_earlier_use(parcel, fact)
    match fact:
        case ParcelLinked():
            linked = replace(
                parcel,
                order_id=fact.order_id,
                supplier_order_id=fact.supplier_order_id,
                supplier_id=fact.supplier_id,
                by_line=fact.by_line,
                country=fact.country or parcel.country,
                first_scan_by=fact.first_scan_by,
                promised_by=fact.promised_by,
                return_of=fact.return_of,
                exists_from=fact.exists_from,
                promised_day=fact.promised_day,
                historical=fact.historical,
            )
            return _sorted_out(linked)
        case CheckpointRecorded(checkpoint=checkpoint):
            return _scan(parcel, checkpoint)
        case DeliveryDisputed(at=at):
            return replace(parcel, disputed_at=at, delivered_at=None, status=ParcelStatus.IN_TRANSIT)
        case FirstScanMissed():
            return replace(parcel, first_scan_missed=True)
        case FirstScanBreachWithdrawn():
            return replace(parcel, first_scan_missed=False)
        case LossSuspected():
            return replace(parcel, status=ParcelStatus.SUSPECTED_LOST)
        case LossConfirmed(at=at):
            return replace(parcel, status=ParcelStatus.LOST, lost_at=at)
        case FoundAfterLoss(at=at):
            return replace(parcel, lost_at=None, found_at=at)
        case DeliveryProven():
            return replace(parcel, proofs=(*parcel.proofs, fact))
        case ClaimOpened(recovery_id=recovery_id):
            return replace(parcel, claims=(*parcel.claims, recovery_id))
        case _:
            assert_never(fact)


NOUN = noun("parcel", ParcelFact, evolve)


def _of_earlier_use(parcel: Parcel, fact: CheckpointRecorded | FirstScanBreachWithdrawn | FoundAfterLoss) -> Parcel:
    """A scan of it stands in the history of the present use too, which is what people look up."""
    if isinstance(fact, CheckpointRecorded):
        parcel = replace(parcel, earlier=_by_time(parcel.earlier, fact.checkpoint))
    return replace(parcel, previous=evolve(parcel.previous, fact))


def _scan(parcel: Parcel, checkpoint: Checkpoint) -> Parcel:
    """Scans may come late, early and out of order: only the newest by its own time says where the parcel is."""
    if not _may_be_of(parcel, checkpoint):
        return replace(parcel, earlier=_by_time(parcel.earlier, checkpoint))
    checkpoints = _by_time(parcel.checkpoints, checkpoint)
    moved = replace(parcel, checkpoints=checkpoints)
    if checkpoint.status is not ParcelStatus.REGISTERED:
        first = min(checkpoint.at, parcel.first_scan_at or checkpoint.at)
        moved = replace(moved, first_scan_at=first)
    if arrivals := [scan.at for scan in checkpoints if _delivers(moved, scan)]:
        delivered_at = parcel.delivered_at if parcel.delivered_at in arrivals else arrivals[0]
        return replace(moved, status=ParcelStatus.DELIVERED, delivered_at=delivered_at)
    status = ParcelStatus.RETURNED if _is_back(moved, checkpoints[-1]) else checkpoints[-1].status
    if parcel.delivered_at is None:
        # A delivery that the dispute denies is no delivery, even if its scan is the newest.
        denied = status is ParcelStatus.DELIVERED
        old = parcel.lost_at is not None and checkpoint.at <= parcel.lost_at
        if denied or old or checkpoints[-1] is not checkpoint:
            return moved
    lost_at = checkpoints[-1].at if status in GIVEN_UP else parcel.lost_at
    return replace(moved, status=status, lost_at=lost_at, delivered_at=None)


def _by_time(scans: tuple[Checkpoint, ...], scan: Checkpoint) -> tuple[Checkpoint, ...]:
    # Appending before a stable sort puts a tie after those that arrived earlier.
    return tuple(sorted((*scans, scan), key=lambda each: each.at))


def _delivers(parcel: Parcel, scan: Checkpoint) -> bool:
    """Whether this scan is a delivery to the customer: after a dispute only a later one is."""
    return (
        scan.status is ParcelStatus.DELIVERED
        and (parcel.disputed_at is None or scan.at > parcel.disputed_at)
        and not _is_back(parcel, scan)
    )


def _is_back(parcel: Parcel, scan: Checkpoint) -> bool:
    """Whether a delivery is that to the sender: of what was returned, or on its way back unless the carrier says
    that it reached the customer (DOMAIN 4). What a customer sends back arrives like any other parcel."""
    if scan.status is not ParcelStatus.DELIVERED or parcel.return_of:
        return False
    before = {each.status for each in takewhile(lambda each: each is not scan, parcel.checkpoints)}
    return ParcelStatus.RETURNED in before or (ParcelStatus.RETURNING in before and not scan.reached_customer)


def _sorted_out(parcel: Parcel) -> Parcel:
    """With the scans that were told before it was known since when the parcel exists."""
    if parcel.exists_from is None or all(scan.at >= parcel.exists_from for scan in parcel.checkpoints):
        return parcel
    return _told_anew(parcel, parcel.checkpoints)


def _told_anew(parcel: Parcel, scans: Sequence[Checkpoint]) -> Parcel:
    """The parcel as these scans tell it; a loss that no scan told was confirmed, and stands."""
    by_scan = {scan.at for scan in parcel.checkpoints if scan.status in GIVEN_UP}
    confirmed = parcel.lost_at is not None and parcel.lost_at not in by_scan
    bare = replace(
        parcel,
        checkpoints=(),
        status=ParcelStatus.LOST if confirmed else ParcelStatus.REGISTERED,
        first_scan_at=None,
        delivered_at=None,
        lost_at=parcel.lost_at if confirmed else None,
    )
    return reduce(_scan, scans, bare)


_ENDS = frozenset({ParcelStatus.LOST, ParcelStatus.DESTROYED, ParcelStatus.RETURNED})

_GIVEN_UP = frozenset({ParcelStatus.SUSPECTED_LOST, ParcelStatus.LOST, ParcelStatus.DESTROYED})


def last_sign_at(parcel: Parcel) -> datetime | None:
    """The newest scan that says that the carrier has it; None if there was none."""
    signs = [scan.at for scan in parcel.checkpoints if scan.status not in {ParcelStatus.REGISTERED, *_GIVEN_UP}]
    return max(signs, default=None)


# --- refusals -------------------------------------------------------------------------------------


class UnknownParcel(NotFound):
    def __init__(self, carrier: str, number: str) -> None:
        super().__init__(
            f"parcel {number} of {carrier} is not registered; use ParcelService.RegisterParcel",
            carrier=carrier,
            number=number,
        )


class ParcelOfAnotherOrder(AlreadyExists):
    def __init__(self, carrier: str, number: str, order_id: str) -> None:
        super().__init__(
            f"parcel {number} of {carrier} is under way for {order_id} already; name all its units when it leaves",
            carrier=carrier,
            number=number,
            order_id=order_id,
        )


class AlreadyDelivered(Forbidden):
    def __init__(self, carrier: str, number: str, at: datetime) -> None:
        super().__init__(
            f"parcel {number} of {carrier} was delivered {to_minute(at)}; dispute the delivery first with "
            "ParcelService.DisputeDelivery",
            carrier=carrier,
            number=number,
            delivered_at=at.isoformat(),
        )


class ParcelReturned(Forbidden):
    def __init__(self, carrier: str, number: str) -> None:
        super().__init__(
            f"parcel {number} of {carrier} came back to its sender, so nobody received or lost it; record a scan that "
            "tells where it went with ParcelService.RecordCheckpoints if it did not",
            carrier=carrier,
            number=number,
        )


class NotDelivered(Forbidden):
    def __init__(self, carrier: str, number: str, status: ParcelStatus) -> None:
        super().__init__(
            f"parcel {number} of {carrier} is {status}, not delivered", carrier=carrier, number=number, status=status
        )


class DisputedTooEarly(Forbidden):
    def __init__(self, carrier: str, number: str, at: datetime, delivered_at: datetime) -> None:
        super().__init__(
            f"parcel {number} of {carrier} was delivered {to_minute(delivered_at)}, which nobody can have denied "
            f"{to_minute(at)}; give the time at which it was",
            carrier=carrier,
            number=number,
            at=at.isoformat(),
            delivered_at=delivered_at.isoformat(),
        )


# --- decisions ------------------------------------------------------------------------------------


def known(parcel: Parcel | None, carrier: str, number: str) -> Parcel:
    if parcel is None:
        raise UnknownParcel(carrier, number)
    return parcel


TOLD_LATE = timedelta(days=3)
"""How long before its instruction was recorded as sent a parcel may have been under way (DOMAIN 4)."""


def earliest(ordered_at: datetime, instructed_at: datetime, left_at: datetime) -> datetime:
    """When a parcel can have existed first: not before its order, nor long before whoever sends it was told to,
    unless it says itself that it had left by then."""
    return max(ordered_at, min(instructed_at - TOLD_LATE, left_at))


def register(parcel: Parcel | None, registration: ParcelRegistered, reuse_after_days: int) -> Sequence[ParcelFact]:
    """A parcel under a number; registration.epoch is set here.

    What is odd about the number is a warning. The same registration again records nothing. One that was
    announced without an order is linked to it, or to the case whose units come back in it. Another shipment
    starts a new epoch, with a warning if the number was used lately; only a parcel that is still under way takes
    no second shipment of its own order.
    """
    if parcel is None:
        return [_first_use(registration)]
    if not (registration.order_id or registration.return_of):
        return []
    since = registration.at - parcel.registered_at
    lately = since < timedelta(days=reuse_after_days)
    if lately and not parcel.order_id and not parcel.return_of:
        return [_link(registration)]
    if lately and not parcel.is_over and _same_shipment(parcel, registration):
        return []
    if lately and not parcel.is_over and parcel.order_id and parcel.order_id == registration.order_id:
        raise ParcelOfAnotherOrder(parcel.carrier, parcel.number, parcel.order_id)
    again = _used_again(parcel, registration, max(since.days, 0) if lately else None)
    return [again, *_taken_over(parcel, again)]


def _used_again(parcel: Parcel, registration: ParcelRegistered, days: int | None) -> ParcelRegistered:
    """The next use of the number; days says how long ago the last one began, where that is odd."""
    warnings = registration.warnings
    if days is not None:
        whose = parcel.supplier_order_id or parcel.return_of
        ended = "" if parcel.is_over else ", which has not arrived"
        warnings = (*warnings, f"the number was used {days} days before for {whose}{ended}")
    again = replace(registration, warnings=warnings, exists_from=_next_use_from(parcel, registration, days is not None))
    return _first_use(again, parcel.epoch + 1)


CLOCKS_DIFFER = timedelta(days=1)
"""How long before it is said to have left a parcel may have been scanned: by clocks of other zones, or by the day."""


def _next_use_from(parcel: Parcel, registration: ParcelRegistered, lately: bool) -> datetime | None:
    """Since when scans are of the next use; soon after the last one neither before its end nor long before it left."""
    if not lately:
        return registration.exists_from
    bounds = [registration.at - CLOCKS_DIFFER]
    ended_at = parcel.delivered_at or (parcel.checkpoints[-1].at if parcel.is_over and parcel.checkpoints else None)
    if ended_at is not None:
        # Its last scan, told again, is still its own.
        bounds.append(ended_at + timedelta.resolution)
    if registration.exists_from is not None:
        bounds.append(registration.exists_from)
    return max(bounds)


def _taken_over(parcel: Parcel, again: ParcelRegistered) -> Sequence[ParcelFact]:
    """The scans of the next use that were told before it was known; their text was sealed for somebody else."""
    if again.exists_from is None:
        return []
    facts: list[ParcelFact] = []
    present = evolve(None, again)
    for scan in parcel.checkpoints:
        if scan.at >= again.exists_from:
            for fact in record_checkpoint(present, replace(scan, message=None), again.at):
                present = evolve(present, fact)
                facts.append(fact)
    return facts


def left_to(parcel: Parcel, until: datetime | None) -> Parcel:
    """An earlier use, without the scans that turned out to be of the next one, which began at until."""
    if until is None or all(scan.at < until for scan in parcel.checkpoints):
        return parcel
    return _told_anew(parcel, [scan for scan in parcel.checkpoints if scan.at < until])


def _first_use(registration: ParcelRegistered, epoch: int = 1) -> ParcelRegistered:
    odd = oddities(registration.carrier, registration.number)
    return replace(registration, epoch=epoch, warnings=(*registration.warnings, *odd))


def _same_shipment(parcel: Parcel, registration: ParcelRegistered) -> bool:
    told = (registration.supplier_order_id, registration.return_of, registration.by_line)
    return (parcel.supplier_order_id, parcel.return_of, parcel.by_line) == told


def _link(registration: ParcelRegistered) -> ParcelLinked:
    return ParcelLinked(
        carrier=registration.carrier,
        number=registration.number,
        order_id=registration.order_id,
        supplier_order_id=registration.supplier_order_id,
        supplier_id=registration.supplier_id,
        by_line=registration.by_line,
        at=registration.at,
        country=registration.country,
        first_scan_by=registration.first_scan_by,
        promised_by=registration.promised_by,
        return_of=registration.return_of,
        exists_from=registration.exists_from,
        promised_day=registration.promised_day,
        historical=registration.historical,
    )


def uses(parcel: Parcel | None) -> Iterator[Parcel]:
    """The uses of a number, the present one first."""
    while parcel is not None:
        yield parcel
        parcel = parcel.previous


def _may_be_of(use: Parcel, scan: Checkpoint) -> bool:
    return use.exists_from is None or scan.at >= use.exists_from


def record_checkpoint(parcel: Parcel, checkpoint: Checkpoint, at: datetime) -> Sequence[ParcelFact]:
    """A scan, however late; a first scan that was in time withdraws the breach. The same again records nothing.

    It counts for the use of the number that it is of.
    """
    told = (scan for use in uses(parcel) for scan in (*use.checkpoints, *use.earlier))
    if any(scan.same_scan(checkpoint) for scan in told):
        return []
    use = next((use for use in uses(parcel) if _may_be_of(use, checkpoint)), parcel)
    epoch = 0 if use is parcel else use.epoch
    recorded = CheckpointRecorded(parcel.carrier, parcel.number, checkpoint, at, epoch)
    after = evolve(use, recorded)
    facts: list[ParcelFact] = [recorded]
    first, due = after.first_scan_at, use.first_scan_by
    if use.first_scan_missed and first is not None and due is not None and first <= due:
        facts.append(FirstScanBreachWithdrawn(parcel.carrier, parcel.number, first, at, epoch))
    if after.delivered_at is not None and use.delivered_at is None:
        facts += turn_up(after, after.delivered_at)
    return facts


def confirm_loss(parcel: Parcel, by: Party, because: str, at: datetime) -> Sequence[ParcelFact]:
    """Give it up. Confirming what is given up records nothing; what was delivered or came back is not lost."""
    if parcel.delivered_at is not None:
        raise AlreadyDelivered(parcel.carrier, parcel.number, parcel.delivered_at)
    if parcel.status in GIVEN_UP:
        return []
    if parcel.status is ParcelStatus.RETURNED:
        raise ParcelReturned(parcel.carrier, parcel.number)
    return [LossConfirmed(parcel.carrier, parcel.number, parcel.epoch, by, because, at)]


def turn_up(parcel: Parcel, at: datetime) -> Sequence[ParcelFact]:
    """It arrived. If it had been given up, what that cost is to be recovered; else there is nothing to record."""
    if parcel.lost_at is None:
        return []
    return [
        FoundAfterLoss(
            parcel.carrier,
            parcel.number,
            parcel.epoch,
            parcel.lost_at,
            at,
            parcel.order_id,
            parcel.supplier_order_id,
            parcel.supplier_id,
            parcel.by_line,
        )
    ]


def prove_delivery(
    parcel: Parcel, signed_by: Sealed | None, photo_sha256: str, at: datetime, signed_digest: str = ""
) -> Sequence[ParcelFact]:
    """Proof for a parcel that was delivered; a second one adds to the first, the same of the same time is none."""
    if parcel.delivered_at is None:
        raise NotDelivered(parcel.carrier, parcel.number, parcel.status)
    proof = DeliveryProven(parcel.carrier, parcel.number, at, signed_by, photo_sha256, signed_digest)
    # What is sealed differs each time that it is sealed.
    known_before = any(replace(each, signed_by=signed_by) == proof for each in parcel.proofs)
    return [] if known_before else [proof]


def dispute_delivery(parcel: Parcel, because: str, at: datetime) -> Sequence[ParcelFact]:
    """Reopen a delivery. Disputing what is disputed records nothing."""
    if parcel.delivered_at is None:
        if parcel.disputed_at is not None:
            return []
        raise NotDelivered(parcel.carrier, parcel.number, parcel.status)
    if at < parcel.delivered_at:
        raise DisputedTooEarly(parcel.carrier, parcel.number, at, parcel.delivered_at)
    return [DeliveryDisputed(parcel.carrier, parcel.number, because, at)]


def miss_first_scan(parcel: Parcel | None, epoch: int, now: datetime) -> Sequence[ParcelFact]:
    """Notice that the carrier never had it in time. Nothing to notice records nothing."""
    if parcel is None or parcel.epoch != epoch or parcel.first_scan_missed:
        return []
    due = parcel.first_scan_by
    if due is None or now < due or (parcel.first_scan_at is not None and parcel.first_scan_at <= due):
        return []
    return [FirstScanMissed(parcel.carrier, parcel.number, due, now)]


_AT_REST = frozenset(
    {
        ParcelStatus.DELIVERED,
        ParcelStatus.SUSPECTED_LOST,
        ParcelStatus.LOST,
        ParcelStatus.RETURNED,
        ParcelStatus.DESTROYED,
        ParcelStatus.CUSTOMS_HELD,
        ParcelStatus.AVAILABLE_FOR_PICKUP,
    }
)
"""No scan is expected of a parcel in one of these."""


def suspect_loss(parcel: Parcel | None, epoch: int, after_days: int, now: datetime) -> Sequence[ParcelFact]:
    """Notice that nobody has seen it for long. Nothing to notice records nothing."""
    if parcel is None or parcel.epoch != epoch or parcel.status in _AT_REST:
        return []
    due = parcel.last_seen_at + timedelta(days=after_days)
    if now < due:
        return []
    return [LossSuspected(parcel.carrier, parcel.number, parcel.last_seen_at, now, due)]
