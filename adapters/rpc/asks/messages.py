"""MessageService's commands."""

from __future__ import annotations

from adapters.rpc.asks.ask import Ask, Edge, reads
from adapters.rpc.shapes import message_id, text
from fulfilment.v1 import messages_pb2
from ledger.decisions import notices
from ledger.nouns import messages


@reads(messages_pb2.RetryMessageRequest)
def retry_message(request: messages_pb2.RetryMessageRequest, edge: Edge) -> Ask:
    which, by = message_id(request.message_id), edge.actor
    return Ask(lambda view: notices.retry(view, which, by, edge.now), (messages.stream(which),))


@reads(messages_pb2.CancelMessageRequest)
def cancel_message(request: messages_pb2.CancelMessageRequest, edge: Edge) -> Ask:
    which, by = message_id(request.message_id), edge.actor
    because = text(request.reason, "reason", 100) or "by_a_person"
    return Ask(lambda view: notices.cancel(view, which, because, by, edge.now), (messages.stream(which),))
