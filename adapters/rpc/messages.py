"""MessageService: what is due to whom, what became of it, how it reads; trying again and cancelling."""

from __future__ import annotations

from contextlib import suppress

from adapters.mail.answers import without_people
from adapters.mail.bounces import STATUS
from adapters.messages.envelope import Erased
from adapters.messages.letters import Letters
from adapters.people.personal_reads import note_keys
from adapters.rpc import shapes
from adapters.rpc.calls import Call
from adapters.rpc.commands import Ask, Edge, Reader, Readers
from adapters.rpc.faults import require
from adapters.rpc.letters import show_letter
from adapters.rpc.listing import any_of, listed, page
from adapters.rpc.queries import Queries
from adapters.rpc.shapes import instant, message_id, optional, optional_enum, text
from adapters.rpc.shows import number_of, stamp
from adapters.tenants import Tenant, Tenants
from fulfilment.v1 import messages_pb2 as pb
from ledger.decisions import notices
from ledger.nouns import messages
from ledger.nouns.messages import Audience
from projections import outbox


def retry_message(request: pb.RetryMessageRequest, edge: Edge) -> Ask:
    which, by = message_id(request.message_id), edge.actor
    return Ask(lambda view: notices.retry(view, which, by, edge.now), (messages.stream(which),))


def cancel_message(request: pb.CancelMessageRequest, edge: Edge) -> Ask:
    which, by = message_id(request.message_id), edge.actor
    because = shapes.word(request.reason, "reason", 100) or "by_a_person"
    return Ask(lambda view: notices.cancel(view, which, because, by, edge.now), (messages.stream(which),))


def record_bounce(request: pb.RecordBounceRequest, edge: Edge) -> Ask:
    which, mail_id = message_id(request.message_id), text(request.mail_id, "mail_id", 100)
    status, at = text(request.status, "status", 20), instant(request, "reported_at") or edge.now
    require(not status or STATUS.fullmatch(status) is not None, "status", f"{status!r} is no status such as 5.1.1")
    answer = without_people(text(request.answer, "answer", 1000))
    return Ask(
        lambda view: notices.bounced(view, which, mail_id, status, answer, min(at, edge.now)), (messages.stream(which),)
    )


READERS: Readers = {
    pb.RetryMessageRequest: Reader(retry_message),
    pb.CancelMessageRequest: Reader(cancel_message),
    pb.RecordBounceRequest: Reader(record_bounce),
}


_kind = number_of(pb.MessageKind)
_state = number_of(pb.MessageState)
_audience = number_of(pb.MessageAudience)
_read_state = shapes.enum(pb.MessageState, outbox.MessageState)
_read_audience = shapes.enum(pb.MessageAudience, Audience)


class MessageQueries(Queries):
    """MessageService but for its commands."""

    def __init__(self, tenants: Tenants, letters: Letters) -> None:
        super().__init__(tenants)
        self._letters = letters

    async def ListMessages(self, request: pb.ListMessagesRequest, call: Call) -> pb.ListMessagesResponse:
        wanted, states = page(request), any_of(_read_state, request.states, "states")
        order_id = optional(shapes.order_id, request.order_id, "order_id")
        audience = optional_enum(_read_audience, request.audience, "audience")
        place, tenant = await self.where(request, call), await self.tenant(call)
        fresh = await self._letters.fresh_since(tenant.log, call.now)
        mail_id = text(request.mail_id, "mail_id", 100)
        answer = await outbox.list_messages(place, wanted, fresh, states, order_id, audience, mail_id)
        return listed(pb.ListMessagesResponse, "messages", answer, show_message)

    async def GetMessage(self, request: pb.GetMessageRequest, call: Call) -> pb.GetMessageResponse:
        tenant = await self.tenant(call)
        message_id = shapes.message_id(request.message_id)
        where = await self.where(request, call)
        fresh = await self._letters.fresh_since(tenant.log, call.now)
        answer = await outbox.get_message(where, message_id, fresh)
        (found,) = answer.rows
        letter = None
        if request.with_letter:
            with suppress(Erased):
                letter = await self.letter(tenant, found, call)
        return pb.GetMessageResponse(message=show_message(found), letter=letter, position=answer.position)

    async def letter(self, tenant: Tenant, found: outbox.OutboxMessage, call: Call) -> pb.Letter | None:
        """How it reads; None before it was asked for.

        Raises Erased, and KeyError where its template asks for what there is not.
        """
        viewer = call.viewer(messages.stream(found.message_id))
        view = await self._letters.present(tenant.log, [(found.message_id, found.about)])
        message = messages.find(view, found.message_id)
        if message is None:
            return None
        opened: set[str] = set()
        letter = await self._letters.noting(opened).write(tenant.log, view, message.asked)
        await note_keys(tenant.log, viewer, opened)
        return show_letter(letter)


def show_message(each: outbox.OutboxMessage) -> pb.Message:
    about = each.about
    return pb.Message(
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
        next_at=stamp(each.next_at) if each.state is not outbox.MessageState.TOO_OLD else None,
        attempts=each.attempts,
        error=each.error,
        sent_at=stamp(each.sent_at),
        channel=each.channel,
        reference=each.reference,
        case_id=about.case_id,
        inquiry_id=about.inquiry_id,
        recovery_id=about.recovery_id,
        sku=about.sku,
        invoice_number=about.invoice_number,
        stock_up_id=about.stock_up_id,
        answer=each.answer,
        mail_id=each.mail_id,
        own_template=each.own_template,
    )
