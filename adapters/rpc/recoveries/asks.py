"""RecoveryService's commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from adapters.rpc import shapes
from adapters.rpc.commands import Ask, Edge, Reader, Readers
from adapters.rpc.faults import require
from adapters.rpc.sealing import sealed_text
from adapters.rpc.shapes import enum, happened, optional, plain_id, text
from fulfilment.v1 import recoveries_pb2 as pb
from ledger.decisions import recovery_demands
from ledger.facts import Change, Told, changes_of
from ledger.nouns import cases, claims, orders, parcels, policies, recoveries
from ledger.nouns.recoveries import Cost, Recovery, RecoveryFact, RecoveryKind, Subject
from ledger.refusals import Malformed
from ledger.view import View

_MOST_COSTS = 100

_kind = enum(pb.RecoveryKind, recoveries.RecoveryKind)
_cost_kind = enum(pb.CostKind, recoveries.CostKind)
_method = enum(pb.SettlementMethod, recoveries.Method)
_document = enum(pb.ClaimDocumentKind, recoveries.DocumentKind)


def _of_recovery(request: Any, decide: Callable[[Recovery], Sequence[RecoveryFact]]) -> Ask:
    recovery_id = shapes.recovery_id(request.recovery_id)
    stream = recoveries.stream(recovery_id)

    def known(view: View) -> Sequence[Change]:
        recovery = recoveries.known(recoveries.find(view, recovery_id), recovery_id)
        return changes_of(stream, decide(recovery))

    return Ask(known, (stream,))


def _with_text(
    request: Any, written: str, edge: Edge, decide: Callable[[Recovery, Told], Sequence[RecoveryFact]]
) -> Ask:
    """About a recovery, with what somebody wrote: it is sealed for the customer of the order."""
    recovery_id = shapes.recovery_id(request.recovery_id)
    because, keys = sealed_text(edge.sealer, written, "", recoveries.stream(recovery_id))

    def owner(view: View) -> str:
        recovery = recoveries.known(recoveries.find(view, recovery_id), recovery_id)
        return orders.anchor(recovery.subject.order_id)

    return replace(_of_recovery(request, lambda recovery: decide(recovery, because)), keys=keys, owner=owner)


def open_recovery(request: pb.OpenRecoveryRequest, edge: Edge) -> Ask:
    recovery_id, kind = plain_id(request.recovery_id, "recovery_id"), _kind(request.kind, "kind")
    at, subject = happened(request, edge.now), _subject(request, kind)
    currency = shapes.currency(request.currency, "currency")
    require(len(request.costs) <= _MOST_COSTS, "costs", f"more than {_MOST_COSTS}")
    costs = tuple(_cost(cost, f"costs[{index}]") for index, cost in enumerate(request.costs))
    require(len({cost.cost_id for cost in costs}) == len(costs), "costs", "two have the same cost_id")
    shapes.total(sum([cost.amount_minor for cost in costs]), "costs")
    streams = [recoveries.stream(recovery_id), orders.stream(subject.order_id), policies.stream()]
    if subject.case_id:
        streams.append(cases.stream(subject.case_id))
    if subject.number:
        streams.append(parcels.stream(subject.carrier, subject.number))
    return Ask(
        lambda view: recovery_demands.open_recovery(view, recovery_id, kind, subject, currency, costs, at),
        tuple(streams),
    )


def _subject(request: pb.OpenRecoveryRequest, kind: RecoveryKind) -> Subject:
    order_id = shapes.order_id(request.order_id)
    case_id = optional(plain_id, request.case_id, "case_id")
    if kind is RecoveryKind.SUPPLIER_FAULT:
        supplier_order_id = shapes.supplier_order_id(request.supplier_order_id)
        require(supplier_order_id.startswith(f"{order_id}/"), "supplier_order_id", "is not of this order")
        return Subject(order_id, supplier_order_id, case_id=case_id)
    carrier, number = shapes.carrier(request.carrier), shapes.tracking_number(request.tracking_number)
    return Subject(order_id, case_id=case_id, carrier=carrier, number=number)


def _cost(cost: pb.RecoveryCost, field: str) -> Cost:
    return Cost(
        plain_id(cost.cost_id, f"{field}.cost_id"),
        _cost_kind(cost.kind, f"{field}.kind"),
        shapes.minor(cost.amount_minor, f"{field}.amount_minor", 1),
    )


def raise_recovery(request: pb.RaiseRecoveryRequest, edge: Edge) -> Ask:
    recovery_id, at = shapes.recovery_id(request.recovery_id), happened(request, edge.now)
    cost, currency = _cost(request.cost, "cost"), shapes.currency(request.currency, "currency")
    return Ask(
        lambda view: recovery_demands.raise_recovery(view, recovery_id, cost, currency, at),
        (recoveries.stream(recovery_id),),
    )


def answer_recovery(request: pb.AnswerRecoveryRequest, edge: Edge) -> Ask:
    at = happened(request, edge.now)
    match request.WhichOneof("answer"):
        case "accepted":
            granted = shapes.money(request.accepted, "accepted", 1)
            return _of_recovery(request, lambda recovery: recoveries.accept(recovery, granted, at, edge.now))
        case "dispute_reason":
            written = text(request.dispute_reason, "dispute_reason", 200, required=True)
            return _with_text(
                request, written, edge, lambda recovery, because: recoveries.dispute(recovery, because, at, edge.now)
            )
        case _:
            raise Malformed(("answer", "is required: accepted or dispute_reason"))


def settle_recovery(request: pb.SettleRecoveryRequest, edge: Edge) -> Ask:
    reference, paid = plain_id(request.reference, "reference"), shapes.money(request.amount, "amount", 1)
    method, at = _method(request.method, "method"), happened(request, edge.now)
    return _of_recovery(request, lambda recovery: recoveries.settle(recovery, reference, paid, method, at))


def write_off_recovery(request: pb.WriteOffRecoveryRequest, edge: Edge) -> Ask:
    written, at = text(request.reason, "reason", 200, required=True), happened(request, edge.now)
    return _with_text(request, written, edge, lambda recovery, because: recoveries.write_off(recovery, because, at))


def collect_document(request: pb.CollectDocumentRequest, edge: Edge) -> Ask:
    kind, sha256, at = _document(request.kind, "kind"), shapes.sha256(request.sha256), happened(request, edge.now)
    return _of_recovery(request, lambda recovery: claims.collect(recovery, kind, sha256, at))


def file_claim(request: pb.FileClaimRequest, edge: Edge) -> Ask:
    at = happened(request, edge.now)
    return _of_recovery(request, lambda recovery: claims.file(recovery, at))


def acknowledge_claim(request: pb.AcknowledgeClaimRequest, edge: Edge) -> Ask:
    reference, at = plain_id(request.reference, "reference"), happened(request, edge.now)
    return _of_recovery(request, lambda recovery: claims.acknowledge(recovery, reference, at))


def decide_claim(request: pb.DecideClaimRequest, edge: Edge) -> Ask:
    at = happened(request, edge.now)
    match request.WhichOneof("decision"):
        case "approved":
            granted = shapes.money(request.approved, "approved", 1)
            return _of_recovery(request, lambda recovery: claims.approve(recovery, granted, at))
        case "denial_reason":
            written = text(request.denial_reason, "denial_reason", 200, required=True)
            return _with_text(request, written, edge, lambda recovery, because: claims.deny(recovery, because, at))
        case _:
            raise Malformed(("decision", "is required: approved or denial_reason"))


def record_claim_payment(request: pb.RecordClaimPaymentRequest, edge: Edge) -> Ask:
    reference, paid = plain_id(request.reference, "reference"), shapes.money(request.amount, "amount", 1)
    at = happened(request, edge.now)
    return _of_recovery(request, lambda recovery: claims.pay(recovery, reference, paid, at))


def appeal_claim(request: pb.AppealClaimRequest, edge: Edge) -> Ask:
    written, at = text(request.reason, "reason", 200, required=True), happened(request, edge.now)
    return _with_text(request, written, edge, lambda recovery, because: claims.appeal(recovery, because, at))


def return_claim_payment(request: pb.ReturnClaimPaymentRequest, edge: Edge) -> Ask:
    reference, paid = plain_id(request.reference, "reference"), shapes.money(request.amount, "amount", 1)
    at = happened(request, edge.now)
    return _of_recovery(request, lambda recovery: claims.give_back(recovery, reference, paid, at))


READERS: Readers = {
    pb.OpenRecoveryRequest: Reader(open_recovery, makes="recovery_id"),
    pb.RaiseRecoveryRequest: Reader(raise_recovery),
    pb.AnswerRecoveryRequest: Reader(answer_recovery),
    pb.SettleRecoveryRequest: Reader(settle_recovery),
    pb.WriteOffRecoveryRequest: Reader(write_off_recovery),
    pb.CollectDocumentRequest: Reader(collect_document),
    pb.FileClaimRequest: Reader(file_claim),
    pb.AcknowledgeClaimRequest: Reader(acknowledge_claim),
    pb.DecideClaimRequest: Reader(decide_claim),
    pb.RecordClaimPaymentRequest: Reader(record_claim_payment),
    pb.AppealClaimRequest: Reader(appeal_claim),
    pb.ReturnClaimPaymentRequest: Reader(return_claim_payment),
}
