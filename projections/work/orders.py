"""The work that an order raises: holds, breaches, oddities, chargebacks, refunds that cannot be paid."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zlib import crc32

from ledger.facts import to_minute
from ledger.nouns.choice import Choice
from ledger.nouns.orders import (
    Hold,
    HoldReason,
    Order,
    PaymentState,
    deadlines,
    holds_on,
    left_minor,
    owed_minor,
    owed_since,
)
from ledger.nouns.orders.supplier_orders import Oddity, left_to_ship
from ledger.terms.clocks import Clock, Reading
from ledger.terms.money import Money
from projections.machine.histories import OrderHistory
from projections.work.rows import Item, Owner, WorkKind, task_id_of

_HOLDS = {
    HoldReason.OUT_OF_STOCK: Owner.SUPPLIER_MANAGER,
    HoldReason.CUSTOMER_REQUEST: Owner.AFTER_SALES,
}
"""Whose work a hold is; operations' where it is not named."""


def of_order(history: OrderHistory) -> list[Item]:
    if history.order.placed.historical:
        return []
    return [
        *_holds(history),
        *_clocks(history.order),
        *_oddities(history),
        *_not_arrived(history.order),
        *_chargebacks(history.order),
        *_unpayable(history.order),
        *_owed(history.order),
    ]


def _holds(history: OrderHistory) -> Iterator[Item]:
    """Waiting for payment is no work, and orders that are over have none."""
    order = history.order
    for hold in order.holds if not order.header.is_over else ():
        if hold.reason is not HoldReason.AWAITING_PAYMENT:
            # The owner may be any words; a task's id holds plain ones.
            mark = f"{crc32('/'.join((hold.owner, hold.supplier_order_id)).encode()):08x}"
            subject = f"{order.order_id}/{hold.reason}/{mark}"
            yield Item(
                WorkKind.HOLD,
                subject,
                task_id_of(WorkKind.HOLD, subject, hold.at),
                _HOLDS.get(hold.reason, Owner.OPERATIONS),
                hold.at,
                hold.at,
                _why(hold),
                order.order_id,
                hold.supplier_order_id,
            )


def _not_arrived(order: Order) -> Iterator[Item]:
    """Parcels that are lost or came back, until a case is about their units or all the money went back.

    What came back is also to be looked at.
    """
    after = order.after_sales
    gone = order.header.is_over or order.payment is PaymentState.REFUNDED
    for each in order.shipments:
        if each.ended_at is None:
            continue
        lines = [order.buckets[n] for n in each.by_line]
        in_cases = all(after.about(n) >= b.lost + b.returned for n, b in zip(each.by_line, lines, strict=True))
        back = each.bucket == "returned"
        looked_at = all(after.inspected(n) >= b.returned for n, b in zip(each.by_line, lines, strict=True))
        if (gone or in_cases) and (looked_at or not back):
            continue
        subject = f"{each.carrier}/{each.number}/{each.epoch}/{each.bucket}"
        yield Item(
            WorkKind.PARCEL,
            subject,
            task_id_of(WorkKind.PARCEL, subject, each.ended_at),
            Owner.AFTER_SALES,
            each.ended_at,
            each.ended_at,
            each.bucket,
            order.order_id,
            each.supplier_order_id,
            order.supplier_orders[each.supplier_order_id].supplier_id,
            each.carrier,
            each.number,
        )


def _why(hold: Hold) -> str:
    return f"{hold.reason}: {', '.join(hold.missing)}" if hold.missing else hold.reason.value


def _oddities(history: OrderHistory) -> Iterator[Item]:
    """What was packed or shipped when it should not have been; work because of a hold ends with the hold."""
    order = history.order
    for parcel in order.shipments:
        what = f"{parcel.supplier_order_id}/{parcel.carrier}/{parcel.number}/{parcel.epoch}"
        for oddity in parcel.oddities:
            yield from _oddity(order, parcel.supplier_order_id, oddity, "left", what, parcel.shipped_at)
    for each in order.supplier_orders.values():
        if each.packed_at is not None and each.unshipped:
            for oddity in each.packing_oddities:
                what = f"{each.supplier_order_id}/packed"
                yield from _oddity(order, each.supplier_order_id, oddity, "packed", what, each.packed_at)


def _oddity(order: Order, supplier_order_id: str, oddity: Oddity, done: str, what: str, at: datetime) -> Iterator[Item]:
    holds = ", ".join(sorted({hold.reason.value for hold in holds_on(order, supplier_order_id)}))
    if oddity is Oddity.ON_HOLD and not holds:
        return
    why = f"on hold: {holds}" if oddity is Oddity.ON_HOLD else f"{to_minute(at)}, {_ODD[oddity]}"
    subject = f"{what}/{oddity}"
    # An impossible time cannot be when the work came up.
    raised_at = max(at, order.placed.placed_at)
    yield Item(
        WorkKind.ODDITY,
        subject,
        task_id_of(WorkKind.ODDITY, subject, raised_at),
        Owner.OPERATIONS,
        raised_at,
        raised_at,
        f"{done} {why}",
        order.order_id,
        supplier_order_id,
        order.supplier_orders[supplier_order_id].supplier_id,
    )


_ODD = {
    Oddity.TOO_EARLY: "before it can have been",
    Oddity.FORMER_ADDRESS: "before its address changed: it goes to the address before",
}


def _chargebacks(order: Order) -> Iterator[Item]:
    """Chargebacks, which somebody disputes or accepts."""
    for each in order.chargebacks:
        if each.warnings:
            subject = f"{order.order_id}/chargeback/{each.chargeback_id}"
            because = f"chargeback {each.chargeback_id}: {'; '.join(each.warnings)}; dispute it"
            task_id = task_id_of(WorkKind.ODDITY, subject, each.at)
            yield Item(WorkKind.ODDITY, subject, task_id, Owner.AFTER_SALES, each.at, each.at, because, order.order_id)


def _unpayable(order: Order) -> Iterator[Item]:
    """Granted refunds that cannot be paid, because the money went back in another way."""
    left = left_minor(order)
    for refund_id, refund in order.after_sales.refunds.items():
        amount_minor = refund.amount_minor
        if refund.paid or amount_minor <= left:
            continue
        subject = f"{refund.case_id}/{refund_id}"
        changes = (order.payment_at, *(chargeback.at for chargeback in order.chargebacks))
        since = max((at for at in changes if at is not None), default=order.placed.placed_at)
        granted, remains = (Money(each, order.currency) for each in (amount_minor, max(left, 0)))
        because = f"refund {refund_id} of {granted} cannot be paid, {remains} is left of what came in: deny it"
        task_id = task_id_of(WorkKind.CASE, subject, since)
        yield Item(WorkKind.CASE, subject, task_id, Owner.AFTER_SALES, since, since, because, order.order_id)


def _owed(order: Order) -> Iterator[Item]:
    """For units that were cancelled after they were paid, and for refunds that bounced: somebody pays it back."""
    money = order.money
    if not (money.cancelled or money.payments or money.lowered_minor) or not (owed := owed_minor(order)):
        return
    since = owed_since(order)
    because = f"{Money(owed, order.currency)} is owed to the customer: pay it back"
    task_id = task_id_of(WorkKind.REFUND, order.order_id, since)
    yield Item(WorkKind.REFUND, order.order_id, task_id, Owner.AFTER_SALES, since, since, because, order.order_id)


def _clocks(order: Order) -> Iterator[Item]:
    """Breaches while the step has still not happened, since a late one needs no work any more; and drafts to send."""
    for each in deadlines(order):
        if each.over:
            continue
        if each.clock is Clock.SEND and not each.is_missed and each.stopped_since is None:
            yield _draft(order, each)
        elif each.is_missed and each.missed_at is not None:
            subject = f"{each.object_id}/{each.clock}"
            supplier_order_id = "" if each.object_id == order.order_id else each.object_id
            yield Item(
                WorkKind.BREACH,
                subject,
                task_id_of(WorkKind.BREACH, subject, each.missed_at),
                Owner.OPERATIONS,
                each.due,
                each.missed_at,
                "; ".join([each.clock.value, *_rerouting(order, each)]),
                order.order_id,
                supplier_order_id,
                each.supplier_id,
            )


def _draft(order: Order, sending: Reading) -> Item:
    name = sending.object_id
    at = order.supplier_orders[name].drafted_at
    return Item(
        WorkKind.DRAFT,
        name,
        task_id_of(WorkKind.DRAFT, name, at),
        Owner.OPERATIONS,
        sending.due,
        at,
        "send it",
        order.order_id,
        name,
        sending.supplier_id,
    )


def _rerouting(order: Order, missed: Reading) -> Iterator[str]:
    """Why rerouting the units has not ended the breach."""
    supplier_order = order.supplier_orders.get(missed.object_id)
    sought = order.sought.get((missed.object_id, missed.clock))
    if supplier_order is None:
        return
    left = left_to_ship(supplier_order)
    if supplier_order.reroute_asked:
        yield "asked to give its units up and has not answered"
    elif sought is not None and sought.by_line.keys() & left.keys():
        yield "did not give its units up"
    if sought is not None and sought.unserved:
        yield f"nobody else qualifies for {', '.join(_unserved(each, sought.supplier_id) for each in sought.unserved)}"


def _unserved(choice: Choice, supplier_id: str) -> str:
    """How many units of which SKU, and what the others have against them."""
    others = [each for each in choice.considered if each.supplier_id != supplier_id]
    against = ", ".join(f"{each.supplier_id} {str(each.against).replace('_', ' ')}" for each in others)
    return f"{choice.units} of {choice.sku}" + (f" ({against})" if against else "")
