"""Parcels on their way, and what their scans mean for the order they carry (DOMAIN 4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import reduce

from msgspec.structs import replace

from ledger.decisions import recovery_demands
from ledger.decisions.docket import Docket, order_in, settled
from ledger.facts import Change, Units, changes_of
from ledger.nouns import orders, parcels, policies
from ledger.nouns.orders import Order, OrderFact, Shipment, after_sales
from ledger.nouns.parcels import (
    GIVEN_UP,
    Checkpoint,
    CustomsAsk,
    FoundAfterLoss,
    Parcel,
    ParcelRegistered,
    ParcelStatus,
    uses,
)
from ledger.nouns.policies import policy_at
from ledger.terms.parties import Party
from ledger.terms.shipping import Incoterm
from ledger.view import View


def register_parcel(view: View, registration: ParcelRegistered) -> list[Change]:
    """A number that a carrier or a shop announced before any shipment named it."""
    _, facts = registered(view, registration)
    return changes_of(parcels.stream(registration.carrier, registration.number), facts)


def record_checkpoints(
    view: View, carrier: str, number: str, scans: Sequence[Checkpoint], at: datetime, now: datetime
) -> list[Change]:
    """Scans of one number, in any order; those known already record nothing. A delivery reaches the order.

    A delivery that turns out to be the arrival at the sender is withdrawn. A scan of an earlier use of the
    number counts for that use's order.
    """
    before = parcel = parcels.known(parcels.find(view, carrier, number), carrier, number)
    facts: list[parcels.ParcelFact] = []
    for scan in scans:
        for fact in parcels.record_checkpoint(parcel, _addressed(view, parcel, scan), at):
            parcel = parcels.evolve(parcel, fact)
            facts.append(fact)
    if not facts:
        return []
    touched = [(was, use) for was, use in zip(uses(before), uses(parcel), strict=True) if was is not use]
    return [*changes_of(parcels.stream(carrier, number), facts), *reach(view, touched, facts, now)]


def _addressed(view: View, parcel: Parcel, scan: Checkpoint) -> Checkpoint:
    """The scan with whom customs asks to pay, where the carrier does not say: the seller if it pays the duty (DDP)."""
    if scan.customs_asks is not CustomsAsk.PAYMENT or scan.customs_asks_of is not None or not parcel.order_id:
        return scan
    seller_pays = order_in(view, parcel.order_id).incoterm is Incoterm.DDP
    return replace(scan, customs_asks_of=Party.RETAILER) if seller_pays else scan


def reach(
    view: View, touched: Sequence[tuple[Parcel, Parcel]], facts: Sequence[parcels.ParcelFact], now: datetime
) -> list[Change]:
    """What facts about uses of a number, each before and after them, mean for their orders and for claims."""
    found = {fact.epoch for fact in facts if isinstance(fact, FoundAfterLoss)}
    changes = _reach_orders(view, touched, now)
    for _, use in touched:
        changes += (recover_spending_on_found if use.epoch in found else recovery_demands.arrive)(view, use, now)
    return changes


def confirm_receipt(view: View, order_id: str, by: str, at: datetime, now: datetime) -> list[Change]:
    """The customer, or the carrier, confirms that all units arrived that did not come back (DOMAIN 4)."""
    order = order_in(view, order_id)
    returned = _returned(view, order)
    if returned and len(returned) == len(order.parcels):
        raise parcels.ParcelReturned(returned[0].carrier, returned[0].number)
    facts = orders.confirm_receipt(order, by, at, returned)
    changes = settled(view, order, facts, now)
    return [*changes, *_turn_up(view, order, at, now)] if facts else changes


def _turn_up(view: View, order: Order, at: datetime, now: datetime) -> list[Change]:
    """Parcels of a received order that were given up were not lost."""
    given_up = [each for each in order.parcels if each.bucket == "lost"]
    if not given_up:
        return []
    view.need(*(parcels.stream(each.carrier, each.number) for each in given_up))
    given, changes = recovery_demands.given_for_losses(order), list[Change]()
    for shipment in given_up:
        parcel = parcels.find(view, shipment.carrier, shipment.number)
        if parcel is not None and parcel.epoch == shipment.epoch:
            changes += changes_of(parcels.stream(shipment.carrier, shipment.number), parcels.turn_up(parcel, at))
            changes += _claims_on_found(view, parcel, now)
            changes += recovery_demands.found_after_loss(view, given, shipment, parcel, now)
    return changes


def _returned(view: View, order: Order) -> list[Shipment]:
    """The parcels that came back undelivered."""
    out = [each for each in order.parcels if each.bucket != "delivered"]
    view.need(*(parcels.stream(each.carrier, each.number) for each in out))
    present = [(each, parcels.find(view, each.carrier, each.number)) for each in out]
    return [
        each
        for each, parcel in present
        if each.bucket == "returned"
        or (parcel is not None and parcel.epoch == each.epoch and parcel.status is ParcelStatus.RETURNED)
    ]


def recover_spending_on_found(view: View, parcel: Parcel, now: datetime) -> list[Change]:
    """What was spent because of a loss has to be recovered when the parcel is found, for each of its orders."""
    changes = _claims_on_found(view, parcel, now)
    for order in [order_in(view, order_id) for order_id in parcel.order_ids]:
        if (shipment := order.shipment(parcel.carrier, parcel.number, parcel.epoch)) is not None:
            given = recovery_demands.given_for_losses(order)
            changes += recovery_demands.found_after_loss(view, given, shipment, parcel, now)
    return changes


def _claims_on_found(view: View, parcel: Parcel, now: datetime) -> list[Change]:
    return recovery_demands.arrive(view, replace(parcel, delivered_at=parcel.delivered_at or now), now)


def confirm_loss(
    view: View, carrier: str, number: str, by: Party, because: str, at: datetime, now: datetime
) -> list[Change]:
    """Give a parcel up: its units are lost to the order."""
    parcel = parcels.known(parcels.find(view, carrier, number), carrier, number)
    facts = parcels.confirm_loss(parcel, by, because, at)
    for fact in facts:
        parcel = parcels.evolve(parcel, fact)
    return [*changes_of(parcels.stream(carrier, number), facts), *_reach_orders_of(view, parcel, now)] if facts else []


def dispute_delivery(view: View, carrier: str, number: str, because: str, at: datetime, now: datetime) -> list[Change]:
    """A delivery is disputed: parcel and order are under way again. Not possible for units that come back."""
    parcel = parcels.known(parcels.find(view, carrier, number), carrier, number)
    facts = parcels.dispute_delivery(parcel, because, at)
    changes = changes_of(parcels.stream(carrier, number), facts)
    after = reduce(parcels.evolve, facts, parcel)
    for order in [order_in(view, each) for each in parcel.order_ids] if facts else ():
        shipment = order.shipment(carrier, number, parcel.epoch)
        if shipment is None or shipment.bucket != "delivered":
            continue
        by_line = order.in_parcel(shipment)
        delivered = {n: order.buckets[n].delivered - units for n, units in by_line.items()}
        after_sales.require_delivered(order.after_sales, delivered)
        reopened = orders.DeliveryReopened(order.order_id, carrier, number, parcel.epoch, by_line, at)
        changes += settled(view, order, [reopened, *follow(orders.evolve(order, reopened), after)], now)
    return changes


def _reach_orders_of(
    view: View, parcel: Parcel, now: datetime, before: Parcel | None = None, but: str = ""
) -> list[Change]:
    """What a parcel means for its orders, but for one."""
    changes: list[Change] = []
    for order in [order_in(view, each) for each in parcel.order_ids if each != but]:
        if facts := follow(order, parcel, before):
            changes += settled(view, order, facts, now)
    return changes


def _reach_orders(view: View, touched: Sequence[tuple[Parcel, Parcel]], now: datetime) -> list[Change]:
    """What scans of several uses of a number, each before and after them, mean for their orders."""
    dockets: dict[str, Docket] = {}
    for before, use in touched:
        for order_id in use.order_ids:
            docket = dockets.setdefault(order_id, Docket(order_in(view, order_id)))
            docket.add(follow(docket.order, use, before))
    return [change for docket in dockets.values() if docket.facts for change in docket.settled(view, now)]


def follow(order: Order, parcel: Parcel, before: Parcel | None = None) -> list[OrderFact]:
    """What the parcel's status means for the order's units; before is the parcel without the newest scans.

    A delivery is withdrawn by a dispute, or when its scan turns out to be the arrival at the sender.
    """
    shipment = order.shipment(parcel.carrier, parcel.number, parcel.epoch)
    if shipment is None:
        return []
    by_line = order.in_parcel(shipment)
    where = (order.order_id, parcel.carrier, parcel.number, parcel.epoch, by_line)
    if shipment.bucket == "delivered":
        reopened = orders.DeliveryReopened(*where, parcel.last_seen_at)
        if before is None:
            return []
        if parcel.delivered_at is not None:
            if not _is_redated(order, shipment, before, parcel.delivered_at):
                return []
            same = (before.carrier, before.number, before.epoch) == shipment.parcel
            told_at = shipment.delivered_at if same else None
            return [reopened, orders.UnitsDelivered(*where, parcel.delivered_at, told_at)]
        if not _is_undone(order, shipment, by_line, before):
            return []
        return [reopened, *follow(orders.evolve(order, reopened), parcel)]
    if shipment.bucket == "returned" and _inspected(order, by_line):
        return []
    if parcel.delivered_at is not None:
        return [orders.UnitsDelivered(*where, parcel.delivered_at)]
    if parcel.status is ParcelStatus.RETURNED:
        back = orders.UnitsReturned(*where, parcel.ended_since)
        return [back] if _ends_anew(shipment, "returned", parcel) else []
    if parcel.status in GIVEN_UP:
        by_scan = parcel.lost_at in {scan.at for scan in parcel.checkpoints}
        lost_at = parcel.ended_since if by_scan else parcel.lost_at or parcel.last_seen_at
        return [orders.UnitsLost(*where, lost_at)] if _ends_anew(shipment, "lost", parcel) else []
    return [orders.DeliveryReopened(*where, parcel.last_seen_at)] if shipment.bucket != "shipped" else []


def _ends_anew(shipment: Shipment, bucket: str, parcel: Parcel) -> bool:
    """Whether units came to this end now, or at another time than a scan that was told first said."""
    known = shipment.ended_at
    if shipment.bucket != bucket:
        return True
    return known != parcel.ended_since and known in {scan.at for scan in parcel.checkpoints}


def _inspected(order: Order, by_line: Units) -> bool:
    """Whether somebody at the sender looked at units that may be those of a parcel: then they are there."""
    after = order.after_sales
    return any(after.inspected(n) > order.buckets[n].returned - units for n, units in by_line.items())


def give_up_scans(view: View, before: Parcel | None, parcel: Parcel, now: datetime) -> list[Change]:
    """Undoes what scans did to other orders; they turned out to belong to the number's next use, parcel."""
    if before is None or before.epoch >= parcel.epoch:
        return []
    if parcel.exists_from is None or all(scan.at < parcel.exists_from for scan in before.checkpoints):
        return []
    return _reach_orders_of(view, parcels.left_to(before, parcel.exists_from), now, before, but=parcel.order_id)


def _is_redated(order: Order, shipment: Shipment, before: Parcel, delivered_at: datetime) -> bool:
    """Whether units that arrived did so at another time than the order knows: earlier, or, if nobody confirmed the
    receipt by then, later."""
    known = shipment.delivered_at
    if known is None or delivered_at == known:
        return False
    if delivered_at < known:
        return True
    confirmed = order.receipt_confirmed_at if orders.is_confirmed_received(order, shipment) else None
    return before.delivered_at == known and (confirmed is None or delivered_at <= confirmed)


def _is_undone(order: Order, shipment: Shipment, by_line: Units, before: Parcel) -> bool:
    """Whether a delivery is withdrawn; not if the customer confirmed the receipt, complained or returns units."""
    if before.delivered_at is None or shipment.delivered_at != before.delivered_at:
        return False
    if orders.is_confirmed_received(order, shipment):
        return False
    after = order.after_sales
    return all(
        max(after.coming_back(n), after.in_cases(n, arrived=True)) <= order.buckets[n].delivered - units
        for n, units in by_line.items()
    )


def registered(view: View, registration: ParcelRegistered) -> tuple[Parcel, Sequence[parcels.ParcelFact]]:
    present = parcels.find(view, registration.carrier, registration.number)
    reuse_after_days = policy_at(policies.find(view), registration.at).number_reuse_after_days
    facts = parcels.register(present, registration, reuse_after_days)
    parcel = present
    for fact in facts:
        parcel = parcels.evolve(parcel, fact)
    assert parcel is not None, "registering leaves a parcel"
    return parcel, facts
