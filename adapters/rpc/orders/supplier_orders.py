"""OrderService's commands about one supplier order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from adapters.rpc import shapes
from adapters.rpc.commands import Ask, Edge, Reader, Readers
from adapters.rpc.faults import require
from adapters.rpc.orders.asks import of_order
from adapters.rpc.shapes import by_line, carrier, count, enum, happened, instant
from fulfilment.v1 import supplier_orders_pb2
from ledger.decisions import cancelling, dispatch
from ledger.facts import Change, LineNo, order_of
from ledger.nouns import orders, parcels, policies
from ledger.nouns.orders import Told, breaches
from ledger.nouns.orders.supplier_orders import LineAnswer, RejectReason
from ledger.terms.clocks import Clock
from ledger.view import View

_reject_reason = enum(supplier_orders_pb2.RejectReason, RejectReason)
_clock = enum(supplier_orders_pb2.SupplierOrderClock, Clock)


def send_supplier_order(request: supplier_orders_pb2.SendSupplierOrderRequest, edge: Edge) -> Ask:
    supplier_order_id, at = shapes.supplier_order_id(request.supplier_order_id), happened(request, edge.now)
    return of_order(
        order_of(supplier_order_id),
        lambda view: dispatch.send_supplier_order(view, supplier_order_id, at, edge.now),
    )


def acknowledge_supplier_order(request: supplier_orders_pb2.AcknowledgeSupplierOrderRequest, edge: Edge) -> Ask:
    supplier_order_id, at = shapes.supplier_order_id(request.supplier_order_id), happened(request, edge.now)
    require(0 < len(request.lines) <= 1000, "lines", "is required: an answer for 1 to 1000 lines")
    answers: dict[LineNo, LineAnswer] = {}
    for index, line in enumerate(request.lines):
        line_no = LineNo(count(line.line_no, f"lines[{index}].line_no", 1))
        require(line_no not in answers, f"lines[{index}].line_no", f"line {line_no} is answered twice")
        answers[line_no] = _answer(line, f"lines[{index}]")
    return of_order(
        order_of(supplier_order_id),
        lambda view: dispatch.acknowledge(view, supplier_order_id, answers, at, edge.now),
    )


def _answer(line: supplier_orders_pb2.LineAnswer, field: str) -> LineAnswer:
    answer = LineAnswer(
        count(line.accepted, f"{field}.accepted"),
        count(line.backordered, f"{field}.backordered"),
        count(line.rejected, f"{field}.rejected"),
        instant(line, f"{field}.expected_at"),
        _reject_reason(line.reason, f"{field}.reason") if line.rejected else None,
    )
    require(answer.units > 0, field, "answers for no unit")
    return answer


def pack_supplier_order(request: supplier_orders_pb2.PackSupplierOrderRequest, edge: Edge) -> Ask:
    supplier_order_id, at = shapes.supplier_order_id(request.supplier_order_id), happened(request, edge.now)
    packed_with = shapes.words(request.packed_with, "packed_with")
    return of_order(
        order_of(supplier_order_id),
        lambda view: dispatch.pack(view, supplier_order_id, packed_with, at, edge.now),
    )


def ship_supplier_order(request: supplier_orders_pb2.ShipSupplierOrderRequest, edge: Edge) -> Ask:
    supplier_order_id, at = shapes.supplier_order_id(request.supplier_order_id), happened(request, edge.now)
    parcel = carrier(request.carrier), shapes.tracking_number(request.tracking_number)
    told = Told(by_line(request.lines), _by_sku(request.skus))
    return Ask(
        lambda view: dispatch.ship(view, supplier_order_id, *parcel, told, at, edge.now),
        (orders.stream(order_of(supplier_order_id)), parcels.stream(*parcel), policies.stream()),
    )


def _by_sku(skus: Iterable[supplier_orders_pb2.SkuUnits]) -> dict[str, int]:
    units: dict[str, int] = {}
    for index, each in enumerate(skus):
        sku = shapes.sku(each.sku, f"skus[{index}].sku")
        require(sku not in units, f"skus[{index}].sku", f"{sku} is named twice")
        units[sku] = count(each.units, f"skus[{index}].units", 1)
    return units


def answer_cancel_request(request: supplier_orders_pb2.AnswerCancelRequestRequest, edge: Edge) -> Ask:
    supplier_order_id, at = shapes.supplier_order_id(request.supplier_order_id), happened(request, edge.now)
    agreed, because = request.agreed, shapes.word(request.reason, "reason", 100)
    return of_order(
        order_of(supplier_order_id),
        lambda view: cancelling.answer_cancel(view, supplier_order_id, agreed, because, at, edge.now),
    )


def rule_delay(request: supplier_orders_pb2.RuleDelayRequest, edge: Edge) -> Ask:
    supplier_order_id, at = shapes.supplier_order_id(request.supplier_order_id), happened(request, edge.now)
    clock, party = _clock(request.clock, "clock"), shapes.party(request.party, "party")
    because = shapes.word(request.reason, "reason", 100, required=True)
    order_id = order_of(supplier_order_id)

    def decide(view: View) -> Sequence[Change]:
        order = orders.known(orders.find(view, order_id), order_id)
        ruled = breaches.rule_delay(order, supplier_order_id, clock, party, because, edge.actor, at, edge.now)
        return [(orders.stream(order_id), fact) for fact in ruled]

    return of_order(order_id, decide)


READERS: Readers = {
    supplier_orders_pb2.SendSupplierOrderRequest: Reader(send_supplier_order),
    supplier_orders_pb2.AcknowledgeSupplierOrderRequest: Reader(acknowledge_supplier_order),
    supplier_orders_pb2.PackSupplierOrderRequest: Reader(pack_supplier_order),
    supplier_orders_pb2.ShipSupplierOrderRequest: Reader(ship_supplier_order),
    supplier_orders_pb2.AnswerCancelRequestRequest: Reader(answer_cancel_request),
    supplier_orders_pb2.RuleDelayRequest: Reader(rule_delay),
}
