"""StockUpService's commands."""

from __future__ import annotations

from adapters.rpc import shapes
from adapters.rpc.commands import Ask, Edge, Reader, Readers
from adapters.rpc.faults import require
from adapters.rpc.sealing import sealed_text
from adapters.rpc.shapes import count, happened, instant, plain_id, text
from fulfilment.v1 import stock_ups_pb2 as pb
from ledger.decisions import stocking_up
from ledger.nouns import stock_ups, suppliers
from ledger.nouns.stock_ups import StockUpAnswered, StockUpAsked, StockUpWithdrawn
from ledger.view import View


def ask_stock_up(request: pb.AskStockUpRequest, edge: Edge) -> Ask:
    stock_up_id, supplier_id = (
        plain_id(request.stock_up_id, "stock_up_id"),
        plain_id(request.supplier_id, "supplier_id"),
    )
    at, until = happened(request, edge.now), instant(request, "until")
    require(until is not None and until > at, "until", "is required, later than it is asked")
    asked = StockUpAsked(
        stock_up_id=stock_up_id,
        supplier_id=supplier_id,
        sku=shapes.sku(request.sku, "sku"),
        units=count(request.units, "units", 1),
        until=until or at,
        at=at,
        by=edge.actor,
        answer_by=instant(request, "answer_by"),
    )
    streams = (stock_ups.stream(stock_up_id), suppliers.stream(supplier_id))
    return Ask(lambda view: stocking_up.ask(view, asked), streams)


def answer_stock_up(request: pb.AnswerStockUpRequest, edge: Edge) -> Ask:
    stock_up_id, units = plain_id(request.stock_up_id, "stock_up_id"), count(request.units, "units")
    since = instant(request, "since")
    require(since is not None or not units, "since", "is required: from when on the units are there")
    answered = StockUpAnswered(stock_up_id, units, happened(request, edge.now), since if units else None, edge.actor)
    return Ask(lambda view: stocking_up.answer(view, answered, edge.now), (stock_ups.stream(stock_up_id),))


def withdraw_stock_up(request: pb.WithdrawStockUpRequest, edge: Edge) -> Ask:
    """The reason is sealed for the supplier that was asked."""
    stock_up_id, written = plain_id(request.stock_up_id, "stock_up_id"), text(request.reason, "reason", 200)
    stream = stock_ups.stream(stock_up_id)
    because, keys = sealed_text(edge.sealer, written, "", stream)
    withdrawn = StockUpWithdrawn(stock_up_id, because, edge.actor, happened(request, edge.now))

    def owner(view: View) -> str:
        return suppliers.stream(stock_ups.known(stock_ups.find(view, stock_up_id), stock_up_id).asked.supplier_id)

    return Ask(lambda view: stocking_up.withdraw(view, withdrawn, edge.now), (stream,), keys, owner)


READERS: Readers = {
    pb.AskStockUpRequest: Reader(ask_stock_up),
    pb.AnswerStockUpRequest: Reader(answer_stock_up),
    pb.WithdrawStockUpRequest: Reader(withdraw_stock_up),
}
