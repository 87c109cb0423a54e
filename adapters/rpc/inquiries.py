"""InquiryService's reads: one inquiry from the log, lists from the read model."""

from __future__ import annotations

from adapters.rpc import answers, shapes
from adapters.rpc.answers import stamp
from adapters.rpc.queries import PersonalReader
from adapters.rpc.reports import where_of
from adapters.rpc.server import Context
from adapters.tenants import Tenant
from fulfilment.v1 import inquiries_pb2
from ledger.nouns import inquiries
from projections import inquiries as waiting

_state = shapes.number_of(inquiries_pb2.InquiryState)
_topic = shapes.number_of(inquiries_pb2.InquiryTopic)
_read_state = shapes.enum(inquiries_pb2.InquiryState, waiting.State, unspecified=waiting.State.OPEN)


class InquiryQueries(PersonalReader):
    """InquiryService's reads."""

    async def GetInquiry(
        self, request: inquiries_pb2.GetInquiryRequest, context: Context
    ) -> inquiries_pb2.GetInquiryResponse:
        tenant = await self.tenant(context)
        inquiry_id = shapes.plain_id(request.inquiry_id, "inquiry_id")
        (entry,), position = await self.entries(tenant, [inquiries.stream(inquiry_id)], request.at_least)
        inquiry = inquiries.known(entry.state, inquiry_id)
        said = await self._texts(tenant, inquiry) if request.with_personal_data else {}
        shown = answers.inquiry(inquiry, entry.version, said)
        return inquiries_pb2.GetInquiryResponse(inquiry=shown, position=position)

    async def _texts(self, tenant: Tenant, inquiry: inquiries.Inquiry) -> dict[str, str]:
        """What was said, by the id of its key; without what was erased."""
        bound_to = inquiries.stream(inquiry.inquiry_id)
        texts = (inquiry.asked.text, *(each.text for each in inquiry.answers))
        said = await self.unsealed(tenant, *((text, bound_to) for text in texts))
        return {key_id: each["text"] for key_id, each in said.items()}

    async def ListInquiries(
        self, request: inquiries_pb2.ListInquiriesRequest, context: Context
    ) -> inquiries_pb2.ListInquiriesResponse:
        answer = await waiting.list_inquiries(
            await where_of(self.tenants, request, context),
            shapes.page(request),
            _read_state(request.state, "state"),
            shapes.plain_id(request.supplier_id, "supplier_id") if request.supplier_id else "",
            shapes.order_id(request.order_id) if request.order_id else "",
            shapes.party(request.asked_of, "asked_of") if request.asked_of else None,
        )
        return inquiries_pb2.ListInquiriesResponse(
            inquiries=[_waiting(each) for each in answer.rows],
            next_page_token=answer.next_page_token,
            position=answer.position,
        )


def _waiting(each: waiting.Waiting) -> inquiries_pb2.Inquiry:
    return inquiries_pb2.Inquiry(
        inquiry_id=each.inquiry_id,
        state=_state(each.state),
        asked_by=answers.party(each.asked_by),
        asked_of=answers.party(each.asked_of),
        supplier_id=each.supplier_id,
        order_id=each.order_id,
        supplier_order_id=each.supplier_order_id,
        topic=_topic(each.topic),
        asked_at=stamp(each.asked_at),
        answer_by=stamp(each.due),
        answered_at=stamp(each.answered_at),
        closed_at=stamp(each.closed_at),
        answer_missed=each.missed,
    )
