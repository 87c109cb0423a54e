"""A parcel into its message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from adapters.rpc.shows import (
    carrier_number,
    customs_ask,
    customs_hold,
    line_units,
    money,
    parcel_status,
    party_if_any,
    stamp,
)
from fulfilment.v1 import parcels_pb2 as pb
from ledger.facts import Sealed
from ledger.nouns.parcels import Checkpoint, Content, DeliveryProven, Parcel

Unsealed = Mapping[str, Mapping[str, Any]]
"""What was unsealed, by the id of its key."""


def _checkpoints(state: Parcel, unsealed: Unsealed) -> Iterator[pb.Checkpoint]:
    """All scans of the number by their own time, with what was unsealed of their texts."""
    scans = [*((scan, True) for scan in state.earlier), *((scan, False) for scan in state.checkpoints)]
    for scan, earlier in sorted(scans, key=lambda each: each[0].at):
        message, city = (_of(unsealed, scan.message, name) for name in ("message", "city"))
        yield _checkpoint(scan, earlier, message, scan.city or city)


def _checkpoint(scan: Checkpoint, earlier: bool, message: str, city: str) -> pb.Checkpoint:
    return pb.Checkpoint(
        at=stamp(scan.at),
        status=parcel_status(scan.status),
        code=scan.code,
        city=city,
        country=scan.country,
        customs_asks=customs_ask(scan.customs_asks),
        customs_answer_by=stamp(scan.customs_answer_by),
        customs_asks_of=party_if_any(scan.customs_asks_of),
        message=message,
        of_earlier_use=earlier,
        reached_customer=scan.reached_customer,
        pickup_until=stamp(scan.pickup_until),
        expected_by=stamp(scan.expected_by),
        handed_over_to=carrier_number(scan.handed_over_to) if scan.handed_over_to else None,
        told_under=carrier_number(scan.told_under) if scan.told_under else None,
    )


def _proof(proof: DeliveryProven, unsealed: Unsealed) -> pb.DeliveryProof:
    return pb.DeliveryProof(
        at=stamp(proof.at), signed_by=_of(unsealed, proof.signed_by, "signed_by"), photo_sha256=proof.photo_sha256
    )


def _of(unsealed: Unsealed, sealed: Sealed | None, name: str) -> str:
    """A part of what was sealed; empty if it was not asked for, or erased."""
    return str(unsealed.get(sealed.key_id, {}).get(name, "")) if sealed is not None else ""


def _content(content: Content) -> pb.ParcelContent:
    return pb.ParcelContent(
        order_id=content.order_id,
        supplier_order_id=content.supplier_order_id,
        lines=line_units(content.by_line),
        to_collect=money(content.collect),
    )


def parcel(state: Parcel, version: int, unsealed: Unsealed) -> pb.Parcel:
    """The parcel; unsealed is its personal data, by the id of the key."""
    voided = state.voided
    right_carrier, right_number = (voided.instead or ("", ""))[:2] if voided is not None else ("", "")
    return pb.Parcel(
        carrier=state.carrier,
        tracking_number=state.number,
        epoch=state.epoch,
        status=parcel_status(state.status),
        order_id=state.order_id,
        supplier_order_id=state.supplier_order_id,
        lines=line_units(state.by_line),
        registered_at=stamp(state.registered_at),
        first_scan_at=stamp(state.first_scan_at),
        delivered_at=stamp(state.delivered_at),
        first_scan_by=stamp(state.first_scan_by),
        checkpoints=_checkpoints(state, unsealed),
        proven=bool(state.proofs),
        version=version,
        warnings=dict.fromkeys(state.warnings),
        lost_at=stamp(state.lost_at),
        found_at=stamp(state.found_at),
        customs_hold=customs_hold(state.customs_hold) if state.customs_hold is not None else None,
        proofs=[_proof(each, unsealed) for each in state.proofs],
        to_collect=money(state.collect),
        voided_at=stamp(voided.at) if voided is not None else None,
        void_reason=voided.because if voided is not None else "",
        right_carrier=right_carrier,
        right_tracking_number=right_number,
        contents=map(_content, state.contents),
        last_miles=map(carrier_number, state.last_miles),
        estimated_by=stamp(state.estimated_by),
    )
