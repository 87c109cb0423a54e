"""RecoveryService's commands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from adapters.rpc import shapes
from adapters.rpc.asks.ask import Ask, Edge, reads
from adapters.rpc.shapes import count, enum, happened, plain_id, require, text
from fulfilment.v1 import recoveries_pb2
from ledger.decisions import recovery_demands
from ledger.facts import Change
from ledger.nouns import cases, claims, orders, parcels, policies, recoveries
from ledger.nouns.policies import ClaimTerms
from ledger.nouns.recoveries import (
    Cost,
    Kind,
    Recovery,
    RecoveryFact,
    Subject,
)
from ledger.refusals import Malformed
from ledger.view import View

_MOST_COSTS = 100
_MOST_TERMS = 200

_kind = enum(recoveries_pb2.RecoveryKind, recoveries.Kind)
_cost_kind = enum(recoveries_pb2.CostKind, recoveries.CostKind)
_method = enum(recoveries_pb2.SettlementMethod, recoveries.Method)
_document = enum(recoveries_pb2.ClaimDocumentKind, recoveries.DocumentKind)


def _of_recovery(request: Any, decide: Callable[[Recovery], Sequence[RecoveryFact]]) -> Ask:
    recovery_id = shapes.recovery_id(request.recovery_id)
    stream = recoveries.stream(recovery_id)

    def known(view: View) -> Sequence[Change]:
        recovery = recoveries.known(recoveries.find(view, recovery_id), recovery_id)
        return [(stream, fact) for fact in decide(recovery)]

    return Ask(known, (stream,))


@reads(recoveries_pb2.OpenRecoveryRequest)
def open_recovery(request: recoveries_pb2.OpenRecoveryRequest, edge: Edge) -> Ask:
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


def _subject(request: recoveries_pb2.OpenRecoveryRequest, kind: Kind) -> Subject:
    order_id = shapes.order_id(request.order_id)
    case_id = plain_id(request.case_id, "case_id") if request.case_id else ""
    if kind is Kind.SUPPLIER_FAULT:
        supplier_order_id = shapes.supplier_order_id(request.supplier_order_id)
        require(supplier_order_id.startswith(f"{order_id}/"), "supplier_order_id", "is not of this order")
        return Subject(order_id, supplier_order_id, case_id=case_id)
    carrier, number = shapes.carrier(request.carrier), shapes.tracking_number(request.tracking_number)
    return Subject(order_id, case_id=case_id, carrier=carrier, number=number)


def _cost(cost: recoveries_pb2.RecoveryCost, field: str) -> Cost:
    return Cost(
        plain_id(cost.cost_id, f"{field}.cost_id"),
        _cost_kind(cost.kind, f"{field}.kind"),
        shapes.minor(cost.amount_minor, f"{field}.amount_minor", 1),
    )


@reads(recoveries_pb2.RaiseRecoveryRequest)
def raise_recovery(request: recoveries_pb2.RaiseRecoveryRequest, edge: Edge) -> Ask:
    recovery_id, at = shapes.recovery_id(request.recovery_id), happened(request, edge.now)
    cost, currency = _cost(request.cost, "cost"), shapes.currency(request.currency, "currency")
    return Ask(
        lambda view: recovery_demands.raise_recovery(view, recovery_id, cost, currency, at),
        (recoveries.stream(recovery_id),),
    )


@reads(recoveries_pb2.AnswerRecoveryRequest)
def answer_recovery(request: recoveries_pb2.AnswerRecoveryRequest, edge: Edge) -> Ask:
    at = happened(request, edge.now)
    match request.WhichOneof("answer"):
        case "accepted":
            granted = shapes.money(request.accepted, "accepted", 1)
            return _of_recovery(request, lambda recovery: recoveries.accept(recovery, granted, at, edge.now))
        case "dispute_reason":
            because = text(request.dispute_reason, "dispute_reason", 200, required=True)
            return _of_recovery(request, lambda recovery: recoveries.dispute(recovery, because, at, edge.now))
        case _:
            raise Malformed(("answer", "is required: accepted or dispute_reason"))


@reads(recoveries_pb2.SettleRecoveryRequest)
def settle_recovery(request: recoveries_pb2.SettleRecoveryRequest, edge: Edge) -> Ask:
    reference, paid = plain_id(request.reference, "reference"), shapes.money(request.amount, "amount", 1)
    method, at = _method(request.method, "method"), happened(request, edge.now)
    return _of_recovery(request, lambda recovery: recoveries.settle(recovery, reference, paid, method, at))


@reads(recoveries_pb2.WriteOffRecoveryRequest)
def write_off_recovery(request: recoveries_pb2.WriteOffRecoveryRequest, edge: Edge) -> Ask:
    because, at = text(request.reason, "reason", 200, required=True), happened(request, edge.now)
    return _of_recovery(request, lambda recovery: recoveries.write_off(recovery, because, at))


@reads(recoveries_pb2.CollectDocumentRequest)
def collect_document(request: recoveries_pb2.CollectDocumentRequest, edge: Edge) -> Ask:
    kind, sha256, at = _document(request.kind, "kind"), shapes.sha256(request.sha256), happened(request, edge.now)
    return _of_recovery(request, lambda recovery: claims.collect(recovery, kind, sha256, at))


@reads(recoveries_pb2.FileClaimRequest)
def file_claim(request: recoveries_pb2.FileClaimRequest, edge: Edge) -> Ask:
    at = happened(request, edge.now)
    return _of_recovery(request, lambda recovery: claims.file(recovery, at))


@reads(recoveries_pb2.AcknowledgeClaimRequest)
def acknowledge_claim(request: recoveries_pb2.AcknowledgeClaimRequest, edge: Edge) -> Ask:
    reference, at = plain_id(request.reference, "reference"), happened(request, edge.now)
    return _of_recovery(request, lambda recovery: claims.acknowledge(recovery, reference, at))


@reads(recoveries_pb2.DecideClaimRequest)
def decide_claim(request: recoveries_pb2.DecideClaimRequest, edge: Edge) -> Ask:
    at = happened(request, edge.now)
    match request.WhichOneof("decision"):
        case "approved":
            granted = shapes.money(request.approved, "approved", 1)
            return _of_recovery(request, lambda recovery: claims.approve(recovery, granted, at))
        case "denial_reason":
            because = text(request.denial_reason, "denial_reason", 200, required=True)
            return _of_recovery(request, lambda recovery: claims.deny(recovery, because, at))
        case _:
            raise Malformed(("decision", "is required: approved or denial_reason"))


@reads(recoveries_pb2.RecordClaimPaymentRequest)
def record_claim_payment(request: recoveries_pb2.RecordClaimPaymentRequest, edge: Edge) -> Ask:
    reference, paid = plain_id(request.reference, "reference"), shapes.money(request.amount, "amount", 1)
    at = happened(request, edge.now)
    return _of_recovery(request, lambda recovery: claims.pay(recovery, reference, paid, at))


@reads(recoveries_pb2.AppealClaimRequest)
def appeal_claim(request: recoveries_pb2.AppealClaimRequest, edge: Edge) -> Ask:
    because, at = text(request.reason, "reason", 200, required=True), happened(request, edge.now)
    return _of_recovery(request, lambda recovery: claims.appeal(recovery, because, at))


@reads(recoveries_pb2.ReturnClaimPaymentRequest)
def return_claim_payment(request: recoveries_pb2.ReturnClaimPaymentRequest, edge: Edge) -> Ask:
    reference, paid = plain_id(request.reference, "reference"), shapes.money(request.amount, "amount", 1)
    at = happened(request, edge.now)
    return _of_recovery(request, lambda recovery: claims.give_back(recovery, reference, paid, at))


# --- terms, which AgreePolicy takes -----------------------------------------------------------------


def claim_terms(given: Sequence[recoveries_pb2.ClaimTerms], field: str) -> tuple[ClaimTerms, ...]:
    require(len(given) <= _MOST_TERMS, field, f"more than {_MOST_TERMS}")
    terms = tuple(_terms(each, f"{field}[{index}]") for index, each in enumerate(given))
    require(len({each.carrier for each in terms}) == len(terms), field, "two are of the same carrier")
    return terms


def _terms(given: recoveries_pb2.ClaimTerms, field: str) -> ClaimTerms:
    default = ClaimTerms()

    def days(name: Any, least: int) -> int:
        said = given.HasField(name)
        return count(getattr(given, name), f"{field}.{name}", least, 1000) if said else getattr(default, name)

    liability = tuple(
        shapes.money(most, f"{field}.liability[{index}]", 1) for index, most in enumerate(given.liability)
    )
    require(len({most.currency for most in liability}) == len(liability), f"{field}.liability", "two in one currency")
    return ClaimTerms(
        shapes.carrier(given.carrier, f"{field}.carrier") if given.carrier else "",
        days("loss_waiting_days", 0),
        days("loss_filing_days", 1),
        days("damage_filing_days", 1),
        liability,
        _documents(given.loss_documents, f"{field}.loss_documents") or default.loss_documents,
        _documents(given.damage_documents, f"{field}.damage_documents") or default.damage_documents,
    )


def _documents(kinds: Iterable[int], field: str) -> tuple[recoveries.DocumentKind, ...]:
    return tuple(dict.fromkeys(_document(kind, f"{field}[{index}]") for index, kind in enumerate(kinds)))
