"""One parcel with units of several supplier orders: told line by line, or two orders in one box (DOMAIN 4).

They are of one supplier, to one destination, and left at one time. A number that is in use otherwise was reused, or is
a neighbour's by mistake: it starts another use.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ledger.decisions.delivery import registered
from ledger.decisions.docket import order_in
from ledger.nouns import parcels
from ledger.nouns.orders import Order
from ledger.nouns.orders.supplier_orders import SupplierOrder
from ledger.nouns.parcels import TOLD_LATE, Parcel, ParcelFact, ParcelRegistered, ParcelUnitsAdded
from ledger.view import View

Number = tuple[str, str]
"""A carrier and a tracking number."""


def number_of(view: View, told: Number, order: Order, supplier_order: SupplierOrder, at: datetime) -> Number:
    """The number of the parcel that goods are in: the first mile's, where they are reported under that of a last mile
    of a parcel that can hold them, or of which no order is known yet."""
    use = _first_mile(view, told)
    if use is None or use.voided is not None or use.return_of:
        return told
    first = (use.carrier, use.number)
    known = order.shipment(*first, use.epoch) if use.order_id else None
    mine = known is not None and any(
        each.parcel == known.parcel and each.supplier_order_id == supplier_order.supplier_order_id
        for each in order.shipments
    )
    return first if mine or not use.order_id or _is_box(use, order, supplier_order, at, view) else told


def is_in_use(view: View, told: Number) -> bool:
    """Whether a number is that of the last mile of a parcel that is under way."""
    use = _first_mile(view, told)
    return use is not None and not use.is_over


def _first_mile(view: View, told: Number) -> Parcel | None:
    """The parcel that goes on under a number."""
    first = parcels.first_mile_of(parcels.find(view, *told))
    if first is None:
        return None
    view.need(parcels.stream(*first[:2]))
    use = parcels.find(view, *first[:2])
    return use if use is not None and use.epoch == first[2] else None


def under_number(
    view: View, before: Parcel | None, order: Order, supplier_order: SupplierOrder, registration: ParcelRegistered
) -> tuple[Parcel, Sequence[ParcelFact]]:
    """The parcel that the units are in, which others may be in already, and the facts that say so."""
    box = _box_of(view, before, order, supplier_order, registration.at) if before is not None else None
    if before is None or box is None:
        return registered(view, registration)
    added = _put_beside(view, box, registration)
    after = parcels.evolve(before, added)
    return next(use for use in parcels.uses(after) if use.epoch == box.epoch), [added]


def _box_of(view: View, number: Parcel, order: Order, supplier_order: SupplierOrder, at: datetime) -> Parcel | None:
    """The use of a number in whose parcel these units left, if that is known already."""
    return next((use for use in parcels.uses(number) if _is_box(use, order, supplier_order, at, view)), None)


def _is_box(use: Parcel, order: Order, supplier_order: SupplierOrder, at: datetime, view: View) -> bool:
    ended_before = use.ended_at is not None and use.ended_at < at
    if not use.order_id or use.voided is not None or use.supplier_id != supplier_order.supplier_id or ended_before:
        return False
    other = order if use.order_id == order.order_id else order_in(view, use.order_id)
    shipment = other.shipment(use.carrier, use.number, use.epoch)
    together = shipment is not None and abs(shipment.shipped_at - at) <= TOLD_LATE
    return together and (other is order or _could_hold(use, other, order, supplier_order))


def _could_hold(use: Parcel, other: Order, order: Order, supplier_order: SupplierOrder) -> bool:
    """Whether a parcel of another order goes where this one goes, and had not left before this one was placed."""
    shipment = other.shipment(use.carrier, use.number, use.epoch)
    to = other.ship_to_of(use.supplier_order_id, shipment).destination
    gone = use.first_scan_at is not None and use.first_scan_at < order.placed.placed_at
    return to == order.destination_of(supplier_order) and not gone


def _put_beside(view: View, box: Parcel, registration: ParcelRegistered) -> ParcelUnitsAdded:
    """The units of a registration are in the parcel."""
    return ParcelUnitsAdded(
        carrier=box.carrier,
        number=box.number,
        epoch=box.epoch,
        at=registration.at,
        order_id=registration.order_id,
        supplier_order_id=registration.supplier_order_id,
        by_line=registration.by_line,
        promised_by=registration.promised_by,
        promised_day=registration.promised_day,
        historical=registration.historical,
        collect=registration.collect,
        warnings=_of_others(view, box, registration.order_id),
    )


def _of_others(view: View, box: Parcel, order_id: str) -> tuple[str, ...]:
    """A warning where the parcel may be another person's: its number can be here by mistake.

    Which orders are of one person no fact says, but that goods were sent once more to the same one.
    """
    here, other = order_in(view, order_id), order_in(view, box.order_id)
    if order_id in box.order_ids or here.paid_order_id == other.paid_order_id:
        return ()
    return (f"the number is that of a parcel of {box.order_id} too: both orders are taken to be in it",)
