"""Corrections of shipments: the parcel that did not leave, and the one that left under another number (DOMAIN 4).

The ledger comes to stand as if the right thing had been reported at once. A number that was used by mistake is free
again, and its scans are those of whose it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import reduce
from typing import NamedTuple

from msgspec.structs import replace

from ledger.decisions import (
    addressing,
    customer_invoices,
    delivery,
    invoice_matching,
    last_miles,
    order_stock,
    recovery_demands,
)
from ledger.decisions.ahead import Ahead
from ledger.decisions.boxes import number_of, under_number
from ledger.decisions.docket import Docket, order_in
from ledger.facts import Change, LineNo, changes_of, order_of, plus
from ledger.nouns import orders, parcels
from ledger.nouns.orders import Order, Shipment, breaches, supplier_orders
from ledger.nouns.orders.supplier_orders import CancelRequested, ShipmentVoided, TrackingCorrected, Wish
from ledger.nouns.parcels import Content, Parcel, ParcelRegistered, ParcelVoided
from ledger.view import View


class Why(NamedTuple):
    """Who corrects something, when, and for what reason."""

    because: str
    by: str
    at: datetime


# --- what did not leave ---------------------------------------------------------------------------


def void_shipment(view: View, supplier_order_id: str, why: Why, now: datetime) -> list[Change]:
    """A supplier order was reported as shipped by mistake: nothing of it left, in none of its parcels."""
    order = order_in(view, order_of(supplier_order_id))
    supplier_order = order.supplier_order(supplier_order_id)
    shipments = [each for each in order.shipments if each.supplier_order_id == supplier_order_id]
    if not shipments and not supplier_order.voided:
        raise orders.NothingShipped(supplier_order_id)
    view.need(*(parcels.stream(each.carrier, each.number) for each in shipments))
    ahead, changes = Ahead(view), list[Change]()
    for carrier, number, epoch in dict.fromkeys(each.parcel for each in shipments):
        parcel = parcels.known(parcels.find(ahead, carrier, number), carrier, number)
        use = next(use for use in parcels.uses(parcel) if use.epoch == epoch)
        changes += ahead.add(_void(ahead, parcel, use, supplier_order_id, why, now))
    return changes


def void_parcel(view: View, carrier: str, number: str, supplier_order_id: str, why: Why, now: datetime) -> list[Change]:
    """A parcel did not leave, or nothing of a supplier order was in it. Without a supplier order it is the newest use
    of its number. The same again records nothing."""
    parcel = parcels.known(parcels.find(view, carrier, number), carrier, number)
    use = parcels.use_of(parcel, supplier_order_id)
    if use.last_mile_of is not None:
        return _void_last_mile(view, parcel, use, why, now)
    voided = parcels.voided_of(use, supplier_order_id)
    if voided is not None and voided.instead is None:
        return []
    parcels.require_live(use, supplier_order_id)
    return _void(view, parcel, use, supplier_order_id, why, now)


def _void(view: View, parcel: Parcel, use: Parcel, supplier_order_id: str, why: Why, now: datetime) -> list[Change]:
    part = supplier_order_id if use.beside else ""
    fact = ParcelVoided(use.carrier, use.number, use.epoch, *why, supplier_order_id=part)
    ahead, changes = Ahead(view), list[Change]()
    for order_id in use.order_ids:
        if not part or order_id == order_of(part):
            changes += ahead.add(_unship(ahead, use, order_id, part, why, now))
    changes += ahead.add(_give_number_back(ahead, parcel, fact, now))
    return changes if part else [*changes, *_end_claims(ahead, use, now)]


def _unship(view: View, use: Parcel, order_id: str, part: str, why: Why, now: datetime) -> list[Change]:
    """What an order has in a parcel, or a supplier order of it, did not leave."""
    order = order_in(view, order_id)
    shipments = _in_parcel(order, use, part)
    _require_undoable(order, shipments)
    view.need(*(stream for each in shipments for stream in order_stock.streams_of(order, each)))
    docket = Docket(order)
    if shipments[0].bucket != "shipped":
        units = order.in_parcel(shipments[0])
        docket.add([orders.DeliveryReopened(order.order_id, *shipments[0].parcel, units, why.at)])
    changes: list[Change] = []
    names = list(dict.fromkeys(each.supplier_order_id for each in shipments))
    kept = {name for name in names if order.supplier_orders[name].ship_to is not None}
    for each in shipments:
        docket.add([ShipmentVoided(each.supplier_order_id, *each.parcel, each.by_line, *why)])
        docket.add(_asked_again(docket.order, each, why.at))
        changes += order_stock.restore(view, order, each, why.at)
    docket.add(delivery.follow(docket.order, use))
    for supplier_order_id in names:
        own, stops = docket.order.supplier_orders[supplier_order_id], docket.order.stops_on(supplier_order_id)
        docket.add(supplier_orders.recompute_clocks(own, stops, why.at))
        if supplier_order_id in kept and own.ship_to is None:
            docket.add(addressing.told_again(view, docket.order, supplier_order_id, why.at))
        changes += invoice_matching.after_voiding(view, docket, supplier_order_id, now)
    changes += customer_invoices.after_voiding(view, docket, *why, now)
    docket.add(breaches.miss_overdue(docket.order, now))
    return [*docket.settled(view, now), *changes]


def _in_parcel(order: Order, use: Parcel, part: str) -> list[Shipment]:
    which = (use.carrier, use.number, use.epoch)
    inside = [order.shipments_by_place[place] for place in order.places.get(which, ())]
    return [each for each in inside if part in ("", each.supplier_order_id)]


def _require_undoable(order: Order, shipments: Sequence[Shipment]) -> None:
    """Refuses what somebody saw: a receipt that was confirmed, units that a case is about."""
    after, buckets = order.after_sales, order.buckets
    for each in shipments:
        if orders.is_confirmed_received(order, each) and order.receipt_confirmed_at is not None:
            raise orders.ReceiptIsConfirmed(order.order_id, each.carrier, each.number, order.receipt_confirmed_at)
        for line_no, units in each.by_line.items():
            pairs = [(after.in_cases(line_no), buckets[line_no].sent - units)]
            if each.bucket == "delivered":
                pairs.append((after.in_cases(line_no, arrived=True), buckets[line_no].delivered - units))
            else:
                pairs.append((after.in_cases(line_no, arrived=False), _not_arrived(order, each, line_no) - units))
            if each.bucket == "returned":
                pairs.append((after.inspected(line_no), buckets[line_no].returned - units))
            for in_cases, left in pairs:
                if in_cases > left:
                    raise orders.UnitsInCase(line_no, in_cases, left)


def _not_arrived(order: Order, shipment: Shipment, line_no: LineNo) -> int:
    """Units that cases about what did not arrive can be about: where they are, or where the parcel is under way still,
    those too that arrived after such a case was opened.
    """
    buckets, since = order.buckets[line_no], order.after_sales.first_taken_at(line_no)
    left = buckets.shipped + buckets.lost + buckets.returned
    if since is None or shipment.bucket != "shipped":
        return left
    arrived = (s for s in order.shipments if s.delivered_at is not None and s.delivered_at > since)
    return left + sum(s.by_line.get(line_no, 0) for s in arrived)


def _asked_again(order: Order, shipment: Shipment, at: datetime) -> list[CancelRequested]:
    """What it was too late to cancel, because it had left as was reported, is to be cancelled again."""
    if shipment.not_cancelled is None:
        return []
    own = order.supplier_orders[shipment.supplier_order_id]
    units, rerouted = shipment.not_cancelled
    wish = own.reroute_wish if units == rerouted else own.cancel_wish
    assert wish is not None, "somebody asked for it"
    asked, to = (plus(own.cancel_asked, units), plus(own.reroute_asked, rerouted)), own.reroute_wish
    wish = Wish(wish.by, wish.because, to.to if to else "")
    return [supplier_orders.cancel_request(own, asked[0], wish, asked[1], at)]


# --- what left under another number ---------------------------------------------------------------


def correct_tracking(
    view: View, carrier: str, number: str, right: tuple[str, str], supplier_order_id: str, why: Why, now: datetime
) -> list[Change]:
    """A parcel left under another carrier or number, or what a supplier order was said to have in it did. What that
    number's scans say counts at once. The same again records nothing."""
    parcel = parcels.known(parcels.find(view, carrier, number), carrier, number)
    use = parcels.use_of(parcel, supplier_order_id)
    if use.last_mile_of is not None:
        ahead = Ahead(view)
        changes = ahead.add(_void_last_mile(ahead, parcel, use, why, now))
        return [*changes, *last_miles.hand_over(ahead, *use.last_mile_of[:2], right, why.at, now)]
    voided = parcels.voided_of(use, supplier_order_id)
    instead = voided.instead if voided is not None else None
    if instead is not None and (instead[:2] == right or instead == parcels.first_mile_of(parcels.find(view, *right))):
        return []
    parcels.require_live(use, supplier_order_id)
    if not use.order_id:
        raise parcels.NoShipmentToCorrect(carrier, number)
    part = supplier_order_id if use.beside else ""
    ahead, changes = Ahead(view), list[Change]()
    if (last := parcels.find(view, *right)) and parcels.first_mile_of(last) == (carrier, number, use.epoch):
        # It was never handed over to the number that it had from the first.
        changes += ahead.add(_void_last_mile(ahead, last, last, why, now))
        parcel = parcels.known(parcels.find(ahead, carrier, number), carrier, number)
        use = parcels.use_of(parcel, supplier_order_id)
    else:
        right = _number_of(view, use, part, right)
    before, moved = parcels.find(ahead, *right), use
    for order_id in use.order_ids:
        if not part or order_id == order_of(part):
            moved, facts = _renumber(ahead, use, order_id, part, right, why, now)
            changes += ahead.add(facts)
    changes += ahead.add(delivery.give_up_scans(ahead, before, moved, now))
    fact = ParcelVoided(carrier, number, use.epoch, *why, (*right, moved.epoch), part)
    changes += ahead.add(_give_number_back(ahead, parcel, fact, now))
    if not part:
        changes += ahead.add(_end_claims(ahead, use, now))
    if use.lost_at is not None and moved.delivered_at is not None:
        changes += delivery.recover_spending_on_found(ahead, moved, now)
    return changes


def _number_of(view: View, use: Parcel, part: str, right: tuple[str, str]) -> tuple[str, str]:
    """The right number, or the first mile's of the parcel that has it as that of its last mile."""
    content = next(each for each in use.contents if part in ("", each.supplier_order_id))
    order = order_in(view, content.order_id)
    left_at = _in_parcel(order, use, content.supplier_order_id)[0].shipped_at
    return number_of(view, right, order, order.supplier_order(content.supplier_order_id), left_at)


def _renumber(
    view: View, use: Parcel, order_id: str, part: str, right: tuple[str, str], why: Why, now: datetime
) -> tuple[Parcel, list[Change]]:
    """What an order has in a parcel is under another number, with whatever else is; and what that means for it."""
    docket, changes, moved = Docket(order_in(view, order_id)), list[Change](), use
    known, wrong = parcels.find(view, *right), (use.carrier, use.number, use.epoch)
    for content in use.contents:
        if content.order_id == order_id and part in ("", content.supplier_order_id):
            own = docket.order.supplier_orders[content.supplier_order_id]
            left_at = _in_parcel(docket.order, use, content.supplier_order_id)[0].shipped_at
            moved, facts = under_number(view, known, docket.order, own, _as_it_left(use, content, left_at, right))
            known = reduce(parcels.evolve, facts, known)
            changes += changes_of(parcels.stream(*right), facts)
            whose = moved.order_id if moved.order_id != order_id else ""
            instead = (*right, moved.epoch)
            docket.add([TrackingCorrected(content.supplier_order_id, *wrong, instead, *why, whose)])
    docket.add(delivery.follow(docket.order, moved, use))
    docket.add(breaches.miss_overdue(docket.order, now))
    return moved, [*docket.settled(view, now), *changes]


def _as_it_left(use: Parcel, content: Content, left_at: datetime, right: tuple[str, str]) -> ParcelRegistered:
    """The registration of what a supplier order has in a parcel, had its number been right."""
    return ParcelRegistered(
        *right,
        epoch=0,
        at=left_at,
        order_id=content.order_id,
        supplier_order_id=content.supplier_order_id,
        supplier_id=use.supplier_id,
        by_line=content.by_line,
        country=use.country,
        first_scan_by=use.first_scan_by,
        promised_by=content.promised_by,
        promised_day=content.promised_day,
        historical=use.historical,
        collect=content.collect,
        exists_from=use.exists_alone_from or use.exists_from,
    )


def _void_last_mile(view: View, parcel: Parcel, use: Parcel, why: Why, now: datetime) -> list[Change]:
    """A parcel did not go on under a number of a last mile."""
    if use.voided is not None:
        return []
    ahead = Ahead(view)
    fact = ParcelVoided(use.carrier, use.number, use.epoch, *why, use.last_mile_of)
    changes = ahead.add(_give_number_back(ahead, parcel, fact, now))
    return [*changes, *last_miles.take_back(ahead, use, *why, now)]


# --- the number that was used by mistake ----------------------------------------------------------


def _give_number_back(view: View, parcel: Parcel, voided: ParcelVoided, now: datetime) -> list[Change]:
    """A use of a number was none: its scans are those of the other uses, which reaches their orders."""
    facts = parcels.void(parcel, voided)
    after = reduce(parcels.evolve, facts, parcel)
    touched = list(parcels.shared_anew(parcel, after))
    stream, ahead = parcels.stream(parcel.carrier, parcel.number), Ahead(view)
    changes = ahead.add([*changes_of(stream, facts), *delivery.reach(view, touched, facts, now)])
    return [*changes, *last_miles.pass_on(ahead, after, voided.at, now)]


def _end_claims(view: View, use: Parcel, now: datetime) -> list[Change]:
    """Claims for the loss of a parcel that was none are withdrawn, or marked for a review."""
    return recovery_demands.arrive(view, replace(use, delivered_at=now), now) if use.claims else []
