"""A recovery into its message."""

from __future__ import annotations

from adapters.rpc.shows import number_of, party, stamp
from fulfilment.v1 import recoveries_pb2 as pb
from ledger.nouns.recoveries import Recovery, RecoveryPayment
from ledger.terms.money import in_64_bits
from projections.recoveries import ListedRecovery

_kind = number_of(pb.RecoveryKind)
_status = number_of(pb.RecoveryStatus)
_cost_kind = number_of(pb.CostKind)
_document = number_of(pb.ClaimDocumentKind)
_method = number_of(pb.SettlementMethod)


def recovery(state: Recovery, version: int, because: str) -> pb.Recovery:
    """The recovery; because is what is shown of why it was disputed, denied, appealed or written off."""
    opened, subject = state.opened, state.subject
    missed = state.answer_missed
    return pb.Recovery(
        recovery_id=state.recovery_id,
        kind=_kind(state.kind),
        status=_status(state.status),
        party=party(state.kind.party),
        order_id=subject.order_id,
        supplier_order_id=subject.supplier_order_id,
        supplier_id=subject.supplier_id,
        case_id=subject.case_id,
        carrier=subject.carrier,
        tracking_number=subject.number,
        epoch=subject.epoch,
        currency=state.currency,
        costs=[
            pb.RecoveryCost(
                cost_id=cost.cost_id, kind=_cost_kind(cost.kind), amount_minor=in_64_bits(cost.amount_minor)
            )
            for cost in state.costs
        ],
        asked_minor=state.asked_minor,
        claimed_minor=state.claimed_minor,
        agreed_minor=state.agreed_minor,
        received_minor=state.received_minor,
        returned_minor=state.returned_minor,
        liability_minor=opened.liability_minor,
        received=[_part(each) for each in state.received],
        returned=[_part(each) for each in state.returned],
        documents=[pb.ClaimDocument(kind=_document(each.kind), sha256=each.sha256) for each in state.documents],
        missing_documents=[_document(kind) for kind in state.missing_documents],
        carrier_reference=state.reference,
        reason=because,
        opened_at=stamp(opened.at),
        answer_by=stamp(state.answer_by),
        time_zone=state.time_zone,
        answer_missed_at=stamp(missed.at if missed and state.is_answer_missed else None),
        eligible_at=stamp(opened.eligible_at),
        file_by=stamp(opened.file_by),
        filed_at=stamp(state.filed_at),
        found_at=stamp(state.found_at),
        ended_at=stamp(state.ended_at),
        version=version,
        further_order_ids=state.order_ids[1:],
    )


def _part(payment: RecoveryPayment) -> pb.RecoveryPayment:
    return pb.RecoveryPayment(
        reference=payment.reference,
        amount_minor=payment.amount_minor,
        method=_method(payment.method),
        at=stamp(payment.at),
    )


def row(each: ListedRecovery) -> pb.ListedRecovery:
    return pb.ListedRecovery(
        recovery_id=each.recovery_id,
        kind=_kind(each.kind),
        status=_status(each.status),
        party=party(each.kind.party),
        order_id=each.order_id,
        supplier_order_id=each.supplier_order_id,
        supplier_id=each.supplier_id,
        case_id=each.case_id,
        carrier=each.carrier,
        tracking_number=each.number,
        epoch=each.epoch,
        currency=each.currency,
        asked_minor=each.asked_minor,
        claimed_minor=each.claimed_minor,
        agreed_minor=each.agreed_minor,
        received_minor=each.received_minor,
        returned_minor=each.returned_minor,
        opened_at=stamp(each.opened_at),
        due=stamp(each.due),
        found_at=stamp(each.found_at),
        ended_at=stamp(each.ended_at),
        further_order_ids=each.further_order_ids,
    )
