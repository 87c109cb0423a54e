"""ParcelService's commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec.structs import replace

from adapters.rpc import shapes
from adapters.rpc.commands import Ask, Edge, Reader, Readers
from adapters.rpc.faults import each, require
from adapters.rpc.sealing import sealed_with
from adapters.rpc.shapes import enum, happened
from fulfilment.v1 import parcels_pb2 as pb
from ledger.decisions import corrections, delivery, last_miles
from ledger.engine.sealing import PersonKey, placed
from ledger.facts import Change, Sealed, changes_of, order_of
from ledger.nouns import orders, parcels, policies
from ledger.terms.parties import Party
from ledger.view import View

_parcel_status = enum(pb.ParcelStatus, parcels.ParcelStatus)
_customs_ask = enum(pb.CustomsAsk, parcels.CustomsAsk)


def register_parcel(request: pb.RegisterParcelRequest, edge: Edge) -> Ask:
    parcel, at = shapes.parcel(request), happened(request, edge.now)
    registration = parcels.ParcelRegistered(*parcel, 0, at)
    return Ask(lambda view: delivery.register_parcel(view, registration), (parcels.stream(*parcel), policies.stream()))


def record_checkpoints(request: pb.RecordCheckpointsRequest, edge: Edge) -> Ask:
    parcel = shapes.parcel(request)
    shapes.some(request.checkpoints, "checkpoints", 200, "scans")
    scans = each(request.checkpoints, "checkpoints", lambda scan: _scan(scan, edge.now, edge.warnings))
    messages, keys = _sealed_messages(request, parcel, edge)
    owner = _owner_of(parcel)

    def decide(view: View) -> Sequence[Change]:
        with_messages = _with_messages(view, parcel, scans, messages) if keys and owner(view) else scans
        return last_miles.record_checkpoints(view, *parcel, with_messages, edge.now, edge.now)

    return Ask(decide, (parcels.stream(*parcel),), keys, owner)


def _with_messages(
    view: View, parcel: tuple[str, str], scans: Sequence[parcels.Checkpoint], messages: Sequence[Sealed | None]
) -> list[parcels.Checkpoint]:
    """The scans with their texts; scans of an earlier use of the number get none, because it had another owner."""
    since = parcels.known(parcels.find(view, *parcel), *parcel).exists_from
    return [
        replace(scan, message=message if since is None or scan.at >= since else None)
        for scan, message in zip(scans, messages, strict=True)
    ]


def _scan(scan: pb.Checkpoint, now: datetime, warnings: list[str]) -> parcels.Checkpoint:
    require(scan.HasField("at"), "at", "is required")
    status = _parcel_status(scan.status, "status")
    require(status is not parcels.ParcelStatus.VOID, "status", "is none that a carrier reports; use VoidParcel")
    asks = _customs_ask(scan.customs_asks, "customs_asks") if scan.customs_asks else None
    held = status is parcels.ParcelStatus.CUSTOMS_HELD
    require(asks is None or held, "customs_asks", "needs the status PARCEL_STATUS_CUSTOMS_HELD")
    answer_by = shapes.instant(scan, "customs_answer_by")
    require(answer_by is None or asks is not None, "customs_answer_by", "needs customs_asks")
    able = (Party.CUSTOMER, Party.RETAILER, Party.SUPPLIER)
    asks_of = shapes.party(scan.customs_asks_of, "customs_asks_of", *able) if scan.customs_asks_of else None
    require(asks_of is None or asks is not None, "customs_asks_of", "needs customs_asks")
    delivered = status is parcels.ParcelStatus.DELIVERED
    require(delivered or not scan.reached_customer, "reached_customer", "needs the status PARCEL_STATUS_DELIVERED")
    pickup_until = shapes.instant(scan, "pickup_until")
    waits = status in (parcels.ParcelStatus.AVAILABLE_FOR_PICKUP, parcels.ParcelStatus.ATTEMPT_FAILED)
    require(waits or pickup_until is None, "pickup_until", "needs the status PARCEL_STATUS_AVAILABLE_FOR_PICKUP")
    return parcels.Checkpoint(
        happened(scan, now, "at"),
        status,
        shapes.taken(scan.code, "code"),
        country=shapes.country_if_known(scan.country, "country", warnings),
        customs_asks=asks,
        customs_answer_by=answer_by,
        customs_asks_of=asks_of,
        reached_customer=scan.reached_customer,
        pickup_until=pickup_until,
        expected_by=shapes.instant(scan, "expected_by"),
        handed_over_to=_handed_over_to(scan),
    )


def _handed_over_to(scan: pb.Checkpoint) -> tuple[str, str] | None:
    if not scan.HasField("handed_over_to"):
        return None
    to = scan.handed_over_to
    number = shapes.tracking_number(to.tracking_number, "handed_over_to.tracking_number")
    return shapes.carrier(to.carrier, "handed_over_to.carrier"), number


def _told(scan: pb.Checkpoint) -> dict[str, str]:
    """What of a scan may be about people."""
    told = {"message": shapes.taken_lines(scan.message, "message", 1000), "city": shapes.taken(scan.city, "city")}
    return {name: value for name, value in told.items() if value}


def _sealed_messages(
    request: pb.RecordCheckpointsRequest, parcel: tuple[str, str], edge: Edge
) -> tuple[list[Sealed | None], list[PersonKey]]:
    """The text and the town of each scan, and all keys; they go with the customer of the order."""
    told, bound_to = each(request.checkpoints, "checkpoints", _told), placed(parcels.stream(*parcel), "message")
    sealed = [sealed_with(edge.sealer, personal, "", bound_to) for personal in told]
    return [each for each, _ in sealed], [key for _, keys in sealed for key in keys]


def _owner_of(parcel: tuple[str, str]) -> Callable[[View], str]:
    """The order of the parcel, with whose customer all goes; empty if it has none."""

    def owner(view: View) -> str:
        known = last_miles.one_parcel(view, *parcel)
        return orders.anchor(known.order_id) if known.order_id else ""

    return owner


def prove_delivery(request: pb.ProveDeliveryRequest, edge: Edge) -> Ask:
    parcel, at = shapes.parcel(request), happened(request, edge.now)
    signed_by = shapes.taken(request.signed_by, "signed_by")
    photo = shapes.sha256(request.photo_sha256, "photo_sha256") if request.photo_sha256 else ""
    require(bool(signed_by or photo), "signed_by", "a proof needs a signature or a photo")
    stream, owner = parcels.stream(*parcel), _owner_of(parcel)
    sealed, keys = sealed_with(
        edge.sealer, {"signed_by": signed_by} if signed_by else {}, "", placed(stream, "signed_by")
    )
    digest = edge.sealer.digest(signed_by.encode()) if signed_by else ""

    def decide(view: View) -> Sequence[Change]:
        known = last_miles.one_parcel(view, *parcel)
        # Without an order nobody could read who signed.
        signed = (sealed, digest) if owner(view) else (None, "")
        order = orders.find(view, known.order_id) if known.order_id else None
        erased = order is not None and order.is_erased
        facts = parcels.prove_delivery(known, signed[0], photo, at, signed[1], parcel, erased)
        return changes_of(parcels.stream(known.carrier, known.number), facts)

    return Ask(decide, (stream,), keys, owner)


def dispute_delivery(request: pb.DisputeDeliveryRequest, edge: Edge) -> Ask:
    parcel, at = shapes.parcel(request), happened(request, edge.now)
    because = shapes.word(request.reason, "reason", 100)
    return Ask(
        lambda view: delivery.dispute_delivery(view, *last_miles.first_mile(view, *parcel), because, at, edge.now),
        (parcels.stream(*parcel),),
    )


def confirm_loss(request: pb.ConfirmLossRequest, edge: Edge) -> Ask:
    parcel, at = shapes.parcel(request), happened(request, edge.now)
    by, because = shapes.party(request.by, "by"), shapes.word(request.reason, "reason", 100)
    return Ask(
        lambda view: delivery.confirm_loss(view, *last_miles.first_mile(view, *parcel), by, because, at, edge.now),
        (parcels.stream(*parcel),),
    )


def hand_over_parcel(request: pb.HandOverParcelRequest, edge: Edge) -> Ask:
    parcel, at = shapes.parcel(request), happened(request, edge.now)
    last = (
        shapes.carrier(request.last_mile_carrier, "last_mile_carrier"),
        shapes.tracking_number(request.last_mile_tracking_number, "last_mile_tracking_number"),
    )
    require(last != parcel, "last_mile_tracking_number", "is the number that it has already")
    return Ask(
        lambda view: last_miles.hand_over(view, *parcel, last, at, edge.now),
        (parcels.stream(*parcel), parcels.stream(*last), policies.stream()),
    )


def correct_tracking(request: pb.CorrectTrackingRequest, edge: Edge) -> Ask:
    reported, supplier_order_id = shapes.parcel(request), _supplier_order_id(request)
    carrier = shapes.carrier(request.right_carrier, "right_carrier") if request.right_carrier else reported[0]
    right = (carrier, shapes.tracking_number(request.right_tracking_number, "right_tracking_number"))
    require(right != reported, "right_tracking_number", "is the number that was reported")
    why = _why(request, edge)
    return Ask(
        lambda view: corrections.correct_tracking(view, *reported, right, supplier_order_id, why, edge.now),
        (parcels.stream(*reported), parcels.stream(*right), policies.stream()),
    )


def void_parcel(request: pb.VoidParcelRequest, edge: Edge) -> Ask:
    supplier_order_id, why = _supplier_order_id(request), _why(request, edge)
    if request.tracking_number or not supplier_order_id:
        parcel = shapes.parcel(request)
        return Ask(
            lambda view: corrections.void_parcel(view, *parcel, supplier_order_id, why, edge.now),
            (parcels.stream(*parcel), policies.stream()),
        )
    require(not request.carrier, "carrier", "needs a tracking_number")
    return Ask(
        lambda view: corrections.void_shipment(view, supplier_order_id, why, edge.now),
        (orders.stream(order_of(supplier_order_id)), policies.stream()),
    )


def _supplier_order_id(request: pb.CorrectTrackingRequest | pb.VoidParcelRequest) -> str:
    return shapes.supplier_order_id(request.supplier_order_id) if request.supplier_order_id else ""


def _why(request: pb.CorrectTrackingRequest | pb.VoidParcelRequest, edge: Edge) -> corrections.Why:
    return corrections.Why(shapes.word(request.reason, "reason", 200), edge.actor, happened(request, edge.now))


READERS: Readers = {
    pb.RegisterParcelRequest: Reader(register_parcel),
    pb.RecordCheckpointsRequest: Reader(record_checkpoints),
    pb.ProveDeliveryRequest: Reader(prove_delivery),
    pb.DisputeDeliveryRequest: Reader(dispute_delivery),
    pb.ConfirmLossRequest: Reader(confirm_loss),
    pb.CorrectTrackingRequest: Reader(correct_tracking),
    pb.HandOverParcelRequest: Reader(hand_over_parcel),
    pb.VoidParcelRequest: Reader(void_parcel),
}
