"""A case into its message, and the rows of lists of cases."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from adapters.rpc.cases.evidence import CONTENT_TYPES
from adapters.rpc.shows import line_units, number_of, stamp
from fulfilment.v1 import cases_pb2 as pb
from fulfilment.v1 import common_pb2, returns_pb2
from ledger.facts import LineNo, Sealed
from ledger.nouns import cases
from ledger.nouns.cases import Case, EvidenceAdded
from ledger.terms.money import in_64_bits
from ledger.terms.parties import Party
from projections import cases as case_lists

_reason = number_of(pb.CaseReason)
_status = number_of(pb.CaseStatus)
_remedy = number_of(pb.Remedy)
_denial = number_of(pb.Denial)
_party = number_of(common_pb2.Party)
_failure = number_of(pb.ReshipFailure)


_types: dict[str, Any] = {name: number for number, name in CONTENT_TYPES.items()}


def case(
    case: Case, version: int, currency: str, notes: Mapping[str, str], erased_at: datetime | None = None
) -> pb.Case:
    opened = case.opened
    return pb.Case(
        case_id=case.case_id,
        order_id=case.order_id,
        reason=_reason(opened.reason),
        status=_status(case.status),
        lines=[_line(case, line_no) for line_no in case.by_line],
        opened_at=stamp(opened.at),
        first_answer_by=stamp(opened.first_answer_by),
        first_answered_at=stamp(case.first_answered_at),
        first_answer_missed=case.first_answer_missed,
        evidence_wanted=case.wanted,
        evidence_by=stamp(case.evidence_by),
        evidence=[evidence(added) for added in case.evidence.values()],
        ruling=_ruling(case.ruling, notes),
        remedy=_remedy(case.remedy) if case.remedy else pb.REMEDY_UNSPECIFIED,
        reship_failure=_failure(case.reship_failure) if case.reship_failure else pb.RESHIP_FAILURE_UNSPECIFIED,
        reships=[_reship(each) for each in case.reships],
        labels=[_label(each) for each in case.labels.values()],
        refunds=[_refund(refund_id, each) for refund_id, each in case.refunds.items()],
        currency=currency,
        denial=_denial(case.denial) if case.denial else pb.DENIAL_UNSPECIFIED,
        closed_at=stamp(case.closed_at),
        note=_of(opened.note, notes),
        denial_note=_of(case.denial_note, notes),
        version=version,
        exchange=_exchange(case),
        erased_at=stamp(erased_at),
    )


def _exchange(case: Case) -> returns_pb2.Exchange | None:
    chosen = case.chosen.exchange if case.chosen is not None else None
    return returns_pb2.Exchange(sku=chosen.sku, price_minor=chosen.unit_price_minor) if chosen is not None else None


def _of(note: Sealed | None, notes: Mapping[str, str]) -> str:
    return notes.get(note.key_id, "") if note is not None else ""


def _line(case: Case, line_no: LineNo) -> pb.CaseLine:
    found = case.inspected.get(line_no)
    return pb.CaseLine(
        line_no=line_no,
        units=case.by_line[line_no],
        supplier_id=case.opened.suppliers.get(line_no, ""),
        undecided=case.todo.get(line_no, 0),
        labelled=case.labelled(line_no),
        received=case.received.get(line_no, 0),
        inspected=returns_pb2.InspectedLine(
            line_no=line_no,
            restocked=found.restocked,
            not_restocked=found.not_restocked,
            needs_work=found.needs_work,
            missing=found.missing,
        )
        if found
        else None,
    )


def evidence(added: EvidenceAdded) -> pb.Evidence:
    return pb.Evidence(
        sha256=added.sha256,
        type=_types[added.content_type],
        size_bytes=added.size_bytes,
        given_by=_party(added.given_by),
        at=stamp(added.at),
    )


def printed(label: cases.Label) -> pb.Evidence | None:
    """The file of a label, as it is read: as evidence is."""
    if label.file is None:
        return None
    return pb.Evidence(
        sha256=label.file.sha256,
        type=_types[label.file.content_type],
        size_bytes=label.file.size_bytes,
        given_by=_party(Party.RETAILER),
        at=stamp(label.at),
    )


def _ruling(ruling: cases.LiabilityRuled | None, notes: Mapping[str, str]) -> pb.Ruling | None:
    if ruling is None:
        return None
    return pb.Ruling(
        liable=_party(ruling.liable),
        reasons=ruling.because,
        evidence_sha256=ruling.evidence,
        at=stamp(ruling.at),
        note=_of(ruling.note, notes),
        resolve_by=stamp(min(ruling.resolve_by.values(), default=None)),
    )


def _reship(reship: cases.Reship) -> pb.Reship:
    return pb.Reship(
        order_id=reship.order_id,
        lines=line_units(reship.by_line),
        arrived=line_units(reship.arrived),
        failed=line_units(reship.failed),
        ended_at=stamp(reship.ended_at),
    )


def _label(label: cases.Label) -> returns_pb2.ReturnLabel:
    return returns_pb2.ReturnLabel(
        label_id=label.label_id,
        lines=line_units(label.by_line),
        freight_payer=_party(label.freight_payer),
        freight_minor=label.freight_minor,
        supplier_id=label.supplier_id,
        at=stamp(label.at),
        carrier=label.carrier,
        tracking_number=label.number,
        shipped_at=stamp(label.shipped_at),
        file_sha256=label.file.sha256 if label.file is not None else "",
    )


def _refund(refund_id: str, refund: cases.Refund) -> pb.Refund:
    return pb.Refund(
        refund_id=refund_id,
        lines=[
            pb.LineAmount(line_no=line_no, units=units, amount_minor=in_64_bits(refund.amounts_minor[line_no]))
            for line_no, units in refund.by_line.items()
        ],
        amount_minor=refund.amount_minor,
        granted_at=stamp(refund.granted_at),
        paid_at=stamp(refund.paid_at),
        reference=refund.reference,
        freight_minor=refund.freight_minor,
        pay_by=stamp(refund.pay_by),
        charges=[pb.ChargeAmount(charge_id=name, amount_minor=minor) for name, minor in refund.charges_minor.items()],
    )


def summary(row: case_lists.CaseSummary) -> pb.CaseSummary:
    return pb.CaseSummary(
        case_id=row.case_id,
        order_id=row.order_id,
        reason=_reason(row.reason),
        status=_status(row.status),
        liable=_party(row.liable) if row.liable else common_pb2.PARTY_UNSPECIFIED,
        remedy=_remedy(row.remedy) if row.remedy else pb.REMEDY_UNSPECIFIED,
        denial=_denial(row.denial) if row.denial else pb.DENIAL_UNSPECIFIED,
        units=row.units,
        supplier_ids=row.supplier_ids,
        opened_at=stamp(row.opened_at),
        first_answer_by=stamp(row.first_answer_by),
        first_answered_at=stamp(row.first_answered_at),
        evidence_by=stamp(row.evidence_by),
        closed_at=stamp(row.closed_at),
        reship_order_id=row.reship_order_id,
        granted_minor=row.granted_minor,
        paid_minor=row.paid_minor,
        currency=row.currency,
    )
