"""Decisions on uses of a tracking number that were none: nothing left, or it left under another number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ledger.nouns.parcels.evolving import evolve
from ledger.nouns.parcels.facts import ParcelFact, ParcelVoided
from ledger.nouns.parcels.refusals import ParcelIsVoid, ParcelOfReturn, UnknownShipment
from ledger.nouns.parcels.scans import shown_by_scans
from ledger.nouns.parcels.state import Parcel, uses


def use_of(parcel: Parcel, supplier_order_id: str) -> Parcel:
    """The newest use of a number, or the newest that a supplier order was said to be in; also if it was none, so that
    the same again does not mean the use before it."""
    named = [use for use in uses(parcel) if not supplier_order_id or _ever_had(use, supplier_order_id)]
    if not named:
        raise UnknownShipment(parcel.carrier, parcel.number, supplier_order_id)
    return max(named, key=lambda use: use.epoch)


def _ever_had(use: Parcel, supplier_order_id: str) -> bool:
    return _has(use, supplier_order_id) or any(each.supplier_order_id == supplier_order_id for each in use.taken_out)


def voided_of(use: Parcel, supplier_order_id: str) -> ParcelVoided | None:
    """Why a use was none, or nothing of a supplier order was in it."""
    if use.voided is not None or _has(use, supplier_order_id):
        return use.voided
    return next((each for each in reversed(use.taken_out) if each.supplier_order_id == supplier_order_id), None)


def _has(use: Parcel, supplier_order_id: str) -> bool:
    return any(each.supplier_order_id == supplier_order_id for each in use.contents)


def require_live(use: Parcel, supplier_order_id: str) -> None:
    """Refuses what was taken back before, and what a customer sends back."""
    if use.return_of:
        raise ParcelOfReturn(use.carrier, use.number, use.return_of)
    if (voided := voided_of(use, supplier_order_id)) is not None:
        raise ParcelIsVoid(use.carrier, use.number, voided.at, voided.left_as)


def void(parcel: Parcel, voided: ParcelVoided) -> Sequence[ParcelFact]:
    """A use of the number was none. Its scans may show something of the others."""
    after, facts = evolve(parcel, voided), list[ParcelFact]([voided])
    for before, use in shared_anew(parcel, after):
        facts += shown_by_scans(before, use, voided.at, 0 if use is after else use.epoch)
    return facts


def shared_anew(before: Parcel, after: Parcel) -> Iterator[tuple[Parcel, Parcel]]:
    """The uses of a number that got scans of one that was none, each before and after that."""
    known = {use.epoch: use for use in uses(before)}
    for use in uses(after):
        if use.voided is None and use.checkpoints != known[use.epoch].checkpoints:
            yield known[use.epoch], use
