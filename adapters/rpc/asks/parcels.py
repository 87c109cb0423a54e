"""ParcelService's commands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from adapters.rpc import shapes
from adapters.rpc.asks.ask import Ask, Edge, reads, sealed_with
from adapters.rpc.shapes import carrier, enum, happened, require, text
from fulfilment.v1 import parcels_pb2
from ledger.decisions import delivery
from ledger.engine.sealing import PersonKey
from ledger.facts import Change
from ledger.nouns import orders, parcels, policies
from ledger.view import View

_parcel_status = enum(parcels_pb2.ParcelStatus, parcels.ParcelStatus)
_customs_ask = enum(parcels_pb2.CustomsAsk, parcels.CustomsAsk)


def parcel_of(request: Any) -> tuple[str, str]:
    """The carrier and the number a request names."""
    return carrier(request.carrier), shapes.tracking_number(request.tracking_number)


@reads(parcels_pb2.RegisterParcelRequest)
def register_parcel(request: parcels_pb2.RegisterParcelRequest, edge: Edge) -> Ask:
    parcel, at = parcel_of(request), happened(request, edge.now)
    registration = parcels.ParcelRegistered(*parcel, 0, at)
    return Ask(lambda view: delivery.register_parcel(view, registration), (parcels.stream(*parcel), policies.stream()))


@reads(parcels_pb2.RecordCheckpointsRequest)
def record_checkpoints(request: parcels_pb2.RecordCheckpointsRequest, edge: Edge) -> Ask:
    parcel = parcel_of(request)
    shapes.some(request.checkpoints, "checkpoints", 200, "scans")
    scans = shapes.each(request.checkpoints, "checkpoints", lambda scan: _scan(scan, edge.now, edge.warnings))
    messages = shapes.each(
        request.checkpoints, "checkpoints", lambda scan: shapes.taken_lines(scan.message, "message", 1000)
    )
    keys: list[PersonKey] = []

    def decide(view: View) -> Sequence[Change]:
        told = _with_messages(view, parcel, scans, messages, edge, keys) if any(messages) else scans
        return delivery.record_checkpoints(view, *parcel, told, edge.now, edge.now)

    return Ask(decide, (parcels.stream(*parcel),), keys)


def _scan(scan: parcels_pb2.Checkpoint, now: datetime, warnings: list[str]) -> parcels.Checkpoint:
    require(scan.HasField("at"), "at", "is required")
    status = _parcel_status(scan.status, "status")
    asks = _customs_ask(scan.customs_asks, "customs_asks") if scan.customs_asks else None
    held = status is parcels.ParcelStatus.CUSTOMS_HELD
    require(asks is None or held, "customs_asks", "needs the status PARCEL_STATUS_CUSTOMS_HELD")
    answer_by = shapes.instant(scan, "customs_answer_by")
    require(answer_by is None or asks is not None, "customs_answer_by", "needs customs_asks")
    delivered = status is parcels.ParcelStatus.DELIVERED
    require(delivered or not scan.reached_customer, "reached_customer", "needs the status PARCEL_STATUS_DELIVERED")
    return parcels.Checkpoint(
        happened(scan, now, "at"),
        status,
        shapes.taken(scan.code, "code"),
        shapes.taken(scan.city, "city"),
        shapes.country_if_known(scan.country, "country", warnings),
        customs_asks=asks,
        customs_answer_by=answer_by,
        reached_customer=scan.reached_customer,
    )


def _with_messages(
    view: View,
    parcel: tuple[str, str],
    scans: Sequence[parcels.Checkpoint],
    messages: Sequence[str],
    edge: Edge,
    keys: list[PersonKey],
) -> list[parcels.Checkpoint]:
    """The scans with their text, sealed under the order's person; without an order it is not kept.

    Nor is that of an earlier use of the number, for it is about somebody else.
    """
    keys.clear()
    known = parcels.known(parcels.find(view, *parcel), *parcel)
    order = orders.find(view, known.order_id) if known.order_id else None
    if order is None or not order.subject:
        return list(scans)
    told = []
    for scan, message in zip(scans, messages, strict=True):
        ours = known.exists_from is None or scan.at >= known.exists_from
        said = {"message": message} if message and ours else {}
        sealed, made = sealed_with(edge, said, order.subject, parcels.stream(*parcel))
        keys.extend(made)
        told.append(replace(scan, message=sealed))
    return told


@reads(parcels_pb2.ProveDeliveryRequest)
def prove_delivery(request: parcels_pb2.ProveDeliveryRequest, edge: Edge) -> Ask:
    parcel, at = parcel_of(request), happened(request, edge.now)
    signed_by = shapes.taken(request.signed_by, "signed_by")
    photo = shapes.sha256(request.photo_sha256, "photo_sha256") if request.photo_sha256 else ""
    require(bool(signed_by or photo), "signed_by", "a proof needs a signature or a photo")
    keys: list[PersonKey] = []

    def decide(view: View) -> Sequence[Change]:
        keys.clear()
        known = parcels.known(parcels.find(view, *parcel), *parcel)
        order = orders.find(view, known.order_id) if known.order_id else None
        subject = order.subject if order else ""
        signed = {"signed_by": signed_by} if signed_by and subject else {}
        sealed, made = sealed_with(edge, signed, subject, parcels.stream(*parcel))
        keys.extend(made)
        digest = edge.sealer.fingerprint(signed_by.encode()).hex()[:32] if sealed else ""
        proof = parcels.prove_delivery(known, sealed, photo, at, digest)
        return [(parcels.stream(*parcel), fact) for fact in proof]

    return Ask(decide, (parcels.stream(*parcel),), keys)


@reads(parcels_pb2.DisputeDeliveryRequest)
def dispute_delivery(request: parcels_pb2.DisputeDeliveryRequest, edge: Edge) -> Ask:
    parcel, at = parcel_of(request), happened(request, edge.now)
    because = text(request.reason, "reason", 100)
    return Ask(lambda view: delivery.dispute_delivery(view, *parcel, because, at, edge.now), (parcels.stream(*parcel),))


@reads(parcels_pb2.ConfirmLossRequest)
def confirm_loss(request: parcels_pb2.ConfirmLossRequest, edge: Edge) -> Ask:
    parcel, at = parcel_of(request), happened(request, edge.now)
    by, because = shapes.party(request.by, "by"), text(request.reason, "reason", 100)
    return Ask(lambda view: delivery.confirm_loss(view, *parcel, by, because, at, edge.now), (parcels.stream(*parcel),))
