"""MessageService's reads: what is due to whom, what became of it, and how it reads."""

from __future__ import annotations

from adapters.letters import Envelope, Erased, Letters
from adapters.rpc import shapes
from adapters.rpc.answers import stamp
from adapters.rpc.reports import where_of
from adapters.rpc.server import Context, tenant_name
from adapters.tenants import Tenant, Tenants
from fulfilment.v1 import messages_pb2
from ledger.nouns import messages
from ledger.nouns.messages import Audience
from projections import outbox

_kind = shapes.number_of(messages_pb2.MessageKind)
_state = shapes.number_of(messages_pb2.MessageState)
_audience = shapes.number_of(messages_pb2.MessageAudience)
_read_state = shapes.enum(messages_pb2.MessageState, outbox.State)
_read_audience = shapes.enum(messages_pb2.MessageAudience, Audience)


class MessageQueries:
    """MessageService but for its commands."""

    def __init__(self, tenants: Tenants, letters: Letters) -> None:
        self._tenants = tenants
        self._letters = letters

    async def ListMessages(
        self, request: messages_pb2.ListMessagesRequest, context: Context
    ) -> messages_pb2.ListMessagesResponse:
        states = {_read_state(value, f"states[{index}]") for index, value in enumerate(request.states)}
        answer = await outbox.list_messages(
            await where_of(self._tenants, request, context),
            shapes.page(request),
            await self._letters.fresh_since((await self._tenants.find(tenant_name(context))).log),
            sorted(states),
            shapes.order_id(request.order_id) if request.order_id else "",
            _read_audience(request.audience, "audience") if request.audience else None,
        )
        return messages_pb2.ListMessagesResponse(
            messages=[_message(each) for each in answer.rows],
            next_page_token=answer.next_page_token,
            position=answer.position,
        )

    async def GetMessage(
        self, request: messages_pb2.GetMessageRequest, context: Context
    ) -> messages_pb2.GetMessageResponse:
        tenant = await self._tenants.find(tenant_name(context))
        message_id = shapes.message_id(request.message_id)
        where = await where_of(self._tenants, request, context)
        answer = await outbox.get_message(where, message_id, await self._letters.fresh_since(tenant.log))
        (found,) = answer.rows
        letter = await self._letter(tenant, found) if request.with_letter else None
        return messages_pb2.GetMessageResponse(message=_message(found), letter=letter, position=answer.position)

    async def _letter(self, tenant: Tenant, found: outbox.OutboxMessage) -> messages_pb2.Letter | None:
        view = await self._letters.present(tenant.log, [(found.message_id, found.about)])
        message = messages.find(view, found.message_id)
        if message is None:
            return None
        try:
            return _letter(await self._letters.write(tenant.log, view, message.asked))
        except Erased:
            return None


def _message(each: outbox.OutboxMessage) -> messages_pb2.Message:
    about = each.about
    return messages_pb2.Message(
        message_id=each.message_id,
        kind=_kind(each.kind),
        state=_state(each.state),
        audience=_audience(each.audience),
        recipient=each.recipient,
        order_id=about.order_id,
        supplier_order_id=about.supplier_order_id,
        supplier_id=about.supplier_id,
        carrier=about.carrier,
        tracking_number=about.number,
        reason=each.because or about.because,
        clock=about.clock,
        due=stamp(about.due),
        language=each.language,
        template_version=each.template_version,
        caused_at=stamp(each.caused_at),
        cause=each.cause,
        asked_at=stamp(each.asked_at),
        next_at=stamp(each.next_at) if each.state is not outbox.State.TOO_OLD else None,
        attempts=each.attempts,
        error=each.error,
        sent_at=stamp(each.sent_at),
        channel=each.channel,
        reference=each.reference,
        case_id=about.case_id,
        inquiry_id=about.inquiry_id,
        recovery_id=about.recovery_id,
        sku=about.sku,
    )


def _letter(written: Envelope) -> messages_pb2.Letter:
    return messages_pb2.Letter(
        name=written.name,
        email=written.email,
        phone=written.phone,
        subject=written.subject,
        text=written.text,
    )
