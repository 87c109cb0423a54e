"""What the money of an order moves: a paid order may be confirmed, and one whose money went back is stopped."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ledger.decisions import cancelling, confirmation
from ledger.decisions.docket import Docket, order_in
from ledger.facts import Change
from ledger.nouns import orders, policies
from ledger.nouns.orders import LEDGER, ChargebackRecorded, HoldReason, Payment, PaymentState
from ledger.nouns.orders.supplier_orders import Wish
from ledger.nouns.policies import WhenReversed, policy_at
from ledger.terms.money import Money
from ledger.view import View


def record_payment(
    view: View,
    order_id: str,
    payment: PaymentState | None,
    at: datetime,
    now: datetime,
    payments: Sequence[Payment] = (),
) -> list[Change]:
    """Money moved, or the payment state changes. A paid order without holds is confirmed."""
    order = order_in(view, order_id)
    docket = Docket(order)
    for each in payments:
        docket.add(orders.record_payment(docket.order, each))
    if payment is not None:
        docket.add(orders.change_payment(docket.order, payment, at))
    if not docket.facts:
        return []
    at = max(at, order.placed.placed_at)
    docket.add(confirmation.reconsider_missing(view, docket.order, at))
    stopped = stop_reversed(view, docket, now)
    return [*confirmation.confirm_if_ready(view, docket, at, now), *stopped, *follow_money(view, docket, now)]


def stop_reversed(view: View, docket: Docket, now: datetime) -> list[Change]:
    """Where all the money went back just now and the retailer's terms say so, what has not left is cancelled, or its
    suppliers are asked to; the docket's facts come first. By default the hold that was placed keeps it back.
    """
    placed = [fact.hold for fact in docket.facts if isinstance(fact, orders.HoldPlaced)]
    holds = [hold for hold in placed if (hold.reason, hold.owner) == (HoldReason.PAYMENT_REVERSED, LEDGER)]
    if not holds or policy_at(policies.find(view), holds[-1].at).on_payment_reversed is not WhenReversed.CANCEL:
        return []
    return cancelling.stop_all(view, docket, Wish("customer", "payment_reversed"), holds[-1].at, now)


def pay_owed(
    view: View, order_id: str, payment_id: str, amount: Money | None, at: datetime, now: datetime
) -> list[Change]:
    """What is owed of an order beside its cases was paid."""
    order = order_in(view, order_id)
    docket = Docket(order, orders.pay_owed(order, payment_id, amount, at))
    stopped = stop_reversed(view, docket, now)
    return [*docket.settled(view, now), *stopped, *follow_money(view, docket, now)] if docket.facts else []


def follow_money(view: View, docket: Docket, now: datetime) -> list[Change]:
    """Reships wait for the payment of the order that paid for them, as that order itself does."""
    money_facts = [fact for fact in docket.facts if isinstance(fact, orders.MoneyFact)]
    reships = docket.order.after_sales.reships if money_facts else ()
    view.need(*map(orders.stream, reships))
    changes: list[Change] = []
    for reship in (order_in(view, reship_id) for reship_id in reships):
        own = Docket(reship, orders.share_money(reship, docket.order, money_facts[-1]))
        more = confirmation.confirm_if_ready(view, own, money_facts[-1].at, now) if own.facts else []
        # One command cannot reserve the same stock twice: the second reship keeps waiting for a person.
        if {stream for stream, _ in changes}.isdisjoint(stream for stream, _ in more):
            changes += more
    return changes


def record_chargeback(view: View, chargeback: ChargebackRecorded, now: datetime) -> list[Change]:
    """The bank took the money back; if all of it is gone, units that have not left wait."""
    order = order_in(view, chargeback.order_id)
    chargeback = orders.since_placing(order, chargeback)
    docket = Docket(order, orders.record_chargeback(order, chargeback))
    stopped = stop_reversed(view, docket, now)
    return [*docket.settled(view, now), *stopped, *follow_money(view, docket, now)]
