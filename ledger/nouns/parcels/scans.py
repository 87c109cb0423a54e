"""Decisions on the scans of a parcel, and on scans that do not come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from ledger.nouns.parcels.delivery import correct_arrival, turn_up
from ledger.nouns.parcels.evolving import evolve
from ledger.nouns.parcels.facts import (
    Checkpoint,
    CheckpointRecorded,
    FirstScanBreachWithdrawn,
    FirstScanMissed,
    LossSuspected,
    ParcelFact,
)
from ledger.nouns.parcels.state import Parcel, can_belong_to, readings, scans_at, uses
from ledger.terms.clocks import ClockState


def record_checkpoint(parcel: Parcel, checkpoint: Checkpoint, at: datetime) -> Sequence[ParcelFact]:
    """A scan, however late; a first scan that was in time withdraws the breach. The same again records nothing.

    It counts for the use of the number to which it belongs.
    """
    known = [scans_at(scans, checkpoint.at) for use in uses(parcel) for scans in (use.checkpoints, use.earlier)]
    if any(scan.same_scan(checkpoint) for scans in known for scan in scans):
        return []
    use = next((use for use in uses(parcel) if can_belong_to(use, checkpoint)), parcel)
    epoch = 0 if use is parcel else use.epoch
    recorded = CheckpointRecorded(parcel.carrier, parcel.number, checkpoint, at, epoch)
    after = evolve(use, recorded)
    if after.stray is checkpoint:
        recorded = replace(recorded, of_void=True)
    return [recorded, *correct_arrival(after, at, epoch), *shown_by_scans(use, after, at, epoch)]


def shown_by_scans(before: Parcel, after: Parcel, at: datetime, epoch: int) -> list[ParcelFact]:
    """What more scans of a use show: a first scan that was in time, a parcel that was given up and arrives.

    epoch is 0 for the present use.
    """
    facts: list[ParcelFact] = []
    if after.first_scan_at is not None and [each.verdict(at) for each in readings(after)] == [ClockState.WITHDRAWN]:
        facts.append(FirstScanBreachWithdrawn(after.carrier, after.number, after.first_scan_at, at, epoch))
    if after.delivered_at is not None and before.delivered_at is None:
        facts += turn_up(after, after.delivered_at)
    return facts


def miss_first_scan(parcel: Parcel | None, epoch: int, now: datetime) -> Sequence[ParcelFact]:
    """Records that the carrier did not scan it in time, if it is so."""
    if parcel is None or parcel.epoch != epoch:
        return []
    overdue = [reading for reading in readings(parcel) if reading.overdue(now)]
    return [FirstScanMissed(parcel.carrier, parcel.number, reading.due, now) for reading in overdue]


def suspect_loss(parcel: Parcel | None, epoch: int, after_days: int, now: datetime) -> Sequence[ParcelFact]:
    """Records that it is suspected lost, if nobody has seen it for so many days."""
    if parcel is None or parcel.epoch != epoch or not parcel.awaits_scan:
        return []
    due = parcel.last_seen_at + timedelta(days=after_days)
    if now < due:
        return []
    return [LossSuspected(parcel.carrier, parcel.number, parcel.last_seen_at, now, due)]
