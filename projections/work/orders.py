"""The work that an order raises: holds, breaches, oddities, chargebacks, refunds that cannot be paid."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zlib import crc32

from ledger.facts import supplier_order_of, to_minute
from ledger.nouns.cases import Denial, Reason
from ledger.nouns.choice import Choice
from ledger.nouns.orders import (
    Hold,
    HoldReason,
    Order,
    PaymentState,
    Shipment,
    deadlines,
    holds_on,
    left_minor,
    owed_minor,
    owed_since,
    pay_by,
)
from ledger.nouns.orders.supplier_orders import Oddity, left_to_ship
from ledger.terms.clocks import Clock, Reading
from ledger.terms.money import Money
from ledger.terms.parties import Party
from projections.machine.histories import OrderHistory
from projections.work.kinds import FINISH, Next, Step, WorkKind, ask_where, units_of
from projections.work.rows import Item, Owner, item

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
        *_not_arrived(history),
        *_chargebacks(history.order),
        *_unpayable(history.order),
        *_owed(history.order),
    ]


def _holds(history: OrderHistory) -> Iterator[Item]:
    """Waiting for payment is no work, and orders that are over have none."""
    order = history.order
    for hold in order.holds if order.holds and not history.header.is_over else ():
        if hold.reason is not HoldReason.AWAITING_PAYMENT:
            # The owner may be any words; a task's id holds plain ones.
            mark = f"{crc32('/'.join((hold.owner, hold.supplier_order_id)).encode()):08x}"
            yield item(
                WorkKind.HOLD,
                f"{order.order_id}/{hold.reason}/{mark}",
                _HOLDS.get(hold.reason, Owner.OPERATIONS),
                hold.at,
                f"{hold.reason}: {', '.join(hold.missing)}" if hold.missing else hold.reason.value,
                _end_of(order, hold),
                order_id=order.order_id,
                supplier_order_id=hold.supplier_order_id,
            )


def _end_of(order: Order, hold: Hold) -> Next:
    """What ends a hold: what it waits for; where that is a decision, the release."""
    about = {"order_id": order.order_id}
    match hold.reason:
        case HoldReason.INCOMPLETE:
            return _complete(order, hold)
        case HoldReason.CUSTOMS_DATA:
            return Next(Step.COMPLETE_CUSTOMS_DATA, about)
        case HoldReason.BAD_ADDRESS if order.address_at is None or order.address_at <= hold.at:
            return Next(Step.CHANGE_ADDRESS, about)
        case HoldReason.OUT_OF_STOCK:
            return Next(Step.CONFIRM_ORDER, {**about, "backorder_lacking": True})
        case HoldReason.PAYMENT_REVERSED:
            return Next(Step.CANCEL_ORDER, {**about, "by": Party.RETAILER, "reason": hold.reason})
        case _:
            return _release(order, hold)


def _complete(order: Order, hold: Hold) -> Next:
    """The request has a place for all that is missing."""
    about: dict[str, Any] = {"order_id": order.order_id}
    if hold.missing == ("payment",):
        return Next(Step.RECORD_PAYMENT, {**about, "payment": PaymentState.PAID})
    numbers = [int(line_no) for line_no in order.lines] or [1]
    missing = {int(found[1] or 0) for each in hold.missing if (found := _MISSING_LINE.match(each))}
    if missing:
        about["lines"] = [{"line_no": numbers[index]} for index in sorted(missing)]
    if {"ship_to", "customer"} & {*hold.missing}:
        about["customer"] = about["ship_to"] = {}
    return Next(Step.COMPLETE_DETAILS, about)


_MISSING_LINE = re.compile(r"lines(?:\[(\d+)\])?")


def _release(order: Order, hold: Hold) -> Next:
    named = {"owner": hold.owner, "supplier_order_id": hold.supplier_order_id}
    return Next(Step.RELEASE_HOLD, {"order_id": order.order_id, "reason": hold.reason, **named})


def _not_arrived(history: OrderHistory) -> Iterator[Item]:
    """Parcels that are lost or came back, until a case is about their units or all the money went back.

    What came back is also to be looked at.
    """
    order, after = history.order, history.order.after_sales
    for each in order.parcels:
        if each.ended_at is None:
            continue
        buckets = {n: order.buckets[n] for n in order.in_parcel(each)}
        in_cases = all(after.about(n) >= b.lost + b.returned for n, b in buckets.items())
        back = each.bucket == "returned"
        looked_at = all(after.inspected(n) >= b.returned for n, b in buckets.items())
        gone = history.header.is_over or order.payment is PaymentState.REFUNDED
        if (gone or in_cases) and (looked_at or not back):
            continue
        whose = f"/{order.order_id}" if each.in_parcel_of else ""
        yield item(
            WorkKind.PARCEL,
            f"{each.carrier}/{each.number}/{each.epoch}/{each.bucket}{whose}",
            Owner.AFTER_SALES,
            each.ended_at,
            each.bucket,
            _remedy(order, each),
            order_id=order.order_id,
            supplier_order_id=each.supplier_order_id,
            supplier_id=order.supplier_orders[each.supplier_order_id].supplier_id,
            carrier=each.carrier,
            number=each.number,
        )


def _remedy(order: Order, shipment: Shipment) -> Next:
    """The case that is about what did not arrive: to be opened, or to say in what state it came back."""
    by_line = order.in_parcel(shipment)
    shares = [(name, share) for name, share in order.after_sales.cases.items() if share.about.keys() & by_line]
    if shares and shipment.bucket == "returned":
        unseen = ((name, n) for name, share in shares for n in by_line if share.to_inspect(n) > 0)
        case_id, line_no = next(unseen, (shares[-1][0], next(iter(by_line))))
        return Next(Step.RECORD_INSPECTION, {"case_id": case_id, "lines": [{"line_no": line_no}]})
    reason = Reason.REFUSED if shipment.bucket == "returned" else Reason.LOST
    return Next(Step.OPEN_CASE, {"order_id": order.order_id, "reason": reason, "lines": units_of(by_line)})


def _oddities(history: OrderHistory) -> Iterator[Item]:
    """What was packed or shipped when it should not have been; work because of a hold ends with the hold."""
    order, told = history.order, set[tuple[str, Oddity]]()
    for parcel in order.shipments:
        what = f"{parcel.supplier_order_id}/{parcel.carrier}/{parcel.number}/{parcel.epoch}"
        for oddity in parcel.oddities:
            # A parcel that was told line by line is odd once.
            if (what, oddity) not in told and not _is_settled(order, parcel, oddity):
                told.add((what, oddity))
                yield from _oddity(order, parcel.supplier_order_id, oddity, "left", what, parcel.shipped_at)
    for each in order.supplier_orders.values():
        if each.packed_at is not None and each.unshipped:
            for oddity in each.packing_oddities:
                what = f"{each.supplier_order_id}/packed"
                yield from _oddity(order, each.supplier_order_id, oddity, "packed", what, each.packed_at)


def _oddity(order: Order, supplier_order_id: str, oddity: Oddity, done: str, what: str, at: datetime) -> Iterator[Item]:
    holds = sorted(holds_on(order, supplier_order_id), key=lambda hold: hold.reason)
    following = FINISH
    if oddity is Oddity.ON_HOLD:
        if not holds:
            return
        why = f"on hold: {', '.join(dict.fromkeys(hold.reason.value for hold in holds))}"
        following = _release(order, holds[0])
    else:
        why = f"{to_minute(at)}, {_ODD[oddity]}"
        if oddity is Oddity.NOT_SENT and not holds:
            following = Next(Step.SEND, {"supplier_order_id": supplier_order_id, "at": at})
    yield item(
        WorkKind.ODDITY,
        f"{what}/{oddity}",
        Owner.OPERATIONS,
        # An impossible time cannot be when the work came up.
        max(at, order.placed.placed_at),
        f"{done} {why}",
        following,
        order_id=order.order_id,
        supplier_order_id=supplier_order_id,
        supplier_id=order.supplier_orders[supplier_order_id].supplier_id,
    )


_ODD = {
    Oddity.TOO_EARLY: "before it can have been",
    Oddity.FORMER_ADDRESS: "before its address changed: it goes to the address before",
    Oddity.NOT_SENT: "before its supplier was told to send it",
    Oddity.CANCELLED: "with units that had been cancelled: stop it, or agree who keeps and pays them",
    Oddity.GIVEN_UP: "with units that its supplier had given up: see that nobody sends them a second time",
    Oddity.OVER: "with more units than its supplier was given: stop it, or agree who keeps and pays them",
    Oddity.UNORDERED: "with goods that nobody ordered: stop it, or agree who keeps and pays them",
    Oddity.NUMBER_IN_USE: "under the number of another parcel's last mile: find out whose it is, and correct the other",
}

_TOO_MUCH = frozenset({Oddity.CANCELLED, Oddity.GIVEN_UP, Oddity.OVER, Oddity.UNORDERED})


def _is_settled(order: Order, parcel: Shipment, oddity: Oddity) -> bool:
    """Whether the work has gone: the instruction came, for a time before; or what was too much did not arrive."""
    if oddity is Oddity.NOT_SENT:
        sent_at = order.supplier_orders[parcel.supplier_order_id].sent_at
        return sent_at is not None and sent_at <= parcel.shipped_at
    return oddity in _TOO_MUCH and parcel.bucket in ("lost", "returned")


def _chargebacks(order: Order) -> Iterator[Item]:
    """Chargebacks, which somebody disputes or accepts."""
    for each in order.chargebacks:
        if each.warnings:
            subject = f"{order.order_id}/chargeback/{each.chargeback_id}"
            because = f"chargeback {each.chargeback_id}: {'; '.join(each.warnings)}; dispute it"
            yield item(WorkKind.ODDITY, subject, Owner.AFTER_SALES, each.at, because, FINISH, order_id=order.order_id)


def _unpayable(order: Order) -> Iterator[Item]:
    """Granted refunds that cannot be paid, because the money went back in another way."""
    refunds = order.after_sales.refunds
    left = left_minor(order) if refunds else 0
    for refund_id, refund in refunds.items():
        amount_minor = refund.amount_minor
        if refund.paid or amount_minor <= left:
            continue
        subject = f"{refund.case_id}/{refund_id}"
        changes = (order.payment_at, *(chargeback.at for chargeback in order.chargebacks))
        since = max((at for at in changes if at is not None), default=order.placed.placed_at)
        granted, remains = (Money(each, order.currency) for each in (amount_minor, max(left, 0)))
        because = f"refund {refund_id} of {granted} cannot be paid, {remains} is left of what came in: deny it"
        deny = {"case_id": refund.case_id, "refund_id": refund_id, "reason": Denial.CHARGED_BACK}
        following = Next(Step.DENY_REFUND, deny)
        yield item(WorkKind.CASE, subject, Owner.AFTER_SALES, since, because, following, order_id=order.order_id)


def _owed(order: Order) -> Iterator[Item]:
    """For units that were cancelled after they were paid, and for refunds that bounced: somebody pays it back."""
    money = order.money
    if not (money.cancelled or money.payments or money.lowered_minor) or not (owed := owed_minor(order)):
        return
    because = f"{Money(owed, order.currency)} is owed to the customer: pay it back"
    following = Next(Step.RECORD_REFUND_PAID, {"order_id": order.order_id})
    yield item(
        WorkKind.REFUND,
        order.order_id,
        Owner.AFTER_SALES,
        owed_since(order),
        because,
        following,
        due=pay_by(order),
        order_id=order.order_id,
    )


def _clocks(order: Order) -> Iterator[Item]:
    """Breaches while the step has still not happened, since a late one needs no work any more; and drafts to send."""
    for each in deadlines(order):
        if each.over or each.clock is Clock.REFUND_PAID:
            continue  # that something is to be paid back is work from the first
        if each.clock is Clock.SEND and not each.is_missed and each.stopped_since is None:
            yield _draft(order, each)
        elif each.is_missed and each.missed_at is not None:
            yield item(
                WorkKind.BREACH,
                f"{each.object_id}/{each.clock}",
                Owner.OPERATIONS,
                each.missed_at,
                "; ".join([each.clock.value, *_rerouting(order, each)]),
                _catch_up(order, each),
                due=each.due,
                order_id=order.order_id,
                supplier_order_id="" if each.object_id == order.order_id else supplier_order_of(each.object_id),
                supplier_id=each.supplier_id,
            )


def _draft(order: Order, sending: Reading) -> Item:
    name = sending.object_id
    return item(
        WorkKind.DRAFT,
        name,
        Owner.OPERATIONS,
        order.supplier_orders[name].drafted_at,
        "send it",
        Next(Step.SEND, {"supplier_order_id": name}),
        due=sending.due,
        order_id=order.order_id,
        supplier_order_id=name,
        supplier_id=sending.supplier_id,
    )


def _catch_up(order: Order, missed: Reading) -> Next:
    """What one does about a clock that ran out: record what happened at last, or find somebody else."""
    about = {"supplier_order_id": supplier_order_of(missed.object_id)}
    match missed.clock:
        case Clock.SEND:
            return Next(Step.SEND, about)
        case Clock.ACKNOWLEDGE:
            return Next(Step.ACKNOWLEDGE, about)
        case Clock.CANCEL_ANSWER:
            return Next(Step.ANSWER_CANCEL, about)
        case Clock.DISPATCH if order.supplier_orders[missed.object_id].reroute_asked:
            return Next(Step.ANSWER_CANCEL, about)
        case Clock.DISPATCH:
            return Next(Step.REROUTE, {"order_id": order.order_id, **about, "by": Party.SUPPLIER, "reason": "overdue"})
        case _:
            return _ask_where(order, missed)


def _ask_where(order: Order, missed: Reading) -> Next:
    """Of a delivery that is late, the supplier is asked that has or sent what has not arrived."""
    under_way = [each.supplier_order_id for each in order.shipments if each.bucket == "shipped"]
    waiting = [name for name, each in order.supplier_orders.items() if left_to_ship(each)]
    if not (names := [*under_way, *waiting]):
        return Next(Step.REROUTE, {"order_id": order.order_id, "by": Party.RETAILER, "reason": "overdue"})
    return ask_where(missed.clock, names[0])


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
