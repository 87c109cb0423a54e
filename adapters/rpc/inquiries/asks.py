"""InquiryService's commands."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.rpc import shapes
from adapters.rpc.commands import Ask, Edge, Reader, Readers
from adapters.rpc.faults import require
from adapters.rpc.sealing import sealed_with
from adapters.rpc.shapes import enum, happened, plain_id
from fulfilment.v1 import inquiries_pb2 as pb
from ledger.decisions import supplier_inquiries
from ledger.engine.sealing import PersonKey, placed
from ledger.facts import Change, Sealed, changes_of, order_of
from ledger.nouns import inquiries, orders, policies, suppliers
from ledger.nouns.inquiries import Inquiry, InquiryAsked, Topic
from ledger.refusals import Malformed
from ledger.terms.parties import Party
from ledger.view import View

_topic = enum(pb.InquiryTopic, Topic, unspecified=Topic.OTHER)
_MAY_ASK = {
    (Party.RETAILER, Party.SUPPLIER),
    (Party.CUSTOMER, Party.RETAILER),
    (Party.SUPPLIER, Party.RETAILER),
}
_MOST_CHARACTERS = 5000


def ask_inquiry(request: pb.AskInquiryRequest, edge: Edge) -> Ask:
    inquiry_id = plain_id(request.inquiry_id, "inquiry_id")
    by, of = shapes.party(request.asked_by, "asked_by"), shapes.party(request.asked_of, "asked_of")
    require((by, of) in _MAY_ASK, "asked_of", f"the {by} does not ask the {of}")
    order_id, supplier_order_id, supplier_id = _about(request, Party.SUPPLIER in (by, of))
    text, keys = _sealed(request, orders.anchor(order_id), edge)
    asked = InquiryAsked(
        inquiry_id=inquiry_id,
        asked_by=by,
        asked_of=of,
        topic=_topic(request.topic, "topic"),
        order_id=order_id,
        at=happened(request, edge.now),
        supplier_order_id=supplier_order_id,
        supplier_id=supplier_id,
        text=text,
        content=edge.digest,
    )
    streams = (inquiries.stream(inquiry_id), orders.stream(order_id), policies.stream())
    more = (suppliers.stream(supplier_id),) if supplier_id else ()
    return Ask(lambda view: supplier_inquiries.ask(view, asked), (*streams, *more), keys)


def _sealed(
    request: pb.AskInquiryRequest | pb.AnswerInquiryRequest, subject: str, edge: Edge
) -> tuple[Sealed | None, Sequence[PersonKey]]:
    """The text, sealed; it goes with the customer of the order that it is about."""
    written = shapes.lines(request.text, "text", _MOST_CHARACTERS)
    bound_to = placed(inquiries.stream(request.inquiry_id), "text")
    return sealed_with(edge.sealer, {"text": written} if written else {}, subject, bound_to)


def _about(request: pb.AskInquiryRequest, of_a_supplier: bool) -> tuple[str, str, str]:
    """The order, the supplier order and the supplier that a question is about, as far as it names them."""
    match request.WhichOneof("about"):
        case "supplier_order_id":
            supplier_order_id = shapes.supplier_order_id(request.supplier_order_id)
            require(not request.supplier_id, "supplier_id", "is known from the supplier order; leave it empty")
            return order_of(supplier_order_id), supplier_order_id, ""
        case "order_id":
            order_id = shapes.order_id(request.order_id)
            if of_a_supplier:
                return order_id, "", plain_id(request.supplier_id, "supplier_id")
            require(not request.supplier_id, "supplier_id", "no supplier asks or is asked; leave it empty")
            return order_id, "", ""
        case _:
            raise Malformed(("order_id", "is required, or supplier_order_id"))


def answer_inquiry(request: pb.AnswerInquiryRequest, edge: Edge) -> Ask:
    inquiry_id, at = plain_id(request.inquiry_id, "inquiry_id"), happened(request, edge.now)
    text, keys = _sealed(request, "", edge)
    stream = inquiries.stream(inquiry_id)

    def asked_in(view: View) -> Inquiry:
        return inquiries.known(inquiries.find(view, inquiry_id), inquiry_id)

    def decide(view: View) -> Sequence[Change]:
        inquiry = asked_in(view)
        answered = inquiries.InquiryAnswered(inquiry_id, at, edge.actor, inquiry.asked.supplier_id, text)
        return changes_of(stream, inquiries.answer(inquiry, answered, edge.now))

    return Ask(decide, (stream,), keys, lambda view: orders.anchor(asked_in(view).asked.order_id))


def close_inquiry(request: pb.CloseInquiryRequest, edge: Edge) -> Ask:
    inquiry_id, at = plain_id(request.inquiry_id, "inquiry_id"), happened(request, edge.now)
    because, stream = shapes.word(request.reason, "reason", 100), inquiries.stream(inquiry_id)
    closed = inquiries.InquiryClosed(inquiry_id, because, edge.actor, at)

    def decide(view: View) -> Sequence[Change]:
        inquiry = inquiries.known(inquiries.find(view, inquiry_id), inquiry_id)
        return changes_of(stream, inquiries.close(inquiry, closed, edge.now))

    return Ask(decide, (stream,))


READERS: Readers = {
    pb.AskInquiryRequest: Reader(ask_inquiry, makes="inquiry_id"),
    pb.AnswerInquiryRequest: Reader(answer_inquiry),
    pb.CloseInquiryRequest: Reader(close_inquiry),
}
