"""OrderService's commands but for those about one supplier order."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial

from adapters.rpc import shapes
from adapters.rpc.buyers import invoice_wish
from adapters.rpc.commands import Ask, Edge, Reader, Readers
from adapters.rpc.faults import each, fault, require
from adapters.rpc.orders.contacts import change_contact, look_at_customer
from adapters.rpc.orders.money import charges, first_payments, payments
from adapters.rpc.orders.people import new_person, person_of, sealed_person
from adapters.rpc.sealing import sealed_note
from adapters.rpc.shapes import by_line, count, enum, happened, instant, optional, plain_id, taken, text
from fulfilment.v1 import order_feedback_pb2, order_money_pb2, shipping_pb2, supplier_orders_pb2
from fulfilment.v1 import orders_pb2 as pb
from ledger.decisions import amending, cancelling, confirmation, delivery, intake, order_payments, rerouting
from ledger.decisions.rerouting import Cause
from ledger.engine.sealing import placed
from ledger.facts import LineNo, order_of
from ledger.nouns import orders, policies, skus, stock, suppliers
from ledger.terms.parties import Party
from ledger.terms.shipping import Incoterm, Priority
from ledger.view import Decide

_payment = enum(pb.PaymentState, orders.PaymentState, unspecified=orders.PaymentState.UNKNOWN)
_priority = enum(pb.Priority, Priority, unspecified=Priority.STANDARD)
_hold_reason = enum(pb.HoldReason, orders.HoldReason)
_when_unavailable = enum(pb.WhenUnavailable, orders.WhenUnavailable, unspecified=orders.WhenUnavailable.HOLD)
_INCOTERMS: dict[int, Incoterm | None] = {
    shipping_pb2.INCOTERM_UNSPECIFIED: None,
    shipping_pb2.INCOTERM_DDP: Incoterm.DDP,
    shipping_pb2.INCOTERM_DAP: Incoterm.DAP,
    shipping_pb2.INCOTERM_DDU: Incoterm.DAP,
}


def _incoterm(value: int) -> Incoterm | None:
    require(value in _INCOTERMS, "incoterm", "is not one of INCOTERM_DDP, INCOTERM_DAP and INCOTERM_DDU")
    return _INCOTERMS.get(value)


def _line(line: pb.OrderLine, place: int, warnings: list[str]) -> orders.Line:
    return orders.Line(
        line_no=LineNo(count(line.line_no, "line_no") or place),
        sku=shapes.sku(line.sku, "sku") if line.sku.strip() else "",
        quantity=count(line.quantity, "quantity"),
        unit_price_minor=shapes.minor(line.unit_price_minor, "unit_price_minor"),
        title=shapes.taken(line.title, "title"),
        supplier_id=plain_id(line.supplier_id, "supplier_id") if line.supplier_id else "",
        dispatch_by=instant(line, "dispatch_by"),
        hs_code=shapes.hs_code(line.hs_code, "hs_code"),
        origin=shapes.country_if_known(line.origin, "origin", warnings),
        weight_grams=count(line.weight_grams, "weight_grams", most=10**9),
        declared_value_minor=shapes.minor(line.declared_value_minor, "declared_value_minor"),
        total_minor=shapes.minor(line.total_minor, "total_minor") if line.HasField("total_minor") else None,
        substitute_for=count(line.substitute_for, "substitute_for"),
        channel_line_id=shapes.text(line.channel_line_id, "channel_line_id", 255) if line.channel_line_id else "",
    )


def _lines(messages: Sequence[pb.OrderLine], edge: Edge) -> tuple[orders.Line, ...]:
    require(len(messages) <= 1000, "lines", f"{len(messages)} lines, 1000 at most")
    places = itertools.count(1)
    lines = each(messages, "lines", lambda message: _line(message, next(places), edge.warnings))
    if len({line.line_no for line in lines}) != len(lines):
        fault("lines", "two lines have the same line_no")
    cost = declared = 0
    for line in lines:
        cost += line.amount_minor
        declared += line.quantity * line.declared_value_minor
    shapes.total(cost, "lines", "cost")
    shapes.total(declared, "lines", "are declared for")
    return lines


def of_order(order_id: str, decide: Decide) -> Ask:
    return Ask(decide, (orders.stream(order_id),))


def place_order(request: pb.PlaceOrderRequest, edge: Edge) -> Ask:
    channel = plain_id(request.channel, "channel")
    number, encoded = shapes.channel_order_id(request.channel_order_id)
    order_id = f"{channel}/{encoded}"
    lines = _lines(request.lines, edge)
    customer, address = request.customer, request.ship_to
    country = shapes.country_if_known(address.country, "ship_to.country", edge.warnings)
    person = person_of(customer, address, country, request.note)
    sealed, keys = sealed_person(person, order_id, edge)
    invoice = None
    if request.HasField("invoice"):
        invoice, more = invoice_wish(request.invoice, "invoice", order_id, edge)
        keys = (*keys, *more)
    cart_id = optional(plain_id, request.reservation_id, "reservation_id")
    placed_at = happened(request, edge.now, "placed_at")
    promised_by, promised_day = instant(request, "promised_by"), shapes.day(request.promised_day, "promised_day")
    require(not (promised_by and promised_day), "promised_day", "a promise is a day or an instant, not both")
    order = orders.OrderPlaced(
        order_id=order_id,
        channel=channel,
        channel_order_id=number,
        placed_at=placed_at,
        currency=shapes.currency(request.currency, "currency", required=bool(lines)),
        lines=lines,
        at=placed_at,
        intake=edge.digest,
        customer=sealed,
        subject="",
        has_contact=person.has_contact,
        has_address=person.has_address,
        destination=person.destination,
        payment=_payment(request.payment, "payment"),
        priority=_priority(request.priority, "priority"),
        promised_by=promised_by,
        packing=shapes.words(request.packing, "packing", 1000),
        gift=request.gift,
        promised_day=promised_day,
        historical=request.historical,
        tags=shapes.tags(request.tags, "tags"),
        when_unavailable=_when_unavailable(request.when_unavailable, "when_unavailable"),
        incoterm=_incoterm(request.incoterm),
        charges=charges(request.charges, sum(line.amount_minor for line in lines)) if request.charges else (),
        payments=first_payments(request.payments, placed_at, edge) if request.payments else (),
        cash_on_delivery=request.cash_on_delivery,
        invoice=invoice,
        language=shapes.language_of_locale(request.language, "language", edge.warnings),
    )
    all_or_nothing = request.stock_policy == pb.STOCK_POLICY_ALL_OR_NOTHING
    items = {(line.supplier_id, line.sku): None for line in lines if line.supplier_id}
    streams = (
        orders.stream(order_id),
        policies.stream(),
        skus.CATALOGUE,
        *(stock.stream(*item) for item in items),
        *{suppliers.stream(supplier_id): None for supplier_id, _ in items},
    )
    place = partial(intake.place, intake=order, all_or_nothing=all_or_nothing, cart_id=cart_id, now=edge.now)
    return Ask(place, streams, keys, of_new=True)


def complete_details(request: pb.CompleteDetailsRequest, edge: Edge) -> Ask:
    order_id = shapes.order_id(request.order_id)
    lines = _lines(request.lines, edge)
    at = happened(request, edge.now)
    if request.HasField("customer") != request.HasField("ship_to"):
        absent = "ship_to" if request.HasField("customer") else "customer"
        fault(absent, "customer and ship_to are replaced together")
    person, sealed, keys = new_person(request.customer, request.ship_to, order_id, edge)
    payment = _payment(request.payment, "payment")
    details = orders.DetailsCompleted(
        order_id,
        at,
        lines,
        sealed,
        has_contact=person.has_contact,
        has_address=person.has_address,
        destination=person.destination if sealed else None,
        currency=shapes.currency(request.currency, "currency", required=False),
        incoterm=_incoterm(request.incoterm),
    )
    known_payment = None if payment is orders.PaymentState.UNKNOWN else payment
    return Ask(
        lambda view: intake.complete_details(view, details, known_payment, edge.now), (orders.stream(order_id),), keys
    )


def complete_customs_data(request: shipping_pb2.CompleteCustomsDataRequest, edge: Edge) -> Ask:
    order_id = shapes.order_id(request.order_id)
    require(len(request.lines) <= 1000, "lines", f"{len(request.lines)} lines, 1000 at most")
    lines = each(request.lines, "lines", lambda line: _customs_line(line, edge.warnings))
    require(len({line.line_no for line in lines}) == len(lines), "lines", "two lines have the same line_no")
    incoterm = _incoterm(request.incoterm)
    declared = shapes.money(request.declared_total, "declared_total") if request.HasField("declared_total") else None
    completed = orders.CustomsDataCompleted(order_id, happened(request, edge.now), lines, incoterm)
    return of_order(order_id, lambda view: intake.complete_customs_data(view, completed, declared, edge.now))


def _customs_line(line: shipping_pb2.CustomsLine, warnings: list[str]) -> orders.CustomsLine:
    return orders.CustomsLine(
        LineNo(count(line.line_no, "line_no", 1)),
        taken(line.title, "title"),
        shapes.hs_code(line.hs_code, "hs_code"),
        shapes.country(line.origin, "origin", warnings),
        count(line.weight_grams, "weight_grams", most=10**9),
        shapes.minor(line.declared_value_minor, "declared_value_minor"),
    )


def record_payment(request: pb.RecordPaymentRequest, edge: Edge) -> Ask:
    order_id = shapes.order_id(request.order_id)
    require(bool(request.payment or request.payments), "payment", "is required, or payments with amounts")
    at = happened(request, edge.now)
    said = _payment(request.payment, "payment") if request.payment else None
    moved = payments(request.payments, at, edge)
    return of_order(order_id, lambda view: order_payments.record_payment(view, order_id, said, at, edge.now, moved))


def place_hold(request: pb.PlaceHoldRequest, edge: Edge) -> Ask:
    order_id = shapes.order_id(request.order_id)
    owner = text(request.owner, "owner", 100, required=True)
    # The ledger releases its own holds when their reason ends; a hold of a person is ended by a person.
    require(owner != orders.LEDGER, "owner", "is the ledger's own name; say who has to act")
    note = shapes.lines(request.note, "note", 2000)
    sealed, keys = sealed_note(edge.sealer, note, orders.anchor(order_id), placed(order_id, "note"))
    hold = orders.Hold(
        _hold_reason(request.reason, "reason"),
        owner,
        happened(request, edge.now),
        supplier_order_id=_supplier_order_of(order_id, request.supplier_order_id),
        note=sealed,
        note_digest=edge.sealer.digest(note.encode()) if note else "",
    )
    return Ask(lambda view: confirmation.place_hold(view, order_id, hold, edge.now), (orders.stream(order_id),), keys)


def _supplier_order_of(order_id: str, supplier_order_id: str) -> str:
    if supplier_order_id:
        shapes.supplier_order_id(supplier_order_id)
        require(order_of(supplier_order_id) == order_id, "supplier_order_id", f"does not belong to {order_id}")
    return supplier_order_id


def release_hold(request: pb.ReleaseHoldRequest, edge: Edge) -> Ask:
    order_id = shapes.order_id(request.order_id)
    reason, owner = _hold_reason(request.reason, "reason"), text(request.owner, "owner", 100)
    scope, at = _supplier_order_of(order_id, request.supplier_order_id), happened(request, edge.now)
    return of_order(
        order_id, lambda view: confirmation.release_hold(view, order_id, reason, owner, scope, at, edge.now)
    )


def confirm_order(request: pb.ConfirmOrderRequest, edge: Edge) -> Ask:
    order_id, at = shapes.order_id(request.order_id), happened(request, edge.now)
    by, backorder = edge.actor, request.backorder_lacking
    return of_order(order_id, lambda view: confirmation.confirm(view, order_id, backorder, by, at, edge.now))


def cancel_order(request: pb.CancelOrderRequest, edge: Edge) -> Ask:
    order_id, at, lines = shapes.order_id(request.order_id), happened(request, edge.now), by_line(request.lines)
    by, because = shapes.party(request.by, "by"), shapes.word(request.reason, "reason", 100)
    return of_order(order_id, lambda view: cancelling.cancel(view, order_id, lines, by, because, at, edge.now))


def reroute_units(request: supplier_orders_pb2.RerouteUnitsRequest, edge: Edge) -> Ask:
    order_id, at, lines = shapes.order_id(request.order_id), happened(request, edge.now), by_line(request.lines)
    source = _supplier_order_of(order_id, request.supplier_order_id)
    because = shapes.word(request.reason, "reason", 100)
    to = optional(plain_id, request.to_supplier_id, "to_supplier_id")
    cause = Cause(None, shapes.party(request.by, "by"), because, to)
    return of_order(order_id, lambda view: rerouting.reroute(view, order_id, source, lines, cause, at, edge.now))


def amend_order(request: pb.AmendOrderRequest, edge: Edge) -> Ask:
    order_id = shapes.order_id(request.order_id)
    lines = _lines(request.lines, edge)
    asked = charges(request.charges, sum(line.amount_minor for line in lines)) if request.charges else ()
    wanted = orders.Wanted(lines, asked, happened(request, edge.now), request.version)
    require(request.version >= 0, "version", f"{request.version} is below 0")
    by = shapes.party(request.by, "by") if request.by else Party.CUSTOMER
    because = shapes.word(request.reason, "reason", 100)
    return of_order(order_id, lambda view: amending.amend(view, order_id, wanted, by, because, edge.now))


def change_address(request: pb.ChangeAddressRequest, edge: Edge) -> Ask:
    if not request.HasField("ship_to"):
        return change_contact(request, edge)
    order_id, at = shapes.order_id(request.order_id), happened(request, edge.now)
    person, sealed, keys = new_person(request.customer, request.ship_to, order_id, edge)
    require(person.has_contact, "customer", "is required with an e-mail address or a phone number")
    require(person.has_address, "ship_to", "is required with a country and a street or town")
    assert sealed is not None, "a contact and an address are something to seal"
    digest = edge.sealer.digest(request.customer.SerializeToString() + request.ship_to.SerializeToString())
    changed = orders.AddressChanged(order_id, sealed, person.destination, at, digest=digest)
    return Ask(lambda view: intake.change_address(view, changed, edge.now), (orders.stream(order_id),), keys)


def confirm_receipt(request: order_feedback_pb2.ConfirmReceiptRequest, edge: Edge) -> Ask:
    order_id, at, by = shapes.order_id(request.order_id), happened(request, edge.now), shapes.party(request.by, "by")
    return of_order(order_id, lambda view: delivery.confirm_receipt(view, order_id, by, at, edge.now))


def record_chargeback(request: order_money_pb2.RecordChargebackRequest, edge: Edge) -> Ask:
    order_id, at = shapes.order_id(request.order_id), happened(request, edge.now)
    amount, because = shapes.money(request.amount, "amount", 1), shapes.word(request.reason, "reason", 50)
    chargeback_id = plain_id(request.chargeback_id, "chargeback_id")
    chargeback = orders.ChargebackRecorded(order_id, chargeback_id, amount, at, because)
    return of_order(order_id, lambda view: order_payments.record_chargeback(view, chargeback, edge.now))


def record_review(request: order_feedback_pb2.RecordReviewRequest, edge: Edge) -> Ask:
    order_id, at = shapes.order_id(request.order_id), happened(request, edge.now)
    review_id, score = plain_id(request.review_id, "review_id"), count(request.score, "score", 1, 5)
    return of_order(order_id, lambda view: intake.review(view, order_id, review_id, score, at))


READERS: Readers = {
    pb.PlaceOrderRequest: Reader(place_order),
    pb.CompleteDetailsRequest: Reader(complete_details),
    shipping_pb2.CompleteCustomsDataRequest: Reader(complete_customs_data),
    pb.RecordPaymentRequest: Reader(record_payment),
    pb.PlaceHoldRequest: Reader(place_hold),
    pb.ReleaseHoldRequest: Reader(release_hold),
    pb.ConfirmOrderRequest: Reader(confirm_order),
    pb.CancelOrderRequest: Reader(cancel_order),
    supplier_orders_pb2.RerouteUnitsRequest: Reader(reroute_units),
    pb.AmendOrderRequest: Reader(amend_order),
    pb.ChangeAddressRequest: Reader(change_address, look_at_customer),
    order_feedback_pb2.ConfirmReceiptRequest: Reader(confirm_receipt),
    order_money_pb2.RecordChargebackRequest: Reader(record_chargeback),
    order_feedback_pb2.RecordReviewRequest: Reader(record_review),
}
