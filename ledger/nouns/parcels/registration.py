"""Decisions on which parcel a tracking number names: its first use, and each later one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from ledger.nouns.parcels.evolving import evolve
from ledger.nouns.parcels.facts import ParcelFact, ParcelLinked, ParcelRegistered
from ledger.nouns.parcels.scans import record_checkpoint
from ledger.nouns.parcels.state import Parcel, uses
from ledger.terms.tracking_numbers import oddities

TOLD_LATE = timedelta(days=3)
"""How long before its instruction was recorded as sent a parcel may have been under way (DOMAIN 4)."""


def earliest(ordered_at: datetime, instructed_at: datetime, left_at: datetime) -> datetime:
    """The earliest that a parcel can have existed: not before its order, nor long before its sender was instructed,
    unless the sender reports that it had left by then."""
    return max(ordered_at, min(instructed_at - TOLD_LATE, left_at))


def register(parcel: Parcel | None, registration: ParcelRegistered, reuse_after_days: int) -> Sequence[ParcelFact]:
    """A parcel under a number; registration.epoch is set here.

    What is odd about the number is a warning. The same registration again records nothing. One that was
    announced without an order is linked to it, or to the case whose units come back in it. Another shipment
    starts a new epoch, with a warning if the number was used recently.
    """
    if parcel is None:
        return [_first_use(registration)]
    if not (registration.order_id or registration.return_of or registration.last_mile_of):
        return []
    since = registration.at - parcel.registered_at
    # What was voided used no number.
    recently = since < timedelta(days=reuse_after_days) and parcel.voided is None
    if recently and not (parcel.order_id or parcel.return_of or parcel.last_mile_of):
        return [_link(registration)]
    if recently and not parcel.is_over and not registration.order_id and _same_shipment(parcel, registration):
        return []
    again = _used_again(parcel, registration, max(since.days, 0) if recently else None)
    return [again, *_taken_over(parcel, again)]


def _used_again(parcel: Parcel, registration: ParcelRegistered, days: int | None) -> ParcelRegistered:
    """The next use of the number; days says how long ago the last one began, where that is odd."""
    warnings = registration.warnings
    if days is not None:
        whose = parcel.supplier_order_id or parcel.return_of or " ".join((parcel.last_mile_of or ("", ""))[:2])
        ended = "" if parcel.is_over else ", which has not arrived"
        warnings = (*warnings, f"the number was used {days} days before for {whose}{ended}")
    own, exists_from = registration.exists_from, _next_use_from(parcel, registration, days is not None)
    alone = own if exists_from != own else None
    again = replace(registration, warnings=warnings, exists_from=exists_from, exists_alone_from=alone)
    return _first_use(again, max(use.epoch for use in uses(parcel)) + 1)


_CLOCKS_DIFFER = timedelta(days=1)
"""How long before its reported dispatch a parcel may have been scanned, by time zones or dates without a time."""


def _next_use_from(parcel: Parcel, registration: ParcelRegistered, recently: bool) -> datetime | None:
    """From when scans are of the next use; after a recent use neither before its end nor long before this one left."""
    if not recently:
        return registration.exists_from
    bounds = [registration.at - _CLOCKS_DIFFER]
    if parcel.ended_at is not None:
        # A repetition of its last scan is still its own.
        bounds.append(parcel.ended_at + timedelta.resolution)
    if registration.exists_from is not None:
        bounds.append(registration.exists_from)
    return max(bounds)


def _taken_over(parcel: Parcel, again: ParcelRegistered) -> Sequence[ParcelFact]:
    """The scans of the next use that were recorded before it was known, without text, which was sealed for others."""
    if again.exists_from is None or again.last_mile_of is not None:
        return []
    facts: list[ParcelFact] = []
    present = evolve(None, again)
    for scan in parcel.earlier if parcel.voided is not None else parcel.checkpoints:
        if scan.at >= again.exists_from:
            for fact in record_checkpoint(present, replace(scan, message=None), again.at):
                present = evolve(present, fact)
                facts.append(fact)
    return facts


def _first_use(registration: ParcelRegistered, epoch: int = 1) -> ParcelRegistered:
    odd = oddities(registration.carrier, registration.number)
    return replace(registration, epoch=epoch, warnings=(*registration.warnings, *odd))


def _same_shipment(parcel: Parcel, registration: ParcelRegistered) -> bool:
    """Of what a supplier ships, who records it knows what is the same again."""
    registered = (registration.supplier_order_id, registration.return_of, registration.last_mile_of)
    known = (parcel.supplier_order_id, parcel.return_of, parcel.last_mile_of)
    return known == registered and parcel.by_line == registration.by_line


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
        collect=registration.collect,
        last_mile_of=registration.last_mile_of,
    )
