"""OrderService's commands about what people put down beside an order: notes and tags."""

from __future__ import annotations

from adapters.rpc import shapes
from adapters.rpc.commands import Ask, Edge, Reader, Readers
from adapters.rpc.faults import require
from adapters.rpc.orders.asks import of_order
from adapters.rpc.sealing import sealed_note
from adapters.rpc.shapes import happened
from fulfilment.v1 import remarks_pb2 as pb
from ledger.decisions import remarks
from ledger.engine.sealing import placed
from ledger.nouns import orders

_MOST_NOTE = 10_000


def add_order_note(request: pb.AddOrderNoteRequest, edge: Edge) -> Ask:
    order_id, at = shapes.order_id(request.order_id), happened(request, edge.now)
    text = shapes.lines(request.note, "note", _MOST_NOTE, required=True)
    sealed, keys = sealed_note(edge.sealer, text, orders.anchor(order_id), placed(order_id, "note"))
    if sealed is None:  # that it is required was said
        return of_order(order_id, lambda view: [])
    digest = edge.sealer.digest(text.encode())
    note = orders.NoteAdded(order_id, sealed, digest, edge.actor, at)
    return Ask(lambda view: remarks.add_note(view, note), (orders.stream(order_id),), keys)


def tag_order(request: pb.TagOrderRequest, edge: Edge) -> Ask:
    order_id, at = shapes.order_id(request.order_id), happened(request, edge.now)
    added, removed = shapes.tags(request.add, "add"), shapes.tags(request.remove, "remove")
    require(bool(added or removed), "add", "is required, or remove: the tags that come or go")
    both = ", ".join(sorted({*added} & {*removed}))
    require(not both, "remove", f"{both}: to come and to go at once")
    change = orders.TagsChanged(order_id, edge.actor, at, added, removed)
    return of_order(order_id, lambda view: remarks.change_tags(view, change))


READERS: Readers = {
    pb.AddOrderNoteRequest: Reader(add_order_note),
    pb.TagOrderRequest: Reader(tag_order),
}
