"""Where the units of an order are: in the buckets of its lines, at its suppliers, in its parcels, and late."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec.structs import replace

from ledger.facts import LineNo, Units, minus, plus
from ledger.nouns.orders import invoices, supplier_orders
from ledger.nouns.orders.facts import (
    BreachWithdrawn,
    DeadlineMissed,
    DeliveryReopened,
    UnitsDelivered,
    UnitsLost,
    UnitsReturned,
)
from ledger.nouns.orders.state import AtSupplier, Buckets, Order, ParcelKey, Shipment
from ledger.nouns.orders.supplier_orders import (
    CancelAgreed,
    CancelRefused,
    Oddity,
    ShipmentVoided,
    ShipTo,
    SupplierOrder,
    SupplierOrderAcknowledged,
    SupplierOrderDrafted,
    SupplierOrderFact,
    SupplierOrderPacked,
    SupplierOrderShipped,
    TrackingCorrected,
)
from ledger.terms.clocks import Clock

# A supplier that is asked again has as many units as before.
_OfLines = SupplierOrderAcknowledged | SupplierOrderShipped | ShipmentVoided | CancelAgreed

_ParcelMoved = UnitsDelivered | UnitsLost | UnitsReturned | DeliveryReopened


def supplier_order_moved(order: Order, fact: SupplierOrderFact) -> Order:
    """A supplier order's fact, and what it does to the buckets of the order's lines."""
    if isinstance(fact, SupplierOrderDrafted):
        after = supplier_orders.draft(fact)
        order = move_units(order, fact.units, "open", "assigned")
        if order.unreserved:
            order = replace(order, unreserved=_with_supplier(order.unreserved, fact))
        if any(choice.untracked for choice in fact.choices):
            order = _with_untracked(order, fact)
    else:
        before = order.supplier_orders[fact.supplier_order_id]
        after = supplier_orders.evolve(before, fact)
        if isinstance(fact, _OfLines):
            order = replace(order, buckets=_follow_shares(order.buckets, before, after, fact.by_line))
    if isinstance(fact, CancelAgreed):
        order = with_cancelled_at(order, fact.at)
        if cancelled := minus(fact.by_line, fact.rerouted):
            order = count_cancelled(order, cancelled, fact.at)
    elif isinstance(fact, SupplierOrderShipped):
        order, after = _shipped(order, after, fact)
    elif isinstance(fact, ShipmentVoided):
        return _without_shipments(order, after, fact)
    elif isinstance(fact, TrackingCorrected):
        return _renumbered(order, fact)
    elif isinstance(fact, CancelRefused) and fact.by_line and order.shipments_by_place:
        rerouted = {n: min(units, before.reroute_asked.get(n, 0)) for n, units in fact.by_line.items()}
        place, last = next(reversed(order.shipments_by_place.items()))
        last = replace(last, not_cancelled=(fact.by_line, minus(rerouted, {})))
        order = replace(order, shipments_by_place={**order.shipments_by_place, place: last})
    elif isinstance(fact, SupplierOrderPacked) and (former := _ship_to_before(order, fact)) is not None:
        after = supplier_orders.keep_address(after, former, fact.at)
    return replace(order, supplier_orders={**order.supplier_orders, after.supplier_order_id: after})


def _shipped(order: Order, after: SupplierOrder, fact: SupplierOrderShipped) -> tuple[Order, SupplierOrder]:
    """With one more shipment: if it is under a number that the order has already, it is where that parcel is."""
    shipment = Shipment(
        fact.supplier_order_id,
        fact.carrier,
        fact.number,
        fact.epoch,
        fact.by_line,
        shipped_at=fact.at,
        oddities=fact.oddities,
        ship_to=_ship_to_before(order, fact),
        collect_minor=fact.collect_minor,
        unreserved=fact.unreserved,
    )
    if fact.over or fact.unordered or fact.in_parcel_of:
        more = {"over": fact.over, "unordered": fact.unordered, "in_parcel_of": fact.in_parcel_of}
        shipment = replace(shipment, **more)
    if (others := order.shipment(fact.carrier, fact.number, fact.epoch)) is not None:
        order, after, shipment = _put_beside(order, after, others, shipment)
    order = _with_shipment(order, shipment)
    if shipment.ship_to is not None and not after.unshipped:
        after = supplier_orders.keep_address(after, shipment.ship_to, fact.at)
    return order, after


def _follow_shares(
    buckets: dict[LineNo, Buckets], before: SupplierOrder, after: SupplierOrder, lines: Iterable[LineNo]
) -> dict[LineNo, Buckets]:
    """The buckets of these lines, changed as the supplier order's shares did."""
    changed = dict(buckets)
    for line_no in lines:
        was, share, line = before.shares[line_no], after.shares[line_no], buckets[line_no]
        changed[line_no] = replace(
            line,
            open=line.open + share.rejected + share.rerouted - was.rejected - was.rerouted,
            backordered=line.backordered + share.backordered - was.backordered,
            assigned=line.assigned + share.pending + share.accepted - was.pending - was.accepted,
            cancelled=line.cancelled + share.cancelled - was.cancelled,
            shipped=line.shipped + share.shipped - was.shipped,
        )
    return changed


def move_units(order: Order, by_line: Units, source: str, target: str) -> Order:
    buckets = dict(order.buckets)
    for line_no, units in by_line.items():
        buckets[line_no] = buckets[line_no].move(units, source, target)
    return replace(order, buckets=buckets)


def cancel_units(order: Order, by_line: Units) -> Order:
    """Open units go first, then those that were backordered without a supplier."""
    buckets = dict(order.buckets)
    for line_no, units in by_line.items():
        from_open = min(units, buckets[line_no].open)
        moved = buckets[line_no].move(from_open, "open", "cancelled")
        buckets[line_no] = moved.move(units - from_open, "backordered", "cancelled")
    return replace(order, buckets=buckets)


def shipment_to(order: Order, fact: _ParcelMoved, bucket: str) -> Order:
    shipment = order.shipment(fact.carrier, fact.number, fact.epoch)
    assert shipment is not None, "only parcels of the order move its units"
    delivered_at = fact.at if bucket == "delivered" else None
    ended_at = fact.at if bucket in ("lost", "returned") else None
    sign = 1 if bucket == "delivered" else -1 if shipment.bucket == "delivered" else 0
    shipments, supplier_orders_now = order.shipments_by_place.copy(), dict(order.supplier_orders)
    for place in order.places[shipment.parcel]:
        each = shipments[place]
        shipments[place] = replace(each, bucket=bucket, delivered_at=delivered_at, ended_at=ended_at)
        own = supplier_orders_now[each.supplier_order_id]
        own = replace(own, delivered=own.delivered + sign * sum(each.by_line.values()))
        supplier_orders_now[each.supplier_order_id] = own
    # The same again is about another time.
    moved = order if bucket == shipment.bucket else move_units(order, fact.by_line, shipment.bucket, bucket)
    return replace(moved, shipments_by_place=shipments, supplier_orders=supplier_orders_now)


def count_cancelled(order: Order, cancelled: Units, at: datetime) -> Order:
    """Units that were cancelled, and when: whether their money had come by then decides whether it is owed."""
    return replace(order, money=replace(order.money, cancelled=(*order.money.cancelled, (at, cancelled))))


def with_cancelled_at(order: Order, at: datetime) -> Order:
    return replace(order, cancelled_at=max(at, order.cancelled_at or at))


def with_units(unreserved: Mapping[AtSupplier, int], supplier_id: str, by_line: Units) -> dict[AtSupplier, int]:
    more = {(supplier_id, n): unreserved.get((supplier_id, n), 0) + units for n, units in by_line.items()}
    return {**unreserved, **more}


def _with_shipment(order: Order, shipment: Shipment) -> Order:
    place = next(reversed(order.shipments_by_place), -1) + 1
    places = {**order.places, shipment.parcel: (*order.places.get(shipment.parcel, ()), place)}
    return replace(order, shipments_by_place={**order.shipments_by_place, place: shipment}, places=places)


def _places(shipments: Mapping[int, Shipment]) -> dict[ParcelKey, tuple[int, ...]]:
    places: dict[ParcelKey, tuple[int, ...]] = {}
    for place, each in shipments.items():
        places[each.parcel] = (*places.get(each.parcel, ()), place)
    return places


def _without_shipments(order: Order, after: SupplierOrder, fact: ShipmentVoided) -> Order:
    """The units did not leave: they are counted, clocked and waited for as before that was reported."""
    parcel, own = (fact.carrier, fact.number, fact.epoch), fact.supplier_order_id
    shipments, places = order.shipments_by_place.copy(), {**order.places}
    beside = places.get(parcel, ())
    gone = [shipments.pop(place) for place in beside if shipments[place].supplier_order_id == own]
    if gone and len(gone) == len(beside):
        del places[parcel]
    elif gone:
        places = _places(shipments)
    after = supplier_orders.with_parcels(
        after, [each.shipped_at for each in shipments.values() if each.supplier_order_id == own]
    )
    unreserved: dict[AtSupplier, int] = order.waiting_at_suppliers()
    for each in gone:
        unreserved = with_units(unreserved, after.supplier_id, each.unreserved)
    order = replace(
        order,
        shipments_by_place=shipments,
        places=places,
        supplier_orders={**order.supplier_orders, after.supplier_order_id: after},
        unreserved=unreserved,
        completed_at=None,
    )
    missed = order.breaches.get((fact.supplier_order_id, Clock.DISPATCH))
    if missed is None or missed.withdrawn is not None:
        return order
    return with_late(order, missed.missed, late_units(order, fact.supplier_order_id))


def _renumbered(order: Order, fact: TrackingCorrected) -> Order:
    wrong, (carrier, number, epoch) = (fact.carrier, fact.number, fact.epoch), fact.right
    others, after = order.shipment(*fact.right), order.supplier_orders[fact.supplier_order_id]
    shipments = order.shipments_by_place.copy()
    for place, each in order.shipments_by_place.items():
        if (each.supplier_order_id, each.parcel) == (fact.supplier_order_id, wrong):
            # The number that it has now is no other parcel's.
            odd = tuple(oddity for oddity in each.oddities if oddity is not Oddity.NUMBER_IN_USE)
            each = replace(
                each, carrier=carrier, number=number, epoch=epoch, in_parcel_of=fact.in_parcel_of, oddities=odd
            )
            if others is not None:
                order, after, each = _put_beside(order, after, others, each)
            shipments[place] = each
    return replace(
        order,
        shipments_by_place=shipments,
        places=_places(shipments),
        supplier_orders={**order.supplier_orders, after.supplier_order_id: after},
        invoicing=invoices.renumbered(order.invoicing, wrong, fact.right),
    )


def _put_beside(
    order: Order, supplier_order: SupplierOrder, others: Shipment, shipment: Shipment
) -> tuple[Order, SupplierOrder, Shipment]:
    """More units turn out to be in a parcel of the order: they are where it is."""
    was, where = shipment.bucket, others.bucket
    moved = order if was == where else move_units(order, shipment.by_line, was, where)
    arrived = (where == "delivered") - (was == "delivered")
    if arrived:
        units = sum(shipment.by_line.values())
        supplier_order = replace(supplier_order, delivered=supplier_order.delivered + arrived * units)
    shipment = replace(shipment, bucket=where, delivered_at=others.delivered_at, ended_at=others.ended_at)
    return moved, supplier_order, shipment


def _ship_to_before(order: Order, fact: SupplierOrderPacked | SupplierOrderShipped) -> ShipTo | None:
    """The address of before that it went to, if it did."""
    return order.ship_to_at(fact.at) if fact.oddities and Oddity.FORMER_ADDRESS in fact.oddities else None


def _with_untracked(order: Order, fact: SupplierOrderDrafted) -> Order:
    """Units went to a supplier that sends no feed of them."""
    skus = {choice.sku for choice in fact.choices if choice.untracked}
    units = {n: count for n, count in fact.units.items() if order.lines[n].sku in skus}
    unreserved = with_units(order.unreserved, fact.supplier_id, units)
    return replace(order, unreserved=unreserved, untracked=order.untracked | units.keys())


def _with_supplier(unreserved: Mapping[AtSupplier, int], fact: SupplierOrderDrafted) -> Mapping[AtSupplier, int]:
    """Units that wait without a supplier now wait with this one; any more of these lines were cancelled."""
    drafted = plus(fact.units, fact.backordered)
    taken = {n: count for n, units in drafted.items() if (count := min(units, unreserved.get(("", n), 0)))}
    if not taken:
        return unreserved
    rest = {key: units for key, units in unreserved.items() if key[0] or key[1] not in taken}
    return with_units(rest, fact.supplier_id, taken)


def late_units(order: Order, supplier_order_id: str) -> Units:
    """Units of a supplier order that have not left, or left or were dropped after its deadline."""
    supplier_order = order.supplier_orders[supplier_order_id]
    due, late = supplier_order.dispatch_by, supplier_orders.left_to_ship(supplier_order)
    if due is None:
        return late
    left = [s.by_line for s in order.shipments if s.supplier_order_id == supplier_order_id and s.shipped_at > due]
    for by_line in (*left, *(by_line for at, by_line in supplier_order.dropped if at >= due)):
        late = plus(late, by_line)
    for each in supplier_order.left_after_all:
        if each.dropped_at < due < each.left_at:
            late = minus(late, each.by_line)  # nobody awaited these
    return late


def with_late(order: Order, fact: DeadlineMissed | BreachWithdrawn, late: Units) -> Order:
    if fact.clock is not Clock.DISPATCH:
        return order
    changed = replace(order.supplier_orders[fact.object_id], late=late)
    return replace(order, supplier_orders={**order.supplier_orders, fact.object_id: changed})
