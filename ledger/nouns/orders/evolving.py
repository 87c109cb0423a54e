"""How each fact changes an order."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec.structs import replace

from ledger.facts import LineNo
from ledger.nouns.orders import after_sales, debts, invoices, remarks, supplier_orders
from ledger.nouns.orders.after_sales import RefundPaidBack, TakenIntoCase
from ledger.nouns.orders.balance import came_in_minor, owed_minor, payment_of, price_minor, worth_of
from ledger.nouns.orders.debts import Debt, RefundOwed
from ledger.nouns.orders.facts import (
    AddressChanged,
    BreachWithdrawn,
    ChargebackRecorded,
    ContactChanged,
    CustomsDataCompleted,
    DeadlineMissed,
    DelayRuled,
    DeliveryReopened,
    DetailsCompleted,
    Hold,
    HoldKey,
    HoldPlaced,
    HoldReleased,
    OrderAmended,
    OrderCompleted,
    OrderConfirmed,
    OrderFact,
    OrderPlaced,
    OrderReviewed,
    PaymentChanged,
    PaymentRecorded,
    PersonalDataAdded,
    PersonalDataHeld,
    PersonErased,
    ReceiptConfirmed,
    ReroutingSought,
    SuppliersChosen,
    UnitsBackordered,
    UnitsCancelled,
    UnitsDelivered,
    UnitsLost,
    UnitsReserved,
    UnitsReturned,
)
from ledger.nouns.orders.invoices import (
    InvoiceCredited,
    InvoiceCustomerCopied,
    InvoiceIssued,
    InvoiceNotIssued,
    InvoiceRequested,
    Invoicing,
)
from ledger.nouns.orders.lines import Line
from ledger.nouns.orders.payments import PaymentKind, PaymentState
from ledger.nouns.orders.remarks import NoteAdded, TagsChanged
from ledger.nouns.orders.state import AtSupplier, Breach, Buckets, Order, OrderMoney, Stops
from ledger.nouns.orders.supplier_orders import (
    OfSupplierOrder,
    ShipTo,
    Stop,
    SupplierOrder,
)
from ledger.nouns.orders.tracking_links import TrackingLinkRenewed, TrackingLinkWithdrawn, linked
from ledger.nouns.orders.unit_moves import (
    cancel_units,
    count_cancelled,
    late_units,
    move_units,
    shipment_to,
    supplier_order_moved,
    with_cancelled_at,
    with_late,
    with_units,
)
from ledger.terms.clocks import Clock
from ledger.terms.retention import PersonalKind
from ledger.view import noun


def evolve(order: Order | None, fact: OrderFact) -> Order:
    if order is None or order.worth is None or isinstance(fact, PaymentRecorded):
        return _evolved(order, fact)
    without = replace(order, worth=None)
    after = _evolved(without, fact)
    return order if after is without else after


def _evolved(order: Order | None, fact: OrderFact) -> Order:
    if isinstance(fact, OrderPlaced):
        return _placed(fact)
    assert order is not None, "the first fact of an order is its placing"
    if isinstance(fact, OfSupplierOrder):
        return supplier_order_moved(order, fact)
    match fact:
        case SuppliersChosen():
            return _with_suppliers(order, fact)
        case DetailsCompleted():
            return _owed_less(_completed(order, fact), fact.at)
        case CustomsDataCompleted():
            return _customs_completed(order, fact)
        case HoldPlaced(hold=hold):
            others = _other_holds(order, hold.key)
            return replace(order, holds_by_key={**others, hold.key: hold}, stops=stops_with(order, [hold]))
        case HoldReleased():
            key = (fact.reason, fact.owner, fact.supplier_order_id)
            stops = stops_after(order, [key], fact.at)
            return replace(order, holds_by_key=_other_holds(order, key), stops=stops)
        case PaymentChanged():
            gave_back = fact.payment in (PaymentState.REFUNDED, PaymentState.PARTLY_REFUNDED)
            return order if fact.outdated else _owed_less(_payment_said(order, fact), fact.at, paid=gave_back)
        case PaymentRecorded(payment=payment):
            after = replace(order, money=order.money.with_payments([payment]), worth=worth_of(order))
            return _owed_less(after, payment.at, paid=payment.kind is PaymentKind.REFUNDED)
        case OrderConfirmed():
            no_day = fact.no_promise_because
            return replace(order, confirmed_at=fact.at, promised_by=fact.promised_by, no_promise_because=no_day)
        case UnitsBackordered(by_line=by_line):
            moved = move_units(order, by_line, "open", "backordered")
            return replace(moved, unreserved=with_units(order.unreserved, "", by_line))
        case UnitsReserved():
            return _reserved(order, fact)
        case OrderAmended():
            return order if fact.outdated else _owed_less(_amended(order, fact), fact.at)
        case AddressChanged():
            return _readdressed(order, fact)
        case ContactChanged():
            return _reached_otherwise(order, fact)
        case UnitsCancelled(by_line=by_line):
            order = with_cancelled_at(order, fact.at)
            if not by_line:
                return replace(order, cancelled_empty=True)
            return count_cancelled(cancel_units(order, by_line), by_line, fact.at)
        case UnitsDelivered():
            return shipment_to(order, fact, "delivered")
        case UnitsLost():
            return _owed_less(shipment_to(order, fact, "lost"), fact.at)
        case UnitsReturned():
            return _owed_less(shipment_to(order, fact, "returned"), fact.at)
        case DeliveryReopened():
            reopened = replace(shipment_to(order, fact, "shipped"), completed_at=None)
            return _owed_less(reopened, fact.at)
        case ReceiptConfirmed():
            return replace(order, receipt_confirmed_at=fact.at)
        case OrderReviewed():
            return replace(order, reviews=(*order.reviews, fact))
        case ChargebackRecorded():
            order = replace(order, chargebacks=(*order.chargebacks, fact))
            return _owed_less(order, fact.at, paid=True)
        case RefundOwed():
            owed = Debt(fact.at, fact.pay_by, fact.amount.amount_minor)
            return replace(order, money=replace(order.money, debts=(*order.money.debts, owed)))
        case OrderCompleted():
            return replace(order, completed_at=fact.at)
        case DeadlineMissed():
            late = late_units(order, fact.object_id) if fact.clock is Clock.DISPATCH else {}
            breaches = {**order.breaches, (fact.object_id, fact.clock): Breach(fact)}
            return with_late(replace(order, breaches=breaches), fact, late)
        case BreachWithdrawn():
            return with_late(_breach_withdrawn(order, fact), fact, {})
        case DelayRuled():
            if fact.outdated:
                return order
            return replace(order, rulings={**order.rulings, (fact.supplier_order_id, fact.clock): fact})
        case ReroutingSought():
            return replace(order, sought={**order.sought, (fact.supplier_order_id, fact.clock): fact})
        case PersonErased(kinds=()):
            return replace(order, erased_at=fact.at, expired=dict.fromkeys(PersonalKind, fact.at))
        case PersonErased():
            erased_at = fact.at if PersonalKind.CUSTOMER in fact.kinds else order.erased_at
            return replace(order, erased_at=erased_at, expired={**order.expired, **dict.fromkeys(fact.kinds, fact.at)})
        case PersonalDataAdded(at=at):
            return replace(order, written_at=max(at, order.written_at or at))
        case PersonalDataHeld(until=until):
            return replace(order, personal_data_held_until=until)
        case NoteAdded() | TagsChanged():
            return replace(order, remarks=remarks.remarked(order.remarks, fact))
        case TrackingLinkWithdrawn() | TrackingLinkRenewed():
            return replace(order, tracking_link=linked(order.tracking_link, fact))
        case InvoiceRequested() | InvoiceIssued() | InvoiceNotIssued() | InvoiceCredited() | InvoiceCustomerCopied():
            return replace(order, invoicing=invoices.invoiced(order.invoicing, fact))
        case TakenIntoCase():
            # An order with an open case is not over, whenever its return window closed.
            return replace(order, after_sales=after_sales.evolve(order.after_sales, fact), completed_at=None)
        case RefundPaidBack():
            order = replace(order, after_sales=after_sales.evolve(order.after_sales, fact))
            order = replace(order, payment_at=max(fact.at, order.payment_at or fact.at))
            order = replace(order, said=payment_of(order))
            return _owed_less(order, fact.at, paid=True)
        case _:
            return _owed_less(replace(order, after_sales=after_sales.evolve(order.after_sales, fact)), fact.at)


NOUN = noun("order", OrderFact, evolve)


_NO_LINES = frozenset[LineNo]()
"""One for all orders: each set of its own is one more that the collector of garbage looks at."""


def _placed(fact: OrderPlaced) -> Order:
    order = Order(  # many by position: Python is slower with more than 15 keyword arguments
        fact,
        {line.line_no: line for line in fact.lines},
        {line.line_no: Buckets(line.quantity) for line in fact.lines},
        fact.currency,
        fact.payment,
        fact.destination,
        fact.customer,
        fact.has_contact,
        fact.has_address,
        fact.promised_by,
        fact.promised_day,
        incoterm=fact.incoterm,
        subjects=(fact.subject,) if fact.subject else (),
        holds_by_key={hold.key: hold for hold in fact.holds},
        untracked=frozenset(fact.untracked) if fact.untracked else _NO_LINES,
        unreserved=_all_units(fact.lines, fact.untracked),
    )
    if fact.tags:
        order = replace(order, remarks=remarks.with_tags(fact.tags, fact.placed_at))
    if fact.invoice is not None:
        order = replace(order, invoicing=Invoicing(fact.invoice))
    if not (fact.charges or fact.payments or fact.cash_on_delivery):
        return order
    money = OrderMoney(fact.charges, on_delivery=fact.cash_on_delivery)
    return replace(order, money=money.with_payments(fact.payments) if fact.payments else money)


def _payment_said(order: Order, fact: PaymentChanged) -> Order:
    """The shop's word; amounts that are known say more."""
    said_at, money = fact.told_at or fact.at, replace(order.money, word=fact.payment, paid_minor=0)
    if fact.payment is PaymentState.PAID:
        money = replace(money, settled_before=said_at)
    elif fact.payment is PaymentState.PARTLY_REFUNDED:
        # It gave back what was cancelled at the same time, too.
        money = replace(money, settled_before=said_at + timedelta.resolution)
    return replace(order, said=fact.payment, payment_at=said_at, money=money)


def _owed_less(order: Order, at: datetime, *, paid: bool = False) -> Order:
    """With the debts that ended, where less is owed now: what somebody paid, or what is owed no more."""
    before = order.money.debts
    if not before or (now := debts.lowered(before, owed_minor(order), at, paid=paid)) is before:
        return order
    return replace(order, money=replace(order.money, debts=now))


def _all_units(lines: Iterable[Line], wanted: Iterable[LineNo]) -> dict[AtSupplier, int]:
    return {("", line.line_no): line.quantity for line in lines if line.line_no in wanted} if wanted else {}


def _other_holds(order: Order, key: HoldKey) -> dict[HoldKey, Hold]:
    if key not in order.holds_by_key:
        return order.holds_by_key
    others = order.holds_by_key.copy()  # which is faster than dict() once keys are gone
    del others[key]
    return others


def stops_with(order: Order, holds: Iterable[Hold]) -> Stops:
    """All that stopped clocks, with these holds; one that stands already may turn out to be older."""
    counting = [hold for hold in holds if hold.reason.stops_clocks] if order.confirmed_at is not None else []
    stops = dict(order.stops) if counting else order.stops
    for hold in counting:
        scope = hold.supplier_order_id
        present = _standing(stops, hold.key)
        since = hold.at if present is None else min(present.since, hold.at)
        others = [stop for stop in stops.get(scope, ()) if stop is not present]
        stops[scope] = (*others, Stop(hold.reason, hold.owner, since))
    return stops


def stops_after(order: Order, keys: Iterable[HoldKey], at: datetime) -> Stops:
    """All that stopped clocks, after these holds ended."""
    stops = dict(order.stops)
    for key in keys:
        if (present := _standing(stops, key)) is not None:
            others = [stop for stop in stops[key[2]] if stop is not present]
            stops[key[2]] = (*others, replace(present, until=max(at, present.since)))
    return stops


def _standing(stops: Stops, key: HoldKey) -> Stop | None:
    reason, owner, scope = key
    return next((s for s in stops.get(scope, ()) if (s.reason, s.owner, s.until) == (reason, owner, None)), None)


def _reserved(order: Order, fact: UnitsReserved) -> Order:
    left = order.waiting_at_suppliers()
    served = {(supplier_id, n): units for supplier_id, each in fact.by_supplier.items() for n, units in each.items()}
    for line_no, units in {} if served else fact.by_line.items():
        # An old fact does not name the suppliers: apart from rare cases, a line waits with one.
        for key in (key for key in left if key[1] == line_no):
            served[key] = min(units, left[key])
            units -= served[key]
    unreserved = {key: units - served.get(key, 0) for key, units in left.items() if units > served.get(key, 0)}
    waiting = {line_no for _, line_no in unreserved}
    return replace(order, unreserved=unreserved, untracked=order.untracked - (fact.by_line.keys() - waiting))


def _with_suppliers(order: Order, fact: SuppliersChosen) -> Order:
    lines = {n: replace(order.lines[n], supplier_id=supplier_id) for n, supplier_id in fact.by_line.items()}
    by_sku = {choice.sku: choice for choice in fact.choices}
    chosen = {line_no: by_sku[line.sku] for line_no, line in lines.items()}
    untracked = {line_no for line_no, choice in chosen.items() if choice.untracked}
    return replace(
        order,
        lines={**order.lines, **lines},
        chosen={**order.chosen, **chosen},
        untracked=order.untracked | untracked,
        unreserved={**order.unreserved, **_all_units(lines.values(), untracked)},
    )


def with_lines(order: Order, new: Iterable[Line]) -> dict[LineNo, Line]:
    """The order's lines with new ones, which replace those of the same number; parts replace their bundle's line."""
    own = {line.line_no: line for line in new}
    whole = {line.part_of.line_no for line in own.values() if line.part_of is not None}
    return {n: line for n, line in order.lines.items() if n not in whole or order.buckets[n].cancelled} | own


def _completed(order: Order, fact: DetailsCompleted) -> Order:
    lines = with_lines(order, fact.lines)
    buckets = {n: each for n, each in order.buckets.items() if n in lines}
    for line in fact.lines:
        # What was cancelled stays cancelled.
        cancelled = min(buckets[line.line_no].cancelled, line.quantity) if line.line_no in buckets else 0
        buckets[line.line_no] = Buckets(open=line.quantity - cancelled, cancelled=cancelled)
    return replace(
        order,
        lines=lines,
        buckets=buckets,
        chosen={n: choice for n, choice in order.chosen.items() if lines.get(n) is order.lines[n]},
        currency=fact.currency or order.currency,
        customer=fact.customer or order.customer,
        subjects=_with_subject(order.subjects, fact.subject),
        has_contact=order.has_contact or fact.has_contact,
        has_address=order.has_address or fact.has_address,
        destination=fact.destination or order.destination,
        address_at=fact.at if fact.customer or fact.destination else order.address_at,
        addresses=() if fact.customer or fact.destination else order.addresses,
        contact=None if fact.customer else order.contact,
        untracked=frozenset(fact.untracked),
        unreserved=_all_units(lines.values(), fact.untracked),
        incoterm=fact.incoterm or order.incoterm,
        promised_by=fact.promised_by or order.promised_by,
    )


def _amended(order: Order, fact: OrderAmended) -> Order:
    lines = {**order.lines, **{line.line_no: line for line in fact.lines}}
    buckets = {n: order.buckets.get(n, Buckets()) for n in lines}
    for line_no, units in fact.added.items():
        buckets[line_no] = replace(buckets[line_no], open=buckets[line_no].open + units)
    waiting = {n: fact.added[n] for n in fact.untracked}
    money = replace(
        order.money,
        charges=order.money.charges if fact.charges is None else fact.charges,
        paid_minor=0 if order.money.payments_by_key else came_in_minor(order),
        amended_at=fact.told_at or fact.at,
        version=fact.version or order.money.version,
    )
    before = price_minor(order)
    order = replace(
        order,
        lines=lines,
        buckets=buckets,
        money=money,
        untracked=order.untracked | frozenset(fact.untracked),
        unreserved=with_units(order.unreserved, "", waiting) if waiting else order.unreserved,
        completed_at=None if fact.added else order.completed_at,
    )
    less = before - price_minor(order)
    lowered, taken_off = max(money.lowered_minor + less, 0), money.taken_off_minor + max(less, 0)
    return replace(order, money=replace(money, lowered_minor=lowered, taken_off_minor=taken_off))


def _readdressed(order: Order, fact: AddressChanged) -> Order:
    if fact.outdated:
        # In a fact of before the person is kept as a subject, so that erasing covers this address too.
        known = not fact.subject or fact.subject in order.subjects
        return order if known else replace(order, subjects=(fact.subject, *order.subjects))
    before, now = order.ship_to, ShipTo(fact.customer, fact.destination, order.order_id, fact.at, fact.digest)
    return replace(
        order,
        customer=fact.customer,
        has_contact=True,
        has_address=True,
        contact=None,
        destination=fact.destination,
        address_at=fact.at,
        subjects=_with_subject(order.subjects, fact.subject),
        promised_by=None if fact.no_promise_because else fact.promised_by or order.promised_by,
        no_promise_because=fact.no_promise_because or ("" if fact.promised_by else order.no_promise_because),
        addresses=(*(order.addresses or (before,)), now),
        supplier_orders={name: _part_readdressed(each, fact, before) for name, each in order.supplier_orders.items()},
        shipments_by_place={
            place: each if each.ship_to else replace(each, ship_to=before)
            for place, each in order.shipments_by_place.items()
        },
    )


def _reached_otherwise(order: Order, fact: ContactChanged) -> Order:
    if fact.outdated:
        return order
    here = [replace(each, customer=fact.customer) for each in order.addresses[-1:]]
    addresses = (*order.addresses[:-1], *here)
    return replace(order, customer=fact.customer, has_contact=True, contact=fact, addresses=addresses)


def _part_readdressed(supplier_order: SupplierOrder, fact: AddressChanged, before: ShipTo) -> SupplierOrder:
    supplier_order_id = supplier_order.supplier_order_id
    if supplier_order_id in fact.asked:
        return supplier_orders.ask_again(supplier_order, fact.at, fact.asked[supplier_order_id])
    if supplier_order_id in fact.kept and supplier_order.ship_to is None:
        return replace(supplier_order, ship_to=before)
    return supplier_order


def _customs_completed(order: Order, fact: CustomsDataCompleted) -> Order:
    lines = dict(order.lines)
    for line in fact.lines:
        new = {name: value for name in line.__struct_fields__ if (value := getattr(line, name))}
        lines[line.line_no] = replace(lines[line.line_no], **new)
    return replace(order, lines=lines, incoterm=fact.incoterm or order.incoterm)


def _with_subject(subjects: tuple[str, ...], subject: str) -> tuple[str, ...]:
    return (*(each for each in subjects if each != subject), subject) if subject else subjects


def _breach_withdrawn(order: Order, fact: BreachWithdrawn) -> Order:
    """The ruling on this delay goes too; if the clock is missed again, that is another delay."""
    what = (fact.object_id, fact.clock)
    rulings = {each: ruling for each, ruling in order.rulings.items() if each != what}
    breach = replace(order.breaches[what], withdrawn=fact)
    return replace(order, breaches={**order.breaches, what: breach}, rulings=rulings)
