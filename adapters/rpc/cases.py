"""CaseService's reads: a case, lists of them, and the bytes of their evidence."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from adapters import evidence
from adapters.rpc import shapes
from adapters.rpc.answers import line_units, stamp
from adapters.rpc.asks.cases import CONTENT_TYPES, is_hash
from adapters.rpc.queries import PersonalReader
from adapters.rpc.reports import where_of
from adapters.rpc.server import Context
from adapters.tenants import Tenant
from fulfilment.v1 import cases_pb2, common_pb2
from ledger.facts import LineNo, Sealed
from ledger.nouns import cases, orders
from ledger.nouns.cases import Case, EvidenceAdded
from ledger.refusals import EvidenceErased
from ledger.terms.money import in_64_bits
from projections import cases as case_lists

_reason = shapes.number_of(cases_pb2.CaseReason)
_status = shapes.number_of(cases_pb2.CaseStatus)
_read_status = shapes.enum(cases_pb2.CaseStatus, cases.Status)
_remedy = shapes.number_of(cases_pb2.Remedy)
_denial = shapes.number_of(cases_pb2.Denial)
_party = shapes.number_of(common_pb2.Party)
_failure = shapes.number_of(cases_pb2.ReshipFailure)
_TYPES: dict[str, Any] = {name: number for number, name in CONTENT_TYPES.items()}

_PIECE_BYTES = 1 << 20


class CaseQueries(PersonalReader):
    """CaseService but for its commands."""

    async def GetCase(self, request: cases_pb2.GetCaseRequest, context: Context) -> cases_pb2.GetCaseResponse:
        tenant = await self.tenant(context)
        case_id = shapes.plain_id(request.case_id, "case_id")
        (entry,), position = await self.entries(tenant, [cases.stream(case_id)], request.at_least)
        case = cases.known(entry.state, case_id)
        (order,), _ = await self.entries(tenant, [orders.stream(case.order_id)], 0)
        notes = await self._notes(tenant, case) if request.with_personal_data else {}
        message = _case(case, entry.version, orders.known(order.state, case.order_id).currency, notes)
        return cases_pb2.GetCaseResponse(case=message, position=position)

    async def _notes(self, tenant: Tenant, case: Case) -> dict[str, str]:
        """What people wrote, by the id of its key; without what was erased."""
        bound_to = cases.stream(case.case_id)
        notes = (case.opened.note, case.ruling.note if case.ruling else None, case.denial_note)
        said = await self.unsealed(tenant, *((note, bound_to) for note in notes))
        return {key_id: str(each["note"]) for key_id, each in said.items()}

    async def ListCases(self, request: cases_pb2.ListCasesRequest, context: Context) -> cases_pb2.ListCasesResponse:
        statuses = {_read_status(value, f"statuses[{index}]") for index, value in enumerate(request.statuses)}
        answer = await case_lists.list_cases(
            await where_of(self.tenants, request, context),
            shapes.page(request),
            sorted(statuses),
            shapes.plain_id(request.supplier_id, "supplier_id") if request.supplier_id else "",
            shapes.order_id(request.order_id) if request.order_id else "",
            shapes.instant(request, "opened_since"),
            shapes.instant(request, "opened_until"),
        )
        found = [_summary(each) for each in answer.rows]
        return cases_pb2.ListCasesResponse(
            cases=found, next_page_token=answer.next_page_token, position=answer.position
        )

    async def GetEvidence(
        self, request: cases_pb2.GetEvidenceRequest, context: Context
    ) -> AsyncIterator[cases_pb2.GetEvidenceResponse]:
        tenant = await self.tenant(context)
        case_id = shapes.plain_id(request.case_id, "case_id")
        sha256 = is_hash(request.sha256.lower(), "sha256")
        (entry,), _ = await self.entries(tenant, [cases.stream(case_id)], 0)
        case = cases.known(entry.state, case_id)
        if sha256 not in case.evidence:
            raise cases.UnknownEvidence(case_id, sha256)
        data = await evidence.read(tenant.log, self._sealer, evidence.Kept(sha256, case.opened.subject))
        if data is None:
            raise EvidenceErased(sha256)
        yield cases_pb2.GetEvidenceResponse(evidence=_evidence(case.evidence[sha256]), data=data[:_PIECE_BYTES])
        for start in range(_PIECE_BYTES, len(data), _PIECE_BYTES):
            yield cases_pb2.GetEvidenceResponse(data=data[start : start + _PIECE_BYTES])


def _case(case: Case, version: int, currency: str, notes: Mapping[str, str]) -> cases_pb2.Case:
    opened = case.opened
    return cases_pb2.Case(
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
        evidence=[_evidence(added) for added in case.evidence.values()],
        ruling=_ruling(case.ruling, notes),
        remedy=_remedy(case.remedy) if case.remedy else cases_pb2.REMEDY_UNSPECIFIED,
        reship_failure=_failure(case.reship_failure) if case.reship_failure else cases_pb2.RESHIP_FAILURE_UNSPECIFIED,
        reships=[_reship(each) for each in case.reships],
        labels=[_label(each) for each in case.labels.values()],
        refunds=[_refund(refund_id, each) for refund_id, each in case.refunds.items()],
        currency=currency,
        denial=_denial(case.denial) if case.denial else cases_pb2.DENIAL_UNSPECIFIED,
        closed_at=stamp(case.closed_at),
        note=_of(opened.note, notes),
        denial_note=_of(case.denial_note, notes),
        version=version,
    )


def _of(note: Sealed | None, notes: Mapping[str, str]) -> str:
    return notes.get(note.key_id, "") if note is not None else ""


def _line(case: Case, line_no: LineNo) -> cases_pb2.CaseLine:
    found = case.inspected.get(line_no)
    return cases_pb2.CaseLine(
        line_no=line_no,
        units=case.by_line[line_no],
        supplier_id=case.opened.suppliers.get(line_no, ""),
        undecided=case.todo.get(line_no, 0),
        labelled=case.labelled(line_no),
        received=case.received.get(line_no, 0),
        inspected=cases_pb2.InspectedLine(
            line_no=line_no,
            restocked=found.restocked,
            not_restocked=found.not_restocked,
            needs_work=found.needs_work,
            missing=found.missing,
        )
        if found
        else None,
    )


def _evidence(added: EvidenceAdded) -> cases_pb2.Evidence:
    return cases_pb2.Evidence(
        sha256=added.sha256,
        type=_TYPES[added.content_type],
        size_bytes=added.size_bytes,
        given_by=_party(added.given_by),
        at=stamp(added.at),
    )


def _ruling(ruling: cases.LiabilityRuled | None, notes: Mapping[str, str]) -> cases_pb2.Ruling | None:
    if ruling is None:
        return None
    return cases_pb2.Ruling(
        liable=_party(ruling.liable),
        reasons=ruling.because,
        evidence_sha256=ruling.evidence,
        at=stamp(ruling.at),
        note=_of(ruling.note, notes),
    )


def _reship(reship: cases.Reship) -> cases_pb2.Reship:
    return cases_pb2.Reship(
        order_id=reship.order_id,
        lines=line_units(reship.by_line),
        arrived=line_units(reship.arrived),
        failed=line_units(reship.failed),
        ended_at=stamp(reship.ended_at),
    )


def _label(label: cases.Label) -> cases_pb2.ReturnLabel:
    return cases_pb2.ReturnLabel(
        label_id=label.label_id,
        lines=line_units(label.by_line),
        freight_payer=_party(label.freight_payer),
        freight_minor=label.freight_minor,
        supplier_id=label.supplier_id,
        at=stamp(label.at),
        carrier=label.carrier,
        tracking_number=label.number,
        shipped_at=stamp(label.shipped_at),
    )


def _refund(refund_id: str, refund: cases.Refund) -> cases_pb2.Refund:
    return cases_pb2.Refund(
        refund_id=refund_id,
        lines=[
            cases_pb2.LineAmount(line_no=line_no, units=units, amount_minor=in_64_bits(refund.amounts_minor[line_no]))
            for line_no, units in refund.by_line.items()
        ],
        amount_minor=refund.amount_minor,
        granted_at=stamp(refund.granted_at),
        paid_at=stamp(refund.paid_at),
        reference=refund.reference,
    )


def _summary(row: case_lists.CaseSummary) -> cases_pb2.CaseSummary:
    return cases_pb2.CaseSummary(
        case_id=row.case_id,
        order_id=row.order_id,
        reason=_reason(row.reason),
        status=_status(row.status),
        liable=_party(row.liable) if row.liable else common_pb2.PARTY_UNSPECIFIED,
        remedy=_remedy(row.remedy) if row.remedy else cases_pb2.REMEDY_UNSPECIFIED,
        denial=_denial(row.denial) if row.denial else cases_pb2.DENIAL_UNSPECIFIED,
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
