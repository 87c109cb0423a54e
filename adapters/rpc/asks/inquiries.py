"""InquiryService's commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from adapters.rpc import shapes
from adapters.rpc.asks.ask import Ask, Edge, reads, sealed_with
from adapters.rpc.shapes import enum, happened, plain_id, require, text
from fulfilment.v1 import inquiries_pb2
from ledger.decisions import supplier_inquiries
from ledger.engine.sealing import PersonKey
from ledger.facts import Change, Sealed, order_of
from ledger.nouns import inquiries, orders, policies, suppliers
from ledger.nouns.inquiries import InquiryAsked, Topic
from ledger.refusals import Malformed
from ledger.terms.parties import Party
from ledger.view import View

_topic = enum(inquiries_pb2.InquiryTopic, Topic, unspecified=Topic.OTHER)
_MAY_ASK = {
    (Party.RETAILER, Party.SUPPLIER),
    (Party.CUSTOMER, Party.RETAILER),
    (Party.SUPPLIER, Party.RETAILER),
}
_MOST_CHARACTERS = 5000


@reads(inquiries_pb2.AskInquiryRequest)
def ask_inquiry(request: inquiries_pb2.AskInquiryRequest, edge: Edge) -> Ask:
    inquiry_id = plain_id(request.inquiry_id, "inquiry_id")
    by, of = shapes.party(request.asked_by, "asked_by"), shapes.party(request.asked_of, "asked_of")
    require((by, of) in _MAY_ASK, "asked_of", f"the {by} does not ask the {of}")
    order_id, supplier_order_id, supplier_id = _about(request, Party.SUPPLIER in (by, of))
    asked = InquiryAsked(
        inquiry_id,
        by,
        of,
        _topic(request.topic, "topic"),
        order_id,
        happened(request, edge.now),
        supplier_order_id,
        supplier_id,
        content=edge.digest,
    )
    said = shapes.lines(request.text, "text", _MOST_CHARACTERS)
    streams = (inquiries.stream(inquiry_id), orders.stream(order_id), policies.stream())
    more = (suppliers.stream(supplier_id),) if supplier_id else ()
    return _sealing(
        edge,
        inquiry_id,
        said,
        (*streams, *more),
        lambda view: order_id,
        lambda view, sealed: supplier_inquiries.ask(view, replace(asked, text=sealed)),
    )


def _about(request: inquiries_pb2.AskInquiryRequest, of_a_supplier: bool) -> tuple[str, str, str]:
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


def _sealing(
    edge: Edge,
    inquiry_id: str,
    said: str,
    streams: tuple[str, ...],
    order_id_in: Callable[[View], str],
    use: Callable[[View, Sealed | None], Sequence[Change]],
) -> Ask:
    """A decision that seals what was said under the order's person, who is known only once the order is at hand."""
    keys: list[PersonKey] = []

    def decide(view: View) -> Sequence[Change]:
        keys.clear()
        order_id = order_id_in(view)
        order = orders.known(orders.find(view, order_id), order_id)
        subject = order.subject or edge.sealer.subject_of("", "", order_id)
        sealed, made = sealed_with(edge, {"text": said} if said else {}, subject, inquiries.stream(inquiry_id))
        keys.extend(made)
        return use(view, sealed)

    return Ask(decide, streams, keys)


@reads(inquiries_pb2.AnswerInquiryRequest)
def answer_inquiry(request: inquiries_pb2.AnswerInquiryRequest, edge: Edge) -> Ask:
    inquiry_id, at = plain_id(request.inquiry_id, "inquiry_id"), happened(request, edge.now)
    by, stream = request.context.actor, inquiries.stream(inquiry_id)

    def use(view: View, sealed: Sealed | None) -> Sequence[Change]:
        inquiry = inquiries.known(inquiries.find(view, inquiry_id), inquiry_id)
        answered = inquiries.InquiryAnswered(inquiry_id, at, by, inquiry.asked.supplier_id, sealed)
        return [(stream, fact) for fact in inquiries.answer(inquiry, answered, edge.now)]

    return _sealing(
        edge,
        inquiry_id,
        shapes.lines(request.text, "text", _MOST_CHARACTERS),
        (stream,),
        lambda view: inquiries.known(inquiries.find(view, inquiry_id), inquiry_id).asked.order_id,
        use,
    )


@reads(inquiries_pb2.CloseInquiryRequest)
def close_inquiry(request: inquiries_pb2.CloseInquiryRequest, edge: Edge) -> Ask:
    inquiry_id, at = plain_id(request.inquiry_id, "inquiry_id"), happened(request, edge.now)
    because, stream = text(request.reason, "reason", 100), inquiries.stream(inquiry_id)
    closed = inquiries.InquiryClosed(inquiry_id, because, request.context.actor, at)

    def decide(view: View) -> Sequence[Change]:
        inquiry = inquiries.known(inquiries.find(view, inquiry_id), inquiry_id)
        return [(stream, fact) for fact in inquiries.close(inquiry, closed, edge.now)]

    return Ask(decide, (stream,))
