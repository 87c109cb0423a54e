"""Supplier orders from the dispatch instruction to the parcel that leaves (DOMAIN 1)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from ledger.decisions import customer_invoices, customs, invoice_matching
from ledger.decisions.boxes import is_in_use, number_of, under_number
from ledger.decisions.delivery import follow, give_up_scans
from ledger.decisions.docket import Docket, order_in, settled
from ledger.decisions.order_stock import consume, give_back, items_of, without_reservation
from ledger.decisions.promise import by_shop, dispatch_by
from ledger.decisions.rerouting import Cause, place_anew, wait_for_person
from ledger.facts import Change, LineNo, Units, changes_of, order_of, plus
from ledger.nouns import (
    orders,
    parcels,
    policies,
    stock,
    suppliers,
)
from ledger.nouns.destinations import RefusedDestination
from ledger.nouns.orders import Load, Order, Told, UnitsCancelled, supplier_orders
from ledger.nouns.orders.supplier_orders import (
    LineAnswer,
    Oddity,
    RejectReason,
    SupplierOrder,
    SupplierOrderSent,
    SupplierOrderShipped,
)
from ledger.nouns.parcels import ParcelRegistered
from ledger.nouns.policies import policy_at
from ledger.nouns.suppliers import Agreement
from ledger.terms.calendars import WorkingTerms, due_after
from ledger.terms.customs_territories import territory, territory_of
from ledger.terms.money import Money
from ledger.view import View


def send_supplier_order(view: View, supplier_order_id: str, at: datetime, now: datetime) -> list[Change]:
    """The dispatch instruction went out; the clocks of the agreement in force start."""
    order = order_in(view, order_of(supplier_order_id))
    supplier_order = order.supplier_order(supplier_order_id)
    orders.require_placed(order, at)
    supplier = suppliers.find(view, supplier_order.supplier_id)
    agreement = supplier.agreement_at(at) if supplier else None
    acknowledge_by = agreement.acknowledge_by(at) if agreement else None
    # Recorded after a change of the address that came later: the supplier knows the address before.
    changed_at = order.addresses[-1].since if order.addresses and at < order.addresses[-1].since else None
    in_time = changed_at is not None and acknowledge_by is not None and changed_at < acknowledge_by
    sent = SupplierOrderSent(
        supplier_order_id,
        at,
        acknowledge_by=acknowledge_by,
        dispatch_by=dispatch_by(order, supplier_order.shares, agreement, at),
        first_scan_within_hours=agreement.first_scan_within_hours if agreement else None,
        cancel_answer_within_hours=agreement.cancel_answer_within_hours if agreement else None,
        peaks=tuple(peak for peak in agreement.peaks if peak.until > at) if agreement else (),
        compensation=agreement.compensation if agreement else None,
        working=_working(order, supplier_order, agreement, at),
        address_changed_at=changed_at,
        acknowledge_again_by=agreement.acknowledge_by(changed_at) if agreement and changed_at and in_time else None,
    )
    facts = orders.send(order, supplier_order_id, sent)
    if facts:
        customs.require_data(order, supplier_order_id, supplier)
    return settled(view, order, facts, now)


_OF_ALL_ORDERS = ("acknowledge_within", "first_scan_within", "cancel_answer_within")
"""Terms that neither a shop nor the priority changes."""


def _working(
    order: Order, supplier_order: SupplierOrder, agreement: Agreement | None, at: datetime
) -> WorkingTerms | None:
    """The supplier's calendar, as far as it is still to come, and the terms of its clocks that go by it."""
    if agreement is None or (working := agreement.working) is None:
        return None
    terms = {name: term for name, term in working.terms.items() if name in _OF_ALL_ORDERS}
    dispatch = working.terms.get(agreement.dispatch_term(order.placed.priority))
    if dispatch is not None and not by_shop(order, supplier_order.shares):
        terms["dispatch_within"] = dispatch
    return WorkingTerms(working.calendar.still_to_come(at), terms)


def send_by_policy(view: View, supplier_order_id: str, now: datetime) -> list[Change]:
    """Send a draft if the policy says that the ledger does, to a supplier that it can write to.

    What could have been sent long ago is left to people: an import of old orders sends nothing.
    """
    order = orders.find(view, order_of(supplier_order_id))
    since = orders.ready_since(order, supplier_order_id) if order is not None else None
    policy = policy_at(policies.find(view), now)
    ready_by = policy.sending.ready_by(now)
    if order is None or since is None or ready_by is None or since > ready_by or policy.too_old(since, now):
        return []
    supplier = suppliers.find(view, order.supplier_orders[supplier_order_id].supplier_id)
    if supplier is None or supplier.registered.contact is None:
        return []
    return send_supplier_order(view, supplier_order_id, max(now, order.placed.placed_at), now)


def acknowledge(
    view: View, supplier_order_id: str, by_line: dict[LineNo, LineAnswer], at: datetime, now: datetime
) -> list[Change]:
    """The supplier's answer. Rejected units release their stock and go to the next qualified supplier.

    Those with a cancel request are cancelled. "Out of stock" corrects the supplier's figure.
    """
    order = order_in(view, order_of(supplier_order_id))
    supplier_order = order.supplier_order(supplier_order_id)
    orders.require_placed(order, at)
    docket = Docket(order, supplier_orders.acknowledge(supplier_order, by_line, at))
    if not docket.facts:
        return []
    supplier_id = supplier_order.supplier_id
    view.need(*(stock.stream(supplier_id, order.lines[n].sku) for n in by_line))
    rejected: Units = {line_no: answer.rejected for line_no, answer in by_line.items() if answer.rejected}
    if not rejected:
        return docket.settled(view, now)
    released = give_back(view, docket.order, items_of(order, supplier_id, rejected), now)
    corrected = [
        *_none_left(view, order, supplier_id, by_line, released, at),
        *_learned(view, order, supplier_order, by_line, at),
    ]
    cancelled = _cancelled_by_rejecting(supplier_order, docket.order, at)
    docket.add(cancelled)
    cause = _rejection(supplier_order, by_line)
    reserved = place_anew(view, docket, _still_wanted(rejected, cancelled), cause, at, now)
    return [*docket.settled(view, now), *released, *corrected, *reserved]


def _rejection(supplier_order: SupplierOrder, by_line: Mapping[LineNo, LineAnswer]) -> Cause:
    reasons = sorted({each.because for each in by_line.values() if each.rejected and each.because})
    return Cause(supplier_order, "supplier", f"rejected: {', '.join(reasons) or 'no reason given'}")


def _cancelled_by_rejecting(supplier_order: SupplierOrder, after: Order, at: datetime) -> list[UnitsCancelled]:
    """Rejected units that the supplier was asked to cancel are cancelled, and not rerouted."""
    before, wish = supplier_orders.cancels_asked(supplier_order), supplier_order.cancel_wish
    left = supplier_orders.cancels_asked(after.supplier_orders[supplier_order.supplier_order_id])
    met = {line_no: gone for line_no, units in before.items() if (gone := units - left.get(line_no, 0))}
    if not met or wish is None:
        return []
    return [UnitsCancelled(after.order_id, met, wish.by, wish.because, at)]


def _still_wanted(rejected: Units, cancelled: Iterable[UnitsCancelled]) -> Units:
    gone = {line_no: units for fact in cancelled for line_no, units in fact.by_line.items()}
    return {line_no: left for line_no, units in rejected.items() if (left := units - gone.get(line_no, 0))}


def _none_left(
    view: View,
    order: Order,
    supplier_id: str,
    by_line: Mapping[LineNo, LineAnswer],
    released: Sequence[Change],
    at: datetime,
) -> list[Change]:
    """A supplier that is out of stock has no more than it accepted, whatever its feed reports."""
    reason = RejectReason.OUT_OF_STOCK
    skus = {order.lines[line_no].sku for line_no, answer in by_line.items() if answer.because is reason}
    given_back = {fact.sku: fact.units for _, fact in released if isinstance(fact, stock.ReservationReleased)}
    changes: list[Change] = []
    for sku in sorted(skus):
        facts = stock.report_none_left(
            stock.find(view, supplier_id, sku), supplier_id, sku, given_back.get(sku, 0), "supplier_out_of_stock", at
        )
        changes += changes_of(stock.stream(supplier_id, sku), facts)
    return changes


def _learned(
    view: View, order: Order, supplier_order: SupplierOrder, by_line: Mapping[LineNo, LineAnswer], at: datetime
) -> list[Change]:
    """What the answers tell of the supplier beyond this order: what it offers no more, and where it does not ship."""
    skus = defaultdict[RejectReason | None, set[str]](set)
    for line_no, answer in by_line.items():
        skus[answer.because].add(order.lines[line_no].sku)
    if skus.keys().isdisjoint(_TELLING):
        return []
    stream = suppliers.stream(supplier_order.supplier_id)
    supplier = suppliers.find(view, supplier_order.supplier_id)
    if supplier is None:
        return []
    facts: list[suppliers.SupplierFact] = []
    for sku in sorted(skus[RejectReason.DISCONTINUED].intersection(supplier.offers)):
        facts += suppliers.withdraw_offer(supplier, sku, "discontinued", at)
    place, origin = order.destination_of(supplier_order), supplier.country_of(supplier_order.warehouse)
    # Whoever sends from elsewhere means the country; within one, or one union, it may be an island or a state. A part
    # with customs of its own is never the whole country.
    mainland = territory(place.country)
    region = place.region if territory(origin) == mainland or territory_of(place) != mainland else ""
    for sku in sorted(skus[RejectReason.CANNOT_SHIP_TO]) if place.country else ():
        facts += suppliers.refuse_destination(
            supplier, RefusedDestination(place.country, region, sku), "cannot_ship_to", at
        )
    return changes_of(stream, facts)


_TELLING = frozenset({RejectReason.DISCONTINUED, RejectReason.CANNOT_SHIP_TO})


def pack(view: View, supplier_order_id: str, packed_with: tuple[str, ...], at: datetime, now: datetime) -> list[Change]:
    """The goods are packed, and with what. If a hold stood, that is recorded as an oddity."""
    order = order_in(view, order_of(supplier_order_id))
    supplier_order = order.supplier_order(supplier_order_id)
    facts = supplier_orders.pack(supplier_order, packed_with, at, _oddities(order, supplier_order, at))
    return settled(view, order, facts, now)


def _oddities(order: Order, supplier_order: SupplierOrder, at: datetime) -> tuple[Oddity, ...]:
    """What was wrong when the goods were packed or left; it has happened, so it is not refused (DOMAIN 1)."""
    held = orders.held_at(order, supplier_order.supplier_order_id, at)
    sent_at = supplier_order.sent_at
    early = at < order.placed.placed_at or (sent_at is not None and at < sent_at - parcels.TOLD_LATE)
    again = supplier_order.asked_again
    former = again is not None and again.acknowledged_at is None and at < again.at
    odd = (Oddity.ON_HOLD,) * held + (Oddity.TOO_EARLY,) * early + (Oddity.FORMER_ADDRESS,) * former
    return odd if sent_at is not None else (*odd, Oddity.NOT_SENT)


def ship(
    view: View, supplier_order_id: str, carrier: str, number: str, told: Told, at: datetime, now: datetime
) -> list[Change]:
    """Units left in a parcel, which may have others in it; nothing named means all that are left.

    The number may be that of its last mile.
    It is never refused because of a hold, an impossible time, a draft, or units that should not have left: these are
    oddities. The same shipment again records nothing.
    """
    order = order_in(view, order_of(supplier_order_id))
    supplier_order = order.supplier_order(supplier_order_id)
    skus = {order.lines[line_no].sku for line_no in supplier_order.shares}
    view.need(parcels.stream(carrier, number), *(stock.stream(supplier_order.supplier_id, sku) for sku in skus))
    told_under = (carrier, number)
    carrier, number = number_of(view, told_under, order, supplier_order, at)
    load = orders.loaded(order, supplier_order, carrier, number, told, at)
    if not (load.owed or load.over or load.unordered):
        return []
    before = parcels.find(view, carrier, number)
    in_use = (Oddity.NUMBER_IN_USE,) if (carrier, number) == told_under and is_in_use(view, told_under) else ()
    odd = (*_oddities(order, supplier_order, at), *load.oddities, *in_use)
    former = order.ship_to_at(at) if Oddity.FORMER_ADDRESS in odd else None
    country = (former.destination if former else order.destination_of(supplier_order)).country
    collect = orders.collect_minor(order, supplier_order_id, load.owed) if load.owed else 0
    registration = _registration(
        order,
        supplier_order,
        (carrier, number),
        plus(load.owed, load.over) if load.over else load.owed,
        at,
        country,
        Money(collect, order.currency) if collect else None,
    )
    parcel, parcel_facts = under_number(view, before, order, supplier_order, registration)
    shipped = SupplierOrderShipped(
        supplier_order_id=supplier_order_id,
        carrier=carrier,
        number=number,
        epoch=parcel.epoch,
        by_line=load.owed,
        at=at,
        oddities=odd,
        collect_minor=collect,
        unreserved=without_reservation(view, order, supplier_order.supplier_id, load.owed),
        over=load.over,
        unordered=load.unordered,
        in_parcel_of=parcel.order_id if parcel.order_id != order.order_id else "",
        told_under=told_under if told_under != (carrier, number) else None,
    )
    docket = Docket(order, supplier_orders.ship(supplier_order, shipped))
    if Oddity.GIVEN_UP in load.oddities:
        docket.add(wait_for_person(docket.order, (), at))
    docket.add(follow(docket.order, parcel))
    numbered = customer_invoices.after_shipping(view, docket, load.owed, now)
    invoiced = invoice_matching.after_shipping(view, docket, supplier_order_id, now)
    return [
        *docket.settled(view, now),
        *invoiced,
        *numbered,
        *give_up_scans(view, before, parcel, now),
        *changes_of(parcels.stream(carrier, number), parcel_facts),
        *consume(view, order, supplier_order.supplier_id, _reserved(supplier_order, load), at),
    ]


def _reserved(supplier_order: SupplierOrder, load: Load) -> Units:
    """Units that it still had to send: what it had rejected had given back its stock."""
    if Oddity.GIVEN_UP not in load.oddities:
        return load.owed
    left = supplier_orders.left_to_ship(supplier_order)
    return {n: count for n, units in load.owed.items() if (count := min(units, left.get(n, 0)))}


def _registration(
    order: Order,
    supplier_order: SupplierOrder,
    which: tuple[str, str],
    by_line: Units,
    at: datetime,
    country: str,
    collect: Money | None,
) -> ParcelRegistered:
    return ParcelRegistered(
        *which,
        epoch=0,
        at=at,
        order_id=order.order_id,
        supplier_order_id=supplier_order.supplier_order_id,
        supplier_id=supplier_order.supplier_id,
        by_line=by_line,
        country=country,
        first_scan_by=due_after(
            at,
            supplier_order.first_scan_within_hours,
            supplier_order.peaks,
            supplier_order.working,
            "first_scan_within",
        ),
        promised_by=order.promised_by,
        promised_day=order.promised_day,
        historical=order.placed.historical,
        collect=collect,
        exists_from=parcels.earliest(order.placed.placed_at, supplier_order.sent_at or at, at),
    )
