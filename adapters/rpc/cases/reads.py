"""CaseService's reads: a case, lists of them, and the bytes of their evidence."""

from __future__ import annotations

from collections.abc import AsyncIterator

from adapters import evidence
from adapters.people.personal_reads import note_subjects
from adapters.rpc import shapes
from adapters.rpc.calls import Call
from adapters.rpc.cases import shows
from adapters.rpc.listing import any_of, listed, page
from adapters.rpc.sealing import PersonalQueries
from adapters.rpc.shapes import optional, plain_id
from adapters.tenants import Tenant
from fulfilment.v1 import cases_pb2 as pb
from ledger.engine.sealing import placed
from ledger.nouns import cases, orders
from ledger.nouns.cases import Case
from ledger.refusals import EvidenceErased
from ledger.terms.retention import PersonalKind
from projections import cases as case_lists

_read_status = shapes.enum(pb.CaseStatus, cases.CaseStatus)
_PIECE_BYTES = 1 << 20


class CaseQueries(PersonalQueries):
    """CaseService but for its commands."""

    async def GetCase(self, request: pb.GetCaseRequest, call: Call) -> pb.GetCaseResponse:
        tenant = await self.tenant(call)
        case_id = shapes.plain_id(request.case_id, "case_id")
        entry, position = await self.entry(tenant, cases.stream(case_id), request.at_least)
        case = cases.known(entry.state, case_id)
        order, _ = await self.entry(tenant, orders.stream(case.order_id))
        notes = await self._notes(tenant, case, call) if request.with_personal_data else {}
        known = orders.known(order.state, case.order_id)
        message = shows.case(case, entry.version, known.currency, notes, known.expired.get(PersonalKind.TEXTS))
        return pb.GetCaseResponse(case=message, position=position)

    async def _notes(self, tenant: Tenant, case: Case, call: Call) -> dict[str, str]:
        """What people wrote, by the id of its key; without what was erased."""
        stream = cases.stream(case.case_id)
        bound_to = placed(stream, "note")
        notes = (case.opened.note, case.ruling.note if case.ruling else None, case.denial_note)
        unsealed = await self.unsealed(tenant, call, stream, *((note, bound_to) for note in notes))
        return {key_id: str(each["note"]) for key_id, each in unsealed.items()}

    async def ListCases(self, request: pb.ListCasesRequest, call: Call) -> pb.ListCasesResponse:
        answer = await case_lists.list_cases(
            await self.where(request, call),
            page(request),
            any_of(_read_status, request.statuses, "statuses"),
            optional(plain_id, request.supplier_id, "supplier_id"),
            optional(shapes.order_id, request.order_id, "order_id"),
            shapes.instant(request, "opened_since"),
            shapes.instant(request, "opened_until"),
        )
        return listed(pb.ListCasesResponse, "cases", answer, shows.summary)

    async def GetEvidence(self, request: pb.GetEvidenceRequest, call: Call) -> AsyncIterator[pb.GetEvidenceResponse]:
        tenant = await self.tenant(call)
        case_id = shapes.plain_id(request.case_id, "case_id")
        sha256 = shapes.sha256(request.sha256)
        entry, _ = await self.entry(tenant, cases.stream(case_id))
        case = cases.known(entry.state, case_id)
        found = _found(case, sha256)
        if found is None:
            raise cases.UnknownEvidence(case_id, sha256)
        viewer = call.viewer(cases.stream(case_id))
        kept = evidence.Kept(sha256, evidence.subject_of(case))
        data = await evidence.read(tenant.log, self.sealer.of(tenant.schema), kept)
        if data is None:
            raise EvidenceErased(sha256)
        await note_subjects(tenant.log, viewer, [kept.subject])
        yield pb.GetEvidenceResponse(evidence=found, data=data[:_PIECE_BYTES])
        for start in range(_PIECE_BYTES, len(data), _PIECE_BYTES):
            yield pb.GetEvidenceResponse(data=data[start : start + _PIECE_BYTES])


def _found(case: Case, sha256: str) -> pb.Evidence | None:
    """Evidence of this hash, or the file of a label."""
    if sha256 in case.evidence:
        return shows.evidence(case.evidence[sha256])
    return next(
        (shows.printed(each) for each in case.labels.values() if each.file and each.file.sha256 == sha256), None
    )
