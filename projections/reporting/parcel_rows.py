"""Parcels and their scans, as reporting jobs read them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, NamedTuple

from ledger.nouns import parcels
from ledger.nouns.parcels import Content, Parcel
from projections.machine.rows import Int4
from projections.reporting.declaring import Means, made


class ReportedParcel(NamedTuple):
    """One row for each parcel and supplier order that has units in it."""

    carrier: Annotated[str, Means("Who carries it.")]
    number: Annotated[str, Means("The carrier's number of it.")]
    epoch: Annotated[Int4, Means("Which use of the number: carriers use numbers again.")]
    supplier_order_id: Annotated[str, Means("What is in it; empty while that is not known.")]
    order_id: Annotated[str | None, Means("The order.")]
    supplier_id: Annotated[str | None, Means("Who sent it.")]
    status: Annotated[str, Means("How far it is: registered, in_transit, …, delivered, lost, returned, void.")]
    country: Annotated[str | None, Means("Where it goes: ISO 3166-1 alpha-2.")]
    units: Annotated[int, Means("Units of the supplier order in it.", "units")]
    registered_at: Annotated[datetime, Means("When it left, as it was reported.")]
    first_scan_by: Annotated[datetime | None, Means("By when its carrier has to scan it first, where that is agreed.")]
    first_scan_at: Annotated[datetime | None, Means("When its carrier scanned it first.")]
    promised_by: Annotated[datetime | None, Means("By when the customer was promised it.")]
    estimated_by: Annotated[datetime | None, Means("When its carrier expects to deliver it.")]
    delivered_at: Annotated[datetime | None, Means("When it arrived.")]
    lost_at: Annotated[datetime | None, Means("When it was given up.")]
    last_scan_at: Annotated[datetime | None, Means("When it was last scanned.")]
    scans: Annotated[Int4, Means("How often it was scanned.", "scans")]
    customs_held_since: Annotated[datetime | None, Means("Since when customs holds it.")]
    return_of: Annotated[str | None, Means("The case whose units come back in it.")]


class ReportedCheckpoint(NamedTuple):
    """One row for each scan of a parcel, at the carrier's own time; without its town and its text."""

    carrier: Annotated[str, Means("Who carries the parcel.")]
    number: Annotated[str, Means("The carrier's number of it.")]
    epoch: Annotated[Int4, Means("Which use of the number.")]
    at: Annotated[datetime, Means("When it was scanned.")]
    status: Annotated[str, Means("What the scan says of the parcel.")]
    code: Annotated[str, Means("The carrier's or tracker's own word for it; may be empty.")]
    country: Annotated[str | None, Means("Where it was scanned: ISO 3166-1 alpha-2.")]
    supplier_id: Annotated[str | None, Means("Who sent the parcel.")]
    expected_by: Annotated[datetime | None, Means("When the carrier then expected to deliver it.")]


PARCELS = made("parcels", ReportedParcel, 4)
CHECKPOINTS = made("checkpoints", ReportedCheckpoint, 6)


def parcel(found: Parcel) -> list[ReportedParcel]:
    return [_parcel(use, each) for use in _own_uses(found) for each in use.contents or (Content("", "", use.by_line),)]


def checkpoints(found: Parcel) -> list[ReportedCheckpoint]:
    rows = {}
    for use in _own_uses(found):
        for scan in use.checkpoints:
            key = (use.carrier, use.number, use.epoch, scan.at, scan.status, scan.code)
            rows[key] = ReportedCheckpoint(*key, scan.country or None, use.supplier_id or None, scan.expected_by)
    return list(rows.values())


def _own_uses(found: Parcel) -> Iterator[Parcel]:
    """A number of a last mile is no parcel of its own."""
    return (use for use in parcels.uses(found) if use.last_mile_of is None)


def _parcel(use: Parcel, content: Content) -> ReportedParcel:
    held = use.customs_hold
    return ReportedParcel(
        carrier=use.carrier,
        number=use.number,
        epoch=use.epoch,
        supplier_order_id=content.supplier_order_id,
        order_id=content.order_id or None,
        supplier_id=use.supplier_id or None,
        status=use.status,
        country=use.country or None,
        units=sum(content.by_line.values()),
        registered_at=use.registered_at,
        first_scan_by=use.first_scan_by,
        first_scan_at=use.first_scan_at,
        promised_by=content.promised_by,
        estimated_by=use.estimated_by,
        delivered_at=use.delivered_at,
        lost_at=use.lost_at,
        last_scan_at=use.checkpoints[-1].at if use.checkpoints else None,
        scans=len(use.checkpoints),
        customs_held_since=held.since if held else None,
        return_of=use.return_of or None,
    )
