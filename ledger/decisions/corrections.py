"""Corrections of shipments: the parcel that did not leave, and the one that left under another number (DOMAIN 4).

The ledger comes to stand as if the right thing had been reported at once. A number that was used by mistake is free
again, and its scans are those of whose it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from ledger.decisions import addressing, customer_invoices, delivery, invoice_matching, order_stock, recovery_demands
from ledger.decisions.ahead import Ahead
from ledger.decisions.docket import Docket, order_in
from ledger.facts import Change, Units, changes_of, order_of, plus
from ledger.nouns import orders, parcels
from ledger.nouns.orders import Order, Shipment, breaches, supplier_orders
from ledger.nouns.orders.supplier_orders import CancelRequested, ShipmentVoided, TrackingCorrected
from ledger.nouns.parcels import Parcel, ParcelRegistered, ParcelVoided
from ledger.view import View


class Why(NamedTuple):
    """Who corrects something, when, and for what reason."""

    because: str
    by: str
    at: datetime


# --- what did not leave ---------------------------------------------------------------------------


def void_shipment(view: View, supplier_order_id: str, why: Why, now: datetime) -> list[Change]:
    """A supplier order was reported as shipped by mistake: nothing of it left, in none of its parcels."""
    supplier_order = order_in(view, order_of(supplier_order_id)).supplier_order(supplier_order_id)
    shipments = _shipments(order_in(view, order_of(supplier_order_id)), supplier_order_id)
    if not shipments and not supplier_order.voided:
        raise orders.NothingShipped(supplier_order_id)
    view.need(*(parcels.stream(each.carrier, each.number) for each in shipments))
    ahead, changes = Ahead(view), list[Change]()
    for carrier, number in dict.fromkeys((each.carrier, each.number) for each in shipments):
        changes += ahead.add(void_parcel(ahead, carrier, number, supplier_order_id, why, now))
    return changes


def void_parcel(view: View, carrier: str, number: str, supplier_order_id: str, why: Why, now: datetime) -> list[Change]:
    """A parcel did not leave. Without a supplier order it is the present use of its number. The same again records
    nothing."""
    parcel = parcels.known(parcels.find(view, carrier, number), carrier, number)
    use = parcels.use_of(parcel, supplier_order_id)
    if use.voided is not None and use.voided.instead is None:
        return []
    parcels.require_live(use)
    voided = ParcelVoided(carrier, number, use.epoch, why.because, why.by, why.at)
    ahead = Ahead(view)
    changes = ahead.add(_unship(view, use, why, now)) if use.order_id else []
    changes += ahead.add(_give_number_back(ahead, parcel, voided, now))
    return [*changes, *_end_claims(ahead, use, now)]


def _unship(view: View, use: Parcel, why: Why, now: datetime) -> list[Change]:
    order = order_in(view, use.order_id)
    shipments = [each for each in order.shipments if each.parcel == (use.carrier, use.number, use.epoch)]
    _require_undoable(order, shipments)
    view.need(*(stream for each in shipments for stream in order_stock.streams_of(order, each)))
    docket = Docket(order)
    if shipments[0].bucket != "shipped":
        units: Units = {}
        for each in shipments:
            units = plus(units, each.by_line)
        docket.add([orders.DeliveryReopened(order.order_id, *shipments[0].parcel, units, why.at)])
    changes: list[Change] = []
    kept = {name for name, each in order.supplier_orders.items() if each.ship_to is not None}
    for each in shipments:
        docket.add([ShipmentVoided(each.supplier_order_id, *each.parcel, each.by_line, *why)])
        docket.add(_asked_again(docket.order, each, why.at))
        changes += order_stock.restore(view, order, each, why.at)
    for supplier_order_id in dict.fromkeys(each.supplier_order_id for each in shipments):
        own, stops = docket.order.supplier_orders[supplier_order_id], docket.order.stops_on(supplier_order_id)
        docket.add(supplier_orders.recompute_clocks(own, stops, why.at))
        if supplier_order_id in kept and own.ship_to is None:
            docket.add(addressing.told_again(view, docket.order, supplier_order_id, why.at))
        changes += invoice_matching.after_voiding(view, docket, supplier_order_id, now)
    changes += customer_invoices.after_voiding(view, docket, *why, now)
    docket.add(breaches.miss_overdue(docket.order, now))
    return [*docket.settled(now), *changes]


def _require_undoable(order: Order, shipments: Sequence[Shipment]) -> None:
    """Refuses what somebody saw: a receipt that was confirmed, units that a case is about."""
    after = order.after_sales
    for each in shipments:
        if orders.is_confirmed_received(order, each) and order.receipt_confirmed_at is not None:
            raise orders.ReceiptIsConfirmed(order.order_id, each.carrier, each.number, order.receipt_confirmed_at)
        for line_no, units in each.by_line.items():
            pairs = [(after.in_cases(line_no), order.sent[line_no] - units)]
            if each.bucket == "delivered":
                pairs.append((after.in_cases(line_no, arrived=True), order.buckets[line_no].delivered - units))
            if each.bucket == "returned":
                pairs.append((after.inspected(line_no), order.buckets[line_no].returned - units))
            for in_cases, left in pairs:
                if in_cases > left:
                    raise orders.UnitsInCase(line_no, in_cases, left)


def _asked_again(order: Order, shipment: Shipment, at: datetime) -> list[CancelRequested]:
    """What it was too late to cancel, because it had left as was reported, is to be cancelled again."""
    if shipment.not_cancelled is None:
        return []
    own = order.supplier_orders[shipment.supplier_order_id]
    units, rerouted = shipment.not_cancelled
    wish = own.reroute_wish if units == rerouted else own.cancel_wish
    assert wish is not None, "somebody asked for it"
    asked, to = (plus(own.cancel_asked, units), plus(own.reroute_asked, rerouted)), own.reroute_wish
    return [CancelRequested(own.supplier_order_id, asked[0], wish.by, wish.because, at, asked[1], to.to if to else "")]


# --- what left under another number ---------------------------------------------------------------


def correct_tracking(
    view: View, carrier: str, number: str, right: tuple[str, str], supplier_order_id: str, why: Why, now: datetime
) -> list[Change]:
    """A parcel left under another carrier or number. What that number's scans say counts at once. The same again
    records nothing."""
    parcel = parcels.known(parcels.find(view, carrier, number), carrier, number)
    use = parcels.use_of(parcel, supplier_order_id)
    if use.voided is not None and use.voided.instead is not None and use.voided.instead[:2] == right:
        return []
    parcels.require_live(use)
    if not use.order_id:
        raise parcels.NoShipmentToCorrect(carrier, number)
    order, before = order_in(view, use.order_id), parcels.find(view, *right)
    wrong = (carrier, number, use.epoch)
    shipments = [each for each in order.shipments if each.parcel == wrong]
    moved, registered = delivery.registered(view, _as_it_left(use, shipments[0], right))
    instead = (*right, moved.epoch)
    if order.shipment(*instead) is not None:
        raise parcels.ParcelOfAnotherOrder(*right, order.order_id)
    docket = Docket(order)
    for name in dict.fromkeys(each.supplier_order_id for each in shipments):
        docket.add([TrackingCorrected(name, *wrong, instead, *why)])
    docket.add(delivery.follow(docket.order, moved, use))
    docket.add(breaches.miss_overdue(docket.order, now))
    ahead = Ahead(view)
    changes = ahead.add([*docket.settled(now), *changes_of(parcels.stream(*right), registered)])
    changes += ahead.add(delivery.give_up_scans(ahead, before, moved, now))
    voided = ParcelVoided(*wrong, *why, instead)
    changes += ahead.add(_give_number_back(ahead, parcel, voided, now))
    changes += ahead.add(_end_claims(ahead, use, now))
    if use.lost_at is not None and moved.delivered_at is not None:
        changes += delivery.recover_spending_on_found(ahead, moved, now)
    return changes


def _as_it_left(use: Parcel, shipment: Shipment, right: tuple[str, str]) -> ParcelRegistered:
    """The registration of the parcel, had its number been right."""
    return ParcelRegistered(
        *right,
        epoch=0,
        at=shipment.shipped_at,
        order_id=use.order_id,
        supplier_order_id=use.supplier_order_id,
        supplier_id=use.supplier_id,
        by_line=use.by_line,
        country=use.country,
        first_scan_by=use.first_scan_by,
        promised_by=use.promised_by,
        promised_day=use.promised_day,
        historical=use.historical,
        collect=use.collect,
        exists_from=use.exists_alone_from or use.exists_from,
    )


# --- the number that was used by mistake ----------------------------------------------------------


def _give_number_back(view: View, parcel: Parcel, voided: ParcelVoided, now: datetime) -> list[Change]:
    """A use of a number was none: its scans are those of the other uses, which reaches their orders."""
    facts = parcels.void(parcel, voided)
    after = parcels.evolve(parcel, voided)
    for fact in facts[1:]:
        after = parcels.evolve(after, fact)
    touched = list(parcels.shared_anew(parcel, after))
    stream = parcels.stream(parcel.carrier, parcel.number)
    return [*changes_of(stream, facts), *delivery.reach(view, touched, facts, now)]


def _end_claims(view: View, use: Parcel, now: datetime) -> list[Change]:
    """Claims for the loss of a parcel that was none are withdrawn, or marked for a review."""
    return recovery_demands.arrive(view, replace(use, delivered_at=now), now) if use.claims else []


def _shipments(order: Order, supplier_order_id: str) -> list[Shipment]:
    return [each for each in order.shipments if each.supplier_order_id == supplier_order_id]
