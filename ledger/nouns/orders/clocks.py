"""The clocks of an order: what its supplier orders, their requests to cancel, its delivery and what is owed to its
customer wait for (DOMAIN 6)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from ledger.facts import supplier_order_of
from ledger.nouns.orders.state import Breach, Header, Order
from ledger.nouns.orders.supplier_orders import SupplierOrder, later_by, merged_spans
from ledger.terms.clocks import Clock, Reading


def readings(order: Order) -> Iterator[Reading]:
    """All clocks of the order, with those that are gone but were missed."""
    past = dict(order.breaches)
    for reading in deadlines(order):
        past.pop((reading.object_id, reading.clock), None)
        yield reading
    # These clocks are gone, as after a cancellation, but that they were missed stays.
    yield from map(_past, past.values())


def deadlines(order: Order) -> Iterator[Reading]:
    """Every clock of the order that has a due time; for what came to nothing only those that were missed."""
    for each in order.supplier_orders.values():
        yield from _of_supplier_order(order, each)
    yield from _of_order(order)


def deadline(order: Order, object_id: str, clock: Clock) -> Reading | None:
    own = order.supplier_orders.get(supplier_order_of(object_id))
    found = _of_supplier_order(order, own) if own is not None else _of_order(order)
    return next((each for each in found if (each.object_id, each.clock) == (object_id, clock)), None)


def _of_supplier_order(order: Order, each: SupplierOrder) -> Iterator[Reading]:
    if each.send_by is not None and (sending := _sending(order, each, each.send_by)) is not None:
        yield sending
    if each.sent_at is not None:
        came_to_nothing = bool(each.dropped) and each.came_to_nothing
        for reading in _since_sent(order, each):
            if not came_to_nothing or _was_missed(reading):
                yield reading
    for number, ask in enumerate(each.asks, 1):
        object_id = each.supplier_order_id + (f"#{number}" if number > 1 else "")
        # No hold stops it: to answer takes nothing that a hold forbids.
        yield _reading(order, object_id, Clock.CANCEL_ANSWER, ask.answer_by, ask.ended_at, each.supplier_id, None, None)


def _of_order(order: Order) -> Iterator[Reading]:
    """Of the order as a whole."""
    for number, debt in enumerate(order.money.debts, 1):
        met_at, given_up_at = (debt.ended_at, None) if debt.paid else (None, debt.ended_at)
        object_id = f"{order.order_id}/owed-{number}"
        yield _reading(order, object_id, Clock.REFUND_PAID, debt.pay_by, met_at, "", None, given_up_at)
    if order.promised_by is not None:
        header, arrived_at = order.header, order.delivered_at
        cancelled = header in (Header.CANCELLED, Header.CLOSED)
        given_up_at = order.given_up_at if cancelled or arrived_at is not None else None
        breach = order.breaches.get((order.order_id, Clock.DELIVERY))
        if header is Header.CLOSED and given_up_at is not None and breach is not None:
            # It was late when that was recorded, whenever the goods had been lost.
            given_up_at = max(given_up_at, breach.missed.at)
        promise = _reading(order, order.order_id, Clock.DELIVERY, order.promised_by, arrived_at, "", None, given_up_at)
        if not cancelled or _was_missed(promise):
            yield promise


def _was_missed(reading: Reading) -> bool:
    """Whether a clock that is over was missed, by what is recorded or by what is known now."""
    return reading.is_missed or reading.passed(reading.due)


def _sending(order: Order, each: SupplierOrder, send_by: datetime) -> Reading | None:
    """The retailer's clock of a draft, which holds stop. Of one that was sent, or given up, in time nothing is owed."""
    # Of one that left without an instruction nothing is to be sent.
    object_id, ended_at = each.supplier_order_id, each.sent_at or each.ended_at
    if each.sent_at is not None and each.sent_at <= send_by and (object_id, Clock.SEND) not in order.breaches:
        return None
    spans = merged_spans(order.stops_on(object_id), each.drafted_at, ended_at) if order.stops else []
    stopped_since = spans[-1][0] if spans and spans[-1][1] is None else None
    due, given_up_at = later_by(send_by, spans), None if each.sent_at is not None else each.given_up_at
    assert due is not None, "it has a due time"
    met_at = each.sent_at or each.dispatched_at
    reading = _reading(order, object_id, Clock.SEND, due, met_at, each.supplier_id, stopped_since, given_up_at)
    return reading if ended_at is None or _was_missed(reading) else None


def _since_sent(order: Order, each: SupplierOrder) -> Iterator[Reading]:
    who, given_up_at, answered_at = each.supplier_id, each.given_up_at, each.acknowledged_at
    object_id, stopped_since = each.supplier_order_id, each.stopped_since
    if (due := each.acknowledge_by) is not None:
        unanswered = given_up_at if answered_at is None else None
        yield _reading(order, object_id, Clock.ACKNOWLEDGE, due, answered_at, who, stopped_since, unanswered)
    if (due := each.dispatch_by) is not None:
        left_at = each.dispatched_at
        yield _reading(order, object_id, Clock.DISPATCH, due, left_at, who, stopped_since, given_up_at)


def _reading(
    order: Order,
    object_id: str,
    clock: Clock,
    due: datetime,
    met_at: datetime | None,
    supplier_id: str,
    stopped_since: datetime | None,
    given_up_at: datetime | None,
) -> Reading:
    # What was given up after it was due was late, also where all the rest was in time.
    if given_up_at is not None:
        if met_at is None or met_at <= due <= given_up_at:
            met_at = None
        else:
            given_up_at = None
    breach = order.breaches.get((object_id, clock)) if order.breaches else None
    if breach is None:
        return Reading(
            object_id=object_id,
            clock=clock,
            due=due,
            met_at=met_at,
            supplier_id=supplier_id,
            missed_at=None,
            withdrawn_at=None,
            stopped_since=stopped_since,
            given_up_at=given_up_at,
        )
    recorded = (breach.missed.at, breach.withdrawn_at)
    return Reading(object_id, clock, due, met_at, supplier_id, *recorded, stopped_since, given_up_at)


def _past(breach: Breach) -> Reading:
    """A breach of a clock that is gone: one that was withdrawn had been met, or given up before it was due."""
    missed, withdrawn = breach.missed, breach.withdrawn
    met_at = withdrawn.happened_at if withdrawn is not None else None
    return Reading(
        object_id=missed.object_id,
        clock=missed.clock,
        due=missed.due,
        met_at=met_at,
        supplier_id=missed.supplier_id,
        missed_at=missed.at,
        withdrawn_at=breach.withdrawn_at,
        given_up_at=missed.due - timedelta.resolution if withdrawn is not None else None,
    )
