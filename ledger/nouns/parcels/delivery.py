"""Decisions on where a parcel ended: delivered, disputed, lost, found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from ledger.facts import Sealed, may_be_same
from ledger.nouns.parcels.evolving import evolve, first_arrival
from ledger.nouns.parcels.facts import (
    GIVEN_UP,
    ArrivalCorrected,
    DeliveryDisputed,
    DeliveryProven,
    FoundAfterLoss,
    LossConfirmed,
    ParcelFact,
    ParcelStatus,
)
from ledger.nouns.parcels.refusals import (
    AlreadyDelivered,
    DisputedTooEarly,
    NotDelivered,
    ParcelReturned,
)
from ledger.nouns.parcels.state import Parcel
from ledger.terms.parties import Party


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
    """It arrived. If it had been given up, this is recorded, so that what the loss cost can be recovered."""
    if parcel.lost_at is None:
        return []
    return [
        FoundAfterLoss(
            carrier=parcel.carrier,
            number=parcel.number,
            epoch=parcel.epoch,
            lost_at=parcel.lost_at,
            at=at,
            order_id=parcel.order_id,
            supplier_order_id=parcel.supplier_order_id,
            supplier_id=parcel.supplier_id,
            by_line=parcel.by_line,
        )
    ]


def prove_delivery(
    parcel: Parcel,
    signed_by: Sealed | None,
    photo_sha256: str,
    at: datetime,
    signed_digest: str = "",
    under: tuple[str, str] | None = None,
    erased: bool = False,
) -> Sequence[ParcelFact]:
    """Proof for a parcel that was delivered, under whatever number of it; a second one adds to the first. Repeating one
    records nothing."""
    if parcel.delivered_at is None:
        raise NotDelivered(parcel.carrier, parcel.number, parcel.status)
    which = under or (parcel.carrier, parcel.number)
    proof = DeliveryProven(*which, at, signed_by, photo_sha256, signed_digest)
    # Sealing the same name twice gives different values.
    known_before = any(
        _bare(each) == _bare(proof) and may_be_same(each.signed_digest, signed_digest, erased) for each in parcel.proofs
    )
    return [] if known_before else [proof]


def _bare(proof: DeliveryProven) -> DeliveryProven:
    return replace(proof, carrier="", number="", signed_by=None, signed_digest="")


def dispute_delivery(parcel: Parcel, because: str, at: datetime) -> Sequence[ParcelFact]:
    """Reopen a delivery. Disputing what is disputed records nothing."""
    if parcel.delivered_at is None:
        if parcel.disputed_at is not None:
            return []
        raise NotDelivered(parcel.carrier, parcel.number, parcel.status)
    if at < parcel.delivered_at:
        raise DisputedTooEarly(parcel.carrier, parcel.number, at, parcel.delivered_at)
    disputed = DeliveryDisputed(parcel.carrier, parcel.number, because, at)
    return [disputed, *correct_arrival(evolve(parcel, disputed), at)]


def correct_arrival(parcel: Parcel, at: datetime, epoch: int = 0) -> Sequence[ParcelFact]:
    """It arrived with the earliest scan that says so, in whatever order the scans were told."""
    first = first_arrival(parcel)
    if first in (None, parcel.delivered_at):
        return []
    return [ArrivalCorrected(parcel.carrier, parcel.number, first, at, epoch)]
