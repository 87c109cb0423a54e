"""Requests into commands: for each request message, what it asks of the ledger.

One function a request, in the order of the services. It checks shapes, names the streams it is known
to touch, and returns a decision: a call of a pure function with the folded streams to come. Personal
data is sealed here and goes no further in plain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from google.protobuf.message import Message
from msgspec.structs import replace

from adapters.rpc import shapes
from adapters.rpc.shapes import by_line, carrier, count, enum, happened, instant, plain_id, require, text
from fulfilment.v1 import admin_pb2, common_pb2, orders_pb2, parcels_pb2, stock_pb2, suppliers_pb2
from ledger import fulfilment, orders, parcels, policies, stock, suppliers
from ledger.fulfilment import View
from ledger.personal import PersonKey, Sealer
from ledger.refusals import Malformed
from ledger.supplier_orders import Answer, RejectReason
from ledger.values import (
    Change,
    Destination,
    LineNo,
    Priority,
    Sealed,
    order_of,
    order_stream,
    parcel_stream,
    policy_stream,
    stock_stream,
    supplier_stream,
)

Decide = Callable[[View], Sequence[Change]]
M = TypeVar("M", bound=Message)


class Ask(NamedTuple):
    """What a request asks: a decision, the streams it is known to touch (the subject first), keys of what it seals."""

    decide: Decide
    streams: tuple[str, ...]
    keys: Sequence[PersonKey] = ()


class Edge(NamedTuple):
    """What translating needs beside the request."""

    sealer: Sealer
    now: datetime
    digest: str
    """A keyed hash of the request without its context, which recognises the same content again."""


READERS: dict[type[Message], Callable[[Any, Edge], Ask]] = {}
"""For every command's request: how it is read."""


def reads(request: type[M]) -> Callable[[Callable[[M, Edge], Ask]], Callable[[M, Edge], Ask]]:
    def register(reader: Callable[[M, Edge], Ask]) -> Callable[[M, Edge], Ask]:
        READERS[request] = reader
        return reader

    return register


_payment = enum(orders_pb2.PaymentState, orders.PaymentState, unspecified=orders.PaymentState.UNKNOWN)
_priority = enum(orders_pb2.Priority, Priority, unspecified=Priority.STANDARD)
_hold_reason = enum(orders_pb2.HoldReason, orders.HoldReason)
_reject_reason = enum(orders_pb2.RejectReason, RejectReason)
_parcel_status = enum(parcels_pb2.ParcelStatus, parcels.ParcelStatus)
_PARTIES: dict[int, str] = {
    value: name.removeprefix("PARTY_").lower() for name, value in common_pb2.Party.items() if value
}


def _party(value: int, field: str) -> str:
    require(value in _PARTIES, field, f"is required: one of {', '.join(common_pb2.Party.keys()[1:])}")
    return _PARTIES[value]


# --- orders ---------------------------------------------------------------------------------------


def _line(line: orders_pb2.OrderLine, index: int) -> orders.Line:
    field = f"lines[{index}]"
    require(0 <= line.unit_price_minor <= 10**15, f"{field}.unit_price_minor", "is negative or beyond all reason")
    return orders.Line(
        LineNo(count(line.line_no, f"{field}.line_no") or index + 1),
        shapes.sku(line.sku, f"{field}.sku") if line.sku else "",
        count(line.quantity, f"{field}.quantity"),
        line.unit_price_minor,
        text(line.title, f"{field}.title", 500),
        plain_id(line.supplier_id, f"{field}.supplier_id") if line.supplier_id else "",
        instant(line, f"{field}.dispatch_by"),
        text(line.hs_code, f"{field}.hs_code", 12),
        shapes.country(line.origin, f"{field}.origin"),
        count(line.weight_grams, f"{field}.weight_grams", most=10**9),
    )


def _lines(messages: Sequence[orders_pb2.OrderLine]) -> tuple[orders.Line, ...]:
    require(len(messages) <= 1000, "lines", f"{len(messages)} lines, 1000 at most")
    lines = tuple(_line(message, index) for index, message in enumerate(messages))
    if len({line.line_no for line in lines}) != len(lines):
        raise Malformed("lines", "two lines have the same line_no")
    return lines


class _Person(NamedTuple):
    """A customer and an address: what is sealed, and what stays readable."""

    personal: dict[str, Any]
    destination: Destination
    has_contact: bool
    has_address: bool


def _person(customer: orders_pb2.Customer, address: orders_pb2.Address, note: str = "") -> _Person:
    require(len(address.lines) <= 5, "ship_to.lines", f"{len(address.lines)} lines, 5 at most")
    personal: dict[str, Any] = {
        "name": text(customer.name, "customer.name", 200),
        "email": text(customer.email, "customer.email", 254),
        "phone": text(customer.phone, "customer.phone", 50),
        "lines": [text(line, f"ship_to.lines[{index}]", 200) for index, line in enumerate(address.lines)],
        "city": text(address.city, "ship_to.city", 100),
        "postal_code": text(address.postal_code, "ship_to.postal_code", 20),
        "note": text(note, "note", 2000),
    }
    # Half of a postal code, and never more than three characters, finds a district but no house.
    prefix = address.postal_code[: min(3, len(address.postal_code) // 2)]
    country = shapes.country(address.country, "ship_to.country")
    destination = Destination(country, text(address.region, "ship_to.region", 100), prefix)
    return _Person(
        {name: value for name, value in personal.items() if value},
        destination,
        has_contact=bool(customer.email or customer.phone),
        has_address=bool(country and (address.city or address.lines)),
    )


@reads(orders_pb2.PlaceOrderRequest)
def place_order(request: orders_pb2.PlaceOrderRequest, edge: Edge) -> Ask:
    channel = plain_id(request.channel, "channel")
    number = plain_id(request.channel_order_id, "channel_order_id")
    order_id = f"{channel}/{number}"
    lines = _lines(request.lines)
    person = _person(request.customer, request.ship_to, request.note)
    subject = edge.sealer.subject_of(request.customer.email, request.customer.phone, order_id)
    sealed, keys = _sealed(edge, person.personal, subject, order_id)
    cart_id = plain_id(request.reservation_id, "reservation_id") if request.reservation_id else ""
    placed_at = happened(request, edge.now, "placed_at")
    intake = orders.OrderPlaced(
        order_id,
        channel,
        number,
        placed_at,
        shapes.currency(request.currency, "currency", required=bool(lines)),
        lines,
        placed_at,
        edge.digest,
        sealed,
        subject if sealed else "",
        person.has_contact,
        person.has_address,
        person.destination,
        _payment(request.payment, "payment"),
        _priority(request.priority, "priority"),
        instant(request, "promised_by"),
        shapes.words(request.packing, "packing"),
        request.gift,
    )
    all_or_nothing = request.stock_policy == orders_pb2.STOCK_POLICY_ALL_OR_NOTHING
    items = {(line.supplier_id, line.sku): None for line in lines if line.supplier_id}
    streams = (
        order_stream(order_id),
        policy_stream(),
        *(stock_stream(*item) for item in items),
        *{supplier_stream(supplier_id): None for supplier_id, _ in items},
    )
    return Ask(lambda view: fulfilment.place(view, intake, all_or_nothing, cart_id, edge.now), streams, keys)


def _sealed(
    edge: Edge, personal: Mapping[str, Any], subject: str, bound_to: str
) -> tuple[Sealed | None, tuple[PersonKey, ...]]:
    if not personal:
        return None, ()
    sealed, key = edge.sealer.seal(personal, subject, bound_to)
    return sealed, (key,)


def _seals(
    order_id: str, personal: Mapping[str, Any], edge: Edge, use: Callable[[View, Sealed | None], Sequence[Change]]
) -> tuple[Decide, list[PersonKey]]:
    """A decision that seals under the order's own person, who is known only once the order is at hand."""
    keys: list[PersonKey] = []

    def decide(view: View) -> Sequence[Change]:
        keys.clear()
        order = orders.known(view.order(order_id), order_id)
        sealed, made = _sealed(edge, personal, order.subject or edge.sealer.subject_of("", "", order_id), order_id)
        keys.extend(made)
        return use(view, sealed)

    return decide, keys


def _new_person(
    customer: orders_pb2.Customer, address: orders_pb2.Address, order_id: str, edge: Edge
) -> tuple[_Person, str, Sealed | None, tuple[PersonKey, ...]]:
    person = _person(customer, address)
    subject = edge.sealer.subject_of(customer.email, customer.phone, order_id)
    return (person, subject, *_sealed(edge, person.personal, subject, order_id))


@reads(orders_pb2.CompleteDetailsRequest)
def complete_details(request: orders_pb2.CompleteDetailsRequest, edge: Edge) -> Ask:
    order_id = shapes.order_id(request.order_id)
    lines = _lines(request.lines)
    at = happened(request, edge.now)
    if request.HasField("customer") != request.HasField("ship_to"):
        absent = "ship_to" if request.HasField("customer") else "customer"
        raise Malformed(absent, "customer and ship_to are replaced together")
    person, subject, sealed, keys = _new_person(request.customer, request.ship_to, order_id, edge)
    payment = _payment(request.payment, "payment")
    details = orders.DetailsCompleted(
        order_id,
        at,
        lines,
        sealed,
        subject if sealed else "",
        person.has_contact,
        person.has_address,
        person.destination if sealed else None,
        shapes.currency(request.currency, "currency", required=False),
    )
    said = None if payment is orders.PaymentState.UNKNOWN else payment
    return Ask(lambda view: fulfilment.complete_details(view, details, said, edge.now), (order_stream(order_id),), keys)


@reads(orders_pb2.RecordPaymentRequest)
def record_payment(request: orders_pb2.RecordPaymentRequest, edge: Edge) -> Ask:
    order_id = shapes.order_id(request.order_id)
    require(request.payment != 0, "payment", "is required")
    payment, at = _payment(request.payment, "payment"), happened(request, edge.now)
    return _of_order(order_id, lambda view: fulfilment.record_payment(view, order_id, payment, at, edge.now))


def _of_order(order_id: str, decide: Decide) -> Ask:
    return Ask(decide, (order_stream(order_id),))


@reads(orders_pb2.PlaceHoldRequest)
def place_hold(request: orders_pb2.PlaceHoldRequest, edge: Edge) -> Ask:
    order_id = shapes.order_id(request.order_id)
    hold = orders.Hold(
        _hold_reason(request.reason, "reason"),
        text(request.owner, "owner", 100, required=True),
        happened(request, edge.now),
        supplier_order_id=_supplier_order_of(order_id, request.supplier_order_id),
    )
    note = text(request.note, "note", 2000)

    def use(view: View, sealed: Sealed | None) -> Sequence[Change]:
        order = orders.known(view.order(order_id), order_id)
        return [(order_stream(order_id), fact) for fact in orders.place_hold(order, replace(hold, note=sealed))]

    decide, keys = _seals(order_id, {"note": note} if note else {}, edge, use)
    return Ask(decide, (order_stream(order_id),), keys)


def _supplier_order_of(order_id: str, supplier_order_id: str) -> str:
    if supplier_order_id:
        shapes.supplier_order_id(supplier_order_id)
        require(order_of(supplier_order_id) == order_id, "supplier_order_id", f"does not belong to {order_id}")
    return supplier_order_id


@reads(orders_pb2.ReleaseHoldRequest)
def release_hold(request: orders_pb2.ReleaseHoldRequest, edge: Edge) -> Ask:
    order_id = shapes.order_id(request.order_id)
    reason, owner = _hold_reason(request.reason, "reason"), text(request.owner, "owner", 100)
    scope, at = _supplier_order_of(order_id, request.supplier_order_id), happened(request, edge.now)
    return _of_order(order_id, lambda view: fulfilment.release_hold(view, order_id, reason, owner, scope, at, edge.now))


@reads(orders_pb2.ConfirmOrderRequest)
def confirm_order(request: orders_pb2.ConfirmOrderRequest, edge: Edge) -> Ask:
    order_id, at = shapes.order_id(request.order_id), happened(request, edge.now)
    by, backorder = request.context.actor or "unknown", request.backorder_lacking
    return _of_order(order_id, lambda view: fulfilment.confirm(view, order_id, backorder, by, at, edge.now))


@reads(orders_pb2.SendSupplierOrderRequest)
def send_supplier_order(request: orders_pb2.SendSupplierOrderRequest, edge: Edge) -> Ask:
    supplier_order_id, at = shapes.supplier_order_id(request.supplier_order_id), happened(request, edge.now)
    return _of_order(
        order_of(supplier_order_id),
        lambda view: fulfilment.send_supplier_order(view, supplier_order_id, at, edge.now),
    )


@reads(orders_pb2.AcknowledgeSupplierOrderRequest)
def acknowledge_supplier_order(request: orders_pb2.AcknowledgeSupplierOrderRequest, edge: Edge) -> Ask:
    supplier_order_id, at = shapes.supplier_order_id(request.supplier_order_id), happened(request, edge.now)
    require(0 < len(request.lines) <= 1000, "lines", "is required: an answer for 1 to 1000 lines")
    answers: dict[LineNo, Answer] = {}
    for index, line in enumerate(request.lines):
        line_no = LineNo(count(line.line_no, f"lines[{index}].line_no", 1))
        require(line_no not in answers, f"lines[{index}].line_no", f"line {line_no} is answered twice")
        answers[line_no] = _answer(line, f"lines[{index}]")
    return _of_order(
        order_of(supplier_order_id),
        lambda view: fulfilment.acknowledge(view, supplier_order_id, answers, at, edge.now),
    )


def _answer(line: orders_pb2.LineAnswer, field: str) -> Answer:
    answer = Answer(
        count(line.accepted, f"{field}.accepted"),
        count(line.backordered, f"{field}.backordered"),
        count(line.rejected, f"{field}.rejected"),
        instant(line, f"{field}.expected_at"),
        _reject_reason(line.reason, f"{field}.reason") if line.rejected else None,
    )
    require(answer.units > 0, field, "answers for no unit")
    return answer


@reads(orders_pb2.PackSupplierOrderRequest)
def pack_supplier_order(request: orders_pb2.PackSupplierOrderRequest, edge: Edge) -> Ask:
    supplier_order_id, at = shapes.supplier_order_id(request.supplier_order_id), happened(request, edge.now)
    packed_with = shapes.words(request.packed_with, "packed_with")
    return _of_order(
        order_of(supplier_order_id),
        lambda view: fulfilment.pack(view, supplier_order_id, packed_with, at, edge.now),
    )


@reads(orders_pb2.ShipSupplierOrderRequest)
def ship_supplier_order(request: orders_pb2.ShipSupplierOrderRequest, edge: Edge) -> Ask:
    supplier_order_id, at = shapes.supplier_order_id(request.supplier_order_id), happened(request, edge.now)
    parcel = carrier(request.carrier), shapes.tracking_number(request.tracking_number)
    lines = by_line(request.lines)
    return Ask(
        lambda view: fulfilment.ship(view, supplier_order_id, *parcel, lines, at, edge.now),
        (order_stream(order_of(supplier_order_id)), parcel_stream(*parcel), policy_stream()),
    )


@reads(orders_pb2.CancelOrderRequest)
def cancel_order(request: orders_pb2.CancelOrderRequest, edge: Edge) -> Ask:
    order_id, at, lines = shapes.order_id(request.order_id), happened(request, edge.now), by_line(request.lines)
    by, because = _party(request.by, "by"), text(request.reason, "reason", 100)
    return _of_order(order_id, lambda view: fulfilment.cancel(view, order_id, lines, by, because, at, edge.now))


@reads(orders_pb2.AnswerCancelRequestRequest)
def answer_cancel_request(request: orders_pb2.AnswerCancelRequestRequest, edge: Edge) -> Ask:
    supplier_order_id, at = shapes.supplier_order_id(request.supplier_order_id), happened(request, edge.now)
    agreed, because = request.agreed, text(request.reason, "reason", 100)
    return _of_order(
        order_of(supplier_order_id),
        lambda view: fulfilment.answer_cancel(view, supplier_order_id, agreed, because, at, edge.now),
    )


@reads(orders_pb2.ChangeAddressRequest)
def change_address(request: orders_pb2.ChangeAddressRequest, edge: Edge) -> Ask:
    order_id, at = shapes.order_id(request.order_id), happened(request, edge.now)
    person, subject, sealed, keys = _new_person(request.customer, request.ship_to, order_id, edge)
    require(person.has_contact, "customer", "is required with an e-mail address or a phone number")
    require(person.has_address, "ship_to", "is required with a country and a street or town")
    assert sealed is not None, "a contact and an address are something to seal"
    changed = orders.AddressChanged(order_id, sealed, person.destination, at, subject)
    return Ask(lambda view: fulfilment.change_address(view, changed, edge.now), (order_stream(order_id),), keys)


@reads(orders_pb2.ConfirmReceiptRequest)
def confirm_receipt(request: orders_pb2.ConfirmReceiptRequest, edge: Edge) -> Ask:
    order_id, at, by = shapes.order_id(request.order_id), happened(request, edge.now), _party(request.by, "by")
    return _of_order(order_id, lambda view: fulfilment.confirm_receipt(view, order_id, by, at, edge.now))


@reads(orders_pb2.RecordReviewRequest)
def record_review(request: orders_pb2.RecordReviewRequest, edge: Edge) -> Ask:
    order_id, at = shapes.order_id(request.order_id), happened(request, edge.now)
    review_id, score = plain_id(request.review_id, "review_id"), count(request.score, "score", 1, 5)
    return _of_order(order_id, lambda view: fulfilment.review(view, order_id, review_id, score, at))


# --- stock ----------------------------------------------------------------------------------------


def _item(item: stock_pb2.Item, field: str = "item") -> fulfilment.Item:
    return plain_id(item.supplier_id, f"{field}.supplier_id"), shapes.sku(item.sku, f"{field}.sku")


def items_of(items: Sequence[stock_pb2.Item], field: str = "items") -> list[fulfilment.Item]:
    require(0 < len(items) <= 100, field, "is required: 1 to 100 items")
    found = [_item(item, f"{field}[{index}]") for index, item in enumerate(items)]
    require(len(set(found)) == len(found), field, "an item is named twice")
    return found


@reads(stock_pb2.RecordFeedRequest)
def record_feed(request: stock_pb2.RecordFeedRequest, edge: Edge) -> Ask:
    item = _item(request.item)
    feed = stock.Feed(
        count(request.quantity, "quantity", most=2**31 - 1),
        count(request.feed_version, "feed_version", 1, 2**62),
        happened(request, edge.now, "as_of"),
        instant(request, "includes_orders_up_to"),
    )
    return _of_stock(item, lambda own: stock.record_feed(own, *item, feed, edge.now))


def _of_stock(item: fulfilment.Item, decide: Callable[[stock.Stock | None], Sequence[stock.StockFact]]) -> Ask:
    stream = stock_stream(*item)
    return Ask(lambda view: [(stream, fact) for fact in decide(view.stock(*item))], (stream,))


@reads(stock_pb2.SetBufferRequest)
def set_buffer(request: stock_pb2.SetBufferRequest, edge: Edge) -> Ask:
    item, units = _item(request.item), count(request.units, "units")
    return _of_stock(item, lambda own: stock.set_buffer(own, *item, units, edge.now))


@reads(stock_pb2.ReserveRequest)
def reserve(request: stock_pb2.ReserveRequest, edge: Edge) -> Ask:
    reservation_id = plain_id(request.reservation_id, "reservation_id")
    items = items_of([wanted.item for wanted in request.items])
    units = [count(wanted.units, f"items[{index}].units", 1) for index, wanted in enumerate(request.items)]
    hold_for = request.hold_for.ToTimedelta() if request.HasField("hold_for") else None
    in_bounds = hold_for is None or timedelta(seconds=1) <= hold_for <= timedelta(days=30)
    require(in_bounds, "hold_for", "is not between 1 second and 30 days")
    wanted = dict(zip(items, units, strict=True))
    return Ask(
        lambda view: fulfilment.reserve(view, reservation_id, wanted, hold_for, edge.now),
        (*(stock_stream(*item) for item in items), policy_stream()),
    )


@reads(stock_pb2.ExtendReservationRequest)
def extend_reservation(request: stock_pb2.ExtendReservationRequest, edge: Edge) -> Ask:
    reservation_id, items = plain_id(request.reservation_id, "reservation_id"), items_of(request.items)
    expires_at = instant(request, "expires_at")
    require(expires_at is not None and expires_at > edge.now, "expires_at", "is required and must lie ahead")
    assert expires_at is not None
    latest = edge.now + timedelta(days=30)
    require(expires_at <= latest, "expires_at", "is more than 30 days ahead")
    return Ask(
        lambda view: [
            (stock_stream(*item), fact)
            for item in items
            for fact in stock.extend(view.stock(*item), *item, reservation_id, expires_at, edge.now, edge.now)
        ],
        tuple(stock_stream(*item) for item in items),
    )


@reads(stock_pb2.ReleaseReservationRequest)
def release_reservation(request: stock_pb2.ReleaseReservationRequest, edge: Edge) -> Ask:
    reservation_id, items = plain_id(request.reservation_id, "reservation_id"), items_of(request.items)
    return Ask(
        lambda view: [
            (stock_stream(*item), fact)
            for item in items
            for fact in stock.release_hold(view.stock(*item), *item, reservation_id, edge.now)
        ],
        tuple(stock_stream(*item) for item in items),
    )


# --- suppliers ------------------------------------------------------------------------------------


def _of_supplier(supplier_id: str, decide: Callable[[suppliers.Supplier], Sequence[suppliers.SupplierFact]]) -> Ask:
    stream = supplier_stream(supplier_id)

    def known(view: View) -> Sequence[Change]:
        supplier = suppliers.known(view.supplier(supplier_id), supplier_id)
        return [(stream, fact) for fact in decide(supplier)]

    return Ask(known, (stream,))


@reads(suppliers_pb2.RegisterSupplierRequest)
def register_supplier(request: suppliers_pb2.RegisterSupplierRequest, edge: Edge) -> Ask:
    supplier_id = plain_id(request.supplier_id, "supplier_id")
    stream = supplier_stream(supplier_id)
    contact = text(request.contact, "contact", 2000)
    address = text(request.return_address, "return_address", 2000)
    sealed_contact, contact_keys = _sealed(edge, {"contact": contact} if contact else {}, stream, stream)
    sealed_address, address_keys = _sealed(edge, {"address": address} if address else {}, stream, stream)
    registration = suppliers.SupplierRegistered(
        supplier_id,
        text(request.name, "name", 200, required=True),
        happened(request, edge.now),
        shapes.country(request.country, "country"),
        sealed_contact,
        sealed_address,
        request.return_freight_paid_by_supplier,
        shapes.words(request.packing, "packing"),
    )
    return Ask(
        lambda view: [(stream, fact) for fact in suppliers.register(view.supplier(supplier_id), registration)],
        (stream,),
        (*contact_keys, *address_keys),
    )


@reads(suppliers_pb2.ReviewSampleRequest)
def review_sample(request: suppliers_pb2.ReviewSampleRequest, edge: Edge) -> Ask:
    supplier_id = plain_id(request.supplier_id, "supplier_id")
    review = suppliers.SampleReviewed(
        supplier_id,
        request.material_matches,
        request.packaging_matches,
        request.manual_matches,
        happened(request, edge.now),
    )
    return _of_supplier(supplier_id, lambda supplier: suppliers.review_sample(supplier, review))


@reads(suppliers_pb2.AgreeTermsRequest)
def agree_terms(request: suppliers_pb2.AgreeTermsRequest, edge: Edge) -> Ask:
    supplier_id, at = plain_id(request.supplier_id, "supplier_id"), happened(request, edge.now)
    agreement = _agreement(request.agreement)
    return _of_supplier(supplier_id, lambda supplier: suppliers.agree_terms(supplier, agreement, at))


def _agreement(terms: suppliers_pb2.Agreement) -> suppliers.Agreement:
    effective_from = instant(terms, "agreement.effective_from")
    effective_until = instant(terms, "agreement.effective_until")
    if effective_from is None:
        raise Malformed("agreement.effective_from", "is required")
    ends_after = effective_until is None or effective_until > effective_from
    require(ends_after, "agreement.effective_until", "is not after effective_from")
    require(len(terms.peaks) <= 50, "agreement.peaks", "more than 50 periods")
    return suppliers.Agreement(
        effective_from,
        effective_until,
        _hours(terms, "acknowledge_within_hours"),
        _hours(terms, "dispatch_within_hours"),
        _hours(terms, "express_dispatch_within_hours"),
        _hours(terms, "first_scan_within_hours"),
        _hours(terms, "answer_within_hours"),
        count(terms.compensation_basis_points, "agreement.compensation_basis_points", most=10_000),
        shapes.money(terms.compensation_cap, "agreement.compensation_cap")
        if terms.HasField("compensation_cap")
        else None,
        _hours(terms, "feed_interval_hours"),
        tuple(_peak(peak, f"agreement.peaks[{index}]") for index, peak in enumerate(terms.peaks)),
    )


def _hours(terms: suppliers_pb2.Agreement, name: Any) -> int | None:
    return count(getattr(terms, name), f"agreement.{name}", 1, 10_000) if terms.HasField(name) else None


def _peak(peak: suppliers_pb2.PeakPeriod, field: str) -> suppliers.PeakPeriod:
    since, until = instant(peak, f"{field}.since"), instant(peak, f"{field}.until")
    if since is None or until is None or since >= until:
        raise Malformed(field, "needs since and a later until")
    return suppliers.PeakPeriod(since, until, count(peak.extra_hours, f"{field}.extra_hours", 1, 1000))


@reads(suppliers_pb2.ApproveSupplierRequest)
def approve_supplier(request: suppliers_pb2.ApproveSupplierRequest, edge: Edge) -> Ask:
    supplier_id, at = plain_id(request.supplier_id, "supplier_id"), happened(request, edge.now)
    return _of_supplier(supplier_id, lambda supplier: suppliers.approve(supplier, at))


@reads(suppliers_pb2.OfferSkuRequest)
def offer_sku(request: suppliers_pb2.OfferSkuRequest, edge: Edge) -> Ask:
    supplier_id, at = plain_id(request.supplier_id, "supplier_id"), happened(request, edge.now)
    require(len(request.offer.backups) <= 10, "offer.backups", "more than 10 suppliers")
    offer = suppliers.Offer(
        shapes.sku(request.offer.sku, "offer.sku"),
        shapes.money(request.offer.cost, "offer.cost"),
        count(request.offer.minimum_quantity, "offer.minimum_quantity") or 1,
        count(request.offer.lead_time_days, "offer.lead_time_days", most=1000),
        tuple(plain_id(backup, f"offer.backups[{i}]") for i, backup in enumerate(request.offer.backups)),
    )
    return _of_supplier(supplier_id, lambda supplier: suppliers.offer_sku(supplier, offer, at))


@reads(suppliers_pb2.SuspendSupplierRequest)
def suspend_supplier(request: suppliers_pb2.SuspendSupplierRequest, edge: Edge) -> Ask:
    supplier_id, at = plain_id(request.supplier_id, "supplier_id"), happened(request, edge.now)
    because = text(request.reason, "reason", 500)
    return _of_supplier(supplier_id, lambda supplier: suppliers.suspend(supplier, because, at))


@reads(suppliers_pb2.ReinstateSupplierRequest)
def reinstate_supplier(request: suppliers_pb2.ReinstateSupplierRequest, edge: Edge) -> Ask:
    supplier_id, at = plain_id(request.supplier_id, "supplier_id"), happened(request, edge.now)
    return _of_supplier(supplier_id, lambda supplier: suppliers.reinstate(supplier, at))


@reads(suppliers_pb2.RetireSupplierRequest)
def retire_supplier(request: suppliers_pb2.RetireSupplierRequest, edge: Edge) -> Ask:
    supplier_id, at = plain_id(request.supplier_id, "supplier_id"), happened(request, edge.now)
    because = text(request.reason, "reason", 500)
    return _of_supplier(supplier_id, lambda supplier: suppliers.retire(supplier, because, at))


# --- parcels --------------------------------------------------------------------------------------


def parcel_of(request: Any) -> tuple[str, str]:
    """The carrier and the number a request names."""
    return carrier(request.carrier), shapes.tracking_number(request.tracking_number)


@reads(parcels_pb2.RegisterParcelRequest)
def register_parcel(request: parcels_pb2.RegisterParcelRequest, edge: Edge) -> Ask:
    parcel, at = parcel_of(request), happened(request, edge.now)
    registration = parcels.ParcelRegistered(*parcel, 0, at)
    return Ask(lambda view: fulfilment.register_parcel(view, registration), (parcel_stream(*parcel), policy_stream()))


@reads(parcels_pb2.RecordCheckpointsRequest)
def record_checkpoints(request: parcels_pb2.RecordCheckpointsRequest, edge: Edge) -> Ask:
    parcel = parcel_of(request)
    require(0 < len(request.checkpoints) <= 200, "checkpoints", "is required: 1 to 200 scans")
    scans = [_scan(scan, f"checkpoints[{i}]", edge.now) for i, scan in enumerate(request.checkpoints)]
    messages = [text(scan.message, f"checkpoints[{i}].message", 500) for i, scan in enumerate(request.checkpoints)]
    keys: list[PersonKey] = []

    def decide(view: View) -> Sequence[Change]:
        told = _with_messages(view, parcel, scans, messages, edge, keys) if any(messages) else scans
        return fulfilment.record_checkpoints(view, *parcel, told, edge.now, edge.now)

    return Ask(decide, (parcel_stream(*parcel),), keys)


def _scan(scan: parcels_pb2.Checkpoint, field: str, now: datetime) -> parcels.Checkpoint:
    require(scan.HasField("at"), f"{field}.at", "is required")
    return parcels.Checkpoint(
        happened(scan, now, f"{field}.at"),
        _parcel_status(scan.status, f"{field}.status"),
        text(scan.code, f"{field}.code", 100),
        text(scan.city, f"{field}.city", 100),
        shapes.country(scan.country, f"{field}.country"),
    )


def _with_messages(
    view: View,
    parcel: tuple[str, str],
    scans: Sequence[parcels.Checkpoint],
    messages: Sequence[str],
    edge: Edge,
    keys: list[PersonKey],
) -> list[parcels.Checkpoint]:
    """The scans with their text, sealed under the order's person; without an order it is not kept."""
    keys.clear()
    known = parcels.known(view.parcel(*parcel), *parcel)
    order = view.order(known.order_id) if known.order_id else None
    if order is None or not order.subject:
        return list(scans)
    told = []
    for scan, message in zip(scans, messages, strict=True):
        sealed, made = _sealed(edge, {"message": message} if message else {}, order.subject, parcel_stream(*parcel))
        keys.extend(made)
        told.append(replace(scan, message=sealed))
    return told


@reads(parcels_pb2.ProveDeliveryRequest)
def prove_delivery(request: parcels_pb2.ProveDeliveryRequest, edge: Edge) -> Ask:
    parcel, at = parcel_of(request), happened(request, edge.now)
    signed_by, photo = text(request.signed_by, "signed_by", 200), request.photo_sha256.lower()
    require(bool(signed_by or photo), "signed_by", "a proof needs a signature or a photo")
    is_hash = len(photo) == 64 and all(digit in "0123456789abcdef" for digit in photo)
    require(not photo or is_hash, "photo_sha256", "is not 64 hexadecimal digits")
    keys: list[PersonKey] = []

    def decide(view: View) -> Sequence[Change]:
        keys.clear()
        known = parcels.known(view.parcel(*parcel), *parcel)
        order = view.order(known.order_id) if known.order_id else None
        subject = order.subject if order else ""
        signed = {"signed_by": signed_by} if signed_by and subject else {}
        sealed, made = _sealed(edge, signed, subject, parcel_stream(*parcel))
        keys.extend(made)
        proof = parcels.prove_delivery(known, sealed, photo, at)
        return [(parcel_stream(*parcel), fact) for fact in proof]

    return Ask(decide, (parcel_stream(*parcel),), keys)


@reads(parcels_pb2.DisputeDeliveryRequest)
def dispute_delivery(request: parcels_pb2.DisputeDeliveryRequest, edge: Edge) -> Ask:
    parcel, at = parcel_of(request), happened(request, edge.now)
    because = text(request.reason, "reason", 100)
    return Ask(
        lambda view: fulfilment.dispute_delivery(view, *parcel, because, at, edge.now), (parcel_stream(*parcel),)
    )


# --- the retailer's terms -------------------------------------------------------------------------


@reads(admin_pb2.AgreePolicyRequest)
def agree_policy(request: admin_pb2.AgreePolicyRequest, edge: Edge) -> Ask:
    require(request.HasField("policy"), "policy", "is required")
    given, default = request.policy, policies.Policy()
    policy = policies.Policy(
        count(given.reservation_minutes, "policy.reservation_minutes", 0, 43_200) or default.reservation_minutes,
        count(given.return_window_days, "policy.return_window_days", 0, 1000) or default.return_window_days,
        count(given.suspected_lost_after_days, "policy.suspected_lost_after_days", 0, 1000)
        or default.suspected_lost_after_days,
        count(given.number_reuse_after_days, "policy.number_reuse_after_days", 0, 10_000)
        or default.number_reuse_after_days,
    )
    since = instant(request, "effective_from") or edge.now
    return Ask(lambda view: policies.agree(view.policy(), policy, since, edge.now), (policy_stream(),))
