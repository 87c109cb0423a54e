"""Breaches of an order's clocks: missed, withdrawn, ruled on, and what they cost the supplier (DOMAIN 6).

Compensation follows from what is known: it is owed while the late dispatch of a supplier order stands,
nobody ruled that the delay was another party's, and the agreement in force when it was sent asks for it.
Each decision compares that with what has accrued and records the difference, so at most one amount
stands for a supplier order, in whatever order and however often facts arrive.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from ledger.facts import LineNo
from ledger.nouns import orders
from ledger.nouns.orders import (
    BreachWithdrawn,
    DeadlineMissed,
    DelayRuled,
    Order,
    OrderFact,
    supplier_orders,
)
from ledger.nouns.orders.supplier_orders import (
    CompensationAccrued,
    CompensationReversed,
    ReversalReason,
    SupplierOrder,
)
from ledger.refusals import Forbidden
from ledger.terms.clocks import Clock, ClockState, Reading
from ledger.terms.money import MOST_MINOR, Money, round_half_up
from ledger.terms.parties import Party

# --- refusals -------------------------------------------------------------------------------------


class NoDelay(Forbidden, reason="NO_DELAY"):
    says = "the {clock} clock of supplier order {supplier_order_id} was not missed; there is nothing to rule on"
    supplier_order_id: str
    clock: Clock


# --- decisions ------------------------------------------------------------------------------------


def miss_deadline(order: Order | None, object_id: str, clock: Clock, now: datetime) -> Sequence[OrderFact]:
    """Records that a clock ran out, if it did."""
    if order is None or (deadline := orders.deadline(order, object_id, clock)) is None or not deadline.overdue(now):
        return []
    missed = DeadlineMissed(order.order_id, object_id, clock, deadline.due, now, deadline.supplier_id)
    return _with_compensation(order, [missed], now)


def settle(order: Order, now: datetime) -> list[OrderFact]:
    """What follows for the clocks: one that was met too late is a breach; a breach whose clock was met in time, excused
    or moved to a later time is withdrawn."""
    facts: list[OrderFact] = []
    for each in orders.deadlines(order):
        verdict = each.verdict(now)
        if verdict is ClockState.MISSED:
            missed = DeadlineMissed(order.order_id, each.object_id, each.clock, each.due, now, each.supplier_id)
            facts.append(missed)
        elif verdict is ClockState.WITHDRAWN:
            key = (order.order_id, each.object_id, each.clock)
            facts.append(BreachWithdrawn(*key, each.met_at, now, each.supplier_id))
    return _with_compensation(order, facts, now)


def miss_overdue(order: Order, now: datetime) -> list[OrderFact]:
    """All clocks that have run out by now, where a correction shows that nothing had happened."""
    missed: list[OrderFact] = [
        DeadlineMissed(order.order_id, each.object_id, each.clock, each.due, now, each.supplier_id)
        for each in orders.deadlines(order)
        if each.overdue(now)
    ]
    return _with_compensation(order, missed, now)


def rule_delay(
    order: Order, supplier_order_id: str, clock: Clock, party: Party, because: str, by: str, at: datetime, now: datetime
) -> Sequence[OrderFact]:
    """Whose fault a missed clock is; until somebody rules, it is the supplier's.

    The newest ruling counts: an older one is recorded and changes nothing. Repeating a ruling records nothing.
    """
    supplier_order = order.supplier_order(supplier_order_id)
    orders.require_placed(order, at)
    if not order.is_missed(supplier_order_id, clock):
        raise NoDelay(supplier_order_id, clock)
    present = order.rulings.get((supplier_order_id, clock))
    if present is not None and at <= present.at and (present.party, present.because) == (party, because):
        return []
    outdated = present is not None and at < present.at
    what = (order.order_id, supplier_order_id, clock, party, because, by, at, supplier_order.supplier_id)
    ruled = DelayRuled(*what, outdated)
    return _with_compensation(order, [ruled], now)


def overdue_since(order: Order, deadline: Reading) -> dict[LineNo, datetime]:
    """Since when lines are overdue, while the breach stands as their supplier's and no other was sought since then.

    Goods that the supplier has yet to get are not overdue before the day that it named.
    """
    key = (deadline.object_id, deadline.clock)
    supplier_order = order.supplier_orders.get(deadline.object_id)
    if supplier_order is None or supplier_order.sent_at is None or not deadline.is_missed or deadline.over:
        return {}
    if _excused(order, supplier_order, deadline.clock) or orders.holds_on(order, deadline.object_id):
        return {}
    sought, due = order.sought.get(key), deadline.due
    since = {
        line_no: max(due, supplier_orders.expected_at(supplier_order, line_no) or due)
        for line_no in supplier_orders.left_to_ship(supplier_order)
    }
    return {line_no: at for line_no, at in since.items() if sought is None or at > sought.due}


# --- compensation ---------------------------------------------------------------------------------


def net_amount_minor(order: Order, supplier_order: SupplierOrder) -> int:
    """The net line amount of a late dispatch, in minor units of the order's currency.

    It is the price of the units that had not left when the deadline passed: those still to be shipped
    and those shipped after it when the breach was recorded. Units rejected or cancelled before the breach
    do not count, units rejected or cancelled after it do, and units that turn out to have left in time
    drop out.
    """
    net = sum(order.lines[line_no].worth_minor(units) for line_no, units in supplier_order.late.items())
    return min(net, MOST_MINOR)


def compensation_owed(order: Order, supplier_order: SupplierOrder) -> Money | None:
    """What the supplier owes by all that is known; None if nothing.

    A cap in another currency than the order's cannot be compared without a rate that nobody agreed, so
    it is not applied; the fact carries it, for whoever settles the amount.
    """
    terms = supplier_order.compensation_terms
    if terms is None or not supplier_order.late or _excused(order, supplier_order, Clock.DISPATCH):
        return None
    amount_minor = round_half_up(net_amount_minor(order, supplier_order) * terms.basis_points, 10_000)
    if terms.cap is not None and terms.cap.currency == order.currency:
        amount_minor = min(amount_minor, terms.cap.amount_minor)
    return Money(amount_minor, order.currency) if amount_minor else None


def _excused(order: Order, supplier_order: SupplierOrder, clock: Clock) -> bool:
    """Whether somebody ruled that the delay was another party's."""
    ruling = order.rulings.get((supplier_order.supplier_order_id, clock))
    return ruling is not None and ruling.party is not Party.SUPPLIER


def _with_compensation(order: Order, facts: list[OrderFact], now: datetime) -> list[OrderFact]:
    """The facts, and what they change of the compensation that is owed."""
    for fact in facts:
        order = orders.evolve(order, fact)
    return [*facts, *_compensation(order, now)]


def _compensation(order: Order, now: datetime) -> Iterator[OrderFact]:
    for each in order.supplier_orders.values():
        present = each.compensation
        if present is None and not each.late:
            continue
        owed = compensation_owed(order, each)
        if owed == (present.amount if present else None):
            continue
        if present is not None:
            because = _why_reversed(order, each)
            yield CompensationReversed(each.supplier_order_id, each.supplier_id, present.amount, because, now)
        if owed is not None:
            assert each.compensation_terms is not None, "without terms nothing is owed"
            net = net_amount_minor(order, each)
            yield CompensationAccrued(each.supplier_order_id, each.supplier_id, owed, net, each.compensation_terms, now)


def _why_reversed(order: Order, supplier_order: SupplierOrder) -> ReversalReason:
    if not order.is_missed(supplier_order.supplier_order_id, Clock.DISPATCH):
        return ReversalReason.WITHDRAWN
    return ReversalReason.RULED if _excused(order, supplier_order, Clock.DISPATCH) else ReversalReason.RECOUNTED
