"""InquiryService's reads: one inquiry from the log, lists from the read model."""

from __future__ import annotations

from datetime import datetime

from adapters.rpc import own, shapes
from adapters.rpc.calls import Call
from adapters.rpc.inquiries import shows
from adapters.rpc.listing import listed, page
from adapters.rpc.sealing import PersonalQueries
from adapters.rpc.shapes import optional, optional_enum, plain_id
from adapters.tenants import Tenant
from fulfilment.v1 import inquiries_pb2 as pb
from ledger.engine.sealing import placed
from ledger.nouns import inquiries, orders
from ledger.terms.retention import PersonalKind
from ledger.view import Folded
from projections import inquiries as waiting

_read_state = shapes.enum(pb.InquiryState, waiting.InquiryState, unspecified=waiting.InquiryState.OPEN)


class InquiryQueries(PersonalQueries):
    """InquiryService's reads."""

    async def GetInquiry(self, request: pb.GetInquiryRequest, call: Call) -> pb.GetInquiryResponse:
        tenant = await self.tenant(call)
        inquiry_id = shapes.plain_id(request.inquiry_id, "inquiry_id")
        stream = inquiries.stream(inquiry_id)
        entry, position = await self.entry(tenant, stream, request.at_least)
        own.require(Folded({stream: entry}), request, call)
        inquiry = inquiries.known(entry.state, inquiry_id)
        unsealed = await self._texts(tenant, inquiry, call) if request.with_personal_data else {}
        shown = shows.inquiry(inquiry, entry.version, unsealed, await self._erased_at(tenant, inquiry.asked.order_id))
        if own.is_supplier(call):
            for each in shown.answers:
                each.by = ""  # who of the retailer's people wrote it is none of a supplier's business
        return pb.GetInquiryResponse(inquiry=shown, position=position)

    async def _erased_at(self, tenant: Tenant, order_id: str) -> datetime | None:
        order = (await self.entry(tenant, orders.stream(order_id)))[0].state if order_id else None
        return order.expired.get(PersonalKind.TEXTS) if order is not None else None

    async def _texts(self, tenant: Tenant, inquiry: inquiries.Inquiry, call: Call) -> dict[str, str]:
        """The texts, by the id of their keys; without erased ones."""
        stream = inquiries.stream(inquiry.inquiry_id)
        bound_to = placed(stream, "text")
        texts = (inquiry.asked.text, *(each.text for each in inquiry.answers))
        unsealed = await self.unsealed(tenant, call, stream, *((text, bound_to) for text in texts))
        return {key_id: each["text"] for key_id, each in unsealed.items()}

    async def ListInquiries(self, request: pb.ListInquiriesRequest, call: Call) -> pb.ListInquiriesResponse:
        answer = await waiting.list_inquiries(
            await self.where(request, call),
            page(request),
            _read_state(request.state, "state"),
            own.supplier_asked(optional(plain_id, request.supplier_id, "supplier_id"), call),
            optional(shapes.order_id, request.order_id, "order_id"),
            optional_enum(shapes.party, request.asked_of, "asked_of"),
        )
        return listed(pb.ListInquiriesResponse, "inquiries", answer, shows.waiting)
